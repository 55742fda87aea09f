"""What may have been meant by a source that is not CEL: the habits of other languages, of keyboards and of writers.

Advice alone. That something is wrong is found, and said, by lexer, parser and checker.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from engine.cel.grammar import MACROS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.cel.lexer import Token

# Kinds of tokens that a value may begin with.
VALUES = frozenset({"int", "float", "text", "bytes", "name", "true", "false", "null", "(", "[", "{", "!", "-"})

# What is written in other languages, or by a word processor, and how it is written here.
_SIGNS = {
    "=": "Write == to compare.",
    "===": "Write == to compare.",
    "!==": "Write != to compare.",
    "<>": "Write != to compare.",
    "=>": "Write >= to compare.",
    "=<": "Write <= to compare.",
    "≠": "Write !=.",
    "≥": "Write >=.",
    "≤": "Write <=.",
    "&": "Write && for and.",
    "|": "Write || for or.",
    "??": "Write a.?b.orValue(c) for what may be missing.",
    "**": "There is no power; multiply.",
    "×": "Write * to multiply.",  # noqa: RUF001  the sign that is told about
    "÷": "Write / to divide.",
    "−": "Write - to subtract.",  # noqa: RUF001  likewise
    "–": "Write - to subtract.",  # noqa: RUF001  likewise
    ";": "An expression is one value: leave out the semicolon.",
    "#": "A comment begins with //.",
    "`": 'Write ["a-b"] for a field that is no plain name.',
    "->": "Write a.b for a field.",
    "$": "Leave out the dollar sign: what stands here is an expression already.",
    "${": "Leave out ${ and } here: what stands here is an expression already.",
    **dict.fromkeys("“”„‟‘’‚‛«»", "Write straight quotes: \" or '."),  # noqa: RUF001  likewise
}

# Words that stand between values, or before one, in other languages.
WORDS = {
    "and": "Write && for and.",
    "or": "Write || for or.",
    "not": "Write ! for not, as in !(a in b).",
    "is": "Write == to compare.",
    "eq": "Write == to compare.",
    "equals": "Write == to compare.",
    "ne": "Write != to compare.",
    "gt": "Write > to compare.",
    "gte": "Write >= to compare.",
    "lt": "Write < to compare.",
    "lte": "Write <= to compare.",
    "mod": "Write % for the remainder.",
    "div": "Write / to divide.",
    "xor": "Write != between two conditions.",
    "like": "Write a.contains(b) or a.matches(pattern).",
    "between": "Write a >= low && a <= high.",
    "if": "Write test ? value : other.",
    "then": "Write test ? value : other.",
    "else": "Write test ? value : other.",
    "contains": "Write a.contains(b).",
    "matches": "Write a.matches(pattern).",
    "startswith": "Write a.startsWith(b).",
    "endswith": "Write a.endsWith(b).",
}

# What is called in other languages, and how it is written here; names in small letters.
_CALLS = {
    "Write math.greatest(a, b), or list.max().": "max maximum greatest",
    "Write math.least(a, b), or list.min().": "min minimum least",
    "Write size(x).": "count len length strlen sizeof cardinality",
    "Write size(list.filter(x, condition)).": "countif count_if",
    "Write text.lowerAscii().": "lower lowercase tolower tolowercase lcase downcase casefold",
    "Write text.upperAscii().": "upper uppercase toupper touppercase ucase upcase",
    "Write text.trim().": "strip trimstart trimend lstrip rstrip ltrim rtrim",
    "Write map.map(k, k).": "keys getkeys",
    "Write map.map(k, map[k]).": "values getvalues",
    "Write map.transformList(k, v, [k, v]).": "entries items",
    "There is none; use list.sum(), list.min(), list.max() or list.join().": "reduce fold foldl aggregate inject",
    "Write list.sum() / size(list).": "avg average mean",
    "Write now, without brackets.": "now current_timestamp currenttime utcnow",
    "Write timestamp(x) for a text that is one; now is the present moment.": (
        "date datetime today todate todatetime parsedate strptime to_date to_timestamp"
    ),
    'Write duration("24h") for a day; units are h, m and s.': (
        "days hours minutes seconds interval timedelta addhours addminutes addseconds"
    ),
    'Write time.plus("P1D", "UTC") for a day later, "P1M" for a month.': "adddays addmonths addyears dateadd date_add",
    'Write time.date("UTC") for a text such as 2026-01-31.': "formatdate format_date dateformat strftime todatestring",
    "Write map.merge(other).": "assign extend mergedeep deepmerge",
    "Write math.floor(x), math.ceil(x) or math.trunc(x).": "roundup rounddown truncate",
    "There is no power; multiply.": "pow power",
    "Write math.ceil(x).": "ceiling",
    "Write x.contains(y).": "includes include include? instr",
    "Write has(x.y) for a field, x.contains(y) for an item or a part.": (
        "has haskey has_key hasproperty hasownproperty containskey isdefined defined isset isundefined"
    ),
    "Write list.exists(x, condition).": "some any anymatch",
    "Write list.all(x, condition).": "every allmatch",
    "Write !list.exists(x, condition).": "nonematch",
    "Write list.filter(x, condition).first().": "find detect findfirst findlast",
    "Write list.filter(x, condition).": "where select reject grep",
    "Write list.map(x, value).": "foreach for_each each collect pluck mapto",
    "Write list.map(x, value).flatten().": "flatmap flat_map",
    "Write list.sortBy(x, key).": "sort_by orderby order_by sorted sortedby",
    "Write list.reverse().": "reversed",
    "Write list.distinct().": "unique uniq dedupe toset",
    "Write list.flatten().": "flat",
    "Write list[0], or list.first() for what may be missing.": "head",
    "Write text.substring(from, to), or list.slice(from, to).": "slice substr mid subsequence sublist take drop limit",
    "Write string(x).": "tostring str to_string text tojson to_json jsonstringify stringify dumps strval",
    "Write int(x), or double(x).": (
        "parseint parsefloat number tonumber to_number toint to_int integer float tofloat decimal num intval"
    ),
    "Write bool(x).": "boolean tobool toboolean",
    "Write a + b, or list.join().": "concat concatenate append push add union implode",
    "Write list.map(x, x.key).distinct().map(k, list.filter(x, x.key == k)); docs/expressions.md has a recipe.": (
        "groupby group_by group"
    ),
    "Write list.transformMapEntry(i, x, {x.key: x}).": "keyby key_by indexby index_by tomap todict associate",
    "Write test ? value : other.": "iif ifelse if_else ifthenelse cond when choose switch",
    "Write x == null.": "isnull is_null isnone isnil",
    "Write size(x) == 0.": "isempty is_empty empty",
    "Write coalesce(a, b).": "ifnull if_null nvl default orelse or_else getordefault",
    "Write map[?key].orValue(other).": "get getvalue lookup",
    "Write text.matches(pattern).": "match test regex regexp rlike search",
    "Write text.replace(old, new).": "replaceall sub gsub",
    "Write text.charAt(place).": "char_at charat",
    "Write text.format(list).": "sprintf printf",
    "Write x.getDayOfWeek().": "getday weekday dayofweek",
    "Write x.getFullYear().": "getyear year",
    "Write x.getMonth() + 1.": "month",
    "Write x.getDate().": "day",
    "There is none: the same values always give the same result.": "random rand uuid guid newguid randint",
}
CALLS = {name: advice for advice, names in _CALLS.items() for name in names.split()}

# What is called with more or fewer arguments in other languages.
ARGUMENTS = {
    "math.round": "Write math.round(x * 100) / 100 for two digits behind the point.",
    "slice": "Write list.slice(from, to), or text.substring(from).",
    "sum": "Write list.map(x, value).sum().",
    "max": "Write math.greatest(a, b), or list.map(x, value).max().",
    "min": "Write math.least(a, b), or list.map(x, value).min().",
    "sort": "Write list.sortBy(x, key).",
    "distinct": "Write list.map(x, value).distinct().",
    "join": 'Write list.join(", "), or list.map(x, text).join(", ").',
    "first": "Write list.filter(x, condition).first().",
    "last": "Write list.filter(x, condition).last().",
    "size": "Write size(list.filter(x, condition)).",
}

# Names that mean something in other languages, and how it is written here.
NAMES = {
    "True": "Write true.",
    "TRUE": "Write true.",
    "False": "Write false.",
    "FALSE": "Write false.",
    **dict.fromkeys(("None", "NULL", "Null", "nil", "undefined"), "Write null."),
    "NaN": 'Write double("NaN").',
    "today": "Write now.",
    "Math": "Write math, in small letters.",
}
# What functions are called on in other languages, and here are not.
LIBRARIES = frozenset(
    {"Math", "Object", "JSON", "Date", "Number", "String", "Array", "Boolean", "Arrays", "Collections"}
)

# Operators of structured conditions, as others write them: in small letters, with neither space, hyphen nor underscore.
_OPERATORS = {
    "eq": "= == === equals equal equalto isequalto is same",
    "ne": "!= !== <> notequals notequal notequalto isnot neq",
    "gt": "> greater greaterthan isgreaterthan more morethan above over",
    "gte": ">= => greaterorequal greaterthanorequal greaterthanorequalto greaterthanequal ge atleast",
    "lt": "< less lessthan islessthan smaller smallerthan below under",
    "lte": "<= =< lessorequal lessthanorequal lessthanorequalto lessthanequal le atmost",
    "in": "isin oneof anyof isoneof among",
    "not_in": "notin nin noneof isnotin",
    "contains": "includes include has",
    "starts_with": "startswith beginswith prefix",
    "ends_with": "endswith suffix",
    "matches": "match regex regexp like =~ ~",
    "between": "range inrange",
    "exists": "isset defined isdefined present haskey",
    "empty": "isempty null isnull blank",
}
_MEANT_OPERATORS = {name: operator for operator, names in _OPERATORS.items() for name in names.split()}

# What follows `=>` or `->` belongs to a function that another language would take as an argument.
_ARROW = re.compile(r"(\w+)\(\s*(?:(\w+)|\(([\w\s,]*)\))\s*\Z")
_AHEAD = re.compile(r",[\w\s,]*\)\s*(?=[=-]>)")
_BODY = re.compile(r"\s*([^(){}\[\],]+)\)")
_NEAR = 100  # characters before and behind an arrow that are looked at

# Signs that begin a value, where they follow one.
_MEANT = {
    "!": "Write != to compare, or ! before all of it, as in !(a in b).",
    "(": "Only a function can be called, by its name.",
    "{": "Messages such as T{} are not part of the language.",
}

# Where a value is wanted.
LEADING = {
    ".": "Leave out the leading dot.",
    "?.": "Leave out the leading dot.",
    "+": "A value has no sign but -; leave out this +.",
    "quoted": "Backquotes are for fields: write input.`a-b`.",
}

# With no bracket open.
_ALONE = {
    ")": "There is no ( for it.",
    "]": "There is no [ for it.",
    "}": "There is no { for it.",
    ":": "There is no ? for it.",
    ",": "An expression is one value; several go into a list: [a, b].",
}


def sign(written: str) -> str:
    """Return how a sign or a character that is not part of the language is written here."""
    if written.isspace():
        return "Write a plain space."
    return _SIGNS.get(written, "" if written.isprintable() else "Leave it out; it cannot be seen.")


def arrow(text: str, at: int) -> str:
    """Return how a function that is an argument is written here, '' where none is.

    At the place is its arrow, or the first comma among its parameters.
    """
    ahead = _AHEAD.match(text, at, at + _NEAR)
    at = ahead.end() if ahead else at
    found = _ARROW.search(text[max(0, at - _NEAR) : at])
    if found is None:
        return ""
    name, one, several = found.groups()
    if name not in MACROS:
        return CALLS.get(name.lower()) or ARGUMENTS.get(name) or "Write list.map(x, value), or another macro."
    variables = (one or several).replace(",", " ").split()
    body = _BODY.match(text[at + 2 : at + _NEAR])
    return f"Write {_macro(name, variables)}, {body[1].strip() if body else '…'})."


def _macro(name: str, variables: list[str]) -> str:
    """Return how a macro begins. Elsewhere the index is the second variable, here the first."""
    if len(variables) < 2:
        return f"{name}({variables[0] if variables else 'x'}"
    name = name if 3 in MACROS[name] and MACROS[name][3] == 2 else "transformList"
    return f"{name}({variables[1]}, {variables[0]}"


def call(name: str) -> str:
    """Return how a function of another language is written here; '' where it is not known."""
    space, _, last = name.lower().rpartition(".")
    return (CALLS.get(last) or WORDS.get(last, "")) if space in ("", "math") else ""


def near(name: str, known: Iterable[str]) -> str:
    """Return the known name of which another is a slip of the pen, '' where it seems to be no slip.

    A slip spares the first letter and most of the others. What comes before a dot may be left out, but not changed.
    """
    space, _, last = name[:40].rpartition(".")
    names: dict[str, str] = {}
    for one in known:
        prefix, _, rest = one.rpartition(".")
        if rest[:1].lower() == last[:1].lower() and (not space or prefix == space):
            names.setdefault(rest.lower(), one)
    found = get_close_matches(last.lower(), names, 1, 0.75)
    return names[found[0]] if found else ""


def operator(written: str) -> str:
    """Return the operator of structured conditions that was meant, '' where none is known."""
    return _MEANT_OPERATORS.get(re.sub(r"[\s_-]", "", written[:40]).lower(), "")


def shown(token: Token) -> str:
    """Return how a message names a token."""
    if token.kind == "end":
        return "the end"
    return repr(token.text if len(token.text) <= 40 else token.text[:39] + "…")


def after_value(token: Token, *, inside: bool) -> str:
    """Return what may have been meant by a token that follows a value; `inside`: within brackets."""
    if token.kind == "name" and token.text.lower() in WORDS:
        return WORDS[token.text.lower()]
    if token.kind == "float" and token.text.startswith("."):
        return f'Write ["{token.text[1:]}"] for a field, [{token.text[1:]}] for an item of a list.'
    if token.kind in _MEANT:
        return _MEANT[token.kind]
    if token.kind in VALUES:
        return "Put an operator such as + or && before it."
    return "" if inside else _ALONE.get(token.kind, "")
