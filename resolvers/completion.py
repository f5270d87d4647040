"""Answers of batches, completed by what is compiled once for a selection.

A selection becomes a function that writes all parts field by field: a column for each field, and then a row of each
part. What it does not know makes the selection `NotPlain`; what it cannot write (a value that cannot be read, a null
where there must be none) raises. Both are graphql-core's to complete, which gives the same answer or the right errors.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, GraphQLOutputType, is_leaf_type
from graphql.execution.collect_fields import FieldDetails

from resolvers.paths import format_path
from resolvers.requests import PartRequest
from resolvers.results import BatchView, etag_of, path_of, payload_of, row_of, status_of
from resolvers.selections import Selection
from resolvers.values import is_json, to_json
from storage.batch.operations import Done, Failed
from storage.catalog.model import Attribute, Catalog
from storage.catalog.types import Unreadable
from storage.errors import Fault
from storage.row import Row

_WITH_ROW = (200, 201)  # statuses of most parts, asked for here to save a call for each
Column = Callable[[Sequence[PartRequest], Sequence[Done | Failed]], Iterable[Any]]
"""What a field is of each part."""

_TYPE_NAME = "__typename"


class NotPlain(Exception):
    """A selection that asks for more than what is at hand."""


class Unanswerable(Exception):
    """There is no value where there must be one."""


def compile_batch(selection: Selection, catalog: Catalog) -> Callable[[BatchView], Any]:
    """Compile what is selected of a batch's result. Raises `NotPlain`."""
    return _writer({key: _batch_field(selection, key, name, catalog) for key, name in _fields(selection)})


def _fields(selection: Selection) -> Iterable[tuple[str, str]]:
    return ((key, _name(details)) for key, details in selection.fields.items())


def _name(details: Sequence[FieldDetails]) -> str:
    return details[0].node.name.value


def _row(keys: Iterable[str]) -> Callable[..., Any]:
    """Make the class of objects with these members: msgspec makes and encodes them several times as fast as dicts."""
    names = {f"member_{number}": key for number, key in enumerate(keys)}
    return msgspec.defstruct("Answer", list(names), rename=names, gc=False)


def _writer(readers: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    row, reads = _row(readers), tuple(readers.values())
    return lambda source: row(*[read(source) for read in reads])


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda _source: value


# --- the batch


def _batch_field(selection: Selection, key: str, name: str, catalog: Catalog) -> Callable[[BatchView], Any]:
    match name:
        case "status":
            return lambda view: view.outcome.status
        case "committed":
            return lambda view: view.committed
        case "parts":
            return _parts(selection.below(key, "PartResult"), catalog)
        case "__typename":
            return _constant("BatchResult")
        case _:
            raise NotPlain(name)


def _parts(selection: Selection, catalog: Catalog) -> Callable[[BatchView], Any]:
    columns = {key: _column(selection, key, name, catalog) for key, name in _fields(selection)}
    row, reads = _row(columns), tuple(columns.values())

    def write(view: BatchView) -> list[Any]:
        outcomes = view.outcome.parts
        requests = [view.requests[outcome.index] for outcome in outcomes]
        return list(map(row, *[read(requests, outcomes) for read in reads])) if reads else [row() for _ in outcomes]

    return write


# --- a part


_COLUMNS: Mapping[str, Column] = {
    "id": lambda requests, _: [each.id for each in requests],
    "index": lambda _, outcomes: [each.index for each in outcomes],
    "path": lambda requests, outcomes: map(path_of, requests, outcomes),
    "operation": lambda requests, _: [each.verb for each in requests],
    "status": lambda _, outcomes: [each.status if type(each) is Done else status_of(each) for each in outcomes],
    "preconditionSucceeded": lambda _, outcomes: [each.precondition for each in outcomes],
    "etag": lambda _, outcomes: [
        each.row.etag if type(each) is Done and each.status in _WITH_ROW and each.row is not None else etag_of(each)
        for each in outcomes
    ],
    "__typename": lambda requests, _: ["PartResult"] * len(requests),
}


def _column(selection: Selection, key: str, name: str, catalog: Catalog) -> Column:
    if name in _COLUMNS:
        return _COLUMNS[name]
    match name:
        case "payload":
            return _payloads(catalog)
        case "errors":
            return _errors(selection.below(key, "PartError"))
        case "item":
            return _items(selection, key, catalog)
        case _:
            raise NotPlain(name)


def _payloads(catalog: Catalog) -> Column:
    """Write payloads: a row's values as they are, but those that JSON writes otherwise."""
    converted = {
        name: [
            (attribute.name, attribute.type)
            for attribute in resource.attributes.values()
            if not is_json(attribute.type)
        ]
        for name, resource in catalog.resources.items()
    }

    def write(outcome: Done | Failed) -> Any:
        row = row_of(outcome)
        if row is None or not row.whole or Unreadable in map(type, row.values.values()):
            return payload_of(outcome)
        changed = converted[row.resource.name]
        return (
            {**row.values, **{name: to_json(type_, row.values[name]) for name, type_ in changed}}
            if changed
            else row.values
        )

    return lambda _, outcomes: map(write, outcomes)


_OF_FAULT: Mapping[str, Callable[[Fault], Any]] = {
    "code": lambda fault: fault.code,
    "message": lambda fault: fault.message,
    "pointer": lambda fault: fault.pointer,
    "attributes": lambda fault: fault.attributes,
    "__typename": _constant("PartError"),
}


def _errors(selection: Selection) -> Column:
    write = _writer({key: _OF_FAULT[name] for key, name in _fields(selection)})
    return lambda _, outcomes: [
        [write(fault) for fault in each.faults] if isinstance(each, Failed) else [] for each in outcomes
    ]


# --- an item


def _items(selection: Selection, key: str, catalog: Catalog) -> Column:
    resources = [resource for resource in catalog.resources.values() if resource.key]
    writers = {each.name: _item(selection.below(key, each.name), catalog) for each in resources}

    def write(row: Row | None) -> Any:
        return None if row is None else writers[row.resource.name](row)

    return lambda _, outcomes: [write(row_of(each)) for each in outcomes]


def _item(selection: Selection, catalog: Catalog) -> Callable[[Row], Any]:
    return _writer({key: _item_field(selection, name, catalog) for key, name in _fields(selection)})


def _item_field(selection: Selection, name: str, catalog: Catalog) -> Callable[[Row], Any]:
    match name:
        case "path":
            return lambda row: format_path(row.resource, row)
        case "etag":
            return lambda row: row.etag
        case "__typename":
            return _constant(selection.type.name)
        case _:
            attribute = catalog.resources[selection.type.name].attribute(name)
            if attribute is None:
                raise NotPlain(name)
            return _attribute(attribute, _completion(selection.type.fields[name].type))


def _attribute(attribute: Attribute, complete: Callable[[Any], Any]) -> Callable[[Row], Any]:
    type_, name = attribute.type, attribute.name
    return lambda row: complete(to_json(type_, row.values[name]))


def _completion(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    """Say how a value of a leaf's type, or of a list of them, is completed (GraphQL specification, section 6.4.3)."""
    if isinstance(type_, GraphQLNonNull):
        return _required(_completion(type_.of_type))
    if isinstance(type_, GraphQLList):
        return _each(_completion(type_.of_type))
    assert is_leaf_type(type_)  # noqa: S101  # attributes have no other
    if isinstance(type_, GraphQLEnumType):
        return _label(type_)
    write = type_.coerce_output_value
    return lambda value: None if value is None else _given(write(value))


def _given(value: Any) -> Any:
    if value is None:
        raise Unanswerable
    return value


def _required(complete: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: _given(complete(value))


def _each(complete: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else [complete(each) for each in value]


def _label(type_: GraphQLEnumType) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        if value is not None and value not in type_.values:
            raise Unanswerable
        return value

    return write
