"""Bad paths, payloads, values and preconditions: each gets its code and its place, and no table changes.

The rows of "Bad input and what it gets" that are about parts, through HTTP on both databases.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, Json, faults, part
from tests.support.music import SCRIPT as MUSIC

# Every type of value, and keys of text: nobody designed these either.
SCRIPT = """
CREATE TABLE "Sample" (
  "SampleId" {key}, "Small" SMALLINT, "Whole" INTEGER, "Large" BIGINT, "Real" {double}, "Price" NUMERIC(10,2),
  "Flag" BOOLEAN, "Name" VARCHAR(10), "Data" {bytes}, "Day" DATE, "Clock" TIME, "Seen" {aware}, "Planned" {naive},
  "Token" UUID, "Notes" {json}, "Twice" INTEGER GENERATED ALWAYS AS ("Whole" * 2) STORED
);
INSERT INTO "Sample" ("SampleId", "Whole", "Name") VALUES (1, 1, 'one');
CREATE TABLE "Airport" ("Code" VARCHAR(40) PRIMARY KEY, "City" VARCHAR(40));
INSERT INTO "Airport" ("Code", "City") VALUES ('A', 'Aachen'), ('é', 'Évora'), ('a/b', 'Slash'), ('1', 'One'), ('', 'Nowhere');
"""

LEAKS = ("Traceback", 'File "', "SELECT ", "INSERT ", 'UPDATE "', "DELETE FROM", "sqlite3", "psycopg", "sqlalchemy")


@pytest.fixture
def api(backend: Backend, start: Serve) -> Api:
    """The music shop and two tables more, the name of the media types closed by configuration."""
    backend.run(MUSIC)
    backend.run(SCRIPT)
    return start(backend, resources={"MediaType": {"attributes": {"Name": {"read_only": True}}}})


def refused(api: Api, backend: Backend, cases: Mapping[str, Json]) -> dict[str, list[tuple[str, str | None]]]:
    """Run each part alone: its faults. The answers say nothing of our insides, and no table changes."""
    before = backend.dump()
    found: dict[str, list[tuple[str, str | None]]] = {}
    for name, sent in cases.items():
        answer = api.post(BATCH, {"parts": [{"id": "p", **sent}]})
        result: Json = (answer["data"] or {}).get("batch")
        if result is None:
            found[name] = [(str(answer["errors"]), None)]
            continue
        if result["status"] != "REJECTED":
            found[name] = [(result["status"], None)]
            continue
        messages = str([error["message"] for each in result["parts"] for error in each["errors"]])
        assert not [leak for leak in LEAKS if leak in messages], messages
        found[name] = faults(result)["p"]
    changed = backend.dump() != before
    assert not changed, {name: each for name, each in found.items() if each[0][1] is None}
    return found


def wrong(found: Mapping[str, list[Any]], expected: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Compare, the order of faults aside: what is otherwise than expected."""
    assert found.keys() == expected.keys()
    return {name: each for name, each in found.items() if sorted(each) != sorted(expected[name])}


def request_code(api: Api, query: str, variables: Mapping[str, Any] | None = None) -> str:
    """Send what is refused as a whole: the code."""
    answer = api.http.post("/graphql", json={"query": query, "variables": variables or {}})
    assert answer.status_code in {200, 400}, answer.text
    assert not [leak for leak in LEAKS if leak in answer.text]
    body = answer.json()
    assert (body.get("data") or {}).get("batch") is None
    codes = {error["extensions"]["code"] for error in body["errors"]}
    assert len(codes) == 1, body
    return str(codes.pop())


def get(path: str) -> Json:
    return {"operation": "GET", "path": path}


def update(path: str, payload: Json) -> Json:
    return {"operation": "UPDATE", "path": path, "payload": payload}


def create(path: str, payload: Json) -> Json:
    return {"operation": "CREATE", "path": path, "payload": payload}


BAD_PATHS = {  # path -> code
    "": "INVALID_PATH",
    "/": "INVALID_PATH",
    "albums/1": "INVALID_PATH",
    "//albums/1": "INVALID_PATH",
    "/albums//1": "INVALID_PATH",
    "/albums/1/": "INVALID_PATH",
    "/albums/..": "INVALID_PATH",
    "/albums/../albums/1": "INVALID_PATH",
    "/./albums/1": "UNKNOWN_RESOURCE",
    "/../albums/1": "UNKNOWN_RESOURCE",
    "/albums/1%2F": "INVALID_PATH",
    "/albums/1%00": "INVALID_PATH",
    "/albums/1\x00": "INVALID_PATH",
    "/albums/\ud800": "INVALID_PATH",
    "/albums/%20": "INVALID_PATH",
    "/albums/01": "INVALID_PATH",
    "/albums/1.0": "INVALID_PATH",
    "/albums/1e0": "INVALID_PATH",
    "/albums/%D9%A1": "INVALID_PATH",
    "/albums/2147483648": "INVALID_PATH",
    "/albums/9223372036854775808": "INVALID_PATH",
    "/albums/1;DROP TABLE Album": "INVALID_PATH",
    "/albums/1 OR 1=1": "INVALID_PATH",
    "/albums/" + "1" * 10_240: "INVALID_PATH",
    "/airports/" + "a" * 10_240: "INVALID_PATH",
    "/albums/1" + "/tracks/1" * 5_000: "INVALID_PATH",
    "/playlistTracks/1": "INVALID_PATH",
    "/employees/email=": "NOT_FOUND",
    "/nothing/1": "UNKNOWN_RESOURCE",
    "/Album/1": "UNKNOWN_RESOURCE",
    "/sqlite_master/1": "UNKNOWN_RESOURCE",
    "/pg_catalog.pg_class/1": "UNKNOWN_RESOURCE",
    '/albums\'; DROP TABLE "Album"; --/1': "UNKNOWN_RESOURCE",
    "/airports/a": "NOT_FOUND",
    "/airports/e%CC%81": "NOT_FOUND",
    "/airports/%EF%BC%A1": "NOT_FOUND",
    "/airports/%C3%89": "NOT_FOUND",
    "/airports/A%20": "NOT_FOUND",
    "/airports/%25": "NOT_FOUND",
    "/airports/_": "NOT_FOUND",
    "/airports/01": "NOT_FOUND",
    "/airports/1.0": "NOT_FOUND",
    "/airports/..": "NOT_FOUND",
    "/airports/A%00": "INVALID_PATH",
    "/airports/%27%20OR%20%27%27%3D%27": "NOT_FOUND",
    '/airports/\'; DROP TABLE "Airport"; --': "NOT_FOUND",
    "/albums/99": "NOT_FOUND",
    "/artists/1/albums/2": "NOT_FOUND",
    "/artists/99/albums/1": "NOT_FOUND",
    "/artists/2/albums/1/tracks/1": "NOT_FOUND",
    "/albums/1/artist": "UNKNOWN_RESOURCE",
}


@pytest.mark.parametrize("operation", ["GET", "DELETE", "UPDATE"])
def test_a_bad_path_never_leads_to_another_item(api: Api, backend: Backend, operation):
    paths = {path: code for path, code in BAD_PATHS.items() if operation == "GET" or path != "/albums/1/artist"}

    found = refused(api, backend, {path: {"operation": operation, "path": path} for path in paths})

    assert wrong(found, {path: [(code, "/path")] for path, code in paths.items()}) == {}


def test_a_bad_query_of_a_path_is_an_invalid_path(api: Api, backend: Backend):
    queries = [
        "colour=1",
        "limit=x",
        "limit=-1",
        "limit=1001",
        "limit=9999999999999999999",
        "offset=-1",
        "orderBy=colour",
    ]
    queries += [
        "artistId=x",
        "artistId=1%20OR%201%3D1",
        "orderBy=title%3BDROP",
        "title=%00",
        "title",
        "limit=1&limit=2",
        "title=a=b",
    ]

    found = refused(api, backend, {query: get(f"/albums?{query}") for query in queries})
    found |= refused(api, backend, {"/tracks?unitPrice": get("/tracks?unitPrice=1e9999999999999999999")})

    assert wrong(found, {query: [("INVALID_PATH", "/path")] for query in [*queries, "/tracks?unitPrice"]}) == {}


@pytest.mark.parametrize(("operation", "path"), [("GET", "/albums/1"), ("DELETE", "/albums/1"), ("CREATE", "/albums")])
def test_a_query_where_none_is_taken_is_an_invalid_path_that_points_at_the_query(api: Api, operation, path):
    result = api.one(operation, f"{path}?limit=1", {"title": "T", "artistId": 1} if operation == "CREATE" else None)

    (error,) = result["errors"]
    assert (result["status"], error["code"], error["pointer"]) == (400, "INVALID_PATH", "/path")
    assert f"character {len(path)} " in error["message"] or f"character {len(path) + 1} " in error["message"]


BAD_PAYLOADS: Mapping[str, tuple[Json, list[tuple[str, str]]]] = {  # name -> part, its faults
    "a list": (update("/albums/1", []), [("INVALID_PAYLOAD", "/payload")]),
    "a list of objects": (update("/albums/1", [{"title": "T"}]), [("INVALID_PAYLOAD", "/payload")]),
    "text": (update("/albums/1", "title"), [("INVALID_PAYLOAD", "/payload")]),
    "a number": (update("/albums/1", 0), [("INVALID_PAYLOAD", "/payload")]),
    "false": (create("/albums", False), [("INVALID_PAYLOAD", "/payload")]),
    "with GET": ({**get("/albums/1"), "payload": {"title": "T"}}, [("INVALID_PAYLOAD", "/payload")]),
    "with DELETE": (part("p", "DELETE", "/invoices/1", {"total": 1}), [("INVALID_PAYLOAD", "/payload")]),
    "the item of another resource": (
        {"operation": "UPDATE", "path": "/albums/1", "item": {"artist": {"name": "N"}}}, [("INVALID_PAYLOAD", "/item")]),
    "another key": (update("/albums/1", {"albumId": 2}), [("READ_ONLY", "/payload/albumId")]),
    "another key in a composite key": (update("/playlistTracks/1,1", {"trackId": 4}), [("READ_ONLY", "/payload/trackId")]),
    "a generated attribute": (update("/samples/1", {"twice": 2}), [("READ_ONLY", "/payload/twice")]),
    "a read-only attribute": (update("/mediaTypes/1", {"name": "N"}), [("READ_ONLY", "/payload/name")]),
    "a read-only attribute, null": (update("/mediaTypes/1", {"name": None}), [("READ_ONLY", "/payload/name")]),
    "an unknown attribute": (update("/albums/1", {"colour": 1}), [("UNKNOWN_ATTRIBUTE", "/payload/colour")]),
    "the name of the column": (update("/albums/1", {"Title": "T"}), [("UNKNOWN_ATTRIBUTE", "/payload/Title")]),
    "a relation as attribute": (update("/albums/1", {"artist": 1}), [("UNKNOWN_ATTRIBUTE", "/payload/artist")]),
    "a name that a pointer escapes": (update("/albums/1", {"a/b~c": 1}), [("UNKNOWN_ATTRIBUTE", "/payload/a~1b~0c")]),
    "an empty name": (update("/albums/1", {"": 1}), [("UNKNOWN_ATTRIBUTE", "/payload/")]),
    "a name of Python": (update("/albums/1", {"__class__": 1}), [("UNKNOWN_ATTRIBUTE", "/payload/__class__")]),
    "SQL as a name": (update("/albums/1", {'Title" = \'\' --': 1}), [("UNKNOWN_ATTRIBUTE", '/payload/Title" = \'\' --')]),
    "a name with a lone surrogate": (update("/albums/1", {"\ud800": 1}), [("UNKNOWN_ATTRIBUTE", "/payload/\ud800")]),
    "null where there must be a value": (update("/albums/1", {"title": None}), [("REQUIRED", "/payload/title")]),
    "nothing at all": (create("/albums", {}), [("REQUIRED", "/payload/title"), ("REQUIRED", "/payload/artistId")]),
    "a parent that is not the path's": (
        create("/artists/1/albums", {"title": "T", "artistId": 2}), [("INVALID_VALUE", "/payload/artistId")]),
    "a parent that is not the path's, replaced": (
        part("p", "REPLACE", "/artists/1/albums/1", {"title": "T", "artistId": 2}), [("INVALID_VALUE", "/payload/artistId")]),
}  # fmt: skip


def test_a_bad_payload_is_refused_at_its_attribute(api: Api, backend: Backend):
    found = refused(api, backend, {name: sent for name, (sent, _) in BAD_PAYLOADS.items()})

    assert wrong(found, {name: expected for name, (_, expected) in BAD_PAYLOADS.items()}) == {}


RELATIONS_AS_ATTRIBUTES = {
    "to one": (update("/albums/1", {"artist": {"name": "A"}}), "artist", ("artistId", "references")),
    "to one, by its key": (create("/albums", {"title": "T", "artist": 3}), "artist", ("artistId", "references")),
    "to one, null": (update("/albums/1", {"artist": None}), "artist", ("artistId", "references")),
    "to many": (update("/artists/1", {"albums": [{"title": "T"}]}), "albums", ("/artists/{artistId}/albums",)),
    "to many, with a key of two": (
        update("/playlists/1", {"playlistTracks": []}),
        "playlistTracks",
        ("/playlists/{playlistId}/playlistTracks",),
    ),
}


def test_a_relation_as_an_attribute_is_told_what_to_give_instead(api: Api, backend: Backend):
    before = backend.dump()

    for name, (sent, relation, hints) in RELATIONS_AS_ATTRIBUTES.items():
        error = api.batch({"id": "p", **sent})["parts"][0]["errors"][0]

        expected = ("UNKNOWN_ATTRIBUTE", f"/payload/{relation}", [relation])
        assert (error["code"], error["pointer"], error["attributes"]) == expected, name
        assert f"{relation} is a relation of " in error["message"], name
        assert all(hint in error["message"] for hint in hints), error["message"]
    assert backend.dump() == before


def test_payload_and_item_together_are_an_invalid_payload(api: Api, backend: Backend):
    sent = {**update("/albums/1", {"title": "T"}), "item": {"album": {"title": "T"}}}

    (fault,) = refused(api, backend, {"both": sent})["both"]

    assert fault[0] == "INVALID_PAYLOAD"
    assert fault[1] in {"/payload", "/item"}


BAD_VALUES: Mapping[str, list[Any]] = {  # attribute -> values, each of them refused
    "small": [2**15, -(2**15) - 1, "1", True],
    "whole": [2**31, -(2**31) - 1, 2**63, 10**400, 1.0, 1.5, "1", "", True, [], {}],
    "large": [2**63, -(2**63) - 1, str(2**63), "9" * 5_000, "01", " 1", "1.0", "\u0661", "1\u0662", 1.0, True],
    "real": ["1.5", "NaN", True, 10**400, [], {}],
    "price": ["0.999", 0.999, 10**8, "1" * 40, int("1" * 40), "NaN", "Infinity", "1e9999999999999999999", "\u0661", "", "x", True],
    "flag": [0, 1, "true", "", []],
    "name": ["\x00", "a\x00b", "\ud800", "a\udfff", "12345678901", 1, True, ["x"], {}],
    "data": ["A", "AA", "-_-_", "A A=", "\x00", 1, []],
    "day": ["2026-02-30", "2023-02-29", "0000-01-01", "10000-01-01", "31.12.2020", "20260101", "2026-01-01T00:00:00", "", 0],
    "clock": ["24:00:00", "23:59:60", "12:00:00Z", "12:00:00+02:00", "12:00:00.1234567", "", 0],
    "seen": ["2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00", "2026-01-01", "", 0],
    "planned": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+02:00", "2026-02-30T00:00:00", "0000-01-01T00:00:00", "", 0],
    "token": ["x", "", "{0198c0de-0000-7000-8000-0000000000ff}", "0198c0de0000700080000000000000ff", 1],
    "notes": ["\x00", "\ud800", ["a\x00"], {"\x00": 1}, {"a": [{"b": "\ud800"}]}],
}  # fmt: skip


@pytest.mark.parametrize("operation", ["UPDATE", "CREATE"])
def test_a_bad_value_is_refused_at_its_attribute_alike_on_each_database(api: Api, backend: Backend, operation):
    path = "/samples/1" if operation == "UPDATE" else "/samples"
    cases = {
        f"{name} {number}": part("p", operation, path, {name: raw})
        for name, values in BAD_VALUES.items()
        for number, raw in enumerate(values)
    }

    found = refused(api, backend, cases)

    assert wrong(found, {case: [("INVALID_VALUE", f"/payload/{case.split()[0]}")] for case in cases}) == {}


def test_all_bad_values_of_a_part_are_listed_at_once(api: Api, backend: Backend):
    (found,) = refused(
        api, backend, {"all": update("/samples/1", {name: raws[0] for name, raws in BAD_VALUES.items()})}
    ).values()

    assert sorted(found) == sorted(("INVALID_VALUE", f"/payload/{name}") for name in BAD_VALUES)


@pytest.mark.parametrize("operation", ["UPDATE", "REPLACE", "UPSERT"])
@pytest.mark.parametrize("path", ["/albums/1", "/albums/99"], ids=["there", "not there"])
def test_another_key_is_listed_beside_what_else_is_wrong(api: Api, backend: Backend, operation: str, path: str):
    payload = {"albumId": 2, "title": None, "artistId": 1, "nothing": 1}

    found = refused(api, backend, {"part": {"operation": operation, "path": path, "payload": payload}})

    assert sorted(found["part"]) == [
        ("READ_ONLY", "/payload/albumId"),
        ("REQUIRED", "/payload/title"),
        ("UNKNOWN_ATTRIBUTE", "/payload/nothing"),
    ]


BAD_ITEMS: Mapping[str, tuple[str, Json, list[tuple[str, str]]]] = {  # name -> path, item, faults
    "NUL": ("/albums/1", {"album": {"title": "a\x00"}}, [("INVALID_VALUE", "/item/album/title")]),
    "a lone surrogate": ("/albums/1", {"album": {"title": "\ud800"}}, [("INVALID_VALUE", "/item/album/title")]),
    "too long": ("/albums/1", {"album": {"title": "a" * 161}}, [("INVALID_VALUE", "/item/album/title")]),
    "null": ("/albums/1", {"album": {"title": None}}, [("REQUIRED", "/item/album/title")]),
    "another key": ("/albums/1", {"album": {"albumId": 2}}, [("READ_ONLY", "/item/album/albumId")]),
    "16 bits": ("/samples/1", {"sample": {"small": 2**15}}, [("INVALID_VALUE", "/item/sample/small")]),
    "64 bits": ("/samples/1", {"sample": {"large": 2**63}}, [("INVALID_VALUE", "/item/sample/large")]),
    "40 digits": ("/samples/1", {"sample": {"price": "1" * 40}}, [("INVALID_VALUE", "/item/sample/price")]),
    "an endless exponent": ("/samples/1", {"sample": {"price": "1e9999999999999999999"}}, [("INVALID_VALUE", "/item/sample/price")]),
    "30 February": ("/samples/1", {"sample": {"day": "2026-02-30"}}, [("INVALID_VALUE", "/item/sample/day")]),
    "year 0": ("/samples/1", {"sample": {"day": "0000-01-01"}}, [("INVALID_VALUE", "/item/sample/day")]),
    "naive for aware": ("/samples/1", {"sample": {"seen": "2026-01-01T00:00:00"}}, [("INVALID_VALUE", "/item/sample/seen")]),
    "aware for naive": ("/samples/1", {"sample": {"planned": "2026-01-01T00:00:00Z"}}, [("INVALID_VALUE", "/item/sample/planned")]),
    "no Base64": ("/samples/1", {"sample": {"data": "A"}}, [("INVALID_VALUE", "/item/sample/data")]),
    "no UUID": ("/samples/1", {"sample": {"token": "x"}}, [("INVALID_VALUE", "/item/sample/token")]),
    "JSON with NUL": ("/samples/1", {"sample": {"notes": ["\x00"]}}, [("INVALID_VALUE", "/item/sample/notes")]),
    "two": ("/samples/1", {"sample": {"day": "x", "small": 99_999}}, [("INVALID_VALUE", "/item/sample/day"), ("INVALID_VALUE", "/item/sample/small")]),
}  # fmt: skip


def test_a_bad_value_of_an_item_is_refused_at_its_own_place(api: Api, backend: Backend):
    cases = {name: {"operation": "UPDATE", "path": path, "item": item} for name, (path, item, _) in BAD_ITEMS.items()}

    found = refused(api, backend, cases)

    assert wrong(found, {name: expected for name, (_, _, expected) in BAD_ITEMS.items()}) == {}


def test_what_an_item_leaves_out_is_required_at_its_place(api: Api, backend: Backend):
    sent = {"operation": "CREATE", "path": "/albums", "item": {"album": {"artistId": 1}}}

    assert refused(api, backend, {"p": sent}) == {"p": [("REQUIRED", "/item/album/title")]}


def test_in_an_item_the_coercion_of_graphql_holds(api: Api):
    result = api.one("UPDATE", "/samples/1", None, item={"sample": {"whole": 2.0, "real": 3}})

    assert (result["status"], result["payload"]["whole"], result["payload"]["real"]) == (200, 2, 3.0)


WRONG_INTS: list[Any] = [2**31, "1", 1.5, True, [1]]
WRONG_STRINGS: list[Any] = [True, ["x"], {}]
REFUSED_ITEMS: list[Any] = [
    *[{"sample": {"whole": raw}} for raw in WRONG_INTS],
    *[{"sample": {name: 1}} for name in ("flag", "name", "day", "token", "colour")],
    *[{"sample": {"name": raw}} for raw in WRONG_STRINGS],
    *({"nothing": {}}, {"sample": None}, {"sample": {}, "album": {}}, {}, [], "sample", 1),
]


def test_an_item_that_graphql_refuses_is_a_bad_request(api: Api, backend: Backend):
    before = backend.dump()

    codes = {
        ascii(item): request_code(
            api, BATCH, {"parts": [{"id": "p", "operation": "UPDATE", "path": "/samples/1", "item": item}]}
        )
        for item in REFUSED_ITEMS
    }

    assert codes == dict.fromkeys(map(ascii, REFUSED_ITEMS), "BAD_REQUEST")
    assert backend.dump() == before
