"""The pages for a browser: GraphiQL and the console, built from web/ and used in a real browser that reaches no other host."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import hatch_build
import partwise.page
from tests.conftest import Serve
from tests.harness import Backend
from tests.music import SCRIPT
from tests.node import node, run
from tests.program import Program, serving
from tests.test_program import port  # noqa: F401  # a fixture

ROOT = Path(__file__).parent.parent
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """The built pages are those of the sources, also where somebody has just changed one."""
    hatch_build.build(ROOT)


@pytest.fixture(scope="module")
def chromium() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium on this machine")
    assert found is not None, "there is no Chromium, and CI is set"
    return found


def _installed() -> Path:
    """web/ with what it needs to be checked."""
    web = ROOT / "web"
    if not (web / "node_modules" / "typescript").is_dir():
        done = run("npm", "ci", "--ignore-scripts", "--prefer-offline", folder=web, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    return web


def use(chromium: str, program: Program, scenario: str) -> Any:
    """Do in a browser what a scenario of tests/clients/page.mjs says; nobody else was asked, nothing complained of."""
    done = node("page.mjs", chromium, program.url, scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["outside"] == []
    assert answer["complaints"] == []
    return answer["seen"]


def test_the_page_and_its_files_are_served_under_a_policy(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    client = start(sqlite).http
    for path in ("/graphql", "/console"):
        page = client.get(path, headers=HTML)
        script = re.search(r'src="\./(page/[^"]+\.js)"', page.text)
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-cache"
        assert page.headers["vary"] == "Accept"
        assert script is not None, page.text
        file = client.get(f"/{script[1]}")
        assert file.status_code == 200
        assert "javascript" in file.headers["content-type"]
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        for answer in (page, file):
            policy = answer.headers["content-security-policy"]
            assert {"default-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/page/nothing.js", "/page/", "/page", "/page/..%2f..%2fpage.py", "/page/%00", "/console/x"]
)
def test_what_is_no_file_of_the_page_is_not_found(path: str, sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    answer = start(sqlite).http.get(path, headers=HTML)

    assert answer.status_code == 404
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("path", ["/graphql", "/console"])
def test_a_page_that_was_not_built_says_how(
    path: str, sqlite: Backend, start: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sqlite.run(SCRIPT)
    monkeypatch.setattr(partwise.page, "STATIC", tmp_path)
    answer = start(sqlite).http.get(path, headers=HTML)

    assert answer.status_code == 503
    assert "pip install -e ." in answer.text
    assert "<script" not in answer.text


def test_the_sources_fit_their_types():
    done = run("npm", "run", "check", folder=_installed())

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_are_of_this_catalog_and_run(chromium: str, sqlite: Backend, tmp_path: Path, port: int):  # noqa: F811  # the fixture
    sqlite.run(SCRIPT)
    before = sqlite.dump()
    with serving([sqlite.url], tmp_path, port=port) as program:
        query, creates, update = use(chromium, program, "examples")

    assert "errors" not in query
    (name,) = query["data"]
    assert query["data"][name]["nodes"]
    assert creates["data"]["batch"]["status"] == "VALID"
    first, second = creates["data"]["batch"]["parts"]
    assert (first["status"], second["status"]) == (201, 201)
    assert update["data"]["batch"]["status"] == "VALID"
    assert update["data"]["batch"]["parts"][0]["status"] == 200
    assert sqlite.dump() == before


UNUSUAL = {
    "a view alone can only be read": ("CREATE VIEW number AS SELECT 1 AS n", ["Numbers"]),
    "composite keys, nothing generated": (
        (
            "CREATE TABLE seat (row TEXT, number INTEGER, PRIMARY KEY (row, number));\n"
            "CREATE TABLE guest (name TEXT PRIMARY KEY, row TEXT NOT NULL, number INTEGER NOT NULL, FOREIGN KEY (row, number)"
            " REFERENCES seat (row, number))"
        ),
        ["Guests", "AddSeatWithGuest"],
    ),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_unusual_catalogs_have_the_examples_that_they_can_have(
    case: str,
    chromium: str,
    sqlite: Backend,
    tmp_path: Path,
    port: int,  # noqa: F811  # the fixture
):
    script, expected = UNUSUAL[case]
    sqlite.run(script)
    with serving([sqlite.url], tmp_path, port=port) as program:
        assert use(chromium, program, "tabs") == expected
