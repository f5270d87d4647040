"""`partwise schema --diff`: what has changed since an older schema, and whether clients break."""

from pathlib import Path

import pytest

from tests.harness import Backend
from tests.program import run

SCRIPT = """
CREATE TABLE "Artist" ("ArtistId" {key}, "Name" VARCHAR(120), "Born" INTEGER);
CREATE TABLE "Album" ("AlbumId" {key}, "Title" TEXT NOT NULL, "ArtistId" INTEGER REFERENCES "Artist" ("ArtistId"));
"""
CHANGES = {
    "nothing": ("", 0, ["No changes."]),
    "a column goes": (
        'ALTER TABLE "Artist" DROP COLUMN "Born"',
        1,
        ["breaking: Field Artist.born was removed.", "breaking: Field ArtistInput.born was removed."],
    ),
    "a table goes": (
        'DROP TABLE "Album"',
        1,
        ["breaking: Album was removed.", "breaking: Field Query.albums was removed."],
    ),
    "a column can be null": (
        'ALTER TABLE "Album" ALTER COLUMN "Title" DROP NOT NULL',
        1,
        ["breaking: Field Album.title changed type from String! to String."],
    ),
    "a column comes": (
        'ALTER TABLE "Artist" ADD COLUMN "Country" TEXT',
        0,
        [
            "dangerous: An optional field ArtistInput.country was added.",
            "dangerous: Enum value ArtistAttribute.country was added.",
            "safe: Field Artist.country was added.",
        ],
    ),
    "a table comes": (
        'CREATE TABLE "Label" ("LabelId" {key}, "Name" TEXT)',
        0,
        ["safe: Field Query.labels was added.", "safe: Label was added."],
    ),
    "a comment comes": (
        """COMMENT ON TABLE "Artist" IS 'Who makes music.'""",
        0,
        ["In all: 0 breaking, 0 dangerous, 0 safe, 2 of descriptions."],
    ),
}


@pytest.mark.parametrize(("change", "status", "lines"), CHANGES.values(), ids=CHANGES.keys())
def test_changes_are_said_line_by_line(postgresql: Backend, tmp_path: Path, change: str, status: int, lines: list[str]):
    postgresql.run(SCRIPT)
    (tmp_path / "old.graphql").write_text(run("schema", postgresql.url, folder=tmp_path).stdout)
    postgresql.run(change)

    done = run("schema", postgresql.url, "--diff", "old.graphql", folder=tmp_path)

    said = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (status, "")
    assert [line for line in lines if line not in said] == []
    assert said[-1].endswith(".")
    kinds = [line.partition(":")[0] for line in said[:-1]]
    assert kinds == sorted(kinds)  # breaking, dangerous, safe
    assert ("breaking" in kinds) == (status == 1)


def test_the_last_line_counts(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)
    old = run("schema", sqlite.url, folder=tmp_path).stdout
    (tmp_path / "old.graphql").write_text(
        old.replace("type Query {", "type Query {\n  gone: Int").replace("One of the artists.", "Somebody.", 1)
    )

    done = run("schema", sqlite.url, "--diff", "old.graphql", folder=tmp_path)

    assert done.stdout.splitlines() == [
        "breaking: Field Query.gone was removed.",
        "In all: 1 breaking, 0 dangerous, 0 safe, 1 of descriptions.",
    ]
    assert done.returncode == 1


WRONG_FILES = {
    "no such file": (None, "cannot be read: No such file or directory."),
    "nothing": (b"", "is no GraphQL schema: Syntax Error: Unexpected <EOF>."),
    "no text": (b"\xff\xfe", "is no GraphQL schema: "),
    "a query": (b"{ artists { totalCount } }", "is no GraphQL schema: "),
    "an unknown type": (b"type Query { a: Nothing }", "is no GraphQL schema: Unknown type 'Nothing'."),
    "no Query": (b"type Artist { name: String }", "it has no type Query."),
    "deep": (b"type Query { a: " + b"[" * 100_000, "is no GraphQL schema: "),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_wrong_file_is_a_sentence(sqlite: Backend, tmp_path: Path, content: bytes | None, sentence: str):
    sqlite.run(SCRIPT)
    if content is not None:
        (tmp_path / "old.graphql").write_bytes(content)

    done = run("schema", sqlite.url, "--diff", "old.graphql", folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("partwise: old.graphql ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
