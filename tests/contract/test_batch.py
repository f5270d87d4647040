"""The batch mutation, rule by rule (docs/contract.md, section 2), through HTTP on both databases."""

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part
from tests.support.music import SCRIPT


def test_parts_run_in_order_in_one_transaction(music: Api, backend: Backend):
    result = music.batch(
        part("artist", "CREATE", "/artists", {"name": "Neu"}),
        part("album", "CREATE", "/artists/$artist/albums", {"title": "Vierte"}),
        part(
            "track",
            "CREATE",
            "/albums/$album/tracks",
            {"name": "Eins", "mediaTypeId": 1, "milliseconds": 1, "unitPrice": "0.99"},
        ),
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


ONE_OF_EACH = [
    part("create", "CREATE", "/artists/90", {"name": "N"}),
    part("below", "CREATE", "/artists/90/albums/90", {"title": "T"}),
    part("update", "UPDATE", "/albums/1", {"title": "T"}),
    part("replace", "REPLACE", "/artists/2", {"name": "R"}),
    part("upsert", "UPSERT", "/albums/3", {"title": "U"}),
    part("upsert new", "UPSERT", "/playlistTracks/2,1"),
    part("delete", "DELETE", "/playlistTracks/1,1"),
    part("read", "GET", "/artists/90"),
    part("list", "GET", "/albums"),
]
FAILING = {
    "syntax": (part("bad", "GET", "albums"), "INVALID_PATH"),
    "resource": (part("bad", "GET", "/nothing"), "UNKNOWN_RESOURCE"),
    "operation": (part("bad", "DELETE", "/albums"), "OPERATION_NOT_ALLOWED"),
    "precondition that means nothing": (part("bad", "GET", "/albums/1", ifMatch=[]), "INVALID_PRECONDITION"),
    "reference": (part("bad", "GET", "/albums/$none"), "INVALID_REFERENCE"),
    "payload": (part("bad", "CREATE", "/albums", []), "INVALID_PAYLOAD"),
    "attribute": (part("bad", "UPDATE", "/albums/2", {"x": 1}), "UNKNOWN_ATTRIBUTE"),
    "key": (part("bad", "UPDATE", "/albums/2", {"albumId": 5}), "READ_ONLY"),
    "required": (part("bad", "CREATE", "/albums", {}), "REQUIRED"),
    "value": (part("bad", "UPDATE", "/albums/2", {"title": 5}), "INVALID_VALUE"),
    "existence": (part("bad", "UPDATE", "/albums/99", {"title": "T"}), "NOT_FOUND"),
    "precondition": (part("bad", "UPDATE", "/artists/3", {"name": "N"}, ifMatch=["x"]), "PRECONDITION_FAILED"),
    "unique": (part("bad", "CREATE", "/playlists", {"name": "Evening"}), "CONFLICT"),
    "foreign key": (part("bad", "CREATE", "/albums", {"title": "T", "artistId": 99}), "MISSING_TARGET"),
    "still referenced": (part("bad", "DELETE", "/artists/1"), "STILL_REFERENCED"),
    "check": (part("bad", "UPDATE", "/tracks/1", {"milliseconds": 0}), "CHECK_FAILED"),
}


def test_one_errored_part_at_any_place_undoes_all_others(music: Api, backend: Backend):
    before = backend.dump()

    for kind, (bad, code) in FAILING.items():
        for place in (0, 5, len(ONE_OF_EACH)):
            result = music.batch(*ONE_OF_EACH[:place], bad, *ONE_OF_EACH[place:])
            assert (result["status"], result["committed"]) == ("REJECTED", False), kind
            assert [(each["id"], each["index"], each["errors"][0]["code"]) for each in result["parts"]] == [
                ("bad", place, code)
            ], kind
    assert backend.dump() == before

    assert music.batch(*ONE_OF_EACH)["status"] == "COMMITTED"


def test_all_errored_parts_are_listed_in_request_order_and_no_others(music: Api, backend: Backend):
    before = backend.dump()
    errored = [{**bad, "id": kind} for kind, (bad, _) in FAILING.items()]
    fine = [part(f"fine {number}", "CREATE", f"/artists/{number}") for number in range(50, 50 + len(errored))]
    mixed = [each for pair in zip(errored, fine, strict=True) for each in pair]

    result = music.batch(*mixed)

    assert [(each["id"], each["errors"][0]["code"]) for each in result["parts"]] == [
        (kind, code) for kind, (_, code) in FAILING.items()
    ]
    assert [each["status"] for each in result["parts"]] == [
        400, 404, 405, 400, 400, 422, 422, 422, 422, 422, 404, 412, 409, 409, 409, 422,
    ]  # fmt: skip
    assert backend.dump() == before


TRACK = {"name": "N", "mediaTypeId": 1, "milliseconds": 1, "unitPrice": "1"}


def test_several_faults_of_one_part_are_all_listed_in_order_of_their_kinds(music: Api):
    result = music.batch(
        part("face", "CREATE", "/albums/9", {"nothing": 1, "title": 5}, ifNoneMatch=[]),
        part("both", "GET", "/albums/1", {"title": "T"}, ifMatch=[], ifNoneMatch=[]),
        part("twice", "CREATE", "/tracks", {"name": None, "milliseconds": "1", "unitPrice": "x"}),
        part("twice", "GET", "nowhere"),
        part("database", "CREATE", "/tracks", TRACK | {"trackId": 1, "mediaTypeId": 99, "milliseconds": 0}),
    )

    codes = [[each["code"] for each in found["errors"]] for found in result["parts"]]
    assert codes == [
        ["INVALID_PRECONDITION", "UNKNOWN_ATTRIBUTE", "INVALID_VALUE", "REQUIRED"],
        ["INVALID_PRECONDITION", "INVALID_PRECONDITION", "INVALID_PAYLOAD"],
        ["DUPLICATE_ID", "REQUIRED", "INVALID_VALUE", "INVALID_VALUE", "REQUIRED"],
        ["DUPLICATE_ID", "INVALID_PATH"],
        ["CONFLICT", "MISSING_TARGET", "CHECK_FAILED"],
    ]


def test_an_errored_part_answers_its_path_as_sent_or_canonical_and_its_first_status(music: Api):
    result = music.batch(
        part("absent", "GET", "/artists/1/albums/2"),
        part("there", "UPDATE", "/artists/1/albums/1", {"title": "T"}, ifMatch=["x"]),
        part("syntax", "GET", "/artists/"),
    )

    assert [(each["path"], each["status"]) for each in result["parts"]] == [
        ("/artists/1/albums/2", 404),
        ("/albums/1", 412),
        ("/artists/", 400),
    ]


def test_a_duplicate_id_is_a_fault_of_every_holder_and_of_no_other(music: Api, backend: Backend):
    before = backend.dump()

    result = music.batch(
        part("a", "CREATE", "/artists", {"name": "A"}),
        part("b", "CREATE", "/artists", {"name": "B"}),
        part("a", "CREATE", "/artists", {"name": "C"}),
        part("A", "CREATE", "/artists", {"name": "D"}),
        part("a", "GET", "/artists/1"),
    )

    assert [(each["id"], each["index"], each["status"]) for each in result["parts"]] == [
        ("a", 0, 400),
        ("a", 2, 400),
        ("a", 4, 400),
    ]
    assert {(e["code"], e["pointer"]) for each in result["parts"] for e in each["errors"]} == {("DUPLICATE_ID", "/id")}
    assert backend.dump() == before


RUN = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status } }"


def test_an_id_has_one_to_255_characters(music: Api):
    for length, fine in ((0, False), (1, True), (255, True), (256, False)):
        answer = music.post(RUN, {"parts": [part("x" * length, "GET", "/artists/1")]})

        assert ("errors" not in answer) is fine, length
        if not fine:
            assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_the_first_id_of_invalid_length_is_named(music: Api, backend: Backend):
    before = backend.dump()

    answer = music.post(RUN, {"parts": [part(id_, "CREATE", "/artists", {}) for id_ in ("a", "", "x" * 256)]})

    assert [each["message"] for each in answer["errors"]] == ["The id of part 1 must have 1 to 255 characters."]
    assert backend.dump() == before


def test_no_part_and_too_many_parts_are_request_errors(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, max_parts=3)
    before = backend.dump()
    parts = [part(str(n), "CREATE", f"/artists/{10 + n}") for n in range(4)]

    for sent, code in (([], "NO_PARTS"), (parts, "TOO_MANY_PARTS")):
        answer = api.post(RUN, {"parts": sent})
        assert answer["data"] == {"batch": None}
        assert [each["extensions"]["code"] for each in answer["errors"]] == [code]
    assert backend.dump() == before
    assert api.batch(*parts[:3])["status"] == "COMMITTED"


def test_a_dry_run_says_what_the_real_run_then_does_and_changes_nothing(music: Api, backend: Backend):
    before = backend.dump()

    tried = music.batch(*ONE_OF_EACH, dry_run=True)
    assert (tried["status"], tried["committed"]) == ("VALID", False)
    assert backend.dump() == before

    real = music.batch(*ONE_OF_EACH)
    assert (real["status"], real["committed"]) == ("COMMITTED", True)
    assert tried["parts"] == real["parts"]
    assert [each["status"] for each in real["parts"]] == [201, 201, 200, 200, 200, 201, 204, 200, 200]
    assert backend.dump() != before


def test_a_dry_run_rejects_what_the_real_run_rejects(music: Api, backend: Backend):
    before = backend.dump()
    parts = [ONE_OF_EACH[0], *({**bad, "id": kind} for kind, (bad, _) in FAILING.items())]

    tried = music.batch(*parts, dry_run=True)

    assert tried["status"] == "REJECTED"
    assert tried == music.batch(*parts)
    assert backend.dump() == before


def test_several_batch_fields_are_several_transactions_one_after_the_other(music: Api, backend: Backend):
    answer = music.query(
        """mutation ($a: [PartInput!]!, $b: [PartInput!]!, $c: [PartInput!]!) {
             first: batch(parts: $a) { status parts { path } }
             second: batch(parts: $b) { status parts { id errors { code } } query { artist(artistId: 9) { name } } }
             third: batch(parts: $c) { status parts { payload } }
           }""",
        a=[part("p", "CREATE", "/artists/9", {"name": "N"})],
        b=[part("p", "UPDATE", "/artists/9", {"name": "M"}), part("q", "GET", "/artists/99")],
        c=[part("p", "GET", "/artists/9")],
    )

    assert answer == {
        "first": {"status": "COMMITTED", "parts": [{"path": "/artists/9"}]},
        "second": {
            "status": "REJECTED",
            "parts": [{"id": "q", "errors": [{"code": "NOT_FOUND"}]}],
            "query": {"artist": {"name": "N"}},
        },
        "third": {"status": "COMMITTED", "parts": [{"payload": {"artistId": 9, "name": "N"}}]},
    }
    assert backend.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" = 9') == [("N",)]


def test_parts_of_several_batch_fields_count_together_before_the_first_runs(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api = start(backend, max_parts=3)
    before = backend.dump()
    two = """mutation ($a: [PartInput!]!, $b: [PartInput!]!) {
               a: batch(parts: $a) { status } ... on Mutation { b: batch(parts: $b) { status } } }"""
    a, b = ([part(str(n), "CREATE", f"/artists/{start + n}") for n in range(2)] for start in (10, 20))

    answer = api.post(two, {"a": a, "b": b})

    assert answer["data"] == {"a": None, "b": None}
    assert {each["extensions"]["code"] for each in answer["errors"]} == {"TOO_MANY_PARTS"}
    assert backend.dump() == before
    assert "errors" not in api.post(two, {"a": a, "b": b[:1]})


WITH_QUERY = """
mutation ($parts: [PartInput!]!, $dryRun: Boolean!) { batch(parts: $parts, dryRun: $dryRun) {
  status
  parts { id item { ... on Artist { name albums { totalCount nodes { title } } } ... on Album { title artist { name } } } }
  query { artist(artistId: 9) { name albums { nodes { title } } } node(path: "/albums/1") { path ... on Album { title } } }
} }
"""
WRITES = [
    part("artist", "CREATE", "/artists/9", {"name": "First"}),
    part("album", "UPDATE", "/albums/1", {"artistId": 9, "title": "Early"}),
    part("name", "UPDATE", "/artists/9", {"name": "Last"}),
    part("title", "UPDATE", "/albums/1", {"title": "Late"}),
    part("gone", "CREATE", "/mediaTypes/9"),
    part("delete", "DELETE", "/mediaTypes/9"),
]
LATE = {"path": "/albums/1", "title": "Late"}
ERSTE = {"path": "/albums/1", "title": "Erste"}


@pytest.mark.parametrize(
    ("dry_run", "bad", "status", "query"),
    [
        (
            False,
            False,
            "COMMITTED",
            {"artist": {"name": "Last", "albums": {"nodes": [{"title": "Late"}]}}, "node": LATE},
        ),
        (True, False, "VALID", {"artist": {"name": "Last", "albums": {"nodes": [{"title": "Late"}]}}, "node": LATE}),
        (False, True, "REJECTED", {"artist": None, "node": ERSTE}),
        (True, True, "REJECTED", {"artist": None, "node": ERSTE}),
    ],
    ids=["committed", "dry run", "rejected", "rejected dry run"],
)
def test_a_query_reads_as_the_batch_left_it(dry_run, bad, status, query, music: Api):
    parts = [*WRITES, *([part("bad", "GET", "/artists/99")] if bad else [])]

    result = music.query(WITH_QUERY, parts=parts, dryRun=dry_run)["batch"]

    assert (result["status"], result["query"]) == (status, query)


def test_own_attributes_are_as_the_part_left_them_and_relations_as_the_batch_left_them(music: Api):
    result = music.query(WITH_QUERY, parts=WRITES, dryRun=False)["batch"]

    late = {"totalCount": 1, "nodes": [{"title": "Late"}]}
    assert {each["id"]: each["item"] for each in result["parts"]} == {
        "artist": {"name": "First", "albums": late},
        "album": {"title": "Early", "artist": {"name": "Last"}},
        "name": {"name": "Last", "albums": late},
        "title": {"title": "Late", "artist": {"name": "Last"}},
        "gone": {},
        "delete": None,
    }


def test_an_item_that_a_later_part_deletes_keeps_its_attributes_and_has_no_relations(music: Api):
    result = music.query(
        WITH_QUERY,
        parts=[part("made", "CREATE", "/artists/8", {"name": "N"}), part("gone", "DELETE", "/artists/8")],
        dryRun=False,
    )["batch"]

    assert result["parts"][0]["item"] == {"name": "N", "albums": {"totalCount": 0, "nodes": []}}


def test_a_wrong_argument_in_the_answer_runs_nothing(music: Api, backend: Backend):
    before = backend.dump()

    answer = music.post(
        'mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status query { node(path: "nowhere") { path } } } }',
        {"parts": WRITES},
    )

    assert answer["data"] == {"batch": None}
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert backend.dump() == before
