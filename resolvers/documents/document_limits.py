"""Limits on the size and complexity of a document, checked before it is executed.

Each check takes time linear in its input, so that rejecting a document costs less than executing it:

* `excess_of_text`, before a document is parsed: characters and tokens, counted at the speed of a regular expression.
* `excess_of_shape`, before it is validated: definitions, depth, selections, aliases, directives, root fields and
  introspections. Fragments count wherever they are spread, but each is visited once. Unknown fragments count zero,
  and circular ones are not followed, because validation rejects both.

`excess_of_cost` (cost.py) follows, before execution.
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
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    specified_rules,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.types.execution import ParseOptions

from resolvers.documents.limits import MOST, Limits, excess
from storage.errors import QueryTooComplex

INTROSPECTIONS = frozenset({"__schema", "__type"})
MAX_COMPARISONS = 30_000  # of fields with the same name, during validation; in units of graphql-core, two for each pair

# --- the text

# Each alternative matches possessively, also up to the end of the text, so that no character is scanned twice.
_TOKEN = re.compile(
    r'#[^\r\n]*+|"""(?:[^"\\]++|\\(?:""")?|"(?!""))*+(?:""")?|"(?:[^"\\\r\n]++|\\.)*+"?'
    r"|[_A-Za-z]\w*+|-?\d++(?:\.\d++)?+(?:[eE][+-]?\d++)?+|\.\.\.|[^\s,\ufeff]",
    re.ASCII,
)

# graphql-core computes the location of each error by scanning the text before it, line by line. A hundred errors after
# 200,000 empty lines took 2.8 seconds. The errors of a document that is longer than this do not have locations.
_MAX_PLACED = 20_000  # characters
_MAX_PLACED_LINES = 1_000
_LINE_END = re.compile(r"\r\n|[\n\r]")


def count_tokens(text: str) -> int:
    """Return the number of tokens, as defined by the GraphQL specification (section 2.1), including comments."""
    return len(_TOKEN.findall(text))


def excess_of_text(text: str, limits: Limits) -> QueryTooComplex | None:
    """Return an error if a document exceeds a limit of its text, before it is parsed."""
    return excess({"document": len(text)}, limits) or excess({"tokens": count_tokens(text)}, limits)


def parse_options(text: str) -> ParseOptions:
    """Return graphql-core's options for parsing a document; a long document is parsed without locations."""
    is_long = len(text) > _MAX_PLACED or len(_LINE_END.findall(text)) > _MAX_PLACED_LINES
    options: Any = {"no_location": True} if is_long else {}  # Strawberry passes options on to graphql-core
    return cast("ParseOptions", options)


# --- the shape


@dataclass(slots=True)
class _Shape:
    """The counts of a definition, before or after its fragments are expanded."""

    depth: int = 0  # nested fields
    root_fields: int = 0  # fields that are not below another field
    selections: int = 0  # fields and fragments
    aliases: int = 0
    directives: int = 0
    introspections: int = 0
    spreads: Counter[tuple[str, int]] = field(default_factory=Counter)  # (fragment, fields above it) -> how often

    def add(self, other: "_Shape", below: int, times: int) -> None:
        """Add the counts of a fragment that is spread `times` times below `below` fields."""
        self.depth = max(self.depth, below + other.depth)
        if below == 0:
            self.root_fields = min(self.root_fields + other.root_fields * times, MOST)
        self.selections = min(self.selections + other.selections * times, MOST)
        self.aliases = min(self.aliases + other.aliases * times, MOST)
        self.directives = min(self.directives + other.directives * times, MOST)
        self.introspections = min(self.introspections + other.introspections * times, MOST)


def excess_of_shape(document: DocumentNode, limits: Limits) -> QueryTooComplex | None:
    """Return an error if a document exceeds a limit of its shape, before it is validated."""
    return excess(shape_of(document), limits)


def shape_of(document: DocumentNode) -> dict[str, int]:
    """Return the counts of a document by limit: of all its operations together, because all of them are validated."""
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
                    shape.introspections += selection.name.value in INTROSPECTIONS
                    if selection.selection_set is not None:
                        waiting.append((selection.selection_set, above + 1))
                case InlineFragmentNode():
                    waiting.append((selection.selection_set, above))
                case FragmentSpreadNode():
                    shape.spreads[selection.name.value, above] += 1
    return shape


def _write_out(shape: _Shape, fragments: Mapping[str, _Shape]) -> None:
    """Add the counts of the fragments that are spread, which are expanded already, except a fragment to itself."""
    for (name, above), times in shape.spreads.items():
        if name in fragments and fragments[name] is not shape:
            shape.add(fragments[name], above, times)


def _innermost_first(fragments: Mapping[str, _Shape]) -> Iterator[str]:
    """Yield the fragments, each after those that it spreads, without recursion, because there may be any number."""
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


# --- introspection

_INTROSPECTION = re.compile(r"__(?:schema|type)\b")


def introspects(text: str) -> bool:
    """Return True if a document may select `__schema` or `__type`."""
    return _INTROSPECTION.search(text) is not None


def has_introspection(document: DocumentNode, operation: OperationDefinitionNode) -> bool:
    """Return True if a valid operation selects `__schema` or `__type` anywhere."""
    return any(name in INTROSPECTIONS for name in _fields_of(document, operation, everywhere=True))


def is_introspection(document: DocumentNode, operation: OperationDefinitionNode) -> bool:
    """Return True if an operation queries only `__schema`, `__type` and `__typename`, so its response is constant."""
    names = set(_fields_of(document, operation, everywhere=False))
    return operation.operation is OperationType.QUERY and bool(names & INTROSPECTIONS) and names <= _CONSTANT


_CONSTANT = INTROSPECTIONS | {"__typename"}


def _fields_of(document: DocumentNode, operation: OperationDefinitionNode, *, everywhere: bool) -> Iterator[str]:
    """Yield the names of an operation's fields, at the root or everywhere; those of each fragment once."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    waiting = [operation.selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            match selection:
                case FieldNode():
                    yield selection.name.value
                    if everywhere and selection.selection_set is not None:
                        waiting.append(selection.selection_set)
                case InlineFragmentNode():
                    waiting.append(selection.selection_set)
                case FragmentSpreadNode(name=name) if name.value in fragments:
                    waiting.append(fragments.pop(name.value).selection_set)


# --- validation


class _FewComparisons(OverlappingFieldsCanBeMergedRule):
    """Rule that stops comparing fields of the same name earlier than graphql-core, which stops after a second."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MAX_COMPARISONS


RULES = tuple(_FewComparisons if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules)


def excess_of_validation(errors: Sequence[GraphQLError]) -> QueryTooComplex | None:
    """Return an error if validation was aborted for its complexity; None if it was aborted for its number of errors."""
    given_up = [each for each in errors if isinstance(each, ValidationAbortedError)]
    if not any(each.message == "Validation aborted." for each in given_up):
        return None
    return QueryTooComplex(
        "This query selects fields of the same name too often, or nests its fragments too deeply, to be validated."
    )
