"""/step-types: what steps a definition can be made of, for whoever draws or writes one."""

from __future__ import annotations

from litestar import get

from api.documented import described
from api.wire import StepTypes, StepTypeView
from engine.core.document import CONFIGS

# What each is for, and whether a worker acts outside for it (then an attempt may be made twice). A test compares this
# with the engine's own list.
ABOUT: dict[str, tuple[str, bool]] = {
    "http": ("Calls an HTTP API.", True),
    "event": ("Writes an event of your own name into the history.", False),
    "wait": ("Waits for a signal, for a time to pass, or until a moment.", False),
    "decision": ("Takes the first branch whose condition is true, else the fallback.", False),
    "transform": ("Makes a new object.", False),
    "manual": ("Asks a person.", False),
    "noop": ("Does nothing: a placeholder.", True),
}


@get(
    "/step-types",
    **described("list_step_types", "List the types of step", 200, "workflows:read"),
)
async def list_all() -> StepTypes:
    """Return all types of step, each with the JSON Schema of its config."""
    return StepTypes(
        [
            StepTypeView(type=name, description=about, effectful=effectful, config_schema=CONFIGS[name].schema())
            for name, (about, effectful) in ABOUT.items()
        ]
    )


ROUTES = (list_all,)
