"""The statements of each kind of database."""

from collections.abc import Mapping

from storage.sql.postgresql import PostgresqlStatements
from storage.sql.sources import Access
from storage.sql.sqlite import SqliteStatements

_STATEMENTS: Mapping[str, type[SqliteStatements] | type[PostgresqlStatements]] = {
    "sqlite": SqliteStatements,
    "postgresql": PostgresqlStatements,
}


def statements_of(dialect: str, access: Access) -> SqliteStatements | PostgresqlStatements:
    """Return the statements of a dialect, named as SQLAlchemy does, for a caller."""
    return _STATEMENTS[dialect](access)
