"""Responses of the endpoints: in pieces, and those to rejected requests."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from partwise.server.negotiation import JSON
from partwise.server.turns import Busy
from storage.json_text import encode_json_bytes


class Refused(Exception):  # it carries the response
    """A request that is not a valid GraphQL request."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}

    def response(self, media_type: str) -> Response:
        """Return the response to the rejected request."""
        return refusal(str(self), self.status, self.code, self.headers, media_type)


class InPieces(Response):
    """A response that is sent piece by piece. Each piece is freed when it is sent."""

    def __init__(
        self, pieces: list[bytes], media_type: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        length = {"Content-Length": str(sum(map(len, pieces)))}
        super().__init__(None, status, {**length, **(headers or {})}, media_type=media_type)
        self.pieces = pieces

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self.pieces.reverse()
        while self.pieces:
            await send({"type": "http.response.body", "body": self.pieces.pop(), "more_body": bool(self.pieces)})


def refusal(
    message: str,
    status: int,
    code: str = "BAD_REQUEST",
    headers: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> Response:
    """Return the JSON response to a rejected request, in the form of a GraphQL error."""
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return Response(encode_json_bytes(body), status, headers=dict(headers or {}), media_type=media_type)


def refusal_of(busy: Busy, media_type: str = JSON) -> Response:
    """Return the response to a request that is rejected because the server is busy."""
    return refusal(str(busy), 503, "UNAVAILABLE", {"Retry-After": str(busy.seconds)}, media_type)
