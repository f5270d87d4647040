"""Aggregate functions (docs/contract.md, section 5): the attributes that have them, and the types of their results."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from storage.catalog.model import Attribute, Resource
from storage.catalog.types import Array, Bytes, Float, Integer, JsonDocument, Numeric, Opaque, ValueType

_LARGE = 64  # bits


class Function(Enum):
    """The aggregate functions. The values are the names in the API."""

    COUNT = "count"  # of rows
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A function of an attribute; `count` counts rows."""

    function: Function
    attribute: str = ""


COUNT = Aggregation(Function.COUNT)


def result_type(function: Function, type_: ValueType) -> ValueType | None:
    """Return the type of a function of an attribute's values, or None if the function does not apply."""
    match function, type_:
        case Function.COUNT, _:
            return Integer()
        case Function.SUM, Integer(bits=bits):
            return Numeric() if bits == _LARGE else Integer(bits=64)
        case Function.SUM, Float() | Numeric():
            return type_
        case Function.AVG, Integer() | Float() | Numeric():
            return Float()
        case ((Function.MIN | Function.MAX), _):
            return None if isinstance(type_, JsonDocument | Array | Opaque | Bytes) else type_
        case _:
            return None


def attributes_with(function: Function, resource: Resource) -> Sequence[Attribute]:
    """Return the attributes of a resource to which a function applies."""
    return [each for each in resource.attributes.values() if result_type(function, each.type) is not None]


def orderable(resource: Resource) -> Sequence[Attribute]:
    """Return the attributes by which items can be ordered."""
    return [each for each in resource.attributes.values() if not isinstance(each.type, JsonDocument | Array | Opaque)]


def groupable(resource: Resource) -> Sequence[Attribute]:
    """Return the attributes by which items can be grouped: those with a least value."""
    return attributes_with(Function.MIN, resource)
