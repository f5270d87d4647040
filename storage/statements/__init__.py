"""The only place that writes SQL."""

from storage.statements.common import Bulk, Columns, Order, Page, Statement, Statements, Unstorable
from storage.statements.postgresql import PostgresqlStatements
from storage.statements.sqlite import SqliteStatements

__all__ = [
    "Bulk",
    "Columns",
    "Order",
    "Page",
    "PostgresqlStatements",
    "SqliteStatements",
    "Statement",
    "Statements",
    "Unstorable",
]
