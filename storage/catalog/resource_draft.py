"""The draft of a resource, and the names of types and root fields."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from storage.catalog import naming
from storage.catalog.model import Attribute, ForeignKey, Relation
from storage.catalog.models import Model
from storage.catalog.overrides import CatalogError, ResourceOverride
from storage.catalog.reflected import TableFacts


@dataclass(slots=True)
class Draft:
    """A resource under construction."""

    facts: TableFacts
    model: Model | None
    override: ResourceOverride
    name: str = ""
    collection: str = ""
    root: str = ""
    attributes: dict[str, Attribute] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # column -> attribute
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    relations: dict[str, Relation] = field(default_factory=dict)

    def attributes_of(self, columns: Iterable[str]) -> tuple[str, ...] | None:
        """Return the attributes of columns, or None if one of the columns is not served."""
        columns = tuple(columns)
        return tuple(self.names[column] for column in columns) if all(c in self.names for c in columns) else None


def name_resources(drafts: Sequence[Draft], notices: list[str]) -> None:
    """Set the names of types and root fields: configured names first, then derived ones, which yield in a conflict."""
    for draft in drafts:
        draft.name = draft.override.name or (draft.model.name if draft.model else naming.type_name(draft.facts.name))
        draft.root = naming.field_name(draft.name)
        draft.collection = draft.override.collection or naming.collection_name(draft.name)
    for draft in drafts:
        _check_given_names(draft, drafts)
    types = {*naming.TAKEN_TYPES, *(draft.name + ending for draft in drafts for ending in naming.DERIVED_ENDINGS)}
    roots = set(naming.TAKEN_ROOTS)
    for draft in sorted(drafts, key=lambda draft: not _has_given_name(draft)):
        _name_type(draft, types, notices)
        _name_roots(draft, roots)


def _has_given_name(draft: Draft) -> bool:
    override = draft.override
    return bool(override.name or override.collection or override.former_collection or draft.model)


def _check_given_names(draft: Draft, drafts: Sequence[Draft]) -> None:
    """Check that a configured name is valid and does not rename another table. Raises `CatalogError`."""
    override = draft.override
    for name in present(override.name) + present(override.collection) + present(override.former_collection):
        if not naming.is_graphql_name(name):
            raise CatalogError(f"{name!r}, a name for the table {draft.facts.name!r}, is not a valid GraphQL name.")
        holders = [d.facts.name for d in drafts if d is not draft and name in {d.name, d.root, d.collection}]
        if holders:
            raise CatalogError(
                f"The name {name!r} for the table {draft.facts.name!r} is taken by the table {holders[0]!r}."
            )


def _name_type(draft: Draft, types: set[str], notices: list[str]) -> None:
    own = draft.name
    while draft.name in types or any(draft.name + ending in naming.TAKEN_TYPES for ending in naming.DERIVED_ENDINGS):
        draft.name += "_"
    if draft.name != own and (draft.override.name or draft.model):
        raise CatalogError(f"The type name {own!r} of the table {draft.facts.name!r} is already in use.")
    if draft.name != own:
        notices.append(f"The table {draft.facts.name!r} is served as {draft.name}: the name {own} is taken.")
    types |= {draft.name, *(draft.name + ending for ending in naming.DERIVED_ENDINGS)}


def _name_roots(draft: Draft, roots: set[str]) -> None:
    formers = present(draft.override.former_collection)
    taken = {draft.root, draft.collection, *formers} & roots
    if taken and _has_given_name(draft):
        raise CatalogError(f"The name {min(taken)!r} of the table {draft.facts.name!r} is already in use.")
    draft.root = naming.free(draft.root, roots)
    draft.collection = naming.free(draft.collection, {*roots, draft.root})
    roots |= {draft.root, draft.collection, *formers}


def present(name: str | None) -> tuple[str, ...]:
    """Return a tuple of the name, or an empty one if there is no name."""
    return (name,) if name else ()
