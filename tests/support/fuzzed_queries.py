"""Documents for tests/support/fuzzing.py, drawn from the schema that is served: any selection, any argument."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
)

from storage.catalog.types import (
    Anything,
    Boolean,
    Bytes,
    Date,
    DateTime,
    Float,
    Integer,
    JsonDocument,
    Numeric,
    Text,
    Time,
    Uuid,
    ValueType,
)
from tests.support.fuzzed_parts import Start
from tests.support.fuzzed_values import edge, fresh, good

Json = Any

DEEPEST = 6  # fields
_SCALARS: dict[str, ValueType] = {
    "Int": Integer(bits=32),
    "BigInt": Integer(bits=64),
    "Float": Float(),
    "Decimal": Numeric(),
    "Boolean": Boolean(),
    "String": Text(),
    "ID": Text(),
    "Date": Date(),
    "Time": Time(),
    "UUID": Uuid(),
    "Base64": Bytes(),
    "JSON": JsonDocument(),
    "Any": Anything(),
}
_PAGING = {
    "first": (0, 1, 1, 2, 3, 50, 200, 201, -1),
    "last": (0, 1, 2, 3, 200, -1),
    "offset": (0, 1, 2, 50, 2**31 - 1, -1),
}
_ALL_PAGING = {*_PAGING, "after", "before"}
_PAGINGS = (
    *((), ("first",), ("first", "after"), ("last",), ("last", "before"), ("first", "offset"), ("after",), ("before",))
    * 4,
    tuple(sorted(_ALL_PAGING)),
)
_ONE_OF = ("OrderBy", "OrderBy_")


class EnumValue(str):
    """A name of an enum: a text in variables, and none in a document."""

    __slots__ = ()


@dataclass
class Queries:
    """Draws documents."""

    random: Random
    start: Start
    schema: GraphQLSchema
    variables: dict[str, Json] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    aliases: int = 0
    budget: int = 0  # fields that may still come

    def draw(self) -> tuple[str, dict[str, Json]]:
        """Draw a query and its variables."""
        self._begin()
        assert self.schema.query_type is not None
        text = self.selection(self.schema.query_type, self.random.randrange(2, DEEPEST))
        head = f"query ({', '.join(self.declared)}) " if self.declared else ""
        return head + text, self.variables

    def draw_batch(self) -> tuple[str, dict[str, Json]]:
        """Draw the document of a batch, and the variables of what is asked for with it."""
        self._begin()
        below = self.selection(self.schema.type_map["BatchResult"], self.random.randrange(2, DEEPEST))
        declared = ", ".join(("$parts: [PartInput!]!", "$dryRun: Boolean! = false", *self.declared))
        own = "status committed parts { id index status errors { code message pointer attributes } }"
        return (
            f"mutation ({declared}) {{ batch(parts: $parts, dryRun: $dryRun) {{ {own} {below[1:-1]} }} }}",
            self.variables,
        )

    def _begin(self) -> None:
        self.variables, self.declared, self.aliases, self.budget = {}, [], 0, self.random.choice((5, 20, 60))

    def _chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    # --- what is asked for

    def selection(self, type_: Any, depth: int) -> str:
        """Write what is asked for of an object."""
        asked = ["__typename"] if self._chance(6) else []
        if isinstance(type_, GraphQLInterfaceType):
            objects = self.schema.get_possible_types(type_)
            some = self.random.sample([*objects], min(len(objects), 3))
            asked += [f"... on {each.name} {self.selection(each, depth)}" for each in some]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        fields = [*type_.fields.items()]
        many = (
            self.random.choice((1, 2, 3, 5, len(fields)))
            if type_ is not self.schema.query_type
            else self.random.choice((1, 1, 2, 4))
        )
        for name, each in self.random.sample(fields, min(many, len(fields))):
            inner = get_named_type(each.type)
            if is_composite_type(inner) and (depth == 0 or self.budget <= 0):
                continue
            self.budget -= 1
            below = f" {self.selection(inner, depth - 1)}" if is_composite_type(inner) else ""
            self.aliases += 1
            directive = (
                self.random.choice((" @include(if: true)", " @skip(if: false)", " @skip(if: true)"))
                if self._chance(40)
                else ""
            )
            asked.append(f"a{self.aliases}: {name}{self.arguments(each.args, inner.name)}{directive}{below}")
        return f"{{ {' '.join(asked or ['__typename'])} }}"

    def arguments(self, arguments: Any, answer: str) -> str:
        """Write the arguments of a field: as literals, or as variables."""
        given = []
        paging = self.random.choice(_PAGINGS)
        for name, argument in arguments.items():
            is_required = isinstance(argument.type, GraphQLNonNull)
            if not is_required and (name not in paging if name in _ALL_PAGING else self._chance(2)):
                continue
            if name == "orderBy" and {"after", "before"} & {*paging} and not self._chance(4):
                continue  # the cursors are those of the usual order
            value = self.argument(name, argument.type, answer)
            if self._chance(3):
                given.append(f"{name}: {literal(value)}")
            else:
                variable = f"v{len(self.declared)}"
                self.declared.append(f"${variable}: {argument.type}")
                self.variables[variable] = value
                given.append(f"{name}: ${variable}")
        return f"({', '.join(given)})" if given else ""

    def argument(self, name: str, type_: GraphQLInputType, answer: str) -> Json:
        """Draw the value of an argument."""
        if name in _PAGING and not self._chance(30):
            return self.random.choice(_PAGING[name])
        if name in ("after", "before"):
            own = self.start.cursors.get(answer.removesuffix("Connection"))
            cursor = self.random.choice(own or ("x",))
            if not self._chance(6):
                return cursor
            others = [each for cursors in self.start.cursors.values() for each in cursors]
            place = self.random.randrange(len(cursor) + 1)
            broken = (cursor[:place], cursor[:place] + "A" + cursor[place + 1 :], "", "é", "W10", "bnVsbA")
            return self.random.choice((*broken, self.random.choice(others)))
        if name == "path":
            known = [one.path for items in self.start.items.values() for one in items]
            path = self.random.choice(known)
            return self.random.choice(
                (
                    path,
                    path,
                    path,
                    path[:-1],
                    path + "/x",
                    "",
                    "/",
                    path.upper(),
                    path + "?a=1",
                    path.replace("/", "//"),
                )
            )
        return self.value(type_, 4)

    def value(self, type_: GraphQLInputType, depth: int, *, required: bool = False) -> Json:
        """Draw a value of an input type."""
        if isinstance(type_, GraphQLNonNull):
            return self.value(type_.of_type, depth, required=True)
        if self._chance(60) and (not required or self._chance(10)):
            return None
        if isinstance(type_, GraphQLList):
            return [self.value(type_.of_type, depth) for _ in range(self.random.choice((0, 1, 1, 2, 3, 12)))]
        if isinstance(type_, GraphQLEnumType):
            return EnumValue(self.random.choice([*type_.values]))
        if isinstance(type_, GraphQLInputObjectType):
            return self.input_object(type_, depth)
        return self.scalar(type_.name)

    def input_object(self, type_: GraphQLInputObjectType, depth: int) -> Json:
        """Draw an input object: few members, and where they are deep, only those that are no deeper."""
        fields = [*type_.fields.items()]
        if depth <= 0:
            fields = [
                (name, each)
                for name, each in fields
                if not isinstance(get_named_type(each.type), GraphQLInputObjectType)
            ]
        if not fields:
            return {}
        many = 1 if type_.name.endswith(_ONE_OF) and not self._chance(30) else self.random.choice((0, 1, 1, 1, 2, 2, 3))
        required = [name for name, each in fields if isinstance(each.type, GraphQLNonNull)]
        chosen = [name for name, _ in self.random.sample(fields, min(many, len(fields)))]
        return {name: self.value(type_.fields[name].type, depth - 1) for name in dict.fromkeys((*required, *chosen))}

    def scalar(self, name: str) -> Json:
        """Draw a value of a scalar: one of an item, mostly."""
        if name == "DateTime":
            type_: ValueType = DateTime(aware=self._chance(2))
        else:
            type_ = _SCALARS.get(name, Text())
        match self.random.randrange(16):
            case 0:
                return edge(self.random, type_)
            case 1 | 2 | 3 | 4:
                return good(self.random, type_)
            case 5 | 6:
                return fresh(self.random.randrange(100), type_)
        fitting = [value for value in self._values() if _fits(value, type_)]
        return self.random.choice(fitting) if fitting else good(self.random, type_)

    def _values(self) -> Sequence[Json]:
        items = self.random.choice([each for each in self.start.items.values() if each])
        return [value for one in items for value in one.payload.values()]


def _fits(value: Json, type_: ValueType) -> bool:
    match type_:
        case Integer(bits=32):
            return isinstance(value, int) and not isinstance(value, bool)
        case Float():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Boolean():
            return isinstance(value, bool)
        case JsonDocument():
            return True
    return isinstance(value, str)


def literal(value: Json) -> str:
    """Write a value as it stands in a document."""
    match value:
        case EnumValue():
            return str(value)
        case dict():
            return f"{{{', '.join(f'{name}: {literal(each)}' for name, each in value.items() if name.isidentifier())}}}"
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=value.isascii())
    return json.dumps(value)
