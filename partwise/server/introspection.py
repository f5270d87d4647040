"""Introspection results: computed once per document, in a thread, one at a time, and cached in compressed form.

The schema does not change while the server runs, so the same document with the same variables always has the same
result. For 500 tables the result has 15 MB and takes 5 seconds of Python.
"""

import asyncio
import gzip
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import RLock
from time import monotonic
from typing import TypeVar

from storage.errors import QueryTooComplex, TimedOut

MOST_KEPT = 32 << 20  # bytes of all cached results, compressed
LEVEL = 4  # gzip level
_MINUTE = 60.0  # seconds

T = TypeVar("T")
Key = tuple[str, str | None, str]
"""A document, the name of its operation, and the operation's variables as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A result as JSON."""

    body: bytes
    has_run: bool
    has_errors: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A result compressed with gzip (RFC 1952)."""

    body: bytes

    def plain(self) -> bytes:
        """Return the uncompressed result, for clients that do not accept gzip."""
        return gzip.decompress(self.body)


class Introspections:
    """Computes introspection results in a thread of its own, one at a time, and caches those used most recently.

    At most `per_minute` results are computed in a minute. A request waits at most `timeout` seconds for one.
    """

    def __init__(self, *, per_minute: int, timeout: float, most: int = MOST_KEPT) -> None:
        self._per_minute, self._timeout, self._most = per_minute, timeout, most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="partwise-introspection")
        self._lock = RLock()  # requests come from several event loops (large_requests.py)
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._size = 0  # bytes of the cached results and their keys
        self._running: dict[Key, Future[Written | Kept]] = {}
        self._until: dict[Key, float] = {}  # when the last request that waits for it gives up
        self._begun: deque[float] = deque()  # when the results of the last minute were begun

    def close(self) -> None:
        """Cancel computations that have not begun, without waiting for the one that runs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def find(self, key: Key) -> Kept | None:
        """Return a cached result, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    async def answer(self, key: Key, execute: Callable[[], Written]) -> Written | Kept:
        """Return the result of an introspection. Requests for the same key share one computation.

        Raises `QueryTooComplex` and `TimedOut`.
        """
        with self._lock:
            found = self.find(key)
            if found is not None:
                return found
            running = self._running.get(key)
            if running is None:
                self._count()
                running = self._running[key] = self._thread.submit(self._compute, key, execute)
            self._until[key] = monotonic() + self._timeout
        return await self._wait(running)

    async def run(self, execute: Callable[[], Written]) -> Written:
        """Run a document that also has fields other than introspection. Raises `QueryTooComplex` and `TimedOut`."""
        with self._lock:
            self._count()
        until = monotonic() + self._timeout

        def execute_in_time() -> Written:
            _require_time(until)
            return execute()

        return await self._wait(self._thread.submit(execute_in_time))

    def _compute(self, key: Key, execute: Callable[[], Written]) -> Written | Kept:
        kept: Kept | None = None
        try:
            with self._lock:
                until = self._until[key]
            _require_time(until)
            written = execute()
            if written.has_errors:
                return written
            kept = Kept(gzip.compress(written.body, LEVEL, mtime=0))
            return kept
        finally:
            with self._lock:
                del self._running[key], self._until[key]
                if kept is not None:
                    self._keep(key, kept)

    def _keep(self, key: Key, kept: Kept) -> None:
        size = _size_of(key, kept)
        if size > self._most:
            return
        self._kept[key] = kept
        self._size += size
        while self._size > self._most:
            gone, old = self._kept.popitem(last=False)
            self._size -= _size_of(gone, old)

    def _count(self) -> None:
        now = monotonic()
        while self._begun and self._begun[0] <= now - _MINUTE:
            self._begun.popleft()
        if len(self._begun) >= self._per_minute:
            raise QueryTooComplex(
                f"The server computes at most {self._per_minute} new introspection results per minute"
                f" (introspections_per_minute), and has already computed {len(self._begun)}. Try again later, or send a"
                " document that was sent before, because its result is cached."
            )
        self._begun.append(now)

    async def _wait(self, running: "Future[T]") -> T:
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(running)), self._timeout)
        except TimeoutError:
            raise TimedOut(
                f"The introspection took longer than {self._timeout:g} seconds (timeout). It is still being computed. Try again."
            ) from None


def _require_time(until: float) -> None:
    """Validate that a request still waits for the result. Raises `TimedOut`."""
    if monotonic() >= until:
        raise TimedOut("The server was too busy to begin the introspection in time. Try again.")


def _size_of(key: Key, kept: Kept) -> int:
    return len(kept.body) + len(key[0]) + len(key[2])
