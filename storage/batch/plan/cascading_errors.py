"""Errors that merely follow from another failed part. They are omitted from the response.

A failed part has no effect on the database. Another part may fail only because of that: the item that it refers to was
not created, or the unique value that it writes was not released. So each failed part records the effects that it would
have had, and each error lists the effects whose absence explains it. Pure; no database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from storage.catalog.model import Resource, UniqueIndex, Values
from storage.errors import Fault
from storage.rows.key_refs import KeyRef, key_ref

MADE: Final = "+"  # a row with the values of the key would have been created
REMOVED: Final = "-"  # it would have been deleted, or its values changed
ANY: Final = "*"


def freed(index: UniqueIndex) -> str:
    """Return the aspect of a stored row whose change releases its entry in a unique index."""
    return f"{REMOVED} {index.terms} {index.predicate}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A missing change to the row of a key that explains an error: one of the `aspects`.

    An aspect is `MADE`, `REMOVED`, the name of an attribute, or `ANY`.
    """

    key: KeyRef | None
    aspects: frozenset[str]
    where: Values = field(default_factory=dict)  # values that the row would have to have, if it is `MADE`


def effect(resource: Resource, attributes: Iterable[str], values: Iterable[object], *aspects: str) -> Effect:
    """Return the effect that changes these aspects of the row with these values."""
    return Effect(key=key_ref(resource, attributes, values), aspects=frozenset(aspects))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalError:
    """A fault that is not reported if all effects of any one group are missing because their parts failed."""

    fault: Fault
    unless_any_of: tuple[tuple[Effect, ...], ...] = ()


@dataclass(slots=True)
class CascadingErrors:
    """The effects that failed parts would have had, and the errors that follow from them."""

    _aspects: dict[KeyRef, set[str]] = field(default_factory=dict)
    _made: dict[KeyRef, list[Values]] = field(default_factory=dict)

    def add(self, key: KeyRef | None, aspects: Iterable[str]) -> None:
        """Record that these aspects of the row of a key would have changed."""
        if key is not None:
            self._aspects.setdefault(key, set()).update(aspects)

    def includes(self, error: ConditionalError) -> bool:
        """Return True if an error might not have occurred if the failed parts had succeeded."""
        return any(group and all(self._is_missing(each) for each in group) for group in error.unless_any_of)

    def _is_missing(self, effect: Effect) -> bool:
        if effect.key is None:
            return False
        lost = self._aspects.get(effect.key, set())
        if ANY in effect.aspects:
            return bool(lost)
        fitting = lost if self._fits(effect.key, effect.where) else lost - {MADE}
        return bool(fitting & effect.aspects)

    def _fits(self, key: KeyRef, where: Values) -> bool:
        return any(
            all(made.get(name, value) == value for name, value in where.items()) for made in self._made.get(key, ())
        )

    def of_creation(self, resource: Resource, values: Values) -> None:
        """Record a row that would have been created."""
        for key in resource.keys:
            if all(name in values for name in key):
                self._make(key_ref(resource, key, [values[name] for name in key]), values, {MADE, *resource.attributes})

    def _make(self, key: KeyRef | None, values: Values, aspects: Iterable[str]) -> None:
        self.add(key, aspects)
        if key is not None:
            self._made.setdefault(key, []).append(values)

    def of_change(
        self,
        resource: Resource,
        before: Values,
        after: Values,
        named_attributes: Iterable[str],
        given_up: Iterable[UniqueIndex],
    ) -> None:
        """Record a row that would have been updated, and the unique values that it would have released and taken.

        `named_attributes` without a value in `after` would have changed to an unknown value. `given_up` are the indexes
        in which the row would have released its entry.
        """
        changed = {name for name in named_attributes if name not in after or after[name] != before[name]}
        own = key_ref(resource, resource.key, [before[name] for name in resource.key])
        self.add(own, {*changed, *map(freed, given_up)})
        merged = {**before, **after}
        for key in resource.keys:
            if changed & set(key):
                self.add(key_ref(resource, key, [before[name] for name in key]), {REMOVED})
                self._make(key_ref(resource, key, [merged[name] for name in key]), merged, {MADE})

    def of_removal(self, resource: Resource, before: Mapping[str, object]) -> None:
        """Record a row that would have been deleted."""
        for key in resource.keys:
            self.add(key_ref(resource, key, [before[name] for name in key]), {REMOVED, *resource.attributes})
