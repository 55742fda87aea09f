"""/workflows/definitions, and the types of step they are made of.

Made from `awaited/definitions.py` by `stepwell/client/generate.py`: change that.
"""

from __future__ import annotations

from typing import Any

from api.wire import (
    DefinitionView,
    DeletedDefinition,
    Order,
    Page,
    StepTypes,
    TriggerDefinition,
    TriggeredExecution,
    ValidationView,
)
from stepwell.client.blocking.caller import Caller
from stepwell.client.call import NOTHING, acting, asking, at, reading

PATH = "/workflows/definitions"


class Definitions(Caller):
    """Publish, read and manage definitions. Each is named by its id (wf_…)."""

    def publish_definition(self, document: Any, *, idempotency_key: str | None = None) -> DefinitionView:
        """Publish a document as a new definition, or as the next version of the one of its name."""
        return self._call(acting(DefinitionView, PATH, document, idempotency_key=idempotency_key))

    def publish_version(
        self, definition_id: str, document: Any, *, idempotency_key: str | None = None
    ) -> DefinitionView:
        """Publish a document as the next version of this definition; its name may be another."""
        return self._call(
            acting(DefinitionView, PATH + at(definition_id), document, idempotency_key=idempotency_key, method="PUT")
        )

    def validate_definition(self, document: Any) -> ValidationView:
        """Return what publishing a document would find. Nothing is published."""
        return self._call(asking(ValidationView, f"{PATH}/validate", document))

    def list_definitions(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        name: str | None = None,
        enabled: bool | None = None,
    ) -> Page[DefinitionView]:
        """Return a page of definitions, newest first, without their documents."""
        return self._call(
            reading(Page[DefinitionView], PATH, cursor=cursor, limit=limit, offset=offset, name=name, enabled=enabled)
        )

    def get_definition(self, definition_id: str, *, version: int | None = None) -> DefinitionView:
        """Return a definition with its document: the latest version, or the one named."""
        return self._call(reading(DefinitionView, PATH + at(definition_id), version=version))

    def enable_definition(
        self,
        definition_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> DefinitionView:
        """Let processes of a definition be started."""
        body = Order(by=by, reason=reason)
        return self._call(
            acting(DefinitionView, PATH + at(definition_id, "enable"), body, idempotency_key=idempotency_key)
        )

    def disable_definition(
        self,
        definition_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> DefinitionView:
        """Let no more processes of a definition be started; those there are go on."""
        body = Order(by=by, reason=reason)
        return self._call(
            acting(DefinitionView, PATH + at(definition_id, "disable"), body, idempotency_key=idempotency_key)
        )

    def delete_definition(
        self,
        definition_id: str,
        *,
        force: bool | None = None,
        by: str | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> DeletedDefinition:
        """Delete a definition. `force`: also while processes of it run; they are sent a cancel."""
        return self._call(
            acting(
                DeletedDefinition,
                PATH + at(definition_id),
                method="DELETE",
                idempotency_key=idempotency_key,
                query={"force": force, "by": by, "reason": reason},
            )
        )

    def trigger_definition(
        self,
        definition_id: str,
        *,
        trigger_data: Any = NOTHING,
        by: str | None = None,
        reason: str | None = None,
        traceparent: str | None = None,
        idempotency_key: str | None = None,
    ) -> TriggeredExecution:
        """Start a process of a definition by hand; `trigger_data` is its input.

        `traceparent`: the W3C trace it is part of.
        """
        body = TriggerDefinition(trigger_data=trigger_data, by=by, reason=reason)
        return self._call(
            acting(
                TriggeredExecution,
                PATH + at(definition_id, "trigger"),
                body,
                idempotency_key=idempotency_key,
                headers={"traceparent": traceparent},
            )
        )

    def get_definition_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a definition."""
        return self._call(reading(dict[str, Any], f"{PATH}/schema"))

    def list_step_types(self) -> StepTypes:
        """Return the types of step there are, each with the JSON Schema of its `config`."""
        return self._call(reading(StepTypes, "/step-types"))
