"""The floor on SQLite: the same work with `sqlite3` alone."""

import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from benchmarks.floor import DATABASE, Refused, Run, by_operation, expect, make_app
from benchmarks.work import Create, Part

# Measured with Python 3.11 and SQLite 3.40, milliseconds with BEGIN and COMMIT (a COMMIT is 0.6 of them), 1,000 creates:
# executemany 2.3, with keys of our own 2.6, json_each 3.4, VALUES of 20 rows 1.8, of 100 rows 1.7, of 1,000 rows 1.7, of
# 100 rows RETURNING id 2.2. 1,000 updates: executemany 1.6, UPDATE … FROM json_each 2.3, FROM VALUES of 200 rows 1.4, but
# that tells no row count before Python 3.12. 200 deletes: executemany 0.8, json_each 0.7.
# Over HTTP: on the event loop W1 2.9, W2 2.6, W3 2.9, W4 0.56 and 3,100 batches a second of 16 clients; in a thread of its
# own 3.0, 2.7, 2.9, 0.67 and 2,400; on the event loop with executemany for creates W1 3.6.
_ROWS = 100  # of one INSERT
_INSERT = "INSERT INTO employee (name, salary, department_id, email) VALUES "
_UPDATE = "UPDATE employee SET salary = ?, version = version + 1 WHERE id = ?"
_DELETE = "DELETE FROM employee WHERE id = ?"


def open_connection(path: str) -> sqlite3.Connection:
    """Open the database as Partwise does."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def run_parts(connection: sqlite3.Connection, parts: Sequence[Part]) -> None:
    """Run the parts in one transaction. Raises `Refused`."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        _write(connection, parts)
        connection.execute("COMMIT")
    except BaseException as error:  # whatever it was, the next request needs a connection without a transaction
        connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            raise Refused(str(error)) from error
        raise


def _write(connection: sqlite3.Connection, parts: Sequence[Part]) -> None:
    creates, updates, deletes = by_operation(parts)
    for start in range(0, len(creates), _ROWS):
        _insert(connection, creates[start : start + _ROWS])
    if free := [(part.salary, part.key) for part in updates if part.version is None]:
        expect(connection.executemany(_UPDATE, free).rowcount, len(free))
    if guarded := [(part.salary, part.key, part.version) for part in updates if part.version is not None]:
        expect(connection.executemany(f"{_UPDATE} AND version = ?", guarded).rowcount, len(guarded))
    if deletes:
        expect(connection.executemany(_DELETE, [(part.key,) for part in deletes]).rowcount, len(deletes))


def _insert(connection: sqlite3.Connection, creates: Sequence[Create]) -> None:
    places = ",".join(["(?,?,?,?)"] * len(creates))
    values = [value for part in creates for value in (part.name, part.salary, part.department_id, part.email)]
    connection.execute(_INSERT + places, values)


@asynccontextmanager
async def _open() -> AsyncIterator[Run]:
    connection = open_connection(os.environ[DATABASE])

    async def run(parts: Sequence[Part]) -> None:
        run_parts(connection, parts)

    yield run
    connection.close()


def create() -> Starlette:
    """Make the application: uvicorn calls this by name."""
    return make_app(_open)
