"""Cost of a request: the maximum number of objects in its response.

It is counted before execution, with the request's variables, in time linear in the document.

**The cost is the maximum number of objects in the response.** Each field that has subfields is one object. `nodes` and
`edges` count once for each item of the page, for each item of the page above. `groupBy` counts as many objects as its
own `first`. Scalars are free: a row is read as a whole, and the number of selections has its own limit. `totalCount`,
`aggregate` and `groupBy` cost ten more, because they read rows that the response does not show. Introspection is free:
it does not read rows, GraphQL's own rules keep it shallow, and `max_introspections` and `introspections_per_minute`
limit how often it runs.

**A batch costs as much as the same rows in a query.** A GET of a collection costs 1 plus the page size of its path. Any
other part costs 1 if its `payload` or `item` is selected. Objects below `item` and `items` count for each item.
Therefore, the cost of the document itself is counted first (`Cost.objects`), and the cost of the parts when they are
known (`Cost.excess`).

The limit is 2.5 million objects. A row of five values takes about 0.3 kB while its response is written, so a response
at the limit exceeds `max_answer`. The cost thus prevents database work whose response could not be sent. 200 artists
with 100 albums of 100 tracks each (2,040,401) are accepted, even if the database has only 3,503 tracks, because the
cost is an upper bound. Three levels of default pages (1,010,101) are accepted. 1,000 artists with default pages of
albums and of tracks (10.1 million) are rejected, as are four levels of default pages (102 million). Clients that reach
the limit can set the number of items with `first`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
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
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from resolvers.binding.path_grammar import PathError, parse_number, parse_path
from resolvers.binding.requests import PartRequest
from resolvers.documents.document_limits import INTROSPECTIONS
from resolvers.documents.limits import MOST, Limits, excess
from storage.batch.plan.operations import Verb
from storage.errors import QueryTooComplex

LOOK = 10  # objects that reading all rows counts as
UNKNOWN_LENGTH = 10  # objects of a list of unknown length

_LOOKS = frozenset({"totalCount", "aggregate", "groupBy"})
_OF_THE_PAGE = frozenset({"nodes", "edges"})
_OF_PARTS = frozenset({"Mutation", "BatchResult", "PartResult"})  # types whose fields belong to parts


@dataclass(frozen=True, slots=True)
class PartCost:
    """The cost of the selection of `parts` for each part."""

    payloads: int = 0  # how often `payload` is selected
    items: int = 0  # how often `item` is
    lists: int = 0  # how often `items` is
    below_item: int = 0  # objects
    below_each: int = 0  # objects below each of the items of a collection

    def plus(self, other: "PartCost") -> "PartCost":
        """Return the sum of this cost and that of another selection of the same parts."""
        return PartCost(
            self.payloads + other.payloads,
            self.items + other.items,
            self.lists + other.lists,
            min(self.below_item + other.below_item, MOST),
            min(self.below_each + other.below_each, MOST),
        )

    def of(self, parts: Sequence[PartRequest], limits: Limits) -> int:
        """Return the number of objects of parts.

        `payload` and `item` count as one object. A collection counts its page even if nothing of it is selected.
        """
        of_item = max(self.payloads, self.items) + self.below_item
        of_each = max(self.payloads, self.lists, 1) + self.below_each
        if Verb.GET not in map(_VERB, parts):
            return min(len(parts) * of_item, MOST)
        pages = [size for each in parts if each.verb is Verb.GET and (size := page_size(each.path, limits)) is not None]
        return min((len(parts) - len(pages)) * of_item + len(pages) + sum(pages) * of_each, MOST)


_NO_PARTS = PartCost()
_VERB = attrgetter("verb")
_ADVICE = " Request fewer items: set limit in the paths of collections (/albums?limit=20), or send fewer parts."


def page_size(path: str, limits: Limits) -> int | None:
    """Return the maximum number of items that a GET of a path reads; None for the path of one item.

    The number is 0 for a path that will be rejected.
    """
    way, mark, _ = path.partition("?")
    if way.count("/") % 2 == 0:  # collections and keys alternate
        return None
    if not mark:
        return limits.default_page
    try:
        query = parse_path(path, limits).query
    except PathError:
        return 0
    texts = [values[0].text for name, values in query if name.text == "limit" and values]
    if not texts:
        return limits.default_page
    return parse_number(texts[-1], limits.page) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The number of objects of a response: those of its document, and those that each part of its batches adds."""

    objects: int
    varies: bool  # True if it depends on the request's variables
    batches: Mapping[str, PartCost] = field(default_factory=dict)  # response key -> its parts

    def excess(self, parts: Mapping[str, Sequence[PartRequest]], limits: Limits) -> QueryTooComplex | None:
        """Return an error if an operation costs too much, given the parts of its batches by response key."""
        of_parts = sum(self.batches.get(key, _NO_PARTS).of(each, limits) for key, each in parts.items())
        return excess({"cost": min(self.objects + of_parts, MOST)}, limits, "This request has", _ADVICE)


@dataclass(frozen=True, slots=True)
class _Below:
    """The number of objects below one object: once, for each item of its page, and for each of its parts."""

    once: int
    each: int
    part: PartCost = _NO_PARTS
    batches: Mapping[str, PartCost] = field(default_factory=dict)


_NOTHING = _Below(0, 0)


def cost_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    limits: Limits,
) -> Cost:
    """Return the maximum number of objects of an operation's response, without those of parts. The document is valid.

    Fields count as written: a field that is selected twice counts twice, and a field that a directive may skip counts.
    """
    counting = _Counting(schema, document, operation, variables, limits)
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101  # the document is valid
    below = counting.below(operation.selection_set, root)
    return Cost(objects=below.once, varies=counting.varies, batches=below.batches)


def excess_of_cost(cost: Cost, limits: Limits) -> QueryTooComplex | None:
    """Return an error if the cost of a document, without that of parts, exceeds the limit."""
    return excess({"cost": cost.objects}, limits)


class _Counting:
    """The counter of one operation with its variables."""

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
        """Return the number of objects below one object of a type.

        The recursion is as deep as a valid document: at most 200 levels.
        """
        once = each = 0
        part, batches = _NO_PARTS, dict[str, PartCost]()
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
            if type_.name in _OF_PARTS:
                part = part.plus(found.part)
                for key, own in found.batches.items():
                    batches[key] = batches.get(key, _NO_PARTS).plus(own)
        return _Below(once, each, part, batches)

    def _fragment(self, name: str) -> _Below:
        """Return the number of objects of a fragment, which is the same for all spreads: it has its own type."""
        if name not in self._written_out:
            fragment = self._fragments[name]
            type_ = self._schema.type_map[fragment.type_condition.name.value]
            self._written_out[name] = self.below(fragment.selection_set, type_)
        return self._written_out[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> _Below:
        name = node.name.value
        if parent.name in _OF_PARTS:
            return self._of_parts(node, name, parent)
        is_connection = parent.name.endswith("Connection")
        look = LOOK if is_connection and name in _LOOKS else 0
        if node.selection_set is None or name in INTROSPECTIONS:
            return _Below(look, 0)
        definition, below = self._object(node.selection_set, name, parent)
        inside = below.once + (self._length(node) * below.each if below.each else 0)
        objects = 1 + inside
        if not is_list_type(get_nullable_type(definition.type)):
            return _Below(look + objects, 0)
        if is_connection and name == "groupBy":
            return _Below(look + self._length(node) * objects, 0)
        if is_connection and name in _OF_THE_PAGE:
            return _Below(look, objects)
        return _Below(UNKNOWN_LENGTH * objects, 0)

    def _of_parts(self, node: FieldNode, name: str, parent: GraphQLNamedType) -> _Below:
        """Return the cost of a field that belongs to parts, whose number and page sizes are not known yet."""
        if node.selection_set is None:
            return _Below(0, 0, PartCost(payloads=1)) if name == "payload" else _NOTHING
        if parent.name == "PartResult":
            _, below = self._object(node.selection_set, name, parent)
            match name:
                case "item":
                    return _Below(0, 0, PartCost(items=1, below_item=below.once))
                case "items":
                    return _Below(0, 0, PartCost(lists=1, below_each=below.once))
            return _NOTHING
        _, below = self._object(node.selection_set, name, parent)
        if parent.name == "Mutation":
            key = node.alias.value if node.alias else name
            return _Below(below.once, 0, batches={key: below.part})
        return below  # `parts` and `query`, whose fields count by themselves

    def _object(
        self, selection_set: SelectionSetNode, name: str, parent: GraphQLNamedType
    ) -> tuple[GraphQLField, _Below]:
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)  # noqa: S101  # it has fields
        definition = parent.fields[name]
        return definition, self.below(selection_set, get_named_type(definition.type))

    def _length(self, node: FieldNode) -> int:
        """Return the maximum number of items of a page; planning rejects a number over the limit."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
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
                found = self._variables[name.value]  # as sent: GraphQL also accepts 10.0 for an Int
                return int(found) if isinstance(found, int | float) else None
        return None
