"""What lexer, parser and printer agree on: limits, words, operators, the shapes of macros.

Only constants. The forms of names and literals are the lexer's; what functions exist, the library's.
"""

from __future__ import annotations

MAX_SOURCE = 8000  # characters of one expression; what is longer belongs in several steps
MAX_DEPTH = 64  # brackets within brackets; the parser takes six frames of Python's stack for each
MAX_LEVELS = 250  # operations within operations, as in 1 + 1 + 1; later passes recurse over the tree

LOGIC = frozenset({"&&", "||"})
LEVELS = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%"), 5),
}

# What has a meaning of its own: not even fields may be named so after a dot.
KEYWORDS = {"true": True, "false": False, "null": None, "in": None}

# Kept by CEL for its host languages: no names of variables or functions, but fields may be named so.
RESERVED = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "namespace",
        "package",
        "return",
        "var",
        "void",
        "while",
    }
)

# A name before the dot of a function such as math.round; no variable can be named so.
NAMESPACES = frozenset({"base64", "cel", "hash", "lists", "math", "optional"})

# How many of the first arguments are variables, by the number of arguments. Others are no macros.
_TEST = {2: 1, 3: 2}
_TRANSFORM = {3: 2, 4: 2}
MACROS = {
    "all": _TEST,
    "exists": _TEST,
    "exists_one": _TEST,
    "filter": {2: 1},
    "map": {2: 1, 3: 1},
    "sortBy": {2: 1},
    "optMap": {2: 1},
    "transformList": _TRANSFORM,
    "transformMap": _TRANSFORM,
    "transformMapEntry": _TRANSFORM,
}
ALIASES = {"existsOne": "exists_one"}
BIND = "cel.bind"
