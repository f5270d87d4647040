"""A watchdog that ends statements which neither the server nor the network ends by itself.

It cancels a statement that exceeds its deadline, and then closes the connection.

`statement_timeout` applies to each statement, and no timeout of the server helps if the network drops a packet.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from time import perf_counter

import psycopg

_TICK = 0.1  # seconds between two checks: watched threads do not wake the watchdog
GRACE = 0.15  # seconds: the server's own timeouts come first, because they leave the connection usable
_FOR_CANCELING = 0.4  # seconds until the connection is closed
_SYNCHRONOUS_REPLICATION = (
    "SyncRepWaitForLSN"  # the function of PostgreSQL that stops waiting for a standby, and sends a notice
)


class Line:
    """A duplicate of a connection's socket.

    libpq's own descriptor is not safe to use: once libpq has closed it, its number may belong to another file.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._socket: socket.socket | None = socket.socket(fileno=os.dup(connection.fileno()))
        self._lock = threading.Lock()
        self.is_unreplicated = False  # True if a COMMIT succeeded although no standby has confirmed it
        connection.add_notice_handler(self._hear)

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_function == _SYNCHRONOUS_REPLICATION:
            self.is_unreplicated = True

    def cut(self) -> None:
        """Shut the connection down, so that a thread that waits for a response gets an error at once."""
        with self._lock, suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the duplicate of the socket, before the connection is closed."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class Watch:
    """One use of a connection, until `release`."""

    __slots__ = ("_cancels", "_cut_at", "_watchdog", "driver", "ends", "is_over", "line")

    def __init__(self, watchdog: "Watchdog", driver: psycopg.Connection, line: Line, ends: float) -> None:
        self._watchdog = watchdog
        self.driver = driver
        self.line = line
        self.ends = ends  # on the clock of `perf_counter`; may be set while it is watched
        self.is_over = (
            False  # True if it was ended; then the connection must not be reused, because a cancel may still arrive
        )
        self._cancels = True
        self._cut_at = 0.0

    def release(self) -> bool:
        """Stop watching. Return False if the connection was discarded meanwhile."""
        return self._watchdog.release(self)

    def begin_commit(self, seconds: float) -> bool:
        """Watch a COMMIT, which is never canceled and may take this many seconds more.

        Return False if it must not be sent anymore.
        """
        if not self._watchdog.release(self):
            return False
        self.ends = max(self.ends, perf_counter()) + seconds
        self._cancels = False
        self.line.is_unreplicated = False  # may be set by an earlier COMMIT
        self._watchdog.add(self)
        return True

    def end(self) -> None:
        """Cancel the running statement, or close the connection if it is a COMMIT."""
        self.is_over = True
        self._cut_at = perf_counter() + (_FOR_CANCELING if self._cancels else 0.0)
        if self._cancels:
            try:
                threading.Thread(target=self._cancel, name="partwise-cancel", daemon=True).start()
            except RuntimeError:  # no more threads can be started
                self._cut_at = 0.0

    def _cancel(self) -> None:
        with suppress(psycopg.Error, OSError):
            self.driver.cancel_safe(timeout=_FOR_CANCELING)

    def cut_if_due(self, now: float) -> bool:
        """Close the connection if canceling did not help. Return False if it is too early for that."""
        if now < self._cut_at:
            return False
        self.line.cut()
        return True


class Watchdog:
    """A thread that watches all connections of a database that are in use."""

    def __init__(self) -> None:
        # A dictionary, because its operations are atomic: either the watchdog or the user of a watch removes it, not
        # both.
        self._watches: dict[Watch, None] = {}
        self._is_used = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def watch(self, driver: psycopg.Connection, line: Line, deadline: float) -> Watch:
        """Watch a use of a connection. It is ended at the deadline, or shortly after."""
        watch = Watch(self, driver, line, deadline + GRACE)
        self.add(watch)
        return watch

    def add(self, watch: Watch) -> None:
        """Start watching."""
        self._watches[watch] = None
        if not self._is_used.is_set():
            self._wake()

    def release(self, watch: Watch) -> bool:
        """Stop watching. Return False if the watch was already ended."""
        return self._watches.pop(watch, self) is None

    def _wake(self) -> None:
        with self._starting:
            self._is_used.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="partwise-watchdog", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        over: list[Watch] = []
        while not self._is_closed:
            if not (self._watches or over):
                self._is_used.clear()
                if not self._watches and not self._is_closed:  # a watch may have been added before the flag was cleared
                    self._is_used.wait()
            time.sleep(_TICK)
            now = perf_counter()
            for watch in self._watches.copy():  # one operation of C, so that other threads may add and remove meanwhile
                if watch.ends < now and self.release(watch):
                    watch.end()
                    over.append(watch)
            over = [watch for watch in over if not watch.cut_if_due(now)]

    def close(self) -> None:
        """Stop the thread."""
        with self._starting:
            self._is_closed = True
            self._is_used.set()
