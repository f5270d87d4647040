"""Times may be sent without seconds, as `<input type="datetime-local">` has them, wherever a time is taken."""

from typing import Any

import pytest

from partwise.settings import Settings
from tests.conftest import Serve
from tests.support.doors import Doors, body_of
from tests.support.harness import BATCH, Api, Backend, faults, part

SCRIPT = """
CREATE TABLE slot (starts {naive} PRIMARY KEY, opens TIME, seen {aware} UNIQUE, note VARCHAR(20))
"""
ROWS = [
    {"starts": "2026-12-02T08:00", "opens": "08:00", "seen": "2026-12-02T08:00Z", "note": "first"},
    {"starts": "2026-12-02T08:00:30", "opens": "08:00:30", "seen": "2026-12-02T08:00:30Z", "note": "second"},
]
FIRST = "/slots/2026-12-02T08%3A00%3A00"


@pytest.fixture
def slots(backend: Backend, start: Serve) -> Api:
    return served(backend, start)


def served(backend: Backend, start: Serve) -> Api:
    backend.run(SCRIPT)
    api = start(backend)
    written = api.batch(*(part(row["note"], "CREATE", "/slots", row) for row in ROWS))
    assert written["committed"], written
    return api


def test_a_key_in_a_path_may_leave_out_seconds_that_are_zero(slots: Api):
    for path in ("/slots/2026-12-02T08:00", "/slots/2026-12-02T08%3A00", "/slots/seen=2026-12-02T08:00Z", FIRST):
        found = slots.one("GET", path)
        assert (found["status"], found["path"], found["payload"]["note"]) == (200, FIRST, "first"), path
        assert slots.query("query ($p: ID!) { node(path: $p) { path } }", p=path) == {"node": {"path": FIRST}}

    written = slots.batch(
        part("a", "UPDATE", "/slots/2026-12-02T08:00", {"note": "A"}),
        part("b", "UPSERT", "/slots/2026-12-02T08:00", {"starts": "2026-12-02T08:00", "note": "B"}),
        part("c", "CREATE", "/slots/2026-12-03T09:30", {"opens": "09:30"}),
    )
    assert [(each["status"], each["path"]) for each in written["parts"]] == [
        (200, FIRST),
        (200, FIRST),
        (201, "/slots/2026-12-03T09%3A30%3A00"),
    ]

    refused = slots.batch(
        part("zero", "GET", "/slots/2026-12-02T08"), part("fraction", "GET", "/slots/2026-12-02T08:00:00.000")
    )
    assert faults(refused) == {name: [("INVALID_PATH", "/path")] for name in ("zero", "fraction")}


def test_filters_and_arguments_take_times_without_seconds(slots: Api):
    for condition in (
        'starts: { eq: "2026-12-02T08:00" }',
        'starts: { in: ["2026-12-02T08:00"] }',
        'starts: { lt: "2026-12-02T08:01", notIn: ["2026-12-02T08:00:30"] }',
        'opens: { eq: "08:00" }',
        'seen: { eq: "2026-12-02T10:00+02:00" }',
    ):
        found = slots.query(f"{{ slots(filter: {{ {condition} }}) {{ nodes {{ starts opens seen }} }} }}")
        (node,) = found["slots"]["nodes"]
        assert node == {"starts": "2026-12-02T08:00:00", "opens": "08:00:00", "seen": "2026-12-02T08:00:00Z"}, condition
    assert slots.query('{ slot(starts: "2026-12-02T08:00") { note } }') == {"slot": {"note": "first"}}
    page = slots.one("GET", "/slots?opens=08:00")
    assert [each["note"] for each in page["payload"]["items"]] == ["first"]


def test_both_doors_write_times_without_seconds_alike(backend: Backend, start: Serve):
    doors = Doors(served(backend, start), Settings(database_url=backend.url))
    days = range(1, 4)
    values: list[dict[str, Any]] = [
        {"starts": f"2027-01-0{day}T08:00", "opens": "23:59", "seen": f"2027-01-0{day}T08:00+01:00"} for day in days
    ]
    batches = [
        [part(str(place), "CREATE", "/slots", each) for place, each in enumerate(values)],
        [part("one", "CREATE", "/slots", values[0])],
        [part(str(place), "CREATE", "/slots", item={"slot": each}) for place, each in enumerate(values)],
        [part("path", "UPDATE", "/slots/2026-12-02T08:00", {"opens": "07:15"}), part("g", "GET", FIRST)],
        [part("bad", "UPDATE", FIRST, {"seen": "2026-12-02T08:00"}), part("hour", "UPDATE", FIRST, {"opens": "08"})],
    ]
    before = backend.dump()
    for parts in batches:
        _, was_fast = doors.ask(body_of(BATCH, {"parts": parts, "dryRun": True}))
        assert was_fast, parts
    assert backend.dump() == before


def test_the_refusal_of_an_instant_without_zone_shows_one_with_a_zone(slots: Api, backend: Backend):
    before = backend.dump()
    for value in ("2026-12-02T08:00", "2026-12-02T08:00:00", "yesterday"):
        (error,) = slots.one("UPDATE", FIRST, {"seen": value})["errors"]
        assert error["code"] == "INVALID_VALUE"
        assert "2026-12-31T23:59:59Z" in error["message"], value
    assert backend.dump() == before
