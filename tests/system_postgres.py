"""The system's own PostgreSQL, started privately: the same tests on another, older release.

`STEPWELL_TEST_POSTGRES=system make test` runs everything on it.
"""

import re
from pathlib import Path

from engine.errors import EmbeddedError


def system_bin(root: Path = Path("/usr/lib/postgresql")) -> Path:
    """Return the folder of the newest installed release's programs."""
    found = [path for path in root.glob("*/bin") if (path / "pg_ctl").exists()]
    if not found:
        raise EmbeddedError(f"no PostgreSQL under {root}", advice="apt-get install postgresql")
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])
