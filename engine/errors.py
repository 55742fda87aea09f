"""Every error Stepwell reports, in one tree.

    StepwellError                        500  internal_error
    ├── BadInput                         422  invalid_input           the caller can mend it
    │   ├── InvalidDefinition            422  invalid_definition      carries one finding per fault
    │   ├── UnreadableBody               400  unreadable_body         not JSON, not UTF-8, too deep
    │   ├── TooLarge                     413  too_large
    │   └── IdempotencyMismatch          422  idempotency_mismatch    same key, another body
    ├── Unauthenticated                  401  unauthenticated
    ├── Forbidden                        403  forbidden
    ├── NotFound                         404  not_found
    ├── Conflict                         409  conflict
    │   ├── DefinitionBusy               409  definition_busy
    │   ├── TryAgain                     409  try_again               two transactions stood in each other's way
    │   ├── DefinitionDisabled           409  definition_disabled
    │   ├── DefinitionInUse              409  definition_in_use
    │   ├── NameTaken                    409  name_taken
    │   ├── BusinessKeyTaken             409  business_key_taken
    │   ├── NotQuarantined               409  not_quarantined
    │   └── CommandRejected              409  command_rejected        the holder said no
    ├── RateLimited                      429  rate_limited            carries when to come again
    ├── Unavailable                      503  unavailable             PostgreSQL is away, or all is too busy
    ├── TooSlow                          503  too_slow                PostgreSQL was given too much to do
    └── OperatorError                    500  operator_error          set-up is wrong; nothing a caller can mend
        ├── SettingError                      setting_invalid
        ├── SchemaError                       schema_mismatch
        └── EmbeddedError                     embedded_failed

Codes are stable: clients branch on them. SQL functions raise them by SQLSTATE (class SW), see SQLSTATES.
A refused command or a failed activity is a value (`engine.core.model.Failure`), never an exception.
"""

from __future__ import annotations

from msgspec import Struct


class Finding(Struct, frozen=True, omit_defaults=True):
    """One fault in a document: where it is (JSON pointer), what is wrong, what to do.

    In an expression also the line and the column in its text, from 1, and that line with a mark under the place.
    """

    pointer: str
    message: str
    advice: str = ""
    code: str = "invalid"
    line: int | None = None
    column: int | None = None
    excerpt: str = ""


class StepwellError(Exception):
    """Something that nobody expected; it is in the log."""

    # Root of the tree. `message` says what happened, `advice` what to do next; docs/errors.md shows the docstrings.

    code = "internal_error"
    status = 500
    advice = "Look in the log for the same code; if it persists, report it."

    def __init__(
        self,
        message: str,
        *,
        advice: str | None = None,
        pointer: str | None = None,
        code: str | None = None,
        findings: tuple[Finding, ...] = (),
        details: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice or type(self).advice
        self.pointer = pointer
        self.code = code or type(self).code
        self.findings = findings
        self.details = details or {}


class BadInput(StepwellError):
    """The request is understood but cannot be accepted as it is; `pointer` names the field."""

    code = "invalid_input"
    status = 422
    advice = "Correct the named field and send the request again."


class InvalidDefinition(BadInput):
    """A definition has faults; `findings` lists all of them."""

    code = "invalid_definition"
    advice = "Correct each finding; its pointer names the place in the document."


class UnreadableBody(BadInput):
    """The body cannot be read at all: not UTF-8, not JSON, or too deep."""

    code = "unreadable_body"
    status = 400
    advice = "Send UTF-8 JSON without NUL characters or lone surrogates, at most 64 levels deep."


class TooLarge(BadInput):
    """A value is over 1 MiB (as PostgreSQL writes it, with spaces), a request over 16 MiB or over 1,000,000 values."""

    code = "too_large"
    status = 413
    advice = "Keep large content elsewhere and pass a reference to it."


class IdempotencyMismatch(BadInput):
    """The same Idempotency-Key came with another request."""

    code = "idempotency_mismatch"
    advice = "Use a new Idempotency-Key for a new request."


class Unauthenticated(StepwellError):
    """No API key, or one that is not known."""

    code = "unauthenticated"
    status = 401
    advice = "Send 'Authorization: Bearer <key>' with a key made by 'stepwell key create'."


class Forbidden(StepwellError):
    """The key lacks a scope, or a login speaks for no tenant."""

    code = "forbidden"
    status = 403
    advice = "Use a key with the scope the message names."


class NotFound(StepwellError):
    """No such thing in this tenant and environment; ids of other tenants are answered alike."""

    code = "not_found"
    status = 404
    advice = "Check the id, and that the key belongs to the same tenant and environment."


class Conflict(StepwellError):
    """The thing is not in a state that allows this."""

    code = "conflict"
    status = 409
    advice = "Read the current state and decide again."


class DefinitionBusy(Conflict):
    """The definition, or a key that is used, is being changed right now: a lock was not had within 2 s."""

    code = "definition_busy"
    advice = "Try again in a few seconds."


class TryAgain(Conflict):
    """Another transaction stood in the way, and PostgreSQL gave this one up. Nothing of it was done."""

    code = "try_again"
    advice = "Send the same request again, with the same Idempotency-Key."


class DefinitionDisabled(Conflict):
    """The definition takes no new processes."""

    code = "definition_disabled"
    advice = "Enable the definition first."


class DefinitionInUse(Conflict):
    """Processes of the definition have not ended; `details.running` says how many, counted up to 1,000."""

    code = "definition_in_use"
    advice = "Wait for their end, or delete with force=true, which cancels them."


class NameTaken(Conflict):
    """Another definition has the name that the document says."""

    code = "name_taken"
    advice = "Choose another name, or publish under the id of that definition."


class BusinessKeyTaken(Conflict):
    """Another process with this business key has not ended; `details.process_id` names it."""

    code = "business_key_taken"
    advice = "Use the running process named in 'details.process_id', or another business key."


class NotQuarantined(Conflict):
    """The process is not set aside."""

    code = "not_quarantined"
    advice = "List those that are with: stepwell process list --quarantined"


class CommandRejected(Conflict):
    """The process was asked, and its state does not allow it; `details.code` says why."""

    code = "command_rejected"


class RateLimited(StepwellError):
    """The API key has sent more requests than it may, or has too many at work; `Retry-After` says when one is taken."""

    code = "rate_limited"
    status = 429
    advice = "Wait as long as Retry-After says, then send the same request again; nothing of it was done."

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, details={"retry_after_seconds": retry_after_s})
        self.retry_after_s = retry_after_s


class Unavailable(StepwellError):
    """PostgreSQL cannot be reached at the moment, or too much is asked of this API at once. Nothing was half done."""

    code = "unavailable"
    status = 503
    advice = "Try again in a few seconds with the same Idempotency-Key; nothing is lost."


class TooSlow(StepwellError):
    """The request took longer than PostgreSQL may work on it, 10 s. Nothing was half done."""

    code = "too_slow"
    status = 503
    advice = "Ask for less at a time: fewer ids, a smaller limit, narrower filters."


class OperatorError(StepwellError):
    """The installation is not right; shown to the operator by the command line."""

    code = "operator_error"
    advice = "Run 'stepwell doctor'."


class SettingError(OperatorError):
    """A setting in the environment is unknown or has a bad value."""

    code = "setting_invalid"
    advice = "Compare the name and value with docs/configuration.md."


class SchemaError(OperatorError):
    """The database's schema is not the one this program was built for."""

    code = "schema_mismatch"
    advice = "Run 'stepwell migrate' with the newest release."


class EmbeddedError(OperatorError):
    """The embedded PostgreSQL could not be started or stopped."""

    code = "embedded_failed"
    advice = "Read the server's log named in the message, or set STEPWELL_DATABASE_URL to a server of your own."


# SQLSTATE raised by sql/functions → class. The functions' `hint` becomes the advice, `detail` the JSON pointer.
SQLSTATES: dict[str, type[StepwellError]] = {
    "SW400": BadInput,
    "SW403": Forbidden,
    "SW404": NotFound,
    "SW409": Conflict,
    "SW410": BusinessKeyTaken,
    "SW411": DefinitionDisabled,
    "SW412": NotQuarantined,
    "SW413": TooLarge,
    "SW414": DefinitionInUse,
    "SW415": NameTaken,
}

# SQLSTATE that PostgreSQL raises of its own accord → class and message: its own words name no cause a caller knows.
GIVEN_UP: dict[str, tuple[type[StepwellError], str]] = {
    "55P03": (DefinitionBusy, "another transaction holds what this request needs"),  # lock_not_available
    "40P01": (TryAgain, "another request needed the same things at the same time"),  # deadlock_detected
    "40001": (TryAgain, "what this request read was changed meanwhile"),  # serialization_failure
    "57014": (TooSlow, "the request took longer than the database may work on it"),  # query_canceled
}


def tree(root: type[StepwellError] = StepwellError) -> list[type[StepwellError]]:
    """Return `root` and everything below it, parents first."""
    found = [root]
    for child in root.__subclasses__():
        found.extend(tree(child))
    return found
