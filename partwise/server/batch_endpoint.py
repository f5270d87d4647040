"""The endpoint /batch: a batch as one JSON document in the format of Oracle's ADF REST services, run as the mutation.

See docs/contract.md, section 9.
"""

from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from partwise.server.bodies import check_values, content_type, from_body, read_body
from partwise.server.graphql_endpoint import GraphQLEndpoint, Variables
from partwise.server.negotiation import JSON, accept_of, first_accepted
from partwise.server.responses import InPieces, Refused, refusal_of
from partwise.server.timing import Timing
from partwise.server.turns import Busy
from resolvers.binding.requests import MAX_ID_LENGTH, PartRequest, ReferenceRequest
from resolvers.documents.variables import shorten
from resolvers.execution.context import RequestContext
from resolvers.results.pieces import LARGE, encode_in_pieces
from schema.json_schema import definitions_of
from storage.batch.plan.operations import Verb
from storage.catalog.types import ExactFloat
from storage.errors import PartErrorCode
from storage.json_text import decode_distinct, decode_json, encode_json_bytes

REPLAYED = "Idempotency-Replayed"  # a header
# Without the definitions that are derived from the GraphQL types.
_SCHEMA = (Path(__file__).parent / "batch.schema.json").read_text()
MEDIA_TYPES = (JSON, "application/vnd.oracle.adf.batch+json")
_MUTATION = """mutation ($parts: [PartInput!]!, $dryRun: Boolean!) { batch(parts: $parts, dryRun: $dryRun) { status replayed
  parts { id path operation status preconditionSucceeded etag payload errors { code message pointer attributes constraint params } } } }"""
# Not 404 and 405: they would mean that /batch itself does not exist or does not accept POST.
_SHARED = {400, 409, 412, 422}
_STATUS: dict[str, int] = {  # status of a request error by its code; otherwise 400
    **dict.fromkeys(PartErrorCode, 409),  # errors that the database raises at COMMIT, which concern no single part
    **dict.fromkeys(("TIMEOUT", "UNAVAILABLE", "SERIALIZATION_CONFLICT"), 503),
    "IDEMPOTENCY_KEY_REUSED": 422,
    **dict.fromkeys(("OUTCOME_UNKNOWN", "INTERNAL"), 500),
}


_Operation = Literal["get", "create", "update", "replace", "upsert", "delete"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A part as sent by the client."""

    id: str
    path: str
    operation: _Operation
    payload: Any = None
    if_match: list[str] | UnsetType | None = UNSET
    if_none_match: list[str] | UnsetType | None = UNSET
    references: list[ReferenceRequest] | None = None

    def request(self) -> PartRequest:
        """Return the part in the form that the mutation accepts."""
        return PartRequest(
            id=self.id,
            path=self.path,
            verb=Verb(self.operation.upper()),
            payload=self.payload,
            if_match=self.if_match,
            if_none_match=self.if_none_match,
            references=self.references,
        )


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON format of a request body."""

    parts: list[Part]


async def answer_batch(endpoint: GraphQLEndpoint, request: Request) -> Response:
    """Run the batch in the request; for GET, return the JSON Schema of a batch."""
    timing = Timing()
    try:
        response = await _run(endpoint, request, timing) if request.method == "POST" else _describe(endpoint)
    except Refused as refused:
        response = refused.response(JSON)
    except Busy as busy:
        response = refusal_of(busy)
    except ClientDisconnect:
        response = Response(status_code=400)  # nobody receives it
    return endpoint.timed(response, timing)


async def _run(endpoint: GraphQLEndpoint, request: Request, timing: Timing) -> Response:
    body = await read_body(request, endpoint.max_body, MEDIA_TYPES)
    timing.received()
    media_type = first_accepted(accept_of(request), (content_type(request), *MEDIA_TYPES))
    if media_type is None:
        message = f"The response can be {' or '.join(MEDIA_TYPES)}. Send an Accept header that allows one of them."
        raise Refused(406, "BAD_REQUEST", message)
    asked = request.query_params.multi_items()
    if asked not in ([], [("dryRun", "true")], [("dryRun", "false")]):
        message = "The only query parameter is dryRun, and its value must be true or false."
        raise Refused(400, "BAD_REQUEST", message)
    is_dry_run = asked == [("dryRun", "true")]
    turn = endpoint.turns.batch(body, request.receive)
    context = endpoint.context(timing, request, turn)
    async with turn:
        run = partial(_run_body, endpoint, body, is_dry_run=is_dry_run, media_type=media_type)
        return await endpoint.answer_body(body, context, run, JSON)


async def _run_body(
    endpoint: GraphQLEndpoint, body: bytes, context: RequestContext, *, is_dry_run: bool, media_type: str
) -> Response:
    check_values(body, endpoint.max_values, "The body")
    sent = from_body(body, decode_distinct)
    given = Variables(
        parts=[part.request() for part in _parts(sent)],
        others={"dry_run": is_dry_run},
        as_sent=lambda: {"dryRun": is_dry_run, "parts": _in_upper_case(sent)},
    )
    answered = await endpoint.run(_MUTATION, given, context)
    if len(answered) <= LARGE:
        return _to_response(_read(answered), media_type)
    return await context.background(lambda: _to_response(_read(answered), media_type, in_pieces=True))


class _PartAnswer(msgspec.Struct):
    """A part of the mutation's response. Its payload is passed through undecoded."""

    id: str
    path: str
    operation: str
    status: int
    preconditionSucceeded: bool | None  # noqa: N815  # the name in the response
    etag: str | None
    payload: Any
    errors: list[Any]


class _PartWithRaw(_PartAnswer):
    payload: msgspec.Raw


class _BatchAnswer(msgspec.Struct):
    status: str
    replayed: bool
    parts: list[_PartWithRaw]


class _Data(msgspec.Struct):
    batch: _BatchAnswer | None


class _Answer(msgspec.Struct):
    data: _Data
    errors: list[Any] = []


_answers = msgspec.json.Decoder(_Answer, float_hook=ExactFloat)
_NULL = msgspec.Raw(b"null")


def _read(answered: bytes) -> _Answer:
    try:
        return _answers.decode(answered)
    except (msgspec.DecodeError, ValueError):  # an unpaired surrogate, which msgspec does not decode
        answer = decode_json(answered.decode())
        found = answer["data"]["batch"]
        batch = found and _BatchAnswer(
            status=found["status"],
            replayed=found["replayed"],
            parts=[_PartAnswer(**part) for part in found["parts"]],  # type: ignore[misc]  # its payload is decoded
        )
        return _Answer(data=_Data(batch), errors=answer.get("errors", []))


def _to_response(answer: _Answer, media_type: str, *, in_pieces: bool = False) -> Response:
    batch, errors = answer.data.batch, [_below_batch(each) for each in answer.errors]
    if batch is None:
        status = _STATUS.get(errors[0]["extensions"]["code"], 400)
        return Response(encode_json_bytes({"errors": errors}), status, media_type=JSON)
    found = {"parts": [_to_result(part) for part in batch.parts], **({"errors": errors} if errors else {})}
    headers = {REPLAYED: "true"} if batch.replayed else None
    if in_pieces:
        return InPieces(encode_in_pieces(found), media_type, _status(batch), headers)
    return Response(encode_json_bytes(found), _status(batch), headers, media_type=media_type)


def _describe(endpoint: GraphQLEndpoint) -> Response:
    """Return the JSON Schema, with the descriptions of the GraphQL types."""
    types = endpoint.schema._schema.type_map  # noqa: SLF001  # Strawberry has no public access to the graphql-core schema
    found = definitions_of(types["PartInput"], types["PartResult"], without=("index", "item", "items"))
    sent, answered = found["PartInput"]["properties"], found["PartResult"]
    sent["id"] |= {"minLength": 1, "maxLength": MAX_ID_LENGTH}
    sent["path"]["examples"] = [f"/{each.collection}" for each in endpoint.engine.catalog.resources.values()]
    sent["payload"]["type"], answered["properties"]["payload"]["type"] = ["object", "null"], "object"
    answered["required"].remove("errors")
    found["Operation"]["enum"] = [name.lower() for name in found["Operation"]["enum"]]
    found["PartErrorCode"] = {"type": "string", "examples": found["PartErrorCode"]["enum"]}  # codes may be added later
    schema = decode_json(_SCHEMA)
    schema["$defs"]["Batch"]["properties"]["parts"]["maxItems"] = endpoint.limits.parts
    schema["$defs"] |= found
    return Response(encode_json_bytes(schema), media_type="application/schema+json")


def _parts(body: Any) -> list[Part]:
    """Parse the parts of a body. Raises `Refused`."""
    try:
        return msgspec.convert(body, Batch).parts
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # an unpaired surrogate is not a valid name
        operations = f" Operations are {', '.join(get_args(_Operation))}, in lower case."
        hint = operations if "enum value" in str(error) else ""
        told = shorten(str(error).replace("`str`", "`string`").replace("`ExactFloat`", "`number`"))
        message = f"The body is not as GET /batch describes it: {told}.{hint}"
        raise Refused(400, "BAD_REQUEST", message) from None


def _in_upper_case(body: Any) -> list[dict[str, Any]]:
    """Return the parts as variables of the mutation."""
    return [{**part, "operation": part["operation"].upper()} for part in body["parts"]]


def _to_result(part: _PartAnswer) -> dict[str, Any]:
    members = msgspec.structs.asdict(part)
    members["operation"] = part.operation.lower()
    members["payload"] = None if part.payload == _NULL else part.payload
    members["errors"] = [_without_null(each) for each in part.errors] or None
    return _without_null(members)


def _without_null(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _below_batch(error: dict[str, Any]) -> dict[str, Any]:
    """Return the error with a path relative to this response; it does not refer to the GraphQL document."""
    path = error["path"][1:]
    return {"message": error["message"], **({"path": path} if path else {}), "extensions": error["extensions"]}


def _status(batch: _BatchAnswer) -> int:
    if batch.status != "REJECTED":
        return 200
    statuses = {part.status for part in batch.parts}
    return statuses.pop() if len(statuses) == 1 and statuses <= _SHARED else 422
