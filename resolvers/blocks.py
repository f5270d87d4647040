"""Binds a large batch of plain parts column by column: the same checks as parts.py makes, a thousand values at a time.

It takes a batch only whole, and only where nothing is wrong with any part; whatever it does not take, `parts.bind` binds
part by part, with an error for each fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
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
from storage.row import KeyTuple

_FEWEST = 2  # parts: one alone needs no columns
_TAKEN = frozenset({Verb.CREATE, Verb.UPDATE, Verb.DELETE})
_OUT_OF_ORDINARY = frozenset("%$=,;?#")  # what makes a path segment more than a plain value


class _Otherwise(Exception):  # it directs, and is no error
    """The batch is to be bound part by part."""


@dataclass(frozen=True, slots=True)
class _Alike:
    """Parts of one verb on one collection, as they were sent: columns."""

    verb: Verb
    collection: str  # its path
    parts: Sequence[int]
    keys: Sequence[str]  # as they stand in paths; empty texts of a CREATE
    given: Sequence[Mapping[str, Any]]
    if_match: Sequence[Any]

    def pick(self, places: Sequence[int]) -> "_Alike":
        """Take some of the parts."""
        return _Alike(
            verb=self.verb,
            collection=self.collection,
            parts=[self.parts[place] for place in places],
            keys=[self.keys[place] for place in places],
            given=[self.given[place] for place in places],
            if_match=[self.if_match[place] for place in places],
        )


def bind_blocks(requests: Sequence[PartRequest], scope: Scope) -> list[Block]:
    """Bind a batch as blocks; none where it is to be bound part by part."""
    if len(requests) < _FEWEST:
        return []
    try:
        _check_ids(requests)
        return [block for alike in _by_place(requests) for block in _bind_alike(alike, scope)]
    except (_Otherwise, Misfit):
        return []


def _check_ids(requests: Sequence[PartRequest]) -> None:
    ids = list(map(attrgetter("id"), requests))
    if len(set(ids)) < len(ids) or not 1 <= min(map(len, ids)) <= max(map(len, ids)) <= MAX_ID_LENGTH:
        raise _Otherwise


_FIELDS = attrgetter("verb", "path", "payload", "item", "if_match", "if_none_match", "references")


def _by_place(requests: Sequence[PartRequest]) -> Sequence[_Alike]:
    """Sort parts by verb and collection."""
    verbs, paths, payloads, items, if_match, if_none_match, references = zip(*map(_FIELDS, requests), strict=True)
    count = len(requests)
    if any(references) or if_none_match.count(UNSET) < count or not _TAKEN.issuperset(verbs):
        raise _Otherwise
    given = payloads if items.count(None) == count else [_given(*both) for both in zip(payloads, items, strict=True)]
    if verbs.count(verbs[0]) == count:
        collection, keys = _one_collection(verbs[0], paths)
        if collection is not None:
            return [_Alike(verbs[0], collection, range(count), keys, given, if_match)]
    places: dict[tuple[Verb, str], list[tuple[Any, ...]]] = {}
    for index, (verb, path, each, match) in enumerate(zip(verbs, paths, given, if_match, strict=True)):
        head, _, key = (path, "", "") if verb is Verb.CREATE else path.rpartition("/")
        rows = places.get((verb, head))
        if rows is None:
            rows = places[verb, head] = []
        rows.append((index, key, each, match))
    return [_Alike(verb, head, *zip(*rows, strict=True)) for (verb, head), rows in places.items()]


def _one_collection(verb: Verb, paths: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """Split paths of one collection, without a look at each: they begin alike, and no key has a slash in it."""
    if verb is Verb.CREATE:
        return (paths[0] if paths.count(paths[0]) == len(paths) else None), ("",) * len(paths)
    collection, slash, _ = paths[0].rpartition("/")
    start = collection + slash
    keys = [path.removeprefix(start) for path in paths]
    begin_alike = sum(map(len, paths)) == sum(map(len, keys)) + len(paths) * len(start)
    return (collection if begin_alike and "/" not in "".join(keys) else None), keys


def _given(payload: Any, item: Any) -> Any:
    """Find what one part gives. The member of `item` goes with it: it has to fit the collection."""
    if item is None:
        return payload
    if payload is not None:
        raise _Otherwise
    ((member, values),) = members(item).items()
    return _Item(member, members(values))


class _Item(dict[str, Any]):
    """What a part gives in `item`."""

    def __init__(self, member: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.member = member


def _bind_alike(alike: _Alike, scope: Scope) -> Iterator[Block]:
    """Bind parts on one collection: those that give the same attributes are a block."""
    resource = scope.catalog.collections.get(alike.collection[1:])
    is_path = alike.collection[:1] == "/" and len(alike.collection) <= scope.limits.path
    if resource is None or not is_path or not resource.writable:
        raise _Otherwise
    if alike.verb is Verb.DELETE:
        if alike.given.count(None) < len(alike.given):
            raise _Otherwise
        yield _bind(alike, resource, (), (), scope)
        return
    if not {dict, _Item}.issuperset(map(type, alike.given)):
        raise _Otherwise
    if any(each.member != resource.field for each in alike.given if isinstance(each, _Item)):
        raise _Otherwise
    names = tuple(alike.given[0])
    columns = _columns(alike, names)
    if columns is not None:
        yield _bind(alike, resource, names, columns, scope)
        return
    by_names: dict[tuple[str, ...], list[int]] = {}
    for place, each in enumerate(alike.given):
        by_names.setdefault(tuple(each), []).append(place)
    for own, indexes in by_names.items():
        some = alike.pick(indexes)
        yield _bind(some, resource, own, _columns(some, own) or (), scope)


def _columns(alike: _Alike, names: Sequence[str]) -> Sequence[list[Any]] | None:
    """Put the values of each attribute together; None where not all parts give these and no others."""
    if not names or set(map(len, alike.given)) != {len(names)}:
        return None
    try:
        return [[each[name] for each in alike.given] for name in names]
    except KeyError:
        return None


def _bind(alike: _Alike, resource: Resource, names: Sequence[str], columns: Sequence[list[Any]], scope: Scope) -> Block:
    verb = alike.verb
    if (not names and verb is not Verb.DELETE) or (verb is Verb.CREATE and not set(resource.required) <= set(names)):
        raise _Otherwise
    for name in names:
        _check_writable(resource, name, verb)
    longest = scope.limits.path - len(alike.collection)
    return Block(
        verb=verb,
        resource=resource,
        parts=alike.parts,
        columns={n: _column(resource.attributes[n], column) for n, column in zip(names, columns, strict=True)},
        keys=() if verb is Verb.CREATE else _keys(resource, alike.keys, longest),
        if_match=_if_match(alike.if_match, verb),
    )


def _check_writable(resource: Resource, name: str, verb: Verb) -> None:
    attribute = resource.attributes.get(name)
    repeats_key = verb is not Verb.CREATE and name in resource.key
    if attribute is None or attribute.read_only or repeats_key:
        raise _Otherwise


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


def _keys(resource: Resource, texts: Sequence[str], longest: int) -> Sequence[KeyTuple]:
    if len(resource.key) != 1 or not all(texts) or max(map(len, texts)) >= longest:
        raise _Otherwise
    type_ = resource.attributes[resource.key[0]].type
    if isinstance(type_, Integer):
        return list(zip(_integers(type_, texts), strict=True))
    if not _OUT_OF_ORDINARY.isdisjoint("".join(texts)) or any("/" in text for text in texts):
        raise _Otherwise
    return [(from_text(type_, text),) for text in texts]


def _integers(type_: Integer, texts: Sequence[str]) -> Sequence[Value]:
    """Read keys in their canonical form, which is Python's own: no sign, no blank, no zero before."""
    try:
        values = list(map(int, texts))
    except ValueError:
        raise _Otherwise from None
    if list(map(str, values)) != list(texts):
        raise _Otherwise
    return _values(type_, values)


def _if_match(given: Sequence[Any], verb: Verb) -> Sequence[Sequence[str] | None] | None:
    if given.count(UNSET) == len(given):
        return None
    if verb is Verb.CREATE:
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
