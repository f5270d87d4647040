"""Reads aggregates and groups: one statement for all aggregates of a connection, and one for each grouping.

Below other items, one statement covers all parents, as for their pages.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, assert_never

from storage.catalog.aggregation import Aggregation, Function
from storage.catalog.model import Attribute, Resource
from storage.catalog.types import Value
from storage.reading.found import Aggregate, Group, Summary
from storage.reading.plan import Selected
from storage.rows.reader import RowReader
from storage.rows.row import KeyTuple
from storage.sql import Ownership, Query, Statement, Statements

_ALL: KeyTuple = ()  # the parent key of a collection without a parent


def summarize(rows: RowReader, resource: Resource, selected: Selected) -> Summary:
    """Read the selected aggregates and groups of a whole collection."""
    if not selected.aggregations and not selected.groupings:
        return nothing_of(selected)
    return summarize_each(rows, resource, selected, [_ALL]).get(_ALL, nothing_of(selected))


def nothing_of(selected: Selected) -> Summary:
    """Return the summary of no rows."""
    return Summary(groups=dict.fromkeys(selected.groupings, ()))


def summarize_each(
    rows: RowReader,
    resource: Resource,
    selected: Selected,
    parents: Sequence[KeyTuple],
    owned: Ownership | None = None,
) -> Mapping[KeyTuple, Summary]:
    """Read the selected aggregates and groups of the children of each parent that has any."""
    aggregates: dict[KeyTuple, Aggregate] = {}
    groups: dict[KeyTuple, dict[str, list[Group]]] = {}
    tells = [owned.resource.attributes[name] for name in owned.names] if owned else []
    for chunk in [parents] if owned is None else owned.chunks(rows.statements, parents):
        if selected.aggregations:
            query = Query(rows.statements, resource, owned=owned)
            statement = query.aggregates(selected.aggregations, selected.condition, chunk)
            found = _read(rows, resource, statement, (tells, [], selected.aggregations))
            aggregates |= {owner: aggregate for owner, _, aggregate in found}
        for key, grouping in selected.groupings.items():
            query = Query(rows.statements, resource, owned=owned)
            statement = query.groups(grouping, selected.condition, chunk)
            by = [resource.attributes[name] for name in grouping.by]
            read = (tells, by, grouping.aggregations)
            for owner, values, aggregate in _read(rows, resource, statement, read):
                group = Group(dict(zip(grouping.by, values, strict=True)), aggregate)
                groups.setdefault(owner, {}).setdefault(key, []).append(group)
    nothing = nothing_of(selected)
    return {
        owner: Summary(aggregates.get(owner, nothing.aggregate), {**nothing.groups, **groups.get(owner, {})})
        for owner in {**aggregates, **groups}
    }


def _read(
    rows: RowReader,
    resource: Resource,
    statement: Statement,
    read: tuple[Sequence[Attribute], Sequence[Attribute], Sequence[Aggregation]],
) -> Iterator[tuple[KeyTuple, KeyTuple, Aggregate]]:
    """Yield, for each row, the values that identify the parent and those that identify the group, and the aggregate."""
    raws = rows.transaction.read(statement, shown=True, many=True).rows
    if not raws:
        return
    leading, by, aggregations = read
    columns: Iterator[Sequence[Any]] = iter(zip(*raws, strict=True))
    named = [rows.statements.decode_column(attribute, next(columns)) for attribute in (*leading, *by)]
    values = [_decoded(rows.statements, resource, each, columns) for each in aggregations]
    width = len(leading)
    named_rows = zip(*named, strict=True) if named else iter([()])
    for tells, row in zip(named_rows, zip(*values, strict=True) if values else repeat(()), strict=False):
        yield tells[:width], tells[width:], Aggregate(dict(zip(aggregations, row, strict=True)))


def _decoded(
    statements: Statements, resource: Resource, aggregation: Aggregation, columns: Iterator[Sequence[Any]]
) -> Sequence[Value]:
    """Decode the columns of an aggregation; an average has two."""
    raws = next(columns)
    if aggregation.function is Function.COUNT:
        return raws
    attribute = resource.attributes[aggregation.attribute]
    match aggregation.function:
        case Function.SUM:
            return [None if raw is None else statements.decode_sum(attribute, raw) for raw in raws]
        case Function.AVG:
            return [
                None if raw is None else statements.decode_average(attribute, raw, count)
                for raw, count in zip(raws, next(columns), strict=True)
            ]
        case Function.MIN | Function.MAX:
            return statements.decode_column(attribute, raws)
        case _:
            assert_never(aggregation.function)
