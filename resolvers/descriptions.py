"""The catalog as clients see it: what a form is built from (docs/contract.md, section 5)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from resolvers.values import from_json, to_json
from schema.resources import Operation, ResourceAttribute, ResourceDescription, ResourceRelation
from storage.catalog.model import Attribute, Catalog, Generation, Relation, Resource
from storage.catalog.types import (
    Array,
    Boolean,
    Bytes,
    DateTime,
    Enumeration,
    Float,
    Integer,
    JsonDocument,
    Numeric,
    Text,
    Time,
    ValueType,
)
from storage.json_text import decode_json

_EXACT = Context(prec=1_000)  # digits: PostgreSQL declares no more

TypeName = Callable[[ValueType], str]
"""Names the scalar of a type."""


def describe(catalog: Catalog, type_name: TypeName) -> list[ResourceDescription]:
    """Describe all resources."""
    return [_describe(resource, type_name) for resource in catalog.resources.values()]


def _describe(resource: Resource, type_name: TypeName) -> ResourceDescription:
    path = f"/{resource.collection}"
    item_path = f"{path}/{','.join(f'{{{name}}}' for name in resource.key)}" if resource.key else None
    return ResourceDescription(
        name=resource.name,
        description=resource.description,
        collection=resource.collection,
        field=resource.field if resource.key else None,
        path=path,
        item_path=item_path,
        key=list(resource.key),
        unique_keys=[list(unique.attributes) for unique in resource.unique_keys],
        version=resource.version,
        operations=list(Operation) if resource.writable else [Operation.GET],
        attributes=[_describe_attribute(attribute, type_name) for attribute in resource.attributes.values()],
        relations=[_describe_relation(relation, item_path) for relation in resource.relations.values()],
    )


def _describe_relation(relation: Relation, item_path: str | None) -> ResourceRelation:
    return ResourceRelation(
        name=relation.name,
        target=relation.target,
        many=relation.many,
        attributes=list(relation.here),
        target_attributes=list(relation.there),
        path=f"{item_path}/{relation.name}" if relation.many and item_path else None,
    )


def _describe_attribute(attribute: Attribute, type_name: TypeName) -> ResourceAttribute:
    type_ = attribute.type
    element = type_.of if isinstance(type_, Array) else type_
    default = _default(type_, attribute.default_sql)
    limits = _limits_of(element)
    return ResourceAttribute(
        name=attribute.name,
        type=type_name(type_),
        required=attribute.required,
        nullable=attribute.nullable,
        read_only=attribute.read_only,
        generated=attribute.generation is not Generation.NEVER
        or (default is None and attribute.default_sql is not None),
        default=default,
        max_length=limits.max_length,
        precision=limits.precision,
        scale=limits.scale,
        minimum=None if limits.maximum is None else to_json(element, limits.minimum),
        maximum=None if limits.maximum is None else to_json(element, limits.maximum),
        time_zone=element.aware if isinstance(element, DateTime) else None,
        enum=list(element.labels) if isinstance(element, Enumeration) else None,
        description=attribute.description,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What a type takes, as `from_json` checks it."""

    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    minimum: int | Decimal | None = None
    maximum: int | Decimal | None = None


def _limits_of(type_: ValueType) -> _Limits:
    match type_:
        case Text(max_length=max_length) | Bytes(max_length=max_length):
            return _Limits(max_length=max_length)
        case Integer(bits=bits):
            limit = 1 << (bits - 1)
            return _Limits(minimum=-limit, maximum=limit - 1)
        case Numeric(precision=int(precision), scale=given):
            scale = given or 0
            most = Decimal(10**precision - 1).scaleb(-scale, _EXACT)
            return _Limits(precision=precision, scale=scale, minimum=most.copy_negate(), maximum=most)
        case Time(precision=precision) | DateTime(precision=precision):
            return _Limits(scale=precision)
        case _:
            return _Limits()


_NUMBER = re.compile(r"\(?(-?\d{1,40}(\.\d{1,40})?)\)?", re.ASCII)
_QUOTED = re.compile(r"'((?:[^']|'')*)'(::[\w\s\"\[\]().,]+)?")
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _default(type_: ValueType, sql: str | None) -> Any:
    """Write a default as values of its type are, where it is a plain value; one that is made anew each time has none to show."""
    text = _literal((sql or "").strip())
    if text is None:
        return None
    try:
        return to_json(type_, from_json(type_, _raw(type_, text)))
    except ValueError:  # what only the database reads
        return None


def _literal(sql: str) -> str | None:
    if number := _NUMBER.fullmatch(sql):
        return number[1]
    if sql.lower() in {"true", "false"}:
        return sql.lower()
    quoted = _QUOTED.fullmatch(sql)
    return quoted[1].replace("''", "'") if quoted else None


def _raw(type_: ValueType, text: str) -> Any:
    match type_:
        case Integer():
            return int(text)
        case Float():
            return float(text)
        case Boolean():
            return _TRUTH.get(text.lower())
        case JsonDocument():
            return decode_json(text)
        case DateTime():
            return text.replace(" ", "T", 1)
        case Bytes():
            raise ValueError("each database writes bytes in its own way")
        case _:
            return text
