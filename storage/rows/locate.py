"""Addresses of items and collections, and their resolution. Each step leads from an item to one of its collections."""

from collections.abc import Mapping
from dataclasses import dataclass

from storage.catalog.model import Relation, Resource, Values
from storage.rows.row import Finder, KeyTuple, Lock, Row
from storage.sql import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ByKey:
    """The item whose key, or unique key, has these values."""

    attributes: tuple[str, ...]
    values: KeyTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPart:
    """The item of an earlier part."""

    part: int  # its index in the request


Selector = ByKey | ByPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One collection of a path, and the item in it; without a selector, the collection itself (the last step only)."""

    resource: Resource
    relation: Relation | None  # from the item of the previous step; None at the root
    selector: Selector | None


Address = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The items of a collection that a GET requests."""

    filters: Values
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """The reason why an item was not found: no row has the key, or the row that has it belongs to another parent."""

    step: Step
    key: ByKey
    parent: Row | None = None  # the parent of the searched collection
    row_of_other_parent: Row | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The result of resolving an address."""

    parent: Row | None = None  # the item that the last step's collection belongs to
    key: ByKey | None = None  # the key selected by the last step; None for a collection
    row: Row | None = None
    absence: Absence | None = None  # of the item, or of an earlier one in the path
    parent_absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """An address that contains the item of a part without an item, because that part failed."""

    part: int


def locate(rows: Finder, address: Address, items: Mapping[int, Row], lock: Lock = Lock.NONE) -> Location | Unresolved:
    """Resolve an address, and lock the item at its end. A child is only found below its own parent."""
    parent: Row | None = None
    for step in address[:-1]:
        found = _find(rows, step, parent, items, Lock.NONE)
        if isinstance(found, Unresolved):
            return found
        if found.row is None:
            return Location(absence=found.absence, parent_absent=True)
        parent = found.row
    if address[-1].selector is None:
        return Location(parent=parent)
    return _find(rows, address[-1], parent, items, lock)


def _find(rows: Finder, step: Step, parent: Row | None, items: Mapping[int, Row], lock: Lock) -> Location | Unresolved:
    match step.selector:
        case ByPart(part=part):
            if part not in items:
                return Unresolved(part=part)
            key = ByKey(attributes=step.resource.key, values=items[part].key)
        case ByKey() as key:
            pass
        case None:  # only the last step is a collection
            raise AssertionError(step)
    row = rows.by_values(step.resource, key.attributes, key.values, lock)
    if (
        row is not None
        and step.relation is not None
        and parent is not None
        and not rows.is_child(row, step.relation, parent)
    ):
        return Location(
            parent=parent, key=key, absence=Absence(step=step, key=key, parent=parent, row_of_other_parent=row)
        )
    if row is None:
        return Location(parent=parent, key=key, absence=Absence(step=step, key=key, parent=parent))
    return Location(parent=parent, key=key, row=row)


def place_values(address: Address, location: Location) -> Values:
    """Return the values that an item has because of its path, if they are known: its parent's key, and its own."""
    values = dict(parent_values(address, location.parent))
    step, relation = address[-1], address[-1].relation
    above = address[-2].selector if len(address) > 1 else None
    if location.parent is None and relation is not None and isinstance(above, ByKey):
        named = dict(zip(above.attributes, above.values, strict=True))
        values |= {
            there: named[here] for here, there in zip(relation.here, relation.there, strict=True) if here in named
        }
    key = location.key or (step.selector if isinstance(step.selector, ByKey) else None)
    return values if key is None else {**values, **dict(zip(key.attributes, key.values, strict=True))}


def parent_values(address: Address, parent: Row | None) -> Values:
    """Return the foreign key values that a child has because of its parent."""
    relation = address[-1].relation
    if relation is None or parent is None:
        return {}
    return dict(zip(relation.there, parent.of(relation.here), strict=True))


def placed_below(address: Address, location: Location) -> Values:
    """Return the foreign key values of an item below its parent.

    An existing item keeps its own values, which may differ from the parent's if a collation treats them as equal.
    """
    values, row = parent_values(address, location.parent), location.row
    return values if row is None else {name: row.values[name] for name in values}
