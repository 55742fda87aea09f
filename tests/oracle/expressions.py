"""Expressions and data for them, made at random: well formed, mostly of kinds that fit, now and then not.

An expression knows what `input` looks like; a field may be missing there, a list shorter than its index.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.oracle import templates
from tests.oracle.templates import ERRORS, LEAVES, OTHERS, WRONG

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOLE = re.compile(r"<([a-z]+(?: [a-z]+)*)(\?)?((?: [a-z]:[a-z ]+)*)>")
BINDING = re.compile(r"([a-z]):((?:(?:list|map|optional) )*[a-z]+)")
NEW = re.compile(r"@([a-z])")
NAMES = {"x": ("x", "y", "z"), "i": ("i", "j"), "k": ("k", "l"), "v": ("v", "w")}
PERCENT = st.integers(0, 99)
ERRORS_IN_100 = 3
LEAVES_IN_100 = 25  # the lowest: what fails shrinks to them
WRONG_IN_100 = 8

Scope = tuple[tuple[str, str], ...]  # variables and their kinds, the innermost last


@cache
def one_of(options: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(options)


class Writer:
    """Writes one expression, drawing what it chooses."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw
        self._without = draw(st.sampled_from((templates.BINDS, templates.STOPS_EARLY)))

    def begin(self, kind: str, depth: int) -> str:
        """Return an expression that is no mere leaf."""
        return self._fill(self._choose(_templates(kind, self._without)), kind, depth - 1, ())

    def write(self, kind: str, depth: int, scope: Scope = ()) -> str:
        """Return an expression of a kind, no more than `depth` templates deep."""
        if kind == "any":
            kind = self._choose(OTHERS)
        if kind == "truth":
            chance = self._draw(PERCENT)
            if chance >= 100 - WRONG_IN_100:
                return f"dyn({self.write('any', depth, scope)})"
            if chance >= 100 - 2 * WRONG_IN_100:
                return self._choose(ERRORS)
            kind = "bool"
        options = _templates(kind, self._without) if depth > 0 else ()
        if not options:
            return self._leaf(kind, scope)
        chance = self._draw(PERCENT)
        if chance >= 100 - ERRORS_IN_100:
            return self._choose(ERRORS)
        if chance < LEAVES_IN_100:
            return self._leaf(kind, scope)
        return self._fill(self._choose(options), kind, depth - 1, scope)

    def _leaf(self, kind: str, scope: Scope) -> str:
        visible = {name: of for name, of in scope}  # noqa: C416 # the innermost of a name counts
        variables = tuple(name for name, of in visible.items() if of == kind)
        if variables and self._draw(PERCENT) < 70:
            return self._choose(variables)
        if kind in LEAVES:
            return self._choose(LEAVES[kind])
        container, _, item = kind.partition(" ")
        made = self._leaf(item, scope)
        return {"list": f"[{made}]", "map": f"{{'a': {made}}}", "optional": f"optional.of({made})"}[container]

    def _fill(self, template: str, kind: str, depth: int, scope: Scope) -> str:
        kinds = {"same": kind, "item": kind.partition(" ")[2] or self._choose(OTHERS), "other": self._choose(OTHERS)}
        names = {letter: self._choose(NAMES[letter]) for letter in NEW.findall(template)}
        template = NEW.sub(lambda new: names[new[1]], template)

        def hole(found: re.Match[str]) -> str:
            wanted = _named(found[1], kinds)
            inner = tuple((names[letter], _named(of, kinds)) for letter, of in BINDING.findall(found[3]))
            if found[2] and self._draw(PERCENT) >= 100 - WRONG_IN_100:
                return self._choose(WRONG[wanted.partition(" ")[0]])
            wanted = f"list {kinds['item']}" if wanted == "list" else wanted
            return self.write(wanted, depth, scope + inner)

        return HOLE.sub(hole, template)

    def _choose(self, options: tuple[str, ...]) -> str:
        return self._draw(one_of(options))


def _named(kind: str, kinds: dict[str, str]) -> str:
    return " ".join(kinds.get(word, word) for word in kind.split(" "))


@cache
def _templates(kind: str, without: tuple[str, ...]) -> tuple[str, ...]:
    container, _, item = kind.partition(" ")
    if container not in templates.TEMPLATES:
        return ()
    own = templates.TEMPLATES[container] + (templates.TEMPLATES.get(kind, ()) if item else ())
    deep = kind.count(" ") > 1
    every = own + templates.ANY_KIND + (() if deep or container == "optional" else templates.ANY_ITEM)
    return tuple(template for template in every if not any(word in template for word in without))


def expressions(kind: str) -> st.SearchStrategy[str]:
    """Return expressions whose value, if there is one, is of a kind."""

    @st.composite
    def make(draw: DrawFn) -> str:
        return Writer(draw).begin(kind, draw(st.sampled_from((2, 3, 3, 4, 4))))

    return make()


TEXTS = ("abc", "", "a", "b", "aAbB", "a,b,,c", " é ", "😀é", "12", "-1.5", "true", "Abc.1")
INTS = (0, 1, 2, -1, 3, 7, -5, 100, -999_999)
FLOATS = (0.0, 1.0, 2.5, -0.5, -0.0, 0.1, 1e6, -123456.789)
MEMBERS: dict[str, tuple[Any, ...]] = {
    "n": INTS,
    "m": INTS,
    "x": FLOATS,
    "y": FLOATS,
    "s": TEXTS,
    "t": TEXTS,
    "yes": (True, False),
    "no": (False, True),
    "none": (None,),
    "when": ("2026-01-31T12:00:00Z", "2026-06-01T00:00:00.25+02:00", "1969-07-20T20:17:40Z", "yesterday"),
    "numbers": ([1, 2, 3], [3, 1, 2, 1], [0], [5, -5], []),
    "floats": ([0.5, -1.5], [1.0, 1.0, 0.0], []),
    "words": (["b", "a"], ["a", "B", "é", "a"], [""], []),
    "counts": ({"a": 1, "b": 2}, {"a": 0}, {"é": -3, "c": 4, "a": 4}, {}),
    "names": ({"a": "x", "c": "é"}, {"a": "", "b": "abc"}, {}),
}
LINES = (
    {"sku": "abc", "count": 2, "price": 1.5, "tags": ["a", "b"]},
    {"sku": "", "count": 0, "tags": []},
    {"sku": "é1", "price": -0.5, "tags": ["abc"]},
    {"sku": "a", "count": -3, "price": 2.0, "tags": ["b", "a", "b"]},
)
POOL = 60


def _input(chance: Random) -> dict[str, Any]:
    made = {name: chance.choice(options) for name, options in MEMBERS.items()}
    customer = chance.choice(({"name": "abc", "vip": True}, {"name": ""}, {}))
    order = {"lines": chance.choices(LINES, k=chance.choice((0, 1, 1, 2, 2, 3))), "customer": customer}
    gift = {"gift": chance.choice(TEXTS)} if chance.random() < 0.5 else {}
    return {**made, **gift, "order": {**order, **chance.choice(({"count": 1}, {}))}}


def inputs() -> st.SearchStrategy[dict[str, Any]]:
    """Return values for `input`. Few to choose from: the variety is in the expressions, and draws take time."""
    chance = Random(1)
    return st.sampled_from([_input(chance) for _ in range(POOL)])
