"""A proxy in front of PostgreSQL whose network swallows packets: connections stay open, and nothing arrives any more."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from tests.support.harness import Backend

Rule = Callable[[bytes], str]
"""What happens to bytes on their way to the server: "pass", "drop" (they and all that follows), "mute" (the answers do not come back)."""


def passes(_sent: bytes) -> str:
    """Let everything pass."""
    return "pass"


def drops_first(word: bytes) -> Rule:
    """Drop what has the word first; whatever comes later passes."""
    left = [word]
    return lambda sent: "drop" if left and word in sent and left.pop() else "pass"


class Proxy:
    """Hands connections on, and swallows what its rule says."""

    def __init__(self, url: sa.URL) -> None:
        self.rule: Rule = passes
        self.accepts = True  # whether new connections are handed on
        self._url = url
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self._open.append(client)
                if self.accepts:
                    server = self._connect()
                    self._open.append(server)
                    muted = threading.Event()
                    for copy in (self._to_server, self._to_client):
                        threading.Thread(target=copy, args=(client, server, muted), daemon=True).start()

    def _connect(self) -> socket.socket:
        folder = self._url.query.get("host")
        port = self._url.port or 5432
        if isinstance(folder, str) and folder.startswith("/"):
            found = socket.socket(socket.AF_UNIX)
            found.connect(f"{folder}/.s.PGSQL.{port}")
            return found
        return socket.create_connection((self._url.host or "127.0.0.1", port))

    def _to_server(self, client: socket.socket, server: socket.socket, muted: threading.Event) -> None:
        is_lost = False
        with suppress(OSError):
            while sent := client.recv(65_536):
                match "drop" if is_lost else self.rule(sent):
                    case "drop":
                        is_lost = True
                        muted.set()
                        continue
                    case "mute":
                        muted.set()
                server.sendall(sent)
            if not is_lost:
                server.shutdown(socket.SHUT_WR)

    def _to_client(self, client: socket.socket, server: socket.socket, muted: threading.Event) -> None:
        with suppress(OSError):
            while answered := server.recv(65_536):
                if not muted.is_set():
                    client.sendall(answered)
            if not muted.is_set():
                client.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close everything."""
        for each in (self._socket, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def swallowing(backend: Backend) -> Iterator[tuple[Backend, Proxy]]:
    """The same database, through such a network."""
    url = sa.make_url(backend.url)
    proxy = Proxy(url)
    query = {name: value for name, value in url.query.items() if name not in {"host", "port"}}
    through = url.set(host="127.0.0.1", port=proxy.port, query={**query, "gssencmode": "disable", "sslmode": "disable"})
    try:
        yield Backend("postgresql", through.render_as_string(hide_password=False)), proxy
    finally:
        proxy.close()
