"""Reads the rows of resources in one transaction, each with its etag."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from storage.catalog.model import Relation, Resource, Values
from storage.catalog.types import Unreadable, Value
from storage.connections.driver_errors import Retry
from storage.connections.transaction import Result
from storage.rows import etags
from storage.rows.json_columns import RawColumns, decoders_of, raw_columns, read_columns, together
from storage.rows.row import Ambiguous, KeyTuple, Lock, NotLoaded, Row, RowColumns, RowPage, can_be_key, points_at
from storage.session import Session
from storage.sql import (
    All,
    AllRows,
    Columns,
    Compare,
    Operator,
    Ownership,
    Purpose,
    Query,
    Sees,
    Sql,
    Statement,
    Window,
)

_MANY = 32  # rows: from this number on they are not fetched at once, because their values may be long
_MOST_LOOKS = 3  # reads of a row that exists but was not locked: others may be deleting and inserting it again


class RowReader:
    """Reads rows in one transaction."""

    def __init__(self, session: Session) -> None:
        self.transaction = session.transaction
        self.statements = session.statements
        self._secret = session.secret

    def by_values(
        self, resource: Resource, attributes: Sequence[str], values: Sequence[Value], lock: Lock = Lock.NONE
    ) -> Row | None:
        """Return the row whose attributes have these values, or None; no value may be null. Raises `Ambiguous`."""
        found = self._found(resource, attributes, values, lock)
        if len(found) > 1:
            raise Ambiguous(resource, attributes)
        return self._row(resource, found[0]) if found else None

    def _found(
        self,
        resource: Resource,
        attributes: Sequence[str],
        values: Sequence[Value],
        lock: Lock,
        sees: Sees = Purpose.READ,
    ) -> Sequence[tuple[Any, ...]]:
        where = self.statements.equal(resource, dict(zip(attributes, values, strict=True)))
        statement = self.statements.select(resource, where, sees=sees)
        clause = {Lock.NONE: "", Lock.KEEP: self.statements.lock_to_keep, Lock.CHANGE: self.statements.lock_to_change}
        can_be_locked = resource.lockable and not self.transaction.reads_only
        return self._locked(resource, statement, clause[lock] if can_be_locked else "")

    def by_key(self, resource: Resource, key: Sequence[Value], sees: Sees = Purpose.READ) -> Row | None:
        """Return the row with this key, or None; one of them, if tables inherit and several rows have it."""
        found = self._found(resource, resource.key, key, Lock.NONE, sees)
        return self._row(resource, found[0]) if found else None

    def is_child(self, row: Row, relation: Relation, parent: Row) -> bool:
        """Return True if a relation to many leads from a parent to a row."""
        if not relation.foreign_key.collated:
            return points_at(row, relation, parent)
        where = self._where_key(row)
        return bool(self._read(self.statements.child(row.resource, where, relation, parent.resource, parent.key)).rows)

    def _locked(self, resource: Resource, statement: Statement, clause: str) -> Sequence[tuple[Any, ...]]:
        """Read rows and lock them. Rows that a policy protects from changes are read without a lock.

        Raises `Retry` if the resource has no policies: others repeatedly delete the row and insert it again.
        """
        seen: Sequence[tuple[Any, ...]] = ()
        for _ in range(_MOST_LOOKS):
            locked = self._read(statement.locked(clause)).rows
            if locked or not clause:
                return locked
            seen = self._read(statement).rows
            if not seen:
                break
        if seen and not resource.has_policies:
            raise Retry
        return seen

    def among(
        self,
        resource: Resource,
        attributes: Sequence[str],
        tuples: Collection[KeyTuple],
        sees: Sees = Purpose.READ,
    ) -> list[Row]:
        """Return the rows whose attributes together have one of the tuples of values."""
        found: list[Row] = []
        for chunk in self.statements.chunks(resource, attributes, _usable(tuples)):
            where = self.statements.among(resource, attributes, chunk)
            statement = self.statements.select(resource, where, sees=sees)
            found += self._rows(resource, self._read(statement, many=len(chunk) >= _MANY).rows)
        return found

    def page(
        self,
        resource: Resource,
        filters: Values,
        window: Window,
        below: tuple[Relation, Row] | None = None,
    ) -> RowPage:
        """Read a page of the rows that have these values and, with `below`, to which a relation leads from a parent."""
        owned: Ownership | None = None
        parents: Sequence[KeyTuple] = ()
        if below is not None:
            relation, parent = below
            owned = Ownership(relation=relation, parents=parent.resource, children=resource)
            parents = _usable([parent.of(relation.here)])
            if not parents:
                return RowPage(found=(), has_more=False)
        condition = All(tuple(Compare(name, Operator.EQ, value) for name, value in filters.items()))
        one_more, names = window.one_more, tuple(resource.attributes)

        def write(*, as_json_columns: bool) -> Statement:
            query = Query(self.statements, resource, owned=owned, as_json_columns=as_json_columns)
            return query.page(names, condition, one_more, parents=parents)

        read = read_columns(self.transaction, write, decoders_of(self.statements, resource, names), one_more.limit)
        found = self.columns_from(resource, names, read.first(window.limit))
        return RowPage(found=found, has_more=len(read) > window.limit)

    def page_as_stored(self, resource: Resource, window: Window) -> RowPage:
        """Read a page of all rows for the operator, including their values as the database stores them (`Row.raw`)."""
        one_more = window.one_more
        query = Query(self.statements, resource, sees=AllRows.OPERATOR)
        raw = self._read(query.page(tuple(resource.attributes), All(()), one_more), many=True).rows
        return RowPage(found=self._rows(resource, raw[: window.limit]), has_more=len(raw) > window.limit)

    def keys_where(
        self,
        resource: Resource,
        attributes: Sequence[str],
        values: Sequence[Value],
        most: int,
        *,
        sees: Sees,
        only: bool = False,
        as_written: bool = False,
    ) -> list[KeyTuple]:
        """Return the keys of at most `most` rows that have these values.

        `only` excludes the rows of inheriting tables (PostgreSQL), because foreign keys do not see them. `as_written`
        excludes rows that have the values in another form than we write (SQLite), which keys treat as different values.
        """
        given = dict(zip(attributes, values, strict=True))
        where = (
            self.statements.equal_as_written(resource, given) if as_written else self.statements.equal(resource, given)
        )
        names = resource.key or tuple(attributes)
        own_rows = only and resource.is_inherited
        statement = self.statements.select(resource, where, sees=sees, attributes=names, most=most, only=own_rows)
        own = [resource.attributes[name] for name in names]
        return [
            tuple(
                None if value is None else self.statements.decode(a, value) for a, value in zip(own, raw, strict=True)
            )
            for raw in self._read(statement).rows
        ]

    def load(self, resource: Resource, keys: Mapping[tuple[str, ...], Sequence[KeyTuple]], lock: str = "") -> list[Row]:
        """Read the rows that any of the lists of key tuples identifies, and lock them if `lock` is a locking clause."""
        found: list[Row] = []
        many = any(len(values) >= _MANY for values in keys.values())
        for statement in self.statements.load(resource, keys, lock):
            found += self._rows(resource, self._read(statement, many=many).rows)
        return found

    def locked_columns(
        self,
        resource: Resource,
        keys: Mapping[tuple[str, ...], Sequence[KeyTuple]],
        attributes: Sequence[str] | None,
        lock: str,
    ) -> RowColumns:
        """Read attributes of the rows that any of the lists of key tuples identifies, each row once, and lock them."""
        names = _names(resource, attributes)
        raws: list[Sequence[Any]] = []
        for statement in self.statements.load(resource, keys, lock, None if attributes is None else names):
            raws += self._read(statement).rows
        return self.columns_from(resource, names, raw_columns(raws, len(names)))

    def load_columns(
        self,
        resource: Resource,
        by: Sequence[str],
        tuples: Sequence[KeyTuple],
        attributes: Sequence[str] | None = None,
        sees: Sees = Purpose.READ,
    ) -> RowColumns:
        """Read attributes of the rows whose attributes `by` have one of these values.

        If `attributes` is None, all are read, for the etags. The rows are not locked: see `locked_columns`.
        """
        names = _names(resource, attributes)
        decoders = decoders_of(self.statements, resource, names)
        parts = [
            read_columns(self.transaction, partial(self._items, resource, names, by, chunk, sees), decoders, len(chunk))
            for chunk in self.statements.chunks(resource, by, tuples)
        ]
        return self.columns_from(resource, names, together(parts) if parts else raw_columns((), len(names)))

    def _items(
        self,
        resource: Resource,
        names: Sequence[str],
        by: Sequence[str],
        tuples: Sequence[Sequence[Value]],
        sees: Sees,
        *,
        as_json_columns: bool,
    ) -> Statement:
        query = Query(self.statements, resource, as_json_columns=as_json_columns, sees=sees)
        return query.items(names, by, tuples)

    def matched_columns(
        self, resource: Resource, by: Sequence[str], tuples: Sequence[KeyTuple], attributes: Sequence[str] | None
    ) -> tuple[RowColumns, Sequence[int]]:
        """Read the rows of `load_columns`; also return the index of the tuple that each row equals in the database."""
        names = _names(resource, attributes)
        raws: list[Sequence[Any]] = []
        places: list[int] = []
        seen = 0
        for chunk in self.statements.chunks(resource, by, tuples):
            statement = Query(self.statements, resource).matches(names, by, chunk)
            found = self.transaction.read(statement, shown=True, many=True).rows
            places += [seen + place for place, *_ in found]
            raws += [raw for _, *raw in found]
            seen += len(chunk)
        return self.columns_from(resource, names, raw_columns(raws, len(names))), places

    def columns_from(self, resource: Resource, names: Sequence[str], read: RawColumns) -> RowColumns:
        """Decode the columns of these attributes, which are the first columns that were read."""
        raws = dict(zip(names, read.columns, strict=False))
        columns = {
            name: self.statements.decode_column(resource.attributes[name], raws[name], typed=read.typed)
            for name in names
        }
        whole = len(names) == len(resource.attributes)
        return RowColumns(
            resource=resource,
            columns=columns,
            etags=self._etags(resource, columns, (lambda: zip(*raws.values(), strict=True)) if whole else None),
            is_readable=not any(
                columns[name] is not raws[name] and Unreadable in map(type, columns[name]) for name in names
            ),
            typed=read.typed,
        )

    def _etags(
        self, resource: Resource, columns: Columns, raws: Callable[[], Iterable[Sequence[Any]]] | None
    ) -> Callable[[], Sequence[str]] | None:
        """Return a function that computes the etags of rows, from their versions or from all that the driver reads.

        Return None if neither is known.
        """
        versions = None if resource.version is None else columns.get(resource.version)
        if versions is not None and Unreadable not in map(type, versions):
            return lambda: etags.version_etags(versions)
        if raws is None:
            return None
        if versions is None:
            return lambda: [etags.content_etag(resource, raw, self._secret) for raw in raws()]
        return lambda: [  # as `_etag`, row by row
            etags.content_etag(resource, raw, self._secret)
            if type(version) is Unreadable
            else etags.version_etag(version)
            for version, raw in zip(versions, raws(), strict=True)
        ]

    def _where_key(self, row: Row) -> Sql:
        return self.statements.equal(row.resource, dict(zip(row.resource.key, row.key, strict=True)))

    def _read(self, statement: Statement, *, many: bool = False) -> Result:
        return self.transaction.read(statement, many=many)

    def _rows(self, resource: Resource, raws: Sequence[Sequence[Any]]) -> list[Row]:
        decoded = self.statements.decode_rows(resource, raws)
        return [
            Row(resource=resource, values=values, raw=raw, etag=self._known_etag(resource, values) or self._etag)
            for values, raw in zip(decoded, raws, strict=True)
        ]

    def _row(self, resource: Resource, raw: Sequence[Any]) -> Row:
        values = self.statements.decode_row(resource, raw)
        return Row(resource=resource, values=values, raw=raw, etag=self._etag)

    def _known_etag(self, resource: Resource, values: Values) -> str | None:
        """Return the etag of a counted version, which costs nothing; None for any other row."""
        version = values.get(resource.version) if resource.version is not None else None
        return str(version) if type(version) is int else None

    def _etag(self, row: Row) -> str:
        resource, values = row.resource, row.values
        if resource.version is not None and not isinstance(values[resource.version], Unreadable):
            return etags.version_etag(values[resource.version])
        if not row.is_complete:
            raise NotLoaded
        return etags.content_etag(resource, row.raw, self._secret)


def _names(resource: Resource, attributes: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(resource.attributes if attributes is None else attributes)


def _usable(tuples: Collection[KeyTuple]) -> list[KeyTuple]:
    """Return the tuples that can be key values: those without nulls and unreadable values."""
    return [each for each in tuples if can_be_key(each)]
