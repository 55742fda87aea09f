"""/metrics of the API: for whoever may scrape, with bounded labels, whatever becomes of PostgreSQL."""

from __future__ import annotations

import pytest

from engine.observe import RequestServed
from tests.api.client import PLAIN, PROCESSES, Api, problem, publish, serving, start
from tests.engine.scraping import Samples, samples
from tests.house import House

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


async def scraped(api: Api, **headers: str) -> Samples:
    client = await api.stranger(headers)
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return samples(answer.text)


def counted(seen: Samples, method: str, route: str, status: int) -> float:
    labels = f'method="{method}",route="{route}",status="{status}"'
    return seen.get(f"stepwell_http_request_duration_seconds_count{{{labels}}}", 0)


async def test_requests_are_counted_by_their_route_as_declared_and_never_by_their_path(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    processes = [await start(client, "plain") for _ in range(2)]
    for process in processes:
        await client.get(f"{PROCESSES}/{process}")
    await client.get(f"{PROCESSES}/prc_0000000000000")
    for wild in ("/nowhere/1", "/nowhere/2", "/api/v1/nowhere"):
        await client.get(wild)
    await client.request("BREW", "/nowhere/3")
    seen = await scraped(api)

    assert counted(seen, "POST", PROCESSES, 201) == 2
    assert counted(seen, "GET", f"{PROCESSES}/{{process_id}}", 200) == 2
    assert counted(seen, "GET", f"{PROCESSES}/{{process_id}}", 404) == 1
    assert counted(seen, "GET", "(none)", 404) == 3
    assert counted(seen, "_OTHER", "(none)", 404) == 1
    told = "\n".join(seen)
    for hidden in (*processes, "nowhere", "acme", "BREW"):
        assert hidden not in told


async def test_a_scrape_tells_what_waits_in_the_database_and_of_the_pool(api: Api) -> None:
    client = await api.client()
    await publish(client, PLAIN)
    for _ in range(3):
        await start(client, "plain")
    seen = await scraped(api)

    assert seen["stepwell_database_up"] == 1
    assert seen["stepwell_queue_depth_jobs"] == 3
    assert 0 < seen["stepwell_queue_oldest_age_seconds"] < 300
    assert seen['stepwell_pool_connections{state="free"}'] + seen['stepwell_pool_connections{state="used"}'] >= 1
    assert seen["stepwell_pool_waiting_requests"] == 0
    assert seen["process_resident_memory_bytes"] > 1e6
    assert any(series.startswith("stepwell_build_info{") for series in seen)


async def test_a_scrape_needs_no_key_and_is_not_under_the_rate_limit(house: House) -> None:
    async with serving(house, rate_limit_per_second=0.001, rate_burst=1) as api:
        for _ in range(5):
            await scraped(api)


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Bearer sesam2", "Bearer ", "Basic sesam", "sesam"])
async def test_with_a_token_set_everybody_else_is_refused(house: House, given: str | None) -> None:
    async with serving(house, metrics_token="sesam") as api:
        assert (await scraped(api, Authorization="Bearer sesam"))["stepwell_database_up"] == 1
        client = await api.stranger({} if given is None else {"Authorization": given})
        answer = await client.get("/metrics")

        said = problem(answer, 401, "unauthenticated")
        assert "STEPWELL_METRICS_TOKEN" in said["advice"]
        assert "sesam" not in answer.text
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_scrape_is_answered_while_postgresql_is_away(house: House) -> None:
    async with serving(house, "postgresql://nobody@127.0.0.1:1/nowhere") as api:
        client = await api.stranger()
        assert (await client.get("/health/ready")).status_code == 503
        seen = await scraped(api)

    assert seen["stepwell_database_up"] == 0
    assert "stepwell_queue_depth_jobs" not in seen
    assert counted(seen, "GET", "/health/ready", 503) == 1


async def test_prometheus_gets_text_and_who_asks_for_openmetrics_gets_that(api: Api) -> None:
    client = await api.stranger()
    plain = await client.get("/metrics")
    openmetrics = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})

    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert openmetrics.headers["content-type"] == OPENMETRICS
    assert openmetrics.text.endswith("# EOF\n")
    problem(await client.get("/metrics?x=1"), 400, "invalid_parameter")


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=a.b.c",
        "application/openmetrics-text; version=;;;",
        "application/openmetrics-text;version=" + "9" * 5000,
        "application/openmetrics-text;version=999.0.0;escaping=foo",
        "text/plain;version=a.b.c",
        "text/plain;version=1.0.0;escaping=;;=",
        "a" * 30000,
        ";,;=",
    ],
    ids=lambda accept: accept[:60],
)
async def test_whatever_form_is_asked_for_one_of_the_two_is_given(api: Api, accept: str) -> None:
    answer = await (await api.stranger()).get("/metrics", headers={"Accept": accept})

    assert answer.status_code == 200
    kind, told = answer.headers["content-type"], answer.text
    assert kind in ("text/plain; version=0.0.4; charset=utf-8", OPENMETRICS)
    assert told.endswith("# EOF\n") == (kind == OPENMETRICS)


async def test_scrapes_and_probes_that_find_all_well_are_logged_at_debug(api: Api) -> None:
    client = await api.stranger()
    for path in ("/metrics", "/health/live", "/health/ready", "/metrics?x=1"):
        await client.get(path)

    levels = [(o.path, o.status, o.level) for o in api.observed if isinstance(o, RequestServed)]
    assert levels == [
        ("/metrics", 200, "debug"),
        ("/health/live", 200, "debug"),
        ("/health/ready", 200, "debug"),
        ("/metrics", 400, "info"),
    ]


async def test_the_openapi_document_describes_the_api_alone(api: Api) -> None:
    client = await api.stranger()

    assert "/metrics" not in (await client.get("/openapi.json")).json()["paths"]
