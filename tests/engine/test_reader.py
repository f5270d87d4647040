"""Where reads run: in worker threads, and short ones of an SQLite file at once; and that none takes longer than it may."""

import asyncio
import threading
from typing import Any

import httpx2
import pytest

from partwise.server.app import make_app
from partwise.workers import reader
from storage.connections.database import Database
from storage.connections.transaction import Transaction
from storage.errors import Unavailable
from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, part

SCRIPT = """
CREATE TABLE thing (id {key}, name VARCHAR(20) NOT NULL);
CREATE TABLE mark (id {key}, name VARCHAR(20) NOT NULL);
INSERT INTO thing (name) VALUES ('one'), ('two'), ('three')
"""
# Compares every pair of many numbers, of which it finds none.
SLOW = "SELECT count(*) FROM big a JOIN big b ON a.n + b.n < 0"
BIG = (
    "CREATE TABLE big (n INTEGER);\n"
    "INSERT INTO big WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000) SELECT n FROM numbers"
)
QUERY = "query ($first: Int) { things(first: $first) { nodes { name } } }"
NAMES = ["one", "two", "three"]


@pytest.fixture
def ran_in(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each read since the last look ran in a worker thread, in the order of their ends."""
    found: list[bool] = []
    execute = Transaction.execute

    def noting(self: Transaction, statement: Any) -> Any:
        result = execute(self, statement)
        if "thing" in statement.sql:
            found.append(threading.current_thread().name.startswith("partwise"))
        return result

    monkeypatch.setattr(Transaction, "execute", noting)
    return found


def names(api: Api, first: int) -> list[str]:
    """Read the names of the first things."""
    return [node["name"] for node in api.query(QUERY, first=first)["things"]["nodes"]]


def test_a_short_read_of_sqlite_needs_no_thread_the_second_time(
    backend: Backend, start: Serve, ran_in: list[bool], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader, "_SHORT", 60.0)  # this machine may be busy
    monkeypatch.setattr(reader, "_LONGEST", 60.0)
    backend.run(SCRIPT)
    api = start(backend)
    assert [names(api, count) for count in (1, 2, 3, 1)] == [NAMES[:1], NAMES[:2], NAMES, NAMES[:1]]
    # The first time the document is not compiled yet, the second time nobody knows how long it takes.
    assert ran_in == ([True, True, False, False] if backend.kind == "sqlite" else [True] * 4)


def test_a_short_read_that_turns_out_to_be_long_goes_to_a_thread(
    sqlite: Backend, start: Serve, ran_in: list[bool], monkeypatch: pytest.MonkeyPatch
):
    sqlite.run(SCRIPT)
    sqlite.run(BIG)
    # The second name takes long to read.
    sqlite.run(
        f"CREATE VIEW things AS SELECT id, CASE id WHEN 2 THEN ({SLOW} AND a.n <= 2000) || name ELSE name END AS name FROM thing"
    )
    api = start(sqlite, max_page=10)
    monkeypatch.setattr(reader, "_SHORT", 0.1)
    monkeypatch.setattr(reader, "_LONGEST", 0.1)
    query = "query ($id: Int) { found: things_(filter: { id: { eq: $id } }) { nodes { name } } }"
    assert [api.query(query, id=id_)["found"]["nodes"] for id_ in (1, 3, 1)] == [
        [{"name": name}] for name in ("one", "three", "one")
    ]
    assert ran_in == [True, True, False]
    ran_in.clear()
    assert api.query(query, id=2)["found"]["nodes"] == [{"name": "0two"}]
    assert ran_in == [True], "the first attempt comes to no end"
    ran_in.clear()
    assert api.query(query, id=3)["found"]["nodes"] == [{"name": "three"}]
    assert ran_in == [True], "it was a long one the last time"


def test_a_short_read_that_somebody_is_in_the_way_of_waits_in_a_thread(
    sqlite: Backend, start: Serve, ran_in: list[bool], monkeypatch: pytest.MonkeyPatch
):
    sqlite.run(SCRIPT)
    api = start(sqlite)
    asked: list[float] = []

    def locked(_database: Database, seconds: float) -> Any:
        asked.append(seconds)
        raise Unavailable("The database is locked by another program. Try again.")

    monkeypatch.setattr(reader, "_SHORT", 60.0)
    monkeypatch.setattr(Database, "read_inline", locked)
    assert [names(api, 3) for _ in range(4)] == [NAMES] * 4
    assert len(asked) == 2
    assert ran_in == [True] * 4


def test_short_reads_that_come_together_go_to_threads(
    sqlite: Backend, start: Serve, ran_in: list[bool], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader, "_SHORT", 60.0)
    monkeypatch.setattr(reader, "_LONGEST", 60.0)
    sqlite.run(SCRIPT)
    api = start(sqlite)

    async def send(*counts: int) -> list[Any]:
        transport = httpx2.ASGITransport(app=make_app(api.service, api.settings))
        found = []
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for count in counts:
                ran_in.clear()
                answers = [
                    client.post("/graphql", json={"query": QUERY, "variables": {"first": 2}}) for _ in range(count)
                ]
                assert [each.json() for each in await asyncio.gather(*answers)] == [
                    {"data": {"things": {"nodes": [{"name": "one"}, {"name": "two"}]}}}
                ] * count
                found.append(list(ran_in))
        return found

    assert asyncio.run(send(1, 1, 1, 3, 1)) == [[True], [True], [False], [True] * 3, [False]]


@pytest.fixture
def slow(backend: Backend) -> Backend:
    """A view that takes very long to read, and a table whose trigger does."""
    backend.run(SCRIPT)
    backend.run(BIG)
    backend.run(f"CREATE VIEW slow AS SELECT n, ({SLOW} AND a.n <> c.n) AS pairs FROM big c")
    if backend.kind == "sqlite":
        backend.run(f"CREATE TRIGGER slowly AFTER INSERT ON mark BEGIN UPDATE mark SET name = ({SLOW}); END")
    else:
        backend.run(
            f"CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM ({SLOW}); RETURN NULL; END $$"
        )
        backend.run("CREATE TRIGGER slowly AFTER INSERT ON mark FOR EACH ROW EXECUTE FUNCTION slowly()")
    return backend


def test_no_statement_takes_longer_than_the_setting_says(slow: Backend, start: Serve):
    before = slow.dump()
    api = start(slow, timeout=0.2)
    answer = api.post("{ slows { nodes { pairs } } }")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["TIMEOUT"]
    parts = [part("a", "CREATE", "/things", {"name": "four"}), part("b", "CREATE", "/marks", {"name": "x"})]
    for each in (parts, [*parts, part("c", "GET", "/things/1")], parts * 20):
        refused = api.post(BATCH, {"parts": [{**one, "id": f"p{n}"} for n, one in enumerate(each)], "dryRun": False})
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["TIMEOUT"]
        assert refused["data"] is None or refused["data"]["batch"] is None
    assert slow.dump() == before
    assert names(api, 3) == NAMES
    done = api.batch(part("a", "CREATE", "/things", {"name": "four"}))
    assert done["status"] == "COMMITTED"
