"""Compiled queries (resolvers/compiled/query_writer.py) equal the ordinary way: for documents and variables, valid and invalid, the same bytes."""

import json
from typing import Any

import pytest
from hypothesis import event, given

from partwise.settings import Settings
from storage.catalog.aggregation import Function, result_type
from storage.connections.database import Database
from storage.errors import Unavailable
from tests.conftest import Serve
from tests.contract import test_unreadable
from tests.support import every_type
from tests.support.composer import asked
from tests.support.documents import OTHER, PAGE_INFO, PLAIN, Asked
from tests.support.doors import Doors, body_of, tried
from tests.support.harness import Backend
from tests.support.worlds import World


@pytest.fixture
def doors(library: World) -> Doors:
    """The two doors of the library."""
    return Doors(library.api, library.api.settings)


def test_plain_queries_are_answered_the_fast_way_with_the_same_bytes(doors: Doors):
    for name, (query, variables) in PLAIN.items():
        answer, was_fast = doors.ask(body_of(query, variables))

        assert "errors" not in json.loads(answer.body), (name, answer.body)
        assert was_fast, name


def test_other_queries_go_the_ordinary_way(doors: Doors):
    for name, (query, variables) in OTHER.items():
        _, was_fast = doors.ask(body_of(query, variables))

        assert not was_fast, name


def test_the_path_of_a_node_may_be_sent_in_any_way_that_id_takes(doors: Doors):
    paths: list[Any] = ["/books/1", 1, 1.5, True, None, [], "", "/books/1 "]
    for path in paths:
        doors.ask(body_of("query($p: ID!) { node(path: $p) { path } }", {"p": path}))


SEVERAL = "query A { books { totalCount } } query B($n: Int!) { books(first: $n) { nodes { ...F } } } fragment F on Book { id }"


def test_of_several_queries_the_named_one_is_answered(doors: Doors):
    fast = {name: doors.ask(body_of(SEVERAL, {"n": 1}, operationName=name))[1] for name in ("A", "B", "C", "", None)}

    assert fast == {"A": True, "B": True, "C": False, "": False, None: False}


WRONG_VARIABLES = ["[1]", '"{}"', "1", "true", '{"a": NaN}', '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}"]  # fmt: skip
RIGHT_VARIABLES = [
    "null",
    "{}",
    '{"a": 1}',
    '{"a": 1e400}',
    '{"a": ' + "9" * 4_301 + "}",
    '{"a": "\\ud83d\\ude00"}',
    '{"a": 1, "a": 2}',
]


def test_variables_of_a_query_without_any_are_looked_at_every_time(doors: Doors):
    query = "{ books { totalCount } }"
    doors.ask(body_of(query, {}))  # from now on its plan is known

    for text in (*WRONG_VARIABLES, *RIGHT_VARIABLES):
        _, was_fast = doors.ask(f'{{"query": {json.dumps(query)}, "variables": {text}}}')

        assert was_fast is (text in RIGHT_VARIABLES), text[:20]


def test_a_lone_surrogate_among_variables_is_the_same(doors: Doors):
    doors.ask('{"query": "{ books { totalCount } }", "variables": {"a": "\\ud800"}}')
    doors.ask(body_of("query($f: BookFilter) { books(filter: $f) { totalCount } }", {"f": {"title": {"eq": "\ud800"}}}))
    doors.ask(body_of('{ books(filter: {title: {eq: "\\ud800"}}) { totalCount } }', {}))


@pytest.mark.parametrize("text", [*WRONG_VARIABLES, *RIGHT_VARIABLES], ids=range(13))
def test_variables_that_are_given_twice_are_read_alike(doors: Doors, text: str):
    query = json.dumps("{ books { totalCount } }")
    doors.ask(body_of("{ books { totalCount } }", {}))  # from now on its plan is known

    doors.ask(f'{{"query": {query}, "variables": {text}, "variables": {{}}}}')
    doors.ask(f'{{"query": {query}, "variables": {{}}, "variables": {text}}}')


def test_queries_by_get_are_answered_alike(doors: Doors):
    for query, variables in (*PLAIN.values(), *OTHER.values()):
        doors.ask_by_url(query=query, variables=json.dumps(variables))
    for name in ("A", "B", "C", ""):
        doors.ask_by_url(query=SEVERAL, operationName=name, variables='{"n": 1}')


def test_a_database_that_is_not_there_is_asked_once(doors: Doors, monkeypatch: pytest.MonkeyPatch):
    query = "{ __typename a: books { totalCount } b: author(id: 1) { name } }"
    assert doors.ask(body_of(query, {}))[1]
    asked = 0

    def gone(_database: Database, *_: Any, **__: Any) -> Any:
        nonlocal asked
        asked += 1
        raise Unavailable("The database cannot be reached. Try again.")

    monkeypatch.setattr(Database, "read", gone)
    monkeypatch.setattr(Database, "can_read_inline", False)
    answer, was_fast = doors.ask(body_of(query, {}))

    assert was_fast
    assert asked == 3, "at the ordinary door, and twice at the fast one"
    found = json.loads(answer.body)
    assert found["data"] == {"__typename": "Query", "a": None, "b": None}
    assert [(error["path"], error["extensions"]["code"]) for error in found["errors"]] == [
        (["a"], "UNAVAILABLE"),
        (["b"], "UNAVAILABLE"),
    ]


def test_from_cursor_to_cursor(doors: Doors):
    query = "query($a: String, $b: String) { f: books(first: 3, after: $a, orderBy: [{price: DESC}]) { edges { cursor node { id } } pageInfo { endCursor hasNextPage hasPreviousPage } } l: books(last: 3, before: $b) { nodes { id } pageInfo { startCursor hasNextPage hasPreviousPage } } }"  # fmt: skip
    after = before = None
    for _ in range(6):
        answer, was_fast = doors.ask(body_of(query, {"a": after, "b": before}))
        data = json.loads(answer.body)["data"]

        assert was_fast
        after, before = data["f"]["pageInfo"]["endCursor"], data["l"]["pageInfo"]["startCursor"]


# --- values


def ask_for_all(doors: Doors, selection: str, collection: str, *, fast: bool = True, items: bool = True) -> Any:
    """Ask in all ways for the same attributes."""
    found = None
    ways = [f"nodes {{ {selection} }} totalCount", *([f"edges {{ cursor node {{ {selection} }} }}"] if items else [])]
    for way in ways:
        answer, was_fast = doors.ask(body_of(f"{{ {collection} {{ {way} }} }}", {}))
        assert was_fast is fast, way
        found = found or json.loads(answer.body)
    return found


ROWS = """
INSERT INTO every_type (id, small, whole, big, single, double, price, exact, flag, short, fixed, long, day, clock, local,
  instant, token, document) VALUES
(1, -32768, 2147483647, 9223372036854775807, 0.5, 1e300, 12.5, 0.000001, TRUE, '', 'x', 'ä"\\', '0001-01-01', '10:30:00',
  '2024-01-01 10:00:00', '2024-01-01 10:00:00+00:00', '0198c0de-0000-7000-8000-0000000000ff', '{"a": [1, 1.5, null, "x"], "b": {}}'),
(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
(3, 0, 0, -1, -0.0, -0.0, 0, -1, FALSE, '😀', '', 'a', '9999-12-31', '23:59:59.999999', '1999-12-31 23:59:59.999999',
  '1999-12-31 23:59:59.5+00:00', '00000000-0000-0000-0000-000000000000', '"x"')
"""


@pytest.mark.costly
def test_every_type_is_completed_alike_with_and_without_nulls(backend: Backend, start: Serve):
    backend.run(every_type.TABLE + ";\n" + ROWS + ";\nUPDATE every_type SET bytes = " + ("x'00ff'" if backend.kind == "sqlite" else "'\\x00ff'") + " WHERE id < 3")  # fmt: skip
    doors = Doors(start(backend), Settings(database_url=backend.url))
    names = list(every_type.VALUES)
    resource = doors.api.service.engine.catalog.resources["EveryType"]

    found = ask_for_all(doors, " ".join(["id", *names, "etag", "path"]), "everyTypes")
    for name in names:
        ask_for_all(doors, name, "everyTypes")
        doors.ask(body_of(f"{{ everyType(id: 2) {{ {name} }} }}", {}))

    for function in ("sum", "avg", "min", "max"):
        said = [name for name in names if result_type(Function(function), resource.attributes[name].type) is not None]
        for each in (*said, " ".join(said)):
            answer, was_fast = doors.ask(body_of(f"{{ everyTypes {{ aggregate {{ {function} {{ {each} }} }} }} }}", {}))
            assert was_fast
            assert "errors" not in json.loads(answer.body)
            if function == "min":
                by = f"by: [{', '.join(each.split())}]"
                _, was_fast = doors.ask(
                    body_of(f"{{ everyTypes {{ groupBy({by}) {{ keys {{ {each} }} aggregate {{ count }} }} }} }}", {})
                )
                assert was_fast

    assert "errors" not in found
    assert found["data"]["everyTypes"]["nodes"][1] == {
        **dict.fromkeys(names), "id": 2, "path": "/everyTypes/2", "etag": found["data"]["everyTypes"]["nodes"][1]["etag"],
        "bytes": "AP8=",
    }  # fmt: skip


def test_views_without_a_key_are_answered_alike(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE town (id {key}, name VARCHAR(20) NOT NULL, size INTEGER);\n"
        "INSERT INTO town VALUES (1, 'A', 1), (2, 'B', NULL), (3, 'A', 3);\n"
        "CREATE VIEW large AS SELECT name, size FROM town"
    )
    doors = Doors(start(backend), Settings(database_url=backend.url))

    collection = next(each.collection for each in doors.api.service.engine.catalog.resources.values() if not each.key)
    for selection in (
        "nodes { name size __typename }",
        "nodes { __typename } totalCount",
        f"nodes {{ name }} {PAGE_INFO}",
        "pageInfo { hasNextPage } totalCount __typename",
        "a: nodes { name } b: nodes { size }",
        "aggregate { count sum { size } min { name } } groupBy(by: [name]) { keys { name } aggregate { max { size } } }",
    ):
        for arguments_ in ("", "(first: 2)", "(offset: 1, orderBy: [{name: DESC}])"):
            answer, was_fast = doors.ask(body_of(f"{{ {collection}{arguments_} {{ {selection} }} }}", {}))

            assert was_fast, selection
            assert "errors" not in json.loads(answer.body)


def test_enums_arrays_and_what_only_postgresql_reads_are_completed_alike(postgresql: Backend, start: Serve):
    postgresql.run("""
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TYPE odd AS ENUM ('a b', 'c-d');
CREATE DOMAIN small_text AS VARCHAR(5);
CREATE TABLE item (id {key}, mood mood, moods mood[], odd odd, odds odd[], tags TEXT[], numbers BIGINT[], days DATE[], prices NUMERIC(8,2)[],
  flags BOOLEAN[] NOT NULL DEFAULT '{}', address INET, span INTERVAL, range INT4RANGE, plain JSON, documents JSONB[], d small_text);
INSERT INTO item VALUES
 (1, 'sad', '{happy,NULL}', 'a b', '{c-d,NULL}', '{a,NULL,""}', '{1,NULL,9223372036854775807}', '{2020-01-01,NULL}', '{1.5,NULL}',
  '{t,NULL,f}', '10.0.0.1', '1 day 2 hours', '[1,5)', '{"a": 1.10, "a": 2}', ARRAY['{"a": 1.10}', NULL, 'null']::JSONB[], 'x'),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL),
 (3, 'happy', '{}', 'c-d', '{}', '{}', '{}', '{}', '{}', '{}', '::1', '0', 'empty', 'null', '{}', '')
""")
    doors = Doors(start(postgresql), Settings(database_url=postgresql.url))
    names = [
        "mood",
        "moods",
        "odd",
        "odds",
        "tags",
        "numbers",
        "days",
        "prices",
        "flags",
        "address",
        "span",
        "range",
        "plain",
        "documents",
        "d",
    ]

    found = ask_for_all(doors, f"id {' '.join(names)} etag", "items")
    for name in names:
        ask_for_all(doors, name, "items")
    grouped = "aggregate { min { mood odd d } max { mood odd d } } groupBy(by: [mood, odd]) { keys { mood odd d } aggregate { max { odd } } }"
    answer, was_fast = doors.ask(body_of(f"{{ items {{ {grouped} }} }}", {}))

    assert "errors" not in found
    assert was_fast
    assert json.loads(answer.body)["data"]["items"]["aggregate"]["max"] == {"mood": "sad", "odd": "c-d", "d": "x"}


def marks(test: Any) -> list[Any]:
    """Find the cases of a parametrised test."""
    return [case for mark in test.pytestmark if mark.name == "parametrize" for case in mark.args[1]]


ON_SQLITE = marks(test_unreadable.test_what_sqlite_holds_against_its_type_is_an_error_of_that_field)
ON_POSTGRESQL = marks(test_unreadable.test_what_json_cannot_say_of_postgresql_is_an_error_of_that_field)


def check_unreadable(backend: Backend, start: Serve, cases: list[tuple[str, str]]) -> None:
    columns = ", ".join(f"c{number} {declared}" for number, (declared, _) in enumerate(cases))
    values = ", ".join(value for _, value in cases)
    backend.run(
        f"CREATE TABLE thing (id {{key}}, name VARCHAR(20), {columns});\n"
        f"INSERT INTO thing VALUES (1, 'kept', {values});\nINSERT INTO thing (id, name) VALUES (2, 'two')"
    )
    doors = Doors(start(backend), Settings(database_url=backend.url))
    for number in range(len(cases)):
        found = ask_for_all(doors, f"id c{number} name", "things", fast=False)
        assert [error["path"] for error in found["errors"]] == [["things", "nodes", 0, f"c{number}"]]
        for function in ("sum", "avg", "min", "max"):
            doors.ask(body_of(f"{{ things {{ aggregate {{ count {function} {{ id c{number} }} }} totalCount }} }}", {}))
        doors.ask(
            body_of(
                f"{{ things {{ groupBy(by: [c{number}]) {{ keys {{ c{number} id }} aggregate {{ count }} }} }} }}", {}
            )
        )
        doors.ask(
            body_of(
                f"{{ things(first: 1, offset: 1) {{ nodes {{ c{number} }} }} thing(id: 1) {{ c{number} etag }} }}", {}
            )
        )
    assert "errors" not in ask_for_all(doors, "id name path etag", "things")


def test_what_sqlite_holds_against_its_type_is_answered_alike(sqlite: Backend, start: Serve):
    check_unreadable(sqlite, start, ON_SQLITE)


def test_what_json_cannot_say_of_postgresql_is_answered_alike(postgresql: Backend, start: Serve):
    check_unreadable(postgresql, start, ON_POSTGRESQL)


def test_unreadable_values_that_may_not_be_null_keys_and_relations_are_answered_alike(sqlite: Backend, start: Serve):
    sqlite.run("""
CREATE TABLE day (at DATE PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE event (id INTEGER PRIMARY KEY, day DATE REFERENCES day (at), n INTEGER NOT NULL, code TEXT);
CREATE TABLE word (code TEXT PRIMARY KEY, n INTEGER);
INSERT INTO day VALUES ('2020-01-01', 1), ('31.12.2020', 2), ('2020-01-02', 'x');
INSERT INTO event VALUES (1, '2020-01-01', 1, 'a'), (2, '31.12.2020', 1, NULL), (3, NULL, 'x', 'b'), (4, '2020-01-02', 99999999999, x'00');
INSERT INTO word VALUES ('', 1), (NULL, 2), ('a', NULL)
""")
    doors = Doors(start(sqlite), Settings(database_url=sqlite.url))
    relation = next(iter(doors.api.service.engine.catalog.resources["Day"].relations))
    to_one = next(iter(doors.api.service.engine.catalog.resources["Event"].relations))

    for query in (
        "{ days { nodes { at } } }",
        "{ days { nodes { path } } }",
        "{ days { nodes { n } } }",
        "{ days { edges { cursor node { n path etag at } } } }",
        f"{{ days {{ nodes {{ etag {relation} {{ totalCount nodes {{ id n }} }} }} }} }}",
        f"{{ days {{ nodes {{ {relation} {{ totalCount edges {{ cursor }} pageInfo {{ endCursor }} }} }} }} }}",
        f"{{ events {{ nodes {{ id {to_one} {{ n }} }} }} }}",
        f"{{ events {{ nodes {{ id {to_one} {{ at path }} }} }} }}",
        "{ events { nodes { id n } } }",
        "{ events { nodes { id code } } }",
        "{ words { nodes { path n } } }",
        "{ words { nodes { n } pageInfo { endCursor } } }",
        "{ words { nodes { n etag } edges { cursor } } }",
        '{ node(path: "/days/2020-01-02") { ... on Day { at n } path } }',
    ):
        doors.ask(body_of(query, {}))


AS_OTHERS = {
    "i": "Float",
    "r": "Int",
    "n": "String",
    "t": "Int",
    "b": "Boolean",
    "f": "Decimal",
    "d": "BigInt",
    "x": "JSON",
}


def test_types_that_the_settings_give_are_completed_alike(sqlite: Backend, start: Serve):
    sqlite.run("""
CREATE TABLE thing (id INTEGER PRIMARY KEY, i INTEGER, r REAL, n NUMERIC, t TEXT, b INTEGER, f DOUBLE PRECISION, d INTEGER, x TEXT, u, v ANY);
INSERT INTO thing VALUES (1, 5, 5.0, 5, '5', 1, 0.5, 5, '[1.10]', 5, 'x'), (2, -5, 1e300, 1.5, 'x', 0, 1e20, NULL, '{}', x'00', 1.5),
 (3, 9007199254740993, -0.0, 'x', NULL, NULL, NULL, 1, '1', 'x', NULL), (4, 0, 0.0, 0, '0', 1, 1, 1, '0', NULL, 0)
""")
    own = {name: {"type": type_} for name, type_ in AS_OTHERS.items()}
    doors = Doors(start(sqlite, resources={"thing": {"attributes": own}}), Settings(database_url=sqlite.url))

    for names in ("i", "r", "n", "t", "b", "f", "d", "x", "u", "v", "u v", "i b d"):
        for page in ("", "(first: 1)", "(first: 1, offset: 3)"):
            doors.ask(body_of(f"{{ things{page} {{ nodes {{ id {names} }} }} }}", {}))


def test_former_names_are_completed_alike(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE author (id {key}, name VARCHAR(20));\nINSERT INTO author VALUES (1, 'A'), (2, NULL);\n"
        "CREATE TABLE book (id {key}, author_id INTEGER REFERENCES author (id));\nINSERT INTO book VALUES (1, 1), (2, NULL)"
    )
    named = {
        "author": {
            "name": "Writer",
            "collection": "writers",
            "former_collection": "authors",
            "attributes": {"name": {"name": "called", "former_name": "name"}},
        }
    }
    doors = Doors(start(backend, resources=named), Settings(database_url=backend.url))
    query = (
        "{ writers { nodes { called name x: name } aggregate { min { name called } } groupBy(by: [name]) { keys { called name } } }"
        " authors { nodes { called path } edges { node { name } } } }"
    )

    answer, was_fast = doors.ask(body_of(query, {}))

    assert was_fast
    assert "errors" not in json.loads(answer.body)


# --- random queries


@pytest.mark.costly
@tried
@given(query=asked())
def test_any_query_gives_the_same_bytes(doors: Doors, query: Asked):
    answer, was_fast = doors.ask(body_of(*query))

    found = json.loads(answer.body)
    event(f"{'fast' if was_fast else 'ordinary'}, {'errors' if 'errors' in found else 'data'}")


def test_what_many_items_point_at_is_answered_for_each(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE place (id {key}, name VARCHAR(20) NOT NULL)"
        ";\nCREATE TABLE shop (id {key}, name VARCHAR(20) NOT NULL, facts JSON, place_id INTEGER REFERENCES place (id))"
        ";\nCREATE TABLE sale (id {key}, shop_id INTEGER REFERENCES shop (id))"
        ";\nINSERT INTO place VALUES (1, 'Zürich \"1\"')"
        ";\nINSERT INTO shop VALUES (1, 'Ä', '[0.10000000000000000000000001]', 1), (2, 'B', NULL, NULL)"
        f";\nINSERT INTO sale VALUES {', '.join(f'({n}, {2 if n == 7 else 1})' for n in range(1, 40))}, (40, NULL)"
    )
    api = start(backend)
    query = "{ sales { nodes { shop { name facts place { name } } } } }"

    answer, was_fast = Doors(api, api.settings).ask(body_of(query, {}))

    first = '{"shop":{"name":"Ä","facts":[0.10000000000000000000000001],"place":{"name":"Zürich \\"1\\""}}}'
    nodes = [first] * 39 + ['{"shop":null}']
    nodes[6] = '{"shop":{"name":"B","facts":null,"place":null}}'
    assert was_fast
    assert answer.body.decode() == f'{{"data":{{"sales":{{"nodes":[{",".join(nodes)}]}}}}}}'
