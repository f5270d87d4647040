"""What one request brings along: the engine, the limits, and the one read that all its root fields share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from resolvers.limits import Limits, Scope
from resolvers.results import BatchView
from storage.batch.run import Engine, Job, Ran

T = TypeVar("T")


class InThread(Protocol):
    """Runs a function in a worker thread. It is never cancelled: a client that goes away changes nothing."""

    def __call__(self, run: Callable[[], T], /) -> Awaitable[T]:
        """Run it."""


class Write(Protocol):
    """Runs a batch, to its end."""

    def __call__(self, job: Job[T], /) -> Awaitable[Ran[T]]:
        """Run it."""


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One request's context."""

    engine: Engine
    in_thread: InThread
    write: Write
    limits: Limits
    operation_name: str | None = None  # which operation of the document is to run
    finished: BatchView | None = None  # the request's only batch, where it has run already
    query: "asyncio.Task[Any] | None" = field(default=None)  # the read of all root fields, once the first asks for it

    @property
    def scope(self) -> Scope:
        """What paths and queries are bound to."""
        return Scope(catalog=self.engine.catalog, limits=self.limits)
