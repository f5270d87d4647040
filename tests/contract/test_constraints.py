"""What the database refuses, attributed to part, attribute and code (docs/contract.md, section 2, rules 1 and 2)."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, part

SHOP = """
CREATE TABLE shops (id {key}, name VARCHAR(20), town VARCHAR(20), CONSTRAINT the_name_rule UNIQUE (name));
CREATE UNIQUE INDEX the_town_rule ON shops (lower(town));
CREATE TABLE shelves (
  id {key}, shop_id INTEGER NOT NULL, place INTEGER NOT NULL, low INTEGER, high INTEGER, size INTEGER, hook INTEGER,
  CONSTRAINT the_place_rule UNIQUE (shop_id, place),
  CONSTRAINT the_shop_rule FOREIGN KEY (shop_id) REFERENCES shops (id),
  CONSTRAINT the_order_rule CHECK (low <= high),
  CHECK (size > 0)
);
CREATE UNIQUE INDEX the_hook_rule ON shelves (hook) WHERE hook > 10;
CREATE TABLE labels (
  id INTEGER PRIMARY KEY, name VARCHAR(20) REFERENCES shops (name), shelf_id INTEGER REFERENCES shelves (id) ON DELETE CASCADE,
  shop_id INTEGER REFERENCES shops (id) ON DELETE SET NULL
);
CREATE TABLE pairs (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE notes (
  id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, CONSTRAINT the_pair_rule FOREIGN KEY (a, b) REFERENCES pairs (a, b)
);
INSERT INTO shops (id, name, town) VALUES (1, 'A', 'Kiel'), (2, 'B', 'Rom'), (3, 'C', NULL);
INSERT INTO shelves (id, shop_id, place, low, high, size, hook) VALUES (1, 1, 1, 0, 9, 1, 11), (2, 2, 1, 0, 9, 1, 5);
INSERT INTO labels (id, name, shelf_id, shop_id) VALUES (1, 'A', NULL, NULL), (2, NULL, 2, NULL), (3, NULL, NULL, 3);
INSERT INTO pairs (a, b) VALUES (1, 1);
INSERT INTO notes (id, a, b) VALUES (1, 1, 1)
"""
INTERNAL = (
    "_rule",
    "CHECK",
    "UNIQUE",
    "constraint",
    "SELECT",
    "INSERT",
    "UPDATE",
    "shop_id",
    "trigger",
    "fkey",
    "index",
)


def said(api: Api, *parts: Json) -> dict[str, list[str]]:
    """Run parts dry: part id -> `CODE pointer attributes` of each fault; no message may tell internals."""
    result = api.batch(*parts, dry_run=True)
    errors = {each["id"]: each["errors"] for each in result["parts"] if each["errors"]}
    told = [
        (e["message"], word) for found in errors.values() for e in found for word in INTERNAL if word in e["message"]
    ]
    assert told == []
    return {
        id_: [f"{each['code']} {each['pointer']} {','.join(each['attributes'])}" for each in found]
        for id_, found in errors.items()
    }


@pytest.fixture
def shop(backend: Backend, start: Serve) -> Api:
    backend.run(SHOP)
    if backend.kind == "postgresql":
        backend.run(
            "SELECT setval(pg_get_serial_sequence('shops', 'id'), 3);\nSELECT setval(pg_get_serial_sequence('shelves', 'id'), 2)"
        )
    return start(backend)


SHELF = {"shopId": 1, "place": 9}
ORDER = "CHECK_FAILED /payload/low low,high"
PLACE = "CONFLICT /payload/shopId shopId,place"
CASES: list[Any] = [
    ("unique", "CREATE", "/shops", {"name": "A"}, ["CONFLICT /payload/name name"]),
    ("unique, changed", "UPDATE", "/shops/3", {"name": "A"}, ["CONFLICT /payload/name name"]),
    ("unique, its own value", "UPDATE", "/shops/1", {"name": "A"}, []),
    ("unique, nulls are no values", "CREATE", "/shops", {"name": None}, []),
    ("unique over two columns", "CREATE", "/shelves", {"shopId": 1, "place": 1}, [PLACE]),
    ("unique over two columns, one of them changed", "UPDATE", "/shelves/2", {"shopId": 1}, [PLACE]),
    ("unique over an expression", "CREATE", "/shops", {"town": "KIEL"}, ["CONFLICT /payload/town town"]),
    ("unique for some rows", "CREATE", "/shelves", SHELF | {"hook": 11}, ["CONFLICT /payload/hook hook"]),
    ("unique for others", "CREATE", "/shelves", SHELF | {"hook": 5}, []),
    ("primary key", "CREATE", "/shops", {"id": 1}, ["CONFLICT /payload/id id"]),
    ("primary key of the path", "CREATE", "/shops/1", {}, ["CONFLICT /path id"]),
    ("primary key of two columns", "CREATE", "/pairs", {"a": 1, "b": 1}, ["CONFLICT /payload/a a,b"]),
    ("foreign key", "CREATE", "/shelves", {"shopId": 99, "place": 1}, ["MISSING_TARGET /payload/shopId shopId"]),
    ("foreign key, changed", "UPDATE", "/shelves/1", {"shopId": 99}, ["MISSING_TARGET /payload/shopId shopId"]),
    ("foreign key of two columns", "CREATE", "/notes", {"id": 9, "a": 1, "b": 2}, ["MISSING_TARGET /payload/a a,b"]),
    ("foreign key of two columns, one changed", "UPDATE", "/notes/1", {"b": 2}, ["MISSING_TARGET /payload/b a,b"]),
    ("foreign key of two columns, one null", "UPDATE", "/notes/1", {"b": None}, []),
    ("foreign key to a unique attribute", "CREATE", "/labels", {"id": 9, "name": "Z"}, ["MISSING_TARGET /payload/name name"]),
    ("still referenced", "DELETE", "/shops/2", None, ["STILL_REFERENCED /path "]),
    ("still referenced by two columns", "DELETE", "/pairs/1,1", None, ["STILL_REFERENCED /path "]),
    ("on delete cascade", "DELETE", "/shelves/2", None, []),
    ("on delete set null", "DELETE", "/shops/3", None, []),
    ("null for not null", "UPDATE", "/shelves/1", {"place": None}, ["REQUIRED /payload/place place"]),
    ("nothing for not null", "CREATE", "/shelves", {"shopId": 1}, ["REQUIRED /payload/place place"]),
    ("named check over two columns", "CREATE", "/shelves", SHELF | {"low": 2, "high": 1}, [ORDER]),
    ("named check, one of them changed", "UPDATE", "/shelves/1", {"low": 10}, [ORDER]),
    ("named check with null", "UPDATE", "/shelves/1", {"low": 10, "high": None}, []),
    ("unnamed check", "UPDATE", "/shelves/1", {"size": 0}, ["CHECK_FAILED /payload/size size"]),
    (
        "all kinds at once",
        "CREATE",
        "/shelves",
        {"id": 1, "shopId": 1, "place": 1, "low": 2, "high": 1},
        ["CONFLICT /payload/id id", PLACE, ORDER],
    ),
    (
        "foreign key and check at once",
        "CREATE",
        "/shelves",
        {"id": 1, "shopId": 99, "place": 1, "low": 2, "high": 1},
        ["CONFLICT /payload/id id", "MISSING_TARGET /payload/shopId shopId", ORDER],
    ),
]  # fmt: skip


def test_each_constraint_names_its_attributes_and_code(shop: Api, backend: Backend):
    before = backend.dump()

    found = {name: said(shop, part("p", *case)).get("p", []) for name, *case, _ in CASES}

    assert found == {name: expected for name, *_, expected in CASES}
    assert backend.dump() == before


def test_beside_a_unique_index_over_expressions_or_for_some_rows_the_others_are_found_all_the_same(shop: Api):
    found = said(
        shop,
        part("some", "CREATE", "/shelves", {"shopId": 1, "place": 1, "hook": 11}),
        part("lower", "UPDATE", "/shops/3", {"name": "A", "town": "ROM"}),
    )

    assert found == {
        "some": [PLACE, "CONFLICT /payload/hook hook"],
        "lower": ["CONFLICT /payload/name name", "CONFLICT /payload/town town"],
    }


def test_a_check_over_two_columns_points_at_the_one_that_is_given(shop: Api):
    found = said(
        shop, part("low", "UPDATE", "/shelves/1", {"low": 10}), part("high", "UPDATE", "/shelves/2", {"high": -1})
    )

    assert found == {"low": [ORDER], "high": ["CHECK_FAILED /payload/high low,high"]}


def test_a_value_that_others_point_at_stays(shop: Api):
    assert said(shop, part("p", "UPDATE", "/shops/1", {"town": "Ulm"})) == {}
    (fault,) = said(shop, part("p", "UPDATE", "/shops/1", {"name": "Z"}))["p"]
    assert fault.startswith("STILL_REFERENCED ")


def test_children_go_with_their_parent_or_lose_it(shop: Api, backend: Backend):
    shop.batch(part("cascade", "DELETE", "/shelves/2"), part("null", "DELETE", "/shops/3"))

    assert backend.rows("SELECT id, shelf_id, shop_id FROM labels ORDER BY id") == [(1, None, None), (3, None, None)]


def test_two_parts_of_one_batch_that_want_one_value_fault_the_second(shop: Api):
    found = said(
        shop,
        part("first", "CREATE", "/shops", {"name": "N"}),
        part("second", "CREATE", "/shops", {"name": "N"}),
        part("place", "UPDATE", "/shelves/1", {"place": 7}),
        part("same place", "UPDATE", "/shelves/2", {"place": 7, "shopId": 1}),
    )

    assert found == {"second": ["CONFLICT /payload/name name"], "same place": ["CONFLICT /payload/shopId shopId,place"]}


def test_a_value_is_free_once_an_earlier_part_gave_it_up(shop: Api):
    result = shop.batch(
        part("free", "UPDATE", "/shops/2", {"name": "free"}),
        part("take", "UPDATE", "/shops/3", {"name": "B"}),
        part("swap", "UPDATE", "/shops/2", {"name": "C"}),
        part("gone", "DELETE", "/notes/1"),
        part("target", "DELETE", "/pairs/1,1"),
    )

    assert result["status"] == "COMMITTED"


def test_a_typed_item_is_pointed_at_as_it_was_sent(shop: Api):
    result = shop.batch(
        {
            "id": "p",
            "operation": "CREATE",
            "path": "/shelves",
            "item": {"shelf": {"shopId": 1, "place": 1, "low": 2, "high": 1}},
        }
    )

    assert [each["pointer"] for each in result["parts"][0]["errors"]] == ["/item/shelf/shopId", "/item/shelf/low"]


def test_an_on_conflict_clause_of_a_table_replaces_and_drops_no_rows(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE codes (
          id INTEGER PRIMARY KEY ON CONFLICT REPLACE, code VARCHAR(9), n INTEGER NOT NULL ON CONFLICT IGNORE DEFAULT 1,
          CONSTRAINT one_code UNIQUE (code) ON CONFLICT REPLACE, CONSTRAINT positive CHECK (n > 0) ON CONFLICT IGNORE
        );
        INSERT INTO codes (id, code) VALUES (1, 'a'), (2, 'b')
    """)
    api = start(sqlite)
    before = sqlite.dump()

    found = [
        said(api, part("p", *case))["p"]
        for case in (
            ("CREATE", "/codes", {"id": 1, "code": "c"}),
            ("CREATE", "/codes", {"code": "a"}),
            ("UPDATE", "/codes/1", {"code": "b"}),
            ("UPSERT", "/codes/9", {"code": "b"}),
            ("UPDATE", "/codes/1", {"n": 0}),
        )
    ]

    code = "CONFLICT /payload/code code"
    assert found == [["CONFLICT /payload/id id"], [code], [code], [code], ["CHECK_FAILED /payload/n n"]]
    assert sqlite.dump() == before


def test_domains_and_exclusions_of_postgresql(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE DOMAIN the_positive_rule AS INTEGER CHECK (VALUE > 0);
        CREATE DOMAIN the_word_rule AS VARCHAR(20) CHECK (VALUE ~ '^[a-z]+$');
        CREATE TABLE rooms (
          id {key}, price the_positive_rule, word the_word_rule, seat INTEGER,
          CONSTRAINT the_seat_rule EXCLUDE USING btree (seat WITH =)
        );
        INSERT INTO rooms (id, seat) VALUES (1, 1), (2, 2);
        SELECT setval(pg_get_serial_sequence('rooms', 'id'), 2)
    """)
    api = start(postgresql)
    before = postgresql.dump()

    found = said(
        api,
        part("domain", "CREATE", "/rooms", {"price": 0}),
        part("word", "UPDATE", "/rooms/2", {"word": "A1"}),
        part("seat", "CREATE", "/rooms", {"seat": 1}),
        part("fine", "CREATE", "/rooms", {"seat": 3}),
    )

    assert found == {
        "domain": ["CHECK_FAILED /payload/price price"],
        "word": ["CHECK_FAILED /payload/word word"],
        "seat": ["CONFLICT /payload/seat seat"],
    }
    assert postgresql.dump() == before


def test_an_exclusion_over_an_expression_names_the_attributes_in_it(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE rooms (
          id INTEGER PRIMARY KEY, low INTEGER, high INTEGER, EXCLUDE USING gist (int4range(low, high) WITH &&)
        );
        INSERT INTO rooms (id, low, high) VALUES (1, 0, 10)
    """)

    assert said(start(postgresql), part("p", "CREATE", "/rooms/2", {"low": 5, "high": 6})) == {
        "p": ["CONFLICT /payload/low low,high"]
    }


def test_a_check_over_several_attributes_names_them_in_the_order_of_the_table(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE event (id {key}, starts INTEGER NOT NULL, ends INTEGER NOT NULL, CHECK (ends > starts));
        INSERT INTO event (id, starts, ends) VALUES (1, 1, 2)""")
    refused = start(backend).one("UPDATE", "/events/1", {"ends": 0, "starts": 1})
    (error,) = refused["errors"]
    assert (error["code"], error["attributes"], error["pointer"]) == (
        "CHECK_FAILED",
        ["starts", "ends"],
        "/payload/starts",
    )
    assert backend.rows("SELECT starts, ends FROM event") == [(1, 2)]


@pytest.mark.parametrize("declared", ["VARCHAR(20)", "TEXT"])
def test_a_check_that_lists_texts_is_told_as_an_enum_is(backend: Backend, start: Serve, declared: str):
    labels = ["basic", "it's, gold", "junior"]
    listed = ", ".join("'{}'".format(label.replace("'", "''")) for label in labels)
    backend.run(f"""
        CREATE TABLE member (
          id {{key}}, level {declared} NOT NULL CHECK (level IN ({listed})),
          size {declared} CHECK (size IN ('s', 'm') OR size LIKE 'x%'), low INTEGER CHECK (low IN (1, 2))
        );
        INSERT INTO member (id, level) VALUES (1, 'basic')""")
    api = start(backend)
    resources = api.query(
        '{ resources { name attributes { name enum description } } __type(name: "Member") { fields { name description } } }'
    )
    (member,) = resources["resources"]
    assert {each["name"]: each["enum"] for each in member["attributes"]} == {
        "id": None,
        "level": labels,
        "size": None,
        "low": None,
    }
    described = {each["name"]: each["description"] for each in resources["__type"]["fields"]}
    assert described["level"] == "One of: basic, it's, gold, junior."

    refused = api.batch(
        part("listed", "UPDATE", "/members/1", {"level": "platinum"}),
        part("other", "UPDATE", "/members/1", {"size": "l"}),
    )
    assert [each["errors"] for each in refused["parts"]] == [
        [
            {
                "code": "CHECK_FAILED",
                "message": "level must be one of basic, it's, gold, junior.",
                "pointer": "/payload/level",
                "attributes": ["level"],
            }
        ],
        [
            {
                "code": "CHECK_FAILED",
                "message": "size is not allowed.",
                "pointer": "/payload/size",
                "attributes": ["size"],
            }
        ],
    ]
    assert backend.rows("SELECT level, size FROM member") == [("basic", None)]
    assert api.one("UPDATE", "/members/1", {"level": "it's, gold"})["status"] == 200


@pytest.mark.parametrize("groups", [True, False])
def test_rows_without_a_key_that_point_at_an_item_keep_it(backend: Backend, start: Serve, groups: bool):
    backend.run(
        "CREATE TABLE owner (id {key}, name VARCHAR(9));\nCREATE TABLE note (text VARCHAR(9), owner_id INTEGER REFERENCES owner (id))"
        ";\nINSERT INTO owner VALUES (1, 'a'), (2, 'b');\nINSERT INTO note VALUES ('x', 1), ('y', 1)"
    )
    before = backend.dump()

    batch = start(backend, groups=groups).batch(
        part("free", "DELETE", "/owners/2"), part("kept", "DELETE", "/owners/1")
    )

    assert [(each["id"], [(e["code"], e["pointer"]) for e in each["errors"]]) for each in batch["parts"]] == [
        ("kept", [("STILL_REFERENCED", "/path")])
    ]
    assert "notes" in batch["parts"][0]["errors"][0]["message"]
    assert backend.dump() == before


@pytest.mark.parametrize("rule", ["title TEXT AS (doc -> '$.title')", "title TEXT CHECK (json(doc) IS NOT NULL)"])
@pytest.mark.parametrize("groups", [True, False])
def test_a_value_at_which_a_rule_of_sqlite_fails_is_refused(sqlite: Backend, start: Serve, rule: str, groups: bool):
    sqlite.run(f"CREATE TABLE page (id {{key}}, doc TEXT, {rule});\nINSERT INTO page (id, doc) VALUES (1, '{{}}')")
    before = sqlite.dump()

    batch = start(sqlite, groups=groups).batch(
        part("bad", "UPDATE", "/pages/1", {"doc": "{"}),
        part("good", "CREATE", "/pages", {"doc": "[]"}),
        part("worse", "CREATE", "/pages", {"doc": "x"}),
    )

    assert [(each["id"], [error["code"] for error in each["errors"]]) for each in batch["parts"]] == [
        ("bad", ["REFUSED_BY_DATABASE"]),
        ("worse", ["REFUSED_BY_DATABASE"]),
    ]
    assert sqlite.dump() == before
