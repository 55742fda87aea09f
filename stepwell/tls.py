"""TLS of what listens: the API, and a worker with --observe. One certificate, from two files, for both.

Files are read at the start and again when they have changed; what cannot be used then is told of and the certificate
in use stays. Must not print. Outgoing connections have their own settings and are not looked at here.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, NoReturn

from engine.config import Settings
from engine.errors import SettingError

CERTIFICATE = "STEPWELL_TLS_CERTIFICATE_FILE"
KEY = "STEPWELL_TLS_KEY_FILE"

Stamp = tuple[tuple[int, int, int], ...]


class Identity:
    """The certificate that a listening program shows, and its key."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self.certificate = certificate
        self.key = key
        self._stamp = self._look()
        self.context = server_context(certificate, key)

    def renew(self) -> bool:
        """Take up changed files; tell whether there were any. Raises SettingError, once for each change."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.context = server_context(self.certificate, self.key)
        return True

    def _look(self) -> Stamp:
        """Return what changes when a file does. A file that is away looks like any other change."""
        return tuple(_stamp(path) for path in (self.certificate, self.key) if path is not None)


def identity(settings: Settings) -> Identity | None:
    """Return the identity that the settings name, None where they name none. Raises SettingError."""
    if settings.tls_certificate_file is None:
        if settings.tls_key_file is not None:
            raise SettingError(f"{KEY} is set without {CERTIFICATE}", advice="Set both, or neither.")
        return None
    return Identity(settings.tls_certificate_file, settings.tls_key_file)


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later that shows this certificate. Raises SettingError that names the file.

    `key`: None where the certificate's file holds it, too.
    """
    _readable(CERTIFICATE, certificate, b"-----BEGIN CERTIFICATE-----", "certificate")
    if key is not None:
        _readable(KEY, key, b"PRIVATE KEY-----", "private key")
    elif b"PRIVATE KEY-----" not in certificate.read_bytes():
        raise SettingError(f"{KEY} is not set, and {certificate} holds no key", advice=f"Set {KEY}.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # costs the server more than whoever asks for it
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, _no_passphrase(key or certificate))
    except ssl.SSLError as error:
        raise SettingError(
            f"{certificate} and {key or certificate} cannot be used: {_reason(error)}",
            advice=f"{CERTIFICATE} is the chain with the server's own certificate first, {KEY} its key; both are PEM.",
        ) from None
    return context


def shown(context: ssl.SSLContext, certificate: Path) -> dict[str, Any]:
    """Return what a client learns of the certificate (`subjectAltName`, `notAfter`, …), by a handshake in memory.

    The client trusts this very certificate: ssl.SSLCertVerificationError tells that it is not valid today.
    """
    client = pinned(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = context.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for side in (ours, theirs):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
    return ours.getpeercert() or {}


def pinned(certificate: Path) -> ssl.SSLContext:
    """Return a client's context that trusts the first certificate of the file and no other, whatever names it has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    first = certificate.read_text().partition("-----END CERTIFICATE-----")
    context.load_verify_locations(cadata=f"{first[0]}{first[1]}\n")
    return context


def _readable(name: str, path: Path, mark: bytes, what: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingError(
            f"{name}: {path} cannot be read: {error.strerror}", advice="Correct the path, or who may read the file."
        ) from None
    if mark not in content:
        raise SettingError(f"{name}: {path} holds no {what} in PEM form", advice=f"Name a PEM file with the {what}.")


def _no_passphrase(path: Path) -> Any:
    """Return what OpenSSL calls for a passphrase: without it, it would ask on the terminal."""

    def refuse() -> NoReturn:
        raise SettingError(f"the key in {path} is encrypted", advice="Use a key without a passphrase, mode 0600.")

    return refuse


def _reason(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return (error.reason or str(error)).replace("_", " ").lower()


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
