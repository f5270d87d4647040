"""Names (docs/contract.md, section 4): the rules by themselves, and what a served database makes of them."""

import pytest

from storage.catalog import naming
from tests.conftest import Serve
from tests.support.described import fields, relations, resources
from tests.support.harness import Api, Backend, faults, part


@pytest.mark.parametrize(
    ("table", "type_name", "collection"),
    [
        ("Album", "Album", "albums"),
        ("albums", "Album", "albums"),
        ("invoice_lines", "InvoiceLine", "invoiceLines"),
        ("InvoiceLine", "InvoiceLine", "invoiceLines"),
        ("Order Details", "OrderDetail", "orderDetails"),
        ("order-details", "OrderDetail", "orderDetails"),
        ("SALES_ORDERS", "SalesOrder", "salesOrders"),
        ("categories", "Category", "categories"),
        ("addresses", "Address", "addresses"),
        ("address", "Address", "addresses"),
        ("status", "Status", "statuses"),
        ("people", "Person", "people"),
        ("children", "Child", "children"),
        ("boxes", "Box", "boxes"),
        ("aircraft", "Aircraft", "aircraftList"),
        ("sheep", "Sheep", "sheepList"),
        ("canvas", "Canvas", "canvases"),
        ("2nd_floors", "_2ndFloor", "_2ndFloors"),
        ("Größe", "Gr__e", "gr__es"),
        ("_secrets", "Secret", "secrets"),
    ],
)
def test_a_table_gives_its_name_to_a_type_in_the_singular_and_a_collection_in_the_plural(table, type_name, collection):
    assert naming.type_name(table) == type_name
    assert naming.collection_name(type_name) == collection


@pytest.mark.parametrize(
    ("column", "attribute"),
    [
        ("AlbumId", "albumId"),
        ("first_name", "firstName"),
        ("FIRST_NAME", "firstName"),
        ("firstName", "firstName"),
        ("customerID", "customerId"),
        ("URL", "url"),
        ("Unit Price", "unitPrice"),
        ("unit-price", "unitPrice"),
        ("Größe", "gr__e"),
        ("price€", "price_"),
        ("2nd", "_2nd"),
        ("_hidden", "hidden"),
        ("a", "a"),
    ],
)
def test_an_attribute_is_its_column_in_camel_case(column, attribute):
    assert naming.camel(column) == attribute
    assert naming.is_graphql_name(attribute)


@pytest.mark.parametrize(
    ("columns", "target", "name"),
    [
        (["ArtistId"], "Artist", "artist"),
        (["artist_id"], "Artist", "artist"),
        (["ARTIST_ID"], "Artist", "artist"),
        (["SupportRepId"], "Employee", "supportRep"),
        (["ReportsTo"], "Employee", "employeeByReportsTo"),
        (["owner"], "Person", "personByOwner"),
        (["id"], "Person", "personById"),
        (["paid"], "Bill", "billByPaid"),
        (["order_id", "line_no"], "OrderLine", "orderLineByOrderIdAndLineNo"),
    ],
)
def test_a_relation_to_one_is_named_by_its_foreign_key(columns, target, name):
    assert naming.to_one_name(columns, target) == name


@pytest.mark.parametrize(
    ("columns", "children", "parent", "name"),
    [
        (["ArtistId"], "albums", "Artist", "albums"),
        (["artist_id"], "albums", "Artist", "albums"),
        (["order_line_id"], "parcels", "OrderLine", "parcels"),
        (["SupportRepId"], "customers", "Employee", "customersBySupportRep"),
        (["ReportsTo"], "employees", "Employee", "employeesByReportsTo"),
        (["order_id", "line_no"], "parcels", "OrderLine", "parcelsByOrderIdAndLineNo"),
    ],
)
def test_a_relation_to_many_is_named_by_the_children_and_their_foreign_key(columns, children, parent, name):
    assert naming.to_many_name(columns, children, parent) == name


def test_the_music_shop_has_the_names_of_the_contract(music: Api):
    assert {name: each["collection"] for name, each in resources(music).items()} == {
        "Album": "albums",
        "Artist": "artists",
        "Customer": "customers",
        "Employee": "employees",
        "Invoice": "invoices",
        "MediaType": "mediaTypes",
        "Playlist": "playlists",
        "PlaylistTrack": "playlistTracks",
        "Track": "tracks",
    }
    found = relations(music)
    assert found["Album"] == {"artist": ("Artist", False, ["artistId"]), "tracks": ("Track", True, ["albumId"])}
    assert found["Customer"] == {
        "supportRep": ("Employee", False, ["supportRepId"]),
        "invoices": ("Invoice", True, ["customerId"]),
    }
    assert found["Employee"] == {
        "employeeByReportsTo": ("Employee", False, ["reportsTo"]),
        "employeesByReportsTo": ("Employee", True, ["employeeId"]),
        "customersBySupportRep": ("Customer", True, ["employeeId"]),
    }


def test_two_foreign_keys_to_one_table_and_composite_ones_each_have_a_relation_of_their_own(
    backend: Backend, start: Serve
):
    backend.run("""
        CREATE TABLE airport (code VARCHAR(3) PRIMARY KEY);
        CREATE TABLE flight (
          airline VARCHAR(2) NOT NULL, number INTEGER NOT NULL, origin_id VARCHAR(3) NOT NULL REFERENCES airport (code),
          destination_id VARCHAR(3) NOT NULL REFERENCES airport (code), PRIMARY KEY (airline, number)
        );
        CREATE TABLE seats (
          id {key}, airline VARCHAR(2) NOT NULL, number INTEGER NOT NULL, next_airline VARCHAR(2), next_number INTEGER,
          FOREIGN KEY (airline, number) REFERENCES flight (airline, number),
          FOREIGN KEY (next_airline, next_number) REFERENCES flight (airline, number)
        )""")

    found = relations(start(backend))

    assert found["Flight"] == {
        "origin": ("Airport", False, ["originId"]),
        "destination": ("Airport", False, ["destinationId"]),
        "seatsByAirlineAndNumber": ("Seat", True, ["airline", "number"]),
        "seatsByNextAirlineAndNextNumber": ("Seat", True, ["airline", "number"]),
    }
    assert found["Airport"] == {
        "flightsByOrigin": ("Flight", True, ["code"]),
        "flightsByDestination": ("Flight", True, ["code"]),
    }
    assert found["Seat"] == {
        "flightByAirlineAndNumber": ("Flight", False, ["airline", "number"]),
        "flightByNextAirlineAndNextNumber": ("Flight", False, ["nextAirline", "nextNumber"]),
    }


def test_a_new_foreign_key_elsewhere_renames_no_relation(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE artist (id {key});
        CREATE TABLE album (id {key}, artist_id INTEGER REFERENCES artist (id))""")
    before = relations(start(backend))

    backend.run("""
        ALTER TABLE album ADD COLUMN producer_id INTEGER REFERENCES artist (id);
        CREATE TABLE song (id {key}, artist_id INTEGER REFERENCES artist (id))""")
    after = relations(start(backend))

    assert before["Artist"] == {"albums": ("Album", True, ["id"])}
    assert after["Artist"].items() > before["Artist"].items()
    assert after["Artist"].keys() == {"albums", "albumsByProducer", "songs"}
    assert after["Album"].keys() == {"artist", "producer"}


def test_names_that_the_schema_has_already_get_a_trailing_underscore(backend: Backend, start: Serve):
    taken = ["path", "etag", "and", "or", "not", "limit", "offset", "orderBy"]
    columns = ", ".join(f'"{name}" INTEGER' for name in taken)
    backend.run(f'CREATE TABLE word (id {{key}}, {columns}, "order_by" INTEGER)')
    api = start(backend)

    attributes = [each for each in resources(api)["Word"]["attributes"] if each != "id"]
    values = {name: number for number, name in enumerate(attributes)}
    created = api.one("CREATE", "/words", values)

    assert attributes[:8] == [f"{name}_" for name in taken]
    assert len(attributes) == 9, "two columns whose names clash are both served"
    assert created["status"] == 201
    assert created["payload"] == {"id": 1, **values}
    assert api.one("GET", "/words/limit_=5")["status"] == 400, "limit_ is no key"
    listed = api.one("GET", "/words?limit_=5&limit=1")
    assert listed["payload"] == {"items": [{"id": 1, **values}], "hasMore": False}


def test_columns_that_come_to_one_name_are_both_served(backend: Backend, start: Serve):
    backend.run("""CREATE TABLE person (id {key}, "first_name" VARCHAR(20), "firstName" VARCHAR(20))""")
    api = start(backend)

    one, other = [each for each in resources(api)["Person"]["attributes"] if each != "id"]
    created = api.one("CREATE", "/people", {one: "Ada", other: "Bea"})

    assert {one, other} == {"firstName", "firstName_"}
    assert created["payload"] == {"id": 1, one: "Ada", other: "Bea"}
    assert backend.rows('SELECT "first_name", "firstName" FROM person') == [("Ada", "Bea")]


def test_a_relation_makes_room_for_a_column_of_its_name(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE artist (id {key}, albums INTEGER);
        CREATE TABLE album (id {key}, artist VARCHAR(20), artist_id INTEGER REFERENCES artist (id));
        INSERT INTO artist VALUES (1, 7);
        INSERT INTO album VALUES (1, 'as text', 1)""")
    api = start(backend)
    found = relations(api)

    ((to_one, (target, _, _)),) = found["Album"].items()
    ((to_many, _),) = found["Artist"].items()
    album = api.query(f"{{ album(id: 1) {{ artist {to_one} {{ id albums {to_many} {{ nodes {{ id }} }} }} }} }}")[
        "album"
    ]

    assert target == "Artist"
    assert album == {"artist": "as text", to_one: {"id": 1, "albums": 7, to_many: {"nodes": [{"id": 1}]}}}


def test_two_tables_that_come_to_one_type_name_are_both_served(backend: Backend, start: Serve):
    backend.run(
        'CREATE TABLE "OrderDetail" (id {key}); CREATE TABLE order_details (id {key}, note VARCHAR(9))'.replace(
            "; ", ";\n"
        )
    )
    api = start(backend)
    found = resources(api)

    assert found.keys() == {"OrderDetail", "OrderDetail_"}
    assert len({each["path"] for each in found.values()}) == 2
    assert any("OrderDetail_" in notice for notice in api.service.engine.catalog.notices)
    for name, each in found.items():
        created = api.batch(part("new", "CREATE", each["path"]))
        assert created["status"] == "COMMITTED", name
        assert created["parts"][0]["item"]["__typename"] == name


@pytest.mark.parametrize(
    "name", ["Node", "Query", "Resource", "Operation", "BatchResult", "PageInfo", "String", "DateTime"]
)
def test_a_table_named_as_a_built_in_type_gets_a_trailing_underscore_and_a_notice(backend: Backend, start: Serve, name):
    backend.run(f'CREATE TABLE "{name}" (id {{key}}, name VARCHAR(9))')
    api = start(backend)
    (found,) = resources(api).values()

    assert found["name"] == f"{name}_"
    assert any(f"{name}_" in notice for notice in api.service.engine.catalog.notices)
    created = api.one("CREATE", found["path"], {"name": "x"})
    assert created["item"]["__typename"] == f"{name}_"
    assert created["payload"] == {"id": 1, "name": "x"}
    assert api.query(f"{{ {found['collection']} {{ nodes {{ id name }} }} }}")[found["collection"]]["nodes"] == [
        {"id": 1, "name": "x"}
    ]


@pytest.mark.parametrize("album", ["Album", "albums"])
@pytest.mark.parametrize(
    "ending",
    [
        *("Input", "Filter", "ListFilter", "OrderBy", "Connection", "Edge"),
        *("Aggregate", "Sum", "Avg", "Min", "Max", "Attribute", "Group"),  # GroupKeys would be a plural
    ],
)
def test_a_table_named_as_a_derived_type_gets_the_underscore_and_the_other_keeps_its_name(
    sqlite: Backend, start: Serve, album, ending
):
    sqlite.run(
        f'CREATE TABLE "{album}" (id {{key}}, title TEXT);\nCREATE TABLE "Album{ending}" (id {{key}}, size INTEGER)'
    )
    api = start(sqlite)

    assert resources(api).keys() == {"Album", f"Album{ending}_"}
    assert fields(api, "Album")["title"] == "String"
    assert fields(api, f"Album{ending}_")["size"] == "Int"
    assert fields(api, "AlbumInput") == {"id": "Int", "title": "String"}


@pytest.mark.parametrize("table", ["parts", "references", "batch_items", "string", "int", "date_times"])
def test_a_table_whose_derived_types_the_schema_has_already_is_served(backend: Backend, start: Serve, table):
    backend.run(f'CREATE TABLE "{table}" (id {{key}}, name VARCHAR(9))')
    api = start(backend)
    (found,) = resources(api).values()
    (member,) = fields(api, "BatchItemInput")

    created = api.batch(part("a", "CREATE", found["path"], item={member: {"name": "x"}}))

    assert created["status"] == "COMMITTED", faults(created)
    assert created["parts"][0]["item"]["__typename"] == found["name"]
    assert fields(api, "PartInput")["operation"] == "Operation!"


def test_names_with_blanks_umlauts_and_quotes_are_served(backend: Backend, start: Serve):
    backend.run("""
        CREATE TABLE "Größen" ("Größe Nr." {key}, "it's ""big"" 100%" VARCHAR(9));
        CREATE TABLE "Order Details" (
          "Order Id" INTEGER NOT NULL, "Line No" INTEGER NOT NULL, "Unit Price" NUMERIC(10,2) NOT NULL,
          PRIMARY KEY ("Order Id", "Line No")
        )""")
    api = start(backend)
    found = resources(api)
    sizes = next(each for name, each in found.items() if name.startswith("Gr__"))
    key, text = sizes["attributes"]

    result = api.batch(
        part("line", "CREATE", "/orderDetails", {"orderId": 7, "lineNo": 1, "unitPrice": "1.50"}),
        part("line again", "UPDATE", "/orderDetails/7,1", {"unitPrice": "2.50"}),
        part("size", "CREATE", sizes["path"], {text: "XL"}),
        part("size again", "GET", f"{sizes['path']}/1"),
    )

    assert result["status"] == "COMMITTED"
    assert found["OrderDetail"]["key"] == ["orderId", "lineNo"]
    assert result["parts"][1]["payload"] == {"orderId": 7, "lineNo": 1, "unitPrice": "2.50"}
    assert result["parts"][3]["payload"] == {key: 1, text: "XL"}
    assert backend.rows('SELECT "Unit Price" FROM "Order Details"')[0][0] == 2.5
