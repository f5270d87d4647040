"""Documents are parsed and validated once, and kept within bounds (resolvers/compiled/cache.py)."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import strawberry.schema.schema
from graphql import parse

from resolvers.compiled.cache import Documents
from resolvers.compiled.compiler import Compiler
from resolvers.schema_builder import documents_of
from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, part


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    sqlite.run("CREATE TABLE item (id {key}, name VARCHAR(10))")
    return start(sqlite)


def empty(api: Api, **bounds: int) -> Documents:
    schema: Any = api.service.schema
    return Documents(Compiler(schema._schema, api.service.engine.catalog), **bounds)


def keep(documents: Documents, *texts: str) -> None:
    for text in texts:
        documents.keep(text, parse(text))


def kept(documents: Documents, texts: list[str]) -> list[str]:
    return [text for text in texts if text in documents._kept]


def test_the_documents_that_were_used_last_are_kept(api: Api):
    documents = empty(api, most=3)
    texts = [f"{{ a{number}: resources {{ name }} }}" for number in range(5)]

    keep(documents, *texts[:3])
    assert documents.find(texts[0]) is not None
    assert documents.compiled(texts[1], None) is None  # introspection, but looked for
    keep(documents, *texts[3:])

    assert kept(documents, texts) == [texts[1], *texts[3:]]
    assert len(documents) == 3


def test_all_documents_together_have_a_longest_length(api: Api):
    documents = empty(api, total=100)
    texts = [f"{{ a{number}: resources {{ name }} }}" for number in range(9)]  # 28 characters each

    keep(documents, *texts, texts[8], texts[7])

    assert kept(documents, texts) == texts[6:]
    assert documents._length == sum(map(len, texts[6:]))


def test_a_long_document_is_not_kept(api: Api):
    documents = empty(api, longest=30, total=40)
    texts = ["{ resources { name } }", "{ resources { name path collection } }"]

    keep(documents, *texts)

    assert kept(documents, texts) == texts[:1]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Strawberry parses and validates."""
    found: list[str] = []
    for name in ("parse", "validate"):
        function = getattr(strawberry.schema.schema, name)

        def counted(*arguments: Any, name: str = name, function: Any = function, **others: Any) -> Any:
            found.append(name)
            return function(*arguments, **others)

        monkeypatch.setattr(strawberry.schema.schema, name, counted)
    return found


@pytest.mark.parametrize("query", ["{ items { totalCount } }", BATCH, BATCH.replace("item {", "items { etag } item {")])
def test_a_document_is_parsed_and_validated_once(api: Api, calls: list[str], query: str):
    variables = {"parts": [part("p", "GET", "/items")]} if "batch" in query else {}

    answers = [api.post(query, variables) for _ in range(3)]

    assert calls == ["parse", "validate"]
    assert answers[0] == answers[1] == answers[2]
    assert "errors" not in answers[0]


def test_a_document_that_is_not_valid_is_not_kept_and_has_the_same_errors_again(api: Api, calls: list[str]):
    documents = documents_of(api.service.schema)
    queries = ["{ nothing }", "{", "{ node(path: 1" + "0" * 5_000 + ") { path } }"]

    first, second = ([api.post(query) for query in queries] for _ in range(2))

    assert first == second
    assert all(answer["errors"] for answer in first)
    assert calls.count("parse") == 6
    assert len(documents) == 0


def test_which_operation_is_to_run_is_asked_each_time(api: Api):
    query = "query A { items { totalCount } } query B { resources { name } }"

    def ask(name: str | None) -> tuple[int, list[str]]:
        answer = api.http.post("/graphql", json={"query": query, "operationName": name})
        return answer.status_code, sorted(answer.json())

    assert [ask(name) for name in ("A", None, "B", None, "C")] == [
        (200, ["data"]),
        (400, ["errors"]),
        (200, ["data"]),
        (400, ["errors"]),
        (400, ["errors"]),
    ]


def test_documents_are_kept_and_found_by_several_threads():
    documents = Documents(None, most=2)  # type: ignore[arg-type]  # nothing is compiled
    texts = [f"{{ a{number} }}" for number in range(3)]
    nodes = [parse(text) for text in texts]

    def work(number: int) -> None:
        for turn in range(12_000):
            place = (number + turn) % 3
            documents.keep(texts[place], nodes[place])
            found = documents.find(texts[place])
            assert found is None or found is nodes[place]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
    finally:
        sys.setswitchinterval(interval)
    assert len(documents) <= 2
