"""Creation of the missing tables of SQLModel classes, on SQLite with types that do not lose digits or zones."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

from storage.catalog.types import Numeric
from storage.catalog.value_types import value_type

SAFE_DIGITS = 15  # decimal digits that survive SQLite's binary floating point (https://sqlite.org/floatingpoint.html)


class _DecimalText(sa.types.UserDefinedType[Any]):
    """A decimal that SQLite stores as text, because it may have more digits than a double can hold."""

    cache_ok = True

    def __init__(self, precision: int | None, scale: int | None) -> None:
        self.precision, self.scale = precision, scale

    def get_col_spec(self, **_: object) -> str:
        if self.precision is None:
            return "DECIMAL_TEXT"
        return f"DECIMAL_TEXT({self.precision}, {self.scale or 0})"


class _AwareDateTime(sa.types.UserDefinedType[Any]):
    """An instant, with a declared type that is recognized when the file is served without the models."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "TIMESTAMP WITH TIME ZONE"


def create_tables(connection: sa.Connection, models: Iterable[type[BaseModel]]) -> None:
    """Create the missing tables. Existing tables are not changed (use Alembic for migrations)."""
    metadata = sa.MetaData()
    for model in models:
        table: sa.Table = model.__table__  # type: ignore[attr-defined]  # set by SQLModel for table=True
        copy = table.to_metadata(metadata)
        if connection.dialect.name == "sqlite":
            for column in copy.columns:
                column.type = _sqlite_type(column.type)
    metadata.create_all(connection)


def _sqlite_type(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    kind = value_type(type_, "sqlite")
    if isinstance(kind, Numeric) and (kind.precision is None or kind.precision > SAFE_DIGITS):
        return _DecimalText(kind.precision, kind.scale)
    if isinstance(type_, sa.DateTime) and type_.timezone:
        return _AwareDateTime()
    if isinstance(type_, sa.types.TypeDecorator) and isinstance(type_.impl_instance, sa.DateTime):
        return _AwareDateTime() if type_.impl_instance.timezone else type_
    return type_
