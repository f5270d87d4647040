"""The affinity of an SQLite column: its rules for storing and comparing values.

https://sqlite.org/datatype3.html, section 3.1
"""

from functools import cache

_AFFINITIES = (
    *(("INT", "INTEGER"), ("CHAR", "TEXT"), ("CLOB", "TEXT"), ("TEXT", "TEXT"), ("BLOB", "BLOB")),
    *(("REAL", "REAL"), ("FLOA", "REAL"), ("DOUB", "REAL")),
)


@cache
def affinity_of(sql_type: str) -> str:
    """Return the affinity of a declared type."""
    upper = sql_type.upper()
    return next((affinity for part, affinity in _AFFINITIES if part in upper), "NUMERIC") if upper else "BLOB"
