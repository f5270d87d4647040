"""From values to the wire: JSON, and the text of paths (docs/contract.md, section 7). The way in is values.py."""

import base64
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, assert_never
from uuid import UUID

from graphql import GraphQLError

from storage.catalog.model import Attribute
from storage.catalog.types import (
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

AS_THEY_ARE = frozenset({type(None), bool, str, float, ExactFloat, dict})  # the classes of values that JSON has too


def is_json(type_: ValueType) -> bool:
    """Whether JSON writes all values of a type as they are."""
    match type_:
        case Integer(bits=bits):
            return bits < 64  # noqa: PLR2004  # BigInt
        case Float() | Boolean() | Text() | Enumeration() | JsonDocument() | Opaque():
            return True
        case _:
            return False


def to_json(type_: ValueType, value: Value) -> Any:
    """Turn a value into JSON. Raises `GraphQLError` for what the database holds against its own type."""
    kind = value.__class__
    if kind in AS_THEY_ARE or (kind is int and not (isinstance(type_, Integer) and type_.bits == 64)):  # noqa: PLR2004  # BigInt
        return value
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


def no_value(attribute: Attribute, *, in_key: bool) -> GraphQLError:
    """Say that there is a null where the table's own definition wants a value (https://sqlite.org/quirks.html, section 5)."""
    message = f"The database holds a null for {attribute.name}, which must have a value."
    if in_key:
        message += (
            f" {attribute.name} is part of the key: without it an item has no path. Its operator can write a value"
            " into the table, and declare the column NOT NULL."
        )
    return GraphQLError(message, extensions={"code": "UNREADABLE_VALUE"})


def to_text(type_: ValueType, value: Value) -> str:
    """Write a value as it stands in a path, before percent-encoding: its canonical form."""
    found = to_json(type_, value)
    if isinstance(found, bool):
        return "true" if found else "false"
    return found if isinstance(found, str) else repr(found)
