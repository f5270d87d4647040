"""Runs one batch, from its first lock to its COMMIT: all of it, or nothing."""

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
from storage.batch.plan.operations import SHOWS_ITEM, Done, Failed, InvalidPart, Operation, Outcome, Part, Status
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
from storage.session import Session
from storage.sql import UNRESTRICTED, Access, Unstorable, statements_of

MAX_TRIES = 5
_FIRST_PAUSE = 0.02  # seconds; each further pause may be twice as long, with full jitter
_SAVEPOINT = "batch"
_MOST_REFUSALS = 4  # of groups, before all parts run one by one
_MOST_SUSPECTS = 6  # parts that run alone between groups
_SHARE = 0.75  # share of the time left to the earlier batches of a group that the next one may use
_JOB = "job"  # savepoint around each of the batches that share a transaction

logger = logging.getLogger("partwise")

T = TypeVar("T")
Read = Callable[[Rows, Outcome, str | None], T]
"""A function that reads what else the response needs, as the batch left it, before its transaction ends.

With the name of a savepoint, each item is read separately. A refused read is an error of its own, and is rolled back to
that savepoint.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The database, catalog and options with which batches run."""

    database: Database
    catalog: Catalog
    secret: bytes = b""
    keeps_keys: bool = True  # True if batches may have idempotency keys
    groups: bool = True  # True if similar parts run in one statement; the responses are the same
    locks: bool = True  # True if rows are locked before the first part runs; otherwise each part locks its own
    access: Access = UNRESTRICTED
    sleep: Callable[[float], None] = time.sleep

    def session(self, transaction: Transaction) -> Session:
        """Open a session in a transaction that has begun."""
        statements = statements_of(self.database.dialect, self.access)
        return Session(transaction=transaction, statements=statements, secret=self.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[T]):
    """A batch to run, and what its response needs."""

    batch: Batch
    read: Read[T]
    dry_run: bool = False
    receipt: Receipt | None = None  # of a batch with an idempotency key, whose rows are all shown; None for a dry run
    deadline: Deadline | None = None  # of its request
    claim: Claim = field(default_factory=Claim)  # decides between running the batch and answering its client without it
    reads_only: bool = False  # True if all parts are GETs, and no receipt is written


Ran = tuple[Outcome, T]


def run_batch(engine: Engine, job: Job[T], patience: float | None = None) -> Ran[T]:
    """Run all parts in one transaction. Raises a `RequestError` if nothing was written and no part can be reported.

    With `patience`, raises `Locked` if a lock is not acquired within that many seconds (PostgreSQL).
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
            pass  # retry at once: there was no conflict, and no statement is prepared now
        except Locked:  # the caller retries elsewhere
            raise
        except Retry as retry:
            tries += 1
            if tries == MAX_TRIES:
                raise SerializationConflict(
                    "The request conflicted with other requests repeatedly. Try again."
                ) from retry
            pause = random.uniform(0, _FIRST_PAUSE * 2**tries)  # noqa: S311  # jitter is not a secret
            engine.sleep(pause if job.deadline is None else min(pause, job.deadline.left()))
        except (StatementRefused, Unstorable) as refused:  # not in a part, but in a read for the response
            raise _why_unread(engine, refused, job.deadline) from refused


def run_reading(engine: Engine, job: Job[T], patience: float | None = None) -> Ran[T]:
    """Run a batch that only reads, in one snapshot. It locks no rows, and does not wait for the write lock of SQLite.

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
    """Begin the transaction of one batch, and yield it.

    On SQLite, a batch counts as begun once it has the file's lock; on PostgreSQL, at its COMMIT.
    """
    claim = job.claim
    with engine.database.write(
        job.deadline, patience=patience, is_wanted=lambda: not claim.is_withdrawn
    ) as transaction:
        if engine.database.dialect == "sqlite" and not claim.begin():
            raise locked()  # the client has already been answered
        try:
            yield transaction
        except OutcomeUnknown:  # it may be written, so it can no longer be withdrawn
            raise
        except Exception:
            claim.release()
            raise


Settle = Callable[[int, "Ran[Any] | Exception"], None]
"""A function that receives the result or error of a batch, by its index, as soon as it is known."""


def run_together(engine: Engine, jobs: Sequence[Job[Any]], settle: Settle) -> None:
    """Run batches that wait for SQLite's single writer in one transaction, so that they share one wait for the disk.

    Each has its own savepoint and sees the batches before it. A batch that cannot run in the shared transaction runs
    alone. A batch that was withdrawn before it began is skipped.
    """
    left: Iterable[int] = range(len(jobs))
    if len(jobs) > 1:
        try:
            left = _run_group(engine, jobs, settle)
        except Exception:  # any error: each batch reports its own when it runs alone
            logger.debug("Batches that were run together are run again, each alone", exc_info=True)
    for place in left:
        if not jobs[place].claim.is_withdrawn:
            settle(place, _run_alone(engine, jobs[place]))


def _run_group(engine: Engine, jobs: Sequence[Job[Any]], settle: Settle) -> list[int]:
    """Run each batch in its savepoint; return the indexes of those that must run again, alone."""
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
    """Return the latest deadline of some batches; None if one of them has no deadline."""
    deadlines = [job.deadline for job in jobs if job.deadline is not None]
    return max(deadlines, key=lambda each: each.at) if len(deadlines) == len(jobs) else None


def _run_limited(
    transaction: Transaction, engine: Engine, job: Job[Any], before: Sequence[Job[Any]]
) -> Ran[Any] | RequestError | None:
    """Run one batch of a group; return None if it must run alone.

    The batches that ran before it wait for the common COMMIT, so it gets a share of the time that they have left.
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
    except Exception as error:  # noqa: BLE001  # raised when the batch's own request is answered
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
    """The database ended the transaction because of a group of parts, or refused to lock the rows they address."""


def _settle(engine: Engine, lost: _GroupLost, batch: Batch, deadline: Deadline | None) -> None:
    """Check in a separate transaction if the batch's tables have changed since the start. Raises `NotAsAtStart`."""
    refused = lost.__cause__
    if isinstance(refused, StatementRefused) and refused.doubt is Doubt.TABLE:
        with engine.database.read(deadline) as transaction:
            settle(Rows(engine.session(transaction)), refused, _resources_of(batch.bind_all()), {})


def _why_unread(engine: Engine, refused: StatementRefused | Unstorable, deadline: Deadline | None) -> RequestError:
    """Return the reason why the database refused a read of a batch, from a separate transaction. Nothing is written."""
    with engine.database.read(deadline) as transaction:
        rows = Rows(engine.session(transaction))
        return why_unread(rows, refused, [*engine.catalog.resources.values()])


def _run_in(transaction: Transaction, engine: Engine, job: Job[T]) -> Ran[T]:
    """Run a batch in an open transaction; the caller commits it if the outcome is COMMITTED."""
    transaction.count_anew()
    session = engine.session(transaction)
    rows = Rows(session)
    receipts = Receipts(session)
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
    """Count the size of the parts' rows in the response, and of repeated values. Raises `QueryTooComplex`.

    Pages were counted when they were read. The other rows are examined only if more was read than a response may
    contain.
    """
    if isinstance(outcomes, DoneBlocks):
        if batch.times > 1 and batch.shown is ResultDetail.ROWS:
            left = [each.left for each in outcomes.blocks if each.left is not None and each.status in SHOWS_ITEM]
            size = sum(size_of_values(column) for rows in left for column in rows.columns.values())
            allowance.count_shown(max(batch.times * size - allowance.shown, 0))
        return
    if batch.times == 1 and not batch.more_of_row and allowance.own <= allowance.left:
        return
    done = [each for each in outcomes if isinstance(each, Done)]
    more = (batch.times - 1) * allowance.shown
    more += batch.more_of_row * sum(len(each.page.found) for each in done if each.page is not None)
    if batch.shown is ResultDetail.ROWS:
        answered = (each.row.values.values() for each in done if each.row is not None and each.status in SHOWS_ITEM)
        more += batch.times * sum(map(size_of_values, answered))
    allowance.count_shown(more)


def _read(rows: Rows, job: Job[T], outcome: Outcome) -> T:
    """Read what the response needs. A refused read does not hide the parts that failed."""
    try:
        return job.read(rows, outcome, None)
    except (StatementRefused, Unstorable):
        if outcome.status is not Status.REJECTED:
            raise
    # Only committed data is visible, as it was before this part of the response was read.
    rows.transaction.count_anew()
    rows.transaction.rollback_to(_SAVEPOINT)
    return job.read(rows, outcome, _SAVEPOINT)


def _run_blocks(engine: Engine, rows: Rows, batch: Batch) -> Sequence[Done | Failed]:
    """Run the parts as blocks; write nothing and return an empty sequence if bulk execution does not apply."""
    if not (engine.groups and batch.blocks):
        return ()
    bulk = Bulk(rows, engine.catalog, batch.blocks, batch.shown)
    try:
        if not bulk.prepare():
            return ()
    except (StatementRefused, Unstorable) as lost:  # by a lock, or by the generation of a key
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
    except (StatementRefused, Unstorable) as lost:  # transaction lost, or refused outside a part's savepoint
        raise _GroupLost from lost
    except TooManyRefused:
        refused = []
    transaction.rollback_to(_SAVEPOINT)
    return _diagnose(engine, rows, batch, refused)


def _set_savepoint(transaction: Transaction, catalog: Catalog) -> None:
    """Set the savepoint after the locks are acquired.

    From here on triggers may run. A trigger that catches any error would treat our lock timeout as an error of the
    database. So if there are triggers, locks are waited for until the deadline.
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
    """Lock the rows of the parts, and run the parts: in groups or, if the database refuses a group, one by one."""
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
    """Return a failed part with the committed state of its item; the batch has already been rolled back."""
    if failed.current is None:
        return failed
    return replace(failed, current=rows.by_key(failed.current.resource, failed.current.key))


def _check_deferred(engine: Engine, rows: Rows, batch: Batch) -> list[Failed]:
    """Run the deferred checks that the batch's rows do not reveal (constraint triggers); return the failed parts.

    Raises `RefusedAtCommit` if no part is at fault for the refusal.
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
    """Return the resources in the paths of parts."""
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
