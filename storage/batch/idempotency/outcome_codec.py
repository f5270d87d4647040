"""Encodes outcomes of committed batches as text, and decodes them when an idempotency key is used again.

Rows are encoded as columns, by the names of tables and columns, because names of the API may change. Values are decoded
by the attributes' present types. A value that is missing, or that no longer matches its type, is `Unreadable`.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, Optional, assert_never
from uuid import UUID

import msgspec
from msgspec import Meta

from storage.any_values import from_any_json, to_any_json
from storage.batch.plan.blocks import DoneBlocks
from storage.batch.plan.operations import SHOWS_ETAG, SHOWS_ITEM, Done, Failed, Outcome, Status
from storage.catalog.model import Attribute, Catalog, Resource
from storage.catalog.types import (
    Anything,
    Array,
    Boolean,
    Bytes,
    Date,
    DateTime,
    Enumeration,
    Float,
    Integer,
    JsonDocument,
    Numeric,
    Opaque,
    Text,
    Time,
    Unreadable,
    Uuid,
    Value,
    ValueType,
)
from storage.json_text import TypedDecoder, decode_json, encode_json, encode_json_bytes, typed_decoder
from storage.rows.row import Row, RowPage
from storage.sql import Columns

_Place = tuple[int, int]
"""The location of a row: the index of its table, and its index in the table."""


class _Table(msgspec.Struct, kw_only=True):
    """Rows of one table."""

    table: str
    columns: dict[str, msgspec.Raw]  # column -> a list of values, or a text that contains such a list
    unreadable: dict[str, dict[int, str]]  # column -> index of the row -> reason
    etags: Sequence[str]


class _Page(msgspec.Struct, kw_only=True):
    """The rows that a part has read from a collection."""

    rows: list[_Place]
    has_more: bool


class _Stored(msgspec.Struct, kw_only=True):
    """An outcome: columns of its parts, in request order."""

    statuses: Sequence[int]
    preconditions: Sequence[bool | None]
    rows: Sequence[_Place | None]
    pages: dict[int, _Page]  # by part
    tables: list[_Table]


_decoder = msgspec.json.Decoder(_Stored)


# --- to text


def encode_outcome(parts: Sequence[Done | Failed]) -> str:
    """Encode the outcomes of the parts of a batch that will be committed; all values of their rows must be known."""
    return encode_json(_of_blocks(parts) if isinstance(parts, DoneBlocks) else _of_parts(parts))


def _of_blocks(parts: DoneBlocks) -> _Stored:
    places: list[_Place | None] = [None] * len(parts)
    tables: list[_Table] = []
    for each in parts.blocks:
        if each.left is None:
            continue
        for number, part in enumerate(each.block.parts):
            places[part] = len(tables), number
        resource, columns = each.left.resource, each.left.columns
        stored = columns if each.status in SHOWS_ITEM else {name: columns[name] for name in resource.key}
        etags = each.left.etags if each.status in SHOWS_ETAG else [""] * len(each.left)
        tables.append(_table(resource, stored, etags))
    return _Stored(
        statuses=parts.column(lambda done: [done.status] * len(done.block.parts)),
        preconditions=parts.column(lambda done: done.block.preconditions),
        rows=places,
        pages={},
        tables=tables,
    )


def _of_parts(parts: Sequence[Done | Failed]) -> _Stored:
    found = _Found()
    done = [each for each in parts if isinstance(each, Done)]
    return _Stored(
        statuses=[each.status for each in done],
        preconditions=[each.precondition for each in done],
        rows=[None if each.row is None else found.add(each.row, each.status) for each in done],
        pages={
            each.index: _Page(rows=[found.add(row, each.status) for row in each.page.rows], has_more=each.page.has_more)
            for each in done
            if each.page is not None
        },
        tables=found.tables(),
    )


class _Found:
    """Rows, grouped by their table and by the values that are stored of them: all, or only the key (for the path)."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, bool], list[tuple[Row, str]]] = {}
        self._numbers: dict[tuple[str, bool], int] = {}  # indexes of the tables

    def add(self, row: Row, status: int) -> _Place:
        """Add a row; return its location."""
        kind = row.resource.name, status in SHOWS_ITEM
        number = self._numbers.setdefault(kind, len(self._numbers))
        rows = self._rows.setdefault(kind, [])
        rows.append((row, row.etag if status in SHOWS_ETAG and row.resource.key else ""))
        return number, len(rows) - 1

    def tables(self) -> list[_Table]:
        """Return the rows as tables of columns."""
        tables = []
        for (_, shows_item), found in self._rows.items():
            resource = found[0][0].resource
            names = resource.attributes if shows_item else resource.key
            columns = {name: [row.values[name] for row, _ in found] for name in names}
            tables.append(_table(resource, columns, [etag for _, etag in found]))
        return tables


def _table(resource: Resource, columns: Columns, etags: Sequence[str]) -> _Table:
    unreadable: dict[str, dict[int, str]] = {}
    raws: dict[str, msgspec.Raw] = {}
    for name, values in columns.items():
        column, readable = resource.attributes[name].column, values
        if Unreadable in map(type, values):
            unreadable[column] = {n: each.reason for n, each in enumerate(values) if isinstance(each, Unreadable)}
            readable = [None if isinstance(each, Unreadable) else each for each in values]
        if isinstance(resource.attributes[name].type, Anything):
            readable = [each if each is None else to_any_json(each) for each in readable]  # type: ignore[arg-type]  # of its four classes
        raws[column] = _list(readable)
    return _Table(table=resource.table, columns=raws, unreadable=unreadable, etags=etags)


def _list(values: Sequence[Value]) -> msgspec.Raw:
    try:
        return msgspec.Raw(encode_json(list(values)).encode())
    except UnicodeEncodeError:  # a half of a surrogate pair, which msgspec neither writes nor reads
        return msgspec.Raw(encode_json(f"[{','.join(encode_json_bytes(each).decode() for each in values)}]").encode())


# --- from text


def decode_outcome(text: str, catalog: Catalog) -> Outcome:
    """Decode what `encode_outcome` has encoded; a row of a table that is no longer served is omitted."""
    stored = _decoder.decode(text)
    by_table = {resource.table: resource for resource in catalog.resources.values()}
    rows = [list(_read_rows(each, by_table.get(each.table))) for each in stored.tables]

    def at(place: _Place) -> Row | None:
        table, number = place
        return rows[table][number] if rows[table] else None

    def page(stored: _Page) -> RowPage | None:
        found = [at(place) for place in stored.rows]
        known = [row for row in found if row is not None]
        return RowPage(found=known, has_more=stored.has_more) if len(known) == len(found) else None

    parts = [
        Done(
            index=index,
            status=status,
            row=None if place is None else at(place),
            page=page(stored.pages[index]) if index in stored.pages else None,
            precondition=precondition,
        )
        for index, (status, place, precondition) in enumerate(
            zip(stored.statuses, stored.rows, stored.preconditions, strict=True)
        )
    ]
    return Outcome(status=Status.COMMITTED, parts=parts, replayed=True)


def _read_rows(stored: _Table, resource: Resource | None) -> Iterable[Row]:
    if resource is None:
        return
    columns = [_read_column(stored, attribute) for attribute in resource.attributes.values()]
    for etag, *values in zip(stored.etags, *columns, strict=True):
        yield Row(resource=resource, values=dict(zip(resource.attributes, values, strict=True)), etag=etag)


def _read_column(stored: _Table, attribute: Attribute) -> Sequence[Value]:
    if attribute.column not in stored.columns:
        return [_lost(attribute)] * len(stored.etags)
    raw, read = stored.columns[attribute.column], _reader(attribute.type)
    try:
        values: list[Value] = read.decode(raw)
        if isinstance(attribute.type, Anything):
            values = [None if each is None else from_any_json(each) for each in values]
    except (msgspec.DecodeError, ValueError):
        found = decode_json(bytes(raw).decode())
        each_of = decode_json(found) if isinstance(found, str) else found
        values = [None if each is None else _converted(attribute, each) for each in each_of]
    for number, reason in stored.unreadable.get(attribute.column, {}).items():
        values[number] = Unreadable(reason=reason)
    return values


def _converted(attribute: Attribute, value: Any) -> Value:
    """Decode a value of a column in which some values do not match the type."""
    plain = isinstance(attribute.type, JsonDocument | Text | Opaque)
    if _is_json(attribute.type) and isinstance(value, list):
        return value  # any JSON; msgspec may not keep all digits of it
    try:
        if isinstance(value, str) and plain:
            return value  # also half of a surrogate pair, which msgspec does not read
        if isinstance(attribute.type, Anything):
            return from_any_json(value)
        found: Value = _reader(attribute.type).decode(encode_json_bytes([value]))[0]
    except (msgspec.DecodeError, ValueError):
        return value if isinstance(attribute.type, JsonDocument) else _lost(attribute)
    return found


def _lost(attribute: Attribute) -> Unreadable:
    return Unreadable(
        reason=f"The value of {attribute.name} when the batch ran is no longer available, "
        "because its column has changed since then."
    )


@lru_cache(maxsize=256)
def _reader(type_: ValueType) -> TypedDecoder:
    each: Any = Optional[_python_type(type_)]  # noqa: UP045  # built at run time; `|` is not for Any
    return typed_decoder(list.__class_getitem__(each), keeps_minus_zero=_is_json(type_))


def _is_json(type_: ValueType) -> bool:
    """Return True if values are JSON documents, or lists of them."""
    return isinstance(type_.of if isinstance(type_, Array) else type_, JsonDocument)


def _python_type(type_: ValueType) -> Any:  # a table of types
    match type_:
        case Integer():
            return Annotated[int, Meta(ge=type_.smallest, le=type_.largest)]
        case Float():
            return float
        case Numeric():
            return Decimal
        case Boolean():
            return bool
        case Enumeration(labels=labels) if labels:
            return Literal[labels]
        case Text() | Enumeration() | Opaque():
            return str
        case Bytes():
            return bytes
        case Date():
            return date
        case Time():
            return Annotated[time, Meta(tz=False)]
        case DateTime(aware=aware):
            return Annotated[datetime, Meta(tz=aware)]
        case Uuid():
            return UUID
        case JsonDocument() | Anything():
            return Any
        case Array(of=of):
            return list[Optional[_python_type(of)]]  # type: ignore[misc]  # noqa: UP045  # `|` is not for Any
        case _:
            assert_never(type_)
