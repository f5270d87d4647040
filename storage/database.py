"""Engines, connections and transactions.

Transactions hold what they promise: the driver's own transaction handling is switched off (Python's for SQLite loses
acknowledged writes and breaks savepoints), every BEGIN, SAVEPOINT and COMMIT is written here, and a COMMIT that the
database turned into a rollback is found out.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from storage.catalog.reflection import SQLITE_TYPE_NAMES
from storage.driver_errors import from_postgresql, from_sqlite
from storage.errors import OutcomeUnknown, RequestError, Unavailable
from storage.statements import Bulk, postgresql, sqlite_functions

Params = Sequence[Any]

_OLDEST_SQLITE = (3, 37)  # RETURNING, STRICT tables, PRAGMA table_list


class DatabaseError(Exception):
    """The database cannot be served as it is. The text is for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a statement gave back."""

    rows: Sequence[tuple[Any, ...]]
    count: int


class Transaction:
    """One transaction on one connection. Not for use by two threads at a time."""

    def __init__(self, connection: PoolProxiedConnection, dialect: Literal["sqlite", "postgresql"]) -> None:
        self._connection = connection
        self._dialect = dialect

    def execute(self, sql: str, params: Params | None = None) -> Result:
        """Run one statement. Raises `StatementRefused`, `Retry` or a `RequestError`."""
        try:
            cursor = self._connection.cursor()
            if self._dialect == "sqlite":
                cursor.execute(sql, params or ())
            else:
                cursor.execute(sql, params)
            rows = cursor.fetchall() if cursor.description else []
            return Result(rows=rows, count=cursor.rowcount)
        except sqlite3.Error as error:
            raise from_sqlite(error, lost=not self._is_open()) from error
        except psycopg.Error as error:
            raise from_postgresql(error) from error

    def read(self, sql: str, params: Params | None = None) -> Result:
        """Run a statement that only reads. Raises what `execute` raises."""
        driver = self._connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            return self.execute(sql, params)
        driver.text_factory = str  # takes a third of the time that `_text` takes
        try:
            return self.execute(sql, params)
        except sqlite3.OperationalError as error:
            if "UTF-8" not in str(error):
                raise
        finally:
            driver.text_factory = _text
        return self.execute(sql, params)

    def read_json(self, sql: str, params: Params | None = None) -> Sequence[str | None] | None:
        """Run a statement that gives one row of JSON texts; None where SQLite has something that it cannot write as JSON."""
        try:
            return self.read(sql, params).rows[0]
        except sqlite3.OperationalError:  # a blob: https://sqlite.org/json1.html, section 3
            return None

    def execute_bulk(self, bulk: Bulk) -> int:
        """Run one statement for many rows; give back how many it has met. Raises what `execute` raises."""
        if not bulk.each:
            return self.execute(bulk.sql, bulk.params).count
        try:
            cursor = self._connection.cursor()
            cursor.executemany(bulk.sql, bulk.params)
        except sqlite3.Error as error:
            raise from_sqlite(error, lost=not self._is_open()) from error
        return int(cursor.rowcount)

    def savepoint(self, name: str) -> None:
        """Mark a point to roll back to."""
        self.execute(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        """Forget the point, keep what was done since."""
        self.execute(f"RELEASE SAVEPOINT {name}")

    def rollback_to(self, name: str) -> None:
        """Undo what was done since the point; the point and all locks stay."""
        self.execute(f"ROLLBACK TO SAVEPOINT {name}")

    def check_constraints(self) -> None:
        """Check what would be checked at COMMIT; SQLite can only do that there."""
        if self._dialect == "postgresql":
            self.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def commit(self) -> None:
        """Commit, and make sure that it was one. Raises `OutcomeUnknown` where nobody can tell."""
        if not self._is_open():
            raise Unavailable("The database ended the transaction before it was committed. Nothing was written.")
        try:
            cursor = self._connection.cursor()
            cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise from_sqlite(error, lost=False) from error
        except psycopg.Error as error:
            refused = from_postgresql(error)
            if isinstance(refused, Unavailable):
                raise OutcomeUnknown(
                    "The connection to the database was lost during COMMIT: the batch is written whole or not at all."
                ) from error
            raise refused from error
        status = getattr(cursor, "statusmessage", "COMMIT")  # psycopg's: ROLLBACK after an aborted transaction
        if status != "COMMIT":
            raise Unavailable("The database rolled the transaction back at COMMIT. Nothing was written.")

    def rollback(self) -> None:
        """Undo everything. A connection that is lost has done so already."""
        if self._is_open():
            try:
                self._connection.cursor().execute("ROLLBACK")
            except (sqlite3.Error, psycopg.Error):
                self._connection.invalidate()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def discard(self) -> None:
        """Give the connection up: it is lost."""
        self._connection.invalidate()
        self._connection.close()

    def _is_open(self) -> bool:
        driver = self._connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            return driver.in_transaction
        assert isinstance(driver, psycopg.Connection)  # noqa: S101  # the only two drivers
        return driver.info.transaction_status in {
            psycopg.pq.TransactionStatus.INTRANS,
            psycopg.pq.TransactionStatus.INERROR,
            psycopg.pq.TransactionStatus.ACTIVE,
        }


class Database:
    """A SQLite file or a PostgreSQL database, with its connections."""

    def __init__(self, url: sa.URL, *, connections: int = 8, timeout: float = 30.0) -> None:
        """Open it. `timeout` in seconds is what one statement, one lock or the wait for a connection may take."""
        self.url = url
        self.timeout = timeout
        self.connections = connections
        if url.get_backend_name() == "sqlite":
            self.dialect: Literal["sqlite", "postgresql"] = "sqlite"
            self._writer = _sqlite_engine(url, connections=1, timeout=timeout, read_only=False)
            self._reader = _sqlite_engine(url, connections=connections, timeout=timeout, read_only=True)
        else:
            self.dialect = "postgresql"
            self._writer = self._reader = _postgresql_engine(url, connections=connections, timeout=timeout)

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """Begin a transaction for reflection and DDL, through SQLAlchemy; it commits unless an exception ends it."""
        with self._writer.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if self.dialect == "sqlite" else "BEGIN")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:  # whatever ends the block, nothing of it may stay
                connection.exec_driver_sql("ROLLBACK")
                raise

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Begin a transaction that writes; what is not committed when it ends is rolled back."""
        begin = "BEGIN IMMEDIATE" if self.dialect == "sqlite" else self._begin("READ COMMITTED")
        with self._transaction(self._writer, begin) as transaction:
            yield transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Begin a transaction that reads one snapshot."""
        begin = "BEGIN" if self.dialect == "sqlite" else self._begin("REPEATABLE READ, READ ONLY")
        with self._transaction(self._reader, begin) as transaction:
            yield transaction

    def _begin(self, mode: str) -> str:
        limit = int(self.timeout * 1_000)  # milliseconds
        return (
            f"BEGIN ISOLATION LEVEL {mode}; SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit}; "
            "SET LOCAL TIME ZONE 'UTC'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL datestyle = 'ISO'"
        )

    @contextmanager
    def _transaction(self, engine: sa.Engine, begin: str) -> Iterator[Transaction]:
        transaction = self._begun(engine, begin)
        try:
            yield transaction
        finally:
            transaction.rollback()
            transaction.close()

    def _begun(self, engine: sa.Engine, begin: str) -> Transaction:
        """Begin, and once more if the connection from the pool turns out to be lost: asking first would cost each batch."""
        for is_last in (False, True):
            transaction = Transaction(_connect(engine), self.dialect)
            try:
                transaction.execute(begin)
            except Unavailable:
                transaction.discard()
                if is_last or self.dialect == "sqlite":
                    raise
                engine.dispose()  # those that wait in the pool are most likely lost, too
            except BaseException:  # whatever it is, nothing may stay open
                transaction.rollback()
                transaction.close()
                raise
            else:
                return transaction
        raise AssertionError(begin)

    def check(self) -> None:
        """Make sure that the database can be served. Raises `DatabaseError` or `Unavailable`."""
        if self.dialect == "sqlite" and sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise DatabaseError(f"This Python has SQLite {sqlite3.sqlite_version}; Partwise needs 3.37 or later.")
        try:
            with self.write():
                pass
        except Unavailable as error:
            cause = getattr(error.__cause__, "orig", None) or error.__cause__
            raise DatabaseError(f"The database cannot be opened: {str(cause).strip() or error}") from error

    def is_ready(self) -> bool:
        """Whether the database answers."""
        try:
            with self.read() as transaction:
                transaction.execute("SELECT 1")
        except RequestError:
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self._writer.dispose()
        self._reader.dispose()


def _connect(engine: sa.Engine) -> PoolProxiedConnection:
    try:
        return engine.raw_connection()
    except sa.exc.TimeoutError as error:
        raise Unavailable("The database is busy. Try again.") from error
    except (sa.exc.DBAPIError, sqlite3.Error, psycopg.Error) as error:
        raise Unavailable("The database cannot be reached. Try again.") from error


def _sqlite_engine(url: sa.URL, *, connections: int, timeout: float, read_only: bool) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=timeout,
        pool_reset_on_return=None,  # each transaction has been ended before its connection goes back
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": timeout},
    )
    engine.dialect.ischema_names = {**engine.dialect.ischema_names, **SQLITE_TYPE_NAMES}  # type: ignore[attr-defined]  # SQLiteDialect's

    def set_up(connection: Any, _record: object) -> None:
        connection.create_collation(sqlite_functions.DECIMAL_COLLATION, sqlite_functions.compare_decimals)
        connection.create_aggregate(sqlite_functions.EXACT_SUM, 1, sqlite_functions.ExactSum)
        connection.text_factory = _text  # bytes that are no UTF-8 spoil their own field, not the whole row
        for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    sa.event.listen(engine, "connect", set_up)
    return engine


def _postgresql_engine(url: sa.URL, *, connections: int, timeout: float) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=timeout,
        pool_reset_on_return=None,  # each transaction has been ended before its connection goes back
        connect_args={"autocommit": True, "connect_timeout": max(2, int(timeout)), "client_encoding": "utf8"},
    )

    def set_up(connection: Any, _record: object) -> None:
        postgresql.set_up(connection)

    sa.event.listen(engine, "connect", set_up)
    return engine


_text = partial(str, encoding="utf-8", errors="surrogateescape")


def parse_url(text: str) -> sa.URL:
    """Read a database URL, or the path of an SQLite file. Raises `DatabaseError`."""
    if "://" not in text:
        text = f"sqlite:///{text}"
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseError(
            "The database URL cannot be read. It looks like sqlite:///shop.db or postgresql://host/db."
        ) from None
    backend = url.drivername.split("+")[0]
    if backend == "postgres":
        url = url.set(drivername="postgresql")
    elif backend not in {"sqlite", "postgresql"}:
        raise DatabaseError(f"{backend!r} is no database that Partwise serves: it takes sqlite and postgresql.")
    if backend == "sqlite" and (not url.database or url.database == ":memory:"):
        raise DatabaseError(
            "An SQLite database must be a file, like sqlite:///shop.db (three slashes before a relative path): "
            "a database in memory is gone with its connection."
        )
    return url


def check_file(url: sa.URL, *, may_create: bool) -> None:
    """Make sure that an SQLite file is there and is a database. Raises `DatabaseError`."""
    if url.get_backend_name() != "sqlite":
        return
    path = Path(url.database or "")
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder, and not a database.")
    if not path.exists():
        if not may_create:
            raise DatabaseError(f"There is no file {path}. Give --create-tables (with --models) to make one.")
        if not path.absolute().parent.is_dir():
            raise DatabaseError(f"There is no folder {path.absolute().parent} to make {path.name} in.")
    elif path.stat().st_size and path.open("rb").read(16) != b"SQLite format 3\x00":
        raise DatabaseError(f"{path} is no SQLite database.")
