"""A model whose class has the name of a type that the schema has already."""

from sqlmodel import Field, SQLModel


class Node(SQLModel, table=True):
    """A clash."""

    __tablename__ = "clashing_nodes"

    id: int | None = Field(default=None, primary_key=True)
