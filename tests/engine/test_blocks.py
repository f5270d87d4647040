"""Parts that are bound as blocks are bound as they would be part by part (resolvers/binding/blocks.py)."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from resolvers.binding.blocks import bind_blocks
from resolvers.binding.parts import bind
from resolvers.binding.requests import PartRequest
from resolvers.compiled.variables import Inputs
from resolvers.documents.limits import Limits, Scope
from storage.batch.plan.blocks import Block
from storage.batch.plan.locks import Wanted, wanted_by_blocks, wanted_rows
from storage.batch.plan.operations import Operation, Part
from storage.rows.locate import ByKey
from tests.conftest import Serve
from tests.support import sent
from tests.support.examples import tried_with
from tests.support.harness import Backend, part

tried = tried_with(200)


class Binding:
    """Binds parts that were sent, to the catalog of one served database."""

    def __init__(self, service: Any) -> None:
        self.scope = Scope(catalog=service.engine.catalog, limits=Limits(path=23))
        self._decoder = Inputs(service.schema._schema).decoder("parts", {})

    def decode(self, variables: Any) -> list[PartRequest] | None:
        try:
            found: list[PartRequest] = self._decoder.decode(sent.write(variables)).parts
        except ValueError:
            return None
        return found


@pytest.fixture
def binding(backend: Backend, start: Serve) -> Binding:
    backend.run(sent.SCRIPT)
    if backend.kind == "postgresql":
        backend.run(sent.ON_POSTGRESQL)
    return Binding(start(backend).service)


VALUES: dict[str, list[Any]] = {
    **sent.VALUES["book"],
    **sent.VALUES["shelf"],
    "shelfId": [1, 2, None],
    "moods": [["happy", None], None, []],
    "mood": ["sad", None],
    "weight": [1, 2, None],
    "id": [7, 8, 9, None],
}
PATTERNS = [  # verb, path, values
    ("CREATE", "/books", ["title", "price", "flag"]),
    ("CREATE", "/books", ["id", "title"]),
    ("CREATE", "/shelves/1/books", ["title", "notes"]),
    ("CREATE", "/books/{}", ["title", "shelfId"]),
    ("UPDATE", "/books/{}", ["price", "day", "big"]),
    ("UPDATE", "/shelves/1/books/{}", ["weight"]),
    ("UPDATE", "/shelves/{}", ["city"]),
    ("REPLACE", "/shelves/{}", ["name", "city"]),
    ("UPSERT", "/books/{}", ["title", "price"]),
    ("UPSERT", "/books", ["title", "code"]),
    ("UPSERT", "/books", ["code", "price"]),
    ("UPSERT", "/books", ["id", "code"]),
    ("GET", "/books/{}", None),
    ("GET", "/books", None),
    ("GET", "/books?limit=1", None),
    ("DELETE", "/shelves/{}", None),
    ("DELETE", "/books/{}", None),
    ("UPDATE", "/airports/{}", ["city"]),
    ("GET", "/books?title=a/{}", None),
    ("CREATE", "/shelves/$p0/books", ["title"]),
    ("UPDATE", "/shelves/$p0/books/{}", ["price"]),
]
KEYS = [*"12345678", *"12345678", "99999999999", "01", "x", "title=Ende", "%31", "1,2", "$p0", "1234567"]
EXTRAS: list[dict[str, Any]] = [
    *[{}] * 20,
    *(
        {"ifMatch": None},
        {"ifMatch": ["x"]},
        {"ifMatch": []},
        {"ifNoneMatch": None},
        {"ifNoneMatch": ["*"], "ifMatch": None},
    ),
    *({"references": [{"attribute": "shelf", "part": "p0"}]}, {"references": []}, {"payload": {}}, {"payload": None}),
    *({"payload": []}, {"payload": {"colour": 1}}, {"item": {"shelf": {}}}, {"id": "p0"}),
]


@st.composite
def alike(draw: st.DrawFn) -> Any:
    """Draw parts of few kinds, whose keys and values differ: mostly right."""
    patterns = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2))
    source = draw(st.sampled_from(["payload", "payload", "item"]))
    found = []
    for number in range(draw(st.integers(2, 8))):
        verb, path, names = draw(st.sampled_from(patterns))
        filled = path.format(draw(st.sampled_from(KEYS)))
        if number == 0 and "$p0" in path:
            verb, filled, names = "UPSERT", "/shelves/1", ["city"]
        made: dict[str, Any] = {"id": f"p{number}", "path": filled, "operation": verb}
        if names is not None:
            wrong = draw(st.integers(0, 19)) == 0
            choices = {name: [None, 5, "long" * 9] if wrong else VALUES[name] for name in names}
            values = sent.Members((name, draw(st.sampled_from(each))) for name, each in choices.items())
            member = (
                "airport"
                if "airports" in filled
                else "shelf"
                if filled.startswith("/shelves/") and filled.count("/") == 2
                else "book"
            )
            made[source] = values if source == "payload" else {member: values}
        found.append({**made, **draw(st.sampled_from(EXTRAS))})
    return sent.Members([("parts", found)])


def shown(part: Part) -> Any:
    """Write what a block can say of a part."""
    assert isinstance(part, Operation)
    (step,) = part.address
    assert (part.references, part.if_none_match, part.query, step.relation) == ((), None, None, None)
    key = step.selector.values if isinstance(step.selector, ByKey) else None
    etags = None if part.if_match is None else tuple(part.if_match.etags)
    return part.index, part.verb, part.resource.name, key, repr(dict(part.values)), etags


def shown_of_block(block: Block) -> Iterator[Any]:
    for place, index in enumerate(block.parts):
        values = {name: column[place] for name, column in block.columns.items()}
        etags = None if block.if_match is None else block.if_match[place]
        etags = ("*",) if etags is not None and "*" in etags else etags
        key = block.keys[place] if block.keys else None
        yield index, block.verb, block.resource.name, key, repr(values), None if etags is None else tuple(etags)


@tried
@given(variables=alike())
def test_blocks_say_what_their_parts_say(binding: Binding, variables: Any):
    requests = binding.decode(variables)
    assume(requests is not None)
    assert requests is not None

    blocks = bind_blocks(requests, binding.scope)

    event(f"{len(blocks)} blocks")
    if blocks:
        found = sorted(each for block in blocks for each in shown_of_block(block))
        parts = bind(requests, binding.scope)
        assert found == [shown(part) for part in parts]
        catalog = binding.scope.catalog
        assert locks(wanted_by_blocks(catalog, blocks)) == locks(wanted_rows(catalog, parts))


def locks(wanted: Mapping[str, Wanted]) -> dict[str, Any]:
    """Write which rows are locked, and how strongly."""
    return {
        name: (each.strength, each.addressed, each.pointed_at)
        for name, each in wanted.items()
        if each.addressed or each.pointed_at
    }


PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # a part, and what differs in the next
    "a path that is too long": (part("a", "DELETE", "/books/1"), {"path": "/books/12345678901234567"}),
    "a key in percents": (part("a", "DELETE", "/airports/A"), {"path": "/airports/A%20"}),
    "a key with a comma": (part("a", "DELETE", "/airports/A"), {"path": "/airports/A,B"}),
    "a key with an ampersand": (part("a", "DELETE", "/airports/A"), {"path": "/airports/A&B"}),
    "a key of other characters": (part("a", "DELETE", "/airports/A"), {"path": "/airports/é ;#+"}),
    "a key by name": (part("a", "DELETE", "/airports/A"), {"path": "/airports/code=A"}),
    "a key by another part": (part("a", "DELETE", "/airports/A"), {"path": "/airports/$a"}),
    "a key with a query": (part("a", "DELETE", "/airports/A"), {"path": "/airports/A?limit=1"}),
    "a key that is too long": (part("a", "DELETE", "/airports/A"), {"path": "/airports/ABCDEFGHIJK"}),
    "no key": (part("a", "DELETE", "/airports/A"), {"path": "/airports/"}),
    "a blank before a key": (part("a", "DELETE", "/books/1"), {"path": "/books/ 1"}),
    "a key with a leading zero": (part("a", "DELETE", "/books/1"), {"path": "/books/01"}),
    "other digits": (part("a", "DELETE", "/books/1"), {"path": "/books/\u0661"}),
    "a key that is no number": (part("a", "DELETE", "/books/1"), {"path": "/books/x"}),
    "a key after none": (
        part("a", "CREATE", "/books", {"title": "T", "id": None}),
        {"payload": {"title": "T", "id": 7}},
    ),
    "no key after one": (
        part("a", "CREATE", "/books", {"id": 7, "title": "T"}),
        {"payload": {"id": None, "title": "T"}},
    ),
    "a payload for a read": (part("a", "GET", "/books/1"), {"payload": {}}),
    "a list as payload": (part("a", "UPDATE", "/books/1", {}), {"payload": []}),
    "an item as well": (part("a", "UPDATE", "/books/1", {}), {"item": {"book": {}}}),
    "an item of another resource": (part("a", "UPDATE", "/books/1", None, item={"book": {}}), {"item": {"shelf": {}}}),
    "other names": (part("a", "UPDATE", "/books/1", {"day": None}), {"payload": {"big": None}}),
    "more names": (part("a", "UPDATE", "/books/1", {"day": None}), {"payload": {"day": None, "colour": 1}}),
    "the same id": (part("a", "DELETE", "/books/1"), {"path": "/books/2", "id": "a"}),
    "an empty id": (part("a", "DELETE", "/books/1"), {"path": "/books/2", "id": ""}),
    "an id that is too long": (part("a", "DELETE", "/books/1"), {"path": "/books/2", "id": "b" * 256}),
    "another verb": (part("a", "UPDATE", "/books/1", {}), {"operation": "CREATE"}),
}


def test_a_part_that_is_unlike_the_one_before_keeps_its_own_meaning(binding: Binding):
    for name, (first, difference) in PAIRS.items():
        requests = binding.decode({"parts": [first, {**first, "id": "b", **difference}]})
        assert requests is not None, name

        found = [each for block in bind_blocks(requests, binding.scope) for each in shown_of_block(block)]

        assert found in ([], [shown(part) for part in bind(requests, binding.scope)] if found else []), name


def test_a_path_over_the_limit_is_left_to_the_ordinary_binder(binding: Binding):
    requests = binding.decode({"parts": [part("a", "DELETE", "/shelves/1"), part("b", "DELETE", "/shelves/1234")]})
    assert requests is not None

    for longest, expected in ((12, 0), (13, 1)):
        scope = Scope(catalog=binding.scope.catalog, limits=Limits(path=longest))
        assert len(bind_blocks(requests, scope)) == expected


CREATE = part("p", "CREATE", "/books", {"title": "T", "price": "1.50", "flag": None})
UPDATE = part("p", "UPDATE", "/books/{}", {"price": "1.50"})
BLOCKS = {
    "creates": CREATE,
    "creates of typed items": part("p", "CREATE", "/books", None, item={"book": {"title": "T", "price": "1.50"}}),
    "updates": UPDATE,
    "updates of what others know": {**UPDATE, "ifMatch": ["x"]},
    "deletes": part("p", "DELETE", "/books/{}"),
    "text keys": part("p", "DELETE", "/airports/{}"),
    "text keys of characters that are not reserved": part("p", "DELETE", "/airports/é ;#+{}"),
}
NO_BLOCKS = {
    "creates at their own paths": {**CREATE, "path": "/books/{}"},
    "creates below a parent": {**CREATE, "path": "/shelves/1/books"},
    "upserts": {**UPDATE, "operation": "UPSERT", "payload": {"title": "T", "price": None}},
    "reads": part("p", "GET", "/books/{}"),
}


def test_plain_parts_are_one_block(binding: Binding):
    for patterns, expected in ((BLOCKS, 1), (NO_BLOCKS, 0)):
        for name, pattern in patterns.items():
            parts = [{**pattern, "id": str(number), "path": pattern["path"].format(number)} for number in range(50)]
            requests = binding.decode({"parts": parts})
            assert requests is not None, name

            assert len(bind_blocks(requests, binding.scope)) == expected, name
