"""Which verdicts can be judged at all, when other parts of the batch had no effect.

An errored part leaves no trace. A verdict on another part that stands only because of that is left out: the item that
it misses would have been made, the unique value that it needs would have been given up. So each errored part says
which effects are lost with it, and each verdict says on the loss of which effects it depends. Pure; no database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from storage.catalog.model import Resource, UniqueIndex, Values
from storage.errors import Fault

MADE: Final = "+"  # the values of a cell would have come to exist
REMOVED: Final = "-"  # they would have ceased to
ANY: Final = "*"

Cell = tuple[str, frozenset[tuple[str, object]]]
"""A resource, and the values that a key or unique key of it has: one place that at most one row takes."""


def freed(index: UniqueIndex) -> str:
    """Return the aspect of a stored row that would have released its place in a unique index."""
    return f"{REMOVED} {index.terms} {index.predicate}"


def cell(resource: Resource, attributes: Iterable[str], values: Iterable[object]) -> Cell | None:
    """Make a cell; with a null among the values, or one that cannot be compared, there is none."""
    pairs = list(zip(attributes, values, strict=True))
    if not pairs or any(value is None or isinstance(value, list | dict) for _, value in pairs):
        return None
    return resource.name, frozenset(pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A verdict depends on one of these aspects of a cell: `MADE`, `REMOVED`, or attributes of its row; or on any."""

    cell: Cell | None
    aspects: frozenset[str]
    where: Values = field(default_factory=dict)  # of a row that would have been made: what it must not contradict


def need(resource: Resource, attributes: Iterable[str], values: Iterable[object], *aspects: str) -> Need:
    """Say that a verdict depends on aspects of the cell that has these values."""
    return Need(cell=cell(resource, attributes, values), aspects=frozenset(aspects))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A fault, and what it depends on: it falls where all needs of any one group are lost."""

    fault: Fault
    groups: tuple[tuple[Need, ...], ...] = ()


@dataclass(slots=True)
class Losses:
    """The effects that errored parts did not have."""

    _aspects: dict[Cell, set[str]] = field(default_factory=dict)
    _made: dict[Cell, list[Values]] = field(default_factory=dict)

    def add(self, cell: Cell | None, aspects: Iterable[str]) -> None:
        """Note that these aspects of a cell would have changed."""
        if cell is not None:
            self._aspects.setdefault(cell, set()).update(aspects)

    def stands(self, verdict: Verdict) -> bool:
        """Whether a verdict holds whatever the errored parts would have done."""
        return not any(group and all(self._is_lost(need) for need in group) for group in verdict.groups)

    def _is_lost(self, need: Need) -> bool:
        if need.cell is None:
            return False
        lost = self._aspects.get(need.cell, set())
        if ANY in need.aspects:
            return bool(lost)
        fitting = lost if self._fits(need.cell, need.where) else lost - {MADE}
        return bool(fitting & need.aspects)

    def _fits(self, cell: Cell, where: Values) -> bool:
        return any(
            all(made.get(name, value) == value for name, value in where.items()) for made in self._made.get(cell, ())
        )

    def of_creation(self, resource: Resource, values: Values) -> None:
        """Note the loss of a row that would have been made."""
        for key in resource.keys:
            if all(name in values for name in key):
                self._make(cell(resource, key, [values[name] for name in key]), values, {MADE, *resource.attributes})

    def _make(self, cell: Cell | None, values: Values, aspects: Iterable[str]) -> None:
        self.add(cell, aspects)
        if cell is not None:
            self._made.setdefault(cell, []).append(values)

    def of_change(
        self,
        resource: Resource,
        before: Values,
        after: Values,
        touched: Iterable[str],
        given_up: Iterable[UniqueIndex],
    ) -> None:
        """Note the loss of a change: to the row itself, and to the unique values that it would have given and taken.

        What is touched without a value in `after` would have changed in a way that nobody knows. `given_up` are the indexes
        in which the row would have given up its place.
        """
        changed = {name for name in touched if name not in after or after[name] != before[name]}
        own = cell(resource, resource.key, [before[name] for name in resource.key])
        self.add(own, {*changed, *map(freed, given_up)})
        merged = {**before, **after}
        for key in resource.keys:
            if changed & set(key):
                self.add(cell(resource, key, [before[name] for name in key]), {REMOVED})
                self._make(cell(resource, key, [merged[name] for name in key]), merged, {MADE})

    def of_removal(self, resource: Resource, before: Mapping[str, object]) -> None:
        """Note the loss of a deletion."""
        for key in resource.keys:
            self.add(cell(resource, key, [before[name] for name in key]), {REMOVED, *resource.attributes})
