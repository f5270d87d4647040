"""Independence of the parts of blocks: no part reads or writes what another part of the batch writes. Pure; no database.

If parts interfere, their order matters, and bulk execution does not apply (docs/engine.md, section 3). What the blocks
alone do not show (released unique values, generated keys) is recorded as rows that must be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.batch.plan.blocks import Block
from storage.batch.plan.locks import given_tuples
from storage.batch.plan.operations import Verb
from storage.catalog.model import Catalog, ForeignKey
from storage.rows.row import KeyTuple


@dataclass(slots=True)
class Reads:
    """What must be read of the rows of one resource."""

    attributes: set[str] = field(default_factory=set)  # to be read of the addressed rows, besides the key
    all_attributes: bool = False  # are to be read: the etag is computed from them
    # Unique keys of which some parts release values and others take some; and those whose values are taken first.
    unique: set[tuple[str, ...]] = field(default_factory=set)
    left_to_database: set[tuple[str, ...]] = field(default_factory=set)

    def must_read(self, unique: tuple[str, ...]) -> None:
        """Record that the values of a unique key must be read."""
        self.unique.add(unique)
        self.attributes.update(unique)


class Independence:
    """The check for independence of the parts of one batch."""

    def __init__(self, catalog: Catalog, blocks: Sequence[Block]) -> None:
        self.reads: dict[str, Reads] = {}  # of the resources of blocks
        # Referenced keys of resources with new items; and the keys of items that are updated before any is created.
        self.pointed_at: list[tuple[str, set[KeyTuple]]] = []
        self.left_to_database: list[tuple[str, set[KeyTuple]]] = []
        self._catalog = catalog
        self._blocks = blocks
        self._addressed: dict[str, list[KeyTuple]] = {}

    def interferes(self) -> bool:
        """Return True if the blocks alone show that parts interfere; record what must be read to find out the rest."""
        for block in self._blocks:
            self.reads.setdefault(block.resource.name, Reads())
            addressed = self._addressed.setdefault(block.resource.name, [])
            addressed += block.keys
            if block.keys and self._creates(block.resource.name):  # a client may guess a generated key
                recorded = self.left_to_database if block.verb is Verb.UPDATE else self.pointed_at
                recorded.append((block.resource.name, set(block.keys)))
        return (
            any(len(set(keys)) < len(keys) for keys in self._addressed.values())
            or any(self._interferes(block) for block in self._blocks)
            or any(self._mixes_keys(name) for name in self.reads)
        )

    def _creates(self, name: str) -> bool:
        """Return True if the batch creates items of a resource."""
        return any(block.verb is Verb.CREATE and block.resource.name == name for block in self._blocks)

    def _mixes_keys(self, name: str) -> bool:
        """Return True if some parts give keys of new items, and others need generated keys or address such items."""
        made = [block for block in self._blocks if block.resource.name == name and block.verb is Verb.CREATE]
        given = [block for block in made if not set(block.columns).isdisjoint(block.resource.key)]
        if not given:
            return False
        keys = [key for block in given for key in zip(*(block.columns[n] for n in block.resource.key), strict=True)]
        addressed = self._addressed[name]
        return len(given) < len(made) or len({*keys, *addressed}) < len(keys) + len(addressed)

    def _interferes(self, block: Block) -> bool:
        resource = block.resource
        if block.verb is Verb.DELETE and resource.delete_cascades:
            return True
        if block.verb is Verb.UPDATE and not resource.cascading_attributes.isdisjoint(block.columns):
            return True
        return any(self._points_at_change(block, key) for key in resource.foreign_keys) or any(
            self._is_unclear(block, unique.attributes) for unique in resource.unique_keys
        )

    def _points_at_change(self, block: Block, key: ForeignKey) -> bool:
        """Return True if a block's rows may refer to a row that another part creates, deletes, or gives another key."""
        given = [block.columns[name] for name in key.attributes if name in block.columns]
        if block.verb is not Verb.DELETE and not given and not self._has_default(block, key.attributes):
            return False
        target = self._catalog.target_of(key)
        others = [other for other in self._blocks if other.resource is target]
        if any(
            other.verb is Verb.DELETE
            or (other.verb is Verb.UPDATE and not set(key.target_attributes).isdisjoint(other.columns))
            for other in others
        ):
            return True
        if len(given) < len(key.attributes):
            return block.verb is not Verb.DELETE and bool(others)
        if any(other.verb is Verb.CREATE for other in others) and (values := given_tuples(block, key.attributes)):
            if key.target_attributes != target.key:
                return True
            self.pointed_at.append((target.name, values))
        return False

    def _has_default(self, block: Block, attributes: Sequence[str]) -> bool:
        if block.verb is not Verb.CREATE:
            return False
        return not block.resource.generated_without(block.columns).isdisjoint(attributes)

    def _is_unclear(self, block: Block, unique: tuple[str, ...]) -> bool:
        """Return True if the unique values written by a block are not known before it runs.

        Record what must be read to find out.
        """
        given = [name for name in unique if name in block.columns]
        reads = self.reads[block.resource.name]
        match block.verb:
            case Verb.CREATE:
                return self._has_default(block, unique)
            case Verb.UPDATE if not given:
                return False
            case Verb.UPDATE if len(given) != len(unique):
                return True
            case _:
                takers = {
                    other.verb
                    for other in self._blocks
                    if other.resource is block.resource and not set(unique).isdisjoint(other.columns)
                }
                if Verb.UPDATE in takers:
                    reads.must_read(unique)
                elif takers:
                    reads.left_to_database.add(unique)
                return False
