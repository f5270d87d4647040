"""The batch as one JSON document: POST /batch runs it, GET /batch describes it (docs/contract.md, section 9)."""

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from storage.errors import Unavailable
from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend

ADF = "application/vnd.oracle.adf.batch+json"
JSON = "application/json"
GET_ARTIST = {"id": "a", "path": "/artists/1", "operation": "get"}


def send(api: Api, body: Any, *, query: str = "", media_type: str = JSON, **headers: str) -> Any:
    """Send a body as it is, or an object as JSON; give back the answer, which is what GET /batch says."""
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    answer = api.http.post(f"/batch{query}", content=content, headers={"Content-Type": media_type, **headers})
    check_valid(api, answer.json(), "Refusal" if "parts" not in answer.json() else "Answer")
    return answer


def run_parts(api: Api, *parts: Mapping[str, Any], **others: Any) -> tuple[int, Any]:
    """Send parts; give back the status and what became of them. What is sent is as GET /batch says, too."""
    check_valid(api, {"parts": [*parts]}, "Batch")
    answer = send(api, {"parts": [*parts]}, **others)
    assert [*answer.json()] == ["parts"], answer.text
    return answer.status_code, answer.json()["parts"]


def check_valid(api: Api, document: Any, name: str) -> None:
    schema = api.http.get("/batch").json()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    jsonschema.validate(document, {**schema, "anyOf": [{"$ref": f"#/$defs/{name}"}]}, jsonschema.Draft202012Validator)


def check_refused(answer: Any, status: int, code: str, sentence: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": code}
    assert sentence in error["message"]


# --- what is answered


def test_a_batch_is_committed_and_every_part_answered(music: Api, backend: Backend):
    status, parts = run_parts(
        music,
        {"id": "new", "path": "/artists", "operation": "create", "payload": {"artistId": 9, "name": "Neu"}},
        {"id": "below", "path": "/artists/$new/albums", "operation": "create", "payload": {"albumId": 9, "title": "T"}},
        {"id": "set", "path": "/artists/1", "operation": "update", "payload": {"name": "Südlicht"}},
        {"id": "all", "path": "/mediaTypes/2", "operation": "replace", "payload": {"name": None}},
        {"id": "either", "path": "/mediaTypes/3", "operation": "upsert", "payload": {"name": "Text"}},
        {"id": "see", "path": "/artists/1", "operation": "get"},
        {"id": "page", "path": "/artists?limit=1&orderBy=-artistId", "operation": "get"},
        {"id": "gone", "path": "/artists/3", "operation": "delete"},
    )

    assert status == 200
    etags = [part.pop("etag", None) for part in parts]
    assert [etag is None for etag in etags] == [False] * 6 + [True, True]
    assert parts == [
        {
            "id": "new",
            "path": "/artists/9",
            "operation": "create",
            "status": 201,
            "payload": {"artistId": 9, "name": "Neu"},
        },
        {
            "id": "below",
            "path": "/albums/9",
            "operation": "create",
            "status": 201,
            "payload": {"albumId": 9, "title": "T", "artistId": 9},
        },
        {
            "id": "set",
            "path": "/artists/1",
            "operation": "update",
            "status": 200,
            "payload": {"artistId": 1, "name": "Südlicht"},
        },
        {
            "id": "all",
            "path": "/mediaTypes/2",
            "operation": "replace",
            "status": 200,
            "payload": {"mediaTypeId": 2, "name": None},
        },
        {
            "id": "either",
            "path": "/mediaTypes/3",
            "operation": "upsert",
            "status": 201,
            "payload": {"mediaTypeId": 3, "name": "Text"},
        },
        {
            "id": "see",
            "path": "/artists/1",
            "operation": "get",
            "status": 200,
            "payload": {"artistId": 1, "name": "Südlicht"},
        },
        {
            "id": "page",
            "path": "/artists?limit=1&orderBy=-artistId",
            "operation": "get",
            "status": 200,
            "payload": {"items": [{"artistId": 9, "name": "Neu"}], "hasMore": True},
        },
        {"id": "gone", "path": "/artists/3", "operation": "delete", "status": 204},
    ]
    assert backend.rows('SELECT "ArtistId", "Name" FROM "Artist" ORDER BY 1') == [
        (1, "Südlicht"),
        (2, "Os Gêmeos"),
        (9, "Neu"),
    ]


def test_a_large_batch_is_written_too(music: Api, backend: Backend):
    new = [
        {"id": str(n), "path": "/artists", "operation": "create", "payload": {"artistId": n, "name": f"N{n}"}}
        for n in range(100, 400)
    ]

    status, parts = run_parts(music, *new)

    assert (status, len(parts), parts[-1]["path"]) == (200, 300, "/artists/399")
    assert backend.rows('SELECT count(*) FROM "Artist"') == [(303,)]


def test_a_rejected_batch_answers_those_in_error_and_writes_nothing(music: Api, backend: Backend):
    before = backend.dump()

    status, parts = run_parts(
        music,
        {"id": "good", "path": "/artists/1", "operation": "update", "payload": {"name": "X"}},
        {"id": "path", "path": "/nowhere/1", "operation": "get"},
        {"id": "values", "path": "/albums/1", "operation": "update", "payload": {"title": 5, "colour": "red"}},
        {"id": "same", "path": "/playlists", "operation": "create", "payload": {"name": "Morning"}},
        {"id": "check", "path": "/tracks/1", "operation": "update", "payload": {"milliseconds": 0}},
        {"id": "absent", "path": "/artists/77", "operation": "delete"},
        {"id": "too much", "path": "/artists/2", "operation": "get", "payload": {}},
        {"id": "all", "path": "/artists", "operation": "delete"},
    )

    assert status == 422
    assert all(part["errors"] and all(error["message"] for error in part["errors"]) for part in parts)
    assert [
        (part["id"], part["status"], [(e["code"], e.get("pointer"), e["attributes"]) for e in part["errors"]])
        for part in parts
    ] == [
        ("path", 404, [("UNKNOWN_RESOURCE", "/path", [])]),
        (
            "values",
            422,
            [
                ("INVALID_VALUE", "/payload/title", ["title"]),
                ("UNKNOWN_ATTRIBUTE", "/payload/colour", ["colour"]),
            ],
        ),
        ("same", 409, [("CONFLICT", "/payload/name", ["name"])]),
        ("check", 422, [("CHECK_FAILED", "/payload/milliseconds", ["milliseconds"])]),
        ("absent", 404, [("NOT_FOUND", "/path", [])]),
        ("too much", 422, [("INVALID_PAYLOAD", "/payload", [])]),
        ("all", 405, [("OPERATION_NOT_ALLOWED", "/operation", [])]),
    ]
    assert parts[0].keys() == {"id", "path", "operation", "status", "errors"}
    assert backend.dump() == before


SHARED_STATUS: dict[str, tuple[list[dict[str, Any]], int]] = {
    "400": ([{"path": "/artists/x", "operation": "get"}], 400),
    "409": ([{"path": "/playlists", "operation": "create", "payload": {"name": "Morning"}}] * 2, 409),
    "412": ([{"path": "/artists/1", "operation": "delete", "ifMatch": ["old"]}], 412),
    "422": ([{"path": "/albums", "operation": "create"}], 422),
    "404, which would be /batch's own": ([{"path": "/artists/77", "operation": "get"}], 422),
    "405, which would be /batch's own": ([{"path": "/artists", "operation": "delete"}], 422),
    "several": (
        [
            {"path": "/artists/1", "operation": "delete", "ifMatch": ["old"]},
            {"path": "/playlists", "operation": "create", "payload": {"name": "Morning"}},
        ],
        422,
    ),
}


@pytest.mark.parametrize(("parts", "status"), SHARED_STATUS.values(), ids=SHARED_STATUS.keys())
def test_a_rejection_has_the_status_that_all_its_parts_share(
    music: Api, backend: Backend, parts: list[dict[str, Any]], status: int
):
    before = backend.dump()

    found, _ = run_parts(music, *({"id": str(number), **part} for number, part in enumerate(parts)))

    assert found == status
    assert backend.dump() == before


def test_a_stale_etag_answers_the_current_state(music: Api, backend: Backend):
    before = backend.dump()
    _, [seen] = run_parts(music, GET_ARTIST)

    status, [part] = run_parts(
        music,
        {"id": "p", "path": "/artists/1", "operation": "update", "payload": {"name": "X"}, "ifMatch": ["old"]},
        {"id": "q", "path": "/artists/2", "operation": "update", "payload": {"name": "X"}},
    )

    assert status == 412
    (error,) = part.pop("errors")
    assert (error["code"], error["pointer"]) == ("PRECONDITION_FAILED", "/ifMatch")
    assert part == {
        "id": "p",
        "path": "/artists/1",
        "operation": "update",
        "status": 412,
        "preconditionSucceeded": False,
        "etag": seen["etag"],
        "payload": {"artistId": 1, "name": "Nordlicht"},
    }
    assert backend.dump() == before


def test_preconditions_that_hold_are_said_to(music: Api):
    _, [seen] = run_parts(music, GET_ARTIST)

    status, [changed, same] = run_parts(
        music,
        {"id": "p", "path": "/artists/1", "operation": "update", "payload": {}, "ifMatch": [seen["etag"]]},
        {"id": "q", "path": "/artists/1", "operation": "get", "ifNoneMatch": [seen["etag"]]},
    )

    assert status == 200
    assert changed["preconditionSucceeded"] is True
    assert same == {
        "id": "q",
        "path": "/artists/1",
        "operation": "get",
        "status": 304,
        "preconditionSucceeded": False,
        "etag": seen["etag"],
    }


def test_absent_and_null_preconditions_differ(music: Api):
    new = {"id": "p", "path": "/artists/1", "operation": "upsert", "payload": {"name": "X"}}

    absent = run_parts(music, new, query="?dryRun=true")
    null = run_parts(music, {**new, "ifNoneMatch": None}, query="?dryRun=true")
    both = run_parts(music, {**new, "ifMatch": None, "ifNoneMatch": None}, query="?dryRun=true")

    assert (absent[0], "preconditionSucceeded" in absent[1][0]) == (200, False)
    assert (null[0], null[1][0]["errors"][0]["code"]) == (412, "PRECONDITION_FAILED")
    assert (both[0], both[1][0]["errors"][0]["code"]) == (400, "INVALID_PRECONDITION")


def test_references_name_earlier_parts(music: Api):
    status, parts = run_parts(
        music,
        {"id": "new", "path": "/artists/50", "operation": "create", "payload": {"name": "Neu"}},
        {
            "id": "move",
            "path": "/albums/1",
            "operation": "update",
            "references": [{"attribute": "artist", "part": "new"}],
        },
    )

    assert status == 200
    assert parts[1]["payload"] == {"albumId": 1, "title": "Erste", "artistId": 50}


def test_a_dry_run_answers_and_writes_nothing(music: Api, backend: Backend):
    before = backend.dump()

    status, [part] = run_parts(
        music,
        {"id": "p", "path": "/artists/1", "operation": "update", "payload": {"name": "X"}},
        query="?dryRun=true",
    )

    assert (status, part["payload"]["name"]) == (200, "X")
    assert backend.dump() == before
    run_parts(
        music,
        {"id": "p", "path": "/artists/1", "operation": "update", "payload": {"name": "X"}},
        query="?dryRun=false",
    )
    assert backend.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" = 1') == [("X",)]


def test_numbers_keep_their_digits(music: Api, backend: Backend):
    body = '{"parts": [{"id": "p", "path": "/tracks/1", "operation": "update", "payload": {"unitPrice": %s}}]}'

    answer = send(music, body % "12345678.10")

    assert answer.json()["parts"][0]["payload"]["unitPrice"] == "12345678.10"
    assert send(music, body % "0.1000000000000000055511151231257827").status_code == 422


ALIKE: dict[str, list[dict[str, Any]]] = {
    "committed": [
        {"id": "1", "path": "/artists", "operation": "create", "payload": {"artistId": 9, "name": None}},
        {"id": "2", "path": "/artists/$1/albums", "operation": "create", "payload": {"albumId": 9, "title": "T"}},
        {"id": "3", "path": "/artists/1", "operation": "get", "ifNoneMatch": None},
        {"id": "4", "path": "/playlistTracks/2,3", "operation": "delete", "ifMatch": None},
    ],
    "read": [
        {"id": "1", "path": "/tracks?limit=2", "operation": "get"},
        {"id": "2", "path": "/artists/1", "operation": "get", "ifMatch": None},
        {"id": "3", "path": "/customers/email=zoe%40example.org", "operation": "get", "payload": None},
    ],
    "rejected": [
        {"id": "1", "path": "/invoices/1", "operation": "update", "payload": {"total": "x", "customerId": 77}},
        {"id": "2", "path": "/invoices/1", "operation": "update", "payload": {"customerId": 77}},
        {"id": "2", "path": "//", "operation": "replace"},
        {"id": "3", "path": "/mediaTypes/1", "operation": "delete"},
        {"id": "4", "path": "/albums", "operation": "upsert", "payload": {}},
        {"id": "5", "path": "/albums/$6", "operation": "get"},
        {"id": "6", "path": "/albums/1", "operation": "update", "ifMatch": []},
    ],
}


@pytest.mark.parametrize("parts", ALIKE.values(), ids=ALIKE.keys())
def test_the_mutation_says_the_same(music: Api, parts: list[dict[str, Any]]):
    for_graphql = [{**part, "operation": part["operation"].upper()} for part in parts]
    query = BATCH.replace("pointer attributes }", "pointer attributes constraint params }")
    said = music.query(query, parts=for_graphql, dryRun=True)["batch"]["parts"]

    _, found = run_parts(music, *parts, query="?dryRun=true")

    for part in found:
        part.setdefault("errors", [])
        for error in part["errors"]:
            error |= {name: error.get(name) for name in ("pointer", "constraint", "params")}
        part |= {name: part.get(name) for name in ("preconditionSucceeded", "etag", "payload")}
        part["operation"] = part["operation"].upper()
    assert found == [{name: value for name, value in part.items() if name not in {"index", "item"}} for part in said]


def test_what_the_database_holds_against_its_own_types_is_named_beside_the_parts(sqlite: Backend, start: Serve):
    sqlite.run(
        'CREATE TABLE "Day" ("DayId" INTEGER PRIMARY KEY, "Held" DATE, "Name" TEXT)'
        ";\nINSERT INTO \"Day\" VALUES (1, '31.12.2020', 'Old'), (2, '2021-01-01', 'New')"
    )
    api = start(sqlite)

    answer = send(
        api,
        {
            "parts": [
                {"id": "a", "path": "/days/2", "operation": "get"},
                {"id": "b", "path": "/days/1", "operation": "update", "payload": {"name": "Changed"}},
            ]
        },
    )

    assert answer.status_code == 200
    assert answer.json()["parts"][0]["payload"] == {"dayId": 2, "held": "2021-01-01", "name": "New"}
    assert "payload" not in answer.json()["parts"][1]
    (error,) = answer.json()["errors"]
    assert (error["path"], error["extensions"]) == (["parts", 1, "payload"], {"code": "UNREADABLE_VALUE"})
    assert "held" in error["message"].lower()
    assert sqlite.rows('SELECT "Name" FROM "Day" WHERE "DayId" = 1') == [("Changed",)]


# --- media types


def test_the_answer_has_the_media_type_of_the_request(music: Api):
    body = {"parts": [GET_ARTIST]}

    assert send(music, body).headers["content-type"] == JSON
    assert send(music, body, media_type=f"{ADF}; charset=utf-8").headers["content-type"] == ADF
    assert send(music, body, media_type=ADF, Accept="application/*;q=0.5").headers["content-type"] == ADF
    assert send(music, body, media_type=ADF, Accept=JSON).headers["content-type"] == JSON
    assert send(music, body, Accept=f"{JSON};q=0, */*").headers["content-type"] == ADF
    assert send(music, {"parts": [{**GET_ARTIST, "path": "x"}]}, media_type=ADF).headers["content-type"] == ADF


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0, {ADF};q=0.0, */*", "image/*"])
def test_a_client_that_takes_no_json_is_refused_before_anything_runs(music: Api, backend: Backend, accept: str):
    before = backend.dump()

    answer = send(music, {"parts": [{**GET_ARTIST, "operation": "delete"}]}, Accept=accept)

    check_refused(answer, 406, "BAD_REQUEST", f"The response can be {JSON} or {ADF}")
    assert backend.dump() == before


# --- requests that are refused


def of(*parts: str) -> str:
    return f'{{"parts": [{", ".join(parts)}]}}'


DELETE = '{"id": "a", "path": "/playlists/1", "operation": "delete"}'
REFUSED: dict[str, tuple[str | bytes, str, str]] = {
    "no JSON": ('{\n "parts": [}', "BAD_REQUEST", "The body is not valid JSON (line 2, column 12)."),
    "nothing": ("", "BAD_REQUEST", "The body is not valid JSON (line 1, column 1)."),
    "NaN": ('{"parts": NaN}', "BAD_REQUEST", "The body is not valid JSON (it has a number that cannot be read)."),
    "deep": ("[" * 100_000, "BAD_REQUEST", "The body is not valid JSON (it is nested too deeply)."),
    "no UTF-8": (
        b'{"parts": "\xff"}',
        "BAD_REQUEST",
        "The request body is not valid UTF-8 at byte 11, counted from 0.",
    ),
    "a list": (f"[{DELETE}]", "BAD_REQUEST", "Expected `object`, got `array`"),
    "no parts member": ("{}", "BAD_REQUEST", "missing required field `parts`"),
    "parts null": ('{"parts": null}', "BAD_REQUEST", "$.parts"),
    "no parts": ('{"parts": []}', "NO_PARTS", "at least one part"),
    "too many parts": (of(*[DELETE] * 4), "TOO_MANY_PARTS", "at most 3 parts"),
    "an unknown member": (of(DELETE).replace("]}", '], "dryRun": true}'), "BAD_REQUEST", "unknown field `dryRun`"),
    "an unknown member of a part": (
        '{"parts": [{"id": "a", "path": "/playlists/1", "operation": "get", "item": {}}]}',
        "BAD_REQUEST",
        "unknown field `item` - at `$.parts[0]`",
    ),
    "no operation": ('{"parts": [{"id": "a", "path": "/playlists/1"}]}', "BAD_REQUEST", "`operation`"),
    "an upper-case operation": (
        of(DELETE.replace("delete", "DELETE")),
        "BAD_REQUEST",
        "$.parts[0].operation`. Operations are get, create, update, replace, upsert, delete, in lower case.",
    ),
    "half of a surrogate pair for an operation": (
        of(DELETE.replace("delete", "\\ud800")),
        "BAD_REQUEST",
        r"can't encode character '\ud800'",
    ),
    "half of a surrogate pair for a name": (
        of(DELETE.replace('"path"', '"\\ud800"')),
        "BAD_REQUEST",
        "The body is not as GET /batch describes it",
    ),
    "an id that is a number": (
        of(DELETE.replace('"a"', "1")),
        "BAD_REQUEST",
        "Expected `string`, got `int` - at `$.parts[0].id`",
    ),
    "an empty id": (of(DELETE.replace('"a"', '""')), "BAD_REQUEST", "1 to 255 characters"),
    "ifMatch that is no list": (
        of(DELETE.replace('"a"', '"a", "ifMatch": "x"')),
        "BAD_REQUEST",
        "$.parts[0].ifMatch",
    ),
    "a member twice": (
        of(DELETE.replace('"a"', '"a", "path": "/playlists/2"')),
        "BAD_REQUEST",
        "two members 'path'",
    ),
    "an attribute twice": (
        '{"parts": [{"id": "a", "path": "/playlists", "operation": "create", "payload": {"name": "a", "name": "b"}}]}',
        "BAD_REQUEST",
        "two members 'name'",
    ),
}


@pytest.mark.parametrize(("body", "code", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_document_is_refused(sqlite: Backend, start: Serve, body: str | bytes, code: str, sentence: str):
    api = served_playlists(sqlite, start, max_parts=3)

    check_refused(send(api, body), 400, code, sentence)
    assert sqlite.rows('SELECT * FROM "Playlist"') == [(1, "Morning")]


@pytest.mark.parametrize("query", ["?dryrun=true", "?dryRun=1", "?dryRun", "?dryRun=true&dryRun=false", "?x=1"])
def test_the_url_takes_dry_run_alone(sqlite: Backend, start: Serve, query: str):
    api = served_playlists(sqlite, start)

    check_refused(send(api, of(DELETE), query=query), 400, "BAD_REQUEST", "dryRun")
    assert sqlite.rows('SELECT * FROM "Playlist"') == [(1, "Morning")]


def test_bodies_of_other_types_and_large_ones_are_refused(sqlite: Backend, start: Serve):
    api = served_playlists(sqlite, start, max_body=1_024)
    body = of(DELETE)

    check_refused(send(api, body, media_type="text/plain"), 415, "BAD_REQUEST", "Content-Type")
    check_refused(send(api, body, media_type=""), 415, "BAD_REQUEST", "Content-Type")
    check_refused(send(api, body, **{"Content-Encoding": "gzip"}), 415, "BAD_REQUEST", "compressed")
    check_refused(send(api, body + " " * 1_000), 413, "BAD_REQUEST", "at most 1024 bytes")
    assert api.http.put("/batch", content=body).status_code == 405
    assert sqlite.rows('SELECT * FROM "Playlist"') == [(1, "Morning")]


def test_lone_surrogates_are_answered_as_escapes(sqlite: Backend, start: Serve):
    api = served_playlists(sqlite, start)

    answer = send(api, r'{"parts": [{"id": "\ud800", "path": "/playlists/\udfff", "operation": "get"}]}')

    assert answer.status_code == 400
    assert r'"id":"\ud800"' in answer.text


def test_a_lone_surrogate_costs_a_number_beside_it_no_digit(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE note (id {key}, body JSON)")
    body = r'{"parts": [{"id": "\ud800", "path": "/notes", "operation": "create", "payload": {"body": %s}}]}'

    answer = send(start(sqlite), body % '{"exact": [0.10000000000000000000000001], "ä": null}')

    assert answer.status_code == 200
    assert r'"body":{"exact":[0.10000000000000000000000001],"\u00e4":null}' in answer.text


@pytest.mark.parametrize("id_", ["a", r"\ud800"])
@pytest.mark.parametrize("depth", [200, 400, 900, 5_000])
def test_a_payload_that_is_nested_too_deep_is_refused(sqlite: Backend, start: Serve, id_: str, depth: int):
    sqlite.run("CREATE TABLE note (id {key}, body JSON)")
    part = (
        f'{{"id": "{id_}", "path": "/notes", "operation": "create", "payload": {{"body": {"[" * depth}{"]" * depth}}}}}'
    )

    answer = send(start(sqlite), of(part))

    assert answer.status_code in {400, 422}
    assert "nested" in answer.text
    assert sqlite.rows("SELECT * FROM note") == []


def test_a_payload_that_is_no_object_is_an_error_of_its_part(sqlite: Backend, start: Serve):
    api = served_playlists(sqlite, start)

    answer = send(api, of(DELETE.replace("delete", "update").replace('"a"', '"a", "payload": [1]')))

    assert answer.status_code == 422
    assert answer.json()["parts"][0]["errors"][0]["code"] == "INVALID_PAYLOAD"


def test_a_database_that_is_not_there_is_a_503(sqlite: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch):
    api = served_playlists(sqlite, start)

    monkeypatch.setattr(
        "partwise.workers.writer.run_together", lambda _engine, _jobs, settle: settle(0, Unavailable("Not reached."))
    )

    check_refused(send(api, of(DELETE)), 503, "UNAVAILABLE", "Not reached.")


def served_playlists(backend: Backend, start: Serve, **settings: Any) -> Api:
    backend.run('CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120))')
    backend.run("INSERT INTO \"Playlist\" VALUES (1, 'Morning')")
    return start(backend, **settings)


# --- the description


def test_where_nothing_can_be_written_a_batch_reads(backend: Backend, start: Serve):
    backend.run("CREATE VIEW abroad AS SELECT 1 AS n")
    api = start(backend)

    status, [part] = run_parts(api, {"id": "a", "path": "/abroads", "operation": "get"})
    refused, [error] = run_parts(api, {"id": "a", "path": "/abroads", "operation": "create", "payload": {}})

    assert (status, part["payload"]["hasMore"], len(part["payload"]["items"])) == (200, False, 1)
    assert (refused, error["errors"][0]["code"]) == (422, "OPERATION_NOT_ALLOWED")
    assert api.query("{ __schema { mutationType { name } } }") == {"__schema": {"mutationType": None}}


def test_the_schema_describes_what_is_sent_and_answered(music: Api):
    answer = music.http.get("/batch")
    schema = answer.json()

    assert answer.headers["content-type"] == "application/schema+json"
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert sorted(schema["$defs"]["Operation"]["enum"]) == ["create", "delete", "get", "replace", "update", "upsert"]
    part = schema["$defs"]["PartInput"]
    assert part["properties"].keys() == {
        *("id", "path", "operation", "payload", "ifMatch", "ifNoneMatch", "references"),
    }
    assert part["required"] == ["id", "path", "operation"]
    assert part["properties"]["payload"]["type"] == ["object", "null"]
    assert "/playlistTracks" in part["properties"]["path"]["examples"]
    assert "etags" in part["properties"]["ifMatch"]["description"]
    assert schema["$defs"]["Batch"]["properties"]["parts"]["maxItems"] == 10_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"parts": []},
        {"parts": [{**GET_ARTIST, "operation": "GET"}]},
        {"parts": [{**GET_ARTIST, "item": {}}]},
        {"parts": [{**GET_ARTIST, "id": ""}]},
        {"parts": [{**GET_ARTIST, "payload": [1]}]},
    ],
)
def test_the_schema_refuses_what_is_refused(music: Api, wrong: Any):
    with pytest.raises(jsonschema.ValidationError):
        check_valid(music, wrong, "Batch")


TIGHT: dict[str, dict[str, Any]] = {
    "a document of few characters": {"max_document": 100},
    "few tokens": {"max_tokens": 10},
    "no depth": {"max_depth": 1},
    "few selections": {"max_selections": 1},
    "a cost of one object": {"max_cost": 1},
}


@pytest.mark.parametrize("limits", TIGHT.values(), ids=TIGHT.keys())
def test_limits_of_documents_are_for_clients_who_send_some(sqlite: Backend, start: Serve, limits: dict[str, Any]):
    api = served_playlists(sqlite, start, **limits)

    status, [part] = run_parts(api, {"id": "a", "path": "/playlists/1", "operation": "get"})

    assert (status, part["payload"]["name"]) == (200, "Morning")


def test_an_unreadable_key_beside_what_is_committed_takes_nothing_away(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE day (id DATE PRIMARY KEY NOT NULL, number INTEGER UNIQUE)"
        ";\nINSERT INTO day VALUES ('31.12.2020', 1)"
        ";\nCREATE TABLE note (id INTEGER PRIMARY KEY, name TEXT)"
    )

    answer = send(
        start(sqlite),
        {
            "parts": [
                {"id": "a", "path": "/notes", "operation": "create", "payload": {"name": "x"}},
                {"id": "b", "path": "/days/number=1", "operation": "get"},
            ]
        },
    )

    assert answer.status_code == 200
    assert [(each["id"], each["path"], each["status"]) for each in answer.json()["parts"]] == [
        ("a", "/notes/1", 201),
        ("b", "/days/number=1", 200),
    ]
    assert [error["path"] for error in answer.json()["errors"]] == [["parts", 1, "payload"]]
    assert sqlite.rows("SELECT name FROM note") == [("x",)]


@pytest.mark.parametrize("query", ["?dryRun=true&", "?&dryRun=true", "?dryRun=tru%65"])
def test_a_url_may_be_written_in_any_way_that_says_the_same(sqlite: Backend, start: Serve, query: str):
    assert send(served_playlists(sqlite, start), of(DELETE), query=query).status_code == 200
    assert sqlite.rows('SELECT * FROM "Playlist"') == [(1, "Morning")]


def test_a_code_of_a_later_version_is_none_that_the_schema_refuses(music: Api):
    error = {"code": "SOMETHING_NEW", "message": "New.", "attributes": []}

    check_valid(
        music, {"parts": [{"id": "a", "path": "/", "operation": "get", "status": 400, "errors": [error]}]}, "Answer"
    )


@pytest.mark.parametrize("part", ['{"id": "p", "path": "/x", "operation": "%s"}', '{"%s": 1}', '{"%s": 1, "%s": 1}'])
def test_a_wrong_document_is_not_repeated_in_the_answer(sqlite: Backend, start: Serve, part: str):
    written = part.replace("%s", "x" * 50_000)

    answer = send(served_playlists(sqlite, start), f'{{"parts": [{written}]}}')

    assert answer.status_code == 400
    assert len(answer.content) < 1_000
