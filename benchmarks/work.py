"""The work of all targets: the parts, the resulting state of the tables, the reads and their results."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, assert_never

import msgspec

DEPARTMENTS = 10
EMPLOYEES = 1_000  # in the initial state, with keys from 1 and version 1
SMALL_CREATES = SMALL_UPDATES = 5  # in a batch of W4
FAILING_PART = 500  # index of the part that fails in W5
TAKEN_EMAIL = "base1@example.org"
ARTISTS = 200
_MOST_ALBUMS = 8  # per artist: from 0 to this number, in rotation
_MOST_TRACKS = 10  # per album, likewise

DEPARTMENT_ROWS = [(key, f"Department {key}") for key in range(1, DEPARTMENTS + 1)]
EMPLOYEE_ROWS = [
    (key, f"Employee {key}", 1_000 + key, key % DEPARTMENTS + 1, f"base{key}@example.org", 1)
    for key in range(1, EMPLOYEES + 1)
]
ARTIST_ROWS = [(key, f"Artist {key}") for key in range(1, ARTISTS + 1)]
ALBUM_ROWS = [
    (key, f'The "{key}" album', artist)  # with quotes, which a hand-written encoder of responses must escape
    for key, artist in enumerate(
        (artist for artist, _ in ARTIST_ROWS for _ in range(artist % (_MOST_ALBUMS + 1))), start=1
    )
]
TRACK_ROWS = [
    (key, f"Track {key}", album)
    for key, album in enumerate((album for album, *_ in ALBUM_ROWS for _ in range(album % (_MOST_TRACKS + 1))), start=1)
]


class Create(msgspec.Struct, frozen=True, gc=False, tag="CREATE", tag_field="operation", rename="camel"):
    """A new employee."""

    status: ClassVar[int] = 201

    id: str
    name: str
    salary: int
    department_id: int
    email: str


class Update(msgspec.Struct, frozen=True, gc=False, tag="UPDATE", tag_field="operation"):
    """A new salary for an employee, if the version, when given, still matches."""

    status: ClassVar[int] = 200

    id: str
    key: int
    salary: int
    version: int | None = None


class Delete(msgspec.Struct, frozen=True, gc=False, tag="DELETE", tag_field="operation"):
    """The deletion of an employee."""

    status: ClassVar[int] = 204

    id: str
    key: int


Part = Create | Update | Delete


class Collection(StrEnum):
    """The collections that are read."""

    EMPLOYEES = "employees"
    ARTISTS = "artists"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """A read of the first items of a collection, in the order of their keys, with related items."""

    collection: Collection
    fields: str  # selection set of an item
    items: Sequence[Any]  # the expected result, as JSON

    @property
    def first(self) -> int:
        """The number of items to read."""
        return len(self.items)

    @property
    def answer(self) -> Any:
        """The expected response of all targets."""
        return {"data": {self.collection.value: {"nodes": self.items}}}


Work = Sequence[Part] | Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The totals of the table of employees."""

    count: int
    salaries: int
    versions: int


BASE = State(count=EMPLOYEES, salaries=sum(row[2] for row in EMPLOYEE_ROWS), versions=EMPLOYEES)


def create(index: int, turn: object) -> Create:
    """Return a part that creates an employee. No two turns share an email."""
    return Create(
        id=f"p{index}",
        name=f"New {index}",
        salary=3_000 + index,
        department_id=index % DEPARTMENTS + 1,
        email=f"new-{turn}-{index}@example.org",
    )


def creates(count: int, turn: int) -> list[Part]:
    """Return W1 or W7: `count` creates."""
    return [create(index, turn) for index in range(count)]


def updates(turn: int) -> list[Part]:
    """Return W2: an update of each employee, every second one with a precondition."""
    return [
        Update(id=f"p{index}", key=index + 1, salary=5_000 + turn + index, version=1 if index % 2 else None)
        for index in range(EMPLOYEES)
    ]


def mixed(turn: int) -> list[Part]:
    """Return W3: 400 creates, 400 updates and 200 deletes, interleaved."""
    parts: list[Part] = []
    for group in range(200):
        index = 5 * group
        parts += [
            create(index, turn),
            Update(id=f"p{index + 1}", key=2 * group + 1, salary=7_000 + turn + group),
            create(index + 2, turn),
            Update(id=f"p{index + 3}", key=2 * group + 2, salary=8_000 + turn + group),
            Delete(id=f"p{index + 4}", key=401 + group),
        ]
    return parts


def small(place: int, turn: object) -> list[Part]:
    """Return W4: five creates and five updates, interleaved.

    Different places update different employees, until the numbers wrap around.
    """
    parts: list[Part] = []
    for pair in range(SMALL_CREATES):
        key = (place * SMALL_UPDATES + pair) % EMPLOYEES + 1
        parts += [
            create(2 * pair, turn),
            Update(id=f"p{2 * pair + 1}", key=key, salary=9_000 + pair),
        ]
    return parts


def failing(turn: int) -> list[Part]:
    """Return W5: 1,000 creates, one of which has an email that exists already."""
    parts = creates(1_000, turn)
    parts[FAILING_PART] = msgspec.structs.replace(parts[FAILING_PART], email=TAKEN_EMAIL)
    return parts


def staff() -> Reading:
    """Return W6: a read of all employees, each with the name of its department."""
    departments = dict(DEPARTMENT_ROWS)
    return Reading(
        collection=Collection.EMPLOYEES,
        fields="id name salary email department { name }",
        items=[
            {"id": key, "name": name, "salary": salary, "email": email, "department": {"name": departments[department]}}
            for key, name, salary, department, email, _ in EMPLOYEE_ROWS
        ],
    )


def discography() -> Reading:
    """Return W6n: a read of all artists with their albums and tracks."""
    tracks: dict[int, list[Any]] = {key: [] for key, *_ in ALBUM_ROWS}
    for key, name, album in TRACK_ROWS:
        tracks[album].append({"id": key, "name": name})
    albums: dict[int, list[Any]] = {key: [] for key, _ in ARTIST_ROWS}
    for key, title, artist in ALBUM_ROWS:
        albums[artist].append({"id": key, "title": title, "tracks": {"nodes": tracks[key]}})
    return Reading(
        collection=Collection.ARTISTS,
        fields="id name albums(first: 100) { nodes { id title tracks(first: 100) { nodes { id name } } } }",
        items=[{"id": key, "name": name, "albums": {"nodes": albums[key]}} for key, name in ARTIST_ROWS],
    )


def parts_of(work: Work) -> Sequence[Part]:
    """Return the parts of the work; a `Reading` has none."""
    return [] if isinstance(work, Reading) else work


def state_after(parts: Sequence[Part]) -> State:
    """Return the totals of the table after these parts. Each employee may be in at most one part."""
    count, salaries, versions = BASE.count, BASE.salaries, BASE.versions
    for part in parts:
        match part:
            case Create():
                count, salaries, versions = count + 1, salaries + part.salary, versions + 1
            case Update():
                salaries, versions = salaries + part.salary - _base_salary(part.key), versions + 1
            case Delete():
                count, salaries, versions = count - 1, salaries - _base_salary(part.key), versions - 1
            case _:
                assert_never(part)
    return State(count=count, salaries=salaries, versions=versions)


def _base_salary(key: int) -> int:
    return EMPLOYEE_ROWS[key - 1][2]
