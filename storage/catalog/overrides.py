"""What an operator says about names, hiding and types: the `[resources.…]` tables of partwise.toml, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field


class CatalogError(Exception):
    """The catalog cannot be built as asked for. The text says which name or setting is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeOverride:
    """One column's settings."""

    name: str | None = None
    former_name: str | None = None  # also served, deprecated
    hidden: bool = False
    read_only: bool = False
    type: str | None = None  # a scalar's name; for SQLite, whose columns hold anything
    format: str | None = None  # how an SQLite column stores dates and times: a value of `TimeFormat`


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOverride:
    """One check's settings."""

    message: str | None = None  # the message if it is violated


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceOverride:
    """One table's settings."""

    name: str | None = None
    collection: str | None = None
    former_collection: str | None = None  # also served, deprecated
    hidden: bool | None = None  # None: a partition or an inheriting table is hidden, every other table is served
    read_only: bool | None = None  # None: read-only only if the database requires it
    version: str | None = None  # the column that counts versions
    attributes: Mapping[str, AttributeOverride] = field(default_factory=dict)  # by column
    checks: Mapping[str, CheckOverride] = field(default_factory=dict)  # by name
    relations: Mapping[str, str] = field(default_factory=dict)  # derived name -> own name


Overrides = Mapping[str, ResourceOverride]  # by table name
