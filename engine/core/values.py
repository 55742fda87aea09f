"""The one door by which values enter: inputs, outputs, signal data, documents.

`admit` brings a decoded JSON value to the exact form in which PostgreSQL's jsonb hands it back (numbers,
order of keys), so that state in memory and state folded from history agree: afterwards encode → jsonb → text
→ decode is the identity. It refuses what jsonb cannot hold or what would hurt: one bad value would fail the
whole batch it is in.

Must not: change a value given to it (a changed container is a new one), or raise anything but Inadmissible.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import copysign
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

MAX_DEPTH = 64
MEBIBYTE = 1 << 20  # input, output and signal data: 1 MiB each
MAX_NUMBER = 10**308  # the range of a double: whoever reads the value with another language can hold it

_encode = msgspec.json.Encoder().encode


class Admitted(Struct, frozen=True):
    """A value in jsonb's form, how many bytes of JSON it takes and how many items and members it has in all."""

    value: Any
    size: int
    items: int = 0


class Inadmissible(Exception):
    """The value cannot be stored. `pointer` is the JSON pointer to the first fault."""

    def __init__(self, code: str, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path  # innermost first while unwinding

    @property
    def pointer(self) -> str:
        """Return where the fault is, '' for the value itself."""
        return "".join("/" + escape(part) for part in reversed(self.path))


def escape(part: str | int) -> str:
    """Return one part of a JSON pointer, escaped (RFC 6901), printable and not over 100 characters."""
    text = str(part)[:100].replace("~", "~0").replace("/", "~1")
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "�")


def admit(value: Any, *, max_bytes: int = MEBIBYTE, max_depth: int = MAX_DEPTH) -> Admitted:
    """Return `value` as jsonb would hand it back, with its size. Raises Inadmissible."""
    walk = _Walk(max_bytes, max_depth, left=max_bytes)
    form = _FORMS.get(type(value), _Walk.foreign)(walk, value, 0)
    size = len(_encode(form))
    if size > max_bytes:
        raise _too_large(max_bytes)
    return Admitted(form, size, walk.items)


def _too_large(max_bytes: int) -> Inadmissible:
    return Inadmissible("too_large", f"the value takes more than {max_bytes} bytes of JSON")


class _Walk(Struct):
    """One pass over a value. `left` counts down a lower bound of its bytes, to end early on a huge one."""

    limit: int
    deepest: int
    left: int
    items: int = 0

    def foreign(self, value: Any, _depth: int) -> NoReturn:
        raise Inadmissible("not_json", f"{type(value).__name__} is not a JSON value")

    def word(self, value: bool | None, _depth: int) -> bool | None:
        self.left -= 4
        return value

    def text(self, value: str, _depth: int) -> str:
        self.left -= len(value) + 2
        if self.left < 0:
            raise _too_large(self.limit)
        if "\0" in value:
            raise Inadmissible("nul_character", "the text contains a NUL character, which PostgreSQL cannot store")
        if not value.isascii():
            _check_unicode(value)
        return value

    def integer(self, value: int, _depth: int) -> int:
        self.left -= 1
        if not -MAX_NUMBER <= value <= MAX_NUMBER:
            raise Inadmissible("number_out_of_range", "the number is beyond 1e308")
        return value

    def real(self, value: float, depth: int) -> float | int:
        self.left -= 3
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN
            raise Inadmissible("not_finite", "NaN and Infinity are not JSON")
        if value == 0.0:
            return 0.0 if copysign(1.0, value) < 0 else value
        if -1e15 < value < 1e15:
            return value
        return self.large(value, depth)

    def large(self, value: float, depth: int) -> float | int:
        """Return the integer that jsonb makes of a float written with an exponent: of its text, not of its
        bits.
        """
        text = _encode(value)
        return self.integer(int(Decimal(text.decode())), depth) if b"e" in text else value

    def array(self, value: list[Any], depth: int) -> list[Any]:
        self.enter(value, depth)
        changed: list[Any] | None = None
        for index, item in enumerate(value):
            try:
                form = _FORMS.get(type(item), _Walk.foreign)(self, item, depth + 1)
            except Inadmissible as fault:
                fault.path += (index,)
                raise
            if form is not item:
                changed = changed or list(value)
                changed[index] = form
        return value if changed is None else changed

    def object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        self.enter(value, depth)
        changed: dict[str, Any] = {}
        last, length, ordered = "", -1, True
        for key, item in value.items():
            if type(key) is not str:
                kind = type(key).__name__
                raise Inadmissible("key_not_text", f"a key is {kind}, not text", (f"<{kind}>",))
            try:
                self.text(key, depth)
                form = _FORMS.get(type(item), _Walk.foreign)(self, item, depth + 1)
            except Inadmissible as fault:
                fault.path += (key,)
                raise
            # Right for ASCII; where a key is not, the keys are sorted below, needlessly at worst.
            size = len(key)
            ordered = ordered and (length < size or (length == size and last < key)) and key.isascii()
            last, length = key, size
            if form is not item:
                changed[key] = form
        if changed:
            value = {**value, **changed}
        # jsonb keeps keys by length in bytes, then bytewise. Kept here too: whoever turns an object into text or
        # into a request body gets the same bytes before and after a crash.
        return value if ordered else dict(sorted(value.items(), key=_rank))

    def enter(self, value: list[Any] | dict[Any, Any], depth: int) -> None:
        """Count a container. Raises Inadmissible for one too deep or too large."""
        if depth >= self.deepest:
            raise Inadmissible("too_deep", f"the value is nested more than {self.deepest} levels deep")
        self.items += len(value)
        self.left -= len(value) + 1
        if self.left < 0:
            raise _too_large(self.limit)


_FORMS: dict[type, Callable[[_Walk, Any, int], Any]] = {
    str: _Walk.text,
    int: _Walk.integer,
    float: _Walk.real,
    bool: _Walk.word,
    type(None): _Walk.word,
    list: _Walk.array,
    dict: _Walk.object,
}


def _rank(item: tuple[str, Any]) -> tuple[int, bytes]:
    raw = item[0].encode()
    return len(raw), raw


def _check_unicode(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Inadmissible("lone_surrogate", "the text contains half of a surrogate pair") from None
