"""Values of columns without a declared type, as JSON (docs/contract.md, section 7).

Texts and numbers are written unchanged. A value that JSON or JavaScript would alter is written as an object with one
member.
"""

import math
from base64 import b64decode, b64encode
from typing import Any

INT, REAL, BASE64 = "int", "real", "base64"  # members of the objects
LARGEST_PLAIN = 2**53 - 1  # whole numbers up to here are the same in every JSON reader (RFC 7493, section 2.2)
TOO_LARGE = "is a whole number of more than 64 bits. To store it as a REAL, write it with an exponent, like 1e20"
INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}


def to_any_json(value: float | str | bytes) -> Any:
    """Return the JSON form of a value."""
    match value:
        case int():
            return int(value) if -LARGEST_PLAIN <= value <= LARGEST_PLAIN else {INT: str(int(value))}
        case float():
            return value if math.isfinite(value) else {REAL: "Infinity" if value > 0 else "-Infinity"}
        case bytes():
            return {BASE64: b64encode(value).decode()}
        case str():
            return value


def from_any_json(plain: Any) -> int | float | str | bytes:
    """Return the value that `to_any_json` encoded. Raises `ValueError` for any other JSON."""
    match plain:
        case bool():
            pass
        case float():
            return float(plain)  # drops the digits of an `ExactFloat`
        case int() | str():
            return plain
        case {"int": str(text), **others} if not others:
            return int(text)
        case {"real": str(text), **others} if not others and text in INFINITIES:
            return INFINITIES[text]
        case {"base64": str(text), **others} if not others:
            return b64decode(text, validate=True)
    raise ValueError("no value of a column without a declared type")
