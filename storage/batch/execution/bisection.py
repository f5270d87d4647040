"""Search for the writes that the database refuses: by halves, with a statement for each half, not for each write."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from storage.connections.driver_errors import StatementRefused
from storage.rows.writer import Rows
from storage.sql import Unstorable

_SAVEPOINT = "trial"
T = TypeVar("T")


class TooManyRefused(Exception):
    """So many writes are refused that running all of them one by one costs less."""


class Bisection(Generic[T]):
    """A search among independent writes: the refusal of one does not depend on the others."""

    def __init__(self, rows: Rows, write: Callable[[Sequence[T]], object], most_trials: int) -> None:
        self._transaction = rows.transaction
        self._write = write
        self._left = most_trials

    def refused(self, members: Sequence[T]) -> Iterator[T]:
        """Yield the refused members; the others are written. Raises `TooManyRefused`."""
        if members and not self._is_taken(members):
            yield from self._within(members)

    def _within(self, members: Sequence[T]) -> Iterator[T]:
        """Yield the refused members, of which at least one is known to exist."""
        if len(members) == 1:
            yield members[0]
            return
        middle = len(members) // 2
        first, second = members[:middle], members[middle:]
        if self._is_taken(first):
            yield from self._within(second)
            return
        yield from self._within(first)
        yield from self.refused(second)

    def _is_taken(self, members: Sequence[T]) -> bool:
        if self._left == 0:
            raise TooManyRefused
        self._left -= 1
        found = self._transaction.attempt(_SAVEPOINT, lambda: self._write(members), Unstorable)
        return not isinstance(found, StatementRefused | Unstorable)
