"""PostgreSQL's inheritance: one resource has the rows of all, and their keys are kept apart by us."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.described import resources
from tests.support.harness import Api, Backend, Json, faults, part
from tests.support.part_errors import errors

# 1 is there twice: as a node, and as a game.
SCRIPT = """
CREATE TABLE node (id {key}, code TEXT UNIQUE, name TEXT, boss INTEGER);
CREATE TABLE game (extra TEXT, PRIMARY KEY (id)) INHERITS (node);
CREATE TABLE chess (PRIMARY KEY (id)) INHERITS (game);
CREATE TABLE note (id INTEGER PRIMARY KEY, code TEXT UNIQUE, text TEXT);
INSERT INTO node (id, code, name) VALUES (1, 'a', 'one'), (5, 'b', 'five');
INSERT INTO game (id, code, name, extra) VALUES (1, 'c', 'double', 'x'), (2, 'd', 'two', 'x'), (3, 'e', 'three', 'y');
INSERT INTO chess (id, code, name) VALUES (4, 'f', 'four'), (6, 'f', 'six')
"""


@pytest.fixture
def nodes(postgresql: Backend, start: Serve) -> Api:
    postgresql.run(SCRIPT)
    return start(postgresql)


def test_an_inheriting_table_is_no_resource_unless_the_file_says_so(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)

    assert set(resources(start(postgresql))) == {"Node_", "Note"}
    assert set(resources(start(postgresql, resources={"game": {"hidden": False}}))) == {"Node_", "Game", "Note"}


@pytest.fixture
def path(nodes: Api) -> str:
    return str(resources(nodes)["Node_"]["path"])


CASES: list[tuple[str, str, str, Json, list[tuple[str, str]]]] = [
    ("key of a child", "CREATE", "", {"id": 3}, [("CONFLICT", "/payload/id")]),
    ("key of a grandchild", "CREATE", "", {"id": 4}, [("CONFLICT", "/payload/id")]),
    ("key of the path", "CREATE", "/3", {}, [("CONFLICT", "/path")]),
    ("unique value of a child", "CREATE", "", {"id": 9, "code": "d"}, [("CONFLICT", "/payload/code")]),
    ("unique value, changed", "UPDATE", "/5", {"code": "d"}, [("CONFLICT", "/payload/code")]),
    ("unique value, replaced", "REPLACE", "/5", {"code": "e"}, [("CONFLICT", "/payload/code")]),
    ("unique value of the parent, for a child's row", "UPDATE", "/2", {"code": "a"}, [("CONFLICT", "/payload/code")]),
    ("unique value of an upsert", "UPSERT", "/9", {"code": "e"}, [("CONFLICT", "/payload/code")]),
    ("two rows, read", "GET", "/1", None, [("CONFLICT", "/path")]),
    ("two rows, changed", "UPDATE", "/1", {"name": "x"}, [("CONFLICT", "/path")]),
    ("two rows, replaced", "REPLACE", "/1", {"name": "x"}, [("CONFLICT", "/path")]),
    ("two rows, upserted", "UPSERT", "/1", {"name": "x"}, [("CONFLICT", "/path")]),
    ("two rows, upserted by payload", "UPSERT", "", {"id": 1, "name": "x"}, [("CONFLICT", "/payload/id")]),
    ("two rows, upserted by a unique value", "UPSERT", "", {"code": "f"}, [("CONFLICT", "/payload/code")]),
    ("two rows, made", "CREATE", "/1", {}, [("CONFLICT", "/path")]),
    ("two rows, deleted", "DELETE", "/1", None, [("CONFLICT", "/path")]),
    ("two rows by a unique value", "UPDATE", "/code=f", {"name": "x"}, [("CONFLICT", "/path")]),
]  # fmt: skip


@pytest.mark.parametrize("groups", [True, False])
def test_keys_of_inheriting_tables_are_keys_and_what_is_there_twice_is_not_written(
    postgresql: Backend, start: Serve, groups: bool
):
    postgresql.run(SCRIPT)
    api = start(postgresql, groups=groups)
    path = resources(api)["Node_"]["path"]
    before = postgresql.dump()

    told = {
        name: faults(api.batch(part("p", verb, path + rest, *given))).get("p") for name, verb, rest, *given, _ in CASES
    }
    together = api.batch(
        *(part(f"p{n}", verb, path + rest, given) for n, (_, verb, rest, given, _) in enumerate(CASES)),
        part("note", "CREATE", "/notes", {"id": 1}),
    )

    assert told == {name: expected for name, *_, expected in CASES}
    assert faults(together) == {f"p{n}": expected for n, (*_, expected) in enumerate(CASES)}
    assert postgresql.dump() == before


def test_the_rows_of_inheriting_tables_are_written_by_the_parents_path(nodes: Api, path: str, postgresql: Backend):
    done = nodes.batch(
        part("u", "UPDATE", f"{path}/2", {"name": "two!", "code": "z"}),
        part("same", "UPDATE", f"{path}/3", {"code": "e"}),
        part("p", "UPSERT", f"{path}/4", {"name": "four!"}),
        part("d", "DELETE", f"{path}/6"),
        part("c", "CREATE", path, {"id": 6, "code": "d"}),
        part("g", "GET", f"{path}/6"),
    )

    assert done["status"] == "COMMITTED"
    assert [each["status"] for each in done["parts"]] == [200, 200, 200, 204, 201, 200]
    assert postgresql.rows(
        "SELECT tableoid::regclass::text, id, code, name FROM node WHERE id IN (2, 4, 6) ORDER BY id"
    ) == [
        ("game", 2, "z", "two!"),
        ("chess", 4, "f", "four!"),
        ("node", 6, "d", None),
    ]


def test_a_query_for_one_of_several_rows_is_an_error_of_its_field(nodes: Api, path: str):
    """They are listed, all the same."""
    told = {
        "message": f"Several items of {path[1:]} have this id, so it does not identify one of them.",
        "extensions": {"code": "CONFLICT"},
    }
    query = 'a: node_(id: 1) { name } b: node(path: "PATH/1") { path } c: node_(id: 2) { name }'.replace("PATH", path)

    answer = nodes.post(f"{{ {query} }}")
    part_a = '{id: "a", path: "/notes", operation: CREATE, payload: {id: 1}}'
    written = nodes.post(f"mutation {{ batch(parts: [{part_a}]) {{ status query {{ {query} }} }} }}")
    listed = nodes.query(f"{{ {path[1:]}(filter: {{id: {{eq: 1}}}}) {{ totalCount nodes {{ name }} }} }}")

    assert answer["data"] == {"a": None, "b": None, "c": {"name": "two"}}
    assert [{name: each[name] for name in told} for each in answer["errors"]] == [told, told]
    assert written["data"]["batch"] == {"status": "COMMITTED", "query": answer["data"]}
    assert [each["extensions"]["code"] for each in written["errors"]] == ["CONFLICT", "CONFLICT"]
    assert listed[path[1:]]["totalCount"] == 2


def test_a_key_that_the_database_makes_meets_those_of_inheriting_tables(nodes: Api, path: str, postgresql: Backend):
    """The parent's identity counts for itself: its next keys, 1 and 2, are there."""
    before = postgresql.dump()

    assert faults(nodes.batch(part("a", "CREATE", path, {"name": "x"}))) == {"a": [("CONFLICT", "/payload")]}
    assert postgresql.dump() == before


def test_foreign_keys_hold_for_the_rows_of_their_own_table(postgresql: Backend, start: Serve):
    """So PostgreSQL has it: what points at an inheriting table's row points at nothing, at the end of a batch, too."""
    postgresql.run("""
        CREATE TABLE place (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE town (PRIMARY KEY (id)) INHERITS (place);
        CREATE TABLE visit (id INTEGER PRIMARY KEY, place_id INTEGER REFERENCES place (id));
        CREATE TABLE plan (id INTEGER PRIMARY KEY, place_id INTEGER REFERENCES place (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE old_visit (PRIMARY KEY (id)) INHERITS (visit);
        INSERT INTO place VALUES (1, 'a'), (3, 'c');
        INSERT INTO town VALUES (2, 'b');
        INSERT INTO old_visit VALUES (9, 3)""")
    api = start(postgresql)
    before = postgresql.dump()

    rejected = api.batch(
        part("v", "CREATE", "/visits", {"id": 1, "placeId": 2}),
        part("p", "CREATE", "/plans", {"id": 1, "placeId": 2}),
        part("below", "CREATE", "/places/2/visits", {"id": 4}),
        part("good", "CREATE", "/plans", {"id": 2, "placeId": 1}),
    )
    assert faults(rejected) == {
        "v": [("MISSING_TARGET", "/payload/placeId")],
        "p": [("MISSING_TARGET", "/payload/placeId")],
        "below": [("MISSING_TARGET", "/path")],
    }
    assert postgresql.dump() == before
    assert api.query("{ place(id: 2) { name visits { totalCount } } }")["place"]["name"] == "b"
    assert api.one("DELETE", "/places/3")["status"] == 204, "the row that points there is of the inheriting table"


def test_a_thousand_rows_beside_those_of_inheriting_tables(nodes: Api, path: str, postgresql: Backend):
    parts: list[Any] = [part(f"p{n}", "CREATE", path, {"id": 100 + n, "code": f"new {n}"}) for n in range(1_000)]
    wrong = [*parts]
    wrong[400] = part("p400", "CREATE", path, {"id": 3})
    wrong[900] = part("p900", "CREATE", path, {"id": 5})
    before = postgresql.dump()

    rejected = nodes.batch(*wrong)
    assert faults(rejected) == {"p400": [("CONFLICT", "/payload/id")], "p900": [("CONFLICT", "/payload/id")]}
    assert postgresql.dump() == before
    assert nodes.batch(*parts)["status"] == "COMMITTED"
    assert postgresql.rows("SELECT count(*) FROM ONLY node") == [(1_002,)]


def test_check_says_why_its_parts_run_one_by_one_and_only_its_parts(nodes: Api):
    catalog = nodes.service.engine.catalog

    assert catalog.resources["Node_"].unbatchable_reasons == (
        "a table that inherits from it, or a partition of it, has unique keys of its own",
    )
    assert catalog.resources["Note"].unbatchable_reasons == ()
    assert [each for each in catalog.notices if "served as part of it" in each] == [
        (
            "Node_: 1 table inherits from it and is served as part of it (game). "
            "For a resource of its own, set hidden = false in [resources.game]."
        )
    ]


HOUSE = """
CREATE TABLE house (
  id INTEGER PRIMARY KEY, beds INTEGER CONSTRAINT few CHECK (beds < 10) NO INHERIT, size INTEGER CONSTRAINT even CHECK (size % 2 = 0)
);
CREATE TABLE hotel (stars INTEGER, CONSTRAINT big CHECK (size > 50), CONSTRAINT not_13 CHECK (beds <> 13)) INHERITS (house);
INSERT INTO house (id, beds, size) VALUES (1, 2, 2);
INSERT INTO hotel (id, beds, size) SELECT 1000 + n, 20, 60 FROM generate_series(0, 999) AS n
"""


@pytest.mark.parametrize("groups", [True, False])
def test_a_check_holds_for_the_rows_of_the_tables_that_have_it(postgresql: Backend, start: Serve, groups: bool):
    postgresql.run(HOUSE)
    api = start(postgresql, groups=groups)

    rejected = errors(
        api,
        part("own", "UPDATE", "/houses/1", {"beds": 13, "size": 3}),
        part("new", "CREATE", "/houses", {"id": 2, "beds": 10}),
        part("child", "UPDATE", "/houses/1000", {"beds": 13, "size": 49}),
        part("fine", "UPDATE", "/houses/1001", {"beds": 99}),
    )

    assert {id_: [(e["constraint"], e["pointer"]) for e in every] for id_, every in rejected.items()} == {
        "own": [("few", "/payload/beds"), ("even", "/payload/size")],
        "new": [("few", "/payload/beds")],
        "child": [("not_13", "/payload/beds"), ("even", "/payload/size"), ("big", "/payload/size")],
    }
    assert postgresql.rows("SELECT sum(beds) FROM house") == [(20_002,)]
    # What holds for the rows of one table is not asked of those of another, in bulk neither.
    changed = [part(f"p{n}", "UPDATE", f"/houses/{1000 + n}", {"beds": 30}) for n in range(1_000)]
    assert api.batch(*changed)["status"] == "COMMITTED"
    assert postgresql.rows("SELECT sum(beds) FROM house") == [(30_002,)]
    assert resources(api)["House"]["attributes"]["beds"]["maximum"] != 9  # it is not of all rows
