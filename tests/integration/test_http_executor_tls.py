"""TLS of http activities: a customer's own authority, client certificates, and everything that must not be trusted."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop

from engine.config import Settings
from engine.errors import SettingError
from engine.executors.tls import read_trust
from engine.worker import run_worker
from tests.partners.authority import Authority
from tests.partners.calls import code, every_name_is_loopback, failure, output, request, started
from tests.partners.raw import RawPartner, Received, always, reply
from tests.partners.strict_tls import strict_server

DONE = reply(200, b"done", "text/plain")

# Made for this test; its password is "secret".
ENCRYPTED_KEY = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjyrmDxbz0zoQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEH7r/Sp1Q5an+LUaD5Jh3v8EgZBA
t+62MEk4PLzypO+DPegeoaFA7s7p28pxSc5UQaFqEiqRtWkMNpjZ4IdZgtks1CWW
J+MJft/1oYhzz4UacBZMAzqs4NPhK9+wnB0hlwwYcvBIxUJWVyJHcdgd7WqQRjuF
kSbIpAYS+7D3Pl3sXnIFrnIG/kH/E5wDwVMnTFVoI25y6hQAdeUsY03Or6+PVao=
-----END ENCRYPTED PRIVATE KEY-----
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def clients(tmp_path: Path) -> Authority:
    """Return the authority of client certificates; no server has one of its."""
    return Authority(tmp_path / "clients")


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    every_name_is_loopback(monkeypatch)


def folder(tmp_path: Path, **files: Path) -> Path:
    """Return a folder of client certificates; __ in a name stands for a dot."""
    made = tmp_path / "certificates"
    made.mkdir()
    for host, path in files.items():
        shutil.copy(path, made / f"{host.replace('__', '.')}.pem")
    return made


class TestServers:
    async def test_the_authority_of_the_setting_is_trusted_beside_the_systems(self, authority: Authority) -> None:
        trust = read_trust(authority.file)
        assert len(trust.context("a.test").get_ca_certs()) == len(ssl.create_default_context().get_ca_certs()) + 1
        async with RawPartner(always(DONE), tls=authority.server("shop.test")) as partner:
            async with started(trust=trust) as executor:
                output(await executor.run(request(f"https://shop.test:{partner.port}/")))
            async with started() as executor:
                assert code(await executor.run(request(f"https://shop.test:{partner.port}/"))) == "tls_invalid"
        assert len(partner.requests) == 1

    @pytest.mark.parametrize("url", ["https://bank.test", "https://127.0.0.1", "https://a.shop.test"])
    async def test_a_certificate_for_another_name_is_not_trusted(self, authority: Authority, url: str) -> None:
        async with (
            RawPartner(always(DONE), tls=authority.server("shop.test", "*.bank.test")) as partner,
            started(trust=read_trust(authority.file)) as executor,
        ):
            outcome = failure(await executor.run(request(f"{url}:{partner.port}/")))
        assert (outcome.error.code, outcome.retryable, partner.requests) == ("tls_invalid", False, [])
        assert "STEPWELL_HTTP_CA_FILE" in outcome.error.advice

    @pytest.mark.parametrize(
        "url", ["https://SHOP.test", "https://shop.test.", "https://a.bank.test", "https://127.0.0.1"]
    )
    async def test_a_certificate_for_this_name_is_trusted(self, authority: Authority, url: str) -> None:
        server = authority.server("shop.test", "*.bank.test", "127.0.0.1")
        async with (
            RawPartner(always(DONE), tls=server) as partner,
            started(trust=read_trust(authority.file)) as executor,
        ):
            output(await executor.run(request(f"{url}:{partner.port}/")))

    async def test_an_expired_certificate_is_not_trusted(self, authority: Authority) -> None:
        async with (
            RawPartner(always(DONE), tls=authority.server("shop.test", days=-2)) as partner,
            started(trust=read_trust(authority.file)) as executor,
        ):
            assert code(await executor.run(request(f"https://shop.test:{partner.port}/"))) == "tls_invalid"

    async def test_a_server_that_speaks_only_tls_1_1_is_refused(self, authority: Authority) -> None:
        trust = read_trust(authority.file)
        assert trust.context("shop.test").minimum_version == ssl.TLSVersion.TLSv1_2
        context = authority.server("shop.test")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        async with RawPartner(always(DONE), tls=context) as partner, started(trust=trust) as executor:
            outcome = failure(await executor.run(request(f"https://shop.test:{partner.port}/")))
        assert outcome.error.code in {"connect_failed", "tls_refused"}
        assert partner.requests == []


class TestClientCertificates:
    async def test_each_host_sees_its_own_certificate_and_others_none(
        self, tmp_path: Path, authority: Authority, clients: Authority
    ) -> None:
        files = folder(tmp_path, shop__test=clients.issue("for shop"), bank__test=clients.issue("for bank"))
        hosts = ("shop.test", "bank.test", "a.shop.test", "other.test", "127.0.0.1")
        server = authority.server(*hosts, clients=clients)
        server.verify_mode = ssl.CERT_OPTIONAL
        async with (
            RawPartner(always(DONE), tls=server) as partner,
            RawPartner(always(DONE), tls=server) as another_port,
            started(trust=read_trust(authority.file, files)) as executor,
        ):
            for host in (*hosts, "SHOP.test", "shop.test."):
                output(await executor.run(request(f"https://{host}:{partner.port}/")))
            output(await executor.run(request(f"https://shop.test:{another_port.port}/")))
        assert (
            partner.seen_certificates == ["for shop", "for bank", None, None, None, "for shop"][: partner.connections]
        )
        assert partner.connections in {5, 6}  # SHOP.test is shop.test, and has its connection
        assert another_port.seen_certificates == ["for shop"]

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    @pytest.mark.parametrize("given", ["none", "of a stranger", "expired", "right"])
    async def test_a_server_that_wants_a_certificate_gets_the_right_one_or_refuses(
        self, tmp_path: Path, authority: Authority, clients: Authority, given: str, version: ssl.TLSVersion
    ) -> None:
        files = {
            "none": {},
            "of a stranger": {"shop__test": authority.issue("stranger")},
            "expired": {"shop__test": clients.issue("late", days=-2)},
            "right": {"shop__test": clients.issue("right")},
        }[given]
        server = authority.server("shop.test", clients=clients)
        server.minimum_version = server.maximum_version = version
        trust = read_trust(authority.file, folder(tmp_path, **files))
        with strict_server(server) as partner:
            async with started(trust=trust) as executor:
                outcome = await executor.run(request(f"https://shop.test:{partner.port}/"))
        if given == "right":
            assert output(outcome)["body"] == "done"
            return
        assert (code(outcome), failure(outcome).retryable, partner.requests) == ("tls_refused", False, [])
        assert "STEPWELL_HTTP_CLIENT_CERTIFICATES" in failure(outcome).error.advice

    async def test_a_redirect_to_another_host_does_not_take_it_along(
        self, tmp_path: Path, authority: Authority, clients: Authority
    ) -> None:
        server = authority.server("shop.test", "evil.test", clients=clients)
        server.verify_mode = ssl.CERT_OPTIONAL
        trust = read_trust(authority.file, folder(tmp_path, shop__test=clients.issue("for shop")))
        async with RawPartner(always(DONE), tls=server) as evil:
            leads = reply(307, Location=f"https://evil.test:{evil.port}/")
            async with RawPartner(always(leads), tls=server) as shop, started(trust=trust) as executor:
                output(await executor.run(request(f"https://shop.test:{shop.port}/", max_redirects=1)))
        assert (shop.seen_certificates, evil.seen_certificates) == (["for shop"], [None])

    @pytest.mark.parametrize("back", [False, True], ids=["from another host", "there and back"])
    async def test_a_redirect_from_another_host_does_not_bring_it_out(
        self, tmp_path: Path, authority: Authority, clients: Authority, back: bool
    ) -> None:
        """Whoever is called decides where a redirect leads, and must not act under our name there."""
        server = authority.server("shop.test", "evil.test", clients=clients)
        server.verify_mode = ssl.CERT_OPTIONAL
        trust = read_trust(authority.file, folder(tmp_path, shop__test=clients.issue("for shop")))
        async with RawPartner(always(DONE), tls=server) as orders:
            inner = reply(307, Location=f"https://shop.test:{orders.port}/pay")
            async with RawPartner(always(inner), tls=server) as evil, started(trust=trust) as executor:
                leads = reply(307, Location=f"https://evil.test:{evil.port}/")
                async with RawPartner(always(leads), tls=server) as shop:
                    first = f"https://shop.test:{shop.port}/" if back else f"https://evil.test:{evil.port}/"
                    output(await executor.run(request(first, max_redirects=2)))
                    output(await executor.run(request(f"https://shop.test:{orders.port}/")))
        assert shop.seen_certificates == (["for shop"] if back else [])
        assert evil.seen_certificates == [None]
        assert orders.seen_certificates == [None, "for shop"]

    async def test_a_redirect_within_its_origin_still_shows_it(
        self, tmp_path: Path, authority: Authority, clients: Authority
    ) -> None:
        async def answer(received: Received) -> bytes:
            return DONE if received.target == "/b" else reply(307, Location="/b", Connection="close")

        trust = read_trust(authority.file, folder(tmp_path, shop__test=clients.issue("for shop")))
        async with (
            RawPartner(answer, tls=authority.server("shop.test", clients=clients)) as shop,
            started(trust=trust) as executor,
        ):
            output(await executor.run(request(f"https://shop.test:{shop.port}/a", max_redirects=1)))
        assert set(shop.seen_certificates) == {"for shop"}

    def test_it_works_the_same_under_uvloop(self, tmp_path: Path, authority: Authority, clients: Authority) -> None:
        async def calls() -> list[Any]:
            trust = read_trust(authority.file, folder(tmp_path, shop__test=clients.issue("for shop")))
            server = authority.server("shop.test", "bank.test", clients=clients)
            with strict_server(server) as partner:
                async with started(trust=trust) as executor:
                    got = output(await executor.run(request(f"https://shop.test:{partner.port}/")))["body"]
                    return [got, code(await executor.run(request(f"https://bank.test:{partner.port}/")))]

        assert uvloop.run(calls()) == ["done", "tls_refused"]


class TestFiles:
    def bad_ca(self, tmp_path: Path, kind: str) -> Path:
        path = tmp_path / "ca.pem"
        if kind == "folder":
            path.mkdir()
        elif kind != "missing":
            path.write_text({"empty": "", "no pem": "hello", "cut": "-----BEGIN CERTIFICATE-----\nMIIB\n"}[kind])
        return path

    @pytest.mark.parametrize("kind", ["missing", "folder", "empty", "no pem", "cut"])
    def test_a_bad_file_of_authorities_is_named(self, tmp_path: Path, kind: str) -> None:
        path = self.bad_ca(tmp_path, kind)
        with pytest.raises(SettingError) as caught:
            read_trust(path)
        assert "STEPWELL_HTTP_CA_FILE" in caught.value.message
        assert str(path) in caught.value.message
        assert caught.value.advice

    @pytest.mark.parametrize("kind", ["no pem", "only certificate", "only key", "other key", "password", "folder"])
    def test_a_bad_certificate_is_named(self, tmp_path: Path, clients: Authority, kind: str) -> None:
        mine, other = clients.issue("a").read_text(), clients.issue("a").read_text()
        mark = "-----BEGIN EC PRIVATE KEY-----"
        texts = {
            "no pem": "hello",
            "only certificate": mine.partition(mark)[0],
            "only key": mark + mine.partition(mark)[2],
            "other key": mine.partition(mark)[0] + mark + other.partition(mark)[2],
            "password": mine.partition(mark)[0] + ENCRYPTED_KEY,
        }
        files = folder(tmp_path)
        path = files / "shop.test.pem"
        if kind == "folder":
            path.mkdir()
        else:
            path.write_text(texts[kind])
        with pytest.raises(SettingError) as caught:
            read_trust(None, files)
        assert "STEPWELL_HTTP_CLIENT_CERTIFICATES" in caught.value.message
        assert str(path) in caught.value.message

    @pytest.mark.parametrize(
        "name",
        ["shop.test", "shop.test.crt", "Shop.test.pem", "shop.test:443.pem", "shop.test..pem", "bücher.test.pem", "*.test.pem", "a b.pem", "pem"],
    )  # fmt: skip
    def test_a_file_that_no_host_would_find_is_named(self, tmp_path: Path, clients: Authority, name: str) -> None:
        files = tmp_path / "certificates"
        files.mkdir()
        shutil.copy(clients.issue("a"), files / name)
        with pytest.raises(SettingError) as caught:
            read_trust(None, files)
        assert str(files / name) in caught.value.message

    @pytest.mark.parametrize("host", ["shop.test", "xn--bcher-kva.test", "127.0.0.1", "::1", "localhost", "a_b.test"])
    def test_names_and_addresses_as_urls_have_them_are_found(
        self, tmp_path: Path, clients: Authority, host: str
    ) -> None:
        files = tmp_path / "certificates"
        files.mkdir()
        shutil.copy(clients.issue("a"), files / f"{host}.pem")
        (files / "..data").mkdir()
        trust = read_trust(None, files)
        written = f"[{host}]" if ":" in host else host
        assert trust.context(request(f"https://{written}/").target.raw_host or "") is not trust.context("other.test")

    def test_a_folder_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingError, match="nowhere"):
            read_trust(None, tmp_path / "nowhere")

    def test_an_encrypted_key_is_refused_and_nobody_is_asked(self, tmp_path: Path, clients: Authority) -> None:
        path = tmp_path / "encrypted.pem"
        path.write_text(clients.issue("a").read_text().partition("-----BEGIN EC")[0] + ENCRYPTED_KEY)
        files = folder(tmp_path, shop__test=path)
        code = f"from engine.executors.tls import read_trust; from pathlib import Path; read_trust(None, Path({str(files)!r}))"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 1
        assert "SettingError" in ran.stderr
        assert "PEM pass phrase" not in ran.stdout + ran.stderr

    async def test_a_worker_with_a_bad_file_does_not_start(self, tmp_path: Path) -> None:
        settings = Settings(database_url="postgresql://nobody@127.0.0.1:1/none", http_ca_file=tmp_path / "none.pem")
        with pytest.raises(SettingError, match=r"none\.pem"):
            await run_worker(settings, lambda _: None, asyncio.Event())
