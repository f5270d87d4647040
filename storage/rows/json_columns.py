"""Reads statements column by column. If JSON can represent what the driver reads, it is read as one row of JSON arrays.

Each row returned by the driver costs as much time as ten values in an array that msgspec decodes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Protocol

import msgspec

from storage.allowance import VALUE
from storage.catalog.model import Resource
from storage.catalog.types import ValueType
from storage.connections.transaction import Transaction
from storage.sql import Sort, Statement, Statements

Decoder = msgspec.json.Decoder[list[Any]]

_FEWEST = 16  # rows that may be returned: fewer are read faster as ordinary rows


class Write(Protocol):
    """A function that builds a statement that returns rows or, with `as_json_columns`, one row of JSON arrays."""

    def __call__(self, *, as_json_columns: bool) -> Statement:
        """Build the statement."""


@dataclass(frozen=True, slots=True)
class RawColumns:
    """Values as the driver has read them: for each expression of a statement, its value in each row."""

    columns: Sequence[Sequence[Any]]
    typed: bool = False  # True if they were decoded from JSON, so that each value has the expected type

    def __len__(self) -> int:
        return len(self.columns[0])

    def pick(self, places: Sequence[int]) -> "RawColumns":
        """Return the rows at these indexes, in this order."""
        return RawColumns([list(map(column.__getitem__, places)) for column in self.columns], self.typed)

    def first(self, count: int) -> "RawColumns":
        """Return the first `count` rows."""
        return self if len(self) <= count else RawColumns([column[:count] for column in self.columns], self.typed)

    def reversed(self) -> "RawColumns":
        """Return the rows in reverse order."""
        return RawColumns([column[::-1] for column in self.columns], self.typed)

    def behind(self, start: int) -> Sequence[tuple[Any, ...]]:
        """Return, for each row, the values of the expressions from index `start` on."""
        return list(zip(*self.columns[start:], strict=True))


def raw_columns(raws: Sequence[Sequence[Any]], width: int) -> RawColumns:
    """Convert rows to columns; without rows, return `width` empty columns."""
    return RawColumns(list(zip(*raws, strict=True)) if raws else [()] * width)


def together(parts: Sequence[RawColumns]) -> RawColumns:
    """Concatenate the rows that several statements have read."""
    if len(parts) == 1:
        return parts[0]
    columns = [list(chain.from_iterable(each)) for each in zip(*(part.columns for part in parts), strict=True)]
    return RawColumns(columns, all(part.typed for part in parts))


def read_columns(transaction: Transaction, write: Write, decoders: Sequence[Decoder | None], most: int) -> RawColumns:
    """Read at most `most` rows of a statement.

    Each expression of the statement has a decoder, or None if JSON cannot represent its values.
    """
    usable = [decoder for decoder in decoders if decoder is not None]
    if most >= _FEWEST and len(usable) == len(decoders):
        found = _read_json_columns(transaction, write(as_json_columns=True), usable)
        if found is not None:
            return found
    statement = write(as_json_columns=False)
    raws = transaction.read(statement, shown=True, many=most >= _FEWEST).rows
    return raw_columns(raws, len(decoders))


def decoders_of(
    statements: Statements, resource: Resource, names: Sequence[str], positions: Sequence[Sort] = ()
) -> list[Decoder | None]:
    """Return decoders for JSON arrays of attributes and of the values that rows are ordered by.

    An element is None if JSON cannot represent its values.
    """
    ends = [(sort.path[-1][1] if sort.path else resource, sort) for sort in positions]
    read = [(resource, resource.attributes[name], statements.packed_type, False) for name in names]
    read += [(own, own.attributes[s.attribute], statements.packed_position_type, bool(s.path)) for own, s in ends]
    return [
        _decoder(packed_type, statements.stored_type(attribute), attribute.nullable or is_optional)
        if statements.may_be_json_column(own, attribute)
        else None
        for own, attribute, packed_type, is_optional in read
    ]


@cache  # once for each kind of value: building its type takes longer than decoding a page of it
def _decoder(packed_type: Callable[[ValueType], Any], type_: ValueType, nullable: bool) -> Decoder | None:  # noqa: FBT001
    packed = packed_type(type_)
    if packed is None:
        return None
    return msgspec.json.Decoder(list.__class_getitem__(packed | None if nullable else packed))


def _read_json_columns(
    transaction: Transaction, statement: Statement, decoders: Sequence[Decoder]
) -> RawColumns | None:
    """Read a statement of JSON columns; return None if a value does not have its column's type."""
    texts = transaction.read_json(statement, arrays=len(decoders))
    if texts is None:
        return None
    if len(texts) > len(decoders):
        *texts, is_as_at_start = texts
        if not is_as_at_start:
            return None
    try:
        columns = [decoder.decode(text) if text else () for decoder, text in zip(decoders, texts, strict=True)]
    except (msgspec.DecodeError, ValueError):  # another type; text that is not UTF-8
        return None
    transaction.allowance.count_shown(VALUE * len(columns) * len(columns[0]))
    return RawColumns(columns, typed=True)
