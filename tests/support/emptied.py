"""Empty PostgreSQL databases: one that a test has left is emptied for the next, because to make one takes ten times as long."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.support.harness import Backend

_MOST_USES = 50  # of a database: its catalogs grow with all that was dropped
_numbers = count()
_free: dict[tuple[str, str], list[str]] = {}  # server and encoding -> databases
_uses: Counter[str] = Counter()

# Whether a database has nothing but what its schema `public` has: objects of our own have numbers from 16384 on.
_IS_PLAIN = """
SELECT datacl IS NULL AND datconnlimit = -1
  AND NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = own.oid)
  AND NOT EXISTS (SELECT FROM pg_namespace WHERE oid >= 16384 AND nspname <> 'public' AND nspname !~ '^pg_(toast_)?temp_')
  AND NOT EXISTS (SELECT FROM pg_extension WHERE oid >= 16384)
  AND NOT EXISTS (SELECT FROM pg_cast WHERE oid >= 16384)
  AND NOT EXISTS (SELECT FROM pg_language WHERE oid >= 16384)
  AND NOT EXISTS (SELECT FROM pg_am WHERE oid >= 16384)
  AND NOT EXISTS (SELECT FROM pg_foreign_data_wrapper)
  AND NOT EXISTS (SELECT FROM pg_event_trigger)
  AND NOT EXISTS (SELECT FROM pg_publication)
  AND NOT EXISTS (SELECT FROM pg_default_acl)
  AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)
  AND NOT EXISTS (SELECT FROM pg_proc WHERE oid >= 16384 AND pronamespace = 'pg_catalog'::regnamespace)
FROM pg_database AS own WHERE datname = current_database()
"""
# As initdb makes it (https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PRIV).
_NEW_SCHEMA = "CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC"
_NEW_SCHEMA_OF_OLD = "CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC"
_VERSION_15 = 150_000


@contextmanager
def empty_database(server: sa.URL, encoding: str = "UTF8") -> Iterator[Backend]:
    """Have an empty database on a PostgreSQL server, until the block ends."""
    free = _free.setdefault((server.render_as_string(), encoding), [])
    name = free.pop() if free else _make(server, encoding)
    backend = Backend("postgresql", server.set(database=name).render_as_string(hide_password=False))
    yield backend
    _uses[name] += 1
    if _uses[name] < _MOST_USES and _is_emptied(backend):
        free.append(name)
    else:
        _drop(server, name)


def drop_all(server: sa.URL) -> None:
    """Drop the databases that wait for another test."""
    for (of, _), names in _free.items():
        if of == server.render_as_string():
            for name in names:
                _drop(server, name)
            names.clear()


def _make(server: sa.URL, encoding: str) -> str:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with _admin(server) as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '{encoding}'"
        )
    return name


def _drop(server: sa.URL, name: str) -> None:
    with _admin(server) as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def _admin(server: sa.URL) -> sa.Connection:
    url = server.set(drivername="postgresql+psycopg")
    return sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect()


def _is_emptied(backend: Backend) -> bool:
    """Drop all that a database has; False if it has what is not dropped easily."""
    try:
        with psycopg.connect(backend.url, autocommit=True, client_encoding="utf8") as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if connection.execute(_IS_PLAIN).fetchone() != (True,):
                return False
            connection.execute("SET client_min_messages = warning; SET lock_timeout = '5s'")
            is_new = connection.info.server_version >= _VERSION_15
            connection.execute(f"DROP SCHEMA IF EXISTS public CASCADE; {_NEW_SCHEMA if is_new else _NEW_SCHEMA_OF_OLD}")
    except psycopg.Error:  # too many objects for one transaction, or a session that does not end
        return False
    return True
