"""Functions between texts and bytes: base64, SHA-256, UTF-8."""

from __future__ import annotations

import binascii
from base64 import b64encode
from hashlib import sha256
from typing import Any

from engine.cel.errors import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.functions import operands
from engine.cel.values import shown

_SPACE = b" \t\n\v\f\r"


def encode_base64(fuel: Fuel, value: Any) -> str:
    """Return bytes, or the UTF-8 of a text, in base64. Raises EvaluationError."""
    raw = _raw(fuel, value)
    fuel.make(len(raw) * 4 // 3)
    return b64encode(raw).decode()


def decode_base64(fuel: Fuel, value: Any) -> bytes:
    """Return what a base64 text stands for; its padding may be left out, white space does not count. Raises
    EvaluationError.
    """
    fuel.make(len(operands.text(value)))
    fuel.walk(value)
    try:
        return binascii.a2b_base64(_padded(value.encode("ascii").translate(None, _SPACE)), strict_mode=True)
    except ValueError:
        raise EvaluationError(f"{shown(value)} is not base64") from None


def _padded(digits: bytes) -> bytes:
    """Return base64 with its padding. Raises ValueError where that is there and wrong."""
    if not digits.endswith(b"="):
        return digits + b"=" * (-len(digits) % 4)
    if len(digits) % 4 or digits.endswith(b"==="):
        raise ValueError
    return digits


def hash_sha256(fuel: Fuel, value: Any) -> str:
    """Return the SHA-256 of bytes, or of the UTF-8 of a text, in hexadecimal digits. Raises EvaluationError."""
    raw = _raw(fuel, value)
    fuel.spend(10 + len(raw) // 16)
    return sha256(raw).hexdigest()


def to_bytes(fuel: Fuel, value: Any) -> bytes:
    """Return `bytes(x)`: the UTF-8 of a text, bytes as they are. Raises EvaluationError."""
    return _raw(fuel, value)


def _raw(fuel: Fuel, value: Any) -> bytes:
    if type(value) is bytes:
        return value
    fuel.make(len(operands.text(value)))
    return operands.encoded(value)
