"""SQL for resources: the part that both databases share. No text from a client becomes SQL text, only parameters."""

import math
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from storage.catalog import versions
from storage.catalog.aggregation import Function
from storage.catalog.model import Attribute, ForeignKey, Relation, Resource
from storage.catalog.types import Value
from storage.sql.codec import Codec
from storage.sql.conditions import Operator
from storage.sql.fragments import Sql
from storage.sql.sources import Access, AllRows, BulkStatement, Params, Purpose, Sees, Statement, Writing

KeyTuple = tuple[Value, ...]
Columns = Mapping[str, Sequence[Value]]
"""The values of many rows: attribute name -> one value for each row."""


class Statements(Codec):
    """The statements for one kind of database and one caller, with the conversion of values."""

    def __init__(self, access: Access) -> None:
        """Statements contain the rules of `access`."""
        self.access = access

    def writing(self) -> Writing:
        """Begin a statement."""
        return Writing(self.quote, self.access)

    @abstractmethod
    def holds(self, attribute: Attribute, prefix: str, operator: Operator, value: Value) -> Sql:
        """Return a comparison that is specific to each database: within texts, lists and documents."""

    def sort_expression(self, attribute: Attribute, prefix: str) -> str:
        """Return the expression by which an attribute is compared and ordered; `prefix` names the table."""
        return prefix + self.quote(attribute.column)

    def compared(
        self,
        attribute: Attribute,  # noqa: ARG002  # SQLite's depend on it
        prefix: str,  # noqa: ARG002
        operator: Operator,  # noqa: ARG002
        values: Sequence[Value],  # noqa: ARG002
        *,
        narrowed: bool = True,  # noqa: ARG002
    ) -> Sql | None:
        """Return a comparison with values, or None if it is that of `sort_expression` with the encoded values.

        It may be `narrowed` so that an index can be used. For values that cannot be read, it can then be false instead
        of unknown.
        """
        return None

    def assigned(self, attribute: Attribute, place: int) -> str:  # noqa: ARG002  # SQLite's depend on it
        """Return the value that a column is set to: the parameter at `place` (from 1), or an equal stored value."""
        return self.placeholder(attribute)

    def position_expression(self, attribute: Attribute, prefix: str) -> str:
        """Return the expression that reads an attribute as part of a position in an order."""
        return self.sort_expression(attribute, prefix)

    @abstractmethod
    def array_of(self, column: str) -> str:
        """Return the expression that aggregates a column to a JSON array, as text."""

    def as_at_start(self, resource: Resource, attributes: Sequence[str]) -> str:  # noqa: ARG002  # PostgreSQL's depend on it
        """Return the condition that columns still have the types from the server's start, or "" if it is not needed.

        PostgreSQL needs it, because a JSON array may hide a change of type.
        """
        return ""

    @abstractmethod
    def sum_expression(self, attribute: Attribute, prefix: str) -> str:
        """Return the expression for the exact sum of a numeric attribute."""

    def extreme_expression(self, function: Function, attribute: Attribute, prefix: str) -> str:
        """Return the expression for the least or the greatest value of an attribute."""
        return f"{function.value}({self.sort_expression(attribute, prefix)})"

    def position(self, attribute: Attribute, raw: Any) -> Sql:
        """Return the placeholder for one value of a position."""
        return Sql(self.placeholder(attribute), (raw,))

    @abstractmethod
    def placeholder(self, attribute: Attribute) -> str:
        """Return the placeholder for a value of the attribute."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """Quote an identifier."""

    def explain(self, planned: Statement) -> Statement:
        """Return a statement that plans another one without running it."""
        return planned.within("EXPLAIN ")

    @abstractmethod
    def tables_now(self, resources: Collection[Resource]) -> Statement:
        """Return the query of the current columns of the resources' tables.

        A row for each column: its table, whether that is a view, whether it can be read (a materialized view may not be
        populated), the column, its type without a length, and whether the database always generates its values. A table
        that no longer exists has a row without a column.
        """

    @abstractmethod
    def read_expression(self, attribute: Attribute, prefix: str = "") -> str:
        """Return the expression that reads the attribute; `prefix` names the table."""

    @abstractmethod
    def among(
        self, resource: Resource, attributes: Sequence[str], tuples: Sequence[Sequence[Value]], prefix: str = ""
    ) -> Sql:
        """Return the condition that the attributes' values, taken together, are one of the tuples."""

    @abstractmethod
    def listed(self, attributes: Sequence[Attribute], tuples: Sequence[Sequence[Value]]) -> Sql:
        """Return the table `listed` of tuples of the attributes' values.

        Its columns are `place` (from 0), `v0`, `v1` and so on.
        """

    @abstractmethod
    def set_default(self, attribute: Attribute) -> str:
        """Return the expression by which an UPDATE sets an attribute to its database default."""

    @abstractmethod
    def no_values(self) -> str:
        """Return the rest of an INSERT without columns."""

    @abstractmethod
    def insert_many(self, resource: Resource, columns: Columns) -> Iterator[BulkStatement]:
        """Insert rows, given the values of all rows for each attribute."""

    @abstractmethod
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
    ) -> Iterator[BulkStatement]:
        """Update the rows with these keys.

        The attributes `defaults` are set to their database defaults, `kept` to their stored values, and `counted` is
        incremented.

        The keys are values of the attributes `by`, or of the resource's own key.
        """

    @abstractmethod
    def delete_many(
        self, resource: Resource, keys: Sequence[KeyTuple], *, by: Sequence[str] = ()
    ) -> Iterator[BulkStatement]:
        """Delete rows by their keys, or by other attributes that identify them."""

    def load(
        self,
        resource: Resource,
        keys: Mapping[tuple[str, ...], Sequence[KeyTuple]],
        lock: str = "",  # noqa: ARG002  # PostgreSQL's
        attributes: Sequence[str] | None = None,
    ) -> Iterator[Statement]:
        """Read the rows that match any of the lists of key tuples (PostgreSQL: in the order of the key, and locked)."""
        for names, tuples in keys.items():
            for chunk in self.chunks(resource, names, tuples):
                yield self.select(resource, self.among(resource, names, chunk), attributes=attributes)

    def _set(
        self,
        resource: Resource,
        given: Iterable[str],
        defaults: Collection[str],
        kept: Collection[str],
        counted: str | None,
    ) -> str:
        """Return the SET list of an UPDATE of many rows; the alias of the table is `own`."""
        terms = list(given)
        terms += [f"{(column := self.column(resource, name))} = own.{column}" for name in kept]
        terms += [f"{self.column(resource, name)} = {self.set_default(resource.attributes[name])}" for name in defaults]
        if counted is not None:
            column = self.column(resource, counted)
            terms.append(f"{column} = {versions.next_in_sql(f'own.{column}')}")
        return ", ".join(terms)

    tells_equal = False  # True if `assigned` keeps an equal stored value
    rewrites_opaque = False  # True if the database may change the spelling of values whose type only it can parse
    # The lock with which an addressed row is read if the first locks of the batch did not find it, because it was
    # inserted since.
    lock_to_keep = ""
    lock_to_change = ""
    insert_verb = "INSERT"
    update_verb = "UPDATE"
    mark = "?"  # the driver's placeholder for a parameter without a type
    most_parameters = 10_000  # of one statement: SQLite allows 32,766; each array of PostgreSQL counts as one
    most_spellings_of_all = most_parameters  # if values are searched for in several spellings

    def column(self, resource: Resource, attribute: str) -> str:
        """Return the quoted name of an attribute's column."""
        return self.quote(resource.attributes[attribute].column)

    def operand(self, attribute: Attribute, prefix: str = "") -> str:
        """Return an attribute's column as an operand of a comparison."""
        return prefix + self.quote(attribute.column)

    def row_list(self, resource: Resource) -> str:
        """Return the select list of all attributes, in the catalog's order."""
        return ", ".join(self.read_expression(attribute) for attribute in resource.attributes.values())

    def equal_as_written(self, resource: Resource, values: Mapping[str, Value]) -> Sql:
        """Return the condition that attributes have values that are not null, in the form in which we write them."""
        return self.equal(resource, values)

    def equal(self, resource: Resource, values: Mapping[str, Value]) -> Sql:
        """Return the condition that attributes have values; null equals null."""
        terms: list[str] = []
        params: list[Any] = []
        for name, value in values.items():
            attribute = resource.attributes[name]
            if value is None:
                terms.append(f"{self.quote(attribute.column)} IS NULL")
            elif own := self.compared(attribute, "", Operator.EQ, [value]):
                terms.append(own.text)
                params += own.params
            else:
                spellings = self.spellings(attribute, value)
                places = ", ".join([self.placeholder(attribute)] * len(spellings))
                condition = f"= {places}" if len(spellings) == 1 else f"IN ({places})"
                terms.append(f"{self.operand(attribute)} {condition}")
                params += spellings
        return Sql(" AND ".join(terms) or "1 = 1", tuple(params))

    def related(self, foreign_key: ForeignKey, key: tuple[str, Resource], pointing: tuple[str, Resource]) -> str:
        """Return the condition that rows of two tables, each with its alias, are related.

        The parent is the first operand, because SQLite compares by the collation of the first.
        """
        (parent, parents), (child, children) = key, pointing
        compared = zip(
            foreign_key.attributes,
            foreign_key.target_attributes,
            foreign_key.collations or repeat(None),
            strict=False,
        )
        return " AND ".join(
            f"{self.operand(parents.attributes[target], f'{parent}.')} = "
            f"{self.pointing(children.attributes[own], parents.attributes[target], f'{child}.')}{self._collate(collation)}"
            for own, target, collation in compared
        )

    def pointing(self, own: Attribute, target: Attribute, prefix: str) -> str:  # noqa: ARG002  # SQLite's depends on it
        """Return a foreign key's attribute in the form in which it is compared with its target."""
        return prefix + self.quote(own.column)

    def _collate(self, collation: tuple[str, str] | None) -> str:
        return "" if collation is None else f" COLLATE {'.'.join(map(self.quote, collation))}"

    def child(
        self, resource: Resource, where: Sql, relation: Relation, parents: Resource, key: Sequence[Value]
    ) -> Statement:
        """Return the query of whether a row is a child of the parent with this key, as the database compares them."""
        writing = self.writing()
        parent = self.quote("the parent")  # most likely not the name of a table
        child = writing.source(resource, Purpose.READ)
        table = writing.source(parents, Purpose.READ, parent)
        related = self.related(relation.foreign_key, (parent, parents), (child, resource))
        found = writing.with_rule(self.among(parents, parents.key, [key], f"{parent}."), parent)
        below = f"EXISTS (SELECT 1 FROM {table} WHERE {related} AND (" + found + "))"
        return writing.done(f"SELECT 1 FROM {child} WHERE ", writing.with_rule(where + " AND " + below, child))

    def select(
        self,
        resource: Resource,
        where: Sql,
        *,
        sees: Sees = Purpose.READ,
        attributes: Sequence[str] | None = None,
        in_key_order: bool = False,
        most: int | None = None,
        only: bool = False,
    ) -> Statement:
        """Read rows, at most `most`: all attributes, or the named ones. `only` excludes rows of inheriting tables."""
        writing = self.writing()
        table = writing.source(resource, sees)
        names = self.row_list(resource) if attributes is None else self._list(resource, attributes)
        pieces: list[Sql | str] = [
            f"SELECT {names or '1'} FROM {'ONLY ' if only else ''}{table} WHERE ",
            writing.with_rule(where, table),
        ]
        if in_key_order and resource.key:
            pieces.append(f" ORDER BY {', '.join(self.column(resource, name) for name in resource.key)}")
        if most is not None:
            pieces.append(Sql(f" LIMIT {self.mark}", (most,)))
        return writing.done(*pieces)

    def _list(self, resource: Resource, attributes: Sequence[str]) -> str:
        return ", ".join(self.read_expression(resource.attributes[name]) for name in attributes)

    def insert(self, resource: Resource, values: Mapping[str, Value]) -> Statement:
        """Insert one row and return its key."""
        names, params = self._given(resource, values)
        places = ", ".join(self.placeholder(resource.attributes[name]) for name in values)
        rest = f"({', '.join(names)}) VALUES ({places})" if names else self.no_values()
        writing = self.writing()
        table = writing.source(resource, AllRows.INSERT_TARGET)
        returned = self._list(resource, resource.key)
        return writing.done(Sql(f"{self.insert_verb} INTO {table} {rest} RETURNING {returned}", params))

    def _given(self, resource: Resource, values: Mapping[str, Value]) -> tuple[list[str], Params]:
        attributes = [resource.attributes[name] for name in values]
        params = tuple(self.encode(attribute, values[attribute.name]) for attribute in attributes)
        return [self.quote(attribute.column) for attribute in attributes], params

    def update(
        self,
        resource: Resource,
        where: Sql,
        values: Mapping[str, Value],
        defaults: Collection[str] = (),
        kept: Collection[str] = (),
    ) -> Statement:
        """Update rows.

        Set `values`, set `defaults` to their database defaults, and `kept` to themselves, so that triggers see them.
        """
        terms = [f"{self.column(resource, name)} = {self.placeholder(resource.attributes[name])}" for name in values]
        terms += [f"{self.column(resource, name)} = {self.set_default(resource.attributes[name])}" for name in defaults]
        terms += [f"{self.column(resource, name)} = {self.column(resource, name)}" for name in kept]
        _, params = self._given(resource, values)
        writing = self.writing()
        table = writing.source(resource, Purpose.UPDATE)
        written = Sql(f"{self.update_verb} {table} SET {', '.join(terms)} WHERE ", params)
        return writing.done(written, writing.with_rule(where, table))

    def delete(self, resource: Resource, where: Sql) -> Statement:
        """Delete rows."""
        writing = self.writing()
        table = writing.source(resource, Purpose.DELETE)
        return writing.done(f"DELETE FROM {table} WHERE ", writing.with_rule(where, table))

    def chunks(
        self, resource: Resource, names: Sequence[str], tuples: Sequence[Sequence[Value]]
    ) -> Iterator[Sequence[Sequence[Value]]]:
        """Split a list of tuples into chunks that fit into one statement."""
        width = max(1, len(names))
        spellings = math.prod(self.most_spellings(resource.attributes[name]) for name in names)
        size = max(1, min(self.most_parameters // width, self.most_spellings_of_all // (width * spellings)))
        for start in range(0, len(tuples), size):
            yield tuples[start : start + size]
