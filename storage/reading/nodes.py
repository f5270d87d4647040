"""Resolution of a node by its path.

Of the items along the path, only the attributes that identify and relate them are read. Of the last item, the requested
attributes are read.
"""

from collections.abc import Iterator, Sequence

from storage.catalog.model import Relation, Resource
from storage.catalog.types import Value
from storage.reading.plan import NodeRead
from storage.rows.locate import Address, Location, locate
from storage.rows.reader import RowReader
from storage.rows.row import Ambiguous, Lock, Row, RowColumns


def read_node(rows: RowReader, read: NodeRead) -> RowColumns | None:
    """Read the item at an address; return None if it is missing or belongs to another parent. Raises `Ambiguous`."""
    way = _Way(rows, read)
    location = locate(way, read.address, {})
    return way.last if isinstance(location, Location) and location.row is not None else None


class _Way:
    """A finder for the items of an address. It reads the attributes that each step needs."""

    def __init__(self, rows: RowReader, read: NodeRead) -> None:
        self._rows = rows
        self._names = _names(read)  # of each step, in the order in which the items are read
        self.last: RowColumns | None = None  # the result of the last read

    def by_values(
        self, resource: Resource, attributes: Sequence[str], values: Sequence[Value], lock: Lock = Lock.NONE
    ) -> Row | None:
        assert lock is Lock.NONE  # noqa: S101  # a query changes nothing
        self.last = self._rows.load_columns(resource, attributes, [tuple(values)], next(self._names))
        if len(self.last) > 1:
            raise Ambiguous(resource, attributes)
        return next(iter(self.last.rows()), None)

    def by_key(self, resource: Resource, key: Sequence[Value]) -> Row | None:
        return self.by_values(resource, resource.key, key)

    def is_child(self, row: Row, relation: Relation, parent: Row) -> bool:
        return self._rows.is_child(row, relation, parent)


def _names(read: NodeRead) -> Iterator[Sequence[str]]:
    address: Address = read.address
    for step, after in zip(address, [*address[1:], None], strict=True):
        there = step.relation.there if step.relation is not None else ()
        if after is None:
            yield read.items.names(*there)
        else:
            here = after.relation.here if after.relation is not None else ()
            wanted = {*step.resource.key, *there, *here}
            yield [name for name in step.resource.attributes if name in wanted]
