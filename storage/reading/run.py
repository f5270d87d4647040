"""Runs a read plan: one statement for each level, never one for each row."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain, repeat
from typing import Any, assert_never

from storage.catalog.types import Value
from storage.reading.aggregates import nothing_of, summarize, summarize_each
from storage.reading.child_pages import ChildPages, read_child_pages
from storage.reading.cursors import encode_cursor, order_name
from storage.reading.found import NOWHERE, Collection, Found, Items, Many, One, Page, Pages, to_items, to_page
from storage.reading.nodes import read_node
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
from storage.reading.size import count_repeated, own_sizes
from storage.rows.json_columns import RawColumns, decoders_of, read_columns
from storage.rows.reader import RowReader
from storage.rows.row import Ambiguous, KeyTuple, RowColumns, can_be_key
from storage.sql import Ownership, Query, Statement

Read = Collection | Items | None
"""The result of a root field, as columns."""

MORE_OF_ITEM = 500  # bytes of memory per item, besides its values, while the response is completed item by item


def run_read(rows: RowReader, plan: ReadPlan) -> dict[str, Read | Ambiguous]:
    """Run a read plan; return the result of each root field, or its `Ambiguous` error, by response key."""
    found: dict[str, Read | Ambiguous] = {}
    for key, read in plan.items():
        try:
            found[key] = read_root(rows, read)
        except Ambiguous as several:
            found[key] = several
    return found


def to_found(read: Read) -> Found:
    """Return the result of a root field as individual items."""
    if isinstance(read, Collection):
        return to_page(read)
    return to_items(read)[0] if read else None


def count_items(read: Read) -> int:
    """Return the number of rows in the result of a root field, at all levels."""
    items = read.found.items if isinstance(read, Collection) else read
    if items is None:
        return 0
    below = (each.items if isinstance(each, One) else each.found.items for each in items.related.values())
    return len(items) + sum(map(count_items, below))


def read_root(rows: RowReader, read: RootRead) -> Read:
    """Read one root field: a page, or one item. Raises `Ambiguous`."""
    found = _read_root(rows, read)
    if found is not None:
        count_repeated(
            found.found.items if isinstance(found, Collection) else found, rows.transaction.allowance.count_shown
        )
    return found


def _read_root(rows: RowReader, read: RootRead) -> Read:
    resource = read.items.resource
    match read:
        case CollectionRead():
            return _read_collection(rows, read.selected, read.items)
        case ItemRead(key=key):
            found: RowColumns | None = rows.load_columns(resource, resource.key, [key], read.items.names())
            if found is not None and len(found) > 1:
                raise Ambiguous(resource, resource.key)
        case NodeRead():
            found = read_node(rows, read)
        case _:
            assert_never(read)
    return relate(rows, Items(found), read.items) if found else None


def _read_collection(rows: RowReader, selected: Selected, plan: ItemPlan) -> Collection:
    window, names = selected.window, plan.names()
    total = _run(rows, _query(rows, plan).count(selected.condition))[0][0] if selected.with_total else None
    positions = window.sorts if selected.with_cursors else ()
    read = RawColumns([()] * (len(names) + len(positions)))
    if selected.with_items:
        one_more = window.one_more

        def write(*, as_json_columns: bool) -> Statement:
            query = Query(rows.statements, plan.resource, as_json_columns=as_json_columns)
            return query.page(names, selected.condition, one_more, positions=selected.with_cursors)

        read = read_columns(
            rows.transaction, write, decoders_of(rows.statements, plan.resource, names, positions), one_more.limit
        )
    shown = read.first(window.limit)
    (page,) = _cut(selected, [len(shown)], [len(read) > window.limit], [total])
    page = page.with_summary(summarize(rows, plan.resource, selected))
    return Collection(page, _pages(rows, selected, plan, names, shown.reversed() if window.backward else shown))


def relate(rows: RowReader, items: Items, plan: ItemPlan) -> Items:
    """Read the related rows of items, level by level, and add them; return the same items."""
    for key, relation in plan.relations.items():
        read = _to_one if relation.selected is None else _to_many
        items.related[key] = read(rows, items.rows, relation)
    if plan.times > 1:
        rows.transaction.allowance.count_shown((plan.times - 1) * sum(own_sizes(items)))
    return items


def _to_one(rows: RowReader, start: RowColumns, plan: RelationPlan) -> One:
    there, items = plan.relation.there, plan.items
    leads_to = _joining(start, plan.relation.here)
    distinct = dict.fromkeys(leads_to)
    wanted = _distinct(distinct if len(there) > 1 else [(value,) for value in distinct])
    if plan.relation.foreign_key.collated:
        found, matched = rows.matched_columns(items.resource, there, wanted, items.names(*there))
        places = {_joined(wanted[each]): place for place, each in enumerate(matched)}
    else:
        found = rows.load_columns(items.resource, there, wanted, items.names(*there))
        places = {each: place for place, each in enumerate(_joining(found, there))}
    return One(list(map(places.get, leads_to, repeat(NOWHERE))), relate(rows, Items(found), items))


def _to_many(rows: RowReader, start: RowColumns, plan: RelationPlan) -> Many:
    items, selected = plan.items, plan.selected
    assert selected is not None  # noqa: S101  # of a relation to many
    owned = Ownership(relation=plan.relation, parents=start.resource, children=items.resource)
    owners = _tuples(start, plan.relation.here)
    parents, names = _distinct(owners), items.names(*plan.relation.there)
    reads = selected.with_items and bool(parents)
    nothing_read = RawColumns([()] * (len(names) + len(selected.window.sorts)))
    children = read_child_pages(rows, owned, selected, parents, names) if reads else ChildPages(shown=nothing_read)
    found = _pages(rows, selected, items, names, children.shown)
    known = _decoded(rows, owned, children.owners, typed=children.shown.typed)
    totals: Mapping[KeyTuple, int] = {}
    if children.are_counted:
        totals = dict(zip(known, children.counts, strict=True))
    elif selected.with_total:
        totals = _totals(rows, owned, selected, parents)
    last = selected.window.offset + selected.window.limit
    has_more = [count > last for count in children.counts]
    pages = dict(
        zip(known, _cut(selected, children.sizes, has_more, [totals.get(owner, 0) for owner in known]), strict=True)
    )
    every = [pages.get(owner) or _empty(selected, totals.get(owner, 0)) for owner in owners]
    if selected.aggregations or selected.groupings:
        summaries = summarize_each(rows, items.resource, selected, parents, owned)
        nothing = nothing_of(selected)
        every = [page.with_summary(summaries.get(owner, nothing)) for owner, page in zip(owners, every, strict=True)]
    return Many(every, found)


def _decoded(
    rows: RowReader, owned: Ownership, raws: Sequence[Sequence[Any]], *, typed: bool = False
) -> list[tuple[Value, ...]]:
    """Decode the values that identify parents, as read by the driver."""
    attributes = [owned.resource.attributes[name] for name in owned.names]
    columns = [
        rows.statements.decode_column(attribute, column, typed=typed)
        for attribute, column in zip(attributes, zip(*raws, strict=True), strict=bool(raws))
    ]
    return list(zip(*columns, strict=True))


def _totals(
    rows: RowReader, owned: Ownership, selected: Selected, parents: Sequence[KeyTuple]
) -> Mapping[KeyTuple, int]:
    totals: dict[KeyTuple, int] = {}
    for chunk in owned.chunks(rows.statements, parents):
        query = Query(rows.statements, owned.children, owned=owned)
        raws = _run(rows, query.counts(chunk, selected.condition))
        owners = _decoded(rows, owned, [raw[:-1] for raw in raws])
        totals |= dict(zip(owners, (raw[-1] for raw in raws), strict=True))
    return totals


def _query(rows: RowReader, plan: ItemPlan) -> Query:
    return Query(rows.statements, plan.resource)


def _run(rows: RowReader, statement: Statement) -> Sequence[tuple[Any, ...]]:
    return rows.transaction.read(statement, shown=True, many=True).rows


def _tuples(rows: RowColumns, names: Sequence[str]) -> list[KeyTuple]:
    return list(zip(*(rows.columns[name] for name in names), strict=True))


def _joining(rows: RowColumns, names: Sequence[str]) -> Sequence[Any]:
    """Return the values that relate rows to others: for each row the value of one attribute, or a tuple of several."""
    return rows.columns[names[0]] if len(names) == 1 else _tuples(rows, names)


def _joined(values: KeyTuple) -> Any:
    return values[0] if len(values) == 1 else values


def _distinct(tuples: Iterable[KeyTuple]) -> list[KeyTuple]:
    """Return the distinct tuples that can be key values: those without nulls and unreadable values."""
    every = dict.fromkeys(tuples)
    if can_be_key(chain.from_iterable(every)):  # the usual case, and the fastest check
        return list(every)
    return [each for each in every if can_be_key(each)]


def _cut(
    selected: Selected, sizes: Sequence[int], has_more: Sequence[bool], totals: Sequence[int | None]
) -> Iterable[Page]:
    """Return consecutive pages; `has_more` refers to the direction in which they were read."""
    window = selected.window
    comes_from = repeat(window.after is not None or window.offset > 0)
    starts = list(accumulate(sizes, initial=0))
    has_next, has_previous = (comes_from, has_more) if window.backward else (has_more, comes_from)
    return map(Page, starts, starts[1:], has_next, has_previous, totals if selected.with_total else repeat(None))


def _empty(selected: Selected, total: int) -> Page:
    (page,) = _cut(selected, [0], [False], [total])
    return page


def _pages(rows: RowReader, selected: Selected, plan: ItemPlan, names: Sequence[str], read: RawColumns) -> Pages:
    """Return the pages of what was read: attributes, followed by the values that the rows are ordered by."""
    cursors: list[str] = []
    if selected.with_cursors:
        order = order_name(plan.resource, selected.window.sorts)
        cursors = [encode_cursor(order, position) for position in read.behind(len(names))]
    return Pages(relate(rows, Items(rows.columns_from(plan.resource, names, read)), plan), cursors)
