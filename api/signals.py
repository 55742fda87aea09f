"""/signals: something named that comes from outside."""

from __future__ import annotations

import psycopg
from litestar import Response, post
from litestar.params import JSONBody

from api.auth import signed
from api.bodies import Asked, check_value
from api.database import Db
from api.documented import described
from api.idempotency import Answer, once, respond
from api.wire import SendSignal, SignalView
from engine.errors import Conflict
from engine.store.base import AsyncConnection, Scope
from engine.store.orders import send_signal


@post(
    "/signals",
    **described("send_signal", "Send a signal", 202, "workflows:execute", acts=True),
)
async def send(request: Asked, database: Db, data: JSONBody[SendSignal]) -> Response[SignalView]:
    """Write the signal; workers match it with what waits for it. With a correlation key it is also kept."""
    check_value(data.data, "/data")

    async def act(connection: AsyncConnection, scope: Scope) -> Answer:
        values = {
            "name": data.name,
            "data": data.data,
            "correlation_key": data.correlation_key,
            "id": data.id,
            "ttl_seconds": data.ttl_seconds,
            "by": signed(request.user),
        }
        try:
            return Answer(202, SignalView(await send_signal(connection, scope, values)))
        except psycopg.errors.LockNotAvailable:
            advice = "Wait a moment and send it again."
            raise Conflict("a signal with the same id is being sent", pointer="/id", advice=advice) from None

    return respond(*await once(request, database, request.user, act))


ROUTES = (send,)
