"""The parts of SQLModel classes that the catalog uses: names, types, defaults, relationships and validators.

This module does not import SQLModel (`sqlmodel_classes.py` does), so that a server without models starts without it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import SchemaValidator, core_schema

from storage.catalog.model import Validator, Values
from storage.catalog.types import Unreadable, Value
from storage.errors import Fault, InvalidValue

_UNREAD = Unreadable(reason="")  # the value of a field that is not a column
_AUTHORS_OWN = ("Value error, ", "Assertion failed, ")  # prefixes that pydantic adds to the message of a validator
_PYDANTICS_OWN = re.compile(r"^(\w+ input|[A-Z]\w*) should ")  # "Input should be …", "String should have …"
_PLAIN = (bool, int, float, Decimal, str, bytes, date, time, UUID, list, dict)  # datetime is a date
_CONSTANT_FACTORIES = (list, dict)  # an empty list, an empty object


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRelation:
    """A `Relationship` that follows one foreign key."""

    name: str
    many: bool
    target_table: str
    columns: tuple[str, ...]  # of the foreign key, on the table that has it
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One SQLModel table class, as plain values."""

    name: str
    table: str
    columns: Mapping[str, sa.Column[Any]]
    fields: Mapping[str, str]  # column -> the class's own name for it
    descriptions: Mapping[str, str]
    description: str | None
    relations: tuple[ModelRelation, ...]
    many_to_many: tuple[str, ...]  # relationships over a link table, which is served as its own resource
    version_column: str | None
    next_version: Callable[[Value], Value] | None
    class_: type[BaseModel]  # an SQLModel table class


def default_of(model: Model, column: str) -> Callable[[], Value] | None:
    """Return the model's default for a column that a CREATE omits: the field's or the column's.

    None if only the database has one.
    """
    field = _field_with_default(model, column)
    if field is not None:
        return lambda: to_value(field.get_default(call_default_factory=True), model.columns[column].type)
    return column_default(model.columns[column], "default")


def default_is_constant(model: Model, column: str) -> bool:
    """Return True if the default from `default_of` is the same each time, as far as is known without calling it."""
    field = _field_with_default(model, column)
    if field is not None:
        return field.default_factory is None or field.default_factory in _CONSTANT_FACTORIES
    default = model.columns[column].default
    return default is not None and default.is_scalar


def field_of(model: Model, column: str) -> FieldInfo | None:
    """Return the field of a column, or None."""
    return model.class_.model_fields.get(model.fields.get(column, ""))


def _field_with_default(model: Model, column: str) -> FieldInfo | None:
    """Return the field of a column if it has a default that is not null and does not depend on other values, else None."""
    field = field_of(model, column)
    is_known = field is not None and not field.is_required() and not field.default_factory_takes_validated_data
    if field is None or not is_known or (field.default_factory is None and field.default is None):
        return None
    return field


def column_default(column: sa.Column[Any], key: str) -> Callable[[], Value] | None:
    """Return the function for SQLAlchemy's `default` or `onupdate`, or None if it is missing or an SQL expression."""
    default = getattr(column, key)
    if default is None or default.is_sequence or default.is_clause_element:
        return None
    if default.is_callable:
        return lambda: to_value(default.arg(None), column.type)
    return lambda: to_value(default.arg, column.type)


def to_value(value: Any, type_: sa.types.TypeEngine[Any]) -> Value:
    """Convert a model's value: members of enums to their labels, instants to UTC, other objects to their text."""
    if isinstance(value, Enum) and isinstance(type_, sa.Enum):
        return next((label for label, member in _members(type_).items() if member is value), str(value.value))
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value if value is None or isinstance(value, _PLAIN) else str(value)


def _members(type_: sa.Enum) -> dict[str, Enum]:
    """Return the members of an enum by label, in SQLAlchemy's order."""
    members = type_.enum_class.__members__.values() if type_.enum_class is not None else ()
    return dict(zip(type_.enums, members, strict=False))


def validator(model: Model, attribute_names: Mapping[str, str]) -> Validator:
    """Create the function that runs a model's own validators on a row.

    `attribute_names` maps the model's fields to the attributes of the resource. If a row has a value that cannot be
    read, the validators of the other fields run, as if validation of that field had failed. Validators of the whole
    model do not run.
    """
    types = {model.fields[name]: column.type for name, column in model.columns.items() if name in model.fields}
    enums = {name: _members(type_) for name, type_ in types.items() if isinstance(type_, sa.Enum)}

    def validate(values: Values, new: bool) -> Values | tuple[Fault, ...]:  # noqa: FBT001  # the type of a callable has no argument names
        data: dict[str, Any] = {name: values[a] for name, a in attribute_names.items() if a in values}
        data |= {name: members[data[name]] for name, members in enums.items() if data.get(name) in members}
        if any(isinstance(value, Unreadable) for value in data.values()):
            return validate_fields(values, data)
        try:
            instance = model.class_.model_validate(data)
        except ValidationError as error:
            faults = tuple(_fault(each, attribute_names) for each in error.errors() if not _is_made_later(each))
            return faults or values
        made = {
            attribute: to_value(getattr(instance, name), types[name])
            for name, attribute in attribute_names.items()
            if attribute in values or (new and getattr(instance, name) is not None)
        }
        return {**values, **made}

    def validate_fields(values: Values, data: Mapping[str, Any]) -> Values | tuple[Fault, ...]:
        own = _field_validator(model.class_)
        checked: dict[str, Any] = {}
        faults: list[Fault] = []
        for name in model.class_.model_fields:
            if isinstance(data.get(name, _UNREAD), Unreadable):
                continue
            try:
                # For a validator of fields: data, extra, names.
                given: Any = own.validate_assignment(checked, name, data[name])
                checked = given[0]
            except ValidationError as error:
                faults += (_fault(each, attribute_names) for each in error.errors())
        made = {attribute_names[field]: to_value(value, types[field]) for field, value in checked.items()}
        return tuple(faults) or {**values, **made}

    return validate


@cache
def _field_validator(class_: type[BaseModel]) -> SchemaValidator:
    """Create a validator for the fields of a model one by one, without the validators of the whole model."""
    schema: Any = class_.__pydantic_core_schema__
    definitions = schema["definitions"] if schema["type"] == "definitions" else []
    while schema["type"] != "model-fields":
        is_named = schema["type"] == "definition-ref"
        schema = next(d for d in definitions if d["ref"] == schema["schema_ref"]) if is_named else schema["schema"]
    return SchemaValidator(core_schema.definitions_schema(schema, definitions) if definitions else schema)


def _is_made_later(error: Any) -> bool:
    """Return True if a field is missing: the database generates it, or it is already reported as REQUIRED."""
    return bool(error["type"] == "missing")


def _fault(error: Any, attribute_names: Mapping[str, str]) -> Fault:
    place = error["loc"]
    name = attribute_names.get(str(place[0])) if place else None
    said = error["msg"]
    for prefix in _AUTHORS_OWN:
        said = said.removeprefix(prefix)
    if name is None:
        return InvalidValue(message=said)
    if said == error["msg"]:
        said = _PYDANTICS_OWN.sub("must ", said, count=1)
    named = name + "".join(f"[{each}]" for each in place[1:] if isinstance(each, int))  # an element of a list
    said = f"{named} {said}" if said.startswith("must ") else f"{named}: {said}"
    return InvalidValue(message=said if said.endswith((".", "!")) else f"{said}.", attributes=(name,))
