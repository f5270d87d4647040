"""Detection of a database that cannot be opened only because it is not available yet."""

from pathlib import Path

import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_PING_TIMEOUT = 2  # seconds; the minimum of libpq (PostgreSQL manual, "connect_timeout")


def is_away(url: sa.URL) -> bool:
    """Return True if the file does not exist, or if no PostgreSQL server that accepts connections responds.

    libpq's ping needs no valid user, password or database: a server that rejects those is not away. A server that
    starts, stops or recovers is away, and so is one whose name cannot be resolved (PostgreSQL manual, "PQpingParams").
    """
    if url.get_backend_name() == "sqlite":
        return not Path(url.database or "").exists()
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects are not typed
    _, parameters = dialect.create_connect_args(url)  # type: ignore[no-untyped-call]  # the same
    conninfo = make_conninfo(**{**parameters, "connect_timeout": _PING_TIMEOUT})
    return PGconn.ping(conninfo.encode()) in {Ping.REJECT, Ping.NO_RESPONSE}
