"""The catalog as clients see it, from which they can build forms (docs/contract.md, section 5)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, time
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, TypeVar

from resolvers.binding.serialization import to_json
from resolvers.binding.values import from_json
from schema.resources import Operation, ResourceAttribute, ResourceDescription, ResourceRelation
from storage.any_values import to_any_json
from storage.batch.plan import rules
from storage.batch.plan.operations import Verb
from storage.catalog.bounds import Bounds
from storage.catalog.limits import NO_LIMITS, Limits
from storage.catalog.model import Attribute, Catalog, Generation, Relation, Resource
from storage.catalog.types import (
    Anything,
    Array,
    Boolean,
    Bytes,
    Date,
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
from storage.sql import sqlite_times

N = TypeVar("N", int, Decimal)

_EXACT = Context(prec=1_000)  # digits: the maximum precision in PostgreSQL declarations

TypeName = Callable[[ValueType], str]
"""Returns the name of a type's scalar."""


def describe(catalog: Catalog, type_name: TypeName) -> list[ResourceDescription]:
    """Return the descriptions of all resources."""
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
        operations=[each for each in Operation if rules.takes(resource, Verb[each.name])],
        attributes=[_describe_attribute(attribute, resource, type_name) for attribute in resource.attributes.values()],
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


def _describe_attribute(attribute: Attribute, resource: Resource, type_name: TypeName) -> ResourceAttribute:
    type_ = attribute.type
    element = type_.of if isinstance(type_, Array) else type_
    is_counted = attribute.name == resource.version and resource.next_version is not None
    is_made = is_counted or attribute.generation is Generation.ALWAYS
    default = None if is_made else _default(attribute)
    bounds = resource.bounds(attribute.name)
    limits = _limits_of(type_, attribute.limits if bounds is None else _joined(attribute.limits, bounds))
    return ResourceAttribute(
        name=attribute.name,
        type=type_name(type_),
        required=attribute.required,
        nullable=attribute.nullable,
        read_only=attribute.read_only,
        generated=is_made or (attribute.has_default and default is None),
        default=default,
        min_length=limits.min_length,
        max_length=limits.max_length,
        precision=limits.precision,
        scale=limits.scale,
        minimum=_edge(element, limits.minimum, None if bounds is None else bounds.minimum),
        maximum=_edge(element, limits.maximum, None if bounds is None else bounds.maximum),
        pattern=None if bounds is None else bounds.pattern,
        time_zone=element.aware if isinstance(element, DateTime) else None,
        enum=list(element.labels)
        if isinstance(element, Enumeration)
        else list(resource.choices(attribute.name)) or None,
        description=attribute.description,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """The limits of an attribute's values: those of its type, as checked by `from_json`, and those of its model."""

    min_length: int | None = None
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None


def _joined(own: Limits, bounds: Bounds) -> Limits:
    """Combine the limits of a model with those of the table's CHECK constraints."""
    limits = replace(
        own,
        min_length=_larger(own.min_length, bounds.min_length),
        max_length=_narrower(own.max_length, bounds.max_length),
    )
    if not isinstance(bounds.type, Integer | Numeric | Float):
        return limits
    return replace(
        limits,
        minimum=_larger(own.minimum, _as_decimal(bounds.minimum)),
        maximum=_narrower(own.maximum, _as_decimal(bounds.maximum)),
    )


def _as_decimal(number: Any) -> Decimal | None:
    return None if number is None else Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _edge(type_: ValueType, number: Decimal | None, edge: Any) -> Any:
    """Encode a limit: a number, or the date or time in a CHECK constraint."""
    if isinstance(edge, date | time):  # datetime is a date
        return to_json(type_, edge)
    return _written(type_, number)


def _limits_of(type_: ValueType, own: Limits) -> _Limits:
    match type_:
        case Text(max_length=max_length) | Bytes(max_length=max_length):
            return _Limits(min_length=own.min_length or None, max_length=_narrower(max_length, own.max_length))
        case Integer(smallest=smallest, largest=largest):
            return _Limits(
                minimum=_lowest(Decimal(smallest), own, scale=0), maximum=_highest(Decimal(largest), own, scale=0)
            )
        case Numeric():
            return _limits_of_decimal(type_, own)
        case Float():
            return _Limits(minimum=_lowest(None, own), maximum=_highest(None, own))
        case Time(precision=precision) | DateTime(precision=precision):
            return _Limits(scale=precision)
        case Array(of=of):
            return _limits_of(of, NO_LIMITS)  # a model's limits apply to the list itself
        case _:
            return _Limits()


def _limits_of_decimal(type_: Numeric, own: Limits) -> _Limits:
    """Combine the limits of column and model on a decimal's digits: in total, before and after the decimal point."""
    column_scale = None if type_.precision is None else type_.scale or 0
    scale = _narrower(column_scale, own.decimal_places)
    before = [digits - after for digits, after in _digits(type_, own)]
    if not before:
        return _Limits(scale=scale, minimum=_lowest(None, own, scale), maximum=_highest(None, own, scale))
    whole = min(before)
    precision = min(digits for digits, _ in _digits(type_, own))
    if scale is not None:
        precision = max(min(precision, whole + scale), 0)
    most = Decimal(10**precision - 1).scaleb(whole - precision, _EXACT)
    return _Limits(
        precision=precision,
        scale=scale,
        minimum=_lowest(most.copy_negate(), own, scale),
        maximum=_highest(most, own, scale),
    )


def _digits(type_: Numeric, own: Limits) -> list[tuple[int, int]]:
    """Return, for column and model, the maximum number of digits, and how many of them are decimal places."""
    found = [(type_.precision, type_.scale), (own.max_digits, own.decimal_places)]
    return [(digits, after or 0) for digits, after in found if digits is not None]


def _narrower(one: N | None, other: N | None) -> N | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _larger(one: N | None, other: N | None) -> N | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _lowest(edge: Decimal | None, own: Limits, scale: int | None = None) -> Decimal | None:
    """Return the smallest value that type and model accept.

    Without a scale, an exclusive limit is ignored, because no value is next to it.
    """
    return _bound(edge, own.minimum, own.above, scale)


def _highest(edge: Decimal | None, own: Limits, scale: int | None = None) -> Decimal | None:
    found = _bound(_negated(edge), _negated(own.maximum), _negated(own.below), scale)
    return _negated(found)


def _bound(edge: Decimal | None, at_least: Decimal | None, above: Decimal | None, scale: int | None) -> Decimal | None:
    if scale is None:
        above = None
    else:
        step = Decimal(1).scaleb(-scale)
        at_least = None if at_least is None else at_least.quantize(step, ROUND_CEILING, _EXACT)
        above = None if above is None else _EXACT.add(above.quantize(step, ROUND_FLOOR, _EXACT), step)
    return max((each for each in (edge, at_least, above) if each is not None), default=None)


def _negated(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.copy_negate()


def _written(type_: ValueType, limit: Decimal | None) -> Any:
    try:
        return None if limit is None else _as_value(type_, _raw(type_, format(limit, "f")))
    except ValueError:  # outside the range of the type, so it does not limit any value
        return None


_NUMBER = re.compile(r"\(?(-?\d{1,40}(\.\d{1,40})?)\)?", re.ASCII)
_QUOTED = re.compile(r"'((?:[^']|'')*)'(::[\w\s\"\[\]().,]+)?")
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _default(attribute: Attribute) -> Any:
    """Return a default, encoded like values of its type; None if it is not constant, or only readable in SQL."""
    type_, made = attribute.type, attribute.default
    try:
        if made is not None:  # the model's default takes precedence over the database's
            return _as_value(type_, to_json(type_, made())) if attribute.default_is_constant else None
        sql = (attribute.default_sql or "").strip()
        if isinstance(type_, Anything):
            found = _any_literal(sql)
            return None if found is None else _as_value(type_, found)
        text = _literal(sql)
        if text is not None and attribute.format.is_numeric and isinstance(type_, Date | DateTime):
            return to_json(type_, sqlite_times.read(type_, attribute.format, int(text)))
        return None if text is None else _as_value(type_, _raw(type_, text))
    except ValueError:  # a literal that only the database can read
        return None


def _as_value(type_: ValueType, raw: Any) -> Any:
    """Encode JSON like the values of a type. Raises `ValueError` if it is not a value of the type."""
    return to_json(type_, from_json(type_, raw))


_BLOB = re.compile(r"[xX]'((?:[0-9A-Fa-f]{2})*)'", re.ASCII)


def _any_literal(sql: str) -> Any:
    """Convert an SQLite literal to JSON by its own storage class; return None if it is not a literal."""
    if number := _NUMBER.fullmatch(sql):
        return decode_json(number[1])
    if blob := _BLOB.fullmatch(sql):
        return to_any_json(bytes.fromhex(blob[1]))
    quoted = _QUOTED.fullmatch(sql)
    return quoted[1].replace("''", "'") if quoted else None


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
