"""Random crowds: batches of many alike parts over the tables of tests/support/crowd_world.py, most of which commit.

A crowd is made from one to three templates (a verb on a collection, with some attributes), so that its stages have many
members. What is written is followed in small (`Town`), so that hopeful parts stay hopeful; the hard things are mixed in
on purpose, and now and then one part that is in error.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.support.town import KINDS, Item, Kind, Link, Town
from tests.support.worlds import ETAG_OF, Part

T = TypeVar("T")
ETAG_LEFT_BY = "&"  # before the id of an earlier part: the etag that its item has when that part has run
GUESS = "~"  # before a number, in a path of a team: the key that the database makes for that new team, counted from 0

# Crowds are mostly of those that run in groups.
_CROWDED = st.sampled_from([*["teams", "players", "tickets"] * 4, *["assists", "lockers", "bags"] * 2, "coaches"])
_PLAIN = st.sampled_from(["teams", "players", "bags", "tickets", "lockers"])
_ANY = st.sampled_from([*KINDS])
_MOST = 40  # parts


class _Crowd:
    """Draws the parts of one crowd."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.town = Town()
        self.plain = self.chance(3)  # whether its parts mostly have nothing to do with each other: those run as blocks
        self.gives_keys = self.chance(3)  # if plain

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == one_in

    def pick(self, items: Sequence[T]) -> T:
        return items[self.draw(st.integers(0, len(items) - 1))]

    # --- paths and contents

    def path(self, item: Item, *, plain: bool = False) -> str:
        """Write one of the paths of an item."""
        collection = f"/{item.kind.collection}"
        key = item.of(item.kind.key)
        plain = plain or self.plain
        if key is None or (item.parts and not plain and self.chance(3)):
            return f"{collection}/${self.pick(item.parts)}"
        text = ",".join(map(str, key))
        if plain or not self.chance(6):
            return f"{collection}/{text}"
        unique = [names for names in item.kind.unique if item.of(names) is not None]
        if unique and self.chance(2):
            names = self.pick(unique)
            return f"{collection}/{','.join(f'{name}={item.values[name]}' for name in names)}"
        for link in item.kind.links:
            if link.name in item.points:
                return f"{self.path(item.points[link.name], plain=True)}/{link.below}/{text}"
        return f"{collection}/{text}"

    def contents(self, kind: Kind, names: Iterable[str], item: Item | None = None) -> tuple[Part, Item]:
        """Draw payload and references for attributes; give them with the item as it will be."""
        after = Item(kind, dict(item.values) if item else {}, dict(item.points) if item else {})
        payload: dict[str, Any] = {}
        references: list[Part] = []
        wanted = set(names)
        for name in kind.fresh:
            if name in wanted:
                payload[name] = after.values[name] = kind.fresh[name](self.town.fresh())
        for name, values in kind.values.items():
            if name in wanted:
                payload[name] = after.values[name] = self.draw(values)
        for link in kind.links:
            if wanted.issuperset(link.attributes):
                self.point(link, after, payload, references)
        return {"payload": payload, "references": references}, after

    def point(self, link: Link, after: Item, payload: dict[str, Any], references: list[Part]) -> None:
        """Let an item point at another: at one that is made in the batch as soon as at one that was there."""
        targets = self.town.items[link.target]
        news = [each for each in targets if bool(each.parts) is not self.plain]
        target = self.pick(news if news and (self.plain or self.chance(2)) else targets) if targets else None
        values = None if target is None else target.of(link.there)
        if target is None or (link.may_be_null and self.chance(6)) or (values is None and not target.parts):
            payload |= dict.fromkeys(link.attributes)
            after.values |= dict.fromkeys(link.attributes)
            after.points.pop(link.name, None)
            return
        after.points[link.name] = target
        for place, name in enumerate(link.attributes):
            after.values.pop(name, None)
            if values is not None:
                after.values[name] = values[place]
        if values is None or (target.parts and self.chance(3)):
            references.append({"attribute": link.name, "part": self.pick(target.parts)})
        else:
            payload |= zip(link.attributes, values, strict=True)

    # --- the verbs

    def create(self, kind: Kind, names: Iterable[str], *, verb: str = "CREATE") -> Item | None:
        """Make an item: at its collection, at its own path, or below what it points at."""
        wanted = {*names, *kind.required}
        contents, item = self.contents(kind, wanted)
        payload, path = contents["payload"], f"/{kind.collection}"
        if kind.collection == "assists" and self.is_taken(item):
            return None
        if kind.makes_key and (verb == "UPSERT" or (self.gives_keys if self.plain else self.chance(4))):
            payload["id"] = item.values["id"] = 100 + self.town.fresh()
        key = item.of(kind.key)
        if self.plain:
            pass
        elif key is not None and set(kind.key) <= payload.keys() and self.chance(3):
            path += "/" + ",".join(map(str, key))
            contents["payload"] = {name: value for name, value in payload.items() if name not in kind.key}
            if self.chance(4):
                contents["ifNoneMatch"] = None
        elif not contents["references"]:
            path = self.below(item, payload) or path
        for link in kind.links:
            if link.default is not None and not wanted.issuperset(link.attributes):
                target = self.town.find(link, [link.default])
                item.points |= {} if target is None else {link.name: target}
        self.town.items[kind.collection].append(item)
        if kind.collection == "teams" and "id" not in item.values:
            self.town.made.append(item)
        self.town.send(verb, path, item, **contents)
        return item

    def below(self, item: Item, payload: dict[str, Any]) -> str | None:
        """Take an item's place from one of the items that it points at, and out of the payload, now and then."""
        links = [link for link in item.kind.links if link.name in item.points]
        if not links or not self.chance(4):
            return None
        link = self.pick(links)
        for name in link.attributes:
            payload.pop(name)
        return f"{self.path(item.points[link.name], plain=True)}/{link.below}"

    def is_taken(self, item: Item) -> bool:
        """Return True if there is an assist of the two players."""
        both = item.points
        return any(
            other.points.get("giver") is both.get("giver") and other.points.get("taker") is both.get("taker")
            for other in self.town.items["assists"]
        )

    def update(self, kind: Kind, names: Iterable[str], item: Item | None = None, *, verb: str = "UPDATE") -> bool:
        """Change an item: one that has not been met yet, if there is such."""
        item = item or self.someone(kind)
        if item is None:
            return False
        asked = {*names, *(kind.required if verb == "REPLACE" else ())} - {*kind.key}
        held = {name for name in {*asked, *kind.fresh} if self.town.pointing(item, [name])}
        wanted = asked - held
        before = (item.values, item.points)
        contents, after = self.contents(kind, wanted, item)
        if verb == "REPLACE":
            self.keep_held(held, item, contents["payload"], after)
            for name in {*kind.fresh, *kind.values} - contents["payload"].keys() - {*kind.key}:
                after.values.pop(name, None)
            for link in kind.links:
                if not wanted.issuperset(link.attributes) and link.name in after.points:
                    del after.points[link.name]
        path = self.path(item)
        precondition = self.precondition(item)
        item.values, item.points = after.values, after.points
        if not contents["payload"] and not contents["references"] and verb == "REPLACE":
            item.values, item.points = before
            return False
        self.town.follow(item)
        self.town.send(verb, path, item, **contents, **precondition)
        return True

    def keep_held(self, held: Iterable[str], item: Item, payload: dict[str, Any], after: Item) -> None:
        """Say again, in a REPLACE, what others point at."""
        for name in held:
            if item.values.get(name) is not None:
                payload[name] = after.values[name] = item.values[name]

    def delete(self, kind: Kind) -> bool:
        """Delete an item that nothing points at."""
        free = [
            each
            for each in self.town.items[kind.collection]
            if not self.town.pointing(each) and (each.start is not None or not self.plain)
        ]
        if not free:
            return False
        item = self.pick(free)
        self.town.send("DELETE", self.path(item), item, **self.precondition(item))
        self.town.remove(item)
        return True

    def get(self, kind: Kind) -> None:
        """Look at an item; as a guard, too."""
        item = self.someone(kind)
        if item is not None:
            none_match = {"ifNoneMatch": [ETAG_OF + item.start]} if item.start and self.chance(4) else None
            self.town.send("GET", self.path(item), item, **(none_match or self.precondition(item)))

    def someone(self, kind: Kind) -> Item | None:
        items = self.town.items[kind.collection]
        unmet = [each for each in items if each.start is not None]
        found: list[Item] = unmet if self.plain or (unmet and not self.chance(4)) else items
        return self.pick(found) if found else None

    def precondition(self, item: Item) -> Part:
        """Now and then ask for the version that the item has, which earlier parts may have made."""
        if not self.chance(8):
            return {}
        if item.start is not None:
            return {"ifMatch": ["other", ETAG_OF + item.start]}
        if item.parts and item.is_foretold and self.chance(2):
            return {"ifMatch": [ETAG_LEFT_BY + item.parts[-1]]}
        return {"ifMatch": None} if self.plain or self.chance(2) else {"ifNoneMatch": ["other"]}

    # --- the crowd

    def templates(self) -> list[Callable[[], object]]:
        kinds = _PLAIN if self.plain else _CROWDED
        return [self.template(KINDS[self.draw(kinds)]) for _ in range(self.draw(st.integers(1, 3)))]

    def template(self, kind: Kind) -> Callable[[], object]:
        optional = sorted({*kind.values, *kind.fresh, *(n for link in kind.links for n in link.attributes)})
        names = self.draw(st.lists(st.sampled_from(optional), min_size=1, max_size=len(optional) // 3 + 1, unique=True))
        for link in kind.links:
            if not set(link.attributes).isdisjoint(names):
                names += link.attributes
        verbs = [*["CREATE", "UPDATE"] * 3, "DELETE", *([] if self.plain else ["UPSERT", "REPLACE"])]
        verb = self.pick(verbs)
        match verb:
            case "UPDATE" | "REPLACE":
                return lambda: self.update(kind, names, verb=verb)
            case "DELETE":
                return lambda: self.delete(kind) or self.create(kind, names)
            case "UPSERT":
                return lambda: self.upsert(kind, names)
            case _:
                return lambda: self.create(kind, names)

    def upsert(self, kind: Kind, names: Iterable[str]) -> bool:
        """Upsert what is there (by its path or a unique key), or what is not."""
        item = self.someone(kind)
        if item is None or self.chance(2):
            return self.create(kind, names, verb="UPSERT") is not None
        unique = [each for each in kind.unique if item.of(each) is not None]
        if not unique or self.chance(2):
            return self.update(kind, names, item, verb="UPSERT")
        key = self.pick(unique)
        rest = {name for name in names if name not in (*key, *kind.key) and not self.town.pointing(item, [name])}
        rest -= {name for other in kind.unique for name in other}
        contents, after = self.contents(kind, rest, item)
        contents["payload"] |= {name: item.values[name] for name in key}
        precondition = self.precondition(item)
        item.values, item.points = after.values, after.points
        self.town.send("UPSERT", f"/{kind.collection}", item, **contents, **precondition)
        return True

    # --- the hard things

    def hand_on(self) -> None:
        """An item gives a unique value up, and a new one takes it."""
        kind, name = self.pick([(KINDS["teams"], "code"), (KINDS["players"], "shirt"), (KINDS["coaches"], "nick")])
        items = self.free(kind, [name])
        if not items:
            return
        item = self.pick(items)
        value, above = item.values[name], item.values.get("teamId")
        new = kind.fresh[name](self.town.fresh())
        path = self.path(item)
        item.values[name] = new
        self.town.send("UPDATE", path, item, payload={name: new})
        if kind.collection == "players":
            if above is None:
                return
            taker = Item(kind, {"teamId": above, name: value}, {"team": item.points["team"]})
        else:
            taker = Item(kind, {name: value})
        self.town.items[kind.collection].append(taker)
        if kind.collection == "teams":
            self.town.made.append(taker)
        verb = "CREATE" if self.plain else self.pick(["CREATE", "UPSERT"])
        if verb == "UPSERT" and kind.collection == "teams" and self.chance(2):
            self.town.send(verb, f"/teams/code={value}", taker, payload={})
        else:
            self.town.send(verb, f"/{kind.collection}", taker, payload=dict(taker.values))

    def swap(self) -> None:
        """Two items swap their unique values, by way of a spare one."""
        kind, name = self.pick([(KINDS["teams"], "code"), (KINDS["teams"], "code"), (KINDS["coaches"], "nick")])
        items = self.free(kind, [name])
        if len(items) < 2:
            return
        one, other = items[0], items[-1]
        first, second, spare = one.values[name], other.values[name], kind.fresh[name](self.town.fresh())
        for item, value in ((one, spare), (other, first), (one, second)):
            path = self.path(item)
            item.values[name] = value
            self.town.send("UPDATE", path, item, payload={name: value})

    def free(self, kind: Kind, names: list[str]) -> list[Item]:
        """Find the items that may give up what they have of a unique key."""
        items = self.town.items[kind.collection]
        return [each for each in items if each.of(names) and not self.town.pointing(each, names)]

    def rebirth(self) -> None:
        """An item is deleted, and another one made with its key."""
        kind = self.pick([KINDS["teams"], KINDS["players"], KINDS["lockers"], KINDS["tickets"]])
        free = [each for each in self.town.items[kind.collection] if each.of(kind.key) and not self.town.pointing(each)]
        if not free:
            return
        item = self.pick(free)
        self.town.send("DELETE", self.path(item), item)
        self.town.remove(item)
        contents, born = self.contents(kind, kind.required)
        key = {name: item.values[name] for name in kind.key}
        born.values |= key
        self.town.items[kind.collection].append(born)
        if self.chance(2):
            contents["payload"] = {name: value for name, value in contents["payload"].items() if name not in key}
            self.town.send("UPSERT", f"/{kind.collection}/{','.join(map(str, key.values()))}", born, **contents)
        else:
            contents["payload"] |= key
            self.town.send(self.pick(["CREATE", "UPSERT"]), f"/{kind.collection}", born, **contents)

    def family(self) -> None:
        """A team with players and an assist between them, and sometimes the end of all of it again."""
        team = self.create(KINDS["teams"], ["rank"])
        assert team is not None
        players = []
        for _ in range(2):
            number = self.town.fresh()
            player = Item(KINDS["players"], {"shirt": 100 + number}, {"team": team})
            self.town.items["players"].append(player)
            self.town.send("CREATE", f"/teams/${team.parts[0]}/players", player, payload={"shirt": 100 + number})
            players.append(player)
        givers = [
            {"attribute": name, "part": each.parts[0]} for name, each in zip(("giver", "taker"), players, strict=True)
        ]
        assist = Item(KINDS["assists"], {}, {"giver": players[0], "taker": players[1]})
        self.town.items["assists"].append(assist)
        self.town.send("CREATE", "/assists", assist, references=givers, payload={"minute": 1})
        if self.chance(2):
            for item in (assist, *players, team):
                if not self.town.pointing(item):
                    self.town.send("DELETE", f"/{item.kind.collection}/${item.parts[0]}", item)
                    self.town.remove(item)

    def again(self) -> None:
        """The same item, several times."""
        kind = KINDS[self.draw(_CROWDED)]
        item = self.someone(kind)
        for _ in range(self.draw(st.integers(2, 4))):
            if item is not None and kind.values:
                self.update(kind, [self.pick(sorted(kind.values))], item)

    def guess(self) -> None:
        """Somebody knows which keys the database will make."""
        places = [place for place, item in enumerate(self.town.made) if item in self.town.items["teams"]]
        if places:
            place = self.pick(places)
            self.town.send("UPDATE", f"/teams/{GUESS}{place}", self.town.made[place], payload={"rank": 7})

    def look(self) -> None:
        """A GET in between: of an item, or of a collection."""
        if self.chance(3):
            self.town.send("GET", self.pick(["/teams?limit=3", "/players?teamId=1", "/lockers/a1/bagsByLockerLabel"]))
        else:
            self.get(KINDS[self.draw(_ANY)])

    def alone(self) -> None:
        """A part that no group takes, and then those that it has changed by the way."""
        self.pick([self.raise_team, self.clear_locker, self.renumber_locker, self.rename_coach])()

    def raise_team(self) -> None:
        """A trigger counts the trophies of a team."""
        trophy = self.create(KINDS["trophies"], ["title", "teamId"])
        if trophy is not None and "team" in trophy.points:
            self.touch(trophy.points["team"])

    def clear_locker(self) -> None:
        """The bags of a locker that is deleted are in none."""
        bags = [each for each in self.town.items["bags"] if each.points]
        if bags:
            bag = self.pick(bags)
            locker = self.pick([*bag.points.values()])
            self.town.send("DELETE", self.path(locker), locker)
            self.town.remove(locker)
            self.touch(bag)

    def renumber_locker(self) -> None:
        """The bags of a locker follow its number."""
        bags = [each for each in self.town.items["bags"] if "lockerByLockerNumber" in each.points]
        if bags:
            bag = self.pick(bags)
            self.update(KINDS["lockers"], ["number"], bag.points["lockerByLockerNumber"])
            self.touch(bag)

    def rename_coach(self) -> None:
        self.update(KINDS["coaches"], ["nick"])

    def touch(self, item: Item) -> None:
        """Look at an item, or change something of it."""
        if self.chance(2):
            self.town.send("GET", self.path(item), item)
        else:
            self.update(item.kind, [self.pick(sorted(item.kind.values))], item)

    def leave(self) -> None:
        """All leave a team, and it ends."""
        teams = [each for each in self.town.items["teams"] if 0 < len(self.town.around(each)) < 4]
        if not teams:
            return
        team = self.pick(teams)
        for item, link in self.town.around(team):
            if item not in self.town.items[item.kind.collection]:  # it pointed at the team twice, and is gone
                continue
            away = [each for each in self.town.items["teams"] if each is not team and each.of(link.there) is not None]
            if self.chance(3) and not self.town.pointing(item):
                self.town.send("DELETE", self.path(item), item)
                self.town.remove(item)
            elif away and not any(self.town.pointing(item, [name]) for name in link.attributes):
                target = self.pick(away)
                values = dict(zip(link.attributes, target.of(link.there) or (), strict=True))
                path = self.path(item)
                item.points[link.name] = target
                item.values |= values
                self.town.send("UPDATE", path, item, payload=values)
        if not self.town.pointing(team):
            self.town.send("DELETE", self.path(team), team)
            self.town.remove(team)

    def move(self) -> None:
        """A player goes to another team, which may be a new one."""
        if self.chance(2):
            self.create(KINDS["teams"], [])
        self.update(KINDS["players"], ["teamId", "shirt"])

    def fault(self) -> None:
        """A part that is in error, or may be."""
        made = [part for part in self.town.parts if part["operation"] == "CREATE"]
        if made and self.chance(4):  # the unique values, or the key, of a part before it
            twin = self.pick(made)
            self.town.send("CREATE", twin["path"], **{n: v for n, v in twin.items() if n in {"payload", "references"}})
            return
        gone = [part["path"] for part in self.town.parts if part["operation"] == "DELETE" and "$" not in part["path"]]
        if gone and self.chance(3):
            self.town.send(self.pick(["GET", "UPDATE"]), self.pick(gone), payload=None)
            return
        wrong = dict(self.pick(REFUSALS if self.plain else (*REFUSALS, *FAULTS)))
        self.town.send(wrong.pop("operation"), wrong.pop("path"), **wrong)

    def draw_parts(self) -> list[Part]:
        size = self.draw(st.integers(5, _MOST))
        templates = self.templates()
        steps = self.steps()
        places = sorted(self.draw(st.lists(st.integers(0, size), min_size=len(steps), max_size=len(steps))))
        while len(self.town.parts) < size:
            if places and places[0] <= len(self.town.parts):
                places.pop(0)
                steps.pop()()
            elif not self.pick(templates)():
                self.create(KINDS["teams"], ["rank"])
        return self.town.parts[:_MOST]

    def steps(self) -> list[Callable[[], object]]:
        """Draw what comes between: hard things, and now and then a fault. Of plain crowds, mostly nothing."""
        if self.plain:
            hard, faults = [self.hand_on, self.swap, self.again, self.guess], [0, 0, 1, 3]
        else:
            hard, faults = [self.hand_on, self.swap, self.again, self.rebirth, self.family, self.move], [0, 0, 0, 1]
            hard += [self.look, self.alone, self.alone, self.leave, self.guess]
        drawn = self.draw(st.lists(st.sampled_from(hard), max_size=4)) if not self.plain or self.chance(4) else []
        return self.draw(st.permutations([*drawn, *[self.fault] * self.pick(faults)]))


@st.composite
def crowds(draw: st.DrawFn) -> list[Part]:
    """Draw a crowd of 5 to 40 parts."""
    return _Crowd(draw).draw_parts()


def _fault(operation: str, path: str, payload: Any = None, **others: Any) -> Part:
    return {"operation": operation, "path": path, **({} if payload is None else {"payload": payload}), **others}


# Parts that only the tables can refuse, most of them whatever the crowd does.
REFUSALS: tuple[Part, ...] = (
    _fault("CREATE", "/teams", {"code": "t1"}),
    _fault("CREATE", "/teams", {"id": 3, "code": "new"}),
    _fault("UPDATE", "/teams/1", {"code": "t2"}),
    _fault("UPDATE", "/teams/2", {"aboveId": 77}),
    _fault("UPDATE", "/teams/77", {"rank": 1}),
    _fault("DELETE", "/teams/1"),
    _fault("DELETE", "/teams/77"),
    _fault("CREATE", "/players", {"teamId": 77, "shirt": 1}),
    _fault("CREATE", "/players", {"teamId": 1, "shirt": 99, "goals": -1}),
    _fault("UPDATE", "/players/3", {"goals": -1}),
    _fault("UPDATE", "/players/3", {"goals": 1}, ifMatch=["stale"]),
    _fault("UPDATE", "/players/1", {"shirt": 98}),
    _fault("DELETE", "/players/2", ifMatch=["stale"]),
    _fault("CREATE", "/assists", {"giverId": 1, "takerId": 2}),
    _fault("CREATE", "/lockers", {"label": "z", "shirt": 1, "teamId": 4}),
    _fault("UPDATE", "/bags/1", {"lockerLabel": "nowhere"}, ifMatch=None),
)
# Parts of other kinds that are in error.
FAULTS: tuple[Part, ...] = (
    _fault("CREATE", "/teams", {"rank": 1}),
    _fault("CREATE", "/teams", {"code": "far too long a code"}),
    _fault("CREATE", "/teams", {"code": 5}),
    _fault("UPDATE", "/teams/1", {"colour": "red"}),
    _fault("UPDATE", "/teams/1", {"id": 5}),
    _fault("CREATE", "/teams/2/players", {"teamId": 3, "shirt": 97}),
    _fault("GET", "/teams/3/players/1"),
    _fault("UPSERT", "/teams", {"code": "t1", "league": "L", "seat": 2}),
    _fault("UPSERT", "/lockers/a1", {"shirt": 77, "teamId": 1}),
    _fault("UPDATE", "/tickets/1", {"token": None}),
    _fault("UPDATE", "/tickets/1", {"price": "1.234"}),
    _fault("GET", "/nowhere/1"),
    _fault("GET", "/teams/1", {}),
    _fault("CREATE", "/trophies", {"title": "cup", "teamId": 2}),
)
