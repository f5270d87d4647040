"""Worker threads, one for each connection to the database, and the queue of requests that wait for one.

A request that waits here occupies neither a thread nor a connection, so that waiting is cheap and can be ended by the
deadline of the request or when its client disconnects.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

from starlette.types import Receive

from storage.connections.driver_errors import too_long
from storage.connections.transaction import unconfirmed
from storage.deadline import Claim, Deadline
from storage.errors import OutcomeUnknown, TimedOut, Unavailable
from storage.log import note_occasionally

_GRACE = 0.75  # seconds after the deadline in which the thread itself usually reports what took so long

T = TypeVar("T")


class ClientGone(Unavailable):
    """The client disconnected while its request waited. Nobody receives this error."""

    def __init__(self) -> None:
        super().__init__("The client has disconnected. Nothing was written.")


class Call:
    """The deadline of a request, and the connection to its client, for requests that wait."""

    __slots__ = ("_receive", "deadline", "on_parked")

    def __init__(
        self, deadline: Deadline, receive: Receive | None = None, on_parked: Callable[[], None] | None = None
    ) -> None:
        """Create it, once the body has been received. Without `receive`, the client is assumed to stay connected.

        `on_parked` is called when the request begins to wait for a lock, or for another request with the same
        idempotency key. From then on it must not occupy a slot of any queue in front of this one. It may be called
        more than once.
        """
        self.deadline = deadline
        self.on_parked = on_parked
        self._receive = receive

    def park(self) -> None:
        """Report that the request waits for something that another request holds, and not for the server."""
        if self.on_parked is not None:
            self.on_parked()

    async def wait_in_queue(self, turn: "asyncio.Future[T]", error: Callable[[], TimedOut]) -> T:
        """Wait for the future `turn` of work that has not begun yet.

        Raises `error()` at the deadline, and `ClientGone` if the client disconnects. Either is set on the future, so
        that the work does not begin.
        """
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.deadline.left(), _fail, turn, error)
        watch = None if self._receive is None else loop.create_task(self.watch(lambda: _fail(turn, ClientGone)))
        try:
            return await turn
        finally:
            timer.cancel()
            if watch is not None:
                watch.cancel()

    async def watch(self, act: Callable[[], object]) -> None:
        """Call `act` once the client has disconnected."""
        if self._receive is not None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            act()


def _fail(future: "asyncio.Future[Any]", error: Callable[[], Exception]) -> None:
    if not future.done():
        future.set_exception(error())


class Slots:
    """A semaphore with `count` slots, of which `held` are taken.

    Other requests wait in order, each until its deadline or until its client disconnects. `waiting` is their number,
    and the first one has waited for `longest_wait()` seconds. Not thread-safe: call all methods in the event loop.
    """

    def __init__(self, count: int, late: Callable[[], TimedOut] | None = None) -> None:
        """Create it; `late` returns the error that is raised at the deadline of a request that waits."""
        self.count = count
        self.held = 0
        self._late = late or _too_busy
        self._queue: OrderedDict[asyncio.Future[None], float] = OrderedDict()  # -> when it began to wait

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return len(self._queue)

    def longest_wait(self) -> float:
        """Return the seconds that the first request in the queue has waited; 0 if the queue is empty."""
        return perf_counter() - next(iter(self._queue.values())) if self._queue else 0.0

    def try_acquire(self) -> bool:
        """Acquire a slot if one is free and no request waits for it. Return True if it was acquired."""
        if self.held >= self.count or self._queue:
            return False
        self.held += 1
        return True

    async def acquire(self, call: Call, *, first: bool = False) -> None:
        """Acquire a slot after the requests that wait already, or before them if `first` is True.

        Raises `TimedOut` and `ClientGone`.
        """
        if self.held < self.count and (first or not self._queue):
            self.held += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue[turn] = perf_counter()
        if first:
            self._queue.move_to_end(turn, last=False)
        try:
            await call.wait_in_queue(turn, self._late)
        except BaseException:
            self._queue.pop(turn, None)
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # granted, but not needed anymore
                self.release()
            raise

    def release(self) -> None:
        """Release a slot, or pass it to the first request that waits."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():
                turn.set_result(None)
                return
        self.held -= 1


def _too_busy() -> TimedOut:
    return TimedOut(
        "The server was too busy to begin the request in time. Nothing was written. Try again.", where="queue"
    )


class Workers:
    """Runs functions that use a connection in threads, as many at a time as there are connections."""

    def __init__(self, count: int, commit_timeout: float = 10.0) -> None:
        """Create it; `commit_timeout` is the number of seconds that a COMMIT may take beyond the deadline."""
        self.slots = Slots(count)
        self._commit_timeout = commit_timeout
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="partwise")

    async def run(self, work: Callable[[], T], call: Call, claim: Claim | None = None) -> T:
        """Wait for a slot and run a function to its end, even if the client disconnects.

        Raises what the function raises, and `TimedOut`. The function is expected to end by the deadline. If it does
        not, `TimedOut` is raised on its behalf. For a batch this requires that its `claim` can be withdrawn, because
        what has been sent to COMMIT may be written; otherwise `OutcomeUnknown` follows after `commit_timeout`.
        """
        if not self.slots.try_acquire():
            await self.slots.acquire(call)
        return await self.run_with_slot(work, call, claim)

    async def run_with_slot(self, work: Callable[[], T], call: Call, claim: Claim | None = None) -> T:
        """Run a function as `run` does, in a slot that was acquired, and release the slot when the function ends."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        answer.add_done_callback(retrieve_exception)

        def run() -> None:
            try:
                outcome, error = work(), None
            except Exception as raised:  # noqa: BLE001  # it is raised where the future is awaited
                outcome, error = None, raised
            with suppress(RuntimeError):  # the loop is closed, so the future is not awaited anymore
                loop.call_soon_threadsafe(self._settle, answer, outcome, error)

        try:
            self._threads.submit(run)
        except BaseException:  # the server shuts down
            self.slots.release()
            raise
        timer = loop.call_later(call.deadline.left() + _GRACE, self._answer_for, answer, claim)
        try:
            return await answer
        finally:
            timer.cancel()

    def _settle(self, answer: "asyncio.Future[Any]", outcome: object, error: Exception | None) -> None:
        self.slots.release()
        if answer.done():  # `_answer_for` has set the error
            return
        if error is None:
            answer.set_result(outcome)
        else:
            answer.set_exception(error)

    def _answer_for(self, answer: "asyncio.Future[Any]", claim: Claim | None) -> None:
        """Set the error on behalf of a thread that has not ended in time."""
        if claim is None or claim.withdraw():
            _fail(answer, too_long)
        else:
            asyncio.get_running_loop().call_later(self._commit_timeout, _fail, answer, unconfirmed)

    def shut_down(self) -> None:
        """Start no more functions.

        Functions that still run are not awaited: nobody needs their results, and they may wait for locks.
        """
        self._threads.shutdown(wait=False)


async def run_in(threads: Executor, run: Callable[[], T]) -> T:
    """Run a function in a thread, to its end, even if the client disconnects."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(threads, run))


def retrieve_exception(future: "asyncio.Future[Any]") -> None:
    """Retrieve the exception of a future, even if its client has disconnected.

    asyncio logs an exception that is never retrieved.
    """
    if not future.cancelled():
        future.exception()


def note_late(error: TimedOut | OutcomeUnknown) -> None:
    """Log that a request timed out, or that its outcome is unknown."""
    if isinstance(error, TimedOut):
        message, where = "A request was not answered in time.", error.where
    else:
        message, where = "It is not known whether a batch was written.", "commit"
    event = "timeout" if isinstance(error, TimedOut) else "outcome_unknown"
    note_occasionally(event, message, where=where)
