"""PostgreSQL's partitions: one resource for the whole, constraints told by its attributes (docs/contract.md, section 4)."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.described import relations, resources
from tests.support.harness import Api, Backend, Json, faults, part
from tests.support.part_errors import errors

pytestmark = pytest.mark.costly

# Invoices by tenant (a list; the second partition has one of its own), with foreign keys to them, from them, and between two of a kind.
SCRIPT = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE invoice (
  tenant_id INTEGER NOT NULL, id INTEGER NOT NULL, code TEXT, n INTEGER NOT NULL DEFAULT 0, customer_id INTEGER REFERENCES customer (id),
  PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, code), CONSTRAINT n_is_small CHECK (n < 100)
) PARTITION BY LIST (tenant_id);
CREATE TABLE invoice_1 PARTITION OF invoice FOR VALUES IN (1);
CREATE TABLE invoice_2 PARTITION OF invoice FOR VALUES IN (2, 3) PARTITION BY LIST (tenant_id);
CREATE TABLE invoice_2_a PARTITION OF invoice_2 FOR VALUES IN (2);
CREATE TABLE item (
  id INTEGER PRIMARY KEY, tenant_id INTEGER, invoice_id INTEGER, code TEXT UNIQUE,
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoice (tenant_id, id)
);
CREATE TABLE later (
  id INTEGER PRIMARY KEY, tenant_id INTEGER, invoice_id INTEGER, code TEXT UNIQUE,
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoice (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE line (
  tenant_id INTEGER, invoice_id INTEGER, place INTEGER, PRIMARY KEY (tenant_id, invoice_id, place),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoice (tenant_id, id)
) PARTITION BY HASH (tenant_id);
CREATE TABLE line_0 PARTITION OF line FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE line_1 PARTITION OF line FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO customer VALUES (1, 'Ada');
INSERT INTO invoice (tenant_id, id, code) VALUES (1, 7, 'a'), (2, 8, 'b');
INSERT INTO item VALUES (1, 1, 7, 'a'), (2, 2, 8, 'b');
INSERT INTO later VALUES (1, 1, 7, 'a'), (2, 2, 8, 'b');
INSERT INTO line VALUES (1, 7, 1), (2, 8, 1)
"""


@pytest.fixture
def shop(postgresql: Backend, start: Serve) -> Api:
    postgresql.run(SCRIPT)
    return start(postgresql)


def found(result: Json) -> dict[str, list[tuple[str, str, list[str]]]]:
    """Sum up a rejected batch: part id -> code, pointer and attributes of each of its errors."""
    return {p["id"]: [(e["code"], e["pointer"], e["attributes"]) for e in p["errors"]] for p in result["parts"]}


def test_partitions_are_no_resources_and_their_copies_of_foreign_keys_no_relations(shop: Api):
    assert relations(shop) == {
        "Customer": {"invoices": ("Invoice", True, ["id"])},
        "Invoice": {
            "customer": ("Customer", False, ["customerId"]),
            "itemsByTenantIdAndInvoiceId": ("Item", True, ["tenantId", "id"]),
            "latersByTenantIdAndInvoiceId": ("Later", True, ["tenantId", "id"]),
            "linesByTenantIdAndInvoiceId": ("Line", True, ["tenantId", "id"]),
        },
        "Item": {"invoiceByTenantIdAndInvoiceId": ("Invoice", False, ["tenantId", "invoiceId"])},
        "Later": {"invoiceByTenantIdAndInvoiceId": ("Invoice", False, ["tenantId", "invoiceId"])},
        "Line": {"invoiceByTenantIdAndInvoiceId": ("Invoice", False, ["tenantId", "invoiceId"])},
    }


def test_a_partition_is_served_where_the_file_says_so(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    api = start(postgresql, resources={"invoice_1": {"hidden": False}})

    assert {"Invoice", "Invoice1"} <= set(resources(api))
    assert relations(api)["Invoice1"] == {"customer": ("Customer", False, ["customerId"])}
    rejected = api.batch(
        part("elsewhere", "CREATE", "/invoice1s", {"tenantId": 2, "id": 1}),
        part("key", "CREATE", "/invoice1s", {"tenantId": 1, "id": 7}),
        part("target", "CREATE", "/invoice1s", {"tenantId": 1, "id": 9, "customerId": 5}),
    )
    assert found(rejected) == {
        "elsewhere": [("CHECK_FAILED", "/payload/tenantId", ["tenantId"])],
        "key": [("CONFLICT", "/payload/tenantId", ["tenantId", "id"])],
        "target": [("MISSING_TARGET", "/payload/customerId", ["customerId"])],
    }
    api.batch(part("a", "CREATE", "/invoice1s", {"tenantId": 1, "id": 10}))
    assert postgresql.rows("SELECT count(*) FROM invoice WHERE id = 10") == [(1,)]


@pytest.mark.parametrize("groups", [True, False])
def test_parts_on_a_partition_and_on_its_parent_see_each_other(postgresql: Backend, start: Serve, groups: bool):
    postgresql.run(SCRIPT)
    api = start(postgresql, resources={"invoice_1": {"hidden": False}}, groups=groups)

    done = api.batch(
        part("a", "CREATE", "/invoices", {"tenantId": 1, "id": 20, "n": 1}),
        part("b", "UPDATE", "/invoice1s/1,20", {"n": 2}),
        part("c", "UPDATE", "/invoices/1,20", {"code": "x"}),
        part("d", "GET", "/invoice1s/1,20"),
        part("e", "DELETE", "/invoice1s/1,20"),
        part("f", "CREATE", "/invoices/1,20", {}),
    )
    assert [each["status"] for each in done["parts"]] == [201, 200, 200, 200, 204, 201]
    assert done["parts"][3]["payload"] == {"tenantId": 1, "id": 20, "code": "x", "n": 2, "customerId": None}
    assert postgresql.rows("SELECT code, n FROM invoice_1 WHERE id = 20") == [(None, 0)]


def test_a_hidden_parent_hides_its_partitions(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    api = start(postgresql, resources={"invoice": {"hidden": True}})

    assert set(resources(api)) == {"Customer", "Item", "Later", "Line"}
    assert faults(api.batch(part("a", "UPDATE", "/items/1", {"invoiceId": 9}))) == {
        "a": [("MISSING_TARGET", "/payload/invoiceId")]
    }


def test_a_partition_whose_parent_is_elsewhere_is_served(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE SCHEMA other;
        CREATE TABLE other.log (id INTEGER PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE log_1 PARTITION OF other.log FOR VALUES FROM (0) TO (10);
        CREATE TABLE event (id INTEGER PRIMARY KEY, n INTEGER, UNIQUE (id, n)) PARTITION BY RANGE (id);
        CREATE TABLE other.event_1 PARTITION OF event (CHECK (n <> 3)) FOR VALUES FROM (0) TO (10)""")
    api = start(postgresql)

    assert set(resources(api)) == {"Log1", "Event"}
    rejected = api.batch(
        part("a", "CREATE", "/events", {"id": 1, "n": 1}),
        part("check", "CREATE", "/events", {"id": 2, "n": 3}),
        part("key", "CREATE", "/events", {"id": 1, "n": 1}),
        part("none", "CREATE", "/events", {"id": 10}),
    )
    assert found(rejected) == {
        "check": [("CHECK_FAILED", "/payload/n", ["n"])],
        "key": [("CONFLICT", "/payload/id", ["id"]), ("CONFLICT", "/payload/id", ["id", "n"])],
        "none": [("CHECK_FAILED", "/payload/id", ["id"])],
    }


@pytest.mark.parametrize("groups", [True, False])
def test_what_is_valid_is_written_and_what_is_wrong_is_told_once(postgresql: Backend, start: Serve, groups: bool):
    postgresql.run(SCRIPT)
    api = start(postgresql, groups=groups)
    before = postgresql.dump()
    cases: list[tuple[str, str, str, Json, list[tuple[str, str, list[str]]]]] = [
        ("no partition", "CREATE", "/invoices", {"tenantId": 9, "id": 1}, [("CHECK_FAILED", "/payload/tenantId", ["tenantId"])]),
        ("no sub-partition", "CREATE", "/invoices", {"tenantId": 3, "id": 1}, [("CHECK_FAILED", "/payload/tenantId", ["tenantId"])]),
        ("key", "CREATE", "/invoices", {"tenantId": 2, "id": 8}, [("CONFLICT", "/payload/tenantId", ["tenantId", "id"])]),
        ("key of the path", "CREATE", "/invoices/2,8", {}, [("CONFLICT", "/path", ["tenantId", "id"])]),
        ("unique", "CREATE", "/invoices", {"tenantId": 2, "id": 9, "code": "b"}, [("CONFLICT", "/payload/tenantId", ["tenantId", "code"])]),
        ("check", "UPDATE", "/invoices/2,8", {"n": 100}, [("CHECK_FAILED", "/payload/n", ["n"])]),
        ("check of a new one", "UPSERT", "/invoices/1,99", {"n": 100}, [("CHECK_FAILED", "/payload/n", ["n"])]),
        ("target", "REPLACE", "/invoices/1,7", {"customerId": 5}, [("MISSING_TARGET", "/payload/customerId", ["customerId"])]),
        ("null", "UPDATE", "/invoices/1,7", {"n": None}, [("REQUIRED", "/payload/n", ["n"])]),
        ("referenced", "DELETE", "/invoices/2,8", None, [("STILL_REFERENCED", "/path", []), ("STILL_REFERENCED", "/path", [])]),
        ("unique beside a good foreign key", "CREATE", "/items", {"id": 1, "tenantId": 1, "invoiceId": 7}, [("CONFLICT", "/payload/id", ["id"])]),
        ("missing", "UPDATE", "/items/1", {"invoiceId": 99}, [("MISSING_TARGET", "/payload/invoiceId", ["tenantId", "invoiceId"])]),
        ("missing at the end", "UPDATE", "/laters/1", {"invoiceId": 99}, [("MISSING_TARGET", "/payload/invoiceId", ["tenantId", "invoiceId"])]),
        ("missing from a partition", "CREATE", "/lines", {"tenantId": 1, "invoiceId": 99, "place": 1}, [("MISSING_TARGET", "/payload/tenantId", ["tenantId", "invoiceId"])]),
    ]  # fmt: skip

    told = {name: found(api.batch(part("p", *case))).get("p") for name, *case, _ in cases}

    assert told == {name: expected for name, *_, expected in cases}
    assert postgresql.dump() == before
    done = api.batch(
        part("new", "CREATE", "/invoices", {"tenantId": 1, "id": 9, "code": "c"}),
        part("item", "CREATE", "/items", {"id": 5, "tenantId": 2, "invoiceId": 8}, references=[]),
        part("of new", "CREATE", "/laters", {"id": 5, "tenantId": 1, "invoiceId": 9}),
        part("other", "UPDATE", "/items/1", {"tenantId": 2, "invoiceId": 8}),
        part("line", "CREATE", "/invoices/1,9/linesByTenantIdAndInvoiceId", {"place": 3}),
        part("gone", "DELETE", "/lines/2,8,1"),
    )
    assert done["status"] == "COMMITTED"


def test_what_decides_on_the_partition_is_part_of_the_key_and_never_changes(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE event (id INTEGER PRIMARY KEY, n INTEGER) PARTITION BY RANGE (id);
        CREATE TABLE event_rest PARTITION OF event DEFAULT;
        CREATE TABLE visit (id INTEGER, day DATE NOT NULL, note TEXT, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE visit_2025 PARTITION OF visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        CREATE TABLE visit_2026 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        INSERT INTO event SELECT * FROM generate_series(1, 5);
        INSERT INTO visit VALUES (1, '2025-05-05', 'x')""")
    api = start(postgresql)

    refused = api.batch(
        *(part(verb, verb, "/visits/1,2025-05-05", {"day": "2026-05-05"}) for verb in ("UPDATE", "REPLACE", "UPSERT"))
    )
    assert faults(refused) == {key: [("READ_ONLY", "/payload/day")] for key in ("UPDATE", "REPLACE", "UPSERT")}
    etag = api.one("GET", "/visits/1,2025-05-05")["etag"]
    assert api.one("UPDATE", "/visits/1,2025-05-05", {"note": "y"}, ifMatch=["other"])["status"] == 412
    assert api.one("UPDATE", "/visits/1,2025-05-05", {"note": "y"}, ifMatch=[etag])["status"] == 200
    assert api.one("UPSERT", "/events/9", {"n": 1})["status"] == 201, "the default partition takes what no other does"
    assert postgresql.rows("SELECT note FROM visit_2025") == [("y",)]
    assert postgresql.rows("SELECT n FROM event_rest WHERE id = 9") == [(1,)]


def test_a_row_that_a_cascade_moves_to_another_partition_is_seen_there(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE kind (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
        CREATE TABLE thing (code TEXT REFERENCES kind (code) ON UPDATE CASCADE, id INTEGER, PRIMARY KEY (code, id))
          PARTITION BY LIST (code);
        CREATE TABLE thing_a PARTITION OF thing FOR VALUES IN ('a');
        CREATE TABLE thing_b PARTITION OF thing FOR VALUES IN ('b');
        INSERT INTO kind VALUES (1, 'a');
        INSERT INTO thing VALUES ('a', 1)""")
    api = start(postgresql)

    done = api.batch(part("u", "UPDATE", "/kinds/1", {"code": "b"}), part("g", "GET", "/things/b,1"))
    assert (done["status"], done["parts"][1]["payload"]) == ("COMMITTED", {"code": "b", "id": 1})
    assert postgresql.rows("SELECT * FROM thing_b") == [("b", 1)]
    nowhere = api.batch(part("u", "UPDATE", "/kinds/1", {"code": "c"}))
    assert nowhere["parts"][0]["errors"][0]["code"] == "CHECK_FAILED"
    assert postgresql.rows("SELECT * FROM thing_b") == [("b", 1)]


def test_a_key_of_a_partition_alone_and_its_own_constraints_are_told_by_their_attributes(
    postgresql: Backend, start: Serve
):
    postgresql.run("""
        CREATE TABLE event (id INTEGER, day INTEGER, code TEXT, size INTEGER, owner INTEGER, PRIMARY KEY (id, day))
          PARTITION BY RANGE (day);
        CREATE TABLE owner (id INTEGER PRIMARY KEY);
        CREATE TABLE event_old (
          size INTEGER CONSTRAINT not_zero CHECK (size <> 0), code TEXT CONSTRAINT one_code UNIQUE, day INTEGER NOT NULL,
          id INTEGER NOT NULL, owner INTEGER REFERENCES owner (id)
        );
        CREATE UNIQUE INDEX one_size ON event_old ((size / 10));
        ALTER TABLE event ATTACH PARTITION event_old FOR VALUES FROM (0) TO (10);
        CREATE TABLE event_new PARTITION OF event FOR VALUES FROM (10) TO (20);
        INSERT INTO event (id, day, code, size) VALUES (1, 1, 'a', 50)""")
    api = start(postgresql)

    rejected = api.batch(
        part("code", "CREATE", "/events", {"id": 2, "day": 2, "code": "a"}),
        part("size", "CREATE", "/events", {"id": 3, "day": 2, "size": 55}),
        part("zero", "UPDATE", "/events/1,1", {"size": 0}),
        part("key", "CREATE", "/events", {"id": 1, "day": 1, "size": 7}),
        part("owner", "UPDATE", "/events/1,1", {"owner": 3}),
        part("good", "CREATE", "/events", {"id": 4, "day": 12, "code": "a", "size": 0}),
    )

    assert found(rejected) == {
        "code": [("CONFLICT", "/payload/code", ["code"])],
        "size": [("CONFLICT", "/payload/size", ["size"])],
        "zero": [("CHECK_FAILED", "/payload/size", ["size"])],
        "key": [("CONFLICT", "/payload/id", ["id", "day"])],
        "owner": [("MISSING_TARGET", "/payload/owner", ["owner"])],
    }
    assert postgresql.rows("SELECT count(*) FROM event") == [(1,)]
    assert "has unique keys of its own" in api.service.engine.catalog.resources["Event"].unbatchable_reasons[0]


def test_a_thousand_rows_go_to_their_partitions_and_the_one_without_is_found(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    api = start(postgresql)
    parts = [
        part(f"p{n}", "CREATE", "/invoices", {"tenantId": 1 + n % 2, "id": 100 + n // 2, "code": str(n)})
        for n in range(1_000)
    ]
    wrong: list[Any] = [*parts]
    wrong[500] = part("p500", "CREATE", "/invoices", {"tenantId": 4, "id": 1, "code": "x"})
    wrong[501] = part("p501", "CREATE", "/invoices", {"tenantId": 1, "id": 7, "code": "y"})

    rejected = api.batch(*wrong)
    assert found(rejected) == {
        "p500": [("CHECK_FAILED", "/payload/tenantId", ["tenantId"])],
        "p501": [("CONFLICT", "/payload/tenantId", ["tenantId", "id"])],
    }
    assert postgresql.rows("SELECT count(*) FROM invoice") == [(2,)]
    assert api.batch(*parts)["status"] == "COMMITTED"
    changed = [part(f"p{n}", "UPDATE", f"/invoices/{1 + n % 2},{100 + n // 2}", {"n": n % 100}) for n in range(1_000)]
    assert api.batch(*changed)["status"] == "COMMITTED"
    assert postgresql.rows("SELECT count(*), sum(n) FROM invoice_1 WHERE id >= 100") == [
        (500, sum(n % 100 for n in range(0, 1_000, 2)))
    ]


def test_check_says_which_partitions_are_part_of_a_resource(postgresql: Backend, start: Serve):
    postgresql.run(SCRIPT)
    catalog = start(postgresql).service.engine.catalog
    notices = catalog.notices

    assert notices == (
        (
            "Invoice: 2 partitions belong to it and are served as part of it (invoice_1, invoice_2). "
            "For a resource of its own, set hidden = false in [resources.invoice_1]."
        ),
        (
            "Line: 2 partitions belong to it and are served as part of it (line_0, line_1). "
            "For a resource of its own, set hidden = false in [resources.line_0]."
        ),
    )
    assert catalog.resources["Invoice"].copies[("public", "invoice_2_a"), "invoice_2_a_pkey"] == "invoice_pkey"
    assert catalog.resources["Invoice"].copies[("public", "invoice_1"), "n_is_small"] == "n_is_small"


TOUR = """
CREATE TABLE tour (
  region VARCHAR(9), id INTEGER, seats INTEGER CONSTRAINT even CHECK (seats % 2 = 0), code VARCHAR(9),
  PRIMARY KEY (region, id)
) PARTITION BY LIST (region);
CREATE TABLE tour_n PARTITION OF tour FOR VALUES IN ('n');
CREATE TABLE tour_s PARTITION OF tour (CONSTRAINT known CHECK (code <> 'zz')) FOR VALUES IN ('s');
ALTER TABLE tour_s ADD CONSTRAINT few CHECK (seats < 100);
COMMENT ON CONSTRAINT known ON tour_s IS 'The south has no zz.';
INSERT INTO tour VALUES ('n', 1, 2, 'zz'), ('s', 1, 2, 'a')
"""


@pytest.mark.parametrize("groups", [True, False])
def test_checks_of_a_partition_and_its_absence_are_told_with_the_other_checks(
    postgresql: Backend, start: Serve, groups: bool
):
    postgresql.run(TOUR)
    api = start(postgresql, groups=groups)
    before = postgresql.dump()
    wrong: dict[int, Json] = {
        7: {"region": "s", "seats": 101, "code": "zz"},
        8: {"region": "n", "seats": 101, "code": "zz"},
        600: {"region": "q", "seats": 3},
    }

    parts = [
        part(f"p{n}", "CREATE", "/tours", {"id": 10 + n, "region": "n", "seats": 200, "code": "zz", **wrong.get(n, {})})
        for n in range(1_000)
    ]
    parts += [
        part("update", "UPDATE", "/tours/s,1", {"seats": 101, "code": "zz"}),
        part("other", "UPDATE", "/tours/n,1", {"seats": 200}),
        part("upsert", "UPSERT", "/tours/s,2", {"code": "zz", "seats": 100}),
    ]
    rejected = errors(api, *parts)

    said = {id_: [(e["constraint"], e["pointer"], e["message"]) for e in every] for id_, every in rejected.items()}
    even = ("even", "/payload/seats", "seats is not allowed.")
    few = ("few", "/payload/seats", "seats must be at most 99.")
    known = ("known", "/payload/code", "The south has no zz.")
    assert said == {
        "p7": [even, few, known],
        "p8": [even],
        "p600": [even, (None, "/payload/region", "The database has no partition for this region.")],
        "update": [even, few, known],
        "upsert": [few, known],
    }
    assert postgresql.dump() == before
