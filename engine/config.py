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
from urllib.parse import urlsplit

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
    """Effective settings; the unit is in the name. Environment name = STEPWELL_ + the field in capitals.

    What each means stands in SETTINGS below, from which docs/configuration.md is made.
    """

    database_url: str | None = None
    owner_database_url: str | None = None
    data_dir: Path = Path(".stepwell")
    bootstrap_api_key: str | None = None
    url: str = "http://127.0.0.1:8080"
    api_key: str | None = None
    ca_file: Path | None = None
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None
    api_connections: int = 10_000
    rate_limit_per_second: float = 0.0
    rate_burst: int = 100
    metrics_token: str | None = None
    http_allowed_networks: tuple[Network, ...] = ()
    http_concurrency: int = 1000
    http_ca_file: Path | None = None
    http_client_certificates: Path | None = None
    http_proxy: str | None = None
    http_no_proxy: tuple[str, ...] = ()
    worker_slots: int = 500
    hold_activities: int = 0
    silence_limit_seconds: float = 15.0
    lock_probe: bool = True
    drain_seconds: float = 20.0
    log_level: str = "info"
    log_activities: str = "all"
    otlp_url: str | None = None
    otlp_headers: dict[str, str] = {}
    otlp_ca_file: Path | None = None
    trace_ratio: float = 1.0
    secrets: dict[str, str] = field(default_factory=dict)  # STEPWELL_SECRET_NAME

    def masked(self) -> dict[str, str]:
        """Return every setting as text, secrets and passwords masked: for doctor."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["secrets"] = dict.fromkeys(self.secrets, "***")
        shown["otlp_headers"] = dict.fromkeys(self.otlp_headers, "***")
        for name in ("bootstrap_api_key", "api_key", "metrics_token"):
            shown[name] = shown[name] and "***"
        for name in ("database_url", "owner_database_url"):
            shown[name] = shown[name] and mask_url(shown[name])
        for name in ("http_proxy", "url", "otlp_url"):
            shown[name] = shown[name] and _without_user(shown[name])
        return {name: str(value) for name, value in shown.items()}


def _without_user(url: str) -> str:
    scheme, found, rest = url.rpartition("://")
    return f"{scheme}{found}{rest.rpartition('@')[2]}"


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


def _database(value: str) -> str:
    """Read a connection string. Its errors never show it: any part of it may be the password."""
    try:
        parts = conninfo_to_dict(value)
    except psycopg.Error:
        msg = "it is neither postgresql://user:password@host:port/database nor a DSN (host=… dbname=…)"
        raise ValueError(msg) from None
    if _split(value, parts):
        msg = "write @, /, ?, : and % in user or password percent-encoded (%40, %2F, %3F, %3A, %25)"
        raise ValueError(msg)
    return value


def _split(url: str, parts: Mapping[str, Any]) -> bool:
    """Tell whether libpq would take a piece of the password for another part, and name it when it cannot connect."""
    name = str(parts.get("dbname", ""))
    literal = "://" in url and name in url  # a name with @ or / stands there percent-encoded, or in a DSN
    return _doubtful(parts if literal else {**parts, "dbname": ""}) or "://" in name


def _web(value: str) -> str:
    """Read the URL of a service."""
    try:
        url = urlsplit(value)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good:
        msg = "expected a URL such as http://host:port or https://host"
        raise ValueError(msg)
    return value


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _pairs(value: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in _list(value)]
    if not all(found and name.strip() for name, found, _ in pairs):
        msg = "must be name=value pairs, separated by commas"
        raise ValueError(msg)
    return {name.strip(): text.strip() for name, _, text in pairs}


def _flag(value: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    return known[value.lower()]


def _between(low: float, high: float, make: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        try:
            number = make(value)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            msg = f"expected a {'whole ' if make is int else ''}number, {low:,} to {high:,}"
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


class Setting(Struct, frozen=True):
    """How a setting is read, and what the page of settings says of it."""

    read: Callable[[str], Any]
    form: str  # unit or form of the value
    meaning: str


_FILE = "file"
_SECONDS = "seconds, {} to {}"

SETTINGS: dict[str, Setting] = {
    "database_url": Setting(
        _database,
        "PostgreSQL URL or DSN",
        "the login of the program that is started: of kind `api` or `worker`. Without it the embedded PostgreSQL of "
        "the data folder is used",
    ),
    "owner_database_url": Setting(
        _database,
        "PostgreSQL URL or DSN",
        "the owner's login, for `migrate`, `tenant`, `environment`, `login`, `key` and `psql`",
    ),
    "data_dir": Setting(Path, "folder", "embedded PostgreSQL, connection file, logs of `stepwell up`"),
    "bootstrap_api_key": Setting(
        _text,
        "`swk_` and 43 characters",
        "`migrate` and `up` make it an admin key of tenant `default`, environment `default`",
    ),
    "url": Setting(_web, "URL", "where the command line finds the API"),
    "api_key": Setting(_text, "key", "what the command line authenticates with"),
    "ca_file": Setting(
        Path, _FILE, "authorities (PEM) that the command line trusts instead of the system's, for an API with https"
    ),
    "tls_certificate_file": Setting(
        Path, _FILE, "certificate chain (PEM) of `api` and of `worker --observe`: with it they speak TLS only"
    ),
    "tls_key_file": Setting(Path, _FILE, "private key (PEM) of that certificate"),
    "api_connections": Setting(
        _between(10, 1_000_000, int),
        "connections, 10 to 1,000,000",
        "how many one API keeps open; beyond it those that have been idle longest are closed",
    ),
    "rate_limit_per_second": Setting(
        _between(0, 1_000_000, float), "requests per second", "of one API key to one API; beyond it 429. 0: no limit"
    ),
    "rate_burst": Setting(
        _between(1, 1_000_000, int), "requests", "how many may come at once before the rate limit is felt"
    ),
    "metrics_token": Setting(
        _text,
        "text",
        "what `/metrics` asks for as a bearer token; without it everybody who reaches the port may read it",
    ),
    "http_allowed_networks": Setting(
        _networks,
        "CIDR list, separated by commas",
        "networks beside the public ones that http steps may reach; checked for each connection",
    ),
    "http_concurrency": Setting(_between(1, 100_000, int), "calls, 1 to 100,000", "calls under way in one worker"),
    "http_ca_file": Setting(Path, _FILE, "authorities (PEM) that http steps trust beside the system's"),
    "http_client_certificates": Setting(
        Path, "folder", "client certificates of http steps: `HOST.pem` (certificate and key) is shown to HOST only"
    ),
    "http_proxy": Setting(
        _text,
        "http URL",
        "proxy through which http steps go. It then decides which addresses may be reached: the check of networks sees "
        "only the proxy",
    ),
    "http_no_proxy": Setting(
        _list,
        "host names, suffixes such as `.example.com`, addresses, CIDR ranges; separated by commas",
        "what http steps reach without the proxy",
    ),
    "worker_slots": Setting(_between(1, 10_000, int), "processes, 1 to 10,000", "how many one worker holds at a time"),
    "hold_activities": Setting(
        _between(0, 1_000_000, int),
        "activities, 0 to 1,000,000",
        "after how many a worker gives a process back to the queue, whoever waits. 0: only when its tenant holds more "
        "than its share of the slots, and another one waits",
    ),
    "silence_limit_seconds": Setting(
        _between(1, 600, float), _SECONDS.format(1, 600), "a worker whose row stays unchanged this long is dead"
    ),
    "lock_probe": Setting(
        _flag,
        "true or false",
        "whether a missing session lock counts as death after 2 s; `false` behind a transaction-mode pooler",
    ),
    "drain_seconds": Setting(
        _between(0, 3600, float), _SECONDS.format(0, 3600), "after SIGTERM, how long running activities may go on"
    ),
    "log_level": Setting(_one_of("error", "info", "debug"), "`error`, `info` or `debug`", "what is logged"),
    "log_activities": Setting(
        _one_of("all", "effectful", "none"),
        "`all`, `effectful` or `none`",
        "which activities have their begin and end logged; failures always are",
    ),
    "otlp_url": Setting(
        _web, "URL", "OTLP/HTTP receiver of traces, such as `http://collector:4318`; without it there are none"
    ),
    "otlp_headers": Setting(_pairs, "`name=value` pairs, separated by commas", "what that receiver wants to see"),
    "otlp_ca_file": Setting(Path, _FILE, "authorities (PEM) trusted for an https receiver instead of the system's"),
    "trace_ratio": Setting(
        _between(0, 1, float),
        "share, 0 to 1",
        "of processes that are traced; a caller's `traceparent` decides for its own",
    ),
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
    setting = SETTINGS.get(key)
    if setting is None:
        near = difflib.get_close_matches(key, SETTINGS, n=1)
        hint = f"Did you mean {PREFIX}{near[0].upper()}?" if near else "See docs/configuration.md for the known names."
        raise SettingError(f"{name} is not a setting of this release", advice=hint)
    try:
        return setting.read(value)
    except (ValueError, KeyError) as error:
        reason = str(error) if isinstance(error, ValueError) else "must be true or false"
        raise SettingError(f"{name} has a value that cannot be used: {reason}") from None
