"""What an `http` step sends: its config with all references filled in, secrets included.

Made at send time and never stored: history and logs show the references. The caller must not log the result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.cel.fuel import Fuel
from engine.cel.values import kind as kind_of
from engine.cel.values import text
from engine.core.draft import step_of
from engine.core.programs import HttpProgram
from engine.core.scope import StateScope
from engine.core.values import Inadmissible, admit

if TYPE_CHECKING:
    from engine.cel import Program as Expression
    from engine.core.compile import Plan
    from engine.core.draft import Inputs
    from engine.core.model import State

_AUTHORITY = re.compile(r"https?://[^/?#]+([/?#].*)?", re.IGNORECASE | re.DOTALL)
MAX_DERIVED = 20
MAX_DERIVED_TEXT = 500
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
        "url": _url(program, scope),
        "query": _pairs(program.query, program.query.evaluate(scope)),
        "headers": _headers(program.headers, scope),
        "expect_status": program.expect_status,
        "timeout_seconds": program.timeout_seconds,
        "max_response_bytes": program.max_response_bytes,
        "max_redirects": program.max_redirects,
        "idempotency_key": program.idempotency_key and _key(program.idempotency_key, scope),
        "secret_headers": program.secret_headers,
        "secret_body": program.secret_body,
        "derived": _derived(program, scope),
    }
    if program.body is not None:
        request["body_type"] = program.body_type
        request["body"] = _body(program.body, program.body_type, scope)
    return request


def _derived(program: HttpProgram, scope: StateScope) -> list[str]:
    """Return what expressions made of secrets, so that it is taken out of answers: that costs with its length."""
    found: list[str] = []
    for part in program.derived:
        texts = _texts(part.evaluate(scope))
        if len(found) + len(texts) > MAX_DERIVED or any(len(made) > MAX_DERIVED_TEXT for made in texts):
            limit = f"at most {MAX_DERIVED} texts of {MAX_DERIVED_TEXT} characters may be made of secrets in a step"
            raise part.refused(limit, hide=False)
        found += texts
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        items = [*value, *value.values()] if isinstance(value, dict) else value
        return [found for item in items for found in _texts(item)]
    return [value] if isinstance(value, str) else []


def _url(program: HttpProgram, scope: StateScope) -> str:
    url, base = program.url, program.base
    value = url.evaluate(scope)
    if type(value) is not str or not value.lower().startswith(("http://", "https://")):
        raise url.refused("url must begin with http:// or https://", hide=False)
    if base is not None and not _AUTHORITY.fullmatch(str(base.evaluate(scope))):
        raise url.refused("before a secret the address must have its host, as in https://host/", hide=False)
    return value


def _key(key: Expression, scope: StateScope) -> str:
    """Return a key as it can stand in a header: with one that a partner cuts, a repeated call may act twice."""
    written = _text(key, key.evaluate(scope), "the idempotency key")
    if (
        not 1 <= len(written) <= MAX_KEY
        or not written.isascii()
        or not written.isprintable()
        or written != written.strip()
    ):
        allowed = f"1 to {MAX_KEY} ASCII characters, no line break, no space at either end"
        raise key.refused(f"the idempotency key must have {allowed}")
    return written


def _body(body: Expression, kind: str | None, scope: StateScope) -> Any:
    value = body.evaluate(scope)
    try:
        admit(value)
    except Inadmissible as fault:
        raise body.refused(f"the body cannot be sent: {fault.pointer} {fault.message}") from None
    if kind == "text":
        return _text(body, value, "the body")
    if kind != "form":
        return value
    if not isinstance(value, dict):
        raise body.refused("the body of a form must be an object of names and values")
    return _pairs(body, value)


def _pairs(program: Expression, values: dict[str, Any]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for name, value in values.items():
        if isinstance(value, list):
            found[name] = [_text(program, item, name, name) for item in value if item is not None]
        elif value is not None:
            found[name] = _text(program, value, name, name)
    return found


def _headers(headers: Expression, scope: StateScope) -> dict[str, str]:
    values = headers.evaluate(scope)
    found = {name: _text(headers, value, name, name) for name, value in values.items() if value is not None}
    for name, written in found.items():
        if any(ord(char) < 32 and char != "\t" for char in written):
            raise headers.refused(f"the header {name} contains a line break", name)
    return found


def _text(program: Expression, value: Any, what: str, key: str | None = None) -> str:
    if isinstance(value, dict | list) or value is None:
        raise program.refused(f"{what} must be a text, a number, true or false, and this is {kind_of(value)}", key)
    return value if isinstance(value, str) else text(Fuel(), value)
