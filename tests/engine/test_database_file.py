"""An SQLite file that is removed or replaced under the server: nothing is acknowledged that nobody will see again."""

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.connections import database_file
from storage.connections.control import Control
from storage.connections.database import Database, parse_url
from storage.connections.database_file import DatabaseFile
from storage.connections.transaction import Transaction
from storage.errors import Unavailable
from tests.conftest import Serve
from tests.support.harness import BATCH, Api, Backend, Json, part
from tests.support.keyed import KEYED
from tests.support.writer_groups import Groups, make, send_at_once, statuses

SCRIPT = (
    "CREATE TABLE thing (id {key}, name VARCHAR(20) NOT NULL UNIQUE);\nINSERT INTO thing (id, name) VALUES (1, 'old')"
)
STAT = os.stat
LIST = "{ things { nodes { id name } totalCount } }"


def file_of(backend: Backend) -> Path:
    return Path(sa.make_url(backend.url).database or "")


def beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def look_alike(file: Path) -> Path:
    """Copy the file with all that is in its -wal."""
    copy = file.with_name("copy.sqlite")
    with sqlite3.connect(copy) as target, sqlite3.connect(file) as source:
        source.backup(target)
    target.close()
    source.close()
    return copy


def replace_folder(file: Path) -> None:
    file.parent.rename(f"{file.parent}-away")


def remove_and_make_again(file: Path) -> None:
    copy = look_alike(file)
    file.unlink()
    copy.rename(file)


def replace_wal(file: Path) -> None:
    copy = shutil.copy(beside(file, "-wal"), file.with_name("copy-wal"))
    Path(copy).replace(beside(file, "-wal"))


def make_empty(file: Path) -> None:
    file.unlink()
    file.touch()


def make_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def remove(*suffixes: str) -> Callable[[Path], None]:
    def run(file: Path) -> None:
        for suffix in suffixes:
            beside(file, suffix).unlink()

    return run


LOSSES: dict[str, Callable[[Path], Any]] = {
    "it is removed": remove(""),
    "it is renamed": lambda file: file.rename(file.with_name("away.sqlite")),
    "its folder is renamed": replace_folder,
    "another file is renamed over it": lambda file: look_alike(file).replace(file),
    "it is removed, and a copy takes its name": remove_and_make_again,
    "an empty file takes its name": make_empty,
    "a folder takes its name": make_a_folder,
    "its -wal is removed": remove("-wal"),
    "its -wal is replaced": replace_wal,
    "its -shm is removed": remove("-shm"),
    "all three are removed": remove("", "-wal", "-shm"),
}


def refusals(answer: Json) -> list[str]:
    assert "parts" not in answer
    assert not (answer.get("data") or {}).get("batch")
    return [each["extensions"]["code"] for each in answer["errors"]]


def every_way(api: Api) -> dict[str, Json]:
    """Ask in every way there is."""
    change, create = part("p", "UPDATE", "/things/1", {"name": "new"}), part("p", "CREATE", "/things", {"name": "more"})
    many = [part(f"p{n}", "CREATE", "/things", {"name": f"n{n}"}) for n in range(1_000)]
    parts: dict[str, Sequence[Json]] = {
        "update": [change],
        "create": [create],
        "upsert": [part("p", "UPSERT", "/things/1", {"name": "new"})],
        "replace": [part("p", "REPLACE", "/things/1", {"name": "new"})],
        "delete": [part("p", "DELETE", "/things/1")],
        "get": [part("p", "GET", "/things/1")],
        "get of a collection": [part("p", "GET", "/things")],
        "a refused part": [part("p", "CREATE", "/things", {"name": "old"})],
        "bulk of 1,000": many,
    }
    answers = {name: api.post(BATCH, {"parts": [*each]}) for name, each in parts.items()}
    answers["dry run"] = api.post(BATCH, {"parts": [change], "dryRun": True})
    answers["replay"] = send_keyed(api)
    answers["batch door"] = api.http.post("/batch", json={"parts": [{**change, "operation": "update"}]}).json()
    answers["query"] = api.post(LIST)
    answers["item"] = api.post("{ thing(id: 1) { name etag } }")
    answers["node"] = api.post('{ node(path: "/things/1") { etag } }')
    answers["aggregate"] = api.post("{ things { aggregate { count } groupBy(by: [name]) { aggregate { count } } } }")
    return answers


def send_keyed(api: Api) -> Json:
    body = {"query": BATCH, "variables": {"parts": [part("p", "CREATE", "/things", {"name": "keyed"})]}}
    return api.http.post("/graphql", json=body, headers={"Idempotency-Key": "first"}).json()


@pytest.mark.parametrize("loss", LOSSES)
def test_after_a_loss_every_request_is_refused_and_the_log_has_one_line(
    sqlite: Backend, start: Serve, caplog: pytest.LogCaptureFixture, loss: str
):
    sqlite.run(SCRIPT)
    api, file = start(sqlite), file_of(sqlite)
    assert send_keyed(api)["data"]["batch"]["status"] == "COMMITTED"
    assert all(api.post(query)["data"] for query in (LIST,) * 3)  # short reads run on the event loop by now

    LOSSES[loss](file)
    names = {each.name: each.stat().st_ino for each in file.parent.iterdir()} if file.parent.exists() else {}
    with caplog.at_level(logging.INFO, logger="partwise"):
        answers = every_way(api)
        ready = api.http.get("/readyz")

    assert {name: refusals(answer) for name, answer in answers.items()} == {name: ["UNAVAILABLE"] for name in answers}
    lost = [each.getMessage() for each in caplog.records if "database_file_" in each.getMessage()]
    assert len(lost) == 1
    assert lost[0].startswith("database_file_lost: ")
    assert ready.status_code == 503
    assert "restart the server" in ready.json()["errors"][0]["message"]
    assert str(file) not in ready.text
    if names:  # nothing was made, and nothing was deleted
        assert {each.name: each.stat().st_ino for each in file.parent.iterdir()} == names


def test_a_reader_thread_refuses_too(sqlite: Backend, start: Serve):
    """The first read of a document runs in a thread, on a connection of its own that may have to be opened yet."""
    sqlite.run(SCRIPT)
    api, file = start(sqlite), file_of(sqlite)
    file.rename(file.with_name("away.sqlite"))

    assert refusals(api.post(LIST)) == ["UNAVAILABLE"]
    assert not file.exists()


@pytest.mark.parametrize("away", [[""], ["", "-wal", "-shm"], ["-wal"], ["-wal", "-shm"]])
def test_a_file_that_comes_back_is_served_again(
    sqlite: Backend, start: Serve, caplog: pytest.LogCaptureFixture, away: Sequence[str]
):
    sqlite.run(SCRIPT)
    api, file = start(sqlite), file_of(sqlite)
    api.one("CREATE", "/things", {"name": "before"})
    for suffix in away:
        beside(file, suffix).rename(file.with_name("away" + suffix))
    assert refusals(api.post(LIST)) == ["UNAVAILABLE"]

    with caplog.at_level(logging.INFO, logger="partwise"):
        for suffix in away:
            file.with_name("away" + suffix).rename(beside(file, suffix))
        assert api.http.get("/readyz").status_code == 200
        assert api.one("CREATE", "/things", {"name": "after"})["status"] == 201
        assert api.query(LIST)["things"]["totalCount"] == 3

    logged = [each.getMessage().partition(":")[0] for each in caplog.records]
    assert [each for each in logged if each.startswith("database_file")] == ["database_file_lost", "database_file_back"]
    assert sqlite.rows("SELECT name FROM thing ORDER BY id") == [("old",), ("before",), ("after",)]


def copy_over(file: Path) -> None:
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    other.close()
    shutil.copyfile(look_alike(file), file)  # the same inode


def run_elsewhere(*statements: str) -> Callable[[Path], None]:
    def run(file: Path) -> None:
        other = sqlite3.connect(file, isolation_level=None)
        for each in statements:
            other.execute(each).fetchall()
        other.close()

    return run


def touch_up(file: Path) -> None:
    os.utime(file, (1, 1))
    file.chmod(0o600)


ALLOWED: dict[str, Callable[[Path], Any]] = {
    "another program reads it, and is the last to close it": run_elsewhere("SELECT * FROM thing"),
    "another program writes it": run_elsewhere("UPDATE thing SET name = 'theirs'"),
    "its -wal is emptied": run_elsewhere("PRAGMA wal_checkpoint(TRUNCATE)"),
    "it is vacuumed": run_elsewhere("VACUUM"),
    "it is overwritten in place": copy_over,
    "its times and rights change": touch_up,
    "a second name is made for it": lambda file: os.link(file, file.with_name("second.sqlite")),
}


@pytest.mark.parametrize("change", ALLOWED)
def test_what_leaves_the_file_where_it_is_changes_nothing(sqlite: Backend, start: Serve, change: str):
    sqlite.run(SCRIPT)
    api, file = start(sqlite), file_of(sqlite)
    api.query(LIST)

    ALLOWED[change](file)

    assert api.http.get("/readyz").status_code == 200
    assert api.one("UPDATE", "/things/1", {"name": "ours"})["status"] == 200
    assert api.query(LIST)["things"]["nodes"] == [{"id": 1, "name": "ours"}]
    assert sqlite.rows("SELECT name FROM thing") == [("ours",)]


def test_connections_that_are_all_given_up_leave_the_file_served(sqlite: Backend, start: Serve):
    """The last connection that closes deletes the -wal; ours never is the last while the server runs."""
    sqlite.run(SCRIPT)
    api = start(sqlite)
    database = api.service.engine.database
    api.query(LIST)
    for engine in (database._writer, database._reader):
        engine.dispose()

    assert api.one("UPDATE", "/things/1", {"name": "ours"})["status"] == 200
    assert api.query(LIST)["things"]["totalCount"] == 1


def test_a_symbolic_link_that_leads_elsewhere_now_is_a_replaced_file(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    file = file_of(sqlite)
    link, other = file.with_name("link.sqlite"), look_alike(file)
    link.symlink_to(file)
    api = start(Backend("sqlite", f"sqlite:///{link}"))
    assert api.one("UPDATE", "/things/1", {"name": "ours"})["status"] == 200
    assert beside(file, "-wal").exists()

    link.unlink()
    link.symlink_to(other)
    assert refusals(api.post(LIST)) == ["UNAVAILABLE"]
    link.unlink()
    link.symlink_to(file)
    assert api.query(LIST)["things"]["nodes"] == [{"id": 1, "name": "ours"}]
    beside(file, "-wal").rename(file.with_name("away-wal"))  # it is beside the file, and not beside the link
    assert refusals(api.post(LIST)) == ["UNAVAILABLE"]


# --- meanwhile


@pytest.fixture
def at_commit(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """What is done once, just before the next COMMIT."""
    todo: list[Callable[[], Any]] = []
    commit = Transaction.commit

    def commit_after_that(transaction: Transaction) -> None:
        while todo:
            todo.pop()()
        commit(transaction)

    monkeypatch.setattr(Transaction, "commit", commit_after_that)
    return todo


OPERATIONS: dict[str, list[Json]] = {
    "create": [part("p", "CREATE", "/things", {"name": "new"})],
    "update": [part("p", "UPDATE", "/things/1", {"name": "new"})],
    "delete": [part("p", "DELETE", "/things/1")],
    "bulk of 1,000": [part(f"p{n}", "CREATE", "/things", {"name": f"n{n}"}) for n in range(1_000)],
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "loss", ["it is removed", "another file is renamed over it", "its -wal is removed", "its -shm is removed"]
)
def test_a_loss_during_a_batch_leaves_its_outcome_unknown(
    sqlite: Backend, start: Serve, at_commit: list[Callable[[], Any]], loss: str, operation: str
):
    sqlite.run(SCRIPT)
    api, file = start(sqlite), file_of(sqlite)

    at_commit.append(lambda: LOSSES[loss](file))
    answer = api.post(BATCH, {"parts": OPERATIONS[operation]})

    assert refusals(answer) == ["OUTCOME_UNKNOWN"]
    assert "may be lost" in answer["errors"][0]["message"]
    assert refusals(api.post(BATCH, {"parts": OPERATIONS[operation]})) == ["UNAVAILABLE"]


@pytest.fixture
def settled(sqlite: Backend, start: Serve, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A server whose folder has not changed for so long that it is looked at instead of its files."""
    monkeypatch.setattr(database_file, "_SETTLED", 0)  # nanoseconds; no test waits for three seconds
    monkeypatch.setattr(database_file, "_TRUSTED", 60)
    sqlite.run(SCRIPT)
    api = start(sqlite)
    api.query(LIST)
    time.sleep(0.05)  # beyond the steps in which the file system counts
    looked_at: list[str] = []

    def noted(path: str) -> os.stat_result:
        looked_at.append(path)
        return STAT(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", noted)
        api.one("UPDATE", "/things/1", {"name": "older"})
    assert looked_at == [str(file_of(sqlite).parent)] * 2
    return api


@pytest.mark.parametrize("loss", LOSSES)
def test_a_folder_tells_that_one_of_its_files_was_lost(settled: Api, sqlite: Backend, loss: str):
    LOSSES[loss](file_of(sqlite))

    assert refusals(settled.post(LIST)) == ["UNAVAILABLE"]
    assert refusals(settled.post(BATCH, {"parts": OPERATIONS["create"]})) == ["UNAVAILABLE"]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_folder_tells_that_one_of_its_files_was_lost_during_a_batch(
    settled: Api, sqlite: Backend, at_commit: list[Callable[[], Any]], loss: str
):
    at_commit.append(lambda: LOSSES[loss](file_of(sqlite)))

    assert refusals(settled.post(BATCH, {"parts": OPERATIONS["create"]})) == ["OUTCOME_UNKNOWN"]


@pytest.mark.parametrize("change", ALLOWED)
def test_a_folder_in_which_other_things_change_says_nothing_of_its_files(settled: Api, sqlite: Backend, change: str):
    ALLOWED[change](file_of(sqlite))
    file_of(sqlite).with_name("new.txt").touch()

    assert settled.one("UPDATE", "/things/1", {"name": "ours"})["status"] == 200
    assert sqlite.rows("SELECT name FROM thing") == [("ours",)]


def test_the_files_are_looked_at_now_and_then_whatever_their_folder_says(
    settled: Api, sqlite: Backend, monkeypatch: pytest.MonkeyPatch
):
    """A file that is mounted over another one changes no folder."""
    before = database_file._folder_at(str(file_of(sqlite).parent))
    monkeypatch.setattr(database_file, "_folder_at", lambda _folder: before)
    LOSSES["another file is renamed over it"](file_of(sqlite))
    assert settled.post(LIST)["data"]

    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert refusals(settled.post(LIST)) == ["UNAVAILABLE"]


def test_after_an_unknown_outcome_the_key_tells_once_the_file_is_back(
    sqlite: Backend, start: Serve, at_commit: list[Callable[[], Any]]
):
    sqlite.run(SCRIPT)
    api, file = start(sqlite), file_of(sqlite)
    away = file.with_name("away.sqlite")
    assert send_keyed(api)["data"]["batch"]["status"] == "COMMITTED"  # which makes the table of keys
    body = {"query": KEYED, "variables": {"parts": OPERATIONS["create"], "key": "k"}}

    at_commit.append(lambda: file.rename(away))
    unknown = api.http.post("/graphql", json=body).json()
    away.rename(file)
    replayed = api.http.post("/graphql", json=body).json()["data"]["batch"]

    assert refusals(unknown) == ["OUTCOME_UNKNOWN"]
    assert (replayed["status"], replayed["replayed"]) == ("COMMITTED", True)
    assert sqlite.rows("SELECT name FROM thing ORDER BY id") == [("old",), ("keyed",), ("new",)]


def test_a_loss_during_a_batch_of_the_other_door_is_a_500(
    sqlite: Backend, start: Serve, at_commit: list[Callable[[], Any]]
):
    sqlite.run(SCRIPT)
    api, file = start(sqlite), file_of(sqlite)

    at_commit.append(file.unlink)
    answer = api.http.post("/batch", json={"parts": [{**OPERATIONS["create"][0], "operation": "create"}]})

    assert answer.status_code == 500
    assert refusals(answer.json()) == ["OUTCOME_UNKNOWN"]


def test_batches_that_go_together_are_unknown_together_and_none_runs_twice(
    things: Api,  # the fixture
    sqlite: Backend,
    groups: Groups,  # the fixture
    at_commit: list[Callable[[], Any]],
):
    file = file_of(sqlite)
    away = file.with_name("away.sqlite")
    groups.awaited = 4
    at_commit.append(lambda: file.rename(away))

    answers = send_at_once(things, make("a"), make("old"), make("b"), make("c"), dry=frozenset({3}))
    away.rename(file)

    assert groups.sizes == [4]
    assert statuses(answers) == ["OUTCOME_UNKNOWN", "REJECTED", "OUTCOME_UNKNOWN", "VALID"]
    assert sqlite.rows("SELECT name FROM thing ORDER BY id") == [("old",), ("a",), ("b",)]


# --- opening


def test_a_connection_is_never_opened_to_a_file_that_is_not_there(sqlite: Backend):
    """It would make an empty one, and SQLite deletes the -wal beside an empty file."""
    sqlite.run(SCRIPT)
    database, file = Database(parse_url(sqlite.url)), file_of(sqlite)
    database.check()
    with database.write() as transaction:
        transaction.execute(Control("UPDATE thing SET name = 'kept'"))
        transaction.commit()
    away = file.with_name("away.sqlite")
    file.rename(away)

    with pytest.raises(sqlite3.OperationalError):
        database._reader.raw_connection()

    assert not file.exists()
    assert beside(file, "-wal").stat().st_size
    away.rename(file)
    database.close()
    assert sqlite.rows("SELECT name FROM thing") == [("kept",)]


def test_names_that_a_uri_would_read_otherwise_are_served(tmp_path: Path, start: Serve):
    file = tmp_path / "50% off?#&=ü.sqlite"
    other = Backend("sqlite", sa.URL.create("sqlite", database=str(file)).render_as_string())
    file.touch()
    other.run(SCRIPT)
    api = start(other)

    assert api.one("UPDATE", "/things/1", {"name": "ours"})["status"] == 200
    assert other.rows("SELECT name FROM thing") == [("ours",)]


def test_a_file_in_rollback_mode_has_no_wal_that_could_be_missed(tmp_path: Path):
    file = tmp_path / "plain.sqlite"
    file.touch()
    opened = DatabaseFile(str(file))
    opened.remember(str(file))
    opened.require()
    beside(file, "-wal").touch()  # somebody has switched it to WAL
    opened.require()
    file.unlink()
    with pytest.raises(Unavailable):
        opened.require()
