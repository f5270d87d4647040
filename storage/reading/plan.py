"""Read plans, as plain data: a tree of items and their relations, each under its response key."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.catalog.aggregation import Aggregation
from storage.catalog.model import Relation, Resource
from storage.rows.locate import Address
from storage.rows.row import KeyTuple
from storage.sql import All, AnyOf, Compare, Condition, Grouping, HasRelated, IsTrue, Not, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The selection of a collection: its items, and the requested parts of their page."""

    window: Window
    condition: Condition = field(default_factory=All)
    with_items: bool = True
    with_cursors: bool = False
    with_total: bool = False
    aggregations: tuple[Aggregation, ...] = ()
    groupings: Mapping[str, Grouping] = field(default_factory=dict)  # response key -> groups


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationPlan:
    """A relation to read for each of many items."""

    relation: Relation
    items: "ItemPlan"
    selected: Selected | None = None  # of a relation to many


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlan:
    """The attributes and relations to read of the items of one resource."""

    resource: Resource
    attributes: frozenset[str] | None = None  # None: all of them, because etags are computed from all
    relations: Mapping[str, RelationPlan] = field(default_factory=dict)  # response key -> relation
    times: int = 1  # maximum number of times that the response contains a value of an item, because of aliases

    def names(self, *needed: str) -> tuple[str, ...]:
        """Return the attributes to read, in the catalog's order, with the key and source attributes of relations."""
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


def resources_of(read: RootRead) -> list[Resource]:
    """Return the resources that a root field reads: its own, then those of relations, conditions, orders and paths."""
    found: dict[str, Resource] = {}
    _add_items(found, read.items)
    match read:
        case CollectionRead(selected=selected):
            _add_selected(found, selected)
        case NodeRead(address=address):
            found |= {step.resource.name: step.resource for step in address}
        case ItemRead():
            pass
    return [*found.values()]


def _add_items(found: dict[str, Resource], items: ItemPlan) -> None:
    found.setdefault(items.resource.name, items.resource)
    for relation in items.relations.values():
        _add_items(found, relation.items)
        if relation.selected is not None:
            _add_selected(found, relation.selected)


def _add_selected(found: dict[str, Resource], selected: Selected) -> None:
    _add_condition(found, selected.condition)
    for sort in selected.window.sorts:
        found |= {target.name: target for _, target in sort.path}


def _add_condition(found: dict[str, Resource], condition: Condition) -> None:
    match condition:
        case HasRelated(target=target, condition=inner):
            found.setdefault(target.name, target)
            _add_condition(found, inner)
        case Not(condition=inner) | IsTrue(condition=inner):
            _add_condition(found, inner)
        case All(conditions=every) | AnyOf(conditions=every):
            for each in every:
                _add_condition(found, each)
        case Compare():
            pass
