"""Our evaluator against Google's own implementation of CEL: the same expressions and data, the same answers."""
