"""Etags of rows.

The etag is the version attribute, if the resource has one. Otherwise it is a hash of the row's content, bound to the
resource and the key, and keyed with the deployment's secret if there is one. So every table has etags without a schema
change.
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

_NUMBER = 1  # MessagePack extension type of a number in a JSON document, to distinguish it from text with these digits


def _encode_other(value: object) -> object:
    """Encode a value that MessagePack does not support, such as a date outside Python's range, by its text."""
    return msgspec.msgpack.Ext(_NUMBER, value.text.encode()) if isinstance(value, ExactFloat) else repr(value)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_other)


def content_etag(resource: Resource, raw: Sequence[Any], secret: bytes = b"") -> str:
    """Return the hash of a row as the driver has read it: all columns in the catalog's order (BLAKE2b, RFC 7693)."""
    content = (resource.table, *raw)
    try:
        encoded = _encoder.encode(content)
    except (OverflowError, UnicodeEncodeError):  # a JSON number of more than 64 bits; bytes that are not UTF-8
        encoded = repr(content).encode("utf-8", "backslashreplace")
    digest = blake2b(encoded, digest_size=_DIGEST_SIZE, key=secret).digest()
    return urlsafe_b64encode(digest).decode()


_WEAK = "W/"
_COUNTED = re.compile(r"0|[1-9][0-9]{0,17}")


def strong(sent: str) -> str | None:
    """Return an etag that a client sends as that of a row, for a strong comparison (RFC 9110, section 8.8.3.2).

    It may be quoted or not. Return None for a weak etag, which never matches.
    """
    return None if sent.startswith(_WEAK) else _unquoted(sent)


def weak(sent: str) -> str:
    """Return an etag that a client sends as that of a row, for a weak comparison."""
    return _unquoted(sent.removeprefix(_WEAK))


def _unquoted(sent: str) -> str:
    return sent[1:-1] if len(sent) > 1 and sent.startswith('"') and sent.endswith('"') else sent


def counted_versions(etags: Sequence[str]) -> list[int] | None:
    """Parse the etags of rows with counted versions; return None if one of them has another form."""
    distinct = set(etags)
    if not all(map(_COUNTED.fullmatch, distinct)):
        return None
    versions = {text: int(text) for text in distinct}
    return [versions[text] for text in etags]


def version_etags(versions: Sequence[object]) -> Sequence[str]:
    """Return the values of a version attribute as etags."""
    return list(map(str if set(map(type, versions)) == {int} else version_etag, versions))


def version_etag(version: object) -> str:
    """Return a version attribute's value as an etag; characters that are not allowed in an etag are written in hex."""
    if type(version) is int:
        return str(version)
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else f"_{ord(c):x}_" for c in str(version))
