from engine.keys import make_key
from tests.api.client import DEFINITIONS, PLAIN, PROCESSES, SIGNALS, TASKS, Api, new_key, problem, publish


async def test_without_a_good_key_nothing_is_answered(api: Api) -> None:
    key, _ = make_key()
    for headers in (
        {},
        {"Authorization": "Basic abc"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"Bearer {key}x"},
    ):
        client = await api.stranger(headers)
        response = await client.get(PROCESSES)
        problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_each_scope_opens_its_routes_and_no_others(api: Api) -> None:
    await publish(await api.client(), PLAIN)
    task = "tsk_000000000000000000"
    asked = {
        "workflows:read": [("GET", DEFINITIONS), ("GET", PROCESSES), ("GET", TASKS)],
        "workflows:write": [("POST", DEFINITIONS)],
        "workflows:execute": [
            ("POST", PROCESSES),
            ("POST", SIGNALS),
            ("POST", f"{PROCESSES}/bulk"),
            ("POST", f"{PROCESSES}/prc_0000000000000/cancel"),
        ],
        "tasks:act": [("GET", TASKS), ("POST", f"{TASKS}/{task}/complete"), ("POST", f"{TASKS}/{task}/reject")],
    }
    everything = {route for routes in asked.values() for route in routes}
    for right, routes in asked.items():
        client = await api.client(rights=[right])
        for method, path in everything:
            response = await client.request(method, path)
            if (method, path) in routes:
                assert response.status_code in (200, 400, 404), response.text
            else:
                problem(response, 403, "forbidden")


async def test_a_revoked_key_stops_working_within_seconds(api: Api) -> None:
    client = await api.client()
    assert (await client.get(PROCESSES)).status_code == 200
    api.house.owner.execute("update stepwell.api_key set revoked_at = now()")
    keys = api.app.state.api_keys
    for digest, (_, known) in list(keys._known.items()):
        keys._known[digest] = (0.0, known)  # the seconds are over
    problem(await client.get(PROCESSES), 401, "unauthenticated")


async def test_a_key_made_a_moment_ago_works_at_once(api: Api) -> None:
    client = await api.stranger({"Authorization": f"bearer {new_key(api.house, 'acme_prod', ['admin'])}"})
    assert (await client.get(PROCESSES)).status_code == 200


async def test_each_request_is_observed_once_with_its_code(api: Api) -> None:
    client = await api.client()
    await client.get("/nowhere")
    await client.get(PROCESSES)
    seen = [(o.path, o.status, o.code) for o in api.observed]  # type: ignore[attr-defined]
    assert seen == [("/nowhere", 404, "not_found"), (PROCESSES, 200, None)]
