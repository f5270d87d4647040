"""Introspection: each answer is computed once, in a thread, and kept; new ones are limited (partwise/server/introspection.py)."""

import asyncio
import gzip
import http.client
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from graphql import get_introspection_query

import partwise.server.graphql_endpoint
import resolvers.schema_builder
from partwise.server.introspection import Introspections, Written
from storage.errors import TimedOut
from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, part
from tests.support.music import SCRIPT
from tests.support.running import Running

FULL = get_introspection_query()
NAME = "{ __schema { queryType { name } } }"
FIELDS = 'query ($all: Boolean!) { __type(name: "Artist") { name fields(includeDeprecated: $all) { name } } }'
MIXED = "{ __schema { queryType { name } } artists(first: 1) { totalCount } }"
EXECUTE = partwise.server.graphql_endpoint._execute_in_thread
GRAPHQL_JSON = {"Accept": "application/graphql-response+json"}


@pytest.fixture
def music_file(sqlite: Backend) -> Backend:
    """The music shop."""
    sqlite.run(SCRIPT)
    return sqlite


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The documents that were executed in a thread."""
    found: list[str] = []

    def execute(schema: Any, asked: Any, context: Any) -> Any:
        found.append(asked.query)
        assert threading.current_thread() is not threading.main_thread()
        return EXECUTE(schema, asked, context)

    monkeypatch.setattr(partwise.server.graphql_endpoint, "_execute_in_thread", execute)
    return found


def ask(api: Api, document: str, accepts: str = "identity", **variables: Any) -> Any:
    body = {"query": document, "variables": variables}
    return api.http.post("/graphql", json=body, headers={"Accept-Encoding": accepts, **GRAPHQL_JSON})


def code_of(answer: Json) -> str:
    (error,) = answer["errors"]
    code: str = error["extensions"]["code"]
    return code


def test_each_answer_is_computed_once_and_new_ones_are_limited(music_file: Backend, start: Serve, executed: list[str]):
    api = start(music_file, introspections_per_minute=2)

    first = [ask(api, each).json() for each in (FULL, NAME)]
    again = [ask(api, each).json() for each in (FULL, NAME, FULL, NAME)]
    refused = ask(api, NAME.replace("queryType", "mutationType"))

    assert again == first * 2
    assert first[1] == {"data": {"__schema": {"queryType": {"name": "Query"}}}}
    assert {each["name"] for each in first[0]["data"]["__schema"]["types"]} >= {"Artist", "Query", "__Schema"}
    assert executed == [FULL, NAME]
    assert (refused.status_code, code_of(refused.json())) == (400, "QUERY_TOO_COMPLEX")
    assert "at most 2 new introspection results per minute (introspections_per_minute)" in refused.text
    assert api.post("{ artists { totalCount } }")["data"]["artists"]["totalCount"] > 0


def test_answers_differ_by_the_variables_that_the_operation_defines_and_by_its_name(
    music_file: Backend, start: Serve, executed: list[str]
):
    api = start(music_file)
    two = 'query A { __type(name: "Artist") { name } } query B { __type(name: "Album") { name } }'

    answers = [ask(api, FIELDS, all=True), ask(api, FIELDS, all=False), ask(api, FIELDS, all=True, other=[1])]
    named = [
        api.http.post("/graphql", json={"query": two, "operationName": each}).json()["data"]["__type"]["name"]
        for each in "ABA"
    ]

    assert all("name" in each.text and "errors" not in each.json() for each in answers)
    assert executed == [FIELDS, FIELDS, two, two]
    assert named == ["Artist", "Album", "Artist"]


def test_what_has_errors_is_not_kept(music_file: Backend, start: Serve, executed: list[str]):
    api = start(music_file)

    for _ in range(2):
        answer = ask(api, FIELDS, all="yes")
        assert (answer.status_code, code_of(answer.json())) == (400, "BAD_REQUEST")

    assert executed == [FIELDS, FIELDS]


def test_it_is_sent_as_it_is_kept_to_clients_that_accept_gzip(music_file: Backend, start: Serve):
    api = start(music_file)
    running = Running(music_file, api)
    try:

        def raw(accepts: str) -> tuple[str | None, str | None, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", running.port)
            headers = {"Content-Type": "application/json", "Accept-Encoding": accepts}
            connection.request("POST", "/graphql", '{"query": "{ __schema { types { name } } }"}', headers)
            answer = connection.getresponse()
            return answer.getheader("Content-Encoding"), answer.getheader("Vary"), answer.read()

        plain, packed, again = raw("identity"), raw("gzip"), raw("br, gzip;q=0.5")
    finally:
        running.stop()

    assert (plain[0], packed[0], again[0]) == (None, "gzip", "gzip")
    assert gzip.decompress(packed[2]) == plain[2]
    assert packed[2] == again[2]
    assert {"Accept-Encoding", "Accept"} <= set((packed[1] or "").replace(" ", "").split(","))


def test_without_compression_nobody_gets_it_compressed(music_file: Backend, start: Serve):
    answer = ask(start(music_file, compression=0), NAME, accepts="gzip")

    assert "Content-Encoding" not in answer.headers
    assert answer.json()["data"]["__schema"]["queryType"]["name"] == "Query"


def test_by_get_it_is_the_same(music_file: Backend, start: Serve, executed: list[str]):
    api = start(music_file)

    answers = [api.http.get("/graphql", params={"query": NAME}).json() for _ in range(2)]

    assert answers == [{"data": {"__schema": {"queryType": {"name": "Query"}}}}] * 2
    assert executed == [NAME]
    refused = api.http.get("/graphql", params={"query": "mutation { batch(parts: []) { query { __typename } } }"})
    assert refused.status_code == 405


def test_what_also_asks_for_data_is_executed_each_time_and_counts(
    music_file: Backend, start: Serve, executed: list[str]
):
    api = start(music_file, introspections_per_minute=2)

    counts = []
    for number in range(2):
        counts.append(ask(api, MIXED).json()["data"])
        api.batch(part("p", "CREATE", "/artists", {"name": f"New {number}"}))
    refused = ask(api, MIXED)

    assert [each["__schema"] for each in counts] == [{"queryType": {"name": "Query"}}] * 2
    assert counts[1]["artists"]["totalCount"] == counts[0]["artists"]["totalCount"] + 1
    assert executed == [MIXED, MIXED]
    assert (refused.status_code, code_of(refused.json())) == (400, "QUERY_TOO_COMPLEX")


def test_a_batch_whose_query_introspects_is_refused_before_it_writes(backend: Backend, start: Serve):
    backend.run(SCRIPT)
    api, before = start(backend), backend.dump()
    document = """mutation ($parts: [PartInput!]!) {
      batch(parts: $parts) { status query { __type(name: "Artist") { name } artists { totalCount } } } }"""

    refused = api.post(document, {"parts": [part("p", "CREATE", "/artists", {"name": "New"})]})

    assert code_of(refused) == "QUERY_TOO_COMPLEX"
    assert backend.dump() == before
    named = api.post(
        document.replace('__type(name: "Artist") { name }', "__typename"),
        {"parts": [part("p", "CREATE", "/artists", {"name": "New"})]},
    )
    assert named["data"]["batch"]["query"]["__typename"] == "Query"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Introspection says when it begins, and goes on when it may."""
    begun, may_go_on = threading.Event(), threading.Event()

    def execute(schema: Any, asked: Any, context: Any) -> Any:
        begun.set()
        assert may_go_on.wait(30)
        return EXECUTE(schema, asked, context)

    monkeypatch.setattr(partwise.server.graphql_endpoint, "_execute_in_thread", execute)
    return begun, may_go_on


@pytest.mark.parametrize("document", [NAME, MIXED])
def test_others_are_answered_meanwhile(
    music_file: Backend, start: Serve, held: tuple[threading.Event, threading.Event], document: str
):
    begun, may_go_on = held
    api = start(music_file, introspections_per_minute=1)
    with api.http, ThreadPoolExecutor() as clients:  # one event loop for all
        first = clients.submit(ask, api, document)
        assert begun.wait(30)
        others = [api.post("{ artists { totalCount } }") for _ in range(3)]
        same = [clients.submit(ask, api, document) for _ in range(4)] if document == NAME else []
        may_go_on.set()
        answers = [each.result().json() for each in (first, *same)]

    assert all("data" in each for each in others)
    assert answers == [answers[0]] * len(answers)
    assert answers[0]["data"]["__schema"] == {"queryType": {"name": "Query"}}


def test_whoever_waits_too_long_is_told_and_the_answer_is_kept(
    music_file: Backend, start: Serve, held: tuple[threading.Event, threading.Event]
):
    _, may_go_on = held
    api = start(music_file, introspections_per_minute=1, timeout=0.2)
    with api.http:
        late = ask(api, NAME).json()
        may_go_on.set()
        answer = ask(api, NAME).json()
        for _ in range(50):
            if "data" in answer:
                break
            answer = ask(api, NAME).json()

    assert code_of(late) == "TIMEOUT"
    assert answer == {"data": {"__schema": {"queryType": {"name": "Query"}}}}


class Slow:
    """An introspection that says when it begins, and ends when it may."""

    def __init__(self) -> None:
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self) -> Written:
        self.begun.set()
        assert self.may_go_on.wait(30)
        return Written(body=b"{}", has_run=True, has_errors=False)


@pytest.mark.parametrize("is_pure", [True, False])
def test_what_nobody_waits_for_any_more_is_not_computed(*, is_pure: bool):
    slow, executed = Slow(), []

    def other() -> Written:
        executed.append("other")
        return slow()

    async def work() -> None:
        introspections = Introspections(per_minute=10, timeout=0.2)
        first = asyncio.create_task(introspections.answer(("first", None, ""), slow))
        assert await asyncio.to_thread(slow.begun.wait, 30)
        with pytest.raises(TimedOut):
            await (introspections.answer(("other", None, ""), other) if is_pure else introspections.run(other))
        slow.may_go_on.set()
        with pytest.raises(TimedOut):
            await first
        assert await introspections.answer(("last", None, ""), slow)
        introspections.close()

    asyncio.run(work())
    assert executed == []


def test_the_end_does_not_wait_for_introspections():
    slow = Slow()
    introspections = Introspections(per_minute=10, timeout=30)
    waits = threading.Thread(target=lambda: asyncio.run(introspections.run(slow)), daemon=True)
    waits.start()
    assert slow.begun.wait(30)
    closing = threading.Thread(target=introspections.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive(), "it has ended while the thread computes"
    slow.may_go_on.set()
    waits.join(30)


@pytest.mark.parametrize("document", [FULL, "{ artists { totalCount } " + FULL[FULL.index("{") + 1 :]])
def test_an_answer_of_too_many_fields_is_refused(
    music_file: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch, document: str
):
    monkeypatch.setattr(resolvers.schema_builder, "MOST_FIELDS", 1_000)

    answer = ask(start(music_file), document).json()

    assert answer["data"] is None
    assert {each["extensions"]["code"] for each in answer["errors"]} == {"QUERY_TOO_COMPLEX"}


def test_typename_is_no_introspection(music_file: Backend, start: Serve, executed: list[str]):
    api = start(music_file)

    api.query("{ __typename artists(first: 1) { __typename nodes { __typename } } }")

    assert executed == []


def written(size: int) -> Callable[[], Written]:
    body = bytes(range(256)) * (size // 256)
    return lambda: Written(body=body, has_run=True, has_errors=False)


def test_answers_that_were_not_used_for_the_longest_time_make_room():
    asyncio.run(fill())


async def fill() -> None:
    kept = Introspections(per_minute=100, timeout=30, most=4_000)

    for name in "abac":
        await kept.answer((name, None, ""), written(256))
    before = [name for name in "abc" if kept.find((name, None, "")) is not None]
    for number in range(20):
        await kept.answer((f"d{number}", None, ""), written(256))
    await kept.answer(("x" * 5_000, None, ""), written(256))

    assert before == ["a", "b", "c"]
    assert kept.find(("a", None, "")) is None
    assert kept.find(("d19", None, "")) is not None
    assert kept.find(("x" * 5_000, None, "")) is None
    kept.close()
