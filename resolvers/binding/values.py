"""Decoding of values from JSON and from the text of paths (docs/contract.md, section 7). serialization.py encodes them.

Types are strict: a value that does not fit exactly is rejected. Nothing is rounded or truncated.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import chain
from types import NoneType
from typing import Any, Never, assert_never
from uuid import UUID

import msgspec

from resolvers.binding.serialization import LIKE_A_NUMBER, LIKE_BYTES, QUOTED, to_text
from storage.any_values import BASE64, INFINITIES, INT, LARGEST_PLAIN, REAL, TOO_LARGE
from storage.catalog.types import (
    Anything,
    Approximate,
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
    Uuid,
    Value,
    ValueType,
    is_utf_8,
)

_INTEGER = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_PLAIN_DECIMAL = re.compile(r"(-?(?:0|[1-9]\d{0,99}))(?:\.(\d{1,99}))?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"  # seconds may be omitted, as <input type="datetime-local"> does
_TIME = re.compile(_CLOCK, re.ASCII)
_DATE_TIME = re.compile(rf"\d{{4}}-\d\d-\d\dT{_CLOCK}(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?", re.ASCII)
_NO_SECONDS = re.compile(r":00(?=Z?$)", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_MAX_DIGITS = 1_000  # of a decimal without a declared precision; PostgreSQL's own limit is far higher
_MAX_EXPONENT = 1_000
_LONGEST_NUMBER = 10_000  # characters of a decimal, including insignificant zeros
_MAX_JSON_DEPTH = 100  # levels
_MOST_DIGITS = len(str(-(1 << 63)))  # of a whole number of 64 bits, with its sign
_INTEGER_DIGITS = 19  # of the largest whole number of 64 bits
_SPELLED_OUT = 10**21  # from this value on, JavaScript writes whole numbers with an exponent
_BIG = Integer(bits=64)
_NO_ANY = (
    'must be a text, a number, or an object with one member: {"int": "9007199254740993"}, {"real": "Infinity"} or'
    ' {"base64": "AAEC"}'
)
_integers = msgspec.json.Decoder(list[int])
_EXACT_INTEGERS = 2**53  # up to this value, a double represents every whole number


class InvalidJsonValue(ValueError):
    """A value that does not fit its type. The message continues a sentence that begins with the attribute's name."""


Reader = Callable[[Any], Value]
"""Converts a JSON value, which is not null, to a value. Raises `InvalidJsonValue`."""


def from_json(type_: ValueType, raw: Any) -> Value:
    """Convert a JSON value, which is not null, to a value. Raises `InvalidJsonValue`."""
    return reader(type_)(raw)


def reader(type_: ValueType) -> Reader:
    """Return the function that converts JSON values of a type."""
    match type_:
        case Integer():
            return partial(_integer, type_)
        case Float(bits=bits):
            return partial(_float, bits)
        case Numeric():
            return partial(_numeric, type_)
        case Boolean():
            return _boolean
        case Text():
            return partial(_text, type_)
        case Bytes(max_length=max_length):
            return partial(_bytes, max_length)
        case Date():
            return _date
        case Time(precision=precision):
            return partial(_time, precision)
        case DateTime():
            return partial(_date_time, type_)
        case Uuid():
            return _uuid
        case Enumeration(labels=labels):
            return partial(_label, labels)
        case JsonDocument():
            return _document
        case Array(of=of):
            return partial(_array, reader(of))
        case Opaque():
            return _string
        case Anything():
            return _anything
        case _:
            assert_never(type_)


def read_column(type_: ValueType, values: Sequence[Any], classes: AbstractSet[type] | None = None) -> Sequence[Value]:
    """Convert JSON values, none of which is null, as the reader of the type does. Raises `InvalidJsonValue`.

    `classes` are those of the values, if they are known. Values of the most frequent types are checked together: the
    reader is called for the extremes only (the smallest and the largest integer, the longest text). This is valid only
    for rules about range, characters and length.
    """
    read = reader(type_)
    classes = set(map(type, values)) if classes is None else classes
    extremes: Collection[Any]
    match type_:
        case Integer() if classes == {int}:
            extremes = min(values), max(values)
        case Boolean() if classes == {bool}:
            extremes = set(values)
        case Text(padded=False) if classes == {str}:
            _string("".join(values))
            extremes = () if type_.max_length is None else (max(values, key=len),)
        case _:
            return list(map(read, values))
    for extreme in extremes:
        read(extreme)
    return values


def _integer(type_: Integer, raw: Any) -> int:
    if isinstance(raw, ExactFloat) and raw.is_whole:
        raw = 0 if raw.text == "-0" else _too_long(type_)
    if type_.bits == 64 and isinstance(raw, str) and len(raw) <= _MOST_DIGITS and _INTEGER.fullmatch(raw):  # noqa: PLR2004  # BigInt
        raw = int(raw)
    if isinstance(raw, str) and raw.startswith("$"):
        raise InvalidJsonValue("must be a whole number; to point at the item of another part, use references")
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise InvalidJsonValue("must be a whole number")
    if not type_.smallest <= raw <= type_.largest:
        _too_long(type_)
    return raw


def _too_long(type_: Integer) -> Never:
    raise InvalidJsonValue(f"must be between {type_.smallest} and {type_.largest}")


def _boolean(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise InvalidJsonValue("must be true or false")
    return raw


def _uuid(raw: Any) -> UUID:
    if not isinstance(raw, str) or not _UUID.fullmatch(raw):
        raise InvalidJsonValue("must be a UUID")
    return UUID(raw)


def _label(labels: Sequence[str], raw: Any) -> str:
    if not isinstance(raw, str) or raw not in labels:
        raise InvalidJsonValue(f"must be one of {', '.join(labels)}")
    return raw


def _document(raw: Any) -> Value:
    _check_json(raw)
    return raw  # type: ignore[no-any-return]  # `_check_json` has validated it


def _array(read: Reader, raw: Any) -> Value:
    if not isinstance(raw, list):
        raise InvalidJsonValue("must be a list")
    values: list[Value] = []
    try:
        values.extend(None if each is None else read(each) for each in raw)
    except InvalidJsonValue as invalid:
        raise InvalidJsonValue(f"has a value at index {len(values)} that {invalid}") from None
    return values


def _float(bits: int, raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise InvalidJsonValue("must be a number")
    if isinstance(raw, int) and abs(raw) > _EXACT_INTEGERS and (raw.bit_length() > 1_023 or int(float(raw)) != raw):  # noqa: PLR2004  # a double's exponent
        raise InvalidJsonValue("has more digits than a floating-point number holds")
    value = float(raw) + 0.0  # -0.0 becomes 0.0: SQLite does not keep its sign
    if not math.isfinite(value):
        raise InvalidJsonValue("must be a finite number")
    if bits == 32 and not _is_single(value):  # noqa: PLR2004  # PostgreSQL's real
        raise InvalidJsonValue("has more digits than a single-precision number holds")
    return value


def _is_single(value: float) -> bool:
    """Return True if a number is equal to the shortest decimal form of its nearest single-precision number."""
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return False
    digits = 6, 7, 8, 9  # nine digits always distinguish a single-precision number from its neighbors
    shortest = next(
        (s for n in digits if struct.pack("f", float(s := f"{single:.{n}g}")) == struct.pack("f", single)), ""
    )
    return float(shortest) == value


def _numeric(type_: Numeric, raw: Any) -> Decimal:
    text = raw.text if isinstance(raw, ExactFloat) else raw
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        raise InvalidJsonValue("must be a decimal number, like 12.50")
    plain = _PLAIN_DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if plain is not None and (value := _plain_decimal(type_, plain)):
        return value
    if isinstance(text, str) and not _DECIMAL.fullmatch(text[:_LONGEST_NUMBER]):
        raise InvalidJsonValue("must be a decimal number, like 12.50")
    if isinstance(text, str) and len(text) > _LONGEST_NUMBER:
        raise InvalidJsonValue("has too many digits")
    try:
        value = Decimal(repr(text)) if isinstance(text, float) else Decimal(text)
    except InvalidOperation:
        raise InvalidJsonValue("has too many digits") from None
    if not value.is_finite() or abs(value.adjusted()) > _MAX_EXPONENT or len(value.as_tuple().digits) > _MAX_DIGITS:
        raise InvalidJsonValue("has too many digits")
    value = Decimal(format(value, "f"))  # no exponent, no negative zero without digits
    if value.is_zero():
        value = abs(value)
    return _at_scale(type_, value)


def _plain_decimal(type_: Numeric, plain: re.Match[str]) -> Decimal | None:
    """Parse a decimal without arithmetic (0.9 µs instead of 2.6) if its text shows that it fits, else return None."""
    whole, fraction = plain.groups("")
    if type_.precision is None:
        return Decimal(plain[0])
    scale = type_.scale or 0
    if len(fraction) > scale or len(whole) > type_.precision - scale:
        return None
    return Decimal(plain[0] if len(fraction) == scale else f"{whole}.{fraction:0<{scale}}")


def _at_scale(type_: Numeric, value: Decimal) -> Decimal:
    """Return a decimal with the scale of its type. Raises `InvalidJsonValue` if it has too many digits.

    In PostgreSQL, a scale can be negative, or greater than the precision.
    """
    if type_.precision is None:
        return value
    scale, whole = type_.scale or 0, type_.precision - (type_.scale or 0)
    exact = value.normalize()
    exponent = exact.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > scale and not exact.is_zero():
        raise InvalidJsonValue(f"must be a multiple of {10**-scale}" if scale < 0 else _decimal_places(scale))
    if not exact.is_zero() and exact.adjusted() + 1 > whole:
        edge = format(Decimal(f"1e{whole}"), "f")
        raise InvalidJsonValue(
            f"must be more than -{edge} and less than {edge}"
            if whole < 0
            else f"can have at most {whole} digits before the decimal point"
        )
    return Decimal(format(value, f".{max(scale, 0)}f"))


def _decimal_places(scale: int) -> str:
    return f"can have at most {scale} decimal places" if scale else "must be a whole number"


def _string(raw: Any) -> str:
    if not isinstance(raw, str):
        raise InvalidJsonValue("must be text")
    if "\x00" in raw:
        raise InvalidJsonValue("must not contain the NUL character")
    if not is_utf_8(raw):
        raise InvalidJsonValue("must not contain half of a surrogate pair")
    return raw


def _text(type_: Text, raw: Any) -> str:
    text = _string(raw)
    if type_.max_length is not None and len(text) > type_.max_length:
        raise InvalidJsonValue(f"can have at most {type_.max_length} characters")
    if type_.padded and text.endswith(" "):
        raise InvalidJsonValue("must not end with a blank: the database would not keep it")
    return text


def _bytes(max_length: int | None, raw: Any) -> bytes:
    try:
        value = base64.b64decode(_string(raw), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidJsonValue("must be bytes in Base64") from None
    if base64.b64encode(value).decode() != raw:
        raise InvalidJsonValue("must be bytes in Base64")
    if max_length is not None and len(value) > max_length:
        raise InvalidJsonValue(f"can have at most {max_length} bytes")
    return value


def _date(raw: Any) -> date:
    if not isinstance(raw, str) or not _DATE.fullmatch(raw):
        raise InvalidJsonValue("must be a date like 2026-12-31")
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise InvalidJsonValue("must be a date of the calendar, in the years 1 to 9999") from None


def _time(precision: int, raw: Any) -> time:
    if not isinstance(raw, str) or not _TIME.fullmatch(raw):
        raise InvalidJsonValue("must be a time like 23:59:59")
    try:
        value = time.fromisoformat(raw)
    except ValueError:
        raise InvalidJsonValue("must be a time of day") from None
    _check_fraction(value, precision)
    return value


def _date_time(type_: DateTime, raw: Any) -> datetime:
    if not isinstance(raw, str) or not _DATE_TIME.fullmatch(raw):
        raise InvalidJsonValue(f"must be a date and time like 2026-12-31T23:59:59{'Z' if type_.aware else ''}")
    try:
        value = datetime.fromisoformat(raw)
        value = value.astimezone(UTC) if value.tzinfo else value
    except (ValueError, OverflowError):
        raise InvalidJsonValue("must be a date and time of the calendar, in the years 1 to 9999") from None
    if type_.aware and value.tzinfo is None:
        raise InvalidJsonValue("must have a time zone, like 2026-12-31T23:59:59Z or 2026-12-31T23:59:59+02:00")
    if not type_.aware and value.tzinfo is not None:
        raise InvalidJsonValue("must have no time zone, like 2026-12-31T23:59:59")
    _check_fraction(value, type_.precision)
    return value


def _check_fraction(value: time | datetime, precision: int) -> None:
    if value.microsecond % 10 ** (6 - precision):
        limit = f"can have at most {precision} decimal places in its seconds"
        raise InvalidJsonValue(limit if precision else "cannot have fractions of a second")


def _anything(raw: Any) -> Value:
    """Convert JSON to a value of a column without a declared type. Raises `InvalidJsonValue`.

    The JSON is text, a number, or an object for a value that JSON cannot represent as such.
    """
    match raw:
        case str():
            return _string(raw)
        case bool():
            raise InvalidJsonValue(_NO_ANY)
        case int():
            return _any_whole(raw)
        case float():
            return _any_number(raw)
        case dict():
            return _any_object(raw)
        case _:
            raise InvalidJsonValue(_NO_ANY)


def _any_whole(number: int) -> int:
    """Return a whole number exactly, or as `Approximate` if JavaScript writes a nearby double with the same digits.

    Raises `InvalidJsonValue` if it is too large.
    """
    if abs(number) <= LARGEST_PLAIN:
        return number
    is_storable = _BIG.smallest <= number <= _BIG.largest
    is_spelled = abs(number) < _SPELLED_OUT and int(Decimal(repr(float(number)))) == number
    if is_spelled and not (is_storable and int(float(number)) == number):
        return Approximate(number)
    if not is_storable:
        raise InvalidJsonValue(TOO_LARGE)
    return number


def _any_number(number: float) -> int | float:
    """Convert a number with a fraction or an exponent. Raises `InvalidJsonValue` if a double cannot represent it.

    A whole number of 64 bits keeps all its digits. Any other number becomes the nearest double.
    """
    text = number.text if isinstance(number, ExactFloat) else repr(number)
    value = float(text)
    if not math.isfinite(value):
        raise InvalidJsonValue('must be a number that a double holds, or {"real": "Infinity"}')
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent beyond all limits, of a number close to zero
        return value
    if exact.is_zero():
        return 0
    if exact.adjusted() >= _INTEGER_DIGITS or exact != exact.to_integral_value():
        return value
    whole = int(exact)
    return _any_whole(whole) if _BIG.smallest <= whole <= _BIG.largest else value


def _any_object(raw: dict[str, Any]) -> Value:
    if len(raw) != 1:
        raise InvalidJsonValue(_NO_ANY)
    ((kind, text),) = raw.items()
    match kind:
        case "int":
            if not isinstance(text, str) or len(text) > _MOST_DIGITS or not _INTEGER.fullmatch(text) or text == "-0":
                raise InvalidJsonValue(f'must have a whole number as text in {INT}, like {{"int": "9007199254740993"}}')
            return _integer(_BIG, text)
        case "real":
            if not isinstance(text, str) or text not in INFINITIES:
                raise InvalidJsonValue(
                    f'must have "Infinity" or "-Infinity" in {REAL}: any other number is written as it is'
                )
            return INFINITIES[text]
        case "base64":
            try:
                return _bytes(None, text)
            except InvalidJsonValue:
                raise InvalidJsonValue(f"must have bytes in Base64 in {BASE64}") from None
        case _:
            raise InvalidJsonValue(_NO_ANY)


def _any_from_text(text: str, *, canonical: bool) -> Value:
    """Parse a value of a path for a column without a declared type. Raises `InvalidJsonValue`.

    The value is a number, bytes such as X'0AFF', or text, which is quoted if it looks like a number or bytes.
    """
    if quoted := QUOTED.fullmatch(text):
        value: Value = quoted[1]
    elif LIKE_BYTES.fullmatch(text):
        try:
            value = bytes.fromhex(text[2:-1])
        except ValueError:
            raise InvalidJsonValue("must have hexadecimal digits between the quotes") from None
    elif text in INFINITIES:
        value = INFINITIES[text]
    elif LIKE_A_NUMBER.fullmatch(text):
        value = _any_number_of_path(text, canonical=canonical)
    else:
        value = _string(text)
    if canonical and (written := to_text(Anything(), value)) != text:
        as_text = to_text(Anything(), text)
        more = f", or {as_text} as a text" if as_text not in {text, written} else ""
        raise InvalidJsonValue(f"must be written {written}{more}")
    return value


def _any_number_of_path(text: str, *, canonical: bool) -> int | float:
    """Parse digits as an INTEGER, and any other number as a REAL; in a filter, digits are parsed as in JSON."""
    digits = _INTEGER.fullmatch(text)
    if digits and len(text) <= _MOST_DIGITS and _BIG.smallest <= int(text) <= _BIG.largest:
        return int(text) if canonical else _any_whole(int(text))
    value = float(text)
    if not math.isfinite(value):
        raise InvalidJsonValue("must be a number that a double holds, or Infinity")
    return value


def _check_json(raw: Any) -> None:
    """Validate a JSON document level by level, because it may have a million values. Raises `InvalidJsonValue`."""
    level: list[Any] = [raw]
    for _ in range(_MAX_JSON_DEPTH):
        inner: list[Any] = []
        texts: list[str] = []
        for class_ in {*map(type, level)}:
            alike: list[Any] = [each for each in level if each.__class__ is class_]
            if issubclass(class_, str):
                texts += alike
            elif issubclass(class_, list):
                inner += chain.from_iterable(alike)
            elif issubclass(class_, dict):
                texts += chain.from_iterable(alike)
                inner += chain.from_iterable(each.values() for each in alike)
            elif issubclass(class_, float) and not issubclass(class_, ExactFloat):  # which may be infinite
                if not all(map(math.isfinite, alike)):
                    raise InvalidJsonValue("must contain finite numbers only")
            elif not issubclass(class_, int | ExactFloat | NoneType):
                raise InvalidJsonValue("must be JSON")
        _string("".join(texts))
        if not inner:
            return
        level = inner
    raise InvalidJsonValue(f"must not be nested deeper than {_MAX_JSON_DEPTH} levels")


def from_text(type_: ValueType, text: str, *, canonical: bool = True) -> Value:
    """Parse a value of a path. Raises `InvalidJsonValue`.

    A value of a filter can have any form that JSON accepts. A value of a key must have the canonical form, except that
    zero seconds can be omitted from a time.
    """
    raw: Any = text
    match type_:
        case Integer() if text.isdecimal() and text.isascii() and text[0] != "0" and len(text) <= _MOST_DIGITS:
            return _integer(type_, int(text))  # digits without leading zeros are their own canonical form
        case Integer() if text.lstrip("-").startswith("0") and text != "0":
            raise InvalidJsonValue("must be a whole number without leading zeros")
        case Integer() if _INTEGER.fullmatch(text) and len(text) <= _MOST_DIGITS:
            raw = int(text)
        case Float() if _DECIMAL.fullmatch(text):
            raw = float(text)
        case Boolean() if text in {"true", "false"}:
            raw = text == "true"
        case JsonDocument() | Array():
            raise InvalidJsonValue("cannot be used in a path")
        case Anything():
            return _any_from_text(text, canonical=canonical)
        case _:
            pass
    value = from_json(type_, raw)
    written = to_text(type_, value) if canonical else text
    if written != text and not (isinstance(type_, Time | DateTime) and _NO_SECONDS.sub("", written) == text):
        raise InvalidJsonValue(f"must be written {written}")
    return value


def column_from_text(type_: ValueType, texts: Sequence[str]) -> Sequence[Value]:
    """Parse the values of keys in a path, as `from_text` does. Raises `InvalidJsonValue`."""
    match type_:
        case Integer() if numbers := _canonical_integers(texts):
            return read_column(type_, numbers)
        case Text():
            return read_column(type_, texts)  # each text is its own canonical form
        case _:
            return [from_text(type_, text) for text in texts]


def _canonical_integers(texts: Sequence[str]) -> list[int] | None:
    """Parse integers of 64 bits in their canonical form, which is that of JSON; None if any text is anything else."""
    joined = f"[{','.join(texts)}]"
    if len(joined) > (_MOST_DIGITS + 2) * len(texts):
        return None  # parsing of long numbers takes long
    try:
        numbers = _integers.decode(joined)
        is_canonical = len(numbers) == len(texts) and msgspec.json.encode(numbers).decode() == joined
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return numbers if is_canonical else None
