"""Results of reads, as columns: a table for each node of the plan, and the relations between their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from storage.catalog.aggregation import Aggregation, Function
from storage.catalog.types import Value
from storage.rows.row import Row, RowColumns

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Items:
    """Rows of one resource, and the requested related rows."""

    rows: RowColumns
    related: dict[str, "One | Many"] = field(default_factory=dict)  # response key -> related rows

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class One:
    """A relation to one: for each row the index of the related row, or `NOWHERE`."""

    places: Sequence[int]
    items: Items

    def share(self, found: Sequence[T]) -> list[T | None]:
        """Return for each row the element of `found` at the index of its related row; None if it has none."""
        return list(map([*found, None].__getitem__, self.places))


NOWHERE = -1  # index of the last element of the list in `share`, which is None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Aggregate values of a set of rows."""

    values: Mapping[Aggregation, Value] = field(default_factory=dict)  # a missing aggregation is one of no rows

    def value(self, aggregation: Aggregation) -> Value:
        """Return the value of an aggregation. Of no rows, the count is 0 and any other value is null."""
        return self.values.get(aggregation, 0 if aggregation.function is Function.COUNT else None)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with equal values of the grouping attributes."""

    keys: Mapping[str, Value]
    aggregate: Aggregate


@dataclass(frozen=True, slots=True)
class Summary:
    """Aggregates and groups of all rows that match a filter, regardless of the page."""

    aggregate: Aggregate = field(default_factory=Aggregate)
    groups: Mapping[str, Sequence[Group]] = field(default_factory=dict)  # response key -> groups


_NOTHING = Summary()


class Page(msgspec.Struct, frozen=True, gc=False):
    """A page of rows: those of a table from `start` up to, but not including, `stop`. Each parent may have one."""

    start: int = 0
    stop: int = 0
    has_next: bool = False
    has_previous: bool = False
    total: int | None = None
    summary: Summary = _NOTHING

    def with_summary(self, summary: Summary) -> "Page":
        """Return a copy of the page with the summary of all rows that match its filter."""
        return msgspec.structs.replace(self, summary=summary)


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of one table, with a cursor for each row if cursors were requested."""

    items: Items
    cursors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Many:
    """A relation to many: a page for each row."""

    pages: Sequence[Page]
    found: Pages


@dataclass(frozen=True, slots=True)
class Collection:
    """A page of a collection."""

    page: Page
    found: Pages


@dataclass(slots=True, kw_only=True)
class Item:
    """A row, and the requested related items."""

    row: Row
    related: dict[str, "Item | ItemPage | None"] = field(default_factory=dict)  # response key -> related items
    in_edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """A page of items; `total` is the number of all items, if it was requested."""

    items: list[Item]
    has_next: bool = False
    has_previous: bool = False
    total: int | None = None
    summary: Summary = _NOTHING
    cursors: Sequence[str] = ()


Found = Item | ItemPage | None


def to_items(found: Items) -> list[Item]:
    """Return the rows of a table as individual items."""
    items = [Item(row=row) for row in found.rows.rows()]
    for key, related in found.related.items():
        others = to_items(related.items if isinstance(related, One) else related.found.items)
        if isinstance(related, One):
            for item, other in zip(items, related.share(others), strict=True):
                item.related[key] = other
        else:
            for item, page in zip(items, related.pages, strict=True):
                item.related[key] = _to_page(page, others, related.found.cursors)
    return items


def to_page(collection: Collection) -> ItemPage:
    """Return a page with its rows as individual items."""
    return _to_page(collection.page, to_items(collection.found.items), collection.found.cursors)


def _to_page(page: Page, items: Sequence[Item], cursors: Sequence[str]) -> ItemPage:
    return ItemPage(
        items=list(items[page.start : page.stop]),
        has_next=page.has_next,
        has_previous=page.has_previous,
        total=page.total,
        summary=page.summary,
        cursors=cursors[page.start : page.stop],
    )
