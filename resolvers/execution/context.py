"""What one request brings along: the engine, the limits, and the one read that all its root fields share."""

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
    """How long a read took the last time."""

    seconds: float = math.inf

    def measure(self, run: Callable[[], T]) -> T:
        """Run it, and see how long it takes."""
        start = perf_counter()
        try:
            return run()
        finally:
            self.seconds = perf_counter() - start


class Read(Protocol):
    """Runs a read in a transaction that sees one snapshot, to its end: a client that goes away changes nothing."""

    def __call__(self, read: Callable[[Transaction], T], last_duration: LastDuration | None = None, /) -> Awaitable[T]:
        """Run it; `last_duration` helps to choose the fastest strategy."""


class Write(Protocol):
    """Runs a batch, to its end."""

    def __call__(self, job: Job[T], /) -> Awaitable[Ran[T]]:
        """Run it."""


class Why(Enum):
    """Why a request is executed in a thread."""

    INTROSPECTION = "introspection"  # and nothing else
    MIXED = "mixed"  # introspection, and other things
    LARGE = "large"  # what was read takes long to write


class Elsewhere(Exception):  # it directs, and is no error
    """The request is to be executed in a thread: its answer takes too long to complete on the event loop."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class Background(Protocol):
    """Runs a function in a thread, to its end: what takes too long on the event loop."""

    def __call__(self, run: Callable[[], T], /) -> Awaitable[T]:
        """Run it."""


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One request's context."""

    engine: Engine
    read: Read
    write: Write
    background: Background
    limits: Limits
    deadline: Deadline | None = None  # until when the answer is waited for
    park: Callable[[], None] = lambda: None  # called when it waits for others, and must not keep a slot meanwhile
    accept_encoding: str = ""  # the header
    key_headers: Sequence[str] = ()  # the headers Idempotency-Key, as they were sent
    operation_name: str | None = None  # which operation of the document is to run
    cost: Cost | None = None  # of the operation, once it is counted
    valid: DocumentNode | None = None  # the document, once it is found valid
    document: DocumentNode | None = None  # the same, once the request is executed elsewhere
    views: dict[str, BatchView] = field(default_factory=dict)  # the batches that have run, by response key
    failures: dict[str, Exception] = field(default_factory=dict)  # and those that have not
    answered: QueryAnswer | None = None  # what the root fields have read
    fields: int = 0  # of the answer so far, where they are counted
    finished: BatchView | None = None  # the request's only batch, where it has run already
    kept: Any = None  # what the answer was made of
    query: "asyncio.Task[Any] | None" = field(default=None)  # the read of all root fields, once the first asks for it
    bounds: Scope | None = None  # see `scope`

    def forget(self) -> None:
        """Let go of what was read: graphql-core's executors are cycles, and keep their context until garbage is collected."""
        self.views.clear()
        self.finished = self.answered = self.query = self.kept = None

    def in_thread(self) -> "RequestContext":
        """Make a context for an event loop in another thread: the database is asked by this one."""
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
        """What paths and queries are bound to: one for the whole request, because suggestions are counted there."""
        if self.bounds is None or self.bounds.limits is not self.limits:
            self.bounds = Scope(catalog=self.engine.catalog, limits=self.limits)
        return self.bounds


def _run_on(loop: asyncio.AbstractEventLoop, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    async def run() -> T:
        return await call()

    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), loop))
