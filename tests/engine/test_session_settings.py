"""What a role, a database or another client of a pooler sets for its sessions changes no value, no answer and no error."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa

from partwise.settings import SettingsError
from tests.conftest import Serve
from tests.support.debian import running_pgbouncer
from tests.support.harness import Api, Backend, faults, part

pytestmark = pytest.mark.costly

SCRIPT = """
CREATE TABLE thing (
  id INTEGER PRIMARY KEY, bytes BYTEA, double DOUBLE PRECISION, narrow REAL, moment TIMESTAMP WITH TIME ZONE, day DATE,
  span INTERVAL, texts TEXT[], numbers INTEGER[], mark XML, price MONEY, document JSONB, name TEXT UNIQUE
);
INSERT INTO thing (id, document) SELECT i, '{"a": 1}' FROM generate_series(1001, 3000) i;
CREATE INDEX thing_document ON thing USING gin (document);
CREATE TABLE child (id INTEGER PRIMARY KEY, thing_id INTEGER REFERENCES thing (id));
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.thing (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE elsewhere.partwise_receipt (note TEXT)
"""
# Each is against what we take for granted.
SETTINGS = {
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "postgres_verbose",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "quote_all_identifiers": "on",
    "exit_on_error": "on",
    "xmloption": "document",
    "xmlbinary": "hex",
    "transform_null_equals": "on",
    "backslash_quote": "off",
    "gin_fuzzy_search_limit": "1",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
    "lock_timeout": "1ms",
    "client_encoding": "LATIN1",
    "session_replication_role": "replica",
    "plan_cache_mode": "force_generic_plan",
    "check_function_bodies": "off",
    "client_min_messages": "error",
    "lc_monetary": "C",
}
BYTES = b"\\a'\x00\xff"
ITEM = {
    "bytes": "XGEnAP8=",
    "double": 0.1 + 0.2,
    "narrow": 0.1,
    "moment": "2024-05-06T07:08:09.123456Z",
    "day": "2024-02-03",
    "span": "P1DT1H30M",
    "texts": ["NULL", None, "a\\b"],
    "numbers": [1, None],
    "mark": "a<b/>c",
    "price": "$1,234.50",
    "document": {"a": 2, "é": "\\"},
    "name": "ü",
}
STORED = (
    "SELECT encode(bytes, 'hex'), double = 0.30000000000000004::double precision, narrow = 0.1::real,"
    " moment = '2024-05-06 07:08:09.123456+00'::timestamptz, day = make_date(2024, 2, 3),"
    " extract(epoch FROM span)::integer, array_to_json(texts)::text, array_to_json(numbers)::text, mark::text,"
    " price::numeric::text, document::text, name FROM thing WHERE id = {}"
)
IN_THE_TABLE = (
    *("5c612700ff", True, True, True, True, 91_800, '["NULL",null,"a\\\\b"]', "[1,null]", "a<b/>c", "1234.50"),
    *('{"a": 2, "é": "\\\\"}', "ü"),
)


def use(api: Api, backend: Backend) -> None:
    """Write and read every kind of value, one by one, grouped and in bulk; be refused, and read all that is there."""
    fields = " ".join(ITEM)
    created = api.one("CREATE", "/things", {"id": 1, **ITEM})
    assert (created["status"], created["payload"]) == (201, {"id": 1, **ITEM})
    bulk = [part(f"p{n}", "CREATE", "/things", {"id": n, **ITEM, "name": None}) for n in range(2, 60)]
    assert api.batch(*bulk)["status"] == "COMMITTED"
    changed = [part(f"p{n}", "UPDATE", f"/things/{n}", {**ITEM, "name": f"{n}"}) for n in range(2, 60)]
    assert api.batch(*changed)["status"] == "COMMITTED"
    for key, name in ((1, "ü"), (2, "2"), (59, "59")):
        assert api.query(f"{{ thing(id: {key}) {{ {fields} }} }}") == {"thing": {**ITEM, "name": name}}
        assert backend.rows(STORED.format(key)) == [(*IN_THE_TABLE[:-1], name)]
    sought = '{bytes: {eq: "XGEnAP8="}, double: {eq: 0.30000000000000004}, moment: {eq: "2024-05-06T07:08:09.123456Z"}}'
    assert api.query(f"{{ things(filter: {sought}) {{ totalCount }} }}") == {"things": {"totalCount": 59}}
    inside = "{document: {contains: {a: 1}}}"
    assert api.query(f"{{ things(filter: {inside}) {{ totalCount }} }}") == {"things": {"totalCount": 2000}}
    etag = api.query("{ thing(id: 1) { etag } }")["thing"]["etag"]
    refused = api.batch(
        part("a", "CREATE", "/things", {"id": 1}),
        part("b", "UPDATE", "/things/2", {"name": "ü"}),
        part("c", "UPDATE", "/things/1", {"day": "2024-02-04"}, ifMatch=[etag]),
    )
    assert faults(refused) == {"a": [("CONFLICT", "/payload/id")], "b": [("CONFLICT", "/payload/name")]}
    orphan = api.one("CREATE", "/children", {"id": 1, "thingId": 9999})
    assert [each["code"] for each in orphan["errors"]] == ["MISSING_TARGET"]
    kept = {"parts": [part("k", "UPDATE", "/things/1", {"name": "kept"})]}
    query = 'mutation ($parts: [PartInput!]!) { batch(parts: $parts, idempotencyKey: "key") { status replayed } }'
    assert [api.query(query, **kept)["batch"]["replayed"] for _ in range(2)] == [False, True]
    assert backend.rows("SELECT name FROM thing WHERE id = 1") == [("kept",)]


def alter(backend: Backend, name: str, value: str) -> None:
    database = sa.make_url(backend.url).database
    backend.run(f"ALTER DATABASE {database} SET {name} = '{value}'")


@pytest.mark.parametrize("name", SETTINGS)
def test_what_a_database_sets_for_its_sessions_changes_nothing(debian: Backend, start: Serve, name: str):
    debian.run(SCRIPT)
    alter(debian, name, SETTINGS[name])
    if name == "gin_fuzzy_search_limit":  # it is of indexes only
        alter(debian, "enable_seqscan", "off")
    use(start(debian), debian)


@pytest.fixture
def role(debian: Backend) -> Iterator[str]:
    """A role that may use nothing."""
    name = f"role_{sa.make_url(debian.url).database}"
    debian.run(f"CREATE ROLE {name} LOGIN")
    yield name
    debian.run(f"DROP OWNED BY {name};\nDROP ROLE {name}")


@contextmanager
def client_of(pooler: sa.URL) -> Iterator[psycopg.Connection]:
    """Another client of a pooler."""
    with psycopg.connect(pooler.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("when", ["before the start", "after the start"])
def test_what_another_client_of_a_pooler_leaves_behind_changes_nothing_and_nothing_is_left_to_it(
    debian: Backend, start: Serve, role: str, when: str
):
    debian.run(SCRIPT)
    left = {**SETTINGS, "search_path": "elsewhere", "role": role, "row_security": "off"}
    with running_pgbouncer(sa.make_url(debian.url), "transaction", pool=1) as url, client_of(url) as other:

        def shown() -> dict[str, object]:
            return {name: other.execute(f"SHOW {name}").fetchone() for name in left}

        backend = Backend("postgresql", url.render_as_string(hide_password=False))
        api = start(backend) if when == "after the start" else None
        for name, value in left.items():
            other.execute(f"SET {name} = '{value}'")
        before = shown()
        use(api or start(backend), debian)
        assert shown() == before
    assert debian.rows("SELECT count(*) FROM elsewhere.thing") == [(0,)]


def test_a_search_path_that_changes_while_the_server_runs_leads_to_no_other_table(debian: Backend, start: Serve):
    debian.run(SCRIPT)
    api = start(debian)
    alter(debian, "search_path", "elsewhere")
    api.service.engine.database._writer.dispose()  # as after a restart of the database

    use(api, Backend("postgresql", f"{debian.url}?options=-csearch_path%3Dpublic"))

    assert debian.rows("SELECT count(*) FROM elsewhere.thing") == [(0,)]


def test_a_row_that_a_policy_hides_is_no_error_where_row_security_is_off(debian: Backend, start: Serve, role: str):
    debian.run(f"""
        CREATE TABLE note (id INTEGER PRIMARY KEY, mine BOOLEAN);
        INSERT INTO note VALUES (1, true), (2, false);
        ALTER TABLE note ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON note USING (mine);
        GRANT ALL ON note TO {role}""")
    alter(debian, "row_security", "off")
    url = sa.make_url(debian.url).set(username=role).render_as_string(hide_password=False)
    api = start(Backend("postgresql", url))

    assert api.query("{ notes { nodes { id } } }") == {"notes": {"nodes": [{"id": 1}]}}


def test_a_role_that_cannot_have_foreign_keys_checked_is_not_served(debian: Backend, start: Serve, role: str):
    alter(debian, "session_replication_role", "replica")
    url = sa.make_url(debian.url).set(username=role).render_as_string(hide_password=False)

    with pytest.raises(SettingsError, match="permission denied to set parameter"):
        start(Backend("postgresql", url))
