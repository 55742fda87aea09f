"""docs/errors.md and the findings of docs/definitions.md: one row for each code."""

from __future__ import annotations

import inspect

from engine.codes import FAILURES, FINDINGS, INADMISSIBLE, REFUSALS, REJECTIONS
from engine.errors import OperatorError, StepwellError, tree
from tests.docs.made.markdown import code, table

_ERROR = ("code", "status", "meaning", "what to do")


def answers() -> str:
    """Return the errors that the API answers with, by class."""
    return _errors([error for error in tree() if not issubclass(error, OperatorError)])


def operator() -> str:
    """Return the errors that only the command line shows."""
    return _errors(tree(OperatorError))


def _errors(found: list[type[StepwellError]]) -> str:
    own = [error for error in found if error.__module__ == StepwellError.__module__]
    others = sorted((error for error in found if error not in own), key=lambda error: error.code)
    return table(_ERROR, [(code(e.code), str(e.status), _meaning(e), e.advice) for e in (*own, *others)])


def _meaning(error: type[StepwellError]) -> str:
    return inspect.cleandoc(error.__doc__ or "")


def refusals() -> str:
    """Return the codes that say more than a class."""
    return table(_ERROR[:3], [(code(name), str(said.status), said.meaning) for name, said in REFUSALS.items()])


def values() -> str:
    """Return why a value cannot be stored."""
    return table(("code", "meaning"), [(code(name), meaning) for name, meaning in INADMISSIBLE.items()])


def failures() -> str:
    """Return why an activity or a process can fail."""
    rows = [(code(n), c.category, c.meaning, "yes" if c.retried else "no") for n, c in FAILURES.items()]
    return table(("code", "category", "meaning", "retried"), rows)


def rejections() -> str:
    """Return why a command can be rejected."""
    return table(("code", "meaning"), [(code(name), meaning) for name, meaning in REJECTIONS.items()])


def findings() -> str:
    """Return what can be wrong with a definition."""
    return table(("code", "what is wrong"), [(code(name), meaning) for name, meaning in FINDINGS.items()])
