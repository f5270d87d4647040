"""The setting `format` of dates and times in SQLite: what it takes, who is told of it, and what it does to keys, models and defaults."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import LEAN_BATCH, Api, Backend, faults, part
from tests.support.program import free_port, run_here, serving

LOG = """
CREATE TABLE log (
  id INTEGER PRIMARY KEY, at DATETIME, day DATE, clock TIME, note VARCHAR(20), n INTEGER, told INTEGER
)"""


def with_format(table: str, **columns: Any) -> dict[str, Any]:
    """Settings of columns: a format, or all of it."""
    own = {column: each if isinstance(each, dict) else {"format": each} for column, each in columns.items()}
    return {table: {"attributes": own}}


def toml(folder: Path, table: str, column: str, **values: str) -> None:
    lines = [f"[resources.{table}.attributes.{column}]", *(f'{name} = "{value}"' for name, value in values.items())]
    (folder / "partwise.toml").write_text("\n".join(lines))


# --- what it takes

WRONG = {
    "unknown": (
        "at",
        {"format": "epoch"},
        "The format of log.at cannot be 'epoch'. Use one of iso, unix, unix_ms, mixed.",
    ),
    "no date": (
        "note",
        {"format": "mixed"},
        "The format of log.note cannot be set: the attribute is not a Date, Time or DateTime.",
    ),
    "no date, a number": ("n", {"format": "unix"}, 'Set its type as well, like type = "DateTime".'),
    "a time of day": (
        "clock",
        {"format": "unix"},
        'The format of log.clock cannot be "unix": a Time has no day to count from.',
    ),
    "a text": (
        "note",
        {"format": "unix_ms", "type": "DateTime"},
        'The format of log.note cannot be "unix_ms": a column of type VARCHAR',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_format_that_cannot_be_ends_the_start_with_a_sentence(sqlite: Backend, tmp_path: Path, case: str):
    sqlite.run(LOG)
    column, values, sentence = WRONG[case]
    toml(tmp_path, "log", column, **values)
    done = run_here("check", sqlite.url, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("partwise: ")
    assert sentence in done.stderr


@pytest.mark.parametrize("form", ["iso", "unix", "mixed"])
def test_postgresql_has_no_formats(postgresql: Backend, tmp_path: Path, form: str):
    postgresql.run("CREATE TABLE log (id integer PRIMARY KEY, at timestamp)")
    toml(tmp_path, "log", "at", format=form)
    done = run_here("serve", postgresql.url, "--port", str(free_port()), folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "partwise: The format of log.at cannot be set: only SQLite columns have a format. Remove it.\n"
    )


def test_both_ends_of_a_foreign_key_need_the_same_format(sqlite: Backend, tmp_path: Path):
    sqlite.run(
        "CREATE TABLE slot (at DATETIME PRIMARY KEY);\nCREATE TABLE log (id INTEGER PRIMARY KEY, at DATETIME REFERENCES slot)"
    )
    toml(tmp_path, "log", "at", format="unix")
    done = run_here("check", sqlite.url, folder=tmp_path)
    assert done.returncode == 2
    assert "log.at refers to slot.at: set the same format for both in partwise.toml." in done.stderr


# --- who is told

SPELLED = f"""{LOG};
INSERT INTO log (id, at, day, clock, told) VALUES (1, '1996-07-04 00:00:00.000', '1996-07-04', '08:00:00', 836438400),
  (2, '1996-07-04 00:00:00', '1996-07-04T00:00:00', '08:00', NULL), (3, 836438400, NULL, '08:00:00.000', 'soon');
CREATE TABLE "Own Log" (id INTEGER PRIMARY KEY, "Made At" DATETIME, fine DATETIME, late DATETIME);
INSERT INTO "Own Log" WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 101)
  SELECT n, 836438400000, '1996-07-04 00:00:00.5', '1996-07-04 00:00:00' FROM number;
UPDATE "Own Log" SET fine = '1996-07-04 00:00:00.500000';
UPDATE "Own Log" SET late = '1996-07-04T00:00:00' WHERE id = 101;
CREATE VIEW seen AS SELECT at FROM log"""
AT_LOG = "contains dates or times in another spelling ({}). Filters and orders compare them as they are stored. Set format = {} in [{}]."
NOTES = {
    "OwnLog: madeAt": (
        "numbers",
        '"unix" (seconds) or "unix_ms" (milliseconds)',
        'resources."Own Log".attributes."Made At"',
    ),
    "Log: at": ("numbers and text", '"mixed"', "resources.log.attributes.at"),
    "Log: day": ("text", '"mixed"', "resources.log.attributes.day"),
    "Log: clock": ("text", '"mixed"', "resources.log.attributes.clock"),
    "Seen: at": ("numbers and text", '"mixed"', "resources.seen.attributes.at"),
}


def test_the_operator_is_told_of_columns_in_another_spelling(sqlite: Backend, tmp_path: Path):
    sqlite.run(SPELLED)
    with serving([sqlite.url], tmp_path, port=free_port()):
        said = (tmp_path / "server.log").read_text()
    notes = [line for line in said.splitlines() if "spelling" in line]
    assert sorted(notes) == sorted(f"note: {who} {AT_LOG.format(*rest)}" for who, rest in NOTES.items())
    assert "836438400" not in said


def test_a_format_ends_the_note(sqlite: Backend, start: Serve):
    sqlite.run(SPELLED)
    mixed = dict.fromkeys(("at", "day", "clock"), "mixed")
    settings = {
        **with_format("log", **mixed),
        **with_format("Own Log", **{"Made At": "unix_ms"}),
        **with_format("seen", at="mixed"),
    }
    notices = start(sqlite, resources=settings).service.engine.catalog.notices
    assert not [each for each in notices if "spelling" in each]


def test_check_counts_the_values(sqlite: Backend, tmp_path: Path):
    sqlite.run(SPELLED)
    before = sqlite.dump()
    done = run_here("check", sqlite.url, "--values", folder=tmp_path)
    assert done.returncode == 1  # because of the numbers
    lines = [line.strip().partition(":")[0] for line in done.stdout.splitlines()]
    place = lines.index("Dates and times in another spelling, which filters and orders can miss (set their format)")
    assert lines[1:place] == ["OwnLog.madeAt  101 values", "Log.at  1 value", "Log.told  1 value", "Seen.at  1 value"]
    assert lines[place + 1 :] == [
        *("OwnLog.late  1 value", "OwnLog.madeAt  101 values"),
        *("Log.at  2 values", "Log.clock  2 values", "Log.day  1 value", "Seen.at  2 values"),
    ]
    assert sqlite.dump() == before


def test_spellings_alone_are_no_fault(sqlite: Backend, tmp_path: Path):
    sqlite.run(f"{LOG};\nINSERT INTO log (at) VALUES ('1996-07-04T00:00:00')")
    done = run_here("check", sqlite.url, "--values", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("All values in 1 row can be read.\n")
    assert "  Log.at  1 value\n" in done.stdout


def test_check_says_the_format(sqlite: Backend, tmp_path: Path):
    sqlite.run(LOG)
    toml(tmp_path, "log", "at", format="unix_ms")
    said = run_here("check", sqlite.url, folder=tmp_path).stdout
    assert "DateTime  without a time zone, stored as unix_ms\n" in said


# --- what cannot be read

UNREADABLE = {
    ("DATETIME", "iso", "836438400"): 'format = "unix" or format = "unix_ms"',
    ("DATETIME", "iso", "2450268.5"): "may be a Julian day, which is not supported",
    ("DATETIME", "iso", "'2026'"): 'its format is "iso"',  # NUMERIC affinity makes it a number
    ("DATETIME", "iso", "'1996-07-04 00:00:00.123456789'"): "finer than a microsecond",
    ("DATETIME", "iso", "'4.7.1996'"): 'type = "Any"',
    ("DATETIME", "iso", "'1996-02-30 00:00:00'"): 'type = "Any"',
    ("DATETIME", "mixed", "'2026'"): 'format = "mixed" cannot tell from a year',
    ("DATETIME", "mixed", "20260102"): 'format = "mixed" cannot tell from a year',
    ("DATETIME", "mixed", "2450268.5"): "may be a Julian day, which is not supported",
    ("DATETIME", "mixed", "'1996-07-04T00:00:00.1234567Z'"): "finer than a microsecond",
    ("DATETIME", "mixed", "x'31'"): "not a DateTime",
    ("DATETIME", "unix", "'1996-07-04 00:00:00'"): 'its format is "unix". Its operator can set format = "mixed"',
    ("DATETIME", "unix", "836438400000"): 'in format = "unix"',
    ("DATETIME", "unix", "836438400.1234567"): "to the microsecond",
    ("DATETIME", "unix_ms", "9e999"): 'in format = "unix_ms"',
    ("DATE", "iso", "'1996-07-04 08:00:00'"): 'type = "Any"',
    ("DATE", "mixed", "'1996-07-04T00:00:00+02:00'"): "not a Date",
    ("DATE", "unix", "836438401"): 'not a Date between the years 1 and 9999, to the microsecond, in format = "unix"',
    ("TIME", "iso", "'08:00:00+02:00'"): "not a Time",
    ("TIME", "mixed", "800"): 'in format = "mixed"',
}


@pytest.mark.parametrize(("sql_type", "form", "stored"), UNREADABLE)
def test_what_cannot_be_read_is_an_error_of_its_field_that_helps(
    sqlite: Backend, start: Serve, sql_type: str, form: str, stored: str
):
    sqlite.run(
        f"CREATE TABLE log (id INTEGER PRIMARY KEY, at {sql_type}, n INTEGER);\nINSERT INTO log VALUES (1, {stored}, 5)"
    )
    api = start(sqlite, resources=with_format("log", at=form))
    before = sqlite.dump()
    answer = api.post("{ logs { nodes { id at n } } }")
    assert answer["data"]["logs"]["nodes"] == [{"id": 1, "at": None, "n": 5}]
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "UNREADABLE_VALUE"}
    assert error["path"] == ["logs", "nodes", 0, "at"]
    assert UNREADABLE[sql_type, form, stored] in error["message"]
    assert "at" in error["message"]
    assert "partwise.toml" in error["message"]
    written = api.post(LEAN_BATCH, {"parts": [part("p", "UPDATE", "/logs/1", {"n": 5})]})
    assert written["data"]["batch"]["status"] == "COMMITTED"
    assert sqlite.dump() == before


def test_an_unreadable_value_can_be_replaced(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE log (id INTEGER PRIMARY KEY, at DATETIME);\nINSERT INTO log VALUES (1, '2026'), (2, 836438400)"
    )
    api = start(sqlite)  # the second is the same instant, but no value that could be read
    done = api.batch(*[part(f"p{n}", "UPDATE", f"/logs/{n}", {"at": "1996-07-04T00:00:00"}) for n in (1, 2)])
    assert done["status"] == "COMMITTED"
    assert sqlite.rows("SELECT at FROM log") == [("1996-07-04 00:00:00",)] * 2


# --- zones, and columns that are never null

CALIBRE = """
CREATE TABLE book (id INTEGER PRIMARY KEY, stamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, seen TIMESTAMPTZ);
INSERT INTO book VALUES (1, '2011-09-22 09:29:52+00:00', '2011-09-22 09:29:52+00:00'), (2, '2011-09-22', '2011-09-22'),
  (3, '2011-09-22 11:29:52.000001+02:00', '2011-09-22 11:29:52.000001+02:00')
"""


def test_times_with_and_without_zone_in_one_column_are_all_utc(sqlite: Backend, start: Serve):
    sqlite.run(CALIBRE)
    api = start(sqlite)
    assert api.query("{ books { nodes { id stamp seen } } }")["books"]["nodes"] == [
        {"id": 1, "stamp": "2011-09-22T09:29:52", "seen": "2011-09-22T09:29:52Z"},
        {"id": 2, "stamp": "2011-09-22T00:00:00", "seen": "2011-09-22T00:00:00Z"},
        {"id": 3, "stamp": "2011-09-22T09:29:52.000001", "seen": "2011-09-22T09:29:52.000001Z"},
    ]
    made = api.one("CREATE", "/books", {"seen": "2011-09-22T11:29:52+02:00"})
    (stored,) = sqlite.rows(f"SELECT stamp, seen FROM book WHERE id = {made['payload']['id']}")
    assert made["payload"] == {"id": 4, "stamp": stored[0].replace(" ", "T"), "seen": "2011-09-22T09:29:52Z"}
    assert stored[1] == "2011-09-22 09:29:52"


def test_a_thousand_rows_of_a_column_that_is_never_null_are_read(sqlite: Backend, start: Serve):
    sqlite.run(
        CALIBRE
        + """;
        INSERT INTO book WITH RECURSIVE number (n) AS (SELECT 4 UNION ALL SELECT n + 1 FROM number WHERE n < 1000)
          SELECT n, '2011-09-22 09:29:52+00:00', '2011-09-22T09:29:52Z' FROM number"""
    )
    api = start(sqlite)
    nodes = api.query("{ books(first: 1000) { nodes { stamp seen } } }")["books"]["nodes"]
    assert len(nodes) == 1_000
    assert nodes[3:] == [{"stamp": "2011-09-22T09:29:52", "seen": "2011-09-22T09:29:52Z"}] * 997


# --- keys and relations

KEYED = """
CREATE TABLE slot (at DATETIME PRIMARY KEY, n INTEGER);
CREATE TABLE booking (id INTEGER PRIMARY KEY, at DATETIME REFERENCES slot (at), seen DATETIME UNIQUE)
"""
KEYS = {
    "iso": ["'2026-01-02T08:00:00'", "'2026-01-02T09:00:00.000000'"],
    "unix": ["1767340800", "1767344400"],
    "unix_ms": ["1767340800000", "1767344400000"],
    "mixed": ["'2026-01-02T10:00:00+02:00'", "1767344400"],
}


@pytest.fixture(params=KEYS)
def keyed(request: pytest.FixtureRequest, sqlite: Backend, start: Serve) -> Api:
    """Slots at eight and at nine, and bookings that point at them as they are stored."""
    eight, nine = KEYS[request.param]
    sqlite.run(f"""{KEYED};
        INSERT INTO slot VALUES ({eight}, 1), ({nine}, 2);
        INSERT INTO booking VALUES (1, {eight}, {eight}), (2, {nine}, {nine}), (3, {eight}, NULL)""")
    form = request.param
    return start(sqlite, resources={**with_format("slot", at=form), **with_format("booking", at=form, seen=form)})


def test_keys_are_found_by_their_paths(keyed: Api, sqlite: Backend):
    paths = ["/slots/2026-01-02T08%3A00%3A00", "/slots/2026-01-02T09%3A00%3A00"]
    assert [each["path"] for each in keyed.query("{ slots { nodes { path } } }")["slots"]["nodes"]] == paths
    stored = sqlite.rows("SELECT at, typeof(at) FROM slot")
    for place, path in enumerate(paths, 1):
        assert keyed.query("query ($p: ID!) { node(path: $p) { path } }", p=path) == {"node": {"path": path}}
        assert keyed.one("GET", path)["payload"]["n"] == place
        assert keyed.one("UPDATE", path, {"n": place + 10})["status"] == 200
        assert keyed.one("UPSERT", path, {"n": place + 20})["status"] == 200
        assert keyed.one("REPLACE", path, {"n": place + 30})["status"] == 200
    assert sqlite.rows("SELECT n FROM slot") == [(31,), (32,)]
    assert sqlite.rows("SELECT at, typeof(at) FROM slot") == stored
    taken = keyed.one("CREATE", paths[0], {"n": 9})
    assert [each["code"] for each in taken["errors"]] == ["CONFLICT"]
    assert keyed.one("GET", "/bookings/seen=2026-01-02T09:00")["payload"]["id"] == 2


def test_relations_lead_to_and_from_them(keyed: Api):
    found = keyed.query("""{
      bookings { nodes { id slot: slotByAt { n } } }
      slots { nodes { n bookings: bookingsByAt(orderBy: [{ id: ASC }]) { totalCount nodes { id } aggregate { count max { at } } } } }
      some: slots(filter: { bookingsByAt: { some: { id: { eq: 3 } } } }) { nodes { n } }
    }""")
    assert [(each["id"], each["slot"]["n"]) for each in found["bookings"]["nodes"]] == [(1, 1), (2, 2), (3, 1)]
    children = [
        (each["bookings"]["totalCount"], [b["id"] for b in each["bookings"]["nodes"]])
        for each in found["slots"]["nodes"]
    ]
    assert children == [(2, [1, 3]), (1, [2])]
    assert [each["bookings"]["aggregate"]["max"]["at"] for each in found["slots"]["nodes"]] == [
        "2026-01-02T08:00:00",
        "2026-01-02T09:00:00",
    ]
    assert found["some"]["nodes"] == [{"n": 1}]
    below = keyed.one("GET", "/slots/2026-01-02T08:00/bookingsByAt?orderBy=id")
    assert [each["id"] for each in below["payload"]["items"]] == [1, 3]


def test_a_foreign_key_that_is_written_back_still_points_at_its_target(keyed: Api, sqlite: Backend):
    before = sqlite.dump()
    nodes = keyed.query("{ bookings { nodes { id etag at seen } } }")["bookings"]["nodes"]
    parts = [part(f"p{n['id']}", "UPDATE", f"/bookings/{n['id']}", {"at": n["at"], "seen": n["seen"]}) for n in nodes]
    done = keyed.batch(*parts)
    assert done["status"] == "COMMITTED", done
    assert [each["etag"] for each in done["parts"]] == [each["etag"] for each in nodes]
    assert sqlite.dump() == before


@pytest.mark.parametrize("form", ["iso", "mixed"])
def test_two_keys_that_are_one_instant_are_neither_written_nor_deleted(sqlite: Backend, start: Serve, form: str):
    sqlite.run(
        f"{KEYED};\nINSERT INTO slot VALUES ('2026-01-02T08:00:00', 1), ('2026-01-02 08:00:00', 2), ('2026-01-03', 3)"
    )
    api = start(sqlite, resources={**with_format("slot", at=form), **with_format("booking", at=form)})
    before, path = sqlite.dump(), "/slots/2026-01-02T08:00"
    refused = api.batch(
        part("set", "UPDATE", path, {"n": 9}),
        part("put", "UPSERT", path, {"n": 9}),
        part("gone", "DELETE", path),
        part("fine", "UPDATE", "/slots/2026-01-03T00:00", {"n": 9}),
    )
    assert faults(refused) == {each: [("CONFLICT", "/path")] for each in ("set", "put", "gone")}
    assert sqlite.dump() == before
    answer = api.post('{ slot(at: "2026-01-02T08:00:00") { n } }')
    assert (answer["data"], answer["errors"][0]["extensions"]) == ({"slot": None}, {"code": "CONFLICT"})


def test_children_of_one_instant_in_several_spellings_are_one_parents(sqlite: Backend, start: Serve):
    # No foreign key is held by SQLite here: the other program did not have it checked.
    sqlite.run(f"""PRAGMA foreign_keys = OFF;
        {KEYED};
        INSERT INTO slot VALUES ('2026-01-02T08:00:00', 1);
        INSERT INTO booking (id, at) VALUES (1, '2026-01-02 08:00:00'), (2, '2026-01-02T08:00:00'), (3, 1767340800), (4, '2026-01-02 08:00')""")
    api = start(sqlite, resources={**with_format("slot", at="mixed"), **with_format("booking", at="mixed")})
    query = "{{ slots {{ nodes {{ bookingsByAt(first: {}, orderBy: [{{ id: DESC }}]) {{ totalCount nodes {{ id slotByAt {{ n }} }} }} }} }} }}"
    for first in (2, 100):
        (slot,) = api.query(query.format(first))["slots"]["nodes"]
        assert slot["bookingsByAt"]["totalCount"] == 4
        assert slot["bookingsByAt"]["nodes"] == [{"id": n, "slotByAt": {"n": 1}} for n in (4, 3, 2, 1)[:first]]


def test_keys_of_several_dates_are_found_in_any_spelling(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE span (a DATETIME, b DATETIME, c DATETIME, n INTEGER, PRIMARY KEY (a, b, c));
        INSERT INTO span VALUES ('2026-01-02T08:00:00', '2026-01-02 08:00:00.000', '2026-01-02', 1);
        CREATE TABLE stay (a DATETIME, b DATETIME, n INTEGER, PRIMARY KEY (a, b));
        INSERT INTO stay VALUES ('2026-01-02T08:00:00', '2026-01-02 10:00:00+02:00', 1), ('2026-01-03', 1767340800, 2)""")
    api = start(sqlite, resources=with_format("stay", a="mixed", b="mixed"))
    assert api.one("UPDATE", "/spans/2026-01-02T08:00,2026-01-02T08:00,2026-01-02T00:00", {"n": 2})["status"] == 200
    assert api.one("UPDATE", "/stays/2026-01-02T08:00,2026-01-02T08:00", {"n": 3})["status"] == 200
    assert api.one("DELETE", "/stays/2026-01-03T00:00,2026-01-02T08:00")["status"] == 204
    assert sqlite.rows("SELECT n FROM span UNION ALL SELECT n FROM stay") == [(2,), (3,)]


def test_a_filter_takes_as_many_dates_as_before(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE log (id INTEGER PRIMARY KEY, at DATETIME, told DATETIME);\nINSERT INTO log VALUES (1, '2026-01-02T08:00:00', 1767340800)"
    )
    api = start(sqlite, resources=with_format("log", told="mixed"))
    times = ['"2026-01-02T08:00:00"', *(f'"{1000 + n}-01-02T08:00:00"' for n in range(1_990))]
    for name in ("at", "told"):
        found = api.query(f"{{ logs(filter: {{ {name}: {{ in: [{', '.join(times)}] }} }}) {{ totalCount }} }}")
        assert found == {"logs": {"totalCount": 1}}


# --- models and defaults


def test_a_model_may_have_a_table_with_a_format(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE entry (id INTEGER PRIMARY KEY, written DATETIME NOT NULL, day DATE);
        INSERT INTO entry VALUES (1, 1767340800, '2026-01-02 00:00:00.000')""")
    settings = with_format("entry", written="unix", day="mixed")
    api = start(sqlite, models="tests.support.models_logged", resources=settings)
    assert api.query("{ entries { nodes { id written day } } }")["entries"]["nodes"] == [
        {"id": 1, "written": "2026-01-02T08:00:00Z", "day": "2026-01-02"}
    ]
    before = sqlite.dump()
    assert api.one("UPDATE", "/entries/1", {"written": "2026-01-02T08:00:00Z", "day": "2026-01-02"})["status"] == 200
    assert sqlite.dump() == before
    assert faults(api.batch(part("early", "UPDATE", "/entries/1", {"day": "1999-12-31"}))) == {
        "early": [("INVALID_VALUE", "/payload/day")]
    }
    assert api.one("CREATE", "/entries", {"day": "2026-01-03"})["payload"]["written"] == "2026-01-02T00:00:00Z"
    assert sqlite.rows("SELECT written, day FROM entry WHERE id = 2") == [(1767312000, "2026-01-03")]


def test_a_default_that_is_a_number_is_described_as_its_instant(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE log (
          id INTEGER PRIMARY KEY, at INTEGER NOT NULL DEFAULT 836438400, day INTEGER DEFAULT 0,
          made DATETIME DEFAULT CURRENT_TIMESTAMP, now DATETIME DEFAULT (strftime('%s', 'now')))""")
    numbers = {"type": "DateTime", "format": "unix"}
    api = start(
        sqlite,
        resources=with_format("log", at=numbers, day={"type": "Date", "format": "unix"}, made="unix", now="unix"),
    )
    (described,) = api.query("{ resources { attributes { name type default generated } } }")["resources"]
    assert [(each["name"], each["default"], each["generated"]) for each in described["attributes"]] == [
        ("id", None, True),
        ("at", "1996-07-04T00:00:00", False),
        ("day", "1970-01-01", False),
        ("made", None, True),
        ("now", None, True),
    ]
    notice = 'Log: the default of made is text, which format = "unix" cannot read. Set format = "mixed".'
    assert notice in api.service.engine.catalog.notices
    made = api.one("CREATE", "/logs", {"made": "1996-07-04T00:00:00"})["payload"]
    assert made["at"] == "1996-07-04T00:00:00"
    assert sqlite.rows("SELECT at, made, typeof(now) FROM log") == [(836438400, 836438400, "integer")]
