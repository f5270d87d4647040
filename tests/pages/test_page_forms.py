"""The fields of the console: what they suggest, what they take of every type, and what they say, in a real browser."""

import shutil
from pathlib import Path

import pytest

from tests.support.browser import Browse, find_chromium, use
from tests.support.every_type import TABLE
from tests.support.harness import Backend
from tests.support.music import SCRIPT
from tests.support.program import free_port, serving
from tests.support.seats import SEATS

pytestmark = pytest.mark.usefixtures("built_pages")


def test_what_is_below_the_items_of_earlier_parts_is_suggested(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("suggestEarlier", sqlite)

    assert seen["first"][:2] == [
        ["/artists/$a", "the item of part a"],
        ["/artists/$a/albums", "Album, below part a"],
    ]
    assert seen["first"][2][0] == "/albums"  # nothing of the part that deletes
    assert seen["typed"] == ["/artists/$a/albums", "/albums"]
    assert seen["chosen"] == "/artists/$a/albums"
    everything = ["CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE", "GET"]
    assert seen["operations"] == {
        "": ["CREATE", *everything],
        "/artists/$a/albums": ["CREATE", "CREATE", "UPSERT", "GET"],
        "/artists/$a": ["UPDATE", "UPDATE", "REPLACE", "DELETE", "GET"],
        "/artists": ["CREATE", "CREATE", "UPSERT", "GET"],
        "/artists/1": ["UPDATE", "UPDATE", "REPLACE", "UPSERT", "DELETE", "CREATE", "GET"],
        "/artists?limit=2": ["GET", "GET"],
        "/nothing": ["GET", *everything],
    }
    assert seen["kept"] == "GET"


def test_each_type_has_its_control_and_is_sent_as_the_api_takes_it(browse: Browse, sqlite: Backend):
    sqlite.run(TABLE)
    seen = browse("types", sqlite)

    assert seen["kinds"] == {
        **dict.fromkeys(("id", "small", "whole", "big", "single", "double", "price", "exact"), "text"),
        **dict.fromkeys(("short", "fixed", "token", "bytes"), "text"),
        **dict.fromkeys(("long", "document"), "textarea"),
        "flag": "select-one",
        "day": "date",
        "clock": "time",
        "local": "datetime-local",
        "instant": "datetime-local",
    }
    assert seen["hint"] == "your time (Europe/Berlin), sent in UTC: 2026-07-01T06:05:00Z"
    assert seen["picked"] == {
        "small": -7,
        "big": "9007199254740993",
        "double": 0.1,
        "price": "12.50",
        "flag": False,
        "short": "O'Hara",
        "long": "two\nlines",
        "day": "2026-07-01",
        "clock": "08:05:00",
        "local": "2026-07-01T08:05:00",
        "instant": "2026-07-01T06:05:00Z",
        "token": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "bytes": "AAEC",
        "document": {"a": [1.5]},
    }
    assert seen["said"] == "Committed. All parts were saved."
    rows = sqlite.rows("SELECT small, big, price, flag, long, day, clock, document, hex(bytes) FROM every_type")
    assert rows == [(-7, 9007199254740993, 12.5, 0, "two\nlines", "2026-07-01", "08:05:00", '{"a":[1.50]}', "000102")]
    # What no picker holds is typed, null is null, and an emptied field is left out.
    assert seen["typed"] == {
        "big": "9007199254740993",
        "double": "1e999",
        "price": "12.50",
        "flag": None,
        "short": "O'Hara",
        "long": "two\nlines",
        "day": None,
        "clock": "08:05:00.25",
        "local": "infinity",
        "token": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "bytes": "AAEC",
        "document": {"a": [1.5]},
    }
    unfinished = "INCOMPLETE This is not complete: fill in all of it, or clear it."
    assert seen["incomplete"] == [{"part": "Part 1, a", "field": "day", "said": unfinished}]
    assert not seen["emptied"]
    assert seen["rejected"] == "Rejected. Nothing was written."
    assert [(mark["field"], mark["said"].split()[0]) for mark in seen["marks"]] == [
        ("double", "INVALID_VALUE"),
        ("local", "INVALID_VALUE"),
    ]


def test_the_items_that_a_foreign_key_can_point_at_are_offered(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("targets", sqlite)

    assert seen["before"] == 0
    assert seen["offered"] == [["1", "1 · Audio"], ["2", "2 · Video"]]
    assert seen["payload"] == {"mediaTypeId": 2}
    assert seen["accessible"] == []


THINGS = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE thing (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, mood mood, moods mood[], tags TEXT[], counts INTEGER[], address INET, lasting INTERVAL,
  flag BOOLEAN, document JSONB, at TIMESTAMPTZ
);
INSERT INTO thing (id, name, mood, flag, document, at) VALUES (1, 'one', 'sad', true, '{"a": 1}', '2026-01-31 12:00:00.5+00')"""


def test_the_types_of_postgresql_have_their_controls_and_null_is_not_left_out(browse: Browse, postgresql: Backend):
    postgresql.run(THINGS)
    seen = browse("postgresqlTypes", postgresql)

    assert seen["choices"] == ["", "sad", "glad"]
    assert seen["how"] == ["left out", "value"]
    assert seen["howMood"] == ["left out", "value", "null"]
    assert "your time (Europe/Berlin), sent in UTC · now 2026-01-31T12:00:00.500000Z" in seen["now"]
    assert seen["payload"] == {
        "mood": "glad",
        "tags": ["a", None],
        "counts": [1, 2],
        "address": "10.0.0.1",
        "lasting": "P1D",
        "flag": None,
        "document": None,
    }
    assert seen["marks"] == []
    assert seen["said"] == "Committed. All parts were saved."
    assert postgresql.rows("SELECT name, mood::text, tags, counts, host(address), flag, document FROM thing") == [
        ("one", "glad", ["a", None], [1, 2], "10.0.0.1", None, None)
    ]


PEOPLE = """
CREATE TABLE team (id {key}, name TEXT);
CREATE TABLE people (
  id {key}, full_name VARCHAR(40) NOT NULL, email VARCHAR(60) NOT NULL, country VARCHAR(2) NOT NULL, points INTEGER NOT NULL DEFAULT 5,
  rate NUMERIC(4,2), birth_day DATE, team_id INTEGER REFERENCES team (id),
  created_at {naive} NOT NULL DEFAULT CURRENT_TIMESTAMP, seen_at {naive} DEFAULT CURRENT_TIMESTAMP
)"""


def test_fields_say_what_they_take_and_what_happens_when_they_are_left_empty(browse: Browse, sqlite: Backend):
    sqlite.run(PEOPLE)
    seen = browse("hints", sqlite)

    fields = seen["seen"]
    made = "generated if empty"
    assert {name: each["hint"] for name, each in fields.items()} == {
        "id": made,
        "fullName": "at most 40 characters",
        "email": "at most 60 characters",
        "country": "at most 2 characters",
        "points": "5 if empty",
        "rate": "4 digits, 2 decimal places",
        "birthDay": "",
        "teamId": "id of Team",
        "createdAt": f"without a time zone: sent as entered · {made}",
        "seenAt": f"without a time zone: sent as entered · {made}",
    }
    assert {name: each["placeholder"] for name, each in fields.items()} == {
        "id": "",
        "fullName": "e.g. Ada King",
        "email": "e.g. ada@example.org",
        "country": "e.g. GB",
        "points": "",
        "rate": "e.g. 9.50",
        "birthDay": None,
        "teamId": "",
        "createdAt": None,
        "seenAt": None,
    }
    assert [name for name, each in fields.items() if each["isRequired"]] == ["fullName", "email", "country"]
    assert seen["inUpsert"] == ["required if new"] * 3


def test_fields_say_what_a_model_takes_and_what_it_gives(sqlite: Backend, tmp_path: Path):
    shutil.copy(Path(__file__).parents[1] / "support" / "models_limited.py", tmp_path / "wares.py")
    arguments = [sqlite.url, "--models", "wares", "--create-tables"]
    with serving(arguments, tmp_path, port=free_port()) as program:
        seen = use(find_chromium(), program.url, "modelHints")

    given = {name: each["hint"] for name, each in seen["parcel"].items()}
    made = "generated if empty"
    assert {name: hint.removesuffix(" if empty") for name, hint in given.items() if hint != made} == {
        "quantity": "1",
        "zero": "at least 0 · 0",
        "far": "9007199254740993",
        "grade": "SECOND",
        "formerGrade": "first",
        "fee": "6 digits, 2 decimal places · 2.50",
        "rate": "1.0",
        "isOpen": "false",
        "label": "plain",
        "empty": "an empty text",
        "day": "2026-01-31",
        "opened": "your time (Europe/Berlin), sent in UTC · 2026-01-31T10:00:00Z",
        "owner": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "seal": "bytes, as Base64 · AAE=",
        "options": 'JSON, like {"a": 1} or "text" · {"a":[1]}',
        "tags": 'JSON, like {"a": 1} or "text" · []',
        "ofColumn": "3",
        "ofBoth": "4",
        "ofDatabase": "6",
        "madeAt": "your time (Europe/Berlin), sent in UTC · generated",
        "note": "",
        "needed": "",
    }
    assert sorted(name for name, hint in given.items() if hint == made) == ["id", "stamped", "token"]
    assert {name: each["hint"] for name, each in seen["ware"].items() if name not in {"id", "tags"}} == {
        "atLeast": "at least 1",
        "above": "at least 1",
        "between": "-5 to 99",
        "half": "4 digits, 1 decimal place · 0.6 to 9.5",
        "loose": "",
        "several": "7 to 9",
        "inner": "3 to 8",
        "fieldInside": "at least 4",
        "small": "-32768 to 99",
        "big": "at least 1",
        "price": "8 digits, 2 decimal places · at least 0.00",
        "paid": "8 digits, 2 decimal places · 0.01 to 999.99",
        "rough": "0.125 to 10",
        "open": "",
        "digits": "5 digits, 2 decimal places",
        "places": "9 digits, 1 decimal place",
        "both": "5 digits, 2 decimal places",
        "share": "0.0 to 1.0",
        "ratio": "",
        "name": "1 to 30 characters",
        "code": "2 to 4 characters",
        "word": "3 to 5 characters",
        "note": "",
        "seal": "bytes, as Base64 · 2 to 8 bytes",
        "day": "",
    }
    assert seen["said"] == "Committed. All parts were saved."
    assert sqlite.rows("SELECT needed, quantity, label FROM parcels") == [(1, 1, "plain")]


def test_what_was_said_of_former_parts_is_marked_so(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("former", sqlite)

    formerly = "It was rejected before your changes. Nothing was written."
    assert seen["said"] == [
        "Rejected. Nothing was written.",
        formerly,
        "Rejected. Nothing was written.",
        formerly,
        "Committed. All parts were saved.",
        "It was committed before your changes. All parts were saved.",
    ]
    assert [line.split()[:3] for line in seen["left"]] == [["Part", "b", "REQUIRED"]]
    assert seen["announced"] == "Run it again."
    assert seen["without"] == []
    assert seen["caution"].startswith("Running it again repeats every part")
    assert seen["accessible"] == []
    assert sqlite.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" > 3') == [("Neu",)]


def test_a_part_without_a_path_says_at_its_path_what_to_do(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    before = sqlite.dump()
    seen = browse("noPath", sqlite)

    said = "NO_PATH This part has no path yet: choose one, such as /albums, or remove the part."
    assert seen["marks"] == [{"part": "Part 2, b", "field": "Path", "said": said}]
    assert seen["focused"] == ["p2-path", "p2-path"]
    assert seen["afterEnter"] == 0  # what Enter has run
    assert seen["title"] == "What to send for name"
    assert seen["afterTyping"] == []
    assert seen["accessible"] == []
    assert sqlite.dump() == before


def test_a_reference_that_does_not_fit_is_announced_at_what_chose_it(browse: Browse, sqlite: Backend):
    sqlite.run(SEATS)
    before = sqlite.dump()
    seen = browse("badReference", sqlite)

    assert seen["isInvalid"] == "true"
    assert seen["described"][0].startswith("INVALID_REFERENCE")
    assert seen["accessible"] == []
    assert sqlite.dump() == before


UNTYPED = """
CREATE TABLE k (id PRIMARY KEY NOT NULL, v);
INSERT INTO k VALUES (1, 1), ('1', '1'), (7.0, 1.0), (2.5, NULL), (1e300, x'00'), (9e999, ''), (x'0aff', 2), ('', 3), ('a b', 4),
  (9007199254740993, 5), (1152921504606846976.0, 6), ('''q''', 7), (0.1, 8)
"""


def test_values_without_a_declared_type_are_written_as_json_and_their_keys_as_paths_have_them(
    browse: Browse, sqlite: Backend
):
    sqlite.run(UNTYPED)
    seen = browse("anyValues", sqlite)

    assert sorted(seen["suggested"]) == sorted(
        [
            *(
                "/ks/1",
                "/ks/%271%27",
                "/ks/7",
                "/ks/2.5",
                "/ks/1e%2B300",
                "/ks/Infinity",
                "/ks/X%270AFF%27",
                "/ks/%27%27",
            ),
            *("/ks/a%20b", "/ks/9007199254740993", "/ks/1152921504606846976", "/ks/%27%27q%27%27", "/ks/0.1"),
        ]
    )
    assert seen["hint"] == 'JSON: a number, "text", or bytes like {"base64": "AAEC"} · now "1"'
    numbers = [{"v": 1}, {"v": 1}]  # what a person writes as 1.0 is sent so; the scenario reads it as JavaScript does
    assert seen["sent"] == [{"v": "1"}, *numbers, {"v": {"base64": "AAEC"}}, {"v": {"int": "9007199254740993"}}]
    assert (seen["said"], seen["marks"], seen["accessible"]) == ("Committed. All parts were saved.", [], [])
    assert sqlite.rows("SELECT typeof(v), v FROM k WHERE id = '1'") == [("integer", 9007199254740993)]
