"""How answers are written by what is compiled once for a selection: shared by batches and queries."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, GraphQLOutputType, is_leaf_type

from resolvers.documents.selections import Selection

_SLICE = 20_000  # objects: some 3 ms


class NotCompilable(Exception):
    """A selection that asks for more than what is at hand."""


class CannotSerialize(Exception):
    """There is no value where there must be one."""


def fields(selection: Selection) -> Iterable[tuple[str, str]]:
    """Go through the response keys with the names of their fields, introspection's own among them."""
    return ((key, details[0].node.name.value) for key, details in selection.fields.items())


def row_class(keys: Iterable[str]) -> Callable[..., Any]:
    """Make the class of objects with these members: msgspec makes and encodes them several times as fast as dicts."""
    names = {f"member_{number}": key for number, key in enumerate(keys)}
    return msgspec.defstruct("Answer", list(names), rename=names, gc=False)


def rows_of_columns(row: Callable[..., Any], columns: Sequence[Iterable[Any]], count: int) -> list[Any]:
    """Make objects of columns; where directives leave none, empty ones.

    Many are made in slices: one call would keep the event loop from running for as long as it takes.
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
    """Write an object, each member as its reader finds it."""
    row, reads = row_class(readers), tuple(readers.values())
    return lambda source: row(*[read(source) for read in reads])


def constant(value: Any) -> Callable[[Any], Any]:
    """Write the same for everything."""
    return lambda _source: value


def completion(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    """Say how a value of a leaf's type, or of a list of them, is completed (GraphQL specification, section 6.4.3)."""
    if isinstance(type_, GraphQLNonNull):
        return _required(completion(type_.of_type))
    if isinstance(type_, GraphQLList):
        return _each(completion(type_.of_type))
    assert is_leaf_type(type_)  # noqa: S101  # attributes have no other
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
