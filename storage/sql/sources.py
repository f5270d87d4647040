"""Statements, and the tables that they read and write. No other module writes the name of a table.

Each caller may see only some rows of a table. A statement that names a table owes the rule of that table, a condition
that excludes the other rows, until the rule is part of it. A statement with an open debt cannot be finished.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from storage.catalog.model import Resource
from storage.sql.fragments import Sql, join

Params = tuple[Any, ...]


class Purpose(Enum):
    """What a statement does with the rows that a rule must allow."""

    READ = auto()
    UPDATE = auto()
    DELETE = auto()


class AllRows(Enum):
    """All rows of a table, whoever the caller is, and why. There is no other reason to leave out the rule of a table."""

    INSERT_TARGET = "the table that rows are inserted into"
    CONFLICT_HOLDER = "rows that have a unique value, because constraints apply to all rows"
    STILL_REFERENCED = "rows that refer to another one, because constraints apply to all rows"
    OWN_WRITE = "rows that this transaction has written, or is about to"
    NEXT_KEY = "the largest key"
    OPERATOR = "the operator reads the database"


Sees = Purpose | AllRows


@dataclass(frozen=True, slots=True)
class Source:
    """A table in a statement."""

    table: str
    alias: str  # the quoted name of the table if it has no alias
    sees: Sees


class Access(Protocol):
    """Decides which rows the caller may see and change."""

    def restricts(self, resource: Resource) -> bool:
        """Return True if there may be rows that the caller may not read."""

    def rule(self, resource: Resource, alias: str, purpose: Purpose) -> Sql | None:
        """Return the condition on rows of a table with this alias, or None if all rows fulfill it."""


class Unrestricted:
    """Access to all rows."""

    def restricts(self, resource: Resource) -> bool:  # noqa: ARG002  # no resource is restricted
        """Return False."""
        return False

    def rule(self, resource: Resource, alias: str, purpose: Purpose) -> Sql | None:  # noqa: ARG002  # there is none
        """Return None."""
        return None


UNRESTRICTED = Unrestricted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL text and its parameters, in the driver's format, with the tables of resources that it names."""

    sql: str
    params: Params = ()
    sources: tuple[Source, ...] = ()

    def locked(self, clause: str) -> "Statement":
        """Return the statement with a clause that locks the rows that it reads."""
        return Statement(sql=self.sql + clause, params=self.params, sources=self.sources)

    def given(self, *params: Any) -> "Statement":
        """Return the statement with other parameters."""
        return Statement(sql=self.sql, params=params, sources=self.sources)

    def returning(self, columns: str) -> "Statement":
        """Return the statement with the columns that it returns of each row that it writes."""
        return Statement(sql=f"{self.sql} RETURNING {columns}", params=self.params, sources=self.sources)

    def within(self, before: str, after: Sql | str = "") -> "Statement":
        """Return a statement that contains this one."""
        whole = before + Sql(self.sql, self.params) + after
        return Statement(sql=whole.text, params=whole.params, sources=self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkStatement:
    """One SQL text for many rows, with parameters that contain all rows, or with one set of parameters for each row."""

    sql: str
    params: Sequence[Any]
    each: bool = False  # `params` contains one set of parameters for each row
    sources: tuple[Source, ...] = ()

    @property
    def statement(self) -> Statement:
        """The statement, which has no parameters if there is a set of them for each row."""
        params = () if self.each else tuple(self.params)
        return Statement(sql=self.sql, params=params, sources=self.sources)


class Writing:
    """A statement under construction."""

    __slots__ = ("_access", "_owed", "_quote", "_sources")

    def __init__(self, quote: Callable[[str], str], access: Access) -> None:
        self._quote = quote
        self._access = access
        self._sources: list[Source] = []
        self._owed: dict[str, tuple[Resource, Purpose]] = {}

    def source(self, resource: Resource, sees: Sees, alias: str | None = None) -> str:
        """Return a table with its alias. The statement now owes the table's rule, unless it sees everything."""
        table = self._quote(resource.table)
        own = alias or table
        if isinstance(sees, Purpose):
            if own in self._owed:
                raise AssertionError(f"Two tables are called {own}.")
            self._owed[own] = resource, sees
        self._sources.append(Source(resource.table, own, sees))
        return table if alias is None else f"{table} AS {alias}"

    def with_rule(self, condition: Sql, alias: str) -> Sql:
        """Return a condition together with the rule of a table, which is then paid."""
        rule = self._rule(alias)
        return condition if rule is None else "(" + condition + ") AND (" + rule + ")"

    def _rule(self, alias: str) -> Sql | None:
        """Return the rule of a table, which is then paid; None if all rows are seen."""
        if alias in self._owed:
            resource, purpose = self._owed.pop(alias)
            return self._access.rule(resource, alias, purpose)
        if not any(source.alias == alias and isinstance(source.sees, AllRows) for source in self._sources):
            raise AssertionError(f"The statement does not read {alias}, or already has its rule.")
        return None

    def again(self, resource: Resource, alias: str) -> str:
        """Return a table a second time, whose rows the rest of the statement identifies."""
        if not any(source.table == resource.table and source.alias == alias for source in self._sources):
            raise AssertionError(f"The statement does not read {alias}.")
        return f"{self._quote(resource.table)} AS {alias}"

    def done(self, *pieces: Sql | str) -> Statement:
        """Join fragments to a statement."""
        whole = join("", pieces)
        return Statement(sql=whole.text, params=whole.params, sources=self._paid())

    def bulk(self, *pieces: Sql | str) -> BulkStatement:
        """Join fragments to a statement for many rows."""
        whole = join("", pieces)
        return BulkStatement(sql=whole.text, params=whole.params, sources=self._paid())

    def bulk_of(self, sql: str, params: Sequence[Any]) -> BulkStatement:
        """Return a statement for many rows with this text, which is passed on as the same object."""
        return BulkStatement(sql=sql, params=params, sources=self._paid())

    def bulk_of_each(self, head: str, condition: Sql, alias: str, rows: Iterable[Params]) -> BulkStatement:
        """Return a statement that runs once for each row, with the condition and the rule of a table at its end.

        The parameters of a row are those of the statement without the rule.
        """
        rule = self._rule(alias)
        if rule is None:
            return BulkStatement(sql=head + condition.text, params=[*rows], each=True, sources=self._paid())
        params = [(*row, *rule.params) for row in rows]
        sql = f"{head}({condition.text}) AND ({rule.text})"
        return BulkStatement(sql=sql, params=params, each=True, sources=self._paid())

    def _paid(self) -> tuple[Source, ...]:
        if self._owed:
            raise AssertionError(f"The statement lacks the rules of {', '.join(self._owed)}.")
        return tuple(self._sources)


def statement(*pieces: Sql | str) -> Statement:
    """Join fragments to a statement that names no table of a resource."""
    whole = join("", pieces)
    return Statement(sql=whole.text, params=whole.params)
