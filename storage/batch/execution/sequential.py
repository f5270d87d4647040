"""Sequential execution: the parts run one by one, in order, each write in a savepoint.

This strategy defines the meaning of a batch, and diagnoses it. Every failing part is rolled back to its savepoint and
recorded, and the others continue. So one run finds all parts that failed, each with the database's own error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from storage.batch.diagnosis.constraint_errors import (
    Attempt,
    diagnose_delete,
    diagnose_write,
    from_driver,
    missing_targets,
)
from storage.batch.diagnosis.deferred_constraints import DeferredConstraints
from storage.batch.diagnosis.recorded_effects import FailedParts, Unread, guarded
from storage.batch.plan import rules
from storage.batch.plan.cascading_errors import ConditionalError
from storage.batch.plan.decisions import (
    Change,
    Create,
    Decider,
    DependsOnFailed,
    Refusal,
    Remove,
    Show,
    ShowPage,
    is_below,
)
from storage.batch.plan.operations import Done, Failed, InvalidPart, Operation, Part, Verb
from storage.catalog.model import Catalog, ForeignKey, Resource, Values
from storage.catalog.types import Unreadable
from storage.connections.driver_errors import Retry, StatementRefused, Violation
from storage.errors import (
    CannotCompare,
    CannotLookFor,
    CheckFailed,
    Conflict,
    Fault,
    InvalidValue,
    MissingTarget,
    NotAsAtStart,
    NotFound,
    OperationNotAllowed,
    PreconditionFailed,
    ReadOnly,
    RefusedByDatabase,
    Required,
    RightMissing,
    StillReferenced,
)
from storage.rows.doubts import Right, changing_rights, making_rights, removing_rights, settle, why_unread
from storage.rows.locate import ByKey
from storage.rows.row import Ambiguous, KeyTuple, Row
from storage.rows.writer import Rows
from storage.sql import Unstorable

_SAVEPOINT = "part"  # around a write
T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class TransactionLost(Exception):  # named for what happened
    """The database ended the transaction while a part ran (SQLite's RAISE(ROLLBACK)); earlier parts are rolled back."""

    def __init__(self, index: int, faults: tuple[Fault, ...]) -> None:
        super().__init__(index)
        self.index = index
        self.faults = faults


class Sequential:
    """One sequential run over the parts of a batch."""

    def __init__(self, rows: Rows, catalog: Catalog) -> None:
        self.items: dict[int, Row] = {}  # part -> its item as the part left it
        self._rows = rows
        self._catalog = catalog
        self._decider = Decider(rows, self.items)
        self._failed = FailedParts(rows, catalog, self.items)
        self._deferred = DeferredConstraints(rows, catalog)
        self._refused: tuple[Attempt, StatementRefused] | None = None  # the refused write of the part that runs

    def run(self, parts: Sequence[Part]) -> list[Done | Failed]:
        """Run the parts; return their outcomes, without parts for which `run_part` returns None."""
        outcomes = {part.index: self.run_part(part) for part in parts}
        return self.finish(outcomes)

    def run_part(self, part: Part) -> Done | Failed | None:
        """Run one part; return None if it is not evaluated, or if all its errors follow from other failed parts."""
        match part:
            case InvalidPart():
                faults = (*part.faults, *self._survey(part))
                if part.operation is not None:
                    self._failed.add(part.operation, part.named_attributes)
                return Failed(index=part.index, faults=in_order_of_kinds(faults), unlisted=part.unlisted)
            case Operation():
                return self._run_operation(part)

    def finish(self, found: dict[int, Done | Failed | None]) -> list[Done | Failed]:
        """Check the deferred constraints, and return the outcomes in the order of the parts."""
        outcomes = {index: outcome for index, outcome in found.items() if outcome is not None}
        for index, errors in self._deferred_errors(outcomes).items():
            reported = tuple(error.fault for error in errors if not self._failed.explain(error))
            match outcomes.get(index):
                case Failed() as failed:
                    outcomes[index] = replace(failed, faults=in_order_of_kinds((*failed.faults, *reported)))
                case Done() if reported:
                    outcomes[index] = Failed(index=index, faults=reported, item=self.items.get(index))
                case _:
                    pass
        return [outcomes[index] for index in sorted(outcomes)]

    def _deferred_errors(self, outcomes: Mapping[int, Done | Failed]) -> Mapping[int, Sequence[ConditionalError]]:
        """Check what the database would check at COMMIT; a refusal here does not hide parts that failed earlier."""
        if not any(isinstance(outcome, Failed) for outcome in outcomes.values()):
            return self._deferred.errors()
        found = guarded(self._rows, self._deferred.errors) if self._deferred.is_asked else {}
        return {} if isinstance(found, Unread) else found

    def _run_operation(self, operation: Operation) -> Done | Failed | None:
        self._refused = None
        result = guarded(self._rows, lambda: self._attempt(operation))
        if isinstance(result, Unread):
            result = self._unread(operation, result)
        if isinstance(result, Done):
            if result.row is not None:
                self.items[operation.index] = result.row
            return result
        reported: tuple[Fault, ...] = ()
        if isinstance(result, Refusal):
            reported = tuple(error.fault for error in result.errors if not self._failed.explain(error))
        self._failed.add(operation)
        if not isinstance(result, Refusal) or not reported:
            return None
        return Failed(
            index=operation.index,
            faults=reported,
            precondition=result.precondition,
            item=result.item,
            current=result.item if result.wants_current else None,
        )

    def _not_sought(self, operation: Operation) -> list[Fault]:
        """Return faults for the values that the database cannot read: those of the path, or else those of the part."""
        in_path = [
            name
            for step in operation.address
            if isinstance(step.selector, ByKey)
            for name in self._unread_of_path(step.resource, step.selector.attributes, step.selector.values)
        ]
        if operation.query is not None:
            in_path += self._rows.refused_values(operation.resource, operation.query.filters)
        if in_path:
            return [rules.unread(in_path, "/path")]
        given = self._rows.refused_values(operation.resource, operation.values)
        return [rules.unread([name], operation.pointer(name)) for name in given] or [rules.not_sought(operation)]

    def _unread_of_path(self, resource: Resource, names: Sequence[str], values: KeyTuple) -> tuple[str, ...]:
        return self._rows.refused_values(resource, dict(zip(names, values, strict=True)))

    # --- a part that fails validation

    def _survey(self, part: InvalidPart) -> list[Fault]:
        """Return the further faults of a part that fails validation, according to its other values."""
        if part.operation is None or not rules.may_be_surveyed(part):
            return []
        unknown = rules.unknown_values(part)
        operation = rules.without_values(part.operation, unknown)
        errors = guarded(self._rows, lambda: self._errors_of(operation))
        if isinstance(errors, Unread):  # the part has failed anyway
            return []
        reported = [error.fault for error in errors if not self._failed.explain(error)]
        told = {_about(fault) for fault in part.faults}  # maybe in other words
        return [fault for fault in reported if _about(fault) not in told and unknown.isdisjoint(fault.attributes)]

    def _errors_of(self, operation: Operation) -> list[ConditionalError]:
        """Return the errors of a part without running it, except for a missing item or a failed precondition."""
        decision = self._decider.decide(operation)
        resource = operation.resource
        match decision:
            case Refusal(errors=errors):
                own = [each for each in errors if not isinstance(each.fault, _OF_THE_ITEM)]
                return [*own, *self._further_errors(operation, decision)]
            case Create(values=values) if not resource.has_before_triggers:
                return diagnose_write(self._rows, self._catalog, of_new(operation, values))
            case Change() if not resource.has_before_triggers:
                return diagnose_write(self._rows, self._catalog, of_change(operation, decision))
            case _:
                return []

    def _further_errors(self, operation: Operation, refusal: Refusal) -> list[ConditionalError]:
        """Return the further errors of a part that was rejected because of some attributes."""
        faults = [error.fault for error in refusal.errors]
        wrong = {name for fault in faults for name in fault.attributes}
        if not wrong or not all(isinstance(fault, _OF_VALUES) and fault.attributes for fault in faults):
            return []
        rest = rules.without_values(operation, wrong)
        if rest == operation:  # they are already excluded
            return []
        return [error for error in self._errors_of(rest) if wrong.isdisjoint(error.fault.attributes)]

    def _unread(self, operation: Operation, refused: Unread) -> Refusal:
        """Return the refusal of a part if the database refused a read for it, or found several rows.

        Raises `NotAsAtStart` or `RightMissing`.
        """
        if isinstance(refused, Ambiguous):
            return Refusal(errors=[ConditionalError(fault=rules.several_rows(operation, refused))])
        if self._refused is not None:  # the refused read only searched for further faults
            attempt, own = self._refused
            return Refusal(errors=[from_driver(attempt, own)], item=attempt.before)
        match why_unread(self._rows, refused, self._read_by(operation), operation.resource):
            case NotAsAtStart() | RightMissing() as error:
                raise error
            case CannotLookFor():
                return Refusal(errors=[ConditionalError(fault=fault) for fault in self._not_sought(operation)])
            case CannotCompare() as error:
                fault: Fault = InvalidValue(message=str(error), pointer="/path")
            case error:
                fault = RefusedByDatabase(message=str(error), pointer="/path")
        return Refusal(errors=[ConditionalError(fault=fault)])

    def _read_by(self, operation: Operation) -> list[Resource]:
        """Return the resources that are read to decide on a part."""
        items = (self.items.get(reference.part) for reference in operation.references)
        pointed_at = (item.resource for item in items if item is not None)
        read = (operation.resource, *(step.resource for step in operation.address), *pointed_at)
        return [*{resource.name: resource for resource in read}.values()]

    def _note_refusal(self, attempt: Attempt, refused: StatementRefused, rights: Sequence[Right]) -> None:
        """Record a refused write. Raises `NotAsAtStart` or `RightMissing` if it is not an error of the part."""
        resource = attempt.operation.resource
        settle(self._rows, refused, [resource], {resource.name: rights})
        self._refused = attempt, refused

    # --- one part

    def _attempt(self, operation: Operation) -> Done | Refusal | DependsOnFailed:
        decision = self._decider.decide(operation)
        match decision:
            case DependsOnFailed():
                return decision
            case Refusal():
                return replace(decision, errors=[*decision.errors, *self._further_errors(operation, decision)])
            case ShowPage(query=query, below=below):
                page = self._rows.page(operation.resource, query.filters, query.window, below)
                return Done(index=operation.index, status=decision.status, page=page)
            case Show(row=row, status=status):
                return Done(index=operation.index, status=status, row=row, precondition=decision.precondition)
            case Create():
                return self._create(operation, decision)
            case Change():
                return self._change(operation, decision)
            case Remove():
                return self._delete(operation, decision)

    def _create(self, operation: Operation, create: Create) -> Done | Refusal:
        resource, precondition = operation.resource, create.precondition
        attempt = of_new(operation, create.values)
        if not resource.accepts(create.values) or self.hides_targets(attempt):
            self._deferred.refused(attempt)
            return Refusal(errors=diagnose_write(self._rows, self._catalog, attempt), precondition=precondition)
        match self._in_savepoint(operation, lambda: self._rows.insert(resource, create.values), Unstorable):
            case StatementRefused() as refused:
                if refused.violation is Violation.UNIQUE and self._was_raced(operation, create):
                    raise Retry from refused
                self._note_refusal(attempt, refused, making_rights(resource, create.values))
                self._deferred.refused(attempt)
                errors = diagnose_write(self._rows, self._catalog, attempt, refused)
                return Refusal(errors=errors, precondition=precondition)
            case Unstorable() as reason:
                return Refusal(errors=self._diagnose_unstorable(attempt, reason), precondition=precondition)
            case row:
                self._deferred.written(operation, row)
                return Done(index=operation.index, status=create.status, row=row, precondition=precondition)

    def hides_targets(self, attempt: Attempt) -> bool:
        """Return True if a write refers to an item that the caller may not read. The database would allow that."""
        keys = self.restricted_keys(attempt.operation.resource)
        return bool(keys) and bool(missing_targets(self._rows, self._catalog, attempt, keys))

    def restricted_keys(self, resource: Resource) -> list[ForeignKey]:
        """Return the foreign keys whose targets the caller may not all read; deferred ones are checked at the end."""
        restricts, target_of = self._rows.statements.access.restricts, self._catalog.target_of
        return [key for key in resource.foreign_keys if not key.deferred and restricts(target_of(key))]

    def _was_raced(self, operation: Operation, create: Create) -> bool:
        """Return True if another transaction has created the item since the decision; a retry is then needed."""
        if operation.verb is not Verb.UPSERT and operation.if_none_match is None:
            return False
        key = create.location.key
        if key is not None:
            found = self._rows.by_values(operation.resource, key.attributes, key.values)
        else:
            named = self._decider.named_by_payload(operation, create.sought)
            found = named if isinstance(named, Row) else None
        return found is not None and is_below(self._rows, found, operation, create.location)

    def _change(self, operation: Operation, change: Change) -> Done | Refusal:
        row, changes, precondition = change.row, change.changes, change.precondition
        attempt = of_change(operation, change)
        if not operation.resource.accepts(changes) or self.hides_targets(attempt):
            self._deferred.refused(attempt)
            errors = diagnose_write(self._rows, self._catalog, attempt)
            return Refusal(errors=errors, item=row, precondition=precondition)
        match self._in_savepoint(operation, lambda: self._rows.update(row, changes, change.defaults), Unstorable):
            case StatementRefused() as refused:
                self._note_refusal(attempt, refused, changing_rights(row.resource, {*changes, *change.defaults}))
                self._deferred.refused(attempt)
                errors = diagnose_write(self._rows, self._catalog, attempt, refused)
                return Refusal(errors=errors, item=row, precondition=precondition)
            case Unstorable() as reason:
                errors = self._diagnose_unstorable(attempt, reason)
                return Refusal(errors=errors, item=row, precondition=precondition)
            case after:
                self._deferred.written(operation, after, before=row)
                return Done(index=operation.index, status=change.status, row=after, precondition=precondition)

    def _diagnose_unstorable(self, attempt: Attempt, reason: Unstorable) -> list[ConditionalError]:
        """Return all errors of a row if the database cannot store one of its values."""
        operation = attempt.operation
        reasons = {reason.attribute: reason, **self._rows.unstorable(operation.resource, attempt.written)}
        unknown = dict.fromkeys(reasons, Unreadable(reason=""))
        rest = replace(attempt, values={**attempt.values, **unknown}, written={**attempt.written, **unknown})
        own = [ConditionalError(fault=_unstorable(operation, each)) for each in reasons.values()]
        if operation.resource.has_before_triggers:
            return own
        return [*own, *diagnose_write(self._rows, self._catalog, rest)]

    def _delete(self, operation: Operation, remove: Remove) -> Done | Refusal:
        row, precondition = remove.row, remove.precondition
        refused = self._in_savepoint(operation, lambda: self._rows.delete(row))
        if refused is not None:
            attempt = Attempt(operation=operation, values=row.values, before=row)
            self._note_refusal(attempt, refused, removing_rights(row.resource))
            errors = diagnose_delete(self._rows, self._catalog, operation, row, refused)
            return Refusal(errors=errors, item=row, precondition=precondition)
        self._deferred.deleted(operation, row)
        return Done(index=operation.index, status=remove.status, row=row, precondition=precondition)

    def _in_savepoint(self, operation: Operation, write: Callable[[], T], *others: type[E]) -> T | StatementRefused | E:
        """Attempt a write, as `Transaction.attempt` does. Raises `TransactionLost`."""
        try:
            return self._rows.transaction.attempt(_SAVEPOINT, write, *others)
        except StatementRefused as lost:
            raise TransactionLost(operation.index, (rules.refused_by_database(lost.said),)) from lost


_OF_THE_ITEM = (NotFound, PreconditionFailed, OperationNotAllowed)
_OF_VALUES = (InvalidValue, ReadOnly, Required)


def _about(fault: Fault) -> tuple[object, ...]:
    """Return the properties that identify a fault, regardless of its message."""
    return type(fault), fault.pointer, fault.attributes, fault.constraint


def of_new(operation: Operation, values: Values) -> Attempt:
    """Return the attempt to create an item with these values."""
    return Attempt(operation=operation, values=values, written=values)


def of_change(operation: Operation, change: Change) -> Attempt:
    """Return the attempt to update an item."""
    return Attempt(
        operation=operation,
        values={**change.row.values, **change.changes},
        before=change.row,
        written=change.changes,
        defaults=change.defaults,
    )


def in_order_of_kinds(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Sort faults: those of values, then of constraints, and checks last (docs/contract.md, section 2, rule 2)."""
    return tuple(sorted(faults, key=lambda fault: _KINDS.get(type(fault), 0)))


_KINDS: Mapping[type[Fault], int] = {
    Conflict: 1,
    MissingTarget: 2,
    StillReferenced: 2,
    CheckFailed: 3,
    RefusedByDatabase: 4,
}


def _unstorable(operation: Operation, reason: Unstorable) -> Fault:
    return InvalidValue(
        message=str(reason), pointer=operation.pointer(reason.attribute), attributes=(reason.attribute,)
    )
