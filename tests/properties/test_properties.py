"""What holds for every batch, tried on random ones (tests/support/batches.py): PARTWISE_EXAMPLES=5000 tries longer."""

from collections.abc import Iterator

import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from tests.conftest import Serve
from tests.support.batches import HOPELESS, PLAIN, batches
from tests.support.examples import tried_with
from tests.support.harness import Backend, Json, faults
from tests.support.worlds import START_ITEMS, Part, World, alike, made_keys, make_world

# One served database serves all examples of a test: it is set back to its start before each.
tried = tried_with(40)


@pytest.fixture
def world(backend: Backend, start: Serve) -> Iterator[World]:
    made = make_world(backend, start)
    yield made
    made.close()


@pytest.fixture
def worlds(sqlite: Backend, postgresql: Backend, start: Serve) -> Iterator[tuple[World, World]]:
    both = make_world(sqlite, start), make_world(postgresql, start)
    yield both
    for each in both:
        each.close()


def ids(result: Json) -> set[str]:
    return {part["id"] for part in result["parts"]}


def good_parts(world: World, parts: list[Part]) -> list[Part]:
    """Leave out what is in error, again and again, until the rest would commit. Leaves the world at its start."""
    world.reset()
    while parts and (result := world.send(parts, dry_run=True))["status"] != "VALID":
        parts = [part for part in parts if part["id"] not in ids(result)]
    return parts


@tried
@given(parts=batches())
def test_a_batch_says_what_became_of_it_and_does_so(world: World, parts: list[Part]):
    world.reset()
    before = world.tables()

    result = world.send(parts)

    event(result["status"])
    places = [part["index"] for part in result["parts"]]
    assert places == sorted(set(places))
    assert [part["id"] for part in result["parts"]] == [parts[place]["id"] for place in places]
    assert result["committed"] is (result["status"] == "COMMITTED")
    if result["committed"]:
        assert len(places) == len(parts)
        assert all(not part["errors"] and part["status"] < 400 for part in result["parts"])
    else:
        assert result["status"] == "REJECTED"
        assert result["parts"]
        assert all(part["errors"] and part["status"] >= 400 for part in result["parts"])
        current = {part["path"]: part["etag"] for part in result["parts"] if part["etag"] is not None}
        assert current == {path: world.etags[path] for path in current}  # as committed, not as the batch had it
        assert world.tables() == before


@tried
@given(parts=batches(), data=st.data())
def test_what_is_wrong_on_the_face_of_a_part_is_always_listed(world: World, parts: list[Part], data: st.DataObject):
    plain, fault = data.draw(st.sampled_from(PLAIN))
    place = data.draw(st.integers(0, len(parts)))
    world.reset()

    result = world.send([*parts[:place], {"id": "plain", **plain}, *parts[place:]], dry_run=True)

    assert fault in faults(result)["plain"]


# Parts that need parent 4, and what they would be told if it were simply not there.
NEEDS_PARENT_4: tuple[tuple[Part, tuple[str, str]], ...] = (
    ({"operation": "GET", "path": "/parents/4"}, ("NOT_FOUND", "/path")),
    ({"operation": "DELETE", "path": "/parents/4"}, ("NOT_FOUND", "/path")),
    ({"operation": "UPDATE", "path": "/parents/4", "ifMatch": None}, ("PRECONDITION_FAILED", "/ifMatch")),
    ({"operation": "CREATE", "path": "/parents/4/children", "payload": {"name": "w"}}, ("NOT_FOUND", "/path")),
    ({"operation": "GET", "path": "/parents/4/links"}, ("NOT_FOUND", "/path")),
    (
        {"operation": "CREATE", "path": "/children", "payload": {"parentId": 4, "name": "w"}},
        ("MISSING_TARGET", "/payload/parentId"),
    ),
    (
        {"operation": "UPDATE", "path": "/children/3", "payload": {"parentId": 4}},
        ("MISSING_TARGET", "/payload/parentId"),
    ),
    ({"operation": "UPDATE", "path": "/parents/1", "payload": {"aboveId": 4}}, ("MISSING_TARGET", "/payload/aboveId")),
)
MAKES_PARENT_4: tuple[Part, ...] = (
    {"operation": "CREATE", "path": "/parents", "payload": {"id": 4, "code": "k", "rank": "x"}},
    {"operation": "CREATE", "path": "/parents/4", "payload": {"code": "k", "colour": "red"}},
    {"operation": "UPSERT", "path": "/parents/4", "payload": {"code": "k", "aboveId": "1"}},
    {"operation": "CREATE", "path": "/parents/4", "payload": {"code": "k", "aboveId": 77}},
    {"operation": "UPSERT", "path": "/parents/4", "payload": {"code": "a"}},
)


@tried
@given(parts=batches(), data=st.data())
def test_what_misses_only_the_item_of_an_errored_part_is_left_out(world: World, parts: list[Part], data: st.DataObject):
    world.reset()
    parts = [part for part in good_parts(world, parts) if "4" not in part["path"]]
    maker = data.draw(st.sampled_from(MAKES_PARENT_4))
    needy, absent = data.draw(st.sampled_from(NEEDS_PARENT_4))
    first = data.draw(st.integers(0, len(parts)))
    then = data.draw(st.integers(first, len(parts)))
    middle = [{"id": "maker", **maker}, *parts[first:then], {"id": "needy", **needy}]

    listed = faults(world.send([*parts[:first], *middle, *parts[then:]], dry_run=True))

    assume("maker" in listed)
    assert absent not in listed.get("needy", [])


@tried
@given(parts=batches(most=1), reads=st.lists(st.sampled_from([*START_ITEMS, "/parents", "/toys?limit=2"]), max_size=4))
def test_reads_before_a_part_change_nothing_about_it(world: World, parts: list[Part], reads: list[str]):
    world.reset()
    alone = world.send(parts)
    after_alone = world.tables()
    world.reset()
    harmless: list[Part] = [{"id": f"r{n}", "operation": "GET", "path": path} for n, path in enumerate(reads)]

    result = world.send([*harmless, *parts])

    assert result["status"] == alone["status"]
    assert {**result["parts"][-1], "index": 0} == alone["parts"][-1]
    assert world.tables() == after_alone


@tried
@given(parts=batches(deferred=False), data=st.data())
def test_faults_put_into_a_good_batch_are_listed_and_nothing_else(world: World, parts: list[Part], data: st.DataObject):
    mixed = good_parts(world, parts)
    expected = {}
    for number, (faulty, fault) in enumerate(
        data.draw(st.lists(st.sampled_from(HOPELESS), min_size=1, max_size=4, unique_by=id))
    ):
        mixed.insert(data.draw(st.integers(0, len(mixed))), {"id": f"bad{number}", **faulty})
        expected[f"bad{number}"] = [fault]
    before = world.tables()

    result = world.send(mixed)

    assert result["status"] == "REJECTED"
    assert faults(result) == expected
    assert world.tables() == before


@tried
@given(parts=batches(deferred=False))
def test_what_is_listed_as_a_parts_fault_is_its_own(world: World, parts: list[Part]):
    """An errored part has no effect: after the good parts before it alone, each fault is there again."""
    world.reset()
    rejected = world.send(parts)
    assume(rejected["status"] == "REJECTED")
    good = {part["id"] for part in good_parts(world, parts)}

    for listed in rejected["parts"]:
        own = parts[listed["index"]]
        if {"$" + id_ for id_ in ids(rejected) - good} & set(own["path"].split("/")):
            continue  # it is faulty on its face, and refers to a part that is not there any more
        if not {each["part"] for each in own.get("references", [])} <= good:
            continue
        before = [part for part in parts[: listed["index"]] if part["id"] in good]
        again = world.send([*before, own], dry_run=True)
        assert set(faults(rejected)[own["id"]]) <= set(faults(again).get(own["id"], []))


@tried
@given(parts=batches())
def test_a_dry_run_changes_nothing_and_foretells_the_run(world: World, parts: list[Part]):
    world.reset()
    before = world.tables()

    dry = world.send(parts, dry_run=True)

    assert world.tables() == before
    world.reset()  # the tables are as they were; keys that the database makes count from their start again
    real = world.send(parts)
    event(real["status"])
    assert dry["status"] == {"COMMITTED": "VALID", "REJECTED": "REJECTED"}[real["status"]]
    assert dry["committed"] is False
    assert dry["parts"] == real["parts"]


LEAVES_A_GAP: list[Part] = [  # on PostgreSQL, keys are generated for both children, and then again for the second
    {"id": "p0", "operation": "UPSERT", "path": "/children", "payload": {"parentId": 1, "name": "d"}},
    {"id": "p1", "operation": "DELETE", "path": "/children/$p0"},
    {"id": "p2", "operation": "CREATE", "path": "/parents/1/children", "payload": {"name": "d"}},
]


@tried
@example(parts=LEAVES_A_GAP)
@given(parts=batches(deferred=False))
def test_a_committed_batch_leaves_what_its_parts_leave_one_by_one(world: World, parts: list[Part]):
    parts = good_parts(world, parts)
    assume(len(parts) > 1)
    event(f"{len(parts)} parts")
    world.reset()
    together = world.send(parts)
    assert together["status"] == "COMMITTED"
    after_together = world.tables()
    world.reset()

    singly: dict[str, Json] = {}
    for part in parts:
        result = world.send([_without_references(part, singly)])
        assert result["status"] == "COMMITTED", result
        singly[part["id"]] = result["parts"][0]

    batch = {"parts": [{**part, "index": 0} for part in together["parts"]], "tables": after_together}
    alone = {"parts": list(singly.values()), "tables": world.tables()}
    if made_keys(batch) != made_keys(alone):  # sequences leave gaps, and etags depend on the keys (docs/engine.md)
        batch, alone = alike(batch), alike(alone)
    assert batch == alone


_TARGETS: dict[str, tuple[str, str]] = {  # a reference's name -> the attribute that it sets, and the target's
    "aboveId": ("aboveId", "id"),
    "above": ("aboveId", "id"),
    "parentId": ("parentId", "id"),
    "parent": ("parentId", "id"),
    "childId": ("childId", "id"),
    "child": ("childId", "id"),
    "parentByParentCode": ("parentCode", "code"),
}


def _without_references(part: Part, earlier: dict[str, Json]) -> Part:
    """Write what a part takes from earlier parts into its path and payload."""
    keys = [
        earlier[each[1:]]["path"].rpartition("/")[2] if each[:1] == "$" else each for each in part["path"].split("/")
    ]
    plain = {**part, "path": "/".join(keys)}
    for reference in plain.pop("references", []):
        attribute, target = _TARGETS[reference["attribute"]]
        plain["payload"] = {**plain["payload"], attribute: earlier[reference["part"]]["payload"][target]}
    return plain


@tried
@given(parts=batches())
def test_both_databases_give_the_same_answers_and_tables(worlds: tuple[World, World], parts: list[Part]):
    for tried_parts in (parts, good_parts(worlds[0], parts)):
        said = []
        for world in worlds if tried_parts else ():
            world.reset()
            result = world.send(tried_parts)
            said.append(alike({"result": result, "tables": world.tables()}))
        event(said[0]["result"]["status"] if said else "no good part")
        assert said[:1] == said[1:]
