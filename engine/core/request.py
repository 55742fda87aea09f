"""What an `http` step sends: its config with all references filled in, secrets included.

Made at send time and never stored: history and logs show the references. The caller must not log the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.cel import EvaluationError
from engine.cel.fuel import Fuel
from engine.cel.values import text
from engine.core.draft import step_of
from engine.core.programs import HttpProgram
from engine.core.scope import StateScope
from engine.core.values import Inadmissible, admit

if TYPE_CHECKING:
    from engine.core.compile import Plan
    from engine.core.draft import Inputs
    from engine.core.model import State

MAX_KEY = 255  # characters, as many as partners commonly keep


def http_request(plan: Plan, state: State, path: str, inputs: Inputs, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return the config with all expressions filled in, and in which of its parts secrets are: `secret_headers` names
    headers, `secret_body` is true or false, `derived` holds the texts that expressions made of secrets.

    `query` and the body of a form map names to texts or lists of texts, `headers` names to texts; null values are left
    out. `body` is absent where the config has none. Raises EvaluationError, PayloadNeeded; KeyError for a step that is
    not http.
    """
    step = plan.steps[step_of(path)]
    program = step.program
    if not isinstance(program, HttpProgram):
        raise KeyError(path)
    begun = state.activities[path].started_at or inputs.now  # the same in every attempt: they share the Idempotency-Key
    scope = StateScope(state, inputs.payloads, inputs.process_id, begun, secrets=secrets)
    request: dict[str, Any] = {
        "method": program.method,
        "url": _url(program.url.evaluate(scope)),
        "query": _pairs(program.query.evaluate(scope), "query"),
        "headers": _headers(program.headers.evaluate(scope)),
        "expect_status": program.expect_status,
        "timeout_seconds": program.timeout_seconds,
        "max_response_bytes": program.max_response_bytes,
        "max_redirects": program.max_redirects,
        "idempotency_key": _key(program.idempotency_key and program.idempotency_key.evaluate(scope)),
        "secret_headers": program.secret_headers,
        "secret_body": program.secret_body,
        "derived": [text for part in program.derived for text in _texts(part.evaluate(scope))],
    }
    if program.body is not None:
        request["body_type"] = program.body_type
        request["body"] = _body(program.body_type, program.body.evaluate(scope))
    try:
        admit(request.get("body"))
    except Inadmissible as fault:
        raise EvaluationError(f"the body cannot be sent: {fault.pointer} {fault.message}", "body") from None
    return request


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _url(value: Any) -> str:
    if type(value) is not str or not value.lower().startswith(("http://", "https://")):
        raise EvaluationError("url must begin with http:// or https://", "url")
    return value


def _key(value: Any) -> str | None:
    """Return a key as it can stand in a header: with one that a partner cuts, a repeated call may act twice."""
    if value is None:
        return None
    key = _text(value, "idempotency_key")
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable() or key != key.strip():
        advice = "without line breaks and without spaces at its ends"
        raise EvaluationError(
            f"the idempotency key must have 1 to {MAX_KEY} ASCII characters, {advice}", "idempotency_key"
        )
    return key


def _body(kind: str | None, value: Any) -> Any:
    if kind == "text":
        return _text(value, "body")
    if kind != "form":
        return value
    if not isinstance(value, dict):
        raise EvaluationError("the body of a form must be an object of names and values", "body")
    return _pairs(value, "body")


def _pairs(values: dict[str, Any], where: str) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for name, value in values.items():
        if isinstance(value, list):
            found[name] = [_text(item, f"{where}.{name}") for item in value if item is not None]
        elif value is not None:
            found[name] = _text(value, f"{where}.{name}")
    return found


def _headers(values: dict[str, Any]) -> dict[str, str]:
    found = {name: _text(value, f"headers.{name}") for name, value in values.items() if value is not None}
    for name, written in found.items():
        if any(ord(char) < 32 and char != "\t" for char in written):
            raise EvaluationError(f"the header {name} contains a line break", f"headers.{name}")
    return found


def _text(value: Any, where: str) -> str:
    if isinstance(value, dict | list) or value is None:
        raise EvaluationError(f"{where} must be a text, a number, true or false", where)
    return value if isinstance(value, str) else text(Fuel(), value)
