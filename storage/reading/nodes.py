"""Finds a node by its path: of the items on the way it reads what tells them and relates them, of the last what is asked for."""

from collections.abc import Iterator, Sequence

from storage.catalog.model import Relation, Resource
from storage.catalog.types import Value
from storage.reading.plan import NodeRead
from storage.rows.locate import Address, Location, locate
from storage.rows.reader import RowReader
from storage.rows.row import Ambiguous, Lock, Row, RowColumns


def read_node(rows: RowReader, read: NodeRead) -> RowColumns | None:
    """Read the item at an address; None where there is none, or where it is another parent's. Raises `Ambiguous`."""
    way = _Way(rows, read)
    location = locate(way, read.address, {})
    return way.last if isinstance(location, Location) and location.row is not None else None


class _Way:
    """The items of an address, each read by the attributes that its step needs."""

    def __init__(self, rows: RowReader, read: NodeRead) -> None:
        self._rows = rows
        self._names = _names(read)  # of each step: they are looked for one after the other
        self.last: RowColumns | None = None  # what was read of the item that was looked for last

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
