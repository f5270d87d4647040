"""A supervisor for several server processes that share a port: it starts, monitors and stops them.

Unlike uvicorn's supervisor, it does not ping its workers. On a busy machine, that would kill workers that are still
importing modules.
"""

import gc
import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

import uvicorn

from partwise.server.uvicorn_server import INTERRUPTED, Server, die_of, leave, leave_threads, make_server, options_of
from partwise.settings import Settings, SettingsError
from storage.log import note

_STARTED, _INTERRUPT = "started", "interrupt"  # messages between the processes
_MARGIN = 5.0  # seconds beyond its shutdown time after which a worker is killed
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds until a worker that failed to start is started again
_START_FAILURE = 3  # exit status, the same as uvicorn's

_spawn = multiprocessing.get_context("spawn")


@dataclass(slots=True, kw_only=True)
class _Worker:
    """A server process, as seen by its parent."""

    process: SpawnProcess
    pipe: Connection
    has_started: bool = False

    def interrupt(self) -> None:
        with suppress(OSError):  # the process has ended already
            self.pipe.send(_INTERRUPT)


def serve_with_workers(settings: Settings) -> int:
    """Serve with several processes until a signal is received; return the exit status."""
    config = uvicorn.Config("", **options_of(settings))
    listener = config.bind_socket()
    listener.listen(config.backlog)
    return _Supervisor(settings.model_copy(update={"create_tables": False}), [listener]).run()


class _Supervisor:
    def __init__(self, settings: Settings, listeners: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._listeners = listeners
        self._workers: list[_Worker] = []
        self._has_started = False  # True once any worker has started
        self._pause = _FIRST_PAUSE
        self._to_start: list[float] = []  # the times at which workers are started again
        self._signals: list[int] = []  # received but not handled yet
        self._end: float | None = None  # the time at which workers that have not ended are killed
        self._status = 0

    def run(self) -> int:
        with self._listening() as wakeup:
            for _ in range(self._settings.workers):
                self._start()
            while self._workers or (self._to_start and self._end is None):
                self._step(wakeup)
        return self._status

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        """Receive signals until the block ends."""
        ours, theirs = socket.socketpair()
        theirs.settimeout(0)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        handlers = {each: signal.signal(each, self._receive) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            with ours, theirs:
                yield ours
        finally:
            signal.set_wakeup_fd(before)
            for each, handler in handlers.items():
                signal.signal(each, handler)

    def _receive(self, sig: int, _frame: FrameType | None) -> None:
        if self._end is not None or self._signals:
            for each in self._workers:
                each.process.kill()
            die_of(sig)
        self._signals.append(sig)

    def _step(self, wakeup: socket.socket) -> None:
        """Wait for the next signal, message, exit or timer, and handle it."""
        times = [*self._to_start, *([] if self._end is None else [self._end])]
        timeout = max(0.0, min(times) - time.monotonic()) if times else None
        by_object: dict[Any, _Worker] = {each.process.sentinel: each for each in self._workers}
        by_object |= {each.pipe: each for each in self._workers if not each.has_started}
        happened = wait([wakeup, *by_object], timeout)
        if wakeup in happened:
            wakeup.recv(4_096)
        while self._signals:
            self._stop(self._signals.pop())
        for each in happened:
            if each in by_object:
                self._hear(by_object[each])
        for worker in [each for each in self._workers if not each.process.is_alive()]:
            self._bury(worker)
        now = time.monotonic()
        if self._end is None:
            due = [each for each in self._to_start if each <= now]
            self._to_start = [each for each in self._to_start if each > now]
            for _ in due:
                self._start()
        elif now >= self._end:
            for worker in self._workers:
                note("worker_killed", "It did not end in time.", pid=worker.process.pid)
                worker.process.kill()
            self._end = now + _MARGIN

    def _start(self) -> None:
        ours, theirs = _spawn.Pipe()
        process = _spawn.Process(target=run_worker, args=(self._settings, list(self._listeners), theirs))
        process.start()
        theirs.close()
        self._workers.append(_Worker(process=process, pipe=ours))

    def _hear(self, worker: _Worker) -> None:
        with suppress(EOFError, OSError):  # the worker has ended
            if worker.pipe.poll() and worker.pipe.recv() == _STARTED:
                worker.has_started = self._has_started = True
                self._pause = _FIRST_PAUSE

    def _bury(self, worker: _Worker) -> None:
        """Remove a worker that has ended; schedule the start of another one, unless the supervisor is stopping."""
        self._workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        status = worker.process.exitcode
        if self._end is not None:
            return
        if not worker.has_started and not self._has_started:
            note("workers_failed", "A worker process could not start.", pid=worker.process.pid, exit_status=status)
            self._status = _START_FAILURE
            self._stop(signal.SIGINT)
            return
        pause = 0.0 if worker.has_started else self._pause
        if not worker.has_started:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        note("worker_ended", "Another one is started.", pid=worker.process.pid, exit_status=status, seconds=pause)
        self._to_start.append(time.monotonic() + pause)

    def _stop(self, sig: int) -> None:
        """Stop all workers."""
        for listener in self._listeners:
            listener.close()
        for worker in self._workers:
            if sig == signal.SIGINT and worker.has_started:
                worker.interrupt()
            else:
                worker.process.terminate()
        settings = self._settings
        seconds = INTERRUPTED if sig == signal.SIGINT else settings.seconds_to_drain + settings.shutdown_timeout
        self._end = time.monotonic() + seconds + _MARGIN


def run_worker(settings: Settings, listeners: list[socket.socket], pipe: Connection) -> None:
    """Serve in a worker process, until its parent stops it or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes; the parent forwards it
    gc.disable()  # as in cli.py
    from partwise.server.app import make_app  # noqa: PLC0415  # the parent does not need it again
    from partwise.service import open_service  # noqa: PLC0415  # the same

    gc.enable()
    try:
        app = make_app(open_service(settings), settings)
    except SettingsError as error:
        note("worker_failed", str(error))
        leave(_START_FAILURE)
    # A process group often receives a signal as a whole, and the parent sends another one: these two count as one.
    server = make_server(
        app, settings, started=lambda: pipe.send(_STARTED), signals=(signal.SIGTERM,), dies_of_second=False
    )
    threading.Thread(target=_obey, args=(pipe, server), daemon=True).start()
    server.run(listeners)
    leave_threads()


def _obey(pipe: Connection, server: Server) -> None:
    """Shut down the server when the parent sends a message or has ended."""
    with suppress(EOFError, OSError):
        pipe.recv()
    server.interrupt()
