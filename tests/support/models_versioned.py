"""Tables with a version attribute: one counts, one gets a new text each time. For tests/contract/test_preconditions.py."""

from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy import Column, Integer, String
from sqlmodel import Field, SQLModel

_count = Column("version", Integer, nullable=False)  # the mapper wants the column itself
_stamp = Column("stamp", String(32), nullable=False)


class Document(SQLModel, table=True):
    """Counts its changes."""

    __tablename__ = "versioned_documents"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _count}

    id: int | None = Field(default=None, primary_key=True)
    text: str
    version: int = Field(default=1, sa_column=_count)


class Leaflet(SQLModel, table=True):
    """Has a new stamp after each change."""

    __tablename__ = "versioned_leaflets"
    __mapper_args__: ClassVar[dict[str, Any]] = {
        "version_id_col": _stamp,
        "version_id_generator": lambda _: uuid4().hex,
    }

    id: int | None = Field(default=None, primary_key=True)
    text: str
    stamp: str = Field(default="", sa_column=_stamp)
