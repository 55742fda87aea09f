"""What CEL says its functions give, as literal expectations. The language is beside this file."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.unit.cel.given import alike, refusal, value

INPUT = {
    "n": 2, "x": 2.5, "s": "abc", "l": [3, 1, 2], "m": {"b": 1, "a": 2}, "none": None,
    "when": "2026-02-28T23:59:58.789Z",
    "nested": [1, [2, [3, [4]]]], "empty": [],
}  # fmt: skip
HIGHEST, LOWEST = 2**63 - 1, -(2**63)


def check(source: str, expected: Any) -> None:
    found = value(source, input=INPUT)
    assert alike(found, expected), f"{source} gives {found!r}, not {expected!r}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("size('a😀')", 2), ("'abc'.size()", 3), ("size([1, [2, 3]])", 2), ("[].size()", 0), ("size({'a': 1})", 1),
     ("input.m.size()", 2), ("size(b'é')", 2), ("b''.size()", 0)],
)  # fmt: skip
def test_size(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("'abc'.contains('b')", True), ("'abc'.contains('')", True), ("'abc'.contains('d')", False),
     ("'abc'.startsWith('ab')", True), ("'abc'.startsWith('b')", False),
     ("'abc'.endsWith('bc')", True), ("'abc'.endsWith('')", True), ("'abc'.matches('^a.c$')", True),
     ("'abc'.matches('b')", True), ("'abc'.matches('^b')", False),
     ("matches('abc', '[0-9]')", False), ("'a\\nb'.matches('a.b')", False), ("'ABC'.matches('(?i)abc')", True),
     ("'é'.matches('^.$')", True)],
)  # fmt: skip
def test_texts_are_searched(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("'a,b,c'.split(',')", ["a", "b", "c"]), ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
     ("'a,b,c'.split(',', 1)", ["a,b,c"]), ("'a,b,c'.split(',', 0)", []),
     ("'a,b,c'.split(',', -1)", ["a", "b", "c"]), ("'abc'.split('')", ["a", "b", "c"]), ("''.split(',')", [""]),
     ("'a,'.split(',')", ["a", ""]),
     ("['a', 'b'].join()", "ab"), ("['a', 'b'].join('-')", "a-b"), ("[].join('-')", ""),
     ("['a', 1, true, 2.0].join(' ')", "a 1 true 2")],
)  # fmt: skip
def test_texts_are_split_and_joined(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("' a\\t\\n'.trim()", "a"), ("'\\u00a0a\\u2003'.trim()", "a"), ("'\\u200ba'.trim()", "\u200ba"),
     ("'aÉB'.lowerAscii()", "aÉb"), ("'aéß'.upperAscii()", "Aéß"),
     ("'aaa'.replace('a', 'b')", "bbb"), ("'aaa'.replace('a', 'b', 2)", "bba"), ("'aaa'.replace('a', 'b', 0)", "aaa"),
     ("'aaa'.replace('a', 'b', -1)", "bbb"),
     ("'abc'.replace('', '-')", "-a-b-c-"), ("'abc'.replace('b', '')", "ac"), ("'é😀'.reverse()", "😀é"),
     ("''.reverse()", "")],
)  # fmt: skip
def test_texts_are_changed(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("'abc'.substring(1)", "bc"), ("'abc'.substring(1, 2)", "b"), ("'abc'.substring(3)", ""),
     ("'a😀b'.substring(1, 2)", "😀"), ("'abc'.substring(1, 1)", ""),
     ("'abc'.charAt(0)", "a"), ("'abc'.charAt(3)", ""), ("'a😀b'.charAt(2)", "b"), ("'abcb'.indexOf('b')", 1),
     ("'abcb'.indexOf('b', 2)", 3), ("'abc'.indexOf('z')", -1),
     ("'abc'.indexOf('')", 0), ("'abc'.indexOf('', 3)", 3), ("'a😀b'.indexOf('b')", 2), ("'abcb'.lastIndexOf('b')", 3),
     ("'abcb'.lastIndexOf('b', 2)", 1),
     ("'abcb'.lastIndexOf('b', 0)", -1), ("'abc'.lastIndexOf('')", 3)],
)  # fmt: skip
def test_positions_in_texts_count_code_points(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["'abc'.substring(4)", "'abc'.substring(-1)", "'abc'.substring(2, 1)", "'abc'.substring(0, 4)", "'abc'.charAt(4)",
     "'abc'.charAt(-1)", "'abc'.indexOf('b', -1)",
     "'abc'.indexOf('b', 4)", "'abc'.lastIndexOf('b', -1)", "'abc'.lastIndexOf('b', 4)", "'abc'.contains(1)",
     "'abc'.startsWith(input.n)", "input.n.trim()",
     "'abc'.matches('(')", "'abc'.matches(input.s)", "'abc'.split()", "'abc'.split(input.n)", "'abc'.replace('a')",
     "input.l.join(1)", "[null].join()", "[[1]].join()",
     "size(input.n)", "size(null)", "input.none.size()", "'abc'.substring('1')", "'abc'.charAt(0.5)", "'abc'.trim(1)",
     "input.l.contains()"],
)  # fmt: skip
def test_what_text_functions_refuse(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("'%s and %d'.format(['a', 1])", "a and 1"), ("'%s'.format([true])", "true"), ("'%s'.format([null])", "null"),
     ("'%s'.format([1.5])", "1.5"), ("'%s'.format([10.0])", "10"),
     ("'%s'.format([[1, 'a']])", '[1,"a"]'), ("'%s'.format([{'a': null}])", '{"a":null}'),
     ("'%s'.format([timestamp(0)])", "1970-01-01T00:00:00Z"), ("'%s'.format([duration('90m')])", "5400s"),
     ("'%d%%'.format([-50])", "-50%"), ("'%f'.format([1.5])", "1.500000"), ("'%f'.format([1])", "1.000000"),
     ("'%.0f'.format([2.5])", "2"), ("'%.2f'.format([-0.001])", "-0.00"),
     ("'%.20f'.format([0.1])", "0.10000000000000000555"), ("'%e'.format([1234.5])", "1.234500e+03"),
     ("'%.2e'.format([0.0])", "0.00e+00"), ("'%f'.format([double('NaN')])", "NaN"),
     ("'%e'.format([-double('Infinity')])", "-Infinity"), ("'%x %X'.format([255, 255])", "ff FF"),
     ("'%x'.format([-255])", "-ff"), ("'%x'.format(['é'])", "c3a9"), ("'%X'.format([b'\\xff'])", "FF"),
     ("'%o'.format([8])", "10"), ("'%b %b'.format([5, true])", "101 1"), ("'no clause'.format([])", "no clause"),
     ("'%s'.format(['%d'])", "%d"),
     ("'%5d|%-4s|%03d'.format([1, 'é', -7])", "    1|é   |-07"), ("'%7.2f|%2s'.format([1.5, 'abc'])", "   1.50|abc")],
)  # fmt: skip
def test_format(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["'%d'.format(['a'])", "'%d'.format([1.5])", "'%d'.format([])", "'%d'.format([1, 2])", "'%'.format([])",
     "'%q'.format([1])", "'%101d'.format([1])", "'%05s'.format(['a'])", "'%x'.format([1.5])", "'%b'.format([1.0])",
     "'%f'.format(['a'])", "'%f'.format([true])", "'%e'.format([null])", "'%s'.format('a')", "'%s'.format()",
     "'%.101f'.format([1.0])", "'%.f'.format([1.0])", "'%o'.format([true])"],
)  # fmt: skip
def test_what_format_refuses(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.l.sort()", [1, 2, 3]), ("['b', 'a'].sort()", ["a", "b"]), ("[2, 1.5, 1].sort()", [1, 1.5, 2]),
     ("[true, false].sort()", [False, True]), ("[].sort()", []),
     ("[timestamp(1), timestamp(0)].sort()[0] == timestamp(0)", True),
     ("[duration('2s'), duration('1s')].sort()", ["1s", "2s"]), ("[b'b', b'a'].sort()", ["YQ==", "Yg=="]),
     ("input.l.reverse()", [2, 1, 3]), ("input.l.slice(1, 3)", [1, 2]), ("input.l.slice(1, 1)", []),
     ("input.l.slice(0, 3)", [3, 1, 2]),
     ("input.l.first().value()", 3), ("input.l.last().value()", 2), ("[].first().hasValue()", False),
     ("[].last().orValue(0)", 0)],
)  # fmt: skip
def test_lists_are_ordered_and_cut(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.l.sum()", 6), ("[1, 0.5].sum()", 1.5), ("[].sum()", 0),
     ("[duration('1m'), duration('30s')].sum()", "90s"), ("input.l.min()", 1), ("input.l.max()", 3),
     ("['b', 'a'].min()", "a"), ("[1, 2.5].max()", 2.5), ("[1, 1.0, true, '1', 1].distinct()", [1, True, "1"]),
     ("[[1], [1.0], {}, {}].distinct()", [[1], {}]),
     ("[null, null, false].distinct()", [None, False]), ("[].distinct()", []),
     ("input.nested.flatten()", [1, 2, [3, [4]]]), ("input.nested.flatten(2)", [1, 2, 3, [4]]),
     ("input.nested.flatten(0)", [1, [2, [3, [4]]]]), ("input.nested.flatten(9)", [1, 2, 3, 4]),
     ("[].flatten()", [])],
)  # fmt: skip
def test_lists_are_summed_up(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.l.contains(1)", True), ("input.l.contains(1.0)", True), ("input.l.contains(true)", False),
     ("[1, 2, 1].indexOf(1)", 0), ("[1, 2, 1].lastIndexOf(1)", 2),
     ("input.l.indexOf(9)", -1), ("[].lastIndexOf(null)", -1), ("input.m.contains('a')", True),
     ("input.m.contains('z')", False), ("[[1]].indexOf([1.0])", 0)],
)  # fmt: skip
def test_lists_and_maps_are_searched(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["[1, 'a'].sort()", "[null].sort()", "[[1], [0]].sort()", "[1, true].sort()", "[].min()", "[].max()",
     "[1, 'a'].max()", "['a', 'b'].sum()", "[1, duration('1s')].sum()", "[null].sum()",
     "[9223372036854775807, 1].sum()", "input.l.slice(1, 5)", "input.l.slice(-1, 2)", "input.l.slice(2, 1)",
     "input.l.slice(1)", "input.nested.flatten(-1)", "input.s.sort()", "input.m.sum()",
     "input.n.first()", "input.m.reverse()", "input.n.distinct()", "input.l.sort(1)"],
)  # fmt: skip
def test_what_list_functions_refuse(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("math.round(2.5)", 3), ("math.round(-2.5)", -3), ("math.round(0.49999999999999994)", 0),
     ("math.round(-0.4)", 0), ("math.round(input.n)", 2), ("math.ceil(1.1)", 2),
     ("math.ceil(-0.5)", 0), ("math.floor(-1.1)", -2), ("math.floor(3)", 3), ("math.trunc(-1.9)", -1),
     ("math.abs(-1)", 1), ("math.abs(-1.5)", 1.5), ("math.sign(-9)", -1), ("math.sign(0)", 0),
     ("math.sign(0.0)", 0.0), ("math.sign(-2.5)", -1.0), ("math.greatest(1, 2, 3)", 3),
     ("math.greatest(1, 2.5)", 2.5), ("math.greatest(input.l)", 3), ("math.greatest(7)", 7),
     ("math.least(1, 2.5)", 1), ("math.least([2.5, 1.5])", 1.5), ("math.least(-0.5, 3, -1)", -1),
     ("math.isNaN(double('NaN'))", True), ("math.isNaN(1.0)", False), ("math.isInf(-double('Infinity'))", True),
     ("math.isInf(1.0)", False), ("math.isFinite(1.0)", True), ("math.isFinite(double('Infinity'))", False),
     ("math.round(1e300)", 1e300), ("math.isNaN(math.sign(double('NaN')))", True)],
)  # fmt: skip
def test_math(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["math.abs(-9223372036854775808)", "math.round('1')", "math.abs(input.none)", "math.greatest()",
     "math.greatest([])", "math.greatest(input.empty)", "math.greatest('a', 'b')", "math.least(['a'])",
     "math.sign(true)", "math.isNaN('a')", "math.ceil(1, 2)", "math.nope(1)", "math.greatest(1, input.s)", "math"],
)  # fmt: skip
def test_what_math_refuses(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("string(12)", "12"), ("string(-0)", "0"), ("string(true)", "true"), ("string('a')", "a"),
     ("string(b'\\xc3\\xa9')", "é"), ("string(10.0)", "10"), ("string(1e21)", "1e+21"), ("string(0.1)", "0.1"),
     ("string(1e-7)", "1e-7"), ("string(123456789.5)", "123456789.5"), ("string(double('NaN'))", "NaN"),
     ("string(-double('Infinity'))", "-Infinity"), ("string([1, 'a', 1.5])", '[1,"a",1.5]'),
     ("string({'a': [null]})", '{"a":[null]}'),
     ("string(timestamp('2026-01-31T12:00:00.5Z'))", "2026-01-31T12:00:00.5Z"),
     ("string(duration('-1.5s'))", "-1.5s"), ("string(duration('1h'))", "3600s"),
     ("string(9223372036854775807)", "9223372036854775807")],
)  # fmt: skip
def test_string(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("int('12')", 12), ("int('-12')", -12), ("int('+12')", 12), ("int('007')", 7),
     ("int('-9223372036854775808')", LOWEST), ("int(1.9)", 1), ("int(-1.9)", -1), ("int(7)", 7),
     ("int(9223372036854774784.0)", 9223372036854774784), ("int(timestamp('1970-01-01T00:01:00.9Z'))", 60),
     ("int(timestamp('1969-12-31T23:59:59.5Z'))", -1), ("double(1)", 1.0), ("double(1.5)", 1.5),
     ("double('1.5e3')", 1500.0), ("double('-.5')", -0.5), ("math.isNaN(double('NaN'))", True),
     ("bool('true')", True), ("bool('True')", True), ("bool('TRUE')", True), ("bool('t')", True), ("bool('1')", True),
     ("bool('false')", False), ("bool('f')", False), ("bool('0')", False), ("bool(true)", True),
     ("bytes('é')", "w6k="), ("bytes(b'a')", "YQ=="), ("dyn(1) == 1.0", True), ("dyn([1])", [1])],
)  # fmt: skip
def test_int_double_bool_bytes_and_dyn(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["int('')", "int('0x1f')", "int('1_000')", "int('1.5')", "int('-')", "int('\\uff11')",
     "int('9223372036854775808')", "int(1e19)", "int(double('NaN'))", "int(double('Infinity'))", "int(null)",
     "int([1])",
     "int(true)",
     "int(duration('1s'))", "double('')", "double('1_0')", "double('a')", "double(true)", "double(null)",
     "bool('yes')", "bool('')", "bool(1)", "bool('tRue')", "bytes(1)", "string(b'\\xff')",
     "string(b'\\xed\\xa0\\x80')", "string()", "int('1', 2)", "dyn()"],
)  # fmt: skip
def test_what_conversions_refuse(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("base64.encode(b'ab')", "YWI="), ("base64.encode('é')", "w6k="), ("base64.encode(b'')", ""),
     ("base64.decode('YWI=')", "YWI="), ("string(base64.decode('YWI='))", "ab"),
     ("string(base64.decode('YWI'))", "ab"),
     ("base64.decode(base64.encode(b'\\xff\\x00')) == b'\\xff\\x00'", True),
     ("hash.sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
     ("hash.sha256(b'abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
     ("hash.sha256('é') == hash.sha256(b'é')", True)],
)  # fmt: skip
def test_base64_and_sha256(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["base64.decode('!')", "base64.decode('a')", "base64.decode(b'YQ==')", "base64.encode(1)",
    "base64.decode('-_-_')", "hash.sha256(1)", "hash.md5('a')", "base64.encode()"]
)  # fmt: skip
def test_what_encodings_refuse(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("coalesce(input.none, 1)", 1), ("coalesce(1, 1 / 0)", 1), ("coalesce(null, input.?zz, 'a')", "a"),
     ("coalesce(input.?n, 3)", 2), ("coalesce(input.none, null)", None), ("coalesce(false, true)", False),
     ("coalesce(0, 1)", 0), ("coalesce(input.?zz.y, input.?none, [])", [])],
)  # fmt: skip
def test_coalesce_gives_the_first_that_is_there_and_not_null(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize("source", ["coalesce()", "coalesce(input.zz, 1)", "coalesce(null, 1 / 0)"])
def test_coalesce_does_not_hide_errors(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    "function",
    [
        "math.round",
        "math.abs",
        "size",
        "string",
        "int",
        "base64.encode",
        "hash.sha256",
        "timestamp",
        "duration",
        "optional.of",
    ],
)
def test_an_error_in_an_operand_is_the_error_of_the_call(function: str) -> None:
    assert "zz" in refusal(f"{function}(input.zz)", input=INPUT)


def test_nan_and_infinity_are_values_while_the_expression_runs() -> None:
    assert value("[double('NaN')].map(x, math.isNaN(x))") == [True]
    assert value("math.least(double('Infinity'), 5.0)") == 5.0
    assert math.isfinite(value("1.0 / double('Infinity')"))
