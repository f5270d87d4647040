"""Input types for the order of a collection (docs/contract.md, section 5)."""

import enum
from collections.abc import Mapping
from typing import Any

import strawberry

from schema.dynamic_types import InputField, and_former, define_input
from storage.catalog.aggregation import orderable
from storage.catalog.model import Catalog, Relation, Resource


@strawberry.enum(description="The sort direction.")
class Direction(enum.Enum):
    """The sort direction."""

    ASC = strawberry.enum_value("ASC", description="Ascending, nulls last.")
    DESC = strawberry.enum_value("DESC", description="Descending, nulls last.")
    ASC_NULLS_FIRST = strawberry.enum_value("ASC_NULLS_FIRST", description="Ascending, nulls first.")
    ASC_NULLS_LAST = strawberry.enum_value("ASC_NULLS_LAST", description="Ascending, nulls last.")
    DESC_NULLS_FIRST = strawberry.enum_value("DESC_NULLS_FIRST", description="Descending, nulls first.")
    DESC_NULLS_LAST = strawberry.enum_value("DESC_NULLS_LAST", description="Descending, nulls last.")


def order_types(catalog: Catalog) -> Mapping[str, type]:
    """Create the order type of each resource that can be ordered."""
    orders: dict[str, Any] = {name: type(f"{name}OrderBy", (), {}) for name in _orderable(catalog)}
    for name, class_ in orders.items():
        resource = catalog.resources[name]
        attributes = [
            field
            for each in orderable(resource)
            for field in and_former(
                InputField(name=each.name, type=Direction, description=f"By {each.name}."), each.former_names
            )
        ]
        description = "By an attribute of that item; without one, as null."
        relations = [
            field
            for each in _to_one(resource)
            if each.target in orders
            for field in and_former(
                InputField(name=each.name, type=orders[each.target], description=description), each.former_names
            )
        ]
        define_input(
            class_,
            [*attributes, *relations],
            description=f"What the {resource.collection} are ordered by. Exactly one member.",
            one_of=True,
        )
    return orders


def _orderable(catalog: Catalog) -> list[str]:
    """Return the resources with an orderable attribute, or with a to-one relation to such a resource, at any depth."""
    found = {name for name, resource in catalog.resources.items() if orderable(resource)}
    grows = True
    while grows:
        more = {
            name
            for name, resource in catalog.resources.items()
            if name not in found and any(each.target in found for each in _to_one(resource))
        }
        found |= more
        grows = bool(more)
    return [name for name in catalog.resources if name in found]


def _to_one(resource: Resource) -> list[Relation]:
    return [each for each in resource.relations.values() if not each.many]
