"""Worker threads, one for each connection to the database, and the queue of the requests that wait for one.

Whoever waits here holds no thread and no connection, so that waiting costs nothing and can be ended: by the deadline of the
request, or because its client has gone.
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

_GRACE = 0.75  # seconds after the deadline in which the thread usually says itself what has taken so long

T = TypeVar("T")


class ClientGone(Unavailable):
    """The client has disconnected while its request waited: nobody reads this."""

    def __init__(self) -> None:
        super().__init__("The client has disconnected. Nothing was written.")


class Call:
    """One request, as far as waiting goes: until when, and whether its client is still there."""

    __slots__ = ("_receive", "deadline", "on_parked")

    def __init__(
        self, deadline: Deadline, receive: Receive | None = None, on_parked: Callable[[], None] | None = None
    ) -> None:
        """Make it, once the body has been received. Without `receive`, the client is taken to stay.

        `on_parked` is called when the request begins to wait for a lock, or for another one with its idempotency key: then it must not take the
        place of others in any queue in front of this one. It may be called again.
        """
        self.deadline = deadline
        self.on_parked = on_parked
        self._receive = receive

    def park(self) -> None:
        """Say that the request waits for something that others hold, and not for the server."""
        if self.on_parked is not None:
            self.on_parked()

    async def wait_in_queue(self, turn: "asyncio.Future[T]", error: Callable[[], TimedOut]) -> T:
        """Wait for a turn of something that is not begun yet, and cancel it otherwise.

        Raises the `error` at the deadline, and `ClientGone`.
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
        """Do something once the client has disconnected."""
        if self._receive is not None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            act()


def _fail(future: "asyncio.Future[Any]", error: Callable[[], Exception]) -> None:
    if not future.done():
        future.set_exception(error())


class Slots:
    """So many may hold a slot at a time. The others wait in order, each no longer than its deadline and its client.

    For admission: `count` slots in all, `held` of them; `waiting` requests, of which the first has waited for
    `longest_wait()` seconds. Not thread-safe: everything is called in the event loop.
    """

    def __init__(self, count: int, late: Callable[[], TimedOut] | None = None) -> None:
        """Make it; those that wait until their deadline are told `late`."""
        self.count = count
        self.held = 0
        self._late = late or _too_busy
        self._queue: OrderedDict[asyncio.Future[None], float] = OrderedDict()  # -> since when it waits

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def longest_wait(self) -> float:
        """Return the seconds that the first in the queue has waited; 0 if nobody waits."""
        return perf_counter() - next(iter(self._queue.values())) if self._queue else 0.0

    def try_take(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self.held >= self.count or self._queue:
            return False
        self.held += 1
        return True

    async def take(self, call: Call, *, first: bool = False) -> None:
        """Take a slot, after those that wait already (or before them). Raises `TimedOut` and `ClientGone`."""
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
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # given, and not wanted any more
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give a slot to the first that waits, or back."""
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
        """Make it; `commit_timeout` in seconds is what a COMMIT may take beyond the deadline."""
        self.slots = Slots(count)
        self._commit_timeout = commit_timeout
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="partwise")

    async def run(self, work: Callable[[], T], call: Call, claim: Claim | None = None) -> T:
        """Wait for a slot, and run a function to its end, whether its client stays or not. Raises what it raises, and `TimedOut`.

        The function ends itself by the deadline. If it does not, it is answered for: a batch only if its `claim` can be
        withdrawn, because what has been sent to COMMIT may be written.
        """
        if not self.slots.try_take():
            await self.slots.take(call)
        return await self.run_with_slot(work, call, claim)

    async def run_with_slot(self, work: Callable[[], T], call: Call, claim: Claim | None = None) -> T:
        """Run a function as `run` does, in a slot that was taken, and give the slot back when it has ended."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        answer.add_done_callback(look_at)

        def run() -> None:
            try:
                outcome, error = work(), None
            except Exception as raised:  # noqa: BLE001  # it is raised where it is waited for
                outcome, error = None, raised
            with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                loop.call_soon_threadsafe(self._settle, answer, outcome, error)

        try:
            self._threads.submit(run)
        except BaseException:  # the server ends
            self.slots.give_back()
            raise
        timer = loop.call_later(call.deadline.left() + _GRACE, self._answer_for, answer, claim)
        try:
            return await answer
        finally:
            timer.cancel()

    def _settle(self, answer: "asyncio.Future[Any]", outcome: object, error: Exception | None) -> None:
        self.slots.give_back()
        if answer.done():  # it has been answered for
            return
        if error is None:
            answer.set_result(outcome)
        else:
            answer.set_exception(error)

    def _answer_for(self, answer: "asyncio.Future[Any]", claim: Claim | None) -> None:
        """Answer in the place of a thread that does not come back."""
        if claim is None or claim.withdraw():
            _fail(answer, too_long)
        else:
            asyncio.get_running_loop().call_later(self._commit_timeout, _fail, answer, unconfirmed)

    def shut_down(self) -> None:
        """Begin nothing more. What still runs is not waited for: nobody waits for its answer, and it may wait for a lock."""
        self._threads.shutdown(wait=False)


async def run_in(threads: Executor, run: Callable[[], T]) -> T:
    """Run a function in a thread, to its end: a client that goes away changes nothing."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(threads, run))


def look_at(future: "asyncio.Future[Any]") -> None:
    """Look at how something ended, even if its client has gone: an exception that nobody looks at is complained about."""
    if not future.cancelled():
        future.exception()


def note_late(error: TimedOut | OutcomeUnknown) -> None:
    """Log that a request was not answered in time, or not at all."""
    if isinstance(error, TimedOut):
        message, where = "A request was not answered in time.", error.where
    else:
        message, where = "It is not known whether a batch was written.", "commit"
    event = "timeout" if isinstance(error, TimedOut) else "outcome_unknown"
    note_occasionally(event, message, where=where)
