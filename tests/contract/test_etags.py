"""Etags: they change exactly when the item does, and are the same wherever they are read (docs/contract.md, section 1)."""

import re
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part
from tests.support.trying import tried


def test_an_etag_is_the_same_wherever_it_is_read(music: Api):
    made = music.one("CREATE", "/artists/1/albums", {"title": "Vierte"})
    answer = music.query(
        """{ node(path: "/albums/4") { etag } album(albumId: 4) { etag }
             albums(offset: 3) { nodes { etag } } artist(artistId: 1) { albums(offset: 2) { nodes { etag } } } }"""
    )
    listed = music.query(
        "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { parts { items { path etag } } } }",
        parts=[part("l", "GET", "/albums?albumId=4")],
    )["batch"]["parts"]

    found = [
        made["item"]["etag"],
        music.one("GET", "/albums/4")["etag"],
        music.one("GET", "/artists/1/albums/4")["etag"],
        music.one("UPDATE", "/albums/4")["etag"],
        music.one("GET", "/albums/4", ifNoneMatch=None)["etag"],
        answer["node"]["etag"],
        answer["album"]["etag"],
        answer["albums"]["nodes"][0]["etag"],
        answer["artist"]["albums"]["nodes"][0]["etag"],
        listed[0]["items"][0]["etag"],
    ]
    assert found == [made["etag"]] * 10
    assert re.fullmatch(r"[A-Za-z0-9_-]+", made["etag"])


CHANGES: list[Any] = [
    ({}, False),
    ({"name": "Anfang"}, False),
    ({"composer": "A. Berg", "milliseconds": 210000, "unitPrice": "0.99"}, False),
    ({"unitPrice": 0.99}, False),
    ({"name": "anfang"}, True),
    ({"composer": None}, True),
    ({"composer": ""}, True),
    ({"bytes": None}, True),
    ({"bytes": 0}, True),
    ({"unitPrice": "0.98"}, True),
    ({"albumId": 2}, True),
]


def test_an_etag_changes_exactly_when_the_item_does(music: Api):
    before = music.one("GET", "/tracks/1")["etag"]

    for payload, changes in CHANGES:
        parts = part("change", "UPDATE", "/tracks/1", payload), part("read", "GET", "/tracks/1")
        changed, read = music.batch(*parts, dry_run=True)["parts"]
        assert (changed["etag"] != before) is changes, payload
        assert read["etag"] == changed["etag"], payload


def test_null_and_empty_text_and_neighbouring_columns_are_told_apart(music: Api):
    etags = {
        str(payload): music.one("UPDATE", "/tracks/1", payload)["etag"]
        for payload in (
            {"name": "ab", "composer": "c"},
            {"name": "a", "composer": "bc"},
            {"name": "a", "composer": ""},
            {"name": "a", "composer": None},
            {"name": "", "composer": "a"},
        )
    }

    assert len(set(etags.values())) == 5


def test_changes_elsewhere_leave_an_etag_alone_and_changes_behind_our_back_do_not(music: Api, backend: Backend):
    before = music.one("GET", "/artists/1")["etag"]
    music.batch(
        part("child", "CREATE", "/artists/1/albums", {"title": "T"}),
        part("other", "UPDATE", "/artists/2", {"name": "X"}),
    )
    assert music.one("GET", "/artists/1")["etag"] == before

    backend.run("""UPDATE "Artist" SET "Name" = 'Changed' WHERE "ArtistId" = 1""")

    assert music.one("GET", "/artists/1")["etag"] != before


def test_rows_with_equal_values_have_etags_of_their_own(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE lefts (id INTEGER PRIMARY KEY, name VARCHAR(5));
        CREATE TABLE rights (id INTEGER PRIMARY KEY, name VARCHAR(5));
        INSERT INTO lefts (id, name) VALUES (1, 'a'), (2, 'a');
        INSERT INTO rights (id, name) VALUES (1, 'a')
    """)
    api = start(backend)

    found = [api.one("GET", path)["etag"] for path in ("/lefts/1", "/lefts/2", "/rights/1")]

    assert len(set(found)) == 3


def test_a_rejected_batch_and_a_dry_run_leave_etags_alone(music: Api):
    before = music.one("GET", "/artists/1")["etag"]
    change = part("change", "UPDATE", "/artists/1", {"name": "X"})

    music.batch(change, part("bad", "DELETE", "/artists/99"))
    tried_out = music.batch(change, dry_run=True)["parts"][0]["etag"]

    assert music.one("GET", "/artists/1")["etag"] == before != tried_out


@pytest.fixture
def versioned(backend: Backend, start: Serve) -> Api:
    return start(backend, models="tests.support.models_versioned", create_tables=True)


@pytest.mark.parametrize(("collection", "version"), [("documents", "version"), ("leaflets", "stamp")])
def test_a_version_moves_on_with_every_write(collection, version, versioned: Api):
    path = f"/{collection}/1"
    writes = [
        versioned.one("CREATE", f"/{collection}", {"text": "a"}),
        versioned.one("UPDATE", path, {"text": "b"}),
        versioned.one("UPDATE", path, {"text": "b"}),
        versioned.one("REPLACE", path, {"text": "b"}),
        versioned.one("UPSERT", path, {"text": "b"}),
    ]

    assert [each["status"] for each in writes] == [201, 200, 200, 200, 200]
    assert len({each["etag"] for each in writes}) == 5
    assert len({each["payload"][version] for each in writes}) == 5
    read = versioned.one("GET", path)
    assert (read["etag"], read["payload"]) == (writes[-1]["etag"], writes[-1]["payload"])


def test_a_version_counts_from_one(versioned: Api):
    first = versioned.one("CREATE", "/documents", {"text": "a"})
    second = versioned.one("UPDATE", "/documents/1", {"text": "b"}, ifMatch=[first["etag"]])
    stale = versioned.one("UPDATE", "/documents/1", {"text": "c"}, ifMatch=[first["etag"]])

    assert (first["payload"]["version"], second["payload"]["version"]) == (1, 2)
    assert (stale["status"], stale["etag"], stale["payload"]["text"]) == (412, second["etag"], "b")


def test_a_version_cannot_be_written(versioned: Api):
    versioned.one("CREATE", "/documents", {"text": "a"})

    for operation, path in (("CREATE", "/documents"), ("UPDATE", "/documents/1"), ("REPLACE", "/documents/1")):
        assert tried(versioned, operation, path, {"text": "b", "version": 7}) == "422 READ_ONLY /payload/version"


def test_two_parts_with_the_same_version_of_an_item_do_not_both_write(versioned: Api, backend: Backend):
    etag = versioned.one("CREATE", "/documents", {"text": "a"})["etag"]
    before = backend.dump()

    result = versioned.batch(
        part("first", "UPDATE", "/documents/1", {"text": "b"}, ifMatch=[etag]),
        part("second", "UPDATE", "/documents/1", {"text": "c"}, ifMatch=[etag]),
    )

    assert faults(result) == {"second": [("PRECONDITION_FAILED", "/ifMatch")]}
    assert result["parts"][0]["etag"] == etag
    assert backend.dump() == before


def test_a_version_attribute_can_be_named_in_the_configuration(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE notes (id {key}, text VARCHAR(20), revision INTEGER NOT NULL);
        INSERT INTO notes (id, text, revision) VALUES (1, 'a', 4)
    """)
    api = start(backend, resources={"notes": {"version": "revision"}})
    before = api.one("GET", "/notes/1")["etag"]

    changed = api.one("UPDATE", "/notes/1", {"text": "b"}, ifMatch=[before])

    assert changed["payload"] == {"id": 1, "text": "b", "revision": 5}
    assert changed["etag"] != before
    assert api.one("CREATE", "/notes/9", {"text": "c"})["payload"]["revision"] == 1
