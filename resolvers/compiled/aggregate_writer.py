"""Completion of aggregates and groups in query responses, compiled once for a selection."""

from collections.abc import Callable
from typing import Any

from resolvers.binding.serialization import to_json
from resolvers.documents.selections import Selection
from resolvers.results.json_objects import NotCompilable, completion, constant, fields, writer
from storage.catalog.aggregation import COUNT, Aggregation, Function, result_type
from storage.catalog.model import Attribute, Resource
from storage.reading import Aggregate, Group

_FUNCTIONS = frozenset(each.value for each in Function) - {Function.COUNT.value}


def compile_aggregate(selection: Selection, resource: Resource) -> Callable[[Aggregate], Any]:
    """Compile the selection of an aggregate. Raises `NotCompilable`."""
    return writer({key: _of_aggregate(selection, key, name, resource) for key, name in fields(selection)})


def compile_group(selection: Selection, resource: Resource) -> Callable[[Group], Any]:
    """Compile the selection of a group. Raises `NotCompilable`."""
    return writer({key: _of_group(selection, key, name, resource) for key, name in fields(selection)})


def _of_aggregate(selection: Selection, key: str, name: str, resource: Resource) -> Callable[[Aggregate], Any]:
    if name == Function.COUNT.value:
        complete = completion(selection.type.fields[name].type)
        return lambda aggregate: complete(aggregate.value(COUNT))
    if name == "__typename":
        return constant(selection.type.name)
    if name not in _FUNCTIONS:
        raise NotCompilable(name)
    values = selection.below(key, f"{resource.name}{name.capitalize()}")
    return writer({inner: _value(values, Function(name), each, resource) for inner, each in fields(values)})


def _value(selection: Selection, function: Function, name: str, resource: Resource) -> Callable[[Aggregate], Any]:
    if name == "__typename":
        return constant(selection.type.name)
    attribute = _attribute(resource, name)
    aggregation, type_ = Aggregation(function, attribute.name), result_type(function, attribute.type)
    if type_ is None:
        raise NotCompilable(name)
    complete = completion(selection.type.fields[name].type)
    return lambda aggregate: complete(to_json(type_, aggregate.value(aggregation)))


def _of_group(selection: Selection, key: str, name: str, resource: Resource) -> Callable[[Group], Any]:
    match name:
        case "keys":
            keys = selection.below(key, f"{resource.name}GroupKeys")
            return writer({inner: _key(keys, each, resource) for inner, each in fields(keys)})
        case "aggregate":
            write = compile_aggregate(selection.below(key, f"{resource.name}Aggregate"), resource)
            return lambda group: write(group.aggregate)
        case "__typename":
            return constant(selection.type.name)
        case _:
            raise NotCompilable(name)


def _key(selection: Selection, name: str, resource: Resource) -> Callable[[Group], Any]:
    if name == "__typename":
        return constant(selection.type.name)
    attribute = _attribute(resource, name)
    complete = completion(selection.type.fields[name].type)
    return lambda group: complete(to_json(attribute.type, group.keys.get(attribute.name)))


def _attribute(resource: Resource, name: str) -> Attribute:
    attribute = resource.attribute(name)
    if attribute is None:
        raise NotCompilable(name)
    return attribute
