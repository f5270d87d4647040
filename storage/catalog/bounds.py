"""The limits that a simple check sets for one attribute: bounds, lengths, a list of values, a pattern."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from storage.catalog.types import Bytes, Integer, Json, Unreadable, Value, ValueType

_NARROW_BITS = 32  # integers of up to this size are JSON numbers: docs/contract.md, section 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The requirements of one check on an attribute's values; None for a limit that it does not set."""

    attribute: str
    type: ValueType
    minimum: Any = None
    above: Any = None  # exclusive; only for types whose values do not have a successor
    maximum: Any = None
    below: Any = None  # exclusive
    min_length: int | None = None  # characters, or bytes
    max_length: int | None = None
    choices: tuple[Any, ...] = ()
    pattern: str | None = None  # a regular expression: shown to clients, and evaluated only by the database
    judged: bool = True  # True if comparisons have the same result in Python and in the database

    def takes(self, value: Value) -> bool:
        """Return True if the check accepts a value. Null and unreadable values are left to the database."""
        if value is None or not self.judged or isinstance(value, Unreadable):
            return True
        number: Any = value
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.above is None or number > self.above)
            and (self.maximum is None or number <= self.maximum)
            and (self.below is None or number < self.below)
            and (self.min_length is None or len(number) >= self.min_length)
            and (self.max_length is None or len(number) <= self.max_length)
            and (not self.choices or number in self.choices)
        )

    def takes_all(self, values: Sequence[Value]) -> bool:
        """Return True if the check accepts every value of a column."""
        if not self.judged:
            return True
        given: Sequence[Any] = values
        if type(None) in set(map(type, values)):  # comparing decimals with None is slow
            given = [value for value in values if value is not None]
        if not given:
            return True
        if self.choices and not set(self.choices).issuperset(given):
            return False
        if self.min_length is not None and min(map(len, given)) < self.min_length:
            return False
        if self.max_length is not None and max(map(len, given)) > self.max_length:
            return False
        least = min(given) if self.minimum is not None or self.above is not None else None
        most = max(given) if self.maximum is not None or self.below is not None else None
        return (
            (self.minimum is None or least >= self.minimum)
            and (self.above is None or least > self.above)
            and (self.maximum is None or most <= self.maximum)
            and (self.below is None or most < self.below)
        )

    def joined(self, other: "Bounds") -> "Bounds":
        """Return the combined bounds: the narrower of each kind."""
        return Bounds(
            attribute=self.attribute,
            type=self.type,
            minimum=_narrower(max, self.minimum, other.minimum),
            above=_narrower(max, self.above, other.above),
            maximum=_narrower(min, self.maximum, other.maximum),
            below=_narrower(min, self.below, other.below),
            min_length=_narrower(max, self.min_length, other.min_length),
            max_length=_narrower(min, self.max_length, other.max_length),
            choices=_common(self.choices, other.choices),
            pattern=self.pattern if self.pattern is not None else other.pattern,
            judged=self.judged and other.judged,
        )

    def params(self) -> dict[str, Json]:
        """Return the known limits with the keywords of JSON Schema, for clients that translate messages."""
        written: Mapping[str, Json] = {
            "minimum": written_as_json(self.type, self.minimum),
            "exclusiveMinimum": written_as_json(self.type, self.above),
            "maximum": written_as_json(self.type, self.maximum),
            "exclusiveMaximum": written_as_json(self.type, self.below),
            "minLength": self.min_length,
            "maxLength": self.max_length,
            "enum": [written_as_json(self.type, each) for each in self.choices] or None,
            "pattern": self.pattern,
        }
        return {name: value for name, value in written.items() if value is not None}

    def sentence(self) -> str:
        """Return the limits as a sentence for users."""
        said = [*self._of_values(), *self._of_length()]
        if self.choices:
            said.append(f"must be one of {', '.join(_shown(self.type, each) for each in self.choices)}")
        if self.pattern is not None:
            said.append("must match the required pattern")
        return f"{self.attribute} {' and '.join(said)}."

    def _of_values(self) -> Iterable[str]:
        low, above, high, below = (
            None if each is None else _shown(self.type, each)
            for each in (self.minimum, self.above, self.maximum, self.below)
        )
        if low is not None and high is not None:
            yield f"must be between {low} and {high}"
            low = high = None
        words = ("at least {}", "more than {}", "at most {}", "less than {}")
        if isinstance(self._example(), date | time):  # datetime is a date
            words = ("{} or later", "later than {}", "{} or earlier", "earlier than {}")
        edges = (low, above, high, below)
        found = [word.format(edge) for word, edge in zip(words, edges, strict=True) if edge is not None]
        if found:
            yield f"must be {' and '.join(found)}"

    def _example(self) -> Any:
        edges = (self.minimum, self.above, self.maximum, self.below)
        return next((each for each in edges if each is not None), None)

    def _of_length(self) -> Iterable[str]:
        unit = "byte" if isinstance(self.type, Bytes) else "character"
        least, most = self.min_length, self.max_length
        if least is not None and least == most:
            yield f"must have exactly {_counted(least, unit)}"
        elif least is not None and most is not None:
            yield f"must have between {least} and {_counted(most, unit)}"
        elif least is not None:
            yield f"must have at least {_counted(least, unit)}"
        elif most is not None:
            yield f"can have at most {_counted(most, unit)}"


def says_something(bounds: Bounds) -> bool:
    """Return True if bounds have any limit."""
    return bounds != Bounds(attribute=bounds.attribute, type=bounds.type, judged=bounds.judged)


def narrowest(bounds: Iterable[Bounds]) -> Bounds | None:
    """Return the combined requirements of several checks on an attribute, or None if there are no checks."""
    found: Bounds | None = None
    for each in bounds:
        found = each if found is None else found.joined(each)
    return found


def without_judgement(bounds: Bounds) -> Bounds:
    """Return bounds that are shown to clients, but evaluated only by the database."""
    return replace(bounds, judged=False)


def _narrower(choose: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def _common(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    if not one or not other:
        return one or other
    return tuple(each for each in one if each in other)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def written_as_json(type_: ValueType, value: Any) -> Json:
    """Return a limit in the JSON form of its attribute's values (docs/contract.md, section 7)."""
    match value:
        case int() if isinstance(type_, Integer) and type_.bits > _NARROW_BITS:
            return str(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            in_utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            return f"{in_utc.isoformat()}{'Z' if value.tzinfo else ''}"
        case date() | time():
            return value.isoformat()
        case _:
            return value  # type: ignore[no-any-return]  # whole numbers, doubles and texts are their own JSON


def _shown(type_: ValueType, value: Any) -> str:
    return str(written_as_json(type_, value))
