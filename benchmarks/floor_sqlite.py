"""The floor on SQLite: the same work with only `sqlite3`."""

import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from benchmarks.floor import DATABASE, Floor, Refused, by_operation, expect, make_app
from benchmarks.work import Collection, Create, Part

# Measured with Python 3.11 and SQLite 3.40, in milliseconds, including BEGIN and COMMIT (a COMMIT takes 0.6 of them).
#
# Driver only:
# * 1,000 creates: executemany 2.3, with explicit keys 2.6; json_each 3.4; VALUES of 20 rows 1.8, of 100 rows 1.7, of
#   1,000 rows 1.7, of 100 rows with RETURNING id 2.2
# * 1,000 updates: executemany 1.6; UPDATE … FROM json_each 2.3; FROM VALUES of 200 rows 1.4, but that does not return
#   a row count before Python 3.12
# * 200 deletes: executemany 0.8, json_each 0.7
#
# Over HTTP, for W1, W2, W3, W4, and batches per second of 16 clients:
# * on the event loop 2.9, 2.6, 2.9, 0.56 and 3,100; with executemany for creates, W1 takes 3.6
# * in a thread of its own 3.0, 2.7, 2.9, 0.67 and 2,400
#
# Driver only, for W6:
# * JSON with json_group_array 0.59; 0.76 if the ordered subselect passes all columns instead of only the keys, because
#   SQLite copies the columns that it passes
# * JSON of each row with json_object, joined in Python, 0.76
# * rows decoded to msgspec structs 0.89, to dicts 1.1
# * text concatenated with || and json_quote 1.25
#
# Driver only, for W6n, in one statement:
# * nested JSON functions 2.4; with all columns passed 2.8; without ORDER BY 2.3 (then the order is only that of the
#   index); with json() around each inner one 4.0
# * text around json_group_array 2.9, only text 4.1
# * one row per track, decoded to structs, 5.1
# * rows of all levels with UNION ALL, decoded to structs, 4.7
# One statement per level, decoded to structs, takes 3.7.
_ROWS = 100  # rows per INSERT
_INSERT = "INSERT INTO employee (name, salary, department_id, email) VALUES "
_UPDATE = "UPDATE employee SET salary = ?, version = version + 1 WHERE id = ?"
_DELETE = "DELETE FROM employee WHERE id = ?"
_READS = {
    Collection.EMPLOYEES: """
SELECT json_group_array(json_object(
  'id', employee.id, 'name', employee.name, 'salary', salary, 'email', email, 'department', json_object('name', department.name)
)) FROM (SELECT id FROM employee ORDER BY id LIMIT ?) AS first
CROSS JOIN employee ON employee.id = first.id CROSS JOIN department ON department.id = department_id
""",
    Collection.ARTISTS: """
SELECT json_group_array(json_object('id', artist.id, 'name', artist.name, 'albums', json_object('nodes', (
  SELECT json_group_array(json_object('id', album.id, 'title', album.title, 'tracks', json_object('nodes', (
    SELECT json_group_array(json_object('id', track.id, 'name', track.name))
    FROM (SELECT id FROM track WHERE album_id = album.id ORDER BY id) AS listed CROSS JOIN track ON track.id = listed.id
  )))) FROM (SELECT id FROM album WHERE artist_id = artist.id ORDER BY id) AS owned CROSS JOIN album ON album.id = owned.id
)))) FROM (SELECT id FROM artist ORDER BY id LIMIT ?) AS first CROSS JOIN artist ON artist.id = first.id
""",
}


def open_connection(path: str) -> sqlite3.Connection:
    """Open the database with the same pragmas as Partwise."""
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
    except BaseException as error:  # after any error, the next request needs a connection without a transaction
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


def read_items(connection: sqlite3.Connection, collection: Collection, first: int) -> bytes:
    """Read the first items of a collection, as JSON."""
    (items,) = connection.execute(_READS[collection], (first,)).fetchone()
    return str(items).encode()


@asynccontextmanager
async def _open() -> AsyncIterator[Floor]:
    connection = open_connection(os.environ[DATABASE])

    async def run(parts: Sequence[Part]) -> None:
        run_parts(connection, parts)

    async def read(collection: Collection, first: int) -> bytes:
        return read_items(connection, collection, first)

    yield Floor(run=run, read=read)
    connection.close()


def create() -> Starlette:
    """Create the application; uvicorn calls this factory by name."""
    return make_app(_open)
