"""Dates and times that other programs have written into SQLite: shown, found, ordered and left as they are (docs/contract.md, section 7)."""

from typing import Any

import pytest

from storage.connections.transaction import Transaction
from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part
from tests.support.transactions import sql

# Their instants, in order: 1, 2, 4, 3, then 5 to 7 at the same time, 10. What 9 is cannot be read.
VISITS = """
CREATE TABLE visit (id INTEGER PRIMARY KEY, at DATETIME, n INTEGER NOT NULL DEFAULT 0);
CREATE INDEX visit_at ON visit (at);
INSERT INTO visit (id, at) VALUES (1, '1996-07-04 00:00:00.000'), (2, '1996-07-04T12:30:00Z'), (3, '1996-07-04 23:30:00-02:00'),
  (4, '1996-07-05'), (5, '1996-07-05 08:00'), (6, 836553600), (7, '1996-07-05 10:00:00 +0200'), (8, NULL), (9, 'soon'),
  (10, '1996-07-05 08:00:00.5')
"""
SHOWN = {
    1: "1996-07-04T00:00:00",
    2: "1996-07-04T12:30:00",
    3: "1996-07-05T01:30:00",
    4: "1996-07-05T00:00:00",
    5: "1996-07-05T08:00:00",
    6: "1996-07-05T08:00:00",
    7: "1996-07-05T08:00:00",
    8: None,
    10: "1996-07-05T08:00:00.500000",
}
IN_ORDER = [1, 2, 4, 3, 5, 6, 7, 10, 9, 8]


def formats(table: str, **columns: str) -> dict[str, Any]:
    """Settings that give columns a format."""
    return {table: {"attributes": {column: {"format": each} for column, each in columns.items()}}}


@pytest.fixture
def visits(sqlite: Backend, start: Serve) -> Api:
    """Visits whose times are stored in any spelling."""
    sqlite.run(VISITS)
    return start(sqlite, resources=formats("visit", at="mixed"))


def ids(api: Api, condition: str) -> set[int]:
    found = api.query(f"{{ visits(filter: {condition}, first: 1000) {{ totalCount nodes {{ id }} }} }}")["visits"]
    assert found["totalCount"] == len(found["nodes"])
    return {each["id"] for each in found["nodes"]}


# --- shown, found, ordered


def test_any_spelling_is_shown_as_its_instant(visits: Api):
    nodes = visits.query("{ visits(filter: { id: { ne: 9 } }) { nodes { id at } } }")["visits"]["nodes"]
    assert {each["id"]: each["at"] for each in nodes} == SHOWN


CONDITIONS = {
    '{ at: { eq: "1996-07-05T08:00:00" } }': {5, 6, 7},
    '{ at: { eq: "1996-07-05T01:30:00" } }': {3},
    '{ at: { eq: "1996-07-05T08:00:00.5" } }': {10},
    '{ at: { in: ["1996-07-04T00:00:00", "1996-07-05T01:30:00"] } }': {1, 3},
    '{ at: { ne: "1996-07-05T08:00:00" } }': {1, 2, 3, 4, 10},
    '{ not: { at: { eq: "1996-07-05T08:00:00" } } }': {1, 2, 3, 4, 10},
    '{ at: { notIn: ["1996-07-05T08:00:00", "1996-07-04T00:00:00"] } }': {2, 3, 4, 10},
    '{ at: { lt: "1996-07-05T01:30:00" } }': {1, 2, 4},
    '{ at: { lte: "1996-07-05T01:30:00" } }': {1, 2, 3, 4},
    '{ at: { gt: "1996-07-05T08:00:00" } }': {10},
    '{ at: { gte: "1996-07-05T08:00:00" } }': {5, 6, 7, 10},
    '{ not: { at: { lt: "1996-07-05T08:00:00" } } }': {5, 6, 7, 10},
    '{ at: { gt: "1996-07-04T12:30:00", lt: "1996-07-05T08:00:00" } }': {3, 4},
    "{ at: { isNull: true } }": {8},
    '{ at: { gte: "0001-01-01T00:00:00", lte: "9999-12-31T23:59:59.999999" } }': {1, 2, 3, 4, 5, 6, 7, 10},
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_mixed_spellings_compare_as_instants(visits: Api, condition: str):
    assert ids(visits, condition) == CONDITIONS[condition]


@pytest.mark.parametrize("direction", ["ASC", "DESC_NULLS_FIRST"])
@pytest.mark.parametrize("size", [1, 3, 20])
def test_pages_go_through_mixed_spellings_in_the_order_of_their_instants(visits: Api, direction: str, size: int):
    found: list[int] = []
    after = "null"
    for _ in IN_ORDER:
        page = visits.query(
            f"{{ visits(first: {size}, after: {after}, orderBy: [{{ at: {direction} }}, {{ id: {direction[:4].strip('_')} }}])"
            " { nodes { id } pageInfo { hasNextPage endCursor } } }"
        )["visits"]
        found += [each["id"] for each in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = '"' + page["pageInfo"]["endCursor"] + '"'
    assert found == (IN_ORDER if direction == "ASC" else IN_ORDER[::-1])


def test_aggregates_and_groups_take_equal_instants_together(visits: Api):
    found = visits.query("""{ visits(filter: { id: { ne: 9 } }) {
      aggregate { min { at } max { at } } groupBy(by: [at]) { keys { at } aggregate { count } } } }""")["visits"]
    assert found["aggregate"] == {"min": {"at": SHOWN[1]}, "max": {"at": SHOWN[10]}}
    counts = [(each["keys"]["at"], each["aggregate"]["count"]) for each in found["groupBy"]]
    one_each = [(SHOWN[each], 1) for each in (1, 2, 4, 3)]
    assert counts == [*one_each, (SHOWN[5], 3), (SHOWN[10], 1), (None, 1)]


def test_a_path_filters_by_the_instant(visits: Api):
    page = visits.one("GET", "/visits?at=1996-07-05T08:00:00&orderBy=id")
    assert [each["id"] for each in page["payload"]["items"]] == [5, 6, 7]


def plans(api: Api, monkeypatch: pytest.MonkeyPatch, query: str) -> list[str]:
    """Run a query; say how SQLite looks for the rows of each of its statements."""
    found: list[str] = []
    read = Transaction.read

    def explained(transaction: Transaction, statement: Any, **counted: bool) -> Any:
        if not statement.sql.startswith("EXPLAIN"):
            rows = read(transaction, sql(f"EXPLAIN QUERY PLAN {statement.sql}", *statement.params)).rows
            found.append(" / ".join(str(row[3]) for row in rows))
        return read(transaction, statement, **counted)

    monkeypatch.setattr(Transaction, "read", explained)
    api.query(query)
    monkeypatch.undo()
    return found


NARROWED = [
    '{ eq: "1996-07-05T08:00:00" }',
    '{ in: ["1996-07-05T08:00:00", "1996-07-04T00:00:00"] }',
    '{ lt: "1996-07-05T08:00:00" }',
    '{ lte: "1996-07-05T08:00:00" }',
    '{ gt: "1996-07-05T08:00:00" }',
    '{ gte: "1996-07-05T08:00:00" }',
]


@pytest.mark.parametrize("sql_type", ["DATETIME", "TEXT", "INTEGER"])
@pytest.mark.parametrize("condition", NARROWED)
def test_an_index_on_the_column_serves_filters_of_mixed_spellings(
    sqlite: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch, condition: str, sql_type: str
):
    sqlite.run(VISITS.replace("at DATETIME", f"at {sql_type}"))
    api = start(sqlite, resources={"visit": {"attributes": {"at": {"format": "mixed", "type": "DateTime"}}}})
    (plan,) = plans(api, monkeypatch, f"{{ visits(filter: {{ at: {condition} }}) {{ totalCount }} }}")
    assert "INDEX visit_at (at" in plan
    assert "SCAN" not in plan


UNIX: dict[str, list[float]] = {
    "unix": [836438400, 836438400.25, 836524800, -1, 253402300799],
    "unix_ms": [836438400000, 836438400250, 836524800000, -1000, 253402300799000],
}
NUMBERS = [(form, sql_type) for form in UNIX for sql_type in ("DATETIME", "INTEGER", "REAL", "ANY")]
UNIX_SHOWN = [
    "1996-07-04T00:00:00",
    "1996-07-04T00:00:00.250000",
    "1996-07-05T00:00:00",
    "1969-12-31T23:59:59",
    "9999-12-31T23:59:59",
]


@pytest.fixture(params=NUMBERS)
def numbers(request: pytest.FixtureRequest, sqlite: Backend, start: Serve) -> Api:
    """Visits whose times are numbers, in columns of several types."""
    form, sql_type = request.param
    values = ", ".join(f"({place}, {each})" for place, each in enumerate(UNIX[form], 1))
    sqlite.run(f"""
        CREATE TABLE visit (id INTEGER PRIMARY KEY, at {sql_type}, n INTEGER NOT NULL DEFAULT 0);
        CREATE INDEX visit_at ON visit (at);
        INSERT INTO visit (id, at) VALUES {values}""")
    return start(sqlite, resources={"visit": {"attributes": {"at": {"format": form, "type": "DateTime"}}}})


def test_numbers_are_shown_found_and_ordered_as_instants(numbers: Api, monkeypatch: pytest.MonkeyPatch):
    found = numbers.query("""{ visits(orderBy: [{ at: ASC }]) {
      nodes { id at } aggregate { min { at } max { at } } groupBy(by: [at]) { keys { at } } } }""")["visits"]
    in_order = [4, 1, 2, 3, 5]
    assert found["nodes"] == [{"id": each, "at": UNIX_SHOWN[each - 1]} for each in in_order]
    assert found["aggregate"] == {"min": {"at": UNIX_SHOWN[3]}, "max": {"at": UNIX_SHOWN[4]}}
    assert [each["keys"]["at"] for each in found["groupBy"]] == [UNIX_SHOWN[each - 1] for each in in_order]
    for place, shown in enumerate(UNIX_SHOWN, 1):
        assert ids(numbers, f'{{ at: {{ eq: "{shown}" }} }}') == {place}
        assert ids(numbers, f'{{ at: {{ ne: "{shown}" }} }}') == {1, 2, 3, 4, 5} - {place}
    assert ids(numbers, '{ at: { gt: "1996-07-04T00:00:00", lte: "1996-07-05T00:00:00" } }') == {2, 3}
    assert ids(numbers, '{ at: { lt: "1996-07-04T00:00:00.25" } }') == {1, 4}
    # A bound that no double is exactly: the numbers on either side of it are.
    assert ids(numbers, '{ at: { gt: "9999-12-31T23:59:58.999999" } }') == {5}
    assert ids(numbers, '{ at: { gt: "9999-12-31T23:59:59.000001" } }') == set()
    assert ids(numbers, '{ at: { lt: "9999-12-31T23:59:59.000001" } }') == {1, 2, 3, 4, 5}
    (plan,) = plans(numbers, monkeypatch, '{ visits(filter: { at: { eq: "1996-07-04T00:00:00" } }) { totalCount } }')
    assert "INDEX visit_at (at=?)" in plan


def test_numbers_are_written_as_numbers(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE log (id INTEGER PRIMARY KEY, whole INTEGER, loose NUMERIC, exact REAL, ms INTEGER, day INTEGER)""")
    columns = {"whole": "unix", "loose": "unix", "exact": "unix", "ms": "unix_ms"}
    settings = {column: {"type": "DateTime", "format": each} for column, each in columns.items()}
    api = start(sqlite, resources={"log": {"attributes": {**settings, "day": {"type": "Date", "format": "unix"}}}})
    at = "1996-07-04T00:00:00"

    rows = [{"id": place, **dict.fromkeys(columns, at), "day": "1996-07-05"} for place in (1, 2)]
    done = api.batch(*[part(f"c{row['id']}", "CREATE", "/logs", row) for row in rows])
    assert [each["payload"] for each in done["parts"]] == rows
    assert [each["etag"] for each in done["parts"]] == [
        each["etag"] for each in api.query("{ logs { nodes { etag } } }")["logs"]["nodes"]
    ]
    fraction = api.one("UPDATE", "/logs/1", {"loose": f"{at}.25", "exact": f"{at}.25", "ms": f"{at}.25"})
    assert fraction["status"] == 200
    assert sqlite.rows("SELECT *, typeof(whole), typeof(loose), typeof(exact), typeof(ms) FROM log") == [
        (1, 836438400, 836438400.25, 836438400.25, 836438400250, 836524800, "integer", "real", "real", "integer"),
        (2, 836438400, 836438400, 836438400.0, 836438400000, 836524800, "integer", "integer", "real", "integer"),
    ]

    before = sqlite.dump()
    refused = api.batch(
        part("seconds", "UPDATE", "/logs/1", {"whole": f"{at}.25"}),
        part("microseconds", "UPDATE", "/logs/2", {"ms": f"{at}.000001"}),
        part("new", "CREATE", "/logs", {"whole": f"{at}.5"}),
    )
    assert faults(refused) == {
        "seconds": [("INVALID_VALUE", "/payload/whole")],
        "microseconds": [("INVALID_VALUE", "/payload/ms")],
        "new": [("INVALID_VALUE", "/payload/whole")],
    }
    assert sqlite.dump() == before


def test_a_fraction_in_a_column_of_whole_numbers_is_read_and_left_as_it_is(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE log (id INTEGER PRIMARY KEY, at INTEGER);\nINSERT INTO log VALUES (1, 836438400.5)")
    api = start(sqlite, resources={"log": {"attributes": {"at": {"type": "DateTime", "format": "unix"}}}})
    before, shown = sqlite.dump(), api.query("{ log(id: 1) { at etag } }")["log"]
    assert shown["at"] == "1996-07-04T00:00:00.500000"
    for verb in ("UPDATE", "REPLACE", "UPSERT"):
        assert api.one(verb, "/logs/1", {"at": shown["at"]})["etag"] == shown["etag"]
    assert sqlite.dump() == before
