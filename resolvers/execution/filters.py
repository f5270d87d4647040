"""Conversion of the arguments `filter` and `orderBy` to conditions and orders (docs/contract.md, section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLError

from resolvers.binding.values import InvalidJsonValue, from_json
from resolvers.documents.limits import MAX_OPERANDS
from storage.catalog.model import Attribute, Catalog, Relation, Resource
from storage.catalog.types import (
    Anything,
    Approximate,
    Array,
    Bytes,
    DateTime,
    JsonDocument,
    Numeric,
    Text,
    Time,
    Value,
    ValueType,
)
from storage.sql import All, AnyOf, Compare, Condition, HasRelated, IsTrue, Not, Operator, Sort, total_order

MAX_NESTING = 20  # levels of nested conditions
MAX_PATTERN = 10_000  # characters of `like` and `ilike`
MAX_STEPS = 10  # of one order

_OF_RELATION = 20  # operands that a relation counts as, because PostgreSQL takes seconds to plan 1,000 of them
_OPERATORS = {operator.value: operator for operator in Operator}
_OF_TEXT = frozenset(
    {Operator.LIKE, Operator.ILIKE, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.CONTAINS, Operator.HAS_KEY}
)
_RANGES = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})
_PATTERNS = frozenset({Operator.LIKE, Operator.ILIKE})


def bad_request(message: str) -> GraphQLError:
    """Return the error for an invalid argument, with the code BAD_REQUEST."""
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})


def bind_filter(given: Mapping[str, Any] | None, resource: Resource, catalog: Catalog) -> Condition:
    """Bind the argument `filter`. Raises `GraphQLError`, which names the invalid member."""
    return All() if given is None else _Binding(catalog).conditions(given, resource, "filter", 1)


@dataclass(slots=True)
class _Binding:
    """The binding of one filter, which counts its operands."""

    catalog: Catalog
    operands: int = 0

    def conditions(self, given: Any, resource: Resource, place: str, depth: int) -> Condition:
        self._count(1, place)
        if depth > MAX_NESTING:
            raise bad_request(f"{place} is nested too deep: a filter has at most {MAX_NESTING} levels.")
        if given is None:
            raise bad_request(f"{place} must not be null.")
        bound = tuple(
            self._member(name, value, resource, f"{place}.{name}", depth + 1) for name, value in given.items()
        )
        return bound[0] if len(bound) == 1 else All(bound)

    def _member(self, name: str, value: Any, resource: Resource, place: str, depth: int) -> Condition:
        if value is None:
            raise bad_request(f"{place} must not be null: use isNull, or leave it out.")
        match name:
            case "and":
                return All(self._list(value, resource, place, depth))
            case "or":
                return AnyOf(self._list(value, resource, place, depth))
            case "not":
                return Not(self.conditions(value, resource, place, depth))
        attribute, relation = resource.attribute(name), resource.relation(name)
        if attribute is not None:
            return self._compared(attribute, value, place)
        assert relation is not None  # noqa: S101  # the schema does not have other members
        self._count(_OF_RELATION, place)
        target = self.catalog.target_of(relation)
        if relation.many:
            return self._of_children(value, relation, target, place, depth)
        return HasRelated(relation, target, self.conditions(value, target, place, depth))

    def _list(self, given: Sequence[Any], resource: Resource, place: str, depth: int) -> tuple[Condition, ...]:
        return tuple(self.conditions(each, resource, f"{place}[{n}]", depth) for n, each in enumerate(given))

    def _of_children(
        self, given: Mapping[str, Any], relation: Relation, target: Resource, place: str, depth: int
    ) -> Condition:
        bound: list[Condition] = []
        for name, value in given.items():
            inner = self.conditions(value, target, f"{place}.{name}", depth + 1)
            match name:
                case "some":
                    bound.append(HasRelated(relation, target, inner))
                case "none":
                    bound.append(Not(HasRelated(relation, target, inner)))
                case _:
                    bound.append(Not(HasRelated(relation, target, Not(IsTrue(inner)))))
        return All(tuple(bound))

    def _compared(self, attribute: Attribute, given: Mapping[str, Any], place: str) -> Condition:
        bound = tuple(
            Compare(
                attribute.name, _OPERATORS[name], self._operand(attribute, _OPERATORS[name], raw, f"{place}.{name}")
            )
            for name, raw in given.items()
        )
        return bound[0] if len(bound) == 1 else All(bound)

    def _operand(self, attribute: Attribute, operator: Operator, raw: Any, place: str) -> Value | Sequence[Value]:
        if raw is None:
            raise bad_request(f"{place} must not be null: use isNull.")
        self._count(len(raw) if operator in {Operator.IN, Operator.NOT_IN} else 1, place)
        try:
            return _value(attribute.type, operator, raw)
        except InvalidJsonValue as invalid:
            raise bad_request(f"{place} {invalid}.") from None

    def _count(self, operands: int, place: str) -> None:
        self.operands += operands
        if self.operands > MAX_OPERANDS:
            raise bad_request(
                f"{place} exceeds the limit: a filter can contain at most {MAX_OPERANDS} values, "
                f"and a relation counts as {_OF_RELATION} values."
            )


def _value(type_: ValueType, operator: Operator, raw: Any) -> Value | Sequence[Value]:
    """Convert the operand of a comparison. Raises `InvalidJsonValue`."""
    if operator is Operator.IS_NULL:
        return bool(raw)
    if isinstance(type_, JsonDocument) and operator is not Operator.HAS_KEY:
        return from_json(type_, raw)
    if operator in {Operator.IN, Operator.NOT_IN}:
        return [from_json(_unlimited(type_), _plain(each)) for each in raw]
    if operator in _OF_TEXT and not isinstance(type_, Array):
        text = str(from_json(Text(), raw))
        if operator in _PATTERNS and len(text) > MAX_PATTERN:
            raise InvalidJsonValue(f"can have at most {MAX_PATTERN} characters")
        if operator in _PATTERNS and (len(text) - len(text.rstrip("\\"))) % 2:
            raise InvalidJsonValue("must not end with a single backslash, which escapes what follows")
        return text
    if isinstance(type_, Anything) and operator in _RANGES:
        value = from_json(type_, raw)
        return float(value) if isinstance(value, Approximate) else value
    return from_json(_unlimited(type_), [_plain(each) for each in raw] if isinstance(type_, Array) else _plain(raw))


def _plain(raw: Any) -> Any:
    """Return the label of an enum member of Strawberry, or any other value unchanged."""
    return getattr(raw, "value", raw)


def _unlimited(type_: ValueType) -> ValueType:
    """Return a type without its limits on stored values, because comparisons can use other values."""
    match type_:
        case Text():
            return Text()
        case Numeric():
            return Numeric()
        case Bytes():
            return Bytes()
        case Time() | DateTime():
            return replace(type_, precision=6)
        case Array(of=of):
            return Array(of=_unlimited(of))
        case _:
            return type_


def bind_order(given: Sequence[Mapping[str, Any]] | None, resource: Resource, catalog: Catalog) -> tuple[Sort, ...]:
    """Bind the argument `orderBy`, followed by the key. Raises `GraphQLError`."""
    if len(given or ()) > MAX_STEPS:
        raise bad_request(f"orderBy takes at most {MAX_STEPS} steps.")
    sorts = [_sort(step, resource, catalog, f"orderBy[{n}]") for n, step in enumerate(given or ())]
    return total_order(sorts, resource)


def _sort(step: Mapping[str, Any], resource: Resource, catalog: Catalog, place: str) -> Sort:
    path: list[tuple[Relation, Resource]] = []
    while True:
        ((name, value),) = step.items()
        place = f"{place}.{name}"
        if value is None:
            raise bad_request(f"{place} must not be null.")
        attribute, relation = resource.attribute(name), resource.relation(name)
        if attribute is not None or relation is None:
            break
        if len(path) == MAX_STEPS:
            raise bad_request(f"{place} is nested too deep: an order follows at most {MAX_STEPS} relations.")
        resource, step = catalog.target_of(relation), value
        path.append((relation, resource))
    direction, _, nulls = str(_plain(value)).partition("_")
    assert attribute is not None  # noqa: S101  # the schema does not have other members
    return Sort(attribute.name, tuple(path), descending=direction == "DESC", nulls_first=nulls == "NULLS_FIRST")
