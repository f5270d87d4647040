"""The Starlette application, and its making in each worker process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from partwise.door import Door
from partwise.service import Service, open_service
from partwise.settings import Settings, load_settings

_OWN_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
_READY_TIMEOUT = 5.0  # seconds


def make_app(service: Service, settings: Settings) -> Starlette:
    """Make the application."""
    database = service.engine.database
    limiter = anyio.CapacityLimiter(database.connections)
    health = anyio.CapacityLimiter(1)
    door = Door(
        schema=service.schema,
        engine=service.engine,
        limiter=limiter,
        max_parts=settings.max_parts,
        max_body=settings.max_body,
    )

    async def graphql(request: Request) -> Response:
        return await door(request)

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(_request: Request) -> Response:
        is_ready = False
        with anyio.move_on_after(_READY_TIMEOUT):
            is_ready = await anyio.to_thread.run_sync(database.is_ready, limiter=health, abandon_on_cancel=True)
        return PlainTextResponse("ok") if is_ready else PlainTextResponse("the database does not answer", 503)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/graphql")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        database.close()

    # A page elsewhere on the web must not reach a server that only listens here by giving its own name our address.
    guards = [] if settings.open else [Middleware(TrustedHostMiddleware, allowed_hosts=_OWN_HOSTS)]
    return Starlette(
        routes=[
            Route("/", home),
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Route("/livez", live),
            Route("/readyz", ready),
        ],
        middleware=guards,
        lifespan=lifespan,
    )


def create() -> Starlette:
    """Make the application in a worker process: uvicorn calls this by name. The settings come by the environment."""
    settings = load_settings()
    return make_app(open_service(settings), settings)
