"""The floor on PostgreSQL: the same work with asyncpg alone."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, assert_never

import asyncpg
import msgspec
from starlette.applications import Starlette

from benchmarks.floor import DATABASE, Floor, Refused, by_operation, expect, make_app
from benchmarks.work import Collection, Part

# Measured with PostgreSQL 18, milliseconds of W1, W2, W3, W4. The driver alone: asyncpg 8.4, 9.6, 7.7, 0.9, with executemany
# instead of arrays 12.9, 15.0, 11.4, 0.8; psycopg 10.1, 9.9, 8.5, 0.8, in a pipeline the same. Over HTTP, and batches a
# second of 16 clients: asyncpg 9.5, 10.5, 8.6, 0.95 and 1,560, with a pool that resets connections 9.8, 10.4, 8.8, 1.05 and
# 1,500; psycopg's async connections 11.9, 11.1, 10.1, 1.45 and 1,410; its connections in threads 12.0, 11.3, 10.0, 1.37 and
# 1,390. RETURNING costs W1 0.3.
#
# W6, the driver alone: rows to msgspec's structs 0.9, to dicts 1.1; JSON by json_agg of rows 1.4, of json_build_object 1.8,
# text put together with || and to_json 1.0, with format 1.1. W6n, one statement: text put together 3.7, its tracks by json_agg
# 4.2, by GROUP BY 4.0; JSON by json_agg of rows 4.5, of json_build_object 5.8, by GROUP BY 5.0; one row for each track, to
# structs, 7; rows of all levels by UNION ALL, to structs, 4.3; and a statement for each level, to structs, 3.3: but three of them
# see one state of the tables only in a transaction, which is two more round trips.
_CONNECTIONS = 8  # as many as Partwise has

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
    """A department, as far as it is read."""

    name: str


class Employee(msgspec.Struct, frozen=True, gc=False):
    """An employee, as it is read."""

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
    """Read how many rows were written: 'UPDATE 7'."""
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
        """Hand a connection back as it is: what asyncpg would ask it to forget is a round trip, and nothing is left."""

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
    """Make the application: uvicorn calls this by name."""
    return make_app(_open)
