"""Completion of query responses, compiled once for a selection, by columns and never item by item.

A table of items becomes a list of response objects, from a column for each field. Related items are written once for
their whole table, and then distributed. A selection with unsupported fields is `NotCompilable`. A value that cannot be
written raises an exception, and the request falls back to graphql-core.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from graphql import GraphQLNonNull, GraphQLOutputType

from resolvers.binding.path_grammar import format_paths
from resolvers.binding.serialization import is_json, to_json
from resolvers.compiled.aggregate_writer import compile_aggregate, compile_group
from resolvers.documents.selections import Selection
from resolvers.results.json_objects import (
    CannotSerialize,
    NotCompilable,
    completion,
    constant,
    fields,
    row_class,
    rows_of_columns,
)
from storage.catalog.model import Attribute, Catalog, Relation, Resource
from storage.catalog.types import Enumeration, Float, JsonDocument, Opaque
from storage.json_text import encode_json_bytes
from storage.reading import Items, Many, One, Page, Pages

_SHARED_BY = 16  # items, on average, that refer to the same one: with fewer, encoding each in place is as fast

Table = Callable[[Items], list[Any]]
Column = Callable[[Items], Sequence[Any]]
Write = Callable[[Page], Any]


def compile_root(selection: Selection, key: str, name: str, catalog: Catalog) -> Callable[[Any], Any]:
    """Compile a root field, whose read returns a page, an item, or None. Raises `NotCompilable`."""
    return _Compilation(catalog).root(selection, key, name)


class _Compilation:
    """Compiler of selections over one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def root(self, selection: Selection, key: str, name: str) -> Callable[[Any], Any]:
        resources = self._catalog.resources.values()
        if name == "__typename":
            return constant(selection.type.name)
        if name == "node":
            keyed = [each for each in resources if each.key]
            tables = {each.name: self._items(selection.below(key, each.name), each) for each in keyed}
            return lambda found: None if found is None else tables[found.rows.resource.name](found)[0]
        resource = self._catalog.collections.get(name)
        if resource is not None:
            connection = self._connection(selection.below(key, f"{resource.name}Connection"), resource)
            return lambda found: connection(found.found)(found.page)
        resource = next((each for each in resources if each.field == name), None)
        if resource is None:
            raise NotCompilable(name)
        table = self._items(selection.below(key, resource.name), resource)
        return lambda found: None if found is None else table(found)[0]

    # --- items

    def _items(self, selection: Selection, resource: Resource, place: str = "") -> Table:
        """Compile the selection of items; `place` is the prefix of the names of their relations in the plan."""
        columns = {key: self._field(selection, key, name, place) for key, name in self._named(selection, resource)}
        row, reads = row_class(columns), tuple(columns.values())
        return lambda items: rows_of_columns(row, [read(items) for read in reads], len(items))

    def _named(self, selection: Selection, resource: Resource) -> Iterable[tuple[str, Attribute | Relation | str]]:
        """Yield the response keys with their attribute or relation, or the name of a field that all items have."""
        for key, name in fields(selection):
            yield key, resource.attribute(name) or resource.relation(name) or name

    def _field(self, selection: Selection, key: str, what: Attribute | Relation | str, place: str) -> Column:
        match what:
            case Attribute():
                name = selection.nodes(key)[0].name.value
                return _attribute(what, selection.type.fields[name].type)
            case Relation(many=True):
                target = self._catalog.target_of(what)
                connection = self._connection(selection.below(key, f"{target.name}Connection"), target)
                return _many(place + key, connection)
            case Relation():
                target = self._catalog.target_of(what)
                return _one(place + key, self._items(selection.below(key, target.name), target))
            case "path":
                return lambda items: format_paths(items.rows.resource, items.rows.keys)
            case "etag":
                return lambda items: items.rows.etags
            case "__typename":
                return lambda items: [selection.type.name] * len(items)
            case _:
                raise NotCompilable(what)

    # --- pages

    def _connection(self, selection: Selection, resource: Resource) -> Callable[[Pages], Write]:
        """Compile a connection: what its pages share is completed first, and then each page."""
        members = {key: self._member(selection, key, name, resource) for key, name in fields(selection)}
        row, reads = row_class(members), tuple(members.values())

        def write(found: Pages) -> Write:
            written = [read(found) for read in reads]
            return lambda page: row(*[each(page) for each in written])

        return write

    def _member(self, selection: Selection, key: str, name: str, resource: Resource) -> Callable[[Pages], Write]:
        match name:
            case "nodes":
                table = self._items(selection.below(key, resource.name), resource, f"{key}/")
                return lambda found: _slices(table(found.items))
            case "edges":
                edges = self._edges(selection.below(key, f"{resource.name}Edge"), resource, f"{key}/")
                return lambda found: _slices(edges(found))
            case "pageInfo":
                return _page_info(selection.below(key, "PageInfo"))
            case "totalCount":
                return lambda _: _total
            case "aggregate":
                aggregate = compile_aggregate(selection.below(key, f"{resource.name}Aggregate"), resource)
                return lambda _: lambda page: aggregate(page.summary.aggregate)
            case "groupBy":
                group = compile_group(selection.below(key, f"{resource.name}Group"), resource)
                return lambda _: lambda page: list(map(group, page.summary.groups[key]))
            case "__typename":
                return lambda _: constant(selection.type.name)
            case _:
                raise NotCompilable(name)

    def _edges(self, selection: Selection, resource: Resource, place: str) -> Callable[[Pages], list[Any]]:
        columns: dict[str, Callable[[Pages], Sequence[Any]]] = {}
        for key, name in fields(selection):
            match name:
                case "node":
                    table = self._items(selection.below(key, resource.name), resource, f"{place}{key}/")
                    columns[key] = _nodes_by(table)
                case "cursor":
                    columns[key] = lambda found: found.cursors
                case "__typename":
                    columns[key] = lambda found: [selection.type.name] * len(found.items)
                case _:
                    raise NotCompilable(name)
        row, reads = row_class(columns), tuple(columns.values())
        return lambda found: rows_of_columns(row, [read(found) for read in reads], len(found.items))


def _one(key: str, table: Table) -> Column:
    def read(items: Items) -> Sequence[Any]:
        related = items.related[key]
        assert isinstance(related, One)  # noqa: S101  # the plan determines it
        answers = table(related.items)
        if len(answers) * _SHARED_BY <= len(items):  # each is encoded once, and copied
            answers = [msgspec.Raw(encode_json_bytes(answer)) for answer in answers]
        return related.share(answers)

    return read


def _many(key: str, connection: Callable[[Pages], Write]) -> Column:
    def read(items: Items) -> Sequence[Any]:
        related = items.related[key]
        assert isinstance(related, Many)  # noqa: S101  # the plan determines it
        return list(map(connection(related.found), related.pages))

    return read


def _attribute(attribute: Attribute, type_: GraphQLOutputType) -> Column:
    name, own = attribute.name, attribute.type
    is_required = isinstance(type_, GraphQLNonNull)
    complete = completion(type_)
    is_plain = is_json(own) and not isinstance(own, Enumeration | JsonDocument | Opaque)

    def read(items: Items) -> Sequence[Any]:
        values = items.rows.columns[name]
        if not is_plain or not items.rows.is_readable:
            return [complete(to_json(own, value)) for value in values]
        if is_required and not items.rows.typed and None in values:
            raise CannotSerialize
        if isinstance(own, Float) and not all(map(math.isfinite, filter(None, values))):  # type: ignore[arg-type]  # numbers
            raise CannotSerialize
        return values

    return read


def _slices(answers: list[Any]) -> Write:
    return lambda page: answers[page.start : page.stop]


def _total(page: Page) -> int:
    if page.total is None:
        raise CannotSerialize
    return page.total


def _nodes_by(table: Table) -> Callable[[Pages], Sequence[Any]]:
    return lambda found: table(found.items)


def _has_cursors(page: Page, found: Pages) -> bool:
    return page.start < page.stop and bool(found.cursors)  # a view without a key does not have cursors


_PAGE_INFO: Mapping[str, Callable[[Page, Pages], Any]] = {
    "hasNextPage": lambda page, _: page.has_next,
    "hasPreviousPage": lambda page, _: page.has_previous,
    "startCursor": lambda page, found: found.cursors[page.start] if _has_cursors(page, found) else None,
    "endCursor": lambda page, found: found.cursors[page.stop - 1] if _has_cursors(page, found) else None,
    "__typename": lambda _, __: "PageInfo",
}


def _page_info(selection: Selection) -> Callable[[Pages], Write]:
    row, reads = row_class(selection.fields), [_PAGE_INFO[name] for _, name in fields(selection)]
    return lambda found: lambda page: row(*[read(page, found) for read in reads])
