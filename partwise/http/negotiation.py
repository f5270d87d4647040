"""What a client takes: media types and encodings, by its `Accept…` headers (RFC 9110, section 12.5)."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from typing import TypeVar

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"
_MOST_KNOWN = 256  # headers: clients send few different ones
_LONGEST_KNOWN = 1_000  # characters: whoever sends longer ones shall not fill our memory with them


T = TypeVar("T")


def _remembered(read: Callable[[str], T]) -> Callable[[str], T]:
    known = lru_cache(maxsize=_MOST_KNOWN)(read)

    @wraps(read)
    def find(header: str) -> T:
        return known(header) if len(header) <= _LONGEST_KNOWN else read(header)

    return find


@_remembered
def media_type_of(accept: str) -> str | None:
    """Choose the media type of an answer; None where the client takes none of ours. `""` is no header.

    `application/graphql-response+json` is for those who name it: to others, JSON is what GraphQL has always been.
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
    """Choose the first media type that a client takes. `""` is no header."""
    weights = _weights(accept)
    return next((each for each in offered if not weights or _weight(weights, each)), None)


def prefers_page(accept: str) -> bool:
    """Return True if a client would rather have a page than JSON, as browsers say."""
    weights = _weights(accept)
    page = weights.get(HTML, 0.0)
    return page > 0 and page >= max(_weight(weights, JSON), _weight(weights, GRAPHQL_JSON))


@_remembered
def takes_gzip(accept_encoding: str) -> bool:
    """Return True if a client asks for compressed answers. `""` is no header."""
    return _weights(accept_encoding).get("gzip", 0.0) > 0


def _weight(weights: Mapping[str, float], media_type: str) -> float:
    """Find how much a media type is wanted: the most specific range that fits it decides."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0.0)


def _weights(header: str) -> Mapping[str, float]:
    """Read what is listed, in lower case, and how much each is wanted. What is no weight from 0 to 1 is passed over."""
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
