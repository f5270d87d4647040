"""The grammar of resource paths: /albums, /albums/7, /artists/1/albums (docs/contract.md, section 3)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from resolvers.binding.serialization import no_value, to_text
from resolvers.documents.limits import DEFAULT_LIMITS, Limits
from storage.catalog.model import Attribute, Resource
from storage.catalog.types import Value, is_utf_8
from storage.errors import Fault, InvalidPath
from storage.rows.row import Row

_NUMBER = re.compile(r"0|[1-9][0-9]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RESERVED_CHARACTERS = ",?&=$"  # these and "/" must be percent-encoded inside a value
_RESERVED = re.compile(f"[{re.escape(_RESERVED_CHARACTERS)}]")
_NEVER_PLAIN = f"{_RESERVED_CHARACTERS}/%\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A decoded piece of a path, with its offset in the path (characters from 0)."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValues:
    """The values of a key, in the order of the key."""

    values: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValues:
    """The values of a complete key by name."""

    values: tuple[tuple[Text, Text], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartKey:
    """`$id`: the item of an earlier part."""

    part: Text


Key = KeyValues | NamedValues | PartKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A collection, and the key of an item in it, if one follows."""

    collection: Text
    key: Key | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePath:
    """A path that follows the grammar, not yet bound to a catalog."""

    segments: tuple[Segment, ...]
    query: tuple[tuple[Text, tuple[Text, ...]], ...]  # name -> values, separated by commas in the path


class PathError(Exception):
    """The path does not follow the grammar."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.fault: Fault = InvalidPath(message=f"{message} (at character {offset} of the path).", pointer="/path")


def parse_path(path: str, limits: Limits = DEFAULT_LIMITS) -> ResourcePath:
    """Parse a path. Raises `PathError`.

    >>> [segment.collection.text for segment in parse_path("/artists/1/albums").segments]
    ['artists', 'albums']
    """
    check_length(len(path), limits)
    if not path.startswith("/"):
        raise PathError("A path starts with /", 0)
    way, mark, query = path.partition("?")
    pieces: list[Text] = []
    offset = 1
    for raw in way[1:].split("/"):
        if not raw:
            raise PathError("A segment is empty", offset)
        pieces.append(Text(text=raw, offset=offset))
        offset += len(raw) + 1
    if len(pieces) > 2 * limits.nesting:
        message = f"The path is nested deeper than {limits.nesting} collections"
        raise PathError(message, pieces[2 * limits.nesting].offset)
    segments = tuple(
        Segment(collection=name, key=_parse_key(pieces[place + 1]) if place + 1 < len(pieces) else None)
        for place, name in enumerate(pieces)
        if place % 2 == 0
    )
    return ResourcePath(segments=segments, query=_parse_query(Text(text=query, offset=len(way) + 1)) if mark else ())


def check_length(length: int, limits: Limits) -> None:
    """Raise `PathError` if a path of this length is too long."""
    if length > limits.path:
        raise PathError(f"The path is longer than {limits.path} characters", limits.path)


def are_plain_keys(texts: Sequence[str]) -> bool:
    """Return True if `parse_path` accepts each text as a key of one value, and that value is the text itself."""
    joined = "".join(texts)
    return all(texts) and not any(each in joined for each in _NEVER_PLAIN) and is_utf_8(joined)


def _parse_key(raw: Text) -> Key:
    if raw.text == "$":
        raise PathError("$ is followed by the id of a part", raw.offset)
    if raw.text.startswith("$"):
        return PartKey(part=_decode(Text(text=raw.text[1:], offset=raw.offset + 1)))
    pieces = _split(raw, ",")
    if "=" in raw.text:
        return NamedValues(values=tuple(_named(piece) for piece in pieces))
    return KeyValues(values=tuple(_decode(piece) for piece in pieces))


def _named(piece: Text) -> tuple[Text, Text]:
    name, mark, value = piece.text.partition("=")
    if not mark or not name:
        raise PathError("A key by name is written attribute=value", piece.offset)
    decoded = _decode(Text(text=value, offset=piece.offset + len(name) + 1))
    return _decode(Text(text=name, offset=piece.offset)), decoded


def _parse_query(raw: Text) -> tuple[tuple[Text, tuple[Text, ...]], ...]:
    found = []
    names = set()
    for piece in _split(raw, "&"):
        before, mark, after = piece.text.partition("=")
        if not mark or not before:
            raise PathError("A query is written name=value", piece.offset)
        name = _decode(Text(text=before, offset=piece.offset))
        if name.text in names:
            raise PathError(f"{name.text} is given twice", name.offset)
        names.add(name.text)
        values = _split(Text(text=after, offset=piece.offset + len(before) + 1), ",")
        found.append((name, tuple(_decode(each) for each in values)))
    return tuple(found)


def _split(raw: Text, separator: str) -> list[Text]:
    pieces, offset = [], raw.offset
    for text in raw.text.split(separator):
        pieces.append(Text(text=text, offset=offset))
        offset += len(text) + 1
    return pieces


def _decode(raw: Text) -> Text:
    """Decode percent-encoded UTF-8 (RFC 3986, section 2.1); `+` is a plus sign. Raises `PathError`."""
    reserved = _RESERVED.search(raw.text)
    if reserved:
        raise PathError(f"{reserved[0]} must be percent-encoded inside a value", raw.offset + reserved.start())
    broken = _BROKEN_ESCAPE.search(raw.text)
    if broken:
        raise PathError("% must be followed by two hexadecimal digits", raw.offset + broken.start())
    try:
        text = unquote_to_bytes(raw.text).decode()
    except UnicodeError:
        raise PathError("The path is not valid UTF-8", raw.offset) from None
    if "\x00" in text:
        raise PathError("The NUL character is not allowed in a path", raw.offset)
    return Text(text=text, offset=raw.offset)


def parse_number(text: str, largest: int) -> int | None:
    """Parse a number of a query, such as `limit`; None if it is not a whole number from 0 to `largest`."""
    if not _NUMBER.fullmatch(text) or len(text) > len(str(largest)) or int(text) > largest:
        return None
    return int(text)


def format_path(resource: Resource, row: Row) -> str:
    """Return the canonical path of an item: its collection and its key. Raises `GraphQLError` if the key has a null."""
    return format_paths(resource, [row.key])[0]


def format_paths(resource: Resource, keys: Sequence[Sequence[Value]]) -> list[str]:
    """Return the canonical paths of items, given their keys. Raises `GraphQLError` if a key has a null."""
    if len(resource.key) == 1 and all(type(number) is int for (number,) in keys):
        return [f"/{resource.collection}/{number!s}" for (number,) in keys]
    attributes = [resource.attributes[name] for name in resource.key]
    return [f"/{resource.collection}/{format_key(resource, map(_key_text, attributes, key))}" for key in keys]


def _key_text(attribute: Attribute, value: Value) -> str:
    if value is None:
        raise no_value(attribute, in_key=True)
    return to_text(attribute.type, value)


def format_key(resource: Resource, values: Iterable[str]) -> str:
    """Encode a key for a path. An empty text is written by name, because a segment cannot be empty."""
    encoded = [value if value.isascii() and value.isalnum() else quote(value, safe="") for value in values]
    if encoded == [""]:
        return f"{resource.key[0]}="
    return ",".join(encoded)
