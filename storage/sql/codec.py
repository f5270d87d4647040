"""Conversion of values to a database and back: the common part, and the interface for each database."""

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


class Unstorable(Exception):  # it names the value, and is not a bug
    """A value that the database cannot store exactly. The text is the reason."""

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(f"{attribute} {reason}")
        self.attribute = attribute


class Codec(ABC):
    """A converter of values for one kind of database, in both directions."""

    @abstractmethod
    def encode(self, attribute: Attribute, value: Value) -> Any:
        """Convert a value for the driver. Raises `Unstorable`."""

    def most_spellings(self, attribute: Attribute) -> int:  # noqa: ARG002  # SQLite's depend on it
        """Return the largest number of spellings in which the database may store a value."""
        return 1

    def spellings(self, attribute: Attribute, value: Value) -> Sequence[Any]:
        """Return the forms in which the database may store a value that is searched for. Raises `Unstorable`."""
        return (self.encode(attribute, value),)

    def keeps_equal(self, attribute: Attribute) -> bool:  # noqa: ARG002  # SQLite's depend on it
        """Return True if a column may store a value in several forms; setting an equal value then keeps the stored one."""
        return False

    def is_kept(self, attribute: Attribute, before: Value, value: Value) -> bool:
        """Return True if a change from one value to another keeps the stored form."""
        if not self.keeps_equal(attribute):
            return False
        if value is None or before is None:  # JSON's null is read as null, so it is kept if null is written
            return is_document(attribute.type) and value is before
        if not is_document(attribute.type):
            return before == value
        if isinstance(before, Unreadable):
            return False
        return encode_json_bytes(before) == encode_json_bytes(
            value
        )  # digit by digit: 1.10 equals 1.1, but is a different document

    def is_spelled_otherwise(self, attribute: Attribute, raw: Any) -> bool:  # noqa: ARG002  # SQLite's depend on it
        """Return True if a column of dates or times that compares as text stores one in another spelling than ours."""
        return False

    @abstractmethod
    def decode(self, attribute: Attribute, raw: Any) -> Value:
        """Convert a value from the driver. Return `Unreadable` if it does not match its type."""

    @abstractmethod
    def round_trips(self, attribute: Attribute) -> bool:
        """Return True if a written value is always read back unchanged, and the driver's form of it is known."""

    @abstractmethod
    def stored_form(self, attribute: Attribute, value: Value) -> Any:
        """Return what the driver will read after a value is written, for an attribute that `round_trips`."""

    def may_be_json_column(self, resource: Resource, attribute: Attribute) -> bool:  # noqa: ARG002  # SQLite's depend on it
        """Return True if a JSON array of a column has the values as the driver reads them, if their type matches."""
        return True

    def stored_type(self, attribute: Attribute) -> ValueType:
        """Return the type of the column's stored values, for `packed_type`."""
        return attribute.type

    @abstractmethod
    def packed_type(self, type_: ValueType) -> Any:
        """Return the type as which msgspec decodes values from a JSON array to the driver's form, or None."""

    @abstractmethod
    def packed_position_type(self, type_: ValueType) -> Any:
        """Return the same type for values as `position_expression` reads them."""

    def decode_row(self, resource: Resource, raw: Sequence[Any]) -> dict[str, Value]:
        """Convert a row that was read with `row_list`."""
        return {
            attribute.name: None if value is None else self.decode(attribute, value)
            for attribute, value in zip(resource.attributes.values(), raw, strict=True)
        }

    def decode_rows(self, resource: Resource, raws: Sequence[Sequence[Any]]) -> list[dict[str, Value]]:
        """Convert rows that were read with `row_list`, a column at a time."""
        if len(raws) < _FEWEST_COLUMNS:
            return [self.decode_row(resource, raw) for raw in raws]
        attributes = resource.attributes.values()
        columns = zip(*raws, strict=True)
        decoded = [self.decode_column(attribute, column) for attribute, column in zip(attributes, columns, strict=True)]
        names = tuple(resource.attributes)
        return [dict(zip(names, row, strict=True)) for row in zip(*decoded, strict=True)]

    def decode_column(self, attribute: Attribute, raws: Sequence[Any], *, typed: bool = False) -> Sequence[Value]:
        """Convert the driver's values of one attribute of many rows. `typed` means that they were decoded from JSON."""
        if typed and isinstance(attribute.type, Integer | Text | Enumeration):
            return raws
        if self.are_values(attribute, raws, set(map(type, raws)) - {type(None)}):
            return raws
        return [None if raw is None else self.decode(attribute, raw) for raw in raws]

    def decode_sum(self, attribute: Attribute, raw: Any) -> Value:
        """Convert a sum to a value of its own type (`result_type`)."""
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
        """Return the average of `count` values, given their sum, rounded once."""
        number = exact(raw)
        return unreadable(attribute, "not a finite number") if number is None else _finite(attribute, number, count)

    @abstractmethod
    def are_values(self, attribute: Attribute, raws: Sequence[Any], classes: set[type]) -> bool:
        """Return True if the driver's values need no conversion.

        `classes` are those of all values that are not null.
        """


def is_document(type_: ValueType) -> bool:
    """Return True if values of this type are JSON documents, or lists of them."""
    return isinstance(type_.of if isinstance(type_, Array) else type_, JsonDocument)


def unreadable(attribute: Attribute, what: str) -> Unreadable:
    """Return the error for a stored value that does not match its type."""
    return Unreadable(reason=f"The database contains a value for {attribute.name} that is {what}.")


def unwritable(attribute: Attribute) -> Unstorable:
    """Return the error for an unreadable value that was to be copied to an attribute.

    It is stored in the item that a path or a reference refers to.
    """
    return Unstorable(
        attribute.name, "cannot be set, because the stored value in the referenced item does not match its column type."
    )


def exact(raw: Any) -> Decimal | None:
    """Return a number as a decimal without rounding, or None if it is not a finite number.

    A double is read in its shortest form.
    """
    try:
        number = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return number if number.is_finite() else None


def _whole(attribute: Attribute, number: Decimal) -> Value:
    is_decimal = isinstance(result_type(Function.SUM, attribute.type), Numeric)
    return Decimal(format(number, ".0f")) if is_decimal else int(number)


def _finite(attribute: Attribute, total: Decimal, count: int) -> Value:
    """Divide exactly, and round once, so that all databases return the same double."""
    try:
        return float(Fraction(total) / count)
    except OverflowError:
        return Unreadable(reason=f"The values of {attribute.name} together are more than a Float holds.")
