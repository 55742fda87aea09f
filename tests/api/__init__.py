"""The API on a real PostgreSQL."""
