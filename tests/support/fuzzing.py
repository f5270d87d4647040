"""A fuzzer: odd tables, served; requests drawn from a seed; and what has to hold for every answer.

A request is known by its tables, database and seed, and every request finds the tables as they were at the start. What is
found is made as small as leaving parts out makes it. tests/fuzzed_*.py draw tables, values, batches and documents.
"""

import json
import logging
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Any

import sqlalchemy as sa
from starlette.testclient import TestClient

from partwise.server.app import make_app
from partwise.service import open_service
from partwise.settings import Settings
from storage.catalog.model import Resource
from tests.support.direct import Direct
from tests.support.fuzzed_batches import Batches
from tests.support.fuzzed_parts import Known, Part, Start
from tests.support.fuzzed_queries import Queries
from tests.support.fuzzed_rows import Dump, PostgresqlRows, Rows, SqliteRows
from tests.support.fuzzed_tables import Tables, tables_of
from tests.support.harness import BARE_BATCH, BATCH, LEAN_BATCH, Api, Backend, Json
from tests.support.worlds import alike, made_keys

SERIOUS = {"INTERNAL", "UNAVAILABLE", "TIMEOUT", "OUTCOME_UNKNOWN", "SERIALIZATION_CONFLICT"}
INNARDS = (
    "sqlite3.",
    "psycopg",
    "sqlalchemy",
    "Traceback",
    "SELECT ",
    "INSERT INTO",
    "savepoint",
    "pg_",
    "object at 0x",
)


@dataclass(frozen=True)
class Request:
    """What is sent."""

    document: str  # empty: to /batch
    variables: dict[str, Json]
    is_repeated: bool = False  # whether it is sent once more, under one idempotency key

    @property
    def parts(self) -> list[Part] | None:
        """The parts of a batch; None of a query."""
        return self.variables.get("parts")

    @property
    def path(self) -> str:
        """Where it is sent."""
        return "/graphql" if self.document else "/batch"

    @property
    def body(self) -> bytes:
        """What is sent there."""
        given = {"query": self.document, "variables": self.variables} if self.document else {"parts": self.parts}
        return json.dumps(given).encode()

    def with_parts(self, parts: Sequence[Part]) -> "Request":
        """Leave the rest as it is."""
        return replace(self, variables={**self.variables, "parts": [*parts]})


@dataclass
class Finding:
    """A request whose answer is wrong."""

    seed: str
    request: Request
    what: str

    def __str__(self) -> str:
        """Write what is needed to see it again."""
        parts = "\n".join(json.dumps(part) for part in self.request.parts or ())
        others = {name: value for name, value in self.request.variables.items() if name != "parts"}
        return f"--- {self.seed}\n{self.what}\n{self.request.document}\n{json.dumps(others)}\n{parts}"


@dataclass
class Fuzzed:
    """Served tables, tried by one request after the other."""

    backend: Backend
    name: str
    tables: Tables
    fast: Direct
    slow: Direct  # one by one, by the ordinary door
    rows: Rows
    start: Start
    log: list[logging.LogRecord]
    keys: Iterator[int] = field(default_factory=count)
    counted: Counter[str] = field(default_factory=Counter)

    def request(self, seed: int) -> Request:
        """Draw a request."""
        random = Random(self.seed(seed))  # noqa: S311  # nothing is to be kept secret
        schema = self.fast.service.schema._schema
        queries = Queries(random, self.start, schema)
        if random.random() < 0.35:
            return Request(*queries.draw())
        parts = Batches(random, self.start).draw()
        is_repeated = random.random() < 0.2
        if random.random() < 0.1:
            return Request("", {"parts": [_of_batch_door(part) for part in parts]}, is_repeated)
        document, variables = random.choice(((BATCH, {}), (LEAN_BATCH, {}), (BARE_BATCH, {}), queries.draw_batch()))
        return Request(document, {"parts": parts, "dryRun": random.random() < 0.1, **variables}, is_repeated)

    def seed(self, number: int) -> str:
        """Name a request."""
        return f"{self.name} {self.backend.kind} {number}"

    def find(self, seed: int) -> Finding | None:
        """Try a request; give back what is wrong with its answer, as small as it becomes."""
        request = self.request(seed)
        what = self.judge(request)
        self.counted["requests"] += 1
        if what is None:
            return None
        return Finding(self.seed(seed), *self.shrink(request, what))

    def shrink(self, request: Request, what: str) -> tuple[Request, str]:
        """Leave out parts, and members of parts, as long as the answer is wrong in the same way."""
        smaller: tuple[Request, str] | None = (request, what)
        while smaller is not None:
            request, what = smaller
            smaller = self._smaller(request, _kind(what))
        return request, what

    def _smaller(self, request: Request, kind: str) -> tuple[Request, str] | None:
        for parts in _with_less(request.parts or []):
            smaller = request.with_parts(parts)
            what = self.judge(smaller)
            if what is not None and _kind(what) == kind:
                return smaller, what
        return None

    def judge(self, request: Request) -> str | None:
        """Say what is wrong with the answer to a request, if anything is."""
        try:
            fast, tables = self._answer(self.fast, request)
            self._check(request, fast, tables)
            slow_request = (
                request
                if request.document
                else Request(BATCH, {"parts": [_of_graphql(part) for part in request.parts or ()]})
            )
            slow, after = self._answer(self.slow, slow_request)
            self._compare(request, (fast, tables), (slow, after))
            if request.is_repeated:
                self._check_repeated(request)
        except AssertionError as error:
            return str(error)
        return None

    def _check_repeated(self, request: Request) -> None:
        """A key makes a batch run once: sent again, it changes nothing, and is answered as the first time."""
        key = f"{request.path} {next(self.keys)}"
        first, tables = self._answer(self.fast, request, key)
        again, after = self._answer(self.slow, request, key, resets=False)
        assert after == tables, f"replayed, and changed: {_differences(tables, after)}"
        batch = (first.get("data") or {}).get("batch") or {}
        if not batch.get("committed"):  # it has run twice; PostgreSQL's sequences have gone on
            assert _summary(first) == _summary(again), f"run otherwise: {_summary(first)} {_summary(again)}"
        else:
            if "replayed" not in request.document:
                first, again = _plain(first), _plain(again)
                assert first == again, f"replayed otherwise: {_difference(first, again)}"
            other = request.with_parts([*(request.parts or ()), {"id": "more", "path": "/x", "operation": "GET"}])
            answer, after = self._answer(self.fast, other, key, resets=False)
            assert [each["extensions"]["code"] for each in answer["errors"]] == ["IDEMPOTENCY_KEY_REUSED"], (
                f"reused: {answer}"
            )
            assert after == tables, f"reused, and changed: {_differences(tables, after)}"
            self.counted["replayed"] += 1

    def _answer(
        self, client: Direct, request: Request, key: str | None = None, *, resets: bool = True
    ) -> tuple[Json, Dump]:
        if resets:
            self.rows.reset()
        self.log.clear()
        try:
            status, body = client.exchange(request.body, request.path, key)
        except Exception as error:  # noqa: BLE001  # whatever it is, it should not have come this far
            raise AssertionError(f"raised: {error!r}\n{traceback.format_exc()}") from None
        for record in self.log:
            said = "".join(traceback.format_exception(record.exc_info[1])) if record.exc_info else ""
            raise AssertionError(f"logged: {_last_line(said) or record.getMessage()}\n{said}")
        assert status < 500, f"status {status}: {body[:500]!r}"
        answer = json.loads(body)
        for each in answer.get("errors", ()):
            code = each["extensions"]["code"]
            self.counted[code] += client is self.fast
            assert code not in SERIOUS, f"{code}: {each['message']}"
            assert not any(word in each["message"] for word in INNARDS), f"innards: {each['message']}"
        return answer, self.rows.dump() if request.parts is not None else {}

    def _check(self, request: Request, answer: Json, tables: Dump) -> None:
        if request.parts is None:
            assert "data" in answer or answer.get("errors"), "no answer: neither data nor errors"
            self.counted["plain queries"] += "errors" not in answer
            return
        result = answer if "parts" in answer else (answer.get("data") or {}).get("batch")
        ids = [part.get("id") for part in request.parts]
        are_texts = all(isinstance(id_, str) for id_ in ids)  # GraphQL makes texts of numbers
        if result is None:
            assert answer["errors"], "no answer: neither data nor errors"
            self.counted["refused"] += 1
            assert tables == self.rows.first, f"refused, and changed: {_differences(self.rows.first, tables)}"
            return
        answered = [part["id"] for part in result["parts"]]
        faulty = [part["id"] for part in result["parts"] if part.get("errors")]
        status = result.get("status") or ("REJECTED" if faulty else "COMMITTED")
        self.counted[status] += 1
        for part in result["parts"]:
            for error in part.get("errors", ()):
                self.counted[error["code"]] += 1
                assert not any(word in error["message"] for word in INNARDS), f"innards: {error['message']}"
                assert (error.get("pointer") or "/").startswith("/"), f"pointer: {error}"
        if status == "REJECTED":
            remaining = iter(ids)
            assert faulty, "rejected: no part is named"
            assert faulty == answered, f"rejected: parts without errors are named: {answered}"
            assert not are_texts or all(id_ in remaining for id_ in answered), (
                f"rejected: not in order, or never sent: {answered}"
            )
        else:
            assert not faulty, f"done: parts have errors: {faulty}"
            assert answered == ids or not are_texts, f"done: not every part is answered: {answered}"
        if status != "COMMITTED":
            assert tables == self.rows.first, f"{status}, and changed: {_differences(self.rows.first, tables)}"

    def _compare(self, request: Request, fast: tuple[Json, Dump], slow: tuple[Json, Dump]) -> None:
        mine, its = ({"answer": answer, "tables": tables} for answer, tables in (fast, slow))
        if request.parts is None:
            assert mine == its, f"doors differ: {_difference(mine, its)}"
            return
        if not request.document or not self.tables.comparable:
            summed = _summary(fast[0]), _summary(slow[0])
            if request.document or summed[0] is not None:  # GraphQL takes one value for a list, /batch does not
                assert summed[0] == summed[1], f"ways differ: {summed[0]} {summed[1]}"
            return
        if made_keys(mine) == made_keys(its):
            mine, its = _plain(mine), _plain(its)
        else:  # PostgreSQL's sequences have gaps, and etags and cursors are made of keys, whatever their aliases
            mine, its = (alike({"answer": _summary(answer), "tables": tables}) for answer, tables in (fast, slow))
        assert mine == its, f"ways differ: {_difference(mine, its)}"


@contextmanager
def fuzzed(backend: Backend, name: str) -> Iterator[Fuzzed]:
    """Make tables in an empty database, and serve them."""
    tables = tables_of(name, backend.kind)
    backend.run(tables.script)
    settings = Settings(database_url=backend.url, **tables.settings)
    service = open_service(settings)
    one_by_one = replace(service, engine=replace(service.engine, groups=False))
    slow = Api(one_by_one, settings)
    slow.http = TestClient(make_app(one_by_one, settings, compiled=False), base_url="http://127.0.0.1")
    fast_client, slow_client = Direct(Api(service, settings)), Direct(slow)
    if tables.first:
        assert fast_client.batch(*tables.first)["committed"], "the rows at the start"
    fast_client.exchange(
        b'{"parts": [{"id": "a", "path": "/", "operation": "get"}]}', "/batch", "makes the table of keys"
    )
    engine = backend.engine()
    raw = engine.raw_connection()
    connection: Any = raw.driver_connection
    if backend.kind == "sqlite":
        connection.execute("PRAGMA synchronous = OFF")
        rows: Rows = SqliteRows(connection)
    else:
        connection.autocommit = True
        connection.execute(f"ALTER DATABASE {sa.make_url(backend.url).database} SET synchronous_commit = off")
        rows = PostgresqlRows(connection)
    log = _Errors()
    logging.getLogger("partwise").addHandler(log)
    try:
        yield Fuzzed(backend, name, tables, fast_client, slow_client, rows, _read_start(fast_client), log.records)
    finally:
        logging.getLogger("partwise").removeHandler(log)
        slow_client.close()
        fast_client.close()
        raw.close()
        engine.dispose()


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def _read_start(api: Api) -> Start:
    catalog = api.service.engine.catalog
    items: dict[str, list[Known]] = {}
    cursors: dict[str, list[str]] = {}
    for resource in catalog.resources.values():
        if not resource.key:
            items[resource.name] = []
            continue
        asked = f"{{ {resource.collection} {{ edges {{ cursor node {{ path etag }} }} }} }}"
        edges = ((api.post(asked).get("data") or {}).get(resource.collection) or {"edges": []})["edges"]
        if edges:
            cursors[resource.name] = [edge["cursor"] for edge in edges]
        nodes = [edge["node"] for edge in edges if edge["node"] is not None]
        parts = [{"id": str(n), "operation": "GET", "path": node["path"]} for n, node in enumerate(nodes)]
        data = api.post(BATCH, {"parts": parts})["data"] if parts else {"batch": {"parts": []}}
        items[resource.name] = [
            Known(node["path"], node["etag"], found["payload"] or {})
            for node, found in zip(nodes, data["batch"]["parts"], strict=False)
        ]
        items[resource.name] += _found_by_unique_keys(api, resource, {each.path for each in items[resource.name]})
    return Start(catalog, items, cursors)


def _found_by_unique_keys(api: Api, resource: Resource, known: set[str]) -> list[Known]:
    """Find items that have no path of their own, because their key cannot be read, by small numbers."""
    names = [name for (name, *others) in resource.keys[1:] if not others]
    paths = [f"/{resource.collection}/{name}={number}" for name in names for number in range(1, 5)]
    answers = [api.post(BATCH, {"parts": [{"id": "a", "operation": "GET", "path": path}]}) for path in paths]
    found = [each["data"]["batch"]["parts"][0] for each in answers if each["data"]["batch"] is not None]
    return [
        Known(each["path"], each["etag"], each["payload"] or {})
        for each in found
        if not each["errors"] and each["path"] not in known
    ]


def _of_batch_door(part: Part) -> Part:
    """Write a part as /batch takes it."""
    given = {name: value for name, value in part.items() if name != "item"}
    item = part.get("item")
    if isinstance(item, dict) and item:
        given["payload"] = next(iter(item.values()))
    operation = part["operation"]
    return given | {"operation": operation.lower() if isinstance(operation, str) else operation}


def _of_graphql(part: Part) -> Part:
    operation = part["operation"]
    return part | {"operation": operation.upper() if isinstance(operation, str) else operation}


def _summary(answer: Json) -> Json:
    result = answer if "parts" in answer else (answer.get("data") or {}).get("batch")
    if result is None:
        return None
    return [
        (part["id"], part.get("status"), [(e["code"], e.get("pointer")) for e in part.get("errors", ())])
        for part in result["parts"]
    ]


def _plain(value: Json) -> Json:
    """Leave out what two ways may say differently."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if name not in ("message", "locations")}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _with_less(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """List what remains when something is left out: much first."""
    size = len(parts) // 2
    while size:
        for place in range(0, len(parts), size):
            yield [*parts[:place], *parts[place + size :]]
        size //= 2
    for place, part in enumerate(parts):
        for smaller in _with_less_inside(part):
            yield [*parts[:place], smaller, *parts[place + 1 :]]


def _with_less_inside(part: Part) -> Iterator[Part]:
    for name in sorted(part.keys() & {"payload", "item", "ifMatch", "ifNoneMatch", "references"}):
        yield {other: value for other, value in part.items() if other != name}
    payload = part.get("payload")
    if isinstance(payload, dict):
        for name in payload:
            yield part | {"payload": {other: value for other, value in payload.items() if other != name}}


def _kind(what: str) -> str:
    return what.partition(":")[0] if what.startswith(("ways", "doors")) else what.partition("\n")[0]


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _differences(before: Dump, after: Dump) -> str:
    return str({name: after[name] for name in after if after[name] != before[name]})


def _difference(mine: Json, its: Json, place: str = "") -> str:
    """Say where two answers differ first."""
    if isinstance(mine, dict) and isinstance(its, dict) and mine.keys() == its.keys():
        return next(
            (_difference(mine[name], its[name], f"{place}.{name}") for name in mine if mine[name] != its[name]), place
        )
    if isinstance(mine, list) and isinstance(its, list) and len(mine) == len(its):
        pairs = enumerate(zip(mine, its, strict=True))
        return next((_difference(one, other, f"{place}[{n}]") for n, (one, other) in pairs if one != other), place)
    return f"at {place}: {str(mine)[:1500]} … {str(its)[:1500]}"


def run(world: Fuzzed, seeds: range, most: int = 5) -> list[Finding]:
    """Try requests, until so many are found that are wrong in different ways."""
    found: dict[str, Finding] = {}
    for seed in seeds:
        finding = world.find(seed)
        if finding is not None:
            found.setdefault(_kind(finding.what), finding)
        if len(found) >= most:
            break
    return [*found.values()]
