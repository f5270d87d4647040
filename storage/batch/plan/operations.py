"""The values that travel into a batch and out of it: what each part asks for, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec

from storage.catalog.model import Attribute, Resource, Values
from storage.errors import Fault
from storage.rows.locate import Address, Query
from storage.rows.row import Row, RowPage


class Verb(Enum):
    """What a part does."""

    __hash__ = object.__hash__  # each exists once; Enum's own hashes the name, in Python

    GET = "GET"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    REPLACE = "REPLACE"
    UPSERT = "UPSERT"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """`ifMatch` or `ifNoneMatch`: etags, or any version at all (`*`)."""

    any_version: bool = False
    etags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Attributes that take their values from the item of an earlier part."""

    attributes: tuple[str, ...]
    target_attributes: tuple[str, ...]
    part: int
    pointer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One part, bound to the catalog: its path, types and payload are right."""

    index: int
    verb: Verb
    address: Address
    values: Values
    pointers: Mapping[str, str]  # attribute -> where in the part its value stands
    payload_pointer: str  # where the payload stands, or would
    references: tuple[Reference, ...] = ()
    if_match: Precondition | None = None
    if_none_match: Precondition | None = None
    query: Query | None = None  # of a GET of a collection

    @property
    def resource(self) -> Resource:
        """The resource of the item or collection that is addressed."""
        return self.address[-1].resource

    @property
    def has_precondition(self) -> bool:
        """Return True if `preconditionSucceeded` has anything to say."""
        return self.if_match is not None or self.if_none_match is not None

    def pointer(self, attribute: str) -> str:
        """Say where an attribute's value comes from."""
        return self.pointers.get(attribute, self.payload_pointer)

    def attribute(self, name: str) -> Attribute:
        """Find an attribute of the resource."""
        return self.resource.attributes[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidPart:
    """A part that failed validation. It does not run, but errors of other parts may follow from its failure."""

    index: int
    faults: tuple[Fault, ...]
    operation: Operation | None = None  # as far as it could be bound: the values that are right
    named_attributes: frozenset[str] = frozenset()  # all attributes that it names, those with a wrong value too
    unlisted: int = 0  # further faults that are counted only, none of them of an attribute of the resource


Part = Operation | InvalidPart


class Done(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part that ran: with the row as it left it, or the rows that it found.

    A struct, because there is one for each part of a large batch: made in a fifth of a dataclass's time.
    """

    index: int
    status: int  # 200, 201, 204 or 304
    row: Row | None = None
    page: RowPage | None = None
    precondition: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A part in error."""

    index: int
    faults: tuple[Fault, ...]
    precondition: bool | None = None
    item: Row | None = None  # the item that it addresses, where there is one
    current: Row | None = None  # after a failed precondition: the item as it is committed
    unlisted: int = 0  # further faults that are counted only


class Status(Enum):
    """What became of a batch."""

    COMMITTED = "COMMITTED"
    REJECTED = "REJECTED"
    VALID = "VALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a batch and of its parts: all of them, or of a rejected batch those in error."""

    status: Status
    parts: Sequence[Done | Failed]
    replayed: bool = False  # nothing ran: it is the outcome that an idempotency key has found
