"""Parts as sent by the client.

They are msgspec structs, because msgspec creates them in C while it decodes the variables
(resolvers/compiled/variables.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from storage.batch.plan.operations import Verb

MAX_ID_LENGTH = 255  # characters
_ID_LENGTHS = frozenset(range(1, MAX_ID_LENGTH + 1))


class ReferenceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An attribute, and the part whose item it refers to."""

    attribute: str
    part: str


class PartRequest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,  # so that a member added later does not change the fingerprints of older batches
    gc=False,
    rename={"verb": "operation", "if_match": "ifMatch", "if_none_match": "ifNoneMatch"},
):
    """A part as sent. Absent and null are equivalent, except for the preconditions."""

    id: str
    path: str
    verb: Verb
    payload: Any = None
    item: Any = None  # an input of one member: the attributes of one resource, by its name (see `members`)
    if_match: Sequence[str] | UnsetType | None = UNSET
    if_none_match: Sequence[str] | UnsetType | None = UNSET
    references: Sequence[ReferenceRequest] | None = None


def to_request(given: Mapping[str, Any]) -> PartRequest:
    """Convert a `PartInput` that graphql-core has coerced."""
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
    """Replace Strawberry's enum members by their labels."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def members(given: Any) -> Mapping[str, Any]:
    """Return the members of an input object that are set, whether graphql-core or msgspec has coerced it."""
    if not isinstance(given, msgspec.Struct):
        return given  # type: ignore[no-any-return]  # a mapping created by `to_request`
    return {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}


def invalid_length(ids: Sequence[str]) -> int | None:
    """Return the index of the first id whose length is invalid; None if there is none."""
    if _ID_LENGTHS.issuperset(map(len, ids)):
        return None
    return next(index for index, id_ in enumerate(ids) if len(id_) not in _ID_LENGTHS)


def repeated(ids: Sequence[str]) -> Mapping[str, int]:
    """Return the ids that occur more than once, with their number of occurrences."""
    if len(set(ids)) == len(ids):
        return {}
    return {id_: count for id_, count in Counter(ids).items() if count > 1}
