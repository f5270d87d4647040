"""Prediction of the rows that a batch will lock, and of batches that would wait for each other. Pure; no database.

Used only while a batch waits for a lock: batches that would wait behind it do not need a connection for that.
"""

from collections.abc import Iterator, Mapping, Sequence

from storage.batch.idempotency.receipts import Receipt
from storage.batch.plan.blocks import Batch, Block
from storage.batch.plan.locks import Strength, Wanted, given_tuples, is_sought, wanted_by_blocks, wanted_rows
from storage.batch.plan.operations import Operation, Part
from storage.catalog.model import Catalog, Resource
from storage.catalog.types import Value
from storage.rows.key_refs import KeyRef, key_ref
from storage.rows.locate import Location, place_values

_MOST_PARTS = 50  # of a batch that is compared, because the comparison runs in the event loop

RowLocks = Mapping[KeyRef, Strength]
"""The rows that a batch locks: those that have the values of a key, or will have them."""


def row_locks(catalog: Catalog, batch: Batch, receipt: Receipt | None) -> RowLocks:
    """Return the rows that a batch will lock, as far as its parts show; none for a very large batch."""
    if batch.size > _MOST_PARTS:
        return {}
    found = dict(_of_blocks(catalog, batch.blocks) if batch.blocks else _of_parts(catalog, batch.bind_all()))
    if receipt is not None:
        found[KeyRef("", ("caller", "key"), (receipt.caller, receipt.key))] = Strength.UPDATE
    return found


def _of_blocks(catalog: Catalog, blocks: Sequence[Block]) -> Iterator[tuple[KeyRef, Strength]]:
    for block in blocks:
        for key in block.resource.keys:
            for values in given_tuples(block, key):
                yield KeyRef(block.resource.name, key, values), Strength.UPDATE
    yield from _of_wanted(catalog, wanted_by_blocks(catalog, blocks))


def _of_parts(catalog: Catalog, parts: Sequence[Part]) -> Iterator[tuple[KeyRef, Strength]]:
    for part in parts:
        if isinstance(part, Operation):
            values = {**part.values, **place_values(part.address, Location())}
            yield from _taken(part.resource, values)
    yield from _of_wanted(catalog, wanted_rows(catalog, parts))


def _of_wanted(catalog: Catalog, wanted: Mapping[str, Wanted]) -> Iterator[tuple[KeyRef, Strength]]:
    for name, entry in wanted.items():
        for keys in (entry.pointed_at, entry.addressed):
            for attributes, rows in keys.items():
                for row in rows:
                    if lock := key_ref(catalog.resources[name], attributes, row):
                        yield lock, entry.strength


def _taken(resource: Resource, values: Mapping[str, Value]) -> Iterator[tuple[KeyRef, Strength]]:
    """Yield the unique values that an item gets: another transaction that inserts the same values waits."""
    for key in resource.keys:
        if key and all(name in values and is_sought(resource, name) for name in key):
            row = tuple(values[name] for name in key)
            if None not in row:
                yield KeyRef(resource.name, key, row), Strength.UPDATE


def would_wait(own: RowLocks, others: RowLocks) -> bool:
    """Return True if one of two sets of locks blocks the other.

    This is the table of https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS, with the strengths
    numbered from 1.
    """
    return any(lock in others and strength + others[lock] > Strength.UPDATE for lock, strength in own.items())
