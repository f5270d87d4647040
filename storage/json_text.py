"""JSON decoding and encoding that keeps every digit of a number (RFC 8259)."""

import gc
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Never

import msgspec

from storage.catalog.types import ExactFloat, exact_integer

# The integer `-0`, which `int` does not have. A match inside a string costs time and has no other effect.
_MINUS_ZERO = re.compile(r"-0(?![0-9.eE])")
_MINUS_ZERO_BYTES = re.compile(_MINUS_ZERO.pattern.encode())


_CHUNK = 1 << 16  # bytes


def may_have_more_values(text: bytes, most: int) -> bool:
    """Return True if JSON may have more than `most` values.

    Counts its commas and opening brackets, including those in strings.
    """
    return len(text) > most and text.count(b",") + text.count(b"[") + text.count(b"{") > most


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
# megabyte (an object of distinct names). Longer texts are decoded piece by piece.
_LONG = 1 << 20  # bytes
LONG_TYPED = 2 << 20  # bytes: msgspec takes half as long
_PIECE = 1 << 16  # bytes
MANY = 1 << 16  # bytes, which may become so many objects that a garbage collection starts meanwhile
_FEW = 50_000  # values that are decoded in one go, whatever their length
_BLOCK = 300  # digits: a number of twice as many contains a block that consists of digits only
_MOST_SPLITS = 12  # levels of long lists and objects, each of which is scanned once more: 15 ms for the largest body
_MANY_MEMBERS = 50_000  # members of an object: 30 ms
_MOST_LEVELS = 500  # nesting levels that are decoded piece by piece; the decoders raise RecursionError at about as many


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
            parse_float=ExactFloat, parse_constant=_no_constant, object_pairs_hook=object_pairs_hook
        )
        self._exact = json.JSONDecoder(
            parse_float=ExactFloat,
            parse_int=exact_integer,
            parse_constant=_no_constant,
            object_pairs_hook=object_pairs_hook,
        )

    def decode(self, text: str) -> Any:
        if len(text) <= MANY:
            return self.decode_short(text)
        with collector.off():
            return self.decode_short(text) if len(text) <= _LONG else self._decode_long(text)

    def decode_short(self, text: str) -> Any:
        """Decode a text in one go."""
        if "-0" in text and _MINUS_ZERO.search(text):
            return self._exact.decode(text)
        return self.decode_normal(text)

    def decode_piece(self, piece: bytes) -> Any:
        """Decode a text in one go, faster than `decode_short`. Raises `ValueError` or `RecursionError`."""
        is_exact = _has_long_number(piece) or (b"-0" in piece and _MINUS_ZERO_BYTES.search(piece))
        if not is_exact and not self.is_distinct:
            try:
                return _plain_decoder.decode(piece)
            except (ValueError, RecursionError):  # it is invalid, or one of the few texts that only `json` decodes
                pass
        text = piece.decode(errors="surrogatepass")
        return self._exact.decode(text) if is_exact else self.decode_normal(text)

    def _decode_long(self, text: str) -> Any:
        raw = text.encode(errors="surrogatepass")
        if not may_have_more_values(raw, _FEW):  # so the text is long because of long values: at most 75 ms for 16 MiB
            return self.decode_piece(raw)
        try:
            return _Members(self).decode(raw.strip(_BLANKS))
        except RepeatedMember:
            raise
        except (ValueError, RecursionError):
            return _Pieces(raw, self).decode()  # which reports the position of the error

    def decode_normal(self, text: str) -> Any:
        """Decode a text that does not contain `-0`."""
        try:
            return self._plain.decode(text)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of too many digits; any other error is raised again by the exact decoder
            return self._exact.decode(text)


# A member of an object or a list, up to some levels deep, without the following comma. The pattern never backtracks.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_INSIDE = rb'(?:[^\[\]{}"]++|' + _STRING + rb")*+"
for _ in range(4):
    _INSIDE = rb'(?:[^\[\]{}"]++|' + _STRING + rb"|[\[{]" + _INSIDE + rb"[\]}])*+"
_MEMBER = rb'(?:[^\[\]{}",]++|' + _STRING + rb"|[\[{]" + _INSIDE + rb"[\]}])*+"
_MEMBERS = re.compile(rb"(?:" + _MEMBER + rb",)*+", re.DOTALL)
_LAST_MEMBER = re.compile(rb"(" + _MEMBER + rb")([\]}])", re.DOTALL)
_BLANKS = b" \t\n\r"
_ENDS = bytes.maketrans(b'[]{}": \t\n\r', b",,,,,,,,,,")  # bytes that end a number or a word


class _Members:
    """A decoder of long texts, several members at a time, up to the size of a piece.

    Raises `ValueError` and `RecursionError`.

    Other threads run between two pieces. msgspec splits a list or an object into members in a fraction of the time of a
    pattern, but in one go, so that an object of very many keys is left to `_Pieces`. It does not report where an error
    is.
    """

    def __init__(self, decoders: _Decoders) -> None:
        self._decoders = decoders

    def decode(self, raw: bytes, levels: int = _MOST_SPLITS) -> Any:
        """Decode a text without leading or trailing blanks, split at most `levels` levels deep."""
        if len(raw) <= 2 * _PIECE:
            return self._decoders.decode_piece(raw)
        if levels and raw.startswith(b"["):
            if raw.count(b"[") > 1 or b'"' in raw or b"{" in raw:
                return self._joined(_elements.decode(raw), len(raw), levels)
        elif levels and raw.startswith(b"{") and raw.count(b",") < _MANY_MEMBERS:
            members = _members.decode(raw)
            if not (self._decoders.is_distinct and _may_repeat(members, raw)):
                return dict(zip(members, self._joined([*members.values()], len(raw), levels), strict=True))
        return _Pieces(raw, self._decoders).decode()

    def _joined(self, values: list[msgspec.Raw], size: int, levels: int) -> list[Any]:
        """Decode values that have `size` bytes in total."""
        found: list[Any] = []
        number = max(1, len(values) * _PIECE // size)
        for start in range(0, len(values), number):
            together = values[start : start + number]
            if sum(map(len, together)) <= 2 * _PIECE:
                found += self._decoders.decode_piece(b"[%b]" % b",".join(together))
            else:
                found += [self.decode(bytes(each), levels - 1) for each in together]
        return found


def _may_repeat(members: dict[str, msgspec.Raw], raw: bytes) -> bool:
    """Return True if an object may have a repeated member.

    `members` has only the last of them, so the text is then longer than `members`.
    """
    names = sum(map(len, map(str.encode, members)))
    return len(raw) != 1 + names + sum(map(len, members.values())) + len('"":,') * len(members)


def _has_long_number(piece: bytes) -> bool:
    """Return True if there may be a number with so many digits that `int` is slow: quadratic in their number."""
    return any(piece[start : start + _BLOCK].isdigit() for start in range(0, len(piece) - _BLOCK + 1, _BLOCK))


class _Pieces:
    """A decoder of long texts piece by piece: as many members as fit into a piece together, and larger members alone.

    Other threads run between two pieces. The limits of members are found without parsing them. The decoders read every
    byte, and report what is wrong, and where.
    """

    def __init__(self, raw: bytes, decoders: _Decoders) -> None:
        self._raw = raw
        self._decoders = decoders

    def decode(self) -> Any:
        place = self._pass_blanks(0)
        whole = self._opened(place)
        if whole is None:
            return self._decode(self._raw, 0)
        open_: list[list[Any] | dict[str, Any]] = [whole]
        place, is_first = place + 1, True
        while open_:
            inner = open_[-1]
            place = self._pass_blanks(place)
            end = self._end_of_members(place)
            if end > place:  # each with a comma behind it
                self._add(inner, place, end - 1)
                place, is_first = end, False
                continue
            last = self._match(_LAST_MEMBER, place)
            if last is not None:
                if last[1].strip(_BLANKS):
                    self._add(inner, place, last.end(1))
                elif not is_first:
                    self._fail(last.start(2))
                place = self._close(open_, last.start(2))
                is_first = False
                continue
            name, place = self._name(inner, place)
            place = self._pass_blanks(place)
            opened = self._opened(place)
            if opened is not None:
                if len(open_) == _MOST_LEVELS:
                    raise RecursionError
                open_.append(opened)
                self._put(inner, name, opened)
                place, is_first = place + 1, True
                continue
            end = self._end_of_scalar(place)
            self._put(inner, name, self._decode(self._raw[place:end], place))
            place = self._after_member(open_, end)
            is_first = False
        if self._pass_blanks(place) < len(self._raw):
            self._fail(place)
        return whole

    def _pass_blanks(self, place: int) -> int:
        """Return the position of the next byte that is not blank. Blanks may be longer than a piece."""
        while self._raw[place : place + 1].isspace():
            chunk = self._raw[place : place + _PIECE]
            passed = len(chunk) - len(chunk.lstrip(_BLANKS))
            if not passed:
                break
            place += passed
        return place

    def _opened(self, place: int) -> list[Any] | dict[str, Any] | None:
        """Return an empty list or object if one is opened at this position, else None."""
        match self._raw[place : place + 1]:
            case b"[":
                return []
            case b"{":
                return {}
        return None

    def _end_of_members(self, place: int) -> int:
        """Return the position after the last comma of the members that fit into the next piece."""
        chunk = self._raw[place : place + _PIECE]
        if not (b'"' in chunk or b"[" in chunk or b"{" in chunk):  # numbers and words, which need no pattern
            closing = [each for each in (chunk.find(b"]"), chunk.find(b"}")) if each >= 0]
            return place + chunk.rfind(b",", 0, min(closing, default=len(chunk))) + 1
        members = self._match(_MEMBERS, place)
        return place if members is None else members.end()

    def _match(self, pattern: re.Pattern[bytes], place: int) -> re.Match[bytes] | None:
        """Match a pattern of members in the next piece."""
        return pattern.match(self._raw, place, place + _PIECE)

    def _end_of_scalar(self, place: int) -> int:
        """Return the position after a long string or number. Raises `JSONDecodeError`."""
        start = self._pass_blanks(place)
        if self._raw[start : start + 1] != b'"':
            end = start
            while chunk := self._raw[end : end + _PIECE]:
                found = chunk.translate(_ENDS).find(b",")
                if found >= 0:
                    end += found
                    break
                end += len(chunk)
            return end if end > start else self._fail(place)
        start += 1
        while True:
            chunk = self._raw[start : start + _PIECE + 1]
            if not chunk:
                self._fail(place)
            if (len(chunk) - len(chunk.rstrip(b"\\"))) % 2 and len(chunk) > 1:
                chunk = chunk[:-1]  # the backslash escapes the first byte of the next chunk
            if b"\\" in chunk:
                chunk = chunk.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
            end = chunk.find(b'"')
            if end >= 0:
                return start + end + 1
            start += len(chunk)

    def _after_member(self, open_: list[list[Any] | dict[str, Any]], place: int) -> int:
        """Return the position after the comma that follows a member, or after the lists and objects that end there."""
        place = self._pass_blanks(place)
        return place + 1 if self._separator(place) == b"," else self._close(open_, place)

    def _separator(self, place: int) -> bytes:
        found = self._raw[place : place + 1]
        return found if found and found in b",]}" else self._fail(place)

    def _close(self, open_: list[list[Any] | dict[str, Any]], place: int) -> int:
        """Close the innermost list or object, and the outer ones that end with it.

        Return the position after the following comma.
        """
        while True:
            if (self._raw[place : place + 1] == b"]") is not isinstance(open_.pop(), list):
                self._fail(place)
            if not open_:
                return place + 1
            place = self._pass_blanks(place + 1)
            if self._separator(place) == b",":
                return place + 1

    def _name(self, inner: list[Any] | dict[str, Any], place: int) -> tuple[str | None, int]:
        """Read the name of an object's member. Return it, or None in a list, and the position of the value."""
        if isinstance(inner, list):
            return None, place
        end = self._end_of_scalar(place)
        name, end = self._decode(self._raw[place:end], place), self._pass_blanks(end)
        is_named = isinstance(name, str) and self._raw[end : end + 1] == b":"
        return (name, end + 1) if is_named else self._fail(end)

    def _add(self, inner: list[Any] | dict[str, Any], start: int, end: int) -> None:
        """Append the members of a piece to a list or an object. Raises `RepeatedMember`."""
        members = self._raw[start:end]
        if not members.strip(_BLANKS):
            self._fail(end)
        if isinstance(inner, list):
            inner.extend(self._decode(b"[%b]" % members, start - 1))
            return
        found = self._decode(b"{%b}" % members, start - 1)
        if self._decoders.is_distinct and (repeated := inner.keys() & found.keys()):
            raise RepeatedMember(min(repeated))
        inner.update(found)

    def _put(self, inner: list[Any] | dict[str, Any], name: str | None, value: Any) -> None:
        """Append one member to a list or an object. Raises `RepeatedMember`."""
        if name is None:
            assert isinstance(inner, list)  # noqa: S101  # members of a list have no names
            inner.append(value)
            return
        assert isinstance(inner, dict)  # noqa: S101  # members of an object have names
        if self._decoders.is_distinct and name in inner:
            raise RepeatedMember(name)
        inner[name] = value

    def _decode(self, piece: bytes, place: int) -> Any:
        """Decode a piece that begins at this byte of the text. Raises `ValueError` or `RecursionError`."""
        try:
            return self._decoders.decode_piece(piece)
        except json.JSONDecodeError as error:
            before = len(self._raw[: max(place, 0)].decode(errors="surrogatepass"))
            raise json.JSONDecodeError(error.msg, self._text(), before + error.pos) from None

    def _fail(self, place: int) -> Never:
        before = len(self._raw[:place].decode(errors="surrogatepass"))
        raise json.JSONDecodeError("Expecting value", self._text(), before)

    def _text(self) -> str:
        return self._raw.decode(errors="surrogatepass")


_elements = msgspec.json.Decoder(list[msgspec.Raw])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_plain_decoder = msgspec.json.Decoder(float_hook=ExactFloat)
_decoders = _Decoders()


def decode_json(text: str) -> Any:
    """Decode JSON and keep all digits of numbers. Raises `ValueError` or `RecursionError`."""
    return _decoders.decode(text)


decode_normal = _decoders.decode_normal
"""Decode JSON as `decode_json` does, if no number is `-0`, which jsonb does not have."""


class RepeatedMember(ValueError):
    """An object has a repeated member, so it is ambiguous which of the two applies (RFC 8259, section 4)."""


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise RepeatedMember(Counter(name for name, _ in members).most_common(1)[0][0])
    return found


_distinct_decoders = _Decoders(object_pairs_hook=_distinct)


def decode_distinct(text: str) -> Any:
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
    return TypedDecoder(msgspec.json.Decoder(type_, float_hook=ExactFloat, dec_hook=convert), keeps_minus_zero)


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
