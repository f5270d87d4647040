"""What a replay answers is what was answered first: values of every type, at their edges, and those that cannot be read."""

from typing import Any

import pytest
from hypothesis import given

from tests.conftest import Serve
from tests.support import every_type
from tests.support.every_type import GRAPHQL_TYPES, Exchange
from tests.support.examples import tried_with
from tests.support.harness import BATCH, Api, Backend, Json, part
from tests.support.keyed import KEYED, is_replay, send

tried = tried_with(15, also_long=False)

ITEM = f"... on EveryType {{ id {' '.join(GRAPHQL_TYPES)} }}"
WITH_ITEMS = KEYED.replace(
    "item { __typename path etag }", f"item {{ __typename path etag {ITEM} }} items {{ etag {ITEM} }}"
)
LARGE = 20  # parts: they run as blocks, and are read as columns

EDGES: dict[str, list[tuple[Any, Any]]] = {  # what is sent, and what comes back
    "small": [(-(2**15), -(2**15)), (2**15 - 1, 2**15 - 1), (0, 0)],
    "whole": [(-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1)],
    "big": [(-(2**63), str(-(2**63))), (str(2**63 - 1), str(2**63 - 1)), (2**53 + 1, str(2**53 + 1))],
    "double": [(1.7976931348623157e308, 1.7976931348623157e308), (2.2250738585072014e-308,) * 2, (0.1, 0.1), (3, 3.0)],
    "price": [("-99999999.99", "-99999999.99"), (0, "0.00"), ("1", "1.00")],
    "exact": [("999999999.999999", "999999999.999999"), ("0.000001", "0.000001")],
    "flag": [(True, True), (False, False)],
    "short": [("", ""), ("äöß€😀'\"\\%", "äöß€😀'\"\\%"), ("\n\t\x01", "\n\t\x01")],
    "fixed": [("a", "a"), ("", "")],
    "day": [("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31")],
    "clock": [("00:00", "00:00:00"), ("23:59:59.999999", "23:59:59.999999")],
    "local": [("0001-01-03T00:00:00", "0001-01-03T00:00:00"), ("9999-12-28T23:59:59.000001", "9999-12-28T23:59:59.000001")],
    "instant": [("2026-03-29T01:30:00+14:00", "2026-03-28T11:30:00Z"), ("0001-01-03T00:00:00Z", "0001-01-03T00:00:00Z")],
    "token": [("00000000-0000-0000-0000-000000000000",) * 2, ("FFFFFFFF-ffff-ffff-ffff-ffffffffffff", "f" * 8 + "-ffff" * 3 + "-" + "f" * 12)],
    "bytes": [("", ""), ("AA==", "AA=="), ("/+8=", "/+8=")],
    "document": [
        ({"a": [None, True, 1.5, "x", {"": []}]},) * 2,
        ([10**25, -(2**70), 0.1, 12345678901234567],) * 2,
        ("text", "text"),
        (False, False),
    ],
}  # fmt: skip


@pytest.fixture
def api(backend: Backend, start: Serve) -> Api:
    backend.run(every_type.TABLE)
    return start(backend)


def replayed(api: Api, key: str, *parts: Json, query: str = WITH_ITEMS) -> Json:
    """Run a batch twice, and compare; give back the replay."""
    first, again = (send(api, key, *parts, query=query) for _ in range(2))
    assert first["status"] == "COMMITTED", first
    assert is_replay(again, first)
    return again


@pytest.mark.parametrize("name", EDGES)
def test_edges_of_every_type_come_back_as_they_were_answered(api: Api, name: str):
    for number, (sent, back) in enumerate([*EDGES[name], (None, None)]):
        (result,) = replayed(api, f"one {number}", part("p", "CREATE", "/everyTypes", {name: sent}))["parts"]
        assert (result["payload"][name], result["item"][name]) == (back, back)
    values = [value for value in EDGES[name] for _ in range(LARGE)]
    large = [part(f"p{n}", "CREATE", "/everyTypes", {name: sent}) for n, (sent, _) in enumerate(values)]
    found = replayed(api, "many", *large)["parts"]
    assert [each["payload"][name] for each in found] == [back for _, back in values]
    (page,) = replayed(api, "page", part("p", "GET", "/everyTypes?limit=200"))["parts"]
    assert len(page["items"]) == len(page["payload"]["items"]) == len(values) + len(EDGES[name]) + 1


@tried
@given(rows=every_type.rows(4))
def test_rows_of_every_type_come_back_as_they_were_answered(api: Api, rows: list[dict[str, Exchange]]):
    count = api.query("{ everyTypes { totalCount } }")["everyTypes"]["totalCount"]  # of the examples before
    parts = [
        part(f"p{n}", "CREATE", "/everyTypes", {name: value.sent for name, value in row.items()})
        for n, row in enumerate(rows)
    ]

    again = replayed(api, f"key {count} {len(rows)}", *parts)

    for result, row in zip(again["parts"], rows, strict=True):
        assert {name: result["payload"][name] for name in row} == {name: value.back for name, value in row.items()}


def test_numbers_of_a_document_keep_their_digits(api: Api):
    digits = "12345678901234567890123456789.10"
    body = KEYED.replace("parts: $parts, ", "").replace("$parts: [PartInput!]!, ", "").replace(
        "batch(", f'batch(parts: [{{ id: "p", path: "/everyTypes", operation: CREATE, payload: {{ document: {{ n: {digits} }} }} }}], '
    )  # fmt: skip

    first, again = (
        api.http.post("/graphql", json={"query": body, "variables": {"key": "k"}}).content for _ in range(2)
    )

    assert f'"n":{digits}'.encode() in first
    assert again == first.replace(b'"replayed":false', b'"replayed":true')


def test_types_that_only_postgresql_has(postgresql: Backend, start: Serve):
    postgresql.run(
        "CREATE TYPE mood AS ENUM ('glad', 'sad');\nCREATE DOMAIN code AS VARCHAR(5) CHECK (VALUE <> '');\n"
        "CREATE TABLE every_type (id {key}, words TEXT[], prices NUMERIC(10,2)[], bigs BIGINT[], days DATE[], moods mood[],"
        " raws BYTEA[], docs JSONB[], uuids UUID[], instants TIMESTAMPTZ[], sizes FLOAT8[], mood mood, code code,"
        " amount NUMERIC, span INTERVAL, host INET, range INT4RANGE, plain JSON)"
    )
    api = start(postgresql)
    values = {
        "words": ["a", 'b"{,}\\', "", None, "NULL"],
        "prices": ["1.50", None],
        "bigs": ["9007199254740993", None, str(-(2**63))],
        "days": ["0001-01-01", None],
        "moods": ["glad", None, "sad"],
        "raws": ["AAE=", None, ""],
        "docs": [{"a": [1, None, 0.5]}, None, "x"],
        "uuids": ["0198c0de-0000-7000-8000-0000000000ff", None],
        "instants": ["2026-01-01T00:00:00.000001Z", None],
        "sizes": [0.1, None, 3.0],
        "mood": "sad",
        "code": "abc",
        "amount": "1234567890123456789012345678901234567890.123456789",
        "span": "P1DT2H",
        "host": "10.0.0.0/8",
        "range": "[1,5)",
        "plain": {"b": 1, "a": 10**20},
    }
    sent = [part(f"p{n}", "CREATE", "/everyTypes", values) for n in range(3)] + [part("none", "CREATE", "/everyTypes")]
    item = f"... on EveryType {{ {' '.join(values)} }}"
    query = KEYED.replace("item { __typename", f"item {{ {item} __typename")

    again = replayed(api, "k", *sent, part("page", "GET", "/everyTypes"), query=query)

    for result in again["parts"][:3]:
        assert {name: result["payload"][name] for name in values} == values
    assert set(again["parts"][3]["payload"].values()) == {4, None}


UNREADABLE = [
    *(("NUMERIC(10,2)", "'twelve'"), ("DATE", "'31.12.2020'"), ("INTEGER", "1099511627776"), ("DOUBLE PRECISION", "9e999")),
    *(("TEXT", "CAST(x'ff41' AS TEXT)"), ("JSON", "'{bad'"), ("UUID", "'not one'"), ("BLOB", "7"), ("BOOLEAN", "7")),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "value"), UNREADABLE)
def test_what_could_not_be_read_is_the_same_error_again(sqlite: Backend, start: Serve, declared: str, value: str):
    sqlite.run(
        f"CREATE TABLE thing (id INTEGER PRIMARY KEY, value {declared}, name TEXT);\n"
        f"INSERT INTO thing VALUES (1, {value}, 'kept'), (2, NULL, 'two')"
    )
    api = start(sqlite)
    query = KEYED.replace("item { __typename", "item { ... on Thing { value name } __typename")
    parts = [
        part("a", "UPDATE", "/things/1", {"name": "neu"}),
        part("b", "GET", "/things"),
        part("c", "GET", "/things/2"),
    ]

    first, again = (api.post(query, {"parts": parts, "key": "k"}) for _ in range(2))

    assert is_replay(again["data"]["batch"], first["data"]["batch"])
    assert again["errors"] == first["errors"]
    assert {each["extensions"]["code"] for each in again["errors"]} == {"UNREADABLE_VALUE"}
    assert again["data"]["batch"]["parts"][0]["item"]["name"] == "neu"


@pytest.mark.parametrize("document", ['"\\ud800"', '{"a": ["\\udc00", 1]}'])
def test_half_of_a_surrogate_pair_that_somebody_has_stored_comes_back(sqlite: Backend, start: Serve, document: str):
    sqlite.run(
        f"CREATE TABLE thing (id INTEGER PRIMARY KEY, value JSON, name TEXT);\nINSERT INTO thing VALUES (1, '{document}', 'x')"
    )
    api = start(sqlite)
    parts = [part("a", "UPDATE", "/things/1", {"name": "neu"}), part("b", "GET", "/things")]

    first, again = (
        api.http.post("/graphql", json={"query": KEYED, "variables": {"parts": parts, "key": "k"}}).content
        for _ in range(2)
    )

    assert b"\\ud" in first
    assert again == first.replace(b'"replayed": false', b'"replayed": true').replace(
        b'"replayed":false', b'"replayed":true'
    )


def test_rows_without_a_key_and_keys_of_several_attributes(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE seat (hall VARCHAR(9), number INTEGER, taken BOOLEAN, PRIMARY KEY (hall, number));\n"
        "CREATE VIEW taken AS SELECT hall, count(*) AS seats FROM seat GROUP BY hall"
    )
    api = start(backend)
    seats = [part(f"p{n}", "UPSERT", f"/seats/A%2F,{n}", {"taken": n % 2 == 0}) for n in range(5)]

    again = replayed(
        api, "k", *seats, part("gone", "DELETE", "/seats/A%2F,4"), part("view", "GET", "/takens"), query=KEYED
    )

    assert [each["path"] for each in again["parts"][:5]] == [f"/seats/A%2F,{n}" for n in range(5)]
    assert (again["parts"][5]["path"], again["parts"][5]["status"]) == ("/seats/A%2F,4", 204)
    assert again["parts"][6]["payload"]["items"][0]["hall"] == "A/"


def test_versions_are_the_etags_of_a_replay(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE thing (id {key}, name VARCHAR(9), version INTEGER NOT NULL DEFAULT 1);\n"
        "INSERT INTO thing (id) VALUES (100)"
    )
    api = start(backend, resources={"thing": {"version": "version"}})
    parts = [part(f"p{n}", "CREATE", "/things", {"name": str(n)}) for n in range(LARGE)]
    parts.append(part("again", "UPDATE", "/things/100", {"name": "x"}, ifMatch=["1"]))

    again = replayed(api, "k", *parts, query=KEYED)
    api.post(BATCH, {"parts": [part("later", "UPDATE", "/things/100", {"name": "y"})]})

    assert [each["etag"] for each in again["parts"]] == [*["1"] * LARGE, "2"]
    assert [each["etag"] for each in send(api, "k", *parts)["parts"]] == [*["1"] * LARGE, "2"]
