"""500 slow sockets and 2,000 idle ones in front of one server: when they end, and what others notice.

    .venv/bin/python -m tests.scale.slow_clients

Three kinds of slow ones, in equal parts: a byte of the headers a second, a byte of the body a second, and a large response
that is not read. Others send a small query, one after the other, each on a connection that they keep.
"""

import argparse
import http.client
import json
import selectors
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.harness import sqlite_backend
from tests.music import SCRIPT
from tests.program import Program, free_port, serving
from tests.sockets import ALIVE, post

QUERY = json.dumps({"query": "{ album(albumId: 1) { title } }"})
LARGE = b'{"query": "{ %s }"}' % b" ".join(b"t%d: tracks { nodes { path etag name composer } }" % n for n in range(90))
HEAD = ALIVE[:20] + b"X-Slow: " + b"x" * 1_000
BODY_HEAD, BODY = post(b"", length=1_000), b"x" * 1_000


class Others:
    """Clients that work as ever."""

    def __init__(self, port: int, clients: int) -> None:
        self.port, self.times, self.failed = port, list[tuple[float, float]](), 0
        self._ends = False
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for each in self._threads:
            each.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self._ends:
            begun = time.monotonic()
            try:
                connection.request("POST", "/graphql", QUERY, {"Content-Type": "application/json"})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                self.failed += 1
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.times.append((begun, time.monotonic() - begun))
            time.sleep(0.02)

    def between(self, begun: float, ended: float) -> str:
        """Tell how long requests of that time took."""
        times = sorted(took for at, took in self.times if begun <= at < ended)
        return f"p50 {times[len(times) // 2] * 1e3:.1f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.1f} ms of {len(times)}"

    def stop(self) -> None:
        self._ends = True
        for each in self._threads:
            each.join()


def connect(port: int, receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    return client


def slow(port: int, count: int, seconds: float) -> str:
    """Run the slow clients; tell when each kind had ended."""
    clients: dict[socket.socket, tuple[str, bytes]] = {}
    for number in range(count):
        kind = ("headers", "body", "unread")[number % 3]
        client = connect(port, 4_096 if kind == "unread" else None)
        if kind == "unread":
            client.sendall(post(LARGE) * 20)
        elif kind == "body":
            client.sendall(BODY_HEAD)
        client.setblocking(False)
        clients[client] = (kind, {"headers": HEAD, "body": BODY, "unread": b""}[kind])
    begun = time.monotonic()
    ended: dict[str, list[float]] = {"headers": [], "body": [], "unread": []}
    poll = selectors.DefaultSelector()
    for client, (kind, _) in clients.items():
        # A client that does not read learns of its end by the reset alone.
        poll.register(client, 0 if kind == "unread" else selectors.EVENT_READ) if kind != "unread" else None
    sent = 0
    while clients and time.monotonic() - begun < seconds:
        for key, _ in poll.select(1.0):
            told = clients.pop(key.fileobj)[0]  # type: ignore[call-overload]  # a socket
            ended[told].append(time.monotonic() - begun)
            poll.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]  # the same
        if time.monotonic() - begun < sent:
            continue
        sent += 1
        for client, (kind, data) in list(clients.items()):
            if kind == "unread":
                if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _state(client) != "ESTABLISHED":
                    ended[kind].append(time.monotonic() - begun)
                    del clients[client]
                    client.close()
            else:
                with suppress(OSError):
                    client.send(data[sent : sent + 1])
    left = len(clients)
    for client in clients:
        client.close()
    return (
        "; ".join(
            f"{kind}: {len(times)} ended after {min(times, default=0):.1f} to {max(times, default=0):.1f} s"
            for kind, times in ended.items()
        )
        + f"; {left} left after {time.monotonic() - begun:.0f} s"
    )


def _state(client: socket.socket) -> str:
    """Say the state of a connection (tcp(7), TCP_INFO)."""
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return "ESTABLISHED" if state == 1 else str(state)


def open_sockets(program: Program) -> int:
    return sum(1 for each in Path(f"/proc/{program.process.pid}/fd").iterdir() if _is_socket(each))


def _is_socket(path: Path) -> bool:
    try:
        return path.readlink().name.startswith("socket:")
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--idle", type=int, default=2_000)
    parser.add_argument("--others", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    import resource  # noqa: PLC0415

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partwise-slow-")))
        sqlite_backend(folder).run(SCRIPT)
        port = free_port()
        program = stack.enter_context(serving(["test.sqlite"], folder, port=port))
        others = Others(port, arguments.others)
        time.sleep(2)
        begun = time.monotonic()
        time.sleep(10)
        alone = time.monotonic()
        told = slow(port, arguments.slow, arguments.seconds)
        with_slow = time.monotonic()
        idle = [connect(port) for _ in range(arguments.idle)]
        most = open_sockets(program)
        time.sleep(3)
        later = time.monotonic()
        others.stop()
        for each in idle:
            each.close()
        sys.stdout.write(
            f"{arguments.slow} slow: {told}\n{arguments.idle} idle: {most} sockets open in the server\n"
            f"others alone: {others.between(begun, alone)}\nwith the slow ones: {others.between(alone, with_slow)}\n"
            f"with the idle ones: {others.between(with_slow, later)}\nfailed: {others.failed}\n"
        )


if __name__ == "__main__":
    main()
