"""A query is one snapshot, whatever others commit between its statements; a batch's own query sees what the batch has done."""

from collections.abc import Iterator
from typing import Any

import pytest

from storage.connections.transaction import Result, Transaction
from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, part

TABLES = """
CREATE TABLE owner (id INTEGER PRIMARY KEY, name VARCHAR(10) NOT NULL);
CREATE TABLE pet (id INTEGER PRIMARY KEY, owner_id INTEGER REFERENCES owner (id), kind VARCHAR(10), weight INTEGER NOT NULL);
CREATE TABLE visit (id INTEGER PRIMARY KEY, pet_id INTEGER NOT NULL REFERENCES pet (id), cost INTEGER NOT NULL)
"""
START = """
INSERT INTO owner VALUES (1, 'Ada'), (2, 'Bob');
INSERT INTO pet VALUES (1, 1, 'cat', 4), (2, 1, 'dog', 9), (3, 1, 'cat', 5), (4, 2, 'dog', 8);
INSERT INTO visit VALUES (1, 1, 10), (2, 1, 20), (3, 4, 30)
"""
# Children and parents go and come, move, and change.
CHANGE = """
DELETE FROM visit WHERE id IN (1, 3);
UPDATE visit SET pet_id = 2, cost = 21 WHERE id = 2;
INSERT INTO visit VALUES (4, 3, 40);
DELETE FROM pet WHERE id IN (1, 4);
DELETE FROM owner WHERE id = 2;
UPDATE owner SET name = 'Eve' WHERE id = 1;
INSERT INTO owner VALUES (3, 'Cid');
INSERT INTO pet VALUES (5, 3, 'cow', 700);
UPDATE pet SET weight = 6, owner_id = 3 WHERE id = 3
"""
# The same change as parts of a batch.
PARTS = [
    part("gone visit", "DELETE", "/visits/1"),
    part("other gone visit", "DELETE", "/visits/3"),
    part("moved visit", "UPDATE", "/visits/2", {"petId": 2, "cost": 21}),
    part("new visit", "CREATE", "/visits/4", {"petId": 3, "cost": 40}),
    part("gone pet", "DELETE", "/pets/1"),
    part("other gone pet", "DELETE", "/owners/2/pets/4"),
    part("gone owner", "DELETE", "/owners/2"),
    part("renamed owner", "UPDATE", "/owners/1", {"name": "Eve"}),
    part("new owner", "CREATE", "/owners/3", {"name": "Cid"}),
    part("new pet", "CREATE", "/owners/3/pets/5", {"kind": "cow", "weight": 700}),
    part("moved pet", "UPDATE", "/pets/3", {"weight": 6, "ownerId": 3}),
]
EMPTY = "DELETE FROM visit;\nDELETE FROM pet;\nDELETE FROM owner"


def cut(*nodes: Json, total: int) -> Json:
    return {"totalCount": total, "nodes": [*nodes]}


# The query, its answer at the start, and after the change.
CASES: dict[str, tuple[str, Json, Json]] = {
    "several root fields": (
        "{ owners { nodes { name } } pets { totalCount } owner(id: 1) { name } visits { nodes { petId cost } } }",
        {
            "owners": {"nodes": [{"name": "Ada"}, {"name": "Bob"}]},
            "pets": {"totalCount": 4},
            "owner": {"name": "Ada"},
            "visits": {"nodes": [{"petId": 1, "cost": 10}, {"petId": 1, "cost": 20}, {"petId": 4, "cost": 30}]},
        },
        {
            "owners": {"nodes": [{"name": "Eve"}, {"name": "Cid"}]},
            "pets": {"totalCount": 3},
            "owner": {"name": "Eve"},
            "visits": {"nodes": [{"petId": 2, "cost": 21}, {"petId": 3, "cost": 40}]},
        },
    ),
    "to many below to many": (
        "{ owners { nodes { name pets { nodes { weight visits { nodes { cost } } } } } } }",
        {
            "owners": {
                "nodes": [
                    {
                        "name": "Ada",
                        "pets": {
                            "nodes": [
                                {"weight": 4, "visits": {"nodes": [{"cost": 10}, {"cost": 20}]}},
                                {"weight": 9, "visits": {"nodes": []}},
                                {"weight": 5, "visits": {"nodes": []}},
                            ]
                        },
                    },
                    {"name": "Bob", "pets": {"nodes": [{"weight": 8, "visits": {"nodes": [{"cost": 30}]}}]}},
                ]
            }
        },
        {
            "owners": {
                "nodes": [
                    {"name": "Eve", "pets": {"nodes": [{"weight": 9, "visits": {"nodes": [{"cost": 21}]}}]}},
                    {
                        "name": "Cid",
                        "pets": {
                            "nodes": [
                                {"weight": 6, "visits": {"nodes": [{"cost": 40}]}},
                                {"weight": 700, "visits": {"nodes": []}},
                            ]
                        },
                    },
                ]
            }
        },
    ),
    "to one above to one": (
        "{ visits { nodes { cost pet { weight owner { name } } } } }",
        {
            "visits": {
                "nodes": [
                    {"cost": 10, "pet": {"weight": 4, "owner": {"name": "Ada"}}},
                    {"cost": 20, "pet": {"weight": 4, "owner": {"name": "Ada"}}},
                    {"cost": 30, "pet": {"weight": 8, "owner": {"name": "Bob"}}},
                ]
            }
        },
        {
            "visits": {
                "nodes": [
                    {"cost": 21, "pet": {"weight": 9, "owner": {"name": "Eve"}}},
                    {"cost": 40, "pet": {"weight": 6, "owner": {"name": "Cid"}}},
                ]
            }
        },
    ),
    "totals, aggregates and groups beside a page": (
        """{ pets(first: 1) { totalCount nodes { weight } pageInfo { hasNextPage } aggregate { count sum { weight } max { kind } }
            groupBy(by: [kind]) { keys { kind } aggregate { count } } } }""",
        {
            "pets": {
                "totalCount": 4,
                "nodes": [{"weight": 4}],
                "pageInfo": {"hasNextPage": True},
                "aggregate": {"count": 4, "sum": {"weight": "26"}, "max": {"kind": "dog"}},
                "groupBy": [
                    {"keys": {"kind": "cat"}, "aggregate": {"count": 2}},
                    {"keys": {"kind": "dog"}, "aggregate": {"count": 2}},
                ],
            }
        },
        {
            "pets": {
                "totalCount": 3,
                "nodes": [{"weight": 9}],
                "pageInfo": {"hasNextPage": True},
                "aggregate": {"count": 3, "sum": {"weight": "715"}, "max": {"kind": "dog"}},
                "groupBy": [
                    {"keys": {"kind": "cat"}, "aggregate": {"count": 1}},
                    {"keys": {"kind": "cow"}, "aggregate": {"count": 1}},
                    {"keys": {"kind": "dog"}, "aggregate": {"count": 1}},
                ],
            }
        },
    ),
    "the same below": (
        """{ owners { nodes { name pets(first: 1) { totalCount nodes { weight } aggregate { sum { weight } }
            groupBy(by: [kind], first: 1) { keys { kind } aggregate { count } } } } } }""",
        {
            "owners": {
                "nodes": [
                    {
                        "name": "Ada",
                        "pets": {
                            **cut({"weight": 4}, total=3),
                            "aggregate": {"sum": {"weight": "18"}},
                            "groupBy": [{"keys": {"kind": "cat"}, "aggregate": {"count": 2}}],
                        },
                    },
                    {
                        "name": "Bob",
                        "pets": {
                            **cut({"weight": 8}, total=1),
                            "aggregate": {"sum": {"weight": "8"}},
                            "groupBy": [{"keys": {"kind": "dog"}, "aggregate": {"count": 1}}],
                        },
                    },
                ]
            }
        },
        {
            "owners": {
                "nodes": [
                    {
                        "name": "Eve",
                        "pets": {
                            **cut({"weight": 9}, total=1),
                            "aggregate": {"sum": {"weight": "9"}},
                            "groupBy": [{"keys": {"kind": "dog"}, "aggregate": {"count": 1}}],
                        },
                    },
                    {
                        "name": "Cid",
                        "pets": {
                            **cut({"weight": 6}, total=2),
                            "aggregate": {"sum": {"weight": "706"}},
                            "groupBy": [{"keys": {"kind": "cat"}, "aggregate": {"count": 1}}],
                        },
                    },
                ]
            }
        },
    ),
    "behind a cursor, below": (
        "query ($after: String) { owners { nodes { name pets(after: $after) { totalCount nodes { weight } } } } }",
        {
            "owners": {
                "nodes": [
                    {"name": "Ada", "pets": cut({"weight": 9}, {"weight": 5}, total=3)},
                    {"name": "Bob", "pets": cut({"weight": 8}, total=1)},
                ]
            }
        },
        {
            "owners": {
                "nodes": [
                    {"name": "Eve", "pets": cut({"weight": 9}, total=1)},
                    {"name": "Cid", "pets": cut({"weight": 6}, {"weight": 700}, total=2)},
                ]
            }
        },
    ),
    "a node by a path of several steps": (
        """{ node(path: "/owners/1/pets/1/visits/2") { path ... on Visit { cost pet { weight owner { name pets { totalCount } } } } }
            other: node(path: "/owners/3") { ... on Owner { name } } }""",
        {
            "node": {
                "path": "/visits/2",
                "cost": 20,
                "pet": {"weight": 4, "owner": {"name": "Ada", "pets": {"totalCount": 3}}},
            },
            "other": None,
        },
        {"node": None, "other": {"name": "Cid"}},
    ),
}


class Others:
    """Somebody else, who changes the tables between two statements of a query."""

    def __init__(self, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = backend.engine()
        self.selected = 0
        self._place: int | None = None
        execute = Transaction.execute

        def executed(transaction: Transaction, statement: Any) -> Result:
            found = execute(transaction, statement)
            if statement.sql.startswith("SELECT"):
                self.selected += 1
                if self.selected == self._place:
                    self.run(CHANGE)
            return found

        monkeypatch.setattr(Transaction, "execute", executed)

    def run(self, script: str) -> None:
        with self.engine.begin() as connection:
            for statement in script.split(";\n"):
                connection.exec_driver_sql(statement)

    def reset(self, *, change_after: int | None = None) -> None:
        """Set the tables to the start; they are changed again after so many statements that select."""
        self.run(f"{EMPTY};\n{START.strip()}")
        self.selected, self._place = 0, change_after


@pytest.fixture
def others(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[Others]:
    """Somebody else."""
    backend.run(TABLES)
    made = Others(backend, monkeypatch)
    yield made
    made.engine.dispose()


def executions(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Count what goes the ordinary way."""
    executed: list[object] = []
    execute = api.service.schema.execute

    def counted(*arguments: Any, **named: Any) -> Any:
        executed.append(arguments)
        return execute(*arguments, **named)

    monkeypatch.setattr(api.service.schema, "execute", counted)
    return executed


@pytest.mark.parametrize("name", CASES)
def test_a_query_shows_one_state_whatever_is_committed_between_its_statements(
    backend: Backend, start: Serve, others: Others, monkeypatch: pytest.MonkeyPatch, name: str
):
    query, before, after = CASES[name]
    api = start(backend)
    if backend.kind == "sqlite":
        assert backend.rows("PRAGMA journal_mode") == [("wal",)]
    executed = executions(api, monkeypatch)
    others.reset()
    variables = cursor_of_the_first(api) if "$after" in query else {}
    others.reset()
    assert api.query(query, **variables) == before
    count = others.selected
    assert count > 1

    for place in range(1, count):
        text = f"{query} # {place}"  # a document that is not known yet
        for is_compiled in (False, True):
            others.reset(change_after=place)
            executed.clear()
            assert api.query(text, **variables) == before, (place, is_compiled)
            assert others.selected >= count
            assert backend.rows("SELECT name FROM owner ORDER BY id") == [("Eve",), ("Cid",)]
            assert api.query(text, **variables) == after
            assert bool(executed) is not is_compiled


def cursor_of_the_first(api: Api) -> dict[str, str]:
    """Find a cursor that stands behind the pet 1."""
    (edge,) = api.query("{ owner(id: 1) { pets(first: 1) { edges { cursor } } } }")["owner"]["pets"]["edges"]
    return {"after": edge["cursor"]}


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_query_of_a_batch_shows_what_the_batch_has_done_at_every_level(
    backend: Backend, start: Serve, others: Others, dry_run: bool
):
    api = start(backend)
    others.reset()
    variables = cursor_of_the_first(api)
    for name, (query, before, after) in CASES.items():
        others.reset()
        own, after_cursor = query[query.index("{ ") :], variables if "$after" in query else {}
        declared = f"$parts: [PartInput!]!, $dry: Boolean!{', $after: String' if after_cursor else ''}"
        batch = f"mutation ({declared}) {{ batch(parts: $parts, dryRun: $dry) {{ status query {own} }} }}"
        done = api.query(batch, parts=PARTS, dry=dry_run, **after_cursor)["batch"]
        assert done["status"] == ("VALID" if dry_run else "COMMITTED"), name
        assert done["query"] == after, name
        assert api.query(query, **variables) == (before if dry_run else after), name
        names = [("Ada",), ("Bob",)] if dry_run else [("Eve",), ("Cid",)]
        assert backend.rows("SELECT name FROM owner ORDER BY id") == names


def test_a_snapshot_that_the_database_gives_up_is_to_be_asked_for_again(postgresql: Backend, start: Serve):
    """As on a standby that replays what removes the rows (PostgreSQL manual, "Handling Query Conflicts")."""
    postgresql.run("""
        CREATE FUNCTION given_up() RETURNS integer LANGUAGE plpgsql AS $$
            BEGIN RAISE 'canceling statement due to conflict with recovery' USING ERRCODE = '40001'; END $$;
        CREATE TABLE one (id INTEGER PRIMARY KEY);
        INSERT INTO one VALUES (1);
        CREATE VIEW lost AS SELECT given_up() AS value FROM one""")
    api = start(postgresql)
    collection = next(each.collection for each in api.service.engine.catalog.resources.values() if not each.key)
    for _ in range(2):
        answer = api.post(f"{{ {collection} {{ nodes {{ value }} }} }}")
        assert answer["data"] == {collection: None}
        assert [each["extensions"] for each in answer["errors"]] == [{"code": "SERIALIZATION_CONFLICT"}]
    assert api.query("{ ones { totalCount } }") == {"ones": {"totalCount": 1}}
