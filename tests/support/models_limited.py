"""Models that say of their fields what their columns do not: limits and defaults of every kind."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

from annotated_types import Ge, Interval, Le, Len
from pydantic import StringConstraints, field_validator
from sqlalchemy import JSON, BigInteger, Column, Computed, Enum, Integer, Numeric, SmallInteger
from sqlmodel import Field, SQLModel


class Grade(StrEnum):
    """How good a ware is. The database keeps the names."""

    FIRST = "first"
    SECOND = "second"


class Ware(SQLModel, table=True):
    """Limits."""

    __tablename__ = "wares"

    id: int | None = Field(default=None, primary_key=True)
    at_least: int = Field(ge=1)
    above: int = Field(gt=0)
    between: int = Field(ge=-5, lt=100)
    half: Decimal = Field(gt=0.55, le=9.55, max_digits=4, decimal_places=1)
    loose: int = Field(ge=-(2**40), le=2**40)
    several: Annotated[int, Ge(3), Ge(7), Le(9)] = Field(ge=5)
    inner: Annotated[int, Interval(gt=2, le=8)] | None = None
    field_inside: Annotated[int, Field(ge=4)] | None = None
    small: int = Field(sa_type=SmallInteger, le=99)
    big: int = Field(sa_type=BigInteger, gt=0)
    price: Decimal = Field(max_digits=8, decimal_places=2, ge=0)
    paid: Decimal = Field(max_digits=8, decimal_places=2, gt=0, lt=1000)
    rough: Decimal = Field(ge=0.125, le=10)
    open: Decimal = Field(gt=0, lt=1)
    digits: Decimal = Field(max_digits=5, sa_type=Numeric(10, 2))
    places: Decimal = Field(decimal_places=1, sa_type=Numeric(10, 2))
    both: Decimal = Field(max_digits=6, decimal_places=3, sa_type=Numeric(10, 2))
    share: float = Field(ge=0, le=1)
    ratio: float = Field(gt=0, lt=1)
    name: str = Field(min_length=1, max_length=30)
    code: Annotated[str, StringConstraints(min_length=2, max_length=4)]
    word: Annotated[str, Len(3, 5)] | None = None
    note: str = Field(min_length=0)
    seal: bytes = Field(min_length=2, max_length=8)
    tags: list[str] = Field(sa_type=JSON, min_length=1, max_length=5)
    day: Annotated[date, Ge(date(2020, 1, 1))]


_version = Column("version", Integer, nullable=False)


class Parcel(SQLModel, table=True):
    """Defaults."""

    __tablename__ = "parcels"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _version}

    id: int | None = Field(default=None, primary_key=True)
    quantity: int = 1
    zero: int = Field(default=0, gt=-1)
    far: int = Field(default=9007199254740993, sa_type=BigInteger)
    grade: Grade = Grade.SECOND
    former_grade: Grade = Field(default=Grade.FIRST, sa_type=Enum("first", "second", name="former_grade"))
    fee: Decimal = Field(default=Decimal("2.5"), max_digits=6, decimal_places=2)
    rate: float = 1
    is_open: bool = False
    label: str = "plain"
    empty: str = ""
    day: date = date(2026, 1, 31)
    opened: datetime = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    owner: UUID = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
    seal: bytes = b"\x00\x01"
    options: dict[str, Any] = Field(default={"a": [1]}, sa_type=JSON)
    tags: list[str] = Field(default_factory=list, sa_type=JSON)
    of_column: int = Field(default=None, sa_column_kwargs={"default": 3})
    of_both: int = Field(default=4, sa_column_kwargs={"server_default": "5"})
    of_database: int = Field(default=None, sa_column_kwargs={"server_default": "6"})
    token: UUID = Field(default_factory=uuid4)
    made_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    stamped: int = Field(default=None, sa_column_kwargs={"default": lambda: 7})
    note: str | None = None
    needed: int
    twice: int | None = Field(default=None, sa_column=Column(Integer, Computed("quantity * 2")))
    version: int = Field(default=1, sa_column=_version)

    @field_validator("label")
    @classmethod
    def _is_lower(cls, label: str) -> str:
        if not label.islower():
            raise ValueError("Write it in lower case")
        return label
