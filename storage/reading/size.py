"""Size of a response that contains rows more often than they were read: shared items, and values under several aliases.

Each row is counted once when it is read (storage/allowance.py). A row of 1 MB to which 1,000 items refer takes 1,000 MB
of the response.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from storage.allowance import VALUE, size_of_value
from storage.reading.found import Items, One

_FEW = 64 << 10  # bytes: if the upper bound is not above this, the exact size is not computed


def count_repeated(items: Items, show: Callable[[int], None]) -> None:
    """Count the size of related items once for each item that refers to them, at each level."""
    for related in items.related.values():
        if isinstance(related, One):
            if largest_of(related.items) * len(items) > _FEW:
                sizes = [*sizes_of(related.items), 0]  # the last element is the size of a missing item
                show(sum(map(sizes.__getitem__, related.places)))
        else:
            count_repeated(related.found.items, show)


def largest_of(items: Items) -> int:
    """Return an upper bound for the size of a row with its related rows."""
    if not len(items):
        return 0
    size = sum(VALUE + _longest(column) for column in items.rows.columns.values())
    for related in items.related.values():
        if isinstance(related, One):
            size += largest_of(related.items)
        else:
            longest = max((page.stop - page.start for page in related.pages), default=0)
            size += longest * largest_of(related.found.items)
    return size


def own_sizes(items: Items) -> list[int]:
    """Return the size of each row, without its related rows."""
    sizes = [VALUE * len(items.rows.columns)] * len(items)
    for column in items.rows.columns.values():
        sizes = [size + size_of_value(value) for size, value in zip(sizes, column, strict=True)]
    return sizes


def sizes_of(items: Items) -> list[int]:
    """Return the size of each row, with its related rows."""
    sizes = own_sizes(items)
    for related in items.related.values():
        below = sizes_of(related.items if isinstance(related, One) else related.found.items)
        if isinstance(related, One):
            below.append(0)
            sizes = [size + below[place] for size, place in zip(sizes, related.places, strict=True)]
        else:
            sums = list(accumulate(below, initial=0))
            sizes = [size + sums[page.stop] - sums[page.start] for size, page in zip(sizes, related.pages, strict=True)]
    return sizes


def _longest(column: Sequence[Any]) -> int:
    return max(map(size_of_value, column), default=0)
