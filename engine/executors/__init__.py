"""What does the work of activities outside the process: today HTTP. Imports nothing that knows a database."""
