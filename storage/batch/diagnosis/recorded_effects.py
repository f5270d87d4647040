"""The effects that failed parts would have had, as far as they can be predicted."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from storage.batch.plan.cascading_errors import CascadingErrors, ConditionalError
from storage.batch.plan.decisions import Decider
from storage.batch.plan.operations import Operation, Verb
from storage.catalog.model import Catalog, UniqueIndex, Values
from storage.catalog.types import Unreadable
from storage.connections.driver_errors import StatementRefused
from storage.rows.locate import Location, Unresolved, locate
from storage.rows.row import Ambiguous, KeyTuple, Row, can_be_key
from storage.rows.writer import Rows
from storage.sql import Unstorable

_SAVEPOINT = "place"
_MOST_HOLDERS = 1_000  # conflicting rows of an index: without errors there is at most one
T = TypeVar("T")
Unread = StatementRefused | Unstorable | Ambiguous
"""Why a read was rolled back: it was refused, or found several rows."""
_OTHERS: tuple[type[Unstorable | Ambiguous], ...] = (Unstorable, Ambiguous)  # refusals are always handled


def guarded(rows: Rows, run: Callable[[], T]) -> T | Unread:
    """Run a function inside a savepoint; roll back to it if a read is refused or ambiguous."""
    return rows.transaction.attempt(_SAVEPOINT, run, *_OTHERS)


class FailedParts:
    """The parts that have failed so far, and the effects that they would have had."""

    def __init__(self, rows: Rows, catalog: Catalog, items: Mapping[int, Row]) -> None:
        self._rows = rows
        self._catalog = catalog
        self._items = items
        self._decider = Decider(rows, items)
        self._cascading = CascadingErrors()

    def explain(self, error: ConditionalError) -> bool:
        """Return True if an error may merely follow from the failure of these parts."""
        return self._cascading.includes(error)

    def add(self, operation: Operation, named_attributes: Iterable[str] = ()) -> None:
        """Record the effects of a failed part; `named_attributes` are attributes for which it has invalid values."""
        if operation.verb is Verb.GET:
            return
        resource = operation.resource
        addressed = guarded(self._rows, lambda: self._addressed(operation))
        row, values = (None, operation.values) if isinstance(addressed, Unread) else addressed
        match operation.verb:
            case Verb.DELETE if row is not None:
                self._remove(row, set())
            case Verb.UPDATE | Verb.UPSERT | Verb.REPLACE if row is not None:
                every = resource.attributes if operation.verb is Verb.REPLACE else ()
                changed = {*self._decider.given(operation), *named_attributes, *every} - set(resource.key)
                given_up = self._given_up(row, values, changed)
                self._cascading.of_change(resource, row.values, values, changed, given_up)
            case Verb.CREATE | Verb.UPSERT:
                self._cascading.of_creation(resource, values)

    def _addressed(self, operation: Operation) -> tuple[Row | None, Values]:
        """Return the item that a failed part addresses, if it exists, and the values that the part has for it."""
        location = locate(self._rows, operation.address, self._items)
        if isinstance(location, Unresolved):
            location = Location()
        values = self._decider.own_values(operation, location, self._decider.given(operation))
        if location.row is None and location.key is None and operation.verb is Verb.UPSERT:
            named = self._decider.named_by_payload(operation, values)
            return (named if isinstance(named, Row) else None), values
        return location.row, values

    def _given_up(self, row: Row, after: Values, changed: Collection[str]) -> list[UniqueIndex]:
        """Return the unique indexes, compared only by the database, in which a row would have released its entry."""
        if not can_be_key(row.key):
            return []
        written = {name: after.get(name, Unreadable(reason="")) for name in changed}
        row_to_be = self._rows.to_be(row.resource, written, row)
        return [
            index
            for index in row.resource.indexes
            if not index.columns.isdisjoint(row_to_be.changed())
            and (index.is_exclusion or row.key not in (self._rows.holders(row_to_be, index, _MOST_HOLDERS) or ()))
        ]

    def _remove(self, row: Row, seen: set[tuple[str, KeyTuple]]) -> None:
        """Record a deletion, and its effects on the items that refer to the deleted one."""
        if (row.resource.name, row.key) in seen:
            return
        seen.add((row.resource.name, row.key))
        self._cascading.of_removal(row.resource, row.values)
        for child, key in self._catalog.referenced_by[row.resource.name]:
            if key.on_delete is None:
                continue
            for other in self._rows.among(child, key.attributes, [row.of(key.target_attributes)]):
                if key.on_delete == "CASCADE":
                    self._remove(other, seen)
                else:
                    given_up = self._given_up(other, {}, {*key.attributes})
                    self._cascading.of_change(child, other.values, {}, key.attributes, given_up)
