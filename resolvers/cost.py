"""How many objects an answer may have: counted before the query runs, with the request's variables, in time linear to the document.

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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from resolvers.limits import MOST, Limits, excess
from resolvers.shape import INTROSPECTIONS
from storage.errors import QueryTooComplex

LOOK = 10  # objects that a look at all rows is worth
UNKNOWN_LENGTH = 10  # objects of a list of which nobody says how long it is

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
    return excess({"cost": cost.objects}, limits)


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
        if node.selection_set is None or name in INTROSPECTIONS:
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
