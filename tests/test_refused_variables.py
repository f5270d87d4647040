"""Variables that are not of their types: what the answer says of them, in the words of JSON, and where they are."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.harness import BATCH, Api, Backend, Json, part
from tests.music import SCRIPT

GOOD = part("good", "GET", "/artists/1")
ALBUMS = "query($is: AlbumFilter) { albums(filter: $is) { totalCount } }"
# Why each is refused: the end of the message.
MESSAGES: dict[str, tuple[str, Json, str]] = {
    "null for a list": (BATCH, {"parts": None}, "type '[PartInput!]!' not to be null."),
    "null for a path": (BATCH, {"parts": [part("p", "GET", "/x") | {"path": None}]}, "type 'ID!' not to be null."),
    "null in a literal": ("mutation { batch(parts: [null]) { status } }", {}, "type 'PartInput!' not to be null."),
    "null through a variable": (
        "query($id: Int = 1) { artist(artistId: $id) { name } }",
        {"id": None},
        "Expected variable '$id' provided to non-null type 'Int!' not to be null.",
    ),
    "a value in a list": (ALBUMS, {"is": [None, True]}, "to be an object, found: [null, true]."),
    "a value in an object": (
        BATCH,
        {"parts": [GOOD, {"payload": {"None": None, "on": False}}]},
        "required field 'operation', found: {'payload': {'None': null, 'on': false}}.",
    ),
    "a Boolean for an enum": (
        BATCH,
        {"parts": [part("p", "GET", "/x") | {"operation": True}]},
        "cannot represent non-string value: true.",
    ),
    "texts of the client's own": (
        ALBUMS,
        {"is": {"albumId": {"eq": [None, 'None "True', "it's None", "\" ' None"]}}},
        """Int cannot represent non-integer value: [null, 'None "True', "it's None", '" \\' None']""",
    ),
    "a text that is cut behind an escape": (
        ALBUMS,
        {"is": {"albumId": {"eq": '"' + "a" * 200 + "' None " + "b" * 111}}},
        "aaa...' None " + "b" * 111 + "'",
    ),
    "a member of the client's own": (
        ALBUMS,
        {"is": {"x' found: None": None}},
        """unknown field 'x' found: None', found: {"x' found: None": None}.""",
    ),
    "a name of the document": (
        "{ artist(artistId: None) { name } }",
        {},
        "Int cannot represent non-integer value: None",
    ),
}


@pytest.fixture
def api(sqlite: Backend, start: Serve) -> Api:
    """The music shop: no database is asked here."""
    sqlite.run(SCRIPT)
    return start(sqlite)


def messages(api: Api, query: str, variables: Json) -> list[str]:
    """Send what is refused; give back why."""
    answer: dict[str, Any] = api.post(query, variables)
    assert {each["extensions"]["code"] for each in answer["errors"]} == {"BAD_REQUEST"}
    return [each["message"] for each in answer["errors"]]


@pytest.mark.parametrize(("query", "variables", "end"), MESSAGES.values(), ids=MESSAGES.keys())
def test_a_refusal_has_the_words_of_json_and_leaves_texts_as_they_were(api: Api, query: str, variables: Json, end: str):
    assert messages(api, query, variables)[-1].endswith(end)


ITEM = {"album": {"artistId": "7", "title": 1}}
POINTERS: dict[str, tuple[str, Json, list[str | None]]] = {
    "a variable as a whole": (BATCH, {"parts": None}, ["/parts"]),
    "a variable that is missing": (BATCH, {}, ["/parts"]),
    "two values of an item": (
        BATCH,
        {"parts": [GOOD, part("p", "CREATE", "/albums", item=ITEM)]},
        ["/parts/1/item/album/title", "/parts/1/item/album/artistId"],
    ),
    "what has a member too many": (
        BATCH,
        {"parts": [GOOD, part("p", "CREATE", "/albums", item={"album": {"at [9].x: ": 1}})]},
        ["/parts/1/item/album"],
    ),
    "an etag": (BATCH, {"parts": [part("p", "GET", "/artists/1", ifMatch=["a", None])]}, ["/parts/0/ifMatch/1"]),
    "a member of a filter": (ALBUMS, {"is": {"albumId": {"eq": "1"}}}, ["/is/albumId/eq"]),
    "not exactly one member": (BATCH, {"parts": [part("p", "CREATE", "/albums", item={})]}, [None]),
    "no variable": ('{ artist(artistId: "1") { name } }', {}, [None]),
    "a default": ('query($id: Int = "1") { artist(artistId: $id) { name } }', {}, [None]),
}


@pytest.mark.parametrize(("query", "variables", "pointers"), POINTERS.values(), ids=POINTERS.keys())
def test_a_refusal_points_at_the_value(api: Api, query: str, variables: Json, pointers: list[str | None]):
    found = [each["extensions"].get("pointer") for each in api.post(query, variables)["errors"]]

    assert sorted(found, key=str) == sorted(pointers, key=str)
