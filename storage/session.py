"""A session: one transaction, and what its statements are written with.

Below the HTTP endpoints, rows are read and written only in a session, which `Engine.session` opens.
"""

from dataclasses import dataclass

from storage.connections.transaction import Transaction
from storage.sql import PostgresqlStatements, SqliteStatements


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One transaction, and what its statements are written with."""

    transaction: Transaction
    statements: SqliteStatements | PostgresqlStatements
    secret: bytes  # of etags
