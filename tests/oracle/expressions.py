"""Expressions and data for them, made at random: well formed, mostly of kinds that fit, now and then not.

An expression knows what `input` looks like; a field may be missing there, a list shorter than its index.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from tests.oracle.templates import ANY_ITEM, ANY_KIND, ERRORS, LEAVES, OTHERS, TEMPLATES, WRONG

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

T = TypeVar("T")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOLE = re.compile(r"<([a-z]+(?: [a-z]+)*)(\?)?((?: [a-z]:[a-z ]+)*)>")
BINDING = re.compile(r"([a-z]):((?:(?:list|map|optional) )*[a-z]+)")
NEW = re.compile(r"@([a-z])")
NAMES = {"x": ("x", "y", "z"), "i": ("i", "j"), "k": ("k", "l"), "v": ("v", "w")}
ONE_IN_SO_MANY_IS_AN_ERROR = 25
ONE_IN_SO_MANY_IS_WRONG = 12

Scope = tuple[tuple[str, str], ...]  # variables and their kinds, the innermost last


@cache
def one_of(options: tuple[T, ...]) -> st.SearchStrategy[T]:
    return st.sampled_from(options)


class Writer:
    """Writes one expression, drawing what it chooses."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def write(self, kind: str, depth: int, scope: Scope = ()) -> str:
        """Return an expression of a kind, no more than `depth` templates deep."""
        if kind in ("any", "truth"):
            kind = self._loose(kind)
        if self._one_in(ONE_IN_SO_MANY_IS_AN_ERROR) and depth > 0 and kind not in SYMBOLS:
            return self._choose(ERRORS)
        options = _templates(kind) if depth > 0 else ()
        if not options or self._one_in(4):
            return self._leaf(kind, scope)
        return self._fill(self._choose(options), kind, depth - 1, scope)

    def _loose(self, kind: str) -> str:
        if kind == "truth" and not self._one_in(ONE_IN_SO_MANY_IS_WRONG):
            return "bool"
        return self._choose(OTHERS)

    def _leaf(self, kind: str, scope: Scope) -> str:
        visible = {name: of for name, of in scope}  # noqa: C416 # the innermost of a name counts
        variables = tuple(name for name, of in visible.items() if of == kind)
        if variables and not self._one_in(3):
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
            if found[2] and self._one_in(ONE_IN_SO_MANY_IS_WRONG):
                return self._choose(WRONG[wanted.partition(" ")[0]])
            wanted = f"list {kinds['item']}" if wanted == "list" else wanted
            return self.write(wanted, depth, scope + inner)

        return HOLE.sub(hole, template)

    def _choose(self, options: tuple[str, ...]) -> str:
        chosen: str = self._draw(one_of(options))
        return chosen

    def _one_in(self, many: int) -> bool:
        return bool(self._draw(one_of(tuple(range(many)))) == many - 1)


SYMBOLS = frozenset({"order", "sign", "step", "part", "pattern", "zone"})


def _named(kind: str, kinds: dict[str, str]) -> str:
    return " ".join(kinds.get(word, word) for word in kind.split(" "))


@cache
def _templates(kind: str) -> tuple[str, ...]:
    container, _, item = kind.partition(" ")
    if kind in SYMBOLS or (container not in TEMPLATES):
        return ()
    own = TEMPLATES[container] + (TEMPLATES.get(kind, ()) if item else ())
    deep = kind.count(" ") > 1
    return own + ANY_KIND + (() if deep or container == "optional" else ANY_ITEM)


def expressions(kind: str) -> st.SearchStrategy[str]:
    """Return expressions whose value, if there is one, is of a kind."""

    @st.composite
    def make(draw: DrawFn) -> str:
        return Writer(draw).write(kind, draw(one_of((2, 3, 3, 4, 4, 5))))

    return make()


TEXT = st.text("abAB,. é😀1", max_size=5)
INT = st.one_of(st.integers(-5, 5), st.integers(-1_000_000, 1_000_000))
FLOAT = st.one_of(one_of((0.0, 1.0, 2.5, -0.5, 1e6)), st.floats(-1e6, 1e6, allow_subnormal=False))
WHEN = one_of(
    (
        "2026-01-31T12:00:00Z",
        "2026-06-01T00:00:00.25+02:00",
        "1969-07-20T20:17:40Z",
        "yesterday",
        "2026-02-30T00:00:00Z",
    )
)
COUNTS = st.fixed_dictionaries({"a": INT}, optional={"b": INT, "é": INT})
NAMED = st.fixed_dictionaries({"a": TEXT}, optional={"b": TEXT, "c": TEXT})
LINE = st.fixed_dictionaries({"sku": TEXT, "tags": st.lists(TEXT, max_size=2)}, optional={"count": INT, "price": FLOAT})
ORDER = st.fixed_dictionaries(
    {
        "lines": st.lists(LINE, min_size=1, max_size=3),
        "customer": st.fixed_dictionaries({}, optional={"name": TEXT, "vip": st.booleans()}),
    },
    optional={"count": INT},
)


def inputs() -> st.SearchStrategy[dict[str, Any]]:
    """Return values for `input`."""
    members = {
        "n": INT, "m": INT, "x": FLOAT, "y": FLOAT, "s": TEXT, "t": TEXT, "yes": st.booleans(), "no": st.booleans(), "none": st.none(),
        "when": WHEN, "numbers": st.lists(INT, min_size=1, max_size=4), "floats": st.lists(FLOAT, max_size=3), "words": st.lists(TEXT, min_size=1, max_size=3),
        "counts": COUNTS, "names": NAMED, "order": ORDER,
    }  # fmt: skip
    return st.fixed_dictionaries(members, optional={"gift": TEXT})
