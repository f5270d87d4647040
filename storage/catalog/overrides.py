"""The operator's settings for names, visibility and types, as plain values: `[resources.…]` in partwise.toml."""

from collections.abc import Mapping
from dataclasses import dataclass, field


class CatalogError(Exception):
    """The catalog cannot be built as configured. The text names the wrong name or setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeOverride:
    """The settings of one column."""

    name: str | None = None
    former_name: str | None = None  # also served, deprecated
    hidden: bool = False
    read_only: bool = False
    type: str | None = None  # the name of a scalar; for SQLite, whose columns can store any type
    format: str | None = None  # the storage of dates and times in an SQLite column: a value of `TimeFormat`


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOverride:
    """The settings of one check."""

    message: str | None = None  # the message if it is violated


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceOverride:
    """The settings of one table."""

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
