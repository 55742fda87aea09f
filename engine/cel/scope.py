"""Where expressions find their values. Implemented by whoever evaluates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from engine.cel.fuel import Fuel

ROOTS = frozenset({"input", "steps", "process", "trigger", "now"})
STEP_FIELDS = ("output", "status", "error")
PROCESS_FIELDS = ("id", "version", "business_key", "definition_id")


class Scope(Protocol):
    """Gives the values of roots, and bounds the work done with them."""

    @property
    def fuel(self) -> Fuel:
        """What is left to spend."""

    def lookup(self, root: str) -> Any:
        """Return the value of a root other than steps and secrets.

        Asked once for each root that an expression names, whether or not it comes to be read.
        """

    def step(self, step_id: str, field: str) -> Any:
        """Return one of STEP_FIELDS of a step. Raises KeyError where it is missing."""

    def secret(self, name: str) -> str:
        """Return a secret. Raises KeyError where there is none."""
