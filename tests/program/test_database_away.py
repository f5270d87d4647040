"""A database that is not there yet when the program starts: `--wait`."""

import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.connections.database_away import is_away
from tests.support.harness import Backend
from tests.support.music import SCRIPT
from tests.support.program import free_port, run, run_here

LATE = 0.7  # seconds


@contextmanager
def after(seconds: float, work: Callable[[], object]) -> Iterator[None]:
    """Do something after a while; the block waits for it."""
    timer = threading.Timer(seconds, work)
    timer.start()
    try:
        yield
    finally:
        timer.join()


# Servers have a process of their own: libpq's ping holds Python's global lock until it is answered.
_REFUSING = """
import socket, struct, sys
fields = b"SFATAL\\0VFATAL\\0C" + sys.argv[1].encode() + b"\\0Mno\\0\\0"
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    while (said := client.recv(4_096)) and struct.unpack("!I", said[4:8])[0] in {80_877_103, 80_877_104}:
        client.sendall(b"N")  # to SSLRequest and GSSENCRequest
    client.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)
    client.close()
"""
_FORWARDING = """
import socket, sys, threading, time
port, path, seconds = sys.argv[1:]
time.sleep(float(seconds))
listener = socket.create_server(("127.0.0.1", int(port)))
def pump(source, target):
    while data := source.recv(65_536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
while True:
    client, _ = listener.accept()
    behind = socket.socket(socket.AF_UNIX)
    behind.connect(path)
    for pair in ((client, behind), (behind, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


@contextmanager
def running(script: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a script in a process of its own until the block ends."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def refusing(state: str) -> Iterator[sa.URL]:
    """Listen like a PostgreSQL that rejects each connection with this SQLSTATE."""
    with running(_REFUSING, state) as process:
        assert process.stdout is not None
        yield sa.make_url(f"postgresql://ada:canary-7@127.0.0.1:{process.stdout.readline().strip()}/shop")


STATES = {"57P03": True, "28P01": False, "28000": False, "3D000": False, "53300": False}


@pytest.mark.parametrize(("state", "away"), STATES.items(), ids=STATES.keys())
def test_only_a_server_that_cannot_connect_now_is_away(state: str, away: bool):
    with refusing(state) as url:
        assert is_away(url) is away


def test_what_cannot_be_reached_is_away(tmp_path: Path):
    assert is_away(sa.make_url(f"postgresql://127.0.0.1:{free_port()}/shop"))
    assert is_away(sa.make_url("postgresql://nowhere.invalid/shop"))
    assert is_away(sa.make_url(f"postgresql:///shop?host={tmp_path}"))  # no socket in this folder
    assert is_away(sa.make_url(f"sqlite:///{tmp_path}/shop.db"))
    (tmp_path / "shop.db").touch()
    assert not is_away(sa.make_url(f"sqlite:///{tmp_path}/shop.db"))


@pytest.mark.parametrize("command", ["check", "schema"])
def test_a_file_that_comes_is_waited_for(
    sqlite: Backend, tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str
):
    sqlite.run(SCRIPT)
    late = tmp_path / "mounted" / "late.sqlite"  # the folder comes later, too

    def mount() -> None:
        (tmp_path / "coming").mkdir()
        shutil.copy(tmp_path / "test.sqlite", tmp_path / "coming" / "late.sqlite")
        (tmp_path / "coming").rename(late.parent)

    with caplog.at_level(logging.WARNING), after(LATE, mount):
        done = run_here(command, str(late), "--wait", "60", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "Album" in done.stdout
    (line,) = [each for each in caplog.messages if not each.startswith("timeout: ")]  # of tests before this one
    assert line.startswith("database_away: The database is not available yet. Waiting up to 60 seconds.")


def test_a_server_that_comes_is_waited_for(postgresql: Backend, tmp_path: Path):
    postgresql.run(SCRIPT)
    url = sa.make_url(postgresql.url)
    port = free_port()
    late = url.set(host="127.0.0.1", port=port, query={})

    with running(_FORWARDING, port, f"{url.query['host']}/.s.PGSQL.{url.port or 5432}", LATE):
        done = run_here("check", late.render_as_string(hide_password=False), "--wait", "60", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "/albums" in done.stdout


def test_one_that_does_not_come_is_the_usual_error(tmp_path: Path):
    done = run("check", "none.sqlite", folder=tmp_path, PARTWISE_WAIT="0.1")

    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("database_away: ")
    assert second == f"partwise: The file {tmp_path / 'none.sqlite'} does not exist. Check the path."


def test_what_does_not_come_by_itself_is_not_waited_for(postgresql: Backend, tmp_path: Path):
    begun = time.monotonic()
    unknown = sa.make_url(postgresql.url).set(database="nowhere")
    with refusing("28P01") as wrong_password:
        for url in (unknown, wrong_password):
            done = run_here("check", url.render_as_string(hide_password=False), "--wait", "600", folder=tmp_path)
            assert done.returncode == 2
            assert "The database cannot be opened" in done.stderr
    (tmp_path / "text.sqlite").write_text("no database, but a text that is long enough to be looked at\n" * 20)
    assert run_here("check", "text.sqlite", "--wait", "600", folder=tmp_path).returncode == 2
    assert time.monotonic() - begun < 300
