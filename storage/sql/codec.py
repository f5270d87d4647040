"""How values go to a database and come back: what both do alike, and what each has to say."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from storage.catalog.aggregation import Function, result_type
from storage.catalog.model import Attribute, Resource
from storage.catalog.types import (
    Array,
    Enumeration,
    Float,
    Integer,
    JsonDocument,
    Numeric,
    Text,
    Unreadable,
    Value,
    ValueType,
)
from storage.json_text import encode_json_bytes

_FEWEST_COLUMNS = 4  # rows: fewer are decoded faster one by one


class Unstorable(Exception):  # it names the value, not an error of ours
    """A value that the database cannot keep exactly. The text says why."""

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(f"{attribute} {reason}")
        self.attribute = attribute


class Codec(ABC):
    """Carries values to one kind of database, and back."""

    @abstractmethod
    def encode(self, attribute: Attribute, value: Value) -> Any:
        """Turn a value into what the driver takes. Raises `Unstorable`."""

    def most_spellings(self, attribute: Attribute) -> int:  # noqa: ARG002  # SQLite's depend on it
        """Say in how many spellings the database may have a value."""
        return 1

    def spellings(self, attribute: Attribute, value: Value) -> Sequence[Any]:
        """Say how the database may have a value that is looked for. Raises `Unstorable`."""
        return (self.encode(attribute, value),)

    def keeps_equal(self, attribute: Attribute) -> bool:  # noqa: ARG002  # SQLite's depend on it
        """Return True if a column may hold one value in several forms, so that a change to an equal value leaves it as it is."""
        return False

    def is_kept(self, attribute: Attribute, before: Value, value: Value) -> bool:
        """Return True if a change from one value to another leaves a column as it is."""
        if not self.keeps_equal(attribute):
            return False
        if value is None or before is None:  # JSON's own null is read as null, and so it stays where null is written
            return is_document(attribute.type) and value is before
        if not is_document(attribute.type):
            return before == value
        if isinstance(before, Unreadable):
            return False
        return encode_json_bytes(before) == encode_json_bytes(
            value
        )  # digit by digit: 1.10 equals 1.1, and is another document

    def is_spelled_otherwise(self, attribute: Attribute, raw: Any) -> bool:  # noqa: ARG002  # SQLite's depend on it
        """Return True if a column of dates or times that compares as text holds one that we would write in another way."""
        return False

    @abstractmethod
    def decode(self, attribute: Attribute, raw: Any) -> Value:
        """Turn what the driver gives into a value, or into `Unreadable`."""

    @abstractmethod
    def round_trips(self, attribute: Attribute) -> bool:
        """Return True if a value that is written surely comes back as it is, and we know how the driver will read it."""

    @abstractmethod
    def stored_form(self, attribute: Attribute, value: Value) -> Any:
        """Say what the driver will read where a value has been written, of an attribute that is foretold."""

    def may_be_json_column(self, resource: Resource, attribute: Attribute) -> bool:  # noqa: ARG002  # SQLite's depend on it
        """Return True if a JSON array has the values of a column as the driver reads them, if it has those of its type."""
        return True

    def stored_type(self, attribute: Attribute) -> ValueType:
        """Say of which type the column's own values are, for `packed_type`."""
        return attribute.type

    @abstractmethod
    def packed_type(self, type_: ValueType) -> Any:
        """Say as which type msgspec decodes what a JSON array has of values, to what the driver reads; None where it cannot."""

    @abstractmethod
    def packed_position_type(self, type_: ValueType) -> Any:
        """Say the same of values as a position in an order holds them."""

    def decode_row(self, resource: Resource, raw: Sequence[Any]) -> dict[str, Value]:
        """Turn a row that `row_list` has read into values."""
        return {
            attribute.name: None if value is None else self.decode(attribute, value)
            for attribute, value in zip(resource.attributes.values(), raw, strict=True)
        }

    def decode_rows(self, resource: Resource, raws: Sequence[Sequence[Any]]) -> list[dict[str, Value]]:
        """Turn rows that `row_list` has read into values, a column at a time."""
        if len(raws) < _FEWEST_COLUMNS:
            return [self.decode_row(resource, raw) for raw in raws]
        attributes = resource.attributes.values()
        columns = zip(*raws, strict=True)
        decoded = [self.decode_column(attribute, column) for attribute, column in zip(attributes, columns, strict=True)]
        names = tuple(resource.attributes)
        return [dict(zip(names, row, strict=True)) for row in zip(*decoded, strict=True)]

    def decode_column(self, attribute: Attribute, raws: Sequence[Any], *, typed: bool = False) -> Sequence[Value]:
        """Turn what the driver gives for one attribute of many rows into values; `typed` where they were read from JSON."""
        if typed and isinstance(attribute.type, Integer | Text | Enumeration):
            return raws
        if self.are_values(attribute, raws, set(map(type, raws)) - {type(None)}):
            return raws
        return [None if raw is None else self.decode(attribute, raw) for raw in raws]

    def decode_sum(self, attribute: Attribute, raw: Any) -> Value:
        """Turn a sum into a value of its own type (`result_type`)."""
        number = exact(raw)
        if number is None:
            return unreadable(attribute, "not a finite number")
        match attribute.type:
            case Integer():
                is_whole = number == number.to_integral_value()
                return _whole(attribute, number) if is_whole else unreadable(attribute, "not a whole number")
            case Float():
                return _finite(attribute, number, 1)
            case Numeric(scale=scale):
                exponent = number.as_tuple().exponent
                digits = f".{scale}f" if scale is not None and isinstance(exponent, int) and exponent > -scale else "f"
                return Decimal(format(number, digits))
            case _:
                raise AssertionError(attribute.type)

    def decode_average(self, attribute: Attribute, raw: Any, count: int) -> Value:
        """Turn a sum of so many values into their average, rounded once."""
        number = exact(raw)
        return unreadable(attribute, "not a finite number") if number is None else _finite(attribute, number, count)

    @abstractmethod
    def are_values(self, attribute: Attribute, raws: Sequence[Any], classes: set[type]) -> bool:
        """Return True if what the driver gives is the values themselves; `classes` are those of all that is not null."""


def is_document(type_: ValueType) -> bool:
    """Return True if values are JSON documents, or lists of them."""
    return isinstance(type_.of if isinstance(type_, Array) else type_, JsonDocument)


def unreadable(attribute: Attribute, what: str) -> Unreadable:
    """Say that the database holds something against its own type."""
    return Unreadable(reason=f"The database contains a value for {attribute.name} that is {what}.")


def unwritable(attribute: Attribute) -> Unstorable:
    """Say that an attribute was to take what cannot be read, from the item that a path or a reference names."""
    return Unstorable(
        attribute.name, "cannot be set, because the stored value in the referenced item does not match its column type."
    )


def exact(raw: Any) -> Decimal | None:
    """Read a number, without rounding: a double as its shortest decimal form; None where it is no finite number."""
    try:
        number = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return number if number.is_finite() else None


def _whole(attribute: Attribute, number: Decimal) -> Value:
    is_decimal = isinstance(result_type(Function.SUM, attribute.type), Numeric)
    return Decimal(format(number, ".0f")) if is_decimal else int(number)


def _finite(attribute: Attribute, total: Decimal, count: int) -> Value:
    """Divide exactly, and round once, so that all databases give the same double."""
    try:
        return float(Fraction(total) / count)
    except OverflowError:
        return Unreadable(reason=f"The values of {attribute.name} together are more than a Float holds.")
