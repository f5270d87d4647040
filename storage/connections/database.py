"""Database engines and connections: their pools, their setup, and the start of transactions."""

import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from storage.catalog import sqlite_facts
from storage.connections import control
from storage.connections.control import Control
from storage.connections.database_file import DatabaseFile
from storage.connections.driver_errors import Locked, Retry, StatementRefused, Unprepared
from storage.connections.preparing import Mode, Preparing
from storage.connections.sessions import Sessions
from storage.connections.transaction import TimedConnection, Transaction, for_locks, milliseconds, read_text
from storage.connections.watchdog import Line, Watch, Watchdog
from storage.deadline import Deadline
from storage.errors import RequestError, SerializationConflict, TimedOut, Unavailable
from storage.sql import postgresql, sqlite_functions

NO_ANSWER = "The database does not answer."
_UNREACHABLE = "The database cannot be reached. Try again."
_OLDEST_SQLITE = (3, 37)  # RETURNING, STRICT tables, PRAGMA table_list
_STATEMENT_POOLING = "statement pooling mode"  # PgBouncer's message if BEGIN is sent in that mode
_LINE = "line"  # key of the pool's record of a PostgreSQL connection: its socket
_SLICE = 0.05  # seconds that the pool, or SQLite itself, waits before the deadline is checked
_FIRST_ANSWER = 5.0  # seconds that a connection from the pool may take to respond to BEGIN; then it counts as lost
_READY_TIMEOUT = 5.0  # seconds
_STEPS = 2_000  # instructions of SQLite's virtual machine between two checks of the clock: about 50 µs

_PING = Control("SELECT 1")
_SCHEMAS = Control("SELECT current_schemas(false)::text[]")
_HOLDERS = Control("""SELECT holder.pid, holder.application_name, extract(epoch FROM now() - holder.xact_start)::int
FROM pg_stat_activity AS waiting CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
JOIN pg_stat_activity AS holder ON holder.pid = blocking.pid
WHERE waiting.wait_event_type = 'Lock' AND waiting.datname = current_database() AND waiting.usename = current_user
AND holder.wait_event_type IS DISTINCT FROM 'Lock' ORDER BY holder.xact_start LIMIT 1""")

T = TypeVar("T")


class DatabaseError(Exception):
    """The database cannot be served in its current state. The text is for the operator."""


class Database:
    """An SQLite file or a PostgreSQL database, with its connections."""

    def __init__(
        self,
        url: sa.URL,
        *,
        connections: int = 8,
        timeout: float = 30.0,
        prepared_statements: Mode = "auto",
        quotes: bool = True,
        commit_timeout: float = 10.0,
        max_answer: float = math.inf,
    ) -> None:
        """Create the engines. No connection is opened yet.

        `timeout` is the time limit of a request in seconds, and of each statement of a transaction without a request.
        `commit_timeout` is the time that a COMMIT may take beyond it, in seconds (PostgreSQL). `quotes` means that
        errors keep the messages that authors of triggers wrote for users. `max_answer` is the number of bytes that one
        transaction may read for a response.
        """
        self.url = url
        self._max_answer = max_answer
        self._quotes = quotes
        self.timeout = timeout
        self.commit_timeout = commit_timeout
        self._watchdog = Watchdog()
        self._connecting = threading.local()  # its `deadline` is that of the transaction for which the thread connects
        self.connections = connections
        self._preparing = Preparing(prepared_statements)
        self._sessions = Sessions()
        self._inline_engine: sa.Engine | None = None
        self._inline_connection: PoolProxiedConnection | None = None  # its only one, kept because checkout takes time
        self._file: DatabaseFile | None = None
        self._keeper: PoolProxiedConnection | None = None  # see `_keep_open`
        self._opening = threading.Lock()
        if url.get_backend_name() == "sqlite":
            self.dialect: Literal["sqlite", "postgresql"] = "sqlite"
            self._file = DatabaseFile(os.path.abspath(url.database or ""))  # noqa: PTH100  # as SQLAlchemy resolves it
            self._writer = _sqlite_engine(url, connections=1, timeout=timeout, read_only=False, waits=True)
            self._reader = _sqlite_engine(url, connections=connections, timeout=timeout, read_only=True, waits=True)
            self._inline_engine = _sqlite_engine(url, connections=1, timeout=0, read_only=True)
        else:
            self.dialect = "postgresql"
            self._writer = self._reader = self._postgresql_engine(self.connections)

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """Begin a transaction for reflection and DDL, through SQLAlchemy.

        It is committed unless the block raises an exception.
        """
        self._require_file()
        with self._writer.connect() as connection, _without_preparing(connection), _waiting(connection, self.timeout):
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                begin = (
                    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0"  # there may be many tables
                )
                connection.connection.cursor().execute(begin + self._after_begin(connection.connection))
            try:
                if self.dialect == "postgresql":  # for its first connection, SQLAlchemy queried outside a transaction
                    connection.dialect.default_schema_name = connection.scalar(sa.func.current_schema().select())
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:  # on any exception, everything is rolled back
                connection.exec_driver_sql("ROLLBACK")
                raise

    def write(
        self,
        deadline: Deadline | None = None,
        *,
        patience: float | None = None,
        is_wanted: Callable[[], bool] | None = None,
    ) -> AbstractContextManager[Transaction]:
        """Begin a transaction that writes. Changes that are not committed when it ends are rolled back.

        Everything in it ends by the deadline; otherwise `TimedOut` is raised. Without a deadline, each statement takes
        at most `timeout` seconds. PostgreSQL: a lock that is not granted within `patience` seconds raises `Locked`.
        SQLite: the transaction waits for the lock on the file as long as `is_wanted` returns True.
        """
        begin = _Begin(
            "BEGIN IMMEDIATE" if self.dialect == "sqlite" else "READ COMMITTED", deadline, patience, is_wanted
        )
        return self._transaction(self._writer, begin)

    @contextmanager
    def read(self, deadline: Deadline | None = None, *, patience: float | None = None) -> Iterator[Transaction]:
        """Begin a transaction that reads one snapshot, with the time limits of `write`."""
        with self._transaction(self._reader, self._begin_read(deadline, patience)) as transaction:
            try:
                yield transaction
            except (Unprepared, Locked):  # see `run_again`; `Locked` is for the caller that set the patience
                raise
            except Retry as retry:  # on a standby that cancels queries (PostgreSQL manual, "Handling Query Conflicts")
                raise SerializationConflict("The database has given up what was read. Try again.") from retry

    def _begin_read(self, deadline: Deadline | None, patience: float | None) -> "_Begin":
        return _Begin("BEGIN" if self.dialect == "sqlite" else "REPEATABLE READ, READ ONLY", deadline, patience)

    def run_again(self, run: Callable[[], T]) -> T:
        """Run a function that begins its own transaction. Run it once more if that transaction raised `Unprepared`."""
        try:
            return run()
        except Unprepared:
            return run()

    @property
    def can_read_inline(self) -> bool:
        """True if a short read does not need a thread, because there is no network in between."""
        return self._inline_engine is not None

    @contextmanager
    def read_inline(self, seconds: float) -> Iterator[Transaction]:
        """Begin a transaction that reads one snapshot, does not wait for locks, and ends after some seconds.

        Raises `TimedOut` or `Unavailable`, which only mean that the read needs another strategy. Not for use by two
        threads at once.
        """
        assert self._inline_engine is not None  # noqa: S101  # see `can_read_inline`
        self._require_file()
        if self._inline_connection is None or not self._inline_connection.is_valid:
            self._inline_connection = self._connect(self._inline_engine, None)
        transaction = Transaction(
            self._inline_connection,
            self.dialect,
            timeout=self.timeout,
            deadline=perf_counter() + seconds,
            max_answer=self._max_answer,
        )
        try:
            transaction.execute(control.BEGIN)
            yield transaction
        finally:
            transaction.rollback()

    def _postgresql_engine(self, pool_size: int) -> sa.Engine:
        arguments: dict[str, Any] = {"autocommit": True, "client_encoding": "utf8"}
        arguments |= {name: value for name, value in self._keep_alive().items() if name not in self.url.query}
        engine = sa.create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=0,
            pool_use_lifo=True,  # the connection used last is warm: its plans and pages are cached
            pool_timeout=_SLICE,
            pool_reset_on_return=None,  # each transaction is ended before its connection returns to the pool
            connect_args=arguments,
        )
        sa.event.listen(engine, "do_connect", self._limit_connecting)
        sa.event.listen(engine, "connect", self._set_up)
        sa.event.listen(engine, "close", _close_line)
        return engine

    @contextmanager
    def _read_alone(self, deadline: Deadline) -> Iterator[Transaction]:
        """Begin a transaction that reads on a new connection. The connection is closed when the block ends."""
        if self.dialect == "sqlite":
            engine = _sqlite_engine(self.url, connections=1, timeout=self.timeout, read_only=True)
        else:
            engine = self._postgresql_engine(pool_size=1)
        try:
            with self._transaction(engine, self._begin_read(deadline, None)) as transaction:
                yield transaction
        finally:
            engine.dispose()

    def _keep_alive(self) -> dict[str, int]:
        """Return the settings for keepalive (https://www.postgresql.org/docs/current/libpq-connect.html).

        With them, a silent network is detected as lost.
        """
        return {
            "keepalives": 1,
            "keepalives_idle": 30,  # seconds
            "keepalives_interval": 10,  # seconds
            "keepalives_count": 3,
            "tcp_user_timeout": milliseconds(max(10.0, self.timeout + self.commit_timeout)),
        }

    def _limit_connecting(self, _dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        left = self._connecting_deadline().left()
        given = float(self.url.query.get("connect_timeout", 0) or 0)  # type: ignore[arg-type]  # a setting with one value
        named["connect_timeout"] = max(2, math.ceil(min(left, given) if given > 0 else left))  # libpq treats 1 as 2

    def _connecting_deadline(self) -> Deadline:
        """Return the deadline of the transaction for which this thread connects."""
        deadline: Deadline | None = getattr(self._connecting, "deadline", None)
        return Deadline.after(self.timeout) if deadline is None else deadline

    def _set_up(self, connection: Any, record: Any) -> None:
        line = record.info[_LINE] = Line(connection)
        watch = self._watchdog.watch(connection, line, self._connecting_deadline().at)
        try:
            postgresql.set_up(connection)
            self._preparing.set_up(connection)
            self._sessions.set_up(connection)
        finally:
            is_usable = watch.release()
        if not is_usable:
            raise psycopg.OperationalError("the server did not answer the first statements of the connection in time")

    @contextmanager
    def _transaction(self, engine: sa.Engine, begin: "_Begin") -> Iterator[Transaction]:
        transaction = self._begun(engine, begin)
        try:
            yield transaction
        finally:
            transaction.rollback()
            transaction.close()

    def _begun(self, engine: sa.Engine, begin: "_Begin") -> Transaction:
        """Begin a transaction, and once more if the pool's connection is lost.

        Checking connections first would cost each batch time.
        """
        for is_last in (False, True):
            self._require_file()
            connection = self._connect(engine, begin.deadline)
            watch = self._watch(connection, begin, is_last=is_last)
            transaction = Transaction(
                connection,
                self.dialect,
                timeout=self.timeout,
                deadline=math.inf if begin.deadline is None else begin.deadline.at,
                preparing=self._preparing,
                quotes=self._quotes,
                file=self._file,
                watch=watch,
                patience=begin.patience,
                commit_timeout=self.commit_timeout,
                max_answer=self._max_answer,
            )
            try:
                if watch is None:
                    transaction.is_wanted = begin.is_wanted
                    transaction.execute(Control(begin.mode))
                else:
                    transaction.execute(Control(begin.on_postgresql(self.timeout) + self._after_begin(connection)))
                    watch.ends = transaction.ends
            except (Unavailable, TimedOut) as error:
                is_lost = isinstance(error, Unavailable) or (watch is not None and watch.is_over)
                if not is_lost:
                    transaction.rollback()
                    transaction.close()
                    raise
                transaction.discard()
                if is_last or self.dialect == "sqlite" or (begin.deadline is not None and begin.deadline.has_passed):
                    raise
                if isinstance(error, Unavailable) or begin.deadline is None or begin.deadline.left() >= _FIRST_ANSWER:
                    engine.dispose()  # the others are probably lost, too; otherwise the server may be slow
            except BaseException:  # on any exception, no transaction may stay open
                transaction.rollback()
                transaction.close()
                raise
            else:
                return transaction
        raise AssertionError(begin)

    def _watch(self, connection: PoolProxiedConnection, begin: "_Begin", *, is_last: bool) -> Watch | None:
        """Watch the use of a PostgreSQL connection. Its first response may not use up all the time that is left."""
        driver = connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            return None
        ends = math.inf if begin.deadline is None else begin.deadline.at
        if not is_last and begin.deadline is not None:
            ends = perf_counter() + min(_FIRST_ANSWER, begin.deadline.left() / 2)
        return self._watchdog.watch(driver, connection.info[_LINE], ends)

    def _connect(self, engine: sa.Engine, deadline: Deadline | None) -> PoolProxiedConnection:
        """Return a connection from the pool, or open one. Raises `Unavailable`."""
        self._connecting.deadline = deadline
        limit = deadline or Deadline.after(self.timeout)
        while True:
            try:
                return engine.raw_connection()
            except sa.exc.TimeoutError as error:
                if limit.has_passed:
                    raise Unavailable("The database is busy. Try again.") from error
            except (sa.exc.DBAPIError, sqlite3.Error, psycopg.Error) as error:
                raise Unavailable(_UNREACHABLE) from error

    def _after_begin(self, connection: PoolProxiedConnection) -> str:
        """Return what a transaction runs in the round trip of its BEGIN: settings, and the end of old plans.

        If prepared statements are off, a pooler is assumed.
        """
        driver = connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            return ""
        return self._sessions.at_begin(driver, always=not self._preparing.is_on()) + self._sessions.new_plans(driver)

    def _require_file(self) -> None:
        """Check that an SQLite file is still the one that was opened.

        Open it, if it is not open yet. Raises `Unavailable`.
        """
        if self._file is None:
            return
        if self._keeper is None:
            with self._opening:
                if self._keeper is None:
                    self._keeper = self._keep_open(self._file)
        self._file.require()

    def _keep_open(self, file: DatabaseFile) -> PoolProxiedConnection:
        """Open a connection that stays idle. Until it closes, SQLite does not delete the -wal file."""
        engine = _sqlite_engine(self.url, connections=1, timeout=self.timeout, read_only=True, may_create=True)
        connection = self._connect(engine, None)
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*) FROM sqlite_master").fetchall()  # from here on, a new file has its -wal
            real_path = next(
                path for _, name, path in cursor.execute("PRAGMA database_list").fetchall() if name == "main"
            )
        except sqlite3.Error as error:
            connection.invalidate()
            raise Unavailable(_UNREACHABLE) from error
        file.remember(real_path)
        return connection

    def check(self) -> None:
        """Check that the database can be served. Raises `DatabaseError` or `Unavailable`."""
        if self.dialect == "sqlite" and sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise DatabaseError(f"This Python has SQLite {sqlite3.sqlite_version}; Partwise needs 3.37 or later.")
        try:
            with self.write() as transaction:
                if self.dialect == "postgresql":
                    ((schemas,),) = transaction.execute(_SCHEMAS).rows
                    self._sessions.keep_search_path(schemas)
        except (RequestError, StatementRefused) as error:
            cause = getattr(error.__cause__, "orig", None) or error.__cause__
            if _STATEMENT_POOLING in str(cause):
                raise DatabaseError(
                    "The connection pooler uses statement pooling, which does not allow transactions. "
                    "Use session or transaction pooling."
                ) from error
            raise DatabaseError(f"The database cannot be opened: {str(cause).strip() or error}") from error

    def why_unready(self) -> str | None:
        """Return why the database cannot be used, else None.

        Also checks the file of SQLite, because an open file outlives its name.
        """
        if (lost := self.why_lost()) is not None:
            return lost
        try:
            self.run_again(self._ask)
        except (RequestError, Retry):
            return NO_ANSWER
        return None

    def why_lost(self) -> str | None:
        """Return why an SQLite file is not the one that was opened, or None if it is."""
        return None if self._file is None else self._file.why_lost()

    def _ask(self) -> None:
        deadline, pool = Deadline.after(_READY_TIMEOUT), self._reader.pool
        assert isinstance(pool, QueuePool)  # noqa: S101  # both kinds of engines use it
        # Waiting for requests that use all connections would not show the state of the database.
        has_free = pool.checkedout() < self.connections
        with self.read(deadline) if has_free else self._read_alone(deadline) as transaction:
            transaction.execute(_PING)

    def lock_holders(self) -> dict[str, str | float | None]:
        """Return the holder of the lock that sessions of our role wait for.

        The values are its process, its application, and the seconds since its transaction began. If there are several
        holders, the one with the oldest transaction is returned.

        Runs on its own connection, because all others may be waiting. Empty on SQLite, and if the database does not
        respond.
        """
        if self.dialect == "sqlite":
            return {}
        try:
            with self._read_alone(Deadline.after(_READY_TIMEOUT)) as transaction:
                found = transaction.execute(_HOLDERS).rows
        except (RequestError, Retry, StatementRefused):
            return {}
        return {
            name: value for row in found for name, value in zip(("pid", "application", "open_for"), row, strict=True)
        }

    def close(self) -> None:
        """Close all connections."""
        if self._inline_connection is not None:
            self._inline_connection.close()
            self._inline_connection = None
        for engine in (self._writer, self._reader, self._inline_engine):
            if engine is not None:
                engine.dispose()
        if self._keeper is not None:
            self._keeper.invalidate()  # it does not return to a pool
            self._keeper = None
        self._watchdog.close()


@contextmanager
def _waiting(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Set SQLite's own busy timeout to so many seconds within the block."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()  # milliseconds
    connection.exec_driver_sql(_busy_timeout(seconds))
    try:
        yield
    finally:
        connection.exec_driver_sql(_busy_timeout(before / 1_000))


@contextmanager
def _without_preparing(connection: sa.Connection) -> Iterator[None]:
    """Disable prepared statements of psycopg within the block.

    SQLAlchemy would not retry a statement that a session no longer has.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    threshold, driver.prepare_threshold = driver.prepare_threshold, None
    try:
        yield
    finally:
        driver.prepare_threshold = threshold


def _close_line(_connection: object, record: Any) -> None:
    line: Line | None = record.info.pop(_LINE, None)
    if line is not None:
        line.close()


def _busy_timeout(seconds: float) -> str:
    """Return the PRAGMA for SQLite's busy timeout (https://sqlite.org/pragma.html#pragma_busy_timeout)."""
    return f"PRAGMA busy_timeout = {milliseconds(seconds)}"


@dataclass(frozen=True, slots=True)
class _Begin:
    """The parameters of a transaction's start, and its time limits."""

    mode: str  # SQLite: the statement; PostgreSQL: the isolation level
    deadline: Deadline | None
    patience: float | None  # seconds
    is_wanted: Callable[[], bool] | None = None

    def on_postgresql(self, timeout: float) -> str:
        """Return BEGIN and the timeouts of the server, which apply to each statement and each lock."""
        left = timeout if self.deadline is None else self.deadline.left()
        lock = for_locks(left) if self.patience is None else min(for_locks(left), self.patience)
        return (
            f"BEGIN ISOLATION LEVEL {self.mode}; SET LOCAL statement_timeout = {milliseconds(left)}; "
            f"SET LOCAL lock_timeout = {milliseconds(lock)}"
        )


def _sqlite_engine(
    url: sa.URL,
    *,
    connections: int,
    timeout: float,
    read_only: bool,
    may_create: bool = False,
    waits: bool = False,
) -> sa.Engine:
    """Create a pool. A connection that `waits` waits for locks in slices, until the deadline of its transaction."""
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,  # the connection used last is warm: its plans and pages are cached
        pool_timeout=_SLICE,
        pool_reset_on_return=None,  # each transaction is ended before its connection returns to the pool
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": min(timeout, _SLICE) if waits else timeout,
            "factory": TimedConnection,
        },
    )
    engine.dialect.ischema_names = {**engine.dialect.ischema_names, **sqlite_facts.TYPE_NAMES}  # type: ignore[attr-defined]  # an attribute of SQLiteDialect

    def set_up(connection: Any, _record: object) -> None:
        connection.create_collation(sqlite_functions.DECIMAL_COLLATION, sqlite_functions.compare_decimals)
        connection.create_aggregate(sqlite_functions.EXACT_SUM, 1, sqlite_functions.ExactSum)
        connection.create_function(sqlite_functions.WRITTEN, 3, sqlite_functions.written, deterministic=True)
        connection.create_function(sqlite_functions.ORDERED, 3, sqlite_functions.ordered, deterministic=True)
        connection.create_function(
            sqlite_functions.KEPT_DOCUMENT, 2, sqlite_functions.kept_document, deterministic=True
        )
        connection.set_progress_handler(connection.is_late, _STEPS)
        connection.text_factory = read_text
        connection.waits = waits
        for pragma in ("foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        if waits:  # changing the mode needs a lock; a file may be in WAL mode already
            connection.execute(_busy_timeout(timeout))
        ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
        if waits and mode == "wal":
            connection.execute(_busy_timeout(min(timeout, _SLICE)))
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    def open_existing(dialect: Any, _record: object, arguments: list[Any], named: dict[str, Any]) -> Any:
        """Open the file only if it exists. If SQLite created an empty one, it would delete the -wal file beside it."""
        path, *others = arguments
        return dialect.connect(f"{Path(path).as_uri()}?mode=rw", *others, **{**named, "uri": True})

    sa.event.listen(engine, "connect", set_up)
    if not may_create:
        sa.event.listen(engine, "do_connect", open_existing)
    return engine


def parse_url(text: str) -> sa.URL:
    """Parse a database URL, or the path of an SQLite file. Raises `DatabaseError`."""
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
        raise DatabaseError(f'Unsupported database "{backend}". Use sqlite or postgresql.')
    if backend == "sqlite" and (not url.database or url.database == ":memory:"):
        raise DatabaseError(
            "An SQLite database must be a file, like sqlite:///shop.db (three slashes before a relative path): "
            "a database in memory is lost when its connection is closed."
        )
    return url


def check_file(url: sa.URL, *, may_create: bool, has_models: bool) -> None:
    """Check that an SQLite file exists and is a database. Raises `DatabaseError`."""
    if url.get_backend_name() != "sqlite":
        return
    path = Path(url.database or "")
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder, and not a database.")
    if path.exists() and not path.is_file():
        raise DatabaseError(f"{path} is not a regular file.")
    if not path.exists():
        if not may_create:
            hint = ", or create the file for the models with --create-tables" if has_models else ""
            raise DatabaseError(f"The file {path.absolute()} does not exist. Check the path{hint}.")
        if not path.absolute().parent.is_dir():
            raise DatabaseError(f"Cannot create {path.name}: the folder {path.absolute().parent} does not exist.")
    elif path.stat().st_size and not _is_database(path):
        raise DatabaseError(f"{path} is not an SQLite database.")


def _is_database(path: Path) -> bool:
    """Return False if SQLite reports that a file is not a database. Other errors are found when it is opened.

    SQLite checks it, because closing the file ourselves would drop the locks that this process has on it (POSIX). Then
    another process could remove the -wal: https://sqlite.org/howtocorrupt.html, section 2.2.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode != sqlite3.SQLITE_NOTADB
    return True
