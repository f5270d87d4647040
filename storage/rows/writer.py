"""Reads and writes the rows of resources in one transaction, each with its etag."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, time
from functools import partial
from typing import Any
from uuid import UUID

from storage.allowance import size_of_rows
from storage.catalog.model import Check, Generation, Resource, UniqueIndex, Values
from storage.catalog.types import Opaque, Unreadable, Value
from storage.connections.driver_errors import STATEMENT_FAILED, Retry, StatementRefused, Violation
from storage.connections.transaction import Result
from storage.rows.json_columns import raw_columns
from storage.rows.reader import RowReader
from storage.rows.row import KeyTuple, PartialValues, Row, RowColumns, can_be_key
from storage.sql import (
    AllRows,
    BulkStatement,
    Columns,
    LaidOut,
    PostgresqlStatements,
    RowToBe,
    SqliteStatements,
    Statement,
    Unstorable,
    holders,
    lay_out,
    violations,
)

_TRIED = "tried"  # a savepoint around a value that the database may refuse
_LARGEST_KEY = 2**63 - 1  # SQLite's largest rowid
_SAVEPOINT = "draft"  # around a query about a row that is not written


def _is_always_read(value: Value) -> bool:
    """Return True if a database can read a value regardless of its encoding and limits."""
    return isinstance(value, int | UUID | bytes | date | time | Unreadable | None)


class Rows(RowReader):
    """Reads and writes rows in one transaction."""

    key_limit = _LARGEST_KEY

    @property
    def checks_what_changes(self) -> bool:
        """True if only the checks that read an updated column apply to an update (SQLite), and not all of them."""
        return isinstance(self.statements, SqliteStatements)

    # --- one row

    def insert(self, resource: Resource, values: Values) -> Row:
        """Insert a row, and read it back as stored, including the changes made by triggers."""
        result = self._run(self.statements.insert(resource, values))
        if not result.rows:
            raise StatementRefused(Violation.OTHER)
        own = [resource.attributes[name] for name in resource.key]
        key = tuple(self.statements.decode(a, raw) for a, raw in zip(own, result.rows[0], strict=True))
        if Unreadable in map(type, key):  # the database has generated a key that does not match its own type
            raise StatementRefused(Violation.OTHER)
        self._check_alone(resource, (resource.key,), dict(zip(resource.key, key, strict=True)))
        row = self._expect(resource, key)
        self._check_alone(resource, resource.keys[1:], row.values)
        return self._kept(row, values)

    def _check_alone(self, resource: Resource, keys: Iterable[tuple[str, ...]], values: Values) -> None:
        """Raise `StatementRefused` if a row of an inheriting table has the same key; PostgreSQL does not check that."""
        if not resource.is_inherited:
            return
        for key in keys:
            own = [values[name] for name in key]
            if (
                can_be_key(own)
                and key not in resource.deferred_unique
                and len(self.keys_where(resource, key, own, 2, sees=AllRows.CONFLICT_HOLDER)) > 1
            ):
                columns = tuple(resource.attributes[name].column for name in key)
                raise StatementRefused(Violation.UNIQUE, columns=columns)

    def update(self, row: Row, values: Values, defaults: Collection[str] = ()) -> Row:
        """Update a row, and read it back."""
        where = self._where_key(row)
        if values or defaults:
            attributes = row.resource.attributes
            kept = [n for n, value in values.items() if self.statements.is_kept(attributes[n], row.values[n], value)]
            written = {name: value for name, value in values.items() if name not in kept} if kept else values
            result = self._run(self.statements.update(row.resource, where, written, defaults, kept))
            if result.count != 1:
                raise StatementRefused(Violation.OTHER)
        after = self._expect(row.resource, row.key)
        changed = [key for key in row.resource.keys[1:] if row.of(key) != after.of(key)]
        self._check_alone(row.resource, changed, after.values)
        return self._kept(after, values)

    def delete(self, row: Row) -> None:
        """Delete a row. Raises `Retry` if it could not be locked before and has changed since."""
        statement = self.statements.delete(row.resource, self._where_key(row))
        if not row.resource.lockable:
            statement = statement.returning(self.statements.row_list(row.resource))
        result = self._run(statement)
        if result.count != 1:
            raise StatementRefused(Violation.OTHER)
        if result.rows and self._row(row.resource, result.rows[0]).etag != row.etag:
            raise Retry

    def _expect(self, resource: Resource, key: KeyTuple) -> Row:
        row = self.by_key(resource, key, AllRows.OWN_WRITE)
        if row is None:  # a trigger has deleted it again
            raise StatementRefused(Violation.OTHER)
        return row

    def check_kept(self, row: Row, written: Values) -> None:
        """Check that the database stored the values as they were written. Raises `Unstorable`."""
        self._kept(row, written)

    def _kept(self, row: Row, written: Values) -> Row:
        """Return the row. Raises `Unstorable` if the database has rounded, truncated or converted a written value.

        Triggers may change a row on purpose. A type that only PostgreSQL can read may be stored in another form.
        """
        attributes = row.resource.attributes
        for name, value in () if row.resource.has_triggers else written.items():
            if row.values[name] != value and not (
                self.statements.rewrites_opaque and isinstance(attributes[name].type, Opaque)
            ):
                raise Unstorable(name, "cannot be stored unchanged, because its column would convert it.")
        return row

    # --- one row that is not written

    def unstorable(self, resource: Resource, values: Values) -> dict[str, Unstorable]:
        """Return the attributes whose values the database cannot keep, each with the reason."""
        found = {}
        for name, value in values.items():
            try:
                self.statements.encode(resource.attributes[name], value)
            except Unstorable as reason:
                found[name] = reason
        return found

    def to_be(self, resource: Resource, written: Values, before: Row | None, defaults: Collection[str] = ()) -> RowToBe:
        """Describe a row as a write would leave it: a new row, or an existing one with its changes."""
        where = None if before is None else self._where_key(before)
        return RowToBe(resource=resource, written=written, defaults=defaults, where=where)

    def violated(self, row: RowToBe, checks: Sequence[Check]) -> list[Check]:
        """Return the checks that a row violates, except those that fail themselves or need unknown values."""
        known = row.known()
        asked = [check for check in checks if check.columns <= known]
        if not asked:
            return []
        found = self._evaluate(row, asked)
        if found is None and len(asked) > 1:
            each = [self._evaluate(row, [check]) for check in asked]
            return [check for check, one in zip(asked, each, strict=True) if one is not None and one[0]]
        return [check for check, is_violated in zip(asked, found or (), strict=False) if is_violated]

    def _evaluate(self, row: RowToBe, checks: Sequence[Check]) -> Sequence[Any] | None:
        columns = frozenset().union(*(check.columns for check in checks))
        found = self._ask_about(row, columns, lambda laid_out: violations(self.statements, laid_out, checks))
        return found[0] if found else None

    def holders(self, row: RowToBe, index: UniqueIndex, most: int) -> list[KeyTuple] | None:
        """Return the keys of at most `most` rows that conflict with a row in a unique index; None if unknown."""
        resource = row.resource
        closed = {column.name for column in resource.columns if not column.can_read}
        if not index.columns <= row.known() - closed:
            return None
        raws = self._ask_about(
            row, index.columns, lambda laid_out: holders(self.statements, resource, index, laid_out, most)
        )
        own = [resource.attributes[name] for name in resource.key]
        return (
            None
            if raws is None
            else [
                tuple(None if raw is None else self.statements.decode(a, raw) for a, raw in zip(own, each, strict=True))
                for each in raws
            ]
        )

    def _ask_about(
        self, row: RowToBe, columns: Collection[str], ask: Callable[[LaidOut], Statement]
    ) -> Sequence[Sequence[Any]] | None:
        """Run a query about a row that is not written; return None if the database cannot evaluate it."""

        def run() -> Sequence[Sequence[Any]]:
            laid_out = lay_out(self.statements, row, columns)
            for statement in laid_out.before:
                self._run(statement)
            return self._run(ask(laid_out)).rows

        found = self.transaction.attempt(_SAVEPOINT, run, *STATEMENT_FAILED, Unstorable, keep=False)
        return None if isinstance(found, Exception) else found

    # --- many rows at once

    def insert_many(self, resource: Resource, columns: Columns) -> None:
        """Insert rows; `columns` contains, for each given attribute, its values in all rows."""
        count = len(next(iter(columns.values())))
        self._run_bulk(self.statements.insert_many(resource, columns), count)

    def update_many(
        self,
        resource: Resource,
        columns: Columns,
        keys: Sequence[KeyTuple],
        *,
        by: Sequence[str] = (),
        defaults: Collection[str] = (),
        kept: Collection[str] = (),
        counted: str | None = None,
    ) -> None:
        """Update the rows with these keys, which are values of the attributes `by`, or of the resource's own key.

        The attributes `defaults` get their database defaults, `kept` keep their values, and `counted` is incremented by
        one.
        """
        statements = self.statements.update_many(
            resource, columns, keys, by=by, defaults=defaults, kept=kept, counted=counted
        )
        self._run_bulk(statements, len(keys))

    def update_columns(
        self,
        resource: Resource,
        columns: Columns,
        keys: Sequence[KeyTuple],
        *,
        by: Sequence[str] = (),
        counted: str | None = None,
    ) -> RowColumns:
        """Update rows as `update_many` does (`by` begins with the key), and return the updated rows in any order."""
        if not isinstance(self.statements, PostgresqlStatements):  # on SQLite this takes no longer than RETURNING
            self.update_many(resource, columns, keys, by=by, counted=counted)
            own = [key[: len(resource.key)] for key in keys] if by else keys
            return self.written_columns(resource, own)
        updates = self.statements.update_many(resource, columns, keys, by=by, counted=counted)
        raws = [raw for each in updates for raw in self._run(self.statements.returning(resource, each)).rows]
        if len(raws) != len(keys):
            raise StatementRefused(Violation.OTHER)
        self.transaction.allowance.count_shown(size_of_rows(raws))
        names = tuple(resource.attributes)
        return self.columns_from(resource, names, raw_columns(raws, len(names)))

    def written_columns(self, resource: Resource, keys: Sequence[KeyTuple]) -> RowColumns:
        """Read back rows that this transaction has written."""
        return self.load_columns(resource, resource.key, keys, sees=AllRows.OWN_WRITE)

    def delete_many(self, resource: Resource, keys: Sequence[KeyTuple], *, by: Sequence[str] = ()) -> None:
        """Delete rows by their keys, or by the values of the attributes `by`."""
        self._run_bulk(self.statements.delete_many(resource, keys, by=by), len(keys))

    def _run_bulk(self, statements: Iterable[BulkStatement], expected: int) -> None:
        if sum(self.transaction.execute_bulk(bulk) for bulk in statements) != expected:
            raise StatementRefused(Violation.OTHER)

    def _run(self, statement: Statement) -> Result:
        return self.transaction.execute(statement)

    def refused_values(self, resource: Resource, values: Values) -> tuple[str, ...]:
        """Return the attributes whose values the database cannot even read (PostgreSQL).

        This is called after a refusal, and runs one statement for each value.
        """
        if not isinstance(self.statements, PostgresqlStatements):
            return ()
        given = [(resource.attributes[name], value) for name, value in values.items() if not _is_always_read(value)]
        return tuple(each.name for each, value in given if not self._is_taken(self.statements.is_read(each, value)))

    def _is_taken(self, statement: Statement) -> bool:
        return not isinstance(self.transaction.attempt(_TRIED, partial(self._run, statement)), StatementRefused)

    # --- generated keys

    def counts_keys(self, resource: Resource) -> bool:
        """Return True if the database generates the resource's keys by incrementing the largest one (SQLite)."""
        return isinstance(self.statements, SqliteStatements) and (
            resource.attributes[resource.key[0]].generation is Generation.WHEN_ABSENT
        )

    def largest_key(self, resource: Resource) -> int:
        """Return the key to increment from, if the database counts keys."""
        assert isinstance(self.statements, SqliteStatements)  # noqa: S101  # `counts_keys` was True
        statement = self.statements.largest_key(resource, resource.attributes[resource.key[0]])
        return max(self._read(statement).rows[0][0] or 0, 0)

    def new_keys(self, resource: Resource, count: int) -> list[Value]:
        """Generate keys as the database would; return an empty list if they cannot be generated in advance."""
        attribute = resource.attributes[resource.key[0]]
        making = (
            self.statements.new_keys(attribute, count) if isinstance(self.statements, PostgresqlStatements) else None
        )
        return [] if making is None else [self.statements.decode(attribute, raw[0]) for raw in self._run(making).rows]

    # --- rows that are not written yet

    def made_columns(self, resource: Resource, columns: Columns, keys: Sequence[KeyTuple]) -> RowColumns:
        """Return rows as the insert will leave them, if that is known for all attributes."""
        nulls = [None] * len(keys)
        known = {**columns, **dict(zip(resource.key, zip(*keys, strict=True), strict=True))}
        whole = {name: known.get(name) or nulls for name in resource.attributes}
        raws = partial(self._raws_of, resource, whole)
        return RowColumns(resource=resource, keys=keys, columns=whole, etags=self._etags(resource, whole, raws))

    def _raws_of(self, resource: Resource, columns: Columns) -> Iterable[Sequence[Any]]:
        stored_form = self.statements.stored_form
        return zip(
            *(
                [None if value is None else stored_form(attribute, value) for value in columns[name]]
                for name, attribute in resource.attributes.items()
            ),
            strict=True,
        )

    def named_columns(self, resource: Resource, keys: Sequence[KeyTuple]) -> RowColumns:
        """Return rows of which only the keys are known."""
        columns = dict(zip(resource.key, zip(*keys, strict=True), strict=True))
        return RowColumns(resource=resource, keys=keys, columns=columns)

    def predicted_insert(self, resource: Resource, values: Values, unpredictable: Collection[str]) -> Row:
        """Return the row as the insert will leave it, with the values that can be predicted."""
        raw = () if resource.version is not None else partial(self._raw_of, resource, values)
        return self._predicted(resource, values, unpredictable, raw)

    def predicted_update(
        self, before: Row, changes: Values, unpredictable: Collection[str], unknown: Collection[str]
    ) -> Row:
        """Return the row as the update will leave it, with the values that can be predicted."""
        values = {**before.values, **changes}
        resource = before.resource
        raw = () if resource.version is not None else partial(self._raw_after, before, changes)
        return self._predicted(resource, values, {*unpredictable, *unknown}, raw)

    def _predicted(
        self,
        resource: Resource,
        values: Values,
        unpredictable: Collection[str],
        raw: Sequence[Any] | Callable[[], Sequence[Any]],
    ) -> Row:
        if len(values) == len(resource.attributes) and not unpredictable:
            return Row(resource=resource, values=values, raw=raw, etag=self._known_etag(resource, values) or self._etag)
        surely = PartialValues((name, value) for name, value in values.items() if name not in unpredictable)
        return Row(resource=resource, values=surely, raw=raw, etag=self._etag, is_complete=False)

    def _raw_of(self, resource: Resource, values: Values) -> list[Any]:
        """Return the values of a new row as the driver will read them.

        An unknown value is only requested after a later change has set it.
        """
        stored_form = self.statements.stored_form
        return [
            None if (value := values.get(name)) is None else stored_form(attribute, value)
            for name, attribute in resource.attributes.items()
        ]

    def _raw_after(self, before: Row, changes: Values) -> list[Any]:
        stored_form, is_kept = self.statements.stored_form, self.statements.is_kept
        return [
            raw
            if name not in changes or is_kept(attribute, before.values.get(name), changes[name])
            else None
            if (value := changes[name]) is None
            else stored_form(attribute, value)
            for raw, (name, attribute) in zip(before.raw, before.resource.attributes.items(), strict=True)
        ]
