"""Rows that a batch locks and reads before it runs, always in one order, so that no two batches deadlock.

Resources are in the catalog's order, and rows in the order of their keys. The strengths are those of
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS: plain FOR UPDATE would deadlock with the
share locks of foreign keys. On SQLite the transaction itself is the lock.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from storage.batch.plan.blocks import Block
from storage.batch.plan.operations import InvalidPart, Operation, Part, Verb
from storage.catalog.model import Catalog, Resource
from storage.catalog.types import Approximate, Array, JsonDocument, Opaque, Value
from storage.connections.driver_errors import Retry
from storage.rows.locate import ByKey, Location, place_values
from storage.rows.row import KeyTuple, Row, RowColumns
from storage.rows.writer import Rows
from storage.sql import PostgresqlStatements

_NOT_SOUGHT = (Opaque, Array, JsonDocument)  # types whose values the database may refuse to search for
_MOST_LOOKS = 10  # reads: a policy may show rows that we may not lock, and those stay unlocked


class Strength(IntEnum):
    """The strength of a row lock."""

    KEY_SHARE = 1  # the row and its keys stay
    SHARE = 2  # the row stays unchanged
    NO_KEY_UPDATE = 3  # we may update the row
    UPDATE = 4  # we may delete the row, or update its keys

    @property
    def clause(self) -> str:
        """The locking clause of PostgreSQL."""
        return "FOR " + self.name.replace("_", " ")


S = TypeVar("S", bound=Sized)
Keys = Mapping[tuple[str, ...], Sequence[KeyTuple]]
"""For each key of a resource, the values to search for."""


@dataclass(slots=True)
class Wanted:
    """The rows of one resource that a batch addresses or refers to."""

    strength: Strength = Strength.KEY_SHARE
    addressed: dict[tuple[str, ...], set[KeyTuple]] = field(default_factory=dict)
    pointed_at: dict[tuple[str, ...], set[KeyTuple]] = field(default_factory=dict)  # by foreign keys: locked, not read

    @property
    def all_keys(self) -> Keys:
        """The keys of the rows to lock."""
        names = {**self.addressed, **self.pointed_at}
        return {n: _in_order(self.addressed.get(n, set()) | self.pointed_at.get(n, set())) for n in names}

    @property
    def read_keys(self) -> Keys:
        """The keys of the rows to read."""
        return {name: _in_order(values) for name, values in self.addressed.items()}


def _in_order(values: Collection[KeyTuple]) -> list[KeyTuple]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of one resource, as they are now, and the keys that were searched for; a missing row does not exist."""

    resource: Resource
    keys: Keys
    rows: Sequence[Row]


def lock_rows(rows: Rows, catalog: Catalog, wanted: Mapping[str, Wanted]) -> Iterator[Loaded]:
    """Lock the rows of a batch, and yield the rows read with the locks. On SQLite there is nothing to lock."""
    if not isinstance(rows.statements, PostgresqlStatements) or rows.transaction.reads_only:
        return
    for name, resource in catalog.resources.items():
        if name in wanted and resource.lockable:
            keys = wanted[name].all_keys
            found = _lock(lambda lock: rows.load(resource, keys, lock), resource, keys, wanted[name].strength)  # noqa: B023  # called here
            yield Loaded(resource, keys, found)


def lock_columns(
    rows: Rows, resource: Resource, keys: Keys, strength: Strength, attributes: Sequence[str] | None
) -> RowColumns:
    """Lock rows of one resource in the order of their keys, and read some of their attributes, or all if None."""
    return _lock(lambda lock: rows.locked_columns(resource, keys, attributes, lock), resource, keys, strength)


def _lock(load: Callable[[str], S], resource: Resource, keys: Keys, strength: Strength) -> S:
    """Read rows and lock them.

    Raises `Retry` if rows are repeatedly visible but cannot be locked, and no policy is the reason.
    """
    every = sum(len(values) for values in keys.values())
    # A locking SELECT misses a row that another transaction deletes and inserts again while we wait for it. A plain
    # SELECT never does: it sees the one row or the other. So rows are absent only if a plain SELECT misses them, too.
    for _ in range(_MOST_LOOKS):
        locked = load(strength.clause)
        if len(locked) >= every:
            return locked
        seen = load("")
        if len(locked) >= len(seen):
            return locked
    if not resource.has_policies:
        raise Retry
    return seen


def load_rows(rows: Rows, catalog: Catalog, wanted: Mapping[str, Wanted]) -> Iterator[Loaded]:
    """Read and yield the addressed rows, which were not read with the locks; skip resources that cannot be batched."""
    for name, entry in wanted.items():
        resource = catalog.resources[name]
        if entry.addressed and not resource.unbatchable_reasons:
            keys = entry.read_keys
            yield Loaded(resource, keys, rows.load(resource, keys))


def wanted_rows(catalog: Catalog, parts: Iterable[Part]) -> dict[str, Wanted]:
    """Return the rows that parts address or refer to, as far as the parts alone show, by the name of the resource."""
    wanted: dict[str, Wanted] = {}
    for part in parts:
        operation = part.operation if isinstance(part, InvalidPart) else part
        if operation is not None:
            _add_path(wanted, operation)
            _add_contents(wanted, catalog, operation)
    return wanted


def wanted_by_blocks(catalog: Catalog, blocks: Iterable[Block]) -> dict[str, Wanted]:
    """Return the rows that blocks address or refer to, by the name of the resource."""
    wanted: dict[str, Wanted] = {}
    for block in blocks:
        resource = block.resource
        entry = wanted.setdefault(resource.name, Wanted())
        entry.strength = max(entry.strength, strength_of(block.verb, resource, block.columns))
        if block.keys:
            entry.addressed.setdefault(resource.key, set()).update(block.keys)
        for foreign_key in resource.foreign_keys:
            if values := given_tuples(block, foreign_key.attributes):
                target = wanted.setdefault(catalog.target_of(foreign_key).name, Wanted())
                target.pointed_at.setdefault(foreign_key.target_attributes, set()).update(values)
    return wanted


def given_tuples(block: Block, names: Sequence[str]) -> set[KeyTuple]:
    """Return the values that the parts of a block give to some attributes, if they give all of them, without nulls."""
    if not names or any(name not in block.columns or not is_sought(block.resource, name) for name in names):
        return set()
    given = [block.columns[name] for name in names]
    columns: Sequence[Iterable[Value]] = [set(given[0])] if len(given) == 1 else given
    return {each for each in zip(*columns, strict=True) if None not in each}


def _add_path(wanted: dict[str, Wanted], operation: Operation) -> None:
    last = len(operation.address) - 1
    for place, step in enumerate(operation.address):
        if isinstance(step.selector, ByKey):
            own = strength_of(operation.verb, operation.resource, operation.given_attributes)
            strength = own if place == last else Strength.SHARE if place else Strength.KEY_SHARE
            _add(wanted, step.resource, step.selector.attributes, step.selector.values, strength)


def _add_contents(wanted: dict[str, Wanted], catalog: Catalog, operation: Operation) -> None:
    resource, values = operation.resource, {**operation.values, **place_values(operation.address, Location())}
    if operation.verb is Verb.UPSERT:
        strength = strength_of(operation.verb, resource, operation.given_attributes)
        for key in resource.keys:
            if all(name in values for name in key):
                _add(wanted, resource, key, tuple(values[name] for name in key), strength)
    for foreign_key in resource.foreign_keys:
        if all(name in values for name in foreign_key.attributes):
            there = tuple(values[name] for name in foreign_key.attributes)
            target = catalog.target_of(foreign_key)
            _add(wanted, target, foreign_key.target_attributes, there, Strength.KEY_SHARE, pointed_at=True)


def _add(
    wanted: dict[str, Wanted],
    resource: Resource,
    attributes: tuple[str, ...],
    values: KeyTuple,
    strength: Strength,
    *,
    pointed_at: bool = False,
) -> None:
    if resource.untyped and Approximate in map(type, values):  # the search may find a row with another value
        return
    if attributes and None not in values and all(is_sought(resource, name) for name in attributes):
        entry = wanted.setdefault(resource.name, Wanted())
        entry.strength = max(entry.strength, strength)
        keys = entry.pointed_at if pointed_at else entry.addressed
        keys.setdefault(attributes, set()).add(values)


def is_sought(resource: Resource, name: str) -> bool:
    """Return True if the database can search for rows by an attribute."""
    return not isinstance(resource.attributes[name].type, _NOT_SOUGHT)


def strength_of(verb: Verb, resource: Resource, given: Collection[str]) -> Strength:
    """Return the strength of the lock on a part's item; `given` are the attributes that the part sets."""
    match verb:
        case Verb.GET:
            return Strength.SHARE
        case Verb.CREATE:
            return Strength.KEY_SHARE
        case Verb.DELETE:
            return Strength.UPDATE
        case Verb.UPDATE | Verb.REPLACE | Verb.UPSERT:
            unique = {name for key in resource.unique_keys for name in key.attributes}
            changes_keys = verb is Verb.REPLACE or not unique.isdisjoint(given)
            return Strength.UPDATE if unique and changes_keys else Strength.NO_KEY_UPDATE
