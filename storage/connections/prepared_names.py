"""Names of prepared statements that no other connection uses, so that a statement never runs as another one.

psycopg calls the statements of every connection _pg3_0, _pg3_1 …. Behind a pooler, connections share server sessions, and
such a name may mean a statement that another connection has prepared. `PrepareManager` is private to psycopg: pyproject.toml
limits the versions, and a test holds it to them.
"""

import secrets
from collections.abc import Callable
from typing import Any

from psycopg._connection_base import BaseConnection
from psycopg._preparing import Key, Prepare, PrepareManager
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

# Everything else (BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET) is sent as it is: PostgreSQL does not plan it, and an error that
# only a prepared statement can have never comes from it.
_WORTH_PREPARING = (b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"WITH")


def install(connection: BaseConnection[Any], is_on: Callable[[], bool]) -> bool:
    """Give a connection names of its own; False if this psycopg keeps them in another way. `is_on` is asked each time."""
    if not isinstance(getattr(connection, "_prepared", None), PrepareManager):
        return False
    connection._prepared = OwnNames(is_on)  # noqa: SLF001  # psycopg has no public way
    return True


class OwnNames(PrepareManager):
    """Decides what a connection prepares, and under which name."""

    def __init__(self, is_on: Callable[[], bool]) -> None:
        super().__init__()
        self._is_on = is_on  # whether anything is prepared, for the whole process
        self._prefix = f"_pw_{secrets.token_hex(8)}_"
        self._count = 0

    def get(self, query: PostgresQuery, prepare: bool | None = None) -> tuple[Prepare, bytes]:  # noqa: FBT001  # psycopg's signature
        """Say whether a query is prepared, or is to be, and its name."""
        if not (self._is_on() and query.query.startswith(_WORTH_PREPARING)):
            return Prepare.NO, b""
        found, name = super().get(query, prepare)
        if found is not Prepare.SHOULD:
            return found, name
        self._count += 1  # a name is used for one text only, and once
        return found, f"{self._prefix}{self._count}".encode()

    def maybe_add_to_cache(self, query: PostgresQuery, prep: Prepare, name: bytes) -> Key | None:
        """Count a query that may be prepared later."""
        if not (self._is_on() and query.query.startswith(_WORTH_PREPARING)):
            return None
        return super().maybe_add_to_cache(query, prep, name)

    def _should_discard(self, *_: Any) -> bool:
        """Keep all statements, after a ROLLBACK or DDL too: their plans are PostgreSQL's to renew.

        psycopg would send DEALLOCATE ALL, which behind a pooler takes away the statements of other connections.
        """
        return False

    def maintain_gen(self, conn: BaseConnection[Any]) -> PQGen[None]:
        """Close what was evicted, but only inside a transaction.

        After COMMIT, an error of it would look like an error of COMMIT; and outside of a transaction, a pooler hands it to any session.
        """
        if self._to_flush and conn.pgconn.transaction_status == TransactionStatus.INTRANS:
            yield from super().maintain_gen(conn)
