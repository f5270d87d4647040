"""Existing databases with odd things in them: rules of their own, odd names, values and keys that break promises."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from storage.connections.transaction import Result, Transaction
from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part

MOST_STATEMENTS = 150  # of one batch of two parts, by far

GUARDED = """
CREATE TABLE r (id {key}, o VARCHAR(9) NOT NULL, n INTEGER);
INSERT INTO r (o, n) VALUES ('me', 1), ('you', 2);
ALTER TABLE r ENABLE ROW LEVEL SECURITY;
ALTER TABLE r FORCE ROW LEVEL SECURITY;
CREATE POLICY readable ON r FOR SELECT USING (true);
CREATE POLICY changeable ON r FOR UPDATE USING (o = 'me');
CREATE POLICY deletable ON r FOR DELETE USING (o = 'me')
"""


@pytest.fixture
def as_a_reader(postgresql: Backend) -> Iterator[Backend]:
    """Rows that anyone may read and only their owner may change, seen by a role that is no superuser."""
    role = f"role_of_{sa.make_url(postgresql.url).database}"  # roles belong to the whole server
    postgresql.run(f"{GUARDED};\nCREATE ROLE {role};\nGRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    postgresql.run(f"GRANT ALL ON SCHEMA public TO {role};\nGRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    url = sa.make_url(postgresql.url).update_query_dict({"options": f"-c role={role}"})
    yield Backend("postgresql", url.render_as_string(hide_password=False))
    postgresql.run(f"DROP OWNED BY {role};\nDROP ROLE {role}")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement sent from now on; too many of them end the test."""
    sent: list[str] = []
    execute = Transaction.execute

    def counted(transaction: Transaction, statement: Any) -> Result:
        sent.append(statement.sql)
        if len(sent) > MOST_STATEMENTS:
            pytest.fail("it does not come to an end")
        return execute(transaction, statement)

    monkeypatch.setattr(Transaction, "execute", counted)
    return sent


def test_a_row_that_may_only_be_read_is_read_by_query_and_by_batch(
    as_a_reader: Backend, start: Serve, statements: list[str]
):
    api = start(as_a_reader)
    statements.clear()

    asked = api.query("{ r(id: 2) { n etag } }")["r"]
    read = api.one("GET", "/rs/2", ifMatch=[asked["etag"]])

    assert asked["n"] == 2
    assert (read["status"], read["payload"]) == (200, {"id": 2, "o": "you", "n": 2})


REFUSALS = {
    "UPDATE": {"NOT_FOUND", "REFUSED_BY_DATABASE"},
    "REPLACE": {"NOT_FOUND", "REFUSED_BY_DATABASE"},
    "UPSERT": {"CONFLICT", "REFUSED_BY_DATABASE"},  # it may find that it cannot make one either
    "DELETE": {"NOT_FOUND", "REFUSED_BY_DATABASE"},
}


@pytest.mark.parametrize("operation", REFUSALS)
def test_a_row_that_may_be_read_but_not_changed_is_an_error_of_the_part(
    as_a_reader: Backend, start: Serve, statements: list[str], operation: str
):
    api = start(as_a_reader)
    before = as_a_reader.dump()
    payload = None if operation == "DELETE" else {"o": "you", "n": 9}
    statements.clear()

    refused = api.batch(part("good", "UPDATE", "/rs/1", {"n": 8}), part("p", operation, "/rs/2", payload))

    found = faults(refused)
    assert found.keys() == {"p"}
    assert {code for code, _ in found["p"]} <= REFUSALS[operation]
    assert found["p"], "it is in error"
    assert as_a_reader.dump() == before
    statements.clear()
    own = api.one("UPDATE", "/rs/1", {"n": 9})
    assert (own["status"], own["payload"]["n"]) == (200, 9)


def test_an_enum_type_with_a_percent_sign_in_its_name_works(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TYPE "rate%" AS ENUM ('low', 'high');
        CREATE TABLE loan (id {key}, rate "rate%", rates "rate%"[])""")
    api = start(postgresql)

    made = api.one("CREATE", "/loans", {"rate": "low", "rates": ["high", "low"]})
    changed = api.one("UPDATE", "/loans/1", {"rate": "high"})

    assert (made["errors"], changed["errors"]) == ([], [])
    assert api.one("GET", "/loans?rate=high")["payload"]["items"] == [
        {"id": 1, "rate": "high", "rates": ["high", "low"]}
    ]
    assert faults(api.batch(part("p", "UPDATE", "/loans/1", {"rate": "no"}))) == {
        "p": [("INVALID_VALUE", "/payload/rate")]
    }


def test_an_upsert_at_a_key_that_only_the_database_gives_is_read_only(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE g (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n INTEGER);
        INSERT INTO g (n) VALUES (1)""")
    api = start(postgresql)
    before = postgresql.dump()

    refused = api.batch(part("p", "UPSERT", "/gs/9", {"n": 2}))

    assert [code for code, _ in faults(refused)["p"]] == ["READ_ONLY"]
    assert postgresql.dump() == before
    assert api.one("UPSERT", "/gs/1", {"n": 2})["status"] == 200


def test_text_in_a_foreign_key_of_numbers_spoils_its_own_row_at_most(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE artist (id {key}, name VARCHAR(20));
        CREATE TABLE album (id {key}, title VARCHAR(20), artist_id INTEGER REFERENCES artist (id));
        INSERT INTO artist VALUES (1, 'Ada');
        PRAGMA foreign_keys = OFF;
        INSERT INTO album VALUES (1, 'good', 1), (2, 'bad', 'abc'), (3, 'none', NULL)""")
    api = start(sqlite)

    answer = api.post("{ albums { nodes { id title artist { name } } } artists { nodes { albums { nodes { id } } } } }")

    assert answer["data"]["albums"]["nodes"] == [
        {"id": 1, "title": "good", "artist": {"name": "Ada"}},
        {"id": 2, "title": "bad", "artist": None},
        {"id": 3, "title": "none", "artist": None},
    ]
    assert answer["data"]["artists"]["nodes"] == [{"albums": {"nodes": [{"id": 1}]}}]
    assert all(each["path"][:4] == ["albums", "nodes", 1, "artist"] for each in answer.get("errors", ()))


def test_a_default_that_is_a_bare_word_is_set_by_replace(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE account (id {key}, name VARCHAR(20), state VARCHAR(20) DEFAULT active);
        INSERT INTO account VALUES (1, 'a', 'closed')""")
    api = start(sqlite)

    replaced = api.one("REPLACE", "/accounts/1", {"name": "b"})

    assert (replaced["status"], replaced["errors"]) == (200, [])
    assert sqlite.rows("SELECT * FROM account") == [(1, "b", "active")]
    assert api.one("CREATE", "/accounts", {"name": "c"})["payload"]["state"] == "active"


def test_a_foreign_key_to_a_missing_table_is_an_error_of_the_part(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE note (id {key}, text VARCHAR(20), writer_id INTEGER REFERENCES writer (id));
        CREATE TABLE other (id {key}, n INTEGER);
        INSERT INTO note VALUES (1, 'a', NULL)""")
    api = start(sqlite)
    before = sqlite.dump()
    assert api.one("GET", "/notes/1")["status"] == 200

    for operation, path in (("CREATE", "/notes"), ("UPDATE", "/notes/1"), ("UPSERT", "/notes/1")):
        judged = api.batch(
            part("p", operation, path, {"text": "b", "writerId": 7}), part("bad", "CREATE", "/others", {"n": "x"})
        )
        found = faults(judged)
        assert len(found.pop("p")) == 1, operation
        assert found == {"bad": [("INVALID_VALUE", "/payload/n")]}
        assert sqlite.dump() == before


def test_an_enum_type_may_have_the_name_of_an_input(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TYPE album_input AS ENUM ('tape', 'disc');
        CREATE TABLE albums (id {key}, title VARCHAR(20), made_of album_input)""")
    api = start(postgresql)

    typed = part("a", "CREATE", "/albums", item={"album": {"title": "T", "madeOf": "tape"}})

    assert api.batch(typed)["status"] == "COMMITTED"
    assert api.query("{ album(id: 1) { title madeOf } }") == {"album": {"title": "T", "madeOf": "tape"}}


def test_a_column_renamed_behind_the_servers_back_is_never_answered_as_its_own_name(backend: Backend, start: Serve):
    backend.run("CREATE TABLE album (id {key}, title VARCHAR(20));\nINSERT INTO album (title) VALUES ('Erste')")
    api = start(backend)
    assert api.one("GET", "/albums/1")["payload"]["title"] == "Erste"

    backend.run("ALTER TABLE album RENAME COLUMN title TO heading")

    read = api.post('mutation { batch(parts: [{id: "p", path: "/albums/1", operation: GET}]) { parts { payload } } }')
    assert read["errors"]
    assert read["data"] == {"batch": None}
    asked = api.post("{ album(id: 1) { title } albums { nodes { title } } }")
    assert asked["errors"]
    assert asked["data"] in (None, {"album": None, "albums": None})


@pytest.mark.parametrize("told", [True, False])
def test_a_triggers_own_words_are_never_logged_and_answered_if_the_operator_likes(
    backend: Backend, start: Serve, caplog: pytest.LogCaptureFixture, told: bool
):
    backend.run("CREATE TABLE album (id {key}, title VARCHAR(20));\nINSERT INTO album (title) VALUES ('Erste')")
    backend.run(TRIGGERS[backend.kind])
    api = start(backend, database_messages=told)
    before = backend.dump()

    with caplog.at_level(logging.WARNING, logger="partwise"):
        refused = api.batch(part("p", "UPDATE", "/albums/1", {"title": "b"}))

    assert [code for code, _ in faults(refused)["p"]] == ["REFUSED_BY_DATABASE"]
    said = "secret words." if told else "The database rejected this change."
    assert [error["message"] for error in refused["parts"][0]["errors"]] == [said]
    logged = [each.getMessage() for each in caplog.records]
    assert [each for each in logged if "refused_by_database" in each and "'album'" in each]
    assert not [each for each in logged if "secret" in each]
    assert backend.dump() == before


TRIGGERS = {
    "sqlite": "CREATE TRIGGER guard BEFORE UPDATE ON album BEGIN SELECT RAISE(ABORT, 'secret words'); END",
    "postgresql": """
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'secret words'; END $$;
        CREATE TRIGGER guard BEFORE UPDATE ON album FOR EACH ROW EXECUTE FUNCTION guard()""",
}


FORMER: dict[str, Any] = {"Album": {"collection": "records", "former_collection": "albums"}}


def test_a_former_collection_still_works_as_a_relation_too(music: Api, backend: Backend, start: Serve):
    api = start(backend, resources=FORMER)

    assert api.one("GET", "/artists/1/albums")["payload"] == api.one("GET", "/artists/1/records")["payload"]
    assert [each["albumId"] for each in api.one("GET", "/artists/1/albums")["payload"]["items"]] == [1, 3]
    read = api.query("{ artist(artistId: 1) { albums { totalCount } records { totalCount } } }")
    assert read["artist"] == {"albums": {"totalCount": 2}, "records": {"totalCount": 2}}
    made = api.one("CREATE", "/artists/1/albums", {"title": "Vierte"})
    assert (made["status"], made["path"], made["payload"]["artistId"]) == (201, "/records/4", 1)

    shown = api.query('{ __type(name: "Artist") { fields(includeDeprecated: true) { name isDeprecated } } }')
    deprecated = {each["name"]: each["isDeprecated"] for each in shown["__type"]["fields"]}
    assert (deprecated["albums"], deprecated["records"]) == (True, False)
