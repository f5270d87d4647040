"""The pages for a browser: GraphiQL and the console, built from web/ and used in a real browser that reaches no other host."""

import json
import re
import shlex
from pathlib import Path

import pytest

import partwise.server.pages
from tests.conftest import Serve
from tests.support.browser import Browse, find_chromium, use
from tests.support.harness import Backend
from tests.support.music import SCRIPT
from tests.support.node import run
from tests.support.program import free_port, serving
from tests.support.seats import SEATS

ROOT = Path(__file__).parents[2]
HTML = {"Accept": "text/html"}


pytestmark = pytest.mark.usefixtures("built_pages")


def _installed() -> Path:
    """web/ with what it needs to be checked."""
    web = ROOT / "web"
    if not (web / "node_modules" / "typescript").is_dir():
        done = run("npm", "ci", "--ignore-scripts", "--prefer-offline", folder=web, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    return web


def test_the_page_and_its_files_are_served_under_a_policy(sqlite: Backend, start: Serve):
    sqlite.run(SCRIPT)
    client = start(sqlite).http
    for path in ("/graphql", "/console"):
        page = client.get(path, headers=HTML)
        script = re.search(r'src="\./(page/[^"]+\.js)"', page.text)
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-cache"
        assert script is not None, page.text
        file = client.get(f"/{script[1]}")
        assert file.status_code == 200
        assert "javascript" in file.headers["content-type"]
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        for answer in (page, file):
            policy = answer.headers["content-security-policy"]
            assert {"default-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("compression", "encoding"), [(4, "gzip"), (0, None)])
def test_a_file_of_the_page_is_compressed_once_and_revalidated(
    sqlite: Backend,
    start: Serve,
    monkeypatch: pytest.MonkeyPatch,
    compression: int,
    encoding: str | None,
):
    sqlite.run(SCRIPT)
    read, was_read = partwise.server.pages._read, []

    def noted(path: Path, gzipped: bool) -> bytes:
        was_read.append(gzipped)
        return read(path, gzipped)

    monkeypatch.setattr(partwise.server.pages, "_read", noted)
    client = start(sqlite, compression=compression).http
    file = max((partwise.server.pages.STATIC / "page").iterdir(), key=lambda path: path.stat().st_size)
    path, content = f"/page/{file.name}", file.read_bytes()
    for _ in range(2):
        plain = client.get(path, headers={"Accept-Encoding": "identity", "Range": "bytes=0-9"})
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert (plain.status_code, plain.content) == (packed.status_code, packed.content) == (200, content)
        assert "content-encoding" not in plain.headers
        assert packed.headers.get("content-encoding") == encoding
        assert int(plain.headers["content-length"]) == len(content)
        if encoding:
            assert int(packed.headers["content-length"]) < len(content) / 2
            assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    known = client.get(path, headers={"If-None-Match": packed.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["cache-control"] == "public, max-age=31536000, immutable"
    head = client.head(path, headers={"Accept-Encoding": "gzip"})
    assert (head.status_code, head.headers["content-length"]) == (200, packed.headers["content-length"])
    assert was_read == ([False, True] if encoding else [False]), "each form once"


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
    monkeypatch.setattr(partwise.server.pages, "STATIC", tmp_path)
    answer = start(sqlite).http.get(path, headers=HTML)

    assert answer.status_code == 503
    assert "pip install -e ." in answer.text
    assert "<script" not in answer.text


def test_the_sources_fit_their_types():
    done = run("npm", "run", "check", folder=_installed())

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_are_of_this_catalog_and_run(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    before = sqlite.dump()
    query, creates, update = browse("examples", sqlite)

    for each in (query, creates, update):
        assert max(map(len, each["document"].split("\n"))) <= 50  # characters that there is room for at 1280 pixels
    assert '"New album"' in creates["document"]
    assert '"Ada King"' in creates["document"]
    assert "errors" not in query
    (name,) = query["data"]
    assert query["data"][name]["nodes"]
    assert creates["data"]["batch"]["status"] == "VALID"
    first, second = creates["data"]["batch"]["parts"]
    assert (first["status"], second["status"]) == (201, 201)
    assert update["data"]["batch"]["status"] == "VALID"
    assert update["data"]["batch"]["parts"][0]["status"] == 200
    assert sqlite.dump() == before


def test_long_lines_of_a_document_are_wrapped(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("longLine", sqlite)

    assert seen["lines"] > 1
    assert seen["cut"] <= 0


def test_the_heads_of_the_plugins_are_not_cut(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)

    assert browse("plugins", sqlite) == [{"isWhole": True, "isSeen": True}] * 2


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
    browse: Browse,
    sqlite: Backend,
):
    script, expected = UNUSUAL[case]
    sqlite.run(script)
    assert browse("tabs", sqlite) == expected


def test_a_batch_is_composed_with_the_keyboard_and_committed(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("commit", sqlite)

    assert (seen["chosen"], seen["below"]) == ("/artists", "/artists/$a/albums")
    assert seen["said"] == "Committed. All parts were saved."
    assert seen["isFocused"]
    assert [line.split("\n")[0] for line in seen["results"]] == ["201 a CREATE /artists/4", "201 b CREATE /albums/4"]
    assert seen["variables"] == {
        "parts": [
            {"id": "a", "path": "/artists", "operation": "CREATE", "payload": {"name": "Neu"}},
            {"id": "b", "path": "/artists/$a/albums", "operation": "CREATE", "payload": {"title": "Vierte"}},
        ]
    }
    assert sqlite.rows('SELECT "Name" FROM "Artist" WHERE "ArtistId" = 4') == [("Neu",)]
    assert sqlite.rows('SELECT "Title", "ArtistId" FROM "Album" WHERE "AlbumId" > 3') == [("Vierte", 4)]


def test_a_rejected_batch_is_marked_at_its_fields(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)
    before = sqlite.dump()
    with serving([sqlite.url], tmp_path, port=free_port()) as program:
        seen = use(find_chromium(), program.url, "reject")
        (album,) = program.post("{ albums(first: 1) { nodes { etag } } }")["data"]["albums"]["nodes"]

    assert seen["said"] == "Rejected. Nothing was written."
    assert [(mark["part"], mark["field"], mark["said"].split()[0]) for mark in seen["marks"]] == [
        ("Part 1, a", "email", "CONFLICT"),
        ("Part 2, b", "name", "INVALID_VALUE"),
        ("Part 2, b", "mediaTypeId", "MISSING_TARGET"),
        ("Part 2, b", "milliseconds", "INVALID_VALUE"),
        ("Part 2, b", "unitPrice", "INVALID_VALUE"),
        ("Part 3, c", "ifMatch", "PRECONDITION_FAILED"),
        ("Part 4, d", "Path", "UNKNOWN_RESOURCE"),
    ]
    assert sorted(seen["links"]) == ["Part a", "Part b", "Part b", "Part b", "Part b", "Part c", "Part d"]
    assert seen["focused"] == "milliseconds"
    assert "milliseconds" not in seen["afterEdit"]
    assert len(seen["afterEdit"]) == 6
    assert seen["etag"] == album["etag"]
    assert seen["accessible"] == []
    assert sqlite.dump() == before


def test_a_dry_run_says_what_would_be_and_writes_nothing(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    before = sqlite.dump()
    seen = browse("dryRun", sqlite)

    assert seen["said"] == "Valid. This was a dry run, nothing was written."
    assert [line.split("\n")[0] for line in seen["results"]] == [
        "201 a CREATE /artists/4",
        "204 b DELETE /playlistTracks/1,1",
    ]
    assert sqlite.dump() == before


def test_absent_null_empty_and_references_are_told_apart(sqlite: Backend, tmp_path: Path):
    sqlite.run(SCRIPT)
    with serving([sqlite.url], tmp_path, port=free_port()) as program:
        seen = use(find_chromium(), program.url, "entries")

    expected = {
        "parts": [
            {"id": "a", "path": "/artists", "operation": "CREATE", "payload": {"name": "Neu"}},
            {
                "id": "b",
                "path": "/albums/2",
                "operation": "UPDATE",
                "references": [{"attribute": "artistId", "part": "a"}],
                "ifMatch": None,
            },
            {
                "id": "c",
                "path": "/tracks/1",
                "operation": "UPDATE",
                "payload": {"name": "", "composer": None, "bytes": 7, "unitPrice": "2.50"},
            },
            {"id": "d", "path": "/playlists/9", "operation": "CREATE", "ifNoneMatch": None},
        ]
    }
    assert seen["variables"] == expected
    command = shlex.split(seen["curl"])
    assert command[:3] == ["curl", "-s", f"{program.url}/graphql"]
    assert json.loads(command[-1])["variables"] == expected
    assert seen["said"] == "Committed. All parts were saved."
    assert sqlite.rows('SELECT "ArtistId" FROM "Album" WHERE "AlbumId" = 2') == [(4,)]
    assert sqlite.rows('SELECT "Name", "Composer", "Bytes", "UnitPrice" FROM "Track" WHERE "TrackId" = 1') == [
        ("", None, 7, 2.5)
    ]
    assert sqlite.rows('SELECT "Name" FROM "Playlist" WHERE "PlaylistId" = 9') == [(None,)]


def test_references_follow_when_parts_are_renamed_moved_and_removed(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("arrange", sqlite)

    assert [part["path"] for part in seen["renamed"]] == ["/artists", "/artists/$artist/albums", "/albums/1"]
    assert seen["renamed"][2]["references"] == [{"attribute": "artistId", "part": "artist"}]
    assert seen["moved"] == ["artist", "c", "b"]
    assert seen["focused"] == "Move part c up"
    assert [part["id"] for part in seen["removed"]] == ["c", "b"]
    assert "references" not in seen["removed"][0]


def test_a_replace_begins_with_what_the_item_has(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("load", sqlite)

    (part,) = seen["variables"]["parts"]
    assert part["payload"] == {
        "name": "Mitte",
        "albumId": 2,
        "mediaTypeId": 2,
        "composer": "B. Silva",
        "milliseconds": 300000,
        "bytes": 3000,
        "unitPrice": "1.99",
    }
    assert len(part["ifMatch"]) == 1
    assert seen["said"] == "Committed. All parts were saved."
    assert sqlite.rows('SELECT "Name", "Bytes" FROM "Track" WHERE "TrackId" = 3') == [("Mitte", 3000)]


def test_paths_are_suggested_whatever_the_key(browse: Browse, sqlite: Backend):
    sqlite.run(SEATS)
    seen = browse("suggest", sqlite)

    seats = ["/seats/%C3%BC,2", "/seats/A%2FB,1"]
    assert sorted(seen["found"].pop("/seats")) == seats
    assert sorted(seen["found"].pop("/seats/")) == seats
    assert sorted(seen["found"].pop("/")) == ["/guests", "/numbers", "/seats"]
    assert seen["found"] == {
        "/seats/A%2FB,1": ["/seats/A%2FB,1/guestsByRowAndNumber"],
        "/guests/": [],
        "/numbers/": [],
    }
    assert seen["operations"] == ["GET"]
    assert seen["fields"][:4] == ["name", "row", "number", "seatByRowAndNumber"]


def test_a_composite_relation_takes_the_item_of_an_earlier_part(browse: Browse, sqlite: Backend):
    sqlite.run(SEATS)
    seen = browse("reference", sqlite)

    assert seen["variables"]["parts"][1]["references"] == [{"attribute": "seatByRowAndNumber", "part": "a"}]
    assert seen["said"] == "Committed. All parts were saved."
    assert sqlite.rows("SELECT name, row, number FROM guest") == [("Ada", "C", 3)]


def test_it_is_usable_on_a_telephone_and_a_desk_in_light_and_dark(browse: Browse, sqlite: Backend):
    sqlite.run(SCRIPT)
    seen = browse("looks", sqlite)

    light, wide, dark, wide_dark = seen["seen"]
    assert [each["width"] for each in seen["seen"]] == [390, 1280, 390, 1280]
    assert light["ground"] == wide["ground"] != dark["ground"] == wide_dark["ground"]
    assert seen["chosen"] == light["ground"]
    assert "graphiql-light" in seen["graphiql"]
    assert [each["accessible"] for each in seen["seen"]] == [[], [], [], []]


def test_what_is_no_json_is_not_sent_and_a_refused_request_says_why(browse: Browse, sqlite: Backend):
    sqlite.run("CREATE TABLE note (id {key}, doc {json})")
    seen = browse("nothingRan", sqlite)

    assert seen["unreadable"]["said"].startswith("Nothing ran.")
    assert [(mark["field"], mark["said"]) for mark in seen["unreadable"]["marks"]] == [
        ("doc", 'NO_JSON This is not valid JSON: write texts in double quotes, like "text", and objects like {"a": 1}.')
    ]
    assert seen["refused"].startswith("Nothing ran.")
    assert "must have 1 to 255 characters" in seen["refused"]
    assert seen["said"] == "Committed. All parts were saved."
    assert sqlite.rows("SELECT id, json(doc) FROM note") == [(1, '{"a":[1.50,12345678901234567890]}')]
