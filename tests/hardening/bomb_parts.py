"""What hostile expressions are built of."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

ERROR = ("error",)
VALUE = ("value",)
REFUSED = ("refused",)


class Bomb(Struct, frozen=True):
    """One hostile thing. `what`: expression | condition | template | address | definition (of several) | harm (a function
    of the test itself). `ends`: how it may end.
    """

    group: str
    name: str
    source: Any
    data: str = "few"
    what: str = "expression"
    ends: tuple[str, ...] = ("error", "value")


def bound(first: str, step: str, count: int, last: str) -> str:
    """Return `count` nested cel.bind: v0 is `first`, each next one `step` with $ for the one before, then `last`."""
    opened = f"cel.bind(v0, {first}, "
    for n in range(1, count):
        opened += f"cel.bind(v{n}, {step.replace('$', f'v{n - 1}')}, "
    return opened + last.replace("$", f"v{count - 1}") + ")" * count


def nested(opened: str, core: str, closed: str, count: int) -> str:
    """Return `core` within `count` openings, # being the number of each."""
    return "".join(opened.replace("#", str(n)) for n in range(count)) + core + closed * count


def loops(macro: str, count: int, core: str, over: str = "input.l") -> str:
    """Return loops within loops over the same list."""
    return nested(f"{over}.{macro}(x#, ", core, ")", count)


def turns(body: str, macro: str = "all") -> str:
    """Return a body that is evaluated a million times, or until all fuel is spent: 1000 times is paid for at once."""
    return f"input.r.{macro}(a, input.r.{macro}(x, {body}))"


def group_of(group: str, *bombs: tuple[Any, ...]) -> tuple[Bomb, ...]:
    return tuple(Bomb(group, *bomb) for bomb in bombs)
