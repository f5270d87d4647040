"""Binds a large batch of plain parts column by column: the same checks as parts.py makes, a thousand values at a time.

It takes a batch only whole, and only where nothing is wrong with any part; whatever it does not take, `parts.bind` binds
part by part, with an error for each fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from resolvers.limits import Scope
from resolvers.parts import MAX_ID_LENGTH
from resolvers.requests import PartRequest, members
from resolvers.values import Misfit, from_text, reader
from storage.batch.blocks import Block
from storage.batch.operations import Verb
from storage.catalog.model import Attribute, Generation, Resource
from storage.catalog.types import Boolean, Integer, Text, Value, ValueType
from storage.rows import KeyTuple

_FEWEST = 2  # parts: one alone needs no columns
_ON_COLLECTION = Verb.CREATE
_TAKEN = frozenset({Verb.CREATE, Verb.UPDATE, Verb.DELETE})
_OUT_OF_ORDINARY = frozenset("%$=,;?#")  # what makes a path segment more than a plain value


class _Otherwise(Exception):  # it directs, and is no error
    """The batch is to be bound part by part."""


@dataclass(slots=True)
class _Alike:
    """Parts of one shape, as they were sent."""

    parts: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    payloads: list[Mapping[str, Any]] = field(default_factory=list)
    if_match: list[Any] = field(default_factory=list)


Shape = tuple[Verb, str, str | None, tuple[str, ...]]
"""The verb, the path (up to the key), the member of `item` (None: no item), and the attributes in the order in which they are sent."""


def bind_blocks(requests: Sequence[PartRequest], scope: Scope) -> list[Block]:
    """Bind a batch as blocks; none where it is to be bound part by part."""
    if len(requests) < _FEWEST:
        return []
    try:
        _check_ids(requests)
        return [_bind(shape, alike, scope) for shape, alike in _alike(requests).items()]
    except (_Otherwise, Misfit):
        return []


def _check_ids(requests: Sequence[PartRequest]) -> None:
    ids = [request.id for request in requests]
    if len(set(ids)) < len(ids) or not 1 <= min(map(len, ids)) <= max(map(len, ids)) <= MAX_ID_LENGTH:
        raise _Otherwise


def _alike(requests: Sequence[PartRequest]) -> dict[Shape, _Alike]:
    found: dict[Shape, _Alike] = {}
    for index, request in enumerate(requests):
        verb, path, payload, member = request.verb, request.path, request.payload, None
        if request.references or request.if_none_match is not UNSET or verb not in _TAKEN:
            raise _Otherwise
        if request.item is not None and payload is None:
            ((member, values),) = members(request.item).items()
            payload = members(values)
        elif request.item is not None:
            raise _Otherwise
        if verb is Verb.DELETE:
            if payload is not None:
                raise _Otherwise
            payload = {}
        elif type(payload) is not dict or not payload:
            raise _Otherwise
        head, _, key = (path, "", "") if verb is _ON_COLLECTION else path.rpartition("/")
        shape = (verb, head, member, tuple(payload))
        alike = found.get(shape)
        if alike is None:
            alike = found[shape] = _Alike()
        alike.parts.append(index)
        alike.keys.append(key)
        alike.payloads.append(payload)
        alike.if_match.append(request.if_match)
    return found


def _bind(shape: Shape, alike: _Alike, scope: Scope) -> Block:
    verb, head, member, names = shape
    resource = scope.catalog.collections.get(head[1:])
    if resource is None or head[:1] != "/" or not resource.writable or len(head) > scope.limits.path:
        raise _Otherwise
    if member is not None and member != resource.field:
        raise _Otherwise
    for name in names:
        _check_writable(resource, name, verb)
    if verb is _ON_COLLECTION and not _is_complete(resource, names):
        raise _Otherwise
    columns = {name: _column(resource.attributes[name], [each[name] for each in alike.payloads]) for name in names}
    return Block(
        verb=verb,
        resource=resource,
        parts=alike.parts,
        columns=columns,
        keys=() if verb is _ON_COLLECTION else _keys(resource, alike.keys, scope.limits.path - len(head)),
        if_match=_if_match(alike.if_match, verb),
    )


def _check_writable(resource: Resource, name: str, verb: Verb) -> None:
    attribute = resource.attributes.get(name)
    repeats_key = verb is not Verb.CREATE and name in resource.key
    if attribute is None or attribute.read_only or repeats_key:
        raise _Otherwise


def _is_complete(resource: Resource, names: Sequence[str]) -> bool:
    return set(resource.required) <= set(names)


def _column(attribute: Attribute, values: list[Any]) -> Sequence[Value]:
    """Check and convert the values of one attribute. Raises `Misfit` or `_Otherwise`."""
    classes = set(map(type, values))
    if type(None) in classes:
        if not attribute.nullable or attribute.generation is not Generation.NEVER:
            raise _Otherwise
        given = iter(_values(attribute.type, [value for value in values if value is not None]))
        return [None if value is None else next(given) for value in values]
    return _values(attribute.type, values, classes)


def _values(type_: ValueType, values: list[Any], classes: set[type] | None = None) -> Sequence[Value]:
    """Do what the type's reader does to each value: of the most frequent types in one go."""
    classes = set(map(type, values)) if classes is None else classes
    match type_:
        case Integer(bits=bits) if classes == {int}:
            limit = 1 << (bits - 1)
            if min(values) < -limit or max(values) >= limit:
                raise _Otherwise
            return values
        case Text(padded=False, max_length=most) if classes == {str}:
            text = "".join(values)
            if not text.isascii() or "\x00" in text or (most is not None and max(map(len, values)) > most):
                return list(map(reader(type_), values))
            return values
        case Boolean() if classes == {bool}:
            return values
        case _:
            return list(map(reader(type_), values))


def _keys(resource: Resource, texts: list[str], longest: int) -> Sequence[KeyTuple]:
    if len(resource.key) != 1 or not all(texts) or max(map(len, texts)) >= longest:
        raise _Otherwise
    type_ = resource.attributes[resource.key[0]].type
    if isinstance(type_, Integer):
        return list(zip(_integers(type_, texts), strict=True))
    if not _OUT_OF_ORDINARY.isdisjoint("".join(texts)) or any("/" in text for text in texts):
        raise _Otherwise
    return [(from_text(type_, text),) for text in texts]


def _integers(type_: Integer, texts: list[str]) -> Sequence[Value]:
    """Read keys in their canonical form, which is Python's own: no sign, no blank, no zero before."""
    try:
        values = [int(text) for text in texts]
    except ValueError:
        raise _Otherwise from None
    if [str(value) for value in values] != texts:
        raise _Otherwise
    return _values(type_, values)


def _if_match(given: list[Any], verb: Verb) -> Sequence[Sequence[str] | None] | None:
    if all(each is UNSET for each in given):
        return None
    if verb is _ON_COLLECTION:
        raise _Otherwise
    return [_etags(each) for each in given]


def _etags(given: Any) -> Sequence[str] | None:
    if given is UNSET:
        return None
    if given is None:
        return ("*",)
    if not given:
        raise _Otherwise
    return given  # type: ignore[no-any-return]  # a list of texts, as GraphQL has coerced it
