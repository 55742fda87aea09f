"""Writes the body of a request: JSON, a form, or a text as it is.

Must not put any of the body into a message: it may be secret.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from engine.core.headers import FORM, fits, is_json, media_type
from engine.executors.refusals import RequestInvalid, scalar, utf8

DEFAULT_TYPES = {"json": "application/json", "form": FORM, "text": "text/plain; charset=utf-8"}


def body_type_of(given: str | None, content_type: str | None) -> str:
    """Return json, form or text: what the config says, else what follows from its Content-Type."""
    if given is not None:
        return given
    return "json" if content_type is None or is_json(media_type(content_type)) else "text"


def check_types(given: str | None, content_type: str | None) -> None:
    """Check that a body type that the config names can go under its Content-Type. Raises RequestInvalid."""
    if given not in (None, *DEFAULT_TYPES):
        raise RequestInvalid(f"body_type must be one of {', '.join(DEFAULT_TYPES)}.", "/body_type")
    why = fits(given, content_type) if given is not None and content_type is not None else None
    if why is not None:
        raise RequestInvalid(f"The Content-Type does not fit body_type: {why}.", "/headers/Content-Type")


def written(body: Any, body_type: str) -> bytes:
    """Return the bytes of a body. Raises RequestInvalid."""
    if body_type == "json":
        return _json(body)
    if body_type == "form":
        return _form(body)
    if not isinstance(body, str):
        raise RequestInvalid("With a Content-Type other than JSON the body must be a string.", "/body")
    return utf8(body, "/body")


def pairs(value: Any, pointer: str, noun: str) -> tuple[tuple[str, str], ...]:
    """Return name and value pairs of a query or form. A list repeats its name; null leaves the name out."""
    if not isinstance(value, dict):
        raise RequestInvalid(f"The {noun} must be an object.", pointer)
    found: list[tuple[str, str]] = []
    for name, given in value.items():
        where = f"{pointer}/{escape(name)}"
        many = given if isinstance(given, list) else [given]
        found += [(scalar(name, where), scalar(one, where)) for one in many if one is not None]
    return tuple(found)


def escape(name: Any) -> str:
    """Return one reference token of a JSON pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")


def _json(body: Any) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError):
        raise RequestInvalid("The body cannot be written as JSON.", "/body") from None


def _form(body: Any) -> bytes:
    return urlencode(pairs(body, "/body", "form")).encode()
