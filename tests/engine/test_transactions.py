"""Transactions hold what they promise: storage/connections/database.py on real databases, without the server in front."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from storage.connections.control import Control
from storage.connections.database import Database, parse_url
from storage.connections.driver_errors import Retry, StatementRefused, Violation
from storage.connections.transaction import Transaction
from storage.errors import OutcomeUnknown, TimedOut, Unavailable
from tests.support.harness import Backend
from tests.support.transactions import checked_out, count_statements, sql
from tests.support.waiting import locked

SCRIPT = """
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent (id) {deferred});
"""


@pytest.fixture
def database(backend: Backend) -> Iterator[Database]:
    backend.run(SCRIPT)
    opened = Database(parse_url(backend.url))
    yield opened
    assert checked_out(opened) == 0, "every connection comes back"
    opened.close()


@pytest.fixture
def narrow(backend: Backend) -> Iterator[Database]:
    """One connection, and hardly any patience."""
    backend.run(SCRIPT)
    opened = Database(parse_url(backend.url), connections=1, timeout=0.1)
    yield opened
    assert checked_out(opened) == 0
    opened.close()


def insert(transaction: Transaction, *keys: int) -> None:
    for key in keys:
        transaction.execute(Control(f"INSERT INTO parent (id) VALUES ({key})"))


def parents(backend: Backend) -> list[int]:
    return [key for (key,) in backend.rows("SELECT id FROM parent ORDER BY id")]


def terminate(backend: Backend, transaction: Transaction) -> None:
    """Cut a transaction's connection, as a restart of the database does."""
    ((pid,),) = transaction.execute(Control("SELECT pg_backend_pid()")).rows
    assert backend.rows(f"SELECT pg_terminate_backend({pid}, 5000)") == [(True,)]


def test_a_rollback_keeps_what_the_session_has_prepared(postgresql: Backend):
    """psycopg would forget all of it: after each batch that is rejected, statements would be planned anew."""
    postgresql.run(SCRIPT)
    narrow = Database(parse_url(postgresql.url), connections=1)
    with narrow.write() as transaction:
        for key in range(10):  # the driver prepares what it has run more than five times
            transaction.read(sql("SELECT id FROM parent WHERE id = %s", key))
        transaction.savepoint("here")
        transaction.rollback_to("here")

    with narrow.read() as transaction:
        prepared = transaction.read(sql("SELECT statement FROM pg_prepared_statements")).rows
    assert ("SELECT id FROM parent WHERE id = $1",) in prepared
    narrow.close()


def test_what_is_committed_is_there_for_another_connection(database: Database, backend: Backend):
    for key in range(100):
        with database.write() as transaction:
            insert(transaction, key)
            transaction.commit()

    assert parents(backend) == list(range(100))


def test_what_is_not_committed_is_seen_by_nobody_and_rolled_back(database: Database, backend: Backend):
    with database.write() as transaction:
        insert(transaction, 1)
        assert parents(backend) == []

    assert parents(backend) == []


def test_an_error_inside_rolls_back_and_is_passed_on(database: Database, backend: Backend):
    def fail_inside() -> None:
        with database.write() as transaction:
            insert(transaction, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()

    assert parents(backend) == []
    with database.write() as transaction:  # the same connection, and it is clean
        insert(transaction, 1)
        transaction.commit()
    assert parents(backend) == [1]


def test_savepoints_nest(database: Database, backend: Backend):
    with database.write() as transaction:
        insert(transaction, 1)
        transaction.savepoint("outer_one")
        insert(transaction, 2)
        transaction.savepoint("inner_one")
        insert(transaction, 3)
        transaction.rollback_to("inner_one")
        insert(transaction, 4)
        transaction.release("inner_one")
        insert(transaction, 5)
        transaction.savepoint("inner_one")
        insert(transaction, 6)
        transaction.release("inner_one")
        transaction.commit()

    assert parents(backend) == [1, 2, 4, 5, 6]


def test_an_outer_savepoint_undoes_what_an_inner_one_has_released(database: Database, backend: Backend):
    with database.write() as transaction:
        transaction.savepoint("outer_one")
        transaction.savepoint("inner_one")
        insert(transaction, 1)
        transaction.release("inner_one")
        transaction.rollback_to("outer_one")
        insert(transaction, 2)
        transaction.commit()

    assert parents(backend) == [2]


def test_after_a_refused_statement_the_transaction_goes_on_from_its_savepoint(database: Database, backend: Backend):
    with database.write() as transaction:
        insert(transaction, 1)
        transaction.savepoint("part")
        with pytest.raises(StatementRefused) as refused:
            insert(transaction, 2, 1)
        transaction.rollback_to("part")
        insert(transaction, 3)
        transaction.commit()

    assert refused.value.violation is Violation.UNIQUE
    assert parents(backend) == [1, 3]


def test_an_attempt_that_is_refused_is_rolled_back_and_its_refusal_returned(
    database: Database, backend: Backend, monkeypatch: pytest.MonkeyPatch
):
    with database.write() as transaction:
        insert(transaction, 1)
        sent = count_statements(monkeypatch)
        refused = transaction.attempt("part", partial(insert, transaction, 2, 1))
        monkeypatch.undo()
        insert(transaction, 3)
        transaction.commit()

    assert isinstance(refused, StatementRefused)
    assert refused.violation is Violation.UNIQUE
    assert [each for each in sent if "SAVEPOINT" in each] == [
        "SAVEPOINT part",
        "ROLLBACK TO SAVEPOINT part",
        "RELEASE SAVEPOINT part",
    ]
    assert parents(backend) == [1, 3]


def test_an_attempt_that_succeeds_is_kept_unless_it_is_for_its_result_alone(database: Database, backend: Backend):
    def inserted(key: int) -> int:
        insert(transaction, key)
        return key

    with database.write() as transaction:
        found = [transaction.attempt("part", partial(inserted, 1))]
        found += [transaction.attempt("part", partial(inserted, 2), keep=False)]
        found += [transaction.attempt("part", partial(inserted, 3))]
        transaction.commit()

    assert found == [1, 2, 3]
    assert parents(backend) == [1, 3]


def test_an_attempt_handles_the_exceptions_that_it_is_given_and_lets_others_pass(database: Database, backend: Backend):
    def fail(error: Exception) -> None:
        insert(transaction, 1)
        raise error

    with database.write() as transaction:
        assert isinstance(transaction.attempt("part", partial(fail, KeyError()), KeyError, ValueError), KeyError)
        with pytest.raises(ZeroDivisionError):
            transaction.attempt("part", partial(fail, ZeroDivisionError()), KeyError, ValueError)
        transaction.rollback_to("part")  # it is still there
        insert(transaction, 2)
        transaction.commit()

    assert parents(backend) == [2]


@pytest.mark.parametrize("keep", [True, False])
def test_an_attempt_that_loses_the_transaction_raises_and_runs_nothing_more(
    sqlite: Backend, monkeypatch: pytest.MonkeyPatch, keep: bool
):
    sqlite.run(SCRIPT)
    sqlite.run("CREATE TRIGGER lost AFTER INSERT ON parent BEGIN SELECT RAISE(ROLLBACK, 'lost'); END")
    database = Database(parse_url(sqlite.url))
    with database.write() as transaction:
        sent = count_statements(monkeypatch)
        with pytest.raises(StatementRefused) as refused:
            transaction.attempt("part", partial(insert, transaction, 1), KeyError, keep=keep)
        monkeypatch.undo()
    database.close()

    assert refused.value.transaction_lost
    assert sent == ["SAVEPOINT part", "INSERT INTO parent (id) VALUES (1)"]


def test_a_commit_that_the_database_turns_into_a_rollback_is_found_out(postgresql: Backend):
    postgresql.run(SCRIPT)
    database = Database(parse_url(postgresql.url))
    with database.write() as transaction:
        insert(transaction, 1)
        with pytest.raises(StatementRefused):
            insert(transaction, 1)
        with pytest.raises(Unavailable):
            transaction.commit()
    database.close()

    assert parents(postgresql) == []


def test_a_commit_of_a_transaction_that_has_ended_is_no_success(database: Database, backend: Backend):
    with database.write() as transaction:
        insert(transaction, 1)
        transaction.execute(Control("ROLLBACK"))
        with pytest.raises(Unavailable):
            transaction.commit()

    assert parents(backend) == []


def test_a_deferred_constraint_that_fails_at_commit_is_refused_and_nothing_is_written(
    database: Database, backend: Backend
):
    with database.write() as transaction:
        insert(transaction, 1)
        transaction.execute(Control("INSERT INTO child (id, parent_id) VALUES (1, 9)"))
        with pytest.raises(StatementRefused) as refused:
            transaction.commit()

    assert refused.value.violation is Violation.FOREIGN_KEY
    assert parents(backend) == []


def test_a_connection_lost_before_commit_is_unavailable(postgresql: Backend):
    postgresql.run(SCRIPT)
    database = Database(parse_url(postgresql.url))
    with database.write() as transaction:
        insert(transaction, 1)
        terminate(postgresql, transaction)
        with pytest.raises(Unavailable):
            insert(transaction, 2)

    assert parents(postgresql) == []
    assert checked_out(database) == 0
    with database.write() as transaction:  # the lost connection is not given out again
        insert(transaction, 3)
        transaction.commit()
    assert parents(postgresql) == [3]
    database.close()


def test_a_connection_lost_at_commit_leaves_the_outcome_unknown(postgresql: Backend):
    postgresql.run(SCRIPT)
    database = Database(parse_url(postgresql.url))
    with database.write() as transaction:
        insert(transaction, 1)
        terminate(postgresql, transaction)
        with pytest.raises(OutcomeUnknown):
            transaction.commit()

    assert checked_out(database) == 0
    database.close()


class CutAfterCommit:
    """A connection that is lost when COMMIT has reached the database, and its answer has not reached us."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> Any:
        return self

    def execute(self, sql: str) -> None:
        self._connection.cursor().execute(sql)
        raise psycopg.OperationalError("server closed the connection unexpectedly")


def test_a_commit_that_was_done_before_the_connection_was_lost_is_unknown_too(postgresql: Backend):
    postgresql.run(SCRIPT)
    database = Database(parse_url(postgresql.url))
    with database.write() as transaction:
        insert(transaction, 1)
        transaction._connection = CutAfterCommit(transaction._connection)  # type: ignore[assignment]  # stands for it
        with pytest.raises(OutcomeUnknown):
            transaction.commit()

    assert parents(postgresql) == [1]
    database.close()


def test_a_deadlock_asks_for_another_run(postgresql: Backend):
    postgresql.run(SCRIPT + ";\nINSERT INTO parent (id) VALUES (1)")
    database = Database(parse_url(postgresql.url))
    raised = "DO $$ BEGIN RAISE EXCEPTION 'crossed' USING ERRCODE = '{}'; END $$"
    for state in ("40P01", "40001"):
        with pytest.raises(Retry), database.write() as transaction:
            transaction.execute(Control(raised.format(state)))
    database.close()


def test_a_full_pool_is_unavailable(narrow: Database):
    with narrow.write(), pytest.raises(Unavailable), narrow.write():
        raise AssertionError("there is one connection only")


def test_a_full_pool_of_readers_is_unavailable(narrow: Database):
    with narrow.read(), pytest.raises(Unavailable), narrow.read():
        raise AssertionError("there is one connection only")


def test_a_file_that_another_program_writes_is_a_timeout(sqlite: Backend):
    sqlite.run(SCRIPT)
    database = Database(parse_url(sqlite.url), timeout=0.1)
    database.check()  # as at every start: the file is in WAL mode from here on
    engine = sqlite.engine()
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(TimedOut), database.write():
            raise AssertionError("the file is locked")
        with database.read() as transaction:  # reading goes on
            assert transaction.execute(Control("SELECT count(*) FROM parent")).rows == [(0,)]
        other.exec_driver_sql("ROLLBACK")
    with database.write() as transaction:
        insert(transaction, 1)
        transaction.commit()
    database.close()
    assert parents(sqlite) == [1]


def test_a_row_that_another_transaction_holds_is_a_timeout(postgresql: Backend):
    postgresql.run(SCRIPT + ";\nINSERT INTO parent (id) VALUES (1)")
    database = Database(parse_url(postgresql.url), timeout=0.1)
    with database.write() as first, database.write() as second:
        first.execute(Control("SELECT id FROM parent FOR UPDATE"))
        with pytest.raises(TimedOut):
            second.execute(Control("SELECT id FROM parent FOR UPDATE"))
    database.close()


def test_a_database_that_does_not_answer_is_unavailable(postgresql: Backend):
    url = parse_url(postgresql.url).set(database="there_is_none")
    database = Database(url)

    with pytest.raises(Unavailable), database.write():
        raise AssertionError("there is no such database")
    assert database.why_unready() == "The database does not answer."
    database.close()


@pytest.mark.parametrize("first", ["SELECT 1", "SET standard_conforming_strings = off; SET DateStyle = German"])
def test_what_a_database_sets_for_its_sessions_changes_nothing(postgresql: Backend, first: str):
    """Nor what somebody sets later. Where strings are not standard, psycopg doubles the backslashes of bytes."""
    name = postgresql.url.rpartition("/")[2].partition("?")[0]
    settings = ("TimeZone = 'Asia/Tokyo'", "DateStyle = German", "IntervalStyle = postgres_verbose")
    for setting in (*settings, "standard_conforming_strings = off"):
        postgresql.run(f"ALTER DATABASE {name} SET {setting}")
    database = Database(parse_url(postgresql.url), connections=1)
    with database.write() as transaction:
        transaction.execute(Control(first))
        transaction.commit()
    with database.write() as transaction:
        (row,) = transaction.execute(
            sql(
                "SELECT (%s::bytea[])[1], '2024-05-06 12:00+00'::timestamptz::text, '2024-05-06'::date::text, '90 min'::interval::text",
                [b"\\abc"],
            )
        ).rows
    database.close()
    assert row == (b"\\abc", "2024-05-06 12:00:00+00", "2024-05-06", "PT1H30M")


@pytest.mark.parametrize(
    ("pragma", "expected"), [("foreign_keys", 1), ("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 50)]
)
def test_each_connection_to_a_file_is_set_up_to_hold_what_it_promises(sqlite: Backend, pragma: str, expected: object):
    database = Database(parse_url(sqlite.url), timeout=2.5)
    with database.write() as writing, database.read() as reading:
        assert writing.execute(Control(f"PRAGMA {pragma}")).rows == [(expected,)]
        assert reading.execute(Control(f"PRAGMA {pragma}")).rows == [(expected,)]
    database.close()


def test_one_connection_writes_a_file_and_the_others_cannot(sqlite: Backend):
    sqlite.run(SCRIPT)
    database = Database(parse_url(sqlite.url), connections=4)
    pool: Any = database._writer.pool

    assert pool.size() == 1
    with pytest.raises(Unavailable), database.read() as transaction:  # SQLITE_READONLY
        insert(transaction, 1)
    database.close()
    assert parents(sqlite) == []


@pytest.mark.parametrize("is_locked", [False, True])
def test_reflection_leaves_the_wait_for_locks_as_it_was(sqlite: Backend, *, is_locked: bool):
    """Batches wait for a moment at a time, so that they can be called off; reflection waits for all of its time at once."""
    database = Database(parse_url(sqlite.url), connections=1, timeout=0.3)
    waits: list[Any] = []
    with closing(database):
        for _ in range(2):
            with database.write() as transaction:
                waits += transaction.execute(Control("PRAGMA busy_timeout")).rows
            if is_locked:
                with locked(sqlite), pytest.raises(sa.exc.OperationalError), database.connection():
                    pass
            else:
                with database.connection() as connection:
                    assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 300
    ((before,), (after,)) = waits
    assert before == after < 300


def test_a_read_sees_one_state_while_others_write(database: Database):
    with database.read() as reading:
        before = reading.execute(Control("SELECT count(*) FROM parent")).rows
        with database.write() as writing:
            insert(writing, 1)
            writing.commit()
        assert reading.execute(Control("SELECT count(*) FROM parent")).rows == before

    with database.read() as reading:
        assert reading.execute(Control("SELECT count(*) FROM parent")).rows == [(1,)]
