"""Bodies of requests: read, limited and decoded."""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from partwise.server.negotiation import JSON
from partwise.server.responses import Refused
from resolvers.documents.variables import show
from storage.json_pieces import RepeatedMember
from storage.json_text import decode_json, fault_of, has_more_values, may_have_more_values

Encoded = TypeVar("Encoded", str, bytes)

_VARIABLES = b'"variables"'
_NONE = msgspec.Raw()  # a member that is absent

# A variable's name. Blanks, commas and comments may precede it (https://spec.graphql.org/draft/#sec-Language.Source-Text.Ignored-Tokens).
_VARIABLE = re.compile(r"\$(?:[\s,\ufeff]|#[^\n\r]*)*+([_A-Za-z][_0-9A-Za-z]*)")


def content_type(request: Request) -> str:
    """Return the media type of a request's body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def body_too_large(most: int) -> Refused:
    """Return the error for a body of more than `most` bytes."""
    message = f"The body can have at most {most} bytes (the server's setting max_body)."
    return Refused(413, "BAD_REQUEST", message, {"Connection": "close"})


async def read_body(request: Request, most: int, media_types: Container[str] = (JSON,)) -> bytes:
    """Read a body of at most `most` bytes. Raises `Refused`."""
    if content_type(request) not in media_types or not _is_utf_8(request.headers["content-type"]):
        raise Refused(415, "BAD_REQUEST", "Send JSON in UTF-8, with the header Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "BAD_REQUEST", "The body must not be compressed.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise body_too_large(most)
    except ClientDisconnect:
        raise Refused(400, "BAD_REQUEST", "The body ended too early.") from None
    return bytes(body)


def _is_utf_8(content_type: str) -> bool:
    """Return True if a Content-Type does not specify a charset other than UTF-8.

    RFC 8259 allows no other charset for JSON, but some clients specify it nevertheless.
    """
    _, *parameters = (each.strip().lower() for each in content_type.split(";"))
    charsets = [value.strip('"') for each in parameters for key, _, value in [each.partition("=")] if key == "charset"]
    return all(each in {"utf-8", "utf8"} for each in charsets)


def check_values(text: bytes, most: int, what: str) -> None:
    """Validate that JSON has at most `most` values, before it is decoded. Raises `Refused`."""
    if may_have_more_values(text, most) and has_more_values(text, most):
        raise Refused(400, "BAD_REQUEST", f"{what} can have at most {most} values (the server's setting max_values).")


def from_body(body: bytes, read: Callable[[bytes], Any] = decode_json) -> Any:
    """Decode a body. Raises `Refused`."""
    _check_utf_8(body)
    return decode(body, "The body", read)


def _check_utf_8(body: bytes) -> None:
    try:
        body.isascii() or body.decode()
    except UnicodeDecodeError as error:
        message = f"The request body is not valid UTF-8 at byte {error.start}, counted from 0."
        raise Refused(400, "BAD_REQUEST", message) from None


def decode(text: Encoded, what: str, read: Callable[[Encoded], Any] = decode_json) -> Any:
    """Decode JSON; `what` names it in messages. Raises `Refused`."""
    try:
        return read(text)
    except RepeatedMember as error:
        raise Refused(400, "BAD_REQUEST", f"{what} has an object with two members {show(str(error))}.") from None
    except (ValueError, RecursionError) as error:
        raise Refused(400, "BAD_REQUEST", f"{what} is not valid JSON{fault_of(error)}.") from None


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A request whose variables are not decoded yet."""

    query: str | None = None
    operation_name: str | None = None
    variables: msgspec.Raw = _NONE
    extensions: dict[str, Any] | None = None
    document_id: str | None = None
    id: str | None = None  # the name in Relay's examples
    doc_id: str | None = msgspec.field(default=None, name="doc_id")  # the older name in Relay's examples


_envelopes = msgspec.json.Decoder(Envelope)


def decode_envelope(body: bytes) -> Envelope:
    """Decode a request, but not its variables. Raises `ValueError` or `RecursionError`, also for some valid requests."""
    envelope = _envelopes.decode(body)
    if _gives_variables_twice(body, bytes(envelope.variables)):
        raise ValueError("two members variables")
    return envelope


def _gives_variables_twice(body: bytes, variables: bytes) -> bool:
    """Return True if a request may have the member twice.

    Only the last one is decoded, and the first one may be invalid JSON.
    """
    if body.count(_VARIABLES) == 1:  # the usual case, and the fastest test
        return False
    return body.count(_VARIABLES) - variables.count(_VARIABLES) > 1


class _Members(msgspec.Struct, rename="camel"):
    """The members of a GraphQL request, which are not decoded."""

    query: msgspec.Raw = _NONE
    operation_name: msgspec.Raw = _NONE
    variables: msgspec.Raw = _NONE
    extensions: msgspec.Raw = _NONE
    document_id: msgspec.Raw = _NONE
    id: msgspec.Raw = _NONE
    doc_id: msgspec.Raw = msgspec.field(default=_NONE, name="doc_id")


class _Extensions(msgspec.Struct, rename="camel"):
    """The members of `extensions` that are used."""

    persisted_query: msgspec.Raw = _NONE


_members = msgspec.json.Decoder(_Members)
_NAMES = [(field.name, field.encode_name) for field in msgspec.structs.fields(_Members)]
_extensions = msgspec.json.Decoder(_Extensions)
_any_json = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True, slots=True)
class UndecodedVariables:
    """The variables of a large request."""

    text: msgspec.Raw  # an object

    def decode(self, document: str) -> dict[str, Any]:
        """Decode the variables that a document names; others have no effect. Raises `Refused`."""
        names = {f"v{number}": name for number, name in enumerate(set(_VARIABLE.findall(document)))}
        type_ = msgspec.defstruct("Variables", [(each, msgspec.Raw, _NONE) for each in names], rename=names)
        found = msgspec.json.decode(self.text, type=type_)
        values = {name: bytes(getattr(found, each)) for each, name in names.items()}
        return {name: decode(value, "The body") for name, value in values.items() if value}


def request_members(body: bytes) -> Any:
    """Decode a large GraphQL request. Raises `Refused`.

    A member whose type is wrong remains a `msgspec.Raw`, and the variables are not decoded yet, because decoding can
    take longer than everything else. The result is a dict unless the body is not an object.
    """
    _check_utf_8(body)
    try:
        if not body.lstrip().startswith(b"{"):
            return _any_json.decode(body)
        members = _members.decode(body)
    except (ValueError, RecursionError):
        return from_body(body)
    found: dict[str, Any] = {}
    for attribute, name in _NAMES:
        raw: msgspec.Raw = getattr(members, attribute)
        if raw is not _NONE:
            found[name] = _member(name, raw)
    return found


def _member(name: str, raw: msgspec.Raw) -> Any:
    match name, bytes(memoryview(raw)[:1]):
        case _, b"n":
            return None
        case "variables", b"{":
            return UndecodedVariables(raw)
        case "extensions", b"{":
            persisted = _extensions.decode(raw).persisted_query
            return {} if persisted is _NONE else {"persistedQuery": decode(bytes(persisted), "The body")}
        case "variables" | "extensions", _:
            return raw
        case _, b'"':
            return decode(bytes(raw), "The body")
    return raw


def from_url(request: Request, most_values: int) -> Any:
    """Decode a GraphQL request in a URL. Raises `Refused`."""
    found: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in found:
            check_values(found[name].encode(errors="surrogatepass"), most_values, name)
            found[name] = decode(found[name], name)
    return found
