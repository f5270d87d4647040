"""A client that calls the application itself: a tenth of the time that a test client takes, for tests of thousands of batches."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Message

from tests.support.harness import Api, Json

_SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/graphql",
    "raw_path": b"/graphql",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
    "client": ("127.0.0.1", 50_000),
    "server": ("127.0.0.1", 80),
}


class Direct(Api):
    """A client of one served database, in this thread."""

    def __init__(self, api: Api) -> None:
        self.service, self.http = api.service, api.http
        self._runner = asyncio.Runner()

    def post(self, query: str, variables: Mapping[str, Any] | None = None) -> Json:
        """Send a GraphQL request; give back the decoded answer."""
        status, answer = self.exchange(json.dumps({"query": query, "variables": variables or {}}).encode())
        assert status == 200, answer
        return json.loads(answer)

    def exchange(self, body: bytes, path: str = "/graphql", key: str | None = None) -> tuple[int, bytes]:
        """Send a body, with an idempotency key; give back the status and the body of the answer, whatever they are."""
        headers = [] if key is None else [(b"idempotency-key", key.encode())]
        return self._runner.run(self._exchange(body, path, headers))

    async def _exchange(self, body: bytes, path: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
        sent: list[Message] = []
        to_receive: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not to_receive:  # a client that stays
                await asyncio.Event().wait()
            return to_receive.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        own = {"path": path, "raw_path": path.encode(), "headers": [*_SCOPE["headers"], *headers]}
        await self.http.app(_SCOPE | own, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    def close(self) -> None:
        """Close the database."""
        self._runner.close()
        super().close()
