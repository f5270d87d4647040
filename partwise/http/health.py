"""Whether the server can be used now, as /readyz says."""

from collections.abc import Callable
from time import monotonic

import anyio

from storage.connections.database import NO_ANSWER, Database

_TIMEOUT = 5.0  # seconds that the database has to answer
_RECENT = 1.0  # seconds that an answer of the database stands for the next


class Health:
    """What is known about the database.

    Under load, the answers that requests got from it tell enough: to ask once more would be one more that has to wait.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._answered = -_RECENT  # when the database answered last
        self._asks = anyio.CapacityLimiter(1)

    def note_answer(self) -> None:
        """Note that the database has just answered."""
        self._answered = self._clock()

    async def why_unready(self) -> str | None:
        """Say why the server cannot be used; None if it can."""
        if self._clock() - self._answered < _RECENT:
            return self._database.why_lost()
        with anyio.move_on_after(_TIMEOUT):
            return await anyio.to_thread.run_sync(
                self._database.why_unready, limiter=self._asks, abandon_on_cancel=True
            )
        return NO_ANSWER
