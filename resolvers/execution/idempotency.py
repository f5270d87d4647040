"""Idempotency keys as sent by clients, and fingerprints of batches.

The header follows https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/, but quotes are optional.
"""

import json
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

import msgspec

from resolvers.binding.requests import PartRequest, members
from resolvers.execution.context import RequestContext
from storage.batch.idempotency.receipts import Receipt
from storage.catalog.types import ExactFloat
from storage.errors import BadRequest, KeysNotKept

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255  # characters
_KEY = re.compile(r"[!-~]([ -~]*[!-~])?")  # blanks at the ends of a header are lost
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')  # a string of RFC 9651, section 3.3.3
_EXACT_INTEGERS = 2**53  # up to this value, a double represents every whole number


def receipt_of(
    parts: Sequence[PartRequest], argument: str | None, context: RequestContext, *, dry_run: bool
) -> Receipt | None:
    """Return the receipt of a batch; None if it does not have a key, or in a dry run, which stores nothing.

    Raises `BadRequest`, or `KeysNotKept`.
    """
    key = key_of(argument, context.key_headers)
    if key is None:
        return None
    if not context.engine.keeps_keys:
        raise KeysNotKept
    return None if dry_run else Receipt(key=key, fingerprint=fingerprint(parts))


def key_of(argument: str | None, headers: Sequence[str]) -> str | None:
    """Return the key of a batch, from its argument or from the header; None if there is none. Raises `BadRequest`."""
    given = [] if argument is None else [_checked(argument, "idempotencyKey")]
    given += [_checked(_unquoted(header), f"The header {HEADER}") for header in headers]
    if len(set(given)) > 1:
        raise BadRequest(
            f"The header {HEADER} and the argument idempotencyKey have different values. Send only one of them."
        )
    return given[0] if given else None


def _unquoted(header: str) -> str:
    header = header.strip(
        " \t"
    )  # not part of the value (RFC 9110, section 5.5); the server does not remove trailing ones
    if not header.startswith('"'):
        return header
    quoted = _QUOTED.fullmatch(header)
    if quoted is None:
        raise BadRequest(f'The header {HEADER} begins with a quote but is not a quoted string. Write it as "8e03978e".')
    return re.sub(r"\\(.)", r"\1", quoted[1])


def _checked(key: str, what: str) -> str:
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise BadRequest(
            f"{what} must have 1 to {MAX_KEY_LENGTH} printable ASCII characters, without a blank at either end."
        )
    return key


# --- fingerprints


def fingerprint(parts: Sequence[PartRequest]) -> str:
    """Return the SHA-256 hash of parts as sent.

    It does not depend on the path through which the parts were decoded and coerced, or on the order of members.
    """
    sent = [part if part.item is None else msgspec.structs.replace(part, item=_plain(part.item)) for part in parts]
    try:
        text = _canonical(sent)
    except RecursionError:  # a part with such a value is never committed
        text = b""
    return sha256(text).hexdigest()


def _canonical(parts: Sequence[PartRequest]) -> bytes:
    try:
        return _encoder.encode(parts)
    except UnicodeEncodeError:  # half of a surrogate pair
        plain = msgspec.to_builtins(parts, enc_hook=lambda n: float(n) if _is_double(n) else {"number": n.text})
        return json.dumps(plain, sort_keys=True).encode()


def _plain(item: Any) -> dict[str, Any]:
    """Convert an item to plain members. Whole numbers become integers, whether they were coerced to Float or not."""
    return {
        name: {attribute: _whole(value) for attribute, value in members(given).items()}
        for name, given in members(item).items()
    }


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_INTEGERS and _is_double(value):
        return int(value)
    return value


def _as_number(value: Any) -> msgspec.Raw:
    """Encode a number that kept its digits: as a double if it is equal to one. Raises `TypeError` for other values."""
    if not isinstance(value, ExactFloat):
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    if value.text == "-0":  # most attributes read it as 0, and some endpoints convert it for them
        return msgspec.Raw(b"0")
    return msgspec.Raw(_encoder.encode(float(value)) if _is_double(value) else value.text.encode())


def _is_double(value: float) -> bool:
    """Return True if a number, which may have kept its digits, is equal to the shortest decimal form of a double."""
    try:
        return not isinstance(value, ExactFloat) or Decimal(value.text) == Decimal(repr(float(value)))
    except InvalidOperation:  # an exponent beyond all limits
        return False


_encoder = msgspec.json.Encoder(order="sorted", enc_hook=_as_number)
