"""SQL for a row that is not written yet: the checks that it violates, and its conflicts in unique indexes.

The row is built as its table would store it, with defaults, generated columns and the values that an update keeps. The
expressions of checks and indexes are evaluated over it as the database defines them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from storage.catalog.model import Check, Column, Resource, UniqueIndex
from storage.catalog.types import Unreadable, Value
from storage.sql.fragments import Sql
from storage.sql.postgresql import PostgresqlStatements
from storage.sql.sources import AllRows, Statement, Writing, statement
from storage.sql.sqlite import SqliteStatements

DRAFT = "partwise_draft"  # SQLite: the temporary table that stores the row


@dataclass(frozen=True, slots=True, kw_only=True)
class RowToBe:
    """A row as it would be after a write."""

    resource: Resource
    written: Mapping[str, Value]  # attribute -> value; `Unreadable` if the value is not known
    defaults: Collection[str] = ()  # attributes that are set to their database default
    where: Sql | None = None  # the condition for the row that is changed; None: a new row

    def known(self) -> frozenset[str]:
        """Return the columns whose values are known."""
        columns = {column.name: column for column in self.resource.columns}
        unknown = {name for name, column in columns.items() if column.computed is None and not self._is_known(column)}
        for _ in columns:  # a generated column may read another one
            more = {
                name
                for name, column in columns.items()
                if name not in unknown and column.computed is not None and not unknown.isdisjoint(column.computed_from)
            }
            if not more:
                break
            unknown |= more
        return frozenset(columns.keys() - unknown)

    def _is_known(self, column: Column) -> bool:
        if column.attribute is not None and column.attribute in self.written:
            return not isinstance(self.written[column.attribute], Unreadable)
        return not column.is_made if self.takes_default(column) else column.can_read

    def takes_default(self, column: Column) -> bool:
        """Return True if a column that is not written is set to its default."""
        return self.where is None or column.attribute in self.defaults

    def changed(self) -> frozenset[str]:
        """Return the columns that the write sets, and those that are computed from them."""
        found = {
            column.name
            for column in self.resource.columns
            if self.where is None or column.attribute in self.written or column.attribute in self.defaults
        }
        for _ in self.resource.columns:
            found |= {each.name for each in self.resource.columns if not found.isdisjoint(each.computed_from)}
        return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """A row in a form over which expressions can be evaluated."""

    before: Sequence[Statement]  # statements that must be run first
    source: Sql  # the source for a FROM clause
    writing: Writing  # the statement that reads the source


Evaluating = SqliteStatements | PostgresqlStatements


def lay_out(statements: Evaluating, row: RowToBe, columns: Collection[str]) -> LaidOut:
    """Build the source of some columns of a row, which must be known, and of those they are computed from.

    Raises `Unstorable`.
    """
    wanted = _with_sources(row.resource, columns)
    if isinstance(statements, SqliteStatements):
        return _in_table(statements, row, wanted)
    return _in_query(statements, row, wanted)


def _with_sources(resource: Resource, columns: Iterable[str]) -> list[Column]:
    """Return the named columns. The columns that they are computed from come before them."""
    by_name = {column.name: column for column in resource.columns}
    found: dict[str, Column] = {}

    def add(name: str) -> None:
        column = by_name.get(name)
        if column is None or name in found:
            return
        for other in column.computed_from:
            if other != name:
                add(other)
        found[name] = column

    for name in columns:
        add(name)
    return list(found.values())


def _in_query(statements: PostgresqlStatements, row: RowToBe, columns: Sequence[Column]) -> LaidOut:
    """Return a query of typed columns (PostgreSQL)."""
    terms: list[str] = []
    params: list[object] = []
    for column in columns:
        if column.computed is not None:
            continue
        own = statements.quote(column.name)
        type_ = statements.verbatim(column.type)
        collate = "" if column.collation is None else f" COLLATE {statements.verbatim(column.collation)}"
        if column.attribute in row.written:
            attribute = row.resource.attributes[column.attribute or ""]
            params.append(statements.encode(attribute, row.written[attribute.name]))
            terms.append(f"%s::{type_}{collate} AS {own}")
        elif not row.takes_default(column):
            terms.append(f"held.{own} AS {own}")
        else:
            default = "NULL" if column.default_sql is None else f"({statements.verbatim(column.default_sql)})"
            terms.append(f"{default}::{type_}{collate} AS {own}")
    writing = statements.writing()
    table = statements.quote(row.resource.table)  # the name of the row, too, by which expressions may refer to it
    sql = f"SELECT {', '.join(terms) or '1'}"
    if row.where is not None:
        sql += f" FROM {writing.source(row.resource, AllRows.OWN_WRITE, 'held')} WHERE {row.where.text}"
        params += row.where.params
    for column in columns:
        if column.computed is not None:
            expression = f"({statements.verbatim(column.computed)})::{statements.verbatim(column.type)}"
            sql = f"SELECT {table}.*, {expression} AS {statements.quote(column.name)} FROM ({sql}) AS {table}"
    return LaidOut(before=(), source=Sql(f"({sql}) AS {table}", tuple(params)), writing=writing)


def _in_table(statements: SqliteStatements, row: RowToBe, columns: Sequence[Column]) -> LaidOut:
    """Return a temporary table (SQLite).

    Its columns store and compare values as those of the table do; a query's do not.
    """
    resource = row.resource
    declared: list[str] = []
    names: list[str] = []
    terms: list[str] = []
    params: list[object] = []
    for column in columns:
        own = statements.quote(column.name)
        collate = "" if column.collation is None else f" COLLATE {statements.quote(column.collation)}"
        computed = "" if column.computed is None else f" AS ({column.computed})"
        declared.append(f"{own} {statements.affinity(column.type)}{collate}{computed}")
        if column.computed is not None:
            continue
        names.append(own)
        if column.attribute in row.written:
            attribute = resource.attributes[column.attribute or ""]
            params.append(statements.encode(attribute, row.written[attribute.name]))
            terms.append("?")
        elif row.takes_default(column):
            terms.append(statements.default_expression(column.default_sql))
        else:
            terms.append(f"held.{own}")
    draft = f"temp.{statements.quote(DRAFT)}"
    if not names:  # a check without columns, or only the rowid
        declared, names, terms = ["nothing", *declared], ["nothing"], ["NULL"]
    found = f"SELECT {', '.join(terms)}"
    writing = statements.writing()
    if row.where is not None:
        found += f" FROM {writing.source(resource, AllRows.OWN_WRITE, 'held')} WHERE {row.where.text}"
        params += row.where.params
    return LaidOut(
        before=(
            statement(f"CREATE TABLE {draft} ({', '.join(declared)})"),
            writing.done(Sql(f"INSERT INTO {draft} ({', '.join(names)}) {found}", tuple(params))),
        ),
        source=Sql(f"{draft} AS {statements.quote(resource.table)}"),
        writing=statements.writing(),
    )


def violations(statements: Evaluating, row: LaidOut, checks: Sequence[Check]) -> Statement:
    """Return the query of whether each check rejects the row. A check that is null does not reject it."""
    terms = ", ".join(f"({statements.verbatim(check.expression)}) IS FALSE" for check in checks)
    return row.writing.done(f"SELECT {terms} FROM ", row.source)


def holders(statements: Evaluating, resource: Resource, index: UniqueIndex, row: LaidOut, most: int) -> Statement:
    """Return the query of the keys of rows that conflict with the row, in a unique index or an exclusion."""
    own = [statements.read_expression(resource.attributes[name]) for name in resource.key]
    keys = [f"{expression} AS k{place}" for place, expression in enumerate(own)]
    terms = [f"({statements.verbatim(term.expression)}) AS e{place}" for place, term in enumerate(index.terms)]
    where = "" if index.predicate is None else f" WHERE {statements.verbatim(index.predicate)}"
    only = "ONLY " if resource.is_inherited else ""  # the index has no rows of tables that inherit
    table = row.writing.source(resource, AllRows.CONFLICT_HOLDER)
    held = f"SELECT {', '.join([*keys, *terms])} FROM {only}{table}{where}"
    made = f"SELECT {', '.join(terms)} FROM " + row.source + where
    compared = " AND ".join(_compared(statements, index, place) for place in range(len(terms)))
    named = ", ".join(f"held.k{place}" for place in range(len(keys)))
    limit = Sql(f" LIMIT {statements.mark}", (most,))
    return row.writing.done(f"SELECT {named} FROM ({held}) AS held, (", made, f") AS made WHERE {compared}", limit)


def _compared(statements: Evaluating, index: UniqueIndex, place: int) -> str:
    term = index.terms[place]
    collate = ""
    if term.collation is not None:
        is_sqlite = isinstance(statements, SqliteStatements)
        name = statements.quote(term.collation) if is_sqlite else statements.verbatim(term.collation)
        collate = f" COLLATE {name}"
    equal = f"(held.e{place}) {statements.verbatim(term.operator)} (made.e{place}{collate})"
    return equal if index.nulls_distinct else f"({equal} OR (held.e{place} IS NULL AND made.e{place} IS NULL))"
