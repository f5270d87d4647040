"""Constraints that the database checks at COMMIT, and triggers that refuse (docs/contract.md, section 2, rules 1 and 2)."""

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part

TREE = """
CREATE TABLE parents (id INTEGER PRIMARY KEY, name VARCHAR(20), CONSTRAINT one_name UNIQUE (name));
CREATE TABLE children (id INTEGER PRIMARY KEY, name VARCHAR(20), parent_id INTEGER, parent_name VARCHAR(20),
  FOREIGN KEY (parent_id) REFERENCES parents (id) {deferred},
  FOREIGN KEY (parent_name) REFERENCES parents (name) {deferred});
CREATE TABLE hens (id INTEGER PRIMARY KEY, egg_id INTEGER NOT NULL);
CREATE TABLE eggs (id INTEGER PRIMARY KEY, hen_id INTEGER NOT NULL REFERENCES hens (id) {deferred});
INSERT INTO parents (id, name) VALUES (1, 'a'), (2, 'b');
INSERT INTO children (id, name, parent_id, parent_name) VALUES (1, 'c', 1, NULL), (2, 'd', NULL, 'b')
"""
MISSING = ("MISSING_TARGET", "/payload/parentId")
HELD = ("STILL_REFERENCED", "/path")


def create(id_, path, payload=None):
    return part(id_, "CREATE", path, payload)


def update(id_, path, payload):
    return part(id_, "UPDATE", path, payload)


def delete(id_, path):
    return part(id_, "DELETE", path)


@pytest.fixture
def tree(backend: Backend, start: Serve) -> Api:
    backend.run(TREE)
    return start(backend)


DEFERRED = {
    "a child before its parent": ([create("c", "/children/9", {"parentId": 9}), create("p", "/parents/9")], {}),
    "a child without a parent": ([create("c", "/children/9", {"parentId": 9})], {"c": [MISSING]}),
    "a child that turns to no parent": ([update("c", "/children/1", {"parentId": 9})], {"c": [MISSING]}),
    "a child by a unique attribute": (
        [update("c", "/children/1", {"parentName": "z"})],
        {"c": [("MISSING_TARGET", "/payload/parentName")]},
    ),
    "a child without a parent for a while": (
        [create("c", "/children/9", {"parentId": 9}), update("again", "/children/9", {"parentId": 1})],
        {},
    ),
    "the last writer is to blame": (
        [create("c", "/children/9", {"parentId": 1}), update("again", "/children/9", {"parentId": 9})],
        {"again": [MISSING]},
    ),
    "a child without a parent that is deleted again": (
        [create("c", "/children/9", {"parentId": 9}), delete("gone", "/children/9")],
        {},
    ),
    "a parent deleted before its child": ([delete("p", "/parents/1"), delete("c", "/children/1")], {}),
    "a parent deleted before its child turns away": (
        [delete("p", "/parents/1"), update("c", "/children/1", {"parentId": 2})],
        {},
    ),
    "a parent deleted and made again": ([delete("p", "/parents/1"), create("again", "/parents/1")], {}),
    "a parent whose child stays": ([delete("p", "/parents/1")], {"p": [HELD]}),
    "a parent by a unique attribute whose child stays": ([delete("p", "/parents/2")], {"p": [HELD]}),
    "a child of a parent deleted before": (
        [delete("c1", "/children/1"), delete("p", "/parents/1"), create("c", "/children/9", {"parentId": 1})],
        {"c": [MISSING]},
    ),
    "two children without parents": (
        [create("c", "/children/9", {"parentId": 9}), create("d", "/children/8", {"parentId": 8})],
        {"c": [MISSING], "d": [MISSING]},
    ),
    "both keys of one child": (
        [create("c", "/children/9", {"parentId": 9, "parentName": "z"})],
        {"c": [MISSING, ("MISSING_TARGET", "/payload/parentName")]},
    ),
    "beside faults that show at once": (
        [
            create("c", "/children/9", {"parentId": 9}),
            create("p", "/parents", {"id": 1}),
            create("t", "/parents", {"id": "x"}),
        ],
        {"c": [MISSING], "p": [("CONFLICT", "/payload/id")], "t": [("INVALID_VALUE", "/payload/id")]},
    ),
}


def test_a_deferred_foreign_key_is_judged_at_the_end_and_attributed(tree: Api, backend: Backend):
    before = backend.dump()

    found = {name: tree.batch(*parts, dry_run=True) for name, (parts, _) in DEFERRED.items()}

    errored = {
        name: {id_: said for id_, said in faults(result).items() if said}
        for name, result in found.items()
    }  # fmt: skip
    assert errored == {name: said for name, (_, said) in DEFERRED.items()}
    assert {name: result["status"] for name, result in found.items()} == {
        name: "REJECTED" if said else "VALID" for name, (_, said) in DEFERRED.items()
    }
    assert backend.dump() == before


def test_a_deferred_foreign_key_holds_at_commit_too(tree: Api, backend: Backend):
    before = backend.dump()

    rejected = tree.batch(create("fine", "/parents/8"), create("c", "/children/9", {"parentId": 9}))
    assert (rejected["status"], faults(rejected)) == ("REJECTED", {"c": [MISSING]})
    assert backend.dump() == before

    committed = tree.batch(create("c", "/children/9", {"parentId": 9}), create("p", "/parents/9"))
    assert committed["status"] == "COMMITTED"
    assert backend.rows("SELECT parent_id FROM children WHERE id = 9") == [(9,)]


def test_old_violations_are_nobodys_fault(sqlite: Backend, start: Serve):
    sqlite.run(
        TREE + ";\nINSERT INTO children (id, parent_id) VALUES (7, 77)"
    )  # SQLite does not look, unless it is told to
    api = start(sqlite)

    assert api.batch(create("p", "/parents/9"), update("q", "/children/1", {"name": "x"}))["status"] == "COMMITTED"


def test_a_cycle_that_deferred_constraints_allow_is_written(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE hens (id INTEGER PRIMARY KEY, mother_id INTEGER NOT NULL REFERENCES hens (id) {deferred})
    """)
    api = start(backend)

    result = api.batch(
        create("a", "/hens/1", {"motherId": 2}),
        create("b", "/hens/2", {"motherId": 3}),
        create("c", "/hens/3", {"motherId": 1}),
    )

    assert result["status"] == "COMMITTED"
    assert backend.rows("SELECT id, mother_id FROM hens ORDER BY id") == [(1, 2), (2, 3), (3, 1)]
    gone = api.batch(delete("a", "/hens/1"), delete("b", "/hens/2"))
    assert faults(gone) == {"a": [HELD]}


@pytest.fixture
def seats(postgresql: Backend, start: Serve) -> Api:
    postgresql.run("""
        CREATE TABLE seats (id INTEGER PRIMARY KEY, place INTEGER, name VARCHAR(9),
          CONSTRAINT the_place_rule UNIQUE (place) DEFERRABLE INITIALLY DEFERRED);
        INSERT INTO seats (id, place) VALUES (1, 1), (2, 2)
    """)
    return start(postgresql)


def test_a_deferred_unique_constraint_of_postgresql_is_judged_at_the_end(seats: Api, postgresql: Backend):
    before = postgresql.dump()
    conflict = ("CONFLICT", "/payload/place")
    cases = {
        "a swap": ([update("a", "/seats/1", {"place": 2}), update("b", "/seats/2", {"place": 1})], {}),
        "a taken place": ([update("a", "/seats/1", {"place": 2})], {"a": [conflict]}),
        "a taken place of a new one": ([create("a", "/seats/9", {"place": 2})], {"a": [conflict]}),
        "two new ones: the last is to blame": (
            [create("a", "/seats/8", {"place": 8}), create("b", "/seats/9", {"place": 8})],
            {"b": [conflict]},
        ),
        "free at the end": ([create("a", "/seats/9", {"place": 2}), delete("b", "/seats/2")], {}),
        "taken back": ([update("a", "/seats/1", {"place": 2}), update("b", "/seats/1", {"place": 1})], {}),
    }

    found = {name: faults(seats.batch(*parts, dry_run=True)) for name, (parts, _) in cases.items()}

    assert {name: {i: s for i, s in said.items() if s} for name, said in found.items()} == {
        name: said for name, (_, said) in cases.items()
    }
    assert postgresql.dump() == before


TRIGGERS = {
    "sqlite": """
        CREATE TRIGGER secret_rule BEFORE INSERT ON logs WHEN NEW.text = 'no' BEGIN SELECT RAISE({how}, 'secret words'); END;
        CREATE TRIGGER secret_rule2 BEFORE UPDATE ON logs WHEN NEW.text = 'no' BEGIN SELECT RAISE({how}, 'secret words'); END;
        CREATE TRIGGER secret_rule3 BEFORE DELETE ON logs WHEN OLD.text = 'stay' BEGIN SELECT RAISE({how}, 'secret words'); END
    """,
    "postgresql": """
        CREATE FUNCTION secret_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF TG_OP = 'DELETE' THEN IF OLD.text = 'stay' THEN {how} ; END IF ; RETURN OLD
          ; END IF ; IF NEW.text = 'no' THEN {how} ; END IF ; RETURN NEW ; END $$;
        CREATE TRIGGER secret_trigger BEFORE INSERT OR UPDATE OR DELETE ON logs FOR EACH ROW EXECUTE FUNCTION secret_rule()
    """,
}
WAYS = [
    ("sqlite", "ABORT"),
    ("sqlite", "FAIL"),
    ("sqlite", "ROLLBACK"),
    ("postgresql", "RAISE EXCEPTION 'secret words'"),
    ("postgresql", "RAISE EXCEPTION 'secret words' USING ERRCODE = 'ZZ123'"),
    ("postgresql", "RAISE EXCEPTION 'secret words' USING ERRCODE = '45000'"),
    ("postgresql", "RETURN NULL"),
]


@pytest.mark.parametrize(("kind", "how"), WAYS, ids=[how for _, how in WAYS])
def test_a_trigger_that_refuses_a_row_is_named_as_such(kind, how, request: pytest.FixtureRequest, start: Serve):
    backend = request.getfixturevalue(kind)
    backend.run("""
        CREATE TABLE logs (id {key}, text VARCHAR(20));
        INSERT INTO logs (id, text) VALUES (1, 'a'), (2, 'stay')
    """)
    backend.run(TRIGGERS[kind].replace("{how}", how))
    api = start(backend)
    before = backend.dump()

    result = api.batch(
        part("fine", "CREATE", "/logs/8", {"text": "yes"}),
        part("insert", "CREATE", "/logs/9", {"text": "no"}),
        part("type", "CREATE", "/logs", {"text": 5}),
        part("update", "UPDATE", "/logs/1", {"text": "no"}),
        part("builds on it", "UPDATE", "/logs/9", {"text": "b"}),
        part("also fine", "UPDATE", "/logs/8", {"text": "more"}),
        part("delete", "DELETE", "/logs/2"),
    )

    codes = {each["id"]: [error["code"] for error in each["errors"]] for each in result["parts"]}
    refused = ["REFUSED_BY_DATABASE"]
    assert codes == {"insert": refused, "type": ["INVALID_VALUE"], "update": refused, "delete": refused}
    said = "The database rejected this change." if how == "RETURN NULL" else "secret words."
    messages = {each["id"]: [error["message"] for error in each["errors"]] for each in result["parts"]}
    assert {messages[name][0] for name in ("insert", "update", "delete")} == {said}
    assert backend.dump() == before


def test_a_row_that_a_trigger_lets_vanish_is_refused(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE logs (id INTEGER PRIMARY KEY, text VARCHAR(20))")
    sqlite.run("CREATE TRIGGER t BEFORE INSERT ON logs BEGIN SELECT RAISE(IGNORE); END")
    api = start(sqlite)

    result = api.batch(part("p", "CREATE", "/logs", {"text": "a"}))

    assert [each["code"] for each in result["parts"][0]["errors"]] == ["REFUSED_BY_DATABASE"]


def test_what_a_trigger_changes_is_in_the_answer(backend: Backend, start: Serve):
    backend.run("CREATE TABLE logs (id {key}, text VARCHAR(20), size INTEGER)")
    backend.run(
        {
            "sqlite": "CREATE TRIGGER t AFTER INSERT ON logs BEGIN UPDATE logs SET size = length(NEW.text) WHERE id = NEW.id; END",
            "postgresql": """
                CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.size := length(NEW.text) ; RETURN NEW ; END $$;
                CREATE TRIGGER t BEFORE INSERT ON logs FOR EACH ROW EXECUTE FUNCTION f()
            """,
        }[backend.kind],
    )
    api = start(backend)

    made = api.one("CREATE", "/logs", {"text": "four"})

    assert made["payload"] == {"id": 1, "text": "four", "size": 4}
    assert api.one("GET", "/logs/1")["etag"] == made["etag"]


@pytest.mark.parametrize("told", [True, False])
def test_a_rule_that_only_commit_shows_is_the_error_of_the_part_after_which_it_fails(
    postgresql: Backend, start: Serve, told: bool
):
    postgresql.run("CREATE TABLE logs (id {key}, text VARCHAR(20))")
    postgresql.run(
        """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'secret words' ; END $$;
        CREATE CONSTRAINT TRIGGER t AFTER INSERT ON logs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()""",
    )
    api = start(postgresql, database_messages=told)
    before = postgresql.dump()

    for dry_run in (False, True):
        refused = api.batch(part("p", "CREATE", "/logs", {"text": "a"}), dry_run=dry_run)
        (error,) = refused["parts"][0]["errors"]
        assert (error["code"], error["pointer"]) == ("REFUSED_BY_DATABASE", None)
        assert error["message"] == ("secret words." if told else "The database rejected this change.")
    assert postgresql.dump() == before
