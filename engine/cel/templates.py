"""Config values with `${...}` in their strings.

A string that is one `${...}` keeps the type of its value; in any other string references are written as text:
strings as they are, numbers, true, false and null as in JSON, lists and objects as compact JSON. `$${` stands
for `${`. Keys of objects are literal. An evaluation is bounded: MAX_TEXT characters written, MAX_NODES values
visited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from engine.cel.errors import EvaluationError, InvalidExpression
from engine.cel.paths import Expression, Reference, Scope, parse_path

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT = 2 << 20  # characters one evaluation may write; results over 1 MiB are refused by the caller anyway
MAX_NODES = 100_000

_encode = msgspec.json.Encoder().encode


class Budget:
    """What is left to one evaluation."""

    __slots__ = ("nodes", "text")

    def __init__(self) -> None:
        self.nodes = MAX_NODES
        self.text = MAX_TEXT

    def node(self) -> None:
        """Count one value. Raises EvaluationError when there were too many."""
        self.nodes -= 1
        if self.nodes < 0:
            raise EvaluationError(f"the value has more than {MAX_NODES} parts")

    def write(self, text: str) -> str:
        """Count the characters of `text` and return it. Raises EvaluationError when there were too many."""
        self.text -= len(text)
        if self.text < 0:
            raise EvaluationError(f"the text grows longer than {MAX_TEXT} characters")
        return text


if TYPE_CHECKING:
    Part = Callable[[Scope, Budget], Any]


class Template:
    """A compiled config value. `constant` tells that it reads nothing."""

    __slots__ = ("_part", "constant", "references")

    def __init__(self, part: Part, references: tuple[Reference, ...]) -> None:
        self._part = part
        self.references = references
        self.constant = not references

    def evaluate(self, scope: Scope) -> Any:
        """Return the value with its references filled in. Raises EvaluationError."""
        return self._part(scope, Budget())


def literal(value: Any) -> Part:
    """Return a part that is always `value`."""
    return lambda _scope, _budget: value


def single(expression: Expression) -> Part:
    """Return a part that is the value of one reference, whatever its type."""
    evaluate = expression.evaluate
    return lambda scope, _budget: evaluate(scope)


def joined(pieces: tuple[str | Expression, ...]) -> Part:
    """Return a part that writes its pieces one after the other."""
    return _joined(pieces, lambda _place: as_text)


def address(pieces: tuple[str | Expression, ...]) -> Part:
    """Return a part that writes a URL: references are percent-encoded, but one that begins it is taken as it is.

    Otherwise a value with a slash, a question mark or an @ would lead the call elsewhere.
    """
    return _joined(pieces, lambda place: (lambda value: quote(as_text(value), safe="")) if place else as_text)


def _joined(pieces: tuple[str | Expression, ...], writer: Callable[[int], Callable[[Any], str]]) -> Part:
    placed = [(piece, writer(place)) for place, piece in enumerate(pieces)]

    def write(scope: Scope, budget: Budget) -> str:
        out = []
        for piece, text_of in placed:
            text = piece if isinstance(piece, str) else text_of(piece.evaluate(scope))
            out.append(budget.write(text))
        return "".join(out)

    return write


def array(parts: list[Part]) -> Part:
    """Return a part that is a list of parts."""

    def build(scope: Scope, budget: Budget) -> list[Any]:
        out = []
        for part in parts:
            budget.node()
            out.append(part(scope, budget))
        return out

    return build


def mapping(parts: dict[str, Part]) -> Part:
    """Return a part that is an object of parts."""

    def build(scope: Scope, budget: Budget) -> dict[str, Any]:
        out = {}
        for key, part in parts.items():
            budget.node()
            out[key] = part(scope, budget)
        return out

    return build


def as_text(value: Any) -> str:
    """Return `value` as it is written inside a longer string."""
    return value if type(value) is str else _encode(value).decode()


def split(text: str, roots: frozenset[str], pointer: str) -> list[str | Expression]:
    """Return the literal and referring pieces of a string. Raises InvalidExpression."""
    pieces: list[str | Expression] = []
    plain = ""
    place = 0
    while (begin := text.find("${", place)) >= 0:
        if begin > place and text[begin - 1] == "$":
            plain += text[place : begin - 1] + "${"
            place = begin + 2
            continue
        plain += text[place:begin]
        if plain:
            pieces.append(plain)
        plain = ""
        end = _closing(text, begin + 2, pointer)
        pieces.append(parse_path(text[begin + 2 : end], roots, pointer, begin + 2))
        place = end + 1
    plain += text[place:]
    return [*pieces, plain] if plain or not pieces else pieces


def _closing(text: str, place: int, pointer: str) -> int:
    """Return where the '}' is that closes a reference; one within quotes does not."""
    begin = place
    quote = ""
    while place < len(text):
        char = text[place]
        if quote:
            if char == "\\":
                place += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char == "}":
            return place
        place += 1
    advice = "Close it with }, or write $${ for a literal ${."
    raise InvalidExpression("${ is not closed", pointer, begin - 2, advice)
