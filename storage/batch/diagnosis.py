"""Why the database refused a row: every violated rule, each with its attributes, from the catalog's own definitions.

A driver names one violated constraint, and SQLite hardly that. So unique keys and foreign keys are asked about one by
one; what is left (checks, not null, triggers) is what the driver said.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from storage.batch import rules
from storage.batch.effects import ANY, MADE, REMOVED, Verdict, need
from storage.batch.operations import Operation, Verb
from storage.catalog.model import Catalog, Constraint, ForeignKey, Resource, Values
from storage.catalog.types import Opaque
from storage.driver_errors import StatementRefused, Violation
from storage.errors import (
    CheckFailed,
    Conflict,
    Fault,
    InvalidValue,
    MissingTarget,
    Required,
    StillReferenced,
)
from storage.log import note
from storage.row import KeyTuple, Row
from storage.rows import Rows

_MOST_HOLDERS = 1_000  # rows that point at one: beyond that, some of them surely stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A write that was refused: the row as it would be, and as it was."""

    operation: Operation
    values: Values
    before: Row | None = None
    all_changed: bool = False  # ask about all attributes, as of a new row

    @property
    def changed(self) -> frozenset[str]:
        """The attributes that the write touches: all of a new row."""
        if self.before is None or self.all_changed:
            return frozenset(self.operation.resource.attributes)
        return frozenset(name for name, value in self.values.items() if self.before.values[name] != value)


def diagnose_write(rows: Rows, catalog: Catalog, attempt: Attempt, refused: StatementRefused) -> list[Verdict]:
    """Find all that is wrong with a row to be inserted or updated."""
    resource = attempt.operation.resource
    refused = _as_of(resource, refused)
    verdicts = [
        *conflicts(rows, attempt, [key for key in resource.keys if key not in _deferred(resource)]),
        *missing_targets(rows, catalog, attempt, [key for key in resource.foreign_keys if not key.deferred]),
        *_still_referenced_by_change(rows, catalog, attempt),
    ]
    codes = {type(verdict.fault) for verdict in verdicts}
    named = _named(resource, refused)
    match refused.violation:
        case Violation.UNIQUE if Conflict not in codes or (named and set(named) not in _attributes(verdicts)):
            # Over expressions, of some rows only, or an exclusion: the database alone can tell.
            place = sum(isinstance(each.fault, Conflict) for each in verdicts)
            verdicts.insert(place, Verdict(fault=_said(refused, conflict(attempt.operation, named))))
        case Violation.FOREIGN_KEY if not codes & {MissingTarget, StillReferenced}:
            verdicts.append(Verdict(fault=_said(refused, _missing_target(attempt.operation, named))))
        case Violation.UNIQUE | Violation.FOREIGN_KEY:
            pass
        case _:
            verdicts.append(from_driver(attempt, refused))
    return verdicts


def _as_of(resource: Resource, refused: StatementRefused) -> StatementRefused:
    """Take a rule of another table, which a trigger has broken, for no rule of the resource's own."""
    is_own = refused.rule_of is None or refused.rule_of.lower() == resource.table.lower()
    if is_own or refused.violation is Violation.FOREIGN_KEY:
        return refused
    return replace(refused, violation=Violation.OTHER, columns=(), constraint=None, table=None)


def refused_late(operation: Operation, refused: StatementRefused) -> Fault:
    """Say what is wrong with a part after which a check fails that the database makes at COMMIT."""
    resource = operation.resource
    refused = _as_of(resource, refused)
    match refused.violation:
        case Violation.UNIQUE:
            return _said(refused, conflict(operation, _named(resource, refused)))
        case Violation.FOREIGN_KEY if operation.verb is Verb.DELETE:
            return _said(refused, _still_referenced(operation, ""))
        case Violation.FOREIGN_KEY:
            return _said(refused, _missing_target(operation, _named(resource, refused)))
        case _:
            return from_driver(Attempt(operation=operation, values=operation.values), refused).fault


def _attributes(verdicts: Iterable[Verdict]) -> list[set[str]]:
    return [set(verdict.fault.attributes) for verdict in verdicts]


def _deferred(resource: Resource) -> set[tuple[str, ...]]:
    return {key.attributes for key in resource.unique_keys if key.deferred}


def diagnose_delete(
    rows: Rows, catalog: Catalog, operation: Operation, row: Row, refused: StatementRefused
) -> list[Verdict]:
    """Find all that still points at a row to be deleted."""
    verdicts = [
        verdict
        for child, key in catalog.referenced_by[operation.resource.name]
        if key.on_delete is None and not key.deferred
        for verdict in still_referenced(rows, operation, row, child, key)
    ]
    if verdicts:
        return verdicts
    if refused.violation is Violation.FOREIGN_KEY:  # by something that is not served, or below what a cascade deletes
        return [Verdict(fault=_said(refused, _still_referenced(operation, "")))]
    refused = _as_of(operation.resource, refused)
    return [from_driver(Attempt(operation=operation, values=row.values, before=row), refused)]


def conflicts(rows: Rows, attempt: Attempt, keys: Iterable[tuple[str, ...]]) -> list[Verdict]:
    """Find the unique keys whose values another row has."""
    resource, values = attempt.operation.resource, attempt.values
    verdicts = []
    for key in keys:
        own = tuple(values.get(name) for name in key)
        if None in own or not attempt.changed & set(key):
            continue
        holders = rows.keys_where(resource, key, own, most=2)
        if any(attempt.before is None or holder != attempt.before.key for holder in holders):
            groups = ((need(resource, key, own, REMOVED),),)
            verdicts.append(Verdict(fault=conflict(attempt.operation, key), groups=groups))
    return verdicts


def missing_targets(rows: Rows, catalog: Catalog, attempt: Attempt, keys: Iterable[ForeignKey]) -> list[Verdict]:
    """Find the foreign keys that point at nothing."""
    verdicts = []
    for key in keys:
        own = tuple(attempt.values.get(name) for name in key.attributes)
        if None in own or not attempt.changed & set(key.attributes) or _is_itself(attempt, key, own):
            continue
        target = catalog.target_of(key)
        if not rows.keys_where(target, key.target_attributes, own, most=1, only=True):
            groups = ((need(target, key.target_attributes, own, MADE),),)
            verdicts.append(Verdict(fault=_missing_target(attempt.operation, key.attributes), groups=groups))
    return verdicts


def _is_itself(attempt: Attempt, key: ForeignKey, values: KeyTuple) -> bool:
    """A row may point at itself before it is there."""
    return key.target == attempt.operation.resource.name and values == tuple(
        attempt.values.get(name) for name in key.target_attributes
    )


def _still_referenced_by_change(rows: Rows, catalog: Catalog, attempt: Attempt) -> list[Verdict]:
    """Find who points at unique values that an update would take away."""
    if attempt.before is None:
        return []
    return [
        verdict
        for child, key in catalog.referenced_by[attempt.operation.resource.name]
        if key.on_update is None and not key.deferred and attempt.changed & set(key.target_attributes)
        for verdict in still_referenced(rows, attempt.operation, attempt.before, child, key)
    ]


def still_referenced(rows: Rows, operation: Operation, row: Row, child: Resource, key: ForeignKey) -> list[Verdict]:
    """Find the children that point at a row; itself does not count."""
    values = row.of(key.target_attributes)
    if None in values:
        return []
    holders = rows.keys_where(child, key.attributes, values, most=_MOST_HOLDERS, only=True)
    holders = [holder for holder in holders if (child.name, holder) != (operation.resource.name, row.key)]
    if not holders:
        return []
    fault = _still_referenced(operation, child.collection, key.target_attributes)
    if not child.key:  # no part can change them
        return [Verdict(fault=fault)]
    group = tuple(need(child, child.key, holder, REMOVED, *key.attributes) for holder in holders)
    return [Verdict(fault=fault, groups=(group,))]


def conflict(operation: Operation, attributes: Sequence[str]) -> Fault:
    """Say that such an item exists already."""
    what = f"with this {_and(attributes)}" if attributes else "with such values"
    return Conflict(
        message=f"Another item of {operation.resource.collection} {what} exists already.",
        pointer=_first_pointer(operation, attributes),
        attributes=tuple(attributes),
    )


def _missing_target(operation: Operation, attributes: Sequence[str]) -> Fault:
    what = f"{_and(attributes)} point{'' if len(attributes) > 1 else 's'}" if attributes else "The item points"
    return MissingTarget(
        message=f"{what} at an item that does not exist.",
        pointer=_first_pointer(operation, attributes),
        attributes=tuple(attributes),
    )


def _still_referenced(operation: Operation, children: str, attributes: Sequence[str] = ()) -> Fault:
    who = f"items of {children} point" if children else "others point"
    if operation.verb is Verb.DELETE:
        return StillReferenced(message=f"It cannot be deleted: {who} at it.", pointer="/path")
    return StillReferenced(
        message=f"{_and(attributes)} cannot change: {who} at it.",
        pointer=_first_pointer(operation, attributes),
        attributes=tuple(attributes),
    )


def from_driver(attempt: Attempt, refused: StatementRefused) -> Verdict:
    """Say what is wrong with a row as far as the database itself has told."""
    operation, resource = attempt.operation, attempt.operation.resource
    attributes = _named(resource, refused)
    pointer = _first_pointer(operation, attributes)
    fault: Fault
    match refused.violation:
        case Violation.NOT_NULL:
            fault = _required(operation, refused, attributes)
        case Violation.CHECK:
            what = f"the value of {_and(attributes)}" if attributes else "the values of this item"
            message = f"A check of the database refuses {what}."
            if _has_no_partition(resource, refused):
                message = f"The database has no partition for this {_and(attributes)}."
            listing = next((each for each in _constraints(resource, refused) if each.choices), None)
            if listing is not None:
                message = f"{_and(listing.attributes)} must be one of {', '.join(listing.choices)}."
            fault = CheckFailed(message=message, pointer=pointer, attributes=attributes)
        case Violation.VALUE:
            attributes = attributes or _only_opaque(operation)
            pointer = _first_pointer(operation, attributes)
            what = _and(attributes) if attributes else "a value of this item"
            fault = InvalidValue(message=f"The database refuses {what}.", pointer=pointer, attributes=attributes)
        case _:
            note(
                "refused_by_database",
                "The database rejected a change.",
                table=resource.table,
                constraint=refused.constraint,
                state=refused.state,
            )
            fault = replace(
                rules.refused_by_database(None), pointer=pointer if attributes else None, attributes=attributes
            )
    fault = _said(refused, fault)
    if attempt.before is None:
        return Verdict(fault=fault)
    # On the values that this part does not give, another part may have a say; of a trigger we know nothing.
    is_told = attributes and (refused.violation is not Violation.OTHER or refused.domain is not None)
    others = set(attributes) - set(operation.values) if is_told else {ANY}
    depends = need(resource, resource.key, attempt.before.key, *others)
    return Verdict(fault=fault, groups=((depends,),) if others else ())


def _required(operation: Operation, refused: StatementRefused, attributes: tuple[str, ...]) -> Fault:
    """Return the fault for a missing value; a column that was added after the start has no attribute, so its name is used."""
    if attributes:
        pointer = operation.pointers.get(attributes[0], f"{operation.payload_pointer}/{attributes[0]}")
        return Required(message=f"{_and(attributes)} is required.", pointer=pointer, attributes=attributes)
    column = next(iter(refused.columns), None)
    if column is None or column in operation.resource.unserved_columns:
        note("unserved_column_required", table=operation.resource.table, column=column)
        message = "The database requires a value for a column that this resource does not serve."
    else:
        message = f'The database requires a value for column "{column}", which was added after the server started.'
    return Required(message=message, pointer=operation.payload_pointer)


def _said(refused: StatementRefused, fault: Fault) -> Fault:
    """Let a fault have the words of the trigger's author, if there are any."""
    return fault if refused.said is None else replace(fault, message=refused.said)


def _only_opaque(operation: Operation) -> tuple[str, ...]:
    """Find the one value given that only the database can read: then that is what it refuses."""
    given = tuple(name for name in operation.values if isinstance(operation.attribute(name).type, Opaque))
    return given if len(given) == 1 else ()


def _named(resource: Resource, refused: StatementRefused) -> tuple[str, ...]:
    """Find the attributes that the database means."""
    by_column = {attribute.column: attribute.name for attribute in resource.attributes.values()}
    by_column |= {name: name for name in resource.attributes if name not in by_column}  # a trigger may say either
    if refused.columns:
        return tuple(by_column[column] for column in refused.columns if column in by_column)
    if refused.domain is not None:
        return tuple(a.name for a in resource.attributes.values() if a.sql_type.strip('"') == refused.domain)
    if _has_no_partition(resource, refused) and refused.table is not None:
        return resource.partitioned_by[refused.table]
    return next((each.attributes for each in _constraints(resource, refused)), ())


def _has_no_partition(resource: Resource, refused: StatementRefused) -> bool:
    """Whether no partition takes the row, or not this one: the only check without a name."""
    return refused.violation is Violation.CHECK and not refused.constraint and refused.table in resource.partitioned_by


def _constraints(resource: Resource, refused: StatementRefused) -> Iterator[Constraint]:
    """Find the constraint that the database names: a partition's copy by the name of what it is a copy of."""
    table, name = refused.table, refused.constraint or ""
    origin = resource.copies.get((table, name)) if table is not None else None
    if origin is not None:
        return (each for each in resource.constraints if each.name == origin and each.table is None)
    wanted = _folded(name)
    named = [each for each in resource.constraints if _folded(each.name) == wanted and each.table in {None, table}]
    return iter(sorted(named, key=lambda each: each.table is None))


def _folded(text: str) -> str:
    """SQLite names a check by its text, with the blanks that its author wrote."""
    return "".join(text.split())


def _first_pointer(operation: Operation, attributes: Iterable[str]) -> str:
    given = [operation.pointers[name] for name in attributes if name in operation.pointers]
    in_payload = (pointer for pointer in given if pointer != "/path")
    return next(in_payload, given[0] if given else operation.payload_pointer)


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "A value"
