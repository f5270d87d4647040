"""What msgspec coerces is what graphql-core coerces: the same parts, or none at all (resolvers/compiled/variables.py)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from graphql import GraphQLError, OperationDefinitionNode, get_variable_values, parse
from hypothesis import event, given
from hypothesis import strategies as st

from resolvers.binding.requests import PartRequest, members, to_request
from resolvers.compiled.variables import Inputs, Variable
from resolvers.execution.idempotency import fingerprint
from storage.catalog.types import ExactFloat
from storage.json_text import decode_json
from tests.conftest import Serve
from tests.support import sent
from tests.support.examples import tried_with
from tests.support.harness import Backend

tried = tried_with(200)

DOCUMENT = "mutation($parts: [PartInput!]!, $d: Boolean = true) { batch(parts: $parts, dryRun: $d) { status } }"
Coerced = tuple[list[Any], Any, str]  # parts, dryRun, and the fingerprint of the parts
Coerce = Callable[[str], Coerced | None]


@pytest.fixture
def both(backend: Backend, start: Serve) -> tuple[Coerce, Coerce]:
    """Coercion by msgspec and by graphql-core; None where it refuses."""
    backend.run(sent.SCRIPT)
    if backend.kind == "postgresql":
        backend.run(sent.ON_POSTGRESQL)
    schema: Any = start(backend).service.schema
    decoder = Inputs(schema._schema).decoder("parts", {"dry_run": Variable(name="d", type=bool, default=True)})
    (definition,) = parse(DOCUMENT).definitions
    assert isinstance(definition, OperationDefinitionNode)

    def by_msgspec(text: str) -> Coerced | None:
        try:
            found = decoder.decode(text)
        except (ValueError, RecursionError):
            return None
        return [plain(each) for each in found.parts], found.dry_run, fingerprint(found.parts)

    def by_graphql(text: str) -> Coerced | None:
        try:
            found = get_variable_values(schema._schema, definition.variable_definitions or (), decode_json(text))
            if isinstance(found, list) or found.coerced["d"] is None:  # null is refused where the field takes it
                return None
        except (ValueError, RecursionError, GraphQLError):
            return None
        parts = [to_request(each) for each in found.coerced["parts"]]
        return [plain(each) for each in parts], found.coerced["d"], fingerprint(parts)

    return by_msgspec, by_graphql


def plain(value: Any) -> Any:
    """Write a part so that equal means the same: with the digits of numbers, and no matter which class it has."""
    match value:
        case PartRequest(item=item):
            fields = msgspec.structs.asdict(value)
            if item is not None:
                ((name, attributes),) = members(item).items()
                fields["item"] = name, list(members(attributes).items())
            return {name: plain(each) for name, each in fields.items()}
        case msgspec.Struct():
            return plain(msgspec.structs.asdict(value))
        case ExactFloat():
            return "number", value.text
        case bool():
            return "boolean", value
        case dict():
            return [(name, plain(each)) for name, each in value.items()]
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            return value


@tried
@given(sent_=sent.variables())
def test_what_graphql_takes_as_it_stands_msgspec_takes_alike(both: tuple[Coerce, Coerce], sent_: Any):
    by_msgspec, by_graphql = both
    text = sent.write(sent_)

    found = by_msgspec(text)

    event("coerced" if found else "refused")
    assert found is None or found == by_graphql(text)


@tried
@given(data=st.data())
def test_what_is_wrong_or_odd_msgspec_takes_like_graphql_or_not_at_all(
    both: tuple[Coerce, Coerce], data: st.DataObject
):
    by_msgspec, by_graphql = both
    text = sent.write(data.draw(sent.spoilt(data.draw(sent.variables()))))

    found = by_msgspec(text)

    event("coerced" if found else "refused")
    assert found is None or found == by_graphql(text)


PART = '"id": "p", "operation": "CREATE"'
TAKEN = {
    "a payload": f'{{"parts": [{{{PART}, "path": "/books", "payload": {{"a": [1.10, null, {{}}], "b": 1e2}}}}]}}',
    "everything": (
        f'{{"d": false, "parts": [{{{PART}, "path": "/books", "item": {{"book": {{"price": 1.10, "big": 12, "weight": 3, '
        '"flag": null, "day": "x", "notes": [1.10]}}, "ifMatch": null, "ifNoneMatch": ["x"], '
        '"references": [{"attribute": "shelf", "part": "p"}]}]}'
    ),
    "a member twice": f'{{"parts": [], "parts": [{{{PART}, "path": "/a", "path": "/books", "payload": {{"a": 1, "a": 2}}}}]}}',
    "no parts": '{"parts": []}',
    "escapes": '{"parts": [{"\\u0069d": "\\u0000\\ud83d\\ude00", "operation": "GET", "path": "\\/"}]}',
}
LEFT = {
    "a number for an ID": f'{{"parts": [{{{PART}, "path": 1}}]}}',
    "one value for a list": f'{{"parts": {{{PART}, "path": "/books"}}}}',
    "a fraction for an Int": f'{{"parts": [{{{PART}, "path": "/books", "item": {{"book": {{"shelfId": 1.0}}}}}}]}}',
    "a variable that nobody declared": f'{{"parts": [{{{PART}, "path": "/books"}}], "other": 1}}',
    "a lone surrogate": f'{{"parts": [{{{PART}, "path": "\\ud800"}}]}}',
}


WRONG_ITEMS = [
    *(
        {},
        {"book": None},
        {"book": {}, "shelf": {}},
        {"nothing": {}},
        {"book": {"nothing": 1}},
        {"book": {"shelfId": 2**31}},
    ),
    *(
        {"book": {"weight": 2**53 + 1}},
        {"book": {"price": True}},
        {"book": {"day": 1}},
        {"book": {"flag": 0}},
        {"book": {"title": 1}},
    ),
]
WRONG = {
    **{f"item {item}": {"id": "p", "operation": "CREATE", "path": "/books", "item": item} for item in WRONG_ITEMS},
    "no id": {"operation": "GET", "path": "/books"},
    "null for an id": {"id": None, "operation": "GET", "path": "/books"},
    "an unknown operation": {"id": "p", "operation": "PATCH", "path": "/books"},
    "an unknown member": {"id": "p", "operation": "GET", "path": "/books", "nothing": 1},
    "null for an etag": {"id": "p", "operation": "GET", "path": "/books/1", "ifMatch": [None]},
    "null for a reference": {"id": "p", "operation": "GET", "path": "/books/1", "references": [None]},
}


def test_what_is_wrong_neither_takes(both: tuple[Coerce, Coerce]):
    by_msgspec, by_graphql = both

    for name, wrong in WRONG.items():
        text = sent.write({"parts": [wrong]})
        assert (by_msgspec(text), by_graphql(text)) == (None, None), name


def test_what_msgspec_takes_and_what_it_leaves_to_graphql(both: tuple[Coerce, Coerce]):
    by_msgspec, by_graphql = both

    for name, text in TAKEN.items():
        assert by_msgspec(text) == by_graphql(text) is not None, name
    for name, text in LEFT.items():
        assert by_msgspec(text) is None, name
        assert by_graphql(text) is not None, name
