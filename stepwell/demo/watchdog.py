"""Takes the demo's world down when the demo itself was killed, and so could not.

The demo holds the writing end of a pipe, this program the reading end. A byte says that all is done; an end without
one says that the demo is gone, however it went. Programs that the demo started end by themselves (see supervise).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.embedded import EmbeddedServer
from stepwell.place import CLUSTER

DONE = b"."
END_S = 5.0


@contextlib.contextmanager
def guarded(folder: Path, *, keep: bool) -> Iterator[None]:
    """Have the folder's server stopped if we are killed inside the block; the folder goes too, unless `keep`."""
    reading, writing = os.pipe()  # neither is inherited, but for the one that is handed on as standard input
    command = [sys.executable, "-P", "-m", "stepwell.demo.watchdog", str(folder), *(["keep"] if keep else [])]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=reading, stdout=null, stderr=null, start_new_session=True, cwd="/") as child:
        os.close(reading)
        try:
            yield
        finally:
            with contextlib.suppress(BrokenPipeError):
                os.write(writing, DONE)
            os.close(writing)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(END_S)


def main(folder: Path, *, keep: bool) -> None:
    """Wait for the end of the demo; take down what it left."""
    if os.read(sys.stdin.fileno(), 1) == DONE:
        return
    server = EmbeddedServer(folder / CLUSTER)
    if keep:
        server.halt()
        return
    try:
        server.destroy()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), keep="keep" in sys.argv[2:])
