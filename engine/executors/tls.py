"""Whom http activities trust, and which certificate they show to whom.

Files are read once, when a worker starts, so that a bad one is told then and to the operator, not to a process in the
night. A certificate is shown to the host that its file is named after and to no other, whoever wrote the definition,
and not where a redirect from another origin leads.

Must not turn off any check of the server's certificate or name.
"""

from __future__ import annotations

import functools
import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path

from engine.errors import SettingError
from engine.executors.names import HOST_NAME

SUFFIX = ".pem"

_CA_FILE = "STEPWELL_HTTP_CA_FILE"
_CERTIFICATES = "STEPWELL_HTTP_CLIENT_CERTIFICATES"


class Trust:
    """TLS contexts by host: `own` where there is a client certificate, else `common`."""

    def __init__(self, common: ssl.SSLContext, own: Mapping[str, ssl.SSLContext]) -> None:
        self._common = common
        self._own = dict(own)

    def context(self, host: str, *, foreign: bool = False) -> ssl.SSLContext:
        """Return the context for a host as a URL has it: lower case, punycode.

        `foreign`: a redirect from another origin led there; nobody who wrote the definition chose that host.
        """
        return self._common if foreign else self._own.get(host.rstrip("."), self._common)


def read_trust(ca_file: Path | None = None, certificates: Path | None = None) -> Trust:
    """Read the settings' files. Raises SettingError that names the file.

    The authorities of `ca_file` are trusted beside the system's. `certificates` holds HOST.pem files, each a
    certificate chain and its key; entries that begin with a dot are skipped, as Kubernetes makes them for its mounts.
    """
    own = {}
    for path in _files(certificates) if certificates is not None else ():
        own[_host(path)] = _with_certificate(_context(ca_file), path)
    return Trust(_context(ca_file), own)


@functools.cache
def system_trust() -> Trust:
    """Return what is trusted without any setting. Kept: the system's authorities take a while to read."""
    return read_trust()


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(("http/1.1",))
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise SettingError(
                f"{_CA_FILE}: {ca_file} cannot be used: {_reason(error)}",
                advice="Give the path of a file with one or more certificates of authorities in PEM.",
            ) from None
    return context


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SettingError(
            f"{_CERTIFICATES}: {folder} cannot be read: {_reason(error)}",
            advice="Give the path of a folder with files HOST.pem, each a certificate and its key.",
        ) from None


def _host(path: Path) -> str:
    """Return the host that a file is for. Raises SettingError for a name under which no host would be found."""
    name = path.name.removesuffix(SUFFIX)
    if name != path.name and (HOST_NAME.fullmatch(name) or _is_address(name)):
        return name
    advice = "Name each file after its host, in lower case and without a port, as in bank.example.com.pem."
    raise SettingError(f"{_CERTIFICATES}: {path} is not named after a host", advice=advice)


def _is_address(text: str) -> bool:
    try:
        return str(ipaddress.ip_address(text)) == text
    except ValueError:
        return False


def _with_certificate(context: ssl.SSLContext, path: Path) -> ssl.SSLContext:
    try:
        context.load_cert_chain(path, password="")
    except OSError as error:
        raise SettingError(
            f"{_CERTIFICATES}: {path} cannot be used: {_reason(error)}",
            advice="The file holds a certificate, then those that lead to its authority, and its key without password.",
        ) from None
    return context


def _reason(error: OSError) -> str:
    """Return what OpenSSL or the system says of a file, without the place in OpenSSL's source."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is no PEM file").replace("_", " ").lower()
    return error.strerror or type(error).__name__
