"""The limits of a request; all of them are settings."""

from dataclasses import dataclass

from storage.catalog.model import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may ask for."""

    parts: int = 10_000  # of a mutation
    page: int = 1_000  # items
    nesting: int = 12  # collections of a path
    path: int = 2_048  # characters
    # of a document (resolvers/cost.py)
    document: int = 200_000  # characters
    tokens: int = 8_000
    definitions: int = 300  # operations and fragments
    depth: int = 32  # fields above each other
    selections: int = 3_000  # fields and fragments, with each fragment written out where it is spread
    aliases: int = 200
    directives: int = 500
    root_fields: int = 100
    introspections: int = 10  # fields __schema and __type
    cost: int = 50_000_000  # objects that the answer may have

    @property
    def default_page(self) -> int:
        """How many items a page has where nobody says."""
        return min(100, self.page)


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What paths and queries are bound to."""

    catalog: Catalog
    limits: Limits = DEFAULT_LIMITS
