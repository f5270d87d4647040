"""The one place where driver errors become our own."""

import re
import sqlite3
from dataclasses import dataclass
from enum import Enum

import psycopg

from storage.errors import NotAsAtStart, QueryTooComplex, TimedOut, Unavailable


class Retry(Exception):  # it is no error: the transaction is to be run again
    """Another transaction was in the way (40001, 40P01): everything is to be run again from the start."""


class Unprepared(Retry):
    """A session did not have a prepared statement as it should: everything is to be run again, and nothing is prepared now."""


class Violation(Enum):
    """Which kind of rule a statement broke."""

    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    NOT_NULL = "not null"
    CHECK = "check"
    VALUE = "value"
    OTHER = "other"  # a trigger, a domain, a policy


@dataclass(slots=True)
class StatementRefused(Exception):  # named for what happened
    """The database refused one statement; the transaction can go on from its last savepoint."""

    violation: Violation
    constraint: str | None = None  # its name, or on SQLite a check's text
    columns: tuple[str, ...] = ()
    domain: str | None = None
    table: tuple[str, str] | None = None  # PostgreSQL: schema and name of the table whose row it is
    said: str | None = None  # what a trigger said: for the log
    transaction_lost: bool = False  # SQLite: a trigger's RAISE(ROLLBACK) has ended the transaction


_SQLITE_VIOLATIONS = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: Violation.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Violation.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_ROWID: Violation.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: Violation.FOREIGN_KEY,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: Violation.NOT_NULL,
    sqlite3.SQLITE_CONSTRAINT_CHECK: Violation.CHECK,
    3091: Violation.VALUE,  # SQLITE_CONSTRAINT_DATATYPE, of STRICT tables; not named by Python 3.11
    sqlite3.SQLITE_MISMATCH: Violation.VALUE,
    sqlite3.SQLITE_TOOBIG: Violation.VALUE,
}


# What SQLite says of a statement that names what is not there, or is not any more what it was.
_SQLITE_NOT_THERE = re.compile(
    r"no such (table|column|function|module|collation sequence): |table .+ has (no column named|\d+ columns but) |"
    r"cannot modify .+ because it is a view|cannot (INSERT into|UPDATE) generated column|"
    r"ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint"
)
# What SQLite's functions say of what they are given: of a write, in a rule that somebody wrote (a computed column, a check).
_SQLITE_RULE_FAILED = re.compile(r"malformed JSON|bad JSON path|JSON path error|JSON cannot hold|integer overflow")
# What SQLite says of a statement that goes beyond its limits (https://sqlite.org/limits.html).
_SQLITE_TOO_MUCH = ("parser stack overflow", "Expression tree is too large", "too complex", "too many")
_TOO_MANY_COLUMNS = (
    "This asks for more of one collection at once than the database gives: ask for fewer attributes or aggregates."
)


def from_sqlite(error: sqlite3.Error, *, lost: bool, reads: bool = False) -> Exception:
    """Translate an error of SQLite (https://sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # of Python's module, not of SQLite: a statement of ours is wrong
        return error
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_CONSTRAINT or code in _SQLITE_VIOLATIONS:
        _, _, what = str(error).partition(" failed: ")
        violation = _SQLITE_VIOLATIONS.get(code, Violation.OTHER)
        if violation is Violation.CHECK or what.startswith("index "):
            index = what.removeprefix("index ").strip("'") if what.startswith("index ") else None
            return StatementRefused(violation, constraint=index or what, transaction_lost=lost)
        said = str(error) if violation is Violation.OTHER else None
        columns = tuple(each.rpartition(".")[2] for each in what.split(", ")) if what else ()
        return StatementRefused(violation, columns=columns, said=said, transaction_lost=lost)
    if str(error).startswith("foreign key mismatch") or (not reads and str(error).startswith("no such table: main.")):
        return StatementRefused(Violation.OTHER, transaction_lost=lost)  # a foreign key that cannot be checked
    if primary == sqlite3.SQLITE_ERROR and _SQLITE_NOT_THERE.match(str(error)):
        return NotAsAtStart()
    if primary == sqlite3.SQLITE_ERROR and not reads and _SQLITE_RULE_FAILED.match(str(error)):
        return StatementRefused(Violation.OTHER, said=str(error), transaction_lost=lost)
    if str(error).startswith("too many columns in "):  # in the result, or in the set of what is grouped by
        return QueryTooComplex(_TOO_MANY_COLUMNS)
    if primary == sqlite3.SQLITE_ERROR and any(what in str(error) for what in _SQLITE_TOO_MUCH):
        return QueryTooComplex("SQLite takes no filter that is nested so deep. Use a simpler one.")
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Unavailable("The database is locked by another program. Try again.")
    if primary in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
        return Unavailable("The database cannot be written now. Nothing was written.")
    if primary == sqlite3.SQLITE_INTERRUPT:
        return TimedOut("The database took too long. Nothing was written.")
    return error


_POSTGRESQL_VIOLATIONS = {
    "23505": Violation.UNIQUE,
    "23P01": Violation.UNIQUE,
    "23503": Violation.FOREIGN_KEY,
    "23001": Violation.FOREIGN_KEY,
    "23502": Violation.NOT_NULL,
    "23514": Violation.CHECK,
}
# Classes of errors that a statement of ours, valid as it is, only gets from a rule that somebody wrote
# (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRESQL_OTHER = ("P0", "09", "27", "44", "42501", "23")
# A column, table, schema, type or unique key that is not there, a table that is a view now, a column that is generated now.
_POSTGRESQL_NOT_THERE = frozenset({"42703", "42P01", "3F000", "42704", "42P10", "42809", "55000", "428C9"})
_POSTGRESQL_UNAVAILABLE = ("08", "53", "57P", "58", "25006")


def from_postgresql(error: psycopg.Error) -> Exception:
    """Translate an error of PostgreSQL by its SQLSTATE."""
    state = error.sqlstate
    if state is None:
        lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return Unavailable("The connection to the database was lost. Nothing was written.") if lost else error
    if state in {"40001", "40P01"}:
        return Retry()
    if state in {"57014", "55P03"}:
        return TimedOut("The database took too long. Nothing was written.")
    if state.startswith(_POSTGRESQL_UNAVAILABLE):
        return Unavailable("The database cannot take the request now. Nothing was written.")
    if state == "54011":
        return QueryTooComplex(_TOO_MANY_COLUMNS)
    diag = error.diag
    has_new_columns = diag.source_function == "RevalidateCachedQuery"  # of a prepared statement; its code has many uses
    if state in _POSTGRESQL_NOT_THERE or has_new_columns:
        return NotAsAtStart()
    if state in _POSTGRESQL_VIOLATIONS:
        violation = _POSTGRESQL_VIOLATIONS[state]
        if diag.datatype_name and violation is not Violation.CHECK:
            violation = Violation.OTHER  # a domain that is not null
        columns = (diag.column_name,) if diag.column_name else ()
        table = (diag.schema_name or "", diag.table_name) if diag.table_name else None
        return StatementRefused(
            violation, constraint=diag.constraint_name, columns=columns, domain=diag.datatype_name, table=table
        )
    if state == "42601" and diag.statement_position is None:  # of a value: a tsvector has a syntax of its own
        return StatementRefused(Violation.VALUE)
    if state.startswith("22") or state in {"42883", "42804"}:  # no operator for the type of a value that is sought
        return StatementRefused(Violation.VALUE, domain=diag.datatype_name)
    if state.startswith(_POSTGRESQL_OTHER) or _is_of_a_user(state):
        return StatementRefused(Violation.OTHER, said=diag.message_primary)
    return error


def is_of_a_prepared_statement(error: psycopg.Error) -> bool:
    """Whether a prepared statement is not there (26000), is there already (42P05), or reads columns of other types than it did."""
    if error.sqlstate in {"26000", "42P05"}:
        return error.diag.context is None  # else a function, of a trigger or default, has raised it
    return error.sqlstate == "0A000" and error.diag.source_function == "RevalidateCachedQuery"


def _is_of_a_user(state: str) -> bool:
    """Whether PostgreSQL itself never gives this SQLSTATE, so that a trigger's RAISE has chosen it."""
    try:
        psycopg.errors.lookup(state)
    except KeyError:
        return True
    return False


# What may go wrong with a statement over expressions that somebody else wrote; the connection is as it was before.
STATEMENT_FAILED = (StatementRefused, NotAsAtStart, QueryTooComplex, sqlite3.Error, psycopg.Error)
