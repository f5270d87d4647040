"""Parts as they were sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import strawberry

from storage.batch.operations import Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRequest:
    """A part as it was sent. Absent and null mean the same here but for the preconditions."""

    index: int
    id: str
    path: str
    verb: Verb
    payload: Any
    item: Any
    if_match: Any  # a list of etags, None, or UNSET
    if_none_match: Any
    references: Sequence[Any]


def to_request(index: int, part: Any) -> PartRequest:
    """Read a `PartInput`."""
    item = getattr(part, "item", None)
    return PartRequest(
        index=index,
        id=str(part.id),
        path=str(part.path),
        verb=Verb(part.operation.value),
        payload=None if part.payload is strawberry.UNSET else part.payload,
        item=None if item is strawberry.UNSET else item,
        if_match=part.if_match,
        if_none_match=part.if_none_match,
        references=[] if part.references in (strawberry.UNSET, None) else part.references,
    )
