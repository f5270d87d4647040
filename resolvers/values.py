"""Values on the wire: from JSON and from path text to values, and back (docs/contract.md, section 7).

Types are strict: what does not fit exactly is refused, nothing is rounded or cut.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, assert_never
from uuid import UUID

from graphql import GraphQLError

from storage.catalog.types import (
    Array,
    Boolean,
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
)

_INTEGER = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_MAX_DIGITS = 1_000  # of a decimal without a declared precision; PostgreSQL's own limit is far beyond
_MAX_EXPONENT = 1_000
_MAX_JSON_DEPTH = 100  # levels
_EXACT_INTEGERS = 2**53  # up to here a double holds every whole number


class Misfit(ValueError):
    """A value that does not fit its type. The text continues a sentence that begins with the attribute's name."""


def from_json(type_: ValueType, raw: Any) -> Value:
    """Turn a JSON value, which is not null, into a value. Raises `Misfit`."""
    match type_:
        case Integer(bits=bits):
            return _integer(raw, bits)
        case Float(bits=bits):
            return _float(raw, bits)
        case Numeric():
            return _numeric(type_, raw)
        case Boolean():
            if not isinstance(raw, bool):
                raise Misfit("must be true or false")
            return raw
        case Text():
            return _text(type_, raw)
        case Bytes(max_length=max_length):
            return _bytes(raw, max_length)
        case Date():
            return _date(raw)
        case Time(precision=precision):
            return _time(raw, precision)
        case DateTime():
            return _date_time(type_, raw)
        case Uuid():
            if not isinstance(raw, str) or not _UUID.fullmatch(raw):
                raise Misfit("must be a UUID")
            return UUID(raw)
        case Enumeration(labels=labels):
            if not isinstance(raw, str) or raw not in labels:
                raise Misfit(f"must be one of {', '.join(labels)}")
            return raw
        case JsonDocument():
            _check_json(raw, _MAX_JSON_DEPTH)
            return raw  # type: ignore[no-any-return]  # what JSON is made of has been checked
        case Array(of=of):
            if not isinstance(raw, list):
                raise Misfit("must be a list")
            return [None if each is None else from_json(of, each) for each in raw]
        case Opaque():
            return _string(raw)
        case _:
            assert_never(type_)


def _integer(raw: Any, bits: int) -> int:
    if bits == 64 and isinstance(raw, str) and _INTEGER.fullmatch(raw) and len(raw) <= len(str(-(1 << 63))):  # noqa: PLR2004  # BigInt
        raw = int(raw)
    if isinstance(raw, str) and raw.startswith("$"):
        raise Misfit("must be a whole number; to point at the item of another part, use references")
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise Misfit("must be a whole number")
    limit = 1 << (bits - 1)
    if not -limit <= raw < limit:
        raise Misfit(f"must be between {-limit} and {limit - 1}")
    return raw


def _float(raw: Any, bits: int) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise Misfit("must be a number")
    if isinstance(raw, int) and abs(raw) > _EXACT_INTEGERS and (raw.bit_length() > 1_023 or int(float(raw)) != raw):  # noqa: PLR2004  # a double's exponent
        raise Misfit("has more digits than a floating-point number holds")
    value = float(raw) + 0.0  # -0.0 becomes 0.0: SQLite does not keep its sign
    if not math.isfinite(value):
        raise Misfit("must be a finite number")
    if bits == 32 and not _is_single(value):  # noqa: PLR2004  # PostgreSQL's real
        raise Misfit("has more digits than a single-precision number holds")
    return value


def _is_single(value: float) -> bool:
    """Whether a single-precision number comes back as it went in, in its shortest decimal form."""
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return False
    digits = 6, 7, 8, 9  # nine always tell a single from its neighbours
    shortest = next(
        (s for n in digits if struct.pack("f", float(s := f"{single:.{n}g}")) == struct.pack("f", single)), ""
    )
    return float(shortest) == value


def _numeric(type_: Numeric, raw: Any) -> Decimal:
    text = raw.text if isinstance(raw, ExactFloat) else raw
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        raise Misfit("must be a decimal number")
    if isinstance(text, str) and not _DECIMAL.fullmatch(text):
        raise Misfit("must be a decimal number")
    try:
        value = Decimal(repr(text)) if isinstance(text, float) else Decimal(text)
    except InvalidOperation:
        raise Misfit("has too many digits") from None
    if not value.is_finite() or abs(value.adjusted()) > _MAX_EXPONENT or len(value.as_tuple().digits) > _MAX_DIGITS:
        raise Misfit("has too many digits")
    value = Decimal(format(value, "f"))  # no exponent, no negative zero without digits
    if value.is_zero():
        value = abs(value)
    return _at_scale(type_, value)


def _at_scale(type_: Numeric, value: Decimal) -> Decimal:
    if type_.precision is None:
        return value
    scale = type_.scale or 0
    exact = value.normalize()
    exponent = exact.as_tuple().exponent
    fraction = max(0, -exponent) if isinstance(exponent, int) else 0
    if fraction > scale:
        raise Misfit(f"must have at most {scale} digits after the point")
    if not exact.is_zero() and exact.adjusted() + 1 > type_.precision - scale:
        raise Misfit(f"must have at most {type_.precision - scale} digits before the point")
    return Decimal(format(value, f".{scale}f"))


def _string(raw: Any) -> str:
    if not isinstance(raw, str):
        raise Misfit("must be text")
    if "\x00" in raw:
        raise Misfit("must not contain the NUL character")
    if not raw.isascii() and any("\ud800" <= character <= "\udfff" for character in raw):
        raise Misfit("must not contain half of a surrogate pair")
    return raw


def _text(type_: Text, raw: Any) -> str:
    text = _string(raw)
    if type_.max_length is not None and len(text) > type_.max_length:
        raise Misfit(f"must have at most {type_.max_length} characters")
    if type_.padded and text.endswith(" "):
        raise Misfit("must not end with a blank: the database would not keep it")
    return text


def _bytes(raw: Any, max_length: int | None) -> bytes:
    try:
        value = base64.b64decode(_string(raw), validate=True)
    except (binascii.Error, ValueError):
        raise Misfit("must be bytes in Base64") from None
    if base64.b64encode(value).decode() != raw:
        raise Misfit("must be bytes in Base64")
    if max_length is not None and len(value) > max_length:
        raise Misfit(f"must have at most {max_length} bytes")
    return value


def _date(raw: Any) -> date:
    if not isinstance(raw, str) or not _DATE.fullmatch(raw):
        raise Misfit("must be a date like 2026-12-31")
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise Misfit("must be a date of the calendar, in the years 1 to 9999") from None


def _time(raw: Any, precision: int) -> time:
    if not isinstance(raw, str) or not _TIME.fullmatch(raw):
        raise Misfit("must be a time like 23:59:59")
    try:
        value = time.fromisoformat(raw)
    except ValueError:
        raise Misfit("must be a time of day") from None
    _check_fraction(value, precision)
    return value


def _date_time(type_: DateTime, raw: Any) -> datetime:
    if not isinstance(raw, str) or not _DATE_TIME.fullmatch(raw):
        raise Misfit(f"must be a date and time like 2026-12-31T23:59:59{'Z' if type_.aware else ''}")
    try:
        value = datetime.fromisoformat(raw)
        value = value.astimezone(UTC) if value.tzinfo else value
    except (ValueError, OverflowError):
        raise Misfit("must be a date and time of the calendar, in the years 1 to 9999") from None
    if type_.aware and value.tzinfo is None:
        raise Misfit("must have a time zone, like Z or +02:00")
    if not type_.aware and value.tzinfo is not None:
        raise Misfit("must have no time zone")
    _check_fraction(value, type_.precision)
    return value


def _check_fraction(value: time | datetime, precision: int) -> None:
    if value.microsecond % 10 ** (6 - precision):
        raise Misfit(f"must have at most {precision} digits after the seconds' point")


def _check_json(raw: Any, depth: int) -> None:
    if depth == 0:
        raise Misfit(f"must not be nested deeper than {_MAX_JSON_DEPTH} levels")
    match raw:
        case None | bool() | int():
            return
        case float():
            if not math.isfinite(raw):
                raise Misfit("must contain finite numbers only")
        case str():
            _string(raw)
        case list():
            for each in raw:
                _check_json(each, depth - 1)
        case dict():
            for key, each in raw.items():
                _string(key)
                _check_json(each, depth - 1)
        case _:
            raise Misfit("must be JSON")


def to_json(type_: ValueType, value: Value) -> Any:
    """Turn a value into JSON. Raises `GraphQLError` for what the database holds against its own type."""
    match value:
        case None | bool() | str():
            return value
        case Unreadable(reason=reason):
            raise GraphQLError(reason, extensions={"code": "UNREADABLE_VALUE"})
        case Decimal():
            return format(value, "f")
        case int():
            return str(value) if isinstance(type_, Integer) and type_.bits == 64 else value  # noqa: PLR2004  # BigInt
        case float():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat().removesuffix("+00:00") + ("Z" if value.tzinfo else "")
        case date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return value
        case Sequence():
            return [to_json(type_.of, each) for each in value] if isinstance(type_, Array) else value
        case _:
            assert_never(value)


def to_text(type_: ValueType, value: Value) -> str:
    """Write a value as it stands in a path, before percent-encoding: its canonical form."""
    found = to_json(type_, value)
    if found is None:
        raise GraphQLError("An item whose key is null has no path.", extensions={"code": "UNREADABLE_VALUE"})
    if isinstance(found, bool):
        return "true" if found else "false"
    return found if isinstance(found, str) else repr(found)


def from_text(type_: ValueType, text: str, *, canonical: bool = True) -> Value:
    """Read a value of a path: of a key the canonical form only, of a filter any that JSON takes. Raises `Misfit`."""
    raw: Any = text
    match type_:
        case Integer() if text.lstrip("-").startswith("0") and text != "0":
            raise Misfit("must be a whole number without leading zeros")
        case Integer() if _INTEGER.fullmatch(text) and len(text) <= len(str(-(1 << 63))):
            raw = int(text)
        case Float() if _DECIMAL.fullmatch(text):
            raw = float(text)
        case Boolean() if text in {"true", "false"}:
            raw = text == "true"
        case JsonDocument() | Array():
            raise Misfit("cannot stand in a path")
        case _:
            pass
    value = from_json(type_, raw)
    if canonical and to_text(type_, value) != text:
        raise Misfit(f"must be written {to_text(type_, value)}")
    return value
