"""Cursors: the position of an item in an order, as opaque text.

A cursor contains the values that the item is ordered by, exactly as the driver has read them, so that it compares like
the row itself. It also contains the name of its order, so that a cursor of another order is rejected.
"""

import math
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from storage.catalog.model import Resource
from storage.sql import Sort

_NAME_SIZE = 6  # bytes
# Members of objects that represent what JSON does not have: bytes, text that is not UTF-8, a number that is not finite.
_BYTES, _BROKEN, _INFINITE = "base64", "text", "float"
_INTEGERS = range(-(1 << 63), 1 << 63)  # accepted by a database
_Plain = None | bool | int | float | str | dict[str, str]
_decoder = msgspec.json.Decoder(list[_Plain])


class BadCursor(ValueError):
    """A text that is not a cursor of this order."""


def order_name(resource: Resource, sorts: Sequence[Sort]) -> str:
    """Return the name of an order of a collection: a hash of the resource and the sort steps."""
    steps = [
        ([relation.name for relation, _ in sort.path], sort.attribute, sort.descending, sort.nulls_first)
        for sort in sorts
    ]
    digest = blake2b(repr((resource.name, steps)).encode(), digest_size=_NAME_SIZE).digest()
    return urlsafe_b64encode(digest).decode()


def encode_cursor(order: str, values: Sequence[Any]) -> str:
    """Encode a position as a cursor."""
    return urlsafe_b64encode(msgspec.json.encode([order, *map(_plain, values)])).decode().rstrip("=")


def decode_cursor(order: str, count: int, text: str) -> list[Any]:
    """Decode a cursor of `count` values. Raises `BadCursor`."""
    try:
        found, *values = _decoder.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        raws = list(map(_raw, values))
    except (ValueError, KeyError, RecursionError) as error:
        raise BadCursor from error
    if found != order or len(raws) != count:
        raise BadCursor
    return raws


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {_BYTES: b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {_INFINITE: str(value)}
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return {_BROKEN: b64encode(value.encode("utf-8", "surrogateescape")).decode()}
    return value


def _raw(plain: _Plain) -> Any:
    if isinstance(plain, dict):
        ((kind, text),) = plain.items()
        if kind == _INFINITE:
            return float(text)
        found = b64decode(text, validate=True)
        return found if kind == _BYTES else found.decode("utf-8", "surrogateescape")
    if isinstance(plain, int) and plain not in _INTEGERS:
        raise BadCursor
    return plain
