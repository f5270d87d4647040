"""What the parts of batches cost: a GET of a collection costs as much as the same rows in a query (docs/contract.md, section 8)."""

import json
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, part
from tests.support.music import SCRIPT

GET = "GET"

# Selection of a batch, its parts, and the objects of its answer, counted by hand. A page has 100 items unless the path says otherwise.
COSTS: dict[str, tuple[str, list[tuple[str, str]], int]] = {
    "a page": ("parts { payload }", [(GET, "/artists")], 1 + 100),
    "a page of seven": ("parts { payload }", [(GET, "/artists?limit=7")], 1 + 7),
    "other members of the query": ("parts { payload }", [(GET, "/artists?orderBy=name&limit=7&offset=3")], 1 + 7),
    "an escaped name": ("parts { payload }", [(GET, "/artists?li%6Dit=7")], 1 + 7),
    "no items": ("parts { payload }", [(GET, "/artists?limit=0")], 1),
    "children": ("parts { payload }", [(GET, "/artists/1/albums?limit=3")], 1 + 3),
    "nothing of a page": ("status", [(GET, "/artists?limit=7")], 1 + 7),
    "an item": ("parts { payload }", [(GET, "/artists/1")], 1),
    "nothing of an item": ("parts { id etag }", [(GET, "/artists/1")], 0),
    "an item that is written": ("parts { payload }", [("UPDATE", "/artists/1"), ("DELETE", "/artists/3")], 1 + 1),
    "an item twice": ("parts { payload item { path } }", [(GET, "/artists/1")], 1),
    "a payload three times": ("parts { a: payload b: payload payload }", [(GET, "/artists?limit=7")], 1 + 3 * 7),
    "an item three times": ("parts { a: item { path } b: item { path } item { path } }", [(GET, "/artists/1")], 3),
    "items": ("parts { items { path } }", [(GET, "/artists?limit=7"), (GET, "/artists/1")], 1 + 7),
    "relations of an item": (
        "parts { item { ... on Artist { albums(first: 2) { nodes { title } } } } }",
        [(GET, "/artists/1"), (GET, "/artists/2")],
        2 * (1 + 1 + 2),
    ),
    "relations of items": (
        "parts { items { ... on Artist { albums(first: 2) { nodes { title } } } } }",
        [(GET, "/artists?limit=3")],
        1 + 3 * (1 + 1 + 2),
    ),
    "fragments": (
        "...B } } fragment B on BatchResult { parts { ...P } } fragment P on PartResult { payload ... { again: payload",
        [(GET, "/artists?limit=3")],
        1 + 2 * 3,
    ),
    "a query": (
        "query { artists(first: 3) { nodes { name } } } parts { payload }",
        [(GET, "/artists?limit=2")],
        (1 + 3) + (1 + 2),
    ),
}


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """The music shop."""
    sqlite.run(SCRIPT)
    return start(sqlite)


def limited(api: Api, most: int) -> Api:
    return Api(api.service, api.settings.model_copy(update={"max_cost": most}))


def sent(parts: list[tuple[str, str]]) -> list[Json]:
    return [
        part(f"p{number}", operation, path, {"name": "X"} if operation == "UPDATE" else None)
        for number, (operation, path) in enumerate(parts)
    ]


def literal(parts: list[Json]) -> str:
    """Write parts into a document."""
    return f"[{', '.join(f'{{ {_members(each)} }}' for each in parts)}]"


def _members(sent: Json) -> str:
    payload = ', payload: {name: "X"}' if "payload" in sent else ""
    return f"id: {json.dumps(sent['id'])}, path: {json.dumps(sent['path'])}, operation: {sent['operation']}{payload}"


def closed(text: str) -> str:
    return text + " }" * (text.count("{") - text.count("}"))


@pytest.mark.parametrize("case", COSTS)
def test_a_batch_costs_the_objects_that_its_answer_has_at_most(api: Api, case: str):
    selection, parts, objects = COSTS[case]
    by_variable = closed(f"mutation ($parts: [PartInput!]!) {{ batch(parts: $parts, dryRun: true) {{ {selection}")
    by_literal = closed(f"mutation {{ batch(parts: {literal(sent(parts))}, dryRun: true) {{ {selection}")
    within, over = limited(api, objects or 1), limited(api, objects - 1 if objects > 1 else 1)

    for _ in range(2):  # the first is executed by graphql-core, the second is compiled where it can be
        assert "errors" not in within.post(by_variable, {"parts": sent(parts)})
        if objects > 1:
            refused(over.post(by_variable, {"parts": sent(parts)}), objects)
    assert "errors" not in within.post(by_literal)
    if objects > 1:
        refused(over.post(by_literal), objects)


def refused(answer: Json, objects: int) -> None:
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "QUERY_TOO_COMPLEX"}
    assert f"has {objects:,} objects in its answer, and the limit is {objects - 1:,} (max_cost)" in error["message"]


def test_batches_of_one_mutation_count_together_before_the_first_runs(sqlite: Backend, api: Api):
    before = sqlite.dump()
    document = """mutation ($a: [PartInput!]!, $b: [PartInput!]!) {
      a: batch(parts: $a) { parts { payload } } b: batch(parts: $b) { parts { id } } }"""
    variables = {
        "a": [part("new", "CREATE", "/artists", {"name": "New"}), part("few", GET, "/artists?limit=2")],
        "b": [part("page", GET, "/artists?limit=3")],
    }

    for _ in range(2):
        answer = limited(api, 7).post(document, variables)

        assert answer["data"] == {"a": None, "b": None}
        assert {each["message"].partition(" objects")[0] for each in answer["errors"]} == {"This request has 8"}
    assert sqlite.dump() == before
    assert "errors" not in limited(api, 8).post(document, variables)


def test_a_batch_that_costs_too_much_writes_nothing(sqlite: Backend, api: Api):
    before = sqlite.dump()
    parts = [part("new", "CREATE", "/artists", {"name": "New"}), part("all", GET, "/artists?limit=1000")]
    document = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status } }"

    for _ in range(2):
        refused(limited(api, 1_000).post(document, {"parts": parts}), 1_001)
    assert sqlite.dump() == before


@pytest.mark.parametrize("query", ["", "?dryRun=true"])
def test_the_parts_of_a_batch_as_one_document_cost_the_same(api: Api, query: str):
    parts = [{"id": str(n), "path": "/artists?limit=4", "operation": "get"} for n in range(3)]

    def send(api: Api) -> Any:
        return api.http.post(f"/batch{query}", json={"parts": parts})

    for _ in range(2):
        answer = send(limited(api, 14))
        assert answer.status_code == 400
        refused(answer.json(), 15)
        assert send(limited(api, 15)).status_code == 200


def test_by_default_thousands_of_whole_pages_are_refused(api: Api):
    parts = [part(f"p{n}", GET, "/artists?limit=1000") for n in range(2_500)]

    (error,) = api.post("mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status } }", {"parts": parts})[
        "errors"
    ]

    assert error["message"] == (
        "This request has 2,502,500 objects in its answer, and the limit is 2,500,000 (max_cost)."
        " Request fewer items: set limit in the paths of collections (/albums?limit=20), or send fewer parts."
    )


@pytest.mark.parametrize(
    "path",
    [
        "artists",
        "/artists?limit=x",
        "/artists?limit=5000",
        "/artists?limit=01000",
        "/artists?limit=1,2",
        "//",
        "/?",
        "",
    ],
)
def test_a_path_that_is_wrong_has_its_own_error(api: Api, path: str):
    answer = limited(api, 1_000).post(
        "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status parts { errors { code } } } }",
        {"parts": [part("p", GET, path)]},
    )

    assert answer["data"]["batch"]["parts"] == [{"errors": [{"code": "INVALID_PATH"}]}]
