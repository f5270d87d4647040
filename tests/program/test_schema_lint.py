"""What linters say of the schema that `partwise schema` prints. What is switched off has its reason in their configuration."""

from pathlib import Path

import pytest
from graphql import GraphQLObjectType, build_schema, is_specified_directive, is_specified_scalar_type

from tests.support.harness import Backend
from tests.support.music import SCRIPT
from tests.support.node import node
from tests.support.program import run

ESLINT = ("lint.mjs",)
SCHEMA_LINTER = ("node_modules/.bin/graphql-schema-linter", "--format", "compact")


@pytest.fixture(params=["the example shop", "the music shop"])
def printed(request: pytest.FixtureRequest, sqlite: Backend, tmp_path: Path) -> Path:
    """A schema, in a file."""
    sqlite.run(SCRIPT)
    path = tmp_path / "schema.graphql"
    arguments = [sqlite.url] if request.param == "the music shop" else []
    path.write_text(run("schema", *arguments, folder=tmp_path).stdout)
    return path


@pytest.mark.costly
@pytest.mark.parametrize("linter", [ESLINT, SCHEMA_LINTER], ids=["@graphql-eslint", "graphql-schema-linter"])
def test_linters_are_content(printed: Path, linter: tuple[str, ...]):
    done = node(*linter, str(printed), SCHEMA=str(printed))

    assert (done.returncode, (done.stdout + done.stderr).strip()) == (0, "")


WORSE = {
    "a field without description": ('  """How many there are."""\n  count: Int!', "  count: Int!", "description"),
    "a type without description": ('"""The sort direction."""\n', "", "description"),
    "an argument in snake case": ("dryRun:", "dry_run:", "camelCase"),
}


@pytest.mark.costly
@pytest.mark.parametrize(("good", "bad", "word"), WORSE.values(), ids=WORSE.keys())
def test_a_linter_sees_what_is_worse(tmp_path: Path, good: str, bad: str, word: str):
    path = tmp_path / "schema.graphql"
    sdl = run("schema", folder=tmp_path).stdout
    assert good in sdl
    path.write_text(sdl.replace(good, bad, 1))

    done = node(*ESLINT, str(path), SCHEMA=str(path))

    assert done.returncode == 1
    assert word in done.stdout


def test_what_is_printed_is_sorted_and_whole(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)

    schema = build_schema(run("schema", sqlite.url, folder=tmp_path).stdout)

    own = [each for each in schema.type_map.values() if not each.name.startswith("__")]
    own = [each for each in own if not is_specified_scalar_type(each)]
    assert [each.name for each in own] == sorted(each.name for each in own)
    album = schema.type_map["Album"]
    assert isinstance(album, GraphQLObjectType)
    assert [*album.fields] == ["albumId", "artist", "artistId", "etag", "path", "title", "tracks"]
    assert [each.name for each in schema.directives if not is_specified_directive(each)] == []
    assert getattr(schema.type_map["BatchItemInput"], "is_one_of", False)


def test_what_the_database_says_nothing_of_is_described_by_what_it_is_for(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)

    schema = build_schema(run("schema", sqlite.url, folder=tmp_path).stdout)

    def described(name: str) -> dict[str, str | None]:
        type_ = schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        return {field: each.description for field, each in type_.fields.items()}

    assert described("Track") == {
        "path": "The canonical path: the item's identity in the whole API.",
        "etag": "The item's version: it changes whenever the item changes.",
        "trackId": "The key.",
        "name": "Text of up to 200 characters.",
        "albumId": "Refers to one of the albums.",
        "mediaTypeId": "Refers to one of the mediaTypes.",
        "composer": "Text of up to 220 characters.",
        "milliseconds": "A whole number.",
        "bytes": "A whole number.",
        "unitPrice": "A number of up to 10 digits, 2 of them after the decimal point.",
        "album": "The item of albums to which albumId refers.",
        "mediaType": "The item of mediaTypes to which mediaTypeId refers.",
        "playlistTracks": "The playlistTracks whose trackId refers to this item.",
    }
    assert described("PlaylistTrack")["trackId"] == "Part of the key. Refers to one of the tracks."
    assert described("Customer")["email"] == "Text of up to 60 characters. Unique."
    assert schema.type_map["Track"].description == "One of the tracks."
