"""The log of the engine: one line for each event, with facts, but without values of rows or secrets."""

import logging
import threading
from time import perf_counter

logger = logging.getLogger("partwise")

_PAUSE = 1.0  # seconds between two lines of one event


def note(event: str, message: str = "", /, *, level: int = logging.WARNING, **facts: str | float | None) -> None:
    """Log one event as one line: its name in snake_case, a sentence for the operator, and its facts as `name=value`.

    Facts are names, codes and counts: SQLSTATEs, tables, roles, settings. Text is quoted and escaped, so that an event
    stays on one line. Facts that are None are omitted. Values of rows, of requests and of settings with passwords are
    never facts.
    """
    told = [f"{name}={value!r}" for name, value in facts.items() if value is not None]
    sentence = f"{event}: {message}" if message else event
    logger.log(level, "%s", " ".join([sentence, *told]))


class Occasionally:
    """A log for events that may occur thousands of times.

    It writes at most one line per second and event, with the number of occurrences.
    """

    def __init__(self, pause: float = _PAUSE) -> None:
        self._pause = pause
        self._held: dict[
            str, tuple[int, str, int, dict[str, str | float | None]]
        ] = {}  # event -> the latest occurrence that is not logged yet
        self._last: dict[str, float] = {}  # event -> time of its last line
        self._lock = threading.Lock()

    def note(
        self, event: str, message: str = "", /, *, level: int = logging.WARNING, **facts: str | float | None
    ) -> None:
        """Log an event as `note` does, at once or within a second.

        If the line covers several occurrences, it has a `count`.
        """
        with self._lock:
            now = perf_counter()
            wait = self._last.get(event, -self._pause) + self._pause - now
            if wait > 0:
                count = self._held[event][0] if event in self._held else 0
                if not count:
                    timer = threading.Timer(wait, self._flush, (event,))
                    timer.daemon = True
                    timer.start()
                self._held[event] = count + 1, message, level, facts
                return
            self._last[event] = now
        note(event, message, level=level, **facts)

    def _flush(self, event: str) -> None:
        with self._lock:
            count, message, level, facts = self._held.pop(event)
            self._last[event] = perf_counter()
        note(event, message, level=level, **facts, count=count if count > 1 else None)


note_occasionally = Occasionally().note
