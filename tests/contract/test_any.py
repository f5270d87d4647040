"""Columns without a declared type and expressions of views (SQLite): what is stored, what is shown, and that sending it back changes nothing."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from storage.batch.execution import run as batch_run
from tests.conftest import Serve
from tests.support.doors import Doors, body_of
from tests.support.harness import BARE_BATCH, Api, Backend, Json, faults, part
from tests.support.keyed import is_replay, send
from tests.support.node import CLIENTS, run
from tests.support.program import run_here
from tests.support.running import Running

MANY = 1_000

# What SQLite stores, as a literal, and how JSON has it (docs/contract.md, section 7).
STORED: dict[str, tuple[str, Json]] = {
    "whole": ("1", 1),
    "negative": ("-7", -7),
    "real_of_whole": ("1.0", 1.0),
    "minus_zero": ("-0.0", -0.0),
    "fraction": ("2.5", 2.5),
    "tenth": ("0.1", 0.1),
    "large_real": ("1e300", 1e300),
    "small_real": ("5e-324", 5e-324),
    "real_that_javascript_spells": ("1152921504606846976.0", 1152921504606846976.0),
    "real_beyond_64_bits": ("18446744073709551616.0", 18446744073709551616.0),
    "last_plain": ("9007199254740991", 9007199254740991),
    "first_beyond": ("9007199254740992", {"int": "9007199254740992"}),
    "beyond": ("9007199254740993", {"int": "9007199254740993"}),
    "negative_beyond": ("-9007199254740993", {"int": "-9007199254740993"}),
    "largest": ("9223372036854775807", {"int": "9223372036854775807"}),
    "smallest": ("-9223372036854775807 - 1", {"int": "-9223372036854775808"}),
    "infinite": ("9e999", {"real": "Infinity"}),
    "negative_infinite": ("-9e999", {"real": "-Infinity"}),
    "text": ("'x'", "x"),
    "text_of_digits": ("'1'", "1"),
    "text_of_real": ("'1.0'", "1.0"),
    "empty": ("''", ""),
    "quoted": ("'it''s \"so\"'", 'it\'s "so"'),
    "emoji": ("'😀'", "😀"),
    "bytes": ("x'31'", {"base64": "MQ=="}),
    "no_bytes": ("x''", {"base64": ""}),
    "nothing": ("NULL", None),
}
TABLE = "CREATE TABLE m (key TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID"
STRICT = "CREATE TABLE m (key TEXT PRIMARY KEY NOT NULL, value ANY) STRICT"
ROWS = "SELECT key, typeof(value), quote(value) FROM m ORDER BY key"


def fill(backend: Backend, table: str = TABLE) -> None:
    values = ", ".join(f"('{key}', {literal})" for key, (literal, _) in STORED.items())
    backend.run(f"{table};\nINSERT INTO m VALUES {values}")


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """One table with a value of every kind in a column without a declared type."""
    fill(sqlite)
    return start(sqlite)


def same(one: Json, other: Json) -> bool:
    """Return True if JSON is the same by its text: 1 and 1.0 differ, and so do 0.0 and -0.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# --- reading


@pytest.mark.parametrize("table", [TABLE, STRICT], ids=["no type", "ANY of a STRICT table"])
def test_values_are_shown_as_they_are_stored_by_every_way_of_reading(sqlite: Backend, start: Serve, table: str):
    fill(sqlite, table)
    api = start(sqlite)
    expected = {key: shown for key, (_, shown) in STORED.items()}

    doors = Doors(api, api.settings)
    answer, was_fast = doors.ask(body_of("{ ms(first: 100) { nodes { key value } } }", {}))
    items = {each["key"]: each["value"] for each in json.loads(answer.body)["data"]["ms"]["nodes"]}
    parts = [part(f"p{n}", "GET", f"/ms/{key}") for n, key in enumerate(expected)]
    payloads = {each["payload"]["key"]: each["payload"]["value"] for each in api.batch(*parts)["parts"]}
    typed = api.query(
        "mutation($parts: [PartInput!]!) { batch(parts: $parts) { parts { item { ... on M { key value } } } } }",
        parts=parts,
    )
    body = {"parts": [{"id": "all", "path": "/ms", "operation": "get"}]}
    (page,) = api.http.post("/batch", json=body).json()["parts"]

    assert was_fast
    assert same(items, expected)
    assert same(payloads, expected)
    assert same({each["item"]["key"]: each["item"]["value"] for each in typed["batch"]["parts"]}, expected)
    assert same({each["key"]: each["value"] for each in page["payload"]["items"]}, expected)


def test_expressions_of_views_have_the_type_any_and_what_is_shown_is_found(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE m (key TEXT PRIMARY KEY, value NOT NULL, bytes BLOB) WITHOUT ROWID;\n"
        "INSERT INTO m VALUES ('a', 1, x'00'), ('b', 'x', NULL), ('c', 2.5, NULL), ('d', '1', NULL);\n"
        "CREATE VIEW v AS SELECT key, count(*) AS n, value, bytes, value || '' AS said, +value AS plus FROM m GROUP BY key"
    )
    api = start(sqlite)

    (described,) = [each for each in api.query(RESOURCES)["resources"] if each["name"] == "V"]
    types = {each["name"]: each["type"] for each in described["attributes"]}
    assert types == {"key": "String", "n": "Any", "value": "Any", "bytes": "Base64", "said": "Any", "plus": "Any"}
    assert api.query("{ vs { nodes { key n plus } } }")["vs"]["nodes"] == [
        {"key": "a", "n": 1, "plus": 1},
        {"key": "b", "n": 1, "plus": "x"},
        {"key": "c", "n": 1, "plus": 2.5},
        {"key": "d", "n": 1, "plus": "1"},
    ]
    assert total(api, "vs", "n", 1) == 4
    assert total(api, "vs", "n", "1") == 0
    assert [total(api, "vs", "plus", value) for value in (1, "1", 2.5, "x", "2.5")] == [1, 1, 1, 1, 0]
    assert [total(api, "vs", "value", value) for value in (1, "1", 2.5, "x", "2.5")] == [1, 1, 1, 1, 0]
    assert [total(api, "vs", "said", value) for value in (1, "1", 2.5, "2.5")] == [0, 2, 0, 1]


def test_a_cast_in_a_view_converts_nothing_that_is_compared(sqlite: Backend, start: Serve):
    sqlite.run(
        f"{TABLE};\nINSERT INTO m VALUES ('a', 1), ('b', '1');\n"
        "CREATE VIEW v AS SELECT key, CAST(value AS TEXT) AS said FROM m"
    )
    api = start(sqlite)

    assert [each["said"] for each in api.query("{ vs { nodes { said } } }")["vs"]["nodes"]] == ["1", "1"]
    assert api.query('{ vs(filter: {said: {eq: "1"}}) { totalCount } }') == {"vs": {"totalCount": 2}}
    if described_type(api, "V", "said") == "Any":  # SQLite 3.41 and later say TEXT
        assert total(api, "vs", "said", 1) == 0


RESOURCES = "{ resources { name attributes { name type nullable default } } }"


def described_type(api: Api, resource: str, attribute: str) -> str:
    (found,) = [each for each in api.query(RESOURCES)["resources"] if each["name"] == resource]
    return str(next(each["type"] for each in found["attributes"] if each["name"] == attribute))


def total(api: Api, collection: str, attribute: str, value: Json, operator: str = "eq") -> int:
    type_ = "[Any!]" if operator in {"in", "notIn"} else "Any"
    query = f"query($v: {type_}) {{ {collection}(filter: {{{attribute}: {{{operator}: $v}}}}) {{ totalCount }} }}"
    return int(api.query(query, v=value)[collection]["totalCount"])


# --- filters, orders, aggregates


def test_every_value_that_is_shown_is_found_by_eq_and_in_and_missed_by_ne_and_not_in(api: Api):
    values = [shown for _, shown in STORED.values() if shown is not None]
    for value in values:
        equal = sum(stored == value for stored in values)
        assert total(api, "ms", "value", value) == equal, value
        assert total(api, "ms", "value", value, "ne") == len(values) - equal, value
        assert total(api, "ms", "value", [value, "no such text"], "in") == equal, value
        assert total(api, "ms", "value", [value, "no such text"], "notIn") == len(values) - equal, value
    found = api.query(
        "{ a: ms(filter: {value: {isNull: true}}) { totalCount } b: ms(filter: {value: {isNull: false}}) { totalCount } }"
    )
    assert (found["a"]["totalCount"], found["b"]["totalCount"]) == (1, len(values))


# In the order of SQLite: numbers by their values, texts by their code points, bytes; nulls last, as the contract has them.
IN_ORDER = [
    *("negative_infinite", "smallest", "negative_beyond", "negative", "minus_zero", "small_real", "tenth"),
    *("real_of_whole", "whole", "fraction", "last_plain", "first_beyond", "beyond", "real_that_javascript_spells"),
    *("largest", "real_beyond_64_bits", "large_real", "infinite"),
    *("empty", "text_of_digits", "text_of_real", "quoted", "text", "emoji", "no_bytes", "bytes", "nothing"),
]


def test_order_and_cursors_go_across_storage_classes(api: Api):
    for size in (1, 3, 26):
        assert walk(api, "ASC", size) == IN_ORDER, size
        backwards = [each for each in IN_ORDER[-2::-1] if each not in {"whole", "real_of_whole"}]
        downwards = walk(api, "DESC", size)
        assert [each for each in downwards if each not in {"whole", "real_of_whole", "nothing"}] == backwards, size
        assert downwards[-1] == "nothing"  # nulls last, either way
    backward = []
    before: str | None = None
    for _ in range(len(IN_ORDER)):
        query = (
            "query($b: String) { ms(last: 1, before: $b, orderBy: [{value: ASC}]) { edges { cursor node { key } } } }"
        )
        (edge,) = api.query(query, b=before)["ms"]["edges"]
        backward.append(edge["node"]["key"])
        before = edge["cursor"]
    assert backward == IN_ORDER[::-1]


def walk(api: Api, direction: str, size: int) -> list[str]:
    query = (
        f"query($n: Int, $a: String) {{ ms(first: $n, after: $a, orderBy: [{{value: {direction}}}]) "
        "{ nodes { key } pageInfo { endCursor hasNextPage } } }"
    )
    keys: list[str] = []
    after, has_next = None, True
    while has_next:
        found = api.query(query, n=size, a=after)["ms"]
        keys += [each["key"] for each in found["nodes"]]
        after, has_next = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    return keys


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("lt", "", IN_ORDER[:18]),
        ("gte", "", IN_ORDER[18:-1]),
        ("gt", {"base64": ""}, ["bytes"]),
        ("lte", 1, IN_ORDER[:9]),
        ("lt", 1, IN_ORDER[:7]),
        ("gt", {"int": "9007199254740992"}, IN_ORDER[12:-1]),
        ("gte", {"real": "Infinity"}, IN_ORDER[17:-1]),
        ("lt", 1152921504606847000, IN_ORDER[:13]),  # what JavaScript writes for the REAL 2 ** 60
        ("gt", 1152921504606847000, IN_ORDER[14:-1]),
        ("gt", 18446744073709552000, IN_ORDER[16:-1]),
    ],
)
def test_values_are_compared_as_sqlite_orders_them(api: Api, operator: str, value: Json, expected: Sequence[str]):
    query = f"query($v: Any) {{ ms(filter: {{value: {{{operator}: $v}}}}, orderBy: [{{value: ASC}}]) {{ nodes {{ key }} }} }}"

    assert [each["key"] for each in api.query(query, v=value)["ms"]["nodes"]] == expected


def test_there_is_a_least_and_a_greatest_value_and_there_are_groups_but_no_sums(api: Api):
    found = api.query("{ ms { aggregate { count min { value } max { value } } } }")["ms"]["aggregate"]
    groups = api.query("{ ms { groupBy(by: [value], first: 100) { keys { value } aggregate { count } } } }")["ms"][
        "groupBy"
    ]
    numbers = api.query('{ ms(filter: {value: {lt: ""}}) { aggregate { max { value } } } }')["ms"]["aggregate"]

    assert found == {"count": 27, "min": {"value": {"real": "-Infinity"}}, "max": {"value": {"base64": "MQ=="}}}
    assert numbers == {"max": {"value": {"real": "Infinity"}}}
    assert [each["aggregate"]["count"] for each in groups] == [2 if n == 7 else 1 for n in range(26)]
    assert [each["keys"]["value"] for each in groups][-3:] == [{"base64": ""}, {"base64": "MQ=="}, None]
    for function in ("sum", "avg"):
        answer = api.post(f"{{ ms {{ aggregate {{ {function} {{ value }} }} }} }}")
        assert "Cannot query field" in answer["errors"][0]["message"]


def test_texts_within_are_not_looked_for(api: Api):
    answer = api.post('{ ms(filter: {value: {like: "x"}}) { totalCount } }')

    assert "AnyFilter" in answer["errors"][0]["message"]


# --- writing


@pytest.mark.parametrize("operation", ["UPDATE", "REPLACE", "UPSERT"])
@pytest.mark.parametrize("groups", [True, False], ids=["in groups", "one by one"])
def test_what_a_client_in_javascript_reads_and_sends_back_changes_nothing(
    sqlite: Backend, start: Serve, operation: str, groups: bool
):
    fill(sqlite)
    before = sqlite.rows(ROWS)
    running = Running(sqlite, start(sqlite, groups=groups))
    try:
        done = run("node", str(CLIENTS / "unchanged.mjs"), f"http://127.0.0.1:{running.port}", "ms", "m", operation)
    finally:
        running.stop()

    assert done.stdout.splitlines() == ["COMMITTED []"] * 2, done.stdout + done.stderr
    assert sqlite.rows(ROWS) == before


def test_a_client_in_javascript_copies_what_it_reads(sqlite: Backend, start: Serve):
    """A CREATE has nothing stored to be equal to: whole numbers become INTEGER, and mean the same number."""
    keyed = "CREATE TABLE k (id PRIMARY KEY NOT NULL, v UNIQUE) WITHOUT ROWID"
    sqlite.run(f"{keyed};\nINSERT INTO k VALUES {', '.join(f'({KEYS[key][0]}, {n})' for n, key in enumerate(KEYS))}")
    before = sqlite.rows("SELECT typeof(id), quote(id), quote(v) FROM k ORDER BY id")
    running = Running(sqlite, start(sqlite))
    try:
        done = run("node", str(CLIENTS / "unchanged.mjs"), f"http://127.0.0.1:{running.port}", "ks", "k", "UPSERT")
    finally:
        running.stop()

    assert done.stdout.splitlines() == ["COMMITTED []"] * 2, done.stdout + done.stderr
    assert sqlite.rows("SELECT typeof(id), quote(id), quote(v) FROM k ORDER BY id") == before


JAVASCRIPTS_2_TO_THE_64 = 18446744073709552000  # as it writes 2 ** 64, which it has exactly

# What is stored, what is sent, and what is stored then: the storage class and the value.
WRITES: list[tuple[str, Json, str, str]] = [
    ("1", 1.0, "integer", "1"),
    ("1.0", 1, "real", "1.0"),
    ("-0.0", 0, "real", "0.0"),  # `quote` leaves out the sign
    ("1152921504606846976.0", 1152921504606847000, "real", "1.152921504606847e+18"),
    ("18446744073709551616.0", JAVASCRIPTS_2_TO_THE_64, "real", "1.8446744073709551616e+19"),
    ("2.5", 2.5, "real", "2.5"),
    ("2", 2.0, "integer", "2"),
    ("9007199254740993", 9007199254740993, "integer", "9007199254740993"),
    ("9007199254740992.0", {"int": "9007199254740992"}, "real", "9007199254740992.0"),
    ("5", 1.0, "integer", "1"),
    ("5", 1e3, "integer", "1000"),
    ("5", 0.5, "real", "0.5"),
    ("5", 1e300, "real", "1.0e+300"),
    ("5.0", 7, "integer", "7"),
    ("5", 9007199254740993, "integer", "9007199254740993"),
    ("5", 1152921504606847000, "integer", "1152921504606847000"),
    ("5", {"int": "9007199254740993"}, "integer", "9007199254740993"),
    ("5", {"int": "-9223372036854775808"}, "integer", "-9223372036854775808"),
    ("5", {"int": "6"}, "integer", "6"),
    ("5", {"real": "-Infinity"}, "real", "-9.0e+999"),
    ("5", "5", "text", "'5'"),
    ("5", "", "text", "''"),
    ("5", {"base64": "NQ=="}, "blob", "X'35'"),
    ("5", None, "null", "NULL"),
    ("'5'", 5, "integer", "5"),
    ("'5'", "5", "text", "'5'"),
    ("x'35'", "5", "text", "'5'"),
    ("NULL", 1, "integer", "1"),
]


def real(text: str) -> Any:
    """Compare what `quote` writes of a REAL by its value: it writes 15 digits."""
    try:
        return round(float(text), 3) if abs(float(text)) < 1e15 else f"{float(text):.13e}"
    except ValueError:
        return text


@pytest.mark.parametrize("operation", ["UPDATE", "REPLACE", "UPSERT"])
@pytest.mark.parametrize("way", ["one", "one by one", "groups", "bulk"])
def test_a_number_that_equals_the_stored_one_leaves_it_and_others_are_stored_as_they_are(
    sqlite: Backend, start: Serve, operation: str, way: str, monkeypatch: pytest.MonkeyPatch
):
    rows = [f"({n}, {literal})" for n, (literal, *_) in enumerate(WRITES)]
    sqlite.run(f"CREATE TABLE w (id INTEGER PRIMARY KEY, value);\nINSERT INTO w VALUES {', '.join(rows)}")
    api = start(sqlite, groups=way != "one by one")
    parts = [part(f"p{n}", operation, f"/ws/{n}", {"value": sent}) for n, (_, sent, *_) in enumerate(WRITES)]

    if way == "bulk" and operation == "UPDATE":  # one statement, which reads no row before
        beyond = next(n for n, (_, sent, *_) in enumerate(WRITES) if sent == JAVASCRIPTS_2_TO_THE_64)
        alone = api.batch(parts.pop(beyond))  # only the row itself can tell that this is its REAL
        monkeypatch.setattr(batch_run, "_run_parts", None)
        statuses = [alone["status"], api.query(BARE_BATCH, parts=parts)["batch"]["status"]]
    elif way == "bulk":
        statuses = [api.query(BARE_BATCH, parts=parts)["batch"]["status"]]
    elif way == "one":
        statuses = [api.batch(each)["status"] for each in parts]
    else:
        statuses = [api.batch(*parts)["status"]]

    assert set(statuses) == {"COMMITTED"}
    kept = sqlite.rows("SELECT typeof(value), quote(value) FROM w ORDER BY id")
    expected = [(class_, text) for *_, class_, text in WRITES]
    assert [(class_, real(text)) for class_, text in kept] == [(class_, real(text)) for class_, text in expected]


def test_what_is_created_is_stored_as_it_is_sent(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE w (id INTEGER PRIMARY KEY, value)")
    api = start(sqlite)
    sent = [1.0, 0.1, "1", {"base64": "AA=="}, {"int": "9007199254740993"}, {"real": "Infinity"}, 1e21, -0.0]

    made = api.batch(*(part(f"p{n}", "CREATE", "/ws", {"value": value}) for n, value in enumerate(sent)))

    assert same(
        [each["payload"]["value"] for each in made["parts"]],
        [1, 0.1, "1", {"base64": "AA=="}, {"int": "9007199254740993"}, {"real": "Infinity"}, 1e21, 0],
    )
    classes = ["integer", "real", "text", "blob", "integer", "real", "real", "integer"]
    assert [class_ for (class_,) in sqlite.rows("SELECT typeof(value) FROM w ORDER BY id")] == classes


def test_a_thousand_updates_leave_the_storage_classes_of_equal_numbers(
    sqlite: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batch_run, "_run_parts", None)  # they run as blocks
    sqlite.run(
        "CREATE TABLE w (id INTEGER PRIMARY KEY, value, n INTEGER);\n"
        "INSERT INTO w (id, value, n) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)"
        " SELECT i, CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i * 1.0 WHEN 2 THEN i || '' ELSE CAST(i || '' AS BLOB) END, 0 FROM c"
    )
    before = sqlite.rows("SELECT id, typeof(value), value FROM w")
    api = start(sqlite)
    shown = api.query("{ ws(first: 1000) { nodes { id value } } }")["ws"]["nodes"]
    parts = [
        part(f"p{each['id']}", "UPDATE", f"/ws/{each['id']}", {"value": javascript(each["value"]), "n": 1})
        for each in shown
    ]

    for query in (BARE_BATCH, None):
        answer = api.query(query, parts=parts)["batch"] if query else api.batch(*parts)
        assert answer["status"] == "COMMITTED"
        assert sqlite.rows("SELECT id, typeof(value), value FROM w") == before
    assert sqlite.rows("SELECT sum(n) FROM w") == [(1000,)]


def javascript(value: Json) -> Json:
    """Write a number as JavaScript does, which has no 1.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


ONLY = 'value must be a text, a number, or an object with one member: {"int": "9007199254740993"}, {"real": "Infinity"} or {"base64": "AAEC"}.'
TOO_LARGE = "value is a whole number of more than 64 bits. To store it as a REAL, write it with an exponent, like 1e20."
INT = 'value must have a whole number as text in int, like {"int": "9007199254740993"}.'
REAL = 'value must have "Infinity" or "-Infinity" in real: any other number is written as it is.'
WRONG: list[tuple[Json, str]] = [
    (True, ONLY),
    ([1], ONLY),
    ({}, ONLY),
    ({"a": "b"}, ONLY),
    ({"int": "1", "real": "Infinity"}, ONLY),
    ({"int": 5}, INT),
    ({"int": "1.5"}, INT),
    ({"int": "05"}, INT),
    ({"int": "-0"}, INT),
    ({"int": "9223372036854775808"}, "value must be between -9223372036854775808 and 9223372036854775807."),
    ({"real": "NaN"}, REAL),
    ({"real": "1.5"}, REAL),
    ({"real": 1}, REAL),
    ({"base64": "A"}, "value must have bytes in Base64 in base64."),
    ({"base64": 1}, "value must have bytes in Base64 in base64."),
    (2**63, TOO_LARGE),
    (-(2**63) - 1, TOO_LARGE),
    (10**20, TOO_LARGE),
    (10**400, TOO_LARGE),
    ("\x00", "value must not contain the NUL character."),
    ("\ud800", "value must not contain half of a surrogate pair."),
]


@pytest.mark.parametrize(("sent", "message"), WRONG, ids=lambda each: str(each)[:30].encode("unicode_escape").decode())
def test_what_is_no_value_is_refused_with_its_place_and_changes_nothing(
    api: Api, sqlite: Backend, sent: Json, message: str
):
    before = sqlite.rows(ROWS)
    field = 'mutation($v: Any) { batch(parts: [{id: "a", path: "/ms/whole", operation: UPDATE, item: {m: {value: $v}}}]) { status parts { errors { code message pointer } } } }'
    for operation, path in (
        ("UPDATE", "/ms/whole"),
        ("REPLACE", "/ms/whole"),
        ("UPSERT", "/ms/whole"),
        ("CREATE", "/ms/new"),
    ):
        result = api.one(operation, path, {"value": sent})
        assert [(e["code"], e["pointer"], e["message"]) for e in result["errors"]] == [
            ("INVALID_VALUE", "/payload/value", message)
        ], operation
    (typed,) = api.query(field, v=sent)["batch"]["parts"]
    assert typed["errors"] == [{"code": "INVALID_VALUE", "message": message, "pointer": "/item/m/value"}]
    refused = api.batch(
        *(part(f"p{n}", "CREATE", "/ms", {"key": f"n{n}", "value": sent if n == 7 else n}) for n in range(20))
    )
    assert faults(refused) == {"p7": [("INVALID_VALUE", "/payload/value")]}
    assert sqlite.rows(ROWS) == before


def test_a_number_beyond_all_doubles_is_refused(api: Api):
    query = 'mutation { batch(parts: [{id: "a", path: "/ms/whole", operation: UPDATE, payload: {value: 1e400}}]) { parts { errors { code message } } } }'
    (found,) = api.query(query)["batch"]["parts"]

    assert found["errors"] == [
        {"code": "INVALID_VALUE", "message": 'value must be a number that a double holds, or {"real": "Infinity"}.'}
    ]


def test_etags_tell_storage_classes_apart(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE w (id INTEGER PRIMARY KEY, value);\nINSERT INTO w VALUES (1, 1)")
    api = start(sqlite)
    etags = set()
    literals = ("1", "1.0", "'1'", "x'31'", "'1.0'", "NULL", "0", "0.0", "-0.0", "''", "x''")
    for literal in literals:
        sqlite.run(f"UPDATE w SET value = {literal}")
        etags.add(api.one("GET", "/ws/1")["etag"])

    assert len(etags) == len(literals)
    stale = api.one("UPDATE", "/ws/1", {"value": 5}, ifMatch=[etags.pop()])
    assert stale["status"] in {200, 412}


@pytest.mark.parametrize("operation", ["UPDATE", "REPLACE", "UPSERT"])
def test_an_equal_number_leaves_the_etag(sqlite: Backend, start: Serve, operation: str):
    sqlite.run("CREATE TABLE w (id INTEGER PRIMARY KEY, value);\nINSERT INTO w VALUES (1, 1.0)")
    api = start(sqlite)
    etag = api.one("GET", "/ws/1")["etag"]

    result = api.one(operation, "/ws/1", {"value": 1}, ifMatch=[etag])

    assert (result["status"], result["etag"], result["payload"]) == (200, etag, {"id": 1, "value": 1.0})


# --- keys and paths

# Keys as SQLite stores them, and their canonical paths: no two are equal to SQLite.
KEYS: dict[str, tuple[str, str]] = {
    "whole": ("1", "1"),
    "text_of_digits": ("'1'", "%271%27"),
    "real_of_whole": ("7.0", "7"),
    "negative": ("-7", "-7"),
    "fraction": ("2.5", "2.5"),
    "text_of_fraction": ("'2.5'", "%272.5%27"),
    "small": ("1e-7", "1e-7"),
    "smaller": ("0.000001", "0.000001"),
    "large": ("1e300", "1e%2B300"),
    "beyond_64_bits": ("18446744073709551616.0", "18446744073709552000"),
    "spelled": ("1152921504606846976.0", "1152921504606846976"),
    "beyond": ("9007199254740993", "9007199254740993"),
    "smallest": ("-9223372036854775807 - 1", "-9223372036854775808"),
    "infinite": ("9e999", "Infinity"),
    "text_of_infinite": ("'Infinity'", "%27Infinity%27"),
    "minus_infinite": ("-9e999", "-Infinity"),
    "empty": ("''", "%27%27"),
    "text": ("'a b'", "a%20b"),
    "quote": ("'it''s'", "it%27s"),
    "one_quote": ("''''", "%27"),
    "quoted": ("'''q'''", "%27%27q%27%27"),
    "exponent": ("'1e5'", "%271e5%27"),
    "zeros": ("'007'", "%27007%27"),
    "point": ("'.5'", "%27.5%27"),
    "bytes": ("x'0aff'", "X%270AFF%27"),
    "no_bytes": ("x''", "X%27%27"),
    "text_of_bytes": ("'X''0AFF'''", "%27X%270AFF%27%27"),
    "reserved": ("'a,b/c=d?e&f$g%h'", "a%2Cb%2Fc%3Dd%3Fe%26f%24g%25h"),
    "named_null": ("'null'", "null"),
}


@pytest.fixture
def keyed(sqlite: Backend, start: Serve) -> Api:
    """A table whose key has no declared type, and one below it."""
    rows = ", ".join(f"({literal}, {n}, '{name}')" for n, (name, (literal, _)) in enumerate(KEYS.items()))
    sqlite.run(
        "CREATE TABLE k (id PRIMARY KEY NOT NULL, n UNIQUE, name TEXT) WITHOUT ROWID;\n"
        "CREATE TABLE child (k_id REFERENCES k (id), place, PRIMARY KEY (k_id, place));\n"
        f"INSERT INTO k VALUES {rows};\nINSERT INTO child SELECT id, n FROM k"
    )
    return start(sqlite)


def test_each_key_has_one_path_and_each_path_leads_back_to_its_key(keyed: Api):
    nodes = keyed.query("{ ks(first: 100) { nodes { path id name } } }")["ks"]["nodes"]

    assert {each["name"]: each["path"] for each in nodes} == {name: f"/ks/{path}" for name, (_, path) in KEYS.items()}
    for each in nodes:
        assert keyed.query("query($p: ID!) { node(path: $p) { path ... on K { name } } }", p=each["path"]) == {
            "node": {"path": each["path"], "name": each["name"]}
        }
        assert keyed.query("query($k: Any!) { k(id: $k) { name } }", k=each["id"]) == {"k": {"name": each["name"]}}
        got = keyed.one("GET", each["path"])
        assert (got["path"], got["payload"]["name"]) == (each["path"], each["name"])
    parts = [part(f"p{n}", "GET", each["path"]) for n, each in enumerate(nodes)]
    assert [each["path"] for each in keyed.batch(*parts)["parts"]] == [each["path"] for each in nodes]


def test_children_are_below_their_own_parent_whatever_its_key_is(keyed: Api):
    for n, (name, (_, path)) in enumerate(KEYS.items()):
        below = keyed.one("GET", f"/ks/{path}/children")["payload"]["items"]
        assert [each["place"] for each in below] == [n], name
        child = keyed.one("GET", f"/ks/{path}/children/{path},{n}")
        assert (child["status"], child["path"]) == (200, f"/children/{path},{n}"), name
    found = keyed.query("{ ks(first: 100) { nodes { n children { nodes { place k { n } } } } } }")["ks"]["nodes"]
    assert all(
        [(c["place"], c["k"]["n"]) for c in each["children"]["nodes"]] == [(each["n"], each["n"])] for each in found
    )
    some = keyed.query('{ ks(filter: {children: {some: {kId: {eq: "1"}}}}) { nodes { name } } }')["ks"]["nodes"]
    assert some == [{"name": "text_of_digits"}]


@pytest.mark.parametrize(
    ("segment", "advice"),
    [
        ("1.0", "id must be written 1, or '1.0' as a text"),
        ("007", "id must be written 7, or '007' as a text"),
        ("+1", "id must be written 1, or '+1' as a text"),
        ("-0", "id must be written 0, or '-0' as a text"),
        ("1e5", "id must be written 100000, or '1e5' as a text"),
        ("1e300", "id must be written 1e+300, or '1e300' as a text"),
        ("1e400", "id must be a number that a double holds, or Infinity"),
        ("9223372036854775808", "id must be written 9223372036854776000, or '9223372036854775808' as a text"),
        ("%27abc%27", "id must be written abc"),
        ("x%270AFF%27", "id must be written X'0AFF'"),
        ("X%270A%27%27", "id must have hexadecimal digits between the quotes"),
        ("id=", "id must be written ''"),
    ],
)
def test_a_key_that_is_not_canonical_is_told_how_it_is_written(keyed: Api, segment: str, advice: str):
    result = keyed.one("GET", f"/ks/{segment}")

    (error,) = result["errors"]
    assert (error["code"], error["pointer"]) == ("INVALID_PATH", "/path")
    assert error["message"].startswith(advice), error["message"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("id=1", ["whole"]),
        ("id=1.0", ["whole"]),
        ("id=%271%27", ["text_of_digits"]),
        ("id=7", ["real_of_whole"]),
        ("id=007", ["real_of_whole"]),
        ("id=%27007%27", ["zeros"]),
        ("id=1152921504606847000", ["spelled"]),
        ("id=1e%2B300", ["large"]),
        ("id=Infinity", ["infinite"]),
        ("id=x%270aff%27", ["bytes"]),
        ("id=%27a%20b%27", ["text"]),
        ("id=", ["empty"]),
        ("id=%27%27", ["empty"]),
        ("id=8", []),
    ],
)
def test_filters_of_paths_tell_numbers_from_texts(keyed: Api, query: str, names: Sequence[str]):
    found = keyed.one("GET", f"/ks?{query}")["payload"]["items"]

    assert [each["name"] for each in found] == names


@pytest.mark.parametrize("groups", [True, False], ids=["in groups", "one by one"])
def test_one_and_one_point_zero_are_the_same_key_and_the_text_is_another(sqlite: Backend, start: Serve, groups: bool):
    sqlite.run("CREATE TABLE k (id PRIMARY KEY NOT NULL, u UNIQUE, t TEXT);\nINSERT INTO k VALUES (1.0, 5, 'a')")
    api = start(sqlite, groups=groups)

    taken = api.batch(part("a", "CREATE", "/ks", {"id": 1}), part("b", "CREATE", "/ks", {"id": 2, "u": 5.0}))
    assert faults(taken) == {"a": [("CONFLICT", "/payload/id")], "b": [("CONFLICT", "/payload/u")]}
    twice = api.batch(*(part(f"p{n}", "CREATE", "/ks", {"id": key}) for n, key in enumerate([3, 3.0, "3"])))
    assert faults(twice) == {"p1": [("CONFLICT", "/payload/id")]}
    assert sqlite.rows("SELECT count(*) FROM k") == [(1,)]
    fine = api.batch(
        *(part(f"p{n}", "CREATE", "/ks", {"id": key, "u": key}) for n, key in enumerate(["1", 2, {"base64": "MQ=="}]))
    )
    assert [each["path"] for each in fine["parts"]] == ["/ks/%271%27", "/ks/2", "/ks/X%2731%27"]
    upserted = api.batch(
        part("a", "UPSERT", "/ks", {"id": 1, "t": "by key"}),
        part("b", "UPSERT", "/ks", {"u": 2.0, "t": "by unique key", "id": 2.0}),
        part("c", "UPSERT", "/ks", {"id": "1", "t": "by text"}),
        part("d", "UPSERT", "/ks/u=%271%27", {"t": "by unique text"}),
        part("e", "UPDATE", "/ks/u=5", {"id": 1, "u": 5.0}),
    )
    assert [each["status"] for each in upserted["parts"]] == [200] * 5
    assert sqlite.rows("SELECT typeof(id), quote(id), typeof(u), t FROM k ORDER BY id") == [
        ("real", "1.0", "integer", "by key"),
        ("integer", "2", "integer", "by unique key"),
        ("text", "'1'", "text", "by unique text"),
        ("blob", "X'31'", "blob", None),
    ]
    moved = api.one("UPDATE", "/ks/1", {"id": "1"})
    assert [(e["code"], e["pointer"]) for e in moved["errors"]] == [("READ_ONLY", "/payload/id")]


def test_a_thousand_items_with_keys_of_all_classes_are_made_changed_and_deleted(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE k (id PRIMARY KEY NOT NULL, value, n INTEGER)")
    api = start(sqlite)
    keys: list[Json] = [[n, f"t{n}", n + 0.5, {"base64": f"{n:04}"}][n % 4] for n in range(MANY)]

    made = api.batch(*(part(f"p{n}", "CREATE", "/ks", {"id": key, "value": key}) for n, key in enumerate(keys)))
    paths = [each["path"] for each in made["parts"]]
    for query in (BARE_BATCH, None):
        parts = [part(f"p{n}", "UPDATE", path, {"n": n}) for n, path in enumerate(paths)]
        changed = api.query(query, parts=parts)["batch"] if query else api.batch(*parts)
        assert changed["status"] == "COMMITTED"
    assert [each["payload"]["id"] for each in changed["parts"]] == keys
    assert [each["path"] for each in changed["parts"]] == paths
    assert sqlite.rows("SELECT count(*), sum(n) FROM k WHERE id IS value") == [(MANY, sum(range(MANY)))]
    deleted = api.batch(*(part(f"p{n}", "DELETE", path) for n, path in enumerate(paths)))
    assert deleted["status"] == "COMMITTED"
    assert sqlite.rows("SELECT count(*) FROM k") == [(0,)]


# --- what else is done with a value


def test_a_replay_answers_the_same_values(api: Api, sqlite: Backend):
    sqlite.run("CREATE TABLE w (id INTEGER PRIMARY KEY, value)")
    served = Api(api.service, api.settings)
    values = {key: shown for key, (_, shown) in STORED.items()}
    parts = [part(f"p{n}", "UPDATE", f"/ms/{key}", {"value": value}) for n, (key, value) in enumerate(values.items())]
    parts += [
        part(f"n{n}", "CREATE", "/ms", {"key": f"n{n}", "value": v})
        for n, v in enumerate(["1", 1, 2.5, {"real": "Infinity"}])
    ]

    for key, several in {"several": parts, "one": parts[:1], "page": [part("all", "GET", "/ms")]}.items():
        first, again = (send(served, key, *several) for _ in range(2))
        assert first["status"] == "COMMITTED"
        assert is_replay(again, first)
        assert same(without(again), without(first))


def without(result: Json) -> Json:
    return result["parts"]


def test_check_names_the_type_and_finds_nothing_that_cannot_be_read(api: Api, sqlite: Backend, tmp_path: Any):
    said = run_here("check", sqlite.url, folder=tmp_path).stdout
    done = run_here("check", sqlite.url, "--values", folder=tmp_path)

    assert "             value  Any\n" in said
    assert done.returncode == 0, done.stdout + done.stderr
    sqlite.run("INSERT INTO m VALUES ('broken', CAST(x'ff' AS TEXT))")
    assert run_here("check", sqlite.url, "--values", folder=tmp_path).returncode == 1
    answer = api.post('{ m(key: "broken") { key value } }')
    assert [each["extensions"]["code"] for each in answer["errors"]] == ["UNREADABLE_VALUE"]
    assert answer["data"] == {"m": {"key": "broken", "value": None}}


def test_the_operator_may_give_such_a_column_a_type_and_a_declared_one_any(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE m (id INTEGER PRIMARY KEY, s, n, t INTEGER);\n"
        "INSERT INTO m VALUES (1, 'x', 5, 'text'), (2, 'y', 6, 7)"
    )
    types = {"s": {"type": "String"}, "n": {"type": "Int"}, "t": {"type": "Any"}}
    api = start(sqlite, resources={"m": {"attributes": types}})

    assert {name: described_type(api, "M", name) for name in "snt"} == {"s": "String", "n": "Int", "t": "Any"}
    assert api.query("{ ms { nodes { s n t } } }")["ms"]["nodes"] == [
        {"s": "x", "n": 5, "t": "text"},
        {"s": "y", "n": 6, "t": 7},
    ]
    assert [total(api, "ms", "t", value) for value in (7, "7", "text")] == [1, 0, 1]
    assert api.one("UPDATE", "/ms/1", {"s": "z", "n": 8})["status"] == 200
    refused = api.one("UPDATE", "/ms/2", {"t": "8"})  # the column would make a number of it
    assert [(e["code"], e["pointer"]) for e in refused["errors"]] == [("INVALID_VALUE", "/payload/t")]
    assert sqlite.rows("SELECT s, n, t FROM m") == [("z", 8, "text"), ("y", 6, 7)]


def test_any_is_a_name_that_is_taken(backend: Backend, start: Serve):
    backend.run('CREATE TABLE "any" (id {key}, name VARCHAR(5))')
    api = start(backend)

    assert [each["name"] for each in api.query(RESOURCES)["resources"]] == ["Any_"]
    assert api.service.engine.catalog.notices == ("The table 'any' is served as Any_: the name Any is taken.",)


def test_the_schema_has_a_scalar_and_a_filter_of_its_own(api: Api):
    found = api.query(
        '{ scalar: __type(name: "Any") { specifiedByURL description } filter: __type(name: "AnyFilter") { inputFields { name type { name kind ofType { kind } } } } }'
    )

    assert found["scalar"]["specifiedByURL"] == "https://sqlite.org/datatype3.html"
    operators = {each["name"]: each["type"]["name"] for each in found["filter"]["inputFields"]}
    assert operators == {
        **dict.fromkeys(("eq", "ne", "lt", "lte", "gt", "gte"), "Any"),
        **dict.fromkeys(("in", "notIn")),
        "isNull": "Boolean",
    }


def test_defaults_are_shown_as_their_literals_are_and_replace_sets_them(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE d (id INTEGER PRIMARY KEY, a DEFAULT 5, b DEFAULT '5', c DEFAULT 2.5, e DEFAULT x'35', f DEFAULT NULL)"
    )
    api = start(sqlite)

    (described,) = api.query(RESOURCES)["resources"]
    shown = {each["name"]: each["default"] for each in described["attributes"] if each["name"] != "id"}
    expected = {"a": 5, "b": "5", "c": 2.5, "e": {"base64": "NQ=="}, "f": None}
    assert shown == expected
    assert api.one("CREATE", "/ds", {})["payload"] == {"id": 1, **expected}
    assert api.one("UPDATE", "/ds/1", {"a": "x", "b": 1})["payload"] == {"id": 1, **expected, "a": "x", "b": 1}
    assert api.one("REPLACE", "/ds/1", {})["payload"] == {"id": 1, **expected}


def test_an_equal_number_leaves_a_default_that_only_the_database_knows(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE d (id INTEGER PRIMARY KEY, a DEFAULT (1.0 * 2), n INTEGER)")
    api = start(sqlite)

    made = api.batch(part("a", "CREATE", "/ds", {"n": 1}), part("b", "UPDATE", "/ds/$a", {"a": 2}))

    assert made["status"] == "COMMITTED"
    assert sqlite.rows("SELECT typeof(a), a FROM d") == [("real", 2.0)]


@pytest.mark.parametrize("declared", ["FOO", "STUFF(3)", "ANY"])
def test_types_that_nobody_knows_stay_texts_that_are_found_and_written_back(
    sqlite: Backend, start: Serve, declared: str
):
    """SQLite gives such a column NUMERIC affinity: it takes "1" for the number 1, stored and compared."""
    values = ["5", "2.5", "-7", "0.30000000000000004", "1e+300", "5e-324", "1.7976931348623157e+308", "text", ""]
    rows = ", ".join(f"({n}, {value if n < 7 else repr(value)})" for n, value in enumerate(values))
    sqlite.run(f"CREATE TABLE f (id INTEGER PRIMARY KEY, v {declared});\nINSERT INTO f VALUES {rows}")
    exact = sqlite.engine()
    with exact.begin() as connection:  # SQLite's own parser loses the last digits of some
        for n, value in enumerate(values[:7]):
            connection.exec_driver_sql("UPDATE f SET v = ? WHERE id = ?", (float(value), n))
    before = sqlite.rows("SELECT id, typeof(v), v FROM f")
    api = start(sqlite)

    assert described_type(api, "F", "v") == "String"
    shown = {each["id"]: each["v"] for each in api.query("{ fs { nodes { id v } } }")["fs"]["nodes"]}
    assert list(shown.values()) == values
    for number, value in shown.items():
        found = api.query("query($v: String) { fs(filter: {v: {eq: $v}}) { nodes { id } } }", v=value)["fs"]["nodes"]
        assert found == [{"id": number}]
        assert api.one("UPDATE", f"/fs/{number}", {"v": value})["status"] == 200, value
    assert api.batch(*(part(f"p{n}", "UPDATE", f"/fs/{n}", {"v": value}) for n, value in shown.items()))["committed"]
    assert sqlite.rows("SELECT id, typeof(v), v FROM f") == before


# --- foreign keys without a declared type

ZOTERO = """
CREATE TABLE vals (v INTEGER PRIMARY KEY, t TEXT);
CREATE TABLE item (id INT, f INT, v, PRIMARY KEY (id, f), FOREIGN KEY (v) REFERENCES vals (v));
INSERT INTO vals VALUES (1, 'a'), (2, 'b');
INSERT INTO item VALUES (1, 1, 1)
"""


@pytest.mark.parametrize("groups", [True, False], ids=["in groups", "one by one"])
def test_a_foreign_key_without_a_type_has_that_of_its_target(sqlite: Backend, start: Serve, groups: bool):
    sqlite.run(ZOTERO)
    api = start(sqlite, groups=groups)

    assert described_type(api, "Item", "v") == "Int"
    made = api.batch(
        part("own", "CREATE", "/items", {"id": 2, "f": 1, "v": 2}),
        part("a", "CREATE", "/vals", {"t": "c"}),
        part("b", "CREATE", "/items", {"id": 3, "f": 1}, references=[{"attribute": "v", "part": "a"}]),
        part("same", "UPDATE", "/items/1,1", {"v": 1}),
    )
    assert made["status"] == "COMMITTED", made
    assert sqlite.rows("SELECT id, v, typeof(v) FROM item") == [(1, 1, "integer"), (2, 2, "integer"), (3, 3, "integer")]
    refused = api.batch(
        part("a", "CREATE", "/items", {"id": 4, "f": 1, "v": "1"}),
        part("b", "CREATE", "/items", {"id": 5, "f": 1, "v": 9}),
    )
    assert faults(refused) == {"a": [("INVALID_VALUE", "/payload/v")], "b": [("MISSING_TARGET", "/payload/v")]}


def test_a_thousand_items_with_a_foreign_key_without_a_type_are_made_and_changed(sqlite: Backend, start: Serve):
    sqlite.run(ZOTERO)
    api = start(sqlite)

    made = api.batch(*(part(f"p{n}", "CREATE", "/vals/1/itemsByV", {"id": n, "f": 2}) for n in range(MANY)))
    assert made["status"] == "COMMITTED", made["parts"][:1]
    changed = api.query(BARE_BATCH, parts=[part(f"p{n}", "UPDATE", f"/items/{n},2", {"v": 2}) for n in range(MANY)])
    assert changed["batch"]["status"] == "COMMITTED"
    assert sqlite.rows("SELECT v, typeof(v), count(*) FROM item GROUP BY 1, 2") == [
        (1, "integer", 1),
        (2, "integer", MANY),
    ]
    query = "{ val(v: 2) { itemsByV(first: 1) { totalCount nodes { valByV { t } } } } }"
    assert api.query(query) == {"val": {"itemsByV": {"totalCount": MANY, "nodes": [{"valByV": {"t": "b"}}]}}}


POINTING = """
CREATE TABLE code (code TEXT PRIMARY KEY NOT NULL, day DATE UNIQUE, price DECIMAL_TEXT(20, 2) UNIQUE, token CHAR(32) UNIQUE, anything UNIQUE);
CREATE TABLE use (
  id INTEGER PRIMARY KEY, code REFERENCES code, day REFERENCES code (day), price REFERENCES code (price), token REFERENCES code (token),
  anything REFERENCES code (anything), above REFERENCES use (id)
);
CREATE TABLE more (id REFERENCES use, code, PRIMARY KEY (id, code), FOREIGN KEY (code) REFERENCES code (code));
CREATE TABLE far (use_id REFERENCES more (id), id PRIMARY KEY);
CREATE UNIQUE INDEX more_id ON more (id);
INSERT INTO code VALUES ('1', '2026-01-31', '5.00', 'a', 1.0), ('b', '2026-02-01', '7.50', 'b', '1')
"""


def test_it_has_the_type_of_a_target_of_any_type_through_others_and_of_itself(sqlite: Backend, start: Serve):
    sqlite.run(POINTING)
    api = start(sqlite)

    types = {name: described_type(api, "Use", name) for name in ("code", "day", "price", "token", "anything", "above")}
    assert types == {
        "code": "String",
        "day": "Date",
        "price": "Decimal",
        "token": "String",
        "anything": "Any",
        "above": "Int",
    }
    assert (described_type(api, "More", "id"), described_type(api, "Far", "useId")) == ("Int", "Int")
    values = {"id": 1, "code": "1", "day": "2026-01-31", "price": "5", "token": "a", "anything": 1, "above": 1}
    made = api.batch(
        part("a", "CREATE", "/uses", values),
        part("b", "CREATE", "/mores", {"code": "b"}, references=[{"attribute": "id", "part": "a"}]),
        part("c", "CREATE", "/fars", {"id": "x", "useId": 1}),
    )
    assert made["status"] == "COMMITTED", made
    assert made["parts"][0]["payload"] == {**values, "price": "5.00"}
    classes = sqlite.rows(
        "SELECT typeof(code), typeof(day), price, typeof(price), typeof(anything), typeof(above) FROM use"
    )
    assert classes == [("text", "text", "5.00", "text", "integer", "integer")]
    back = {name: value for name, value in made["parts"][0]["payload"].items() if name != "id"}
    assert api.one("UPDATE", "/uses/1", back)["etag"] == made["parts"][0]["etag"]


def test_it_has_the_type_that_the_operator_gives_the_target_or_itself_and_of_a_hidden_target(
    sqlite: Backend, start: Serve
):
    sqlite.run(
        "CREATE TABLE a (id PRIMARY KEY);\nCREATE TABLE b (id INTEGER PRIMARY KEY);\nCREATE TABLE hidden (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, a REFERENCES a, b REFERENCES b, h REFERENCES hidden, lost REFERENCES missing (x))"
    )
    settings: dict[str, Any] = {
        "a": {"attributes": {"id": {"type": "String"}}},
        "hidden": {"hidden": True},
        "c": {"attributes": {"b": {"type": "Any"}}},
    }
    api = start(sqlite, resources=settings)

    assert {name: described_type(api, "C", name) for name in ("a", "b", "h", "lost")} == {
        "a": "String",
        "b": "Any",
        "h": "Int",
        "lost": "Any",
    }


def test_a_number_that_points_at_a_key_without_a_type_does_not_find_its_text(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE p (k PRIMARY KEY NOT NULL, name TEXT);\nCREATE TABLE c (id INTEGER PRIMARY KEY, p_k INTEGER REFERENCES p (k));\n"
        "INSERT INTO p VALUES (1, 'number'), ('1', 'text');\nINSERT INTO c VALUES (7, 1)"
    )
    api = start(sqlite)

    assert api.query("{ cs { nodes { pByPK { name } } } }") == {"cs": {"nodes": [{"pByPK": {"name": "number"}}]}}
    found = api.query("{ ps(filter: {csByPK: {some: {id: {eq: 7}}}}) { nodes { name } } }")
    assert found == {"ps": {"nodes": [{"name": "number"}]}}
    assert api.one("GET", "/ps/%271%27/csByPK")["payload"]["items"] == []
    assert len(api.one("GET", "/ps/1/csByPK")["payload"]["items"]) == 1
