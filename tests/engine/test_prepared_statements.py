"""What is prepared, under which names, and what happens when a session does not have it: the request runs again, without."""

import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest
from packaging.requirements import Requirement
from psycopg import _connection_base

from storage.connections.control import Control
from storage.connections.database import Database, parse_url
from storage.connections.driver_errors import Retry
from storage.connections.transaction import Transaction
from tests.conftest import Serve
from tests.support.harness import BATCH, LEAN_BATCH, Api, Backend, Json, faults, part
from tests.support.keyed import KEYED
from tests.support.program import run_here
from tests.support.transactions import sql

pytestmark = pytest.mark.costly

SCRIPT = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20) UNIQUE, size INTEGER);
INSERT INTO parent (id, name) VALUES (1, 'one'), (2, 'two');
CREATE TABLE failing (state TEXT PRIMARY KEY);
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = NEW.state; END $$;
CREATE TRIGGER fail BEFORE INSERT ON failing FOR EACH ROW EXECUTE FUNCTION fail()
"""
PREPARED = "SELECT name, statement FROM pg_prepared_statements"
NAME = re.compile(r"_pw_([0-9a-f]{16})_[0-9]+")
MANY = 1_000  # parts


@pytest.fixture
def tables(postgresql: Backend) -> Backend:
    postgresql.run(SCRIPT)
    return postgresql


@pytest.fixture
def database(tables: Backend) -> Iterator[Database]:
    opened = Database(parse_url(tables.url), connections=2)
    yield opened
    opened.close()


@pytest.fixture
def api(tables: Backend, start: Serve) -> Api:
    """Served on one connection, so that all that is sent meets in one session."""
    return start(tables, connections=1)


def work(transaction: Transaction, count: int = 10) -> None:
    """Run one statement so often that it is prepared."""
    for _ in range(count):
        transaction.read(sql("SELECT name FROM parent WHERE id = %s", 1))


def prepared(api: Api) -> dict[str, str]:
    """The names and texts that the session of the only connection has."""
    with api.service.engine.database.read() as transaction:
        return dict(transaction.execute(Control(f"/* not to be prepared itself */ {PREPARED}")).rows)


def behind(api: Api, sql: str) -> None:
    """Run statements in the session of the only connection, as if a pooler had given it to somebody else."""
    connection = api.service.engine.database._writer.raw_connection()
    driver: Any = connection.driver_connection
    driver.pgconn.exec_(sql.encode())
    connection.close()


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.getMessage().startswith(f"{event}:")]


# Names


def test_no_two_connections_share_a_name_and_only_what_reads_or_writes_rows_is_prepared(database: Database):
    for _ in range(10):
        with database.write() as first, database.write() as second:
            for transaction in (first, second):
                work(transaction, 1)
                transaction.savepoint("here")
                transaction.execute(sql("UPDATE parent SET size = %s WHERE id = 3", 1))
                transaction.rollback_to("here")
                transaction.release("here")
                transaction.check_constraints()
                transaction.commit()
    with database.write() as first, database.write() as second:
        found = [each.execute(Control(f"/* not to be prepared itself */ {PREPARED}")).rows for each in (first, second)]

    expected = {"SELECT name FROM parent WHERE id = $1", "UPDATE parent SET size = $1 WHERE id = 3"}
    assert [{text for _, text in rows} for rows in found] == [expected, expected]
    prefixes = [{NAME.fullmatch(name)[1] for name, _ in rows} for rows in found]  # type: ignore[index]  # else it fails
    assert [len(each) for each in prefixes] == [1, 1]
    assert prefixes[0] != prefixes[1]


def test_a_name_is_used_once(database: Database):
    """A statement that was evicted and comes again has another name: the old one may still be there in some session."""
    with database.write() as transaction:
        driver: Any = transaction._connection.driver_connection
        driver.prepared_max = 1
        found = set()
        for turn in range(7):
            for _ in range(10):
                transaction.read(sql(f"SELECT {turn % 3} FROM parent WHERE id = %s", 1))
            found |= set(transaction.execute(Control(f"/* not to be prepared itself */ {PREPARED}")).rows)
    assert len({name for name, _ in found}) == len(found) == 7


def test_the_versions_of_psycopg_are_those_whose_private_parts_are_known():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (own,) = (each for each in map(Requirement, project["dependencies"]) if each.name == "psycopg")
    assert str(own.specifier) == "<3.4,>=3.2.10"
    assert own.specifier.contains(version("psycopg"))


@pytest.mark.parametrize("gone", ["the attribute", "the module"])
def test_without_psycopgs_private_parts_nothing_is_prepared_and_the_log_says_so(
    tables: Backend, start: Serve, gone: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    if gone == "the module":
        monkeypatch.setitem(sys.modules, "storage.connections.prepared_names", None)
    else:
        monkeypatch.setattr("storage.connections.prepared_names.PrepareManager", int)
    api = start(tables)
    for turn in range(10):
        assert api.one("UPDATE", "/parents/1", {"size": turn})["status"] == 200

    assert prepared(api) == {}
    assert len(told(caplog, "prepared_statements_off")) == 1
    assert f"psycopg={psycopg.__version__!r}" in caplog.text


def test_where_they_are_off_nothing_is_prepared(tables: Backend, start: Serve, caplog: pytest.LogCaptureFixture):
    api = start(tables, prepared_statements="off", connections=1)
    for turn in range(10):
        assert api.one("UPDATE", "/parents/1", {"size": turn})["status"] == 200
        assert api.query("{ parent(id: 1) { name } }") == {"parent": {"name": "one"}}

    assert prepared(api) == {}
    assert told(caplog, "prepared_statements_off") == []


# A session that does not have what it should have


def batch(api: Api, *parts: Json, query: str = BATCH, **variables: Any) -> Json:
    answer = api.post(query, {"parts": parts, **variables})
    return answer if "errors" in answer else answer["data"]["batch"]


def committed(result: Json, *statuses: int) -> bool:
    return bool(result["status"] == "COMMITTED" and [each["status"] for each in result["parts"]] == [*statuses])


def put(operation: str, n: int, key: int = 1) -> Json:
    """One part that writes what is told from all others by its number."""
    path = "/parents" if operation in {"CREATE", "UPSERT"} else f"/parents/{key}"
    given = {"id": 100 + n} if operation in {"CREATE", "UPSERT"} else {}
    return part("p", operation, path, {**given, "name": f"n{n}", "size": n})


def bulk(operation: str, n: int) -> list[Json]:
    keys = range(MANY * n + MANY, MANY * n + 2 * MANY)
    if operation == "CREATE":
        return [part(f"p{key}", "CREATE", "/parents", {"id": key, "name": f"{key}"}) for key in keys]
    return [part(f"p{m}", "UPDATE", f"/parents/{m}", {"size": n}) for m in range(3, 40)]


# By what is sent: whether it is answered as it must be, the n-th time.
REQUESTS: Mapping[str, Callable[[Api, int], bool]] = {
    "a query": lambda api, _: api.query("{ parent(id: 1) { name } }") == {"parent": {"name": "one"}},
    "a query that Strawberry runs": lambda api, _: (
        api.query("{ parents(filter: {id: {lt: 3}}) { totalCount @skip(if: false) nodes { name } aggregate { max { id } } } }")
        == {"parents": {"totalCount": 2, "nodes": [{"name": "one"}, {"name": "two"}], "aggregate": {"max": {"id": 2}}}}
    ),
    "readyz": lambda api, _: api.http.get("/readyz").status_code == 200,
    "GET": lambda api, _: batch(api, part("p", "GET", "/parents/2"))["parts"][0]["payload"]["name"] == "two",
    "CREATE": lambda api, n: committed(batch(api, put("CREATE", n)), 201),
    "CREATE, nothing read": lambda api, n: committed(batch(api, put("CREATE", n), query=LEAN_BATCH), 201),
    "UPSERT": lambda api, n: committed(batch(api, put("UPSERT", n)), 201),
    "UPDATE": lambda api, n: committed(batch(api, put("UPDATE", n)), 200),
    "REPLACE": lambda api, n: committed(batch(api, put("REPLACE", n)), 200),
    "DELETE": lambda api, n: committed(batch(api, part("p", "DELETE", f"/parents/{3 + n}")), 204),
    "1,000 CREATE": lambda api, n: committed(batch(api, *bulk("CREATE", n)), *[201] * MANY),
    "37 UPDATE": lambda api, n: committed(batch(api, *bulk("UPDATE", n)), *[200] * 37),
    "a batch that is rejected": lambda api, _: (
        faults(batch(api, part("p", "CREATE", "/parents", {"id": 1}), part("q", "CREATE", "/parents", {"id": 60, "name": "two"})))
        == {"p": [("CONFLICT", "/payload/id")], "q": [("CONFLICT", "/payload/name")]}
    ),
    "a dry run": lambda api, n: batch(api, put("UPDATE", n), dryRun=True)["status"] == "VALID",
    "a key": lambda api, n: committed(batch(api, put("UPDATE", n), query=KEYED, key=f"key {n}"), 200),
    "/batch": lambda api, n: (
        api.http.post("/batch", json={"parts": [{**put("UPDATE", n), "operation": "update"}]}).status_code == 200
    ),
}  # fmt: skip
# What makes the session one that does not have, or not as it was, what the connection has prepared.
LOST: Mapping[str, Callable[[Api, Backend], None]] = {
    "26000": lambda api, _: behind(api, "DEALLOCATE ALL"),
    "0A000": lambda _, tables: tables.run("ALTER TABLE parent ALTER name TYPE VARCHAR(30)"),
}
TURNS = 7  # the driver prepares what it has run more than five times


@pytest.mark.parametrize("state", LOST)
@pytest.mark.parametrize("request_", REQUESTS)
def test_what_a_session_does_not_have_is_run_again_without_and_once(
    api: Api, tables: Backend, state: str, request_: str, caplog: pytest.LogCaptureFixture
):
    tables.run("INSERT INTO parent (id) SELECT generate_series(3, 50)")
    send = REQUESTS[request_]
    assert all(send(api, n) for n in range(TURNS))
    assert prepared(api)
    before = tables.dump()

    LOST[state](api, tables)

    is_right = send(api, TURNS)
    after = tables.dump()
    assert is_right
    if after != before:  # once, and as another one of the same kind
        assert [len(after[table]) - len(before[table]) for table in before] == changes(api, tables, send)
    if told(caplog, "prepared_statements_off"):
        (line,) = told(caplog, "prepared_statements_off")
        assert f"sqlstate='{state}'" in line
        if state == "26000":
            assert all(send(api, TURNS + 2 + n) for n in range(TURNS))
            assert prepared(api) == {}  # for good
    else:  # nothing was read whose type is another one
        assert state == "0A000"


def changes(api: Api, tables: Backend, send: Callable[[Api, int], bool]) -> list[int]:
    """How many rows each table has more after a request of a kind."""
    before = tables.dump()
    assert send(api, TURNS + 1)
    after = tables.dump()
    return [len(after[table]) - len(before[table]) for table in before]


def test_a_name_that_a_session_has_already_is_run_again_without(
    api: Api, tables: Backend, caplog: pytest.LogCaptureFixture
):
    read = REQUESTS["a query"]
    assert read(api, 0)
    driver = api.service.engine.database._writer.raw_connection()
    prefix = driver.driver_connection._prepared._prefix  # type: ignore[union-attr]  # psycopg's connection
    driver.close()
    behind(api, ";".join(f"PREPARE {prefix}{n} AS SELECT {n}" for n in range(1, 100)))

    assert all(read(api, n) for n in range(TURNS))

    (line,) = told(caplog, "prepared_statements_off")
    assert "sqlstate='42P05'" in line


@pytest.mark.parametrize("state", ["26000", "42P05"])
def test_a_trigger_that_raises_such_a_code_changes_nothing_of_what_is_prepared(
    database: Database, state: str, caplog: pytest.LogCaptureFixture
):
    with (
        database.write() as transaction,
        pytest.raises(Exception) as raised,  # noqa: PT011  # whose it is is another matter
    ):
        transaction.execute(sql("INSERT INTO failing VALUES (%s)", state))

    assert not isinstance(raised.value, Retry)
    assert told(caplog, "prepared_statements_off") == []


def test_what_another_transaction_has_given_up_is_no_error_of_one_that_was_begun_before(
    database: Database, tables: Backend, caplog: pytest.LogCaptureFixture
):
    def read(transaction: Transaction) -> None:
        work(transaction, 1)

    with database.write() as transaction, database.write() as other:
        work(transaction)
        work(other)
    with database.write() as transaction, database.write() as other:
        for each in (transaction, other):
            each.execute(Control("DEALLOCATE ALL"))
        for each in (transaction, other):
            if each is other:  # nothing is prepared any more: it is run as it is
                read(each)
            else:
                with pytest.raises(Retry):
                    read(each)

    assert len(told(caplog, "prepared_statements_off")) == 1


@pytest.mark.parametrize("closes", [True, False], ids=["by the protocol", "by DEALLOCATE"])
def test_what_is_evicted_is_closed_in_a_transaction_and_never_after_commit(
    api: Api, tables: Backend, closes: bool, monkeypatch: pytest.MonkeyPatch
):
    """After COMMIT an error of it would look like one of COMMIT, and the batch, which is written, would run again."""
    monkeypatch.setattr(_connection_base, "_HAS_SEND_CLOSE", closes)
    connection = api.service.engine.database._writer.raw_connection()
    connection.driver_connection.prepared_max = 1  # type: ignore[union-attr]  # psycopg's
    connection.close()
    for n in range(TURNS):
        behind(api, "DEALLOCATE ALL")  # so that there is nothing to close
        assert committed(batch(api, put("CREATE", n), part("q", "UPDATE", "/parents/1", {"size": n})), 201, 200)

    assert tables.rows("SELECT count(*), count(DISTINCT id) FROM parent") == [(2 + TURNS, 2 + TURNS)]


def test_check_values_reads_every_page_where_a_session_loses_what_it_has(
    tables: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tables.run("INSERT INTO parent (id) SELECT generate_series(1000, 60000)")
    read, count = Transaction.read, 0

    def losing(transaction: Transaction, statement: Any, **counted: bool) -> Any:
        nonlocal count
        count += 1
        if count == 8:
            transaction.execute(Control("DEALLOCATE ALL"))
        return read(transaction, statement, **counted)

    monkeypatch.setattr(Transaction, "read", losing)
    done = run_here("check", tables.url, "--values", folder=tmp_path)

    assert (done.returncode, done.stdout) == (0, "All values in 59003 rows can be read.\n")
