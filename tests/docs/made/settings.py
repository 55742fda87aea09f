"""docs/configuration.md: one row for each setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.config import PREFIX, SECRET_PREFIX, SETTINGS, Settings
from tests.docs.made.markdown import code, table

_SECRET = (
    "a secret. `STEPWELL_SECRET_SHOP_TOKEN` is what `${secrets.SHOP_TOKEN}` stands for in http steps; see "
    "[operations.md](operations.md#secrets) for who can read it"
)


def settings() -> str:
    """Return the table of settings."""
    defaults = Settings()
    rows = [
        (code(PREFIX + name.upper()), said.form, _default(getattr(defaults, name)), said.meaning)
        for name, said in SETTINGS.items()
    ]
    secret = (code(f"{SECRET_PREFIX}…"), "any text", "none", _SECRET)
    return table(("variable", "unit, form", "default", "meaning"), [*rows, secret])


def _default(value: Any) -> str:
    """Return a default as it would be written in the environment."""
    if value in (None, (), {}):
        return "none"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (
        code(str(value).lower() if isinstance(value, bool) else str(value))
        if not isinstance(value, Path)
        else code(value.as_posix())
    )
