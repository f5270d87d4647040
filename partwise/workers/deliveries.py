"""Results from a thread for the event loop, which handles a few of them in each iteration."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

AT_ONCE = 32  # results in one iteration of the event loop: about 25 ms, with the batches that begin next


class Deliveries:
    """Results for one event loop, to which this does not refer, so that it can be freed.

    A group of a hundred batches ends at once. If all of their responses were written in one iteration, and as many
    batches began, other requests would wait for up to 100 ms.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_due = False

    def add(self, deliver: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        """Call a function in the event loop. Thread-safe."""
        with self._lock:
            self._waiting.append(deliver)
            if self._is_due:
                return
            with suppress(RuntimeError):  # the loop is closed, so nothing is awaited anymore
                loop.call_soon_threadsafe(self._deliver, loop)
                self._is_due = True

    def _deliver(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            some = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            self._is_due = bool(self._waiting)
        if self._is_due:
            loop.call_soon(self._deliver, loop)
        for deliver in some:
            deliver()
