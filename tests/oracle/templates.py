"""What generated expressions are made of: for every kind of value, the texts that give one.

`<int>` in a template stands for an expression of that kind. `<int?>` may be of a wrong kind too: only where no value of
a wrong kind has a meaning in one of the implementations. `item` is the kind of a container's items, `other` any kind;
both are chosen once for a template. `@x` is a new variable, and `<bool x:item>` an expression that may use it.
"""

from __future__ import annotations

SCALARS = ("int", "float", "bool", "text", "timestamp", "duration")
OTHERS = (*SCALARS, "int", "text", "line", "list int", "map text")
# Behind dyn(), for a fault that can be seen at publish is refused there, whether or not it would have been reached.
WRONG = {
    "int": ("dyn(null)", "dyn('a')", "dyn(true)", "dyn([1])", "input.none", "dyn({'a': 1})"),
    "float": ("dyn(null)", "dyn('a')", "dyn(true)", "dyn([1.5])", "input.none"),
    "bool": ("dyn(null)", "dyn(1)", "dyn('a')", "dyn([true])", "input.none", "input.n"),
    "text": ("dyn(null)", "dyn(1)", "dyn(true)", "input.none", "input.n"),
    "timestamp": ("input.none", "dyn('a')", "dyn(1)", "dyn(true)", "input.when"),
    "duration": ("input.none", "dyn('a')", "dyn(1)", "dyn(true)"),
    "list": ("dyn(null)", "dyn(1)", "dyn(true)", "input.none"),
}
ERRORS = (
    "input.missing",
    "dyn(1 / 0)",
    "dyn([1][5])",
    "input.none.x",
    "dyn({'a': 1}.b)",
    "optional.none().value()",
    "dyn(int('x'))",
)

# Written as they are. Integers stay small where they meet numbers with a point: see DIFFERENCES.
LEAVES: dict[str, tuple[str, ...]] = {
    "int": ("0", "1", "2", "3", "-1", "7", "0x1f", "input.n", "input.m", "input.n", "9223372036854775807"),
    "small": ("0", "1", "-2", "3", "input.n", "input.m"),
    "float": ("0.0", "1.5", "-2.5", "1e3", ".25", "-0.0", "input.x", "input.y", "input.x", "2.0"),
    "bool": ("true", "false", "input.yes", "input.no"),
    "text": ("'abc'", "''", "'a,b'", r"'é\u00e9😀'", r"' x\t'", "input.s", "input.t", "input.s", "'12'", 'r"\\n"',
    '"it\'s"'),
    "bytes": ("b'abc'", r"b'\xff'", "b''", "bytes(input.s)"),
    "timestamp": ("now", "timestamp('2026-03-29T00:59:59Z')", "timestamp('2026-10-25T02:30:00.5+02:00')",
                  "timestamp(input.when)", "timestamp(0)", "timestamp('1999-12-31T23:59:59.123456-08:00')"),
    "duration": ("duration('90s')", "duration('-1.5h')", "duration('1500ms')", "duration('2h45m')", "duration('0')",
                 "duration('10us')"),
    "index": ("0", "0", "1", "0", "1", "2", "3", "-1"),
    "key": ("'a'", "'a'", "'b'", "'c'", "input.s"),
    "encoded": ("'YWI='", "'YWI'", "'YQ=='", "'Y Q'", "''", "'!'", "'YQ==='", "input.s"),
    "separator": ("','", "''", "'b'", "input.s"),
    "pattern": ("'^a'", "'[a-c]+$'", "'.'", r"r'\d'", "'(?i)B|x'", "'é'"),
    "zone": ("'Europe/Berlin'", "'+05:30'", "'-08:00'", "'America/New_York'", "'UTC'"),
    "nan": ("'NaN'", "'Infinity'", "'-Infinity'"),
    "order": ("<", "<=", ">", ">=", "==", "!="),
    "sign": ("+", "-", "*", "%"),
    "step": ("+", "-", "*"),
    "part": ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours",
             "getMinutes", "getSeconds", "getMilliseconds"),
    "line": ("input.order.lines[0]", "input.order.lines[1]"),
    "list int": ("input.numbers", "[1, 2, 3]", "[]"),
    "list float": ("input.floats", "[0.5, 1.5]"),
    "list text": ("input.words", "['b', 'a']", "input.order.lines[0].tags"),
    "list bool": ("[true, false]", "[input.yes]"),
    "list line": ("input.order.lines",),
    "map int": ("input.counts", "{'a': 1, 'b': 2}", "{}"),
    "map text": ("input.names", "{'c': 'x'}"),
    "optional int": ("input.?n", "input.?gone", "input.?order.?count"),
    "optional text": ("input.?s", "input.?gift", "input.?order.customer.name"),
    "optional line": ("input.order.lines[?0]", "input.?order.lines[?5]"),
}  # fmt: skip

ANY_KIND = (
    "(<truth> ? <same> : <same>)",
    "(<truth> ? <same> : <truth> ? <same> : <same>)",
    "cel.bind(@x, <other>, <same x:other>)",
)
ANY_ITEM = (
    "<optional same>.orValue(<same>)",
    "<optional same>.value()",
    "<list same>[<index>]",
    "<map same>[<key>]",
    "<map same>.a",
)
LINE = {"int": "count", "text": "sku", "float": "price", "list text": "tags"}

# Never both in one expression: see "variables after an all that stopped early" among the differences.
STOPS_EARLY, BINDS = (".all(", ".exists("), ("cel.bind(", ".optMap(")

LOGIC = (
    "(<truth> && <truth>)", "(<truth> || <truth>)", "!(<truth>)", "(<truth> && <truth> || <truth>)",
    "(<truth> || <truth> && !(<truth>))", "(<truth> && <truth> && <truth>)", "(<truth> || <truth> || <truth>)",
)  # fmt: skip

TEMPLATES: dict[str, tuple[str, ...]] = {
    "int": (
        "(<int?> <sign> <int?>)", "(<int> <sign> <int> <sign> <int>)",
        "(<int> <sign> -<int> <sign> (<int> <sign> <int>))", "-(<int?>)", "(<int> * 6 / -3)", "(<int> * <int> / 1)",
        "size(<text?>)", "<list item>.size()",
        "size(<map item>)",
        "size(<bytes>)", "<text?>.indexOf(<text?>)", "<text>.lastIndexOf(<text>)", "<text>.indexOf(<text>, <index>)",
        "<text>.lastIndexOf(<text>, <index>)", "math.abs(<int?>)", "math.sign(<int>)", "math.greatest(<int?>, <int>)",
        "math.least(<int>, <int>, <int>)", "math.greatest(<list int>.reverse())", "int(<text>)", "int(<float>)",
        "int(<timestamp>)",
        "<timestamp?>.<part>()", "<timestamp>.<part>(<zone>)", "<duration>.getHours()", "<duration>.getMinutes()",
        "<duration>.getSeconds()", "<duration>.getMilliseconds()", "<line>.count",
        "<list item>.filter(@x, <truth x:item>).size()",
    ),
    "float": (
        "(<float?> <step> <float?>)", "(<float> <step> <float> <step> <float>)", "-(<float?>)", "(<float> / 2.5)",
        "(<float?> / -1e-3)",
        "(math.round(<float?>) + 0.0)", "(math.ceil(<float>) + 0.0)",
        "(math.floor(<float>) + 0.0)", "(math.trunc(<float>) + 0.0)", "math.abs(<float?>)", "math.sign(<float>)",
        "math.greatest(<float>, <float>)",
        "math.least(<list float>.reverse())", "double(<int>)", "double(<text>)", "double(<nan>)", "<line>.price",
    ),
    "bool": (
        *LOGIC, *LOGIC,
        "(<int?> <order> <int?>)", "(<text?> <order> <text?>)", "(<float?> <order> <float?>)",
        "(<bool?> <order> <bool?>)",
        "(<timestamp?> <order> <timestamp?>)", "(<duration?> <order> <duration?>)", "(<small> <order> <float>)",
        "(<bytes> <order> <bytes>)",
        "(dyn(<any>) == <any>)", "(<any> != dyn(<any>))", "(<list item> == <list item>)",
        "(<map item> != <map item>)",
        "(dyn(<optional item>) == dyn(<optional item>))", "(<any> in <list item>)", "(<item> in <list item>)",
        "(<text> in <map item>)",
        "(<int> in <map item>)", "(<bool> in <map item>)",
        "(<int> <order> <int> && <truth> || <float> <order> <float>)",
        "(<int> <sign> <int> <order> <int> <sign> <int>)",
        "(<int> <order> <int> == <truth> && !(<truth>) || <truth> && <truth>)",
        "(!(<truth>) || <text> + <text> in <list text>)", "<text?>.contains(<text?>)",
        "<text?>.startsWith(<text?>)", "<text>.endsWith(<text>)", "<text>.matches(<pattern>)",
        "matches(<text>, <pattern>)",
        "<list?>.all(@x, <truth x:other>)", "<list item>.all(@x, <truth x:item>)",
        "<list item>.exists(@x, <truth x:item>)",
        "<list item>.exists_one(@x, <truth x:item>)", "<map item>.all(@k, <truth k:text>)",
        "<map item>.exists(@k, <truth k:text>)",
        "<list item>.all(@i, @v, <truth i:int v:item>)", "<map item>.exists(@k, @v, <truth k:text v:item>)",
        "<list item>.existsOne(@i, @v, <truth i:int v:item>)", "has(input.gift)", "has(input.order.customer.name)",
        "has(<map item>.a)",
        "has(<line>.count)", "has(input.?order.lines)", "has(input.none.x)", "<optional item>.hasValue()",
        "bool(<text>)",
        "math.isNaN(<float>)", "math.isInf(<float>)", "math.isFinite(<float>)",
    ),
    "text": (
        "(<text?> + <text?>)", "(<text> + <text> + <text>)", "string(<int>)", "string(<bool>)", "string(<bytes>)",
        "<text?>.lowerAscii()",
        "<text?>.upperAscii()", "<text?>.trim()", "<text>.reverse()", "<text>.substring(<index>)",
        "(<text> + 'wxyz').substring(<index>, <index>)",
        "<text>.charAt(<index>)", "<text?>.replace(<text?>, <text>)", "<text>.replace(<text>, <text>, <index>)",
        "<list text>.join()",
        "<list text>.join(<separator>)", "'%s-%d'.format([<text>, <int>])",
        "'%x|%o|%b'.format([<int>, <int>, <int>])",
        "'%s %X'.format([<bool>, <text>])", "'%.2f;%e'.format([<float>, <float>])", "'%f'.format([<small>])",
        "base64.encode(<bytes>)",
        "<line>.sku",
    ),
    "bytes": ("(<bytes> + <bytes>)", "bytes(<text>)", "base64.decode(base64.encode(<bytes>))",
    "base64.decode(<encoded>)"),
    "timestamp": (
        "(<timestamp?> + <duration?>)", "(<duration> + <timestamp>)", "(<timestamp?> - <duration?>)",
        "timestamp(<small>)",
        "timestamp(string(timestamp(<small>)))",
    ),
    "duration": ("(<duration?> + <duration?>)", "(<duration> - <duration>)", "(<timestamp?> - <timestamp?>)",
    "duration(string(<small>) + 's')"),
    "list": (
        "[<item>]", "[<item>, <item>]", "[<item>, <item>, <item>]", "[?<optional item>, <item>, ?<optional item>]",
        "(<list item> + <list item>)", "<list item>.filter(@x, <truth x:item>)", "<list?>.filter(@x, <truth x:item>)",
        "<list other>.map(@x, <item x:other>)", "<list other>.map(@x, <truth x:other>, <item x:other>)",
        "<list item>.reverse()",
        "<list item>.slice(<index>, <index>)", "<list item>.distinct()", "[<list item>, <list item>].flatten()",
        "<list item>.sortBy(@x, <int x:item>)", "<list item>.sortBy(@x, <text x:item>)",
        "<list item>.sortBy(@x, <bool x:item>)",
        "<list other>.transformList(@i, @v, <item i:int v:other>)",
        "<list other>.transformList(@i, @v, <truth i:int v:other>, <item i:int v:other>)",
    ),
    "list int": ("<list int>.sort()", "<map int>.map(@k, <int k:text>).sort()",
    "<map int>.transformList(@k, @v, <int k:text v:int>).sort()"),
    "list text": ("<list text>.sort()", "<text>.split(<separator>)", "<text>.split(<separator>, <index>)",
    "<line>.tags",
                  "<map item>.map(@k, @k).sort()", "<map item>.filter(@k, <truth k:text>).sort()"),
    "list bool": ("<list bool>.sort()",),
    "map": ("{'a': <item>}", "{'a': <item>, 'b': <item>}", "{?'a': <optional item>, 'c': <item>}",
    "{<key>: <item>, 'z': <item>}", "{<text>: <item>}"),
    "optional": (
        "optional.of(<item>)", "optional.none()", "optional.ofNonZeroValue(<item>)", "<list item>[?<index>]",
        "<map item>[?<key>]",
        "<map item>.?a", "<list item>.first()", "<list item>.last()", "<optional item>.or(<optional item>)",
        "<optional other>.optMap(@x, <item x:other>)", "<optional map item>.?b", "<optional list item>[?<index>]",
    ),
    "line": ("{'sku': <text>, 'count': <int>, 'tags': <list text>}", "{'sku': <text>, 'price': <float>}"),
}  # fmt: skip
TOPS = (
    "bool",
    "int",
    "float",
    "text",
    "bytes",
    "timestamp",
    "duration",
    "list int",
    "list text",
    "list line",
    "map int",
    "map list text",
)
