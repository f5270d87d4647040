"""What the database does not read is told as what it is: a row that fails, a right, a value, a comparison, a changed table."""

import json
import logging
import sqlite3
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from partwise.describe import describe_values
from partwise.settings import Settings
from tests.conftest import Serve
from tests.support.applications import as_the_application
from tests.support.doors import Doors, body_of
from tests.support.harness import BATCH, Api, Backend, Json, faults, part

VALUE = (
    "BAD_REQUEST",
    "The database does not accept a value in this request for the attribute that it is compared with.",
)
COMPARE = ("BAD_REQUEST", "The database cannot compare, order or group by an attribute")
ROW = ("UNREADABLE_VALUE", "The database cannot compute the requested data of")
RIGHT = ("UNAVAILABLE", "The server's database role lacks a privilege that this request needs.")
EMPTY = ("UNAVAILABLE", "cannot be read because its materialized view has not been populated.")


def told(answer: Json) -> list[tuple[str, str]]:
    return [(error["extensions"]["code"], error["message"]) for error in answer["errors"]]


def check(doors: Doors, query: str, expected: tuple[str, str]) -> None:
    """Ask for something that fails beside something that does not."""
    answer, _ = doors.ask(body_of(f"{{ odd: {query} others {{ totalCount }} }}", {}))
    found = json.loads(answer.body)
    ((code, message),) = told(found)
    assert code == expected[0], (query, message)
    assert expected[1] in message, query
    assert found["errors"][0]["path"] == ["odd"]
    assert found["data"] == {"odd": None, "others": {"totalCount": 1}}, query


VIEWS = """
CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
INSERT INTO other VALUES (1, 0);
CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, x TEXT, ba BIT(3)[]);
INSERT INTO t VALUES (1, 0, 'q', array[b'101']), (2, 5, '7', '{}');
CREATE FUNCTION strict(a integer) RETURNS integer LANGUAGE plpgsql AS
  $$ BEGIN IF a = 0 THEN RAISE EXCEPTION 'secret words' ; END IF ; RETURN a ; END $$;
CREATE FUNCTION gone(a integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT nowhere FROM other) ; END $$;
CREATE VIEW v_division AS SELECT id, 10 / a AS d FROM t;
CREATE VIEW v_cast AS SELECT id, x::integer AS d FROM t;
CREATE VIEW v_rows AS SELECT id, (SELECT id FROM t) AS d FROM t;
CREATE VIEW v_raise AS SELECT id, strict(a) AS d FROM t;
CREATE VIEW v_gone AS SELECT id, gone(a) AS d FROM t;
CREATE VIEW v_constant AS SELECT 1 / (id - id) AS d, id FROM t;
CREATE VIEW v_tenant AS SELECT id, current_setting('app.tenant')::integer AS d FROM t;
CREATE MATERIALIZED VIEW m_empty AS SELECT id, a AS d FROM t WITH NO DATA
"""
FAILING = ["vDivisions", "vCasts", "vRows", "vRaises", "vGones", "vConstants", "vTenants"]


@pytest.fixture
def views(postgresql: Backend, start: Serve) -> tuple[Api, Doors]:
    """Views that fail for one of their rows."""
    postgresql.run(VIEWS)
    api = start(postgresql)
    return api, Doors(api, Settings(database_url=postgresql.url))


def names_of(api: Api) -> dict[str, str]:
    found = api.query("{ resources { collection table: name } }")["resources"]
    return {each["collection"]: each["table"] for each in found}


@pytest.mark.parametrize(
    "asked",
    [
        "{ nodes { d } }",
        "(filter: { d: { eq: 7 } }) { nodes { id } }",
        "(filter: { d: { gt: 0 } }) { totalCount }",
        "(orderBy: [{ d: ASC }]) { nodes { id } }",
        "(orderBy: [{ d: DESC }], first: 1) { nodes { d } totalCount }",
        "{ aggregate { max { d } sum { d } } }",
        "{ groupBy(by: [d]) { keys { d } aggregate { count } } }",
    ],
)
def test_a_view_that_fails_for_a_row_is_told_as_such(
    views: tuple[Api, Doors], caplog: pytest.LogCaptureFixture, asked: str
):
    api, doors = views
    collections = [name for name in names_of(api) if name.startswith("v")]
    assert len(collections) == len(FAILING)
    for collection in collections:
        check(doors, f"{collection}{asked}", ROW)
    lines = [each.getMessage() for each in caplog.records if "row_not_computed" in each.getMessage()]
    assert any("table='v_division'" in line and "state='22012'" in line for line in lines)
    assert "secret" not in caplog.text
    check(doors, f"mEmpties{asked}", EMPTY)


def test_a_page_of_a_view_that_fails_for_a_row_is_the_error_of_its_part(views: tuple[Api, Doors]):
    api, _ = views
    collections = [*(name for name in names_of(api) if name.startswith("v")), "mEmpties"]
    for more in ("", "?d=7", "?orderBy=d"):
        refused = api.batch(
            *(part(name, "GET", f"/{name}{more}") for name in collections),
            part("fine", "UPDATE", "/others/1", {"n": 2}),
            part("bad", "UPDATE", "/others/1", {"n": "x"}),
        )
        refusal = [("REFUSED_BY_DATABASE", "/path")]
        assert faults(refused) == dict.fromkeys(collections, refusal) | {"bad": [("INVALID_VALUE", "/payload/n")]}
        for each in refused["parts"][:-2]:
            assert "cannot compute" in each["errors"][0]["message"]


def test_a_query_of_a_rejected_batch_that_fails_hides_no_part(views: tuple[Api, Doors], postgresql: Backend):
    api, _ = views
    before = postgresql.dump()
    document = BATCH.replace(
        "status committed", "status committed query { vDivisions { nodes { d } } others { totalCount } }"
    )

    refused = api.post(document, {"parts": [part("bad", "UPDATE", "/others/1", {"n": "x"})]})
    good = api.post(document, {"parts": [part("good", "UPDATE", "/others/1", {"n": 5})]})

    assert faults(refused["data"]["batch"]) == {"bad": [("INVALID_VALUE", "/payload/n")]}
    assert refused["data"]["batch"]["query"] == {"vDivisions": None, "others": {"totalCount": 1}}
    assert [(code, error["path"]) for (code, _), error in zip(told(refused), refused["errors"], strict=True)] == [
        ("UNREADABLE_VALUE", ["batch", "query", "vDivisions"])
    ]
    assert good["data"] == {"batch": None}
    assert told(good)[0][0] == "UNREADABLE_VALUE"
    assert postgresql.dump() == before


SOUGHT = """
CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
INSERT INTO other VALUES (1, 0);
CREATE TABLE host (ip INET PRIMARY KEY, doc JSON, x POLYGON, p POINT, kind REGCLASS, ba BIT(3)[], b BIT(3));
INSERT INTO host VALUES ('10.0.0.1', '{}', '((0,0),(1,1))', '(1,1)', 'other', array[b'101'], b'101');
CREATE VIEW seen AS SELECT ip, 7 / 7 AS d FROM host
"""
QUERIES = {
    'hosts(filter: { ip: { eq: "abc" } }) { totalCount }': VALUE,
    'hosts(filter: { ip: { in: ["10.0.0.1", "abc"] } }) { nodes { ip } }': VALUE,
    'hosts(filter: { kind: { eq: "nowhere" } }) { totalCount }': VALUE,
    'seens(filter: { ip: { eq: "abc" } }) { totalCount }': VALUE,
    'host(ip: "abc") { ip }': VALUE,
    'node(path: "/hosts/abc") { path }': VALUE,
    'hosts(filter: { x: { eq: "((0,0),(1,1))" } }) { totalCount }': COMPARE,
    'hosts(filter: { p: { eq: "(1,1)" } }) { totalCount }': COMPARE,
    'hosts(filter: { x: { in: ["((0,0),(1,1))"] } }) { nodes { ip } }': COMPARE,
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_value_that_cannot_be_sought_and_one_that_cannot_be_compared_are_told_apart(
    postgresql: Backend, start: Serve, query: str
):
    postgresql.run(SOUGHT)
    api = start(postgresql)
    check(Doors(api, Settings(database_url=postgresql.url)), query, QUERIES[query])


def test_a_list_of_bits_is_found_by_what_is_read(postgresql: Backend, start: Serve):
    postgresql.run(SOUGHT)
    api = start(postgresql)
    read = api.query("{ hosts { nodes { ba b } } }")["hosts"]["nodes"][0]
    found = api.post(
        "query ($ba: String, $b: String) { hosts(filter: { ba: { eq: $ba }, b: { eq: $b } }) { totalCount } }", read
    )
    assert found == {"data": {"hosts": {"totalCount": 1}}}


# --- rows that fail behind items: row security of PostgreSQL, computed columns of SQLite


@pytest.fixture
def guarded(postgresql: Backend) -> Iterator[Backend]:
    """Rows of which one makes the policy fail."""
    role = f"role_of_{sa.make_url(postgresql.url).database}"  # roles belong to the whole server
    postgresql.run(f"""
        CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO other VALUES (1, 0);
        CREATE TABLE page (id INTEGER PRIMARY KEY, a INTEGER, other_id INTEGER REFERENCES other (id));
        INSERT INTO page VALUES (1, 0, 1), (2, 1, NULL);
        ALTER TABLE page ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON page USING (10 / a > 0);
        CREATE ROLE {role};
        GRANT ALL ON page, other TO {role}""")
    url = sa.make_url(postgresql.url).update_query_dict({"options": f"-c role={role}"})
    yield Backend("postgresql", url.render_as_string(hide_password=False))
    postgresql.run(f"DROP OWNED BY {role};\nDROP ROLE {role}")


@pytest.fixture
def computed(sqlite: Backend) -> Backend:
    """Rows of which one makes a computed column fail."""
    sqlite.run("""
        CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO other VALUES (1, 0);
        CREATE TABLE page (id INTEGER PRIMARY KEY, doc TEXT, other_id INTEGER REFERENCES other (id));
        INSERT INTO page VALUES (1, '{', 1), (2, '{}', NULL);
        ALTER TABLE page ADD COLUMN a TEXT AS (doc -> '$.a')""")
    return sqlite


ITEMS = [
    "pages { nodes { id a } }",
    "page(id: 1) { a }",
    'node(path: "/pages/1") { ... on Page { a } }',
    "others { nodes { pages { nodes { a } } } }",
    "pages { aggregate { max { a } } }",
    "pages { groupBy(by: [a]) { keys { a } aggregate { count } } }",
    "pages(orderBy: [{ a: ASC }]) { nodes { id } }",
]


@pytest.mark.parametrize("query", ITEMS)
@pytest.mark.parametrize("how", ["guarded", "computed"])
def test_a_row_that_fails_is_told_as_such_wherever_it_is_read(
    request: pytest.FixtureRequest, start: Serve, how: str, query: str
):
    backend: Backend = request.getfixturevalue(how)
    api = start(backend)
    check(Doors(api, Settings(database_url=backend.url)), query, ROW)


@pytest.mark.parametrize("groups", [True, False])
@pytest.mark.parametrize("how", ["guarded", "computed"])
def test_a_row_that_fails_is_the_error_of_each_part_that_reads_it(
    request: pytest.FixtureRequest, start: Serve, how: str, groups: bool
):
    backend: Backend = request.getfixturevalue(how)
    api = start(backend, groups=groups)

    refused = api.batch(
        part("page", "GET", "/pages"),
        part("item", "GET", "/pages/1"),
        part("change", "UPDATE", "/pages/1", {"otherId": None}),
        part("remove", "DELETE", "/pages/1"),
        part("child", "GET", "/others/1/pages/1"),
        part("fine", "UPDATE", "/others/1", {"n": 2}),
        part("bad", "UPDATE", "/others/1", {"n": "x"}),
    )

    refusal = [("REFUSED_BY_DATABASE", "/path")]
    names = ["page", "item", "change", "remove", "child"]
    assert faults(refused) == dict.fromkeys(names, refusal) | {"bad": [("INVALID_VALUE", "/payload/n")]}
    assert api.one("GET", "/others/1")["payload"] == {"id": 1, "n": 0}


def test_a_right_to_read_that_is_missing_is_told_to_the_operator(
    guarded: Backend, postgresql: Backend, start: Serve, caplog: pytest.LogCaptureFixture
):
    api = start(guarded)
    role = sa.make_url(guarded.url).query["options"]
    assert isinstance(role, str)
    role = role.removeprefix("-c role=")
    postgresql.run(f"REVOKE SELECT ON page FROM {role}")
    doors = Doors(api, Settings(database_url=guarded.url))

    for query in (*ITEMS, "pages(filter: { a: { eq: 1 } }) { totalCount }"):
        check(doors, query, RIGHT)
    answer = api.post(BATCH, {"parts": [part("p", "GET", "/pages/2")]})

    assert answer["data"] == {"batch": None}
    assert told(answer)[0][0] == "UNAVAILABLE"
    lines = {each.getMessage() for each in caplog.records if "right_missing" in each.getMessage()}
    assert lines
    assert all(f"role='{role}'" in line and "table='page'" in line for line in lines)


def test_a_right_that_the_owner_of_a_view_lacks_is_told_as_a_right(guarded: Backend, postgresql: Backend, start: Serve):
    role = str(sa.make_url(guarded.url).query["options"]).removeprefix("-c role=")
    postgresql.run(
        f"CREATE TABLE hidden (id INTEGER);\nCREATE VIEW shown AS SELECT id FROM hidden;\nGRANT SELECT ON shown TO {role}"
    )
    postgresql.run(f"ALTER VIEW shown OWNER TO {role}")
    api = start(guarded)
    check(Doors(api, Settings(database_url=guarded.url)), "showns { nodes { id } }", RIGHT)


# --- SQLite: functions and collations of the application


def test_text_whose_collation_only_the_application_has_is_compared_by_code_points(
    sqlite: Backend, start: Serve, caplog: pytest.LogCaptureFixture
):
    as_the_application(
        sqlite,
        "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT COLLATE unicase, n INTEGER);"
        "INSERT INTO book VALUES (1, 'a', 1), (2, 'B', 2);"
        "CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO other VALUES (1, 0);",
    )
    api = start(sqlite)

    ordered = api.query("{ books(orderBy: [{ title: ASC }]) { nodes { id } aggregate { max { title } } } }")["books"]
    found = api.query('{ books(filter: { title: { in: ["A", "B"] } }) { nodes { id } } }')["books"]
    grouped = api.query("{ books { groupBy(by: [title]) { keys { title } } } }")["books"]
    refused = api.batch(
        part("sought", "GET", "/books?title=a"),
        part("ordered", "GET", "/books?orderBy=title"),
        part("bad", "UPDATE", "/others/1", {"n": "x"}),
    )

    assert ordered == {"nodes": [{"id": 2}, {"id": 1}], "aggregate": {"max": {"title": "a"}}}
    assert found == {"nodes": [{"id": 2}]}
    assert [each["keys"]["title"] for each in grouped["groupBy"]] == ["B", "a"]
    assert faults(refused) == {"bad": [("INVALID_VALUE", "/payload/n")]}
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_a_view_of_sqlite_that_fails_for_a_row_is_told_as_such(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO other VALUES (1, 0);
        CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT);
        INSERT INTO doc VALUES (1, '{"d": 1}'), (2, '{');
        CREATE VIEW field AS SELECT id, body ->> '$.d' AS d FROM doc;
        CREATE VIEW largest AS SELECT id, abs(-9223372036854775807 - id) AS d FROM doc""")
    api = start(sqlite)
    doors = Doors(api, Settings(database_url=sqlite.url))
    for collection in ("fields", "largests"):
        check(doors, f"{collection} {{ nodes {{ id d }} }}", ROW)
        refused = api.batch(part("p", "GET", f"/{collection}"), part("bad", "UPDATE", "/others/1", {"n": "x"}))
        assert faults(refused) == {"p": [("REFUSED_BY_DATABASE", "/path")], "bad": [("INVALID_VALUE", "/payload/n")]}
    assert sqlite3.sqlite_version_info >= (3, 38), "-> is known"


def test_check_says_which_views_cannot_be_read(views: tuple[Api, Doors]):
    api, _ = views
    said, is_bad = describe_values(api.service.engine)
    assert is_bad
    assert [line.split()[0] for line in said.splitlines() if "cannot compute" in line] == [
        each["name"] for each in api.query("{ resources { name } }")["resources"] if each["name"].startswith("V")
    ]
    assert "mEmpties cannot be read because its materialized view" in said
