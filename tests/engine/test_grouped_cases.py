"""Grouped equals sequential on tables that random batches (tests/engine/test_grouped.py) do not have: small cases, by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import BARE_BATCH, BATCH, LEAN_BATCH, Backend, Json, part

pytestmark = pytest.mark.costly

Part = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One table, and a batch on it."""

    table: str  # its columns
    rows: str
    parts: Sequence[Part]
    settings: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("sqlite", "postgresql")


_COUNTED = {"resources": {"thing": {"version": "version"}}}
# What is hard about it -> the case.
CASES = {
    "a column that the database computes": Case(
        "id {key}, n INTEGER, twice INTEGER GENERATED ALWAYS AS (n * 2) STORED",
        "(id, n) VALUES (1, 1), (2, 2)",
        [
            part("a", "UPDATE", "/things/1", {"n": 5}),
            part("b", "UPDATE", "/things/1", {"n": 6}),
            part("c", "GET", "/things/1"),
            part("d", "CREATE", "/things", {"id": 9, "n": 3}),
            part("e", "UPDATE", "/things/9", {"n": 4}),
            part("f", "REPLACE", "/things/2", {"n": 4}),
        ],
    ),
    "a unique key over it": Case(
        "id {key}, n INTEGER, twice INTEGER GENERATED ALWAYS AS (n * 2) STORED UNIQUE",
        "(id, n) VALUES (1, 1), (2, 2)",
        [part("a", "UPDATE", "/things/1", {"n": 5}), part("b", "CREATE", "/things", {"id": 9, "n": 1})],
    ),
    "a key of a truth and a day": Case(
        "flag BOOLEAN NOT NULL, day DATE NOT NULL, n INTEGER, PRIMARY KEY (day, flag)",
        "(flag, day, n) VALUES (TRUE, '2024-01-01', 1)",
        [
            part("a", "UPDATE", "/things/2024-01-01,true", {"n": 5}),
            part("b", "CREATE", "/things", {"flag": False, "day": "2024-01-01", "n": 1}),
            part("c", "DELETE", "/things/2024-01-01,true"),
            part("d", "CREATE", "/things", {"flag": True, "day": "2024-01-01"}),
        ],
    ),
    "a default that a later part replaces, before the version is asked for": Case(
        "id {key}, n INTEGER NOT NULL DEFAULT 7, m INTEGER DEFAULT 8",
        "(id, n, m) VALUES (1, 1, 1)",
        [
            part("a", "CREATE", "/things", {"id": 9, "m": 5}),
            part("b", "REPLACE", "/things/9", {"n": 3, "m": 5}),
            part("c", "GET", "/things/9", ifNoneMatch=["1"]),
            part("d", "UPDATE", "/things/9", {"n": 4}, ifNoneMatch=["1"]),
            part("e", "REPLACE", "/things/1", {"n": 3}),
            part("f", "UPDATE", "/things/1", {"m": 9}),
            part("g", "DELETE", "/things/1", ifNoneMatch=["1"]),
        ],
    ),
    "a unique value that is a default": Case(
        "id {key}, code VARCHAR(5) DEFAULT 'q' UNIQUE, n INTEGER",
        "(id, code, n) VALUES (1, 'a', 1), (2, 'b', 2)",
        [
            part("a", "REPLACE", "/things/1", {"n": 1}),
            part("b", "UPDATE", "/things/1", {"code": "r"}),
            part("c", "CREATE", "/things", {"id": 5, "n": 1}),
            part("d", "UPDATE", "/things/5", {"code": "z"}),
            part("e", "REPLACE", "/things/2", {"n": 1}),
        ],
    ),
    "rows that point at their own unique values": Case(
        "id {key}, code VARCHAR(5) UNIQUE, up VARCHAR(5) REFERENCES thing (code)",
        "(id, code, up) VALUES (1, 'a', NULL), (2, 'b', 'a')",
        [
            part("a", "UPDATE", "/things/2", {"code": "q", "up": "q"}),
            part("b", "UPDATE", "/things/1", {"code": "r", "up": "r"}),
            part("c", "CREATE", "/things", {"id": 4, "code": "a", "up": "b"}),
            part("d", "CREATE", "/things", {"id": 5, "code": "b", "up": "b"}),
        ],
    ),
    "a check on attributes of two parts": Case(
        "id {key}, low INTEGER, high INTEGER, CHECK (low <= high)",
        "(id, low, high) VALUES (1, 1, 1), (2, 2, 2)",
        [
            part("a", "UPDATE", "/things/1", {"high": 9}),
            part("b", "UPDATE", "/things/1", {"low": 5}),
            part("c", "UPDATE", "/things/2", {"low": 9}),
            part("d", "UPDATE", "/things/2", {"high": 9}),
        ],
    ),
    "keys that overlap": Case(
        "id {key}, a INTEGER UNIQUE, b INTEGER UNIQUE, UNIQUE (a, b)",
        "(id, a, b) VALUES (1, 1, 1), (2, 2, 2)",
        [
            part("a", "UPDATE", "/things/1", {"a": 3}),
            part("b", "UPDATE", "/things/2", {"a": 1, "b": 3}),
            part("c", "CREATE", "/things", {"id": 3, "a": 2, "b": 2}),
        ],
    ),
    "texts that mean something elsewhere": Case(
        "code VARCHAR(20) PRIMARY KEY, n INTEGER",
        "(code, n) VALUES ('', 1), ('a,b', 2), ('x%', 3)",
        [
            part("a", "UPDATE", "/things/code=", {"n": 9}),
            part("b", "UPDATE", "/things/a%2Cb", {"n": 9}),
            part("c", "DELETE", "/things/x%25"),
            part("d", "CREATE", "/things", {"code": '{"\\,}'}),
            part("e", "CREATE", "/things", {"code": "NULL"}),
            part("f", "UPDATE", "/things/NULL", {"n": 1}),
        ],
    ),
    "a version that is null": Case(
        "id {key}, n INTEGER, version INTEGER",
        "(id, n, version) VALUES (1, 1, NULL), (2, 2, 3)",
        [
            part("a", "UPDATE", "/things/1", {"n": 2}),
            part("b", "UPDATE", "/things/1", {"n": 3}, ifMatch=["1"]),
            part("c", "UPDATE", "/things/2", {"n": 3}, ifMatch=["3"]),
        ],
        _COUNTED,
    ),
}
_TEXT = {"resources": {"thing": {"version": "version", "attributes": {"code": {"type": "String"}}}}}
_NAMED = "(id, code, version) VALUES (1, 'a', 1), (2, 'b', 1)"
# Found by random batches, once.
FOUND = {
    "a new item whose key somebody guesses": Case(
        "id {key}, n INTEGER",
        "(id, n) VALUES (1, 1), (2, 2), (3, 3)",
        [part("a", "CREATE", "/things", {"n": 5}), part("b", "UPDATE", "/things/4", {"n": 6})],
        kinds=("sqlite",),
    ),
    "a new item that gets the key of a deleted one": Case(
        "id {key}, n INTEGER",
        "(id, n) VALUES (1, 1), (2, 2), (3, 3)",
        [
            part("a", "DELETE", "/things/3"),
            part("b", "CREATE", "/things", {"n": 5}),
            part("c", "UPDATE", "/things/3", {"n": 6}),
        ],
        kinds=("sqlite",),
    ),
    "a decimal without a declared scale": Case(
        "id {key}, rate NUMERIC",
        "(id, rate) VALUES (1, 1)",
        [part("a", "CREATE", "/things", {"id": 2, "rate": "1.50"}), part("b", "UPDATE", "/things/1", {"rate": "2.50"})],
        kinds=("sqlite",),
    ),
    "a whole number in a column of floating point": Case(
        "id {key}, ratio {double}",
        "(id, ratio) VALUES (1, 1.5), (2, 2.5)",
        [part("a", "UPDATE", "/things/1", {"ratio": 3}), part("b", "UPDATE", "/things/2", {"ratio": None})],
    ),
    "no JSON": Case(
        "id {key}, document {json}",
        "(id, document) VALUES (1, '{}')",
        [part("a", "UPDATE", "/things/1", {"document": None})],
        kinds=("sqlite",),
    ),
    "a unique text in a column that may convert it": Case(
        "id {key}, code STRING UNIQUE, version INTEGER NOT NULL DEFAULT 1",
        _NAMED,
        [part("a", "UPDATE", "/things/1", {"code": "z"}, ifMatch=["1"])],
        _TEXT,
        kinds=("sqlite",),
    ),
    "a unique text of a domain": Case(
        "id {key}, code word UNIQUE, version INTEGER NOT NULL DEFAULT 1",
        _NAMED,
        [part("a", "UPDATE", "/things/1", {"code": "z"}, ifMatch=["1"])],
        _COUNTED,
        kinds=("postgresql",),
    ),
}
_UNIQUE = "id {key}, code VARCHAR(5) UNIQUE, n INTEGER, version INTEGER NOT NULL DEFAULT 1"
_THREE = "(id, code, n) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)"


def _counted(*parts: Part, kinds: tuple[str, ...] = ("sqlite", "postgresql")) -> Case:
    return Case(_UNIQUE, _THREE, parts, _COUNTED, kinds)


# What the bulk way leaves to the database, and looks at only after a refusal.
LEFT = {
    "a deleted row's value, taken after it": _counted(
        part("a", "DELETE", "/things/1"), part("b", "CREATE", "/things", {"id": 8, "code": "a"})
    ),
    "a deleted row's value, taken before it": _counted(
        part("a", "CREATE", "/things", {"id": 8, "code": "a"}), part("b", "DELETE", "/things/1")
    ),
    "a changed row's value, taken after it": _counted(
        part("a", "UPDATE", "/things/1", {"code": "z"}), part("b", "CREATE", "/things", {"id": 8, "code": "a"})
    ),
    "a changed row's value, taken before it": _counted(
        part("a", "CREATE", "/things", {"id": 8, "code": "a"}), part("b", "UPDATE", "/things/1", {"code": "z"})
    ),
    "a deleted row's value, taken by a change before it": _counted(
        part("a", "UPDATE", "/things/2", {"code": "a"}), part("b", "DELETE", "/things/1")
    ),
    "a value handed on, and another that is taken": _counted(
        part("a", "DELETE", "/things/1"),
        part("b", "CREATE", "/things", {"id": 8, "code": "a"}),
        part("c", "CREATE", "/things", {"id": 9, "code": "b"}),
    ),
    "a change of what is made before it": _counted(
        part("a", "CREATE", "/things", {"n": 5}), part("b", "UPDATE", "/things/4", {"n": 6}), kinds=("sqlite",)
    ),
    "a change of what is made after it": _counted(
        part("a", "UPDATE", "/things/4", {"n": 6}), part("b", "CREATE", "/things", {"n": 5}), kinds=("sqlite",)
    ),
    "a delete of what is made before it": _counted(
        part("a", "CREATE", "/things", {"n": 5}), part("b", "DELETE", "/things/4"), kinds=("sqlite",)
    ),
    "a delete of what is made after it": _counted(
        part("a", "DELETE", "/things/4"), part("b", "CREATE", "/things", {"n": 5}), kinds=("sqlite",)
    ),
    "changes against the order of the keys": _counted(
        part("a", "UPDATE", "/things/3", {"n": 5}),
        part("b", "UPDATE", "/things/1", {"n": 6}),
        part("c", "UPDATE", "/things/2", {"n": 7}),
    ),
    "versions that hold": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=["1"]),
        part("b", "UPDATE", "/things/2", {"n": 5}, ifMatch=['"1"']),
        part("c", "UPDATE", "/things/3", {"n": 5}),
    ),
    "a version that does not hold": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=["1"]),
        part("b", "UPDATE", "/things/2", {"n": 5}, ifMatch=["2"]),
        part("c", "UPDATE", "/things/3", {"n": 5}, ifMatch=["1"]),
    ),
    "a version of what is not there": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=["1"]),
        part("b", "UPDATE", "/things/9", {"n": 5}, ifMatch=["1"]),
    ),
    "versions that are deleted": _counted(
        part("a", "DELETE", "/things/1", ifMatch=["1"]),
        part("b", "DELETE", "/things/2", ifMatch=["3"]),
        part("c", "DELETE", "/things/3"),
    ),
    "versions that are no plain numbers": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=["1"]),
        part("b", "UPDATE", "/things/2", {"n": 5}, ifMatch=['W/"1"']),
    ),
    "a version with a zero before it": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=["1"]),
        part("b", "UPDATE", "/things/2", {"n": 5}, ifMatch=["01"]),
    ),
    "one version of several": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=["7", "1"]),
        part("b", "UPDATE", "/things/2", {"n": 5}, ifMatch=["1"]),
    ),
    "half a quote": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=["1"]),
        part("b", "UPDATE", "/things/2", {"n": 5}, ifMatch=['"1']),
    ),
    "any version": _counted(
        part("a", "UPDATE", "/things/1", {"n": 5}, ifMatch=None), part("b", "DELETE", "/things/9", ifMatch=None)
    ),
}


def _each(cases: Mapping[str, Case]) -> list[Any]:
    return [pytest.param(kind, case, id=f"{name}, {kind}") for name, case in cases.items() for kind in case.kinds]


@pytest.fixture
def backend(request: pytest.FixtureRequest, kind: str) -> Backend:
    """An empty database of the case's kind."""
    found: Backend = request.getfixturevalue(kind)
    return found


def _both_ways(backend: Backend, start: Serve, case: Case, query: str) -> list[tuple[Json, Json]]:
    backend.run("DROP TABLE IF EXISTS thing")
    if backend.kind == "postgresql":
        backend.run("DROP DOMAIN IF EXISTS word;\nCREATE DOMAIN word AS VARCHAR(12)")
    backend.run(f"CREATE TABLE thing ({case.table})")
    found = []
    for groups in (False, True):
        backend.run(f"DELETE FROM thing;\nINSERT INTO thing {case.rows}")
        answer = start(backend, groups=groups, **case.settings).post(query, {"parts": case.parts})
        found.append((answer, backend.dump()))
    return found


@pytest.mark.parametrize("query", [BATCH, LEAN_BATCH, BARE_BATCH], ids=["rows", "paths", "statuses"])
@pytest.mark.parametrize(("kind", "case"), _each({**CASES, **FOUND, **LEFT}))
def test_groups_mean_what_the_parts_mean_one_by_one(kind: str, case: Case, query: str, backend: Backend, start: Serve):
    one_by_one, grouped = _both_ways(backend, start, case, query)

    assert "errors" not in one_by_one[0]
    assert grouped == one_by_one


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_parts_that_point_at_one_row_by_two_of_its_keys(kind: str, backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE team (id {key}, code VARCHAR(5) UNIQUE);
        CREATE TABLE fan (id {key}, team_id INTEGER REFERENCES team (id), shirt VARCHAR(5) REFERENCES team (code));
        INSERT INTO team VALUES (1, 'a')""")
    parts = [part(f"p{n}", "CREATE", "/fans", {"id": n, "teamId": 1, "shirt": "a"}) for n in (7, 8, 9)]

    assert start(backend).batch(*parts)["status"] == "COMMITTED"

    assert sorted(backend.rows("SELECT id, team_id, shirt FROM fan")) == [(7, 1, "a"), (8, 1, "a"), (9, 1, "a")]
