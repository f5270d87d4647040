"""Counted versions: attributes whose value each change increments by one."""

from storage.catalog.types import Value

FIRST = 1  # the version of a new item


def next_version(version: Value) -> Value:
    """Return the version after another one; None, and a value that is not a whole number, count as none."""
    return (version if isinstance(version, int) else FIRST - 1) + 1


def next_in_sql(column: str) -> str:
    """Return `next_version` as an SQL expression."""
    return f"coalesce({column}, {FIRST - 1}) + 1"
