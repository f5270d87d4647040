"""What `resources` says of a catalog (docs/contract.md, section 5): enough for a form that the server takes."""

from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support import every_type
from tests.support.described import resources
from tests.support.harness import Api, Backend

LIMITED = "tests.support.models_limited"
SHOP = "partwise.examples.shop.models"
LIMITS = ("minLength", "maxLength", "precision", "scale", "minimum", "maximum", "timeZone")
# attribute of tests/support/every_type.py -> its limits, those that it has
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

    for name in EXPECTED:
        _try_limits(api, "/everyTypes", found[name], {})


def _try_limits(api: Api, path: str, own: dict[str, Any], others: dict[str, Any]) -> None:
    """Create items with what an attribute says that it takes, and with what is next to it."""
    inside, outside = list[Any](), list[Any]()
    for limit, sign in (("minimum", -1), ("maximum", 1)):
        if own[limit] is not None:
            step = Decimal(1).scaleb(-(own["scale"] or 0))
            inside.append(own[limit])
            outside.append(type(own[limit])(Decimal(own[limit]) + sign * step))
    for limit, more in (("minLength", -1), ("maxLength", 1)):
        if own[limit] is not None:
            inside.append(_of_length(own["type"], own[limit]))
            outside.append(_of_length(own["type"], own[limit] + more))
    if own["timeZone"] is not None:
        ways = ["2026-01-31T00:00:00", "2026-01-31T00:00:00Z"]
        inside.append(ways[own["timeZone"]])
        outside.append(ways[not own["timeZone"]])
    name = own["name"]
    faults = [api.one("CREATE", path, others | {name: each})["errors"] for each in inside + outside]
    assert faults[: len(inside)] == [[]] * len(inside), name
    assert [[error["code"] for error in each] for each in faults[len(inside) :]] == [["INVALID_VALUE"]] * len(outside)
    assert all(each[0]["attributes"] == [name] for each in faults[len(inside) :])


def _of_length(type_name: str, length: int) -> str:
    return b64encode(b"x" * length).decode() if type_name == "Base64" else "x" * length


# attribute of Ware (tests/support/models_limited.py) -> its limits: the narrower of what column and model say
OF_WARE: dict[str, dict[str, Any]] = {
    "id": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "atLeast": {"minimum": 1, "maximum": 2**31 - 1},
    "above": {"minimum": 1, "maximum": 2**31 - 1},
    "between": {"minimum": -5, "maximum": 99},
    "half": {"precision": 4, "scale": 1, "minimum": "0.6", "maximum": "9.5"},
    "loose": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "several": {"minimum": 7, "maximum": 9},
    "inner": {"minimum": 3, "maximum": 8},
    "fieldInside": {"minimum": 4, "maximum": 2**31 - 1},
    "small": {"minimum": -(2**15), "maximum": 99},
    "big": {"minimum": "1", "maximum": str(2**63 - 1)},
    "price": {"precision": 8, "scale": 2, "minimum": "0.00", "maximum": "999999.99"},
    "paid": {"precision": 8, "scale": 2, "minimum": "0.01", "maximum": "999.99"},
    "rough": {"minimum": "0.125", "maximum": "10"},
    "open": {},
    "digits": {"precision": 5, "scale": 2, "minimum": "-99999.00", "maximum": "99999.00"},
    "places": {"precision": 9, "scale": 1, "minimum": "-99999999.90", "maximum": "99999999.90"},
    "both": {"precision": 5, "scale": 2, "minimum": "-999.99", "maximum": "999.99"},
    "share": {"minimum": 0, "maximum": 1},
    "ratio": {},
    "name": {"minLength": 1, "maxLength": 30},
    "code": {"minLength": 2, "maxLength": 4},
    "word": {"minLength": 3, "maxLength": 5},
    "note": {},
    "seal": {"minLength": 2, "maxLength": 8},
    "tags": {},
    "day": {},
}
WARE: dict[str, Any] = {
    "atLeast": 1,
    "above": 1,
    "between": 0,
    "half": "1",
    "loose": 0,
    "several": 8,
    "small": 1,
    "big": 1,
    "price": "1",
    "paid": "1",
    "rough": "1",
    "open": "0.5",
    "digits": "1",
    "places": "1",
    "both": "1",
    "share": 0.5,
    "ratio": 0.5,
    "name": "a",
    "code": "ab",
    "note": "",
    "seal": "AAAA",
    "tags": ["a"],
    "day": "2026-01-31",
}


def test_the_limits_of_a_model_are_joined_with_those_of_its_columns(backend: Backend, start: Serve):
    api = start(backend, models=LIMITED, create_tables=True)
    found = resources(api)["Ware"]["attributes"]

    assert {
        name: {limit: each[limit] for limit in LIMITS if each[limit] is not None} for name, each in found.items()
    } == OF_WARE
    for name in OF_WARE.keys() - {"id"}:
        _try_limits(api, "/wares", found[name], WARE)


def test_columns_that_are_narrower_than_their_model_set_the_limits(postgresql: Backend, start: Serve):
    start(postgresql, models=LIMITED, create_tables=True)
    postgresql.run(
        "ALTER TABLE wares ALTER name TYPE VARCHAR(7), ALTER at_least TYPE SMALLINT, ALTER price TYPE NUMERIC(5,1),"
        " ALTER rough TYPE NUMERIC(3,1)"
    )
    found = resources(start(postgresql, models=LIMITED))["Ware"]["attributes"]

    assert {
        name: {limit: found[name][limit] for limit in LIMITS if found[name][limit] is not None}
        for name in ("name", "atLeast", "price", "rough")
    } == {
        "name": {"minLength": 1, "maxLength": 7},
        "atLeast": {"minimum": 1, "maximum": 2**15 - 1},
        "price": {"precision": 5, "scale": 1, "minimum": "0.0", "maximum": "9999.9"},
        "rough": {"precision": 3, "scale": 1, "minimum": "0.2", "maximum": "10.0"},
    }


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


def test_constant_defaults_of_a_model_are_told_and_those_that_are_made_anew_are_generated(
    backend: Backend, start: Serve
):
    api = start(backend, models=LIMITED, create_tables=True)
    found = resources(api)["Parcel"]["attributes"]
    made = api.one("CREATE", "/parcels", {"needed": 1})["payload"]

    constant = {
        "quantity": 1,
        "zero": 0,
        "far": "9007199254740993",
        "grade": "SECOND",
        "formerGrade": "first",
        "fee": "2.50",
        "rate": 1.0,
        "isOpen": False,
        "label": "plain",
        "empty": "",
        "day": "2026-01-31",
        "opened": "2026-01-31T10:00:00Z",
        "owner": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "seal": "AAE=",
        "options": {"a": [1]},
        "tags": [],
        "ofColumn": 3,
        "ofBoth": 4,
        "ofDatabase": 6,
    }
    others = ("id", "token", "madeAt", "stamped", "note", "needed", "twice", "version")
    assert {name: each["default"] for name, each in found.items()} == constant | dict.fromkeys(others)
    assert made.items() >= constant.items()
    members = ("required", "nullable", "readOnly", "generated")
    assert {name: tuple(found[name][member] for member in members) for name in ("quantity", "tags", *others)} == {
        "quantity": (False, False, False, False),
        "tags": (False, False, False, False),
        "id": (False, False, False, True),
        "token": (False, False, False, True),
        "madeAt": (False, False, False, True),
        "stamped": (False, False, False, True),
        "note": (False, True, False, False),
        "needed": (True, False, False, False),
        "twice": (False, True, True, True),
        "version": (False, False, True, True),
    }


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


def test_the_shop_tells_what_its_models_give_and_take(backend: Backend, start: Serve):
    found = resources(start(backend, models=SHOP, create_tables=True))

    members = ("required", "generated", "default", "minLength", "maxLength", "minimum", "maximum")
    assert {
        f"{resource}.{name}": tuple(found[resource]["attributes"][name][member] for member in members)
        for resource, name in (
            ("Customer", "name"),
            ("Customer", "joinedOn"),
            ("Product", "price"),
            ("Product", "tags"),
            ("Order", "status"),
            ("Order", "placedAt"),
            ("OrderLine", "number"),
            ("OrderLine", "quantity"),
        )
    } == {
        "Customer.name": (True, False, None, 1, 100, None, None),
        "Customer.joinedOn": (False, True, None, None, None, None, None),
        "Product.price": (True, False, None, None, None, "0.00", "99999999.99"),
        "Product.tags": (False, False, [], None, None, None, None),
        "Order.status": (False, False, "PLACED", None, None, None, None),
        "Order.placedAt": (False, True, None, None, None, None, None),
        "OrderLine.number": (True, False, None, None, None, 1, 2**31 - 1),
        "OrderLine.quantity": (False, False, 1, None, None, 1, 2**31 - 1),
    }
