"""The client of the REST API, for Python: `Client`, and `AsyncClient` with the same methods to be awaited.

Each operation of /openapi.json is a method of its name. It returns a struct of `api.wire` and raises the errors of
`engine.errors`, told apart by class and by `code`. What acts carries an Idempotency-Key, a fresh one per call unless
you give your own, and so is sent again by itself, a few times, where the connection broke or the API was busy.

    with Client("https://stepwell.example.com", key) as client:
        process = client.start_process("refund", {"order": "A-17", "amount": 40})
        for task in client.every(client.list_tasks, group="finance"):
            client.complete_task(task.id, by="ines")
"""

from stepwell.client.awaited.client import AsyncClient
from stepwell.client.blocking.client import Client

__all__ = ["AsyncClient", "Client"]
