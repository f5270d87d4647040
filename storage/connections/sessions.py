"""Settings of PostgreSQL sessions, and detection of poolers that assign another session to each transaction."""

import logging
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from weakref import WeakKeyDictionary, WeakValueDictionary

import psycopg

from storage.log import note

# Settings that every session needs, whatever a role, a database or another client of a pooler has set.
_FIXED = {
    # Values that are read as text must have the format that we parse.
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "IntervalStyle": "iso_8601",
    "DateStyle": "ISO",
    "bytea_output": "hex",
    "extra_float_digits": "3",  # enough digits to distinguish all doubles; before PostgreSQL 12 it must be 3
    # Values that are written as text must arrive unchanged.
    "standard_conforming_strings": "on",  # if off, psycopg doubles the backslashes of bytes
    "array_nulls": "on",  # if off, NULL in an array is the text "NULL"
    "xmloption": "content",  # with document, a fragment that was read cannot be written back
    # Types must have the names that we know: with quotes, "bytea" would not be one, and bytes would be stored as their
    # Base64.
    "quote_all_identifiers": "off",
    # A refused statement must end neither the session nor the transaction's savepoint.
    "exit_on_error": "off",
    # Results must have all rows.
    "gin_fuzzy_search_limit": "0",  # otherwise an index returns a random subset of the rows
    "row_security": "on",  # if off, reading a table with policies is an error
}
# The server reports changes of these, so that a trigger that changes them for its session is noticed without a query.
_REPORTED = ("TimeZone", "IntervalStyle", "DateStyle", "standard_conforming_strings")
# Settings that the operator chooses by role or database, and that another client of a pooler may have changed: whose
# privileges apply, whether a commit waits for the disk, how money is written, the meaning of = NULL in functions.
_OPERATORS = ("role", "synchronous_commit", "lc_monetary", "transform_null_equals")
_LONGEST_PLAN = 2.0  # seconds that a session uses a cached plan: to plan ten statements takes 2 ms


class Sessions:
    """The setup of a database's sessions, for all its connections."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._planned: WeakKeyDictionary[psycopg.Connection, float] = (
            WeakKeyDictionary()
        )  # when its plans began to be cached
        self._fixed = dict(_FIXED)
        self._search_path: str | None = None  # as SQL; None until the tables are reflected
        self._pooled = False
        self._connections: WeakValueDictionary[int, psycopg.Connection] = (
            WeakValueDictionary()
        )  # process of the session -> connection
        self._noticing = threading.Lock()

    def set_up(self, connection: psycopg.Connection) -> None:
        """Set up a new session in one round trip, and detect whether it belongs to this connection alone.

        A pooler sends its own BackendKeyData, because it does not have a session yet. So the process that it names is
        not the one that runs statements (https://www.postgresql.org/docs/current/protocol-flow.html). In that case,
        settings last only for a transaction, because the session may serve another client next. A server with one
        session for all connections (PGlite) runs all of them in one process.
        """
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":  # see `postgresql.converts_texts`
            self._fixed["client_encoding"] = (
                "SQL_ASCII"  # such a server refuses to send bytes that are not UTF-8 to a UTF-8 client
            )
        own = connection.info.backend_pid
        values = self._fixed if self._search_path is None else {**self._fixed, "search_path": self._search_path}
        each = ", ".join(f"set_config('{name}', {_literal(value)}, pid <> {own})" for name, value in values.items())
        found = connection.execute(
            "SELECT pid, current_setting('session_replication_role'), "
            f"(SELECT rolsuper FROM pg_roles WHERE rolname = session_user), {each} FROM pg_backend_pid() AS pid"
        ).fetchone()
        assert found is not None  # noqa: S101  # a SELECT without conditions returns a row
        pid, replication, is_superuser = found[:3]
        # With replica, foreign keys and triggers are off. Only a superuser may change it. So only another superuser can
        # have left it in a pooler's session. If a database sets it, a role that cannot reset it is not served.
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
        """Use only these schemas, in which the tables were found.

        A role's search path may change while the server runs.
        """
        self._search_path = ", ".join('"' + name.replace('"', '""') + '"' for name in schemas) or "''"

    def at_begin(self, connection: psycopg.Connection, *, always: bool) -> str:
        """Return the settings that a transaction needs after its BEGIN.

        They are needed if `always`, or if `set_up` may not have configured the session.
        """
        if not (always or self._pooled):
            status = connection.info.parameter_status
            if all((status(name) or "").startswith(self._fixed[name]) for name in _REPORTED):
                return ""
        own = [f"{name} = DEFAULT" for name in _OPERATORS]
        own += [f"search_path = {self._search_path or 'DEFAULT'}"]
        own += [f"{name} = '{value}'" for name, value in self._fixed.items()]
        return "".join(f"; SET LOCAL {each}" for each in own)

    def new_plans(self, connection: psycopg.Connection) -> str:
        """Return the statement that discards the session's cached plans, if they are old.

        PostgreSQL plans a prepared statement for the size that the tables have then: it scans a small table. It keeps such a plan
        until autovacuum analyzes the table, which can take minutes. If the table grows by a batch meanwhile, each batch
        reads all of it: after a minute of batches of ten parts, the server ran 0.4 times as many as at its start. The same is true
        of the plans of foreign keys, triggers and functions (https://www.postgresql.org/docs/current/sql-discard.html).
        """
        now = self._clock()
        since = self._planned.setdefault(connection, now)
        if now - since < _LONGEST_PLAN:
            return ""
        self._planned[connection] = now
        return "; DISCARD PLANS"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
