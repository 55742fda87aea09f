"""How many expressions a core evaluates in a second: ours beside those of other libraries, in one run.

`python -m bench.expressions` (the extra `bench-expressions` brings the others; one that is not
installed is said to be missing).
Every contender has a process of its own and is given the same data. It must give the right answer to every case before
it is timed. Figures hold for the machine and the run they come from: compare within a run, never between two.
"""
