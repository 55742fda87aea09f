"""Peers that run on Node: where their packages lie, how to get them, and how a driver is started.

`prepare` installs the versions stated here into a folder of the user's cache, with npm, and only when it is asked for:
`python -P -m bench.contenders`. They are of the lines that run on Node 20.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from bench.cases import Unable
from bench.contenders.crew import Program

PACKAGES: Mapping[str, str] = MappingProxyType(
    {"absurd-sdk": "0.5.0", "graphile-worker": "0.17.3", "pg": "8.23.1", "pg-boss": "10.4.2"}
)
_DRIVERS = Path(__file__).parent
_COMMAND = "python -P -m bench.contenders"


def folder() -> Path:
    """Return the folder of the packages, which may not be there yet."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "stepwell" / "bench-peers"


def needs(*packages: str) -> Callable[[], str | None]:
    """Return what says whether Node and packages are there, in the versions stated here."""

    def missing() -> str | None:
        if shutil.which("node") is None:
            return "Node is not installed"
        absent = [name for name in packages if _installed(name) != PACKAGES[name]]
        return f"{', '.join(absent)} not installed: {_COMMAND}" if absent else None

    return missing


def prepare() -> str:
    """Install the packages; return what was done. Raises Unable."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unable("npm is not installed")
    if not needs(*PACKAGES)():
        return f"already in {folder()}"
    folder().mkdir(parents=True, exist_ok=True)
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    options = ("--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder()))
    done = subprocess.run((npm, "install", *options, *wanted), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unable(f"npm install failed: {done.stderr.strip()[-500:]}")
    return f"installed in {folder()}"


def program(driver: str) -> Program:
    """Return the program that a driver is."""
    environment = {**os.environ, "NODE_PATH": str(folder() / "node_modules"), "NODE_ENV": "production"}
    return Program(("node", str(_DRIVERS / driver)), environment)


def versions() -> dict[str, str]:
    """Return the versions of Node and of the packages that are there."""
    found = {name: version for name in PACKAGES if (version := _installed(name))}
    node = shutil.which("node")
    if found and node:
        done = subprocess.run((node, "--version"), capture_output=True, text=True, check=False)
        found["node"] = done.stdout.strip().removeprefix("v")
    return found


def _installed(name: str) -> str | None:
    """Return the version of an installed package."""
    try:
        found = msgspec.json.decode((folder() / "node_modules" / name / "package.json").read_bytes(), type=_Package)
    except (OSError, msgspec.DecodeError):
        return None
    return found.version


class _Package(Struct):
    version: str
