"""The server is killed (SIGKILL) around COMMIT: whatever the client saw, sending the batch again with its key writes it once."""

import http.client
import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Backend, part
from tests.support.keyed import KEYED, is_replay, receipts
from tests.support.music import AFTER_POSTGRESQL, SCRIPT
from tests.support.program import Program, free_port, serving

KILLS = int(os.environ.get("PARTWISE_KILLS", "1"))  # of each kind
LONGEST = 0.02  # seconds from the request to the kill, where it comes at any time

# The program, which ends itself when it is about to commit, or has committed, a batch, once a file is there.
_FRAGILE = """
import os, signal, sys
from pathlib import Path
from partwise.__main__ import main
from storage.connections.transaction import Transaction
when, commit = os.environ["KILL_WHEN"], Transaction.commit
def fragile(transaction):
    is_armed = Path("armed").exists()
    if is_armed and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    commit(transaction)
    if is_armed and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
Transaction.commit = fragile
main()
"""


@contextmanager
def server(backend: Backend, folder: Path, when: str) -> Iterator[Program]:
    os.environ["KILL_WHEN"] = when
    command = (sys.executable, "-c", _FRAGILE)
    with serving([backend.url], folder, command=command, port=free_port()) as program:
        yield program


def request(program: Program, number: int) -> Any:
    parts = [
        part("a", "CREATE", "/artists", {"name": f"n{number}"}),
        part("b", "CREATE", "/artists/$a/albums", {"title": f"n{number}"}),
    ]
    return program.post(KEYED, {"parts": parts, "key": f"key-{number}"})["data"]["batch"]


@pytest.fixture
def shop(backend: Backend) -> Backend:
    backend.run(SCRIPT)
    if backend.kind == "postgresql":
        backend.run(AFTER_POSTGRESQL)
    return backend


@pytest.mark.costly
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_is_killed_around_commit_answers_the_same_key_with_what_was_written(
    shop: Backend, tmp_path: Path, when: str
):
    armed = tmp_path / "armed"

    for number in range(KILLS + 1):
        with server(shop, tmp_path, when) as program:
            if number == 0:
                request(program, -1)  # so that the table is there
            else:
                first = request(program, number - 1)
                assert first["replayed"] is (when == "after")
                assert is_replay(request(program, number - 1), {**first, "replayed": False})
                check_once(shop, number - 1)
            if number < KILLS:
                armed.touch()
                with pytest.raises((http.client.HTTPException, OSError)):
                    request(program, number)
                program.process.wait(30)
                armed.unlink()
        assert (f"key-{number}" in receipts(shop)) is (when == "after" and number < KILLS)


def test_a_server_that_is_killed_at_any_time_writes_a_keyed_batch_once(shop: Backend, tmp_path: Path):
    moments = random.Random(8)  # noqa: S311  # the same moments every time, no secret
    told: Any = None
    is_written = False

    for number in range(KILLS + 1):
        with server(shop, tmp_path, "never") as program:
            again = request(program, number - 1)  # the first of them makes the table
            assert again["replayed"] is is_written
            assert told is None or is_replay(again, told)
            check_once(shop, number - 1)
            if number < KILLS:
                kill = threading.Timer(moments.uniform(0, LONGEST), program.process.kill)
                kill.start()
                try:
                    told = request(program, number)
                except (http.client.HTTPException, OSError, json.JSONDecodeError):
                    told = None
                kill.join()
                program.process.wait(30)
        is_written = f"key-{number}" in receipts(shop)
        assert is_written or told is None or number == KILLS, "what was acknowledged is there"


def check_once(backend: Backend, number: int) -> None:
    """Make sure that the batch of a number is written once and whole."""
    for table, column in (("Artist", "Name"), ("Album", "Title")):
        assert backend.rows(f'SELECT count(*) FROM "{table}" WHERE "{column}" = \'n{number}\'') == [(1,)]
    assert f"key-{number}" in receipts(backend)
