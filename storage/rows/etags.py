"""The version of a row.

A resource with a version attribute uses it. Any other has the hash of its content, bound to the resource and the
key, and keyed with the deployment's secret where there is one: etags for every table, with no change to its schema.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from storage.catalog.model import Resource
from storage.catalog.types import ExactFloat

_DIGEST_SIZE = 15  # bytes: 120 bits, 20 characters without padding
MAX_SECRET_LENGTH = blake2b.MAX_KEY_SIZE  # bytes

_NUMBER = 1  # the code of MessagePack's extension type for a number of a JSON document: it is told from a text with these digits


def _encode_other(value: object) -> object:
    """Write what MessagePack does not know: dates beyond Python's and the like by their text."""
    return msgspec.msgpack.Ext(_NUMBER, value.text.encode()) if isinstance(value, ExactFloat) else repr(value)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_other)


def content_etag(resource: Resource, raw: Sequence[Any], secret: bytes = b"") -> str:
    """Hash a row as the driver has read it, all columns in the catalog's order (BLAKE2b, RFC 7693)."""
    content = (resource.table, *raw)
    try:
        encoded = _encoder.encode(content)
    except (OverflowError, UnicodeEncodeError):  # a JSON number of more than 64 bits; bytes that are no UTF-8
        encoded = repr(content).encode("utf-8", "backslashreplace")
    digest = blake2b(encoded, digest_size=_DIGEST_SIZE, key=secret).digest()
    return urlsafe_b64encode(digest).decode()


_COUNTED = re.compile(r'(?P<quote>"?)(?P<version>0|[1-9][0-9]{0,17})(?P=quote)')


def counted_versions(given: Sequence[str]) -> list[int] | None:
    """Read etags of rows whose versions are counted, quoted or not; None where one of them is another text."""
    matches = {text: _COUNTED.fullmatch(text) for text in set(given)}
    versions = {text: int(match["version"]) for text, match in matches.items() if match}
    return [versions[text] for text in given] if len(versions) == len(matches) else None


def version_etags(versions: Sequence[object]) -> Sequence[str]:
    """Write the values of a version attribute as etags."""
    return list(map(str if set(map(type, versions)) == {int} else version_etag, versions))


def version_etag(version: object) -> str:
    """Write a version attribute's value as an etag: the characters that an etag may not have are written in hex."""
    if type(version) is int:
        return str(version)
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else f"_{ord(c):x}_" for c in str(version))
