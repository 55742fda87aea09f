"""Where our language departs from Google's implementation, and why. docs/expressions.md says the same.

Every example is evaluated by both, so that a difference that has gone is noticed. Generated expressions keep away from
these, and so do the cases of cases.cel.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Error(NamedTuple):
    """Stands for any error."""


class Difference(NamedTuple):
    """One difference: its name, the reason, and examples of (expression, what ours gives, what theirs gives)."""

    name: str
    reason: str
    examples: tuple[tuple[str, Any, Any], ...]


ERROR = Error()

DIFFERENCES = (
    Difference(
        "mixed arithmetic",
        "JSON has one kind of number: whole numbers and numbers with a point may be added, and give one with a point.",
        (("1 + 1.5", 2.5, ERROR), ("3 * 0.5", 1.5, ERROR), ("5 / 2.0", 2.5, ERROR), ("1.0 - 1", 0.0, ERROR)),
    ),
    Difference(
        "division",
        "1200 and 1200.0 are one number in JSON: a quotient is whole where nothing is left, and 0 divides nothing.",
        (
            ("7 / 2", 3.5, 3),
            ("-7 / 2", -3.5, -3),
            ("1.0 / 0.0 > 1.0", ERROR, True),
            ("0.0 / 0.0 == 0.0", ERROR, False),
        ),
    ),
    Difference(
        "whole numbers however they are written",
        "2.0 is as good a place, a number of seconds or a divisor as 2.",
        (
            ("5.0 % 2.0", 1, ERROR),
            ("-9223372036854775808 % -1", 0, ERROR),
            ("'abc'.substring(1.0)", "bc", ERROR),
            ("'abc'.charAt(0.0)", "a", ERROR),
            ("input.l.slice(0, 2.0)", [1, 2], ERROR),
            ("input.l[?0.0].hasValue()", True, ERROR),
            ("timestamp(1.0)", "1970-01-01T00:00:01Z", ERROR),
            ("lists.range(2.0)", [0, 1], ERROR),
        ),
    ),
    Difference(
        "exact comparison",
        "A whole number and a number with a point compare by their value, not after rounding the first.",
        (
            ("9007199254740993 == 9007199254740992.0", False, True),
            ("9007199254740993 > 9007199254740992.0", True, False),
            ("9223372036854775807 < 9223372036854775808.0", True, False),
        ),
    ),
    Difference(
        "no unsigned numbers",
        "JSON has none.",
        (("1u == 1u", ERROR, True), ("uint(1) == uint(1)", ERROR, True)),
    ),
    Difference(
        "no types as values",
        "A process has no use for them.",
        (("type(1) == type(2)", ERROR, True), ("type(1) == int", ERROR, True)),
    ),
    Difference("no leading dot", "There are no packages to leave.", ((".input.n", ERROR, 2),)),
    Difference(
        "finite literals",
        "A literal that is no finite number is a slip.",
        (("1e400 > 1.0", ERROR, True),),
    ),
    Difference(
        "keys are texts",
        "Maps become JSON objects.",
        (("{1: 2}.size()", ERROR, 1), ("{true: 1}.size()", ERROR, 1), ("{input.n: 1}.size()", ERROR, 1)),
    ),
    Difference(
        "any value may be sought among keys",
        "What is no text is no key: that is an answer, not an error.",
        (("null in {'a': 1}", False, ERROR), ("now in input.m", False, ERROR), ("[1] in {}", False, ERROR)),
    ),
    Difference(
        "has takes a key in brackets",
        "a.b and a['b'] are one thing, and many keys are no names.",
        (("has(input['n'])", True, ERROR), ("has(input.m['odd-name'])", True, ERROR)),
    ),
    Difference(
        "optional selection is lenient",
        "Where data may be missing, an object may as well be null or something else: .? gives none there.",
        (
            ("input.none.?a.hasValue()", False, ERROR),
            ("input.s.?a.hasValue()", False, ERROR),
            ("input.?l.a.hasValue()", False, ERROR),
            ("input.?none.a.b.hasValue()", False, ERROR),
            ("input.none[?0].hasValue()", False, ERROR),
            ("input.s[?0].hasValue()", False, ERROR),
        ),
    ),
    Difference(
        "optionals equal no values",
        "It would silently be false, where orValue was forgotten.",
        (
            ("optional.of(1) == dyn(1)", ERROR, False),
            ("optional.none() == null", ERROR, False),
            ("input.n == dyn(input.?n)", ERROR, False),
            ("[input.?n] == [2]", ERROR, False),
            ("input.n in [input.?n]", ERROR, False),
        ),
    ),
    Difference(
        "no errors inside optionals",
        "Theirs holds the error in the optional, as a value.",
        (("input.?l[9].hasValue()", False, True), ("optional.of(1)['a'].hasValue()", False, True)),
    ),
    Difference(
        "join writes scalars",
        "Numbers and booleans join as texts do.",
        (("[1, 2.5, true, 'a'].join('-')", "1-2.5-true-a", ERROR),),
    ),
    Difference(
        "rounding gives whole numbers",
        "Strict receivers refuse 4050.0 for an integer. What does not fit 64 bits stays as it is.",
        (
            ("math.round(40.5 * 100.0)", 4050, 4050.0),
            ("math.round(2.5)", 3, 3.0),
            ("math.ceil(-0.5)", 0, -0.0),
            ("math.floor(-1.1)", -2, -2.0),
            ("math.trunc(1.9)", 1, 1.0),
            ("math.round(1)", 1, ERROR),
            ("math.ceil(1)", 1, ERROR),
            ("math.floor(-1)", -1, ERROR),
            ("math.trunc(1)", 1, ERROR),
            ("math.isNaN(1)", False, ERROR),
            ("math.isInf(1)", False, ERROR),
            ("math.isFinite(1)", True, ERROR),
        ),
    ),
    Difference(
        "string of everything",
        "Lists and maps become JSON.",
        (
            ("string([1, 'a'])", '[1,"a"]', ERROR),
            ("string({'a': 1})", '{"a":1}', ERROR),
        ),
    ),
    Difference(
        "numbers as texts",
        "A number with a point is written as JavaScript writes it.",
        (
            ("string(1234567.0)", "1234567", "1.234567e+06"),
            ("string(1e-7)", "1e-7", "1e-07"),
            ("string(double('NaN'))", "NaN", "nan"),
            ("string(double('Infinity'))", "Infinity", "inf"),
            ("string(-0.0)", "0", "-0"),
        ),
    ),
    Difference(
        "fractions of seconds as texts",
        "No more digits than needed.",
        (
            ("string(timestamp('2026-01-31T12:00:00.5Z'))", "2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.500Z"),
            ("string(duration('1.5s'))", "1.5s", "1.500s"),
        ),
    ),
    Difference(
        "microseconds",
        "Times have six digits after the second; finer ones are cut.",
        (
            ("duration('1500ns') == duration('1us')", True, False),
            ("timestamp('2026-01-31T12:00:00.123456789Z') == timestamp('2026-01-31T12:00:00.123456Z')", True, False),
        ),
    ),
    Difference(
        "no leap seconds",
        "A minute has sixty seconds.",
        (("timestamp('2026-01-31T23:59:60Z')", ERROR, "2026-02-01T00:00:00Z"),),
    ),
    Difference(
        "RFC 3339 to the letter",
        "An offset has its colon, there is nothing around a timestamp, and a space may stand for the T.",
        (
            ("timestamp('2026-01-31T12:00:00+0200')", ERROR, "2026-01-31T10:00:00Z"),
            ("timestamp(' 2026-01-31T12:00:00Z')", ERROR, "2026-01-31T12:00:00Z"),
            ("timestamp('2026-01-31 12:00:00Z')", "2026-01-31T12:00:00Z", ERROR),
        ),
    ),
    Difference(
        "offsets of zones have two digits each",
        "Theirs add up whatever is there.",
        (("timestamp(0).getHours('123:00')", ERROR, 3), ("timestamp(0).getMinutes('1:100')", ERROR, 40)),
    ),
    Difference(
        "durations beyond 292 years",
        "Theirs count nanoseconds in 64 bits.",
        (
            ("timestamp('9999-01-01T00:00:00Z') - timestamp('1999-01-01T00:00:00Z')", "252455616000s", ERROR),
            ("duration('9223372036s') + duration('1s')", "9223372037s", ERROR),
        ),
    ),
    Difference(
        "true is no number",
        "Their checker refuses it too, but not where the kind is known at run time only.",
        (("int(dyn(true))", ERROR, 1),),
    ),
    Difference(
        "durations of seconds",
        "Data often has a number of seconds.",
        (("duration(90)", "90s", ERROR), ("duration(1.5)", "1.5s", ERROR)),
    ),
    Difference(
        "days and clocks of a zone",
        "Processes wait for the morning and for the end of the month.",
        (
            ("timestamp(0).at('09:00', 'Europe/Vienna')", "1970-01-01T08:00:00Z", ERROR),
            ("timestamp(0).plus('P1M', 'Europe/Vienna')", "1970-02-01T00:00:00Z", ERROR),
            ("timestamp(0).date('Europe/Vienna')", "1970-01-01", ERROR),
            ("timestamp('1970-01-01', 'Europe/Vienna')", "1969-12-31T23:00:00Z", ERROR),
        ),
    ),
    Difference(
        "coalesce",
        "The first value that is there.",
        (("coalesce(input.none, 1)", 1, ERROR), ("coalesce(input.?zz, input.n)", 2, ERROR)),
    ),
    Difference(
        "sort mixes numbers",
        "Whole numbers and numbers with a point have one order; what is no number has no place in it.",
        (
            ("[2, 1.5].sort()", [1.5, 2], ERROR),
            ("[2.5, 1].sortBy(x, x)", [1, 2.5], ERROR),
            ("[1.0, double('NaN')].sort().size()", ERROR, 2),
        ),
    ),
    Difference(
        "sums, bounds and searches of lists",
        "Processes need them.",
        (
            ("[1, 2].sum()", 3, ERROR),
            ("[1, 2].min()", 1, ERROR),
            ("[1, 2].max()", 2, ERROR),
            ("[1, 2].contains(2)", True, ERROR),
            ("{'a': 1}.contains('a')", True, ERROR),
            ("[1, 2].indexOf(2)", 1, ERROR),
            ("[1, 2].lastIndexOf(3)", -1, ERROR),
            ("{'a': 1}.merge({'b': 2})", {"a": 1, "b": 2}, ERROR),
        ),
    ),
    Difference(
        "digests, and texts as base64",
        "Requests are signed with them.",
        (
            ("hash.sha256('a').size()", 64, ERROR),
            ("base64.encode('a')", "YQ==", ERROR),
        ),
    ),
    Difference(
        "exists_one and existsOne are one",
        "Theirs take one name with one variable and the other with two.",
        (
            ("[1, 2].existsOne(x, x > 1)", True, ERROR),
            ("[1, 2].exists_one(i, v, v > 1)", True, ERROR),
        ),
    ),
    Difference(
        "substring up to the end",
        "In this release theirs refuses an end that is the size.",
        (("'abc'.substring(1, 3)", "bc", ERROR), ("'abc'.substring(0, 3)", "abc", ERROR)),
    ),
    Difference(
        "faults are found at publish",
        "What can only fail, or never be equal, is refused before it runs, even where it would not have been reached.",
        (
            ("true || null < 1", ERROR, True),
            ("true || {'a': 1, 'a': 2} == {}", ERROR, True),
            ("true || 'a'.matches('(')", ERROR, True),
            ("[2, 1].sort() == 1", ERROR, False),
        ),
    ),
    Difference(
        "variables hide no roots",
        "Whoever reads input.l.map(input, ...) is misled.",
        (("input.l.map(input, input)", ERROR, [1, 2, 3]), ("cel.bind(input, 1, input)", ERROR, 1)),
    ),
    Difference(
        "a key twice is an error like others",
        "Theirs gives up the whole expression; ours is absorbed by && and ||.",
        (("true || {input.s: 1, 'abc': 2} == {}", True, True), ("{input.s: 1, 'abc': 2} == {} || true", True, ERROR)),
    ),
    Difference(
        "a list of no numbers has no greatest",
        "Theirs sees it in a literal; ours when it runs, so that && and || absorb it.",
        (("true || math.greatest([]) > 0", True, ERROR),),
    ),
    Difference(
        "two signs check their operand",
        "Theirs drop two minus signs or two exclamation marks in a row, whatever follows.",
        (("--input.yes", ERROR, True), ("!!input.n", ERROR, 2)),
    ),
    Difference(
        "variables after an all that stopped early",
        "In this release theirs takes the item that all or exists stopped at for the value of a later cel.bind.",
        (
            ("[[1, 2].all(x, x > 1), cel.bind(y, 5, y) == 5]", [False, True], [False, False]),
            ("[1, 2].exists(x, x > 0) ? cel.bind(y, 5, y) : 0", 5, 2),
            ("[[1, 2].all(x, x > 1), optional.of(5).optMap(y, y).value() == 5]", [False, True], [False, False]),
        ),
    ),
    Difference(
        "maps from maps",
        "Theirs lacks them in this release.",
        (
            ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}, ERROR),
            ("{'a': 'b'}.transformMapEntry(k, v, {v: k})", {"b": "a"}, ERROR),
        ),
    ),
    Difference(
        "patterns are literals",
        "They are compiled when the process is published.",
        (("'abc'.matches(input.s)", ERROR, True), ("'abc'.matches('a' + 'b')", ERROR, True)),
    ),
    Difference(
        "format is strict",
        "As many arguments as clauses; whole numbers for %d; at most 100 digits.",
        (
            ("'%d'.format([1, 2])", ERROR, "1"),
            ("'%d'.format([1.5])", ERROR, "1.500000"),
            ("'%d'.format([1.0])", "1", "1.000000"),
            ("'%.101f'.format([1.0]).size()", ERROR, 103),
        ),
    ),
    Difference(
        "format has widths",
        "Partners want columns and leading zeros.",
        (
            ("'%5d|'.format([1])", "    1|", ERROR),
            ("'%-3s|'.format(['a'])", "a  |", ERROR),
            ("'%05.1f'.format([-2.5])", "-02.5", ERROR),
        ),
    ),
    Difference(
        "extensions that are not there",
        "Roots, bits, quoted texts and further ways through optionals wait until a process needs them.",
        (
            ("math.sqrt(4.0)", ERROR, 2.0),
            ("math.bitAnd(3, 2)", ERROR, 2),
            ("math.bitShiftLeft(1, 2)", ERROR, 4),
            ("strings.quote('a')", ERROR, '"a"'),
            ("input.?n.optFlatMap(x, optional.of(x)).orValue(0)", ERROR, 2),
            ("[input.?n].unwrapOpt()", ERROR, [2]),
            ("optional.unwrap([input.?n])", ERROR, [2]),
        ),
    ),
    Difference(
        "format writes JSON",
        "%s writes lists, maps and times as string() does.",
        (
            ("'%s'.format([[1, 'a']])", '[1,"a"]', "[1, a]"),
            ("'%s'.format([{'a': null}])", '{"a":null}', "{a: null}"),
            ("'%s'.format([duration('1.5s')])", "1.5s", "1.500s"),
        ),
    ),
)
