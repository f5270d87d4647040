"""Binding of paths to the catalog: from parsed paths to addresses of items and collections."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from resolvers.binding.path_grammar import Key, KeyValues, NamedValues, PartKey, ResourcePath, Text, parse_number
from resolvers.binding.values import InvalidJsonValue, from_text
from resolvers.documents.limits import Scope
from storage.catalog.aggregation import orderable
from storage.catalog.model import Attribute, Relation, Resource
from storage.catalog.types import Value
from storage.errors import Fault, InvalidPath, InvalidReference, UnknownResource
from storage.rows.locate import Address, ByKey, ByPart, Query, Selector, Step
from storage.sql import Sort, Window, total_order

_QUERY_NAMES = ("limit", "offset", "orderBy")

FindPart = Callable[[str, Resource], ByPart | Fault]
"""(id, the resource that its item must have) -> the part, or the fault if it cannot be referenced."""


class PathNotBound(Exception):  # the error is the fault that it carries
    """The path follows the grammar, but does not match this catalog."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The target of a path: an item, or a collection with its query."""

    address: Address
    query: Query | None  # None if the path does not have a query

    @property
    def resource(self) -> Resource:
        """The resource of the last step."""
        return self.address[-1].resource

    @property
    def is_item(self) -> bool:
        """Return True if the path refers to one item, not to a collection."""
        return self.address[-1].selector is not None


def no_parts(_id: str, _resource: Resource) -> ByPart | Fault:
    """Return the fault for a reference to a part outside a batch."""
    return InvalidReference(message="There are no parts to refer to here.", pointer="/path")


def bind_path(path: ResourcePath, scope: Scope, find_part: FindPart = no_parts) -> Place:
    """Bind a path to the catalog. Raises `PathNotBound`."""
    steps: list[Step] = []
    for segment in path.segments:
        resource, relation = _collection(segment.collection, scope, steps[-1].resource if steps else None)
        selector = (
            None if segment.key is None else _bind_key(segment.key, segment.collection, resource, scope, find_part)
        )
        steps.append(Step(resource=resource, relation=relation, selector=selector))
    query = _bind_query(path, steps[-1].resource, scope) if path.query else None
    return Place(address=tuple(steps), query=query)


def _collection(name: Text, scope: Scope, parent: Resource | None) -> tuple[Resource, Relation | None]:
    catalog = scope.catalog
    if parent is None:
        found = catalog.collections.get(name.text)
        if found is None:
            near = scope.suggest(name.text, catalog.collections)
            message = f"There is no collection {name.text!r} (at character {name.offset} of the path).{near}"
            raise PathNotBound(UnknownResource(message=message, pointer="/path"))
        return found, None
    relation = parent.relation(name.text)
    if relation is None or not relation.many:
        known = [each.name for each in parent.relations.values() if each.many]
        near = scope.suggest(name.text, known) or (f" It has {', '.join(known)}." if known else "")
        message = f"{parent.name} has no collection {name.text!r} (at character {name.offset} of the path).{near}"
        raise PathNotBound(UnknownResource(message=message, pointer="/path"))
    return catalog.target_of(relation), relation


def _invalid(message: str, offset: int) -> PathNotBound:
    return PathNotBound(InvalidPath(message=f"{message} (at character {offset} of the path).", pointer="/path"))


def _bind_key(key: Key, collection: Text, resource: Resource, scope: Scope, find_part: FindPart) -> Selector:
    if not resource.key:
        raise _invalid(f"{resource.collection} has no key: it can only be read as a whole", collection.offset)
    match key:
        case PartKey(part=part):
            found = find_part(part.text, resource)
            if isinstance(found, Fault):
                raise PathNotBound(found)
            return found
        case KeyValues(values=values):
            if len(values) != len(resource.key):
                wanted = ",".join(resource.key)
                raise _invalid(f"The key of {resource.collection} is {wanted}", values[0].offset)
            return _by_key(resource, resource.key, values)
        case NamedValues(values=pairs):
            return _bind_named(resource, pairs, scope)
        case _:
            assert_never(key)


def _bind_named(resource: Resource, pairs: tuple[tuple[Text, Text], ...], scope: Scope) -> ByKey:
    named = {}
    for name, value in pairs:
        attribute = resource.attribute(name.text)
        if attribute is None:
            raise _unknown(resource, name, resource.attributes, scope)
        if attribute.name in named:
            raise _invalid(f"{name.text} is given twice", name.offset)
        named[attribute.name] = value
    key = resource.unique_key_of(frozenset(named))
    if key is None:
        names, keys = ", ".join(named), " or ".join(",".join(each) for each in resource.keys)
        message = f"{names} is not a complete unique key of {resource.collection}; use {keys}"
        raise _invalid(message, pairs[0][0].offset)
    return _by_key(resource, key, tuple(named[name] for name in key))


def _by_key(resource: Resource, attributes: tuple[str, ...], texts: tuple[Text, ...]) -> ByKey:
    values = (_value(resource.attributes[name], text) for name, text in zip(attributes, texts, strict=True))
    return ByKey(attributes=attributes, values=tuple(values))


def _value(attribute: Attribute, text: Text, *, canonical: bool = True) -> Value:
    try:
        return from_text(attribute.type, text.text, canonical=canonical)
    except InvalidJsonValue as invalid:
        raise _invalid(f"{attribute.name} {invalid}", text.offset) from None


def _bind_query(path: ResourcePath, resource: Resource, scope: Scope) -> Query:
    filters: dict[str, Value] = {}
    sorts: list[Sort] = []
    limit, offset = scope.limits.default_page, 0
    for name, values in path.query:
        if name.text == "orderBy":
            sorts = [_sort(value, resource, scope) for value in values]
        elif len(values) != 1:
            raise _invalid(f"{name.text} takes one value", name.offset)
        elif name.text == "limit":
            limit = _number("limit", values[0], scope.limits.page)
        elif name.text == "offset":
            offset = _number("offset", values[0], (1 << 63) - 1)
        else:
            attribute = resource.attribute(name.text)
            if attribute is None:
                raise _unknown(resource, name, [*_QUERY_NAMES, *resource.attributes], scope)
            filters[attribute.name] = _value(attribute, values[0], canonical=False)
    window = Window(sorts=total_order(sorts, resource), limit=limit, offset=offset)
    return Query(filters=filters, window=window)


def _unknown(resource: Resource, name: Text, known: Iterable[str], scope: Scope) -> PathNotBound:
    message = f"{resource.name} has no attribute {name.text!r} (at character {name.offset} of the path)."
    return PathNotBound(InvalidPath(message=message + scope.suggest(name.text, known), pointer="/path"))


def _sort(value: Text, resource: Resource, scope: Scope) -> Sort:
    name = value.text.removeprefix("-")
    attribute = resource.attribute(name)
    if attribute is None:
        raise _unknown(resource, replace(value, text=name), resource.attributes, scope)
    if attribute not in orderable(resource):
        raise _invalid(f"{resource.collection} cannot be ordered by {name}", value.offset)
    return Sort(attribute.name, descending=value.text.startswith("-"))


def _number(name: str, text: Text, largest: int) -> int:
    number = parse_number(text.text, largest)
    if number is None:
        raise _invalid(f"{name} must be a whole number from 0 to {largest}", text.offset)
    return number
