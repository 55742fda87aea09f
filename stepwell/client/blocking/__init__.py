"""The client without `await`, made from `awaited` by `stepwell/client/generate.py`."""
