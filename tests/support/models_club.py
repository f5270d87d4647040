"""A sports club, code first: every way in which a model says what it wants of a value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID, uuid4

from pydantic import NaiveDatetime, ValidationInfo, field_validator, model_validator
from sqlalchemy import JSON, Column, Integer, text
from sqlmodel import Field, Relationship, SQLModel

EPOCH = datetime(2026, 1, 31, 10, 30, tzinfo=UTC)
CHANGED = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


class Level(StrEnum):
    """How well a member plays. The database keeps the names, as SQLAlchemy does."""

    BEGINNER = "beginner"
    MASTER = "master"


class Club(SQLModel, table=True):
    """Where people meet to play."""

    __tablename__ = "sports_clubs"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(min_length=2, max_length=20, unique=True, description="As its members call it.")
    founded: date | None = None

    players: list["Member"] = Relationship(back_populates="home", passive_deletes="all")


class Member(SQLModel, table=True):
    """Someone who plays."""

    __tablename__ = "club_members"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    home_id: int = Field(foreign_key="sports_clubs.id")
    email: str = Field(max_length=50)
    nickname: str | None = Field(default=None, schema_extra={"pattern": "^[a-z]+$"})
    level: Level = Level.BEGINNER
    points: int = Field(default=10, ge=0, le=100)
    fee: Decimal = Field(default=Decimal("12.50"), max_digits=30, decimal_places=10)
    joined_at: datetime = Field(default_factory=lambda: EPOCH)
    alarm: NaiveDatetime | None = None
    changed_at: datetime | None = Field(default=None, sa_column_kwargs={"onupdate": lambda: CHANGED})
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    rank: int = Field(default=None, sa_column_kwargs={"server_default": text("7")})
    starts: int = 0
    ends: int = 9

    home: Club = Relationship(back_populates="players")

    @field_validator("email")
    @classmethod
    def _lower(cls, email: str) -> str:
        if "@" not in email:
            raise ValueError("must have an @")
        return email.lower()

    @field_validator("ends")
    @classmethod
    def _in_order(cls, ends: int, info: ValidationInfo) -> int:
        if ends < info.data.get("starts", 0):
            raise ValueError("must not be before starts")
        return ends


_match_version = Column("version", Integer, nullable=False)


class Match(SQLModel, table=True):
    """A game between two clubs."""

    __tablename__ = "club_matches"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _match_version}

    id: int | None = Field(default=None, primary_key=True)
    host_id: int = Field(foreign_key="sports_clubs.id")
    guest_id: int = Field(foreign_key="sports_clubs.id")
    score: str | None = Field(default=None, max_length=10)
    version: int = Field(default=1, sa_column=_match_version)

    host: Club = Relationship(sa_relationship_kwargs={"foreign_keys": "Match.host_id"})
    visitors: Club = Relationship(sa_relationship_kwargs={"foreign_keys": "Match.guest_id"})

    @model_validator(mode="after")
    def _against_others(self) -> "Match":
        if self.host_id == self.guest_id:
            raise ValueError("a club does not play against itself")
        return self
