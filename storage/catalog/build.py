"""Construction of the catalog from the database, with names from the rules, the models and the operator."""

from collections.abc import Callable, Collection, Iterator, Sequence

from storage.catalog import naming, versions
from storage.catalog.attributes import add_attributes, all_drafts, in_utf_8, version_column
from storage.catalog.batching_rules import Grouping, grouping_of
from storage.catalog.constraints import checks_of, columns_of, indexes_of
from storage.catalog.model import Attribute, Catalog, Constraint, Resource, UniqueKey
from storage.catalog.models import Model, validator
from storage.catalog.overrides import AttributeOverride, CatalogError, Overrides, ResourceOverride
from storage.catalog.reflected import TableFacts
from storage.catalog.relations import add_foreign_keys, add_to_many, add_to_one, rename_relations
from storage.catalog.resource_draft import Draft, name_resources, present
from storage.catalog.rights import Operations, operations_of, unreadable_tables
from storage.catalog.types import Integer, Value, is_utf_8
from storage.catalog.value_types import Dialect


def build_catalog(
    tables: Sequence[TableFacts],
    dialect: Dialect,
    *,
    models: Sequence[Model] = (),
    overrides: Overrides | None = None,
    checks_at_commit: bool = True,
) -> Catalog:
    """Build the catalog of a database. With models, it contains only their tables.

    Raises `CatalogError` if a name or a setting is wrong.
    """
    overrides = overrides or {}
    notices: list[str] = []
    tables = _named_in_utf_8(tables, notices)
    drafts = _make_drafts(tables, models, overrides, notices)
    notices += _left_out(tables, overrides)
    name_resources(drafts, notices)
    every = all_drafts(drafts, tables)
    for draft in drafts:
        add_attributes(draft, dialect, notices, every)
    by_table = {draft.facts.name: draft for draft in drafts}
    for draft in drafts:
        notices += _below(draft, by_table)
    for draft in drafts:
        add_foreign_keys(draft, by_table, notices)
    for draft in drafts:
        add_to_one(draft, by_table)
    for draft in drafts:
        add_to_many(draft, by_table)
    for draft in drafts:
        rename_relations(draft)
    resources = {
        draft.name: _resource(draft, grouping_of(draft, by_table, tables), dialect, notices) for draft in drafts
    }
    if not resources:
        raise CatalogError(
            " ".join(
                [
                    "The database does not contain a table that can be served: it is empty, or all tables are hidden.",
                    *notices,
                ]
            )
        )
    return Catalog(resources=resources, notices=tuple(notices), checks_at_commit=checks_at_commit)


def _left_out(tables: Sequence[TableFacts], overrides: Overrides) -> list[str]:
    """Describe the tables that are not served, grouped by reason."""
    by_reason: dict[str, list[str]] = {}
    for table in tables:
        if table.left_out is not None and table.name not in overrides:
            by_reason.setdefault(table.left_out, []).append(table.name)
    return [f"Not served: {', '.join(sorted(names))} ({why})." for why, names in by_reason.items()]


def _named_in_utf_8(tables: Sequence[TableFacts], notices: list[str]) -> list[TableFacts]:
    """Return the tables without those whose names are not valid UTF-8, because no statement can refer to them."""
    notices += [
        f"The table {table.name!r} is not served because its name is not UTF-8."
        for table in tables
        if not is_utf_8(table.name)
    ]
    return [table for table in tables if is_utf_8(table.name)]


def _make_drafts(
    tables: Sequence[TableFacts], models: Sequence[Model], overrides: Overrides, notices: list[str]
) -> list[Draft]:
    found = {table.name: table for table in tables}
    for name, override in overrides.items():
        if name not in found:
            raise CatalogError(f"partwise.toml has settings for the table {name!r}, which the database does not have.")
        why = found[name].left_out
        if why is not None and override != ResourceOverride(hidden=True):
            raise CatalogError(
                f"partwise.toml has settings for the table {name!r}, which is not served ({why}). Remove them."
            )
    by_table = {model.table: model for model in models}
    for model in models:
        table = found.get(model.table)
        if table is None:
            raise CatalogError(
                f"The model {model.name} needs the table {model.table!r}, which the database does not have. "
                "Start with --create-tables to create it."
            )
        if table.left_out is not None:
            raise CatalogError(
                f"The model {model.name} needs the table {model.table!r}, which cannot be served ({table.left_out})."
            )
        missing = [column for column in model.columns if column not in table.sql_types]
        if missing:
            raise CatalogError(
                f"The model {model.name} needs the column {missing[0]!r}, which the table {model.table!r} does not have."
            )
        unread = [column for column in model.columns if column in table.rights.not_read or not table.rights.can_read]
        if unread:
            raise CatalogError(
                f'The model {model.name} needs the column {unread[0]!r} of table {model.table!r}: role "{table.rights.role}" '
                "has no SELECT privilege on it."
            )
    served = [table for table in tables if table.left_out is None and (not models or table.name in by_table)]
    drafts = [Draft(t, by_table.get(t.name), overrides.get(t.name, ResourceOverride())) for t in served]
    readable = {table.name for table in tables if table.rights.can_read}
    shown = [draft for draft in drafts if not _is_hidden(draft, readable)]
    notices += unreadable_tables([draft.facts for draft in shown if not draft.facts.rights.can_read])
    return [draft for draft in shown if draft.facts.rights.can_read]


def _is_hidden(draft: Draft, readable: Collection[str]) -> bool:
    """Return True if a table is hidden.

    The rows of a partition or an inheriting table are served through its parent.
    """
    if draft.override.hidden is not None or draft.model is not None:
        return bool(draft.override.hidden)
    return any(table in readable for table in draft.facts.family.above)


def _below(draft: Draft, served: Collection[str]) -> Iterator[str]:
    """Describe the partitions or inheriting tables that are not resources of their own."""
    hidden = [table for table in draft.facts.family.below if table not in served]
    if hidden:
        listed = ", ".join(hidden[:_LISTED]) + (f" and {len(hidden) - _LISTED} more" if len(hidden) > _LISTED else "")
        if draft.facts.family.is_inherited:
            kind = "table inherits from" if len(hidden) == 1 else "tables inherit from"
        else:
            kind = "partition belongs to" if len(hidden) == 1 else "partitions belong to"
        yield (
            f"{draft.name}: {len(hidden)} {kind} it and {'is' if len(hidden) == 1 else 'are'} served as part of it ({listed}). "
            f"For a resource of its own, set hidden = false in [resources.{hidden[0]}]."
        )


def _resource(draft: Draft, grouping: Grouping, dialect: Dialect, notices: list[str]) -> Resource:
    facts, model = draft.facts, draft.model
    key = draft.attributes_of(facts.primary_key) or ()
    may_be_part = facts.part_of is not None and draft.override.read_only is not False
    notices += _limits_of_writing(draft, has_key=bool(key), may_be_part=may_be_part)
    operations = Operations()
    if key and not draft.override.read_only:
        operations = operations_of(draft, version_column(draft), notices)
    for attribute in draft.attributes.values():
        for former in attribute.former_names:
            if former in draft.attributes or former in draft.relations or not naming.is_graphql_name(former):
                raise CatalogError(f"The former name {former!r} of {draft.name}.{attribute.name} is already in use.")
    unique = tuple(
        UniqueKey(
            attributes=attributes, deferred=columns in facts.deferred_unique, name=facts.unique_names.get(columns)
        )
        for columns in facts.unique
        if (attributes := draft.attributes_of(columns)) and set(attributes) != set(key)
    )
    notices += [
        f"{draft.name}: {attribute.name} is read only and has no default, so no item can be created."
        for attribute in draft.attributes.values()
        if draft.override.attributes.get(attribute.column, _OPEN).read_only and _cannot_be_left_out(attribute)
    ]
    notices += [
        f"{draft.name}: the relationship {name!r} is skipped because it uses a link table. "
        "Use the class of that table instead."
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
        columns=columns_of(draft),
        checks=checks_of(draft, dialect),
        indexes=indexes_of(draft),
        key_constraint=facts.unique_names.get(facts.primary_key),
        read_only=bool(draft.override.read_only)
        or facts.is_virtual
        or may_be_part
        or not key
        or not (operations.create or operations.update or operations.delete),
        can_create=operations.create,
        can_update=operations.update,
        can_delete=operations.delete,
        can_lock=operations.lock,
        version=version,
        next_version=next_version,
        counts_versions=next_version is versions.next_version,
        validate=None if model is None else validator(model, _fields(draft, model)),
        description=(model.description if model else None) or in_utf_8(facts.comment),
        former_collections=present(draft.override.former_collection),
        is_view=facts.is_view,
        rowid=facts.rowid,
        has_triggers=facts.has_triggers,
        is_inherited=facts.family.is_inherited,
        copies=facts.family.copies,
        partitioned_by={
            table: tuple(draft.names[column] for column in columns if column in draft.names)
            for table, columns in facts.family.partitioned_by.items()
        },
        unserved_columns=frozenset(facts.sql_types).difference(draft.names),
        has_before_triggers=facts.has_before_triggers,
        has_policies=facts.has_policies,
        deferred_keys=bool(facts.deferred_unique or facts.deferred_foreign),
        unbatchable_reasons=grouping.unbatchable_reasons,
        delete_cascades=grouping.delete_cascades,
        cascading_attributes=grouping.cascading_attributes,
    )


def _limits_of_writing(draft: Draft, *, has_key: bool, may_be_part: bool) -> Iterator[str]:
    """Describe why items are read-only, or which writes the database cannot run."""
    facts = draft.facts
    start = f"{draft.name}: {facts.name!r}"
    if facts.is_virtual:
        yield f"{start} is a virtual table, so it can only be read."
        return
    if not has_key and not facts.rights.not_read.intersection(facts.primary_key):
        yield f"{start} is {'a view' if facts.is_view else 'a table without primary key'}, so it can only be read."
    elif has_key and may_be_part:
        yield (
            f"{start} can only be read, because it may belong to the virtual table {facts.part_of!r}, whose module this "
            "SQLite does not have. If it is a table of its own, set read_only = false for it."
        )
    kinds: dict[str, list[str]] = {}
    for statement, why in facts.refused.items():
        kinds.setdefault(why, []).append(statement)
    for why, statements in kinds.items():
        yield (
            f"{draft.name}: {' and '.join(statements)} can fail on {facts.name!r}, because a trigger, check, index or computed "
            f"column needs what this SQLite does not have ({why})."
        )


_OPEN = AttributeOverride()
_LISTED = 5  # names in a note


def _cannot_be_left_out(attribute: Attribute) -> bool:
    return not attribute.nullable and not attribute.has_default


def _fields(draft: Draft, model: Model) -> dict[str, str]:
    """Map the model's fields to attributes."""
    return {name: draft.names[column] for column, name in model.fields.items() if column in draft.names}


def _constraints(draft: Draft) -> tuple[Constraint, ...]:
    found: dict[str, Constraint] = {}
    below: list[Constraint] = []
    for constraint in draft.facts.constraints:
        attributes = tuple(draft.names[column] for column in constraint.columns if column in draft.names)
        if constraint.table is not None:
            below.append(Constraint(name=constraint.name, attributes=attributes, table=constraint.table))
        else:
            found.setdefault(constraint.name, Constraint(name=constraint.name, attributes=attributes))
    return (*found.values(), *below)


def _version(draft: Draft) -> tuple[str | None, Callable[[Value], Value] | None]:
    column = version_column(draft)
    if column is None:
        return None, None
    name = draft.names.get(column)
    if column in draft.facts.rights.not_read:
        role = draft.facts.rights.role
        raise CatalogError(
            f'The version column {column!r} of {draft.facts.name!r} cannot be read: role "{role}" has no SELECT privilege on it.'
        )
    if name is None:
        raise CatalogError(f"The version column {column!r} of {draft.facts.name!r} does not exist, or is hidden.")
    if draft.override.version is None and draft.model is not None and draft.model.next_version is not None:
        return name, draft.model.next_version
    if not isinstance(draft.attributes[name].type, Integer):
        raise CatalogError(f"The version column {column!r} of {draft.facts.name!r} is no whole number.")
    return name, versions.next_version
