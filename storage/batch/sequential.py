"""The parts one by one, in order, each write in a savepoint: the meaning of a batch, and its diagnosis.

Every failing part is rolled back to its savepoint and noted, and the others go on. So one run finds all parts that are
in error, with the database's own verdict on each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from storage.addresses import Location, Query, Unresolved, locate, parent_values, place_values
from storage.batch import rules
from storage.batch.deferred import DeferredConstraints
from storage.batch.diagnosis import Attempt, conflict, diagnose_delete, diagnose_write
from storage.batch.effects import ANY, MADE, REMOVED, Losses, Need, Verdict, need
from storage.batch.operations import Done, Failed, Operation, Part, SetAside, Verb
from storage.catalog.model import Catalog, Values
from storage.driver_errors import Retry, StatementRefused, Violation
from storage.errors import Fault, InvalidValue, NotFound
from storage.rows import KeyTuple, Lock, Row, RowPage, Rows
from storage.statements import Unstorable

_SAVEPOINT = "part"  # around a write
_PLACE = "place"  # around the whole of a part
T = TypeVar("T")


class TransactionLost(Exception):  # named for what happened
    """The database ended the transaction while a part ran (SQLite's RAISE(ROLLBACK)): what ran before it is undone."""

    def __init__(self, index: int, faults: tuple[Fault, ...]) -> None:
        super().__init__(index)
        self.index = index
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """A part that failed, before it is asked whether that can be judged."""

    verdicts: Sequence[Verdict]
    item: Row | None = None
    precondition: bool | None = None
    wants_current: bool = False  # the item's committed state goes into the answer


class _Unjudged:
    """A part that cannot be judged, because it builds on one that is in error."""


class Sequential:
    """One run over the parts of a batch."""

    def __init__(self, rows: Rows, catalog: Catalog) -> None:
        self._rows = rows
        self._catalog = catalog
        self._items: dict[int, Row] = {}  # part -> its item as it left it
        self._losses = Losses()
        self._deferred = DeferredConstraints(rows, catalog)

    def run(self, parts: Sequence[Part]) -> list[Done | Failed]:
        """Run the parts. What is unjudged is not in the answer."""
        outcomes: dict[int, Done | Failed] = {}
        for part in parts:
            match part:
                case SetAside():
                    outcomes[part.index] = Failed(index=part.index, faults=part.faults)
                    self._lose_set_aside(part)
                case Operation():
                    outcome = self._run_part(part)
                    if outcome is not None:
                        outcomes[part.index] = outcome
        for index, verdicts in self._deferred.verdicts().items():
            standing = tuple(verdict.fault for verdict in verdicts if self._losses.stands(verdict))
            match outcomes.get(index):
                case Failed() as failed:
                    outcomes[index] = replace(failed, faults=(*failed.faults, *standing))
                case Done() if standing:
                    outcomes[index] = Failed(index=index, faults=standing, item=self._items.get(index))
                case _:
                    pass
        return [outcomes[index] for index in sorted(outcomes)]

    def _guarded(self, run: Callable[[], T]) -> T | None:
        """Run a part, or a look at its item; None where the database cannot even look for a value that it gives."""
        transaction = self._rows.transaction
        transaction.savepoint(_PLACE)
        result = None
        try:
            result = run()
        except (StatementRefused, Unstorable):
            transaction.rollback_to(_PLACE)
        transaction.release(_PLACE)
        return result

    def _run_part(self, operation: Operation) -> Done | Failed | None:
        result = self._guarded(lambda: self._attempt(operation))
        if result is None:
            result = _Refusal(verdicts=[Verdict(fault=rules.not_sought(operation))])
        if isinstance(result, Done):
            if result.row is not None:
                self._items[operation.index] = result.row
            return result
        standing: tuple[Fault, ...] = ()
        if isinstance(result, _Refusal):
            standing = tuple(verdict.fault for verdict in result.verdicts if self._losses.stands(verdict))
        self._lose(operation)
        if not isinstance(result, _Refusal) or not standing:
            return None
        return Failed(
            index=operation.index,
            faults=standing,
            precondition=result.precondition,
            item=result.item,
            current=result.item if result.wants_current else None,
        )

    # --- what is lost with a part that is in error

    def _lose_set_aside(self, part: SetAside) -> None:
        if part.operation is not None:
            self._lose(part.operation, part.touched)

    def _lose(self, operation: Operation, touched: Iterable[str] = ()) -> None:
        if operation.verb is Verb.GET:
            return
        resource = operation.resource
        row, values = self._guarded(lambda: self._addressed(operation)) or (None, operation.values)
        match operation.verb:
            case Verb.DELETE if row is not None:
                self._lose_removal(row, set())
            case Verb.UPDATE | Verb.UPSERT | Verb.REPLACE if row is not None:
                every = resource.attributes if operation.verb is Verb.REPLACE else ()
                changed = {*self._given(operation), *touched, *every} - set(resource.key)
                self._losses.of_change(resource, row.values, values, changed)
            case Verb.CREATE | Verb.UPSERT:
                self._losses.of_creation(resource, values)

    def _addressed(self, operation: Operation) -> tuple[Row | None, Values]:
        """Find the item that a part in error is about, and what the part says of it."""
        location = locate(self._rows, operation.address, self._items)
        if isinstance(location, Unresolved):
            location = Location()
        values = self._own_values(operation, location)
        if location.row is None and location.key is None and operation.verb is Verb.UPSERT:
            named = self._named_by_payload(operation, values)
            return (named if isinstance(named, Row) else None), values
        return location.row, values

    def _lose_removal(self, row: Row, seen: set[tuple[str, KeyTuple]]) -> None:
        """A deletion that did not happen: nor did what it would have done to those that point at the item."""
        if (row.resource.name, row.key) in seen:
            return
        seen.add((row.resource.name, row.key))
        self._losses.of_removal(row.resource, row.values)
        for child, key in self._catalog.referenced_by[row.resource.name]:
            if key.on_delete is None:
                continue
            for other in self._rows.among(child, key.attributes, [row.of(key.target_attributes)]):
                if key.on_delete == "CASCADE":
                    self._lose_removal(other, seen)
                else:
                    self._losses.of_change(child, other.values, {}, key.attributes)

    def _given(self, operation: Operation) -> Values:
        """What a part gives of its item: by its payload and its references."""
        values = dict(operation.values)
        for reference in operation.references:
            item = self._items.get(reference.part)
            if item is not None and not set(reference.target_attributes) <= set(item.resource.key):
                item = self._rows.by_key(item.resource, item.key) or item  # another part may have changed it since
            if item is not None:
                values |= zip(reference.attributes, item.of(reference.target_attributes), strict=True)
        return values

    def _own_values(self, operation: Operation, location: Location) -> Values:
        """What a part says of its item: by its place, its payload, its references.

        An item that is there may be given another value of the unique key that its path names; its parent is the path's.
        """
        by_place, given = place_values(operation.address, location), self._given(operation)
        if location.row is None:
            return {**given, **by_place}
        return {**by_place, **given, **parent_values(operation.address, location.parent)}

    # --- one part

    def _attempt(self, operation: Operation) -> Done | _Refusal | _Unjudged:
        lock = Lock.KEEP if operation.verb is Verb.GET else Lock.CHANGE
        location = locate(self._rows, operation.address, self._items, lock)
        if isinstance(location, Unresolved) or any(each.part not in self._items for each in operation.references):
            return _Unjudged()
        if location.absence is not None and (
            location.parent_absent or operation.verb not in {Verb.CREATE, Verb.UPSERT}
        ):
            return self._absent(operation, location)
        values = self._own_values(operation, location)
        if operation.query is not None:
            return Done(index=operation.index, status=200, page=self._page(operation, operation.query, location))
        contradictions = rules.contradictions(operation, location, self._given(operation))
        if contradictions:
            return _Refusal(verdicts=[Verdict(fault=fault) for fault in contradictions], item=location.row)
        row = location.row
        if row is None and location.key is None and operation.verb is Verb.UPSERT:
            found = self._named_by_payload(operation, values)
            if isinstance(found, _Refusal):
                return found
            row = found
            if row is not None and not self._is_below(row, operation, location):
                row = None  # it belongs to another parent: the database will say that it exists already
        return self._on_item(operation, location, row, values)

    def _page(self, operation: Operation, query: Query, location: Location) -> RowPage:
        by_place = parent_values(operation.address, location.parent)
        filters = {**query.filters, **by_place}
        if filters != {**by_place, **query.filters}:  # asked for the children of another parent
            return RowPage(rows=[], has_more=False)
        return self._rows.page(operation.resource, filters, query.order, query.page)

    def _on_item(self, operation: Operation, location: Location, row: Row | None, values: Values) -> Done | _Refusal:
        precondition = rules.precondition(operation, row)
        if precondition is False:
            return self._precondition_failed(operation, location, row)
        match operation.verb:
            case Verb.GET:
                return Done(index=operation.index, status=200, row=_existing(row), precondition=precondition)
            case Verb.DELETE:
                result = self._delete(operation, _existing(row))
            case Verb.CREATE if row is not None:
                result = self._exists(operation, row)
            case Verb.CREATE | Verb.UPSERT if row is None:
                result = self._create(operation, location, values)
            case Verb.UPDATE | Verb.UPSERT:
                result = self._change(operation, _existing(row), rules.update_values(operation, values), ())
            case Verb.REPLACE:
                kept, defaults = rules.replace_values(operation.resource, values)
                result = self._change(operation, _existing(row), kept, defaults)
            case _:
                raise AssertionError(operation.verb)
        if isinstance(result, _Refusal):
            return _Refusal(verdicts=result.verdicts, item=row, precondition=precondition)
        return Done(index=operation.index, status=result.status, row=result.row, precondition=precondition)

    def _absent(self, operation: Operation, location: Location) -> _Refusal:
        absence = location.absence
        assert absence is not None  # noqa: S101  # what the caller has asked
        resource, key = absence.step.resource, absence.key
        below = parent_values((absence.step,), absence.parent)
        made = replace(need(resource, key.attributes, key.values, MADE), where=below)
        groups: list[tuple[Need, ...]] = [(made,)]
        if absence.stranger is not None and absence.step.relation is not None:
            moved = absence.step.relation.there
            groups.append((need(resource, resource.key, absence.stranger.key, *moved),))
        asked = ", ".join(f"{name} {value}" for name, value in zip(key.attributes, key.values, strict=True))
        fault: Fault = NotFound(
            message=f"There is no item of {resource.collection} with {asked}"
            + (" under this parent." if absence.stranger is not None else "."),
            pointer="/path",
        )
        if operation.if_match is not None:
            fault = rules.failed_precondition(operation, None, by_match=True)
            return _Refusal(verdicts=[Verdict(fault=fault, groups=tuple(groups))], precondition=False)
        precondition = True if operation.if_none_match is not None else None
        return _Refusal(verdicts=[Verdict(fault=fault, groups=tuple(groups))], precondition=precondition)

    def _precondition_failed(self, operation: Operation, location: Location, row: Row | None) -> Done | _Refusal:
        by_match = operation.if_match is not None and not rules.matches(operation.if_match, row, weak=False)
        if operation.verb is Verb.GET and not by_match:
            return Done(index=operation.index, status=304, row=row, precondition=False)
        resource = operation.resource
        if row is not None:
            removed_only = not by_match and operation.if_none_match is not None and operation.if_none_match.any_version
            depends = need(resource, resource.key, row.key, REMOVED if removed_only else ANY)
        else:
            key = location.key
            depends = need(resource, key.attributes if key else (), key.values if key else (), MADE)
        verdict = Verdict(fault=rules.failed_precondition(operation, row, by_match=by_match), groups=((depends,),))
        return _Refusal(verdicts=[verdict], item=row, precondition=False, wants_current=row is not None)

    def _exists(self, operation: Operation, row: Row) -> _Refusal:
        resource = operation.resource
        fault = conflict(operation, resource.key).at("/path")
        groups = ((need(resource, resource.key, row.key, REMOVED),),)
        return _Refusal(verdicts=[Verdict(fault=fault, groups=groups)])

    def _named_by_payload(self, operation: Operation, values: Values) -> Row | _Refusal | None:
        """Find the item that an UPSERT at a collection means: by its key, or else by its unique keys."""
        resource = operation.resource
        if all(values.get(name) is not None for name in resource.key):
            return self._rows.by_values(resource, resource.key, [values[name] for name in resource.key], Lock.CHANGE)
        found: dict[object, Row] = {}
        needs: list[Need] = []
        for unique in resource.unique_keys:
            own = [values.get(name) for name in unique.attributes]
            row = None if None in own else self._rows.by_values(resource, unique.attributes, own, Lock.CHANGE)
            if row is not None:
                found[row.key] = row
                needs.append(need(resource, unique.attributes, own, REMOVED))
        if len(found) <= 1:
            return next(iter(found.values()), None)
        groups = tuple((each,) for each in needs)
        return _Refusal(verdicts=[Verdict(fault=rules.several_items(operation), groups=groups)])

    # --- writes

    def _create(self, operation: Operation, location: Location, values: Values) -> Done | _Refusal:
        resource, sought = operation.resource, values
        faults = rules.creation_faults(operation, values)
        if faults:  # only an UPSERT gets here with any: whether it creates is known now
            keys = [key for key in resource.keys if all(name in values for name in key)]
            groups = tuple((need(resource, key, [values[name] for name in key], MADE),) for key in keys)
            return _Refusal(verdicts=[Verdict(fault=fault, groups=groups) for fault in faults])
        values = rules.with_defaults(resource, values)
        if resource.validate is not None:
            checked = resource.validate(values, True)  # noqa: FBT003  # a callable's type has no names
            if not isinstance(checked, Mapping):
                return _Refusal(verdicts=[Verdict(fault=_placed(operation, fault)) for fault in checked])
            values = checked
        try:
            row = self._in_savepoint(operation, lambda: self._rows.insert(resource, values))
        except StatementRefused as refused:
            if refused.violation is Violation.UNIQUE and self._was_raced(operation, location, sought):
                raise Retry from refused
            attempt = Attempt(operation=operation, values=values)
            self._deferred.refused(attempt)
            return _Refusal(verdicts=diagnose_write(self._rows, self._catalog, attempt, refused))
        except Unstorable as reason:
            return _Refusal(verdicts=[Verdict(fault=_unstorable(operation, reason))])
        self._deferred.written(operation, row)
        return Done(index=operation.index, status=201, row=row)

    def _was_raced(self, operation: Operation, location: Location, values: Values) -> bool:
        """Whether another transaction has made the item since we looked: the second look decides."""
        if operation.verb is not Verb.UPSERT and operation.if_none_match is None:
            return False
        if location.key is not None:
            found = self._rows.by_values(operation.resource, location.key.attributes, location.key.values)
        else:
            named = self._named_by_payload(operation, values)
            found = named if isinstance(named, Row) else None
        return found is not None and self._is_below(found, operation, location)

    def _is_below(self, row: Row, operation: Operation, location: Location) -> bool:
        """Whether an item belongs to the parent of the path, if that has one."""
        expected = parent_values(operation.address, location.parent)
        return all(row.values[name] == value for name, value in expected.items())

    def _change(self, operation: Operation, row: Row, changes: Values, defaults: Iterable[str]) -> Done | _Refusal:
        resource = operation.resource
        changes = rules.with_update_values(resource, row, changes)
        if resource.validate is not None:
            checked = resource.validate({**row.values, **changes}, False)  # noqa: FBT003  # a callable's type has no names
            if not isinstance(checked, Mapping):
                return self._refuse_validation(operation, row, checked)
            changes = {
                name: value for name, value in checked.items() if name in changes or value != row.values.get(name)
            }
        try:
            after = self._in_savepoint(operation, lambda: self._rows.update(row, changes, tuple(defaults)))
        except StatementRefused as refused:
            attempt = Attempt(operation=operation, values={**row.values, **changes}, before=row)
            self._deferred.refused(attempt)
            return _Refusal(verdicts=diagnose_write(self._rows, self._catalog, attempt, refused))
        except Unstorable as reason:
            return _Refusal(verdicts=[Verdict(fault=_unstorable(operation, reason))])
        self._deferred.written(operation, after, before=row)
        return Done(index=operation.index, status=200, row=after)

    def _refuse_validation(self, operation: Operation, row: Row, faults: Sequence[Fault]) -> _Refusal:
        """A model's validator sees the merged row: what this part does not give, another part may have a say in."""
        others = set(operation.resource.attributes) - set(operation.values)
        depends = need(operation.resource, operation.resource.key, row.key, *others)
        verdicts = []
        for fault in faults:
            own = fault.attributes and set(fault.attributes) <= set(operation.values)
            verdicts.append(Verdict(fault=_placed(operation, fault), groups=() if own else ((depends,),)))
        return _Refusal(verdicts=verdicts)

    def _delete(self, operation: Operation, row: Row) -> Done | _Refusal:
        try:
            self._in_savepoint(operation, lambda: self._rows.delete(row))
        except StatementRefused as refused:
            return _Refusal(verdicts=diagnose_delete(self._rows, self._catalog, operation, row, refused))
        self._deferred.deleted(operation, row)
        return Done(index=operation.index, status=204, row=row)

    def _in_savepoint(self, operation: Operation, write: Callable[[], T]) -> T:
        transaction = self._rows.transaction
        transaction.savepoint(_SAVEPOINT)
        try:
            result = write()
        except StatementRefused as refused:
            if refused.transaction_lost:
                raise TransactionLost(operation.index, (rules.refused_by_database(),)) from refused
            transaction.rollback_to(_SAVEPOINT)
            transaction.release(_SAVEPOINT)
            raise
        except Unstorable:
            transaction.rollback_to(_SAVEPOINT)
            transaction.release(_SAVEPOINT)
            raise
        transaction.release(_SAVEPOINT)
        return result


def _existing(row: Row | None) -> Row:
    assert row is not None  # noqa: S101  # absence is dealt with before
    return row


def _placed(operation: Operation, fault: Fault) -> Fault:
    return fault.at(operation.pointer(fault.attributes[0]) if fault.attributes else operation.payload_pointer)


def _unstorable(operation: Operation, reason: Unstorable) -> Fault:
    return InvalidValue(
        message=str(reason), pointer=operation.pointer(reason.attribute), attributes=(reason.attribute,)
    )
