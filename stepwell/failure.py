"""How a command fails: one clear line, the findings, one line of advice, an exit code. Never a traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click
import psycopg

from engine.errors import OperatorError, StepwellError, Unavailable

FAILED = 1
UNAVAILABLE = 3


@contextlib.contextmanager
def told(*, debug: bool = False) -> Iterator[None]:
    """Turn an error inside into a message on stderr and SystemExit; with `debug` let it through."""
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
        tell(problem)
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


def tell(problem: StepwellError) -> None:
    """Print a problem on stderr."""
    click.secho(f"error: {problem.message}", fg="red", err=True, color=sys.stderr.isatty())
    for finding in problem.findings:
        advice = f" ({finding.advice})" if finding.advice else ""
        click.echo(f"  {finding.pointer or '/'}: {finding.message}{advice}", err=True)
    click.echo(f"  {problem.advice}", err=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0]
