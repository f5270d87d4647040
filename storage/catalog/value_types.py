"""Conversion of SQLAlchemy's types to the types of values."""

from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storage.catalog.types import (
    Array,
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
    ValueType,
    is_utf_8,
)

Dialect = Literal["sqlite", "postgresql"]

_MICROSECONDS = 6  # digits of a fraction of a second that both databases and Python keep


def value_type(type_: sa.types.TypeEngine[object], dialect: Dialect) -> ValueType | None:
    """Return the type of values in a column of this SQLAlchemy type, or None if only its Python code could decide."""
    if isinstance(type_, sa.types.TypeDecorator):
        if not _is_of_sqlmodel(type_):
            return None
        type_ = type_.impl_instance
    if isinstance(type_, postgresql.DOMAIN):
        inner = value_type(type_.data_type, dialect)
        # Reflection does not report a domain's own length; the database enforces it.
        return Text(padded=True) if isinstance(inner, Text) and inner.padded else inner
    if isinstance(type_, sa.Enum):
        name = type_.enum_class.__name__ if type_.enum_class is not None else type_.name or ""
        return Enumeration(name=name, labels=tuple(str(label) for label in type_.enums if is_utf_8(str(label))))
    if isinstance(type_, sa.ARRAY):
        element = value_type(type_.item_type, dialect)
        return Opaque() if element is None or isinstance(element, Opaque | Array) else Array(of=element)
    return _scalar(type_, dialect)


def _is_of_sqlmodel(type_: sa.types.TypeDecorator[object]) -> bool:
    """Return True if the type is one of SQLModel's own.

    Only the columns of models have such types, so SQLModel is already imported.
    """
    from sqlmodel.sql.sqltypes import AutoString, UTCDateTime  # noqa: PLC0415  # half a second that other servers do not wait for

    return isinstance(type_, AutoString | UTCDateTime)


def _scalar(type_: sa.types.TypeEngine[object], dialect: Dialect) -> ValueType | None:
    match type_:
        case sa.Boolean():
            return Boolean()
        case sa.SmallInteger():
            return Integer(bits=16)
        case sa.BigInteger():
            return Integer(bits=64)
        case sa.Integer():
            return Integer(bits=32)
        case sa.Float():
            single = dialect == "postgresql" and isinstance(type_, sa.REAL)
            return Float(bits=32 if single else 64)
        case sa.Numeric():
            return Numeric(precision=type_.precision, scale=_scale(type_))
        case sa.CHAR() if dialect == "postgresql":
            return Text(max_length=type_.length or 1, padded=True)
        case postgresql.CITEXT():
            return Text()
        case sa.String():
            return Text(max_length=type_.length)
        case sa.LargeBinary() | sa.BINARY() | sa.VARBINARY():
            return Bytes(max_length=type_.length if dialect == "sqlite" else None)
        case sa.Date():
            return Date()
        case sa.Time():
            return Opaque() if type_.timezone else Time(precision=_precision(type_))
        case sa.DateTime():
            return DateTime(aware=type_.timezone, precision=_precision(type_))
        case sa.Uuid():
            return Uuid()
        case sa.JSON():
            return JsonDocument()
        case sa.Interval() | sa.PickleType():
            return Opaque() if dialect == "postgresql" else None
        case _:
            return Opaque()


def _scale(type_: sa.Numeric[Any]) -> int | None:
    return type_.scale if type_.scale is not None or type_.precision is None else 0


def _precision(type_: sa.Time | sa.DateTime) -> int:
    precision = getattr(type_, "precision", None)  # PostgreSQL's TIME and TIMESTAMP have a precision
    return _MICROSECONDS if precision is None else int(precision)
