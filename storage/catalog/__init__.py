"""The catalog: resources, attributes, keys and relations, from a reflected database and from SQLModel classes."""

from storage.catalog.model import (
    Attribute,
    Catalog,
    Check,
    Column,
    Constraint,
    ForeignKey,
    Generation,
    Relation,
    Resource,
    UniqueIndex,
    UniqueKey,
    Values,
)
from storage.catalog.overrides import AttributeOverride, CatalogError, CheckOverride, Overrides, ResourceOverride

__all__ = [
    "Attribute",
    "AttributeOverride",
    "Catalog",
    "CatalogError",
    "Check",
    "CheckOverride",
    "Column",
    "Constraint",
    "ForeignKey",
    "Generation",
    "Overrides",
    "Relation",
    "Resource",
    "ResourceOverride",
    "UniqueIndex",
    "UniqueKey",
    "Values",
]
