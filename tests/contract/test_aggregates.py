"""Aggregates and groups (docs/contract.md, section 5): by hand, against plain Python on random questions, and their statements."""

import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Serve
from tests.support.evaluation import Row, find, in_order, related
from tests.support.every_type import GRAPHQL_TYPES, TABLE
from tests.support.harness import Api, Backend, Json
from tests.support.library import KINDS_OF_VALUES, RELATIONS, TYPES, attributes_of, library_data, to_json
from tests.support.queries import filters
from tests.support.transactions import count_statements
from tests.support.worlds import World

NOVELS = {"kind": {"eq": "novel"}}
NONE: Json = {"or": []}

# collection, filter, what is selected of the aggregate, what is answered: written by hand from tests/support/library.py.
SAID: Sequence[tuple[str, Json, str, Json]] = (
    ("books", {}, "count", {"count": 14}),
    ("books", {}, "sum { pages price id }", {"sum": {"pages": "2147484872", "price": "1000069.46", "id": "105"}}),
    ("books", {}, "avg { pages }", {"avg": {"pages": 2147484872 / 12}}),
    ("books", NOVELS, "sum { price } avg { price }", {"sum": {"price": "38.47"}, "avg": {"price": 7.694}}),
    ("books", NOVELS, "min { title price added }", {"min": {"title": "100 per cent", "price": "-1.50", "added": "2024-01-01T10:00:00"}}),
    ("books", {}, "max { title price kind }", {"max": {"title": "😀", "price": "999999.99", "kind": "poems"}}),
    ("books", {}, "max { added }", {"max": {"added": "2024-02-29T23:59:59.999999"}}),
    ("books", {}, "min { published } max { published }", {"min": {"published": False}, "max": {"published": True}}),
    ("books", {"id": {"in": [1, 3, 4]}}, "min { published }", {"min": {"published": True}}),
    ("books", {"id": {"in": [3, 5]}}, "min { published } max { published price }", {"min": {"published": None}, "max": {"published": None, "price": "10.00"}}),
    ("books", {"price": {"isNull": True}}, "count sum { price } avg { price } min { price }", {"count": 2, "sum": {"price": None}, "avg": {"price": None}, "min": {"price": None}}),
    ("books", NONE, "count sum { price } avg { pages } min { title } max { added }", {"count": 0, "sum": {"price": None}, "avg": {"pages": None}, "min": {"title": None}, "max": {"added": None}}),
    ("books", {"id": {"eq": 6}}, "sum { price } min { price }", {"sum": {"price": "0.00"}, "min": {"price": "0.00"}}),
    ("books", {"author": {"name": {"eq": "Ada"}}}, "count sum { price }", {"count": 5, "sum": {"price": "38.47"}}),
    ("authors", {}, "min { born } max { born country }", {"min": {"born": "1815-12-10"}, "max": {"born": "2000-02-29", "country": "d_"}}),
    ("authors", {"id": {"in": [2, 7]}}, "sum { rating } avg { rating }", {"sum": {"rating": 0.4}, "avg": {"rating": 0.2}}),
    ("authors", {"books": {"none": {}}}, "count sum { rating }", {"count": 1, "sum": {"rating": 0.0}}),
    ("chapters", {}, "sum { words number } max { words }", {"sum": {"words": "18014398509486985", "number": "24"}, "max": {"words": "9007199254740993"}}),
    ("tags", {}, "count min { code } max { label }", {"count": 5, "min": {"code": ""}, "max": {"label": "letter"}}),
)  # fmt: skip


def said_of(api: Api, collection: str, filter_: Json, selection: str) -> Json:
    query = (
        f"query ($filter: {TYPES[collection]}Filter) {{ {collection}(filter: $filter, first: 1) {{ {selection} }} }}"
    )
    return api.query(query, filter=filter_)[collection]


def test_an_aggregate_says_what_holds_of_all_that_the_filter_finds_whatever_the_page(library: World):
    for collection, filter_, selection, expected in SAID:
        answer = said_of(library.api, collection, filter_, f"aggregate {{ {selection} }}")
        assert (collection, filter_, answer["aggregate"]) == (collection, filter_, expected)


# collection, filter, arguments, what is selected of groups, what is answered
GROUPS: Sequence[tuple[str, Json, str, str, Json]] = (
    ("books", NONE, "by: [kind]", "keys { kind }", []),
    ("books", {}, "by: [published]", "keys { published kind } aggregate { count sum { pages } }", [
        {"keys": {"published": False, "kind": None}, "aggregate": {"count": 4, "sum": {"pages": "2147484060"}}},
        {"keys": {"published": True, "kind": None}, "aggregate": {"count": 7, "sum": {"pages": "712"}}},
        {"keys": {"published": None, "kind": None}, "aggregate": {"count": 3, "sum": {"pages": "100"}}},
    ]),
    ("books", {"id": {"lte": 4}}, "by: [price, published]", "keys { price published } aggregate { count }", [
        {"keys": {"price": "9.99", "published": False}, "aggregate": {"count": 1}},
        {"keys": {"price": "9.99", "published": True}, "aggregate": {"count": 1}},
        {"keys": {"price": "10.00", "published": True}, "aggregate": {"count": 1}},
        {"keys": {"price": "10.00", "published": None}, "aggregate": {"count": 1}},
    ]),
    ("books", {}, "by: kind, first: 2", "keys { kind } aggregate { min { price } }", [
        {"keys": {"kind": ""}, "aggregate": {"min": {"price": None}}},
        {"keys": {"kind": "%"}, "aggregate": {"min": {"price": "1.00"}}},
    ]),
    ("books", {}, "by: [kind], first: 0", "keys { kind }", []),
    ("books", {"id": {"in": [1, 2]}}, "by: [kind, kind]", "aggregate { count }", [{"aggregate": {"count": 2}}]),
    ("books", {"id": {"in": [5, 7, 11]}}, "by: [added]", "keys { added }", [
        {"keys": {"added": "1970-01-01T00:00:00"}},
        {"keys": {"added": "2024-01-01T10:00:00"}},
        {"keys": {"added": "2024-02-29T23:59:59.999999"}},
    ]),
    ("authors", {}, "by: [born], first: 2", "keys { born } aggregate { avg { rating } max { name } }", [
        {"keys": {"born": "1815-12-10"}, "aggregate": {"avg": {"rating": 2.3}, "max": {"name": "ada"}}},
        {"keys": {"born": "1901-12-09"}, "aggregate": {"avg": {"rating": -0.5}, "max": {"name": "Ada"}}},
    ]),
    ("chapters", {"words": {"gt": "1000"}}, "by: [words]", "keys { words }", [
        {"keys": {"words": "9007199254740992"}},
        {"keys": {"words": "9007199254740993"}},
    ]),
)  # fmt: skip


def test_groups_come_in_the_order_of_their_keys_nulls_last(library: World):
    for collection, filter_, arguments, selection, expected in GROUPS:
        answer = said_of(library.api, collection, filter_, f"groupBy({arguments}) {{ {selection} }}")
        assert (collection, arguments, answer["groupBy"]) == (collection, arguments, expected)


def test_each_item_has_aggregates_and_groups_of_its_own_children(library: World):
    found = library.api.query("""{ authors(filter: { id: { in: [1, 6, 8] } }) { nodes { books(first: 1, filter: { pages: { gt: 0 } }) {
        totalCount nodes { id } aggregate { count max { title } } groups: groupBy(by: [kind], first: 1) { keys { kind authorId } aggregate { count } }
        flags: groupBy(by: [published]) { keys { published } aggregate { sum { price } } }
    } } } }""")["authors"]["nodes"]
    novels = {"kind": "novel", "authorId": None}
    assert [each["books"] for each in found] == [
        {
            "totalCount": 3,
            "nodes": [{"id": 1}],
            "aggregate": {"count": 3, "max": {"title": "100%"}},
            "groups": [{"keys": novels, "aggregate": {"count": 3}}],
            "flags": [
                {"keys": {"published": False}, "aggregate": {"sum": {"price": "9.99"}}},
                {"keys": {"published": True}, "aggregate": {"sum": {"price": "19.98"}}},
            ],
        },
        {
            "totalCount": 2,
            "nodes": [{"id": 11}],
            "aggregate": {"count": 2, "max": {"title": "😀"}},
            "groups": [{"keys": novels, "aggregate": {"count": 1}}],
            "flags": [
                {"keys": {"published": True}, "aggregate": {"sum": {"price": "10.00"}}},
                {"keys": {"published": None}, "aggregate": {"sum": {"price": None}}},
            ],
        },
        {"totalCount": 0, "nodes": [], "aggregate": {"count": 0, "max": {"title": None}}, "groups": [], "flags": []},
    ]


def test_aggregates_have_aliases_fragments_and_type_names(library: World):
    found = library.api.query("""{ books(filter: { kind: { eq: "essay" } }, last: 1) {
        a: aggregate { n: count s: sum { p: price } t: sum { price pages } } b: aggregate { ...C __typename }
        g: groupBy(by: [authorId], first: 1) { __typename k: keys { authorId } x: aggregate { count } y: aggregate { max { id } } }
        h: groupBy(by: [authorId]) { keys { author: authorId } }
    } } fragment C on BookAggregate { count avg { __typename id } }""")["books"]
    assert found == {
        "a": {"n": 3, "s": {"p": "1000019.89"}, "t": {"price": "1000019.89", "pages": "2147483646"}},
        "b": {"count": 3, "avg": {"__typename": "BookAvg", "id": 22 / 3}, "__typename": "BookAggregate"},
        "g": [{"__typename": "BookGroup", "k": {"authorId": 1}, "x": {"count": 1}, "y": {"max": {"id": 3}}}],
        "h": [{"keys": {"author": 1}}, {"keys": {"author": 5}}, {"keys": {"author": None}}],
    }


def test_a_batchs_own_query_aggregates_what_the_batch_left(library: World):
    found = library.api.query("""mutation { batch(parts: [
        { id: "a", path: "/books/5", operation: UPDATE, payload: { price: "0.01", authorId: 8 } }
    ], dryRun: true) {
        parts { item { ... on Book { author { books { aggregate { sum { price } } } } } } }
        query { books { aggregate { sum { price } } } }
    } }""")["batch"]
    assert found["query"]["books"]["aggregate"]["sum"] == {"price": "1000069.47"}
    assert found["parts"][0]["item"]["author"]["books"]["aggregate"]["sum"] == {"price": "0.01"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("by: []", "by must name"),
        ("by: [kind], first: 1001", "first must be from 0 to 1000"),
        ("by: [kind], first: -1", "first must be from 0 to 1000"),
        ("by: [author]", "author"),
        ("first: 1", "by"),
        ("by: null", "null"),
    ],
)
def test_groups_by_nothing_or_too_many_of_them_are_refused(library: World, arguments: str, message: str):
    for query in (
        f"{{ books {{ groupBy({arguments}) {{ keys {{ kind }} }} }} }}",
        f"{{ authors {{ nodes {{ books {{ groupBy({arguments}) {{ keys {{ kind }} }} }} }} }} }}",
    ):
        (error,) = library.api.post(query)["errors"]
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert message in error["message"]


# --- random questions, and plain Python over the rows

DATA = library_data()
_EXAMPLES = os.environ.get("PARTWISE_EXAMPLES")
tried = settings(
    max_examples=int(_EXAMPLES or 60),
    derandomize=_EXAMPLES is None,
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def exact(value: Any) -> Fraction:
    return Fraction(Decimal(repr(value))) if isinstance(value, float) else Fraction(value)


def summed(kind: str, values: Sequence[Any]) -> Any:
    if kind == "float":
        return float(sum(map(exact, values)))
    return str(sum(values))


def averaged(_kind: str, values: Sequence[Any]) -> Any:
    return float(sum(map(exact, values)) / len(values))


def written(kind: str, value: Any) -> Any:
    return str(value) if kind == "big" and value is not None else to_json(value)


FUNCTIONS: Mapping[str, Callable[[str, Sequence[Any]], Any]] = {
    "sum": summed,
    "avg": averaged,
    "min": lambda kind, values: written(kind, min(values)),
    "max": lambda kind, values: written(kind, max(values)),
}


def aggregate_of(collection: str, rows: Sequence[Row]) -> Json:
    """Say everything that can be said of rows."""
    answer: dict[str, Any] = {"count": len(rows)}
    for function, compute in FUNCTIONS.items():
        members: dict[str, Any] = {}
        for name in attributes_of(collection, function):
            values = [row[name] for row in rows if row[name] is not None]
            members[name] = compute(KINDS_OF_VALUES[collection][name], values) if values else None
        if members:
            answer[function] = members
    return answer


def groups_of(collection: str, rows: Sequence[Row], by: Sequence[str], first: int) -> Json:
    def key(row: Row) -> list[Any]:
        return [row[name] for name in by]

    kinds = KINDS_OF_VALUES[collection]
    ordered = in_order(DATA, collection, rows, [{name: "ASC"} for name in by])
    groups = [(values, list(members)) for values, members in groupby(ordered, key)]
    return [
        {
            "keys": {
                name: written(kind, values[by.index(name)]) if name in by else None for name, kind in kinds.items()
            },
            "aggregate": aggregate_of(collection, members),
        }
        for values, members in groups[:first]
    ]


def everything(collection: str, by: Sequence[str], first: int) -> str:
    names = {function: attributes_of(collection, function) for function in FUNCTIONS}
    said = " ".join(f"{function} {{ {' '.join(each)} }}" for function, each in names.items() if each)
    aggregate = f"aggregate {{ count {said} }}"
    keys = " ".join(KINDS_OF_VALUES[collection])
    return f"{aggregate} groupBy(by: [{', '.join(by)}], first: {first}) {{ keys {{ {keys} }} {aggregate} }}"


def expected_of(collection: str, rows: Sequence[Row], by: Sequence[str], first: int) -> Json:
    return {"aggregate": aggregate_of(collection, rows), "groupBy": groups_of(collection, rows, by, first)}


@st.composite
def groupings(draw: st.DrawFn, collection: str) -> tuple[list[str], int]:
    names = st.sampled_from(sorted(KINDS_OF_VALUES[collection]))
    return draw(st.lists(names, min_size=1, max_size=3, unique=True)), draw(st.sampled_from([100, 1, 2, 5]))


@tried
@given(data=st.data(), collection=st.sampled_from(sorted(TYPES)))
def test_aggregates_and_groups_say_what_plain_python_says(library: World, data: st.DataObject, collection: str):
    filter_ = data.draw(filters(collection, 2))
    by, first = data.draw(groupings(collection))
    rows = find(DATA, collection, filter_=filter_).rows

    answer = said_of(library.api, collection, filter_, everything(collection, by, first))

    assert answer == expected_of(collection, rows, by, first)


MANY = st.sampled_from(
    [(name, each) for name, ways in sorted(RELATIONS.items()) for each, way in sorted(ways.items()) if way.many]
)


@tried
@given(data=st.data(), way=MANY)
def test_those_of_children_do_too(library: World, data: st.DataObject, way: tuple[str, str]):
    parent, relation = way
    target = RELATIONS[parent][relation].target
    filter_ = data.draw(filters(target, 2))
    by, first = data.draw(groupings(target))
    query = f"""query ($filter: {TYPES[target]}Filter) {{ {parent} {{ nodes {{
        {relation}(filter: $filter, first: 1) {{ {everything(target, by, first)} }} }} }} }}"""

    nodes = library.api.query(query, filter=filter_)[parent]["nodes"]

    for node, row in zip(nodes, find(DATA, parent).rows, strict=True):
        rows = find(DATA, target, filter_=filter_, among=related(DATA, parent, row, relation)).rows
        assert node[relation] == expected_of(target, rows, by, first)


# --- statements

COUNTS: Mapping[str, tuple[str, int]] = {
    "all aggregates of a collection": ("{ books { a: aggregate { count sum { price } } b: aggregate { max { title } } } }", 1),
    "type names alone": ("{ books { aggregate { __typename } } }", 0),
    "a grouping each": ("{ books { aggregate { count } a: groupBy(by: [kind]) { aggregate { count } } b: groupBy(by: [id]) { aggregate { count } } } }", 3),
    "a page and a count": ("{ books { totalCount nodes { id } aggregate { count } } }", 3),
    "a level": ("{ authors { nodes { books { aggregate { count sum { price } } x: aggregate { min { id } } } } } }", 2),
    "groups of a level": ("{ authors { nodes { books { nodes { id } aggregate { count } groupBy(by: [kind]) { aggregate { count } } } } } }", 4),
    "two levels": ("{ authors { nodes { books { nodes { chapters { aggregate { count } groupBy(by: [title]) { keys { title } } } } } } } }", 4),
}  # fmt: skip


@pytest.mark.parametrize("shape", COUNTS)
def test_aggregates_take_one_statement_and_groups_one_each(library: World, shape: str, monkeypatch: pytest.MonkeyPatch):
    query, number = COUNTS[shape]
    sent = count_statements(monkeypatch)
    library.api.query(query)
    assert len([sql for sql in sent if "FROM" in sql]) == number


def test_only_what_is_selected_is_computed(library: World, monkeypatch: pytest.MonkeyPatch):
    sent = count_statements(monkeypatch)
    library.api.query("{ books { aggregate { sum { price } } } }")
    (sql,) = [each for each in sent if "FROM" in each]
    assert "sum(" in sql
    assert "count(" not in sql
    assert "pages" not in sql


# --- other types, and what databases hold

ROWS = """
INSERT INTO every_type (id, small, whole, big, single, double, price, exact, flag, short, fixed, long, day, clock, local, instant, token)
VALUES (1, 32767, 1, 9223372036854775807, 0.1, 0.1, 0.10, 0.000001, TRUE, 'b', 'b', 'B', '2024-01-02', '10:00:00', '2024-01-01 00:00:00',
        '2024-01-01 00:00:00+00:00', '{one}'),
       (2, 32767, 2, 9223372036854775807, 0.2, 0.2, 0.20, 999999.999999, FALSE, 'a', 'a', 'a', '2024-01-01', '09:59:59', '2024-01-02 00:00:00',
        '2024-01-02 00:00:00+00:00', '{other}')
"""
TOKENS = ("0f000000-0000-0000-0000-00000000000a", "f0000000-0000-0000-0000-000000000001")


def test_every_type_has_what_the_contract_says(backend: Backend, start: Serve):
    backend.run(TABLE + ";\n" + ROWS.format(one=TOKENS[1], other=TOKENS[0]))
    api = start(backend)
    numbers = ["small", "whole", "big", "single", "double", "price", "exact"]
    ordered = [name for name in GRAPHQL_TYPES if name not in {"bytes", "document"}]
    said = api.query(f"""{{ everyTypes {{ aggregate {{ sum {{ {" ".join(numbers)} }} avg {{ {" ".join(numbers)} }}
        min {{ {" ".join(ordered)} }} max {{ {" ".join(ordered)} }} }} }}
        sum: __type(name: "EveryTypeSum") {{ fields {{ name }} }} min: __type(name: "EveryTypeMin") {{ fields {{ name }} }}
        by: __type(name: "EveryTypeAttribute") {{ enumValues {{ name }} }} }}""")

    aggregate = said["everyTypes"]["aggregate"]
    assert aggregate["sum"] == {
        "small": "65534", "whole": "3", "big": "18446744073709551614", "single": 0.3, "double": 0.3, "price": "0.30", "exact": "1000000.000000",
    }  # fmt: skip
    assert aggregate["avg"] == {
        "small": 32767.0, "whole": 1.5, "big": 2.0**63, "single": 0.15, "double": 0.15, "price": 0.15, "exact": 500000.0,
    }  # fmt: skip
    assert aggregate["min"] == {
        "small": 32767, "whole": 1, "big": "9223372036854775807", "single": 0.1, "double": 0.1, "price": "0.10", "exact": "0.000001",
        "flag": False, "short": "a", "fixed": "a", "long": "B", "day": "2024-01-01", "clock": "09:59:59",
        "local": "2024-01-01T00:00:00", "instant": "2024-01-01T00:00:00Z", "token": TOKENS[0],
    }  # fmt: skip
    assert aggregate["max"]["flag"] is True
    assert (aggregate["max"]["token"], aggregate["max"]["long"]) == (TOKENS[1], "a")
    assert [each["name"] for each in said["sum"]["fields"]] == ["id", *numbers]
    assert [each["name"] for each in said["min"]["fields"]] == ["id", *ordered]
    assert [each["name"] for each in said["by"]["enumValues"]] == ["id", *ordered]
    for name in ordered:
        groups = api.query(f"{{ everyTypes {{ groupBy(by: [{name}]) {{ keys {{ {name} }} }} }} }}")
        keys = [each["keys"][name] for each in groups["everyTypes"]["groupBy"]]
        assert keys == list(dict.fromkeys([aggregate["min"][name], aggregate["max"][name]]))


def test_decimals_that_are_texts_are_summed_and_compared_as_numbers(sqlite: Backend, start: Serve):
    sqlite.run("""CREATE TABLE thing (id {key}, value DECIMAL_TEXT(40,20));
        INSERT INTO thing VALUES (1, '10'), (2, '9.5'), (3, '100000000000000000000.00000000000000000001'), (4, '9.50')""")
    api = start(sqlite)
    said = api.query("""{ things { aggregate { sum { value } min { value } max { value } }
        groupBy(by: [value]) { keys { value } aggregate { count } } } }""")["things"]
    low, middle, high = (
        "9.50000000000000000000",
        "10.00000000000000000000",
        "100000000000000000000.00000000000000000001",
    )
    assert said["aggregate"] == {
        "sum": {"value": "100000000000000000029.00000000000000000001"},
        "min": {"value": low},
        "max": {"value": high},
    }
    assert [(each["keys"]["value"], each["aggregate"]["count"]) for each in said["groupBy"]] == [
        (low, 2),
        (middle, 1),
        (high, 1),
    ]


@pytest.mark.parametrize(
    ("kind", "declared", "value"),
    [
        ("sqlite", "NUMERIC(10,2)", "'twelve'"),
        ("sqlite", "NUMERIC(10,2)", "x'01'"),
        ("sqlite", "NUMERIC(10,2)", "CAST(x'ff' AS TEXT)"),
        ("sqlite", "INTEGER", "'many'"),
        ("sqlite", "INTEGER", "1.5"),
        ("sqlite", "REAL", "9e999"),
        ("postgresql", "NUMERIC", "'NaN'"),
        ("postgresql", "DOUBLE PRECISION", "'Infinity'"),
        ("postgresql", "REAL", "'NaN'"),
    ],
)
def test_a_sum_of_what_is_no_number_is_an_error_of_its_field_alone(
    request: pytest.FixtureRequest, start: Serve, kind: str, declared: str, value: str
):
    backend: Backend = request.getfixturevalue(kind)
    backend.run(f"CREATE TABLE thing (id {{key}}, value {declared});\nINSERT INTO thing VALUES (1, {value}), (2, 1)")
    answer = start(backend).post("{ things { aggregate { count sum { value id } avg { value } } } }")

    aggregate = answer["data"]["things"]["aggregate"]
    assert aggregate["count"] == 2
    assert aggregate["sum"] == {"value": None, "id": "3"}
    codes = {(*error["path"][-2:], error["extensions"]["code"]) for error in answer["errors"]}
    assert ("sum", "value", "UNREADABLE_VALUE") in codes


def test_a_sum_beyond_a_double_is_an_error_of_its_field(backend: Backend, start: Serve):
    backend.run("CREATE TABLE thing (id {key}, value {double});\nINSERT INTO thing VALUES (1, 1e308), (2, 1e308)")
    answer = start(backend).post("{ things { aggregate { sum { value } avg { value } } } }")
    assert answer["data"]["things"]["aggregate"] == {"sum": {"value": None}, "avg": {"value": 1e308}}
    (error,) = answer["errors"]
    assert error["path"][-2:] == ["sum", "value"]


def test_attributes_may_have_names_that_graphql_keeps_from_enums(backend: Backend, start: Serve):
    backend.run(
        'CREATE TABLE thing (id {key}, "true" INTEGER, "count" INTEGER, "keys" INTEGER);\nINSERT INTO thing VALUES (1, 2, 3, 4)'
    )
    said = start(backend).query("""{ things { aggregate { count sum { true count keys } }
        groupBy(by: [true_, keys, count]) { keys { true keys count } } } }""")["things"]
    assert said["aggregate"] == {"count": 1, "sum": {"true": "2", "count": "3", "keys": "4"}}
    assert said["groupBy"] == [{"keys": {"true": 2, "keys": 4, "count": 3}}]


def test_a_resource_without_numbers_has_no_sum_and_one_without_an_order_no_groups(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TABLE word (text TEXT PRIMARY KEY);\nCREATE VIEW blob AS SELECT '\\x00'::bytea AS value")
    api = start(postgresql)
    types = api.query("""{ word: __type(name: "WordAggregate") { fields { name } } blob: __type(name: "BlobAggregate") { fields { name } }
        connection: __type(name: "BlobConnection") { fields { name } } }""")
    names = {key: [field["name"] for field in each["fields"]] for key, each in types.items()}
    assert names == {
        "word": ["count", "min", "max"],
        "blob": ["count"],
        "connection": ["nodes", "pageInfo", "totalCount", "aggregate"],
    }
    assert api.query("{ blobs { aggregate { count } } }") == {"blobs": {"aggregate": {"count": 1}}}


def test_former_names_still_work_and_are_deprecated(backend: Backend, start: Serve):
    backend.run("CREATE TABLE thing (id {key}, nm INTEGER);\nINSERT INTO thing VALUES (1, 5), (2, 5)")
    api = start(backend, resources={"thing": {"attributes": {"nm": {"name": "number", "former_name": "nm"}}}})
    said = api.query("""{ things { aggregate { sum { nm number } } groupBy(by: [nm, number]) { keys { nm number } aggregate { count } } }
        type: __type(name: "ThingAttribute") { enumValues { name } }
        all: __type(name: "ThingAttribute") { enumValues(includeDeprecated: true) { name deprecationReason } } }""")
    assert said["things"]["aggregate"] == {"sum": {"nm": "10", "number": "10"}}
    assert said["things"]["groupBy"] == [{"keys": {"nm": 5, "number": 5}, "aggregate": {"count": 2}}]
    assert said["type"]["enumValues"] == [{"name": "id"}, {"name": "number"}]
    assert said["all"]["enumValues"][2] == {"name": "nm", "deprecationReason": "Renamed to number."}


def test_more_than_a_database_says_at_once_is_refused(backend: Backend, start: Serve):
    """PostgreSQL gives 1,664 columns, and SQLite 2,000 (https://sqlite.org/limits.html)."""
    names = [f"n{number}" for number in range(450)]
    backend.run(f"CREATE TABLE thing (id {{key}}, {', '.join(f'{name} INTEGER DEFAULT 2' for name in names)});\nINSERT INTO thing (id) VALUES (1), (2)")  # fmt: skip
    api = start(backend)
    own = " ".join(names)
    assert api.query(f"{{ things {{ nodes {{ {own} }} aggregate {{ sum {{ {own} }} avg {{ {own} }} }} }} }}")
    everything_ = f"aggregate {{ sum {{ {own} }} avg {{ {own} }} min {{ {own} }} max {{ {own} }} }}"
    for query in (
        f"{{ things {{ {everything_} }} }}",
        f"{{ things {{ groupBy(by: [id]) {{ {everything_} }} }} }}",
    ):
        for _ in range(2):
            answer = api.post(query)
            (error,) = answer["errors"]
            assert answer["data"] == {"things": None}
            assert error["extensions"] == {"code": "QUERY_TOO_COMPLEX"}
            assert "aggregates" in error["message"]
