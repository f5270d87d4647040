"""Every type of value, with a Hypothesis strategy for all the values that it has."""

from datetime import UTC
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from storage.catalog.types import (
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
    Text,
    Time,
    Uuid,
    ValueType,
)

Typed = tuple[ValueType, st.SearchStrategy[Any]]

LABELS = ("new", "in work", "a/b,c=d?e&f$g%h", "ж")

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def without_negative_zero(value: float) -> float:
    return value + 0.0


KEY_TYPES: dict[str, Typed] = {  # those that can stand in a path
    "int16": (Integer(bits=16), integers(16)),
    "int32": (Integer(bits=32), integers(32)),
    "int64": (Integer(bits=64), integers(64)),
    "float": (Float(bits=64), st.floats(allow_nan=False, allow_infinity=False).map(without_negative_zero)),
    "decimal": (
        Numeric(precision=10, scale=2),
        st.integers(-(10**10) + 1, 10**10 - 1).map(lambda cents: Decimal(cents).scaleb(-2)),
    ),
    "any decimal": (
        Numeric(),
        st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(-(10**20), 10**20), st.integers(0, 15)),
    ),
    "boolean": (Boolean(), st.booleans()),
    "text": (Text(), TEXT),
    "bytes": (Bytes(), st.binary(max_size=40)),
    "date": (Date(), st.dates()),
    "time": (Time(), st.times()),
    "naive datetime": (DateTime(aware=False), st.datetimes()),
    "aware datetime": (DateTime(aware=True), st.datetimes(timezones=st.just(UTC))),
    "uuid": (Uuid(), st.uuids()),
    "enum": (Enumeration(name="state", labels=LABELS), st.sampled_from(LABELS)),
}  # fmt: skip

ALL_TYPES: dict[str, Typed] = {
    **KEY_TYPES,
    "json": (JsonDocument(), JSON.filter(lambda value: value is not None)),
    "array of int64": (Array(of=Integer(bits=64)), st.lists(st.none() | integers(64), max_size=5)),
    "array of text": (Array(of=Text()), st.lists(st.none() | TEXT, max_size=5)),
}
