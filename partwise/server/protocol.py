"""HTTP connections: uvicorn's, with timeouts, a minimum data rate, a limit on their number, and draining.

A connection is idle, receives a head, receives a body, or has received the whole request. One sweep per second examines
all connections (`Sockets.sweep`), so that requests do not need timers of their own.
"""

import asyncio
import os
import select
import socket
import struct
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from partwise.server.turns import Turns
from storage.json_text import encode_json_bytes
from storage.log import note

if sys.platform == "linux":
    import fcntl
    import termios

_MOST_HEAD = 65_536  # bytes of request line and headers; the defaults of nginx and haproxy are 32 KiB and 16 KiB
_MOST_PIPELINED = 100  # requests of one connection that wait for the one before them
_SLACK = 100  # connections beyond the limit that receive a 503 response; any more are closed without one
_MOST_HELD = 512 << 20  # bytes of the bodies of all unfinished requests
_SMALL = 64 << 10  # bytes; a body up to this size is never rejected because of the others
_LINGER = 2.0  # seconds in which a client may continue to send after its request was rejected, to read the response
_FRESH = 1.0  # seconds in which a new connection may send its first request while the server stops
_EXAMINED = 16  # maximum number of idle connections that are examined to close one in favor of a new one


# The stages of a connection. They are plain integers, because each header of each request is compared with one of them.
_NOTHING = 0  # no request has begun, or it was received completely
_HEAD = 1
_BODY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """The limits on the time that clients take and the resources that they occupy."""

    header_timeout: float  # seconds for a head, and from the connection to its first request
    body_timeout: float  # seconds in which `min_data_rate` is measured
    min_data_rate: float  # bytes per second of a body that is sent, and of a response that is read
    idle_timeout: float  # seconds between two requests
    max_connections: int
    max_body: int  # bytes

    @property
    def least(self) -> float:
        """The minimum number of bytes to transfer in `body_timeout`."""
        return self.body_timeout * self.min_data_rate


class _Refused(Exception):  # it carries the response
    """A request that is rejected before it reaches the application."""

    def __init__(self, status: int, message: str, reason: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

    @property
    def is_busy(self) -> bool:
        """Return True if the server is overloaded, so that the request may be sent again."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE


class Sockets:
    """The connections of one server."""

    def __init__(self, limits: SocketLimits) -> None:
        self.limits = limits
        self.draining = False  # True if each response has `Connection: close`
        self.idle: OrderedDict[Connection, None] = OrderedDict()  # the longest idle first
        self.held = 0  # bytes of the bodies of unfinished requests
        self.closed: Counter[str] = Counter()  # by reason, since the last sweep
        # Accepts the connections that wait behind a new one, because uvloop accepts one per iteration of the event
        # loop. In overload an iteration takes 40 ms, and hundreds would wait for seconds before they are rejected.
        self.accept_more: Callable[[], object] = lambda: None

    def make_room(self, connections: set[Any]) -> bool:
        """Close the connection that has been idle longest, if there are too many connections.

        Return False if there are too many and none can be closed.
        """
        if len(connections) <= self.limits.max_connections:
            return True
        for connection in list(islice(self.idle, _EXAMINED)):
            if connection.is_quiet():
                self.closed["evicted"] += 1
                connections.discard(connection)
                connection.drop()
                return True
        return False

    def sweep(self, connections: set[Any], now: float) -> None:
        """Close the connections that take too long, and log their number."""
        for connection in list(connections):
            connection.examine(now)
        if self.closed:
            message = "Connections were closed because clients were slow or sent requests that are not allowed."
            note("connections_closed", message, **self.closed)
            self.closed.clear()


class Config(uvicorn.Config):
    """uvicorn's configuration, with the connections of this server."""

    def __init__(self, app: Any, sockets: Sockets, **options: Any) -> None:
        super().__init__(app, http=Connection, ws="none", **options)
        self.sockets = sockets


class _Transport(asyncio.Transport):
    """The transport that uvicorn uses. Closing it may be delayed (`Connection.close`)."""

    def __init__(self, connection: "Connection", transport: asyncio.Transport) -> None:
        super().__init__()
        self._connection, self._transport = connection, transport
        self.write = transport.write  # type: ignore[method-assign]  # the hot path: without an extra call
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]  # the same
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]  # the same
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]  # the same

    def close(self) -> None:
        """Close the connection after the client has had time to read the response."""
        self._connection.close()

    def is_closing(self) -> bool:
        """Return True if no further request is processed."""
        return self._connection.lingers or self._transport.is_closing()


class Connection(HttpToolsProtocol):
    """One client's connection."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, Config)  # noqa: S101  # our server creates no other class
        self._sockets = config.sockets
        self._real: asyncio.Transport = None  # type: ignore[assignment]  # set by `connection_made`
        self._stage = _NOTHING
        self._since = 0.0  # when the stage or the current window of the body began, in seconds of the loop's clock
        self._is_fresh = True  # no request has begun yet
        self._is_deaf = False  # True if received data is ignored
        self._chunk = 0  # bytes of the chunk that is being parsed
        self._head = 0  # bytes of the head in earlier chunks
        self._announced = 0  # bytes according to Content-Length
        self._body = 0  # bytes of the body received so far
        self._body_then = 0  # bytes of the body when the current window began
        self._held = 0  # bytes of the bodies of unfinished requests
        self._may_be_unsent = False  # True if there is a response that the client may not have read
        self._unsent = 0  # bytes that the client had not read when the window began; 0 if there is no window
        self._unsent_since = 0.0
        self.lingers = False  # True if our side is closed, while the client may still send
        self._until = 0.0  # when lingering ends

    # Callbacks of asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Register a new connection; reject it if there are too many."""
        self._real = transport
        super().connection_made(_Transport(self, transport))
        self._since = self.loop.time()
        self._sockets.accept_more()
        if self._sockets.make_room(self.connections):
            self._sockets.idle[self] = None
        elif len(self.connections) > self._sockets.limits.max_connections + _SLACK:
            self._cut("refused")
        else:
            self._stage = _HEAD  # its request may have arrived already
            self._is_deaf = True
            self._respond(_Refused(503, "The server has too many connections. Try again later.", "refused"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection from the bookkeeping."""
        self._sockets.idle.pop(self, None)
        self._let_go()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received data."""
        if self._is_deaf or self._is_refused(data):
            return
        self._chunk = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:  # to an unsupported protocol: the request is an ordinary one
            rest = data[upgrade.args[0] :]
            if rest:
                self.data_received(rest)
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            malformed = _Refused(400, "The request is not valid HTTP.", "malformed")
            self._refuse(cause if isinstance(cause, _Refused) else malformed)
            return
        if self._stage == _HEAD:
            self._head += len(data)
            if self._head > _MOST_HEAD:
                self._refuse(_head_too_large())

    def _is_refused(self, data: bytes) -> bool:
        """Reject a request before it is parsed, if the server is busy. Return True if it was rejected."""
        turns: Turns | None = self.app_state.get("turns")
        if turns is None or turns.is_calm or self._stage != _NOTHING or self._is_answering() or self.flow.write_paused:
            return False
        response = None if self._sockets.draining else turns.refuse_unparsed(data)
        if response is None:
            return False
        self._real.write(response)
        self._is_fresh, self._may_be_unsent = False, True
        self._unsent = 0  # a new window
        self._sockets.idle.pop(self, None)
        self._become_idle()
        return True

    def resume_writing(self) -> None:
        """Resume the application's writes, because the client has read the data sent so far."""
        self._unsent = 0  # a new window
        super().resume_writing()

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """Start a request."""
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise _Refused(400, "Too many requests wait for a response.", "pipelined")
        super().on_message_begin()
        if self._is_fresh:  # the header timeout began with the connection
            self._is_fresh = False
        else:
            self._since = self.loop.time()
        self._sockets.idle.pop(self, None)
        self._stage = _HEAD
        self._head = self._announced = self._unsent = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header."""
        if self._stage != _HEAD:  # a trailer, which is ignored
            return
        name = name.lower()
        if name == b"content-length":
            self._announced = int(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass the request to the application, or to the one that rejects bodies that are too large."""
        if self._head + self._chunk > _MOST_HEAD and self._head_length() > _MOST_HEAD:
            raise _head_too_large()
        is_too_large = self._announced > self._sockets.limits.max_body
        if is_too_large:
            self._sockets.closed["too_large"] += 1
            self.app = self.app_state["too_large"]  # its response passes through the middleware (app.py)
        super().on_headers_complete()
        if is_too_large or self._sockets.draining:
            self.cycle.keep_alive = False
        self._stage = _BODY
        self._since = self.loop.time()
        self._body = self._body_then = 0

    def on_body(self, body: bytes) -> None:
        """Store a chunk of the body."""
        self._body += len(body)
        if self.cycle.response_complete:
            if self._body > self._sockets.limits.max_body:  # the body is not read, and does not end
                self.transport.close()
            return
        cycle = self.cycle
        self._held += len(body)
        self._sockets.held += len(body)
        if self._sockets.held > _MOST_HELD and self._body > _SMALL:
            raise _Refused(503, "The server has too many large requests. Try again later.", "too_much")
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Complete the request."""
        self._stage = _NOTHING
        cycle = self.cycle
        if cycle.response_complete:
            self._become_idle()
            return
        cycle.more_body = False
        cycle.message_event.set()

    # Callback of the application's response

    def on_response_complete(self) -> None:
        """Start the next request, if it was received already."""
        self.server_state.total_requests += 1
        self._may_be_unsent = True
        self._let_go()
        if self.lingers or self._real.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            task = self.loop.create_task(cycle.run_asgi(app))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)
        elif self._stage == _NOTHING:
            self._become_idle()
        elif self._stage == _HEAD:
            self._since = self.loop.time()  # the header timeout of the next request begins with the response
        elif self.expect_100_continue:  # the client was not told to send the body: it may send the next request
            self.transport.close()

    # Called by the sweep and by the server

    def examine(self, now: float) -> None:
        """Close the connection if it takes too long."""
        limits = self._sockets.limits
        if self.lingers:
            if now >= self._until:
                self._real.abort()
        elif (self._may_be_unsent or self._is_answering()) and not self._reads_its_response(now):
            self._cut("slow_reader")
        elif self._stage == _BODY:
            self._examine_body(now)
        elif self._stage == _HEAD:
            if now - self._since >= limits.header_timeout and not self._is_answering():
                self._refuse(_Refused(408, "The request's headers did not arrive in time.", "slow_head"))
        elif not self._is_answering():
            limit = limits.header_timeout if self._is_fresh else limits.idle_timeout
            if now - self._since >= limit and self.is_quiet():
                self.drop()

    def announce_close(self) -> None:
        """Close the connection after the response to the current request."""
        if self._is_answering():
            self.cycle.keep_alive = False

    def stop(self, now: float) -> None:
        """Close the connection, if it has no request and none is arriving; otherwise close it after the response."""
        is_new = self._is_fresh and now - self._since < _FRESH
        if self._is_answering():
            self.cycle.keep_alive = False
        elif self._stage == _BODY:
            self.transport.close()
        elif self._stage == _NOTHING and not is_new and self.is_quiet():
            self.drop()

    def cut(self) -> None:
        """Close the connection at once and discard the data in the kernel's send buffer (socket(7), SO_LINGER)."""
        pseudo = self._real.get_extra_info("socket")
        with suppress(OSError), socket.socket(fileno=os.dup(pseudo.fileno())) as copy:  # uvloop's has no setsockopt
            copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._real.abort()

    def is_quiet(self) -> bool:
        """Return True if no received data is unread. Otherwise closing the connection now would lose a request."""
        if self._real.is_closing() or sys.platform == "win32":
            return True
        poll = select.poll()
        poll.register(self._real.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def drop(self) -> None:
        """Close the connection, and discard data that the client has not read."""
        self._sockets.idle.pop(self, None)
        if self._real.get_write_buffer_size():
            self.cut()
        else:
            self._real.close()

    def close(self) -> None:
        """Close the connection. If the client still sends, first give it time to read the response.

        See RFC 9112, section 9.6.
        """
        if self.lingers:
            return
        if self._stage == _NOTHING:
            self._real.close()
            return
        self.lingers = self._is_deaf = True
        self._until = self.loop.time() + _LINGER
        self._sockets.idle.pop(self, None)
        if not self._real.is_closing():
            self._real.write_eof()
            self.flow.resume_reading()

    def _let_go(self) -> None:
        self._sockets.held -= self._held
        self._held = 0

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _become_idle(self) -> None:
        self._since = self.loop.time()
        self._sockets.idle[self] = None

    def _examine_body(self, now: float) -> None:
        limits = self._sockets.limits
        if self.flow.read_paused:  # the server itself does not read
            self._since, self._body_then = now, self._body
        elif now - self._since >= limits.body_timeout:
            if self._body - self._body_then < limits.least:
                self._refuse(_Refused(408, "The request's body arrives too slowly.", "slow_body"))
            self._since, self._body_then = now, self._body

    def _reads_its_response(self, now: float) -> bool:
        """Return True if the client reads the response at the minimum rate."""
        limits = self._sockets.limits
        unsent = _unsent_bytes(self._real)
        if unsent == 0:
            self._may_be_unsent, self._unsent = False, 0
            return True
        if self._unsent == 0:
            self._unsent, self._unsent_since = unsent, now
            return True
        if now - self._unsent_since < limits.body_timeout:
            return True
        read, self._unsent, self._unsent_since = self._unsent - unsent, unsent, now
        return limits.least == 0 or read >= limits.least

    def _head_length(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self, refused: _Refused) -> None:
        """Reject the request that is being received. Requests before it are completed."""
        self._is_deaf = True
        if not self._is_answering():
            if self._stage == _BODY:  # its response was sent already
                self._cut(refused.reason)
            else:
                self._stage = _HEAD
                self._respond(refused)
        elif self._stage != _BODY:
            self._sockets.closed[refused.reason] += 1
            self._stage = _HEAD
            self.cycle.keep_alive = False
        elif self.pipeline or self.cycle.response_started:
            self._cut(refused.reason)
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._respond(refused)

    def _respond(self, refused: _Refused) -> None:
        """Send a response on behalf of the application, and close the connection."""
        self._sockets.closed[refused.reason] += 1
        self._let_go()
        code = "UNAVAILABLE" if refused.is_busy else "BAD_REQUEST"
        body = encode_json_bytes({"errors": [{"message": str(refused), "extensions": {"code": code}}]})
        lines = [
            b"HTTP/1.1 %d %s" % (refused.status, HTTPStatus(refused.status).phrase.encode()),
            *(name + b": " + value for name, value in self.server_state.default_headers),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            *([b"retry-after: 1"] if refused.is_busy else []),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()

    def _cut(self, reason: str) -> None:
        self._sockets.closed[reason] += 1
        self.cut()


def _head_too_large() -> _Refused:
    return _Refused(431, f"The request line and headers can have at most {_MOST_HEAD} bytes.", "large_head")


def _unsent_bytes(transport: asyncio.Transport) -> int:
    """Return the number of bytes that the client has not acknowledged.

    They are in our buffer and, on Linux, also in the kernel's (tcp(7), SIOCOUTQ).
    """
    unsent = transport.get_write_buffer_size()
    if sys.platform == "linux" and not transport.is_closing():
        descriptor = transport.get_extra_info("socket").fileno()
        unsent += int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0"), sys.byteorder)
    return unsent
