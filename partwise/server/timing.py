"""The durations of the phases of a request, for the header Server-Timing (https://www.w3.org/TR/server-timing/)."""

from collections.abc import Awaitable
from time import perf_counter
from typing import TypeVar

from storage.deadline import Deadline

T = TypeVar("T")


class Timing:
    """The phases of one request: receive, prepare, database, answer."""

    __slots__ = ("_answering", "_asking", "_database", "_received", "_start", "has_answer")

    def __init__(self) -> None:
        self._start = self._received = perf_counter()
        self._asking: float | None = None  # when the first use of the database began
        self._answering = 0.0  # when the last use of the database ended
        self._database = 0.0  # seconds
        self.has_answer = False  # True if the database has responded

    def received(self) -> None:
        """Record that the whole request was received."""
        self._received = perf_counter()

    def deadline(self, seconds: float) -> Deadline:
        """Return the deadline of the request, counted from the time when the whole request was received."""
        return Deadline(self._received + seconds)

    async def database(self, work: Awaitable[T]) -> T:
        """Wait for the database, and add the time to its phase."""
        begun = perf_counter()
        if self._asking is None:
            self._asking = begun
        try:
            answer = await work
            self.has_answer = True
            return answer
        finally:
            self._answering = perf_counter()
            self._database += self._answering - begun

    def header(self) -> bytes:
        """Return the value of the header, in milliseconds.

        If the database was not used, there are only `receive` and `total`.
        """
        end = perf_counter()
        receive, total = 1e3 * (self._received - self._start), 1e3 * (end - self._start)
        if self._asking is None:
            return b"receive;dur=%.3f, total;dur=%.3f" % (receive, total)
        return b"receive;dur=%.3f, prepare;dur=%.3f, database;dur=%.3f, answer;dur=%.3f, total;dur=%.3f" % (
            receive,
            1e3 * (self._asking - self._received),
            1e3 * self._database,
            1e3 * (end - self._answering),
            total,
        )
