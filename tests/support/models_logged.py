"""A model whose table another program fills with numbers and texts of its own. For tests/contract/test_time_settings.py."""

from datetime import UTC, date, datetime

from pydantic import field_validator
from sqlmodel import Field, SQLModel


class Entry(SQLModel, table=True):
    """Has been written once, on a day."""

    id: int | None = Field(default=None, primary_key=True)
    written: datetime = Field(default_factory=lambda: datetime(2026, 1, 2, tzinfo=UTC))
    day: date | None = None

    @field_validator("day")
    @classmethod
    def _is_late(cls, day: date | None) -> date | None:
        if day is not None and day.year < 2000:  # the first that it takes
            raise ValueError("must be after 1999")
        return day
