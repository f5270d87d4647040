"""What is sent to /batch and what is answered there, and their JSON Schema."""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Annotated, Any, NotRequired, TypedDict, cast

import msgspec
from graphql import GraphQLError, located_error
from msgspec import UNSET, Meta, UnsetType

from resolvers.parts import MAX_ID_LENGTH
from resolvers.requests import PartRequest, ReferenceRequest
from resolvers.results import BatchView, PartView, to_wire_error
from schema.batch import PartError as GraphQLPartError
from storage.batch.operations import Verb


class Operation(StrEnum):
    """What a part does."""

    GET = auto()
    CREATE = auto()
    UPDATE = auto()
    REPLACE = auto()
    UPSERT = auto()
    DELETE = auto()


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One operation of a batch."""

    id: Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_ID_LENGTH})]
    path: str
    operation: Operation
    payload: Annotated[Any, Meta(extra_json_schema={"type": ["object", "null"]})] = None
    if_match: list[str] | UnsetType | None = UNSET
    if_none_match: list[str] | UnsetType | None = UNSET
    references: list[ReferenceRequest] | None = None

    def to_request(self) -> PartRequest:
        """Say the same as a part of the mutation does."""
        others = {name: getattr(self, name) for name in self.__struct_fields__ if name != "operation"}
        return PartRequest(verb=Verb[self.operation.name], **others)


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts, run in order in one transaction: all of them, or none."""

    parts: list[Part]


class PartError(TypedDict):
    """One thing that is wrong with a part."""

    code: str
    message: str
    pointer: NotRequired[str]
    attributes: list[str]


class PartResult(TypedDict):
    """What became of one part. What is null is left out, and so is `errors` of a part that is not in error."""

    id: str
    path: str
    operation: Operation
    status: int
    preconditionSucceeded: NotRequired[bool]
    etag: NotRequired[str]
    payload: NotRequired[dict[str, Any]]
    errors: NotRequired[list[PartError]]


class WireError(TypedDict):
    """What is wrong with a request, or with one member of an answer: `path` says with which."""

    message: str
    path: NotRequired[list[str | int]]
    extensions: dict[str, Any]


class Answer(TypedDict):
    """All parts; of a rejected batch those in error. `errors` names what the database holds against its own types."""

    parts: list[PartResult]
    errors: NotRequired[list[WireError]]


class Refusal(TypedDict):
    """Nothing has run, or everything was undone."""

    errors: list[WireError]


def to_answer(view: BatchView) -> Answer:
    """Write what became of a batch."""
    unreadable: list[WireError] = []
    parts = [_to_result(part, ("parts", place), unreadable) for place, part in enumerate(view.parts)]
    return {"parts": parts, "errors": unreadable} if unreadable else {"parts": parts}


def _to_result(part: PartView, place: tuple[str | int, ...], unreadable: list[WireError]) -> PartResult:
    found = {
        "preconditionSucceeded": part.precondition_succeeded,
        "etag": part.etag,
        "errors": [_to_error(error) for error in part.errors] or None,
    }
    for name in ("path", "payload"):
        try:
            found[name] = getattr(part, name)
        except GraphQLError as error:  # the database holds what is against its own type
            unreadable.append(cast(WireError, to_wire_error(located_error(error, path=(*place, name)))))
    result: PartResult = {
        "id": part.id,
        "path": part.request.path,
        "operation": Operation[part.request.verb.name],
        "status": part.status,
    }
    result.update(cast(PartResult, {name: value for name, value in found.items() if value is not None}))
    return result


def _to_error(error: GraphQLPartError) -> PartError:
    written: PartError = {"code": error.code, "message": error.message, "attributes": error.attributes}
    if error.pointer is not None:
        written["pointer"] = error.pointer
    return written


_LIKE = {
    "Part": "PartInput",
    "PartResult": "PartResult",
    "PartError": "PartError",
    "ReferenceRequest": "ReferenceInput",
}


def json_schema(types: Mapping[str, Any], *, collections: list[str], most_parts: int) -> dict[str, Any]:
    """Write the JSON Schema of all documents (draft 2020-12), members described as those of the GraphQL types are."""
    documents, definitions = msgspec.json.schema_components((Batch, Answer, Refusal), ref_template="#/$defs/{name}")
    for name, like in _LIKE.items():
        fields = getattr(types.get(like), "fields", {})
        for member, definition in definitions[name]["properties"].items():
            if member in fields and fields[member].description:
                definition["description"] = fields[member].description
    definitions["Batch"]["properties"]["parts"] |= {"minItems": 1, "maxItems": most_parts}
    definitions["Part"]["properties"]["path"]["examples"] = collections
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Batches and their answers",
        "anyOf": [*documents],
        "$defs": definitions,
    }
