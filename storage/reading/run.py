"""Runs a read plan: one statement for each level of it, never one for each row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, assert_never

from storage.addresses import Location, locate
from storage.catalog.types import Unreadable, Value
from storage.reading.aggregates import nothing_of, summarize, summarize_each
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
from storage.statements import Query, Statement, Window

Raws = Sequence[tuple[Any, ...]]
_LEADING = 2  # what a numbered child's row begins with: its place among its siblings, and how many they are
_MOST_CHILDREN = 20_000  # of one level that are read to be cut into pages here


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
    page = replace(page, summary=summarize(rows, plan.resource, selected))
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
    window, owners = selected.window, _tuples(start, plan.relation.here)
    parents, names = _distinct(owners), items.names(*there)
    reads = selected.with_items and bool(parents)
    families, counts_all = _families(rows, plan, selected, parents, names) if reads else ([], False)
    found = _pages(rows, selected, items, names, [raw for family in families for raw in family.rows])
    totals = _totals(rows, plan, selected, parents) if selected.with_total and not counts_all else {}
    pages: dict[KeyTuple, Page] = {}
    start_of = 0
    for owner, family in zip(_decoded(rows, items, there, [each.owner for each in families]), families, strict=True):
        has_more = family.count > window.offset + window.limit
        total = family.count if counts_all else totals.get(owner, 0)
        shown = min(len(family.rows), window.limit)
        pages[owner] = _page(selected, start=start_of, found=shown, has_more=has_more, total=total)
        start_of += len(family.rows)
    none = {owner: _page(selected, found=0, has_more=False, total=totals.get(owner, 0)) for owner in owners}
    every = [pages.get(owner) or none[owner] for owner in owners]
    if selected.aggregations or selected.groupings:
        summaries = summarize_each(rows, items.resource, selected, there, parents)
        nothing = nothing_of(selected)
        every = [
            replace(page, summary=summaries.get(owner, nothing)) for owner, page in zip(owners, every, strict=True)
        ]
    return Many(every, found)


@dataclass(frozen=True, slots=True)
class _Family:
    """The children of one parent: those of its page, and how many there are, or were read if that is more than the page."""

    owner: tuple[Any, ...]  # as the driver reads it
    rows: Raws
    count: int


def _families(
    rows: Rows, plan: RelationPlan, selected: Selected, parents: Sequence[KeyTuple], names: Sequence[str]
) -> tuple[list[_Family], bool]:
    """Read the pages of all parents; say whether all of their children are counted with it.

    As long as there are not too many, all children are read, and cut into pages here: that takes a third of the time that
    the database takes to number them. Otherwise it numbers them, unless they are one parent's.
    """
    window = selected.window
    first, last = window.offset, window.offset + window.limit
    most = min(len(parents) * last, _MOST_CHILDREN)
    there, positions = plan.relation.there, selected.with_cursors
    own = _getter([names.index(name) for name in there])
    every: list[tuple[Any, ...]] = []
    for chunk in rows.statements.chunks(parents):
        query = _query(rows, plan.items)
        statement = query.all_children(
            names, there, chunk, selected.condition, window, positions=positions, most=most + 1 - len(every)
        )
        every += _run(rows, statement)
        if len(every) > most and (len(parents) > 1 or last > most):
            return _numbered(rows, plan, selected, parents, names), window.after is None and not window.offset
    families: dict[Any, list[tuple[Any, ...]]] = {}
    for raw in every:
        families.setdefault(own(raw), []).append(raw)
    found = [_Family(owner, _shown(family[first:last], window), len(family)) for owner, family in families.items()]
    return found, window.after is None and len(every) <= most


def _numbered(
    rows: Rows, plan: RelationPlan, selected: Selected, parents: Sequence[KeyTuple], names: Sequence[str]
) -> list[_Family]:
    window = replace(selected.window, limit=max(1, selected.window.limit))
    there, positions = plan.relation.there, selected.with_cursors
    own = _getter([_LEADING + names.index(name) for name in there])
    families: dict[Any, list[tuple[Any, ...]]] = {}
    for chunk in rows.statements.chunks(parents):
        query = _query(rows, plan.items)
        statement = query.children(names, there, chunk, selected.condition, window, positions=positions)
        for raw in _run(rows, statement):
            families.setdefault(own(raw), []).append(raw)
    cut = selected.window.limit
    return [
        _Family(owner, _shown([raw[_LEADING:] for raw in family[:cut]], window), int(family[0][1]))
        for owner, family in families.items()
    ]


def _getter(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Take some places of a row, as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    (place,) = places
    return itemgetter(slice(place, place + 1))


def _shown(children: Raws, window: Window) -> Raws:
    return children[::-1] if window.backward else children


def _decoded(
    rows: Rows, plan: ItemPlan, names: Sequence[str], raws: Sequence[Sequence[Any]]
) -> list[tuple[Value, ...]]:
    """Turn tuples of some attributes, as the driver has read them, into values."""
    attributes = [plan.resource.attributes[name] for name in names]
    columns = [
        rows.statements.decode_column(attribute, column)
        for attribute, column in zip(attributes, zip(*raws, strict=True), strict=bool(raws))
    ]
    return list(zip(*columns, strict=True))


def _totals(rows: Rows, plan: RelationPlan, selected: Selected, parents: Sequence[KeyTuple]) -> Mapping[KeyTuple, int]:
    there = plan.relation.there
    totals: dict[KeyTuple, int] = {}
    for chunk in rows.statements.chunks(parents):
        raws = _run(rows, _query(rows, plan.items).counts(there, chunk, selected.condition))
        owners = _decoded(rows, plan.items, there, [raw[:-1] for raw in raws])
        totals |= dict(zip(owners, (raw[-1] for raw in raws), strict=True))
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
