"""The small family of tables that random batches run on, served, and set back to its start between examples."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.support.harness import BATCH, Api, Backend, Json

Part = dict[str, Any]

SCRIPT = """
CREATE TABLE parent (
  id {generated}, code VARCHAR(10) NOT NULL UNIQUE, rank INTEGER, above_id INTEGER REFERENCES parent (id)
);
CREATE TABLE child (
  id {generated}, parent_id INTEGER NOT NULL REFERENCES parent (id), name VARCHAR(10) NOT NULL,
  amount INTEGER NOT NULL DEFAULT 1 CHECK (amount > 0), UNIQUE (parent_id, name)
);
CREATE TABLE link (
  parent_id INTEGER NOT NULL REFERENCES parent (id), child_id INTEGER NOT NULL REFERENCES child (id), weight INTEGER,
  PRIMARY KEY (parent_id, child_id)
);
CREATE TABLE toy (
  id {generated}, child_id INTEGER REFERENCES child (id) ON DELETE CASCADE, label VARCHAR(10) UNIQUE,
  parent_code VARCHAR(10) REFERENCES parent (code)
);
CREATE TABLE mark (id {generated}, next_id INTEGER REFERENCES mark (id) {deferred}, color VARCHAR(10));
"""
TABLES = ("mark", "toy", "link", "child", "parent")  # those that point at others first
START = """
INSERT INTO parent (id, code, rank, above_id) VALUES (1, 'a', NULL, NULL), (2, 'b', 1, 1), (3, 'c', 2, NULL);
INSERT INTO child (id, parent_id, name, amount) VALUES (1, 1, 'x', 1), (2, 1, 'y', 2), (3, 2, 'x', 3);
INSERT INTO link (parent_id, child_id, weight) VALUES (1, 1, NULL), (2, 1, 5), (2, 3, NULL);
INSERT INTO toy (id, child_id, label, parent_code) VALUES (1, 2, 't', NULL), (2, 3, NULL, 'b'), (3, NULL, 'u', 'c');
INSERT INTO mark (id, next_id, color) VALUES (1, 2, NULL), (2, 1, 'red'), (3, NULL, NULL);
"""
START_ITEMS = (
    *("/parents/1", "/parents/2", "/parents/3", "/children/1", "/children/2", "/children/3"),
    *("/links/1,1", "/links/2,1", "/links/2,3", "/toys/1", "/toys/2", "/toys/3", "/marks/1", "/marks/2", "/marks/3"),
)
# Each table makes its keys in a thousand of its own, so that a made key is known by its looks, and its table too.
FIRST_MADE_KEY = 10_000
_MADE_KEY = re.compile(r"\b1\d{4}\b")
ETAG_OF = "@"  # before a path: the etag that the item had at the start


@dataclass(frozen=True)
class Family:
    """Some tables and their rows at the start."""

    script: str  # {generated}: a key that the database makes, and gives to no second row
    tables: tuple[str, ...]  # those that point at others first
    counted: tuple[str, ...]  # those whose keys the database makes
    start: tuple[str, ...]
    items: tuple[str, ...]  # the paths of the rows at the start
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the server


PARENTS = Family(
    script=SCRIPT,
    tables=TABLES,
    counted=tuple(table for table in TABLES if table != "link"),
    start=tuple(START.strip().rstrip(";").split(";\n")),
    items=START_ITEMS,
)


class World:
    """A family of tables, served, and set back to its start between examples."""

    def __init__(self, backend: Backend, api: Api, connection: sa.Connection, family: Family = PARENTS) -> None:
        self.backend = backend
        self.api = api
        self.connection = connection  # behind the server's back
        self.family = family
        self.etags: dict[str, str] = {}  # path -> etag at the start

    def __repr__(self) -> str:
        return f"World({self.backend.kind})"

    def reset(self) -> None:
        """Set tables and made keys back to the start."""
        statements = [*(f"DELETE FROM {table}" for table in self.family.tables), *self.family.start]
        if self.backend.kind == "sqlite":
            counts = " ".join(f"WHEN '{table}' THEN {last}" for table, last in self._last_made_keys())
            for statement in (
                "BEGIN",
                *statements,
                f"UPDATE sqlite_sequence SET seq = CASE name {counts} END",
                "COMMIT",
            ):
                self.connection.exec_driver_sql(statement)
            return
        statements += [f"SELECT setval('{table}_id_seq', {last})" for table, last in self._last_made_keys()]
        self.connection.exec_driver_sql(";".join(statements).replace("%", "%%"))  # psycopg's sign for a parameter

    def _last_made_keys(self) -> list[tuple[str, int]]:
        return [(table, FIRST_MADE_KEY + 1_000 * place - 1) for place, table in enumerate(self.family.counted)]

    def tables(self) -> dict[str, list[list[Any]]]:
        """Read all rows of all tables."""
        return {
            table: [list(row) for row in self.connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in self.family.tables
        }

    def send(self, parts: Sequence[Part], *, dry_run: bool = False, query: str = BATCH) -> Json:
        """Run a batch, which is never a request error."""
        sent = [self._with_etags(each) for each in parts]
        answer = self.api.post(query, {"parts": sent, "dryRun": dry_run})
        assert "errors" not in answer, answer
        return answer["data"]["batch"]

    def _with_etags(self, part: Part) -> Part:
        def of(text: str) -> str:
            return self.etags.get(text[1:], "none") if text.startswith(ETAG_OF) else text

        lists = {name: [of(text) for text in part[name]] for name in ("ifMatch", "ifNoneMatch") if part.get(name)}
        return {**part, **lists}

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()
        self.connection.engine.dispose()


def make_world(backend: Backend, start: Callable[..., Api], family: Family = PARENTS) -> World:
    """Make the tables in an empty database and serve them."""
    generated = "{key} AUTOINCREMENT" if backend.kind == "sqlite" else "{key}"  # neither gives a key a second time
    backend.run(family.script.replace("{generated}", generated))
    connection = backend.engine().connect().execution_options(isolation_level="AUTOCOMMIT")
    if backend.kind == "sqlite":
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        for table in family.counted:
            connection.exec_driver_sql(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', 0)")
    world = World(backend, start(backend, **family.settings), connection, family)
    world.reset()
    read = world.send([{"id": path, "operation": "GET", "path": path} for path in family.items])
    world.etags = {each["path"]: each["etag"] for each in read["parts"]}
    return world


def made_keys(answer: Any) -> set[str]:
    """Find the keys in an answer that the database made."""
    return {*_MADE_KEY.findall(json.dumps(answer, default=str))}


def alike(answer: Any) -> Any:
    """Leave out what two databases may say differently: etags, messages; and number made keys by their order."""
    text = json.dumps(_without(answer, {"etag", "message"}), default=str)
    made: dict[str, str] = {}
    for key in sorted({*_MADE_KEY.findall(text)}):
        made[key] = f"2{key[:2]}{sum(other[:2] == key[:2] for other in made):03}"
    return json.loads(_MADE_KEY.sub(lambda found: made[found[0]], text))


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, names) for name, each in value.items() if name not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value
