"""From a query's selection to a read plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from resolvers.limits import Limits, Scope
from resolvers.paths import PathError, parse_path
from resolvers.places import Unbound, bind_path
from resolvers.selections import Selection
from resolvers.values import Misfit, from_json
from storage.catalog.model import Relation, Resource
from storage.reading import CollectionRead, ItemPlan, ItemRead, NodeRead, RelationPlan, RootRead
from storage.statements import Page

_MAX_OFFSET = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What can be read of a query, by response key, and what is wrong with the other fields."""

    reads: Mapping[str, RootRead]
    errors: Mapping[str, GraphQLError]


def plan_query(selection: Selection, scope: Scope) -> Planned:
    """Plan what is selected of Query."""
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


def bad_request(message: str) -> GraphQLError:
    """Say what is wrong with an argument."""
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})


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
        except Misfit as misfit:
            raise bad_request(f"{attribute} {misfit}.") from None
    return ItemRead(key=tuple(values), items=plan_items(selection.below(key, resource.name), resource, scope))


def _plan_node(selection: Selection, key: str, path: str, scope: Scope) -> RootRead:
    try:
        place = bind_path(parse_path(path, scope.limits), scope)
    except (PathError, Unbound) as error:
        raise bad_request(error.fault.message) from None
    if not place.is_item or place.query is not None:
        raise bad_request("node takes the path of one item.")
    resource = place.resource
    return NodeRead(address=place.address, items=plan_items(selection.below(key, resource.name), resource, scope))


def _plan_collection(
    selection: Selection, key: str, arguments: Mapping[str, Any], resource: Resource, scope: Scope
) -> RootRead:
    connection = selection.below(key, f"{resource.name}Connection")
    return CollectionRead(
        page=_page(arguments, scope.limits),
        items=_plan_nodes(connection, resource, scope),
        with_total=_asks(connection, "totalCount"),
        with_items=_asks(connection, "nodes", "pageInfo"),
    )


def _asks(connection: Selection, *names: str) -> bool:
    return any(name in names for _, name in connection)


def _plan_nodes(connection: Selection, resource: Resource, scope: Scope) -> ItemPlan:
    """Plan the items of a page. Two aliases of `nodes` are read as one: their keys are told apart by their places."""
    relations: dict[str, RelationPlan] = {}
    for key, name in connection:
        if name == "nodes":
            plan = plan_items(connection.below(key, resource.name), resource, scope)
            relations |= {f"{key}/{inner}": relation for inner, relation in plan.relations.items()}
    return ItemPlan(resource=resource, relations=relations)


def _page(arguments: Mapping[str, Any], limits: Limits) -> Page:
    first, offset = arguments.get("first"), arguments.get("offset")
    limit = limits.default_page if first is None else first
    if not 0 <= limit <= limits.page:
        raise bad_request(f"first must be from 0 to {limits.page}.")
    if offset is not None and not 0 <= offset <= _MAX_OFFSET:
        raise bad_request("offset must not be negative.")
    return Page(limit=limit, offset=offset or 0)


def plan_items(selection: Selection, resource: Resource, scope: Scope) -> ItemPlan:
    """Plan the relations that are selected of an item."""
    relations = {}
    for key, name in selection:
        relation = resource.relation(name)
        if relation is not None:
            relations[key] = _plan_relation(selection, key, relation, scope)
    return ItemPlan(resource=resource, relations=relations)


def _plan_relation(selection: Selection, key: str, relation: Relation, scope: Scope) -> RelationPlan:
    target = scope.catalog.target_of(relation)
    if not relation.many:
        items = plan_items(selection.below(key, target.name), target, scope)
        return RelationPlan(relation=relation, items=items)
    connection = selection.below(key, f"{target.name}Connection")
    return RelationPlan(
        relation=relation,
        items=_plan_nodes(connection, target, scope),
        page=_page(selection.arguments(key), scope.limits),
        with_total=_asks(connection, "totalCount"),
        with_items=_asks(connection, "nodes", "pageInfo"),
    )
