"""The start-up guard: refuses to run when somebody else's `api` or `engine` would be imported in place of ours.

The names of our packages are common ones, and installers overwrite such clashes without a word. Looks for the packages
without importing them: what is wrong must be said before it runs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

PACKAGES = ("sql", "engine", "api", "bridges", "bench", "stepwell")
HOME = Path(__file__).resolve().parent.parent

Finder = Callable[[str], ModuleSpec | None]


def check(find: Finder = importlib.util.find_spec, home: Path = HOME) -> None:
    """Exit, naming both paths, unless all our packages lie side by side in `home`."""
    for name in PACKAGES:
        found = _parent(find(name))
        if found is None:
            raise SystemExit(
                f"stepwell: the package '{name}' is missing beside {home / 'stepwell'}.\n"
                "Install Stepwell again, in an environment of its own."
            )
        if found != home:
            raise SystemExit(
                f"stepwell: '{name}' would be imported from {found / name}, but ours is {home / name}.\n"
                "Another package of this name is in the way: install Stepwell in an environment of its own."
            )


def _parent(spec: ModuleSpec | None) -> Path | None:
    """Return the folder that holds the package, None if there is no such package."""
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin).resolve().parent.parent
    # A folder without __init__.py: a namespace package of somebody else's.
    places = list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve().parent if places else None
