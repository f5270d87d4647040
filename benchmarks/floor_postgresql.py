"""The floor on PostgreSQL: the same work with only asyncpg."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, assert_never

import asyncpg
import msgspec
from starlette.applications import Starlette

from benchmarks.floor import DATABASE, Floor, Refused, by_operation, expect, make_app
from benchmarks.work import Collection, Part

# Measured with PostgreSQL 18, in milliseconds.
#
# Driver only, for W1, W2, W3, W4:
# * asyncpg 8.4, 9.6, 7.7, 0.9; with executemany instead of arrays 12.9, 15.0, 11.4, 0.8
# * psycopg 10.1, 9.9, 8.5, 0.8; the same in a pipeline
#
# Over HTTP, for W1, W2, W3, W4, and batches per second of 16 clients:
# * asyncpg 9.5, 10.5, 8.6, 0.95 and 1,560; with a pool that resets connections 9.8, 10.4, 8.8, 1.05 and 1,500
# * psycopg's async connections 11.9, 11.1, 10.1, 1.45 and 1,410
# * psycopg's connections in threads 12.0, 11.3, 10.0, 1.37 and 1,390
# RETURNING costs W1 0.3.
#
# Driver only, for W6:
# * rows decoded to msgspec structs 0.9, to dicts 1.1
# * JSON with json_agg of rows 1.4, of json_build_object 1.8
# * text concatenated with || and to_json 1.0, with format 1.1
#
# Driver only, for W6n, in one statement:
# * concatenated text 3.7; with json_agg for its tracks 4.2, with GROUP BY 4.0
# * JSON with json_agg of rows 4.5, of json_build_object 5.8, with GROUP BY 5.0
# * one row per track, decoded to structs, 7
# * rows of all levels with UNION ALL, decoded to structs, 4.3
# One statement per level, decoded to structs, takes 3.3. But three statements read the same snapshot only in a
# transaction, which costs two more round trips.
_CONNECTIONS = 8  # the same number as Partwise

_INSERT = """
INSERT INTO employee (name, salary, department_id, email)
SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::text[]) RETURNING id
"""
_UPDATE = """
UPDATE employee SET salary = given.salary, version = employee.version + 1
FROM unnest($1::int[], $2::int[], $3::int[]) AS given (id, salary, version)
WHERE employee.id = given.id AND (given.version IS NULL OR employee.version = given.version)
"""
_DELETE = "DELETE FROM employee WHERE id = ANY ($1::int[])"
_EMPLOYEES = """
SELECT employee.id, employee.name, salary, email, department.name
FROM employee JOIN department ON department.id = department_id ORDER BY employee.id LIMIT $1
"""
_ARTISTS = """
SELECT '[' || coalesce(string_agg(
  '{"id":' || id || ',"name":' || to_json(name) || ',"albums":{"nodes":[' || coalesce((
    SELECT string_agg(
      '{"id":' || id || ',"title":' || to_json(title) || ',"tracks":{"nodes":[' || coalesce((
        SELECT string_agg('{"id":' || id || ',"name":' || to_json(name) || '}', ',' ORDER BY id)
        FROM track WHERE album_id = album.id
      ), '') || ']}}', ',' ORDER BY id)
    FROM album WHERE artist_id = artist.id
  ), '') || ']}}', ',' ORDER BY id), '') || ']'
FROM (SELECT id, name FROM artist ORDER BY id LIMIT $1) AS artist
"""

_encoder = msgspec.json.Encoder()


class Department(msgspec.Struct, frozen=True, gc=False):
    """The attributes of a department that are read."""

    name: str


class Employee(msgspec.Struct, frozen=True, gc=False):
    """The attributes of an employee that are read."""

    id: int
    name: str
    salary: int
    email: str
    department: Department


async def run_parts(connection: Any, parts: Sequence[Part]) -> None:
    """Run the parts in one transaction. Raises `Refused`."""
    try:
        async with connection.transaction():
            await _write(connection, parts)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Refused(str(error)) from error


async def _write(connection: Any, parts: Sequence[Part]) -> None:
    creates, updates, deletes = by_operation(parts)
    if creates:
        keys = await connection.fetch(
            _INSERT,
            [part.name for part in creates],
            [part.salary for part in creates],
            [part.department_id for part in creates],
            [part.email for part in creates],
        )
        expect(len(keys), len(creates))
    if updates:
        status = await connection.execute(
            _UPDATE,
            [part.key for part in updates],
            [part.salary for part in updates],
            [part.version for part in updates],
        )
        expect(_count(status), len(updates))
    if deletes:
        expect(_count(await connection.execute(_DELETE, [part.key for part in deletes])), len(deletes))


def _count(status: str) -> int:
    """Parse the number of rows that were written from a status such as 'UPDATE 7'."""
    return int(status.rpartition(" ")[2])


async def read_items(connection: Any, collection: Collection, first: int) -> bytes:
    """Read the first items of a collection, as JSON."""
    match collection:
        case Collection.EMPLOYEES:
            rows = await connection.fetch(_EMPLOYEES, first)
            return _encoder.encode(
                [
                    Employee(key, name, salary, email, Department(department))
                    for key, name, salary, email, department in rows
                ]
            )
        case Collection.ARTISTS:
            return str(await connection.fetchval(_ARTISTS, first)).encode()
        case _:
            assert_never(collection)


@asynccontextmanager
async def _open() -> AsyncIterator[Floor]:
    async def keep(_connection: Any) -> None:
        """Skip asyncpg's reset of a released connection: it costs a round trip, and there is no state to reset."""

    pool = await asyncpg.create_pool(
        os.environ[DATABASE],
        min_size=_CONNECTIONS,
        max_size=_CONNECTIONS,
        max_inactive_connection_lifetime=0,
        reset=keep,
    )

    async def run(parts: Sequence[Part]) -> None:
        async with pool.acquire() as connection:
            await run_parts(connection, parts)

    async def read(collection: Collection, first: int) -> bytes:
        async with pool.acquire() as connection:
            return await read_items(connection, collection, first)

    yield Floor(run=run, read=read)
    await pool.close()


def create() -> Starlette:
    """Create the application; uvicorn calls this factory by name."""
    return make_app(_open)
