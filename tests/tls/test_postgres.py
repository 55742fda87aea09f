"""PostgreSQL over TLS only, on the system's own release: API, worker, migrate, doctor, and who is refused.

The embedded server has no TLS; without an installed PostgreSQL these tests are skipped.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.db import Link, LinkLost
from engine.embedded import EmbeddedServer
from engine.embedded.place import server_account
from engine.errors import EmbeddedError
from tests.api.client import DEFINITIONS, PLAIN, PROCESSES, new_key
from tests.certificates import Authority, Pair
from tests.cli.program import run
from tests.fix_servers import FAST, private_folder
from tests.house import OWNER, PASSWORD, House, WorkerProcess, eventually, load_schema
from tests.served import ApiProcess, running
from tests.system_postgres import system_bin

NAME = "db.stepwell.test"  # in the certificate; reached at 127.0.0.1
RULES = """
hostssl  all  house_api     127.0.0.1/32  cert
hostssl  all  house_worker  127.0.0.1/32  scram-sha-256  clientcert=verify-full
hostssl  all  all           127.0.0.1/32  scram-sha-256
"""


class Secured:
    """A server that speaks TLS only, and an installation on it."""

    def __init__(self, folder: Path, server: EmbeddedServer, authority: Authority) -> None:
        self.folder = folder
        self.authority = authority
        self.server = server
        self.pairs: dict[str, Pair] = {
            login: authority.issue(common_name=login, file=login) for login in ("house_api", "house_worker")
        }

    def dsn(self, login: str, **changed: str) -> str:
        """Return a connection string that checks the server's certificate and name; `changed` parts go last."""
        parts: dict[str, Any] = {"user": login, "password": PASSWORD}
        if login in self.pairs:
            pair = self.pairs[login]
            parts |= {"sslcert": str(pair.certificate), "sslkey": str(pair.key)}
        checked = {"host": NAME, "hostaddr": "127.0.0.1", "sslmode": "verify-full"}
        trusted = {"sslrootcert": str(self.authority.file)}
        return make_conninfo(self.server.dsn, **{**checked, **trusted, **parts, **changed})


def given_to_the_server(path: Path) -> str:
    """Let the server's account own a file; return its path."""
    account = server_account()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)
    return str(path)


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    try:
        programs = system_bin()
    except EmbeddedError as error:
        pytest.skip(f"{error.message}: the embedded PostgreSQL has no TLS")
    with private_folder() as folder:
        authority = Authority(folder)
        pair = authority.issue(NAME)
        rules = folder / "pg_hba.conf"
        rules.write_text(RULES)
        settings = {
            "ssl": "on",
            "ssl_cert_file": given_to_the_server(pair.certificate),
            "ssl_key_file": given_to_the_server(pair.key),
            "ssl_ca_file": str(authority.file),
            "hba_file": given_to_the_server(rules),
        }
        server = EmbeddedServer(folder / "postgres", settings={**FAST, **settings}, bin_dir=programs)
        try:
            server.start()
            made = Secured(folder, server, authority)
            superuser = {"user": "postgres", "password": server.password}
            load_schema(**conninfo_to_dict(made.dsn("postgres", **superuser)))
            yield made
        finally:
            server.destroy()


@pytest.fixture
def house(secured: Secured, tmp_path: Path) -> Iterator[House]:
    """Return the installation on that server, in the place of the usual one."""
    made = House(secured.dsn("postgres", password=secured.server.password), tmp_path)
    yield made
    made.close()


def stranger(secured: Secured) -> str:
    """Return the file of an authority that has signed nothing here."""
    return str(Authority(secured.folder, "stranger").file)


def test_api_worker_and_owner_run_with_every_connection_encrypted_and_the_server_checked(
    secured: Secured, house: House
) -> None:
    migrated = run(house.folder, "migrate", STEPWELL_OWNER_DATABASE_URL=secured.dsn(OWNER))
    assert migrated.returncode == 0, migrated.stderr
    headers = {"Authorization": f"Bearer {new_key(house, 'acme_prod', ['admin'])}"}
    worker = WorkerProcess(secured.dsn("house_worker"), house.folder, {})
    try:
        with running(ApiProcess(secured.dsn("house_api"), house.folder)) as api:
            with httpx.Client(base_url=api.url, headers=headers) as client:
                assert client.post(DEFINITIONS, json=PLAIN).status_code == 201
                made = client.post(PROCESSES, json={"definition": "plain"}).headers["location"]
                eventually(lambda: client.get(made).json()["status"] == "COMPLETED", what="the process has run")
            with psycopg.connect(house.superuser_dsn) as superuser:
                seen = superuser.execute(
                    "select a.usename, bool_and(s.ssl) from pg_stat_activity a join pg_stat_ssl s using (pid) "
                    "where a.application_name like 'stepwell %' group by 1"
                ).fetchall()
            assert dict(seen) == {"house_api": True, "house_worker": True}
            assert api.troubles() == []
        assert worker.errors() == []
    finally:
        worker.end()


def test_a_server_that_another_authority_has_signed_is_refused_with_the_reason(secured: Secured, house: House) -> None:
    wrong = {"sslrootcert": stranger(secured)}
    migrated = run(house.folder, "migrate", STEPWELL_OWNER_DATABASE_URL=secured.dsn(OWNER, **wrong))
    assert migrated.returncode == 3
    assert "certificate verify failed" in migrated.stderr
    assert PASSWORD not in migrated.stderr
    with running(ApiProcess(secured.dsn("house_api", **wrong), house.folder)) as api:
        answer = httpx.get(f"{api.url}/health/ready", timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        told = eventually(lambda: api.seen("error", where="psycopg.pool"), what="the reason is told")
        assert "certificate verify failed" in told[0]["message"]
    worker = WorkerProcess(secured.dsn("house_worker", **wrong), house.folder, {})
    try:
        lost = eventually(lambda: [x for x in worker.log if "certificate verify failed" in str(x)], what="it is told")
        assert lost[0]["event"] != "text"
        assert worker.process.poll() is None  # it tries again
    finally:
        worker.end()


async def test_the_workers_link_is_refused_without_trust_and_works_with_it(secured: Secured) -> None:
    link = Link(secured.dsn("house_worker"), "test")
    await link.open()
    assert await link.one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", {}) == (True,)
    await link.close()
    for changed, said in (
        ({"sslrootcert": stranger(secured)}, "certificate verify failed"),
        ({"host": "other.stepwell.test"}, "does not match host name"),
        ({"sslmode": "disable"}, "no encryption"),
        ({"sslcert": "", "sslkey": ""}, "certificate"),
        ({"user": "house_api"}, "certificate authentication failed"),  # with the worker's certificate
    ):
        link = Link(secured.dsn("house_worker", **changed), "test")
        with pytest.raises(LinkLost, match=said):
            await link.open()
        await link.close()


def test_the_connection_string_of_a_new_login_checks_the_server_and_has_nobody_elses_certificate(
    secured: Secured, house: House
) -> None:
    pair = secured.pairs["house_api"]
    owner = secured.dsn(OWNER, sslcert=str(pair.certificate), sslkey=str(pair.key))
    made = run(
        house.folder, "login", "create", "tls_worker", "--kind", "worker", "--json", STEPWELL_OWNER_DATABASE_URL=owner
    )
    assert made.returncode == 0, made.stderr
    url = json.loads(made.stdout)["url"]
    parts = conninfo_to_dict(url)
    assert (parts["sslmode"], parts["sslrootcert"]) == ("verify-full", str(secured.authority.file))
    assert not {"sslcert", "sslkey"} & set(parts)
    with psycopg.connect(url) as worker:
        assert worker.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone() == (True,)


def test_a_certificate_alone_lets_its_login_in_and_no_other(secured: Secured) -> None:
    with psycopg.connect(secured.dsn("house_api", password="wrong")) as api:  # nobody asks for it
        assert api.execute("select current_user").fetchone() == ("house_api",)
    pair = secured.pairs["house_worker"]
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        psycopg.connect(secured.dsn("house_api", sslcert=str(pair.certificate), sslkey=str(pair.key)))


def test_the_doctor_says_whether_connections_are_encrypted_and_the_server_is_checked(
    secured: Secured, house: House
) -> None:
    authority = {"sslrootcert": str(secured.authority.file)}
    for changed, state, said in (
        ({}, "ok", "encrypted, sslmode=verify-full"),
        ({"sslmode": "verify-ca"}, "hint", "sslmode=verify-ca trusts whoever"),
        ({"sslmode": "require", "sslrootcert": ""}, "hint", "sslmode=require trusts any server"),
        ({"sslmode": "require", "sslrootcert": "", "host": "127.0.0.1"}, "ok", "encrypted, sslmode=require"),
    ):
        url = secured.dsn("house_worker", **{**authority, **changed})
        done = run(house.folder, "doctor", "--json", STEPWELL_DATABASE_URL=url)
        (finding,) = [one for one in json.loads(done.stdout)["findings"] if one["area"] == "tls"]
        assert (finding["state"], said in finding["message"]) == (state, True), finding
    refused = run(
        house.folder, "doctor", STEPWELL_DATABASE_URL=secured.dsn("house_worker", sslrootcert=stranger(secured))
    )
    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stdout
    assert PASSWORD not in refused.stdout
