"""An authority that signs certificates for tests: for servers, for clients, expired ones, for other names."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


class Authority:
    """Signs what it is asked to; its files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._issued = 0
        self._authority = trustme.CA()
        self.file = folder / "authority.crt"
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, name: str, *hosts: str, days: int = 1) -> Path:
        """Return a file with a certificate that ends in some days, and its key; `name` is its common name."""
        end = datetime.now(UTC) + timedelta(days=days)
        issued = self._authority.issue_cert(
            *(hosts or ("client.test",)), common_name=name, not_before=end - timedelta(days=10), not_after=end
        )
        self._issued += 1
        path = self._folder / f"{self._issued}.pem"
        for part in (*issued.cert_chain_pems, issued.private_key_pem):
            part.write_to_path(path, append=True)
        return path

    def server(self, *hosts: str, days: int = 1, clients: Authority | None = None) -> ssl.SSLContext:
        """Return a server's context; with `clients`, it wants a certificate that this authority signed."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.issue("server", *hosts, days=days))
        if clients is not None:
            context.load_verify_locations(clients.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
