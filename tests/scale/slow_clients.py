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
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from partwise.server import pages
from tests.support.harness import sqlite_backend
from tests.support.music import SCRIPT
from tests.support.program import Program, free_port, serving
from tests.support.sockets import ALIVE, post

QUERY = json.dumps({"query": "{ album(albumId: 1) { title } }"})
_PAGE = pages.STATIC / "page"
LARGEST = max(_PAGE.iterdir(), key=lambda path: path.stat().st_size).name  # to read a file costs the server little
LARGE = ALIVE.replace(b"/livez", f"/page/{LARGEST}".encode()) * 2
HEAD = ALIVE[:20] + b"X-Slow: " + b"x" * 1_000
BODY_HEAD, BODY = post(b"", length=1_000), b"x" * 1_000


class Others:
    """Clients that work as ever, in a process of their own."""

    def __init__(self, port: int, clients: int) -> None:
        command = [sys.executable, "-m", "tests.scale.slow_clients", "--work", f"{port}:{clients}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.times: list[tuple[float, float]] = []
        self.failed = 0

    def between(self, begun: float, ended: float) -> str:
        """Tell how long requests of that time took."""
        times = sorted(took for at, took in self.times if begun <= at < ended)
        return f"p50 {times[len(times) // 2] * 1e3:.1f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.1f} ms of {len(times)}"

    def stop(self) -> None:
        told, _ = self._process.communicate()
        self.times, self.failed = json.loads(told)


def work(port: int, clients: int) -> None:
    """Send requests until standard input ends; print when each began and how long it took, and how many failed."""
    times: list[tuple[float, float]] = []
    failed: list[str] = []
    ends = threading.Event()

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not ends.wait(0.02):
            begun = time.monotonic()
            try:
                connection.request("POST", "/graphql", QUERY, {"Content-Type": "application/json"})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                failed.append(type(error).__name__)
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            times.append((begun, time.monotonic() - begun))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for each in threads:
        each.start()
    sys.stdin.read()
    ends.set()
    for each in threads:
        each.join()
    sys.stdout.write(json.dumps([times, len(failed)]))


def connect(port: int, receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    return client


def slow(port: int, count: int, begin: float, seconds: float) -> str:
    """Run the slow clients, which begin one after the other in so many seconds; tell when each kind had ended."""
    clients: dict[socket.socket, tuple[str, bytes]] = {}
    since: dict[socket.socket, float] = {}
    for number in range(count):
        kind = ("headers", "body", "unread")[number % 3]
        client = connect(port, 4_096 if kind == "unread" else None)
        if kind == "unread":
            client.sendall(LARGE)
        elif kind == "body":
            client.sendall(BODY_HEAD)
        client.setblocking(False)
        clients[client] = (kind, {"headers": HEAD, "body": BODY, "unread": b""}[kind])
        since[client] = time.monotonic()
        time.sleep(begin / count)
    begun = time.monotonic()
    ended: dict[str, list[float]] = {"headers": [], "body": [], "unread": []}
    poll = selectors.DefaultSelector()
    for client, (kind, _) in clients.items():
        if kind != "unread":  # one that does not read learns of its end by the state of the connection
            poll.register(client, selectors.EVENT_READ)
    sent = 0
    while clients and time.monotonic() - begun < seconds:
        for key, _ in poll.select(1.0):
            told = clients.pop(key.fileobj)[0]  # type: ignore[call-overload]  # a socket
            ended[told].append(time.monotonic() - since[key.fileobj])  # type: ignore[index]  # the same
            poll.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]  # the same
        if time.monotonic() - begun < sent:
            continue
        sent += 1
        for client, (kind, data) in list(clients.items()):
            if kind == "unread":
                if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _state(client) != "ESTABLISHED":
                    ended[kind].append(time.monotonic() - since[client])
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
    parser.add_argument("--begin", type=float, default=3.0, help="seconds in which the slow ones begin")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        port, _, clients = arguments.work.partition(":")
        work(int(port), int(clients))
        return
    import resource  # noqa: PLC0415

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partwise-slow-")))
        sqlite_backend(folder).run(SCRIPT)
        port = free_port()
        program = stack.enter_context(serving(["test.sqlite"], folder, port=port))
        others = Others(port, arguments.others)
        time.sleep(5)
        begun = time.monotonic()
        time.sleep(10)
        alone = time.monotonic()
        told = slow(port, arguments.slow, arguments.begin, arguments.seconds)
        with_slow = time.monotonic()
        idle = [connect(port) for _ in range(arguments.idle)]
        most = 0
        for _ in range(15):
            time.sleep(0.2)
            most = max(most, open_sockets(program))
        later = time.monotonic()
        others.stop()
        for each in idle:
            each.close()
        sys.stdout.write(
            f"{arguments.slow} slow: {told}\n{arguments.idle} idle: {most} sockets open in the server at most\n"
            f"others alone: {others.between(begun, alone)}\nwith the slow ones: {others.between(alone, with_slow)}\n"
            f"with the idle ones: {others.between(with_slow, later)}\nfailed: {others.failed}\n"
        )


if __name__ == "__main__":
    main()
