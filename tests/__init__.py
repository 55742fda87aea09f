"""Tests. `unit/` needs no server; everything else runs against real ones."""
