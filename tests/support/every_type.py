"""A table with one column of every type, and values for them: what goes in as JSON, and what comes out."""

import base64
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Json = Any


@dataclass(frozen=True)
class Exchange:
    """A value as it is sent, and as it has to come back."""

    sent: Json
    back: Json


def _same(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Exchange]:
    return strategy.map(lambda value: Exchange(value, value))


def _integers(bits: int) -> st.SearchStrategy[int]:
    limit = 1 << (bits - 1)
    return st.integers(-limit, limit - 1) | st.sampled_from([-limit, limit - 1, 0, -1])


@st.composite
def _big(draw: st.DrawFn) -> Exchange:
    value = draw(_integers(64))
    return Exchange(value if draw(st.booleans()) else str(value), str(value))


@st.composite
def _decimal(draw: st.DrawFn, digits: int, scale: int) -> Exchange:
    """Build a decimal of a declared scale: sent with as many digits as there are, back with as many as declared."""
    limit = 10**digits - 1
    value = Decimal(draw(st.integers(-limit, limit) | st.sampled_from([limit, -limit, 0]))).scaleb(-scale)
    short = format(value.normalize(), "f") if value else "0"
    return Exchange(draw(st.sampled_from([short, format(value, "f")])), format(value, "f"))


def _text(longest: int) -> st.SearchStrategy[str]:
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    edges = ["", " ", "  two  ", "'; DROP", '"\\', "%s?:x$1", "äöß€😀", "é", "NULL", "\n\t\r"]
    return st.text(characters, max_size=longest) | st.sampled_from([each for each in edges if len(each) <= longest])


_instants = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28)) | st.sampled_from(  # noqa: DTZ001  # zones are put on below
    [datetime(1970, 1, 1), datetime(2000, 2, 29, 23, 59, 59, 999999), datetime(1600, 1, 1, 0, 0, 0, 1)]  # noqa: DTZ001
)


@st.composite
def _aware(draw: st.DrawFn) -> Exchange:
    zone = timezone(timedelta(minutes=draw(st.sampled_from([0, 120, -570, 840]))))
    local = draw(_instants).replace(tzinfo=zone)
    back = local.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Exchange(local.isoformat() if zone.utcoffset(None) or draw(st.booleans()) else back, back)


_numbers = st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15).map(lambda value: 0.0 if abs(value) < 1e-15 else value)
_json = st.recursive(
    st.booleans() | _numbers | _text(10),
    lambda below: st.lists(st.none() | below, max_size=3) | st.dictionaries(_text(5), st.none() | below, max_size=3),
    max_leaves=6,
)
_doubles = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(lambda value: value + 0.0)
_bytes = st.binary(max_size=30) | st.sampled_from([b"", b"\x00", bytes(range(256))])

# attribute -> what its values are
VALUES: dict[str, st.SearchStrategy[Exchange]] = {
    "small": _same(_integers(16)),
    "whole": _same(_integers(32)),
    "big": _big(),
    "single": _same(st.integers(-999_999, 999_999).map(lambda number: number / 1000)),
    "double": _same(_doubles),
    "price": _decimal(10, 2),
    "exact": _decimal(15, 6),
    "flag": _same(st.booleans()),
    "short": _same(_text(20)),
    "fixed": _same(_text(5).filter(lambda text: not text.endswith(" "))),
    "long": _same(_text(60)),
    "day": _same(st.dates().map(date.isoformat) | st.sampled_from(["0001-01-01", "9999-12-31", "2000-02-29"])),
    "clock": _same(st.times().map(lambda value: value.isoformat())),
    "local": _same(_instants.map(lambda value: value.isoformat())),
    "instant": _aware(),
    "token": _same(st.uuids().map(str)),
    "bytes": _same(_bytes.map(lambda value: base64.b64encode(value).decode())),
    "document": _same(_json),
}

TABLE = """
CREATE TABLE every_type (
  id {key}, small SMALLINT, whole INTEGER, big BIGINT, single REAL, double {double}, price NUMERIC(10,2), exact NUMERIC(15,6),
  flag BOOLEAN, short VARCHAR(20), fixed CHAR(5), long TEXT, day DATE, clock TIME, local {naive}, instant {aware},
  token UUID, bytes {bytes}, document {json}
)
"""

GRAPHQL_TYPES = {
    "small": "Int",
    "whole": "Int",
    "big": "BigInt",
    "single": "Float",
    "double": "Float",
    "price": "Decimal",
    "exact": "Decimal",
    "flag": "Boolean",
    "short": "String",
    "fixed": "String",
    "long": "String",
    "day": "Date",
    "clock": "Time",
    "local": "DateTime",
    "instant": "DateTime",
    "token": "UUID",
    "bytes": "Base64",
    "document": "JSON",
}


def rows(most: int) -> st.SearchStrategy[list[dict[str, Exchange]]]:
    """Draw many rows at once: a list of values for each attribute, row after row, the shorter lists begun anew."""

    def across(columns: dict[str, list[Exchange]]) -> list[dict[str, Exchange]]:
        count = max(map(len, columns.values()))
        return [{name: values[n % len(values)] for name, values in columns.items()} for n in range(count)]

    lists = {name: st.lists(_or_null(values), min_size=1, max_size=most) for name, values in VALUES.items()}
    return st.fixed_dictionaries(lists).map(across)


def _or_null(values: st.SearchStrategy[Exchange]) -> st.SearchStrategy[Exchange]:
    """Draw a value, and now and then null."""
    return st.integers(0, 9).flatmap(lambda dice: st.just(Exchange(None, None)) if dice == 0 else values)
