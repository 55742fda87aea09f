"""All SQL of the project, in files a DBA can read; this module only finds it.

migrations/NNNN_what.sql   applied once, in order
functions/NNN_name.sql     re-applied whenever they change, so that a change of logic is a small diff
queries/<noun>.sql         named statements: blocks that begin with `-- :name noun.verb`
schema.sql                 the dumped schema, so that each migration's effect shows as a diff

It must not build SQL from pieces: a statement is exactly what its file says.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, NamedTuple

_NAME = re.compile(r"^-- :name ([a-z_]+\.[a-z_]+)\s*$", re.MULTILINE)


class Script(NamedTuple):
    """One migration or function file."""

    name: str
    text: LiteralString
    checksum: str


@cache
def scripts(folder: str) -> tuple[Script, ...]:
    """Return the scripts of `folder` ("migrations" or "functions") in the order of their numbers."""
    found = []
    for entry in sorted(files(__name__).joinpath(folder).iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".sql"):
            text = entry.read_text("utf-8")
            checksum = hashlib.sha256(text.encode()).hexdigest()
            found.append(Script(entry.name[:-4], text, checksum))
    return tuple(found)


@cache
def queries() -> dict[str, LiteralString]:
    """Return every named statement, comments included: they show in pg_stat_activity."""
    found: dict[str, LiteralString] = {}
    for entry in files(__name__).joinpath("queries").iterdir():
        if not entry.name.endswith(".sql"):
            continue
        parts = _NAME.split(entry.read_text("utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                msg = f"the query {name} is defined twice"
                raise ValueError(msg)
            found[name] = f"-- {name}\n{_statement(text)}"
    return found


def _statement(text: str) -> str:
    """Return `text` without its leading comment lines: the header is for readers of the file."""
    lines = text.strip().splitlines()
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    return "\n".join(lines)


def query(name: str) -> LiteralString:
    """Return the statement called `name`. Raises KeyError for an unknown one."""
    return queries()[name]
