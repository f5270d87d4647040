"""Bad preconditions, references and lists of parts: code, status and place; and no table changes (contract, section 2)."""

from typing import Any

import pytest

from tests.support.harness import BATCH, Api, Backend, Json, faults, part, serve, sqlite_backend


def etag_of(api: Api, path: str) -> str:
    return str(api.one("GET", path)["etag"])


INVALID: list[tuple[dict[str, Any], list[str]]] = [  # preconditions that can mean nothing, and where
    ({"ifMatch": []}, ["/ifMatch"]),
    ({"ifNoneMatch": []}, ["/ifNoneMatch"]),
    ({"ifMatch": [], "ifNoneMatch": []}, ["/ifMatch", "/ifNoneMatch"]),
    ({"ifMatch": [], "ifNoneMatch": None}, ["/ifMatch"]),
]


@pytest.mark.parametrize("operation", ["GET", "UPDATE", "REPLACE", "UPSERT", "DELETE"])
def test_an_empty_list_of_etags_is_an_invalid_precondition(music: Api, backend: Backend, operation):
    before = backend.dump()
    payload = {"name": "Neu"} if operation in {"UPDATE", "REPLACE", "UPSERT"} else None

    found = [faults(music.batch(part("p", operation, "/playlists/2", payload, **given)))["p"] for given, _ in INVALID]

    assert found == [[("INVALID_PRECONDITION", pointer) for pointer in pointers] for _, pointers in INVALID]
    assert backend.dump() == before


@pytest.mark.parametrize("path", ["/playlists/2", "/playlists/99"])
@pytest.mark.parametrize("operation", ["GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE"])
def test_both_preconditions_null_are_an_invalid_precondition_that_says_why(
    music: Api, backend: Backend, operation, path
):
    before = backend.dump()

    result = music.one(operation, path, ifMatch=None, ifNoneMatch=None)

    assert result["status"] == 400
    assert result["preconditionSucceeded"] is None
    assert [error["code"] for error in result["errors"]] == ["INVALID_PRECONDITION"]
    assert "null for absent fields" in result["errors"][0]["message"]
    assert backend.dump() == before


@pytest.mark.parametrize("operation", ["GET", "CREATE"])
@pytest.mark.parametrize("name", ["ifMatch", "ifNoneMatch"])
@pytest.mark.parametrize("value", [None, ["x"], ["*"]], ids=str)
def test_a_precondition_at_a_collection_is_invalid(sqlite: Backend, start: Any, operation, name, value):
    sqlite.run('CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120))')
    api = start(sqlite)
    before = sqlite.dump()

    result = api.one(operation, "/playlists", **{name: value})

    assert (result["status"], [(e["code"], e["pointer"]) for e in result["errors"]]) == (
        400,
        [("INVALID_PRECONDITION", f"/{name}")],
    )
    assert sqlite.dump() == before


def test_an_etag_that_no_item_can_have_fails_the_precondition(music: Api, backend: Backend):
    before = backend.dump()
    current = etag_of(music, "/playlists/2")
    etags = [
        "",
        " ",
        "x",
        "a" * 10_240,
        f'W/"{current}"',
        f"W/{current}",
        f"{current}x",
        current[:-1],
        "\x00",
        "\ud800",
        "é",
        "';--",
    ]

    found = [music.one("DELETE", "/playlists/2", ifMatch=[each]) for each in etags]

    for etag, result in zip(etags, found, strict=True):
        assert (result["status"], result["preconditionSucceeded"]) == (412, False), etag[:40]
        assert [(error["code"], error["pointer"]) for error in result["errors"]] == [
            ("PRECONDITION_FAILED", "/ifMatch")
        ]
        assert result["etag"] == current
        assert result["payload"] == {"playlistId": 2, "name": "Evening"}
        assert result["item"] == {"__typename": "Playlist", "path": "/playlists/2", "etag": current}
    assert backend.dump() == before


@pytest.mark.parametrize("written", ["{}", '"{}"', 'W/"{}"'])
def test_an_etag_that_must_not_match_is_found_in_all_its_forms(music: Api, backend: Backend, written):
    before = backend.dump()
    current = etag_of(music, "/playlists/2")

    result = music.one("DELETE", "/playlists/2", ifNoneMatch=["x", written.format(current)])

    assert (result["status"], faults({"parts": [result]})["p"]) == (412, [("PRECONDITION_FAILED", "/ifNoneMatch")])
    assert backend.dump() == before


@pytest.mark.parametrize("etags", [[1], [None], ["x", None], [["x"]], {"a": "x"}, True], ids=str)
@pytest.mark.parametrize("name", ["ifMatch", "ifNoneMatch"])
def test_a_precondition_that_is_no_list_of_strings_is_a_bad_request(bad_requests: Api, name, etags):
    assert code_of(bad_requests, {"parts": [part("p", "GET", "/playlists/2", **{name: etags})]}) == "BAD_REQUEST"


# --- parts that GraphQL itself refuses


@pytest.fixture(scope="module")
def bad_requests(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small service for requests that never reach the database: any will do."""
    backend = sqlite_backend(tmp_path_factory.mktemp("small"))
    backend.run("""
CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120) UNIQUE);
INSERT INTO "Playlist" ("PlaylistId", "Name") VALUES (2, 'Evening');
""")
    before = backend.dump()
    api = serve(backend, max_parts=3)
    yield api
    api.close()
    assert backend.dump() == before


def code_of(api: Api, variables: Json, query: str = BATCH) -> str:
    """Send what is refused as a whole: its code. Nothing of it ran."""
    answer = api.http.post("/graphql", json={"query": query, "variables": variables})
    body = answer.json()
    assert answer.status_code in {200, 400}
    assert (body.get("data") or {}).get("batch") is None
    (code,) = {error["extensions"]["code"] for error in body["errors"]}
    assert "Traceback" not in answer.text
    return str(code)


GOOD = part("p", "CREATE", "/playlists", {"name": "Neu"})


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"parts": []}, "NO_PARTS"),
        ({"parts": [GOOD | {"id": f"p{number}"} for number in range(4)]}, "TOO_MANY_PARTS"),
        ({"parts": [GOOD | {"id": f"p{number}"} for number in range(4)], "dryRun": True}, "TOO_MANY_PARTS"),
        ({}, "BAD_REQUEST"),
        ({"parts": None}, "BAD_REQUEST"),
        ({"parts": [None]}, "BAD_REQUEST"),
        ({"parts": [GOOD, "x"]}, "BAD_REQUEST"),
        ({"parts": [GOOD, []]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"operation": "MERGE"}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"operation": "create"}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"operation": None}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"operation": 1}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"op": "CREATE"}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"if_match": ["x"]}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"path": None}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"path": ["/playlists"]}]}, "BAD_REQUEST"),
        ({"parts": [{"operation": "CREATE", "path": "/playlists"}]}, "BAD_REQUEST"),
        ({"parts": [{"id": "p", "path": "/playlists"}]}, "BAD_REQUEST"),
        ({"parts": [{"id": "p", "operation": "CREATE"}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"references": [{"attribute": "name"}]}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"references": [None]}]}, "BAD_REQUEST"),
        ({"parts": [GOOD | {"references": "x"}]}, "BAD_REQUEST"),
        ({"parts": [GOOD], "dryRun": None}, "BAD_REQUEST"),
        ({"parts": [GOOD], "dryRun": "yes"}, "BAD_REQUEST"),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_read_are_a_request_error(bad_requests: Api, variables, code):
    assert code_of(bad_requests, variables) == code


def test_as_many_parts_as_the_limit_run(bad_requests: Api):
    assert bad_requests.batch(*(GOOD | {"id": f"p{number}"} for number in range(3)), dry_run=True)["committed"] is False


@pytest.mark.parametrize(
    "query",
    [
        'mutation { batch(parts: [{id: "p", operation: GET, path: "/playlists"}], force: true) { status } }',
        'mutation { batch(parts: [{id: "p", operation: GET, path: "/playlists", force: true}]) { status } }',
        'mutation { batch(parts: [{id: "p", operation: MERGE, path: "/playlists"}]) { status } }',
        'mutation { batch(parts: [{id: "p", operation: "GET", path: "/playlists"}]) { status } }',
        "mutation { batch { status } }",
        'mutation { batch(parts: [{id: "p", operation: GET, path: "/playlists"}]) }',
        'mutation { batch(parts: [{id: "p", operation: GET, path: "/playlists"}]) { nothing } }',
        'mutation { bach(parts: [{id: "p", operation: GET, path: "/playlists"}]) { status } }',
        'mutation { batch(parts: [{id: "p", operation: CREATE, path: "/playlists", item: {playlist: {colour: 1}}}]) { status } }',
        'mutation { batch(parts: [{id: "p", operation: CREATE, path: "/playlists", item: {playlist: {name: 1}}}]) { status } }',
        'mutation { batch(parts: [{id: "p", operation: CREATE, path: "/playlists", item: {playlist: {playlistId: 2147483648}}}]) { status } }',
        'mutation { batch(parts: [{id: "p", operation: CREATE, path: "/playlists", item: {playlist: {playlistId: %s}}}]) { status } }' % ("9" * 5_000),
        'mutation { batch(parts: [{id: "p", operation: CREATE, path: "/playlists", payload: {playlistId: %s}}]) { status } }' % ("9" * 5_000),
    ],
    ids=lambda query: query[:120],
)  # fmt: skip
def test_a_document_that_does_not_fit_the_schema_is_a_bad_request(bad_requests: Api, query):
    assert code_of(bad_requests, {}, query) == "BAD_REQUEST"


@pytest.mark.parametrize(
    "literal",
    [
        "1e999",
        "1e9999999999999999999",
        "1.0",
        '"1"',
        "2147483648",
        "[1]",
        "{a: 1}",
        "ONE",
    ],
)
def test_a_literal_in_the_document_is_as_strict_as_a_variable(bad_requests: Api, literal):
    part_ = f'{{id: "p", operation: CREATE, path: "/playlists", payload: {{playlistId: {literal}}}}}'
    query = f"mutation {{ batch(parts: [{part_}]) {{ status parts {{ id errors {{ code pointer }} }} }} }}"

    answer = bad_requests.post(query)

    assert "errors" not in answer
    assert faults(answer["data"]["batch"]) == {"p": [("INVALID_VALUE", "/payload/playlistId")]}


LONG = "a" * 255


def test_an_id_may_have_255_characters_and_is_answered_as_it_was_sent(bad_requests: Api):
    ids = [LONG, "😀\u0301\n", "$a/b,c"]

    result = bad_requests.batch(*(part(id_, "GET", "/playlists/2") for id_ in ids), dry_run=True)

    assert [each["id"] for each in result["parts"]] == ids


@pytest.mark.parametrize("id_", ["", f"{LONG}a"])
def test_an_id_that_is_empty_or_too_long_is_a_bad_request(bad_requests: Api, id_):
    assert code_of(bad_requests, {"parts": [part(id_, "GET", "/playlists/2")]}) == "BAD_REQUEST"
