"""What cannot be judged is left out, and nothing else is (docs/contract.md, section 2, rule 2).

In each case the part `bad` (and bad1, bad2) is in error by itself, and what the others say depends on it, or does not.
"""

from tests.support.harness import Api, Backend, part
from tests.support.trying import tried_all

TYPE = "INVALID_VALUE /payload/name"
TITLE = "INVALID_VALUE /payload/title"
STALE = "PRECONDITION_FAILED /ifMatch"
ABSENT = "NOT_FOUND /path"
HELD = "STILL_REFERENCED /path"
NO_ARTIST = "MISSING_TARGET /payload/artistId"

BAD_ARTIST = part("bad", "CREATE", "/artists/9", {"name": 5})
BAD_ALBUM = part("bad", "CREATE", "/albums/9", {"title": 5, "artistId": 1})
TRACK = {"name": "N", "mediaTypeId": 1, "milliseconds": 1, "unitPrice": "0.99"}
BAD_TRACK = part("bad", "CREATE", "/tracks/9", {**TRACK, "milliseconds": 0})


def to(attribute, id_):
    return {"attribute": attribute, "part": id_}


def create(id_, path, payload=None, **others):
    return part(id_, "CREATE", path, payload, **others)


def update(id_, path, payload, **others):
    return part(id_, "UPDATE", path, payload, **others)


def delete(id_, path, **others):
    return part(id_, "DELETE", path, **others)


MISSING_ITEMS = {
    "update what it would have made": ([BAD_ARTIST, update("p", "/artists/9", {"name": "N"})], {"bad": TYPE}),
    "replace what it would have made": ([BAD_ARTIST, part("p", "REPLACE", "/artists/9")], {"bad": TYPE}),
    "delete what it would have made": ([BAD_ARTIST, delete("p", "/artists/9")], {"bad": TYPE}),
    "get what it would have made": ([BAD_ARTIST, part("p", "GET", "/artists/9")], {"bad": TYPE}),
    "create below what it would have made": ([BAD_ARTIST, create("p", "/artists/9/albums", {"title": "T"})], {"bad": TYPE}),
    "list below what it would have made": ([BAD_ARTIST, part("p", "GET", "/artists/9/albums")], {"bad": TYPE}),
    "point at what it would have made": ([BAD_ARTIST, create("p", "/albums", {"title": "T", "artistId": 9})], {"bad": TYPE}),
    "turn to what it would have made": ([BAD_ARTIST, update("p", "/albums/1", {"artistId": 9})], {"bad": TYPE}),
    "what an upsert would have made": (
        [part("bad", "UPSERT", "/artists/9", {"name": 5}), update("p", "/artists/9", {"name": "N"})],
        {"bad": TYPE},
    ),
    "what the database has refused": (
        [BAD_TRACK, update("p", "/tracks/9", {"name": "N"}), create("q", "/playlistTracks/1,9")],
        {"bad": "CHECK_FAILED /payload/milliseconds"},
    ),
    "what a duplicate id would have made": (
        [create("bad", "/artists/9", {"name": "A"}), create("bad", "/artists/8"), update("p", "/artists/9", {"name": "N"})],
        {"bad": "DUPLICATE_ID /id"},
    ),
    "where it would have moved": (
        [update("bad", "/albums/3", {"artistId": 2, "title": 5}), part("p", "GET", "/artists/2/albums/3")],
        {"bad": TITLE},
    ),
    "a reference to it": (
        [
            BAD_ARTIST,
            create("p", "/artists/$bad/albums", {"title": "T"}),
            create("q", "/albums", {"title": "T"}, references=[to("artist", "bad")]),
            part("r", "GET", "/artists/$bad"),
        ],
        {"bad": TYPE},
    ),
    "own faults beside a reference to it": (
        [
            BAD_ARTIST,
            create("p", "/artists/$bad/albums", {"title": 5}),
            create("q", "/artists/$bad/albums"),
            create("r", "/albums", {"title": 5}, references=[to("artist", "bad")]),
            delete("s", "/artists/$bad", ifMatch=[]),
        ],
        {"bad": TYPE, "p": TITLE, "q": "REQUIRED /payload/title", "r": TITLE, "s": "INVALID_PRECONDITION /ifMatch"},
    ),
    "one of two targets": (
        [BAD_ALBUM, create("p", "/tracks", {**TRACK, "albumId": 9, "mediaTypeId": 99})],
        {"bad": TITLE, "p": "MISSING_TARGET /payload/mediaTypeId"},
    ),
    "required of an upsert that would have found it": (
        [BAD_ALBUM, part("p", "UPSERT", "/albums/9", {"title": "T"})],
        {"bad": TITLE},
    ),
    "required of an upsert at the collection that would have found it": (
        [BAD_ALBUM, part("p", "UPSERT", "/albums", {"albumId": 9, "title": "T"})],
        {"bad": TITLE},
    ),
    "a null is an own fault of an upsert": (
        [BAD_ALBUM, part("p", "UPSERT", "/albums/9", {"title": None})],
        {"bad": TITLE, "p": "REQUIRED /payload/title"},
    ),
    # and what stands anyway
    "another item than it would have made": (
        [BAD_ARTIST, update("p", "/artists/8", {"name": "N"}), create("q", "/albums", {"title": "T", "artistId": 8})],
        {"bad": TYPE, "p": ABSENT, "q": NO_ARTIST},
    ),
    "before it": (
        [part("p", "GET", "/artists/9"), create("q", "/albums", {"title": "T", "artistId": 9}), BAD_ARTIST],
        {"p": ABSENT, "q": NO_ARTIST, "bad": TYPE},
    ),
    "an update makes nothing": (
        [update("bad", "/artists/9", {"name": 5}), part("p", "GET", "/artists/9")],
        {"bad": TYPE, "p": ABSENT},
    ),
    "an update of another attribute moves nothing": (
        [update("bad", "/albums/3", {"title": 5}), part("p", "GET", "/artists/2/albums/3")],
        {"bad": TITLE, "p": ABSENT},
    ),
    "required of an upsert of another item": (
        [BAD_ALBUM, part("p", "UPSERT", "/albums/8", {"title": "T"})],
        {"bad": TITLE, "p": "REQUIRED /payload/artistId"},
    ),
    "an unknown path makes nothing": (
        [create("bad", "/nothing/9", {}), part("p", "GET", "/artists/9")],
        {"bad": "UNKNOWN_RESOURCE /path", "p": ABSENT},
    ),
    "an operation that is not allowed makes nothing": (
        [part("bad", "REPLACE", "/artists", {"artistId": 9}), part("p", "GET", "/artists/9")],
        {"bad": "OPERATION_NOT_ALLOWED /operation", "p": ABSENT},
    ),
}  # fmt: skip

HOLDERS = {
    "the only child would have gone": (
        [update("free", "/albums/1", {"artistId": 2}), delete("bad", "/albums/3", ifMatch=["x"]), delete("p", "/artists/1")],
        {"bad": STALE},
    ),
    "the only child would have moved": (
        [
            update("free", "/albums/1", {"artistId": 2}),
            update("bad", "/albums/3", {"artistId": 2, "title": 5}),
            delete("p", "/artists/1"),
        ],
        {"bad": TITLE},
    ),
    "the only child would have been replaced": (
        [
            update("free", "/albums/1", {"artistId": 2}),
            part("bad", "REPLACE", "/albums/3", {"artistId": 2, "title": 5}),
            delete("p", "/artists/1"),
        ],
        {"bad": TITLE},
    ),
    "both children would have gone": (
        [
            update("bad1", "/albums/1", {"artistId": 2, "title": 5}),
            delete("bad2", "/albums/3", ifMatch=["x"]),
            delete("p", "/artists/1"),
        ],
        {"bad1": TITLE, "bad2": STALE},
    ),
    # and what stands anyway
    "another child stays": ([delete("bad", "/albums/3", ifMatch=["x"]), delete("p", "/artists/1")], {"bad": STALE, "p": HELD}),
    "the child would have stayed": (
        [update("free", "/albums/1", {"artistId": 2}), update("bad", "/albums/3", {"title": 5}), delete("p", "/artists/1")],
        {"bad": TITLE, "p": HELD},
    ),
    "the child would have gone later": (
        [update("free", "/albums/1", {"artistId": 2}), delete("p", "/artists/1"), delete("bad", "/albums/3", ifMatch=["x"])],
        {"bad": STALE, "p": HELD},
    ),
}  # fmt: skip

VERSIONS = {
    "it would have changed the item": (
        [update("bad", "/albums/1", {"title": 5}), update("p", "/albums/1", {"title": "T"}, ifMatch=["x"])],
        {"bad": TITLE},
    ),
    "it would have changed the item that is read": (
        [update("bad", "/albums/1", {"title": 5}), part("p", "GET", "/albums/1", ifMatch=["x"])],
        {"bad": TITLE},
    ),
    "it would have made the item": ([BAD_ARTIST, update("p", "/artists/9", {"name": "N"}, ifMatch=["x"])], {"bad": TYPE}),
    "it would have made the item that must be there": (
        [BAD_ARTIST, part("p", "UPSERT", "/artists/9", {"name": "N"}, ifMatch=None)],
        {"bad": TYPE},
    ),
    "it would have taken the item away": (
        [delete("bad", "/artists/3", ifMatch=["x"]), part("p", "UPSERT", "/artists/3", {"name": "N"}, ifNoneMatch=None)],
        {"bad": STALE},
    ),
    # and what stands anyway
    "another item has changed": (
        [update("bad", "/albums/1", {"title": 5}), update("p", "/albums/2", {"title": "T"}, ifMatch=["x"])],
        {"bad": TITLE, "p": STALE},
    ),
    "a get changes nothing": (
        [part("bad", "GET", "/albums/1", ifMatch=["x"]), update("p", "/albums/1", {"title": "T"}, ifMatch=["y"])],
        {"bad": STALE, "p": STALE},
    ),
    "an update takes nothing away": (
        [update("bad", "/artists/3", {"name": 5}), part("p", "UPSERT", "/artists/3", {"name": "N"}, ifNoneMatch=None)],
        {"bad": TYPE, "p": "PRECONDITION_FAILED /ifNoneMatch"},
    ),
    "before it": (
        [update("p", "/albums/1", {"title": "T"}, ifMatch=["x"]), update("bad", "/albums/1", {"title": 5})],
        {"p": STALE, "bad": TITLE},
    ),
}  # fmt: skip

CHAINS = {
    "made below made below made": (
        [
            BAD_ARTIST,
            create("p", "/artists/9/albums/9", {"title": "T"}),
            create("q", "/albums/9/tracks/9", TRACK),
            create("r", "/tracks/9/playlistTracks", {"playlistId": 1}),
        ],
        {"bad": TYPE},
    ),
    "references to references": (
        [
            BAD_ARTIST,
            create("p", "/artists/$bad/albums", {"title": "T"}),
            create("q", "/tracks", TRACK, references=[to("album", "p")]),
            create("r", "/playlists/1/playlistTracks", references=[to("track", "q")]),
        ],
        {"bad": TYPE},
    ),
    "held by what is held by what is held": (
        [
            delete("bad", "/playlistTracks/2,3", ifMatch=["x"]),
            delete("p", "/tracks/3"),
            delete("q", "/albums/2"),
            delete("r", "/artists/2"),
        ],
        {"bad": STALE},
    ),
    "a key that is free after what is held": (
        [
            delete("bad", "/playlistTracks/2,3", ifMatch=["x"]),
            delete("p", "/tracks/3"),
            create("q", "/tracks/3", TRACK),
            part("r", "UPSERT", "/tracks/3", TRACK, ifNoneMatch=None),
        ],
        {"bad": STALE},
    ),
    "own faults on the way end nothing": (
        [
            BAD_ARTIST,
            create("p", "/artists/9/albums/9", {"title": 5}),
            create("q", "/albums/9/tracks", TRACK),
            part("r", "GET", "/albums/8"),
        ],
        {"bad": TYPE, "p": TITLE, "r": ABSENT},
    ),
}

ALL = {"items": MISSING_ITEMS, "holders": HOLDERS, "versions": VERSIONS, "chains": CHAINS}


def test_a_verdict_that_stands_only_because_an_errored_part_had_no_effect_is_left_out(music: Api, backend: Backend):
    before = backend.dump()

    found = {
        f"{kind}: {name}": tried_all(music, *parts) for kind, cases in ALL.items() for name, (parts, _) in cases.items()
    }

    assert found == {f"{kind}: {name}": said for kind, cases in ALL.items() for name, (_, said) in cases.items()}
    assert backend.dump() == before
