"""Derivation of relations from foreign keys, with their names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from storage.catalog import naming
from storage.catalog.model import ForeignKey, Relation
from storage.catalog.models import Model, ModelRelation
from storage.catalog.overrides import CatalogError
from storage.catalog.reflected import ForeignKeyFacts
from storage.catalog.resource_draft import Draft
from storage.catalog.types import Text


def add_foreign_keys(draft: Draft, by_table: Mapping[str, Draft], notices: list[str]) -> None:
    """Add the foreign keys of a resource to others that are served. Raises `CatalogError`."""
    for key in draft.facts.foreign_keys:
        target = by_table.get(key.target_table) if key.target_schema is None else None
        attributes = draft.attributes_of(key.columns)
        target_attributes = target.attributes_of(key.target_columns) if target else None
        if target is None or attributes is None or not target_attributes:
            columns = ", ".join(key.columns)
            reason = f"{key.target_table!r} or its key is not served"
            if attributes is None:
                reason = "this column is not served" if len(key.columns) == 1 else "not all of these columns are served"
            notices.append(f"{draft.name}: no relation over {columns}, because {reason}.")
            continue
        _check_formats(draft, attributes, target, target_attributes)
        if key.unserved:
            notices.append(_no_index(draft, key))
        draft.foreign_keys.append(
            ForeignKey(
                name=key.name,
                attributes=attributes,
                target=target.name,
                target_attributes=target_attributes,
                deferred=key.columns in draft.facts.deferred_foreign,
                collated=_is_collated(draft, attributes) or _is_collated(target, target_attributes),
                collations=key.collations,
                on_delete=key.on_delete,
                on_update=key.on_update,
            )
        )


def _check_formats(draft: Draft, attributes: Iterable[str], target: Draft, there: Iterable[str]) -> None:
    """Check that both ends of a foreign key have the same format of dates and times. Raises `CatalogError`."""
    for name, other in zip(attributes, there, strict=True):
        one, two = draft.attributes[name], target.attributes[other]
        if one.format is not two.format:
            raise CatalogError(
                f"{draft.facts.name}.{one.column} refers to {target.facts.name}.{two.column}: "
                "set the same format for both in partwise.toml."
            )


def _no_index(draft: Draft, key: ForeignKeyFacts) -> str:
    """Return the notice for a relation that is read without an index, with the statement that creates one."""
    columns = ", ".join(f"{_quoted(name)} COLLATE {how}" for name, how in zip(key.columns, key.unserved, strict=True))
    name = _quoted("_".join((draft.facts.name, *key.columns, "collated")))
    return (
        f"{draft.name}: the relation over {', '.join(key.columns)} cannot use an existing index, because it "
        f"compares values as {key.target_table!r} does and the existing indexes do not. "
        f"To add a suitable index, run CREATE INDEX {name} ON {_quoted(draft.facts.name)} ({columns})"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_collated(draft: Draft, attributes: Iterable[str]) -> bool:
    return draft.facts.is_collated and any(isinstance(draft.attributes[name].type, Text) for name in attributes)


def _columns(draft: Draft, attributes: Iterable[str]) -> tuple[str, ...]:
    return tuple(draft.attributes[name].column for name in attributes)


def _given_name(model: Model | None, wanted: Callable[[ModelRelation], bool]) -> str | None:
    """Return the name of a model's Relationship for a foreign key, or None."""
    return next((relation.name for relation in model.relations if wanted(relation)), None) if model else None


def add_to_one(draft: Draft, by_table: Mapping[str, Draft]) -> None:
    """Add the to-one relations of a resource. Raises `CatalogError`."""
    names = {each.name: each for each in by_table.values()}
    for key in draft.foreign_keys:
        columns = _columns(draft, key.attributes)
        given = _given_name(draft.model, lambda r, columns=columns: not r.many and r.columns == columns)  # type: ignore[misc]
        derived = naming.to_one_name(columns, names[key.target].name)
        _add_relation(draft, given, derived, Relation(name="", many=False, target=key.target, foreign_key=key))


def add_to_many(draft: Draft, by_table: Mapping[str, Draft]) -> None:
    """Add the to-many relations of a resource. Raises `CatalogError`."""
    for child in by_table.values():
        for key in child.foreign_keys:
            if key.target != draft.name or not child.facts.primary_key:
                continue
            columns = _columns(child, key.attributes)
            table = child.facts.name
            given = _given_name(
                draft.model,
                lambda r, columns=columns, table=table: r.many and r.target_table == table and r.columns == columns,  # type: ignore[misc]
            )
            derived = naming.to_many_name(columns, child.collection, draft.name)
            former = child.override.former_collection
            formers = (naming.to_many_name(columns, former, draft.name),) if former and not given else ()
            relation = Relation(name="", many=True, target=child.name, foreign_key=key, former_names=formers)
            _add_relation(draft, given, derived, relation)


def _add_relation(draft: Draft, given: str | None, derived: str, relation: Relation) -> None:
    taken = {*draft.attributes, *draft.relations, *naming.TAKEN_ATTRIBUTES}
    if given is not None and given in taken:
        raise CatalogError(f"The relationship {given!r} of {draft.name} has a name that is already in use.")
    name = given or naming.free(derived, taken)
    draft.relations[name] = replace(relation, name=name)


def rename_relations(draft: Draft) -> None:
    """Rename relations as the operator has configured. Raises `CatalogError`."""
    for derived, own in draft.override.relations.items():
        if derived not in draft.relations:
            known = ", ".join(draft.relations) or "none"
            raise CatalogError(f"partwise.toml renames the relation {derived!r}; {draft.name} has: {known}.")
        relation = draft.relations.pop(derived)
        if own in {*draft.attributes, *draft.relations, *naming.TAKEN_ATTRIBUTES} or not naming.is_graphql_name(own):
            raise CatalogError(
                f"The relation name {own!r} of {draft.name} is already taken or is not a valid GraphQL name."
            )
        draft.relations[own] = replace(relation, name=own)
