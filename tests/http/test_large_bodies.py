"""Large bodies: decoded piece by piece to the same values, counted before, answered beside the event loop, and with bounded answers."""

import asyncio
import gc
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from partwise.server import bodies as server_bodies
from partwise.server import graphql_endpoint
from storage import json_pieces, json_text
from storage.catalog.types import ExactFloat
from storage.json_pieces import RepeatedMember
from storage.json_text import decode_distinct, decode_json, has_more_values, may_have_more_values
from tests.conftest import Serve
from tests.support import bodies, sent
from tests.support.doors import Doors
from tests.support.examples import tried_with
from tests.support.harness import BATCH, Api, Backend, part

tried = tried_with(200)
JSON_TYPE = {"Content-Type": "application/json"}


# --- decoding


@pytest.fixture(params=["in runs", "one by one"])
def small_pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All texts are decoded piece by piece, and the pieces are small."""
    monkeypatch.setattr(json_text, "MANY", 0)
    monkeypatch.setattr(json_text, "_LONG", 0)
    monkeypatch.setattr(json_pieces, "_MOST_COST", 200)
    monkeypatch.setattr(json_pieces, "_PIECE", 12)
    monkeypatch.setattr(json_pieces, "_RUN", 20)
    monkeypatch.setattr(json_pieces, "_PROBE", 40 if request.param == "in runs" else 0)
    monkeypatch.setattr(json_pieces, "_MOST_ALONE", 3)


def exact(value: Any) -> Any:
    """Write a value so that equal means the same, with the digits of numbers and the order of members."""
    match value:
        case ExactFloat():
            return "number", value.text
        case int() if abs(value) >= 10**600:  # which takes long, so that some keep their digits instead
            return "number", str(value)
        case dict():
            return [(name, exact(each)) for name, each in value.items()]
        case list():
            return [exact(each) for each in value]
        case _:
            return type(value).__name__, value


def told(read: Any, text: str) -> Any:
    try:
        return exact(read(text))
    except RepeatedMember:
        return "a member twice"
    except (ValueError, RecursionError):
        return "no JSON"


@pytest.mark.usefixtures("small_pieces")
@tried
@given(data=st.data())
def test_pieces_are_decoded_as_the_whole_is(data: st.DataObject):
    text = sent.write(data.draw(sent.spoilt(data.draw(sent.spoilt(data.draw(sent.variables()))))))
    text = data.draw(
        st.sampled_from([text, text[:-1], f"{text} ", f"{text},", text.replace(":", " :\n "), f" [{text}]"])
    )

    for read, decoders in ((decode_json, json_text._decoders), (decode_distinct, json_text._distinct_decoders)):
        expected = told(decoders.decode_short, text)
        event(str(expected) if isinstance(expected, str) else "decoded")
        assert told(read, text) == expected or (
            isinstance(expected, str) and told(read, text) in {"a member twice", "no JSON"}
        )


WRONG_TEXTS = {
    "[1,,2]": 4,
    "[1,]": 4,
    "[,1]": 2,
    "[ , 1]": 3,
    '{"a":1,}': 8,
    '{"a" 1}': 6,
    '{"a":[1}': 8,
    "[[[[[[[[1]]]]]]]": 16,
    "[1] x": 5,
    '["abc\\"]': 9,  # it is not closed
    f"[{' ' * 50}x]": 52,
}


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("text", WRONG_TEXTS)
def test_what_is_wrong_with_a_long_text_is_located(text: str):
    with pytest.raises(json.JSONDecodeError) as caught:
        decode_json(text)

    assert abs(caught.value.colno - WRONG_TEXTS[text]) <= 1  # before or behind a comma


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("between", [",", ", ", " ,\n  "])
@pytest.mark.parametrize(
    "members",
    [
        ['{"a":1,"b":[2,{}]}'] * 20,
        ['"a"', '"],["', '"\\""', '"[{"'] * 5,
        ["[[1],[2]]"] * 20,
        ["1", "-2.50", "null", "true"] * 5,
        [*['"a\\\\"'] * 9, '"{"'],
    ],
)
def test_texts_that_programs_write_are_decoded_without_the_pattern(
    members: list[str], between: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(json_pieces, "_MOST_ALONE", 30)
    monkeypatch.setattr(json_pieces._Pieces, "_match", lambda *_: pytest.fail("matched"))
    listed = f"[{between.join(members)}]"
    numbered = between.join(f'"n{number}":{member}' for number, member in enumerate(members))
    text = f'{{"query":"query ($x: JSON) {{ a }}","variables":{{"x":{listed},"y":{{{numbered}}}}}}}'

    for read in (decode_json, decode_distinct):
        assert exact(read(text)) == exact(json.loads(text, parse_float=ExactFloat))


REPEATED = {  # text -> the repeated member
    '{"a":1,"a":1}': "a",
    '{"a":":","a":1}': "a",
    '{"a:":1,"b":":","a:":2}': "a:",
    '{"a":{"b":1},"a":{":":1}}': "a",
    '{"a":{"b":1},"a":":::"}': "a",
    '[{"x":[{"y":":","y":2}]}]': "y",
    '{"a":12345678901234567890123,"a":":"}': "a",
    '{"\\u0061":1,"a":":"}': "a",
}
NOT_REPEATED = [
    '{"a":":","b":1}',
    '{":":{":":":"}}',
    '{"\\u003a":"\\u003a"}',
    '[{"a":1},{"a":1e400}]',
    '{"a":0,"b":1.10}',
]


@pytest.mark.usefixtures("small_pieces")
def test_repeated_members_are_found_whatever_the_texts_contain():
    for text, name in REPEATED.items():
        with pytest.raises(RepeatedMember) as caught:
            decode_distinct(text)
        assert (text, str(caught.value)) == (text, name)
    for text in NOT_REPEATED:
        assert exact(decode_distinct(text)) == exact(json.loads(text, parse_float=ExactFloat))


def test_a_text_is_not_nested_too_deep_by_pieces():
    for text in ("[" * 700_000 + "]" * 700_000, '{"a":' * 300_000, "[" * 1_500_000):
        with pytest.raises((RecursionError, ValueError)):
            decode_json(text)


def test_the_collector_is_on_again_after_each_text_also_in_threads():
    assert gc.isenabled()
    good, bad = json.dumps([[]] * 60_000), "[" + "1," * 60_000
    seen = []

    def decode(number: int) -> None:
        try:
            decode_json(good if number % 2 else bad)
        except ValueError:
            seen.append(number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(decode, range(40)))

    assert len(seen) == 20
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off():
    gc.disable()
    try:
        decode_json(json.dumps([[]] * 60_000))
        assert not gc.isenabled()
    finally:
        gc.enable()


# --- counting

COUNTED = {
    "[]": 1,
    "[1,2,[3]]": 4,
    '{"a": "[,{", "b,": {"c": "\\"[,"}}': 3,
    '["\\\\", "\\\\\\",[", 1]': 3,
    '"[[[,,,"': 0,
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 16])
@pytest.mark.parametrize("text", COUNTED)
def test_values_are_counted_outside_of_strings(text: str, size: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_text, "_CHUNK", size)

    assert has_more_values(text.encode(), COUNTED[text] - 1)
    assert not has_more_values(text.encode(), COUNTED[text])
    assert may_have_more_values(text.encode(), COUNTED[text] - 1)


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """A small library that takes few values."""
    sqlite.run(bodies.SCRIPT)
    return start(sqlite, max_values=1_000)


MESSAGE = "can have at most 1000 values (the server's setting max_values)."


@pytest.mark.parametrize("route", ["/graphql", "/batch"])
def test_more_values_than_the_limit_are_a_bad_request(api: Api, route: str):
    for inner, status in (("1,", 400), ('",[{",', 400)):
        content = f'{{"parts": [{inner * 1_001}1]}}'
        answer = api.http.post(route, content=content, headers=JSON_TYPE)

        assert answer.status_code == status
        (error,) = answer.json()["errors"]
        assert error == {"message": f"The body {MESSAGE}", "extensions": {"code": "BAD_REQUEST"}}


def test_commas_in_strings_are_no_values(api: Api):
    assert api.one("UPDATE", "/shelves/1", {"notes": ",[{" * 2_000})["status"] == 200


def test_values_of_variables_in_a_url_are_counted(api: Api):
    params = {"query": "{ shelves { totalCount } }", "variables": json.dumps({"x": [1] * 1_001})}

    answer = api.http.get("/graphql", params=params)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == f"variables {MESSAGE}"


# --- answering


def test_a_large_batch_is_answered_as_a_small_one_is(backend: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch):
    """Everything is large, and decoded part by part: both doors answer the same, in threads."""
    backend.run(bodies.SCRIPT)
    api = start(backend)
    doors = Doors(api, api.settings)
    parts = [
        part("1", "CREATE", "/shelves", {"id": 70, "name": "New", "notes": [1.10, {"a": None}]}),
        part("2", "CREATE", "/shelves/$1/books", {"id": 70, "title": "T", "price": "1.50"}),
        part("3", "GET", "/shelves/1"),
    ]
    rejected = [*parts, part("4", "CREATE", "/books", {"titel": 1})]
    queries = [
        (BATCH, {"parts": parts, "dryRun": True}),
        (BATCH, {"parts": rejected}),
        (BATCH, {"parts": [{"id": 1}]}),
        ("query($n: Int) { shelves(first: $n) { nodes { name } } }", {"n": 3}),
    ]
    small = [doors.ask(json.dumps({"query": query, "variables": variables}))[0] for query, variables in queries]

    names = set()
    run = asyncio.run

    def noted(main: Any) -> Any:
        names.add(threading.current_thread().name.rpartition("_")[0])
        return run(main)

    monkeypatch.setattr(asyncio, "run", noted)
    monkeypatch.setattr(graphql_endpoint, "LARGE", 0)
    monkeypatch.setattr("resolvers.compiled.variables.MANY", 0)
    monkeypatch.setattr("resolvers.compiled.variables.LONG_TYPED", 400)
    for (query, variables), answer in zip(queries, small, strict=True):
        assert doors.ask(json.dumps({"query": query, "variables": variables}))[0] == answer
    assert names == {"partwise-large"}

    monkeypatch.setattr("resolvers.compiled.variables.LONG_TYPED", 10)  # each part is too long to be decoded in one go
    for (query, variables), answer in zip(queries, small, strict=True):
        assert doors.ask(json.dumps({"query": query, "variables": variables}))[0] == answer
    lower = [{**each, "operation": each["operation"].lower()} for each in parts]
    batch = api.http.post("/batch", content=json.dumps({"parts": lower}), headers=JSON_TYPE)
    assert (batch.status_code, len(batch.json()["parts"])) == (200, 3)
    assert backend.rows("SELECT count(*) FROM book") == [(1,)]


@pytest.mark.parametrize("name", ["$n", "$ n", "$ , # of nodes\n n"])
def test_of_a_large_request_only_what_has_an_effect_is_decoded(
    backend: Backend, start: Serve, name: str, monkeypatch: pytest.MonkeyPatch
):
    backend.run(bodies.SCRIPT)
    api = start(backend)
    read: list[bytes] = []
    decode = server_bodies.decode

    def noting(text: bytes, what: str, *others: Any) -> Any:
        read.append(text)
        return decode(text, what, *others)

    monkeypatch.setattr(server_bodies, "decode", noting)
    ignored = ["ignored"] * 10_000
    request = {
        "query": f"query({name}: Int) {{ shelves(first: $n) {{ nodes {{ name }} }} }}",
        "variables": {"unknown": ignored, "n": 1},
        "extensions": {"unknown": ignored},
        "unknown": ignored,
    }

    answer = api.http.post("/graphql", content=json.dumps(request), headers=JSON_TYPE)

    assert answer.json() == {"data": {"shelves": {"nodes": [{"name": "One"}]}}}
    assert not any(b"ignored" in text for text in read)
    assert b"1" in read


WRONG_MEMBERS = {
    "query": "The member query must be a GraphQL document.",
    "variables": "The member variables must be an object.",
    "operationName": "The member operationName must be a string.",
    "extensions": "The member extensions must be an object.",
    "documentId": "The member documentId must be a string.",
}


@pytest.mark.parametrize("size", [1, 50_000])
@pytest.mark.parametrize("name", WRONG_MEMBERS)
def test_a_member_of_another_type_is_refused_in_a_small_and_in_a_large_body(
    sqlite: Backend, start: Serve, name: str, size: int
):
    sqlite.run(bodies.SCRIPT)
    api = start(sqlite)
    request = {"query": "{ shelves { totalCount } }", name: [1] * size}
    if name == "documentId":
        del request["query"]

    answer = api.http.post("/graphql", content=json.dumps(request), headers=JSON_TYPE)

    assert answer.status_code == 400
    assert [each["message"] for each in answer.json()["errors"]] == [WRONG_MEMBERS[name]]


@pytest.mark.parametrize("size", [1, 50_000])
def test_a_body_that_is_not_an_object_is_refused_in_a_small_and_in_a_large_body(
    sqlite: Backend, start: Serve, size: int
):
    sqlite.run(bodies.SCRIPT)
    api = start(sqlite)

    answer = api.http.post("/graphql", content=json.dumps([1] * size), headers=JSON_TYPE)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "The request must be an object with the member query."


def test_bodies_that_are_made_to_hurt_are_refused_with_short_answers(
    sqlite: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch
):
    sqlite.run(bodies.SCRIPT)
    api = start(sqlite, max_body=200_000, max_values=20_000)
    before = sqlite.dump()
    monkeypatch.setattr(graphql_endpoint, "LARGE", 10_000)
    monkeypatch.setattr(json_text, "_LONG", 20_000)
    monkeypatch.setattr(json_pieces, "_MOST_COST", 100_000)
    monkeypatch.setattr(json_pieces, "_PIECE", 5_000)
    monkeypatch.setattr(json_pieces, "_RUN", 10_000)

    for body in bodies.bodies(seed=3, number=60, most=200_000):
        answer = api.http.post(body.route, content=body.content, headers=JSON_TYPE)

        assert answer.status_code in {200, 400, 413, 422}, body.name
        assert "INTERNAL" not in answer.text, body.name
        assert len(answer.content) <= 3 * len(body.content) + 30_000, body.name
        if "errors" in answer.json():
            assert len(answer.json()["errors"]) <= 50, body.name
    assert gc.isenabled()
    assert sqlite.dump().keys() == before.keys()
