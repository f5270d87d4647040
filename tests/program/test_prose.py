"""The English of documents, of the schema's descriptions and of --help: textlint, with a list of our own words (CONTRIBUTING.md)."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.node import CLIENTS, node
from tests.support.program import environment

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "tests/README.md", "docs/*.md")
COMMANDS = ("", "serve", "check", "schema")


def _complaints(*files: Path) -> list[str]:
    done = node("node_modules/.bin/textlint", "--config", "prose/textlint.json", "--format", "json", *map(str, files))
    assert done.returncode in {0, 1}, done.stderr  # 1: it has found something
    return [
        f"{Path(file['filePath']).name}:{found['line']}: {found['message']}"
        for file in json.loads(done.stdout)
        for found in file["messages"]
    ]


def test_documents_are_in_plain_english():
    files = [file for page in PAGES for file in sorted(ROOT.glob(page))]

    assert len(files) > 10
    assert _complaints(*files) == []


def test_descriptions_of_the_schema_are_in_plain_english(tmp_path: Path):
    sdl = (CLIENTS.parent / "snapshots" / "shop.graphql").read_text()
    sdl = re.sub(r"The label (\S+)\.", r"The label `\1`.", sdl)  # the database's word
    descriptions = re.findall(r'"""(.*?)"""', sdl, re.DOTALL)
    page = tmp_path / "descriptions.md"
    page.write_text("\n\n".join(" ".join(each.split()) for each in descriptions))

    assert len(descriptions) > 50
    assert _complaints(page) == []


def test_help_is_in_plain_english(tmp_path: Path):
    page = tmp_path / "help.md"
    texts = [
        subprocess.run(
            [sys.executable, "-m", "partwise", *command.split(), "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={**environment(), "COLUMNS": "200"},
        ).stdout
        for command in COMMANDS
    ]
    page.write_text("\n\n".join(re.sub(r"[│╭╮╰╯─]", "", text) for text in texts))

    assert all(len(text) > 200 for text in texts)
    assert _complaints(page) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "What became of the batch is in its status.",
        "A list that is no JSON is refused.",
        "The album points at its artist.",
        "This was mended in the evening.",
        "Both doors answer alike.",
    ],
)
def test_the_list_of_words_finds_what_it_names(tmp_path: Path, sentence: str):
    page = tmp_path / "page.md"
    page.write_text(f"{sentence}\n")

    assert _complaints(page)
    page.write_text(f"`{sentence}`\n")
    assert not _complaints(page)  # code is code
