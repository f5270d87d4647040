"""The program as people start it: `partwise serve`, `schema`, `check`, in processes of their own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import BATCH, Backend, part
from tests.music import SCRIPT
from tests.program import environment, free_port, serving


@pytest.fixture
def port() -> int:
    """A port that is free."""
    return free_port()


def run(*arguments: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `partwise` in a folder until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "partwise", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**environment(), **variables},
    )


def test_without_a_database_it_serves_the_example_shop(tmp_path: Path, port: int):
    with serving([], tmp_path, port=port) as program:
        answer = program.post("{ customers(first: 1) { totalCount nodes { name orders { totalCount } } } }")

        assert answer["data"]["customers"]["totalCount"] > 100
        assert f"http://127.0.0.1:{port}/graphql" in program.said
        assert "mutation {" in program.said
        assert "curl -s" in program.said
        assert "It is open" in program.said
        assert program.get("/livez") == "ok"
        assert program.get("/readyz") == "ok"
        assert program.stop() in {0, -signal.SIGTERM}  # uvicorn hands the signal on when it is done


def test_what_it_acknowledged_is_there_after_a_restart(sqlite: Backend, tmp_path: Path, port: int):
    sqlite.run(SCRIPT)
    create = {"parts": [part("a", "CREATE", "/artists", {"name": "Neu"})]}

    with serving([sqlite.url], tmp_path, port=port) as program:
        assert program.post(BATCH, create)["data"]["batch"]["status"] == "COMMITTED"
        program.process.kill()
        program.process.wait()
    with serving([sqlite.url], tmp_path, port=port) as program:
        assert program.post("{ artist(artistId: 4) { name } }") == {"data": {"artist": {"name": "Neu"}}}


def test_several_workers_serve_postgresql(postgresql: Backend, tmp_path: Path, port: int):
    postgresql.run(SCRIPT)

    with serving([postgresql.url, "--workers", "2"], tmp_path, port=port) as program:
        answers = [program.post("{ artist(artistId: 1) { name } }") for _ in range(8)]

    assert answers == [{"data": {"artist": {"name": "Nordlicht"}}}] * 8


WRONG_STARTS = {
    "no such file": (["nothing.sqlite"], {}, "There is no file"),
    "no database of ours": (["mysql://localhost/x"], {}, "it takes sqlite and postgresql"),
    "no URL": (["postgresql://:x"], {}, "cannot be read"),
    "in memory": (["sqlite://"], {}, "must be a file"),
    "another address": (["test.sqlite", "--host", "192.0.2.1"], {}, "--open"),
    "workers on SQLite": (["test.sqlite", "--workers", "2"], {}, "one process"),
    "a variable that is no number": (["test.sqlite"], {"PARTWISE_PORT": "many"}, "port"),
    "a log level": (["test.sqlite", "--log-level", "loud"], {}, "log_level"),
    "no such models": (["--models", "nowhere.models"], {}, "There is no module nowhere.models"),
    "models of our name": (["--models", "schema.models"], {}, "package of Partwise itself"),
    "an empty database": (["empty.sqlite"], {}, "no table that can be served"),
    "a file that is no database": (["text.sqlite"], {}, "is no SQLite database"),
    "tables without models": (["test.sqlite", "--create-tables"], {}, "--models"),
}


@pytest.mark.parametrize(("arguments", "variables", "sentence"), WRONG_STARTS.values(), ids=WRONG_STARTS.keys())
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    sqlite: Backend, tmp_path: Path, arguments: list[str], variables: dict[str, str], sentence: str
):
    sqlite.run(SCRIPT)
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "text.sqlite").write_text("This is no database, but a text of some length.")

    done = run("serve", *arguments, folder=tmp_path, **variables)

    assert done.returncode == 2
    assert done.stderr.startswith("partwise: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_does_not_exist_stops_the_start(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)
    (tmp_path / "partwise.toml").write_text('colour = "red"\n')

    done = run("check", sqlite.url, folder=tmp_path)

    assert (done.returncode, done.stderr) == (2, "partwise: There is no setting colour.\n")


def test_check_says_what_it_sees(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT + 'CREATE VIEW "Long" AS SELECT * FROM "Track" WHERE "Milliseconds" > 200000;\n')

    said = run("check", sqlite.url, folder=tmp_path).stdout

    assert "PlaylistTrack  /playlistTracks" in said
    assert "playlistId, trackId" in said
    assert "'Long' is a view, so it can only be read" in said


def test_schema_prints_the_schema(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)

    said = run("schema", sqlite.url, folder=tmp_path).stdout

    assert "type Album implements Node {" in said
    assert "batch(" in said


def test_a_password_is_never_shown(tmp_path: Path):
    done = run("serve", "postgresql://ada:canary-7@127.0.0.1:1/shop", folder=tmp_path)

    assert done.returncode == 2
    assert "canary-7" not in done.stdout + done.stderr
