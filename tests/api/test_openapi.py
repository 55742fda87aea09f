from typing import Any

from tests.api.client import Api


async def _document(api: Api) -> dict[str, Any]:
    response = await (await api.stranger()).get("/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


async def test_the_document_is_openapi_3_1_and_names_every_route(api: Api) -> None:
    document = await _document(api)
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/api/v1/workflows/definitions",
        "/api/v1/workflows/definitions/{definition_id}",
        "/api/v1/processes",
        "/api/v1/processes/bulk",
        "/api/v1/processes/{process_id}",
        "/api/v1/processes/{process_id}/history",
        "/api/v1/processes/{process_id}/cancel",
        "/api/v1/processes/{process_id}/retry",
        "/api/v1/signals",
        "/api/v1/tasks",
        "/api/v1/tasks/{task}/complete",
        "/api/v1/tasks/{task}/reject",
        "/health/live",
        "/health/ready",
    }


async def test_every_error_a_route_can_give_is_documented_as_a_problem(api: Api) -> None:
    document = await _document(api)
    for path, methods in document["paths"].items():
        if not path.startswith("/api"):
            continue
        for method, operation in methods.items():
            wanted = {"400", "401", "403", "500", "503"}
            if method == "post":
                wanted |= {"409", "413", "415", "422"}
                assert "Idempotency-Key" in {p["name"] for p in operation["parameters"]}
                assert operation["requestBody"]
            if "{" in path:
                wanted |= {"404"}
            assert wanted <= set(operation["responses"]), (path, method)
            for status in wanted:
                assert set(operation["responses"][status]["content"]) == {"application/problem+json"}
            assert operation["security"] == [{"key": []}]


async def test_bodies_taken_are_closed(api: Api) -> None:
    schemas = (await _document(api))["components"]["schemas"]
    for name in ("StartProcess", "StartProcesses", "Order", "SendSignal", "CompleteTask", "RejectTask"):
        assert schemas[name]["additionalProperties"] is False
