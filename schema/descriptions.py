"""Schema descriptions of resources, attributes and relations that neither the database nor the models describe."""

from collections.abc import Sequence
from typing import assert_never

from storage.catalog.model import Attribute, Catalog, Relation, Resource
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
    Opaque,
    Text,
    Time,
    Uuid,
    ValueType,
)

_MOST_LABELS = 20  # of an enum, in a description


def of_resource(resource: Resource) -> str:
    """Return the description of a resource's item type."""
    return resource.description or f"One of the {resource.collection}."


def of_collection(resource: Resource) -> str:
    """Return the description of a resource's collection."""
    return resource.description or f"The {resource.collection}."


def of_attribute(attribute: Attribute, resource: Resource, catalog: Catalog) -> str:
    """Return the description of an attribute: its purpose if it is known, otherwise its role or its type."""
    return attribute.description or " ".join(_derived(attribute.name, resource, catalog))


def _derived(name: str, resource: Resource, catalog: Catalog) -> list[str]:
    said = []
    if name in resource.key:
        said.append("The key." if len(resource.key) == 1 else "Part of the key.")
    elif name == resource.version:
        said.append("Counts the versions of the item.")
    target = next((each.target for each in resource.foreign_keys if each.attributes == (name,)), None)
    if target is not None:
        said.append(f"Refers to one of the {catalog.resources[target].collection}.")
    if not said:
        choices = resource.choices(name)
        said.append(_one_of(choices) if choices else _of_type(resource.attributes[name].type))
    if (name,) in resource.keys and name not in resource.key:
        said.append("Unique.")
    return said


def _one_of(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MOST_LABELS} more" if len(texts) > _MOST_LABELS else ""
    return f"One of: {', '.join(texts[:_MOST_LABELS])}{more}."


def _of_type(type_: ValueType) -> str:
    match type_:
        case Text(max_length=None):
            return "Text."
        case Text(max_length=length):
            return f"Text of up to {length} characters."
        case Integer():
            return "A whole number."
        case Float():
            return "A number."
        case Numeric(precision=int(digits), scale=scale) if scale:
            return f"A number of up to {digits} digits, {scale} of them after the decimal point."
        case Numeric(precision=int(digits)):
            return f"A whole number of up to {digits} digits."
        case Numeric():
            return "An exact number."
        case Boolean():
            return "True or false."
        case Date():
            return "A day."
        case Time():
            return "A time of day."
        case DateTime(aware=aware):
            return "A date and time, with its time zone." if aware else "A date and time, without time zone."
        case Uuid():
            return "A UUID."
        case Bytes(max_length=None):
            return "Bytes."
        case Bytes(max_length=length):
            return f"Up to {length} bytes."
        case Enumeration(labels=labels):
            return _one_of(labels)
        case JsonDocument():
            return "Any JSON value."
        case Opaque():
            return "Text, as the database writes it."
        case Anything():
            return "A number, text or bytes."
        case Array(of=of):
            return f"A list. Each element: {_of_type(of)}"
        case _:
            assert_never(type_)


def of_relation(relation: Relation, catalog: Catalog) -> str:
    """Return the description of a relation, which names its target."""
    target = catalog.target_of(relation).collection
    if relation.many:
        there, verb = " and ".join(relation.there), "refer" if len(relation.there) > 1 else "refers"
        return f"The {target} whose {there} {verb} to this item."
    verb = "refer" if len(relation.here) > 1 else "refers"
    return f"The item of {target} to which {' and '.join(relation.here)} {verb}."
