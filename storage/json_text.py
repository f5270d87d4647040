"""JSON text, in and out, that loses no digit of a number (RFC 8259)."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Never

import msgspec

from storage.catalog.types import ExactFloat, exact_integer

# The integer `-0`, which `int` does not have. Found in a string, it costs time and nothing else.
_MINUS_ZERO = re.compile(r"-0(?![0-9.eE])")
_MINUS_ZERO_BYTES = re.compile(_MINUS_ZERO.pattern.encode())


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


class _Decoders:
    """Decodes JSON, fast where all integers are plain."""

    def __init__(self, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> None:
        self._plain = json.JSONDecoder(
            parse_float=ExactFloat, parse_constant=_no_constant, object_pairs_hook=object_pairs_hook
        )
        self._exact = json.JSONDecoder(
            parse_float=ExactFloat,
            parse_int=exact_integer,
            parse_constant=_no_constant,
            object_pairs_hook=object_pairs_hook,
        )

    def decode(self, text: str) -> Any:
        if "-0" in text and _MINUS_ZERO.search(text):
            return self._exact.decode(text)
        return self.decode_normal(text)

    def decode_normal(self, text: str) -> Any:
        """Decode a text that has no `-0`."""
        try:
            return self._plain.decode(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of too many digits; what else is wrong is found again
            return self._exact.decode(text)


_decoders = _Decoders()


def decode_json(text: str) -> Any:
    """Read JSON; numbers keep their digits. Raises `ValueError` or `RecursionError`."""
    return _decoders.decode(text)


decode_normal = _decoders.decode_normal
"""Read JSON as `decode_json` does, where no number is `-0`: as jsonb has it."""


class RepeatedMember(ValueError):
    """An object has a member twice: which of the two is meant, nobody can tell (RFC 8259, section 4)."""


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise RepeatedMember(Counter(name for name, _ in members).most_common(1)[0][0])
    return found


_distinct_decoders = _Decoders(object_pairs_hook=_distinct)


def decode_distinct(text: str) -> Any:
    """Read JSON as `decode_json` does. Raises `RepeatedMember` with the name, too."""
    return _distinct_decoders.decode(text)


def fault_of(error: ValueError | RecursionError) -> str:
    """Say where a text is no JSON, or why: to stand behind "is no JSON"."""
    if isinstance(error, json.JSONDecodeError):
        return f" at line {error.lineno}, column {error.colno}"
    return ": it is nested too deeply" if isinstance(error, RecursionError) else ": it has a number that cannot be read"


@dataclass(frozen=True, slots=True)
class TypedDecoder:
    """Decodes JSON of one type."""

    _decoder: msgspec.json.Decoder[Any]
    _keeps_minus_zero: bool

    def decode(self, text: msgspec.Raw | bytes | str) -> Any:
        """Read JSON; numbers of any type keep their digits. Raises `ValueError` or `RecursionError`, also where `decode_json` reads it."""
        if self._keeps_minus_zero:
            raw = text.encode() if isinstance(text, str) else bytes(text)
            if b"-0" in raw and _MINUS_ZERO_BYTES.search(raw):
                raise ValueError("-0, which msgspec reads as 0")
        return self._decoder.decode(text)


def typed_decoder(
    type_: Any, convert: Callable[[type, Any], Any] | None = None, *, keeps_minus_zero: bool = True
) -> TypedDecoder:
    """Make a decoder of one type.

    `convert` makes values of classes that msgspec does not know of what JSON has. A decoder that keeps `-0` refuses a text
    that has it; any other reads it as 0, which is all that types other than JSON know of it.
    """
    return TypedDecoder(msgspec.json.Decoder(type_, float_hook=ExactFloat, dec_hook=convert), keeps_minus_zero)


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
