"""The client with `await`: the source of the one without, which `stepwell/client/generate.py` makes from it."""
