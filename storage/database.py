"""Engines and connections: which there are, how each is set up, and how a transaction begins on one."""

import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from storage.catalog import sqlite_facts
from storage.database_file import DatabaseFile
from storage.driver_errors import Retry, StatementRefused, Unprepared
from storage.errors import RequestError, SerializationConflict, Unavailable
from storage.preparing import Mode, Preparing
from storage.sessions import Sessions
from storage.statements import postgresql, sqlite_functions
from storage.transaction import TimedConnection, Transaction, read_text

NO_ANSWER = "The database does not answer."
_UNREACHABLE = "The database cannot be reached. Try again."
_OLDEST_SQLITE = (3, 37)  # RETURNING, STRICT tables, PRAGMA table_list
_STATEMENT_POOLING = "statement pooling mode"  # PgBouncer's words when BEGIN is sent in that mode
_STEPS = 2_000  # of SQLite's virtual machine between two looks at the clock: some 50 µs

T = TypeVar("T")


class DatabaseError(Exception):
    """The database cannot be served as it is. The text is for the operator."""


class Database:
    """A SQLite file or a PostgreSQL database, with its connections."""

    def __init__(
        self,
        url: sa.URL,
        *,
        connections: int = 8,
        timeout: float = 30.0,
        prepared_statements: Mode = "auto",
        quotes: bool = True,
    ) -> None:
        """Open it. `timeout` in seconds is what one statement, one lock or the wait for a connection may take.

        `quotes` says whether errors keep what the authors of triggers say to people.
        """
        self.url = url
        self._quotes = quotes
        self.timeout = timeout
        self.connections = connections
        self._preparing = Preparing(prepared_statements)
        self._sessions = Sessions()
        self._glancer: sa.Engine | None = None
        self._glancing: PoolProxiedConnection | None = None  # its only connection, kept: to take it takes time
        self._file: DatabaseFile | None = None
        self._keeper: PoolProxiedConnection | None = None  # see `_keep_open`
        self._opening = threading.Lock()
        if url.get_backend_name() == "sqlite":
            self.dialect: Literal["sqlite", "postgresql"] = "sqlite"
            self._file = DatabaseFile(os.path.abspath(url.database or ""))  # noqa: PTH100  # as SQLAlchemy names it
            self._writer = _sqlite_engine(url, connections=1, timeout=timeout, read_only=False)
            self._reader = _sqlite_engine(url, connections=connections, timeout=timeout, read_only=True)
            self._glancer = _sqlite_engine(url, connections=1, timeout=0, read_only=True)
        else:
            self.dialect = "postgresql"
            self._writer = self._reader = self._postgresql_engine()

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """Begin a transaction for reflection and DDL, through SQLAlchemy; it commits unless an exception ends it."""
        self._require_file()
        with self._writer.connect() as connection, _without_preparing(connection):
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                begin = (
                    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0"  # there may be many tables
                )
                connection.connection.cursor().execute(begin + self._settings_of(connection.connection))
            try:
                if self.dialect == "postgresql":  # at its first connection, SQLAlchemy asked outside of any transaction
                    connection.dialect.default_schema_name = connection.scalar(sa.func.current_schema().select())
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
            try:
                yield transaction
            except Unprepared:  # see `run_again`
                raise
            except (
                Retry
            ) as retry:  # on a standby that has to give up the snapshot (PostgreSQL manual, "Handling Query Conflicts")
                raise SerializationConflict("The database has given up what was read. Try again.") from retry

    def run_again(self, run: Callable[[], T]) -> T:
        """Run what begins its own transaction, and once more if prepared statements were given up in it."""
        try:
            return run()
        except Unprepared:
            return run()

    @property
    def can_glance(self) -> bool:
        """Whether a short read needs no thread: there is no network in between."""
        return self._glancer is not None

    @contextmanager
    def glance(self, seconds: float) -> Iterator[Transaction]:
        """Begin a transaction that reads one snapshot, waits for nobody, and ends after some time.

        Raises `TimedOut` or `Unavailable`, which say only that this is not the way to read it. Not for use by two threads.
        """
        assert self._glancer is not None  # noqa: S101  # see `can_glance`
        self._require_file()
        if self._glancing is None or not self._glancing.is_valid:
            self._glancing = _connect(self._glancer)
        transaction = Transaction(self._glancing, self.dialect, timeout=self.timeout, deadline=perf_counter() + seconds)
        try:
            transaction.execute("BEGIN")
            yield transaction
        finally:
            transaction.rollback()

    def _postgresql_engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_size=self.connections,
            max_overflow=0,
            pool_use_lifo=True,  # the connection used last is the warm one: its plans and pages are cached
            pool_timeout=self.timeout,
            pool_reset_on_return=None,  # each transaction has been ended before its connection goes back
            connect_args={
                "autocommit": True,
                "connect_timeout": max(2, int(self.timeout)),
                "client_encoding": "utf8",
            },
        )

        def set_up(connection: Any, _record: object) -> None:
            postgresql.set_up(connection)
            self._preparing.set_up(connection)
            self._sessions.set_up(connection)

        sa.event.listen(engine, "connect", set_up)
        return engine

    def _begin(self, mode: str) -> str:
        limit = int(self.timeout * 1_000)  # milliseconds
        return f"BEGIN ISOLATION LEVEL {mode}; SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit}"

    @contextmanager
    def _transaction(self, engine: sa.Engine, begin: str, *, deadline: float = math.inf) -> Iterator[Transaction]:
        transaction = self._begun(engine, begin, deadline)
        try:
            yield transaction
        finally:
            transaction.rollback()
            transaction.close()

    def _begun(self, engine: sa.Engine, begin: str, deadline: float) -> Transaction:
        """Begin, and once more if the connection from the pool turns out to be lost: asking first would cost each batch."""
        for is_last in (False, True):
            self._require_file()
            connection = _connect(engine)
            transaction = Transaction(
                connection,
                self.dialect,
                timeout=self.timeout,
                deadline=deadline,
                preparing=self._preparing,
                quotes=self._quotes,
                file=self._file,
            )
            try:
                transaction.execute(begin + self._settings_of(connection))
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

    def _settings_of(self, connection: PoolProxiedConnection) -> str:
        """Write what a transaction must set; without prepared statements, a pooler is assumed."""
        driver = connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            return ""
        return self._sessions.at_begin(driver, always=not self._preparing.is_on())

    def _require_file(self) -> None:
        """Make sure that an SQLite file is still the one that was opened; open it, if it is not open yet. Raises `Unavailable`."""
        if self._file is None:
            return
        if self._keeper is None:
            with self._opening:
                if self._keeper is None:
                    self._keeper = self._keep_open(self._file)
        self._file.require()

    def _keep_open(self, file: DatabaseFile) -> PoolProxiedConnection:
        """Open a connection that does nothing: until it closes, no one deletes the -wal file in the course of things."""
        engine = _sqlite_engine(self.url, connections=1, timeout=self.timeout, read_only=True, may_create=True)
        connection = _connect(engine)
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*) FROM sqlite_master").fetchall()  # a new file has its -wal from here on
            real_path = next(
                path for _, name, path in cursor.execute("PRAGMA database_list").fetchall() if name == "main"
            )
        except sqlite3.Error as error:
            connection.invalidate()
            raise Unavailable(_UNREACHABLE) from error
        file.remember(real_path)
        return connection

    def check(self) -> None:
        """Make sure that the database can be served. Raises `DatabaseError` or `Unavailable`."""
        if self.dialect == "sqlite" and sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise DatabaseError(f"This Python has SQLite {sqlite3.sqlite_version}; Partwise needs 3.37 or later.")
        try:
            with self.write() as transaction:
                if self.dialect == "postgresql":
                    ((schemas,),) = transaction.execute("SELECT current_schemas(false)::text[]").rows
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
        """Say why the database cannot be used: what is open of an SQLite file outlives its name. None where it can."""
        if self._file is not None and (lost := self._file.why_lost()) is not None:
            return lost
        try:
            self.run_again(self._ask)
        except RequestError:
            return NO_ANSWER
        return None

    def _ask(self) -> None:
        with self.read() as transaction:
            transaction.execute("SELECT 1")

    def close(self) -> None:
        """Close all connections."""
        if self._glancing is not None:
            self._glancing.close()
            self._glancing = None
        for engine in (self._writer, self._reader, self._glancer):
            if engine is not None:
                engine.dispose()
        if self._keeper is not None:
            self._keeper.invalidate()  # there is no pool that would keep it
            self._keeper = None


@contextmanager
def _without_preparing(connection: sa.Connection) -> Iterator[None]:
    """Have psycopg prepare nothing: SQLAlchemy would not run again what a session turns out not to have."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    threshold, driver.prepare_threshold = driver.prepare_threshold, None
    try:
        yield
    finally:
        driver.prepare_threshold = threshold


def _connect(engine: sa.Engine) -> PoolProxiedConnection:
    try:
        return engine.raw_connection()
    except sa.exc.TimeoutError as error:
        raise Unavailable("The database is busy. Try again.") from error
    except (sa.exc.DBAPIError, sqlite3.Error, psycopg.Error) as error:
        raise Unavailable(_UNREACHABLE) from error


def _sqlite_engine(
    url: sa.URL, *, connections: int, timeout: float, read_only: bool, may_create: bool = False
) -> sa.Engine:
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,  # the connection used last is the warm one: its plans and pages are cached
        pool_timeout=timeout,
        pool_reset_on_return=None,  # each transaction has been ended before its connection goes back
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": timeout,
            "factory": TimedConnection,
        },
    )
    engine.dialect.ischema_names = {**engine.dialect.ischema_names, **sqlite_facts.TYPE_NAMES}  # type: ignore[attr-defined]  # SQLiteDialect's

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
        for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    def open_existing(dialect: Any, _record: object, arguments: list[Any], named: dict[str, Any]) -> Any:
        """Open the file only if it is there: an empty one in its place would have SQLite delete the -wal file beside it."""
        path, *others = arguments
        return dialect.connect(f"{Path(path).as_uri()}?mode=rw", *others, **{**named, "uri": True})

    sa.event.listen(engine, "connect", set_up)
    if not may_create:
        sa.event.listen(engine, "do_connect", open_existing)
    return engine


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


def check_file(url: sa.URL, *, may_create: bool, has_models: bool) -> None:
    """Make sure that an SQLite file is there and is a database. Raises `DatabaseError`."""
    if url.get_backend_name() != "sqlite":
        return
    path = Path(url.database or "")
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder, and not a database.")
    if path.exists() and not path.is_file():
        raise DatabaseError(f"{path} is no file, and no database.")
    if not path.exists():
        if not may_create:
            hint = "; --create-tables makes one for the models" if has_models else ""
            raise DatabaseError(f"There is no file {path.absolute()}: check the path{hint}.")
        if not path.absolute().parent.is_dir():
            raise DatabaseError(f"There is no folder {path.absolute().parent} to make {path.name} in.")
    elif path.stat().st_size and not _is_database(path):
        raise DatabaseError(f"{path} is not an SQLite database.")


def _is_database(path: Path) -> bool:
    """Return False if SQLite says that a file is not a database; what else may be wrong with it is found out later.

    SQLite is asked, because to open and close the file ourselves would drop the locks that this process has on it (POSIX),
    and another process could then take the -wal away: https://sqlite.org/howtocorrupt.html, section 2.2.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode != sqlite3.SQLITE_NOTADB
    return True
