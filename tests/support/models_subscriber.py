"""A member whose model writes its unique e-mail address in lower case. For tests/contract/test_unique_addresses.py."""

from pydantic import field_validator
from sqlmodel import Field, SQLModel


class Subscriber(SQLModel, table=True):
    """Someone who is written to."""

    __tablename__ = "newsletter_subscribers"

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(max_length=50, unique=True)
    name: str | None = None

    @field_validator("email")
    @classmethod
    def _lower(cls, email: str) -> str:
        return email.lower()
