"""What is asked for, as plain data: a tree of items and their relations, each under its key in the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.addresses import Address
from storage.catalog.model import Relation, Resource
from storage.row import KeyTuple, Row
from storage.statements import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationPlan:
    """A relation of each of many items."""

    relation: Relation
    items: "ItemPlan"
    page: Page | None = None  # of a relation to many
    with_total: bool = False
    with_items: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlan:
    """What is wanted of items of one resource beside their own attributes."""

    resource: Resource
    relations: Mapping[str, RelationPlan] = field(default_factory=dict)  # response key -> relation


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRead:
    """One item by its key."""

    key: KeyTuple
    items: ItemPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRead:
    """One item by its path."""

    address: Address
    items: ItemPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRead:
    """A page of a collection."""

    page: Page
    items: ItemPlan
    with_total: bool = False
    with_items: bool = True


RootRead = ItemRead | NodeRead | CollectionRead
ReadPlan = Mapping[str, RootRead]  # response key -> what to read


@dataclass(slots=True, kw_only=True)
class Item:
    """A row, and what was asked for around it."""

    row: Row
    related: dict[str, "Item | ItemPage | None"] = field(default_factory=dict)  # response key -> what was found


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """A page of items; `cursors` (one for each item) and `total` (of all items), where they were asked for."""

    items: list[Item]
    cursors: list[str] = field(default_factory=list)
    has_next: bool = False
    has_previous: bool = False
    total: int | None = None


Found = Item | ItemPage | None
