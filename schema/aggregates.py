"""Types of aggregates and groups over all items of a connection (docs/contract.md, section 5)."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import strawberry
from strawberry.types import Info

from schema.dynamic_types import Field, InputField, define_type, names_of, read_field, resolver
from schema.enums import Enums
from storage.catalog.aggregation import Function, attributes_with, groupable, result_type
from storage.catalog.model import Attribute, Resource
from storage.catalog.naming import free

_WHAT = {
    Function.SUM: ("Sums", "exact, except those of Floats, which are rounded once", "The sum of {}."),
    Function.AVG: ("Averages", "rounded once", "The average of {}."),
    Function.MIN: ("Minimum values", "in sort order", "The minimum {}."),
    Function.MAX: ("Maximum values", "in sort order", "The maximum {}."),
}
_NO_LABELS = frozenset({"true", "false", "null"})  # GraphQL specification, section 2.9.6


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateReaders:
    """The functions that read aggregates and groups, declared here and implemented in `resolvers`."""

    aggregate: Callable[[Any], Any]  # of a page
    count: Callable[[Any], int]  # of an aggregate
    value: Callable[[Function, Attribute, Any], Callable[[Any], Any]]  # of an aggregate; with its enum, if it has one
    groups: Callable[[Any, Info], Any]  # of a page, by response key: objects with `keys` and `aggregate`
    key: Callable[[Attribute, Any], Callable[[Any], Any]]  # of a group


def aggregate_fields(resource: Resource, enums: Enums, readers: AggregateReaders) -> list[Field]:
    """Create the field `aggregate` of a connection, and `groupBy` if the resource has attributes to group by."""
    aggregate: Any = _aggregate_type(resource, enums, readers)
    description = "Aggregates of all items on all pages."
    fields = [read_field("aggregate", aggregate, description, readers.aggregate)]
    attributes = groupable(resource)
    if attributes:
        group: Any = _group_type(resource, attributes, aggregate, (enums, readers))
        arguments = [
            InputField(
                name="by",
                type=list[_attribute_enum(resource, attributes)],  # type: ignore[misc]  # created at run time
                description="The attributes to group and order by.",
                required=True,
            ),
            InputField(name="first", type=int, description="Return at most this many groups."),
        ]
        described = "Groups of all items on all pages, in ascending order, nulls last."
        read = strawberry.field(resolver=resolver(readers.groups, arguments), name="groupBy", description=described)
        fields.append(("groupBy", list[group], read))
    return fields


def _aggregate_type(resource: Resource, enums: Enums, readers: AggregateReaders) -> type:
    fields = [read_field("count", int, "How many there are.", readers.count)]
    for function, (what, how, _) in _WHAT.items():
        attributes = attributes_with(function, resource)
        if attributes:
            values = _values_type(resource, function, attributes, (enums, readers))
            description = f"{what}, {how}; null if there is no value."
            fields.append(read_field(function.value, Optional[values], description, _itself))  # noqa: UP045  # a class created at run time
    described = f"Aggregates of {resource.collection}."
    return _type(f"{resource.name}Aggregate", fields, described)


def _values_type(
    resource: Resource, function: Function, attributes: Sequence[Attribute], by: tuple[Enums, AggregateReaders]
) -> type:
    enums, readers = by
    what, _, each = _WHAT[function]
    fields = []
    for attribute in attributes:
        type_ = result_type(function, attribute.type)
        assert type_ is not None  # noqa: S101  # `attributes_with` has selected them
        annotation: Any = Optional[enums.annotation(type_)]  # noqa: UP045  # a NewType does not support `|` with None at run time
        reader = readers.value(function, attribute, enums.of(type_))
        described = each.format(attribute.name)
        fields += [read_field(name, annotation, described, reader, reason) for name, reason in names_of(attribute)]
    name = f"{resource.name}{function.value.capitalize()}"
    return _type(name, fields, f"{what} of attributes of the {resource.collection}.")


def _group_type(
    resource: Resource, attributes: Sequence[Attribute], aggregate: Any, by: tuple[Enums, AggregateReaders]
) -> type:
    enums, readers = by
    fields = [
        read_field(
            name,
            Optional[enums.annotation(each.type)],  # noqa: UP045  # as above
            each.description or f"Their {each.name}.",
            readers.key(each, enums.of(each.type)),
            reason,
        )
        for each in attributes
        for name, reason in names_of(each)
    ]
    described = "The attributes that identify a group; null for those that it is not grouped by."
    keys: Any = _type(f"{resource.name}GroupKeys", fields, described)
    members = [
        read_field("keys", keys, "The values that its members have in common.", lambda group: group),
        read_field("aggregate", aggregate, "Aggregates of its members.", lambda group: group.aggregate),
    ]
    described = f"A group of {resource.collection} with equal values of the attributes in `by`."
    return _type(f"{resource.name}Group", members, described)


def _attribute_enum(resource: Resource, attributes: Sequence[Attribute]) -> Any:
    taken = {name for each in attributes for name, _ in names_of(each)}
    members = {
        f"v_{name}": strawberry.enum_value(
            name,  # also for former names: Python's enums merge members with the same value
            name=free(f"{name}_", taken) if name in _NO_LABELS else name,
            description=each.description or f"By {each.name}.",
            deprecation_reason=reason,
        )
        for each in attributes
        for name, reason in names_of(each)
    }
    name = f"{resource.name}Attribute"
    class_: Any = enum.Enum(name, members)  # type: ignore[misc]  # created at run time
    return strawberry.enum(class_, name=name, description=f"What {resource.collection} can be grouped by.")


def _itself(aggregate: Any) -> Any:
    return aggregate


def _type(name: str, fields: Sequence[Field], description: str) -> type:
    class_ = type(name, (), {})
    define_type(class_, fields, name=name, description=description)
    return class_
