"""Runs a read plan: one statement for each level of it, never one for each row."""

from collections.abc import Sequence
from typing import assert_never

from storage.addresses import Location, locate
from storage.catalog.model import Catalog
from storage.reading.plan import (
    CollectionRead,
    Found,
    Item,
    ItemPage,
    ItemPlan,
    ItemRead,
    NodeRead,
    ReadPlan,
    RelationPlan,
    RootRead,
)
from storage.rows import Rows


def run_read(rows: Rows, catalog: Catalog, plan: ReadPlan) -> dict[str, Found]:
    """Read all that a query asks for, by response key."""
    return {key: _read(rows, catalog, read) for key, read in plan.items()}


def _read(rows: Rows, catalog: Catalog, read: RootRead) -> Found:
    match read:
        case ItemRead():
            row = rows.by_key(read.items.resource, read.key)
        case NodeRead():
            location = locate(rows, read.address, {})
            row = location.row if isinstance(location, Location) else None
        case CollectionRead():
            return _read_collection(rows, catalog, read)
        case _:
            assert_never(read)
    if row is None:
        return None
    item = Item(row=row)
    relate(rows, catalog, [item], read.items)
    return item


def _read_collection(rows: Rows, catalog: Catalog, read: CollectionRead) -> ItemPage:
    resource, page = read.items.resource, read.page
    total = rows.count(resource, {}) if read.with_total else None
    if not read.with_items:
        return ItemPage(items=[], total=total)
    found = rows.page(resource, {}, (), page)
    items = [Item(row=row) for row in found.rows]
    relate(rows, catalog, items, read.items)
    return ItemPage(items=items, has_next=found.has_more, has_previous=page.offset > 0, total=total)


def relate(rows: Rows, catalog: Catalog, items: Sequence[Item], plan: ItemPlan) -> None:
    """Find the relations of items, and those of what is found, level by level."""
    if not items:
        return
    for key, relation in plan.relations.items():
        found = _to_many(rows, items, key, relation) if relation.relation.many else _to_one(rows, items, key, relation)
        relate(rows, catalog, found, relation.items)


def _to_one(rows: Rows, items: Sequence[Item], key: str, plan: RelationPlan) -> list[Item]:
    here, there = plan.relation.here, plan.relation.there
    wanted = {item.row.of(here) for item in items}
    found = {row.of(there): Item(row=row) for row in rows.among(plan.items.resource, there, wanted)}
    for item in items:
        item.related[key] = found.get(item.row.of(here))
    return list(found.values())


def _to_many(rows: Rows, items: Sequence[Item], key: str, plan: RelationPlan) -> list[Item]:
    here, there, page = plan.relation.here, plan.relation.there, plan.page
    assert page is not None  # noqa: S101  # a relation to many has a page
    resource = plan.items.resource
    parents = {item.row.of(here) for item in items}
    totals = rows.counts_among(resource, there, parents) if plan.with_total else {}
    pages = rows.pages_among(resource, there, parents, page) if plan.with_items else {}
    children: list[Item] = []
    shared: dict[object, ItemPage] = {}
    for parent in parents:
        found = pages.get(parent)
        own = [Item(row=row) for row in found.rows] if found else []
        children += own
        shared[parent] = ItemPage(
            items=own,
            has_next=found.has_more if found else False,
            has_previous=page.offset > 0,
            total=totals.get(parent, 0) if plan.with_total else None,
        )
    for item in items:
        item.related[key] = shared[item.row.of(here)]
    return children
