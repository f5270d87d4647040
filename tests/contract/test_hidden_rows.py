"""A caller who may read no row: each answer is that for an absent item, and constraints still see all rows.

The rule is the sentinel's (tests/support/sentinel.py), in every statement of every strategy.
"""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support import sentinel
from tests.support.harness import Api, Backend, faults, part
from tests.support.music import AFTER_POSTGRESQL, SCRIPT
from tests.support.trying import tried

ABSENT = "404 NOT_FOUND /path"
TAKEN = "409 CONFLICT /path"
NOT_HERE = "405 OPERATION_NOT_ALLOWED /operation"
OPERATIONS = ("GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE")
BY_PATH = {
    "/artists": ("200", "201", NOT_HERE, NOT_HERE, "201", NOT_HERE),
    "/artists/1": (ABSENT, TAKEN, ABSENT, ABSENT, TAKEN, ABSENT),
    "/artists/99": (ABSENT, "201", ABSENT, ABSENT, "201", ABSENT),
    "/artists/1/albums": (ABSENT, ABSENT, NOT_HERE, NOT_HERE, ABSENT, NOT_HERE),
    "/artists/1/albums/3": (ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT),
    "/playlists/name=Morning": (ABSENT, TAKEN, ABSENT, ABSENT, TAKEN, ABSENT),
}
BARE = """
mutation ($parts: [PartInput!]!) {
  batch(parts: $parts) { status parts { id status errors { code pointer } } }
}
"""


@pytest.fixture(params=["bulk and groups", "one by one"])
def shop(request: pytest.FixtureRequest, backend: Backend, start: Serve) -> Api:
    """The music shop."""
    backend.run(SCRIPT)
    if backend.kind == "postgresql":
        backend.run(AFTER_POSTGRESQL)
    return start(backend, groups=request.param != "one by one")


@pytest.fixture
def hidden(shop: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The music shop, of which the caller may read nothing."""
    sentinel.place(monkeypatch, sentinel.EVERY)
    return shop


@pytest.fixture
def without_albums(shop: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The music shop, of which the caller may read all but the albums."""
    sentinel.place(monkeypatch, {"Album"})
    return shop


def payload_for(operation: str, path: str) -> Any:
    if operation in {"GET", "DELETE"}:
        return None
    if "albums" in path:
        return {"title": "Neu"} | ({"albumId": 77} if operation == "UPSERT" and path.endswith("albums") else {})
    return (
        {}
        if "playlists" in path
        else {"name": "Neu"} | ({"artistId": 77} if operation == "UPSERT" and path.endswith("artists") else {})
    )


def test_each_operation_at_each_kind_of_path(hidden: Api, backend: Backend):
    before = backend.dump()

    found = {path: tuple(tried(hidden, each, path, payload_for(each, path)) for each in OPERATIONS) for path in BY_PATH}

    assert found == BY_PATH
    assert backend.dump() == before


@pytest.mark.parametrize(
    ("operation", "payload"), [("UPDATE", {"name": "Neu"}), ("REPLACE", {"name": "Neu"}), ("DELETE", None)]
)
def test_several_items_are_not_changed(hidden: Api, backend: Backend, operation: str, payload: Any):
    before = backend.dump()

    result = hidden.batch(*(part(f"p{n}", operation, f"/mediaTypes/{n}", payload) for n in (1, 2, 99)))

    assert faults(result) == {f"p{n}": [("NOT_FOUND", "/path")] for n in (1, 2, 99)}
    assert backend.dump() == before


def test_preconditions_are_those_of_absent_items(hidden: Api, backend: Backend):
    before = backend.dump()
    parts = [
        part("update", "UPDATE", "/artists/1", {"name": "Neu"}, ifMatch=None),
        part("delete", "DELETE", "/artists/2", ifMatch=None),
        part("get", "GET", "/artists/1", ifNoneMatch="*"),
    ]

    result = hidden.batch(*parts)

    assert {each["id"]: (each["status"], each["preconditionSucceeded"]) for each in result["parts"]} == {
        "update": (412, False),
        "delete": (412, False),
        "get": (404, True),
    }
    assert backend.dump() == before


def test_new_items_may_not_refer_to_hidden_ones(hidden: Api, backend: Backend):
    before = backend.dump()
    albums = [part(f"a{n}", "CREATE", "/albums", {"title": f"Neu {n}", "artistId": n}) for n in (1, 2, 99)]

    assert faults(hidden.batch(*albums)) == {f"a{n}": [("MISSING_TARGET", "/payload/artistId")] for n in (1, 2, 99)}
    assert backend.dump() == before


def test_a_hidden_target_does_not_hide_other_errors(hidden: Api, backend: Backend):
    before = backend.dump()
    wrong = part("a", "CREATE", "/albums/1", {"title": None, "artistId": 1})
    taken = part("b", "CREATE", "/albums/2", {"title": "Neu", "artistId": 1})

    assert faults(hidden.batch(wrong, taken)) == {
        "a": [("REQUIRED", "/payload/title"), ("CONFLICT", "/path"), ("MISSING_TARGET", "/payload/artistId")],
        "b": [("CONFLICT", "/path"), ("MISSING_TARGET", "/payload/artistId")],
    }
    assert backend.dump() == before


def test_new_items_without_targets_are_written(hidden: Api, backend: Backend):
    parts = [part(f"m{n}", "CREATE", f"/mediaTypes/{n}", {"name": f"Neu {n}"}) for n in (7, 8, 9)]

    result = hidden.post(BARE, {"parts": parts})["data"]["batch"]

    assert result == {"status": "COMMITTED", "parts": [{"id": f"m{n}", "status": 201, "errors": []} for n in (7, 8, 9)]}
    assert backend.rows('SELECT * FROM "MediaType" WHERE "MediaTypeId" > 2 ORDER BY 1') == [
        (7, "Neu 7"),
        (8, "Neu 8"),
        (9, "Neu 9"),
    ]


def test_upserts_of_hidden_items_are_conflicts(hidden: Api, backend: Backend):
    before = backend.dump()
    parts = [part(f"p{n}", "UPSERT", f"/mediaTypes/{n}", {"name": "Neu"}) for n in (1, 2)]
    unique = part("u", "UPSERT", "/playlists", {"name": "Evening"})
    new = part("n", "UPSERT", "/mediaTypes/50", {"name": "Neu"})

    assert faults(hidden.batch(*parts, unique, new)) == {
        "p1": [("CONFLICT", "/path")],
        "p2": [("CONFLICT", "/path")],
        "u": [("CONFLICT", "/payload/name")],
    }
    assert backend.dump() == before


def test_the_other_endpoint_hides_the_same(hidden: Api, backend: Backend):
    before = backend.dump()
    parts = [
        {"id": "get", "path": "/artists/1", "operation": "get"},
        {"id": "update", "path": "/artists/2", "operation": "update", "payload": {"name": "Neu"}},
        {"id": "upsert", "path": "/artists/3", "operation": "upsert", "payload": {"name": "Neu"}},
        {"id": "create", "path": "/albums", "operation": "create", "payload": {"title": "Neu", "artistId": 1}},
    ]

    result = hidden.http.post("/batch", json={"parts": parts}).json()

    assert {each["id"]: [error["code"] for error in each["errors"]] for each in result["parts"]} == {
        "get": ["NOT_FOUND"],
        "update": ["NOT_FOUND"],
        "upsert": ["CONFLICT"],
        "create": ["MISSING_TARGET"],
    }
    assert backend.dump() == before


def test_collections_are_empty(hidden: Api):
    page = hidden.one("GET", "/artists")
    assert (page["status"], page["payload"]) == (200, {"items": [], "hasMore": False})

    assert hidden.query(
        """{
          artists(first: 10, orderBy: [{name: ASC}]) { nodes { artistId } totalCount }
          artist(artistId: 1) { name }
          node(path: "/albums/1") { path }
          nodes: albums(filter: {artist: {name: {eq: "Nordlicht"}}}, orderBy: [{artist: {name: ASC}}]) { nodes { title } }
          some: artists(filter: {albums: {some: {title: {eq: "Erste"}}}}) { totalCount }
          tracks { aggregate { count max { milliseconds } } groupBy(by: [mediaTypeId]) { aggregate { count } } }
        }"""
    ) == {
        "artists": {"nodes": [], "totalCount": 0},
        "artist": None,
        "node": None,
        "nodes": {"nodes": []},
        "some": {"totalCount": 0},
        "tracks": {"aggregate": {"count": 0, "max": {"milliseconds": None}}, "groupBy": []},
    }


# --- one table is hidden


def test_hidden_items_are_absent_from_relations(without_albums: Api):
    assert without_albums.query(
        """{
          artist(artistId: 1) { name albums { totalCount nodes { title } aggregate { count } } }
          artists(first: 2) { nodes { albums(first: 1, orderBy: [{title: ASC}]) { nodes { title } } } }
          tracks(filter: {trackId: {lte: 2}}, orderBy: [{album: {title: ASC}}, {name: ASC}]) { nodes { name album { title } } }
          with: artists(filter: {albums: {some: {}}}) { totalCount }
          without: artists(filter: {albums: {none: {}}}) { totalCount }
          of: tracks(filter: {album: {title: {eq: "Erste"}}}) { totalCount }
        }"""
    ) == {
        "artist": {"name": "Nordlicht", "albums": {"totalCount": 0, "nodes": [], "aggregate": {"count": 0}}},
        "artists": {"nodes": [{"albums": {"nodes": []}}, {"albums": {"nodes": []}}]},
        "tracks": {"nodes": [{"name": "Anfang", "album": None}, {"name": "Ende", "album": None}]},
        "with": {"totalCount": 0},
        "without": {"totalCount": 3},
        "of": {"totalCount": 0},
    }


def test_paths_to_hidden_children_lead_nowhere(without_albums: Api):
    found = without_albums.batch(
        part("page", "GET", "/artists/1/albums"),
        part("one", "GET", "/artists/1/albums/1"),
        part("below", "GET", "/artists/1/albums/1/tracks"),
        part("name", "UPDATE", "/artists/1/albums/1", {"title": "Neu"}),
    )

    assert faults(found) == {id_: [("NOT_FOUND", "/path")] for id_ in ("one", "below", "name")}


def test_hidden_items_still_refer_to_others(without_albums: Api, backend: Backend):
    before = backend.dump()

    assert faults(without_albums.batch(part("a", "DELETE", "/artists/1"), part("b", "DELETE", "/artists/2"))) == {
        "a": [("STILL_REFERENCED", "/path")],
        "b": [("STILL_REFERENCED", "/path")],
    }
    assert backend.dump() == before


def test_a_reference_to_a_hidden_item_can_be_kept_but_not_made(without_albums: Api, backend: Backend):
    kept = [part(f"k{n}", "UPDATE", f"/tracks/{n}", {"name": "Neu", "albumId": 1}) for n in (1, 2)]
    assert without_albums.batch(*kept)["status"] == "COMMITTED"
    assert backend.rows('SELECT "Name", "AlbumId" FROM "Track" WHERE "TrackId" <= 2') == [("Neu", 1), ("Neu", 1)]
    before = backend.dump()

    made = [part(f"m{n}", "UPDATE", f"/tracks/{n}", {"albumId": 2}) for n in (1, 2)]
    assert faults(without_albums.batch(*made)) == {f"m{n}": [("MISSING_TARGET", "/payload/albumId")] for n in (1, 2)}
    assert backend.dump() == before


def test_a_new_item_that_is_hidden_is_written_and_its_parent_stays_visible(without_albums: Api, backend: Backend):
    albums = [part(f"a{n}", "CREATE", "/artists/2/albums", {"title": f"Neu {n}"}) for n in (1, 2)]

    result = without_albums.post(BARE, {"parts": albums})["data"]["batch"]

    assert [each["status"] for each in result["parts"]] == [201, 201]
    assert backend.rows('SELECT "Title" FROM "Album" WHERE "ArtistId" = 2 ORDER BY "AlbumId"') == [
        ("Segunda",),
        ("Neu 1",),
        ("Neu 2",),
    ]
