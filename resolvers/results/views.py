"""Conversion of outcomes into results: rows to items, faults to part errors, exceptions to request errors."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import repeat
from typing import Any
from uuid import uuid4

from graphql import GraphQLError
from graphql.validation.validate import ValidationAbortedError
from strawberry.types import Info

from resolvers.binding.path_grammar import format_path
from resolvers.binding.requests import PartRequest
from resolvers.binding.serialization import AS_THEY_ARE, is_json, no_value, to_json
from resolvers.documents.errors import in_words_of_json, pointer_into_variables
from resolvers.documents.limits import MOST_ERRORS, MOST_FAULTS
from resolvers.documents.selections import response_keys
from resolvers.documents.variables import and_more
from resolvers.results.json_objects import row_class, rows_of_columns
from resolvers.results.pieces import LARGE
from resolvers.results.resources_query import describe
from schema.aggregates import AggregateReaders
from schema.batch import BatchStatus, PartError
from schema.resources import Operation, PageInfo, Readers
from schema.scalars import JSON
from storage.allowance import too_large
from storage.batch.plan import rules
from storage.batch.plan.operations import SHOWS_ETAG, SHOWS_ITEM, Done, Failed, Outcome, Status
from storage.catalog.aggregation import COUNT, Aggregation, Function, result_type
from storage.catalog.model import Attribute, Catalog
from storage.connections.driver_errors import StatementRefused
from storage.errors import Fault, PartErrorCode, RequestError
from storage.reading import (
    MORE_OF_ITEM,
    Found,
    Item,
    ItemPage,
    Read,
    ReadPlan,
    count_items,
    resources_of,
    run_read,
    to_found,
)
from storage.rows.doubts import why_unread
from storage.rows.reader import RowReader
from storage.rows.row import Ambiguous, Row, RowColumns
from storage.sql import Unstorable

logger = logging.getLogger("partwise")

Place = tuple[str, str]
"""The keys of `parts` and of `item` or `items` in the response."""

_MANY_PARTS = 2_000


@dataclass(slots=True, kw_only=True)
class QueryAnswer:
    """The results and the errors of a query's fields, by response key."""

    found: Mapping[str, Read | Ambiguous]
    errors: Mapping[str, Exception] = field(default_factory=dict)
    size: int = 0  # bytes that were read
    left: float = math.inf  # bytes that could be read in addition
    most: float = field(init=False)  # bytes

    def __post_init__(self) -> None:
        self.most = self.size + self.left

    def field(self, key: str) -> Found:
        """Return what was read for a field, item by item. Raises the error of the field, or `QueryTooComplex`."""
        if key in self.errors:
            raise self.errors[key]
        found = self.found.get(key)
        if isinstance(found, Ambiguous):
            raise found
        self.left -= MORE_OF_ITEM * count_items(found)
        if self.left < 0:
            raise too_large(self.most - self.left, self.most)
        return to_found(found)


def read_each(rows: RowReader, plan: ReadPlan, savepoint: str) -> QueryAnswer:
    """Read each field of a query separately. If the database refuses a read, that is an error of its field only."""
    found: dict[str, Read | Ambiguous] = {}
    errors: dict[str, Exception] = {}
    for key, read in plan.items():
        try:
            found |= run_read(rows, {key: read})
        except (StatementRefused, Unstorable) as refused:
            rows.transaction.rollback_to(savepoint)
            errors[key] = why_unread(rows, refused, resources_of(read), read.items.resource)
    return QueryAnswer(found=found, errors=errors)


def row_of(outcome: Done | Failed) -> Row | None:
    """Return the row whose state is in the result of a part; None if the result does not have one."""
    if isinstance(outcome, Failed):
        return outcome.current
    return outcome.row if outcome.status in SHOWS_ITEM else None


def path_of(request: PartRequest, outcome: Done | Failed) -> str:
    """Return the item's canonical path, or the path as sent."""
    item = outcome.item if isinstance(outcome, Failed) else outcome.row
    try:
        return request.path if item is None else format_path(item.resource, item)
    except GraphQLError:  # an item whose key cannot be read does not have a canonical path
        return request.path


def status_of(outcome: Done | Failed) -> int:
    """Return the HTTP status of a part; if it failed, the status of its first fault."""
    return outcome.faults[0].status if isinstance(outcome, Failed) else outcome.status


def etag_of(outcome: Done | Failed) -> str | None:
    """Return the etag of the item in the result, or of an item that has not changed (304)."""
    row = outcome.row if isinstance(outcome, Done) and outcome.status in SHOWS_ETAG else row_of(outcome)
    return None if row is None else row.etag


def payload_of(outcome: Done | Failed) -> Any:
    """Return the payload of a part: the attributes of its item, or the items of a collection."""
    if isinstance(outcome, Done) and outcome.page is not None:
        found = outcome.page.found
        is_plain = isinstance(found, RowColumns) and found.is_readable
        items = to_payloads(found) if is_plain else [to_payload(row) for row in outcome.page.rows]  # type: ignore[arg-type]  # `is_plain` tests it
        return {"items": items, "hasMore": outcome.page.has_more}
    row = row_of(outcome)
    return None if row is None else to_payload(row)


def to_payload(row: Row) -> dict[str, Any]:
    """Encode all attributes of a row as JSON. Raises `GraphQLError` if a value cannot be read."""
    values = row.values
    return {
        name: value if (value := values[name]).__class__ in AS_THEY_ARE else to_json(attribute.type, value)
        for name, attribute in row.resource.attributes.items()
    }


def to_payloads(rows: RowColumns) -> list[Any]:
    """Encode all attributes of readable rows as JSON, column by column."""
    attributes = rows.resource.attributes
    columns = [
        rows.columns[name]
        if is_json(attribute.type)
        else [to_json(attribute.type, value) for value in rows.columns[name]]
        for name, attribute in attributes.items()
    ]
    return rows_of_columns(_payload_class(tuple(attributes)), columns, len(rows))


@cache  # one entry for each resource
def _payload_class(names: tuple[str, ...]) -> Callable[..., Any]:
    return row_class(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """The result of one part. Only the fields that are selected are computed."""

    request: PartRequest
    outcome: Done | Failed
    found: Mapping[Place, Item | list[Item] | None]  # its items with the relations that were read

    @property
    def id(self) -> str:
        """The part's id."""
        return self.request.id

    @property
    def index(self) -> int:
        """The index of the part in the request."""
        return self.outcome.index

    @property
    def operation(self) -> Operation:
        """The operation of the part."""
        return Operation(self.request.verb.value)

    @property
    def path(self) -> str:
        """The item's canonical path, or the path as sent."""
        return path_of(self.request, self.outcome)

    @property
    def status(self) -> int:
        """The HTTP status of the part."""
        return status_of(self.outcome)

    @property
    def precondition_succeeded(self) -> bool | None:
        """True if the preconditions held; None if there were none, or if they were not evaluated."""
        return self.outcome.precondition

    @property
    def etag(self) -> str | None:
        """The etag of the item."""
        return etag_of(self.outcome)

    @property
    def payload(self) -> Any:
        """The attributes of the item, or the items of the collection."""
        return payload_of(self.outcome)

    @property
    def errors(self) -> list[PartError]:
        """The errors of the part."""
        return [_to_error(fault) for fault in faults_of(self.outcome)] if isinstance(self.outcome, Failed) else []

    def items(self, place: Place) -> Item | list[Item] | None:
        """Return the item of the result, or the items of its collection, with the selected relations."""
        if place in self.found:
            return self.found[place]
        if isinstance(self.outcome, Done) and self.outcome.page is not None:
            return [Item(row=row) for row in self.outcome.page.rows]
        row = row_of(self.outcome)
        return None if row is None else Item(row=row)


def faults_of(outcome: Failed) -> Sequence[Fault]:
    """Return the faults of a part, at most `MOST_FAULTS`; the message of the last states how many more there are."""
    more = outcome.unlisted + max(len(outcome.faults) - MOST_FAULTS, 0)
    if not more:
        return outcome.faults
    *others, last = outcome.faults[:MOST_FAULTS]
    return [*others, replace(last, message=and_more(last.message, more))]


def _to_error(fault: Fault) -> PartError:
    return PartError(
        code=fault.code,
        message=fault.message,
        pointer=fault.pointer,
        attributes=list(fault.attributes),
        constraint=fault.constraint,
        params=None if fault.params is None else JSON(fault.params),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """The result of a batch. Only the fields that are selected are computed."""

    requests: Sequence[PartRequest]
    outcome: Outcome
    items: Mapping[Place, Mapping[int, Item | list[Item]]] = field(default_factory=dict)  # by part
    queries: Mapping[str, QueryAnswer] = field(default_factory=dict)  # by response key
    size: int = 0  # bytes that were read for it

    @property
    def is_large(self) -> bool:
        """True if the response takes too long to write on the event loop."""
        return self.size > LARGE or len(self.outcome.parts) > _MANY_PARTS

    @property
    def status(self) -> BatchStatus:
        """The outcome of the batch."""
        return BatchStatus(self.outcome.status.value)

    @property
    def committed(self) -> bool:
        """True if the batch was committed."""
        return self.outcome.status is Status.COMMITTED

    @property
    def replayed(self) -> bool:
        """True if the batch was committed before, with the same idempotency key."""
        return self.outcome.replayed

    @property
    def parts(self) -> list[PartView]:
        """The results of the parts."""
        return [
            PartView(
                request=self.requests[part.index],
                outcome=part,
                found={place: items.get(part.index) for place, items in self.items.items()},
            )
            for part in self.outcome.parts
        ]


def rows_of(outcome: Outcome) -> dict[int, Row | list[Row]]:
    """Return the rows whose state is in the result, by part: its row, or the rows of its collection."""
    rows: dict[int, Row | list[Row]] = {}
    for part in outcome.parts:
        if isinstance(part, Done) and part.page is not None:
            rows[part.index] = list(part.page.rows)
        elif (row := row_of(part)) is not None:
            rows[part.index] = row
    return rows


# --- readers of the schema's fields


def readers(catalog: Catalog, root: Any) -> Readers:
    """Return the functions that read the fields of items; `root` reads those of Query."""
    return Readers(
        attribute=_attribute_reader,
        path=lambda item: format_path(item.row.resource, item.row),
        etag=lambda item: item.row.etag,
        related=_related,
        nodes=lambda page: page.items,
        edges=_edges,
        page_info=_page_info,
        total=lambda page: page.total,
        aggregates=AggregateReaders(
            aggregate=lambda page: page.summary.aggregate,
            count=lambda aggregate: aggregate.value(COUNT),
            value=_aggregated_reader,
            groups=lambda page, info: page.summary.groups[str(response_keys(info)[-1])],
            key=_group_key_reader,
        ),
        root=root,
        describe=lambda type_name: describe(catalog, type_name),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An item of a page, with its cursor."""

    node: Item
    cursor: str


def _edges(page: ItemPage) -> list[Edge]:
    cursors = page.cursors or repeat("")  # placeholders if no cursor is selected
    nodes = (Item(row=item.row, related=item.related, in_edge=True) for item in page.items)
    return [Edge(node=node, cursor=cursor) for node, cursor in zip(nodes, cursors, strict=False)]


def _page_info(page: ItemPage) -> PageInfo:
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=page.cursors[0] if page.cursors else None,
        end_cursor=page.cursors[-1] if page.cursors else None,
    )


def _attribute_reader(attribute: Attribute, enum: Any) -> Any:
    def read(root: Any) -> Any:
        row = root.row
        value = to_json(attribute.type, row.values[attribute.name])
        if value is None and not attribute.nullable:
            raise no_value(attribute, in_key=attribute.name in row.resource.key)
        return value if enum is None else _members(enum, value)

    return read


def _aggregated_reader(function: Function, attribute: Attribute, enum: Any) -> Any:
    aggregation, type_ = Aggregation(function, attribute.name), result_type(function, attribute.type)
    assert type_ is not None  # noqa: S101  # the schema has the field

    def read(root: Any) -> Any:
        value = to_json(type_, root.value(aggregation))
        return value if enum is None else _members(enum, value)

    return read


def _group_key_reader(attribute: Attribute, enum: Any) -> Any:
    def read(root: Any) -> Any:
        value = to_json(attribute.type, root.keys.get(attribute.name))
        return value if enum is None else _members(enum, value)

    return read


def _members(enum: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_members(enum, each) for each in value]
    return None if value is None else enum(value)


def _related(item: Item, info: Info) -> Item | ItemPage | None:
    return item.related[relation_key(response_keys(info), in_edge=item.in_edge)]


def relation_key(keys: Sequence[str | int], *, in_edge: bool = False) -> str:
    """Return the name of a relation in the plan, given its path in the response.

    Below a list, or the node of an edge in a list, the keys of these are its prefix.
    """
    last, *above = reversed(keys)
    if in_edge:
        node, _, edges, *_ = above
        return f"{edges}/{node}/{last}"
    return f"{above[1]}/{last}" if above and isinstance(above[0], int) else str(last)


# --- errors


def to_wire_errors(errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
    """Convert the errors of a request that was not executed, at most `MOST_ERRORS`.

    The message of the last one states how many more there are.
    """
    written = [to_wire_error(error) for error in errors[:MOST_ERRORS]]
    if len(errors) > MOST_ERRORS:
        given_up = isinstance(errors[-1], ValidationAbortedError)
        written[-1]["message"] = and_more(written[-1]["message"], len(errors) - MOST_ERRORS, at_least=given_up)
    return written


def to_wire_error(error: GraphQLError) -> dict[str, Any]:
    """Convert a GraphQL error for the client.

    An exception that is not in the catalog of errors is logged, and becomes INTERNAL with the id of its log entry.
    """
    original = error.original_error
    formatted: dict[str, Any] = dict(error.formatted)
    if isinstance(original, RequestError):
        formatted["message"] = str(original)
        formatted["extensions"] = {"code": original.code}
    elif isinstance(original, Ambiguous):
        formatted["message"] = rules.in_words(original)
        formatted["extensions"] = {"code": PartErrorCode.CONFLICT.value}
    elif original is not None and not isinstance(original, GraphQLError):
        number = uuid4().hex
        logger.error("Internal error %s", number, exc_info=original)
        formatted["message"] = f"Something went wrong on the server. Its log has more under {number}."
        formatted["extensions"] = {"code": "INTERNAL", "id": number}
    elif "code" not in formatted.get("extensions", {}):
        formatted["message"] = in_words_of_json(error.message)
        pointer = pointer_into_variables(error.message)
        where = {} if pointer is None else {"pointer": pointer}
        formatted["extensions"] = {"code": "BAD_REQUEST", **where}
    return formatted
