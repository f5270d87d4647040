"""A real browser in front of a served database; what it does there stands in tests/clients/page.mjs."""

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.node import node

Browse = Callable[..., Any]
"""(scenario, database) -> what the scenario has seen"""


def find_chromium() -> str:
    """Find Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium on this machine")
    assert found is not None, "there is no Chromium, and CI is set"
    return found


def use(chromium: str, url: str, scenario: str) -> Any:
    """Do in a browser what a scenario says; nobody else was asked, nothing complained of."""
    done = node("page.mjs", chromium, url, scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["outside"] == []
    assert answer["complaints"] == []
    return answer["seen"]
