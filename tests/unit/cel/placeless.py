"""Trees without their places, for comparing."""

from typing import Any

from msgspec import Struct


def bare(value: Any) -> Any:
    """Return a tree as tuples of its classes and fields, without the places in the source."""
    if isinstance(value, Struct):
        fields = [name for name in value.__struct_fields__ if name not in ("at", "ats")]
        return (type(value).__name__, *(bare(getattr(value, name)) for name in fields))
    if isinstance(value, tuple):
        return tuple(bare(item) for item in value)
    return (type(value).__name__, value)
