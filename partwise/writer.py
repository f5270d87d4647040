"""Hands batches to worker threads; those that wait for SQLite's one writer go together (docs/engine.md, section 9)."""

import asyncio
from collections import deque
from typing import Any, TypeVar

import anyio

from storage.batch.run import Engine, Job, Ran, run_batch, run_together

_MOST_PARTS = 1_000  # of batches that are run together: a small one shall not wait for many large ones

T = TypeVar("T")
_Waiting = tuple[Job[Any], "asyncio.Future[Ran[Any]]"]


class Writer:
    """Runs batches, each to its end: a client that goes away changes nothing."""

    def __init__(self, engine: Engine, limiter: anyio.CapacityLimiter) -> None:
        self._engine = engine
        self._limiter = limiter
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None  # runs what waits, while anything does

    async def __call__(self, job: Job[T]) -> Ran[T]:
        """Run a batch. Raises what `run_batch` raises."""
        if self._engine.database.dialect != "sqlite":
            return await anyio.to_thread.run_sync(run_batch, self._engine, job, limiter=self._limiter)
        future: asyncio.Future[Ran[T]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_look_at)
        self._waiting.append((job, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._waiting:
                group = self._next_group()
                try:
                    await self._run_group(group)
                finally:  # also where the program is being stopped: nobody shall wait for ever
                    for _, future in group:
                        future.cancel()
        finally:
            self._task = None

    async def _run_group(self, group: list[_Waiting]) -> None:
        jobs = [job for job, _ in group]
        found = await anyio.to_thread.run_sync(run_together, self._engine, jobs, limiter=self._limiter)
        for (_, future), ran in zip(group, found, strict=True):
            if isinstance(ran, tuple):
                future.set_result(ran)
            else:
                future.set_exception(ran)

    def _next_group(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        size = group[0][0].batch.size
        while self._waiting and size + self._waiting[0][0].batch.size <= _MOST_PARTS:
            group.append(self._waiting.popleft())
            size += group[-1][0].batch.size
        return group


def _look_at(future: "asyncio.Future[Any]") -> None:
    """Look at how a batch ended, even where its client has gone: an exception that nobody looks at is complained about."""
    if not future.cancelled():
        future.exception()
