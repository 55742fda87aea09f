"""What CEL says its values and operators mean, as literal expectations. Macros and functions are beside this file."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cel.given import alike, refusal, value

INPUT = {
    "n": 2, "x": 2.5, "s": "abc", "yes": True, "none": None, "l": [1, 2, 3], "empty": [], "big": 10**20,
    "m": {"a": 1, "nil": None, "if": {"b": [5, 6]}, "odd-name": 7}, "words": ["b", "a"],
    "rows": [{"id": 2, "q": 1.5}, {"id": 1, "q": 2.5}],
}  # fmt: skip
HIGHEST, LOWEST = 2**63 - 1, -(2**63)


def check(source: str, expected: Any) -> None:
    found = value(source, input=INPUT)
    assert alike(found, expected), f"{source} gives {found!r}, not {expected!r}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("null", None), ("null == null", True), ("input.none == null", True), ("null != 0", True),
     ("null == false", False),
     ("null in [1, null]", True), ("input.none == input.m", False)],
)  # fmt: skip
def test_null_is_equal_to_itself_alone(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize("source", ["null < null", "-null", "null + null", "null.x", "null[0]", "input.none.x"])
def test_null_has_no_order_no_sum_and_no_members(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("true", True), ("!true", False), ("!!input.yes", True), ("input.yes == 1", False), ("dyn(false) == 0", False),
     ("input.yes == 1.0", False), ("false < true", True), ("true <= true", True), ("true > true", False),
     ("true != false", True)],
)  # fmt: skip
def test_true_and_false_are_no_numbers(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source", ["input.yes < 1", "input.yes + 1", "-input.yes", "!input.n", "!input.none", "!input.s"]
)
def test_what_is_not_true_or_false_cannot_be_inverted_nor_true_be_counted(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("2 + 3", 5), ("2 - 3", -1), ("2 * 3", 6), ("7 / 2", 3.5), ("-8 / 2", -4), ("8 / -2", -4), ("7 % 3", 1),
     ("-7 % 3", -1),
     ("7 % -3", 1), ("0x1F", 31), ("-0xa", -10), ("- -2", 2), ("--2", 2), ("-(2)", -2),
     ("9223372036854775807", HIGHEST),
     ("-9223372036854775808", LOWEST), ("-9223372036854775808 / 1", LOWEST), ("input.n - 2", 0)],
)  # fmt: skip
def test_a_quotient_is_whole_where_nothing_is_left_and_the_remainder_has_the_sign_of_the_dividend(
    source: str, expected: Any
) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["9223372036854775807 + 1", "-9223372036854775808 - 1", "9223372036854775807 * 2", "-9223372036854775808 / -1",
     "-(-9223372036854775808)",  "-9223372036854775808 * -1",
     "input.n * 9223372036854775807"],
)  # fmt: skip
def test_a_whole_number_beyond_64_bits_is_an_error(source: str) -> None:
    assert "overflow" in refusal(source, input=INPUT)


@pytest.mark.parametrize("source", ["1 / 0", "input.n % 0", "0 / 0", "9223372036854775808", "-9223372036854775809"])
def test_no_division_of_whole_numbers_by_zero_and_no_literal_beyond_64_bits(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("1.5 + 1.5", 3.0), ("0.5 - 1.0", -0.5), (".5", 0.5), ("1e3", 1000.0), ("1E-3", 0.001), ("2.5e+2", 250.0),
     ("7.0 / 2.0", 3.5), ("-1.5", -1.5), ("1e308 * 10.0 == double('Infinity')", True), ("-1e308 * 10.0 < 0.0", True),
     ("double('NaN') == double('NaN')", False), ("double('NaN') != double('NaN')", True),
     ("double('NaN') < 1.0", False),
     ("1.0 <= double('NaN')", False), ("0.0 == -0.0", True), ("0.1 + 0.2 == 0.3", False)],
)  # fmt: skip
def test_numbers_with_a_point_are_ieee_754(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("1 == 1.0", True), ("1 != 1.5", True), ("1 < 1.0", False), ("input.n < 2", False), ("input.n > 2", False),
     ("input.n <= 2.0", True), ("1 < 1.5", True), ("2.5 > 2", True), ("input.x >= input.n", True),
     ("1 + 1.5", 2.5), ("1200 / 7 == 1200.0 / 7", True), ("5.0 % 2", 1), ("-5 % 2.0", -1), ("2.0 * 3", 6.0),
     ("1 / 2.0", 0.5), ("6 / 2.0", 3.0), ("[1, 2] == [1.0, 2.0]", True),
     ("{'a': 1} == {'a': 1.0}", True), ("1.0 in [1]", True), ("input.big > 9223372036854775807", True),
     ("input.big == 1e20", True)],
)  # fmt: skip
def test_whole_numbers_and_numbers_with_a_point_compare_and_mix(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["5.5 % 2", "5 % 0.5", "input.s % 2", "1.0 / 0.0", "0.0 / 0.0", "1 / -0.0", "input.s - 1", "input.s * 2",
     "input.m + input.m", "+1", "1u", "1e400"],
)  # fmt: skip
def test_what_has_no_arithmetic(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("'abc'", "abc"), ('"it\'s"', "it's"), ("'''a 'b' c'''", "a 'b' c"), ('"""a\nb"""', "a\nb"), (r"r'\n'", "\\n"),
     (r'R"\d"', "\\d"),
     (r"'\x41\u00e9\U0001F600\101'", "Aé😀A"), (r"'\a\b\f\n\r\t\v\\\?\"\'\`'", "\a\b\f\n\r\t\v\\?\"'`"), ("''", ""),
     (r"'\x80'", "\x80")],
)  # fmt: skip
def test_texts_are_written_with_quotes_of_four_kinds_and_with_escapes(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["'a", "'a\"", r"'\z'", r"'\u12'", r"'\ud800'", r"'\U00110000'", r"'\400'", r"'\x4'", "'a\nb'", r"b'\u0041'"],
)
def test_texts_that_are_not_well_written(source: str) -> None:
    assert refusal(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("'a' + 'b'", "ab"), ("'a' < 'b'", True), ("input.s < 'abc'", False), ("input.s >= 'abc'", True),
     ("'B' < 'a'", True), ("'z' < 'é'", True), ("'\uffff' < '😀'", True),
     ("'a' <= 'a'", True),
     ("'' < 'a'", True), ("'a' == \"a\"", True), ("'a' == 'A'", False), ("'e\u0301' == '\u00e9'", False),
     ("dyn('1') == 1", False), ("size('a😀')", 2)],
)  # fmt: skip
def test_texts_are_code_points_and_ordered_by_them(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source", ["input.s < 1", "input.s[0]", "input.s + 1", "'b' in input.s", "-input.s", "input.s.x"]
)
def test_texts_are_no_lists_and_no_numbers(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("b'abc'", "YWJj"), (r"b'\xff\377'", "//8="), ("b'é'", "w6k="), (r"br'\n'", "XG4="), ("b'a' + b'b'", "YWI="),
     ("b'a' < b'b'", True),
     ("b'a' == b'a'", True), ("b'a' == dyn('a')", False), ("size(b'é')", 2), ("B''", "")],
)  # fmt: skip
def test_bytes_join_compare_and_leave_as_base64(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("[]", []), ("[1, 'a', null,]", [1, "a", None]), ("[[1], []]", [[1], []]), ("[1] + [2, 3]", [1, 2, 3]),
     ("[1, 2][1]", 2),
     ("input.l[0]", 1), ("input.l[2.0]", 3), ("[1, 2] == [2, 1]", False), ("[1, 2] == [1]", False),
     ("[] == input.l", False), ("[] == []", True), ("2 in input.l", True),
     ("'2' in input.l", False),
     ("4 in input.l", False), ("1 in []", False), ("[1] in [[1]]", True), ("true in [1]", False),
     ("input.rows[1].id", 1)],
)  # fmt: skip
def test_lists_are_made_joined_indexed_and_searched(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["input.l[3]", "input.l[-1]", "input.l[0.5]", "input.l['a']", "input.l[true]", "input.l[null]", "input.l.x",
     "input.l < input.l", "-input.l",
     "input.l - input.l", "input.empty[0]", "input.l + 1", "1 in input.n", "input.l[1", "[1 2]"],
)  # fmt: skip
def test_lists_have_no_other_members_and_no_order(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("{}", {}), ("{'a': 1, 'b': [2],}", {"a": 1, "b": [2]}), ("{'a' + 'b': 1}", {"ab": 1}), ("{'a': 1}.a", 1),
     ("{'a': 1}['a']", 1),
     ("input.m['odd-name']", 7), ("input.m.`odd-name`", 7), ("input.m.if.b[1]", 6), ("input . m . a", 1),
     ("input.m[input.words[1]]", 1),
     ("'a' in input.m", True), ("'z' in input.m", False), ("1 in input.m", False), ("null in input.m", False),
     ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True), ("{'a': 1} == {'a': 2}", False), ("{'a': 1} == {}", False),
     ("{} == input.m", False), ("{'a': 1} == {'b': 1}", False),
     ("{} == dyn([])", False)],
)  # fmt: skip
def test_maps_are_made_read_by_field_or_key_and_searched_by_key(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["input.m.zz", "input.m['zz']", "input.m[0]", "input.m.nil.x", "input.m + input.m", "input.m < input.m",
     "{'a': 1, 'a': 2}",
     "{input.s: 1, 'abc': 2}", "{1: 2}", "{input.n: 1}", "{'a'}", "input.m.in", "{true: 1}", "{null: 1}"],
)  # fmt: skip
def test_maps_refuse_missing_keys_keys_twice_and_keys_that_are_no_texts(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("has(input.n)", True), ("has(input.zz)", False), ("has(input.m.nil)", True), ("has(input.m.zz)", False),
     ("has({'a': 1}.a)", True),
     ("has(input.m.if.b)", True), ("has(input.?zz.y)", False), ("has(input.?m.a)", True),
     ("has(input.m['odd-name'])", True)],
)  # fmt: skip
def test_has_asks_for_the_last_field_whatever_its_value(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["has(input.zz.y)", "has(input.s.x)", "has(input.l.x)", "has(input.none.x)", "has(1)", "has(input)", "has()"],
)
def test_has_needs_a_field_of_an_object(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("optional.of(1).value()", 1), ("optional.of(1).hasValue()", True), ("optional.none().hasValue()", False),
     ("optional.of(null).hasValue()", True),
     ("optional.none().orValue(2)", 2), ("optional.of(1).orValue(1 / 0)", 1),
     ("optional.none().or(optional.of(3)).value()", 3),
     ("optional.of(1).or(optional.of(3)).value()", 1), ("optional.of(1)", 1), ("optional.none()", None),
     ("[optional.none(), 1]", [None, 1]),
     ("optional.of(1) == optional.of(1.0)", True), ("optional.none() == optional.none()", True),
     ("optional.of(1) != optional.none()", True)],
)  # fmt: skip
def test_optionals_hold_a_value_or_none(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("optional.ofNonZeroValue(" + zero + ").hasValue()", False) for zero in ("0", "0.0", "-0.0", "''", "b''", "[]",
     "{}", "null", "false", "duration('0s')")]
    + [("optional.ofNonZeroValue(" + some + ").hasValue()", True) for some in ("1", "-0.5", "' '", "[0]", "true",
    "{'a': 0}")],
)  # fmt: skip
def test_of_non_zero_value_holds_nothing_that_is_empty(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.?n.value()", 2), ("input.?zz.hasValue()", False), ("input.?zz.orValue(1)", 1),
     ("input.?zz.y.z.orValue(1)", 1), ("input.?m.a.value()", 1),
     ("input.?m.?zz.orValue(0)", 0), ("input.?m.if.b[?0].value()", 5), ("input.l[?0].value()", 1),
     ("input.l[?3].hasValue()", False), ("input.l[?-1].hasValue()", False),
     ("input.m[?'a'].value()", 1), ("input.m[?'zz'].hasValue()", False), ("input.?m.nil.hasValue()", True),
     ("input.?none.x.hasValue()", False),
     ("input.none.?x.hasValue()", False), ("input.s.?x.hasValue()", False), ("input?.n.value()", 2),
     ("optional.of({'a': 1}).a.value()", 1),
     ("optional.of([7])[0].value()", 7), ("input.?l[9].hasValue()", False)],
)  # fmt: skip
def test_optional_selection_gives_none_where_there_is_nothing(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("[?input.?n, ?input.?zz, 3]", [2, 3]), ("{?'a': input.?n, ?'b': input.?zz, 'c': 3}", {"a": 2, "c": 3}),
     ("[?optional.none()]", []),
     ("[?optional.of(null)]", [None]), ("optional.of(2).optMap(x, x + 1).value()", 3),
     ("optional.none().optMap(x, x + 1).hasValue()", False),
     ("input.?n.optMap(x, x * 2).orValue(0)", 4), ("input.?zz.optMap(x, 1 / 0).orValue(0)", 0)],
)  # fmt: skip
def test_optional_items_and_entries_are_left_out_and_opt_map_maps_what_is_there(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["optional.none().value()", "optional.none().orValue(1 / 0)", "[?input.n]", "{?'a': input.n}",
    "input.n.orValue(1)", "input.s.hasValue()",
               "optional.none().or(input.n)", "input.zz.?y", "input.n.optMap(x, x)", "optional.of(1) == 1",
     "optional.none() == dyn(null)", "input.?n in [2]"]
)  # fmt: skip
def test_optionals_are_not_mistaken_for_values(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("input.yes ? 1 : 2", 1), ("!input.yes ? 1 : 2", 2), ("true ? 1 : input.zz", 1), ("false ? input.zz : 2", 2),
     ("true ? 1 : false ? 2 : 3", 1),
     ("false ? 1 : false ? 2 : 3", 3), ("input.yes ? input.n : input.s", 2), ("(false ? true : false) ? 1 : 2", 2),
     ("1 < 2 ? 'a' : 'b'", "a")],
)  # fmt: skip
def test_a_ternary_evaluates_one_branch(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    ["input.n ? 1 : 2", "input.none ? 1 : 2", "input.zz ? 1 : 1", "true ? input.zz : 1", "true ? 1", "true ? : 1"],
)
def test_a_ternary_needs_true_or_false_and_both_branches(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("true && true", True), ("true && false", False), ("false || true", True), ("false || false", False),
     ("input.yes && !input.yes || input.yes", True)]
    + [(f"{error} && false", False) for error in ("input.zz", "input.n", "input.none", "1 / 0 > 1", "input.s",
    "input.l[9]", "input.s < 1")]
    + [(f"false && {error}", False) for error in ("input.zz", "input.n", "input.none", "1 / 0 > 1")]
    + [(f"{error} || true", True) for error in ("input.zz", "input.n", "input.none", "1 / 0 > 1", "input.s",
    "input.l[9]", "input.s < 1")]
    + [(f"true || {error}", True) for error in ("input.zz", "input.n", "input.none", "1 / 0 > 1")]
    + [("input.zz || input.n || true", True), ("input.zz && true && false", False), ("!(input.zz || true)", False),
    ("!input.zz || true", True),
       ("true && (input.zz || true)", True), ("(input.zz && false) || false", False), ("[input.zz || true]", [True])],
)  # fmt: skip
def test_and_and_or_absorb_an_error_on_either_side(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize(
    "source",
    [f"{error} {rest}" for error in ("input.zz", "input.n", "input.none", "1 / 0 > 1") for rest in ("&& true",
     "|| false", "&& input.zz", "|| input.zz")]
    + [f"{rest} {error}" for error in ("input.zz", "input.n", "input.none", "1 / 0 > 1") for rest in ("true &&",
    "false ||")]
    + ["(input.zz && true) || false", "input.zz == input.zz", "[input.zz] == []"],
)  # fmt: skip
def test_an_error_that_the_other_side_does_not_settle_is_raised(source: str) -> None:
    assert refusal(source, input=INPUT)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 2 - 3", 5), ("100 / 10 / 5", 2), ("2 * 7 % 4", 2), ("-1 + 2", 1),
     ("1 - -1", 2), ("1--1", 2),
     ("true || false && false", True), ("1 < 2 == true", True), ("1 + 1 == 2 && 2 > 1", True),
     ("1 in [1] == true", True), ("!true == false", True),
     ("-input.m.a", -1), ("!input.m.nil || true", True), ("1 // comment\n + 2", 3), ("((1))", 1), ("-2.5 + 3.0", 0.5),
     ("1 == 1 == true", True)],
)  # fmt: skip
def test_operators_bind_as_cel_says_and_to_the_left(source: str, expected: Any) -> None:
    check(source, expected)


@pytest.mark.parametrize("source",
["1 < 2 < 3", "a", "nope(1)", "'a'.nope()", "contains('a', 'a')", "size()", "size('a', 1)", "type(1)", "int",
                                    "T{}", ".input", "input.", "", "()", "1 +", "a b", "in", "for", "[1](0)",
                                    "input..n", "1 == "])  # fmt: skip
def test_what_is_not_in_the_language(source: str) -> None:
    assert refusal(source, input=INPUT)
