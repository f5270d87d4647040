"""Code first: the tables of SQLModel classes, with their own names, limits, defaults and validators."""

from uuid import UUID

import pytest

from partwise.service import open_service
from partwise.settings import Settings, SettingsError
from tests.conftest import Serve
from tests.support.described import fields, relations, resources
from tests.support.harness import Api, Backend, faults, part

CLUB = "tests.support.models_club"
ADA = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def club(backend: Backend, start: Serve) -> Api:
    """The models of tests/support/models_club.py with tables of their own, and a club."""
    api = start(backend, models=CLUB, create_tables=True)
    created = api.batch(
        part("c", "CREATE", "/clubs", {"name": "Eins"}), part("d", "CREATE", "/clubs", {"name": "Zwei"})
    )
    assert created["status"] == "COMMITTED"
    return api


def test_models_give_their_class_names_limits_and_descriptions(club: Api):
    found = resources(club)

    assert {name: each["path"] for name, each in found.items()} == {
        "Club": "/clubs",
        "Member": "/members",
        "Match": "/matches",
    }
    assert found["Club"]["uniqueKeys"] == [["name"]]
    assert found["Club"]["attributes"]["name"]["maxLength"] == 20
    assert found["Club"]["attributes"]["name"]["description"] == "As its members call it."
    assert found["Member"]["attributes"]["level"]["enum"] == ["BEGINNER", "MASTER"]
    assert {name for name, each in found["Member"]["attributes"].items() if each["required"]} == {"homeId", "email"}
    assert (
        club.query('{ __type(name: "Club") { description } }')["__type"]["description"] == "Where people meet to play."
    )
    assert (
        fields(club, "Member").items()
        >= {
            "id": "UUID!",
            "homeId": "Int!",
            "email": "String!",
            "nickname": "String",
            "fee": "Decimal!",
            "joinedAt": "DateTime!",
            "alarm": "DateTime",
            "settings": "JSON!",
            "home": "Club",
        }.items()
    )


def test_relationships_keep_their_names_and_the_others_are_named_by_the_rules(club: Api):
    assert relations(club) == {
        "Club": {
            "players": ("Member", True, ["id"]),
            "matchesByHost": ("Match", True, ["id"]),
            "matchesByGuest": ("Match", True, ["id"]),
        },
        "Member": {"home": ("Club", False, ["homeId"])},
        "Match": {"host": ("Club", False, ["hostId"]), "visitors": ("Club", False, ["guestId"])},
    }
    assert club.one("CREATE", "/clubs/1/players", {"email": "a@b"})["status"] == 201
    assert club.query("{ club(id: 1) { players { nodes { email home { name } } } } }")["club"] == {
        "players": {"nodes": [{"email": "a@b", "home": {"name": "Eins"}}]},
    }


def test_defaults_and_default_factories_of_the_model_fill_what_a_create_leaves_out(club: Api):
    created = club.one("CREATE", "/members", {"homeId": 1, "email": "Ada@Example.org"})

    key = created["payload"].pop("id")
    assert str(UUID(key)) == key
    assert UUID(key).version == 4
    assert created["path"] == f"/members/{key}"
    assert created["payload"] == {
        "homeId": 1,
        "email": "ada@example.org",
        "nickname": None,
        "level": "BEGINNER",
        "points": 10,
        "fee": "12.5000000000",
        "joinedAt": "2026-01-31T10:30:00Z",
        "alarm": None,
        "changedAt": None,
        "settings": {},
        "rank": 7,
        "starts": 0,
        "ends": 9,
    }


def test_values_of_every_kind_of_field_come_back(club: Api):
    values = {
        "id": ADA,
        "homeId": 2,
        "email": "ada@example.org",
        "nickname": "ada",
        "level": "MASTER",
        "points": 100,
        "fee": "12345678901234567890.1234567891",
        "joinedAt": "2026-07-01T10:00:00.5+02:00",
        "alarm": "2026-07-01T07:00:00",
        "changedAt": None,
        "settings": {"colour": ["red", 1.5, None]},
        "rank": 1,
        "starts": 3,
        "ends": 4,
    }
    back = {**values, "joinedAt": "2026-07-01T08:00:00.500000Z"}

    assert club.one("CREATE", "/members", values)["payload"] == back
    assert club.one("GET", f"/members/{ADA}")["payload"] == back
    typed = club.query("query ($id: UUID!) { member(id: $id) { level fee settings joinedAt } }", id=ADA)["member"]
    assert typed == {name: back[name] for name in ("level", "fee", "settings", "joinedAt")}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("email", "nobody", "must have an @"),
        ("email", "a@" + "x" * 49, "50"),
        ("nickname", "ADA", ""),
        ("points", -1, "0"),
        ("points", 101, "100"),
        ("level", "master", "BEGINNER, MASTER"),
        ("level", "GRAND", "BEGINNER, MASTER"),
        ("fee", "1.12345678901", "10"),
        ("joinedAt", "2026-07-01T10:00:00", "zone"),
        ("alarm", "2026-07-01T10:00:00Z", "zone"),
        ("settings", ["a list"], ""),
        ("ends", -1, "must not be before starts"),
    ],
)
def test_what_a_model_refuses_is_an_error_of_that_attribute(club: Api, backend: Backend, name, value, reason):
    club.one("CREATE", "/members", {"id": ADA, "homeId": 1, "email": "a@b"})
    before = backend.dump()
    good = {"homeId": 1, "email": "ada@example.org"}

    result = club.batch(
        part("payload", "CREATE", "/members", {**good, name: value}),
        part("update", "UPDATE", f"/members/{ADA}", {name: value}),
        part("replace", "REPLACE", f"/members/{ADA}", {**good, name: value}),
    )

    expected = [("INVALID_VALUE", f"/payload/{name}")]
    assert faults(result) == {"payload": expected, "update": expected, "replace": expected}
    for each in result["parts"]:
        assert each["errors"][0]["attributes"] == [name]
        assert name in each["errors"][0]["message"]
        assert reason in each["errors"][0]["message"]
    assert backend.dump() == before


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("points", -1, "points must be greater than or equal to 0."),
        ("points", 101, "points must be less than or equal to 100."),
        ("nickname", "ADA", "nickname must match pattern '^[a-z]+$'."),
        ("email", "nobody", "email must have an @."),
        ("ends", -1, "ends must not be before starts."),
        ("alarm", "2026-07-01T10:00:00Z", "alarm must have no time zone, like 2026-12-31T23:59:59."),
        ("settings", ["a list"], "settings must be a valid dictionary."),
    ],
)
def test_what_a_model_refuses_is_said_in_a_sentence_that_names_the_attribute_once(club: Api, name, value, sentence):
    refused = club.one("CREATE", "/members", {"homeId": 1, "email": "ada@example.org", name: value})
    assert [error["message"] for error in refused["errors"]] == [sentence]


def test_the_elements_of_lists_and_the_words_of_authors_are_said_as_they_are(backend: Backend, start: Serve):
    api = start(backend, models="tests.support.models_limited", create_tables=True)
    refused = api.one("CREATE", "/parcels", {"needed": 1, "tags": ["a", 2], "label": "Loud", "zero": -1})

    assert [(error["pointer"], error["message"]) for error in refused["errors"]] == [
        ("/payload/zero", "zero must be greater than -1."),
        ("/payload/label", "label: Write it in lower case."),
        ("/payload/tags", "tags[1] must be a valid string."),
    ]
    assert backend.rows("SELECT id FROM parcels") == []


def test_all_that_a_model_refuses_of_one_part_is_listed_with_pointers_into_payload_or_item(club: Api):
    values = {"homeId": 1, "email": "nobody", "points": -1, "nickname": "A"}
    result = club.batch(
        part("payload", "CREATE", "/members", values),
        part("item", "CREATE", "/members", item={"member": values}),
    )
    found = faults(result)
    assert sorted(found["payload"]) == [
        ("INVALID_VALUE", f"/payload/{name}") for name in ("email", "nickname", "points")
    ]
    assert sorted(found["item"]) == [
        ("INVALID_VALUE", f"/item/member/{name}") for name in ("email", "nickname", "points")
    ]


def test_an_update_validates_the_merged_row(club: Api, backend: Backend):
    club.one("CREATE", "/members", {"id": ADA, "homeId": 1, "email": "a@b", "starts": 2, "ends": 5})
    before = backend.dump()

    result = club.batch(part("late", "UPDATE", f"/members/{ADA}", {"starts": 6}))
    assert [code for code, _ in faults(result)["late"]] == ["INVALID_VALUE"]
    assert "must not be before starts" in result["parts"][0]["errors"][0]["message"]
    assert result["parts"][0]["errors"][0]["attributes"] == ["ends"]
    assert backend.dump() == before

    moved = club.batch(
        part("both", "UPDATE", f"/members/{ADA}", {"starts": 6, "ends": 8}),
        part("one", "UPDATE", f"/members/{ADA}", {"starts": 7}),
    )
    assert moved["status"] == "COMMITTED"
    assert moved["parts"][1]["payload"].items() >= {"starts": 7, "ends": 8}.items()


def test_validators_of_a_part_see_what_earlier_parts_of_the_batch_wrote(club: Api):
    result = club.batch(
        part("new", "CREATE", "/members", {"id": ADA, "homeId": 1, "email": "a@b", "starts": 2, "ends": 3}),
        part("wider", "UPDATE", f"/members/{ADA}", {"ends": 50}),
        part("later", "UPDATE", f"/members/{ADA}", {"starts": 40}),
    )
    assert result["status"] == "COMMITTED", faults(result)


def test_what_a_validator_of_the_whole_model_refuses_is_an_error_of_the_part(club: Api, backend: Backend):
    club.one("CREATE", "/matches", {"hostId": 1, "guestId": 2})
    before = backend.dump()
    result = club.batch(
        part("create", "CREATE", "/matches", {"hostId": 1, "guestId": 1}),
        part("update", "UPDATE", "/matches/1", {"hostId": 2}),
    )
    assert {id_: [code for code, _ in each] for id_, each in faults(result).items()} == {
        "create": ["INVALID_VALUE"],
        "update": ["INVALID_VALUE"],
    }
    assert all("a club does not play against itself" in each["errors"][0]["message"] for each in result["parts"])
    assert backend.dump() == before


def test_onupdate_runs_with_every_update_that_does_not_give_a_value(club: Api):
    club.one("CREATE", "/members", {"id": ADA, "homeId": 1, "email": "a@b"})
    assert club.one("UPDATE", f"/members/{ADA}", {"points": 11})["payload"]["changedAt"] == "2026-02-28T12:00:00Z"
    given = club.one("UPDATE", f"/members/{ADA}", {"points": 12, "changedAt": "2026-03-01T00:00:00Z"})
    assert given["payload"]["changedAt"] == "2026-03-01T00:00:00Z"


def test_replace_gives_absent_attributes_the_defaults_of_the_model(club: Api):
    club.one(
        "CREATE", "/members", {"id": ADA, "homeId": 1, "email": "a@b", "points": 50, "level": "MASTER", "nickname": "x"}
    )
    replaced = club.one("REPLACE", f"/members/{ADA}", {"homeId": 2, "email": "B@b"})
    assert (
        replaced["payload"].items()
        >= {
            "id": ADA,
            "homeId": 2,
            "email": "b@b",
            "points": 10,
            "level": "BEGINNER",
            "nickname": None,
            "rank": 7,
        }.items()
    )
    assert faults(club.batch(part("r", "REPLACE", f"/members/{ADA}", {"homeId": 2}))) == {
        "r": [("REQUIRED", "/payload/email")]
    }


def test_version_id_col_is_the_etag_and_moves_on_with_every_write(club: Api, backend: Backend):
    created = club.one("CREATE", "/matches", {"hostId": 1, "guestId": 2})
    first = club.one("UPDATE", "/matches/1", {"score": "1:0"}, ifMatch=[created["etag"]])
    stale = club.one("UPDATE", "/matches/1", {"score": "0:1"}, ifMatch=[created["etag"]])
    second = club.one("REPLACE", "/matches/1", {"hostId": 1, "guestId": 2})

    assert [each["payload"]["version"] for each in (created, first, second)] == [1, 2, 3]
    assert len({created["etag"], first["etag"], second["etag"]}) == 3
    assert stale["errors"][0]["code"] == "PRECONDITION_FAILED"
    assert stale["etag"] == first["etag"]
    assert backend.rows("SELECT version, score FROM club_matches") == [(3, None)]
    refused = club.batch(part("v", "UPDATE", "/matches/1", {"version": 9}))
    assert faults(refused) == {"v": [("READ_ONLY", "/payload/version")]}


def test_create_tables_makes_what_is_missing_and_leaves_the_rest_as_it_is(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE sports_clubs (id {key}, name VARCHAR(20) NOT NULL UNIQUE, founded DATE, motto VARCHAR(20));
        CREATE TABLE strangers (id {key});
        INSERT INTO sports_clubs (id, name, motto) VALUES (7, 'Alt', 'still here')""")

    api = start(backend, models=CLUB, create_tables=True)
    again = start(backend, models=CLUB, create_tables=True)

    assert resources(api).keys() == {"Club", "Member", "Match"}, "tables without a model are not served"
    assert resources(api) == resources(again)
    assert backend.rows("SELECT id, name, motto FROM sports_clubs") == [(7, "Alt", "still here")]
    assert backend.dump().keys() == {"sports_clubs", "strangers", "club_members", "club_matches"}
    assert api.one("CREATE", "/clubs/7/players", {"email": "a@b"})["status"] == 201


@pytest.mark.parametrize(
    ("script", "models", "sentence"),
    [
        ("CREATE TABLE other (id {key})", CLUB, r"(?s)sports_clubs.*--create-tables"),
        ("CREATE TABLE clashing_nodes (id {key})", "tests.support.models_clash", "Node"),
        ("CREATE TABLE other (id {key})", "tests.support.models_none", "tests.support.models_none"),
        ("CREATE TABLE other (id {key})", "tests.no_such_module", "tests.no_such_module"),
        ("CREATE TABLE other (id {key})", "schema", "'schema'"),
        ("CREATE TABLE other (id {key})", "schema.models", "'schema'"),
        ("CREATE TABLE other (id {key})", "storage", "'storage'"),
        ("CREATE TABLE other (id {key})", "resolvers.models", "'resolvers'"),
    ],
)
def test_models_that_cannot_be_served_stop_the_start_with_a_sentence(sqlite: Backend, script, models, sentence):
    sqlite.run(script)
    with pytest.raises(SettingsError, match=sentence) as stopped:
        open_service(Settings(database_url=sqlite.url, models=models))
    assert str(stopped.value).endswith(".")
    assert "\n" not in str(stopped.value)


def test_a_column_of_a_model_that_the_database_lacks_stops_the_start(backend: Backend):
    backend.run(
        "CREATE TABLE sports_clubs (id {key}, name VARCHAR(20));\nCREATE TABLE club_members (id {key});\nCREATE TABLE club_matches (id {key})"
    )
    with pytest.raises(SettingsError, match=r"Club .*'founded'"):
        open_service(Settings(database_url=backend.url, models=CLUB))


def test_the_example_shop_is_served(backend: Backend, start: Serve):
    api = start(backend, models="partwise.examples.shop.models", create_tables=True)
    result = api.batch(
        part("ada", "CREATE", "/customers", {"name": "Ada King", "email": "Ada@Example.org"}),
        part(
            "home",
            "CREATE",
            "/customers/$ada/addresses",
            {"kind": "SHIPPING", "street": "1 Square", "city": "London", "postalCode": "SW1Y", "country": "GB"},
        ),
        part("book", "CREATE", "/products", {"sku": "B-1", "name": "Book", "price": "12.50", "tags": ["paper"]}),
        part("stock", "CREATE", "/products/$book/stock", {"warehouse": "north", "onHand": 5}),
        part("order", "CREATE", "/customers/$ada/orders"),
        part(
            "line",
            "CREATE",
            "/orders/$order/lines",
            {"number": 1, "quantity": 2, "unitPrice": "12.50"},
            references=[{"attribute": "product", "part": "book"}],
        ),
        part("paid", "UPDATE", "/orders/$order", {"status": "PAID"}),
    )
    assert result["status"] == "COMMITTED", faults(result)
    found = api.query("""{ customer(id: 1) { email addresses { nodes { kind } } orders { nodes {
        status version lines { nodes { path product { name stock { nodes { warehouse onHand } } } } } } } } }""")
    assert found["customer"] == {
        "email": "ada@example.org",
        "addresses": {"nodes": [{"kind": "SHIPPING"}]},
        "orders": {
            "nodes": [
                {
                    "status": "PAID",
                    "version": 2,
                    "lines": {
                        "nodes": [
                            {
                                "path": "/orderLines/1,1",
                                "product": {"name": "Book", "stock": {"nodes": [{"warehouse": "north", "onHand": 5}]}},
                            }
                        ]
                    },
                }
            ]
        },
    }
