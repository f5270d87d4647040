"""The only place that writes SQL."""

from storage.statements.as_stored import LaidOut, RowToBe, holders, lay_out, violations
from storage.statements.codec import Unstorable
from storage.statements.common import Bulk, Columns, Statement, Statements
from storage.statements.conditions import (
    All,
    AnyOf,
    Compare,
    Condition,
    Grouping,
    HasRelated,
    IsTrue,
    Not,
    Operator,
    Sort,
    Window,
    total_order,
)
from storage.statements.postgresql import PostgresqlStatements
from storage.statements.queries import Query
from storage.statements.receipts import RECEIPT_STATEMENTS, ReceiptStatements
from storage.statements.select import Ownership
from storage.statements.sqlite import SqliteStatements

__all__ = [
    "RECEIPT_STATEMENTS",
    "All",
    "AnyOf",
    "Bulk",
    "Columns",
    "Compare",
    "Condition",
    "Grouping",
    "HasRelated",
    "IsTrue",
    "LaidOut",
    "Not",
    "Operator",
    "Ownership",
    "PostgresqlStatements",
    "Query",
    "ReceiptStatements",
    "RowToBe",
    "Sort",
    "SqliteStatements",
    "Statement",
    "Statements",
    "Unstorable",
    "Window",
    "holders",
    "lay_out",
    "total_order",
    "violations",
]
