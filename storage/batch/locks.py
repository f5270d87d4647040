"""Which rows a batch locks before it runs, on PostgreSQL: always in one order, so that no two batches deadlock.

Resources in the catalog's order, rows in the order of their keys. The strengths are those of
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS: plain FOR UPDATE would deadlock with the
share locks of foreign keys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from storage.addresses import ByKey, Location, place_values
from storage.batch.operations import Operation, Part, SetAside, Verb
from storage.catalog.model import Catalog, Resource
from storage.catalog.types import Array, JsonDocument, Opaque
from storage.rows import KeyTuple, Rows
from storage.statements import PostgresqlStatements

_NOT_SOUGHT = (Opaque, Array, JsonDocument)  # types whose values the database may refuse to look for
_MOST_LOOKS = 10  # a policy may show rows that it does not let us lock: those stay unlocked


class Strength(IntEnum):
    """How strongly a row is locked."""

    KEY_SHARE = 1  # it stays, with its key
    SHARE = 2  # it stays as it is
    NO_KEY_UPDATE = 3  # it may change
    UPDATE = 4  # it may go, or change its keys

    @property
    def clause(self) -> str:
        """How PostgreSQL writes it."""
        return "FOR " + self.name.replace("_", " ")


@dataclass(slots=True)
class _Wanted:
    """The rows of one resource to lock: by each of its keys, the values."""

    strength: Strength = Strength.KEY_SHARE
    keys: dict[tuple[str, ...], set[KeyTuple]] = field(default_factory=dict)


def lock_rows(rows: Rows, catalog: Catalog, parts: Sequence[Part]) -> None:
    """Lock what the parts address. On SQLite the transaction itself is the lock."""
    if not isinstance(rows.statements, PostgresqlStatements):
        return
    wanted = _wanted(catalog, parts)
    for name, resource in catalog.resources.items():
        if name in wanted and resource.writable:
            _lock(rows, rows.statements, resource, wanted[name])


def _lock(rows: Rows, statements: PostgresqlStatements, resource: Resource, wanted: _Wanted) -> None:
    keys = [(attributes, sorted(values, key=repr)) for attributes, values in wanted.keys.items()]
    locking = statements.lock(resource, keys, wanted.strength.clause)
    looking = statements.lock(resource, keys, "")
    every = sum(len(values) for _, values in keys)
    # A locking SELECT misses a row that another transaction deletes and inserts again while we wait for it. A plain
    # one never does: it sees the one row or the other. So rows are absent only if that does not see them either.
    for _ in range(_MOST_LOOKS):
        locked = len(rows.transaction.execute(locking.sql, locking.params).rows)
        if locked >= every or locked >= len(rows.transaction.execute(looking.sql, looking.params).rows):
            return


def _wanted(catalog: Catalog, parts: Iterable[Part]) -> dict[str, _Wanted]:
    wanted: dict[str, _Wanted] = {}

    def want(resource: Resource, attributes: tuple[str, ...], values: KeyTuple, strength: Strength) -> None:
        types = [resource.attributes[name].type for name in attributes]
        if attributes and None not in values and not any(isinstance(type_, _NOT_SOUGHT) for type_ in types):
            entry = wanted.setdefault(resource.name, _Wanted())
            entry.strength = max(entry.strength, strength)
            entry.keys.setdefault(attributes, set()).add(values)

    for part in parts:
        operation = part.operation if isinstance(part, SetAside) else part
        if operation is None:
            continue
        for place, step in enumerate(operation.address):
            if isinstance(step.selector, ByKey):
                is_last = place == len(operation.address) - 1
                strength = _strength(operation) if is_last else Strength.SHARE if place else Strength.KEY_SHARE
                want(step.resource, step.selector.attributes, step.selector.values, strength)
        resource, values = operation.resource, {**operation.values, **place_values(operation.address, Location())}
        if operation.verb is Verb.UPSERT:
            for key in resource.keys:
                if all(name in values for name in key):
                    want(resource, key, tuple(values[name] for name in key), _strength(operation))
        for foreign_key in resource.foreign_keys:
            if all(name in values for name in foreign_key.attributes):
                target = tuple(values[name] for name in foreign_key.attributes)
                want(catalog.target_of(foreign_key), foreign_key.target_attributes, target, Strength.KEY_SHARE)
    return wanted


def _strength(operation: Operation) -> Strength:
    match operation.verb:
        case Verb.GET:
            return Strength.SHARE
        case Verb.CREATE:
            return Strength.KEY_SHARE
        case Verb.DELETE:
            return Strength.UPDATE
        case Verb.UPDATE | Verb.REPLACE | Verb.UPSERT:
            unique = {name for key in operation.resource.unique_keys for name in key.attributes}
            changes_keys = operation.verb is Verb.REPLACE or bool(unique & set(operation.values))
            return Strength.UPDATE if unique and changes_keys else Strength.NO_KEY_UPDATE
