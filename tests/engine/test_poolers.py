"""Behind PgBouncer, and in sessions that others have set up: no statement runs as another one, and every request is served.

The gate sends a few hundred requests a mode; PARTWISE_POOLED=5000 sends so many.
"""

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa

from partwise import example
from storage.connections.control import Control
from storage.connections.sessions import Sessions
from storage.errors import OutcomeUnknown, Unavailable
from tests.conftest import Serve
from tests.support.debian import running_pgbouncer
from tests.support.harness import Backend, Json, part
from tests.support.program import run, run_here
from tests.support.running import Client, Running

REQUESTS = int(os.environ.get("PARTWISE_POOLED", "400"))  # of each mode
TABLES = (1, 2, 3, 4)  # alike, but for their names and values
ROWS = 60  # of each table, and the only ones with keys below 1,000
SCRIPT = ";\n".join(
    f"CREATE TABLE a{k} (id INTEGER PRIMARY KEY, v INTEGER UNIQUE, w INTEGER NOT NULL DEFAULT 0)"
    f";\nINSERT INTO a{k} (id, v) SELECT i, {k}000 + i FROM generate_series(1, {ROWS}) i"
    for k in TABLES
)
RESET = "DROP TABLE IF EXISTS partwise_receipt;\n" + ";\n".join(
    f"DELETE FROM a{k} WHERE id > {ROWS};\nUPDATE a{k} SET w = 0" for k in TABLES
)
BATCH = """
mutation ($parts: [PartInput!]!, $dryRun: Boolean! = false, $key: String) {
  batch(parts: $parts, dryRun: $dryRun, idempotencyKey: $key) {
    status replayed parts { id status payload errors { code pointer } }
  }
}
"""
SESSION = {"pool": 20}  # each connection of ours keeps one
MODES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "session": ("session", SESSION),
    "transaction": ("transaction", {}),
    "session, nothing reset": ("session", {**SESSION, "server_reset_query": ""}),
    "transaction, nothing reset": ("transaction", {"server_reset_query": ""}),
}


def value(table: int, row: int) -> int:
    """What the column v of a row holds, and no other row of any table."""
    return table * 1_000 + row


@pytest.fixture
def tables(debian: Backend) -> Backend:
    """Four tables that only differ in what they hold."""
    debian.run(SCRIPT)
    return debian


@contextmanager
def pooled(backend: Backend, mode: str, **options: Any) -> Iterator[Backend]:
    """The same database, through PgBouncer."""
    with running_pgbouncer(sa.make_url(backend.url), mode, **options) as url:
        yield Backend("postgresql", url.render_as_string(hide_password=False))


# Requests, each by its number, and what each must be answered.


def batch(client: Client, *parts: Json, **variables: Any) -> Json:
    answer = client.post(BATCH, {"parts": parts, **variables})
    return answer["data"]["batch"] if "errors" not in answer else answer


def done(**found: Any) -> Json:
    return {"errors": [], "payload": None, **found}


def row(table: int, key: int, number: int) -> Json:
    return {"id": key, "v": value(table, key), "w": number}


def read_an_item(client: Client, n: int, k: int, key: int) -> bool:
    answer = client.post(f"{{ x: a{k}(id: {key}) {{ id v }} }}", {})
    return bool(answer == {"data": {"x": {"id": key, "v": value(k, key)}}})


def read_a_page(client: Client, n: int, k: int, key: int) -> bool:
    first = f"first: 3, filter: {{ id: {{ gte: {key}, lt: 1000 }} }}, orderBy: [{{ id: ASC }}]"
    answer = client.post(f"{{ x: a{k}s({first}) {{ totalCount nodes {{ id v }} aggregate {{ min {{ v }} }} }} }}", {})
    keys = range(key, ROWS + 1)
    return bool(
        answer.get("data")
        == {
            "x": {
                "totalCount": len(keys),
                "nodes": [{"id": each, "v": value(k, each)} for each in keys[:3]],
                "aggregate": {"min": {"v": value(k, key)}},
            }
        }
    )


def update_an_item(client: Client, n: int, k: int, key: int) -> bool:
    answer = batch(client, part("p", "UPDATE", f"/a{k}s/{key}", {"w": n}))
    found = done(id="p", status=200, payload=row(k, key, n))
    return bool(answer == {"status": "COMMITTED", "replayed": False, "parts": [found]})


def create_and_delete(client: Client, n: int, k: int, key: int) -> bool:
    new = {"id": 10_000 + n, "v": 100_000 + n, "w": n}
    made = batch(client, part("a", "CREATE", f"/a{k}s", new), part("b", "UPDATE", f"/a{k}s/{key}", {"w": n}))
    gone = batch(client, part("c", "DELETE", f"/a{k}s/{10_000 + n}"))
    return bool(
        made["parts"] == [done(id="a", status=201, payload=new), done(id="b", status=200, payload=row(k, key, n))]
        and gone["status"] == "COMMITTED"
    )


def keep_a_new_item(client: Client, n: int, k: int, key: int) -> bool:
    made = batch(client, *(part(f"p{m}", "CREATE", f"/a{k}s", {"id": 50_000 + 10 * n + m, "w": n}) for m in range(10)))
    return bool(made["status"] == "COMMITTED" and [each["status"] for each in made["parts"]] == [201] * 10)


def be_refused(client: Client, n: int, k: int, key: int) -> bool:
    taken = part("a", "CREATE", f"/a{k}s", {"id": 20_000 + n, "v": value(k, key), "w": n})
    other = part("b", "UPDATE", f"/a{k}s/{key}", {"w": n})
    conflict = {"id": "a", "status": 409, "payload": None, "errors": [{"code": "CONFLICT", "pointer": "/payload/v"}]}
    return bool(batch(client, taken, other) == {"status": "REJECTED", "replayed": False, "parts": [conflict]})


def try_it_dry(client: Client, n: int, k: int, key: int) -> bool:
    answer = batch(client, part("p", "DELETE", f"/a{k}s/{key}"), dryRun=True)
    return bool(answer["status"] == "VALID")


def send_it_twice(client: Client, n: int, k: int, key: int) -> bool:
    parts = [part("p", "UPSERT", f"/a{k}s", {"id": 30_000 + n, "w": n})]
    first, second = (batch(client, *parts, key=f"key {n}") for _ in range(2))
    new = {"id": 30_000 + n, "v": None, "w": n}
    return bool(
        first == {"status": "COMMITTED", "replayed": False, "parts": [done(id="p", status=201, payload=new)]}
        and second == {**first, "replayed": True}
    )


WORK: Sequence[Callable[[Client, int, int, int], bool]] = (
    *(read_an_item, update_an_item, read_a_page, update_an_item, create_and_delete),
    *(be_refused, read_an_item, try_it_dry, keep_a_new_item, send_it_twice),
)


def work_of(number: int) -> Callable[[Client, int, int, int], bool]:
    return WORK[number // len(TABLES) % len(WORK)]


def table_of(number: int) -> int:
    return TABLES[number % len(TABLES)]


def key_of(number: int) -> int:
    return number * 7 % ROWS + 1


def run_all(served: Running, clients: int, requests: int) -> Counter[str]:
    """Send requests, numbered from 1, from so many clients; count those that were not answered as they must be."""
    numbers, found = iter(range(1, requests + 1)), Counter[str]()
    taking = threading.Lock()

    def work(_: int) -> None:
        client = Client(served.port)
        while True:
            with taking:
                number = next(numbers, None)
            if number is None:
                return
            try:
                is_right = work_of(number)(client, number, table_of(number), key_of(number))
            except (KeyError, TypeError):
                found["request errors"] += 1
            else:
                found["right" if is_right else "wrong"] += 1

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(work, range(clients)))
    return found


def strangers(backend: Backend, requests: int) -> list[str]:
    """Compare every row of every table with what was sent to it; the last of several updates is not known."""
    found = []
    for k in TABLES:
        here = [n for n in range(1, requests + 1) if table_of(n) == k]
        updated = {(key_of(n), n) for n in here if work_of(n) in {update_an_item, create_and_delete}}
        expected: set[tuple[int, int | None, int]]
        expected = {(50_000 + 10 * n + m, None, n) for n in here if work_of(n) is keep_a_new_item for m in range(10)}
        expected |= {(30_000 + n, None, n) for n in here if work_of(n) is send_it_twice}
        rows = set(backend.rows(f"SELECT id, v, w FROM a{k}"))
        last = {key: w for key, _, w in rows if (key, w) in updated}
        if {key for key, _ in updated} != set(last):
            found.append(f"a{k} lacks updates")
        expected |= {(key, value(k, key), last.get(key, 0)) for key in range(1, ROWS + 1)}
        found += [f"a{k} {each}" for each in rows ^ expected]
    return found


@pytest.mark.costly
@pytest.mark.parametrize(
    ("clients", "mode"), [*((16, mode) for mode in MODES), (1, "transaction"), (1, "session, nothing reset")]
)
def test_no_statement_runs_as_another_one_and_every_request_is_served(
    tables: Backend, start: Serve, mode: str, clients: int
):
    """Two servers, one after the other: the second meets the sessions that the first has left."""
    pool_mode, options = MODES[mode]
    requests = REQUESTS // 2
    with pooled(tables, pool_mode, **options) as backend:
        for _ in range(2):
            tables.run(RESET)
            api = start(backend)
            served = Running(backend, api)
            found = run_all(served, clients, requests)
            served.stop()
            api.close()
            wrong = strangers(tables, requests)
            assert (found, wrong) == ({"right": requests}, [])


# The start


def test_a_pooler_is_told_once_and_none_where_there_is_none(
    tables: Backend, start: Serve, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    for backend_of in (lambda: nullcontext(tables), lambda: pooled(tables, "transaction")):
        with backend_of() as backend:
            served = Running(backend, start(backend))
            assert run_all(served, 8, 24) == {"right": 24}
            served.stop()
            tables.run(RESET)
            served.database.close()
    lines = [each.getMessage() for each in caplog.records if each.getMessage().startswith("pooler:")]
    assert len(lines) == 1


@pytest.mark.parametrize("command", ["serve", "check", "schema"])
def test_statement_pooling_ends_the_start_with_a_sentence(tables: Backend, tmp_path: Path, command: str):
    with pooled(tables, "statement") as backend:
        done = run(command, backend.url, folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "partwise: The connection pooler uses statement pooling, which does not allow transactions. "
        "Use session or transaction pooling.\n"
    )


def test_what_is_seen_through_a_pooler_is_what_is_seen_without_it(tables: Backend, tmp_path: Path):
    tables.run("CREATE TYPE mood AS ENUM ('sad', 'glad');\nCREATE TABLE b (id INTEGER REFERENCES a1 (id), mood mood[])")
    with pooled(tables, "transaction", pool=1) as backend:
        for command in (["check"], ["check", "--values"], ["schema"]):
            direct = run_here(*command, tables.url, folder=tmp_path)
            assert run_here(*command, backend.url, folder=tmp_path).stdout == direct.stdout
            assert direct.returncode == 0


def test_tables_of_models_are_made_and_filled_through_a_pooler(debian: Backend, start: Serve):
    with pooled(debian, "transaction", pool=1) as backend:
        api = start(backend, models="partwise.examples.shop.models", create_tables=True)
        example.fill_if_empty(api.service.engine.database)
        assert api.query("{ products(first: 1) { totalCount } }") == {"products": {"totalCount": 150}}


def test_a_commit_that_the_pooler_loses_is_unknown_and_one_before_it_is_not(tables: Backend, start: Serve):
    """What is lost before COMMIT is sent was not written; it is never run again by itself when COMMIT was sent."""
    with pooled(tables, "transaction", pool=1) as backend:
        database = start(backend).service.engine.database
        for lost, error in ((False, Unavailable), (True, OutcomeUnknown)):
            with database.write() as transaction:
                transaction.execute(Control("UPDATE a1 SET w = 1 WHERE id = 1"))
                (pid,) = transaction.execute(Control("SELECT pg_backend_pid()")).rows[0]
                assert tables.rows(f"SELECT pg_terminate_backend({pid}, 5000)") == [(True,)]
                with pytest.raises(error):
                    transaction.commit() if lost else transaction.execute(Control("UPDATE a1 SET w = 2 WHERE id = 1"))
        assert tables.rows("SELECT w FROM a1 WHERE id = 1") == [(0,)]
        with database.write() as transaction:  # and it goes on
            transaction.execute(Control("UPDATE a1 SET w = 3 WHERE id = 1"))
            transaction.commit()
        assert tables.rows("SELECT w FROM a1 WHERE id = 1") == [(3,)]


class OfOneSession:
    """A connection to a server that has one session for all of them."""

    closed = False

    def __init__(self, session: psycopg.Connection) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def test_a_server_with_one_session_for_all_connections_is_noticed(
    postgresql: Backend, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    sessions = Sessions()
    with psycopg.connect(postgresql.url, autocommit=True) as session:
        first, second = OfOneSession(session), OfOneSession(session)
        sessions.set_up(cast("psycopg.Connection", first))
        assert sessions.at_begin(session, always=False) == ""
        sessions.set_up(cast("psycopg.Connection", second))
        assert "SET LOCAL IntervalStyle" in sessions.at_begin(session, always=False)
    assert len([each for each in caplog.records if each.getMessage().startswith("pooler:")]) == 1
