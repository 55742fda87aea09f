"""Http activities through a proxy: what it is told, what passes it by, how it fails, and what it never shows."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Settings, read_settings
from engine.errors import SettingError
from engine.executors.http import HttpExecutor
from engine.executors.proxy import Proxy, read_proxy
from engine.executors.refusals import RequestInvalid
from engine.executors.tls import read_trust
from engine.worker import run_worker
from tests.partners.authority import Authority
from tests.partners.calls import LOOPBACK, code, every_name_is_loopback, failure, output, request, started
from tests.partners.proxy import ForwardProxy
from tests.partners.raw import RawPartner, Received, always, never, reply
from tests.partners.strict_tls import strict_server

PASSWORD = "pr0xy:p@ss/word"
BASIC = "Basic " + base64.b64encode(f"stepwell:{PASSWORD}".encode()).decode()
DONE = reply(200, b"done", "text/plain")

ENCODED = [
    "127%2e0%2e0%2e1", "%6cocalhost", "127.0.0.1%2e", "127.0.0.1%00.example.com", "127.0.0.1%23.example.com",
    "127.0.0.1%2f.example.com", "169%2E254.169.254", "127.0.0.1..", "a..test", "127.0.0.1;a.test", "a!b.test",
]  # fmt: skip


def through(proxy: ForwardProxy, *exempt: str, credentials: str = "") -> Proxy:
    made = read_proxy(f"http://{credentials}127.0.0.1:{proxy.port}", exempt)
    assert made is not None
    return made


def credentials() -> str:
    return "stepwell:pr0xy%3Ap%40ss%2Fword@"


class TestCalls:
    async def test_a_plain_call_goes_through_the_proxy_whatever_the_networks_say_of_its_address(self) -> None:
        async with (
            ForwardProxy() as proxy,
            RawPartner(always(DONE)) as partner,
            started(allowed_networks=(), proxy=through(proxy)) as executor,
        ):
            call = request(f"http://shop.test:{partner.port}/a?b=c", method="POST", body={"n": 1})
            assert output(await executor.run(call))["body"] == "done"
        [asked] = proxy.asked
        assert (asked.method, asked.target) == ("POST", f"http://shop.test:{partner.port}/a?b=c")
        assert (partner.requests[0].target, partner.requests[0].body) == ("/a?b=c", b'{"n":1}')

    async def test_a_large_body_goes_through_whole(self) -> None:
        async with (
            ForwardProxy() as proxy,
            RawPartner(always(DONE)) as partner,
            started(proxy=through(proxy)) as executor,
        ):
            output(await executor.run(request(f"http://shop.test:{partner.port}/", method="PUT", body="x" * 300_000)))
        assert len(partner.requests[0].body) == 300_002

    async def test_a_tls_call_is_a_tunnel_whose_end_is_checked(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        async with ForwardProxy() as proxy, RawPartner(always(DONE), tls=authority.server("shop.test")) as partner:
            options = {"allowed_networks": (), "proxy": through(proxy)}
            async with started(trust=read_trust(authority.file), **options) as executor:
                for _ in range(2):
                    output(await executor.run(request(f"https://shop.test:{partner.port}/")))
                assert [(a.method, a.target) for a in proxy.asked] == [("CONNECT", f"shop.test:{partner.port}")]
                assert code(await executor.run(request(f"https://bank.test:{partner.port}/"))) == "tls_invalid"
            async with started(**options) as executor:
                assert code(await executor.run(request(f"https://shop.test:{partner.port}/"))) == "tls_invalid"
        assert len(partner.requests) == 2

    async def test_the_certificate_of_a_host_is_shown_at_the_end_of_the_tunnel(self, tmp_path: Path) -> None:
        authority, clients = Authority(tmp_path / "a"), Authority(tmp_path / "c")
        (tmp_path / "files").mkdir()
        clients.issue("for shop").rename(tmp_path / "files" / "shop.test.pem")
        trust = read_trust(authority.file, tmp_path / "files")
        with strict_server(authority.server("shop.test", "bank.test", clients=clients)) as partner:
            async with ForwardProxy() as proxy, started(trust=trust, proxy=through(proxy)) as executor:
                output(await executor.run(request(f"https://shop.test:{partner.port}/")))
                assert code(await executor.run(request(f"https://bank.test:{partner.port}/"))) == "tls_refused"

    async def test_the_proxy_gets_its_password_and_partners_do_not(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        async with (
            ForwardProxy(authorization=BASIC) as proxy,
            RawPartner(always(DONE)) as plain,
            RawPartner(always(DONE), tls=authority.server("shop.test")) as safe,
            started(trust=read_trust(authority.file), proxy=through(proxy, credentials=credentials())) as executor,
        ):
            for _ in range(2):
                output(await executor.run(request(f"http://shop.test:{plain.port}/")))
                output(await executor.run(request(f"https://shop.test:{safe.port}/")))
        for got in plain.requests + safe.requests:
            assert "proxy-authorization" not in got.headers
            assert "authorization" not in got.headers

    @pytest.mark.parametrize("exempt", ["a.shop.test", "A.shop.test", ".shop.test", "127.0.0.0/8", "127.0.0.1"])
    async def test_exempt_hosts_are_called_directly_and_their_addresses_checked(
        self, exempt: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        every_name_is_loopback(monkeypatch)
        host = "127.0.0.1" if exempt[0].isdigit() else "a.shop.test"
        async with ForwardProxy() as proxy, RawPartner(always(DONE)) as partner:
            for networks, expected in ((LOOPBACK, None), ((), "address_forbidden")):
                async with started(allowed_networks=networks, proxy=through(proxy, exempt)) as executor:
                    outcome = await executor.run(request(f"http://{host}:{partner.port}/"))
                assert output(outcome) if expected is None else code(outcome) == expected
        assert proxy.asked == []

    async def test_each_hop_of_a_redirect_finds_its_own_way(self) -> None:
        async with ForwardProxy() as proxy, RawPartner(always(DONE)) as inner:
            leads = reply(302, Location=f"http://127.0.0.1:{inner.port}/end")
            async with RawPartner(always(leads)) as outer, started(proxy=through(proxy, "127.0.0.1")) as executor:
                output(await executor.run(request(f"http://shop.test:{outer.port}/", max_redirects=1)))
        assert [asked.target for asked in proxy.asked] == [f"http://shop.test:{outer.port}/"]

    def test_it_works_the_same_under_uvloop(self, tmp_path: Path) -> None:
        async def calls() -> list[Any]:
            authority = Authority(tmp_path)
            with strict_server(authority.server("shop.test")) as partner:
                async with ForwardProxy(authorization=BASIC) as proxy:
                    trust = read_trust(authority.file)
                    async with started(trust=trust, proxy=through(proxy, credentials=credentials())) as executor:
                        good = output(await executor.run(request(f"https://shop.test:{partner.port}/")))["body"]
                    async with started(trust=trust, proxy=through(proxy)) as executor:
                        return [good, code(await executor.run(request(f"https://shop.test:{partner.port}/")))]

        assert uvloop.run(calls()) == ["done", "proxy_failed"]


class TestAddresses:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("127.0.0.1", "address_forbidden"),
            ("127.0.0.1.", "address_forbidden"),
            ("10.0.0.1", "address_forbidden"),
            ("169.254.169.254", "address_forbidden"),
            ("[::1]", "address_forbidden"),
            ("[::ffff:10.0.0.1]", "address_forbidden"),
            ("[fd00:ec2::254]", "address_forbidden"),
            ("①②⑦.0.0.1", "address_forbidden"),
            ("localhost", "address_forbidden"),
            ("LOCALHOST.", "address_forbidden"),
            ("a.localhost", "address_forbidden"),
            ("2130706433", "request_invalid"),
            ("0x7f000001", "request_invalid"),
            ("0x7f.1", "request_invalid"),
            ("127.1", "request_invalid"),
            ("0177.0.0.1", "request_invalid"),
            ("shop.test.0x7f", "request_invalid"),
        ],
    )
    async def test_an_address_written_out_is_refused_before_the_proxy_hears_of_it(
        self, host: str, expected: str, scheme: str
    ) -> None:
        async with ForwardProxy() as proxy, started(allowed_networks=(), proxy=through(proxy)) as executor:
            outcome = failure(await executor.run(request(f"{scheme}://{host}:81/")))
        assert (outcome.error.code, outcome.retryable, proxy.asked) == (expected, False, [])

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("host", ENCODED)
    async def test_a_host_that_the_proxy_could_read_as_an_address_is_refused_before_it_hears_of_it(
        self, host: str, scheme: str
    ) -> None:
        async with ForwardProxy() as proxy, started(allowed_networks=(), proxy=through(proxy)) as executor:
            with pytest.raises(RequestInvalid, match="neither a name nor an address"):
                request(f"{scheme}://{host}/")
            async with RawPartner(always(reply(302, Location=f"{scheme}://{host}/"))) as partner:
                call = request(f"http://shop.test:{partner.port}/", max_redirects=1)
                assert code(await executor.run(call)) == "redirect_refused"
        assert [asked.target for asked in proxy.asked] == [f"http://shop.test:{partner.port}/"]

    @pytest.mark.parametrize(
        "host",
        ["shop.test", "SHOP.test.", "a_b.test", "bücher.test", "xn--bcher-kva.test", "8.8.8.8", "[2001:4860::8]"],
    )
    def test_names_and_addresses_as_people_write_them_pass(self, host: str) -> None:
        assert request(f"https://{host}/").target.raw_host

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_an_allowed_address_goes_through_the_proxy(self, host: str) -> None:
        async with (
            ForwardProxy() as proxy,
            RawPartner(always(DONE)) as partner,
            started(proxy=through(proxy)) as executor,
        ):
            output(await executor.run(request(f"http://{host}:{partner.port}/")))
        assert len(proxy.asked) == 1

    async def test_a_redirect_to_an_address_is_refused_before_the_proxy_hears_of_it(self) -> None:
        for target, expected in (
            ("http://169.254.169.254/", "address_forbidden"),
            ("http://2852039166/", "redirect_refused"),
        ):
            async with (
                ForwardProxy(answer=reply(302, Location=target)) as proxy,
                started(proxy=through(proxy)) as executor,
            ):
                assert code(await executor.run(request("http://shop.test/", max_redirects=3))) == expected
            assert len(proxy.asked) == 1


class TestFailures:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_proxy_that_cannot_be_reached_is_tried_again(self, scheme: str) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            proxy = read_proxy(f"http://{credentials()}127.0.0.1:{closed.getsockname()[1]}")
            async with started(proxy=proxy) as executor:
                outcome = failure(await executor.run(request(f"{scheme}://shop.test/")))
        assert (outcome.error.category, outcome.error.code, outcome.retryable) == ("external", "proxy_failed", True)
        assert "STEPWELL_HTTP_PROXY" in outcome.error.advice

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_proxy_whose_name_is_not_known_is_tried_again(
        self, scheme: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        async with started(proxy=read_proxy("http://proxy.example:3128")) as executor:
            outcome = failure(await executor.run(request(f"{scheme}://shop.test/")))
        assert (outcome.error.code, outcome.retryable) == ("proxy_failed", True)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_proxy_that_does_not_know_us_is_said_so_without_the_password(self, scheme: str) -> None:
        async with (
            ForwardProxy(authorization="Basic other") as proxy,
            started(proxy=through(proxy, credentials=credentials())) as executor,
        ):
            outcome = failure(await executor.run(request(f"{scheme}://shop.test:1/", expect_status=[200, 407])))
        assert (outcome.error.code, outcome.retryable) == ("proxy_failed", True)
        assert outcome.error.details == {"status": 407}
        assert "user and password" in outcome.error.message
        shown = msgspec.json.encode(outcome).decode()
        assert PASSWORD not in shown
        assert BASIC.partition(" ")[2] not in shown

    @pytest.mark.parametrize("status", [403, 502, 503])
    async def test_a_tunnel_that_the_proxy_does_not_make_is_tried_again(self, status: int) -> None:
        answer = reply(status, f"no, {BASIC}".encode(), "text/plain", X_Echo=BASIC)
        async with (
            ForwardProxy(answer=answer) as proxy,
            started(proxy=through(proxy, credentials=credentials())) as executor,
        ):
            outcome = failure(await executor.run(request("https://shop.test/")))
        assert (outcome.error.code, outcome.retryable) == ("proxy_failed", True)
        assert outcome.error.details == {"status": status}
        assert str(status) in outcome.error.message

    async def test_a_proxy_that_echoes_its_password_does_not_bring_it_into_history(self) -> None:
        for status in (200, 400):
            answer = reply(status, f"{BASIC} {PASSWORD}".encode(), "text/plain", X_Echo=BASIC)
            async with (
                ForwardProxy(answer=answer) as proxy,
                started(proxy=through(proxy, credentials=credentials())) as executor,
            ):
                outcome = await executor.run(request("http://shop.test/"))
            shown = msgspec.json.encode(outcome).decode()
            assert PASSWORD not in shown
            assert BASIC.partition(" ")[2] not in shown
            assert "[redacted]" in shown

    @pytest.mark.parametrize(
        "answer",
        [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"],
        ids=["ssh", "status", "header"],
    )
    async def test_a_proxy_that_speaks_no_http_is_a_failure_like_any_other(self, answer: bytes) -> None:
        async with ForwardProxy(answer=answer) as proxy, started(proxy=through(proxy)) as executor:
            outcome = failure(await executor.run(request("https://shop.test/", timeout_seconds=20)))
        assert outcome.error.code in {"response_invalid", "proxy_failed"}

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_proxy_that_does_not_answer_is_a_timeout(self, scheme: str) -> None:
        async with ForwardProxy(hang=True) as proxy, started(proxy=through(proxy)) as executor:
            outcome = failure(await executor.run(request(f"{scheme}://shop.test/", timeout_seconds=0.2)))
            await asyncio.wait_for(proxy.gone.wait(), 10)
        assert (outcome.error.code, outcome.retryable) == ("http_timeout", True)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_cancelled_call_hangs_up_on_the_proxy(self, scheme: str) -> None:
        async with ForwardProxy(hang=True) as proxy, started(proxy=through(proxy)) as executor:
            call = asyncio.create_task(executor.run(request(f"{scheme}://shop.test/")))
            await asyncio.wait_for(proxy.arrived.wait(), 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(proxy.gone.wait(), 10)

    async def test_a_call_cancelled_in_its_tunnel_hangs_up(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        async with (
            ForwardProxy() as proxy,
            RawPartner(never, tls=authority.server("shop.test")) as partner,
            started(trust=read_trust(authority.file), proxy=through(proxy)) as executor,
        ):
            call = asyncio.create_task(executor.run(request(f"https://shop.test:{partner.port}/")))
            await asyncio.wait_for(partner.arrived.wait(), 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(partner.gone.wait(), 10)

    async def test_a_partner_that_never_begins_tls_in_its_tunnel_is_a_timeout(self) -> None:
        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with ForwardProxy() as proxy, await asyncio.start_server(mute, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with started(proxy=through(proxy)) as executor:
                outcome = failure(await executor.run(request(f"https://shop.test:{port}/", timeout_seconds=0.3)))
            await asyncio.wait_for(proxy.gone.wait(), 10)
        assert (outcome.error.code, outcome.retryable) == ("http_timeout", True)

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    async def test_the_client_repeats_nothing_through_a_proxy_either(self, method: str) -> None:
        async with (
            ForwardProxy() as proxy,
            RawPartner(always(None)) as partner,
            started(proxy=through(proxy)) as executor,
        ):
            assert (
                code(await executor.run(request(f"http://shop.test:{partner.port}/", method=method)))
                == "connect_failed"
            )
        assert (len(proxy.asked), len(partner.requests)) == (1, 1)

    async def test_a_407_of_a_partner_that_is_called_directly_is_its_own(self) -> None:
        async def answer(_: Received) -> bytes:
            return reply(407)

        async with RawPartner(answer) as partner, started() as executor:
            assert code(await executor.run(request(partner.url))) == "rejected"


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "https://proxy:3128",
            "socks5://proxy:1080",
            "proxy:3128",
            "proxy",
            "http://",
            "http://:3128",
            "http://proxy:99999",
            "http://proxy:x",
            "http://proxy/path",
            "http://proxy?a=b",
            "http://user:pa#ss@proxy",
            "http://[::1",
        ],
    )
    def test_what_is_no_http_proxy_is_refused_without_showing_it(self, url: str) -> None:
        with pytest.raises(SettingError) as caught:
            read_proxy(url)
        assert "STEPWELL_HTTP_PROXY" in caught.value.message
        assert "pa" not in caught.value.message.replace("part", "")
        assert caught.value.advice

    @pytest.mark.parametrize(
        "entry",
        [
            "*",
            "*.example.com",
            "a.test:80",
            "http://a.test",
            "a b",
            "bücher.test",
            "10.0.0.1/8",
            "10.0.0",
            "0x7f.1",
            ".",
        ],
    )
    def test_what_exempts_nothing_is_refused(self, entry: str) -> None:
        with pytest.raises(SettingError, match="STEPWELL_HTTP_NO_PROXY"):
            read_proxy("http://proxy:3128", (entry,))

    def test_exemptions_without_a_proxy_are_refused(self) -> None:
        assert read_proxy(None) is None
        with pytest.raises(SettingError, match="STEPWELL_HTTP_PROXY"):
            read_proxy(None, ("a.test",))

    def test_the_password_is_not_in_what_is_shown_of_a_proxy(self) -> None:
        proxy = read_proxy(f"http://{credentials()}proxy:3128/")
        assert proxy is not None
        assert repr(proxy) == "Proxy(http://proxy:3128/)"
        assert proxy.authorization == BASIC

    @pytest.mark.parametrize(
        ("host", "carried"),
        [
            ("a.test", False),
            ("A.test", False),
            ("a.test.", False),
            ("b.a.test", True),
            ("aa.test", True),
            ("b.corp.test", False),
            ("c.b.corp.test", False),
            ("corp.test", True),
            ("evilcorp.test", True),
            ("10.1.2.3", False),
            ("11.1.2.3", True),
            ("192.168.1.1", False),
            ("192.168.1.2", True),
            ("fd12::1", False),
            ("fd13::1", True),
            ("10.example.com", True),
        ],
    )
    def test_exemptions_mean_what_the_page_says(self, host: str, carried: bool) -> None:
        proxy = read_proxy("http://proxy:3128", ("A.test", ".Corp.test", "10.0.0.0/8", "192.168.1.1", "fd12::/16"))
        assert proxy is not None
        assert proxy.carries(host) is carried

    @given(st.text(max_size=80))
    def test_any_text_is_a_proxy_or_a_setting_error(self, text: str) -> None:
        try:
            proxy = read_proxy(text, ())
        except SettingError:
            return
        assert proxy is not None
        assert proxy.url.scheme == "http"
        assert proxy.url.raw_host
        assert proxy.url.raw_user is None

    @given(st.ip_addresses())
    def test_addresses_are_exempt_as_their_networks_say(self, address: Any) -> None:
        networks = ("10.0.0.0/8", "2000::/3")
        proxy = read_proxy("http://proxy:3128", networks)
        assert proxy is not None
        inside = any(address in ipaddress.ip_network(network) for network in networks)
        assert proxy.carries(str(address)) is not inside

    async def test_a_worker_with_a_bad_proxy_does_not_start(self) -> None:
        environment = {
            "STEPWELL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "STEPWELL_HTTP_PROXY": "socks5://user:secret-password@proxy",
        }
        settings: Settings = read_settings(environment)
        with pytest.raises(SettingError) as caught:
            await run_worker(settings, lambda _: None, asyncio.Event())
        assert "secret-password" not in str(caught.value) + caught.value.advice

    async def test_without_the_setting_the_environments_proxies_do_not_count(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with ForwardProxy() as proxy, RawPartner(always(DONE)) as partner:
            for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            executor = HttpExecutor(allowed_networks=LOOPBACK)
            await executor.start()
            output(await executor.run(request(partner.url)))
            await executor.close()
        assert proxy.asked == []
