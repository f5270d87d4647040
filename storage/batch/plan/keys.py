"""Keys before rows: generated keys are fetched from the database before the rows are written, in part order.

So a reference to a new item is a plain value, and no statement depends on the order in which rows are returned.
"""

from collections import deque
from collections.abc import Callable, Sequence

from storage.catalog.model import Resource
from storage.catalog.types import Value
from storage.rows.writer import Rows


class KeySource:
    """Generates the keys of one resource's new items, as the database would generate them."""

    def __init__(self, rows: Rows, resource: Resource) -> None:
        self._rows = rows
        self._resource = resource
        self._stock: deque[Value] = deque()
        self._largest: int | None = None  # if keys are counted (SQLite)
        self._given = 0  # the largest key given by a part
        self._removed = 0  # the largest key whose item a part has deleted

    def take(self, expected: Callable[[], int]) -> Value | None:
        """Return one generated key, or None if it cannot be predicted.

        `expected` returns the number of keys to fetch at once.
        """
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
        """Record a key whose item is deleted."""
        if isinstance(key, int):
            self._removed = max(self._removed, key)

    def _frees_largest(self) -> bool:
        """Return True if the item with the largest key is deleted.

        SQLite generates that key again, unless it remembers it (AUTOINCREMENT).
        """
        remembers = self._resource.attributes[self._resource.key[0]].counts_on
        return not remembers and 0 < max(self._largest or 0, self._given) <= self._removed

    def take_many(self, count: int) -> Sequence[Value] | None:
        """Return `count` generated keys, or None if they cannot be predicted."""
        if self._rows.counts_keys(self._resource):
            self._largest = self._rows.largest_key(self._resource)
            if self._frees_largest():
                return None
            first = self._largest + 1
            return range(first, first + count) if first + count <= self._rows.key_limit else None
        made = self._rows.new_keys(self._resource, count)
        return made if len(made) == count else None

    def give(self, key: Value) -> None:
        """Record a key that a part gives itself: counted keys continue from it."""
        if isinstance(key, int):
            self._given = max(self._given, key)
