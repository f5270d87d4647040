"""Input and output of a batch: the operation of each part, and its outcome."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec

from storage.catalog.model import Attribute, Resource, Values
from storage.errors import Fault
from storage.rows.locate import Address, Query
from storage.rows.row import Row, RowPage

SHOWS_ITEM = frozenset({200, 201})
"""Statuses whose results have the item, and its payload."""
SHOWS_ETAG = SHOWS_ITEM | {304}
"""Statuses whose results have the etag of the item."""


class Verb(Enum):
    """The operation of a part."""

    __hash__ = object.__hash__  # each member exists once; Enum's own method hashes the name, in Python

    GET = "GET"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    REPLACE = "REPLACE"
    UPSERT = "UPSERT"
    DELETE = "DELETE"


AT_COLLECTIONS = frozenset({Verb.GET, Verb.CREATE, Verb.UPSERT})
"""The verbs that can address a collection; every verb can address an item."""
TAKE_A_PAYLOAD = frozenset({Verb.CREATE, Verb.UPDATE, Verb.REPLACE, Verb.UPSERT})
"""The verbs that accept a payload."""

Etags = Sequence[str]
"""The etags of a precondition, without quotes and prefix, as those of rows are; or `ANY_VERSION`."""

ANY_VERSION: Etags = ("*",)  # the item must exist; recognized by identity, because a client may send an etag `"*"`


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """`ifMatch` or `ifNoneMatch`."""

    etags: Etags

    @property
    def any_version(self) -> bool:
        """True if it only depends on whether the item exists."""
        return self.etags is ANY_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Attributes that get their values from the item of an earlier part."""

    attributes: tuple[str, ...]
    target_attributes: tuple[str, ...]
    part: int
    pointer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One part, bound to the catalog: its path, types and payload are valid."""

    index: int
    verb: Verb
    address: Address
    values: Values
    pointers: Mapping[str, str]  # attribute -> pointer to its value in the part
    payload_pointer: str  # pointer to the payload, even if it is missing
    references: tuple[Reference, ...] = ()
    if_match: Precondition | None = None
    if_none_match: Precondition | None = None
    query: Query | None = None  # of a GET of a collection

    @property
    def resource(self) -> Resource:
        """The resource of the item or collection that is addressed."""
        return self.address[-1].resource

    @property
    def given_attributes(self) -> Collection[str]:
        """The attributes that the part sets, by value or by reference."""
        if not self.references:
            return self.values.keys()
        return {*self.values, *(name for each in self.references for name in each.attributes)}

    @property
    def has_precondition(self) -> bool:
        """True if the part has a precondition, whose result `preconditionSucceeded` reports."""
        return self.if_match is not None or self.if_none_match is not None

    def pointer(self, attribute: str) -> str:
        """Return the pointer to an attribute's value, or else to the payload."""
        return self.pointers.get(attribute, self.payload_pointer)

    def attribute(self, name: str) -> Attribute:
        """Return an attribute of the resource."""
        return self.resource.attributes[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidPart:
    """A part that failed validation. It does not run, but errors of other parts may follow from its failure."""

    index: int
    faults: tuple[Fault, ...]
    operation: Operation | None = None  # as far as it could be bound, with its valid values
    named_attributes: frozenset[str] = frozenset()  # all attributes that it names, even if their value is invalid
    unlisted: int = 0  # further faults that are only counted; none of them concerns an attribute of the resource


Part = Operation | InvalidPart


class Done(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part that ran, with the row as the part left it, or the rows that it read.

    It is a struct because a large batch has one for each part, and creating it takes a fifth of a dataclass's time.
    """

    index: int
    status: int  # 200, 201, 204 or 304
    row: Row | None = None
    page: RowPage | None = None
    precondition: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A part that failed."""

    index: int
    faults: tuple[Fault, ...]
    precondition: bool | None = None
    item: Row | None = None  # the item that it addresses, if it exists
    current: Row | None = None  # after a failed precondition: the item as it is committed
    unlisted: int = 0  # further faults that are only counted


class Status(Enum):
    """The status of a batch."""

    COMMITTED = "COMMITTED"
    REJECTED = "REJECTED"
    VALID = "VALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a batch and of its parts: of all parts or, if the batch was rejected, of those that failed."""

    status: Status
    parts: Sequence[Done | Failed]
    replayed: bool = False  # True if nothing ran, because the outcome was stored for the idempotency key
