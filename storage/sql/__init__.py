"""The SQL of the product; no other package writes SQL."""

from storage.sql.as_stored import LaidOut, RowToBe, holders, lay_out, violations
from storage.sql.codec import Unstorable
from storage.sql.common import Columns, Statements
from storage.sql.conditions import (
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
from storage.sql.dialects import statements_of
from storage.sql.fragments import Sql
from storage.sql.postgresql import PostgresqlStatements
from storage.sql.queries import Query
from storage.sql.receipts import RECEIPT_STATEMENTS, ReceiptStatements
from storage.sql.select import Ownership
from storage.sql.sources import UNRESTRICTED, Access, AllRows, BulkStatement, Purpose, Sees, Statement
from storage.sql.sqlite import SqliteStatements

__all__ = [
    "RECEIPT_STATEMENTS",
    "UNRESTRICTED",
    "Access",
    "All",
    "AllRows",
    "AnyOf",
    "BulkStatement",
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
    "Purpose",
    "Query",
    "ReceiptStatements",
    "RowToBe",
    "Sees",
    "Sort",
    "Sql",
    "SqliteStatements",
    "Statement",
    "Statements",
    "Unstorable",
    "Window",
    "holders",
    "lay_out",
    "statements_of",
    "total_order",
    "violations",
]
