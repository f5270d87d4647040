"""Tables that are altered under a running server: the error says so, and that a restart is what helps."""

import json
import logging
from typing import Any

import pytest

from partwise.settings import Settings
from tests.conftest import Serve
from tests.support.doors import Doors, body_of
from tests.support.harness import BATCH, LEAN_BATCH, Api, Backend, Json, faults, part

SCRIPT = """
CREATE TABLE artist (id {key}, name VARCHAR(20), city VARCHAR(10));
CREATE TABLE album (id {key}, title VARCHAR(20), artist_id INTEGER REFERENCES artist (id));
CREATE TABLE label (id {key}, name VARCHAR(20));
INSERT INTO artist (id, name, city) VALUES (1, 'AC/DC', 'Sydney');
INSERT INTO album (id, title, artist_id) VALUES (1, 'Powerage', 1)
"""
CHANGES = {
    "a column is dropped": "ALTER TABLE artist DROP COLUMN city",
    "a column is renamed": "ALTER TABLE artist RENAME COLUMN city TO town",
    "the key is renamed": "ALTER TABLE artist RENAME COLUMN id TO number",
    "the table is renamed": "ALTER TABLE artist RENAME TO musician",
    "the table is dropped": "DELETE FROM album;\nDROP TABLE artist {cascade}",
}
QUERIES = [
    "{ artists { nodes { id city } } }",
    "{ artist(id: 1) { city } }",
    '{ artists(filter: { city: { eq: "Sydney" } }) { nodes { id } totalCount } }',
    "{ artists(orderBy: [{ city: ASC }]) { nodes { id name } aggregate { min { city } } } }",
    'query { node(path: "/artists/1") { ... on Artist { id city } } }',
]
BATCHES = [
    [part("a", "GET", "/artists/1")],
    [part("a", "GET", "/artists")],
    [part("a", "UPDATE", "/artists/1", {"city": "Perth"})],
    [part("a", "CREATE", "/artists", {"city": "Perth"})],
    [part("ok", "CREATE", "/labels", {"name": "new"}), part("a", "DELETE", "/artists/1")],
    [part("ok", "CREATE", "/labels", {"name": "new"})]
    + [part(str(number), "CREATE", "/artists", {"city": "Perth"}) for number in range(30)],
    [part(str(number), "UPDATE", f"/artists/{number}", {"city": "Perth"}) for number in range(1, 30)],
]


def check(error: Json) -> None:
    assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert "have changed in the database since the server started" in error["message"]
    assert "restart the server" in error["message"]
    for internal in ("artist", "city", "musician", "town", "SELECT", "t0"):
        assert internal not in error["message"]


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_altered_since_the_start_is_an_error_that_says_so(
    backend: Backend, start: Serve, change: str, caplog: pytest.LogCaptureFixture
):
    backend.run(SCRIPT)
    api = start(backend)
    doors = Doors(api, Settings(database_url=backend.url))
    backend.run(CHANGES[change].replace("{cascade}", "CASCADE" if backend.kind == "postgresql" else ""))
    before = backend.dump()

    for query in QUERIES:
        answer, _ = doors.ask(body_of(query, {}))
        for error in json.loads(answer.body)["errors"]:
            check(error)
    for parts in BATCHES:
        for document in (BATCH, LEAN_BATCH):
            answer, _ = doors.ask(body_of(document, {"parts": parts}))
            found = json.loads(answer.body)
            assert found["data"] == {"batch": None}, parts
            check(found["errors"][0])
        document_answer = api.http.post("/batch", json={"parts": [in_lower_case(each) for each in parts]})
        assert document_answer.status_code == 503
        check(document_answer.json()["errors"][0])

    assert backend.dump() == before
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert errors
    assert all("artist" in each or "city" in each or "id" in each for each in errors)


def in_lower_case(sent: dict[str, Any]) -> dict[str, Any]:
    return sent | {"operation": sent["operation"].lower()}


def test_what_was_not_altered_is_served_as_before(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend)
    backend.run(CHANGES["a column is dropped"])

    assert api.query("{ artists { nodes { name albums { nodes { title } } } } }") == {
        "artists": {"nodes": [{"name": "AC/DC", "albums": {"nodes": [{"title": "Powerage"}]}}]}
    }
    assert api.one("CREATE", "/labels", {"name": "new"})["status"] == 201
    assert backend.rows("SELECT name FROM label") == [("new",)]


def test_a_column_that_became_wider_is_served_though_postgresql_has_planned_with_the_narrow_one(
    postgresql: Backend, start: Serve
):
    postgresql.run(SCRIPT)
    api = start(postgresql, connections=1)
    for _ in range(10):  # the driver prepares what it has run more than five times
        api.one("GET", "/artists/1")
    postgresql.run(
        "ALTER TABLE artist ALTER COLUMN city TYPE VARCHAR(30);\nUPDATE artist SET city = 'Sydney, New South Wales'"
    )

    assert api.one("GET", "/artists/1")["payload"]["city"] == "Sydney, New South Wales"


def test_a_view_whose_table_is_gone_is_an_error_that_says_so(sqlite: Backend, start: Serve):
    sqlite.run(f"{SCRIPT};\nCREATE VIEW cities AS SELECT city FROM artist")
    api = start(sqlite)
    sqlite.run("DELETE FROM album;\nPRAGMA legacy_alter_table = ON;\nDROP TABLE artist")

    answer = api.post("{ cities { nodes { city } } }")

    check(answer["errors"][0])


def test_a_trigger_that_names_what_is_not_there_is_the_error_of_its_part(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    backend.run(TRIGGER[backend.kind])
    api = start(backend)
    backend.run("ALTER TABLE label RENAME COLUMN name TO title" if backend.kind == "postgresql" else BREAK)
    before = backend.dump()

    for groups in (True, False):
        refused = api.batch(
            part("a", "UPDATE", "/artists/1", {"name": "AC"}),
            part("fine", "UPDATE", "/albums/1", {"title": "Let There Be Rock"}),
            part("bad", "UPDATE", "/albums/1", {"title": 1}),
        )
        assert faults(refused) == {
            "a": [("REFUSED_BY_DATABASE", None)],
            "bad": [("INVALID_VALUE", "/payload/title")],
        }, groups
        assert refused["parts"][0]["errors"][0]["message"] == "The database rejected this change."
    assert backend.dump() == before
    assert faults(api.batch(part("g", "GET", "/albums/2"))) == {"g": [("NOT_FOUND", "/path")]}


BREAK = "DROP TABLE label;\nCREATE TABLE label (id INTEGER PRIMARY KEY, title VARCHAR(20))"
TRIGGER = {
    "sqlite": "CREATE TRIGGER log AFTER UPDATE ON artist BEGIN INSERT INTO label (name) VALUES (NEW.name); END",
    "postgresql": """CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN INSERT INTO label (name) VALUES (NEW.name); RETURN NEW; END$$;
CREATE TRIGGER log AFTER UPDATE ON artist FOR EACH ROW EXECUTE FUNCTION log()""",
}


def test_a_running_program_keeps_answering(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api: Api = start(backend)
    backend.run(CHANGES["a column is dropped"])
    for _ in range(20):  # more than there are connections: none may stay out
        check(api.post(QUERIES[0])["errors"][0])
        check(api.post(BATCH, {"parts": BATCHES[0]})["errors"][0])
    backend.run("ALTER TABLE artist ADD COLUMN city VARCHAR(10)")

    assert api.query(QUERIES[1]) == {"artist": {"city": None}}
