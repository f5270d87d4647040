"""A model with documents, for tests/contract/test_exact_numbers.py."""

from typing import Any

from sqlmodel import JSON, Column, Field, SQLModel


class Document(SQLModel, table=True):
    __tablename__ = "documents"

    id: int | None = Field(default=None, primary_key=True)
    name: str | None = None
    body: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    made: dict[str, Any] = Field(
        default_factory=lambda: {"rate": 0.1, "count": 9007199254740993}, sa_column=Column(JSON)
    )
