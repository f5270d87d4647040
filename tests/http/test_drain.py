"""How a server ends: SIGTERM drains, SIGINT does not, a second signal ends it at once, and nothing holds the end."""

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import BATCH, Backend, part
from tests.support.music import SCRIPT
from tests.support.program import Program, free_port, serving
from tests.support.sockets import ALIVE, connected, is_open, post, response, until_closed

UPDATE = {"query": BATCH, "variables": {"parts": [part("a", "UPDATE", "/artists/1", {"name": "changed"})]}}
LONG = 15.0  # seconds: far beyond each time that is set here


@contextmanager
def serve(backend: Backend, folder: Path, settings: str, *arguments: str) -> Iterator[tuple[Program, int]]:
    backend.run(SCRIPT)
    (folder / "partwise.toml").write_text(settings)
    port = free_port()
    with serving([backend.url, *arguments], folder, port=port) as program:
        yield program, port


def send(port: int, body: Any) -> tuple[int, Any]:
    """Send a GraphQL request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/graphql", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def status_of(port: int, path: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Connection")


@contextmanager
def locked(backend: Backend) -> Iterator[None]:
    """Hold what each batch on the first artist waits for, in another program's name."""
    engine = backend.engine()
    with engine.connect() as connection:
        if backend.kind == "sqlite":
            connection.connection.cursor().execute("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql('SELECT * FROM "Artist" WHERE "ArtistId" = 1 FOR UPDATE')
        yield
        connection.rollback()
    engine.dispose()


def waits(process: "subprocess.Popen[str]") -> float:
    """Wait for the end of a process; return the seconds until then."""
    begun = time.monotonic()
    process.wait(timeout=60)
    return time.monotonic() - begun


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_that_drains_serves_on_and_says_that_it_will_end(sqlite: Backend, tmp_path: Path):
    with serve(sqlite, tmp_path, "drain_seconds = 3") as (program, port), connected(port) as client:
        client.sendall(ALIVE)
        assert "connection" not in response(client)[1]
        program.process.send_signal(signal.SIGTERM)
        until(lambda: status_of(port, "/readyz")[0] == 503)

        assert status_of(port, "/livez") == (200, "close")
        assert send(port, UPDATE)[1]["data"]["batch"]["status"] == "COMMITTED"
        client.sendall(ALIVE)
        assert response(client)[1]["connection"] == "close"
        assert until_closed(client) == b""
        assert program.process.wait(timeout=60) == 0
        with pytest.raises(ConnectionRefusedError):
            status_of(port, "/livez")


def test_on_this_machine_alone_there_is_nothing_to_drain(sqlite: Backend, tmp_path: Path):
    with serve(sqlite, tmp_path, "") as (program, _):
        program.process.send_signal(signal.SIGTERM)

        assert waits(program.process) < 5
        assert program.process.returncode == 0


def test_what_has_begun_is_answered(backend: Backend, tmp_path: Path):
    with (
        serve(backend, tmp_path, "shutdown_timeout = 30") as (program, port),
        ThreadPoolExecutor() as threads,
        connected(port) as idle,
        connected(port) as half,
    ):
        idle.sendall(ALIVE)
        response(idle)
        sent = post(json.dumps({"query": "{ __typename }"}).encode())
        half.sendall(sent[:20])
        with locked(backend):
            answer = threads.submit(send, port, UPDATE)
            time.sleep(1)  # until it waits for the lock
            program.process.send_signal(signal.SIGTERM)
            until(lambda: not is_open(idle))
            half.sendall(sent[20:])
            assert response(half)[1]["connection"] == "close"
            assert not answer.done()

        status, body = answer.result()
        assert (status, body["data"]["batch"]["status"]) == (200, "COMMITTED")
        assert program.process.wait(timeout=60) == 0


BEHIND_A_LOCK = [("sqlite", signal.SIGTERM), ("postgresql", signal.SIGTERM), ("sqlite", signal.SIGINT)]


@pytest.mark.costly
@pytest.mark.parametrize(("kind", "sig"), BEHIND_A_LOCK)
def test_requests_behind_a_lock_do_not_hold_the_end(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, sig: signal.Signals
):
    backend: Backend = request.getfixturevalue(kind)
    with (
        serve(backend, tmp_path, "shutdown_timeout = 1.5\ntimeout = 50") as (program, port),
        ThreadPoolExecutor(40) as threads,
    ):
        with locked(backend):
            answers = [threads.submit(send, port, UPDATE) for _ in range(40)]
            time.sleep(1.5)  # until they wait for the lock
            program.process.send_signal(sig)

            assert waits(program.process) < LONG
            assert program.process.returncode == 0
            assert all(isinstance(failure(each), OSError | http.client.HTTPException) for each in answers)
        assert "shutdown_cut" in (tmp_path / "server.log").read_text()
    until(lambda: backend.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" = 1') == [("Nordlicht",)])


def failure(answer: "Future[Any]") -> BaseException | None:
    return answer.exception(timeout=60)


def test_a_second_signal_ends_it_at_once(sqlite: Backend, tmp_path: Path):
    with serve(sqlite, tmp_path, "drain_seconds = 300") as (program, port):
        program.process.send_signal(signal.SIGTERM)
        until(lambda: status_of(port, "/readyz")[0] == 503)
        program.process.send_signal(signal.SIGTERM)

        assert waits(program.process) < LONG
        assert program.process.returncode == -signal.SIGTERM


def test_an_interrupt_does_not_drain(sqlite: Backend, tmp_path: Path):
    with serve(sqlite, tmp_path, "drain_seconds = 300") as (program, _):
        program.process.send_signal(signal.SIGINT)

        assert waits(program.process) < LONG
        assert program.process.returncode == 0


def children(process: "subprocess.Popen[str]") -> set[int]:
    """List the workers of a parent process."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            command = (path / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        if parent == process.pid and "spawn_main" in command:
            found.add(int(path.name))
    return found


@pytest.mark.costly
@pytest.mark.parametrize("whom", ["the parent", "the group"])
def test_workers_drain_are_replaced_and_do_not_outlive_their_parent(postgresql: Backend, tmp_path: Path, whom: str):
    settings = "drain_seconds = 2\nshutdown_timeout = 5"
    with serve(postgresql, tmp_path, settings, "--workers", "2") as (program, port):
        log = tmp_path / "server.log"
        until(lambda: log.read_text().count("Application startup complete") == 2)
        one, _ = sorted(children(program.process))
        os.kill(one, signal.SIGKILL)
        until(lambda: log.read_text().count("Application startup complete") == 3)
        assert len(children(program.process)) == 2
        assert send(port, UPDATE)[1]["data"]["batch"]["status"] == "COMMITTED"

        if whom == "the group":  # its workers hear it twice: from outside, and from their parent
            for each in children(program.process):
                os.kill(each, signal.SIGTERM)
            time.sleep(0.5)  # two signals at once are one
        program.process.send_signal(signal.SIGTERM)
        until(lambda: status_of(port, "/readyz")[0] == 503)
        assert send(port, UPDATE)[1]["data"]["batch"]["status"] == "COMMITTED"
        assert program.process.wait(timeout=60) == 0
        with pytest.raises(ConnectionRefusedError):
            status_of(port, "/livez")


@pytest.mark.parametrize("how", ["interrupt", "parent killed"])
def test_workers_end_with_their_parent(postgresql: Backend, tmp_path: Path, how: str):
    with serve(postgresql, tmp_path, "drain_seconds = 300", "--workers", "2") as (program, _):
        until(lambda: (tmp_path / "server.log").read_text().count("Application startup complete") == 2)
        workers = children(program.process)
        assert len(workers) == 2
        if how == "interrupt":
            os.killpg(program.process.pid, signal.SIGINT)  # as a terminal does
            assert program.process.wait(timeout=60) == 0
        else:
            program.process.kill()
            program.process.wait(timeout=60)

        until(lambda: not any(is_running(each) for each in workers))


def is_running(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
