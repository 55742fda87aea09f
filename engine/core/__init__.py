"""The pure core: what a process is and how it moves. Values in, values out; no I/O, clock or randomness."""
