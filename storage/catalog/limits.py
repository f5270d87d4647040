"""The limits that the fields of a model set (`Field(ge=…, max_length=…)`), in addition to those of their columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a field's value; None for a limit that the field does not set."""

    minimum: Decimal | None = None
    above: Decimal | None = None  # exclusive
    maximum: Decimal | None = None
    below: Decimal | None = None  # exclusive
    min_length: int | None = None
    max_length: int | None = None
    max_digits: int | None = None  # of a decimal, in total
    decimal_places: int | None = None


NO_LIMITS = Limits()


def limits_of(field: FieldInfo) -> Limits:
    """Return the limits of a field, including those in its annotation.

    If there are several of a kind, the narrowest applies.
    """
    metadata = [*field.metadata, *_annotated(field.annotation)]
    return Limits(
        minimum=max(_numbers(metadata, "ge"), default=None),
        above=max(_numbers(metadata, "gt"), default=None),
        maximum=min(_numbers(metadata, "le"), default=None),
        below=min(_numbers(metadata, "lt"), default=None),
        min_length=max(_counts(metadata, "min_length"), default=None),
        max_length=min(_counts(metadata, "max_length"), default=None),
        max_digits=min(_counts(metadata, "max_digits"), default=None),
        decimal_places=min(_counts(metadata, "decimal_places"), default=None),
    )


def _annotated(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of an annotation such as `Annotated[int, Ge(1)] | None`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for each in annotation.__metadata__:
            yield from each.metadata if isinstance(each, FieldInfo) else (each,)
        yield from _annotated(arguments[0])
    elif origin in {Union, UnionType}:
        others = [each for each in arguments if each is not NoneType]
        if len(others) == 1:
            yield from _annotated(others[0])


def _numbers(metadata: list[Any], name: str) -> list[Decimal]:
    """Return the values of a limit, by its name in annotated-types and pydantic: `Gt`, `Interval`, `condecimal` …."""
    found = [getattr(each, name, None) for each in metadata]
    limits = [Decimal(str(each)) for each in found if isinstance(each, int | float | Decimal)]
    return [each for each in limits if each.is_finite()]


def _counts(metadata: list[Any], name: str) -> list[int]:
    return [each for each in (getattr(each, name, None) for each in metadata) if isinstance(each, int)]
