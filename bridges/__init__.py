"""Bridges: carry the event feed to, or bring events from, other systems."""
