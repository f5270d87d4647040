"""The read sets and write sets of writes to a resource, by which the schedule orders them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from storage.catalog.model import Catalog, ForeignKey, Resource, Values
from storage.rows.key_refs import KeyRef, row_ref


@dataclass(frozen=True, slots=True)
class _KeyColumns:
    """One key or foreign key of a resource: its attributes, and the key that their values refer to."""

    attributes: tuple[str, ...]
    resource: str  # whose key it is
    key: tuple[str, ...]  # its attributes there

    def of(self, values: Values) -> KeyRef | None:
        """Return the reference; None if one of its values is null."""
        own = tuple(values[name] for name in self.attributes)
        return None if None in own else KeyRef(self.resource, self.key, own)


class AccessSets:
    """The rows and unique values that writes to one resource read and write."""

    def __init__(self, resource: Resource, catalog: Catalog) -> None:
        self._resource = resource
        self._catalog = catalog

    @cached_property
    def _unique(self) -> Sequence[_KeyColumns]:
        name = self._resource.name
        return [_KeyColumns(key.attributes, name, key.attributes) for key in self._resource.unique_keys]

    @cached_property
    def _foreign(self) -> Sequence[_KeyColumns]:
        return [_foreign(key, self._catalog.target_of(key)) for key in self._resource.foreign_keys]

    @cached_property
    def key_attributes(self) -> frozenset[str]:
        """The attributes of its unique and foreign keys: their values must be known before they are written."""
        return frozenset(name for each in (*self._unique, *self._foreign) for name in each.attributes)

    def of_row(self, values: Values) -> tuple[tuple[KeyRef, ...], tuple[KeyRef, ...]]:
        """Return the write set and the read set of an INSERT or a DELETE."""
        row = self._row_of(values)
        return (row, _content(row), *_present(self._unique, values)), tuple(_present(self._foreign, values))

    def _row_of(self, values: Values) -> KeyRef:
        return row_ref(self._resource, tuple(values[name] for name in self._resource.key))

    def of_change(
        self, before: Values, after: Values, changed: frozenset[str]
    ) -> tuple[tuple[KeyRef, ...], tuple[KeyRef, ...]]:
        """Return the write and read sets of an UPDATE: the row's content, and the keys that it takes and releases."""
        content = _content(self._row_of(before))
        unique = [each for each in self._unique if not changed.isdisjoint(each.attributes)] if changed else ()
        foreign = [each for each in self._foreign if not changed.isdisjoint(each.attributes)] if changed else ()
        return (
            (content, *_present(unique, before), *_present(unique, after)),
            (*_present(foreign, before), *_present(foreign, after)),
        )


def _content(row: KeyRef) -> KeyRef:
    """Return the reference to a row's content: an UPDATE writes it, and foreign keys do not read it."""
    return KeyRef(row.resource, (), row.values)


def _foreign(key: ForeignKey, target: Resource) -> _KeyColumns:
    """Return the key of the target that a foreign key refers to, with the attributes in the target's order."""
    here = dict(zip(key.target_attributes, key.attributes, strict=True))
    own = target.unique_key_of(frozenset(key.target_attributes)) or key.target_attributes
    return _KeyColumns(tuple(here[name] for name in own), target.name, own)


def _present(keys: Sequence[_KeyColumns], values: Values) -> Iterator[KeyRef]:
    for each in keys:
        key = each.of(values)
        if key is not None:
            yield key
