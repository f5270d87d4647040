"""Conversion of GraphQL types to JSON Schema (https://json-schema.org/draft/2020-12/json-schema-core)."""

from collections.abc import Container
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLType,
    get_named_type,
    is_non_null_type,
)

_SCALARS = {"ID": "string", "String": "string", "Int": "integer", "Boolean": "boolean"}

_WithMembers = GraphQLInputObjectType | GraphQLObjectType


def definitions_of(*types: GraphQLNamedType, without: Container[str]) -> dict[str, Any]:
    """Return the JSON Schema of types and of their members' types, by name; members named in `without` are omitted.

    In an input, optional members can be null, and additional members are not allowed. In a response, members that are
    null are omitted.
    """
    found: dict[str, Any] = {}
    waiting = [*types]
    while waiting:
        type_ = waiting.pop()
        if type_.name not in found and isinstance(type_, _WithMembers | GraphQLEnumType):
            members = {name: each for name, each in getattr(type_, "fields", {}).items() if name not in without}
            found[type_.name] = {"description": type_.description, **_shape(type_, members)}
            waiting += [get_named_type(each.type) for each in members.values()]
    return found


def _shape(type_: _WithMembers | GraphQLEnumType, members: dict[str, Any]) -> dict[str, Any]:
    if isinstance(type_, GraphQLEnumType):
        return {"enum": [*type_.values]}
    is_sent = isinstance(type_, GraphQLInputObjectType)
    properties = {
        name: {**_value(each.type, is_sent), "description": each.description} for name, each in members.items()
    }
    required = [name for name, each in members.items() if is_non_null_type(each.type)]
    closed = {"additionalProperties": False} if is_sent else {}
    return {"type": "object", "properties": properties, "required": required, **closed}


def _value(type_: GraphQLType, is_sent: bool) -> dict[str, Any]:  # noqa: FBT001  # it belongs to the type
    value: dict[str, Any]
    match type_.of_type if is_non_null_type(type_) else type_:
        case GraphQLList(of_type=item):
            value = {"type": "array", "items": _value(item, is_sent)}
        case GraphQLEnumType(name=name) | GraphQLInputObjectType(name=name) | GraphQLObjectType(name=name):
            value = {"$ref": f"#/$defs/{name}"}
        case GraphQLNamedType(name=name) if name in _SCALARS:
            value = {"type": _SCALARS[name]}
        case _:  # JSON: anything
            return {}
    return {"anyOf": [value, {"type": "null"}]} if is_sent and not is_non_null_type(type_) else value
