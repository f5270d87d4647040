"""Whose error is it? What the database refuses is the error of its part, but for what docs/contract.md, section 6, names."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from partwise.settings import Settings
from storage.connections import driver_errors
from storage.connections.driver_errors import StatementRefused, Violation
from tests.conftest import Serve
from tests.support.applications import as_the_application
from tests.support.doors import Doors, body_of
from tests.support.harness import BATCH, Backend, Json, faults, part

pytestmark = pytest.mark.costly

# Every SQLSTATE of PostgreSQL's appendix, and some that only their authors know.
STATES = [
    *sorted(state for state in psycopg.errors._sqlcodes if len(state) == 5),  # it has names, too
    *("01000", "01004", "ZZ123", "45000", "99999", "7A2B3", "U0001"),
]
AGAIN = {"40001", "40P01"}
PREPARED = {"26000", "42P05"}  # of a pooler: such a batch runs again
TIMEOUT = {"57014", "55P03"}


def is_unavailable(state: str) -> bool:
    return state.startswith(("08", "53", "57P", "58")) or state in {"25006", "XX001", "XX002"}


OF_THE_REQUEST = [
    *((state, "SERIALIZATION_CONFLICT") for state in sorted(AGAIN)),
    *((state, "TIMEOUT") for state in sorted(TIMEOUT)),
    *((state, "UNAVAILABLE") for state in STATES if is_unavailable(state)),
]
OF_THE_PART = [state for state in STATES if state not in {each for each, _ in OF_THE_REQUEST} | PREPARED]
KINDS = {
    "23505": "CONFLICT",
    "23P01": "CONFLICT",
    "23503": "MISSING_TARGET",
    "23001": "MISSING_TARGET",
    "23502": "REQUIRED",
    "23514": "CHECK_FAILED",
}
RAISING = """
CREATE TABLE thing (id INTEGER PRIMARY KEY, code VARCHAR(5));
CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
INSERT INTO other VALUES (1, 0);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'DELETE' THEN RAISE EXCEPTION USING ERRCODE = OLD.code, MESSAGE = 'not so'; END IF ; RAISE EXCEPTION USING ERRCODE = NEW.code, MESSAGE = 'not so' ; END $$
"""
REFUSE = "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON thing FOR EACH ROW EXECUTE FUNCTION refuse()"
BESIDE = [part("fine", "UPDATE", "/others/1", {"n": 1}), part("bad", "UPDATE", "/others/1", {"n": "x"})]


def kind_of(state: str, operation: str = "CREATE") -> str:
    if operation == "DELETE" and state in {"23503", "23001"}:
        return "STILL_REFERENCED"
    if operation == "DELETE" and state in {"23505", "23P01"}:  # nothing that is deleted takes a unique value
        return "REFUSED_BY_DATABASE"
    return KINDS.get(state, "REFUSED_BY_DATABASE")


def parts_for(operation: str, states: list[str]) -> list[Json]:
    at_item = operation not in {"CREATE", "UPSERT"}
    return [
        part(
            state,
            operation,
            f"/things/{n}" if at_item else "/things",
            None if operation == "DELETE" else {"code": state, **({} if at_item else {"id": n + 10_000})},
        )
        for n, state in enumerate(states)
    ]


def fill(backend: Backend) -> None:
    rows = ", ".join(f"({n}, '{state}')" for n, state in enumerate(OF_THE_PART))
    backend.run(f"{RAISING};\nINSERT INTO thing VALUES {rows};\n{REFUSE}")


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE"])
def test_every_sqlstate_that_a_trigger_raises_is_an_error_of_its_part(
    postgresql: Backend, start: Serve, operation: str
):
    fill(postgresql)
    api = start(postgresql, max_parts=1_000)
    before = postgresql.dump()

    refused = api.batch(*parts_for(operation, OF_THE_PART), *BESIDE)

    codes = {each["id"]: [error["code"] for error in each["errors"]] for each in refused["parts"]}
    expected = {state: [kind_of(state, operation)] for state in OF_THE_PART}
    assert codes == expected | {"bad": ["INVALID_VALUE"]}
    messages = {error["message"] for each in refused["parts"][:-1] for error in each["errors"]}
    assert messages == {"not so."}
    assert postgresql.dump() == before


@pytest.mark.parametrize(("state", "expected"), OF_THE_REQUEST)
def test_what_the_contract_names_is_an_error_of_the_request(
    postgresql: Backend, start: Serve, state: str, expected: str
):
    postgresql.run(f"{RAISING};\n{REFUSE}")
    api = start(postgresql)
    before = postgresql.dump()

    answer = api.post(BATCH, {"parts": [*parts_for("CREATE", [state]), *BESIDE]})

    assert answer["data"] == {"batch": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == [expected]
    assert "not so" not in str(answer)
    assert postgresql.dump() == before


# A default that fails with the SQLSTATE that a row says: of an attribute, and of a key, which is made beforehand.
ARMED = """
CREATE TABLE armed (id INTEGER PRIMARY KEY, code VARCHAR(5));
INSERT INTO armed VALUES (1, 'P0001');
CREATE FUNCTION made() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
  RAISE EXCEPTION USING ERRCODE = (SELECT code FROM armed), MESSAGE = 'not so' ; END $$;
CREATE TABLE gauge (id INTEGER PRIMARY KEY, n INTEGER DEFAULT made());
CREATE TABLE ticket (id INTEGER PRIMARY KEY DEFAULT made(), n INTEGER)
"""


@pytest.mark.parametrize("table", ["gauges", "tickets"])
def test_every_sqlstate_that_a_default_raises_is_an_error_of_its_part(postgresql: Backend, start: Serve, table: str):
    postgresql.run(ARMED)
    api = start(postgresql, max_parts=2_000)
    before = postgresql.dump()

    refused = api.batch(
        *(
            each
            for n, state in enumerate(OF_THE_PART)
            for each in (
                part(f"arm {state}", "UPDATE", "/armeds/1", {"code": state}),
                part(state, "CREATE", f"/{table}", {"id": n} if table == "gauges" else {"n": n}),
            )
        )
    )

    codes = {each["id"]: [error["code"] for error in each["errors"]] for each in refused["parts"]}
    assert codes == {state: [kind_of(state)] for state in OF_THE_PART}
    assert postgresql.dump() == before


@pytest.mark.parametrize(
    ("state", "count"),
    [
        *((state, 3) for state in ("21000", "0A000", "54000", "54011", "2200H", "42501", "XX000", "ZZ123")),
        *((state, count) for state in ("P0001", "42P01") for count in (1, 1_000)),
    ],
)
def test_a_default_of_a_key_that_fails_is_the_error_of_each_part_that_gets_no_key(
    postgresql: Backend, start: Serve, state: str, count: int
):
    postgresql.run(f"{ARMED};\nUPDATE armed SET code = '{state}'")
    api = start(postgresql)
    before = postgresql.dump()

    makers = [part(f"p{n}", "CREATE", "/tickets", {"n": n}) for n in range(count)]
    alone = api.batch(*makers)
    mixed = api.batch(part("fine", "UPDATE", "/armeds/1", {"code": state}), *makers)

    assert [each["id"] for each in alone["parts"]] == [f"p{n}" for n in range(count)]
    assert {error["code"] for each in alone["parts"] for error in each["errors"]} == {"REFUSED_BY_DATABASE"}
    assert mixed["parts"] == [{**each, "index": each["index"] + 1} for each in alone["parts"]]
    assert postgresql.dump() == before


# Tables whose parts go in bulk: an index that is not unique calls a function, which fails for some values.
FAILING = {
    "its own words": "RAISE EXCEPTION 'not so' ;",
    "a cardinality": "PERFORM (SELECT n FROM generate_series(1, 2) AS s (n)) ;",
    "no case": "CASE 1 WHEN 2 THEN NULL ; END CASE ;",
    "a table": "PERFORM 1 FROM nowhere ;",
    "a column": "PERFORM nowhere FROM other ;",
    "a function": "PERFORM nowhere(1) ;",
    "a syntax": "EXECUTE 'SELEKT 1' ;",
    "a setting": "PERFORM current_setting('app.tenant') ;",
    "a division": "PERFORM 1 / 0 ;",
    "a state": "PERFORM currval('nowhere') ;",
    "a limit": "RAISE program_limit_exceeded ;",
    "an internal error": "RAISE internal_error ;",
    "a privilege": "RAISE insufficient_privilege ;",
}


def bulky(statement: str) -> str:
    return f"""
CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
INSERT INTO other VALUES (1, 0), (2, 0);
CREATE FUNCTION judged(t text) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
  IF t = 'no' THEN {statement} END IF ; RETURN 1 ; END $$;
CREATE TABLE thing (id INTEGER PRIMARY KEY, t VARCHAR(9), n INTEGER);
INSERT INTO thing SELECT n, 'yes', n FROM generate_series(1, 1000) AS s (n);
CREATE INDEX judging ON thing (judged(t))
"""


@pytest.mark.parametrize("how", FAILING)
def test_one_of_a_thousand_parts_that_the_database_refuses_is_found(postgresql: Backend, start: Serve, how: str):
    postgresql.run(bulky(FAILING[how]))
    api = start(postgresql)
    before = postgresql.dump()

    created = api.batch(
        *(part(f"p{n}", "CREATE", "/things", {"id": n + 2_000, "t": "no" if n == 700 else "yes"}) for n in range(1_000))
    )
    changed = api.batch(
        *(part(f"p{n}", "UPDATE", f"/things/{n + 1}", {"t": "no" if n == 700 else "yes"}) for n in range(1_000))
    )
    tried = api.batch(
        part("p", "UPSERT", "/things", {"id": 1, "t": "no"}),
        part("q", "REPLACE", "/things/2", {"t": "no"}),
        dry_run=True,
    )

    for refused in (created, changed):
        assert faults(refused) == {"p700": [("REFUSED_BY_DATABASE", None)]}
    assert faults(tried) == {name: [("REFUSED_BY_DATABASE", None)] for name in "pq"}
    (error,) = created["parts"][0]["errors"]
    assert error["message"] == ("not so." if how == "its own words" else "The database rejected this change.")
    assert postgresql.dump() == before


@pytest.mark.parametrize("groups", [True, False])
def test_a_text_too_long_for_its_index_is_the_error_of_its_part(postgresql: Backend, start: Serve, groups: bool):
    postgresql.run("""
        CREATE TABLE plain (id INTEGER PRIMARY KEY, t TEXT);
        CREATE INDEX listed ON plain (t);
        CREATE TABLE holder (id INTEGER PRIMARY KEY, t TEXT UNIQUE);
        CREATE TABLE vector (id INTEGER PRIMARY KEY, t TEXT);
        CREATE INDEX searched ON vector USING gin (to_tsvector('simple', t));
        INSERT INTO plain VALUES (1, 'a'), (2, 'b'), (3, 'c');
        INSERT INTO holder VALUES (1, 'a'), (2, 'b'), (3, 'c');
        INSERT INTO vector VALUES (1, 'a'), (2, 'b'), (3, 'c')""")
    api = start(postgresql, groups=groups)
    before = postgresql.dump()
    long = "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(6_000))
    words = " ".join(f"w{n}" for n in range(120_000))

    for collection, text in (("plains", long), ("holders", long), ("vectors", words)):
        refused = api.batch(
            part("create", "CREATE", f"/{collection}", {"id": 5, "t": text}),
            part("update", "UPDATE", f"/{collection}/1", {"t": text}),
            part("replace", "REPLACE", f"/{collection}/2", {"t": text}),
            part("upsert", "UPSERT", f"/{collection}", {"id": 6, "t": text}),
            part("fine", "UPDATE", f"/{collection}/3", {"t": "d"}),
            part("bad", "CREATE", f"/{collection}", {"id": "x"}),
        )
        refusal = [("REFUSED_BY_DATABASE", None)]
        expected = dict.fromkeys(("create", "update", "replace", "upsert"), refusal)
        assert faults(refused) == expected | {"bad": [("INVALID_VALUE", "/payload/id")]}, collection
        answer = api.http.post(
            "/batch",
            json={"parts": [{"id": "p", "path": f"/{collection}/1", "operation": "update", "payload": {"t": text}}]},
        )
        assert answer.status_code == 409
        assert [error["code"] for error in answer.json()["parts"][0]["errors"]] == ["REFUSED_BY_DATABASE"]
    assert postgresql.dump() == before


@pytest.mark.parametrize("count", [1, 3, 1_000])
@pytest.mark.parametrize("key", ["SMALLINT GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 2)", "SMALLSERIAL"])
def test_a_sequence_that_has_come_to_its_end_is_told_at_the_parts_that_get_no_key(
    postgresql: Backend, start: Serve, key: str, count: int
):
    postgresql.run(f"""
        CREATE TABLE small (id {key} PRIMARY KEY, t TEXT);
        ALTER SEQUENCE small_id_seq MAXVALUE 2;
        SELECT nextval('small_id_seq'), nextval('small_id_seq');
        CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO other VALUES (1, 0)""")
    api = start(postgresql)
    before = postgresql.dump()
    makers = [part(f"p{n}", "CREATE", "/smalls", {"t": "1"}) for n in range(count)]

    for beside in ([], BESIDE[:1], BESIDE):
        refused = api.batch(*makers, *beside)
        found = faults(refused)
        bad = found.pop("bad", None)
        assert bad == ([("INVALID_VALUE", "/payload/n")] if len(beside) == 2 else None)
        assert found == {f"p{n}": [("REFUSED_BY_DATABASE", None)] for n in range(count)}
    assert postgresql.dump() == before


INSTEAD = """
CREATE TABLE ins (id INTEGER PRIMARY KEY, t TEXT);
CREATE RULE r AS ON INSERT TO ins DO INSTEAD NOTHING;
CREATE TABLE upd (id INTEGER PRIMARY KEY, t TEXT);
INSERT INTO upd VALUES (1, 'x'), (2, 'y');
CREATE RULE r AS ON UPDATE TO upd DO INSTEAD NOTHING;
CREATE TABLE del (id INTEGER PRIMARY KEY, t TEXT);
INSERT INTO del VALUES (1, 'x');
CREATE RULE r AS ON DELETE TO del DO INSTEAD UPDATE del SET t = 'deleted' WHERE id = OLD.id;
CREATE TABLE archive (id INTEGER PRIMARY KEY, t TEXT);
CREATE TABLE moved (id INTEGER PRIMARY KEY, t TEXT);
CREATE RULE r AS ON INSERT TO moved WHERE NEW.id < 100 DO INSTEAD INSERT INTO archive VALUES (NEW.id, NEW.t);
CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
INSERT INTO other VALUES (1, 0)
"""


def test_rules_that_do_something_instead_are_errors_of_their_parts(postgresql: Backend, start: Serve):
    postgresql.run(INSTEAD)
    api = start(postgresql)
    before = postgresql.dump()

    refused = api.batch(
        part("create", "CREATE", "/ins", {"id": 2, "t": "x"}),
        part("upsert", "UPSERT", "/ins", {"id": 3, "t": "x"}),
        part("update", "UPDATE", "/upds/1", {"t": "y"}),
        part("replace", "REPLACE", "/upds/2", {"t": "z"}),
        part("delete", "DELETE", "/dels/1"),
        *(part(f"moved {n}", "CREATE", "/moveds", {"id": n}) for n in range(3)),
        *BESIDE,
    )

    names = ["create", "upsert", "update", "replace", "delete", "moved 0", "moved 1", "moved 2"]
    expected = {name: [("REFUSED_BY_DATABASE", None)] for name in names}
    assert faults(refused) == expected | {"bad": [("INVALID_VALUE", "/payload/n")]}
    assert postgresql.dump() == before


def test_a_setting_that_the_application_would_have_made_is_the_error_of_its_part(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE note (id INTEGER PRIMARY KEY, tenant INTEGER DEFAULT current_setting('app.tenant')::integer, t TEXT);
        INSERT INTO note VALUES (1, 7, 'x');
        CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO other VALUES (1, 0)""")
    api = start(postgresql)
    before = postgresql.dump()

    refused = api.batch(
        part("create", "CREATE", "/notes", {"id": 2}), part("replace", "REPLACE", "/notes/1", {"t": "y"}), *BESIDE
    )
    many = api.batch(*(part(f"p{n}", "CREATE", "/notes", {"id": n + 10}) for n in range(1_000)))

    expected = {name: [("REFUSED_BY_DATABASE", None)] for name in ("create", "replace")}
    assert faults(refused) == expected | {"bad": [("INVALID_VALUE", "/payload/n")]}
    assert faults(many) == {f"p{n}": [("REFUSED_BY_DATABASE", None)] for n in range(1_000)}
    assert postgresql.dump() == before
    assert api.one("CREATE", "/notes", {"id": 2, "tenant": 8})["status"] == 201


# --- SQLite: functions and collations of the application


APPLICATIONS = {
    "a trigger": "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, n INTEGER);"
    "{rows} CREATE TRIGGER t AFTER INSERT ON book BEGIN UPDATE book SET title = title_sort(NEW.title) WHERE id = NEW.id; END;"
    "CREATE TRIGGER u BEFORE UPDATE ON book BEGIN SELECT title_sort(NEW.title); END;",
    "a check": "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT CHECK (title_sort(title) <> ''), n INTEGER); {rows}",
    "an index": "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, n INTEGER);"
    "{rows} CREATE INDEX sorted ON book (title_sort(title));",
    "a collation": "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT COLLATE unicase, n INTEGER);"
    "{rows} CREATE INDEX sorted ON book (title);",
    "a unique index": "CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT COLLATE unicase UNIQUE, n INTEGER); {rows}",
}


@pytest.mark.parametrize("groups", [True, False])
@pytest.mark.parametrize("where", APPLICATIONS)
def test_what_only_an_application_knows_is_the_error_of_its_part(
    sqlite: Backend, start: Serve, where: str, groups: bool
):
    rows = "INSERT INTO book VALUES (1, 'a', 1), (2, 'b', 2);"
    as_the_application(
        sqlite,
        APPLICATIONS[where].replace("{rows}", rows)
        + "CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO other VALUES (1, 0);",
    )
    api = start(sqlite, groups=groups)
    doors = Doors(api, Settings(database_url=sqlite.url))
    before = sqlite.dump()

    for count in (1, 3, 1_000):
        makers = [part(f"p{n}", "CREATE", "/books", {"title": f"t{n}"}) for n in range(count)]
        refused = api.batch(*makers, part("change", "UPDATE", "/books/1", {"title": "x"}), *BESIDE)
        found = faults(refused)
        assert found.pop("bad") == [("INVALID_VALUE", "/payload/n")]
        assert {each["id"]: [error["code"] for error in each["errors"]] for each in refused["parts"]} == {
            **{f"p{n}": ["REFUSED_BY_DATABASE"] for n in range(count)},
            "change": ["REFUSED_BY_DATABASE"],
            "bad": ["INVALID_VALUE"],
        }
        answer, _ = doors.ask(body_of(BATCH, {"parts": makers[:50]}))
        assert [each["id"] for each in json.loads(answer.body)["data"]["batch"]["parts"]] == [
            each["id"] for each in makers[:50]
        ]
    assert sqlite.dump() == before
    assert api.one("UPDATE", "/others/1", {"n": 5})["status"] == 200


def test_what_the_surroundings_of_sqlite_do_is_the_requests():
    names = ["BUSY", "LOCKED", "FULL", "IOERR", "CORRUPT", "NOTADB", "READONLY", "CANTOPEN", "NOMEM", "INTERRUPT"]
    others = ["ERROR", "INTERNAL", "PERM", "ABORT", "PROTOCOL", "SCHEMA", "AUTH", "RANGE", "NOLFS"]
    for name in names + others:
        error = sqlite3.OperationalError("made up")
        error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")  # as SQLite sets it
        error.sqlite_errorname = f"SQLITE_{name}"
        kind = type(driver_errors.from_sqlite(error, lost=False)).__name__
        expected = (
            "TimedOut" if name in {"INTERRUPT", "BUSY"} else "Unavailable" if name in names else "StatementRefused"
        )
        assert kind == expected, name


def test_columns_without_a_type_are_not_taken_for_changed(sqlite: Backend, start: Serve):
    as_the_application(
        sqlite,
        "CREATE TABLE loose (id INTEGER PRIMARY KEY, v, t TEXT CHECK (title_sort(t) <> ''));"
        "CREATE TABLE exact (id INTEGER PRIMARY KEY, v ANY, t TEXT CHECK (title_sort(t) <> '')) STRICT;",
    )
    api = start(sqlite)
    for collection in ("looses", "exacts"):
        refused = api.batch(part("p", "CREATE", f"/{collection}", {"v": 1, "t": "x"}))
        assert faults(refused) == {"p": [("REFUSED_BY_DATABASE", None)]}


# --- rights


@pytest.fixture
def as_a_role(postgresql: Backend) -> Iterator[tuple[Backend, str]]:
    """Tables, seen by a role that is no superuser and has all rights on them to begin with."""
    role = f"role_of_{sa.make_url(postgresql.url).database}"  # roles belong to the whole server
    postgresql.run("""
        CREATE TABLE thing (id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, t VARCHAR(9), n INTEGER);
        INSERT INTO thing (t, n) VALUES ('a', 1), ('b', 2);
        CREATE TABLE plain (id SERIAL PRIMARY KEY, t VARCHAR(9));
        CREATE TABLE secret (id INTEGER PRIMARY KEY);
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN IF NEW.t = 'look' THEN PERFORM * FROM secret ; END IF ; RETURN NEW ; END $$;
        CREATE TABLE watched (id INTEGER PRIMARY KEY, t VARCHAR(9));
        INSERT INTO watched VALUES (1, 'a');
        CREATE TRIGGER look BEFORE INSERT OR UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION look()""")
    postgresql.run(
        f"CREATE ROLE {role};\nGRANT ALL ON thing, plain, watched TO {role};\nGRANT ALL ON SCHEMA public TO {role}"
    )
    postgresql.run(f"GRANT ALL ON SEQUENCE thing_id_seq, plain_id_seq TO {role}")
    url = sa.make_url(postgresql.url).update_query_dict({"options": f"-c role={role}"})
    yield Backend("postgresql", url.render_as_string(hide_password=False)), role
    postgresql.run(f"DROP OWNED BY {role};\nDROP ROLE {role}")


REVOKED = {
    "INSERT ON thing": ("CREATE", "/things", {"t": "x"}),
    "UPDATE ON thing": ("UPDATE", "/things/1", {"t": "x"}),
    "DELETE ON thing": ("DELETE", "/things/1", None),
    "SELECT ON thing": ("UPDATE", "/things/1", {"t": "x"}),
    "ALL ON SEQUENCE plain_id_seq": ("CREATE", "/plains", {"t": "x"}),
}


@pytest.mark.parametrize(("right", "count"), [(right, count) for right in REVOKED for count in (1, 40)])
def test_a_right_that_was_taken_away_is_told_to_the_operator(
    as_a_role: tuple[Backend, str], start: Serve, caplog: pytest.LogCaptureFixture, right: str, count: int
):
    backend, role = as_a_role
    postgresql = Backend(
        "postgresql",
        sa.make_url(backend.url).difference_update_query(["options"]).render_as_string(hide_password=False),
    )
    api = start(backend)
    postgresql.run(f"REVOKE {right} FROM {role}")
    before = postgresql.dump()
    operation, path, payload = REVOKED[right]

    parts = [part(f"p{n}", operation, path, payload) for n in range(count if operation == "CREATE" else 1)]
    answer = api.post(BATCH, {"parts": parts})

    assert answer["data"] == {"batch": None}
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "UNAVAILABLE"
    assert "lacks a privilege" in error["message"]
    assert role not in error["message"]
    (logged,) = {each.getMessage() for each in caplog.records if "right_missing" in each.getMessage()}
    assert f"role='{role}'" in logged
    assert f"table='{'plain' if 'plain' in right else 'thing'}'" in logged
    assert postgresql.dump() == before


def test_a_right_that_a_trigger_lacks_is_the_error_of_its_part(
    as_a_role: tuple[Backend, str], postgresql: Backend, start: Serve
):
    backend, _ = as_a_role
    api = start(backend)
    before = postgresql.dump()

    refused = api.batch(
        part("create", "CREATE", "/watcheds", {"id": 2, "t": "look"}),
        part("fine", "CREATE", "/watcheds", {"id": 3, "t": "x"}),
        part("update", "UPDATE", "/watcheds/1", {"t": "look"}),
        part("bad", "UPDATE", "/watcheds/1", {"t": 1}),
    )

    refusal = [("REFUSED_BY_DATABASE", None)]
    assert faults(refused) == {"create": refusal, "update": refusal, "bad": [("INVALID_VALUE", "/payload/t")]}
    assert postgresql.dump() == before


# --- what waits for COMMIT


LATE = """
CREATE TABLE entry (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
CREATE FUNCTION balanced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF (SELECT coalesce(sum(amount), 0) FROM entry) <> 0 THEN {how} END IF ; RETURN NULL ; END $$;
CREATE CONSTRAINT TRIGGER balance AFTER INSERT OR UPDATE OR DELETE ON entry DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION balanced()
"""


@pytest.mark.parametrize("way", [(groups, dry_run) for groups in (True, False) for dry_run in (True, False)])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            "RAISE EXCEPTION 'The books do not balance' USING HINT = 'Add the other entry';",
            "The books do not balance. Add the other entry.",
        ),
        ("RAISE EXCEPTION USING ERRCODE = '21000', MESSAGE = 'not so';", "not so."),
        ("PERFORM nowhere(1);", "The database rejected this change."),
        ("PERFORM 1 / 0;", "The database rejected this change."),
    ],
)
def test_a_check_that_waits_for_commit_is_the_error_of_the_part_after_which_it_fails(
    postgresql: Backend, start: Serve, how: str, message: str, way: tuple[bool, bool]
):
    groups, dry_run = way
    postgresql.run(LATE.replace("{how}", how.replace(";", " ;")))
    api = start(postgresql, groups=groups)
    before = postgresql.dump()

    def entry(name: str, number: int, amount: int) -> Json:
        return part(name, "CREATE", "/entries", {"id": number, "amount": amount})

    fine = api.batch(entry("a", 1, 5), entry("b", 2, -5), dry_run=True)
    refused = api.batch(
        entry("a", 1, 5), entry("b", 2, -5), entry("c", 3, 7), entry("d", 4, 2), entry("e", 5, -2), dry_run=dry_run
    )
    with_others = api.batch(
        entry("a", 1, 5), part("x", "CREATE", "/entries", {"id": 2, "amount": "1"}), dry_run=dry_run
    )
    two = api.batch(entry("c", 3, 7), entry("a", 1, 5), entry("b", 2, -5), entry("d", 4, 1), dry_run=dry_run)

    assert fine["status"] == "VALID"
    assert faults(refused) == {"c": [("REFUSED_BY_DATABASE", None)]}
    assert refused["parts"][0]["errors"][0]["message"] == message
    assert faults(with_others) == {"x": [("INVALID_VALUE", "/payload/amount")]}
    assert faults(two) == {name: [("REFUSED_BY_DATABASE", None)] for name in "cd"}
    assert postgresql.dump() == before
    assert api.batch(entry("a", 1, 5), entry("b", 2, -5))["status"] == "COMMITTED"


def test_a_check_that_waits_is_found_among_many(postgresql: Backend, start: Serve):
    postgresql.run("""
        CREATE TABLE entry (id INTEGER PRIMARY KEY, amount INTEGER);
        CREATE FUNCTION small() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN IF NEW.amount > 10 THEN RAISE EXCEPTION 'too much' ; END IF ; RETURN NULL ; END $$;
        CREATE CONSTRAINT TRIGGER t AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION small()""")
    api = start(postgresql)
    before = postgresql.dump()

    refused = api.batch(
        *(part(f"p{n}", "CREATE", "/entries", {"id": n, "amount": 11 if n in {3, 170} else n % 10}) for n in range(200))
    )

    assert faults(refused) == {name: [("REFUSED_BY_DATABASE", None)] for name in ("p3", "p170")}
    assert postgresql.dump() == before


def test_a_rule_of_another_table_that_a_trigger_breaks_is_no_rule_of_the_parts_own(backend: Backend, start: Serve):
    backend.run("CREATE TABLE log (id INTEGER PRIMARY KEY, name VARCHAR(9) NOT NULL, CONSTRAINT one UNIQUE (name))")
    backend.run("CREATE TABLE thing (id INTEGER PRIMARY KEY, name VARCHAR(9), CONSTRAINT own UNIQUE (name))")
    backend.run("INSERT INTO log VALUES (1, 'a')")
    backend.run(
        {
            "sqlite": "CREATE TRIGGER t AFTER INSERT ON thing BEGIN INSERT INTO log VALUES (NEW.id, NEW.name); END",
            "postgresql": """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO log VALUES (NEW.id, NEW.name) ; RETURN NEW ; END $$;
                CREATE TRIGGER t AFTER INSERT ON thing FOR EACH ROW EXECUTE FUNCTION f()""",
        }[backend.kind]
    )
    api = start(backend)
    before = backend.dump()

    refused = api.batch(
        part("null", "CREATE", "/things", {"id": 5}),
        part("taken", "CREATE", "/things", {"id": 6, "name": "a"}),
        part("fine", "CREATE", "/things", {"id": 7, "name": "b"}),
    )

    assert faults(refused) == {name: [("REFUSED_BY_DATABASE", None)] for name in ("null", "taken")}
    assert backend.dump() == before


def test_a_refusal_is_one_line_of_the_log_without_a_value(
    postgresql: Backend, start: Serve, caplog: pytest.LogCaptureFixture
):
    postgresql.run(bulky("RAISE EXCEPTION 'secret words %', t USING ERRCODE = '21000', HINT = 'secret hint' ;"))
    api = start(postgresql)

    with caplog.at_level(logging.DEBUG, logger="partwise"):
        refused = api.batch(part("p", "CREATE", "/things", {"id": 5_000, "t": "no"}))

    assert refused["parts"][0]["errors"][0]["message"] == "secret words no. secret hint."
    lines = [each.getMessage() for each in caplog.records if each.name == "partwise"]
    assert [line for line in lines if line.startswith("refused_by_database")] == [
        "refused_by_database: The database rejected a change. table='thing' state='21000'"
    ]
    assert not [line for line in lines if "secret" in line]


VIOLATED = {
    "unique": Violation.UNIQUE,
    "foreign key": Violation.FOREIGN_KEY,
    "not-null": Violation.NOT_NULL,
    "check": Violation.CHECK,
    "exclusion": Violation.UNIQUE,
}


@pytest.mark.parametrize("rule", VIOLATED)
def test_what_citus_says_of_a_rule_of_a_shard_is_a_refusal_by_that_rule(rule: str):
    message = f'new row for relation "thing_102008" violates {rule} constraint "thing_rule_102008"'
    assert refusal(state="XX000", message_primary=message).violation is VIOLATED[rule]
    assert refusal(state="XX000", message_primary="something went wrong").violation is Violation.OTHER
    assert refusal(state="XX000", message_primary=message).doubt is None


def refusal(*, state: str, **said: str) -> StatementRefused:
    """What becomes of an error that only another server gives."""
    names = (
        "source_function",
        "context",
        "constraint_name",
        "column_name",
        "table_name",
        "datatype_name",
        "message_hint",
    )
    diag: Any = SimpleNamespace(**dict.fromkeys(names), **said)
    return driver_errors._refused_by_postgresql(diag, state)


# What a trigger says -> what the client is told.
SAID = {
    "The shop is closed on Sundays.": "The shop is closed on Sundays.",
    "a signed prescription cannot be changed": "a signed prescription cannot be changed.",
    "  two\nlines\tand  blanks ": "two lines and blanks.",
    "bell\x07 and \x1b[31mred\u202e": "bell and [31mred.",
    "is that so?": "is that so?",
    "何曜日も休みです。": "何曜日も休みです。",
    "x" * 5_000: "x" * 999 + "…",
    '%s %(name)s {braces} \\ "quoted" <b>': '%s %(name)s {braces} \\ "quoted" <b>.',
    "": "The database rejected this change.",
    " \n ": "The database rejected this change.",
}


@pytest.mark.parametrize("said", SAID)
def test_what_a_trigger_says_is_the_message(backend: Backend, start: Serve, said: str):
    backend.run("CREATE TABLE thing (id INTEGER PRIMARY KEY, t TEXT);\nCREATE TABLE words (t TEXT)")
    with sa_connection(backend) as connection:
        connection.execute(sa.text("INSERT INTO words VALUES (:said)"), {"said": said})
    quoted = said.replace("'", "''")
    with sa_connection(backend) as connection:
        for statement in {
            "sqlite": [f"CREATE TRIGGER t BEFORE INSERT ON thing BEGIN SELECT RAISE(ABORT, '{quoted}'); END"],
            "postgresql": [
                (
                    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RAISE EXCEPTION USING MESSAGE = (SELECT t FROM words); END $$"
                ),
                "CREATE TRIGGER t BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION f()",
            ],
        }[backend.kind]:
            connection.exec_driver_sql(statement)
    api = start(backend)

    (result,) = api.batch(part("p", "CREATE", "/things", {"id": 1}))["parts"]

    assert [(error["code"], error["message"]) for error in result["errors"]] == [("REFUSED_BY_DATABASE", SAID[said])]
    assert backend.rows("SELECT count(*) FROM thing") == [(0,)]


def sa_connection(backend: Backend) -> Any:
    return backend.engine().begin()


HINTED = """
CREATE TABLE visit (id INTEGER PRIMARY KEY, day VARCHAR(20), "starts at" VARCHAR(9));
INSERT INTO visit VALUES (1, 'Monday', '8');
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.day = 'Sunday' THEN
    RAISE EXCEPTION 'we are closed on %', NEW.day USING HINT = 'Choose another day', DETAIL = 'secret', COLUMN = 'day', ERRCODE = '{state}' ; ELSIF NEW.day = 'late' THEN RAISE EXCEPTION 'too late' USING COLUMN = 'starts at' ; ELSIF NEW.day = 'odd' THEN RAISE EXCEPTION 'odd' USING COLUMN = 'nowhere' ; END IF ; RETURN NEW ; END $$;
CREATE TRIGGER t BEFORE INSERT OR UPDATE ON visit FOR EACH ROW EXECUTE FUNCTION f()
"""


@pytest.mark.parametrize("state", ["P0001", "ZZ123", "22023", "45000", "21000"])
@pytest.mark.parametrize("told", [True, False])
def test_a_hint_is_a_second_sentence_and_a_column_is_where_the_error_points(
    postgresql: Backend, start: Serve, state: str, told: bool
):
    postgresql.run(HINTED.replace("{state}", state))
    api = start(postgresql, database_messages=told)
    before = postgresql.dump()

    refused = api.batch(
        part("made", "CREATE", "/visits", {"id": 2, "day": "Sunday"}),
        part("late", "CREATE", "/visits", {"id": 3, "day": "late"}),
        part("odd", "CREATE", "/visits", {"id": 4, "day": "odd"}),
        part("changed", "UPDATE", "/visits/1", {"day": "Sunday"}),
    )

    general = "The database rejected this change."
    closed = "we are closed on Sunday. Choose another day." if told else general
    late, odd = ("too late.", "odd.") if told else (general, general)
    assert {each["id"]: [tuple(error.values()) for error in each["errors"]] for each in refused["parts"]} == {
        "made": [("REFUSED_BY_DATABASE", closed, "/payload/day", ["day"])],
        "late": [("REFUSED_BY_DATABASE", late, "/payload", ["startsAt"])],
        "odd": [("REFUSED_BY_DATABASE", odd, None, [])],
        "changed": [("REFUSED_BY_DATABASE", closed, "/payload/day", ["day"])],
    }
    assert "secret" not in str(refused)
    assert postgresql.dump() == before


def test_the_words_of_a_trigger_stay_with_the_kind_of_rule_that_its_author_names(postgresql: Backend, start: Serve):
    postgresql.run(HINTED.replace("{state}", "23514"))
    api = start(postgresql)
    (result,) = api.batch(part("p", "CREATE", "/visits", {"id": 2, "day": "Sunday"}))["parts"]
    assert result["errors"] == [
        {
            "code": "CHECK_FAILED",
            "message": "we are closed on Sunday. Choose another day.",
            "pointer": "/payload/day",
            "attributes": ["day"],
        }
    ]


@pytest.mark.parametrize("how", ["ABORT", "FAIL", "ROLLBACK"])
def test_each_way_in_which_a_trigger_of_sqlite_refuses_says_its_words(sqlite: Backend, start: Serve, how: str):
    sqlite.run("CREATE TABLE visit (id INTEGER PRIMARY KEY, day TEXT);\nINSERT INTO visit VALUES (1, 'a'), (2, 'b')")
    for number, event in enumerate(("INSERT", "UPDATE")):
        sqlite.run(
            f"CREATE TRIGGER t{number} BEFORE {event} ON visit WHEN NEW.day = 'Sunday'"
            f" BEGIN SELECT RAISE({how}, 'closed on Sundays'); END"
        )
    sqlite.run(f"CREATE TRIGGER kept BEFORE DELETE ON visit BEGIN SELECT RAISE({how}, 'visits are kept'); END")
    for told in (True, False):
        api = start(sqlite, database_messages=told)
        before = sqlite.dump()
        refused = api.batch(
            part("made", "CREATE", "/visits", {"id": 3, "day": "Sunday"}),
            part("changed", "UPDATE", "/visits/1", {"day": "Sunday"}),
            part("removed", "DELETE", "/visits/2"),
            part("fine", "CREATE", "/visits", {"id": 4, "day": "Monday"}),
            part("bad", "CREATE", "/visits", {"id": "x"}),
        )
        general = "The database rejected this change."
        closed, kept = ("closed on Sundays.", "visits are kept.") if told else (general, general)
        messages = {each["id"]: [error["message"] for error in each["errors"]] for each in refused["parts"]}
        assert messages.pop("bad")
        assert messages == {"made": [closed], "changed": [closed], "removed": [kept]}
        assert sqlite.dump() == before
