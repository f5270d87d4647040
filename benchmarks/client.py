"""An HTTP client with as little overhead as possible: one blocking connection, or many that keep a server busy."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self, cast

HOST = "127.0.0.1"
_PATIENCE = 120.0  # seconds
_CHUNK = 1 << 20  # bytes
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes


def to_request(port: int, path: str, body: bytes) -> bytes:
    """Return a request that keeps the connection open."""
    head = f"POST {path} HTTP/1.1\r\nhost: {HOST}:{port}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection:
    """A connection that sends a request and waits for the whole response."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=_PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> Answer:
        """Send a request and return the response, once its last byte is received. Raises `ConnectionError`."""
        self._socket.sendall(request)
        received = bytearray()
        while (size := _size(received)) is None or len(received) < size:
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise ConnectionError("The server closed the connection.")
            received += chunk
        head, _, body = bytes(received).partition(_END_OF_HEAD)
        return Answer(status=int(head.split(b" ", 2)[1]), body=body)


def _size(received: bytearray) -> int | None:
    """Return the length of the whole response; None if its head was not received yet."""
    end = received.find(_END_OF_HEAD)
    if end < 0:
        return None
    start = received.lower().find(_LENGTH, 0, end) + len(_LENGTH)
    return end + len(_END_OF_HEAD) + int(received[start : received.find(b"\r", start)])


async def load(port: int, callers: Sequence[Callable[[], bytes]], expected: bytes, seconds: float) -> tuple[int, float]:
    """Send requests from all callers for `seconds`, each one after the response to the one before it.

    Returns the number of responses and the seconds until the last one. Raises `ConnectionError` if a response does not
    contain the expected text.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    connected = [
        await loop.create_connection(partial(_Caller, to_request, expected, start + seconds), HOST, port)
        for to_request in callers
    ]
    try:
        async with asyncio.timeout(seconds + _PATIENCE):
            counts = await asyncio.gather(*(caller.done for _, caller in connected))
        return sum(counts), loop.time() - start
    finally:
        for transport, _ in connected:
            transport.close()


class _Caller(asyncio.Protocol):
    """One connection of a load."""

    def __init__(self, to_request: Callable[[], bytes], expected: bytes, end: float) -> None:
        self._to_request, self._expected, self._end = to_request, expected, end
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._count = 0
        self.done: asyncio.Future[int] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transports are not instances of this class.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(self._to_request())

    def data_received(self, data: bytes) -> None:
        """Send the next request if the whole response was received."""
        self._received += data
        size = _size(self._received)
        if size is None or len(self._received) < size:
            return
        if self._expected not in self._received:
            self._fail(bytes(self._received[:500]).decode(errors="replace"))
            return
        self._received.clear()
        self._count += 1
        if self._loop.time() < self._end:
            self._transport.write(self._to_request())
        else:
            self.done.set_result(self._count)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, if more responses were expected."""
        self._fail(f"The server closed the connection: {error}.")

    def _fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(reason))
