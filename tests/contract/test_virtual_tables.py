"""SQLite files with virtual tables, and with what this SQLite lacks: modules, tokenizers, functions, collations."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from partwise.settings import SettingsError
from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, part
from tests.support.program import run_here

# What makes an index of each kind, in a file with the table `doc` (id, title), and its shadow tables.
INDEXES: dict[str, tuple[str, Sequence[str]]] = {
    "fts5": (
        "CREATE VIRTUAL TABLE found USING fts5(title); INSERT INTO found VALUES ('Hello'), ('World')",
        ("data", "idx", "content", "docsize", "config"),
    ),
    "fts5 without contents": (
        "CREATE VIRTUAL TABLE found USING fts5(title, content=''); INSERT INTO found (rowid, title) VALUES (1, 'Hello')",
        ("data", "idx", "docsize", "config"),
    ),
    "fts5 of another table's contents": (
        (
            "CREATE VIRTUAL TABLE found USING fts5(title, content='doc', content_rowid='id');"
            "INSERT INTO found (found) VALUES ('rebuild')"
        ),
        ("data", "idx", "docsize", "config"),
    ),
    "fts4": (
        "CREATE VIRTUAL TABLE found USING fts4(title); INSERT INTO found VALUES ('Hello')",
        ("content", "segments", "segdir", "docsize", "stat"),
    ),
    "fts3": (
        "CREATE VIRTUAL TABLE found USING fts3(title); INSERT INTO found VALUES ('Hello')",
        ("content", "segments", "segdir"),
    ),
    "rtree": (
        "CREATE VIRTUAL TABLE found USING rtree(id, x0, x1); INSERT INTO found VALUES (1, 0, 2)",
        ("node", "parent", "rowid"),
    ),
    "rtree of whole numbers": (
        "CREATE VIRTUAL TABLE found USING rtree_i32(id, x0, x1); INSERT INTO found VALUES (1, 0, 2)",
        ("node", "parent", "rowid"),
    ),
}
DOC = "CREATE TABLE doc (id INTEGER PRIMARY KEY, title VARCHAR(40)); INSERT INTO doc VALUES (1, 'Hello'), (2, 'World')"
OPERATIONS = ("GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE")


def make(backend: Backend, *scripts: str, prepare: Callable[[sqlite3.Connection], None] = lambda _: None) -> None:
    """Run scripts on the file; `prepare` may give the connection what an application would have."""
    connection = sqlite3.connect(file_of(backend))
    prepare(connection)
    for script in scripts:
        connection.executescript(script)
    connection.commit()
    connection.close()


def file_of(backend: Backend) -> Path:
    return Path(sa.make_url(backend.url).database or "")


def pretend(name: str, sql: str, kind: str = "table") -> str:
    """Write that a file has a table or view that this SQLite could not have made."""
    text = sql.replace("'", "''")
    return (
        "PRAGMA writable_schema = ON;"
        f"INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('{kind}', '{name}', '{name}', 0, '{text}')"
    )


def notes(api: Api) -> str:
    return "\n".join(api.service.engine.catalog.notices)


def collections(api: Api) -> dict[str, list[str]]:
    found = api.query("{ resources { collection operations } }")["resources"]
    return {each["collection"]: each["operations"] for each in found}


def errors_of(answer: Json) -> set[str]:
    return {error["code"] for each in answer["parts"] for error in each["errors"]}


def integrity(backend: Backend) -> list[tuple[Any, ...]]:
    return backend.rows("PRAGMA integrity_check")


# --- shadow tables


@pytest.mark.parametrize("vacuumed", [False, True], ids=["", "vacuumed"])
@pytest.mark.parametrize("kind", INDEXES)
def test_the_shadow_tables_of_an_index_are_not_served(sqlite: Backend, start: Serve, kind: str, vacuumed: bool):
    script, shadows = INDEXES[kind]
    make(sqlite, DOC, script, *(["VACUUM"] if vacuumed else []))
    there = {name for (name,) in sqlite.rows("SELECT name FROM sqlite_master WHERE name LIKE 'found\\_%' ESCAPE '\\'")}
    assert {f"found_{each}" for each in shadows} <= there
    api = start(sqlite)
    before = sqlite.dump()

    assert collections(api) == {
        "docs": ["GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE"],
        "founds": ["GET"],
    }
    assert all(f"{name}" in notes(api) for name in there)
    assert "part of the virtual table 'found'" in notes(api)
    for name in shadows:
        for operation in OPERATIONS:
            for path in (f"/found{name.title()}s/1", f"/found{name.title()}/1", f"/found_{name}/1"):
                refused = api.batch(part("p", operation, path))
                assert errors_of(refused) == {"UNKNOWN_RESOURCE"}, (operation, path)
    assert sqlite.dump() == before


@pytest.mark.parametrize("kind", INDEXES)
def test_a_virtual_table_can_only_be_read(sqlite: Backend, start: Serve, kind: str):
    make(sqlite, DOC, INDEXES[kind][0])
    api = start(sqlite)
    before = sqlite.dump()
    attribute = "x0" if kind.startswith("rtree") else "title"

    for operation in OPERATIONS[1:]:
        for path in ("/founds", "/founds/1"):
            payload = {} if operation == "DELETE" else {"payload": {attribute: 1 if attribute == "x0" else "1"}}
            refused = api.batch(part("p", operation, path, **payload), part("q", "UPDATE", "/docs/1", {"title": "new"}))
            assert errors_of(refused) <= {"OPERATION_NOT_ALLOWED", "INVALID_PATH"}, (operation, path)
            assert [each["id"] for each in refused["parts"]] == ["p"]
    many = [part(f"p{n}", "CREATE", "/founds", {attribute: 1 if attribute == "x0" else "1"}) for n in range(1_000)]
    assert errors_of(api.batch(*many)) == {"OPERATION_NOT_ALLOWED"}
    assert sqlite.dump() == before
    assert "'found' is a virtual table, so it can only be read." in notes(api)
    assert api.query("{ founds { totalCount nodes { __typename } } }")["founds"]["totalCount"] == {
        "fts5": 2,
        "fts5 of another table's contents": 2,
    }.get(kind, 1)


def test_the_contents_of_an_index_are_found_by_what_is_read_of_them(sqlite: Backend, start: Serve):
    make(sqlite, DOC, INDEXES["rtree"][0], INDEXES["fts5"][0].replace("found", "words"))
    api = start(sqlite)

    ((box,), (word, _)) = [
        api.query(f"{{ {name} {{ nodes {{ {own} }} }} }}")[name]["nodes"]
        for name, own in (("founds", "id x0 x1"), ("words", "title"))
    ]

    assert box["x1"] == 2.0
    assert api.query("{ founds(filter: {x1: {eq: 2.0}, x0: {lt: 1.0}}) { totalCount } }") == {
        "founds": {"totalCount": 1}
    }
    assert word == {"title": "Hello"}
    assert api.query('{ words(filter: {title: {eq: "Hello"}}) { totalCount } }') == {"words": {"totalCount": 1}}


TRIGGERS = """
CREATE TRIGGER added AFTER INSERT ON doc BEGIN INSERT INTO found (rowid, title) VALUES (NEW.id, NEW.title); END;
CREATE TRIGGER removed AFTER DELETE ON doc BEGIN
  INSERT INTO found (found, rowid, title) VALUES ('delete', OLD.id, OLD.title);
END;
CREATE TRIGGER changed AFTER UPDATE ON doc BEGIN
  INSERT INTO found (found, rowid, title) VALUES ('delete', OLD.id, OLD.title);
  INSERT INTO found (rowid, title) VALUES (NEW.id, NEW.title);
END
"""


def test_an_index_that_triggers_keep_follows_every_operation(sqlite: Backend, start: Serve):
    make(sqlite, DOC, INDEXES["fts5 of another table's contents"][0], TRIGGERS)
    api = start(sqlite)

    done = api.batch(
        part("a", "CREATE", "/docs", {"title": "Created"}),
        part("b", "UPDATE", "/docs/1", {"title": "Updated"}),
        part("c", "REPLACE", "/docs/2", {"title": "Replaced"}),
        part("d", "UPSERT", "/docs/9", {"title": "Upserted"}),
        part("e", "DELETE", "/docs/2"),
    )
    bulk = api.batch(*(part(f"p{n}", "CREATE", "/docs", {"title": f"bulk{n}"}) for n in range(1_000)))

    assert (done["status"], bulk["status"]) == ("COMMITTED", "COMMITTED")
    for word, rows in {"created": 1, "updated": 1, "replaced": 0, "upserted": 1, "hello": 0, "bulk999": 1}.items():
        assert len(sqlite.rows(f"SELECT rowid FROM found WHERE found MATCH '{word}'")) == rows, word
    assert sqlite.rows("SELECT count(*) FROM doc") == [(1_003,)]


# --- what cannot be opened

BROKEN: dict[str, tuple[str, str]] = {
    "a module that is unknown": ("CREATE VIRTUAL TABLE found USING vec0(e float[3])", "no such module: vec0"),
    "a module in quotes": ('CREATE VIRTUAL TABLE "found"\nUSING "VirtualElementary"()', "no such module"),
    "a tokenizer of fts5": (
        "CREATE VIRTUAL TABLE found USING fts5(t, tokenize='signal_tokenizer')",
        "no such tokenizer: signal_tokenizer",
    ),
    "a tokenizer of fts4": ("CREATE VIRTUAL TABLE found USING fts4(t, tokenize=icu de_DE)", "unknown tokenizer: icu"),
    "contents that are gone": ("CREATE VIRTUAL TABLE found USING fts4(content='gone')", "no such table: main.gone"),
    "arguments that its module does not take": ("CREATE VIRTUAL TABLE found USING rtree(id)", "Too few columns"),
}
# The rest of such a file: each statement is one that no SQLite refuses to read.
AROUND = """
CREATE TABLE writes (id INTEGER PRIMARY KEY, n INTEGER);
CREATE TABLE points (id INTEGER PRIMARY KEY, at INTEGER REFERENCES found_content (id));
INSERT INTO writes VALUES (1, 1), (2, 2);
CREATE TRIGGER into_it AFTER INSERT ON writes BEGIN INSERT INTO found VALUES (NEW.n); END
"""


@pytest.mark.parametrize("kind", BROKEN)
def test_a_virtual_table_that_cannot_be_opened_is_left_out_and_the_rest_is_served(
    sqlite: Backend, start: Serve, kind: str
):
    sql, why = BROKEN[kind]
    make(
        sqlite,
        DOC,
        AROUND,
        "INSERT INTO doc VALUES (3, 'Third')",
        pretend("found", sql),
        pretend("found_view", "CREATE VIEW found_view AS SELECT * FROM found", "view"),
        pretend("good_view", "CREATE VIEW good_view AS SELECT title FROM doc", "view"),
    )
    api = start(sqlite)

    assert collections(api).keys() == {"docs", "writes", "points", "goodViews"}
    (left_out,) = [each for each in api.service.engine.catalog.notices if each.startswith("Not served: found")]
    assert why in left_out
    assert "found_view" in notes(api)
    assert "Write: INSERT can fail on 'writes'" in notes(api)
    for path in ("/founds", "/foundViews", "/founds/1"):
        assert errors_of(api.batch(part("p", "GET", path))) == {"UNKNOWN_RESOURCE"}
    done = api.batch(
        part("a", "CREATE", "/docs", {"title": "new"}),
        part("b", "UPDATE", "/docs/1", {"title": "changed"}),
        part("d", "DELETE", "/docs/2"),
    )
    assert done["status"] == "COMMITTED"
    bulk = api.batch(*(part(f"p{n}", "CREATE", "/docs", {"title": f"n{n}"}) for n in range(1_000)))
    assert bulk["status"] == "COMMITTED"
    assert api.query("{ docs { totalCount } goodViews { totalCount } }") == {
        "docs": {"totalCount": 1_003},
        "goodViews": {"totalCount": 1_003},
    }


@pytest.mark.parametrize("kind", BROKEN)
def test_what_does_not_run_the_trigger_into_a_broken_table_runs(sqlite: Backend, start: Serve, kind: str):
    make(sqlite, DOC, AROUND, pretend("found", BROKEN[kind][0]))
    api = start(sqlite)

    done = api.batch(part("a", "UPDATE", "/writes/1", {"n": 7}), part("b", "DELETE", "/writes/2"))

    assert done["status"] == "COMMITTED"
    assert sqlite.rows("SELECT id, n FROM writes") == [(1, 7)]


def test_check_schema_and_serve_begin_with_a_file_that_has_a_broken_table(sqlite: Backend, tmp_path: Path):
    make(sqlite, DOC, pretend("found", BROKEN["a module that is unknown"][0]))

    checked, schema = [run_here(each, sqlite.url, folder=tmp_path) for each in ("check", "schema")]

    assert (checked.returncode, schema.returncode) == (0, 0)
    assert "Not served: found (no such module: vec0)." in checked.stdout
    assert "type Doc " in schema.stdout
    assert "Found" not in schema.stdout


def test_a_file_with_nothing_but_a_broken_table_says_why_it_is_not_served(sqlite: Backend, start: Serve):
    make(sqlite, pretend("found", BROKEN["a module that is unknown"][0]))

    with pytest.raises(SettingsError, match="no such module: vec0"):
        start(sqlite)


# --- shadow tables of virtual tables that cannot be opened


def test_shadow_tables_of_a_broken_index_are_not_served_either(sqlite: Backend, start: Serve):
    make(sqlite, DOC, INDEXES["fts5"][0], "CREATE TABLE found_notes (id INTEGER PRIMARY KEY)")
    make(
        sqlite,
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'title', 'title, tokenize=''x''')",
    )
    make(
        sqlite,
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE doc (id INTEGER PRIMARY KEY, title VARCHAR(40))' WHERE name = 'doc'",
    )
    api = start(sqlite)

    assert collections(api).keys() == {"docs", "foundNotes"}
    assert "CREATE" in collections(api)["foundNotes"]  # a table of the user's own, by its name


CHUNKS = "CREATE TABLE found_chunks (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO found_chunks VALUES (1, 1)"


def test_a_table_that_an_unknown_module_may_own_can_only_be_read(sqlite: Backend, start: Serve):
    make(sqlite, DOC, CHUNKS, pretend("found", BROKEN["a module that is unknown"][0]))
    api = start(sqlite)

    for operation in OPERATIONS[1:]:
        refused = api.batch(
            part("p", operation, "/foundChunks/1", **({} if operation == "DELETE" else {"payload": {"n": 2}}))
        )
        assert errors_of(refused) == {"OPERATION_NOT_ALLOWED"}
    assert "may belong to the virtual table 'found'" in notes(api)
    assert api.query("{ foundChunk(id: 1) { n } }") == {"foundChunk": {"n": 1}}


def test_the_operator_can_say_that_it_owns_it_not(sqlite: Backend, start: Serve):
    make(sqlite, DOC, CHUNKS, pretend("found", BROKEN["a module that is unknown"][0]))
    api = start(sqlite, resources={"found_chunks": {"read_only": False}})

    assert api.one("UPDATE", "/foundChunks/1", {"n": 2})["status"] == 200
    assert sqlite.rows("SELECT n FROM found_chunks") == [(2,)]


def test_a_foreign_key_to_a_shadow_table_is_no_relation_and_still_holds(sqlite: Backend, start: Serve):
    make(
        sqlite,
        DOC,
        INDEXES["fts5"][0],
        "CREATE TABLE link (id INTEGER PRIMARY KEY, at INTEGER REFERENCES found_content (id))",
    )
    api = start(sqlite)

    assert "no relation over at" in notes(api)
    assert api.one("CREATE", "/links", {"at": 1})["status"] == 201
    assert errors_of(api.batch(part("p", "CREATE", "/links", {"at": 9}))) == {"MISSING_TARGET"}
    assert sqlite.rows("SELECT at FROM link") == [(1,)]


# --- settings

LEFT_OUT = {
    "found": BROKEN["a module that is unknown"][0],
    "found_view": "CREATE VIEW found_view AS SELECT * FROM found",
}


@pytest.mark.parametrize("table", ["found", "found_view", "words_data"])
def test_settings_for_a_table_that_is_left_out_stop_the_start_unless_they_hide_it(
    sqlite: Backend, start: Serve, table: str
):
    make(
        sqlite,
        DOC,
        INDEXES["fts5"][0].replace("found", "words"),
        pretend("found", LEFT_OUT["found"]),
        pretend("found_view", LEFT_OUT["found_view"], "view"),
    )

    for settings in ({"name": "Own"}, {"read_only": False}, {"hidden": True, "collection": "owns"}):
        with pytest.raises(SettingsError, match=f"settings for the table '{table}', which is not served"):
            start(sqlite, resources={table: settings})
    api = start(sqlite, resources={table: {"hidden": True}})
    assert collections(api).keys() == {"docs", "words"}
    assert f"Not served: {table} " not in notes(api)


def test_a_hidden_virtual_table_leaves_its_shadow_tables_hidden(sqlite: Backend, start: Serve):
    make(sqlite, DOC, INDEXES["fts5"][0])
    assert collections(start(sqlite, resources={"found": {"hidden": True}})).keys() == {"docs"}


# --- functions and collations that this SQLite lacks


def as_an_application(connection: sqlite3.Connection) -> None:
    connection.create_function("own", 1, lambda text: text, deterministic=True)
    connection.create_collation("unicase", lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))


LACKING = """
CREATE TABLE computed (id INTEGER PRIMARY KEY, a TEXT, v TEXT AS (own(a)), s TEXT AS (own(a)) STORED, plain INTEGER AS (id + 1));
INSERT INTO computed (id, a) VALUES (1, 'x');
CREATE TABLE checked (id INTEGER PRIMARY KEY, a TEXT CHECK (own(a) <> ''), b TEXT);
INSERT INTO checked VALUES (1, 'x', 'y');
CREATE TABLE defaulted (id INTEGER PRIMARY KEY, a TEXT DEFAULT (own('x')), b TEXT);
INSERT INTO defaulted VALUES (1, 'x', 'y');
CREATE TABLE sorted (id INTEGER PRIMARY KEY, a TEXT COLLATE unicase, b TEXT);
INSERT INTO sorted VALUES (1, 'b', 'x'), (2, 'B', 'x'), (3, 'a', 'y'), (4, NULL, 'z');
CREATE TABLE deck (name TEXT COLLATE unicase PRIMARY KEY, size INTEGER NOT NULL);
INSERT INTO deck VALUES ('One', 1), ('two', 2);
CREATE TABLE card (id INTEGER PRIMARY KEY, deck TEXT COLLATE unicase REFERENCES deck (name), n INTEGER);
INSERT INTO card VALUES (1, 'One', 5), (2, 'One', 6), (3, 'two', 7), (4, NULL, 8);
CREATE TABLE tag (name TEXT COLLATE unicase PRIMARY KEY, n INTEGER) WITHOUT ROWID;
INSERT INTO tag VALUES ('a', 1);
CREATE TABLE indexed (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
CREATE INDEX by_function ON indexed (own(a)); CREATE INDEX by_collation ON indexed (a COLLATE unicase);
CREATE INDEX of_some ON indexed (b) WHERE own(b) IS NULL;
INSERT INTO indexed VALUES (1, 'x', 'y');
CREATE TABLE sound (id INTEGER PRIMARY KEY, a TEXT);
CREATE VIEW by_own AS SELECT own(a) AS o FROM sorted;
CREATE VIEW by_unicase AS SELECT a FROM checked ORDER BY a COLLATE unicase;
CREATE VIEW plain_view AS SELECT id, a FROM sorted
"""


@pytest.fixture
def lacking(sqlite: Backend, start: Serve) -> Api:
    make(sqlite, LACKING, prepare=as_an_application)
    return start(sqlite)


def test_a_file_that_needs_functions_and_collations_that_we_lack_is_served_but_for_what_needs_them(lacking: Api):
    assert collections(lacking).keys() == {
        *("computeds", "checkeds", "defaulteds", "sorteds", "decks", "cards", "indexeds", "sounds"),
    }
    said = notes(lacking)
    for line in (
        "Not served: by_unicase, plain_view, tag (no such collation sequence: unicase).",
        "Not served: by_own (no such function: own).",
        "Computed: the column 'v' is not served because it cannot be read (unknown function: own()).",
        "Sorted: 'a' is compared by code points",
        "Checked: INSERT and UPDATE can fail on 'checked'",
        "Indexed: INSERT and UPDATE",
        "Deck: INSERT and UPDATE",
    ):
        assert line in said, line
    assert "Sound" not in said


def test_what_remains_of_such_tables_is_read(lacking: Api):
    read = lacking.query("""{ computeds { nodes { id a s plain etag } } checkeds { nodes { id a b } } indexeds { nodes { a b } }
        defaulteds { nodes { a b } } }""")

    assert [{k: v for k, v in each.items() if k != "etag"} for each in read["computeds"]["nodes"]] == [
        {"id": 1, "a": "x", "s": "x", "plain": 2}
    ]
    assert read["checkeds"]["nodes"] == [{"id": 1, "a": "x", "b": "y"}]
    assert read["indexeds"]["nodes"] == read["defaulteds"]["nodes"] == [{"a": "x", "b": "y"}]
    assert lacking.one("GET", "/computeds/1")["payload"] == {"id": 1, "a": "x", "s": "x", "plain": 2}


CONDITIONS = {
    '{a: {eq: "b"}}': [1],
    '{a: {ne: "b"}}': [2, 3],
    '{a: {in: ["b", "a"]}}': [1, 3],
    '{a: {notIn: ["b", "a"]}}': [2],
    '{a: {lt: "a"}}': [2],
    '{a: {gte: "a"}}': [1, 3],
    '{a: {startsWith: "B"}}': [2],
    '{a: {ilike: "b"}}': [1, 2],
    "{a: {isNull: true}}": [4],
    '{not: {a: {eq: "b"}}}': [2, 3],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_text_whose_collation_we_lack_is_compared_by_code_points(lacking: Api, condition: str):
    found = lacking.query(f"{{ sorteds(filter: {condition}) {{ nodes {{ id }} totalCount }} }}")["sorteds"]

    assert sorted(each["id"] for each in found["nodes"]) == CONDITIONS[condition]
    assert found["totalCount"] == len(CONDITIONS[condition])


def test_text_whose_collation_we_lack_is_ordered_grouped_and_paged_by_code_points(lacking: Api):
    said = lacking.query("""{ sorteds(orderBy: [{a: ASC}]) { nodes { id } aggregate { min { a } max { a } }
        groupBy(by: [a]) { keys { a } aggregate { count } } } }""")["sorteds"]

    assert [each["id"] for each in said["nodes"]] == [2, 3, 1, 4]
    assert said["aggregate"] == {"min": {"a": "B"}, "max": {"a": "b"}}
    assert [each["keys"]["a"] for each in said["groupBy"]] == ["B", "a", "b", None]
    seen, cursor = [], None
    for _ in range(4):
        page = lacking.query(
            "query ($after: String) { sorteds(orderBy: [{a: DESC}], first: 1, after: $after) { nodes { id } pageInfo { endCursor } } }",
            after=cursor,
        )["sorteds"]
        seen.append(page["nodes"][0]["id"])
        cursor = page["pageInfo"]["endCursor"]
    assert seen == [1, 3, 2, 4]


def test_items_whose_key_has_a_collation_that_we_lack_are_reached_and_related(lacking: Api, sqlite: Backend):
    read = lacking.query("""{ deck(name: "One") { size cards(orderBy: [{n: DESC}]) { nodes { n deckByDeck { name } } totalCount } }
        none: deck(name: "one") { size } node(path: "/decks/two") { path }
        decks { nodes { name cards { nodes { id } aggregate { sum { n } } } } } cards(filter: {deckByDeck: {size: {eq: 1}}}) { totalCount } }""")

    assert read["deck"]["size"] == 1
    assert [each["n"] for each in read["deck"]["cards"]["nodes"]] == [6, 5]
    assert read["none"] is None
    assert read["node"] == {"path": "/decks/two"}
    assert {each["name"]: [c["id"] for c in each["cards"]["nodes"]] for each in read["decks"]["nodes"]} == {
        "One": [1, 2],
        "two": [3],
    }
    assert read["cards"]["totalCount"] == 2
    assert [each["id"] for each in lacking.one("GET", "/decks/One/cards")["payload"]["items"]] == [1, 2]
    changed = lacking.batch(
        part("a", "UPDATE", "/decks/One", {"size": 9}), part("b", "UPDATE", "/sorteds/1", {"a": "c"})
    )
    assert changed["status"] == "COMMITTED"
    assert sqlite.rows("SELECT size FROM deck WHERE size = 9") == [(9,)]
    bulk = lacking.batch(*(part(f"p{n}", "CREATE", "/sorteds", {"a": f"n{n}"}) for n in range(1_000)))
    assert bulk["status"] == "COMMITTED"


def test_no_index_is_read_whose_collation_we_lack(lacking: Api):
    """SQLite counts rows, and reads columns that an index has, by way of the index."""
    said = lacking.query("""{ decks { totalCount nodes { name } aggregate { count } } indexeds { totalCount nodes { id a } }
        cards(orderBy: [{deckByDeck: {name: DESC}}]) { nodes { id } } }""")

    assert said["decks"] == {"totalCount": 2, "nodes": [{"name": "One"}, {"name": "two"}], "aggregate": {"count": 2}}
    assert said["indexeds"] == {"totalCount": 1, "nodes": [{"id": 1, "a": "x"}]}
    assert [each["id"] for each in said["cards"]["nodes"]] == [3, 1, 2, 4]


def test_a_column_that_cannot_be_read_takes_no_settings_but_to_be_hidden(sqlite: Backend, start: Serve):
    make(sqlite, LACKING, prepare=as_an_application)
    with pytest.raises(SettingsError, match="column 'v' of 'computed' cannot be read"):
        start(sqlite, resources={"computed": {"attributes": {"v": {"name": "own"}}}})

    api = start(sqlite, resources={"computed": {"attributes": {"v": {"hidden": True}}}})
    assert "the column 'v'" not in notes(api)
