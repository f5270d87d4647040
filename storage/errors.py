"""The error catalog: one class for each kind of failure, with its code.

There are two families. A `Fault` is a value: an error of one part of a batch. A batch may have many at once.
A `RequestError` is an exception: nothing of the request ran, or everything was rolled back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Self


class PartErrorCode(StrEnum):
    """The codes of part errors, as the contract (docs/contract.md, section 6) lists them."""

    INVALID_PATH = "INVALID_PATH"
    UNKNOWN_RESOURCE = "UNKNOWN_RESOURCE"
    OPERATION_NOT_ALLOWED = "OPERATION_NOT_ALLOWED"
    DUPLICATE_ID = "DUPLICATE_ID"
    INVALID_PRECONDITION = "INVALID_PRECONDITION"
    INVALID_REFERENCE = "INVALID_REFERENCE"
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    UNKNOWN_ATTRIBUTE = "UNKNOWN_ATTRIBUTE"
    READ_ONLY = "READ_ONLY"
    REQUIRED = "REQUIRED"
    INVALID_VALUE = "INVALID_VALUE"
    NOT_FOUND = "NOT_FOUND"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    CONFLICT = "CONFLICT"
    MISSING_TARGET = "MISSING_TARGET"
    STILL_REFERENCED = "STILL_REFERENCED"
    CHECK_FAILED = "CHECK_FAILED"
    REFUSED_BY_DATABASE = "REFUSED_BY_DATABASE"
    FORBIDDEN = "FORBIDDEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one part: a sentence for a person, and where in the part as it was sent (RFC 6901)."""

    code: ClassVar[PartErrorCode]
    status: ClassVar[int]  # the status code that HTTP uses (RFC 9110)

    message: str
    pointer: str | None = None
    attributes: tuple[str, ...] = ()
    constraint: str | None = None  # the name of the violated constraint of the database
    params: Mapping[str, object] | None = None  # limits of the value, as JSON, for clients that translate messages

    def at(self, pointer: str) -> Self:
        """Return the same fault with another pointer."""
        return replace(self, pointer=pointer)


class InvalidPath(Fault):
    """The path does not follow the grammar, or its values have the wrong number or type."""

    code, status = PartErrorCode.INVALID_PATH, 400


class UnknownResource(Fault):
    """There is no such collection."""

    code, status = PartErrorCode.UNKNOWN_RESOURCE, 404


class OperationNotAllowed(Fault):
    """The operation is not allowed for this kind of path, or the resource does not support it."""

    code, status = PartErrorCode.OPERATION_NOT_ALLOWED, 405


class DuplicateId(Fault):
    """Two parts share an id."""

    code, status = PartErrorCode.DUPLICATE_ID, 400


class InvalidPrecondition(Fault):
    """The precondition is invalid: it is an empty list, both are null, or the path is a collection."""

    code, status = PartErrorCode.INVALID_PRECONDITION, 400


class InvalidReference(Fault):
    """A reference to a part that is unknown, later, or has no item of the right resource."""

    code, status = PartErrorCode.INVALID_REFERENCE, 400


class InvalidPayload(Fault):
    """The payload is not an object, is duplicated, belongs to another resource, or is not allowed here."""

    code, status = PartErrorCode.INVALID_PAYLOAD, 422


class UnknownAttribute(Fault):
    """The resource has no such attribute."""

    code, status = PartErrorCode.UNKNOWN_ATTRIBUTE, 422


class ReadOnly(Fault):
    """The attribute cannot be written."""

    code, status = PartErrorCode.READ_ONLY, 422


class Required(Fault):
    """The attribute must have a value."""

    code, status = PartErrorCode.REQUIRED, 422


class InvalidValue(Fault):
    """The value does not fit the attribute: type, range, length, or the model's own validator."""

    code, status = PartErrorCode.INVALID_VALUE, 422


class NotFound(Fault):
    """There is no such item, or not under that parent."""

    code, status = PartErrorCode.NOT_FOUND, 404


class PreconditionFailed(Fault):
    """The item is not as `ifMatch` / `ifNoneMatch` ask for (RFC 9110, section 13)."""

    code, status = PartErrorCode.PRECONDITION_FAILED, 412


class Conflict(Fault):
    """A unique or exclusion constraint: another item has these values."""

    code, status = PartErrorCode.CONFLICT, 409


class MissingTarget(Fault):
    """A foreign key refers to an item that does not exist."""

    code, status = PartErrorCode.MISSING_TARGET, 409


class StillReferenced(Fault):
    """The item cannot be deleted, or its key values cannot be changed, because other items refer to it."""

    code, status = PartErrorCode.STILL_REFERENCED, 409


class CheckFailed(Fault):
    """A check constraint of the database, of a table or a domain."""

    code, status = PartErrorCode.CHECK_FAILED, 422


class RefusedByDatabase(Fault):
    """A trigger or a policy of the database rejected the change."""

    code, status = PartErrorCode.REFUSED_BY_DATABASE, 409


class RequestError(Exception):
    """The whole request failed: nothing ran, or everything was rolled back. The text is for the client."""

    code: ClassVar[str]


class BadRequest(RequestError):
    """The request does not contain anything that can be run."""

    code = "BAD_REQUEST"


class NoParts(RequestError):
    """A batch without parts."""

    code = "NO_PARTS"


class TooManyParts(RequestError):
    """More parts than the limit."""

    code = "TOO_MANY_PARTS"


class QueryTooComplex(RequestError):
    """A query whose cost exceeds the limits, or may exceed them."""

    code = "QUERY_TOO_COMPLEX"


class TimedOut(RequestError):
    """The deadline of the request has passed."""

    code = "TIMEOUT"

    def __init__(self, message: str, *, where: str = "statement") -> None:
        """Create the error.

        `where` is for the log, and names what it waited for: queue, connection, lock, statement or commit.
        """
        super().__init__(message)
        self.where = where


class Unavailable(RequestError):
    """The database cannot be reached, or cannot be written now. Try again later."""

    code = "UNAVAILABLE"


class NotAsAtStart(RequestError):
    """A table or column has changed since the catalog was built."""

    code = "UNAVAILABLE"  # a retry succeeds once the server has been restarted

    def __init__(self) -> None:
        super().__init__(
            "The tables that this request needs have changed in the database since the server started. "
            "Nothing was written. The operator must restart the server."
        )


class RightMissing(RequestError):
    """The database role of the server lacks a privilege that this request needs."""

    code = "UNAVAILABLE"  # a retry succeeds once the operator has granted it

    def __init__(self) -> None:
        super().__init__(
            "The server's database role lacks a privilege that this request needs. Nothing was written. "
            "The operator can grant it; the server's log names the role and the table."
        )


class NotPopulated(RequestError):
    """A materialized view that has never been refreshed."""

    code = "UNAVAILABLE"  # a retry succeeds once the operator has refreshed it

    def __init__(self, collection: str) -> None:
        super().__init__(
            f"{collection} cannot be read because its materialized view has not been populated. "
            "The operator must refresh it in the database (REFRESH MATERIALIZED VIEW)."
        )


class CannotRead(RequestError):
    """The database cannot compute a row, because an expression of a view, a policy or a generated column fails."""

    code = "UNREADABLE_VALUE"

    def __init__(self, collection: str) -> None:
        super().__init__(
            f"The database cannot compute the requested data of {collection}: an expression "
            "in a view, a policy or a generated column fails for at least one row."
        )


class CannotCompare(RequestError):
    """The database cannot compare, order or group values of this type."""

    code = "BAD_REQUEST"

    def __init__(self, collection: str) -> None:
        super().__init__(
            f"The database cannot compare, order or group by an attribute of {collection} in this request: "
            "it has no operator, collation or function for it."
        )


class CannotLookFor(RequestError):
    """A value that the database does not accept for the attribute that it is compared with."""

    code = "BAD_REQUEST"

    def __init__(self) -> None:
        super().__init__(
            "The database does not accept a value in this request for the attribute that it is compared with."
        )


class IdempotencyKeyReused(RequestError):
    """The idempotency key belongs to a batch with other parts."""

    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key belongs to a batch that was written before, with other parts. Nothing was written now. "
            "Use a new key for each batch. To retry a batch, send the same parts with the same key."
        )


class KeysNotKept(RequestError):
    """Idempotency keys are not stored, because the database does not allow it or the setting disables them."""

    code = "BAD_REQUEST"  # a retry does not help

    def __init__(self) -> None:
        super().__init__(
            "This server does not store idempotency keys, so it cannot guarantee that the batch runs once. "
            "Nothing was written. Send it without a key, or ask the operator to enable idempotency keys."
        )


class SerializationConflict(RequestError):
    """Concurrent transactions conflicted with this one more often than it is retried. Try again."""

    code = "SERIALIZATION_CONFLICT"


class OutcomeUnknown(RequestError):
    """The connection was lost during COMMIT.

    Either the whole batch is written or nothing, and the server cannot know which.
    """

    code = "OUTCOME_UNKNOWN"


class RefusedAtCommit(RequestError):
    """A constraint that the database checks at COMMIT and that cannot be attributed to a single part."""

    def __init__(self, code: PartErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # the error code of parts for the violated constraint
