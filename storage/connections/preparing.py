"""The switch for prepared statements on PostgreSQL; it is turned off for the process if a session does not have one."""

import threading
from typing import Literal

from psycopg import Connection, __version__

from storage.log import note

Mode = Literal["auto", "off"]


class Preparing:
    """The state of prepared statements, shared by all connections of a database."""

    def __init__(self, mode: Mode) -> None:
        self._is_on = mode == "auto"
        self._changing = threading.Lock()

    def is_on(self) -> bool:
        """Return True if statements that have run more than a few times are prepared."""
        return self._is_on

    def set_up(self, connection: Connection) -> None:
        """Set up unique statement names for a new connection. If that is not possible, it prepares nothing."""
        try:
            # Imported here, because psycopg's module is private and may be missing in another version.
            from storage.connections.prepared_names import install  # noqa: PLC0415
        except ImportError:
            is_installed = False
        else:
            is_installed = install(connection, self.is_on)
        if not is_installed:
            connection.prepare_threshold = None
            self._stop(
                "Partwise cannot name prepared statements with this version of psycopg, so nothing is prepared.",
                psycopg=__version__,
            )

    def give_up(self, sqlstate: str | None) -> None:
        """Stop preparing statements, because a session did not have a prepared one."""
        self._stop(
            "A server session did not have a statement that this connection had prepared, because of a connection pooler or "
            "an altered table. Nothing is prepared until the server is restarted. The request is run again.",
            sqlstate=sqlstate,
        )

    def _stop(self, why: str, *, sqlstate: str | None = None, psycopg: str | None = None) -> None:
        with self._changing:
            if self._is_on:
                self._is_on = False
                note("prepared_statements_off", why, sqlstate=sqlstate, psycopg=psycopg)
