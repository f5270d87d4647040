"""Slow, silent, greedy and wrong clients, on the sockets of a real process (docs/contract.md, "Connections")."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest

from partwise.server import protocol
from partwise.server.app import make_app
from partwise.server.uvicorn_server import make_server
from tests.conftest import Serve
from tests.support.harness import Backend, sqlite_backend
from tests.support.music import SCRIPT
from tests.support.program import free_port, serving
from tests.support.sockets import ALIVE, connected, decoded, drip, is_open, post, refusal, response, until_closed

SETTINGS = """
header_timeout = 1.5
body_timeout = 2
min_data_rate = 1000
idle_timeout = 4
max_connections = 30
max_body = 100000
"""
LATE = 10.0  # seconds: far beyond each of these, far below a test's patience
GIGABYTE = 1_000_000_000
ONE = b'{"query": "{ album(albumId: 1) { title } }"}'


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("sockets")
    sqlite_backend(folder).run(SCRIPT)
    (folder / "partwise.toml").write_text(SETTINGS)
    number = free_port()
    with serving(["test.sqlite"], folder, port=number):
        yield number


@pytest.mark.parametrize("path", ["/graphql", "/batch", "/livez", "/nowhere"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("more", ["", "Expect: 100-continue\r\n"], ids=["", "expect"])
def test_a_body_that_announces_too_much_is_refused_at_once(port: int, method: str, path: str, more: str):
    with connected(port) as client:
        client.sendall(post(b"", path, length=GIGABYTE, more=more).replace(b"POST", method.encode(), 1))
        begun = time.monotonic()

        status, code, message = refusal(client)

        assert (status, code) == (413, "BAD_REQUEST")
        assert "max_body" in message
        assert time.monotonic() - begun < LATE


def test_a_client_that_sends_the_body_all_the_same_reads_the_refusal(port: int):
    with connected(port) as client:
        client.sendall(post(b"x" * 3_000_000))

        assert refusal(client)[0] == 413


def test_a_body_that_the_server_waits_for_is_asked_for(port: int):
    with connected(port) as client:
        client.sendall(post(b"", length=len(ONE), more="Expect: 100-continue\r\n"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(ONE)

        assert response(client)[0] == 200


def test_a_body_that_was_not_asked_for_is_not_taken_for_a_request(port: int):
    with connected(port) as client:
        client.sendall(
            post(b"", length=len(ONE), more="Expect: 100-continue\r\n").replace(b"application/json", b"text/plain")
        )
        assert response(client)[0] == 415

        assert until_closed(client) == b""


SLOW = {
    "headers": (ALIVE, 408),
    "a body": (post(b" " * 1_000), 408),
    "a chunked body": (
        b"POST /batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\nx\r\n" * 1_000,
        408,
    ),
}


@pytest.mark.parametrize(("sent", "status"), SLOW.values(), ids=SLOW.keys())
def test_a_client_that_sends_a_byte_now_and_then_is_refused(port: int, sent: bytes, status: int):
    start = sent.index(b"\r\n\r\n") + 4 if sent is not ALIVE else 0
    with connected(port) as client:
        client.sendall(sent[:start])
        seconds = drip(client, sent[start:], every=0.1)

        assert refusal(client)[0] == status
        assert 1.4 < seconds < LATE


def test_a_slow_but_steady_body_is_taken(port: int):
    body = ONE[:-1] + b" " * 20_000 + b"}"
    with connected(port) as client:
        client.sendall(post(b"", length=len(body)))
        seconds = drip(client, body, every=0.25, size=1_000)

        assert decoded(response(client)[2])["data"]["album"]
        assert seconds > 4  # twice the time in which the rate is measured


def test_a_client_that_says_nothing_is_closed_without_a_word(port: int):
    with connected(port) as client:
        begun = time.monotonic()

        assert client.recv(1) == b""
        assert 1.4 < time.monotonic() - begun < LATE


def test_a_connection_between_requests_may_be_idle_for_longer(port: int):
    with connected(port) as client:
        client.sendall(ALIVE)
        assert response(client)[0] == 200
        begun = time.monotonic()
        time.sleep(2.5)  # more than header_timeout
        client.sendall(ALIVE)
        assert response(client)[0] == 200
        begun = time.monotonic()

        assert client.recv(1) == b""
        assert 3.9 < time.monotonic() - begun < 4 + LATE


LARGE = b'{"query": "{ %s }"}' % b" ".join(
    b"t%d: tracks(first: 50) { nodes { path etag name composer } }" % n for n in range(90)
)


def test_a_client_that_does_not_read_is_cut(port: int):
    with connected(port, receive_buffer=4_096) as client:
        client.sendall(post(LARGE) * 100)  # one after the other: what is not read fills every buffer
        time.sleep(6)

        assert not is_open(client) or len(until_closed(client)) < 100 * 20_000


@pytest.mark.costly
def test_without_a_least_rate_clients_may_read_as_slowly_as_they_like(tmp_path: Path):
    sqlite_backend(tmp_path).run(SCRIPT)
    (tmp_path / "partwise.toml").write_text("min_data_rate = 0\nbody_timeout = 0.3\nmax_body = 100000")
    number = free_port()
    with serving(["test.sqlite"], tmp_path, port=number), connected(number, receive_buffer=4_096) as client:
        client.sendall(post(LARGE) * 90)  # one after the other: what it has not read grows all the time
        time.sleep(3)

        assert [response(client)[0] for _ in range(90)] == [200] * 90


@pytest.fixture
def in_process(sqlite: Backend, start: Serve) -> Iterator[int]:
    """A server of this process, in a thread; its port."""
    sqlite.run(SCRIPT)
    api = start(sqlite)
    server = make_server(make_app(api.service, api.settings), api.settings)
    server.capture_signals = nullcontext  # type: ignore[assignment]  # they are the main thread's
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield number
        server.should_exit = True
        thread.join()


def test_bodies_that_are_not_answered_yet_are_bounded_in_all(in_process: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "_MOST_HELD", 200_000)
    rest = b" " * 30_000
    with connected(in_process) as first, connected(in_process) as second:
        first.sendall(post(b" " * 120_000, length=150_000))
        time.sleep(0.5)  # until the server has it: it does not answer yet
        second.sendall(post(b" " * 120_000, length=150_000))
        status, headers, body = response(second)
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert decoded(body)["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
        with connected(in_process) as small:
            small.sendall(post(ONE))
            assert response(small)[0] == 200

        first.sendall(rest)
        assert response(first)[0] == 400  # it has no JSON
    with connected(in_process) as third:
        third.sendall(post(b" " * 120_000, length=150_000) + rest)
        assert response(third)[0] == 400, "nothing is held any more"


def test_connections_that_wait_together_are_accepted_together(in_process: int, monkeypatch: pytest.MonkeyPatch):
    """Not one in each turn of the event loop, as uvloop does."""
    made: list[int] = []  # in which turn
    loops: list[asyncio.AbstractEventLoop] = []
    turns = 0
    connection_made = protocol.Connection.connection_made

    def noted(connection: protocol.Connection, transport: asyncio.Transport) -> None:
        made.append(turns)
        loops.append(connection.loop)
        connection_made(connection, transport)

    def count() -> None:
        nonlocal turns
        turns += 1
        if len(made) < 101:
            loops[0].call_soon(count)

    monkeypatch.setattr(protocol.Connection, "connection_made", noted)
    with ExitStack() as stack:
        first = stack.enter_context(connected(in_process))
        first.sendall(ALIVE)
        assert response(first)[0] == 200
        loops[0].call_soon_threadsafe(count)
        loops[0].call_soon_threadsafe(time.sleep, 0.5)  # nothing is accepted meanwhile
        clients = [stack.enter_context(connected(in_process)) for _ in range(100)]
        for client in clients:
            client.sendall(ALIVE)
        assert [response(client)[0] for client in clients] == [200] * 100
    assert made[-1] - made[1] < 50


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux shows what a socket holds")
def test_the_kernel_holds_little_of_an_answer_that_is_not_read(sqlite: Backend, in_process: int):
    sqlite.run("""UPDATE "Album" SET "Title" = printf('%.*c', 4000000, 'x')""")
    with connected(in_process, receive_buffer=4_096) as client:
        client.sendall(post(ONE))
        time.sleep(1.0)
        assert 0 < unsent(in_process, client.getsockname()[1]) < 500_000
        assert decoded(response(client)[2]) == {"data": {"album": {"title": "x" * 4_000_000}}}


def unsent(port: int, client: int) -> int:
    """Return how many bytes the kernel holds of what a server sent to a client, by their ports (proc_net_tcp)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    (queues,) = (
        queues
        for _, here, there, _, queues, *_ in lines
        if here.endswith(f":{port:04X}") and there.endswith(f":{client:04X}")
    )
    return int(queues.split(":")[0], 16)


def test_headers_have_a_limit(port: int):
    with connected(port) as client:
        client.sendall(ALIVE.replace(b"\r\n\r\n", b"\r\nX-Much: " + b"x" * 80_000 + b"\r\n\r\n"))
        status, _, message = refusal(client)
        assert status == 431
        assert "65536 bytes" in message
    with connected(port) as client:
        client.sendall(ALIVE.replace(b"\r\n\r\n", b"\r\nX-Much: " + b"x" * 50_000 + b"\r\n\r\n"))
        assert response(client)[0] == 200


def test_what_is_no_http_is_refused(port: int):
    with connected(port) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")

        assert refusal(client) == (400, "BAD_REQUEST", "The request is not valid HTTP.")


def test_pipelined_requests_are_answered_in_their_order_and_bounded(port: int):
    with connected(port) as client:
        client.sendall(ALIVE + post(ONE) + ALIVE)
        assert response(client)[2] == b"ok"
        assert decoded(response(client)[2])["data"]["album"]
        assert response(client)[2] == b"ok"

        client.sendall(ALIVE * 1_000)
        read = until_closed(client)

    assert 50 < read.count(b"HTTP/1.1 200 OK") < 1_000
    assert read.endswith(b"\r\n\r\nok")
    assert read.count(b"connection: close") == 1


def test_what_follows_a_request_and_is_no_http_does_not_spoil_its_response(port: int):
    with connected(port) as client:
        client.sendall(post(ONE) + b"\x00garbage")

        assert decoded(response(client)[2])["data"]["album"]
        assert until_closed(client) == b""


def test_a_request_that_would_upgrade_is_answered_as_it_is(port: int):
    upgrade = b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    with connected(port) as client:
        client.sendall(ALIVE.replace(b"\r\n\r\n", upgrade) + ALIVE)

        assert [response(client)[2] for _ in range(2)] == [b"ok", b"ok"]


def test_connections_that_idle_make_room_for_others_the_longest_first(port: int):
    time.sleep(2)  # those of other tests have gone
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(port)) for _ in range(30)]
        for client in clients:
            client.sendall(ALIVE)
            assert response(client)[0] == 200
        for client in clients[:5]:  # these idle for a shorter time than the others
            client.sendall(ALIVE)
            assert response(client)[0] == 200
        late = [stack.enter_context(connected(port)) for _ in range(20)]
        for client in late:
            client.sendall(ALIVE)
            assert response(client)[0] == 200

        assert [is_open(each) for each in clients] == [True] * 5 + [False] * 20 + [True] * 5


def test_where_all_are_at_work_a_new_connection_is_refused(port: int):
    time.sleep(2)  # those of other tests have gone
    with ExitStack() as stack:
        for _ in range(30):
            client = stack.enter_context(connected(port))
            client.sendall(post(b"{", length=50_000))
        time.sleep(0.5)
        client = stack.enter_context(connected(port))
        client.sendall(ALIVE)

        assert refusal(client)[:2] == (503, "UNAVAILABLE")
    with connected(port) as client:
        time.sleep(0.5)
        client.sendall(ALIVE)
        assert response(client)[0] == 200
