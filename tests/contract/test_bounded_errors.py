"""The number of errors is bounded: 50 of a request, 100 of a part. All parts in error are listed (docs/contract.md, section 6)."""

import json
from typing import Any

import pytest

import resolvers.binding.parts
import resolvers.documents.suggestions
from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, Json, part
from tests.support.music import SCRIPT

ALBUMS = "query($is: AlbumFilter) { albums(filter: $is) { totalCount } }"
LONG = "x" * 300_000


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """The music shop."""
    sqlite.run(SCRIPT)
    return start(sqlite)


# What is sent, and how many errors it has in all.
REFUSED: dict[str, tuple[str, Json, int]] = {
    "unknown members of parts": (BATCH, {"parts": [{f"x{n}": n for n in range(3_000)}]}, 3_003),
    "wrong parts": (BATCH, {"parts": [[], *["a"] * 2_998, None]}, 3_000),
    "wrong values of parts": (BATCH, {"parts": [part("p", "GET", "/artists/1", ifMatch=[1] * 3_000)]}, 3_000),
    "unknown operations": (BATCH, {"parts": [part("p", "READ", "/artists/1")] * 3_000}, 3_000),
    "wrong values of items": (
        BATCH,
        {"parts": [part("p", "CREATE", "/albums", item={"album": {"title": 1}})] * 3_000},
        3_000,
    ),
    "unknown members of items": (
        BATCH,
        {"parts": [part("p", "CREATE", "/albums", item={"album": {f"x{n}": n for n in range(3_000)}})]},
        3_000,
    ),
    "unknown members of a filter": (ALBUMS, {"is": {f"title{n}": {} for n in range(3_000)}}, 3_000),
    "wrong values of a filter": (ALBUMS, {"is": {"albumId": {"in": ["1"] * 3_000}}}, 3_000),
    "wrong members of a filter": (ALBUMS, {"is": {"or": [LONG] * 30 + [1] * 2_970}}, 3_000),
    "an object with long members": (ALBUMS, {"is": {LONG + str(n): LONG for n in range(3)} | {"and": [1] * 100}}, 103),
}


@pytest.mark.parametrize(("query", "variables", "number"), REFUSED.values(), ids=REFUSED.keys())
def test_fifty_errors_of_variables_are_listed_and_the_others_counted(
    api: Api, query: str, variables: Json, number: int
):
    for _ in range(2):  # the second time, the document is known
        answer = api.http.post("/graphql", json={"query": query, "variables": variables})
        errors = answer.json()["errors"]

        assert len(errors) == 50
        assert errors[-1]["message"].endswith(f" … and {number - 50} more")
        assert " more" not in errors[-2]["message"][-30:]
        assert {each["extensions"]["code"] for each in errors} == {"BAD_REQUEST"}
        assert all(each["extensions"]["pointer"] for each in errors)
        assert len(answer.content) < 200_000


def test_so_many_errors_that_counting_them_takes_long_are_not_all_counted(api: Api):
    """Beside those that are listed, 20,000 are counted, and those that end the part of the last: three for each part."""
    parts = [part("p", "CREATE", "/albums", item={"album": {"title": 1, "x": 1, "y": 1}})] * 9_000

    errors = api.post(BATCH, {"parts": parts})["errors"]

    assert len(errors) == 50
    assert errors[-1]["message"].endswith(" … and at least 20002 more")


def test_fifty_errors_are_listed_without_a_rest(api: Api):
    errors = api.post(ALBUMS, {"is": {"albumId": {"in": ["1"] * 50}}})["errors"]

    assert len(errors) == 50
    assert errors[-1]["message"] == (
        "Variable '$is' has invalid value at .albumId.in[49]: Int cannot represent non-integer value: '1'"
    )


@pytest.mark.parametrize(("number", "rest"), [(60, " … and 10 more"), (150, " … and at least 51 more")])
def test_fifty_errors_of_a_document_are_listed(api: Api, number: int, rest: str):
    query = f"{{ artists {{ {' '.join(f'x{n}' for n in range(number))} }} }}"

    errors = api.post(query)["errors"]

    assert len(errors) == 50
    assert errors[-1]["message"].endswith(rest)


# --- parts

UNKNOWN = {f"x{n}": n for n in range(1_000)}
PARTS: dict[str, tuple[list[Json], int]] = {
    "one part": ([part("p", "CREATE", "/artists", UNKNOWN | {"name": "N"})], 1_000),
    "beside wrong values": ([part("p", "CREATE", "/albums", {**UNKNOWN, "title": 1, "artistId": "1"})], 1_002),
    "an update": ([part("p", "UPDATE", "/artists/1", UNKNOWN)], 1_000),
    "a replacement": ([part("p", "REPLACE", "/artists/1", UNKNOWN | {"name": "N"})], 1_000),
    "an upsert": ([part("p", "UPSERT", "/artists/1", UNKNOWN | {"name": "N"})], 1_000),
    "references": (
        [
            part(
                *("p", "CREATE", "/albums", {"title": "T", "artistId": 1}),
                references=[{"attribute": f"x{n}", "part": "q"} for n in range(1_000)],
            )
        ],
        1_000,
    ),
    "references to no part": (
        [
            part(
                *("p", "CREATE", "/albums", {"title": "T"}),
                references=[{"attribute": "artist", "part": f"q{n}"} for n in range(1_000)],
            )
        ],
        1_000,
    ),
    "a reference many times": (
        [
            part("a", "CREATE", "/artists", {"name": "N"}),
            part(
                *("p", "CREATE", "/albums", {"title": "T"}),
                references=[{"attribute": "artist", "part": "a"}] * 1_001,
            ),
        ],
        1_000,
    ),
}


@pytest.mark.parametrize("groups", [True, False])
@pytest.mark.parametrize("endpoint", ["/graphql", "/batch"])
@pytest.mark.parametrize(("parts", "number"), PARTS.values(), ids=PARTS.keys())
def test_a_hundred_faults_of_a_part_are_listed_and_the_others_counted(  # noqa: PLR0917  # as pytest names them
    sqlite: Backend, start: Serve, groups: bool, endpoint: str, parts: list[Json], number: int
):
    sqlite.run(SCRIPT)
    before = sqlite.dump()
    good = [part(f"g{n}", "CREATE", "/artists", {"name": f"N{n}"}) for n in range(5)]

    (found,) = send(start(sqlite, groups=groups), endpoint, [*good, *parts])

    assert found["id"] == "p"
    assert len(found["errors"]) == 100
    assert found["errors"][-1]["message"].endswith(f" … and {number - 100} more")
    assert " more" not in found["errors"][-2]["message"]
    assert sqlite.dump() == before


def send(api: Api, endpoint: str, parts: list[Json]) -> list[Json]:
    """Send a batch that is rejected; give back the parts in error."""
    if endpoint == "/graphql":
        found = api.batch(*parts)["parts"]
        assert found == api.batch(*parts)["parts"]  # the second time, the document is known
        return list(found)
    lower = [{**each, "operation": each["operation"].lower()} for each in parts]
    answer = api.http.post("/batch", content=json.dumps({"parts": lower}), headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    return list(answer.json()["parts"])


@pytest.mark.parametrize("endpoint", ["/graphql", "/batch"])
def test_all_parts_in_error_are_listed(api: Api, endpoint: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resolvers.binding.parts, "_MOST_OF_BATCH", 1_000)
    parts = [part(f"p{n}", "CREATE", "/artists", {f"x{m}": 1 for m in range(110)} | {"name": "N"}) for n in range(12)]

    found = send(api, endpoint, parts)

    assert [each["id"] for each in found] == [f"p{n}" for n in range(12)]
    assert [len(each["errors"]) for each in found] == [*[100] * 10, 1, 1]  # so many of a batch, then one of each part
    assert {each["errors"][-1]["message"].rpartition(" … ")[2] for each in found} == {"and 10 more", "and 109 more"}


def test_the_faults_of_own_attributes_are_known_beside_those_that_are_not_listed(music: Api):
    """The album's title is wrong, so the unique title is not judged, though its fault is not among the first hundred."""
    found = music.one("CREATE", "/albums", {**UNKNOWN, "title": 1, "artistId": 77})

    assert found["errors"][-1]["message"].endswith(" … and 902 more")  # the title, and an artist that does not exist


@pytest.mark.parametrize("name", ["in", "notIn"])
def test_a_list_of_a_filter_that_is_far_too_long_is_not_coerced(api: Api, name: str):
    (error,) = api.post(ALBUMS, {"is": {"title": {name: ["a"] * 20_001}}})["errors"]

    assert (error["extensions"]["code"], error["extensions"]["pointer"]) == ("BAD_REQUEST", f"/is/title/{name}")
    assert error["message"].endswith(f".title.{name}: Expected at most 2000 values, found: 20001.")


def test_a_long_name_is_shortened(api: Api):
    found = api.one("CREATE", "/artists", {LONG: 1, "name": "N"})

    (error,) = found["errors"]
    assert (error["code"], error["pointer"], error["attributes"]) == ("UNKNOWN_ATTRIBUTE", "/payload", [])
    assert len(error["message"]) < 300


def test_suggestions_of_a_batch_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch):
    compared = []

    def close(_name: str, known: list[str], n: int) -> list[str]:
        compared.append(len(known))
        return []

    monkeypatch.setattr(resolvers.documents.suggestions, "get_close_matches", close)

    parts: list[Any] = [part(f"p{n}", "CREATE", f"/artist{n}", {}) for n in range(3_000)]
    parts += [part(f"q{n}", "CREATE", "/artists", {f"nam{n}": 1, "name": "N"}) for n in range(3_000)]
    assert len(api.batch(*parts)["parts"]) == 6_000

    assert sum(compared) <= 5_100
