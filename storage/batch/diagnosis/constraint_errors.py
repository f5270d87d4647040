"""Diagnosis of a refused row: every violated rule, each with its attributes, from the catalog's own definitions.

A driver names one violated constraint, and SQLite hardly that. So unique keys, foreign keys and checks are all queried.
The rest (not null, triggers) is taken from the driver's error. A row with unknown values, because its part gives
invalid ones, is diagnosed in the same way, but rules that need those values are not checked.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from storage.batch.plan import rules
from storage.batch.plan.cascading_errors import ANY, MADE, REMOVED, ConditionalError, Effect, effect, freed
from storage.batch.plan.faults import conflict, first_pointer, join_names
from storage.batch.plan.operations import Operation, Verb
from storage.catalog.bounds import Bounds
from storage.catalog.model import Catalog, Check, Constraint, ForeignKey, Resource, UniqueIndex, Values
from storage.catalog.reflected import TableName
from storage.catalog.types import Opaque, Unreadable
from storage.connections.driver_errors import StatementRefused, Violation
from storage.errors import (
    CheckFailed,
    Fault,
    InvalidValue,
    MissingTarget,
    Required,
    StillReferenced,
)
from storage.log import note
from storage.rows.row import KeyTuple, Row
from storage.rows.writer import Rows
from storage.sql import AllRows, Purpose, RowToBe

_MOST_HOLDERS = 1_000  # rows that refer to one: beyond that, some of them certainly stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A refused write: the row as it would be, and as it was. An unknown value is `Unreadable`."""

    operation: Operation
    values: Values
    before: Row | None = None
    all_changed: bool = False  # check all attributes, as for a new row
    written: Values = field(default_factory=dict)  # of `values`, those that the write sets
    defaults: tuple[str, ...] = ()  # attributes that it sets to their database default

    @property
    def changed(self) -> frozenset[str]:
        """The attributes that the write changes: all attributes of a new row."""
        if self.before is None or self.all_changed:
            return frozenset(self.operation.resource.attributes)
        before = self.before.values
        changed = (
            name
            for name, value in self.values.items()
            if before[name] != value and not isinstance(value, Unreadable)  # not known
        )
        return frozenset(changed).union(self.defaults)

    def to_be(self, rows: Rows) -> RowToBe:
        """Describe the row as the write would leave it."""
        return rows.to_be(self.operation.resource, self.written, self.before, self.defaults)


def diagnose_write(
    rows: Rows, catalog: Catalog, attempt: Attempt, refused: StatementRefused | None = None
) -> list[ConditionalError]:
    """Return all errors of a row to insert or update, ordered by kind; `refused` is the database's error."""
    resource = attempt.operation.resource
    if refused is not None:
        refused = _as_of(resource, refused)
        unread = _unread(rows, attempt, refused)
        if unread:
            return [*unread, *_beside(rows, catalog, attempt, {error.fault.attributes[0] for error in unread})]
    taken = [
        *conflicts(rows, attempt, [key for key in resource.keys if key not in _deferred(resource)]),
        *index_conflicts(rows, attempt, [index for index in resource.indexes if not index.deferred]),
    ]
    pointing = [
        *missing_targets(rows, catalog, attempt, [key for key in resource.foreign_keys if not key.deferred]),
        *_still_referenced_by_change(rows, catalog, attempt),
    ]
    if refused is None:
        return [*taken, *pointing, *violated_checks(rows, attempt)]
    named = _named(resource, refused)
    match refused.violation:
        case Violation.UNIQUE:  # the database evaluates checks before it
            if not _is_told(
                refused, named, taken
            ):  # only the database could compare, for example by a volatile function
                fault = conflict(attempt.operation, named, _name_of(resource, refused))
                taken.append(ConditionalError(fault=_said(refused, fault)))
            return [*taken, *pointing]
        case Violation.FOREIGN_KEY:
            if not pointing:
                fault = _missing_target(attempt.operation, named, _name_of(resource, refused))
                pointing.append(ConditionalError(fault=_said(refused, fault)))
            return [*taken, *pointing]
        case Violation.CHECK:
            return [
                *taken,
                *pointing,
                *_with_named_check(attempt, refused, violated_checks(rows, attempt, refused.table)),
            ]
        case Violation.NOT_NULL | Violation.VALUE:
            return [*taken, *pointing, from_driver(attempt, refused), *violated_checks(rows, attempt, refused.table)]
        case _:
            return [*taken, *pointing, *violated_checks(rows, attempt, refused.table), from_driver(attempt, refused)]


def _unread(rows: Rows, attempt: Attempt, refused: StatementRefused) -> list[ConditionalError]:
    """Return errors for the values that the database cannot read, if its own error does not name them."""
    operation = attempt.operation
    if refused.violation is not Violation.VALUE or _named(operation.resource, refused):
        return []
    found = rows.refused_values(operation.resource, operation.values)
    return [ConditionalError(fault=_refused_value(operation, (name,))) for name in found]


def _beside(rows: Rows, catalog: Catalog, attempt: Attempt, names: Collection[str]) -> list[ConditionalError]:
    """Return the other errors of a row if the database cannot read some of its values."""
    if attempt.operation.resource.has_before_triggers:
        return []
    unknown = dict.fromkeys(names, Unreadable(reason=""))
    rest = replace(attempt, values={**attempt.values, **unknown}, written={**attempt.written, **unknown})
    return diagnose_write(rows, catalog, rest)


def _is_told(refused: StatementRefused, named: Sequence[str], errors: Sequence[ConditionalError]) -> bool:
    """Return True if the unique key that the database names is among the conflicts."""
    if refused.constraint is not None and any(refused.constraint == each.fault.constraint for each in errors):
        return True
    return any(not named or set(named) == set(error.fault.attributes) for error in errors)


def _as_of(resource: Resource, refused: StatementRefused) -> StatementRefused:
    """Return the refusal without its details if a trigger has violated a rule (not a foreign key) of another table."""
    is_own = refused.rule_of is None or refused.rule_of.lower() == resource.table.lower()
    if is_own or refused.violation is Violation.FOREIGN_KEY:
        return refused
    return replace(refused, violation=Violation.OTHER, columns=(), constraint=None, table=None)


def refused_late(operation: Operation, refused: StatementRefused) -> Fault:
    """Return the fault of a part after which a deferred check fails."""
    resource = operation.resource
    refused = _as_of(resource, refused)
    match refused.violation:
        case Violation.UNIQUE:
            return _said(refused, conflict(operation, _named(resource, refused), _name_of(resource, refused)))
        case Violation.FOREIGN_KEY if operation.verb is Verb.DELETE:
            return _said(refused, _still_referenced(operation, "", constraint=_name_of(resource, refused)))
        case Violation.FOREIGN_KEY:
            return _said(refused, _missing_target(operation, _named(resource, refused), _name_of(resource, refused)))
        case _:
            return from_driver(Attempt(operation=operation, values=operation.values), refused).fault


def _deferred(resource: Resource) -> set[tuple[str, ...]]:
    return {key.attributes for key in resource.unique_keys if key.deferred}


# --- checks


def violated_checks(rows: Rows, attempt: Attempt, table: TableName | None = None) -> list[ConditionalError]:
    """Return errors for the checks that a row violates as it would be stored; none if triggers may change it first.

    `table` is the table that has refused the row, such as a partition: some checks apply to its rows only.
    """
    resource = attempt.operation.resource
    if resource.has_before_triggers or not resource.checks:
        return []
    row = attempt.to_be(rows)
    asked = tuple(check for check in resource.checks if check.is_for(table))
    if rows.checks_what_changes:
        changed = row.changed()
        asked = tuple(check for check in asked if not changed.isdisjoint(check.columns))
    found = {id(check) for check in rows.violated(row, asked)}
    found |= {id(check) for check in asked if _broken_bounds(attempt, check)}
    return [_check_error(attempt, check) for check in asked if id(check) in found]


def _broken_bounds(attempt: Attempt, check: Check) -> list[Bounds]:
    """Return the known limits of a check that the written values violate."""
    return [
        bounds
        for bounds in check.bounds
        if bounds.attribute in attempt.written and not bounds.takes(attempt.written[bounds.attribute])
    ]


def _check_error(attempt: Attempt, check: Check) -> ConditionalError:
    fault = _check_fault(attempt, check)
    decisive = fault.attributes if fault.attributes != check.attributes else check.decided_by
    return ConditionalError(fault=fault, unless_any_of=_of_others(attempt, decisive))


def _check_fault(attempt: Attempt, check: Check) -> Fault:
    """Return the fault of a violated check, with its author's message or one from its known limits."""
    known = _broken_bounds(attempt, check)
    if not known and check.complete and len(check.attributes) == 1:
        known = list(check.bounds)
    attributes = tuple(bounds.attribute for bounds in known) or check.attributes
    message = check.message or " ".join(bounds.sentence() for bounds in known) or _not_allowed(attributes)
    return CheckFailed(
        message=message,
        pointer=first_pointer(attempt.operation, (*attributes, *check.decided_by)),
        attributes=attributes,
        constraint=check.name,
        params=known[0].params() if len(known) == 1 else None,
    )


def _not_allowed(attributes: Sequence[str]) -> str:
    if len(attributes) == 1:
        return f"{attributes[0]} is not allowed."
    return (
        f"This combination of {join_names(attributes)} is not allowed."
        if attributes
        else "These values are not allowed."
    )


def _with_named_check(
    attempt: Attempt, refused: StatementRefused, found: list[ConditionalError]
) -> list[ConditionalError]:
    """Add the check that the database names, if it is not among those found."""
    named = _checks_of(attempt.operation.resource, refused)
    faults = [_check_fault(attempt, check) for check in named]
    # SQLite may name a check by a text that we do not know. An unknown check of PostgreSQL is an additional error, and
    # so is a missing partition.
    is_told = any(error.fault in faults for error in found) if named else bool(found) and refused.table is None
    return found if is_told else [*found, from_driver(attempt, refused)]


def _checks_of(resource: Resource, refused: StatementRefused) -> list[Check]:
    """Return the checks that the database names; the check of a domain applies to each column of that domain."""
    wanted = _folded(_name_of(resource, refused) or "")
    return [check for check in resource.checks if _folded(check.label) == wanted and check.is_for(refused.table)]


def _name_of(resource: Resource, refused: StatementRefused) -> str | None:
    """Return the name of the constraint that the database names; for a partition's copy, that of the original."""
    if refused.table is None or refused.constraint is None:
        return refused.constraint
    return resource.copies.get((refused.table, refused.constraint), refused.constraint)


def _of_others(attempt: Attempt, attributes: Sequence[str]) -> tuple[tuple[Effect, ...], ...]:
    """Return the effects that explain an error: other parts may write the attributes that this part does not write."""
    if attempt.before is None:
        return ()
    others = set(attributes) - set(attempt.written) - set(attempt.defaults) if attributes else {ANY}
    resource = attempt.operation.resource
    return ((effect(resource, resource.key, attempt.before.key, *others),),) if others else ()


# --- keys


def diagnose_delete(
    rows: Rows, catalog: Catalog, operation: Operation, row: Row, refused: StatementRefused
) -> list[ConditionalError]:
    """Return errors for all references to a row to be deleted."""
    errors = [
        error
        for child, key in catalog.referenced_by[operation.resource.name]
        if key.on_delete is None and not key.deferred
        for error in still_referenced(rows, operation, row, child, key)
    ]
    if errors:
        return errors
    if refused.violation is Violation.FOREIGN_KEY:  # by a table that is not served, or to a row that a cascade deletes
        return [ConditionalError(fault=_said(refused, _still_referenced(operation, "")))]
    refused = _as_of(operation.resource, refused)
    return [from_driver(Attempt(operation=operation, values=row.values, before=row), refused)]


def conflicts(rows: Rows, attempt: Attempt, keys: Iterable[tuple[str, ...]]) -> list[ConditionalError]:
    """Return errors for the unique keys whose values another row has."""
    resource, values = attempt.operation.resource, attempt.values
    compared_elsewhere = {index.key for index in resource.indexes}
    errors = []
    for key in keys:
        own = tuple(values.get(name) for name in key)
        if key in compared_elsewhere or not _is_known(own) or not attempt.changed & set(key):
            continue
        anew = _is_new(attempt, key)
        holders = rows.keys_where(resource, key, own, most=2, sees=AllRows.CONFLICT_HOLDER, as_written=anew)
        if any(attempt.before is None or holder != attempt.before.key for holder in holders):
            unless_any_of = ((effect(resource, key, own, REMOVED),),)
            fault = conflict(attempt.operation, key, resource.constraint_of(key))
            errors.append(ConditionalError(fault=fault, unless_any_of=unless_any_of))
    return errors


def index_conflicts(rows: Rows, attempt: Attempt, indexes: Iterable[UniqueIndex]) -> list[ConditionalError]:
    """Return errors for the violated unique indexes and exclusions that only the database can evaluate."""
    found = ((index, index_holders(rows, attempt, index)) for index in indexes)
    return [index_conflict(attempt, index, holders) for index, holders in found if holders]


def index_holders(rows: Rows, attempt: Attempt, index: UniqueIndex) -> list[KeyTuple]:
    """Return the keys of the rows that conflict with a row in a unique index."""
    row = attempt.to_be(rows)
    if not attempt.all_changed and row.changed().isdisjoint(index.columns):
        return []
    found = rows.holders(row, index, _MOST_HOLDERS) or ()
    return [holder for holder in found if attempt.before is None or holder != attempt.before.key]


def index_conflict(attempt: Attempt, index: UniqueIndex, holders: Iterable[KeyTuple]) -> ConditionalError:
    """Return a conflict with rows, which is not reported if failed parts would have deleted all of them."""
    operation, resource = attempt.operation, attempt.operation.resource
    group = tuple(effect(resource, resource.key, holder, REMOVED, freed(index)) for holder in holders)
    fault = conflict(operation, index.attributes, index.name).at(first_pointer(operation, index.decided_by))
    return ConditionalError(fault=fault, unless_any_of=(group,))


def _is_new(attempt: Attempt, key: Iterable[str]) -> bool:
    """Return True if a write stores new values, instead of leaving the values in their stored form."""
    return attempt.before is None or any(attempt.before.values[name] != attempt.values[name] for name in key)


def _is_known(values: Iterable[object]) -> bool:
    return not any(value is None or isinstance(value, Unreadable) for value in values)


def missing_targets(
    rows: Rows, catalog: Catalog, attempt: Attempt, keys: Iterable[ForeignKey]
) -> list[ConditionalError]:
    """Return errors for the foreign keys that refer to a row that does not exist."""
    errors = []
    for key in keys:
        own = tuple(attempt.values.get(name) for name in key.attributes)
        if not _is_known(own) or not attempt.changed & set(key.attributes) or _is_itself(attempt, key, own):
            continue
        target = catalog.target_of(key)
        anew = _is_new(attempt, key.attributes)
        if not rows.keys_where(target, key.target_attributes, own, 1, sees=Purpose.READ, only=True, as_written=anew):
            unless_any_of = ((effect(target, key.target_attributes, own, MADE),),)
            fault = _missing_target(attempt.operation, key.attributes, key.name)
            errors.append(ConditionalError(fault=fault, unless_any_of=unless_any_of))
    return errors


def _is_itself(attempt: Attempt, key: ForeignKey, values: KeyTuple) -> bool:
    """Return True if the row refers to itself, which is allowed before it exists."""
    return key.target == attempt.operation.resource.name and values == tuple(
        attempt.values.get(name) for name in key.target_attributes
    )


def _still_referenced_by_change(rows: Rows, catalog: Catalog, attempt: Attempt) -> list[ConditionalError]:
    """Return errors for references to unique values that an update would remove."""
    if attempt.before is None:
        return []
    return [
        error
        for child, key in catalog.referenced_by[attempt.operation.resource.name]
        if key.on_update is None and not key.deferred and attempt.changed & set(key.target_attributes)
        for error in still_referenced(rows, attempt.operation, attempt.before, child, key)
    ]


def still_referenced(
    rows: Rows, operation: Operation, row: Row, child: Resource, key: ForeignKey
) -> list[ConditionalError]:
    """Return an error if children refer to a row; a reference from the row to itself does not count."""
    values = row.of(key.target_attributes)
    if None in values:
        return []
    sees = AllRows.STILL_REFERENCED
    holders = rows.keys_where(child, key.attributes, values, most=_MOST_HOLDERS, sees=sees, only=True)
    holders = [holder for holder in holders if (child.name, holder) != (operation.resource.name, row.key)]
    if not holders:
        return []
    fault = _still_referenced(operation, child.collection, key.target_attributes, key.name)
    if not child.key:  # no part can change them
        return [ConditionalError(fault=fault)]
    group = tuple(effect(child, child.key, holder, REMOVED, *key.attributes) for holder in holders)
    return [ConditionalError(fault=fault, unless_any_of=(group,))]


def _missing_target(operation: Operation, attributes: Sequence[str], constraint: str | None) -> Fault:
    what = f"{join_names(attributes)} refer{'' if len(attributes) > 1 else 's'}" if attributes else "The item refers"
    return MissingTarget(
        message=f"{what} to an item that does not exist.",
        pointer=first_pointer(operation, attributes),
        attributes=tuple(attributes),
        constraint=constraint,
    )


def _still_referenced(
    operation: Operation, children: str, attributes: Sequence[str] = (), constraint: str | None = None
) -> Fault:
    who = f"items of {children} refer" if children else "other items refer"
    if operation.verb is Verb.DELETE:
        message = f"The item cannot be deleted because {who} to it."
        return StillReferenced(message=message, pointer="/path", constraint=constraint)
    them = "them" if len(attributes) > 1 else "it"
    return StillReferenced(
        message=f"{join_names(attributes)} cannot be changed because {who} to {them}.",
        pointer=first_pointer(operation, attributes),
        attributes=tuple(attributes),
        constraint=constraint,
    )


def from_driver(attempt: Attempt, refused: StatementRefused) -> ConditionalError:
    """Return the error of a row according to the database's own error."""
    operation, resource = attempt.operation, attempt.operation.resource
    attributes = _named(resource, refused)
    pointer = first_pointer(operation, attributes)
    fault: Fault
    match refused.violation:
        case Violation.NOT_NULL:
            fault = _required(operation, refused, attributes)
        case Violation.CHECK:
            checks = _checks_of(resource, refused)
            broken = [check for check in checks if _broken_bounds(attempt, check)] or checks
            if len(broken) == 1 and refused.said is None:
                return _check_error(attempt, broken[0])
            # A check of a partition, or one added since the start. SQLite may name a check by its text, which is SQL.
            message = _not_allowed(attributes)
            if _has_no_partition(resource, refused):
                message = f"The database has no partition for this {join_names(attributes)}."
            name = None if refused.table is None else refused.constraint
            fault = CheckFailed(message=message, pointer=pointer, attributes=attributes, constraint=name)
        case Violation.VALUE:
            fault = _refused_value(operation, attributes or _only_opaque(operation))
        case _:
            note(
                "refused_by_database",
                "The database rejected a change.",
                table=resource.table,
                constraint=refused.constraint,
                state=refused.state,
            )
            fault = replace(
                rules.refused_by_database(None),
                pointer=pointer if attributes else None,
                attributes=attributes,
                constraint=_name_of(resource, refused),
            )
    # The attributes that a trigger reads are not known, even if its error names some.
    is_told = refused.violation is not Violation.OTHER or refused.domain is not None
    return ConditionalError(
        fault=_said(refused, fault), unless_any_of=_of_others(attempt, attributes if is_told else ())
    )


def _required(operation: Operation, refused: StatementRefused, attributes: tuple[str, ...]) -> Fault:
    """Return the fault for a missing value.

    A column that was added after the start has no attribute, so its column name is used.
    """
    if attributes:
        pointer = operation.pointers.get(attributes[0], f"{operation.payload_pointer}/{attributes[0]}")
        return Required(message=f"{join_names(attributes)} is required.", pointer=pointer, attributes=attributes)
    column = next(iter(refused.columns), None)
    if column is None or column in operation.resource.unserved_columns:
        note("unserved_column_required", table=operation.resource.table, column=column)
        message = "The database requires a value for a column that this resource does not serve."
    else:
        message = f'The database requires a value for column "{column}", which was added after the server started.'
    return Required(message=message, pointer=operation.payload_pointer)


def _refused_value(operation: Operation, attributes: tuple[str, ...]) -> Fault:
    what = join_names(attributes) if attributes else "a value of this item"
    pointer = first_pointer(operation, attributes)
    return InvalidValue(message=f"The database rejected {what}.", pointer=pointer, attributes=attributes)


def _said(refused: StatementRefused, fault: Fault) -> Fault:
    """Return the fault with the message of the trigger's author, if there is one."""
    return fault if refused.said is None else replace(fault, message=refused.said)


def _only_opaque(operation: Operation) -> tuple[str, ...]:
    """Return the only given attribute whose value only the database can read, because that is the refused value.

    Return an empty tuple if there is not exactly one.
    """
    given = tuple(name for name in operation.values if isinstance(operation.attribute(name).type, Opaque))
    return given if len(given) == 1 else ()


def _named(resource: Resource, refused: StatementRefused) -> tuple[str, ...]:
    """Return the attributes that the database's error refers to."""
    by_column = {attribute.column: attribute.name for attribute in resource.attributes.values()}
    by_column |= {name: name for name in resource.attributes if name not in by_column}  # a trigger may use either name
    if refused.columns:
        return tuple(by_column[column] for column in refused.columns if column in by_column)
    if refused.domain is not None:
        return tuple(a.name for a in resource.attributes.values() if a.sql_type.strip('"') == refused.domain)
    if _has_no_partition(resource, refused) and refused.table is not None:
        return resource.partitioned_by[refused.table]
    return next((each.attributes for each in _constraints(resource, refused)), ())


def _has_no_partition(resource: Resource, refused: StatementRefused) -> bool:
    """Return True if the row violates a partition's bounds or fits no partition: the only check without a name."""
    return refused.violation is Violation.CHECK and not refused.constraint and refused.table in resource.partitioned_by


def _constraints(resource: Resource, refused: StatementRefused) -> Iterator[Constraint]:
    """Return the constraints with the name in the database's error; for a partition's copy, the original."""
    table, name = refused.table, refused.constraint or ""
    origin = resource.copies.get((table, name)) if table is not None else None
    if origin is not None:
        return (each for each in resource.constraints if each.name == origin and each.table is None)
    wanted = _folded(name)
    named = [each for each in resource.constraints if _folded(each.name) == wanted and each.table in {None, table}]
    return iter(sorted(named, key=lambda each: each.table is None))


def _folded(text: str) -> str:
    """Return a text without blanks, because SQLite names a check by its text as its author wrote it."""
    return "".join(text.split())
