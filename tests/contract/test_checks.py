"""Every violated check of a row is told at once, by what is known of it, or in its author's words (docs/contract.md, section 2, rule 2)."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import LEAN_BATCH, Api, Backend, Json, part
from tests.support.part_errors import codes, errors

VILLA = """
CREATE TABLE town (id INTEGER PRIMARY KEY, name VARCHAR(20));
CREATE TABLE villa (
  id {key}, name VARCHAR(20) NOT NULL, beds INTEGER NOT NULL DEFAULT 2, level VARCHAR(9), price NUMERIC(8, 2), code VARCHAR(9),
  opened DATE, low INTEGER, high INTEGER, town_id INTEGER REFERENCES town (id), note VARCHAR(20),
  CONSTRAINT name_length CHECK (length(name) > 2),
  CONSTRAINT bed_count CHECK (beds BETWEEN 1 AND 8),
  CONSTRAINT known_level CHECK (level IN ('basic', 'gold')),
  CONSTRAINT some_price CHECK (price > 0 AND price <= 5000),
  CONSTRAINT not_before CHECK (opened >= '2020-01-01'),
  CONSTRAINT in_order CHECK (low <= high),
  CONSTRAINT no_town_hall CHECK (NOT (town_id = 1 AND beds > 4)),
  CONSTRAINT odd_note CHECK (note NOT LIKE '%!%')
);
CREATE UNIQUE INDEX one_code ON villa (lower(code));
INSERT INTO town VALUES (1, 'Kiel');
INSERT INTO villa (id, name, code) VALUES (1, 'Rosa', 'r'), (2, 'Blau', 'b')
"""
WRONG = {
    "name": "ab", "beds": 9, "level": "silver", "price": "0.00", "opened": "2019-12-31", "low": 2, "high": 1, "townId": 1,
    "note": "no!",
}  # fmt: skip
# name of the constraint -> attributes, message, params
TOLD: dict[str, tuple[list[str], str, Json]] = {
    "name_length": (["name"], "name must have at least 3 characters.", {"minLength": 3}),
    "bed_count": (["beds"], "beds must be between 1 and 8.", {"minimum": 1, "maximum": 8}),
    "known_level": (["level"], "level must be one of basic, gold.", {"enum": ["basic", "gold"]}),
    "some_price": (["price"], "price must be between 0.01 and 5000.00.", {"minimum": "0.01", "maximum": "5000.00"}),
    "not_before": (["opened"], "opened must be 2020-01-01 or later.", {"minimum": "2020-01-01"}),
    "in_order": (["low", "high"], "This combination of low and high is not allowed.", None),
    "no_town_hall": (["beds", "townId"], "This combination of beds and townId is not allowed.", None),
    "odd_note": (["note"], "note is not allowed.", None),
}


def told(found: list[Json]) -> dict[str, tuple[list[str], str, Json]]:
    """Sum up the CHECK_FAILED among errors: by the name of the constraint."""
    return {
        each["constraint"]: (each["attributes"], each["message"], each["params"])
        for each in found
        if each["code"] == "CHECK_FAILED"
    }


@pytest.fixture
def villas(backend: Backend, start: Serve) -> Api:
    backend.run(VILLA)
    return start(backend)


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "REPLACE", "UPSERT", "UPSERT of a new item"])
@pytest.mark.parametrize("groups", [True, False])
def test_all_violated_checks_of_a_row_are_told_at_once(backend: Backend, start: Serve, operation: str, groups: bool):
    backend.run(VILLA)
    api = start(backend, groups=groups)
    before = backend.dump()
    path = {"CREATE": "/villas", "UPSERT of a new item": "/villas/9"}.get(operation, "/villas/1")

    found = errors(api, part("p", operation.split(maxsplit=1)[0], path, WRONG))["p"]

    assert told(found) == TOLD
    assert len(found) == len(TOLD)
    assert {each["pointer"] for each in found} == {
        *(f"/payload/{name}" for name in ("name", "beds", "level", "price", "opened", "low", "note"))
    }
    assert backend.dump() == before


def test_in_bulk_the_parts_at_fault_are_told_with_all_their_faults(backend: Backend, start: Serve):
    backend.run(f"{VILLA};\nDELETE FROM villa")
    api = start(backend)
    before = backend.dump()
    good = {"name": "Villa", "beds": 1, "level": "gold", "low": 1, "high": 2}
    wrong: dict[int, dict[str, Any]] = {
        7: {"beds": 0},
        500: {"low": 3},
        501: {"low": 3, "level": "x"},
        999: {"name": "", "beds": 9, "low": 9},
    }

    parts = [part(f"{n}", "CREATE", "/villas", {**good, **wrong.get(n, {})}) for n in range(1_000)]
    result = api.query(LEAN_BATCH, parts=parts)["batch"]

    assert [(each["id"], [e["pointer"] for e in each["errors"]]) for each in result["parts"]] == [
        ("7", ["/payload/beds"]),
        ("500", ["/payload/low"]),
        ("501", ["/payload/level", "/payload/low"]),
        ("999", ["/payload/name", "/payload/beds", "/payload/low"]),
    ]
    assert backend.dump() == before


def test_what_is_wrong_on_its_face_hides_no_constraint_on_other_attributes(villas: Api, backend: Backend):
    before = backend.dump()

    found = errors(
        villas,
        part(
            "new",
            "CREATE",
            "/villas",
            {"beds": "many", "level": "silver", "code": "R", "low": 2, "high": 1, "townId": 77, "x": 1},
        ),
        part("change", "UPDATE", "/villas/2", {"price": "free", "high": 0, "low": 1, "code": "R", "name": "ab"}),
        part("key", "UPSERT", "/villas/1", {"id": 5, "level": "x"}),
    )

    assert {id_: [(e["code"], e["pointer"]) for e in every] for id_, every in found.items()} == {
        "new": [
            ("INVALID_VALUE", "/payload/beds"),
            ("UNKNOWN_ATTRIBUTE", "/payload/x"),
            ("REQUIRED", "/payload/name"),
            ("CONFLICT", "/payload/code"),
            ("MISSING_TARGET", "/payload/townId"),
            ("CHECK_FAILED", "/payload/level"),
            ("CHECK_FAILED", "/payload/low"),
        ],
        "change": [
            ("INVALID_VALUE", "/payload/price"),
            ("CONFLICT", "/payload/code"),
            ("CHECK_FAILED", "/payload/name"),
            ("CHECK_FAILED", "/payload/low"),
        ],
        "key": [("READ_ONLY", "/payload/id"), ("CHECK_FAILED", "/payload/level")],
    }
    assert backend.dump() == before


def test_a_check_that_needs_a_malformed_attribute_is_not_judged(villas: Api):
    found = codes(
        villas,
        part("low", "UPDATE", "/villas/1", {"low": "x", "high": -1}),
        part("town", "CREATE", "/villas", {"name": "Villa", "beds": None, "townId": 1, "note": "a!"}),
    )

    assert found == {
        "low": [("INVALID_VALUE", "/payload/low")],
        "town": [("REQUIRED", "/payload/beds"), ("CHECK_FAILED", "/payload/note")],
    }


def test_checks_see_defaults_generated_columns_and_what_an_update_leaves(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE item (
          id {key}, a INTEGER, b INTEGER DEFAULT 5, hidden INTEGER DEFAULT 3, twice INTEGER GENERATED ALWAYS AS (a * 2) STORED,
          CONSTRAINT above_default CHECK (a < b), CONSTRAINT above_hidden CHECK (a <> hidden), CONSTRAINT small_twice CHECK (twice < 100)
        );
        INSERT INTO item (id, a, b) VALUES (1, 1, 2)
    """)
    api = start(backend, resources={"item": {"attributes": {"hidden": {"hidden": True}}}})

    found = errors(
        api,
        part("default", "CREATE", "/items", {"a": 6, "x": 1}),
        part("hidden", "CREATE", "/items", {"a": 3, "x": 1}),
        part("generated", "CREATE", "/items", {"a": 50}),
        part("left", "UPDATE", "/items/1", {"a": 2, "x": 1}),
        part("null", "UPDATE", "/items/1", {"a": 50, "b": None}),
    )

    assert {id_: [e["constraint"] for e in every if e["code"] == "CHECK_FAILED"] for id_, every in found.items()} == {
        "default": ["above_default"],
        "hidden": ["above_hidden"],
        "generated": ["above_default", "small_twice"],
        "left": ["above_default"],
        "null": ["small_twice"],
    }


def test_sqlite_compares_in_checks_as_its_columns_do(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE item (
          id INTEGER PRIMARY KEY, a INTEGER, t TEXT COLLATE NOCASE, d DATE, n NUMERIC, r REAL,
          CHECK (a > '5'), CHECK (t = 'x'), CHECK (d < '2020-01-01'), CHECK (typeof(n) <> 'real'), CHECK (typeof(r) = 'real'),
          CHECK (typeof(a) = 'integer')
        )
    """)
    api = start(sqlite)
    good = {"a": 10, "t": "X", "d": "2019-12-31", "n": "3", "r": 3}

    assert api.batch(part("p", "CREATE", "/items", good), dry_run=True)["status"] == "VALID"
    # One value is wrong in each: the others are as the columns keep them, so their checks hold.
    wrong = {"a": 4, "t": "y", "d": "2020-01-01", "n": "3.5"}
    for name, value in wrong.items():
        assert codes(api, part("p", "CREATE", "/items", {**good, name: value})) == {
            "p": [("CHECK_FAILED", f"/payload/{name}")]
        }
    found = codes(api, part("p", "CREATE", "/items", {**good, **wrong}))
    assert found == {"p": [("CHECK_FAILED", f"/payload/{name}") for name in wrong]}


def test_where_triggers_run_before_a_write_the_first_check_alone_is_told(backend: Backend, start: Serve):
    table = "CREATE TABLE item (id INTEGER PRIMARY KEY, a INTEGER CHECK (a > 0), b INTEGER CHECK (b > 0))"
    triggers = {
        "sqlite": "CREATE TRIGGER before_it BEFORE INSERT ON item BEGIN SELECT 1; END",
        "postgresql": (
            "CREATE FUNCTION before_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b := abs(NEW.b); RETURN NEW; END';\n"
            "CREATE TRIGGER before_it BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION before_it()"
        ),
    }
    backend.run(f"{table};\n{triggers[backend.kind]}")
    api = start(backend)

    found = codes(
        api,
        part("both", "CREATE", "/items/1", {"a": -1, "b": -1}),
        part("face", "CREATE", "/items/2", {"a": -1, "b": "x"}),
    )

    assert found == {"both": [("CHECK_FAILED", "/payload/a")], "face": [("INVALID_VALUE", "/payload/b")]}
    expected = "VALID" if backend.kind == "postgresql" else "REJECTED"  # there the trigger makes b positive
    assert api.batch(part("p", "CREATE", "/items/1", {"a": 1, "b": -1}), dry_run=True)["status"] == expected


def test_a_check_that_fails_itself_fails_no_other(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE item (id {key}, a INTEGER, b INTEGER, c INTEGER, CONSTRAINT a1 CHECK (a > 0), CONSTRAINT b1 CHECK (10 / b > 0),
          CONSTRAINT c1 CHECK (c > 0 OR c = -9))
    """)

    found = errors(start(postgresql), part("p", "CREATE", "/items", {"a": 0, "b": 0, "c": 0}))

    assert {e["constraint"] for e in found["p"] if e["code"] == "CHECK_FAILED"} == {"a1", "c1"}


def test_checks_that_are_not_valid_hold_for_what_is_written(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE item (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
        INSERT INTO item VALUES (1, -1, 1);
        ALTER TABLE item ADD CONSTRAINT a1 CHECK (a > 0) NOT VALID;
        ALTER TABLE item ADD CONSTRAINT b1 CHECK (b > 0)
    """)
    api = start(postgresql)

    assert {id_: [e["constraint"] for e in every] for id_, every in errors(
        api, part("other", "UPDATE", "/items/1", {"b": 0}), part("new", "CREATE", "/items/2", {"a": 0, "b": 0})
    ).items()} == {"other": ["a1", "b1"], "new": ["a1", "b1"]}  # fmt: skip
    assert api.batch(part("p", "UPDATE", "/items/1", {"a": 1}))["status"] == "COMMITTED"


def test_the_checks_of_domains_are_known_as_those_of_tables_are(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE DOMAIN stars AS integer CONSTRAINT one_to_five CHECK (VALUE BETWEEN 1 AND 5);
        CREATE DOMAIN good_stars AS stars CONSTRAINT many CHECK (VALUE % 2 = 1);
        COMMENT ON CONSTRAINT many ON DOMAIN good_stars IS 'Give an odd number of stars.';
        CREATE TABLE item (id INTEGER PRIMARY KEY, a stars, b good_stars, c INTEGER CONSTRAINT c1 CHECK (c > 0));
        INSERT INTO item VALUES (1, 1, 1, 1)
    """)
    api = start(postgresql)

    found = errors(
        api,
        part("known", "UPDATE", "/items/1", {"a": 6, "c": 0}),
        part("own", "CREATE", "/items/2", {"a": 0, "b": 4, "c": 0}),
    )

    stars = (["a"], "a must be between 1 and 5.", {"minimum": 1, "maximum": 5})
    positive = (["c"], "c must be at least 1.", {"minimum": 1})
    assert told(found["known"]) == {"one_to_five": stars, "c1": positive}
    assert told(found["own"]) == {
        "one_to_five": stars, "many": (["b"], "Give an odd number of stars.", None), "c1": positive,
    }  # fmt: skip
    attributes = api.query("{ resources { attributes { name minimum maximum } } }")["resources"][0]["attributes"]
    assert {each["name"]: (each["minimum"], each["maximum"]) for each in attributes if each["name"] in "ab"} == {
        "a": (1, 5),
        "b": (1, 5),
    }


def test_a_check_is_judged_on_what_a_model_makes_of_a_value(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE newsletter_subscribers (id {key}, email VARCHAR(50) NOT NULL UNIQUE, name VARCHAR(9), "
        "CONSTRAINT known CHECK (email IN ('a@x', 'b@x')))"
    )
    api = start(backend, models="tests.support.models_subscriber")  # it writes addresses in lower case

    found = codes(
        api,
        part("wrong name", "CREATE", "/subscribers", {"email": "A@X", "name": 5}),
        part("both", "CREATE", "/subscribers", {"email": "C@X", "name": 5}),
        part("address", "CREATE", "/subscribers", {"email": "C@X"}),
    )

    name, address = ("INVALID_VALUE", "/payload/name"), ("CHECK_FAILED", "/payload/email")
    assert found == {"wrong name": [name], "both": [name, address], "address": [address]}
    assert api.batch(part("p", "CREATE", "/subscribers", {"email": "B@X"}))["status"] == "COMMITTED"


def test_what_a_path_contradicts_hides_no_constraint(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE town (id INTEGER PRIMARY KEY);\nCREATE TABLE villa (id INTEGER PRIMARY KEY, town_id INTEGER REFERENCES town (id),"
        " a INTEGER CHECK (a > 0), b INTEGER, CHECK (b < a));\nINSERT INTO town VALUES (1), (2);\nINSERT INTO villa VALUES (1, 1, 5, 1)"
    )
    api = start(backend)

    found = codes(
        api,
        part("key", "UPDATE", "/villas/1", {"id": 7, "a": 0}),
        part("parent", "CREATE", "/towns/1/villas", {"id": 8, "townId": 2, "a": 1, "b": 3}),
        part("both", "UPSERT", "/towns/1/villas/9", {"townId": "x", "a": -1, "b": "y"}),
    )

    assert found == {
        "key": [("READ_ONLY", "/payload/id"), ("CHECK_FAILED", "/payload/a"), ("CHECK_FAILED", "/payload/a")],
        "parent": [("INVALID_VALUE", "/payload/townId"), ("CHECK_FAILED", "/payload/a")],
        "both": [("INVALID_VALUE", "/payload/townId"), ("INVALID_VALUE", "/payload/b"), ("CHECK_FAILED", "/payload/a")],
    }


# --- the author's own words


def test_a_message_of_the_settings_goes_before_the_comment_and_that_before_what_is_known(
    postgresql: Backend, start: Serve
):
    postgresql.run("""
        CREATE TABLE item (id INTEGER PRIMARY KEY, a INTEGER CONSTRAINT ca CHECK (a > 0), b INTEGER CONSTRAINT cb CHECK (b > 0),
          c INTEGER CONSTRAINT cc CHECK (c > 0));
        COMMENT ON CONSTRAINT ca ON item IS 'A comment.';
        COMMENT ON CONSTRAINT cb ON item IS 'b is a number of people.'
    """)
    api = start(postgresql, resources={"item": {"checks": {"ca": {"message": "Wir brauchen ein a."}}}})

    found = errors(api, part("p", "CREATE", "/items/1", {"a": 0, "b": 0, "c": 0}))

    assert [(e["message"], e["constraint"], e["params"]) for e in found["p"]] == [
        ("Wir brauchen ein a.", "ca", {"minimum": 1}),
        ("b is a number of people.", "cb", {"minimum": 1}),
        ("c must be at least 1.", "cc", {"minimum": 1}),
    ]


def test_a_message_of_the_settings_is_told_on_sqlite_and_of_what_only_the_database_judges(
    backend: Backend, start: Serve
):
    backend.run("CREATE TABLE item (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, CONSTRAINT ab CHECK (a + b < 10))")
    api = start(backend, resources={"item": {"checks": {"ab": {"message": "Together they are too much."}}}})

    (error,) = errors(api, part("p", "CREATE", "/items/1", {"a": 5, "b": 5}))["p"]

    assert error == {
        "code": "CHECK_FAILED",
        "message": "Together they are too much.",
        "pointer": "/payload/a",
        "attributes": ["a", "b"],
        "constraint": "ab",
        "params": None,
    }


def test_a_table_that_counts_its_keys_on_is_served_with_its_checks(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, a INTEGER CONSTRAINT a1 CHECK (a > 0))")

    assert [e["constraint"] for e in errors(start(sqlite), part("p", "CREATE", "/items", {"a": 0}))["p"]] == ["a1"]


def test_settings_of_a_check_that_is_not_there_stop_the_start(backend: Backend, start: Serve):
    backend.run("CREATE TABLE item (id INTEGER PRIMARY KEY, a INTEGER, CONSTRAINT ca CHECK (a > 0))")

    with pytest.raises(Exception, match="settings for the check 'cb', but the table 'item' has no such check"):
        start(backend, resources={"item": {"checks": {"cb": {"message": "No."}}}})


def test_a_check_without_a_name_has_none_and_its_text_is_not_told(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE item (id INTEGER PRIMARY KEY, a INTEGER CHECK (a % 2 = 0), b INTEGER CHECK (b > 0))")

    found = errors(start(sqlite), part("p", "CREATE", "/items/1", {"a": 1, "b": 0}))["p"]

    assert [(e["message"], e["constraint"], e["params"]) for e in found] == [
        ("a is not allowed.", None, None),
        ("b must be at least 1.", None, {"minimum": 1}),
    ]


def test_at_batch_errors_have_constraint_and_params_too(villas: Api):
    body = {
        "parts": [{"id": "p", "path": "/villas/1", "operation": "update", "payload": {"beds": 9, "low": 2, "high": 1}}]
    }

    answer = villas.http.post("/batch", json=body)

    assert answer.status_code == 422
    assert answer.json()["parts"][0]["errors"] == [
        {
            "code": "CHECK_FAILED", "message": "beds must be between 1 and 8.", "pointer": "/payload/beds", "attributes": ["beds"],
            "constraint": "bed_count", "params": {"minimum": 1, "maximum": 8},
        },
        {
            "code": "CHECK_FAILED", "message": "This combination of low and high is not allowed.", "pointer": "/payload/low",
            "attributes": ["low", "high"], "constraint": "in_order",
        },
    ]  # fmt: skip
    described = villas.http.get("/batch").json()["$defs"]["PartError"]["properties"]
    assert described["constraint"]["type"] == "string"
    assert "params" in described


# --- what is known, for forms

LIMITS = """
CREATE TABLE item (
  id {key}, a INTEGER CHECK (a >= 1 AND a <= 8), b INTEGER CHECK (b > 0), c NUMERIC(6, 2) CHECK (c > 0 AND c < 10), d {double} CHECK (d > 0.5),
  e DATE CHECK (e BETWEEN '2020-01-01' AND '2020-12-31'), f DATE CHECK (f > '2020-01-01'), g VARCHAR(20) CHECK (length(g) BETWEEN 3 AND 9),
  h VARCHAR(20) CHECK (h IN ('x', 'y')), i INTEGER CHECK (i IS NULL OR i >= 5), j INTEGER CHECK (j > 5 OR j < 2), k VARCHAR(9) CHECK (k <> ''),
  l BIGINT CHECK (l < 100), m {naive} CHECK (m >= '2020-01-01 00:00:00'), n TIME CHECK (n < '12:00:00'), o INTEGER CHECK (0 <= o AND o <> 3)
)
"""
KNOWN: dict[str, dict[str, Any]] = {
    "a": {"minimum": 1, "maximum": 8},
    "b": {"minimum": 1},
    "c": {"minimum": "0.01", "maximum": "9.99"},
    "d": {},
    "e": {"minimum": "2020-01-01", "maximum": "2020-12-31"},
    "f": {"minimum": "2020-01-02"},
    "g": {"minLength": 3, "maxLength": 9},
    "h": {"enum": ["x", "y"]},
    "i": {"minimum": 5},
    "j": {},
    "k": {"minLength": 1, "maxLength": 9},
    "l": {"maximum": "99"},
    "m": {"minimum": "2020-01-01T00:00:00"},
    "n": {},
    "o": {"minimum": 0},
}
OF_TYPES: dict[str, set[Any]] = {
    "minimum": {-(2**31), "-9223372036854775808", "-9999.99"}, "maximum": {2**31 - 1, "9223372036854775807", "9999.99"},
    "maxLength": {20},
}  # fmt: skip


def test_what_simple_checks_say_is_in_resources(backend: Backend, start: Serve):
    backend.run(LIMITS)

    (item,) = start(backend).query(
        "{ resources { attributes { name minimum maximum minLength maxLength enum pattern } } }"
    )["resources"]

    found = {
        each["name"]: {
            key: value
            for key, value in each.items()
            if key != "name" and value is not None and not (key in OF_TYPES and value in OF_TYPES[key])
        }
        for each in item["attributes"]
    }
    del found["id"]
    assert found == KNOWN


@pytest.mark.parametrize(
    ("kind", "check", "pattern"),
    [
        ("postgresql", "v ~ '^[A-Z]{3}$'", "^[A-Z]{3}$"),
        ("postgresql", "v ~ '^([a-z]+-)*[a-z0-9]+$'", "^([a-z]+-)*[a-z0-9]+$"),
        ("postgresql", "v ~ '@'", "@"),
        ("postgresql", "v ~* '^[A-Z]{3}$'", None),
        ("postgresql", "v ~ '^[[:alpha:]]+$'", None),
        ("postgresql", "v ~ '^.+$'", None),
        ("postgresql", r"v ~ '^\w+$'", None),
        ("postgresql", r"v ~ '^\mx'", None),
        ("postgresql", "v !~ 'x'", None),
        ("sqlite", "v GLOB '[A-Z][A-Z][0-9]'", "^[A-Z][A-Z][0-9]$"),
        ("sqlite", "v GLOB 'A.*'", r"^A\."),
        ("sqlite", "v GLOB '*x'", "x$"),
        ("sqlite", "v NOT GLOB '*[^0-9]*'", None),
        ("sqlite", "v GLOB 'a*b'", None),
        ("sqlite", "v GLOB '?'", None),
        ("sqlite", "v LIKE 'a%'", None),
    ],
)
def test_a_pattern_is_shown_where_it_means_the_same_everywhere(
    request: pytest.FixtureRequest, start: Serve, kind: str, check: str, pattern: str | None
):
    backend: Backend = request.getfixturevalue(kind)
    backend.run(f"CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT, CONSTRAINT form CHECK ({check}))")
    api = start(backend)

    (item,) = api.query("{ resources { attributes { name pattern } } }")["resources"]
    assert {each["name"]: each["pattern"] for each in item["attributes"]} == {"id": None, "v": pattern}
    if pattern is not None:
        (error,) = errors(api, part("p", "CREATE", "/items/1", {"v": "-"}))["p"]
        assert (error["message"], error["params"]) == ("v must match the required pattern.", {"pattern": pattern})
