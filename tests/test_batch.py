"""The batch mutation, rule by rule (docs/contract.md, section 2), through HTTP on both databases."""

from tests.harness import Api, Backend, faults, part


def test_parts_run_in_order_in_one_transaction(music: Api, backend: Backend):
    result = music.batch(
        part("artist", "CREATE", "/artists", {"name": "Neu"}),
        part("album", "CREATE", "/artists/$artist/albums", {"title": "Vierte"}),
        part("track", "CREATE", "/albums/$album/tracks", {"name": "Eins", "mediaTypeId": 1, "milliseconds": 1, "unitPrice": "0.99"}),
        part("read", "GET", "/artists/$artist/albums/$album"),
    )

    assert result["status"] == "COMMITTED"
    assert result["committed"] is True
    assert [each["id"] for each in result["parts"]] == ["artist", "album", "track", "read"]
    assert [each["status"] for each in result["parts"]] == [201, 201, 201, 200]
    assert [each["path"] for each in result["parts"]] == ["/artists/4", "/albums/4", "/tracks/5", "/albums/4"]
    assert result["parts"][3]["payload"] == {"albumId": 4, "title": "Vierte", "artistId": 4}
    assert backend.rows('SELECT "Title", "ArtistId" FROM "Album" WHERE "AlbumId" = 4') == [("Vierte", 4)]


def test_a_rejected_batch_lists_only_the_errored_parts_and_leaves_every_table_as_it_was(music: Api, backend: Backend):
    before = backend.dump()

    result = music.batch(
        part("good", "CREATE", "/artists", {"name": "Neu"}),
        part("type", "CREATE", "/artists", {"name": 5}),
        part("fk", "CREATE", "/albums", {"title": "T", "artistId": 99}),
        part("also good", "UPDATE", "/albums/1", {"title": "Neu"}),
        part("unique", "CREATE", "/customers", {"firstName": "X", "email": "zoe@example.org"}),
        part("check", "UPDATE", "/tracks/1", {"milliseconds": 0}),
        part("referenced", "DELETE", "/artists/2"),
    )

    assert result["status"] == "REJECTED"
    assert faults(result) == {
        "type": [("INVALID_VALUE", "/payload/name")],
        "fk": [("MISSING_TARGET", "/payload/artistId")],
        "unique": [("CONFLICT", "/payload/email")],
        "check": [("CHECK_FAILED", "/payload/milliseconds")],
        "referenced": [("STILL_REFERENCED", "/path")],
    }
    assert backend.dump() == before
