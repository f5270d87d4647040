"""The statements of each kind of database."""

from collections.abc import Mapping

from storage.sql.postgresql import PostgresqlStatements
from storage.sql.sqlite import SqliteStatements

_STATEMENTS: Mapping[str, SqliteStatements | PostgresqlStatements] = {
    "sqlite": SqliteStatements(),
    "postgresql": PostgresqlStatements(),
}


def statements_of(dialect: str) -> SqliteStatements | PostgresqlStatements:
    """Return the statements of a dialect, named as SQLAlchemy does."""
    return _STATEMENTS[dialect]
