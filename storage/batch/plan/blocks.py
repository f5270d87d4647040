"""Similar parts as columns: a large batch of plain parts is passed as a list of values for each attribute.

A thousand parts of one shape are one block. A batch of blocks means the same as its parts. The parts are also available
one by one, and every other execution strategy uses them in that form.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar, overload

from storage.batch.plan.operations import Done, Etags, Part, Verb
from storage.catalog.model import Resource
from storage.catalog.types import Value
from storage.rows.row import KeyTuple, Row, RowColumns

T = TypeVar("T")


class ResultDetail(IntEnum):
    """The detail in which a response shows the rows as parts leave them."""

    NOTHING = 0
    KEYS = 1  # their paths
    ROWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Parts with the same verb on the same resource that give the same attributes."""

    verb: Verb  # CREATE at the collection; UPDATE or DELETE of an item by its key
    resource: Resource
    parts: Sequence[int]  # their indexes in the request, ascending
    columns: Mapping[str, Sequence[Value]]  # attribute -> a value for each part
    keys: Sequence[KeyTuple] = ()  # of the addressed items; empty for a CREATE
    if_match: Sequence[Etags | None] | None = None  # for each part its etags; None if no part has any
    versions: Sequence[int] | None = None  # that the rows must have when they are written, as `if_match` requires

    def only(self, places: Sequence[int]) -> "Block":
        """Return a block of the parts at these indexes in the block."""
        pick = itemgetter(*places) if len(places) > 1 else lambda column: [column[place] for place in places]
        return Block(
            verb=self.verb,
            resource=self.resource,
            parts=pick(self.parts),
            columns={name: pick(column) for name, column in self.columns.items()},
            keys=pick(self.keys) if self.keys else (),
            if_match=None if self.if_match is None else pick(self.if_match),
            versions=None if self.versions is None else pick(self.versions),
        )

    @property
    def preconditions(self) -> Sequence[bool | None]:
        """The result of each part's precondition if all preconditions hold: True, or None for a part without one."""
        if self.if_match is None:
            return [None] * len(self.parts)
        return [None if each is None else True for each in self.if_match]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The parts to run; if all of them are of simple shapes, also as blocks."""

    size: int
    bind_all: Callable[[], Sequence[Part]]
    blocks: Sequence[Block] = ()
    bind_only: Callable[[Sequence[int]], Sequence[Part]] | None = None  # with blocks: the parts with these indexes
    shown: ResultDetail = ResultDetail.ROWS
    times: int = 1  # maximum number of times that the response contains the values of a row
    more_of_row: int = 0  # bytes added to the size of each row of a page, if the response may be completed row by row


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneBlock:
    """A block that ran."""

    block: Block
    status: int
    left: RowColumns | None  # its rows as it left them, or the keys of deleted rows; None if they are not requested

    def rows(self) -> Sequence[Row | None]:
        """Return the row of each part."""
        return [None] * len(self.block.parts) if self.left is None else self.left.rows()


class DoneBlocks(Sequence[Done]):
    """Outcomes of the parts of blocks, as columns. The outcomes of individual parts are created on request."""

    def __init__(self, blocks: Sequence[DoneBlock]) -> None:
        self.blocks = blocks
        self._count = sum(len(each.block.parts) for each in blocks)
        self._parts: Sequence[Done] = ()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Done: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Done]: ...
    def __getitem__(self, place: int | slice) -> Done | Sequence[Done]:
        return self._made()[place]

    def __iter__(self) -> Iterator[Done]:
        return iter(self._made())

    def column(self, read: Callable[[DoneBlock], Sequence[T]]) -> Sequence[T]:
        """Return what `read` returns for the blocks, concatenated and in the order of the parts."""
        if len(self.blocks) == 1:
            return read(self.blocks[0])
        every = list(chain.from_iterable(map(read, self.blocks)))
        return self._in_part_order(every)

    @cached_property
    def _in_part_order(self) -> Callable[[Sequence[Any]], Sequence[Any]]:
        """A function that reorders a list with an element for each part from block order to part order.

        Each part is in one block.
        """
        parts = list(chain.from_iterable(each.block.parts for each in self.blocks))
        return itemgetter(*sorted(range(self._count), key=parts.__getitem__))

    def _made(self) -> Sequence[Done]:
        if not self._parts:
            self._parts = self.column(_parts)
        return self._parts


def _parts(done: DoneBlock) -> Sequence[Done]:
    return [
        Done(index=part, status=done.status, row=row, precondition=precondition)
        for part, row, precondition in zip(done.block.parts, done.rows(), done.block.preconditions, strict=True)
    ]
