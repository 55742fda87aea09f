import json
import re
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
        "/api/v1/workflows/definitions/{definition_id}/enable",
        "/api/v1/workflows/definitions/{definition_id}/disable",
        "/api/v1/workflows/definitions/{definition_id}/trigger",
        "/api/v1/workflows/definitions/validate",
        "/api/v1/workflows/definitions/schema",
        "/api/v1/workflows/executions",
        "/api/v1/workflows/executions/{execution_id}",
        "/api/v1/workflows/executions/{execution_id}/cancel",
        "/api/v1/workflows/executions/{execution_id}/retry",
        "/api/v1/step-types",
        "/api/v1/processes",
        "/api/v1/processes/bulk",
        "/api/v1/processes/{process_id}",
        "/api/v1/processes/{process_id}/history",
        "/api/v1/processes/{process_id}/cancel",
        "/api/v1/processes/{process_id}/retry",
        "/api/v1/processes/{process_id}/release",
        "/api/v1/processes/{process_id}/activities/{activity}/resume",
        "/api/v1/processes/retry",
        "/api/v1/signals",
        "/api/v1/tasks",
        "/api/v1/tasks/{task}",
        "/api/v1/tasks/{task}/claim",
        "/api/v1/tasks/{task}/reassign",
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
            wanted = {"400", "401", "403", "429", "500", "503"}
            if method != "get":
                wanted |= {"408", "413", "415", "422"}
                assert bool(operation.get("requestBody")) == (method != "delete")
            if method != "get" and operation["operationId"] != "validate_definition":
                wanted |= {"409"}
                assert "Idempotency-Key" in {p["name"] for p in operation["parameters"]}
            if "{" in path:
                wanted |= {"404"}
            assert wanted <= set(operation["responses"]), (path, method)
            for status in wanted:
                assert set(operation["responses"][status]["content"]) == {"application/problem+json"}
            assert {tuple(need) for need in operation["security"]} == {("key",)}


async def test_what_is_answered_with_a_place_says_so(api: Api) -> None:
    document = await _document(api)
    told = {
        (operation["operationId"], status)
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if "Location" in response.get("headers", {})
    }
    assert told == {
        ("publish_definition", "201"),
        ("start_process", "201"),
        ("trigger_definition", "202"),
    }


NEW = ("ClaimTask", "ReassignTask", "ResumeActivity", "RetryProcesses")


async def test_bodies_taken_are_closed(api: Api) -> None:
    schemas = (await _document(api))["components"]["schemas"]
    for name in ("StartProcess", "StartProcesses", "Order", "SendSignal", "CompleteTask", "RejectTask", *NEW):
        assert schemas[name]["additionalProperties"] is False


async def test_objects_have_names_that_a_generator_makes_classes_of(api: Api) -> None:
    text = json.dumps(document := await _document(api))
    schemas = document["components"]["schemas"]
    assert {"PageOfProcessView", "PageOfDefinitionView", "ProcessView"} <= set(schemas)
    assert [name for name in schemas if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= set(schemas)


async def test_what_starts_processes_takes_the_trace_they_are_part_of(api: Api) -> None:
    document = await _document(api)
    told = {
        operation["operationId"]: parameter
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "traceparent"
    }
    assert set(told) == {"start_process", "start_processes", "trigger_definition"}
    for parameter in told.values():
        assert (parameter["in"], parameter["required"]) == ("header", False)
        assert re.fullmatch(parameter["schema"]["pattern"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
