"""The types of values that all databases share, and the values themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Literal, Self
from uuid import UUID

# Python converts up to 4,300 digits to an `int` (https://docs.python.org/3/library/stdtypes.html#int-max-str-digits),
# in a time that grows with the square of their number.
_MOST_DIGITS = 600


def is_utf_8(text: str) -> bool:
    """Return True if a text can be encoded in UTF-8.

    It then has neither bytes that were invalid when it was read, nor half of a surrogate pair.
    """
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


class BrokenText(str):
    """A text from the database that is not UTF-8: each invalid byte is half of a surrogate pair (PEP 383).

    Its class distinguishes it from other texts, so that their characters need not be checked.
    """

    __slots__ = ()


_LONG = 2_000  # characters of a number


def _shortened(text: str) -> str:
    """Drop the digits of a long number that do not affect the nearest double.

    `float` would take 0.1 s for 16 million digits.

    A tie between two doubles has less than 800 digits. Of the dropped digits, it only matters whether one is not 0.
    """
    whole, _, fraction = text.partition(".")
    if "e" in fraction or "E" in fraction or "e" in whole or "E" in whole:
        return text
    if len(whole) > _LONG:  # it has no leading zeros
        return "-inf" if text.startswith("-") else "inf"
    return f"{whole}.{fraction[:_LONG]}{'1' if fraction[_LONG:].strip('0') else ''}"


class ExactFloat(float):
    """A JSON number that keeps its digits.

    It has a fraction or an exponent, or is `-0` or an integer too long for Python's `int`.

    The float is the nearest double, which is infinite for a number larger than all doubles. Two numbers are equal if
    their decimal values are equal: `1.10` equals `1.1`, and `0.1` equals the double 0.1.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Parse a JSON number and keep its digits (RFC 8259, section 6)."""
        number = float.__new__(cls, text if len(text) <= _LONG else _shortened(text))
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, int | float):
            return NotImplemented
        try:
            return Decimal(self.text) == Decimal(other if isinstance(other, int) else repr(other))
        except InvalidOperation:  # an exponent out of range
            return self.text == repr(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = float.__hash__

    @property
    def is_whole(self) -> bool:
        """True if it is written as an integer: `-0`, or one with too many digits."""
        return self.text.lstrip("-").isdecimal()


def exact_float(text: str) -> ExactFloat:
    """Parse a JSON number as `ExactFloat(text)` does, in two thirds of the time."""
    number = _new_float(ExactFloat, text if len(text) <= _LONG else _shortened(text))
    number.text = text
    return number


_new_float = float.__new__


def exact_integer(text: str) -> int | ExactFloat:
    """Parse a JSON integer. An integer that `int` cannot hold keeps its digits."""
    if text == "-0":
        return _MINUS_ZERO
    return ExactFloat(text) if len(text) > _MOST_DIGITS else int(text)


_MINUS_ZERO = ExactFloat("-0")


class Approximate(int):
    """A JSON integer that may also be JavaScript's spelling of a double near it: 1152921504606847000 for 2 ** 60.

    Only the stored value determines which of them is meant (docs/contract.md, section 7).
    """

    __slots__ = ()


Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A stored value that does not match its own type: an error of that field, not of the request."""

    reason: str


Value = (
    None
    | bool
    | int
    | float
    | Decimal
    | str
    | bytes
    | date
    | time
    | datetime
    | UUID
    | Sequence["Value"]
    | Json
    | Unreadable
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """A whole number of 16, 32 or 64 bits, signed."""

    bits: Literal[16, 32, 64] = 32

    @property
    def smallest(self) -> int:
        """The smallest integer of this size."""
        return -(1 << (self.bits - 1))

    @property
    def largest(self) -> int:
        """The largest integer of this size."""
        return (1 << (self.bits - 1)) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Float:
    """A binary floating-point number (IEEE 754), single or double."""

    bits: Literal[32, 64] = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """An exact decimal with `precision` digits in total and `scale` decimal places; None is unlimited."""

    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean:
    """True or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Characters; `padded` is PostgreSQL's char(n), where trailing blanks are not significant."""

    max_length: int | None = None  # characters
    padded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Bytes."""

    max_length: int | None = None  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """A day of the Gregorian calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A time of day without a zone; `precision` is the number of digits of its fraction of a second."""

    precision: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTime:
    """A date and time. If `aware`, it is an instant, stored in UTC; otherwise it is a local time without a zone."""

    aware: bool = False
    precision: int = 6


class TimeFormat(Enum):
    """The storage of dates and times in an SQLite column. The values are the names in partwise.toml."""

    ISO = "iso"  # text in our own spelling; compares as text
    UNIX = "unix"  # the number of seconds since 1970, in UTC
    UNIX_MS = "unix_ms"  # the number of milliseconds since 1970, in UTC
    MIXED = "mixed"  # text or numbers in any spelling; compares as instants

    @property
    def is_numeric(self) -> bool:
        """True if values are stored as numbers."""
        return self in {TimeFormat.UNIX, TimeFormat.UNIX_MS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uuid:
    """A UUID (RFC 9562)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """One of the labels of an enum."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonDocument:
    """Any JSON value except null, which is the database's null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A one-dimensional list."""

    of: "ValueType"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """A type that only the database can parse (inet, interval, tsvector …), served in the database's own spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """A value of a column without a declared type in SQLite: a 64-bit integer, a double, text or bytes."""

    # True if SQLite may convert a value that is compared with it: with an expression of a view, or a column with a
    # declared type.
    converts: bool = False


ValueType = (
    Integer
    | Float
    | Numeric
    | Boolean
    | Text
    | Bytes
    | Date
    | Time
    | DateTime
    | Uuid
    | Enumeration
    | JsonDocument
    | Array
    | Opaque
    | Anything
)
