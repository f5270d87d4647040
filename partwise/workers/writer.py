"""Runs batches in threads; those that wait for SQLite's single writer run as a group (docs/engine.md, section 9)."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from partwise.workers.contention import Contention
from partwise.workers.deliveries import Deliveries
from partwise.workers.threads import Call, ClientGone, Slots, note_late, retrieve_exception
from storage.batch.conflicts.contended import row_locks
from storage.batch.execution.run import Engine, Job, Ran, run_batch, run_reading, run_together
from storage.connections.driver_errors import locked
from storage.errors import OutcomeUnknown, TimedOut

_MOST_PARTS = 1_000  # parts of a group of batches, so that a small batch does not wait for many large ones
_IDLE = 60.0  # seconds without work after which the writing thread ends
_LONG = 0.1  # seconds that a batch waits for the writing thread before its client is watched

T = TypeVar("T")


class Writer:
    """Runs batches. A batch that has begun runs to its end, even if the client disconnects."""

    def __init__(self, engine: Engine, contention: Contention) -> None:
        self._engine = engine
        self._contention = contention
        self._own_thread = _WritingThread(engine) if engine.database.dialect == "sqlite" else None
        self._keyed: WeakValueDictionary[tuple[str, str], Slots] = WeakValueDictionary()
        self._deliveries: WeakKeyDictionary[asyncio.AbstractEventLoop, Deliveries] = WeakKeyDictionary()

    async def __call__(self, job: Job[T], call: Call) -> Ran[T]:
        """Run a batch. Raises what `run_batch` raises, and `TimedOut` or `ClientGone` before it has begun."""
        try:
            if job.reads_only:
                return await self._contention.run(
                    lambda patience: partial(run_reading, self._engine, job, patience), call, job.claim
                )
            if self._own_thread is not None:
                loop = asyncio.get_running_loop()
                deliveries = self._deliveries.get(loop) or self._deliveries.setdefault(loop, Deliveries())
                return await _Waiting(job, call, loop, loop.create_future(), deliveries).answer(self._own_thread)
            return await self._run(job, call)
        except (TimedOut, OutcomeUnknown) as error:
            note_late(error)
            raise

    async def _run(self, job: Job[T], call: Call) -> Ran[T]:
        if job.receipt is None:
            return await self._run_at_once(job, call)
        # Batches with the same idempotency key wait here, because each one that waited in the database would occupy a
        # connection.
        turns = self._keyed.setdefault((job.receipt.caller, job.receipt.key), Slots(1, locked))
        if not turns.try_acquire():
            call.park()
            await turns.acquire(call)
        try:
            return await self._run_at_once(job, call)
        finally:
            turns.release()

    async def _run_at_once(self, job: Job[T], call: Call) -> Ran[T]:
        engine = self._engine
        return await self._contention.run(
            lambda patience: partial(run_batch, engine, job, patience),
            call,
            job.claim,
            lambda: row_locks(engine.catalog, job.batch, job.receipt),
        )


@dataclass(slots=True, eq=False)
class _Waiting:
    """A batch for the writing thread, and the future of its outcome."""

    job: Job[Any]
    call: Call
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Ran[Any]]"
    deliveries: Deliveries
    timer: asyncio.TimerHandle | None = None
    watch: "asyncio.Task[None] | None" = None

    async def answer(self, thread: "_WritingThread") -> Ran[Any]:
        """Run the batch in the thread and wait for its end, or until the deadline if it has not begun by then."""
        self.future.add_done_callback(retrieve_exception)
        self.timer = self.loop.call_later(min(_LONG, self.call.deadline.left()), self._look_after)
        try:
            thread.take(self)
            return await self.future
        finally:
            self.timer.cancel()
            if self.watch is not None:
                self.watch.cancel()
                # It ends with an exception whose frames refer to this: a cycle with the whole request.
                self.watch = None

    def _look_after(self) -> None:
        """Withdraw the batch if its client has disconnected, or at the deadline.

        It waits so long that watching the client is worth the cost.
        """
        if self.watch is None:
            self.watch = self.loop.create_task(self.call.watch(lambda: self._withdraw(ClientGone)))
        left = self.call.deadline.left()
        if left or not self._withdraw(locked):  # a batch that has begun may be queued again
            self.timer = self.loop.call_later(left or _LONG, self._look_after)

    def _withdraw(self, error: Callable[[], Exception]) -> bool:
        """Set the error on behalf of the thread, if the batch has not begun. Return True if it was withdrawn."""
        if not self.job.claim.withdraw():
            return False
        self.settle(error())
        return True

    def tell(self, ran: Ran[Any] | Exception) -> None:
        """Set the outcome of the batch. Thread-safe."""
        self.deliveries.add(partial(self.settle, ran), self.loop)

    def settle(self, ran: Ran[Any] | Exception) -> None:
        """Set the outcome of the batch, in the thread of the event loop."""
        if self.future.done():
            return
        if isinstance(ran, Exception):
            self.future.set_exception(ran)
        else:
            self.future.set_result(ran)


class _WritingThread:
    """A thread that runs groups of batches one after the other, as long as there are any.

    It is not a worker thread of a pool, because passing a batch to one takes longer: a tenth of a small batch's time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        self._first_of_next: _Waiting | None = None
        self._starting = threading.Lock()
        self._runs = False

    def take(self, waiting: _Waiting) -> None:
        """Queue a batch, and start the thread if it is not running."""
        self._queue.put(waiting)
        with self._starting:
            if not self._runs:
                try:
                    threading.Thread(target=self._run, name="partwise-writer", daemon=True).start()
                except RuntimeError:  # no thread can be started
                    waiting.job.claim.withdraw()
                    raise
                self._runs = True

    def _run(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Run the next group of batches; return False if there was none.

        Each group has its own call, so that its objects are freed before the thread waits. Otherwise the next batch
        would spend time on freeing them.
        """
        group = self._next_group()
        if not group:
            return False
        try:
            run_together(self._engine, [each.job for each in group], lambda place, ran: group[place].tell(ran))
        except Exception as error:  # noqa: BLE001  # on any error, no request must wait forever
            for each in group:
                each.tell(error)
        return True

    def _next_group(self) -> list[_Waiting]:
        """Return the batches that wait, up to the size of a group; an empty list if none arrives for some time."""
        first = self._first_of_next or self._wait()
        self._first_of_next = None
        if first is None:
            return []
        group, size = [first], first.job.batch.size
        with suppress(Empty):
            while size < _MOST_PARTS:
                following = self._queue.get_nowait()
                if following.job.claim.is_withdrawn:
                    continue
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
