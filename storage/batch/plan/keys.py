"""Keys before rows: generated keys are taken from the database before the rows are written, in part order.

So what points at a new item points at a plain value, and no statement depends on the order in which rows come back.
"""

from collections import deque
from collections.abc import Callable, Sequence

from storage.catalog.model import Resource
from storage.catalog.types import Value
from storage.rows.writer import Rows


class KeySource:
    """Makes the keys of one resource's new items, as the database would make them."""

    def __init__(self, rows: Rows, resource: Resource) -> None:
        self._rows = rows
        self._resource = resource
        self._stock: deque[Value] = deque()
        self._largest: int | None = None  # where keys are counted on (SQLite)
        self._given = 0  # the largest that a part has given itself
        self._removed = 0  # the largest whose item a part has deleted

    def take(self, expected: Callable[[], int]) -> Value | None:
        """Make one key, of as many as are expected; None where the database does not say how it makes them."""
        if self._rows.counts_keys(self._resource):
            if self._largest is None:
                self._largest = self._rows.largest_key(self._resource)
            if self._frees_largest():
                return None
            self._largest = max(self._largest, self._given) + 1
            return self._largest if self._largest < self._rows.key_limit else None
        if not self._stock:
            self._stock.extend(self._rows.new_keys(self._resource, max(1, expected())))
        return self._stock.popleft() if self._stock else None

    def remove(self, key: Value) -> None:
        """Note a key whose item is deleted."""
        if isinstance(key, int):
            self._removed = max(self._removed, key)

    def _frees_largest(self) -> bool:
        """Return True if the largest key has gone with its item: SQLite gives it again, unless it remembers (AUTOINCREMENT)."""
        remembers = self._resource.attributes[self._resource.key[0]].counts_on
        return not remembers and 0 < max(self._largest or 0, self._given) <= self._removed

    def take_many(self, count: int) -> Sequence[Value] | None:
        """Make so many keys; None where the database does not say how it makes them."""
        if self._rows.counts_keys(self._resource):
            self._largest = self._rows.largest_key(self._resource)
            if self._frees_largest():
                return None
            first = self._largest + 1
            return range(first, first + count) if first + count <= self._rows.key_limit else None
        made = self._rows.new_keys(self._resource, count)
        return made if len(made) == count else None

    def give(self, key: Value) -> None:
        """Note a key that a part gives itself: those that are counted go on from it."""
        if isinstance(key, int):
            self._given = max(self._given, key)
