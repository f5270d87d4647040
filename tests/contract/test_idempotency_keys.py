"""How idempotency keys come: as an argument, as a header, at both doors; and that one batch is the same whichever way it came."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest
from starlette.testclient import TestClient

from partwise.server.app import make_app
from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, part
from tests.support.keyed import KEYED, receipts, refusal, send
from tests.support.music import SCRIPT

PARTS = [part("a", "CREATE", "/artists", {"name": "Neu"})]
DOCUMENT = {"parts": [{**PARTS[0], "operation": "create"}]}
PLAIN = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status replayed } }"
JSON = "application/json"
FORM = "must have 1 to 255 printable ASCII characters, without a blank at either end."


@pytest.fixture
def shop(sqlite: Backend, start: Serve) -> Api:
    sqlite.run(SCRIPT)
    return start(sqlite)


def with_header(api: Api, header: str | bytes, query: str = PLAIN, **variables: Any) -> Json:
    """Send a GraphQL request with a header; give back the whole answer."""
    body = {"query": query, "variables": {"parts": PARTS, **variables}}
    answer = api.http.post("/graphql", json=body, headers=keys(header))
    assert answer.status_code == 200
    return answer.json()


def keys(*headers: str | bytes) -> list[tuple[bytes, bytes]]:
    """Write headers, of which there may be several."""
    return [(b"Idempotency-Key", each.encode() if isinstance(each, str) else each) for each in headers]


def outcome(answer: Json) -> str:
    """Sum up an answer: new, replayed, or the code of its error."""
    if "errors" in answer:
        assert answer["data"] is None or set(answer["data"].values()) == {None}
        return str(answer["errors"][0]["extensions"]["code"])
    return "replayed" if answer["data"]["batch"]["replayed"] else "new"


# --- the form


GOOD = ["k", "~", "a b", "!" * 255, "8e03978e-40d5-43dd-bc93-6894a57f9324", 'say "k"', "a,b;c", "\\"]
BAD = ["", " ", "k" * 256, "k" * 300, "a\x00b", "a\tb", "a\nb", "a\x7fb", "schlüssel", "🔑", " k", "k ", "\ud800"]


@pytest.mark.parametrize("key", GOOD)
def test_keys_of_printable_ascii_are_taken(shop: Api, sqlite: Backend, key: str):
    assert not send(shop, key, *PARTS)["replayed"]
    assert receipts(sqlite) == [key]
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert outcome(with_header(shop, quoted)) == "replayed"
    if not key.startswith('"'):
        assert outcome(with_header(shop, key)) == "replayed"


@pytest.mark.parametrize("key", BAD)
def test_other_keys_are_refused(shop: Api, sqlite: Backend, key: str):
    before = sqlite.dump()
    for _ in range(2):  # the second time the document is known, and compiled
        code, message = refusal(shop, key, *PARTS)
        assert (code, message) == ("BAD_REQUEST", f"idempotencyKey {FORM}")
    assert sqlite.dump() == before


@pytest.mark.parametrize(
    "header", [b"", b"k" * 256, b"a\tb", b"schl\xc3\xbcssel", b'""', b'" k"', b'"k "', b'"k' + b"k" * 300]
)
def test_other_headers_are_refused(shop: Api, sqlite: Backend, header: bytes):
    before = sqlite.dump()
    for _ in range(2):
        answer = with_header(shop, header)
        assert outcome(answer) == "BAD_REQUEST"
        assert "header Idempotency-Key" in answer["errors"][0]["message"]
    refused = shop.http.post("/batch", json=DOCUMENT, headers=keys(header))
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert "header Idempotency-Key" in refused.json()["errors"][0]["message"]
    assert sqlite.dump() == before


@pytest.mark.parametrize("header", ['"k', '"k"x', '"k";a=1', '"a\\b"', '"'])
def test_a_header_that_begins_with_a_quote_is_a_quoted_string(shop: Api, header: str):
    answer = with_header(shop, header)
    assert outcome(answer) == "BAD_REQUEST"
    assert 'Write it as "8e03978e"' in answer["errors"][0]["message"]


@pytest.mark.parametrize("header", ["k ", "k\t", ' "k"', '"k" \t'])
def test_blanks_around_a_header_are_no_part_of_it(shop: Api, sqlite: Backend, header: str):
    send(shop, "k", *PARTS)

    assert outcome(with_header(shop, header)) == "replayed"
    assert receipts(sqlite) == ["k"]


# --- argument and header


def test_argument_and_header_have_to_agree(shop: Api, sqlite: Backend):
    query = PLAIN.replace("!)", "!, $key: String)").replace("parts: $parts)", "parts: $parts, idempotencyKey: $key)")
    for _ in range(2):
        answer = with_header(shop, "one", query, key="other")
        assert outcome(answer) == "BAD_REQUEST"
        assert "different values" in answer["errors"][0]["message"]
    assert "partwise_receipt" not in sqlite.dump()

    assert outcome(with_header(shop, '"one"', query, key="one")) == "new"
    assert outcome(with_header(shop, "one", query)) == "replayed"
    assert outcome(with_header(shop, "two", query, key=None)) == "new"
    assert receipts(sqlite) == ["one", "two"]


def test_a_header_that_is_there_twice_has_to_agree_with_itself(shop: Api):
    def twice(one: str, other: str) -> Json:
        body = {"query": PLAIN, "variables": {"parts": PARTS}}
        return shop.http.post("/graphql", json=body, headers=keys(one, other)).json()

    assert outcome(twice("one", "other")) == "BAD_REQUEST"
    assert outcome(twice("one", '"one"')) == "new"


def test_a_header_is_refused_where_there_are_several_batches_and_nothing_runs(shop: Api, sqlite: Backend):
    before = sqlite.dump()
    query = (
        "mutation ($parts: [PartInput!]!) { a: batch(parts: $parts) { replayed }"
        ' b: batch(parts: $parts, idempotencyKey: "k") { replayed } }'
    )

    answer = with_header(shop, "k", query)

    assert answer["data"] == {"a": None, "b": None}
    for error in answer["errors"]:
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert "this mutation has 2" in error["message"]
    assert sqlite.dump() == before


def test_a_header_counts_for_the_only_batch_whatever_else_is_selected(shop: Api, sqlite: Backend):
    query = (
        "mutation ($parts: [PartInput!]!) { __typename batch(parts: $parts) { replayed }"
        " batch(parts: $parts) { status } other: batch(parts: $parts) @skip(if: true) { status } }"
    )

    assert [outcome(with_header(shop, "k", query)) for _ in range(3)] == ["new", "replayed", "replayed"]
    assert receipts(sqlite) == ["k"]


def test_several_batches_have_keys_of_their_own(shop: Api, sqlite: Backend):
    query = (
        'mutation ($parts: [PartInput!]!) { a: batch(parts: $parts, idempotencyKey: "a") { replayed }'
        ' b: batch(parts: $parts, idempotencyKey: "b") { replayed } a2: batch(parts: $parts, idempotencyKey: "a") { replayed } }'
    )

    found = [shop.query(query, parts=PARTS) for _ in range(2)]

    assert [[each["replayed"] for each in answer.values()] for answer in found] == [[False, False, True], [True] * 3]
    assert sqlite.rows('SELECT count(*) FROM "Artist" WHERE "Name" = \'Neu\'') == [(2,)]


@pytest.mark.parametrize("header", ["k", "", "ü", '"'])
def test_in_a_query_a_header_means_nothing(shop: Api, header: str):
    for _ in range(2):
        answer = shop.http.post(
            "/graphql",
            json={"query": "{ artist(artistId: 1) { name } }"},
            headers=keys(header),
        )
        assert answer.json() == {"data": {"artist": {"name": "Nordlicht"}}}


# --- the ways of a document


ARGUMENTS: Mapping[str, tuple[str, str, Mapping[str, Any], bool]] = {
    # what is declared, what is given, the variables, and whether there is a key
    "a variable": ("$key: String", "$key", {"key": "k"}, True),
    "a variable that is required": ("$key: String!", "$key", {"key": "k"}, True),
    "a variable with a default": ('$key: String = "k"', "$key", {}, True),
    "a required variable with a default": ('$key: String! = "k"', "$key", {}, True),
    "a default that is not taken": ('$key: String = "x"', "$key", {"key": "k"}, True),
    "a literal": ("", '"k"', {}, True),
    "a block": ("", '"""k"""', {}, True),
    "null": ("", "null", {}, False),
    "a variable that is null": ("$key: String", "$key", {"key": None}, False),
    "a variable that is absent": ("$key: String", "$key", {}, False),
    "a default that is null": ("$key: String = null", "$key", {}, False),
    "a null for a default": ('$key: String = "k"', "$key", {"key": None}, False),
}


@pytest.mark.parametrize("way", ARGUMENTS)
def test_both_doors_understand_the_argument_and_the_compiled_one_needs_no_executor(shop: Api, way: str):
    declared, given, variables, has_key = ARGUMENTS[way]
    query = f"mutation ($parts: [PartInput!]!{', ' if declared else ''}{declared})"
    query += f" {{ batch(parts: $parts, idempotencyKey: {given}) {{ status replayed }} }}"
    app = make_app(shop.service, shop.settings, compiled=False)
    doors = {True: shop.http, False: TestClient(app, base_url="http://127.0.0.1")}
    executed = count_executions(shop)

    found, by_executor = [], []
    for compiled in (True, True, False, True):  # at first the document is not known
        executed.clear()
        answer = doors[compiled].post("/graphql", json={"query": query, "variables": {"parts": PARTS, **variables}})
        found.append(outcome(answer.json()))
        by_executor.append(bool(executed))

    assert found == (["new", *["replayed"] * 3] if has_key else ["new"] * 4)
    assert by_executor == [True, False, True, False]


def count_executions(api: Api) -> list[str]:
    """List the documents that Strawberry executes from now on."""
    executed: list[str] = []
    execute = api.service.schema.execute

    def counted(query: str, **others: Any) -> Any:
        executed.append(query)
        return execute(query, **others)

    api.service.schema.execute = counted  # type: ignore[method-assign,assignment]  # only counted
    return executed


@pytest.mark.parametrize("key", [1, True, ["k"], {"k": "k"}])
def test_a_key_that_is_no_text_does_not_fit_its_variable(shop: Api, sqlite: Backend, key: Any):
    for _ in range(2):
        answer = shop.post(KEYED, {"parts": PARTS, "key": key})
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        assert "$key" in answer["errors"][0]["message"]
    assert "partwise_receipt" not in sqlite.dump()


# --- crosswise

TYPES = """
CREATE TABLE thing (
  id {key}, size {double}, price NUMERIC(10,2), big BIGINT, flag BOOLEAN, name VARCHAR(20), day DATE, data {bytes},
  document {json}, other_id INTEGER REFERENCES thing (id)
)
"""
ATTRIBUTES = {
    "size": 3,
    "price": "1.50",
    "big": "9007199254740993",
    "flag": True,
    "name": 'Zoë "x"\n',
    "day": "2026-12-31",
    "data": "AAE=",
    "document": {"b": [1, {"y": None, "x": 0.5}], "a": {}},
}
NAME = '"Zoë \\"x\\"\\n"'  # as GraphQL writes it
LITERAL = (
    f'{{ document: {{ a: {{}}, b: [1, {{ x: 0.5, y: null }}] }}, data: "AAE=", day: "2026-12-31", name: {NAME}, flag: true,'
    ' big: "9007199254740993", price: "1.50", size: 3 }'
)
REST = (
    'references: [{ part: "a", attribute: "otherId" }], path: "/things", operation: CREATE, id: "b" },'
    ' { id: "c", path: "/things/1", operation: GET, ifMatch: null, ifNoneMatch: ["x"] }'
)


def things(source: Json) -> list[Json]:
    return [
        part("a", "CREATE", "/things", **source),
        part("b", "CREATE", "/things", **source, references=[{"attribute": "otherId", "part": "a"}]),
        part("c", "GET", "/things/1", ifMatch=None, ifNoneMatch=["x"]),
    ]


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("source", ["payload", "item"])
def test_a_batch_is_the_same_whichever_way_it_comes(backend: Backend, start: Serve, source: str, first: int):
    backend.run(TYPES)
    api = start(backend)
    ordinary = TestClient(make_app(api.service, api.settings, compiled=False), base_url="http://127.0.0.1")
    sent = things({source: ATTRIBUTES if source == "payload" else {"thing": ATTRIBUTES}})
    with_variables = PLAIN.replace("parts: $parts)", 'parts: $parts, idempotencyKey: "k")')
    api.post(with_variables, {"parts": []})  # from now on the document is known
    given = LITERAL if source == "payload" else f"{{ thing: {LITERAL} }}"
    literal = (
        f'mutation {{ batch(idempotencyKey: "k", parts: [{{ {source}: {given}, id: "a", path: "/things", operation: CREATE }},'
        f" {{ {source}: {given}, {REST}]) {{ status replayed }} }}"
    )
    literal_with_variable = literal.replace("mutation", "mutation ($name: String)").replace(NAME, "$name")
    executed = count_executions(api)

    def graphql(http: Any, query: str, **variables: Any) -> bool:
        answer = http.post("/graphql", json={"query": query, "variables": variables}).json()
        assert answer["data"]["batch"]["status"] == "COMMITTED", answer
        return bool(answer["data"]["batch"]["replayed"])

    def compiled() -> bool:
        executed.clear()
        replayed = graphql(api.http, with_variables, parts=sent)
        assert not executed
        return replayed

    def document() -> bool:
        if source == "item":  # it has no typed items
            return graphql(ordinary, with_variables, parts=sent)
        parts = [{**each, "operation": each["operation"].lower()} for each in sent]
        answer = api.http.post("/batch", json={"parts": parts}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 200, answer.text
        return answer.headers.get("idempotency-replayed") == "true"

    ways = [
        compiled,
        lambda: graphql(ordinary, with_variables, parts=sent),
        lambda: graphql(api.http, literal),
        document,
        lambda: graphql(api.http, literal_with_variable, name=ATTRIBUTES["name"]),
    ]

    replayed = [way() for way in ways[first:] + ways[:first]]

    assert replayed == [False, True, True, True, True]
    assert backend.rows("SELECT count(*) FROM thing") == [(2,)]


def test_a_fingerprint_is_of_what_was_sent_and_of_nothing_that_a_later_version_may_add(shop: Api, sqlite: Backend):
    sent = {
        "id": "a",
        "path": "/artists/1",
        "operation": "UPDATE",
        "payload": {"name": "X", "artistId": 1},
        "ifMatch": None,
    }

    send(shop, "k", sent)

    text = '[{"id":"a","ifMatch":null,"operation":"UPDATE","path":"/artists/1","payload":{"artistId":1,"name":"X"}}]'
    assert sqlite.rows("SELECT fingerprint FROM partwise_receipt") == [(sha256(text.encode()).hexdigest(),)]


def test_what_json_can_say_and_utf_8_cannot_has_a_fingerprint_too(shop: Api):
    bodies = [
        f'{{"query": {json.dumps(KEYED)}, "variables": {{"key": "k", "parts": [{{"id": "\\ud800", "path": "/artists/1", '
        f'"operation": "UPDATE", "payload": {{"name": "x", "artistId": 1}}, "ifMatch": null{other}}}]}}}}'
        for other in ("", "", ', "ifNoneMatch": ["x"]')
    ]

    answers = [shop.http.post("/graphql", content=body, headers={"Content-Type": JSON}).json() for body in bodies]

    assert [outcome(answer) for answer in answers] == ["new", "replayed", "IDEMPOTENCY_KEY_REUSED"]
    assert answers[1]["data"]["batch"]["parts"][0]["id"] == "\ud800"


@pytest.mark.parametrize("number", ["1.5", "1e-400", "0.1000000000000000055511151231257827"])
def test_half_of_a_surrogate_pair_beside_a_number_with_a_fraction_has_a_fingerprint_too(shop: Api, number: str):
    body = (
        f'{{"query": {json.dumps(KEYED)}, "variables": {{"key": "k", "parts": [{{"id": "\\ud800", "path": "/artists/1", '
        f'"operation": "UPDATE", "payload": {{"name": {number}}}}}]}}}}'
    )

    answer = shop.http.post("/graphql", content=body, headers={"Content-Type": JSON}).json()

    (result,) = answer["data"]["batch"]["parts"]
    assert [error["code"] for error in result["errors"]] == ["INVALID_VALUE"]


def test_a_number_that_is_no_double_is_not_the_whole_number_that_it_is_next_to(backend: Backend, start: Serve):
    backend.run("CREATE TABLE thing (id {key}, document {json})")
    api = start(backend)
    bodies = [
        f'{{"query": {json.dumps(KEYED)}, "variables": {{"key": "k", "parts": [{{"id": "a", "path": "/things", '
        f'"operation": "CREATE", "item": {{"thing": {{"document": {number}}}}}}}]}}}}'
        for number in ("1", "1", "1.00000000000000000000001")
    ]

    answers = [api.http.post("/graphql", content=body, headers={"Content-Type": JSON}).json() for body in bodies]

    assert [outcome(answer) for answer in answers] == ["new", "replayed", "IDEMPOTENCY_KEY_REUSED"]


@pytest.mark.parametrize("depth", [101, 300, 500, 700, 900, 950])
def test_a_value_that_is_nested_too_deep_is_what_it_is_without_a_key(shop: Api, depth: int):
    deep = "[" * depth + "]" * depth
    for key in (None, "k"):
        body = (
            f'{{"query": {json.dumps(KEYED)}, "variables": {{"key": {json.dumps(key)}, "parts": '
            f'[{{"id": "a", "path": "/artists", "operation": "CREATE", "payload": {{"name": {deep}}}}}]}}}}'
        )
        for _ in range(2):
            answer = shop.http.post("/graphql", content=body, headers={"Content-Type": JSON})
            assert "INTERNAL" not in answer.text
            if answer.status_code == 200:
                assert answer.json()["data"]["batch"]["parts"][0]["errors"][0]["code"] == "INVALID_VALUE"


# --- over HTTP


def test_a_batch_as_a_document_takes_the_header_and_says_what_is_replayed(music: Api, backend: Backend):
    def post(name: str, **headers: str) -> Any:
        parts = [{"id": "a", "path": "/artists", "operation": "create", "payload": {"name": name}}]
        return music.http.post("/batch", json={"parts": parts}, headers=headers)

    first, again = (post("Neu", **{"Idempotency-Key": '"k"'}) for _ in range(2))
    other = post("Alt", **{"Idempotency-Key": "k"})

    assert (first.status_code, again.status_code, first.json()) == (200, 200, again.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["errors"][0]["extensions"]) == (422, {"code": "IDEMPOTENCY_KEY_REUSED"})
    assert "parts" not in other.json()
    assert backend.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" > 3') == [("Neu",)]


def test_a_page_of_another_origin_may_send_the_header_and_read_what_is_replayed(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    http = start(sqlite, cors_origins=("https://app.example.org",)).http
    origin = {"Origin": "https://app.example.org"}

    preflight = http.options(
        "/batch",
        headers={
            **origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,idempotency-key",
        },
    )
    answer = http.post("/batch", json=DOCUMENT, headers=origin)

    assert preflight.status_code == 204
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"]
    assert "Idempotency-Replayed" in answer.headers["access-control-expose-headers"]
