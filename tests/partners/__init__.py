"""Partners for tests: servers that behave well, badly or not at all."""
