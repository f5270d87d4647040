"""Bodies, headers and methods that are no GraphQL request: status, JSON with a code, and nothing of our insides.

The rows of "Bad input and what it gets" that are about HTTP. None of them reaches the database.
"""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Serve
from tests.support.harness import Api, Backend, serve, sqlite_backend

GOOD = '{"query": "{ resources { name } }"}'
MUTATION = (
    'mutation { batch(parts: [{id: "p", operation: CREATE, path: "/playlists", payload: {name: "N"}}]) { status } }'
)
JSON_TYPE = {"Content-Type": "application/json"}
MAX_BODY = 100_000  # bytes
LEAKS = ("Traceback", 'File "', "SELECT ", "INSERT ", "sqlite3", "psycopg", "sqlalchemy", "strawberry", "starlette")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One small service for all requests: no table of it may change."""
    backend = sqlite_backend(tmp_path_factory.mktemp("bodies"))
    backend.run('CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120), "Notes" JSON)')
    api = serve(backend, max_body=MAX_BODY)
    yield api
    api.close()
    assert backend.rows('SELECT * FROM "Playlist"') == []


def check_refused(answer: Any, status: int, code: str = "BAD_REQUEST") -> None:
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    body = answer.json()
    assert [error["extensions"]["code"] for error in body["errors"]] == [code]
    assert all(error["message"] for error in body["errors"])
    assert not body.get("data")
    assert not [leak for leak in LEAKS if leak in answer.text]


def send(api: Api, body: str | bytes, **headers: str) -> Any:
    return api.http.post(
        "/graphql", content=body, headers=JSON_TYPE | {name.replace("_", "-"): v for name, v in headers.items()}
    )


def with_variable(raw: str) -> str:
    """Write a good request, but for one value of a variable."""
    query = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status } }"
    part = f'{{"id": "p", "operation": "CREATE", "path": "/playlists", "payload": {{"notes": {raw}}}}}'
    return f'{{"query": "{query}", "variables": {{"parts": [{part}]}}}}'


BAD_BODIES = {
    "empty": "",
    "blank": " \n",
    "an open brace": "{",
    "an open string": '{"query": "',
    "trailing text": f"{GOOD}x",
    "two objects": f"{GOOD}{GOOD}",
    "null": "null",
    "a string": '"x"',
    "a number": "1",
    "true": "true",
    "a list": "[]",
    "a list of operations": f"[{GOOD}]",
    "an empty object": "{}",
    "no query": '{"variables": {}}',
    "query null": '{"query": null}',
    "query a number": '{"query": 1}',
    "query a list": '{"query": ["{ resources { name } }"]}',
    "query empty": '{"query": ""}',
    "variables a list": '{"query": "{ resources { name } }", "variables": []}',
    "variables a string": '{"query": "{ resources { name } }", "variables": "{}"}',
    "operationName a number": '{"query": "{ resources { name } }", "operationName": 1}',
    "extensions a list": '{"query": "{ resources { name } }", "extensions": []}',
    "GraphQL and no JSON": "{ resources { name } }",
    "single quotes": "{'query': '{ resources { name } }'}",
    "a comment": f"{GOOD} // comment",
    "a trailing comma": '{"query": "{ resources { name } }",}',
    "a byte order mark": "\ufeff" + GOOD,
    "a byte order mark of UTF-16": GOOD.encode("utf-16"),
    "UTF-16 without mark": GOOD.encode("utf-16-le"),
    "Latin-1": '{"query": "{ é }"}'.encode("latin-1"),
    "a cut character": b'{"query": "\xc3',
    "an overlong character": b'{"query": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"query": "\xed\xa0\x80"}',
    "a NUL byte": '{"query": "\x00"}',
    "a bare control character": '{"query": "{ resources\x01{ name } }"}',
    "only NUL bytes": b"\x00" * 100,
    "NaN": with_variable("NaN"),
    "Infinity": with_variable("-Infinity"),
    "a leading zero": with_variable("01"),
    "hexadecimal": with_variable("0x1"),
    "100,000 brackets": "[" * MAX_BODY,
    "100,000 braces": '{"a":' * (MAX_BODY // 5),
    "brackets in a variable": with_variable("[" * 40_000 + "]" * 40_000),
    "a broken escape": '{"query": "\\u12"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_request_is_a_bad_request(api: Api, body):
    check_refused(send(api, body), 400)


PLACES: dict[str, tuple[str | bytes, str]] = {
    "no comma": ('{"query":\n "{ a }" "id": 1}', "The body is not valid JSON (line 2, column 10)."),
    "an open string": ('{"query": "', "The body is not valid JSON (line 1, column 11)."),
    "behind its end": ("{} x", "The body is not valid JSON (line 1, column 4)."),
    "a number": (with_variable("NaN"), "The body is not valid JSON (it has a number that cannot be read)."),
    "100,000 brackets": ("[" * MAX_BODY, "The body is not valid JSON (it is nested too deeply)."),
    "Latin-1": (
        '{"query": "{ é }"}'.encode("latin-1"),
        "The request body is not valid UTF-8 at byte 13, counted from 0.",
    ),
}


@pytest.mark.parametrize(("body", "message"), PLACES.values(), ids=PLACES)
def test_it_is_said_where_a_body_is_broken(api: Api, body: str | bytes, message: str):
    assert [error["message"] for error in send(api, body).json()["errors"]] == [message]


def test_it_is_said_where_a_parameter_is_broken(api: Api):
    answer = api.http.get("/graphql", params={"query": "{ resources { name } }", "variables": '{"a": x}'})

    assert [error["message"] for error in answer.json()["errors"]] == [
        "variables is not valid JSON (line 1, column 7)."
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/plain; charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/jsonx",
        "application/json-patch+json",
        "application/xml",
        "nonsense",
        "text/plain; application/json",
        "text/plain, application/json",
    ],
)
def test_another_content_type_than_json_is_not_taken(api: Api, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}

    check_refused(api.http.post("/graphql", content=json.dumps({"query": MUTATION}), headers=headers), 415)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_taken_however_its_type_is_written(api: Api, content_type):
    answer = api.http.post("/graphql", content=GOOD, headers={"Content-Type": content_type})

    assert (answer.status_code, answer.json()) == (200, {"data": {"resources": [{"name": "Playlist"}]}})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "nonsense"])
def test_an_encoded_body_is_not_taken(api: Api, encoding):
    check_refused(send(api, gzip.compress(GOOD.encode()), Content_Encoding=encoding), 415)


def test_a_gzipped_body_that_does_not_say_so_is_a_bad_request(api: Api):
    check_refused(send(api, gzip.compress(GOOD.encode())), 400)


def padded(length: int) -> bytes:
    return GOOD.encode() + b" " * (length - len(GOOD))


def in_chunks(length: int) -> Iterator[bytes]:
    yield GOOD.encode()
    yield from (b" " for _ in range(length - len(GOOD)))


def test_a_body_may_be_as_long_as_the_limit(api: Api):
    assert send(api, padded(MAX_BODY)).status_code == 200
    assert api.http.post("/graphql", content=in_chunks(MAX_BODY), headers=JSON_TYPE).status_code == 200


def test_a_body_over_the_limit_is_too_large_by_its_length_and_in_chunks(api: Api):
    check_refused(send(api, padded(MAX_BODY + 1)), 413)
    check_refused(api.http.post("/graphql", content=in_chunks(MAX_BODY + 1), headers=JSON_TYPE), 413)


@pytest.mark.parametrize("declared", ["10", "0", "99999999999999"])
def test_a_body_over_the_limit_is_too_large_whatever_its_header_says(api: Api, declared):
    check_refused(send(api, padded(MAX_BODY + 1), Content_Length=declared), 413)


def test_a_mutation_by_get_is_not_allowed(api: Api):
    answer = api.http.get("/graphql", params={"query": MUTATION})

    check_refused(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "parameters",
    [
        {
            "query": f"query A {{ resources {{ name }} }} {MUTATION.replace('mutation', 'mutation B')}",
            "operationName": "B",
        },
        {"query": f"{MUTATION} fragment F on Query {{ resources {{ name }} }}"},
    ],
    ids=["chosen by name", "beside a fragment"],
)
def test_a_mutation_by_get_stays_forbidden_in_any_dress(api: Api, parameters):
    answer = api.http.get("/graphql", params=parameters)

    assert answer.status_code in {400, 405}
    assert not answer.json().get("data")


def test_a_query_by_get_is_answered(api: Api):
    answer = api.http.get(
        "/graphql",
        params={"query": "query Q($a: Boolean = true) { resources @include(if: $a) { name } }", "variables": "{}"},
    )

    assert (answer.status_code, answer.json()) == (200, {"data": {"resources": [{"name": "Playlist"}]}})


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"query": ""},
        {"query": "{ resources { name } }", "variables": "{"},
        {"query": "{ resources { name } }", "variables": "[]"},
        {"query": "{ resources { name } }", "variables": "NaN"},
        {"query": "{ resources { name } }", "variables": "[" * 10_000},
        {"query": "{ resources { name } }", "extensions": "1"},
    ],
    ids=lambda parameters: str(parameters)[:70],
)
def test_a_bad_request_by_get_is_a_bad_request(api: Api, parameters):
    check_refused(api.http.get("/graphql", params=parameters), 400)


TWO = "query A { resources { name } } query B { resources { path } }"


TWO_MUTATIONS = f"{MUTATION.replace('mutation', 'mutation A')} {MUTATION.replace('mutation', 'mutation B')}"


@pytest.mark.parametrize("name", [None, "", "C", "a"])
@pytest.mark.parametrize("query", [TWO, TWO_MUTATIONS], ids=["queries", "mutations"])
def test_of_several_operations_one_must_be_named(api: Api, query, name):
    check_refused(send(api, json.dumps({"query": query, "operationName": name})), 400)


def test_of_several_operations_by_get_one_must_be_named(api: Api):
    check_refused(api.http.get("/graphql", params={"query": TWO}), 400)


def test_a_subscription_is_refused_for_what_it_is(api: Api):
    answer = send(api, json.dumps({"query": "subscription { batch { status } }"}))

    assert answer.status_code in {200, 400, 405}
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_REQUEST"]
    assert "mutation must be sent by POST" not in answer.text


def test_of_several_operations_the_named_one_runs(api: Api):
    assert send(api, json.dumps({"query": TWO, "operationName": "B"})).json() == {
        "data": {"resources": [{"path": "/playlists"}]}
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_another_method_is_not_allowed(api: Api, method):
    check_refused(api.http.request(method, "/graphql", content=GOOD, headers=JSON_TYPE), 405)


DEEP_DOCUMENTS = {
    "fields": "{" + "resources{" * 9_000 + "name" + "}" * 9_001,
    "lists": "{ node(path: " + "[" * 40_000 + "]" * 40_000 + ") { path } }",
    "objects": MUTATION.replace('{name: "N"}', "{notes: " * 10_000 + "1" + "}" * 10_000),
    "types": "query ($a: " + "[" * 40_000 + "Int" + "]" * 40_000 + ") { resources { name } }",
    "only brackets": "{" * 90_000,
    "a syntax error": "{ resources { ",
    "no operation": "fragment F on Query { resources { name } }",
    "a comment only": "# nothing",
    "a NUL": "{ resources \x00 { name } }",
    "a circular fragment": "{ ...F } fragment F on Query { ...F }",
    "an unknown fragment": "{ ...F }",
    "an unknown field": "{ nothing }",
    "an unknown variable": "{ node(path: $path) { path } }",
    "an unknown directive": "{ resources @nothing { name } }",
}


@pytest.mark.parametrize("query", DEEP_DOCUMENTS.values(), ids=DEEP_DOCUMENTS)
def test_a_document_that_cannot_run_is_refused_with_a_code(api: Api, query):
    answer = send(api, json.dumps({"query": query}))

    assert answer.status_code in {200, 400}
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} <= {"BAD_REQUEST", "QUERY_TOO_COMPLEX"}
    assert not answer.json().get("data")
    assert not [leak for leak in LEAKS if leak in answer.text]


@pytest.mark.parametrize("query", DEEP_DOCUMENTS.values(), ids=DEEP_DOCUMENTS)
def test_to_those_who_accept_graphql_json_a_refusal_is_a_400(api: Api, query):
    answer = send(api, json.dumps({"query": query}), Accept="application/graphql-response+json")

    assert answer.status_code == 400
    assert answer.headers["content-type"].partition(";")[0] == "application/graphql-response+json"
    assert "data" not in answer.json()


# --- health


def test_a_service_with_its_database_is_alive_and_ready(backend: Backend, start: Serve):
    backend.run('CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120))')
    http = start(backend).http

    assert [http.get(path).status_code for path in ("/livez", "/readyz")] == [200, 200]


def test_a_service_whose_database_is_away_is_alive_and_not_ready_until_it_is_back(postgresql: Backend, start: Serve):
    postgresql.run('CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120))')
    http = start(postgresql, timeout=2).http
    name = sa.make_url(postgresql.url).database
    server = Backend(
        "postgresql", sa.make_url(postgresql.url).set(database="postgres").render_as_string(hide_password=False)
    )

    server.run(
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false;\nSELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';\n"
    )
    away = [http.get(path) for path in ("/livez", "/readyz")]
    request = send_query(http)
    server.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true;\n")

    assert away[0].status_code == 200
    check_refused(away[1], 503, "UNAVAILABLE")
    assert [error["extensions"]["code"] for error in request["errors"]] == ["UNAVAILABLE"]
    assert not [leak for leak in (*LEAKS, str(name)) if leak in away[1].text or leak in json.dumps(request)]
    assert http.get("/readyz").status_code == 200
    assert "errors" not in send_query(http)


def test_a_service_whose_file_was_moved_away_or_replaced_is_not_ready_until_it_is_back(sqlite: Backend, start: Serve):
    sqlite.run('CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120))')
    http = start(sqlite).http
    file = Path(sa.make_url(sqlite.url).database or "")
    away = file.with_name("away.sqlite")

    file.rename(away)
    moved = http.get("/readyz")
    shutil.copy(away, file)
    replaced = http.get("/readyz")
    away.rename(file)

    check_refused(moved, 503, "UNAVAILABLE")
    check_refused(replaced, 503, "UNAVAILABLE")
    assert moved.json()["errors"][0]["message"].startswith("The database file was removed or renamed.")
    assert replaced.json()["errors"][0]["message"].startswith("The database file was replaced by another file.")
    assert http.get("/livez").status_code == 200
    assert http.get("/readyz").status_code == 200


def send_query(http: Any) -> Any:
    return http.post("/graphql", content='{"query": "{ playlists { nodes { name } } }"}', headers=JSON_TYPE).json()
