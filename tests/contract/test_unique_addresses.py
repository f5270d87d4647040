"""Items found by a unique key that is itself changed, normalised, or of an odd type (docs/contract.md, sections 2, 3)."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Api, Backend, faults, part

SCRIPT = """
CREATE TABLE region (
  id {key}, country VARCHAR(2) NOT NULL, code INTEGER NOT NULL, name VARCHAR(20), UNIQUE (country, code)
);
CREATE TABLE reader (id {key}, handle VARCHAR(20) NOT NULL UNIQUE, name VARCHAR(20));
CREATE TABLE loan (id {key}, reader_handle VARCHAR(20) REFERENCES reader (handle));
INSERT INTO region (country, code, name) VALUES ('de', 1, 'Nord'), ('de', 2, 'Süd');
INSERT INTO reader (handle, name) VALUES ('ada', 'Ada'), ('bo', 'Bo')
"""
READERS = "SELECT id, handle, name FROM reader ORDER BY id"
REGIONS = "SELECT id, country, code, name FROM region ORDER BY id"


@pytest.fixture
def library(backend: Backend, start: Serve) -> Api:
    """Readers with a unique handle, regions with a composite unique key."""
    backend.run(SCRIPT)
    return start(backend)


@pytest.mark.parametrize(
    ("operation", "name"),
    [("UPDATE", "Ada"), ("REPLACE", None), ("UPSERT", "Ada")],
    ids=["update", "replace", "upsert"],
)
def test_the_attribute_that_an_item_is_addressed_by_can_be_changed(
    library: Api, backend: Backend, operation: str, name: str | None
):
    changed = library.one(operation, "/readers/handle=ada", {"handle": "eve"})

    assert changed["errors"] == []
    assert (changed["status"], changed["path"]) == (200, "/readers/1")
    assert changed["payload"] == {"id": 1, "handle": "eve", "name": name}
    assert backend.rows(READERS) == [(1, "eve", name), (2, "bo", "Bo")]
    assert library.one("GET", "/readers/handle=eve")["path"] == "/readers/1"
    assert library.one("GET", "/readers/handle=ada")["status"] == 404


@pytest.mark.parametrize("operation", ["UPDATE", "REPLACE", "UPSERT"])
def test_the_item_member_changes_the_addressed_attribute_too(library: Api, backend: Backend, operation: str):
    changed = library.one(operation, "/readers/handle=ada", item={"reader": {"handle": "eve", "name": "E"}})

    assert (changed["status"], changed["errors"]) == (200, [])
    assert backend.rows(READERS) == [(1, "eve", "E"), (2, "bo", "Bo")]


@pytest.mark.parametrize("operation", ["UPDATE", "REPLACE", "UPSERT"])
def test_an_addressed_attribute_cannot_take_the_value_of_another_item(library: Api, backend: Backend, operation: str):
    before = backend.dump()

    refused = library.batch(part("p", operation, "/readers/handle=ada", {"handle": "bo"}))

    assert faults(refused) == {"p": [("CONFLICT", "/payload/handle")]}
    assert backend.dump() == before


COMPOSITE: list[Any] = [
    ({"code": 9}, ("de", 9)),
    ({"country": "at"}, ("at", 1)),
    ({"country": "at", "code": 9}, ("at", 9)),
]


@pytest.mark.parametrize(("given", "expected"), COMPOSITE, ids=["one column", "the other", "both"])
@pytest.mark.parametrize("operation", ["UPDATE", "UPSERT", "REPLACE"])
def test_the_composite_unique_key_that_an_item_is_addressed_by_can_be_changed(
    library: Api, backend: Backend, operation: str, given: dict[str, Any], expected: tuple[str, int]
):
    path = "/regions/country=de,code=1"
    payload = {"country": "de", "code": 1, "name": "Nord", **given}

    changed = library.one(operation, path, payload)

    assert changed["errors"] == []
    assert (changed["status"], changed["path"]) == (200, "/regions/1")
    assert backend.rows(REGIONS) == [(1, *expected, "Nord"), (2, "de", 2, "Süd")]


@pytest.mark.parametrize("operation", ["GET", "UPDATE"])
def test_a_reference_takes_the_unique_value_that_a_later_change_left(library: Api, backend: Backend, operation: str):
    payload = None if operation == "GET" else {"name": "A."}
    result = library.batch(
        part("reader", operation, "/readers/1", payload),
        part("renamed", "UPDATE", "/readers/1", {"handle": "eve"}),
        part("loan", "CREATE", "/loans", references=[{"attribute": "readerHandle", "part": "reader"}]),
        part("second", "CREATE", "/loans", references=[{"attribute": "readerHandle", "part": "renamed"}]),
    )

    assert faults(result) == {each["id"]: [] for each in result["parts"]}
    assert result["status"] == "COMMITTED"
    assert backend.rows("SELECT reader_handle FROM loan") == [("eve",), ("eve",)]


def test_a_reference_to_an_item_that_was_addressed_by_the_value_it_lost_takes_the_new_one(
    library: Api, backend: Backend
):
    result = library.batch(
        part("renamed", "UPDATE", "/readers/handle=ada", {"handle": "eve"}),
        part("loan", "CREATE", "/loans", references=[{"attribute": "readerHandle", "part": "renamed"}]),
    )

    assert result["status"] == "COMMITTED"
    assert backend.rows("SELECT reader_handle FROM loan") == [("eve",)]


def test_an_upsert_by_a_value_that_the_model_normalises_is_judged_as_a_part(backend: Backend, start: Serve):
    api = start(backend, models="tests.support.models_subscriber", create_tables=True)
    first = api.one("UPSERT", "/subscribers", {"email": "Ada@Example.org", "name": "Ada"})
    assert (first["status"], first["payload"]["email"]) == (201, "ada@example.org")

    for email in ("ADA@example.org", "Ada@Example.org", "ada@example.org"):
        again = api.batch(part("p", "UPSERT", "/subscribers", {"email": email, "name": "Countess"}))
        held = backend.rows("SELECT id, email, name FROM newsletter_subscribers")

        if again["status"] == "COMMITTED":
            assert again["parts"][0]["status"] == 200
            assert held == [(1, "ada@example.org", "Countess")]
        else:
            assert email != "ada@example.org", "this one is the item's own"
            assert faults(again) == {"p": [("CONFLICT", "/payload/email")]}
            assert len(held) == 1


def test_an_upsert_finds_its_item_by_a_unique_array(postgresql: Backend, start: Serve):
    postgresql.run("CREATE TABLE walk (id {key}, steps INTEGER[] NOT NULL UNIQUE, name VARCHAR(20))")
    api = start(postgresql)

    made = api.one("UPSERT", "/walks", {"steps": [1, 2], "name": "a"})
    changed = api.one("UPSERT", "/walks", {"steps": [1, 2], "name": "b"})
    other = api.one("UPSERT", "/walks", {"steps": [2, 1], "name": "c"})

    assert [each["status"] for each in (made, changed, other)] == [201, 200, 201]
    assert postgresql.rows("SELECT id, steps, name FROM walk ORDER BY id") == [(1, [1, 2], "b"), (2, [2, 1], "c")]


DEFERRED = """
CREATE TABLE shelf (id {key});
CREATE TABLE box (
  id {key}, label VARCHAR(9) UNIQUE, place INTEGER UNIQUE, shelf_id INTEGER REFERENCES shelf (id) {deferred}
);
INSERT INTO box (label, place) VALUES ('a', 1), ('b', 2)
"""


def test_beside_a_deferred_foreign_key_all_unique_keys_are_still_listed(backend: Backend, start: Serve):
    backend.run(DEFERRED)
    api = start(backend)
    before = backend.dump()

    refused = api.batch(
        part("two", "CREATE", "/boxes", {"label": "a", "place": 2}),
        part("one", "UPDATE", "/boxes/1", {"label": "b"}),
        part("good", "CREATE", "/boxes", {"label": "c", "place": 3}),
        part("missing", "CREATE", "/boxes", {"label": "d", "shelfId": 9}),
    )

    assert {id_: set(found) for id_, found in faults(refused).items()} == {
        "two": {("CONFLICT", "/payload/label"), ("CONFLICT", "/payload/place")},
        "one": {("CONFLICT", "/payload/label")},
        "missing": {("MISSING_TARGET", "/payload/shelfId")},
    }
    assert backend.dump() == before


def test_beside_a_deferred_foreign_key_a_conflict_says_both_faults_of_one_part(backend: Backend, start: Serve):
    backend.run(DEFERRED)
    api = start(backend)

    refused = api.batch(part("p", "CREATE", "/boxes", {"label": "a", "place": 2, "shelfId": 9}))

    assert set(faults(refused)["p"]) == {
        ("CONFLICT", "/payload/label"),
        ("CONFLICT", "/payload/place"),
        ("MISSING_TARGET", "/payload/shelfId"),
    }
