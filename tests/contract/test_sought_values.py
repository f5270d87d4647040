"""Values that a column would change, and values that the database cannot look for (docs/contract.md, sections 6, 7)."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, faults, part

# what makes the column's type, the type, and two values: one that it would change, one that it keeps
CHANGED: dict[str, Any] = {
    "domain over numeric": ("CREATE DOMAIN price AS NUMERIC(5,2)", "price", "1.234", "1.23"),
    "domain over that domain": (
        "CREATE DOMAIN price AS NUMERIC(5,2);\nCREATE DOMAIN dear AS price CHECK (VALUE > 1)",
        "dear",
        "1.234",
        "1.23",
    ),
    "domain over timestamp": (
        "CREATE DOMAIN moment AS TIMESTAMP(0)",
        "moment",
        "2026-01-31T10:30:00.25",
        "2026-01-31T10:30:00",
    ),
    "name": ("", "NAME", "x" * 70, "x" * 63),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_a_postgresql_type_would_change_is_refused(postgresql: Backend, start: Serve, case: str):
    made_by, type_, changed, kept = CHANGED[case]
    script = f"CREATE TABLE thing (id {{key}}, value {type_}, n INTEGER);\nINSERT INTO thing (n) VALUES (1)"
    postgresql.run(f"{made_by};\n{script}" if made_by else script)
    check_refused(postgresql, start(postgresql), changed, kept)


@pytest.mark.parametrize("changed", ["007", "1e5", "1.0", " 7"])
def test_what_a_sqlite_column_of_an_unknown_type_would_change_is_refused(sqlite: Backend, start: Serve, changed: str):
    sqlite.run("CREATE TABLE thing (id {key}, value STRING, n INTEGER);\nINSERT INTO thing (n) VALUES (1)")
    check_refused(sqlite, start(sqlite), changed, "seven")


def check_refused(backend: Backend, api: Api, changed: str, kept: str) -> None:
    before = backend.dump()
    for operation, path in (
        ("CREATE", "/things"),
        ("UPDATE", "/things/1"),
        ("REPLACE", "/things/1"),
        ("UPSERT", "/things/1"),
    ):
        refused = api.batch(
            part("good", "CREATE", "/things", {"n": 2}), part("bad", operation, path, {"value": changed})
        )
        assert faults(refused) == {"bad": [("INVALID_VALUE", "/payload/value")]}, operation
        assert backend.dump() == before, operation
    assert api.one("UPDATE", "/things/1", {"value": kept})["payload"]["value"] == kept
    assert api.one("GET", "/things/1")["payload"]["value"] == kept


def test_a_decimal_with_more_digits_than_sqlite_can_look_for_is_no_internal_error(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE price (id {key}, amount NUMERIC(30,20), n INTEGER);
        INSERT INTO price VALUES (1, 0.5, 1)""")
    api = start(sqlite)

    judged = api.batch(
        part("long", "GET", "/prices?amount=0.12345678901234567890"),
        part("bad", "UPDATE", "/prices/1", {"n": "x"}),
        part("good", "UPDATE", "/prices/1", {"n": 2}),
    )
    found = faults(judged)
    assert [code for code, _ in found.pop("long", [])] in ([], ["INVALID_VALUE"], ["INVALID_PATH"])
    assert found == {"bad": [("INVALID_VALUE", "/payload/n")]}

    read = api.post('{ prices(filter: {amount: {eq: "0.12345678901234567890"}}) { nodes { id } } }')
    assert codes(read) <= {"BAD_REQUEST"}
    if not codes(read):
        assert read["data"] == {"prices": {"nodes": []}}
    assert [each["id"] for each in api.one("GET", "/prices?amount=0.5")["payload"]["items"]] == [1]


def codes(answer: Json) -> set[str]:
    """Collect the codes of an answer's request errors."""
    return {each["extensions"]["code"] for each in answer.get("errors", ())}


HOSTS = """
CREATE TABLE host (ip INET PRIMARY KEY, label VARCHAR(20), extra JSON);
CREATE TABLE service (id {key}, host_ip INET REFERENCES host (ip), port INTEGER);
INSERT INTO host VALUES ('10.0.0.1', 'one', '{}'), ('10.0.0.2', 'two', '{}');
INSERT INTO service (host_ip, port) VALUES ('10.0.0.1', 80)
"""


@pytest.fixture
def hosts(postgresql: Backend, start: Serve) -> Api:
    """Items whose key only the database can read."""
    postgresql.run(HOSTS)
    return start(postgresql)


UNREADABLE: list[Any] = [
    ("GET", "/hosts/abc", None),
    ("GET", "/hosts?ip=abc", None),
    ("UPDATE", "/hosts/abc", {"label": "x"}),
    ("UPSERT", "/hosts/abc", {"label": "x"}),
    ("REPLACE", "/hosts/abc", {"label": "x"}),
    ("CREATE", "/hosts/abc", {"label": "x"}),
    ("DELETE", "/hosts/abc", None),
    ("GET", "/hosts/abc/services", None),
    ("GET", "/hosts/abc/servicesByHostIp", None),
    ("GET", "/services?hostIp=abc", None),
    ("CREATE", "/services", {"hostIp": "abc"}),
    ("UPDATE", "/services/1", {"hostIp": "abc"}),
    ("UPSERT", "/services/1", {"hostIp": "abc"}),
    ("UPSERT", "/hosts", {"ip": "abc"}),
    ("GET", "/hosts?orderBy=extra", None),
]


@pytest.mark.parametrize(("operation", "path", "payload"), UNREADABLE)
def test_a_value_that_only_the_database_can_read_is_the_fault_of_its_part(
    hosts: Api, postgresql: Backend, operation: str, path: str, payload: Json
):
    before = postgresql.dump()

    judged = hosts.batch(
        part("first", "UPDATE", "/hosts/10.0.0.9", {"label": "x"}),
        part("good", "UPDATE", "/hosts/10.0.0.1", {"label": "changed"}),
        part("odd", operation, path, payload),
        part("last", "CREATE", "/services", {"port": "x"}),
    )
    found = faults(judged)

    assert found.pop("odd"), "it is an error of the part"
    assert found == {"first": [("NOT_FOUND", "/path")], "last": [("INVALID_VALUE", "/payload/port")]}
    assert postgresql.dump() == before


def test_a_query_with_a_value_that_only_the_database_can_read_is_a_bad_request_or_finds_nothing(hosts: Api):
    for field in (
        'host(ip: "abc") { label }',
        'node(path: "/hosts/abc") { path }',
        'hosts(filter: {ip: {eq: "abc"}}) { totalCount }',
        "hosts(orderBy: [{extra: ASC}]) { totalCount }",
    ):
        answer = hosts.post(f"{{ odd: {field} }}")
        assert codes(answer) <= {"BAD_REQUEST"}, field
        assert "errors" in answer or answer["data"] == {"odd": None}, field
    assert hosts.query('{ host(ip: "10.0.0.1") { label } }') == {"host": {"label": "one"}}


DOCUMENTS: dict[str, Any] = {
    "objects": [{"a": [1, {"b": None}]}, {}],
    "scalars": ["text", 7, 1.5, True],
    "mixed": [{"a": 1}, "text", 7],
    "nothing": [],
    "lists": [[1, 2], [3]],
    "an object and a list": [{"a": 1}, [1]],
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_an_array_of_jsonb_comes_back_as_it_was_given(postgresql: Backend, start: Serve, case: str):
    postgresql.run("CREATE TABLE event (id {key}, steps JSONB[])")
    api = start(postgresql)
    steps = DOCUMENTS[case]

    made = api.one("CREATE", "/events", {"steps": steps})

    assert made["errors"] == []
    assert made["payload"] == {"id": 1, "steps": steps}
    assert api.one("GET", "/events/1")["payload"]["steps"] == steps
    assert api.query("{ event(id: 1) { steps } }")["event"] == {"steps": steps}
    assert api.one("UPDATE", "/events/1", {"steps": []})["payload"]["steps"] == []
