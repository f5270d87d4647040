"""What there is: resources, attributes, keys and relations; from a reflected database, from SQLModel classes."""

from storage.catalog.model import (
    Attribute,
    Catalog,
    Constraint,
    ForeignKey,
    Generation,
    Relation,
    Resource,
    UniqueKey,
    Values,
)
from storage.catalog.overrides import AttributeOverride, CatalogError, Overrides, ResourceOverride

__all__ = [
    "Attribute",
    "AttributeOverride",
    "Catalog",
    "CatalogError",
    "Constraint",
    "ForeignKey",
    "Generation",
    "Overrides",
    "Relation",
    "Resource",
    "ResourceOverride",
    "UniqueKey",
    "Values",
]
