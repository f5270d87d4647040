"""The program as people start it: `partwise serve`, `schema`, `check`, in processes of their own."""

import json
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from partwise.settings import SettingsError, load_settings
from tests.support.harness import BATCH, Backend, part
from tests.support.music import SCRIPT
from tests.support.program import environment, free_port, run, run_here, serving


def test_without_a_database_it_serves_the_example_shop(tmp_path: Path, port: int):
    with serving([], tmp_path, port=port) as program:
        answer = program.post("{ customers(first: 1) { totalCount nodes { name orders { totalCount } } } }")

        assert answer["data"]["customers"]["totalCount"] > 100
        assert f"http://127.0.0.1:{port}/graphql" in program.said
        assert "mutation {" in program.said
        assert "curl -s" in program.said
        assert f"http://127.0.0.1:{port}/batch" in program.said
        assert f"http://127.0.0.1:{port}/console" in program.said
        assert "no access rules" in program.said
        assert "Connections from other machines are refused" in program.said
        assert program.get("/livez") == "ok"
        assert program.get("/readyz") == "ok"
        assert program.stop() in {0, -signal.SIGTERM}  # uvicorn hands the signal on when it is done


VIEW = 'CREATE VIEW "Abroad" AS SELECT 1 AS n'
FIRST = {
    "tables": ([VIEW, SCRIPT], "", ("/albums?limit=3", [{"albumId": 1, "title": "Erste", "artistId": 1}])),
    "a view alone": ([VIEW], "", ("/abroads?limit=3", [{"n": 1}])),
    "small pages": ([VIEW], "max_page = 2", ("/abroads?limit=2", [{"n": 1}])),
}


@pytest.mark.parametrize(("scripts", "settings", "first"), FIRST.values(), ids=FIRST.keys())
def test_it_shows_a_batch_of_its_own_catalog_that_runs_as_it_stands(
    sqlite: Backend, tmp_path: Path, scripts: list[str], settings: str, first: tuple[str, list[Any]]
):
    (tmp_path / "partwise.toml").write_text(settings)
    for script in scripts:
        sqlite.run(script)

    with serving([sqlite.url], tmp_path, port=free_port()) as program:
        (line,) = [each for each in program.said.splitlines() if each.startswith("curl ")]
        command, silent, address, has, header, gives, body = shlex.split(line)
        request = urllib.request.Request(address, body.encode(), dict([header.split(": ")]))  # noqa: S310  # our own server's
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            (part,) = json.load(answer)["parts"]

    assert [command, silent, has, gives] == ["curl", "-s", "-H", "-d"]
    assert (part["path"], part["payload"]["items"][:1]) == first


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
    "no such file": (["nothing.sqlite"], {}, "nothing.sqlite does not exist. Check the path.\n"),
    "no such file, with models": (
        ["nothing.sqlite", "--models", "partwise.examples.shop.models"],
        {},
        "nothing.sqlite does not exist. Check the path, or create the file for the models with --create-tables.\n",
    ),
    "no such address": (
        ["test.sqlite", "--host", "nowhere.invalid", "--open"],
        {},
        "The host name nowhere.invalid cannot be resolved.",
    ),
    "the address of another machine": (["test.sqlite", "--host", "192.0.2.1", "--open"], {}, "--host"),
    "a port that there is not": (
        ["test.sqlite", "--port", "99999"],
        {},
        "The setting port is 99999: it must be a whole",
    ),
    "no database of ours": (["mysql://localhost/x"], {}, "Use sqlite or postgresql"),
    "no URL": (["postgresql://:x"], {}, "cannot be read"),
    "in memory": (["sqlite://"], {}, "must be a file"),
    "another address": (["test.sqlite", "--host", "192.0.2.1"], {}, "--open"),
    "workers on SQLite": (["test.sqlite", "--workers", "2"], {}, "one process"),
    "a variable that is no number": (["test.sqlite"], {"PARTWISE_PORT": "many"}, "port"),
    "a log level": (["test.sqlite", "--log-level", "loud"], {}, "log_level"),
    "no such models": (["--models", "nowhere.models"], {}, "The module nowhere.models was not found"),
    "models of our name": (["--models", "schema.models"], {}, "package of Partwise itself"),
    "an empty database": (["empty.sqlite"], {}, "not contain a table"),
    "a file that is no database": (["text.sqlite"], {}, "is not an SQLite database"),
    "a device": (["/dev/null"], {}, "is not a regular file"),
    "tables without models": (["test.sqlite", "--create-tables"], {}, "--models"),
}


_IN_A_PROCESS = {"must be a file", "one process", "not contain a table"}  # of its own: it takes two seconds


@pytest.mark.parametrize(("arguments", "variables", "sentence"), WRONG_STARTS.values(), ids=WRONG_STARTS.keys())
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    sqlite: Backend, tmp_path: Path, arguments: list[str], variables: dict[str, str], sentence: str
):
    sqlite.run(SCRIPT)
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "text.sqlite").write_text("This is no database, but a text of some length.")

    start = run if sentence in _IN_A_PROCESS else run_here
    done = start("serve", *arguments, folder=tmp_path, **{"PARTWISE_PORT": "0", **variables})

    assert done.returncode == 2
    assert done.stderr.startswith("partwise: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


PORTS = "it must be a whole number, at least 0 and at most 65535."
WRONG_VALUES = {
    "a number too large": ({"PORT": "99999"}, f"The setting port is 99999: {PORTS}"),
    "a text for a number": ({"PORT": "http"}, f"The setting port is wrong: {PORTS}"),
    "a fraction": ({"MAX_PARTS": "1.5"}, "The setting max_parts is wrong: it must be a whole number, at least 1."),
    "a number too small": (
        {"TIMEOUT": "0"},
        "The setting timeout is 0: it must be a number, more than 0 and at most 3600.",
    ),
    "an unknown word": (
        {"LOG_LEVEL": "loud"},
        "The setting log_level is wrong: it must be debug, info, warning or error.",
    ),
    "no Boolean": ({"OPEN": "maybe"}, "The setting open is wrong: it must be true or false."),
    "a secret": ({"ETAG_SECRET": "x" * 65}, "The setting etag_secret is wrong: can have at most 64 bytes."),
    "of a table": ({"RESOURCES": '{"A": 5}'}, "The setting resources.A is wrong: it must be a table."),
    "no JSON": ({"RESOURCES": "A"}, "The variable PARTWISE_RESOURCES is not valid JSON."),
    "two at once": (
        {"PORT": "-1", "COMPRESSION": "10"},
        f"The setting port is -1: {PORTS}\nThe setting compression is 10: it must be a whole number, at least 0 and at most 9.",
    ),
}


@pytest.mark.parametrize(("variables", "sentence"), WRONG_VALUES.values(), ids=WRONG_VALUES.keys())
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
):
    for name, value in variables.items():
        monkeypatch.setenv(f"PARTWISE_{name}", value)

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert str(raised.value) == sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_in_use_is_told_before_anything_else(sqlite: Backend, tmp_path: Path, host: str):
    sqlite.run(SCRIPT)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        done = run("serve", sqlite.url, "--port", str(number), "--host", host, folder=tmp_path)
    sentence = "is already in use. Stop the other process, or choose another port with --port."

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"partwise: Port {number} of {host} {sentence}\n"


def test_a_port_in_use_is_told_with_several_workers_too(postgresql: Backend, tmp_path: Path):
    postgresql.run(SCRIPT)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        done = run("serve", postgresql.url, "--workers", "2", "--port", number, folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "is already in use" in done.stderr
    assert "--port" in done.stderr


def test_the_example_is_not_made_for_a_port_in_use(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("serve", "--port", str(taken.getsockname()[1]), folder=tmp_path)

    assert done.returncode == 2
    assert not (tmp_path / "partwise-shop.db").exists()


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
    done = run("serve", "postgresql://ada:canary-7@127.0.0.1:1/shop", "--port", "0", folder=tmp_path)

    assert done.returncode == 2
    assert "canary-7" not in done.stdout + done.stderr


_IMPORTED = """
import sys
from typer.testing import CliRunner
from partwise.cli import app
done = CliRunner().invoke(app, sys.argv[1:])
assert done.exit_code == 0, done.output
heavy = {"sqlalchemy", "graphql", "strawberry", "psycopg", "uvicorn", "inflect"} & sys.modules.keys()
print(sorted(heavy))
"""


_SERVED = """
import sys
from partwise import commands
from partwise.server.app import make_app
from partwise.service import open_service
from partwise.settings import load_settings
settings = load_settings(database_url=sys.argv[1])
make_app(open_service(settings), settings)
print(sorted({"sqlmodel", "sqlalchemy.orm", "rich"} & sys.modules.keys()))
"""


def test_a_server_without_models_imports_nothing_of_theirs(sqlite: Backend):
    sqlite.run(SCRIPT)

    done = subprocess.run(
        [sys.executable, "-c", _SERVED, sqlite.url], capture_output=True, text=True, check=True, env=environment()
    )

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["serve", "--help"]], ids=" ".join)
def test_help_and_version_import_nothing_of_the_server(arguments: list[str]):
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *arguments], capture_output=True, text=True, check=True, env=environment()
    )

    assert done.stdout == "[]\n"
