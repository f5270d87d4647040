"""Parts as they were sent.

They are msgspec's structs, because it makes them in C while it decodes the variables (resolvers/compiled/variables.py).
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from storage.batch.plan.operations import Verb


class ReferenceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An attribute, and the part whose item it is to point at."""

    attribute: str
    part: str


class PartRequest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,  # so that a member that comes to be some day does not change what tells older batches apart
    gc=False,
    rename={"verb": "operation", "if_match": "ifMatch", "if_none_match": "ifNoneMatch"},
):
    """A part as it was sent. Absent and null mean the same here but for the preconditions."""

    id: str
    path: str
    verb: Verb
    payload: Any = None
    item: Any = None  # an input of one member: the attributes of one resource, by its name (see `members`)
    if_match: Sequence[str] | UnsetType | None = UNSET
    if_none_match: Sequence[str] | UnsetType | None = UNSET
    references: Sequence[ReferenceRequest] | None = None


def to_request(given: Mapping[str, Any]) -> PartRequest:
    """Read a `PartInput` that graphql-core has coerced."""
    item = given.get("item")
    references = given.get("references")
    return PartRequest(
        id=given["id"],
        path=given["path"],
        verb=Verb(given["operation"].value),
        payload=given.get("payload"),
        item=None if item is None else {name: _plain_members(values) for name, values in item.items()},
        if_match=given.get("ifMatch", UNSET),
        if_none_match=given.get("ifNoneMatch", UNSET),
        references=None if references is None else [ReferenceRequest(**each) for each in references],
    )


def _plain_members(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Take the labels out of the enums that Strawberry has made."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def members(given: Any) -> Mapping[str, Any]:
    """Read what an input object gives, whichever way it was coerced."""
    if not isinstance(given, msgspec.Struct):
        return given  # type: ignore[no-any-return]  # a mapping, of `to_request`
    return {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
