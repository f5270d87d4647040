"""A server that has more requests than it can run: some wait, others are refused, and afterwards everything goes on."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from partwise.server.turns import Turns, is_gone
from partwise.workers.admission import Admission
from tests.conftest import Serve
from tests.support.harness import LEAN_BATCH, Backend, part
from tests.support.program import free_port, serving
from tests.support.running import Running

SCRIPT = "CREATE TABLE thing (id {key}, name VARCHAR(20) NOT NULL UNIQUE);\nINSERT INTO thing (name) VALUES ('old')"
SLOW = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
  WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = ''advisory'') LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NEW;
END';
CREATE TRIGGER wait BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION wait()
"""
QUERY = "{ things { totalCount } }"


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: Any


async def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Send one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    answer = await _read(reader)
    writer.close()
    return answer


async def _read(reader: asyncio.StreamReader) -> Answer:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    body = await reader.readexactly(int(headers["content-length"]))
    is_json = "json" in headers.get("content-type", "")
    return Answer(int(head.split()[1]), headers, json.loads(body) if is_json and body else body)


async def _overload(port: int) -> list["asyncio.Task[Answer]"]:
    """Send batches to a server that writes nothing until it refuses one."""
    sent: list[asyncio.Task[Answer]] = []
    while not any(each.done() for each in sent):
        sent += [
            asyncio.create_task(ask(port, "POST", "/graphql", create(f"early {len(sent) + n}"))) for n in range(20)
        ]
        await asyncio.sleep(0.1)  # the only way to learn what becomes of them
    return sent


def create(name: str) -> Any:
    """Write a GraphQL request that makes a thing."""
    parts = [part("p", "CREATE", "/things", {"name": name})]
    return {"query": LEAN_BATCH, "variables": {"parts": parts}}


@contextmanager
def stalled(backend: Backend) -> Iterator[None]:
    """Let nothing be written until the block ends."""
    if backend.kind == "sqlite":
        connection = sqlite3.connect(backend.url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
        connection.close()
        return
    with psycopg.connect(backend.url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        yield


@pytest.fixture
def served(backend: Backend, start: Serve) -> Iterator[Running]:
    """A server that writes slowly, on PostgreSQL."""
    backend.run(SCRIPT)
    if backend.kind == "postgresql":
        with psycopg.connect(backend.url, autocommit=True) as connection:
            connection.execute(SLOW)
    running = Running(backend, start(backend, connections=2), target_wait=0.05)
    yield running
    running.stop()


def test_a_stalled_server_refuses_what_would_wait_too_long_and_goes_on_afterwards(
    served: Running, backend: Backend, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING, "partwise")

    async def scenario() -> tuple[list[Answer], Sequence[Answer], Answer]:
        port = served.port
        with stalled(backend):
            early = await _overload(port)
            late = await asyncio.gather(
                ask(port, "POST", "/graphql", create("late 1")),
                ask(port, "POST", "/graphql", create("late 2"), Accept="application/graphql-response+json"),
                ask(port, "POST", "/graphql", create("late 3"), Connection="close"),
                ask(port, "POST", "/batch", {"parts": [part("p", "create", "/things", {"name": "late 4"})]}),
            )
            assert [each.status for each in late] == [503] * 4
            others = await asyncio.gather(
                ask(port, "GET", "/readyz"),
                ask(port, "GET", "/livez"),
                ask(port, "GET", "/batch"),
                ask(port, "GET", "/graphql", Accept="text/html"),
                ask(port, "POST", "/graphql", {"query": QUERY}),
                ask(port, "GET", "/graphql?query=%7Bthings%7BtotalCount%7D%7D"),
            )
            assert [each.status for each in others] == [200] * 6
            assert [each.body for each in others[4:]] == [{"data": {"things": {"totalCount": 1}}}] * 2
        answers = await asyncio.gather(*early)
        after = await ask(port, "POST", "/graphql", create("after"))
        await asyncio.sleep(1.2)  # until the log has its line
        return answers, late, after

    early, late, after = asyncio.run(scenario())
    assert [each.headers["content-type"] for each in late] == [
        "application/json",
        "application/graphql-response+json",
        "application/json",
        "application/json",
    ]
    refused = [*late, *(each for each in early if each.status == 503)]
    for each in refused:
        assert 1 <= int(each.headers["retry-after"]) <= 60
        (error,) = each.body["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE"}
        assert "Nothing has run" in error["message"]
        assert [*each.body] == ["errors"]
    written = [n for n, each in enumerate(early) if each.status == 200]
    assert len(written) + len(refused) == len(early) + 4
    assert all(early[n].body["data"]["batch"]["status"] == "COMMITTED" for n in written)
    assert after.body["data"]["batch"]["status"] == "COMMITTED"
    names = {name for (name,) in backend.rows("SELECT name FROM thing")}
    assert names == {"old", "after", *(f"early {n}" for n in written)}
    (told, *_) = [record.getMessage() for record in caplog.records if "overloaded" in record.getMessage()]
    assert "batches=" in told
    assert "queries=" not in told


def test_a_batch_whose_client_has_gone_while_it_waited_is_not_run(served: Running, backend: Backend):
    async def scenario() -> list[Answer]:
        port = served.port
        with stalled(backend):
            # All that run at a time, and then two that wait.
            running = 64 if backend.kind == "sqlite" else 1  # of two connections: the other is for queries
            first = [asyncio.create_task(ask(port, "POST", "/graphql", create(f"first {n}"))) for n in range(running)]
            await asyncio.sleep(0.5)  # until they have begun
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            content = json.dumps(create("gone")).encode()
            head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content)
            await asyncio.sleep(0.2)  # until it waits
            stays = asyncio.create_task(ask(port, "POST", "/graphql", create("stays")))
            writer.close()
            await asyncio.sleep(0.2)  # until the server knows
        return await asyncio.gather(*first, stays)

    answers = asyncio.run(scenario())
    assert {each.body["data"]["batch"]["status"] for each in answers} == {"COMMITTED"}
    names = {name for (name,) in backend.rows("SELECT name FROM thing")}
    assert "stays" in names
    assert "gone" not in names


def test_the_program_refuses_what_came_in_one_piece_and_reads_on(tmp_path: Path):
    """What the protocol refuses unparsed, in front of a real server: also with pipelining, and bodies in pieces."""
    database = tmp_path / "test.sqlite"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE)")
    connection.execute("PRAGMA journal_mode = WAL")
    port = free_port()
    (tmp_path / "partwise.toml").write_text("target_wait = 0.05\n")

    def request(name: str, *headers: str) -> bytes:
        content = json.dumps(create(name)).encode()
        lines = ("POST /graphql HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *headers)
        return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content

    async def scenario() -> None:
        connection.execute("BEGIN IMMEDIATE")
        early = await _overload(port)
        async with talking(port) as (reader, writer):
            for name in ("one", "two"):  # on one connection
                writer.write(request(name))
                assert (await _read(reader)).status == 503
            writer.write(request("three") + request("four"))  # pipelined
            assert [(await _read(reader)).status for _ in range(2)] == [503, 503]
            whole = request("five")
            for piece in (whole[:10], whole[10:-20], whole[-20:]):
                writer.write(piece)
                await asyncio.sleep(0.05)  # so that it comes by itself
            assert (await _read(reader)).status == 503
            writer.write(request("six", "Transfer-Encoding: identity", "Expect: 100-continue"))
            assert (await reader.readline()).split()[1] in {b"503", b"400", b"100"}
        async with talking(port) as (reader, writer):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (await _read(reader)).body == b"ok"
        connection.execute("ROLLBACK")
        assert {each.status for each in await asyncio.gather(*early)} <= {200, 503}
        assert (await ask(port, "POST", "/graphql", create("after"))).status == 200
        await asyncio.sleep(1.2)  # until the log has its line

    with serving([str(database)], tmp_path, port=port):
        asyncio.run(scenario())
    names = {name for (name,) in connection.execute("SELECT name FROM thing")}
    assert {each for each in names if not each.startswith("early")} == {"after"}
    connection.close()
    assert "overloaded: " in (tmp_path / "server.log").read_text()


@asynccontextmanager
async def talking(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection until the block ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.close()


HEAD = "POST /graphql HTTP/1.1\r\nHost: a\r\n"
BODY = '{"query": "mutation"}'


@pytest.mark.parametrize(
    ("data", "is_refused"),
    [
        (f"{HEAD}Content-Length: 21\r\n\r\n{BODY}", True),
        (f"{HEAD}content-length:21\r\n\r\n{BODY}", True),
        ("POST /batch HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", True),
        (f"{HEAD}Content-Length: 21\r\n\r\n{BODY[:-1]}", False),  # more is to come
        (f"{HEAD}Content-Length: 21\r\n\r\n{BODY}GET / HTTP/1.1\r\n\r\n", False),  # pipelined
        (f"{HEAD}Content-Length: 21\r\nContent-Length: 21\r\n\r\n{BODY}", False),
        (f"{HEAD}Content-Length: 21\r\nContent-Length : 3\r\n\r\n{BODY}", False),
        (f"{HEAD}Content-Length: 21\r\nTransfer-Encoding: chunked\r\n\r\n{BODY}", False),
        (f"{HEAD}Content-Length: 21\r\nConnection: close\r\n\r\n{BODY}", False),
        (f"{HEAD}Content-Length: 21\r\nExpect: 100-continue\r\n\r\n{BODY}", False),
        (f"{HEAD}Content-Length: 21\r\nOrigin: http://a.example\r\n\r\n{BODY}", False),
        (f"{HEAD}Content-Length: +21\r\n\r\n{BODY}", False),
        (f"{HEAD}\r\n", False),
        (HEAD, False),
        ("GET /graphql?query=mutation HTTP/1.1\r\nContent-Length: 0\r\n\r\n", False),
        (f"POST /graphql HTTP/1.0\r\nContent-Length: 21\r\n\r\n{BODY}", False),
        (f'{HEAD}Content-Length: 12\r\n\r\n{{"query": 1}}', False),  # a query: they wait for nothing
    ],
)
def test_only_a_plain_request_is_refused_unparsed(data: str, is_refused: bool):
    async def refuse() -> bytes | None:
        turns = Turns(Admission(connections=2, shared=True, target=0.0, timeout=0.0, most=1_000), timeout=1.0)
        for _ in range(40):
            turns.admission.arrive(turns.admission.batches, 0, lambda: True)
        return turns.refuse_unparsed(data.encode())

    found = asyncio.run(refuse())
    assert (found is not None) == is_refused
    if found is not None:
        assert found.startswith(b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n")
        head, _, body = found.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head
        assert b"\r\nretry-after: 1\r\n" in head
        assert json.loads(body)["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}


def test_of_all_that_come_in_one_turn_of_the_event_loop_only_those_are_let_in_for_whom_there_is_room():
    request = f"{HEAD}Content-Length: 21\r\n\r\n{BODY}".encode()

    async def come() -> list[int]:
        turns = Turns(Admission(connections=2, shared=False, target=0.5, timeout=30.0, most=40), timeout=30.0)
        batches = turns.admission.batches
        for _ in range(64 + 32):  # 64 run, 32 wait
            turns.admission.arrive(batches, 0, lambda: True)
        let_in = []
        for _ in range(2):
            let_in.append(sum(turns.refuse_unparsed(request) is None for _ in range(50)))
            await asyncio.sleep(0)  # none of them arrives, because nobody makes tasks of them here
        return let_in

    assert asyncio.run(come()) == [8, 8]


@pytest.mark.parametrize(
    ("body", "lane"),
    [
        (b'{"query": "{ things { totalCount } }"}', "queries"),
        (b'{"query": "mutation { batch }"}', "batches"),
        (b'{"documentId": "a", "variables": {"parts": [{"operation": "GET"}]}}', "batches"),
        (b'{"query": "query a { things }", "operationName": "a"}', "queries"),
        (b" " * 300_000, "large_requests"),
    ],
)
def test_a_request_waits_with_those_of_its_kind(body: bytes, lane: str):
    turns = Turns(Admission(connections=2, shared=True, target=1.0, timeout=1.0, most=1_000), timeout=1.0)
    assert turns.lane_of(body).name == lane


@pytest.mark.parametrize("gone", [False, True])
def test_whether_a_client_has_gone_is_told_without_waiting(gone: bool):
    async def scenario() -> bool:
        left = asyncio.Event()

        async def receive() -> Any:
            await left.wait()
            return {"type": "http.disconnect"}

        if gone:
            left.set()
        assert is_gone(receive) == gone
        return is_gone(receive)

    assert asyncio.run(scenario()) == gone
