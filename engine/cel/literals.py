"""Numbers, texts and bytes: from what is written to the value, and back.

Knows nothing of tokens or places in a source: what is wrong is told as BadLiteral, with the offset in what was given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 2**63 - 1
TOO_LARGE = f"the number is too large; the largest is {MOST}"

_ESCAPE = re.compile(
    r"""\\(?:(?P<plain>[abfnrtv"'`\\?])|(?P<octal>[0-3][0-7]{2})|[xX](?P<byte>[0-9a-fA-F]{2})"""
    r"""|u(?P<four>[0-9a-fA-F]{4})|U(?P<eight>[0-9a-fA-F]{8})|(?P<wrong>.?))""",
    re.DOTALL,
)
_PLAIN = dict(zip("abfnrtv\"'`\\?", "\a\b\f\n\r\t\v\"'`\\?", strict=True))
_NEWLINE = re.compile(rb"\r\n?")
_ADVICE = r"Known are \n \r \t \\ \" \' \xNN \uNNNN and \NNN; a backslash itself is written \\."
_FORMS = {
    **dict.fromkeys("xX", r"\x takes two hexadecimal digits"),
    "u": r"\u takes four hexadecimal digits",
    "U": r"\U takes eight hexadecimal digits",
    **dict.fromkeys("01234567", r"a number after \ has three octal digits, 377 at most"),
}
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f]')
_SHORT = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


class BadLiteral(ValueError):
    """A literal has no value."""

    def __init__(self, message: str, offset: int = 0, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.advice = advice


def integer(written: str) -> int:
    """Return the value of an unsigned integer, decimal or hexadecimal; at most MOST + 1. Raises BadLiteral."""
    base, digits = (16, written[2:]) if written.startswith("0x") else (10, written)
    digits = digits.lstrip("0") or "0"
    value = int(digits, base) if len(digits) < 20 else MOST + 2  # Python refuses to read thousands of digits
    if value > MOST + 1:
        raise BadLiteral(TOO_LARGE)
    return value


def floating(written: str) -> float:
    """Return the value of an unsigned number with a fraction or an exponent. Raises BadLiteral."""
    value = float(written)
    if value == float("inf"):
        raise BadLiteral("the number is too large; the largest is about 1.8e308")
    return value


def text(body: str, *, raw: bool = False) -> str:
    """Return the text that stands between quotes. Raises BadLiteral."""
    return b"".join(_pieces(body, raw=raw, narrow=False)).decode()


def octets(body: str, *, raw: bool = False) -> bytes:
    """Return the bytes that stand between quotes. Raises BadLiteral."""
    return b"".join(_pieces(body, raw=raw, narrow=True))


def _pieces(body: str, *, raw: bool, narrow: bool) -> Iterator[bytes]:
    """Yield the UTF-8 of a body piece by piece. `narrow`: an escape of a number is one byte, not a character."""
    if raw and (len(body) - len(body.rstrip("\\"))) % 2:
        raise BadLiteral("a raw text cannot end in a single backslash", len(body) - 1, "Write it without the r.")
    last = 0
    for match in () if raw else _ESCAPE.finditer(body):
        yield _verbatim(body, last, match.start())
        yield _escaped(match, narrow=narrow)
        last = match.end()
    yield _verbatim(body, last, len(body))


def _verbatim(body: str, start: int, end: int) -> bytes:
    try:
        return _NEWLINE.sub(b"\n", body[start:end].encode())
    except UnicodeEncodeError as fault:
        raise BadLiteral("the text holds half a character", start + fault.start) from None


def _escaped(match: re.Match[str], *, narrow: bool) -> bytes:
    kind, written = match.lastgroup, match[match.lastgroup or 0]
    if kind == "wrong":
        raise BadLiteral(_FORMS.get(written, f"\\{written} means nothing in a text"), match.start(), _ADVICE)
    if kind == "plain":
        return _PLAIN[written].encode()
    if kind in ("four", "eight"):
        return _character(match, written, narrow=narrow)
    number = int(written, 8 if kind == "octal" else 16)
    return bytes([number]) if narrow else chr(number).encode()


def _character(match: re.Match[str], written: str, *, narrow: bool) -> bytes:
    if narrow:
        raise BadLiteral("bytes have no characters", match.start(), r"Write each byte as \xNN.")
    try:
        return chr(int(written, 16)).encode()
    except (ValueError, OverflowError):  # half a character is a ValueError as well
        raise BadLiteral(f"{match[0]} is no character", match.start()) from None


def written_text(value: str) -> str:
    """Return a text as it is written, in double quotes."""
    return f'"{_UNSAFE.sub(_escape, value)}"'


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"


def written_bytes(value: bytes) -> str:
    """Return bytes as they are written: what ASCII shows as itself, the rest by number."""
    shown = (chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in value)
    return f'b"{"".join(shown)}"'
