"""Unique indexes that only the database can compare by, and what is at fault beside a part in error (docs/contract.md, section 2, rule 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Backend, Json, part
from tests.support.part_errors import codes, errors

pytestmark = pytest.mark.costly


@dataclass(frozen=True)
class Kind:
    """A unique rule: of the table `item`, of which it has two rows, 1 and 2."""

    ddl: str
    values: tuple[Json, Json]  # of the column that the rule reads, as the API takes them: of row 1 and of row 2
    column: str = "v"
    also: Mapping[str, Any] | None = None  # what a new item has to give beside it
    only: str | None = None


KINDS = {
    "over an expression": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v VARCHAR(9));\nCREATE UNIQUE INDEX rule ON item (lower(v));\n"
        "INSERT INTO item VALUES (1, 'a'), (2, 'b')",
        ("A", "B"),
    ),
    "of some rows": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER, live BOOLEAN);\n"
        "CREATE UNIQUE INDEX rule ON item (v) WHERE live;\nINSERT INTO item VALUES (1, 1, true), (2, 2, true)",
        (1, 2),
        also={"live": True},
    ),
    "of some rows, by a default": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER, live BOOLEAN DEFAULT true);\n"
        "CREATE UNIQUE INDEX rule ON item (v) WHERE live;\nINSERT INTO item VALUES (1, 1, true), (2, 2, true)",
        (1, 2),
    ),
    "over a computed column": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v VARCHAR(9), low VARCHAR(9) GENERATED ALWAYS AS (lower(v)) STORED);\n"
        "CREATE UNIQUE INDEX rule ON item (low);\nINSERT INTO item (id, v) VALUES (1, 'a'), (2, 'b')",
        ("A", "B"),
    ),
    "over a hidden column and an expression": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v VARCHAR(9), place INTEGER DEFAULT 7);\n"
        "CREATE UNIQUE INDEX rule ON item (place, upper(v));\nINSERT INTO item VALUES (1, 'a', 7), (2, 'b', 7)",
        ("A", "B"),
    ),
    "by a collation of the index": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT);\nCREATE UNIQUE INDEX rule ON item (v COLLATE NOCASE);\n"
        "INSERT INTO item VALUES (1, 'a'), (2, 'b')",
        ("A", "B"),
        only="sqlite",
    ),
    "by the collation of the column": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE UNIQUE);\nINSERT INTO item VALUES (1, 'a'), (2, 'b')",
        ("A", "B"),
        only="sqlite",
    ),
    "nulls not distinct": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER, w INTEGER, CONSTRAINT rule UNIQUE NULLS NOT DISTINCT (v, w));\n"
        "INSERT INTO item VALUES (1, 1, NULL), (2, 2, NULL)",
        (1, 2),
        only="postgresql",
    ),
    "an exclusion": Kind(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER, CONSTRAINT rule EXCLUDE USING gist (int4range(v, v + 5) WITH &&));\n"
        "INSERT INTO item VALUES (1, 10), (2, 20)",
        (12, 22),
        only="postgresql",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_only_the_part_at_fault_is_told_whatever_a_unique_rule_compares_by(backend: Backend, start: Serve, name: str):
    kind = KINDS[name]
    if kind.only not in {None, backend.kind}:
        pytest.skip(f"only {kind.only} has it")
    backend.run(kind.ddl)
    hidden = {"item": {"attributes": {"place": {"hidden": True}}}} if "hidden" in name else {}
    api = start(backend, resources=hidden)
    before = backend.dump()
    first, second = kind.values
    pointer = f"/payload/{kind.column}"
    conflict = [("CONFLICT", pointer)]
    new = {**(kind.also or {}), kind.column: first}

    found = {
        "swap": codes(
            api,
            part("a", "UPDATE", "/items/1", {kind.column: second}),
            part("b", "UPDATE", "/items/2", {kind.column: first}),
        ),
        "swap, one replaced": codes(
            api,
            part("a", "REPLACE", "/items/1", {**(kind.also or {}), kind.column: second}),
            part("b", "UPSERT", "/items/2", {kind.column: first}),
        ),
        "given up by a DELETE in error": codes(
            api, part("a", "DELETE", "/items/1", ifMatch=["other"]), part("b", "CREATE", "/items/3", new)
        ),
        "given up by an UPDATE that is wrong on its face": codes(
            api, part("a", "UPDATE", "/items/1", {kind.column: [], "x": 1}), part("b", "CREATE", "/items/3", new)
        ),
        "held by an item that no part is about": codes(
            api, part("a", "DELETE", "/items/2", ifMatch=["other"]), part("b", "CREATE", "/items/3", new)
        ),
        "its own value": api.batch(part("a", "UPDATE", "/items/1", {kind.column: first}), dry_run=True)["status"],
    }

    stale = [("PRECONDITION_FAILED", "/ifMatch")]
    assert found == {
        "swap": {"a": conflict},
        "swap, one replaced": {"a": conflict},
        "given up by a DELETE in error": {"a": stale},
        "given up by an UPDATE that is wrong on its face": {
            "a": [("INVALID_VALUE", pointer), ("UNKNOWN_ATTRIBUTE", "/payload/x")]
        },
        "held by an item that no part is about": {"a": stale, "b": conflict},
        "its own value": "VALID",
    }
    assert backend.dump() == before
    freed = api.batch(part("a", "DELETE", "/items/1"), part("b", "CREATE", "/items/3", new))
    assert freed["status"] == "COMMITTED"


def test_of_a_thousand_swaps_each_first_part_alone_is_at_fault(backend: Backend, start: Serve):
    rows = ", ".join(f"({n}, 'n{n}')" for n in range(1, 1_001))
    backend.run(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v VARCHAR(9));\nCREATE UNIQUE INDEX rule ON item (lower(v));\n"
        f"INSERT INTO item VALUES {rows}"
    )
    parts = [part(f"{n}", "UPDATE", f"/items/{n}", {"v": f"N{n + 1 if n % 2 else n - 1}"}) for n in range(1, 1_001)]

    found = errors(start(backend), *parts)

    assert list(found) == [f"{n}" for n in range(1, 1_001, 2)]
    assert {error["constraint"] for each in found.values() for error in each} == {"rule"}
    assert backend.rows("SELECT count(*) FROM item WHERE v = 'n' || id") == [(1_000,)]


def test_every_unique_rule_that_a_row_violates_is_told(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, code VARCHAR(9) CONSTRAINT one_code UNIQUE, name VARCHAR(9), place INTEGER);\n"
        "CREATE UNIQUE INDEX one_name ON item (lower(name));\nCREATE UNIQUE INDEX one_place ON item (place) WHERE place > 3;\n"
        "INSERT INTO item VALUES (1, 'c', 'n', 5)"
    )
    api = start(backend)

    found = errors(api, part("p", "CREATE", "/items/2", {"code": "c", "name": "N", "place": 5}))

    assert [(each["attributes"], each["constraint"], each["params"]) for each in found["p"]] == [
        (["code"], "one_code", None),
        (["name"], "one_name", None),
        (["place"], "one_place", None),
    ]


def test_what_an_index_only_carries_along_is_no_part_of_its_key(postgresql: Backend, start: Serve):
    postgresql.run(
        "CREATE TABLE item (tenant INTEGER, id INTEGER, email TEXT, name TEXT, extra TEXT, PRIMARY KEY (tenant, id) INCLUDE (extra));\n"
        "CREATE UNIQUE INDEX one_email ON item (lower(email)) INCLUDE (extra);\n"
        "CREATE UNIQUE INDEX one_name ON item (name) INCLUDE (extra, email) WHERE tenant > 0;\n"
        "INSERT INTO item VALUES (1, 1, 'a', 'n', 'x')"
    )
    api = start(postgresql)

    found = errors(
        api,
        part("key", "CREATE", "/items", {"tenant": 1, "id": 1}),
        part("other", "CREATE", "/items", {"tenant": 2, "id": 1, "email": "A", "name": "n", "extra": "y"}),
        part("extra", "CREATE", "/items", {"tenant": 3, "id": 1, "email": "b", "name": "m", "extra": "x"}),
    )

    assert {id_: [each["attributes"] for each in every] for id_, every in found.items()} == {
        "key": [["tenant", "id"]],
        "other": [["email"], ["name"]],
    }


def test_an_index_whose_expression_fails_for_some_row_is_told_as_the_database_tells_it(
    postgresql: Backend, start: Serve
):
    postgresql.run(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT, w TEXT CHECK (w <> 'x'));\n"
        "CREATE UNIQUE INDEX rule ON item ((v::integer)) WHERE w = 'number';\n"
        "INSERT INTO item VALUES (1, '1', 'number'), (2, 'x1', 'text')"
    )

    found = errors(start(postgresql), part("p", "CREATE", "/items/3", {"v": "01", "w": "number"}))

    assert [(each["code"], each["attributes"], each["constraint"]) for each in found["p"]] == [
        ("CONFLICT", ["v"], "rule")
    ]


def test_foreign_keys_and_keys_name_their_constraints(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE shop (id INTEGER CONSTRAINT shop_key PRIMARY KEY, name VARCHAR(9));\n"
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY, shop_id INTEGER, CONSTRAINT to_shop FOREIGN KEY (shop_id) REFERENCES shop (id));\n"
        "INSERT INTO shop VALUES (1, 'a');\nINSERT INTO shelf VALUES (1, 1)"
    )

    found = errors(
        start(backend),
        part("key", "CREATE", "/shops", {"id": 1}),
        part("path", "CREATE", "/shops/1", {}),
        part("target", "UPDATE", "/shelves/1", {"shopId": 9}),
        part("held", "DELETE", "/shops/1"),
        part("name", "UPDATE", "/shops/1", {"name": 5}),
    )

    # The part `target` would have pointed elsewhere, so `held` cannot be judged.
    assert {id_: [(e["code"], e["constraint"]) for e in every] for id_, every in found.items()} == {
        "key": [("CONFLICT", "shop_key")],
        "path": [("CONFLICT", "shop_key")],
        "target": [("MISSING_TARGET", "to_shop")],
        "name": [("INVALID_VALUE", None)],
    }
    assert [e["constraint"] for e in errors(start(backend), part("held", "DELETE", "/shops/1"))["held"]] == ["to_shop"]


def test_a_value_that_an_errored_part_would_only_have_spelled_otherwise_stays_taken(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v VARCHAR(9), n INTEGER);\nCREATE UNIQUE INDEX rule ON item (lower(v));\n"
        "INSERT INTO item VALUES (1, 'a', 1)"
    )
    api = start(backend)
    new = part("b", "CREATE", "/items/2", {"v": "a"})

    found = {
        "spelled otherwise": codes(api, part("a", "UPDATE", "/items/1", {"v": "A", "n": "x"}), new),
        "another attribute": codes(api, part("a", "UPDATE", "/items/1", {"n": "x"}), new),
        "given up": codes(api, part("a", "UPDATE", "/items/1", {"v": "c", "n": "x"}), new),
        "nobody knows": codes(api, part("a", "UPDATE", "/items/1", {"v": 5}), new),
    }

    wrong, conflict = [("INVALID_VALUE", "/payload/n")], [("CONFLICT", "/payload/v")]
    assert found == {
        "spelled otherwise": {"a": wrong, "b": conflict},
        "another attribute": {"a": wrong, "b": conflict},
        "given up": {"a": wrong},
        "nobody knows": {"a": [("INVALID_VALUE", "/payload/v")]},
    }


@pytest.mark.parametrize(
    "rule",
    ["EXCLUDE USING gist (int4range(v, v + 5) WITH &&)", "UNIQUE NULLS NOT DISTINCT (v)"],
    ids=["exclusion", "nulls"],
)
def test_what_is_compared_at_commit_only_is_told_of_the_part_that_wrote_last(
    postgresql: Backend, start: Serve, rule: str
):
    postgresql.run(
        f"CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER, CONSTRAINT rule {rule} DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO item VALUES (1, 10), (2, 20)"
    )
    api = start(postgresql)
    before = postgresql.dump()

    found = errors(
        api,
        part("a", "CREATE", "/items/3", {"v": 30}),
        part("b", "CREATE", "/items/4", {"v": 30}),
        part("c", "UPDATE", "/items/1", {"v": 20}),
    )

    assert {id_: [(e["code"], e["pointer"], e["constraint"]) for e in every] for id_, every in found.items()} == {
        "b": [("CONFLICT", "/payload/v", "rule")],
        "c": [("CONFLICT", "/payload/v", "rule")],
    }
    assert postgresql.dump() == before
    swapped = api.batch(part("a", "UPDATE", "/items/1", {"v": 20}), part("b", "UPDATE", "/items/2", {"v": 10}))
    assert swapped["status"] == "COMMITTED"


def test_a_deferred_key_is_told_with_the_checks_of_its_row(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE seat (
          id INTEGER PRIMARY KEY, place INTEGER, CONSTRAINT one_place UNIQUE (place) DEFERRABLE INITIALLY DEFERRED,
          tier INTEGER CONSTRAINT positive CHECK (tier > 0), next INTEGER REFERENCES seat DEFERRABLE INITIALLY DEFERRED,
          side INTEGER CONSTRAINT even CHECK (side % 2 = 0)
        );
        INSERT INTO seat (id, place, side) VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 0)
    """)
    api = start(postgresql)
    before = postgresql.dump()

    found = codes(
        api,
        part("new", "CREATE", "/seats", {"id": 9, "place": 3, "side": 1}),
        part("low", "CREATE", "/seats", {"id": 8, "place": 3, "tier": 0, "next": 77}),
        part("next", "UPDATE", "/seats/4", {"place": 3, "tier": 0, "next": 77}),
        part("swap", "UPDATE", "/seats/1", {"place": 2, "side": 1}),
        part("back", "UPDATE", "/seats/2", {"place": 1}),
    )

    assert found == {
        "new": [("CONFLICT", "/payload/place"), ("CHECK_FAILED", "/payload/side")],
        "low": [("CONFLICT", "/payload/place"), ("MISSING_TARGET", "/payload/next"), ("CHECK_FAILED", "/payload/tier")],
        "next": [
            ("CONFLICT", "/payload/place"),
            ("MISSING_TARGET", "/payload/next"),
            ("CHECK_FAILED", "/payload/tier"),
        ],
        "swap": [("CHECK_FAILED", "/payload/side")],
    }
    assert postgresql.dump() == before


@pytest.mark.parametrize("groups", [True, False])
def test_documents_and_arrays_that_are_unique(postgresql: Backend, start: Serve, groups: bool):
    postgresql.run("""
        CREATE TABLE doc (id INTEGER PRIMARY KEY, body JSONB UNIQUE, tags TEXT[] UNIQUE, side INTEGER CONSTRAINT even CHECK (side % 2 = 0));
        CREATE TABLE note (id INTEGER PRIMARY KEY, doc INTEGER REFERENCES doc);
        INSERT INTO doc VALUES (1, '{"n": 1}', '{a}', 0), (2, '[1]', '{b}', 0)
    """)
    api = start(postgresql, groups=groups)
    before = postgresql.dump()

    found = codes(
        api,
        part("read", "GET", "/docs/1"),
        part("new", "CREATE", "/docs", {"id": 3, "body": {"n": 1.0}, "tags": ["b"], "side": 1}),
        part("change", "UPDATE", "/docs/2", {"body": {"n": 1}, "tags": ["a"]}),
        part("same", "REPLACE", "/docs/1", {"body": {"n": 1}, "tags": ["a"]}),
        part("note", "CREATE", "/notes", {"id": 1, "doc": 2}),
    )

    taken = [("CONFLICT", "/payload/body"), ("CONFLICT", "/payload/tags")]
    assert found == {"new": [*taken, ("CHECK_FAILED", "/payload/side")], "change": taken}
    assert postgresql.dump() == before
    done = [
        part("upsert", "UPSERT", "/docs", {"body": {"n": 1}, "side": 2}),
        part("gone", "DELETE", "/docs/2"),
        *(part(f"p{n}", "CREATE", "/docs", {"id": n, "body": {"m": n}, "tags": [str(n)]}) for n in range(10, 1_010)),
    ]
    assert api.batch(*done)["status"] == "COMMITTED"
    assert postgresql.rows("SELECT count(*), sum(side) FROM doc") == [(1_001, 2)]
