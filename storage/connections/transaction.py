"""One transaction on one connection.

It enforces its guarantees itself. The driver's own transaction handling is switched off: Python's for SQLite loses
acknowledged writes and breaks savepoints. Every SAVEPOINT and COMMIT is issued here (every BEGIN in database.py), and a
COMMIT that the database turned into a rollback is detected.
"""

import math
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, Literal, TypeVar

import psycopg
from sqlalchemy.pool import PoolProxiedConnection

from storage.allowance import Allowance, size_of_rows, too_large
from storage.catalog.types import BrokenText
from storage.connections import control
from storage.connections.control import Control
from storage.connections.database_file import DatabaseFile
from storage.connections.driver_errors import (
    NO_LOCK,
    Locked,
    StatementRefused,
    Unprepared,
    from_postgresql,
    from_sqlite,
    is_of_a_prepared_statement,
    too_long,
    without_frames,
)
from storage.connections.preparing import Preparing
from storage.connections.watchdog import GRACE, Watch
from storage.errors import OutcomeUnknown, Unavailable
from storage.log import note_occasionally
from storage.sql import BulkStatement, Statement
from storage.sql.postgresql import unless_longer

Params = Sequence[Any]
Chunks = Generator[list[tuple[Any, ...]], None, None]
"""Rows of a statement, a few at a time."""
T = TypeVar("T")
E = TypeVar("E", bound=Exception)

_COMPLETION_UNKNOWN = "40003"
_BUSY_SNAPSHOT = 517  # SQLITE_BUSY_SNAPSHOT: the snapshot is too old to be written to, which waiting does not change
_LOCKS_BEFORE = 0.1  # seconds between the end of the wait for a lock and the deadline
_LONG_WAIT = 1.0  # seconds after which a wait for a lock is logged
_CHUNK = 64  # rows that are read from SQLite at a time, if no value exceeds 256 KiB; otherwise one
_LONG = 256 << 10  # bytes
_LONGEST = 1_000_000_000  # bytes: SQLite's own limit of a value, unless it was built with a different one
_STREAMED = (
    32 if psycopg.capabilities.has_stream_chunked() else 1
)  # rows that are read from PostgreSQL at a time (libpq 17)
_BYTES_OF_CHARACTER = 2  # octet_length counts bytes, and the limit counts characters
_TOO_LONG_FOR_SQLITE, _TOO_LONG_FOR_POSTGRESQL = "SQLITE_TOOBIG", "54000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a statement: its rows, and the number of rows that it affected."""

    rows: Sequence[tuple[Any, ...]]
    count: int


class TimedConnection(sqlite3.Connection):
    """An SQLite connection that interrupts statements at a deadline.

    https://sqlite.org/c3ref/progress_handler.html
    """

    deadline = math.inf  # on the clock of `time.perf_counter`
    waits = False  # True if a lock is waited for until the deadline, because SQLite itself waits only briefly

    def is_late(self) -> bool:
        """Return True if the running statement must end. SQLite calls this periodically."""
        return perf_counter() > self.deadline


@dataclass(frozen=True, slots=True)
class _Reading:
    """The limits of a read: rows at a time, and on SQLite, bytes per value."""

    count: Callable[[int], None]
    chunk: int = _CHUNK
    longest: int = _LONG
    many: bool = False

    def rows(self, chunks: Chunks) -> list[tuple[Any, ...]]:
        """Count rows and return them as one list. Raises `QueryTooComplex`."""
        rows: list[tuple[Any, ...]] = []
        with closing(chunks):  # at once, even if the limit is exceeded, because PostgreSQL must end the statement
            for some in chunks:
                self.count(size_of_rows(some))
                rows += some
        return rows

    def of_sqlite(self, timed: TimedConnection, cursor: Any, sql: str, params: Params) -> list[tuple[Any, ...]]:
        """Run a statement on SQLite and return its rows."""
        before = timed.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self.longest)
        try:
            cursor.execute(sql, params)
            return self.rows(_chunks(cursor, self.chunk))
        finally:
            timed.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)
            cursor.close()  # see `_all_rows`


class Transaction:
    """One transaction on one connection. Not for use by two threads at the same time."""

    def __init__(
        self,
        connection: PoolProxiedConnection,
        dialect: Literal["sqlite", "postgresql"],
        *,
        timeout: float = math.inf,
        deadline: float = math.inf,
        preparing: Preparing | None = None,
        quotes: bool = True,
        file: DatabaseFile | None = None,
        watch: Watch | None = None,
        patience: float | None = None,
        commit_timeout: float = math.inf,
        max_answer: float = math.inf,
    ) -> None:
        """Wrap a connection.

        On SQLite, a statement takes at most `timeout` seconds and ends by `deadline`; PostgreSQL has its own timeouts.

        `quotes` means that errors keep the messages that authors of triggers wrote for users. `file` is the SQLite file
        that must still exist after the commit. `watch` ends statements that PostgreSQL does not end, and a COMMIT
        `commit_timeout` seconds after the deadline. With `patience`, a lock that PostgreSQL does not grant within that
        many seconds raises `Locked`. `max_answer` is the number of bytes that may be read for a response.
        """
        self.allowance = Allowance(max_answer)
        self.reads_only = False  # True if rows cannot be locked
        self._reading: _Reading | None = None  # the limits of the next read
        self._connection = connection
        self._quotes = quotes
        self.dialect = dialect
        self._timeout = timeout
        self._deadline = deadline
        self._file = file
        self._watch = watch
        self._patience = patience
        self._commit_timeout = commit_timeout
        self._is_given_up = False
        self.is_wanted: Callable[[], bool] | None = None  # SQLite: returns True to keep waiting for a lock
        driver = connection.driver_connection
        self._timed = driver if isinstance(driver, TimedConnection) else None
        # Set if an error may be that of a prepared statement. Another transaction may turn them off while this one
        # runs.
        self._preparing = preparing if preparing is not None and preparing.is_on() else None

    def execute(self, statement: Statement | Control) -> Result:
        """Run one statement. Raises `StatementRefused`, `Retry` or a `RequestError`."""
        reading, self._reading = self._reading, None
        sql, params = statement.sql, statement.params
        rows: Sequence[tuple[Any, ...]]
        try:
            if self._timed is not None:
                return self._execute_timed(self._timed, sql, params or (), reading)
            cursor = self._connection.cursor()
            if reading is not None:
                rows = reading.rows(_streamed(cursor, sql, params) if reading.many else _at_once(cursor, sql, params))
            else:
                cursor.execute(sql, params)
                rows = cursor.fetchall() if cursor.description else []
            return Result(rows=rows, count=cursor.rowcount)
        except (sqlite3.Error, psycopg.Error) as error:
            raise self._translated(error, statement) from error

    def _execute_timed(self, timed: TimedConnection, sql: str, params: Params, reading: "_Reading | None") -> Result:
        begun = perf_counter()
        timed.deadline = min(begun + self._timeout, self._deadline)
        while True:
            cursor = timed.cursor()
            try:
                rows = (
                    _all_rows(cursor, sql, params) if reading is None else reading.of_sqlite(timed, cursor, sql, params)
                )
                return Result(rows=rows, count=cursor.rowcount)
            except sqlite3.OperationalError as error:
                if not self._waits(timed, error, sql, begun):
                    raise

    def _waits(self, timed: TimedConnection, error: sqlite3.OperationalError, sql: str, begun: float) -> bool:
        """Return True if a statement must be retried: another program holds the lock, and nothing has been done yet."""
        code = getattr(error, "sqlite_errorcode", 0)  # an error of the module itself has none
        if code & 0xFF != sqlite3.SQLITE_BUSY or code == _BUSY_SNAPSHOT or not timed.waits:
            return False
        if not sql.startswith(("BEGIN", "SELECT")) or timed.is_late():
            return False
        waited = perf_counter() - begun
        if waited >= _LONG_WAIT:
            note_occasionally(
                "lock_wait", "Another program holds a lock on the database file.", seconds=round(waited, 1)
            )
        return self.is_wanted is None or self.is_wanted()

    @property
    def ends(self) -> float:
        """The time at which a watchdog must end the transaction."""
        return self._deadline + GRACE

    def limit_to(self, deadline: float) -> None:
        """Change the deadline at which SQLite interrupts statements."""
        self._deadline = deadline

    def _translated(self, error: sqlite3.Error | psycopg.Error, statement: Statement | Control) -> Exception:
        reads = statement.sql.startswith("SELECT")
        if isinstance(error, sqlite3.Error):
            translated = from_sqlite(error, lost=not self._is_open(), reads=reads)
        elif self._watch is not None and self._watch.is_over:  # canceled, or cut
            return too_long()
        elif self._preparing is not None and is_of_a_prepared_statement(error):
            self._preparing.give_up(error.sqlstate)
            return Unprepared()
        elif error.sqlstate == NO_LOCK and self._patience is not None:
            return Locked()
        else:
            translated = from_postgresql(error, reads=reads)
            if isinstance(translated, Unavailable) and self._is_lost():
                note_occasionally(
                    "connection_lost", "The connection to the database was lost.", sqlstate=error.sqlstate
                )
        if isinstance(translated, StatementRefused):
            translated.statement = statement if isinstance(statement, Statement) else None
            translated.said = translated.said if self._quotes else None
        return translated

    def count_anew(self) -> None:
        """Reset the count of bytes read, because a batch begins or is retried."""
        self.allowance = Allowance(self.allowance.most)

    def read(self, statement: Statement, *, shown: bool = False, many: bool = False) -> Result:
        """Run a statement that only reads, and count its result. `shown` means that it is read for the response.

        `many` means that there may be more than a few rows. A result that exceeds the limit is abandoned before all of
        it is in memory. Raises the errors of `execute`, and `QueryTooComplex`.
        """
        count = self.allowance.count_shown if shown else self.allowance.count_addressed
        if self._timed is None:
            return self._read_as(_Reading(count, many=many), statement)
        before = self.allowance.shown, self.allowance.own
        try:
            return self._read_text(_Reading(count), statement)
        except StatementRefused as refused:
            if refused.state != _TOO_LONG_FOR_SQLITE:
                raise
        self.allowance.shown, self.allowance.own = before
        return self._read_text(_Reading(count, chunk=1, longest=_LONGEST), statement)

    def _read_text(self, reading: "_Reading", statement: Statement) -> Result:
        """Read texts as `str` decodes them, and again with `read_text` if there are bytes that are not UTF-8."""
        driver = self._timed
        assert driver is not None  # noqa: S101  # only SQLite calls this
        driver.text_factory = str  # takes a third of the time of `read_text`
        before = self.allowance.shown, self.allowance.own
        try:
            return self._read_as(reading, statement)
        except sqlite3.OperationalError as error:
            if "UTF-8" not in str(error):
                raise
        finally:
            driver.text_factory = read_text
        self.allowance.shown, self.allowance.own = before
        return self._read_as(reading, statement)

    def _read_as(self, reading: "_Reading", statement: Statement) -> Result:
        self._reading = reading
        try:
            return self.execute(statement)
        finally:
            self._reading = None

    def read_json(self, statement: Statement, *, arrays: int) -> Sequence[Any] | None:
        """Run a statement that returns one row, whose first `arrays` members are JSON texts for the response.

        Return None if a value in the database cannot be written as JSON, and on SQLite if one of the texts is too long.
        Raises `QueryTooComplex`.
        """
        row = (
            self._json_of_postgresql(statement, arrays)
            if self._timed is None
            else self._json_of_sqlite(statement, arrays)
        )
        if row is None or BrokenText in map(type, row):
            return None
        self.allowance.count_shown(sum(map(len, filter(None, row[:arrays]))))
        return row

    def _json_of_postgresql(self, statement: Statement, arrays: int) -> Sequence[Any]:
        """Read the row, unless its texts are too long.

        The database checks that, because the driver would load them into memory first.
        """
        left = self.allowance.left
        if math.isfinite(left):
            statement = unless_longer(statement, arrays, int(left) * _BYTES_OF_CHARACTER)
        try:
            rows = self.execute(statement).rows
        except StatementRefused as refused:
            if refused.state == _TOO_LONG_FOR_POSTGRESQL:
                raise too_large(self.allowance.most, self.allowance.most) from refused
            raise
        if not rows:
            raise too_large(self.allowance.most + 1, self.allowance.most)
        return rows[0]

    def _json_of_sqlite(self, statement: Statement, arrays: int) -> Sequence[Any] | None:
        driver = self._timed
        assert driver is not None  # noqa: S101  # only SQLite calls this
        longest = int(max(_LONG, min(self.allowance.left, _LONGEST) // max(arrays, 1)))
        driver.text_factory = str
        before = driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
        try:
            return self.execute(statement).rows[0]
        except (sqlite3.OperationalError, StatementRefused):  # a blob: https://sqlite.org/json1.html, section 3
            return None
        finally:
            driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)
            driver.text_factory = read_text

    def execute_bulk(self, bulk: BulkStatement) -> int:
        """Run one statement for many rows. Return the number of affected rows. Raises the errors of `execute`."""
        if not bulk.each:
            return self.execute(bulk.statement).count
        try:
            assert self._timed is not None  # noqa: S101  # only SQLite's bulk statements run once for each row
            cursor = self._connection.cursor()
            self._timed.deadline = min(perf_counter() + self._timeout, self._deadline)
            cursor.executemany(bulk.sql, bulk.params)
        except sqlite3.Error as error:
            raise self._translated(error, bulk.statement) from error
        return int(cursor.rowcount)

    def _stop_clock(self) -> None:
        if self._timed is not None:
            self._timed.deadline = math.inf

    def savepoint(self, name: str) -> None:
        """Create a savepoint."""
        self.execute(control.savepoint(name))

    def release(self, name: str) -> None:
        """Release the savepoint and keep the changes since it."""
        self.execute(control.release(name))

    def rollback_to(self, name: str) -> None:
        """Undo the changes since the savepoint. The savepoint and all locks remain."""
        self.execute(control.rollback_to(name))

    def attempt(self, name: str, run: Callable[[], T], *others: type[E], keep: bool = True) -> T | StatementRefused | E:
        """Run a function in a savepoint. If a statement is refused, roll back to the savepoint and return the refusal.

        Exceptions of the classes `others` are handled like a refusal. If any other exception is raised, the savepoint
        is left as it is. If `keep` is False, changes are always rolled back. Raises `StatementRefused` if the
        transaction is lost, and the savepoint with it.
        """
        handled: tuple[type[StatementRefused | E], ...] = (StatementRefused, *others)
        self.savepoint(name)
        try:
            result = run()
        except handled as refused:
            if isinstance(refused, StatementRefused) and refused.transaction_lost:
                raise
            self.rollback_to(name)
            self.release(name)
            return without_frames(refused)
        if not keep:
            self.rollback_to(name)
        self.release(name)
        return result

    def wait_for_locks(self, name: str) -> None:
        """Create a savepoint, and wait for later locks until the deadline instead of the patience.

        The timeout is set before the savepoint, so that rolling back to the savepoint does not revert it.
        """
        if self._patience is None or self.dialect == "sqlite":
            self.savepoint(name)
            return
        left = self._deadline - perf_counter() if self._deadline < math.inf else self._timeout
        self.execute(control.lock_timeout_and_savepoint(milliseconds(for_locks(left)), name))
        self._patience = None

    def check_constraints(self) -> None:
        """Check the constraints that would be checked at COMMIT. SQLite can only check them there."""
        if self.dialect == "postgresql":
            self.execute(control.CHECK_CONSTRAINTS)

    def commit(self) -> None:
        """Commit, and verify that the database did. Raises `OutcomeUnknown` if that cannot be known."""
        if not self._is_open():
            raise Unavailable("The database ended the transaction before it was committed. Nothing was written.")
        self._stop_clock()
        if self._watch is not None and not self._watch.begin_commit(self._commit_timeout):
            raise too_long()
        try:
            cursor = self._connection.cursor()
            cursor.execute(control.COMMIT.sql)
        except sqlite3.Error as error:
            raise self._translated(error, control.COMMIT) from error
        except psycopg.Error as error:
            if self._watch is not None and self._watch.is_over:
                raise unconfirmed() from error
            refused = self._translated(error, control.COMMIT)
            if isinstance(refused, Unavailable) or error.sqlstate == _COMPLETION_UNKNOWN:
                raise OutcomeUnknown(
                    "The connection to the database was lost during COMMIT: the batch is written whole or not at all."
                ) from error
            raise refused from error
        status = getattr(cursor, "statusmessage", "COMMIT")  # psycopg's; ROLLBACK after an aborted transaction
        if status != "COMMIT":
            raise Unavailable("The database rolled the transaction back at COMMIT. Nothing was written.")
        if self._watch is not None and self._watch.line.is_unreplicated:
            raise unconfirmed()
        if self._file is not None:
            self._file.require_after_commit()

    def rollback(self) -> None:
        """Undo everything. On a lost connection, the server has done so already."""
        self._stop_clock()
        if self._watch is not None and self._watch.is_over:
            self._give_up()
        elif self._is_open():
            try:
                self._connection.cursor().execute("ROLLBACK")
            except (sqlite3.Error, psycopg.Error):
                self._give_up()

    def close(self) -> None:
        """Return the connection to the pool."""
        if self._watch is not None and not self._watch.release():
            self._give_up()
        self._connection.close()

    def discard(self) -> None:
        """Discard the connection, because it is lost."""
        if self._watch is not None:
            self._watch.release()
        self._give_up()
        self._connection.close()

    def _give_up(self) -> None:
        if not self._is_given_up:
            self._is_given_up = True
            self._connection.invalidate()

    def _is_lost(self) -> bool:
        driver = self._connection.driver_connection
        return isinstance(driver, psycopg.Connection) and driver.info.status is psycopg.pq.ConnStatus.BAD

    def _is_open(self) -> bool:
        if self._timed is not None:
            return self._timed.in_transaction
        driver = self._connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101  # there are only two drivers
        return driver.info.transaction_status in {
            psycopg.pq.TransactionStatus.INTRANS,
            psycopg.pq.TransactionStatus.INERROR,
            psycopg.pq.TransactionStatus.ACTIVE,
        }


def milliseconds(seconds: float) -> int:
    """Return seconds as milliseconds for a PostgreSQL timeout, at least 1, because 0 would disable it."""
    return max(1, math.ceil(seconds * 1_000))


def for_locks(left: float) -> float:
    """Return the timeout for a lock, given the seconds that are left.

    The wait must end before the statement's own timeout.

    Otherwise the statement would be canceled, and the cause would be unknown.
    """
    return left - min(_LOCKS_BEFORE, left / 10)


def unconfirmed() -> OutcomeUnknown:
    """Return the error for a COMMIT whose outcome is unknown.

    The confirmation did not come in time, or only from one server.
    """
    return OutcomeUnknown("The database did not confirm COMMIT in time: the batch is written whole or not at all.")


def _all_rows(cursor: Any, sql: str, params: Params) -> list[tuple[Any, ...]]:
    """Run a statement on SQLite and return all its rows.

    The cursor is closed even if a row cannot be read. As long as it is open, its connection sees the database as it was
    when the statement began, regardless of the transaction.
    """
    try:
        return cursor.execute(sql, params).fetchall()  # type: ignore[no-any-return]  # tuples: there is no row factory
    finally:
        cursor.close()


def _chunks(cursor: Any, size: int) -> Chunks:
    while some := cursor.fetchmany(size):
        yield some
        if len(some) < size:
            return


def _at_once(cursor: Any, sql: str, params: Params | None) -> Chunks:
    cursor.execute(sql, params)
    yield cursor.fetchall() if cursor.description else []


def _streamed(cursor: Any, sql: str, params: Params | None) -> Chunks:
    """Read rows from PostgreSQL a few at a time. Otherwise, psycopg loads the whole result into memory."""
    rows = cursor.stream(sql, params, size=_STREAMED)
    try:
        while some := list(islice(rows, _STREAMED)):
            yield some
    finally:
        rows.close()


# Bytes that are not UTF-8 make only their own field unreadable, not the whole row.
read_text = partial(str, encoding="utf-8", errors="surrogateescape")
