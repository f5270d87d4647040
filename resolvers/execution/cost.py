"""How many objects an answer may have: counted before anything runs, with the request's variables, in time linear to the document.

**The cost is the number of objects that the answer has at most.** Each field that has fields of its own is one object;
`nodes` and `edges` are as many as the page has items, for each item of the page above, and `groupBy` as many as its own
`first` says. Scalars are free: a row is read whole,
and the number of selections has its own limit. `totalCount`, `aggregate` and `groupBy` are ten more: they look at rows that
the answer does not show. Introspection is free: it reads no row, GraphQL's own rules
keep it shallow, and `max_introspections` and `introspections_per_minute` limit how often it runs.

**A batch costs what the same rows cost in a query.** A GET of a collection is 1 and the page that its path asks for; any other
part whose `payload` or `item` is selected is 1. What is read below `item` and `items` counts for each of them. So the
document's own cost is counted first (`Cost.objects`), and that of the parts once they are known (`Cost.excess`).

The limit is 2.5 million objects. A row of five values takes about 0.3 kB while it is answered, so an answer at the limit is
more than `max_answer` lets through: the cost keeps the database from work whose answer could not be sent. 200 artists with 100 albums of 100 tracks each (2,040,401) pass,
though there may be 3,503 tracks in truth: the cost is what *could* come. Three levels of default pages (1,010,101) pass; 1,000 artists
with default pages of albums and of tracks (10.1 million) do not, nor do four levels of default pages (102 million).
Clients that reach the limit state how many items they want with `first`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

from resolvers.binding.path_grammar import PathError, parse_path
from resolvers.binding.requests import PartRequest
from resolvers.documents.document_limits import INTROSPECTIONS
from resolvers.documents.limits import MOST, Limits, excess
from storage.batch.plan.operations import Verb
from storage.errors import QueryTooComplex

LOOK = 10  # objects that a look at all rows is worth
UNKNOWN_LENGTH = 10  # objects of a list of which nobody says how long it is

_LOOKS = frozenset({"totalCount", "aggregate", "groupBy"})
_OF_THE_PAGE = frozenset({"nodes", "edges"})
_OF_PARTS = frozenset({"Mutation", "BatchResult", "PartResult"})  # what they answer belongs to parts


@dataclass(frozen=True, slots=True)
class PartCost:
    """What the selection of `parts` costs for each part."""

    payloads: int = 0  # how often `payload` is selected
    items: int = 0  # how often `item` is
    lists: int = 0  # how often `items` is
    below_item: int = 0  # objects
    below_each: int = 0  # objects below each of the items of a collection

    def plus(self, other: "PartCost") -> "PartCost":
        """Add what is selected elsewhere of the same parts."""
        return PartCost(
            self.payloads + other.payloads,
            self.items + other.items,
            self.lists + other.lists,
            min(self.below_item + other.below_item, MOST),
            min(self.below_each + other.below_each, MOST),
        )

    def of(self, parts: Sequence[PartRequest], limits: Limits) -> int:
        """Count the objects of parts. `payload` and `item` are one object; a collection is read whatever is selected of it."""
        of_item = max(self.payloads, self.items) + self.below_item
        of_each = max(self.payloads, self.lists, 1) + self.below_each
        pages = [size for each in parts if each.verb is Verb.GET and (size := page_size(each.path, limits)) is not None]
        return min((len(parts) - len(pages)) * of_item + len(pages) + sum(pages) * of_each, MOST)


_NO_PARTS = PartCost()
_ADVICE = " Request fewer items: set limit in the paths of collections (/albums?limit=20), or send fewer parts."


def page_size(path: str, limits: Limits) -> int | None:
    """Return how many items a GET of a path reads at most; None for the path of one item.

    A path that will be rejected reads none.
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
    digits = texts[-1]
    is_number = digits.isascii() and digits.isdigit() and len(digits) < len(str(MOST))
    return int(digits) if is_number and int(digits) <= limits.page else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The objects of an answer: those that its document tells, and what each part of its batches adds."""

    objects: int
    varies: bool  # with the request's variables
    batches: Mapping[str, PartCost] = field(default_factory=dict)  # response key -> its parts

    def excess(self, parts: Mapping[str, Sequence[PartRequest]], limits: Limits) -> QueryTooComplex | None:
        """Refuse an operation whose batches, by response key with their parts, cost too much."""
        of_parts = sum(self.batches.get(key, _NO_PARTS).of(each, limits) for key, each in parts.items())
        return excess({"cost": min(self.objects + of_parts, MOST)}, limits, "This request has", _ADVICE)


@dataclass(frozen=True, slots=True)
class _Below:
    """The objects below one object: those that are there once, those for each item of its page, and what its parts add."""

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
    """Count the objects that the answer to an operation has at most, without those of parts. The document is valid.

    It counts what is written: a field that is selected twice counts twice, and one that a directive may leave out counts.
    """
    counting = _Counting(schema, document, operation, variables, limits)
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101  # the document is valid
    below = counting.below(operation.selection_set, root)
    return Cost(objects=below.once, varies=counting.varies, batches=below.batches)


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
        """Count what a fragment selects: it has its own type, so it counts the same wherever it is spread."""
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
        """Count what belongs to parts: how many there are is not known yet, nor how long their pages are."""
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
        return below  # `parts` and `query`, whose fields are objects by themselves

    def _object(
        self, selection_set: SelectionSetNode, name: str, parent: GraphQLNamedType
    ) -> tuple[GraphQLField, _Below]:
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)  # noqa: S101  # it has fields
        definition = parent.fields[name]
        return definition, self.below(selection_set, get_named_type(definition.type))

    def _length(self, node: FieldNode) -> int:
        """Return how many items a page has; what is over a limit is refused where it is read."""
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
                found = self._variables[name.value]  # as it was sent: GraphQL takes 10.0 for an Int, too
                return int(found) if isinstance(found, int | float) else None
        return None
