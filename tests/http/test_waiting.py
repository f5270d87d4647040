"""Who waits for what, and who may end it: queues, claims, groups of batches, the watchdog, the log, each by itself."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from partwise.workers.contention import Contention
from partwise.workers.threads import Call, ClientGone, Slots, Workers
from storage.batch.conflicts.contended import RowLocks, row_locks, would_wait
from storage.batch.execution.run import Job, Ran, run_together
from storage.batch.plan.blocks import Batch
from storage.batch.plan.locks import Strength
from storage.catalog.model import Catalog
from storage.connections.control import Control
from storage.connections.database import Database, parse_url
from storage.connections.driver_errors import Locked
from storage.connections.transaction import Transaction
from storage.deadline import Claim, Deadline
from storage.errors import OutcomeUnknown, TimedOut
from storage.log import Occasionally
from storage.rows.key_refs import KeyRef
from tests.conftest import Serve
from tests.support.harness import Api, Backend
from tests.support.waiting import SCRIPT, locked

LONG, SHORT = 60.0, 0.1  # seconds


def call(seconds: float = LONG, gone: "asyncio.Event | None" = None) -> Call:
    """A request with so many seconds left, whose client goes at an event."""

    async def receive() -> Any:
        assert gone is not None
        await gone.wait()
        return {"type": "http.disconnect"}

    return Call(Deadline.after(seconds), None if gone is None else receive)


def in_a_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(work(), 30)

    asyncio.run(run())


async def until(found: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if found():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it has not come to that")


def test_slots_are_given_in_order_and_only_to_those_who_still_wait():
    async def work() -> None:
        slots, gone, served = Slots(1), asyncio.Event(), []
        assert slots.try_acquire()

        async def take(name: str, own: Call, *, first: bool = False) -> None:
            await slots.acquire(own, first=first)
            served.append(name)

        waiting = {
            "late": asyncio.create_task(take("late", call(SHORT))),
            "gone": asyncio.create_task(take("gone", call(gone=gone))),
            "second": asyncio.create_task(take("second", call())),
            "third": asyncio.create_task(take("third", call())),
        }
        await asyncio.sleep(0)
        waiting["first"] = asyncio.create_task(take("first", call(), first=True))
        await asyncio.sleep(0)
        assert (slots.held, slots.waiting) == (1, 5)
        assert not slots.try_acquire()
        gone.set()
        with pytest.raises(ClientGone):
            await waiting["gone"]
        with pytest.raises(TimedOut) as late:
            await waiting["late"]
        assert late.value.where == "queue"
        assert slots.waiting == 3
        assert slots.longest_wait() >= SHORT / 2
        for name in ("first", "second", "third"):
            slots.release()
            await waiting[name]
        assert served == ["first", "second", "third"]
        slots.release()
        assert (slots.held, slots.waiting, slots.longest_wait()) == (0, 0, 0.0)
        assert slots.try_acquire()

    in_a_loop(work)


def test_a_slot_that_was_given_to_somebody_who_is_canceled_goes_to_the_next():
    async def work() -> None:
        slots = Slots(1)
        assert slots.try_acquire()
        first, second = (asyncio.create_task(slots.acquire(call())) for _ in range(2))
        await asyncio.sleep(0)
        slots.release()
        first.cancel()
        await second
        assert (slots.held, slots.waiting) == (1, 0)

    in_a_loop(work)


@pytest.mark.parametrize(("is_begun", "error"), [(False, TimedOut), (True, OutcomeUnknown)])
def test_a_thread_that_does_not_come_back_is_answered_for_and_keeps_its_slot(*, is_begun: bool, error: type[Exception]):
    async def work() -> None:
        workers, ends, claim = Workers(1, commit_timeout=SHORT), threading.Event(), Claim()

        def stuck() -> None:
            assert not is_begun or claim.begin()
            ends.wait(20)

        with pytest.raises(error):
            await workers.run(stuck, call(SHORT), claim)
        assert claim.begin() is is_begun, "what was withdrawn is never begun"
        assert workers.slots.held == 1
        ends.set()
        assert await workers.run(lambda: "next", call()) == "next"
        workers.shut_down()

    in_a_loop(work)


def test_strengths_wait_for_each_other_as_in_postgresql():
    def clash(one: Strength, other: Strength) -> bool:
        row = KeyRef("Thing", ("id",), (1,))
        return would_wait({row: one}, {row: other}) and not would_wait({row: one}, {})

    kept, shared, changed, removed = Strength
    # https://www.postgresql.org/docs/current/explicit-locking.html#ROW-LOCK-COMPATIBILITY
    assert {(a, b) for a in Strength for b in Strength if clash(a, b)} == {
        *((kept, removed), (shared, changed), (shared, removed)),
        *((changed, shared), (changed, changed), (changed, removed)),
        *((removed, kept), (removed, shared), (removed, changed), (removed, removed)),
    }


def test_who_waits_for_locks_may_go_on_is_decided_once_for_all_that_come_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
):
    decisions = 0
    choose = Contention._choose

    def counted(contention: Contention) -> None:
        nonlocal decisions
        decisions += 1
        choose(contention)

    monkeypatch.setattr(Contention, "_choose", counted)

    async def work() -> None:
        workers = Workers(4)
        contention, held = Contention(workers), threading.Event()
        row: RowLocks = {KeyRef("Thing", ("id",), (1,)): Strength.UPDATE}

        def meets(patience: float | None) -> Callable[[], str]:
            def run() -> str:
                if patience is not None:
                    raise Locked
                held.wait(20)
                return "done"

            return run

        async def send() -> str:
            return await contention.run(meets, call(), None, lambda: row)

        first = asyncio.create_task(send())
        await until(lambda: contention.parked == 1 and decisions == 1)
        others = [asyncio.create_task(send()) for _ in range(60)]
        await until(lambda: contention.parked == 61)
        assert decisions == 2
        held.set()
        assert await asyncio.gather(first, *others) == ["done"] * 61
        workers.shut_down()

    in_a_loop(work)


def test_a_batch_of_many_parts_is_not_compared_with_those_that_wait():
    """The event loop compares: 40 batches of 1,000 parts would hold it up for 28 ms each time."""

    def parts() -> Sequence[Any]:
        raise AssertionError("they are not looked at")

    assert row_locks(Catalog(resources={}), Batch(size=51, bind_all=parts), None) == {}


@pytest.fixture
def things(sqlite: Backend, start: Serve) -> Api:
    sqlite.run(SCRIPT)
    return start(sqlite)


COUNT = "SELECT count(*) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n)"


def job(api: Api, deadline: Deadline | None, statement: str, *, seconds: float = 0.0) -> Job[str]:
    """A batch without parts, whose answer runs a statement and takes so many seconds of the database's time."""

    def read(rows: Any, _outcome: object, _savepoint: object) -> str:
        rows.transaction.execute(Control(statement))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:  # many statements, none of which is long
            rows.transaction.execute(Control(COUNT))
        return statement

    return Job(batch=Batch(size=0, bind_all=list), read=read, deadline=deadline)


def create(name: str) -> str:
    return f"INSERT INTO thing (name) VALUES ('{name}')"


def run_all(api: Api, *jobs: Job[str]) -> tuple[dict[int, Any], dict[int, float]]:
    found: dict[int, Any] = {}
    at: dict[int, float] = {}

    def settle(place: int, ran: Ran[Any] | Exception) -> None:
        found[place], at[place] = ran, time.perf_counter()

    run_together(api.service.engine, jobs, settle)
    return found, at


def test_a_long_batch_does_not_make_those_late_that_are_committed_with_it(things: Api, sqlite: Backend):
    soon, later = Deadline.after(2), Deadline.after(60)
    found, at = run_all(
        things,
        job(things, soon, create("short")),
        job(things, later, create("long"), seconds=4),
        job(things, later, create("other")),
    )
    assert at[0] < soon.at, "it has not waited for the long one"
    assert all(isinstance(ran, tuple) for ran in found.values()), found
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing WHERE id > 3")} == {"short", "long", "other"}


def test_a_batch_of_a_group_that_is_late_itself_takes_no_other_with_it(things: Api, sqlite: Backend):
    soon, later = Deadline.after(1), Deadline.after(60)
    found, _ = run_all(
        things,
        job(things, later, create("first")),
        job(things, soon, create("late"), seconds=3),
        job(things, later, create("last")),
    )
    assert isinstance(found[1], TimedOut)
    assert isinstance(found[0], tuple)
    assert isinstance(found[2], tuple)
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing WHERE id > 3")} == {"first", "last"}


def test_a_batch_that_was_withdrawn_is_not_begun_and_the_thread_does_not_wait_for_it(things: Api, sqlite: Backend):
    jobs = [job(things, Deadline.after(60), create(name)) for name in ("a", "b", "c")]
    jobs[1].claim.withdraw()
    found, _ = run_all(things, *jobs)
    assert sorted(found) == [0, 2]
    others = [job(things, Deadline.after(60), create(name)) for name in ("d", "e")]
    with locked(sqlite):
        threading.Timer(0.3, lambda: [each.claim.withdraw() for each in others]).start()
        assert run_all(things, *others) == ({}, {}), "it does not wait for the lock until the deadline"
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing WHERE id > 3")} == {"a", "c"}


def test_a_batch_that_is_withdrawn_while_it_runs_is_not_committed(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    api = start(postgresql)
    one = job(api, Deadline.after(60), "INSERT INTO thing (id, name) VALUES (100, 'new')")

    def read(rows: Any, outcome: Any, savepoint: str | None) -> str:
        assert one.claim.withdraw()
        return one.read(rows, outcome, savepoint)

    withdrawn = replace(one, read=read)
    found, _ = run_all(api, withdrawn)
    assert isinstance(found[0], TimedOut)
    assert postgresql.rows("SELECT count(*) FROM thing") == [(3,)]


@pytest.mark.parametrize("together", [1, 2])
def test_a_batch_whose_outcome_is_unknown_cannot_be_called_off(
    backend: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch, together: int
):
    def lost(_transaction: Transaction) -> None:
        raise OutcomeUnknown("The connection to the database was lost during COMMIT.")

    backend.run(SCRIPT)
    api = start(backend)
    jobs = [job(api, Deadline.after(60), "SELECT 1") for _ in range(together)]
    monkeypatch.setattr(Transaction, "commit", lost)

    found, _ = run_all(api, *jobs)

    assert [type(each) for each in found.values()] == [OutcomeUnknown] * together
    assert not any(each.claim.withdraw() for each in jobs)


def _sleep(transaction: Transaction) -> None:
    """Run many statements, none of which is long."""
    for _ in range(30):
        transaction.execute(Control("SELECT pg_sleep(0.1)"))


def test_a_canceled_connection_is_never_used_again(postgresql: Backend):
    postgresql.run(SCRIPT)
    database = Database(parse_url(postgresql.url), connections=1)
    pids = []
    for seconds in (0.3, LONG):
        with database.write(Deadline.after(seconds)) as transaction:
            pids.append(transaction.execute(Control("SELECT pg_backend_pid()")).rows)
            if seconds < LONG:
                with pytest.raises(TimedOut):
                    _sleep(transaction)
    database.close()
    assert pids[0] != pids[1]


def test_events_that_come_in_thousands_are_a_line_a_second_with_their_number(caplog: pytest.LogCaptureFixture):
    log = Occasionally(pause=0.3)
    with caplog.at_level(logging.INFO, "partwise"):
        for n in range(1_000):
            log.note("often", "It came.", number=n)
        log.note("seldom")
        deadline = time.monotonic() + 10
        while len(caplog.records) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.4)
        log.note("seldom")
    lines = [each.getMessage() for each in caplog.records]
    assert lines == ["often: It came. number=0", "seldom", "often: It came. number=999 count=999", "seldom"]
