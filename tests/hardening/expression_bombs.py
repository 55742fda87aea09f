"""Hostile expressions over hostile data, by what they are after: time, memory, the stack, Python itself.

Sources stay within what a definition may hold, data within what may come in (`hostile_data`). Each bomb is lit in a
process of its own kind, `bomb_child`; `test_hostile_expressions` says how each may end.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from engine.core.values import MEBIBYTE
from tests.hardening.hostile_data import MERSENNE, deep


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


def _group(group: str, *bombs: tuple[Any, ...]) -> tuple[Bomb, ...]:
    return tuple(Bomb(group, *bomb) for bomb in bombs)


_ERROR = ("error",)
_VALUE = ("value",)
_REFUSED = ("refused",)

LOOPS = _group(
    "loops",
    ("all, twice", loops("all", 2, "true"), "zeros"),
    ("all, three times", loops("all", 3, "x0 + x1 + x2 >= 0"), "thousand"),
    ("exists that never does", loops("exists", 3, "x0 + x1 + x2 < 0"), "thousand"),
    ("exists_one", loops("exists_one", 3, "x0 == x2"), "thousand"),
    ("as deep as may be", loops("all", 30, "true"), "few"),
    ("map, as deep as may be", loops("map", 30, "1"), "few"),
    (
        "filter, as deep as may be",
        nested("input.l.filter(x#, ", "true", ".size() > 0)", 28).replace(".size() > 0)", ")", 1),
        "few",
    ),
    ("map in map", loops("map", 3, "x0 * x1"), "thousand"),
    ("map whose items are the list", turns("input.l.map(y, input.l)", "map"), "zeros"),
    ("filter in filter", "input.l.filter(x, input.l.filter(y, y == x).size() > 0)", "ints"),
    ("chain of maps", "input.l" + ".map(x, x + 1)" * 40, "zeros"),
    ("chain of filters", "input.l" + ".filter(x, true)" * 40, "zeros"),
    ("loops that go round never", "input.l.all(x, x.all(y, false))", "empties"),
    ("many empty loops in a loop", turns("" + " && ".join(["[].all(y, false)"] * 200) + ""), "zeros"),
    ("two variables", "input.l.transformList(i, x, input.l.transformList(j, y, i * j))", "ints"),
    ("a map of maps", "input.m.transformMap(k, v, input.m.transformMap(q, w, w))", "keys"),
    ("entries", "input.m.transformMapEntry(k, v, input.m)", "keys"),
    ("sorted in sorted", "input.l.sortBy(x, input.l.sortBy(y, -y)[0])", "thousand"),
    ("over the keys of a map, again and again", "input.m.all(k, input.m.all(q, true))", "keys"),
    ("an optional in a loop", turns("optional.of(x).optMap(y, optional.of(y))", "map"), "zeros"),
    ("a wide condition in a loop", turns(f"{' && '.join(['x == 0'] * 500)}"), "zeros"),
    ("a ternary in a loop", turns("" + nested("x > 0 ? 1 : (", "2", ")", 40) + "", "map"), "zeros"),
    ("what a loop reads each time", loops("all", 4, "(process.id == '' || steps.a.output.s != '')"), "few"),
    ("constant lists in a loop", turns(f"[{', '.join(['1'] * 300)}]", "map"), "zeros"),
    ("constant maps in a loop", 'input.l.map(x, {"a": 1, "b": 2, "c": {}})', "zeros"),
    ("empty maps in a loop", turns("{}", "map"), "zeros"),
    ("empty lists in a loop", turns("[]", "map"), "zeros"),
    ("durations in a loop", 'input.l.map(x, duration("1s"))', "zeros"),
)

TEXTS = _group(
    "texts",
    ("doubled again and again", bound("input.s", "$ + $", 30, "size($)"), "text"),
    ("a small one doubled", bound("input.s", "$ + $", 30, "$ == $"), "few"),
    ("many of the largest", bound("input.s + input.s", "$ + ''", 40, "[$, $ + 'a']"), "wide"),
    ("largest ones in a list", "input.l.map(x, input.s + input.s)", "thousand"),
    ("wide ones in a list", "[" + ", ".join(["input.s + 'é'"] * 100) + "].size()", "wide"),
    ("one wide character", "input.l.map(x, input.s + '😀').size()", "thousand"),
    ("a chain of +", " + ".join(["input.s"] * 240), "thousand"),
    ("joined", "input.l.map(x, input.s).join(input.s)", "thousand"),
    ("joined from numbers", "input.l.join(', ').split(', ').join('')", "ints"),
    ("empty texts joined", "input.l.map(x, '').join(input.l.map(y, 'a').join())", "ints"),
    ("replaced by something long", "input.s.replace('a', input.s)", "text"),
    ("nothing replaced by something", "input.s.replace('', input.s)", "text"),
    ("everywhere something", "input.s.replace('', 'ab')", "text"),
    ("replaced by itself in a loop", "input.l.map(x, input.s.replace('a', 'a'))", "thousand"),
    ("split into characters", "input.s.split('')", "text"),
    ("split at every character", "input.s.split('a')", "text"),
    ("wide ones split", "input.s.split('').map(c, c + c)", "wide"),
    ("split in a loop", "input.l.map(x, input.s.split(''))", "thousand"),
    ("reversed in a loop", "input.l.map(x, input.s.reverse())", "thousand"),
    ("wide reversed", bound("input.s", "$.reverse()", 30, "size($)"), "wide"),
    ("upper case in a loop", "input.l.map(x, input.s.upperAscii().lowerAscii().size())", "thousand"),
    ("trimmed in a loop", "input.l.all(x, input.s.trim() == '')", "spaces"),
    ("pieces in a loop", "input.l.map(x, input.s.substring(1))", "thousand"),
    ("characters in a loop", "input.l.map(x, input.s.charAt(x + 999000))", "thousand"),
    ("formatted", '"%s%s%s%s".format([input.s, input.s, input.s, input.s])', "text"),
    ("formatted, as often as a pattern can", f'"{"%s" * 3000}".format([{", ".join(["input.s"] * 150)}])', "text"),
    ("formatted with a precision", 'input.l.map(x, "%.100f".format([1e308]))', "zeros"),
    ("formatted with an absurd precision", '"%.999999999f".format([1.0])', "few", "expression", ("error", "refused")),
    ("formatted in a loop", "input.l.map(x, '%b %x %o %d %e'.format([x, x, x, x, 1.5]))", "ints"),
    ("a format out of data", "input.s.format([])", "text"),
    ("percent signs", "input.s.replace('a', '%%').format([])", "thousand"),
    ("a text of everything", bound("string(input)", "$ + $", 12, "size($)"), "ints"),
    ("a text of everything in a loop", "input.l.map(x, string(input.l))", "ints"),
    ("control characters as JSON", bound("[input.s]", "[string($)]", 20, "size($)"), "controls"),
    ("quotes of quotes", bound('["\\\\"]', "[string($)]", 40, "size($[0])"), "few"),
    ("bytes and back", bound("bytes(input.s)", "bytes(string($))", 30, "size($)"), "wide"),
    ("bytes doubled", bound("bytes(input.s)", "$ + $", 30, "size($)"), "wide"),
    ("base64 of base64", bound("input.s", "base64.encode($)", 30, "size($)"), "text"),
    ("base64 in a loop", "input.l.map(x, base64.decode(base64.encode(input.s)).size())", "thousand"),
    ("hashes in a loop", "input.l.map(x, hash.sha256(input.s))", "thousand"),
    ("hashes of little in a loop", turns("hash.sha256('')", "map"), "zeros"),
    ("texts of numbers", "input.l.map(x, string(x) + string(x))", "floats"),
    ("case that grows", "input.s.upperAscii().lowerAscii().size()", "accents"),
)

_DOUBLED = ("[0]", "[$, $]", 40)  # 41 lists, a trillion items for whoever walks them all

LISTS = _group(
    "lists",
    ("one more each time", bound("input.l", "$ + $", 40, "$.size()"), "zeros"),
    ("in each other", bound("input.l", "[$, $]", 40, "$"), "zeros"),
    ("flattened", bound(*_DOUBLED, "$.flatten(1000)"), "few"),
    ("flattened bit by bit", bound("[input.l, input.l]", "[$, $].flatten()", 40, "size($)"), "ints"),
    ("flattened, and nothing in it", "input.d.flatten(1000000)", "deep"),
    ("flattened many", bound("input.d.flatten(20)", "[$, $].flatten(20)", 20, "$"), "bushy"),
    ("slices in a loop", turns("input.l.slice(0, 499999)", "map"), "zeros"),
    ("reversed in a loop", "input.l.map(x, input.l.reverse())", "ints"),
    ("sums in a loop", "input.l.map(x, input.l.sum())", "ints"),
    ("minima in a loop", "input.l.map(x, input.l.min() + input.l.max())", "ints"),
    ("joined to themselves in a loop", "input.l.map(x, input.l + [x]).size()", "ints"),
    ("looked through in a loop", "input.l.all(x, x in input.l)", "ints"),
    ("looked through from the end", "input.l.map(x, input.l.lastIndexOf(-1))", "ints"),
    ("looked for lists", "input.l.all(x, [1] in input.l)", "empties"),
    ("maps of the same", bound("input.m", "{'a': $, 'b': $}", 40, "$"), "keys"),
    ("maps copied in a loop", "input.m.map(k, input.m.transformMap(q, w, w))", "keys"),
    ("maps with longer keys", bound("{'aaaaaaaa': 1}", "$.transformMapEntry(k, v, {k + k: v})", 25, "$"), "few"),
    ("keys out of data", "input.m.transformMapEntry(k, v, {string(v) + input.s: v})", "long keys"),
    ("counted in a loop", "input.l.filter(x, size(input.l) == 0)", "zeros"),
    ("a list literal of large lists", f"[{', '.join(['input.l + input.l'] * 100)}]", "zeros"),
    ("optionals of optionals", bound("optional.of(input.l)", "optional.of([$, $])", 40, "$.value()"), "zeros"),
)

SHARED = _group(
    "shared",
    ("the result", bound(*_DOUBLED, "$"), "few", "expression", _ERROR),
    ("equal to itself", bound(*_DOUBLED, "$ == $"), "few", "expression", _ERROR),
    ("equal to another", bound("[[0]]", "[$ + $, $ + $]", 20, "$ == [$[0], $[1]]"), "few"),
    ("unequal", bound("{'a': 1}", "{'a': $, 'b': $}", 40, "$ != {'a': $.a, 'b': $.b}"), "few", "expression", _ERROR),
    ("of maps", bound("{'a': 1}", "{'a': $, 'b': $}", 40, "$"), "few", "expression", _ERROR),
    ("sorted", bound(*_DOUBLED, "[$, $].sort()"), "few", "expression", _ERROR),
    ("sorted by it", bound(*_DOUBLED, "[1, 2].sortBy(x, $)"), "few", "expression", _ERROR),
    ("distinct", bound(*_DOUBLED, "[$, $].distinct()"), "few", "expression", _ERROR),
    ("as text", bound(*_DOUBLED, "string($)"), "few", "expression", _ERROR),
    ("in a text", bound(*_DOUBLED, "'%s'.format([$])"), "few", "expression", _ERROR),
    ("its size", bound(*_DOUBLED, "$.size()"), "few", "expression", _VALUE),
    ("in a list of it", bound(*_DOUBLED, "$ in [[$, $], [$, $[0]]]"), "few"),
    ("the place of it", bound(*_DOUBLED, "[[$[0], $[1]]].indexOf($)"), "few", "expression", _ERROR),
    ("contained", bound(*_DOUBLED, "[[$[0], $[1]]].contains($)"), "few", "expression", _ERROR),
    ("ordered", bound(*_DOUBLED, "$ < $"), "few", "expression", ("error", "refused")),
    ("joined", bound(*_DOUBLED, "$.join()"), "few", "expression", _ERROR),
    ("the least", bound(*_DOUBLED, "$.min() == $.max()"), "few", "expression", _ERROR),
    ("optional", bound("optional.of(0)", "optional.of([$, $])", 40, "$ == $"), "few", "expression", _ERROR),
    ("of nothing", bound("[]", "[$, $]", 40, "$.flatten(100).size()"), "few", "expression", _ERROR),
    ("of times", bound("[now, now]", "[$, $]", 40, "$"), "few", "expression", _ERROR),
    ("nonzero", bound(*_DOUBLED, "optional.ofNonZeroValue($).hasValue()"), "few", "expression", _VALUE),
    ("in a template", {"a": "${" + bound(*_DOUBLED, "$") + "}", "b": "x${" + bound(*_DOUBLED, "$") + "}"}, "few", "template", _ERROR),
    ("in a condition", bound(*_DOUBLED, "$ == $"), "few", "condition", _ERROR),
    (
        "deeper than the stack",
        bound("[0]", "[[[[[[[[[[[[[[[[[[[[[[[[[$]]]]]]]]]]]]]]]]]]]]]]]]]", 30, "$ == $"),
        "few",
        "expression",
        ("error", "refused"),
    ),
    ("deeper than the stack, the result", bound("[0]", "[[[[[[[[[[[[[[[[[[[[[[[[[$]]]]]]]]]]]]]]]]]]]]]]]]]", 30, "$"), "few", "expression", ("error", "refused")),
    ("deeper than the stack, as text", bound("[0]", "[[[[[[[[[[[[[[[[[[[[[[[[[$]]]]]]]]]]]]]]]]]]]]]]]]]", 30, "string($)"), "few", "expression", ("error", "refused")),
    ("deeper than the stack, flattened", bound("[0]", "[[[[[[[[[[[[[[[[[[[[[[[[[$]]]]]]]]]]]]]]]]]]]]]]]]]", 30, "$.flatten(9999999)"), "few", "expression", ("error", "value", "refused")),
    ("deeper than the stack, in maps", bound("{'a': 0}", "{'a':{'a':{'a':{'a':{'a':{'a':{'a':{'a':{'a':{'a':$}}}}}}}}}}", 40, "[$, $].distinct()"), "few", "expression", ("error", "refused")),
    ("deeper than the stack, optional", bound("optional.of(0)", "optional.of(optional.of(optional.of(optional.of(optional.of(optional.of($))))))", 40, "$ == $"), "few", "expression", ("error", "value")),
    ("deeper than can be kept", bound("input.d", "[[[[[$]]]]]", 4, "$"), "deep", "expression", _ERROR),
)  # fmt: skip

PATTERNS = _group(
    "patterns",
    ("(a+)+$", "(input.s + 'b').matches('(a+)+$')", "text", "expression", _VALUE),
    ("(a|aa)+$", "(input.s + 'b').matches('^(a|aa)+$')", "text", "expression", _VALUE),
    ("(x+x+)+y", "input.s.replace('a', 'x').matches('(x+x+)+y')", "thousand"),
    ("every start is tried", "input.s.matches('.*.*.*.*.*=.*')", "text", "expression", _VALUE),
    ("nested repetitions", "input.s.matches('((a{1000}){1000}){1000}')", "text", "expression", _REFUSED),
    ("repetitions within bounds", "input.l.all(x, !(input.s + 'b').matches('(((a{0,9}){0,9}){0,9}){0,1}$'))", "thousand"),
    ("a wide class, often", "input.s.matches('(\\\\pL{50}\\\\pN?){5}')", "accents", "expression", ("value", "error", "refused")),
    ("many states", "input.l.all(x, input.s.matches('(a|b)*a(a|b){12}c') == false)", "thousand"),
    ("in a loop", "input.l.all(x, !input.s.matches('(a+)+b'))", "thousand"),
    ("a short text in a loop", "input.l.all(x, x.matches('^([0-9]+)+$'))", "texts"),
    ("far too long", f"input.s.matches('{'a' * 5000}')", "text", "expression", _REFUSED),
    ("out of data", "input.s.matches(input.s)", "text", "expression", _REFUSED),
    ("a look behind", "input.s.matches('(?<=a)b')", "text", "expression", _REFUSED),
    ("a back reference", "input.s.matches('(a)\\\\1')", "text", "expression", _REFUSED),
    ("nothing, everywhere", "input.s.matches('()*()*()*()*$')", "text", "expression", _VALUE),
    ("a thousand branches", f"input.s.matches('{'|'.join(['a*b'] * 200)}')", "text", "expression", ("value", "error", "refused")),
    ("case folded", f"input.s.matches('(?i){'k' * 300}')", "text", "expression", ("value", "error", "refused")),
    (
        "thousands in one definition",
        [("condition", f"input.s.matches('(a{n}|b){{{n % 90 + 1},{n % 90 + 9}}}$')") for n in range(5000)],
        "text",
        "definition",
        ("error", "refused"),
    ),
    (
        "large ones in one definition",
        [("condition", f"input.s.matches('(\\\\pL\\\\pN{n}){{9}}$')") for n in range(90)],
        "accents",
        "definition",
        ("value", "error", "refused"),
    ),
    (
        "the same one thousands of times",
        [("condition", "input.s.matches('(\\\\pL\\\\pN){9}$')")] * 5000,
        "few",
        "definition",
        ("value", "error", "refused"),
    ),
)  # fmt: skip


def _around(opened: str, core: str, closed: str, size: int = 7900) -> str:
    """Return brackets around brackets, as many as a source may be long."""
    count = (size - len(core)) // (len(opened) + len(closed))
    return opened * count + core + closed * count


NESTED = _group(
    "nested",
    *(
        (f"{opened}{closed}", _around(opened, core, closed), "few", "expression", _REFUSED)
        for opened, core, closed in (
            ("(", "1", ")"), ("[", "1", "]"), ('{"a":', "1", "}"), ("!", "true", ""), ("-", "1", ""), ("- ", "1", ""),
            ("size(", "1", ")"), ("has(", "input.a", ")"), ("[?", "optional.none()", "]"), ("true ? (", "1", ") : 1"),
            ("true ? 1 : ", "1", ""), ("true ? ", "1", " : 2"), ("(1 + ", "1", ")"), ("true && (false || ", "true", ")"),
            ("[1].map(x, ", "1", ")"), ("cel.bind(a, 1, ", "a", ")"), ("", "[1]", "[0]"), ("", "optional.of(1)", ".?a"),
            ("", "[1]", ".map(x, x)"), ("", "input", ".a"), ("", "'a'", ".trim()"), ("", "[1]", "[?0]"), ("1 in [", "1", "]"),
            ("math.abs(", "1", ")"), ("optional.of(", "1", ")"), ("input[", "'a'", "]"), ("", "1", " < 1"), ("", "1", " in [1]"),
        )
    ),
    ("brackets that do not close", "(" * 7999, "few", "expression", _REFUSED),
    ("all kinds that do not close", "([{(" * 1900, "few", "expression", _REFUSED),
    ("braces in a template", {"a": "${" * 250_000}, "few", "template", _REFUSED),
    ("braces closed in a template", {"a": "${" + "{'a':" * 9 + "1" + "}" * 10}, "few", "template"),
    ("240 sums", " + ".join(["input.n"] * 240), "few", "expression", _VALUE),
    ("500 sums", " + ".join(["input.n"] * 499), "few", "expression", ("value", "refused")),
    ("3000 sums", "+".join(["1"] * 3900), "few", "expression", ("error", "value", "refused")),
    ("3000 conditions", "&&".join(["true"] * 1300), "few", "condition", ("value", "refused")),
    ("alternating", " || ".join(["input.t && !input.t"] * 330), "few", "condition", ("value", "refused")),
    ("conditions in conditions", nested("(input.t && (input.n == 8 || ", "input.t", "))", 30), "few", "condition", ("value", "refused")),
    ("conditions in conditions in loops", nested("input.l.exists(x#, x# > 8 && ", "input.t", ")", 30), "few", "condition", ("value", "error", "refused")),
    ("loops in the list of loops", nested("", "input.l", ".map(x, x).filter(y, y > 0)", 30), "few"),
    ("ternaries", nested("input.t ? (", "1", ") : 2", 30), "few"),
    ("ternaries, the other way", "input.t ? 1 : " * 60 + "2", "few"),
    ("optionals", "input" + ".?a" * 60 + ".orValue(1)", "few"),
    ("or values", nested("input.?a.orValue(", "1", ")", 60), "few"),
    ("loops and ternaries", nested("input.l.all(x#, input.t ? (input.n > 7 || ", "true", ") : true)", 20), "few"),
    ("maps of loops", nested("{'a': input.l.map(x#, ", "1", ")}", 20), "few"),
    ("bindings", bound("input.n", "$ + $", 60, "$"), "few"),
    ("everything at the limit", nested("[input.l.filter(x#, x# > 1 ? (", "true", ") : false)]", 12), "few"),
    ("a very wide list", f"[{','.join(['0'] * 3900)}]", "few"),
    ("a very wide list, computed", f"[{','.join(['-input.n'] * 880)}]", "few"),
    ("a very wide map", "{" + ",".join(f"'{n}':0" for n in range(900)) + "}", "few"),
    ("a map with one key", "{" + ",".join(["'a':0"] * 1300) + "}", "few", "expression", ("error", "value", "refused")),
    ("a map with one key out of data", "{" + ",".join(["input.s:0"] * 700) + "}", "few", "expression", _ERROR),
    ("a very long name", "a" * 7999, "few", "expression", _REFUSED),
    ("a very long field", "input." + "a" * 7990, "few", "expression", _ERROR),
    ("a very long text", "'" + "\\n" * 3900 + "'", "few"),
    ("a text without end", "'" + "\\" * 7000, "few", "expression", _REFUSED),
    ("three quotes without end", "'''" + "''" * 3900, "few", "expression", _REFUSED),
    ("escapes of escapes", "'" + "\\U0001F600" * 790 + "'", "few"),
    ("remarks", "//" + "/" * 7000 + "\n1", "few"),
    ("blanks", " " * 7000 + "1" + "\n" * 900, "few"),
    ("far too long", "1" + " " * 1_000_000, "few", "expression", _REFUSED),
    ("many arguments", f"math.greatest({','.join(['1'] * 3900)})", "few"),
    ("many arguments nobody takes", f"size({','.join(['1'] * 3900)})", "few", "expression", _REFUSED),
    ("many unknown names", "+".join(f"a{n}" for n in range(400)), "few", "expression", _REFUSED),
    ("many unknown functions", "+".join(f"contain{n}('a')" for n in range(400)), "few", "expression", _REFUSED),
    ("many unknown methods", "1" + "".join(f".contain{n}()" for n in range(60)), "few", "expression", _REFUSED),
    ("half a character", "'\ud800'", "few", "expression", ("refused", "value", "error")),
    ("half a character, made", "'\\ud800' + string('\\udc00')", "few", "expression", ("refused", "value", "error")),
    ("a NUL", "'\0' + 'a\0b' + '\\0'", "few", "expression", ("refused", "error")),
    ("other blanks", "1\u2028+\u00a01", "few", "expression", _REFUSED),
    ("other digits", "\u0661 + \u0967", "few", "expression", _REFUSED),
    ("Python", "__import__('os').system('true')", "few", "expression", _REFUSED),
    ("Python's own members", "input.__class__.__bases__[0].__subclasses__()", "few", "expression", _REFUSED),
    ("Python's own fields", "input.l.__class__", "few", "expression", _ERROR),
    ("Python in a text", "'\"\"\"; import os; x = \"\"\"' + \"'''\" + input['x\\']) or exit(1) #']", "few", "expression", _ERROR),
    ("Python in names", "input.l.all(type, type == 0 || input.l.all(fuel, input.l.all(scope, len == x)))", "few", "expression", _REFUSED),
    ("names of the code's own", "input.l.all(spend, input.l.all(scope, input.l.all(fuel, fuel + scope + spend >= 0)))", "few", "expression", _VALUE),
    ("reserved by Python", "input.l.all(lambda, input.l.all(None, lambda + None >= 0))", "few", "expression", ("value", "refused")),
)  # fmt: skip

NUMBERS = _group(
    "numbers",
    ("added", "input.n + input.n", "big", "expression", _ERROR),
    ("multiplied", "input.n * input.n * input.n", "big", "expression", _ERROR),
    ("multiplied in a loop", "input.l.exists(x, x * x * x == 0)", "big ints", "expression", _ERROR),
    ("with a float", "input.n * 1.5 + input.m * 1.5", "big"),
    ("beyond floats", "input.f * 10.0", "big"),
    ("beyond floats in a list", "[input.f * 10.0, -input.f * 10.0, input.f * 10.0 - input.f * 10.0]", "big"),
    ("whole from infinite", "int(input.f * 10.0)", "big", "expression", _ERROR),
    ("whole from none", "int(input.f * 10.0 - input.f * 10.0)", "big", "expression", _ERROR),
    ("whole from large", "int(input.n * 1.0)", "big", "expression", _ERROR),
    ("rounded", "[math.round(input.f * 10.0), math.floor(input.f), math.ceil(input.n), math.trunc(input.m)]", "big"),
    ("in binary", "'%b %x %o %d'.format([input.n, input.n, input.n, input.n])", "big"),
    ("in binary, in a loop", "input.l.map(x, '%b'.format([x]))", "big ints"),
    ("as a text in a loop", "input.l.all(a, input.l.all(x, string(x) != ''))", "big ints"),
    ("as floats in a loop", "input.l.all(a, input.l.all(x, double(x) > 1.0))", "big ints"),
    ("as an index", "[1, 2][input.n]", "big", "expression", _ERROR),
    ("a float as an index", "[1, 2][input.f] + [1][-0.0]", "big", "expression", _ERROR),
    ("as a slice", "[1, 2].slice(input.m, input.n)", "big", "expression", ("error", "value")),
    ("as a place in a text", "'abc'.substring(input.n) + 'abc'.charAt(input.m)", "big", "expression", _ERROR),
    ("as a limit", "'a,b'.split(',', input.n).size() + 'aa'.replace('a', 'b', input.n).size()", "big"),
    ("as a depth", "[[1]].flatten(input.n)", "big"),
    ("as a moment", "timestamp(input.n)", "big", "expression", _ERROR),
    ("as a span", "duration(string(input.n) + 's')", "big", "expression", _ERROR),
    ("smallest divided", "(-9223372036854775807 - 1) / -1", "few", "expression", ("error", "refused")),
    ("smallest remainder", "(-9223372036854775807 - 1) % -1", "few", "expression", ("error", "value", "refused")),
    ("smallest, other sign", "-(-9223372036854775807 - 1)", "few", "expression", ("error", "refused")),
    ("literals", "9" * 7000, "few", "expression", _REFUSED),
    ("hex literals", "0x" + "f" * 7000, "few", "expression", _REFUSED),
    ("literals with exponents", "1e" + "9" * 7000, "few", "expression", _REFUSED),
    ("literals with many digits", "0." + "9" * 7000, "few", "expression", ("value", "refused")),
    ("a text of a million digits", "int(input.s)", "numbers", "expression", _ERROR),
    ("a text of a million digits, a float", "double(input.s)", "numbers", "expression", ("error", "value")),
    ("a text with a huge exponent", "double(input.t)", "numbers", "expression", ("error", "value")),
    ("texts in a loop", "input.l.exists(a, input.l.exists(x, int(x) < 0))", "numbers"),
    ("float texts in a loop", "input.l.exists(a, input.l.exists(x, double(x + '.5e-300') < 0.0))", "numbers"),
    ("sums of floats", "input.l.map(x, input.l.sum())", "floats"),
    ("sums that grow", "input.l.sum()", "big ints", "expression", _ERROR),
    ("smallest of all", "input.x / 2.0 / 0.0 + input.z", "big"),
)  # fmt: skip

COMPARED = _group(
    "compared",
    *(
        (name, turns(test), "twins")
        for name, test in (
            ("equal", "input.s == input.t"), ("unequal", "!(input.s != input.t)"), ("less", "!(input.s < input.t)"),
            ("not greater", "input.s <= input.t"), ("in a list", "input.s in [input.t]"), ("contained", "input.s.contains(input.t)"),
            ("at the start", "input.s.startsWith(input.t)"), ("at the end", "input.s.endsWith(input.t)"),
            ("a pattern", "input.s.matches('a$')"), ("lists", "[[input.s]] == [[input.t]]"), ("bytes", "bytes(input.s) == bytes(input.t)"),
            ("maps", "{'a': input.s} == {'a': input.t}"), ("keys", "{input.s: 1} == {input.t: 1}"), ("a key", "input.s in {input.t: 1}"),
            ("an index", "{input.s: 1}[input.t] == 1"), ("the greatest", "[input.s, input.t].max() == input.s"),
            ("sorted", "[input.s, input.t].sort().size() == 2"), ("distinct", "[input.s, input.t].distinct().size() == 1"),
        )
    ),
    ("a place", turns("input.s.indexOf(input.t) < 0"), "pair"),
    ("a place from the end", turns("input.s.lastIndexOf(input.t) < 0"), "pair"),
    ("half of one", "[1,2,3].all(a, input.s.indexOf(input.s.substring(0, 200000) + 'b') < 0)", "pair"),
    ("something short that is never there", turns("input.s.indexOf('aab') < 0"), "pair"),
    ("something of middling length", turns("input.s.contains('b' + input.s.substring(0, 90)) == false"), "pair"),
    ("something of middling length at the end", turns("input.s.contains(input.s.substring(0, 90) + 'b') == false"), "pair"),
    ("something in something short", "input.l.all(x, input.l.all(y, !input.s.substring(0, 20000).contains(input.s.substring(0, 99) + 'b')))", "thousand"),
    ("replaced what is never there", turns("input.s.replace('aaaaaaaab', 'c') == input.s"), "pair"),
    ("split at what is never there", turns("input.s.split('aaaaaaaab').size() == 1"), "pair"),
    ("counted from behind", turns("input.s.lastIndexOf('baa') < 0"), "pair"),
    ("prefixes", "input.l.all(x, input.l.all(y, x <= y || y <= x))", "long prefixes"),
    ("a large key", turns("input.m[input.s] == 1"), "long keys"),
    ("a large key that is new each time", turns("(input.s + 'b') in input.m == false"), "long keys"),
    ("a large key, has it", turns("has(input.m." + "a" * 2000 + ") == false"), "long keys"),
    ("large maps", turns("input.m == input.m"), "keys"),
    ("large lists", turns("input.l == input.l"), "ints"),
    ("large lists, other numbers", turns("input.l == input.l.map(x, x + 0.0)"), "ints"),
    ("texts of accents", turns("input.s.indexOf(input.t) < 0"), "accents"),
)  # fmt: skip

SORTED = _group(
    "sorted",
    ("in a loop", "input.l.map(x, input.l.sort())", "backwards"),
    ("distinct in a loop", "input.l.map(x, input.l.distinct())", "ints"),
    ("numbers whose hashes are alike", "input.l.distinct().size()", "hashes"),
    ("floats whose hashes are alike", "input.l.distinct().size()", "float hashes"),
    ("lists of numbers whose hashes are alike", "input.l.map(x, [x]).distinct().size()", "hashes"),
    ("maps of numbers whose hashes are alike", "input.l.map(x, {'a': x}).distinct().size()", "hashes"),
    ("optionals of numbers whose hashes are alike", "input.l.map(x, optional.of(x)).distinct().size()", "hashes"),
    ("looked for", "input.l.all(x, x in input.l)", "hashes"),
    ("sorted by equal keys", "input.l.sortBy(x, 0)", "ints"),
    ("sorted by texts with the same beginning", "input.l.sort().map(x, input.l.sort())", "prefixes"),
    ("sorted by long texts with the same beginning", turns("input.l.sort().size() == 10"), "long prefixes"),
    ("long texts, distinct", turns("input.l.distinct().size() == 10"), "long prefixes"),
    ("mixed numbers", "input.l.distinct().map(x, input.l.distinct())", "mixed"),
    ("maps", "input.l.distinct().map(x, input.l.distinct())", "maps"),
    ("empty lists", "input.l.distinct().map(x, input.l.distinct())", "empties"),
    ("lists", "input.l.map(x, [[x], [x], [x + 1]]).distinct().size()", "ints"),
    ("durations", "input.l.map(x, duration(string(x) + 's')).distinct().sort().size()", "ints"),
    ("timestamps", "input.l.map(x, timestamp(x)).distinct().sort().size()", "ints"),
    ("bytes", "input.l.map(x, bytes(x)).distinct().sort().size()", "texts"),
    ("kinds that do not mix", "(input.l + ['a']).sort()", "ints", "expression", _ERROR),
    ("kinds that do not mix, in a loop", "input.l.exists(x, (input.l + ['a']).sort() == [])", "thousand"),
    ("large maps", "[input.m, input.m].distinct().map(x, [input.m, input.m].distinct())", "keys"),
    ("keys sorted", "input.m.map(k, k).sort().map(x, input.m.map(k, k).sort())", "keys"),
    ("no number", "input.l.map(x, 0.0 / 0.0).distinct().sort().size()", "ints"),
)

ZONED = _group(
    "zones",
    ("known ones", "input.l.map(z, now.getHours(z) + now.getMinutes(z) + now.getDayOfYear(z))", "zones"),
    ("unknown ones", "input.l.exists(z, now.getHours(z) == 99)", "unknown zones", "expression", _ERROR),
    ("what is no zone", "input.l.exists(z, now.getHours(z) == 99)", "no zones", "expression", _ERROR),
    ("a huge name", "now.getHours(input.s)", "text", "expression", _ERROR),
    ("offsets", "input.l.exists(x, now.getHours('+' + string(x)) == 99)", "thousand"),
    ("every offset", "input.l.map(x, now.getHours('+' + string(10 + x % 10) + ':' + string(10 + x % 50)))", "ints"),
    ("moments", "input.l.map(t, timestamp(t).getFullYear('Asia/Tokyo'))", "times"),
    ("what is no moment", "input.l.exists(t, timestamp(t) > now)", "no times", "expression", _ERROR),
    ("a huge moment", "timestamp(input.s)", "no times", "expression", _ERROR),
    ("spans", "input.l.map(d, duration(d).getSeconds())", "durations"),
    ("a huge span", "duration(input.s)", "durations", "expression", ("error", "value")),
    (
        "beyond the last moment",
        "input.l.exists(x, now + duration(string(x) + '0000000h') < now)",
        "ints",
        "expression",
        _ERROR,
    ),
    (
        "beyond the last moment by adding",
        "[1,2,3,4,5,6,7,8,9].map(x, now + duration('87660000h'))",
        "few",
        "expression",
        _ERROR,
    ),
    ("before the first in a zone", "timestamp('0001-01-01T00:00:00Z').getHours('America/New_York')", "few"),
    ("after the last in a zone", "timestamp('9999-12-31T23:59:59.999999Z').getFullYear('+14:00')", "few"),
    ("years in a loop", "input.l.map(x, timestamp(x * 1000000).getDayOfYear('Europe/Berlin'))", "ints"),
)

ABSORBED = _group(
    "absorbed",
    ("a missing field", turns("x.missing", "exists"), "zeros", "expression", _ERROR),
    ("a missing field of maps", "input.l.exists(x, x.missing)", "maps", "expression", _ERROR),
    ("a missing field of all", "input.l.all(x, x.missing)", "maps", "expression", _ERROR),
    ("a missing key", "input.l.exists(x, input.m[string(x)] == 0)", "similar keys", "expression", _ERROR),
    ("a missing key that is nearly there", f"input.l.exists(x, input.m.{'a' * 31} == 0)", "similar keys", "expression", _ERROR),
    ("a missing root", turns("trigger.a == x", "exists"), "zeros", "expression", _ERROR),
    ("a missing step", turns("steps.b.output == x", "exists"), "zeros", "expression", _ERROR),
    ("no boolean", turns("x", "exists"), "zeros", "expression", _ERROR),
    ("no boolean, a text", "input.l.exists(x, input.s)", "thousand", "expression", _ERROR),
    ("division by zero", turns("1 / (x - x) == 0", "exists"), "zeros", "expression", _ERROR),
    ("no order", "input.l.exists(x, x < input.s)", "thousand", "expression", _ERROR),
    ("no order between large values", turns("input.l < input.l", "exists"), "zeros", "expression", ("error", "refused")),
    ("in ||", turns("x.a || x.b || x.c || x.d", "exists"), "zeros", "expression", _ERROR),
    ("in &&", turns("x.a && x.b && x.c && x.d"), "zeros", "expression", _ERROR),
    ("in loops", loops("exists", 3, "x2.a"), "thousand", "expression", _ERROR),
    ("in loops as deep as may be", loops("exists", 28, "x27.a"), "few", "expression", _ERROR),
    ("in a wide expression", f"[{','.join(['-input.n'] * 800)}] == [] || input.l.exists(x, x.missing)", "few", "condition", _ERROR),
    ("in a wide expression, often", f"cel.bind(n, 1, [{','.join(['-n'] * 1900)}]) == [] || input.l.exists(x, x.missing)", "zeros", "condition", _ERROR),
    ("of something wide", turns(f"[{','.join(['x'] * 2000)}][5000]", "exists"), "zeros", "expression", _ERROR),
    ("of something wide that is not computed", turns(f"(x == 0 ? {{}} : {{'a': [{','.join(['x'] * 1900)}]}}).b", "exists"), "zeros", "expression", _ERROR),
    ("of a long field", turns(f"x.{'a' * 7000}", "exists"), "zeros", "expression", _ERROR),
    ("at the end of a long path", turns(f"x{'.a' * 50}", "exists"), "zeros", "expression", _ERROR),
    ("of an index", turns("input.l[x + 1000000] == 0", "exists"), "zeros", "expression", _ERROR),
    ("of a function", "input.l.exists(x, int(input.s) == 0)", "thousand", "expression", _ERROR),
    ("of a function, a quick one", turns("int('x') == 0", "exists"), "zeros", "expression", _ERROR),
    ("of overflow", turns("9223372036854775807 + x + 1 == 0", "exists"), "zeros", "expression", _ERROR),
    ("of a key that is there twice", turns("{string(x): 1, string(x): 2} == {}", "exists"), "zeros", "expression", _ERROR),
    ("of optionals", turns("input.?y.value()", "exists"), "zeros", "expression", _ERROR),
    ("of fuel", turns("input.l.all(y, input.l.all(z, true))", "exists"), "zeros", "expression", _ERROR),
    ("of fuel, in ||", "input.l.all(a, input.l.all(b, true)) || input.l.all(c, true)", "zeros", "expression", _ERROR),
    ("each told anew", turns("[1].exists(y, x.missing)", "exists"), "few", "expression", _ERROR),
    (
        "each told anew, in a wide expression",
        f"cel.bind(n, 1, [{','.join(['-n'] * 1900)}]).size() < 0 || " + turns("[1].exists(y, x.missing)", "exists"),
        "few",
        "condition",
        _ERROR,
    ),
    (
        "each told anew, of something wide",
        turns(f"[1].exists(y, {{'a': [{','.join(['y'] * 1900)}]}}.missing)", "exists"),
        "few",
        "expression",
        _ERROR,
    ),
    (
        "each told anew, of something deep",
        turns(f"[1].exists(y, {'[' * 50}y{']' * 50}{'[0]' * 50}.missing)", "exists"),
        "few",
        "expression",
        _ERROR,
    ),
    ("each told anew, at the end of a long path", turns(f"[1].exists(y, input{'.?o' * 60}.missing.orValue(y))", "exists"), "few", "expression", _ERROR),
    ("each told anew, of a large key", turns("[1].exists(y, input.m[input.s + 'b'])", "exists"), "long keys", "expression", _ERROR),
    ("each told anew, through functions", turns("[[[[[[[[1]]]]]]]].exists(b, b.exists(c, c.exists(d, d.exists(e, e.exists(f, f.exists(g, g.exists(h, h.exists(i, i.a))))))))", "exists"), "few", "expression", _ERROR),
    ("far down, and up again", nested("(input.x.a || ", "input.x.a", ")", 30), "few", "condition", _ERROR),
)  # fmt: skip

_TEST = {"field": "input.l", "operator": "contains", "value": -1}


def _condition(levels: int, core: Any = _TEST) -> Any:
    for level in range(levels):
        core = {"not": core} if level % 2 else {"any": [core]}
    return core


CONFIGS = _group(
    "configs",
    ("200 tests", {"any": [_TEST] * 200}, "ints", "condition"),
    ("201 tests", {"any": [_TEST] * 201}, "ints", "condition", _REFUSED),
    ("tests within tests", _condition(31), "ints", "condition", ("value", "refused")),
    ("200 tests within tests", _condition(28, {"all": [_condition(4)] * 200}), "ints", "condition", ("value", "error", "refused")),
    ("nothing within nothing", {"all": [{"any": [{"all": []}] * 280}] * 280}, "few", "condition", ("value", "refused")),
    ("many patterns", {"any": [{"field": "input.s", "operator": "matches", "value": f"(a|b{n})*c"} for n in range(99)]}, "text", "condition", ("value", "error")),
    (
        "numbers whose hashes are alike",
        {"field": "input.n", "operator": "in", "value": [n * MERSENNE for n in range(1, 44_000)]},
        "few",
        "condition",
        ("value", "refused"),
    ),
    (
        "numbers whose hashes are alike, written",
        "input.n in [" + ",".join(str(n * (2**61 - 1) % 2**63) for n in range(1, 4)) + ", 1]",
        "few",
        "condition",
        _VALUE,
    ),
    ("a large constant", {"field": "input.l", "operator": "eq", "value": list(range(140_000))}, "ints", "condition"),
    ("a large constant to look through", {"any": [{"field": f"input.l[{n}]", "operator": "in", "value": list(range(-900, 0))} for n in range(150)]}, "ints", "condition"),
    ("lists to look through", {"field": "input.l", "operator": "in", "value": [[n] for n in range(60_000)]}, "ints", "condition"),
    ("values out of data", {"any": [{"field": "input.l", "operator": "in", "value": ["${input.l}"] * 100}] * 15}, "ints", "condition"),
    ("bounds out of data", {"all": [{"field": "input.n", "operator": "between", "value": "${[input.n, input.n].sort()}"}] * 150}, "few", "condition", _VALUE),
    ("moments out of data", {"any": [{"field": "input.s", "operator": "before", "value": "2026-01-01T00:00:00Z"}] * 200}, "no times", "condition", _ERROR),
    ("fields within fields", {"field": "input" + ".a" * 3900, "operator": "exists"}, "few", "condition", ("value", "refused", "error")),
    ("deep fields", {"field": "input.d" + "[0]" * 61, "operator": "exists"}, "deep", "condition", ("value", "refused")),
    ("operators nobody knows", {"any": [{"field": "input.l", "operator": "contain" * 9, "value": 1}] * 3000}, "few", "condition", _REFUSED),
    ("fields nobody knows", {"any": [{f"fiel{n}": 1 for n in range(3000)}] * 3}, "few", "condition", _REFUSED),
    ("1500 values in a text", {"a": "${input.n}" * 1500}, "few", "template", _VALUE),
    ("10,000 values in a text", {"a": "${input.n}" * 10_000}, "few", "template", _REFUSED),
    ("500 computations in a text", {"a": "${input.l.filter(x, x > 5).size()} " * 500}, "few", "template", _VALUE),
    ("10,000 computations in a text", {"a": "${input.l.filter(x, x > 5).size()} " * 10_000}, "few", "template", _REFUSED),
    ("one large value in a text, often", {"a": "${input.s}" * 1500}, "text", "template", _ERROR),
    ("one large value, often", {f"k{n}": "${input.s}" for n in range(1200)}, "text", "template", _ERROR),
    ("one large list, often", {f"k{n}": "${input.l}" for n in range(1200)}, "zeros", "template", _ERROR),
    ("one large list in a text, often", {"a": "x${input.l}" * 1500}, "ints", "template", _ERROR),
    ("50,000 texts", ["${input.n}"] * 50_000, "few", "template", _REFUSED),
    ("nearly nothing but dollars", {"a": "$${" * 300_000 + "${input.n}"}, "few", "template", ("value", "refused")),
    ("dollars", {"a": "$" * 1_000_000 + "{input.n}"}, "few", "template", ("value", "refused")),
    ("a large text around a value", {"a": "x" * (MEBIBYTE - 100) + "${input.s}"}, "text", "template", ("value", "error", "refused")),
    ("a large constant beside a value", {"a": list(range(140_000)), "b": "${input.n}"}, "few", "template", _VALUE),
    ("a value in a deep constant", deep(60, "${input.n}"), "few", "template", ("value", "refused")),
    ("faults", {f"k{n}": "${input.}" for n in range(40_000)}, "few", "template", _REFUSED),
    ("faults in one text", "${input.n + }" * 40_000, "few", "template", _REFUSED),
    ("unknown names", ["${inptu.n}"] * 40_000, "few", "template", _REFUSED),
    ("an address", "https://${input.s}.example/${input.s}?q=${input.s}", "accents", "address", ("value", "error")),
    ("a definition full of small expressions", [("condition", "input.n > 1 && input.s == 'x'")] * 4500, "few", "definition"),
    ("a definition full of large expressions", [("condition", " && ".join(["input.n == 7"] * 480))] * 17, "few", "definition", _VALUE),
    ("more than a definition may have", [("condition", " && ".join(["input.n == 7"] * 480))] * 18, "few", "definition", _REFUSED),
    ("a definition full of loops", [("condition", loops("all", 28, "x0 + x9 > 0"))] * 200, "few", "definition", ("value", "error")),
)  # fmt: skip

RESULTS = _group(
    "results",
    ("a text over the limit", "input.s + 'a'", "text", "expression", ("value", "error")),
    ("a list over the limit", "input.l + input.l", "zeros"),
    ("a large text, often", "input.l.map(x, input.s)", "thousand"),
    ("a large list, often", "input.l.map(x, input.l)", "ints"),
    ("a large map, often", "input.m.map(k, input.m)", "keys"),
    ("a large list, often, with moments", "cel.bind(a, input.l.map(x, now), input.l.map(x, a))", "ints"),
    ("moments", turns("now", "map"), "zeros"),
    ("optionals", turns("optional.of(x)", "map"), "zeros"),
    ("no optionals", turns("optional.none()", "map"), "zeros"),
    ("bytes", "[bytes(input.s), bytes(input.s), bytes(input.s)]", "text"),
    ("infinite", "[1.0 / 0.0]", "few", "expression", ("error",)),
    ("no number", "{'a': 0.0 / 0.0}", "few", "expression", ("error",)),
    ("a NUL", "b'\\000' == b'' ? '' : string(b'\\000')", "few", "expression", _ERROR),
    ("a NUL as a key", "{string(b'\\000'): 1}", "few", "expression", _ERROR),
    ("half a character", "input.s.substring(0, 1) + 'x'", "wide"),
    ("keys that grow", bound("{'k': 1}", "$.transformMapEntry(k, v, {k + k: [v, v]})", 22, "$"), "few"),
    ("numbers that cannot be kept", "input.l.map(x, 9.99e307 + double(x))", "thousand"),
)


def _downwards() -> None:
    _downwards()


BOMBS: tuple[Bomb, ...] = (
    *LOOPS, *TEXTS, *LISTS, *SHARED, *PATTERNS, *NESTED, *NUMBERS, *COMPARED, *SORTED, *ZONED, *ABSORBED, *CONFIGS, *RESULTS,
)  # fmt: skip
HARMS = _group(
    "harms",
    ("takes much memory", lambda: bytearray(1 << 30), "few", "harm"),
    ("fills the stack", _downwards, "few", "harm"),
)
GROUPS = tuple(dict.fromkeys(bomb.group for bomb in BOMBS))
