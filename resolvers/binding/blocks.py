"""Binding of large batches of plain parts by column: the same checks as in parts.py, a thousand values at a time.

A batch is bound as a whole, and only if every part is valid. Every other batch is bound part by part by `parts.bind`,
which reports an error for each fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

from msgspec import UNSET

from resolvers.binding.path_grammar import PathError, are_plain_keys, check_length
from resolvers.binding.preconditions import if_match_columns
from resolvers.binding.requests import PartRequest, invalid_length, members, repeated
from resolvers.binding.values import InvalidJsonValue, column_from_text, read_column
from resolvers.documents.limits import Scope
from storage.batch.plan import rules
from storage.batch.plan.blocks import Block
from storage.batch.plan.operations import TAKE_A_PAYLOAD, Etags, Verb
from storage.catalog.model import Attribute, Generation, Resource
from storage.catalog.types import Value
from storage.rows.row import KeyTuple

_FEWEST = 2  # parts: a single part does not need columns
_TAKEN = frozenset({Verb.CREATE, Verb.UPDATE, Verb.DELETE})


class _NotColumnar(Exception):  # control flow, not an error
    """The batch must be bound part by part."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """Some of the parts as sent, in columns."""

    parts: Sequence[int]
    verbs: Sequence[Verb]
    paths: Sequence[str]
    given: Sequence[Any]  # attributes with their values; None for a DELETE
    if_match: Sequence[Any]

    def divided(self, by: Sequence[Any]) -> "list[_Sent]":
        """Group the parts by the values of a column; each group keeps the order of its parts."""
        kinds = set(by)
        if len(kinds) == 1:
            return [self]
        places: dict[Any, list[int]] = {kind: [] for kind in kinds}
        for place, value in enumerate(by):
            places[value].append(place)
        return [self._pick(each) for each in sorted(places.values())]

    def _pick(self, places: Sequence[int]) -> "_Sent":
        pick = itemgetter(*places) if len(places) > 1 else lambda column: (column[places[0]],)
        return _Sent(pick(self.parts), pick(self.verbs), pick(self.paths), pick(self.given), pick(self.if_match))


def bind_blocks(requests: Sequence[PartRequest], scope: Scope) -> list[Block]:
    """Return the blocks of a batch; an empty list if it must be bound part by part."""
    if len(requests) < _FEWEST:
        return []
    try:
        _check_ids([each.id for each in requests])
        sent = _sent(requests)
        return [block for each in sent.divided(sent.verbs) for block in _by_collection(each, scope)]
    except (_NotColumnar, InvalidJsonValue, PathError):
        return []


def _check_ids(ids: Sequence[str]) -> None:
    if invalid_length(ids) is not None or repeated(ids):
        raise _NotColumnar


def _sent(requests: Sequence[PartRequest]) -> _Sent:
    verbs = [each.verb for each in requests]
    if (
        any(map(attrgetter("references"), requests))
        or [each.if_none_match for each in requests].count(UNSET) < len(requests)
        or not _TAKEN.issuperset(verbs)
    ):
        raise _NotColumnar
    payloads, items = [each.payload for each in requests], [each.item for each in requests]
    return _Sent(
        parts=range(len(requests)),
        verbs=verbs,
        paths=[each.path for each in requests],
        given=[_given(*both) for both in zip(payloads, items, strict=True)]
        if items.count(None) < len(items)
        else payloads,
        if_match=[each.if_match for each in requests],
    )


def _by_collection(sent: _Sent, scope: Scope) -> Iterator[Block]:
    """Bind parts that have the same verb."""
    if sent.verbs[0] is Verb.CREATE:
        for some in sent.divided(sent.paths):
            yield from _bind_alike(some, some.paths[0], (), scope)
        return
    for some in sent.divided(_collections(sent.paths)):
        collection = some.paths[0].rpartition("/")[0]
        start = len(collection) + 1
        yield from _bind_alike(some, collection, [path[start:] for path in some.paths], scope)


def _collections(paths: Sequence[str]) -> Sequence[str]:
    """Return the collections of item paths: one if all paths share it, otherwise one for each path."""
    collection = paths[0].rpartition("/")[0]
    start, text = f"\n{collection}/", "\n" + "\n".join(paths)
    if text.count(start) == text.count("\n") == len(paths) and text.count("/") == start.count("/") * len(paths):
        return (collection,)
    return [path.rpartition("/")[0] for path in paths]


def _given(payload: Any, item: Any) -> Any:
    """Return the attribute values of one part, with the member of `item`, which must match the collection."""
    if item is None:
        return payload
    if payload is not None:
        raise _NotColumnar
    ((member, values),) = members(item).items()
    return _Item(member, members(values))


class _Item(dict[str, Any]):
    """The attribute values that a part sends in `item`, with the name of its member."""

    def __init__(self, member: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.member = member


def _bind_alike(sent: _Sent, collection: str, keys: Sequence[str], scope: Scope) -> Iterator[Block]:
    """Bind parts with one verb on one collection. Parts that set the same attributes form a block."""
    check_length(max(map(len, sent.paths if keys else [collection])), scope.limits)
    resource = scope.catalog.collections.get(collection[1:])
    if resource is None or collection[0] != "/" or not rules.takes(resource, sent.verbs[0]):
        raise _NotColumnar
    bound = _keys(resource, keys) if keys else ()
    if sent.verbs[0] not in TAKE_A_PAYLOAD:
        if sent.given.count(None) < len(sent.given):
            raise _NotColumnar
        yield _block(sent, resource, (), [], bound)
        return
    kinds = set(map(type, sent.given))
    if not kinds <= {dict, _Item} or (_Item in kinds and any(_is_other(each, resource) for each in sent.given)):
        raise _NotColumnar
    names = tuple(sent.given[0])
    columns = _columns(sent, names)
    if columns is not None:
        yield _block(sent, resource, names, columns, bound)
        return
    key_of = dict(zip(sent.parts, bound, strict=False))
    for some in sent.divided([tuple(each) for each in sent.given]):
        own = tuple(some.given[0])
        yield _block(some, resource, own, _columns(some, own) or [], [key_of[part] for part in some.parts if key_of])


def _is_other(given: Any, resource: Resource) -> bool:
    """Return True if the attributes belong to a resource other than that of the collection."""
    return isinstance(given, _Item) and given.member != resource.field


def _columns(sent: _Sent, names: Sequence[str]) -> Sequence[list[Any]] | None:
    """Return the values of the parts by attribute; None if any part sets other attributes than these."""
    if not names or set(map(len, sent.given)) != {len(names)}:
        return None
    try:
        return [[each[name] for each in sent.given] for name in names]
    except KeyError:
        return None


def _block(
    sent: _Sent, resource: Resource, names: Sequence[str], columns: Sequence[list[Any]], keys: Sequence[KeyTuple]
) -> Block:
    verb = sent.verbs[0]
    if (not names and verb is not Verb.DELETE) or rules.missing(resource, verb, names):
        raise _NotColumnar
    for name in names:
        _check_writable(resource, name, verb)
    return Block(
        verb=verb,
        resource=resource,
        parts=sent.parts,
        columns={n: _column(resource.attributes[n], verb, column) for n, column in zip(names, columns, strict=True)},
        keys=keys,
        if_match=_if_match(sent.if_match, verb),
    )


def _check_writable(resource: Resource, name: str, verb: Verb) -> None:
    attribute = resource.attributes.get(name)
    repeats_key = verb is not Verb.CREATE and name in resource.key
    if attribute is None or rules.is_closed(resource, attribute, verb) or repeats_key:
        raise _NotColumnar


def _column(attribute: Attribute, verb: Verb, values: list[Any]) -> Sequence[Value]:
    """Validate and convert the values of one attribute. Raises `InvalidJsonValue` or `_NotColumnar`."""
    classes = set(map(type, values))
    if type(None) in classes:
        if rules.null_means(attribute, verb) is not rules.Null.WRITTEN or attribute.generation is not Generation.NEVER:
            raise _NotColumnar
        given = iter(read_column(attribute.type, [value for value in values if value is not None]))
        return [None if value is None else next(given) for value in values]
    return read_column(attribute.type, values, classes)


def _keys(resource: Resource, texts: Sequence[str]) -> Sequence[KeyTuple]:
    if len(resource.key) != 1 or not are_plain_keys(texts):
        raise _NotColumnar
    return list(zip(column_from_text(resource.attributes[resource.key[0]].type, texts), strict=True))


def _if_match(given: Sequence[Any], verb: Verb) -> Sequence[Etags | None] | None:
    if given.count(UNSET) == len(given):
        return None
    if verb is Verb.CREATE:
        raise _NotColumnar
    if [] in given:
        raise _NotColumnar
    return if_match_columns(given)
