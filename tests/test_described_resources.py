"""What `resources` says of a catalog (docs/contract.md, section 5): enough for a form that the server takes."""

from decimal import Decimal
from typing import Any

import pytest

from tests import every_type
from tests.conftest import Serve
from tests.described import resources
from tests.harness import Api, Backend

SHOP = "partwise.examples.shop.models"
LIMITS = ("maxLength", "precision", "scale", "minimum", "maximum", "timeZone")
# attribute of tests/every_type.py -> its limits, those that it has
EXPECTED: dict[str, dict[str, Any]] = {
    "small": {"minimum": -(2**15), "maximum": 2**15 - 1},
    "whole": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "big": {"minimum": str(-(2**63)), "maximum": str(2**63 - 1)},
    "price": {"precision": 10, "scale": 2, "minimum": "-99999999.99", "maximum": "99999999.99"},
    "exact": {"precision": 15, "scale": 6, "minimum": "-999999999.999999", "maximum": "999999999.999999"},
    "short": {"maxLength": 20},
    "fixed": {"maxLength": 5},
    "clock": {"scale": 6},
    "local": {"scale": 6, "timeZone": False},
    "instant": {"scale": 6, "timeZone": True},
}


def test_attributes_have_the_limits_of_their_types(backend: Backend, start: Serve):
    backend.run(every_type.TABLE)
    found = resources(start(backend))["EveryType"]["attributes"]

    for name, type_ in every_type.GRAPHQL_TYPES.items():
        limits = {limit: found[name][limit] for limit in LIMITS if found[name][limit] is not None}
        assert (found[name]["type"], limits) == (type_, EXPECTED.get(name, {})), name


def test_what_is_at_a_limit_is_taken_and_what_is_beyond_is_not(backend: Backend, start: Serve):
    backend.run(every_type.TABLE)
    api = start(backend)
    found = resources(api)["EveryType"]["attributes"]

    for name, limits in EXPECTED.items():
        own = found[name]
        inside, outside = list[Any](), list[Any]()
        if "minimum" in limits:
            step = Decimal(1).scaleb(-(own["scale"] or 0))
            as_sent = type(own["minimum"])
            inside += [own["minimum"], own["maximum"]]
            outside += [as_sent(Decimal(own["minimum"]) - step), as_sent(Decimal(own["maximum"]) + step)]
        if "maxLength" in limits:
            inside.append("x" * own["maxLength"])
            outside.append("x" * (own["maxLength"] + 1))
        if "timeZone" in limits:
            ways = ["2026-01-31T00:00:00", "2026-01-31T00:00:00Z"]
            inside.append(ways[own["timeZone"]])
            outside.append(ways[not own["timeZone"]])
        assert [api.one("CREATE", "/everyTypes", {name: each})["errors"] for each in inside] == [[]] * len(inside), name
        codes = [
            [error["code"] for error in api.one("CREATE", "/everyTypes", {name: each})["errors"]] for each in outside
        ]
        assert codes == [["INVALID_VALUE"]] * len(outside), name


def test_the_limits_of_an_array_are_those_of_its_elements(postgresql: Backend, start: Serve):
    postgresql.run(
        "CREATE TABLE item (id {key}, tags VARCHAR(5)[], sizes BIGINT[], prices NUMERIC(4,1)[], at TIMESTAMPTZ(3)[],"
        " free NUMERIC, round NUMERIC(3), clock TIME(0))"
    )
    found = resources(start(postgresql))["Item"]["attributes"]

    assert {
        name: {limit: each[limit] for limit in LIMITS if each[limit] is not None} for name, each in found.items()
    } == {
        "id": {"minimum": -(2**31), "maximum": 2**31 - 1},
        "tags": {"maxLength": 5},
        "sizes": {"minimum": str(-(2**63)), "maximum": str(2**63 - 1)},
        "prices": {"precision": 4, "scale": 1, "minimum": "-999.9", "maximum": "999.9"},
        "at": {"scale": 3, "timeZone": True},
        "free": {},
        "round": {"precision": 3, "scale": 0, "minimum": "-999", "maximum": "999"},
        "clock": {"scale": 0},
    }


def test_what_the_database_makes_is_generated(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE item (id {key}, a INTEGER NOT NULL DEFAULT 7, b INTEGER GENERATED ALWAYS AS (a + 1) STORED,"
        " c INTEGER, d INTEGER NOT NULL, e {naive} DEFAULT CURRENT_TIMESTAMP, f DATE NOT NULL DEFAULT CURRENT_DATE)"
    )
    found = resources(start(backend))["Item"]["attributes"]

    members = ("required", "nullable", "readOnly", "generated", "default")
    assert {name: tuple(each[member] for member in members) for name, each in found.items()} == {
        "id": (False, False, False, True, None),
        "a": (False, False, False, False, 7),
        "b": (False, True, True, True, None),
        "c": (False, True, False, False, None),
        "d": (True, False, False, False, None),
        "e": (False, True, False, True, None),
        "f": (False, False, False, True, None),
    }


def test_defaults_are_written_as_the_values_of_their_types(backend: Backend, start: Serve):
    backend.run(
        "CREATE TABLE item (id {key}, whole INTEGER DEFAULT -5, big BIGINT DEFAULT 9007199254740993, price NUMERIC(5,2) DEFAULT 1.5,"
        " half {double} DEFAULT 0.5, flag BOOLEAN DEFAULT true, name VARCHAR(20) DEFAULT 'it''s', number VARCHAR(5) DEFAULT '07',"
        " day DATE DEFAULT '2020-01-31', at {naive} DEFAULT '2020-01-31 10:00:00', document {json} DEFAULT '{\"a\": 1}',"
        " now {naive} DEFAULT CURRENT_TIMESTAMP, none INTEGER DEFAULT NULL)"
    )
    api = start(backend)
    found = resources(api)["Item"]["attributes"]
    made = api.one("CREATE", "/items", {})["payload"]

    assert {name: each["default"] for name, each in found.items()} == made | {"id": None, "now": None}


def test_the_templates_of_paths_lead_to_items(music: Api):
    found = resources(music)

    assert {name: each["itemPath"] for name, each in found.items()} == {
        "Album": "/albums/{albumId}",
        "Artist": "/artists/{artistId}",
        "Customer": "/customers/{customerId}",
        "Employee": "/employees/{employeeId}",
        "Invoice": "/invoices/{invoiceId}",
        "MediaType": "/mediaTypes/{mediaTypeId}",
        "Playlist": "/playlists/{playlistId}",
        "PlaylistTrack": "/playlistTracks/{playlistId},{trackId}",
        "Track": "/tracks/{trackId}",
    }
    assert found["Artist"]["relations"]["albums"] == {
        "name": "albums",
        "target": "Album",
        "many": True,
        "attributes": ["artistId"],
        "targetAttributes": ["artistId"],
        "path": "/artists/{artistId}/albums",
    }
    assert found["Employee"]["relations"]["employeeByReportsTo"] == {
        "name": "employeeByReportsTo",
        "target": "Employee",
        "many": False,
        "attributes": ["reportsTo"],
        "targetAttributes": ["employeeId"],
        "path": None,
    }
    for resource in found.values():
        keys = " ".join(resource["key"])
        nodes = music.query(f"{{ {resource['collection']}(first: 1) {{ nodes {{ path {keys} }} }} }}")
        for node in nodes[resource["collection"]]["nodes"]:
            assert resource["itemPath"].format_map(node) == node["path"]
            for relation in resource["relations"].values():
                if relation["many"]:
                    assert music.one("GET", relation["path"].format_map(node))["status"] == 200


def test_without_a_key_there_is_no_path_of_an_item(backend: Backend, start: Serve):
    backend.run("CREATE TABLE town (id {key}, name VARCHAR(20));\nCREATE VIEW large AS SELECT name FROM town")
    found = next(each for each in resources(start(backend)).values() if not each["key"])

    assert (found["field"], found["itemPath"], found["operations"]) == (None, None, ["GET"])


@pytest.mark.parametrize("name", ["Order", "Product"])
def test_descriptions_and_versions_of_models_are_told(backend: Backend, start: Serve, name: str):
    api = start(backend, models=SHOP, create_tables=True)
    found = resources(api)[name]
    (resource,) = [each for each in api.service.engine.catalog.resources.values() if each.name == name]

    assert found["field"] == resource.field
    assert (found["version"], found["description"]) == (resource.version, resource.description)
    if name == "Order":
        assert found["version"] == "version"
        assert found["attributes"]["status"]["enum"] == ["PLACED", "PAID", "SHIPPED", "DELIVERED", "CANCELLED"]
