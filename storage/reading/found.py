"""What was found, as columns: a table for each place in the plan, and how their rows belong together."""

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
    """Rows of one resource, and what was asked for around them."""

    rows: RowColumns
    related: dict[str, "One | Many"] = field(default_factory=dict)  # response key -> what it leads to

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class One:
    """A relation to one: for each row the place of the row that it leads to, or `NOWHERE`."""

    places: Sequence[int]
    items: Items

    def share(self, found: Sequence[T]) -> list[T | None]:
        """Say for each row what was found of the row that it leads to; None where there is none."""
        return list(map([*found, None].__getitem__, self.places))


NOWHERE = -1  # the last place of what `share` looks into


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is said of many rows together."""

    values: Mapping[Aggregation, Value] = field(default_factory=dict)  # what is not there is said of no row

    def value(self, aggregation: Aggregation) -> Value:
        """Find what is said; of no row the count is 0, and all else null."""
        return self.values.get(aggregation, 0 if aggregation.function is Function.COUNT else None)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are equal in some attributes."""

    keys: Mapping[str, Value]
    aggregate: Aggregate


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said of all that a filter finds, whatever the page."""

    aggregate: Aggregate = field(default_factory=Aggregate)
    groups: Mapping[str, Sequence[Group]] = field(default_factory=dict)  # response key -> groups


_NOTHING = Summary()


class Page(msgspec.Struct, frozen=True, gc=False):
    """A page of rows: from one place of a table to before another. There may be one for each of many parents."""

    start: int = 0
    stop: int = 0
    has_next: bool = False
    has_previous: bool = False
    total: int | None = None
    summary: Summary = _NOTHING

    def with_summary(self, summary: Summary) -> "Page":
        """Add what is said of all that its filter finds."""
        return msgspec.structs.replace(self, summary=summary)


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of one table, with a cursor for each row where they were asked for."""

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
    """A row, and what was asked for around it."""

    row: Row
    related: dict[str, "Item | ItemPage | None"] = field(default_factory=dict)  # response key -> what was found
    in_edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """A page of items; `total` counts all of them, where that was asked for."""

    items: list[Item]
    has_next: bool = False
    has_previous: bool = False
    total: int | None = None
    summary: Summary = _NOTHING
    cursors: Sequence[str] = ()


Found = Item | ItemPage | None


def to_items(found: Items) -> list[Item]:
    """Make the items of a table, one by one."""
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
    """Make the items of a page, one by one."""
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
