"""The limits of a request; all of them are settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resolvers.documents.suggestions import Suggestions
from storage.catalog.model import Catalog
from storage.errors import QueryTooComplex

MOST = 10**15  # counting stops here, because nested fragments can multiply to numbers of any length
MOST_ERRORS = 50  # of a request that is not executed
MOST_FAULTS = 100  # of a part
MAX_OPERANDS = 2_000  # values and conditions of one filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one request."""

    parts: int = 10_000  # of a mutation
    page: int = 1_000  # items
    nesting: int = 12  # collections of a path
    path: int = 2_048  # characters
    # of a document (resolvers/documents/document_limits.py, resolvers/execution/cost.py)
    document: int = 200_000  # characters
    tokens: int = 8_000
    definitions: int = 300  # operations and fragments
    depth: int = 32  # nested fields
    selections: int = 3_000  # fields and fragments, with each fragment expanded wherever it is spread
    aliases: int = 200
    directives: int = 500
    root_fields: int = 100
    introspections: int = 10  # fields __schema and __type
    cost: int = 2_500_000  # maximum number of objects in the response

    @property
    def for_our_own(self) -> "Limits":
        """The same limits of parts, paths and cost, with the default limits for a document, which is not a client's."""
        return Limits(parts=self.parts, page=self.page, nesting=self.nesting, path=self.path, cost=self.cost)

    @property
    def default_page(self) -> int:
        """The number of items of a page if the client does not specify it."""
        return min(100, self.page)


DEFAULT_LIMITS = Limits()

_COUNTED = {
    "document": ("characters", "max_document"),
    "tokens": ("tokens", "max_tokens"),
    "definitions": ("operations and fragments", "max_definitions"),
    "depth": ("levels of fields", "max_depth"),
    "selections": ("selections", "max_selections"),
    "aliases": ("aliases", "max_aliases"),
    "directives": ("directives", "max_directives"),
    "root_fields": ("root fields", "max_root_fields"),
    "introspections": ("introspections", "max_introspections"),
    "cost": ("objects in its answer", "max_cost"),
}  # limit -> what it counts, and its setting


def excess(
    found: Mapping[str, int], limits: Limits, what_has: str = "This query has", advice: str = ""
) -> QueryTooComplex | None:
    """Return an error that names each exceeded limit with its value and the actual number; None if none is exceeded."""
    over = {limit: number for limit, number in found.items() if number > getattr(limits, limit)}
    if not over:
        return None
    sentences = []
    for limit, number in over.items():
        what, setting = _COUNTED[limit]
        least = "at least " if number == MOST else ""
        sentences.append(f"{least}{number:,} {what}, and the limit is {getattr(limits, limit):,} ({setting})")
    return QueryTooComplex(f"{what_has} {'; '.join(sentences)}.{advice}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The catalog and the limits that paths and queries are bound to."""

    catalog: Catalog
    limits: Limits = DEFAULT_LIMITS
    suggest: Suggestions = field(default_factory=Suggestions, compare=False)
