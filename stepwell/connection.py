"""The connection file: what `up` keeps in the data folder so that a newcomer need not export anything.

Holds passwords and a key: mode 0600, replaced as a whole. It is a convenience of one machine, never the truth: the
database is.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct, field

from engine.errors import OperatorError

NAME = "connection.json"


class Connection(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where everything is, and how to get in. URLs of the database name a login each."""

    owner_url: str
    api_url: str
    worker_url: str
    key: str  # admin key of tenant default, environment default
    url: str | None = None  # of the API, as long as `up` runs
    pid: int | None = None  # of `up`
    logins: dict[str, str] = field(default_factory=dict)  # URL by name: what `login create` made on this database


def read(data_dir: Path) -> Connection | None:
    """Return what the folder's connection file says, None if there is none. Raises OperatorError for a damaged one."""
    path = data_dir / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Connection)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise OperatorError(
            f"{path} belongs to somebody else", advice="Use a data folder of your own: --data-dir or STEPWELL_DATA_DIR."
        ) from None
    except msgspec.MsgspecError as error:
        raise OperatorError(f"{path} is damaged: {error}", advice="Delete it; 'stepwell up' makes it again.") from None


def write(data_dir: Path, connection: Connection) -> None:
    """Replace the folder's connection file."""
    handle, name = tempfile.mkstemp(dir=data_dir, prefix=f".{NAME}-")  # mkstemp makes it 0600
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(connection), indent=2) + b"\n")
    Path(name).replace(data_dir / NAME)
