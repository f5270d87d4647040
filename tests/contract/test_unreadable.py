"""What an existing database holds against its own types (docs/contract.md, section 7): an error of that field alone."""

import gc
import sqlite3
from datetime import UTC, datetime

import pytest

from tests.conftest import Serve
from tests.support.harness import LEAN_BATCH, Api, Backend, Json, part
from tests.support.music import SCRIPT as MUSIC

QUERY = "{ things { totalCount nodes { id value name } } }"
FIRST = {"id": 1, "value": None, "name": "kept"}


def thing(backend: Backend, declared: str, value: str) -> None:
    """Make a table with one row whose `value` is the SQL expression given."""
    backend.run(f"""
        CREATE TABLE thing (id {{key}}, value {declared}, name VARCHAR(20));
        INSERT INTO thing VALUES (1, {value}, 'kept'), (2, NULL, 'two')""")


def check_that_only_the_field_is_in_error(api: Api) -> None:
    read = api.post(QUERY)
    assert read["data"]["things"] == {"totalCount": 2, "nodes": [FIRST, {"id": 2, "value": None, "name": "two"}]}
    (error,) = read["errors"]
    assert error["path"] == ["things", "nodes", 0, "value"]
    assert "value" in error["message"]
    is_sqlite = api.service.engine.database.dialect == "sqlite"
    assert ("partwise.toml" in error["message"]) is is_sqlite, "it names the setting that helps, where there is one"

    written = api.post(
        """mutation { batch(parts: [
            { id: "read", path: "/things/1", operation: GET }
            { id: "good", path: "/things/2", operation: GET }
            { id: "write", path: "/things/2", operation: UPDATE, payload: { name: "written" } }
        ]) { status parts { id status etag item { ... on Thing { id value name } } errors { code } } } }"""
    )
    batch = written["data"]["batch"]
    assert batch["status"] == "COMMITTED", "reading what is unreadable takes nothing else away"
    assert batch["parts"][0]["item"] == FIRST
    assert batch["parts"][2]["item"] == {"id": 2, "value": None, "name": "written"}
    assert [each["path"] for each in written["errors"]] == [["batch", "parts", 0, "item", "value"]]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("NUMERIC(10,2)", "'twelve'"),
        ("NUMERIC(10,2)", "x'01'"),
        ("NUMERIC(10,2)", "9e999"),
        ("DATE", "'31.12.2020'"),
        ("DATE", "'2020-02-30'"),
        ("TIME", "'noon'"),
        ("DATETIME", "'yesterday'"),
        ("DATETIME", "1700000000"),
        ("INTEGER", "1099511627776"),
        ("INTEGER", "'many'"),
        ("INTEGER", "1.5"),
        ("SMALLINT", "40000"),
        ("BIGINT", "'many'"),
        ("BOOLEAN", "7"),
        ("BOOLEAN", "'yes'"),
        ("DOUBLE PRECISION", "'much'"),
        ("DOUBLE PRECISION", "-9e999"),
        ("TEXT", "x'00ff'"),
        ("TEXT", "CAST(x'ff41' AS TEXT)"),
        ("TEXT", "CAST(x'eda080' AS TEXT)"),
        ("JSON", "'{bad'"),
        ("JSON", "'[NaN]'"),
        ("JSON", "x'ff'"),
        ("UUID", "'not one'"),
        ("UUID", "x'0102'"),
        ("BLOB", "7"),
    ],
)
def test_what_sqlite_holds_against_its_type_is_an_error_of_that_field(sqlite: Backend, start: Serve, declared, value):
    thing(sqlite, declared, value)
    check_that_only_the_field_is_in_error(start(sqlite))


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("DATE", "'infinity'"),
        ("DATE", "'0044-03-15 BC'"),
        ("DATE", "'12000-01-01'"),
        ("TIMESTAMP", "'-infinity'"),
        ("TIMESTAMP WITH TIME ZONE", "'infinity'"),
        ("TIME", "'24:00:00'"),
        ("NUMERIC", "'NaN'"),
        ("DOUBLE PRECISION", "'NaN'"),
        ("DOUBLE PRECISION", "'-Infinity'"),
        ("REAL", "'Infinity'"),
        ("INTEGER[]", "'{{1,2},{3,4}}'"),
        ("DATE[]", "'{infinity}'"),
        ("NUMERIC[]", "'{NaN}'"),
        ("JSON", f"'{'[' * 1_500 + ']' * 1_500}'"),
    ],
)
def test_what_json_cannot_say_of_postgresql_is_an_error_of_that_field(
    postgresql: Backend, start: Serve, declared, value
):
    thing(postgresql, declared, value)
    check_that_only_the_field_is_in_error(start(postgresql))


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("DATE", ["infinity", "-infinity", "12000-01-01", "12000-01-02"]),
        ("TIMESTAMP WITH TIME ZONE", ["infinity", "-infinity"]),
        ("DATE[]", ["{infinity}", "{-infinity}"]),
        ("JSON", ["[" * 1_500 + "]" * 1_500, "[" * 1_501 + "]" * 1_501]),
    ],
)
def test_a_row_has_another_etag_when_what_cannot_be_read_has_changed(
    postgresql: Backend, start: Serve, declared: str, values: list[str]
):
    thing(postgresql, declared, f"'{values[0]}'")
    api = start(postgresql)

    etags = []
    for value in values:
        postgresql.run(f"UPDATE thing SET value = '{value}' WHERE id = 1")
        etags.append(api.post("{ thing(id: 1) { etag } }")["data"]["thing"]["etag"])

    assert len(set(etags)) == len(values)


def test_an_unreadable_value_can_be_overwritten_and_deleted(sqlite: Backend, start: Serve):
    thing(sqlite, "DATE", "'31.12.2020'")
    api = start(sqlite)

    update = """mutation ($etag: [String!]!) { batch(parts: [
        { id: "u", path: "/things/1", operation: UPDATE, payload: { value: "2020-12-31" }, ifMatch: $etag }
    ]) { status parts { etag payload } } }"""
    etag = api.post("{ thing(id: 1) { etag } }")["data"]["thing"]["etag"]
    done = api.query(update, etag=[etag])["batch"]

    assert done["status"] == "COMMITTED"
    assert done["parts"][0]["payload"] == {"id": 1, "value": "2020-12-31", "name": "kept"}
    assert done["parts"][0]["etag"] != etag
    assert sqlite.rows("SELECT value FROM thing WHERE id = 1") == [("2020-12-31",)]
    assert api.batch(part("d", "DELETE", "/things/1"))["status"] == "COMMITTED"


def test_the_setting_that_the_error_names_helps(sqlite: Backend, start: Serve):
    thing(sqlite, "DATE", "'31.12.2020'")
    api = start(sqlite, resources={"thing": {"attributes": {"value": {"type": "String"}}}})
    assert api.query("{ thing(id: 1) { value } }")["thing"] == {"value": "31.12.2020"}


def test_bytes_in_a_date_column_do_not_take_the_payload_of_other_parts_away(sqlite: Backend, start: Serve):
    thing(sqlite, "DATE", "x'00'")
    api = start(sqlite)
    answer = api.post(
        """mutation { batch(parts: [
            { id: "a", path: "/things/1", operation: GET }
            { id: "b", path: "/things/2", operation: GET }
        ]) { status parts { id payload } } }"""
    )
    assert answer["data"]["batch"]["status"] == "COMMITTED"
    assert answer["data"]["batch"]["parts"][1] == {"id": "b", "payload": {"id": 2, "value": None, "name": "two"}}
    assert all("value" in each["message"] for each in answer["errors"])


def test_decimals_that_sqlite_keeps_as_real_read_exactly(sqlite: Backend, start: Serve):
    sqlite.run(MUSIC)
    api = start(sqlite)

    assert sqlite.rows('SELECT DISTINCT typeof("UnitPrice") FROM "Track"') == [("real",)]
    found = api.query("{ tracks { nodes { unitPrice } } invoice(invoiceId: 1) { total } }")

    assert [each["unitPrice"] for each in found["tracks"]["nodes"]] == ["0.99", "0.99", "1.99", "0.50"]
    assert found["invoice"] == {"total": "3.96"}
    assert api.one("UPDATE", "/tracks/1", {"unitPrice": "1.98"})["payload"]["unitPrice"] == "1.98"


@pytest.mark.parametrize(
    ("declared", "stored", "back"),
    [
        ("NUMERIC(10,2)", "0.1 + 0.2", None),
        ("NUMERIC(10,2)", "5", "5.00"),
        ("NUMERIC(10,2)", "0.5", "0.50"),
        ("NUMERIC", "0.1", "0.1"),
        ("DATETIME", "'2020-01-31 10:30:00'", "2020-01-31T10:30:00"),
        ("DATETIME", "'2020-01-31T10:30:00'", "2020-01-31T10:30:00"),
        ("DATE", "'2020-01-31'", "2020-01-31"),
        ("TIME", "'10:30:00'", "10:30:00"),
        ("BIGINT", "1099511627776", "1099511627776"),
        ("TIMESTAMP WITH TIME ZONE", "'2020-01-31 10:30:00+02:00'", "2020-01-31T08:30:00Z"),
    ],
)
def test_what_sqlite_users_usually_store_is_read(sqlite: Backend, start: Serve, declared, stored, back):
    thing(sqlite, declared, stored)
    answer = start(sqlite).post("{ thing(id: 1) { value } }")
    if (
        back is None
    ):  # 0.30000000000000004 has more digits than declared: shown as it is, or an error, but never rounded
        assert answer["data"]["thing"]["value"] in (None, "0.30000000000000004")
    else:
        assert answer == {"data": {"thing": {"value": back}}}


def test_instants_are_kept_in_utc_whatever_zone_the_server_has(
    backend: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    backend.run("CREATE TABLE event (id {key}, at {aware} NOT NULL)")
    created = start(backend).one("CREATE", "/events", {"at": "2026-07-01T12:00:00+02:00"})

    assert created["payload"]["at"] == "2026-07-01T10:00:00Z"
    ((stored,),) = backend.rows("SELECT at FROM event")
    if backend.kind == "sqlite":
        assert str(stored).startswith("2026-07-01 10:00:00")
    else:
        assert stored == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_instants_and_uuids_that_others_wrote_in_another_spelling_are_found_at_their_canonical_paths(
    sqlite: Backend, start: Serve
):
    sqlite.run("""
CREATE TABLE events (at DATETIME PRIMARY KEY, name TEXT);
CREATE TABLE tokens (id UUID PRIMARY KEY, name TEXT);
INSERT INTO events VALUES ('2020-01-01 00:00:00.000000', 'padded'), ('2020-01-02T00:00:00', 'with a T');
INSERT INTO tokens VALUES ('0198c0de0000700080000000000000ff', 'hex'), ('0198C0DE-0000-7000-8000-0000000000FE', 'upper')
""")
    api = start(sqlite)
    nodes = api.query("{ events { nodes { path } } tokens { nodes { path } } }")
    paths = [node["path"] for collection in nodes.values() for node in collection["nodes"]]

    assert sorted(paths) == [
        "/events/2020-01-01T00%3A00%3A00",
        "/events/2020-01-02T00%3A00%3A00",
        "/tokens/0198c0de-0000-7000-8000-0000000000fe",
        "/tokens/0198c0de-0000-7000-8000-0000000000ff",
    ]
    assert [api.one("UPDATE", path, {"name": "new"})["status"] for path in paths] == [200] * 4
    assert sqlite.rows("SELECT name FROM events UNION ALL SELECT name FROM tokens") == [("new",)] * 4


# --- nulls where there must be none

NULL_KEYS = """
CREATE TABLE tag (name TEXT PRIMARY KEY, size INTEGER);
CREATE TABLE pair (a TEXT, b INTEGER, size INTEGER, PRIMARY KEY (a, b));
INSERT INTO tag VALUES ('a', 1), (NULL, 2), ('b', 3);
INSERT INTO pair VALUES ('a', 1, 1), ('b', NULL, 2), ('c', 3, 3)"""  # https://sqlite.org/quirks.html, section 5


def check_null(answer: Json, path: list[str | int], name: str) -> None:
    (error,) = answer["errors"]
    assert error["path"] == path
    assert error["extensions"] == {"code": "UNREADABLE_VALUE"}
    assert f"contains null for {name}" in error["message"]
    assert "NOT NULL" in error["message"], "it says what helps"


@pytest.mark.parametrize("first", [3, 100])
def test_a_null_in_a_key_of_sqlite_is_an_error_of_its_field_and_of_the_path(sqlite: Backend, start: Serve, first: int):
    sqlite.run(NULL_KEYS)
    api = start(sqlite)
    for _ in range(2):  # the ordinary way, and then the fast one
        for selected, name in (("name", "name"), ("size name", "name"), ("path", "name")):
            answer = api.post(f"{{ tags(first: {first}) {{ nodes {{ {selected} }} }} pairs {{ totalCount }} }}")
            assert answer["data"] == {"tags": None, "pairs": {"totalCount": 3}}
            check_null(answer, ["tags", "nodes", 0, selected.split()[-1]], name)
        for selected, name in (("b", "b"), ("path", "b")):
            answer = api.post(f"{{ pairs(first: {first}) {{ nodes {{ size {selected} }} }} }}")
            check_null(answer, ["pairs", "nodes", 1, selected], name)
        found = api.query(f"{{ tags(first: {first}) {{ totalCount nodes {{ size etag }} edges {{ cursor }} }} }}")[
            "tags"
        ]
        assert [each["size"] for each in found["nodes"]] == [2, 1, 3]


def test_a_null_in_a_key_takes_its_item_alone_from_a_part(sqlite: Backend, start: Serve):
    sqlite.run(NULL_KEYS)
    answer = start(sqlite).post(
        """mutation { batch(parts: [
            { id: "read", path: "/tags", operation: GET }
            { id: "write", path: "/tags/b", operation: UPDATE, payload: { size: 4 } }
        ]) { status parts { id payload items { ... on Tag { name size } } } } }"""
    )
    read, written = answer["data"]["batch"]["parts"]
    assert answer["data"]["batch"]["status"] == "COMMITTED"
    assert read["items"] == [None, {"name": "a", "size": 1}, {"name": "b", "size": 3}]
    assert read["payload"]["items"] == [{"name": None, "size": 2}, {"name": "a", "size": 1}, {"name": "b", "size": 3}]
    assert written["payload"] == {"name": "b", "size": 4}
    check_null(answer, ["batch", "parts", 0, "items", 0, "name"], "name")
    assert sqlite.rows("SELECT size FROM tag ORDER BY size") == [(1,), (2,), (4,)]


def test_a_walk_goes_on_behind_a_null_in_a_key(sqlite: Backend, start: Serve):
    sqlite.run(NULL_KEYS)
    api = start(sqlite)
    query = (
        "query ($after: String) { tags(first: 1, after: $after) { nodes { size } pageInfo { endCursor hasNextPage } } }"
    )
    sizes, after = [], None
    for _ in range(3):
        page = api.query(query, after=after)["tags"]
        sizes += [each["size"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert sizes == [2, 1, 3]
    assert page["pageInfo"]["hasNextPage"] is False


def test_a_json_null_in_a_column_that_takes_no_null_is_an_error_of_its_field(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE doc (id {key}, body {json} NOT NULL, name VARCHAR(5));\nINSERT INTO doc VALUES (1, 'null', 'x')"
    )
    api = start(backend)
    for _ in range(2):
        answer = api.post("{ a: doc(id: 1) { body } b: doc(id: 1) { name } }")
        assert answer["data"] == {"a": None, "b": {"name": "x"}}
        (error,) = answer["errors"]
        assert error["path"] == ["a", "body"]
        assert error["extensions"] == {"code": "UNREADABLE_VALUE"}
        assert "contains null for body" in error["message"]
    assert api.one("UPDATE", "/docs/1", {"body": {}})["payload"]["body"] == {}
    assert api.query("{ doc(id: 1) { body } }") == {"doc": {"body": {}}}


def test_a_label_that_an_enum_has_got_since_the_start_is_an_error_of_its_field(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TYPE mood AS ENUM ('happy');\nCREATE TABLE thing (id {key}, mood mood, moods mood[])")
    api = start(postgresql)
    postgresql.run("ALTER TYPE mood ADD VALUE 'new'")
    postgresql.run("INSERT INTO thing VALUES (1, 'happy', '{happy}'), (2, 'new', '{happy,new}')")
    query = """{ things { nodes { id mood } totalCount aggregate { max { mood } } groupBy(by: [mood]) { keys { mood } aggregate { count } } } }"""
    for _ in range(2):  # both times the ordinary way has to write the errors
        answer = api.post(query)
        assert answer["data"]["things"] == {
            "nodes": [{"id": 1, "mood": "happy"}, {"id": 2, "mood": None}],
            "totalCount": 2,
            "aggregate": {"max": {"mood": None}},
            "groupBy": [
                {"keys": {"mood": "happy"}, "aggregate": {"count": 1}},
                {"keys": {"mood": None}, "aggregate": {"count": 1}},
            ],
        }
        assert [each["path"] for each in answer["errors"]] == [
            ["things", "nodes", 1, "mood"],
            ["things", "aggregate", "max", "mood"],
            ["things", "groupBy", 1, "keys", "mood"],
        ]
        assert {each["extensions"]["code"] for each in answer["errors"]} == {"UNREADABLE_VALUE"}
        assert all("value for mood" in each["message"] for each in answer["errors"])
    (error,) = api.post("{ thing(id: 2) { id moods } }")["errors"]
    assert error["path"] == ["thing", "moods"]


BAD_KEY = """
    CREATE TABLE day (id DATE PRIMARY KEY NOT NULL, number INTEGER UNIQUE, name TEXT);
    INSERT INTO day VALUES ('31.12.2020', 1, 'first');
    CREATE TABLE note (id INTEGER PRIMARY KEY, day_id DATE REFERENCES day (id));
    CREATE TABLE word (id TEXT PRIMARY KEY, number INTEGER UNIQUE, name TEXT);
    INSERT INTO word VALUES (NULL, 1, 'first')"""


def test_an_item_whose_key_cannot_be_read_is_answered_under_the_path_as_sent(sqlite: Backend, start: Serve):
    sqlite.run(BAD_KEY)
    api = start(sqlite)
    parts = [part("new", "CREATE", "/notes", {}), part("day", "GET", "/days/number=1")]
    parts = [*parts, part("word", "GET", "/words/number=1")]

    answer = api.post(LEAN_BATCH, {"parts": parts})

    assert "errors" not in answer
    assert answer["data"]["batch"]["committed"]
    assert [each["path"] for each in answer["data"]["batch"]["parts"]] == [
        "/notes/1",
        "/days/number=1",
        "/words/number=1",
    ]
    assert sqlite.rows("SELECT id FROM note") == [(1,)]


@pytest.mark.parametrize("path", ["/days/number=1", "/words/number=1"])
@pytest.mark.parametrize(
    ("operation", "payload"), [("UPDATE", {"name": "x"}), ("REPLACE", {}), ("UPSERT", {}), ("DELETE", None)]
)
def test_an_item_whose_key_cannot_be_read_cannot_be_written(
    sqlite: Backend, start: Serve, path: str, operation: str, payload: Json
):
    sqlite.run(BAD_KEY)
    before = sqlite.dump()

    result = start(sqlite).one(operation, path, payload)

    assert [(e["code"], e["pointer"], e["attributes"]) for e in result["errors"]] == [
        ("OPERATION_NOT_ALLOWED", "/operation", ["id"])
    ]
    assert "key" in result["errors"][0]["message"]
    assert sqlite.dump() == before


def test_what_points_at_an_item_that_cannot_be_read_is_refused(sqlite: Backend, start: Serve):
    sqlite.run(BAD_KEY)
    before = sqlite.dump()
    read = part("day", "GET", "/days/number=1")

    batch = start(sqlite).batch(
        read,
        part("new", "CREATE", "/notes", references=[{"attribute": "dayId", "part": "day"}]),
        part("again", "GET", "/days/$day"),
        part("below", "CREATE", "/days/number=1/notes", {}),
        part("stale", "UPDATE", "/days/number=1", {"name": "x"}, ifMatch=["old"]),
    )

    assert [
        (each["id"], [(e["code"], e["pointer"], e["attributes"]) for e in each["errors"]]) for each in batch["parts"]
    ] == [
        ("new", [("INVALID_VALUE", "/references/0", ["dayId"])]),
        ("again", [("INVALID_VALUE", "/path", [])]),
        ("below", [("INVALID_VALUE", "/path", ["dayId"])]),
        ("stale", [("PRECONDITION_FAILED", "/ifMatch", [])]),
    ]
    assert sqlite.dump() == before


def test_a_key_that_the_database_makes_against_its_own_type_is_refused(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE thing (id UUID PRIMARY KEY NOT NULL DEFAULT 'nope', name TEXT)")

    result = start(sqlite).one("CREATE", "/things", {"name": "x"})

    assert [error["code"] for error in result["errors"]] == ["REFUSED_BY_DATABASE"]
    assert sqlite.rows("SELECT * FROM thing") == []


def test_what_cannot_be_read_leaves_no_old_state_behind(sqlite: Backend, start: Serve):
    """A statement that is not read to its end keeps its connection in the state of the database that it has seen."""
    sqlite.run("CREATE TABLE word (id INTEGER PRIMARY KEY, name TEXT)")
    sqlite.run("INSERT INTO word VALUES (1, 'one'), (2, CAST(x'ff' AS TEXT)), (3, 'three')")
    api = start(sqlite)
    query = "{ words(first: 5) { nodes { id } } words30: words(first: 30) { nodes { id name } totalCount } }"
    gc.disable()
    try:
        for number in range(4, 8):
            api.post(query)
            api.post(LEAN_BATCH, {"parts": [part("all", "GET", "/words")]})
            sqlite.run(f"INSERT INTO word VALUES ({number}, 'new')")  # by another program

            assert api.post(query)["data"]["words30"]["totalCount"] == number
            assert api.one("UPDATE", f"/words/{number}", {"name": "changed"})["status"] == 200
    finally:
        gc.enable()


def test_tables_and_columns_of_sqlite_whose_names_are_not_utf_8_are_left_out(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE good (id INTEGER PRIMARY KEY, name TEXT);\nCREATE TABLE cafX (id INTEGER PRIMARY KEY);\nCREATE TABLE half (id INTEGER PRIMARY KEY, cafX TEXT, ok TEXT);\nINSERT INTO half VALUES (1, 'a', 'b')"
    )
    connection = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"))
    connection.execute("PRAGMA writable_schema = ON")
    for name in ("cafX", "half"):
        found = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        broken = found.encode().replace(b"cafX", b"caf\xe9")
        connection.execute("UPDATE sqlite_master SET sql = CAST(? AS TEXT) WHERE name = ?", (broken, name))
    connection.execute(
        "UPDATE sqlite_master SET name = CAST(x'636166e9' AS TEXT), tbl_name = CAST(x'636166e9' AS TEXT) WHERE name = 'cafX'"
    )
    connection.commit()
    connection.close()

    api = start(sqlite)

    assert [each["name"] for each in api.query("{ resources { name } }")["resources"]] == ["Good", "Half"]
    assert api.one("UPDATE", "/halves/1", {"ok": "c"})["payload"] == {"id": 1, "ok": "c"}
    notices = api.service.engine.catalog.notices
    assert "The table 'caf\\udce9' is not served because its name is not UTF-8." in notices
    assert "Half: the column 'caf\\udce9' is not served because its name is not UTF-8." in notices
