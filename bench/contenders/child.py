"""A contender's own process, seen from inside: what a peer's module does when it is started as a program.

The first line of the input is an `Ask`. The task named in it gets ready, calls its gate, which says so and waits for
the second line, does the work, and its answer is the last line of the output. Then it stays, for its memory and time
are read only now. When the input ends, so does the process, whatever it is doing: no child outlives the harness. What
a peer prints goes to the errors, for the output is ours.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

Answer = dict[str, Any]
Gate = Callable[[], None]

READY = b"ready\n"


class Ask(Struct):
    """What a child shall do: a task of its module, the address of its database, and the settings of the trial."""

    task: str
    url: str
    settings: dict[str, Any] = {}


Task = Callable[[Ask, Gate], Answer]


def serve(tasks: Mapping[str, Task]) -> None:
    """Do the task that the first line of the input asks for, answer with a line of JSON, stay till the input ends."""
    out = os.dup(1)
    os.dup2(2, 1)
    ask = msgspec.json.decode(sys.stdin.buffer.readline(), type=Ask)
    told = threading.Event()
    threading.Thread(target=_listen, args=(told,), daemon=True).start()

    def gate() -> None:
        os.write(out, READY)
        told.wait()

    try:
        answer = tasks[ask.task](ask, gate)
    except BaseException:  # noqa: BLE001  told to the harness, whatever it is
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    with os.fdopen(out, "wb") as file:
        file.write(msgspec.json.encode(answer) + b"\n")
    threading.Event().wait()


def _listen(told: threading.Event) -> None:
    """Open the gate at the next line; end the process with its input."""
    while sys.stdin.buffer.readline():
        told.set()
    os._exit(1)
