"""Rules that leave a mark: whether each statement has the rule of each table that it reads or writes.

With a rule that is always true nothing changes for clients. With one that is always false, they see no row.
"""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from storage.batch.execution.run import Engine
from storage.catalog.model import Resource
from storage.catalog.reflected import RECEIPTS
from storage.connections.control import Control
from storage.connections.transaction import Result, Transaction
from storage.session import Session
from storage.sql import Access, AllRows, BulkStatement, Purpose, Sql, Statement, statements_of

_QUOTED = r'"((?:[^"]|"")+)"|`((?:[^`]|``)+)`'
_NAMED = re.compile(rf"(?:\bFROM|\bJOIN|\bINTO|\bUPDATE(?: OR ABORT)?)\s+(?:ONLY\s+)?(?:{_QUOTED})")
_OWN_TABLES = frozenset({RECEIPTS})


class _Every:
    """All tables."""

    def __contains__(self, table: object) -> bool:
        return True


EVERY = _Every()


@dataclass(frozen=True)
class Sentinel:
    """A rule for every table: that a parameter is a text, or for tables that are hidden, that it is empty."""

    mark: str
    hidden: Container[str] = ()

    def restricts(self, resource: Resource) -> bool:  # noqa: ARG002  # every resource is restricted
        """Return True."""
        return True

    def rule(self, resource: Resource, alias: str, purpose: Purpose) -> Sql:
        """Return the rule, whose parameter names the table."""
        return Sql(f"{self.mark} {'=' if resource.table in self.hidden else '<>'} ''", (_sign(alias, purpose),))


def _sign(alias: str, purpose: Purpose) -> str:
    return f"rule of {alias.replace('%%', '%')}, {purpose.name}"


def place(monkeypatch: pytest.MonkeyPatch, hidden: Container[str] = ()) -> None:
    """Give every session the sentinel's rules, and look at every statement."""

    def session(self: Engine, transaction: Transaction) -> Session:
        dialect = self.database.dialect
        access: Access = Sentinel("?" if dialect == "sqlite" else "%s", hidden)
        return Session(transaction=transaction, statements=statements_of(dialect, access), secret=self.secret)

    execute, execute_bulk = Transaction.execute, Transaction.execute_bulk

    def checked(self: Transaction, statement: Statement | Control) -> Result:
        if isinstance(statement, Statement) and not statement.sql.startswith("EXPLAIN "):  # which reads no row
            check(statement.sql, statement.params, statement)
        return execute(self, statement)

    def checked_bulk(self: Transaction, bulk: BulkStatement) -> int:
        for params in bulk.params if bulk.each else [bulk.params]:
            check(bulk.sql, params, bulk)
        return execute_bulk(self, bulk)

    monkeypatch.setattr(Engine, "session", session)
    monkeypatch.setattr(Transaction, "execute", checked)
    monkeypatch.setattr(Transaction, "execute_bulk", checked_bulk)


def check(sql: str, params: Sequence[Any], statement: Statement | BulkStatement) -> None:
    """Check that a statement says which tables it names, and has the rule of each or the reason why it has none."""
    known = {source.table for source in statement.sources} | _OWN_TABLES
    named = {(double or "").replace('""', '"') or single.replace("``", "`") for double, single in _NAMED.findall(sql)}
    unknown = {name.replace("%%", "%") for name in named} - known
    assert not unknown, f"{sql} names {unknown}"
    given = [each for each in params if isinstance(each, str)]
    for source in statement.sources:
        has_rule = isinstance(source.sees, Purpose) and _sign(source.alias, source.sees) in given
        assert has_rule or isinstance(source.sees, AllRows), f"{sql} lacks the rule of {source}"
