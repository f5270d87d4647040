"""Names of prepared statements that are unique to a connection, so that a statement never runs as another one.

psycopg names the statements of every connection _pg3_0, _pg3_1 …. Behind a pooler, connections share server sessions,
so that such a name may refer to a statement that another connection has prepared. `PrepareManager` is private to
psycopg: pyproject.toml limits the versions, and a test checks that they work.
"""

import secrets
from collections.abc import Callable
from typing import Any

from psycopg._connection_base import BaseConnection
from psycopg._preparing import Key, Prepare, PrepareManager
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

# Other statements (BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET) are not prepared: PostgreSQL does not plan them, and so
# they never raise an error that only a prepared statement can raise.
_WORTH_PREPARING = (b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"WITH")


def install(connection: BaseConnection[Any], is_on: Callable[[], bool]) -> bool:
    """Set up unique statement names for a connection. `is_on` is called for each query.

    Return False if this version of psycopg manages prepared statements in a different manner.
    """
    if not isinstance(getattr(connection, "_prepared", None), PrepareManager):
        return False
    connection._prepared = OwnNames(is_on)  # noqa: SLF001  # psycopg has no public API for it
    return True


class OwnNames(PrepareManager):
    """A manager that decides which statements a connection prepares, and under which names."""

    def __init__(self, is_on: Callable[[], bool]) -> None:
        super().__init__()
        self._is_on = is_on  # returns True if statements are prepared, for the whole process
        self._prefix = f"_pw_{secrets.token_hex(8)}_"
        self._count = 0

    def get(self, query: PostgresQuery, prepare: bool | None = None) -> tuple[Prepare, bytes]:  # noqa: FBT001  # psycopg's signature
        """Return whether a query is prepared or will be, and its name."""
        if not (self._is_on() and query.query.startswith(_WORTH_PREPARING)):
            return Prepare.NO, b""
        found, name = super().get(query, prepare)
        if found is not Prepare.SHOULD:
            return found, name
        self._count += 1  # a name is used once, for a single text
        return found, f"{self._prefix}{self._count}".encode()

    def maybe_add_to_cache(self, query: PostgresQuery, prep: Prepare, name: bytes) -> Key | None:
        """Count a query that may be prepared later."""
        if not (self._is_on() and query.query.startswith(_WORTH_PREPARING)):
            return None
        return super().maybe_add_to_cache(query, prep, name)

    def _should_discard(self, *_: Any) -> bool:
        """Return False to keep all statements, also after a ROLLBACK or DDL: PostgreSQL renews their plans itself.

        Otherwise, psycopg would send DEALLOCATE ALL. Behind a pooler, that removes the statements of other connections.
        """
        return False

    def maintain_gen(self, conn: BaseConnection[Any]) -> PQGen[None]:
        """Close evicted statements, but only inside a transaction.

        After COMMIT, an error would look like an error of COMMIT. Outside of a transaction, a pooler sends the
        statement to any session.
        """
        if self._to_flush and conn.pgconn.transaction_status == TransactionStatus.INTRANS:
            yield from super().maintain_gen(conn)
