"""Settings: read from the environment once, at the start of a program, and passed down.

Nothing else in the project reads the environment. A name with our prefix that is not known is refused with the nearest
one, since a misspelt setting that is silently ignored costs an operator a night.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from msgspec import Struct, field
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.errors import SettingError

PREFIX = "STEPWELL_"
SECRET_PREFIX = "STEPWELL_SECRET_"  # noqa: S105  a name, not a secret
IGNORED_PREFIX = "STEPWELL_TEST_"  # read by the tests' own set-up

SECRET_PARTS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(Struct, frozen=True, kw_only=True):
    """Effective settings; the unit is in the name. Environment name = STEPWELL_ + the field in capitals."""

    database_url: str | None = None  # login of the program started; absent: the embedded PostgreSQL
    owner_database_url: str | None = None  # migrate, tenant, environment, key, login
    data_dir: Path = Path(".stepwell")  # embedded PostgreSQL, connection file, logs
    bootstrap_api_key: str | None = None  # made the admin key of tenant default, environment default
    url: str = "http://127.0.0.1:8080"  # where the command line finds the API
    api_key: str | None = None  # what the command line authenticates with
    http_allowed_networks: tuple[Network, ...] = ()  # non-public networks http activities may reach
    http_concurrency: int = 1000  # http activities in flight per worker
    worker_slots: int = 500  # processes one worker holds at a time
    silence_limit_seconds: float = 15.0  # a worker whose row stays unchanged this long is dead
    lock_probe: bool = True  # whether a missing session lock counts as death; false behind a transaction-mode pooler
    drain_seconds: float = 20.0  # after SIGTERM: how long running activities may finish
    log_level: str = "info"  # error | info | debug
    secrets: dict[str, str] = field(
        default_factory=dict
    )  # STEPWELL_SECRET_NAME, sent only where ${secrets.NAME} stands

    def masked(self) -> dict[str, str]:
        """Return every setting as text, secrets and passwords masked: for doctor."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["secrets"] = dict.fromkeys(self.secrets, "***")
        for name in ("bootstrap_api_key", "api_key"):
            shown[name] = shown[name] and "***"
        for name in ("database_url", "owner_database_url"):
            shown[name] = shown[name] and mask_url(shown[name])
        return {name: str(value) for name, value in shown.items()}


def mask_url(url: str) -> str:
    """Return a database URL or DSN as one with its passwords masked; all of it, where libpq's reading is in doubt."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        return _hidden(url)
    if _doubtful(parts):
        return _hidden(url)
    return make_conninfo("", **{name: "***" if name in SECRET_PARTS else value for name, value in parts.items()})


def _doubtful(parts: Mapping[str, Any]) -> bool:
    """Tell whether an unescaped @ or / has split a password: libpq takes what follows for other parts."""
    host, port, name = (str(parts.get(part, "")) for part in ("host", "port", "dbname"))
    return "@" in host[1:] or "@" in name or "/" in name or re.fullmatch(r"[\d,]*", port) is None


def _hidden(url: str) -> str:
    scheme, found, _ = url.partition("://")
    return f"{scheme}://***" if found and scheme in ("postgresql", "postgres") else "***"


def _text(value: str) -> str:
    return value


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def _flag(value: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    return known[value.lower()]


def _between(low: float, high: float, make: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        number = make(value)
        if not low <= number <= high:
            msg = f"must be between {low:g} and {high:g}"
            raise ValueError(msg)
        return number

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in words:
            msg = f"must be one of {', '.join(words)}"
            raise ValueError(msg)
        return value.lower()

    return read


READERS: dict[str, Callable[[str], Any]] = {
    "database_url": _text,
    "owner_database_url": _text,
    "data_dir": Path,
    "bootstrap_api_key": _text,
    "url": _text,
    "api_key": _text,
    "http_allowed_networks": _networks,
    "http_concurrency": _between(1, 100_000, int),
    "worker_slots": _between(1, 10_000, int),
    "silence_limit_seconds": _between(1, 600, float),
    "lock_probe": _flag,
    "drain_seconds": _between(0, 3600, float),
    "log_level": _one_of("error", "info", "debug"),
}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingError that names the variable, what is wrong and what to do."""
    values: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    for name, value in environment.items():
        if name.startswith(SECRET_PREFIX):
            secrets[name.removeprefix(SECRET_PREFIX)] = value
        elif name.startswith(PREFIX) and not name.startswith(IGNORED_PREFIX) and value != "":
            key = name.removeprefix(PREFIX).lower()
            values[key] = _read(name, key, value)
    return Settings(**values, secrets=secrets)


def _read(name: str, key: str, value: str) -> Any:
    """Read one variable."""
    reader = READERS.get(key)
    if reader is None:
        near = difflib.get_close_matches(key, READERS, n=1)
        hint = f"Did you mean {PREFIX}{near[0].upper()}?" if near else "See docs/configuration.md for the known names."
        raise SettingError(f"{name} is not a setting of this release", advice=hint)
    try:
        return reader(value)
    except (ValueError, KeyError) as error:
        reason = str(error) if isinstance(error, ValueError) else "must be true or false"
        raise SettingError(f"{name} has a value that cannot be used: {reason}") from None
