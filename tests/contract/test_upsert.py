"""UPSERT and REPLACE: which item they mean, what they need, what they leave (docs/contract.md, section 2, rule 4)."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part
from tests.support.trying import tried

# Unique keys: one column, one that may be null, one of two columns of which one may be null; and defaults.
SHOP = """
CREATE TABLE products (
  id {key}, sku VARCHAR(20) NOT NULL, code VARCHAR(10), shop VARCHAR(10), slot INTEGER,
  name VARCHAR(40) NOT NULL, stock INTEGER NOT NULL DEFAULT 5, note VARCHAR(40) DEFAULT 'none', hint VARCHAR(40),
  CONSTRAINT one_sku UNIQUE (sku), CONSTRAINT one_code UNIQUE (code), CONSTRAINT one_slot UNIQUE (shop, slot)
);
CREATE TABLE stamps (key VARCHAR(10) PRIMARY KEY, number INTEGER NOT NULL);
INSERT INTO products (id, sku, code, shop, slot, name, stock, note, hint) VALUES
  (1, 'A', 'a', 'north', 1, 'Apple', 10, 'red', 'x'), (2, 'B', NULL, 'north', NULL, 'Bread', 20, NULL, NULL);
INSERT INTO stamps (key, number) VALUES ('one', 1)
"""
SEQUENCE = "SELECT setval(pg_get_serial_sequence('products', 'id'), 2)"


@pytest.fixture
def shop(backend: Backend, start: Serve) -> Api:
    backend.run(SHOP)
    if backend.kind == "postgresql":
        backend.run(SEQUENCE)
    return start(backend)


def test_an_upsert_at_an_item_path_updates_or_creates(shop: Api, backend: Backend):
    changed = shop.one("UPSERT", "/products/1", {"name": "Pear"})
    made = shop.one("UPSERT", "/products/7", {"sku": "C", "name": "Cake"})

    assert (changed["status"], changed["path"]) == (200, "/products/1")
    assert changed["payload"] == {
        "id": 1, "sku": "A", "code": "a", "shop": "north", "slot": 1, "name": "Pear", "stock": 10, "note": "red",
        "hint": "x",
    }  # fmt: skip
    assert (made["status"], made["path"]) == (201, "/products/7")
    assert made["payload"] == {
        "id": 7, "sku": "C", "code": None, "shop": None, "slot": None, "name": "Cake", "stock": 5, "note": "none",
        "hint": None,
    }  # fmt: skip
    assert backend.rows("SELECT id, name, stock FROM products ORDER BY id") == [
        (1, "Pear", 10),
        (2, "Bread", 20),
        (7, "Cake", 5),
    ]


BY_KEYS: list[Any] = [
    ({"id": 1, "name": "N"}, "/products/1", 200),
    ({"id": 9, "sku": "N", "name": "N"}, "/products/9", 201),
    ({"sku": "B", "name": "N"}, "/products/2", 200),
    ({"sku": "N", "name": "N"}, "/products/3", 201),
    ({"code": "a", "name": "N"}, "/products/1", 200),
    ({"code": "b", "sku": "N", "name": "N"}, "/products/3", 201),
    ({"shop": "north", "slot": 1, "name": "N"}, "/products/1", 200),
    ({"shop": "north", "slot": 2, "sku": "N", "name": "N"}, "/products/3", 201),
    ({"sku": "A", "code": "a", "shop": "north", "slot": 1}, "/products/1", 200),
    ({"sku": "A", "code": "new"}, "/products/1", 200),
    ({"sku": "B", "code": None}, "/products/2", 200),
    ({"id": 2, "sku": "renamed"}, "/products/2", 200),
    ({"id": None, "sku": "B"}, "/products/2", 200),
]


def test_an_upsert_at_a_collection_finds_its_item_by_key_or_by_a_complete_unique_key(shop: Api):
    for payload, path, status in BY_KEYS:
        result = shop.batch(part("p", "UPSERT", "/products", payload), dry_run=True)["parts"][0]
        made_by_database = status == 201 and "id" not in payload
        assert (result["status"], result["errors"]) == (status, []), payload
        assert made_by_database or result["path"] == path, payload
        given = {name: value for name, value in payload.items() if value is not None}
        assert {name: result["payload"][name] for name in given} == given


def test_an_upsert_at_a_collection_needs_a_complete_key(shop: Api):
    # A key with a null in it names no item; what the message names is the key of the resource.
    incomplete: list[Any] = [
        {},
        {"name": "N"},
        {"code": None},
        {"shop": "north"},
        {"shop": "north", "slot": None},
        {"slot": 1},
    ]

    for payload in incomplete:
        result = shop.one("UPSERT", "/products", payload)
        assert result["status"] == 422, payload
        assert [each["code"] for each in result["errors"]] == ["REQUIRED"], payload


def test_unique_keys_that_name_different_items_are_a_conflict(shop: Api, backend: Backend):
    before = backend.dump()

    result = shop.one("UPSERT", "/products", {"code": "a", "sku": "B", "name": "N"})

    assert [each["code"] for each in result["errors"]] == ["CONFLICT"]
    assert set(result["errors"][0]["attributes"]) >= {"code", "sku"}
    assert backend.dump() == before


def test_the_key_decides_before_unique_keys(shop: Api):
    # The key names product 2, so the sku of product 1 is a value like any other: and taken.
    assert tried(shop, "UPSERT", "/products", {"id": 2, "sku": "A"}) == "409 CONFLICT /payload/sku"
    assert tried(shop, "UPSERT", "/products", {"id": 9, "sku": "A", "name": "N"}) == "409 CONFLICT /payload/sku"
    assert tried(shop, "UPSERT", "/products/9", {"sku": "A", "name": "N"}) == "409 CONFLICT /payload/sku"


def test_an_upsert_asks_for_required_attributes_only_when_it_creates(shop: Api):
    assert tried(shop, "UPSERT", "/products/1") == "200"
    assert tried(shop, "UPSERT", "/products", {"sku": "A"}) == "200"
    assert tried(shop, "UPSERT", "/products/9") == "422 REQUIRED /payload/sku + REQUIRED /payload/name"
    assert tried(shop, "UPSERT", "/products", {"sku": "N"}) == "422 REQUIRED /payload/name"
    assert tried(shop, "UPSERT", "/products/1", {"name": None}) == "422 REQUIRED /payload/name"
    assert tried(shop, "UPSERT", "/stamps", {"key": "one"}) == "200"
    assert tried(shop, "UPSERT", "/stamps", {"key": "two"}) == "422 REQUIRED /payload/number"


def test_an_upsert_sees_what_earlier_parts_made_and_deleted(shop: Api):
    result = shop.batch(
        part("make", "UPSERT", "/stamps/two", {"number": 2}),
        part("change", "UPSERT", "/stamps", {"key": "two", "number": 3}),
        part("delete", "DELETE", "/stamps/two"),
        part("again", "UPSERT", "/stamps", {"key": "two", "number": 4}),
        part("free", "UPDATE", "/products/1", {"sku": "Z"}),
        part("taken", "UPSERT", "/products", {"sku": "A", "name": "New"}),
        part("moved", "UPSERT", "/products", {"sku": "Z", "name": "Old"}),
    )

    assert [(each["status"], each["path"]) for each in result["parts"]] == [
        (201, "/stamps/two"),
        (200, "/stamps/two"),
        (204, "/stamps/two"),
        (201, "/stamps/two"),
        (200, "/products/1"),
        (201, "/products/3"),
        (200, "/products/1"),
    ]


def test_an_upsert_below_a_parent_stays_below_it(music: Api, backend: Backend):
    before = backend.dump()

    assert tried(music, "UPSERT", "/artists/1/albums", {"albumId": 1, "title": "T"}) == "200"
    assert tried(music, "UPSERT", "/artists/1/albums", {"albumId": 9, "title": "T"}) == "201"
    of_another = music.one("UPSERT", "/artists/1/albums", {"albumId": 2, "title": "T"})

    assert [each["code"] for each in of_another["errors"]] == ["CONFLICT"]
    assert backend.dump() == before


def test_a_replace_sets_absent_attributes_to_their_default_or_null(shop: Api, backend: Backend):
    result = shop.one("REPLACE", "/products/1", {"sku": "A", "name": "Pear"})

    assert result["status"] == 200
    assert result["payload"] == {
        "id": 1, "sku": "A", "code": None, "shop": None, "slot": None, "name": "Pear", "stock": 5, "note": "none",
        "hint": None,
    }  # fmt: skip
    assert backend.rows("SELECT * FROM products WHERE id = 1") == [(1, "A", None, None, None, "Pear", 5, "none", None)]


def test_a_replace_takes_null_for_null_and_not_for_the_default(shop: Api):
    result = shop.one("REPLACE", "/products/1", {"sku": "A", "name": "Pear", "note": None})

    assert result["payload"]["note"] is None
    assert (
        tried(shop, "REPLACE", "/products/1", {"sku": "A", "name": "P", "stock": None}) == "422 REQUIRED /payload/stock"
    )


def test_a_replace_asks_for_what_has_no_default_whether_the_item_is_there_or_not(shop: Api):
    assert tried(shop, "REPLACE", "/products/1") == "422 REQUIRED /payload/sku + REQUIRED /payload/name"
    assert tried(shop, "REPLACE", "/products/1", {"id": 1, "sku": "A"}) == "422 REQUIRED /payload/name"
    assert tried(shop, "REPLACE", "/products/sku=A", {"name": "P"}) == "200"
    assert tried(shop, "REPLACE", "/products/9", {"sku": "N", "name": "N"}) == "404 NOT_FOUND /path"


def test_a_replace_of_an_item_whose_only_attributes_are_its_key_changes_nothing(music: Api, backend: Backend):
    before = backend.dump()

    assert music.one("REPLACE", "/playlistTracks/1,1")["status"] == 200
    assert backend.dump() == before


def test_a_replace_leaves_attributes_that_are_read_only(backend: Backend, start: Serve):
    backend.run(SHOP)
    locked = {"products": {"attributes": {"note": {"read_only": True}}, "version": "stock"}}
    api = start(backend, resources=locked)

    result = api.one("REPLACE", "/products/1", {"sku": "A", "name": "Pear"})

    assert result["payload"]["note"] == "red"
    assert result["payload"]["stock"] == 11  # the version moves on
    assert tried(api, "REPLACE", "/products/1", {"sku": "A", "name": "P", "note": "n"}) == "422 READ_ONLY /payload/note"


@pytest.mark.parametrize("operation", ["CREATE", "UPSERT"])
@pytest.mark.parametrize("groups", [True, False])
def test_a_path_does_not_set_a_read_only_attribute_of_a_new_item(
    backend: Backend, start: Serve, operation: str, groups: bool
):
    backend.run("""
      CREATE TABLE things (id {key}, code VARCHAR(9) UNIQUE, n INTEGER);
      INSERT INTO things (id, code, n) VALUES (1, 'a', 1)
    """)
    closed = {"things": {"attributes": {"code": {"read_only": True}}}}
    api = start(backend, groups=groups, resources=closed)
    before = backend.dump()

    found = api.batch(*(part(f"p{n}", operation, f"/things/code={n}", {"n": n}) for n in (7, 8)))

    assert faults(found) == {f"p{n}": [("READ_ONLY", "/path")] for n in (7, 8)}
    assert backend.dump() == before
    if operation == "UPSERT":  # the item is there: the path only finds it
        assert api.one("UPSERT", "/things/code=a", {"n": 5})["status"] == 200
        assert backend.rows("SELECT id, code, n FROM things") == [(1, "a", 5)]
