"""Values (docs/contract.md, section 7): what goes in comes out, in payload, typed item and query, on both databases."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conftest import Serve
from tests.support.described import fields
from tests.support.every_type import GRAPHQL_TYPES, TABLE, VALUES, Exchange, rows
from tests.support.harness import Api, Backend, faults, part

SELECTED = " ".join(VALUES)
WRITE_AND_READ = f"""
mutation ($parts: [PartInput!]!) {{
  batch(parts: $parts) {{
    status
    parts {{ path payload errors {{ code message pointer }} item {{ ... on EveryType {{ {SELECTED} }} }} }}
  }}
}}
"""


@pytest.fixture
def types(backend: Backend, start: Serve) -> Api:
    """A table with a column of every type, served."""
    backend.run(TABLE)
    return start(backend)


def test_every_type_has_its_scalar(types: Api):
    own = fields(types, "EveryType")
    assert {name: own[name] for name in GRAPHQL_TYPES} == GRAPHQL_TYPES
    scalars = types.query("{ __schema { types { kind name specifiedByURL } } }")["__schema"]["types"]
    custom = {"BigInt", "Decimal", "Date", "Time", "DateTime", "UUID", "Base64", "JSON"}
    specified = {each["name"] for each in scalars if each["kind"] == "SCALAR" and each["specifiedByURL"]}
    assert specified == custom


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(batch=rows(most=20))
def test_values_of_every_type_come_back_as_they_went_in(types: Api, batch: list[dict[str, Exchange]]):
    parts = []
    for number, row in enumerate(batch):
        sent = {name: value.sent for name, value in row.items()}
        given_as = {"item": {"everyType": sent}} if number % 2 else {"payload": sent}
        parts.append({"id": f"c{number}", "path": "/everyTypes", "operation": "CREATE", **given_as})
        parts.append({"id": f"r{number}", "path": f"/everyTypes/$c{number}", "operation": "GET"})
    written = types.post(WRITE_AND_READ, {"parts": parts})["data"]["batch"]
    assert written["status"] == "COMMITTED", [each for each in written["parts"] if each["errors"]]

    keys = [each["payload"]["id"] for each in written["parts"][::2]]
    query = "{ " + " ".join(f"r{key}: everyType(id: {key}) {{ {SELECTED} }}" for key in keys) + " }"
    read = types.query(query)
    for number, row in enumerate(batch):
        back = {name: value.back for name, value in row.items()}
        for each in written["parts"][2 * number : 2 * number + 2]:
            assert {"id": keys[number], **back} == each["payload"]
            assert back == each["item"]
        assert back == read[f"r{keys[number]}"]


# (attribute, sent, back) by contract section 7
FORMS: list[tuple[str, Any, Any]] = [
    ("big", 9007199254740993, "9007199254740993"),
    ("big", "-9223372036854775808", "-9223372036854775808"),
    ("big", 7, "7"),
    ("price", "1", "1.00"),
    ("price", "1.5", "1.50"),
    ("price", 1.5, "1.50"),
    ("price", 3, "3.00"),
    ("price", "1e2", "100.00"),
    ("price", "-0", "0.00"),
    ("price", "0.10", "0.10"),
    ("price", "99999999.99", "99999999.99"),
    ("price", "1.500", "1.50"),
    ("double", 1, 1.0),
    ("double", 0.1, 0.1),
    ("double", 1e300, 1e300),
    ("day", "2024-02-29", "2024-02-29"),
    ("clock", "23:59:59.5", "23:59:59.500000"),
    ("clock", "07:00:00", "07:00:00"),
    ("clock", "07:00", "07:00:00"),
    ("local", "2026-12-31T23:59:59", "2026-12-31T23:59:59"),
    ("local", "2026-12-02T08:00", "2026-12-02T08:00:00"),
    ("instant", "2026-12-31T23:59:59Z", "2026-12-31T23:59:59Z"),
    ("instant", "2027-01-01T01:59:59+02:00", "2026-12-31T23:59:59Z"),
    ("instant", "2026-12-02T08:00Z", "2026-12-02T08:00:00Z"),
    ("instant", "2026-12-02T08:00+02:00", "2026-12-02T06:00:00Z"),
    ("token", "0F5B8A5C-7D3E-4F1A-9B2C-3D4E5F6A7B8C", "0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c"),
    ("bytes", "AP8=", "AP8="),
    ("bytes", "", ""),
    ("document", {"a": [1, 2.5, None, "x"]}, {"a": [1, 2.5, None, "x"]}),
    ("document", "text", "text"),
    ("document", False, False),
    ("document", 0.1, 0.1),
    ("document", [], []),
    ("long", "1", "1"),
    ("long", "2026-12-31", "2026-12-31"),
    ("flag", False, False),
]


def test_values_have_the_json_forms_of_the_contract_alike_on_both_databases(types: Api):
    parts = [part(str(number), "CREATE", "/everyTypes", {name: sent}) for number, (name, sent, _) in enumerate(FORMS)]
    result = types.batch(*parts)
    assert result["status"] == "COMMITTED", faults(result)
    for (name, sent, back), each in zip(FORMS, result["parts"], strict=True):
        found = each["payload"][name]
        assert (type(found), found) == (type(back), back), (name, sent)


# (attribute, sent): INVALID_VALUE on every database
REFUSED: list[tuple[str, Any]] = [
    ("small", 32768),
    ("whole", 2147483648),
    ("whole", "1"),
    ("whole", 1.0),
    ("whole", True),
    ("big", 9223372036854775808),
    ("big", "9223372036854775808"),
    ("big", "07"),
    ("big", 1.5),
    ("double", "1"),
    ("double", True),
    ("price", "1.005"),
    ("price", "100000000.00"),
    ("price", "one"),
    ("price", "NaN"),
    ("price", "Infinity"),
    ("price", ""),
    ("price", True),
    ("flag", 1),
    ("flag", "true"),
    ("short", "x" * 21),
    ("short", 1),
    ("fixed", "123456"),
    ("long", "a\x00b"),
    ("long", "\ud800"),
    ("long", ["x"]),
    ("day", "2026-02-30"),
    ("day", "31.12.2026"),
    ("day", "0000-01-01"),
    ("day", "2026-12-31T00:00:00"),
    ("day", 20261231),
    ("clock", "24:00:01"),
    ("clock", "10:00:00Z"),
    ("clock", "10:00Z"),
    ("clock", "10"),
    ("clock", "24:01"),
    ("clock", "10:00:00.1234567"),
    ("local", "2026-12-31T23:59:59Z"),
    ("local", "2026-12-31"),
    ("local", "2026-12-31 23:59:59"),
    ("local", "2026-12-31T23"),
    ("local", "2026-12-31T23:59Z"),
    ("instant", "2026-12-31T23:59:59"),
    ("instant", "2026-12-31T23:59"),
    ("instant", "0001-01-01T00:00:00+02:00"),
    ("token", "0f5b8a5c7d3e4f1a9b2c"),
    ("token", 7),
    ("bytes", "AP8"),
    ("bytes", "AP9="),
    ("bytes", "***"),
    ("document", {"a": "\x00"}),
    ("document", {"\ud800": 1}),
]


def test_what_does_not_fit_its_type_exactly_is_refused_alike_on_both_databases(types: Api, backend: Backend):
    before = backend.dump()
    result = types.batch(
        *(part(str(number), "CREATE", "/everyTypes", {name: sent}) for number, (name, sent) in enumerate(REFUSED))
    )

    found = faults(result)
    for number, (name, sent) in enumerate(REFUSED):
        assert found.get(str(number)) == [("INVALID_VALUE", f"/payload/{name}")], (name, sent)
    for each, (name, _) in zip(result["parts"], REFUSED, strict=True):
        assert name in each["errors"][0]["message"]
        assert each["errors"][0]["attributes"] == [name]
    assert backend.dump() == before


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused_before_anything_runs(types: Api, backend: Backend, text):
    body = '{"query": "mutation ($v: JSON) { batch(parts: [{id: \\"a\\", path: \\"/everyTypes\\", operation: CREATE, payload: $v}]) '
    body += '{ status parts { errors { code } } } }", "variables": {"v": {"double": ' + text + "}}}"
    answer = types.http.post("/graphql", content=body, headers={"Content-Type": "application/json"}).json()

    codes = [each["extensions"]["code"] for each in answer.get("errors", [])]
    if not codes:
        codes = [each["code"] for one in answer["data"]["batch"]["parts"] for each in one["errors"]]
    assert codes in (["BAD_REQUEST"], ["INVALID_VALUE"])
    assert backend.dump() == {"every_type": []}


def test_a_decimal_that_sqlite_would_round_is_refused_and_one_that_it_keeps_is_not(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE account (id INTEGER PRIMARY KEY, balance NUMERIC(30,10), units NUMERIC)")
    api = start(sqlite)
    before = sqlite.dump()

    rejected = api.batch(
        part("digits", "CREATE", "/accounts", {"balance": "12345678901234567.1234567891"}),
        part("units", "CREATE", "/accounts", {"units": "0.1234567890123456789"}),
    )
    assert faults(rejected) == {
        "digits": [("INVALID_VALUE", "/payload/balance")],
        "units": [("INVALID_VALUE", "/payload/units")],
    }
    assert "balance" in rejected["parts"][0]["errors"][0]["message"]
    assert sqlite.dump() == before
    kept = api.one("CREATE", "/accounts", {"balance": "12345.1234567891", "units": "900000000000000000"})
    assert kept["payload"] == {"id": 1, "balance": "12345.1234567891", "units": "900000000000000000"}


def test_a_number_that_a_real_of_postgresql_does_not_hold_is_refused(postgresql: Backend, start: Serve):
    postgresql.run(TABLE)
    api = start(postgresql)
    rejected = api.batch(
        part("large", "CREATE", "/everyTypes", {"single": 1e39}),
        part("digits", "CREATE", "/everyTypes", {"single": 0.123456789012}),
    )
    assert faults(rejected) == {
        "large": [("INVALID_VALUE", "/payload/single")],
        "digits": [("INVALID_VALUE", "/payload/single")],
    }


def test_postgresql_keeps_decimals_of_any_length(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TABLE account (id {key}, balance NUMERIC(30,10), units NUMERIC)")
    values = {"balance": "12345678901234567890.1234567891", "units": "0.12345678901234567890123456789"}
    assert start(postgresql).one("CREATE", "/accounts", values)["payload"] == {"id": 1, **values}


def test_numbers_of_a_json_column_keep_their_digits_on_postgresql(postgresql: Backend, start: Serve):
    postgresql.run(TABLE)
    api = start(postgresql)
    body = '{"query": "mutation ($v: JSON) { batch(parts: [{id: \\"a\\", path: \\"/everyTypes\\", operation: CREATE, payload: $v}]) '
    body += (
        '{ parts { payload } } }", "variables": {"v": {"document": {"n": 0.12345678901234567890123}, "price": 0.30}}}'
    )

    answer = api.http.post("/graphql", content=body, headers={"Content-Type": "application/json"}).text

    assert "0.12345678901234567890123" in answer
    assert '"0.30"' in answer


def test_scales_below_zero_and_above_the_precision_are_kept_on_postgresql(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TABLE thing (id {key}, far NUMERIC(3,-2), near NUMERIC(2,4));")
    api = start(postgresql)
    assert api.one("CREATE", "/things/1", {"far": "12300", "near": 0.0099})["status"] == 201
    refused = api.one("CREATE", "/things/2", {"far": "150", "near": "0.01"})
    assert [(each["code"], each["attributes"], each["message"]) for each in refused["errors"]] == [
        ("INVALID_VALUE", ["far"], "far must be a multiple of 100."),
        ("INVALID_VALUE", ["near"], "near must be more than -0.01 and less than 0.01."),
    ]
    assert postgresql.rows("SELECT far, near FROM thing") == [(Decimal(12300), Decimal("0.0099"))]
    assert api.query('{ things(filter: { far: { eq: "12300" } }) { nodes { far near } } }') == {
        "things": {"nodes": [{"far": "12300", "near": "0.0099"}]}
    }
