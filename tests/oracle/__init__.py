"""Our evaluator against Google's own implementation of CEL, in C++: the same expressions, the same data, the same answers."""
