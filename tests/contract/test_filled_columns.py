"""NOT NULL columns that a trigger may fill are not asked for beforehand (PostgreSQL), and those that came after the start are named."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.described import fields, resources
from tests.support.harness import Api, Backend, faults, part

# `slug` is made of the title, where there is one; `maker` never.
FILMS = """
CREATE TABLE studio (id INTEGER PRIMARY KEY);
CREATE TABLE film (
  id SERIAL PRIMARY KEY, title TEXT, slug TEXT NOT NULL UNIQUE, maker TEXT NOT NULL, studio_id INTEGER NOT NULL REFERENCES studio (id)
);
CREATE FUNCTION fill() RETURNS TRIGGER LANGUAGE plpgsql AS $$
  BEGIN NEW.slug := coalesce(NEW.slug, lower(NEW.title)); NEW.studio_id := coalesce(NEW.studio_id, 1); RETURN NEW; END $$;
CREATE FUNCTION nothing() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
INSERT INTO studio VALUES (1), (2);
INSERT INTO film (title, slug, maker, studio_id) VALUES ('Old', 'old', 'me', 1)
"""
AT_INSERT = "CREATE TRIGGER t BEFORE INSERT ON film FOR EACH ROW EXECUTE FUNCTION fill()"
AT_UPDATE = "CREATE TRIGGER u BEFORE UPDATE OF slug ON film FOR EACH ROW EXECUTE FUNCTION fill()"


def run(postgresql: Backend, *scripts: str) -> None:
    """Run scripts as they are: functions have semicolons in them."""
    engine = postgresql.engine()
    with engine.begin() as connection:
        for script in scripts:
            connection.exec_driver_sql(script)
    engine.dispose()


def required(api: Api, name: str) -> list[str]:
    return [each["name"] for each in resources(api)[name]["attributes"].values() if each["required"]]


@pytest.mark.parametrize("groups", [True, False])
def test_what_a_trigger_may_fill_is_asked_for_only_where_it_stays_null(postgresql: Backend, start: Serve, groups: bool):
    run(postgresql, FILMS, AT_INSERT)
    api = start(postgresql, groups=groups)

    assert required(api, "Film") == []
    assert {each: fields(api, "Film")[each] for each in ("title", "slug", "maker")} == {
        "title": "String",
        "slug": "String!",
        "maker": "String!",
    }
    before = postgresql.dump()
    rejected = api.batch(
        part("maker", "CREATE", "/films", {"title": "A"}),
        part("null", "CREATE", "/films", {"title": "A", "maker": None}),
        part("slug", "CREATE", "/films", {"maker": "me"}),
        part("upsert", "UPSERT", "/films/9", {"title": "B"}),
        part("taken", "CREATE", "/films", {"title": "Old", "maker": "me"}),
        part("below", "CREATE", "/studios/2/films", {"title": "C"}),
        part("update", "UPDATE", "/films/1", {"slug": None}),
        part("replace", "REPLACE", "/films/1", {"maker": "me"}),
        part("good", "CREATE", "/films", {"title": "D", "maker": "me"}),
    )
    assert faults(rejected) == {
        "maker": [("REQUIRED", "/payload/maker")],
        "null": [("REQUIRED", "/payload/maker")],
        "slug": [("REQUIRED", "/payload/slug")],
        "upsert": [("REQUIRED", "/payload/maker")],
        "taken": [("CONFLICT", "/payload")],
        "below": [("REQUIRED", "/payload/maker")],
        "update": [("REQUIRED", "/payload/slug")],
        "replace": [("REQUIRED", "/payload/slug"), ("REQUIRED", "/payload/studioId")],
    }
    assert [each["errors"][0]["attributes"] for each in rejected["parts"][:4]] == [
        ["maker"],
        ["maker"],
        ["slug"],
        ["maker"],
    ]
    assert postgresql.dump() == before
    done = api.batch(
        part("c", "CREATE", "/films", {"title": "A", "maker": "me"}),
        part("null", "CREATE", "/films", {"title": "B", "maker": "me", "slug": None}),
        part("u", "UPSERT", "/films/90", {"title": "C", "maker": "me"}),
        part("b", "CREATE", "/studios/2/films", {"title": "D", "maker": "me"}),
        part("r", "REPLACE", "/films/1", {"title": "E", "maker": "me", "slug": "f", "studioId": 2}),
    )
    assert [each["payload"]["slug"] for each in done["parts"]] == ["a", "b", "c", "d", "f"]
    assert [each["payload"]["studioId"] for each in done["parts"]] == [1, 1, 1, 2, 2]


def test_a_typed_item_may_leave_out_what_a_trigger_fills(postgresql: Backend, start: Serve):
    run(postgresql, FILMS, AT_INSERT)
    api = start(postgresql)

    assert fields(api, "FilmInput")["slug"] == "String"
    done = api.batch(part("a", "CREATE", "/films") | {"item": {"film": {"title": "A", "maker": "me"}}})
    assert done["parts"][0]["payload"]["slug"] == "a"
    rejected = api.batch(part("a", "CREATE", "/films") | {"item": {"film": {"maker": "me"}}})
    assert faults(rejected) == {"a": [("REQUIRED", "/item/film/slug")]}


NOT_FILLED = {
    "after": "CREATE TRIGGER t AFTER INSERT ON film FOR EACH ROW EXECUTE FUNCTION nothing()",
    "of a statement": "CREATE TRIGGER t BEFORE INSERT ON film FOR EACH STATEMENT EXECUTE FUNCTION nothing()",
    "at update": "CREATE TRIGGER t BEFORE UPDATE ON film FOR EACH ROW EXECUTE FUNCTION fill()",
    "disabled": f"{AT_INSERT}; ALTER TABLE film DISABLE TRIGGER t",
    "of a replica": f"{AT_INSERT}; ALTER TABLE film ENABLE REPLICA TRIGGER t",
    "of another table": AT_INSERT.replace("ON film", "ON studio").replace("fill()", "nothing()"),
}


@pytest.mark.parametrize("trigger", NOT_FILLED.values(), ids=NOT_FILLED)
def test_other_triggers_do_not_fill_a_new_row(postgresql: Backend, start: Serve, trigger: str):
    run(postgresql, FILMS, trigger)
    api = start(postgresql)

    assert required(api, "Film") == ["slug", "maker", "studioId"]
    assert faults(api.batch(part("a", "CREATE", "/films", {"title": "A", "studioId": 1}))) == {
        "a": [("REQUIRED", "/payload/slug"), ("REQUIRED", "/payload/maker")]
    }


def test_a_trigger_at_update_fills_what_a_replacement_leaves_out(postgresql: Backend, start: Serve):
    run(postgresql, FILMS, AT_UPDATE)
    api = start(postgresql)

    assert required(api, "Film") == ["slug", "maker", "studioId"]
    assert api.one("REPLACE", "/films/1", {"title": "New", "maker": "me"})["payload"]["slug"] == "new"
    assert api.one("UPDATE", "/films/1", {"title": "Newer", "slug": None})["payload"]["slug"] == "newer"
    assert faults(api.batch(part("a", "REPLACE", "/films/1", {"maker": "me"}))) == {
        "a": [("REQUIRED", "/payload/slug")]
    }
    assert postgresql.rows("SELECT title, slug FROM film") == [("Newer", "newer")]


def test_a_key_that_a_trigger_makes_need_not_be_given(postgresql: Backend, start: Serve):
    run(
        postgresql,
        "CREATE TABLE thing (code TEXT PRIMARY KEY, n INTEGER NOT NULL)",
        """CREATE FUNCTION fill() RETURNS TRIGGER LANGUAGE plpgsql AS $$
           BEGIN NEW.code := coalesce(NEW.code, 'c' || NEW.n); RETURN NEW; END $$""",
        "CREATE TRIGGER t BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION fill()",
    )
    api = start(postgresql)

    done = api.batch(*(part(f"p{n}", "CREATE", "/things", {"n": n}) for n in range(1_000)))
    assert [each["path"] for each in done["parts"][:3]] == ["/things/c0", "/things/c1", "/things/c2"]
    assert postgresql.rows("SELECT count(*) FROM thing") == [(1_000,)]
    wrong: list[Any] = [part(f"p{n}", "CREATE", "/things", {"n": 2_000 + n}) for n in range(1_000)]
    wrong[3] = part("p3", "CREATE", "/things", {})
    wrong[5] = part("p5", "CREATE", "/things", {"n": 5})
    assert faults(api.batch(*wrong)) == {"p3": [("REQUIRED", "/payload/code")], "p5": [("CONFLICT", "/payload")]}
    assert postgresql.rows("SELECT count(*) FROM thing") == [(1_000,)]


def test_triggers_of_partitions_and_of_their_parents_fill(postgresql: Backend, start: Serve):
    run(
        postgresql,
        """CREATE TABLE above (id INTEGER PRIMARY KEY, slug TEXT NOT NULL) PARTITION BY RANGE (id);
           CREATE TABLE above_1 PARTITION OF above FOR VALUES FROM (0) TO (10);
           CREATE TABLE below (id INTEGER PRIMARY KEY, slug TEXT NOT NULL) PARTITION BY RANGE (id);
           CREATE TABLE below_1 PARTITION OF below FOR VALUES FROM (0) TO (10);
           CREATE TABLE below_2 PARTITION OF below FOR VALUES FROM (10) TO (20);
           CREATE TABLE parent (id INTEGER PRIMARY KEY, slug TEXT NOT NULL);
           CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent)""",
        "CREATE FUNCTION fill() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN NEW.slug := 's' || NEW.id; RETURN NEW; END $$",
        """CREATE TRIGGER t BEFORE INSERT ON above FOR EACH ROW EXECUTE FUNCTION fill();
           CREATE TRIGGER t BEFORE INSERT ON below_1 FOR EACH ROW EXECUTE FUNCTION fill();
           CREATE TRIGGER t BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION fill()""",
    )
    api = start(postgresql)
    names = ("Above", "Below", "Parent")
    assert {name: required(api, name) for name in names} == {"Above": [], "Below": [], "Parent": ["id", "slug"]}
    paths = {name: resources(api)[name]["path"] for name in names}

    done = api.batch(part("a", "CREATE", paths["Above"], {"id": 1}), part("b", "CREATE", paths["Below"], {"id": 1}))
    assert [each["payload"]["slug"] for each in done["parts"]] == ["s1", "s1"]
    rejected = api.batch(
        part("b", "CREATE", paths["Below"], {"id": 11}), part("p", "CREATE", paths["Parent"], {"id": 1})
    )
    assert faults(rejected) == {"b": [("REQUIRED", "/payload/slug")], "p": [("REQUIRED", "/payload/slug")]}


def test_triggers_of_sqlite_cannot_fill_a_new_row(sqlite: Backend, start: Serve):
    run(
        sqlite,
        "CREATE TABLE film (id INTEGER PRIMARY KEY, title TEXT, slug TEXT NOT NULL)",
        "CREATE TRIGGER t BEFORE INSERT ON film BEGIN UPDATE film SET slug = lower(title) WHERE slug = ''; END",
    )
    api = start(sqlite)

    assert required(api, "Film") == ["slug"]
    assert faults(api.batch(part("a", "CREATE", "/films", {"title": "A"}))) == {"a": [("REQUIRED", "/payload/slug")]}


@pytest.mark.parametrize("count", [1, 1_000])
def test_a_column_that_came_after_the_start_is_named(postgresql: Backend, start: Serve, count: int):
    postgresql.run("CREATE TABLE film (id {key}, title TEXT);\nINSERT INTO film (title) VALUES ('a')")
    api = start(postgresql)
    postgresql.run("ALTER TABLE film ADD maker TEXT NOT NULL DEFAULT 'me'; ALTER TABLE film ALTER maker DROP DEFAULT")
    before = postgresql.dump()

    result = api.batch(*(part(f"p{n}", "CREATE", "/films", {"title": "b"}) for n in range(count)))
    assert len(result["parts"]) == count
    (error,) = result["parts"][0]["errors"]
    assert error == {
        "code": "REQUIRED",
        "message": 'The database requires a value for column "maker", which was added after the server started.',
        "pointer": "/payload",
        "attributes": [],
    }
    assert postgresql.dump() == before
    assert api.one("UPSERT", "/films/9", {"title": "x"})["errors"][0]["message"] == error["message"]
    assert api.one("UPDATE", "/films/1", {"title": "x"})["status"] == 200


def test_a_column_that_the_operator_hides_is_not_named(backend: Backend, start: Serve):
    backend.run("CREATE TABLE film (id {key}, title TEXT, maker TEXT NOT NULL)")
    api = start(backend, resources={"film": {"attributes": {"maker": {"hidden": True}}}})

    (error,) = api.batch(part("a", "CREATE", "/films", {"title": "b"}))["parts"][0]["errors"]
    assert (error["code"], error["message"]) == (
        "REQUIRED",
        "The database requires a value for a column that this resource does not serve.",
    )
