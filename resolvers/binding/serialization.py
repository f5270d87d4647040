"""Encoding of values as JSON and as text of paths (docs/contract.md, section 7). values.py decodes them."""

import base64
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, assert_never
from uuid import UUID

from graphql import GraphQLError

from storage.any_values import INFINITIES, to_any_json
from storage.catalog.model import Attribute
from storage.catalog.types import (
    Anything,
    Array,
    Boolean,
    Enumeration,
    ExactFloat,
    Float,
    Integer,
    JsonDocument,
    Opaque,
    Text,
    Unreadable,
    Value,
    ValueType,
)

AS_THEY_ARE = frozenset(
    {type(None), bool, str, ExactFloat, dict}
)  # the classes of values that are written to JSON unchanged
_NUMBERS = frozenset({int, float})


def is_json(type_: ValueType) -> bool:
    """Return True if all values of a type are written to JSON unchanged."""
    match type_:
        case Integer(bits=bits):
            return bits < 64  # noqa: PLR2004  # BigInt
        case Float() | Boolean() | Text() | Enumeration() | JsonDocument() | Opaque():
            return True
        case _:
            return False


def to_json(type_: ValueType, value: Value) -> Any:
    """Encode a value as JSON. Raises `GraphQLError` if the stored value does not match the type of its column."""
    kind = value.__class__
    if kind in AS_THEY_ARE or (kind in _NUMBERS and not _is_written_otherwise(type_)):
        return value
    if isinstance(type_, Anything) and isinstance(value, int | float | bytes):
        return to_any_json(value)
    match value:
        case None | bool() | str():
            return value
        case Decimal():
            return format(value, "f")
        case int():
            return str(value) if isinstance(type_, Integer) and type_.bits == 64 else value  # noqa: PLR2004  # BigInt
        case Unreadable(reason=reason):
            raise GraphQLError(reason, extensions={"code": "UNREADABLE_VALUE"})
        case float():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat().removesuffix("+00:00") + ("Z" if value.tzinfo else "")
        case date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return value
        case Sequence():
            return [to_json(type_.of, each) for each in value] if isinstance(type_, Array) else value
        case _:
            assert_never(value)


def _is_written_otherwise(type_: ValueType) -> bool:
    """Return True if numbers of a type may be encoded as something other than JSON numbers."""
    return isinstance(type_, Anything) or (isinstance(type_, Integer) and type_.bits == 64)  # noqa: PLR2004  # BigInt


def no_value(attribute: Attribute, *, in_key: bool) -> GraphQLError:
    """Return the error for a null in a column that must have a value.

    SQLite allows this in primary keys (https://sqlite.org/quirks.html, section 5).
    """
    message = f"The database contains null for {attribute.name}, which must have a value."
    if in_key:
        message += (
            f" {attribute.name} is part of the key, and an item without a complete key does not have a path."
            " The operator can update the row and declare the column NOT NULL."
        )
    return GraphQLError(message, extensions={"code": "UNREADABLE_VALUE"})


def to_text(type_: ValueType, value: Value) -> str:
    """Encode a value in its canonical form for a path, before percent-encoding."""
    if isinstance(type_, Anything) and isinstance(value, int | float | str | bytes):
        return any_text(value)
    found = to_json(type_, value)
    if isinstance(found, bool):
        return "true" if found else "false"
    return found if isinstance(found, str) else repr(found)


# Texts in paths that are not read as the text of an Any: numbers in any spelling, bytes, and quoted text.
LIKE_A_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LIKE_BYTES = re.compile(r"[xX]'.*'", re.DOTALL)
QUOTED = re.compile(r"'(.*)'", re.DOTALL)
_MOST_PLACES = 21  # digits before the decimal point; beyond them, JavaScript writes an exponent
_MOST_ZEROS = 6  # after the decimal point, likewise
_WHOLE_REALS = 2.0**63  # smaller absolute values are written with all digits


def any_text(value: float | str | bytes) -> str:
    """Encode a value of a column without a declared type for a path, before percent-encoding.

    Equal numbers have the same text, whether SQLite stores an INTEGER or a REAL, because its keys do not distinguish
    them.
    """
    match value:
        case int():
            return str(int(value))
        case float():
            is_whole = math.isfinite(value) and value.is_integer() and -_WHOLE_REALS <= value < _WHOLE_REALS
            return str(int(value)) if is_whole else _real_text(value)
        case bytes():
            return f"X'{value.hex().upper()}'"
        case str():
            is_plain = value and not any(p.fullmatch(value) for p in (LIKE_A_NUMBER, LIKE_BYTES, QUOTED))
            return value if is_plain and value not in INFINITIES else f"'{value}'"


def _real_text(value: float) -> str:
    """Format a double as JavaScript does (ECMA-262, section 6.1.6.1.20)."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, numbers, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  # a number's
    digits, places = "".join(map(str, numbers)), len(numbers) + exponent  # before the decimal point
    minus = "-" if sign else ""
    if len(digits) <= places <= _MOST_PLACES:
        return minus + digits.ljust(places, "0")
    if 0 < places <= _MOST_PLACES:
        return f"{minus}{digits[:places]}.{digits[places:]}"
    if -_MOST_ZEROS < places <= 0:
        return f"{minus}0.{'0' * -places}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{places - 1:+d}"
