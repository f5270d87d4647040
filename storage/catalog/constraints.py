"""Conversion of the database's checks and unique indexes to those of the catalog."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from storage.catalog.affinity import affinity_of
from storage.catalog.bounds import Bounds, says_something, without_judgement
from storage.catalog.checks import Comparison, Constant, Listing, Match, Operand, Term, read_check, shared_pattern
from storage.catalog.model import Attribute, Check, Column, IndexTerm, UniqueIndex
from storage.catalog.overrides import CatalogError
from storage.catalog.reflected import CheckFacts, ColumnFacts, IndexFacts, mentioned
from storage.catalog.resource_draft import Draft
from storage.catalog.types import (
    Bytes,
    Date,
    DateTime,
    Float,
    Integer,
    Numeric,
    Text,
    Time,
    TimeFormat,
    is_utf_8,
)
from storage.catalog.value_types import Dialect

_EXACT = Context(prec=1_000)  # digits: the most that PostgreSQL can declare
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_EXACT_NUMBERS = _INTEGERS | {"numeric"}
_DOUBLE = "double precision"
_TEXTS = frozenset({"text", "character varying", "bpchar", "character"})
# The type of PostgreSQL, for our own type, whose values compare as ours do.
_OF_TIME: Mapping[type, str] = {Date: "date", Time: "time without time zone"}
_MOST_DIGITS = 15  # of a number in the text of an SQLite check: a double keeps this many
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d:\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d){0,2})", re.ASCII)


class _NotUnderstood(Exception):  # control flow, not an error
    """A term cannot be evaluated in Python, so it is left to the database."""


def columns_of(draft: Draft) -> tuple[Column, ...]:
    """Return the columns of a table, served or not."""
    return tuple(
        Column(
            name=facts.name,
            attribute=draft.names.get(facts.name),
            type=facts.type,
            collation=facts.collation,
            default_sql=facts.default,
            computed=facts.computed,
            computed_from=facts.computed_from,
            is_made=facts.is_made,
            can_read=facts.name not in draft.facts.rights.not_read,
        )
        for facts in draft.facts.stored
        if is_utf_8(facts.name)
    )


def checks_of(draft: Draft, dialect: Dialect) -> tuple[Check, ...]:
    """Return the checks of a table, in the order of their attributes. Raises `CatalogError`."""
    known = {check.name for check in draft.facts.checks}
    for wrong in draft.override.checks:
        if wrong not in known:
            raise CatalogError(
                f"partwise.toml has settings for the check {wrong!r}, but the table {draft.facts.name!r} has no such check. "
                "Correct the name, or remove the settings."
            )
    places = {name: place for place, name in enumerate(draft.attributes)}
    found = [_check(facts, draft, dialect) for facts in draft.facts.checks if _can_be_told(facts.name, facts.text)]
    return tuple(sorted(found, key=lambda check: [places[name] for name in check.attributes] or [len(places)]))


def _check(facts: CheckFacts, draft: Draft, dialect: Dialect) -> Check:
    simple = read_check(facts.text, dialect)
    attributes = tuple(draft.names[column] for column in facts.columns if column in draft.names)
    bounds: dict[str, Bounds] = {}
    complete = simple.complete
    for term in simple.terms:
        try:
            read = _bounds(term, draft, dialect)
        except _NotUnderstood:
            complete = False
            continue
        known = bounds.get(read.attribute)
        bounds[read.attribute] = read if known is None else known.joined(read)
    override = draft.override.checks.get(facts.name or "")
    return Check(
        name=facts.name,
        label=facts.label,
        expression=facts.text,
        columns=frozenset(facts.columns),
        attributes=attributes,
        decided_by=_decided_by(attributes, facts.columns, draft),
        bounds=tuple(each for each in bounds.values() if says_something(each)),
        complete=complete,
        message=(override.message if override is not None else None) or _in_words(facts.comment),
        table=facts.table,
    )


def _in_words(comment: str | None) -> str | None:
    """Return a comment as a message, or None if it is not valid UTF-8."""
    return comment if comment is not None and is_utf_8(comment) else None


def indexes_of(draft: Draft) -> tuple[UniqueIndex, ...]:
    """Return the unique indexes and exclusions by which only the database can compare rows."""
    return tuple(
        _index(facts, draft)
        for facts in draft.facts.unique_indexes
        if _can_be_told(facts.name, facts.predicate, *(term.expression for term in facts.terms))
    )


def _can_be_told(*texts: str | None) -> bool:
    """Return True if the text of a rule is valid UTF-8. If not, only the database evaluates the rule."""
    return all(is_utf_8(text) for text in texts if text is not None)


def _index(facts: IndexFacts, draft: Draft) -> UniqueIndex:
    terms = mentioned(" , ".join(term.expression for term in facts.terms), facts.columns)
    attributes = draft.attributes_of(facts.key) or tuple(draft.names[each] for each in terms if each in draft.names)
    return UniqueIndex(
        name=facts.name,
        terms=tuple(
            IndexTerm(expression=term.expression, operator=term.operator, collation=term.collation)
            for term in facts.terms
        ),
        predicate=facts.predicate,
        columns=frozenset(facts.columns),
        attributes=attributes,
        decided_by=_decided_by(attributes, facts.columns, draft),
        key=draft.attributes_of(facts.key) or (),
        nulls_distinct=facts.nulls_distinct,
        deferred=facts.deferred,
        is_exclusion=facts.is_exclusion,
    )


def _decided_by(attributes: Sequence[str], columns: Iterable[str], draft: Draft) -> tuple[str, ...]:
    """Return the attributes, together with those that the columns are or are computed from."""
    sources = {column.name: column.computed_from for column in draft.facts.stored}
    found = dict.fromkeys(columns)
    for _ in sources:
        found |= dict.fromkeys(source for column in [*found] for source in sources.get(column, ()))
    return tuple(dict.fromkeys([*attributes, *(draft.names[each] for each in found if each in draft.names)]))


# --- from terms to bounds


def _bounds(term: Term, draft: Draft, dialect: Dialect) -> Bounds:
    """Return the requirements of a term on its attribute. Raises `_NotUnderstood`."""
    column = _column(term.operand, draft.facts.stored, dialect)
    attribute = draft.attributes.get(draft.names.get(column.name, ""))
    if attribute is None:
        raise _NotUnderstood
    reader = _Reader(attribute, column, dialect, counts_characters=draft.facts.counts_characters)
    found = reader.read(term)
    return found if column.is_compared_plainly or not isinstance(attribute.type, Text) else without_judgement(found)


def _column(operand: Operand, columns: Iterable[ColumnFacts], dialect: Dialect) -> ColumnFacts:
    """Return the column that a check refers to. SQLite ignores the case of names. Raises `_NotUnderstood`."""
    wanted = operand.column.lower() if dialect == "sqlite" else operand.column
    for column in columns:
        if wanted == (column.name.lower() if dialect == "sqlite" else column.name):
            return column
    raise _NotUnderstood


class _Reader:
    """A converter of terms on one attribute to bounds, if Python compares its values as the database does."""

    def __init__(self, attribute: Attribute, column: ColumnFacts, dialect: Dialect, *, counts_characters: bool) -> None:
        self._attribute = attribute
        self._type = attribute.type
        self._column = column
        self._dialect = dialect
        self._counts_characters = counts_characters

    def read(self, term: Term) -> Bounds:
        """Return the bounds of a term. Raises `_NotUnderstood`."""
        match term:
            case Match():
                return self._matched(term)
            case Comparison(operand=Operand(of_length=True)) | Listing(operand=Operand(of_length=True)):
                return self._measured(term)
            case Comparison(operator="<>"):
                return self._not_empty(term)
            case Comparison():
                return self._compared(term)
            case Listing():
                self._check_operand(term.operand)
                return self._made(choices=tuple(dict.fromkeys(map(self._value, term.constants))))

    def _made(self, **limits: Any) -> Bounds:
        return Bounds(attribute=self._attribute.name, type=self._type, **limits)

    # --- texts

    def _matched(self, term: Match) -> Bounds:
        if not isinstance(self._type, Text) or term.is_glob is not (self._dialect == "sqlite"):
            raise _NotUnderstood
        pattern = shared_pattern(term)
        if pattern is None:
            raise _NotUnderstood
        return self._made(pattern=pattern)

    def _not_empty(self, term: Comparison) -> Bounds:
        self._check_operand(term.operand)
        if not isinstance(self._type, Text) or self._value(term.constant) != "" or not self._column.is_compared_plainly:
            raise _NotUnderstood
        return self._made(min_length=1)

    def _measured(self, term: Comparison | Listing) -> Bounds:
        """Return the bounds of a length: of a text in characters, or of bytes. Raises `_NotUnderstood`."""
        is_text = isinstance(self._type, Text) and self._counts_characters
        if not (is_text or (isinstance(self._type, Bytes) and not term.operand.casts)):
            raise _NotUnderstood
        self._check_operand(term.operand)
        constants = term.constants if isinstance(term, Listing) else (term.constant,)
        if len(constants) > 1:
            raise _NotUnderstood
        number = _number(constants[0], _EXACT_NUMBERS)
        operator = "=" if isinstance(term, Listing) else term.operator
        if operator == "<>":
            if not number.is_zero():
                raise _NotUnderstood
            operator = ">"
        least, most = _whole_edges(operator, number)
        if most is not None and most < 0:
            raise _NotUnderstood
        return self._made(min_length=least if least is not None and least > 0 else None, max_length=most)

    # --- types with an order

    def _compared(self, term: Comparison) -> Bounds:
        self._check_operand(term.operand)
        value, operator = self._value(term.constant), term.operator
        match self._type:
            case Integer():
                least, most = _whole_edges(operator, Decimal(value))
                return self._made(minimum=least, maximum=most)
            case Numeric(precision=int(), scale=scale):
                least_number, most_number = _edges(operator, value, scale or 0)
                return self._made(minimum=least_number, maximum=most_number)
            case Date() if operator in {"<", ">"}:
                day = timedelta(days=1)
                try:
                    return self._made(minimum=value + day) if operator == ">" else self._made(maximum=value - day)
                except OverflowError:
                    raise _NotUnderstood from None
            case Float() | Numeric() | Date() | Time() | DateTime():
                names = {">=": "minimum", ">": "above", "<=": "maximum", "<": "below"}
                return self._made(**{names[operator]: value})
            case _:
                raise _NotUnderstood

    def _check_operand(self, operand: Operand) -> None:
        """Check that the database compares the column as Python compares our values. Raises `_NotUnderstood`."""
        allowed = self._operand_casts() if self._dialect == "postgresql" else self._sqlite_casts()
        if not set(operand.casts) <= allowed:
            raise _NotUnderstood

    def _operand_casts(self) -> frozenset[str]:
        base = self._column.base
        match self._type:
            case Integer() if base in _INTEGERS:
                return frozenset({"bigint", "numeric", *([] if base == "bigint" else ["integer", _DOUBLE])})
            case Numeric() if base == "numeric":
                return frozenset()
            case Float(bits=64) if base == _DOUBLE:
                return frozenset()
            case Text() if base in _TEXTS:
                return _TEXTS - {"character"}
            case Bytes() if base == "bytea":
                return frozenset()
            case Date() | Time() if base == _OF_TIME[type(self._type)]:
                return frozenset()
            case DateTime() if base == self._moment():
                return frozenset()
            case _:
                raise _NotUnderstood

    def _moment(self) -> str:
        aware = isinstance(self._type, DateTime) and self._type.aware
        return f"timestamp {'with' if aware else 'without'} time zone"

    @property
    def _is_iso(self) -> bool:
        """True if dates and times are compared as the texts that we write."""
        return self._attribute.format is TimeFormat.ISO

    def _sqlite_casts(self) -> frozenset[str]:
        # By the affinity of the column, which determines how it stores and compares values
        # (https://sqlite.org/datatype3.html).
        affinity = affinity_of(self._column.base)
        match self._type:
            case Integer() | Float() | Numeric() if affinity in {"INTEGER", "NUMERIC", "REAL"}:
                return frozenset()
            case Text() if affinity == "TEXT":
                return frozenset()
            case Bytes():
                return frozenset()
            case Date() | Time() | DateTime() if affinity in {"TEXT", "NUMERIC"} and self._is_iso:
                return frozenset()
            case _:
                raise _NotUnderstood

    # --- constants

    def _value(self, constant: Constant) -> Any:
        """Convert a constant to a value of the attribute. Raises `_NotUnderstood`."""
        match self._type:
            case Integer() | Numeric():
                number = self._number(constant)
                is_whole = number == number.to_integral_value()
                return int(number) if isinstance(self._type, Integer) and is_whole else number
            case Float():
                return float(self._number(constant))
            case Text(padded=padded):
                text = self._text(constant)
                return text.rstrip(" ") if padded else text
            case Date() | Time() | DateTime():
                return self._time(constant)
            case _:
                raise _NotUnderstood

    def _number(self, constant: Constant) -> Decimal:
        if self._dialect == "sqlite":
            number = _number(constant, frozenset())
            if len(number.as_tuple().digits) > _MOST_DIGITS:
                raise _NotUnderstood
            return number
        if isinstance(self._type, Float):
            if constant.casts[-1:] != (_DOUBLE,):
                raise _NotUnderstood
            return _number(constant, _EXACT_NUMBERS | {_DOUBLE})
        as_double = isinstance(self._type, Integer) and self._column.base != "bigint"
        return _number(constant, _EXACT_NUMBERS | ({_DOUBLE} if as_double else set()))

    def _text(self, constant: Constant) -> str:
        if constant.is_number or not set(constant.casts) <= _TEXTS - {"character"}:
            raise _NotUnderstood
        return constant.text

    def _time(self, constant: Constant) -> date | time | datetime:
        if constant.is_number:
            raise _NotUnderstood
        if self._dialect == "postgresql" and constant.casts != (self._of_time(),):
            raise _NotUnderstood
        text = constant.text
        try:
            match self._type:
                case Date() if _DATE.fullmatch(text):
                    return date.fromisoformat(text)
                case Time() if _TIME.fullmatch(text):
                    return time.fromisoformat(text)
                case DateTime(aware=False) if _MOMENT.fullmatch(text):
                    return datetime.fromisoformat(text)
                case DateTime(aware=True) if self._dialect == "sqlite" and _MOMENT.fullmatch(text):  # stored in UTC
                    return datetime.fromisoformat(text).replace(tzinfo=UTC)
                case DateTime(aware=True) if self._dialect == "postgresql" and _INSTANT.fullmatch(text):
                    return datetime.fromisoformat(text).astimezone(UTC)
                case _:
                    raise _NotUnderstood
        except (ValueError, OverflowError):
            raise _NotUnderstood from None

    def _of_time(self) -> str:
        return self._moment() if isinstance(self._type, DateTime) else _OF_TIME[type(self._type)]


def _number(constant: Constant, casts: Iterable[str]) -> Decimal:
    """Parse a number, which PostgreSQL may write as a string with a cast. Raises `_NotUnderstood`."""
    if not set(constant.casts) <= set(casts) or not (constant.is_number or constant.casts):
        raise _NotUnderstood
    try:
        number = Decimal(constant.text)
    except ArithmeticError:
        raise _NotUnderstood from None
    if not number.is_finite() or abs(number.adjusted()) > _EXACT.prec // 2:
        raise _NotUnderstood
    if _DOUBLE in constant.casts:
        number = Decimal(repr(float(number)))
    is_cast_to_whole = not _INTEGERS.isdisjoint(constant.casts)
    if is_cast_to_whole and number != number.to_integral_value():  # the cast would round it
        raise _NotUnderstood
    return number


def _edges(operator: str, number: Decimal, scale: int) -> tuple[Decimal | None, Decimal | None]:
    """Return the least and the greatest number with `scale` decimal places for which a comparison is true."""
    step = Decimal(1).scaleb(-scale)
    up = number.quantize(step, ROUND_CEILING, _EXACT)
    down = number.quantize(step, ROUND_FLOOR, _EXACT)
    match operator:
        case ">=":
            return up, None
        case ">":
            return _EXACT.add(down, step), None
        case "<=":
            return None, down
        case "<":
            return None, _EXACT.subtract(up, step)
        case "=":
            return up, down
        case _:
            raise AssertionError(operator)


def _whole_edges(operator: str, number: Decimal) -> tuple[int | None, int | None]:
    least, most = _edges(operator, number, 0)
    return None if least is None else int(least), None if most is None else int(most)
