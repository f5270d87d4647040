"""Each rule of a part, through each strategy: three similar parts in bulk, in groups, and one by one.

`python -m tests.scale.mutants` breaks the rules one after the other, and expects tests of all strategies to fail.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from storage.batch.execution.bulk import Bulk
from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, Json, part

SCRIPT = """
CREATE TABLE things (
  id {key}, name VARCHAR(5) NOT NULL, size SMALLINT CHECK (size < 100), flag BOOLEAN, made VARCHAR(9) DEFAULT 'now',
  closed VARCHAR(9), version INTEGER NOT NULL
);
CREATE TABLE codes (code VARCHAR(20) PRIMARY KEY, note VARCHAR(9));
INSERT INTO things (id, name, size, version) VALUES (1, 'a', 1, 4), (2, 'b', 2, 4), (3, 'c', 3, 4);
INSERT INTO codes (code) VALUES ('a&b'), ('c&d'), ('e&f');
"""
SETTINGS = {"things": {"version": "version", "attributes": {"closed": {"read_only": True}}}}


@pytest.fixture(params=["bulk", "grouped", "sequential"])
def api(request: pytest.FixtureRequest, backend: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A server that uses one strategy."""
    backend.run(SCRIPT)
    if backend.kind == "postgresql":
        backend.run("SELECT setval('things_id_seq', 3)")
    if request.param == "grouped":
        monkeypatch.setattr(Bulk, "prepare", lambda _: False)
    return start(backend, groups=request.param != "sequential", resources=SETTINGS, max_path=40)


def creates(payload: Mapping[str, Any]) -> list[Json]:
    return [part(f"p{n}", "CREATE", "/things", dict(payload)) for n in range(3)]


def updates(payload: Mapping[str, Any] | None, operation: str = "UPDATE", **others: Any) -> list[Json]:
    return [part(f"p{n}", operation, f"/things/{n}", payload, **others) for n in (1, 2, 3)]


def codes(keys: Sequence[str]) -> list[Json]:
    return [part(f"p{n}", "UPDATE", f"/codes/{key}", {"note": "n"}) for n, key in enumerate(keys)]


NAMED = {"name": "x"}
# rule -> three parts, and what is wrong with each of them
REFUSED: dict[str, tuple[list[Json], tuple[str, str | None]]] = {
    "what a new item requires": (creates({"size": 1}), ("REQUIRED", "/payload/name")),
    "null where it is not allowed": (updates({"name": None}), ("REQUIRED", "/payload/name")),
    "an attribute that is closed": (updates({"closed": "x"}), ("READ_ONLY", "/payload/closed")),
    "an attribute that is closed in a new item": (creates({**NAMED, "closed": "x"}), ("READ_ONLY", "/payload/closed")),
    "an unknown attribute": (updates({"nome": "x"}), ("UNKNOWN_ATTRIBUTE", "/payload/nome")),
    "a text that is too long": (updates({"name": "abcdef"}), ("INVALID_VALUE", "/payload/name")),
    "a text with a null character": (updates({"name": "a\x00"}), ("INVALID_VALUE", "/payload/name")),
    "an integer that is too large": (updates({"size": 32_768}), ("INVALID_VALUE", "/payload/size")),
    "an integer that is too small": (updates({"size": -32_769}), ("INVALID_VALUE", "/payload/size")),
    "a boolean that is a number": (updates({"flag": 1}), ("INVALID_VALUE", "/payload/flag")),
    "a check that is known": (updates({"size": 100}), ("CHECK_FAILED", "/payload/size")),
    "an etag of another version": (updates({"size": 5}, ifMatch=["3"]), ("PRECONDITION_FAILED", "/ifMatch")),
    "a weak etag": (updates({"size": 5}, ifMatch=['W/"4"']), ("PRECONDITION_FAILED", "/ifMatch")),
    "a key that is not canonical": (
        [part(f"p{n}", "UPDATE", f"/things/0{n}", {"size": 5}) for n in (1, 2, 3)],
        ("INVALID_PATH", "/path"),
    ),
    "a reserved character in a key": (codes(["a&b", "c&d", "e&f"]), ("INVALID_PATH", "/path")),
    "a path that is too long": (codes(["x" * 40, "y" * 40, "z" * 40]), ("INVALID_PATH", "/path")),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_part_that_breaks_a_rule_is_refused(api: Api, backend: Backend, rule: str):
    parts, expected = REFUSED[rule]
    before = backend.dump()

    result = api.batch(*parts)

    found = {each["id"]: [(error["code"], error["pointer"]) for error in each["errors"]] for each in result["parts"]}
    assert found == {each["id"]: [expected] for each in parts}
    assert backend.dump() == before


# rule -> three parts, and for each of them status, etag, and what of the payload
TAKEN: dict[str, tuple[list[Json], list[tuple[int, str | None, Json]]]] = {
    "a new item": (creates(NAMED), [(201, "1", {"name": "x", "made": "now", "version": 1})] * 3),
    "a change": (updates({"size": 5}), [(200, "5", {"size": 5, "version": 5})] * 3),
    "null": (updates({"size": None}), [(200, "5", {"size": None, "version": 5})] * 3),
    "a deletion": (updates(None, "DELETE"), [(204, None, None)] * 3),
    "a quoted etag": (updates({"size": 5}, ifMatch=['"4"']), [(200, "5", {"version": 5})] * 3),
    "any version": (updates({"size": 5}, ifMatch=["*"]), [(200, "5", {"version": 5})] * 3),
}


@pytest.mark.parametrize("rule", TAKEN)
def test_a_part_that_keeps_the_rules_is_written(api: Api, rule: str):
    parts, expected = TAKEN[rule]

    result = api.post(BATCH, {"parts": parts})["data"]["batch"]

    assert result["status"] == "COMMITTED"
    for each, (status, etag, payload) in zip(result["parts"], expected, strict=True):
        shown = each["payload"] if payload is None else {name: each["payload"][name] for name in payload}
        assert (each["status"], each["etag"], shown) == (status, etag, payload)
