"""What section 5 of docs/contract.md says that a query finds, in plain Python over rows of plain values.

It knows nothing of the project and of SQL, and is slow and simple on purpose: what it says has to be believed. Values
compare as Python compares them: numbers as numbers, texts by code points (as `COLLATE "C"` does), dates and times as the
ISO 8601 texts that they are written in.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cmp_to_key
from typing import Any
from urllib.parse import quote

Row = dict[str, Any]  # attribute -> value
Filter = Mapping[str, Any]  # as a query has it, in JSON
Term = Mapping[str, Any]  # of `orderBy`: {"title": "ASC"}, {"author": {"name": "DESC"}}
Position = tuple[Any, ...]  # where a row stands in an order: the values of its terms, then its key

DIRECTIONS = ("ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST")
DEFAULT_PAGE = 100  # items


@dataclass(frozen=True)
class Relation:
    """A way from a row to others."""

    target: str  # a collection
    pairs: tuple[tuple[str, str], ...]  # (attribute here, attribute there)
    many: bool = False


@dataclass(frozen=True)
class Collection:
    """The rows of one resource."""

    key: tuple[str, ...]
    rows: list[Row]
    relations: Mapping[str, Relation] = field(default_factory=dict)


Data = Mapping[str, Collection]


@dataclass(frozen=True)
class Page:
    """The part of a collection that is asked for. `after` and `before` are the positions that cursors stand for."""

    first: int | None = None
    after: Position | None = None
    last: int | None = None
    before: Position | None = None
    offset: int | None = None


@dataclass(frozen=True)
class Found:
    """What a connection answers."""

    rows: list[Row]
    has_next: bool
    has_previous: bool
    total: int


def find(
    data: Data,
    collection: str,
    *,
    filter_: Filter | None = None,
    order_by: Sequence[Term] = (),
    page: Page | None = None,
    among: Sequence[Row] | None = None,
) -> Found:
    """Find what a connection answers: of a whole collection, or among the children of one parent."""
    candidates = data[collection].rows if among is None else among
    matching = [row for row in candidates if filter_ is None or is_true(data, collection, row, filter_) is True]
    rows = in_order(data, collection, matching, order_by)
    return _page(data, collection, rows, order_by, page or Page())


def related(data: Data, collection: str, row: Row, relation: str) -> list[Row]:
    """Find the rows that a relation leads to. A null in any of its attributes leads nowhere."""
    way = data[collection].relations[relation]
    if any(row[here] is None for here, _ in way.pairs):
        return []
    return [other for other in data[way.target].rows if all(other[there] == row[here] for here, there in way.pairs)]


def path_of(data: Data, collection: str, row: Row) -> str:
    """Write the canonical path of a row. A key that is one empty text is written with its name."""
    key = data[collection].key
    values = [quote(str(row[name]), safe="") for name in key]
    return f"/{collection}/{','.join(values) if values != [''] else f'{key[0]}='}"


# Filters: True, False or None, which is unknown.

Truth = bool | None


def both(truths: Sequence[Truth]) -> Truth:
    """All of them hold."""
    if False in truths:
        return False
    return None if None in truths else True


def either(truths: Sequence[Truth]) -> Truth:
    """One of them at least holds."""
    if True in truths:
        return True
    return None if None in truths else False


def negated(truth: Truth) -> Truth:
    """It does not hold."""
    return None if truth is None else not truth


def is_true(data: Data, collection: str, row: Row, filter_: Filter) -> Truth:
    """Judge a row by a filter: all of its members have to hold."""
    return both([_member(data, collection, row, name, value) for name, value in filter_.items()])


def _member(data: Data, collection: str, row: Row, name: str, value: Any) -> Truth:
    if name == "and":
        return both([is_true(data, collection, row, each) for each in value])
    if name == "or":
        return either([is_true(data, collection, row, each) for each in value])
    if name == "not":
        return negated(is_true(data, collection, row, value))
    relation = data[collection].relations.get(name)
    if relation is None:
        return both([compare(row[name], operator, operand) for operator, operand in value.items()])
    others = related(data, collection, row, name)
    if not relation.many:
        return any(is_true(data, relation.target, other, value) is True for other in others)
    return both([_quantified(data, relation.target, others, word, inner) for word, inner in value.items()])


def _quantified(data: Data, target: str, children: Sequence[Row], word: str, filter_: Filter) -> bool:
    truths = [is_true(data, target, child, filter_) for child in children]
    if word == "some":
        return True in truths
    if word == "none":
        return True not in truths
    assert word == "every"
    return all(truth is True for truth in truths)


def compare(value: Any, operator: str, operand: Any) -> Truth:
    """Judge a value by one operator."""
    if operator == "isNull":
        return (value is None) is operand
    if operator in {"in", "notIn"} and operand == []:
        return operator == "notIn"
    if value is None:
        return None
    operand = [_number(value, each) for each in operand] if isinstance(operand, list) else _number(value, operand)
    return bool(_OPERATORS[operator](value, operand))


def _number(value: Any, operand: Any) -> Any:
    """Read an operand as the number that it stands for: decimals and 64-bit integers may be sent as texts."""
    if isinstance(value, Decimal):
        return Decimal(str(operand))
    return int(operand) if type(value) is int else operand


def like(value: str, pattern: str) -> bool:
    r"""Match a pattern: % is any text, _ any character, \ takes the character behind it literally."""
    parts = []
    for taken, character in re.findall(r"\\(.)|(.)", pattern, re.DOTALL):
        parts.append({"%": ".*", "_": "."}.get(character, re.escape(taken or character)))
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _lower(text: str) -> str:
    """Ignore the case of ASCII letters, and no other."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


_OPERATORS: Mapping[str, Any] = {
    "eq": lambda value, operand: value == operand,
    "ne": lambda value, operand: value != operand,
    "lt": lambda value, operand: value < operand,
    "lte": lambda value, operand: value <= operand,
    "gt": lambda value, operand: value > operand,
    "gte": lambda value, operand: value >= operand,
    "in": lambda value, operand: value in operand,
    "notIn": lambda value, operand: value not in operand,
    "like": like,
    "ilike": lambda value, operand: like(_lower(value), _lower(operand)),
    "startsWith": lambda value, operand: value.startswith(operand),
    "endsWith": lambda value, operand: value.endswith(operand),
    "contains": lambda value, operand: operand in value,
}


# Order.


def position(data: Data, collection: str, row: Row, order_by: Sequence[Term]) -> Position:
    """Say where a row stands. What lies behind a relation that leads nowhere is null."""
    terms = tuple(_term_value(data, collection, row, term) for term in order_by)
    return (*terms, *(row[name] for name in data[collection].key))


def _term_value(data: Data, collection: str, row: Row, term: Term) -> Any:
    ((name, inner),) = term.items()
    if isinstance(inner, str):
        return row[name]
    others = related(data, collection, row, name)
    return _term_value(data, data[collection].relations[name].target, others[0], inner) if others else None


def _direction(term: Term) -> str:
    (inner,) = term.values()
    return inner if isinstance(inner, str) else _direction(inner)


def compare_positions(one: Position, other: Position, order_by: Sequence[Term]) -> int:
    """Say which comes first: less than 0 for the one, more than 0 for the other."""
    directions = [*map(_direction, order_by), *["ASC"] * (len(one) - len(order_by))]
    for a, b, direction in zip(one, other, directions, strict=True):
        if a == b:
            continue
        if a is None or b is None:
            nulls_first = direction.endswith("NULLS_FIRST")
            return -1 if (a is None) is nulls_first else 1
        return -1 if (a < b) is direction.startswith("ASC") else 1
    return 0


def in_order(data: Data, collection: str, rows: Sequence[Row], order_by: Sequence[Term]) -> list[Row]:
    """Put rows in order."""

    def compared(one: Row, other: Row) -> int:
        a, b = position(data, collection, one, order_by), position(data, collection, other, order_by)
        return compare_positions(a, b, order_by)

    return sorted(rows, key=cmp_to_key(compared))


# Pages.


def _page(data: Data, collection: str, rows: list[Row], order_by: Sequence[Term], page: Page) -> Found:
    def is_beyond(row: Row, cursor: Position, sign: int) -> bool:
        return compare_positions(position(data, collection, row, order_by), cursor, order_by) * sign > 0

    total = len(rows)
    if page.last is not None:
        before = page.before
        left = rows if before is None else [row for row in rows if is_beyond(row, before, -1)]
        shown = left[len(left) - page.last :] if page.last < len(left) else left
        return Found(shown, has_next=before is not None, has_previous=len(left) > page.last, total=total)
    after, skipped = page.after, page.offset or 0
    first = DEFAULT_PAGE if page.first is None else page.first
    left = rows if after is None else [row for row in rows if is_beyond(row, after, 1)]
    left = left[skipped:]
    return Found(left[:first], has_next=len(left) > first, has_previous=after is not None or skipped > 0, total=total)
