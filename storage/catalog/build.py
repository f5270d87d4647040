"""Builds the catalog: what the database has, named by the rules, the models and the operator."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from storage.catalog import naming
from storage.catalog.model import (
    Attribute,
    Catalog,
    Constraint,
    ForeignKey,
    Generation,
    Relation,
    Resource,
    UniqueKey,
)
from storage.catalog.models import Model, ModelRelation, column_default, default_of, validator
from storage.catalog.overrides import AttributeOverride, CatalogError, Overrides, ResourceOverride
from storage.catalog.reflection import TableFacts, is_aware, is_known
from storage.catalog.types import (
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
    Value,
    ValueType,
)
from storage.catalog.value_types import Dialect, value_type

# What `type = "…"` of an attribute in partwise.toml can say.
TYPES_BY_NAME: Mapping[str, ValueType] = {
    "Int": Integer(),
    "BigInt": Integer(bits=64),
    "Float": Float(),
    "Decimal": Numeric(),
    "String": Text(),
    "Boolean": Boolean(),
    "Date": Date(),
    "Time": Time(),
    "DateTime": DateTime(),
    "UUID": Uuid(),
    "Base64": Bytes(),
    "JSON": JsonDocument(),
}


@dataclass(slots=True)
class _Draft:
    """A resource in the making."""

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
        """Name the attributes of columns; None where one of them is not served."""
        columns = tuple(columns)
        return tuple(self.names[column] for column in columns) if all(c in self.names for c in columns) else None


def build_catalog(
    tables: Sequence[TableFacts], dialect: Dialect, *, models: Sequence[Model] = (), overrides: Overrides | None = None
) -> Catalog:
    """Build the catalog of what a database has; with models, of their tables only.

    Raises `CatalogError` where a name or a setting is wrong.
    """
    overrides = overrides or {}
    notices: list[str] = []
    drafts = _drafts(tables, models, overrides)
    _name_resources(drafts, notices)
    for draft in drafts:
        _add_attributes(draft, dialect, notices)
    by_table = {draft.facts.name: draft for draft in drafts}
    for draft in drafts:
        _add_foreign_keys(draft, by_table, notices)
    for draft in drafts:
        _add_to_one(draft, by_table)
    for draft in drafts:
        _add_to_many(draft, by_table)
    for draft in drafts:
        _rename_relations(draft)
    resources = {draft.name: _resource(draft, notices) for draft in drafts}
    if not resources:
        raise CatalogError("The database has no table that can be served: it is empty, or all is hidden.")
    return Catalog(resources=resources, notices=tuple(notices))


def _drafts(tables: Sequence[TableFacts], models: Sequence[Model], overrides: Overrides) -> list[_Draft]:
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
    drafts = [_Draft(t, by_table.get(t.name), overrides.get(t.name, ResourceOverride())) for t in served]
    return [draft for draft in drafts if not draft.override.hidden]


def _name_resources(drafts: Sequence[_Draft], notices: list[str]) -> None:
    """Name types and root fields: first those that are given, then those that are derived and have to make room."""
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


def _has_given_name(draft: _Draft) -> bool:
    override = draft.override
    return bool(override.name or override.collection or override.former_collection or draft.model)


def _check_given_names(draft: _Draft, drafts: Sequence[_Draft]) -> None:
    """A name that an operator gives never renames another table."""
    override = draft.override
    for name in _present(override.name) + _present(override.collection) + _present(override.former_collection):
        if not naming.is_graphql_name(name):
            raise CatalogError(f"{name!r}, a name for the table {draft.facts.name!r}, is no GraphQL name.")
        holders = [d.facts.name for d in drafts if d is not draft and name in {d.name, d.root, d.collection}]
        if holders:
            raise CatalogError(
                f"The name {name!r} for the table {draft.facts.name!r} is taken by the table {holders[0]!r}."
            )


def _name_type(draft: _Draft, types: set[str], notices: list[str]) -> None:
    own = draft.name
    while draft.name in types or any(draft.name + ending in naming.TAKEN_TYPES for ending in naming.DERIVED_ENDINGS):
        draft.name += "_"
    if draft.name != own and (draft.override.name or draft.model):
        raise CatalogError(f"The type name {own!r} of the table {draft.facts.name!r} is taken already.")
    if draft.name != own:
        notices.append(f"The table {draft.facts.name!r} is served as {draft.name}: the name {own} is taken.")
    types |= {draft.name, *(draft.name + ending for ending in naming.DERIVED_ENDINGS)}


def _name_roots(draft: _Draft, roots: set[str]) -> None:
    formers = _present(draft.override.former_collection)
    taken = {draft.root, draft.collection, *formers} & roots
    if taken and _has_given_name(draft):
        raise CatalogError(f"The name {min(taken)!r} of the table {draft.facts.name!r} is taken already.")
    draft.root = naming.free(draft.root, roots)
    draft.collection = naming.free(draft.collection, {*roots, draft.root})
    roots |= {draft.root, draft.collection, *formers}


def _present(name: str | None) -> tuple[str, ...]:
    return (name,) if name else ()


def _add_attributes(draft: _Draft, dialect: Dialect, notices: list[str]) -> None:
    facts, model = draft.facts, draft.model
    for wrong in draft.override.attributes:
        if wrong not in facts.sql_types:
            raise CatalogError(
                f"partwise.toml has settings for the column {wrong!r}, which {facts.name!r} does not have."
            )
    for column in facts.columns:
        name = column["name"]
        override = draft.override.attributes.get(name, AttributeOverride())
        if override.hidden or (model is not None and name not in model.columns):
            _check_hidden_key(draft, name)
            continue
        type_ = _type_of(draft, column, override, dialect)
        if type_ is None:
            notices.append(f"{draft.name}: the column {name!r} is left out, its type is known to its own code only.")
            continue
        own = override.name or naming.camel(model.fields.get(name, name) if model else name)
        clash = own in draft.attributes or own in naming.TAKEN_ATTRIBUTES
        if clash and override.name:
            raise CatalogError(f"The attribute name {own!r} of {draft.name} is taken already.")
        if not naming.is_graphql_name(own):
            raise CatalogError(f"{own!r}, the name for the column {name!r} of {draft.name}, is no GraphQL name.")
        own = naming.free(own, {*draft.attributes, *naming.TAKEN_ATTRIBUTES})
        draft.names[name] = own
        draft.attributes[own] = _attribute(own, column, type_, override, draft)


def _check_hidden_key(draft: _Draft, column: str) -> None:
    if column in draft.facts.primary_key:
        raise CatalogError(f"The column {column!r} is part of the key of {draft.facts.name!r}: it cannot be hidden.")


def _type_of(draft: _Draft, column: object, override: AttributeOverride, dialect: Dialect) -> ValueType | None:
    name, reflected = column["name"], column["type"]  # type: ignore[index]  # a ReflectedColumn
    if override.type is not None:
        if dialect != "sqlite":
            raise CatalogError(f"The type of {draft.facts.name}.{name} cannot be set: only SQLite leaves it open.")
        if override.type not in TYPES_BY_NAME:
            known = ", ".join(TYPES_BY_NAME)
            raise CatalogError(f"{override.type!r}, the type for {draft.facts.name}.{name}, is none of {known}.")
        return TYPES_BY_NAME[override.type]
    if draft.model is not None:
        own = value_type(draft.model.columns[name].type, dialect)
        if dialect == "sqlite" or own is None or isinstance(own, Enumeration):
            return own
    if dialect == "sqlite" and is_aware(draft.facts.sql_types[name]):
        return DateTime(aware=True)
    if dialect == "sqlite" and not is_known(draft.facts.sql_types[name]):
        return Opaque()
    return value_type(reflected, dialect)


def _attribute(own: str, column: object, type_: ValueType, override: AttributeOverride, draft: _Draft) -> Attribute:
    facts, model = draft.facts, draft.model
    name, default = column["name"], column["default"]  # type: ignore[index]  # a ReflectedColumn
    generation = _generation(column, draft)
    has_sql_default = generation is Generation.NEVER and default is not None and str(default).upper() != "NULL"
    model_column = model.columns[name] if model else None
    return Attribute(
        name=own,
        column=name,
        type=type_,
        sql_type=facts.sql_types[name],
        nullable=bool(column["nullable"]) and name not in facts.primary_key,  # type: ignore[index]
        generation=generation,
        read_only=generation is Generation.ALWAYS or override.read_only or name == _version_column(draft),
        default_sql=str(default) if has_sql_default else None,
        default=default_of(model, name) if model else None,
        on_update=column_default(model_column, "onupdate") if model_column is not None else None,
        description=(model.descriptions.get(name) if model else None) or column.get("comment"),  # type: ignore[attr-defined]
        former_names=_present(override.former_name),
    )


def _version_column(draft: _Draft) -> str | None:
    return draft.override.version or (draft.model.version_column if draft.model else None)


def _generation(column: object, draft: _Draft) -> Generation:
    identity, default = column.get("identity"), column["default"]  # type: ignore[attr-defined,index]
    if column.get("computed") or (identity and identity["always"]):  # type: ignore[attr-defined]
        return Generation.ALWAYS
    by_rowid = draft.facts.rowid_key and (column["name"],) == draft.facts.primary_key  # type: ignore[index]
    if identity or by_rowid or (default is not None and "nextval(" in default):
        return Generation.WHEN_ABSENT
    return Generation.NEVER


def _add_foreign_keys(draft: _Draft, by_table: Mapping[str, _Draft], notices: list[str]) -> None:
    for key in draft.facts.foreign_keys:
        target = by_table.get(key.target_table) if key.target_schema is None else None
        attributes = draft.attributes_of(key.columns)
        target_attributes = target.attributes_of(key.target_columns) if target else None
        if target is None or attributes is None or not target_attributes:
            columns = ", ".join(key.columns)
            notices.append(
                f"{draft.name}: no relation over {columns}, because {key.target_table!r} or its key is not served."
            )
            continue
        draft.foreign_keys.append(
            ForeignKey(
                attributes=attributes,
                target=target.name,
                target_attributes=target_attributes,
                deferred=key.columns in draft.facts.deferred,
                on_delete=key.on_delete,
                on_update=key.on_update,
            )
        )


def _columns(draft: _Draft, attributes: Iterable[str]) -> tuple[str, ...]:
    return tuple(draft.attributes[name].column for name in attributes)


def _given_name(model: Model | None, wanted: Callable[[ModelRelation], bool]) -> str | None:
    """Find the name of the Relationship that a model has for a foreign key."""
    return next((relation.name for relation in model.relations if wanted(relation)), None) if model else None


def _add_to_one(draft: _Draft, by_table: Mapping[str, _Draft]) -> None:
    names = {each.name: each for each in by_table.values()}
    for key in draft.foreign_keys:
        columns = _columns(draft, key.attributes)
        given = _given_name(draft.model, lambda r, columns=columns: not r.many and r.columns == columns)  # type: ignore[misc]
        derived = naming.to_one_name(columns, names[key.target].name)
        _add_relation(draft, given, derived, Relation(name="", many=False, target=key.target, foreign_key=key))


def _add_to_many(draft: _Draft, by_table: Mapping[str, _Draft]) -> None:
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
            _add_relation(draft, given, derived, Relation(name="", many=True, target=child.name, foreign_key=key))


def _add_relation(draft: _Draft, given: str | None, derived: str, relation: Relation) -> None:
    taken = {*draft.attributes, *draft.relations, *naming.TAKEN_ATTRIBUTES}
    if given is not None and given in taken:
        raise CatalogError(f"The relationship {given!r} of {draft.name} has a name that is taken already.")
    name = given or naming.free(derived, taken)
    draft.relations[name] = Relation(
        name=name, many=relation.many, target=relation.target, foreign_key=relation.foreign_key
    )


def _rename_relations(draft: _Draft) -> None:
    for derived, own in draft.override.relations.items():
        if derived not in draft.relations:
            known = ", ".join(draft.relations) or "none"
            raise CatalogError(f"partwise.toml renames the relation {derived!r}; {draft.name} has: {known}.")
        relation = draft.relations.pop(derived)
        if own in {*draft.attributes, *draft.relations, *naming.TAKEN_ATTRIBUTES} or not naming.is_graphql_name(own):
            raise CatalogError(f"The relation name {own!r} of {draft.name} is taken already, or is no GraphQL name.")
        draft.relations[own] = Relation(
            name=own, many=relation.many, target=relation.target, foreign_key=relation.foreign_key
        )


def _resource(draft: _Draft, notices: list[str]) -> Resource:
    facts, model = draft.facts, draft.model
    key = draft.attributes_of(facts.primary_key) or ()
    if not key:
        kind = "a view" if facts.is_view else "a table without primary key"
        notices.append(f"{draft.name}: {facts.name!r} is {kind}, so it can only be read.")
    for attribute in draft.attributes.values():
        for former in attribute.former_names:
            if former in draft.attributes or former in draft.relations or not naming.is_graphql_name(former):
                raise CatalogError(f"The former name {former!r} of {draft.name}.{attribute.name} is taken already.")
    unique = tuple(
        UniqueKey(attributes=attributes, deferred=columns in facts.deferred)
        for columns in facts.unique
        if (attributes := draft.attributes_of(columns)) and set(attributes) != set(key)
    )
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
        read_only=draft.override.read_only or not key,
        version=version,
        next_version=next_version,
        validate=None if model is None else validator(model, _fields(draft, model)),
        description=(model.description if model else None) or facts.comment,
        former_collections=_present(draft.override.former_collection),
        deferred_keys=bool(facts.deferred),
    )


def _fields(draft: _Draft, model: Model) -> dict[str, str]:
    """Lead from the model's fields to attributes."""
    return {name: draft.names[column] for column, name in model.fields.items() if column in draft.names}


def _constraints(draft: _Draft) -> tuple[Constraint, ...]:
    found: dict[str, Constraint] = {}
    for constraint in draft.facts.constraints:
        attributes = tuple(draft.names[column] for column in constraint.columns if column in draft.names)
        found.setdefault(constraint.name, Constraint(name=constraint.name, attributes=attributes))
    return tuple(found.values())


def _version(draft: _Draft) -> tuple[str | None, Callable[[Value], Value] | None]:
    column = _version_column(draft)
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
