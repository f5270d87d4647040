"""Scripts that run with functions and collations of an application's own, which the server does not have."""

import sqlite3

import sqlalchemy as sa

from tests.support.harness import Backend


def as_the_application(backend: Backend, script: str) -> None:
    """Run a script as an application does that has functions and collations of its own."""
    connection = sqlite3.connect(sa.make_url(backend.url).database or "")
    connection.create_function("title_sort", 1, lambda text: text, deterministic=True)
    connection.create_collation("unicase", lambda a, b: (a > b) - (a < b))
    connection.executescript(script)
    connection.close()
