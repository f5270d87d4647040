"""Conversion between values and the forms that SQLite's columns store and the driver reads."""

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

SMALLEST, LARGEST = -(2**63), 2**63 - 1  # integers that SQLite stores as integers


def unreadable(attribute: Attribute, what: str) -> Unreadable:
    """Return the error for a stored value that does not match its type, with the setting that helps.

    Only SQLite allows such values.
    """
    advice = (
        'To serve it as it is, the operator can set type = "Any" (or another type that fits) for this attribute '
        "in partwise.toml."
    )
    return Unreadable(reason=f"{codec.unreadable(attribute, what).reason} {advice}")


def is_text_column(sql_type: str) -> bool:
    """Return True if a column stores every value as text."""
    return affinity_of(sql_type) == "TEXT"


def to_number(attribute: Attribute, value: Decimal) -> Any:
    """Convert a decimal to a form that its column stores exactly. Raises `Unstorable`."""
    if is_text_column(attribute.sql_type):
        return format(value, "f")
    if value == value.to_integral_value() and abs(value) <= LARGEST:
        return int(value)
    if Decimal(repr(float(value))) != value:
        raise Unstorable(attribute.name, "has more digits than this column of an SQLite database keeps exactly (15).")
    return float(value)


def to_shown(text: str) -> Any:
    """Convert text of an opaque type to the number with this text, if there is one.

    SQLite does not parse all digits of a double.
    """
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
    """Read a UUID. Return None if it is not one."""
    try:
        return UUID(bytes=raw) if isinstance(raw, bytes) else UUID(raw)
    except (TypeError, ValueError, AttributeError):
        return None


def to_json_text(attribute: Attribute, value: Any) -> str:
    """Encode a JSON value for its column. Raises `Unstorable`."""
    text = encode_json(value)
    if not is_text_column(attribute.sql_type) and isinstance(value, int | float) and not isinstance(value, bool):
        # A bare number in a column of NUMERIC affinity is stored as a number.
        try:
            kept = float(value) if isinstance(value, float) or abs(value) > LARGEST else value
        except OverflowError:  # larger than all doubles
            kept = math.inf
        if (value if isinstance(value, ExactFloat) else ExactFloat(repr(value))) != kept:
            raise Unstorable(attribute.name, "is a number that this column of an SQLite database would round.")
    return text


def to_document(attribute: Attribute, raw: Any) -> Value:
    """Read a stored JSON value. Return `Unreadable` if it is not valid JSON."""
    if isinstance(raw, int | float):
        return raw if math.isfinite(raw) else unreadable(attribute, "not valid JSON")
    try:
        found: Value = decode_json(raw)
    except (TypeError, ValueError, RecursionError):
        return unreadable(attribute, "not valid JSON")
    return found


def packed_type(type_: ValueType) -> Any:
    """Return the type as which msgspec decodes values from a JSON array to the driver's form, or None."""
    # SQLite's JSON drops digits of floats and decimals, and cannot contain bytes.
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
    """Return True if all texts are valid UTF-8; nulls are ignored."""
    return is_utf_8("".join(filter(None, raws)))


def is_text(raw: Any) -> bool:
    """Return True if the driver has read a text that is valid UTF-8."""
    return isinstance(raw, str) and is_utf_8(raw)
