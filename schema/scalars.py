"""GraphQL scalars. They pass values on unchanged; `resolvers` validates them, so that errors can name the attribute."""

from collections.abc import Callable, Mapping
from typing import Any, NewType

import strawberry
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)
from strawberry.types.scalar import ScalarDefinition

from storage.catalog.types import (
    Anything,
    Array,
    Boolean,
    Bytes,
    Date,
    DateTime,
    Enumeration,
    ExactFloat,
    Float,
    Integer,
    JsonDocument,
    Numeric,
    Opaque,
    Text,
    Time,
    Uuid,
    ValueType,
    exact_integer,
)

BigInt = NewType("BigInt", str)
Decimal = NewType("Decimal", str)
LocalDate = NewType("LocalDate", str)
LocalTime = NewType("LocalTime", str)
DateAndTime = NewType("DateAndTime", str)
UUID = NewType("UUID", str)
Base64 = NewType("Base64", str)
JSON = NewType("JSON", object)
AnyValue = NewType("AnyValue", object)


def from_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
    """Convert a literal of a GraphQL document to JSON; numbers keep their digits. Raises `GraphQLError`."""
    match node:
        case NullValueNode():
            return None
        case IntValueNode(value=text):
            return exact_integer(text)
        case FloatValueNode(value=text):
            return ExactFloat(text)
        case StringValueNode() | EnumValueNode() | BooleanValueNode():
            return node.value
        case ListValueNode():
            return [from_literal(each, variables) for each in node.values]
        case ObjectValueNode():
            return {
                field.name.value: from_literal(field.value, variables)
                for field in node.fields
                if not _is_absent(field.value, variables)
            }
        case VariableNode():
            return (variables or {}).get(node.name.value)
        case _:
            raise GraphQLError("This is not valid JSON.", node)


def _is_absent(node: ValueNode, variables: Mapping[str, Any] | None) -> bool:
    return isinstance(node, VariableNode) and node.name.value not in (variables or {})


def _as_is(value: Any) -> Any:
    return value


def _text_or_number(name: str, *, numbers: bool) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        allowed = (str, int, float) if numbers else (str,)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise GraphQLError(f"{name} cannot represent this value.")
        return value

    return parse


def _scalar(name: str, description: str, url: str, *, numbers: bool = False) -> ScalarDefinition:
    parse = _text_or_number(name, numbers=numbers)

    def parse_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
        return parse(from_literal(node, variables))

    return strawberry.scalar(
        name=name,
        description=description,
        specified_by_url=url,
        serialize=_as_is,
        parse_value=parse,
        parse_literal=parse_literal,
    )


SCALARS: Mapping[object, ScalarDefinition] = {
    BigInt: _scalar(
        "BigInt",
        "A whole number of 64 bits: a decimal string out, a string or a number in.",
        "https://www.rfc-editor.org/rfc/rfc7493#section-2.2",
        numbers=True,
    ),
    Decimal: _scalar(
        "Decimal",
        "An exact decimal number: a string out, a string or a number in.",
        "https://speleotrove.com/decimal/daconvs.html",
        numbers=True,
    ),
    LocalDate: _scalar(
        "Date", "A day, like 2026-12-31 (ISO 8601).", "https://scalars.graphql.org/andimarek/local-date"
    ),
    LocalTime: _scalar(
        "Time",
        "A time of day without zone, like 23:59:59.5 (ISO 8601); seconds may be left out of what is sent.",
        "https://www.rfc-editor.org/rfc/rfc3339",
    ),
    DateAndTime: _scalar(
        "DateTime",
        "A date and time like 2026-12-31T23:59:59 (ISO 8601); seconds may be left out of what is sent. An instant has a zone,"
        " as in 2026-12-31T23:59:59Z, and comes back in UTC, with Z.",
        "https://www.rfc-editor.org/rfc/rfc3339",
    ),
    UUID: _scalar("UUID", "A UUID.", "https://www.rfc-editor.org/rfc/rfc9562"),
    Base64: _scalar("Base64", "Bytes, in Base64.", "https://www.rfc-editor.org/rfc/rfc4648#section-4"),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_as_is,
        parse_value=_as_is,
        parse_literal=from_literal,
    ),
    AnyValue: strawberry.scalar(
        name="Any",
        description='A value of a column without a declared type: text, a number, or an object with one member, {"int": "9007199254740993"},'
        ' {"real": "Infinity"} or {"base64": "AAEC"}.',
        specified_by_url="https://sqlite.org/datatype3.html",
        serialize=_as_is,
        parse_value=_as_is,
        parse_literal=from_literal,
    ),
}


def scalar_name(type_: ValueType) -> str:
    """Return the name of a value's GraphQL type; for an enumeration, the type used if it cannot be a GraphQL enum."""
    match type_:
        case Array(of=of):
            return f"[{scalar_name(of)}]"
        case _:
            return _NAMES[python_type(type_)]


def python_type(type_: ValueType) -> Any:
    """Return the type that represents a value in annotations for Strawberry."""
    match type_:
        case Integer(bits=64):
            return BigInt
        case Integer():
            return int
        case Float():
            return float
        case Numeric():
            return Decimal
        case Boolean():
            return bool
        case Text() | Enumeration() | Opaque():
            return str
        case Bytes():
            return Base64
        case Date():
            return LocalDate
        case Time():
            return LocalTime
        case DateTime():
            return DateAndTime
        case Uuid():
            return UUID
        case JsonDocument():
            return JSON
        case Anything():
            return AnyValue
        case Array(of=of):
            return list[python_type(of) | None]  # type: ignore[misc]  # a type created at run time


_NAMES: Mapping[Any, str] = {
    int: "Int",
    float: "Float",
    bool: "Boolean",
    str: "String",
    **{type_: definition.name for type_, definition in SCALARS.items()},
}
