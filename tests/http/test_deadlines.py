"""Every request is answered by its deadline, whatever it waits for: a lock, a connection, a statement, the network."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
import sqlalchemy as sa

from tests.conftest import Serve
from tests.support.harness import Backend, Json, part
from tests.support.running import Running
from tests.support.swallowing import drops_first, swallowing
from tests.support.transactions import checked_out
from tests.support.waiting import SCRIPT, Answered, batch, head, locked, send, update

TIMEOUT = 2.0  # seconds
MARGIN = 1.0  # seconds, as docs/contract.md promises
SLOW = 2.0  # seconds more, for a machine that does other things besides
MANY = 24  # clients, three for each connection
LOCKED = "Another transaction holds a lock that this request needs. Nothing was written. Try again."
KEYED = (
    "mutation ($parts: [PartInput!]!, $key: String) { batch(parts: $parts, idempotencyKey: $key) { status replayed } }"
)
READ = {"query": "{ things { nodes { name } } }"}
OF_OTHERS = {"query": "{ marks { nodes { name } } }"}

Served = Callable[..., Running]


@pytest.fixture
def listen(start: Serve) -> Iterator[Served]:
    """Serve databases over sockets."""
    running: list[Running] = []

    def run(backend: Backend, **settings: object) -> Running:
        running.append(Running(backend, start(backend, **{"timeout": TIMEOUT, **settings})))
        return running[-1]

    yield run
    for each in running:
        each.stop()


def together(*requests: "asyncio.Future[Answered] | object") -> list[Answered]:
    """Wait for all of them."""

    async def wait() -> list[Answered]:
        return await asyncio.gather(*requests)  # type: ignore[arg-type]  # coroutines

    return asyncio.run(wait())


def codes(answers: Sequence[Answered]) -> set[str]:
    return {each.outcome for each in answers}


def names(backend: Backend) -> dict[int, str]:
    return dict(backend.rows("SELECT id, name FROM thing ORDER BY id"))


# What another program may hold, and what waits for it: its statements, the request, and a request that does not wait.
HELD: dict[str, tuple[Sequence[str], Json]] = {
    "a row": (["SELECT * FROM thing WHERE id = 1 FOR UPDATE"], update(1, "new")),
    "a row that is deleted": (["DELETE FROM thing WHERE id = 1"], update(1, "new")),
    "a row that is pointed at": (
        ["SELECT * FROM thing WHERE id = 1 FOR UPDATE"],
        batch(part("p", "CREATE", "/marks", {"name": "new", "thingId": 1})),
    ),
    "a unique value": (
        ["INSERT INTO thing (id, name) VALUES (100, 'taken')"],
        batch(part("p", "CREATE", "/things", {"name": "taken"})),
    ),
    "a key": (
        ["INSERT INTO thing (id, name) VALUES (100, 'taken')"],
        batch(part("p", "UPSERT", "/things/100", {"name": "other"})),
    ),
    "a large batch": (
        ["SELECT * FROM thing WHERE id = 1 FOR UPDATE"],
        batch(
            *(part(f"p{n}", "CREATE", "/marks", {"name": "new", "thingId": 3}) for n in range(20)),
            part("p", "UPDATE", "/things/1", {"name": "new"}),
        ),
    ),
    "a table, for a batch": (["LOCK TABLE mark"], batch(part("p", "CREATE", "/marks", {"name": "new"}))),
    "a table, for a query": (["LOCK TABLE mark"], OF_OTHERS),
    "a receipt": (
        ["INSERT INTO partwise_receipt (caller, idempotency_key, fingerprint) VALUES ('', 'k', 'x')"],
        {
            "query": KEYED,
            "variables": {"parts": [part("p", "UPDATE", "/things/1", {"name": "new"})], "key": "k"},
        },
    ),
}


MAKES_THE_TABLE = {
    "query": KEYED,
    "variables": {"parts": [part("p", "GET", "/things/3")], "key": "makes the table"},
}


@pytest.mark.parametrize("case", HELD)
def test_what_waits_for_one_lock_is_answered_in_time(postgresql: Backend, listen: Served, case: str):
    held, request = HELD[case]
    postgresql.run(SCRIPT)
    server = listen(postgresql)
    send_one(server, MAKES_THE_TABLE)
    before = postgresql.dump()

    with locked(postgresql, *held):
        found = together(*(send(server.port, request) for _ in range(MANY)))

    assert codes(found) == {"TIMEOUT"}
    ((message, _),) = Counter(each.body["errors"][0]["message"] for each in found).most_common(1)
    assert message == LOCKED
    assert max(each.seconds for each in found) < TIMEOUT + MARGIN + SLOW
    assert min(each.seconds for each in found) > TIMEOUT - 0.3, "the lock is waited for"
    assert postgresql.dump() == before
    assert send_one(server, request).outcome in {"COMMITTED", "data"}
    assert checked_out(server.database) == 0


@pytest.mark.parametrize("case", HELD)
def test_what_waits_for_one_lock_does_not_hold_up_others(postgresql: Backend, listen: Served, case: str):
    held, request = HELD[case]
    postgresql.run(SCRIPT)
    server = listen(postgresql, timeout=60)
    send_one(server, MAKES_THE_TABLE)

    async def work(holder: sa.Connection) -> tuple[list[Answered], list[Answered]]:
        waiting = [asyncio.create_task(send(server.port, request)) for _ in range(MANY)]
        others = []
        await asyncio.sleep(0.3)  # they wait
        for n in range(2):
            others.append(await send(server.port, update(2, f"other {n}")))
            others.append(await send(server.port, READ))
        assert not any(each.done() for each in waiting), [(each.outcome, each.seconds) for each in others]
        holder.rollback()
        return await asyncio.gather(*waiting), others

    with locked(postgresql, *held) as holder:
        found, others = asyncio.run(work(holder))

    assert codes(others) == {"COMMITTED", "data"}
    assert codes(found) <= {"COMMITTED", "data", "REJECTED"}, "one takes a unique value, the others find it taken"
    assert codes(found) & {"COMMITTED", "data"}
    assert names(postgresql)[2] == "other 1"
    assert checked_out(server.database) == 0


def send_one(server: Running, request: Json) -> Answered:
    (found,) = together(send(server.port, request))
    return found


def test_the_lock_of_another_program_on_a_file_is_waited_for_until_the_deadline_and_no_longer(
    sqlite: Backend, listen: Served
):
    sqlite.run(SCRIPT)
    server = listen(sqlite)

    async def work() -> tuple[list[Answered], list[Answered]]:
        waiting = [asyncio.create_task(send(server.port, update(1, f"new {n}"))) for n in range(MANY)]
        await asyncio.sleep(0.3)
        reading = [await send(server.port, READ) for _ in range(5)]
        assert not any(each.done() for each in waiting)
        return await asyncio.gather(*waiting), reading

    with locked(sqlite):
        found, reading = asyncio.run(work())
        again = together(*(send(server.port, update(1, "later")) for _ in range(3)))

    assert codes(reading) == {"data"}, "readers go on"
    assert codes(found) == codes(again) == {"TIMEOUT"}
    assert {each.body["errors"][0]["message"] for each in found} == {LOCKED}
    assert max(each.seconds for each in [*found, *again]) < TIMEOUT + MARGIN + SLOW
    assert send_one(server, update(1, "after")).outcome == "COMMITTED"
    assert names(sqlite)[1] == "after"


@pytest.mark.parametrize("connections", [1, 2, 8])
def test_when_the_lock_is_given_back_all_that_wait_go_on(backend: Backend, listen: Served, connections: int):
    backend.run(SCRIPT)
    server = listen(backend, timeout=30, connections=connections)
    held = ["SELECT * FROM thing WHERE id = 1 FOR UPDATE"] if backend.kind == "postgresql" else []
    parts = [part("p", "UPDATE", "/things/1", {"name": "new"}), part("q", "CREATE", "/marks", {"name": "new"})]

    async def work(holder: sa.Connection) -> tuple[list[Answered], Answered]:
        waiting = [asyncio.create_task(send(server.port, batch(*parts))) for _ in range(MANY)]
        await asyncio.sleep(0.5)
        other = await send(server.port, READ)
        assert not any(each.done() for each in waiting)
        holder.exec_driver_sql("ROLLBACK")
        return await asyncio.gather(*waiting), other

    with locked(backend, *held) as holder:
        found, other = asyncio.run(work(holder))

    assert other.outcome == "data"
    assert codes(found) == {"COMMITTED"}
    assert backend.rows("SELECT count(*) FROM mark") == [(MANY,)]


def test_a_batch_whose_client_has_gone_while_it_waited_is_not_run(backend: Backend, listen: Served):
    backend.run(SCRIPT)
    server = listen(backend, timeout=30, connections=2)
    held = ["SELECT * FROM thing WHERE id = 1 FOR UPDATE"] if backend.kind == "postgresql" else []

    def create(name: str) -> Json:
        return batch(part("p", "UPDATE", "/things/1", {"name": "new"}), part("q", "CREATE", "/marks", {"name": name}))

    async def go_away(request: Json) -> None:
        text = json.dumps(request).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head(server.port, len(text)) + text)
        await writer.drain()
        await asyncio.sleep(0.4)
        writer.close()

    async def work(holder: sa.Connection) -> list[Answered]:
        first = asyncio.create_task(send(server.port, create("first")))
        await asyncio.sleep(0.3)
        await asyncio.gather(*(go_away(create("gone")) for _ in range(5)))
        last = asyncio.create_task(send(server.port, create("last")))
        await asyncio.sleep(0.3)
        holder.exec_driver_sql("ROLLBACK")
        return [await first, await last]

    with locked(backend, *held) as holder:
        found = asyncio.run(work(holder))

    assert codes(found) == {"COMMITTED"}
    assert sorted(name for (name,) in backend.rows("SELECT name FROM mark")) == ["first", "last"]


def test_many_short_statements_together_take_no_longer_than_one(postgresql: Backend, listen: Served):
    postgresql.run(SCRIPT)
    postgresql.run(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NEW; END $$;\n"
        "CREATE TRIGGER slowly BEFORE INSERT ON mark FOR EACH ROW EXECUTE FUNCTION slowly()"
    )
    server = listen(postgresql)
    parts = [part(f"p{n}", "CREATE", "/marks", {"name": str(n)}) for n in range(30)]

    found = send_one(server, batch(*parts))

    assert found.outcome == "TIMEOUT"
    assert found.seconds < TIMEOUT + MARGIN + SLOW
    assert postgresql.rows("SELECT count(*) FROM mark") == [(0,)]
    assert send_one(server, update(1, "after")).outcome == "COMMITTED"


def test_a_trigger_that_catches_every_error_does_not_see_a_lock_time_out_of_ours(postgresql: Backend, listen: Served):
    postgresql.run(SCRIPT)
    postgresql.run(
        "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER);\n"
        "INSERT INTO counter VALUES (1, 0);\n"
        "CREATE FUNCTION counting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "BEGIN UPDATE counter SET n = n + 1; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN NEW; END $$;\n"
        "CREATE TRIGGER counting BEFORE INSERT ON mark FOR EACH ROW EXECUTE FUNCTION counting()"
    )
    server = listen(postgresql, timeout=30)

    async def work(holder: sa.Connection) -> Answered:
        waiting = asyncio.create_task(send(server.port, batch(part("p", "CREATE", "/marks", {"name": "new"}))))
        await asyncio.sleep(0.5)
        holder.rollback()
        return await waiting

    with locked(postgresql, "SELECT * FROM counter FOR UPDATE") as holder:
        found = asyncio.run(work(holder))

    assert found.outcome == "COMMITTED"
    assert postgresql.rows("SELECT n FROM counter") == [(1,)], "the trigger has waited, too"


# --- the network


def test_a_connection_that_swallows_begin_is_replaced(postgresql: Backend, listen: Served):
    postgresql.run(SCRIPT)
    with swallowing(postgresql) as (through, proxy):
        server = listen(through, timeout=4)
        assert codes([send_one(server, update(1, f"warm {n}")) for n in range(3)]) == {"COMMITTED"}
        proxy.rule = drops_first(b"BEGIN")
        found = send_one(server, update(1, "new"))
    assert found.outcome == "COMMITTED", "on a connection of its own, in the time that is left"
    assert names(postgresql)[1] == "new"


@pytest.mark.parametrize("at", ["connect", "first statement", "BEGIN", "UPDATE"])
def test_a_network_that_swallows_everything_is_not_waited_for(postgresql: Backend, listen: Served, at: str):
    postgresql.run(SCRIPT)
    with swallowing(postgresql) as (through, proxy):
        server = listen(through)
        if at in {"connect", "first statement"}:
            server.database._writer.dispose()
            proxy.accepts = at != "connect"
        word = {"connect": b"-", "first statement": b"pg_backend_pid"}.get(at, at.encode())
        proxy.rule = lambda sent: "drop" if word in sent else "pass"
        found = together(
            send(server.port, update(1, "new")), send(server.port, READ if at != "UPDATE" else update(2, "b"))
        )
        assert codes(found) <= {"TIMEOUT", "UNAVAILABLE"}
        assert max(each.seconds for each in found) < TIMEOUT + MARGIN + SLOW
        proxy.rule, proxy.accepts = (lambda _sent: "pass"), True
        assert send_one(server, update(3, "after")).outcome == "COMMITTED", "and it goes on"
    assert names(postgresql) == {1: "one", 2: "two", 3: "after"}


@pytest.mark.parametrize(("fate", "expected"), [("mute", "new"), ("drop", "one")], ids=["committed", "not committed"])
def test_a_commit_that_is_not_confirmed_leaves_the_outcome_unknown(
    postgresql: Backend, listen: Served, fate: str, expected: str
):
    postgresql.run(SCRIPT)
    with swallowing(postgresql) as (through, proxy):
        server = listen(through, timeout=1, commit_timeout=0.5)
        assert send_one(server, update(2, "warm")).outcome == "COMMITTED"
        proxy.rule = lambda sent: fate if b"COMMIT" in sent and b"BEGIN" not in sent else "pass"
        found = send_one(server, update(1, "new"))
        assert found.outcome == "OUTCOME_UNKNOWN"
        assert 1.4 < found.seconds < 1.5 + MARGIN + SLOW
        proxy.rule = lambda _sent: "pass"
        assert send_one(server, update(3, "after")).outcome == "COMMITTED"
    assert names(postgresql) == {1: expected, 2: "warm", 3: "after"}


def test_a_commit_that_no_standby_confirms_is_not_said_to_be_done(postgresql: Backend, listen: Served):
    postgresql.run(SCRIPT)
    server = listen(postgresql, timeout=1, commit_timeout=0.5)
    try:
        settings(postgresql, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        found = send_one(server, update(1, "new"))
    finally:
        settings(postgresql, "ALTER SYSTEM RESET synchronous_standby_names")
    assert found.outcome == "OUTCOME_UNKNOWN"
    assert found.seconds < 1.5 + MARGIN + SLOW
    assert send_one(server, update(1, "newer")).outcome == "COMMITTED"


def test_a_connection_on_which_a_commit_was_not_replicated_serves_the_next_batch(postgresql: Backend, listen: Served):
    """PostgreSQL confirms a COMMIT whose wait for a standby is canceled, and warns: the connection stays as it is."""
    postgresql.run(SCRIPT)
    server = listen(postgresql, timeout=20, connections=1)

    async def work() -> Answered:
        waiting = asyncio.create_task(send(server.port, update(1, "new")))
        for _ in range(200):
            await asyncio.sleep(0.05)
            if postgresql.rows("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"):
                break
        return await waiting

    try:
        settings(postgresql, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        unknown = asyncio.run(work())
    finally:
        settings(postgresql, "ALTER SYSTEM RESET synchronous_standby_names")
    assert unknown.outcome == "OUTCOME_UNKNOWN"
    pids = set(_backends(postgresql))
    assert [send_one(server, update(1, name)).outcome for name in ("newer", "newest")] == ["COMMITTED", "COMMITTED"]
    assert set(_backends(postgresql)) == pids, "the connection was kept"
    assert names(postgresql)[1] == "newest"


def _backends(backend: Backend) -> list[int]:
    """List the sessions of the database, but for our own."""
    own = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return [pid for (pid,) in backend.rows(own)]


def test_a_slow_answer_to_begin_does_not_cost_the_other_connections(postgresql: Backend, listen: Served):
    """With little time left, a BEGIN that is not answered says nothing of the others in the pool."""
    postgresql.run(SCRIPT)
    with swallowing(postgresql) as (through, proxy):
        server = listen(through, timeout=4, connections=2)
        with server.database.write(), server.database.write():  # two connections
            pass
        before = set(_backends(postgresql))
        proxy.rule = drops_first(b"BEGIN")
        assert send_one(server, update(1, "new")).outcome == "COMMITTED"
        assert len(before) == 2
        time.sleep(0.5)  # PostgreSQL hears of what was closed
        assert set(_backends(postgresql)) >= before, "the silent one is still there, and so is the other"
    assert names(postgresql)[1] == "new"


def settings(backend: Backend, statement: str) -> None:
    """Change the configuration of the server."""
    engine = backend.engine().execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()
    time.sleep(0.3)  # the server's processes read it at their leisure


# --- the log


def test_a_long_wait_for_a_lock_is_logged_once_with_who_holds_it(
    postgresql: Backend, listen: Served, caplog: pytest.LogCaptureFixture
):
    postgresql.run(SCRIPT)
    server = listen(postgresql)
    with caplog.at_level(logging.INFO, "partwise"), locked(postgresql, "SET application_name = 'the other'") as holder:
        ((pid,),) = holder.exec_driver_sql("SELECT pg_backend_pid()").all()
        holder.exec_driver_sql("SELECT * FROM thing WHERE id = 1 FOR UPDATE")
        together(*(send(server.port, update(1, "secret")) for _ in range(10)))
        lines = wait_for_lines(caplog, "lock_wait: ", "timeout: ")
    (waited,) = [line for line in lines if line.startswith("lock_wait: ")]
    assert f" pid={pid} application='the other' " in waited
    assert " waiting=10 " in waited
    assert 1 <= len([line for line in lines if line.startswith("timeout: ")]) <= 3
    assert any(" where='lock'" in line for line in lines)
    assert not any("secret" in line or "FOR UPDATE" in line for line in lines)


def wait_for_lines(caplog: pytest.LogCaptureFixture, *beginnings: str) -> list[str]:
    """Wait until such lines have been logged."""
    for _ in range(100):
        lines = [each.getMessage() for each in caplog.records]
        if all(any(line.startswith(beginning) for line in lines) for beginning in beginnings):
            return lines
        time.sleep(0.05)
    raise AssertionError(lines)
