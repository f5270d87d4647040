"""Dates and times in SQLite columns: text in several spellings, or numbers since 1970 (docs/contract.md, section 7)."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from storage.catalog.affinity import affinity_of
from storage.catalog.model import Attribute
from storage.catalog.types import Date, DateTime, Time, TimeFormat, Unreadable
from storage.sql import codec
from storage.sql.codec import Unstorable

TimeType = Date | Time | DateTime
TimeValue = date | time | datetime
Range = tuple[str, str]
"""Text from the first (inclusive) to the second (exclusive)."""

WHOLE_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_UTC_OFFSET = "+00:00"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # UTC: all values are compared in UTC
_PER_UNIT = {TimeFormat.UNIX: 1_000_000, TimeFormat.UNIX_MS: 1_000}  # microseconds
_ZONE = r"(?: ?(?P<zone>[Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?))?"
_CLOCK = r"(?P<clock>\d\d:\d\d)(?::(?P<seconds>\d\d)(?:[.,](?P<fraction>\d+))?)?"
_TEXT = re.compile(rf"(?P<day>\d{{4}}-\d\d-\d\d)(?:[ Tt]{_CLOCK}{_ZONE})?", re.ASCII)
_TIME = re.compile(_CLOCK + _ZONE, re.ASCII)
_DIGITS = 6  # of a fraction of a second in Python's types
_OWN_LENGTHS = frozenset({19, 26})  # characters of a date and time in our spelling: without a fraction, and with one
_OWN_LENGTHS_OF_TIMES = frozenset({8, 15})
_OWN_LENGTH_OF_DATES = 10
# In a column of any spelling, a number may be something other than a count of seconds: a year, a day like 20261231, a
# Julian day (all of these are less than the first limit), or a count of milliseconds. From the second limit on, it is
# always milliseconds, because as seconds it would be after the year 9999.
_FEWEST_SECONDS = 100_000_000  # in 1973
_FEWEST_MILLISECONDS = 253_402_300_800
_JULIAN_DAYS = range(1_721_425, 5_373_485)  # the years 1 to 9999
_LAST = "~"  # sorts after all characters of a date or time


# --- reading


def read(type_: TimeType, form: TimeFormat, raw: Any) -> TimeValue | None:
    """Read a date or time in the format of a column. Return None if it does not match the format."""
    if isinstance(raw, str):
        return None if form.is_numeric else read_text(type_, raw)
    if form is TimeFormat.ISO or not isinstance(raw, int | float) or isinstance(type_, Time):
        return None
    if form is TimeFormat.MIXED:
        unit = _unit_of(raw)
        return None if unit is None else _read_number(type_, unit, raw)
    return _read_number(type_, form, raw)


def read_text(type_: TimeType, raw: str) -> TimeValue | None:
    """Read the text of a date or time in any spelling. A zone is converted to UTC; without a zone, it is UTC."""
    own = own_reader(type_)(raw)
    if own is not None:
        return own
    try:
        match type_:
            case DateTime(aware=aware):
                instant = _instant(raw)
                return instant.replace(tzinfo=UTC) if aware and instant is not None else instant
            case Date():
                return _day_of(_instant(raw))
            case Time():
                return _time(raw)
    except (ValueError, OverflowError):
        return None


def own_reader(type_: TimeType) -> Callable[[Any], TimeValue | None]:
    """Return the fast reader of our own spelling of a type. It returns None for all other values."""
    match type_:
        case DateTime(aware=aware):
            return _own_instant if aware else _own_date_time
        case Date():
            return _own_day
        case Time():
            return _own_clock


def _own_date_time(raw: Any) -> datetime | None:
    if type(raw) is not str or len(raw) not in _OWN_LENGTHS or raw[10] != " " or raw[7] != "-":
        return None
    try:
        found = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return found if found.tzinfo is None else None


def _own_instant(raw: Any) -> datetime | None:
    found = _own_date_time(raw)
    return None if found is None else found.replace(tzinfo=UTC)


def _own_day(raw: Any) -> date | None:
    if type(raw) is not str or len(raw) != _OWN_LENGTH_OF_DATES or raw[7] != "-":
        return None
    try:
        return date.fromisoformat(raw)
    except ValueError:
        return None


def _own_clock(raw: Any) -> time | None:
    if type(raw) is not str or len(raw) not in _OWN_LENGTHS_OF_TIMES or not raw[2] == raw[5] == ":":
        return None
    try:
        found = time.fromisoformat(raw)
    except ValueError:
        return None
    return found if found.tzinfo is None else None


def _instant(raw: str) -> datetime | None:
    """Read a date and time in UTC, without a zone. Raises `ValueError` and `OverflowError`."""
    match = _TEXT.fullmatch(raw)
    if match is None:
        return None
    clock = _clock_of(match)
    if clock is None:
        return None
    return datetime.combine(date.fromisoformat(match["day"]), clock) - _offset(match["zone"])


def _clock_of(match: re.Match[str]) -> time | None:
    """Read a time of day. Return None if its fraction is finer than a microsecond."""
    fraction = match["fraction"] or ""
    if fraction[_DIGITS:].strip("0"):
        return None
    return time.fromisoformat(
        f"{match['clock'] or '00:00'}:{match['seconds'] or '00'}.{fraction[:_DIGITS]:0<{_DIGITS}}"
    )


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -offset if zone[0] == "-" else offset


def _day_of(instant: datetime | None) -> date | None:
    """Return the day of an instant at midnight, else None, because the time of day would be lost."""
    return instant.date() if instant is not None and instant.time() == time() else None


def _time(raw: str) -> time | None:
    match = _TIME.fullmatch(raw)
    return None if match is None or _offset(match["zone"]) else _clock_of(match)


def _unit_of(raw: float) -> TimeFormat | None:
    """Return the unit of a number in a column of any spelling, or None if it may not be a time."""
    if abs(raw) < _FEWEST_SECONDS:
        return None
    return TimeFormat.UNIX if abs(raw) < _FEWEST_MILLISECONDS else TimeFormat.UNIX_MS


def _read_number(type_: Date | DateTime, form: TimeFormat, raw: float) -> TimeValue | None:
    try:
        instant = _EPOCH + timedelta(microseconds=_whole_microseconds(form, raw))
    except (ValueError, OverflowError):
        return None
    match type_:
        case Date():
            return _day_of(instant)
        case DateTime(aware=aware):
            return instant.replace(tzinfo=UTC) if aware else instant


def _whole_microseconds(form: TimeFormat, raw: float) -> int:
    """Convert seconds or milliseconds to microseconds.

    A double counts as its shortest decimal form. Raises `ValueError`.
    """
    if isinstance(raw, int):
        return raw * _PER_UNIT[form]
    microseconds = Decimal(repr(raw)) * _PER_UNIT[form]
    if not microseconds.is_finite() or microseconds != microseconds.to_integral_value():
        raise ValueError(raw)
    return int(microseconds)


def unreadable(attribute: Attribute, type_: TimeType, raw: Any) -> Unreadable:
    """Return the reason why a date or time cannot be read, with the setting that helps."""
    form = attribute.format
    if isinstance(raw, int | float):
        return Unreadable(
            reason=f"The database contains a number for {attribute.name}{_why_no_number(type_, form, raw)}"
        )
    if isinstance(raw, str) and form.is_numeric:
        reason = (
            f'The database contains text for {attribute.name}, but its format is "{form.value}". Its operator can set '
            'format = "mixed" for this attribute in partwise.toml.'
        )
        return Unreadable(reason=reason)
    what = f"not a {type(type_).__name__}"
    if isinstance(raw, str) and _is_too_fine(raw):
        what = f"finer than a microsecond, which a {type(type_).__name__} cannot hold"
    advice = (
        'To serve it as it is, the operator can set type = "Any" (or another type that fits) for this attribute '
        "in partwise.toml."
    )
    return Unreadable(reason=f"{codec.unreadable(attribute, what).reason} {advice}")


def _is_too_fine(raw: str) -> bool:
    match = _TEXT.fullmatch(raw) or _TIME.fullmatch(raw)
    return match is not None and bool((match["fraction"] or "")[_DIGITS:].strip("0"))


def _why_no_number(type_: TimeType, form: TimeFormat, raw: float) -> str:
    name = type(type_).__name__
    as_it_is = f'type = "{"Int" if isinstance(raw, int) else "Float"}" for this attribute in partwise.toml.'
    if not form.is_numeric and (int(abs(raw)) if abs(raw) < _FEWEST_SECONDS else 0) in _JULIAN_DAYS:
        return (
            f" that may be a Julian day, which is not supported. To serve it as it is, the operator can set {as_it_is}"
        )
    if form is TimeFormat.ISO and not isinstance(type_, Time):
        return (
            ', but its format is "iso", which is text. If it counts seconds or milliseconds since 1970, its operator can set '
            'format = "unix" or format = "unix_ms" for this attribute in partwise.toml.'
        )
    if form is TimeFormat.MIXED and not isinstance(type_, Time) and abs(raw) < _FEWEST_SECONDS:
        return (
            ' that format = "mixed" cannot tell from a year or a count of days. If all values are seconds or milliseconds since '
            '1970, its operator can set format = "unix" or format = "unix_ms" for this attribute in partwise.toml.'
        )
    return (
        f' that is not a {name} between the years 1 and 9999, to the microsecond, in format = "{form.value}". Its operator can set '
        f"another format, or serve it as it is with {as_it_is}"
    )


# --- writing


def write(attribute: Attribute, value: TimeValue) -> Any:
    """Convert a date or time to the format of its column. Raises `Unstorable`."""
    if not attribute.format.is_numeric:
        return write_text(value)
    number = as_number(attribute.format, value)
    if number is None:
        raise Unstorable(attribute.name, "has more digits than a number in an SQLite database keeps exactly.")
    # Other programs that read such a column expect whole numbers.
    if isinstance(number, float) and affinity_of(attribute.sql_type) == "INTEGER":
        unit = "seconds" if attribute.format is TimeFormat.UNIX else "milliseconds"
        raise Unstorable(attribute.name, f"must be a whole number of {unit}: its column holds whole numbers.")
    return number


def write_text(value: TimeValue) -> str:
    """Write a date or time as text: an instant in UTC, without its zone."""
    return _write_date_time(value) if isinstance(value, datetime) else value.isoformat()


def writer(classes: set[type]) -> Callable[[Any], str] | None:
    """Return the fast writer for values that are all dates or all times, or None for others."""
    return _WRITERS.get(next(iter(classes))) if len(classes) == 1 else None


def _write_date_time(value: datetime) -> str:
    zone = value.tzinfo
    if zone is None:
        return value.isoformat(" ")
    return (value if zone is UTC else value.astimezone(UTC)).isoformat(" ")[: -len(_UTC_OFFSET)]


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    date: date.isoformat,
    time: time.isoformat,
    datetime: _write_date_time,
}


def as_number(form: TimeFormat, value: TimeValue) -> float | None:
    """Return the number for a date or an instant: an integer if it is whole, or None if no double is exactly equal."""
    exact = _exact_number(form, value)
    if isinstance(exact, int):
        return exact
    number = float(exact)
    return number if Decimal(repr(number)) == exact else None


def _exact_number(form: TimeFormat, value: TimeValue) -> int | Decimal:
    microseconds = (_utc(value) - _EPOCH) // _MICROSECOND
    whole, rest = divmod(microseconds, _PER_UNIT[form])
    return whole if not rest else Decimal(microseconds) / _PER_UNIT[form]


def _utc(value: TimeValue) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    assert isinstance(value, date)  # noqa: S101  # a time of day does not have a number
    return datetime.combine(value, time())


def nearest_number(form: TimeFormat, value: TimeValue) -> tuple[float, int]:
    """Return the number nearest to a value, and whether it is less (-1), equal (0) or greater (1), for bounds."""
    exact = _exact_number(form, value)
    if isinstance(exact, int):
        return exact, 0
    number = float(exact)
    own = Decimal(repr(number))
    return number, (own > exact) - (own < exact)


def spellings(value: TimeValue) -> Sequence[str]:
    """Return the texts that databases may store for the value of a key, as other programs write them. Ours comes first.

    The list is short, because SQLite allows 32,766 parameters, and a filter 2,000 values.
    """
    own = write_text(value)
    match value:
        case datetime():
            marked = own.replace(" ", "T")
            fractions = ("",) if value.microsecond else ("", ".000000")
            texts = ["".join(each) for each in product((own, marked), fractions, ("", "Z", "+00:00"))]
            if not value.microsecond:
                texts += [f"{own}.000", f"{marked}.000", f"{marked}.000Z"]
                texts += [own[:10]] if value.time() == time() else [marked[:16]] if not value.second else []
            return texts
        case date():
            clocks = product((" ", "T"), ("", ".000"), ("", "Z"))
            return [own, *(f"{own}{between}00:00:00{fraction}{zone}" for between, fraction, zone in clocks)]
        case time():
            texts = [own] if value.microsecond else [own, f"{own}.000000", f"{own}.000"]
            return texts if value.microsecond or value.second else [*texts, own[:5]]


def most_spellings(type_: TimeType) -> int:
    """Return the largest number of `spellings`."""
    return 16 if isinstance(type_, DateTime) else 9 if isinstance(type_, Date) else 4


# --- ranges in which an index can be used


def text_range(values: Sequence[TimeValue]) -> Range:
    """Return the range that includes all spellings of some values. A zone may shift their text by one day at most."""
    if isinstance(values[0], time):
        clocks = [value.isoformat()[:5] for value in values]
        return min(clocks), max(clocks) + _LAST
    days = [_utc(value).date() for value in values]
    first, last = min(days), max(days)
    start = (first - WHOLE_DAY).isoformat() if first > date.min else ""
    end = (last + 2 * WHOLE_DAY).isoformat() if last < date.max - WHOLE_DAY else _LAST
    return start, end


def numbers_of(values: Sequence[TimeValue]) -> list[float]:
    """Return the numbers that may represent values in a column of any spelling."""
    if isinstance(values[0], time):
        return []
    every = [as_number(form, value) for value in values for form in (TimeFormat.UNIX, TimeFormat.UNIX_MS)]
    return [number for number in every if number is not None]
