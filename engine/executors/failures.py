"""How the failure of a call is written down."""

from __future__ import annotations

from typing import Any

from engine.core.commands import Failed
from engine.core.model import Category, Failure


def failed(category: Category, code: str, message: str, advice: str, *, retryable: bool, details: Any = None) -> Failed:
    """Return a failed outcome."""
    error = Failure(category=category, code=code, message=message, details=details, advice=advice)
    return Failed(error, retryable=retryable)
