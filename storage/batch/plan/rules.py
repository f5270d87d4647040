"""The contract's rules for one item, as pure functions: preconditions, keys, defaults (docs/contract.md, section 2)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from enum import Enum, auto

from storage.batch.plan.operations import ANY_VERSION, TAKE_A_PAYLOAD, Etags, InvalidPart, Operation, Precondition, Verb
from storage.catalog.model import Attribute, Generation, Resource, Values
from storage.catalog.types import Approximate, Integer, Text, Unreadable, Value
from storage.errors import (
    Conflict,
    Fault,
    InvalidPath,
    InvalidPayload,
    InvalidPrecondition,
    InvalidValue,
    OperationNotAllowed,
    PreconditionFailed,
    ReadOnly,
    RefusedByDatabase,
    Required,
)
from storage.rows.locate import ByKey, Location, placed_below
from storage.rows.row import Ambiguous, Row

REFUSED = "The database rejected this change."  # if there is no other message


def takes(resource: Resource, verb: Verb) -> bool:
    """Return True if a resource supports an operation."""
    match verb:
        case Verb.GET:
            return True
        case Verb.CREATE:
            return resource.writable and resource.can_create
        case Verb.UPDATE | Verb.REPLACE:
            return resource.writable and resource.can_update
        case Verb.UPSERT:
            return resource.writable and resource.can_create and resource.can_update
        case Verb.DELETE:
            return resource.writable and resource.can_delete


def is_closed(resource: Resource, attribute: Attribute, verb: Verb) -> bool:
    """Return True if a part may not set an attribute; it may always repeat its own key value.

    It is not known in advance if an UPSERT creates or updates: see `creation_faults` and `update_faults`. If the
    resource does not support the operation, the part is rejected for that alone.
    """
    if verb is not Verb.CREATE and attribute.name in resource.key:
        return False
    match verb:
        case Verb.CREATE:
            closed = not attribute.settable
        case Verb.UPDATE | Verb.REPLACE:
            closed = not attribute.changeable
        case _:
            closed = attribute.read_only
    return closed and takes(resource, verb)


def is_closed_to_paths(attribute: Attribute, key: Collection[str]) -> bool:
    """Return True if the path of a new item may not set an attribute; `key` are the attributes of its own key there.

    A read-only attribute that refers to the parent may be set.
    """
    return not attribute.insertable or (attribute.read_only and attribute.name in key)


def read_only(name: str, pointer: str) -> Fault:
    """Return the fault for an attribute that cannot be written."""
    return ReadOnly(message=f"{name} cannot be written.", pointer=pointer, attributes=(name,))


def precondition(operation: Operation, row: Row | None) -> bool | None:
    """Return True if a part's preconditions hold for its item (RFC 9110, section 13.1); None if it has none."""
    if not operation.has_precondition:
        return None
    if operation.if_match is not None and not matches(operation.if_match, row):
        return False
    return operation.if_none_match is None or not matches(operation.if_none_match, row)


def matches(condition: Precondition, row: Row | None) -> bool:
    """Return True if an item exists and has one of the etags."""
    return row is not None and (condition.any_version or is_met(condition.etags, row.etag))


def is_met(etags: Etags, etag: str) -> bool:
    """Return True if the etag of an existing item is one of those of a precondition."""
    return etags is ANY_VERSION or etag in etags


def failed_precondition(operation: Operation, row: Row | None, *, by_match: bool) -> Fault:
    """Return the fault of the precondition that does not hold, with the reason."""
    if by_match:
        there = "The item has changed since it was loaded (its etag does not match ifMatch)."
        message = "The item does not exist, and ifMatch requires one." if row is None else there
        return PreconditionFailed(message=message, pointer="/ifMatch")
    asks_for_none = operation.if_none_match is not None and operation.if_none_match.any_version
    has_etag = "The item has not changed (its etag matches ifNoneMatch)."
    message = 'The item already exists (ifNoneMatch is "*").' if asks_for_none else has_etag
    return PreconditionFailed(message=message, pointer="/ifNoneMatch")


def as_stored(resource: Resource, row: Row | None, values: Values) -> Values:
    """Return values in which numbers equal to the item's have their stored form: if untyped, 1 equals 1.0."""
    if row is None or not resource.untyped:
        return values
    same = {name: row.values[name] for name in resource.untyped if name in values}
    return {**values, **{name: stored for name, stored in same.items() if _equals(values[name], stored)}}


def _equals(sent: Value, stored: Value) -> bool:
    return sent == stored or (isinstance(sent, Approximate) and isinstance(stored, float) and float(sent) == stored)


def contradictions(operation: Operation, location: Location, given: Values) -> list[Fault]:
    """Return faults for values that contradict the path: the key is immutable, and the path determines the parent."""
    if operation.verb not in TAKE_A_PAYLOAD:
        return []
    resource = operation.resource
    from_parent = placed_below(operation.address, location)
    own = dict(zip(location.key.attributes, location.key.values, strict=True)) if location.key is not None else {}
    faults: list[Fault] = [
        InvalidValue(message=f"The path contains two different values for {name}.", pointer="/path", attributes=(name,))
        for name, value in own.items()
        if name in from_parent and value != from_parent[name]
    ]
    for name, value in given.items():
        if name in from_parent and value != from_parent[name]:
            faults.append(
                InvalidValue(
                    message=f"The path sets {name}. To move the item to another parent, UPDATE it at its own path.",
                    pointer=operation.pointer(name),
                    attributes=(name,),
                )
            )
        elif name in resource.key and location.row is not None and value != location.row.values[name]:
            faults.append(_immutable(operation, name))
        elif location.row is None and name in own and value != own[name]:
            faults.append(_otherwise(operation, name))
    return faults


def key_contradictions(operation: Operation) -> list[Fault]:
    """Return the `contradictions` of the item's own key, if the path contains it, for a part that will not run."""
    resource, selector = operation.resource, operation.address[-1].selector
    if not isinstance(selector, ByKey) or selector.attributes != resource.key:
        return []
    named = dict(zip(selector.attributes, selector.values, strict=True))
    return [
        _immutable(operation, name)
        for name, value in named.items()
        # Only the database may be able to compare texts.
        if not (isinstance(resource.attributes[name].type, Text) and resource.unbatchable_reasons)
        and not _equals(operation.values.get(name, value), value)
    ]


def _immutable(operation: Operation, name: str) -> Fault:
    message = f"{name} is part of the key, which never changes."
    return ReadOnly(message=message, pointer=operation.pointer(name), attributes=(name,))


def _otherwise(operation: Operation, name: str) -> Fault:
    if operation.verb is Verb.UPSERT and name in operation.resource.key:
        return _immutable(operation, name)
    return InvalidValue(
        message=f"The path and the payload have different values for {name}.",
        pointer=operation.pointer(name),
        attributes=(name,),
    )


def may_be_surveyed(part: InvalidPart) -> bool:
    """Return True if a part that fails validation still identifies an item, so that further errors can be found."""
    decisive = InvalidPayload | InvalidPath | InvalidPrecondition
    if part.operation is None or any(isinstance(fault, decisive) for fault in part.faults):
        return False
    operation = part.operation
    if operation.verb is not Verb.UPSERT or operation.address[-1].selector is not None:
        return True
    # With an unknown key value, the item that it addresses is not known.
    return not any(name in key for name in unknown_values(part) for key in operation.resource.keys)


def unknown_values(part: InvalidPart) -> set[str]:
    """Return the attributes with unknown values, because the part's values are invalid or missing."""
    operation = part.operation
    if operation is None:
        return set()
    named = {name for fault in part.faults for name in fault.attributes}
    closed = {name for fault in part.faults if isinstance(fault, ReadOnly) for name in fault.attributes}
    unknown = {*part.named_attributes, *named} - closed - operation.values.keys()
    return {name for name in operation.resource.attributes if name in unknown}


def without_values(operation: Operation, names: Collection[str]) -> Operation:
    """Return a part without the values of attributes: those in its path have the path's value; others are unknown."""
    step = operation.address[-1]
    by_path = {*(step.relation.there if step.relation is not None else ())}
    if step.selector is not None:
        by_path |= {*operation.resource.key, *(step.selector.attributes if isinstance(step.selector, ByKey) else ())}
    kept = {name: value for name, value in operation.values.items() if name not in names}
    unknown = {name: Unreadable(reason="") for name in operation.resource.attributes if name in names}
    return replace(
        operation,
        values={**kept, **{name: value for name, value in unknown.items() if name not in by_path}},
        references=tuple(each for each in operation.references if by_path.isdisjoint({*each.attributes} & {*names})),
    )


class Null(Enum):
    """What null means as the value of an attribute."""

    ABSENT = auto()  # the same as no value: the database generates one
    REFUSED = auto()
    WRITTEN = auto()


def null_means(attribute: Attribute, verb: Verb) -> Null:
    """Return what null means as the value of an attribute."""
    if attribute.generation is Generation.WHEN_ABSENT and verb in {Verb.CREATE, Verb.UPSERT}:
        return Null.ABSENT
    return Null.WRITTEN if attribute.nullable or _may_be_filled(attribute, verb) else Null.REFUSED


def _may_be_filled(attribute: Attribute, verb: Verb) -> bool:
    """Return True if a trigger may replace a null before the database checks it."""
    match verb:
        case Verb.CREATE:
            return attribute.fillable
        case Verb.UPSERT:
            return attribute.fillable or attribute.refillable
        case _:
            return attribute.refillable


def missing(resource: Resource, verb: Verb, given: Collection[str]) -> list[str]:
    """Return the attributes that a part must set, to create or replace an item, and does not set."""
    match verb:
        case Verb.CREATE:
            required: Iterable[str] = resource.required
        case Verb.REPLACE:
            required = (name for name in resource.required_to_replace if name not in resource.key)
        case _:
            return []
    return [name for name in required if name not in given]


def required_faults(names: Iterable[str], pointer: str) -> list[Fault]:
    """Return faults for required attributes without a value."""
    return [Required(message=f"{name} is required.", pointer=f"{pointer}/{name}", attributes=(name,)) for name in names]


def creation_faults(operation: Operation, values: Values) -> list[Fault]:
    """Return the faults that prevent an UPSERT from creating its item; a CREATE was validated before."""
    resource = operation.resource
    faults = required_faults(missing(resource, Verb.CREATE, values), operation.payload_pointer)
    attributes, selector = resource.attributes, operation.address[-1].selector
    of_path = selector.attributes if isinstance(selector, ByKey) else ()
    always_made = [name for name in resource.key if name in values and attributes[name].read_only]
    known = [name for name, value in values.items() if not isinstance(value, Unreadable)]  # others have a fault already
    others = [name for name in known if name not in always_made]
    closed = [name for name in others if is_closed_to_paths(attributes[name], of_path)]
    return [
        *faults,
        *(_made_by_database(operation, name) for name in always_made),
        *(read_only(n, "/path" if n in of_path else operation.pointer(n)) for n in closed),
    ]


def update_faults(operation: Operation, row: Row, values: Values) -> list[Fault]:
    """Return the faults of an UPSERT that updates its item: attributes that the server's role may not update.

    The value that the item already has is accepted, as for its key.
    """
    attributes = operation.resource.attributes
    return [
        read_only(name, operation.pointer(name))
        for name in sorted(operation.given_attributes)
        if not attributes[name].updatable and name not in operation.resource.key
        # An unknown value has a fault already.
        if row.values[name] != values[name] and not isinstance(values[name], Unreadable)
    ]


def _made_by_database(operation: Operation, name: str) -> Fault:
    message = f"{name} is generated by the database, so you cannot choose the key of a new item."
    return ReadOnly(message=message, pointer=operation.pointer(name), attributes=(name,))


def several_items(operation: Operation) -> Fault:
    """Return the fault for an UPSERT whose unique keys identify different items."""
    resource = operation.resource
    names = tuple(dict.fromkeys(name for unique in resource.unique_keys for name in unique.attributes))
    return Conflict(
        message="The unique values in the payload belong to different items.",
        pointer=operation.payload_pointer,
        attributes=names,
    )


def only_readable(operation: Operation) -> Fault:
    """Return the fault for an item that no statement can identify.

    In SQLite, a key can be null, or not match its type.
    """
    message = (
        "This item can be read but not updated or deleted, because the database does not contain a usable key for it."
    )
    return OperationNotAllowed(message=message, pointer="/operation", attributes=operation.resource.key)


def in_words(several: Ambiguous) -> str:
    """Return the message for key values that several items have."""
    names = " and ".join(several.attributes)
    return f"Several items of {several.resource.collection} have this {names}, so it does not identify one of them."


def several_rows(operation: Operation, several: Ambiguous) -> Fault:
    """Return the fault for a path or payload whose key belongs to several items.

    This happens in tables that inherit, or if the key is stored in several spellings.
    """
    is_own = several.resource is operation.resource
    return Conflict(
        message=in_words(several),
        pointer=operation.pointers.get(several.attributes[0], "/path") if is_own else "/path",
        attributes=several.attributes if is_own else (),
    )


def not_sought(operation: Operation) -> Fault:
    """Return the fault for a value that the database cannot search for.

    Its type is one that only the database can read, or it has too many digits.
    """
    keys = {name for step in operation.address if isinstance(step.selector, ByKey) for name in step.selector.attributes}
    in_path = keys.union(operation.query.filters if operation.query else ())
    names = tuple(sorted(in_path or operation.values))
    if not names:
        message = (
            "The item of an earlier part has a value that does not match its column type, "
            "so the database cannot search for it."
        )
        return InvalidValue(message=message, pointer="/references/0" if operation.references else "/path")
    return unread(names, "/path" if in_path else operation.payload_pointer)


def unread(names: Sequence[str], pointer: str) -> Fault:
    """Return the fault for values that the database cannot read, such as text that its encoding does not support."""
    message = f"The database cannot read {' or '.join(names)}."
    return InvalidValue(message=message, pointer=pointer, attributes=tuple(names))


def refused_by_database(said: str | None) -> Fault:
    """Return the fault for a change that the database rejected; `said` is the trigger author's message, if any."""
    return RefusedByDatabase(message=said or REFUSED)


def with_defaults(resource: Resource, values: Values) -> Values:
    """Return the values of a new row with its model's defaults and its first version."""
    made = {
        name: attribute.default()
        for name, attribute in resource.attributes.items()
        if attribute.default is not None and name not in values and attribute.insertable
    }
    if resource.version is not None and resource.next_version is not None:
        made[resource.version] = resource.next_version(None)
    return {**values, **made}


def update_values(operation: Operation, values: Values) -> Values:
    """Return the values that an update writes: those that the part gives and that can be updated, without the key."""
    resource, given = operation.resource, operation.given_attributes
    return {
        name: values[name]
        for name in values
        if name in given and name not in resource.key and resource.attributes[name].updatable
    }


def replace_values(resource: Resource, values: Values) -> tuple[Values, list[str]]:
    """Return what a replacement writes: values, and the attributes that get their database default."""
    replaced = [
        attribute
        for attribute in resource.attributes.values()
        if attribute.name not in resource.key and attribute.changeable
    ]
    written, defaults = {}, []
    for attribute in replaced:
        if attribute.name in values:
            written[attribute.name] = values[attribute.name]
        elif attribute.default is not None:
            written[attribute.name] = attribute.default()
        elif attribute.default_sql is not None:
            defaults.append(attribute.name)
        elif attribute.generation is Generation.NEVER:
            written[attribute.name] = None
    return written, defaults


def with_update_values(resource: Resource, row: Row, changes: Values) -> Values:
    """Return the changes with the values that every update sets: the next version and the model's `onupdate` values."""
    made = {
        name: attribute.on_update()
        for name, attribute in resource.attributes.items()
        if attribute.on_update is not None and name not in changes and attribute.updatable
    }
    if resource.version is not None and resource.next_version is not None:
        last = row.values[resource.version]
        made[resource.version] = resource.next_version(None if isinstance(last, Unreadable) else last)
    return {**changes, **made}


def used_up_version(operation: Operation, changes: Values) -> Fault | None:
    """Return a fault if the next version of an item exceeds the maximum of its version attribute; otherwise None."""
    resource = operation.resource
    if resource.version is None or not resource.counts_versions:
        return None
    type_ = resource.attributes[resource.version].type
    version = changes[resource.version]
    if not isinstance(type_, Integer) or not isinstance(version, int) or version <= type_.largest:
        return None
    message = f"This item can no longer be changed, because {resource.version} has reached its maximum."
    return InvalidValue(message=message, pointer=operation.payload_pointer, attributes=(resource.version,))
