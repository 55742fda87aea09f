"""What `stepwell doctor` looks at where the API meets the network: certificate, open files, its URL."""

from __future__ import annotations

import resource
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from engine.config import Settings
from engine.errors import SettingError
from stepwell import tls
from stepwell.checks import BAD, HINT, OK, Finding, is_local
from stepwell.serving.room import OTHER_FILES, SPARE

DAYS = 14  # before a certificate ends; whoever renews by a machine does it earlier
DAY_SECONDS = 86_400


def edges(chosen: Settings, url: str) -> Iterator[Finding]:
    """Yield every finding. `url`: of the API that commands here would ask."""
    yield from certificate(chosen)
    yield from open_files(chosen)
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_local(parts.hostname or ""):
        advice = "Let the API, or a proxy in front of it, speak TLS, and use https:// here."
        yield Finding("api", HINT, f"keys and data travel to {parts.hostname} in clear", advice)


def certificate(chosen: Settings) -> Iterator[Finding]:
    """Look whether certificate and key fit each other, for which names, and until when."""
    try:
        identity = tls.identity(chosen)
        if identity is None:
            return
        shown = tls.shown(identity.context, identity.certificate)
    except SettingError as error:
        yield Finding("certificate", BAD, error.message, error.advice)
        return
    except ssl.SSLCertVerificationError as error:
        yield Finding("certificate", BAD, f"clients refuse it: {error.verify_message}", "Renew it.")
        return
    names = ", ".join(name for _, name in shown.get("subjectAltName", ())) or "no name"
    days = (ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) // DAY_SECONDS
    if days < DAYS:
        yield Finding("certificate", HINT, f"that of {names} ends in {days:.0f} days", "Renew it.")
    else:
        yield Finding("certificate", OK, f"for {names}, until {shown['notAfter']}")


def open_files(chosen: Settings) -> Iterator[Finding]:
    """Look whether the system lets the API have as many connections as it is set to."""
    needed = chosen.api_connections + SPARE + OTHER_FILES
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        advice = f"Raise the limit of open files to {needed} (ulimit -Hn, LimitNOFILE) where the API runs."
        message = f"{allowed} open files are too few for {chosen.api_connections} connections of the API"
        yield Finding("limits", HINT, message, advice)
