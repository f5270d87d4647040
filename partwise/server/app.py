"""The Starlette application."""

import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, TypeVar

from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from partwise.persisted import open_documents
from partwise.server import pages
from partwise.server.batch_endpoint import answer_batch
from partwise.server.bodies import body_too_large
from partwise.server.graphql_endpoint import GraphQLEndpoint
from partwise.server.health import Health
from partwise.server.introspection import Introspections
from partwise.server.middleware import Compression, CrossOrigin
from partwise.server.negotiation import JSON
from partwise.server.responses import refusal
from partwise.server.turns import Gate, Turns
from partwise.server.uvicorn_server import DRAINING
from partwise.service import Service
from partwise.settings import Settings, is_loopback
from partwise.workers.admission import Admission
from partwise.workers.contention import Contention
from partwise.workers.large_requests import LargeRequests
from partwise.workers.reader import Reader
from partwise.workers.threads import Workers, run_in
from partwise.workers.writer import Writer
from resolvers.results.views import to_wire_error
from resolvers.schema_builder import build_schema
from storage.json_text import encode_json_bytes

T = TypeVar("T")

_LONGEST_HOST = 64  # characters in a name or an address of this machine, with a port
# At most a quarter of the client connections may wait in each of the three lanes, so that other clients can connect.
_LANE_SHARE = 4
_WRITING = 2  # threads that encode large responses; Python runs one at a time
# New objects between two garbage collections. Python's default of 700 causes seven collections per page of 5,000 rows.
_NEW_OBJECTS = 20_000


class _OwnNamesOnly:
    """Middleware that rejects requests whose Host header does not name this machine.

    This prevents DNS rebinding: a web page could otherwise reach a loopback-only server by resolving its own host name
    to our address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, or reject it with status 421."""
        if scope["type"] == "http" and not _is_own_name(Headers(scope=scope).get("host", "")):
            answer = refusal("This server answers to localhost only.", 421)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


class _Endpoint:
    """An endpoint as an ASGI application.

    Starlette would wrap a plain function in a second layer that handles exceptions.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compute the response to a request and send it."""
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)


def _is_own_name(host: str) -> bool:
    return len(host) <= _LONGEST_HOST and _is_known_name(host)


@lru_cache(maxsize=64)
def _is_known_name(host: str) -> bool:
    return is_loopback(re.sub(r":\d*$", "", host))


async def _refuse(request: Request, error: Exception) -> Response:
    """Return the response to an unknown path or a method that is not allowed; answer OPTIONS on every route."""
    assert isinstance(error, HTTPException)  # noqa: S101  # the only class that it is registered for
    if error.status_code == HTTPStatus.NOT_FOUND:
        hint = "GraphQL is at /graphql. Use the paths of items in the parts of a batch, at /graphql or /batch."
        return refusal(f"Unknown path. {hint}", error.status_code, headers=error.headers)
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return refusal(f"{error.detail}.", error.status_code, headers=error.headers)
    methods = {each.strip() for each in (error.headers or {}).get("Allow", "").split(",")} | {"OPTIONS"}
    allow = {"Allow": ", ".join(sorted(methods))}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    return refusal(f"{error.detail}.", error.status_code, headers=allow)


async def _fail(_request: Request, error: Exception) -> Response:
    """Return the response to an unexpected exception. It contains an identifier that is also in the log."""
    unforeseen = to_wire_error(GraphQLError("", original_error=error))
    return Response(encode_json_bytes({"errors": [unforeseen]}), 500, media_type=JSON)


def make_app(service: Service, settings: Settings, *, compiled: bool = True) -> Starlette:
    """Create the application. Raises `SettingsError`.

    `compiled=False` disables the compiled path, in order to compare it with graphql-core.
    """
    database = service.engine.database
    workers = Workers(database.connections, database.commit_timeout)
    contention = Contention(workers, database.lock_holders)
    large = LargeRequests()
    health = Health(database)
    admission = Admission(
        connections=database.connections,
        shared=database.dialect != "sqlite",
        target=settings.target_wait,
        timeout=settings.timeout,
        most=max(1, settings.max_connections // _LANE_SHARE),
    )
    turns = Turns(admission, timeout=settings.timeout)
    writing = ThreadPoolExecutor(_WRITING, thread_name_prefix="partwise-answers")
    graphql = GraphQLEndpoint(
        schema=service.schema,
        engine=service.engine,
        reader=Reader(database, workers, contention),
        writer=Writer(service.engine, contention),
        turns=turns,
        health=health,
        limits=settings.limits,
        max_body=settings.max_body,
        max_values=settings.max_values,
        large=large,
        documents=open_documents(settings, service.schema),
        server_timing=settings.server_timing,
        compiled=compiled,
        background=partial(run_in, writing),
        introspections=Introspections(per_minute=settings.introspections_per_minute, timeout=settings.timeout),
        compresses=settings.compression > 0,
    )

    batches = graphql
    if service.schema.mutation is None:  # nothing can be written, but batches may still read
        batches = replace(graphql, schema=build_schema(service.engine.catalog, reads_in_batches=True))

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(request: Request) -> Response:
        if request.scope.get("state", {}).get(DRAINING):
            return refusal("The server is shutting down.", 503, "UNAVAILABLE")
        reason = await health.why_unready()
        return PlainTextResponse("ok") if reason is None else refusal(reason, 503, "UNAVAILABLE")

    async def home(_request: Request) -> Response:
        return RedirectResponse("/graphql")

    async def refuse_too_large(scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a body by its Content-Length, before it is sent."""
        await body_too_large(settings.max_body).response(JSON)(scope, receive, send)

    too_large: ASGIApp = refuse_too_large
    for each in reversed([*_middleware(settings, None)]):
        too_large = each.cls(too_large, *each.args, **each.kwargs)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        gc.collect()
        gc.freeze()  # objects created at startup live on, so that collections need not traverse them
        gc.set_threshold(_NEW_OBJECTS)
        yield {"too_large": too_large, "turns": turns}  # partwise/server/protocol.py rejects requests with these
        graphql.introspections.close()
        large.close()
        writing.shutdown(wait=False, cancel_futures=True)
        workers.shut_down()
        database.close()

    return Starlette(
        routes=[
            Route("/graphql", _Endpoint(graphql), methods=["GET", "POST"]),  # first: routes are tried in order
            Route("/batch", _Endpoint(partial(answer_batch, batches)), methods=["GET", "POST"]),
            Route("/", home),
            Route("/livez", live),
            Route("/readyz", ready),
            *pages.routes(takes_any=graphql.documents.takes_any, compresses=settings.compression > 0),
        ],
        middleware=[*_middleware(settings, turns)],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
        lifespan=lifespan,
    )


def _middleware(settings: Settings, turns: Turns | None) -> Iterator[Middleware]:
    """Return the middleware that a request passes before its route, the outermost first."""
    if not settings.open:
        yield Middleware(_OwnNamesOnly)
    if settings.cors_origins:
        yield Middleware(CrossOrigin, origins=settings.cors_origins)
    if turns is not None:
        yield Middleware(Gate, turns=turns)
    if settings.compression:
        yield Middleware(Compression, level=settings.compression)
