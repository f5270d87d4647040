"""Hands reads to threads, but for a short one of an SQLite file that is alone: to wake a thread would take as long as it does."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from partwise.workers.contention import Contention
from partwise.workers.threads import Call, Workers, note_late
from resolvers.execution.context import LastDuration
from storage.connections.database import Database
from storage.connections.transaction import Transaction
from storage.errors import TimedOut, Unavailable

_SHORT = 0.002  # seconds: what others may have to wait, because nothing else is done meanwhile
_LONGEST = 2 * _SHORT  # seconds until a short read that turns out to be a long one is given up

T = TypeVar("T")


class Reader:
    """Runs reads, each in a transaction that sees one snapshot."""

    def __init__(self, database: Database, workers: Workers, contention: Contention) -> None:
        self._database = database
        self._workers = workers
        self._contention = contention
        self._reads = 0  # that have begun, and have not ended

    async def __call__(
        self, read: Callable[[Transaction], T], call: Call, last_duration: LastDuration | None = None
    ) -> T:
        """Run a read; in the event loop if it was short the last time (`last_duration`). Raises what it raises."""
        last_duration = last_duration or LastDuration()
        self._reads += 1
        try:
            if self._database.can_read_inline and last_duration.seconds < _SHORT and await self._is_alone():
                with suppress(TimedOut, Unavailable):  # it is a long one, or somebody else is in the way
                    return last_duration.measure(partial(self._read_inline, read))
            if self._database.dialect == "sqlite":
                return await self._workers.run(
                    partial(last_duration.measure, partial(self._read, read, call, None)), call
                )
            return await self._contention.run(
                lambda patience: partial(last_duration.measure, partial(self._read, read, call, patience)), call
            )
        except TimedOut as error:
            note_late(error)
            raise
        finally:
            self._reads -= 1

    async def _is_alone(self) -> bool:
        """Return True if no other read is on its way: several take less time side by side."""
        await asyncio.sleep(0)  # those that have come at the same time begin
        return self._reads == 1

    def _read_inline(self, read: Callable[[Transaction], T]) -> T:
        with self._database.read_inline(_LONGEST) as transaction:
            return read(transaction)

    def _read(self, read: Callable[[Transaction], T], call: Call, patience: float | None) -> T:
        def run() -> T:
            with self._database.read(call.deadline, patience=patience) as transaction:
                return read(transaction)

        return self._database.run_again(run)
