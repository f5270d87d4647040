"""Batches that wait for SQLite's one writer are committed together, and each still stands alone."""

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from partwise.workers import writer
from storage.batch.execution.run import Engine, Job, Settle, run_together
from storage.connections.transaction import Transaction
from storage.errors import Unavailable
from tests.support.harness import BATCH, Api, Backend, part
from tests.support.writer_groups import Groups, make, send_at_once, statuses

PATIENCE = 5.0  # seconds


def test_batches_that_wait_go_together_and_each_stands_alone(things: Api, sqlite: Backend, groups: Groups):
    groups.awaited = 7
    answers = send_at_once(
        things,
        make("a"),
        make("b"),
        make("old"),  # refused
        make("c"),
        [part("p", "DELETE", "/things/1")],  # a dry run
        make("b"),  # refused, because of the second
        [*make("d"), part("q", "UPDATE", "/things/1", {"name": "new"})],
        dry=frozenset({4}),
    )

    assert statuses(answers) == ["COMMITTED", "COMMITTED", "REJECTED", "COMMITTED", "VALID", "REJECTED", "COMMITTED"]
    assert groups.sizes == [7]
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing")} == {"new", "a", "b", "c", "d"}


@pytest.mark.parametrize("known", [False, True], ids=["no table", "a table"])
def test_batches_with_one_key_that_go_together_are_run_once(
    things: Api, sqlite: Backend, groups: Groups, *, known: bool
):
    if known:
        send_at_once(things, make("first"), keys=["first"])
    groups.awaited = 6
    answers = send_at_once(
        things,
        make("old"),  # refused: the key stays free
        make("a"),
        make("b"),
        make("a"),
        make("a"),
        make("b"),
        keys=["k", "k", "l", "k", "k", "k"],
    )

    assert statuses(answers) == ["REJECTED", *["COMMITTED"] * 4, "IDEMPOTENCY_KEY_REUSED"]
    results = [answer["data"]["batch"] for answer in answers[1:5]]
    assert results[0] == results[2] == results[3] != results[1]
    assert groups.sizes[-1] == 6
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing")} == {
        "old",
        "a",
        "b",
        *(["first"] if known else []),
    }
    receipts = [key for (key,) in sqlite.rows("SELECT idempotency_key FROM partwise_receipt ORDER BY 1")]
    assert receipts == [*(["first"] if known else []), "k", "l"]


@pytest.mark.parametrize("fatal", [2, 4])
def test_a_batch_that_ends_the_shared_transaction_takes_no_other_with_it(
    things: Api, sqlite: Backend, groups: Groups, fatal: int
):
    groups.awaited = 6
    batches = [make(name) for name in "abcdef"]
    batches[fatal] = [part("p", "CREATE", "/notes/13", {"thingId": 1})]

    answers = send_at_once(things, *batches)

    assert statuses(answers) == ["REJECTED" if n == fatal else "COMMITTED" for n in range(6)]
    assert answers[fatal]["data"]["batch"]["parts"][0]["errors"][0]["code"] == "REFUSED_BY_DATABASE"
    names = {name for (name,) in sqlite.rows("SELECT name FROM thing")}
    assert names == {"old", *(name for n, name in enumerate("abcdef") if n != fatal)}


def test_a_commit_that_fails_for_all_is_tried_for_each_alone(
    things: Api,
    sqlite: Backend,
    groups: Groups,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    commit, count = Transaction.commit, 0

    def failing(transaction: Transaction) -> None:
        nonlocal count
        count += 1
        if count in {1, 3}:  # that of the group, and then that of its second batch
            raise Unavailable("The database cannot be written now. Nothing was written.")
        commit(transaction)

    monkeypatch.setattr(Transaction, "commit", failing)
    groups.awaited = 4
    with caplog.at_level(logging.DEBUG, "partwise"):
        answers = send_at_once(things, *(make(name) for name in "abcd"))

    assert groups.sizes == [4]
    assert statuses(answers) == ["COMMITTED", "UNAVAILABLE", "COMMITTED", "COMMITTED"]
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing")} == {"old", "a", "c", "d"}
    assert "each alone" in caplog.text


def test_a_bug_in_one_batch_is_that_batchs_own(
    things: Api,
    sqlite: Backend,
    groups: Groups,
    monkeypatch: pytest.MonkeyPatch,
):
    groups.awaited = 4
    execute = Transaction.execute

    def failing(transaction: Transaction, statement: Any) -> object:
        if statement.params and "bug" in statement.params:
            raise RuntimeError("a bug")
        return execute(transaction, statement)

    monkeypatch.setattr(Transaction, "execute", failing)
    answers = send_at_once(things, make("a"), make("b"), make("bug"), make("c"))

    assert statuses(answers) == ["COMMITTED", "COMMITTED", "INTERNAL", "COMMITTED"]
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing")} == {"old", "a", "b", "c"}


def test_small_batches_do_not_wait_for_many_large_ones(things: Api, groups: Groups):
    groups.awaited = 5
    large = [[part(f"p{n}", "CREATE", "/things", {"name": f"{batch}-{n}"}) for n in range(600)] for batch in range(3)]

    answers = send_at_once(things, make("a"), *large, make("b"))

    assert statuses(answers) == ["COMMITTED"] * 5
    assert sum(groups.sizes) == 5
    assert max(groups.sizes) <= 2  # never two large ones


def test_the_thread_that_writes_ends_without_work_and_begins_again(
    things: Api, sqlite: Backend, groups: Groups, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "_IDLE", 0.01)
    others = set(threading.enumerate())

    for name in "abc":
        assert statuses([things.post(BATCH, {"parts": make(name)})]) == ["COMMITTED"]
        while any(thread.name == "partwise-writer" for thread in {*threading.enumerate()} - others):
            time.sleep(0.01)

    assert {name for (name,) in sqlite.rows("SELECT name FROM thing")} == {"old", "a", "b", "c"}
    assert groups.sizes == [1, 1, 1], "no group of none is run when the thread ends"


def test_a_batch_for_which_there_is_no_thread_is_not_written_later(
    things: Api, sqlite: Backend, monkeypatch: pytest.MonkeyPatch
):
    begin = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if thread.name == "partwise-writer":
            raise RuntimeError("can't start new thread")
        begin(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        assert statuses([things.post(BATCH, {"parts": make("lost")})]) == ["INTERNAL"]

    assert statuses([things.post(BATCH, {"parts": make("kept")})]) == ["COMMITTED"]
    assert {name for (name,) in sqlite.rows("SELECT name FROM thing")} == {"old", "kept"}


def test_nothing_of_a_batch_is_held_once_it_has_been_answered(things: Api, monkeypatch: pytest.MonkeyPatch):
    """What is held until the next batch comes is freed at its expense: 2 ms after one of 10,000 parts."""
    kept: list[weakref.ref[Callable[..., object]]] = []

    def remember(engine: Engine, jobs: Sequence[Job[object]], settle: Settle) -> None:
        kept.extend(weakref.ref(job.read) for job in jobs)
        run_together(engine, jobs, settle)

    monkeypatch.setattr(writer, "run_together", remember)
    (answer,) = send_at_once(things, make("new"))
    assert statuses([answer]) == ["COMMITTED"]
    deadline = time.monotonic() + PATIENCE
    while [each() for each in kept] != [None] and time.monotonic() < deadline:
        time.sleep(0.01)
        gc.collect()

    assert [each() for each in kept] == [None]
