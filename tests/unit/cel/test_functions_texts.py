from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cel.errors import EvaluationError, OutOfFuel
from engine.cel.fuel import Fuel
from engine.cel.linear import searcher
from tests.unit.cel.calls import call, cost, refused

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


@pytest.mark.parametrize(
    ("name", "operands", "result"),
    [
        (".size", ("héllo😀",), 6), (".size", ("",), 0), ("size", ("abc",), 3),
        (".contains", ("abc", "bc"), True), (".contains", ("abc", ""), True), (".contains", ("", ""), True),
        (".contains", ("abc", "B"), False), (".startsWith", ("abc", "ab"), True), (".startsWith", ("abc", ""), True),
        (".startsWith", ("abc", "bc"), False), (".endsWith", ("abc", "bc"), True), (".endsWith", ("abc", "ab"), False),
        (".split", ("a,b,c", ","), ["a", "b", "c"]), (".split", ("a,b,c", ",", 2), ["a", "b,c"]),
        (".split", ("a,b", ",", 1), ["a,b"]), (".split", ("a,b", ",", 0), []), (".split", ("a,b", ",", -1), ["a", "b"]),
        (".split", ("abc", "b", 5), ["a", "c"]), (".split", ("", ","), [""]), (".split", ("", ""), [""]),
        (".split", ("aa", "a"), ["", "", ""]), (".split", ("aaa", "aa"), ["", "a"]), (".split", ("a,b", ""), ["a", ",", "b"]),
        (".split", ("abc", "", 2), ["a", "bc"]), (".split", ("abc", "", 0), []), (".split", ("abc", "", 3), ["a", "b", "c"]),
        (".split", ("abc", "", 1), ["abc"]), (".split", ("abc", "", 10**300), ["a", "b", "c"]),
        (".trim", ("  a b\t\n",), "a b"), (".trim", ("",), ""), (".trim", (SPACE + "x" + SPACE,), "x"),
        (".trim", ("\u200bx\u180e",), "\u200bx\u180e"), (".trim", ("\x1cx\x1f",), "\x1cx\x1f"), (".trim", (SPACE,), ""),
        (".lowerAscii", ("ABZaz",), "abzaz"), (".lowerAscii", ("ÄbÇZ",), "ÄbÇz"), (".upperAscii", ("abzAZ",), "ABZAZ"),
        (".upperAscii", ("äbçßz",), "äBçßZ"), (".upperAscii", ("\ud800a",), "\ud800A"), (".lowerAscii", ("İA",), "İa"),
        (".replace", ("abc", "b", "x"), "axc"), (".replace", ("abcb", "b", ""), "ac"), (".replace", ("aaa", "aa", "b"), "ba"),
        (".replace", ("aaa", "a", "b", 2), "bba"), (".replace", ("aaa", "a", "b", 0), "aaa"),
        (".replace", ("aaa", "a", "b", -5), "bbb"), (".replace", ("abc", "", "-"), "-a-b-c-"),
        (".replace", ("abc", "", "-", 2), "-a-bc"), (".replace", ("abc", "", "-", 0), "abc"), (".replace", ("", "", "-"), "-"),
        (".replace", ("abc", "x", "y"), "abc"), (".replace", ("aaa", "a", "b", 10**300), "bbb"),
        (".substring", ("abc", 1), "bc"), (".substring", ("abc", 3), ""), (".substring", ("abc", 0, 2), "ab"),
        (".substring", ("abc", 1, 3), "bc"), (".substring", ("abc", 2, 2), ""), (".substring", ("😀é", 1, 2), "é"),
        (".substring", ("abc", 1.0), "bc"),
        (".charAt", ("abc", 0), "a"), (".charAt", ("a😀", 1), "😀"), (".charAt", ("abc", 3), ""), (".charAt", ("", 0), ""),
        (".indexOf", ("banana", "an"), 1), (".indexOf", ("banana", "an", 2), 3), (".indexOf", ("abc", "x"), -1),
        (".indexOf", ("abc", ""), 0), (".indexOf", ("abc", "", 3), 3), (".indexOf", ("😀é", "é"), 1),
        (".lastIndexOf", ("banana", "an"), 3), (".lastIndexOf", ("abc", ""), 3), (".lastIndexOf", ("abc", "", 1), 1),
        (".lastIndexOf", ("abca", "a", 2), 0), (".lastIndexOf", ("abca", "bc", 1), 1), (".lastIndexOf", ("abca", "bc", 0), -1),
        (".lastIndexOf", ("abc", "x"), -1), (".lastIndexOf", ("", ""), 0), (".lastIndexOf", ("ab", "abc"), -1),
        (".lastIndexOf", ("aaa", "aa"), 1),
        (".reverse", ("héllo",), "olléh"), (".reverse", ("😀a",), "a😀"), (".reverse", ("",), ""),
    ],
    ids=repr,
)  # fmt: skip
def test_functions_of_texts(name: str, operands: tuple[Any, ...], result: Any) -> None:
    assert call(name, *operands) == result


@pytest.mark.parametrize(
    ("name", "operands", "says"),
    [
        (".size", (1,), "has no size"), ("size", (None,), "has no size"), (".contains", ("a", 1), "1 is not a text"),
        (".contains", (1, "a"), "neither a text"), (".startsWith", ("a", None), "null is not a text"),
        (".startsWith", (1, "a"), "1 is not a text"), (".endsWith", ([], "a"), "a list is not a text"),
        (".split", ("a", 1), "not a text"), (".split", ("a", ",", "1"), "not a whole number"),
        (".split", ("a", ",", 1.5), "not a whole number"), (".split", ("a", ",", True), "not a whole number"),
        (".split", ("a", ",", None), "not a whole number"), (".trim", (1,), "not a text"), (".lowerAscii", (b"a",), "not a text"),
        (".upperAscii", (None,), "not a text"), (".replace", ("a", "a", 1), "not a text"), (".replace", ("a", 1, "a"), "not a text"),
        (".replace", ("a", "a", "a", "a"), "not a whole number"), (".replace", ("a", "b", None), "null is not a text"),
        (".substring", ("abc", 4), "out of range: 0 to 3"), (".substring", ("abc", -1), "out of range"),
        (".substring", ("abc", 2, 1), "out of range: 0 to 1"), (".substring", ("abc", 0, 4), "out of range"),
        (".substring", ("abc", 0, None), "not a whole number"), (".substring", ("abc", 0.5), "not a whole number"),
        (".substring", ("abc", float("nan")), "not a whole number"), (".substring", ("abc", 10**400), "out of range"),
        (".charAt", ("abc", 4), "out of range: 0 to 3"), (".charAt", ("abc", -1), "out of range"),
        (".charAt", ("abc", "0"), "not a whole number"), (".indexOf", ("abc", "a", 4), "out of range: 0 to 3"),
        (".indexOf", ("abc", "c", -1), "out of range"), (".indexOf", ("abc", "a", None), "not a whole number"),
        (".indexOf", ("abc", 1), "not a text"), (".indexOf", (1, "a"), "not a text"), (".lastIndexOf", ("abca", "a", 9), "out of range"),
        (".lastIndexOf", ("abca", "a", -1), "out of range"), (".lastIndexOf", ("abca", 1), "not a text"),
        (".lastIndexOf", ("abca", "a", None), "not a whole number"), (".reverse", (1,), "not a text"), (".reverse", ({},), "not a text"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_does_not_fit_functions_of_texts_is_an_error(name: str, operands: tuple[Any, ...], says: str) -> None:
    assert says in refused(name, *operands)


@given(st.text("ab", max_size=12), st.text("ab", max_size=4))
def test_places_of_a_text_are_those_that_python_finds(text: str, part: str) -> None:
    assert call(".indexOf", text, part) == text.find(part)
    assert call(".lastIndexOf", text, part) == text.rfind(part)
    for start in range(len(text) + 1):
        assert call(".indexOf", text, part, start) == text.find(part, start)
        assert call(".lastIndexOf", text, part, start) == text.rfind(part, 0, start + len(part))


@given(st.text("aß,", max_size=20), st.text("a,", max_size=3), st.integers(-1, 5))
def test_pieces_joined_again_are_the_text(text: str, separator: str, limit: int) -> None:
    pieces = call(".split", text, separator, limit)
    if limit:
        assert separator.join(pieces) == text
    assert limit < 0 or len(pieces) <= limit


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("order-17", "^[a-z]+-[0-9]+$", True), ("order-17", "r-1", True), ("order-17", "^r", False), ("", "^$", True),
        ("GRÜSSE", "(?i)grüsse", True), ("a\nb", "a.b", False), ("a\nb", "(?s)a.b", True), ("a\0b", "a\\x00b", True),
        ("😀", "^.$", True),
    ],
    ids=repr,
)  # fmt: skip
def test_whether_a_pattern_occurs(text: str, pattern: str, found: bool) -> None:
    assert call(".matches", text, searcher(pattern)) is found
    assert call("matches", text, searcher(pattern)) is found


def test_what_a_pattern_cannot_be_sought_in() -> None:
    others: tuple[Any, ...] = (1, None, [], b"a")
    for value in others:
        assert "not a text" in refused("matches", value, searcher("a"))
    assert "surrogate" in refused("matches", "\ud800", searcher("a"))
    assert "no compiled pattern" in refused("matches", "a", "a")


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "((a{1000}){1000}){1000}", "x" * 1001, "\ud800"])
def test_patterns_that_are_not_linear_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        searcher(pattern)


def test_a_pattern_with_a_larger_program_costs_more_and_so_does_a_longer_text() -> None:
    small, large = searcher("a+$"), searcher(".{0,300}b.{0,300}$")
    assert large.cost("a" * 1000) > 100 * small.cost("a" * 1000)
    assert small.cost("a" * 1_000_000) > 100_000
    assert small.cost("ü" * 1000) > 3 * small.cost("a" * 1000)
    with pytest.raises(EvaluationError, match="too much work"):
        call("matches", "b" * 100_000, large)


@pytest.mark.parametrize(
    ("form", "items", "written"),
    [
        ("", [], ""), ("plain", [], "plain"), ("%%", [], "%"), ("%%%d%%", [1], "%1%"), ("%s %s", ["a", 1], "a 1"),
        ("%s", ["a%s"], "a%s"), ("%s", [1.0], "1"), ("%s", [None], "null"), ("%s", [[1, "a"]], '[1,"a"]'),
        ("%s", [{"b": None}], '{"b":null}'), ("%s", [True], "true"), ("%s", [b"abc"], "abc"), ("%s", [1e21], "1e+21"),
        ("%d", [5], "5"), ("%d", [-5], "-5"), ("%d", [5.0], "5"), ("%.2d", [1], "1"), ("%d", [float("nan")], "NaN"),
        ("%d", [2**64], "18446744073709551616"), ("%f", [1.5], "1.500000"), ("%f", [1], "1.000000"), ("%.0f", [2.5], "2"),
        ("%.0f", [3.5], "4"), ("%.2f", [1.555], "1.55"), ("%.20f", [0.1], "0.10000000000000000555"), ("%.02f", [1.0], "1.00"),
        ("%.003f", [1.0], "1.000"), ("%.3f", [float("nan")], "NaN"), ("%.3f", [-float("inf")], "-Infinity"), ("%f", ["NaN"], "NaN"),
        ("%.3e", ["-Infinity"], "-Infinity"), ("%e", [1234.5], "1.234500e+03"), ("%.2e", [1234.5], "1.23e+03"),
        ("%e", [1], "1.000000e+00"), ("%e", [0.0], "0.000000e+00"), ("%e", [1e-100], "1.000000e-100"), ("%e", [float("nan")], "NaN"),
        ("%f", [9007199254740993], "9007199254740992.000000"), ("%x", [255], "ff"), ("%X", [255], "FF"), ("%x", [-255], "-ff"),
        ("%x", ["abc"], "616263"), ("%X", ["jklm"], "6A6B6C6D"), ("%x", [b"\x00\xff"], "00ff"), ("%x", ["é"], "c3a9"),
        ("%x", [-(2**63)], "-8000000000000000"), ("%o", [8], "10"), ("%o", [-8], "-10"), ("%b", [5], "101"), ("%b", [-5], "-101"),
        ("%b", [True], "1"), ("%b", [False], "0"), ("%.2s", [1], "1"), ("a\nb%s\n", ["c"], "a\nbc\n"),
        ("%05d", [42], "00042"), ("%05d", [-42], "-0042"), ("%03d", [12345], "12345"), ("%05d", [7.0], "00007"), ("%5d|", [42], "   42|"), ("%-5d|", [42], "42   |"),
        ("%5s", ["ab"], "   ab"), ("%-5s|", ["ab"], "ab   |"), ("%2s", ["äöü"], "äöü"), ("%3s", ["ß"], "  ß"), ("%8.2f", [1.5], "    1.50"), ("%08.2f", [-1.5], "-0001.50"),
        ("%010.1e", [12345.0], "0001.2e+04"), ("%04x", [255], "00ff"), ("%04X", [255], "00FF"), ("%-4o|", [8], "10  |"), ("%08b", [5], "00000101"), ("%0100d", [1], "1".zfill(100)),
        ("%05d", [float("nan")], "  NaN"), ("%012f", [-float("inf")], "   -Infinity"), ("%05f", ["NaN"], "  NaN"), ("%100s", [""], " " * 100), ("%5s%%", [1], "    1%"),
    ],
    ids=repr,
)  # fmt: skip
def test_format(form: str, items: list[Any], written: str) -> None:
    assert call(".format", form, items) == written


@pytest.mark.parametrize(
    ("form", "items", "says"),
    [
        ("%", [1], "unknown clause"), ("a%", [1], "unknown clause"), ("%q", [1], "unknown clause '%q'"), ("%+d", [1], "unknown clause '%+'"),
        ("%5", [1], "unknown clause '%5'"), ("%05s", ["a"], "unknown clause '%05s'"), ("%-05d", [1], "unknown clause '%-'"), ("%0d", [1], "unknown clause '%0'"), ("%-s", [1], "unknown clause '%-'"),
        ("%5%", [1], "unknown clause '%5%'"), ("%5.", [1], "unknown clause"), ("%٣d", [1], "unknown clause"), ("%101s", ["a"], "width of a clause must be 1 to 100"), ("%-999d", [1], "1 to 100"),
        ("%0" + "9" * 50 + "d", [1], "1 to 100"), ("%5d", ["a"], "not a whole number"),
        ("%\n", [1], "unknown clause"), ("%.3", [1], "unknown clause"), ("%.", [1], "unknown clause"), ("%..3f", [1.0], "unknown clause"),
        ("%.3%", [1], "unknown clause"), ("%s", [], "more clauses than items"), ("%s%s", [1], "more clauses than items, which are 1"),
        ("%s", [1, 2], "1 clauses for 2 items"), ("", [1], "0 clauses for 1 items"), ("%.101f", [1.0], "0 to 100"),
        ("%.f", [1.5], "0 to 100"), ("%." + "9" * 50 + "f", [1.0], "0 to 100"), ("%d", ["a"], "not a whole number"),
        ("%d", [5.5], "not a whole number"), ("%d", [True], "not a whole number"), ("%f", ["a"], "not a number"), ("%f", [None], "not a number"),
        ("%f", [True], "not a number"), ("%e", [[]], "not a number"), ("%f", [10**400], "too large"), ("%x", [1.0], "not a whole number"),
        ("%x", [True], "not a whole number"), ("%x", [None], "not a whole number"), ("%x", ["\ud800"], "surrogate"), ("%o", [True], "not a whole number"),
        ("%o", ["a"], "not a whole number"), ("%b", [None], "not a whole number"), ("%b", [1.0], "not a whole number"), ("%s", [b"\xff"], "UTF-8"),
        ("a", "b", "not a list"), ("%s", None, "not a list"), (1, [], "not a text"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_formatted_is_an_error(form: Any, items: Any, says: str) -> None:
    assert says in refused(".format", form, items)


def test_a_format_cannot_write_without_end() -> None:
    assert "longer than" in refused(".format", "%s" * 100, ["x" * 100_000] * 100)


def test_a_width_costs_fuel() -> None:
    assert cost(".format", "%100s" * 100, [""] * 100) > cost(".format", "%s" * 100, [""] * 100) + 500
    with pytest.raises(OutOfFuel):
        call(".format", "%100s" * 100, [""] * 100, fuel=Fuel(cost(".format", "%100s" * 100, [""] * 100) - 1))
