"""The GraphQL endpoint: GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/).

Every response is JSON.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Never, TypeVar

import msgspec
import strawberry
from graphql import GraphQLError, get_operation_ast
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from partwise.persisted import BadReference, NotServed, Persisted
from partwise.server.bodies import (
    UndecodedVariables,
    check_values,
    decode_envelope,
    from_body,
    from_url,
    read_body,
    request_members,
)
from partwise.server.health import Health
from partwise.server.introspection import Introspections, Key, Written
from partwise.server.negotiation import GRAPHQL_JSON, JSON, accept_of, media_type_of, prefers_page, takes_gzip
from partwise.server.pages import graphiql
from partwise.server.responses import InPieces, Refused, refusal_of
from partwise.server.timing import Timing
from partwise.server.turns import Busy, Turn, Turns
from partwise.workers.large_requests import LARGE, LargeRequests
from partwise.workers.reader import Reader
from partwise.workers.threads import Call
from partwise.workers.writer import Writer
from resolvers.binding.requests import PartRequest
from resolvers.compiled.compiler import CompiledBatch, CompiledQuery
from resolvers.compiled.compiler import Written as WrittenAnswer
from resolvers.documents.limits import Limits
from resolvers.execution.context import Background, Elsewhere, LastDuration, RequestContext, Why
from resolvers.execution.idempotency import HEADER
from resolvers.results.pieces import encode_in_pieces
from resolvers.results.views import to_wire_error, to_wire_errors
from resolvers.schema_builder import AmbiguousDocument, documents_of, schema_in_thread
from storage.batch.execution.run import Engine, Job, Ran
from storage.connections.transaction import Transaction
from storage.errors import RequestError, TimedOut
from storage.json_text import MANY, encode_json_bytes

_VARIES = (b"vary", b"Accept")
# For compressed responses; the middleware adds Accept-Encoding to the others.
_VARIES_COMPRESSED = (b"vary", b"Accept, Accept-Encoding")
_NAMES = ("query", "documentId", "id", "doc_id", "extensions")  # a GraphQL request by GET has at least one of these


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLRequest:
    """The document, variables and operation name of a request."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request whose variables may not be decoded yet."""

    query: str
    variables: dict[str, Any] | UndecodedVariables | None
    operation_name: str | None

    def decoded(self) -> GraphQLRequest:
        """Return the request with its variables decoded. Raises `Refused`."""
        given = self.variables
        variables = given.decode(self.query) if isinstance(given, UndecodedVariables) else given
        return GraphQLRequest(query=self.query, variables=variables, operation_name=self.operation_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables of one of the server's own mutations."""

    parts: Sequence[PartRequest]
    others: Mapping[str, Any]  # by the Python names of their arguments
    as_sent: Callable[[], dict[str, Any]]  # in the form that graphql-core coerces


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLEndpoint:
    """The endpoint /graphql.

    Compiled operations (resolvers/compiled/compiler.py) run without Strawberry's executor, with the same responses.
    """

    schema: strawberry.Schema
    engine: Engine
    reader: Reader
    writer: Writer
    turns: Turns
    health: Health
    limits: Limits
    max_body: int  # bytes
    max_values: int  # in the JSON of a body
    large: LargeRequests
    documents: Persisted
    server_timing: bool = True  # True if responses have a Server-Timing header
    compiled: bool = True  # True if operations are compiled
    introspections: Introspections
    background: Background
    compresses: bool = True  # True if responses are compressed for clients that accept it

    def context(self, timing: Timing, request: Request, turn: Turn) -> RequestContext:
        """Create the context of a request that was received; the time spent in the database is added to `timing`."""
        deadline = timing.deadline(self.engine.database.timeout)
        asking = _Asking(self, timing, Call(deadline, request.receive, turn.park))
        return RequestContext(
            engine=self.engine,
            read=asking.read,
            write=asking.write,
            background=self.background,
            limits=self.limits,
            deadline=deadline,
            park=turn.park,
            key_headers=request.headers.getlist(HEADER),
            accept_encoding=request.headers.get("accept-encoding", ""),
        )

    async def __call__(self, request: Request) -> Response:
        """Return the response to a request."""
        timing = Timing()
        answer = await self._answer(request, timing)
        is_compressed = any(name == b"content-encoding" for name, _ in answer.raw_headers)
        answer.raw_headers.append(_VARIES_COMPRESSED if is_compressed else _VARIES)
        return self.timed(answer, timing)

    def timed(self, answer: Response, timing: Timing) -> Response:
        """Add the Server-Timing header, if enabled, and record in `health` if the database has responded.

        Returns the response that was passed.
        """
        if timing.has_answer:
            self.health.note_answer()
        if self.server_timing:
            answer.raw_headers.append((b"server-timing", timing.header()))
        return answer

    async def run(self, text: str, given: Variables, context: RequestContext) -> bytes:
        """Run one of the server's own mutations; return the response body."""
        context.limits = context.limits.for_our_own
        compiled = documents_of(self.schema).compiled(text, None) if self.compiled else None
        answer: WrittenAnswer | None = None
        if isinstance(compiled, CompiledBatch):
            answer = await compiled.run_parts(given.parts, context, **given.others)
        if answer is None:
            asked = GraphQLRequest(query=text, variables=given.as_sent(), operation_name=None)
            result = await self._execute(asked, {OperationType.MUTATION}, context)
            if _elsewhere(result) is None:
                return encode_json_bytes(_to_answer(result))
            context.document = context.valid
            answer = (await self._complete(asked, context, JSON)).pieces
        pieces = answer
        return pieces if isinstance(pieces, bytes) else await context.background(lambda: b"".join(pieces))

    async def _answer(self, request: Request, timing: Timing) -> Response:
        media_type = media_type_of(accept_of(request))
        try:
            if request.method == "POST":
                return await self._post(request, media_type or _not_acceptable(), timing)
            if _wants_page(request):
                return graphiql(takes_any=self.documents.takes_any)
            media_type = media_type or _not_acceptable()
            async with self.turns.query(request.receive) as turn:
                asked = self._to_request(from_url(request, self.max_values), media_type).decoded()
                context = self.context(timing, request, turn)
                return await self._answer_asked(asked, {OperationType.QUERY}, media_type, context)
        except Refused as refused:
            return refused.response(media_type or JSON)
        except Busy as busy:
            return refusal_of(busy, media_type or JSON)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody receives it

    async def _post(self, request: Request, media_type: str, timing: Timing) -> Response:
        body = await read_body(request, self.max_body)
        timing.received()
        turn = self.turns.either(body, request.receive)
        context = self.context(timing, request, turn)
        async with turn:
            return await self.answer_body(body, context, partial(self._run_body, body, media_type), media_type)

    async def answer_body(
        self,
        body: bytes,
        context: RequestContext,
        run: Callable[[RequestContext], Awaitable[Response]],
        media_type: str,
    ) -> Response:
        """Run a request in the event loop, or in a thread if its body is large. Raises `Refused`.

        `Refused` is converted to a response within the thread, because an exception keeps all local variables of its
        frames alive.
        """
        if len(body) <= LARGE:
            return await run(context)

        async def answer(context: RequestContext) -> Response:
            try:
                return await run(context)
            except Refused as refused:
                return refused.response(media_type)

        try:
            return await self.large(context, answer)
        except TimedOut as late:
            raise Refused(503, late.code, str(late), {"Retry-After": "1"}) from None

    async def _run_body(self, body: bytes, media_type: str, context: RequestContext) -> Response:
        check_values(body, self.max_values, "The body")
        received = self._to_request(request_members(body), media_type) if len(body) > MANY else None
        answer = await (self._run_envelope(body, context) if received is None else self._run_large(received, context))
        if isinstance(answer, list):
            return InPieces(answer, media_type)
        if answer is not None:
            return _Answer(answer, context, media_type)
        asked = (received or self._to_request(from_body(body), media_type)).decoded()
        allowed = {OperationType.QUERY, OperationType.MUTATION}
        return await self._answer_asked(asked, allowed, media_type, context)

    async def _run_envelope(self, body: bytes, context: RequestContext) -> WrittenAnswer | None:
        """Run a compiled operation that is sent in a small body; return None as `_run_compiled` does."""
        try:
            asked = decode_envelope(body)
            document_id = _document_id(asked.query, asked.document_id, asked.id, asked.doc_id)
            text = self.documents.find(asked.query, document_id, asked.extensions)
        except (ValueError, RecursionError, BadReference, NotServed):
            return None
        if text is None:
            return None
        return await self._run_compiled(text, asked.operation_name or None, asked.variables, context)

    async def _run_large(self, received: ReceivedRequest, context: RequestContext) -> WrittenAnswer | None:
        """Run a compiled operation that is sent in a large body; return None as `_run_compiled` does."""
        match received.variables:
            case UndecodedVariables(text=text):
                return await self._run_compiled(received.query, received.operation_name, text, context)
            case None:
                return await self._run_compiled(received.query, received.operation_name, msgspec.Raw(), context)
        return None

    async def _run_compiled(
        self, text: str, name: str | None, variables: msgspec.Raw, context: RequestContext
    ) -> WrittenAnswer | None:
        """Run a compiled operation; return None if the request must fall back to graphql-core."""
        compiled = documents_of(self.schema).compiled(text, name) if self.compiled else None
        return None if compiled is None else await compiled.run(variables, context)

    def _to_request(self, body: Any, media_type: str) -> ReceivedRequest:
        """Validate the members of a request and resolve its document. Raises `Refused`."""
        if not isinstance(body, dict):
            raise Refused(400, "BAD_REQUEST", "The request must be an object with the member query.")
        query, variables, name, extensions = (
            body.get(each) for each in ("query", "variables", "operationName", "extensions")
        )
        if not isinstance(query, str | None):
            raise Refused(400, "BAD_REQUEST", "The member query must be a GraphQL document.")
        if not isinstance(variables, dict | UndecodedVariables | None):
            raise Refused(400, "BAD_REQUEST", "The member variables must be an object.")
        if not isinstance(name, str | None):
            raise Refused(400, "BAD_REQUEST", "The member operationName must be a string.")
        if not isinstance(extensions, dict | None):
            raise Refused(400, "BAD_REQUEST", "The member extensions must be an object.")
        document_id = _document_id(query, *(body.get(each) for each in ("documentId", "id", "doc_id")))
        if not isinstance(document_id, str | None):
            raise Refused(400, "BAD_REQUEST", "The member documentId must be a string.")
        try:
            text = self.documents.find(query, document_id, extensions)
        except BadReference as error:
            raise Refused(400, "BAD_REQUEST", str(error)) from None
        except NotServed as error:
            status = error.status if media_type == GRAPHQL_JSON else 200  # as for any other well-formed request
            raise Refused(status, error.code, str(error), {"Cache-Control": "no-store"}) from None
        if text is None:
            raise Refused(400, "BAD_REQUEST", "The member query must be a GraphQL document, or documentId name one.")
        return ReceivedRequest(query=text, variables=variables, operation_name=name or None)

    async def _answer_asked(
        self,
        asked: GraphQLRequest,
        allowed: set[OperationType],
        media_type: str,
        context: RequestContext,
    ) -> Response:
        result = await self._execute(asked, allowed, context)
        elsewhere = _elsewhere(result)
        if elsewhere is None:
            return _to_response(result, media_type)
        context.document = context.valid
        if elsewhere.why is Why.LARGE:
            return await self._complete(asked, context, media_type)
        context.park()  # it waits for other introspection requests
        try:
            return await self._introspect(asked, context, elsewhere, media_type)
        except RequestError as error:
            refused = ExecutionResult(data=None, errors=[GraphQLError(str(error), original_error=error)])
            return _to_response(refused, media_type)

    async def _complete(self, asked: GraphQLRequest, context: RequestContext, media_type: str) -> InPieces:
        """Complete a response in a thread from the data that was read."""
        in_thread, read = context.in_thread(), context.answered
        compiled = documents_of(self.schema).compiled(asked.query, asked.operation_name) if self.compiled else None

        def complete() -> list[bytes]:
            if isinstance(compiled, CompiledQuery) and read is not None and not read.errors:
                with suppress(Exception):  # on any error, fall back to graphql-core
                    return compiled.finish(read.found, read.size)
            if isinstance(compiled, CompiledBatch) and compiled.key in in_thread.views:
                with suppress(Exception):  # as above
                    return compiled.finish(in_thread.views[compiled.key])
            return encode_in_pieces(_to_answer(_execute_in_thread(self.schema, asked, in_thread)))

        try:
            return InPieces(await self.background(complete), media_type)
        finally:
            context.forget()
            in_thread.forget()

    async def _introspect(
        self,
        asked: GraphQLRequest,
        context: RequestContext,
        elsewhere: Elsewhere,
        media_type: str,
    ) -> Response:
        """Return the response to a document with introspection, cached or executed in a thread.

        Raises a `RequestError`.
        """
        in_thread = context.in_thread()

        def execute() -> Written:
            return _written(_execute_in_thread(self.schema, asked, in_thread))

        if elsewhere.why is Why.MIXED:
            return _send(await self.introspections.run(execute), media_type)
        found = await self.introspections.answer(_key(asked, context), execute)
        if isinstance(found, Written):
            return _send(found, media_type)
        if self.compresses and takes_gzip(context.accept_encoding):
            headers = {"Content-Encoding": "gzip"}
            return Response(found.body, headers=headers, media_type=media_type)
        return Response(await asyncio.to_thread(found.plain), media_type=media_type)

    async def _execute(
        self, asked: GraphQLRequest, allowed: set[OperationType], context: RequestContext
    ) -> ExecutionResult:
        context.operation_name = asked.operation_name
        try:
            return await self.schema.execute(
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
                raise Refused(400, "BAD_REQUEST", "Subscriptions are not supported.") from None
            raise Refused(405, "BAD_REQUEST", "A mutation must be sent by POST.", {"Allow": "POST"}) from None


class _Asking:
    """The database access of one request, which records the time that it takes."""

    __slots__ = ("_call", "_endpoint", "_timing")

    def __init__(self, endpoint: GraphQLEndpoint, timing: Timing, call: Call) -> None:
        self._endpoint, self._timing, self._call = endpoint, timing, call

    def read(self, run: Callable[[Transaction], T], last_duration: LastDuration | None = None) -> Awaitable[T]:
        """Run a read, as described in `resolvers.execution.context.Read`."""
        return self._timing.database(self._endpoint.reader(run, self._call, last_duration))

    def write(self, job: Job[T]) -> Awaitable[Ran[T]]:
        """Run a batch, as described in `resolvers.execution.context.Write`."""
        return self._timing.database(self._endpoint.writer(job, self._call))


def _execute_in_thread(schema: strawberry.Schema, asked: GraphQLRequest, context: RequestContext) -> ExecutionResult:
    """Execute a valid document in an event loop of its own."""
    return asyncio.run(
        schema_in_thread(schema).execute(
            asked.query, variable_values=asked.variables, operation_name=asked.operation_name, context_value=context
        )
    )


def _key(asked: GraphQLRequest, context: RequestContext) -> Key:
    """Return the cache key of an introspection: document, operation, and the variables that the operation defines."""
    assert context.document is not None  # noqa: S101  # the document was validated
    operation = get_operation_ast(context.document, asked.operation_name)
    given = asked.variables or {}
    names = [each.variable.name.value for each in (operation.variable_definitions if operation else None) or ()]
    variables = {name: given[name] for name in names if name in given}
    return asked.query, asked.operation_name, encode_json_bytes(variables).decode()


def _elsewhere(result: ExecutionResult) -> Elsewhere | None:
    """Return the reason to execute a request in a thread, if there is one.

    Its traceback is removed, because it would keep all data that was read alive.
    """
    found: Elsewhere | None = None
    for error in result.errors or ():
        if isinstance(error.original_error, Elsewhere):
            found = error.original_error
            error.__traceback__ = found.__traceback__ = None
    return found


def _written(result: ExecutionResult) -> Written:
    has_run = _has_run(result) or not result.errors
    return Written(body=encode_json_bytes(_to_answer(result)), has_run=has_run, has_errors=bool(result.errors))


def _send(written: Written, media_type: str) -> Response:
    is_refused = not written.has_run and media_type == GRAPHQL_JSON
    return Response(written.body, 400 if is_refused else 200, media_type=media_type)


def _to_response(result: ExecutionResult, media_type: str) -> Response:
    response = _send(_written(result), media_type)
    if any(isinstance(error, AmbiguousDocument) for error in result.errors or ()):
        response.status_code = 400
    return response


def _to_answer(result: ExecutionResult) -> dict[str, Any]:
    """Return the members of a response."""
    answer: dict[str, Any] = {}
    if result.errors:
        errors = result.errors
        answer["errors"] = [to_wire_error(error) for error in errors] if _has_run(result) else to_wire_errors(errors)
    if _has_run(result) or not result.errors:
        answer["data"] = result.data
    return answer


def _has_run(result: ExecutionResult) -> bool:
    return result.data is not None or any(error.path for error in result.errors or ())


class _Answer(Response):
    """A response that keeps its context alive until it is sent.

    Freeing the context takes time, and the client should not wait for that.
    """

    def __init__(self, body: bytes, context: RequestContext, media_type: str) -> None:
        super().__init__(body, media_type=media_type)
        self._context = context


def _wants_page(request: Request) -> bool:
    """Return True if a browser requests the page and the URL has no GraphQL request."""
    return not any(name in request.query_params for name in _NAMES) and prefers_page(accept_of(request))


def _document_id(query: str | None, *names: T) -> T | None:
    """Return the identifier of a document: documentId, or a name from Relay's examples if there is no query either."""
    document_id, *others = names
    if document_id is not None or query:
        return document_id
    return next((each for each in others if each is not None), None)


def _not_acceptable() -> Never:
    message = f"The response can be {GRAPHQL_JSON} or {JSON}. Send an Accept header that allows one of them."
    raise Refused(406, "BAD_REQUEST", message)
