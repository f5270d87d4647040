"""Columns that have got another type or other labels under a running server: each route says the same of their values.

A value that is not of the type that its attribute had at the start is UNREADABLE_VALUE of its field (docs/contract.md, section 7).
"""

import json
from typing import Any

import pytest

from partwise.settings import Settings
from tests.conftest import Serve
from tests.support.doors import Doors, body_of
from tests.support.harness import Api, Backend, Json, part

pytestmark = pytest.mark.costly

ROWS = 20  # more than are read as they are: these come as JSON arrays

ALTERED = {
    # declared: type that it gets, by which expression, and what the rows have before
    "INTEGER": [
        ("TEXT", "value::text", "7"),
        ("NUMERIC", "value", "7"),
        ("NUMERIC(6,2)", "value + 0.5", "7"),
        ("DOUBLE PRECISION", "value", "7"),
        ("BIGINT", "value + 1099511627776", "7"),
        ("BOOLEAN", "value > 0", "7"),
        ("UUID", "'0198c0de-0000-7000-8000-0000000000ff'::uuid", "7"),
    ],
    "BIGINT": [("TEXT", "value::text", "7"), ("NUMERIC", "value", "7")],
    "TEXT": [
        ("INTEGER", "value::integer", "'7'"),
        ("DATE", "DATE '2026-12-31'", "'7'"),
        ("TIMESTAMP WITH TIME ZONE", "now()", "'7'"),
        ("UUID", "'0198c0de-0000-7000-8000-0000000000ff'::uuid", "'7'"),
        ("BYTEA", "value::bytea", "'7'"),
        ("JSONB", "'\"7\"'::jsonb", "'7'"),
        ("TEXT[]", "ARRAY[value]", "'7'"),
        ("BOOLEAN", "true", "'7'"),
    ],
    "BOOLEAN": [("INTEGER", "value::integer", "true"), ("TEXT", "value::text", "true")],
    "DOUBLE PRECISION": [("TEXT", "value::text", "1.5"), ("NUMERIC", "value::numeric", "1.5")],
    "NUMERIC(8,2)": [("TEXT", "value::text", "1.5"), ("DOUBLE PRECISION", "value", "1.5"), ("INTEGER", "value", "1")],
    "DATE": [("TEXT", "value::text", "'2026-12-31'"), ("TIMESTAMP", "value", "'2026-12-31'")],
    "TIME": [("TEXT", "value::text", "'10:00'")],
    "TIMESTAMP": [("TIMESTAMP WITH TIME ZONE", "value", "'2026-12-31'"), ("DATE", "value", "'2026-12-31'")],
    "TIMESTAMP WITH TIME ZONE": [("TIMESTAMP", "value", "'2026-12-31'"), ("TEXT", "value::text", "'2026-12-31'")],
    "UUID": [("TEXT", "value::text", "'0198c0de-0000-7000-8000-0000000000ff'")],
    "BYTEA": [("TEXT", "encode(value, 'hex')", "'\\x00ff'")],
    "JSONB": [("TEXT", "value::text", "'{\"a\": 1}'"), ("DOUBLE PRECISION", "1.5", "'1.5'"), ("DATE", "DATE '2026-12-31'", "'1'")],
    "INTEGER[]": [("TEXT[]", "value::text[]", "'{7}'"), ("INTEGER", "value[1]", "'{7}'")],
    "TEXT[]": [("INTEGER[]", "value::integer[]", "'{7}'"), ("TEXT", "value[1]", "'{7}'")],
}  # fmt: skip
CASES = [(old, *each) for old, changes in ALTERED.items() for each in changes]


def nodes_of(first: int) -> list[Json]:
    return [{"id": n, "value": None} for n in range(1, first + 1)]


def check_reading(api: Api, backend: Backend, rows: int) -> None:
    """Ask for the values by each route that reads, and find each an error of its field."""
    doors = Doors(api, Settings(database_url=backend.url))
    page = "nodes { id value } totalCount"
    for query in (
        f"{{ things {{ {page} }} }}",
        f"{{ things(first: 3) {{ {page} }} }}",
        "query ($is: Boolean! = true) { things { nodes { id value @include(if: $is) } totalCount } }",
        "fragment F on Thing { value } query { things { nodes { id ...F } totalCount } }",
    ):
        answer, _ = doors.ask(body_of(query, {}))
        found = json.loads(answer.body)
        shown = 3 if "first: 3" in query else rows
        assert found["data"]["things"] == {"nodes": nodes_of(shown), "totalCount": rows}, query
        check(found["errors"], [["things", "nodes", n, "value"] for n in range(shown)])
    node = api.post('{ node(path: "/things/1") { ... on Thing { id value } } thing(id: 1) { id value } }')
    assert node["data"] == {"node": {"id": 1, "value": None}, "thing": {"id": 1, "value": None}}
    check(node["errors"], [["node", "value"], ["thing", "value"]])
    below = api.post("{ owners { nodes { things { nodes { value } } } } }")
    check(below["errors"], [["owners", "nodes", 0, "things", "nodes", n, "value"] for n in range(rows)])
    check_batches(api)


BATCH = """mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status parts {
  id status payload item { ... on Thing { id value } } items { ... on Thing { id value } } errors { code } } query { thing(id: 1) { id value } } } }"""


def check_batches(api: Api) -> None:
    parts = [
        part("one", "GET", "/things/1"),
        part("page", "GET", "/things?limit=2"),
        part("write", "UPDATE", "/things/2", {"name": "new"}),
    ]
    answer = api.post(BATCH, {"parts": parts})
    batch = answer["data"]["batch"]
    assert batch["status"] == "COMMITTED"
    assert [each["payload"] for each in batch["parts"]] == [None] * 3
    assert batch["parts"][0]["item"] == {"id": 1, "value": None}
    assert batch["parts"][1]["items"] == nodes_of(2)
    assert batch["query"] == {"thing": {"id": 1, "value": None}}
    own = ["batch", "parts"]
    check(
        answer["errors"],
        [
            [*own, 0, "item", "value"], [*own, 0, "payload"],
            [*own, 1, "items", 0, "value"], [*own, 1, "items", 1, "value"], [*own, 1, "payload"],
            [*own, 2, "item", "value"], [*own, 2, "payload"],
            ["batch", "query", "thing", "value"],
        ],
    )  # fmt: skip
    stale = api.post(BATCH, {"parts": [part("p", "DELETE", "/things/1", ifMatch=["old"])]})
    assert [each["code"] for each in stale["data"]["batch"]["parts"][0]["errors"]] == ["PRECONDITION_FAILED"]
    check(stale["errors"], [[*own, 0, "item", "value"], [*own, 0, "payload"], ["batch", "query", "thing", "value"]])
    sent = {"parts": [{**each, "operation": each["operation"].lower()} for each in parts]}
    for headers in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):  # the last is a replay
        found = api.http.post("/batch", json=sent, headers=headers)
        assert found.status_code == 200
        assert [each.get("payload") for each in found.json()["parts"]] == [None] * 3
        check(found.json()["errors"], [["parts", n, "payload"] for n in range(3)])
    many = [part(f"p{n}", "GET", f"/things/{n}") for n in range(1, 4)]
    answer = api.post(BATCH, {"parts": many})
    assert [each["payload"] for each in answer["data"]["batch"]["parts"]] == [None] * 3


def check(errors: list[Json], paths: list[Any]) -> None:
    assert {each["extensions"]["code"] for each in errors} == {"UNREADABLE_VALUE"}
    assert sorted(map(str, (each["path"] for each in errors))) == sorted(map(str, paths))
    assert all("value" in each["message"] and "SELECT" not in each["message"] for each in errors)


def make(backend: Backend, declared: str, value: str) -> None:
    backend.run(f"""
CREATE TABLE owner (id {{key}}, name VARCHAR(9));
CREATE TABLE thing (id {{key}}, value {declared}, name VARCHAR(20), owner_id INTEGER REFERENCES owner (id));
INSERT INTO owner VALUES (1, 'x')""")
    rows = ", ".join(f"({n}, {value}, 'x', 1)" for n in range(1, ROWS + 1))
    backend.run(f"INSERT INTO thing (id, value, name, owner_id) VALUES {rows}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} to {case[1]}")
def test_values_of_a_column_that_has_another_type_are_errors_of_their_field(
    postgresql: Backend, start: Serve, case: tuple[str, ...]
):
    declared, new, by, value = case
    make(postgresql, declared, value)
    api = start(postgresql)
    postgresql.run(f"ALTER TABLE thing ALTER COLUMN value TYPE {new} USING {by}")

    check_reading(api, postgresql, ROWS)


@pytest.mark.parametrize(
    "case",  # types that have extremes
    [each for each in CASES if each[0] in {"INTEGER", "DATE", "TIMESTAMP"} and each[1] not in {"BOOLEAN", "UUID"}],
    ids=lambda case: f"{case[0]} to {case[1]}",
)
def test_extremes_and_group_keys_of_such_a_column_are_errors_of_their_field(
    postgresql: Backend, start: Serve, case: tuple[str, ...]
):
    declared, new, by, value = case
    make(postgresql, declared, value)
    api = start(postgresql)
    postgresql.run(f"ALTER TABLE thing ALTER COLUMN value TYPE {new} USING {by}")

    for query in (
        "{ things { aggregate { count min { value } max { value } } groupBy(by: [value]) { keys { value } aggregate { count } } } }",
        "query ($is: Boolean! = true) { things { aggregate { count min { value @include(if: $is) } max { value } } groupBy(by: [value]) { keys { value } aggregate { count } } } }",
    ):
        answer = api.post(query)
        assert answer["data"]["things"] == {
            "aggregate": {"count": ROWS, "min": {"value": None}, "max": {"value": None}},
            "groupBy": [{"keys": {"value": None}, "aggregate": {"count": ROWS}}],
        }
        check(
            answer["errors"],
            [
                ["things", "aggregate", "min", "value"],
                ["things", "aggregate", "max", "value"],
                ["things", "groupBy", 0, "keys", "value"],
            ],
        )


@pytest.mark.parametrize(
    "case",
    [
        ("VARCHAR(10)", "TEXT", "'x'", "x"),
        ("TEXT", "VARCHAR(10)", "'x'", "x"),
        ("INTEGER", "BIGINT", "7", 7),
        ("NUMERIC(8,2)", "NUMERIC(10,2)", "1.5", "1.50"),
        ("REAL", "DOUBLE PRECISION", "1.5", 1.5),
        ("JSON", "JSONB", "'{\"a\": 1.10}'", {"a": 1.1}),
        ("TIMESTAMP(0)", "TIMESTAMP", "'2026-12-31'", "2026-12-31T00:00:00"),
    ],
)
def test_values_that_a_wider_type_has_alike_are_answered(
    postgresql: Backend, start: Serve, case: tuple[str, str, str, Any]
):
    declared, new, value, answered = case
    make(postgresql, declared, value)
    api = start(postgresql)
    postgresql.run(f"ALTER TABLE thing ALTER COLUMN value TYPE {new}")

    assert api.query("{ things { nodes { value } } }")["things"]["nodes"] == [{"value": answered}] * ROWS
    assert api.query("{ things(first: 2) { nodes { value } } }")["things"]["nodes"] == [{"value": answered}] * 2
    assert api.one("GET", "/things/1")["payload"]["value"] == answered


def test_a_column_that_a_type_of_the_database_is_named_like_is_read_in_arrays_too(postgresql: Backend, start: Serve):
    """The types of columns are asked for by the table's own row type, which may be named like one of PostgreSQL's."""
    for table in ("date", "name", "user", "Text"):
        postgresql.run(
            f'CREATE TABLE "{table}" (id INTEGER PRIMARY KEY, value TEXT);\nINSERT INTO "{table}" SELECT i, i::text FROM generate_series(1, 30) i'
        )
    api = start(postgresql)
    for collection in api.query("{ resources { collection } }")["resources"]:
        found = api.query(f"{{ all: {collection['collection']} {{ nodes {{ id value }} }} }}")["all"]["nodes"]
        assert found == [{"id": n, "value": str(n)} for n in range(1, 31)]


# --- labels


@pytest.mark.parametrize("labels", ["'happy', 'sad'", "'happy', 'very sad'"], ids=["a GraphQL enum", "a String"])
@pytest.mark.parametrize("sql_type", ["mood", "mood[]"])
def test_a_label_that_was_added_is_an_error_of_its_field_at_every_door(
    postgresql: Backend, start: Serve, labels: str, sql_type: str
):
    postgresql.run(f"CREATE TYPE mood AS ENUM ({labels})")
    make(postgresql, sql_type, "'happy'" if sql_type == "mood" else "'{happy}'")
    api = start(postgresql)
    postgresql.run("ALTER TYPE mood ADD VALUE 'new'")
    postgresql.run(f"UPDATE thing SET value = '{'new' if sql_type == 'mood' else '{happy,new}'}'")

    check_reading(api, postgresql, ROWS)


def test_a_label_that_was_added_is_refused_where_it_is_written_or_looked_for(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TYPE mood AS ENUM ('happy', 'very sad')")
    make(postgresql, "mood", "'happy'")
    api = start(postgresql)
    postgresql.run("ALTER TYPE mood ADD VALUE 'new'")
    postgresql.run("UPDATE thing SET value = 'new' WHERE id = 1")
    before = postgresql.dump()

    for operation, path in (
        ("CREATE", "/things"),
        ("UPDATE", "/things/2"),
        ("REPLACE", "/things/2"),
        ("UPSERT", "/things/2"),
    ):
        result = api.one(operation, path, {"value": "new"})
        assert [(each["code"], each["pointer"]) for each in result["errors"]] == [("INVALID_VALUE", "/payload/value")]
    many = api.batch(
        *[part(str(n), "CREATE", "/things", {"value": "new" if n == 500 else "happy"}) for n in range(1_000)]
    )
    assert [each["id"] for each in many["parts"]] == ["500"]
    assert [each["code"] for each in api.one("GET", "/things?value=new")["errors"]] == ["INVALID_PATH"]
    answer = api.post('{ things(filter: { value: { eq: "new" } }) { totalCount } }')
    assert answer["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    assert postgresql.dump() == before
    assert api.query('{ things(filter: { value: { ne: "happy" } }) { nodes { id } } }') == {
        "things": {"nodes": [{"id": 1}]}
    }


def test_a_label_that_was_renamed_is_lost_to_a_replay(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TYPE mood AS ENUM ('happy', 'sad')")
    make(postgresql, "mood", "'happy'")
    sent = {"parts": [{"id": "p", "path": "/things/1", "operation": "update", "payload": {"name": "new"}}]}
    first = start(postgresql).http.post("/batch", json=sent, headers={"Idempotency-Key": "k"}).json()
    assert first["parts"][0]["payload"]["value"] == "happy"
    postgresql.run("ALTER TYPE mood RENAME VALUE 'happy' TO 'glad'")

    again = start(postgresql).http.post("/batch", json=sent, headers={"Idempotency-Key": "k"})

    assert again.headers["Idempotency-Replayed"] == "true"
    assert "payload" not in again.json()["parts"][0]
    assert again.json()["errors"][0]["extensions"] == {"code": "UNREADABLE_VALUE"}


# --- SQLite: a table that is made anew, and whatever its columns let in


@pytest.mark.parametrize(
    ("declared", "value", "new"),
    [
        ("INTEGER", "7", "TEXT"),
        ("INTEGER", "7", "REAL"),
        ("INTEGER", "7", "BLOB"),
        ("TEXT", "'7'", "INTEGER"),
        ("TEXT", "'7'", "BLOB"),
        ("BOOLEAN", "1", "TEXT"),
        ("DATE", "'2026-12-31'", "INTEGER"),
        ("NUMERIC(8,2)", "1.5", "BLOB"),
        ("DOUBLE PRECISION", "1.5", "TEXT"),
        ("UUID", "'0198c0de-0000-7000-8000-0000000000ff'", "INTEGER"),
        ("BLOB", "x'00ff'", "TEXT"),
        ("JSON", "'{\"a\": 1}'", "BLOB"),
    ],
)
def test_values_of_another_storage_class_are_errors_of_their_field(
    sqlite: Backend, start: Serve, declared: str, value: str, new: str
):
    make(sqlite, declared, value)
    api = start(sqlite)
    converted = {"BLOB": "CAST('x' AS BLOB)", "TEXT": "'text'", "INTEGER": "CAST(5 AS INTEGER)", "REAL": "5.5"}[new]
    sqlite.run(f"""
CREATE TABLE other (id INTEGER PRIMARY KEY, value {new}, name VARCHAR(20), owner_id INTEGER REFERENCES owner (id));
INSERT INTO other SELECT id, {converted}, name, owner_id FROM thing;
DROP TABLE thing;
ALTER TABLE other RENAME TO thing""")

    check_reading(api, sqlite, ROWS)
