"""Functions for SQLite: the order of decimals in texts, exact sums, and spellings of dates, times and UUIDs."""

from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import partial
from typing import Any

from storage.catalog.types import Date, DateTime, Time, TimeFormat
from storage.json_text import decode_json, encode_json
from storage.sql import sqlite_times
from storage.sql.codec import exact
from storage.sql.sqlite_values import to_uuid

DECIMAL_COLLATION = "partwise_decimal"  # see `compare_decimals`
EXACT_SUM = "partwise_sum"  # see `ExactSum`
WRITTEN = "partwise_written"  # see `written`
ORDERED = "partwise_ordered"  # see `ordered`
KEPT_DOCUMENT = "partwise_document"  # see `kept_document`
_NULL = encode_json(None)
_MOST_DIGITS = 20_000  # of a sum: the largest and the smallest double are 650 digits apart
_EXACT = Context(prec=_MOST_DIGITS, traps=[Inexact, InvalidOperation])


def compare_decimals(one: str, other: str) -> int:
    """Compare decimals in texts by their numeric value. A text that is not a number sorts last."""
    first, second = _as_number(one), _as_number(other)
    return (first > second) - (first < second)


def kept_document(stored: bytes | None, given: str | None) -> str | None:
    """Return the text of a JSON document to store: the stored one if it is equal, number by number, else the given one.

    JSON's null is read as null, so it is kept if null is written. Functions that SQLite calls must not raise: an
    invalid JSON text is replaced.
    """
    if stored is None:
        return given
    try:
        text = stored.decode()
        return text if encode_json(decode_json(text)) == (_NULL if given is None else given) else given
    except (ValueError, RecursionError):
        return given


class ExactSum:
    """An aggregate function that sums integers, doubles and decimals in texts without rounding.

    SQLite's own `sum` adds doubles, and fails if integers need more than 64 bits. This one takes about 1 µs per
    row. If a value is not a number, the sum is an empty text, because functions that SQLite calls must not raise.
    """

    def __init__(self) -> None:
        self._whole = 0
        self._rest = Decimal()
        self._count = 0
        self._is_number = True

    def step(self, value: Any) -> None:
        """Add one value. Texts are passed as bytes; nulls are ignored."""
        if value is None:
            return
        self._count += 1
        if isinstance(value, int):
            self._whole += value
            return
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        self._add(exact(value))

    def _add(self, number: Decimal | None) -> None:
        try:
            self._rest = _EXACT.add(self._rest, number)  # type: ignore[arg-type]  # a value that is not a number is caught
        except (ArithmeticError, TypeError):
            self._is_number = False

    def finalize(self) -> str | None:
        """Return the sum as a text, or None if there were no values."""
        if not self._count:
            return None
        self._add(Decimal(self._whole))
        return format(self._rest, "f") if self._is_number else ""


Kind = str
"""The argument of `written`: a kind of value, and the format of its column."""


def _write_time(type_: sqlite_times.TimeType, form: TimeFormat, raw: Any) -> str | None:
    found = sqlite_times.read(type_, form, raw)
    return None if found is None else sqlite_times.write_text(found)


def _write_uuid(form: str, raw: Any) -> str | None:
    found = to_uuid(raw)
    return None if found is None else found.hex if form == "hex" else str(found)


_WRITERS: Mapping[Kind, Callable[[Any], str | None]] = {
    **{
        f"{name} {form.value}": partial(_write_time, type_, form)
        for name, type_ in (("date", Date()), ("time", Time()), ("datetime", DateTime()))
        for form in (TimeFormat.ISO, TimeFormat.MIXED)
    },
    **{f"uuid {form}": partial(_write_uuid, form) for form in ("hex", "text")},
}


def written(kind: Kind, storage_class: str, raw: Any) -> str | None:
    """Return the stored value of a column in our own spelling, or None if it cannot be read. Texts are passed as bytes.

    Functions that SQLite calls must not raise.
    """
    if storage_class == "text":
        try:
            raw = raw.decode()
        except UnicodeDecodeError:
            return None
    return _WRITERS[kind](raw)


def ordered(kind: Kind, storage_class: str, raw: Any) -> str | bytes | None:
    """Return the same as `written`.

    An unreadable value becomes bytes, which sort last and differ for different values.
    """
    if raw is None:
        return None
    own = written(kind, storage_class, raw)
    return own if own is not None else storage_class.encode() + (raw if isinstance(raw, bytes) else repr(raw).encode())


def _as_number(text: str) -> tuple[bool, Decimal | str]:
    number = exact(text)
    return (True, text) if number is None else (False, number)
