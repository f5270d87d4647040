"""Encoding of large responses as JSON in pieces, because a single call would block the event loop until it is done."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any

import msgspec

from storage.json_text import encode_json_bytes

LARGE = 256 << 10  # bytes as `storage.allowance` counts them: about 2 ms, so it is written in a thread
VERY_LARGE = 1 << 20  # bytes: about 8 ms, so it is written in pieces, between which other threads run
_PIECE = 256 << 10  # bytes
_FIRST = 1_024  # values that are written together at first; then as many as fill about one piece
_MOST = 16_384  # maximum number of values that are written together, or counted in one value


@dataclass(frozen=True, slots=True)
class Later:
    """A piece of a response that is created when it is written, so that not all pieces are in memory at once."""

    make: Callable[[], Any]


_SCALARS = frozenset({str, int, float, bool, NoneType})


def encode_in_pieces(answer: Any) -> list[bytes]:
    """Encode a response as pieces of JSON. Joined, they are equal to the result of `encode_json_bytes`."""
    return list(_joined(_Writing().pieces(answer)))


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces to larger ones."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


class _Writing:
    """The encoding of one response.

    A value that contains few values is encoded in one call. Of a larger object, one member is encoded after the other.
    Of a larger list, as many elements are encoded together as contain few values.
    """

    def __init__(self) -> None:
        self._most = _FIRST  # values that are written together

    def pieces(self, value: Any) -> Iterator[bytes]:
        """Yield the pieces of a value."""
        if isinstance(value, Later):
            value = value.make()
        number = _count(value, self._most)
        if number is not None:
            yield self._encode(value, number)
        elif isinstance(value, list):
            yield from self._elements(value)
        elif isinstance(value, dict):
            yield from self._members(value.items())
        else:
            yield from self._members(
                (each.encode_name, getattr(value, each.name)) for each in msgspec.structs.fields(value)
            )

    def _encode(self, value: Any, number: int) -> bytes:
        """Encode a value that contains `number` values in one call, and adjust the number of values for one piece."""
        written = encode_json_bytes(value)
        if len(written) > _PIECE or number * 2 > self._most:
            self._most = max(1, min(number * _PIECE // len(written), self._most * 2, _MOST))
        return written

    def _members(self, members: Iterable[tuple[str, Any]]) -> Iterator[bytes]:
        mark = b"{"
        for name, value in members:
            yield mark + encode_json_bytes(name) + b":"
            yield from self.pieces(value)
            mark = b","
        yield b"{}" if mark == b"{" else b"}"

    def _elements(self, values: list[Any]) -> Iterator[bytes]:
        mark, start = b"[", 0
        while start < len(values):
            end, number = self._end_of_slice(values, start)
            yield mark
            if end > start:
                yield self._encode(values[start:end], number)[1:-1]
            else:
                yield from self.pieces(values[start])
                end += 1
            mark, start = b",", end
        yield b"]"

    def _end_of_slice(self, values: list[Any], start: int) -> tuple[int, int]:
        """Return the end of the elements that are encoded together, and the number of their values.

        The end is `start` if the first element contains too many values.
        """
        if (each := _values_of_leaf(values[start])) is not None:
            end = min(start + max(1, self._most // each), len(values))
            return end, each * (end - start)
        together = 0
        for place in range(start, len(values)):
            number = _count(values[place], self._most - together)
            if number is None:
                return place, together
            together += number
        return len(values), together


def _count(value: Any, most: int) -> int | None:
    """Return the number of values in a value; None if it is greater than `most`, or if the value contains a `Later`.

    If the first element of a list does not contain lists or objects, the others are assumed not to, as in rows.
    """
    count, found = 0, [value]
    while found:
        each = found.pop()
        if isinstance(each, Later):
            return None
        members = _members_of(each)
        count += 1
        if members:
            if isinstance(each, list) and (leaf := _values_of_leaf(each[0])) is not None:
                count += leaf * len(members)
            else:
                count += len(members)
                if not _SCALARS.issuperset(map(type, members)):
                    found += [member for member in members if type(member) not in _SCALARS]
        if count > most:
            return None
    return count


def _members_of(value: Any) -> Collection[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.astuple(value)
    return ()


def _values_of_leaf(value: Any) -> int | None:
    """Return the number of values of a scalar or of an object of scalars; None for any other value, or a `Later`."""
    if isinstance(value, Later):
        return None
    members = _members_of(value)
    return 1 + len(members) if _SCALARS.issuperset(map(type, members)) else None
