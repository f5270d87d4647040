"""The settings of PostgreSQL sessions, and whether a pooler may assign another session to each transaction."""

import logging
import threading
from collections.abc import Sequence
from weakref import WeakValueDictionary

import psycopg

from storage.log import note

# What must hold in every session, whatever a role, a database or another client of a pooler has set.
_FIXED = {
    # What is read as text is what we take it for.
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "IntervalStyle": "iso_8601",
    "DateStyle": "ISO",
    "bytea_output": "hex",
    "extra_float_digits": "3",  # enough digits to tell one double from all others; before PostgreSQL 12 it takes 3
    # What is written as text arrives as it is.
    "standard_conforming_strings": "on",  # if off, psycopg doubles the backslashes of bytes
    "array_nulls": "on",  # if off, NULL in an array is a text of four letters
    "xmloption": "content",  # with document, a fragment that was read cannot be written back
    # Types have the names that we know: '"bytea"' is not one of them, and bytes would be stored as their Base64.
    "quote_all_identifiers": "off",
    # A statement that is refused ends neither the session nor the transaction's savepoint.
    "exit_on_error": "off",
    # Answers have all rows.
    "gin_fuzzy_search_limit": "0",  # else an index returns some of the rows, chosen at random
    "row_security": "on",  # if off, reading a table with policies is an error
}
# The server reports each change of these, so a trigger that changes them for its session is noticed without asking.
_REPORTED = ("TimeZone", "IntervalStyle", "DateStyle", "standard_conforming_strings")
# What is the operator's to choose by role or database, and what another client of a pooler may have left behind: whose
# rights are used, whether a commit waits for the disk, how money is written, what = NULL means in the database's functions.
_OPERATORS = ("role", "synchronous_commit", "lc_monetary", "transform_null_equals")


class Sessions:
    """Sets up the sessions of a database, for all its connections."""

    def __init__(self) -> None:
        self._fixed = dict(_FIXED)
        self._search_path: str | None = None  # as SQL has it; unknown until the tables are read
        self._pooled = False
        self._connections: WeakValueDictionary[int, psycopg.Connection] = (
            WeakValueDictionary()
        )  # by their session's process
        self._noticing = threading.Lock()

    def set_up(self, connection: psycopg.Connection) -> None:
        """Set up a new session, in one round trip, and find out whether it is this connection's own.

        A pooler sends a BackendKeyData of its own, because it has no session yet; so the process named there is not the one
        that runs statements (https://www.postgresql.org/docs/current/protocol-flow.html). Then nothing is set for longer
        than a transaction: the session is another client's the next moment. A server with one session for all connections
        (PGlite) runs all of them in one process.
        """
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":  # see `postgresql.converts_texts`
            self._fixed["client_encoding"] = (
                "SQL_ASCII"  # it refuses to give bytes that are not UTF-8 to a client that speaks UTF-8
            )
        own = connection.info.backend_pid
        values = self._fixed if self._search_path is None else {**self._fixed, "search_path": self._search_path}
        each = ", ".join(f"set_config('{name}', {_literal(value)}, pid <> {own})" for name, value in values.items())
        found = connection.execute(
            "SELECT pid, current_setting('session_replication_role'), "
            f"(SELECT rolsuper FROM pg_roles WHERE rolname = session_user), {each} FROM pg_backend_pid() AS pid"
        ).fetchone()
        assert found is not None  # noqa: S101  # a SELECT without conditions
        pid, replication, is_superuser = found[:3]
        # With replica, foreign keys and triggers are off. Only a superuser may change it, so only another superuser can have
        # left it in a pooler's session; where a database sets it, a role that may not turn them on is not served.
        if is_superuser or replication == "replica":
            self._fixed["session_replication_role"] = "origin"
        other = self._connections.get(pid)
        self._connections[pid] = connection
        if pid != own or (other is not None and not other.closed):
            self._notice()
        elif replication == "replica":
            connection.execute("SET session_replication_role = origin")

    def _notice(self) -> None:
        with self._noticing:
            if not self._pooled:
                self._pooled = True
                note(
                    "pooler",
                    "Connections share database sessions, as behind a connection pooler. Each transaction sets what its "
                    "session needs.",
                    level=logging.INFO,
                )

    def keep_search_path(self, schemas: Sequence[str]) -> None:
        """Use only these schemas, in which the tables were found: a role's search path may change while the server runs."""
        self._search_path = ", ".join('"' + name.replace('"', '""') + '"' for name in schemas) or "''"

    def at_begin(self, connection: psycopg.Connection, *, always: bool) -> str:
        """Write what a transaction must set after its BEGIN; always, or if `set_up` may not have set up its session."""
        if not (always or self._pooled):
            status = connection.info.parameter_status
            if all((status(name) or "").startswith(self._fixed[name]) for name in _REPORTED):
                return ""
        own = [f"{name} = DEFAULT" for name in _OPERATORS]
        own += [f"search_path = {self._search_path or 'DEFAULT'}"]
        own += [f"{name} = '{value}'" for name, value in self._fixed.items()]
        return "".join(f"; SET LOCAL {each}" for each in own)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
