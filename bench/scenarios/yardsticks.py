"""What PostgreSQL gives on this machine without any engine, so that figures of other machines can be compared."""

from __future__ import annotations

from bench.cases import Scenario
from bench.contenders import pgbench

SCENARIO = Scenario(
    name="yardsticks",
    title="What PostgreSQL gives here",
    about="pgbench on the same server as everything else: commits of one inserted row with few and with many clients, "
    "and two of its own scripts. The insert with 8 clients is the yardstick Y, to which other figures are put in "
    "relation; it is measured again before every trial of every scenario.",
    main=pgbench.FIGURE,
    contenders=pgbench.yardsticks(),
)
