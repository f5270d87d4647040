"""How the columns of SQLite keep values, and what the driver reads of them."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from storage.catalog.affinity import affinity_of
from storage.catalog.model import Attribute
from storage.catalog.types import (
    Boolean,
    Date,
    DateTime,
    Enumeration,
    ExactFloat,
    Integer,
    JsonDocument,
    Text,
    Time,
    Unreadable,
    Uuid,
    Value,
    ValueType,
    is_utf_8,
)
from storage.json_text import decode_json, encode_json
from storage.sql import codec
from storage.sql.codec import Unstorable

SMALLEST, LARGEST = -(2**63), 2**63 - 1  # whole numbers that SQLite stores as such


def unreadable(attribute: Attribute, what: str) -> Unreadable:
    """Say that the database holds something against its own type, which only SQLite leaves open, and which setting helps."""
    advice = (
        'To serve it as it is, the operator can set type = "Any" (or another type that fits) for this attribute '
        "in partwise.toml."
    )
    return Unreadable(reason=f"{codec.unreadable(attribute, what).reason} {advice}")


def is_text_column(sql_type: str) -> bool:
    """Return True if a column keeps all that it is given as text."""
    return affinity_of(sql_type) == "TEXT"


def to_number(attribute: Attribute, value: Decimal) -> Any:
    """Turn a decimal into what its column keeps exactly. Raises `Unstorable`."""
    if is_text_column(attribute.sql_type):
        return format(value, "f")
    if value == value.to_integral_value() and abs(value) <= LARGEST:
        return int(value)
    if Decimal(repr(float(value))) != value:
        raise Unstorable(attribute.name, "has more digits than this column of an SQLite database keeps exactly (15).")
    return float(value)


def to_shown(text: str) -> Any:
    """Turn the text of a type that only SQLite knows into the number that is shown so: SQLite does not read all digits of a double."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) and str(number) == text else text


def to_decimal(raw: Any, scale: int | None) -> Decimal | None:
    """Read a decimal in its shortest form, with the declared number of digits after the point."""
    try:
        value = Decimal(raw) if isinstance(raw, int | str) else Decimal(repr(raw))
    except (InvalidOperation, ValueError):
        return None
    if not value.is_finite():
        return None
    if scale is not None:
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent > -scale:
            return Decimal(format(value, f".{scale}f"))
    return Decimal(format(value, "f"))


def to_uuid(raw: Any) -> UUID | None:
    """Read a UUID; None where it is none."""
    try:
        return UUID(bytes=raw) if isinstance(raw, bytes) else UUID(raw)
    except (TypeError, ValueError, AttributeError):
        return None


def to_json_text(attribute: Attribute, value: Any) -> str:
    """Write a JSON value as its column keeps it. Raises `Unstorable`."""
    text = encode_json(value)
    if not is_text_column(attribute.sql_type) and isinstance(value, int | float) and not isinstance(value, bool):
        # A bare number in a column of NUMERIC affinity becomes a number of SQLite's.
        try:
            kept = float(value) if isinstance(value, float) or abs(value) > LARGEST else value
        except OverflowError:  # beyond all doubles
            kept = math.inf
        if (value if isinstance(value, ExactFloat) else ExactFloat(repr(value))) != kept:
            raise Unstorable(attribute.name, "is a number that this column of an SQLite database would round.")
    return text


def to_document(attribute: Attribute, raw: Any) -> Value:
    """Read a JSON value."""
    if isinstance(raw, int | float):
        return raw if math.isfinite(raw) else unreadable(attribute, "not valid JSON")
    try:
        found: Value = decode_json(raw)
    except (TypeError, ValueError, RecursionError):
        return unreadable(attribute, "not valid JSON")
    return found


def packed_type(type_: ValueType) -> Any:
    """Say as which type msgspec decodes what a JSON array has of values, to what the driver reads; None where it cannot."""
    # Floats and decimals have lost digits in SQLite's JSON; bytes it cannot hold.
    match type_:
        case Integer(smallest=smallest, largest=largest):
            return Annotated[int, msgspec.Meta(ge=smallest, le=largest)]
        case Boolean():
            return int
        case Enumeration(labels=labels):
            return Literal[labels] if labels else None
        case Text() | JsonDocument() | Date() | Time() | DateTime() | Uuid():
            return str
        case _:
            return None


def are_texts(raws: Sequence[str | None]) -> bool:
    """Return True if texts, with nulls among them, are all UTF-8."""
    return is_utf_8("".join(filter(None, raws)))


def is_text(raw: Any) -> bool:
    """Return True if the driver has read a text that is UTF-8."""
    return isinstance(raw, str) and is_utf_8(raw)
