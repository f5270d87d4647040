"""Staged execution: decide every part over an overlay of the rows, then write similar parts in one statement.

See docs/engine.md. Only parts whose effects can be predicted run in stages. Any other part (a fault, a barrier) runs
alone with the sequential strategy: the writes before it are executed first, and the rows are read again after it. If
the database refuses a group, `GroupRefused` is raised, and the caller runs suspect parts alone, or the whole batch
sequentially, to find the parts at fault.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from uuid import UUID

from storage.batch.conflicts.access_sets import AccessSets
from storage.batch.conflicts.schedule import Kind, Shape, Write, schedule
from storage.batch.diagnosis.constraint_errors import Attempt
from storage.batch.execution.bisection import Bisection, TooManyRefused
from storage.batch.execution.sequential import Sequential, of_change, of_new
from storage.batch.plan.decisions import Change, Create, Decider, Remove, Show
from storage.batch.plan.keys import KeySource
from storage.batch.plan.locks import Loaded, Wanted, load_rows, lock_rows, wanted_rows
from storage.batch.plan.operations import Done, Failed, Operation, Part, Verb
from storage.batch.plan.row_cache import Overlay
from storage.catalog.model import Attribute, Catalog, Generation, Resource, Values
from storage.catalog.types import Anything, Boolean, Date, Enumeration, Integer, Text, Uuid, Value
from storage.connections.driver_errors import StatementRefused
from storage.rows.row import Ambiguous, KeyTuple, NotLoaded, Row, key_order
from storage.rows.writer import Rows
from storage.sql import AllRows, Unstorable

_MOST_TURNS = 8  # from parts that run alone back to groups: each requires reading the rows again
_MAKING = frozenset({Verb.CREATE, Verb.UPSERT})

# A value that a model generates for one of these types has only one form, if it is of exactly this class.
_ONE_FORM: Mapping[type, type] = {Integer: int, Text: str, Boolean: bool, Uuid: UUID, Date: date, Enumeration: str}


class GroupRefused(Exception):
    """The database refused a group. The errors of its parts can be found only by running them alone."""

    def __init__(self, parts: Collection[int] = (), *, transaction_lost: bool = False) -> None:
        super().__init__()
        self.parts = parts  # the refused parts, as far as they are known
        self.transaction_lost = transaction_lost


@dataclass(frozen=True, slots=True)
class _Pending:
    """A write that is decided but not yet executed."""

    part: int
    write: Write
    resource: Resource
    key: KeyTuple
    values: tuple[Value, ...]  # as passed to its statement


@dataclass(slots=True)
class _Ran:
    """The result of a part, from which its `Done` is created."""

    status: int
    row: Row
    precondition: bool | None


class Grouped:
    """One staged run over the parts of a batch."""

    def __init__(
        self, rows: Rows, catalog: Catalog, *, with_rows: bool, suspects: Collection[int] | None = None
    ) -> None:
        self._rows = rows
        self._catalog = catalog
        self._with_rows = with_rows  # True if the response shows the rows as the parts leave them
        self._suspects = suspects  # parts that must run alone; None while the database has refused nothing yet
        self._sequential = Sequential(rows, catalog)
        self._items = self._sequential.items
        self._overlay = Overlay(rows)
        self._decider = Decider(self._overlay, self._items)
        self._order = {name: place for place, name in enumerate(catalog.resources)}
        self._access_sets: dict[str, AccessSets] = {}
        self._keys: dict[str, KeySource] = {}
        self._turns = 0
        self._rest: Sequence[Part] = ()
        self._pending: list[_Pending] = []
        self._partial: dict[int, Row] = {}  # part -> the row that it has written, if not all of its values are known
        self._unchecked: dict[int, Values] = {}  # part -> values that it has written and that columns may convert
        self._ran: dict[int, _Ran] = {}

    def run(self, parts: Sequence[Part], wanted: Mapping[str, Wanted], locked: Iterable[Loaded]) -> list[Done | Failed]:
        """Run the parts; `wanted` are the rows they need, and `locked` those already read. Raises `GroupRefused`."""
        alone: dict[int, Done | Failed | None] = {}
        try:
            self._load(wanted, locked)
        except (StatementRefused, Unstorable) as refused:  # a view that fails for a row
            raise GroupRefused from refused
        is_stale = False
        for place, part in enumerate(parts):
            if isinstance(part, Operation) and self._turns < _MOST_TURNS and self._can_be_grouped(part):
                if is_stale:
                    self._reload(parts[place:])
                    is_stale = False
                self._rest = parts[place:]
                if self._take(part):
                    continue
            self._flush()
            alone[part.index] = self._sequential.run_part(part)
            is_stale = is_stale or isinstance(alone[part.index], Done)  # a part that fails changes nothing
        self._flush()
        return self._sequential.finish({**{index: self._done(index) for index in self._ran}, **alone})

    def _done(self, index: int) -> Done:
        ran = self._ran[index]
        return Done(index=index, status=ran.status, row=ran.row, precondition=ran.precondition)

    # --- loading the rows

    def _load(self, wanted: Mapping[str, Wanted], locked: Iterable[Loaded]) -> None:
        seen = set()
        for loaded in locked:
            seen.add(loaded.resource.name)
            self._overlay.add(loaded)
        unseen = {name: each for name, each in wanted.items() if name not in seen}
        for loaded in load_rows(self._rows, self._catalog, unseen):
            self._overlay.add(loaded)

    def _reload(self, parts: Sequence[Part]) -> None:
        """Discard the loaded rows and load them again: a part that ran alone may have changed any of them."""
        self._turns += 1
        self._overlay.clear()
        self._keys.clear()
        wanted = wanted_rows(self._catalog, parts)
        try:
            self._load(wanted, lock_rows(self._rows, self._catalog, wanted))
        except (StatementRefused, Unstorable) as refused:
            raise GroupRefused from refused

    # --- deciding

    def _can_be_grouped(self, operation: Operation) -> bool:
        return (
            operation.index not in (self._suspects or ())
            and operation.query is None
            and not any(step.resource.unbatchable_reasons for step in operation.address)
        )

    def _take(self, operation: Operation) -> bool:
        """Decide on a part; return False if it must run alone. Raises `GroupRefused`."""
        try:
            return self._decide(operation)
        except NotLoaded:
            self._turns += 1
            self._flush(every_row=True)
        except (StatementRefused, Unstorable, Ambiguous) as refused:  # a value does not identify a single row
            raise GroupRefused from refused
        try:
            return self._decide(operation)
        except NotLoaded:
            return False

    def _decide(self, operation: Operation) -> bool:
        match self._decider.decide(operation):
            case Show(row=row, status=status, precondition=precondition):
                if self._with_rows and not row.is_complete:
                    raise NotLoaded
                self._note(operation, status, row, precondition)
                return True
            case Create() as create:
                return self._create(operation, create)
            case Change() as change:
                return self._change(operation, change)
            case Remove() as remove:
                return self._remove(operation, remove)
            case _:
                return False

    def _note(self, operation: Operation, status: int, row: Row, precondition: bool | None) -> None:  # noqa: FBT001  # as judged
        self._items[operation.index] = row
        self._ran[operation.index] = _Ran(status, row, precondition)

    def _create(self, operation: Operation, create: Create) -> bool:
        resource, values = operation.resource, create.values
        if not resource.accepts(values) or self._hides_targets(resource, partial(of_new, operation, values)):
            return False
        missing = [name for name in resource.key if values.get(name) is None]
        keys = self._keys_of(resource)
        if missing:
            key = keys.take(lambda: self._expected(resource)) if missing == list(resource.key) else None
            if key is None or len(missing) > 1:
                return False
            values = {**values, missing[0]: key}
        else:
            keys.give(values[resource.key[-1]])
        access = self._access_of(resource)
        made = resource.generated_without(values)
        unpredictable = self._unpredictable(operation, values)
        if (made | unpredictable) & access.key_attributes:
            return False
        whole: Values = {name: values.get(name) for name in resource.attributes if name not in made}
        names = tuple(name for name in resource.attributes if name in values)
        row = self._rows.predicted_insert(resource, whole, unpredictable)
        writes, reads = access.of_row(whole)
        shape = Shape(Kind.INSERT, resource.name, names)
        self._plan(operation, Write(shape, writes, reads), row, tuple(values[name] for name in names))
        self._overlay.put(row)
        self._wrote(operation, create.status, row, create.precondition, {name: values[name] for name in unpredictable})
        return True

    def _change(self, operation: Operation, change: Change) -> bool:
        resource, before, changes = operation.resource, change.row, change.changes
        if not resource.accepts(changes) or self._hides_targets(resource, partial(of_change, operation, change)):
            return False
        if not changes and not change.defaults:
            self._note(operation, change.status, before, change.precondition)
            if self._with_rows and not before.is_complete:
                raise NotLoaded
            return True
        self._check_open(before)
        access = self._access_of(resource)
        changed = frozenset(
            name for name, value in changes.items() if name not in before.values or before.values[name] != value
        ).union(change.defaults)
        unpredictable = self._unpredictable(operation, changes) | self._unknown_before(before, changes)
        if (
            changed & resource.cascading_attributes
            or access.key_attributes.intersection(change.defaults)
            or unpredictable & access.key_attributes
        ):
            return False
        unknown = {
            *change.defaults,
            *(name for name, each in resource.attributes.items() if each.generation is Generation.ALWAYS),
        } - set(resource.key)
        row = self._rows.predicted_update(before, changes, unpredictable, unknown)
        writes, reads = access.of_change(before.values, {**before.values, **changes}, changed)
        kept = self._kept(before, changes)
        written = {name: value for name, value in changes.items() if name not in kept} if kept else changes
        shape = Shape(Kind.UPDATE, resource.name, tuple(written), change.defaults, kept)
        self._plan(operation, Write(shape, writes, reads), row, tuple(written.values()))
        self._overlay.put(row, before)
        self._wrote(operation, change.status, row, change.precondition, {name: changes[name] for name in unpredictable})
        return True

    def _remove(self, operation: Operation, remove: Remove) -> bool:
        resource, row = operation.resource, remove.row
        if resource.delete_cascades:
            return False
        self._check_open(row)
        writes, reads = self._access_of(resource).of_row(row.values)
        self._plan(operation, Write(Shape(Kind.DELETE, resource.name), writes, reads), row, ())
        self._overlay.remove(row)
        self._keys_of(resource).remove(row.key[0])
        self._note(operation, remove.status, row, remove.precondition)
        return True

    def _hides_targets(self, resource: Resource, attempt: Callable[[], Attempt]) -> bool:
        """Return True if a write refers to an item that the caller may not read. Raises `NotLoaded`."""
        if not self._sequential.restricted_keys(resource):
            return False
        hides = self._sequential.hides_targets(attempt())
        if hides and self._pending:  # an earlier part may have created it
            raise NotLoaded
        return hides

    def _check_open(self, row: Row) -> None:
        """Raise `NotLoaded` if a row written by an earlier part must be read before it changes, to show or check it."""
        if not row.is_complete and (self._with_rows or any(self._partial[part] is row for part in self._unchecked)):
            raise NotLoaded

    def _plan(self, operation: Operation, write: Write, row: Row, values: tuple[Value, ...]) -> None:
        self._pending.append(_Pending(operation.index, write, row.resource, row.key, values))

    def _wrote(
        self,
        operation: Operation,
        status: int,
        row: Row,
        precondition: bool | None,  # noqa: FBT001  # as judged
        unchecked: Values,
    ) -> None:
        self._note(operation, status, row, precondition)
        if not row.is_complete:
            self._partial[operation.index] = row
        if unchecked:
            self._unchecked[operation.index] = unchecked

    def _unpredictable(self, operation: Operation, values: Values) -> frozenset[str]:
        """Return the attributes whose values may be read back in another form than they are written.

        Their columns convert values, or a model generated the values.
        """
        attributes, own = operation.resource.attributes, operation.values
        return frozenset(
            name
            for name, value in values.items()
            if value is not None
            and not (
                self._rows.statements.round_trips(attributes[name])
                and (own.get(name) is value or _has_one_form(attributes[name], value))
            )
        )

    def _kept(self, before: Row, changes: Values) -> tuple[str, ...]:
        """Return the attributes that change to an equal value, if their columns store equal values in several forms.

        Return none if the statement itself compares the values.
        """
        statements, attributes, values = self._rows.statements, before.resource.attributes, before.values
        if statements.tells_equal:
            return ()
        return tuple(
            n for n, each in changes.items() if n in values and statements.is_kept(attributes[n], values[n], each)
        )

    def _unknown_before(self, before: Row, changes: Values) -> frozenset[str]:
        """Return the changed attributes whose columns may already contain an equal value in another, unknown form."""
        if before.is_complete:
            return frozenset()
        attributes, keeps = before.resource.attributes, self._rows.statements.keeps_equal
        return frozenset(name for name in changes if name not in before.values and keeps(attributes[name]))

    def _expected(self, resource: Resource) -> int:
        """Return the number of items of a resource that the rest of the batch may create without a given key."""
        operations = (part for part in self._rest if isinstance(part, Operation))
        return sum(
            each.verb in _MAKING
            and each.resource is resource
            and each.address[-1].selector is None
            and resource.key[0] not in each.values
            for each in operations
        )

    def _access_of(self, resource: Resource) -> AccessSets:
        if resource.name not in self._access_sets:
            self._access_sets[resource.name] = AccessSets(resource, self._catalog)
        return self._access_sets[resource.name]

    def _keys_of(self, resource: Resource) -> KeySource:
        if resource.name not in self._keys:
            self._keys[resource.name] = KeySource(self._rows, resource)
        return self._keys[resource.name]

    # --- writing

    def _flush(self, *, every_row: bool = False) -> None:
        """Execute the pending writes; read back the rows to be checked or, with `every_row`, all incomplete rows."""
        pending, self._pending = self._pending, []
        for stage in schedule((each.write for each in pending), self._order):
            writes = [pending[place] for place in stage.members]
            order = key_order(writes[0].resource)
            writes.sort(key=_key if order is None else lambda each, order=order: order(each.key))  # type: ignore[misc]  # a default has no type
            self._write_stage(writes)
        try:
            self._read_back(every_row=every_row or self._with_rows)
        except (StatementRefused, Unstorable) as refused:
            raise GroupRefused from refused

    def _write_stage(self, writes: Sequence[_Pending]) -> None:
        """Write one stage; if the database is known to refuse something, search for the refused writes."""
        found: Sequence[_Pending] = ()
        try:
            if self._suspects is None:
                self._write(writes)
            else:
                found = list(Bisection(self._rows, self._write, len(writes)).refused(writes))
        except StatementRefused as refused:
            raise GroupRefused(transaction_lost=refused.transaction_lost) from refused
        except (Unstorable, TooManyRefused) as refused:
            raise GroupRefused from refused
        if found:
            raise GroupRefused([each.part for each in found])

    def _write(self, writes: Sequence[_Pending]) -> None:
        shape, resource = writes[0].write.shape, writes[0].resource
        columns = dict(zip(shape.attributes, zip(*(each.values for each in writes), strict=True), strict=True))
        keys = [each.key for each in writes]
        match shape.kind:
            case Kind.INSERT:
                self._rows.insert_many(resource, columns)
            case Kind.UPDATE:
                self._rows.update_many(resource, columns, keys, defaults=shape.defaults, kept=shape.kept)
            case Kind.DELETE:
                self._rows.delete_many(resource, keys)

    def _read_back(self, *, every_row: bool) -> None:
        wanted: dict[str, dict[KeyTuple, list[int]]] = {}
        for part in self._partial if every_row else self._unchecked:
            row = self._ran[part].row
            wanted.setdefault(row.resource.name, {}).setdefault(row.key, []).append(part)
        for name, parts in wanted.items():
            resource = self._catalog.resources[name]
            for row in self._rows.among(resource, resource.key, parts, AllRows.OWN_WRITE):
                for part in parts[row.key]:
                    self._has_become(part, row)
        if every_row:
            self._partial.clear()
        self._unchecked.clear()

    def _has_become(self, part: int, row: Row) -> None:
        if part in self._unchecked:
            self._rows.check_kept(row, self._unchecked[part])
        self._overlay.complete(self._ran[part].row, row)
        self._partial.pop(part, None)
        self._ran[part].row = self._items[part] = row


def _key(pending: _Pending) -> KeyTuple:
    return pending.key


def _has_one_form(attribute: Attribute, value: Value) -> bool:
    return isinstance(attribute.type, Anything) or _ONE_FORM.get(type(attribute.type)) is type(value)
