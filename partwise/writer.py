"""Hands batches to threads; those that wait for SQLite's one writer go together (docs/engine.md, section 9)."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from storage.batch.run import Engine, Job, Ran, run_batch, run_together

_MOST_PARTS = 1_000  # of batches that are run together: a small one shall not wait for many large ones
_IDLE = 60.0  # seconds without work, after which the writing thread ends

T = TypeVar("T")


class Writer:
    """Runs batches, each to its end: a client that goes away changes nothing."""

    def __init__(self, engine: Engine, threads: Executor) -> None:
        self._engine = engine
        self._threads = threads
        self._own_thread = _WritingThread(engine) if engine.database.dialect == "sqlite" else None
        self._keyed: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, job: Job[T]) -> Ran[T]:
        """Run a batch. Raises what `run_batch` raises."""
        if self._own_thread is None:
            async with self._turn(job):
                return await run_in(self._threads, partial(run_batch, self._engine, job))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(job, loop, loop.create_future())
        waiting.future.add_done_callback(_look_at)
        self._own_thread.take(waiting)
        return await asyncio.shield(waiting.future)

    def _turn(self, job: Job[Any]) -> AbstractAsyncContextManager[None]:
        """Wait for others with the same idempotency key: each that waited in the database would hold a connection meanwhile."""
        if job.receipt is None:
            return nullcontext()
        return self._keyed.setdefault((job.receipt.caller, job.receipt.key), asyncio.Lock())


async def run_in(threads: Executor, run: Callable[[], T]) -> T:
    """Run a function in a worker thread, to its end: a client that goes away changes nothing."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(threads, run))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A batch, and who waits for it."""

    job: Job[Any]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Ran[Any]]"

    def settle(self, ran: Ran[Any] | Exception) -> None:
        """Say what became of it; in the loop's own thread."""
        if isinstance(ran, Exception):
            self.future.set_exception(ran)
        else:
            self.future.set_result(ran)


class _WritingThread:
    """A thread that runs one group of batches after the other, while there are any.

    One of our own, because a worker thread of a pool takes longer to hand a batch over: a tenth of a small one's time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        self._first_of_next: _Waiting | None = None
        self._starting = threading.Lock()
        self._runs = False

    def take(self, waiting: _Waiting) -> None:
        """Have a batch run."""
        self._queue.put(waiting)
        with self._starting:
            if not self._runs:
                threading.Thread(target=self._run, name="partwise-writer", daemon=True).start()
                self._runs = True

    def _run(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Run those that wait next; say whether there were any.

        A call for each group, so that nothing of it is held while the thread waits: the next batch would pay for freeing it.
        """
        group = self._next_group()
        if not group:
            return False
        try:
            found: Sequence[Ran[Any] | Exception] = run_together(self._engine, [each.job for each in group])
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody shall wait for ever
            found = [error] * len(group)
        for each, ran in zip(group, found, strict=True):
            with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                each.loop.call_soon_threadsafe(each.settle, ran)
        return True

    def _next_group(self) -> list[_Waiting]:
        """Take those that wait, as many as may go together; none after some time without any."""
        first = self._first_of_next or self._wait()
        self._first_of_next = None
        if first is None:
            return []
        group, size = [first], first.job.batch.size
        with suppress(Empty):
            while size < _MOST_PARTS:
                following = self._queue.get_nowait()
                size += following.job.batch.size
                if size > _MOST_PARTS:
                    self._first_of_next = following
                else:
                    group.append(following)
        return group

    def _wait(self) -> _Waiting | None:
        with suppress(Empty):
            return self._queue.get(timeout=_IDLE)
        with self._starting:
            with suppress(Empty):
                return self._queue.get_nowait()
            self._runs = False
            return None


def _look_at(future: "asyncio.Future[Any]") -> None:
    """Look at how a batch ended, even where its client has gone: an exception that nobody looks at is complained about."""
    if not future.cancelled():
        future.exception()
