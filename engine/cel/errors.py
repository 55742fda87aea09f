"""What can be wrong with an expression: at publish (InvalidExpression) and when it runs (EvaluationError)."""

from __future__ import annotations


class InvalidExpression(Exception):
    """The source cannot be compiled. `pointer` names the place in the document, `position` the character in
    it.
    """

    def __init__(self, message: str, pointer: str = "", position: int = 0, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.position = position
        self.advice = advice


class EvaluationError(Exception):
    """The expression cannot be evaluated on these values. `path` is the reference that failed, '' if none."""

    def __init__(self, message: str, path: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.position = position
