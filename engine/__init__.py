"""The process engine: pure core, and the thin shell that runs it on PostgreSQL."""
