"""What may have been meant by a source that is not CEL: the habits of other languages, of keyboards and of writers.

Advice alone. That something is wrong is found, and said, by lexer and parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    "$": "Leave out the dollar sign: what stands here is an expression already.",
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
