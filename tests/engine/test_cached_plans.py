"""Plans that PostgreSQL caches: those for tables that were small are not used for long once the tables have grown."""

import psycopg
import pytest

from storage.connections.control import Control
from storage.connections.database import Database
from storage.connections.sessions import Sessions
from tests.conftest import Serve
from tests.support.harness import Backend, part

SCRIPT = """
CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT) WITH (autovacuum_enabled = false);
INSERT INTO thing SELECT i, 'x' FROM generate_series(1, 200) i;
"""
UPDATE = "UPDATE thing SET name = given.name FROM unnest($1::integer[], $2::text[]) AS given (id, name) WHERE thing.id = given.id"
OWN = f"'{{{','.join(map(str, range(1, 101)))}}}', '{{{','.join('y' * 100)}}}'"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    made = Sessions.__init__
    monkeypatch.setattr(Sessions, "__init__", lambda sessions: made(sessions, clock))
    return clock


def plan(database: Database) -> str:
    with database.write() as transaction:
        return "\n".join(line for (line,) in transaction.execute(Control(f"EXPLAIN EXECUTE changed ({OWN})")).rows)


def test_a_plan_for_a_small_table_is_not_used_once_the_table_has_grown(postgresql: Backend, start: Serve, clock: Clock):
    postgresql.run(SCRIPT)
    database = start(postgresql, connections=1).service.engine.database
    with database.write() as transaction:
        transaction.execute(Control(f"PREPARE changed (integer[], text[]) AS {UPDATE}"))
        for _ in range(
            7
        ):  # the first five plan for their values: https://www.postgresql.org/docs/current/sql-prepare.html
            transaction.execute(Control(f"EXECUTE changed ({OWN})"))
        transaction.commit()
    assert "Seq Scan on thing" in plan(database)

    postgresql.run("INSERT INTO thing SELECT i, 'x' FROM generate_series(201, 200000) i;")
    clock.now = 1.0
    assert "Seq Scan on thing" in plan(database)  # PostgreSQL keeps it, whatever the size of the table
    clock.now = 2.5
    found = plan(database)

    assert "Seq Scan on thing" not in found
    assert "Index Scan using thing_pkey" in found


def test_plans_are_discarded_every_two_seconds_and_not_in_each_transaction(
    postgresql: Backend, start: Serve, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    postgresql.run(SCRIPT)
    api = start(postgresql, connections=1)
    begun: list[str] = []
    new_plans = Sessions.new_plans

    def noted(sessions: Sessions, driver: psycopg.Connection) -> str:
        begun.append(new_plans(sessions, driver))
        return begun[-1]

    monkeypatch.setattr(Sessions, "new_plans", noted)

    for now in (10.0, 10.5, 11.9, 12.0, 12.1, 14.5):
        clock.now = now
        found = api.batch(part("p", "UPDATE", "/things/1", {"name": f"at {now}"}))
        assert found["status"] == "COMMITTED"

    assert [each for each in begun if each] == ["; DISCARD PLANS"] * 3
    assert len(begun) == 6
    assert postgresql.rows("SELECT name FROM thing WHERE id = 1") == [("at 14.5",)]
