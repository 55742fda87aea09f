"""Data that are as bad as `engine.core.values.admit` lets in: 1 MiB of JSON, 64 levels. Made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MERSENNE = 2**61 - 1  # Python's hash of an int is its remainder by this: all multiples have the hash 0
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "+05:30",
    "-11:00",
]
NO_ZONES = [
    "",
    ".",
    "..",
    "/etc/passwd",
    "../../../../etc/passwd",
    "Europe/",
    "/",
    "a" * 60_000,
    "a/" * 30_000,
    "é",
    "posix",
]
HALF = 517_000  # characters: two such texts fit into one value


def deep(levels: int, core: Any) -> Any:
    """Return lists around a value."""
    for _ in range(levels):
        core = [core]
    return core


def _deep_map(levels: int) -> Any:
    core: Any = 1
    for _ in range(levels):
        core = {"a": core}
    return core


def _bushy(levels: int) -> Any:
    return [_bushy(levels - 1) for _ in range(4)] if levels else 0


DATA: dict[str, Callable[[], Any]] = {
    "few": lambda: {"n": 7, "s": "abc", "t": True, "x": None, "l": list(range(10)), "o": {"a": {"b": [1, 2]}}},
    "zeros": lambda: {"l": [0] * 500_000},
    "thousand": lambda: {"l": list(range(1000)), "s": "a" * 1_000_000},
    "ints": lambda: {"l": list(range(150_000))},
    "backwards": lambda: {"l": list(range(150_000, 0, -1))},
    "empties": lambda: {"l": [[] for _ in range(340_000)]},
    "maps": lambda: {"l": [{"a": n % 10} for n in range(110_000)]},
    "floats": lambda: {"l": [n + 0.5 for n in range(110_000)]},
    "mixed": lambda: {"l": [n if n % 2 else n + 0.0 for n in range(60_000)] + [True, False] * 10_000},
    "text": lambda: {"s": "a" * 1_035_000},
    "texts": lambda: {"l": [f"{n:06d}" for n in range(110_000)]},
    "pair": lambda: {"s": "a" * HALF, "t": "a" * (HALF - 1) + "b"},
    "twins": lambda: {"s": "a" * HALF, "t": "a" * HALF},
    "wide": lambda: {"s": "😀" * 260_000},
    "accents": lambda: {"s": "ǅ" * 500_000, "t": "ß" * 20_000},
    "spaces": lambda: {"s": " " * 1_000_000, "l": [0] * 20_000},
    "controls": lambda: {"s": "\x01" * 170_000},
    "prefixes": lambda: {"l": ["a" * 1000 + str(n) for n in range(1000)]},
    "long prefixes": lambda: {"l": ["a" * 100_000 + str(n) for n in range(10)]},
    "big ints": lambda: {"l": [10**300 + n for n in range(3400)]},
    "big": lambda: {"n": 10**307, "m": -(10**307), "f": 1e308, "z": -0.0, "x": 5e-324, "l": [10**307] * 3000},
    "hashes": lambda: {"l": [n * MERSENNE for n in range(1, 43_500)]},
    "float hashes": lambda: {"l": [n * float(2**61) for n in range(1, 40_000)]},
    "deep": lambda: {"d": deep(62, 1), "e": _deep_map(62)},
    "bushy": lambda: {"d": _bushy(9)},
    "keys": lambda: {"m": {f"k{n}": n for n in range(65_000)}},
    "similar keys": lambda: {"m": {f"{'a' * 30}{n}": n for n in range(20_000)}, "l": [0] * 5000},
    "long keys": lambda: {"m": {"a" * HALF: 1}, "s": "a" * HALF},
    "zones": lambda: {"l": ZONES * 4000},
    "unknown zones": lambda: {"l": [f"X{n}/Y" for n in range(90_000)]},
    "no zones": lambda: {"l": NO_ZONES * 5},
    "times": lambda: {"l": ["2026-01-01T00:00:00Z"] * 45_000},
    "no times": lambda: {"l": ["2026-01-01T00:00:00" + "0" * 10] * 20_000, "s": "9" * 300_000},
    "durations": lambda: {"l": ["1h1m1s"] * 60_000, "s": "1h" * 200_000},
    "numbers": lambda: {"l": ["9" * 18] * 24_000, "s": "1" * 500_000, "t": "1e" + "9" * 1000},
}


def made(name: str) -> dict[str, Any]:
    """Return data, and `r` to go round with."""
    return {"r": list(range(1000)), **DATA[name]()}
