"""One server process: uvicorn's server with our connections (protocol.py), and its shutdown.

SIGTERM drains: for `drain_seconds` the server continues to serve, while `/readyz` returns 503 and each response closes
its connection. Then it accepts no more connections, and requests that have begun have `shutdown_timeout` seconds.
SIGINT does not drain. A second signal ends the process at once.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

import uvicorn

from partwise.server.protocol import Config, SocketLimits, Sockets
from partwise.settings import Settings
from partwise.workers.soon import Soon
from storage.log import note

DRAINING = "draining"  # key in the state of requests: `/readyz` returns 503
INTERRUPTED = 2.0  # seconds that requests have after SIGINT
_TICK = 0.1  # seconds, as in uvicorn
_FILES_OF_A_CONNECTION = 4  # to the database: an SQLite file, its -wal and its -shm, or a socket
_OTHER_FILES = 64
_ACCEPTED = 16  # connections accepted at a time, because other processes may listen, too
_UNSENT = 65_536  # bytes of a connection that the kernel buffers besides those in flight; Linux's default is up to 4 MB
_MOMENT = 0.2  # seconds in which an idle thread ends


class Server(uvicorn.Server):
    """uvicorn's server, with draining before shutdown."""

    config: Config

    def __init__(
        self,
        config: Config,
        *,
        drain_seconds: float,
        shutdown_timeout: float,
        started: Callable[[], object] = lambda: None,
        signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
        dies_of_second: bool = True,
    ) -> None:
        super().__init__(config)
        self._signals = signals
        self._dies_of_second = dies_of_second
        self._drain_seconds = drain_seconds
        self._shutdown_timeout = shutdown_timeout
        self._tell_started = started
        self._signal: int | None = None  # the first one received
        self._ticks = 0
        self._listeners: list[socket.socket] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        self._listeners = [
            socket.socket(fileno=os.dup(each.fileno())) for server in self.servers for each in server.sockets
        ]
        for listener in self._listeners:
            listener.settimeout(0)
            _bound_unsent(listener)
        self.config.sockets.accept_more = Soon(self._accept_some)
        self._tell_started()

    async def on_tick(self, counter: int) -> bool:
        """Examine all connections once per second."""
        if counter % 10 == 0:
            self.config.sockets.sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle signals until the block ends.

        Unlike uvicorn, do not raise them again afterwards, so that the exit status is 0.
        """
        before = {each: signal.signal(each, self.handle_exit) for each in self._signals}
        yield
        for each, handler in before.items():
            signal.signal(each, handler)

    def handle_exit(self, sig: int, _frame: FrameType | None = None) -> None:
        """Shut down the server at the first signal; end the process at the second."""
        if self._signal is not None:
            if self._dies_of_second:
                die_of(sig)
            return
        self._signal = sig
        self.should_exit = True

    def interrupt(self) -> None:
        """Shut down the server as SIGINT does. Thread-safe."""
        if self._signal is None:
            self._signal = signal.SIGINT
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, wait for requests to end, and close."""
        clock = asyncio.get_running_loop().time
        is_interrupted = self._signal == signal.SIGINT
        self._announce_close()
        if not is_interrupted and self._drain_seconds:
            note("draining", "No new requests should be sent here.", level=logging.INFO, seconds=self._drain_seconds)
            await self._tick_until(clock() + self._drain_seconds, lambda: False)
        self._stop_listening(sockets or [])
        seconds = min(INTERRUPTED, self._shutdown_timeout) if is_interrupted else self._shutdown_timeout
        if not await self._tick_until(clock() + seconds, self._has_ended):
            requests, connections = len(self.server_state.tasks), len(self.server_state.connections)
            note("shutdown_cut", "Requests did not end in time.", requests=requests, connections=connections)
            for connection in list(self.server_state.connections):
                connection.cut()  # type: ignore[union-attr]  # all are of our class
            leave(0)
        await self.lifespan.shutdown()

    def _announce_close(self) -> None:
        self.lifespan.state[DRAINING] = True
        self.config.sockets.draining = True
        for connection in self.server_state.connections:
            connection.announce_close()  # type: ignore[union-attr]  # all are of our class

    async def _tick_until(self, end: float, is_done: Callable[[], bool]) -> bool:
        """Continue to serve until `is_done` returns True; return False if the time `end` is reached before."""
        loop = asyncio.get_running_loop()
        while not is_done():
            if loop.time() >= end:
                return False
            await asyncio.sleep(min(_TICK, end - loop.time()))
            self._ticks += 1
            await self.on_tick(self._ticks)
        return True

    def _has_ended(self) -> bool:
        """Close the connections without a request; return True if no connection or task is left."""
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            connection.stop(now)  # type: ignore[union-attr]  # all are of our class
        return not self.server_state.connections and not self.server_state.tasks

    def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Close the listening sockets, after accepting the connections in the backlog, which the kernel would reset."""
        for server in self.servers:
            server.close()
        for each in sockets:
            each.close()
        while self._accept_some():
            pass
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def _accept_some(self) -> bool:
        """Accept some of the connections in the backlog; return False if there was none."""
        accepted: list[socket.socket] = []
        for listener in self._listeners:
            with suppress(OSError):  # there are no more
                accepted.extend(listener.accept()[0] for _ in range(_ACCEPTED))
        for connection in accepted:
            self._serve_connection(connection)
        return bool(accepted)

    def _serve_connection(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.settimeout(0)
        protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
        )
        task = loop.create_task(loop.connect_accepted_socket(lambda: protocol, connection))
        task.add_done_callback(self.server_state.tasks.discard)
        self.server_state.tasks.add(task)  # type: ignore[arg-type]  # uvicorn only waits for it


def make_server(app: Any, settings: Settings, **options: Any) -> Server:
    """Create the server of one process."""
    limits = SocketLimits(
        header_timeout=settings.header_timeout,
        body_timeout=settings.body_timeout,
        min_data_rate=settings.min_data_rate,
        idle_timeout=settings.idle_timeout,
        max_connections=_fitting(settings),
        max_body=settings.max_body,
    )
    config = Config(app, Sockets(limits), **options_of(settings))
    drain = settings.seconds_to_drain
    return Server(config, drain_seconds=drain, shutdown_timeout=settings.shutdown_timeout, **options)


def options_of(settings: Settings) -> dict[str, Any]:
    """Return the options of uvicorn that follow from the settings."""
    return {
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "access_log": settings.log_level == "debug",
        "server_header": False,
    }


def _fitting(settings: Settings) -> int:
    """Raise the limit of open files as far as needed and allowed; return the number of connections that it permits."""
    if sys.platform == "win32":
        return settings.max_connections
    import resource  # noqa: PLC0415  # not available on Windows

    others = _OTHER_FILES + _FILES_OF_A_CONNECTION * settings.connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + others
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(ValueError, OSError):  # macOS has a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return settings.max_connections
    fitting = max(1, soft - others)
    note("few_files", "The limit of open files leaves fewer connections than max_connections.", connections=fitting)
    return fitting


def leave(status: int) -> NoReturn:
    """End the process without waiting for threads, because one may wait for a lock. The database rolls back."""
    logging.shutdown()
    with suppress(OSError, ValueError):  # the stream is closed
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def leave_threads() -> None:
    """End the process if a thread would delay its exit."""
    others = [each for each in threading.enumerate() if each is not threading.current_thread() and not each.daemon]
    for each in others:
        each.join(_MOMENT)
    if any(each.is_alive() for each in others):
        leave(0)


def die_of(sig: int) -> None:
    """End the process at once, with the default action of the signal."""
    signal.signal(sig, signal.SIG_DFL)
    os.kill(os.getpid(), sig)


def _bound_unsent(listener: socket.socket) -> None:
    """Limit the unsent bytes that the kernel buffers, so that clients that do not read use little memory (tcp(7)).

    Accepted connections inherit the limit. Unlike a smaller send buffer, it does not slow down distant clients.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT") and listener.family in {socket.AF_INET, socket.AF_INET6}:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
