"""The API with a certificate of an authority of the tests' own: who is let in, who is refused, what is said of it."""

import contextlib
import datetime as dt
import json
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from engine.config import Settings
from engine.errors import SettingError
from stepwell import tls
from tests.api.client import PLAIN, PROCESSES, new_key
from tests.certificates import Authority, Pair
from tests.cli.program import run
from tests.house import House, eventually
from tests.served import GET, ApiProcess, answers, ask, serving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("localhost", "127.0.0.1")


def settings(pair: Pair) -> dict[str, str]:
    return {
        "STEPWELL_TLS_CERTIFICATE_FILE": str(pair.certificate),
        "STEPWELL_TLS_KEY_FILE": str(pair.key),
    }


def test_requests_are_served_over_tls_1_2_and_1_3_to_who_trusts_the_authority(
    house: House, authority: Authority, pair: Pair
) -> None:
    house.publish(PLAIN)
    headers = {"Authorization": f"Bearer {new_key(house, 'acme_prod', ['admin'])}"}
    with serving(house, **settings(pair)) as api:
        assert api.url.startswith("https://")
        with httpx.Client(base_url=api.url, headers=headers, verify=authority.context()) as client:
            made = client.post(PROCESSES, json={"definition": "plain"})
            assert made.status_code == 201
            assert client.get(made.headers["location"]).json()["status"] == "CREATED"
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = authority.context()
            context.minimum_version = context.maximum_version = version
            assert ask(api, GET, context).status == 200
        assert api.troubles() == []


def test_old_tls_other_names_and_other_authorities_are_refused(
    house: House, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    old = authority.context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    stranger = Authority(tmp_path, "stranger").context()
    with serving(house, **settings(pair)) as api:
        with pytest.raises(ssl.SSLError):
            api.dial(old)
        with pytest.raises(ssl.SSLCertVerificationError, match="issuer"):
            api.dial(stranger)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname"):
            api.dial(authority.context(), name="other.example")
        assert ask(api, GET, authority.context()).status == 200
        assert api.troubles() == []


def test_plain_http_is_told_to_speak_tls(house: House, authority: Authority, pair: Pair) -> None:
    with serving(house, **settings(pair)) as api:
        refused = ask(api, GET)
        assert (refused.status, refused.code, refused.headers["connection"]) == (400, "tls_required", "close")
        assert ask(api, GET, authority.context()).status == 200


def test_a_replaced_certificate_is_shown_to_new_connections_and_a_broken_one_never(
    house: House, authority: Authority, pair: Pair
) -> None:
    def names(api: ApiProcess) -> list[str]:
        with api.dial(authority.context()) as wire:
            assert isinstance(wire, ssl.SSLSocket)
            shown: Any = wire.getpeercert()
            return [name for _, name in shown["subjectAltName"]]

    with serving(house, **settings(pair)) as api, api.dial(authority.context()) as before:
        assert "renewed.example" not in names(api)
        authority.issue("localhost", "127.0.0.1", "renewed.example")  # into the same files
        eventually(lambda: "renewed.example" in names(api), what="the new certificate is shown")
        assert api.seen("note", where="tls")
        before.sendall(GET)
        assert answers(before)[0].status == 200

        pair.key.write_text("no key")
        told = eventually(lambda: api.seen("error", where="tls"), what="the broken one is told of")
        assert str(pair.key) in told[0]["message"]
        assert "renewed.example" in names(api)
        authority.issue("localhost", "127.0.0.1", "third.example")
        eventually(lambda: "third.example" in names(api), what="the next one is shown")


def test_files_that_cannot_be_used_are_named_with_what_is_wrong(
    authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    other = authority.issue("localhost", file="other")
    missing, empty, locked = tmp_path / "missing.pem", tmp_path / "empty.pem", tmp_path / "locked.pem"
    empty.write_text("")
    locked.write_bytes(encrypted(pair.key))
    for certificate, key, said in (
        (pair.certificate, other.key, "the key is not that of the certificate"),
        (missing, pair.key, f"{missing} cannot be read: No such file"),
        (pair.certificate, missing, f"{missing} cannot be read: No such file"),
        (empty, pair.key, f"{empty} holds no certificate"),
        (pair.certificate, empty, f"{empty} holds no private key"),
        (pair.certificate, locked, f"the key in {locked} is encrypted"),
        (pair.certificate, None, "STEPWELL_TLS_KEY_FILE is not set"),
        (None, pair.key, "STEPWELL_TLS_KEY_FILE is set without STEPWELL_TLS_CERTIFICATE_FILE"),
    ):
        with pytest.raises(SettingError, match=re.escape(said)):
            tls.identity(Settings(tls_certificate_file=certificate, tls_key_file=key))


def encrypted(key: Path) -> bytes:
    """Return a private key under a passphrase."""
    loaded = load_pem_private_key(key.read_bytes(), None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def test_the_api_and_up_do_not_start_with_a_certificate_that_cannot_be_used(
    house: House, pair: Pair, tmp_path: Path
) -> None:
    pair.key.unlink()
    for command in (("api", "--port", "0"), ("up",)):
        done = run(tmp_path, *command, STEPWELL_DATABASE_URL=house.dsn("house_api"), **settings(pair))
        assert done.returncode == 1
        assert f"STEPWELL_TLS_KEY_FILE: {pair.key} cannot be read" in done.stderr
        assert "Traceback" not in done.stderr


def test_no_context_of_ours_speaks_old_tls_or_lets_a_client_renegotiate(pair: Pair) -> None:
    context = tls.server_context(pair.certificate, pair.key)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_one_file_may_hold_certificate_and_key(house: House, authority: Authority, pair: Pair, tmp_path: Path) -> None:
    both = pair.together(tmp_path / "both.pem")
    with serving(house, STEPWELL_TLS_CERTIFICATE_FILE=str(both)) as api:
        assert ask(api, GET, authority.context()).status == 200


def test_handshakes_that_never_end_are_ended_and_counted(house: House, authority: Authority, pair: Pair) -> None:
    first, limit = "room.HEAD_SECONDS = 2.0", {"STEPWELL_API_CONNECTIONS": "10"}
    with serving(house, first=first, **limit, **settings(pair)) as api, contextlib.ExitStack() as stack:
        assert ask(api, GET, authority.context()).status == 200
        files = api.files()
        for n in range(40):
            wire = stack.enter_context(api.dial())
            if n % 2:
                wire.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert ask(api, GET, authority.context()).status == 200
        eventually(lambda: api.files() <= files + 11, what="they make room")
        eventually(lambda: api.files() <= files + 1, what="they are ended")
        assert api.troubles() == []


def test_what_comes_instead_of_a_handshake_does_no_harm(house: House, authority: Authority, pair: Pair) -> None:
    with serving(house, **settings(pair)) as api:
        for raw in (b"\x16\x03\x01\xff\xff" + b"x" * 1000, b"\x16", b"\x80\x2e\x01\x00\x02", b"\0" * 100, b""):
            with api.dial() as wire:
                wire.sendall(raw)
                wire.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    while wire.recv(1 << 16):
                        pass
        assert ask(api, GET, authority.context()).status == 200
        assert api.troubles() == []


def test_an_answer_is_complete_for_a_slow_reader_and_given_up_for_none(
    house: House, authority: Authority, pair: Pair
) -> None:
    big = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    last = big[:-2] + b"Connection: close\r\n\r\n"
    with serving(house, first="room.ANSWER_SECONDS = 5.0", **settings(pair)) as api:
        size = len(ask(api, last, authority.context()).body)
        with narrow(api, authority) as slow:
            slow.sendall(big * 16 + last)
            assert [len(answer.body) for answer in answers(slow, 18, pause_s=0.02)] == [size] * 17
        files = api.files()
        wires = [narrow(api, authority) for _ in range(6)]
        for count, wire in zip((1, 5, 17, 17, 17, 17), wires, strict=True):
            wire.sendall(big * count)
        eventually(lambda: sum(x["late"] for x in api.seen("connections")) >= len(wires), what="all are given up")
        eventually(lambda: api.files() <= files, what="all are closed")
        for wire in wires:
            wire.close()
        assert ask(api, GET, authority.context()).status == 200


def narrow(api: ApiProcess, authority: Authority) -> ssl.SSLSocket:
    """Open a connection on which little can be under way."""
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    wire.settimeout(30)
    wire.connect(("127.0.0.1", api.port))
    return authority.context().wrap_socket(wire, server_hostname="localhost")


def test_the_command_line_trusts_the_authority_it_is_given_and_says_so_where_it_has_none(
    house: House, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    house.publish(PLAIN)
    key = new_key(house, "acme_prod", ["admin"])
    with serving(house, **settings(pair)) as api:
        known = {"STEPWELL_URL": api.url, "STEPWELL_API_KEY": key}
        trusting = run(tmp_path, "definition", "list", "--json", STEPWELL_CA_FILE=str(authority.file), **known)
        strange = run(tmp_path, "definition", "list", **known)
        by_http = run(tmp_path, "definition", "list", **{**known, "STEPWELL_URL": api.url.replace("https", "http")})

    assert trusting.returncode == 0, trusting.stderr
    assert [one["name"] for one in json.loads(trusting.stdout)] == ["plain"]
    assert strange.returncode == 3
    assert "certificate" in strange.stderr
    assert "STEPWELL_CA_FILE" in strange.stderr
    assert by_http.returncode == 1
    assert "this port speaks TLS only" in by_http.stderr


def findings(done: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return [one for one in found if one["area"] == "certificate"]


def test_the_doctor_looks_at_the_certificate(house: House, authority: Authority, pair: Pair, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    soon = authority.issue("localhost", file="soon", not_after=now + dt.timedelta(days=5))
    past = authority.issue("localhost", file="past", not_after=now - dt.timedelta(days=1))
    known = {"STEPWELL_DATABASE_URL": house.dsn("house_api")}
    for given, state, said in (
        (pair, "ok", "localhost, 127.0.0.1"),
        (soon, "hint", "ends in 4 days"),
        (past, "bad", "expired"),
        (Pair(pair.certificate, soon.key), "bad", "not that of the certificate"),
    ):
        (finding,) = findings(run(tmp_path, "doctor", "--json", **known, **settings(given)))
        assert (finding["state"], said in finding["message"]) == (state, True), finding
    assert findings(run(tmp_path, "doctor", "--json", **known)) == []
