"""Compiled queries (resolvers/tables.py) equal the ordinary way: for documents and variables, valid and invalid, the same bytes."""

import json
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from partwise.settings import Settings
from storage.database import Database
from storage.errors import Unavailable
from tests import every_type, test_unreadable
from tests.conftest import Serve
from tests.doors import Doors, body_of, tried
from tests.harness import Backend
from tests.library import KINDS_OF_VALUES, RELATIONS, TYPES
from tests.queries import arguments, variable_types
from tests.worlds import World

Asked = tuple[str, Any]  # a document, and its variables


@pytest.fixture
def doors(library: World) -> Doors:
    """The two doors of the library."""
    return Doors(library.api, library.api.settings)


PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename }"
PLAIN: dict[str, Asked] = {
    "attributes": ("{ books { nodes { id authorId title price pages published added kind sequelOf path etag } } }", {}),
    "aliases of everything": (
        (
            "{ x: books(first: 3) { a: nodes { b: id c: id d: title e: author { f: name g: path h: etag i: __typename } }"
            " j: edges { k: cursor l: node { m: id } n: __typename } o: totalCount p: pageInfo { q: endCursor r: hasNextPage } } }"
        ),
        {},
    ),
    "two nodes and two edges": (
        (
            "{ books { a: nodes { id author { name } } b: nodes { title author { id country } chapters { totalCount } }"
            " c: edges { node { author { born } } } d: edges { cursor e: node { author { rating } } f: node { author { books { totalCount } } } } } }"
        ),
        {},
    ),
    "two nodes and two edges below": (
        (
            "{ authors { nodes { x: books { a: nodes { id author { name } } b: nodes { title author { id } }"
            " c: edges { node { author { born } } } d: edges { cursor e: node { author { rating } } } } } } }"
        ),
        {},
    ),
    "one relation twice": (
        "{ authors { nodes { a: books(first: 1) { nodes { id } } b: books(last: 1) { nodes { id } } c: books { totalCount } } } }",
        {},
    ),
    "merged": (
        (
            "{ books { nodes { id } } books { nodes { title author { id } } totalCount } ...F }"
            " fragment F on Query { books { nodes { author { name } } } }"
        ),
        {},
    ),
    "fragments": (
        (
            "{ ...Q } fragment Q on Query { books { ...C } ...R } fragment R on Query { authors { nodes { ...A ...N } } }"
            " fragment C on BookConnection { edges { ...E } ...T } fragment E on BookEdge { cursor node { ...B } }"
            " fragment T on BookConnection { totalCount } fragment B on Book { title author { ...A } ...N }"
            " fragment A on Author { name } fragment N on Node { path etag __typename }"
        ),
        {},
    ),
    "inline fragments": (
        "{ ... on Query { books { ... on BookConnection { ... { nodes { ... on Node { path } ... on Book { title } ... { id } } } } } } }",
        {},
    ),
    "typenames": (
        (
            "{ __typename books(first: 2) { __typename nodes { __typename author { __typename books { __typename nodes { __typename }"
            " edges { __typename node { __typename } } pageInfo { __typename } } } } edges { __typename } } }"
        ),
        {},
    ),
    "only a typename": ("{ __typename t: __typename }", {}),
    "page info without cursors": ("{ books(first: 2) { pageInfo { hasNextPage hasPreviousPage } } }", {}),
    "page info with cursors": (f"{{ books(last: 2) {{ {PAGE_INFO} }} }}", {}),
    "page info of an empty page": (f"{{ books(first: 0) {{ {PAGE_INFO} nodes {{ id }} edges {{ cursor }} }} }}", {}),
    "page info below": (f"{{ authors {{ nodes {{ id books(first: 1) {{ {PAGE_INFO} edges {{ cursor }} }} }} }} }}", {}),
    "page info below, alone": (f"{{ authors {{ nodes {{ books(offset: 1) {{ {PAGE_INFO} }} }} }} }}", {}),
    "total count alone": ("{ books { totalCount } }", {}),
    "total count alone below": ("{ authors { nodes { books(first: 1, offset: 2) { totalCount } } } }", {}),
    "total count of nothing": ("{ books(filter: {id: {in: []}}) { totalCount nodes { id } } }", {}),
    "arguments from variables below": (
        (
            "query($n: Int, $by: [BookOrderBy!], $where: BookFilter, $o: Int! = 1, $d: Direction! = DESC) { authors(orderBy: {name: $d}) {"
            " nodes { name books(first: $n, orderBy: $by, filter: $where, offset: $o) { totalCount nodes { title } } } } }"
        ),
        {"n": 2, "by": [{"title": "DESC"}], "where": {"or": [{"kind": {"eq": "novel"}}, {"pages": {"isNull": True}}]}},
    ),
    "a variable inside a literal": (
        "query($t: String!, $x: [Int!]) { books(filter: {or: [{title: {eq: $t}}, {id: {in: $x}}]}) { nodes { id } } }",
        {"t": "100%", "x": [5, 6]},
    ),
    "a variable that is absent": (
        "query($n: Int, $f: BookFilter) { books(first: $n, filter: $f) { totalCount nodes { id } } }",
        {},
    ),
    "a variable that is null": (
        "query($n: Int, $f: BookFilter) { books(first: $n, filter: $f) { nodes { id } } }",
        {"n": None, "f": None},
    ),
    "a default that is used": ("query($n: Int = 2) { books(first: $n) { nodes { id } } }", {}),
    "a default that is not": ("query($n: Int! = 2) { books(first: $n) { nodes { id } } }", {"n": 3}),
    "a default that is overruled by null": ("query($n: Int = 2) { books(first: $n) { nodes { id } } }", {"n": None}),
    "a float for an Int": ("query($n: Int) { books(first: $n) { nodes { id } } }", {"n": 2.0}),
    "one value for a list": ("query($x: [Int!]) { books(filter: {id: {in: $x}}) { nodes { id } } }", {"x": 5}),
    "a variable too many": ("query($n: Int) { books(first: $n) { nodes { id } } }", {"n": 1, "other": 1}),
    "to one, null": ("{ books { nodes { id author { name } bookBySequelOf { bookBySequelOf { title } } } } }", {}),
    "to one, composite": ("{ quotes { nodes { id chapterByBookIdAndChapter { path book { title } } } } }", {}),
    "to many, composite": ("{ chapters { nodes { quotesByBookIdAndChapter { totalCount nodes { words } } } } }", {}),
    "an item": ("{ book(id: 3) { id author { name } chapters { nodes { words } } } }", {}),
    "an item that is not there": ("{ book(id: 999) { id chapters { nodes { words } } } }", {}),
    "an item by a composite key": (
        "query($n: Int!) { chapter(bookId: 1, number: $n) { path words book { title } } }",
        {"n": 3},
    ),
    "an item by a text": (
        '{ a: tag(code: "") { path label } b: tag(code: "ß %") { path } c: tag(code: "a,b/c") { path etag } }',
        {},
    ),
    "nodes of several types": (
        (
            '{ a: node(path: "/books/1") { ...N } b: node(path: "/authors/3") { ...N } c: node(path: "/chapters/1,2") { ...N }'
            ' d: node(path: "/tags/code=") { ...N } e: node(path: "/books/999") { ...N } f: node(path: "/quotes/1") { ...N } }'
            " fragment N on Node { __typename path etag ... on Book { t: title author { name } chapters { nodes { title } } }"
            " ... on Author { t: name books(first: 1) { totalCount } } ... on Chapter { words } }"
        ),
        {},
    ),
    "a node by a variable": (
        "query($p: ID!) { node(path: $p) { ... on Author { books { edges { cursor node { title } } } } } }",
        {"p": "/authors/1"},
    ),
    "a node of nothing that is asked": ('{ node(path: "/books/1") { ... on Author { name } } }', {}),
    "a node below its parent": (
        '{ node(path: "/authors/1/books/2") { path } x: node(path: "/authors/2/books/2") { path } }',
        {},
    ),
    "a node by a number": ("query($p: ID!) { node(path: $p) { path } }", {"p": "/books/2"}),
    "several roots": (
        "{ b: books { totalCount } a: authors(first: 1) { nodes { id } } book(id: 1) { id } c: books(first: 1) { nodes { id } } }",
        {},
    ),
    "nothing left": ("{ books { nodes { id @skip(if: true) } totalCount } }", {}),
    "nothing left of edges": ("{ books { edges { cursor @include(if: false) node { id @skip(if: true) } } } }", {}),
    "nothing left of an item": ("{ book(id: 1) { id @skip(if: true) } }", {}),
    "nothing left of a connection": ("{ books { totalCount @skip(if: true) } }", {}),
    "literal directives": (
        (
            "{ books @include(if: true) { nodes @skip(if: false) { id title @skip(if: true) ... @include(if: false) { kind }"
            " author @skip(if: true) { name } } totalCount @include(if: false) } x: book(id: 1) @skip(if: true) { id } }"
        ),
        {},
    ),
    "deep": (
        (
            "{ authors(first: 9) { nodes { books(first: 9) { nodes { chapters { nodes { quotesByBookIdAndChapter { nodes { chapterByBookIdAndChapter"
            " { book { author { books { totalCount nodes { bookTags { edges { cursor node { tagByTagCode { label } } } } } } } } } } } } } } } } } }"
        ),
        {},
    ),
}
DIRECTIVES = "query($d: Boolean!) { books { nodes { id title @skip(if: $d) } totalCount @include(if: $d) } }"
OTHER: dict[str, Asked] = {
    "a directive with a variable": (DIRECTIVES, {"d": True}),
    "the same with the other value": (DIRECTIVES, {"d": False}),
    "the same without one": (DIRECTIVES, {}),
    "a directive with a default": ("query($d: Boolean! = true) { books { totalCount @skip(if: $d) __typename } }", {}),
    "a directive in a fragment": (
        "query($d: Boolean!) { books { ...F } } fragment F on BookConnection { nodes { id ... @include(if: $d) { title } } }",
        {"d": True},
    ),
    "the catalog": ("{ resources { name } }", {}),
    "the catalog and more": ("{ books { totalCount } resources { name } }", {}),
    "introspection": ('{ __type(name: "Book") { name } books { totalCount } }', {}),
    "a required variable that is absent": ("query($i: Int!) { book(id: $i) { id } }", {}),
    "a required variable that is null": ("query($i: Int!) { book(id: $i) { id } }", {"i": None}),
    "a variable of another type": ("query($i: Int!) { book(id: $i) { id } books { totalCount } }", {"i": "1"}),
    "a variable out of range": ("query($i: Int!) { book(id: $i) { id } }", {"i": 1 << 31}),
    "an unknown member": ("query($f: BookFilter) { books(filter: $f) { totalCount } }", {"f": {"nothing": {"eq": 1}}}),
    "a null in a filter": (
        "query($f: BookFilter) { books(filter: $f) { totalCount } }",
        {"f": {"title": {"eq": None}}},
    ),
    "two members of a term": (
        "query($o: [BookOrderBy!]) { books(orderBy: $o) { totalCount } }",
        {"o": [{"id": "ASC", "title": "ASC"}]},
    ),
    "a size below zero": ("query($n: Int) { a: books(first: $n) { totalCount } b: books { totalCount } }", {"n": -1}),
    "a size too large": ("{ books(first: 1000000) { totalCount } }", {}),
    "first and last": ("{ books(first: 1, last: 1) { totalCount } }", {}),
    "a cursor of nothing": ('{ books(after: "x") { totalCount } a: authors { totalCount } }', {}),
    "a size below zero below": ("{ authors { nodes { id books(first: -1) { totalCount } } } }", {}),
    "a path of no item": ('{ a: node(path: "/books") { path } b: node(path: "/books/1") { path } }', {}),
    "a path of nothing": ('{ node(path: "/nowhere/1") { path } }', {}),
    "a path of another grammar": ('{ node(path: "books") { path } }', {}),
    "a path with a query": ('{ node(path: "/books/1?limit=1") { path } }', {}),
    "variables that are a list": ("{ books { totalCount } }", [1]),
    "variables that are a text": ("{ books { totalCount } }", "{}"),
    "an unknown field": ("{ books { nothing } }", {}),
    "a conflict": ("{ books(first: 1) { totalCount } books(first: 2) { totalCount } }", {}),
}


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


WRONG_VARIABLES = ["[1]", '"{}"', "1", "true", '{"a": 1e400}', '{"a": NaN}', '{"a": ' + "9" * 4_301 + "}", '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}"]  # fmt: skip
RIGHT_VARIABLES = ["null", "{}", '{"a": 1}', '{"a": "\\ud83d\\ude00"}', '{"a": 1, "a": 2}']


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

    def gone(_database: Database) -> Any:
        nonlocal asked
        asked += 1
        raise Unavailable("The database cannot be reached. Try again.")

    monkeypatch.setattr(Database, "read", gone)
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


def test_every_type_is_completed_alike_with_and_without_nulls(backend: Backend, start: Serve):
    backend.run(every_type.TABLE + ";\n" + ROWS + ";\nUPDATE every_type SET bytes = " + ("x'00ff'" if backend.kind == "sqlite" else "'\\x00ff'") + " WHERE id < 3")  # fmt: skip
    doors = Doors(start(backend), Settings(database_url=backend.url))
    names = list(every_type.VALUES)

    found = ask_for_all(doors, " ".join(["id", *names, "etag", "path"]), "everyTypes")
    for name in names:
        ask_for_all(doors, name, "everyTypes")
        doors.ask(body_of(f"{{ everyType(id: 2) {{ {name} }} }}", {}))

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

    assert "errors" not in found


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
    query = "{ writers { nodes { called name x: name } } authors { nodes { called path } edges { node { name } } } }"

    answer, was_fast = doors.ask(body_of(query, {}))

    assert was_fast
    assert "errors" not in json.loads(answer.body)


# --- random queries


PATHS = ["/books/1", "/authors/3", "/chapters/1,2", "/tags/code=", "/bookTags/1,a", "/books/99", "/authors/1/books/2"]
WRONG_PATHS = ["/books", "x", "/books/x"]


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """Draw a query over the library, mostly right, with its variables."""
    return Composer(draw).query()


class Composer:
    """Composes one query."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._fragments: list[str] = []
        self._types: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._aliases = 0
        self._is_wrong = self._dice(6)

    def query(self) -> Asked:
        text = self._several("Query", 4)
        declared = ", ".join(f"${name}: {type_}" for name, type_ in self._types.items())
        return f"query Q{f'({declared})' if declared else ''} {{ {text} }} {' '.join(self._fragments)}", self._values

    def _dice(self, sides: int) -> bool:
        return self._draw(st.integers(1, sides)) == (sides + 1) // 2  # Hypothesis likes the ends

    def _several(self, type_: str, depth: int) -> str:
        """Select something of a type: fields, and fragments of them."""
        pieces = []
        for _ in range(self._draw(st.integers(1, 4))):
            field = self._field(type_, depth)
            match self._draw(st.sampled_from([*["field"] * 8, "inline", "named"])):
                case "inline":
                    field = f"... {self._draw(st.sampled_from(['', f'on {type_}']))} {self._directive()} {{ {field} }}"
                case "named":
                    self._fragments.append(f"fragment F{len(self._fragments)} on {type_} {{ {field} }}")
                    field = f"...F{len(self._fragments) - 1} {self._directive()}"
            pieces.append(field)
        return " ".join(pieces)

    def _directive(self) -> str:
        return self._draw(st.sampled_from([*[""] * 9, "@include(if: true)", "@skip(if: true)", "@skip(if: false)"]))

    def _field(self, type_: str, depth: int) -> str:
        if self._is_wrong and self._dice(20):
            return "nothing"
        if self._dice(12):
            return f"{self._alias()}__typename"
        collection = next(
            (name for name, each in TYPES.items() if type_.removesuffix("Connection").removesuffix("Edge") == each), ""
        )
        if type_ == "Query":
            return self._root(depth)
        if type_ == "PageInfo":
            return self._draw(st.sampled_from(["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"]))
        if type_.endswith("Connection"):
            return self._member(collection, depth)
        if type_.endswith("Edge"):
            if self._dice(3):
                return "cursor"
            return f"{self._draw(st.sampled_from(['', 'e: ']))}node {{ {self._several(TYPES[collection], depth)} }}"
        return self._of_item(collection, depth)

    def _alias(self) -> str:
        self._aliases += 1
        return self._draw(st.sampled_from(["", f"a{self._aliases}: "]))

    def _root(self, depth: int) -> str:
        collection = self._draw(st.sampled_from(sorted(TYPES)))
        match self._draw(st.sampled_from(["collection", "collection", "item", "node"])):
            case "collection":
                return self._connection(collection, collection, depth)
            case "item":
                self._aliases += 1
                of = self._draw(st.sampled_from(["author", "book", "quote"]))
                key = self._variable(
                    "Int!", self._draw(st.sampled_from([1, 2, 3, 8, 99, *(["x"] if self._is_wrong else [])]))
                )
                return f"a{self._aliases}: {of}(id: {key}) {{ {self._several(of.title(), depth - 1)} }}"
            case _:
                self._aliases += 1
                path = self._variable(
                    "ID!", self._draw(st.sampled_from([*PATHS, *WRONG_PATHS] if self._is_wrong else PATHS))
                )
                some = self._draw(st.lists(st.sampled_from(["Book", "Author", "Chapter"]), max_size=2))
                below = "path " + " ".join(f"... on {each} {{ {self._several(each, depth - 1)} }}" for each in some)
                return f"a{self._aliases}: node(path: {path}) {{ {below} }}"

    def _variable(self, type_: str, value: Any) -> str:
        """Write a value as it stands, or as a variable, or as a variable's default."""
        if isinstance(value, str | int) and self._dice(2):
            return json.dumps(value)
        name = f"v{len(self._types)}"
        if isinstance(value, str | int) and self._dice(4):
            self._types[name] = f"{type_} = {json.dumps(value)}"
        else:
            self._types[name], self._values[name] = type_, value
        return f"${name}"

    def _connection(self, name: str, collection: str, depth: int) -> str:
        self._aliases += 1
        below = f"{{ {self._several(f'{TYPES[collection]}Connection', depth - 1)} }}"
        if self._dice(4):
            return f"{name} {below}"
        given_ = self._draw(arguments(collection, filter_depth=1)).variables() if not self._dice(3) else {}
        if self._is_wrong and self._dice(4):
            given_["first"] = self._draw(st.sampled_from([-1, "x", 10**6, 1.5, True]))
        if self._is_wrong and self._dice(4):
            given_["after"] = "x"
        types = variable_types(collection)
        written = ", ".join(f"{each}: {self._variable(types[each], value)}" for each, value in given_.items())
        return f"a{self._aliases}: {name}{f'({written})' if written else ''} {self._directive()} {below}"

    def _member(self, collection: str, depth: int) -> str:
        type_, alias = TYPES[collection], self._draw(st.sampled_from(["", "", "a: ", "b: "]))
        match self._draw(st.sampled_from(["nodes", "nodes", "edges", "pageInfo", "totalCount"])):
            case "nodes":
                return f"{alias and 'n' + alias}nodes {{ {self._several(type_, depth)} }}"
            case "edges":
                return f"{alias and 'e' + alias}edges {{ {self._several(f'{type_}Edge', depth)} }}"
            case "pageInfo":
                return f"pageInfo {{ {self._several('PageInfo', depth)} }}"
            case _:
                return f"{alias and 't' + alias}totalCount"

    def _of_item(self, collection: str, depth: int) -> str:
        if depth > 0 and self._dice(3):
            name = self._draw(st.sampled_from(sorted(RELATIONS[collection])))
            relation = RELATIONS[collection][name]
            if relation.many:
                return self._connection(name, relation.target, depth)
            return f"{self._alias()}{name} {{ {self._several(TYPES[relation.target], depth - 1)} }}"
        name = self._draw(st.sampled_from(["path", "etag", *KINDS_OF_VALUES[collection]]))
        return f"{self._alias()}{name} {self._directive()}"


@tried
@given(query=asked())
def test_any_query_gives_the_same_bytes(doors: Doors, query: Asked):
    answer, was_fast = doors.ask(body_of(*query))

    found = json.loads(answer.body)
    event(f"{'fast' if was_fast else 'ordinary'}, {'errors' if 'errors' in found else 'data'}")
