"""Redirects: followed only where the config says so, and never with what must not go there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from engine.core.commands import Failed
from engine.core.request import http_request
from engine.executors.http import HttpRequest
from engine.executors.names import is_host
from engine.executors.redirects import RedirectRefused, first_hop, next_hop
from engine.executors.tls import read_trust
from tests.partners.calls import KEY, code, every_name_is_loopback, failure, output, request, started
from tests.partners.raw import CERTIFICATE, RawPartner, Received, always, never, reply
from tests.unit.core.given import http, lived

SECRET = "s3cret-token-value"
DONE = reply(200, b'{"done":true}', "application/json")


def leads(*locations: str, status: int = 302) -> Callable[[Received], Awaitable[bytes | None]]:
    """Return an answer: /0 redirects to the first location, /1 to the second, everything else is the end."""

    async def answer(got: Received) -> bytes | None:
        place = got.target.strip("/")
        if place.isdecimal() and int(place) < len(locations):
            return reply(status, b"" if got.method == "HEAD" else b"elsewhere", Location=locations[int(place)])
        return reply() if got.method == "HEAD" else DONE

    return answer


async def followed(partner: RawPartner, **config: Any) -> Any:
    async with started() as executor:
        return await executor.run(request(f"{partner.url}/0", **{"max_redirects": 10, **config}))


class TestFollowing:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_leads_to_the_answer(self, status: int) -> None:
        async with RawPartner(leads("/1", "two?a=b#c", status=status)) as partner:
            got = output(await followed(partner))
        assert (got["status"], got["body"]) == (200, {"done": True})
        assert [r.target for r in partner.requests] == ["/0", "/1", "/two?a=b"]
        assert {r.headers["idempotency-key"] for r in partner.requests} == {KEY}
        assert partner.connections == 1

    @pytest.mark.parametrize(
        ("status", "method", "then"),
        [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "POST", "GET"),
            (303, "PUT", "GET"),
            (303, "DELETE", "GET"),
            (303, "HEAD", "HEAD"),
            (301, "PUT", "PUT"),
            (302, "DELETE", "DELETE"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
            (307, "PATCH", "PATCH"),
        ],
    )
    async def test_the_method_changes_as_the_standard_says(self, status: int, method: str, then: str) -> None:
        body = None if method == "HEAD" else {"n": 1}
        headers = {"Content-Type": "application/json", "X-Trace": "t"} if body else {"X-Trace": "t"}
        async with RawPartner(leads("/end", status=status)) as partner:
            output(await followed(partner, method=method, body=body, headers=headers))
        first, second = partner.requests
        assert second.method == then
        assert second.headers["x-trace"] == "t"
        if then == method:
            assert (second.body, second.headers.get("content-type")) == (first.body, first.headers.get("content-type"))
            assert second.headers["idempotency-key"] == KEY
        else:
            assert (second.body, "content-type" in second.headers) == (b"", False)
            assert "idempotency-key" not in second.headers

    async def test_a_large_body_goes_along(self) -> None:
        async with RawPartner(leads("/1", "/end", status=308)) as partner:
            output(await followed(partner, method="POST", body="x" * 300_000))
        assert {len(r.body) for r in partner.requests} == {300_002}

    async def test_the_query_of_the_config_is_not_added_again(self) -> None:
        async with RawPartner(always(reply(302, Location="/end"))) as partner:
            code(await followed(partner, query={"key": "v"}, max_redirects=1))
        assert [r.target for r in partner.requests] == ["/0?key=v", "/end"]

    @pytest.mark.parametrize(("allowed", "calls"), [(1, 2), (3, 4), (10, 11)])
    async def test_one_redirect_too_many_ends_the_call(self, allowed: int, calls: int) -> None:
        async with RawPartner(always(reply(302, Location="/0"))) as partner:
            outcome = failure(await followed(partner, max_redirects=allowed))
        assert (outcome.error.code, outcome.retryable) == ("too_many_redirects", False)
        assert outcome.error.details == {"status": 302, "location": "/0"}
        assert len(partner.requests) == calls

    async def test_without_the_setting_none_is_followed(self) -> None:
        async with RawPartner(leads("/end")) as partner:
            assert code(await followed(partner, max_redirects=0)) == "redirect"
        assert len(partner.requests) == 1

    async def test_a_redirect_that_is_expected_is_the_answer(self) -> None:
        async with RawPartner(leads("/end")) as partner:
            got = output(await followed(partner, expect_status=[200, 302]))
        assert (got["status"], got["headers"]["location"]) == (302, "/end")
        assert len(partner.requests) == 1

    @pytest.mark.parametrize("data", [reply(302), reply(302, Location=""), reply(304), reply(300, Location="/end")])
    async def test_what_names_no_address_or_asks_for_none_is_not_followed(self, data: bytes) -> None:
        async with RawPartner(always(data)) as partner:
            assert code(await followed(partner)) in {"redirect", "unexpected_status"}
        assert len(partner.requests) == 1

    async def test_the_last_answer_counts(self) -> None:
        async def answer(got: Received) -> bytes:
            return reply(302, Location="/end") if got.target == "/0" else reply(503, b"busy", Retry_After="7")

        async with RawPartner(answer) as partner:
            outcome = failure(await followed(partner))
        assert (outcome.error.code, outcome.retryable, outcome.retry_after_seconds) == ("unavailable", True, 7)

    async def test_the_body_of_a_redirect_is_not_waited_for(self) -> None:
        async def answer(got: Received) -> bytes:
            if got.target == "/0":
                return b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 1000000\r\n\r\nx"
            return DONE

        async with RawPartner(answer) as partner:
            output(await followed(partner, timeout_seconds=20))

    async def test_the_timeout_covers_all_hops(self) -> None:
        async def answer(_: Received) -> bytes:
            await asyncio.sleep(0.15)
            return reply(302, Location="/0")

        async with RawPartner(answer) as partner:
            outcome = failure(await followed(partner, timeout_seconds=0.4))
        assert outcome.error.code == "http_timeout"
        assert len(partner.requests) < 5

    async def test_a_hop_has_only_the_time_that_is_left(self) -> None:
        async with RawPartner(never) as partner, started() as executor:
            call = request(partner.url, timeout_seconds=600)
            soon = asyncio.get_running_loop().time() + 0.05
            sent = asyncio.ensure_future(executor._send(call, first_hop(call), soon))
            done, _ = await asyncio.wait({sent}, timeout=20)
            assert isinstance(done.pop().exception(), TimeoutError)
            await asyncio.wait_for(partner.gone.wait(), 5)

    async def test_a_call_cancelled_at_its_second_hop_hangs_up(self) -> None:
        async with RawPartner(never) as second, RawPartner(leads(f"{second.url}/end")) as first, started() as executor:
            call = asyncio.create_task(executor.run(request(f"{first.url}/0", max_redirects=1)))
            await asyncio.wait_for(second.arrived.wait(), 5)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(second.gone.wait(), 5)

    async def test_the_client_repeats_no_hop_by_itself(self) -> None:
        async with RawPartner(always(None)) as second, RawPartner(leads(f"{second.url}/end")) as first:
            outcome = failure(await followed(first))
        assert (outcome.error.code, outcome.retryable) == ("connect_failed", True)
        assert str(second.port) in outcome.error.message
        assert (len(first.requests), len(second.requests)) == (1, 1)


class TestWhereItMayLead:
    async def test_each_address_is_checked(self) -> None:
        for target in ("http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::1]:1/", "http://0x0a.1/"):
            async with RawPartner(leads(target)) as partner:
                outcome = failure(await followed(partner))
            assert (outcome.error.code, outcome.retryable) == ("address_forbidden", False), target

    @pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1"])
    async def test_an_address_in_an_odd_form_is_refused(self, host: str) -> None:
        async with RawPartner(always(DONE)) as target, RawPartner(leads(f"http://{host}:{target.port}/")) as partner:
            outcome = failure(await followed(partner))
        assert (outcome.error.code, outcome.retryable) == ("redirect_refused", False)
        assert target.connections == 0

    async def test_https_does_not_lead_to_http(self) -> None:
        async with (
            RawPartner(always(DONE)) as plain,
            RawPartner(leads(f"{plain.url}/end"), tls=True) as partner,
            started(trust=read_trust(CERTIFICATE)) as executor,
        ):
            outcome = failure(await executor.run(request(f"{partner.url}/0", max_redirects=5)))
        assert (outcome.error.code, outcome.retryable) == ("redirect_refused", False)
        assert "from https to http" in outcome.error.message
        assert plain.connections == 0

    async def test_http_may_lead_to_https(self) -> None:
        async with (
            RawPartner(always(DONE), tls=True) as safe,
            RawPartner(leads(f"{safe.url}/end")) as partner,
            started(trust=read_trust(CERTIFICATE)) as executor,
        ):
            output(await executor.run(request(f"{partner.url}/0", max_redirects=5)))

    @pytest.mark.parametrize(
        "location",
        [
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/plain,x",
            "http:",
            "http:///path",
            "http://",
            "https://user:password@127.0.0.1/",
            "http://user@127.0.0.1/",
            "//user:password@127.0.0.1/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:x/",
            "http://[::1/",
            "http://xn--a/",
            "http://exa mple.com/",
            "/a\\b",
            "\\\\evil.com/",
            "/a\tb",
            "/\x7f",
            "/\x85",
            "/a b",
            "/" + "a" * 8000,
        ],
    )
    async def test_a_hostile_location_is_refused_and_shown_only_in_part(self, location: str) -> None:
        async with RawPartner(leads(location)) as partner:
            outcome = failure(await followed(partner))
        assert (outcome.error.code, outcome.retryable) in {("redirect_refused", False), ("response_invalid", False)}
        assert len(partner.requests) == 1
        if outcome.error.code == "redirect_refused":
            assert outcome.error.details["status"] == 302
            assert len(outcome.error.details["location"]) <= 2048

    async def test_several_locations_that_differ_are_refused(self) -> None:
        two = b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
        async with RawPartner(always(two)) as partner:
            outcome = failure(await followed(partner))
        assert outcome.error.code == "redirect_refused"
        assert "several addresses" in outcome.error.message

    async def test_bytes_that_are_no_text_are_refused(self) -> None:
        data = b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n"
        async with RawPartner(always(data)) as partner:
            assert code(await followed(partner)) == "redirect_refused"

    async def test_text_beyond_ascii_is_encoded(self) -> None:
        async with RawPartner(leads("/grün?ä=b")) as partner:
            output(await followed(partner))
        assert partner.requests[1].target == "/gr%C3%BCn?%C3%A4=b"

    @pytest.mark.parametrize("target", ["/%41%2f~%7E?s=a%2Fb%2bc+d&e=%3D", "/a//b;c=1?x=[1]&&y='()*", "/?", "/a?b=|^`"])
    async def test_path_and_query_arrive_as_they_were_signed(self, target: str) -> None:
        for start in ("", "http://127.0.0.1:{}"):
            async with RawPartner(never) as partner:
                partner._answer = leads(start.format(partner.port) + target)
                output(await followed(partner))
            assert partner.requests[1].target.rstrip("?") == target.rstrip("?")


class TestSecrets:
    HEADERS = {  # noqa: RUF012
        "Authorization": f"Bearer {SECRET}",
        "Cookie": "session=abc",
        "X-Api-Key": "abc",
        "X-Mine": f"key {SECRET}",
        "X-Short": "abc",
        "X-Trace": "t1",
        "Accept": "application/json",
    }

    async def sent(self, first: RawPartner, location: str, **config: Any) -> Any:
        first._answer = leads(location, status=config.pop("status", 307))
        given = {"headers": self.HEADERS, "secret_headers": ("X-Short",), "redact": (SECRET,), **config}
        return await followed(first, **given)

    async def test_they_stay_with_their_origin(self) -> None:
        async with RawPartner(always(DONE)) as other, RawPartner(never) as first:
            output(await self.sent(first, f"{other.url}/end"))
        [got] = other.requests
        assert SECRET not in str(got)
        assert {"authorization", "cookie", "x-api-key", "x-mine", "x-short"} & set(got.headers) == set()
        assert (got.headers["x-trace"], got.headers["accept"]) == ("t1", "application/json")
        assert got.headers["idempotency-key"] == KEY

    async def test_another_host_port_or_scheme_is_another_origin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        every_name_is_loopback(monkeypatch)
        async with RawPartner(never) as first:
            output(await self.sent(first, f"http://localhost:{first.port}/end"))
        assert ["authorization" in r.headers for r in first.requests] == [True, False]

    async def test_within_their_origin_they_go_along(self) -> None:
        async with RawPartner(never) as first:
            output(await self.sent(first, f"{first.url}/end"))
        assert [r.headers["authorization"] for r in first.requests] == [f"Bearer {SECRET}"] * 2
        assert [r.headers["x-short"] for r in first.requests] == ["abc"] * 2

    async def test_they_do_not_come_back_with_a_detour(self) -> None:
        async with RawPartner(never) as first, RawPartner(leads(f"{first.url}/1", status=307)) as other:
            first._answer = leads(f"{other.url}/0", "/end", status=307)
            output(await followed(first, headers=self.HEADERS, redact=(SECRET,)))
        assert [(r.target, "authorization" in r.headers, "x-mine" in r.headers) for r in first.requests] == [
            ("/0", True, True),
            ("/1", False, False),
            ("/end", False, False),
        ]

    @pytest.mark.parametrize("status", [307, 308])
    async def test_a_body_with_a_secret_is_not_taken_elsewhere(self, status: int) -> None:
        for more in ({"body": {"a": SECRET}}, {"body": {"a": "b"}, "secret_body": True}):
            async with RawPartner(always(DONE)) as other, RawPartner(never) as first:
                outcome = failure(await self.sent(first, f"{other.url}/end", method="POST", status=status, **more))
            assert (outcome.error.code, other.connections) == ("redirect_refused", 0)
            assert "secret" in outcome.error.message

    async def test_a_body_with_a_secret_that_stays_behind_does_not_matter(self) -> None:
        async with RawPartner(always(DONE)) as other, RawPartner(never) as first:
            output(await self.sent(first, f"{other.url}/end", method="POST", status=303, body={"a": SECRET}))
        assert other.requests[0].body == b""

    async def test_a_location_that_echoes_them_does_not_show_them(self) -> None:
        async def answer(_: Received) -> bytes:
            return reply(302, Location=f"ftp://{SECRET}.example/{SECRET}")

        async with RawPartner(answer) as partner:
            for most in (0, 1):
                outcome = failure(await followed(partner, max_redirects=most, redact=(SECRET,)))
                assert SECRET not in msgspec.json.encode(outcome).decode()
        async with RawPartner(always(reply(302, Location=f"http://{SECRET}.localhost:1/{SECRET}"))) as partner:
            outcome = failure(await followed(partner, redact=(SECRET,)))
            assert SECRET not in msgspec.json.encode(outcome).decode()

    async def test_the_definition_tells_where_they_are_however_short(self) -> None:
        async with RawPartner(always(DONE)) as other, RawPartner(leads(f"{other.url}/end", status=307)) as first:
            headers = {"X-Pin": "${secrets.PIN}", "X-Pin-Too": "pin ${secrets.PIN}", "X-Trace": "${input.trace}"}
            config = {"url": f"{first.url}/0", "headers": headers, "max_redirects": 1}
            life = lived(http("a", config=config), value={"trace": "1234567"})
            resolved = http_request(life.plan, life.state, "a", life.inputs, {"PIN": "1234"})
            async with started() as executor:
                output(await executor.run(HttpRequest.from_config(resolved, KEY, redact=("1234",))))
        assert first.requests[0].headers["x-pin-too"] == "pin 1234"
        assert {"x-pin", "x-pin-too"} & set(other.requests[0].headers) == set()
        assert other.requests[0].headers["x-trace"] == "1234567"

    async def test_they_are_taken_out_of_the_last_answer(self) -> None:
        async def answer(got: Received) -> bytes:
            if got.target == "/0":
                return reply(307, Location="/end")
            return reply(200, json.dumps(got.headers).encode(), "application/json")

        async with RawPartner(answer) as partner:
            got = output(await followed(partner, headers={"Authorization": f"Bearer {SECRET}"}))
        assert got["body"]["authorization"] == "[redacted]"


LOCATIONS = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "http:", "https:", "HTTP:", "ftp:", "//", "http://", "https://", "http:/", "\\\\", "?", "#"]),
        st.sampled_from(["", "user:pw@", "@", "a.example", "127.0.0.1", "[::1]", "bücher.example", "%41", "xn--a", ".."]),
        st.sampled_from(["", ":", ":0", ":80", ":443", ":65536", ":x"]),
        st.text(alphabet="/?#%&=.@:\\ \t\r\n\x00é\ud800ab", max_size=20),
    ),
)  # fmt: skip


@given(LOCATIONS, st.sampled_from([301, 302, 303, 307, 308]), st.sampled_from(["http", "https"]))
@example("//evil.example", 302, "https")
@example("https:", 302, "https")
@example("//127%2e0%2e0%2e1/", 302, "https")
def test_any_location_leads_to_a_sound_address_or_is_refused(location: str, status: int, scheme: str) -> None:
    config = {"url": f"{scheme}://a.example/x/y", "method": "PUT", "headers": {"Authorization": "Bearer abc"}}
    call = HttpRequest.from_config({**config, "max_redirects": 5}, KEY)
    hop = first_hop(call)
    try:
        then = next_hop(call, hop, status, [location])
    except RedirectRefused as refused:
        outcome = refused.failed(hop.where)
        assert isinstance(outcome, Failed)
        assert b"\\u0000" not in msgspec.json.encode(outcome)
        return
    assert then.redirected
    assert then.url.scheme == "https" or (scheme == "http" and then.url.scheme == "http")
    assert is_host(then.url.raw_host or "")
    assert then.url.raw_path.startswith("/")
    assert then.url.raw_user is None
    assert then.url.raw_password is None
    assert not then.url.fragment
    written = str(then.url)
    assert written.isascii()
    assert written.isprintable()
    assert URL(written).host == then.url.host
    assert ("Authorization" in then.headers) == (then.url.origin() == hop.url.origin())
