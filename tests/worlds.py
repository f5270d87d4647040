"""The small family of tables that random batches run on, served, and set back to its start between examples."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from tests.harness import BATCH, LEAN_BATCH, Api, Backend, Json

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
FIRST_MADE_KEY = 1_000  # so that a key that the database made is known by its looks
_MADE_KEY = re.compile(r"\b1\d{3}\b")
ETAG_OF = "@"  # before a path: the etag that the item had at the start


class World:
    """The family of tables, served, and set back to its start between examples."""

    def __init__(self, backend: Backend, api: Api, connection: sa.Connection) -> None:
        self.backend = backend
        self.api = api
        self.connection = connection  # behind the server's back
        self.etags: dict[str, str] = {}  # path -> etag at the start

    def __repr__(self) -> str:
        return f"World({self.backend.kind})"

    def reset(self) -> None:
        """Set tables and made keys back to the start."""
        statements = [f"DELETE FROM {table}" for table in TABLES] + START.strip().rstrip(";").split(";\n")
        if self.backend.kind == "sqlite":
            statements.insert(0, "BEGIN")
            statements.append(f"UPDATE sqlite_sequence SET seq = {FIRST_MADE_KEY - 1}")
            statements.append("COMMIT")
            for statement in statements:
                self.connection.exec_driver_sql(statement)
            return
        sequences = [t for t in TABLES if t != "link"]
        statements += [f"SELECT setval('{table}_id_seq', {FIRST_MADE_KEY - 1})" for table in sequences]
        self.connection.exec_driver_sql(";".join(statements))

    def tables(self) -> dict[str, list[list[Any]]]:
        """Read all rows of all tables."""
        return {
            table: [list(row) for row in self.connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in TABLES
        }

    def send(self, parts: Sequence[Part], *, dry_run: bool = False, with_rows: bool = True) -> Json:
        """Run a batch, which is never a request error; ask for rows, or only for what became of the parts."""
        sent = [self._with_etags(each) for each in parts]
        answer = self.api.post(BATCH if with_rows else LEAN_BATCH, {"parts": sent, "dryRun": dry_run})
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


def make_world(backend: Backend, start: Callable[[Backend], Api]) -> World:
    """Make the tables in an empty database and serve them."""
    generated = "{key} AUTOINCREMENT" if backend.kind == "sqlite" else "{key}"  # neither gives a key a second time
    backend.run(SCRIPT.replace("{generated}", generated))
    connection = backend.engine().connect().execution_options(isolation_level="AUTOCOMMIT")
    if backend.kind == "sqlite":
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        for table in TABLES:
            if table != "link":
                connection.exec_driver_sql(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', 0)")
    world = World(backend, start(backend), connection)
    world.reset()
    read = world.send([{"id": path, "operation": "GET", "path": path} for path in START_ITEMS])
    world.etags = {each["path"]: each["etag"] for each in read["parts"]}
    return world


def has_made_keys(answer: Any) -> bool:
    """Whether a key that the database made stands in an answer."""
    return _MADE_KEY.search(json.dumps(answer)) is not None


def alike(answer: Any) -> Any:
    """Leave out what two databases may say differently: etags, messages; and number made keys by their order."""
    text = json.dumps(_without(answer, {"etag", "message"}))
    made = {key: str(2_000 + place) for place, key in enumerate(sorted(set(_MADE_KEY.findall(text)), key=int))}
    return json.loads(_MADE_KEY.sub(lambda found: made[found[0]], text))


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, names) for name, each in value.items() if name not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value
