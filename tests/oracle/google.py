"""Google's implementation, asked as ours is. It runs expressions as they are typed at run time, without its checker.

CEL leaves the static check out where types are known at run time only, as those of a process's data are. With the
check, `1 == "a"` is refused; without it, it is false, as in ours. Import this only where the module is there.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from tests.oracle.answers import Answer, answered, failed

cel = import_module("cel_expr_python.cel")  # not by name: a type checker would miss it where there is no wheel
EXTENSIONS = ("bindings", "encoders", "lists", "math", "optional", "strings", "two-var-comprehensions")
MICROSECOND = timedelta(microseconds=1)


def _environment() -> Any:
    listed = "".join(f'- name: "{name}"\n' for name in EXTENSIONS)
    config = cel.NewEnvConfigFromYaml(f'name: "oracle"\nextensions:\n{listed}')
    return cel.NewEnv(config=config, variables={"input": cel.Type.DYN, "now": cel.Type.TIMESTAMP})


ENVIRONMENT = _environment()


def ask(source: str, data: dict[str, Any]) -> Answer:
    """Return what the oracle gives, as JSON like ours."""
    try:
        found = ENVIRONMENT.compile(source, disable_check=True).eval(data=data)
        kind, plain = found.type().name(), found.plain_value()
    except Exception as error:  # it raises what it likes: no parse, duplicate keys
        return failed(str(error))
    return failed(str(plain)) if kind == "ERROR" else answered(json_ready(plain))


def refuses(source: str) -> bool:
    """Tell whether the oracle's checker, too, finds the expression wrong before any data is there."""
    try:
        ENVIRONMENT.compile(source)
    except Exception:
        return True
    return False


def json_ready(value: Any) -> Any:
    """Return a value of the oracle as JSON: what we promise for times and bytes, written down a second time."""
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_ready(item) for item in value]
    if isinstance(value, datetime):
        return _fraction(value.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat(), value.microsecond) + "Z"
    if isinstance(value, timedelta):
        seconds, rest = divmod(abs(value) // MICROSECOND, 1_000_000)
        return f"{'-' * (value < timedelta())}{_fraction(str(seconds), rest)}s"
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return value


def _fraction(whole: str, microseconds: int) -> str:
    return f"{whole}.{microseconds:06}".rstrip("0") if microseconds else whole
