"""A module with a SQLModel class that is no table."""

from sqlmodel import SQLModel


class Form(SQLModel):
    """No table."""

    name: str
