"""From a part as it was sent to an operation: binds its path to the catalog, checks and converts its payload.

All faults that can be seen without the database are found here, all of them, before a connection is taken.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import strawberry

from resolvers.paths import PathError, parse_path
from resolvers.places import DEFAULT_LIMIT, Place, Unbound, bind_path, suggestion
from resolvers.values import Misfit, from_json
from schema.resources import PREFIX
from storage.addresses import ByPart, Query
from storage.batch import rules
from storage.batch.operations import Operation, Part, Precondition, Reference, SetAside, Verb
from storage.catalog.model import Attribute, Catalog, ForeignKey, Generation, Resource
from storage.catalog.types import Value
from storage.errors import (
    BadRequest,
    DuplicateId,
    Fault,
    InvalidPayload,
    InvalidPrecondition,
    InvalidReference,
    InvalidValue,
    OperationNotAllowed,
    ReadOnly,
    Required,
    UnknownAttribute,
)
from storage.statements import Page

MAX_ID_LENGTH = 255  # characters

_ON_COLLECTIONS = frozenset({Verb.GET, Verb.CREATE, Verb.UPSERT})
_READING = frozenset({Verb.GET, Verb.DELETE})  # the verbs that take no payload
_ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRequest:
    """A part as it was sent. Absent and null mean the same here but for the preconditions."""

    index: int
    id: str
    path: str
    verb: Verb
    payload: Any
    item: Any
    if_match: Any  # a list of etags, None, or UNSET
    if_none_match: Any
    references: Sequence[Any]


def to_request(index: int, part: Any) -> PartRequest:
    """Read a `PartInput`."""
    item = getattr(part, "item", None)
    return PartRequest(
        index=index,
        id=str(part.id),
        path=str(part.path),
        verb=Verb(part.operation.value),
        payload=None if part.payload is strawberry.UNSET else part.payload,
        item=None if item is strawberry.UNSET else item,
        if_match=part.if_match,
        if_none_match=part.if_none_match,
        references=[] if part.references in (strawberry.UNSET, None) else part.references,
    )


@dataclass(slots=True)
class _Payload:
    """What a part gives of its item, as far as it is right, and where it stands."""

    base: str = "/payload"
    values: dict[str, Value] = field(default_factory=dict)
    pointers: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    references: list[Reference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def given(self) -> set[str]:
        """The attributes that it names, by value or by reference, whether the value is right or not."""
        return {*self.touched, *(name for each in self.references for name in each.attributes)}


def bind(requests: Sequence[PartRequest], catalog: Catalog) -> list[Part]:
    """Bind all parts of a batch. Raises `BadRequest` for an id that none can have."""
    for request in requests:
        if not 1 <= len(request.id) <= MAX_ID_LENGTH:
            raise BadRequest(f"The id of part {request.index} must have 1 to {MAX_ID_LENGTH} characters.")
    return _Binder(requests, catalog).bind()


class _Binder:
    """Binds the parts of one batch in order: a reference may only name an earlier one."""

    def __init__(self, requests: Sequence[PartRequest], catalog: Catalog) -> None:
        self._requests = requests
        self._catalog = catalog
        self._counts = Counter(request.id for request in requests)
        self._first = {request.id: request.index for request in reversed(requests)}
        self._resources: dict[int, Resource | None] = {}  # part -> its item's resource, where that is known

    def bind(self) -> list[Part]:
        return [self._bind_part(request) for request in self._requests]

    def _bind_part(self, request: PartRequest) -> Part:
        faults: list[Fault] = []
        if self._counts[request.id] > 1:
            message = f"{self._counts[request.id]} parts have the id {request.id!r}."
            faults.append(DuplicateId(message=message, pointer="/id"))
        if_match, if_none_match = _preconditions(request, faults)
        place = self._bind_place(request, faults)
        self._resources[request.index] = place.resource if place is not None else None
        if place is None:
            return SetAside(index=request.index, faults=tuple(faults))
        allowed = _check_operation(request, place, faults)
        if allowed:
            _check_place_of_preconditions(request, place, faults)
        payload = self._bind_payload(request, place, check=allowed)
        faults += payload.faults
        operation = Operation(
            index=request.index,
            verb=request.verb,
            address=place.address,
            values=payload.values,
            pointers={**dict.fromkeys(_given_by_path(place), "/path"), **payload.pointers},
            payload_pointer=payload.base,
            references=tuple(payload.references),
            if_match=if_match,
            if_none_match=if_none_match,
            query=_collection_query(request, place),
        )
        if faults:
            known = operation if allowed else None
            return SetAside(
                index=request.index, faults=tuple(faults), operation=known, touched=frozenset(payload.touched)
            )
        return operation

    def _bind_place(self, request: PartRequest, faults: list[Fault]) -> Place | None:
        try:
            return bind_path(
                parse_path(request.path),
                self._catalog,
                lambda id_, resource: self._find(request, id_, resource, "/path"),
            )
        except (PathError, Unbound) as error:
            faults.append(error.fault)
            return None

    def _find(self, request: PartRequest, id_: str, resource: Resource, pointer: str) -> ByPart | Fault:
        """Find the earlier part that a reference names."""
        index = self._first.get(id_)
        if index is None or index >= request.index:
            what = (
                "There is no part"
                if index is None
                else "A reference must name an earlier part, and it is later or the same"
            )
            return InvalidReference(message=f"{what}: {id_!r}.", pointer=pointer)
        other = self._requests[index]
        known = self._resources[index]
        if known is not None and known.name != resource.name:
            message = f"Part {id_!r} has an item of {known.collection}, not of {resource.collection}."
            return InvalidReference(message=message, pointer=pointer)
        if other.verb is Verb.DELETE or (other.verb is Verb.GET and not self._is_item(other)):
            message = f"Part {id_!r} leaves no item to refer to."
            return InvalidReference(message=message, pointer=pointer)
        return ByPart(part=index)

    def _is_item(self, request: PartRequest) -> bool:
        try:
            return parse_path(request.path).segments[-1].key is not None
        except PathError:
            return True

    # --- payload

    def _bind_payload(self, request: PartRequest, place: Place, *, check: bool) -> _Payload:
        payload = _Payload()
        raw = _raw_payload(request, place.resource, payload)
        if request.verb in _READING:
            if request.payload is not None or request.item is not None:
                message = f"{request.verb.value} takes no payload."
                payload.faults.append(InvalidPayload(message=message, pointer=payload.base))
            if request.references:
                message = f"{request.verb.value} takes no references."
                payload.faults.append(InvalidPayload(message=message, pointer="/references"))
            return payload
        for name, value in raw.items():
            _bind_value(payload, place.resource, request.verb, name, value)
        for number, reference in enumerate(request.references):
            self._bind_reference(payload, request, place.resource, reference, f"/references/{number}")
        if check:
            _check_completeness(payload, request, place)
        return payload

    def _bind_reference(
        self, payload: _Payload, request: PartRequest, resource: Resource, reference: Any, pointer: str
    ) -> None:
        found = _foreign_key(resource, reference.attribute)
        if found is None:
            payload.faults.append(_no_reference(resource, reference.attribute, pointer))
            return
        attributes, key = found
        target = self._catalog.resources[key.target]
        part = self._find(request, str(reference.part), target, pointer)
        if isinstance(part, Fault):
            payload.faults.append(part)
            payload.touched |= set(attributes)
            return
        twice = payload.given() & set(attributes)
        if twice:
            message = f"{min(twice)} is given twice."
            payload.faults.append(InvalidReference(message=message, pointer=pointer, attributes=(min(twice),)))
            return
        locked = [name for name in attributes if _is_closed(resource.attributes[name], resource, request.verb)]
        payload.faults += [_read_only(name, pointer) for name in locked]
        there = dict(zip(key.attributes, key.target_attributes, strict=True))
        payload.references.append(
            Reference(
                attributes=attributes,
                target_attributes=tuple(there[name] for name in attributes),
                part=part.part,
                pointer=pointer,
            )
        )
        payload.pointers |= dict.fromkeys(attributes, pointer)


def _preconditions(request: PartRequest, faults: list[Fault]) -> tuple[Precondition | None, Precondition | None]:
    if _is_any(request.if_match) and _is_any(request.if_none_match):
        message = "ifMatch and ifNoneMatch are both null, which nothing can fulfil: does your client send null for absent fields?"
        faults.append(InvalidPrecondition(message=message, pointer="/ifMatch"))
        return None, None
    return (
        _precondition(request.if_match, "/ifMatch", faults),
        _precondition(request.if_none_match, "/ifNoneMatch", faults),
    )


def _is_any(given: Any) -> bool:
    return given is None or (given is not strawberry.UNSET and _ANY in given)


def _precondition(given: Any, pointer: str, faults: list[Fault]) -> Precondition | None:
    if given is strawberry.UNSET:
        return None
    if _is_any(given):
        return Precondition(any_version=True)
    if not given:
        message = f"{pointer[1:]} is an empty list; leave it out for no precondition, or give null for any version."
        faults.append(InvalidPrecondition(message=message, pointer=pointer))
        return None
    return Precondition(etags=tuple(given))


def _check_place_of_preconditions(request: PartRequest, place: Place, faults: list[Fault]) -> None:
    if place.is_item or request.verb is Verb.UPSERT:
        return
    for pointer, given in (("/ifMatch", request.if_match), ("/ifNoneMatch", request.if_none_match)):
        if given is not strawberry.UNSET:
            message = f"{pointer[1:]} is for one item, and the path leads to a collection."
            faults.append(InvalidPrecondition(message=message, pointer=pointer))
            return


def _check_operation(request: PartRequest, place: Place, faults: list[Fault]) -> bool:
    verb, resource = request.verb, place.resource
    if verb is not Verb.GET and not resource.writable:
        message = f"{resource.collection} can only be read."
    elif not place.is_item and verb not in _ON_COLLECTIONS:
        message = f"{verb.value} is for one item, and the path leads to a collection."
    elif place.query is not None and (place.is_item or verb is not Verb.GET):
        message = "Only GET of a collection takes a query."
        faults.append(PathError(message.removesuffix("."), request.path.index("?")).fault)
        return True
    else:
        return True
    faults.append(OperationNotAllowed(message=message, pointer="/operation"))
    return False


def _collection_query(request: PartRequest, place: Place) -> Query | None:
    if request.verb is not Verb.GET or place.is_item:
        return None
    return place.query or Query(filters={}, order=(), page=Page(limit=DEFAULT_LIMIT))


def _raw_payload(request: PartRequest, resource: Resource, payload: _Payload) -> Mapping[str, Any]:
    """Find the attributes that were sent, under `payload` or under `item`."""
    if request.payload is not None and request.item is not None:
        payload.faults.append(InvalidPayload(message="Give payload or item, not both.", pointer="/item"))
        return {}
    if request.item is not None:
        name, given = next((n, v) for n, v in vars(request.item).items() if v is not strawberry.UNSET)
        name = name.removeprefix(PREFIX)
        payload.base = f"/item/{name}"
        if name != resource.field:
            message = f"The item is one of {name}, and the path leads to {resource.collection}."
            payload.faults.append(InvalidPayload(message=message, pointer="/item"))
            return {}
        return {
            attribute.removeprefix(PREFIX): _plain(value)
            for attribute, value in vars(given).items()
            if value is not strawberry.UNSET
        }
    if request.payload is None:
        return {}
    if not isinstance(request.payload, dict):
        message = "The payload must be an object: attribute name and value."
        payload.faults.append(InvalidPayload(message=message, pointer="/payload"))
        return {}
    return request.payload


def _plain(value: Any) -> Any:
    """Take the labels out of the enums that Strawberry has made."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _bind_value(payload: _Payload, resource: Resource, verb: Verb, name: str, raw: Any) -> None:
    pointer = f"{payload.base}/{name.replace('~', '~0').replace('/', '~1')}"
    attribute = resource.attribute(name)
    if attribute is None:
        near = suggestion(name, resource.attributes)
        message = f"{resource.name} has no attribute {name!r}.{near}"
        payload.faults.append(UnknownAttribute(message=message, pointer=pointer, attributes=(name,)))
        return
    own = attribute.name
    if own in payload.touched:
        message = f"{own} is given twice, once by its former name."
        payload.faults.append(InvalidValue(message=message, pointer=pointer, attributes=(own,)))
        return
    if raw is None and attribute.generation is Generation.WHEN_ABSENT and verb in {Verb.CREATE, Verb.UPSERT}:
        return  # the database makes it
    payload.touched.add(own)
    payload.pointers[own] = pointer
    if _is_closed(attribute, resource, verb):
        payload.faults.append(_read_only(own, pointer))
    elif raw is None and not attribute.nullable:
        message = f"{own} must have a value: it cannot be null."
        payload.faults.append(Required(message=message, pointer=pointer, attributes=(own,)))
    elif raw is None:
        payload.values[own] = None
    else:
        try:
            payload.values[own] = from_json(attribute.type, raw)
        except Misfit as misfit:
            payload.faults.append(InvalidValue(message=f"{own} {misfit}.", pointer=pointer, attributes=(own,)))


def _is_closed(attribute: Attribute, resource: Resource, verb: Verb) -> bool:
    """Whether a part may not write an attribute; its own key value it may always repeat."""
    repeats_key = attribute.name in resource.key and verb is not Verb.CREATE
    return attribute.read_only and not repeats_key


def _read_only(name: str, pointer: str) -> Fault:
    return ReadOnly(message=f"{name} cannot be written.", pointer=pointer, attributes=(name,))


def _foreign_key(resource: Resource, name: str) -> tuple[tuple[str, ...], ForeignKey] | None:
    """Find the foreign key that a reference's attribute or relation belongs to, and the attributes that it sets."""
    relation = resource.relations.get(name)
    if relation is not None and not relation.many:
        return relation.foreign_key.attributes, relation.foreign_key
    attribute = resource.attribute(name)
    if attribute is None:
        return None
    keys = (key for key in resource.foreign_keys if attribute.name in key.attributes)
    return next((((attribute.name,), key) for key in keys), None)


def _no_reference(resource: Resource, name: str, pointer: str) -> Fault:
    if resource.attribute(name) is not None:
        message = f"{name} points at no other resource."
        return InvalidReference(message=message, pointer=pointer, attributes=(name,))
    relations = [relation.name for relation in resource.relations.values() if not relation.many]
    near = suggestion(name, [*resource.attributes, *relations])
    message = f"{resource.name} has no attribute {name!r}.{near}"
    return UnknownAttribute(message=message, pointer=pointer, attributes=(name,))


def _check_completeness(payload: _Payload, request: PartRequest, place: Place) -> None:
    """Find what is missing, with what the path gives."""
    if any(isinstance(fault, InvalidPayload) for fault in payload.faults):
        return
    resource = place.resource
    given = payload.given() | set(_given_by_path(place))
    match request.verb:
        case Verb.CREATE:
            by_path = [name for name in _key_of_path(place) if resource.attributes[name].read_only]
            payload.faults += [_read_only(name, "/path") for name in by_path]
            payload.faults += rules.required_faults(resource, given, payload.base)
        case Verb.REPLACE:
            payload.faults += rules.required_faults(resource, {*given, *resource.key}, payload.base)
        case Verb.UPSERT if not place.is_item:
            nulls = {name for name, value in payload.values.items() if value is None}
            if not any(set(key) <= given - nulls for key in resource.keys):
                wanted = " or ".join(", ".join(key) for key in resource.keys)
                message = f"UPSERT needs a complete key in the payload: {wanted}."
                payload.faults.append(Required(message=message, pointer=payload.base, attributes=resource.key))
        case _:
            pass


def _given_by_path(place: Place) -> Iterable[str]:
    """Name the attributes that a path sets: those of the item's key, and those that point at its parent."""
    step = place.address[-1]
    yield from _key_of_path(place)
    if step.relation is not None:
        yield from step.relation.there


def _key_of_path(place: Place) -> tuple[str, ...]:
    match place.address[-1].selector:
        case None:
            return ()
        case ByPart():
            return place.resource.key
        case by_key:
            return by_key.attributes
