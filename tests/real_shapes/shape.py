"""What a shape of a real program's database is: its tables with a few rows, and what an operator sets for them."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Settings = Mapping[str, Mapping[str, Any]]  # column -> what [resources.TABLE.attributes.COLUMN] has


def as_found(_: sqlite3.Connection) -> None:
    """Give the connection that makes the file nothing that ours does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of one program's database."""

    kind: Literal["sqlite", "postgresql"]
    script: str
    prepare: Callable[[sqlite3.Connection], None] = as_found  # what the program itself gives its connections
    columns: Mapping[str, Settings] = field(default_factory=dict)  # table -> settings of its columns
    not_served: frozenset[str] = frozenset()  # tables and views
    read_only: frozenset[str] = frozenset()  # tables that have rows, and that can only be read
    # Tables of which the database refuses some writes of what was read, because it lacks what the program itself has.
    refuses: Mapping[str, frozenset[str]] = field(default_factory=dict)  # table -> operations
    no_equality: frozenset[str] = frozenset()  # "table.column" whose type has no equality in the database itself
    stamped: frozenset[str] = frozenset()  # "table.column" that the database's own triggers set anew on each write


BIG: Mapping[str, Any] = {"type": "BigInt"}  # an INTEGER of SQLite that has more than 32 bits
TIMES: Mapping[str, Any] = {"format": "mixed"}  # times in more than one spelling
