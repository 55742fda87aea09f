"""Certificates of a test's own authority, as files: what an operator would put into the settings.

Elliptic-curve keys made anew in each run; nothing of it is trusted anywhere else.
"""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import trustme


class Pair:
    """A certificate chain and its key, each in a file."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate = certificate
        self.key = key

    def together(self, path: Path) -> Path:
        """Write certificate and key into one file, as some programs want them; return it."""
        path.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        path.chmod(0o600)
        return path


class Authority:
    """A certificate authority; `file` is what a client trusts."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(
        self,
        *names: str,
        file: str = "server",
        common_name: str | None = None,
        not_after: dt.datetime | None = None,
    ) -> Pair:
        """Issue a certificate for host names and addresses; its files are FILE.crt and FILE.key (mode 0600).

        `common_name`: of a client certificate, the database login it stands for.
        """
        issued = self._ca.issue_cert(
            *names, common_name=common_name, not_after=not_after, key_type=trustme.KeyType.ECDSA
        )
        pair = Pair(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        pair.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(pair.key))
        pair.key.chmod(0o600)
        return pair

    def context(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.file))
