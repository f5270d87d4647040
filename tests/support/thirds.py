"""Costly tests: each commit runs a third of them, by the hash of their names, and the next another.

Costly are those with the marker `costly`, and all tests of a run with the sentinel's rules.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest

_THIRD = "PARTWISE_THIRD"  # which of them; not set: all
_ALL = "PARTWISE_ALL"
SENTINEL = "PARTWISE_TEST_SENTINEL"  # set: each statement has the rules of tests/support/sentinel.py


def choose(config: pytest.Config) -> None:
    """Choose the third of a run of the whole suite or with rules, for this process and for the workers that it starts."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS or has_rules()
    if not hasattr(config, "workerinput"):
        os.environ.pop(_THIRD, None)
        if is_whole and not os.environ.get(_ALL) and (commits := _commits()) is not None:
            os.environ[_THIRD] = str(commits % 3)


def has_rules() -> bool:
    """Return True if this run is one with the sentinel's rules."""
    return bool(os.environ.get(SENTINEL))


def is_left_out(item: pytest.Item) -> bool:
    """Return True if a test is one of another commit."""
    third = os.environ.get(_THIRD)
    is_costly = third is not None and (has_rules() or item.get_closest_marker("costly") is not None)
    return is_costly and crc32(item.nodeid.encode()) % 3 != int(third or 0)


def _commits() -> int | None:
    """Count the commits so far; None where there is no history."""
    command: Sequence[str] = ("git", "rev-list", "--count", "HEAD")
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(done.stdout)
