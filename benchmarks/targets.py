"""The two targets: their commands, their requests, and the responses that they must return."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from benchmarks.client import Answer, to_request
from benchmarks.databases import Kind
from benchmarks.floor import DATABASE, Page
from benchmarks.work import FAILING_PART, Create, Delete, Part, Reading, Update, Work

_UVICORN = ("--host", "127.0.0.1", "--port", "0", "--no-access-log", "--no-server-header")  # the same as Partwise
_OK = 200


class Selection(StrEnum):
    """The fields of a batch's parts in the response."""

    LEAN = "id status"
    RICH = "id status payload etag"
    ERRORS = "id status errors { code message pointer attributes }"  # for W5, which is rejected


class WrongAnswer(Exception):
    """A target that did not do the work. Its times are meaningless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A program that runs the work."""

    name: str
    path: Callable[[Work], str]
    committed: bytes  # text that is in the response to a committed batch, and in no other
    command: Callable[[Kind], Sequence[str]]
    environment: Callable[[str], Mapping[str, str]]  # for the URL of the database
    to_body: Callable[[Work, Selection], bytes]
    check_batch: Callable[[Answer, Sequence[Part], Selection], None]  # raises `WrongAnswer`

    def to_request(self, port: int, work: Work, selection: Selection) -> bytes:
        """Return the HTTP request for this work."""
        return to_request(port, self.path(work), self.to_body(work, selection))

    def check(self, answer: Answer, work: Work, selection: Selection) -> None:
        """Validate that the work was done. Raises `WrongAnswer`."""
        if not isinstance(work, Reading):
            self.check_batch(answer, work, selection)
        elif answer.status != _OK or msgspec.json.decode(answer.body) != work.answer:
            raise WrongAnswer(f"{self.name} read something else: {_start(answer)}")


def to_partwise(work: Work, selection: Selection) -> bytes:
    """Return the request body for Partwise."""
    if isinstance(work, Reading):
        query = f"{{ {work.collection}(first: {work.first}) {{ nodes {{ {work.fields} }} }} }}"
        return msgspec.json.encode({"query": query})
    document = f"mutation($parts:[PartInput!]!){{ batch(parts:$parts){{ committed parts {{ {selection} }} }} }}"
    variables = {"parts": [_to_part_input(part) for part in work]}
    return msgspec.json.encode({"query": document, "variables": variables})


def _to_part_input(part: Part) -> dict[str, Any]:
    match part:
        case Create():
            payload = {
                "name": part.name,
                "salary": part.salary,
                "departmentId": part.department_id,
                "email": part.email,
            }
            return {"id": part.id, "path": "/employees", "operation": "CREATE", "payload": payload}
        case Update():
            payload = {"salary": part.salary}
            given = {"id": part.id, "path": f"/employees/{part.key}", "operation": "UPDATE", "payload": payload}
            return given if part.version is None else {**given, "ifMatch": [f'"{part.version}"']}
        case Delete():
            return {"id": part.id, "path": f"/employees/{part.key}", "operation": "DELETE"}


def _check_partwise(answer: Answer, parts: Sequence[Part], selection: Selection) -> None:
    content = msgspec.json.decode(answer.body)
    if "errors" in content:
        raise WrongAnswer(f"Partwise refused the request: {_start(answer)}")
    batch = content["data"]["batch"]
    if selection is Selection.ERRORS:
        _check_errors(batch)
        return
    if not batch["committed"]:
        raise WrongAnswer(f"Partwise did not commit: {_start(answer)}")
    _check_results("Partwise", batch["parts"], parts)
    if selection is Selection.RICH:
        for result, part in zip(batch["parts"], parts, strict=True):
            _check_item(result, part)


def _check_item(result: Any, part: Part) -> None:
    if isinstance(part, Delete):
        is_right = result["payload"] is None and result["etag"] is None
    else:
        etag = "1" if isinstance(part, Create) else "2"
        is_right = result["payload"]["salary"] == part.salary and result["etag"] == etag
    if not is_right:
        raise WrongAnswer(f"Partwise shows another item than {part}: {result}")


def _check_errors(batch: Any) -> None:
    found = [
        (part["id"], part["status"], error["code"], error["pointer"], error["attributes"])
        for part in batch["parts"]
        for error in part["errors"]
    ]
    if batch["committed"] or found != [(f"p{FAILING_PART}", 409, "CONFLICT", "/payload/email", ["email"])]:
        raise WrongAnswer(f"Partwise did not say which part is in error: {found[:3]}")


def _to_floor(work: Work, _selection: Selection) -> bytes:
    return msgspec.json.encode(Page(first=work.first) if isinstance(work, Reading) else work)


def _check_floor(answer: Answer, parts: Sequence[Part], selection: Selection) -> None:
    is_refused = selection is Selection.ERRORS
    if answer.status != (409 if is_refused else _OK):
        raise WrongAnswer(f"The floor answered otherwise: {_start(answer)}")
    if not is_refused:
        _check_results("The floor", msgspec.json.decode(answer.body), parts)


def _check_results(who: str, results: Sequence[Any], parts: Sequence[Part]) -> None:
    found = [(result["id"], result["status"]) for result in results]
    if found != [(part.id, part.status) for part in parts]:
        raise WrongAnswer(f"{who} answered other parts than it was sent: {results[:3]} …")


def _start(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:500].decode(errors='replace')}"


PARTWISE = Target(
    name="Partwise",
    path=lambda _work: "/graphql",
    committed=b'"committed":true',
    command=lambda _kind: (sys.executable, "-m", "partwise", "serve", "--port", "0"),
    environment=lambda url: {"PARTWISE_DATABASE_URL": url, "PARTWISE_RESOURCES__EMPLOYEE__VERSION": "version"},
    to_body=to_partwise,
    check_batch=_check_partwise,
)

FLOOR = Target(
    name="floor",
    path=lambda work: f"/{work.collection}" if isinstance(work, Reading) else "/batch",
    committed=b"HTTP/1.1 200 OK",
    command=lambda kind: (sys.executable, "-m", "uvicorn", "--factory", f"benchmarks.floor_{kind}:create", *_UVICORN),
    environment=lambda url: {DATABASE: url.removeprefix("sqlite:///")},
    to_body=_to_floor,
    check_batch=_check_floor,
)
