"""JSON text, in and out, that loses no digit of a number (RFC 8259)."""

import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Never

import msgspec

from storage.catalog.types import ExactFloat


def _exact(text: str) -> ExactFloat:
    number = ExactFloat(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_float=_exact, parse_constant=_no_constant)


def decode_json(text: str) -> Any:
    """Read JSON; numbers with a fraction keep their digits. Raises `ValueError` or `RecursionError`."""
    return _decoder.decode(text)


class RepeatedMember(ValueError):
    """An object has a member twice: which of the two is meant, nobody can tell (RFC 8259, section 4)."""


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise RepeatedMember(Counter(name for name, _ in members).most_common(1)[0][0])
    return found


_distinct_decoder = json.JSONDecoder(parse_float=_exact, parse_constant=_no_constant, object_pairs_hook=_distinct)


def decode_distinct(text: str) -> Any:
    """Read JSON as `decode_json` does. Raises `RepeatedMember` with the name, too."""
    return _distinct_decoder.decode(text)


def fault_of(error: ValueError | RecursionError) -> str:
    """Say where a text is no JSON, or why: to stand behind "is no JSON"."""
    if isinstance(error, json.JSONDecodeError):
        return f" at line {error.lineno}, column {error.colno}"
    return ": it is nested too deeply" if isinstance(error, RecursionError) else ": it has a number that cannot be read"


def typed_decoder(type_: Any, convert: Callable[[type, Any], Any] | None = None) -> msgspec.json.Decoder[Any]:
    """Make a decoder of one type; numbers of any type keep their digits. It raises `ValueError` or `RecursionError`.

    `convert` makes values of classes that msgspec does not know of what JSON has.
    """
    return msgspec.json.Decoder(type_, float_hook=_exact, dec_hook=convert)


def _encode_exact(value: object) -> msgspec.Raw:
    if isinstance(value, ExactFloat):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} is no JSON")


_encoder = msgspec.json.Encoder(enc_hook=_encode_exact)


def encode_json(value: Any) -> str:
    """Write JSON."""
    return _encoder.encode(value).decode()


def encode_json_bytes(value: Any) -> bytes:
    """Write JSON in UTF-8. Lone surrogates, which UTF-8 does not have, are written as escapes."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _escaped(value).encode()


def _escaped(value: Any) -> str:
    match value:
        case dict():
            return f"{{{','.join(map('{}:{}'.format, map(json.dumps, value), map(_escaped, value.values())))}}}"
        case list():
            return f"[{','.join(map(_escaped, value))}]"
        case ExactFloat():
            return value.text
    return json.dumps(value)
