"""SQL for SQLite, and the encoding of values for its columns.

Columns of an existing database keep their storage. A value that a column of NUMERIC affinity would round
(https://sqlite.org/datatype3.html) is rejected.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from itertools import chain, product
from typing import Any, Literal
from uuid import UUID

from storage.any_values import TOO_LARGE
from storage.catalog import versions
from storage.catalog.affinity import affinity_of
from storage.catalog.model import Attribute, Generation, Resource
from storage.catalog.types import (
    Anything,
    Approximate,
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
    TimeFormat,
    Unreadable,
    Uuid,
    Value,
    ValueType,
)
from storage.json_text import encode_json
from storage.sql import sqlite_times
from storage.sql.codec import Unstorable, unwritable
from storage.sql.common import Columns, KeyTuple, Statements
from storage.sql.conditions import Operator
from storage.sql.fragments import Sql
from storage.sql.sources import AllRows, BulkStatement, Params, Purpose, Statement, statement
from storage.sql.sqlite_functions import DECIMAL_COLLATION, EXACT_SUM, KEPT_DOCUMENT, ORDERED, WRITTEN
from storage.sql.sqlite_values import (
    LARGEST,
    SMALLEST,
    are_texts,
    is_text,
    is_text_column,
    packed_type,
    to_decimal,
    to_document,
    to_json_text,
    to_number,
    to_shown,
    to_uuid,
    unreadable,
)

_ROWS_OF_INSERT = 100  # measured for 1,000 rows: 1.7 ms; one by one 2.3 ms
_BITS: Literal[64] = 64  # of SQLite's integers
_MOST_VALUES = 30_000  # of one statement: SQLite allows 32,766
_WORD = re.compile(r'[A-Za-z_]\w*|"[^"]*"')
_WORDS = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"})


_TABLES_NOW = """
SELECT named.value, own.type = 'view', 1, found.name, found.type, found.hidden IN (2, 3)
FROM json_each(?) AS named
LEFT JOIN sqlite_master AS own ON own.name = named.value AND own.type IN ('table', 'view')
LEFT JOIN pragma_table_xinfo(own.name) AS found
"""


class SqliteStatements(Statements):
    """The statements for SQLite."""

    tells_equal = True
    # An ON CONFLICT clause in the definition of an existing table would replace or skip rows silently.
    insert_verb = "INSERT OR ABORT"
    update_verb = "UPDATE OR ABORT"
    most_parameters = 6_000
    most_spellings_of_all = 30_000  # of 32,766, because a filter has parameters, too

    def placeholder(self, attribute: Attribute) -> str:  # noqa: ARG002  # SQLite's parameters do not have types
        return "?"

    def tables_now(self, resources: Collection[Resource]) -> Statement:
        return statement(Sql(_TABLES_NOW, (encode_json([resource.table for resource in resources]),)))

    def quote(self, name: str) -> str:
        # Not in double quotes: SQLite reads an unknown name in those as a string (https://sqlite.org/quirks.html).
        return "`" + name.replace("`", "``") + "`"

    def read_expression(self, attribute: Attribute, prefix: str = "") -> str:
        return self.operand(attribute, prefix)  # a column of a subselect keeps its collation

    def sort_expression(self, attribute: Attribute, prefix: str) -> str:
        column = prefix + self.quote(attribute.column)
        if isinstance(attribute.type, Anything) and attribute.type.converts:
            return f"+{column}"  # an expression without affinity: https://sqlite.org/datatype3.html, section 3.2
        if attribute.format is TimeFormat.MIXED:
            return _called(ORDERED, attribute, column)
        is_text = isinstance(attribute.type, Numeric) and is_text_column(attribute.sql_type)
        return f"{column} COLLATE {DECIMAL_COLLATION}" if is_text else self.operand(attribute, prefix)

    def operand(self, attribute: Attribute, prefix: str = "") -> str:
        column = prefix + self.quote(attribute.column)
        return f"{column} COLLATE BINARY" if attribute.by_code_points else column

    def pointing(self, own: Attribute, target: Attribute, prefix: str) -> str:
        # A foreign key compares by the affinity of its target only: https://sqlite.org/foreignkeys.html, section 3
        column = super().pointing(own, target, prefix)
        return f"+{column}" if isinstance(target.type, Anything) and not isinstance(own.type, Anything) else column

    def may_be_json_column(self, resource: Resource, attribute: Attribute) -> bool:
        # SQLite may treat the result of an expression as JSON instead of text: https://sqlite.org/json1.html, section
        # 3.1.
        return not resource.is_view and attribute.generation is not Generation.ALWAYS

    def stored_type(self, attribute: Attribute) -> ValueType:
        # If it is a fraction or text, the rows are read without JSON arrays.
        return Integer(bits=_BITS) if attribute.format.is_numeric else attribute.type

    def packed_type(self, type_: ValueType) -> Any:
        return packed_type(type_)

    def packed_position_type(self, type_: ValueType) -> Any:
        return packed_type(type_)

    def array_of(self, column: str) -> str:
        return f"json_group_array({column})"

    def sum_expression(self, attribute: Attribute, prefix: str) -> str:
        column = prefix + self.quote(attribute.column)
        # Texts as bytes, because the driver fails to pass a text that is not UTF-8. Bytes are not a number, whatever
        # their content.
        value = f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) WHEN 'blob' THEN '' ELSE {column} END"
        return f"{EXACT_SUM}({value})"

    def position(self, attribute: Attribute, raw: Any) -> Sql:  # noqa: ARG002  # SQLite's parameters do not have types
        if isinstance(raw, str) and not are_texts([raw]):
            return Sql("CAST(? AS TEXT)", (raw.encode("utf-8", "surrogateescape"),))
        return Sql("?", (raw,))

    def holds(self, attribute: Attribute, prefix: str, operator: Operator, value: Value) -> Sql:
        column, text = prefix + self.quote(attribute.column), str(value)
        match operator:
            case Operator.LIKE:  # SQLite's LIKE ignores case
                return Sql(f"{column} GLOB ?", (_glob(text),))
            case Operator.ILIKE:
                return Sql(f"{column} LIKE ? ESCAPE '\\'", (text,))
            case Operator.STARTS_WITH:
                return Sql(f"substr({column}, 1, ?) = ?", (len(text), text))
            case Operator.ENDS_WITH:
                return Sql(f"substr({column}, length({column}) - ? + 1) = ?", (len(text), text))
            case Operator.CONTAINS:
                return Sql(f"instr({column}, ?) > 0", (text,))
            case _:
                raise AssertionError(operator)  # SQLite has neither arrays nor operators on documents

    def compared(
        self, attribute: Attribute, prefix: str, operator: Operator, values: Sequence[Value], *, narrowed: bool = True
    ) -> Sql | None:
        if attribute.format is TimeFormat.ISO or operator not in _COMPARISONS:
            return None
        column, times = prefix + self.quote(attribute.column), _times(values)
        if attribute.format is TimeFormat.MIXED:
            return _compared_as_instants(attribute, column, operator, times, narrowed=narrowed)
        return _compared_as_numbers(attribute, column, operator, times)

    def equal_as_written(self, resource: Resource, values: Mapping[str, Value]) -> Sql:
        own = [(resource.attributes[name], value) for name, value in values.items()]
        terms = " AND ".join(f"{self.operand(attribute)} = ?" for attribute, _ in own)
        return Sql(terms, tuple(self.encode(*each) for each in own))

    def keeps_equal(self, attribute: Attribute) -> bool:
        return isinstance(attribute.type, Date | Time | DateTime | Uuid | JsonDocument)

    def assigned(self, attribute: Attribute, place: int) -> str:
        if not self.keeps_equal(attribute):
            return "?"
        column, given = self.quote(attribute.column), f"?{place}"
        if isinstance(attribute.type, JsonDocument):  # as bytes, because the driver may fail to pass a text
            stored = f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) END"
            return f"{KEPT_DOCUMENT}({stored}, {given})"
        if attribute.format.is_numeric:
            return f"CASE WHEN {column} = {given} THEN {column} ELSE {given} END"
        # A text in our own spelling needs no comparison (a call takes 1.5 µs), because it is already what we would
        # write.
        own = _OWN_SPELLINGS[_kind(attribute)].format(column)
        written = _called(WRITTEN, attribute, column)
        return (
            f"CASE WHEN {column} IS NULL OR {own} THEN {given} WHEN {written} = {given} THEN {column} ELSE {given} END"
        )

    def decode_column(self, attribute: Attribute, raws: Sequence[Any], *, typed: bool = False) -> Sequence[Value]:
        type_ = attribute.type
        if not isinstance(type_, Date | Time | DateTime) or attribute.format.is_numeric:
            return super().decode_column(attribute, raws, typed=typed)
        read, decode = sqlite_times.own_reader(type_), self.decode
        return [None if raw is None else read(raw) or decode(attribute, raw) for raw in raws]

    def is_spelled_otherwise(self, attribute: Attribute, raw: Any) -> bool:
        type_ = attribute.type
        if raw is None or attribute.format is not TimeFormat.ISO or not isinstance(type_, Date | Time | DateTime):
            return False
        found = sqlite_times.read(type_, TimeFormat.MIXED, raw)
        return found is not None and raw != sqlite_times.write_text(found)

    def verbatim(self, sql: str) -> str:
        """Return SQL that the database has provided."""
        return sql

    def affinity(self, sql_type: str) -> str:
        """Return a type with the affinity of a declared type."""
        return affinity_of(sql_type)

    def set_default(self, attribute: Attribute) -> str:
        return self.default_expression(attribute.default_sql)

    def default_expression(self, sql: str | None) -> str:
        """Return the default of a column as an expression."""
        text = sql or "NULL"
        if _WORD.fullmatch(text) and text.upper() not in _WORDS:  # SQLite reads a bare word in DEFAULT as text
            text = "'" + text.strip('"').replace("'", "''") + "'"
        return f"({text})"

    def no_values(self) -> str:
        return "DEFAULT VALUES"

    def among(
        self, resource: Resource, attributes: Sequence[str], tuples: Sequence[Sequence[Value]], prefix: str = ""
    ) -> Sql:
        own = [resource.attributes[name] for name in attributes]
        if any(attribute.format is TimeFormat.MIXED for attribute in own):
            return self._among_instants(own, tuples, prefix)
        columns = ", ".join(self.operand(attribute, prefix) for attribute in own)
        spellings = math.prod(map(self.most_spellings, own))
        if len(own) * spellings > self.most_spellings_of_all:  # a single row would exceed the limit of a statement
            return self._spelled(own, tuples, prefix)
        rows: Iterable[Params]
        if spellings == 1:
            rows = self._each(own, [*zip(*tuples, strict=True)])
        else:
            rows = chain.from_iterable(product(*map(self.spellings, own, each)) for each in tuples)
        params = tuple(chain.from_iterable(rows))
        if len(own) == 1:
            return Sql(f"{columns} IN ({', '.join('?' * len(params))})", params)
        places = f"({', '.join('?' * len(own))})"
        count = len(params) // len(own)
        return Sql(f"({columns}) IN (VALUES {', '.join([places] * count)})", params)

    def _spelled(self, own: Sequence[Attribute], tuples: Sequence[Sequence[Value]], prefix: str) -> Sql:
        """Return `among` as conditions on each attribute, without the product of their spellings."""
        every = [
            [self.spellings(attribute, value) for attribute, value in zip(own, each, strict=True)] for each in tuples
        ]
        rows = (
            " AND ".join(
                f"{prefix}{self.quote(attribute.column)} IN ({', '.join('?' * len(spellings))})"
                for attribute, spellings in zip(own, row, strict=True)
            )
            for row in every
        )
        params = tuple(chain.from_iterable(chain.from_iterable(every)))
        return Sql(f"({' OR '.join(f'({row})' for row in rows)})", params)

    def _among_instants(self, own: Sequence[Attribute], tuples: Sequence[Sequence[Value]], prefix: str) -> Sql:
        """Return `among` for attributes of which at least one is stored in any spelling."""
        found = [
            self.compared(attribute, prefix, Operator.IN, list(values))
            if attribute.format is TimeFormat.MIXED
            else None
            for attribute, values in zip(own, zip(*tuples, strict=True), strict=True)
        ]
        alone = [each for each in found if each is not None]
        terms, params = [each.text for each in alone], [*chain.from_iterable(each.params for each in alone)]
        if len(own) > 1:  # each attribute matches by itself; now all together
            columns = ", ".join(
                _called(WRITTEN, attribute, prefix + self.quote(attribute.column))
                if attribute.format is TimeFormat.MIXED
                else prefix + self.quote(attribute.column)
                for attribute in own
            )
            rows = [*chain.from_iterable(product(*map(self.spellings, own, each)) for each in tuples)]
            places = f"({', '.join('?' * len(own))})"
            terms.append(f"({columns}) IN (VALUES {', '.join([places] * len(rows))})")
            params += chain.from_iterable(rows)
        return Sql(f"({' AND '.join(terms)})", tuple(params))

    def listed(self, attributes: Sequence[Attribute], tuples: Sequence[Sequence[Value]]) -> Sql:
        params = tuple(chain.from_iterable(self._each(attributes, [*zip(*tuples, strict=True)])))
        marks = ", ?" * len(attributes)
        rows = ", ".join(f"({place}{marks})" for place in range(len(tuples)))
        named = ", ".join(f"column{n + 2} AS v{n}" for n in range(len(attributes)))
        return Sql(f"(SELECT column1 AS place, {named} FROM (VALUES {rows})) AS listed", params)

    def encode(self, attribute: Attribute, value: Value) -> Any:
        match value:
            case None:  # also for a JSON column: JSON's null is not written
                return None
            case Unreadable():
                raise unwritable(attribute)
            case bool():
                return int(value) if not isinstance(attribute.type, JsonDocument) else to_json_text(attribute, value)
            case _ if isinstance(attribute.type, JsonDocument):
                return to_json_text(attribute, value)
            case Decimal():
                return to_number(attribute, value)
            case date() | time():
                return sqlite_times.write(attribute, value)
            case UUID():
                return value.hex if _is_hex(attribute) else str(value)
            case int() if isinstance(attribute.type, Anything):
                if not SMALLEST <= value <= LARGEST:
                    raise Unstorable(attribute.name, f"{TOO_LARGE}.")
                return int(value)
            case str() if isinstance(attribute.type, Opaque):
                return to_shown(value)
            case _:
                return value

    def are_values(self, attribute: Attribute, raws: Sequence[Any], classes: set[type]) -> bool:
        match attribute.type:
            case Integer(bits=bits, smallest=smallest, largest=largest) if classes <= {int}:
                given = [raw for raw in raws if raw is not None] if None in raws else raws
                return bits == _BITS or not given or (min(given) >= smallest and max(given) <= largest)
            case Text() if classes <= {str}:
                return are_texts(raws)
            case Float():
                return classes <= {float} and all(raw is None or math.isfinite(raw) for raw in raws)
            case Bytes():
                return classes <= {bytes}
            case Anything():
                return str not in classes or are_texts([raw for raw in raws if isinstance(raw, str)])
            case _:
                return not classes

    def round_trips(self, attribute: Attribute) -> bool:
        affinity = affinity_of(attribute.sql_type)
        match attribute.type:
            case Anything(converts=converts):
                return not converts
            case Integer() | Boolean():
                return affinity in {"INTEGER", "NUMERIC"}
            case Float():
                return affinity == "REAL"
            case Numeric(scale=scale):  # without a scale, the database drops trailing zeros
                return affinity == "TEXT" or (scale is not None and affinity != "BLOB")
            case Text() | Enumeration() | JsonDocument():
                return affinity == "TEXT"
            case Date() | DateTime() if attribute.format.is_numeric:
                return affinity != "TEXT"
            case Date() | Time() | DateTime() | Uuid():  # never written like a number
                return affinity in {"TEXT", "NUMERIC"}
            case Bytes():
                return True
            case _:
                return False

    def stored_form(self, attribute: Attribute, value: Value) -> Any:
        stored = self.encode(attribute, value)
        return float(stored) if affinity_of(attribute.sql_type) == "REAL" and isinstance(stored, int) else stored

    def insert_many(self, resource: Resource, columns: Columns) -> Iterator[BulkStatement]:
        own = [resource.attributes[name] for name in columns]
        names = ", ".join(self.quote(attribute.column) for attribute in own)
        values = list(chain.from_iterable(self._each(own, [*columns.values()])))
        size = max(1, min(_ROWS_OF_INSERT, _MOST_VALUES // len(own))) * len(own)
        for start in range(0, len(values), size):
            some = values[start : start + size]
            writing = self.writing()
            head = f"{self.insert_verb} INTO {writing.source(resource, AllRows.INSERT_TARGET)} ({names}) VALUES "
            yield writing.bulk_of(_with_places(head, len(own), len(some) // len(own)), some)

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
        own: list[Attribute] = []
        given: list[Sequence[Value]] = []
        assigned: list[str] = []
        for name, values in columns.items():
            attribute, column = resource.attributes[name], self.column(resource, name)
            is_any = isinstance(attribute.type, Anything)
            written = _KEPT_IF_EQUAL.format(column) if is_any else self.assigned(attribute, len(own) + 1)
            own += [attribute] * (1 + is_any)
            given += [list(map(_as_double, values)), values] if is_any else [values]
            assigned.append(f"{column} = {written}")
        own += [resource.attributes[name] for name in by]
        terms = self._set(resource, assigned, defaults, kept, counted)
        key = " AND ".join(f"{self.operand(resource.attributes[name], 'own.')} = ?" for name in by)
        if counted is not None:  # SQLite would count beyond the limit of the attribute's type
            type_ = resource.attributes[counted].type
            assert isinstance(type_, Integer)  # noqa: S101  # the catalog requires an integer for a counted version
            key += f" AND {versions.next_in_sql(f'own.{self.column(resource, counted)}')} <= {type_.largest}"
        writing = self.writing()
        head = f"{self.update_verb} {writing.source(resource, Purpose.UPDATE, 'own')} SET {terms} WHERE "
        each = self._each(own, [*given, *zip(*keys, strict=True)])
        yield writing.bulk_of_each(head, Sql(key), "own", each)

    def delete_many(
        self, resource: Resource, keys: Sequence[KeyTuple], *, by: Sequence[str] = ()
    ) -> Iterator[BulkStatement]:
        own = [resource.attributes[name] for name in by or resource.key]
        key = " AND ".join(f"{self.operand(attribute)} = ?" for attribute in own)
        writing = self.writing()
        table = writing.source(resource, Purpose.DELETE)
        each = self._each(own, [*zip(*keys, strict=True)])
        yield writing.bulk_of_each(f"DELETE FROM {table} WHERE ", Sql(key), table, each)

    def _each(self, own: Sequence[Attribute], columns: Sequence[Sequence[Value]]) -> Iterator[Params]:
        """Return one set of parameters for each row."""
        encoded = [
            column if isinstance(attribute.type, _AS_THEY_ARE) else self._encode_column(attribute, column)
            for attribute, column in zip(own, columns, strict=True)
        ]
        return zip(*encoded, strict=True)

    def _encode_column(self, attribute: Attribute, column: Sequence[Value]) -> Sequence[Any]:
        write = None if attribute.format.is_numeric else sqlite_times.writer(set(map(type, column)) - {type(None)})
        if write is not None:
            return [None if value is None else write(value) for value in column]
        return [None if value is None else self.encode(attribute, value) for value in column]

    def largest_key(self, resource: Resource, attribute: Attribute) -> Statement:
        """Return the query of the largest key that exists, or (with AUTOINCREMENT) that has ever existed."""
        writing = self.writing()
        column, table = self.quote(attribute.column), writing.source(resource, AllRows.NEXT_KEY)
        if not attribute.counts_on:
            return writing.done(f"SELECT max({column}) FROM {table}")
        counted = f"SELECT seq FROM sqlite_sequence WHERE name = ? UNION ALL SELECT max({column}) FROM {table}"
        return writing.done(Sql(f"SELECT max(seq) FROM ({counted})", (resource.table,)))

    def most_spellings(self, attribute: Attribute) -> int:
        match attribute.type:
            case Date() | Time() | DateTime() as type_ if attribute.format is TimeFormat.ISO:
                return sqlite_times.most_spellings(type_)
            case Uuid():
                return 5
            case Anything():
                return 2
            case _:
                return 1

    def spellings(self, attribute: Attribute, value: Value) -> Sequence[Any]:
        if isinstance(value, Approximate):
            return [int(value), float(value)] if SMALLEST <= value <= LARGEST else [float(value)]
        match value:
            case date() | time():
                match attribute.format:
                    case TimeFormat.ISO:
                        return sqlite_times.spellings(value)
                    case TimeFormat.MIXED:  # in the form of the expression that it is compared with
                        return (sqlite_times.write_text(value),)
                    case _:
                        number = sqlite_times.as_number(attribute.format, value)
                        return ("",) if number is None else (number,)  # no stored number equals a text
            case UUID():
                return [str(value), value.hex, str(value).upper(), value.hex.upper(), value.bytes]
            case _:
                return (self.encode(attribute, value),)

    def decode(self, attribute: Attribute, raw: Any) -> Value:  # a table of types
        match attribute.type:
            case Integer(bits=bits, smallest=smallest, largest=largest):
                if not isinstance(raw, int):
                    return unreadable(attribute, "not a whole number")
                return raw if smallest <= raw <= largest else unreadable(attribute, f"larger than {bits} bits")
            case Float():
                is_number = isinstance(raw, int | float) and math.isfinite(raw)
                return float(raw) if is_number else unreadable(attribute, "not a finite number")
            case Numeric(scale=scale):
                number = to_decimal(raw, scale)
                return unreadable(attribute, "not a decimal number") if number is None else number
            case Boolean():
                return bool(raw) if raw in (0, 1) else unreadable(attribute, "neither 0 nor 1")
            case Text():
                return raw if is_text(raw) else unreadable(attribute, "not text")
            case Bytes():
                return raw if isinstance(raw, bytes) else unreadable(attribute, "not made of bytes")
            case Date() | Time() | DateTime() as type_:
                found = sqlite_times.read(type_, attribute.format, raw)
                return sqlite_times.unreadable(attribute, type_, raw) if found is None else found
            case Uuid():
                own = to_uuid(raw)
                return unreadable(attribute, "not a UUID") if own is None else own
            case Enumeration(labels=labels):
                return raw if raw in labels else unreadable(attribute, "not one of its labels")
            case JsonDocument():
                return to_document(attribute, raw)
            case Opaque():
                is_shown = not isinstance(raw, bytes) and raw not in (math.inf, -math.inf)
                return str(raw) if is_shown else unreadable(attribute, "not text")
            case Anything():
                is_whole = not isinstance(raw, str) or is_text(raw)
                return raw if is_whole else unreadable(attribute, "not valid UTF-8 text")
            case Array():
                return unreadable(attribute, "a list, which SQLite does not have")


def _is_hex(attribute: Attribute) -> bool:
    """Return True if a column stores UUIDs without hyphens."""
    return attribute.sql_type.upper().startswith("CHAR")


def _kind(attribute: Attribute) -> str:
    """Return the `Kind` of an attribute's column for our SQLite functions."""
    name = type(attribute.type).__name__.lower()
    if isinstance(attribute.type, Uuid):
        return f"{name} {'hex' if _is_hex(attribute) else 'text'}"
    return f"{name} {attribute.format.value}"


def _called(function: str, attribute: Attribute, column: str) -> str:
    """Return a call of one of our functions on a column.

    Texts are passed as bytes, because the driver fails on invalid UTF-8.
    """
    value = f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END"
    return f"{function}('{_kind(attribute)}', typeof({column}), {value})"


def _times(values: Sequence[Value]) -> list[sqlite_times.TimeValue]:
    return [value for value in values if isinstance(value, date | time)]


def _compared_as_instants(
    attribute: Attribute,
    column: str,
    operator: Operator,
    times: Sequence[sqlite_times.TimeValue],
    *,
    narrowed: bool,
) -> Sql:
    """Return a comparison of values with a column of any spelling.

    The text of the day is compared first, so that an index can be used.
    """
    called = _called(WRITTEN, attribute, column)
    texts = [sqlite_times.write_text(value) for value in times]
    sign = _COMPARISONS[operator]
    is_list = operator in {Operator.IN, Operator.NOT_IN}
    compared = f"{called} {sign} " + (f"({', '.join('?' * len(texts))})" if is_list else "?")
    start, end = sqlite_times.text_range(times)
    has_numbers = not (is_text_column(attribute.sql_type) or isinstance(attribute.type, Time))
    if not narrowed:
        return Sql(compared, tuple(texts))
    match operator:
        case Operator.EQ | Operator.IN:
            numbers = sqlite_times.numbers_of(times) if has_numbers else []
            narrow, bounds = f"{column} >= ? AND {column} < ?", [start, end, *numbers]
            if numbers:
                narrow += f" OR {column} IN ({', '.join('?' * len(numbers))})"
        case Operator.LT | Operator.LTE:  # numbers sort before all texts
            narrow, bounds = f"{column} < ?", [end]
        case Operator.GT | Operator.GTE:
            narrow, bounds = f"{column} >= ?" + (f" OR {column} < ''" if has_numbers else ""), [start]
        case _:
            return Sql(compared, tuple(texts))
    return Sql(f"(({narrow}) AND {compared})", (*bounds, *texts))


def _compared_as_numbers(
    attribute: Attribute, column: str, operator: Operator, times: Sequence[sqlite_times.TimeValue]
) -> Sql | None:
    """Return a comparison of numbers with a bound that may not have an exact number; None for other operators."""
    if operator not in _BOUNDS:
        return None
    number, side = sqlite_times.nearest_number(attribute.format, times[0])
    sign = _COMPARISONS[operator]
    if side:  # the nearest number is on one side of the value, so that < and <= (or > and >=) are equivalent
        sign = sign[0] + ("=" if (side < 0) is (sign[0] == "<") else "")
    return Sql(f"{column} {sign} ?", (number,))


def _glob(pattern: str) -> str:
    """Convert a pattern of LIKE, with the backslash as its escape, to one of GLOB."""
    pieces: list[str] = []
    characters = iter(pattern)
    for character in characters:
        literal = next(characters, "") if character == "\\" else ""
        if literal or character not in {"%", "_"}:
            plain = literal or character
            pieces.append(f"[{plain}]" if plain in {"*", "?", "["} else plain)
        else:
            pieces.append("*" if character == "%" else "?")
    return "".join(pieces)


def _as_double(value: Value) -> Value:
    """Return the form of a value for a comparison with a stored number."""
    return float(value) if isinstance(value, Approximate) else value


# A number that equals the stored one keeps its storage class, INTEGER or REAL. Texts are compared by their bytes.
_KEPT_IF_EQUAL = "CASE WHEN +own.{0} = ? COLLATE BINARY THEN own.{0} ELSE ? END"
_BOUNDS = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})
_COMPARISONS = {
    Operator.EQ: "=",
    Operator.NE: "<>",
    Operator.IN: "IN",
    Operator.NOT_IN: "NOT IN",
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.GT: ">",
    Operator.GTE: ">=",
}
_FRACTION = "[0-9]" * 6
_CLOCK = f"??:??:??' OR {{0}} GLOB '{{day}}??:??:??.{_FRACTION}' AND {{0}} NOT GLOB '*.000000"
# Conditions for a column with the text that we write, and not another spelling that can be read.
_OWN_SPELLINGS = {
    **{
        f"{name} {form.value}": condition
        for form in (TimeFormat.ISO, TimeFormat.MIXED)
        for name, condition in (
            ("date", "{0} GLOB '????-??-??'"),
            ("time", "{0} GLOB '" + _CLOCK.replace("{day}", "") + "'"),
            ("datetime", "{0} GLOB '????-??-?? " + _CLOCK.replace("{day}", "????-??-?? ") + "'"),
        )
    },
    "uuid text": "{0} GLOB '????????-????-????-????-????????????' AND {0} = lower({0}) COLLATE BINARY",
    "uuid hex": "length({0}) = 32 AND {0} = lower({0}) COLLATE BINARY",
}
_AS_THEY_ARE = (Integer, Text, Float, Enumeration, Bytes)  # types whose values the driver accepts unchanged


@lru_cache(maxsize=256)  # the driver finds a prepared statement faster if its text is the same object
def _with_places(head: str, columns: int, rows: int) -> str:
    return head + ", ".join([f"({', '.join('?' * columns)})"] * rows)
