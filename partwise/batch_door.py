"""The batch as one JSON document, at /batch, in the form of Oracle's ADF REST services; it runs as the mutation's does.

docs/contract.md, section 9.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from graphql import located_error
from starlette.requests import Request
from starlette.responses import Response

from partwise.batch_documents import Batch, Operation, json_schema, to_answer
from partwise.door import Door, Refused, accept_of, content_type, read_body, refusal, text_of
from partwise.negotiation import JSON, first_accepted
from partwise.timing import Timing
from resolvers.batch import AnswerPlan, answer, check_number
from resolvers.idempotency import HEADER
from resolvers.requests import PartRequest
from resolvers.results import BatchView, status_of, to_wire_error
from storage.batch.blocks import Shown
from storage.batch.operations import Status
from storage.errors import PartErrorCode
from storage.json_text import RepeatedMember, decode_distinct, encode_json_bytes, fault_of

REPLAYED = "Idempotency-Replayed"  # a header
MEDIA_TYPES = (JSON, "application/vnd.oracle.adf.batch+json")
_PLAN = AnswerPlan(shown=Shown.ROWS)
_SHARED = {400, 409, 412, 422}  # 404 and 405 would say of /batch itself that it is not there, or takes no POST
_MIXED = 422
_STATUS: Mapping[str, int] = {  # of a request error, by its code; of others, 400
    **dict.fromkeys(PartErrorCode, 409),  # what the database says at COMMIT, of no single part
    **dict.fromkeys(("TIMEOUT", "UNAVAILABLE", "SERIALIZATION_CONFLICT"), 503),
    "IDEMPOTENCY_KEY_REUSED": 422,
    **dict.fromkeys(("OUTCOME_UNKNOWN", "INTERNAL"), 500),
}
_OPERATIONS = ", ".join(Operation)


@dataclass(frozen=True, slots=True)
class BatchDoor:
    """Answers requests to /batch."""

    door: Door

    async def answer(self, request: Request) -> Response:
        """Run the batch that is sent; to GET, say what can be sent."""
        timing = Timing()
        response = await self._answer(request, timing)
        if self.door.server_timing:
            response.raw_headers.append((b"server-timing", timing.header()))
        return response

    async def _answer(self, request: Request, timing: Timing) -> Response:
        if request.method != "POST":
            return Response(encode_json_bytes(self._schema()), media_type="application/schema+json")
        try:
            body = await read_body(request, self.door.max_body, MEDIA_TYPES)
            timing.received()
            media_type, dry_run, parts = _media_type(request), _dry_run(request), _parts(text_of(body))
            context = self.door.context(timing, request.headers.getlist(HEADER))
            check_number(len(parts), context.limits)
            view = await answer(parts, lambda: _PLAN, context, dry_run=dry_run)
            headers = {REPLAYED: "true"} if view.replayed else None
            return Response(encode_json_bytes(to_answer(view)), _status(view), headers, media_type=media_type)
        except Refused as refused:
            return refusal(str(refused), refused.status, refused.code, refused.headers)
        except Exception as error:  # noqa: BLE001  # as graphql-core does with what the mutation raises
            wire = to_wire_error(located_error(error))
            status = _STATUS.get(wire["extensions"]["code"], 400)
            return Response(encode_json_bytes({"errors": [wire]}), status, media_type=JSON)

    def _schema(self) -> dict[str, Any]:
        types = self.door.schema._schema.type_map  # noqa: SLF001  # Strawberry offers no other way to graphql-core's own
        collections = [f"/{each.collection}" for each in self.door.engine.catalog.resources.values()]
        return json_schema(types, collections=collections, most_parts=self.door.limits.parts)


def _media_type(request: Request) -> str:
    """Choose the answer's media type: the request's own, if the client accepts it."""
    offered = sorted(MEDIA_TYPES, key=lambda name: name != content_type(request))
    found = first_accepted(accept_of(request), offered)
    if found is None:
        raise Refused(406, "BAD_REQUEST", f"Accept {' or '.join(MEDIA_TYPES)}: there is nothing else to answer with.")
    return found


def _dry_run(request: Request) -> bool:
    match request.query_params.multi_items():
        case []:
            return False
        case [("dryRun", "true" | "false" as value)]:
            return value == "true"
    raise Refused(400, "BAD_REQUEST", "The URL takes dryRun alone, and it is true or false.")


def _parts(text: str) -> list[PartRequest]:
    try:
        return [part.to_request() for part in msgspec.convert(decode_distinct(text), Batch).parts]
    except RepeatedMember as error:
        message = f"The body has an object with two members {str(error)!r}."
    except msgspec.ValidationError as error:
        hint = f" Operations are {_OPERATIONS}, in lower case." if "enum value" in str(error) else ""
        message = f"The body is not as GET /batch describes it: {str(error).replace('`str`', '`string`')}.{hint}"
    except (ValueError, RecursionError) as error:
        message = f"The body is no JSON{fault_of(error)}."
    raise Refused(400, "BAD_REQUEST", message)


def _status(view: BatchView) -> int:
    if view.outcome.status is not Status.REJECTED:
        return 200
    statuses = {status_of(outcome) for outcome in view.outcome.parts}
    return statuses.pop() if len(statuses) == 1 and statuses <= _SHARED else _MIXED
