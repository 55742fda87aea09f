"""docs/expressions.md: macros, functions, structured conditions, limits and differences, from where each is written down.

What stands here by hand is an example for each with what it comes to; `test_expressions` runs them all.
"""

from __future__ import annotations

import json
from typing import Any

from engine.cel import checker, compile_condition, fuel, grammar, limits, linear, structured
from engine.cel.library import FUNCTIONS, MACROS, METHODS, Function
from engine.core.values import MAX_DEPTH, MEBIBYTE
from tests.docs.made.markdown import code, table
from tests.oracle.differences import DIFFERENCES, ERROR

Examples = dict[str, tuple[str, str]]  # name → expression, result; names of methods begin with a dot

KINDS = {"map": "object", "bool": "boolean", "any": "value"}  # the other kinds are called what they are

SHARED: Examples = {
    ".size": ('["Grüße".size(), [1, 2].size(), {"a": 1}.size()]', "[5, 2, 1]"),
    "size": ('size("Grüße")', "5"),
    ".contains": ('["A-17".contains("-1"), [1, 2].contains(2.0), {"a": 1}.contains("a")]', "[true, true, true]"),
    ".indexOf": ('["banana".indexOf("an", 2), ["a", "b"].indexOf("c")]', "[3, -1]"),
    ".lastIndexOf": ('["banana".lastIndexOf("an"), [7, 8, 7].lastIndexOf(7)]', "[3, 2]"),
    ".reverse": ('["abc".reverse(), [1, 2].reverse()]', '["cba", [2, 1]]'),
    ".merge": ('{"a": 1, "b": 1}.merge({"b": 2})', '{"a": 1, "b": 2}'),
}
TEXTS: Examples = {
    ".startsWith": ('"A-17".startsWith("A-")', "true"),
    ".endsWith": ('"A-17".endsWith("17")', "true"),
    ".matches": (r'"A-17".matches(r"^[A-Z]-\d+$")', "true"),
    "matches": ('matches("A-17", "[0-9]")', "true"),
    ".split": ('"a,b,c".split(",", 2)', '["a", "b,c"]'),
    ".trim": ('" a b ".trim()', '"a b"'),
    ".lowerAscii": ('"ABÄ".lowerAscii()', '"abÄ"'),
    ".upperAscii": ('"abä".upperAscii()', '"ABä"'),
    ".replace": ('"a-b-c".replace("-", "/", 1)', '"a/b-c"'),
    ".substring": ('"Grüße".substring(1, 3)', '"rü"'),
    ".charAt": ('"Grüße".charAt(2)', '"ü"'),
    ".format": ('"%s: %.2f, %d%%, %05d".format(["a", 1.5, 7, 42])', '"a: 1.50, 7%, 00042"'),
}
LISTS: Examples = {
    ".join": ('["a", 1, true].join("-")', '"a-1-true"'),
    ".sum": ("[1, 2.5].sum()", "3.5"),
    ".min": ("[3, 1, 2].min()", "1"),
    ".max": ('["b", "c", "a"].max()', '"c"'),
    ".sort": ("[3, 1, 2].sort()", "[1, 2, 3]"),
    ".distinct": ("[1, 2, 1].distinct()", "[1, 2]"),
    ".flatten": ("[1, [2, [3]]].flatten()", "[1, 2, [3]]"),
    ".slice": ("[1, 2, 3, 4].slice(1, 3)", "[2, 3]"),
    "lists.range": ("lists.range(3)", "[0, 1, 2]"),
    ".first": ("[7, 8].first().orValue(0)", "7"),
    ".last": ("[].last().orValue(0)", "0"),
}
OPTIONALS: Examples = {
    ".hasValue": ("input.?vip.hasValue()", "false"),
    ".value": ("input.?amount.value()", "1200"),
    ".orValue": ("input.?vip.orValue(false)", "false"),
    ".or": ("input.?total.or(input.?amount).orValue(0)", "1200"),
    "coalesce": ("coalesce(input.?rebate, input.customer.company, 0)", "0"),
    "optional.of": ("optional.of(1).hasValue()", "true"),
    "optional.none": ("optional.none().hasValue()", "false"),
    "optional.ofNonZeroValue": ('optional.ofNonZeroValue("").orValue("empty")', '"empty"'),
}
NUMBERS: Examples = {
    "math.round": ("[math.round(2.5), math.round(-2.5), math.round(7)]", "[3, -3, 7]"),
    "math.ceil": ("math.ceil(1.2)", "2"),
    "math.floor": ("math.floor(1.8)", "1"),
    "math.trunc": ("math.trunc(-1.8)", "-1"),
    "math.abs": ("math.abs(-3)", "3"),
    "math.sign": ("math.sign(-3)", "-1"),
    "math.greatest": ("math.greatest(1, 3.5, 2)", "3.5"),
    "math.least": ("math.least([4, 2, 3])", "2"),
    "math.isNaN": ('math.isNaN(double("NaN"))', "true"),
    "math.isInf": ("math.isInf(1e308 * 10)", "true"),
    "math.isFinite": ("math.isFinite(1.5)", "true"),
}
TIMES: Examples = {
    "timestamp": (
        '[timestamp("2026-02-14T09:00:00+01:00"), timestamp("2026-02-14T09:00", "Europe/Vienna")]',
        '["2026-02-14T08:00:00Z", "2026-02-14T08:00:00Z"]',
    ),
    "duration": ('duration("1h30m")', '"5400s"'),
    ".getFullYear": ("now.getFullYear()", "2026"),
    ".getMonth": ("now.getMonth() + 1", "1"),
    ".at": ('now.at("17:30", "Europe/Vienna")', '"2026-01-31T16:30:00Z"'),
    ".date": ('now.date("Asia/Tokyo")', '"2026-01-31"'),
    ".plus": ('now.plus("P1M", "Europe/Vienna")', '"2026-02-28T12:00:00Z"'),
    ".getDate": ("now.getDate()", "31"),
    ".getDayOfMonth": ("now.getDayOfMonth()", "30"),
    ".getDayOfWeek": ("now.getDayOfWeek()", "6"),
    ".getDayOfYear": ("now.getDayOfYear()", "30"),
    ".getHours": ('[now.getHours("Europe/Vienna"), duration("90m").getHours()]', "[13, 1]"),
    ".getMinutes": ('[now.getMinutes("+05:30"), duration("90m").getMinutes()]', "[30, 90]"),
    ".getSeconds": ('[now.getSeconds(), duration("90m").getSeconds()]', "[0, 5400]"),
    ".getMilliseconds": ('duration("1.25s").getMilliseconds()', "250"),
}
CONVERSIONS: Examples = {
    "string": ('[string(1.50), string(true), string({"a": [1]})]', r'["1.5", "true", "{\"a\":[1]}"]'),
    "int": ('[int("12"), int(2.9), int(now)]', "[12, 2, 1769860800]"),
    "double": ('double("1e3")', "1000.0"),
    "bool": ('bool("true")', "true"),
    "bytes": ('size(bytes("ü"))', "2"),
    "dyn": ("dyn(1)", "1"),
    "base64.encode": ('base64.encode("ab:cd")', '"YWI6Y2Q="'),
    "base64.decode": ('string(base64.decode("YWI6Y2Q="))', '"ab:cd"'),
    "hash.sha256": ('hash.sha256("").substring(0, 8)', '"e3b0c442"'),
}
GROUPS = {
    "Texts, lists and objects": SHARED,
    "Texts": TEXTS,
    "Lists": LISTS,
    "Numbers": NUMBERS,
    "Times": TIMES,
    "Optionals": OPTIONALS,
    "Conversions and encodings": CONVERSIONS,
}
MACRO_EXAMPLES: Examples = {
    "all": ("input.lines.all(l, l.price > 0)", "false"),
    "exists": ("input.lines.exists(l, l.price > 20)", "true"),
    "exists_one": ("input.lines.exists_one(l, l.price == 0)", "true"),
    "filter": ("[1, 2, 3].filter(n, n > 1)", "[2, 3]"),
    "map": ("[1, 2, 3].map(n, n * 2)", "[2, 4, 6]"),
    "sortBy": ("input.lines.sortBy(l, -l.price).map(l, l.sku)", '["B-2", "A-1", "C-3"]'),
    "transformList": ('["a", "b"].transformList(i, t, string(i) + t)', '["0a", "1b"]'),
    "transformMap": ('{"a": 1, "b": 2}.transformMap(k, n, n > 1, n * 10)', '{"b": 20}'),
    "transformMapEntry": ('{"a": 1}.transformMapEntry(k, n, {k + k: n})', '{"aa": 1}'),
    "optMap": ("input.?amount.optMap(a, a / 12).orValue(0)", "100"),
    "cel.bind": ("cel.bind(x, input.amount + 1, x * x)", "1442401"),
}
OPERATORS: dict[str, tuple[str, Any]] = {  # what it tells, a value
    "eq": ("is equal; 1 and 1.0 are, true and 1 are not", 100),
    "ne": ("is not equal", 100),
    "gt": ("is greater: a number than a number, a text than a text", 100),
    "gte": ("is greater or equal", 100),
    "lt": ("is less", 100),
    "lte": ("is less or equal", 100),
    "in": ("is an item of the value, which is a list", ["DE", "AT"]),
    "not_in": ("is none", ["DE", "AT"]),
    "contains": ("has the value: in a text, a list, or the keys of an object", "x"),
    "starts_with": ("begins with a text", "x"),
    "ends_with": ("ends with a text", "x"),
    "matches": ("has a place that a regular expression fits", "^[A-Z]+$"),
    "between": ("lies between two values, both included", [1, 9]),
    "before": ("is a timestamp before another", "2026-01-31T12:00:00Z"),
    "after": ("is a timestamp after another", "2026-01-31T12:00:00Z"),
    "exists": ("is there, be it null; `value: false` turns it round", None),
    "empty": ("is missing, null, or without content; `value: false` turns it round", None),
}
LIMITS = (
    (grammar.MAX_SOURCE, "characters of one expression"),
    (grammar.MAX_DEPTH, "brackets within each other"),
    (grammar.MAX_LEVELS, "operations within each other, as in `1 + 1 + 1`"),
    (checker.MAX_NODES, "parts of all the expressions in one field of a config"),
    (structured.MAX_TESTS, "leaves of one structured condition"),
    (limits.MAX_EXPRESSIONS, "characters of all expressions of a definition"),
    (limits.MAX_PATTERNS, "regular expressions of a definition, those in its JSON Schemas included"),
    (linear.MAX_PATTERN, "characters of one of them"),
    (fuel.MAX_TEXT, "characters of a text that is made"),
    (MEBIBYTE, "bytes of JSON of an output, else `output_too_large`"),
    (MAX_DEPTH, "lists and objects within each other there, else `output_too_deep`"),
    (fuel.FUEL, "units of work for one decision, over all that it evaluates at once; a unit is some 0.1 µs"),
)


def macros() -> str:
    """Return the table of macros."""
    rows = []
    for name, said in MACROS.items():
        form = said.form.replace("map.transform", "object.transform")
        says = said.says + ("; with a condition before the value only where that is true" if said.filters else "")
        rows.append((code(form), says, *map(code, MACRO_EXAMPLES[name])))
    return table(("macro", "", "example", "is"), rows)


def functions() -> str:
    """Return the tables of functions, by what they work on."""
    return "\n\n".join(f"### {title}\n\n{_table(group)}" for title, group in GROUPS.items())


def _table(group: Examples) -> str:
    rows = []
    for name, example in group.items():
        said = METHODS[name[1:]] if name.startswith(".") else FUNCTIONS[name]
        rows.append((code(signature(said)), said.says, *map(code, example)))
    return table(("function", "", "example", "is"), rows)


def signature(said: Function) -> str:
    """Return how a function is called, by kinds: `text.split(text[, number])`."""
    kinds = ["|".join(KINDS.get(kind, kind) for kind in param.split("|")) for param in said.params]
    target = f"{kinds.pop(0)}." if said.method else ""
    needed = len(kinds) - said.optional
    shown = ", ".join(kinds[:needed])
    for kind in kinds[needed:]:
        shown += f"[{', ' if shown else ''}{kind}{'…' if said.variadic else ''}]"
    return f"{target}{said.name}({shown})"


def conditions() -> str:
    """Return the operators of structured conditions, each with the CEL that it stands for."""
    rows = []
    for name in structured.OPERATORS:
        tells, value = OPERATORS[name]
        leaf = {"field": "input.a", "operator": name} | ({} if value is None else {"value": value})
        rows.append((code(name), tells, code(compile_condition(leaf).text)))
    return table(("operator", "the field", "`input.a` with it"), rows)


def bounds() -> str:
    """Return the limits with their numbers."""
    return table(("at most", ""), [(f"{number:,}", of) for number, of in LIMITS])


def differences() -> str:
    """Return what is not as in Google's implementation, each with an example and what both make of it."""
    rows = []
    for one in DIFFERENCES:
        source, ours, theirs = one.examples[0]
        rows.append((one.name, one.reason.rstrip("."), code(source), _given(ours), _given(theirs)))
    return table(("", "", "example", "here", "CEL"), rows)


def _given(value: Any) -> str:
    return "an error" if value is ERROR else code(json.dumps(value, ensure_ascii=False))
