"""What scenarios load the engine with: definitions, starts by a schedule, requests by a schedule, and how to read
them.
"""
