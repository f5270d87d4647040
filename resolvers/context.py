"""What one request brings along: the engine, the limits, and the one read that all its root fields share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from storage.batch.run import Engine

MAX_PARTS = 10_000

T = TypeVar("T")


class InThread(Protocol):
    """Runs a function in a worker thread. It is never cancelled: a client that goes away changes nothing."""

    def __call__(self, run: Callable[[], T], /) -> Awaitable[T]:
        """Run it."""


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One request's context."""

    engine: Engine
    in_thread: InThread
    max_parts: int = MAX_PARTS
    operation_name: str | None = None  # which operation of the document is to run
    query: "asyncio.Task[Any] | None" = field(default=None)  # the read of all root fields, once the first asks for it
