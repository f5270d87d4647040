"""What one request brings along: the engine, the limits, and the one read that all its root fields share."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeVar

from resolvers.limits import Limits, Scope
from resolvers.results import BatchView
from storage.batch.run import Engine, Job, Ran
from storage.deadline import Deadline
from storage.transaction import Transaction

T = TypeVar("T")


@dataclass(slots=True)
class Pace:
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

    def __call__(self, read: Callable[[Transaction], T], pace: Pace | None = None, /) -> Awaitable[T]:
        """Run it; its pace, where there is one, helps to find the fastest way."""


class Write(Protocol):
    """Runs a batch, to its end."""

    def __call__(self, job: Job[T], /) -> Awaitable[Ran[T]]:
        """Run it."""


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One request's context."""

    engine: Engine
    read: Read
    write: Write
    limits: Limits
    deadline: Deadline | None = None  # until when the answer is waited for
    key_headers: Sequence[str] = ()  # the headers Idempotency-Key, as they were sent
    operation_name: str | None = None  # which operation of the document is to run
    finished: BatchView | None = None  # the request's only batch, where it has run already
    kept: Any = None  # what the answer was made of
    query: "asyncio.Task[Any] | None" = field(default=None)  # the read of all root fields, once the first asks for it

    @property
    def scope(self) -> Scope:
        """What paths and queries are bound to."""
        return Scope(catalog=self.engine.catalog, limits=self.limits)
