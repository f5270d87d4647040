"""The rows of resources inside one transaction: read, written, and each with its version."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, Protocol

from storage import etags
from storage.catalog.model import Resource, Values
from storage.catalog.types import Opaque, Unreadable, Value
from storage.database import Database, Result, Transaction
from storage.driver_errors import StatementRefused, Violation
from storage.statements import Order, Page, PostgresqlStatements, SqliteStatements, Statement, Statements, Unstorable

KeyTuple = tuple[Value, ...]

_MOST_LOOKS = 3  # at a row that is there and is not locked: others may be deleting and inserting it again


class Lock(Enum):
    """What becomes of a row that is read, until the transaction ends; SQLite's transactions are locks themselves."""

    NONE = "none"
    KEEP = "keep"  # nobody else changes it
    CHANGE = "change"  # we may


class Row:
    """One row, as it was when it was read or written."""

    __slots__ = ("_etag", "resource", "values")

    def __init__(self, *, resource: Resource, values: Values, etag: str | Callable[[], str]) -> None:
        """Make one; an etag that has to be computed is computed when somebody asks for it."""
        self.resource = resource
        self.values = values
        self._etag = etag

    def __repr__(self) -> str:
        return f"Row({self.resource.name}, {self.values!r})"

    @property
    def etag(self) -> str:
        """Its version."""
        if not isinstance(self._etag, str):
            self._etag = self._etag()
        return self._etag

    @property
    def key(self) -> KeyTuple:
        """The values of the key, in its order."""
        return self.of(self.resource.key)

    def of(self, attributes: Iterable[str]) -> KeyTuple:
        """The values of some attributes, in their order."""
        return tuple(self.values[name] for name in attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """Some rows of a collection, and whether there are more behind them."""

    rows: Sequence[Row]
    has_more: bool


class Finder(Protocol):
    """A view of the rows."""

    def by_values(
        self, resource: Resource, attributes: Sequence[str], values: Sequence[Value], lock: Lock = Lock.NONE
    ) -> Row | None:
        """Find the row whose attributes have these values."""

    def by_key(self, resource: Resource, key: Sequence[Value]) -> Row | None:
        """Find a row by its key."""


class Rows:
    """Reads and writes rows in one transaction."""

    def __init__(self, transaction: Transaction, database: Database, secret: bytes = b"") -> None:
        self.transaction = transaction
        self.statements = statements_of(database)
        self._secret = secret

    def by_values(
        self, resource: Resource, attributes: Sequence[str], values: Sequence[Value], lock: Lock = Lock.NONE
    ) -> Row | None:
        """Find the row whose attributes have these values; none of them may be null."""
        where = self.statements.equal(resource, dict(zip(attributes, values, strict=True)))
        statement = self.statements.select(resource, where)
        clause = {Lock.NONE: "", Lock.KEEP: self.statements.lock_to_keep, Lock.CHANGE: self.statements.lock_to_change}
        found = self._locked(statement, clause[lock] if resource.writable else "")
        return self._row(resource, found[0]) if found else None

    def _locked(self, statement: Statement, clause: str) -> Sequence[tuple[Any, ...]]:
        """Read with a lock; without one what can be seen and not be locked, because a policy hides it from changes."""
        seen: Sequence[tuple[Any, ...]] = ()
        for _ in range(_MOST_LOOKS):
            locked = self._run(replace(statement, sql=statement.sql + clause)).rows
            if locked or not clause:
                return locked
            seen = self._run(statement).rows
            if not seen:
                break
        return seen

    def by_key(self, resource: Resource, key: Sequence[Value]) -> Row | None:
        """Find a row by its key."""
        return self.by_values(resource, resource.key, key)

    def among(self, resource: Resource, attributes: Sequence[str], tuples: Collection[KeyTuple]) -> list[Row]:
        """Find the rows whose attributes together have one of the tuples of values."""
        found: list[Row] = []
        for chunk in self.statements.chunks(_usable(tuples)):
            where = self.statements.among(resource, attributes, chunk)
            found += [self._row(resource, raw) for raw in self._run(self.statements.select(resource, where)).rows]
        return found

    def page(self, resource: Resource, filters: Values, order: Sequence[Order], page: Page) -> RowPage:
        """Read a page of the rows that have these values."""
        where = self.statements.equal(resource, filters)
        one_more = page if page.limit is None else Page(limit=page.limit + 1, offset=page.offset)
        raw = self._run(self.statements.select(resource, where, order=order, page=one_more)).rows
        rows = [self._row(resource, each) for each in raw[: page.limit]]
        return RowPage(rows=rows, has_more=len(raw) > len(rows))

    def count(self, resource: Resource, filters: Values) -> int:
        """Count the rows that have these values."""
        return int(self._run(self.statements.count(resource, self.statements.equal(resource, filters))).rows[0][0])

    def pages_among(
        self, resource: Resource, attributes: Sequence[str], tuples: Collection[KeyTuple], page: Page
    ) -> dict[KeyTuple, RowPage]:
        """Read a page of children for each of many parents, in one statement."""
        one_more = page if page.limit is None else Page(limit=page.limit + 1, offset=page.offset)
        found: dict[KeyTuple, list[Row]] = {}
        for chunk in self.statements.chunks(_usable(tuples)):
            statement = self.statements.pages_among(resource, attributes, chunk, one_more)
            for raw in self._run(statement).rows:
                row = self._row(resource, raw[1:])
                found.setdefault(row.of(attributes), []).append(row)
        return {
            parent: RowPage(rows=rows[: page.limit], has_more=page.limit is not None and len(rows) > page.limit)
            for parent, rows in found.items()
        }

    def counts_among(
        self, resource: Resource, attributes: Sequence[str], tuples: Collection[KeyTuple]
    ) -> dict[KeyTuple, int]:
        """Count the children of each of many parents, in one statement."""
        found: dict[KeyTuple, int] = {}
        own = [resource.attributes[name] for name in attributes]
        for chunk in self.statements.chunks(_usable(tuples)):
            for *raw, count in self._run(self.statements.counts_among(resource, attributes, chunk)).rows:
                parent = tuple(self.statements.decode(a, value) for a, value in zip(own, raw, strict=True))
                found[parent] = count
        return found

    def keys_where(
        self, resource: Resource, attributes: Sequence[str], values: Sequence[Value], most: int
    ) -> list[KeyTuple]:
        """Find the keys of at most so many rows that have these values."""
        where = self.statements.equal(resource, dict(zip(attributes, values, strict=True)))
        statement = self.statements.select(
            resource, where, page=Page(limit=most), attributes=resource.key or tuple(attributes)
        )
        own = [resource.attributes[name] for name in resource.key or attributes]
        return [
            tuple(
                None if value is None else self.statements.decode(a, value) for a, value in zip(own, raw, strict=True)
            )
            for raw in self._run(statement).rows
        ]

    def insert(self, resource: Resource, values: Values) -> Row:
        """Insert a row, and read it back as the database has it, its triggers' doing included."""
        result = self._run(self.statements.insert(resource, values))
        if not result.rows:
            raise StatementRefused(Violation.OTHER)
        own = [resource.attributes[name] for name in resource.key]
        key = tuple(self.statements.decode(a, raw) for a, raw in zip(own, result.rows[0], strict=True))
        return self._kept(self._expect(resource, key), values)

    def update(self, row: Row, values: Values, defaults: Collection[str] = ()) -> Row:
        """Change a row, and read it back."""
        where = self._where_key(row)
        if values or defaults:
            result = self._run(self.statements.update(row.resource, where, values, defaults))
            if result.count != 1:
                raise StatementRefused(Violation.OTHER)
        return self._kept(self._expect(row.resource, row.key), values)

    def delete(self, row: Row) -> None:
        """Delete a row."""
        result = self._run(self.statements.delete(row.resource, self._where_key(row)))
        if result.count != 1:
            raise StatementRefused(Violation.OTHER)

    def _where_key(self, row: Row) -> Statement:
        return self.statements.equal(row.resource, dict(zip(row.resource.key, row.key, strict=True)))

    def _expect(self, resource: Resource, key: KeyTuple) -> Row:
        row = self.by_key(resource, key)
        if row is None:  # a trigger has taken it away again
            raise StatementRefused(Violation.OTHER)
        return row

    def _kept(self, row: Row, written: Values) -> Row:
        """Make sure that the database has not rounded, cut or converted what it was given, as its types may.

        Triggers may change a row on purpose, and how PostgreSQL writes a type that only it can read is its own affair.
        """
        attributes = row.resource.attributes
        for name, value in () if row.resource.has_triggers else written.items():
            if row.values[name] != value and not (
                self.statements.rewrites_opaque and isinstance(attributes[name].type, Opaque)
            ):
                raise Unstorable(name, "is not kept by the database as it is given: its column would change it.")
        return row

    def _run(self, statement: Statement) -> Result:
        return self.transaction.execute(statement.sql, statement.params)

    def _row(self, resource: Resource, raw: Sequence[Any]) -> Row:
        values = self.statements.decode_row(resource, raw)
        return Row(resource=resource, values=values, etag=partial(self._etag, resource, raw, values))

    def _etag(self, resource: Resource, raw: Sequence[Any], values: Mapping[str, Value]) -> str:
        if resource.version is not None and not isinstance(values[resource.version], Unreadable):
            return etags.version_etag(values[resource.version])
        return etags.content_etag(resource, raw, self._secret)


def _usable(tuples: Collection[KeyTuple]) -> list[KeyTuple]:
    """Keep what can be the values of a key: no null, and nothing that cannot be read."""
    return [each for each in tuples if not any(value is None or isinstance(value, Unreadable) for value in each)]


_STATEMENTS: Mapping[str, Statements] = {"sqlite": SqliteStatements(), "postgresql": PostgresqlStatements()}


def statements_of(database: Database) -> Statements:
    """Find the statements of a database's kind."""
    return _STATEMENTS[database.dialect]
