"""A batch under faults: whichever statement fails, nothing of the batch is written and no connection stays out."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from partwise.service import Service
from partwise.settings import Settings
from storage.batch.execution.run import MAX_TRIES
from storage.connections.database import Database
from storage.connections.driver_errors import Retry
from storage.connections.transaction import Transaction
from storage.errors import Unavailable
from tests.support.harness import BATCH, Api, Backend, Json, part
from tests.support.music import AFTER_POSTGRESQL, SCRIPT
from tests.support.transactions import Faults, checked_out

PARTS = [
    part("artist", "CREATE", "/artists", {"name": "Neu"}),
    part("album", "CREATE", "/artists/$artist/albums", {"title": "Vierte"}),
    part("update", "UPDATE", "/albums/1", {"title": "Neu"}),
    part("upsert", "UPSERT", "/playlists", {"name": "Morning"}),
    part("delete", "DELETE", "/playlistTracks/1,2"),
]
# What a statement raises, by the code of the request error that it becomes.
ERRORS = {"UNAVAILABLE": Unavailable("The connection to the database was lost."), "INTERNAL": RuntimeError("a bug")}
MOST_STATEMENTS = 200  # of one batch of five parts, by far


@pytest.fixture
def injected(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    yield Faults(monkeypatch)
    monkeypatch.undo()


def send(api: Api) -> Json:
    return api.post(BATCH, {"parts": PARTS})


def code(answer: Json) -> str:
    (error,) = answer["errors"]
    assert answer["data"] == {"batch": None}
    return str(error["extensions"]["code"])


def is_clean(backend: Backend, database: Database) -> bool:
    """Return True if no connection is out of its pool, and none is left inside a transaction."""
    if checked_out(database):
        return False
    if backend.kind == "sqlite":
        backend.run("BEGIN IMMEDIATE;\nROLLBACK")  # it is refused where somebody still writes
        return True
    open_ones = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND starts_with(state, 'idle in')"
    )
    return backend.rows(open_ones) == [(0,)]


@pytest.mark.parametrize("after", [False, True], ids=["instead of running", "having run"])
@pytest.mark.parametrize("expected", ERRORS)
def test_whichever_statement_fails_nothing_is_written(
    music: Api, backend: Backend, injected: Faults, expected: str, after: bool
):
    error = ERRORS[expected]
    before = backend.dump()
    injected.after = after

    # A connection that is lost while it waits in the pool is noticed at BEGIN, and replaced.
    first = 2 if backend.kind == "postgresql" and expected == "UNAVAILABLE" else 1
    for number in range(first, MOST_STATEMENTS):
        injected.at(number, error)
        answer = send(music)
        if injected.count < number:  # there is no such statement any more: the run was clean
            break
        assert code(answer) == expected, f"statement {number}"
        assert backend.dump() == before, f"statement {number}"
        assert is_clean(backend, music.service.engine.database), f"statement {number}"

    assert number > len(PARTS)
    assert answer["data"]["batch"]["status"] == "COMMITTED"
    assert len(answer["data"]["batch"]["parts"]) == len(PARTS)
    assert backend.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" > 3') == [("Neu",)]


def test_a_statement_that_lost_its_connection_leaves_nothing_behind(
    postgresql: Backend, start: Callable[..., Api], injected: Faults
):
    api = _serve_music(postgresql, start)
    before = postgresql.dump()
    for number in (2, 5, 8):
        _cut_at(number, postgresql, injected)
        assert code(send(api)) == "UNAVAILABLE"
        assert postgresql.dump() == before

    injected.end()
    assert send(api)["data"]["batch"]["status"] == "COMMITTED"


def test_connections_that_were_cut_while_they_waited_are_replaced(
    postgresql: Backend, start: Callable[..., Api], injected: Faults
):
    api = _serve_music(postgresql, start)
    assert api.batch(part("a", "CREATE", "/artists", {"name": "Neu"}))["committed"]

    _cut_at(1, postgresql, injected)

    assert api.batch(part("a", "CREATE", "/artists", {"name": "Alt"}))["committed"]
    assert postgresql.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" > 3 ORDER BY 1') == [("Alt",), ("Neu",)]


def _cut_at(number: int, backend: Backend, injected: Faults) -> None:
    """Cut every connection right before a statement, counted from 1."""
    injected.count = 0
    injected.fails = lambda count: _cut(backend) if count == number else None


def _cut(backend: Backend) -> None:
    """Cut every connection of the server, and let its statement go on to find that out."""
    backend.rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


def _serve_music(backend: Backend, start: Callable[..., Api]) -> Api:
    backend.run(SCRIPT)
    backend.run(AFTER_POSTGRESQL)
    return start(backend)


def test_a_connection_lost_during_commit_is_outcome_unknown_and_not_tried_again(
    postgresql: Backend, start: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
):
    api = _serve_music(postgresql, start)
    before = postgresql.dump()
    commit = Transaction.commit
    commits = []

    def cut_commit(transaction: Transaction) -> None:
        commits.append(transaction)
        _cut(postgresql)
        commit(transaction)

    monkeypatch.setattr(Transaction, "commit", cut_commit)
    answer = send(api)
    monkeypatch.undo()

    assert code(answer) == "OUTCOME_UNKNOWN"
    assert len(commits) == 1
    assert postgresql.dump() == before  # it was cut before COMMIT got there, which the server cannot know
    assert send(api)["data"]["batch"]["status"] == "COMMITTED"


@pytest.fixture
def patient(music: Api, backend: Backend) -> tuple[Api, list[float]]:
    """The music shop, served by an engine that notes its pauses instead of making them."""
    pauses: list[float] = []
    service = music.service
    noted = Service(engine=replace(service.engine, sleep=pauses.append), schema=service.schema)
    return Api(noted, Settings(database_url=backend.url)), pauses


def test_a_batch_that_others_are_in_the_way_of_is_tried_five_times(
    patient: tuple[Api, list[float]], backend: Backend, injected: Faults
):
    api, pauses = patient
    before = backend.dump()
    injected.fails = lambda count: Retry() if count % 7 == 0 else None

    answer = send(api)

    assert code(answer) == "SERIALIZATION_CONFLICT"
    assert injected.begun == MAX_TRIES == 5
    assert len(pauses) == 4
    assert backend.dump() == before
    assert is_clean(backend, api.service.engine.database)


@pytest.mark.parametrize("failures", [1, 2, 3, 4])
def test_a_batch_that_gets_through_in_the_end_is_written_once(
    patient: tuple[Api, list[float]], backend: Backend, monkeypatch: pytest.MonkeyPatch, failures: int
):
    api, pauses = patient
    commit, tries = Transaction.commit, []

    def failing_commit(transaction: Transaction) -> None:
        tries.append(transaction)
        if len(tries) <= failures:
            raise Retry
        commit(transaction)

    monkeypatch.setattr(Transaction, "commit", failing_commit)
    answer = send(api)
    monkeypatch.undo()

    assert answer["data"]["batch"]["status"] == "COMMITTED"
    assert len(pauses) == failures
    assert backend.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" > 3') == [("Neu",)]
    assert backend.rows('SELECT "Title" FROM "Album" WHERE "AlbumId" > 3') == [("Vierte",)]
