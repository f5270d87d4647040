"""What the server's role may not do: not served, read-only, or not among the operations, each with a note (PostgreSQL)."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from partwise.describe import describe_catalog
from partwise.settings import SettingsError
from tests.conftest import Serve
from tests.support.described import fields, resources
from tests.support.harness import Api, Backend, Json, faults, part

pytestmark = pytest.mark.costly

ALL = ["GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE"]
As = Callable[..., Api]

_numbers = count()


@pytest.fixture
def role(postgresql: Backend) -> Iterator[str]:
    """A role without any rights but to the schema."""
    name = f"limited_{os.getpid()}_{next(_numbers)}"
    postgresql.run(f"CREATE ROLE {name};\nGRANT USAGE ON SCHEMA public TO {name}")
    yield name
    postgresql.run(f"REASSIGN OWNED BY {name} TO CURRENT_USER;\nDROP OWNED BY {name};\nDROP ROLE {name}")


@pytest.fixture
def as_role(postgresql: Backend, role: str, start: Serve) -> As:
    """Run a script, in which {role} is the role, and serve the database with the role's rights."""

    def serve_as(script: str, **settings: Any) -> Api:
        postgresql.run(script.replace("{role}", role))
        url = sa.make_url(postgresql.url).update_query_dict({"options": f"-c role={role}"})
        return start(replace(postgresql, url=url.render_as_string(hide_password=False)), **settings)

    return serve_as


def notes(api: Api, role: str) -> list[str]:
    return [each.replace(role, "app") for each in api.service.engine.catalog.notices]


def operations(api: Api) -> dict[str, list[str]]:
    return {name: each["operations"] for name, each in resources(api).items()}


def read_only(api: Api, name: str) -> list[str]:
    return [each["name"] for each in resources(api)[name]["attributes"].values() if each["readOnly"]]


def test_what_may_not_be_read_is_not_served(as_role: As, role: str, postgresql: Backend):
    api = as_role("""
        CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, salary INTEGER, pin TEXT, town INTEGER);
        CREATE TABLE closed (id INTEGER PRIMARY KEY);
        CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT);
        ALTER TABLE person ADD FOREIGN KEY (town) REFERENCES town (id);
        CREATE TABLE card (person INTEGER REFERENCES closed (id), id INTEGER PRIMARY KEY);
        CREATE TABLE secret (id INTEGER PRIMARY KEY, name TEXT);
        CREATE VIEW everyone AS SELECT * FROM person;
        CREATE VIEW nobody AS SELECT * FROM person;
        INSERT INTO person VALUES (1, 'Ada', 100, '1234', NULL);
        INSERT INTO secret VALUES (1, 'a'), (2, 'b');
        GRANT SELECT (id, name), INSERT, UPDATE, DELETE ON person TO {role};
        GRANT ALL ON town, card TO {role};
        GRANT SELECT (name), INSERT, UPDATE, DELETE ON secret TO {role};
        GRANT SELECT ON everyone TO {role}""")

    assert set(resources(api)) == {"Person", "Town", "Card", "Secret", "Everyone"}
    assert notes(api, role) == [
        'Table closed is not served: role "app" has no SELECT privilege on it.',
        'View nobody is not served: role "app" has no SELECT privilege on it.',
        'Person: columns salary, pin, town are not served: role "app" has no SELECT privilege on them.',
        'Secret is read-only and its items have no paths: role "app" has no SELECT privilege on key column id of table secret.',
        "Card: no relation over person, because 'closed' or its key is not served.",
        "Person: no relation over town, because this column is not served.",
        "Everyone: 'everyone' is a view, so it can only be read.",
    ]
    assert set(fields(api, "Person")) == {"id", "name", "path", "etag"}
    assert api.query(
        "{ people { nodes { id name } } secrets(orderBy: {name: DESC}) { nodes { name } totalCount } }"
    ) == {
        "people": {"nodes": [{"id": 1, "name": "Ada"}]},
        "secrets": {"nodes": [{"name": "b"}, {"name": "a"}], "totalCount": 2},
    }
    assert len(api.query("{ everyones { nodes { salary } } }")["everyones"]["nodes"]) == 1
    done = api.batch(
        part("u", "UPDATE", "/people/1", {"name": "Eve"}),
        part("g", "GET", "/people/1"),
        part("r", "REPLACE", "/people/1", {"name": "Eva"}),
        part("c", "CREATE", "/people", {"id": 2, "name": "Bea"}),
        part("d", "DELETE", "/people/2"),
    )
    assert done["status"] == "COMMITTED"
    assert postgresql.rows("SELECT * FROM person") == [(1, "Eva", 100, "1234", None)]
    rejected = api.batch(
        part("salary", "UPDATE", "/people/1", {"salary": 1}),
        part("key", "CREATE", "/people", {"id": 1}),
        part("target", "CREATE", "/cards", {"id": 1, "person": 5}),
        part("none", "CREATE", "/secrets", {"name": "c"}),
    )
    assert [(each["id"], each["errors"][0]["code"]) for each in rejected["parts"]] == [
        ("salary", "UNKNOWN_ATTRIBUTE"),
        ("key", "CONFLICT"),
        ("target", "MISSING_TARGET"),
        ("none", "OPERATION_NOT_ALLOWED"),
    ]


def test_a_view_with_its_readers_rights_is_served_where_all_that_it_reads_may_be_read(
    as_role: As, role: str, postgresql: Backend
):
    if postgresql.rows("SHOW server_version_num") < [("150000",)]:
        pytest.skip("PostgreSQL has such views since 15")
    api = as_role("""
        CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, salary INTEGER);
        CREATE TABLE closed (id INTEGER PRIMARY KEY);
        CREATE VIEW names WITH (security_invoker = true) AS SELECT id, name FROM person;
        CREATE VIEW salaries WITH (security_invoker = on) AS SELECT id, salary FROM person;
        CREATE VIEW above WITH (security_invoker) AS SELECT id FROM salaries;
        CREATE VIEW beside AS SELECT count(*) AS n FROM closed;
        CREATE VIEW over_beside WITH (security_invoker = yes) AS SELECT n FROM beside;
        GRANT SELECT (id, name) ON person TO {role};
        GRANT SELECT ON names, salaries, above, beside, over_beside TO {role}""")

    assert set(resources(api)) == {"Person", "Name", "Beside", "OverBeside"}
    assert notes(api, role)[:3] == [
        'View above is not served: role "app" has no SELECT privilege on table person, which this security_invoker view reads with the privileges of its caller.',
        'Table closed is not served: role "app" has no SELECT privilege on it.',
        'View salaries is not served: role "app" has no SELECT privilege on table person, which this security_invoker view reads with the privileges of its caller.',
    ]
    for each in resources(api).values():
        api.query("{{ {} {{ totalCount nodes {{ __typename }} }} }}".format(each["collection"]))


GRANTS: list[tuple[str, list[str], list[str]]] = [
    ("SELECT, INSERT, UPDATE, DELETE", ALL, []),
    ("SELECT", ["GET"], ['Visit is read-only: role "app" has no INSERT, UPDATE or DELETE privilege on table visit.']),
    (
        "SELECT, INSERT",
        ["GET", "CREATE"],
        [
            'Visit does not support UPDATE, REPLACE or UPSERT: role "app" has no UPDATE privilege on table visit.',
            'Visit does not support DELETE: role "app" has no DELETE privilege on table visit.',
        ],
    ),
    (
        "SELECT, UPDATE",
        ["GET", "UPDATE", "REPLACE"],
        [
            'Visit does not support CREATE or UPSERT: role "app" has no INSERT privilege on table visit.',
            'Visit does not support DELETE: role "app" has no DELETE privilege on table visit.',
        ],
    ),
    (
        "SELECT, INSERT, DELETE",
        ["GET", "CREATE", "DELETE"],
        ['Visit does not support UPDATE, REPLACE or UPSERT: role "app" has no UPDATE privilege on table visit.'],
    ),
    (
        "SELECT, INSERT, UPDATE",
        ["GET", "CREATE", "UPDATE", "REPLACE", "UPSERT"],
        ['Visit does not support DELETE: role "app" has no DELETE privilege on table visit.'],
    ),
    (
        "SELECT, INSERT (id), UPDATE",
        ["GET", "UPDATE", "REPLACE"],
        [
            'Visit does not support CREATE or UPSERT: role "app" has no INSERT privilege on column day of table visit, which needs a value.',
            'Visit does not support DELETE: role "app" has no DELETE privilege on table visit.',
        ],
    ),
]


@pytest.mark.parametrize("case", GRANTS, ids=[each[0] for each in GRANTS])
@pytest.mark.parametrize("groups", [True, False])
def test_operations_are_those_for_which_there_are_rights(
    as_role: As, role: str, postgresql: Backend, case: tuple[str, list[str], list[str]], groups: bool
):
    granted, expected, told = case
    api = as_role(
        f"""
        CREATE TABLE place (id INTEGER PRIMARY KEY);
        CREATE TABLE visit (id INTEGER PRIMARY KEY, day INTEGER NOT NULL UNIQUE, note TEXT, place INTEGER REFERENCES place (id));
        INSERT INTO place VALUES (1);
        INSERT INTO visit VALUES (1, 1, 'a', 1), (2, 2, 'b', 1), (3, 3, 'c', 1);
        GRANT ALL ON place TO {{role}};
        GRANT {granted} ON visit TO {{role}}""",
        groups=groups,
    )
    payloads: dict[str, Json] = {
        "GET": ("/visits/3", None),
        "CREATE": ("/visits", {"id": 9, "day": 9, "place": 1}),
        "UPDATE": ("/visits/1", {"note": "x"}),
        "REPLACE": ("/visits/2", {"day": 20}),
        "UPSERT": ("/visits/8", {"day": 8}),
        "DELETE": ("/visits/3", None),
    }

    assert operations(api)["Visit"] == expected
    assert [each for each in notes(api, role) if each.startswith("Visit")] == told
    for verb in ALL:
        path, payload = payloads[verb]
        result = api.batch(part("p", verb, path, payload), part("q", "GET", "/visits/1"))
        if verb in expected:
            assert result["status"] == "COMMITTED", (verb, result)
        else:
            assert faults(result) == {"p": [("OPERATION_NOT_ALLOWED", "/operation")]}
    many = [part(f"p{n}", "CREATE", "/visits", {"id": 100 + n, "day": 100 + n, "place": 1}) for n in range(1_000)]
    result = api.batch(*many)
    assert result["status"] == ("COMMITTED" if "CREATE" in expected else "REJECTED")
    assert postgresql.rows("SELECT count(*) FROM visit WHERE id >= 100") == [(1_000 if "CREATE" in expected else 0,)]


def test_check_says_what_may_be_done(as_role: As):
    api = as_role("""
        CREATE TABLE visit (id INTEGER PRIMARY KEY, n INTEGER);
        CREATE TABLE log (id INTEGER PRIMARY KEY, n INTEGER);
        GRANT SELECT, INSERT ON visit TO {role};
        GRANT SELECT, INSERT, DELETE ON log TO {role}""")
    said = describe_catalog(api.service.engine.catalog)

    assert "Visit  /visits  (table visit, read, create)\n" in said
    assert "batches    grouped" in said.partition("Visit  /visits")[2]
    assert "Log  /logs  (table log, read, create, delete)\n" in said
    assert (
        "one by one: its rows cannot be locked before they are deleted, because the role has no UPDATE privilege"
        in said
    )


def test_an_item_that_cannot_be_locked_is_deleted_only_as_it_was_seen(as_role: As, postgresql: Backend):
    api = as_role("""
        CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT);
        INSERT INTO visit VALUES (1, 'a'), (2, 'b');
        GRANT SELECT, INSERT, DELETE ON visit TO {role}""")
    etag = api.one("GET", "/visits/1")["etag"]

    assert api.one("DELETE", "/visits/1", ifMatch=["other"])["status"] == 412
    assert api.one("DELETE", "/visits/1", ifMatch=[etag])["status"] == 204
    done = api.batch(
        part("d", "DELETE", "/visits/2"), part("c", "CREATE", "/visits", {"id": 2}), part("e", "DELETE", "/visits/2")
    )
    assert done["status"] == "COMMITTED"
    assert postgresql.rows("SELECT count(*) FROM visit") == [(0,)]


COLUMNS = """
CREATE TABLE project (
  id TEXT PRIMARY KEY, made_at TIMESTAMPTZ NOT NULL DEFAULT now(), title TEXT UNIQUE NOT NULL, owner TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'new', parent TEXT REFERENCES project (id)
);
INSERT INTO project (id, title, owner) VALUES ('a', 'A', 'me');
GRANT SELECT, DELETE, INSERT (id, title, owner, parent), UPDATE (title, state, parent) ON project TO {role}
"""


@pytest.mark.parametrize("groups", [True, False])
def test_rights_to_some_columns_make_the_others_read_only(as_role: As, role: str, postgresql: Backend, groups: bool):
    """`owner` can be given to a new item only, `state` to one that is there only, `madeAt` never."""
    api = as_role(COLUMNS, groups=groups)

    assert operations(api)["Project"] == ALL
    assert read_only(api, "Project") == ["madeAt"]
    assert notes(api, role) == [
        'Project: madeAt is read-only: role "app" has no INSERT or UPDATE privilege on column made_at of table project.',
        'Project: state is read-only on CREATE: role "app" has no INSERT privilege on column state of table project.',
        'Project: owner is read-only after CREATE: role "app" has no UPDATE privilege on column owner of table project.',
    ]
    before = postgresql.dump()
    rejected = api.batch(
        part("create", "CREATE", "/projects", {"id": "x", "title": "X", "owner": "o", "state": "s", "madeAt": "2024-01-01T00:00:00Z"}),
        part("nothing", "CREATE", "/projects", {"id": "y"}),
        part("update", "UPDATE", "/projects/a", {"owner": "me", "madeAt": "2024-01-01T00:00:00Z", "title": "B"}),
        part("replace", "REPLACE", "/projects/a", {"owner": "me"}),
        part("new", "UPSERT", "/projects/z", {"title": "Z", "owner": "o", "state": "s"}),
        part("old", "UPSERT", "/projects/a", {"title": "Z", "owner": "you", "state": "s"}),
    )  # fmt: skip
    assert faults(rejected) == {
        "create": [("READ_ONLY", "/payload/state"), ("READ_ONLY", "/payload/madeAt")],
        "nothing": [("REQUIRED", "/payload/title"), ("REQUIRED", "/payload/owner")],
        "update": [("READ_ONLY", "/payload/owner"), ("READ_ONLY", "/payload/madeAt")],
        "replace": [("READ_ONLY", "/payload/owner"), ("REQUIRED", "/payload/title")],
        "new": [("READ_ONLY", "/payload/state")],
        "old": [("READ_ONLY", "/payload/owner")],
    }
    assert postgresql.dump() == before
    done = api.batch(
        part("c", "CREATE", "/projects", {"id": "b", "title": "B", "owner": "o"}),
        part("below", "CREATE", "/projects/b/projectsByParent", {"id": "c", "title": "C", "owner": "o"}),
        part("u", "UPDATE", "/projects/a", {"title": "A2", "state": "old"}),
        part("r", "REPLACE", "/projects/b", {"title": "B2"}),
        part("same", "UPSERT", "/projects/a", {"title": "A3", "owner": "me"}),
        part("new", "UPSERT", "/projects", {"id": "d", "title": "D", "owner": "o"}),
    )
    assert done["status"] == "COMMITTED"
    assert postgresql.rows("SELECT id, title, owner, state, parent FROM project ORDER BY id") == [
        ("a", "A3", "me", "old", None),
        ("b", "B2", "o", "new", None),
        ("c", "C", "o", "new", "b"),
        ("d", "D", "o", "new", None),
    ]


def test_a_thousand_items_with_rights_to_some_columns(as_role: As, postgresql: Backend):
    api = as_role(COLUMNS)
    made = [part(f"p{n}", "CREATE", "/projects", {"id": f"n{n}", "title": f"T{n}", "owner": "o"}) for n in range(1_000)]
    changed = [part(f"p{n}", "UPDATE", f"/projects/n{n}", {"state": str(n)}) for n in range(1_000)]
    wrong: list[Any] = [*changed]
    wrong[7] = part("p7", "UPDATE", "/projects/n7", {"owner": "x"})

    assert api.batch(*made)["status"] == "COMMITTED"
    assert faults(api.batch(*wrong)) == {"p7": [("READ_ONLY", "/payload/owner")]}
    assert api.batch(*changed)["status"] == "COMMITTED"
    assert postgresql.rows("SELECT count(*), count(DISTINCT state) FROM project WHERE owner = 'o'") == [(1_000, 1_000)]


def test_a_foreign_key_that_may_not_be_given_is_not_given_by_a_path_either(as_role: As, postgresql: Backend):
    api = as_role("""
        CREATE TABLE shop (id INTEGER PRIMARY KEY);
        CREATE TABLE shelf (id INTEGER PRIMARY KEY, shop_id INTEGER REFERENCES shop (id), n INTEGER);
        INSERT INTO shop VALUES (1);
        INSERT INTO shelf VALUES (1, 1, 1);
        GRANT SELECT ON shop TO {role};
        GRANT SELECT, DELETE, INSERT (id, n), UPDATE (n) ON shelf TO {role}""")

    rejected = api.batch(
        part("c", "CREATE", "/shops/1/shelves", {"id": 2}),
        part("u", "UPSERT", "/shops/1/shelves/3", {"n": 2}),
        part("r", "CREATE", "/shelves", {"id": 5}, references=[{"attribute": "shopId", "part": "g"}]),
    )
    assert faults(rejected) == {
        "c": [("READ_ONLY", "/path")],
        "u": [("READ_ONLY", "/path")],
        "r": [("INVALID_REFERENCE", "/references/0")],
    }
    done = api.batch(
        part("u", "UPSERT", "/shops/1/shelves/1", {"n": 2}), part("r", "REPLACE", "/shops/1/shelves/1", {"n": 3})
    )
    assert done["status"] == "COMMITTED"
    assert postgresql.rows("SELECT * FROM shelf") == [(1, 1, 3)]


def test_a_missing_right_to_a_sequence_or_a_function_is_said_at_the_start(as_role: As, role: str, postgresql: Backend):
    api = as_role("""
        CREATE FUNCTION code() RETURNS TEXT LANGUAGE SQL AS 'SELECT md5(random()::text)';
        REVOKE EXECUTE ON FUNCTION code() FROM PUBLIC;
        CREATE TABLE serial_key (id SERIAL PRIMARY KEY, n INTEGER);
        CREATE TABLE identity_key (id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n INTEGER);
        CREATE TABLE coded (id INTEGER PRIMARY KEY, code TEXT NOT NULL DEFAULT code(), other TEXT DEFAULT upper(code()));
        CREATE TABLE free (id SERIAL PRIMARY KEY, n INTEGER);
        GRANT ALL ON serial_key, identity_key, coded, free TO {role};
        GRANT UPDATE ON SEQUENCE free_id_seq TO {role}""")

    assert notes(api, role) == [
        'Coded: code is required on CREATE: role "app" has no EXECUTE privilege on function code, which its default needs.',
        'Coded: other is required on CREATE: role "app" has no EXECUTE privilege on function code, which its default needs.',
        'IdentityKey: CREATE parts run one by one: role "app" has no USAGE privilege on sequence identity_key_id_seq.',
        'SerialKey: id is required on CREATE: role "app" has no USAGE privilege on sequence serial_key_id_seq, which its default needs.',
    ]
    assert {name: each["attributes"]["id"]["required"] for name, each in resources(api).items()} == {
        "Coded": True,
        "Free": False,
        "IdentityKey": False,
        "SerialKey": True,
    }
    rejected = api.batch(
        part("serial", "CREATE", "/serialKeys", {"n": 1}),
        part("coded", "CREATE", "/codeds", {"id": 1}),
        part("replaced", "REPLACE", "/codeds/1", {"other": "x"}),
    )
    assert faults(rejected) == {
        "serial": [("REQUIRED", "/payload/id")],
        "coded": [("REQUIRED", "/payload/code"), ("REQUIRED", "/payload/other")],
        "replaced": [("REQUIRED", "/payload/code")],
    }
    done = api.batch(
        part("serial", "CREATE", "/serialKeys", {"id": 5}),
        part("identity", "CREATE", "/identityKeys", {"n": 1}),
        part("identity 2", "CREATE", "/identityKeys", {"n": 2}),
        part("coded", "CREATE", "/codeds", {"id": 1, "code": "x", "other": None}),
        part("free", "CREATE", "/frees", {"n": 1}),
    )
    assert done["status"] == "COMMITTED"
    assert postgresql.rows("SELECT * FROM identity_key ORDER BY id") == [(1, 1), (2, 2)]


def test_rights_come_by_membership_and_from_public_too(as_role: As, role: str, postgresql: Backend):
    group = f"{role}_group"
    try:
        api = as_role(f"""
            CREATE ROLE {group};
            GRANT {group} TO {{role}};
            CREATE TABLE one (id INTEGER PRIMARY KEY, n INTEGER);
            CREATE TABLE two (id INTEGER PRIMARY KEY, n INTEGER);
            CREATE TABLE three (id INTEGER PRIMARY KEY, n INTEGER);
            GRANT ALL ON one TO {group};
            GRANT SELECT ON two TO PUBLIC;
            GRANT INSERT, UPDATE (n), DELETE ON two TO {group};
            GRANT SELECT ON three TO {group};
            GRANT UPDATE (n) ON three TO PUBLIC""")

        assert operations(api) == {"One": ALL, "Three": ["GET", "UPDATE", "REPLACE"], "Two": ALL}
        done = api.batch(
            part("c", "CREATE", resources(api)["Two"]["path"], {"id": 1}),
            part("u", "UPDATE", resources(api)["Two"]["path"] + "/1", {"n": 2}),
        )
        assert done["status"] == "COMMITTED", done
    finally:
        postgresql.run(f"DROP OWNED BY {group};\nDROP ROLE {group}")


def test_a_key_that_only_the_database_may_make(as_role: As, role: str, postgresql: Backend):
    api = as_role("""
        CREATE TABLE thing (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), n INTEGER);
        GRANT SELECT, UPDATE, INSERT (n), DELETE ON thing TO {role}""")

    assert read_only(api, "Thing") == ["id"]
    key = "00000000-0000-4000-8000-000000000001"
    rejected = api.batch(
        part("c", "CREATE", "/things", {"id": key}),
        part("p", "CREATE", f"/things/{key}", {}),
        part("u", "UPSERT", f"/things/{key[:-1]}2", {}),
    )
    assert faults(rejected) == {
        "c": [("READ_ONLY", "/payload/id")],
        "p": [("READ_ONLY", "/path")],
        "u": [("READ_ONLY", "/path")],
    }
    assert api.batch(*(part(f"p{n}", "CREATE", "/things", {"n": n}) for n in range(50)))["status"] == "COMMITTED"
    assert postgresql.rows("SELECT count(*) FROM thing") == [(50,)]


def test_a_version_that_the_role_may_not_write_or_read(as_role: As, role: str, postgresql: Backend, start: Serve):
    script = """
        CREATE TABLE thing (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, n INTEGER);
        INSERT INTO thing VALUES (1, 1, 1);
        GRANT SELECT, INSERT, UPDATE (n) ON thing TO {role}"""
    api = as_role(script, resources={"thing": {"version": "version"}})

    assert operations(api)["Thing"] == ["GET", "CREATE"]
    assert notes(api, role)[0] == (
        'Thing does not support UPDATE, REPLACE or UPSERT: role "app" has no UPDATE privilege on column version of table thing, which counts versions.'
    )
    with pytest.raises(SettingsError, match=r"cannot be read: role .* has no SELECT privilege on it"):
        as_role("REVOKE SELECT ON thing FROM {role};\nGRANT SELECT (id, n) ON thing TO {role}", resources={"thing": {"version": "version"}})  # fmt: skip


def test_a_role_that_may_use_no_schema_ends_the_start_with_a_sentence(as_role: As, role: str):
    with pytest.raises(SettingsError, match=f'role "{role}" has no USAGE privilege on any schema of its search path'):
        as_role("CREATE TABLE thing (id INTEGER PRIMARY KEY);\nREVOKE USAGE ON SCHEMA public FROM PUBLIC, {role}")


def test_a_partition_is_written_with_the_rights_of_its_parent(as_role: As, postgresql: Backend):
    api = as_role("""
        CREATE TABLE event (id INTEGER PRIMARY KEY, n INTEGER) PARTITION BY RANGE (id);
        CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10);
        CREATE TABLE other (id INTEGER PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE other_1 PARTITION OF other FOR VALUES FROM (0) TO (10);
        GRANT ALL ON event, other_1 TO {role}""")

    assert operations(api) == {"Event": ALL, "Other1": ALL}, (
        "the rows of the one that may not be read are served by the other"
    )
    done = api.batch(
        part("c", "CREATE", "/events", {"id": 1}),
        part("u", "UPDATE", "/events/1", {"n": 1}),
        part("d", "CREATE", "/other1s", {"id": 1}),
    )
    assert done["status"] == "COMMITTED"


CARDS = """
CREATE TABLE card (
  id INTEGER PRIMARY KEY, side INTEGER CONSTRAINT even CHECK (side % 2 = 0), code VARCHAR(9) UNIQUE, fixed INTEGER, made INTEGER
);
INSERT INTO card VALUES (1, 2, 'a', 1, 1), (2, 2, 'b', 1, 1);
GRANT SELECT, INSERT (id, side, code, fixed), UPDATE (side, code, made) ON card TO {role}
"""


@pytest.mark.parametrize("groups", [True, False])
def test_an_upsert_of_a_closed_attribute_is_told_its_other_faults_too(as_role: As, postgresql: Backend, groups: bool):
    api = as_role(CARDS, groups=groups)
    before = postgresql.dump()
    wrong = {"side": 3, "code": "b"}

    parts = [
        part("there", "UPSERT", "/cards/1", {**wrong, "fixed": 9}),
        part("new", "UPSERT", "/cards/7", {**wrong, "made": 9}),
        part("update", "UPDATE", "/cards/1", {**wrong, "fixed": 9}),
    ]
    found = {each["id"]: faults(api.batch(each))[each["id"]] for each in parts}

    others = [("CONFLICT", "/payload/code"), ("CHECK_FAILED", "/payload/side")]
    assert found == {
        "there": [("READ_ONLY", "/payload/fixed"), *others],
        "new": [("READ_ONLY", "/payload/made"), *others],
        "update": [("READ_ONLY", "/payload/fixed"), *others],
    }
    assert postgresql.dump() == before
