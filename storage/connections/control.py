"""The statements that control a transaction: its begin and end, its savepoints and its settings."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class Control:
    """A statement that reads and writes no rows of the served tables.

    It has no parameters, because PostgreSQL then accepts several commands in one round trip.
    """

    sql: str
    params: None = None


BEGIN = Control("BEGIN")
COMMIT = Control("COMMIT")
CHECK_CONSTRAINTS = Control("SET CONSTRAINTS ALL IMMEDIATE")


def savepoint(name: str) -> Control:
    """Create a savepoint."""
    return Control(f"SAVEPOINT {_checked(name)}")


def release(name: str) -> Control:
    """Release a savepoint and keep the changes since it."""
    return Control(f"RELEASE SAVEPOINT {_checked(name)}")


def rollback_to(name: str) -> Control:
    """Undo the changes since a savepoint. The savepoint remains."""
    return Control(f"ROLLBACK TO SAVEPOINT {_checked(name)}")


def lock_timeout_and_savepoint(milliseconds: int, name: str) -> Control:
    """Set the timeout of locks for the rest of a transaction (PostgreSQL), and create a savepoint."""
    return Control(f"SET LOCAL lock_timeout = {milliseconds:d}; SAVEPOINT {_checked(name)}")


def _checked(name: str) -> str:
    assert _NAME.fullmatch(name), name  # noqa: S101  # names are constants of ours
    return name
