"""Runs reads in threads, except for a short read of an SQLite file while no other read runs.

Waking a thread would take as long as the read itself.
"""

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

_SHORT = 0.002  # seconds for which a read may block the event loop
_LONGEST = 2 * _SHORT  # seconds after which an inline read that takes longer than expected is aborted

T = TypeVar("T")


class Reader:
    """Runs reads, each in a transaction that sees one snapshot."""

    def __init__(self, database: Database, workers: Workers, contention: Contention) -> None:
        self._database = database
        self._workers = workers
        self._contention = contention
        self._reads = 0  # reads that have begun but not ended

    async def __call__(
        self, read: Callable[[Transaction], T], call: Call, last_duration: LastDuration | None = None
    ) -> T:
        """Run a read, in the event loop if its last run was short (`last_duration`). Raises what `read` raises."""
        last_duration = last_duration or LastDuration()
        self._reads += 1
        try:
            if self._database.can_read_inline and last_duration.seconds < _SHORT and await self._is_alone():
                with suppress(TimedOut, Unavailable):  # it takes long, or another transaction blocks it
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
        """Return True if no other read is running, because several reads are faster in parallel."""
        await asyncio.sleep(0)  # requests that arrived at the same time begin
        return self._reads == 1

    def _read_inline(self, read: Callable[[Transaction], T]) -> T:
        with self._database.read_inline(_LONGEST) as transaction:
            return read(transaction)

    def _read(self, read: Callable[[Transaction], T], call: Call, patience: float | None) -> T:
        def run() -> T:
            with self._database.read(call.deadline, patience=patience) as transaction:
                return read(transaction)

        return self._database.run_again(run)
