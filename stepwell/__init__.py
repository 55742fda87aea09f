"""The program: command line, and the only place that wires the other packages together."""
