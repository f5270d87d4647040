"""The GraphQL enums of a catalog."""

import enum
from typing import Any

import strawberry

from schema.scalars import python_type, scalar_name
from storage.catalog.model import Catalog
from storage.catalog.naming import DERIVED_ENDINGS, TAKEN_TYPES, free, is_graphql_name, pascal
from storage.catalog.types import Array, Enumeration, ValueType


class Enums:
    """The GraphQL enums of a catalog, each created once, and the types of values that use them."""

    def __init__(self, catalog: Catalog) -> None:
        derived = (name + ending for name in catalog.resources for ending in DERIVED_ENDINGS)
        self._taken = {*TAKEN_TYPES, *catalog.resources, *derived}
        self._names: dict[Enumeration, str] = {}
        self._made: dict[Enumeration, Any] = {}
        for resource in catalog.resources.values():
            for attribute in resource.attributes.values():
                self._add(attribute.type)

    def _add(self, type_: ValueType) -> None:
        element = type_.of if isinstance(type_, Array) else type_
        if not isinstance(element, Enumeration) or element in self._made or not all(map(_is_value, element.labels)):
            return
        name = free(pascal(element.name or "Enum"), self.taken)
        members = [
            (f"v_{label}", strawberry.enum_value(label, name=label, description=f"The label {label}."))
            for label in element.labels
        ]
        class_: Any = enum.Enum(name, members)  # type: ignore[misc]  # created at run time
        self._names[element], self._made[element] = (
            name,
            strawberry.enum(class_, name=name, description="The labels that such an attribute takes."),
        )

    @property
    def taken(self) -> frozenset[str]:
        """The names of types in use: those of the schema, of resources and their derived types, and of the enums."""
        return frozenset({*self._taken, *self._names.values()})

    def of(self, type_: ValueType) -> Any:
        """Return the enum of a type or of its elements; None if it is not an enumeration of valid GraphQL names."""
        if isinstance(type_, Array):
            return self.of(type_.of)
        return self._made.get(type_) if isinstance(type_, Enumeration) else None

    def type_name(self, type_: ValueType) -> str:
        """Return the name of a value's GraphQL type."""
        if isinstance(type_, Array):
            return f"[{self.type_name(type_.of)}]"
        own = self._names.get(type_) if isinstance(type_, Enumeration) else None
        return own or scalar_name(type_)

    def annotation(self, type_: ValueType) -> Any:
        """Return the annotation for values of a type."""
        own = self.of(type_)
        if own is None:
            return python_type(type_)
        return list[own | None] if isinstance(type_, Array) else own  # type: ignore[valid-type]  # created at run time


def _is_value(label: str) -> bool:
    return is_graphql_name(label) and label not in {"true", "false", "null"}
