"""The limit on how much one request may read, counted while rows are read, before anything is committed.

The count is an estimate of the response's JSON: the characters of texts, the bytes of binary values, and a constant for
each value with its name. A row of five short values counts as about 140 bytes, which is also the size of its JSON.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from storage.errors import QueryTooComplex

VALUE = 16  # bytes of a value with its name, besides the characters of a text
MORE_OF_OWN = 2  # times the limit for rows that are locked, compared or changed: most of them are not returned


class Allowance:
    """A counter of the bytes that one request has read so far. `most` is the setting max_answer, in bytes."""

    __slots__ = ("most", "own", "shown")

    def __init__(self, most: float = math.inf) -> None:
        self.most = most
        self.shown = 0  # bytes read for the response
        self.own = 0  # bytes read of rows that parts address

    @property
    def left(self) -> float:
        """The number of bytes that may still be read for the response."""
        return self.most - self.shown

    def count_shown(self, size: int) -> None:
        """Count bytes that are read for the response. Raises `QueryTooComplex`."""
        self.shown += size
        if self.shown > self.most:
            raise too_large(self.shown, self.most)

    def count_addressed(self, size: int) -> None:
        """Count bytes that are read of rows that parts address. Raises `QueryTooComplex`."""
        self.own += size
        if self.own > MORE_OF_OWN * self.most:
            raise too_large(self.own, self.most)


def too_large(found: float, most: float) -> QueryTooComplex:
    """Return the error for a response that is too large."""
    return QueryTooComplex(
        f"The answer has at least {found:,.0f} bytes, and the limit is {most:,.0f} (max_answer)."
        " Request fewer items or fewer attributes."
    )


_SIZED = frozenset({str, bytes, list})


def size_of_rows(rows: Sequence[Sequence[Any]]) -> int:
    """Estimate the size in bytes of rows as returned by a driver."""
    if not rows:
        return 0
    long = [value for row in rows for value in row if value.__class__ in _SIZED]
    size = VALUE * len(rows) * len(rows[0])
    if list in set(map(type, long)):  # arrays of PostgreSQL
        return size + sum(map(size_of_value, long))
    return size + sum(map(len, long))


def size_of_value(value: Any) -> int:
    """Estimate the size in bytes of a value without its name."""
    if value.__class__ is list:
        return sum(VALUE + size_of_value(each) for each in value)
    return len(value) if value.__class__ is str or value.__class__ is bytes else 0


def size_of_values(values: Iterable[Any]) -> int:
    """Estimate the size in bytes of the values of one row, with their names."""
    return sum(VALUE + size_of_value(each) for each in values)
