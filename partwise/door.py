"""The GraphQL endpoint: GraphQL over HTTP, with a JSON answer to everything (https://graphql.github.io/graphql-over-http/draft/)."""

from collections.abc import Container, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import strawberry
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from partwise.page import graphiql
from partwise.writer import Writer, run_in
from resolvers.context import RequestContext
from resolvers.limits import Limits
from resolvers.results import to_wire_error
from resolvers.root import AmbiguousDocument, documents_of
from storage.batch.run import Engine
from storage.json_text import decode_json, encode_json_bytes

JSON = "application/json"
_VARIABLES = b'"variables"'
GRAPHQL_JSON = "application/graphql-response+json"


class Refused(Exception):  # it carries the answer
    """A request that is no GraphQL request."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLRequest:
    """What a client asks for."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A request whose variables are still text."""

    query: str
    operation_name: str | None = None
    variables: msgspec.Raw = msgspec.Raw()  # it is immutable
    extensions: dict[str, Any] | None = None


_envelopes = msgspec.json.Decoder(Envelope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Answers requests to /graphql.

    Compiled operations (resolvers/compiled.py) are answered without Strawberry's executor; the answers are the same.
    """

    schema: strawberry.Schema
    engine: Engine
    threads: Executor  # as many as the database has connections
    writer: Writer
    limits: Limits
    max_body: int  # bytes
    compiled: bool = True  # whether operations are compiled

    def context(self) -> RequestContext:
        """Make what a request brings along."""
        return RequestContext(
            engine=self.engine,
            in_thread=partial(run_in, self.threads),
            write=self.writer,
            limits=self.limits,
        )

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        context = self.context()
        try:
            if request.method == "GET":
                if "query" not in request.query_params and "text/html" in request.headers.get("accept", ""):
                    return graphiql()
                asked = _from_url(request)
                allowed = {OperationType.QUERY}
            else:
                body = await read_body(request, self.max_body)
                answer = await self._run_compiled(body, context) if self.compiled else None
                if answer is not None:
                    return Response(answer, media_type=_media_type(request))
                asked = _from_body(body)
                allowed = {OperationType.QUERY, OperationType.MUTATION}
            context.operation_name = asked.operation_name
            return await self._execute(request, asked, allowed, context)
        except Refused as refused:
            return refusal(str(refused), refused.status, refused.code, refused.headers, _media_type(request))

    async def _run_compiled(self, body: bytes, context: RequestContext) -> bytes | None:
        """Answer an operation that is compiled; None where the ordinary way has to."""
        try:
            asked = _envelopes.decode(body)
        except (ValueError, RecursionError):
            return None
        if _gives_variables_twice(body, bytes(asked.variables)):
            return None
        compiled = documents_of(self.schema).compiled(asked.query, asked.operation_name or None)
        return None if compiled is None else await compiled.run(asked.variables, context)

    async def _execute(
        self, request: Request, asked: GraphQLRequest, allowed: set[OperationType], context: RequestContext
    ) -> Response:
        try:
            result = await self.schema.execute(
                asked.query,
                variable_values=asked.variables,
                operation_name=asked.operation_name,
                context_value=context,
                allowed_operation_types=allowed,
            )
        except CannotGetOperationTypeError:
            raise Refused(400, "BAD_REQUEST", "Name one of the document's operations in operationName.") from None
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise Refused(400, "BAD_REQUEST", "There are no subscriptions here.") from None
            raise Refused(405, "BAD_REQUEST", "A mutation must be sent by POST.", {"Allow": "POST"}) from None
        media_type = _media_type(request)
        answer: dict[str, Any] = {}
        if result.errors:
            answer["errors"] = [to_wire_error(error) for error in result.errors]
        has_run = result.data is not None or any(error.path for error in result.errors or ())
        if has_run or not result.errors:
            answer["data"] = result.data
        is_ambiguous = any(isinstance(error, AmbiguousDocument) for error in result.errors or ())
        is_refused = not has_run and bool(result.errors) and media_type == GRAPHQL_JSON
        status = 400 if is_ambiguous or is_refused else 200
        return Response(encode_json_bytes(answer), status, media_type=media_type)


def _gives_variables_twice(body: bytes, variables: bytes) -> bool:
    """Whether a request has the member twice: only the last is decoded, and the first may be no JSON."""
    if body.count(_VARIABLES) == 1:  # the usual case, and the fastest way to tell
        return False
    start = body.find(variables)
    return body.count(_VARIABLES, 0, start) + body.count(_VARIABLES, start + len(variables)) > 1


def refusal(
    message: str,
    status: int,
    code: str = "BAD_REQUEST",
    headers: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> Response:
    """Refuse a request in JSON, as a GraphQL error."""
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return Response(encode_json_bytes(body), status, headers=dict(headers or {}), media_type=media_type)


def _media_type(request: Request) -> str:
    return GRAPHQL_JSON if GRAPHQL_JSON in request.headers.get("accept", "") else JSON


def content_type(request: Request) -> str:
    """Say what a request's body is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, most: int, media_types: Container[str] = (JSON,)) -> bytes:
    """Read a body of at most so many bytes. Raises `Refused`."""
    if content_type(request) not in media_types:
        raise Refused(415, "BAD_REQUEST", "Send JSON, with the header Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "BAD_REQUEST", "The body must not be compressed.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise Refused(413, "BAD_REQUEST", f"The body must have at most {most} bytes.", {"Connection": "close"})
    except ClientDisconnect:
        raise Refused(400, "BAD_REQUEST", "The body ended too early.") from None
    return bytes(body)


def text_of(body: bytes) -> str:
    """Read a body as text. Raises `Refused`."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Refused(400, "BAD_REQUEST", "The body is no UTF-8.") from None


def _from_body(body: bytes) -> GraphQLRequest:
    return _to_request(_decode(text_of(body), "The body"))


def _decode(text: str, what: str) -> Any:
    try:
        return decode_json(text)
    except (ValueError, RecursionError):
        raise Refused(400, "BAD_REQUEST", f"{what} is no JSON.") from None


def _from_url(request: Request) -> GraphQLRequest:
    found: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = _decode(found[name], name)
    return _to_request(found)


def _to_request(body: Any) -> GraphQLRequest:
    if not isinstance(body, dict):
        raise Refused(400, "BAD_REQUEST", "The request must be an object with the member query.")
    query, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
    if not isinstance(query, str) or not query:
        raise Refused(400, "BAD_REQUEST", "The member query must be a GraphQL document.")
    if not isinstance(variables, dict | None):
        raise Refused(400, "BAD_REQUEST", "The member variables must be an object.")
    if not isinstance(name, str | None):
        raise Refused(400, "BAD_REQUEST", "The member operationName must be a string.")
    if not isinstance(body.get("extensions"), dict | None):
        raise Refused(400, "BAD_REQUEST", "The member extensions must be an object.")
    return GraphQLRequest(query=query, variables=variables, operation_name=name or None)
