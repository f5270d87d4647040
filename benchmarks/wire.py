"""A proxy between a client and PostgreSQL that counts the round trips."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from benchmarks.client import HOST

_CHUNK = 1 << 16  # bytes


class Proxy:
    """Forwards data in both directions. A round trip begins when the client sends after the server has sent."""

    def __init__(self, listener: socket.socket, server: sa.URL) -> None:
        self.round_trips = 0
        self._listener = listener
        self._server = server
        self.url = server.set(host=HOST, port=listener.getsockname()[1], query={})

    def accept(self) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                conversation = _Conversation(self, client, server)
                threading.Thread(target=conversation.listen_to_client, daemon=True).start()
                threading.Thread(target=conversation.listen_to_server, daemon=True).start()

    def _connect(self) -> socket.socket:
        host = self._server.host or str(self._server.query.get("host", HOST))
        port = self._server.port or 5432
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server


class _Conversation:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._client_spoke_last = False

    def listen_to_client(self) -> None:
        """Forward the client's data, and count round trips."""
        with suppress(OSError):
            while said := self._client.recv(_CHUNK):
                if not self._client_spoke_last:
                    self._client_spoke_last = True
                    self._proxy.round_trips += 1
                self._server.sendall(said)
        self._close()

    def listen_to_server(self) -> None:
        """Forward the server's data."""
        with suppress(OSError):
            while said := self._server.recv(_CHUNK):
                self._client_spoke_last = False
                self._client.sendall(said)
        self._close()

    def _close(self) -> None:
        for side in (self._client, self._server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


@contextmanager
def counting(server: sa.URL) -> Iterator[Proxy]:
    """Run a proxy in front of a server until the block ends."""
    with socket.create_server((HOST, 0)) as listener:
        proxy = Proxy(listener, server)
        threading.Thread(target=proxy.accept, daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
