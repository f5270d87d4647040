"""References to rows by the values of a key."""

from collections.abc import Iterable
from typing import NamedTuple

from storage.catalog.model import Resource
from storage.catalog.types import Unreadable
from storage.rows.row import KeyTuple


class KeyRef(NamedTuple):
    """The values of a key: at most one row of the resource has them, now or later."""

    resource: str
    attributes: tuple[str, ...]  # in the order of the key in the catalog
    values: KeyTuple


def row_ref(resource: Resource, key: KeyTuple) -> KeyRef:
    """Return the reference to the row with this key."""
    return KeyRef(resource.name, resource.key, key)


def key_ref(resource: Resource, attributes: Iterable[str], values: Iterable[object]) -> KeyRef | None:
    """Return the reference to the row with these values of a key, whose attributes may be in any order.

    Return None if there may be several such rows, or if Python cannot compare the values: null, documents, arrays, and
    values that cannot be read.
    """
    given = dict(zip(attributes, values, strict=True))
    if not given or any(value is None or isinstance(value, list | dict | Unreadable) for value in given.values()):
        return None
    key = resource.unique_key_of(frozenset(given)) or tuple(sorted(given))
    return KeyRef(resource.name, key, tuple(given[name] for name in key))  # type: ignore[misc]  # values of attributes
