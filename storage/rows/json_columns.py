"""Reads statements column by column: where JSON holds what the driver reads, as one row of arrays.

A row that the driver hands over costs as much time as ten values in an array that msgspec decodes.
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

_FEWEST = 16  # rows that may come: fewer are read faster as they are


class Write(Protocol):
    """Writes a statement: one that gives rows, or (`as_json_columns`) one row of JSON arrays."""

    def __call__(self, *, as_json_columns: bool) -> Statement:
        """Write it."""


@dataclass(frozen=True, slots=True)
class RawColumns:
    """What the driver has read, for each expression of a statement what it is in each row."""

    columns: Sequence[Sequence[Any]]
    typed: bool = False  # whether they come from JSON, each value of the type that was expected

    def __len__(self) -> int:
        return len(self.columns[0])

    def pick(self, places: Sequence[int]) -> "RawColumns":
        """Take some rows, in this order."""
        return RawColumns([list(map(column.__getitem__, places)) for column in self.columns], self.typed)

    def first(self, count: int) -> "RawColumns":
        """Take the first rows."""
        return self if len(self) <= count else RawColumns([column[:count] for column in self.columns], self.typed)

    def reversed(self) -> "RawColumns":
        """Take the rows from the last to the first."""
        return RawColumns([column[::-1] for column in self.columns], self.typed)

    def behind(self, start: int) -> Sequence[tuple[Any, ...]]:
        """Put together, for each row, what stands from one expression on."""
        return list(zip(*self.columns[start:], strict=True))


def raw_columns(raws: Sequence[Sequence[Any]], width: int) -> RawColumns:
    """Turn rows into columns."""
    return RawColumns(list(zip(*raws, strict=True)) if raws else [()] * width)


def together(parts: Sequence[RawColumns]) -> RawColumns:
    """Put what several statements have read one behind the other."""
    if len(parts) == 1:
        return parts[0]
    columns = [list(chain.from_iterable(each)) for each in zip(*(part.columns for part in parts), strict=True)]
    return RawColumns(columns, all(part.typed for part in parts))


def read_columns(transaction: Transaction, write: Write, decoders: Sequence[Decoder | None], most: int) -> RawColumns:
    """Read what a statement gives, at most so many rows; each of its expressions has a decoder, but for what JSON cannot hold."""
    usable = [decoder for decoder in decoders if decoder is not None]
    if most >= _FEWEST and len(usable) == len(decoders):
        found = _read_json_columns(transaction, write(as_json_columns=True), usable)
        if found is not None:
            return found
    statement = write(as_json_columns=False)
    raws = transaction.read(statement.sql, statement.params, shown=True, many=most >= _FEWEST).rows
    return raw_columns(raws, len(decoders))


def decoders_of(
    statements: Statements, resource: Resource, names: Sequence[str], positions: Sequence[Sort] = ()
) -> list[Decoder | None]:
    """Find what decodes JSON arrays of attributes, and of what rows are ordered by; None of what JSON cannot hold."""
    ends = [(sort.path[-1][1] if sort.path else resource, sort) for sort in positions]
    read = [(resource, resource.attributes[name], statements.packed_type, False) for name in names]
    read += [(own, own.attributes[s.attribute], statements.packed_position_type, bool(s.path)) for own, s in ends]
    return [
        _decoder(packed_type, statements.stored_type(attribute), attribute.nullable or is_optional)
        if statements.may_be_json_column(own, attribute)
        else None
        for own, attribute, packed_type, is_optional in read
    ]


@cache  # each kind of value once: to name its type takes longer than to decode a page of it
def _decoder(packed_type: Callable[[ValueType], Any], type_: ValueType, nullable: bool) -> Decoder | None:  # noqa: FBT001
    packed = packed_type(type_)
    if packed is None:
        return None
    return msgspec.json.Decoder(list.__class_getitem__(packed | None if nullable else packed))


def _read_json_columns(
    transaction: Transaction, statement: Statement, decoders: Sequence[Decoder]
) -> RawColumns | None:
    """Read a statement of JSON columns; None if a value does not have its column's type."""
    texts = transaction.read_json(statement.sql, statement.params, arrays=len(decoders))
    if texts is None:
        return None
    if len(texts) > len(decoders):
        *texts, is_as_at_start = texts
        if not is_as_at_start:
            return None
    try:
        columns = [decoder.decode(text) if text else () for decoder, text in zip(decoders, texts, strict=True)]
    except (msgspec.DecodeError, ValueError):  # another type; a text that is no UTF-8
        return None
    transaction.allowance.show(VALUE * len(columns) * len(columns[0]))
    return RawColumns(columns, typed=True)
