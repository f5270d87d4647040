"""Batches for tests/support/fuzzing.py: each has a theme, and themes go to extremes, as a whole batch of one kind does."""

import json
from collections.abc import Callable

from tests.support.fuzzed_parts import ETAGS, MANY, SIZES, VERBS, Part, Parts, Template, encoded
from tests.support.fuzzed_values import TEXTS, WRONG, text_of


class Batches(Parts):
    """Draws batches."""

    def draw(self) -> list[Part]:
        """Draw one batch."""
        self.parts, self.made, self.number = [], [], self.random.randrange(1_000)
        self.tame = not self.chance(3)
        self.resources = [each for each in self.start.catalog.resources.values() if each.writable or not self.tame]
        if self.chance(300):
            self.crowd(self.template(), MANY)
        else:
            self.random.choice(THEMES)(self)
        if self.chance(20 if self.tame else 5):
            self.spoil()
        return self.parts

    # --- themes

    def crowds(self) -> None:
        """One kind of part, from top to bottom; or two."""
        for _ in range(self.pick((1, 1, 1, 2, 3))):
            self.crowd(self.template(), self.pick(SIZES))

    def extremes(self) -> None:
        """Every part does the same to items that are all there, all absent, or all the same, on the same condition."""
        versioned = [each for each in self.resources if each.version is not None]
        resource = self.pick(versioned if versioned and self.chance(3) else self.resources)
        verb = self.pick(VERBS)
        where = self.pick(
            ("existing", "absent", "same", "collection")
            if verb in ("CREATE", "UPSERT")
            else ("existing", "absent", "same")
        )
        free = [name for name, each in resource.attributes.items() if not each.read_only and name not in resource.key]
        attributes = self.pick(
            (self.fine(), self.fine(), {}, {name: self.how() for name in free[:1]}, dict.fromkeys(free, self.how()))
        )
        conditions = self.pick(
            (
                {},
                {"ifMatch": "right"},
                {"ifMatch": "one"},
                {"ifMatch": self.pick(ETAGS)},
                {"ifNoneMatch": self.pick(ETAGS)},
            )
        )
        if verb in ("GET", "DELETE"):
            attributes = {}
        if verb == "UPDATE" and not self.chance(6):
            attributes = {name: self.how() for name in self.random.sample(free, min(len(free), self.pick((1, 1, 2))))}
        self.tame = where != "absent" or self.tame
        self.crowd(
            Template(
                resource, verb, where, attributes, conditions if where != "collection" else {}, self.chance(3), None
            ),
            self.pick(SIZES[4:]),
        )

    def deviant(self) -> None:
        """One part is of another kind."""
        self.crowd(self.template(), self.pick(SIZES))
        self.crowd(self.template(), 1)
        self.random.shuffle(self.parts)

    def mix(self) -> None:
        """Any parts."""
        for _ in range(self.pick(SIZES)):
            self.crowd(self.template(), 1)

    def neighbours(self) -> None:
        """Any parts of one resource: they meet."""
        resource = self.pick(self.resources)
        for _ in range(self.pick(SIZES)):
            self.crowd(self.template(resource), 1)

    def twice(self) -> None:
        """The same part again and again."""
        self.crowd(self.template(), 1)
        if self.parts:
            first = self.parts[0]
            self.parts += [{**first, "id": f"q{n}"} for n in range(self.pick(SIZES))]

    def families(self) -> None:
        """Items below items that were made just before, and items that point at them."""
        for _ in range(self.pick(SIZES)):
            if not self.made or self.chance(3):
                self.crowd(
                    Template(self.pick(self.resources), "CREATE", "collection", self.fine(), {}, self.chance(2), None),
                    1,
                )
                continue
            id_, parent = self.pick(self.made)
            relations = [each for each in parent.relations.values() if each.many]
            if not relations:
                self.crowd(self.template(parent), 1)
                continue
            relation = self.pick(relations)
            child = self.start.catalog.target_of(relation)
            attributes = self.payload(child, self.fine())
            verb = self.pick(("CREATE", "CREATE", "UPSERT", "GET"))
            if self.chance(2):
                path = f"/{parent.collection}/${id_}/{relation.name}"
                for name in relation.there:
                    attributes.pop(name, None)
                self.write(child, verb, path, attributes, self.chance(3))
                continue
            pointing = next(
                (
                    each
                    for each in child.relations.values()
                    if each.foreign_key is relation.foreign_key and not each.many
                ),
                None,
            )
            for name in relation.there:
                attributes.pop(name, None)
            references = [{"attribute": pointing.name if pointing else relation.there[0], "part": id_}]
            self.write(child, verb, f"/{child.collection}", attributes, self.chance(3), references=references)

    def clearance(self) -> None:
        """Everything of some resources goes, in one order or the other, and comes again."""
        chosen = self.random.sample(self.resources, min(len(self.resources), self.pick((1, 1, 2, 3, 100))))
        for resource in chosen:
            for known in self.start.items[resource.name]:
                self.add("DELETE", known.path, resource)
        if self.chance(3):
            self.random.shuffle(self.parts)
        if self.chance(2):
            return
        for resource in reversed(chosen):
            for known in self.start.items[resource.name]:
                self.write(
                    resource,
                    self.pick(("CREATE", "UPSERT")),
                    f"/{resource.collection}",
                    self.writable(resource, known),
                    self.chance(3),
                )

    def rotations(self) -> None:
        """Each item gets what the next one has; or all get what one has."""
        resource = self.pick(self.resources)
        known = self.start.items[resource.name]
        shift = self.pick((0, 1, 1, 1, 2, None))
        verb = self.pick(("UPDATE", "REPLACE", "UPSERT"))
        typed = self.chance(2)
        for place, one in enumerate(known):
            other = known[0] if shift is None else known[(place + shift) % len(known)]
            values = {name: value for name, value in self.writable(resource, other).items() if name not in resource.key}
            self.write(resource, verb, one.path, values, typed, **({"ifMatch": [one.etag]} if shift == 2 else {}))

    def upserts(self) -> None:
        """Items are found by what is in the payload."""
        resource = self.pick([each for each in self.resources if each.unique_keys] or self.resources)
        known = self.start.items[resource.name]
        for _ in range(self.pick(SIZES)):
            values = self.payload(resource, self.fine())
            for unique in self.random.sample(resource.keys, self.random.randrange(len(resource.keys) + 1)):
                one = self.pick(known) if known else None
                for name in unique:
                    values[name] = one.payload.get(name) if one else self.value(resource.attributes[name], "good")
            path = self.pick((f"/{resource.collection}", f"/{resource.collection}", self.path(resource, "unique")))
            self.write(resource, "UPSERT", path, values, self.chance(3))

    def questions(self) -> None:
        """Pages, orders and conditions of collections."""
        for _ in range(self.pick(SIZES)):
            resource = self.pick(self.resources)
            path = self.path(resource, self.pick(("collection", "collection", "below")))
            names = [*resource.attributes]
            asked = []
            for _ in range(self.random.randrange(4)):
                name = self.pick(names)
                value = text_of(
                    self.value(resource.attributes[name], self.pick(("good", "met", "edge", "wrong", "null")))
                )
                order = ",".join(self.pick(("", "-")) + self.pick(names) for _ in range(self.random.randrange(4)))
                number = self.pick(("0", "1", "2", "200", "201", "-1", "x", "", "9" * 30, "01", "1.0"))
                asked.append(
                    self.pick(
                        (
                            f"{name}={encoded(value)}",
                            f"{name}={encoded(value)}",
                            f"orderBy={order}",
                            f"limit={number}",
                            f"offset={number}",
                            "etag=x",
                            "a",
                            "=",
                            "%",
                        )
                    )
                )
            self.add(self.pick(("GET", "GET", "GET", "GET", "DELETE")), f"{path}?{'&'.join(asked)}" if asked else path)

    def nonsense(self) -> None:
        """What nobody would send."""
        self.crowds()
        for part in self.parts:
            if self.chance(2):
                name = self.pick(("id", "path", "payload", "item", "ifMatch", "ifNoneMatch", "references", "operation"))
                part[name] = self.pick(
                    (*WRONG, *TEXTS, None, "$p0", "/$p0", "GET", [{}], [{"attribute": "id", "part": "p0"}])
                )

    # --- faults of a whole batch

    def spoil(self) -> None:
        """Break something small."""
        if not self.parts:
            return
        part = self.pick(self.parts)
        match self.random.randrange(5):
            case 0:
                part["id"] = self.pick(self.parts)["id"]
            case 1:
                part["id"] = self.pick(("", "x" * 255, "x" * 256, "é", "\x00", "a/b", "$", " ", "\ud800"))
            case 2:
                part["path"] = self.broken(str(part["path"]))
            case 3:
                part["operation"] = self.pick(VERBS)
            case 4:
                given = json.loads(json.dumps(part.get("payload") or {}))
                if isinstance(given, dict):
                    part["payload"] = {
                        **given,
                        self.pick(("nothing", "", "path", "etag", "id", "__typename")): self.pick(WRONG),
                    }


THEMES: tuple[Callable[[Batches], None], ...] = (
    *(Batches.crowds,) * 5,
    *(Batches.extremes,) * 6,
    *(Batches.deviant,) * 2,
    *(Batches.mix,) * 2,
    *(Batches.neighbours,) * 3,
    *(Batches.families,) * 3,
    *(Batches.rotations,) * 2,
    *(Batches.upserts,) * 2,
    *(Batches.twice, Batches.clearance, Batches.questions, Batches.nonsense),
)
