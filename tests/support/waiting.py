"""A server with many clients behind a lock that another program holds, over sockets; what each of them is answered, and when."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import sqlalchemy as sa

from tests.support.harness import BATCH, Backend, Json, part

SCRIPT = """
CREATE TABLE thing (id {key}, name VARCHAR(60) NOT NULL UNIQUE, counted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE mark (id {key}, name VARCHAR(60) NOT NULL, thing_id INTEGER REFERENCES thing (id));
INSERT INTO thing (name) VALUES ('one'), ('two'), ('three')
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client was answered, and after how many seconds."""

    body: Json
    seconds: float

    @property
    def outcome(self) -> str:
        """The status of the batch, or the code of the error."""
        if "errors" in self.body:
            return str(self.body["errors"][0]["extensions"]["code"])
        return str(self.body["data"]["batch"]["status"]) if "batch" in self.body["data"] else "data"


@contextmanager
def locked(backend: Backend, *statements: str) -> Iterator[sa.Connection]:
    """Hold locks as another program does, in a transaction that the end rolls back."""
    engine = backend.engine()
    with engine.connect() as connection:
        if backend.kind == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        for statement in statements:
            connection.exec_driver_sql(statement)
        yield connection
        connection.rollback()
        if backend.kind == "sqlite":
            connection.exec_driver_sql("ROLLBACK") if connection.connection.in_transaction else None
    engine.dispose()


async def send(port: int, body: Json) -> Answered:
    """Send a request over a connection of its own."""
    text = json.dumps(body).encode()
    begun = perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(port, len(text)) + text)
    answer = await reader.read()
    writer.close()
    return Answered(json.loads(answer.partition(b"\r\n\r\n")[2]), perf_counter() - begun)


def head(port: int, length: int) -> bytes:
    """Write the beginning of a request."""
    return (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def update(key: int, name: str) -> Json:
    """Write a batch that changes one thing."""
    return batch(part("p", "UPDATE", f"/things/{key}", {"name": name}))


def batch(*parts: Json) -> Json:
    """Write a batch."""
    return {"query": BATCH, "variables": {"parts": parts}}
