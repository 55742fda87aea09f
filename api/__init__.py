"""The REST API: translates HTTP to the same SQL functions that SQL users call."""
