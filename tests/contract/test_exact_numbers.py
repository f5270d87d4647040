"""Numbers inside JSON documents are exact, both ways, at every door (docs/contract.md, section 7)."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.conftest import Serve
from tests.support.digits import Digits, ask, ask_batch, digits
from tests.support.harness import LEAN_BATCH, Backend

pytestmark = pytest.mark.costly

SENT = (
    '{"past":9007199254740993,"long":12345678901234567890.123456789,"zeros":1.10,"tenth":0.1,"minus":-0,'
    '"list":[1.0,-0.0,1e2,123456789012345678901234567890],"huge":1e400}'
)
GOOGOLS = "1" + "0" * 400
# jsonb keeps numbers as `numeric`, which has zeros behind the point, and neither an exponent nor a negative zero.
IN_JSONB = (
    '{"past":9007199254740993,"long":12345678901234567890.123456789,"zeros":1.10,"tenth":0.1,"minus":0,'
    f'"list":[1.0,0.0,100,123456789012345678901234567890],"huge":{GOOGOLS}}}'
)
DDL = {
    "sqlite": "CREATE TABLE doc (id {key}, body JSON, name VARCHAR(20))",
    "postgresql": "CREATE TABLE doc (id {key}, body JSON, name VARCHAR(20))",
    "postgresql, jsonb": "CREATE TABLE doc (id {key}, body JSONB, name VARCHAR(20))",
}
RESULT = "{ status parts { id status etag payload item { ... on Doc { id body } } errors { code pointer } } }"
MUTATION = (
    f"mutation ($parts: [PartInput!]!, $dryRun: Boolean! = false) {{ batch(parts: $parts, dryRun: $dryRun) {RESULT} }}"
)


@pytest.fixture(params=DDL)
def kept(request: pytest.FixtureRequest) -> tuple[Backend, Any]:
    """A database with documents, and what it keeps of `SENT`, with all digits."""
    kind = request.param.partition(",")[0]
    backend: Backend = request.getfixturevalue(kind)
    backend.run(DDL[request.param])
    return backend, digits(IN_JSONB if request.param.endswith("jsonb") else SENT)


def stored(backend: Backend, where: str = "") -> list[Any]:
    """Read the documents behind the server's back, with all digits."""
    cast = "body" if backend.kind == "sqlite" else "body::text"
    return [digits(each) for (each,) in backend.rows(f"SELECT {cast} FROM doc {where} ORDER BY id")]


WAYS = {
    "payload": (
        MUTATION,
        f'{{"parts": [{{"id": "p", "path": "/docs", "operation": "CREATE", "payload": {{"body": {SENT}}}}}]}}',
    ),
    "item": (
        MUTATION,
        f'{{"parts": [{{"id": "p", "path": "/docs", "operation": "CREATE", "item": {{"doc": {{"body": {SENT}}}}}}}]}}',
    ),
    "a payload in the document": (
        f'mutation {{ batch(parts: [{{ id: "p", path: "/docs", operation: CREATE, payload: {{ body: {SENT.replace(chr(34), "")} }} }}]) {RESULT} }}',
        "{}",
    ),
    "an item in the document": (
        f'mutation {{ batch(parts: [{{ id: "p", path: "/docs", operation: CREATE, item: {{ doc: {{ body: {SENT.replace(chr(34), "")} }} }} }}]) {RESULT} }}',
        "{}",
    ),
    "a variable of the document": (
        f'mutation ($body: JSON) {{ batch(parts: [{{ id: "p", path: "/docs", operation: CREATE, payload: {{ body: $body }} }}]) {RESULT} }}',
        f'{{"body": {SENT}}}',
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_document_is_written_and_answered_digit_by_digit_whichever_way_it_comes(
    kept: tuple[Backend, Any], start: Serve, way: str
):
    backend, expected = kept
    api = start(backend)

    (result,) = ask(api, *WAYS[way])["data"]["batch"]["parts"]

    assert result["payload"]["body"] == expected
    assert result["item"]["body"] == expected
    assert stored(backend) == [expected]


@pytest.mark.parametrize("operation", ["update", "replace", "upsert"])
def test_every_operation_of_the_json_door_keeps_all_digits(kept: tuple[Backend, Any], start: Serve, operation: str):
    backend, expected = kept
    backend.run("INSERT INTO doc (id, body, name) VALUES (1, '{}', 'x'), (2, '[1]', 'y')")
    api = start(backend)

    answer = ask_batch(
        api, f'[{{"id": "p", "path": "/docs/1", "operation": "{operation}", "payload": {{"body": {SENT}}}}}]'
    )

    assert answer["parts"][0]["payload"]["body"] == expected
    assert stored(backend) == [expected, ["1"]]


def test_every_way_to_read_a_document_answers_all_digits(kept: tuple[Backend, Any], start: Serve):
    backend, expected = kept
    backend.run(f"INSERT INTO doc (id, body, name) VALUES (1, '{SENT}', 'x')")
    api = start(backend)
    read = '[{"id": "p", "path": "/docs/1", "operation": "GET"}, {"id": "q", "path": "/docs", "operation": "GET"}]'
    stale = '[{"id": "p", "path": "/docs/1", "operation": "DELETE", "ifMatch": ["old"]}]'

    for query, variables in (
        ("{ docs { nodes { body } } }", "{}"),
        ("query ($is: Boolean!) { docs { nodes { id body @include(if: $is) } } }", '{"is": true}'),
        ("{ doc(id: 1) { body } }", "{}"),
        ('{ node(path: "/docs/1") { ... on Doc { body } } }', "{}"),
    ):
        found = ask(api, query, variables)["data"]
        assert next(iter(found.values())) in (
            {"nodes": [{"body": expected}]},
            {"nodes": [{"id": "1", "body": expected}]},
            {"body": expected},
        )
    more = (
        RESULT.replace("item {", "items { ... on Doc { body } } item {")
        .replace("} } errors", "} } errors")
        .removesuffix("}")
    )
    found = ask(
        api,
        f"mutation ($parts: [PartInput!]!) {{ batch(parts: $parts) {more} query {{ docs {{ nodes {{ body }} }} }} }} }}",
        f'{{"parts": {read}}}',
    )
    one, page = found["data"]["batch"]["parts"]
    assert one["payload"]["body"] == one["item"]["body"] == expected
    assert page["payload"]["items"][0]["body"] == page["items"][0]["body"] == expected
    assert found["data"]["batch"]["query"] == {"docs": {"nodes": [{"body": expected}]}}
    by_door = ask_batch(api, read.replace("GET", "get"))["parts"]
    assert [by_door[0]["payload"]["body"], by_door[1]["payload"]["items"][0]["body"]] == [expected] * 2
    (refused,) = ask(api, MUTATION, f'{{"parts": {stale}}}')["data"]["batch"]["parts"]
    assert (refused["status"], refused["payload"]["body"], refused["item"]["body"]) == ("412", expected, expected)
    assert ask_batch(api, stale.replace("DELETE", "delete"))["parts"][0]["payload"]["body"] == expected


def test_a_thousand_documents_keep_all_digits(kept: tuple[Backend, Any], start: Serve):
    backend, expected = kept
    api = start(backend)
    create = ",".join(
        f'{{"id": "c{n}", "path": "/docs", "operation": "CREATE", "payload": {{"body": {SENT}}}}}' for n in range(1_000)
    )
    assert ask(api, LEAN_BATCH, f'{{"parts": [{create}]}}')["data"]["batch"]["status"] == "COMMITTED"
    assert stored(backend) == [expected] * 1_000

    other = SENT.replace("1.10", "1.1")
    update = ",".join(
        f'{{"id": "u{n}", "path": "/docs/{n}", "operation": "UPDATE", "payload": {{"body": {other}}}}}'
        for n in range(1, 1_001)
    )
    answer = ask(api, MUTATION, f'{{"parts": [{update}]}}')["data"]["batch"]
    assert {each["payload"]["body"]["zeros"] for each in answer["parts"]} == {"1.1"}
    assert {each["zeros"] for each in stored(backend)} == {"1.1"}


def test_a_dry_run_and_a_replay_answer_all_digits(kept: tuple[Backend, Any], start: Serve):
    backend, expected = kept
    api = start(backend)
    parts = f'[{{"id": "p", "path": "/docs", "operation": "create", "payload": {{"body": {SENT}}}}}]'

    tried = ask_batch(api, parts, "/batch?dryRun=true")
    key = {"Idempotency-Key": "once"}
    first, again = (ask_batch(api, parts, headers=key) for _ in range(2))
    other = ask_batch(
        api, parts.replace("12345678901234567890.123456789", "12345678901234567890.123456788"), headers=key
    )

    assert tried["parts"][0]["payload"]["body"] == expected
    assert first["parts"][0]["payload"]["body"] == expected
    assert again == first
    assert other["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert stored(backend) == [expected]
    replayed = ask(
        api,
        f"mutation ($parts: [PartInput!]!, $key: String) {{ batch(parts: $parts, idempotencyKey: $key) {RESULT} }}",
        f'{{"key": "once", "parts": {parts.replace("create", "CREATE")}}}',
    )
    assert replayed["data"]["batch"]["parts"][0]["item"]["body"] == expected


def test_an_etag_changes_with_a_digit(kept: tuple[Backend, Any], start: Serve):
    backend, _ = kept
    api = start(backend)
    etags = []
    for document in (
        '{"a":1.10}',
        '{"a":1.1}',
        '{"a":"1.1"}',
        '{"a":12345678901234567890.1}',
        '{"a":12345678901234567890.2}',
    ):
        backend.run("DELETE FROM doc")
        backend.run(f"INSERT INTO doc (id, body) VALUES (1, '{document}')")
        etags.append(api.query("{ doc(id: 1) { etag } }")["doc"]["etag"])

    assert len(set(etags)) == len(etags)


@pytest.mark.parametrize("sql_type", ["JSON[]", "JSONB[]"])
def test_arrays_of_documents_keep_all_digits(postgresql: Backend, start: Serve, sql_type: str):
    postgresql.run(f"CREATE TABLE doc (id {{key}}, body {sql_type})")
    api = start(postgresql)
    expected = [digits(IN_JSONB if sql_type == "JSONB[]" else SENT), Digits("9007199254740993"), None]

    written = ask_batch(
        api,
        f'[{{"id": "p", "path": "/docs", "operation": "create", "payload": {{"body": [{SENT}, 9007199254740993, null]}}}}]',
        headers={"Idempotency-Key": "once"},
    )
    replayed = ask_batch(
        api,
        f'[{{"id": "p", "path": "/docs", "operation": "create", "payload": {{"body": [{SENT}, 9007199254740993, null]}}}}]',
        headers={"Idempotency-Key": "once"},
    )

    assert written["parts"][0]["payload"]["body"] == expected
    assert replayed == written
    assert ask(api, "{ docs { nodes { body } } }")["data"]["docs"]["nodes"] == [{"body": expected}]
    assert [digits(each) for each in postgresql.rows("SELECT body::text[] FROM doc")[0][0][:2]] == expected[:2]


@pytest.mark.parametrize("sql_type", ["JSON", "JSONB"])
def test_filters_compare_all_digits(postgresql: Backend, start: Serve, sql_type: str):
    postgresql.run(
        f'CREATE TABLE doc (id {{key}}, body {sql_type});\nINSERT INTO doc (body) VALUES (\'{{"a": 12345678901234567890.1, "b": 1e400}}\'), (\'{{"a": 12345678901234567890.2}}\')'
    )
    api = start(postgresql)
    query = "query ($filter: DocFilter) { docs(filter: $filter) { nodes { id } } }"

    for condition, expected in (
        ('{"eq": {"a": 12345678901234567890.2}}', ["2"]),
        ('{"ne": {"a": 12345678901234567890.2}}', ["1"]),
        ('{"contains": {"a": 12345678901234567890.1}}', ["1"]),
        ('{"contains": {"b": 1e400}}', ["1"]),
        ('{"containedIn": {"a": 12345678901234567890.2, "c": 1}}', ["2"]),
        ('{"contains": {"a": 12345678901234567890.15}}', []),
    ):
        found = ask(api, query, f'{{"filter": {{"body": {condition}}}}}')["data"]["docs"]["nodes"]
        assert [each["id"] for each in found] == expected, condition
    literal = ask(api, "{ docs(filter: { body: { contains: { a: 12345678901234567890.1 } } }) { nodes { id } } }")
    assert literal["data"]["docs"]["nodes"] == [{"id": "1"}]
    (error,) = ask(api, query, '{"filter": {"body": {"contains": {"b": 1e200000}}}}')["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"


TOO_LARGE = ["1e200000", "1e99999999999999999999", "1e-20000", "9" * 140_000]


@pytest.mark.parametrize("number", TOO_LARGE, ids=lambda number: number[:24])
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "REPLACE", "UPSERT"])
def test_a_number_beyond_numeric_is_an_invalid_value_of_its_attribute(
    postgresql: Backend, start: Serve, operation: str, number: str
):
    postgresql.run("CREATE TABLE doc (id {key}, body JSONB, other JSONB);\nINSERT INTO doc (id, body) VALUES (7, '{}')")
    api, before = start(postgresql), postgresql.dump()
    path = "/docs" if operation == "CREATE" else "/docs/7"

    (result,) = ask(
        api,
        MUTATION.replace("{ id body }", "{ id }"),
        f'{{"parts": [{{"id": "p", "path": "{path}", "operation": "{operation}", "payload": {{"other": 1, "body": [{number}]}}}}]}}',
    )["data"]["batch"]["parts"]

    assert result["errors"] == [{"code": "INVALID_VALUE", "pointer": "/payload/body"}]
    assert postgresql.dump() == before


def test_one_number_beyond_numeric_among_a_thousand_is_found(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TABLE doc (id {key}, body JSONB, other JSONB)")
    api = start(postgresql)
    create = [
        f'{{"id": "c{n}", "path": "/docs", "operation": "create", "payload": {{"body": {n}.10}}}}' for n in range(1_000)
    ]
    create[500] = create[500].replace("500.10", "[1e200000]").replace('"body"', '"other": 1e-99999, "body"')

    answer = ask_batch(api, f"[{','.join(create)}]")

    assert [(each["id"], [e["pointer"] for e in each["errors"]]) for each in answer["parts"]] == [
        ("c500", ["/payload/other", "/payload/body"])
    ]
    assert postgresql.rows("SELECT * FROM doc") == []


def test_numbers_of_other_attributes_are_read_as_before(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE thing (id {key}, small INTEGER, big BIGINT, exact NUMERIC(30,10), real {double}, body {json})"
    )
    api = start(backend)
    written = ask_batch(
        api,
        '[{"id": "p", "path": "/things", "operation": "create", "payload": {"small": -0, "big": -0, "exact": -0, "real": -0, "body": -0}}]',
    )
    assert written["parts"][0]["payload"] == {
        "id": "1", "small": "0", "big": "0", "exact": "0.0000000000", "real": "0.0", "body": "0",
    }  # fmt: skip
    refused = ask_batch(
        api,
        f'[{{"id": "p", "path": "/things", "operation": "create", "payload": {{"small": {"9" * 5_000}, "big": {"9" * 5_000}, "exact": 1e400, "real": 1e400}}}}]',
    )
    assert [(e["code"], e["pointer"]) for e in refused["parts"][0]["errors"]] == [
        ("INVALID_VALUE", f"/payload/{name}") for name in ("small", "big", "exact", "real")
    ]
    assert "between" in refused["parts"][0]["errors"][0]["message"]
    typed = ask(
        api,
        "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status } }",
        '{"parts": [{"id": "p", "path": "/things", "operation": "CREATE", "item": {"thing": {"real": 1e400}}}]}',
    )
    assert typed["errors"][0]["extensions"] == {"code": "BAD_REQUEST", "pointer": "/parts/0/item/thing/real"}


# --- a bare number in a column that makes a number of it


@pytest.mark.parametrize(
    "number",
    ["12345678901234567890", "0.1000000000000000055511151231257827", "1e400", "1e99999999999999999999", "9" * 5_000],
)
def test_a_number_that_a_column_of_sqlite_would_round_is_refused(sqlite: Backend, start: Serve, number: str):
    sqlite.run("CREATE TABLE doc (id {key}, body JSON)")
    answer = ask_batch(
        start(sqlite), f'[{{"id": "p", "path": "/docs", "operation": "create", "payload": {{"body": {number}}}}}]'
    )
    assert [(e["code"], e["pointer"]) for e in answer["parts"][0]["errors"]] == [("INVALID_VALUE", "/payload/body")]
    assert sqlite.rows("SELECT * FROM doc") == []


def test_a_column_of_texts_keeps_a_bare_number(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE doc (id {key}, body TEXT)")
    api = start(sqlite, resources={"doc": {"attributes": {"body": {"type": "JSON"}}}})
    numbers = ["12345678901234567890", "1.10", "-0", "1e400", "9" * 5_000, "0.1000000000000000055511151231257827"]
    parts = ",".join(
        f'{{"id": "c{n}", "path": "/docs", "operation": "create", "payload": {{"body": {each}}}}}'
        for n, each in enumerate(numbers)
    )

    answer = ask_batch(api, f"[{parts}]")

    assert [each["payload"]["body"] for each in answer["parts"]] == numbers
    assert sqlite.rows("SELECT body FROM doc ORDER BY id") == [(each,) for each in numbers]
    assert [each["body"] for each in ask(api, "{ docs { nodes { body } } }")["data"]["docs"]["nodes"]] == numbers


# --- what was read and is written again

TEXTS = [
    '{"b" : 1.10, "a": [1e2, -0],  "b": 2.50}',
    '{ "caf\\u00e9": "\\/", "n": 12345678901234567890123 }',
    "[1.0,  2]",
]


def documents(backend: Backend) -> list[tuple[Any, ...]]:
    cast = "body" if backend.kind == "sqlite" else "body::text"
    return backend.rows(f"SELECT {cast}, name FROM doc ORDER BY id")


def insert_texts(backend: Backend, times: int = 1) -> None:
    engine = backend.engine()
    with engine.begin() as connection:
        for name in range(times):
            for each in TEXTS:
                given = "CAST(:body AS JSON)" if backend.kind == "postgresql" else ":body"
                connection.execute(
                    text(f"INSERT INTO doc (body, name) VALUES ({given}, :name)"), {"body": each, "name": str(name)}
                )
    engine.dispose()


@pytest.mark.parametrize("operation", ["update", "replace", "upsert"])
@pytest.mark.parametrize("times", [1, 400])
def test_writing_what_was_read_leaves_the_text_of_a_document_and_its_etag_alone(
    backend: Backend, start: Serve, operation: str, times: int
):
    backend.run("CREATE TABLE doc (id {key}, body JSON, name VARCHAR(20))")
    insert_texts(backend, times)
    before = documents(backend)
    api = start(backend, max_page=5_000)
    answer = api.http.post(
        "/batch", json={"parts": [{"id": "all", "path": "/docs?limit=5000", "operation": "get"}]}
    ).text
    found = ask(api, "{ docs(first: 5000) { nodes { etag } } }")["data"]["docs"]["nodes"]
    # As a client that keeps numbers would send it back, blanks and all.
    items = answer.partition('"items":[')[2].partition('],"hasMore"')[0].replace("},{", "}\n{").splitlines()
    assert len(items) == len(before)
    parts = ",".join(
        f'{{"id": "p{n}", "path": "/docs/{n}", "operation": "{operation}", "payload": {each}}}'
        for n, each in enumerate(items, 1)
    )

    written = ask_batch(api, f"[{parts}]")

    assert [each["status"] for each in written["parts"]] == ["200"] * len(before)
    assert [each["etag"] for each in written["parts"]] == [each["etag"] for each in found]
    assert documents(backend) == before


def test_writing_another_document_is_written_in_the_shortest_text(backend: Backend, start: Serve):
    backend.run("CREATE TABLE doc (id {key}, body JSON, name VARCHAR(20))")
    insert_texts(backend)
    api = start(backend)

    ask_batch(
        api, '[{"id": "p", "path": "/docs/3", "operation": "update", "payload": {"body": [1, 2], "name": "new"}}]'
    )
    ask_batch(api, '[{"id": "p", "path": "/docs/2", "operation": "update", "payload": {"name": "new"}}]')

    assert documents(backend)[1:] == [(TEXTS[1], "new"), ("[1,2]", "new")]


def test_triggers_run_where_an_equal_document_is_written(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE doc (id {key}, body JSON, name VARCHAR(20));\nCREATE TABLE log (id {key}, doc_id INTEGER)"
    )
    backend.run(TRIGGER[backend.kind])
    insert_texts(backend)
    before = documents(backend)

    assert (
        ask_batch(
            start(backend), '[{"id": "p", "path": "/docs/3", "operation": "update", "payload": {"body": [1.0, 2]}}]'
        )["parts"][0]["status"]
        == "200"
    )

    assert backend.rows("SELECT doc_id FROM log") == [(3,)]
    assert documents(backend) == before


TRIGGER = {
    "sqlite": "CREATE TRIGGER logged AFTER UPDATE OF body ON doc BEGIN INSERT INTO log (doc_id) VALUES (NEW.id); END",
    "postgresql": """CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN INSERT INTO log (doc_id) VALUES (NEW.id); RETURN NEW; END$$;
CREATE TRIGGER logged AFTER UPDATE OF body ON doc FOR EACH ROW EXECUTE FUNCTION logged()""",
}


def test_bulk_updates_of_documents_kept_as_texts_leave_equal_ones_alone(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE doc (id {key}, body TEXT, name VARCHAR(20))")
    insert_texts(sqlite, 400)
    sqlite.run(
        "UPDATE doc SET body = CAST(x'ff' AS TEXT) WHERE id = 7;\nUPDATE doc SET body = NULL WHERE id = 8;\nUPDATE doc SET body = x'00' WHERE id = 9"
    )
    before = sqlite.rows("SELECT hex(body), name FROM doc ORDER BY id")
    api = start(sqlite, resources={"doc": {"attributes": {"body": {"type": "JSON"}}}})
    same = ['{"b":2.50,"a":[1e2,-0]}', '{"café":"/","n":12345678901234567890123}', "[1.0,2]"]
    parts = [
        f'{{"id": "p{n}", "path": "/docs/{n + 1}", "operation": "update", "payload": {{"body": {same[n % 3]}}}}}'
        for n in range(1_200)
    ]

    assert (
        ask(api, LEAN_BATCH, f'{{"parts": [{",".join(parts).replace("update", "UPDATE")}]}}')["data"]["batch"]["status"]
        == "COMMITTED"
    )

    after = sqlite.rows("SELECT hex(body), name FROM doc ORDER BY id")
    assert [n + 1 for n in range(1_200) if after[n] != before[n]] == [7, 8, 9]
    assert [bytes.fromhex(each).decode() for each, _ in after[6:9]] == same


def test_models_and_defaults_keep_all_digits(backend: Backend, start: Serve):
    api = start(backend, models="tests.support.models_documents", create_tables=True)
    created = ask_batch(
        api, f'[{{"id": "p", "path": "/documents", "operation": "create", "payload": {{"body": {SENT}}}}}]'
    )
    item = created["parts"][0]["payload"]
    assert item["body"] == digits(SENT)
    assert item["made"] == {"rate": "0.1", "count": "9007199254740993"}
    again = ask_batch(
        api, f'[{{"id": "p", "path": "/documents/{item["id"]}", "operation": "update", "payload": {{"name": "new"}}}}]'
    )
    assert again["parts"][0]["payload"]["body"] == digits(SENT)
    ((kept,),) = backend.rows(
        "SELECT body FROM documents" if backend.kind == "sqlite" else "SELECT body::text FROM documents"
    )
    assert digits(kept) == digits(SENT)


@pytest.mark.parametrize("sql_type", ["JSON", "JSONB"])
def test_a_default_of_the_database_is_shown_with_all_digits(postgresql: Backend, start: Serve, sql_type: str):
    postgresql.run(
        f'CREATE TABLE doc (id {{key}}, body {sql_type} DEFAULT \'{{"a": 1.10, "b": 9007199254740993}}\', name VARCHAR(9))'
    )
    api = start(postgresql)
    (found,) = ask(api, "{ resources { attributes { name default } } }")["data"]["resources"]
    assert {each["name"]: each["default"] for each in found["attributes"]}["body"] == {
        "a": "1.10",
        "b": "9007199254740993",
    }
    created = ask_batch(api, '[{"id": "p", "path": "/docs", "operation": "create", "payload": {"name": "x"}}]')
    assert created["parts"][0]["payload"]["body"] == {"a": "1.10", "b": "9007199254740993"}
