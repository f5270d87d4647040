"""The queue of requests: they wait for their turn, and those that would wait too long are rejected.

partwise/workers/admission.py decides which ones.
"""

import asyncio
import re
from collections.abc import Coroutine
from functools import lru_cache
from types import TracebackType
from typing import Self, cast

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partwise.server.negotiation import GRAPHQL_JSON, JSON, media_type_of
from partwise.workers.admission import Admission, Lane, Ticket
from partwise.workers.large_requests import LARGE
from partwise.workers.soon import Soon
from storage.json_text import encode_json_bytes
from storage.log import note

_NOTED_EVERY = 1.0  # seconds
_MOST_ANSWERS = 256  # cached responses; each has one of few media types and one of 60 numbers of seconds
_END_OF_HEAD = b"\r\n\r\n"
_LENGTHS = re.compile(rb"\r\ncontent-length: ?([0-9]{1,9})(?=\r)")
# Headers that require the HTTP parser or the CORS middleware.
_PARSED = re.compile(rb"\r\n(?:transfer-encoding|connection|expect|origin|upgrade)[ \t]*:")


class Busy(Exception):
    """A request that is rejected because it would wait too long. Nothing has run."""

    def __init__(self, seconds: int) -> None:
        """Create the error; `seconds` is the time after which the client should send the request again."""
        super().__init__(_sentence(seconds))
        self.seconds = seconds


class Turns:
    """The requests that run and that wait, in one event loop."""

    def __init__(self, admission: Admission, *, timeout: float) -> None:
        """Create it; a request that was admitted waits at most `timeout` seconds, because an estimate can be wrong."""
        self.admission = admission
        self.timeout = timeout
        self._refused: dict[str, int] = {}  # by lane, since the last log line
        self._expect_nobody_soon = Soon(admission.expect_nobody)

    @property
    def is_calm(self) -> bool:
        """Return True if no request waits, so that none is rejected."""
        return not self.admission.held

    def query(self, receive: Receive) -> "Turn":
        """Return the turn of a query, a context manager that waits for it on entry.

        Entering it raises `Busy`, or `ClientDisconnect` if the client has disconnected.
        """
        return Turn(self, self.admission.queries, 0, receive)

    def batch(self, body: bytes, receive: Receive) -> "Turn":
        """Return the turn of a batch, as `query` does."""
        return Turn(self, self.lane_of_batch(len(body)), len(body), receive)

    def either(self, body: bytes, receive: Receive) -> "Turn":
        """Return the turn of a GraphQL request, as `query` does."""
        return Turn(self, self.lane_of(body), len(body), receive)

    def lane_of(self, body: bytes) -> Lane:
        """Guess the lane of a GraphQL request. A wrong guess only means that it waits in the other lane."""
        if len(body) > LARGE:
            return self.admission.large
        is_batch = b"mutation" in body or b'"operation"' in body  # a member of each part
        return self.admission.batches if is_batch else self.admission.queries

    def lane_of_batch(self, size: int) -> Lane:
        """Return the lane of a batch whose body has `size` bytes."""
        return self.admission.large if size > LARGE else self.admission.batches

    def refuses(self, lane: Lane, size: int) -> int | None:
        """Return the seconds after which a rejected request should be sent again; None if it is admitted.

        A rejected request is counted for the log.
        """
        seconds = self.admission.refuses(lane, size)
        if seconds is not None:
            self.count(lane)
        return seconds

    def count(self, lane: Lane) -> None:
        """Count a rejected request. The log has one line for all those of a second."""
        if not self._refused:
            asyncio.get_running_loop().call_later(_NOTED_EVERY, self._note)
        self._refused[lane.name] = self._refused.get(lane.name, 0) + 1

    def _note(self) -> None:
        note("overloaded", "The server is busy. It refused requests in the last second.", **self._refused)
        self._refused.clear()

    def refuse_unparsed(self, data: bytes) -> bytes | None:
        """Return the response to a request that arrived in one piece and is rejected; None if it must be parsed.

        Parsing it and calling the application takes several times as long, and in overload most requests are rejected.
        """
        end = data.find(_END_OF_HEAD)
        if end < 0:
            return None
        if data.startswith(b"POST /graphql HTTP/1.1\r\n"):
            lane = self.lane_of(data)
        elif data.startswith(b"POST /batch HTTP/1.1\r\n"):
            lane = self.lane_of_batch(len(data))
        else:
            return None
        head = data[: end + 2].lower()
        lengths = _LENGTHS.findall(head)
        if head.count(b"content-length") != 1 or len(lengths) != 1 or _PARSED.search(head):
            return None
        size = int(lengths[0])
        if end + 4 + size != len(data):
            return None
        seconds = self.refuses(lane, size)
        if seconds is None:
            # Counted until its task runs. Otherwise all requests that arrive in one iteration of the event loop would
            # be admitted together with the first.
            self._expect_nobody_soon()
            self.admission.expect(lane, size)
            return None
        return _raw_refusal(seconds, GRAPHQL_JSON if b"graphql-response" in head else JSON)


class Turn:
    """The turn of one request."""

    __slots__ = ("_lane", "_receive", "_size", "_ticket", "_turns", "_waiter")
    _ticket: Ticket
    _waiter: "asyncio.Future[None]"

    def __init__(self, turns: Turns, lane: Lane, size: int, receive: Receive) -> None:
        self._turns, self._lane, self._size, self._receive = turns, lane, size, receive

    async def __aenter__(self) -> Self:
        """Wait for this request's turn. Raises `Busy` and `ClientDisconnect`."""
        turns = self._turns
        if (seconds := turns.refuses(self._lane, self._size)) is not None:
            raise Busy(seconds)
        self._ticket = turns.admission.arrive(self._lane, self._size, self._begin)
        if self._ticket.begun is None:
            await self._wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the turn, so that other requests can begin."""
        self._turns.admission.leave(self._ticket)

    def park(self) -> None:
        """Free the slot while this request waits for something other than the server, such as a lock."""
        self._turns.admission.park(self._ticket)

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        end = loop.call_later(self._turns.timeout, self._give_up)
        try:
            await self._waiter
        except BaseException:  # on any error, its place in the queue is free
            self._turns.admission.leave(self._ticket)
            raise
        finally:
            end.cancel()

    def _begin(self) -> bool:
        if self._waiter.done():
            return False
        if is_gone(self._receive):
            self._waiter.set_exception(ClientDisconnect())
            return False
        self._waiter.set_result(None)
        return True

    def _give_up(self) -> None:
        if not self._waiter.done():
            self._turns.count(self._lane)
            self._waiter.set_exception(Busy(1))


class Gate:
    """Middleware that rejects requests while the server is busy, before they are decoded."""

    def __init__(self, app: ASGIApp, turns: Turns) -> None:
        self._app, self._turns = app, turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or reject it with status 503."""
        if self._turns.is_calm or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = _length(scope)
        lane = self._lane_of(scope, size)
        if lane is None and _is_graphql(scope):  # its body decides; a body in several chunks is left to the endpoint
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                lane, size = self._turns.lane_of(message["body"]), len(message["body"])
            receive = _again(message, receive)
        seconds = None if lane is None else self._turns.refuses(lane, size)
        if seconds is None:
            await self._app(scope, receive, send)
            return
        headers, body = _refusal(seconds, _media_type(scope))
        if any(name == b"expect" for name, _ in scope["headers"]):  # it is unknown if the client will send the body
            headers = [*headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _lane_of(self, scope: Scope, size: int) -> Lane | None:
        """Return the lane of a request, if its head shows that it uses the database."""
        if scope["path"] == "/batch" and scope["method"] == "POST":
            return self._turns.lane_of_batch(size)
        if scope["path"] == "/graphql" and scope["method"] != "POST" and _asks(scope["query_string"].lower()):
            return self._turns.admission.queries
        return None


def _asks(query_string: bytes) -> bool:
    """Return True if the URL of /graphql contains a document or refers to one. Otherwise it requests a page."""
    return b"query" in query_string or b"id" in query_string or b"extensions" in query_string


def _is_graphql(scope: Scope) -> bool:
    is_graphql: bool = scope["path"] == "/graphql" and scope["method"] == "POST"
    return is_graphql


def _length(scope: Scope) -> int:
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(announced) if announced.isdigit() else 0


def _media_type(scope: Scope) -> str:
    accepted = b", ".join(value for name, value in scope["headers"] if name == b"accept")
    return (scope["path"] == "/graphql" and media_type_of(accepted.decode("latin-1"))) or JSON


def _again(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that returns `message` first."""
    first: Message | None = message

    async def receive_again() -> Message:
        nonlocal first
        if first is None:
            return await receive()
        given, first = first, None
        return given

    return receive_again


def is_gone(receive: Receive) -> bool:
    """Return True, without waiting, if the client has disconnected. The body of the request must have been read."""
    next_message = cast("Coroutine[None, None, Message]", receive())  # uvicorn passes a coroutine function
    try:
        next_message.send(None)
    except StopIteration as end:
        return bool(end.value["type"] == "http.disconnect")
    finally:
        next_message.close()
    return False


@lru_cache(maxsize=_MOST_ANSWERS)
def _refusal(seconds: int, media_type: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    body = encode_json_bytes({"errors": [{"message": _sentence(seconds), "extensions": {"code": "UNAVAILABLE"}}]})
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % seconds),
        (b"cache-control", b"no-store"),
    ]
    return headers, body


@lru_cache(maxsize=_MOST_ANSWERS)
def _raw_refusal(seconds: int, media_type: str) -> bytes:
    headers, body = _refusal(seconds, media_type)
    head = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 503 Service Unavailable\r\n%b\r\n%b" % (head, body)


def _sentence(seconds: int) -> str:
    words = "1 second" if seconds == 1 else f"{seconds} seconds"
    return f"The server is busy. Nothing has run. Send the request again in {words}."
