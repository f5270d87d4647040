"""How large the answer is where it has rows more often than they were read: items that many point at, values under several aliases.

What is read is counted once (storage/allowance.py). A row of 1 MB that 1,000 items point at is 1,000 MB of the answer.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from storage.allowance import VALUE, size_of_value
from storage.reading.found import Items, One

_FEW = 64 << 10  # bytes: what is surely less is not counted exactly


def count_repeated(items: Items, show: Callable[[int], None]) -> None:
    """Count the items that others share, at each level."""
    for related in items.related.values():
        if isinstance(related, One):
            if largest_of(related.items) * len(items) > _FEW:
                sizes = [*sizes_of(related.items), 0]  # the last is that of no item
                show(sum(map(sizes.__getitem__, related.places)))
        else:
            count_repeated(related.found.items, show)


def largest_of(items: Items) -> int:
    """Return a size that no row has more than, with what is below it."""
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
    """Return the size of each row, without what is below it."""
    sizes = [VALUE * len(items.rows.columns)] * len(items)
    for column in items.rows.columns.values():
        sizes = [size + size_of_value(value) for size, value in zip(sizes, column, strict=True)]
    return sizes


def sizes_of(items: Items) -> list[int]:
    """Return the size of each row, with what is below it."""
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
