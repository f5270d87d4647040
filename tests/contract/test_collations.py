"""Relations over keys that the database compares by a collation, or by a type like citext: it says whose child a row is.

SQLite compares as the key does, whatever the pointing column's own collation (https://sqlite.org/foreignkeys.html, section 3).
"""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part

SCRIPT = """
CREATE TABLE tag (name {collated} PRIMARY KEY, size INTEGER);
CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT, tag_id {pointing} REFERENCES tag (name));
INSERT INTO tag VALUES ('Red', 1), ('blue', 2), ('green', 3);
INSERT INTO post VALUES (1, 'a', 'red'), (2, 'b', 'RED'), (3, 'c', 'Blue'), (4, 'd', NULL), (5, 'e', 'Red'), (6, 'f', 'rED')
"""
POSTS = "SELECT id, title, tag_id FROM post ORDER BY id"
NOCASE = "TEXT COLLATE NOCASE"


def of_sqlite(request: pytest.FixtureRequest, pointing: str) -> Backend:
    """SQLite, whose key has a collation."""
    backend: Backend = request.getfixturevalue("sqlite")
    backend.run(SCRIPT.replace("{collated}", NOCASE).replace("{pointing}", pointing))
    return backend


def of_postgresql(request: pytest.FixtureRequest, setup: str, type_: str) -> Backend:
    """Debian's PostgreSQL, which has what that takes."""
    backend: Backend = request.getfixturevalue("debian")
    backend.run(setup)
    backend.run(SCRIPT.replace("{collated}", type_).replace("{pointing}", type_))
    return backend


@pytest.fixture(params=["NOCASE", "NOCASE, both columns", "citext", "ICU"])
def blog(request: pytest.FixtureRequest) -> Backend:
    """Posts whose tags are spelled in several ways."""
    match request.param:
        case "NOCASE":
            return of_sqlite(request, "TEXT")
        case "NOCASE, both columns":
            return of_sqlite(request, NOCASE)
        case "citext":
            return of_postgresql(request, "CREATE EXTENSION citext", "citext")
        case _:
            icu = "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
            return of_postgresql(request, icu, "text COLLATE folded")


@pytest.fixture
def api(blog: Backend, start: Serve) -> Api:
    """The posts, served."""
    return start(blog)


def ids(page: Any) -> list[int]:
    """Take the ids of a page."""
    return [node["id"] for node in page["nodes"]]


@pytest.mark.parametrize("first", [5, 100], ids=["as rows", "as arrays"])
def test_the_one_that_a_row_points_at(api: Api, first: int):
    found = api.query(f"{{ posts(first: {first}) {{ nodes {{ id tagId tag {{ name size }} }} }} }}")
    red, blue = {"name": "Red", "size": 1}, {"name": "blue", "size": 2}
    every = [
        {"id": 1, "tagId": "red", "tag": red},
        {"id": 2, "tagId": "RED", "tag": red},
        {"id": 3, "tagId": "Blue", "tag": blue},
        {"id": 4, "tagId": None, "tag": None},
        {"id": 5, "tagId": "Red", "tag": red},
        {"id": 6, "tagId": "rED", "tag": red},
    ]
    assert found["posts"]["nodes"] == every[:first]


@pytest.mark.parametrize(
    ("arguments", "of_red", "of_blue"),
    [
        ("", [1, 2, 5, 6], [3]),
        ("(first: 1)", [1], [3]),  # fewer than there are: the database numbers them
        ("(first: 3)", [1, 2, 5], [3]),
        ("(last: 2)", [5, 6], [3]),
        ("(orderBy: [{title: DESC}])", [6, 5, 2, 1], [3]),
        ("(filter: {id: {gt: 2}})", [5, 6], [3]),
        ("(first: 2, offset: 1)", [2, 5], []),
    ],
)
def test_the_rows_that_point_at_one(api: Api, arguments: str, of_red: Sequence[int], of_blue: Sequence[int]):
    found = api.query(f"{{ tags {{ nodes {{ name posts{arguments} {{ nodes {{ id }} }} }} }} }}")
    assert {tag["name"]: ids(tag["posts"]) for tag in found["tags"]["nodes"]} == {
        "Red": of_red,
        "blue": of_blue,
        "green": [],
    }


def test_cursors_counts_and_aggregates_of_the_rows_that_point_at_one(api: Api):
    found = api.query("""{ tags { nodes { name posts(first: 2) {
        totalCount pageInfo { hasNextPage endCursor } aggregate { count max { title } } groupBy(by: [title]) { keys { title } } } } } }""")
    pages = {tag["name"]: tag["posts"] for tag in found["tags"]["nodes"]}
    assert {name: page["totalCount"] for name, page in pages.items()} == {"Red": 4, "blue": 1, "green": 0}
    assert [page["pageInfo"]["hasNextPage"] for page in pages.values()] == [name == "Red" for name in pages]
    assert {name: page["aggregate"] for name, page in pages.items()} == {
        "Red": {"count": 4, "max": {"title": "f"}},
        "blue": {"count": 1, "max": {"title": "c"}},
        "green": {"count": 0, "max": {"title": None}},
    }
    groups = {name: [group["keys"]["title"] for group in page["groupBy"]] for name, page in pages.items()}
    assert groups == {"Red": ["a", "b", "e", "f"], "blue": ["c"], "green": []}
    after = pages["Red"]["pageInfo"]["endCursor"]
    rest = api.query(
        'query ($after: String) { tag(name: "RED") { name posts(after: $after) { nodes { id } totalCount } } }',
        after=after,
    )
    assert rest == {"tag": {"name": "Red", "posts": {"nodes": [{"id": 5}, {"id": 6}], "totalCount": 4}}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("posts(filter: {tag: {size: {eq: 1}}})", [1, 2, 5, 6]),
        ("posts(filter: {tagId: {isNull: true}})", [4]),
        ("posts(orderBy: [{tag: {size: DESC}}, {id: DESC}])", [3, 6, 5, 2, 1, 4]),
    ],
)
def test_filters_and_orders_across_the_relation(api: Api, query: str, expected: Sequence[int]):
    found = api.query(f"{{ posts: {query} {{ nodes {{ id }} }} }}")
    assert ids(found["posts"]) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('some: {title: {eq: "b"}}', {"Red"}),
        ('none: {title: {eq: "b"}}', {"blue", "green"}),
        ("some: {}", {"Red", "blue"}),
    ],
)
def test_filters_across_the_relation_to_many(api: Api, condition: str, expected: set[str]):
    found = api.query(f"{{ tags(filter: {{posts: {{{condition}}}}}) {{ nodes {{ name }} }} }}")
    assert {tag["name"] for tag in found["tags"]["nodes"]} == expected


def test_paths_of_queries(api: Api):
    query = "query ($path: ID!) { node(path: $path) { ... on Post { id tag { name } } } }"
    assert api.query(query, path="/tags/red/posts/2") == {"node": {"id": 2, "tag": {"name": "Red"}}}
    assert api.query(query, path="/tags/BLUE/posts/2") == {"node": None}


def test_paths_of_parts(api: Api, blog: Backend):
    done = api.batch(
        part("page", "GET", "/tags/red/posts"),
        part("one", "GET", "/tags/RED/posts/2"),
        part("changed", "UPDATE", "/tags/red/posts/2", {"title": "B"}),
        part("put", "UPSERT", "/tags/red/posts", {"id": 1, "title": "A"}),
        part("gone", "DELETE", "/tags/Red/posts/6"),
    )
    assert done["status"] == "COMMITTED"
    page, one, *_ = done["parts"]
    assert [each["id"] for each in page["payload"]["items"]] == [1, 2, 5, 6]
    assert one["path"] == "/posts/2"
    assert [(row[0], row[1]) for row in blog.rows(POSTS)] == [(1, "A"), (2, "B"), (3, "c"), (4, "d"), (5, "e")]


def test_paths_of_parts_through_another_parent(api: Api, blog: Backend):
    before = blog.dump()
    refused = api.batch(
        part("read", "GET", "/tags/blue/posts/2"),
        part("change", "UPDATE", "/tags/blue/posts/2", {"title": "x"}),
        part("delete", "DELETE", "/tags/green/posts/3"),
        part("put", "UPSERT", "/tags/blue/posts", {"id": 1, "title": "x"}),
    )
    assert faults(refused) == {
        "read": [("NOT_FOUND", "/path")],
        "change": [("NOT_FOUND", "/path")],
        "delete": [("NOT_FOUND", "/path")],
        "put": [("CONFLICT", "/payload/id")],
    }
    assert blog.dump() == before


@pytest.mark.parametrize("operation", ["UPDATE", "REPLACE", "UPSERT"])
def test_what_was_read_below_a_parent_can_be_sent_back_there(api: Api, blog: Backend, operation: str):
    before = blog.rows(POSTS)
    item = {"title": "b", "tagId": "RED"}
    assert api.batch(part("p", operation, "/tags/red/posts/2", item))["status"] == "COMMITTED"
    assert api.batch(part("p", "REPLACE", "/tags/red/posts/2", {"title": "b"}))["status"] == "COMMITTED"
    assert blog.rows(POSTS) == before
    refused = api.batch(part("p", operation, "/tags/red/posts/2", {"title": "b", "tagId": "blue"}))
    assert faults(refused) == {"p": [("INVALID_VALUE", "/payload/tagId")]}


def test_a_composite_key_with_a_part_that_is_compared_so(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE region (country TEXT COLLATE NOCASE, code INTEGER, name TEXT, PRIMARY KEY (country, code));
        CREATE TABLE city (id INTEGER PRIMARY KEY, country TEXT, code INTEGER, FOREIGN KEY (country, code) REFERENCES region);
        INSERT INTO region VALUES ('de', 1, 'Nord'), ('de', 2, 'Süd'), ('AT', 1, 'Wien');
        INSERT INTO city VALUES (1, 'DE', 1), (2, 'De', 2), (3, 'at', 1), (4, 'de', 1), (5, 'de', NULL)""")
    api = start(sqlite)
    found = api.query(
        "{ cities { nodes { id region: regionByCountryAndCode { name } } } regions { nodes { name cities: citiesByCountryAndCode { nodes { id } totalCount } } } }"
    )
    assert [(city["id"], city["region"] and city["region"]["name"]) for city in found["cities"]["nodes"]] == [
        (1, "Nord"),
        (2, "Süd"),
        (3, "Wien"),
        (4, "Nord"),
        (5, None),
    ]
    assert {region["name"]: ids(region["cities"]) for region in found["regions"]["nodes"]} == {
        "Nord": [1, 4],
        "Süd": [2],
        "Wien": [3],
    }


def test_a_table_that_points_at_itself(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE word (name TEXT PRIMARY KEY COLLATE NOCASE, root_id TEXT REFERENCES word (name));
        INSERT INTO word VALUES ('go', NULL), ('goes', 'Go'), ('Going', 'GO')""")
    api = start(sqlite)
    found = api.query('{ word(name: "GO") { words: wordsByRoot { nodes { name root { name } } } } }')
    assert found["word"]["words"]["nodes"] == [
        {"name": "goes", "root": {"name": "go"}},
        {"name": "Going", "root": {"name": "go"}},
    ]
    (result,) = api.batch(part("p", "GET", "/words/go/wordsByRoot"))["parts"]
    assert [each["name"] for each in result["payload"]["items"]] == ["goes", "Going"]


def test_trailing_blanks_that_a_collation_ignores(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE tag (name TEXT PRIMARY KEY COLLATE RTRIM);
        CREATE TABLE post (id INTEGER PRIMARY KEY, tag_id TEXT REFERENCES tag (name));
        INSERT INTO tag VALUES ('red'), ('blue  ');
        INSERT INTO post VALUES (1, 'red  '), (2, 'blue'), (3, 'red')""")
    found = start(sqlite).query(
        "{ tags { nodes { name posts { nodes { id } } } } posts { nodes { id tag { name } } } }"
    )
    assert {tag["name"]: ids(tag["posts"]) for tag in found["tags"]["nodes"]} == {"blue  ": [2], "red": [1, 3]}
    assert [post["tag"]["name"] for post in found["posts"]["nodes"]] == ["red", "blue  ", "red"]


def test_more_spellings_than_one_statement_takes(sqlite: Backend, start: Serve):
    """Each statement takes some thousands of values: the places of later ones are counted on."""
    engine = sqlite.engine()
    sqlite.run("""
        CREATE TABLE tag (name TEXT PRIMARY KEY COLLATE NOCASE);
        CREATE TABLE post (id INTEGER PRIMARY KEY, tag_id TEXT REFERENCES tag (name))""")
    count = 40_000
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO tag VALUES (:name)"), [{"name": f"t{n}"} for n in range(count)])
        connection.execute(
            sa.text("INSERT INTO post VALUES (:id, :name)"), [{"id": n, "name": f"T{n}"} for n in range(count)]
        )
    engine.dispose()
    api = start(sqlite, max_page=count)
    found = api.query(f"{{ posts(first: {count}) {{ nodes {{ id tag {{ name }} }} }} }}")
    assert [post["tag"]["name"] for post in found["posts"]["nodes"]] == [f"t{n}" for n in range(count)]


@pytest.mark.parametrize(("spelling", "expected"), [("RED", [2]), ("red", [1]), ("Red", [5]), ("blue", [])])
def test_the_foreign_key_itself_as_a_filter_below_a_parent(
    sqlite: Backend, start: Serve, spelling: str, expected: Sequence[int]
):
    sqlite.run(SCRIPT.replace("{collated}", NOCASE).replace("{pointing}", "TEXT"))
    page = start(sqlite).one("GET", f"/tags/red/posts?tagId={spelling}")["payload"]
    assert [each["id"] for each in page["items"]] == expected


COLLATIONS = """
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION "of Germany 100%" (provider = icu, locale = 'de');
CREATE EXTENSION citext
"""


@pytest.mark.parametrize(
    ("key", "pointing", "of_red"),
    [
        ('text COLLATE "of Germany 100%"', 'text COLLATE "C"', [1, 5]),
        ("text COLLATE folded", 'text COLLATE "of Germany 100%"', [1, 2, 5]),
        ('text COLLATE "C"', "text COLLATE folded", [1, 5]),
        ("text", "text COLLATE folded", [1, 5]),
        ("text", "citext", [1, 5]),
    ],
)
def test_postgresql_compares_by_the_collation_of_the_key(
    debian: Backend, start: Serve, key: str, pointing: str, of_red: Sequence[int]
):
    debian.run(COLLATIONS)
    others = ", ('RED', 2)" if of_red == [1, 5] else ""
    debian.run(f"""
        CREATE TABLE tag (name {key} PRIMARY KEY, size INTEGER);
        CREATE TABLE post (id INTEGER PRIMARY KEY, title TEXT, tag_id {pointing} REFERENCES tag (name));
        INSERT INTO tag VALUES ('red', 1){others};
        INSERT INTO post VALUES (1, 'a', 'red'), (2, 'b', 'RED'), (4, 'd', NULL), (5, 'e', 'red')""")
    api = start(debian)
    found = api.query("""{
        tag(name: "red") { posts { totalCount nodes { id tag { name } } aggregate { count } } }
        tags(filter: {posts: {some: {title: {eq: "b"}}}}) { nodes { name posts(first: 1) { nodes { id } aggregate { count } } } }
        posts(filter: {tag: {size: {eq: 1}}}, orderBy: [{tag: {size: DESC}}, {id: ASC}]) { nodes { id } } }""")
    assert found["tag"]["posts"] == {
        "totalCount": len(of_red),
        "nodes": [{"id": id_, "tag": {"name": "red"}} for id_ in of_red],
        "aggregate": {"count": len(of_red)},
    }
    (tag,) = found["tags"]["nodes"]
    alone = of_red == [1, 5]
    assert tag == {
        "name": "RED" if alone else "red",
        "posts": {"nodes": [{"id": 2 if alone else 1}], "aggregate": {"count": 1 if alone else 3}},
    }
    assert ids(found["posts"]) == of_red
    every = api.query("{ tags { nodes { name posts(first: 1) { totalCount nodes { id } } } } }")["tags"]["nodes"]
    counted = {each["name"]: (each["posts"]["totalCount"], ids(each["posts"])) for each in every}
    assert counted == {"red": (2, [1]), "RED": (1, [2])} if alone else {"red": (3, [1])}
    page, one = api.batch(part("page", "GET", "/tags/red/posts"), part("one", "GET", "/tags/red/posts/5"))["parts"]
    assert [each["id"] for each in page["payload"]["items"]] == of_red
    assert one["status"] == 200
