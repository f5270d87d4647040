"""One row, as it was when it was read or written, and columns of many rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from operator import itemgetter
from typing import Any, Protocol

from storage.catalog.model import Relation, Resource, Values
from storage.catalog.types import Unreadable, Value
from storage.sql import Columns

KeyTuple = tuple[Value, ...]

_HOLES = frozenset({type(None), Unreadable})
_CLASSES: Mapping[type, int] = {str: 1, bytes: 2}  # SQLite's storage classes; numbers sort first


def can_be_key(values: Iterable[object]) -> bool:
    """Return True if statements can identify a row by these values: none of them is null or unreadable."""
    return _HOLES.isdisjoint(map(type, values))


def key_order(resource: Resource) -> Callable[[KeyTuple], Any] | None:
    """Return the sort function for keys, for which any order will do; None if Python can compare all their values."""
    return None if set(resource.key).isdisjoint(resource.untyped) else _by_storage_class


def _by_storage_class(key: KeyTuple) -> Any:
    return [(_CLASSES.get(type(value), 0), value) for value in key]


class Lock(Enum):
    """The lock on a row that is read, until the transaction ends. In SQLite, the transaction itself is the lock."""

    NONE = "none"
    KEEP = "keep"  # others cannot change it
    CHANGE = "change"  # others cannot change it, and we may


class NotLoaded(Exception):  # named for the missing state
    """A part of a row was requested that only the database knows, once the row is written."""


class Ambiguous(Exception):  # named for the state
    """Several rows have the values of a key.

    Inheriting tables do not share keys (PostgreSQL), and a key in several spellings is several keys (SQLite).
    """

    def __init__(self, resource: Resource, attributes: Sequence[str]) -> None:
        super().__init__(resource, attributes)
        self.resource = resource
        self.attributes = tuple(attributes)


class PartialValues(dict[str, Value]):
    """The values of a row, some of which are not known. Raises `NotLoaded` for an unknown one."""

    def __missing__(self, name: str) -> Value:
        raise NotLoaded(name)


class Row:
    """One row, as it was when it was read or written."""

    __slots__ = ("_etag", "_raw", "is_complete", "resource", "values")

    def __init__(
        self,
        *,
        resource: Resource,
        values: Values,
        etag: "str | Callable[[Row], str]",
        raw: Sequence[Any] | Callable[[], Sequence[Any]] = (),
        is_complete: bool = True,
    ) -> None:
        """Create a row; a callable `etag` or `raw` is called when its value is first requested."""
        self.resource = resource
        self.values = values
        self.is_complete = is_complete  # True if all values are known, and not only those that were written
        self._raw = raw
        self._etag = etag

    def __repr__(self) -> str:
        return f"Row({self.resource.name}, {self.values!r})"

    @property
    def raw(self) -> Sequence[Any]:
        """The values as the driver reads them, in the catalog's order."""
        if callable(self._raw):
            self._raw = self._raw()
        return self._raw

    @property
    def etag(self) -> str:
        """The etag. Raises `NotLoaded` if the values it is computed from are not all known."""
        if not isinstance(self._etag, str):
            self._etag = self._etag(self)
        return self._etag

    @property
    def key(self) -> KeyTuple:
        """The values of the key, in its order."""
        return self.of(self.resource.key)

    def of(self, attributes: Iterable[str]) -> KeyTuple:
        """Return the values of some attributes, in their order."""
        return tuple([self.values[name] for name in attributes])


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """Some rows of a collection, as columns or as rows, and a flag that is True if more rows follow."""

    found: "RowColumns | Sequence[Row]"
    has_more: bool

    @property
    def rows(self) -> Sequence[Row]:
        """The rows of the page; columns are converted."""
        return self.found.rows() if isinstance(self.found, RowColumns) else self.found


class RowColumns:
    """Rows of one resource as columns. Individual rows, and etags, are created on request."""

    __slots__ = ("_etags", "_keys", "columns", "is_readable", "resource", "typed")

    def __init__(
        self,
        *,
        resource: Resource,
        keys: Sequence[KeyTuple] | None = None,
        columns: Columns,
        etags: Callable[[], Sequence[str]] | None = None,
        is_readable: bool = True,
        typed: bool = False,
    ) -> None:
        """Create it from columns of some attributes, including the key's. Without `etags`, the etags are not known."""
        self.resource = resource
        self._keys = keys
        self.columns = columns
        self.is_readable = is_readable  # True if every value matches its type
        self.typed = typed  # True if columns that are not nullable certainly contain no null
        self._etags: Callable[[], Sequence[str]] | Sequence[str] | None = etags

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())) if self._keys is None else self._keys)

    @property
    def keys(self) -> Sequence[KeyTuple]:
        """The key of each row; an empty tuple for a resource without a key."""
        if self._keys is None:
            own = [self.columns[name] for name in self.resource.key]
            self._keys = list(zip(*own, strict=True)) if own else [()] * len(self)
        return self._keys

    @property
    def etags(self) -> Sequence[str]:
        """The etags of the rows. Raises `NotLoaded` if they are not known."""
        if self._etags is None:
            raise NotLoaded("etag")
        if callable(self._etags):
            self._etags = self._etags()
        return self._etags

    def rows(self) -> list[Row]:
        """Return the rows. If some attributes are missing, the rows are incomplete and raise `NotLoaded` for them."""
        names = tuple(self.columns)
        kind: type[dict[str, Value]] = dict if len(names) == len(self.resource.attributes) else PartialValues
        return [
            Row(
                resource=self.resource,
                values=kind(zip(names, values, strict=True)),
                etag=partial(self._etag, place),
                is_complete=kind is dict,
            )
            for place, values in enumerate(zip(*self.columns.values(), strict=True))
        ]

    def _etag(self, place: int, _row: Row) -> str:
        return self.etags[place]

    def in_order(self, keys: Sequence[KeyTuple]) -> "RowColumns":
        """Return the same rows in the order of `keys`."""
        if self.keys == list(keys):
            return self
        places = dict(zip(self.keys, range(len(self)), strict=True))
        order = list(map(places.__getitem__, keys))
        put = itemgetter(*order)  # there are at least two, because a single row is always in order

        return RowColumns(
            resource=self.resource,
            keys=keys,
            columns={name: put(column) for name, column in self.columns.items()},
            etags=None if self._etags is None else lambda: put(self.etags),
            is_readable=self.is_readable,
        )


def points_at(row: Row, relation: Relation, parent: Row) -> bool:
    """Return True if a row has the parent's values in all attributes of a relation to many; null matches no parent."""
    own = row.of(relation.there)
    return None not in own and own == parent.of(relation.here)


class Finder(Protocol):
    """A view of the rows."""

    def by_values(
        self, resource: Resource, attributes: Sequence[str], values: Sequence[Value], lock: Lock = Lock.NONE
    ) -> Row | None:
        """Return the row whose attributes have these values, or None. Raises `Ambiguous`."""

    def by_key(self, resource: Resource, key: Sequence[Value]) -> Row | None:
        """Return the row with this key, or None."""

    def is_child(self, row: Row, relation: Relation, parent: Row) -> bool:
        """Return True if a relation to many leads from a parent to a row."""
