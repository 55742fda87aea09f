"""Splits the source of an expression into tokens, one at a time as the parser asks.

Every place of the source is read once, by patterns that never go back, so that the time is linear. A fault is raised
when the parser comes to it and not before: the first fault of the source is the one that is told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from engine.cel import hints, literals
from engine.cel.errors import InvalidExpression
from engine.cel.grammar import KEYWORDS, MAX_SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable

_SPACE = re.compile(r"(?:[ \t\r\n\f]++|//[^\n]*+)*+")
_WORD = re.compile(r"\w++")
_HYPHENATED = re.compile(r"\w++(?:-\w++)++")
_TOKEN = re.compile(
    r"""(?P<quote>[bB]?[rR]?(?:'''|\"{3}|['"]))
      | (?P<number>0x[0-9a-fA-F]++ | (?:[0-9]++(?:\.[0-9]++)? | \.[0-9]++)(?:[eE][+-]?[0-9]++)?)
      | (?P<name>[^\W\d]\w*+)
      | (?P<quoted>`[A-Za-z0-9_./\ -]++`)
      | (?P<wrong>===|!==|<>|=>|->|=<|\?\?|\*\*|\$\{|=(?!=)|&(?!&)|\|(?!\|))
      | (?P<sign>&&|\|\||[=!<>]=|\?\.(?![0-9])|[-+*/%<>!?:.,()\[\]{}])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def _body(quote: str, *, raw: bool) -> re.Pattern[str]:
    """Return the pattern of what follows an opening quote, up to and with the closing one."""
    if len(quote) == 3:
        inside = r"(.*?)" if raw else rf"((?:[^\\{quote[0]}]++|\\.|{quote[0]}(?!{quote[:2]}))*+)"
    else:
        inside = rf"([^{quote}\r\n]*+)" if raw else rf"((?:[^\\{quote}\r\n]++|\\[^\r\n])*+)"
    return re.compile(inside + quote, re.DOTALL)


_BODIES = {(quote, raw): _body(quote, raw=raw) for quote in ("'", '"', "'''", '"""') for raw in (False, True)}


_UNENDED = "Add } where the expression ends; a comment with // goes on to the end of its line."
_DIGITS = "Numbers look like 1000, 0.5, 1e6 or 0xff."


class Token(NamedTuple):
    """A token. `kind`: int, float, text, bytes, name, quoted, end; of a sign or a keyword, itself.

    `value` is what a literal stands for, and the name of a name.
    """

    kind: str
    at: int
    text: str
    value: Any = None


class Lexer:
    """Reads tokens from `start` on: up to the end of the text, or (`embedded`) up to the } that closes a ${."""

    def __init__(self, text: str, start: int, *, embedded: bool) -> None:
        self.text = text
        self.start = start
        self._place = start
        self._embedded = embedded
        self._braces = 0
        if not embedded and len(text) - start > MAX_SOURCE:
            raise self._too_long(start)

    def fault(self, message: str, at: int, advice: str = "") -> InvalidExpression:
        """Return a fault at a place of the text."""
        return InvalidExpression(message, position=at, advice=advice, source=self.text)

    def next(self) -> Token:
        """Return the next token; at the end, one of the kind `end`. Raises InvalidExpression."""
        match = _SPACE.match(self.text, self._place)
        at = match.end() if match else self._place
        if at - self.start > MAX_SOURCE:
            raise self._too_long(at)
        match = _TOKEN.match(self.text, at)
        if match is None:
            return self._end(at)
        self._place = match.end()
        token = self._READERS[match.lastgroup or ""](self, match)
        if self._place - self.start > MAX_SOURCE and token.kind != "end":
            raise self._too_long(at)
        return token

    def _too_long(self, at: int) -> InvalidExpression:
        advice = "Divide the work among several steps."
        return self.fault(f"the expression is longer than {MAX_SOURCE} characters", at, advice)

    def _end(self, at: int) -> Token:
        if self._embedded:
            raise self.fault("this ${ is never closed", max(self.start - 2, 0), _UNENDED)
        return Token("end", at, "")

    def _sign(self, match: re.Match[str]) -> Token:
        sign = match[0]
        if sign == "}" and self._embedded and not self._braces:
            return Token("end", match.start(), sign)
        self._braces += (sign == "{") - (sign == "}")
        return Token(sign, match.start(), sign)

    def _name(self, match: re.Match[str]) -> Token:
        name = match[0]
        if not name.isascii():
            advice = f'Names have letters from a to z; write ["{name}"] for such a field.'
            raise self.fault(f"{name[:40]!r} cannot be a name", match.start(), advice)
        if name in KEYWORDS:
            return Token(name, match.start(), name, KEYWORDS[name])
        return Token("name", match.start(), name, name)

    def _quoted(self, match: re.Match[str]) -> Token:
        return Token("quoted", match.start(), match[0], match[0][1:-1])

    def _number(self, match: re.Match[str]) -> Token:
        written, at = match[0], match.start()
        whole = written.isdigit() or written.startswith("0x")
        self._check_after(written, match, whole=whole)
        try:
            value = literals.integer(written) if whole else literals.floating(written)
        except literals.BadLiteral as bad:
            raise self.fault(bad.message, at, bad.advice) from None
        return Token("int" if whole else "float", at, written, value)

    def _check_after(self, written: str, match: re.Match[str], *, whole: bool) -> None:
        """Raise InvalidExpression where a number runs into a word, which may be `in` alone."""
        after = _WORD.match(self.text, match.end())
        if after is None or after[0] == "in":
            return
        if whole and after[0] in ("u", "U"):
            raise self.fault("unsigned numbers are not part of the language", match.start(), f"Write {written[:40]}.")
        name = (written + after[0]).lstrip(".")[:40]
        advice = f'Write ["{name}"] for a field of that name.' if written[0] == "." else _DIGITS
        raise self.fault(f"{name!r} is neither a number nor a name", match.start(), advice)

    def _text(self, match: re.Match[str]) -> Token:
        at, opening = match.start(), match[0]
        quote = opening.lstrip("bBrR")
        prefix = opening[: -len(quote)].lower()
        body = _BODIES[quote, "r" in prefix].match(self.text, match.end())
        if body is None:
            raise self._unclosed(at, quote)
        self._place = body.end()
        read = literals.octets if "b" in prefix else literals.text
        try:
            value = read(body[1], raw="r" in prefix)
        except literals.BadLiteral as bad:
            raise self.fault(bad.message, match.end() + bad.offset, bad.advice) from None
        return Token("bytes" if "b" in prefix else "text", at, self.text[at : self._place], value)

    def _unclosed(self, at: int, quote: str) -> InvalidExpression:
        advice = f"Add {quote} where it ends."
        if len(quote) == 1:
            advice += r" A new line in it is written \n."
        return self.fault("this text is never closed", at, advice)

    def _wrong(self, match: re.Match[str]) -> Token:
        written, at = match[0], match.start()
        shown = repr(written) if written.isprintable() and written != " " else f"U+{ord(written):04X}"
        advice = hints.arrow(self.text, at) if written in ("=>", "->") else ""
        raise self.fault(f"{shown} is not part of the language", at, advice or hints.sign(written))

    _READERS: ClassVar[dict[str, Callable[[Any, re.Match[str]], Token]]] = {
        "quote": _text,
        "number": _number,
        "name": _name,
        "quoted": _quoted,
        "wrong": _wrong,
        "sign": _sign,
        "other": _wrong,
    }


def hyphenated(text: str, at: int) -> str:
    """Return the name with hyphens behind a dot, as in `steps.a-b`, that a word at a place is part of; '' if of none.

    To the parser it is a subtraction, which it may even be.
    """
    start = at
    while start and (text[start - 1].isalnum() or text[start - 1] in "_-"):
        start -= 1
    match = _HYPHENATED.match(text, start)
    return match[0] if match and match.end() > at and text[:start].endswith(".") else ""
