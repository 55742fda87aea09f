"""What can be wrong with an expression: at publish (InvalidExpression) and when it runs (EvaluationError).

Both know where in the source they happened, as far as whoever raised them knew it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMPARED = 24  # characters of a name that are compared with known ones: the work grows with their square
_WIDEST = 100  # characters of a source line that an excerpt shows
_BEFORE = 60  # of them before the place


class _Placed(Exception):
    """An error at a character of a source."""

    def __init__(self, message: str, source: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self._source = source

    @property
    def line(self) -> int:
        """Return the line of the source, from 1."""
        return self._source.count("\n", 0, self.position) + 1

    @property
    def column(self) -> int:
        """Return the character in the line, from 1."""
        return self.position - self._begin() + 1

    @property
    def excerpt(self) -> str:
        """Return the line of the source and, below, a caret under the place; '' without a source."""
        if not self._source:
            return ""
        begin = self._begin()
        end = self._source.find("\n", begin)
        line = self._source[begin:] if end < 0 else self._source[begin:end]
        place = min(self.position - begin, len(line))
        first = max(0, place - _BEFORE) if len(line) > _WIDEST else 0
        shown = "".join(char if char.isprintable() else " " for char in line[first : first + _WIDEST])
        return f"{shown.rstrip()}\n{' ' * (place - first)}^"

    def _begin(self) -> int:
        return self._source.rfind("\n", 0, self.position) + 1


class InvalidExpression(_Placed):
    """The source cannot be compiled. `pointer` names the place in the document, `position` the character in
    it.
    """

    def __init__(self, message: str, pointer: str = "", position: int = 0, advice: str = "", source: str = "") -> None:
        super().__init__(message, source, position)
        self.pointer = pointer
        self.advice = advice

    @property
    def source(self) -> str:
        """Return the text that could not be compiled, '' where it is not known."""
        return self._source


class EvaluationError(_Placed):
    """The expression cannot be evaluated on these values. `path` is the reference that failed, '' if none; `pointer`
    names the place in the document.
    """

    def __init__(
        self, message: str, path: str = "", position: int = 0, expression: str = "", pointer: str = ""
    ) -> None:
        super().__init__(message, expression, position)
        self.path = path
        self.pointer = pointer

    @property
    def expression(self) -> str:
        """Return the text of the expression, '' where it is not known."""
        return self._source


class OutOfFuel(EvaluationError):
    """All fuel is spent. Nothing may go on after it: what takes an error for "neither" must let this one pass."""


def nearest(name: object, known: Iterable[str]) -> str:
    """Return ' Did you mean …?' where a known name is close, else '', as for what is no text."""
    if not isinstance(name, str):
        return ""
    near = get_close_matches(name[:_COMPARED], [word for word in known if len(word) <= 2 * _COMPARED], 1)
    return f" Did you mean {near[0]!r}?" if near else ""
