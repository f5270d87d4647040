"""Functions that complete response objects, shared by the compiled paths of batches and queries."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, GraphQLOutputType, is_leaf_type

from resolvers.documents.selections import Selection

_SLICE = 20_000  # objects: about 3 ms


class NotCompilable(Exception):
    """A selection that the compiled path does not support."""


class CannotSerialize(Exception):
    """A value of a non-null field is missing or cannot be written."""


def fields(selection: Selection) -> Iterable[tuple[str, str]]:
    """Return the response keys with the names of their fields, including introspection fields."""
    return ((key, details[0].node.name.value) for key, details in selection.fields.items())


def row_class(keys: Iterable[str]) -> Callable[..., Any]:
    """Create a class of objects with these members. msgspec creates and encodes them several times as fast as dicts."""
    names = {f"member_{number}": key for number, key in enumerate(keys)}
    return msgspec.defstruct("Answer", list(names), rename=names, gc=False)


def rows_of_columns(row: Callable[..., Any], columns: Sequence[Iterable[Any]], count: int) -> list[Any]:
    """Return objects built from columns; empty objects if directives leave no column.

    Many objects are created in slices, because a single call would block the event loop until it is done.
    """
    if not columns:
        return [row() for _ in range(count)]
    if count <= _SLICE:
        return list(map(row, *columns))
    made: list[Any] = []
    rest = map(row, *columns)
    while some := list(islice(rest, _SLICE)):
        made += some
    return made


def writer(readers: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Return a function that creates an object, with each member read by its reader."""
    row, reads = row_class(readers), tuple(readers.values())
    return lambda source: row(*[read(source) for read in reads])


def constant(value: Any) -> Callable[[Any], Any]:
    """Return a function that always returns the same value."""
    return lambda _source: value


def completion(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    """Return the completion of values of a leaf type, or of lists of them (GraphQL specification, section 6.4.3)."""
    if isinstance(type_, GraphQLNonNull):
        return _required(completion(type_.of_type))
    if isinstance(type_, GraphQLList):
        return _each(completion(type_.of_type))
    assert is_leaf_type(type_)  # noqa: S101  # attributes do not have other types
    if isinstance(type_, GraphQLEnumType):
        return _label(type_)
    write = type_.coerce_output_value
    return lambda value: None if value is None else _given(write(value))


def _given(value: Any) -> Any:
    if value is None:
        raise CannotSerialize
    return value


def _required(complete: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: _given(complete(value))


def _each(complete: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else [complete(each) for each in value]


def _label(type_: GraphQLEnumType) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        if value is not None and value not in type_.values:
            raise CannotSerialize
        return value

    return write
