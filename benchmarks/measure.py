"""Measures all targets on one kind of database in alternation: times, throughput, round trips, memory."""

import asyncio
import gc
import importlib.util
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import sqlalchemy as sa

from benchmarks import floor_postgresql, floor_sqlite
from benchmarks.cases import CLIENTS, Case, cases_of
from benchmarks.client import Connection, load, to_request
from benchmarks.databases import Database, Kind, open_database
from benchmarks.servers import Server, running
from benchmarks.targets import FLOOR, PARTWISE, Selection, Target, WrongAnswer
from benchmarks.wire import counting
from benchmarks.work import BASE, SMALL_CREATES, SMALL_UPDATES, Reading, Work, parts_of, small, state_after

T = TypeVar("T")
R = TypeVar("R")
Do = Callable[[Work], None]

ALONE = "driver alone"
_HAVE_ALONE = ("W1", "W2", "W3", "W4", "W6", "W6n")
_WARM_UPS = 6  # batches until psycopg has prepared its statements (after five) and memory is warm
_SETTLE = 0.05  # seconds for the work that a server does after its response
_BATCHES_PER_CLIENT = 12  # batches that update different employees
_TAG = "#########"  # placeholder for the number of the batch in a prepared request


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The workloads to measure, and the numbers of rounds, sizes and seconds."""

    workloads: Sequence[str]
    rounds: int
    sizes: Sequence[int]
    load_seconds: float
    load_rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The results on one kind of database. Targets are identified by their names."""

    kind: Kind
    cases: Sequence[Case]
    times: dict[tuple[Case, str], list[float]] = field(default_factory=dict)  # milliseconds, by round
    throughput: dict[str, list[float]] = field(default_factory=dict)  # batches per second, by round
    round_trips: dict[tuple[Case, str], int] = field(default_factory=dict)  # per request
    memory: dict[tuple[Case, str], int] = field(default_factory=dict)  # peak, in bytes above the idle server


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A target that runs on its own database."""

    target: Target
    server: Server
    database: Database
    turns: Iterator[int]

    def batches(self, case: Case) -> list[Work]:
        """Return the next batches of a case."""
        return [case.work(next(self.turns)) for _ in range(case.batches)]

    def requests(self, batches: Sequence[Work], selection: Selection) -> list[bytes]:
        """Return the HTTP requests for batches."""
        return [self.target.to_request(self.server.port, work, selection) for work in batches]


def measure(kind: Kind, plan: Plan, folder: Path, server: sa.URL | None, say: Callable[[str], None]) -> Measured:
    """Measure everything on one kind of database. Raises `WrongAnswer`."""
    measured = Measured(kind=kind, cases=cases_of(plan.workloads, plan.sizes))
    turns = count(1)
    with ExitStack() as stack:
        subjects = [stack.enter_context(started(target, kind, folder, server, turns)) for target in (FLOOR, PARTWISE)]
        say(f"{kind}: memory")
        for subject in subjects:
            _measure_memory_of_growing(measured, subject)
            _measure_memory_of_reading(measured, subject)
        alone = stack.enter_context(_alone(kind, subjects[0].database))
        for number in range(plan.rounds + 1):
            say(f"{kind}: round {number} of {plan.rounds}" if number else f"{kind}: warming up")
            measure_times(measured, subjects, alone, number)
        if "W4" in plan.workloads:
            say(f"{kind}: throughput")
            measure_throughput(measured, subjects, plan)
        if kind is Kind.POSTGRESQL:
            say(f"{kind}: round trips")
            for subject in subjects:
                _count_round_trips(measured, subject)
    return measured


@contextmanager
def started(target: Target, kind: Kind, folder: Path, server: sa.URL | None, turns: Iterator[int]) -> Iterator[Subject]:
    """Run a target on its own database until the block ends."""
    with (
        open_database(kind, target.name.lower(), folder, server) as database,
        running(target.command(kind), target.environment(database.url)) as process,
    ):
        yield Subject(target=target, server=process, database=database, turns=turns)


# Times


def measure_times(measured: Measured, subjects: Sequence[Subject], alone: Do | None, number: int) -> None:
    """Measure all cases once. Round 0 is not recorded, because it includes one-time work."""
    gc.collect()
    for case in measured.cases:
        found = {}
        for subject in subjects if number % 2 else reversed(subjects):
            found[subject.target.name] = _time(subject, case)
        if alone is not None and case.workload in _HAVE_ALONE and case.selection is Selection.LEAN:
            found[ALONE] = _time_alone(alone, subjects[0], case)
        for name, milliseconds in found.items():
            if number:
                measured.times.setdefault((case, name), []).append(milliseconds)


def _time(subject: Subject, case: Case) -> float:
    """Return the median time of a case's batches on fresh tables, in milliseconds. Raises `WrongAnswer`.

    A time is that from sending a request to receiving the last byte of its response.
    """
    batches = subject.batches(case)
    requests = subject.requests(batches, case.selection)
    subject.database.reset()
    with Connection(subject.server.port) as connection:
        connection.ask(to_request(subject.server.port, "/", b""))  # any response will do: the connection is then in use
        answers, milliseconds = _clock(connection.ask, requests)
    for answer, work in zip(answers, batches, strict=True):
        subject.target.check(answer, work, case.selection)
    _check_state(subject.target.name, case, subject.database, batches)
    return milliseconds


def _time_alone(alone: Do, subject: Subject, case: Case) -> float:
    """Return the same time for the driver only, without HTTP. Raises `WrongAnswer`."""
    batches = subject.batches(case)
    subject.database.reset()
    _, milliseconds = _clock(alone, batches)
    _check_state(ALONE, case, subject.database, batches)
    return milliseconds


def _clock(do: Callable[[T], R], given: Sequence[T]) -> tuple[list[R], float]:
    """Call `do` for each item; return the results, and the median of the times in milliseconds."""
    results, times = [], []
    with _without_garbage_collection():
        for each in given:
            start = time.perf_counter()
            result = do(each)
            times.append(time.perf_counter() - start)
            results.append(result)
    return results, statistics.median(times) * 1_000


def _check_state(name: str, case: Case, database: Database, batches: Sequence[Work]) -> None:
    expected = BASE if case.is_refused else state_after([part for work in batches for part in parts_of(work)])
    if database.state() != expected:
        raise WrongAnswer(f"{case.workload}, {name}: the table holds {database.state()} and not {expected}")


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _alone(kind: Kind, database: Database) -> Iterator[Do]:
    """Yield a function that runs the work in this process, with only the driver."""
    if kind is Kind.SQLITE:
        with closing(floor_sqlite.open_connection(database.place)) as file:
            yield partial(_do_on_sqlite, file)
        return
    with _runner() as runner:
        connection = runner.run(asyncpg.connect(database.place))
        yield lambda work: runner.run(_do_on_postgresql(connection, work))
        runner.run(connection.close())


def _do_on_sqlite(connection: sqlite3.Connection, work: Work) -> None:
    if isinstance(work, Reading):
        floor_sqlite.read_items(connection, work.collection, work.first)
    else:
        floor_sqlite.run_parts(connection, work)


async def _do_on_postgresql(connection: Any, work: Work) -> None:
    if isinstance(work, Reading):
        await floor_postgresql.read_items(connection, work.collection, work.first)
    else:
        await floor_postgresql.run_parts(connection, work)


def _runner() -> asyncio.Runner:
    """Return a runner with the servers' kind of event loop: uvicorn uses uvloop if it is installed."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.Runner()
    uvloop = importlib.import_module("uvloop")
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


# Throughput


def measure_throughput(measured: Measured, subjects: Sequence[Subject], plan: Plan) -> None:
    """Measure the batches per second of each subject with 16 clients, in alternation. Raises `WrongAnswer`."""
    numbers = count(1)
    for number in range(plan.load_rounds):
        for subject in subjects if number % 2 else reversed(subjects):
            found = _throughput(subject, plan.load_seconds, numbers)
            measured.throughput.setdefault(subject.target.name, []).append(found)


def _throughput(subject: Subject, seconds: float, numbers: Iterator[int]) -> float:
    """Return the batches per second of a server with 16 clients. No two clients update the same employee.

    Raises `WrongAnswer`.
    """
    callers = [
        _caller(subject, range(client * _BATCHES_PER_CLIENT, (client + 1) * _BATCHES_PER_CLIENT), numbers)
        for client in range(CLIENTS)
    ]
    subject.database.reset()
    gc.collect()
    with _runner() as runner, _without_garbage_collection():
        done, elapsed = runner.run(load(subject.server.port, callers, subject.target.committed, seconds))
    state = subject.database.state()
    added, changed = state.count - BASE.count, state.versions - state.count
    if (added, changed) != (done * SMALL_CREATES, done * SMALL_UPDATES):
        raise WrongAnswer(f"{subject.target.name} answered {done} small batches, and wrote {added} and {changed} rows.")
    return done / elapsed


def _caller(subject: Subject, places: Sequence[int], numbers: Iterator[int]) -> Callable[[], bytes]:
    """Return a function that creates a client's requests by inserting a number into one of a few prepared texts."""
    requests = subject.requests([small(place, _TAG) for place in places], Selection.LEAN)
    texts = [request.split(_TAG.encode()) for request in requests]

    def to_next() -> bytes:
        number = next(numbers)
        return (b"%0*d" % (len(_TAG), number)).join(texts[number % len(texts)])

    return to_next


# Memory and round trips


def _measure_memory_of_growing(measured: Measured, subject: Subject) -> None:
    """Measure the peak memory of a server that was just started, for increasing sizes."""
    growing = [case for case in measured.cases if case.size is not None]
    if growing:
        _measure_memory(measured, subject, growing[0], growing)


def _measure_memory_of_reading(measured: Measured, subject: Subject) -> None:
    """Measure the peak memory of servers that have read single items only.

    A server that has read more keeps the memory for it.
    """
    target = subject.target
    for case in measured.cases:
        if case.reads:
            with running(target.command(measured.kind), target.environment(subject.database.url)) as server:
                _measure_memory(measured, replace(subject, server=server), _of_one_item(case), [case])


def _of_one_item(case: Case) -> Case:
    """Return a case that reads only one item."""

    def read(turn: int) -> Work:
        work = case.work(turn)
        return replace(work, items=work.items[:1]) if isinstance(work, Reading) else work

    return replace(case, work=read)


def _measure_memory(measured: Measured, subject: Subject, first: Case, cases: Sequence[Case]) -> None:
    """Measure the peak memory of a server that was warmed up with another case."""
    with Connection(subject.server.port) as connection:
        _warm_up(subject, connection, first)
        subject.server.forget_peak()
        idle = subject.server.peak()
        for case in cases:
            requests = subject.requests(subject.batches(case), case.selection)
            subject.server.forget_peak()
            connection.ask(requests[0])
            measured.memory[case, subject.target.name] = subject.server.peak() - idle


def _count_round_trips(measured: Measured, subject: Subject) -> None:
    """Count the round trips of a request to PostgreSQL, on an otherwise idle server."""
    target = subject.target
    with counting(sa.make_url(subject.database.url)) as proxy:
        url = proxy.url.render_as_string(hide_password=False)
        with running(target.command(measured.kind), target.environment(url)) as server:
            counted = replace(subject, server=server)
            for case in measured.cases:
                if case.size is not None:
                    continue
                with Connection(server.port) as connection:
                    _warm_up(counted, connection, case)
                    request = counted.requests(counted.batches(case), case.selection)[0]
                    before = proxy.round_trips
                    connection.ask(request)
                    time.sleep(_SETTLE)
                    measured.round_trips[case, target.name] = proxy.round_trips - before


def _warm_up(subject: Subject, connection: Connection, case: Case) -> None:
    for _ in range(_WARM_UPS):
        connection.ask(subject.requests(subject.batches(case), case.selection)[0])
        subject.database.reset()
