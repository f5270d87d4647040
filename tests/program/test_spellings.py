"""Keys that another program has written into an SQLite file in a spelling of its own are the same keys (docs/contract.md, section 3)."""

from uuid import UUID

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, part

FIRST = 0xF << 124  # a column of the type UUID takes what looks like a number for one
ONE, OTHER = UUID(int=FIRST), UUID(int=FIRST + 1)
MANY = 700  # composite keys: more than one statement takes, in all their spellings
PATHS = {
    "a UUID": f"/solos/{ONE}",
    "two UUIDs": f"/pairs/{ONE},{OTHER}",
    "an instant": "/instants/2026-01-01T00%3A00%3A00Z",
    "a local time": "/locals/2026-01-01T00%3A00%3A00",
}


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """Tables whose keys are spelled otherwise than we write them."""
    hexes = [UUID(int=FIRST + 2 + number).hex.upper() for number in range(MANY)]
    sqlite.run(f"""
        CREATE TABLE solo (id UUID PRIMARY KEY, n INTEGER);
        CREATE TABLE pair (a UUID NOT NULL, b UUID NOT NULL, n INTEGER, PRIMARY KEY (a, b));
        CREATE TABLE child (id INTEGER PRIMARY KEY, a UUID, b UUID, FOREIGN KEY (a, b) REFERENCES pair (a, b));
        CREATE TABLE instant (t TIMESTAMPTZ PRIMARY KEY, n INTEGER);
        CREATE TABLE local (t TIMESTAMP PRIMARY KEY, n INTEGER);
        INSERT INTO solo VALUES ('{ONE.hex.upper()}', 1);
        INSERT INTO pair VALUES ('{ONE.hex.upper()}', '{OTHER}', 1);
        INSERT INTO pair VALUES {", ".join(f"('{each}', '{ONE}', {n})" for n, each in enumerate(hexes))};
        INSERT INTO child VALUES (1, '{ONE.hex.upper()}', '{OTHER}');
        INSERT INTO child VALUES {", ".join(f"({n + 2}, '{each}', '{ONE}')" for n, each in enumerate(hexes))};
        INSERT INTO instant VALUES ('2026-01-01T00:00:00+00:00', 1);
        INSERT INTO local VALUES ('2026-01-01T00:00:00.000000', 1)""")
    return start(sqlite)


@pytest.mark.parametrize("path", PATHS.values(), ids=[*PATHS])
def test_an_item_is_found_by_its_path(api: Api, path: str):
    assert api.query("query ($path: ID!) { node(path: $path) { path } }", path=path) == {"node": {"path": path}}
    assert api.one("GET", path)["payload"]["n"] == 1
    assert api.one("UPDATE", path, {"n": 2})["status"] == 200
    assert api.one("GET", path)["payload"]["n"] == 2


def test_items_are_found_by_their_paths_together(api: Api):
    done = api.batch(*[part(f"p{n}", "UPDATE", path, {"n": 3}) for n, path in enumerate(PATHS.values())])
    assert [each["status"] for each in done["parts"]] == [200] * len(PATHS)


@pytest.mark.parametrize("first", [10, 1_000])
def test_relations_lead_to_them(api: Api, first: int):
    found = api.query(
        f"{{ children(first: {first}) {{ nodes {{ id pair: pairByAAndB {{ n }} }} }}"
        f" pairs(first: {first}, orderBy: [{{n: ASC}}]) {{ nodes {{ children: childrenByAAndB {{ nodes {{ id }} }} }} }} }}"
    )
    children = [(1, 1), *((n + 2, n) for n in range(MANY))][:first]
    assert [(each["id"], each["pair"]["n"]) for each in found["children"]["nodes"]] == children
    assert all(len(each["children"]["nodes"]) == 1 for each in found["pairs"]["nodes"])


DAYS = (
    *("2026-01-02", "2026-01-02 00:00:00", "2026-01-02T00:00:00", "2026-01-02T00:00:00Z", "2026-01-02 00:00:00Z"),
    *("2026-01-02 00:00:00.000", "2026-01-02T00:00:00.000", "2026-01-02T00:00:00.000Z", "2026-01-02 00:00:00.000Z"),
)


@pytest.mark.parametrize("day", DAYS)
def test_a_day_is_found_in_the_spellings_that_programs_give_it(sqlite: Backend, start: Serve, day: str):
    sqlite.run(f"""
        CREATE TABLE day (d DATE PRIMARY KEY, n INTEGER);
        CREATE TABLE visit (id INTEGER PRIMARY KEY, d DATE REFERENCES day);
        INSERT INTO day VALUES ('{day}', 1), ('2026-01-03', 1);
        INSERT INTO visit VALUES (1, '{day}')""")
    api = start(sqlite)

    done = api.batch(*[part(f"p{n}", "UPDATE", f"/days/2026-01-0{n}", {"n": 2}) for n in (2, 3)])

    assert [each["status"] for each in done["parts"]] == [200, 200]
    assert sqlite.rows("SELECT d, n FROM day ORDER BY d") == [(day, 2), ("2026-01-03", 2)]
    found = api.query('{ visits(filter: { d: { eq: "2026-01-02" } }) { nodes { id dayByD { n } } } }')
    assert found["visits"]["nodes"] == [{"id": 1, "dayByD": {"n": 2}}]


def test_another_spelling_is_another_key_to_what_is_refused(sqlite: Backend, start: Serve):
    sqlite.run(f"""
        CREATE TABLE day (d DATETIME PRIMARY KEY, u UUID UNIQUE);
        CREATE TABLE visit (id INTEGER PRIMARY KEY, d DATETIME REFERENCES day, n INTEGER CHECK (n > 0));
        INSERT INTO day VALUES ('2026-01-02T08:00:00.000Z', '{ONE.hex.upper()}'), ('2026-01-03 08:00:00', '{OTHER}')""")
    sqlite.run("CREATE TABLE note (u UUID UNIQUE, id INTEGER PRIMARY KEY, n INTEGER, CHECK (n + 0 > 0))")
    sqlite.run(f"INSERT INTO note VALUES ('{ONE.hex.upper()}', 1, 1), ('{OTHER}', 2, 1)")
    api = start(sqlite)

    refused = api.batch(
        part("spelled", "CREATE", "/visits", {"d": "2026-01-02T08:00:00"}),
        part("there", "CREATE", "/visits", {"d": "2026-01-03T08:00:00"}),
        part("free", "CREATE", "/notes", {"u": str(ONE), "n": -1}),
        part("taken", "CREATE", "/notes", {"u": str(OTHER), "n": -1}),
    )

    errors = {each["id"]: [(own["code"], own["pointer"]) for own in each["errors"]] for each in refused["parts"]}
    assert errors == {
        "spelled": [("MISSING_TARGET", "/payload/d")],
        "free": [("CHECK_FAILED", "/payload/n")],
        "taken": [("CONFLICT", "/payload/u"), ("CHECK_FAILED", "/payload/n")],
    }
