"""`stepwell bench run` with a scenario of its own: one contender that is done at once, one that waits for ever.

Arguments: where to write what runs, then those of the command.
"""

import json
import sys
import threading
from pathlib import Path

from bench.cases import Contender, Effort, Figures
from bench.ground import Ground
from bench.house import House
from stepwell import bench
from stepwell.main import cli
from tests.bench.samples import scenario

note = Path(sys.argv.pop(1))


def wait(ground: Ground, _effort: Effort) -> Figures:
    """Write down what runs now, and wait."""
    with ground.database("hanging") as dsn, House(ground, dsn) as house:
        pids = {"postgres": ground.pid, "worker": house.worker().pid}
        fresh = note.with_suffix(".new")
        fresh.write_text(json.dumps({"pids": pids, "folder": str(ground.folder)}))
        fresh.rename(note)
        threading.Event().wait()
    return {}


SAMPLE = scenario(
    Contender("stepwell", lambda _ground, _effort: {"steps_per_s": 7.0}), Contender("hanging", wait), name="hanging"
)
setattr(bench, "scenarios", lambda: (SAMPLE,))  # noqa: B010  it is not the module's to give away
cli(prog_name="stepwell")
