"""Which affinity a column of SQLite has: how it keeps and compares values (https://sqlite.org/datatype3.html, section 3.1)."""

from functools import cache

_AFFINITIES = (
    *(("INT", "INTEGER"), ("CHAR", "TEXT"), ("CLOB", "TEXT"), ("TEXT", "TEXT"), ("BLOB", "BLOB")),
    *(("REAL", "REAL"), ("FLOA", "REAL"), ("DOUB", "REAL")),
)


@cache
def affinity_of(sql_type: str) -> str:
    """Say which affinity a declared type has."""
    upper = sql_type.upper()
    return next((affinity for part, affinity in _AFFINITIES if part in upper), "NUMERIC") if upper else "BLOB"
