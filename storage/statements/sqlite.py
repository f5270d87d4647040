"""SQL for SQLite, and how its columns keep values.

Columns of an existing database keep the storage that they have. What a column of NUMERIC affinity would round
(https://sqlite.org/datatype3.html) is refused.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from itertools import chain, product
from typing import Any
from uuid import UUID

from storage.any_values import TOO_LARGE
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
    Unreadable,
    Uuid,
    Value,
    ValueType,
)
from storage.statements.codec import Unstorable, unwritable
from storage.statements.common import (
    Bulk,
    Columns,
    KeyTuple,
    Params,
    Statement,
    Statements,
)
from storage.statements.conditions import Operator
from storage.statements.sqlite_functions import DECIMAL_COLLATION, EXACT_SUM
from storage.statements.sqlite_values import (
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
    to_time_or_uuid,
    unreadable,
)

_ROWS_OF_INSERT = 100  # measured for 1,000 rows: 1.7 ms, one by one 2.3 ms
_BITS = 64  # of SQLite's own integers
_MOST_VALUES = 30_000  # of one statement: SQLite allows 32,766
_WORD = re.compile(r'[A-Za-z_]\w*|"[^"]*"')
_WORDS = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"})


class SqliteStatements(Statements):
    """SQLite's ways."""

    # An ON CONFLICT clause in an existing table's definition would replace or drop rows silently.
    insert_verb = "INSERT OR ABORT"
    update_verb = "UPDATE OR ABORT"
    most_parameters = 6_000
    most_spellings_of_all = 30_000  # of 32,766: a filter has parameters, too

    def placeholder(self, attribute: Attribute) -> str:  # noqa: ARG002  # SQLite's parameters have no type
        return "?"

    def quote(self, name: str) -> str:
        # Not in double quotes: an unknown name in those is a string to SQLite (https://sqlite.org/quirks.html).
        return "`" + name.replace("`", "``") + "`"

    def read_expression(self, attribute: Attribute, prefix: str = "") -> str:
        return prefix + self.quote(attribute.column)

    def sort_expression(self, attribute: Attribute, prefix: str) -> str:
        column = prefix + self.quote(attribute.column)
        if isinstance(attribute.type, Anything) and attribute.type.converts:
            return f"+{column}"  # which has no affinity: https://sqlite.org/datatype3.html, section 3.2
        is_text = isinstance(attribute.type, Numeric) and is_text_column(attribute.sql_type)
        return f"{column} COLLATE {DECIMAL_COLLATION}" if is_text else column

    def pointing(self, own: Attribute, target: Attribute, prefix: str) -> str:
        # A foreign key compares by the affinity of its target alone: https://sqlite.org/foreignkeys.html, section 3
        column = super().pointing(own, target, prefix)
        return f"+{column}" if isinstance(target.type, Anything) and not isinstance(own.type, Anything) else column

    def may_be_packed(self, resource: Resource, attribute: Attribute) -> bool:
        # What an expression gives may be JSON to SQLite, and no text: https://sqlite.org/json1.html, section 3.1.
        return not resource.is_view and attribute.generation is not Generation.ALWAYS

    def packed_type(self, type_: ValueType) -> Any:
        return packed_type(type_)

    def packed_position_type(self, type_: ValueType) -> Any:
        return packed_type(type_)

    def array_of(self, column: str) -> str:
        return f"json_group_array({column})"

    def sum_expression(self, attribute: Attribute, prefix: str) -> str:
        column = prefix + self.quote(attribute.column)
        # Texts as bytes: the driver fails to hand over a text that is no UTF-8. And bytes are no number, whatever they are.
        value = f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) WHEN 'blob' THEN '' ELSE {column} END"
        return f"{EXACT_SUM}({value})"

    def position(self, attribute: Attribute, raw: Any) -> Statement:  # noqa: ARG002  # SQLite's parameters have no type
        if isinstance(raw, str) and not are_texts([raw]):
            return Statement(sql="CAST(? AS TEXT)", params=(raw.encode("utf-8", "surrogateescape"),))
        return Statement(sql="?", params=(raw,))

    def holds(self, attribute: Attribute, prefix: str, operator: Operator, value: Value) -> Statement:
        column, text = prefix + self.quote(attribute.column), str(value)
        match operator:
            case Operator.LIKE:  # SQLite's LIKE ignores case
                return Statement(sql=f"{column} GLOB ?", params=(_glob(text),))
            case Operator.ILIKE:
                return Statement(sql=f"{column} LIKE ? ESCAPE '\\'", params=(text,))
            case Operator.STARTS_WITH:
                return Statement(sql=f"substr({column}, 1, ?) = ?", params=(len(text), text))
            case Operator.ENDS_WITH:
                return Statement(sql=f"substr({column}, length({column}) - ? + 1) = ?", params=(len(text), text))
            case Operator.CONTAINS:
                return Statement(sql=f"instr({column}, ?) > 0", params=(text,))
            case _:
                raise AssertionError(operator)  # SQLite has neither lists nor documents to look into

    def verbatim(self, sql: str) -> str:
        """Write SQL that the database has given."""
        return sql

    def affinity(self, sql_type: str) -> str:
        """Write a type that keeps values as a declared type does."""
        return affinity_of(sql_type)

    def set_default(self, attribute: Attribute) -> str:
        return self.default_expression(attribute.default_sql)

    def default_expression(self, sql: str | None) -> str:
        """Write the default of a column as an expression."""
        text = sql or "NULL"
        if _WORD.fullmatch(text) and text.upper() not in _WORDS:  # SQLite takes a bare word of a DEFAULT as a text
            text = "'" + text.strip('"').replace("'", "''") + "'"
        return f"({text})"

    def no_values(self) -> str:
        return "DEFAULT VALUES"

    def among(
        self, resource: Resource, attributes: Sequence[str], tuples: Sequence[Sequence[Value]], prefix: str = ""
    ) -> Statement:
        own = [resource.attributes[name] for name in attributes]
        columns = ", ".join(prefix + self.quote(attribute.column) for attribute in own)
        rows: Iterable[Params]
        if all(self.most_spellings(attribute) == 1 for attribute in own):
            rows = self._each(own, [*zip(*tuples, strict=True)])
        else:
            rows = chain.from_iterable(product(*map(self.spellings, own, each)) for each in tuples)
        params = tuple(chain.from_iterable(rows))
        if len(own) == 1:
            return Statement(sql=f"{columns} IN ({', '.join('?' * len(params))})", params=params)
        places = f"({', '.join('?' * len(own))})"
        count = len(params) // len(own)
        return Statement(sql=f"({columns}) IN (VALUES {', '.join([places] * count)})", params=params)

    def listed(self, attributes: Sequence[Attribute], tuples: Sequence[Sequence[Value]]) -> Statement:
        params = tuple(chain.from_iterable(self._each(attributes, [*zip(*tuples, strict=True)])))
        marks = ", ?" * len(attributes)
        rows = ", ".join(f"({place}{marks})" for place in range(len(tuples)))
        named = ", ".join(f"column{n + 2} AS v{n}" for n in range(len(attributes)))
        return Statement(sql=f"(SELECT column1 AS place, {named} FROM (VALUES {rows})) AS listed", params=params)

    def encode(self, attribute: Attribute, value: Value) -> Any:
        match value:
            case None:  # of a JSON column, too: JSON's own null is not written
                return None
            case Unreadable():
                raise unwritable(attribute)
            case bool():
                return int(value) if not isinstance(attribute.type, JsonDocument) else to_json_text(attribute, value)
            case _ if isinstance(attribute.type, JsonDocument):
                return to_json_text(attribute, value)
            case Decimal():
                return to_number(attribute, value)
            case datetime():
                in_utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
                return in_utc.isoformat(" ")
            case date() | time():
                return value.isoformat()
            case UUID():
                return value.hex if attribute.sql_type.upper().startswith("CHAR") else str(value)
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

    def foretells(self, attribute: Attribute) -> bool:
        affinity = affinity_of(attribute.sql_type)
        match attribute.type:
            case Anything(converts=converts):
                return not converts
            case Integer() | Boolean():
                return affinity in {"INTEGER", "NUMERIC"}
            case Float():
                return affinity == "REAL"
            case Numeric(scale=scale):  # without a scale the database leaves out zeros at the end
                return affinity == "TEXT" or (scale is not None and affinity != "BLOB")
            case Text() | Enumeration() | JsonDocument():
                return affinity == "TEXT"
            case Date() | Time() | DateTime() | Uuid():  # never written like a number
                return affinity in {"TEXT", "NUMERIC"}
            case Bytes():
                return True
            case _:
                return False

    def as_read(self, attribute: Attribute, value: Value) -> Any:
        stored = self.encode(attribute, value)
        return float(stored) if affinity_of(attribute.sql_type) == "REAL" and isinstance(stored, int) else stored

    def insert_many(self, resource: Resource, columns: Columns) -> Iterator[Bulk]:
        own = [resource.attributes[name] for name in columns]
        names = ", ".join(self.quote(attribute.column) for attribute in own)
        head = f"{self.insert_verb} INTO {self.table(resource)} ({names}) VALUES "
        values = list(chain.from_iterable(self._each(own, [*columns.values()])))
        size = max(1, min(_ROWS_OF_INSERT, _MOST_VALUES // len(own))) * len(own)
        for start in range(0, len(values), size):
            some = values[start : start + size]
            yield Bulk(sql=_with_places(head, len(own), len(some) // len(own)), params=some)

    def update_many(
        self,
        resource: Resource,
        columns: Columns,
        keys: Sequence[KeyTuple],
        *,
        by: Sequence[str] = (),
        defaults: Collection[str] = (),
        counted: str | None = None,
    ) -> Iterator[Bulk]:
        by = by or resource.key
        own: list[Attribute] = []
        given: list[Sequence[Value]] = []
        assigned: list[str] = []
        for name, values in columns.items():
            attribute, column = resource.attributes[name], self.column(resource, name)
            is_any = isinstance(attribute.type, Anything)
            own += [attribute] * (1 + is_any)
            given += [list(map(_as_double, values)), values] if is_any else [values]
            assigned.append(f"{column} = {_KEPT_IF_EQUAL.format(column) if is_any else '?'}")
        own += [resource.attributes[name] for name in by]
        terms = self._set(resource, assigned, defaults, counted)
        key = " AND ".join(f"own.{self.column(resource, name)} = ?" for name in by)
        if counted is not None:  # SQLite would go on counting, beyond what the attribute's type takes
            type_ = resource.attributes[counted].type
            assert isinstance(type_, Integer)  # noqa: S101  # the catalog takes no other for a version that is counted
            key += f" AND coalesce(own.{self.column(resource, counted)}, 0) < {type_.largest}"
        sql = f"{self.update_verb} {self.table(resource)} AS own SET {terms} WHERE {key}"
        yield Bulk(sql=sql, params=list(self._each(own, [*given, *zip(*keys, strict=True)])), each=True)

    def delete_many(self, resource: Resource, keys: Sequence[KeyTuple], *, by: Sequence[str] = ()) -> Iterator[Bulk]:
        own = [resource.attributes[name] for name in by or resource.key]
        key = " AND ".join(f"{self.quote(attribute.column)} = ?" for attribute in own)
        sql = f"DELETE FROM {self.table(resource)} WHERE {key}"
        yield Bulk(sql=sql, params=list(self._each(own, [*zip(*keys, strict=True)])), each=True)

    def _each(self, own: Sequence[Attribute], columns: Sequence[Sequence[Value]]) -> Iterator[Params]:
        """Write one set of parameters for each row."""
        encoded = [
            column
            if isinstance(attribute.type, _AS_THEY_ARE)
            else [None if value is None else self.encode(attribute, value) for value in column]
            for attribute, column in zip(own, columns, strict=True)
        ]
        return zip(*encoded, strict=True)

    def largest_key(self, resource: Resource, attribute: Attribute) -> Statement:
        """Read the largest key that is there, or (with AUTOINCREMENT) that ever was."""
        column, table = self.quote(attribute.column), self.table(resource)
        if not attribute.counts_on:
            return Statement(sql=f"SELECT max({column}) FROM {table}", params=())
        counted = f"SELECT seq FROM sqlite_sequence WHERE name = ? UNION ALL SELECT max({column}) FROM {table}"
        return Statement(sql=f"SELECT max(seq) FROM ({counted})", params=(resource.table,))

    def most_spellings(self, attribute: Attribute) -> int:
        match attribute.type:
            case DateTime(aware=aware):
                return 12 if aware else 4
            case Uuid():
                return 5
            case Anything():
                return 2
            case _:
                return 1

    def spellings(self, attribute: Attribute, value: Value) -> Sequence[Any]:
        if isinstance(value, Approximate):
            return [int(value), float(value)] if SMALLEST <= value <= LARGEST else [float(value)]
        own = self.encode(attribute, value)
        match value:
            case datetime():
                texts = {own, f"{own}.000000"} if not value.microsecond else {own}
                texts |= {text.replace(" ", "T") for text in texts}
                zones = ("", "Z", "+00:00") if value.tzinfo else ("",)
                return [text + zone for text in sorted(texts) for zone in zones]
            case UUID():
                return [str(value), value.hex, str(value).upper(), value.hex.upper(), value.bytes]
            case _:
                return (own,)

    def decode(self, attribute: Attribute, raw: Any) -> Value:  # a table of types
        match attribute.type:
            case Integer(bits=bits, smallest=smallest, largest=largest):
                if not isinstance(raw, int):
                    return unreadable(attribute, "no whole number")
                return raw if smallest <= raw <= largest else unreadable(attribute, f"larger than {bits} bits")
            case Float():
                is_number = isinstance(raw, int | float) and math.isfinite(raw)
                return float(raw) if is_number else unreadable(attribute, "no finite number")
            case Numeric(scale=scale):
                number = to_decimal(raw, scale)
                return unreadable(attribute, "no decimal number") if number is None else number
            case Boolean():
                return bool(raw) if raw in (0, 1) else unreadable(attribute, "neither 0 nor 1")
            case Text():
                return raw if is_text(raw) else unreadable(attribute, "no text")
            case Bytes():
                return raw if isinstance(raw, bytes) else unreadable(attribute, "not made of bytes")
            case Date() | Time() | DateTime() | Uuid() as type_:
                found = to_time_or_uuid(type_, raw)
                return unreadable(attribute, f"no {type(type_).__name__}") if found is None else found
            case Enumeration(labels=labels):
                return raw if raw in labels else unreadable(attribute, "none of its labels")
            case JsonDocument():
                return to_document(attribute, raw)
            case Opaque():
                is_shown = not isinstance(raw, bytes) and raw not in (math.inf, -math.inf)
                return str(raw) if is_shown else unreadable(attribute, "no text")
            case Anything():
                is_whole = not isinstance(raw, str) or is_text(raw)
                return raw if is_whole else unreadable(attribute, "a text that is no UTF-8")
            case Array():
                return unreadable(attribute, "a list, which SQLite does not have")


def _glob(pattern: str) -> str:
    """Turn a pattern of LIKE, with the backslash for its escape, into one of GLOB."""
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
    """Say what a value equals, where it is stored as a number."""
    return float(value) if isinstance(value, Approximate) else value


# A number that equals the stored one leaves it as it is, an INTEGER or a REAL. Texts are compared by their bytes.
_KEPT_IF_EQUAL = "CASE WHEN +own.{0} = ? COLLATE BINARY THEN own.{0} ELSE ? END"
_AS_THEY_ARE = (Integer, Text, Float, Enumeration, Bytes)  # types whose values the driver takes as they are


@lru_cache(maxsize=256)  # a text that is the same object is found sooner among the driver's prepared statements
def _with_places(head: str, columns: int, rows: int) -> str:
    return head + ", ".join([f"({', '.join('?' * columns)})"] * rows)
