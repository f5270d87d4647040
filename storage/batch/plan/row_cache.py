"""The rows of a batch in memory: as they were read, and as its parts so far leave them."""

from collections.abc import Iterator, Sequence

from storage.batch.plan.locks import Loaded
from storage.catalog.model import Relation, Resource
from storage.catalog.types import Approximate, Unreadable, Value
from storage.rows.key_refs import KeyRef, row_ref
from storage.rows.row import Lock, NotLoaded, Row, points_at
from storage.rows.writer import Rows


class Overlay:
    """The known rows by their keys, and the keys known to have no row. What is not known is read from the database."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._found: dict[KeyRef, Row | None] = {}

    def clear(self) -> None:
        """Discard everything, because something other than this run may have changed it."""
        self._found.clear()

    def add(self, loaded: Loaded) -> None:
        """Add rows that were read; rows that are already known are newer."""
        for row in loaded.rows:
            self._add(row)
        for attributes, tuples in loaded.keys.items():
            for values in tuples:
                self._found.setdefault(KeyRef(loaded.resource.name, attributes, values), None)

    def _add(self, row: Row) -> None:
        known = [*places(row)]
        if not any(place in self._found for place in known[:1]):  # that of its key, if it has one
            for place in known:
                self._found.setdefault(place, row)

    def by_values(
        self, resource: Resource, attributes: Sequence[str], values: Sequence[Value], lock: Lock = Lock.NONE
    ) -> Row | None:
        """Return a row as the parts so far leave it, or None.

        Raises `NotLoaded` if a validator needs values of the row that are not known, or if the database may find a row
        with other values.
        """
        place = KeyRef(resource.name, tuple(attributes), tuple(values))
        if resource.untyped and Approximate in map(type, values):
            raise NotLoaded
        if place not in self._found:
            row = self._rows.by_values(resource, attributes, values, lock)
            if row is not None:
                self._add(row)
            self._found.setdefault(place, None)
        found = self._found[place]
        if found is not None and not found.is_complete and resource.validate is not None:
            raise NotLoaded
        return found

    def by_key(self, resource: Resource, key: Sequence[Value]) -> Row | None:
        """Return the row with this key, or None."""
        return self.by_values(resource, resource.key, key)

    def is_child(self, row: Row, relation: Relation, parent: Row) -> bool:
        """Return True if a relation to many leads from a parent to a row.

        Relations that compare by a collation are not passed to this method.
        """
        return points_at(row, relation, parent)

    def put(self, row: Row, before: Row | None = None) -> None:
        """Add a row that is created or updated."""
        if before is not None:
            self.remove(before)
        for place in places(row):
            self._found[place] = row

    def complete(self, partial: Row, row: Row) -> None:
        """Replace a partially known row by the complete one, unless it has changed since."""
        if self._found.get(row_ref(row.resource, row.key)) is partial:
            self.put(row, partial)

    def remove(self, row: Row) -> None:
        """Remove a row."""
        for place in places(row):
            if self._found.get(place) is row:  # another row may have taken a value that this one has released
                self._found[place] = None


def places(row: Row) -> Iterator[KeyRef]:
    """Yield the keys by which a row is found: its key, and each unique key without nulls, documents or arrays.

    Documents and arrays are compared by the database alone, so no part finds a row by them here.
    """
    name = row.resource.name
    for attributes in row.resource.keys:
        values = row.of(attributes)
        if not any(value is None or isinstance(value, Unreadable | dict | list) for value in values):
            yield KeyRef(name, attributes, values)
