"""What transactions run, how they are made to fail, and how many connections are in use."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from partwise.workers import reader
from storage.connections.database import Database
from storage.connections.transaction import Result, Transaction
from storage.sql import BulkStatement, Statement


def sql(text: str, *params: Any) -> Statement:
    """Make a statement of SQL and its parameters."""
    return Statement(sql=text, params=params)


def count_statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the SQL of every statement that a transaction runs from now on."""
    sent: list[str] = []
    execute = Transaction.execute
    monkeypatch.setattr(reader, "_LONGEST", math.inf)  # on a busy machine a short read may be given up, and begun again

    def noting(self: Transaction, statement: Any) -> Any:
        sent.append(statement.sql)
        return execute(self, statement)

    monkeypatch.setattr(Transaction, "execute", noting)
    return sent


class Faults:
    """Makes statements fail: the n-th of the transactions from now on, COMMIT counted too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.fails: Callable[[int], Exception | None] = lambda _number: None
        self.begun = 0  # how many transactions
        self.after = False  # whether the statement is run before it fails
        execute, execute_bulk, commit = Transaction.execute, Transaction.execute_bulk, Transaction.commit

        def fail() -> None:
            self.count += 1
            error = self.fails(self.count)
            if error is not None:
                raise error

        def failing_execute(transaction: Transaction, statement: Any) -> Result:
            self.begun += statement.sql.startswith("BEGIN")
            if not self.after:
                fail()
            result = execute(transaction, statement)
            if self.after:
                fail()
            return result

        def failing_commit(transaction: Transaction) -> None:
            fail()
            commit(transaction)

        def failing_bulk(transaction: Transaction, bulk: BulkStatement) -> int:
            if not bulk.each:  # it goes through `execute`
                return execute_bulk(transaction, bulk)
            if not self.after:
                fail()
            count = execute_bulk(transaction, bulk)
            if self.after:
                fail()
            return count

        monkeypatch.setattr(Transaction, "execute", failing_execute)
        monkeypatch.setattr(Transaction, "execute_bulk", failing_bulk)
        monkeypatch.setattr(Transaction, "commit", failing_commit)

    def at(self, number: int, error: Exception) -> None:
        """Let one statement fail, counted from 1."""
        self.count = 0
        self.fails = lambda count: error if count == number else None

    def end(self) -> None:
        """Let all go well again."""
        self.fails = lambda _number: None


def checked_out(database: Database) -> int:
    pools: Any = {database._writer.pool, database._reader.pool}
    return sum(pool.checkedout() for pool in pools)
