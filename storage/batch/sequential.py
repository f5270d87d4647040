"""The parts one by one, in order, each write in a savepoint: the meaning of a batch, and its diagnosis.

Every failing part is rolled back to its savepoint and noted, and the others go on. So one run finds all parts that are
in error, with the database's own verdict on each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from storage.batch import rules
from storage.batch.decisions import (
    Change,
    Create,
    Decider,
    Refusal,
    Remove,
    Show,
    ShowPage,
    Unjudged,
    is_below,
)
from storage.batch.deferred import DeferredConstraints
from storage.batch.diagnosis import Attempt, diagnose_delete, diagnose_write, from_driver
from storage.batch.effects import Verdict
from storage.batch.losses import LostParts, Unread, guarded
from storage.batch.operations import Done, Failed, Operation, Part, SetAside, Verb
from storage.catalog.model import Catalog, Resource
from storage.doubts import Right, changing_rights, making_rights, removing_rights, settle, why_unread
from storage.driver_errors import Retry, StatementRefused, Violation
from storage.errors import (
    CannotCompare,
    CannotLookFor,
    Fault,
    InvalidValue,
    NotAsAtStart,
    RefusedByDatabase,
    RightMissing,
)
from storage.row import Ambiguous, Row
from storage.rows import Rows
from storage.statements import Unstorable

_SAVEPOINT = "part"  # around a write
T = TypeVar("T")


class TransactionLost(Exception):  # named for what happened
    """The database ended the transaction while a part ran (SQLite's RAISE(ROLLBACK)): what ran before it is undone."""

    def __init__(self, index: int, faults: tuple[Fault, ...]) -> None:
        super().__init__(index)
        self.index = index
        self.faults = faults


class Sequential:
    """One run over the parts of a batch."""

    def __init__(self, rows: Rows, catalog: Catalog) -> None:
        self.items: dict[int, Row] = {}  # part -> its item as it left it
        self._rows = rows
        self._catalog = catalog
        self._decider = Decider(rows, self.items)
        self._lost = LostParts(rows, catalog, self.items)
        self._deferred = DeferredConstraints(rows, catalog)
        self._refused: tuple[Attempt, StatementRefused] | None = None  # the write of the part that runs

    def run(self, parts: Sequence[Part]) -> list[Done | Failed]:
        """Run the parts. What is unjudged is not in the answer."""
        outcomes = {part.index: self.run_part(part) for part in parts}
        return self.finish(outcomes)

    def run_part(self, part: Part) -> Done | Failed | None:
        """Run one part; None where it cannot be judged."""
        match part:
            case SetAside():
                if part.operation is not None:
                    self._lost.add(part.operation, part.touched)
                return Failed(index=part.index, faults=part.faults)
            case Operation():
                return self._run_operation(part)

    def finish(self, found: dict[int, Done | Failed | None]) -> list[Done | Failed]:
        """Ask about what the database checks at the end, and put the outcomes in order."""
        outcomes = {index: outcome for index, outcome in found.items() if outcome is not None}
        for index, verdicts in self._deferred_verdicts(outcomes).items():
            standing = tuple(verdict.fault for verdict in verdicts if self._lost.stands(verdict))
            match outcomes.get(index):
                case Failed() as failed:
                    outcomes[index] = replace(failed, faults=(*failed.faults, *standing))
                case Done() if standing:
                    outcomes[index] = Failed(index=index, faults=standing, item=self.items.get(index))
                case _:
                    pass
        return [outcomes[index] for index in sorted(outcomes)]

    def _deferred_verdicts(self, outcomes: Mapping[int, Done | Failed]) -> Mapping[int, Sequence[Verdict]]:
        """Ask about what the database checks at the end; what it refuses to tell then hides no part that has failed already."""
        if not any(isinstance(outcome, Failed) for outcome in outcomes.values()):
            return self._deferred.verdicts()
        found = guarded(self._rows, self._deferred.verdicts) if self._deferred.is_asked else {}
        return {} if isinstance(found, Unread) else found

    def _run_operation(self, operation: Operation) -> Done | Failed | None:
        self._refused = None
        result = guarded(self._rows, lambda: self._attempt(operation))
        if isinstance(result, Unread):
            result = self._unread(operation, result.refused)
        if isinstance(result, Done):
            if result.row is not None:
                self.items[operation.index] = result.row
            return result
        standing: tuple[Fault, ...] = ()
        if isinstance(result, Refusal):
            standing = tuple(verdict.fault for verdict in result.verdicts if self._lost.stands(verdict))
        self._lost.add(operation)
        if not isinstance(result, Refusal) or not standing:
            return None
        return Failed(
            index=operation.index,
            faults=standing,
            precondition=result.precondition,
            item=result.item,
            current=result.item if result.wants_current else None,
        )

    def _unread(self, operation: Operation, refused: StatementRefused | Unstorable | Ambiguous) -> Refusal:
        """Say what is wrong with a part for which the database refused to read something, or has several rows.

        Raises `NotAsAtStart` or `RightMissing`.
        """
        if isinstance(refused, Ambiguous):
            return Refusal(verdicts=[Verdict(fault=rules.several_rows(operation, refused))])
        if self._refused is not None:  # it was only to be found out what else is wrong
            attempt, own = self._refused
            return Refusal(verdicts=[from_driver(attempt, own)], item=attempt.before)
        match why_unread(self._rows, refused, self._read_by(operation), operation.resource):
            case NotAsAtStart() | RightMissing() as error:
                raise error
            case CannotLookFor():
                fault = rules.not_sought(operation)
            case CannotCompare() as error:
                fault = InvalidValue(message=str(error), pointer="/path")
            case error:
                fault = RefusedByDatabase(message=str(error), pointer="/path")
        return Refusal(verdicts=[Verdict(fault=fault)])

    def _read_by(self, operation: Operation) -> list[Resource]:
        """List the resources that are read to decide on a part."""
        items = (self.items.get(reference.part) for reference in operation.references)
        pointed_at = (item.resource for item in items if item is not None)
        read = (operation.resource, *(step.resource for step in operation.address), *pointed_at)
        return [*{resource.name: resource for resource in read}.values()]

    def _note_refusal(self, attempt: Attempt, refused: StatementRefused, rights: Sequence[Right]) -> None:
        """Keep in mind that the database refused a write. Raises `NotAsAtStart` or `RightMissing` where that is not the part's."""
        resource = attempt.operation.resource
        settle(self._rows, refused, [resource], {resource.name: rights})
        self._refused = attempt, refused

    # --- one part

    def _attempt(self, operation: Operation) -> Done | Refusal | Unjudged:
        decision = self._decider.decide(operation)
        match decision:
            case Refusal() | Unjudged():
                return decision
            case ShowPage(query=query, below=below):
                page = self._rows.page(operation.resource, query.filters, query.window, below)
                return Done(index=operation.index, status=200, page=page)
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
        try:
            row = self._in_savepoint(operation, lambda: self._rows.insert(resource, create.values))
        except StatementRefused as refused:
            if refused.violation is Violation.UNIQUE and self._was_raced(operation, create):
                raise Retry from refused
            attempt = Attempt(operation=operation, values=create.values)
            self._note_refusal(attempt, refused, making_rights(resource, create.values))
            self._deferred.refused(attempt)
            verdicts = diagnose_write(self._rows, self._catalog, attempt, refused)
            return Refusal(verdicts=verdicts, precondition=precondition)
        except Unstorable as reason:
            return Refusal(verdicts=[Verdict(fault=_unstorable(operation, reason))], precondition=precondition)
        self._deferred.written(operation, row)
        return Done(index=operation.index, status=201, row=row, precondition=precondition)

    def _was_raced(self, operation: Operation, create: Create) -> bool:
        """Whether another transaction has made the item since we looked: the second look decides."""
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
        try:
            after = self._in_savepoint(operation, lambda: self._rows.update(row, changes, change.defaults))
        except StatementRefused as refused:
            attempt = Attempt(operation=operation, values={**row.values, **changes}, before=row)
            self._note_refusal(attempt, refused, changing_rights(row.resource, {*changes, *change.defaults}))
            self._deferred.refused(attempt)
            verdicts = diagnose_write(self._rows, self._catalog, attempt, refused)
            return Refusal(verdicts=verdicts, item=row, precondition=precondition)
        except Unstorable as reason:
            verdict = Verdict(fault=_unstorable(operation, reason))
            return Refusal(verdicts=[verdict], item=row, precondition=precondition)
        self._deferred.written(operation, after, before=row)
        return Done(index=operation.index, status=200, row=after, precondition=precondition)

    def _delete(self, operation: Operation, remove: Remove) -> Done | Refusal:
        row, precondition = remove.row, remove.precondition
        try:
            self._in_savepoint(operation, lambda: self._rows.delete(row))
        except StatementRefused as refused:
            attempt = Attempt(operation=operation, values=row.values, before=row)
            self._note_refusal(attempt, refused, removing_rights(row.resource))
            verdicts = diagnose_delete(self._rows, self._catalog, operation, row, refused)
            return Refusal(verdicts=verdicts, item=row, precondition=precondition)
        self._deferred.deleted(operation, row)
        return Done(index=operation.index, status=204, row=row, precondition=precondition)

    def _in_savepoint(self, operation: Operation, write: Callable[[], T]) -> T:
        transaction = self._rows.transaction
        transaction.savepoint(_SAVEPOINT)
        try:
            result = write()
        except StatementRefused as refused:
            if refused.transaction_lost:
                raise TransactionLost(operation.index, (rules.refused_by_database(refused.said),)) from refused
            transaction.rollback_to(_SAVEPOINT)
            transaction.release(_SAVEPOINT)
            raise
        except Unstorable:
            transaction.rollback_to(_SAVEPOINT)
            transaction.release(_SAVEPOINT)
            raise
        transaction.release(_SAVEPOINT)
        return result


def _unstorable(operation: Operation, reason: Unstorable) -> Fault:
    return InvalidValue(
        message=str(reason), pointer=operation.pointer(reason.attribute), attributes=(reason.attribute,)
    )
