"""Variables that are not of their types: what the answer says of them, in the words of JSON, and where they are."""

import re
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, get_variable_values, parse
from hypothesis import event, given
from hypothesis import strategies as st

from resolvers.documents.errors import in_words_of_json, pointer_into_variables
from resolvers.documents.variables import refuse_variables
from storage.json_text import decode_json
from tests.conftest import Serve
from tests.support import sent
from tests.support.examples import tried_with
from tests.support.harness import BATCH, Api, Backend, Json, part
from tests.support.music import SCRIPT

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
        """unknown field 'x' found: None', found: {"x' found: None": null}.""",
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


# --- the same as graphql-core

tried = tried_with(300)
BATCH_AND_FILTER = "query($parts: [PartInput!]!, $filter: BookFilter, $order: [BookOrderBy!], $n: Int!) { __typename }"


@pytest.fixture
def schema(backend: Backend, start: Serve) -> GraphQLSchema:
    """The schema of a library."""
    backend.run(sent.SCRIPT)
    if backend.kind == "postgresql":
        backend.run(sent.ON_POSTGRESQL)
    found: Any = start(backend).service.schema
    return found._schema  # type: ignore[no-any-return]


FILTERS = st.sampled_from(
    [
        {"title": {"eq": "x"}, "or": [{"price": {"in": ["1", 2]}}, {"not": {"flag": {"eq": True}}}]},
        {"and": [{"weight": {"gt": 2}}], "shelf": {"name": {"like": "%"}}, "notes": {"isNull": True}},
        {"big": {"in": [1, "2"]}, "day": {"lt": "2026-01-31"}},
    ]
)
ORDERS = st.sampled_from([None, [], [{"title": "ASC"}, {"shelf": {"name": "DESC"}}], {"title": "ASC"}])


@tried
@given(data=st.data())
def test_variables_are_rejected_as_graphql_core_rejects_them(schema: GraphQLSchema, data: st.DataObject):
    (definition,) = parse(BATCH_AND_FILTER).definitions
    assert isinstance(definition, OperationDefinitionNode)
    definitions = definition.variable_definitions or ()
    drawn = data.draw(sent.variables())
    drawn += [("filter", data.draw(FILTERS)), ("order", data.draw(ORDERS)), ("n", 1)]
    try:
        variables = decode_json(sent.write(data.draw(sent.spoilt(data.draw(sent.spoilt(drawn))))))
    except (ValueError, RecursionError):
        return
    if not isinstance(variables, dict):
        return

    expected = get_variable_values(schema, definitions, variables)
    found = refuse_variables(schema, definitions, variables)

    if isinstance(expected, list) and any(
        each.message.startswith(("OneOf", "Value for member field")) for each in expected
    ):
        return  # Strawberry's own error, which ends the coercion
    event("coerced" if not isinstance(expected, list) else "refused")
    assert [told(each) for each in found] == [told(each) for each in expected if isinstance(each, GraphQLError)]


def told(error: GraphQLError) -> tuple[str, Any, Any]:
    """Sum up an error. graphql-core's words for `null` and the like are replaced where they can be told from a text."""
    message = in_words_of_json(error.message)
    for long in ("x" * 300, "9" * 4_301):  # which graphql-core does not shorten everywhere
        message = message.replace(long, f"{long[:118]}...{long[-119:]}")
    pointer = (error.extensions or {}).get("pointer", pointer_into_variables(error.message))
    return re.sub("None|True|False", lambda word: WORDS[word[0]], message), pointer, error.locations


WORDS = {"None": "null", "True": "true", "False": "false"}
