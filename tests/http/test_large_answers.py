"""How large an answer may be, counted while rows are read (max_answer), and where large ones are written."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import partwise.server.batch_endpoint
import partwise.server.graphql_endpoint
import resolvers.compiled.compiler
import resolvers.results.pieces
import storage.connections.transaction
from resolvers.results.pieces import encode_in_pieces
from storage.allowance import size_of_rows
from storage.json_text import encode_json_bytes
from tests.conftest import Serve
from tests.scale.answers import make, measure, memory, parts, send
from tests.support.examples import tried_with
from tests.support.harness import Backend, Json, part
from tests.support.program import free_port, serving

NOTES = 200
SCRIPT = (
    "CREATE TABLE author (id INTEGER PRIMARY KEY, biography TEXT NOT NULL)"
    ";\nCREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, price NUMERIC(10, 2) NOT NULL,"
    " author_id INTEGER NOT NULL REFERENCES author (id))"
    ";\nINSERT INTO author VALUES (1, 'B')"
    ";\nINSERT INTO note SELECT n, '', 1.5, 1 FROM (WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 200) SELECT n FROM counted) AS numbers"
)
LONG = "x" * 2_000
WHOLE = "id text price"
MUTATION = "mutation ($parts: [PartInput!]!) {{ batch(parts: $parts) {{ status parts {{ {0} }} }} }}"


@pytest.fixture
def notes(backend: Backend) -> Backend:
    """200 notes of 2,000 characters, and their author with a biography as long."""
    backend.run(SCRIPT)
    backend.run(f"UPDATE note SET text = '{LONG}'")
    backend.run(f"UPDATE author SET biography = '{LONG}'")
    return backend


def query(selection: str) -> tuple[str, dict[str, Any]]:
    return selection, {}


def batch(shown: str, *sent: Json) -> tuple[str, dict[str, Any]]:
    return MUTATION.format(shown), {"parts": sent}


PAGE = part("p", "GET", "/notes?limit=200")
EVERY = [part(f"p{n}", "GET", f"/notes/{n}") for n in range(1, NOTES + 1)]
UPDATES = [part(f"p{n}", "UPDATE", f"/notes/{n}", {"price": "2.5"}) for n in range(1, NOTES + 1)]
NEW = part("new", "CREATE", "/authors", {"id": 2, "biography": "New"})

# Each is some 200 times 2,000 characters.
LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "a page": query(f"{{ notes(first: 200) {{ nodes {{ {WHOLE} }} }} }}"),
    "a page of texts": query("{ notes(first: 200) { nodes { text } } }"),
    "pages of few": query(f"{{ {' '.join(f'a{n}: notes(first: 10) {{ nodes {{ {WHOLE} }} }}' for n in range(20))} }}"),
    "a page that is executed by graphql-core": (
        f"query ($no: Boolean = false) {{ t: __typename @skip(if: $no) notes(first: 200) {{ nodes {{ {WHOLE} }} }} }}",
        {},
    ),
    "one that all point at": query("{ notes(first: 200) { nodes { author { biography } } } }"),
    "aliases": query(f"{{ author(id: 1) {{ {' '.join(f'a{n}: biography' for n in range(150))} }} }}"),
    "children": query(f"{{ authors {{ nodes {{ notes(first: 200) {{ nodes {{ {WHOLE} }} }} }} }} }}"),
    "groups": query("{ notes { groupBy(by: [text, id], first: 200) { keys { text } } } }"),
    "a payload": batch("payload", PAGE, NEW),
    "a page that is not shown": batch("id", PAGE, NEW),
    "items": batch(f"items {{ ... on Note {{ {WHOLE} }} }}", PAGE, NEW),
    "payloads of items": batch("payload", *EVERY, NEW),
    "a payload many times": batch(" ".join(f"a{n}: payload" for n in range(150)), part("p", "GET", "/notes/1"), NEW),
    "relations": batch("item { ... on Note { author { biography } } }", *EVERY, NEW),
    "what is written": batch("payload", *UPDATES),
    "what is written, many times": batch(" ".join(f"a{n}: payload" for n in range(10)), *UPDATES[:20]),
    "what is written one by one": batch("payload", *UPDATES, NEW, part("p", "GET", "/authors")),
    "a query of a batch": (
        "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status query { notes(first: 200) { nodes { text } } } } }",
        {"parts": [NEW]},
    ),
}


@pytest.mark.parametrize("case", LARGE)
def test_an_answer_that_is_too_large_is_refused_and_nothing_is_written(notes: Backend, start: Serve, case: str):
    document, variables = LARGE[case]
    api = start(notes, max_answer=200_000)
    before = notes.dump()

    for _ in range(2):  # by graphql-core, and compiled where it can be
        answer = api.post(document, variables)
        assert {each["extensions"]["code"] for each in answer["errors"]} == {"QUERY_TOO_COMPLEX"}, answer
        assert "and the limit is 200,000 (max_answer)" in answer["errors"][0]["message"]
        assert "x" * 10 not in json.dumps(answer)
    assert notes.dump() == before


@pytest.mark.parametrize("case", LARGE)
def test_the_same_answers_within_the_limit(notes: Backend, start: Serve, case: str):
    document, variables = LARGE[case]

    assert "errors" not in start(notes, max_answer=2_000_000).post(document, variables)


def test_at_the_other_endpoint_it_is_the_same(notes: Backend, start: Serve):
    api = start(notes, max_answer=200_000)
    before = notes.dump()
    sent = [{**each, "operation": each["operation"].lower()} for each in (PAGE, NEW)]

    answer = api.http.post("/batch", json={"parts": sent})

    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "QUERY_TOO_COMPLEX")
    assert notes.dump() == before


def test_what_is_answered_again_counts_as_it_did(notes: Backend, start: Serve):
    api = start(notes, max_answer=200_000)
    keyed = MUTATION.replace("$parts)", '$parts, idempotencyKey: "k")').replace("status parts", "status replayed parts")

    first = api.post(keyed.format("payload"), {"parts": UPDATES[:20]})
    before = notes.dump()
    many = api.post(keyed.format(" ".join(f"a{n}: payload" for n in range(10))), {"parts": UPDATES[:20]})
    again = api.post(keyed.format("payload"), {"parts": UPDATES[:20]})

    assert [each["data"]["batch"]["replayed"] for each in (first, again)] == [False, True]
    assert {each["extensions"]["code"] for each in many["errors"]} == {"QUERY_TOO_COMPLEX"}
    assert notes.dump() == before


def test_what_is_read_a_second_time_because_of_its_bytes_counts_once(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    sqlite.run(f"UPDATE note SET text = '{LONG}' WHERE id <= 70")  # 140 kB, and as much again for 200 items
    sqlite.run("UPDATE note SET text = CAST(x'ff' AS TEXT) WHERE id = 71")
    api = start(sqlite, max_answer=300_000)

    answer = api.post(f"{{ notes(first: 200) {{ nodes {{ {WHOLE} }} }} }}")

    assert [each["path"] for each in answer["errors"]] == [["notes", "nodes", 70, "text"]]


def test_small_answers_of_a_table_with_long_texts_are_answered(notes: Backend, start: Serve):
    api = start(notes, max_answer=200_000)

    assert len(api.query("{ notes(first: 200) { nodes { id price } } }")["notes"]["nodes"]) == NOTES
    done = api.post(MUTATION.format("id status"), {"parts": UPDATES})
    assert done["data"]["batch"]["status"] == "COMMITTED"


def test_reading_ends_before_all_of_it_is_in_memory(backend: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch):
    backend.run(SCRIPT)
    backend.run("UPDATE note SET text = '" + "y" * 300_000 + "'")  # 60 MB
    api = start(backend, max_answer=1 << 20)
    measured: list[int] = []

    def noted(rows: Any) -> int:
        measured.append(size_of_rows(rows))
        return measured[-1]

    monkeypatch.setattr(storage.connections.transaction, "size_of_rows", noted)
    for document, variables in (LARGE["a page"], LARGE["a payload"], LARGE["payloads of items"]):
        measured.clear()
        (error,) = api.post(document, variables)["errors"]
        assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
        assert sum(measured) < 32 * 301_000 + (2 << 20)  # PostgreSQL: 32 rows at a time; SQLite: one of so long ones


def test_a_long_value_of_sqlite_is_read_whole(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    sqlite.run("UPDATE note SET text = '" + "y" * 700_000 + "' WHERE id = 150")
    api = start(sqlite)

    nodes = api.query("{ notes(first: 200) { nodes { id text price } } }")["notes"]["nodes"]
    texts = api.query("{ notes(first: 200) { nodes { text } } }")["notes"]["nodes"]
    (found,) = api.batch(part("p", "GET", "/notes?limit=200"))["parts"]

    assert [len(each["text"]) for each in nodes] == [700_000 if n == 150 else 0 for n in range(1, NOTES + 1)]
    assert [len(each["text"]) for each in texts] == [len(each["text"]) for each in nodes]
    assert [len(each["text"]) for each in found["payload"]["items"]] == [len(each["text"]) for each in nodes]


# --- where they are written


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The threads that wrote answers in pieces."""
    threads: list[str] = []

    def noted(answer: Any) -> list[bytes]:
        threads.append(threading.current_thread().name)
        return encode_in_pieces(answer)

    monkeypatch.setattr(resolvers.compiled.compiler, "VERY_LARGE", 0)
    for module in (resolvers.compiled.compiler, partwise.server.graphql_endpoint, partwise.server.batch_endpoint):
        monkeypatch.setattr(module, "encode_in_pieces", noted)
    return threads


@pytest.mark.parametrize("case", [case for case in LARGE if case != "a page that is not shown"])
def test_large_answers_are_written_in_another_thread(sqlite: Backend, start: Serve, written: list[str], case: str):
    sqlite.run(SCRIPT)
    sqlite.run(f"UPDATE note SET text = '{LONG}'")
    sqlite.run(f"UPDATE author SET biography = '{LONG}'")
    api = start(sqlite)
    document, variables = LARGE[case]

    answers = [api.post(document, {**variables, **_dry(variables)}) for _ in range(2)]

    assert all("errors" not in each for each in answers)
    assert answers[0] == answers[1] or "CREATE" in json.dumps(variables)
    assert len(written) == 2
    assert {each.rpartition("_")[0] for each in written} == {"partwise-answers"}


def _dry(variables: dict[str, Any]) -> dict[str, Any]:
    kept = [each for each in variables.get("parts", ()) if each["operation"] != "CREATE"]
    return {"parts": kept or [part("p", "GET", "/authors/1")]} if variables else {}


def test_a_large_answer_of_the_other_endpoint_is_written_in_another_thread(
    notes: Backend, start: Serve, written: list[str]
):
    api = start(notes)
    sent = [{**each, "operation": "get"} for each in (PAGE, part("q", "GET", "/notes/1"), part("r", "GET", "/notes/0"))]

    answer = api.http.post("/batch", json={"parts": sent[:2]})
    refused = api.http.post("/batch", json={"parts": sent})

    assert answer.status_code == 200
    page, item = answer.json()["parts"]
    assert len(page["payload"]["items"]) == NOTES
    assert item["payload"] == page["payload"]["items"][0]
    assert [each["status"] for each in refused.json()["parts"]] == [404]
    assert written
    assert {each.rpartition("_")[0] for each in written} == {"partwise-answers"}


def test_small_answers_are_written_at_once(notes: Backend, start: Serve, written: list[str]):
    api = start(notes)

    for _ in range(2):
        api.query("{ notes(first: 20) { nodes { id text } } }")
        api.batch(part("p", "GET", "/notes/1"))

    assert written == []


class Row(msgspec.Struct):
    """As compiled answers have them."""

    a: Any
    b: Any = None


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=3)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(Row, inner, inner)
    ),
    max_leaves=30,
)


@tried_with(200)
@given(value=values, first=st.integers(1, 12))
def test_pieces_together_are_the_answer(value: Any, first: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolvers.results.pieces, "_FIRST", first)
        assert b"".join(encode_in_pieces(value)) == encode_json_bytes(value)


def _nested(*numbers: int) -> dict[str, Any]:
    """Make a page of so many items, each with a page of so many, and so on."""
    number, *below = numbers
    return {"nodes": [Row(place, _nested(*below) if below else None) for place in range(number)]}


@pytest.mark.parametrize("numbers", [(400, 20, 8), (20_000, 2), (2, 40_000), (3, 2, 2, 6_000)])
def test_many_short_lists_are_written_in_few_calls(monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...]):
    calls: list[int] = []

    def counted(each: Any) -> bytes:
        calls.append(1)
        return encode_json_bytes(each)

    monkeypatch.setattr(resolvers.results.pieces, "encode_json_bytes", counted)
    answer = {"data": {"artists": _nested(*numbers)}}

    pieces = encode_in_pieces(answer)

    assert b"".join(pieces) == encode_json_bytes(answer)
    assert max(map(len, pieces)) < 1_200_000
    assert len(calls) < 150


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"data": [Row(n, "x" * (n % 50)) for n in range(30_000)]},
        [Row([n], {"n": None}) for n in range(30_000)],
        {"a": [], "b": [[]], "c": [{}], 'd"': msgspec.Raw(b"[1, 2]")},
        ["x" * 300_000, "y", "\ud800"],
    ],
)
def test_long_lists_are_written_in_pieces(value: Any):
    pieces = encode_in_pieces(value)

    assert b"".join(pieces) == encode_json_bytes(value)
    assert len(pieces) >= math.floor(sum(map(len, pieces)) / 1_200_000)


# --- memory


def test_the_largest_answers_take_a_bounded_amount_of_memory(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/answers.sqlite"
    make(url)
    with serving([url], tmp_path, port=free_port()) as program:
        send(program, "/graphql", {"query": "{ employees(first: 1) { nodes { id } } }"})
        idle = memory(program, "VmRSS")
        document = MUTATION.format("payload")
        found = [
            send(
                program, "/graphql", {"query": document, "variables": {"parts": parts("/employees?limit=1000", "GET")}}
            ),
            send(program, "/batch", {"parts": parts("/employees?limit=300", "get")}),
        ]
        more = memory(program, "VmHWM") - idle

    assert found[0][0] == "QUERY_TOO_COMPLEX"
    assert found[1][0] == "answered"
    assert more < 300, f"{more:.0f} MB over the idle server"


# --- batches that only read


@contextmanager
def locked(backend: Backend) -> Iterator[None]:
    """Hold the write lock of an SQLite file, as another program does."""
    with closing(backend.engine().raw_connection()) as other:
        other.cursor().execute("BEGIN IMMEDIATE")
        yield
        other.cursor().execute("ROLLBACK")


def test_batches_that_only_read_need_no_write_lock(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    api = start(sqlite, timeout=0.3)
    gets = [
        part("a", "GET", "/notes?limit=2"),
        part("b", "GET", "/authors/1", ifMatch=None),
        part("c", "GET", "/notes/1"),
    ]
    relations = MUTATION.format("id item { ... on Note { author { id } } }")
    api.batch(part("c", "GET", "/notes/1"))
    with locked(sqlite):
        assert [each["status"] for each in api.batch(*gets)["parts"]] == [200, 200, 200]
        assert api.batch(*gets, dry_run=True)["status"] == "VALID"
        assert api.post(relations, {"parts": gets})["data"]["batch"]["status"] == "COMMITTED"
        rejected = api.batch(*gets, part("d", "GET", "/notes/9999"))
        assert [(each["id"], each["status"]) for each in rejected["parts"]] == [("d", 404)]
        sent = [{**each, "operation": "get"} for each in gets]
        assert api.http.post("/batch", json={"parts": sent}).status_code == 200

        with_key = MUTATION.format("id").replace("$parts)", '$parts, idempotencyKey: "k")')
        for refused in (api.post(MUTATION.format("id"), {"parts": [*gets, NEW]}), api.post(with_key, {"parts": gets})):
            assert refused["errors"][0]["extensions"]["code"] in {"UNAVAILABLE", "TIMEOUT"}


def test_batches_that_only_read_lock_no_row(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    api = start(postgresql, timeout=1)
    gets = [part(f"p{n}", "GET", f"/notes/{n}") for n in (1, 2)]
    with postgresql.engine().connect() as other:
        other.exec_driver_sql("UPDATE note SET text = 'locked'")
        etag = api.batch(*gets)["parts"][0]["etag"]
        answers = [
            api.batch(*gets, part("g", "GET", "/notes/3", ifMatch=None)),
            api.batch(part("p", "GET", "/notes/1", ifMatch=[etag])),
        ]
        other.rollback()

    assert [each["status"] for each in answers] == ["COMMITTED", "COMMITTED"]


_: Callable[..., Any] = measure  # the long form
