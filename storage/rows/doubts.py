"""Attribution of a refusal if only another query can show whose error it is (docs/contract.md, section 6).

This code runs only after a statement was refused. The transaction must be usable: rolled back to a savepoint, or a new
one.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from storage.catalog.model import Generation, Resource
from storage.connections.driver_errors import Doubt, StatementRefused
from storage.errors import (
    CannotCompare,
    CannotLookFor,
    CannotRead,
    NotAsAtStart,
    NotPopulated,
    RequestError,
    RightMissing,
)
from storage.log import note
from storage.rows.reader import RowReader
from storage.sql import PostgresqlStatements, Unstorable

Right = tuple[str, str | None]
"""A privilege, and its column (for USAGE, its sequence). None means the table, or for UPDATE any column of it."""

_SAVEPOINT = "doubt"
_OF_OPERATORS = ("42", "0A000")  # SQLSTATEs of a comparison, an order or a grouping that the type does not support


def settle(
    rows: RowReader, refused: StatementRefused, resources: Iterable[Resource], rights: Mapping[str, Sequence[Right]]
) -> None:
    """Query the database if a refusal may concern the whole request; return if it does not.

    `rights` contains the required rights by the type name of the resource; the default is `reading_rights`. Raises
    `NotAsAtStart` if a table of the resources has changed since the start, and `RightMissing` if our role lacks a
    right.
    """
    match refused.doubt:
        case Doubt.TABLE:
            _compare(rows, refused, [*resources])
        case Doubt.RIGHTS:
            for resource in resources:
                _ask_for_rights(rows, refused, resource, rights.get(resource.name, reading_rights(resource)))
        case None:
            pass


def reading_rights(resource: Resource) -> list[Right]:
    """Return the rights needed to read the rows of a resource, and to lock them if the resource is writable."""
    rights: list[Right] = [("SELECT", attribute.column) for attribute in resource.attributes.values()]
    return [*rights, ("UPDATE", None)] if resource.writable else rights


def making_rights(resource: Resource, given: Collection[str]) -> list[Right]:
    """Return the rights needed to insert a row with values of the given attributes."""
    sequences = [each.sequence for each in resource.attributes.values() if each.sequence is not None]
    return [
        *(("INSERT", resource.attributes[name].column) for name in given),
        *((("INSERT", None),) if not given else ()),
        *(("USAGE", sequence) for sequence in sequences),
        *reading_rights(resource),
    ]


def changing_rights(resource: Resource, given: Collection[str]) -> list[Right]:
    """Return the rights needed to update the given attributes of a row."""
    return [*(("UPDATE", resource.attributes[name].column) for name in given), *reading_rights(resource)]


def removing_rights(resource: Resource) -> list[Right]:
    """Return the rights needed to delete a row."""
    return [("DELETE", None), *reading_rights(resource)]


def _ask_for_rights(rows: RowReader, refused: StatementRefused, resource: Resource, rights: Sequence[Right]) -> None:
    statements = rows.statements
    if not isinstance(statements, PostgresqlStatements):
        return
    asked = statements.rights_missing(resource, rights)
    missing = rows.transaction.read(asked).rows
    if missing:
        role, privilege, name = missing[0]
        note(
            "right_missing",
            "The role lacks a privilege that a request needs.",
            level=logging.ERROR,
            role=role,
            table=resource.table,
            privilege=privilege,
            on=name,
            state=refused.state,
        )
        raise RightMissing


def _compare(rows: RowReader, refused: StatementRefused, resources: Sequence[Resource]) -> None:
    asked = rows.statements.tables_now(resources)
    try:
        found = rows.transaction.read(asked).rows
    except StatementRefused:  # SQLite cannot list the columns of a view whose table was dropped
        _tell_change(refused, resources[0].table, None)
        raise NotAsAtStart from None
    now: dict[str, dict[str, tuple[bool, str, bool]]] = defaultdict(dict)
    for table, is_view, _, column, sql_type, is_made in found:
        if column is not None:
            now[table][column] = bool(is_view), sql_type, bool(is_made)
    for resource in resources:
        for attribute in resource.attributes.values():
            was = resource.is_view, attribute.sql_type, attribute.generation is Generation.ALWAYS
            if _untyped(now[resource.table].get(attribute.column), attribute.sql_type) != was:
                _tell_change(refused, resource.table, attribute.column)
                raise NotAsAtStart


def _untyped(found: tuple[bool, str, bool] | None, sql_type: str) -> tuple[bool, str, bool] | None:
    """Return a column; its type is empty instead of SQLite's ANY (BLOB in a view) if the catalog has no type for it."""
    if found is None or sql_type or found[1].upper() not in {"ANY", "BLOB"}:
        return found
    return found[0], "", found[2]


def _tell_change(refused: StatementRefused, table: str, column: str | None) -> None:
    note(
        "table_changed",
        "A table has changed since the server started. Restart the server.",
        level=logging.ERROR,
        table=table,
        column=column,
        state=refused.state,
    )


def why_unread(
    rows: RowReader,
    refused: StatementRefused | Unstorable,
    resources: Sequence[Resource],
    first: Resource | None = None,
) -> RequestError:
    """Return the error that explains why the database did not read resources; it names `first`, if that is given.

    Reasons are a value that the database cannot search for, values that it cannot compare, a missing right, a changed
    table, a view that is not populated, or an expression of the database that fails for a row.
    """
    if isinstance(refused, Unstorable):
        return CannotLookFor()
    try:
        settle(rows, refused, resources, {})
    except (NotAsAtStart, RightMissing) as error:
        return error
    if refused.doubt is Doubt.RIGHTS:  # the owner of a view may lack the right
        note(
            "right_missing",
            "The owner of a view lacks a privilege that the view needs.",
            table=_table(first),
            state=refused.state,
        )
        return RightMissing()
    if refused.doubt is Doubt.TABLE:
        asked = rows.statements.tables_now(resources)
        for table, _, has_rows, *_ in rows.transaction.read(asked).rows:
            if not has_rows:
                empty = next(each for each in resources if each.table == table)
                return NotPopulated(empty.collection)
    reason = _reason(rows, refused, first)
    if isinstance(reason, CannotRead):
        note("row_not_computed", "The database cannot compute a row.", table=_table(first), state=refused.state)
    return reason


def _table(resource: Resource | None) -> str | None:
    return None if resource is None else resource.table


def _reason(rows: RowReader, refused: StatementRefused, first: Resource | None) -> RequestError:
    """Return the error for a bad value, for an operation that the type does not support, or for a row that fails."""
    if refused.state is None and refused.statement is not None:  # raised by the driver, which cannot pass the value
        return CannotLookFor()
    where = "the database" if first is None else first.collection
    if not isinstance(rows.statements, PostgresqlStatements):  # in SQLite, values can be of any type
        is_unknown_name = refused.doubt is Doubt.TABLE and _is_planned(rows, refused) is False
        return CannotCompare(where) if is_unknown_name and not (first and first.is_view) else CannotRead(where)
    if refused.statement is None or refused.state is None or _is_planned(rows, refused):
        return CannotRead(where)
    asked = refused.statement
    without_values = asked.given(*[None] * len(asked.params))
    if asked.params and _is_planned(rows, StatementRefused(refused.violation, statement=without_values)):
        return CannotLookFor()
    return CannotCompare(where) if refused.state.startswith(_OF_OPERATORS) else CannotRead(where)


def _is_planned(rows: RowReader, refused: StatementRefused) -> bool:
    """Return True if a refused statement can be planned with its values. If so, it fails for a row."""
    assert refused.statement is not None  # noqa: S101  # checked by the caller
    run = partial(rows.transaction.execute, rows.statements.explain(refused.statement))
    return not isinstance(rows.transaction.attempt(_SAVEPOINT, run), StatementRefused)
