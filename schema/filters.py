"""Input types for the conditions on a collection (docs/contract.md, section 5): of each type, and of each resource."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional, assert_never

from schema.dynamic_types import InputField, and_former, define_input, make_input
from schema.enums import Enums
from storage.catalog.model import Attribute, Catalog, Relation
from storage.catalog.naming import free
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

_OPAQUE = "OpaqueFilter"
_AMONG = {
    "eq": "Equal to this.",
    "ne": "Not equal to this.",
    "in": "Equal to one of these.",
    "notIn": "Equal to none of these.",
}
_ORDERED = _AMONG | {
    "lt": "Less than this.",
    "lte": "Less than this, or equal to it.",
    "gt": "Greater than this.",
    "gte": "Greater than this, or equal to it.",
}
_TEXT = _ORDERED | {
    "like": "Like this pattern: % stands for any text, _ for any character, and \\ takes the next one as it is.",
    "ilike": "Like this pattern, in upper or lower case.",
    "startsWith": "Starts with exactly this text.",
    "endsWith": "Ends with exactly this text.",
    "contains": "Contains exactly this text.",
}
_BOOLEAN = {"eq": _AMONG["eq"], "ne": _AMONG["ne"]}
_ARRAY = {
    "eq": "Equal to this list.",
    "ne": "Not equal to this list.",
    "contains": "Has all of these elements.",
    "containedIn": "Has no other elements than these.",
    "overlaps": "Has at least one of these elements.",
}
_JSON = {
    "eq": "Equal to this, as jsonb compares.",
    "ne": "Not equal to this, as jsonb compares.",
    "contains": "Contains this (jsonb operator @>).",
    "containedIn": "Is contained in this (jsonb operator <@).",
    "hasKey": "Has this text as a key, or as an element.",
}


def filter_types(catalog: Catalog, enums: Enums, *, containment: bool) -> Mapping[str, type]:
    """Create the filter of each resource.

    `containment` is True if the database can compare JSON documents and search inside them.
    """
    filters = {name: type(f"{name}Filter", (), {}) for name in catalog.resources}
    lists = _list_filters(catalog, enums, filters)
    conditions = _Conditions(enums, containment=containment)
    for name, resource in catalog.resources.items():
        own: list[tuple[InputField, Sequence[str]]] = [
            *((_attribute_field(each, conditions), each.former_names) for each in resource.attributes.values()),
            *((_relation_field(each, filters, lists), each.former_names) for each in resource.relations.values()),
        ]
        define_input(
            filters[name],
            [*_logic(filters[name]), *(each for field, formers in own for each in and_former(field, formers))],
            description=f"Conditions on the {resource.collection}. All conditions must be met.",
        )
    return filters


def _logic(own: Any) -> list[InputField]:
    """Return the members that combine filters. The catalog reserves their names: a column "not" is attribute `not_`."""
    return [
        InputField(name="and", type=list[own], description="All of these hold."),
        InputField(name="or", type=list[own], description="At least one of these holds."),
        InputField(name="not", type=own, description="This does not hold."),
    ]


def _attribute_field(attribute: Attribute, conditions: "_Conditions") -> InputField:
    description = attribute.description or f"A condition on {attribute.name}."
    return InputField(name=attribute.name, type=conditions.of(attribute.type), description=description)


def _relation_field(relation: Relation, filters: Mapping[str, type], lists: Mapping[str, type]) -> InputField:
    if relation.many:
        description = "Conditions on some of them, on none, or on every one."
        return InputField(name=relation.name, type=lists[relation.target], description=description)
    description = "The related item exists and meets this condition."
    return InputField(name=relation.name, type=filters[relation.target], description=description)


def _list_filters(catalog: Catalog, enums: Enums, filters: Mapping[str, type]) -> dict[str, type]:
    relations = [each for resource in catalog.resources.values() for each in resource.relations.values()]
    targets = dict.fromkeys(relation.target for relation in relations if relation.many)
    return {
        name: make_input(
            _list_filter_name(name, catalog, enums),
            [
                InputField(name="some", type=filters[name], description="At least one of them meets this condition."),
                InputField(name="none", type=filters[name], description="None of them meets this condition."),
                InputField(
                    name="every", type=filters[name], description="All of them meet this condition, or there are none."
                ),
            ],
            description=f"Conditions on the {catalog.resources[name].collection} of an item."
            " All conditions must be met.",
        )
        for name in targets
    }


def _list_filter_name(resource: str, catalog: Catalog, enums: Enums) -> str:
    """Return the name of the filter of to-many relations.

    If the resources Price and PriceList both exist, PriceListFilter is the filter of PriceList itself.
    """
    name = f"{resource}ListFilter"
    return free(f"{name}_", enums.taken) if f"{resource}List" in catalog.resources else name


class _Conditions:
    """The conditions on attributes, each created once, and only if an attribute has its type."""

    def __init__(self, enums: Enums, *, containment: bool) -> None:
        self._enums = enums
        self._containment = containment
        self._made: dict[str, type] = {}
        self._of_enums: dict[str, str] = {}  # an enum or a list of it -> the name of its condition

    def of(self, type_: ValueType) -> type:
        """Return the condition on values of a type; create it on first use."""
        name = self._name(type_)
        if name not in self._made:
            what = "a text that is only compared as a whole" if name == _OPAQUE else self._enums.type_name(type_)
            description = f"Conditions on {what}. All conditions must be met."
            self._made[name] = make_input(name, self._fields(type_), description=description)
        return self._made[name]

    def _name(self, type_: ValueType) -> str:
        is_enum = self._enums.of(type_) is not None
        if isinstance(type_, Opaque | Enumeration) and not is_enum:
            return _OPAQUE
        own = self._enums.type_name(type_)
        name = f"{own.strip('[]')}ArrayFilter" if isinstance(type_, Array) else f"{own}Filter"
        if is_enum and own not in self._of_enums:
            self._of_enums[own] = free(name, {*self._enums.taken, *self._of_enums.values()})
        return self._of_enums.get(own, name)

    def _fields(self, type_: ValueType) -> list[InputField]:
        is_list = isinstance(type_, Array)
        element = self._enums.annotation(type_.of if isinstance(type_, Array) else type_)
        fields = [
            InputField(name=name, type=_operand(name, element, is_list=is_list), description=description)
            for name, description in _operators(type_, containment=self._containment).items()
        ]
        return [*fields, InputField(name="isNull", type=bool, description="True: it is null. False: it has a value.")]


def _operand(operator: str, element: Any, *, is_list: bool) -> Any:
    if operator == "hasKey":
        return str
    if is_list and operator in {"eq", "ne"}:  # whole lists, which can contain nulls; no other operator can match a null
        return list[Optional[element]]  # noqa: UP045  # `element` can be a string
    return list[element] if is_list or operator in {"in", "notIn"} else element


def _operators(type_: ValueType, *, containment: bool) -> Mapping[str, str]:
    match type_:
        case Text():
            return _TEXT
        case Integer() | Float() | Numeric() | Date() | Time() | DateTime() | Anything():
            return _ORDERED
        case Boolean():
            return _BOOLEAN
        case Enumeration() | Uuid() | Bytes() | Opaque():
            return _AMONG
        case Array():
            return _ARRAY
        case JsonDocument():
            return _JSON if containment else {}
        case _:
            assert_never(type_)
