"""The demo's world: a private database, API, two workers, the partner, a shop with a login of its own.

Everything lives in one folder and is gone at the end, unless it is to be kept.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

import sql
from engine.config import Settings
from engine.embedded import EmbeddedServer
from engine.errors import OperatorError
from stepwell import connection, place, prepare, provision, up
from stepwell.connection import Connection
from stepwell.demo import watchdog
from stepwell.supervise import Child, Family, Stop, Stopped, own_command

WORKERS = 2
LOOPBACK = "127.0.0.0/8"  # the partner's; workers call no private address unless allowed
SHOP_LOGIN = "demo_shop_login"
PARTNER_S = 15.0


class World(Struct):
    """Where everything is."""

    folder: Path
    connection: Connection
    url: str
    shop_url: str  # the shop's database login
    partner_url: str
    calls: Path  # the partner's log
    family: Family
    workers: list[Child]

    def replace_worker(self) -> Child:
        """Start one more worker, in place of one that was killed."""
        made = _worker(self.family, self.connection, len(self.workers) + 1)
        self.workers.append(made)
        return made


@contextlib.contextmanager
def world(stop: Stop, *, keep: bool, seed: int, failure_rate: float) -> Iterator[World]:
    """Build the world; take it down afterwards, the folder too unless `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="stepwell-demo-"))
    folder.chmod(0o711)  # the embedded server's account passes through
    options = ("--seed", str(seed), "--failure-rate", str(failure_rate))
    with watchdog.guarded(folder, keep=keep):
        server = EmbeddedServer(folder / place.CLUSTER)
        try:
            server.start()
            settings = Settings(data_dir=folder)
            made, _ = prepare.embedded(server.dsn, settings)
            shop_url = open_shop(made)
            with Family(folder / "logs") as family:
                yield _populate(family, settings, made, shop_url, stop, options)
        finally:
            if keep:
                server.stop()
            else:
                server.destroy()
                shutil.rmtree(folder, ignore_errors=True)


def open_shop(made: Connection) -> str:
    """Make the shop's table and its login of kind caller; return that login's URL."""
    with provision.connected(made.owner_url) as owner:
        owner.execute(sql.query("demo.make_shop"))
        scope = provision.find_scope(owner, provision.DEFAULT, provision.DEFAULT)
        password = provision.add_login(owner, SHOP_LOGIN, "caller", scope)
    return provision.login_url(made.owner_url, SHOP_LOGIN, password)


def _populate(
    family: Family, settings: Settings, made: Connection, shop_url: str, stop: Stop, partner_options: Sequence[str]
) -> World:
    """Start partner, API and workers; wait until all answer."""
    calls = settings.data_dir / "partner-calls.jsonl"
    partner = family.add("partner", up.partner_command(settings.data_dir, 0, *partner_options), {})
    with contextlib.closing(up.claim(None, usual=0)) as listener:  # nobody needs to know the port
        url = f"http://{up.HOST}:{listener.getsockname()[1]}"
        up.add_api(family, listener, _api_environment(made, settings))
    workers = [_worker(family, made, number) for number in range(1, WORKERS + 1)]
    up.wait_ready(family, url, stop)
    if stop.is_set():
        raise Stopped
    connection.write(settings.data_dir, msgspec.structs.replace(made, url=url))
    return World(settings.data_dir, made, url, shop_url, _partner_url(partner), calls, family, workers)


def _api_environment(made: Connection, settings: Settings) -> dict[str, str]:
    """Return the API's settings: what our own environment says of TLS is meant for another API."""
    without = dict.fromkeys(("STEPWELL_TLS_CERTIFICATE_FILE", "STEPWELL_TLS_KEY_FILE"), "")
    return {**without, "STEPWELL_DATABASE_URL": made.api_url, "STEPWELL_DATA_DIR": str(settings.data_dir)}


def _worker(family: Family, made: Connection, number: int) -> Child:
    environment = {
        "STEPWELL_DATABASE_URL": made.worker_url,
        "STEPWELL_HTTP_ALLOWED_NETWORKS": LOOPBACK,
        "STEPWELL_DRAIN_SECONDS": "3",
    }
    return family.add(f"worker-{number}", own_command("worker"), environment)


def _partner_url(partner: Child) -> str:
    """Wait for the line in which the partner says where it is."""
    deadline = time.monotonic() + PARTNER_S
    while time.monotonic() < deadline and partner.exit_code is None:
        with contextlib.suppress(IndexError, msgspec.DecodeError, httpx.TransportError):
            url: str = msgspec.json.decode(partner.said()[0])["url"]
            httpx.get(f"{url}/_calls", timeout=2.0, trust_env=False)
            return url
        time.sleep(0.05)
    raise OperatorError(f"the partner did not start:\n{partner.complaints()}", advice=f"Its log: {partner.log}")


def kill(child: Child) -> None:
    """End a worker as a crash would: no word, no clean-up."""
    child.send(signal.SIGKILL)
    child.wait(5.0)
