"""What reflection sees of an existing database: keys, defaults, generated columns, enums, views, comments."""

import pytest

from tests.conftest import Serve
from tests.support.described import fields, relations, resources
from tests.support.harness import Api, Backend, faults, part

ALL_OPERATIONS = ["GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE"]


def test_resources_describe_the_music_shop(music: Api):
    found = resources(music)

    assert found["PlaylistTrack"]["key"] == ["playlistId", "trackId"]
    assert found["PlaylistTrack"]["path"] == "/playlistTracks"
    assert found["PlaylistTrack"]["uniqueKeys"] == []
    assert found["PlaylistTrack"]["operations"] == ALL_OPERATIONS
    assert found["Customer"]["uniqueKeys"] == [["email"]]
    assert found["Track"]["attributes"]["trackId"] == {
        "name": "trackId",
        "type": "Int",
        "required": False,
        "nullable": False,
        "readOnly": False,
        "generated": True,
        "default": None,
        "minLength": None,
        "maxLength": None,
        "precision": None,
        "scale": None,
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
        "timeZone": None,
        "enum": None,
        "description": None,
    }
    assert {
        name: (each["type"], each["required"], each["maxLength"]) for name, each in found["Track"]["attributes"].items()
    } == {
        "trackId": ("Int", False, None),
        "name": ("String", True, 200),
        "albumId": ("Int", False, None),
        "mediaTypeId": ("Int", True, None),
        "composer": ("String", False, 220),
        "milliseconds": ("Int", True, None),
        "bytes": ("Int", False, None),
        "unitPrice": ("Decimal", True, None),
    }
    assert (
        fields(music, "Track").items()
        >= {
            "path": "ID!",
            "etag": "String!",
            "trackId": "Int!",
            "name": "String!",
            "albumId": "Int",
            "unitPrice": "Decimal!",
            "album": "Album",
            "mediaType": "MediaType",
            "playlistTracks": "PlaylistTrackConnection",
        }.items()
    )
    assert fields(music, "Employee")["birthDate"] == "DateTime"


def test_unique_constraints_and_unique_indexes_are_unique_keys_but_partial_ones_are_not(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE person (
          id {key}, email VARCHAR(50) UNIQUE, country VARCHAR(2), tax_number VARCHAR(20), nick VARCHAR(20), badge INTEGER,
          CONSTRAINT one_tax_number UNIQUE (country, tax_number)
        );
        CREATE UNIQUE INDEX one_nick ON person (nick);
        CREATE UNIQUE INDEX one_badge ON person (badge) WHERE badge > 0;
        CREATE UNIQUE INDEX one_lower ON person (lower(email));
        CREATE INDEX many ON person (country);
        INSERT INTO person (email, country, tax_number, nick, badge) VALUES ('a@example.org', 'DE', '12', 'ada', 5)""")
    api = start(backend)

    unique = resources(api)["Person"]["uniqueKeys"]
    paths = {
        "email=a%40example.org": 200,
        "country=DE,taxNumber=12": 200,
        "taxNumber=12,country=DE": 200,
        "nick=ada": 200,
    }
    paths |= {"nick=nobody": 404, "badge=5": 400, "country=DE": 400}

    assert sorted(unique) == [["country", "taxNumber"], ["email"], ["nick"]]
    assert {key: api.one("GET", f"/people/{key}")["status"] for key in paths} == paths
    before = backend.dump()
    again = api.batch(
        part("badge", "CREATE", "/people", {"badge": 5}), part("lower", "CREATE", "/people", {"email": "A@example.org"})
    )
    assert faults(again) == {"badge": [("CONFLICT", "/payload/badge")], "lower": [("CONFLICT", "/payload/email")]}
    assert backend.dump() == before


def test_defaults_of_the_database_are_seen_and_used(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE task (
          id {key}, title VARCHAR(20) NOT NULL DEFAULT 'new ''one''', points INTEGER NOT NULL DEFAULT 3,
          price NUMERIC(10,2) NOT NULL DEFAULT 0.5, made_at {naive} NOT NULL DEFAULT CURRENT_TIMESTAMP, note TEXT DEFAULT NULL
        )""")
    api = start(backend)
    attributes = resources(api)["Task"]["attributes"]

    created = api.one("CREATE", "/tasks")
    made = created["payload"].pop("madeAt")

    assert {name: (each["default"], each["required"]) for name, each in attributes.items()} == {
        "id": (None, False),
        "title": ("new 'one'", False),
        "points": (3, False),
        "price": ("0.50", False),
        "madeAt": (None, False),
        "note": (None, False),
    }
    assert created["payload"] == {"id": 1, "title": "new 'one'", "points": 3, "price": "0.50", "note": None}
    assert made[:2] == "20"
    assert (
        api.one("REPLACE", "/tasks/1", {"points": 9})["payload"].items() >= {"title": "new 'one'", "points": 9}.items()
    )


def test_generated_columns_are_read_only(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE box (
          id {key}, width INTEGER NOT NULL, height INTEGER NOT NULL, area INTEGER GENERATED ALWAYS AS (width * height) STORED
        )""")
    api = start(backend)

    created = api.one("CREATE", "/boxes", {"width": 2, "height": 3})
    before = backend.dump()
    rejected = api.batch(
        part("create", "CREATE", "/boxes", {"width": 1, "height": 1, "area": 1}),
        part("update", "UPDATE", "/boxes/1", {"area": 7}),
    )

    assert resources(api)["Box"]["attributes"]["area"]["readOnly"] is True
    assert resources(api)["Box"]["attributes"]["area"]["required"] is False
    assert created["payload"] == {"id": 1, "width": 2, "height": 3, "area": 6}
    assert faults(rejected) == {"create": [("READ_ONLY", "/payload/area")], "update": [("READ_ONLY", "/payload/area")]}
    assert backend.dump() == before
    assert api.one("UPDATE", "/boxes/1", {"width": 5})["payload"]["area"] == 15


def test_views_are_read_only_and_no_node(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE song (id {key}, title VARCHAR(20) NOT NULL);
        CREATE VIEW short_songs AS SELECT id, title FROM song WHERE length(title) < 4;
        INSERT INTO song VALUES (1, 'abc'), (2, 'abcdef')""")
    api = start(backend)
    view = resources(api)["ShortSong"]

    assert (view["key"], view["operations"]) == ([], ["GET"])
    assert fields(api, "ShortSong").keys() == {"id", "title"}
    assert api.query("{ shortSongs { totalCount nodes { __typename title } } }")["shortSongs"] == {
        "totalCount": 1,
        "nodes": [{"__typename": "ShortSong", "title": "abc"}],
    }
    assert api.query('{ __type(name: "ShortSong") { interfaces { name } } }')["__type"]["interfaces"] == []
    assert api.one("GET", "/shortSongs")["payload"] == {"items": [{"id": 1, "title": "abc"}], "hasMore": False}
    refused = api.one("CREATE", "/shortSongs", {"id": 3, "title": "x"})
    assert refused["errors"][0]["code"] == "OPERATION_NOT_ALLOWED"
    assert "shortSong" not in fields(api, "Query"), "without a key there is no item to ask for"
    assert "shortSong" not in fields(api, "BatchItemInput")


def test_a_table_without_key_is_read_only_with_a_notice(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE person (id {key});
        CREATE TABLE log_entry (at {naive}, text VARCHAR(20), person_id INTEGER REFERENCES person (id));
        INSERT INTO person VALUES (1);
        INSERT INTO log_entry VALUES ('2026-01-31 10:30:00', 'started', 1)""")
    api = start(backend)
    log = resources(api)["LogEntry"]

    assert (log["key"], log["operations"]) == ([], ["GET"])
    assert any(
        "LogEntry" in notice and "without primary key" in notice for notice in api.service.engine.catalog.notices
    )
    assert api.query("{ logEntries { nodes { at text person { id } } } }")["logEntries"]["nodes"] == [
        {"at": "2026-01-31T10:30:00", "text": "started", "person": {"id": 1}},
    ]
    for operation, path in [("CREATE", "/logEntries"), ("UPSERT", "/logEntries")]:
        assert api.one(operation, path, {"text": "x"})["errors"][0]["code"] == "OPERATION_NOT_ALLOWED"


def test_a_database_of_views_alone_has_no_mutation(sqlite: Backend, start: Serve):
    sqlite.run("CREATE VIEW one AS SELECT 1 AS n")
    api = start(sqlite)

    assert api.query("{ __schema { mutationType { name } } ones { totalCount } }") == {
        "__schema": {"mutationType": None},
        "ones": {"totalCount": 1},
    }


def test_self_references_lead_both_ways(music: Api):
    query = (
        "{ employee(employeeId: 2) { employeeByReportsTo { lastName } employeesByReportsTo { nodes { lastName } } } }"
    )
    assert music.query(query)["employee"] == {
        "employeeByReportsTo": {"lastName": "Adams"},
        "employeesByReportsTo": {"nodes": [{"lastName": "Clark"}]},
    }


def test_a_foreign_key_to_a_missing_table_is_no_relation_and_a_notice(sqlite: Backend, start: Serve):
    sqlite.run("CREATE TABLE song (id INTEGER PRIMARY KEY, album_id INTEGER REFERENCES album (id))")
    api = start(sqlite)

    assert relations(api)["Song"] == {}
    assert any("album" in notice for notice in api.service.engine.catalog.notices)
    assert api.query("{ songs { nodes { id albumId } } }")["songs"]["nodes"] == []


def test_a_foreign_key_that_names_no_columns_points_at_the_key(sqlite: Backend, start: Serve):
    sqlite.run(
        "CREATE TABLE album (id INTEGER PRIMARY KEY);\nCREATE TABLE song (id INTEGER PRIMARY KEY, album_id INTEGER REFERENCES album)"
    )
    assert relations(start(sqlite)) == {
        "Album": {"songs": ("Song", True, ["id"])},
        "Song": {"album": ("Album", False, ["albumId"])},
    }


@pytest.mark.parametrize(
    ("declared", "type_name"),
    [
        ("INT", "Int"),
        ("INT2", "Int"),
        ("TINYINT", "Int"),
        ("INT8", "BigInt"),
        ("BIGINT", "BigInt"),
        ("NCHAR(5)", "String"),
        ("NVARCHAR(20)", "String"),
        ("CLOB", "String"),
        ("TEXT", "String"),
        ("REAL", "Float"),
        ("FLOAT", "Float"),
        ("DOUBLE", "Float"),
        ("DECIMAL(8,3)", "Decimal"),
        ("NUMERIC", "Decimal"),
        ("BOOL", "Boolean"),
        ("BOOLEAN", "Boolean"),
        ("DATE", "Date"),
        ("TIME", "Time"),
        ("TIMESTAMP", "DateTime"),
        ("DATETIME", "DateTime"),
        ("TIMESTAMPTZ", "DateTime"),
        ("UUID", "UUID"),
        ("JSON", "JSON"),
        ("JSONB", "JSON"),
        ("BLOB", "Base64"),
    ],
)
def test_sqlite_types_as_people_write_them(sqlite: Backend, start: Serve, declared, type_name):
    sqlite.run(f"CREATE TABLE thing (id INTEGER PRIMARY KEY, value {declared})")
    assert fields(start(sqlite), "Thing")["value"] == type_name


def test_sqlite_columns_without_type_or_of_an_unknown_one_are_served(sqlite: Backend, start: Serve):
    sqlite.run("""
        CREATE TABLE thing (id INTEGER PRIMARY KEY, untyped, long_name VARCHAR, outline POLYGON);
        INSERT INTO thing VALUES (1, 'text', 'x', 'POLYGON ((0 0, 1 0, 1 1, 0 0))')""")
    api = start(sqlite)
    found = api.query("{ thing(id: 1) { untyped longName outline } }")["thing"]
    assert found == {"untyped": "text", "longName": "x", "outline": "POLYGON ((0 0, 1 0, 1 1, 0 0))"}


def test_an_empty_database_stops_the_start_with_a_sentence(sqlite: Backend, start: Serve):
    with pytest.raises(Exception, match=r"does not contain a table that can be served.*\."):
        start(sqlite)
