"""Decoding of long JSON texts in pieces, so that other threads can run between two pieces.

Decoding in C holds the interpreter's lock.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Never

import msgspec

_RUN = 1 << 19  # bytes of members that are decoded together: at most 25 ms
_PROBE = 1 << 14  # bytes in which a separator is sought
_MOST_SEPARATORS = 8
_MOST_TRIES = 3  # commas that are tried of each
_MOST_PROBES = 8  # of one list or object: each takes up to 0.5 ms
_MOST_FAILED = 4  # runs of a text that are not decoded, because they end inside of a member: each takes up to 25 ms
_PIECE = 1 << 16  # bytes of members whose limits are found by a pattern
_STRIDE = 257  # of each so many bytes, one is counted to estimate the number of digits
_NO_MARKS = bytes({*range(256)} - {*b",[{:"})
_MOST_COST = 60e6  # ns, by estimate, of what is decoded in one go
_ALMOST_ALL = 0.9  # of a text that takes too long to decode it in one go: so does this
_MOST_SPLITS = 12  # levels of long lists and objects, each of which is scanned once more: 15 ms for the largest body
_MOST_ALONE = 100  # members of a list or an object that are decoded one by one
_MOST_LEVELS = 500  # nesting levels that are decoded piece by piece; the decoders raise RecursionError at about as many

# A member of an object or a list, up to some levels deep, without the following comma. The pattern never backtracks.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_INSIDE = rb'(?:[^\[\]{}"]++|' + _STRING + rb")*+"
for _ in range(4):
    _INSIDE = rb'(?:[^\[\]{}"]++|' + _STRING + rb"|[\[{]" + _INSIDE + rb"[\]}])*+"
_MEMBER = rb'(?:[^\[\]{}",]++|' + _STRING + rb"|[\[{]" + _INSIDE + rb"[\]}])*+"
_MEMBERS = re.compile(rb"(?:" + _MEMBER + rb",)*+", re.DOTALL)
_LAST_MEMBER = re.compile(rb"(" + _MEMBER + rb")([\]}])", re.DOTALL)
_OPENING = {b"[", b"{"}
_BLANKS = b" \t\n\r"
_SEPARATOR = re.compile(rb"[\]}\"]?[ \t\n\r]*+,[ \t\n\r]*+[\[{\"]?")
_NAME = re.compile(rb"[ \t\n\r]*+(" + _STRING + rb")[ \t\n\r]*+:[ \t\n\r]*+", re.DOTALL)
_ENDS = bytes.maketrans(b'[]{}": \t\n\r', b",,,,,,,,,,")  # bytes that end a number or a word


class RepeatedMember(ValueError):
    """An object has a repeated member, so it is ambiguous which of the two applies (RFC 8259, section 4)."""


@dataclass(frozen=True, slots=True)
class PieceDecoder:
    """A decoder of texts that are so short that they can be decoded in one go."""

    # Both raise `ValueError` or `RecursionError`.
    decode: Callable[[bytes], Any]  # raises it for some texts that `decode_any` decodes
    decode_any: Callable[[bytes], Any]  # several times as slow if the text is invalid
    is_distinct: bool  # True if it raises `RepeatedMember`

    def cost(self, raw: bytes) -> float:
        """Estimate the time, in ns, of decoding a text in one go. Most texts take less."""
        marks = marks_of(raw)
        colons = marks.count(b":")
        cost = 50 * (len(marks) - colons) + 130 * colons
        is_slow = self.is_distinct or has_minus_zero(raw)  # msgspec supports neither
        sample = raw[::_STRIDE]
        digits = (len(sample) - len(sample.translate(None, b"0123456789"))) * _STRIDE
        return 3 * len(raw) + 3 * digits + (3 * cost if is_slow else cost)

    def add(self, whole: list[Any] | dict[str, Any], members: Any) -> None:
        """Append decoded members to a list or an object. Raises `RepeatedMember`."""
        if isinstance(whole, list):
            whole.extend(members)
            return
        if self.is_distinct and (repeated := whole.keys() & members.keys()):
            raise RepeatedMember(min(repeated))
        whole.update(members)


def marks_of(raw: bytes) -> bytes:
    """Return the commas, opening brackets and colons of a text, also those in strings."""
    return raw.translate(None, _NO_MARKS)  # in a fraction of the time of `count`


def has_minus_zero(raw: bytes) -> bool:
    """Return True if a text may have the number `-0`, or one that begins with it."""
    return b"-" in raw and b"-0" in raw


def decode_in_pieces(raw: bytes, decoder: PieceDecoder) -> Any:
    """Decode a long text. Raises `ValueError` or `RecursionError`."""
    try:
        return _Members(decoder).decode(raw.strip(_BLANKS))
    except RepeatedMember:
        raise
    except (ValueError, RecursionError):
        place = _place_of_fault(raw)
        if place is not None:
            raise _fault(raw, place) from None
        return _Pieces(raw, decoder).decode()  # which finds the fault, or decodes what msgspec does not


def _place_of_fault(raw: bytes) -> int | None:
    """Return the position of the byte at which a text stops being JSON; None if it is JSON. Raises `RecursionError`."""
    for half in (b"\\ud", b"\\uD"):  # msgspec rejects a half of a surrogate pair, which is JSON
        raw = raw.replace(half, b"\\u0")
    try:
        _texts.decode(raw)
    except msgspec.DecodeError as error:
        found = _BYTE.search(str(error))
        return int(found[1]) if found else len(raw)  # the text is cut
    return None


def _fault(raw: bytes, place: int) -> json.JSONDecodeError:
    before = raw[:place].decode(errors="replace")
    return json.JSONDecodeError("Expecting value", before, len(before))


_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_BYTE = re.compile(r"\(byte (\d+)\)")
_texts = msgspec.json.Decoder(msgspec.Raw)


class _Members:
    """A decoder of long texts, several members at a time. Raises `ValueError` and `RecursionError`.

    It does not report where an error is.

    Members that are written alike, as in a list of parts, are decoded in runs: a text is cut at a comma, and if the
    members before the comma are a list or an object of their own, the comma was not inside of a member. Others, such as
    the few members of a request, are decoded one by one, and too many of them are left to `_Pieces`.
    """

    def __init__(self, decoder: PieceDecoder) -> None:
        self._decoder = decoder
        self._failed = 0

    def decode(self, raw: bytes, levels: int = _MOST_SPLITS, *, is_long: bool = False) -> Any:
        """Decode a text without leading or trailing blanks, split at most `levels` levels deep.

        `is_long` is True if it is known to take too long to decode it in one go.
        """
        if not is_long and self._decoder.cost(raw) <= _MOST_COST:
            return self._decoder.decode(raw)
        if not levels or raw[:1] not in _OPENING:
            return _Pieces(raw, self._decoder).decode()
        whole: list[Any] | dict[str, Any] = [] if raw.startswith(b"[") else {}
        place = 1
        for number in range(_MOST_ALONE):
            is_probed = number < _MOST_PROBES and self._failed < _MOST_FAILED
            run = self._decode_runs(raw, place, whole) if is_probed else place
            following = None if run is None else self._decode_member(raw, run, whole, levels - 1)
            if following is None:
                return whole
            place = following
        self._decoder.add(whole, _Pieces(raw[:1] + raw[place:], self._decoder).decode())
        return whole

    def _decode_runs(self, raw: bytes, place: int, whole: list[Any] | dict[str, Any]) -> int | None:
        """Decode members as long as there are runs; return the position of the next member, or None at the end."""
        opening, closing = (b"[", b"]") if isinstance(whole, list) else (b"{", b"}")
        separator = self._separator(opening + raw[place : place + _PROBE], closing)
        while separator is not None:
            end = len(raw)
            if end - place > _RUN:
                end = raw.rfind(separator, place, place + _RUN)
                if end < 0:
                    break
                end += separator.index(b",")
            try:
                run = self._decoder.decode(opening + raw[place:end] + (closing if end < len(raw) else b""))
            except RepeatedMember:
                raise
            except (ValueError, RecursionError):
                self._failed += 1
                break
            self._decoder.add(whole, run)
            place = end + 1
            if place > len(raw):
                return None
        return place

    def _separator(self, start: bytes, closing: bytes) -> bytes | None:
        """Return what separates the first members of a text: a comma with the blanks, quotes and brackets around it."""
        ends: dict[bytes, list[int]] = {}  # separator -> commas
        for found in _SEPARATOR.finditer(start):
            ends.setdefault(found[0], []).append(found.start() + found[0].index(b","))
        for separator, commas in [*ends.items()][:_MOST_SEPARATORS]:
            for comma in commas[: -_MOST_TRIES - 1 : -1]:
                try:
                    self._decoder.decode(start[:comma] + closing)
                except (ValueError, RecursionError):
                    continue
                return separator
        return None

    def _decode_member(self, raw: bytes, place: int, whole: list[Any] | dict[str, Any], levels: int) -> int | None:
        """Decode one member; return the position of the next one, or None at the end."""
        name = None
        if isinstance(whole, dict):
            found = _NAME.match(raw, place)
            if found is None:
                raise ValueError
            name, place = found[1], found.end()
        end = place + _length_of_value(memoryview(raw)[place:])
        text = raw[place:end].strip(_BLANKS)
        value = self.decode(text, levels, is_long=len(text) > max(_ALMOST_ALL * len(raw), _RUN))
        self._decoder.add(whole, [value] if name is None else {self._decoder.decode(name): value})
        if raw[end : end + 1] == b",":
            return end + 1
        if raw[end:] != (b"]" if name is None else b"}"):
            raise ValueError
        return None


def _length_of_value(text: memoryview) -> int:
    """Return the length of the value at the start of a text, including the blanks after it. Raises `ValueError`."""
    try:
        _texts.decode(text)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        if found is None:
            raise
        return int(found[1]) - 1  # msgspec reports the byte behind the first one that is too many
    raise ValueError  # nothing follows, although the value is a member


class _Pieces:
    """A decoder of long texts piece by piece: as many members as fit into a piece together, and larger members alone.

    Other threads run between two pieces. The limits of members are found without parsing them. The decoders read every
    byte, and report what is wrong, and where.
    """

    def __init__(self, raw: bytes, decoder: PieceDecoder) -> None:
        self._raw = raw
        self._decoder = decoder

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
        bracketed = b"[%b]" if isinstance(inner, list) else b"{%b}"
        self._decoder.add(inner, self._decode(bracketed % members, start - 1))

    def _put(self, inner: list[Any] | dict[str, Any], name: str | None, value: Any) -> None:
        """Append one member to a list or an object. Raises `RepeatedMember`."""
        self._decoder.add(inner, [value] if name is None else {name: value})

    def _decode(self, piece: bytes, place: int) -> Any:
        """Decode a piece that begins at this byte of the text. Raises `ValueError` or `RecursionError`."""
        try:
            return self._decoder.decode_any(piece)
        except json.JSONDecodeError as error:
            before = self._raw[: max(place, 0)].decode(errors="surrogatepass")
            text = before + piece.decode(errors="surrogatepass")
            raise json.JSONDecodeError(error.msg, text, len(before) + error.pos) from None

    def _fail(self, place: int) -> Never:
        raise _fault(self._raw, place)
