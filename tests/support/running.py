"""A server that listens, in a thread of its own, and clients that work with it at the same time."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import uvicorn

from partwise.server.app import make_app
from partwise.service import Service
from partwise.settings import Settings
from tests.support.harness import BATCH, Api, Backend, Json, part

CLIENTS = 8
T = TypeVar("T")


class Client:
    """One connection to a running server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def batch(self, *parts: Json) -> Json:
        """Run a batch, which is never a request error."""
        answer = self.post(BATCH, {"parts": parts})
        assert "errors" not in answer, answer
        return answer["data"]["batch"]

    def post(self, query: str, variables: Mapping[str, Any]) -> Json:
        """Send a GraphQL request; give back the decoded answer."""
        body = json.dumps({"query": query, "variables": variables})
        self._connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        return json.loads(self._connection.getresponse().read())

    def one(self, operation: str, path: str, payload: Json = None, **others: Any) -> Json:
        """Run a batch of one part; give back that part's result."""
        (result,) = self.batch(part("p", operation, path, payload, **others))["parts"]
        return result


class Running:
    """A server that listens, and the pauses that its engine made because a batch was to be run again."""

    def __init__(self, backend: Backend, api: Api, **settings: Any) -> None:
        self.pauses: list[float] = []
        self.database = api.service.engine.database
        engine = replace(api.service.engine, sleep=self.pauses.append)
        app = make_app(
            Service(engine=engine, schema=api.service.schema), Settings(database_url=backend.url, **settings)
        )
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    def together(self, work: Callable[[Client, int], T], clients: int = CLIENTS) -> list[T]:
        """Let so many clients work at the same time; give back what each found."""
        ready = threading.Barrier(clients)

        def run(number: int) -> T:
            client = Client(self.port)
            ready.wait()
            return work(client, number)

        with ThreadPoolExecutor(clients) as threads:
            return list(threads.map(run, range(clients)))

    def stop(self) -> None:
        """Let the server finish what it has begun."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
