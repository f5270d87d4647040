"""The grammar of paths (docs/contract.md, section 3): what is read, what is refused and where, and the canonical form."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from resolvers.binding.path_binding import PathNotBound, Place
from resolvers.binding.path_grammar import PathError, format_path
from storage.catalog.types import Boolean, Date, DateTime, Integer, Numeric, Text, Uuid
from storage.errors import Fault
from storage.rows.locate import ByKey, ByPart
from storage.rows.row import Row
from storage.sql import Sort, Window
from tests.conftest import Serve
from tests.support.harness import Backend, faults, part
from tests.support.path_catalog import bind, resource


def steps(place: Place) -> list[tuple[str, Any]]:
    """Sum up an address: the type name of each step and its key, part or None."""
    found: list[tuple[str, Any]] = []
    for step in place.address:
        match step.selector:
            case ByKey(attributes=attributes, values=values):
                found.append((step.resource.name, dict(zip(attributes, values, strict=True))))
            case ByPart(part=part):
                found.append((step.resource.name, part))
            case None:
                found.append((step.resource.name, None))
    return found


def fault_of(path: str) -> Fault:
    with pytest.raises((PathError, PathNotBound)) as raised:
        bind(path)
    refused: Any = raised.value
    fault: Fault = refused.fault
    return fault


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/albums", [("Album", None)]),
        ("/albums/7", [("Album", {"albumId": 7})]),
        ("/albums/-7", [("Album", {"albumId": -7})]),
        ("/albums/0", [("Album", {"albumId": 0})]),
        ("/albums/2147483647", [("Album", {"albumId": 2**31 - 1})]),
        ("/albums/%37", [("Album", {"albumId": 7})]),
        ("/artists/1/albums", [("Artist", {"artistId": 1}), ("Album", None)]),
        ("/artists/1/albums/4", [("Artist", {"artistId": 1}), ("Album", {"albumId": 4})]),
        ("/playlistTracks/1,2", [("PlaylistTrack", {"playlistId": 1, "trackId": 2})]),
        ("/albums/albumId=7", [("Album", {"albumId": 7})]),
        ("/playlistTracks/trackId=2,playlistId=1", [("PlaylistTrack", {"playlistId": 1, "trackId": 2})]),
        ("/customers/email=ada%40example.org", [("Customer", {"email": "ada@example.org"})]),
        ("/customers/email=ada@example.org", [("Customer", {"email": "ada@example.org"})]),
        ("/airports/code=", [("Airport", {"code": ""})]),
        ("/airports/a+b", [("Airport", {"code": "a+b"})]),
        ("/airports/a%20b", [("Airport", {"code": "a b"})]),
        ("/airports/%C3%A9", [("Airport", {"code": "é"})]),
        ("/airports/%c3%a9", [("Airport", {"code": "é"})]),
        ("/airports/e%CC%81", [("Airport", {"code": "e\u0301"})]),
        ("/airports/%F0%9F%98%80", [("Airport", {"code": "😀"})]),
        ("/airports/a%2Fb%2Cc%3Dd%3Fe%26f%24g%25", [("Airport", {"code": "a/b,c=d?e&f$g%"})]),
        ("/airports/%2541", [("Airport", {"code": "%41"})]),
        ("/airports/..", [("Airport", {"code": ".."})]),
        ("/flights/,", [("Flight", {"line": "", "number": ""})]),
        ("/flights/number=7,line=", [("Flight", {"line": "", "number": "7"})]),
        ("/artists/$a/albums", [("Artist", 0), ("Album", None)]),
        ("/artists/$b%2Cc%2Fd%20%C3%A9", [("Artist", 1)]),
        ("/employees/1/reports/2/reports", [("Employee", {"employeeId": 1}), ("Employee", {"employeeId": 2}), ("Employee", None)]),
    ],
)  # fmt: skip
def test_a_path_is_read_as_the_grammar_says(path, expected):
    assert steps(bind(path)) == expected


@pytest.mark.parametrize(
    ("path", "filters", "order", "limit", "offset"),
    [
        ("/albums?limit=5", {}, (("albumId", False),), 5, 0),
        ("/albums?offset=10", {}, (("albumId", False),), 100, 10),
        ("/albums?limit=1000", {}, (("albumId", False),), 1_000, 0),
        ("/albums?orderBy=title,-albumId", {}, (("title", False), ("albumId", True)), 100, 0),
        ("/albums?artistId=1", {"artistId": 1}, (("albumId", False),), 100, 0),
        ("/albums?title=", {"title": ""}, (("albumId", False),), 100, 0),
        ("/albums?title=a+b", {"title": "a+b"}, (("albumId", False),), 100, 0),
        ("/albums?title=a%2Cb%26c%3Dd", {"title": "a,b&c=d"}, (("albumId", False),), 100, 0),
        ("/albums?title=T&artistId=1&limit=2", {"title": "T", "artistId": 1}, (("albumId", False),), 2, 0),
        ("/artists/1/albums?limit=1&offset=1", {}, (("albumId", False),), 1, 1),
    ],
)
def test_a_query_says_which_items_in_which_order(path, filters, order, limit, offset):
    query = bind(path).query

    assert query is not None
    assert query.filters == filters
    sorts = tuple(Sort(name, descending=descending) for name, descending in order)
    assert query.window == Window(sorts=sorts, limit=limit, offset=offset)


INVALID_PATHS: Mapping[str, tuple[str, int | None]] = {  # name -> path, where the fault is
    "nothing": ("", 0),
    "no slash first": ("albums", 0),
    "only a slash": ("/", 1),
    "two slashes first": ("//albums", 1),
    "a slash at the end of a collection": ("/albums/", 8),
    "a slash at the end of an item": ("/albums/7/", 10),
    "an empty key inside": ("/artists//albums", 9),
    "leading zero": ("/albums/07", 8),
    "plus sign": ("/albums/+7", 8),
    "minus zero": ("/albums/-0", 8),
    "point": ("/albums/7.0", 8),
    "exponent": ("/albums/1e3", 8),
    "other digits": ("/albums/%D9%A7", 8),
    "other digits after a digit": ("/albums/1%D9%A7", 8),
    "blank": ("/albums/%207", 8),
    "text for a number": ("/albums/abc", 8),
    "two points for a number": ("/albums/..", 8),
    "going up": ("/albums/../artists/1", 8),
    "an encoded slash in a number": ("/albums/1%2F2", 8),
    "past 32 bits": ("/albums/2147483648", 8),
    "past all bits": ("/albums/" + "9" * 1_000, 8),
    "the second value is wrong": ("/playlistTracks/1,x", 18),
    "a value too many": ("/albums/1,2", None),
    "a value too few": ("/playlistTracks/1", None),
    "three values for two": ("/playlistTracks/1,2,3", None),
    "half of a key by name": ("/playlistTracks/playlistId=1", None),
    "a name that is no key": ("/albums/title=x", None),
    "a key and more": ("/customers/customerId=1,email=x", None),
    "a name twice": ("/customers/email=a,email=b", None),
    "a name without value": ("/customers/email=a,b", 19),
    "a value without name": ("/customers/=x", 11),
    "the wrong type by name": ("/albums/albumId=x", 16),
    "a bare =": ("/airports/code=b=c", 16),
    "a bare &": ("/airports/a&b", 11),
    "a bare $": ("/airports/a$b", 11),
    "a bare $ in a part's id": ("/artists/$$a", 10),
    "a bare , in a part's id": ("/artists/$a,b", 11),
    "a % alone": ("/airports/a%", 11),
    "a % with one digit": ("/airports/a%4", 11),
    "a % with other letters": ("/airports/a%zz", 11),
    "no UTF-8": ("/airports/%FF", 10),
    "an overlong slash": ("/airports/%C0%AF", 10),
    "an encoded surrogate": ("/airports/%ED%A0%80", 10),
    "a bare surrogate": ("/airports/\ud800", 10),
    "an encoded NUL": ("/airports/%00", 10),
    "a bare NUL": ("/airports/\x00", 10),
    "a limit that is no number": ("/albums?limit=x", 14),
    "a negative limit": ("/albums?limit=-1", 14),
    "no limit": ("/albums?limit=", 14),
    "a limit over the page": ("/albums?limit=1001", 14),
    "a limit with a leading zero": ("/albums?limit=05", 14),
    "two limits in one": ("/albums?limit=1,2", None),
    "an offset that is no number": ("/albums?limit=1&offset=1.5", 23),
    "an endless offset": ("/albums?offset=" + "9" * 100, 15),
    "a query name without value": ("/albums?limit", 8),
    "a query value without name": ("/albums?=1", 8),
    "an unknown query name": ("/albums?colour=1", 8),
    "an unknown attribute to order by": ("/albums?orderBy=title,colour", 22),
    "a filter of the wrong type": ("/albums?artistId=x", 17),
    "a filter not in canonical form": ("/albums?artistId=01", 17),
    "a filter of two values": ("/albums?artistId=1,2", None),
    "a filter with NUL": ("/albums?title=%00", 14),
    "a query in a query": ("/albums?title=a?b", 15),
}


@pytest.mark.parametrize(("path", "offset"), INVALID_PATHS.values(), ids=INVALID_PATHS)
def test_a_path_that_breaks_the_grammar_is_invalid_and_the_message_says_where(path, offset):
    fault = fault_of(path)

    assert (fault.code, fault.status, fault.pointer) == ("INVALID_PATH", 400, "/path")
    assert f"character {'' if offset is None else f'{offset} '}" in fault.message


def test_a_reserved_character_in_a_key_is_invalid_in_one_part_and_in_many(backend: Backend, start: Serve):
    reserved = ",?&=$%"
    backend.run(
        "CREATE TABLE airport (code VARCHAR(9) PRIMARY KEY, city VARCHAR(9));\nINSERT INTO airport (code) VALUES "
        + ", ".join(f"('a{character}{number}')" for character in reserved for number in range(2))
    )
    api, before = start(backend), backend.dump()

    for operation, payload in (("UPDATE", {"city": "B"}), ("DELETE", None)):
        for character in reserved:
            for many in (1, 2):
                parts = [part(str(n), operation, f"/airports/a{character}{n}", payload) for n in range(many)]
                expected = {each["id"]: [("INVALID_PATH", "/path")] for each in parts}
                assert faults(api.batch(*parts)) == expected, (operation, character, many)
    assert backend.dump() == before


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/..", "/../albums", "/Albums", "/artists/1/tracks", "/albums/1/artist", "/albums/7/x/y"],
)
def test_an_unknown_collection_is_an_unknown_resource(path):
    fault = fault_of(path)

    assert (fault.code, fault.status, fault.pointer) == ("UNKNOWN_RESOURCE", 404, "/path")


@pytest.mark.parametrize(
    ("path", "code", "near"),
    [
        ("/album", "UNKNOWN_RESOURCE", "albums"),
        ("/Artists/1", "UNKNOWN_RESOURCE", "artists"),
        ("/artists/1/album", "UNKNOWN_RESOURCE", "albums"),
        ("/customers/emial=x", "INVALID_PATH", "email"),
        ("/albums?titel=x", "INVALID_PATH", "title"),
        ("/albums?ofset=1", "INVALID_PATH", "offset"),
        ("/albums?orderBy=-titel", "INVALID_PATH", "title"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(path, code, near):
    fault = fault_of(path)

    assert fault.code == code
    assert repr(near) in fault.message


def test_a_name_that_is_like_no_other_gets_no_suggestion():
    assert "Did you mean" not in fault_of("/zzzzzz").message


def test_a_reference_to_no_part_is_an_invalid_reference():
    fault = fault_of("/artists/$nobody")

    assert (fault.code, fault.status, fault.pointer) == ("INVALID_REFERENCE", 400, "/path")


def test_a_path_of_2048_characters_is_read_and_one_more_is_refused():
    longest = "/airports/" + "a" * 2_038

    assert steps(bind(longest)) == [("Airport", {"code": "a" * 2_038})]
    assert fault_of(longest + "a").code == "INVALID_PATH"


def test_twelve_collections_are_read_and_one_more_is_refused():
    twelve = "/employees/1" + "/reports/1" * 11

    assert len(bind(twelve).address) == 12
    assert fault_of(twelve + "/reports").code == "INVALID_PATH"


@pytest.mark.parametrize(
    ("types", "values", "key"),
    [
        ([Integer()], [7], "7"),
        ([Integer()], [-7], "-7"),
        ([Integer(bits=64)], [-(2**63)], "-9223372036854775808"),
        ([Numeric(precision=10, scale=2)], [Decimal("1.00")], "1.00"),
        ([Boolean()], [True], "true"),
        ([Uuid()], [UUID("0198c0de-0000-7000-8000-0000000000ff")], "0198c0de-0000-7000-8000-0000000000ff"),
        ([Date()], [date(2026, 1, 31)], "2026-01-31"),
        ([DateTime(aware=True)], [datetime(2026, 1, 31, 10, 30, tzinfo=UTC)], "2026-01-31T10%3A30%3A00Z"),
        ([Text()], ["a/b é"], "a%2Fb%20%C3%A9"),
        ([Text()], ["AZaz09-._~"], "AZaz09-._~"),
        ([Text()], ["+!*'();:@[]\"<>"], "%2B%21%2A%27%28%29%3B%3A%40%5B%5D%22%3C%3E"),
        ([Text()], [",/?&=$%#"], "%2C%2F%3F%26%3D%24%25%23"),
        ([Text()], [""], "k0="),
        ([Integer(), Integer()], [1, 2], "1,2"),
        ([Text(), Text()], ["a,b", ""], "a%2Cb,"),
    ],
)
def test_a_canonical_path_encodes_all_but_unreserved_characters(types, values, key):
    named = {f"k{place}": type_ for place, type_ in enumerate(types)}
    thing = resource("Thing", "things", " ".join(named), **named)

    path = format_path(thing, Row(resource=thing, values=dict(zip(named, values, strict=True)), etag=""))

    assert path == f"/things/{key}"
