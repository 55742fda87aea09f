"""Writes the parts of the pages that are made from the code: `make docs`.

A page holds `<!-- made: NAME, by make docs -->` … `<!-- made end -->`; what stands between is replaced, the rest is written by hand.
Reads the code only, never a database. The same code makes the same pages.
"""
