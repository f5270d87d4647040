"""The preconditions of a part, `ifMatch` and `ifNoneMatch` (docs/contract.md, section 2, rule 3)."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from msgspec import UNSET

from resolvers.binding.path_binding import Place
from resolvers.binding.requests import PartRequest
from storage.batch.plan.operations import ANY_VERSION, Etags, Precondition, Verb
from storage.errors import Fault, InvalidPrecondition
from storage.rows import etags

Preconditions = tuple[Precondition | None, Precondition | None]
"""`ifMatch` and `ifNoneMatch`."""

_ANY = "*"


def bind_preconditions(request: PartRequest, faults: list[Fault]) -> Preconditions:
    """Return the preconditions of a part; add a fault to `faults` for each one that is invalid."""
    if request.if_match is UNSET and request.if_none_match is UNSET:
        return None, None
    if _is_any(request.if_match) and _is_any(request.if_none_match):
        message = (
            "ifMatch and ifNoneMatch cannot both be null, because the two conditions contradict each other."
            " If your client sends null for absent fields, omit them."
        )
        faults.append(InvalidPrecondition(message=message, pointer="/ifMatch"))
        return None, None
    return (
        _precondition(request.if_match, "/ifMatch", etags.strong, faults),
        _precondition(request.if_none_match, "/ifNoneMatch", etags.weak, faults),
    )


def if_match_columns(given: Sequence[Any]) -> Sequence[Etags | None]:
    """Return the etags of `ifMatch` of many parts, none of which is an empty list; None for parts without any."""
    texts = set(chain.from_iterable(each for each in given if each is not UNSET and each is not None))
    alone = {text: _read([text], etags.strong) for text in texts}  # most lists have one etag, and many are equal
    return [
        None
        if each is UNSET
        else ANY_VERSION
        if each is None
        else alone[each[0]]
        if len(each) == 1
        else _read(each, etags.strong)
        for each in given
    ]


def _is_any(given: Any) -> bool:
    return given is None or (given is not UNSET and _ANY in given)


def _read(given: Sequence[str] | None, read: Callable[[str], str | None]) -> Etags:
    if given is None or _is_any(given):
        return ANY_VERSION
    return [etag for etag in map(read, given) if etag is not None]


def _precondition(
    given: Any, pointer: str, read: Callable[[str], str | None], faults: list[Fault]
) -> Precondition | None:
    if given is UNSET:
        return None
    if given is not None and not given:
        message = f"{pointer[1:]} is an empty list; leave it out for no precondition, or give null for any version."
        faults.append(InvalidPrecondition(message=message, pointer=pointer))
        return None
    return Precondition(etags=_read(given, read))


def check_place(request: PartRequest, place: Place, faults: list[Fault]) -> None:
    """Add a fault if a part has a precondition on a collection and is not an UPSERT."""
    if place.is_item or request.verb is Verb.UPSERT:
        return
    for pointer, given in (("/ifMatch", request.if_match), ("/ifNoneMatch", request.if_none_match)):
        if given is not UNSET:
            hint = " Null counts as given: leave it out." if given is None else ""
            message = f"{pointer[1:]} requires the path of one item, but this is the path of a collection.{hint}"
            faults.append(InvalidPrecondition(message=message, pointer=pointer))
            return
