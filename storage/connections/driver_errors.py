"""Translation of driver errors into the errors of the engine; nothing else interprets driver errors."""

import re
import sqlite3
import unicodedata
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

import psycopg

from storage.errors import QueryTooComplex, TimedOut, Unavailable
from storage.sql import Statement

E = TypeVar("E", bound=Exception)


class Retry(Exception):  # not an error: the transaction must be run again
    """Another transaction conflicted with this one (40001, 40P01). Everything must be run again from the start."""


class Unprepared(Retry):
    """A session does not have a prepared statement.

    The transaction must be run again, and nothing is prepared from then on.
    """


class Locked(Retry):
    """Another session holds a lock for longer than the patience of the transaction.

    Run it again in a context that may wait.
    """


class Violation(Enum):
    """The kinds of rules that a statement can violate."""

    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    NOT_NULL = "not null"
    CHECK = "check"
    VALUE = "value"
    OTHER = "other"  # a trigger, domain, policy, default or index that the table's owner has added


class Doubt(Enum):
    """What must be queried before the cause of a refusal is known (docs/contract.md, section 6)."""

    TABLE = "table"  # for a change of the table since the start of the server
    RIGHTS = "rights"  # for a privilege that the server's role lacks


@dataclass(slots=True)
class StatementRefused(Exception):  # named for what happened
    """The database refused one statement. The transaction can continue from its last savepoint."""

    violation: Violation
    constraint: str | None = None  # its name; on SQLite, a check without a name has its text
    columns: tuple[str, ...] = ()
    rule_of: str | None = None  # the table of the violated rule, if it may be another one, written by a trigger
    domain: str | None = None
    table: tuple[str, str] | None = None  # PostgreSQL: schema and name of the table whose row it is
    said: str | None = None  # the message that the author of a trigger wrote for users; never logged
    state: str | None = None  # the SQLSTATE, or the name of SQLite's result code
    doubt: Doubt | None = None
    transaction_lost: bool = False  # SQLite: a trigger's RAISE(ROLLBACK) has ended the transaction
    statement: Statement | None = field(default=None, repr=False)  # with its parameters


def without_frames(error: E) -> E:
    """Remove the tracebacks of an error and of its cause, and return the error.

    A frame that stores the error is referenced by its traceback: a cycle that would keep the whole request in memory.
    """
    for each in (error, error.__cause__):
        if each is not None:
            each.__traceback__ = None
    return error


_MOST_SAID = 1_000  # characters of a trigger's message
_JOINERS = "\u200c\u200d"  # format characters that some scripts and emoji need
_ENDINGS = (
    ".",
    "!",
    "?",
    "…",
    "\u3002",
    "\uff01",
    "\uff1f",
    "\u0964",
    "\u061f",
)  # the last ones belong to East Asian, Indic and Arabic scripts


def _in_words(*texts: str | None) -> str | None:
    """Return the message of a trigger as sentences on one line, without control characters, or None if it is empty."""
    sentences = []
    for text in texts:
        plain = "".join(each if _is_shown(each) else " " if each.isspace() else "" for each in text or "")
        words = " ".join(plain.split())
        if words:
            sentences.append(words if words.endswith(_ENDINGS) else f"{words}.")
    said = " ".join(sentences)
    return (said if len(said) <= _MOST_SAID else f"{said[: _MOST_SAID - 1].rstrip()}…") or None


def _is_shown(character: str) -> bool:
    """Return True for a character that is not a control character and does not change how its neighbors appear."""
    return character in _JOINERS or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


_SQLITE_VIOLATIONS = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: Violation.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Violation.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_ROWID: Violation.UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: Violation.FOREIGN_KEY,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: Violation.NOT_NULL,
    sqlite3.SQLITE_CONSTRAINT_CHECK: Violation.CHECK,
    3091: Violation.VALUE,  # SQLITE_CONSTRAINT_DATATYPE, for STRICT tables; Python 3.11 does not name it
    sqlite3.SQLITE_MISMATCH: Violation.VALUE,
    sqlite3.SQLITE_TOOBIG: Violation.VALUE,
}
# Errors that are not about a statement, but about the environment of the database (https://sqlite.org/rescode.html).
_SQLITE_UNAVAILABLE = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
        *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM),
    }
)
# Messages of SQLite for a query that exceeds its limits (https://sqlite.org/limits.html).
_SQLITE_TOO_MUCH = ("parser stack overflow", "Expression tree is too large", "too complex", "too many")
_TOO_MANY_COLUMNS = (
    "This request selects more columns of one collection than the database allows. "
    "Select fewer attributes or aggregates."
)


def too_long() -> TimedOut:
    """Return the error for a request whose statements take too long."""
    return TimedOut("The database took too long. Nothing was written.")


def locked() -> TimedOut:
    """Return the error for a lock that another transaction holds."""
    return TimedOut(
        "Another transaction holds a lock that this request needs. Nothing was written. Try again.", where="lock"
    )


def from_sqlite(error: sqlite3.Error, *, lost: bool, reads: bool = False) -> Exception:
    """Translate an SQLite error into one of the engine (https://sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # from Python's module, not from SQLite: a bug in one of our statements
        return error
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_BUSY:
        return locked()
    if primary == sqlite3.SQLITE_LOCKED:
        return Unavailable("The database is locked by another program. Try again.")
    if primary in _SQLITE_UNAVAILABLE:
        return Unavailable("The database cannot be written now. Nothing was written.")
    if primary == sqlite3.SQLITE_INTERRUPT:
        return too_long()
    if reads and str(error).startswith("too many columns in "):  # in the result, or in GROUP BY
        return QueryTooComplex(_TOO_MANY_COLUMNS)
    if reads and primary == sqlite3.SQLITE_ERROR and any(what in str(error) for what in _SQLITE_TOO_MUCH):
        return QueryTooComplex("The filter is nested too deeply for SQLite. Use a simpler one.")
    refused = _refused_by_sqlite(error, code)
    refused.state = getattr(error, "sqlite_errorname", None)
    refused.transaction_lost = lost
    return refused


def _refused_by_sqlite(error: sqlite3.Error, code: int) -> StatementRefused:
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER:  # RAISE
        return StatementRefused(Violation.OTHER, said=_in_words(str(error)))
    if code & 0xFF != sqlite3.SQLITE_CONSTRAINT and code not in _SQLITE_VIOLATIONS:
        return StatementRefused(Violation.OTHER, doubt=Doubt.TABLE)
    _, _, what = str(error).partition(" failed: ")
    violation = _SQLITE_VIOLATIONS.get(code, Violation.OTHER)
    if violation is Violation.CHECK or what.startswith("index "):
        index = what.removeprefix("index ").strip("'") if what.startswith("index ") else None
        return StatementRefused(violation, constraint=index or what)
    named = [each.rpartition(".") for each in what.split(", ")] if what else []
    table = named[0][0] if named else None
    return StatementRefused(violation, columns=tuple(column for *_, column in named), rule_of=table or None)


_POSTGRESQL_VIOLATIONS = {
    "23505": Violation.UNIQUE,
    "23P01": Violation.UNIQUE,
    "23503": Violation.FOREIGN_KEY,
    "23001": Violation.FOREIGN_KEY,
    "23502": Violation.NOT_NULL,
    "23514": Violation.CHECK,
}
# Messages of Citus, with SQLSTATE XX000, about a constraint of a shard.
_VIOLATES = re.compile(r"violates (unique|foreign key|not-null|check|exclusion) constraint")
_VIOLATED = {
    "unique": Violation.UNIQUE,
    "exclusion": Violation.UNIQUE,
    "foreign key": Violation.FOREIGN_KEY,
    "not-null": Violation.NOT_NULL,
    "check": Violation.CHECK,
}
# Errors of the request itself, even if a function raises them
# (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRESQL_RETRY = frozenset({"40001", "40P01"})
_CANCELED, NO_LOCK = "57014", "55P03"
_POSTGRESQL_UNAVAILABLE = ("08", "25006", "53", "57P", "58", "XX001", "XX002")
_FATAL = frozenset({"FATAL", "PANIC"})  # the server ends the connection
_NO_RIGHT = "42501"
# SQLSTATEs of statements that refer to something missing or of another kind. The author of a trigger may have written
# them, too.
_POSTGRESQL_OF_THE_TABLE = ("42", "55", "3F000")
# Matches for an error's context, in every language. An action of ON UPDATE or ON DELETE is a statement, but not of a
# function.
_OF_A_FUNCTION, _OF_A_TRIGGER = re.compile(r"\bSQL\b|\bPL/"), re.compile(r"\bPL/")


def from_postgresql(error: psycopg.Error, *, reads: bool = False) -> Exception:
    """Translate a PostgreSQL error by its SQLSTATE, in the order of docs/contract.md, section 6."""
    state = error.sqlstate
    if state is None:
        return _of_psycopg(error)
    if state in _POSTGRESQL_RETRY:
        return Retry()
    if state == _CANCELED:
        return too_long()
    if state == NO_LOCK:
        return locked()
    diag = _told(error)
    if state.startswith(_POSTGRESQL_UNAVAILABLE) or diag.severity_nonlocalized in _FATAL:
        return Unavailable("The database cannot take the request now. Nothing was written.")
    if reads and state == "54011" and not _is_raised(diag):
        return QueryTooComplex(_TOO_MANY_COLUMNS)
    return _refused_by_postgresql(diag, state)


def _told(error: psycopg.Error) -> psycopg.errors.Diagnostic:
    """Return the error's diagnostics, decoded as UTF-8.

    psycopg does not decode them so if the server does not know its encoding.
    """
    return error.diag if error.pgresult is None else psycopg.errors.Diagnostic(error.pgresult, "utf-8")


def _of_psycopg(error: psycopg.Error) -> Exception:
    """Translate an error that the driver itself raises: a lost connection, or a value that it cannot send."""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable("The connection to the database was lost. Nothing was written.")
    if isinstance(error, psycopg.DataError):
        return StatementRefused(Violation.VALUE)
    return error


def is_of_a_prepared_statement(error: psycopg.Error) -> bool:
    """Return True if a prepared statement is missing (26000), already exists (42P05), or has outdated column types."""
    if error.sqlstate in {"26000", "42P05"}:
        return error.diag.context is None  # otherwise a function, of a trigger or a default, has raised it
    return error.sqlstate == "0A000" and error.diag.source_function == "RevalidateCachedQuery"


def _is_raised(diag: psycopg.errors.Diagnostic) -> bool:
    """Return True if the error was raised by RAISE or ASSERT of PL/pgSQL."""
    return diag.source_function in {"exec_stmt_raise", "exec_stmt_assert"}


def _refused_by_postgresql(diag: psycopg.errors.Diagnostic, state: str) -> StatementRefused:
    is_raised = _is_raised(diag)
    said = diag.message_primary if is_raised or state == "P0001" or _is_of_a_user(state) else None
    if said is not None and said in {state, _name_of(state)}:  # the text of RAISE without a message
        said = None
    return StatementRefused(
        _violation(diag, state, is_raised=is_raised),
        constraint=diag.constraint_name,
        columns=(diag.column_name,) if diag.column_name else (),
        table=(diag.schema_name or "", diag.table_name) if diag.table_name else None,
        rule_of=diag.table_name if _OF_A_TRIGGER.search(diag.context or "") and not is_raised else None,
        domain=diag.datatype_name,
        said=_in_words(said, diag.message_hint) if said else None,
        state=state,
        doubt=None if is_raised else _doubt(diag, state),
    )


def _violation(diag: psycopg.errors.Diagnostic, state: str, *, is_raised: bool) -> Violation:
    if state in _POSTGRESQL_VIOLATIONS:
        violation = _POSTGRESQL_VIOLATIONS[state]
        is_of_a_domain = bool(diag.datatype_name) and violation is not Violation.CHECK  # its NOT NULL
        return Violation.OTHER if is_of_a_domain else violation
    if is_raised or _OF_A_FUNCTION.search(diag.context or ""):
        return Violation.OTHER
    if state == "XX000":
        violated = _VIOLATES.search(diag.message_primary or "")
        return Violation.OTHER if violated is None else _VIOLATED[violated[1]]
    if state == "42601" and diag.statement_position is None:  # of a value: a tsvector has its own syntax
        return Violation.VALUE
    return Violation.VALUE if state.startswith("22") and state not in _NO_VALUE else Violation.OTHER


_NO_VALUE = frozenset({"2200H"})  # a sequence has reached its limit


def _doubt(diag: psycopg.errors.Diagnostic, state: str) -> Doubt | None:
    if state == _NO_RIGHT:
        return Doubt.RIGHTS
    # Of a prepared statement; its SQLSTATE has several uses.
    is_of_a_plan = diag.source_function == "RevalidateCachedQuery"
    return Doubt.TABLE if is_of_a_plan or state.startswith(_POSTGRESQL_OF_THE_TABLE) else None


def _is_of_a_user(state: str) -> bool:
    """Return True if PostgreSQL itself never raises this SQLSTATE, so that a trigger's RAISE has chosen it."""
    return _name_of(state) is None


def _name_of(state: str) -> str | None:
    """Return the name of an SQLSTATE in PL/pgSQL, such as division_by_zero, or None if it is unknown."""
    try:
        name = psycopg.errors.lookup(state).__name__.rstrip("_")
    except KeyError:
        return None
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# Errors of a statement with expressions that others wrote. The state of the connection does not change.
STATEMENT_FAILED = (StatementRefused, QueryTooComplex, sqlite3.Error, psycopg.Error)
