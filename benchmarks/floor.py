"""The HTTP side of the floors: the thinnest Starlette program that runs the work and returns its results."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.work import Collection, Create, Delete, Part, Update

DATABASE = "BENCHMARKS_DATABASE"  # environment variable with the database of a floor's process

_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The operations of a floor on its database."""

    run: Callable[[Sequence[Part]], Awaitable[None]]  # runs parts in one transaction
    read: Callable[[Collection, int], Awaitable[bytes]]  # returns the first items of a collection, as JSON


class Page(msgspec.Struct, frozen=True, gc=False):
    """The number of items of a collection to read."""

    first: int


class Refused(Exception):
    """A rejected batch: an employee is missing or has another version, or a constraint failed. Nothing was written."""


class Result(msgspec.Struct, frozen=True, gc=False):
    """The result of a part."""

    id: str
    status: int


def make_app(open_database: Callable[[], AbstractAsyncContextManager[Floor]]) -> Starlette:
    """Create the application on a database that is opened when it starts."""
    decoder = msgspec.json.Decoder(list[Part])
    pages = msgspec.json.Decoder(Page)
    encoder = msgspec.json.Encoder()
    opened: list[Floor] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with open_database() as floor:
            opened.append(floor)
            yield

    async def batch(request: Request) -> Response:
        parts = decoder.decode(await request.body())
        try:
            await opened[0].run(parts)
        except Refused as refused:
            return Response(encoder.encode({"error": str(refused)}), 409, media_type=_JSON)
        return Response(encoder.encode([Result(part.id, part.status) for part in parts]), media_type=_JSON)

    def reader(collection: Collection) -> Callable[[Request], Awaitable[Response]]:
        frame = b'{"data":{"%s":{"nodes":%%b}}}' % collection.encode()  # the format of Partwise's response

        async def read(request: Request) -> Response:
            page = pages.decode(await request.body())
            return Response(frame % await opened[0].read(collection, page.first), media_type=_JSON)

        return read

    reads = [Route(f"/{collection}", reader(collection), methods=["POST"]) for collection in Collection]
    return Starlette(routes=[Route("/batch", batch, methods=["POST"]), *reads], lifespan=lifespan)


def by_operation(parts: Sequence[Part]) -> tuple[list[Create], list[Update], list[Delete]]:
    """Group the parts by operation. No two parts of the work affect the same row, so their order does not matter."""
    return (
        [part for part in parts if type(part) is Create],
        [part for part in parts if type(part) is Update],
        [part for part in parts if type(part) is Delete],
    )


def expect(found: int, expected: int) -> None:
    """Validate that the expected number of rows was written. Raises `Refused`."""
    if found != expected:
        raise Refused(f"{expected - found} employees are missing or have changed.")
