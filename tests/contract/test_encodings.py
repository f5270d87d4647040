"""Databases of PostgreSQL that are not in UTF-8: bytes that are no text, and texts that an encoding does not have."""

import json
from typing import Any

import pytest

from partwise.settings import Settings
from tests.conftest import Serve
from tests.support.doors import Doors, body_of
from tests.support.harness import BATCH, LEAN_BATCH, Api, Backend, Json, faults, part

# --- SQL_ASCII: any bytes


def raw(text: bytes) -> str:
    """Write bytes as a text of SQL, whatever they are."""
    return f"convert_from('\\x{text.hex()}'::bytea, 'SQL_ASCII')"


BROKEN = raw(b"caf\xe9")
VALUES = {
    "TEXT": (BROKEN, "'café'", "café"),
    "VARCHAR(20)": (BROKEN, "'café'", "café"),
    "CHAR(8)": (BROKEN, "'café'", "café"),
    "loud": (BROKEN, "'café'", "café"),  # a domain
    "mood": (f"{BROKEN}::mood", "'ok'", "ok"),  # an enum, whose other label is not UTF-8
    "TEXT[]": (f"ARRAY['x', {BROKEN}]", "ARRAY['café']", ["café"]),
    "VARCHAR(9)[]": (f"ARRAY['x', {BROKEN}]", "ARRAY['café']", ["café"]),
    "mood[]": (f"ARRAY['ok', {BROKEN}]::mood[]", "'{ok}'", ["ok"]),
    "JSON": (raw(b'{"a": "\xff"}') + "::json", """'{"a": "é"}'""", {"a": "é"}),
    "JSONB": (raw(b'{"\xff": 1}') + "::jsonb", """'{"é": 1}'""", {"é": 1}),
    "JSON[]": (
        f"ARRAY[{raw(b'[]')}, {raw(b'[' + bytes([34, 255, 34]) + b']')}]::json[]",
        "ARRAY['[\"é\"]']::json[]",
        [["é"]],
    ),
}
TYPES = f"CREATE DOMAIN loud AS TEXT;\nDO $$BEGIN EXECUTE format('CREATE TYPE mood AS ENUM (''ok'', %L)', {BROKEN}); END$$;\n"
BOTH_ROUTES = (
    "{ things { totalCount nodes { id value name } } }",
    "{ things(first: 5) { totalCount nodes { id value name } } }",  # few rows are read as they are
    "query ($is: Boolean! = true) { things { totalCount nodes { id value @include(if: $is) name } } }",
)


def serve_values(sql_ascii: Backend, start: Serve, sql_type: str) -> tuple[Api, Any]:
    broken, good, value = VALUES[sql_type]
    sql_ascii.run(f"{TYPES}CREATE TABLE thing (id {{key}}, value {sql_type}, name VARCHAR(20))")
    sql_ascii.run(f"INSERT INTO thing VALUES (1, {broken}, 'kept'), (2, {good}, 'zwei é'), (3, NULL, 'three')")
    return start(sql_ascii), value


@pytest.mark.parametrize("sql_type", VALUES)
def test_bytes_that_are_not_utf_8_are_an_error_of_their_field(sql_ascii: Backend, start: Serve, sql_type: str):
    api, value = serve_values(sql_ascii, start, sql_type)
    doors = Doors(api, Settings(database_url=sql_ascii.url))
    nodes = [
        {"id": 1, "value": None, "name": "kept"},
        {"id": 2, "value": value, "name": "zwei é"},
        {"id": 3, "value": None, "name": "three"},
    ]

    for query in BOTH_ROUTES:
        answer, _ = doors.ask(body_of(query, {}))
        found = json.loads(answer.body)
        assert found["data"]["things"] == {"totalCount": 3, "nodes": nodes}
        (error,) = found["errors"]
        assert (error["path"], error["extensions"]) == (["things", "nodes", 0, "value"], {"code": "UNREADABLE_VALUE"})
        assert error["message"] == "The database contains a value for value that is not valid UTF-8 text."
    parts = [
        part("read", "GET", "/things/1"),
        part("page", "GET", "/things"),
        part("write", "UPDATE", "/things/2", {"name": "neu ü"}),
    ]
    batch = api.post(BATCH.replace("{ __typename path etag }", "{ ... on Thing { id value name } }"), {"parts": parts})
    read, page, written = batch["data"]["batch"]["parts"]
    assert batch["data"]["batch"]["status"] == "COMMITTED"
    assert (read["payload"], read["item"], page["payload"]) == (None, nodes[0], None)
    assert written["payload"] == {"id": 2, "value": value, "name": "neu ü"}
    assert [(each["path"], each["extensions"]["code"]) for each in batch["errors"]] == [
        (["batch", "parts", 0, "payload"], "UNREADABLE_VALUE"),
        (["batch", "parts", 0, "item", "value"], "UNREADABLE_VALUE"),
        (["batch", "parts", 1, "payload"], "UNREADABLE_VALUE"),
    ]
    by_door = api.http.post("/batch", json={"parts": [{"id": "read", "path": "/things/1", "operation": "get"}]}).json()
    assert "payload" not in by_door["parts"][0]
    assert by_door["errors"][0]["path"] == ["parts", 0, "payload"]


@pytest.mark.parametrize("sql_type", ["TEXT", "CHAR(8)", "mood", "TEXT[]", "JSONB"])
def test_what_is_not_utf_8_can_be_overwritten_and_has_an_etag_of_its_own(
    sql_ascii: Backend, start: Serve, sql_type: str
):
    api, value = serve_values(sql_ascii, start, sql_type)
    before = api.query("{ thing(id: 1) { etag } }")["thing"]["etag"]
    if sql_type == "TEXT":
        sql_ascii.run(f"UPDATE thing SET value = {raw(b'caf' + bytes([0xEA]))} WHERE id = 1")
        assert api.query("{ thing(id: 1) { etag } }")["thing"]["etag"] != before

    done = api.one("UPDATE", "/things/1", {"value": value})

    assert done["payload"] == {"id": 1, "value": value, "name": "kept"}
    assert sql_ascii.rows(
        "SELECT count(*) FROM thing a JOIN thing b ON a.value::text = b.value::text WHERE a.id = 1 AND b.id = 2"
    ) == [(1,)]


def test_a_thousand_rows_with_one_text_that_is_not_utf_8(sql_ascii: Backend, start: Serve):
    sql_ascii.run("CREATE TABLE thing (id {key}, value TEXT)")
    sql_ascii.run(
        f"INSERT INTO thing SELECT i, CASE i WHEN 500 THEN {BROKEN} ELSE 'é' || i END FROM generate_series(1, 1000) i"
    )
    api = start(sql_ascii)

    found = api.post("{ things(first: 1000) { nodes { id value } } }")
    assert [each["path"] for each in found["errors"]] == [["things", "nodes", 499, "value"]]
    assert [each["id"] for each in found["data"]["things"]["nodes"] if each["value"] != f"é{each['id']}"] == [500]
    parts = [part(str(n), "UPDATE", f"/things/{n}", {"value": f"ñ{n}"}) for n in range(1, 1_001)]
    assert api.post(LEAN_BATCH, {"parts": parts})["data"]["batch"]["status"] == "COMMITTED"
    assert sql_ascii.rows(
        "SELECT count(*) FROM thing WHERE value = convert_from('\\xc3b1'::bytea, 'SQL_ASCII') || id"
    ) == [(1_000,)]


WORLD = f"""
CREATE TABLE word (name TEXT PRIMARY KEY, size INTEGER NOT NULL);
CREATE TABLE note (id {{key}}, word_name TEXT REFERENCES word (name), size INTEGER);
INSERT INTO word VALUES ('a', 1), ({BROKEN}, 2), ('d', 3);
INSERT INTO note VALUES (1, 'a', 10), (2, {BROKEN}, 20), (3, 'd', 30)"""


def test_keys_that_are_not_utf_8(sql_ascii: Backend, start: Serve):
    sql_ascii.run(WORLD)
    api = start(sql_ascii)

    answer = api.post("{ words { nodes { size } } notes { nodes { id wordByWordName { size } } } }")
    assert answer["data"] == {
        "words": {"nodes": [{"size": 1}, {"size": 2}, {"size": 3}]},
        "notes": {
            "nodes": [
                {"id": 1, "wordByWordName": {"size": 1}},
                {"id": 2, "wordByWordName": None},
                {"id": 3, "wordByWordName": {"size": 3}},
            ]
        },
    }
    found = api.post(
        "{ words { nodes { size notesByWordName { totalCount nodes { id } aggregate { sum { size } } } } } }"
    )
    assert [each["notesByWordName"]["nodes"] for each in found["data"]["words"]["nodes"]] == [
        [{"id": 1}],
        [],
        [{"id": 3}],
    ]
    answer = api.post("{ words { nodes { path name } } }")
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNREADABLE_VALUE"}
    refused = api.post("{ notes { nodes { id wordName } } }")
    assert [error["path"] for error in refused["errors"]] == [["notes", "nodes", 1, "wordName"]]


def test_a_walk_goes_on_behind_a_text_that_is_not_utf_8(sql_ascii: Backend, start: Serve):
    sql_ascii.run(WORLD)
    api = start(sql_ascii)
    query = "query ($after: String) { words(first: 1, after: $after, orderBy: [{ name: ASC }]) { nodes { size } pageInfo { endCursor } } }"
    sizes, after = [], None
    for _ in range(3):
        page = api.query(query, after=after)["words"]
        sizes += [each["size"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert sizes == [1, 2, 3]
    assert api.query(query, after=after)["words"]["nodes"] == []


def test_aggregates_groups_and_filters_over_texts_that_are_not_utf_8(sql_ascii: Backend, start: Serve):
    sql_ascii.run(f"{WORLD};\nINSERT INTO word VALUES ('é', 4)")
    api = start(sql_ascii)

    answer = api.post(
        "{ words { totalCount aggregate { count min { name } max { name } } groupBy(by: [name]) { keys { name } aggregate { count } } } }"
    )
    assert answer["data"]["words"] == {
        "totalCount": 4,
        "aggregate": {"count": 4, "min": {"name": "a"}, "max": {"name": "é"}},
        "groupBy": [{"keys": {"name": name}, "aggregate": {"count": 1}} for name in ("a", None, "d", "é")],
    }
    assert [error["path"] for error in answer["errors"]] == [["words", "groupBy", 1, "keys", "name"]]
    lowest = api.post('{ words(filter: { name: { gt: "a", lt: "d" } }) { totalCount aggregate { max { name } } } }')
    assert lowest["data"]["words"] == {"totalCount": 1, "aggregate": {"max": {"name": None}}}
    assert lowest["errors"][0]["path"] == ["words", "aggregate", "max", "name"]
    for condition, sizes in (
        ('eq: "é"', [4]),
        ('startsWith: "caf"', [2]),
        ('contains: "é"', [4]),
        ('ilike: "%A%"', [1, 2]),
        ('in: ["é", "a"]', [1, 4]),
    ):
        found = api.query(f"{{ words(filter: {{ name: {{ {condition} }} }}) {{ nodes {{ size }} }} }}")["words"][
            "nodes"
        ]
        assert [each["size"] for each in found] == sizes, condition
    assert api.one("GET", "/words/%C3%A9")["payload"] == {"name": "é", "size": 4}


def test_names_that_are_not_utf_8_are_left_out_with_a_note(sql_ascii: Backend, start: Serve):
    made = (
        ("CREATE TABLE %I (id INTEGER PRIMARY KEY)", 1),
        ("CREATE TABLE grün (id INTEGER PRIMARY KEY, %I TEXT, größe TEXT CONSTRAINT %I CHECK (größe <> %L))", 3),
        ("COMMENT ON TABLE grün IS %L", 1),
        ("COMMENT ON COLUMN grün.größe IS %L", 1),
        ("ALTER TABLE grün ADD FOREIGN KEY (id) REFERENCES %I (id) NOT VALID", 1),
    )
    for statement, places in made:
        arguments = ", ".join([f"'{statement}'", *[BROKEN] * places])
        sql_ascii.run(f"DO $$BEGIN EXECUTE format({arguments}); END$$")
    api = start(sql_ascii)

    assert [
        (each["name"], [a["name"] for a in each["attributes"]])
        for each in api.query("{ resources { name attributes { name } } }")["resources"]
    ] == [("Gr_n", ["id", "gr__e"])]
    notices = api.service.engine.catalog.notices
    assert "The table 'caf\\udce9' is not served because its name is not UTF-8." in notices
    assert "Gr_n: the column 'caf\\udce9' is not served because its name is not UTF-8." in notices
    assert all(each.isprintable() for each in notices)


def test_an_error_message_that_is_not_utf_8_is_told_as_far_as_it_is(sql_ascii: Backend, start: Serve):
    sql_ascii.run(f"""
CREATE TABLE thing (id {{key}}, value TEXT, größe INTEGER CONSTRAINT zu_groß CHECK (größe < 10));
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.value = 'x' THEN RAISE EXCEPTION 'nicht schön: %', {BROKEN}; END IF; RETURN NEW; END$$;
CREATE TRIGGER no BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION no()""")
    api = start(sql_ascii)

    (error,) = api.one("CREATE", "/things", {"value": "x"})["errors"]
    assert (error["code"], error["message"][:12]) == ("REFUSED_BY_DATABASE", "nicht schön:")
    (error,) = api.one("CREATE", "/things", {"value": "y", "gr__e": 11})["errors"]
    assert (error["code"], error["pointer"]) == ("CHECK_FAILED", "/payload/gr__e")
    assert sql_ascii.rows("SELECT * FROM thing") == []


def test_a_comment_of_a_check_that_is_not_utf_8_is_no_message(sql_ascii: Backend, start: Serve):
    sql_ascii.run("""
CREATE TABLE thing (
  id {key}, a INTEGER CONSTRAINT even CHECK (a % 2 = 0), b INTEGER CONSTRAINT small CHECK (b < 10), c TEXT CONSTRAINT lower CHECK (c = lower(c))
);
COMMENT ON CONSTRAINT even ON thing IS E'gerade f\\xfcr a'; COMMENT ON CONSTRAINT small ON thing IS E'\\xff';
COMMENT ON CONSTRAINT lower ON thing IS 'Klein, bitte: größer geht nicht.'""")
    api = start(sql_ascii)
    good = [part(f"g{n}", "CREATE", "/things", {"a": 2}) for n in range(1_000)]

    wrong = part("p", "CREATE", "/things", {"a": 1, "b": 10, "c": "A"})
    for parts in ([wrong], [*good, wrong]):
        (found,) = api.batch(*parts)["parts"]
        assert [(e["pointer"], e["message"]) for e in found["errors"]] == [
            ("/payload/a", "a is not allowed."),
            ("/payload/b", "b must be at most 9."),
            ("/payload/c", "Klein, bitte: größer geht nicht."),
        ]
    assert sql_ascii.rows("SELECT * FROM thing") == []


def test_a_replay_in_sql_ascii_answers_as_before(sql_ascii: Backend, start: Serve):
    sql_ascii.run(WORLD)
    api = start(sql_ascii)
    parts = {
        "parts": [
            {"id": "ñ", "path": "/words", "operation": "get"},
            {"id": "b", "path": "/words/a", "operation": "update", "payload": {"size": 9}},
        ]
    }
    first, again = (api.http.post("/batch", json=parts, headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert first.json()["errors"][0]["extensions"] == {"code": "UNREADABLE_VALUE"}


# --- LATIN1: texts that the database does not have

LATIN = """
CREATE TABLE thing (id {key}, value TEXT, short VARCHAR(9), list TEXT[], doc JSON, docb JSONB, address INET);
CREATE TABLE word (name TEXT PRIMARY KEY, size INTEGER);
CREATE TABLE note (id {key}, word_name TEXT REFERENCES word (name));
INSERT INTO word VALUES ('a', 1), ('é', 2)"""
GIVEN = {"value": "€", "short": "€", "list": ["a", "€"], "doc": {"€": 1}, "docb": ["€"], "address": "nowhere"}


@pytest.fixture
def latin(latin1: Backend, start: Serve) -> Api:
    latin1.run(LATIN)
    return start(latin1)


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "REPLACE", "UPSERT"])
def test_texts_that_the_encoding_does_not_have_are_invalid_values_of_their_attributes(
    latin1: Backend, latin: Api, operation: str
):
    latin1.run("INSERT INTO thing (id, value) VALUES (7, 'é')")
    before = latin1.dump()
    path = "/things" if operation == "CREATE" else "/things/7"

    result = latin.batch(
        part("p", operation, path, GIVEN),
        part("good", "CREATE", "/words", {"name": "ü"}),
        part("no", "GET", "/words/x"),
    )

    assert faults(result) == {
        "p": [("INVALID_VALUE", f"/payload/{name}") for name in GIVEN],
        "no": [("NOT_FOUND", "/path")],
    }
    assert latin1.dump() == before
    assert latin.one(operation, path, {"value": "ñ"})["payload"]["value"] == "ñ"


def test_one_text_among_a_thousand_is_found(latin1: Backend, latin: Api):
    create = [part(f"c{n}", "CREATE", "/things", {"value": "€" if n == 500 else "é"}) for n in range(1_000)]
    assert faults(latin.batch(*create)) == {"c500": [("INVALID_VALUE", "/payload/value")]}
    assert latin1.rows("SELECT * FROM thing") == []
    update = [part(f"u{n}", "UPDATE", f"/words/{'%E2%82%AC' if n == 500 else 'a'}", {"size": n}) for n in range(1_000)]
    assert faults(latin.batch(*update)) == {"u500": [("INVALID_VALUE", "/path")]}
    assert latin1.rows("SELECT size FROM word ORDER BY size") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (part("p", "GET", "/words/€"), "/path"),
        (part("p", "DELETE", "/words/€"), "/path"),
        (part("p", "UPDATE", "/words/€", {"size": 1}), "/path"),
        (part("p", "UPSERT", "/words/€", {"size": 1}), "/path"),
        (part("p", "CREATE", "/words/€", {"size": 1}), "/path"),
        (part("p", "GET", "/words?name=€"), "/path"),
        (part("p", "UPSERT", "/words", {"name": "€", "size": 1}), "/payload/name"),
        (part("p", "CREATE", "/words", {"name": "€", "size": 1}), "/payload/name"),
        (part("p", "CREATE", "/notes", {"wordName": "€"}), "/payload/wordName"),
        (part("p", "CREATE", "/words/€/notesByWordName", {}), "/path"),
    ],
    ids=lambda each: f"{each['operation']} {each['path']}" if isinstance(each, dict) else None,
)
@pytest.mark.parametrize("times", [1, 30])
def test_a_key_that_the_encoding_does_not_have_is_an_error_of_its_part(
    latin1: Backend, latin: Api, sent: Json, expected: str, times: int
):
    before = latin1.dump()
    others = [part(f"o{n}", "UPDATE", "/words/a", {"size": n}) for n in range(times)]
    result = latin.batch(*others, sent, part("absent", "DELETE", "/words/nobody"))

    assert faults(result) == {"p": [("INVALID_VALUE", expected)], "absent": [("NOT_FOUND", "/path")]}
    assert latin1.dump() == before


def test_filters_with_texts_that_the_encoding_does_not_have_are_bad_requests_of_their_field(latin: Api):
    for query in (
        '{ words(filter: { name: { eq: "€" } }) { totalCount } things { totalCount } }',
        '{ words(filter: { name: { contains: "€" } }) { totalCount } things { totalCount } }',
        '{ words: word(name: "€") { size } things { totalCount } }',
    ):
        answer = latin.post(query)
        assert answer["data"] == {"words": None, "things": {"totalCount": 0}}
        assert [(each["path"], each["extensions"]["code"]) for each in answer["errors"]] == [(["words"], "BAD_REQUEST")]
    assert latin.query('{ words(filter: { name: { eq: "é" } }) { nodes { size } } }') == {
        "words": {"nodes": [{"size": 2}]}
    }
