"""Completion of batch responses, compiled once for a selection.

A selection becomes a function that writes all parts field by field: first a column for each field, then a row for each
part. A selection with unsupported fields is `NotCompilable`. A value that cannot be written (an unreadable value, or a
null in a non-null field) raises an exception. In both cases, the request falls back to graphql-core, which returns the
same response or the right errors.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from resolvers.binding.path_grammar import format_path
from resolvers.binding.requests import PartRequest
from resolvers.binding.serialization import to_json
from resolvers.documents.selections import Selection
from resolvers.results.json_objects import (
    CannotSerialize,
    NotCompilable,
    completion,
    constant,
    fields,
    row_class,
    rows_of_columns,
    writer,
)
from resolvers.results.pieces import Later
from resolvers.results.views import (
    BatchView,
    etag_of,
    faults_of,
    path_of,
    payload_of,
    row_of,
    status_of,
    to_payloads,
)
from storage.batch.plan.blocks import DoneBlock, DoneBlocks
from storage.batch.plan.operations import SHOWS_ETAG, SHOWS_ITEM, Done, Failed
from storage.catalog.model import Attribute, Catalog
from storage.errors import Fault
from storage.rows.row import Row, RowColumns


@dataclass(frozen=True, slots=True)
class Column:
    """The values of a field for all parts."""

    of_parts: Callable[[Sequence[PartRequest], Sequence[Done | Failed]], Iterable[Any]]
    of_block: Callable[[DoneBlock], Sequence[Any]] | None = None  # reads a whole block, without its parts

    def read(self, requests: Sequence[PartRequest], outcomes: Sequence[Done | Failed]) -> Iterable[Any]:
        """Return the values of all parts in the response."""
        if self.of_block is not None and isinstance(outcomes, DoneBlocks):
            return outcomes.column(self.of_block)
        return self.of_parts(requests, outcomes)


def compile_batch(selection: Selection, catalog: Catalog, *, later: bool = False) -> Callable[[BatchView], Any]:
    """Compile the selection of a batch's result. Raises `NotCompilable`.

    If `later` is True, pages are created only when they are written.
    """
    return writer({key: _batch_field(selection, key, name, catalog, later=later) for key, name in fields(selection)})


# --- the batch


def _batch_field(
    selection: Selection, key: str, name: str, catalog: Catalog, *, later: bool
) -> Callable[[BatchView], Any]:
    match name:
        case "status":
            return lambda view: view.outcome.status
        case "committed":
            return lambda view: view.committed
        case "replayed":
            return lambda view: view.replayed
        case "parts":
            return _parts(selection.below(key, "PartResult"), catalog, later=later)
        case "__typename":
            return constant("BatchResult")
        case _:
            raise NotCompilable(name)


def _parts(selection: Selection, catalog: Catalog, *, later: bool) -> Callable[[BatchView], Any]:
    columns = {key: _column(selection, key, name, catalog, later=later) for key, name in fields(selection)}
    row, reads = row_class(columns), tuple(columns.values())

    def write(view: BatchView) -> list[Any]:
        outcomes, requests = view.outcome.parts, view.requests
        if len(outcomes) < len(requests):  # a rejected batch lists only the parts that failed
            requests = [requests[outcome.index] for outcome in outcomes]
        return rows_of_columns(row, [each.read(requests, outcomes) for each in reads], len(outcomes))

    return write


# --- a part


_COLUMNS: Mapping[str, Column] = {
    "id": Column(lambda requests, _: [each.id for each in requests]),
    "index": Column(lambda _, outcomes: [each.index for each in outcomes], lambda done: done.block.parts),
    "path": Column(lambda requests, outcomes: map(path_of, requests, outcomes)),
    "operation": Column(lambda requests, _: [each.verb for each in requests]),
    "status": Column(lambda _, outcomes: map(status_of, outcomes), lambda done: [done.status] * len(done.block.parts)),
    "preconditionSucceeded": Column(
        lambda _, outcomes: [each.precondition for each in outcomes],
        lambda done: done.block.preconditions,
    ),
    "etag": Column(
        lambda _, outcomes: map(etag_of, outcomes), lambda done: _left(done, SHOWS_ETAG, lambda rows: rows.etags)
    ),
    "__typename": Column(lambda requests, _: ["PartResult"] * len(requests)),
}


def _left(done: DoneBlock, shows: frozenset[int], read: Callable[[RowColumns], Sequence[Any]]) -> Sequence[Any]:
    """Return what `read` returns for the rows that a block left; nulls if its status is not in `shows`."""
    if done.left is None or done.status not in shows:
        return [None] * len(done.block.parts)
    return read(done.left)


def _column(selection: Selection, key: str, name: str, catalog: Catalog, *, later: bool) -> Column:
    if name in _COLUMNS:
        return _COLUMNS[name]
    match name:
        case "payload":
            return _payloads(later=later)
        case "errors":
            return _errors(selection.below(key, "PartError"))
        case "item":
            return _items(selection, key, catalog)
        case _:
            raise NotCompilable(name)


def _payloads(*, later: bool) -> Column:
    """Return the column of payloads; if `later` is True, pages are created only when they are written."""
    of_part = _later(payload_of) if later else payload_of
    return Column(lambda _, outcomes: map(of_part, outcomes), lambda done: _left(done, SHOWS_ITEM, _write_payloads))


def _write_payloads(rows: RowColumns) -> Sequence[Any]:
    """Encode rows as payloads. Raises `CannotSerialize` if a value cannot be read."""
    if not rows.is_readable:
        raise CannotSerialize
    return to_payloads(rows)


def _later(read: Callable[[Done | Failed], Any]) -> Callable[[Done | Failed], Any]:
    """Wrap a reader so that pages are created only when they are written."""

    def of_part(outcome: Done | Failed) -> Any:
        is_page = isinstance(outcome, Done) and outcome.page is not None
        return Later(partial(read, outcome)) if is_page else read(outcome)

    return of_part


_OF_FAULT: Mapping[str, Callable[[Fault], Any]] = {
    "code": lambda fault: fault.code,
    "message": lambda fault: fault.message,
    "pointer": lambda fault: fault.pointer,
    "attributes": lambda fault: fault.attributes,
    "constraint": lambda fault: fault.constraint,
    "params": lambda fault: fault.params,
    "__typename": constant("PartError"),
}


def _errors(selection: Selection) -> Column:
    write = writer({key: _OF_FAULT[name] for key, name in fields(selection)})
    return Column(
        lambda _, outcomes: [
            [write(fault) for fault in faults_of(each)] if isinstance(each, Failed) else [] for each in outcomes
        ],
        lambda done: [[]] * len(done.block.parts),
    )


# --- an item


def _items(selection: Selection, key: str, catalog: Catalog) -> Column:
    resources = [resource for resource in catalog.resources.values() if resource.key]
    writers = {each.name: _item(selection.below(key, each.name), catalog) for each in resources}

    def write(row: Row | None) -> Any:
        return None if row is None else writers[row.resource.name](row)

    return Column(lambda _, outcomes: [write(row_of(each)) for each in outcomes])


def _item(selection: Selection, catalog: Catalog) -> Callable[[Row], Any]:
    return writer({key: _item_field(selection, name, catalog) for key, name in fields(selection)})


def _item_field(selection: Selection, name: str, catalog: Catalog) -> Callable[[Row], Any]:
    match name:
        case "path":
            return lambda row: format_path(row.resource, row)
        case "etag":
            return lambda row: row.etag
        case "__typename":
            return constant(selection.type.name)
        case _:
            attribute = catalog.resources[selection.type.name].attribute(name)
            if attribute is None:
                raise NotCompilable(name)
            return _attribute(attribute, completion(selection.type.fields[name].type))


def _attribute(attribute: Attribute, complete: Callable[[Any], Any]) -> Callable[[Row], Any]:
    type_, name = attribute.type, attribute.name
    return lambda row: complete(to_json(type_, row.values[name]))
