"""Parts for tests/support/fuzzing.py: of any verb, at any path, with any values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar
from urllib.parse import quote

from storage.catalog.model import Attribute, Catalog, Resource
from tests.support.fuzzed_values import text_of, value_of

Json = Any
Part = dict[str, Any]
T = TypeVar("T")

VERBS = ("GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE")
SIZES = (0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 12, 20, 40)
MANY = 1_000  # parts, now and then
_ITEM = (*("existing",) * 8, *("absent",) * 3, *("same", "unique", "child", "made") * 2, "broken", "below absent")
_WHERE: Mapping[str, Sequence[str]] = {
    "CREATE": (*("collection",) * 8, *("below", "absent") * 2, "below absent", "existing", "child", "made"),
    "GET": (*_ITEM, *("collection", "below") * 3),
    "UPDATE": (*_ITEM, "collection"),
    "REPLACE": _ITEM,
    "UPSERT": (*_ITEM, *("absent", "collection") * 3, "below"),
    "DELETE": _ITEM,
}
HOW = ("fresh", "fresh", "fresh", "good", "good", "met", "met", "null", "edge", "wrong")
_TAME_WHERE: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(VERBS, ("existing", "same", "unique", "made")),
    "CREATE": ("collection", "below", "absent"),
    "UPSERT": ("existing", "absent", "collection", "below"),
}
ETAGS = (*("right", "one") * 3, "null", "star", "empty", "weak", "many", "odd")
_TAME_ETAGS: Mapping[str, Sequence[str]] = {
    "ifMatch": ("right", "right", "null", "star", "many"),
    "ifNoneMatch": ("one",),
}


@dataclass(frozen=True)
class Known:
    """An item that is there at the start."""

    path: str
    etag: str
    payload: Mapping[str, Json]


@dataclass(frozen=True)
class Start:
    """What is served, as it is at the start."""

    catalog: Catalog
    items: Mapping[str, Sequence[Known]]  # by resource
    cursors: Mapping[str, Sequence[str]]  # by resource, in the usual order


@dataclass(frozen=True)
class Template:
    """What the parts of one crowd have in common."""

    resource: Resource
    verb: str
    where: str
    attributes: Mapping[str, str]  # attribute -> how its values are drawn
    conditions: Mapping[str, str]  # ifMatch, ifNoneMatch -> which etags
    typed: bool  # whether `item` is given, not `payload`
    refers: str | None  # a relation whose target is an earlier part


class Parts:
    """Draws parts of one kind."""

    def __init__(self, random: Random, start: Start) -> None:
        self.random = random
        self.start = start
        self.resources: list[Resource] = []  # of one batch
        self.tame = False  # whether the parts of a batch are good, as far as one can see
        self.number = 0  # counts up: of fresh values
        self.parts: list[Part] = []
        self.made: list[tuple[str, Resource]] = []  # ids of parts that address an item

    def chance(self, one_in: int) -> bool:
        """Return True if something happens that happens once in so often."""
        return self.random.randrange(one_in) == 0

    def pick(self, options: Sequence[T]) -> T:
        """Draw one of them."""
        return self.random.choice(options)

    def add(self, verb: str, path: str, resource: Resource | None = None, **others: Json) -> str:
        """Add a part; give its id."""
        id_ = f"p{len(self.parts)}"
        self.parts.append({"id": id_, "operation": verb, "path": path, **others})
        if resource is not None and verb != "DELETE":
            self.made.append((id_, resource))
        return id_

    # --- one kind of part

    def how(self) -> str:
        """Say how a value is drawn."""
        return self.pick(HOW[:7] if self.tame else HOW)

    def fine(self) -> Mapping[str, str]:
        """Say that everything that is required is given, and fresh."""
        return {"": self.pick(("fresh", "fresh", "fresh", "good"))}

    def template(self, resource: Resource | None = None) -> Template:
        """Draw a kind of part."""
        resource = resource or self.pick(self.resources)
        verb = self.pick(VERBS)
        where = self.pick([each for each in _WHERE[verb] if not self.tame or each in _TAME_WHERE[verb]])
        names = [*resource.attributes]
        if self.tame or not self.chance(6):
            fixed = () if where == "collection" else resource.key
            names = [name for name in names if not resource.attributes[name].read_only and name not in fixed]
        style = self.pick(("fine", "fine", "fine", "some", "some", "all", "none"))
        attributes: dict[str, str] = {}
        if style == "fine":
            attributes = {**self.fine()}
        if style in ("some", "fine"):
            most = self.pick((1, 1, 2) if verb == "UPDATE" else (0, 1, 1, 2))
            attributes |= {name: self.how() for name in self.random.sample(names, min(len(names), most))}
        if style == "all":
            attributes = dict.fromkeys(names, self.how())
        if verb in ("GET", "DELETE") and (self.tame or not self.chance(10)):
            attributes = {}
        conditions = {}
        is_item = where not in ("collection", "below")
        for name, one_in in (("ifMatch", 3), ("ifNoneMatch", 8)):
            if self.chance(one_in if is_item else 30):
                which = _TAME_ETAGS[name] if self.tame else ETAGS
                conditions[name] = self.pick(which)
        relations = [each.name for each in resource.relations.values() if not each.many] + names
        refers = self.pick(relations) if relations and not self.tame and self.chance(8) else None
        return Template(resource, verb, where, attributes, conditions, self.chance(3), refers)

    def crowd(self, template: Template, size: int) -> None:
        """Add so many parts of one kind."""
        known = self.start.items[template.resource.name]
        ones = [self.pick(known)] if known and template.where == "same" else known
        if self.tame and ones and "right" in template.conditions.values() and size < MANY:
            size = min(size, len(ones))
        for place in range(size):
            one = ones[place % len(ones)] if ones else None
            others: dict[str, Json] = {name: self.etags(which, one) for name, which in template.conditions.items()}
            if template.refers is not None and self.parts:
                others["references"] = [{"attribute": template.refers, "part": self.pick(self.parts)["id"]}]
            is_one = one is not None and template.where in ("existing", "same")
            path = one.path if one is not None and is_one else self.path(template.resource, template.where)
            is_whole = template.verb in ("CREATE", "UPSERT", "REPLACE")
            values = self.payload(template.resource, template.attributes, given=is_whole)
            if template.where not in ("collection", "below") and self.tame:
                values = {name: value for name, value in values.items() if name not in template.resource.key}
            self.write(template.resource, template.verb, path, values, template.typed, **others)

    def write(
        self, resource: Resource, verb: str, path: str, values: Mapping[str, Json], typed: bool, **others: Json
    ) -> None:
        """Add a part with values."""
        if values or (verb not in ("GET", "DELETE") and self.chance(2)):
            others |= {"item": {resource.field: values}} if typed and resource.key else {"payload": values}
        self.add(verb, path, resource, **others)

    def payload(self, resource: Resource, attributes: Mapping[str, str], *, given: bool = True) -> dict[str, Json]:
        """Draw values; `""` stands for all that are required."""
        how = {name: each for name, each in attributes.items() if name}
        if "" in attributes and given:
            pointing = {name for each in resource.foreign_keys for name in each.attributes}
            required = {name: "met" if name in pointing else attributes[""] for name in resource.required}
            how = {**required, **how}
        self.number += 1
        return {name: self.value(resource.attributes[name], each, resource) for name, each in how.items()}

    def value(self, attribute: Attribute, how: str, resource: Resource | None = None) -> Json:
        """Draw a value of an attribute; `met` is one that an item has, of an item that is pointed at."""
        if how == "met":
            found = self.met(attribute, resource)
            if found:
                return self.pick(found)
            how = "good"
        return value_of(self.random, attribute, how, self.number)

    def met(self, attribute: Attribute, resource: Resource | None) -> list[Json]:
        """List values that are good where they are met."""
        resource = resource or next(each for each in self.resources if each.attributes.get(attribute.name) is attribute)
        for foreign_key in resource.foreign_keys:
            if attribute.name in foreign_key.attributes:
                name = foreign_key.target_attributes[foreign_key.attributes.index(attribute.name)]
                return [known.payload.get(name) for known in self.start.items[foreign_key.target]]
        return [known.payload.get(attribute.name) for known in self.start.items[resource.name]]

    def writable(self, resource: Resource, known: Known) -> dict[str, Json]:
        """Say what can be written of an item."""
        return {
            name: value
            for name, value in known.payload.items()
            if name in resource.attributes and not resource.attributes[name].read_only
        }

    def etags(self, which: str, known: Known | None) -> Json:
        """Draw a precondition."""
        own = known.etag if known else "1"
        match which:
            case "right":
                return [own]
            case "one":
                return ["1"]
            case "null":
                return None
            case "star":
                return ["*"]
            case "empty":
                return []
            case "weak":
                return [f'W/"{own}"']
            case "many":
                return [f"none{n}" for n in range(30)] + [f'"{own}"']
        return [self.pick(("", "*", own.upper(), "2147483648", "-1", "01", "9" * 40, "\x00", '"', "é"))]

    # --- paths

    def path(self, resource: Resource, where: str) -> str:
        """Write a path."""
        collection = f"/{resource.collection}"
        known = self.start.items[resource.name]
        match where:
            case "collection":
                return collection
            case "existing" | "same" if known:
                return self.pick(known).path
            case "unique" if resource.keys:
                names = self.pick(resource.keys)
                one = self.pick(known).payload if known else {}
                values = {name: one.get(name) for name in names}
                return f"{collection}/{','.join(f'{name}={encoded(text_of(value))}' for name, value in values.items())}"
            case "made" if self.made:
                fitting = [id_ for id_, of in self.made if of is resource]
                if self.tame and not fitting:
                    return self.path(resource, "existing")
                fitting = fitting or [self.pick(self.made)[0]]
                return f"{collection}/${self.pick(fitting)}"
            case "below" | "below absent" | "child":
                return self.below(resource, where)
            case "broken":
                return self.broken(self.path(resource, self.pick(("existing", "collection", "unique", "below"))))
        return f"{collection}/{self.key(resource, 'fresh' if self.tame or self.chance(2) else self.pick((*HOW[:3], 'good', 'edge', 'wrong')))}"

    def below(self, resource: Resource, where: str) -> str:
        """Write the path of a collection below an item of another resource; or of an item in it."""
        above = [
            (parent, each)
            for parent in self.resources
            for each in parent.relations.values()
            if each.many and each.target == resource.name
        ]
        if not above:
            return f"/{resource.collection}"
        parent, relation = self.pick(above)
        known = self.start.items[parent.name]
        start = f"/{parent.collection}/{self.key(parent, 'fresh')}"
        if known and where != "below absent":
            start = self.pick(known).path
        if self.made and self.chance(4):
            start = self.path(parent, "made")
        if where != "child":
            return f"{start}/{relation.name}"
        children = self.start.items[resource.name]
        key = self.pick(children).path.rpartition("/")[2] if children else self.key(resource, "fresh")
        return f"{start}/{relation.name}/{key}"

    def key(self, resource: Resource, how: str) -> str:
        """Write a key that no item has; or one that may be no key."""
        self.number += 1
        return ",".join(encoded(text_of(self.value(resource.attributes[name], how))) for name in resource.key) or "1"

    def broken(self, path: str) -> str:
        """Change some characters."""
        for _ in range(self.pick((1, 1, 2, 4))):
            place = self.random.randrange(len(path) + 1)
            path = (
                path[:place]
                + self.pick(("/", ",", "=", "?", "&", "$", "%", "%00", "%ff", "\x00", "é", "0", "", "//", "$p0", " "))
                + path[place + self.random.randrange(2) :]
            )
        return path


def encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")
