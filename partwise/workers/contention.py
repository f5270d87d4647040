"""Lock contention: requests that wait for one lock must not occupy all connections of PostgreSQL.

Each transaction is first tried with a short lock timeout. If a lock is held for longer, the request is parked here,
without a connection. Parked requests use at most half of the connections, in order. Of those that would wait for each
other, at most two have a connection. See docs/engine.md, section 11.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread
from time import perf_counter
from typing import TypeVar

from partwise.workers.soon import Soon
from partwise.workers.threads import Call, Workers
from storage.batch.conflicts.contended import RowLocks, would_wait
from storage.batch.plan.locks import Strength
from storage.connections.driver_errors import Locked, locked
from storage.deadline import Claim
from storage.errors import TimedOut
from storage.log import note_occasionally
from storage.rows.key_refs import KeyRef

PATIENCE = 0.04  # seconds that the first attempt waits for a lock
_LITTLE_PATIENCE = 0.005  # seconds, while some transaction is known to hold a lock for long
# Requests that would wait for each other and have a connection: the next one begins while the one before it commits.
_IN_A_ROW = 2
_PAUSE = 0.1  # seconds between two attempts, if there is only one connection
_LONG_WAIT = 1.0  # seconds after which a wait is logged

T = TypeVar("T")
Work = Callable[[float | None], Callable[[], T]]
"""Returns the function to run, given its lock timeout in seconds; None means until the deadline."""
Facts = Mapping[str, str | float | None]


@dataclass(slots=True, eq=False)
class _Parked:
    """A request that waits for a lock."""

    locks: RowLocks
    turn: "asyncio.Future[None]"
    leads: bool = False  # True if it may use a connection
    since: float = field(default_factory=perf_counter)


class Contention:
    """Runs transactions in worker threads, and parks those that found a lock held until their turn comes."""

    def __init__(self, workers: Workers, holders: Callable[[], Facts] | None = None) -> None:
        """Create it; `holders` returns facts about the lock holders, as far as the database reports them.

        It may take long.
        """
        self._workers = workers
        self._holders = holders
        self._most = workers.slots.count // 2
        self._parked: list[_Parked] = []
        self._wanted: dict[KeyRef, Strength] = {}  # all locks that parked requests need
        self._last_note = 0.0
        self._choose_soon = Soon(self._choose)

    @property
    def parked(self) -> int:
        """The number of requests that wait for a lock held by another transaction."""
        return len(self._parked)

    async def run(
        self,
        work: Work[T],
        call: Call,
        claim: Claim | None = None,
        locks: Callable[[], RowLocks] = dict,
    ) -> T:
        """Run a transaction to its end, as `Workers.run` does; `locks` returns the rows that it will lock."""
        slots = self._workers.slots
        if not slots.try_acquire():
            await slots.acquire(call)
        own: RowLocks | None = None
        if not self._parked:
            patience = PATIENCE
        elif would_wait(own := locks(), self._wanted):
            patience = 0.0
        else:
            patience = _LITTLE_PATIENCE
        if patience:
            try:
                return await self._workers.run_with_slot(work(patience), call, claim)
            except Locked:
                pass
        else:
            slots.release()
        return await self._park(work, call, claim, locks() if own is None else own)

    async def _park(self, work: Work[T], call: Call, claim: Claim | None, locks: RowLocks) -> T:
        loop = asyncio.get_running_loop()
        own = _Parked(locks, loop.create_future())
        call.park()
        self._parked.append(own)
        self._choose_soon()
        noting = loop.call_later(_LONG_WAIT, self._note, own)
        try:
            while True:
                await call.wait_in_queue(own.turn, locked)
                await self._workers.slots.acquire(call, first=True)
                try:
                    return await self._workers.run_with_slot(work(None if self._most else PATIENCE), call, claim)
                except Locked:
                    own.turn = loop.create_future()
                    loop.call_later(_PAUSE, _begin, own.turn)
                except TimedOut as late:  # also if its statement was canceled after it had waited for most of its time
                    raise locked() from late
        finally:
            noting.cancel()
            self._parked.remove(own)
            self._choose_soon()

    def _choose(self) -> None:
        """Start the parked requests that may use a connection, in order, as long as connections are available."""
        wanted: dict[KeyRef, Strength] = {}
        waiting: dict[KeyRef, Strength] = {}  # locks of earlier requests that do not lead
        leaders = [each for each in self._parked if each.leads]
        for each in self._parked:
            if not (each.leads or len(leaders) >= max(1, self._most) or would_wait(each.locks, waiting)):
                each.leads = sum(would_wait(each.locks, leader.locks) for leader in leaders) < _IN_A_ROW
                if each.leads:
                    leaders.append(each)
                    _begin(each.turn)
            for known in (wanted,) if each.leads else (wanted, waiting):
                for lock, strength in each.locks.items():
                    known[lock] = max(strength, known.get(lock, strength))
        self._wanted = wanted

    def _note(self, own: _Parked) -> None:
        """Log that requests wait for locks, at most once per second. The holders are queried in a thread."""
        now = perf_counter()
        if now - self._last_note < _LONG_WAIT:
            return
        self._last_note = now
        waited, waiting = round(now - own.since, 1), len(self._parked)

        def note() -> None:
            facts: dict[str, str | float | None] = {} if self._holders is None else {**self._holders()}
            message = "Requests wait for a lock that another transaction holds."
            note_occasionally("lock_wait", message, **{"seconds": waited, "waiting": waiting, **facts})  # type: ignore[arg-type]  # no key is `level`

        Thread(target=note, name="partwise-holders", daemon=True).start()


def _begin(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
