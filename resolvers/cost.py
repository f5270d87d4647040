"""What a query may cost: how long and how involved a document may be, and how many objects its answer may have.

Three looks, each in time linear to what it looks at, so that a refusal costs less than what it refuses:

* `excess_of_text`, before a document is parsed: characters and tokens, counted at the speed of a regular expression.
* `excess_of_shape`, before it is validated: definitions, depth, selections, aliases, directives, root fields, introspections. Fragments
  count wherever they are spread, but each is looked at once. Unknown fragments count nothing, and circular ones are not
  followed around: validation refuses both.
* `excess_of_cost`, before it runs: objects, with the request's variables.

**The cost is the number of objects that the answer has at most.** Each field that has fields of its own is one object;
`nodes` and `edges` are as many as the page has items, for each item of the page above, and `groupBy` as many as its own
`first` says. Scalars are free: a row is read whole,
and the number of selections has its own limit. `totalCount`, `aggregate` and `groupBy` are ten more: they look at rows that
the answer does not show. The results of a batch's parts are free, because there are as many as parts, which have their own
limit; what is read *below* an item counts, once for each part. Introspection is free too: it reads no row, GraphQL's own rules
keep it shallow, and `max_introspections` says how often.

The limit, 50 million, is far more than anybody should read, because the cost is what *could* come: 200 artists with 100
albums of 100 tracks each are two million by this count, and 3,503 tracks in truth. 1,000 artists with default pages of albums and
of tracks, each with its media type (20.3 million), pass, and so do five levels of 100, 20, 20, 20 and 20 (17.7 million); four
levels of default pages (102 million) do not: whoever nests so deep says how many he wants. It is no promise of speed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    specified_rules,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.types.execution import ParseOptions

from resolvers.limits import Limits
from storage.errors import QueryTooComplex

MOST = 10**15  # where counting ends: fragments in fragments make numbers of any length
LOOK = 10  # objects that a look at all rows is worth
MAX_COMPARISONS = 30_000  # of fields with the same name, while validating; in units of graphql-core, two for each pair
UNKNOWN_LENGTH = 10  # objects of a list of which nobody says how long it is

_COUNTED = {
    "document": ("characters", "max_document"),
    "tokens": ("tokens", "max_tokens"),
    "definitions": ("operations and fragments", "max_definitions"),
    "depth": ("levels of fields", "max_depth"),
    "selections": ("selections", "max_selections"),
    "aliases": ("aliases", "max_aliases"),
    "directives": ("directives", "max_directives"),
    "root_fields": ("root fields", "max_root_fields"),
    "introspections": ("introspections", "max_introspections"),
    "cost": ("objects in its answer", "max_cost"),
}  # limit -> what it counts, and its setting


def _excess(found: Mapping[str, int], limits: Limits) -> QueryTooComplex | None:
    """Name all limits that are passed, with their values and what was found."""
    over = {limit: number for limit, number in found.items() if number > getattr(limits, limit)}
    if not over:
        return None
    sentences = []
    for limit, number in over.items():
        what, setting = _COUNTED[limit]
        least = "at least " if number == MOST else ""
        sentences.append(f"{least}{number:,} {what}, and the limit is {getattr(limits, limit):,} ({setting})")
    return QueryTooComplex(f"This query has {'; '.join(sentences)}.")


# --- the text

# Each alternative ends where it fails to go on, also at the end of the text: no place is looked at twice.
_TOKEN = re.compile(
    r'#[^\r\n]*+|"""(?:[^"\\]++|\\(?:""")?|"(?!""))*+(?:""")?|"(?:[^"\\\r\n]++|\\.)*+"?'
    r"|[_A-Za-z]\w*+|-?\d++(?:\.\d++)?+(?:[eE][+-]?\d++)?+|\.\.\.|[^\s,\ufeff]",
    re.ASCII,
)

# The place of each error is found by going through the text before it, line by line. A hundred errors behind 200,000 empty
# lines took 2.8 seconds. The errors of a document that is longer than this have no places.
_MAX_PLACED = 20_000  # characters
_MAX_PLACED_LINES = 1_000
_LINE_END = re.compile(r"\r\n|[\n\r]")


def count_tokens(text: str) -> int:
    """Count tokens as the GraphQL specification has them (section 2.1), and comments."""
    return len(_TOKEN.findall(text))


def excess_of_text(text: str, limits: Limits) -> QueryTooComplex | None:
    """Look at a document before it is parsed."""
    return _excess({"document": len(text)}, limits) or _excess({"tokens": count_tokens(text)}, limits)


def parse_options(text: str) -> ParseOptions:
    """Say how to parse a document that is taken."""
    is_long = len(text) > _MAX_PLACED or len(_LINE_END.findall(text)) > _MAX_PLACED_LINES
    options: Any = {"no_location": True} if is_long else {}  # Strawberry hands on what graphql-core knows
    return cast("ParseOptions", options)


# --- the shape


@dataclass(slots=True)
class _Shape:
    """What a definition has, fragments left out or written out."""

    depth: int = 0  # fields above each other
    root_fields: int = 0  # fields that stand below no other
    selections: int = 0  # fields and fragments
    aliases: int = 0
    directives: int = 0
    introspections: int = 0
    spreads: Counter[tuple[str, int]] = field(default_factory=Counter)  # (fragment, fields above it) -> how often

    def add(self, other: "_Shape", below: int, times: int) -> None:
        """Write a fragment out."""
        self.depth = max(self.depth, below + other.depth)
        if below == 0:
            self.root_fields = min(self.root_fields + other.root_fields * times, MOST)
        self.selections = min(self.selections + other.selections * times, MOST)
        self.aliases = min(self.aliases + other.aliases * times, MOST)
        self.directives = min(self.directives + other.directives * times, MOST)
        self.introspections = min(self.introspections + other.introspections * times, MOST)


def excess_of_shape(document: DocumentNode, limits: Limits) -> QueryTooComplex | None:
    """Look at a document before it is validated."""
    return _excess(shape_of(document), limits)


def shape_of(document: DocumentNode) -> dict[str, int]:
    """Count what a document has, by limit: all its operations together, as all of them are validated."""
    own = {
        each.name.value: _own_shape(each) for each in document.definitions if isinstance(each, FragmentDefinitionNode)
    }
    for name in _innermost_first(own):
        _write_out(own[name], own)
    whole, root_fields = _Shape(), 0
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            shape = _own_shape(each)
            _write_out(shape, own)
            whole.add(shape, 0, 1)
            root_fields = max(root_fields, shape.root_fields)  # only one of them runs
    return {
        "definitions": len(document.definitions),
        "depth": whole.depth,
        "selections": whole.selections,
        "aliases": whole.aliases,
        "directives": whole.directives,
        "root_fields": root_fields,
        "introspections": whole.introspections,
    }


def _own_shape(definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Shape:
    shape = _Shape()
    shape.directives = len(definition.directives or ())
    for variable in definition.variable_definitions or ():
        shape.directives += len(variable.directives or ())
    waiting = [(definition.selection_set, 0)]
    while waiting:
        selection_set, above = waiting.pop()
        for selection in selection_set.selections:
            shape.selections += 1
            shape.directives += len(selection.directives or ())
            match selection:
                case FieldNode():
                    shape.depth = max(shape.depth, above + 1)
                    shape.root_fields += above == 0
                    shape.aliases += selection.alias is not None
                    shape.introspections += selection.name.value in _INTROSPECTIONS
                    if selection.selection_set is not None:
                        waiting.append((selection.selection_set, above + 1))
                case InlineFragmentNode():
                    waiting.append((selection.selection_set, above))
                case FragmentSpreadNode():
                    shape.spreads[selection.name.value, above] += 1
    return shape


def _write_out(shape: _Shape, fragments: Mapping[str, _Shape]) -> None:
    """Add the fragments that are spread, which are written out already, unless they lead back here."""
    for (name, above), times in shape.spreads.items():
        if name in fragments and fragments[name] is not shape:
            shape.add(fragments[name], above, times)


def _innermost_first(fragments: Mapping[str, _Shape]) -> Iterator[str]:
    """Go through the fragments, each after those that it spreads, without recursion: they may be any number."""
    seen: set[str] = set()
    for root in fragments:
        path = [(root, iter(fragments[root].spreads))] if root not in seen else []
        seen.add(root)
        while path:
            name, spreads = path[-1]
            inner = next((each for each, _ in spreads if each in fragments and each not in seen), None)
            if inner is None:
                path.pop()
                yield name
            else:
                seen.add(inner)
                path.append((inner, iter(fragments[inner].spreads)))


# --- validation


class _FewComparisons(OverlappingFieldsCanBeMergedRule):
    """Gives up comparing fields of one name sooner than graphql-core does, which takes a second to."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MAX_COMPARISONS


RULES = tuple(_FewComparisons if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules)


def excess_of_validation(errors: Sequence[GraphQLError]) -> QueryTooComplex | None:
    """Say why validation was given up, where it was (not for the number of its errors)."""
    given_up = [each for each in errors if isinstance(each, ValidationAbortedError)]
    if not any(each.message == "Validation aborted." for each in given_up):
        return None
    return QueryTooComplex(
        "This query selects fields of the same name too often, or nests its fragments too deeply, to be validated."
    )


# --- the cost

_INTROSPECTIONS = frozenset({"__schema", "__type"})
_LOOKS = frozenset({"totalCount", "aggregate", "groupBy"})
_OF_THE_PAGE = frozenset({"nodes", "edges"})
_OF_PARTS = frozenset({"Mutation", "BatchResult", "PartResult"})  # what they answer belongs to parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The objects of an answer."""

    objects: int
    varies: bool  # with the request's variables


@dataclass(frozen=True, slots=True)
class _Below:
    """The objects below one object: those that are there once, and those that are there for each item of its page."""

    once: int
    each: int


def cost_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    limits: Limits,
) -> Cost:
    """Count the objects that the answer to an operation has at most. The document is valid.

    It counts what is written: a field that is selected twice counts twice, and one that a directive may leave out counts.
    """
    counting = _Counting(schema, document, operation, variables, limits)
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101  # the document is valid
    below = counting.below(operation.selection_set, root)
    return Cost(objects=below.once, varies=counting.varies)


def excess_of_cost(cost: Cost, limits: Limits) -> QueryTooComplex | None:
    """Refuse what costs too much."""
    return _excess({"cost": cost.objects}, limits)


class _Counting:
    """One operation with its variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        limits: Limits,
    ) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._variables = variables
        self._defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
        self._limits = limits
        self._written_out: dict[str, _Below] = {}
        self.varies = False

    def below(self, selection_set: SelectionSetNode, type_: GraphQLNamedType) -> _Below:
        """Count the objects below one object of a type. It goes as deep as a valid document: 200 levels at most."""
        once = each = 0
        for selection in selection_set.selections:
            match selection:
                case FieldNode():
                    found = self._field(selection, type_)
                case InlineFragmentNode(type_condition=condition):
                    inner = type_ if condition is None else self._schema.type_map[condition.name.value]
                    found = self.below(selection.selection_set, inner)
                case FragmentSpreadNode(name=name):
                    found = self._fragment(name.value)
            once, each = min(once + found.once, MOST), min(each + found.each, MOST)
        return _Below(once, each)

    def _fragment(self, name: str) -> _Below:
        """Count what a fragment selects: it has its own type, so it counts the same wherever it is spread."""
        if name not in self._written_out:
            fragment = self._fragments[name]
            type_ = self._schema.type_map[fragment.type_condition.name.value]
            self._written_out[name] = self.below(fragment.selection_set, type_)
        return self._written_out[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> _Below:
        name = node.name.value
        is_connection = parent.name.endswith("Connection")
        look = LOOK if is_connection and name in _LOOKS else 0
        if node.selection_set is None or name in _INTROSPECTIONS:
            return _Below(look, 0)
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)  # noqa: S101  # it has fields
        definition = parent.fields[name]
        below = self.below(node.selection_set, get_named_type(definition.type))
        inside = below.once + (self._length(node, definition) * below.each if below.each else 0)
        is_free = parent.name in _OF_PARTS
        objects = inside if is_free else 1 + inside
        if not is_list_type(get_nullable_type(definition.type)):
            return _Below(look + objects, 0)
        if is_connection and name == "groupBy":
            return _Below(look + self._length(node, definition) * objects, 0)
        if (is_connection and name in _OF_THE_PAGE) or (parent.name, name) == ("BatchResult", "parts"):
            return _Below(look, objects)
        return _Below((self._limits.default_page if is_free else UNKNOWN_LENGTH) * objects, 0)

    def _length(self, node: FieldNode, definition: GraphQLField) -> int:
        """Say how many items a page has, or how many parts a batch; what is over a limit is refused where it is read."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        if "parts" in definition.args:
            return min(self._number_of_values(given.get("parts")), self._limits.parts)
        for name in ("first", "last"):
            size = self._integer(given.get(name))
            if size is not None:
                return max(0, min(size, self._limits.page))
        return self._limits.default_page

    def _integer(self, value: ValueNode | None) -> int | None:
        match value:
            case IntValueNode(value=text):
                return int(text)
            case VariableNode(name=name):
                self.varies = True
                if name.value not in self._variables:
                    return self._integer(self._defaults.get(name.value))
                found = self._variables[name.value]  # as it was sent: GraphQL takes 10.0 for an Int, too
                return int(found) if isinstance(found, int | float) else None
        return None

    def _number_of_values(self, value: ValueNode | None) -> int:
        match value:
            case ListValueNode(values=values):
                return len(values)
            case VariableNode(name=name):
                self.varies = True
                if name.value not in self._variables:
                    return self._number_of_values(self._defaults.get(name.value))
                found = self._variables[name.value]
                return len(found) if isinstance(found, list) else 1
        return 1  # one value is a list of one
