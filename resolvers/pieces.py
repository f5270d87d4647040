"""Large answers, written as JSON piece by piece: one call for all of it would keep the event loop from running until it is done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from storage.json_text import encode_json_bytes

LARGE = 256 << 10  # bytes as `storage.allowance` counts them: some 2 ms
_PIECE = 256 << 10  # bytes; what is longer is written in smaller slices
_MOST_ENTERED = 20_000  # lists and objects that are looked into; the others are written as they are


@dataclass(frozen=True, slots=True)
class Later:
    """A part of an answer that is made when it is written, so that not all of them are in memory at once."""

    make: Callable[[], Any]


def encode_in_pieces(answer: Any) -> list[bytes]:
    """Write JSON as pieces, which together are what `encode_json_bytes` writes."""
    return list(_joined(_Writing().pieces(answer)))


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Put small pieces together."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


class _Writing:
    """One answer that is being written."""

    def __init__(self) -> None:
        self._entered = 0

    def pieces(self, value: Any) -> Iterator[bytes]:
        """Write a value."""
        if isinstance(value, msgspec.Struct):
            names = (each.encode_name for each in msgspec.structs.fields(value))
            yield from self._members(names, [getattr(value, name) for name in value.__struct_fields__])
        elif isinstance(value, dict):
            yield from self._members(value, [*value.values()])
        elif isinstance(value, list):
            yield from self._elements(value)
        elif isinstance(value, Later):
            yield from self.pieces(value.make())
        else:
            yield encode_json_bytes(value)

    def _members(self, names: Any, values: Sequence[Any]) -> Iterator[bytes]:
        mark = b"{"
        for name, value in zip(names, values, strict=True):
            yield mark + encode_json_bytes(name) + b":"
            yield from self.pieces(value)
            mark = b","
        yield b"{}" if mark == b"{" else b"}"

    def _elements(self, values: list[Any]) -> Iterator[bytes]:
        if not values:
            yield b"[]"
            return
        if _has_parts(values[0]) and (self._entered + len(values) <= _MOST_ENTERED or _has_later(values)):
            self._entered += len(values)
            mark = b"["
            for value in values:
                yield mark
                yield from self.pieces(value)
                mark = b","
        else:
            yield from self._slices(values)
        yield b"]"

    def _slices(self, values: list[Any]) -> Iterator[bytes]:
        """Write elements in slices of about one piece, by the length of the slice before."""
        start, count, mark = 0, 1, b"["
        while start < len(values):
            written = encode_json_bytes(values[start : start + count])
            yield mark
            yield written[1:-1]
            mark = b","
            start += count
            count = count * 2 if len(written) < _PIECE // 2 else max(1, count * _PIECE // len(written))


def _has_later(values: list[Any]) -> bool:
    """Return True if the elements are parts of a batch that have something to be made."""
    first = values[0]
    names = first.__struct_fields__ if isinstance(first, msgspec.Struct) else ()
    return any(isinstance(getattr(each, name), Later) for name in names for each in values)


def _has_parts(value: Any) -> bool:
    """Return True if an element has lists or objects of its own."""
    if isinstance(value, msgspec.Struct):
        parts = (msgspec.Struct, dict, list, Later)
        return any(isinstance(getattr(value, name), parts) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return any(isinstance(each, dict | list) for each in value.values())
    return isinstance(value, list)
