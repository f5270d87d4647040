"""Reading (docs/contract.md, section 5): root fields, relations, pages, and how many statements they take."""

import re

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend
from tests.support.transactions import count_statements


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/albums/1", {"__typename": "Album", "path": "/albums/1"}),
        ("/playlistTracks/1,2", {"__typename": "PlaylistTrack", "path": "/playlistTracks/1,2"}),
        ("/artists/1/albums/3", {"__typename": "Album", "path": "/albums/3"}),
        ("/customers/email=zoe%40example.org", {"__typename": "Customer", "path": "/customers/2"}),
        ("/artists/1/albums/2", None),
        ("/albums/99", None),
    ],
)
def test_node_finds_any_item_by_its_path_and_null_where_there_is_none(music: Api, path, found):
    assert music.query("query ($path: ID!) { node(path: $path) { __typename path } }", path=path)["node"] == found


def test_node_gives_the_item_typed_with_the_etag_that_others_give(music: Api):
    query = '{ node(path: "/albums/1") { etag ... on Album { title artist { name } } ... on Track { name } } album(albumId: 1) { etag } }'
    found = music.query(query)
    etag = music.one("GET", "/albums/1")["etag"]
    assert found == {"node": {"etag": etag, "title": "Erste", "artist": {"name": "Nordlicht"}}, "album": {"etag": etag}}


@pytest.mark.parametrize(
    "path", ["albums/1", "/albums", "/albums/07", "/albums/x", "/nothing/1", "/albums/1?limit=1", "", "/albums/$a"]
)
def test_a_wrong_path_is_an_error_of_node_alone(music: Api, path):
    answer = music.post("query ($path: ID!) { node(path: $path) { path } album(albumId: 1) { title } }", {"path": path})

    assert answer["data"] == {"node": None, "album": {"title": "Erste"}}
    (error,) = answer["errors"]
    assert error["path"] == ["node"]
    assert error["extensions"]["code"] == "BAD_REQUEST"


def test_an_item_is_found_by_its_key(music: Api):
    found = music.query("""{
        album(albumId: 2) { title } none: album(albumId: 99) { title }
        playlistTrack(playlistId: 1, trackId: 2) { path track { name } }
        mixed: playlistTrack(trackId: 3, playlistId: 2) { path }
        absent: playlistTrack(playlistId: 2, trackId: 1) { path }
    }""")
    assert found == {
        "album": {"title": "Segunda"},
        "none": None,
        "playlistTrack": {"path": "/playlistTracks/1,2", "track": {"name": "Ende"}},
        "mixed": {"path": "/playlistTracks/2,3"},
        "absent": None,
    }


def test_items_of_other_key_types_are_found(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE big (id BIGINT PRIMARY KEY, name VARCHAR(9));
        CREATE TABLE airport (code VARCHAR(9) PRIMARY KEY);
        CREATE TABLE day (day DATE PRIMARY KEY);
        CREATE TABLE token (token UUID PRIMARY KEY);
        INSERT INTO big VALUES (9007199254740993, 'big');
        INSERT INTO airport VALUES ('a,b/c%');
        INSERT INTO day VALUES ('2026-01-31');
        INSERT INTO token VALUES ('0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c')""")
    found = start(backend).query("""{
        big(id: "9007199254740993") { name path } number: big(id: 9007199254740993) { name }
        airport(code: "a,b/c%") { path } day(day: "2026-01-31") { path }
        token(token: "0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c") { path }
    }""")
    assert found == {
        "big": {"name": "big", "path": "/bigs/9007199254740993"},
        "number": {"name": "big"},
        "airport": {"path": "/airports/a%2Cb%2Fc%25"},
        "day": {"path": "/days/2026-01-31"},
        "token": {"path": "/tokens/0f5b8a5c-7d3e-4f1a-9b2c-3d4e5f6a7b8c"},
    }


def test_a_key_of_the_wrong_form_is_an_error_of_that_field_alone(backend: Backend, start: Serve):
    backend.run("CREATE TABLE day (day DATE PRIMARY KEY);\nINSERT INTO day VALUES ('2026-01-31')")
    answer = start(backend).post('{ wrong: day(day: "31.1.2026") { day } right: day(day: "2026-01-31") { day } }')
    assert answer["data"] == {"wrong": None, "right": {"day": "2026-01-31"}}
    assert [each["path"] for each in answer["errors"]] == [["wrong"]]


def test_relations_are_read_three_levels_deep_both_ways(music: Api):
    found = music.query("""{
        artist(artistId: 1) { albums { totalCount nodes { title artist { name } tracks {
            nodes { name mediaType { name } playlistTracks { nodes { playlist { name } } } }
        } } } }
        track(trackId: 4) { album { title } playlistTracks { totalCount nodes { path } } }
    }""")
    assert found["artist"]["albums"] == {
        "totalCount": 2,
        "nodes": [
            {
                "title": "Erste",
                "artist": {"name": "Nordlicht"},
                "tracks": {
                    "nodes": [
                        {
                            "name": name,
                            "mediaType": {"name": "Audio"},
                            "playlistTracks": {"nodes": [{"playlist": {"name": "Morning"}}]},
                        }
                        for name in ("Anfang", "Ende")
                    ]
                },
            },
            {"title": "Dritte", "artist": {"name": "Nordlicht"}, "tracks": {"nodes": []}},
        ],
    }
    assert found["track"] == {"album": None, "playlistTracks": {"totalCount": 0, "nodes": []}}


def test_aliases_of_one_field_have_arguments_of_their_own(music: Api):
    found = music.query("""{
        artists { nodes {
            one: albums(first: 1) { nodes { title } pageInfo { hasNextPage hasPreviousPage } }
            rest: albums(offset: 1) { nodes { title } totalCount pageInfo { hasNextPage hasPreviousPage } }
        } }
        a: albums(first: 1) { first: nodes { albumId } again: nodes { title artist { name } } }
        b: albums(first: 1, offset: 1) { nodes { albumId } }
    }""")
    first, second, third = found["artists"]["nodes"]
    assert first == {
        "one": {"nodes": [{"title": "Erste"}], "pageInfo": {"hasNextPage": True, "hasPreviousPage": False}},
        "rest": {
            "nodes": [{"title": "Dritte"}],
            "totalCount": 2,
            "pageInfo": {"hasNextPage": False, "hasPreviousPage": True},
        },
    }
    assert second["one"] == {
        "nodes": [{"title": "Segunda"}],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False},
    }
    assert (second["rest"]["nodes"], second["rest"]["totalCount"]) == ([], 1)
    assert (third["one"]["nodes"], third["rest"]["totalCount"]) == ([], 0)
    assert found["a"] == {"first": [{"albumId": 1}], "again": [{"title": "Erste", "artist": {"name": "Nordlicht"}}]}
    assert found["b"] == {"nodes": [{"albumId": 2}]}


def test_fragments_directives_variables_and_typenames_are_followed(music: Api):
    query = """
    query ($id: Int!, $yes: Boolean!, $no: Boolean!, $n: Int = 1) {
      __typename
      album(albumId: $id) { ...Head tracks(first: $n) @include(if: $yes) { __typename nodes { __typename name } } artist @skip(if: $yes) { name } }
      skipped: artists @include(if: $no) { totalCount }
      ... @include(if: $no) { artist(artistId: 1) { name } }
      ... on Query { playlist(playlistId: 1) { ... { name } } }
    }
    fragment Head on Album { title ...Artist }
    fragment Artist on Album { by: artist { ...Name ... on Node { path } } }
    fragment Name on Artist { name }
    """
    assert music.query(query, id=1, yes=True, no=False) == {
        "__typename": "Query",
        "album": {
            "title": "Erste",
            "by": {"name": "Nordlicht", "path": "/artists/1"},
            "tracks": {"__typename": "TrackConnection", "nodes": [{"__typename": "Track", "name": "Anfang"}]},
        },
        "playlist": {"name": "Morning"},
    }


def test_one_relation_selected_in_two_places_is_merged(music: Api):
    query = "{ album(albumId: 1) { artist { name } artist { albums { totalCount } } ... on Album { artist { artistId } } } }"
    assert music.query(query)["album"]["artist"] == {"name": "Nordlicht", "albums": {"totalCount": 2}, "artistId": 1}


@pytest.mark.parametrize(
    ("arguments", "ids", "has_next", "has_previous"),
    [
        ("", [1, 2, 3, 4], False, False),
        ("(first: 2)", [1, 2], True, False),
        ("(first: 4)", [1, 2, 3, 4], False, False),
        ("(first: 2, offset: 2)", [3, 4], False, True),
        ("(first: 1, offset: 1)", [2], True, True),
        ("(offset: 9)", [], False, True),
        ("(first: 0)", [], True, False),
        ("(first: null, offset: null)", [1, 2, 3, 4], False, False),
        ("(first: 1000)", [1, 2, 3, 4], False, False),
    ],
)
def test_a_collection_comes_in_pages_in_the_order_of_its_key(music: Api, arguments, ids, has_next, has_previous):
    query = f"{{ tracks{arguments} {{ totalCount nodes {{ trackId }} pageInfo {{ hasNextPage hasPreviousPage }} }} }}"
    assert music.query(query)["tracks"] == {
        "totalCount": 4,
        "nodes": [{"trackId": each} for each in ids],
        "pageInfo": {"hasNextPage": has_next, "hasPreviousPage": has_previous},
    }


def test_a_page_has_100_items_where_nothing_else_is_asked_for(backend: Backend, start: Serve):
    backend.run(
        f"CREATE TABLE item (id {{key}});\nINSERT INTO item VALUES {', '.join(f'({n})' for n in range(1, 121))}"
    )
    found = start(backend).query("{ items { totalCount pageInfo { hasNextPage } nodes { id } } }")["items"]
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"], len(found["nodes"])) == (120, True, 100)


@pytest.mark.parametrize("arguments", ["first: 1001", "first: -1", "offset: -1", "first: 1, offset: -5"])
@pytest.mark.parametrize("place", ["tracks(%s) { totalCount }", "album(albumId: 1) { tracks(%s) { totalCount } }"])
def test_pages_over_the_limit_are_refused_and_other_root_fields_stay(music: Api, arguments, place):
    answer = music.post(f"{{ bad: {place % arguments} artist(artistId: 1) {{ name }} }}")

    assert answer["data"] == {"bad": None, "artist": {"name": "Nordlicht"}}
    (error,) = answer["errors"]
    assert error["path"][0] == "bad"
    assert error["extensions"]["code"] == "BAD_REQUEST"


def test_the_number_of_statements_depends_on_the_shape_of_a_query_not_on_the_rows(
    music: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
):
    query = """{ artists(first: 500) { totalCount nodes { name albums(first: 20) { totalCount nodes { title artist { name } tracks(first: 20) { nodes {
        name mediaType { name } } } } } } } }"""
    sent = count_statements(monkeypatch)
    few = music.query(query)["artists"]
    with_few, sent[:] = len(sent), []

    backend.run(
        "".join(f"""INSERT INTO "Artist" ("ArtistId", "Name") VALUES ({n}, 'A{n}');\n""" for n in range(100, 160))
        + "".join(
            f"""INSERT INTO "Album" ("AlbumId", "Title", "ArtistId") VALUES ({n}, 'T{n}', {n});\n"""
            for n in range(100, 160)
        )
    )
    many = music.query(query)["artists"]

    assert (few["totalCount"], many["totalCount"]) == (3, 63)
    assert all(each["albums"]["totalCount"] == 1 for each in many["nodes"][3:])
    assert len(sent) == with_few
    assert with_few <= 9, "one for each level and count, and the transaction's own"


def test_a_batch_reads_the_relations_of_its_items_in_as_many_statements_for_many_as_for_few(
    music: Api, monkeypatch: pytest.MonkeyPatch
):
    def read(count: int) -> int:
        sent = count_statements(monkeypatch)
        parts = ", ".join(f'{{ id: "p{n}", path: "/tracks/{n % 4 + 1}", operation: GET }}' for n in range(count))
        found = music.query(
            f"mutation {{ batch(parts: [{parts}]) {{ parts {{ item {{ ... on Track {{ album {{ title artist {{ name }} }} }} }} }} }} }}"
        )
        assert found["batch"]["parts"][0]["item"]["album"] == {"title": "Erste", "artist": {"name": "Nordlicht"}}
        return sum(bool(re.search('FROM ["`]Artist["`]', sql)) for sql in sent)

    assert read(2) == read(40) == 1


def test_items_and_query_of_a_mutation_see_relations_as_the_batch_left_them(music: Api):
    found = music.query("""mutation { batch(parts: [
        { id: "album", path: "/artists/3/albums", operation: CREATE, payload: { title: "Vierte" } }
        { id: "artist", path: "/artists/3", operation: UPDATE, payload: { name: "Neu" } }
        { id: "list", path: "/artists/3/albums", operation: GET }
    ]) {
        parts { item { path ... on Album { title artist { name albums { totalCount } } } } items { ... on Album { title artist { name } } } }
        query { artist(artistId: 3) { name albums { nodes { title } } } albums { totalCount } node(path: "/albums/4") { path } }
    } }""")["batch"]

    assert found["parts"][0]["item"] == {
        "path": "/albums/4",
        "title": "Vierte",
        "artist": {"name": "Neu", "albums": {"totalCount": 1}},
    }
    assert found["parts"][0]["items"] is None
    assert found["parts"][2]["items"] == [{"title": "Vierte", "artist": {"name": "Neu"}}]
    assert found["parts"][2]["item"] is None
    assert found["query"] == {
        "artist": {"name": "Neu", "albums": {"nodes": [{"title": "Vierte"}]}},
        "albums": {"totalCount": 4},
        "node": {"path": "/albums/4"},
    }


def test_a_relation_to_a_unique_key_that_is_not_the_primary_key_is_followed(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE country (id {key}, code VARCHAR(2) NOT NULL, CONSTRAINT one_code UNIQUE (code));
        CREATE TABLE city (id {key}, country_code VARCHAR(2) REFERENCES country (code));
        INSERT INTO country VALUES (7, 'DE');
        INSERT INTO city VALUES (1, 'DE'), (2, NULL)""")
    found = start(backend).query(
        "{ cities { nodes { countryByCountryCode { id citiesByCountryCode { nodes { id } } } } } }"
    )
    assert found["cities"]["nodes"] == [
        {"countryByCountryCode": {"id": 7, "citiesByCountryCode": {"nodes": [{"id": 1}]}}},
        {"countryByCountryCode": None},
    ]


def test_composite_relations_are_followed_and_a_partly_null_key_leads_nowhere(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE flight (airline VARCHAR(2) NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (airline, number));
        CREATE TABLE seat (
          id {key}, airline VARCHAR(2), number INTEGER, FOREIGN KEY (airline, number) REFERENCES flight (airline, number)
        );
        INSERT INTO flight VALUES ('LH', 1), ('LH', 2), ('BA', 1);
        INSERT INTO seat VALUES (1, 'LH', 1), (2, 'BA', 1), (3, 'LH', NULL), (4, 'LH', 1)""")
    found = start(backend).query("""{
        seats { nodes { id flightByAirlineAndNumber { path } } }
        flight(airline: "LH", number: 1) { seatsByAirlineAndNumber { totalCount nodes { id } } }
    }""")
    paths = [each["flightByAirlineAndNumber"] for each in found["seats"]["nodes"]]
    assert paths == [{"path": "/flights/LH,1"}, {"path": "/flights/BA,1"}, None, {"path": "/flights/LH,1"}]
    assert found["flight"]["seatsByAirlineAndNumber"] == {"totalCount": 2, "nodes": [{"id": 1}, {"id": 4}]}
