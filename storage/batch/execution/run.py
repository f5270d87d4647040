"""One batch, from its first lock to its COMMIT: all of it, or nothing."""

import logging
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Generic, TypeVar

from storage.allowance import Allowance, size_of_values
from storage.batch.execution.bisection import TooManyRefused
from storage.batch.execution.bulk import Bulk
from storage.batch.execution.commit_triggers import late_failures
from storage.batch.execution.sequential import Sequential, TransactionLost
from storage.batch.execution.staged import Grouped, GroupRefused
from storage.batch.idempotency.receipts import NoReceipts, Receipt, Receipts, make_receipts, not_kept
from storage.batch.plan.blocks import Batch, DoneBlocks, ResultDetail
from storage.batch.plan.locks import lock_rows, wanted_rows
from storage.batch.plan.operations import Done, Failed, InvalidPart, Operation, Outcome, Part, Status
from storage.catalog.model import Catalog, Resource
from storage.connections.database import Database
from storage.connections.driver_errors import (
    Doubt,
    Locked,
    Retry,
    StatementRefused,
    Unprepared,
    Violation,
    locked,
    too_long,
)
from storage.connections.transaction import Transaction
from storage.deadline import Claim, Deadline
from storage.errors import OutcomeUnknown, PartErrorCode, RefusedAtCommit, RequestError, SerializationConflict, TimedOut
from storage.rows.doubts import settle, why_unread
from storage.rows.writer import Rows
from storage.sql import Unstorable

MAX_TRIES = 5
_FIRST_PAUSE = 0.02  # seconds; each further pause may be twice as long, with full jitter
_SAVEPOINT = "batch"
_MOST_REFUSALS = 4  # of groups, until all parts run one by one
_MOST_SUSPECTS = 6  # parts that run alone between groups
_SHARE = 0.75  # of the time that those before it have left, which one of a group may take
_JOB = "job"  # around each of the batches that share a transaction

logger = logging.getLogger("partwise")

T = TypeVar("T")
Read = Callable[[Rows, Outcome, str | None], T]
"""What else the answer needs, read as the batch left it, before its transaction ends.

With the name of a savepoint, each thing is read by itself: what the database refuses is an error of its own, and is rolled
back to that savepoint.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What a batch runs on."""

    database: Database
    catalog: Catalog
    secret: bytes = b""
    keeps_keys: bool = True  # whether batches may have idempotency keys
    groups: bool = True  # whether alike parts run in one statement; the answers are the same
    locks: bool = True  # whether rows are locked before the first part runs; without, each part locks its own
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[T]):
    """A batch to be run, and what its answer needs."""

    batch: Batch
    read: Read[T]
    dry_run: bool = False
    receipt: Receipt | None = None  # of a batch with an idempotency key; its rows are all shown; none of a dry run
    deadline: Deadline | None = None  # of its request
    claim: Claim = field(default_factory=Claim)  # whether it is run, or its client has been answered without
    reads_only: bool = False  # whether all parts are GETs, and there is no receipt to write


Ran = tuple[Outcome, T]


def run_batch(engine: Engine, job: Job[T], patience: float | None = None) -> Ran[T]:
    """Run all parts in one transaction. Raises a `RequestError` where nothing was written and nothing can be said of parts.

    With `patience`, it raises `Locked` if a lock is not given within so many seconds (PostgreSQL).
    """
    tries = 0
    while True:
        try:
            with _transaction(engine, job, patience) as transaction:
                ran = _run_in(transaction, engine, job)
                if ran[0].status is Status.COMMITTED and not ran[0].replayed:
                    _commit(transaction, job)
                return ran
        except _GroupLost as lost:
            _settle(engine, lost, job.batch, job.deadline)
            engine = replace(engine, groups=False, locks=False)
        except TransactionLost as lost:
            job = replace(job, batch=_set_aside(job.batch, lost))
        except NoReceipts as missing:
            tries += 1
            if tries == MAX_TRIES:  # another table has its name
                raise not_kept(missing) from missing
            make_receipts(engine.database, job.deadline)
        except Unprepared:
            pass  # at once: nobody else was in the way, and nothing is prepared now
        except Locked:  # it waits elsewhere
            raise
        except Retry as retry:
            tries += 1
            if tries == MAX_TRIES:
                raise SerializationConflict(
                    "The request conflicted with other requests repeatedly. Try again."
                ) from retry
            pause = random.uniform(0, _FIRST_PAUSE * 2**tries)  # noqa: S311  # jitter is no secret
            engine.sleep(pause if job.deadline is None else min(pause, job.deadline.left()))
        except (StatementRefused, Unstorable) as refused:  # not of a part, but of something that the answer reads
            raise _why_unread(engine, refused, job.deadline) from refused


def run_reading(engine: Engine, job: Job[T], patience: float | None = None) -> Ran[T]:
    """Run a batch that only reads, in one snapshot: it locks no row, and on SQLite it does not wait for the write lock.

    Raises a `RequestError`, and `Locked` as `run_batch` does.
    """

    def run() -> Ran[T]:
        with engine.database.read(job.deadline, patience=patience) as transaction:
            transaction.reads_only = True
            return _run_in(transaction, engine, job)

    while True:
        try:
            return engine.database.run_again(run)
        except _GroupLost as lost:
            _settle(engine, lost, job.batch, job.deadline)
            engine = replace(engine, groups=False)
        except (StatementRefused, Unstorable) as refused:
            raise _why_unread(engine, refused, job.deadline) from refused


@contextmanager
def _transaction(engine: Engine, job: Job[Any], patience: float | None) -> Iterator[Transaction]:
    """Begin the transaction of one batch. On SQLite a batch has begun once it has the file's lock, elsewhere at its COMMIT."""
    claim = job.claim
    with engine.database.write(
        job.deadline, patience=patience, is_wanted=lambda: not claim.is_withdrawn
    ) as transaction:
        if engine.database.dialect == "sqlite" and not claim.begin():
            raise locked()  # nobody hears it
        try:
            yield transaction
        except OutcomeUnknown:  # it may be written: nobody may call it off any more
            raise
        except Exception:
            claim.release()
            raise


Settle = Callable[[int, "Ran[Any] | Exception"], None]
"""Takes what became of a batch, by its place, as soon as it is known."""


def run_together(engine: Engine, jobs: Sequence[Job[Any]], settle: Settle) -> None:
    """Run batches that wait for SQLite's one writer in one transaction, so that they share its one wait for the disk.

    Each has a savepoint of its own and sees those before it. One that the shared transaction cannot bear is run alone. One
    that was withdrawn before it had begun is left out.
    """
    left: Iterable[int] = range(len(jobs))
    if len(jobs) > 1:
        try:
            left = _run_group(engine, jobs, settle)
        except Exception:  # whatever it is: each of them alone will say what its own error is
            logger.debug("Batches that were run together are run again, each alone", exc_info=True)
    for place in left:
        if not jobs[place].claim.is_withdrawn:
            settle(place, _run_alone(engine, jobs[place]))


def _run_group(engine: Engine, jobs: Sequence[Job[Any]], settle: Settle) -> list[int]:
    """Run each in its savepoint; return those that are to be run again, alone."""
    found: dict[int, Ran[Any] | Exception] = {}
    again: list[int] = []
    try:
        with engine.database.write(
            _latest(jobs), is_wanted=lambda: not all(job.claim.is_withdrawn for job in jobs)
        ) as transaction:
            for place, job in enumerate(jobs):
                if not job.claim.begin():
                    continue
                ran = _run_limited(transaction, engine, job, [jobs[each] for each in found])
                if ran is None:
                    job.claim.release()
                    again.append(place)
                else:
                    found[place] = ran
            transaction.commit()
    except OutcomeUnknown as unknown:  # running them again could write them twice
        found = {place: unknown if _is_committed(ran) else ran for place, ran in found.items()}
    except BaseException:
        for job in jobs:
            job.claim.release()
        raise
    for place, outcome in found.items():
        settle(place, outcome)
    return again


def _latest(jobs: Sequence[Job[Any]]) -> Deadline | None:
    """Return when the last of some batches has to be answered."""
    deadlines = [job.deadline for job in jobs if job.deadline is not None]
    return max(deadlines, key=lambda each: each.at) if len(deadlines) == len(jobs) else None


def _run_limited(
    transaction: Transaction, engine: Engine, job: Job[Any], before: Sequence[Job[Any]]
) -> Ran[Any] | RequestError | None:
    """Run one of a group; None if it is to be run alone.

    Those that have run before it wait for the common COMMIT: so it gets a part of the time that they have left.
    """
    now = perf_counter()
    own = math.inf if job.deadline is None else job.deadline.at
    others = min((each.deadline.at for each in before if each.deadline is not None), default=math.inf)
    limit = min(own, now + (others - now) * _SHARE)
    if limit <= now < own:
        return None
    transaction.limit_to(limit)
    transaction.savepoint(_JOB)
    ran = _run_in_savepoint(transaction, engine, job)
    transaction.limit_to(math.inf)
    if not _is_committed(ran):
        transaction.rollback_to(_JOB)
    transaction.release(_JOB)
    return None if isinstance(ran, TimedOut) and perf_counter() < own else ran


def _is_committed(ran: Ran[Any] | Exception | None) -> bool:
    return isinstance(ran, tuple) and ran[0].status is Status.COMMITTED


def _run_in_savepoint(transaction: Transaction, engine: Engine, job: Job[Any]) -> Ran[Any] | RequestError | None:
    try:
        return _run_in(transaction, engine, job)
    except RequestError as error:
        return error
    except Retry:
        return None


def _run_alone(engine: Engine, job: Job[Any]) -> Ran[Any] | Exception:
    try:
        return run_batch(engine, job)
    except Exception as error:  # noqa: BLE001  # it is raised where the batch's own request is answered
        return error


def _set_aside(batch: Batch, lost: TransactionLost) -> Batch:
    parts = [
        InvalidPart(index=part.index, faults=lost.faults, operation=part)
        if part.index == lost.index and isinstance(part, Operation)
        else part
        for part in batch.bind_all()
    ]
    return Batch(size=batch.size, bind_all=lambda: parts, shown=batch.shown)


class _GroupLost(Exception):
    """The database ended the transaction over a group of parts, or refused to lock what they address."""


def _settle(engine: Engine, lost: _GroupLost, batch: Batch, deadline: Deadline | None) -> None:
    """Check, in a transaction of its own, whether the batch's tables have changed. Raises `NotAsAtStart`."""
    refused = lost.__cause__
    if isinstance(refused, StatementRefused) and refused.doubt is Doubt.TABLE:
        with engine.database.read(deadline) as transaction:
            settle(Rows(transaction, engine.database, engine.secret), refused, _resources_of(batch.bind_all()), {})


def _why_unread(engine: Engine, refused: StatementRefused | Unstorable, deadline: Deadline | None) -> RequestError:
    """Return why the database did not read what a batch needs, in a transaction of its own: nothing is written."""
    with engine.database.read(deadline) as transaction:
        rows = Rows(transaction, engine.database, engine.secret)
        return why_unread(rows, refused, [*engine.catalog.resources.values()])


def _run_in(transaction: Transaction, engine: Engine, job: Job[T]) -> Ran[T]:
    """Run a batch in a transaction that has been begun; the caller commits it if the outcome says so."""
    transaction.count_anew()
    rows = Rows(transaction, engine.database, engine.secret)
    receipts = Receipts(transaction, engine.database)
    before = None if job.receipt is None else receipts.claim(job.receipt, engine.catalog)
    if before is not None:
        _count_answer(transaction.allowance, job.batch, [each for each in before.parts if isinstance(each, Done)])
        return before, _read(rows, job, before)
    outcomes = _run_blocks(engine, rows, job.batch) or _run_parts(engine, rows, job.batch)
    _count_answer(transaction.allowance, job.batch, outcomes)
    failed = [] if isinstance(outcomes, DoneBlocks) else [each for each in outcomes if isinstance(each, Failed)]
    if not failed and engine.catalog.checks_at_commit and not job.reads_only:
        failed = _check_deferred(engine, rows, job.batch)
    if failed:
        transaction.rollback_to(_SAVEPOINT)
        outcome = Outcome(status=Status.REJECTED, parts=[_with_current(rows, each) for each in failed])
        return outcome, _read(rows, job, outcome)
    if len(outcomes) != job.batch.size:
        raise AssertionError("a part was left out though none is in error: nothing may be committed")
    outcome = Outcome(status=Status.VALID if job.dry_run else Status.COMMITTED, parts=outcomes)
    if job.receipt is not None:
        receipts.complete(job.receipt, outcome)
    return outcome, _read(rows, job, outcome)


def _count_answer(allowance: Allowance, batch: Batch, outcomes: Sequence[Done | Failed]) -> None:
    """Count what is answered of the rows that parts address, and what is answered several times. Raises `QueryTooComplex`.

    Pages were counted when they were read. The other rows are looked at only if more was read than an answer may have.
    """
    if isinstance(outcomes, DoneBlocks):
        if batch.times > 1 and batch.shown is ResultDetail.ROWS:
            left = [each.left for each in outcomes.blocks if each.left is not None and each.status in _WITH_ROW]
            size = sum(size_of_values(column) for rows in left for column in rows.columns.values())
            allowance.show(max(batch.times * size - allowance.shown, 0))
        return
    if batch.times == 1 and not batch.more_of_row and allowance.own <= allowance.left:
        return
    done = [each for each in outcomes if isinstance(each, Done)]
    more = (batch.times - 1) * allowance.shown
    more += batch.more_of_row * sum(len(each.page.found) for each in done if each.page is not None)
    if batch.shown is ResultDetail.ROWS:
        answered = (each.row.values.values() for each in done if each.row is not None and each.status in _WITH_ROW)
        more += batch.times * sum(map(size_of_values, answered))
    allowance.show(more)


_WITH_ROW = frozenset({200, 201})


def _read(rows: Rows, job: Job[T], outcome: Outcome) -> T:
    """Read what the answer needs. A refused read does not hide the parts in error."""
    try:
        return job.read(rows, outcome, None)
    except (StatementRefused, Unstorable):
        if outcome.status is not Status.REJECTED:
            raise
    # What is committed is all that there is to see, as it was before this part of the answer was read.
    rows.transaction.count_anew()
    rows.transaction.rollback_to(_SAVEPOINT)
    return job.read(rows, outcome, _SAVEPOINT)


def _run_blocks(engine: Engine, rows: Rows, batch: Batch) -> Sequence[Done | Failed]:
    """Run the parts as blocks; nothing is written, and nothing given back, where that is not the way."""
    if not (engine.groups and batch.blocks):
        return ()
    bulk = Bulk(rows, engine.catalog, batch.blocks, batch.shown)
    try:
        if not bulk.prepare():
            return ()
    except (StatementRefused, Unstorable) as lost:  # a lock, or a key that is to be made
        raise _GroupLost from lost
    transaction = rows.transaction
    _set_savepoint(transaction, engine.catalog)
    try:
        outcomes = bulk.run()
        if outcomes is not None:
            return outcomes
        transaction.rollback_to(_SAVEPOINT)
        bulk.settle()
        if not bulk.recheck_after_refusal():
            return ()
        refused = bulk.refused()
    except (StatementRefused, Unstorable) as lost:  # with the transaction, or outside of a part's savepoint
        raise _GroupLost from lost
    except TooManyRefused:
        refused = []
    transaction.rollback_to(_SAVEPOINT)
    return _diagnose(engine, rows, batch, refused)


def _set_savepoint(transaction: Transaction, catalog: Catalog) -> None:
    """Set the savepoint after the locks.

    From here on triggers may run, and one that catches any error would take a lock time-out of ours for an answer of the
    database. So where there are triggers, locks are waited for until the deadline.
    """
    if catalog.has_triggers:
        transaction.wait_for_locks(_SAVEPOINT)
    else:
        transaction.savepoint(_SAVEPOINT)


def _diagnose(engine: Engine, rows: Rows, batch: Batch, refused: Sequence[int]) -> Sequence[Done | Failed]:
    """Return the errors of the refused parts, if the parts are independent; otherwise run all of them one by one."""
    if refused and batch.bind_only is not None:
        found = Sequential(rows, engine.catalog).run(batch.bind_only(refused))
        if all(isinstance(outcome, Failed) for outcome in found) and len(found) == len(refused):
            return found
        rows.transaction.rollback_to(_SAVEPOINT)
    return Sequential(rows, engine.catalog).run(batch.bind_all())


def _run_parts(engine: Engine, rows: Rows, batch: Batch) -> Sequence[Done | Failed]:
    """Lock what the parts are about, and run them: in groups, or (where the database refuses one) one by one."""
    catalog, transaction, parts = engine.catalog, rows.transaction, batch.bind_all()
    wanted = wanted_rows(catalog, parts)
    try:
        locked = list(lock_rows(rows, catalog, wanted)) if engine.locks else []
    except (StatementRefused, Unstorable) as refused:
        raise _GroupLost from refused
    _set_savepoint(transaction, catalog)
    suspects: set[int] | None = None
    for _ in range(_MOST_REFUSALS if engine.groups else 0):
        transaction.count_anew()
        grouped = Grouped(rows, catalog, with_rows=batch.shown is ResultDetail.ROWS, suspects=suspects)
        try:
            return grouped.run(parts, wanted, locked)
        except GroupRefused as refused:
            if refused.transaction_lost:
                raise _GroupLost from refused
            transaction.rollback_to(_SAVEPOINT)
            if suspects is not None and suspects.issuperset(refused.parts):
                break  # nothing new: one by one
            suspects = (suspects or set()).union(refused.parts)
            if len(suspects) > _MOST_SUSPECTS:
                break
    transaction.count_anew()
    return Sequential(rows, catalog).run(parts)


def _with_current(rows: Rows, failed: Failed) -> Failed:
    """Read the committed state of an item whose precondition failed: nothing of the batch is there any more."""
    if failed.current is None:
        return failed
    return replace(failed, current=rows.by_key(failed.current.resource, failed.current.key))


def _check_deferred(engine: Engine, rows: Rows, batch: Batch) -> list[Failed]:
    """Run the deferred checks that no row of ours reveals: constraint triggers.

    Raises `RefusedAtCommit` where no part is to blame for what it refuses.
    """
    try:
        rows.transaction.check_constraints()
    except StatementRefused as refused:
        rows.transaction.rollback_to(_SAVEPOINT)
        parts = batch.bind_all()
        if refused.doubt is not None:
            settle(rows, refused, _resources_of(parts), {})
        failed = late_failures(rows, engine.catalog, parts, _SAVEPOINT)
        if not failed:
            raise _at_commit(refused) from refused
        return failed
    return []


def _resources_of(parts: Sequence[Part]) -> list[Resource]:
    """List the resources of parts."""
    steps = (step for part in parts if isinstance(part, Operation) for step in part.address)
    return [*{step.resource.name: step.resource for step in steps}.values()]


def _commit(transaction: Transaction, job: Job[Any]) -> None:
    if not job.claim.begin():
        raise too_long()
    try:
        transaction.commit()
    except StatementRefused as refused:
        raise _at_commit(refused) from refused


def _at_commit(refused: StatementRefused) -> RequestError:
    code = {
        Violation.UNIQUE: PartErrorCode.CONFLICT,
        Violation.FOREIGN_KEY: PartErrorCode.MISSING_TARGET,
        Violation.CHECK: PartErrorCode.CHECK_FAILED,
        Violation.NOT_NULL: PartErrorCode.REQUIRED,
        Violation.VALUE: PartErrorCode.INVALID_VALUE,
        Violation.OTHER: PartErrorCode.REFUSED_BY_DATABASE,
    }[refused.violation]
    general = "A rule that the database checks at COMMIT rejected the batch. Nothing was written."
    return RefusedAtCommit(code, refused.said or general)
