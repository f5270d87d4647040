"""Alike parts as columns: the form in which a large batch of plain parts travels, a list of values for each attribute.

A thousand parts of one shape are one block. What a batch of blocks means is what its parts mean: they can be had one by
one, too, and every other way of running takes them so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from storage.batch.operations import Part, Verb
from storage.catalog.model import Resource
from storage.catalog.types import Value
from storage.row import KeyTuple


class Shown(IntEnum):
    """What an answer shows of the rows that parts leave."""

    NOTHING = 0
    KEYS = 1  # their paths
    ROWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Parts with the same verb on the same resource, that give the same attributes."""

    verb: Verb  # CREATE at the collection; UPDATE or DELETE of an item by its key
    resource: Resource
    parts: Sequence[int]  # their indexes in the request, ascending
    columns: Mapping[str, Sequence[Value]]  # attribute -> a value for each part
    keys: Sequence[KeyTuple] = ()  # of the items that are addressed; none of a CREATE
    if_match: Sequence[Sequence[str] | None] | None = None  # for each part its etags; None where no part has any

    def only(self, places: Sequence[int]) -> "Block":
        """Take some of the parts, by their places in the block."""
        return Block(
            verb=self.verb,
            resource=self.resource,
            parts=[self.parts[place] for place in places],
            columns={name: [column[place] for place in places] for name, column in self.columns.items()},
            keys=[self.keys[place] for place in places] if self.keys else (),
            if_match=None if self.if_match is None else [self.if_match[place] for place in places],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is to be run: the parts, and (where all of them are plain) the same as blocks."""

    size: int
    parts: Callable[[], Sequence[Part]]
    blocks: Sequence[Block] = ()
    some: Callable[[Sequence[int]], Sequence[Part]] | None = (
        None  # with blocks: some of the parts alone, by their indexes
    )
    shown: Shown = Shown.ROWS
