"""JSON decoding and encoding that keeps every digit of a number (RFC 8259)."""

import gc
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Never

import msgspec

from storage.catalog.types import ExactFloat, exact_float, exact_integer
from storage.json_pieces import PieceDecoder, RepeatedMember, decode_in_pieces, has_minus_zero, marks_of

# The integer `-0`, which `int` does not have. A match inside a string costs time and has no other effect.
_MINUS_ZERO = re.compile(r"-0(?![0-9.eE])")
_MINUS_ZERO_BYTES = re.compile(_MINUS_ZERO.pattern.encode())


_CHUNK = 1 << 16  # bytes


def may_have_more_values(text: bytes, most: int) -> bool:
    """Return True if JSON may have more than `most` values.

    Counts its commas and opening brackets, including those in strings.
    """
    if len(text) <= most:
        return False
    marks = marks_of(text)
    return len(marks) - marks.count(b":") > most


def has_more_values(text: bytes, most: int) -> bool:
    """Return True if JSON has more than `most` commas and opening brackets outside of strings.

    Their number is about the number of its values.

    Reads the text chunk by chunk, so that other threads run between two chunks. The text may be invalid JSON.
    """
    found, inside, rest = 0, 0, b""
    for start in range(0, len(text), _CHUNK):
        chunk = rest + text[start : start + _CHUNK]
        is_escaping = (len(chunk) - len(chunk.rstrip(b"\\"))) % 2  # the first character of the next chunk is escaped
        rest, chunk = (chunk[-1:], chunk[:-1]) if is_escaping else (b"", chunk)
        if b"\\" in chunk:
            chunk = chunk.replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = chunk.split(b'"')
        outside = b"".join(pieces[inside::2])
        found += outside.count(b",") + outside.count(b"[") + outside.count(b"{")
        if found > most:
            return True
        inside = (inside + len(pieces) - 1) % 2
    return False


# Decoding in C holds the interpreter's lock, so that no other thread runs meanwhile: at worst about 90 ms for a
# megabyte (an object of distinct names).
_LONG = 1 << 20  # bytes: longer texts are decoded in pieces, unless they have few values
LONG_TYPED = 2 << 20  # bytes: msgspec takes half as long
MANY = 1 << 16  # bytes, which may become so many objects that a garbage collection starts meanwhile
_BLOCK = 300  # digits: a number of twice as many contains a block that consists of digits only
_TWO_DIGITS = re.compile(rb"[0-9](?=[0-9])")


class _Collector:
    """A switch for Python's garbage collector.

    It is off during decoding, because none of the many new objects is garbage.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decoding = 0  # in all threads
        self._was_on = False

    @contextmanager
    def off(self) -> Iterator[None]:
        """Disable garbage collection. The last block that ends enables it again."""
        with self._lock:
            if not self._decoding:
                self._was_on = gc.isenabled()
                gc.disable()
            self._decoding += 1
        try:
            yield
        finally:
            with self._lock:
                self._decoding -= 1
                if not self._decoding and self._was_on:
                    gc.enable()


collector = _Collector()


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not valid JSON")


class _Decoders:
    """JSON decoders: a fast one for texts with plain integers, and an exact one for all others."""

    def __init__(self, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> None:
        self.is_distinct = object_pairs_hook is not None
        self._plain = json.JSONDecoder(
            parse_float=exact_float, parse_constant=_no_constant, object_pairs_hook=object_pairs_hook
        )
        self._exact = json.JSONDecoder(
            parse_float=exact_float,
            parse_int=exact_integer,
            parse_constant=_no_constant,
            object_pairs_hook=object_pairs_hook,
        )

    def decode(self, text: str | bytes) -> Any:
        if len(text) <= MANY:
            return self.decode_short(text if isinstance(text, str) else text.decode())
        with collector.off():
            return self._decode_long(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))

    def decode_short(self, text: str) -> Any:
        """Decode a text in one go."""
        if "-0" in text and _MINUS_ZERO.search(text):
            return self._exact.decode(text)
        return self.decode_normal(text)

    def _decode_long(self, raw: bytes) -> Any:
        if len(raw) <= _LONG:
            return self._decode_piece(raw)
        return decode_in_pieces(raw, PieceDecoder(self._decode_fast, self._decode_piece, self.is_distinct))

    def _decode_piece(self, piece: bytes) -> Any:
        """Decode a text in one go, faster than `decode_short`. Raises `ValueError` or `RecursionError`."""
        if not _is_exact(piece):
            # It may be invalid, or one of the few texts that only `json` decodes.
            with suppress(ValueError, RecursionError):
                found = _plain_decoder.decode(piece)
                if not self._may_repeat(found, piece):
                    return found
        return self._decode_by_json(piece)

    def _decode_fast(self, piece: bytes) -> Any:
        """Decode a text in one go. Raises `ValueError` or `RecursionError`, in some cases that `json` decodes."""
        if _is_exact(piece):
            return self._decode_by_json(piece)
        found = _plain_decoder.decode(piece)
        return self._decode_by_json(piece) if self._may_repeat(found, piece) else found

    def _may_repeat(self, found: Any, piece: bytes) -> bool:
        return self.is_distinct and _has_repeated_members(found, piece)

    def _decode_by_json(self, piece: bytes) -> Any:
        text = piece.decode(errors="surrogatepass")
        return self._exact.decode(text) if _is_exact(piece) else self.decode_normal(text)

    def decode_normal(self, text: str) -> Any:
        """Decode a text that does not contain `-0`."""
        try:
            return self._plain.decode(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of too many digits; any other error is raised again by the exact decoder
            return self._exact.decode(text)


def _has_repeated_members(found: Any, piece: bytes) -> bool:
    """Return True if a text may have repeated members, of which `found` has only the last.

    Encoding writes a colon for each member that was kept, and those in strings. So the text then has more.
    """
    try:
        return _colons.encode(found).count(b":") != piece.count(b":")
    except (OverflowError, RecursionError):
        return True


def _is_exact(piece: bytes) -> bool:
    """Return True if there may be a number that only the exact decoder decodes, or decodes in time."""
    return _has_long_number(piece) or (has_minus_zero(piece) and _MINUS_ZERO_BYTES.search(piece) is not None)


def _has_long_number(piece: bytes) -> bool:
    """Return True if there may be a number with so many digits that `int` is slow: quadratic in their number."""
    for found in _TWO_DIGITS.finditer(piece[::_BLOCK]):
        start = found.start() * _BLOCK
        if piece[start : start + _BLOCK].isdigit():
            return True
    return False


_colons = msgspec.json.Encoder(enc_hook=lambda _: None)  # exact numbers have no colons
_plain_decoder = msgspec.json.Decoder(float_hook=exact_float)
_decoders = _Decoders()


def decode_json(text: str | bytes) -> Any:
    """Decode JSON and keep all digits of numbers. Raises `ValueError` or `RecursionError`."""
    return _decoders.decode(text)


decode_normal = _decoders.decode_normal
"""Decode JSON as `decode_json` does, if no number is `-0`, which jsonb does not have."""


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise RepeatedMember(Counter(name for name, _ in members).most_common(1)[0][0])
    return found


_distinct_decoders = _Decoders(object_pairs_hook=_distinct)


def decode_distinct(text: str | bytes) -> Any:
    """Decode JSON as `decode_json` does. Also raises `RepeatedMember` with the name of the member."""
    return _distinct_decoders.decode(text)


def fault_of(error: ValueError | RecursionError) -> str:
    """Return the position or the reason of a JSON error, to be appended to "is not valid JSON"."""
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno}, column {error.colno})"
    return (
        " (it is nested too deeply)" if isinstance(error, RecursionError) else " (it has a number that cannot be read)"
    )


@dataclass(frozen=True, slots=True)
class TypedDecoder:
    """A JSON decoder for one type."""

    _decoder: msgspec.json.Decoder[Any]
    _keeps_minus_zero: bool

    def decode(self, text: msgspec.Raw | bytes | str) -> Any:
        """Decode JSON and keep all digits of numbers.

        Raises `ValueError` or `RecursionError`, in some cases that `decode_json` decodes.
        """
        if self._keeps_minus_zero:
            raw = text.encode() if isinstance(text, str) else bytes(text)
            if b"-0" in raw and _MINUS_ZERO_BYTES.search(raw):
                raise ValueError("-0, which msgspec reads as 0")
        return self._decoder.decode(text)


def typed_decoder(
    type_: Any, convert: Callable[[type, Any], Any] | None = None, *, keeps_minus_zero: bool = True
) -> TypedDecoder:
    """Create a decoder for one type.

    `convert` creates values of classes that msgspec does not support from JSON values. A decoder that keeps `-0` raises
    `ValueError` if the text contains it. Any other decoder reads it as 0, which is correct for all types except JSON.
    """
    return TypedDecoder(msgspec.json.Decoder(type_, float_hook=exact_float, dec_hook=convert), keeps_minus_zero)


def _encode_exact(value: object) -> msgspec.Raw:
    if isinstance(value, ExactFloat):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


_encoder = msgspec.json.Encoder(enc_hook=_encode_exact)


def encode_json(value: Any) -> str:
    """Encode a value as JSON."""
    return _encoder.encode(value).decode()


def encode_json_bytes(value: Any) -> bytes:
    """Encode a value as JSON in UTF-8. Lone surrogates, which UTF-8 cannot encode, are written as escapes."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _escaped(value).encode()


def _escaped(value: Any) -> str:
    if isinstance(value, msgspec.Struct):
        value = {each.encode_name: getattr(value, each.name) for each in msgspec.structs.fields(value)}
    match value:
        case dict():
            return f"{{{','.join(map('{}:{}'.format, map(json.dumps, value), map(_escaped, value.values())))}}}"
        case list():
            return f"[{','.join(map(_escaped, value))}]"
        case ExactFloat():
            return value.text
    return json.dumps(value)
