"""What a query may cost (resolvers/documents/document_limits.py, resolvers/execution/cost.py): costs counted by hand, each limit from both sides, and documents made to hurt."""

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_introspection_query,
    parse,
    visit,
)
from graphql.language import Lexer, Source, TokenKind, Visitor
from hypothesis import example, given
from hypothesis import strategies as st

import resolvers.compiled.compiler
import resolvers.schema_builder
from resolvers.documents.document_limits import count_tokens, shape_of
from resolvers.documents.limits import MOST, Limits
from resolvers.execution.cost import Cost, cost_of
from tests.conftest import Serve
from tests.support.examples import tried_with
from tests.support.harness import BATCH, Api, Backend, Json, part
from tests.support.music import SCRIPT

tried = tried_with(100)


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """The music shop, with the limits that it has by itself."""
    sqlite.run(SCRIPT)
    return start(sqlite)


def counted(api: Api, query: str | DocumentNode, variables: Mapping[str, Any] | None = None) -> Cost:
    document = parse(query) if isinstance(query, str) else query
    schema: Any = api.service.schema
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return cost_of(schema._schema, document, operation, variables or {}, Limits())


PARTS = 'parts: [{id: "a", path: "/artists/1", operation: GET}, {id: "b", path: "/artists/2", operation: GET}]'

# A connection is one object, each of its items another; a page has 100 items where nobody says, and 1,000 at most.
COSTS = {
    "{ __typename }": 0,
    "{ artist(artistId: 1) { name } }": 1,
    "{ a: artist(artistId: 1) { name } b: artist(artistId: 1) { name } }": 2,
    '{ node(path: "/artists/1") { path ... on Artist { albums(first: 2) { nodes { title } } } } }': 1 + (1 + 2),
    "{ resources { name attributes { name } } }": 10 * (1 + 10),
    "{ artists { totalCount } }": 1 + 10,
    "{ artists { nodes { name } } }": 1 + 100,
    "{ artists(first: null) { nodes { name } } }": 1 + 100,
    "{ artists(first: 7) { nodes { name } } }": 1 + 7,
    "{ artists(first: 7, offset: 900) { nodes { name } pageInfo { hasNextPage } } }": 1 + 7 + 1,
    "{ artists(first: 7) { nodes { name } again: nodes { name } totalCount } }": 1 + 7 + 7 + 10,
    "{ artists { aggregate { count max { name } } } }": 1 + 10 + (1 + 1),
    "{ artists(first: 2) { groupBy(by: [name], first: 7) { keys { name } aggregate { count } } } }": 1
    + 10
    + 7 * (1 + 1 + 1),
    "{ artists(first: 2) { groupBy(by: [name]) { aggregate { count sum { artistId } } } } }": 1
    + 10
    + 100 * (1 + 1 + 1),
    "{ artists(first: 3) { nodes { albums { aggregate { count } groupBy(by: [title], first: 5) { keys { title } } } } } }": 1
    + 3 * (1 + 1 + (10 + 1) + 10 + 5 * (1 + 1)),
    "{ artists(last: 4) { nodes { name } } }": 1 + 4,
    "{ artists(first: null, last: 4) { nodes { name } } }": 1 + 4,
    "{ artists(first: 3) { edges { cursor node { name albums(first: 2) { totalCount } } } } }": 1
    + 3 * (1 + 1 + 1 + 10),
    "{ artists(first: 0) { nodes { albums { totalCount } } } }": 1,
    "{ artists(first: -5) { nodes { name } } }": 1,
    "{ artists(first: 5000) { nodes { name } } }": 1 + 1_000,
    "{ albums(first: 3) { nodes { title artist { name } } } }": 1 + 3 * (1 + 1),
    "{ artists(first: 3) { nodes { albums(first: 4) { nodes { title } totalCount } } } }": 1 + 3 * (1 + 1 + 4 + 10),
    "{ artists(first: 3) { ...C } } fragment C on ArtistConnection { nodes { ...A } } fragment A on Artist { albums(first: 2) { nodes { title } } }": 1
    + 3 * (1 + 1 + 2),
    "{ a: artists(first: 3) { ...C } b: artists(first: 5) { ...C } } fragment C on ArtistConnection { nodes { name } }": 1
    + 3
    + 1
    + 5,
    "{ artists(first: 200) { nodes { name albums(first: 100) { nodes { title tracks(first: 100) { nodes { name } } } } } } }": 1
    + 200 * (1 + 1 + 100 * (1 + 1 + 100)),
    "{ artists(first: 100) { nodes { albums(first: 20) { nodes { tracks(first: 20) { nodes { playlistTracks(first: 20) { nodes { playlist { name } } } } } } } } } }": 1
    + 100 * (1 + 1 + 20 * (1 + 1 + 20 * (1 + 1 + 20 * (1 + 1)))),
    "{ artists(first: 100) { totalCount nodes { albums { totalCount nodes { artist { name } tracks { nodes { mediaType { name } } } } } } } }": 1
    + 10
    + 100 * (1 + 1 + 10 + 100 * (1 + 1 + 1 + 100 * (1 + 1))),
    f"mutation {{ batch({PARTS}) {{ status parts {{ id item {{ path }} items {{ path }} errors {{ code }} }} }} }}": 0,
    f"mutation {{ batch({PARTS}) {{ query {{ artists(first: 3) {{ nodes {{ name }} }} }} }} }}": 1 + 3,
    get_introspection_query(): 0,
}


@pytest.mark.parametrize("query", COSTS)
def test_a_query_costs_the_objects_that_its_answer_has_at_most(api: Api, query: str):
    cost = counted(api, query)

    assert (cost.objects, cost.varies) == (COSTS[query], False)
    answer = api.http.post("/graphql", json={"query": query}).json()
    assert "QUERY_TOO_COMPLEX" not in str(answer)


PAGE = "query ($n: Int) { artists(first: $n) { nodes { name } } }"
PAGE_OF_FIVE = PAGE.replace("$n: Int", "$n: Int = 5")
RELATED = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { parts { item { ... on Artist { albums(first: 3) { nodes { title } } } } } } }"


@pytest.mark.parametrize(
    ("query", "variables", "objects"),
    [
        (PAGE, {"n": 7}, 8),
        (PAGE, {"n": 7.0}, 8),
        (PAGE, {"n": 1e300}, 1_001),
        (PAGE, {"n": -(10**30)}, 1),
        (PAGE, {"n": None}, 101),
        (PAGE, {}, 101),
        (PAGE, {"n": "7"}, 101),  # it is refused before it runs
        (PAGE_OF_FIVE, {}, 6),
        (PAGE_OF_FIVE, {"n": 2}, 3),
        (PAGE_OF_FIVE, {"n": None}, 101),
    ],
)
def test_the_variables_of_a_request_say_how_long_its_lists_are(
    api: Api, query: str, variables: dict[str, Any], objects: int
):
    assert counted(api, query, variables) == Cost(objects=objects, varies=True)


def test_the_document_of_a_batch_does_not_vary_with_its_parts(api: Api):
    cost = counted(api, RELATED, {"parts": [{}] * 1_000})

    assert (cost.objects, cost.varies) == (0, False)


# --- limits, through the door

TEN_TOKENS = "{ artists { nodes { name } } }"
LIMITS: dict[str, tuple[int, str, str, str]] = {
    "max_document": (100, "{ artists { totalCount } } #" + "x" * 72, "{ artists { totalCount } } #" + "x" * 73, "101"),
    "max_tokens": (10, "{ artists { nodes { name } } } #", "{ artists { nodes { name etag } } } #", "11"),
    "max_definitions": (
        2,
        "{ artists { ...A } } fragment A on ArtistConnection { totalCount }",
        "{ artists { ...A } } fragment A on ArtistConnection { ...B } fragment B on ArtistConnection { totalCount }",
        "3",
    ),
    "max_depth": (
        3,
        "{ ... on Query { artists { ...A } } } fragment A on ArtistConnection { nodes { name } }",
        "{ artists { ...A } } fragment A on ArtistConnection { nodes { albums { totalCount } } }",
        "4",
    ),
    "max_selections": (
        7,
        "{ a: artists { ...A } b: artists { ...A } c: __typename } fragment A on ArtistConnection { totalCount }",
        "{ a: artists { ...A } b: artists { ...A } } fragment A on ArtistConnection { totalCount __typename }",
        "8",
    ),
    "max_aliases": (
        2,
        "{ artists { ...A ...A } } fragment A on ArtistConnection { n: totalCount }",
        "{ artists { ...A ...A ...A } } fragment A on ArtistConnection { n: totalCount }",
        "3",
    ),
    "max_directives": (
        2,
        "{ artists @include(if: true) { ...A @skip(if: false) } } fragment A on ArtistConnection { totalCount }",
        "{ artists @include(if: true) { ...A @skip(if: false) } } fragment A on ArtistConnection { totalCount @skip(if: true) }",
        "3",
    ),
    "max_root_fields": (
        2,
        "{ __typename ...R } fragment R on Query { artists { totalCount __typename } }",
        "{ __typename ...R } fragment R on Query { artists { totalCount } ... { albums { totalCount } } }",
        "3",
    ),
    "max_introspections": (
        1,
        "{ __schema { queryType { name } } }",
        '{ __schema { queryType { name } } __type(name: "Query") { name } }',
        "2",
    ),
    "max_cost": (
        10,
        "{ artists(first: 9) { nodes { name } } }",
        "{ artists(first: 9) { nodes { name } pageInfo { hasNextPage } } }",
        "11",
    ),
}


@pytest.mark.parametrize("setting", LIMITS)
def test_a_query_at_a_limit_is_answered_and_one_over_it_is_refused_with_both_numbers(
    sqlite: Backend, start: Serve, setting: str
):
    sqlite.run(SCRIPT)
    limit, within, over, found = LIMITS[setting]
    api = start(sqlite, **{setting: limit})

    assert "errors" not in api.post(within)
    for _ in range(2):
        (error,) = api.post(over)["errors"]
        assert error["extensions"] == {"code": "QUERY_TOO_COMPLEX"}
        assert f"has {found} " in error["message"]
        assert f"the limit is {limit} ({setting})" in error["message"]


def test_every_limit_of_a_document_is_a_setting_and_tried():
    of_others = {"parts", "page", "nesting", "path"}

    assert {f"max_{name}" for name in Limits.__dataclass_fields__ if name not in of_others} == set(LIMITS)


def test_all_limits_that_are_passed_are_named(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    api = start(sqlite, max_depth=2, max_aliases=0)

    (error,) = api.post("{ a: artists { nodes { name } } }")["errors"]

    assert error["message"] == (
        "This query has 3 levels of fields, and the limit is 2 (max_depth); 1 aliases, and the limit is 0 (max_aliases)."
    )


def test_a_refusal_has_the_status_of_a_request_that_did_not_run(api: Api):
    query = "{ artists { nodes { albums { nodes { tracks { nodes { playlistTracks { nodes { trackId } } } } } } } } }"

    def ask(accept: str) -> tuple[int, list[str]]:
        answer = api.http.post("/graphql", json={"query": query}, headers={"Accept": accept})
        return answer.status_code, sorted(answer.json())

    assert ask("application/graphql-response+json") == (400, ["errors"])
    assert ask("application/json") == (200, ["errors"])
    answer = api.http.get("/graphql", params={"query": query}, headers={"Accept": "application/graphql-response+json"})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "QUERY_TOO_COMPLEX")


def test_a_refused_mutation_writes_nothing(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    api = start(sqlite, max_cost=10)
    before = sqlite.dump()

    (error,) = api.post(RELATED, {"parts": [part(str(n), "DELETE", "/artists/3") for n in range(3)]})["errors"]

    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert sqlite.dump() == before


# --- known documents


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[Cost]:
    """What is counted."""
    found: list[Cost] = []

    def noted(*arguments: Any) -> Cost:
        found.append(cost_of(*arguments))
        return found[-1]

    for module in (resolvers.schema_builder, resolvers.compiled.compiler):
        monkeypatch.setattr(module, "cost_of", noted)
    return found


def test_the_cost_of_a_known_document_is_not_counted_again_where_it_does_not_vary(api: Api, counts: list[Cost]):
    plain = "{ artists(first: 2) { nodes { name } } }"
    two = "query A { artists { totalCount } } query B { albums(first: 1) { nodes { title } } }"

    def ask() -> list[Json]:
        named = [api.http.post("/graphql", json={"query": two, "operationName": name}).json() for name in "AB"]
        return [api.post(plain), *named]

    first, second = ask(), ask()  # once by each door
    before = len(counts)

    assert ask() == ask() == first == second
    assert "errors" not in str(first)
    assert {each.objects for each in counts} == {3, 11, 2}
    assert len(counts) == before


def test_the_cost_of_a_known_document_is_counted_for_each_request_where_it_varies(
    sqlite: Backend, start: Serve, counts: list[Cost]
):
    sqlite.run(SCRIPT)
    api = start(sqlite, max_cost=10)

    answers = [api.post(PAGE, {"n": size}) for size in (9, 10, 9, 10, 9)]

    assert ["errors" in answer for answer in answers] == [False, True, False, True, False]
    assert len(counts) >= len(answers)


def test_the_documents_of_plain_batches_are_counted_once(sqlite: Backend, start: Serve, counts: list[Cost]):
    sqlite.run(SCRIPT)
    api = start(sqlite)
    parts = [part(str(n), "GET", "/artists/1") for n in range(50)]

    for _ in range(2):
        assert "errors" not in api.post(BATCH, {"parts": parts})
    before = len(counts)
    assert "errors" not in api.post(BATCH, {"parts": parts})

    assert len(counts) == before


# --- documents made to hurt


def bomb(levels: int, width: int = 2) -> str:
    spreads = "".join(f" fragment F{n} on Artist {{ {f'...F{n + 1} ' * width}}}" for n in range(levels))
    return f"{{ artists {{ nodes {{ ...F0 }} }} }}{spreads} fragment F{levels} on Artist {{ name }}"


def chain(levels: int, inner: str) -> str:
    links = "".join(f" fragment F{n} on Artist {{ {inner.format(f'...F{n + 1}')} }}" for n in range(levels))
    return f"{{ artist(artistId: 1) {{ ...F0 }} }}{links} fragment F{levels} on Artist {{ name }}"


def many(count: int, text: str) -> str:
    return " ".join(text.format(n) for n in range(count))


DEEPER = "albums {{ nodes {{ artist {{ {} }} }} }}"
TOO_COMPLEX, BAD = "QUERY_TOO_COMPLEX", "BAD_REQUEST"
HOSTILE: dict[str, tuple[str, str | None]] = {
    "fragments in fragments, 866 bytes": (bomb(21), TOO_COMPLEX),
    "fragments in fragments, 60 levels of 50": (bomb(60, 10), TOO_COMPLEX),
    "10,000 aliases": ("{ " + many(10_000, "a{}: __typename") + " }", TOO_COMPLEX),
    "201 aliases": ("{ artists { nodes { " + many(201, "a{}: name") + " } } }", TOO_COMPLEX),
    "101 root fields": ("{ " + "artists { totalCount } " * 101 + "}", TOO_COMPLEX),
    "one field 2,900 times": ("{ artists { nodes { " + "name " * 2_900 + "} } }", TOO_COMPLEX),
    "one connection 99 times": (
        "{ " + "artists { nodes { name path albums { totalCount } } } " * 99 + "}",
        TOO_COMPLEX,
    ),
    "90 fragments side by side": (
        "{ " + many(90, "...F{}") + " }" + many(90, "fragment F{0} on Query {{ __typename }}"),
        None,
    ),
    "deep": (
        "{ artist(artistId: 1) { " + "albums { nodes { artist { " * 50 + "name" + " } } }" * 50 + " } }",
        TOO_COMPLEX,
    ),
    "deeper than the parser goes": ("{ a " * 300 + "}" * 300, BAD),
    "deep by fragments": (chain(100, DEEPER), TOO_COMPLEX),
    "a chain of 290 fragments": (chain(290, "{}"), TOO_COMPLEX),
    "a chain of 50 fragments": (chain(50, "{}"), None),
    "deep by inline fragments": ("{ " + "... { " * 150 + "__typename" + " }" * 150 + " }", None),
    "circular fragments": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", BAD),
    "a fragment in itself": ("{ ...A } fragment A on Query { ...A ...A }", BAD),
    "circular fragments below fields": (chain(1, DEEPER).replace("{ name }", "{ ...F0 }"), BAD),
    "a ring of 250 fragments": ("{ ...F0 }" + many(250, "fragment F{0} on Query {{ ...F{0}1 }}"), BAD),
    "40 fragments, each in each": (
        "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ {many(40, '...F{}')} }}" for n in range(40)),
        TOO_COMPLEX,
    ),
    "an unknown fragment": ("{ ...Unknown }", BAD),
    "2,000 unknown fragments": ("{ " + many(2_000, "...F{}") + " }", BAD),
    "an unknown fragment in a fragment": ("{ ...A } fragment A on Query { ...B }", BAD),
    "1,400 fragments that nobody uses": (
        "{ __typename } " + many(1_100, "fragment F{} on Query {{ __typename }}"),
        TOO_COMPLEX,
    ),
    "two fragments of one name": (
        "{ ...A } fragment A on Query { __typename } fragment A on Query { a: __typename }",
        BAD,
    ),
    "5,000 directives": ("{ artists " + "@include(if: true) " * 5_000 + "{ totalCount } }", TOO_COMPLEX),
    "1,000 unknown directives": ("{ artists " + "@unknown " * 1_000 + "{ totalCount } }", TOO_COMPLEX),
    "a comment of 1 MB": ("{ __typename } #" + "x" * 1_000_000, TOO_COMPLEX),
    "9,000 comments": ("#\n" * 9_000 + "{ __typename }", TOO_COMPLEX),
    "1 MB of empty lines": ("\n" * 1_000_000 + "{ __typename }", TOO_COMPLEX),
    "unknown fields behind 190,000 empty lines": ("\n" * 190_000 + "{ " + many(99, "u{}") + " }", BAD),
    "a literal of 1 MB": ('{ node(path: "' + "x" * 1_000_000 + '") { path } }', TOO_COMPLEX),
    "a literal of 190 kB": ('{ unknown(path: "' + "\\n" * 95_000 + '") { path } }', BAD),
    "a block that does not end": ('"""' + '\\"""' * 45_000, BAD),
    "90,000 strings that do not end": ('"\n' * 90_000, TOO_COMPLEX),
    "a name of 190 kB": ("{ " + "x" * 190_000 + " }", BAD),
    "a list literal, 1,000 levels": ("{ artists(first: " + "[" * 1_000 + "]" * 1_000 + ") { totalCount } }", BAD),
    "an object literal, 1,000 levels": (
        "{ artists(first: " + "{a:" * 1_000 + "1" + "}" * 1_000 + ") { totalCount } }",
        BAD,
    ),
    "100,000 brackets": ("{ artists(first: " + "[" * 100_000, TOO_COMPLEX),
    "a list literal of 7,000": ("{ artists(first: [" + "1 " * 7_000 + "]) { totalCount } }", BAD),
    "2,500 arguments": ("{ artists(" + many(2_500, "a{}: 1") + ") { totalCount } }", BAD),
    "1,900 variables": ("query (" + many(1_900, "$v{}: Int") + ") { __typename }", BAD),
    "5,000 operations": (many(5_000, "query Q{} {{ __typename }}"), TOO_COMPLEX),
    "301 operations": (many(301, "query Q{} {{ __typename }}"), TOO_COMPLEX),
    "250 operations": (many(250, "query Q{} {{ __typename }}"), None),
    "250 operations with a chain of 40 fragments": (
        many(250, "query Q{} {{ artist(artistId: 1) {{ ...F0 }} }}") + chain(40, "{}").partition(" } }")[2],
        TOO_COMPLEX,
    ),
    "250 anonymous operations": ("{ __typename } " * 250, BAD),
    "introspection too often": ("{ " + many(11, "a{}: __schema {{ types {{ name }} }}") + " }", TOO_COMPLEX),
    "introspection too deep": (
        "{ __schema { types { " + "fields { type { " * 5 + "name" + " } } " * 5 + "} } }",
        BAD,
    ),
    "four default pages": (
        "{ artists { nodes { albums { nodes { tracks { nodes { playlistTracks { nodes { trackId } } } } } } } } }",
        TOO_COMPLEX,
    ),
    "nothing": ("#", BAD),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_document_that_is_made_to_hurt_is_refused_or_answered(api: Api, name: str):
    query, code = HOSTILE[name]
    body = {"query": query, "operationName": "Q7" if "query Q7 " in query else None}

    answer = api.http.post("/graphql", json=body, headers={"Accept": "application/graphql-response+json"})

    assert [error["extensions"]["code"] for error in answer.json().get("errors", [])][:1] == ([code] if code else [])
    assert answer.status_code == (400 if code else 200)


def test_the_errors_of_a_document_have_places_unless_it_is_very_long(api: Api):
    short, long = (api.post("\n" * lines + "{ unknown }")["errors"][0] for lines in (900, 1_100))

    assert short["locations"] == [{"line": 901, "column": 3}]
    assert "locations" not in long
    assert short["message"] == long["message"]


# --- tokens are counted as graphql-core counts them

TEXTS = st.lists(
    st.sampled_from(
        [
            *("{", "}", "(", ")", "[", "]", ":", "!", "=", "|", "&", "@", "$", "...", "a", "_b1", "query", "on"),
            *("0", "-1", "12.5", "1e9", "-0.5E-3", '""', '"a"', '"\\""', '"\\\\"', '"\\u0041"', '"é # {"'),
            *(
                '"""a"""',
                '""""""',
                '"""a\nb"""',
                '"""\\""" "" """',
                '"""\\\\"""',
                "# a { \n",
                "#\r",
                "#\r\n",
                "\n",
                "\r\n",
            ),
            *(" ", ",", "\t", "\ufeff", "\n\n"),
        ]
    )
)


def lexed(text: str) -> int | None:
    """Count the tokens of a text, comments too; None where it has none."""
    lexer = Lexer(Source(text))
    try:
        while lexer.advance().kind is not TokenKind.EOF:
            pass
    except GraphQLError:
        return None
    count, token = 0, lexer.token
    while token.prev is not None and token.prev.kind is not TokenKind.SOF:
        count, token = count + 1, token.prev
    return count


@tried
@given(pieces=TEXTS, separator=st.sampled_from(["", " ", "\n"]))
@example(pieces=['"""', "a", '"""', '"'], separator="")
def test_tokens_are_counted_as_the_parser_counts_them(pieces: list[str], separator: str):
    text = separator.join(pieces)

    expected = lexed(text)

    if expected is not None:
        assert count_tokens(text) == expected


# --- fragments count what they say, wherever they are spread

PAGES = st.sampled_from(
    ["", "(first: 0)", "(first: 3)", "(first: 2000)", "(first: $n)", "(first: $m)", "(first: null)"]
)
LEAVES = {
    "Query": "__typename",
    "Node": "etag",
    "ArtistConnection": "totalCount",
    "AlbumConnection": "totalCount",
    "Artist": "name",
    "Album": "title",
}
OBJECTS = {
    "Query": [("artists", "ArtistConnection"), ("albums", "AlbumConnection"), ('node(path: "/artists/1")', "Node")],
    "Node": [],
    "ArtistConnection": [("nodes", "Artist")],
    "AlbumConnection": [("nodes", "Album")],
    "Artist": [("albums", "AlbumConnection")],
    "Album": [("artist", "Artist")],
}
VARIABLES = {"n": 4}


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw a query whose fragments spread only later ones."""
    types = draw(st.lists(st.sampled_from([*LEAVES]), max_size=6))

    def selections(type_: str, depth: int, after: int) -> str:
        return " ".join(selection(type_, depth, after) for _ in range(draw(st.integers(1, 3))))

    def selection(type_: str, depth: int, after: int) -> str:
        spreads = [f"...F{n}" for n in range(after, len(types)) if types[n] in {type_, "Node"} and type_ in LEAVES]
        kind = draw(st.sampled_from(["leaf", "object", "object", "inline", "spread", "spread"]))
        if kind == "spread" and spreads:
            return draw(st.sampled_from(spreads)) + draw(st.sampled_from(["", " @include(if: true)"]))
        if kind == "inline" and depth:
            return f"... on {type_} {{ {selections(type_, depth - 1, after)} }}"
        if kind == "object" and depth and OBJECTS[type_]:
            field, inner = draw(st.sampled_from(OBJECTS[type_]))
            page = draw(PAGES) if inner.endswith("Connection") else ""
            alias = draw(st.sampled_from(["", "a: "]))
            return f"{alias}{field}{page} {{ {selections(inner, depth - 1, after)} }}"
        return LEAVES[type_]

    fragments = "".join(
        f" fragment F{n} on {type_} {{ {selections(type_, 3, n + 1)} }}" for n, type_ in enumerate(types)
    )
    return f"query ($n: Int, $m: Int = 6) {{ {selections('Query', 5, 0)} }}{fragments}"


class _Inline(Visitor):
    """Writes fragments where they are spread."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        super().__init__()
        self._fragments = fragments

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> InlineFragmentNode:
        """Write one out."""
        fragment = self._fragments[node.name.value]
        inline: InlineFragmentNode = visit(
            InlineFragmentNode(
                type_condition=NamedTypeNode(name=NameNode(value=fragment.type_condition.name.value)),
                directives=node.directives,
                selection_set=fragment.selection_set,
            ),
            self,
        )
        return inline


def inlined(document: DocumentNode) -> DocumentNode:
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    operation = visit(document.definitions[0], _Inline(fragments))
    return DocumentNode(definitions=(operation,))


SIZES = {"": 100, "0": 0, "3": 3, "2000": 1_000, "$n": 4, "$m": 6, "null": 100}


def naive(selection_set: SelectionSetNode, size: int = 0) -> int:
    """Count the objects of a document without fragments; `size`: of the page that it is selected of."""
    total = 0
    for node in selection_set.selections:
        if isinstance(node, InlineFragmentNode):
            total += naive(node.selection_set, size)
            continue
        assert isinstance(node, FieldNode)
        if node.selection_set is None:
            total += 10 if node.name.value == "totalCount" else 0
            continue
        (text,) = [_text(each.value) for each in node.arguments or () if each.name.value == "first"] or [""]
        total += (size if node.name.value == "nodes" else 1) * (1 + naive(node.selection_set, SIZES[text]))
    return total


def _text(value: Json) -> str:
    return f"${value.name.value}" if value.kind == "variable" else getattr(value, "value", "null")


@tried
@given(text=documents())
def test_a_query_with_fragments_costs_what_it_costs_written_out(api: Api, text: str):
    document = parse(text)
    flat = inlined(document)
    operation = flat.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)

    cost = counted(api, document, VARIABLES)

    assert cost.objects == counted(api, flat, VARIABLES).objects == min(naive(operation.selection_set), MOST)
    assert {**shape_of(document), "definitions": 1} == shape_of(flat)
