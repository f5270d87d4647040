"""The pages for a browser: GraphiQL and the console (web/), built into the folder `static`.

They load nothing from other hosts.
"""

import asyncio
import gzip
from pathlib import Path

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from partwise.server.negotiation import takes_gzip

STATIC = Path(__file__).parent.parent / "static"  # created by hatch_build.py; not in git

# Monaco writes <style> elements, has its icons in data: URLs and runs workers. Nothing is loaded from other hosts.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "worker-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FRAME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Partwise</title>
<style>
  :root { color-scheme: light dark }
  body { font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }
</style>
"""
_NOT_BUILT = f"""{_FRAME}<h1>This page has not been built</h1>
<p>GraphiQL and the console are built with Node when Partwise is installed, but npm&#39;s registry could not be reached.
<p>Install it again where the registry can be reached: <code>pip install -e .</code> in a checkout (it brings Node
along), or install a released wheel, which contains the pages. <code>pip install -v</code> shows what went wrong.
<p>The server itself is complete: every GraphQL client works with this address.
</html>
"""


class _Assets(StaticFiles):
    """Files whose names contain a hash of their content. There are few, so they are cached in memory once sent."""

    def __init__(self, directory: Path, *, compresses: bool) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._compresses = compresses
        self._contents: dict[tuple[str, bool], bytes] = {}  # by path and compression
        self._reading = asyncio.Lock()

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return one file, with headers that let browsers cache it without revalidation."""
        response = await super().get_response(path, scope)
        if isinstance(response, FileResponse):
            response = await self._from_memory(response, Headers(scope=scope))
        response.headers.update({**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"})
        return response

    async def _from_memory(self, file: FileResponse, asked: Headers) -> Response:
        gzipped = self._compresses and takes_gzip(asked.get("accept-encoding", ""))
        headers = {name: file.headers[name] for name in ("content-type", "last-modified")}
        headers["etag"] = f"W/{file.headers['etag']}"  # the same for the compressed and the plain form
        if gzipped:
            headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
        return Response(await self._content(str(file.path), gzipped=gzipped), headers=headers)

    async def _content(self, path: str, *, gzipped: bool) -> bytes:
        async with self._reading:
            if (path, gzipped) not in self._contents:
                self._contents[path, gzipped] = await to_thread.run_sync(_read, Path(path), gzipped)
            return self._contents[path, gzipped]


def _read(path: Path, gzipped: bool) -> bytes:  # noqa: FBT001  # run_sync passes positional arguments only
    plain = path.read_bytes()
    return gzip.compress(plain, mtime=0) if gzipped else plain


def graphiql(*, takes_any: bool) -> Response:
    """Return the GraphiQL page, which sends its requests to /graphql; it is off if only persisted documents run."""
    return _page("graphql.html") if takes_any else _off("GraphiQL")


def routes(*, takes_any: bool, compresses: bool) -> list[BaseRoute]:
    """Return the routes of the console and of the pages' files. The console is off if only persisted documents run."""

    async def console(_request: Request) -> Response:
        return _page("console.html") if takes_any else _off("the console")

    return [
        Route("/console", console),
        Mount("/page", _Assets(STATIC / "page", compresses=compresses)),
    ]


def _off(name: str) -> Response:
    text = f"""{_FRAME}<h1>{name[0].upper()}{name[1:]} is off</h1>
<p>This server accepts only persisted documents, and {name} sends documents of its own.
<p>The setting <code>only_persisted</code> is on. To enable GraphiQL and the console, the operator can remove it.
</html>
"""
    return HTMLResponse(text, 403, headers=_HEADERS)


def _page(name: str) -> Response:
    headers = {**_HEADERS, "Cache-Control": "no-cache"}
    file = STATIC / name
    if not file.is_file():
        return HTMLResponse(_NOT_BUILT, 503, headers=headers)
    return FileResponse(file, headers=headers, media_type="text/html")
