"""Pages are read as one row of JSON arrays (storage/packed.py): what comes back is what is in the table."""

import pytest

from storage.connections.transaction import Result, Transaction
from tests.conftest import Serve
from tests.support.harness import Backend

TEXTS = [
    "",
    " ",
    "plain",
    'a "quoted" \\ backslash / slash',
    "tab\tline\nreturn\rback\bfeed\f",
    "\x01\x1b\x1f\x7f",
    "</script>",
    "Ünïcödé ✓",
    "\u2028\u2029\u0085\ufeff\ufffd",
    "𝄞 😀 \U0010ffff",
    '[1,null,"x"]',
    "\\u0000 \\n",
    "null",
]  # fmt: skip
TABLE = """
    CREATE TABLE thing (id {key}, words TEXT NOT NULL, maybe TEXT, small SMALLINT, large BIGINT, flag BOOLEAN);
"""
QUERY = "query($first: Int) { things(first: $first) { nodes { id words maybe small large flag } edges { cursor node { etag } } } }"
FEW, MANY = len(TEXTS), 100  # rows that may come: so few are read as they are


@pytest.fixture
def rows_handed_over(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each statement has handed over."""
    counts: list[int] = []
    execute = Transaction.execute

    def count(self: Transaction, *given: object) -> Result:
        result = execute(self, *given)  # type: ignore[arg-type]  # handed on
        counts.append(len(result.rows))
        return result

    monkeypatch.setattr(Transaction, "execute", count)
    return counts


def fill(backend: Backend) -> list[dict[str, object]]:
    """Fill the table; say what it holds."""
    backend.run(TABLE)
    smalls = [None, 0, -1, 32_767, -32_768]
    larges = [None, 0, 2**63 - 1, -(2**63), 2**53 + 1]
    things: list[dict[str, object]] = [
        {
            "id": number,
            "words": text,
            "maybe": None if number % 3 == 0 else text,
            "small": smalls[number % 5],
            "large": larges[number % 5],
            "flag": [None, True, False][number % 3],
        }
        for number, text in enumerate(TEXTS, 1)
    ]
    engine = backend.engine()
    with engine.begin() as connection:
        for thing in things:
            marks = "?, ?, ?, ?, ?, ?" if backend.kind == "sqlite" else "%s, %s, %s, %s, %s, %s"
            connection.exec_driver_sql(f"INSERT INTO thing VALUES ({marks})", tuple(thing.values()))
    engine.dispose()
    return things


def test_a_page_comes_as_one_row_and_is_what_the_table_holds(
    backend: Backend, start: Serve, rows_handed_over: list[int]
):
    things = fill(backend)
    expected = [{**each, "large": None if each["large"] is None else str(each["large"])} for each in things]
    api = start(backend)
    cursors = []
    for first, most_rows in ((FEW, FEW), (MANY, 1)):
        for _ in range(2):  # the ordinary way, and then the fast one
            rows_handed_over.clear()
            found = api.query(QUERY, first=first)["things"]
            assert found["nodes"] == expected
            assert max(rows_handed_over) == most_rows
            cursors.append(found["edges"])
    assert cursors.count(cursors[0]) == len(cursors), "cursors and etags are the same, whichever way they were read"


def test_a_nul_character_of_sqlite(sqlite: Backend, start: Serve, rows_handed_over: list[int]):
    sqlite.run(f"{TABLE}INSERT INTO thing (words) VALUES ('a' || char(0) || 'b')")
    api = start(sqlite)
    rows_handed_over.clear()
    assert api.query("{ things { nodes { words } } }") == {"things": {"nodes": [{"words": "a\x00b"}]}}
    assert max(rows_handed_over) == 1


def test_an_empty_page(backend: Backend, start: Serve):
    backend.run(TABLE)
    assert start(backend).query("{ things(first: 100) { nodes { words } pageInfo { hasNextPage } } }") == {
        "things": {"nodes": [], "pageInfo": {"hasNextPage": False}}
    }


@pytest.mark.parametrize("value", ["x'00ff'", "CAST(x'61ff' AS TEXT)"])
def test_what_json_cannot_hold_is_read_as_it_is_and_the_rest_with_it(sqlite: Backend, start: Serve, value: str):
    sqlite.run(f"{TABLE}INSERT INTO thing (words, maybe) VALUES ('one', 'a'), ('two', {value}), ('three', NULL)")
    answer = start(sqlite).post("{ things(first: 100) { nodes { id maybe words } } }")
    assert answer["data"]["things"]["nodes"] == [
        {"id": 1, "maybe": "a", "words": "one"},
        {"id": 2, "maybe": None, "words": "two"},
        {"id": 3, "maybe": None, "words": "three"},
    ]
    assert [error["path"] for error in answer["errors"]] == [["things", "nodes", 1, "maybe"]]


def test_a_null_where_there_must_be_none(sqlite: Backend, start: Serve):
    """SQLite takes a null as a key that is no integer (https://sqlite.org/lang_createtable.html, section 3.5)."""
    sqlite.run("CREATE TABLE tag (name TEXT PRIMARY KEY, size INTEGER);\nINSERT INTO tag VALUES ('a', 1), (NULL, 2)")
    answer = start(sqlite).post("{ tags(first: 100) { nodes { size } } }")
    assert answer == {"data": {"tags": {"nodes": [{"size": 2}, {"size": 1}]}}}


def test_children_that_the_database_mixes(sqlite: Backend, start: Serve):
    """Parents that differ in case alone to Python are one to the database, which orders their children together."""
    sqlite.run("""
        CREATE TABLE owner (name TEXT PRIMARY KEY);
        CREATE TABLE pet (id INTEGER PRIMARY KEY, owner_name TEXT COLLATE NOCASE REFERENCES owner (name));
        INSERT INTO owner VALUES ('a'), ('A'), ('b');
        INSERT INTO pet VALUES (1, 'a'), (2, 'A'), (3, 'a'), (4, 'b'), (5, 'A'), (6, 'B')""")
    found = start(sqlite).query(
        "{ owners { nodes { name pets: petsByOwnerName(first: 2) { nodes { id } totalCount } } } }"
    )
    assert found == {
        "owners": {
            "nodes": [
                {"name": "A", "pets": {"nodes": [{"id": 2}, {"id": 5}], "totalCount": 2}},
                {"name": "a", "pets": {"nodes": [{"id": 1}, {"id": 3}], "totalCount": 2}},
                {"name": "b", "pets": {"nodes": [{"id": 4}], "totalCount": 1}},
            ]
        }
    }


@pytest.mark.parametrize("first", [FEW, MANY])
def test_an_enum_that_has_a_json_form_of_its_own_is_its_label(postgresql: Backend, start: Serve, first: int):
    postgresql.run("""
        CREATE TYPE mood AS ENUM ('happy', 'sad');
        CREATE FUNCTION shout(mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT to_json(upper($1::text)) $$;
        CREATE CAST (mood AS json) WITH FUNCTION shout(mood);
        CREATE TABLE thing (id {key}, mood mood NOT NULL);
        INSERT INTO thing VALUES (1, 'sad'), (2, 'happy')""")
    found = start(postgresql).query(f"{{ things(first: {first}) {{ nodes {{ mood }} }} }}")
    assert found == {"things": {"nodes": [{"mood": "sad"}, {"mood": "happy"}]}}


ODD_ROWIDS = {
    "a column rowid": "rowid TEXT NOT NULL, name TEXT NOT NULL, id INTEGER PRIMARY KEY)",
    "columns of all three names": "RowId TEXT NOT NULL, name TEXT NOT NULL, _rowid_ INTEGER, oid INTEGER, id INTEGER PRIMARY KEY)",
    "without rowid": "other TEXT, name TEXT NOT NULL, id INTEGER PRIMARY KEY) WITHOUT ROWID",
    "strict": "place TEXT, name TEXT NOT NULL, id INTEGER PRIMARY KEY) STRICT",
    "a text key": "cut INTEGER, name TEXT NOT NULL, id TEXT PRIMARY KEY)",
}


@pytest.mark.parametrize("columns", ODD_ROWIDS.values(), ids=ODD_ROWIDS.keys())
def test_rows_are_found_again_by_whatever_their_number_is_called(sqlite: Backend, start: Serve, columns: str):
    sqlite.run(f"CREATE TABLE thing ({columns}")
    first = columns.split(maxsplit=1)[0]
    rows = [(n, f"{n * 7 % 40:02}") for n in range(1, 41)]
    for n, name in rows:
        sqlite.run(f"INSERT INTO thing (\"{first}\", name, id) VALUES ({n % 3}, '{name}', {n})")
    api = start(sqlite)

    up = api.query("{ things(orderBy: [{name: ASC}], first: 30, offset: 5) { nodes { id name etag } } }")
    down = api.query("{ things(orderBy: [{name: ASC}], last: 30) { nodes { id name etag } } }")

    etags = [each.pop("etag") for page in (up, down) for each in page["things"]["nodes"]]  # made of all columns
    expected = [
        {"id": str(n) if "TEXT PRIMARY" in columns else n, "name": name}
        for n, name in sorted(rows, key=lambda row: row[1])
    ]
    assert all(etags)
    assert up["things"]["nodes"] == expected[5:35]
    assert down["things"]["nodes"] == expected[10:]


def test_pages_of_what_has_no_key_are_in_the_order_of_the_table(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE log (n INTEGER, t TEXT);\nCREATE INDEX log_t ON log (t)")
    for n in range(40):
        sqlite.run(f"INSERT INTO log VALUES ({n}, '{n * 7 % 40:02}')")
    api = start(sqlite)

    pages = [
        api.query(f"{{ logs(first: {first}, offset: {offset}) {{ nodes {{ n t }} }} }}")["logs"]["nodes"]
        for first, offset in ((20, 0), (10, 20), (10, 30))
    ]

    assert [row["n"] for page in pages for row in page] == [*range(40)]


COMPUTED = {
    "of JSON": ("doc -> '$.title')", '"Hello"'),
    "of JSON's null": ("json_quote(NULL))", "null"),
    "stored": ("json_quote('Hello')) STORED", '"Hello"'),
    "plain": ("doc ->> '$.title')", "Hello"),
}


@pytest.mark.parametrize(("expression", "expected"), COMPUTED.values(), ids=COMPUTED.keys())
def test_a_computed_text_that_sqlite_takes_for_json_stays_a_text(
    sqlite: Backend, start: Serve, expression: str, expected: str
):
    """json_group_array would write what such a text says, and not the text."""
    sqlite.run(
        f"CREATE TABLE track (id INTEGER PRIMARY KEY, doc TEXT, title TEXT AS ({expression})"
        ";\nCREATE TABLE play (id INTEGER PRIMARY KEY, track_id INTEGER REFERENCES track (id))"
        ";\nCREATE VIEW heard AS SELECT id, title FROM track"
    )
    for n in range(1, 21):
        sqlite.run(
            f'INSERT INTO track (id, doc) VALUES ({n}, \'{{"title": "Hello"}}\');\nINSERT INTO play VALUES ({n}, {n})'
        )
    api = start(sqlite)

    found = api.query(
        "{ tracks { nodes { title etag } } plays { nodes { track { title } } } heards { nodes { title } } }"
    )
    few = api.query("{ tracks(first: 2) { nodes { title etag } } }")["tracks"]["nodes"]

    assert [each["title"] for each in found["tracks"]["nodes"]] == [expected] * 20
    assert [each["track"]["title"] for each in found["plays"]["nodes"]] == [expected] * 20
    assert [each["title"] for each in found["heards"]["nodes"]] == [expected] * 20
    assert found["tracks"]["nodes"][:2] == few
