"""`partwise schema --diff`: what has changed since an older schema, and whether clients break."""

import re
from pathlib import Path

import pytest

from tests.support.harness import Backend
from tests.support.program import run_here

SCRIPT = """
CREATE TABLE "Artist" ("ArtistId" {key}, "Name" VARCHAR(120), "Born" INTEGER);
CREATE TABLE "Album" ("AlbumId" {key}, "Title" TEXT NOT NULL, "ArtistId" INTEGER REFERENCES "Artist" ("ArtistId"));
"""
CHANGES = {
    "nothing": ("", 0, ["No changes."]),
    "a column goes": (
        'ALTER TABLE "Artist" DROP COLUMN "Born"',
        1,
        [
            (
                "breaking: Field Artist.born was removed."
                " Also in its Attribute, Avg, Filter, GroupKeys, Input, Max, Min, OrderBy, Sum."
            ),
            "In all: 1 breaking, 0 dangerous, 0 safe, 0 of descriptions.",
        ],
    ),
    "a table goes": (
        'DROP TABLE "Album"',
        1,
        [
            "breaking: Album was removed. With it: all its types and fields.",
            "breaking: Field Artist.albums was removed. Also in its Filter.",
            "In all: 2 breaking, 0 dangerous, 0 safe, 0 of descriptions.",
        ],
    ),
    "a column can be null": (
        'ALTER TABLE "Album" ALTER COLUMN "Title" DROP NOT NULL',
        1,
        [
            "breaking: Field Album.title changed type from String! to String.",
            "In all: 1 breaking, 0 dangerous, 0 safe, 0 of descriptions.",
        ],
    ),
    "a column comes": (
        'ALTER TABLE "Artist" ADD COLUMN "Country" TEXT',
        0,
        [
            (
                "dangerous: Field Artist.country was added."
                " Also in its Attribute, Filter, GroupKeys, Input, Max, Min, OrderBy."
                " If a client does not know it, its REPLACE sets it to the default or to null, unless it is read-only."
            ),
            "In all: 0 breaking, 1 dangerous, 0 safe, 0 of descriptions.",
        ],
    ),
    "a column changes its type": (
        'ALTER TABLE "Artist" ALTER COLUMN "Born" TYPE TEXT',
        1,
        [
            (
                "breaking: Field Artist.born changed type from Int to String."
                " Also in its Avg, Filter, GroupKeys, Input, Max, Min, Sum."
            ),
            "In all: 1 breaking, 0 dangerous, 0 safe, 2 of descriptions.",
        ],
    ),
    "a relation goes": (
        'ALTER TABLE "Album" DROP CONSTRAINT "Album_ArtistId_fkey"',
        1,
        [
            "breaking: AlbumListFilter was removed.",
            "breaking: Field Album.artist was removed. Also in its Filter, OrderBy.",
            "breaking: Field Artist.albums was removed. Also in its Filter.",
            "In all: 3 breaking, 0 dangerous, 0 safe, 2 of descriptions.",
        ],
    ),
    "a table comes": (
        'CREATE TABLE "Label" ("LabelId" {key}, "Name" TEXT)',
        0,
        [
            (
                "dangerous: Label was added. With it: all its types and fields."
                " Code that handles each type of item must handle one more."
            ),
            "In all: 0 breaking, 1 dangerous, 0 safe, 0 of descriptions.",
        ],
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
    (tmp_path / "old.graphql").write_text(run_here("schema", postgresql.url, folder=tmp_path).stdout)
    postgresql.run(change)

    done = run_here("schema", postgresql.url, "--diff", "old.graphql", folder=tmp_path)

    said = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (status, "")
    assert said == lines
    kinds = [line.partition(":")[0] for line in said[:-1]]
    assert kinds == sorted(kinds)  # breaking, dangerous, safe
    assert ("breaking" in kinds) == (status == 1)


def test_the_last_line_counts(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)
    old = run_here("schema", sqlite.url, folder=tmp_path).stdout
    (tmp_path / "old.graphql").write_text(
        old.replace("type Query {", "type Query {\n  gone: Int").replace("One of the artists.", "Somebody.", 1)
    )

    done = run_here("schema", sqlite.url, "--diff", "old.graphql", folder=tmp_path)

    assert done.stdout.splitlines() == [
        "breaking: Field Query.gone was removed.",
        "In all: 1 breaking, 0 dangerous, 0 safe, 1 of descriptions.",
    ]
    assert done.returncode == 1


ARTIST_INPUT = "input ArtistInput {"
EDITS = {
    "an input becomes @oneOf": (
        ("input AlbumOrderBy @oneOf {", "input AlbumOrderBy {"),
        1,
        "breaking: AlbumOrderBy became @oneOf: it takes one member.",
    ),
    "an input is @oneOf no longer": (
        (ARTIST_INPUT, "input ArtistInput @oneOf {"),
        0,
        "dangerous: ArtistInput is no longer @oneOf: it accepts any number of members. Types generated from it change.",
    ),
    "an argument that may be left out comes": (
        ('    """Do everything, constraints included, then undo it."""\n    dryRun: Boolean! = false\n\n', ""),
        0,
        "dangerous: An optional argument Mutation.batch(dryRun:) was added. Clients that do not know it omit it.",
    ),
    "a default changes": (
        ("dryRun: Boolean! = false", "dryRun: Boolean! = true"),
        0,
        (
            "dangerous: Mutation.batch(dryRun:) has changed defaultValue from true to false."
            " Clients that omit it get a different value now."
        ),
    ),
    "an enum has a value more": (
        ('  """Create an item."""\n  CREATE\n', ""),
        0,
        "dangerous: Enum value Operation.CREATE was added. Code that handles each value must handle one more.",
    ),
    "a type is of an interface": (
        ("type Artist implements Node", "type Artist"),
        0,
        "dangerous: Node added to interfaces implemented by Artist. Code that handles each type must handle one more.",
    ),
    "two arguments go": (
        ("  node(", "  node(old: Int older: Int "),
        1,
        "breaking: Argument Query.node(old:) was removed.\nbreaking: Argument Query.node(older:) was removed.",
    ),
    "a type beside the resources goes": (
        ("scalar BigInt", "scalar Gone scalar BigInt"),
        1,
        "breaking: Gone was removed.",
    ),
    "a derived type alone goes": (
        (ARTIST_INPUT, "input ArtistListFilter { some: ArtistFilter }\ninput ArtistInput {"),
        1,
        "breaking: ArtistListFilter was removed.",
    ),
    "a field of a derived type alone goes": (
        (ARTIST_INPUT, "input ArtistInput {\n  nick: String"),
        1,
        "breaking: Field ArtistInput.nick was removed.",
    ),
}


@pytest.mark.parametrize(("edit", "status", "line"), EDITS.values(), ids=EDITS.keys())
def test_what_an_older_schema_had_otherwise(
    sqlite: Backend, tmp_path: Path, edit: tuple[str, str], status: int, line: str
):
    """The older schema is the present one, edited: what is new stands in the first text, what was before in the second."""
    sqlite.run(SCRIPT)
    new, old = edit
    schema = run_here("schema", sqlite.url, folder=tmp_path).stdout
    assert schema.count(new) == 1
    (tmp_path / "old.graphql").write_text(schema.replace(new, old))

    done = run_here("schema", sqlite.url, "--diff", "old.graphql", folder=tmp_path)

    assert done.stdout.splitlines()[:-1] == line.splitlines()
    assert done.returncode == status


WRONG_FILES = {
    "no such file": (None, "cannot be read: No such file or directory."),
    "nothing": (b"", "is not a valid GraphQL schema: Syntax Error: Unexpected <EOF>."),
    "no text": (b"\xff\xfe", "is not a valid GraphQL schema: "),
    "a query": (
        b"{ artists { totalCount } }",
        "is not a valid GraphQL schema because it does not define the type Query.",
    ),
    "an unknown type": (b"type Query { a: Nothing }", "is not a valid GraphQL schema: Unknown type 'Nothing'."),
    "no Query": (b"type Artist { name: String }", "it does not define the type Query."),
    "deep": (b"type Query { a: " + b"[" * 100_000, "is not a valid GraphQL schema: "),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_wrong_file_is_a_sentence(sqlite: Backend, tmp_path: Path, content: bytes | None, sentence: str):
    sqlite.run(SCRIPT)
    if content is not None:
        (tmp_path / "old.graphql").write_bytes(content)

    done = run_here("schema", sqlite.url, "--diff", "old.graphql", folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("partwise: old.graphql ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_each_change_of_one_field_has_its_own_reason(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)
    schema = run_here("schema", sqlite.url, folder=tmp_path).stdout
    without_key = re.sub(r' +"""[^"]*"""\n +idempotencyKey: String\n', "", schema)
    older = without_key.replace("dryRun: Boolean! = false", "dryRun: Boolean! = true")
    (tmp_path / "old.graphql").write_text(older)

    done = run_here("schema", sqlite.url, "--diff", "old.graphql", folder=tmp_path)

    assert done.stdout.splitlines()[:-1] == [
        (
            "dangerous: An optional argument Mutation.batch(idempotencyKey:) was added."
            " Clients that do not know it omit it."
        ),
        (
            "dangerous: Mutation.batch(dryRun:) has changed defaultValue from true to false."
            " Clients that omit it get a different value now."
        ),
    ]
