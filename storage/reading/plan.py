"""What is asked for, as plain data: a tree of items and their relations, each under its key in the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.addresses import Address
from storage.catalog.aggregation import Aggregation
from storage.catalog.model import Relation, Resource
from storage.row import KeyTuple
from storage.statements import All, Condition, Grouping, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Which items of a collection are wanted, and what of their page."""

    window: Window
    condition: Condition = field(default_factory=All)
    with_items: bool = True
    with_cursors: bool = False
    with_total: bool = False
    aggregations: tuple[Aggregation, ...] = ()
    groupings: Mapping[str, Grouping] = field(default_factory=dict)  # response key -> groups


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationPlan:
    """A relation of each of many items."""

    relation: Relation
    items: "ItemPlan"
    selected: Selected | None = None  # of a relation to many


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlan:
    """What is wanted of items of one resource."""

    resource: Resource
    attributes: frozenset[str] | None = None  # None: all of them, which etags are made of
    relations: Mapping[str, RelationPlan] = field(default_factory=dict)  # response key -> relation

    def names(self, *needed: str) -> tuple[str, ...]:
        """List the attributes to be read, in the catalog's order: with the key, and what relations start from."""
        if self.attributes is None:
            return tuple(self.resource.attributes)
        wanted = {*self.attributes, *self.resource.key, *needed}
        for plan in self.relations.values():
            wanted.update(plan.relation.here)
        every = tuple(self.resource.attributes)
        return tuple(name for name in every if name in wanted) or every[:1]


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

    selected: Selected
    items: ItemPlan


RootRead = ItemRead | NodeRead | CollectionRead
ReadPlan = Mapping[str, RootRead]  # response key -> what to read
