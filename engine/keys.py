"""Keys of the REST API: how one is made, and the only thing of it that is kept.

A key is `swk_` and 43 url-safe characters: 256 random bits. Being random, it needs no slow hash; its SHA-256 is what
the database holds and what a request is looked up by. The key itself is shown once, when it is made.
"""

from __future__ import annotations

import hashlib
import re
import secrets

PREFIX = "swk_"
_RANDOM_BYTES = 32
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")

# What a key may do. `admin` includes all others. The database checks the same list (constraint scopes_are_known).
SCOPES = ("workflows:read", "workflows:write", "workflows:execute", "tasks:act", "admin")


def make_key() -> tuple[str, bytes]:
    """Return a new key, to be shown once, and its hash, to be stored."""
    key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return key, hash_key(key)


def hash_key(key: str) -> bytes:
    """Return the 32 bytes by which a key is stored and looked up."""
    return hashlib.sha256(key.encode()).digest()


def well_formed(key: str) -> bool:
    """Tell whether a text has the form of a key: anything else need not be looked up."""
    return _FORM.fullmatch(key) is not None
