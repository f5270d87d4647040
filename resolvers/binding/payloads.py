"""Payloads of parts: validation and conversion of their values, and detection of missing attributes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resolvers.binding.path_binding import Place
from resolvers.binding.requests import PartRequest, members
from resolvers.binding.values import InvalidJsonValue, from_json
from resolvers.documents.limits import MOST_FAULTS
from resolvers.documents.suggestions import Suggestions
from resolvers.documents.variables import show
from storage.batch.plan import rules
from storage.batch.plan.operations import Reference, Verb
from storage.catalog.model import ForeignKey, Resource
from storage.catalog.types import Value
from storage.errors import (
    Fault,
    InvalidPayload,
    InvalidReference,
    InvalidValue,
    Required,
    UnknownAttribute,
)
from storage.rows.locate import ByPart

_MANY = 1_000  # members of a payload
_LONGEST_NAME = 1_000  # characters of an unknown attribute's name; a longer name is not included in the pointer


@dataclass(slots=True)
class Payload:
    """The valid values and references of a part, their JSON pointers, and the faults of the others."""

    base: str = "/payload"
    values: dict[str, Value] = field(default_factory=dict)
    pointers: dict[str, str] = field(default_factory=dict)
    named_attributes: set[str] = field(default_factory=set)
    references: list[Reference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    suggest: Suggestions = field(default_factory=Suggestions)
    most: int = MOST_FAULTS  # beyond it, faults that a client can cause any number of are only counted
    unlisted: int = 0  # faults that are only counted

    def is_listed(self) -> bool:
        """Return True if the next fault of an unlimited kind is listed; otherwise count it and return False."""
        if len(self.faults) < self.most:
            return True
        self.unlisted += 1
        return False

    def given(self) -> set[str]:
        """Return the attributes that the part sets by value or by reference, even if the value is invalid."""
        return {*self.named_attributes, *(name for each in self.references for name in each.attributes)}


def raw_payload(request: PartRequest, resource: Resource, payload: Payload) -> Mapping[str, Any]:
    """Return the attributes sent in `payload` or `item`; add a fault if their form is invalid."""
    if request.payload is not None and request.item is not None:
        payload.faults.append(InvalidPayload(message="Give payload or item, not both.", pointer="/item"))
        return {}
    if request.item is not None:
        ((name, given),) = members(request.item).items()
        payload.base = f"/item/{name}"
        if name != resource.field:
            message = f"The item is one of {name}, and the path leads to {resource.collection}."
            payload.faults.append(InvalidPayload(message=message, pointer="/item"))
            return {}
        return members(given)
    if request.payload is None:
        return {}
    if not isinstance(request.payload, dict):
        message = "The payload must be an object: attribute name and value."
        payload.faults.append(InvalidPayload(message=message, pointer="/payload"))
        return {}
    return request.payload


def listed_values(raw: Mapping[str, Any], resource: Resource, payload: Payload) -> Mapping[str, Any]:
    """Return values without those of unknown attributes that are only counted: there may be hundreds of thousands."""
    if len(raw) <= _MANY:
        return raw
    known = {*resource.attributes, *resource.former_attributes}
    unlisted = [name for name in raw if name not in known][payload.most :]
    payload.unlisted += len(unlisted)
    left_out = set(unlisted)
    return {name: value for name, value in raw.items() if name not in left_out}


def bind_value(payload: Payload, resource: Resource, verb: Verb, name: str, raw: Any) -> None:
    """Validate and convert the value of one attribute; add it, or a fault, to the payload."""
    attribute = resource.attribute(name)
    if attribute is None:
        if payload.is_listed():
            payload.faults.append(_unknown(resource, name, payload.base, payload.suggest))
        return
    pointer = _pointer(payload.base, name)
    own = attribute.name
    if own in payload.named_attributes:
        message = f"{own} is given twice, once by its former name."
        payload.faults.append(InvalidValue(message=message, pointer=pointer, attributes=(own,)))
        return
    null = rules.null_means(attribute, verb) if raw is None else None
    if null is rules.Null.ABSENT:
        return
    payload.named_attributes.add(own)
    payload.pointers[own] = pointer
    if rules.is_closed(resource, attribute, verb):
        payload.faults.append(rules.read_only(own, pointer))
    elif null is rules.Null.REFUSED:
        message = f"{own} is required."
        payload.faults.append(Required(message=message, pointer=pointer, attributes=(own,)))
    elif raw is None:
        payload.values[own] = None
    else:
        try:
            payload.values[own] = from_json(attribute.type, raw)
        except InvalidJsonValue as invalid:
            payload.faults.append(InvalidValue(message=f"{own} {invalid}.", pointer=pointer, attributes=(own,)))


def _pointer(base: str, name: str) -> str:
    return f"{base}/{name.replace('~', '~0').replace('/', '~1')}"


def _unknown(resource: Resource, name: str, base: str, suggest: Suggestions) -> Fault:
    message = _no_attribute(resource, name, resource.attributes, suggest)
    if len(name) > _LONGEST_NAME:
        return UnknownAttribute(message=message, pointer=base)
    return UnknownAttribute(message=message, pointer=_pointer(base, name), attributes=(name,))


def _no_attribute(resource: Resource, name: str, known: Iterable[str], suggest: Suggestions) -> str:
    """Return the message for an unknown attribute; if it is a relation, the message states the alternative."""
    relation = resource.relation(name)
    if relation is None:
        return f"{resource.name} has no attribute {show(name)}.{suggest(name, known)}"
    if not relation.many:
        given = " and ".join(relation.foreign_key.attributes)
        instead = f"Set {given}, or use references to name the part that creates the item"
    elif resource.key:
        key = ",".join(f"{{{each}}}" for each in resource.key)
        instead = f"Send its items as separate parts, at /{resource.collection}/{key}/{relation.name}"
    else:
        instead = "Send its items as separate parts"
    return f"{name} is a relation of {resource.name}, not an attribute. {instead}."


def foreign_key(resource: Resource, name: str) -> tuple[tuple[str, ...], ForeignKey] | None:
    """Return the attributes that a reference sets, and their foreign key, given an attribute or a relation.

    Return None if there is no such foreign key.
    """
    relation = resource.relations.get(name)
    if relation is not None and not relation.many:
        return relation.foreign_key.attributes, relation.foreign_key
    attribute = resource.attribute(name)
    if attribute is None:
        return None
    keys = (key for key in resource.foreign_keys if attribute.name in key.attributes)
    return next((((attribute.name,), key) for key in keys), None)


def no_reference(resource: Resource, name: str, pointer: str, suggest: Suggestions) -> Fault:
    """Return the fault for an attribute that does not accept a reference."""
    if resource.attribute(name) is not None:
        message = f"{name} does not refer to another resource."
        return InvalidReference(message=message, pointer=pointer, attributes=(name,))
    relations = [relation.name for relation in resource.relations.values() if not relation.many]
    message = _no_attribute(resource, name, [*resource.attributes, *relations], suggest)
    attributes = (name,) if len(name) <= _LONGEST_NAME else ()
    return UnknownAttribute(message=message, pointer=pointer, attributes=attributes)


def check_completeness(payload: Payload, request: PartRequest, place: Place) -> None:
    """Add a fault for each required attribute that neither the payload nor the path sets.

    On CREATE, also add a fault for each attribute that the path sets but must not set.
    """
    if any(isinstance(fault, InvalidPayload) for fault in payload.faults):
        return
    resource = place.resource
    given = payload.given() | set(given_by_path(place))
    match request.verb:
        case Verb.CREATE:
            key = _key_of_path(place)
            by_path = [n for n in given_by_path(place) if rules.is_closed_to_paths(resource.attributes[n], key)]
            payload.faults += [rules.read_only(name, "/path") for name in by_path]
            payload.faults += rules.required_faults(rules.missing(resource, request.verb, given), payload.base)
        case Verb.REPLACE:
            payload.faults += rules.required_faults(rules.missing(resource, request.verb, given), payload.base)
        case Verb.UPSERT if not place.is_item:
            nulls = {name for name, value in payload.values.items() if value is None}
            if not any(set(key) <= given - nulls for key in resource.keys):
                wanted = " or ".join(", ".join(key) for key in resource.keys)
                message = f"UPSERT needs a complete key in the payload: {wanted}."
                payload.faults.append(Required(message=message, pointer=payload.base, attributes=resource.key))
        case _:
            pass


def given_by_path(place: Place) -> Iterable[str]:
    """Yield the attributes that a path sets: those of the item's key, and those that refer to its parent."""
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
