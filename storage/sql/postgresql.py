"""SQL for PostgreSQL, and psycopg's conversion of values."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.types import datetime as dates

from storage.catalog.aggregation import Function
from storage.catalog.model import Attribute, Generation, Resource
from storage.catalog.types import (
    Array,
    Boolean,
    BrokenText,
    Bytes,
    Date,
    DateTime,
    Enumeration,
    ExactFloat,
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
    is_utf_8,
)
from storage.json_text import decode_json, decode_normal, encode_json
from storage.sql.codec import Unstorable, is_document, unreadable, unwritable
from storage.sql.common import Columns, KeyTuple, Statements
from storage.sql.conditions import Operator
from storage.sql.fragments import Sql, join
from storage.sql.sources import AllRows, BulkStatement, Purpose, Statement, statement

# Types whose values are read back unchanged, once they have passed our own validation.
_KEPT = frozenset(
    {
        *("smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "text", "bytea", "uuid"),
        *("character varying", "date", "time without time zone"),
        *("timestamp without time zone", "timestamp with time zone"),
    }
)

_TABLES_NOW = """
SELECT named.own, c.relkind IN ('v', 'm'), c.relispopulated, a.attname::text, format_type(a.atttypid, NULL),
       a.attgenerated <> '' OR a.attidentity = 'a'
FROM unnest(%s::text[], %s::text[]) AS named (own, quoted) LEFT JOIN pg_class c ON c.oid = to_regclass(named.quoted)
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
"""
# The privileges among those asked for that our role lacks: on columns, on a table, on sequences.
_RIGHTS_MISSING = """
SELECT current_user::text, asked.privilege, asked.name
FROM unnest(%s::text[], %s::text[]) AS asked (privilege, name) CROSS JOIN (SELECT to_regclass(%s)::oid AS oid) AS own
LEFT JOIN pg_attribute a ON a.attrelid = own.oid AND a.attname = asked.name
WHERE NOT coalesce(CASE
  WHEN asked.privilege = 'USAGE' THEN has_sequence_privilege(asked.name, 'USAGE, UPDATE')
  WHEN asked.name IS NULL AND asked.privilege = 'DELETE' THEN has_table_privilege(own.oid, 'DELETE')
  WHEN asked.name IS NULL THEN has_any_column_privilege(own.oid, asked.privilege)
  ELSE has_column_privilege(own.oid, a.attnum, asked.privilege) END, false)
"""

# Types whose name without a length means a length of one, so that a cast would truncate.
_WITHOUT_LENGTH = {"character": "bpchar", "bit": "bit varying"}

_NARROW = frozenset({"smallint", "integer"})  # an index on them can be used for a bigint, too

_CONTAINMENT = {
    Operator.EQ: "=",
    Operator.NE: "<>",
    Operator.CONTAINS: "@>",
    Operator.CONTAINED_IN: "<@",
    Operator.OVERLAPS: "&&",
}
_WITHIN_TEXT = {
    Operator.LIKE: "{column} LIKE %s::text",
    Operator.ILIKE: "{column} ILIKE %s::text",
    Operator.STARTS_WITH: "starts_with({column}, %s::text)",
    Operator.ENDS_WITH: "right({column}, length(%s::text)) = %s::text",
    Operator.CONTAINS: "strpos({column}, %s::text) > 0",
}


class PostgresqlStatements(Statements):
    """The statements for PostgreSQL."""

    mark = "%s"
    rewrites_opaque = True
    lock_to_keep = " FOR SHARE"
    lock_to_change = " FOR NO KEY UPDATE"

    def placeholder(self, attribute: Attribute) -> str:
        return f"%s::{self._type(attribute)}"

    def _type(self, attribute: Attribute) -> str:
        base, brackets, rest = attribute.sql_type.partition("[")
        return (_WITHOUT_LENGTH.get(base, base) + brackets + rest).replace("%", "%%")

    def _sought_type(self, attribute: Attribute) -> str:
        """Return the type of values that are searched for: a parent's key may be wider than the foreign key."""
        return "bigint" if attribute.sql_type in _NARROW else self._type(attribute)

    def tables_now(self, resources: Collection[Resource]) -> Statement:
        names = [resource.table for resource in resources]
        quoted = [self._regclass(resource) for resource in resources]
        return statement(Sql(_TABLES_NOW, (names, quoted)))

    def rights_missing(self, resource: Resource, asked: Sequence[tuple[str, str | None]]) -> Statement:
        """Return the query of the privileges that our role lacks.

        Each is on a column, on a sequence (USAGE), or on the table.
        """
        privileges, names = [privilege for privilege, _ in asked], [name for _, name in asked]
        return statement(Sql(_RIGHTS_MISSING, (privileges, names, self._regclass(resource))))

    def _regclass(self, resource: Resource) -> str:
        return '"' + resource.table.replace('"', '""') + '"'

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""').replace("%", "%%") + '"'

    def verbatim(self, sql: str) -> str:
        """Return SQL from the database with its percent signs doubled, because psycopg reads them as placeholders."""
        return sql.replace("%", "%%")

    def read_expression(self, attribute: Attribute, prefix: str = "") -> str:
        column = prefix + self.quote(attribute.column)
        match attribute.type:
            case Opaque():  # by the type's own output function, because a cast of inet to text would add a mask
                return f"CASE WHEN {column} IS NOT NULL THEN concat({column}) END"
            case Enumeration():  # to JSON by its own cast, if the database has one
                return f"{column}::text"
            case Array(of=Enumeration()):  # psycopg does not support arrays of user-defined types
                return f"{column}::text[]"
            case _:
                return column

    def sort_expression(self, attribute: Attribute, prefix: str) -> str:
        column = super().sort_expression(attribute, prefix)
        # Values are passed with their lengths, as bit varying, and arrays of the two types cannot be compared.
        return f"{column}::bit varying[]" if attribute.sql_type == "bit[]" else column

    def position_expression(self, attribute: Attribute, prefix: str) -> str:
        # As text, which can represent values that Python cannot: infinite dates, and numbers of any length.
        return f"{self.sort_expression(attribute, prefix)}::text"

    def packed_type(self, type_: ValueType) -> Any:
        match type_:
            case Integer(smallest=smallest, largest=largest):
                return Annotated[int, msgspec.Meta(ge=smallest, le=largest)]
            case Boolean():
                return bool
            case Enumeration(labels=labels):
                return Literal[labels] if labels else None
            case Text(padded=False) | Opaque():
                return str
            case _:
                return None

    def packed_position_type(self, type_: ValueType) -> Any:  # noqa: ARG002  # SQLite's depend on it
        return str

    def array_of(self, column: str) -> str:
        return f"json_agg({column})::text"

    def as_at_start(self, resource: Resource, attributes: Sequence[str]) -> str:
        # By the table's row type, which only costs planning time: 3 µs of 600 for a page of 1,000 rows.
        schema = "" if resource.schema is None else f"{self.quote(resource.schema)}."
        row = f"NULL::{schema}{self.quote(resource.table)}"
        own = [resource.attributes[name] for name in attributes]
        return " AND ".join(
            f"pg_typeof(({row}).{self.quote(a.column)}) = pg_typeof(NULL::{self._type(a)})" for a in own
        )

    def position(self, attribute: Attribute, raw: Any) -> Sql:
        if not isinstance(raw, str) or "\x00" in raw:  # a cursor that the server did not create
            raise Unstorable(attribute.name, "has no such value.")
        if not is_utf_8(raw):
            broken = raw.encode("utf-8", "surrogateescape")
            return Sql(f"convert_from(%s::bytea, 'SQL_ASCII')::{self._type(attribute)}", (broken,))
        return super().position(attribute, raw)

    def sum_expression(self, attribute: Attribute, prefix: str) -> str:
        column = prefix + self.quote(attribute.column)
        if isinstance(attribute.type, Float):  # a sum of doubles depends on their order; a cast to numeric would round
            return f"sum({column}::text::numeric)"
        return f"sum({column})"

    def extreme_expression(self, function: Function, attribute: Attribute, prefix: str) -> str:
        column = prefix + self.quote(attribute.column)
        match attribute.type:
            case Boolean():
                return f"{'bool_and' if function is Function.MIN else 'bool_or'}({column})"
            case Uuid():  # PostgreSQL 18 is the first version with min and max of uuid
                return f'{function.value}({column}::text COLLATE "C")::uuid'
            case _:
                return super().extreme_expression(function, attribute, prefix)

    def holds(self, attribute: Attribute, prefix: str, operator: Operator, value: Value) -> Sql:
        column = self.sort_expression(attribute, prefix)
        match attribute.type:
            case JsonDocument() if operator is Operator.HAS_KEY:
                return Sql(f"jsonb_exists({column}::jsonb, %s::text)", (value,))
            case JsonDocument():
                sql = f"{column}::jsonb {_CONTAINMENT[operator]} %s::jsonb"
                return Sql(sql, (self.encode(attribute, value),))
            case Array():
                sql = f"{column} {_CONTAINMENT[operator]} {self.placeholder(attribute)}"
                return Sql(sql, (self.encode(attribute, value),))
            case _:
                text = _WITHIN_TEXT[operator]
                return Sql(text.format(column=f"{column}::text"), (value,) * text.count("%s"))

    def set_default(self, attribute: Attribute) -> str:  # noqa: ARG002  # PostgreSQL knows the default
        return "DEFAULT"

    def no_values(self) -> str:
        return "DEFAULT VALUES"

    def among(
        self, resource: Resource, attributes: Sequence[str], tuples: Sequence[Sequence[Value]], prefix: str = ""
    ) -> Sql:
        own = [resource.attributes[name] for name in attributes]
        arrays = tuple(self._array(a, [each[n] for each in tuples]) for n, a in enumerate(own))
        if len(own) == 1:
            column = prefix + self.quote(own[0].column)
            return Sql(f"{column} = ANY(%s::{self._sought_type(own[0])}[])", arrays)
        columns = ", ".join(prefix + self.quote(attribute.column) for attribute in own)
        casts = ", ".join(f"%s::{self._sought_type(attribute)}[]" for attribute in own)
        return Sql(f"({columns}) IN (SELECT * FROM unnest({casts}))", arrays)

    def listed(self, attributes: Sequence[Attribute], tuples: Sequence[Sequence[Value]]) -> Sql:
        arrays = tuple(self._array(a, [each[n] for each in tuples]) for n, a in enumerate(attributes))
        casts = ", ".join(f"%s::{self._type(attribute)}[]" for attribute in attributes)
        values = ", ".join(f"v{n}" for n in range(len(attributes)))
        numbered = f"SELECT number - 1 AS place, {values} FROM unnest({casts}) WITH ORDINALITY AS u({values}, number)"
        return Sql(f"({numbered}) AS listed", arrays)

    def load(
        self,
        resource: Resource,
        keys: Mapping[tuple[str, ...], Sequence[KeyTuple]],
        lock: str = "",
        attributes: Sequence[str] | None = None,
    ) -> Iterator[Statement]:
        conditions = [self.among(resource, names, tuples) for names, tuples in keys.items() if tuples]
        where = join(" OR ", conditions)
        found = self.select(resource, where, attributes=attributes, in_key_order=True)
        yield found.locked(f" {lock}" if lock else "")

    def are_values(self, attribute: Attribute, raws: Sequence[Any], classes: set[type]) -> bool:
        match attribute.type:
            case Integer(bits=64) if classes <= {int}:  # PostgreSQL's largest integers
                return True
            case Integer(smallest=smallest, largest=largest) if classes <= {int}:
                given = [raw for raw in raws if raw is not None] if None in raws else raws
                return not given or (min(given) >= smallest and max(given) <= largest)
            case Enumeration(labels=labels) if classes <= {str}:
                return {None, *labels}.issuperset(raws)
            case Float() if classes <= {float}:
                return all(map(math.isfinite, filter(None, raws)))
            case DateTime(aware=False) if classes <= {datetime}:
                return {raw.tzinfo for raw in raws if raw is not None} <= {None}
            case JsonDocument():
                return classes <= _DOCUMENTS
            case Boolean() | Bytes() | Uuid() | Opaque() | Date() | Text(padded=False) as type_:
                return classes <= {_CLASSES[type(type_)]}  # psycopg returns the types that we use
            case _:
                return not classes

    def keeps_equal(self, attribute: Attribute) -> bool:
        # A document has many forms in json, and null has two in jsonb: its own, and that of SQL.
        return is_document(attribute.type)

    def round_trips(self, attribute: Attribute) -> bool:
        return attribute.sql_type in _KEPT or isinstance(attribute.type, Enumeration)

    def stored_form(self, attribute: Attribute, value: Value) -> Any:  # noqa: ARG002  # psycopg reads a value as it was written
        return value

    def insert_many(self, resource: Resource, columns: Columns) -> Iterator[BulkStatement]:
        own = [resource.attributes[name] for name in columns]
        names = ", ".join(self.quote(attribute.column) for attribute in own)
        by_us = any(attribute.generation is Generation.ALWAYS for attribute in own)
        overriding = " OVERRIDING SYSTEM VALUE" if by_us else ""
        for given in self._sources(own, [*columns.values()]):
            writing = self.writing()
            table = writing.source(resource, AllRows.INSERT_TARGET)
            yield writing.bulk(f"INSERT INTO {table} ({names}){overriding} SELECT * FROM ", given)

    def update_many(
        self,
        resource: Resource,
        columns: Columns,
        keys: Sequence[KeyTuple],
        *,
        by: Sequence[str] = (),
        defaults: Collection[str] = (),
        kept: Collection[str] = (),
        counted: str | None = None,
    ) -> Iterator[BulkStatement]:
        by = by or resource.key
        own = [resource.attributes[name] for name in (*columns, *by)]
        given = (f"{self.column(resource, name)} = given.c{n}" for n, name in enumerate(columns))
        terms = self._set(resource, given, defaults, kept, counted)
        numbered = enumerate(by, len(columns))
        key = " AND ".join(f"own.{self.column(resource, name)} = given.c{n}" for n, name in numbered)
        for source in self._sources(own, [*columns.values(), *zip(*keys, strict=True)]):
            writing = self.writing()
            table = writing.source(resource, Purpose.UPDATE, "own")
            where = writing.with_rule(Sql(key), "own")
            yield writing.bulk(f"UPDATE {table} SET {terms} FROM ", source, " WHERE ", where)

    def returning(self, resource: Resource, update: BulkStatement) -> Statement:
        """Return an UPDATE of many rows that returns their new values, in no particular order."""
        every = ", ".join(f"own.{self.quote(each.column)}" for each in resource.attributes.values())
        written = update.statement.returning(every)
        return written.within("WITH written AS (", f") SELECT {self.row_list(resource)} FROM written")

    def delete_many(
        self, resource: Resource, keys: Sequence[KeyTuple], *, by: Sequence[str] = ()
    ) -> Iterator[BulkStatement]:
        writing = self.writing()
        table = writing.source(resource, Purpose.DELETE)
        where = writing.with_rule(self.among(resource, by or resource.key, keys), table)
        yield writing.bulk(f"DELETE FROM {table} WHERE ", where)

    def _sources(self, own: Sequence[Attribute], columns: Sequence[Sequence[Value]]) -> Iterator[Sql]:
        """Return rows as a table `given` with columns c0, c1 …, from arrays, each of which counts as one parameter."""
        names = ", ".join(f"c{n}" for n in range(len(own)))
        if not any(isinstance(attribute.type, Array) for attribute in own):  # an array of arrays would be flattened
            arrays = ", ".join(f"%s::{self._type(attribute)}[]" for attribute in own)
            params = tuple(self._array(attribute, column) for attribute, column in zip(own, columns, strict=True))
            yield Sql(f"unnest({arrays}) AS given ({names})", params)
            return
        places = f"({', '.join(self.placeholder(attribute) for attribute in own)})"
        rows, size = [*zip(*columns, strict=True)], max(1, self.most_parameters // len(own))
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            values = tuple(
                self.encode(attribute, value) for row in chunk for attribute, value in zip(own, row, strict=True)
            )
            yield Sql(f"(VALUES {', '.join([places] * len(chunk))}) AS given ({names})", values)

    def _array(self, attribute: Attribute, values: Sequence[Value]) -> Any:
        """Return the values of an array, as text or as a list.

        Text is used if the type is simple (measured: 3 times as fast as psycopg's own conversion).
        """
        match attribute.type:
            case Integer():
                return _numbers(values)
            case Text() | Enumeration():
                return _texts(values)
            case _:
                return [self.encode(attribute, value) for value in values]

    def is_read(self, attribute: Attribute, value: Value) -> Statement:
        """Return a statement in which the database parses a value and discards it."""
        return statement(Sql(f"SELECT {self.placeholder(attribute)} IS NULL", (self.encode(attribute, value),)))

    def new_keys(self, attribute: Attribute, count: int) -> Statement | None:
        """Return the query that generates keys as the database would, or None without a sequence or default."""
        if attribute.sequence is not None:
            return statement(
                Sql("SELECT nextval(%s::regclass) FROM generate_series(1, %s)", (attribute.sequence, count))
            )
        if attribute.default_sql is not None:
            made = attribute.default_sql.replace("%", "%%")
            return statement(Sql(f"SELECT {made} FROM generate_series(1, %s)", (count,)))
        return None

    def encode(self, attribute: Attribute, value: Value) -> Any:
        if isinstance(value, Unreadable):
            raise unwritable(attribute)
        match attribute.type:
            case JsonDocument() if value is not None:
                return encode_json(value)
            case Array(of=JsonDocument()) if isinstance(value, list):
                return [None if each is None else encode_json(each) for each in value]
            case _:
                return value

    def decode(self, attribute: Attribute, raw: Any) -> Value:
        if raw.__class__ is not _CLASSES.get(attribute.type.__class__):
            return _document_or_unreadable(attribute, raw)
        match attribute.type:
            case Integer(smallest=smallest, largest=largest):
                return raw if smallest <= raw <= largest else _altered(attribute)
            case Numeric():
                return Decimal(format(raw, "f")) if raw.is_finite() else unreadable(attribute, "not a finite number")
            case Float():
                return raw if math.isfinite(raw) else unreadable(attribute, "not a finite number")
            case Text(padded=True):
                return str(raw).rstrip(" ")
            case DateTime(aware=aware):
                if (raw.tzinfo is not None) is not aware:
                    return _altered(attribute)
                return raw.astimezone(UTC) if aware else raw  # type: ignore[no-any-return]  # a datetime
            case Enumeration(labels=labels):
                return raw if raw in labels else _no_label(attribute)
            case Array(of=of):
                return self._decode_list(attribute, of, raw)
            case _:
                return raw  # type: ignore[no-any-return]  # psycopg returns the types that we use

    def _decode_list(self, attribute: Attribute, of: ValueType, raw: Sequence[Any]) -> Value:
        if not isinstance(of, JsonDocument) and any(isinstance(each, list) for each in raw):
            return unreadable(attribute, "a list of lists")
        element = Attribute(name=attribute.name, column=attribute.column, type=of, sql_type="")
        if self.are_values(element, raw, set(map(type, raw)) - {type(None)}):
            return raw
        values = [None if each is None else self.decode(element, each) for each in raw]
        return next((value for value in values if isinstance(value, Unreadable)), values)


# The class that psycopg returns for each type. A column whose type has changed since the start returns another one.
_CLASSES: Mapping[type, Any] = {
    Integer: int,
    Float: float,
    Numeric: Decimal,
    Boolean: bool,
    Text: str,
    Bytes: bytes,
    Date: date,
    Time: time,
    DateTime: datetime,
    Uuid: UUID,
    Enumeration: str,
    Array: list,
    Opaque: str,
}


def _altered(attribute: Attribute) -> Unreadable:
    reason = f"The column of {attribute.name} has another type than when the server started. Restart the server."
    return Unreadable(reason=reason)


def _no_label(attribute: Attribute) -> Unreadable:
    what = "not one of the labels that its enum had when the server started. Restart the server to serve new labels"
    return unreadable(attribute, what)


class _JsonText(str):
    """A JSON document that is a string, to be distinguished from the value of a text column."""

    __slots__ = ()


_DOCUMENTS = frozenset({dict, list, bool, int, ExactFloat})  # or a number of another type, which is written the same


def _document_or_unreadable(attribute: Attribute, raw: Any) -> Value:
    """Convert a value whose class is not that of its type: to a JSON document, or to the reason for an error."""
    if isinstance(raw, Unreadable):
        return unreadable(attribute, raw.reason)
    if isinstance(raw, BrokenText):
        return unreadable(attribute, _NOT_UTF_8)
    if not isinstance(attribute.type, JsonDocument):
        return _altered(attribute)
    if isinstance(raw, _JsonText):
        return str(raw)
    return raw if raw.__class__ in _DOCUMENTS else _altered(attribute)  # type: ignore[return-value]  # a JSON value


def _numbers(values: Sequence[Value]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _texts(values: Sequence[Value]) -> str:
    """Return the text of an array of texts (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO)."""
    return "{" + ",".join(["NULL" if value is None else _quoted(str(value)) for value in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strange(Unreadable):
    """A value that the driver cannot read, with its text: a different text means a different version of the row."""

    text: str


def _strange(what: str, text: Buffer) -> _Strange:
    return _Strange(reason=what, text=bytes(text).decode(errors="backslashreplace"))


def _or_unreadable(base: type[Loader], what: str) -> type[Loader]:
    """Return a loader that returns values which Python cannot represent (infinity, years before 1) as `Unreadable`."""

    class Tolerant(base):  # type: ignore[valid-type,misc]  # created for each kind of date
        def load(self, data: Buffer) -> Any:
            try:
                return super().load(data)
            except (psycopg.DataError, ValueError, OverflowError):
                return _strange(what, data)

    return Tolerant


_LOADERS: Sequence[tuple[str, type[Loader]]] = (
    ("date", _or_unreadable(dates.DateLoader, "a date outside the years 1 to 9999")),
    ("time", _or_unreadable(dates.TimeLoader, "not a valid time of day")),
    ("timestamp", _or_unreadable(dates.TimestampLoader, "a time outside the years 1 to 9999")),
    ("timestamptz", _or_unreadable(dates.TimestamptzLoader, "a time outside the years 1 to 9999")),
)


_NOT_UTF_8 = "not valid UTF-8 text"
_OTHER_TYPES = 0  # their OID in psycopg: citext, enums
_TEXT_TYPES: Sequence[str | int] = ("text", "varchar", "bpchar", "name", '"char"', _OTHER_TYPES)


class _TextLoader(Loader):
    """A loader of texts from a server that does not know their encoding."""

    def load(self, data: Buffer) -> str:
        raw = bytes(data)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return BrokenText(raw, "utf-8", "surrogateescape")


class _Utf8Cursor(psycopg.Cursor[Any]):
    """A cursor that uses UTF-8 with a server that does not know the encoding of its texts; psycopg would use ASCII."""

    def execute(self, query: Any, params: Any = None, **others: Any) -> Self:
        """Run a statement."""
        return super().execute(
            query.encode("utf-8", "surrogateescape") if isinstance(query, str) else query, params, **others
        )

    @property
    def description(self) -> Any:
        """The columns of the result, with their types, or None if there is no result."""
        result = self.pgresult
        if result is None or not result.nfields:
            return None
        named = ((result.fname(n) or b"", result.ftype(n)) for n in range(result.nfields))
        return [(name.decode(errors="surrogateescape"), type_code, *(None,) * 5) for name, type_code in named]


def converts_texts(connection: psycopg.Connection[Any]) -> bool:
    """Return True if the server knows the encoding of its texts and sends them in UTF-8.

    A database in SQL_ASCII has any bytes.

    https://www.postgresql.org/docs/current/multibyte.html#MULTIBYTE-CHARSET-SUPPORTED
    """
    return connection.info.parameter_status("server_encoding") != "SQL_ASCII"


def set_up(connection: psycopg.Connection[Any]) -> None:
    """Configure a new connection to read dates, JSON and texts with our loaders."""
    for type_name, loader in _LOADERS:
        connection.adapters.register_loader(type_name, loader)
    connection.adapters.register_loader("json", _JsonLoader)
    connection.adapters.register_loader("jsonb", _JsonbLoader)
    if not converts_texts(connection):
        connection.cursor_factory = _Utf8Cursor
        for text_type in _TEXT_TYPES:
            connection.adapters.register_loader(text_type, _TextLoader)


def unless_longer(one_row: Statement, arrays: int, most: int) -> Statement:
    """Return a statement that returns a row of texts, or no row if they have more than `most` bytes in total.

    OFFSET 0 keeps PostgreSQL from computing the row twice.
    """
    names = [f"a{number}" for number in range(arrays)]
    size = " + ".join(f"coalesce(octet_length({name}), 0)" for name in names)
    return one_row.within(
        "SELECT * FROM (", Sql(f" OFFSET 0) AS arrays({', '.join(names)}) WHERE {size} <= %s", (most,))
    )


class _JsonLoader(Loader):
    """A loader of `json`, in which numbers may have any spelling."""

    decode_text: Callable[[str], Any] = staticmethod(decode_json)

    def load(self, data: Buffer) -> Any:
        return _decoded(self.decode_text, bytes(data))


class _JsonbLoader(_JsonLoader):
    """A loader of `jsonb`, which does not have `-0`."""

    decode_text = staticmethod(decode_normal)


def _decoded(decode_text: Callable[[str], Any], raw: bytes) -> Any:
    try:
        found = decode_text(raw.decode())
    except UnicodeDecodeError:
        return _strange(_NOT_UTF_8, raw)
    except (ValueError, RecursionError):  # nested too deeply
        return _strange("not valid JSON", raw)
    return _JsonText(found) if isinstance(found, str) else found
