"""Clients that speak HTTP over a socket byte by byte: slowly, wrongly, or not at all."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

ALIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def connected(port: int, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """Connect to a server on this machine until the block ends."""
    with socket.socket() as found:
        if receive_buffer is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        found.settimeout(30)
        found.connect(("127.0.0.1", port))
        yield found


def post(body: bytes, path: str = "/graphql", length: int | None = None, more: str = "") -> bytes:
    """Write a request; `length` is what it announces."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def response(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one response whose length is announced: status, headers, body."""
    read = b""
    while b"\r\n\r\n" not in read:
        chunk = client.recv(1)  # no byte of the next response
        if not chunk:
            raise EOFError(read)
        read += chunk
    status, *lines = read.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b""
    while len(body) < int(headers["content-length"]):
        body += client.recv(int(headers["content-length"]) - len(body))
    return int(status.split()[1]), headers, body


def refusal(client: socket.socket) -> tuple[int, str, str]:
    """Read a response that closes its connection: status, code, message."""
    status, headers, body = response(client)
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"
    ((error,),) = json.loads(body).values()
    assert until_closed(client) == b""
    return status, error["extensions"]["code"], error["message"]


def until_closed(client: socket.socket) -> bytes:
    """Read until the server closes the connection, or cuts it."""
    read = b""
    with suppress(ConnectionResetError, BrokenPipeError):
        while chunk := client.recv(65_536):
            read += chunk
    return read


def is_open(client: socket.socket) -> bool:
    """Return True if the server has neither closed nor cut the connection."""
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        client.settimeout(30)


def drip(client: socket.socket, data: bytes, *, every: float, size: int = 1) -> float:
    """Send bytes slowly, until the server closes the connection or answers; return the seconds until then."""
    begun = time.monotonic()
    client.settimeout(every)
    with suppress(ConnectionResetError, BrokenPipeError):
        for start in range(0, len(data), size):
            client.sendall(data[start : start + size])
            with suppress(TimeoutError):
                client.recv(1, socket.MSG_PEEK)
                break
    client.settimeout(30)
    return time.monotonic() - begun


def decoded(body: bytes) -> Any:
    """Decode a response's body."""
    return json.loads(body)
