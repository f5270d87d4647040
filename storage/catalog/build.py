"""Builds the catalog: what the database has, named by the rules, the models and the operator."""

from collections.abc import Callable, Sequence

from storage.catalog import naming
from storage.catalog.attributes import add_attributes, version_column
from storage.catalog.drafts import Draft, name_resources, present
from storage.catalog.facts import TableFacts
from storage.catalog.grouping import Grouping, grouping_of
from storage.catalog.model import Attribute, Catalog, Constraint, Resource, UniqueKey
from storage.catalog.models import Model, validator
from storage.catalog.overrides import AttributeOverride, CatalogError, Overrides, ResourceOverride
from storage.catalog.relations import add_foreign_keys, add_to_many, add_to_one, rename_relations
from storage.catalog.types import Integer, Text, Value
from storage.catalog.value_types import Dialect


def build_catalog(
    tables: Sequence[TableFacts],
    dialect: Dialect,
    *,
    models: Sequence[Model] = (),
    overrides: Overrides | None = None,
    checks_at_commit: bool = True,
) -> Catalog:
    """Build the catalog of what a database has; with models, of their tables only.

    Raises `CatalogError` where a name or a setting is wrong.
    """
    overrides = overrides or {}
    notices: list[str] = []
    drafts = _make_drafts(tables, models, overrides)
    name_resources(drafts, notices)
    for draft in drafts:
        add_attributes(draft, dialect, notices)
    by_table = {draft.facts.name: draft for draft in drafts}
    for draft in drafts:
        add_foreign_keys(draft, by_table, notices)
    for draft in drafts:
        add_to_one(draft, by_table)
    for draft in drafts:
        add_to_many(draft, by_table)
    for draft in drafts:
        rename_relations(draft)
    resources = {draft.name: _resource(draft, grouping_of(draft, by_table, tables), notices) for draft in drafts}
    if not resources:
        raise CatalogError("The database has no table that can be served: it is empty, or all is hidden.")
    return Catalog(resources=resources, notices=tuple(notices), checks_at_commit=checks_at_commit)


def _make_drafts(tables: Sequence[TableFacts], models: Sequence[Model], overrides: Overrides) -> list[Draft]:
    found = {table.name: table for table in tables}
    for name in overrides:
        if name not in found:
            raise CatalogError(f"partwise.toml has settings for the table {name!r}, which the database does not have.")
    by_table = {model.table: model for model in models}
    for model in models:
        table = found.get(model.table)
        if table is None:
            raise CatalogError(
                f"The model {model.name} needs the table {model.table!r}, which the database does not have. "
                "Start with --create-tables to make it."
            )
        missing = [column for column in model.columns if column not in table.sql_types]
        if missing:
            raise CatalogError(
                f"The model {model.name} needs the column {missing[0]!r}, which the table {model.table!r} does not have."
            )
    served = [table for table in tables if not models or table.name in by_table]
    drafts = [Draft(t, by_table.get(t.name), overrides.get(t.name, ResourceOverride())) for t in served]
    return [draft for draft in drafts if not draft.override.hidden]


def _resource(draft: Draft, grouping: Grouping, notices: list[str]) -> Resource:
    facts, model = draft.facts, draft.model
    key = draft.attributes_of(facts.primary_key) or ()
    if not key:
        kind = "a view" if facts.is_view else "a table without primary key"
        notices.append(f"{draft.name}: {facts.name!r} is {kind}, so it can only be read.")
    if facts.is_closed:
        notices.append(f"{draft.name}: our role may not change {facts.name!r}, so it can only be read.")
    for attribute in draft.attributes.values():
        for former in attribute.former_names:
            if former in draft.attributes or former in draft.relations or not naming.is_graphql_name(former):
                raise CatalogError(f"The former name {former!r} of {draft.name}.{attribute.name} is taken already.")
    unique = tuple(
        UniqueKey(attributes=attributes, deferred=columns in facts.deferred_unique)
        for columns in facts.unique
        if (attributes := draft.attributes_of(columns)) and set(attributes) != set(key)
    )
    notices += [
        f"{draft.name}: {attribute.name} is read only and has no default, so no item can be created."
        for attribute in draft.attributes.values()
        if draft.override.attributes.get(attribute.column, _OPEN).read_only and _cannot_be_left_out(attribute)
    ]
    notices += [
        f"{draft.name}: the relationship {name!r} is left out, it goes over a link table. That table's class serves it."
        for name in (model.many_to_many if model else ())
    ]
    version, next_version = _version(draft)
    return Resource(
        name=draft.name,
        collection=draft.collection,
        field=draft.root,
        table=facts.name,
        schema=facts.schema,
        attributes=dict(draft.attributes),
        key=key,
        unique_keys=unique,
        foreign_keys=tuple(draft.foreign_keys),
        relations=dict(draft.relations),
        constraints=_constraints(draft),
        read_only=draft.override.read_only or not key or facts.is_closed,
        version=version,
        next_version=next_version,
        counts_versions=next_version is _count,
        validate=None if model is None else validator(model, _fields(draft, model)),
        description=(model.description if model else None) or facts.comment,
        former_collections=present(draft.override.former_collection),
        is_view=facts.is_view,
        rowid=facts.rowid,
        has_triggers=facts.has_triggers,
        has_policies=facts.has_policies,
        deferred_keys=bool(facts.deferred_unique or facts.deferred_foreign),
        one_by_one=grouping.one_by_one,
        delete_spreads=grouping.delete_spreads,
        spreading=grouping.spreading,
    )


_OPEN = AttributeOverride()


def _cannot_be_left_out(attribute: Attribute) -> bool:
    return not attribute.nullable and not attribute.has_default


def _fields(draft: Draft, model: Model) -> dict[str, str]:
    """Lead from the model's fields to attributes."""
    return {name: draft.names[column] for column, name in model.fields.items() if column in draft.names}


def _constraints(draft: Draft) -> tuple[Constraint, ...]:
    found: dict[str, Constraint] = {}
    for constraint in draft.facts.constraints:
        attributes = tuple(draft.names[column] for column in constraint.columns if column in draft.names)
        if constraint.name not in found or constraint.choices:  # what PostgreSQL names first has no text
            lists_texts = len(attributes) == 1 and isinstance(draft.attributes[attributes[0]].type, Text)
            found[constraint.name] = Constraint(
                name=constraint.name, attributes=attributes, choices=constraint.choices if lists_texts else ()
            )
    return tuple(found.values())


def _version(draft: Draft) -> tuple[str | None, Callable[[Value], Value] | None]:
    column = version_column(draft)
    if column is None:
        return None, None
    name = draft.names.get(column)
    if name is None:
        raise CatalogError(f"The version column {column!r} of {draft.facts.name!r} does not exist, or is hidden.")
    if draft.override.version is None and draft.model is not None and draft.model.next_version is not None:
        return name, draft.model.next_version
    if not isinstance(draft.attributes[name].type, Integer):
        raise CatalogError(f"The version column {column!r} of {draft.facts.name!r} is no whole number.")
    return name, _count


def _count(version: Value) -> Value:
    return (version if isinstance(version, int) else 0) + 1
