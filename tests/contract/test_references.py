"""References to the items of earlier parts, in paths and in attributes (docs/contract.md, sections 2 and 3)."""

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part
from tests.support.trying import tried_all


def to(attribute, id_):
    return {"attribute": attribute, "part": id_}


# A composite key, a foreign key to a unique attribute that is no key, and a resource that points at itself.
ATLAS = """
CREATE TABLE regions (country VARCHAR(2) NOT NULL, code INTEGER NOT NULL, name VARCHAR(20), PRIMARY KEY (country, code));
CREATE TABLE users (id {key}, handle VARCHAR(20), CONSTRAINT one_handle UNIQUE (handle));
CREATE TABLE cities (
  id {key}, name VARCHAR(20) NOT NULL, country VARCHAR(2), code INTEGER, mayor VARCHAR(20), twin_id INTEGER,
  FOREIGN KEY (country, code) REFERENCES regions (country, code),
  FOREIGN KEY (mayor) REFERENCES users (handle),
  FOREIGN KEY (twin_id) REFERENCES cities (id)
);
INSERT INTO regions (country, code, name) VALUES ('de', 1, 'Nord');
INSERT INTO users (id, handle) VALUES (1, 'ada')
"""


@pytest.fixture
def atlas(backend: Backend, start: Serve) -> Api:
    backend.run(ATLAS)
    return start(backend)


def test_a_path_goes_below_an_item_that_an_earlier_part_made_or_addressed(music: Api):
    result = music.batch(
        part("made", "CREATE", "/artists", {"name": "Neu"}),
        part("1", "CREATE", "/artists/$made/albums", {"title": "A"}),
        part("read", "GET", "/artists/1"),
        part("2", "CREATE", "/artists/$read/albums", {"title": "B"}),
        part("same", "GET", "/artists/2", ifNoneMatch=None),
        part("3", "CREATE", "/artists/$same/albums", {"title": "C"}),
        part("updated", "UPDATE", "/artists/$read", {"name": "Renamed"}),
        part("upserted", "UPSERT", "/artists/$updated", {"name": "Again"}),
        part("replaced", "REPLACE", "/artists/$upserted"),
        part("4", "CREATE", "/artists/$replaced/albums", {"title": "D"}),
        part("album", "GET", "/artists/$made/albums/$1"),
        part("gone", "DELETE", "/albums/$1"),
        part("list", "GET", "/artists/$made/albums"),
    )

    by_id = {each["id"]: each for each in result["parts"]}
    assert result["status"] == "COMMITTED"
    assert [by_id[n]["payload"]["artistId"] for n in "1234"] == [4, 1, 2, 1]
    assert by_id["same"]["status"] == 304
    assert {by_id[id_]["path"] for id_ in ("updated", "upserted", "replaced")} == {"/artists/1"}
    assert by_id["album"]["path"] == by_id["gone"]["path"] == by_id["1"]["path"]
    assert by_id["list"]["payload"] == {"items": [], "hasMore": False}


def test_a_part_id_in_a_path_is_percent_encoded(music: Api):
    result = music.batch(
        part("a/b c$ü", "GET", "/artists/1"), part("p", "GET", "/artists/$a%2Fb%20c%24%C3%BC/albums?orderBy=albumId")
    )

    assert [each["albumId"] for each in result["parts"][1]["payload"]["items"]] == [1, 3]


def test_an_attribute_takes_the_key_of_an_earlier_item(music: Api, backend: Backend):
    result = music.batch(
        part("boss", "CREATE", "/employees", {"lastName": "Boss"}),
        part("rep", "CREATE", "/employees", {"lastName": "Rep"}, references=[to("reportsTo", "boss")]),
        part(
            "customer",
            "CREATE",
            "/customers",
            {"firstName": "C", "email": "c@example.org"},
            references=[to("supportRep", "rep")],
        ),
        part("moved", "UPDATE", "/employees/3", references=[to("employeeByReportsTo", "boss")]),
        part("artist", "GET", "/artists/2"),
        part("album", "REPLACE", "/albums/1", {"title": "T"}, references=[to("artistId", "artist")]),
    )

    assert result["status"] == "COMMITTED"
    assert backend.rows('SELECT "LastName", "ReportsTo" FROM "Employee" WHERE "EmployeeId" >= 3 ORDER BY 1') == [
        ("Boss", None),
        ("Clark", 4),
        ("Rep", 4),
    ]
    assert backend.rows('SELECT "SupportRepId" FROM "Customer" WHERE "CustomerId" = 3') == [(5,)]
    assert backend.rows('SELECT "Title", "ArtistId" FROM "Album" WHERE "AlbumId" = 1') == [("T", 2)]


def test_a_reference_fills_attributes_of_the_key(music: Api):
    references = [to("playlist", "list"), to("trackId", "track")]
    result = music.batch(
        part("list", "CREATE", "/playlists", {"name": "Neu"}),
        part("track", "GET", "/tracks/4"),
        part("made", "CREATE", "/playlistTracks", references=references),
        part("there", "UPSERT", "/playlistTracks", references=references),
        part("new", "UPSERT", "/playlistTracks", {"trackId": 1}, references=references[:1]),
        part("below", "CREATE", "/playlists/$list/playlistTracks", {"trackId": 2}),
    )

    assert [(each["status"], each["path"]) for each in result["parts"][2:]] == [
        (201, "/playlistTracks/3,4"),
        (200, "/playlistTracks/3,4"),
        (201, "/playlistTracks/3,1"),
        (201, "/playlistTracks/3,2"),
    ]


def test_a_relation_sets_all_columns_of_a_composite_key(atlas: Api, backend: Backend):
    result = atlas.batch(
        part("region", "CREATE", "/regions", {"country": "at", "code": 7}),
        part("city", "CREATE", "/cities", {"name": "Graz"}, references=[to("regionByCountryAndCode", "region")]),
        part("old", "GET", "/regions/de,1"),
        part("below", "CREATE", "/regions/$old/citiesByCountryAndCode", {"name": "Kiel"}),
        part("one", "CREATE", "/cities", {"name": "Linz", "code": 7}, references=[to("country", "region")]),
        part("moved", "UPDATE", "/cities/$below", references=[to("regionByCountryAndCode", "region")]),
    )

    assert result["status"] == "COMMITTED"
    assert result["parts"][3]["payload"]["country"] == "de"
    assert backend.rows("SELECT name, country, code FROM cities ORDER BY name") == [
        ("Graz", "at", 7),
        ("Kiel", "at", 7),
        ("Linz", "at", 7),
    ]


def test_a_reference_takes_the_attribute_that_its_foreign_key_points_at(atlas: Api, backend: Backend):
    result = atlas.batch(
        part("user", "CREATE", "/users", {"id": 9, "handle": "bob"}),
        part("renamed", "UPDATE", "/users/1", {"handle": "ada2"}),
        part("a", "CREATE", "/cities", {"name": "A"}, references=[to("mayor", "user")]),
        part("b", "CREATE", "/cities", {"name": "B"}, references=[to("userByMayor", "renamed")]),
        part("c", "CREATE", "/cities", {"name": "C"}, references=[to("twin", "a"), to("mayor", "user")]),
    )

    assert result["status"] == "COMMITTED"
    assert backend.rows("SELECT name, mayor FROM cities ORDER BY name") == [("A", "bob"), ("B", "ada2"), ("C", "bob")]


def test_a_reference_takes_the_item_as_the_part_left_it(atlas: Api):
    result = atlas.batch(
        part("before", "GET", "/users/1"),
        part("after", "UPDATE", "/users/1", {"handle": "new"}),
        part("a", "CREATE", "/cities", {"name": "A"}, references=[to("mayor", "after")]),
    )

    assert result["parts"][2]["payload"]["mayor"] == "new"


ALBUM = {"title": "T"}
NAMED = [
    ("unknown part in a path", [part("p", "GET", "/artists/$nobody")], {"p": "INVALID_REFERENCE /path"}),
    (
        "unknown part in an attribute",
        [part("p", "CREATE", "/albums", ALBUM, references=[to("artistId", "nobody")])],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    ("itself in a path", [part("p", "GET", "/artists/$p")], {"p": "INVALID_REFERENCE /path"}),
    (
        "itself in an attribute",
        [part("p", "CREATE", "/employees", {"lastName": "L"}, references=[to("reportsTo", "p")])],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "a later part in a path",
        [part("p", "CREATE", "/artists/$q/albums", ALBUM), part("q", "GET", "/artists/1")],
        {"p": "INVALID_REFERENCE /path"},
    ),
    (
        "a later part in an attribute",
        [part("p", "CREATE", "/albums", ALBUM, references=[to("artist", "q")]), part("q", "GET", "/artists/1")],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "an item of another resource in a path",
        [part("q", "GET", "/albums/1"), part("p", "GET", "/artists/$q")],
        {"p": "INVALID_REFERENCE /path"},
    ),
    (
        "an item of another resource in an attribute",
        [part("q", "GET", "/albums/1"), part("p", "UPDATE", "/albums/2", references=[to("artistId", "q")])],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "a deleted item in a path",
        [part("q", "DELETE", "/artists/3"), part("p", "GET", "/artists/$q")],
        {"p": "INVALID_REFERENCE /path"},
    ),
    (
        "a deleted item in an attribute",
        [part("q", "DELETE", "/artists/3"), part("p", "UPDATE", "/albums/2", references=[to("artist", "q")])],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "a collection in a path",
        [part("q", "GET", "/artists"), part("p", "GET", "/artists/$q/albums")],
        {"p": "INVALID_REFERENCE /path"},
    ),
    (
        "a collection in an attribute",
        [part("q", "GET", "/artists"), part("p", "UPDATE", "/albums/2", references=[to("artist", "q")])],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "an attribute that points at nothing",
        [part("q", "GET", "/artists/1"), part("p", "UPDATE", "/albums/2", references=[to("title", "q")])],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "a relation to many",
        [part("q", "GET", "/albums/1"), part("p", "UPDATE", "/artists/2", references=[to("albums", "q")])],
        {"p": "UNKNOWN_ATTRIBUTE /references/0"},
    ),
    (
        "an attribute that does not exist",
        [part("q", "GET", "/artists/1"), part("p", "UPDATE", "/albums/2", references=[to("artistt", "q")])],
        {"p": "UNKNOWN_ATTRIBUTE /references/0"},
    ),
    (
        "several of one part",
        [
            part(
                "p",
                "CREATE",
                "/playlistTracks",
                references=[to("playlist", "no"), to("track", "p"), to("no", "p")],
            )
        ],
        {"p": "INVALID_REFERENCE /references/0 + INVALID_REFERENCE /references/1 + UNKNOWN_ATTRIBUTE /references/2"},
    ),
    (
        "beside a value of the same attribute",
        [
            part("q", "GET", "/artists/1"),
            part("p", "UPDATE", "/albums/2", {"artistId": 1}, references=[to("artistId", "q")]),
        ],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "beside a null for the same attribute",
        [
            part("q", "GET", "/employees/1"),
            part("p", "UPDATE", "/employees/2", {"reportsTo": None}, references=[to("employeeByReportsTo", "q")]),
        ],
        {"p": "INVALID_REFERENCE /references/0"},
    ),
    (
        "twice for one attribute",
        [
            part("q", "GET", "/artists/1"),
            part("p", "UPDATE", "/albums/2", references=[to("artistId", "q"), to("artist", "q")]),
        ],
        {"p": "INVALID_REFERENCE /references/1"},
    ),
    (
        "with a GET",
        [part("q", "GET", "/artists/1"), part("p", "GET", "/albums/2", references=[to("artistId", "q")])],
        {"p": "INVALID_PAYLOAD /references"},
    ),
    (
        "with a DELETE",
        [part("q", "GET", "/artists/1"), part("p", "DELETE", "/albums/3", references=[to("artistId", "q")])],
        {"p": "INVALID_PAYLOAD /references"},
    ),
    (
        "another parent than the path's",
        [
            part("q", "GET", "/artists/2"),
            part("p", "CREATE", "/artists/1/albums", ALBUM, references=[to("artist", "q")]),
        ],
        {"p": "INVALID_VALUE /references/0"},
    ),
    (
        "the path's own parent",
        [
            part("q", "GET", "/artists/1"),
            part("p", "CREATE", "/artists/1/albums", ALBUM, references=[to("artist", "q")]),
        ],
        {},
    ),
    (
        "another key than the item's own",
        [part("q", "GET", "/tracks/3"), part("p", "UPDATE", "/playlistTracks/1,1", references=[to("track", "q")])],
        {"p": "READ_ONLY /references/0"},
    ),
    (
        "the item's own key",
        [part("q", "GET", "/tracks/1"), part("p", "UPDATE", "/playlistTracks/1,1", references=[to("track", "q")])],
        {},
    ),
    ("an empty list of references", [part("p", "UPDATE", "/albums/2", references=[])], {}),
]


def test_what_a_reference_may_name(music: Api, backend: Backend):
    before = backend.dump()

    found = {name: tried_all(music, *parts) for name, parts, _ in NAMED}

    assert found == {name: said for name, _, said in NAMED}
    assert backend.dump() == before


def test_a_composite_reference_beside_one_of_its_values_is_given_twice(atlas: Api):
    said = tried_all(
        atlas,
        part("q", "GET", "/regions/de,1"),
        part("p", "CREATE", "/cities", {"name": "A", "code": 1}, references=[to("regionByCountryAndCode", "q")]),
    )

    assert said == {"p": "INVALID_REFERENCE /references/0"}


def test_a_reference_fault_names_its_attribute_and_comes_after_the_payloads(music: Api):
    result = music.batch(
        part("q", "GET", "/artists/1"),
        part("p", "UPDATE", "/albums/2", {"title": 5, "nothing": 1}, references=[to("title", "q")]),
    )

    assert faults(result) == {
        "p": [
            ("INVALID_VALUE", "/payload/title"),
            ("UNKNOWN_ATTRIBUTE", "/payload/nothing"),
            ("INVALID_REFERENCE", "/references/0"),
        ]
    }
    assert result["parts"][0]["errors"][2]["attributes"] == ["title"]


def test_node_paths_take_no_part(music: Api):
    answer = music.post('{ node(path: "/artists/$a") { path } }')

    assert answer["data"] == {"node": None}
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
