"""Conversion of parts as sent into operations: binds paths to the catalog, and validates and converts payloads.

Every fault that can be detected without the database is reported here, before a connection is acquired.
"""

from collections.abc import Sequence

from resolvers.binding.path_binding import PathNotBound, Place, bind_path
from resolvers.binding.path_grammar import PathError, parse_path
from resolvers.binding.payloads import (
    Payload,
    bind_value,
    check_completeness,
    foreign_key,
    given_by_path,
    listed_values,
    no_reference,
    raw_payload,
)
from resolvers.binding.preconditions import bind_preconditions, check_place
from resolvers.binding.requests import MAX_ID_LENGTH, PartRequest, ReferenceRequest, invalid_length, repeated
from resolvers.documents.limits import MOST_FAULTS, Limits, Scope
from resolvers.documents.variables import show
from storage.batch.plan import rules
from storage.batch.plan.operations import AT_COLLECTIONS, TAKE_A_PAYLOAD, InvalidPart, Operation, Part, Reference, Verb
from storage.catalog.model import Resource
from storage.errors import (
    BadRequest,
    DuplicateId,
    Fault,
    InvalidPayload,
    InvalidReference,
    OperationNotAllowed,
)
from storage.rows.locate import ByPart, Query
from storage.sql import Window, total_order

_MOST_OF_BATCH = 100_000  # faults of all parts; beyond it, each part lists one of those a client can repeat


def bind(requests: Sequence[PartRequest], scope: Scope) -> list[Part]:
    """Bind all parts of a batch. Raises `BadRequest` if the length of an id is invalid."""
    invalid = invalid_length([request.id for request in requests])
    if invalid is not None:
        raise BadRequest(f"The id of part {invalid} must have 1 to {MAX_ID_LENGTH} characters.")
    return bind_some(range(len(requests)), requests, scope)


def bind_some(indexes: Sequence[int], requests: Sequence[PartRequest], scope: Scope) -> list[Part]:
    """Bind some parts of a batch, in order. `indexes` must include the parts that they refer to."""
    binder = _Binder(requests, scope)
    return [binder.bind(index) for index in indexes]


class _Binder:
    """Binder of the parts of one batch, in order, because a reference can only name an earlier part."""

    def __init__(self, requests: Sequence[PartRequest], scope: Scope) -> None:
        self._requests = requests
        self._scope = scope
        ids = [request.id for request in requests]
        self._first = {id_: len(ids) - 1 - place for place, id_ in enumerate(reversed(ids))}
        self._repeated = repeated(ids)
        self._resources: dict[int, Resource | None] = {}  # part -> its item's resource, if it is known
        self._room = _MOST_OF_BATCH

    def bind(self, index: int) -> Part:
        request = self._requests[index]
        faults: list[Fault] = []
        if request.id in self._repeated:
            message = f"{self._repeated[request.id]} parts have the id {request.id!r}."
            faults.append(DuplicateId(message=message, pointer="/id"))
        if_match, if_none_match = bind_preconditions(request, faults)
        place = self._bind_place(index, request, faults)
        self._resources[index] = place.resource if place is not None else None
        if place is None:
            return InvalidPart(index=index, faults=tuple(faults))
        allowed = _check_operation(request, place, faults)
        if allowed:
            check_place(request, place, faults)
        payload = self._bind_payload(index, request, place, check=allowed)
        faults += payload.faults
        operation = Operation(
            index=index,
            verb=request.verb,
            address=place.address,
            values=payload.values,
            pointers={**dict.fromkeys(given_by_path(place), "/path"), **payload.pointers},
            payload_pointer=payload.base,
            references=tuple(payload.references),
            if_match=if_match,
            if_none_match=if_none_match,
            query=_collection_query(request, place, self._scope.limits),
        )
        if faults:
            known = operation if allowed else None
            faults += rules.key_contradictions(operation)
            return InvalidPart(
                index=index,
                faults=tuple(faults),
                operation=known,
                named_attributes=frozenset(payload.named_attributes),
                unlisted=payload.unlisted,
            )
        return operation

    def _bind_place(self, index: int, request: PartRequest, faults: list[Fault]) -> Place | None:
        try:
            return bind_path(
                parse_path(request.path, self._scope.limits),
                self._scope,
                lambda id_, resource: self._find(index, id_, resource, "/path"),
            )
        except (PathError, PathNotBound) as error:
            faults.append(error.fault)
            return None

    def _find(self, index: int, id_: str, resource: Resource, pointer: str) -> ByPart | Fault:
        """Return the earlier part that a reference names, or the fault if it cannot be referenced."""
        first = self._first.get(id_)
        if first is None or first >= index:
            what = (
                "There is no part"
                if first is None
                else "A reference must name an earlier part, but this part is not earlier"
            )
            return InvalidReference(message=f"{what}: {show(id_)}.", pointer=pointer)
        other = self._requests[first]
        known = self._resources[first]
        if known is not None and known.name != resource.name:
            message = (
                f"Part {show(id_)} refers to an item of {known.collection}, "
                f"but an item of {resource.collection} is required."
            )
            return InvalidReference(message=message, pointer=pointer)
        if other.verb is Verb.DELETE or (other.verb is Verb.GET and not self._is_item(other)):
            message = f"Part {show(id_)} cannot be referenced because it deletes its item or reads a collection."
            return InvalidReference(message=message, pointer=pointer)
        return ByPart(part=first)

    def _is_item(self, request: PartRequest) -> bool:
        try:
            return parse_path(request.path, self._scope.limits).segments[-1].key is not None
        except PathError:
            return True

    # --- payload

    def _bind_payload(self, index: int, request: PartRequest, place: Place, *, check: bool) -> Payload:
        payload = Payload(suggest=self._scope.suggest, most=min(MOST_FAULTS, max(self._room, 1)))
        raw = raw_payload(request, place.resource, payload)
        if request.verb not in TAKE_A_PAYLOAD:
            if request.payload is not None or request.item is not None:
                message = f"{request.verb.value} takes no payload."
                payload.faults.append(InvalidPayload(message=message, pointer=payload.base))
            if request.references:
                message = f"{request.verb.value} takes no references."
                payload.faults.append(InvalidPayload(message=message, pointer="/references"))
            return payload
        for name, value in listed_values(raw, place.resource, payload).items():
            bind_value(payload, place.resource, request.verb, name, value)
        for number, reference in enumerate(request.references or ()):
            self._bind_reference(payload, index, place.resource, reference, f"/references/{number}")
        self._room -= len(payload.faults)
        if check:
            check_completeness(payload, request, place)
        return payload

    def _bind_reference(
        self, payload: Payload, index: int, resource: Resource, reference: ReferenceRequest, pointer: str
    ) -> None:
        found = foreign_key(resource, reference.attribute)
        if found is None:
            if payload.is_listed():
                payload.faults.append(no_reference(resource, reference.attribute, pointer, self._scope.suggest))
            return
        attributes, key = found
        target = self._scope.catalog.resources[key.target]
        part = self._find(index, reference.part, target, pointer)
        if isinstance(part, Fault):
            if payload.is_listed():
                payload.faults.append(part)
            payload.named_attributes |= set(attributes)
            return
        verb = self._requests[index].verb
        twice = payload.given() & set(attributes)
        if twice:
            message = f"{min(twice)} is given twice."
            if payload.is_listed():
                payload.faults.append(InvalidReference(message=message, pointer=pointer, attributes=(min(twice),)))
            return
        closed = [name for name in attributes if rules.is_closed(resource, resource.attributes[name], verb)]
        payload.faults += [rules.read_only(name, pointer) for name in closed]
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


def _check_operation(request: PartRequest, place: Place, faults: list[Fault]) -> bool:
    verb, resource = request.verb, place.resource
    if verb is not Verb.GET and not resource.writable:
        message = f"{resource.collection} can only be read."
    elif not rules.takes(resource, verb):
        message = f"{verb.value} is not allowed on {resource.collection}."
    elif not place.is_item and verb not in AT_COLLECTIONS:
        message = f"{verb.value} requires the path of one item, but this is the path of a collection."
    elif place.query is not None and (place.is_item or verb is not Verb.GET):
        message = "Only GET of a collection takes a query."
        faults.append(PathError(message.removesuffix("."), request.path.index("?")).fault)
        return True
    else:
        return True
    faults.append(OperationNotAllowed(message=message, pointer="/operation"))
    return False


def _collection_query(request: PartRequest, place: Place, limits: Limits) -> Query | None:
    if request.verb is not Verb.GET or place.is_item:
        return None
    sorts = total_order((), place.address[-1].resource)
    return place.query or Query(filters={}, window=Window(sorts=sorts, limit=limits.default_page))
