"""The functions and macros of expressions: what they are called, what they take and give.

The checker checks calls by this table, the code generator calls what it names, and the page is made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.cel.functions import encodings, formats, lists, numbers, objects, optionals, shared, texts, times


class Function(Struct, frozen=True):
    """A function. Kinds: bool number text bytes list map timestamp duration optional any; several joined by `|`."""

    name: str
    call: Callable[..., Any]  # call(fuel, *operands)
    result: str
    params: tuple[str, ...]  # of a method the first is what it is called on
    method: bool = False
    optional: int = 0  # how many of the last may be left out
    variadic: bool = False  # the last may be repeated
    says: str = ""
    cost: int = 10  # fuel for the call itself, taken by the code that calls; what grows the function takes


class MacroForm(Struct, frozen=True):
    """A macro. `filters`: a condition may come before the value."""

    form: str
    target: str
    result: str
    filters: bool
    says: str


def _function(name: str, call: Callable[..., Any], result: str, params: str, says: str, **more: Any) -> Function:
    return Function(name, call, result, tuple(params.split()), says=says, **more)


def _method(name: str, call: Callable[..., Any], result: str, params: str, says: str, **more: Any) -> Function:
    return _function(name, call, result, params, says, method=True, **more)


_CONVERSIONS = (
    _function("size", shared.size, "number", "text|list|map|bytes", "how many characters, items, entries or bytes"),
    _function("string", shared.string, "text", "any", "the value as text; lists and objects as JSON"),
    _function(
        "int",
        numbers.whole_number,
        "number",
        "number|text|timestamp",
        "a whole number: without what is behind the point, of a text, of a timestamp the seconds since 1970",
    ),
    _function("double", numbers.real_number, "number", "number|text", "a number with a point"),
    _function("bool", shared.boolean, "bool", "bool|text", "true or false of a text such as `true` or `0`"),
    _function("bytes", encodings.to_bytes, "bytes", "text|bytes", "the UTF-8 bytes of a text"),
    _function("dyn", shared.dyn, "any", "any", "the value as it is; of what kind is only seen when it is used"),
    _function(
        "timestamp",
        times.timestamp,
        "timestamp",
        "text|number|timestamp text",
        "a timestamp of an RFC 3339 text or of the seconds since 1970; with a time zone, of a date or a time there",
        optional=1,
    ),
    _function(
        "duration",
        times.duration,
        "duration",
        "text|number|duration",
        "a duration of a text such as `1h30m` (units h, m, s, ms, us, ns), of seconds",
    ),
)
_NUMBERS = (
    _function("math.round", numbers.half_away, "number", "number", "the nearest whole number; halves away from zero"),
    _function("math.ceil", numbers.ceiling, "number", "number", "the next whole number that is not less"),
    _function("math.floor", numbers.floored, "number", "number", "the next whole number that is not greater"),
    _function("math.trunc", numbers.cut, "number", "number", "the number without what is behind its point"),
    _function("math.abs", numbers.magnitude, "number", "number", "the number without its sign"),
    _function("math.sign", numbers.sign, "number", "number", "-1, 0 or 1"),
    _function(
        "math.greatest",
        numbers.greatest,
        "number",
        "number|list number",
        "the greatest of numbers, or of those in one list",
        optional=1,
        variadic=True,
    ),
    _function(
        "math.least",
        numbers.least,
        "number",
        "number|list number",
        "the least of numbers, or of those in one list",
        optional=1,
        variadic=True,
    ),
    _function("math.isNaN", numbers.is_nan, "bool", "number", "whether it is no number, as `double('NaN')` is none"),
    _function("math.isInf", numbers.is_infinite, "bool", "number", "whether it is infinite, as 1e308 * 10 is"),
    _function("math.isFinite", numbers.is_finite, "bool", "number", "whether it is neither infinite nor NaN"),
)
_OTHERS = (
    _function("matches", texts.matches, "bool", "text text", "whether a pattern (RE2) occurs in a text"),
    _function("lists.range", lists.counted, "list", "number", "the whole numbers from 0 on, so many"),
    _function("base64.encode", encodings.encode_base64, "text", "bytes|text", "the base64 text of bytes"),
    _function("base64.decode", encodings.decode_base64, "bytes", "text", "the bytes of a base64 text"),
    _function(
        "hash.sha256", encodings.hash_sha256, "text", "bytes|text", "the SHA-256 of bytes, as hexadecimal digits"
    ),
    _function(
        "coalesce",
        optionals.coalesce,
        "any",
        "any any",
        "the first that is there and not null, else null; what comes behind it is not evaluated",
        optional=1,
        variadic=True,
    ),
    _function("optional.of", optionals.of, "optional", "any", "an optional that has the value"),
    _function("optional.none", optionals.none, "optional", "", "the optional without a value"),
    _function(
        "optional.ofNonZeroValue",
        optionals.of_non_zero,
        "optional",
        "any",
        "an optional of the value; without one for null, false, 0 and what is empty",
    ),
)
_TEXTS = (
    _method("startsWith", texts.starts_with, "bool", "text text", "whether it begins with a text"),
    _method("endsWith", texts.ends_with, "bool", "text text", "whether it ends with a text"),
    _method("matches", texts.matches, "bool", "text text", "whether a pattern (RE2) occurs in it"),
    _method(
        "split", texts.split, "list", "text text number", "its pieces between separators, at most so many", optional=1
    ),
    _method("trim", texts.trim, "text", "text", "without white space at its ends"),
    _method("lowerAscii", texts.lower_ascii, "text", "text", "with A to Z made small"),
    _method("upperAscii", texts.upper_ascii, "text", "text", "with a to z made capital"),
    _method(
        "replace",
        texts.replace,
        "text",
        "text text text number",
        "with another text put for a part, at most so often",
        optional=1,
    ),
    _method(
        "substring",
        texts.substring,
        "text",
        "text number number",
        "the characters from a place to before another",
        optional=1,
    ),
    _method("charAt", texts.char_at, "text", "text number", "one character"),
    _method(
        "format",
        formats.formatted,
        "text",
        "text list",
        "with items put for %s %d %f %.2f %e %x %X %o %b; with widths as in %5s, %-5s, %05d",
    ),
)
_SHARED = (
    _method("size", shared.size, "number", "text|list|map|bytes", "how many characters, items, entries or bytes"),
    _method("contains", shared.contains, "bool", "text|list|map any", "whether it has the part, the item, the key"),
    _method(
        "indexOf",
        shared.index_of,
        "number",
        "text|list any number",
        "where it has the text or the item first, -1 for nowhere; of a text from a place on",
        optional=1,
    ),
    _method(
        "lastIndexOf",
        shared.last_index_of,
        "number",
        "text|list any number",
        "where it has the text or the item last, -1 for nowhere; of a text at a place at the latest",
        optional=1,
    ),
    _method("reverse", shared.reverse, "any", "text|list", "from its end to its beginning"),
)
_LISTS = (
    _method("join", lists.join, "text", "list text", "its items as one text, with a text between them", optional=1),
    _method("sum", lists.total, "any", "list", "the sum of its numbers or durations; 0 for none"),
    _method("min", lists.least, "any", "list", "its smallest item"),
    _method("max", lists.greatest, "any", "list", "its greatest item"),
    _method("sort", lists.sort, "list", "list", "its items in their order"),
    _method("distinct", lists.distinct, "list", "list", "without the items that equal an earlier one"),
    _method(
        "flatten",
        lists.flatten,
        "list",
        "list number",
        "with the items of lists in their place, one level deep or so many",
        optional=1,
    ),
    _method("slice", lists.part, "list", "list number number", "the items from a place to before another"),
    _method("first", lists.first, "optional", "list", "its first item"),
    _method("last", lists.last, "optional", "list", "its last item"),
    _method("merge", objects.merged, "map", "map map", "its entries and another's, which count where both have a key"),
)
_OPTIONALS = (
    _method("hasValue", optionals.has_value, "bool", "optional", "whether it has a value"),
    _method("value", optionals.value, "any", "optional", "its value; an error where it has none"),
    _method("orValue", optionals.or_value, "any", "optional any", "its value, another one where it has none"),
    _method("or", optionals.otherwise, "optional", "optional optional", "itself, another one where it has no value"),
)
_BOTH, _MOMENT = "timestamp|duration text", "timestamp text"
_TIMES = (
    _method("at", times.at, "timestamp", "timestamp text text", "the same day in a time zone, when clocks show a time"),
    _method("date", times.date_text, "text", "timestamp text", "the date in a time zone, such as `2026-02-14`"),
    _method(
        "plus",
        times.plus,
        "timestamp",
        "timestamp text text",
        "the same time of day in a time zone, years, months, weeks or days later (`P1M`) or earlier (`-P2W`)",
    ),
    _method("getFullYear", times.get_full_year, "number", _MOMENT, "the year", optional=1),
    _method("getMonth", times.get_month, "number", _MOMENT, "the month, from 0", optional=1),
    _method("getDate", times.get_date, "number", _MOMENT, "the day of the month, from 1", optional=1),
    _method("getDayOfMonth", times.get_day_of_month, "number", _MOMENT, "the day of the month, from 0", optional=1),
    _method("getDayOfWeek", times.get_day_of_week, "number", _MOMENT, "the day of the week, 0 for Sunday", optional=1),
    _method("getDayOfYear", times.get_day_of_year, "number", _MOMENT, "the day of the year, from 0", optional=1),
    _method("getHours", times.get_hours, "number", _BOTH, "the hour; of a duration all whole hours", optional=1),
    _method("getMinutes", times.get_minutes, "number", _BOTH, "the minute; of a duration all of them", optional=1),
    _method("getSeconds", times.get_seconds, "number", _BOTH, "the second; of a duration all of them", optional=1),
    _method("getMilliseconds", times.get_milliseconds, "number", _BOTH, "the milliseconds of the second", optional=1),
)

FUNCTIONS: dict[str, Function] = {found.name: found for found in (*_CONVERSIONS, *_NUMBERS, *_OTHERS)}
METHODS: dict[str, Function] = {found.name: found for found in (*_TEXTS, *_SHARED, *_LISTS, *_OPTIONALS, *_TIMES)}

_ANY = "list|map"
MACROS: dict[str, MacroForm] = {
    "all": MacroForm("list.all(x, condition)", _ANY, "bool", False, "whether the condition is true for every item"),
    "exists": MacroForm("list.exists(x, condition)", _ANY, "bool", False, "whether it is true for one item at least"),
    "exists_one": MacroForm(
        "list.exists_one(x, condition)", _ANY, "bool", False, "whether it is true for just one item"
    ),
    "filter": MacroForm("list.filter(x, condition)", _ANY, "list", False, "the items for which it is true"),
    "map": MacroForm("list.map(x, value)", _ANY, "list", True, "a value for each item"),
    "sortBy": MacroForm("list.sortBy(x, key)", "list", "list", False, "the items in the order of their keys"),
    "transformList": MacroForm(
        "list.transformList(i, x, value)", _ANY, "list", True, "a value for each index and item, or key and value"
    ),
    "transformMap": MacroForm(
        "map.transformMap(k, v, value)", _ANY, "map", True, "an object with the same keys and other values"
    ),
    "transformMapEntry": MacroForm(
        "map.transformMapEntry(k, v, {key: value})", _ANY, "map", True, "an object of other entries"
    ),
    "optMap": MacroForm(
        "optional.optMap(x, value)", "optional", "optional", False, "an optional of the value, where there is one"
    ),
    "cel.bind": MacroForm("cel.bind(x, value, result)", "any", "any", False, "the result, in which x is the value"),
}
