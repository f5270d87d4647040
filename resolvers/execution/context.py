"""The context of a request: the engine, the limits, and the single read that its root fields share."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from time import perf_counter
from typing import Any, Protocol, TypeVar

from graphql import DocumentNode

from resolvers.documents.limits import Limits, Scope
from resolvers.execution.cost import Cost
from resolvers.results.views import BatchView, QueryAnswer
from storage.batch.execution.run import Engine, Job, Ran
from storage.connections.transaction import Transaction
from storage.deadline import Deadline

T = TypeVar("T")


@dataclass(slots=True)
class LastDuration:
    """The duration of the last run of a read."""

    seconds: float = math.inf

    def measure(self, run: Callable[[], T]) -> T:
        """Run a function, store its duration, and return its result."""
        start = perf_counter()
        try:
            return run()
        finally:
            self.seconds = perf_counter() - start


class Read(Protocol):
    """Function that runs a read in one snapshot, to its end, even if the client disconnects."""

    def __call__(self, read: Callable[[Transaction], T], last_duration: LastDuration | None = None, /) -> Awaitable[T]:
        """Run the read; `last_duration` helps to choose the fastest strategy."""


class Write(Protocol):
    """Function that runs a batch, to its end."""

    def __call__(self, job: Job[T], /) -> Awaitable[Ran[T]]:
        """Run the batch."""


class Why(Enum):
    """The reason why a request is executed in a thread."""

    INTROSPECTION = "introspection"  # only introspection
    MIXED = "mixed"  # introspection and other fields
    LARGE = "large"  # what was read takes too long to serialize on the event loop


class Elsewhere(Exception):  # control flow, not an error
    """The request must be executed in a thread, because its response takes too long to complete on the event loop."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class Background(Protocol):
    """Function that runs another function in a thread, to its end, because it takes too long on the event loop."""

    def __call__(self, run: Callable[[], T], /) -> Awaitable[T]:
        """Run the function."""


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """The context of one request."""

    engine: Engine
    read: Read
    write: Write
    background: Background
    limits: Limits
    deadline: Deadline | None = None  # until which the client's response is awaited
    park: Callable[[], None] = lambda: None  # called when the request waits for others and must release its slot
    accept_encoding: str = ""  # the header
    key_headers: Sequence[str] = ()  # the headers Idempotency-Key, as sent
    operation_name: str | None = None  # the operation of the document to execute
    cost: Cost | None = None  # of the operation, once it is counted
    valid: DocumentNode | None = None  # the document, once it is validated
    document: DocumentNode | None = None  # the same, once the request is executed in a thread
    views: dict[str, BatchView] = field(default_factory=dict)  # the batches that have run, by response key
    failures: dict[str, Exception] = field(default_factory=dict)  # the errors of batches that failed
    answered: QueryAnswer | None = None  # the result of the read of the root fields
    fields: int = 0  # of the response so far, if they are counted
    finished: BatchView | None = None  # the request's only batch, if it has run already
    kept: Any = None  # what the response was built from
    query: "asyncio.Task[Any] | None" = field(default=None)  # the read of all root fields, started by the first of them
    bounds: Scope | None = None  # see `scope`

    def forget(self) -> None:
        """Drop the references to what was read.

        graphql-core's executors are reference cycles, which keep their context alive until the garbage is collected.
        """
        self.views.clear()
        self.finished = self.answered = self.query = self.kept = None

    def in_thread(self) -> "RequestContext":
        """Create a context for an event loop in another thread; the database is still accessed from this event loop."""
        loop = asyncio.get_running_loop()

        def read(run: Callable[[Transaction], T], last_duration: LastDuration | None = None) -> Awaitable[T]:
            return _run_on(loop, lambda: self.read(run, last_duration))

        def write(job: Job[T]) -> Awaitable[Ran[T]]:
            return _run_on(loop, lambda: self.write(job))

        def park() -> None:
            loop.call_soon_threadsafe(self.park)

        return replace(self, read=read, write=write, park=park)

    @property
    def scope(self) -> Scope:
        """The scope of paths and queries: one for the whole request, because it counts the suggestions."""
        if self.bounds is None or self.bounds.limits is not self.limits:
            self.bounds = Scope(catalog=self.engine.catalog, limits=self.limits)
        return self.bounds


def _run_on(loop: asyncio.AbstractEventLoop, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    async def run() -> T:
        return await call()

    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), loop))
