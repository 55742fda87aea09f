"""What every stable code means that is not a class of `engine/errors.py`, said once.

docs/errors.md, docs/definitions.md and the reference page of the API are made from these tables. Nothing decides by
them: a code is raised where its cause is found, and a test compares what is raised with what stands here.
"""

from __future__ import annotations

from msgspec import Struct


class Refusal(Struct, frozen=True):
    """A code that says more than the class of its error."""

    status: int
    meaning: str


class Cause(Struct, frozen=True):
    """Why an activity or a process failed."""

    category: str
    meaning: str
    retried: bool = False


# What a value can be that no jsonb holds. In a request the code stands alone, in task data as `data_…`, in an output
# as `output_…`.
INADMISSIBLE: dict[str, str] = {
    "too_large": "it takes more bytes of JSON than its limit",
    "too_deep": "it is nested more than 64 levels deep",
    "nul_character": "a text contains a NUL character",
    "lone_surrogate": "a text contains half of a surrogate pair",
    "number_out_of_range": "a number is beyond 1e308",
    "not_finite": "NaN and Infinity are not JSON",
    "not_json": "it is no JSON value",
    "key_not_text": "a key of an object is no text",
}

REFUSALS: dict[str, Refusal] = {
    "invalid_parameter": Refusal(400, "a query parameter is unknown, double, or cannot be read"),
    "invalid_idempotency_key": Refusal(422, "not 1 to 200 printable ASCII characters without spaces"),
    "idempotency_in_progress": Refusal(409, "a request with the same key is still being worked on"),
    "declared_mismatch": Refusal(422, "a document says something of itself (id, version, …) that is not true"),
    "method_not_allowed": Refusal(405, "the path does not know that method; `Allow` names those it knows"),
    "input_invalid": Refusal(
        422, "the input does not satisfy the definition's `input_schema`; `pointer` names the place"
    ),
    "malformed_request": Refusal(400, "what came is not HTTP; the connection is closed, as after the five below"),
    "tls_required": Refusal(400, "plain HTTP was sent to a port that speaks TLS"),
    "head_too_slow": Refusal(408, "the head of the request did not arrive within 10 s"),
    "head_too_large": Refusal(
        431, "the head of the request has more than 64 KB or 100 headers, or what follows its body 64 KB"
    ),
    "not_implemented": Refusal(501, "HTTP has no such method, or the request asks for a WebSocket or a tunnel"),
    "too_many_connections": Refusal(503, "all connections the API may have are at work; `Retry-After` says when"),
}

FAILURES: dict[str, Cause] = {
    "input_invalid": Cause(
        "validation", "the input does not satisfy `input_schema` (SQL starts only; the API refuses it)"
    ),
    "expression_failed": Cause(
        "validation", "a reference or condition cannot be evaluated; `details.path` names what it read"
    ),
    "output_…": Cause("validation", "an output cannot be stored: `output_too_large` and the others listed below"),
    "request_invalid": Cause("validation", "an http step's config makes no request that can be sent"),
    "address_forbidden": Cause("validation", "the address is not public and not in `STEPWELL_HTTP_ALLOWED_NETWORKS`"),
    "connect_failed": Cause(
        "external",
        "no connection, its host's name was not resolved within 5 s, or it broke before the whole answer came",
        retried=True,
    ),
    "tls_invalid": Cause("external", "the service's certificate is not trusted"),
    "tls_refused": Cause("external", "the service does not accept the certificate or the TLS of the workers"),
    "proxy_failed": Cause("external", "the proxy cannot be reached, or does not pass the call on", retried=True),
    "http_timeout": Cause("timeout", "no full answer in time; the service may have acted", retried=True),
    "request_timeout": Cause("external", "answer 408", retried=True),
    "too_early": Cause("external", "answer 425", retried=True),
    "rate_limited": Cause("external", "answer 429; `Retry-After` is honoured, up to an hour", retried=True),
    "unavailable": Cause("external", "answer 503", retried=True),
    "service_error": Cause("external", "another answer of 500 or more", retried=True),
    "permission_denied": Cause("external", "answer 401 or 403"),
    "not_found": Cause("external", "answer 404 or 410"),
    "conflict": Cause("external", "answer 409"),
    "rejected": Cause("external", "another answer of 400 to 499"),
    "redirect": Cause("external", "a redirect, and `max_redirects` allows none"),
    "redirect_refused": Cause(
        "external", "a redirect to where the step may not go, or with what it may not take along"
    ),
    "too_many_redirects": Cause("external", "one redirect more than `max_redirects` allows"),
    "unexpected_status": Cause("external", "an answer below 400 that `expect_status` does not name"),
    "response_too_large": Cause("external", "the answer is over `max_response_bytes`"),
    "responses_too_large_together": Cause(
        "execution", "the large answers a worker was reading came to 256 MiB; this one was cut off", retried=True
    ),
    "response_invalid": Cause(
        "external", "the answer is no valid HTTP, does not end, or its body is not what it says it is"
    ),
    "executor_failed": Cause("execution", "the call failed inside Stepwell", retried=True),
    "step_timeout": Cause("timeout", "an attempt took longer than the step's `timeout_seconds`", retried=True),
    "wait_timeout": Cause("timeout", "what a wait waited for did not come in time"),
    "task_timeout": Cause("timeout", "nobody ended the task in time"),
    "process_timeout": Cause("timeout", "the process took longer than the definition's `timeout_seconds`"),
    "task_rejected": Cause("execution", "a person rejected a task with `on_reject: fail`"),
    "unstorable": Cause("execution", "PostgreSQL refused what the process wanted to write"),
    "engine_fault": Cause("execution", "a fault of Stepwell's; the log of the worker has it"),
    "not_decidable": Cause(
        "execution", "a fault of Stepwell's: a step that is called was taken for one that is decided"
    ),
}

REJECTIONS: dict[str, str] = {
    "process_ended": "the process has ended",
    "not_failed": "only a FAILED process is retried",
    "not_waiting": "no activity of this name waits, so none can be resumed",
    "task_not_open": "no such task is open: it was completed, rejected, timed out or cancelled",
    "task_claimed": "the task is with somebody else",
    "by_missing": "a task needs the name of the person who ends it",
    "unreadable": "the order could not be read or decided; the worker's log says more",
    "no_matching_wait": "nothing waits for the signal",
    "duplicate_signal": "the process has already had this signal",
    "form_invalid": "the data does not satisfy the task's form; the API answers 422",
    "data_…": "the data cannot be stored: `data_too_large` and the others listed below; the API answers 422",
}

FINDINGS: dict[str, str] = {
    "missing_field": "a field that is needed is not there",
    "unknown_field": "there is no such field; the nearest known one is named",
    "wrong_type": "another type of value is needed",
    "wrong_form": "a text has characters or a form that it may not have",
    "wrong_length": "a text is too short or too long",
    "wrong_count": "a list or an object has too few or too many parts",
    "out_of_range": "a number is too small or too large",
    "unknown_value": "not one of the values that are possible here",
    "duplicate": "the same name is there twice",
    "duplicate_id": "two steps have the same id",
    "unknown_step": "no step has this id",
    "self_reference": "a step names itself",
    "duplicate_order": "two steps have the same `order`",
    "order_missing": "a step has no `order`, but others have, and nothing else says when it runs",
    "against_order": "a step depends on one of a higher `order`",
    "cycle": "steps wait for each other; the message shows the way round",
    "too_parallel": "more than 50 steps could be open at once",
    "target_not_dependent": "a step named by a decision has a `depends_on` that does not lead to it",
    "expression_invalid": "an expression or a condition cannot be read, or can never work",
    "not_an_ancestor": "a reference names a step that need not have ended by then",
    "schema_invalid": "this is no JSON Schema 2020-12",
    "schema_too_large": "a JSON Schema has too many parts",
    "remote_reference": "a JSON Schema refers to elsewhere",
    "recursive_schema": "a JSON Schema refers to itself",
    "too_many_patterns": "more than 100 regular expressions in one definition",
    "url_invalid": "no http or https address, or a secret in its host",
    "header_invalid": "no name or no value that a header can have",
    "header_reserved": "a header that the engine sets",
    "literal_secret": "a credential written into the definition; refer to a secret",
    "body_invalid": "a body that does not fit its `body_type` or its `Content-Type`",
    "wait_unclear": "not exactly one of `signal`, `seconds` and `until`, or a key without a signal",
    "timestamp_invalid": "no moment of RFC 3339 with a zone",
    "reserved_name": "event names with this beginning are the engine's",
    "cron_invalid": "the cron expression cannot be read",
    "timezone_unknown": "there is no such time zone",
}
