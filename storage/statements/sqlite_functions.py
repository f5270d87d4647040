"""What SQLite is taught: the order of decimals that are kept as texts, and exact sums."""

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

from storage.statements.codec import exact

DECIMAL_COLLATION = "partwise_decimal"  # see `compare_decimals`
EXACT_SUM = "partwise_sum"  # see `ExactSum`
_MOST_DIGITS = 20_000  # of a sum: the largest and the smallest of doubles are 650 apart
_EXACT = Context(prec=_MOST_DIGITS, traps=[Inexact, InvalidOperation])


def compare_decimals(one: str, other: str) -> int:
    """Compare decimals that are kept as texts, by their numbers; what is no number comes last."""
    first, second = _as_number(one), _as_number(other)
    return (first > second) - (first < second)


class ExactSum:
    """An aggregate function that adds up whole numbers, doubles and decimals in texts without rounding.

    SQLite's own `sum` adds doubles, and fails where whole numbers need more than 64 bits. This takes about 1 µs for a
    row. What is no number makes the sum an empty text: what SQLite calls must not raise.
    """

    def __init__(self) -> None:
        self._whole = 0
        self._rest = Decimal()
        self._count = 0
        self._is_number = True

    def step(self, value: Any) -> None:
        """Take one value, texts as bytes; nulls do not count."""
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
            self._rest = _EXACT.add(self._rest, number)  # type: ignore[arg-type]  # what is no number is caught
        except (ArithmeticError, TypeError):
            self._is_number = False

    def finalize(self) -> str | None:
        """Give the sum as a text; None of no values."""
        if not self._count:
            return None
        self._add(Decimal(self._whole))
        return format(self._rest, "f") if self._is_number else ""


def _as_number(text: str) -> tuple[bool, Decimal | str]:
    number = exact(text)
    return (True, text) if number is None else (False, number)
