"""The tables of tests/support/crowd_world.py in small: what parts can say of them, and the items as the parts so far leave them.

It is followed only so far that hopeful parts (tests/support/crowds.py) stay hopeful. What is right, the database knows.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.support.crowd_world import COLLECTIONS, START, key_of
from tests.support.worlds import Part


@dataclass(frozen=True)
class Link:
    """A foreign key: attributes, and what they point at."""

    attributes: tuple[str, ...]
    target: str  # collection
    there: tuple[str, ...]
    name: str  # of the relation
    below: str  # the path of the children of a target
    may_be_null: bool = True
    gives_way: bool = False  # ON DELETE SET NULL, ON UPDATE CASCADE
    default: int | None = None  # what a new row points at that does not say


@dataclass(frozen=True)
class Kind:
    """One resource: what its parts can say."""

    collection: str
    values: Mapping[str, st.SearchStrategy[Any]]  # attributes that are no link, no key and in no unique key
    fresh: Mapping[str, Callable[[int], Any]] = field(default_factory=dict)  # a new value from a number: unique ones
    required: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    key: tuple[str, ...] = ("id",)
    unique: tuple[tuple[str, ...], ...] = ()

    @property
    def makes_key(self) -> bool:
        return self.key == ("id",)


_SMALL = st.integers(0, 9)
_WORDS = st.sampled_from(["", "x", "äöß😀", "two words", "'\"\\{},", "NULL"])


def _or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, values, st.none())


_TEAM = Link(("teamId",), "teams", ("id",), "team", "players", may_be_null=False)
KINDS = {
    kind.collection: kind
    for kind in (
        Kind(
            "teams",
            values={"rank": _or_null(_SMALL), "league": st.sampled_from(["L", "M", None])},
            fresh={"code": lambda n: f"c{n}", "seat": lambda n: 100 + n},
            required=("code",),
            links=(Link(("aboveId",), "teams", ("id",), "above", "teamsByAbove"),),
            unique=(("code",), ("league", "seat")),
        ),
        Kind(
            "players",
            values={"name": _or_null(_WORDS), "goals": _SMALL},
            fresh={"shirt": lambda n: 100 + n},
            required=("teamId", "shirt"),
            links=(_TEAM, Link(("fanOf",), "teams", ("code",), "teamByFanOf", "playersByFanOf")),
            unique=(("teamId", "shirt"),),
        ),
        Kind(
            "assists",
            values={"minute": _or_null(_SMALL)},
            required=("giverId", "takerId"),
            links=(
                Link(("giverId",), "players", ("id",), "giver", "assistsByGiver", may_be_null=False),
                Link(("takerId",), "players", ("id",), "taker", "assistsByTaker", may_be_null=False),
            ),
            key=("giverId", "takerId"),
        ),
        Kind(
            "lockers",
            values={"note": _or_null(_WORDS)},
            fresh={"label": lambda n: f"l{n}", "number": lambda n: 100 + n},
            required=("label",),
            links=(
                Link(
                    *(("shirt", "teamId"), "players", ("shirt", "teamId")),
                    *("playerByShirtAndTeamId", "lockersByShirtAndTeamId"),
                ),
            ),
            key=("label",),
            unique=(("number",),),
        ),
        Kind(
            "tickets",
            values={
                "token": st.sampled_from(["t-x", "t-y"]),
                "soldAt": st.sampled_from(["2001-12-31T23:59:59", "2001-01-01T00:00:00.000001"]),
                "price": _or_null(st.sampled_from([1, "1.5", "99.95", "0.10"])),
                "rate": _or_null(st.sampled_from([2, "0.333333", "-0.50"])),
                "document": _or_null(st.sampled_from([{"b": [1, None], "a": {}}, [], "text", 0, 1.5, True])),
                "day": _or_null(st.just("2024-02-29")),
                "clock": _or_null(st.sampled_from(["12:30:00", "12:30:00.000001"])),
                "starts": _or_null(st.sampled_from(["2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00.5Z"])),
                "flag": _or_null(st.booleans()),
                "ratio": _or_null(st.sampled_from([1, 0.1, -2.5e-10])),
                "photo": _or_null(st.sampled_from(["", "AAEC/w=="])),
                "big": _or_null(st.sampled_from([2**53 + 1, "-9223372036854775808"])),
                "guid": _or_null(st.just("0F8FAD5B-d9cb-469f-a165-70867728950e")),
                "size": _or_null(_SMALL),
            },
            links=(Link(("teamId",), "teams", ("id",), "team", "tickets"),),
        ),
        Kind(
            "bags",
            values={"weight": _or_null(_SMALL)},
            links=(
                Link(
                    *(("lockerLabel",), "lockers", ("label",), "lockerByLockerLabel", "bagsByLockerLabel"),
                    gives_way=True,
                ),
                Link(
                    *(("lockerNumber",), "lockers", ("number",), "lockerByLockerNumber", "bagsByLockerNumber"),
                    gives_way=True,
                ),
            ),
        ),
        Kind(
            "trophies",
            values={},
            fresh={"title": lambda n: f"T{n}"},
            links=(Link(("teamId",), "teams", ("id",), "team", "trophies"),),
        ),
        Kind(
            "coaches",
            values={},
            fresh={"nick": lambda n: f"N{n}"},
            links=(Link(("teamId",), "teams", ("id",), "team", "coaches", default=9),),
            unique=(("nick",),),
        ),
    )
}


@dataclass(eq=False)
class Item:
    """An item as the parts so far leave it, as far as that is known."""

    kind: Kind
    values: dict[str, Any]  # those of keys and unique keys; without those that only the database knows
    points: dict[str, "Item"] = field(default_factory=dict)  # by the names of links
    parts: list[str] = field(default_factory=list)  # that have it as their item, and leave it
    start: str | None = None  # its path, while it is as it was at the start

    @property
    def is_foretold(self) -> bool:
        """Return True if its etag does not depend on what only the database knows: made keys, those it points at too."""
        if self.kind.collection == "players":  # they count their versions
            return True
        made_of = [self.kind.key, *(link.attributes for link in self.kind.links if link.name in self.points)]
        known = all(self.of(attributes) is not None for attributes in made_of)
        return known and self.kind.collection not in {"tickets", "bags"}  # with defaults, or changed by the way

    def of(self, attributes: Iterable[str]) -> list[Any] | None:
        """Give the values of attributes, if all are known and none is null."""
        found = [self.values.get(name) for name in attributes]
        return None if None in found else found


class Town:
    """All items, and the parts that have made them so."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.items: dict[str, list[Item]] = {name: [] for name in KINDS}
        self.count = 0
        self.made: list[Item] = []  # teams whose keys the database makes
        by_key: dict[tuple[str, str], Item] = {}
        for table, rows in START.items():
            kind = KINDS[COLLECTIONS[table]]
            for row in rows:
                values = {_camel(column): value for column, value in row.items()}
                item = Item(kind, values, start=f"/{kind.collection}/{key_of(table, row)}")
                self.items[kind.collection].append(item)
                by_key[kind.collection, key_of(table, row)] = item
        for item in (each for found in self.items.values() for each in found):
            for link in item.kind.links:
                target = self.find(link, item.of(link.attributes))
                if target is not None:
                    item.points[link.name] = target

    def find(self, link: Link, values: list[Any] | None) -> Item | None:
        """Find what a foreign key points at."""
        return next((each for each in self.items[link.target] if values and each.of(link.there) == values), None)

    def fresh(self) -> int:
        """Give a number that is new."""
        self.count += 1
        return self.count

    def send(self, operation: str, path: str, item: Item | None = None, **others: Any) -> None:
        """Add a part, and note its item."""
        id_ = f"p{len(self.parts)}"
        given = {name: value for name, value in others.items() if name in _NULLABLE or value not in (None, [])}
        self.parts.append({"id": id_, "operation": operation, "path": path, **given})
        if item is not None and operation != "DELETE":
            item.parts.append(id_)
        if item is not None and operation != "GET":
            item.start = None

    def pointing(self, item: Item, attributes: Iterable[str] | None = None) -> bool:
        """Return True if another item stands in the way of a change: it points at this one, by some of the attributes."""
        return any(
            other is not item and (attributes is None or not set(link.there).isdisjoint(attributes))
            for other, link in self.around(item)
            if not link.gives_way
        )

    def around(self, item: Item) -> list[tuple[Item, Link]]:
        """Find all that point at an item, itself too."""
        return [
            (each, link)
            for kind in KINDS.values()
            for link in kind.links
            if link.target == item.kind.collection
            for each in self.items[kind.collection]
            if each.points.get(link.name) is item
        ]

    def follow(self, item: Item) -> None:
        """Let those that give way follow a change of an item."""
        for other, link in self.around(item):
            if link.gives_way:
                other.values |= zip(link.attributes, item.of(link.there) or [None], strict=True)

    def remove(self, item: Item) -> None:
        """Take an item out."""
        for other, link in self.around(item):
            if link.gives_way:
                other.values |= dict.fromkeys(link.attributes)
                del other.points[link.name]
        self.items[item.kind.collection].remove(item)


_NULLABLE = ("ifMatch", "ifNoneMatch")


def _camel(column: str) -> str:
    first, *rest = column.split("_")
    return first + "".join(map(str.capitalize, rest))
