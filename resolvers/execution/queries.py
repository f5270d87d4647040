"""Planning of reads from the selection of a query."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from resolvers.binding.path_binding import PathNotBound, bind_path
from resolvers.binding.path_grammar import PathError, parse_path
from resolvers.binding.values import InvalidJsonValue, from_json
from resolvers.documents.limits import Scope
from resolvers.documents.selections import Selection
from resolvers.execution.filters import bad_request, bind_filter, bind_order
from storage.catalog.aggregation import COUNT, Aggregation, Function
from storage.catalog.model import Relation, Resource
from storage.reading import (
    BadCursor,
    CollectionRead,
    ItemPlan,
    ItemRead,
    NodeRead,
    RelationPlan,
    RootRead,
    Selected,
    decode_cursor,
    order_name,
)
from storage.sql import Grouping, Sort, Window

_MAX_OFFSET = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The planned reads of a query, and the errors of its other fields, by response key."""

    reads: Mapping[str, RootRead]
    errors: Mapping[str, GraphQLError]


def plan_query(selection: Selection, scope: Scope) -> Planned:
    """Plan the reads for a selection of Query."""
    reads: dict[str, RootRead] = {}
    errors: dict[str, GraphQLError] = {}
    for key, name in selection:
        try:
            read = _plan_root(selection, key, name, scope)
        except GraphQLError as error:
            errors[key] = error
        else:
            if read is not None:
                reads[key] = read
    return Planned(reads=reads, errors=errors)


def _plan_root(selection: Selection, key: str, name: str, scope: Scope) -> RootRead | None:
    if name == "resources":
        return None
    arguments = selection.arguments(key)
    if name == "node":
        return _plan_node(selection, key, str(arguments["path"]), scope)
    resource = scope.catalog.collections.get(name)
    if resource is not None:
        return _plan_collection(selection, key, arguments, resource, scope)
    resource = next(each for each in scope.catalog.resources.values() if each.field == name)
    values = []
    for attribute in resource.key:
        raw = arguments[attribute]
        try:
            values.append(from_json(resource.attributes[attribute].type, getattr(raw, "value", raw)))
        except InvalidJsonValue as invalid:
            raise bad_request(f"{attribute} {invalid}.") from None
    return ItemRead(key=tuple(values), items=plan_items(selection.below(key, resource.name), resource, scope))


def _plan_node(selection: Selection, key: str, path: str, scope: Scope) -> RootRead:
    try:
        place = bind_path(parse_path(path, scope.limits), scope)
    except (PathError, PathNotBound) as error:
        raise bad_request(error.fault.message) from None
    if not place.is_item or place.query is not None:
        raise bad_request("node takes the path of one item.")
    resource = place.resource
    items = plan_items(selection.below(key, resource.name), resource, scope)
    return NodeRead(address=place.address, items=items)


def _plan_collection(
    selection: Selection, key: str, arguments: Mapping[str, Any], resource: Resource, scope: Scope
) -> CollectionRead:
    connection = selection.below(key, f"{resource.name}Connection")
    return CollectionRead(
        selected=_plan_selected(connection, arguments, resource, scope), items=_plan_nodes(connection, resource, scope)
    )


def _plan_selected(connection: Selection, arguments: Mapping[str, Any], resource: Resource, scope: Scope) -> Selected:
    asked = {name for _, name in connection}
    edges = [connection.below(key, f"{resource.name}Edge") for key, name in connection if name == "edges"]
    infos = [connection.below(key, "PageInfo") for key, name in connection if name == "pageInfo"]
    return Selected(
        window=_window(arguments, resource, scope),
        condition=bind_filter(arguments.get("filter"), resource, scope.catalog),
        with_items=not asked.isdisjoint({"nodes", "edges", "pageInfo"}),
        with_cursors=bool(resource.key) and (_ask(edges, "cursor") or _ask(infos, "startCursor", "endCursor")),
        with_total="totalCount" in asked,
        aggregations=_plan_aggregations(connection, resource),
        groupings={
            key: _plan_grouping(connection, key, resource, scope) for key, name in connection if name == "groupBy"
        },
    )


def _plan_aggregations(selection: Selection, resource: Resource) -> tuple[Aggregation, ...]:
    """Return the aggregations that the fields `aggregate` of a connection or a group select, each once."""
    found: dict[Aggregation, None] = {}
    for key, name in selection:
        if name != "aggregate":
            continue
        aggregate = selection.below(key, f"{resource.name}Aggregate")
        for inner, function in aggregate:
            if function == Function.COUNT.value:
                found[COUNT] = None
                continue
            values = aggregate.below(inner, f"{resource.name}{function.capitalize()}")
            found |= dict.fromkeys(
                Aggregation(Function(function), _own_name(resource, attribute)) for _, attribute in values
            )
    return tuple(found)


def _own_name(resource: Resource, name: str) -> str:
    """Return the current name of an attribute."""
    attribute = resource.attribute(name)
    assert attribute is not None  # noqa: S101  # the schema has it
    return attribute.name


def _plan_grouping(connection: Selection, key: str, resource: Resource, scope: Scope) -> Grouping:
    arguments = connection.arguments(key)
    by = tuple(dict.fromkeys(_own_name(resource, getattr(each, "value", each)) for each in arguments["by"]))
    if not by:
        raise bad_request("by must name at least one attribute.")
    groups = connection.below(key, f"{resource.name}Group")
    limit = _limit("first", arguments.get("first"), scope)
    return Grouping(by=by, limit=limit, aggregations=_plan_aggregations(groups, resource))


def _ask(selections: Iterable[Selection], *names: str) -> bool:
    return any(name in names for selection in selections for _, name in selection)


def _plan_nodes(connection: Selection, resource: Resource, scope: Scope) -> ItemPlan:
    """Plan the items of a page.

    Everything selected of them is read together. Relations are distinguished by their place in the response.
    """
    plans = [
        (f"{key}/", plan_items(connection.below(key, resource.name), resource, scope))
        for key, name in connection
        if name == "nodes"
    ]
    for key, name in connection:
        if name == "edges":
            edge = connection.below(key, f"{resource.name}Edge")
            plans += [
                (f"{key}/{inner}/", plan_items(edge.below(inner, resource.name), resource, scope))
                for inner, inner_name in edge
                if inner_name == "node"
            ]
    every = [plan.attributes for _, plan in plans]
    return ItemPlan(
        resource=resource,
        attributes=None if None in every else frozenset().union(*(names for names in every if names is not None)),
        relations={place + key: each for place, plan in plans for key, each in plan.relations.items()},
        times=max(1, sum(plan.times for _, plan in plans)),
    )


def _window(arguments: Mapping[str, Any], resource: Resource, scope: Scope) -> Window:
    given: dict[str, Any] = {name: arguments.get(name) for name in ("first", "after", "last", "before", "offset")}
    for one, other in (
        ("first", "last"),
        ("after", "last"),
        ("before", "first"),
        ("offset", "last"),
        ("after", "before"),
    ):
        if given[one] is not None and given[other] is not None:
            raise bad_request(f"{one} and {other} cannot be combined.")
    backward = given["last"] is not None or given["before"] is not None
    name = "last" if backward else "first"
    limit = _limit(name, given[name], scope)
    offset = given["offset"] or 0
    if not 0 <= offset <= _MAX_OFFSET:
        raise bad_request("offset must not be negative.")
    if backward and offset:
        raise bad_request("offset and before cannot be combined.")
    sorts = bind_order(arguments.get("orderBy"), resource, scope.catalog)
    cursor = "before" if backward else "after"
    after = None if given[cursor] is None else _position(given[cursor], cursor, resource, sorts)
    return Window(sorts=sorts, limit=limit, offset=offset, after=after, backward=backward)


def _limit(name: str, given: int | None, scope: Scope) -> int:
    limits = scope.limits
    limit = limits.default_page if given is None else given
    if not 0 <= limit <= limits.page:
        raise bad_request(f"{name} must be from 0 to {limits.page}.")
    return limit


def _position(text: str, argument: str, resource: Resource, sorts: Sequence[Sort]) -> Sequence[Any]:
    try:
        return decode_cursor(order_name(resource, sorts), len(sorts), text)
    except BadCursor:
        raise bad_request(f"{argument} must be a cursor of this collection, in this order.") from None


def plan_items(selection: Selection, resource: Resource, scope: Scope) -> ItemPlan:
    """Plan the attributes and relations that are selected of an item. Raises `GraphQLError`."""
    attributes: set[str] = set()
    relations = {}
    for key, name in selection:
        attribute, relation = resource.attribute(name), resource.relation(name)
        if attribute is not None:
            attributes.add(attribute.name)
        elif relation is not None:
            relations[key] = _plan_relation(selection, key, relation, scope)
    wants_all = any(name == "etag" for _, name in selection)
    return ItemPlan(
        resource=resource,
        attributes=None if wants_all else frozenset(attributes),
        relations=relations,
        times=most_aliases(selection),
    )


def most_aliases(selection: Selection) -> int:
    """Return the maximum number of response keys that select the same field."""
    if len(selection.fields) < 2:  # noqa: PLR2004  # a single field cannot be selected twice
        return 1
    return max(Counter(name for _, name in selection).values(), default=1)


def _plan_relation(selection: Selection, key: str, relation: Relation, scope: Scope) -> RelationPlan:
    target = scope.catalog.target_of(relation)
    if not relation.many:
        items = plan_items(selection.below(key, target.name), target, scope)
        return RelationPlan(relation=relation, items=items)
    connection = selection.below(key, f"{target.name}Connection")
    return RelationPlan(
        relation=relation,
        items=_plan_nodes(connection, target, scope),
        selected=_plan_selected(connection, selection.arguments(key), target, scope),
    )
