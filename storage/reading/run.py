"""Runs a read plan: one statement for each level of it, never one for each row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, assert_never

from storage.addresses import Location, locate
from storage.catalog.types import Unreadable
from storage.reading.cursors import encode_cursor, order_name
from storage.reading.found import Collection, Found, Items, Many, One, Page, Pages, to_items, to_page
from storage.reading.plan import (
    CollectionRead,
    ItemPlan,
    ItemRead,
    NodeRead,
    ReadPlan,
    RelationPlan,
    RootRead,
    Selected,
)
from storage.row import KeyTuple, RowColumns
from storage.rows import Rows
from storage.statements import Query, Statement

Raws = Sequence[tuple[Any, ...]]
_LEADING = 2  # what a child's row begins with: its place among its siblings, and their number


def run_read(rows: Rows, plan: ReadPlan) -> dict[str, Found]:
    """Read all that a query asks for, by response key."""
    found: dict[str, Found] = {}
    for key, read in plan.items():
        result = read_root(rows, read)
        found[key] = to_page(result) if isinstance(result, Collection) else to_items(result)[0] if result else None
    return found


def read_root(rows: Rows, read: RootRead) -> Collection | Items | None:
    """Read one root field: a page, or one item."""
    match read:
        case CollectionRead():
            return _read_collection(rows, read.selected, read.items)
        case ItemRead(key=key):
            pass
        case NodeRead(address=address):
            location = locate(rows, address, {})
            if not isinstance(location, Location) or location.row is None:
                return None
            key = location.row.key
        case _:
            assert_never(read)
    resource = read.items.resource
    found = rows.load_columns(resource, {resource.key: [key]}, read.items.names())
    return relate(rows, Items(found), read.items) if len(found) else None


def _read_collection(rows: Rows, selected: Selected, plan: ItemPlan) -> Collection:
    window, names = selected.window, plan.names()
    total = _run(rows, _query(rows, plan).count(selected.condition))[0][0] if selected.with_total else None
    raws: Raws = ()
    if selected.with_items:
        one_more = replace(window, limit=window.limit + 1)
        query = _query(rows, plan)
        raws = _run(rows, query.page(names, selected.condition, one_more, positions=selected.with_cursors))
    page = _page(selected, found=min(len(raws), window.limit), has_more=len(raws) > window.limit, total=total)
    raws = raws[: window.limit]
    return Collection(page, _pages(rows, selected, plan, names, raws[::-1] if window.backward else raws))


def relate(rows: Rows, items: Items, plan: ItemPlan) -> Items:
    """Find what the relations of items lead to, level by level; gives the same items back."""
    for key, relation in plan.relations.items():
        read = _to_one if relation.selected is None else _to_many
        items.related[key] = read(rows, items.rows, relation)
    return items


def _to_one(rows: Rows, start: RowColumns, plan: RelationPlan) -> One:
    there, items = plan.relation.there, plan.items
    leads_to = _tuples(start, plan.relation.here)
    wanted = _distinct(leads_to)
    names = items.names(*there)
    found = (
        rows.load_columns(items.resource, {there: wanted}, names)
        if wanted
        else rows.columns_of(items.resource, names, ())
    )
    places = {each: place for place, each in enumerate(_tuples(found, there))}
    return One(list(map(places.get, leads_to)), relate(rows, Items(found), items))


def _to_many(rows: Rows, start: RowColumns, plan: RelationPlan) -> Many:
    there, items, selected = plan.relation.there, plan.items, plan.selected
    assert selected is not None  # noqa: S101  # of a relation to many
    owners = _tuples(start, plan.relation.here)
    parents, names = _distinct(owners), items.names(*there)
    raws = _children(rows, plan, selected, parents, names) if selected.with_items else []
    found = _pages(rows, selected, items, names, [raw[_LEADING:] for raw in raws])
    totals = _totals(rows, plan, selected, parents) if selected.with_total else {}
    pages: dict[KeyTuple, Page] = {}
    ends, start_of = selected.window.offset + selected.window.limit, 0
    for owner, group in groupby(zip(_tuples(found.items.rows, there), raws, strict=True), key=lambda pair: pair[0]):
        own = [raw for _, raw in group]
        count = min(len(own), selected.window.limit)
        pages[owner] = _page(
            selected, start=start_of, found=count, has_more=own[0][1] > ends, total=totals.get(owner, 0)
        )
        start_of += len(own)
    absent = {owner: _page(selected, found=0, has_more=False, total=totals.get(owner, 0)) for owner in owners}
    return Many([pages.get(owner) or absent[owner] for owner in owners], found)


def _children(
    rows: Rows, plan: RelationPlan, selected: Selected, parents: Sequence[KeyTuple], names: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Read the pages of all parents; of an empty page its first row, which tells whether there are more."""
    window = replace(selected.window, limit=max(1, selected.window.limit))
    found: list[tuple[Any, ...]] = []
    for chunk in rows.statements.chunks(parents):
        query = _query(rows, plan.items)
        found += _run(
            rows,
            query.children(
                names, plan.relation.there, chunk, selected.condition, window, positions=selected.with_cursors
            ),
        )
    return found


def _totals(rows: Rows, plan: RelationPlan, selected: Selected, parents: Sequence[KeyTuple]) -> Mapping[KeyTuple, int]:
    there, resource = plan.relation.there, plan.items.resource
    totals: dict[KeyTuple, int] = {}
    for chunk in rows.statements.chunks(parents):
        raws = _run(rows, _query(rows, plan.items).counts(there, chunk, selected.condition))
        *own, counts = zip(*raws, strict=True) if raws else [()] * (len(there) + 1)
        columns = [
            rows.statements.decode_column(resource.attributes[name], column)
            for name, column in zip(there, own, strict=True)
        ]
        totals |= dict(zip(zip(*columns, strict=True), counts, strict=True))
    return totals


def _query(rows: Rows, plan: ItemPlan) -> Query:
    return Query(rows.statements, plan.resource)


def _run(rows: Rows, statement: Statement) -> Raws:
    return rows.transaction.read(statement.sql, statement.params).rows


def _tuples(rows: RowColumns, names: Sequence[str]) -> list[KeyTuple]:
    return list(zip(*(rows.columns[name] for name in names), strict=True))


def _distinct(tuples: Sequence[KeyTuple]) -> list[KeyTuple]:
    """Keep what can be the values of a key, each once: without nulls, and without what cannot be read."""
    return [each for each in dict.fromkeys(tuples) if not any(v is None or isinstance(v, Unreadable) for v in each)]


def _page(selected: Selected, *, start: int = 0, found: int, has_more: bool, total: int | None) -> Page:
    window = selected.window
    comes_from = window.after is not None or window.offset > 0
    return Page(
        start=start,
        stop=start + found,
        has_next=comes_from if window.backward else has_more,
        has_previous=has_more if window.backward else comes_from,
        total=total if selected.with_total else None,
    )


def _pages(rows: Rows, selected: Selected, plan: ItemPlan, names: Sequence[str], raws: Raws) -> Pages:
    """Turn rows as they were read (attributes, and then what they are ordered by) into items."""
    width = len(names)
    cursors: list[str] = []
    if selected.with_cursors:
        order = order_name(plan.resource, selected.window.sorts)
        cursors = [encode_cursor(order, raw[width:]) for raw in raws]
        raws = [raw[:width] for raw in raws]
    return Pages(relate(rows, Items(rows.columns_of(plan.resource, names, raws)), plan), cursors)
