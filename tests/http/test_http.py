"""GraphQL over HTTP beyond the audits: what is accepted, methods, errors of every route, other origins, compression, times."""

import gzip
import http.client
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from partwise.server.app import make_app
from partwise.settings import Settings, SettingsError, load_settings
from tests.conftest import Serve
from tests.support.doors import Doors, body_of
from tests.support.harness import BATCH, Api, Backend, part, serve, sqlite_backend
from tests.support.music import SCRIPT
from tests.support.program import Program, free_port, serving

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
QUERY = "{ artists(first: 1) { nodes { name } } }"  # compiled
INTROSPECTION = '{ __type(name: "Artist") { name } }'  # not compiled
WRONG = "{ nothing }"


@pytest.fixture(scope="module")
def backend_of_module(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    backend = sqlite_backend(tmp_path_factory.mktemp("http"))
    backend.run(SCRIPT)
    return backend


@pytest.fixture(scope="module")
def api(backend_of_module: Backend) -> Iterator[Api]:
    """The music shop: no table of it may change."""
    before = backend_of_module.dump()
    api = serve(backend_of_module)
    yield api
    api.close()
    assert backend_of_module.dump() == before


@pytest.fixture(scope="module")
def doors(api: Api) -> Doors:
    return Doors(api, api.settings)


@pytest.fixture(scope="module")
def program(backend_of_module: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The same, by a server that listens."""
    with serving([backend_of_module.url], tmp_path_factory.mktemp("program"), port=free_port()) as program:
        yield program


def client(api: Api, **settings: Any) -> TestClient:
    """Make a client of the same service with other settings."""
    own = Settings(database_url=api.settings.database_url, **settings)
    return TestClient(make_app(api.service, own), base_url="http://127.0.0.1", raise_server_exceptions=False)


def check_error(answer: Any, status: int, code: str = "BAD_REQUEST") -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, JSON), answer.text
    (error,) = answer.json()["errors"]
    assert error["message"]
    assert error["extensions"]["code"] == code


# --- what is accepted

ACCEPTED: dict[str, str | None] = {  # header -> the media type of the answer
    "": JSON,
    "*/*": JSON,
    "application/*": JSON,
    JSON: JSON,
    "Application/JSON": JSON,
    f"{JSON}; charset=utf-8": JSON,
    GRAPHQL_JSON: GRAPHQL_JSON,
    f"{GRAPHQL_JSON},{JSON};q=0.9": GRAPHQL_JSON,  # Apollo Client
    f"{GRAPHQL_JSON}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed": GRAPHQL_JSON,  # urql
    f"{JSON}, {GRAPHQL_JSON}": GRAPHQL_JSON,
    f"{GRAPHQL_JSON};q=0.5, {JSON}": JSON,
    f"{GRAPHQL_JSON};q=0.5, */*;q=0.1": GRAPHQL_JSON,
    f"{GRAPHQL_JSON};q=0, */*": JSON,
    f"{JSON};q=0, */*": GRAPHQL_JSON,
    "text/html, */*;q=0.1": JSON,
    BROWSER: JSON,
    f"text/plain, {JSON};q=x, {GRAPHQL_JSON};q=0.001": GRAPHQL_JSON,
    "text/html": None,
    "text/plain, image/*": None,
    "application/graphql+json": None,
    "*/*;q=0": None,
    f"{JSON};q=0": None,
    ";;, ,": JSON,
    "=": None,
    f"{'x/y, ' * 1_000}{GRAPHQL_JSON}": GRAPHQL_JSON,
}


@pytest.mark.parametrize("query", [QUERY, INTROSPECTION, WRONG], ids=["compiled", "ordinary", "wrong"])
def test_the_answer_has_the_media_type_that_is_wanted_most(doors: Doors, query: str):
    for accept, media_type in ACCEPTED.items():
        answer, _ = doors.ask(body_of(query, {}), Accept=accept)

        assert answer.media_type == (media_type or JSON), accept
        is_refused = query == WRONG and media_type == GRAPHQL_JSON
        assert answer.status == (406 if media_type is None else 400 if is_refused else 200), accept
        assert answer.headers["vary"].split(", ")[0] == "Accept"


def test_the_lines_of_a_header_are_one_list(api: Api):
    lines = [("Accept", "text/html"), ("Accept", GRAPHQL_JSON)]

    assert (
        api.http.get("/graphql", params={"query": QUERY}, headers=lines).headers["content-type"].startswith("text/html")
        is False
    )
    assert api.http.post("/graphql", json={"query": QUERY}, headers=lines).headers["content-type"] == GRAPHQL_JSON


def test_what_cannot_be_answered_is_not_run(api: Api, backend_of_module: Backend):
    before = backend_of_module.dump()
    create = {"query": BATCH, "variables": {"parts": [part("a", "CREATE", "/artists", {"name": "Neu"})]}}

    answer = api.http.post("/graphql", json=create, headers={"Accept": "text/html"})

    check_error(answer, 406)
    assert backend_of_module.dump() == before


def test_without_accept_the_answer_is_json(program: Program):
    connection = http.client.HTTPConnection(program.url.removeprefix("http://"), timeout=30)  # which sends none
    connection.request("POST", "/graphql", json.dumps({"query": QUERY}), {"Content-Type": JSON})
    answer = connection.getresponse()

    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    assert json.loads(answer.read()) == {"data": {"artists": {"nodes": [{"name": "Nordlicht"}]}}}


@pytest.mark.parametrize(
    ("accept", "has_page"),
    {
        BROWSER: True,
        "text/html": True,
        f"text/html;q=0.5, {JSON}": False,
        f"text/html, {JSON}": True,
        "*/*": False,
        "text/html;q=0, */*": False,
    }.items(),
)
def test_a_browser_gets_the_page_where_it_asks_for_nothing_else(api: Api, accept: str, has_page: bool):
    headers = {"Accept": accept}

    page = api.http.get("/graphql", headers=headers)
    asked = api.http.get("/graphql", params={"query": QUERY}, headers=headers)

    assert page.headers["content-type"].startswith("text/html") is has_page
    assert page.status_code == (200 if has_page else 400)
    assert page.headers["vary"].startswith("Accept")
    assert asked.headers["content-type"] == JSON
    assert asked.status_code == (406 if accept == "text/html" else 200)


@pytest.mark.parametrize(
    ("content_type", "status"),
    {
        'application/json; charset="UTF-8"': 200,
        "application/json;charset=utf8": 200,
        "application/json; profile=x": 200,
        "application/json; charset=iso-8859-1": 415,
        "application/json; charset=utf-16": 415,
    }.items(),
)
def test_a_body_is_json_in_utf_8(api: Api, content_type: str, status: int):
    answer = api.http.post("/graphql", content=json.dumps({"query": QUERY}), headers={"Content-Type": content_type})

    assert answer.status_code == status


# --- methods and routes

ROUTES = {
    "/": "GET, HEAD, OPTIONS",
    "/graphql": "GET, HEAD, OPTIONS, POST",
    "/batch": "GET, HEAD, OPTIONS, POST",
    "/livez": "GET, HEAD, OPTIONS",
    "/readyz": "GET, HEAD, OPTIONS",
}


@pytest.mark.parametrize(("path", "allow"), ROUTES.items())
def test_every_route_says_which_methods_it_takes(api: Api, path: str, allow: str):
    options = api.http.options(path)

    assert (options.status_code, options.headers["allow"], options.content) == (204, allow, b"")
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "BREW"):
        answer = api.http.request(method, path)
        check_error(answer, 405)
        assert answer.headers["allow"] == allow


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/nothing", "/graphql/nothing", "/.env", "/%2e%2e/graphql", "/GraphQL"])
def test_another_path_is_not_found_in_json(api: Api, method: str, path: str):
    check_error(api.http.request(method, path), 404)


def test_a_fault_of_ours_is_told_by_its_number_alone(api: Api, monkeypatch: pytest.MonkeyPatch):
    def fail(_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("partwise.server.graphql_endpoint.media_type_of", fail)

    answer = client(api).post("/graphql", json={"query": QUERY})

    check_error(answer, 500, "INTERNAL")
    (error,) = answer.json()["errors"]
    assert error["extensions"]["id"] in error["message"]
    assert "secret" not in answer.text


HEADS = {
    "a query": f"/graphql?query={QUERY.replace(' ', '%20')}",
    "a mutation": "/graphql?query=mutation%20%7B%20__typename%20%7D",
    "no query": "/graphql",
    "health": "/livez",
    "nowhere": "/nothing",
}


@pytest.mark.parametrize("path", HEADS.values(), ids=HEADS)
def test_head_is_get_without_its_body(program: Program, path: str):
    connection = http.client.HTTPConnection(program.url.removeprefix("http://"), timeout=30)
    found = []
    for method in ("GET", "HEAD"):
        connection.request(method, path)
        answer = connection.getresponse()
        headers = {name: value for name, value in answer.headers.items() if name not in {"date", "server-timing"}}
        found.append((answer.status, headers, answer.read()))

    (status, headers, body), head = found
    assert body
    assert head == (status, headers, b"")
    assert headers["content-length"] == str(len(body))


# --- pages of other origins

APP = "https://app.example.org"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,idempotency-key,x-client",
}


def cors_of(answer: Any) -> dict[str, str]:
    """Sum up what a browser reads: the headers of CORS, in short."""
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)}


def test_by_default_no_other_origin_is_let_in(api: Api):
    asked = api.http.post("/graphql", json={"query": QUERY}, headers={"Origin": APP})
    preflight = api.http.options("/graphql", headers={"Origin": APP, **PREFLIGHT})

    assert (asked.status_code, cors_of(asked)) == (200, {})
    assert (preflight.status_code, cors_of(preflight)) == (204, {})


@pytest.mark.parametrize(
    ("origins", "told"), [([APP, "http://localhost:5173"], APP), ("*", "*")], ids=["listed", "all"]
)
def test_the_origins_of_the_settings_are_let_in(api: Api, origins: Any, told: str):
    http = client(api, cors_origins=origins)

    answers = [
        http.post("/graphql", json={"query": QUERY}, headers={"Origin": APP}),
        http.get("/graphql", params={"query": QUERY}, headers={"Origin": APP}),
        http.post("/graphql", content="{", headers={"Origin": APP, "Content-Type": JSON}),
        http.get("/nothing", headers={"Origin": APP}),
        http.put("/graphql", headers={"Origin": APP}),
    ]
    preflight = http.options("/graphql", headers={"Origin": APP, **PREFLIGHT})

    assert [answer.status_code for answer in answers] == [200, 200, 400, 404, 405]
    for answer in answers:
        assert cors_of(answer) == {
            "allow-origin": told,
            "expose-headers": "Server-Timing, Idempotency-Replayed, Retry-After",
        }
        assert "Origin" in answer.headers["vary"]
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert cors_of(preflight) == {
        "allow-origin": told,
        "allow-methods": "GET, HEAD, POST",
        "allow-headers": "content-type,idempotency-key,x-client",
        "max-age": "7200",
    }


@pytest.mark.parametrize(
    "origin",
    [
        "https://other.example.org",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://app.example.org.evil.example",
        "https://APP.example.org",
        "null",
        "*",
        "",
    ],
)
def test_another_origin_is_not(api: Api, origin: str):
    http = client(api, cors_origins=[APP])

    asked = http.post("/graphql", json={"query": QUERY}, headers={"Origin": origin})
    preflight = http.options("/graphql", headers={"Origin": origin, **PREFLIGHT})

    assert "allow-origin" not in cors_of(asked)
    check_error(preflight, 403)
    assert "allow-origin" not in cors_of(preflight)


def test_a_method_that_no_route_takes_is_refused_to_a_listed_origin(api: Api):
    preflight = {"Origin": APP, "Access-Control-Request-Method": "DELETE"}

    check_error(client(api, cors_origins=[APP]).options("/graphql", headers=preflight), 403)


@pytest.mark.parametrize(
    ("host", "status"),
    {
        "localhost:8000": 200,
        "127.0.0.1": 200,
        "[::1]:8000": 200,
        "evil.example": 421,
        "": 421,
        "a" * 9_999: 421,
    }.items(),
)
def test_the_server_answers_to_names_of_this_machine_only(api: Api, host: str, status: int):
    assert api.http.get("/livez", headers={"Host": host}).status_code == status


def test_who_names_another_server_is_refused_also_from_a_listed_origin(api: Api):
    answer = client(api, cors_origins="*").post(
        "/graphql", json={"query": QUERY}, headers={"Origin": APP, "Host": "evil.example"}
    )

    check_error(answer, 421)
    assert cors_of(answer) == {}


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.org",
        "https://app.example.org/",
        "https://app.example.org/shop",
        "https://App.example.org",
        "https://*.example.org",
        "https://app.example.org:443",
        "http://app.example.org:80",
        "https://a.example, https://b.example/",
    ],
)
def test_what_is_no_origin_stops_the_start(origin: str):
    with pytest.raises(
        SettingsError, match=r"The setting cors_origins is wrong: .* is not an origin; write it as browsers"
    ):
        load_settings(cors_origins=origin)


def test_origins_come_by_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARTWISE_CORS_ORIGINS", "https://a.example, http://[::1]:3000,")

    assert load_settings().cors_origins == ("https://a.example", "http://[::1]:3000")


# --- compression

LONG = "{ tracks { nodes { path etag trackId name composer milliseconds } } __schema { types { name description } } }"
ENCODINGS = {  # header -> whether the answer is compressed
    "gzip": True,
    "gzip, deflate, br, zstd": True,
    "GZip;q=0.5": True,
    "gzip;q=0": False,
    "gzip;q=0, *": False,
    "deflate, br": False,
    "xgzip": False,
    "identity": False,
    "": False,
}


@pytest.mark.parametrize(("accepted", "is_compressed"), ENCODINGS.items())
def test_long_answers_are_compressed_for_those_who_ask_for_it(api: Api, accepted: str, is_compressed: bool):
    with api.http.stream("POST", "/graphql", json={"query": LONG}, headers={"Accept-Encoding": accepted}) as answer:
        body = b"".join(answer.iter_raw())

    plain = api.http.post("/graphql", json={"query": LONG}, headers={"Accept-Encoding": "identity"}).content
    assert answer.headers.get("content-encoding") == ("gzip" if is_compressed else None)
    assert (gzip.decompress(body) if is_compressed else body) == plain
    assert answer.headers["content-length"] == str(len(body))
    assert sorted(answer.headers["vary"].split(", ")) == ["Accept", "Accept-Encoding"]
    assert len(body) < len(plain) / 3 or not is_compressed


def test_short_answers_are_not_compressed(api: Api):
    answer = api.http.post("/graphql", json={"query": QUERY}, headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in answer.headers


def test_compression_can_be_turned_off(api: Api):
    answer = client(api, compression=0).post("/graphql", json={"query": LONG}, headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept"


# --- Server-Timing


def phases(answer: Any) -> dict[str, float]:
    """Read the header: phase -> milliseconds."""
    return {
        name: float(ms) for name, ms in re.findall(r"(\w+);dur=(\d+\.\d+)(?:, |$)", answer.headers["server-timing"])
    }


PARTS = {"parts": [part("a", "GET", "/artists/1")]}
TIMED: dict[str, tuple[str, Any]] = {
    "a query": (QUERY, {}),
    "a query with a fault": ('{ artists(after: "x") { totalCount } artist(artistId: 1) { name } }', {}),
    "a batch": (BATCH, PARTS),
    "a batch with a relation": (BATCH.replace("item {", "items { etag } item {"), PARTS),
}


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "ordinary"])
@pytest.mark.parametrize(("query", "variables"), TIMED.values(), ids=TIMED)
def test_an_answer_says_how_long_its_phases_took(api: Api, compiled: bool, query: str, variables: Any):
    http = TestClient(make_app(api.service, api.settings, compiled=compiled), base_url="http://127.0.0.1")

    for _ in range(2):  # the second time, the document is known
        found = phases(http.post("/graphql", json={"query": query, "variables": variables}))

        assert list(found) == ["receive", "prepare", "database", "answer", "total"]
        *each, total = found.values()
        assert sum(each) == pytest.approx(total, abs=0.01)
        assert all(ms > 0 for ms in found.values())


def test_what_asks_no_database_has_a_total_alone(api: Api):
    answers = [
        api.http.post("/graphql", json={"query": INTROSPECTION}),
        api.http.post("/graphql", content="{", headers={"Content-Type": JSON}),
        api.http.get("/graphql", headers={"Accept": BROWSER}),
    ]

    assert [list(phases(answer)) for answer in answers] == [["receive", "total"]] * 3


def test_waiting_for_the_database_is_the_time_of_the_database(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    api = start(sqlite)
    variables = {"parts": [part("a", "UPDATE", "/artists/1", {"name": "Neu"})]}
    path = str(sa.make_url(sqlite.url).database)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    letting_go = threading.Timer(0.4, other.rollback)
    letting_go.start()

    answer = api.http.post("/graphql", json={"query": BATCH, "variables": variables})

    letting_go.join()
    other.close()
    found = phases(answer)
    assert answer.json()["data"]["batch"]["status"] == "COMMITTED"
    assert found["database"] > 300
    assert found["receive"] + found["prepare"] + found["answer"] < 300


ONE_PART = {"parts": [{"id": "a", "path": "/artists/1", "operation": "get"}]}


def test_the_batch_door_says_how_long_its_phases_took_too(api: Api):
    found = phases(api.http.post("/batch", json=ONE_PART))

    assert list(found) == ["receive", "prepare", "database", "answer", "total"]
    *each, total = found.values()
    assert sum(each) == pytest.approx(total, abs=0.01)
    for answer in (api.http.get("/batch"), api.http.post("/batch", json={}), api.http.post("/batch", content="x")):
        assert list(phases(answer)) == ["receive", "total"]


def test_times_can_be_kept_secret(api: Api):
    http = client(api, server_timing=False)

    for answer in (
        http.post("/graphql", json={"query": QUERY}),
        http.post("/batch", json=ONE_PART),
        http.get("/batch"),
    ):
        assert answer.status_code == 200
        assert "server-timing" not in answer.headers
