"""Why a process went the way it went: which branch a decision took, which condition was false, what they read.

Pure; made of what history holds. Must not fail on what another release, or somebody else, wrote there: what has not
the shape of a reason has none.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from rich.text import Text

from stepwell.findings import failed_expression
from stepwell.output import clean, escaped, shortened

VALUE = 40  # characters of one value
BEFORE = 30  # of an expression before the place where it failed
BETWEEN = "   "  # of the parts of a reason in one line
_DEEPER = 2  # where each part has a line of its own
_QUIET = "bright_black"
_DECISION = {"branch", "when", "chosen", "inputs"}
_BREAKS = str.maketrans("\n\t", "  ")


class Reason(Struct, frozen=True):
    """A reason in words, and what else there is to say of it: what was read, where an expression failed."""

    said: str
    more: tuple[str, ...] = ()

    def as_line(self) -> str:
        """Return it as one line of a log."""
        return BETWEEN.join((self.said, *self.more))

    def fitted(self, room: int | None) -> list[Text]:
        """Return it as one line, or as a line for each part, cut to the room, where one has not enough of it."""
        parts = [Text(self.said), *(Text(part, style=_QUIET) for part in self.more)]
        whole = Text(BETWEEN).join(parts)
        if room is None or whole.cell_len <= room:
            return [whole]
        lines = [parts[0], *(Text(" " * _DEEPER) + part for part in parts[1:])]
        for line in lines:
            line.truncate(room, overflow="ellipsis")
        return lines


def of_decision(output: Any) -> Reason | None:
    """Return why a decision took the way it took, by its output; nothing for the output of anything else."""
    if not _decides(output):
        return None
    error, read = output.get("error"), _read(output["inputs"])
    if isinstance(error, dict):
        why = f"fallback, since a condition cannot be evaluated: {error.get('message')}"
        return Reason(_line(why), (*read, *_place(error)))
    if output["branch"] == "fallback":
        return Reason("fallback: no branch is true", read)
    return Reason(_line(f"branch {output['branch']}: {output['when']}"), read)


def way(output: Any) -> str | None:
    """Return which way a decision took, in a word or two."""
    if not _decides(output):
        return None
    return "fallback" if output["branch"] == "fallback" else f"branch {output['branch']}"


def _decides(output: Any) -> bool:
    if not isinstance(output, dict) or not _DECISION <= output.keys() <= _DECISION | {"error"}:
        return False
    branch = output["branch"]
    return (branch == "fallback" or type(branch) is int) and isinstance(output["inputs"], dict)


def of_skip(skip: Any) -> Reason | None:
    """Return which condition was false; nothing for a skip that does not say so."""
    when, inputs = (skip.get("when"), skip.get("inputs")) if isinstance(skip, dict) else (None, None)
    if not isinstance(when, str):
        return None
    return Reason(_line(f"skipped {skip['path']}: {when} is false"), _read(inputs))


def of_failure(error: Any) -> Reason | None:
    """Return where an expression failed and what it is; nothing for any other failure."""
    return next(map(Reason, _place(error)), None)


def _place(error: Any) -> tuple[str, ...]:
    """Return the pointer to an expression and the expression, from shortly before the place where it failed."""
    found = failed_expression(error.get("details")) if isinstance(error, dict) else None
    if found is None:
        return ()
    line, _, mark = found.excerpt.partition("\n")
    first = max(len(mark) - 1 - BEFORE, 0)
    return (_line(f"{found.pointer or '/'}: {'…' if first else ''}{line[first:].strip()}"),)


def _read(inputs: Any) -> tuple[str, ...]:
    if not isinstance(inputs, dict) or not inputs:
        return ()
    return (_line(f"read {', '.join(f'{path}={_value(value)}' for path, value in inputs.items())}"),)


def _value(value: Any) -> str:
    return shortened(escaped(msgspec.json.encode(value).decode()), VALUE)


def _line(text: str) -> str:
    """Return a text as one line that commands no terminal."""
    return clean(text).translate(_BREAKS)
