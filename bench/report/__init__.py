"""Readings of a result file: one page of HTML, tables in Markdown, plots."""
