"""How a command fails: one clear line, the findings, one line of advice, an exit code. Never a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import click
import psycopg

from engine.errors import (
    BadInput,
    Conflict,
    InvalidDefinition,
    OperatorError,
    RateLimited,
    StepwellError,
    TryAgain,
    Unauthenticated,
    Unavailable,
    UnreadableBody,
)
from stepwell.findings import tell_finding
from stepwell.output import AS_JSON, Terminal, as_text, say

# What is good advice for a client of the API, in the words of this program.
ADVICE = {
    BadInput.advice: "Correct that place and run the command again.",
    InvalidDefinition.advice: "Correct each of these places in the file and publish it again.",
    Unauthenticated.advice: "Use --key or STEPWELL_API_KEY with a key made by 'stepwell key create'.",
    UnreadableBody.advice: "Use UTF-8 without NUL characters, at most 64 levels deep.",
    Unavailable.advice: "Run it again in a few seconds.",
    TryAgain.advice: "Run it again; nothing of it was done.",
    RateLimited.advice: "Wait a little, then run it again; nothing of it was done.",
    Conflict.advice: "Look at its state (stepwell process show ID) and decide again.",
    "Send the request again; a body has 30 s to arrive.": "Run it again; what is sent must arrive within 30 s.",
    "Correct the request and send it again.": "Correct the arguments and run the command again.",
    "Correct the named parameter.": "Correct the named option and run the command again.",
    "Check the path; GET /openapi.json lists all of them.": "Check the id, and what --url names.",
}

FAILED = 1
UNAVAILABLE = 3


@contextlib.contextmanager
def told(meta: Mapping[str, Any], *, debug: bool = False) -> Iterator[None]:
    """Turn an error inside into a message on stderr and SystemExit; with `debug` let it through.

    `meta`: of the command's context; it says whether JSON was asked for.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        if debug:
            raise
        problem = as_problem(error)
        tell(problem, as_json=bool(meta.get(AS_JSON)))
        raise SystemExit(UNAVAILABLE if isinstance(problem, Unavailable) else FAILED) from error


def as_problem(error: Exception) -> StepwellError:
    """Return the error as one of our tree, with advice that fits the command line."""
    if isinstance(error, ExceptionGroup):
        return as_problem(error.exceptions[0])
    if isinstance(error, StepwellError):
        return error
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return Unavailable(
            f"PostgreSQL cannot be reached: {_first_line(error)}",
            advice="Check the connection string, and that the server runs: stepwell doctor",
        )
    if isinstance(error, psycopg.Error):
        return _database(error)
    if isinstance(error, OSError):
        return OperatorError(str(error), advice="Check the path and who may write to it.")
    return StepwellError(
        f"{type(error).__name__}: {_first_line(error)}",
        advice="This should not happen. Run it again as 'stepwell --debug …' and report what it prints.",
    )


def _database(error: psycopg.Error) -> StepwellError:
    hint = error.diag.message_hint
    return StepwellError(
        f"PostgreSQL refused: {_first_line(error)}",
        advice=hint or "Run 'stepwell doctor'.",
        code=error.sqlstate,
    )


def tell(problem: StepwellError, *, as_json: bool = False) -> None:
    """Print a problem on stderr: in words, with its code in brackets; or as a JSON object."""
    if as_json:
        click.echo(as_text(_as_value(problem)), err=True)
        return
    console = Terminal(stderr=True)
    say(console, f"error: {problem.message} [{problem.code}]", style="red")
    if problem.pointer and problem.pointer not in {finding.pointer for finding in problem.findings}:
        say(console, f"at {problem.pointer}", 2)
    for finding in problem.findings:
        tell_finding(console, finding)
    say(console, f"→ {_in_our_words(problem.advice)}", 2)


def _as_value(problem: StepwellError) -> dict[str, Any]:
    """Return a problem as an object; there are always the same fields."""
    return {
        "code": problem.code,
        "message": problem.message.encode("utf-8", "replace").decode(),  # it may name a file by bytes that are no text
        "advice": _in_our_words(problem.advice),
        "pointer": problem.pointer,
        "findings": problem.findings,
    }


def _in_our_words(advice: str) -> str:
    """Return advice for a client of the API in the words of this program."""
    from stepwell.client import sending  # httpx is not loaded for a command that needs no API and goes well

    ours = {
        **ADVICE,
        sending.AWAY_ADVICE: "Start it with 'stepwell up', or name another with --url or STEPWELL_URL.",
        sending.CERTIFICATE_ADVICE: "Name the authority that signed it with STEPWELL_CA_FILE.",
    }
    return ours.get(advice, advice)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0]
