"""What rows have to fulfil, and in which order they come: plain data (docs/contract.md, section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from storage.catalog.aggregation import Aggregation
from storage.catalog.model import Relation, Resource
from storage.catalog.types import Value


class Operator(Enum):
    """How an attribute is compared; the values are the names in the API."""

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
    CONTAINS = "contains"  # a text, a list or a document another
    CONTAINED_IN = "containedIn"
    OVERLAPS = "overlaps"
    HAS_KEY = "hasKey"
    IS_NULL = "isNull"


@dataclass(frozen=True, slots=True)
class Compare:
    """An attribute compared with a value, or with a list of them; unknown where it is null."""

    attribute: str
    operator: Operator
    value: Value | Sequence[Value]


@dataclass(frozen=True, slots=True)
class All:
    """All of them hold."""

    conditions: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of them holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold; where it is unknown, so is this."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class IsTrue:
    """It holds; where it is unknown, this is false."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class HasRelated:
    """A relation leads to at least one item for which it holds."""

    relation: Relation
    target: Resource
    condition: "Condition"


Condition = Compare | All | AnyOf | Not | IsTrue | HasRelated


@dataclass(frozen=True, slots=True)
class Sort:
    """One step of an order: by an attribute of the item, or of one that to-one relations lead to."""

    attribute: str
    path: tuple[tuple[Relation, Resource], ...] = ()  # relations, with their targets
    descending: bool = False
    nulls_first: bool = False

    def reversed(self) -> "Sort":
        """The opposite."""
        return Sort(self.attribute, self.path, not self.descending, not self.nulls_first)


def total_order(sorts: Sequence[Sort], resource: Resource) -> tuple[Sort, ...]:
    """Add what is missing of the key, so that no two items stand in the same place."""
    named = {sort.attribute for sort in sorts if not sort.path}
    return (*sorts, *(Sort(name) for name in resource.key if name not in named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A cut of an ordered collection."""

    sorts: tuple[Sort, ...]  # the key among them, so that the order is total; without a key it may not be
    limit: int
    offset: int = 0
    after: Sequence[Any] | None = None  # where an item stood, as the driver has read it; in the direction of reading
    backward: bool = False  # read from the end; the rows come as they are read, the last one first

    @property
    def direction(self) -> tuple[Sort, ...]:
        """The order in which the rows are read."""
        return tuple(sort.reversed() for sort in self.sorts) if self.backward else self.sorts


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Groups of rows that are equal in some attributes, in the order of those, and what is said of each group."""

    by: tuple[str, ...]
    limit: int
    aggregations: tuple[Aggregation, ...] = ()
