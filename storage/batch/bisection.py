"""Which parts of a block the database refuses: found by halves, a statement for each, and not one for each part."""

from collections.abc import Callable, Iterator

from storage.batch.blocks import Block
from storage.driver_errors import StatementRefused
from storage.rows import Rows
from storage.statements import Unstorable

_SAVEPOINT = "trial"


class TooManyRefused(Exception):
    """So many parts are refused that to look at all of them one by one costs less."""


class Bisection:
    """A search among blocks whose parts do not meet, so that each is refused, or not, whatever the others do."""

    def __init__(self, rows: Rows, write: Callable[[Block], object], most_trials: int) -> None:
        self._transaction = rows.transaction
        self._write = write
        self._left = most_trials

    def refused(self, block: Block) -> Iterator[int]:
        """Find the parts that are refused; the others are written. Raises `TooManyRefused`."""
        if not block.parts or self._is_taken(block):
            return
        yield from self._within(block)

    def _within(self, block: Block) -> Iterator[int]:
        """Search a block that is known to be refused."""
        if len(block.parts) == 1:
            yield block.parts[0]
            return
        middle = len(block.parts) // 2
        first, second = block.cut(0, middle), block.cut(middle, len(block.parts))
        if self._is_taken(first):
            yield from self._within(second)
            return
        yield from self._within(first)
        yield from self.refused(second)

    def _is_taken(self, block: Block) -> bool:
        if self._left == 0:
            raise TooManyRefused
        self._left -= 1
        self._transaction.savepoint(_SAVEPOINT)
        is_taken = True
        try:
            self._write(block)
        except StatementRefused as refused:
            if refused.transaction_lost:
                raise
            is_taken = False
        except Unstorable:
            is_taken = False
        if not is_taken:
            self._transaction.rollback_to(_SAVEPOINT)
        self._transaction.release(_SAVEPOINT)
        return is_taken
