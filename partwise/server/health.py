"""The readiness of the server, reported by /readyz."""

from collections.abc import Callable
from time import monotonic

import anyio

from storage.connections.database import NO_ANSWER, Database

_TIMEOUT = 5.0  # seconds in which the database must respond
_RECENT = 1.0  # seconds after a response of the database in which it is not queried again


class Health:
    """The state of the database, as far as it is known.

    Under load, the responses to requests are sufficient evidence. A separate query would only be one more that waits.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._answered = -_RECENT  # when the database last responded
        self._asks = anyio.CapacityLimiter(1)

    def note_answer(self) -> None:
        """Record that the database has just responded."""
        self._answered = self._clock()

    async def why_unready(self) -> str | None:
        """Return the reason why the server is not ready; None if it is ready."""
        if self._clock() - self._answered < _RECENT:
            return self._database.why_lost()
        with anyio.move_on_after(_TIMEOUT):
            return await anyio.to_thread.run_sync(
                self._database.why_unready, limiter=self._asks, abandon_on_cancel=True
            )
        return NO_ANSWER
