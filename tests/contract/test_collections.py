"""GET of a collection as a part (docs/contract.md, section 2, rule 4; section 3)."""

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, part
from tests.support.trying import tried


def ids(api: Api, path: str, key: str = "albumId"):
    return [each[key] for each in api.one("GET", path)["payload"]["items"]]


def test_a_collection_answers_items_and_whether_there_are_more(music: Api):
    found = music.one("GET", "/albums?limit=2&orderBy=albumId")

    assert found["status"] == 200
    assert found["path"] == "/albums?limit=2&orderBy=albumId"
    assert found["payload"] == {
        "items": [
            {"albumId": 1, "title": "Erste", "artistId": 1},
            {"albumId": 2, "title": "Segunda", "artistId": 2},
        ],
        "hasMore": True,
    }
    assert (found["etag"], found["item"], found["preconditionSucceeded"]) == (None, None, None)


PAGES = [
    ("/albums?orderBy=albumId", [1, 2, 3], False),
    ("/albums?orderBy=-albumId", [3, 2, 1], False),
    ("/albums?orderBy=title", [3, 1, 2], False),
    ("/albums?orderBy=artistId,-albumId", [3, 1, 2], False),
    ("/albums?orderBy=-artistId,albumId", [2, 1, 3], False),
    ("/albums?limit=3&orderBy=albumId", [1, 2, 3], False),
    ("/albums?limit=0", [], True),
    ("/albums?limit=1&offset=1&orderBy=albumId", [2], True),
    ("/albums?offset=2&orderBy=albumId", [3], False),
    ("/albums?offset=3", [], False),
    ("/albums?artistId=1&orderBy=albumId", [1, 3], False),
    ("/albums?artistId=1&title=Dritte", [3], False),
    ("/albums?artistId=99", [], False),
    ("/artists/1/albums?orderBy=albumId", [1, 3], False),
    ("/artists/1/albums?title=Erste", [1], False),
    ("/artists/1/albums?artistId=1&limit=1&orderBy=-albumId", [3], True),
    ("/artists/3/albums", [], False),
]


def test_a_collection_takes_limit_offset_order_and_filters(music: Api):
    pages = [(path, music.one("GET", path)["payload"]) for path, _, _ in PAGES]

    assert [(path, [each["albumId"] for each in page["items"]], page["hasMore"]) for path, page in pages] == PAGES


def test_a_filter_for_another_parent_finds_nothing(music: Api):
    said = music.one("GET", "/artists/1/albums?artistId=2")

    assert said["errors"] or said["payload"]["items"] == []  # INVALID_VALUE would be fine, another parent's items never


def test_a_collection_answers_a_hundred_items_where_no_limit_is_given(music: Api):
    music.batch(*(part(str(n), "CREATE", f"/mediaTypes/{n}") for n in range(10, 109)))  # with two that are there: 101

    found = music.one("GET", "/mediaTypes")["payload"]

    assert len(found["items"]) == 100
    assert found["hasMore"] is True


WITHOUT_MEANING = [
    "/albums?limit=1001",
    "/albums?limit=-1",
    "/albums?limit=x",
    "/albums?limit=1&limit=2",
    "/albums?offset=-1",
    "/albums?orderBy=nothing",
    "/albums?nothing=1",
    "/albums?albumId=x",
    "/albums?artistId=01",
    "/albums/1?limit=1",
]


def test_a_query_that_means_nothing_is_an_invalid_path(music: Api):
    found = {path: tried(music, "GET", path) for path in WITHOUT_MEANING}

    assert found == dict.fromkeys(WITHOUT_MEANING, "400 INVALID_PATH /path")


def test_only_get_takes_a_query(music: Api):
    for operation in ("CREATE", "UPSERT", "UPDATE", "DELETE"):
        assert music.one(operation, "/artists?limit=1", None if operation == "DELETE" else {"artistId": 9})["errors"]


def test_items_of_a_collection_are_typed_and_have_relations_as_the_batch_left_them(music: Api):
    answer = music.query(
        """mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status parts {
             item { path }
             items { __typename path etag ... on Album { title artist { name } tracks { totalCount } } }
           } } }""",
        parts=[
            part("list", "GET", "/artists/2/albums"),
            part("rename", "UPDATE", "/artists/2", {"name": "Novo"}),
            part("title", "UPDATE", "/albums/2", {"title": "Later"}),
        ],
    )["batch"]

    assert answer["status"] == "COMMITTED"
    listed, renamed, _ = answer["parts"]
    assert listed["item"] is None
    assert renamed["items"] is None
    (album,) = listed["items"]
    assert album.pop("etag")
    assert album == {
        "__typename": "Album",
        "path": "/albums/2",
        "title": "Segunda",
        "artist": {"name": "Novo"},
        "tracks": {"totalCount": 1},
    }


def test_a_collection_shows_what_earlier_parts_did(music: Api):
    result = music.batch(
        part("make", "CREATE", "/artists/1/albums/9", {"title": "Neu"}),
        part("delete", "DELETE", "/albums/3"),
        part("list", "GET", "/artists/1/albums?orderBy=albumId"),
    )

    assert [each["albumId"] for each in result["parts"][2]["payload"]["items"]] == [1, 9]


def test_filters_and_order_take_nulls_and_text_as_they_are(music: Api):
    assert ids(music, "/artists?name=Os%20G%C3%AAmeos", "artistId") == [2]
    assert ids(music, "/tracks?unitPrice=0.99&orderBy=-trackId", "trackId") == [2, 1]
    assert ids(music, "/artists?orderBy=name", "artistId") == [1, 2, 3]  # nulls last
    assert ids(music, "/artists?orderBy=-name", "artistId") == [2, 1, 3]  # nulls last


def test_null_is_nobody(backend: Backend, start: Serve):
    """A row whose foreign key is partly null points at nothing, even where a parent has the same nulls."""
    backend.run("""
        CREATE TABLE region (id {key}, country VARCHAR(2), code VARCHAR(2), UNIQUE (country, code));
        CREATE TABLE city (id {key}, country VARCHAR(2), code VARCHAR(2), FOREIGN KEY (country, code) REFERENCES region (country, code));
        INSERT INTO region (id, country, code) VALUES (1, NULL, 'X'), (2, 'de', 'X');
        INSERT INTO city (id, country, code) VALUES (10, NULL, 'X'), (20, 'de', 'X')""")
    api = start(backend)
    paths = [f"/regions/{region}/citiesByCountryAndCode{city}" for region in (1, 2) for city in ("", "/10", "/20")]
    found = api.batch(*[part(f"p{n}", "GET", path) for n, path in enumerate(paths) if n in {0, 3, 5}])["parts"]
    assert found[0]["payload"]["items"] == []
    assert [each["id"] for each in found[1]["payload"]["items"]] == [20]
    assert found[2]["payload"]["id"] == 20
    for path in (paths[1], paths[2], paths[4]):
        assert api.one("GET", path)["status"] == 404
        assert api.query("query ($path: ID!) { node(path: $path) { path } }", path=path) == {"node": None}
    assert api.query("{ regions { nodes { cities: citiesByCountryAndCode { nodes { id } } } } }") == {
        "regions": {"nodes": [{"cities": {"nodes": []}}, {"cities": {"nodes": [{"id": 20}]}}]}
    }


def test_an_order_by_what_has_none_is_an_invalid_path(backend: Backend, start: Serve):
    columns = ", address inet, numbers integer[]" if backend.kind == "postgresql" else ""
    backend.run(f"CREATE TABLE thing (id {{key}}, document {{json}}{columns})")
    api = start(backend)

    names = ["document", "address", "numbers"] if columns else ["document"]
    for name in names:
        (error,) = api.one("GET", f"/things?orderBy=id,-{name}")["errors"]
        assert error["code"] == "INVALID_PATH"
        assert error["message"] == f"things cannot be ordered by {name} (at character 19 of the path)."


@pytest.mark.parametrize("narrow", ["smallint", "integer"])
def test_a_parent_with_a_key_that_its_children_cannot_hold_has_none(backend: Backend, start: Serve, narrow: str):
    backend.run(
        f"""CREATE TABLE owner (id BIGINT PRIMARY KEY, region INTEGER NOT NULL, UNIQUE (id, region));
        CREATE TABLE pet (id {{key}}, owner_id {narrow} REFERENCES owner (id));
        CREATE TABLE house (id {{key}}, owner {narrow}, region INTEGER, FOREIGN KEY (owner, region) REFERENCES owner (id, region));
        INSERT INTO owner VALUES (7, 1), (5000000000, 1);
        INSERT INTO pet VALUES (1, 7);
        INSERT INTO house VALUES (1, 7, 1)"""
    )
    api = start(backend)
    houses = "housesByOwnerAndRegion"

    found = {
        path: api.one("GET", path)["payload"]["items"]
        for path in ("/owners/7/pets", "/owners/5000000000/pets", f"/owners/5000000000/{houses}")
    }
    assert found == {
        "/owners/7/pets": [{"id": 1, "ownerId": 7}],
        "/owners/5000000000/pets": [],
        f"/owners/5000000000/{houses}": [],
    }
    below = f"pets {{ totalCount nodes {{ id }} aggregate {{ count }} }} {houses} {{ nodes {{ id }} }}"
    nodes = api.query(f"{{ owners {{ nodes {{ id {below} }} }} }}")["owners"]["nodes"]
    assert [[pet["id"] for pet in each["pets"]["nodes"]] for each in nodes] == [[1], []]
    assert [[house["id"] for house in each[houses]["nodes"]] for each in nodes] == [[1], []]
    assert [each["pets"]["aggregate"]["count"] for each in nodes] == [1, 0]


def test_a_filter_that_only_the_database_can_read_is_named_below_a_parent_too(postgresql: Backend, start: Serve):
    postgresql.run("""CREATE TABLE rack (id {key});
    CREATE TABLE host (id {key}, rack_id INTEGER REFERENCES rack (id), address inet);
    INSERT INTO rack VALUES (1)""")

    (error,) = start(postgresql).one("GET", "/racks/1/hosts?address=nowhere")["errors"]

    assert (error["code"], error["pointer"]) == ("INVALID_VALUE", "/path")
    assert "address" in error["attributes"]
