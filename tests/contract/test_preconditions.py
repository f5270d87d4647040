"""Preconditions, RFC 9110's (docs/contract.md, section 2, rule 3), and the etags that they ask about."""

from itertools import product
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import BARE_BATCH, Api, Backend, faults, part
from tests.support.trying import tried

ABSENT = object()
STAR = ["*"]
FAILED, INVALID = "412 PRECONDITION_FAILED", "400 INVALID_PRECONDITION"

# What is given -> whether ifMatch holds, whether ifNoneMatch holds, for an item that is there and has ETAG.
GIVEN = {
    "absent": (True, True),
    "null": (True, False),
    "star": (True, False),
    "star among others": (True, False),
    "own": (True, False),
    "quoted": (True, False),
    "weak": (False, False),
    "weak without quotes": (False, False),
    "other": (False, True),
    "others": (False, True),
    "own among others": (True, False),
    "weak among others": (False, False),
}


def spelled(given, etag):
    return {
        "absent": ABSENT,
        "null": None,
        "star": STAR,
        "star among others": ["x", "*"],
        "own": [etag],
        "quoted": [f'"{etag}"'],
        "weak": [f'W/"{etag}"'],
        "weak without quotes": [f"W/{etag}"],
        "other": ["x"],
        "others": ["x", 'W/"y"', ""],
        "own among others": ["x", etag],
        "weak among others": ["x", f'W/"{etag}"'],
    }[given]


def conditions(if_match, if_none_match, etag):
    both = {"ifMatch": spelled(if_match, etag), "ifNoneMatch": spelled(if_none_match, etag)}
    return {name: value for name, value in both.items() if value is not ABSENT}


# operation -> its path and payload, what it answers on an item that is there, and on one that is absent
THERE = {"GET": "200", "UPDATE": "200", "REPLACE": "200", "UPSERT": "200", "DELETE": "204"}
PAYLOADS = {"GET": None, "DELETE": None}
NEW = {"title": "Neu", "artistId": 1}


def expected(operation, if_match, if_none_match):
    """Rule 3 for an item that is there. The empty list, and both null, have tests of their own."""
    matches, none_matches = GIVEN[if_match][0], GIVEN[if_none_match][1]
    if not matches:
        return f"{FAILED} /ifMatch"
    if not none_matches:
        return "304" if operation == "GET" else f"{FAILED} /ifNoneMatch"
    return {**THERE, "CREATE": "409 CONFLICT /path"}[operation]


@pytest.mark.parametrize("operation", [*THERE, "CREATE"])
def test_preconditions_on_an_item_that_is_there(operation, music: Api, backend: Backend):
    before = backend.dump()
    etag = music.one("GET", "/albums/3")["etag"]
    any_version = {"null", "star", "star among others"}
    cases = [each for each in product(GIVEN, GIVEN) if not any_version.issuperset(each)]
    cases = [each for each in cases if "absent" in each or "own" in each or "other" in each or "weak" in each]

    found = {
        case: tried(music, operation, "/albums/3", PAYLOADS.get(operation, NEW), **conditions(*case, etag))
        for case in cases
    }

    assert found == {case: expected(operation, *case) for case in cases}
    assert backend.dump() == before


VERSIONED = """
CREATE TABLE things (id {key}, n INTEGER, version INTEGER NOT NULL);
INSERT INTO things (id, n, version) VALUES (1, 1, 4), (2, 2, 4), (3, 3, 4);
"""
UNVERSIONED = VERSIONED.replace("version", "other")


@pytest.mark.parametrize("groups", [True, False], ids=["bulk", "one by one"])
@pytest.mark.parametrize("script", [VERSIONED, UNVERSIONED], ids=["counted versions", "content"])
@pytest.mark.parametrize("operation", ["UPDATE", "DELETE"])
def test_each_of_several_parts_is_judged_as_one_is(
    backend: Backend, start: Serve, operation: str, script: str, groups: bool
):
    backend.run(script)
    own = {"resources": {"things": {"version": "version"}}} if script is VERSIONED else {}
    api = start(backend, groups=groups, **own)
    before = backend.dump()
    payload = {"n": 9} if operation == "UPDATE" else None
    etags = {key: api.one("GET", f"/things/{key}")["etag"] for key in (1, 2, 3)}
    assert (etags[1] == "4") is (script is VERSIONED)

    found = {}
    for given in GIVEN:
        others = {key: conditions(given, "absent", etag) for key, etag in etags.items()}
        result = api.batch(
            *(part(f"p{key}", operation, f"/things/{key}", payload, **each) for key, each in others.items()),
            dry_run=True,
        )
        found[given] = faults(result)

    failed = {f"p{key}": [("PRECONDITION_FAILED", "/ifMatch")] for key in etags}
    assert {name: each for name, each in found.items() if any(each.values())} == {
        name: failed for name, (matches, _) in GIVEN.items() if not matches
    }
    assert backend.dump() == before


@pytest.mark.parametrize("groups", [True, False], ids=["bulk", "one by one"])
@pytest.mark.parametrize("operation", ["UPDATE", "DELETE"])
def test_items_whose_version_cannot_be_read_have_etags_too(sqlite: Backend, start: Serve, operation: str, groups: bool):
    sqlite.run(VERSIONED)
    sqlite.run("UPDATE things SET version = 'four' WHERE id <> 2")
    api = start(sqlite, groups=groups, resources={"things": {"version": "version"}})
    read = api.post("{ things { nodes { id etag } } }")["data"]["things"]["nodes"]
    payload = {"n": 9} if operation == "UPDATE" else None

    def told(etags: dict[int, str]) -> Any:
        parts = [part(f"p{key}", operation, f"/things/{key}", payload, ifMatch=[etag]) for key, etag in etags.items()]
        result = api.post(BARE_BATCH, {"parts": parts, "dryRun": True})["data"]["batch"]
        codes = {each["id"]: [error["code"] for error in each["errors"]] for each in result["parts"]}
        return result["status"], {id_: each for id_, each in codes.items() if each}

    assert told({each["id"]: each["etag"] for each in read}) == ("VALID", {})
    assert told({1: read[0]["etag"], 2: "4", 3: "x"}) == ("REJECTED", {"p3": ["PRECONDITION_FAILED"]})


def test_preconditions_on_an_item_that_is_absent(music: Api, backend: Backend):
    before = backend.dump()
    etag = music.one("GET", "/albums/3")["etag"]
    absent = dict.fromkeys(("GET", "UPDATE", "REPLACE", "DELETE"), "404 NOT_FOUND /path")
    without = {**absent, "CREATE": "201", "UPSERT": "201"}

    found = {
        (operation, name, given): tried(
            music, operation, "/albums/9", PAYLOADS.get(operation, NEW), **{name: spelled(given, etag)}
        )
        for operation in without
        for name in ("ifMatch", "ifNoneMatch")
        for given in GIVEN
        if given != "absent"
    }

    assert found == {
        (operation, name, given): f"{FAILED} /ifMatch" if name == "ifMatch" else without[operation]
        for operation, name, given in found
    }
    assert backend.dump() == before


def test_an_upsert_at_a_collection_takes_preconditions(music: Api):
    etag = music.one("GET", "/albums/3")["etag"]
    there, absent = {"albumId": 3, "title": "T"}, {"albumId": 9, **NEW}

    assert tried(music, "UPSERT", "/albums", there, ifMatch=[etag]) == "200"
    assert tried(music, "UPSERT", "/albums", there, ifMatch=["x"]) == f"{FAILED} /ifMatch"
    assert tried(music, "UPSERT", "/albums", there, ifNoneMatch=None) == f"{FAILED} /ifNoneMatch"
    assert tried(music, "UPSERT", "/albums", absent, ifNoneMatch=None) == "201"
    assert tried(music, "UPSERT", "/albums", absent, ifMatch=None) == f"{FAILED} /ifMatch"
    assert tried(music, "UPSERT", "/artists/1/albums", {"albumId": 3}, ifMatch=[etag]) == "200"
    assert tried(music, "UPSERT", "/artists/1/albums", {"albumId": 3}, ifMatch=["x"]) == f"{FAILED} /ifMatch"


def test_preconditions_that_can_mean_nothing_are_invalid(music: Api):
    meaningless: list[dict[str, Any]] = [{"ifMatch": []}, {"ifNoneMatch": []}, {"ifMatch": None, "ifNoneMatch": None}]

    found = {
        (operation, path): [
            tried(music, operation, path, PAYLOADS.get(operation, NEW), **given) for given in meaningless
        ]
        for operation in (*THERE, "CREATE")
        for path in ("/albums/3", "/albums/9")
    }

    both_null = {said for *_, said in found.values()}
    assert all(said.startswith(INVALID) for said in both_null)
    assert {(first, second) for first, second, _ in found.values()} == {
        (f"{INVALID} /ifMatch", f"{INVALID} /ifNoneMatch")
    }


def test_a_collection_takes_no_precondition(music: Api):
    found = {
        (operation, path, name, str(given)): tried(music, operation, path, payload, **{name: given})
        for operation, payload in (("GET", None), ("CREATE", {"title": "T", "artistId": 1}))
        for path in ("/albums", "/artists/1/albums")
        for name in ("ifMatch", "ifNoneMatch")
        for given in (None, ["x"], STAR)
    }

    assert len(found) == 24
    assert found == {case: f"{INVALID} /{case[2]}" for case in found}


HELD: list[Any] = [
    ("UPDATE", "/albums/3", {}, None),
    ("UPDATE", "/albums/3", {"ifMatch": None}, True),
    ("UPDATE", "/albums/3", {"ifNoneMatch": ["x"]}, True),
    ("UPDATE", "/albums/3", {"ifMatch": ["x"]}, False),
    ("UPDATE", "/albums/9", {"ifMatch": ["x"]}, False),
    ("UPDATE", "/albums/9", {}, None),
    ("UPDATE", "/albums/9", {"ifNoneMatch": ["x"]}, True),
    ("CREATE", "/albums/3", {"ifMatch": None}, True),  # the precondition held, and then there was a conflict
    ("UPDATE", "/albums/3", {"ifMatch": []}, None),
    ("UPDATE", "/albums/3", {"ifMatch": None, "payload": {"title": 5}}, None),
    ("UPDATE", "/albums/3", {"ifMatch": None, "payload": {"artistId": 99}}, True),
    ("GET", "/albums/3", {"ifNoneMatch": None}, False),
    ("GET", "/albums/3", {"ifNoneMatch": ["x"]}, True),
    ("GET", "/albums/3", {"ifMatch": ["x"]}, False),
]


def test_a_part_says_whether_its_precondition_held(music: Api):
    found = []
    for operation, path, given, _ in HELD:
        payload = given.get("payload", PAYLOADS.get(operation, NEW))
        others = {name: value for name, value in given.items() if name != "payload"}
        (result,) = music.batch(part("p", operation, path, payload, **others), dry_run=True)["parts"]
        found.append((operation, path, given, result["preconditionSucceeded"]))

    assert found == HELD


def test_a_failed_precondition_answers_the_item_as_it_is(music: Api):
    current = music.one("GET", "/albums/1")

    for operation in ("GET", "UPDATE", "REPLACE", "UPSERT", "DELETE", "CREATE"):
        failed = music.one(operation, "/albums/1", PAYLOADS.get(operation, NEW), ifMatch=["x"])

        assert (failed["status"], failed["preconditionSucceeded"]) == (412, False)
        assert {name: failed[name] for name in ("etag", "payload", "item", "path")} == {
            name: current[name] for name in ("etag", "payload", "item", "path")
        }


def test_a_failed_precondition_on_an_absent_item_answers_no_state(music: Api):
    for operation in ("GET", "UPDATE", "UPSERT"):
        failed = music.one(operation, "/albums/9", PAYLOADS.get(operation, NEW), ifMatch=None)

        assert [failed[name] for name in ("status", "etag", "payload", "item")] == [412, None, None, None]


def test_a_failed_precondition_answers_the_committed_state_whatever_the_batch_did_before(music: Api, backend: Backend):
    before = backend.dump()
    committed = music.one("GET", "/albums/1")

    result = music.post(
        """mutation ($parts: [PartInput!]!) { batch(parts: $parts) {
             parts { id etag payload item { path etag ... on Album { title artist { name } } } } query { artist(artistId: 1) { name } }
           } }""",
        {
            "parts": [
                part("change", "UPDATE", "/albums/1", {"title": "Changed", "artistId": 2}),
                part("rename", "UPDATE", "/artists/1", {"name": "Changed"}),
                part("late", "UPDATE", "/albums/1", {"title": "Again"}, ifMatch=[committed["etag"]]),
            ]
        },
    )["data"]["batch"]

    (late,) = result["parts"]
    assert late == {
        "id": "late",
        "etag": committed["etag"],
        "payload": {"albumId": 1, "title": "Erste", "artistId": 1},
        "item": {"path": "/albums/1", "etag": committed["etag"], "title": "Erste", "artist": {"name": "Nordlicht"}},
    }
    assert result["query"] == {"artist": {"name": "Nordlicht"}}
    assert backend.dump() == before


def test_a_failed_precondition_on_an_item_that_only_the_batch_made_answers_no_state(music: Api):
    result = music.batch(
        part("make", "CREATE", "/artists/9", {"name": "N"}),
        part("late", "UPDATE", "/artists/9", {"name": "M"}, ifMatch=["x"]),
    )

    (late,) = result["parts"]
    assert faults(result) == {"late": [("PRECONDITION_FAILED", "/ifMatch")]}
    assert [late[name] for name in ("etag", "payload", "item")] == [None, None, None]


def test_a_failed_precondition_on_an_item_that_the_batch_deleted_answers_no_false_state(music: Api):
    committed = music.one("GET", "/artists/3")

    result = music.batch(
        part("delete", "DELETE", "/artists/3"),
        part("late", "UPDATE", "/artists/3", {"name": "M"}, ifMatch=[committed["etag"]]),
    )

    assert faults(result) == {"late": [("PRECONDITION_FAILED", "/ifMatch")]}


def test_an_unchanged_item_is_not_sent_again_and_the_batch_goes_on(music: Api):
    etag = music.one("GET", "/albums/1")["etag"]

    result = music.batch(
        part("read", "GET", "/albums/1", ifNoneMatch=[etag]),
        part("go on", "UPDATE", "/albums/1", {"title": "Neu"}),
        part("changed", "GET", "/albums/1", ifNoneMatch=[etag]),
    )

    assert result["status"] == "COMMITTED"
    unchanged, updated, changed = result["parts"]
    assert [unchanged[name] for name in ("status", "path", "etag", "payload", "item", "errors")] == [
        304, "/albums/1", etag, None, None, [],
    ]  # fmt: skip
    assert (changed["status"], changed["etag"]) == (200, updated["etag"])


def test_a_get_with_if_match_guards_the_batch(music: Api, backend: Backend):
    etag = music.one("GET", "/artists/1")["etag"]
    write = part("write", "CREATE", "/artists/1/albums", {"title": "Vierte"})
    assert music.batch(part("guard", "GET", "/artists/1", ifMatch=[etag]), write)["status"] == "COMMITTED"
    music.one("UPDATE", "/artists/1", {"name": "Südlicht"})
    before = backend.dump()

    result = music.batch(part("guard", "GET", "/artists/1", ifMatch=[etag]), write)

    assert faults(result) == {"guard": [("PRECONDITION_FAILED", "/ifMatch")]}
    assert backend.dump() == before


def test_an_etag_is_the_one_just_answered_by_the_part_before(music: Api):
    changed = music.one("UPDATE", "/albums/1", {"title": "A"}, ifMatch=None)
    again = music.one("UPDATE", "/albums/1", {"title": "B"}, ifMatch=[changed["etag"]])
    stale = music.one("UPDATE", "/albums/1", {"title": "C"}, ifMatch=[changed["etag"]])

    assert (changed["status"], again["status"], stale["status"]) == (200, 200, 412)


def test_of_items_that_are_all_absent_no_version_is_right(backend: Backend, start: Serve):
    backend.run("CREATE TABLE thing (id {key}, name VARCHAR(9), version INTEGER NOT NULL DEFAULT 1)")
    api = start(backend, resources={"thing": {"version": "version"}})

    rejected = api.batch(*(part(f"p{n}", "UPDATE", f"/things/{n}", {"name": "x"}, ifMatch=["1"]) for n in range(3)))

    assert faults(rejected) == {f"p{n}": [("PRECONDITION_FAILED", "/ifMatch")] for n in range(3)}


LAST = {"SMALLINT": 2**15 - 1, "INTEGER": 2**31 - 1, "BIGINT": 2**63 - 1}


@pytest.mark.parametrize("type_", LAST)
@pytest.mark.parametrize("groups", [True, False])
def test_an_item_that_has_had_all_versions_is_not_changed_any_more(
    backend: Backend, start: Serve, type_: str, groups: bool
):
    backend.run(f"CREATE TABLE thing (id {{key}}, name VARCHAR(9), version {type_} NOT NULL)")
    backend.run(
        f"INSERT INTO thing (id, version) VALUES (1, {LAST[type_] - 1}), (2, {LAST[type_]}), (3, {LAST[type_]})"
    )
    api = start(backend, groups=groups, resources={"thing": {"version": "version"}})
    before = backend.dump()
    over = [("INVALID_VALUE", "/payload")]

    alone = api.batch(part("a", "UPDATE", "/things/2", {"name": "x"}, ifMatch=[str(LAST[type_])]))
    several = api.batch(*(part(f"p{n}", "UPDATE", f"/things/{n}", {"name": "x"}) for n in (1, 2, 3)))
    again = api.batch(*(part(f"p{n}", "REPLACE", "/things/1", {"name": "x"}) for n in (1, 2)))

    assert faults(alone) == {"a": over}
    assert faults(several) == {"p2": over, "p3": over}
    assert faults(again) == {"p2": over}
    assert backend.dump() == before
    assert api.one("UPDATE", "/things/1", {"name": "x"})["etag"] == str(LAST[type_])
