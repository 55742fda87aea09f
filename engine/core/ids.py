"""Public ids: how numbers and activities are named outside the database.

The alphabet is Crockford's base 32 in lower case (no i, l, o, u). Public ids are fixed in width and most
significant digit first, so that they sort as their numbers do. SQL has twins of these functions; tests
compare the two.
"""

from __future__ import annotations

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
WIDTH = 13  # 13 * 5 = 65 bits hold any bigint
MAX_ID = 2**63 - 1

_VALUES = {char: number for number, char in enumerate(ALPHABET)}


def public_id(prefix: str, number: int) -> str:
    """Return `prefix` + '_' + 13 digits for a number of 0 … 2^63-1. Raises ValueError outside of it."""
    if not 0 <= number <= MAX_ID:
        raise ValueError(f"{number} is no id")
    return f"{prefix}_{_digits(number, WIDTH)}"


def private_id(prefix: str, text: str) -> int:
    """Return the number behind a public id. Raises ValueError unless it has exactly this prefix and form."""
    head, separator, digits = text.rpartition("_")
    if not separator or head != prefix or len(digits) != WIDTH:
        raise ValueError(f"not an id of the form {prefix}_…: {text[:40]!r}")
    number = _number(digits)
    if number > MAX_ID:
        raise ValueError(f"out of range: {text[:40]!r}")
    return number


def execution_id(process_id: int, path: str, run: int = 1) -> str:
    """Return the id of an execution: the same over all attempts of (process, path, run)."""
    return _activity_id("exe", process_id, path, run)


def task_id(process_id: int, path: str, run: int = 1) -> str:
    """Return the id of the task of a manual activity."""
    return _activity_id("tsk", process_id, path, run)


def parse_execution_id(text: str) -> tuple[int, str, int]:
    """Return (process_id, path, run). Raises ValueError for anything `execution_id` cannot have made."""
    return _parse_activity_id("exe", text)


def parse_task_id(text: str) -> tuple[int, str, int]:
    """Return (process_id, path, run). Raises ValueError for anything `task_id` cannot have made."""
    return _parse_activity_id("tsk", text)


def _activity_id(prefix: str, process_id: int, path: str, run: int) -> str:
    try:
        data = process_id.to_bytes(8, "big") + run.to_bytes(2, "big") + path.encode()
    except OverflowError:
        raise ValueError(f"no execution: process {process_id}, run {run}") from None
    bits = len(data) * 8
    width = -(-bits // 5)
    return f"{prefix}_{_digits(int.from_bytes(data, 'big') << (width * 5 - bits), width)}"


def _parse_activity_id(prefix: str, text: str) -> tuple[int, str, int]:
    fault = ValueError(f"not an id of the form {prefix}_…: {text[:40]!r}")
    head, _, digits = text.partition("_")
    size = len(digits) * 5 // 8
    if head != prefix or not 10 < size <= 1024:
        raise fault
    padding = len(digits) * 5 - size * 8
    number = _number(digits)
    # Exactly one text per execution: spare digits or bits would make two ids for one thing.
    if padding > 4 or number & ((1 << padding) - 1):
        raise fault
    data = (number >> padding).to_bytes(size, "big")
    try:
        path = data[10:].decode()
    except UnicodeDecodeError:
        raise fault from None
    process_id = int.from_bytes(data[:8], "big")
    if process_id > MAX_ID:
        raise fault
    return process_id, path, int.from_bytes(data[8:10], "big")


def _digits(number: int, width: int) -> str:
    out = [""] * width
    for place in range(width - 1, -1, -1):
        out[place] = ALPHABET[number & 31]
        number >>= 5
    return "".join(out)


def _number(digits: str) -> int:
    number = 0
    for char in digits:
        value = _VALUES.get(char)
        if value is None:
            raise ValueError(f"{char!r} is no digit of an id")
        number = number << 5 | value
    return number
