"""The HTTP side of the floors: the thinnest Starlette program that takes the work and says what became of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.work import Create, Delete, Part, Update

DATABASE = "BENCHMARKS_DATABASE"  # the variable that tells a floor's process its database

Run = Callable[[Sequence[Part]], Awaitable[None]]

_JSON = "application/json"


class Refused(Exception):
    """An employee is missing or has another version, or a rule of the database is broken; nothing was written."""


class Result(msgspec.Struct, frozen=True, gc=False):
    """What became of a part."""

    id: str
    status: int


def make_app(open_database: Callable[[], AbstractAsyncContextManager[Run]]) -> Starlette:
    """Make the application: what opens the database gives back what runs parts in one transaction."""
    decoder = msgspec.json.Decoder(list[Part])
    encoder = msgspec.json.Encoder()
    opened: list[Run] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with open_database() as run:
            opened.append(run)
            yield

    async def batch(request: Request) -> Response:
        parts = decoder.decode(await request.body())
        try:
            await opened[0](parts)
        except Refused as refused:
            return Response(encoder.encode({"error": str(refused)}), 409, media_type=_JSON)
        return Response(encoder.encode([Result(part.id, part.status) for part in parts]), media_type=_JSON)

    return Starlette(routes=[Route("/batch", batch, methods=["POST"])], lifespan=lifespan)


def by_operation(parts: Sequence[Part]) -> tuple[list[Create], list[Update], list[Delete]]:
    """Sort the parts by what they do. No two parts of the work meet in a row, so that their order does not matter."""
    return (
        [part for part in parts if type(part) is Create],
        [part for part in parts if type(part) is Update],
        [part for part in parts if type(part) is Delete],
    )


def expect(found: int, expected: int) -> None:
    """Make sure that as many rows were written. Raises `Refused`."""
    if found != expected:
        raise Refused(f"{expected - found} employees are missing or have changed.")
