"""The examples of the documents are executed."""

import json
import re
from pathlib import Path

import pytest

from partwise import example
from partwise.settings import AttributeSettings, CheckSettings, ResourceSettings, Settings
from tests.conftest import Serve
from tests.support.harness import Api, sqlite_backend

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def shop(tmp_path: Path, start: Serve) -> Api:
    """The example shop, fresh."""
    api = start(sqlite_backend(tmp_path), models=example.MODULE, create_tables=True)
    example.fill_if_empty(api.service.engine.database)
    return api


def test_the_examples_of_the_readme_answer_what_it_says(shop: Api):
    blocks = re.findall(r"```(graphql|json)\n(.*?)```", README.read_text(), re.DOTALL)
    kinds = [kind for kind, _ in blocks]
    assert kinds == ["graphql", "json"] * 3

    for (_, query), (_, answer) in zip(blocks[::2], blocks[1::2], strict=True):
        assert shop.query(query) == json.loads(answer)


def test_the_batch_that_the_terminal_shows_commits(shop: Api):
    assert shop.query(example.BATCH)["batch"]["status"] == "COMMITTED"


def test_the_command_that_the_terminal_shows_sends_that_batch(shop: Api):
    shown = example.invitation("http://127.0.0.1:8000/graphql")
    body = re.search(r"-d '(.*)'\n", shown)
    assert body is not None

    answer = shop.http.post("/graphql", json=json.loads(body[1].replace("'\\''", "'")))

    assert answer.json()["data"]["batch"]["status"] == "COMMITTED"


def test_the_readme_has_its_two_commands_each_on_a_line():
    lines = README.read_text().splitlines()

    assert "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/partwise serve" in lines
    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest" in lines


def test_every_setting_is_documented():
    page = (README.parent / "docs" / "settings.md").read_text()

    models = (Settings, ResourceSettings, AttributeSettings, CheckSettings)
    settings = [name for model in models for name in model.model_fields]

    assert [name for name in settings if f"`{name}`" not in page and f"attributes.{name}" not in page] == [
        "resources",
        "attributes",
        "checks",
    ]


@pytest.mark.parametrize(
    "page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "tests/README.md", "docs/trust.md", "docs/engine.md"]
)
def test_the_test_files_and_modules_that_a_page_names_exist(page: str):
    text = (README.parent / page).read_text()
    named = {
        *re.findall(r"`((?:tests/)?(?:support/)?test_\w+\*?)(?:\.py)?`", text),
        *re.findall(r"\b(tests/[\w/]+)\.py", text),
    }
    tests = README.parent / "tests"
    missing = [name for name in named if not [*tests.rglob(f"{name.removeprefix('tests/')}.py")]]

    assert named
    assert not missing
