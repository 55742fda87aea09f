"""What a config is refused with before anything is sent, and the checks of single values that every part needs.

Must not put a value into a message: it may be secret.
"""

from __future__ import annotations

import math
from typing import Any

from engine.core.commands import Failed
from engine.core.model import Category, Failure


class RequestInvalid(ValueError):
    """The resolved config is no request that can be sent. `pointer` names the place within the config."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer

    def failed(self) -> Failed:
        """Return this as the outcome of the attempt: trying again cannot help."""
        error = Failure(
            category=Category.VALIDATION,
            code="request_invalid",
            message=self.message,
            details={"pointer": self.pointer},
            advice="Correct the step's config, or the value that its reference brings.",
        )
        return Failed(error, retryable=False)


def utf8(value: str, pointer: str) -> bytes:
    """Return a text as bytes. Raises RequestInvalid."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise RequestInvalid("The text contains a lone surrogate.", pointer) from None


def scalar(value: Any, pointer: str) -> str:
    """Return a string, number or boolean as the text that JSON has for it. Raises RequestInvalid."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if not isinstance(value, str):
        raise RequestInvalid("A string, number or boolean is needed here.", pointer)
    utf8(value, pointer)
    return value
