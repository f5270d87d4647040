"""Keeps those who wait for one lock from taking all connections of PostgreSQL (docs/engine.md, section 11).

Everybody tries once, with little patience. Who meets a lock that is held for longer waits here, without a connection. From
here at most half of the connections are used, in order, and two at most by those who would wait for each other.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread
from time import perf_counter
from typing import TypeVar

from partwise.workers.soon import Soon
from partwise.workers.threads import Call, Workers
from storage.batch.conflicts.contended import RowLock, RowLocks, would_wait
from storage.batch.plan.locks import Strength
from storage.connections.driver_errors import Locked, locked
from storage.deadline import Claim
from storage.errors import TimedOut
from storage.log import note_occasionally

PATIENCE = 0.04  # seconds that the first try waits for a lock
_LITTLE_PATIENCE = 0.005  # seconds, while somebody is known to hold a lock for long
_IN_A_ROW = (
    2  # that have a connection, of those who would wait for each other: the next begins while the one before it commits
)
_PAUSE = 0.1  # seconds between two tries, if there is only one connection
_LONG_WAIT = 1.0  # seconds, after which a wait is logged

T = TypeVar("T")
Work = Callable[[float | None], Callable[[], T]]
"""Makes what is to be run, with so many seconds of patience for locks; None: until the deadline."""
Facts = Mapping[str, str | float | None]


@dataclass(slots=True, eq=False)
class _Parked:
    """One that waits for a lock."""

    locks: RowLocks
    turn: "asyncio.Future[None]"
    leads: bool = False  # whether it may use a connection
    since: float = field(default_factory=perf_counter)


class Contention:
    """Runs transactions in worker threads, and those that have met a lock a second time, when it is their turn."""

    def __init__(self, workers: Workers, holders: Callable[[], Facts] | None = None) -> None:
        """Make it; `holders` says who holds the locks that are waited for, as far as the database tells. It may take long."""
        self._workers = workers
        self._holders = holders
        self._most = workers.slots.count // 2
        self._parked: list[_Parked] = []
        self._wanted: dict[RowLock, Strength] = {}  # all locks of those who are parked
        self._last_note = 0.0
        self._choose_soon = Soon(self._choose)

    @property
    def parked(self) -> int:
        """How many wait for a lock that somebody else holds."""
        return len(self._parked)

    async def run(
        self,
        work: Work[T],
        call: Call,
        claim: Claim | None = None,
        locks: Callable[[], RowLocks] = dict,
    ) -> T:
        """Run it to its end, as `Workers.run` does; `locks` says which rows it will lock."""
        slots = self._workers.slots
        if not slots.try_take():
            await slots.take(call)
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
            slots.give_back()
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
                await self._workers.slots.take(call, first=True)
                try:
                    return await self._workers.run_with_slot(work(None if self._most else PATIENCE), call, claim)
                except Locked:
                    own.turn = loop.create_future()
                    loop.call_later(_PAUSE, _begin, own.turn)
                except TimedOut as late:  # also if it was canceled when it had waited for most of its time
                    raise locked() from late
        finally:
            noting.cancel()
            self._parked.remove(own)
            self._choose_soon()

    def _choose(self) -> None:
        """Give a turn to those who may have one: in order, as long as there are connections for them."""
        wanted: dict[RowLock, Strength] = {}
        waiting: dict[RowLock, Strength] = {}  # of those before it that do not lead
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
        """Log that locks are waited for, at most once a second: who holds them is asked in a thread."""
        now = perf_counter()
        if now - self._last_note < _LONG_WAIT:
            return
        self._last_note = now
        waited, waiting = round(now - own.since, 1), len(self._parked)

        def note() -> None:
            facts: dict[str, str | float | None] = {} if self._holders is None else {**self._holders()}
            message = "Requests wait for a lock that another transaction holds."
            note_occasionally("lock_wait", message, **{"seconds": waited, "waiting": waiting, **facts})  # type: ignore[arg-type]  # none is named `level`

        Thread(target=note, name="partwise-holders", daemon=True).start()


def _begin(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
