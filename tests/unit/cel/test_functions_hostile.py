"""What strangers hand to functions: any value of any kind anywhere, and values of any size."""

from __future__ import annotations

import math
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.cel import values
from engine.cel.errors import EvaluationError, OutOfFuel
from engine.cel.fuel import Fuel
from engine.cel.library import FUNCTIONS, MACROS, METHODS
from engine.cel.linear import searcher
from engine.cel.values import NONE, Optional, Some
from tests.unit.cel.calls import MOST, OPERATIONS, call, cost

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALL = (*FUNCTIONS, *(f".{name}" for name in METHODS), *OPERATIONS)
KINDS = (type(None), bool, int, float, str, bytes, list, dict, datetime, timedelta, Some, Optional, type(searcher("a")))
DEEP: list[Any] = []
for _ in range(64):
    DEEP = [DEEP]

NOTABLE: tuple[Any, ...] = (
        0, -1, 1, 2**63, -(2**63), 10**300, -(10**300), 10**400, 2**61 - 1, 0.5, -0.0, 1e308, -1e308, math.nan, math.inf, -math.inf, "", "a", "\ud800", "\0", "%s%d%.100f%x", "%.f", "0x1p9999",
        "1" * 400, "9" * 25, "1h", "2026-01-31T12:00:00Z", "2026-03-29T02:30", "9999-12-31", "P1M", "-P9999Y", "Europe/Vienna", "+23:59", "-00:01", "aGk=", "😀" * 20, b"", b"\xff", b"a", [], {}, [[]], {"a": 1}, {"": None}, DEEP, {"a": DEEP}, NOON,
        datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), timedelta(), timedelta(days=3_652_500), timedelta(days=-3_652_500), timedelta(microseconds=-1),
        Some(None), Some(Some([1])), Some({"a": 1}), NONE, True, False, None, searcher("a*"),
)  # fmt: skip
_text = st.text(st.characters(), max_size=12) | st.text("01aeE+-.,: %sdfxhm", max_size=12)
_scalar = st.sampled_from(NOTABLE) | _text | st.integers() | st.floats() | st.binary(max_size=6) | st.integers(-2, 5)
_value = st.recursive(
    _scalar,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=3) | inner.map(Some),
    max_leaves=8,
)


def fits(name: str, operands: tuple[Any, ...]) -> bool:
    """Tell whether generated code may call so: the second operand of these is a word of the source."""
    return name not in ("select", "optional_select", "has") or type(operands[1]) is str


@pytest.mark.parametrize("name", ALL)
def test_notable_operands_give_a_value_or_an_evaluation_error(name: str) -> None:
    least, most = _least(name), _most(name)
    seen = list(map(repr, NOTABLE))
    for count in range(least, min(most, 2) + 1):
        for operands in filter(lambda operands: fits(name, operands), product(NOTABLE, repeat=count)):
            answer(name, operands)
    for operands in zip(NOTABLE, *(NOTABLE[n:] + NOTABLE[:n] for n in range(1, most)), strict=True):
        for count in range(max(least, 3), most + 1):
            answer(name, operands[:count])
    assert list(map(repr, NOTABLE)) == seen, "operands were changed"


def answer(name: str, operands: tuple[Any, ...]) -> None:
    with suppress(EvaluationError):
        assert type(call(name, *operands)) in KINDS


@pytest.mark.parametrize("name", ALL)
def test_whatever_it_is_handed_a_function_gives_a_value_or_an_evaluation_error(name: str) -> None:
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(_value, min_size=_least(name), max_size=_most(name)).map(tuple))
    def check(operands: tuple[Any, ...]) -> None:
        seen = repr(operands)
        if fits(name, operands):
            answer(name, operands)
        assert repr(operands) == seen, "operands were changed"

    check()


def _least(name: str) -> int:
    function = FUNCTIONS.get(name) or METHODS.get(name[1:])
    if function is not None:
        return len(function.params) - function.optional
    return 1 if name == "negate" else 2


def _most(name: str) -> int:
    function = FUNCTIONS.get(name) or METHODS.get(name[1:])
    if function is None:
        return _least(name)
    return len(function.params) + 3 * function.variadic


@pytest.mark.parametrize("name", ALL)
def test_operands_of_the_right_kind_and_any_content_are_answered_or_refused(name: str) -> None:
    function = FUNCTIONS.get(name) or METHODS.get(name[1:])
    if function is None or not function.params:
        return
    kinds = [param.split("|") for param in function.params]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.tuples(*(st.one_of(*(_OF[kind] for kind in options)) for options in kinds)))
    def check(operands: tuple[Any, ...]) -> None:
        with suppress(EvaluationError):
            found = call(name, *operands)
            assert type(found) in _GIVES[function.result], f"{name} gives {found!r}, which is no {function.result}"

    check()


_OF: dict[str, st.SearchStrategy[Any]] = {
    "any": _value,
    "text": _text
    | st.sampled_from(["", "a", "%s", "Europe/Vienna", "1h", "P1M", "-P1Y2D", "2026-02-28", "2026-01-31T12:00:00Z"]),
    "number": st.integers(-3, 8) | st.floats() | st.integers(),
    "list": st.lists(_value, max_size=4) | st.lists(st.integers(), max_size=4) | st.lists(st.text("ab"), max_size=4),
    "map": st.dictionaries(_text, _value, max_size=3),
    "bytes": st.binary(max_size=8),
    "bool": st.booleans(),
    "timestamp": st.datetimes(timezones=st.just(UTC)),
    "duration": st.timedeltas(timedelta(days=-3_652_500), timedelta(days=3_652_500)),
    "optional": _value.map(Some) | st.just(NONE),
}
_GIVES: dict[str, tuple[type, ...]] = {
    "any": KINDS,
    "text": (str,),
    "number": (int, float),
    "list": (list,),
    "map": (dict,),
    "bytes": (bytes,),
    "bool": (bool,),
    "timestamp": (datetime,),
    "duration": (timedelta,),
    "optional": (Some, Optional),
}


def grown(size: int) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """Return calls whose work grows with `size`, by what they show."""
    text, wide, many = "x" * size, "ü" * size, list(range(size))
    words, records = [str(n) for n in many], [{"id": n} for n in many]
    table = {str(n): n for n in many}
    return {
        "contains": (".contains", (text, "b")),
        "contains of an item": (".contains", (many, -1)),
        "startsWith": (".startsWith", (text, text)),
        "endsWith": (".endsWith", (text, text)),
        "matches": ("matches", (text, searcher("b"))),
        "split": (".split", (text, "x")),
        "split into characters": (".split", (wide, "")),
        "trim": (".trim", (" " * size,)),
        "lowerAscii": (".lowerAscii", (text,)),
        "upperAscii": (".upperAscii", (wide,)),
        "replace": (".replace", (text, "x", "y")),
        "replace nothing": (".replace", (text, "", "-")),
        "substring": (".substring", (text, 1)),
        "indexOf": (".indexOf", (text, "b")),
        "lastIndexOf": (".lastIndexOf", (text, "b")),
        "reverse": (".reverse", (text,)),
        "reverse of a list": (".reverse", (many,)),
        "format": (".format", (text, [])),
        "format of clauses": (".format", ("%%" * size, [])),
        "format of items": (".format", ("%s" * size, many)),
        "format of a text": (".format", ("%s", [text])),
        "format as hex": (".format", ("%x", [text])),
        "join": (".join", (words, "")),
        "join with a separator": (".join", ([""] * 100, text[: size // 10])),
        "sum": (".sum", (many,)),
        "min": (".min", (many,)),
        "max": (".max", (words,)),
        "sort": (".sort", (many,)),
        "sort of long texts": (".sort", ([text, text, text],)),
        "distinct": (".distinct", (many,)),
        "distinct of records": (".distinct", (records,)),
        "distinct of long texts": (".distinct", ([text, wide],)),
        "distinct of bytes": (".distinct", ([text.encode()],)),
        "flatten": (".flatten", ([many],)),
        "flatten deeply": (".flatten", ([[many]], 2)),
        "slice": (".slice", (many, 0, size)),
        "range": ("lists.range", (size,)),
        "merge": (".merge", (table, {})),
        "merge into nothing": (".merge", ({}, table)),
        "indexOf an item": (".indexOf", (many, -1)),
        "lastIndexOf an item": (".lastIndexOf", (many, -1)),
        "greatest": ("math.greatest", (many,)),
        "least": ("math.least", (many,)),
        "int": ("int", ("0" * size,)),
        "double": ("double", ("1" * size,)),
        "bytes": ("bytes", (text,)),
        "string of bytes": ("string", (text.encode(),)),
        "string of a list": ("string", (many,)),
        "string of a map": ("string", (table,)),
        "string of a list with a long text": ("string", ([text],)),
        "base64.encode": ("base64.encode", (text,)),
        "base64.decode": ("base64.decode", ("YWJj" * (size // 4),)),
        "hash.sha256": ("hash.sha256", (text.encode(),)),
        "equal lists": ("equal", (many, list(many))),
        "equal maps": ("equal", (table, dict(table))),
        "equal texts": ("equal", (text, (text + "y")[:-1])),
        "less": ("less", (text, text)),
        "add texts": ("add", (text, text)),
        "add lists": ("add", (many, many)),
        "in a list": ("contained", (-1, many)),
        "in a map": ("contained", (text, {})),
    }


SMALL, LARGE = grown(2_000), grown(40_000)


@pytest.mark.parametrize("what", SMALL)
def test_what_costs_more_time_or_memory_costs_more_fuel(what: str) -> None:
    small, large = cost(SMALL[what][0], *SMALL[what][1]), cost(LARGE[what][0], *LARGE[what][1])
    assert large > 10 * small, f"{small} units, then {large} for twenty times as much"
    assert large >= 40_000 // 64


@pytest.mark.parametrize("what", SMALL)
def test_what_cannot_be_paid_for_is_not_done(what: str) -> None:
    name, operands = LARGE[what]
    needed = cost(name, *operands)
    tracemalloc.start()
    try:
        for units in (1, 100):
            with pytest.raises(OutOfFuel):
                call(name, *operands, fuel=Fuel(units))
        assert tracemalloc.get_traced_memory()[1] < 20_000, "memory was taken before it was paid for"
    finally:
        tracemalloc.stop()
    with pytest.raises(OutOfFuel):
        call(name, *operands, fuel=Fuel(needed - 1))
    call(name, *operands, fuel=Fuel(needed))


@pytest.mark.parametrize("what", LARGE)
def test_what_is_made_is_paid_for_by_its_size(what: str) -> None:
    name, operands = LARGE[what]
    made, paid = call(name, *operands), cost(name, *operands)
    if type(made) is list:
        assert paid >= len(made)
    if type(made) is dict:
        assert paid >= 4 * len(made)
    if type(made) is str or type(made) is bytes:
        assert paid >= len(made) // 16


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        (".replace", ("x" * 100_000, "x", "y" * 100)), (".replace", ("x" * 100_000, "", "y" * 100)), (".join", (["x" * 100_000] * 100,)), (".join", ([""] * 1000, "x" * 10_000)),
        (".format", ("%s%s%s", ["x" * 1_000_000] * 3)), (".format", ("%x", ["x" * 1_500_000])), ("add", ("x" * 1_500_000, "x" * 1_500_000)), ("string", (["x" * 100_000] * 100,)),
        ("base64.encode", (b"x" * 2_000_000,)),
    ],
    ids=range(9),
)  # fmt: skip
def test_no_text_grows_without_end_whatever_fuel_there_is(name: str, operands: tuple[Any, ...]) -> None:
    with pytest.raises(EvaluationError, match="longer than") as fault:
        call(name, *operands, fuel=Fuel(MOST))
    assert type(fault.value) is EvaluationError


def test_what_takes_long_for_each_item_costs_more_for_each() -> None:
    assert cost(".format", "%%" * 1000, []) > 10_000
    assert cost(".format", "%.100f" * 100, [0.5] * 100) > 10_000
    assert cost(".distinct", [{"a": 1}] * 1000) > 10_000
    assert cost(".split", "x" * 1000, "x") > 3000
    assert cost("string", [NOON] * 1000) > 6000


def test_every_function_has_a_line_for_the_page_and_kinds_that_there_are() -> None:
    for function in (*FUNCTIONS.values(), *METHODS.values()):
        assert function.says
        assert function.result in _GIVES
        assert {kind for param in function.params for kind in param.split("|")} <= set(_OF)
        assert function.method is (function in METHODS.values())
        assert function.optional <= len(function.params)
    assert all(form.says and form.form for form in MACROS.values())
    assert not set(FUNCTIONS) & set(MACROS)


def test_json_of_any_value_is_json() -> None:
    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_value)
    def check(value: Any) -> None:
        fuel = Fuel(MOST)
        try:
            plain = values.to_json(fuel, value)
        except EvaluationError:
            return
        assert values.to_json(fuel, plain) is plain
        assert _is_json(plain)

    check()


def _is_json(value: Any) -> bool:
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)
