"""Filters, orders and pages of queries, as plain data (docs/contract.md, section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from storage.catalog.aggregation import Aggregation
from storage.catalog.model import Relation, Resource
from storage.catalog.types import Value


class Operator(Enum):
    """The comparisons of an attribute. The values are the names in the API."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "notIn"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    LIKE = "like"
    ILIKE = "ilike"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"  # of a text in a text, and likewise of lists and documents
    CONTAINED_IN = "containedIn"
    OVERLAPS = "overlaps"
    HAS_KEY = "hasKey"
    IS_NULL = "isNull"


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of an attribute with a value or a list of values. It is unknown if the attribute is null."""

    attribute: str
    operator: Operator
    value: Value | Sequence[Value]


@dataclass(frozen=True, slots=True)
class All:
    """True if all conditions are true."""

    conditions: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True if at least one condition is true."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if the condition is false; unknown if it is unknown."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class IsTrue:
    """True if the condition is true; false if it is unknown."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class HasRelated:
    """True if a relation leads to at least one item for which the condition is true."""

    relation: Relation
    target: Resource
    condition: "Condition"


Condition = Compare | All | AnyOf | Not | IsTrue | HasRelated


@dataclass(frozen=True, slots=True)
class Sort:
    """One term of an order: an attribute of the item, or of an item that to-one relations lead to."""

    attribute: str
    path: tuple[tuple[Relation, Resource], ...] = ()  # relations, with their targets
    descending: bool = False
    nulls_first: bool = False

    def reversed(self) -> "Sort":
        """Return the opposite order."""
        return Sort(self.attribute, self.path, not self.descending, not self.nulls_first)


def total_order(sorts: Sequence[Sort], resource: Resource) -> tuple[Sort, ...]:
    """Add the missing attributes of the key, so that no two items have the same position."""
    named = {sort.attribute for sort in sorts if not sort.path}
    return (*sorts, *(Sort(name) for name in resource.key if name not in named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A page of an ordered collection."""

    sorts: tuple[Sort, ...]  # includes the key, so that the order is total; for a resource without a key, it may not be
    limit: int
    offset: int = 0
    after: Sequence[Any] | None = None  # the position of an item, as read by the driver, in the direction of reading
    backward: bool = False  # read from the end; the rows are returned as they are read, the last one first

    @property
    def one_more(self) -> "Window":
        """The window with one more row, which shows that there are more."""
        return replace(self, limit=self.limit + 1)

    @property
    def direction(self) -> tuple[Sort, ...]:
        """The order in which the rows are read."""
        return tuple(sort.reversed() for sort in self.sorts) if self.backward else self.sorts


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Groups of rows with equal values of some attributes, ordered by these, and the aggregations of each group."""

    by: tuple[str, ...]
    limit: int
    aggregations: tuple[Aggregation, ...] = ()
