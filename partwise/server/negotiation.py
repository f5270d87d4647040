"""Content negotiation: the media types and encodings in `Accept…` headers (RFC 9110, section 12.5)."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from typing import TypeVar

from starlette.requests import Request

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"
_MOST_KNOWN = 256  # cached header values; clients send few different ones
_LONGEST_KNOWN = 1_000  # characters; longer values are not cached, so that a client cannot fill the memory with them


T = TypeVar("T")


def _remembered(read: Callable[[str], T]) -> Callable[[str], T]:
    known = lru_cache(maxsize=_MOST_KNOWN)(read)

    @wraps(read)
    def find(header: str) -> T:
        return known(header) if len(header) <= _LONGEST_KNOWN else read(header)

    return find


def accept_of(request: Request) -> str:
    """Return the Accept headers of a request as one value; `""` if there are none."""
    return ", ".join(request.headers.getlist("accept"))


@_remembered
def media_type_of(accept: str) -> str | None:
    """Return the media type of a response; None if the client accepts none of ours. `""` means that there is no header.

    `application/graphql-response+json` is only for clients that name it. To all others GraphQL has always been JSON.
    """
    weights = _weights(accept)
    if not weights:
        return JSON
    plain, graphql = _weight(weights, JSON), _weight(weights, GRAPHQL_JSON)
    if GRAPHQL_JSON in weights and graphql and graphql >= plain:
        return GRAPHQL_JSON
    if plain:
        return JSON
    return GRAPHQL_JSON if graphql else None


def first_accepted(accept: str, offered: Iterable[str]) -> str | None:
    """Return the first media type that a client accepts, or None. `""` means that there is no header."""
    weights = _weights(accept)
    return next((each for each in offered if not weights or _weight(weights, each)), None)


def prefers_page(accept: str) -> bool:
    """Return True if a client prefers HTML to JSON, as browsers do."""
    weights = _weights(accept)
    page = weights.get(HTML, 0.0)
    return page > 0 and page >= max(_weight(weights, JSON), _weight(weights, GRAPHQL_JSON))


@_remembered
def takes_gzip(accept_encoding: str) -> bool:
    """Return True if a client accepts gzip. `""` means that there is no header."""
    return _weights(accept_encoding).get("gzip", 0.0) > 0


def _weight(weights: Mapping[str, float], media_type: str) -> float:
    """Return the weight of a media type: that of the most specific range that matches it."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0.0)


def _weights(header: str) -> Mapping[str, float]:
    """Parse the listed names, in lower case, with their weights. Names whose weight is not from 0 to 1 are skipped."""
    found: dict[str, float] = {}
    for each in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in each.split(";"))
        weights = [value for parameter in parameters for key, _, value in [parameter.partition("=")] if key == "q"]
        try:
            weight = float(weights[0]) if weights else 1.0
        except ValueError:
            continue
        if name and 0 <= weight <= 1:
            found[name] = max(weight, found.get(name, 0.0))
    return found
