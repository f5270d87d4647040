"""Constraints that the database checks only at COMMIT. They are checked before it, and attributed to the last writer.

`SET CONSTRAINTS ALL IMMEDIATE` would name only the first violation, and `PRAGMA foreign_key_check` reads whole tables
and reports old violations. So only the rows that the batch has touched are checked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.batch.diagnosis.constraint_errors import (
    Attempt,
    conflicts,
    index_conflict,
    index_holders,
    missing_targets,
    still_referenced,
)
from storage.batch.plan.cascading_errors import ConditionalError
from storage.batch.plan.operations import Operation
from storage.catalog.model import Catalog, Resource
from storage.rows.key_refs import KeyRef, row_ref
from storage.rows.row import KeyTuple, Row
from storage.rows.writer import Rows
from storage.sql import AllRows


@dataclass(slots=True)
class DeferredConstraints:
    """Records the part that wrote each row last, and checks the rows at the end."""

    rows: Rows
    catalog: Catalog
    _written: dict[KeyRef, Operation] = field(default_factory=dict)
    _given_up: list[tuple[Operation, Row]] = field(default_factory=list)
    _refused: list[Attempt] = field(default_factory=list)

    def written(self, operation: Operation, row: Row, before: Row | None = None) -> None:
        """Record a row that a part has created or updated."""
        if operation.resource.deferred_keys:
            self._written[row_ref(operation.resource, row.key)] = operation
        if before is not None and self._is_target(operation):
            self._given_up.append((operation, before))

    def deleted(self, operation: Operation, row: Row) -> None:
        """Record a row that a part has deleted."""
        self._written.pop(row_ref(operation.resource, row.key), None)
        if self._is_target(operation):
            self._given_up.append((operation, row))

    def refused(self, attempt: Attempt) -> None:
        """Record a row that the database has refused: at the end, it may also violate a deferred constraint."""
        if attempt.operation.resource.deferred_keys:
            self._refused.append(attempt)

    def _is_target(self, operation: Operation) -> bool:
        return any(key.deferred for _, key in self.catalog.referenced_by[operation.resource.name])

    @property
    def is_asked(self) -> bool:
        """True if there is anything to check."""
        return bool(self._written or self._given_up or self._refused)

    def errors(self) -> dict[int, list[ConditionalError]]:
        """Check all touched rows; return the errors of the rows that each part wrote last, by part."""
        found: dict[int, list[ConditionalError]] = {}
        for ref, operation in self._written.items():
            row = self.rows.by_key(self.catalog.resources[ref.resource], ref.values, AllRows.OWN_WRITE)
            if row is not None:  # a cascade may have deleted it
                found.setdefault(operation.index, []).extend(self._of_row(operation, row))
        for operation, row in self._given_up:
            found.setdefault(operation.index, []).extend(self._of_target(operation, row))
        for attempt in self._refused:
            keys = [key for key in attempt.operation.resource.foreign_keys if key.deferred]
            targets = missing_targets(self.rows, self.catalog, attempt, keys)
            targets += conflicts(
                self.rows, attempt, [u.attributes for u in attempt.operation.resource.unique_keys if u.deferred]
            )
            found.setdefault(attempt.operation.index, []).extend(targets)
        return {index: errors for index, errors in found.items() if errors}

    def _of_row(self, operation: Operation, row: Row) -> list[ConditionalError]:
        resource = operation.resource
        attempt = Attempt(operation=operation, values=row.values)
        targets = missing_targets(self.rows, self.catalog, attempt, [k for k in resource.foreign_keys if k.deferred])
        twins = []
        for unique in resource.unique_keys:
            if unique.deferred and self._is_last_writer(operation, row, unique.attributes):
                own = Attempt(operation=operation, values=row.values, before=row, all_changed=True)
                twins += conflicts(self.rows, own, [unique.attributes])
        for index in resource.indexes:
            if index.deferred:
                own = Attempt(operation=operation, values=row.values, before=row, all_changed=True)
                holders = index_holders(self.rows, own, index)
                if holders and self._is_last(operation, holders):
                    twins.append(index_conflict(own, index, holders))
        return [*twins, *targets]

    def _is_last_writer(self, operation: Operation, row: Row, attributes: tuple[str, ...]) -> bool:
        """Return True if the part was the last to write one of the rows with these unique values; it alone is at fault."""
        resource = operation.resource
        values = row.of(attributes)
        if None in values:
            return False
        twins = self.rows.keys_where(
            resource, attributes, values, most=len(self._written) + 1, sees=AllRows.CONFLICT_HOLDER
        )
        return max(self._writers_of(resource, twins), default=operation.index) == operation.index

    def _is_last(self, operation: Operation, holders: Iterable[KeyTuple]) -> bool:
        """Return True if no later part has written one of the conflicting rows."""
        return max(self._writers_of(operation.resource, holders), default=operation.index) <= operation.index

    def _writers_of(self, resource: Resource, keys: Iterable[KeyTuple]) -> list[int]:
        """Return the parts that wrote the rows with these keys last."""
        refs = (row_ref(resource, key) for key in keys)
        return [self._written[ref].index for ref in refs if ref in self._written]

    def _of_target(self, operation: Operation, row: Row) -> list[ConditionalError]:
        errors = []
        for child, key in self.catalog.referenced_by[operation.resource.name]:
            if not key.deferred or key.on_delete is not None:
                continue
            values = row.of(key.target_attributes)
            is_back = None in values or self.rows.keys_where(
                operation.resource, key.target_attributes, values, most=1, sees=AllRows.STILL_REFERENCED, only=True
            )
            if not is_back and not self._is_written_since(operation, child.name, key.attributes, values):
                errors += still_referenced(self.rows, operation, row, child, key)
        return errors

    def _is_written_since(
        self, operation: Operation, child: str, attributes: tuple[str, ...], values: KeyTuple
    ) -> bool:
        """Return True if a later part has written a row that refers to these values: then that part is at fault."""
        return any(
            ref.resource == child
            and writer.index > operation.index
            and (row := self.rows.by_key(self.catalog.resources[child], ref.values, AllRows.OWN_WRITE)) is not None
            and row.of(attributes) == values
            for ref, writer in self._written.items()
        )
