"""Middleware of all routes: CORS and compression of responses."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipResponder
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partwise.server.negotiation import takes_gzip
from partwise.server.responses import refusal

# The response headers of this server that a page of another origin may read.
EXPOSED = ("Server-Timing", "Idempotency-Replayed", "Retry-After")
_PREFLIGHT_AGE = 7_200  # seconds; browsers do not cache the response longer
_VARIES = (b"vary", b"Accept-Encoding")
_MIN_COMPRESSED = 1_400  # bytes; a response that fits into one packet is not faster when it is smaller


class CrossOrigin(CORSMiddleware):
    """CORS for the origins in the settings. The response to a rejected preflight request is JSON, too.

    Credentials are not allowed: data that a browser sends on its own is not a reason to trust a page.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=("*",),  # a client's own header (its name, a trace) grants no access here
            expose_headers=EXPOSED,
            max_age=_PREFLIGHT_AGE,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the response to a preflight request."""
        answer = super().preflight_response(request_headers)
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        if answer.status_code == 200:  # noqa: PLR2004  # OK
            return Response(status_code=204, headers=headers)
        return refusal("Pages of this origin may not send such a request here.", 403, headers=headers)


class Compression:
    """Compresses large responses for clients that accept gzip. All other responses get a Vary header for caches."""

    def __init__(self, app: ASGIApp, level: int) -> None:
        self._app, self._level = app, level

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, with a `send` that compresses the response or adds Vary."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            await GZipResponder(self._app, _MIN_COMPRESSED, compresslevel=self._level)(scope, receive, send)
            return

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _VARIES]
            await send(message)

        await self._app(scope, receive, send_noted)
