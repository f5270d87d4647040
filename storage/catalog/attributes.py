"""Conversion of columns to attributes: names, types, defaults, and the generation of their values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from storage.catalog import naming
from storage.catalog.affinity import affinity_of
from storage.catalog.limits import NO_LIMITS, limits_of
from storage.catalog.model import Attribute, Generation
from storage.catalog.models import column_default, default_is_constant, default_of, field_of
from storage.catalog.overrides import AttributeOverride, CatalogError, ResourceOverride
from storage.catalog.reflected import TableFacts
from storage.catalog.resource_draft import Draft, present
from storage.catalog.rights import unreadable_columns
from storage.catalog.sqlite_facts import is_aware, is_known
from storage.catalog.types import (
    Anything,
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
    TimeFormat,
    Uuid,
    ValueType,
    is_utf_8,
)
from storage.catalog.value_types import Dialect, value_type

# Values of `type = "…"` of an attribute in partwise.toml.
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
    "Any": Anything(),
}
Drafts = Mapping[str, Draft]
"""By table, including tables that are not served."""
_TEXT_DEFAULTS = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE"})  # SQLite: their values are text


@dataclass(frozen=True, slots=True)
class _Declared:
    """The declaration of a column: its own, or that of its foreign key's target."""

    type: ValueType
    sql_type: str
    format: TimeFormat = TimeFormat.ISO


def all_drafts(served: Iterable[Draft], tables: Iterable[TableFacts]) -> Drafts:
    """Return drafts by table, including one for each table that is not served."""
    return {table.name: Draft(table, None, ResourceOverride()) for table in tables} | {d.facts.name: d for d in served}


def add_attributes(draft: Draft, dialect: Dialect, notices: list[str], every: Drafts) -> None:
    """Add the attributes of a resource to its draft. Raises `CatalogError`."""
    facts, model = draft.facts, draft.model
    for wrong in draft.override.attributes:
        if wrong not in facts.sql_types:
            raise CatalogError(
                f"partwise.toml has settings for the column {wrong!r}, which {facts.name!r} does not have."
            )
    unread = [column["name"] for column in facts.columns if column["name"] in facts.rights.not_read]
    for column in facts.columns:
        name = column["name"]
        override = draft.override.attributes.get(name, AttributeOverride())
        if override.hidden or (model is not None and name not in model.columns):
            _check_hidden_key(draft, name)
            unread = [each for each in unread if each != name]
            continue
        if name in unread:
            continue
        if not is_utf_8(name):
            notices.append(f"{draft.name}: the column {name!r} is not served because its name is not UTF-8.")
            continue
        if name in facts.unreadable:
            if model is not None or override != AttributeOverride():
                raise CatalogError(f"The column {name!r} of {facts.name!r} cannot be read: {facts.unreadable[name]}.")
            notices.append(
                f"{draft.name}: the column {name!r} is not served because it cannot be read ({facts.unreadable[name]})."
            )
            continue
        if name in facts.lost_collations:
            notices.append(
                f"{draft.name}: {name!r} is compared by code points because this SQLite does not have the collation "
                f"{facts.lost_collations[name]!r}."
            )
        source, source_name = _source(draft, name, every) if dialect == "sqlite" else (draft, name)
        type_ = _type_of(source, source_name, dialect)
        if type_ is None:
            notices.append(f"{draft.name}: the column {name!r} is skipped because only its own code can read its type.")
            continue
        own = override.name or naming.camel(model.fields.get(name, name) if model else name)
        clash = own in draft.attributes or own in naming.TAKEN_ATTRIBUTES
        if clash and override.name:
            raise CatalogError(f"The attribute name {own!r} of {draft.name} is already in use.")
        if not naming.is_graphql_name(own):
            raise CatalogError(
                f"{own!r}, the name for the column {name!r} of {draft.name}, is not a valid GraphQL name."
            )
        own = naming.free(own, {*draft.attributes, *naming.TAKEN_ATTRIBUTES})
        draft.names[name] = own
        declared = _Declared(type_, source.facts.sql_types[source_name])
        form = _format_of(draft, name, declared, override, dialect)
        attribute = draft.attributes[own] = _attribute(own, column, replace(declared, format=form), override, draft)
        if attribute.format.is_numeric and (attribute.default_sql or "").upper() in _TEXT_DEFAULTS:
            notices.append(
                f'{draft.name}: the default of {own} is text, which format = "{attribute.format.value}" cannot read. '
                'Set format = "mixed".'
            )
    notices += unreadable_columns(draft, unread)


def _check_hidden_key(draft: Draft, column: str) -> None:
    if column in draft.facts.primary_key:
        raise CatalogError(f"The column {column!r} is part of the key of {draft.facts.name!r}: it cannot be hidden.")


def _source(draft: Draft, name: str, every: Drafts) -> tuple[Draft, str]:
    """Return the column from which a column has its type.

    If it does not have a declared type, follow its foreign keys to a column with one, or else to the last column.
    """
    seen: set[tuple[str, str]] = set()
    while _is_open(draft, name) and (draft.facts.name, name) not in seen:
        seen.add((draft.facts.name, name))
        targets = (
            (every[key.target_table], key.target_columns[key.columns.index(name)])
            for key in draft.facts.foreign_keys
            if name in key.columns and key.target_table in every and len(key.target_columns) == len(key.columns)
        )
        found = next(((there, column) for there, column in targets if column in there.facts.sql_types), None)
        if found is None:
            break
        draft, name = found
    return draft, name


def _is_open(draft: Draft, name: str) -> bool:
    """Return True if neither the table, the model nor the operator sets a type for a column."""
    override = draft.override.attributes.get(name, AttributeOverride())
    return not draft.facts.sql_types[name] and override.type is None and not _is_typed(draft, name)


def _is_typed(draft: Draft, name: str) -> bool:
    """Return True if a model sets a column's type."""
    column = None if draft.model is None else draft.model.columns.get(name)
    return column is not None and not isinstance(column.type, sa.types.NullType)


def _type_of(draft: Draft, name: str, dialect: Dialect) -> ValueType | None:
    override = draft.override.attributes.get(name, AttributeOverride())
    sql_type = draft.facts.sql_types[name]
    if override.type is not None:
        if dialect != "sqlite":
            raise CatalogError(f"The type of {draft.facts.name}.{name} cannot be set: only SQLite leaves it open.")
        if override.type not in TYPES_BY_NAME:
            known = ", ".join(TYPES_BY_NAME)
            raise CatalogError(
                f"The type of {draft.facts.name}.{name} cannot be {override.type!r}. Use one of {known}."
            )
        type_ = TYPES_BY_NAME[override.type]
        return Anything(converts=_converts(draft, name)) if isinstance(type_, Anything) else type_
    if draft.model is not None and _is_typed(draft, name):
        own = value_type(draft.model.columns[name].type, dialect)
        if dialect == "sqlite" or own is None or isinstance(own, Enumeration):
            return own
    if dialect == "sqlite" and not sql_type:
        return Anything(converts=_converts(draft, name))
    if dialect == "sqlite" and is_aware(sql_type):
        return DateTime(aware=True)
    if dialect == "sqlite" and not is_known(sql_type):
        return Opaque()
    return value_type(next(each["type"] for each in draft.facts.columns if each["name"] == name), dialect)


def _converts(draft: Draft, name: str) -> bool:
    """Return True if SQLite may convert a value that is compared with the column.

    https://sqlite.org/datatype3.html, section 4.2
    """
    return draft.facts.is_view or bool(draft.facts.sql_types[name])


def _format_of(
    draft: Draft, column: str, declared: _Declared, override: AttributeOverride, dialect: Dialect
) -> TimeFormat:
    """Return the format of dates and times in a column. Raises `CatalogError`."""
    if override.format is None:
        return TimeFormat.ISO
    place = f"{draft.facts.name}.{column}"
    if dialect != "sqlite":
        raise CatalogError(f"The format of {place} cannot be set: only SQLite columns have a format. Remove it.")
    known = [each.value for each in TimeFormat]
    if override.format not in known:
        raise CatalogError(f"The format of {place} cannot be {override.format!r}. Use one of {', '.join(known)}.")
    found = TimeFormat(override.format)
    if not isinstance(declared.type, Date | Time | DateTime):
        raise CatalogError(
            f"The format of {place} cannot be set: the attribute is not a Date, Time or DateTime. "
            'Set its type as well, like type = "DateTime".'
        )
    if found.is_numeric and isinstance(declared.type, Time):
        raise CatalogError(f'The format of {place} cannot be "{found.value}": a Time has no day to count from.')
    if found.is_numeric and affinity_of(declared.sql_type) == "TEXT":
        raise CatalogError(
            f'The format of {place} cannot be "{found.value}": a column of type {declared.sql_type} '
            "turns numbers into text."
        )
    return found


def _attribute(own: str, column: object, declared: _Declared, override: AttributeOverride, draft: Draft) -> Attribute:
    facts, model = draft.facts, draft.model
    name, default = column["name"], column["default"]  # type: ignore[index]  # a ReflectedColumn
    generation = _generation(column, draft)
    rights, is_key = facts.rights, name in facts.primary_key
    insertable, updatable = name not in rights.not_inserted, name not in rights.not_updated
    # If nothing can be inserted or updated, attributes are not marked one by one.
    is_closed = (rights.can_insert or rights.can_update) and not insertable and (is_key or not updatable)
    default_denied = rights.can_insert and name in rights.defaults
    if default_denied:
        generation, default = Generation.NEVER, None
    has_sql_default = generation is Generation.NEVER and default is not None and str(default).upper() != "NULL"
    model_column = model.columns[name] if model else None
    field = field_of(model, name) if model else None
    return Attribute(
        name=own,
        column=name,
        type=declared.type,
        sql_type=declared.sql_type,
        format=declared.format,
        by_code_points=name in facts.lost_collations,
        nullable=bool(column["nullable"]) and name not in facts.primary_key,  # type: ignore[index]
        generation=generation,
        read_only=generation is Generation.ALWAYS or override.read_only or is_closed or name == version_column(draft),
        insertable=insertable,
        updatable=updatable,
        fillable=facts.fills,
        refillable=facts.refills,
        default_denied=default_denied,
        sequence=facts.sequences.get(name),
        counts_on=facts.autoincrement and name in facts.primary_key,
        default_sql=str(default) if has_sql_default else None,
        default=default_of(model, name) if model else None,
        default_is_constant=model is not None and default_is_constant(model, name),
        on_update=column_default(model_column, "onupdate") if model_column is not None else None,
        limits=NO_LIMITS if field is None else limits_of(field),
        description=(model.descriptions.get(name) if model else None) or in_utf_8(column.get("comment")),  # type: ignore[attr-defined]
        former_names=present(override.former_name),
    )


def in_utf_8(comment: str | None) -> str | None:
    """Return a comment from the database, or None if it is not valid UTF-8."""
    return comment if comment is not None and is_utf_8(comment) else None


def version_column(draft: Draft) -> str | None:
    """Return the column that counts versions, from the configuration or the model."""
    return draft.override.version or (draft.model.version_column if draft.model else None)


def _generation(column: object, draft: Draft) -> Generation:
    identity, default = column.get("identity"), column["default"]  # type: ignore[attr-defined,index]
    if column.get("computed") or (identity and identity["always"]):  # type: ignore[attr-defined]
        return Generation.ALWAYS
    by_rowid = draft.facts.rowid_key and (column["name"],) == draft.facts.primary_key  # type: ignore[index]
    if identity or by_rowid or (default is not None and "nextval(" in default):
        return Generation.WHEN_ABSENT
    return Generation.NEVER
