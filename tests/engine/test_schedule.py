"""The schedule: which writes run together, and which wait for others. Pure: no database, readable batches in and out.

A batch is written in lines. `there` is a row before it, `insert`, `update` and `delete` are its writes, numbered from 0:

    there  parent 1 code=a
    update parent 1 code=b rank=default
    insert link 1,2 weight=5

and the stages that have to come out are written as `INSERT link(parent, child, weight): 1`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from storage.batch.conflicts.access_sets import AccessSets
from storage.batch.conflicts.schedule import Kind, Shape, Stage, Write, schedule
from storage.catalog.model import Attribute, Catalog, ForeignKey, Resource, UniqueKey
from storage.catalog.types import Integer, Text, Value
from storage.rows.key_refs import KeyRef

pytestmark = pytest.mark.costly

tried = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow],
)


def resource(
    name: str, attributes: str, *, key: str = "id", unique: Sequence[str] = (), foreign: Mapping[str, str] | None = None
) -> Resource:
    """Make a resource; `foreign` leads from attributes to "target attribute …"."""
    return Resource(
        name=name,
        collection=f"{name}s",
        field=name,
        table=name,
        attributes={
            each: Attribute(name=each, column=each, type=Text() if each in _TEXTS else Integer(), sql_type="")
            for each in attributes.split()
        },
        key=tuple(key.split()),
        unique_keys=tuple(UniqueKey(attributes=tuple(each.split())) for each in unique),
        foreign_keys=tuple(
            ForeignKey(
                attributes=tuple(own.split()), target=there.split()[0], target_attributes=tuple(there.split()[1:])
            )
            for own, there in (foreign or {}).items()
        ),
        relations={},
    )


_TEXTS = {"code", "name", "parent_code"}
CATALOG = Catalog(
    resources={
        each.name: each
        for each in (
            resource("parent", "id code rank above", unique=["code"], foreign={"above": "parent id"}),
            resource("child", "id parent name note", unique=["parent name"], foreign={"parent": "parent id"}),
            resource(
                *("link", "parent child weight"),
                key="parent child",
                foreign={"parent": "parent id", "child": "child id"},
            ),
            resource(
                *("toy", "id parent_code child_name parent"),
                foreign={"parent_code": "parent code", "child_name parent": "child name parent"},
            ),
        )
    }
)
ORDER = {name: place for place, name in enumerate(CATALOG.resources)}
ACCESS = {name: AccessSets(each, CATALOG) for name, each in CATALOG.resources.items()}

Values = Mapping[str, Value]


@dataclass(frozen=True)
class Step:
    """One line: what is done to which row."""

    what: str
    resource: Resource
    key: tuple[Value, ...]
    values: Values
    defaults: tuple[str, ...] = ()

    @property
    def row_id(self) -> tuple[str, tuple[Value, ...]]:
        return self.resource.name, self.key


@dataclass
class Table:
    """The rows as the lines so far leave them."""

    rows: dict[tuple[str, tuple[Value, ...]], Values] = field(default_factory=dict)

    def write(self, step: Step) -> Write:
        """Make the write that a line is, as the engine makes it."""
        access, shape_of = ACCESS[step.resource.name], step.resource.name
        key = dict(zip(step.resource.key, step.key, strict=True))
        match step.what:
            case "there" | "insert":
                whole = {**dict.fromkeys(step.resource.attributes), **key, **step.values}
                self.rows[step.row_id] = whole
                names = tuple(name for name in step.resource.attributes if name in {**key, **step.values})
                return Write(Shape(Kind.INSERT, shape_of, names), *access.of_row(whole))
            case "update":
                before = self.rows[step.row_id]
                after = {**before, **step.values}
                changed = {name for name, value in step.values.items() if before[name] != value} | {*step.defaults}
                self.rows[step.row_id] = after
                shape = Shape(Kind.UPDATE, shape_of, tuple(step.values), step.defaults)
                return Write(shape, *access.of_change(before, after, frozenset(changed)))
            case "delete":
                return Write(Shape(Kind.DELETE, shape_of), *access.of_row(self.rows.pop(step.row_id)))
            case _:
                raise AssertionError(step)


def read(line: str) -> Step:
    what, name, key, *given_values = line.split()
    found = CATALOG.resources[name]
    values = dict(each.split("=") for each in given_values)
    return Step(
        what=what,
        resource=found,
        key=tuple(map(_value, key.split(","))),
        values={name: _value(text) for name, text in values.items() if text != "default"},
        defaults=tuple(name for name, text in values.items() if text == "default"),
    )


def _value(text: str) -> Value:
    return None if text == "null" else int(text) if text.isdigit() else text


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def stages_of(batch: str) -> list[Stage]:
    table, writes = Table(), []
    for step in map(read, lines(batch)):
        write = table.write(step)
        if step.what != "there":
            writes.append(write)
    return list(schedule(writes, ORDER))


def show(stages: Sequence[Stage]) -> list[str]:
    return [f"{stage.shape}: {' '.join(map(str, stage.members))}" for stage in stages]


# What the batch shows, the batch, its stages in the order in which they run.
CASES = {
    "nothing to write": ("there parent 1 code=a", ""),
    "independent creates run together": (
        """
        insert parent 1 code=a
        insert parent 2 code=b
        insert parent 3 code=c
        """,
        "INSERT parent(id, code): 0 1 2",
    ),
    "a parent comes before its children, and those run together": (
        """
        insert parent 1 code=a
        insert child 1 parent=1 name=x
        insert parent 2 code=b
        insert child 2 parent=2 name=x
        """,
        """
        INSERT parent(id, code): 0 2
        INSERT child(id, parent, name): 1 3
        """,
    ),
    "children of a parent that was there run with anything": (
        """
        there parent 1 code=a
        insert child 1 parent=1 name=x
        insert parent 2 code=b
        insert child 2 parent=1 name=y
        """,
        """
        INSERT parent(id, code): 1
        INSERT child(id, parent, name): 0 2
        """,
    ),
    "a family of three generations": (
        """
        insert parent 1 code=a
        insert child 1 parent=1 name=x
        insert link 1,1
        """,
        """
        INSERT parent(id, code): 0
        INSERT child(id, parent, name): 1
        INSERT link(parent, child): 2
        """,
    ),
    "of one level, deletes run first, then updates, then inserts; resources in the catalog's order": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there child 1 parent=1 name=x
        insert child 2 parent=1 name=y
        update child 1 note=5
        insert parent 3 code=c
        update parent 1 rank=5
        delete parent 2
        """,
        """
        DELETE parent(): 4
        UPDATE parent(rank): 3
        INSERT parent(id, code): 2
        UPDATE child(note): 1
        INSERT child(id, parent, name): 0
        """,
    ),
    "a child is deleted before its parent": (
        """
        there parent 1 code=a
        there child 1 parent=1 name=x
        delete child 1
        delete parent 1
        """,
        """
        DELETE child(): 0
        DELETE parent(): 1
        """,
    ),
    "a whole family is deleted from its leaves": (
        """
        there parent 1 code=a
        there child 1 parent=1 name=x
        there child 2 parent=1 name=y
        there link 1,1
        there link 1,2
        delete link 1,1
        delete child 1
        delete link 1,2
        delete child 2
        delete parent 1
        """,
        """
        DELETE link(): 0 2
        DELETE child(): 1 3
        DELETE parent(): 4
        """,
    ),
    "a row is updated after it is inserted, and deleted after it is updated": (
        """
        insert parent 1 code=a
        update parent 1 rank=5
        delete parent 1
        """,
        """
        INSERT parent(id, code): 0
        UPDATE parent(rank): 1
        DELETE parent(): 2
        """,
    ),
    "a key that is deleted and made again": (
        """
        there parent 1 code=a
        delete parent 1
        insert parent 1 code=b
        """,
        """
        DELETE parent(): 0
        INSERT parent(id, code): 1
        """,
    ),
    "a unique value that a delete gives up": (
        """
        there parent 1 code=a
        delete parent 1
        insert parent 2 code=a
        """,
        """
        DELETE parent(): 0
        INSERT parent(id, code): 1
        """,
    ),
    "a unique value that an update gives up": (
        """
        there parent 1 code=a
        update parent 1 code=z
        insert parent 2 code=a
        """,
        """
        UPDATE parent(code): 0
        INSERT parent(id, code): 1
        """,
    ),
    "a unique value that a new row gives up at once": (
        """
        insert parent 1 code=a
        update parent 1 code=z
        insert parent 2 code=a
        """,
        """
        INSERT parent(id, code): 0
        UPDATE parent(code): 1
        INSERT parent(id, code): 2
        """,
    ),
    "unique values that are swapped by way of a spare one": (
        """
        there parent 1 code=a
        there parent 2 code=b
        update parent 1 code=spare
        update parent 2 code=a
        update parent 1 code=b
        """,
        """
        UPDATE parent(code): 0
        UPDATE parent(code): 1
        UPDATE parent(code): 2
        """,
    ),
    "a chain of unique values runs one by one, and beside it what has no part in it": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there parent 3 code=c
        there parent 9 code=i
        update parent 1 code=z
        update parent 2 code=a
        update parent 3 code=b
        update parent 9 code=y
        """,
        """
        UPDATE parent(code): 0 3
        UPDATE parent(code): 1
        UPDATE parent(code): 2
        """,
    ),
    "one component of a unique pair changes: the pair is given up and taken": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there child 1 parent=1 name=x
        update child 1 parent=2
        insert child 2 parent=1 name=x
        insert child 3 parent=2 name=y
        """,
        """
        UPDATE child(parent): 0
        INSERT child(id, parent, name): 2
        INSERT child(id, parent, name): 1
        """,
    ),
    "the same item many times": (
        """
        there parent 1 code=a
        there parent 2 code=b
        update parent 1 rank=1
        update parent 1 rank=2
        update parent 2 rank=1
        update parent 1 rank=3
        """,
        """
        UPDATE parent(rank): 0 2
        UPDATE parent(rank): 1
        UPDATE parent(rank): 3
        """,
    ),
    "the same values once more are a write, too": (
        """
        there parent 1 code=a rank=1
        update parent 1 rank=2
        update parent 1 rank=2
        """,
        """
        UPDATE parent(rank): 0
        UPDATE parent(rank): 1
        """,
    ),
    "a unique value that stays as it is orders nothing": (
        """
        there parent 1 code=a
        there toy 1
        update parent 1 code=a
        update toy 1 parent_code=a
        """,
        """
        UPDATE parent(code): 0
        UPDATE toy(parent_code): 1
        """,
    ),
    "nulls are in nobody's way": (
        """
        there toy 1 child_name=x
        there toy 2 parent=1
        insert parent 1 code=null
        insert parent 2 code=null
        update parent 1 above=null
        update toy 1 child_name=null
        update toy 2 parent=null
        insert child 1 parent=null name=x
        insert child 2 parent=null name=x
        """,
        """
        INSERT parent(id, code): 0 1
        INSERT child(id, parent, name): 5 6
        UPDATE toy(child_name): 3
        UPDATE toy(parent): 4
        UPDATE parent(above): 2
        """,
    ),
    "a row that points at itself does not wait for itself": (
        """
        there parent 2 code=b
        insert parent 1 code=a above=1
        update parent 2 above=2
        update parent 1 above=null
        delete parent 1
        delete parent 2
        """,
        """
        UPDATE parent(above): 1
        INSERT parent(id, code, above): 0
        DELETE parent(): 4
        UPDATE parent(above): 2
        DELETE parent(): 3
        """,
    ),
    "rows of one table that point at each other": (
        """
        insert parent 1 code=a
        insert parent 2 code=b above=1
        insert parent 3 code=c above=2
        insert parent 4 code=d
        """,
        """
        INSERT parent(id, code): 0 3
        INSERT parent(id, code, above): 1
        INSERT parent(id, code, above): 2
        """,
    ),
    "who points at a unique value waits for the row that takes it": (
        """
        there parent 1 code=a
        insert parent 2 code=b
        insert toy 1 parent_code=b
        update parent 1 code=c
        insert toy 2 parent_code=c
        """,
        """
        UPDATE parent(code): 2
        INSERT parent(id, code): 0
        INSERT toy(id, parent_code): 1 3
        """,
    ),
    "a unique value is given up after nobody points at it any more": (
        """
        there parent 1 code=a
        there toy 1 parent_code=a
        there toy 2 parent_code=a
        update toy 1 parent_code=null
        delete toy 2
        update parent 1 code=b
        """,
        """
        DELETE toy(): 1
        UPDATE toy(parent_code): 0
        UPDATE parent(code): 2
        """,
    ),
    "the row of a unique value that others point at may change otherwise": (
        """
        there parent 1 code=a
        insert toy 1 parent_code=a
        update parent 1 rank=5
        insert toy 2 parent_code=a
        """,
        """
        UPDATE parent(rank): 1
        INSERT toy(id, parent_code): 0 2
        """,
    ),
    "a foreign key whose columns stand in another order than the key's": (
        """
        there parent 1 code=a
        insert child 1 parent=1 name=x
        insert toy 1 child_name=x parent=1
        delete toy 1
        delete child 1
        """,
        """
        INSERT child(id, parent, name): 0
        INSERT toy(id, child_name, parent): 1
        DELETE toy(): 2
        DELETE child(): 3
        """,
    ),
    "another order is no other value": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there child 1 parent=1 name=2
        insert child 2 parent=2 name=1
        insert toy 1 child_name=2 parent=1
        """,
        """
        INSERT child(id, parent, name): 0
        INSERT toy(id, child_name, parent): 1
        """,
    ),
    "a child that moves comes after its new parent and before the end of its old one": (
        """
        there parent 1 code=a
        there child 1 parent=1 name=x
        insert parent 2 code=b
        update child 1 parent=2
        delete parent 1
        """,
        """
        INSERT parent(id, code): 0
        UPDATE child(parent): 1
        DELETE parent(): 2
        """,
    ),
    "a child that stays comes before the end of nobody": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there child 1 parent=1 name=x
        update child 1 note=5
        delete parent 2
        """,
        """
        DELETE parent(): 1
        UPDATE child(note): 0
        """,
    ),
    "what changes in a parent, but its keys, is nothing to its children": (
        """
        there parent 1 code=a
        insert child 1 parent=1 name=x
        update parent 1 rank=5
        update parent 1 code=b
        insert child 2 parent=1 name=y
        """,
        """
        UPDATE parent(rank): 1
        INSERT child(id, parent, name): 0 3
        UPDATE parent(code): 2
        """,
    ),
    "a child of a parent whose content changes in between": (
        """
        insert parent 1 code=a
        update parent 1 rank=5
        insert child 1 parent=1 name=x
        """,
        """
        INSERT parent(id, code): 0
        UPDATE parent(rank): 1
        INSERT child(id, parent, name): 2
        """,
    ),
    "different attributes are different statements": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there parent 3 code=c
        update parent 1 rank=5
        update parent 2 above=1
        update parent 3 rank=5
        insert parent 4 code=d rank=1
        insert parent 5 code=e
        insert parent 6 rank=1 code=f
        """,
        """
        UPDATE parent(rank): 0 2
        UPDATE parent(above): 1
        INSERT parent(id, code, rank): 3 5
        INSERT parent(id, code): 4
        """,
    ),
    "an attribute that is set to its default is another statement than one that is given, or left": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there parent 3 code=c
        there parent 4 code=d
        there parent 5 code=e
        update parent 1 rank=default
        update parent 2 rank=5
        update parent 3 rank=default
        update parent 4 above=2
        update parent 5 above=2 rank=default
        update parent 4 above=1 rank=default
        """,
        """
        UPDATE parent(rank = default): 0 2
        UPDATE parent(rank): 1
        UPDATE parent(above): 3
        UPDATE parent(above, rank = default): 4
        UPDATE parent(above, rank = default): 5
        """,
    ),
    "composite keys": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there child 1 parent=1 name=x
        there link 1,1 weight=1
        insert link 2,1 weight=2
        update link 1,1 weight=5
        delete link 1,1
        insert link 1,1 weight=3
        update link 2,1 weight=4
        """,
        """
        UPDATE link(weight): 1
        INSERT link(parent, child, weight): 0
        DELETE link(): 2
        UPDATE link(weight): 4
        INSERT link(parent, child, weight): 3
        """,
    ),
    "a composite key and its reverse are two": (
        """
        there parent 1 code=a
        there parent 2 code=b
        there child 1 parent=1 name=x
        there child 2 parent=1 name=y
        insert link 1,2
        insert link 2,1
        """,
        "INSERT link(parent, child): 0 1",
    ),
    "the same values in different tables, and in different keys of one, are different keys": (
        """
        there parent 1 code=1
        insert parent 2 code=2
        insert child 2 parent=1 name=2
        insert child 1 parent=1 name=1
        insert link 1,3
        """,
        """
        INSERT parent(id, code): 0
        INSERT child(id, parent, name): 1 2
        INSERT link(parent, child): 3
        """,
    ),
}


@pytest.mark.parametrize(("batch", "expected"), CASES.values(), ids=CASES.keys())
def test_the_stages_of_a_batch(batch: str, expected: str):
    assert show(stages_of(batch)) == lines(expected)


# --- what holds for any writes at all

_SHAPES = st.builds(
    Shape,
    st.sampled_from(Kind),
    st.sampled_from(["parent", "child"]),
    st.sampled_from([(), ("rank",)]),
    st.sampled_from([(), (), ("code",)]),
)
_SOME_CELLS = st.lists(st.integers(0, 6), max_size=3).map(tuple)
_WRITES = st.lists(st.builds(Write, _SHAPES, _SOME_CELLS, _SOME_CELLS), max_size=14)


def interfere(earlier: Write, later: Write) -> bool:
    """Return True if the order of two writes matters."""
    written, read = {*earlier.writes}, {*earlier.reads}
    return bool(written & {*later.writes, *later.reads} or read & {*later.writes})


def levels_of(writes: Sequence[Write]) -> list[int]:
    """Count, for each write, the longest chain of writes that end in it and must run one after the other."""
    levels: list[int] = []
    for place, write in enumerate(writes):
        levels.append(1 + max((levels[n] for n in range(place) if interfere(writes[n], write)), default=0))
    return levels


@tried
@given(writes=_WRITES)
def test_every_write_is_in_one_stage_and_of_its_shape(writes: list[Write]):
    stages = schedule(writes, ORDER)

    assert sorted(place for stage in stages for place in stage.members) == list(range(len(writes)))
    assert all(writes[place].shape == stage.shape for stage in stages for place in stage.members)
    assert all(stage.members for stage in stages)
    assert all(stage.members == sorted(stage.members) for stage in stages)


@tried
@given(writes=_WRITES)
def test_writes_that_meet_keep_their_order_and_no_others_have_one(writes: list[Write]):
    stages = schedule(writes, ORDER)

    stage_of = {place: number for number, stage in enumerate(stages) for place in stage.members}
    pairs = [(n, m) for m in range(len(writes)) for n in range(m) if interfere(writes[n], writes[m])]
    event(f"{min(len(pairs), 10)} pairs that interfere")
    for earlier, later in pairs:
        assert stage_of[earlier] < stage_of[later]  # so no two of one stage interfere, either


@tried
@given(writes=_WRITES)
def test_no_write_could_run_in_an_earlier_level(writes: list[Write]):
    levels = levels_of(writes)

    stages = schedule(writes, ORDER)

    expected: dict[tuple[int, int, Kind], dict[Shape, list[int]]] = {}
    for place, write in enumerate(writes):
        step = levels[place], ORDER[write.shape.resource], write.shape.kind
        expected.setdefault(step, {}).setdefault(write.shape, []).append(place)
    assert [(stage.shape, stage.members) for stage in stages] == [
        each for step in sorted(expected) for each in expected[step].items()
    ]


@tried
@given(writes=_WRITES, key=st.integers(0, 6))
def test_a_key_that_a_write_names_twice_counts_once(writes: list[Write], key: KeyRef):
    twice = [
        Write(each.shape, (*each.writes, *each.writes[:1]), (*each.reads, *(c for c in each.reads if c == key)))
        for each in writes
    ]

    assert schedule(twice, ORDER) == schedule(writes, ORDER)


# --- and what it is for: the rows of a good batch, written stage by stage, never break a key


@st.composite
def good_steps(draw: st.DrawFn) -> list[Step]:
    """Draw steps that each keep all keys, one after the other; values are few, so that they interfere."""
    kept = Keeper()
    steps: list[Step] = []
    for _ in range(draw(st.integers(5, 40))):
        found = draw(_RESOURCES)
        key = tuple(draw(_FEW) for _ in found.key)
        is_there = (found.name, key) in kept.rows
        what = draw(st.sampled_from(["update", "update", "delete"])) if is_there else "insert"
        names = [name for name in found.attributes if name not in found.key]
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2)) if what != "insert" else names
        values = {} if what == "delete" else {name: draw(_NULLS_TOO if name != "parent" else _FEW) for name in chosen}
        step = Step(what, found, key, values)
        if kept.takes(step):
            steps.append(step)
    return steps


_RESOURCES = st.sampled_from(["parent", "parent", "child", "child", "link", "toy"]).map(CATALOG.resources.__getitem__)
_FEW = st.integers(1, 4)  # for texts, too: a key is named by whatever there is
_NULLS_TOO = st.one_of(_FEW, _FEW, st.none())


class Keeper:
    """A database in small: rows, and their keys kept after every single write."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, tuple[Value, ...]], Values] = {}

    def takes(self, step: Step) -> bool:
        """Run one write, if no key stands against it; whether it has run."""
        before = self.rows.get(step.row_id)
        if (before is None) is not (step.what == "insert"):
            return False
        after = dict(self.rows)
        if step.what == "delete":
            del after[step.row_id]
        else:
            key = zip(step.resource.key, step.key, strict=True)
            after[step.row_id] = {**(before or dict.fromkeys(step.resource.attributes)), **dict(key), **step.values}
        if any(_broken(after)):
            return False
        self.rows = after
        return True


def _broken(rows: Mapping[tuple[str, tuple[Value, ...]], Values]) -> Iterator[object]:
    """Find unique values that two rows have, and foreign keys that point at nothing."""
    held: set[Any] = set()
    for (name, _), row in rows.items():
        for key in CATALOG.resources[name].keys:
            values = tuple(row[each] for each in key)
            if None not in values and (name, frozenset(zip(key, values, strict=True))) in held:
                yield values
            held.add((name, frozenset(zip(key, values, strict=True))))
    for (name, _), row in rows.items():
        for foreign in CATALOG.resources[name].foreign_keys:
            values = tuple(row[each] for each in foreign.attributes)
            there = frozenset(zip(foreign.target_attributes, values, strict=True))
            if None not in values and (foreign.target, there) not in held:
                yield values


@tried
@given(steps=good_steps(), seed=st.integers(0, 1_000))
def test_a_good_batch_keeps_every_key_stage_by_stage_in_any_order_inside_a_stage(steps: list[Step], seed: int):
    one_by_one, table = Keeper(), Table()
    writes = []
    for step in steps:
        assert one_by_one.takes(step)
        writes.append(table.write(step))

    stages = schedule(writes, ORDER)

    event(f"{min(len(steps), 20)} writes, {min(len(steps) - len(stages), 5)} statements saved")
    in_stages = Keeper()
    for stage in stages:
        for place in Random(seed).sample(stage.members, len(stage.members)):  # noqa: S311  # any order, no secret
            assert in_stages.takes(steps[place]), (show(stages), steps[place])
    assert in_stages.rows == one_by_one.rows
