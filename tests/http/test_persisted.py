"""Persisted documents of the settings, and automatic persisted queries: the documents that requests name."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from partwise.persisted import BadReference, NotServed, Persisted
from partwise.server.app import make_app
from partwise.settings import Settings, SettingsError
from tests.support.doors import Doors
from tests.support.harness import BATCH, Api, Backend, part, serve, sqlite_backend
from tests.support.music import SCRIPT
from tests.support.program import run

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
ARTIST = "query One($id: Int!) { artist(artistId: $id) { name } }"
RENAME = "mutation($parts: [PartInput!]!) { batch(parts: $parts, dryRun: true) { status } }"
TYPE = '{ __type(name: "Artist") { name } }\n'  # the new line counts
DOCUMENTS = {"artist": ARTIST, "rename": RENAME, "type": TYPE}
VARIABLES = {
    "artist": {"id": 1},
    "rename": {"parts": [part("a", "UPDATE", "/artists/1", {"name": "Neu"})]},
    "type": {},
}
ANSWERS = {
    "artist": {"data": {"artist": {"name": "Nordlicht"}}},
    "rename": {"data": {"batch": {"status": "VALID"}}},
    "type": {"data": {"__type": {"name": "Artist"}}},
}


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def apq(sha256_hash: Any, version: Any = 1) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": version, "sha256Hash": sha256_hash}}}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The music shop: no table of it may change."""
    backend = sqlite_backend(tmp_path_factory.mktemp("persisted"))
    backend.run(SCRIPT)
    before = backend.dump()
    api = serve(backend)
    yield api
    api.close()
    assert backend.dump() == before


def doors_of(api: Api, **settings: Any) -> Doors:
    return Doors(api, Settings(database_url=api.settings.database_url, **settings))


def in_folder(folder: Path) -> Path:
    (folder / "queries" / "below").mkdir(parents=True)
    (folder / "queries" / "artist.graphql").write_text(ARTIST)
    (folder / "queries" / "rename.graphql").write_text(RENAME)
    (folder / "queries" / "below" / "type.graphql").write_text(TYPE)
    (folder / "queries" / "README.md").write_text("no document")
    return folder / "queries"


def in_manifest(folder: Path, content: Any = DOCUMENTS) -> Path:
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder / "manifest.json"


def in_apollos_manifest(folder: Path) -> Path:
    operations = [{"id": name, "name": name, "type": "query", "body": text} for name, text in DOCUMENTS.items()]
    return in_manifest(folder, {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations})


def ask(doors: Doors, accept: str = JSON, **body: Any) -> tuple[int, Any]:
    """Ask at both doors, and compare: the status, and the answer or the code of its error."""
    answer, _ = doors.ask(json.dumps(body), Accept=accept)
    decoded = json.loads(answer.body)
    if "errors" not in decoded:
        return answer.status, decoded
    (error,) = decoded["errors"]
    return answer.status, error["extensions"]["code"]


# --- by their names


@pytest.mark.parametrize("written", [in_folder, in_manifest, in_apollos_manifest])
def test_a_persisted_document_is_run_by_its_hash(api: Api, tmp_path: Path, written: Any):
    doors = doors_of(api, persisted_documents=written(tmp_path))

    for name, text in DOCUMENTS.items():
        found = hash_of(text)
        for named in (
            {"documentId": f"sha256:{found}"},
            {"documentId": found},
            apq(found),
            {"query": "", **apq(found)},
        ):
            assert ask(doors, variables=VARIABLES[name], **named) == (200, ANSWERS[name]), named


@pytest.mark.parametrize("written", [in_manifest, in_apollos_manifest])
def test_a_document_of_a_manifest_is_run_by_its_id(api: Api, tmp_path: Path, written: Any):
    doors = doors_of(api, persisted_documents=written(tmp_path))

    for name in DOCUMENTS:
        for named in ({"documentId": name}, {"id": name}, {"doc_id": name}, apq(name), {"query": None, "id": name}):
            assert ask(doors, variables=VARIABLES[name], **named) == (200, ANSWERS[name]), named


def test_ids_of_a_manifest_may_say_that_they_are_hashes(api: Api, tmp_path: Path):
    found = hash_of(ARTIST)
    doors = doors_of(api, persisted_documents=in_manifest(tmp_path, {f"sha256:{found}": ARTIST, "sha256:own": TYPE}))

    for name in (f"sha256:{found}", found):
        assert ask(doors, documentId=name, variables={"id": 1}) == (200, ANSWERS["artist"])
    assert ask(doors, documentId="sha256:own") == (200, ANSWERS["type"])


def test_a_persisted_document_is_compiled_like_any_other(api: Api, tmp_path: Path):
    doors = doors_of(api, persisted_documents=in_folder(tmp_path))
    body = json.dumps({"documentId": hash_of(ARTIST), "variables": {"id": 1}})

    assert doors.ask(body)[1]


def test_a_persisted_document_is_run_by_get(api: Api, tmp_path: Path):
    doors = doors_of(api, persisted_documents=in_manifest(tmp_path))
    variables = json.dumps(VARIABLES["artist"])

    for named in (
        {"documentId": f"sha256:{hash_of(ARTIST)}"},
        {"id": "artist"},
        {"extensions": json.dumps(apq("artist")["extensions"])},
    ):
        answer = doors.ask_by_url(variables=variables, **named)
        assert (answer.status, json.loads(answer.body)) == (200, ANSWERS["artist"])
    mutation = doors.ask_by_url(documentId="rename", variables=json.dumps(VARIABLES["rename"]))
    assert (mutation.status, mutation.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
def test_an_unknown_document_is_a_single_error(api: Api, tmp_path: Path, accept: str):
    doors = doors_of(api, persisted_documents=in_folder(tmp_path))
    expected = (200 if accept == JSON else 400, "PERSISTED_QUERY_NOT_FOUND")

    for named in ("artist", "artist.graphql", "", "sha256:", "SHA256:" + hash_of(ARTIST), hash_of(ARTIST).upper()):
        assert ask(doors, accept, documentId=named) == expected, named


BAD_NAMES: dict[str, dict[str, Any]] = {
    "a number": {"documentId": 1},
    "false": {"documentId": False},
    "a list": {"documentId": []},
    "a number beside a query": {"documentId": 0, "query": TYPE},
    "another member, a number": {"id": 1},
    "no version": {"extensions": {"persistedQuery": {"sha256Hash": hash_of(TYPE)}}},
    "another version": apq(hash_of(TYPE), 2),
    "a version that is a text": apq(hash_of(TYPE), "1"),
    "no hash": {"extensions": {"persistedQuery": {"version": 1}}},
    "an empty hash": apq(""),
    "a hash that is a number": apq(1),
    "a text": {"extensions": {"persistedQuery": "x"}},
    "another hash than the query's": {"query": TYPE, **apq(hash_of(ARTIST))},
    "the hash of the same but for white space": {"query": TYPE, **apq(hash_of(TYPE.strip()))},
    "another document than the query": {"query": TYPE, "documentId": "artist"},
    "no document of ours, and a query": {"query": TYPE, "documentId": "own"},
    "an empty name, and a query": {"query": TYPE, "documentId": ""},
    "nothing at all": {"extensions": {"persistedQuery": None}},
}


@pytest.mark.parametrize("body", BAD_NAMES.values(), ids=BAD_NAMES)
def test_what_names_no_document_is_a_bad_request(api: Api, tmp_path: Path, body: Any):
    doors = doors_of(api, persisted_documents=in_manifest(tmp_path))

    for accept in (JSON, GRAPHQL_JSON):
        assert ask(doors, accept, **body) == (400, "BAD_REQUEST")


def test_a_query_may_be_sent_with_its_name(api: Api, tmp_path: Path):
    doors = doors_of(api, persisted_documents=in_manifest(tmp_path))

    for named in (
        {"documentId": "type"},
        {"documentId": f"sha256:{hash_of(TYPE)}"},
        apq("type"),
        {"id": "of a message"},
    ):
        assert ask(doors, query=TYPE, **named) == (200, ANSWERS["type"])


# --- nothing but persisted documents


@pytest.fixture
def only(api: Api, tmp_path: Path) -> Doors:
    return doors_of(api, persisted_documents=in_folder(tmp_path), only_persisted=True)


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL_JSON, 403)])
def test_only_persisted_refuses_every_other_document(only: Doors, accept: str, status: int):
    refused = (status, "PERSISTED_QUERY_REQUIRED")
    others = [
        TYPE.strip(),
        BATCH,
        "{ artists { totalCount } }",
        "{ __schema { types { name } } }",
        "{ __typename }",
        "{",
    ]

    for query in others:
        assert ask(only, accept, query=query) == refused
        assert ask(only, accept, query=query, **apq(hash_of(query))) == refused
        assert ask(only, accept, **apq(hash_of(query)))[1] == "PERSISTED_QUERY_NOT_FOUND"
    assert only.ask_by_url(query=others[0]).body == only.ask_by_url(query=others[1]).body


def test_only_persisted_runs_those_by_name_and_by_text(only: Doors):
    for name, text in DOCUMENTS.items():
        assert ask(only, variables=VARIABLES[name], documentId=hash_of(text)) == (200, ANSWERS[name])
        assert ask(only, variables=VARIABLES[name], query=text) == (200, ANSWERS[name])


def test_only_persisted_has_no_page(api: Api, tmp_path: Path):
    own = Settings(database_url=api.settings.database_url, persisted_documents=in_folder(tmp_path), only_persisted=True)
    http = Doors(api, own)._fast

    assert http.get("/graphql", headers={"Accept": "*/*"}).json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    for path, name in (("/graphql", "GraphiQL"), ("/console", "The console")):
        page = http.get(path, headers={"Accept": "text/html, */*;q=0.8"})
        assert page.status_code == 403
        assert f"<h1>{name} is off</h1>" in page.text
        assert "only_persisted" in page.text
        assert "<script" not in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


# --- automatic persisted queries


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_query_that_was_sent_with_its_hash_is_known_by_it(api: Api, accept: str, name: str):
    doors = doors_of(api)
    text, variables = DOCUMENTS[name], VARIABLES[name]
    named = apq(hash_of(text))

    unknown, _ = doors.ask(json.dumps({"variables": variables, **named}), Accept=accept)
    sent = ask(doors, accept, query=text, variables=variables, **named)
    known = ask(doors, accept, variables=variables, **named)

    assert unknown.status == (200 if accept == JSON else 400)
    assert unknown.headers["cache-control"] == "no-store"
    assert json.loads(unknown.body) == {
        "errors": [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]
    }
    assert sent == known == (200, ANSWERS[name])
    by_url = doors.ask_by_url(variables=json.dumps(variables), extensions=json.dumps(named["extensions"]))
    assert by_url.status == (405 if name == "rename" else 200)


def test_a_query_that_is_sent_by_get_with_its_hash_is_known_by_it(api: Api):
    doors = doors_of(api)
    extensions = json.dumps(apq(hash_of(TYPE))["extensions"])

    answers = [doors.ask_by_url(extensions=extensions, **query) for query in ({}, {"query": TYPE}, {})]

    assert [sorted(json.loads(answer.body)) for answer in answers] == [["errors"], ["data"], ["data"]]


def test_a_query_that_was_sent_without_its_hash_is_not(api: Api):
    doors = doors_of(api)

    ask(doors, query=TYPE)
    ask(doors, query=TYPE, **apq(hash_of(ARTIST)))  # of another

    for text in (TYPE, ARTIST):
        assert ask(doors, **apq(hash_of(text))) == (200, "PERSISTED_QUERY_NOT_FOUND")


def remembered(documents: Persisted, texts: list[str]) -> list[str]:
    def is_known(text: str) -> bool:
        try:
            return documents.find(None, None, apq(hash_of(text))["extensions"]) == text
        except NotServed:
            return False

    return [text for text in texts if is_known(text)]


def test_those_that_were_used_last_are_kept():
    documents = Persisted({}, most=3)
    texts = [f"{{ a{number}: __typename }}" for number in range(5)]

    for text in texts[:3]:
        documents.find(text, None, apq(hash_of(text))["extensions"])
    documents.find(None, hash_of(texts[0]), None)  # used again
    for text in texts[3:]:
        documents.find(text, None, apq(hash_of(text))["extensions"])

    assert remembered(documents, texts) == [texts[0], *texts[3:]]


def test_all_of_them_together_have_a_longest_length():
    documents = Persisted({}, total=100)
    texts = [f"{{ a{number}: __typename }} # {'x' * 10}" for number in range(9)]  # 31 characters each
    longest = "#" * 101

    for text in [*texts, longest, texts[8]]:
        documents.find(text, None, apq(hash_of(text))["extensions"])

    assert remembered(documents, [*texts, longest]) == texts[6:]


def test_a_lone_surrogate_has_no_hash_that_fits():
    with pytest.raises(BadReference):
        Persisted({}).find("\ud800", None, apq(hash_of("x"))["extensions"])


# --- the start

WRONG: dict[str, tuple[Mapping[str, str | bytes], str, str]] = {  # files, the place, what is said
    "nowhere": ({}, "nothing", "nothing cannot be read: No such file"),
    "an empty folder": ({"queries/a.txt": "{ __typename }"}, "queries", "no persisted documents in queries"),
    "an empty manifest": ({"m.json": "{}"}, "m.json", "no persisted documents in m.json"),
    "no JSON": ({"m.json": "{"}, "m.json", "m.json of persisted documents is not valid JSON"),
    "a list": ({"m.json": "[]"}, "m.json", "must be an object of texts"),
    "no text": ({"m.json": '{"a": {"b": 1}}'}, "m.json", "must be an object of texts"),
    **{
        f"Apollo's, {name}": (
            {"m.json": json.dumps({"format": "apollo-persisted-query-manifest", "operations": operations})},
            "m.json",
            "must be an object of texts",
        )
        for name, operations in {
            "without texts": [{"id": "a"}],
            "without ids": [{"body": ARTIST}],
            "with odd ids": [{"id": ["a"], "body": ARTIST}],
            "with texts alone": [ARTIST],
            "without operations": None,
        }.items()
    },
    "a syntax error": (
        {"queries/a.graphql": "{ __typename }", "queries/below/b.graphql": "{\n  a("},
        "queries",
        "The persisted document below/b.graphql is wrong in line 2: Syntax Error: Expected Name, found <EOF>.",
    ),
    "no such field": (
        {"m.json": json.dumps({"good": ARTIST, "bad": "{ nothing }"})},
        "m.json",
        "The persisted document bad is wrong in line 1: Cannot query field 'nothing' on type 'Query'.",
    ),
    "a fragment alone": (
        {"queries/f.graphql": "fragment F on Artist { name }"},
        "queries",
        "f.graphql is wrong in line 1: Fragment 'F' is never used.",
    ),
    "nested without end": ({"queries/f.graphql": "{a" * 100_000}, "queries", "The persisted document f.graphql is "),
    "no UTF-8": (
        {"queries/f.graphql": b"{ \xff }"},
        "queries",
        "The persisted documents in queries are not valid UTF-8.",
    ),
}


def stopped(api: Api, **settings: Any) -> str:
    """Start with these settings: the sentence that stops it."""
    with pytest.raises(SettingsError) as error:
        make_app(api.service, Settings(database_url=api.settings.database_url, **settings))
    return str(error.value)


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_documents_that_cannot_be_run_stop_the_start(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[Mapping[str, str | bytes], str, str]
):
    files, place, sentence = case
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    assert sentence in stopped(api, persisted_documents=place)


def test_all_documents_that_are_wrong_are_told(api: Api, tmp_path: Path):
    place = in_manifest(tmp_path, {f"wrong{number:02}": "{ nothing }" for number in range(12)})

    *told, more = stopped(api, persisted_documents=place).splitlines()

    assert [f"wrong{number:02} is" in line for number, line in enumerate(told)] == [True] * 10
    assert more == "… and 2 more."


def test_only_persisted_without_any_stops_the_start(api: Api):
    assert "every document would be rejected" in stopped(api, only_persisted=True)


def test_the_program_stops_with_the_sentence_alone(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)
    (tmp_path / "a.graphql").write_text("{ nothing }")

    done = run("serve", sqlite.url, folder=tmp_path, PARTWISE_PERSISTED_DOCUMENTS=".", PARTWISE_PORT="0")

    sentence = "The persisted document a.graphql is wrong in line 1: Cannot query field 'nothing' on type 'Query'."
    assert (done.returncode, done.stderr) == (2, f"partwise: {sentence}\n")
