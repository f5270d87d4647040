"""The fast door equals the ordinary door: for documents and variables, valid and invalid, the same bytes.

Compiled batches (resolvers/compiled/compiler.py) are answered without Strawberry's executor. Here every request is answered both
ways, over the same tables: batches are dry runs, or write what is there already.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from partwise.server.app import make_app
from partwise.settings import Settings
from tests.conftest import Serve
from tests.support import sent
from tests.support.doors import HEADERS, Doors, body_of, tried
from tests.support.harness import BATCH, Backend, part


@pytest.fixture
def doors(backend: Backend, start: Serve) -> Iterator[Doors]:
    """The two doors of a small library."""
    backend.run(sent.SCRIPT)
    if backend.kind == "postgresql":
        backend.run(sent.ON_POSTGRESQL)
    own = Settings(database_url=backend.url, max_parts=20)
    before = backend.dump()
    yield Doors(start(backend, max_parts=20), own)
    assert backend.dump() == before


def batch_of(selection: str) -> str:
    return f"mutation($parts: [PartInput!]!) {{ batch(parts: $parts, dryRun: true) {{ {selection} }} }}"


GET = part("get", "GET", "/books/1")
PAGE = part("page", "GET", "/books?limit=1")
NEW = part("new", "CREATE", "/books/7", {"title": "Neu", "price": "1.50", "weight": 1.5, "notes": {"a": [1.10]}})
GOOD = [
    GET,
    PAGE,
    NEW,
    part("304", "GET", "/shelves/1", ifNoneMatch=["x"]),
    part("gone", "DELETE", "/books/2"),
    part("set", "UPDATE", "/shelves/2", {"city": None}, ifMatch=None),
    part("below", "CREATE", "/shelves/$set/books/8", None, item={"book": {"title": "Acht", "price": 2.5, "weight": 3}}),
    part("other", "UPDATE", "/books/1", {}, references=[{"attribute": "shelf", "part": "set"}]),
]
BAD = [
    GET,
    part("path", "GET", "/nowhere"),
    part("value", "UPDATE", "/books/1", {"title": 5, "flag": "x"}),
    part("stale", "UPDATE", "/books/1", {"title": "X"}, ifMatch=["x"]),
    part("twice", "GET", "/books/1"),
    part("twice", "GET", "/books/1"),
    part("same", "CREATE", "/books/9", {"title": "Anfang"}),
]


# --- tables

PLAIN_SELECTIONS = {
    "lean": "committed parts { id status }",
    "everything": BATCH.partition("{")[2].partition("{")[2].rpartition("}")[0].rpartition("}")[0],
    "typenames": "__typename status parts { __typename errors { __typename code } item { __typename } }",
    "aliases": "a: status b: status c: parts { d: id e: id f: payload } g: parts { status }",
    "fragments": "...F parts { ...P ... { path } ... on PartResult { id } item { ... on Node { path } } }"
    " } } fragment F on BatchResult { committed parts { index } } fragment P on PartResult { id ...Q"
    " } fragment Q on PartResult { errors { pointer",
    "attributes": "parts { item { ... on Book { id t: title price weight big flag day seen token data notes etag }"
    " ... on Shelf { n: name } path } }",
    "literal directives": "parts { id @skip(if: true) status @include(if: true) ... @include(if: false) { path } }",
    "merged": "parts { id } parts { errors { code } status } parts { errors { message } }",
    "nothing left": "parts { id @skip(if: true) } status",
}
OTHER_SELECTIONS = {
    "a relation": "parts { item { ... on Book { shelf { name } } } }",
    "a relation to many": "parts { item { ... on Shelf { books { nodes { title } } } } }",
    "items": "parts { items { path } }",
    "query": "status query { books { totalCount } }",
    "invalid": "parts { nothing }",
}


@pytest.mark.parametrize("parts", [GOOD, BAD], ids=["good", "bad"])
def test_plain_selections_are_answered_the_fast_way_with_the_same_bytes(doors: Doors, parts: Any):
    for name, selection in PLAIN_SELECTIONS.items():
        answer, was_fast = doors.ask(body_of(batch_of(selection), {"parts": parts}))

        assert was_fast, name
        assert "errors" not in json.loads(answer.body), name


def test_other_selections_go_the_ordinary_way(doors: Doors):
    for name, selection in OTHER_SELECTIONS.items():
        _, was_fast = doors.ask(body_of(batch_of(selection), {"parts": GOOD}))

        assert not was_fast, name


def test_enums_and_arrays_are_completed_alike(postgresql: Backend, start: Serve):
    postgresql.run(sent.SCRIPT)
    postgresql.run(sent.ON_POSTGRESQL)
    doors = Doors(start(postgresql), Settings(database_url=postgresql.url))
    parts = [part("1", "GET", "/shelves/1"), part("2", "GET", "/shelves/2")]

    answer, was_fast = doors.ask(
        body_of(batch_of("parts { item { ... on Shelf { mood moods tags } } }"), {"parts": parts})
    )

    assert was_fast
    assert [part["item"] for part in json.loads(answer.body)["data"]["batch"]["parts"]] == [
        {"mood": None, "moods": None, "tags": None},
        {"mood": "sad", "moods": ["happy", None], "tags": ["a", None]},
    ]


READ = {"parts": [GET]}
PARTS = "$parts: [PartInput!]!"
TOLD = "{ batch(parts: $parts, dryRun: $d) { status } }"
PLAIN_DOCUMENTS: dict[str, tuple[str, Any]] = {
    "no dryRun": (f"mutation({PARTS}) {{ batch(parts: $parts) {{ status }} }}", READ),
    "a literal": (f"mutation({PARTS}) {{ batch(dryRun: false, parts: $parts) {{ status }} }}", READ),
    "a variable": (f"mutation({PARTS}, $d: Boolean!) {TOLD}", {**READ, "d": True}),
    "a default, used": (f"mutation({PARTS}, $d: Boolean! = true) {TOLD}", READ),
    "a default, not used": (f"mutation({PARTS}, $d: Boolean = true) {TOLD}", {**READ, "d": False}),
    "a nullable variable, absent": (f"mutation({PARTS}, $d: Boolean) {TOLD}", READ),
    "other names": ("mutation M($class: [PartInput!]!) { if: batch(parts: $class) { status } }", {"class": [GET]}),
    "commas and comments": (f"#\nmutation({PARTS},),{{,batch(parts:$parts),{{status,#\n}},}}", READ),
}
FRAGMENT = "fragment F on BatchResult { status ... @include(if: $d) { committed } }"
OTHER_DOCUMENTS: dict[str, tuple[str, Any]] = {
    "a nullable variable, null": (f"mutation({PARTS}, $d: Boolean = true) {TOLD}", {**READ, "d": None}),
    "a default that is null": (f"mutation({PARTS}, $d: Boolean = null) {TOLD}", READ),
    "a required variable, absent": (f"mutation({PARTS}, $d: Boolean!) {TOLD}", READ),
    "a number for dryRun": (f"mutation({PARTS}, $d: Boolean!) {TOLD}", {**READ, "d": 1}),
    "a default for parts": ("mutation($parts: [PartInput!]! = []) { batch(parts: $parts) { status } }", READ),
    "literal parts": ('mutation { batch(parts: [{id: "a", operation: GET, path: "/books/1"}]) { status } }', {}),
    "a variable inside a literal": (
        'mutation($path: ID!) { batch(parts: [{id: "a", operation: GET, path: $path}]) { status } }',
        {"path": "/books/1"},
    ),
    "a directive with a variable": (
        f"mutation({PARTS}, $d: Boolean!) {{ batch(parts: $parts) {{ status @skip(if: $d) committed }} }}",
        {**READ, "d": True},
    ),
    "a directive with the variable of dryRun": (
        f"mutation({PARTS}, $d: Boolean!) {{ batch(parts: $parts, dryRun: $d) {{ status @skip(if: $d) committed }} }}",
        {**READ, "d": True},
    ),
    "a directive in a fragment": (
        f"mutation({PARTS}, $d: Boolean!) {{ batch(parts: $parts) {{ ...F }} }} {FRAGMENT}",
        {**READ, "d": True},
    ),
    "a root field more": (f"mutation({PARTS}) {{ __typename batch(parts: $parts) {{ status }} }}", READ),
    "two batches": (
        f"mutation({PARTS}) {{ a: batch(parts: $parts) {{ status }} b: batch(parts: $parts) {{ status }} }}",
        READ,
    ),
    "one batch written twice": (
        f"mutation({PARTS}) {{ batch(parts: $parts) {{ status }} batch(parts: $parts) {{ parts {{ id }} }} }}",
        READ,
    ),
    "no batch": (f"mutation({PARTS}) {{ batch(parts: $parts) @skip(if: true) {{ status }} }}", READ),
    "an unknown variable": (f"mutation({PARTS}) {{ batch(parts: $other) {{ status }} }}", READ),
    "a variable too many": (f"mutation({PARTS}, $d: Int) {{ batch(parts: $parts) {{ status }} }}", READ),
    "a variable of another type": ("mutation($parts: [String!]!) { batch(parts: $parts) { status } }", READ),
    "a nullable list": ("mutation($parts: [PartInput!]) { batch(parts: $parts) { status } }", READ),
    "a query of the catalog": ("{ resources { name } }", {}),
    "a query with a directive on a variable": (
        "query($d: Boolean!) { books { totalCount @skip(if: $d) } }",
        {"d": False},
    ),
    "a query with something wrong": ('{ books(after: "x") { totalCount } }', {}),
    "a subscription": ("subscription { batch { status } }", {}),
    "no operation": ("fragment F on Query { resources { name } }", {}),
    "a syntax error": ("mutation {", {}),
    "nothing": ("", {}),
}


def test_plain_documents_are_answered_the_fast_way_with_the_same_bytes(doors: Doors):
    for name, (query, variables) in PLAIN_DOCUMENTS.items():
        answer, was_fast = doors.ask(body_of(query, variables))

        assert was_fast, name
        assert "errors" not in json.loads(answer.body), name


def test_other_documents_go_the_ordinary_way(doors: Doors):
    for name, (query, variables) in OTHER_DOCUMENTS.items():
        _, was_fast = doors.ask(body_of(query, variables))

        assert not was_fast, name


SEVERAL = (
    f"mutation A({PARTS}) {{ a: batch(parts: $parts) {{ ...F }} }} "
    f"mutation B({PARTS}, $d: Boolean!) {{ b: batch(parts: $parts, dryRun: $d) {{ status }} }} "
    f"query C {{ books {{ totalCount }} }} fragment F on BatchResult {{ committed }}"
)
NAMES = {"A": True, "B": True, "C": True, "a": False, "D": False, "": False, None: False}  # name -> whether it is fast


def test_of_several_operations_the_named_one_is_answered(doors: Doors):
    for name, is_fast in NAMES.items():
        _, was_fast = doors.ask(body_of(SEVERAL, {**READ, **({"d": True} if name == "B" else {})}, operationName=name))

        assert was_fast is is_fast, name


def test_an_only_operation_is_answered_by_its_own_name_and_by_none(doors: Doors):
    query = f"mutation M({PARTS}) {{ batch(parts: $parts) {{ status }} }}"

    assert [doors.ask(body_of(query, READ, operationName=name))[1] for name in ("", None, "M", "N")] == [True] * 3 + [
        False
    ]


LEAN = batch_of("committed parts { id status }")
WITH_OTHERS: dict[str, tuple[str | bytes, bool]] = {  # members of the body besides query and variables
    "extensions": ('"extensions": {"a": [1]}', True),
    "extensions null": ('"extensions": null', True),
    "extensions wrong": ('"extensions": [1]', False),
    "extensions with a number that nothing holds": ('"extensions": {"a": 1e400}', False),
    "an unknown member": ('"other": 1', False),
    "an unknown member that is not valid JSON": ('"other": 01', False),
    "operationName a number": ('"operationName": 1', False),
    "a second query": ('"query": "{ resources { name } }"', False),
    "second variables": ('"variables": {}', False),
    "a byte that is no UTF-8": (b'"operationName": "\xff"', False),
    "a byte that is no UTF-8, unread": (b'"other": "\xff"', False),
}


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
def test_a_body_with_more_members_is_read_alike(doors: Doors, accept: str):
    for name, (member, is_fast) in WITH_OTHERS.items():
        own = member if isinstance(member, bytes) else member.encode()

        _, was_fast = doors.ask(body_of(LEAN, READ).encode()[:-1] + b", " + own + b"}", Accept=accept)

        assert was_fast is is_fast, name


REFUSED = {
    "no part": [],
    "too many parts": [part(str(number), "GET", "/books/1") for number in range(21)],
    "an empty id": [part("", "GET", "/books/1")],
    "a long id": [GET, part("x" * 256, "GET", "/books/1")],
}


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
def test_request_errors_are_the_same(doors: Doors, accept: str):
    query = f"mutation(\n{PARTS}) {{\n  way: batch(parts: $parts) {{ status }} }}"
    for name, parts in REFUSED.items():
        answer, was_fast = doors.ask(body_of(query, {"parts": parts}), Accept=accept)

        assert was_fast, name
        assert json.loads(answer.body)["errors"][0]["locations"] == [{"line": 3, "column": 3}]


def test_what_cannot_be_completed_is_run_once_and_answered_the_ordinary_way(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE item (id INTEGER PRIMARY KEY, price NUMERIC(10,2));\nINSERT INTO item VALUES (1, 'cheap')")
    api = start(sqlite)
    query = f"mutation({PARTS}) {{ batch(parts: $parts) {{ status parts {{ id payload path item {{ ... on Item {{ price }} }} }} }} }}"
    variables = {"parts": [part("new", "CREATE", "/items", {"price": "1.50"}), part("odd", "GET", "/items/1")]}

    answers = [api.post(query, variables) for _ in range(3)]

    assert [answer["errors"][0]["path"] for answer in answers] == [["batch", "parts", 1, "payload"]] * 3
    assert answers[1]["errors"] == answers[0]["errors"]
    assert [answer["data"]["batch"]["parts"][0]["path"] for answer in answers] == ["/items/2", "/items/3", "/items/4"]
    assert sqlite.rows("SELECT count(*) FROM item") == [(4,)]


def test_what_goes_wrong_inside_is_told_by_its_number_alone(
    sqlite: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    sqlite.run(sent.SCRIPT)
    api = start(sqlite)
    body = body_of(LEAN, READ)
    whole = [api.http.post("/graphql", content=body, headers=HEADERS).content for _ in range(2)]  # from now on fast
    monkeypatch.setattr("resolvers.execution.batch_mutation.bind_blocks", fail)

    answers = [
        TestClient(make_app(api.service, Settings(), compiled=compiled), base_url="http://127.0.0.1").post(
            "/graphql", content=body, headers=HEADERS
        )
        for compiled in (False, True)
    ]

    assert whole[0] == whole[1]
    assert all("INTERNAL" in answer.text and "secret" not in answer.text for answer in answers)
    assert len({re.sub("[0-9a-f]{32}", "", answer.text) for answer in answers}) == 1


def test_a_lone_surrogate_in_an_answer_is_the_same(doors: Doors):
    doors.ask(body_of(batch_of("parts { id path errors { message } }"), {"parts": [part("\ud800", "GET", "/\ud800")]}))


# --- random documents and variables


PLAIN_FIELDS = {
    "BatchResult": ["status", "committed", "__typename", "parts"],
    "PartResult": [
        *("id", "index", "path", "operation", "status", "preconditionSucceeded", "etag", "payload", "__typename"),
        *("errors", "item"),
    ],
    "PartError": ["code", "message", "pointer", "attributes", "__typename"],
    "Node": ["path", "etag", "__typename"],
    "Shelf": ["id", "name", "city", "path", "etag", "__typename"],
    "Book": [*("id", "shelfId", "title", "price", "weight", "big", "flag", "day", "notes", "etag", "__typename")],
}
BELOW = {"parts": "PartResult", "errors": "PartError", "item": "Node"}
DIRECTIVES = ["", "", "", "", "@skip(if: false)", "@include(if: false)", "@skip(if: true) @include(if: true)"]


@st.composite
def selections(draw: st.DrawFn, type_: str, fragments: list[str], depth: int = 0) -> str:
    """Draw what is selected of a type; named fragments are added to a list."""
    pieces = [draw(fields(type_, fragments, depth)) for _ in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(0, 2 if depth < 4 else 0))):
        on = draw(st.sampled_from(["Book", "Shelf", "Node"] if type_ == "Node" else [type_]))
        inner = draw(selections(on, fragments, depth + 1))
        directive = draw(st.sampled_from(DIRECTIVES))
        if draw(st.booleans()):
            pieces.append(f"... on {on} {directive} {{ {inner} }}")
        else:
            fragments.append(f"fragment F{len(fragments)} on {on} {{ {inner} }}")
            pieces.append(f"...F{len(fragments) - 1} {directive}")
    return " ".join(draw(st.permutations(pieces)))


@st.composite
def fields(draw: st.DrawFn, type_: str, fragments: list[str], depth: int) -> str:
    name = draw(st.sampled_from(PLAIN_FIELDS[type_]))
    alias = draw(st.sampled_from(["", "", f"a_{name}: ", f"b_{name}: "]))
    below = f" {{ {draw(selections(BELOW[name], fragments, depth + 1))} }}" if name in BELOW else ""
    return f"{alias}{name} {draw(st.sampled_from(DIRECTIVES))}{below}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    fragments: list[str] = []
    selection = draw(selections("BatchResult", fragments))
    alias = draw(st.sampled_from(["", "b: "]))
    return (
        f"mutation M({PARTS}) {{ {alias}batch(parts: $parts, dryRun: true) {{ {selection} }} }} {' '.join(fragments)}"
    )


@pytest.mark.costly
@tried
@given(query=documents(), parts=st.lists(st.sampled_from([*GOOD, *BAD]), min_size=1, max_size=6, unique_by=id))
def test_any_plain_document_gives_the_same_bytes(doors: Doors, query: str, parts: list[Any]):
    answer, was_fast = doors.ask(body_of(query, {"parts": parts}))

    assert was_fast, query
    event(json.loads(answer.body)["data"].popitem()[1].get("status", "?"))


FULL = f"mutation({PARTS}) {{ batch(parts: $parts, dryRun: true) {BATCH.partition('dryRun: $dryRun)')[2].rpartition('}')[0]} }}"


def with_variables(variables: Any) -> bytes:
    return f'{{"query": {json.dumps(FULL)}, "variables": {sent.write(variables)}}}'.encode()


@tried
@given(variables=sent.variables())
def test_variables_that_graphql_takes_give_the_same_bytes(doors: Doors, variables: Any):
    answer, was_fast = doors.ask(with_variables(variables))

    event(f"{'fast' if was_fast else 'ordinary'} {answer.status}")


@tried
@given(data=st.data())
def test_variables_with_anything_wrong_give_the_same_bytes(doors: Doors, data: st.DataObject):
    answer, was_fast = doors.ask(with_variables(data.draw(sent.spoilt(data.draw(sent.variables())))))

    event(f"{'fast' if was_fast else 'ordinary'} {answer.status}")
