"""Parts of one kind: the same verb, collection and names of values.

What was found out about the first of them holds for all, so that binding another takes only its key and its values.
Whatever is unlike that one, and whatever is wrong, is left to the binding of single parts (resolvers/parts.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from resolvers.limits import Limits
from resolvers.preconditions import bind_preconditions
from resolvers.requests import PartRequest, members
from resolvers.values import Misfit, Reader, from_text, reader
from storage.addresses import Address, ByKey, Step
from storage.batch.operations import Operation, Verb
from storage.catalog.model import Attribute, Generation
from storage.catalog.types import Value
from storage.errors import Fault

Given = Mapping[str, Any]
"""The values of a part as they were sent."""

Kind = tuple[Verb, str, str | None, tuple[str, ...]]
"""The verb, the path without the key at its end, where values stand (a member of `item`, _PAYLOAD, None), their names."""

_PAYLOAD = "/payload"

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.~-]+")
_NOTHING: Given = {}


def kind_of(request: PartRequest) -> tuple[Kind, Given] | None:
    """Say which kind a part is of; None where it does not have the usual form."""
    path = request.path
    if request.references:
        return None
    where, given = _given(request)
    if not isinstance(given, dict):
        return None
    if path.count("/") % 2 == 0:
        start = path.rfind("/") + 1
        if not _PLAIN_KEY.fullmatch(path, start):
            return None
        path = path[:start]
    return (request.verb, path, where, tuple(given)), given


def _given(request: PartRequest) -> tuple[str | None, Any]:
    if request.item is None:
        return (None, _NOTHING) if request.payload is None else (_PAYLOAD, request.payload)
    if request.payload is not None:
        return None, None
    ((member, given),) = members(request.item).items()
    return member, members(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A part that was bound without a fault, as others of its kind are to be."""

    operation: Operation
    readers: tuple[
        tuple[str, bool, Reader], ...
    ]  # of each value: its attribute, whether it may be null, how it is read
    key: Attribute | None  # that the path ends in; None: all of the kind have the same path
    longest: int  # characters of a path

    def bind(self, index: int, request: PartRequest, given: Given) -> Operation | None:
        """Bind another part of the kind; None where it is not like this one, or wrong."""
        if self._has_stray_precondition(request):
            return None
        faults: list[Fault] = []
        model, (if_match, if_none_match) = self.operation, bind_preconditions(request, faults)
        try:
            values = self._values(given)
            address = model.address if self.key is None else self._address(request.path, self.key)
        except Misfit:
            return None
        if faults:
            return None
        return Operation(
            index=index,
            verb=model.verb,
            address=address,
            values=values,
            pointers=model.pointers,
            payload_pointer=model.payload_pointer,
            if_match=if_match,
            if_none_match=if_none_match,
            query=model.query,
        )

    def _has_stray_precondition(self, request: PartRequest) -> bool:
        if self.key is not None or request.verb is Verb.UPSERT:
            return False
        return request.if_match is not UNSET or request.if_none_match is not UNSET

    def _values(self, given: Given) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for (name, takes_null, read), raw in zip(self.readers, given.values(), strict=True):
            if raw is not None:
                values[name] = read(raw)
            elif takes_null:
                values[name] = None
            else:
                raise Misfit("must have a value")
        return values

    def _address(self, path: str, key: Attribute) -> Address:
        if len(path) > self.longest:
            raise Misfit("is too long")
        *above, last = self.operation.address
        value = from_text(key.type, path[path.rfind("/") + 1 :])
        selector = ByKey(attributes=(key.name,), values=(value,))
        return (*above, Step(resource=last.resource, relation=last.relation, selector=selector))


def model_of(kind: Kind, operation: Operation, limits: Limits) -> Model | None:
    """Take a bound part as the model of its kind; None where a value of it meant something else than itself."""
    _, path, _, names = kind
    resource, selector = operation.resource, operation.address[-1].selector
    if len(operation.values) != len(names):
        return None
    key: Attribute | None = None
    if path.endswith("/"):
        if not isinstance(selector, ByKey):  # a path that ends in a query with a slash
            return None
        key = resource.attributes[selector.attributes[0]]
    attributes = [resource.attributes[name] for name in operation.values]
    readers = tuple((each.name, _takes_null(each, operation), reader(each.type)) for each in attributes)
    return Model(operation=operation, readers=readers, key=key, longest=limits.path)


def _takes_null(attribute: Attribute, operation: Operation) -> bool:
    """Whether null is a value like others: not where it asks the database for one, or tells what an UPSERT means."""
    resource = operation.resource
    is_made = attribute.generation is Generation.WHEN_ABSENT and operation.verb in {Verb.CREATE, Verb.UPSERT}
    at_collection = operation.verb is Verb.UPSERT and operation.address[-1].selector is None
    tells = at_collection and any(attribute.name in key for key in resource.keys)
    return attribute.nullable and not is_made and not tells
