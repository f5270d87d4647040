"""Reads the children of many parents together, and cuts them into a page for each parent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, groupby
from typing import Any

from storage.catalog.model import Attribute
from storage.catalog.types import TimeFormat
from storage.reading.plan import Selected
from storage.rows.json_columns import RawColumns, decoders_of, raw_columns, read_columns, together
from storage.rows.reader import RowReader
from storage.rows.row import KeyTuple
from storage.sql import Ownership, Query, Statement, Statements

_LEADING = 2  # first columns of a numbered child's row: its position among its siblings, and their number
_MOST_CHILDREN = 20_000  # of one level, if they are read in full and cut into pages here


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPages:
    """The children of the parents that have any, grouped by parent."""

    owners: Sequence[tuple[Any, ...]] = ()  # as the driver reads them
    counts: Sequence[int] = ()  # of the children of each parent: all, or more than the page's last position
    sizes: Sequence[int] = ()  # of their pages
    shown: RawColumns  # the pages
    are_counted: bool = False  # True if the counts include all children


def read_child_pages(
    rows: RowReader,
    owned: Ownership,
    selected: Selected,
    parents: Sequence[KeyTuple],
    names: Sequence[str],
) -> ChildPages:
    """Read the pages of all parents.

    If there are not too many children, all of them are read and cut into pages here. That takes a third of the time
    that the database needs to number them. Otherwise the database numbers them, unless they belong to a single parent.
    """
    window, resource = selected.window, owned.children
    last = window.offset + window.limit
    most = min(len(parents) * last, _MOST_CHILDREN)
    decoders = decoders_of(rows.statements, resource, names, window.sorts if selected.with_cursors else ())
    if owned.is_asked:
        decoders += decoders_of(rows.statements, owned.resource, owned.names)
    parts: list[RawColumns] = []
    count = 0
    for chunk in owned.chunks(rows.statements, parents):

        def write(*, as_json_columns: bool, chunk: Sequence[Any] = chunk, left: int = most + 1 - count) -> Statement:
            query = Query(rows.statements, resource, owned=owned, as_json_columns=as_json_columns)
            positions = selected.with_cursors
            return query.all_children(names, chunk, selected.condition, window, positions=positions, most=left)

        parts.append(read_columns(rows.transaction, write, decoders, most + 1 - count))
        count += len(parts[-1])
        if count > most and (len(parents) > 1 or last > most):
            return _numbered(rows, owned, selected, parents, names)
    every, owners, counts = _divided(rows.statements, together(parts), names, owned)
    sizes = [max(0, min(each, last) - window.offset) for each in counts]
    if sizes != counts or window.backward:
        starts = [start + window.offset for start in accumulate(counts, initial=0)]
        every = _pages(every, starts, sizes, backward=window.backward)
    are_counted = window.after is None and count <= most
    return ChildPages(owners=owners, counts=counts, sizes=sizes, shown=every, are_counted=are_counted)


def _numbered(
    rows: RowReader, owned: Ownership, selected: Selected, parents: Sequence[KeyTuple], names: Sequence[str]
) -> ChildPages:
    window = replace(selected.window, limit=max(1, selected.window.limit))
    positions = selected.with_cursors
    raws: list[tuple[Any, ...]] = []
    for chunk in owned.chunks(rows.statements, parents):
        query = Query(rows.statements, owned.children, owned=owned)
        statement = query.children(names, chunk, selected.condition, window, positions=positions)
        raws += rows.transaction.read(statement, shown=True, many=True).rows
    width = _LEADING + len(names) + (len(window.sorts) if positions else 0)
    read = raw_columns(raws, width + (len(owned.names) if owned.is_asked else 0))
    every, owners, found = _divided(rows.statements, read, [*[""] * _LEADING, *names], owned)
    starts = list(accumulate(found, initial=0))
    sizes = [min(each, selected.window.limit) for each in found]
    siblings = every.columns[1]
    return ChildPages(
        owners=owners,
        counts=[int(siblings[start]) for start in starts[:-1]],
        sizes=sizes,
        shown=RawColumns(_pages(every, starts, sizes, backward=window.backward).columns[_LEADING:]),
        are_counted=window.after is None and not window.offset,
    )


def _divided(
    statements: Statements, read: RawColumns, names: Sequence[str], owned: Ownership
) -> tuple[RawColumns, Sequence[tuple[Any, ...]], list[int]]:
    """Group the children by parent; return them, the values that identify each parent, and its number of children."""
    width = len(owned.names)
    places = [*range(-width, 0)] if owned.is_asked else [names.index(name) for name in owned.names]
    tells = [
        _telling(statements, owned.resource.attributes[name], read.columns[place])
        for name, place in zip(owned.names, places, strict=True)
    ]
    keys = tells[0] if len(tells) == 1 else list(zip(*tells, strict=True))
    counts = Counter(keys)
    if len(list(groupby(keys))) > len(counts):  # the database treats different keys as equal, and mixes their children
        rank = {key: number for number, key in enumerate(counts)}
        read = read.pick(sorted(range(len(keys)), key=lambda place: rank[keys[place]]))
    owners = list(counts) if len(places) > 1 else [(key,) for key in counts]
    if owned.is_asked:
        read = RawColumns(read.columns[:-width], read.typed)
    return read, owners, list(counts.values())


def _telling(statements: Statements, attribute: Attribute, raws: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a column that identifies parents; dates and times in mixed formats are converted to one."""
    if attribute.format is not TimeFormat.MIXED:
        return raws
    values = statements.decode_column(attribute, raws)
    return [
        raw if value is None else statements.stored_form(attribute, value)
        for raw, value in zip(raws, values, strict=True)
    ]


def _pages(read: RawColumns, starts: Sequence[int], sizes: Sequence[int], *, backward: bool) -> RawColumns:
    pages = (range(start, start + size) for start, size in zip(starts, sizes, strict=False))
    return read.pick(list(chain.from_iterable(page[::-1] if backward else page for page in pages)))
