"""What each operation does at each kind of path (docs/contract.md, section 2, rules 4 and 5; section 3)."""

from typing import Any

import pytest

from tests.support.harness import Api, Backend, faults, part
from tests.support.trying import tried

ALBUM = {"title": "Neu", "artistId": 1}
TRACK = {"name": "N", "mediaTypeId": 1, "milliseconds": 1, "unitPrice": "0.99"}

# path -> what GET, CREATE, UPDATE, REPLACE, UPSERT and DELETE say there, each with what it needs as payload
OPERATIONS = ("GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE")
NOT_HERE = "405 OPERATION_NOT_ALLOWED /operation"
ABSENT = "404 NOT_FOUND /path"
TAKEN = "409 CONFLICT /path"
BY_PATH = {
    "/albums": ("200", "201", NOT_HERE, NOT_HERE, "201", NOT_HERE),
    "/albums/3": ("200", TAKEN, "200", "200", "200", "204"),
    "/albums/99": (ABSENT, "201", ABSENT, ABSENT, "201", ABSENT),
    "/artists/1/albums": ("200", "201", NOT_HERE, NOT_HERE, "201", NOT_HERE),
    "/artists/1/albums/3": ("200", TAKEN, "200", "200", "200", "204"),
    "/artists/1/albums/99": (ABSENT, "201", ABSENT, ABSENT, "201", ABSENT),
    "/artists/2/albums/3": (ABSENT, TAKEN, ABSENT, ABSENT, TAKEN, ABSENT),
    "/artists/99/albums": (ABSENT, ABSENT, NOT_HERE, NOT_HERE, ABSENT, NOT_HERE),
    "/artists/99/albums/3": (ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT),
    "/artists/2/albums/3/tracks": (ABSENT, ABSENT, NOT_HERE, NOT_HERE, ABSENT, NOT_HERE),
    "/customers/email=zoe%40example.org": ("200", TAKEN, "200", "200", "200", "204"),
    "/customers/email=new%40example.org": (ABSENT, "201", ABSENT, ABSENT, "201", ABSENT),
}


def payload_for(operation, path):
    if operation in {"GET", "DELETE"}:
        return None
    if path.endswith("tracks"):
        return TRACK | ({"trackId": 77} if operation == "UPSERT" else {})
    if path.startswith("/customers"):
        return {"firstName": "Neu"}
    payload = {"title": "Neu"} if path.startswith("/artists") else ALBUM
    at_collection = path.endswith("albums")
    return payload | ({"albumId": 77} if operation == "UPSERT" and at_collection else {})


def test_each_operation_at_each_kind_of_path(music: Api, backend: Backend):
    before = backend.dump()

    found = {
        path: tuple(tried(music, operation, path, payload_for(operation, path)) for operation in OPERATIONS)
        for path in BY_PATH
    }

    assert found == BY_PATH
    assert backend.dump() == before


def test_a_create_answers_the_new_item_at_its_canonical_path(music: Api, backend: Backend):
    made = music.one("CREATE", "/artists/2/albums", {"title": "Terceira"})

    assert (made["status"], made["path"], made["operation"]) == (201, "/albums/4", "CREATE")
    assert made["payload"] == {"albumId": 4, "title": "Terceira", "artistId": 2}
    assert made["item"] == {"__typename": "Album", "path": "/albums/4", "etag": made["etag"]}
    assert backend.rows('SELECT * FROM "Album" WHERE "AlbumId" = 4') == [(4, "Terceira", 2)]


def test_a_create_at_a_collection_takes_the_key_from_the_payload(music: Api):
    assert music.one("CREATE", "/albums", {"albumId": 40, **ALBUM})["path"] == "/albums/40"


def test_a_create_with_a_key_that_is_taken_is_a_conflict_of_that_attribute(music: Api):
    assert tried(music, "CREATE", "/albums", {"albumId": 1, **ALBUM}) == "409 CONFLICT /payload/albumId"


def test_a_key_made_by_the_database_is_its_next_one_or_a_conflict_of_the_key(music: Api):
    result = music.batch(
        part("given", "CREATE", "/artists/4", {"name": "Vier"}),
        part("made", "CREATE", "/artists", {"name": "Fünf"}),
    )

    if result["status"] == "COMMITTED":  # SQLite: the largest key and one more
        assert [each["path"] for each in result["parts"]] == ["/artists/4", "/artists/5"]
    else:  # PostgreSQL's sequences do not see keys that are given
        (made,) = result["parts"]
        assert [(each["code"], each["attributes"]) for each in made["errors"]] == [("CONFLICT", ["artistId"])]


def test_an_update_changes_the_given_attributes_only(music: Api, backend: Backend):
    changed = music.one("UPDATE", "/tracks/1", {"composer": None})

    assert changed["status"] == 200
    assert changed["payload"] == {
        "trackId": 1, "name": "Anfang", "albumId": 1, "mediaTypeId": 1, "composer": None,
        "milliseconds": 210000, "bytes": 1000, "unitPrice": "0.99",
    }  # fmt: skip
    assert backend.rows('SELECT "Name", "Composer", "Bytes" FROM "Track" WHERE "TrackId" = 1') == [
        ("Anfang", None, 1000)
    ]


def test_a_payload_that_is_missing_is_an_empty_one(music: Api):
    assert tried(music, "UPDATE", "/albums/1") == "200"
    assert tried(music, "UPSERT", "/albums/1") == "200"
    assert tried(music, "CREATE", "/artists") == "201"
    assert tried(music, "CREATE", "/mediaTypes/7") == "201"
    assert tried(music, "CREATE", "/albums") == "422 REQUIRED /payload/title + REQUIRED /payload/artistId"
    assert tried(music, "UPDATE", "/albums/1", payload=None, item=None, references=None) == "200"


def test_a_delete_answers_neither_payload_nor_item(music: Api, backend: Backend):
    gone = music.one("DELETE", "/albums/3")

    assert gone["status"] == 204
    assert gone["path"] == "/albums/3"
    assert (gone["payload"], gone["item"], gone["errors"]) == (None, None, [])
    assert backend.rows('SELECT count(*) FROM "Album" WHERE "AlbumId" = 3') == [(0,)]


def test_an_item_by_a_unique_key_answers_its_canonical_path(music: Api):
    found = music.one("GET", "/customers/email=zoe%40example.org")

    assert (found["path"], found["payload"]["firstName"]) == ("/customers/2", "Zoë")


def test_a_unique_value_of_the_path_goes_into_the_new_item(music: Api, backend: Backend):
    for number, operation in ((3, "CREATE"), (4, "UPSERT")):
        made = music.one(operation, f"/customers/email=c{number}%40example.org", {"firstName": "C"})

        assert (made["status"], made["path"]) == (201, f"/customers/{number}")
        assert made["payload"]["email"] == f"c{number}@example.org"


KEYS: list[Any] = [
    ("UPDATE", "/albums/1", {"albumId": 1, "title": "T"}, "200"),
    ("UPDATE", "/albums/1", {"albumId": 9}, "422 READ_ONLY /payload/albumId"),
    ("REPLACE", "/albums/1", {"albumId": 1, **ALBUM}, "200"),
    ("REPLACE", "/albums/1", {"albumId": 9, **ALBUM}, "422 READ_ONLY /payload/albumId"),
    ("UPSERT", "/albums/1", {"albumId": 1}, "200"),
    ("UPSERT", "/albums/1", {"albumId": 9}, "422 READ_ONLY /payload/albumId"),
    ("UPSERT", "/albums/99", {"albumId": 99, **ALBUM}, "201"),
    ("UPSERT", "/albums/99", {"albumId": 9, **ALBUM}, "422 READ_ONLY /payload/albumId"),
    ("CREATE", "/albums/99", {"albumId": 99, **ALBUM}, "201"),
    ("CREATE", "/albums/99", {"albumId": 9, **ALBUM}, "422 INVALID_VALUE /payload/albumId"),
    ("UPDATE", "/customers/email=zoe%40example.org", {"customerId": 1}, "422 READ_ONLY /payload/customerId"),
    ("UPDATE", "/customers/email=zoe%40example.org", {"customerId": 2, "email": "z@example.org"}, "200"),
    ("UPDATE", "/playlistTracks/1,1", {"trackId": 1}, "200"),
    ("UPDATE", "/playlistTracks/1,1", {"trackId": 3}, "422 READ_ONLY /payload/trackId"),
    (
        "UPDATE",
        "/playlistTracks/1,1",
        {"playlistId": 2, "trackId": 3},
        "422 READ_ONLY /payload/playlistId + READ_ONLY /payload/trackId",
    ),
]


def test_keys_are_immutable_but_an_items_own_is_accepted(music: Api):
    assert [(*case, tried(music, *case)) for *case, _ in KEYS] == KEYS


def test_an_update_by_a_unique_key_changes_the_item_that_had_it(music: Api, backend: Backend):
    changed = music.one("UPDATE", "/customers/email=zoe%40example.org", {"customerId": 2, "email": "z@example.org"})

    assert (changed["status"], changed["path"], changed["payload"]["email"]) == (200, "/customers/2", "z@example.org")
    assert backend.rows('SELECT "CustomerId", "FirstName", "Email" FROM "Customer" ORDER BY 1') == [
        (1, "Luís", "luis@example.org"),
        (2, "Zoë", "z@example.org"),
    ]


PARENTS: list[Any] = [
    ("CREATE", "/artists/1/albums", {"title": "T", "artistId": 1}, "201"),
    ("CREATE", "/artists/1/albums", {"title": "T", "artistId": 2}, "422 INVALID_VALUE /payload/artistId"),
    ("CREATE", "/artists/1/albums/9", {"title": "T", "artistId": 2}, "422 INVALID_VALUE /payload/artistId"),
    ("REPLACE", "/artists/1/albums/1", {"title": "T", "artistId": 2}, "422 INVALID_VALUE /payload/artistId"),
    ("UPSERT", "/artists/1/albums/1", {"artistId": 2}, "422 INVALID_VALUE /payload/artistId"),
    ("UPSERT", "/artists/1/albums/9", {"title": "T", "artistId": 2}, "422 INVALID_VALUE /payload/artistId"),
    (
        "UPSERT",
        "/artists/1/albums",
        {"albumId": 9, "title": "T", "artistId": 2},
        "422 INVALID_VALUE /payload/artistId",
    ),
    ("CREATE", "/albums/1/tracks", {"albumId": None, **TRACK}, "422 INVALID_VALUE /payload/albumId"),
    ("UPDATE", "/albums/1", {"artistId": 2}, "200"),
]


def test_below_a_parent_the_path_gives_the_foreign_key(music: Api):
    assert [(*case, tried(music, *case)) for *case, _ in PARENTS] == PARENTS


def test_an_item_is_found_only_under_its_own_parent_on_every_level(music: Api):
    found = {
        path: tried(music, "GET", path)
        for path in (
            "/artists/1/albums/1/tracks/1",
            "/artists/2/albums/1/tracks/1",
            "/artists/1/albums/1/tracks/3",
            "/artists/1/albums/1/tracks/1/playlistTracks/1,1",
            "/artists/1/albums/1/tracks/2/playlistTracks/1,1",
            "/albums/2/tracks/4",
        )
    }

    assert found == {
        "/artists/1/albums/1/tracks/1": "200",
        "/artists/2/albums/1/tracks/1": ABSENT,
        "/artists/1/albums/1/tracks/3": ABSENT,
        "/artists/1/albums/1/tracks/1/playlistTracks/1,1": "200",
        "/artists/1/albums/1/tracks/2/playlistTracks/1,1": ABSENT,
        "/albums/2/tracks/4": ABSENT,
    }


def test_a_child_moves_by_an_update_at_its_canonical_path(music: Api):
    result = music.batch(
        part("move", "UPDATE", "/albums/1", {"artistId": 2}),
        part("there", "GET", "/artists/2/albums/1"),
    )
    assert result["status"] == "COMMITTED"

    assert tried(music, "GET", "/artists/1/albums/1") == ABSENT


def test_a_composite_key_is_created_read_and_deleted_in_key_order(music: Api, backend: Backend):
    made = music.one("CREATE", "/playlistTracks", {"trackId": 4, "playlistId": 2})

    assert made["path"] == "/playlistTracks/2,4"
    assert music.one("CREATE", "/playlistTracks/1,4")["payload"] == {"playlistId": 1, "trackId": 4}
    assert music.one("CREATE", "/playlists/2/playlistTracks/2,1")["path"] == "/playlistTracks/2,1"
    assert tried(music, "CREATE", "/playlists/2/playlistTracks", {"trackId": 2}) == "201"
    assert tried(music, "CREATE", "/playlistTracks", {"playlistId": 1}) == "422 REQUIRED /payload/trackId"
    assert tried(music, "DELETE", "/playlistTracks/4,2") == ABSENT
    assert music.one("DELETE", "/playlistTracks/2,4")["status"] == 204
    assert backend.rows('SELECT * FROM "PlaylistTrack" ORDER BY 1, 2') == [(1, 1), (1, 2), (1, 4), (2, 1), (2, 3)]


@pytest.mark.parametrize("operation", ["CREATE", "UPSERT"])
def test_a_path_whose_key_contradicts_its_parent_makes_nothing(operation, music: Api):
    said = tried(music, operation, "/playlists/2/playlistTracks/1,3")

    assert said.endswith("/path")  # the contract does not say which code


def test_a_resource_can_point_at_itself(music: Api):
    result = music.batch(
        part("own", "CREATE", "/employees/9", {"lastName": "Own", "reportsTo": 9}),
        part("below", "CREATE", "/employees/9/employeesByReportsTo", {"lastName": "Below"}),
        part("list", "GET", "/employees/9/employeesByReportsTo?orderBy=employeeId"),
        part("alone", "UPDATE", "/employees/1", {"reportsTo": 1}),
    )

    assert result["status"] == "COMMITTED"
    assert result["parts"][1]["payload"]["reportsTo"] == 9
    assert {each["lastName"] for each in result["parts"][2]["payload"]["items"]} == {"Own", "Below"}
    assert tried(music, "DELETE", "/employees/9") == "409 STILL_REFERENCED /path"


def test_each_part_sees_the_same_item_as_the_one_before_left_it(music: Api):
    result = music.batch(
        part("first", "UPDATE", "/albums/1", {"title": "A"}),
        part("second", "UPDATE", "/albums/1", {"artistId": 2}),
        part("read", "GET", "/albums/1"),
        part("last", "UPSERT", "/albums/1", {"title": "B"}),
    )

    assert [each["payload"] for each in result["parts"]] == [
        {"albumId": 1, "title": "A", "artistId": 1},
        {"albumId": 1, "title": "A", "artistId": 2},
        {"albumId": 1, "title": "A", "artistId": 2},
        {"albumId": 1, "title": "B", "artistId": 2},
    ]
    etags = [each["etag"] for each in result["parts"]]
    assert etags[1] == etags[2]
    assert len(set(etags)) == 3


def test_an_item_can_be_made_changed_deleted_and_made_again(music: Api, backend: Backend):
    result = music.batch(
        part("make", "CREATE", "/artists/9", {"name": "A"}),
        part("change", "UPDATE", "/artists/9", {"name": "B"}),
        part("delete", "DELETE", "/artists/9"),
        part("again", "UPSERT", "/artists/9", {"name": "C"}),
        part("replace", "REPLACE", "/artists/9"),
    )

    assert [each["status"] for each in result["parts"]] == [201, 200, 204, 201, 200]
    assert backend.rows('SELECT * FROM "Artist" WHERE "ArtistId" = 9') == [(9, None)]


def test_an_item_that_an_earlier_part_deleted_is_absent(music: Api, backend: Backend):
    before = backend.dump()

    result = music.batch(
        part("delete", "DELETE", "/artists/3"),
        part("update", "UPDATE", "/artists/3", {"name": "X"}),
        part("read", "GET", "/artists/3"),
        part("again", "DELETE", "/artists/3"),
    )

    assert faults(result) == {id_: [("NOT_FOUND", "/path")] for id_ in ("update", "read", "again")}
    assert backend.dump() == before


def test_a_part_gives_payload_or_item_of_its_own_resource(music: Api):
    album = {"album": {"title": "Neu"}}
    made = {"album": {"title": "Neu", "artistId": 1}}

    found = {
        "item": tried(music, "UPDATE", "/albums/1", item=album),
        "new item": tried(music, "CREATE", "/albums", item=made),
        "incomplete item": tried(music, "CREATE", "/albums", item=album),
        "replacing item": tried(music, "REPLACE", "/albums/1", item=made),
        "both": tried(music, "UPDATE", "/albums/1", {"title": "Neu"}, item=album),
        "one is null": tried(music, "UPDATE", "/albums/1", {"title": "Neu"}, item=None),
        "item of another": tried(music, "UPDATE", "/artists/1", item=album),
        "a list": tried(music, "UPDATE", "/albums/1", ["title"]),
        "with get": tried(music, "GET", "/albums/1", {"title": "Neu"}),
        "with delete": tried(music, "DELETE", "/albums/3", {"title": "Neu"}),
    }

    assert found == {
        "item": "200",
        "new item": "201",
        "incomplete item": "422 REQUIRED /item/album/artistId",
        "replacing item": "200",
        "both": "422 INVALID_PAYLOAD /item",
        "one is null": "200",
        "item of another": "422 INVALID_PAYLOAD /item",
        "a list": "422 INVALID_PAYLOAD /payload",
        "with get": "422 INVALID_PAYLOAD /payload",
        "with delete": "422 INVALID_PAYLOAD /payload",
    }
    assert tried(music, "DELETE", "/albums/3", item=album).startswith("422 INVALID_PAYLOAD /item")


def test_a_view_and_a_table_without_key_can_only_be_read(backend: Backend, start):
    backend.run("""
        CREATE TABLE notes (id {key}, text VARCHAR(20));
        CREATE TABLE lines (text VARCHAR(20));
        CREATE VIEW short_notes AS SELECT id, text FROM notes;
        INSERT INTO lines (text) VALUES ('a')
    """)
    api = start(backend)

    for collection in ("lines", "shortNotes"):
        assert tried(api, "GET", f"/{collection}") == "200"
        for operation in ("CREATE", "UPSERT", "UPDATE", "REPLACE", "DELETE"):
            assert tried(api, operation, f"/{collection}") == NOT_HERE
    assert api.one("GET", "/lines")["payload"] == {"items": [{"text": "a"}], "hasMore": False}
