"""The decision on a part, given the existing rows: a result, a refusal, or a row to create, update or delete.

Sequential and staged execution share it, each with its own view of the rows: the database, or an overlay of rows that
were read. A decision that can succeed states the status that its part then has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from storage.batch.plan import rules
from storage.batch.plan.cascading_errors import ANY, MADE, REMOVED, ConditionalError, Effect, effect
from storage.batch.plan.faults import conflict
from storage.batch.plan.operations import Operation, Verb
from storage.catalog.model import Relation, Values
from storage.errors import Fault, NotFound
from storage.rows.locate import Absence, Location, Query, Unresolved, locate, parent_values, place_values, placed_below
from storage.rows.row import Finder, Lock, Row, can_be_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The part fails, unless its errors merely follow from another failed part."""

    errors: Sequence[ConditionalError]
    item: Row | None = None
    precondition: bool | None = None
    wants_current: bool = False  # True if the response includes the item's committed state


class DependsOnFailed:
    """The part is not evaluated, because it refers to one that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """The item as it is; status 304 if it is the version that the client has."""

    row: Row
    status: int
    precondition: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPage:
    """Items of a collection."""

    status: ClassVar[int] = 200
    query: Query
    below: tuple[Relation, Row] | None  # the relation and the parent, if these are its children


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A row to create."""

    status: ClassVar[int] = 201
    values: Values
    sought: Values  # the values that the part itself gives
    location: Location
    precondition: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row to update: to values, and to the database's defaults."""

    status: ClassVar[int] = 200
    row: Row
    changes: Values
    defaults: tuple[str, ...]
    precondition: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """A row to delete."""

    status: ClassVar[int] = 204
    row: Row
    precondition: bool | None


Decision = Refusal | DependsOnFailed | Show | ShowPage | Create | Change | Remove


class Decider:
    """Decides on parts, one after the other."""

    def __init__(self, rows: Finder, items: Mapping[int, Row]) -> None:
        self._rows = rows
        self._items = items  # part -> its item as the part left it

    def decide(self, operation: Operation) -> Decision:
        """Decide on one part."""
        lock = Lock.KEEP if operation.verb is Verb.GET else Lock.CHANGE
        location = locate(self._rows, operation.address, self._items, lock)
        if isinstance(location, Unresolved) or any(each.part not in self._items for each in operation.references):
            return DependsOnFailed()
        if location.absence is not None and (
            location.parent_absent or operation.verb not in {Verb.CREATE, Verb.UPSERT}
        ):
            return _absent(operation, location.absence)
        if operation.query is not None:
            return _page(operation, operation.query, location)
        given = rules.as_stored(operation.resource, location.row, self.given(operation))
        values = self.own_values(operation, location, given)
        contradictions = rules.contradictions(operation, location, given)
        if contradictions:
            return Refusal(errors=[ConditionalError(fault=fault) for fault in contradictions], item=location.row)
        row = location.row
        if row is None and location.key is None and operation.verb is Verb.UPSERT:
            found = self.named_by_payload(operation, values)
            if isinstance(found, Refusal):
                return found
            row = found
            if row is not None and not is_below(self._rows, row, operation, location):
                row = None  # it belongs to another parent: the database will report that it already exists
        return _on_item(operation, location, row, values)

    def given(self, operation: Operation) -> Values:
        """Return the values that a part gives for its item: by its payload and its references."""
        if not operation.references:
            return operation.values
        values = dict(operation.values)
        for reference in operation.references:
            item = self._items.get(reference.part)
            if item is not None and not set(reference.target_attributes) <= set(item.resource.key):
                item = self._rows.by_key(item.resource, item.key) or item  # another part may have changed it since
            if item is not None:
                values |= zip(reference.attributes, item.of(reference.target_attributes), strict=True)
        return values

    def own_values(self, operation: Operation, location: Location, given: Values) -> Values:
        """Return the values that a part determines for its item: by its path, its payload and its references.

        An existing item may get another value of the unique key in its path. Its parent is always the path's.
        """
        by_place = place_values(operation.address, location)
        if location.row is None:
            return {**given, **by_place}
        return {**by_place, **given, **placed_below(operation.address, location)}

    def named_by_payload(self, operation: Operation, values: Values) -> Row | Refusal | None:
        """Return the item that an UPSERT at a collection identifies: by its key, or else by its unique keys.

        Return a refusal if its unique keys identify different items, and None if there is no such item.
        """
        resource = operation.resource
        own_key = tuple(values.get(name) for name in resource.key)
        if None not in own_key:
            if not can_be_key(own_key):
                return None
            return self._rows.by_values(resource, resource.key, [values[name] for name in resource.key], Lock.CHANGE)
        found: dict[object, Row] = {}
        effects: list[Effect] = []
        for unique in resource.unique_keys:
            own = [values.get(name) for name in unique.attributes]
            row = None if not can_be_key(own) else self._rows.by_values(resource, unique.attributes, own, Lock.CHANGE)
            if row is not None:
                found[row.key] = row
                effects.append(effect(resource, unique.attributes, own, REMOVED))
        if len(found) <= 1:
            return next(iter(found.values()), None)
        unless_any_of = tuple((each,) for each in effects)
        return Refusal(errors=[ConditionalError(fault=rules.several_items(operation), unless_any_of=unless_any_of)])


def is_below(rows: Finder, row: Row, operation: Operation, location: Location) -> bool:
    """Return True if an item belongs to the parent of the path, if that has one."""
    relation = operation.address[-1].relation
    return relation is None or location.parent is None or rows.is_child(row, relation, location.parent)


def placed(operation: Operation, fault: Fault) -> Fault:
    """Return a validator's fault with the pointer to the value that the part gives."""
    return fault.at(operation.pointer(fault.attributes[0]) if fault.attributes else operation.payload_pointer)


def _page(operation: Operation, query: Query, location: Location) -> ShowPage:
    relation, parent = operation.address[-1].relation, location.parent
    return ShowPage(query=query, below=None if relation is None or parent is None else (relation, parent))


def _absent(operation: Operation, absence: Absence) -> Refusal:
    resource, key = absence.step.resource, absence.key
    below = parent_values((absence.step,), absence.parent)
    made = replace(effect(resource, key.attributes, key.values, MADE), where=below)
    unless_any_of: list[tuple[Effect, ...]] = [(made,)]
    if absence.row_of_other_parent is not None and absence.step.relation is not None:
        moved = absence.step.relation.there
        unless_any_of.append((effect(resource, resource.key, absence.row_of_other_parent.key, *moved),))
    asked = ", ".join(f"{name} {value}" for name, value in zip(key.attributes, key.values, strict=True))
    fault: Fault = NotFound(
        message=f"There is no item of {resource.collection} with {asked}"
        + (" under this parent." if absence.row_of_other_parent is not None else "."),
        pointer="/path",
    )
    precondition = rules.precondition(operation, None)
    if precondition is False:
        fault = rules.failed_precondition(operation, None, by_match=True)
    return Refusal(
        errors=[ConditionalError(fault=fault, unless_any_of=tuple(unless_any_of))], precondition=precondition
    )


def _on_item(operation: Operation, location: Location, row: Row | None, values: Values) -> Decision:
    values = rules.as_stored(operation.resource, row, values)
    precondition = rules.precondition(operation, row)
    if precondition is False:
        return _precondition_failed(operation, location, row)
    if row is not None and operation.verb not in {Verb.GET, Verb.CREATE} and not can_be_key(row.key):
        return Refusal(
            errors=[ConditionalError(fault=rules.only_readable(operation))], item=row, precondition=precondition
        )
    match operation.verb:
        case Verb.GET:
            return Show(row=existing(row), status=200, precondition=precondition)
        case Verb.DELETE:
            return Remove(row=existing(row), precondition=precondition)
        case Verb.CREATE if row is not None:
            return _exists(operation, row, precondition)
        case Verb.CREATE | Verb.UPSERT if row is None:
            return _create(operation, location, values, precondition)
        case Verb.UPSERT if closed := rules.update_faults(operation, existing(row), values):
            return Refusal(
                errors=[ConditionalError(fault=each) for each in closed], item=row, precondition=precondition
            )
        case Verb.UPDATE | Verb.UPSERT:
            return _change(operation, existing(row), rules.update_values(operation, values), (), precondition)
        case Verb.REPLACE:
            kept, defaults = rules.replace_values(operation.resource, values)
            return _change(operation, existing(row), kept, tuple(defaults), precondition)
        case _:
            raise AssertionError(operation.verb)


def existing(row: Row | None) -> Row:
    """Return the row; the caller has already handled its absence."""
    assert row is not None  # noqa: S101  # see the docstring
    return row


def _precondition_failed(operation: Operation, location: Location, row: Row | None) -> Show | Refusal:
    by_match = operation.if_match is not None and not rules.matches(operation.if_match, row)
    if operation.verb is Verb.GET and not by_match:
        return Show(row=existing(row), status=304, precondition=False)
    resource = operation.resource
    if row is not None:
        removed_only = not by_match and operation.if_none_match is not None and operation.if_none_match.any_version
        depends = effect(resource, resource.key, row.key, REMOVED if removed_only else ANY)
    else:
        key = location.key
        depends = effect(resource, key.attributes if key else (), key.values if key else (), MADE)
    error = ConditionalError(
        fault=rules.failed_precondition(operation, row, by_match=by_match), unless_any_of=((depends,),)
    )
    return Refusal(errors=[error], item=row, precondition=False, wants_current=row is not None and can_be_key(row.key))


def _exists(operation: Operation, row: Row, precondition: bool | None) -> Refusal:  # noqa: FBT001  # as judged
    resource = operation.resource
    fault = conflict(operation, resource.key, resource.key_constraint).at("/path")
    unless_any_of = ((effect(resource, resource.key, row.key, REMOVED),),)
    return Refusal(
        errors=[ConditionalError(fault=fault, unless_any_of=unless_any_of)], item=row, precondition=precondition
    )


def _create(
    operation: Operation,
    location: Location,
    sought: Values,
    precondition: bool | None,  # noqa: FBT001  # as judged
) -> Create | Refusal:
    resource = operation.resource
    faults = rules.creation_faults(operation, sought)
    if faults:  # only an UPSERT can have faults here: only now is it known that it creates
        keys = [key for key in resource.keys if all(name in sought for name in key)]
        unless_any_of = tuple((effect(resource, key, [sought[name] for name in key], MADE),) for key in keys)
        errors = [ConditionalError(fault=fault, unless_any_of=unless_any_of) for fault in faults]
        return Refusal(errors=errors, precondition=precondition)
    values = rules.with_defaults(resource, sought)
    if resource.validate is not None:
        checked = resource.validate(values, True)  # noqa: FBT003  # a callable's type has no names
        if not isinstance(checked, Mapping):
            errors = [ConditionalError(fault=placed(operation, fault)) for fault in checked]
            return Refusal(errors=errors, precondition=precondition)
        values = checked
    return Create(values=values, sought=sought, location=location, precondition=precondition)


def _change(
    operation: Operation,
    row: Row,
    changes: Values,
    defaults: tuple[str, ...],
    precondition: bool | None,  # noqa: FBT001  # as judged
) -> Change | Refusal:
    resource = operation.resource
    changes = rules.with_update_values(resource, row, changes)
    used_up = rules.used_up_version(operation, changes)
    if used_up is not None:
        return Refusal(errors=[ConditionalError(fault=used_up)], item=row, precondition=precondition)
    if resource.validate is not None:
        checked = resource.validate({**row.values, **changes}, False)  # noqa: FBT003  # a callable's type has no names
        if not isinstance(checked, Mapping):
            errors = _refused_by_validator(operation, row, checked)
            return Refusal(errors=errors, item=row, precondition=precondition)
        changes = {name: value for name, value in checked.items() if name in changes or value != row.values.get(name)}
    return Change(row=row, changes=changes, defaults=defaults, precondition=precondition)


def _refused_by_validator(operation: Operation, row: Row, faults: Sequence[Fault]) -> list[ConditionalError]:
    """Return the errors of a model's validator, which sees the merged row.

    Another part may change the attributes that this part does not give.
    """
    others = set(operation.resource.attributes) - set(operation.values)
    depends = effect(operation.resource, operation.resource.key, row.key, *others)
    errors = []
    for fault in faults:
        own = fault.attributes and set(fault.attributes) <= set(operation.values)
        errors.append(ConditionalError(fault=placed(operation, fault), unless_any_of=() if own else ((depends,),)))
    return errors
