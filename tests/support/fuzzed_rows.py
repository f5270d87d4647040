"""The rows of the tables of tests/support/fuzzing.py: read, and set back, behind the server's back."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from storage.catalog.reflected import RECEIPTS
from storage.connections.transaction import read_text
from tests.support.worlds import FIRST_MADE_KEY

_SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> ?"

Dump = dict[str, list[str]]  # table -> its rows


@dataclass
class Rows:
    """The rows of the tables, behind the server's back: how they were at the start, and how they come to be so again."""

    connection: Any  # SQLite's or psycopg's own
    first: Dump = field(default_factory=dict)

    def reset(self) -> None:
        """Set all back that has changed."""
        raise NotImplementedError

    def dump(self) -> Dump:
        """Read all rows."""
        raise NotImplementedError


class SqliteRows(Rows):
    """Of a file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        connection.text_factory = read_text
        self._pristine = sqlite3.connect(":memory:")
        connection.backup(self._pristine)
        self._tables = [name for (name,) in connection.execute(_SQLITE_TABLES, [RECEIPTS])]
        self.first = self.dump()

    def reset(self) -> None:
        if self.dump() != self.first:
            self._pristine.backup(self.connection)

    def dump(self) -> Dump:
        def rows(name: str) -> list[str]:
            return sorted(map(repr, self.connection.execute(f'SELECT * FROM "{name}"')))

        return {name: rows(name) for name in self._tables}


class PostgresqlRows(Rows):
    """Of a database."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        tables = connection.execute(
            "SELECT c.oid::regclass::text, string_agg(quote_ident(attname), ', ' ORDER BY attnum) "
            "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND attgenerated = '' AND NOT attisdropped "
            "WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace "
            "AND relname <> %s GROUP BY c.oid",
            [RECEIPTS],
        ).fetchall()
        self._columns = dict(tables)
        connection.execute("CREATE SCHEMA pristine; SET session_replication_role = replica")
        for name, columns in tables:
            connection.execute(f"CREATE TABLE pristine.{name} AS SELECT {columns} FROM public.{name}")
        names = [
            name for (name,) in connection.execute("SELECT quote_ident(sequencename) FROM pg_sequences ORDER BY 1")
        ]
        first = [f"setval('{name}', {FIRST_MADE_KEY + 100 * place}, false)" for place, name in enumerate(names)]
        self._sequences = f"SELECT {', '.join(first)}"
        self._dump = " UNION ALL ".join(
            f"SELECT '{name}', coalesce(array_agg(a_row::text), '{{}}') FROM public.{name} a_row"
            for name in self._columns
        )
        self.first = self.dump()

    def reset(self) -> None:
        found = self.dump()
        statements = [self._sequences]
        for name, columns in self._columns.items():
            if found[name] != self.first[name]:
                statements.append(f"DELETE FROM public.{name}")
                statements.append(
                    f"INSERT INTO public.{name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM pristine.{name}"
                )
        self.connection.execute("; ".join(statements))

    def dump(self) -> Dump:
        return {name: sorted(rows) for name, rows in self.connection.execute(self._dump)}
