"""The Chinook sample database, which nobody designed for us: the same answers from its SQLite file and from PostgreSQL.

`PARTWISE_TEST_CHINOOK` names the file, chinook.sqlite of https://github.com/lerocha/chinook-database.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.conftest import Serve
from tests.support.harness import Api, Backend, Json, faults, part
from tests.support.transactions import count_statements

FILE = os.environ.get("PARTWISE_TEST_CHINOOK")

pytestmark = pytest.mark.skipif(FILE is None, reason="PARTWISE_TEST_CHINOOK does not name Chinook's SQLite file")


def _tables(source: sa.Engine) -> sa.MetaData:
    """Describe Chinook's tables for PostgreSQL: the same names, types and constraints; single keys made by it."""
    reflected = sa.MetaData()
    reflected.reflect(source)
    tables = sa.MetaData()
    for table in reflected.sorted_tables:
        keys = [column.name for column in table.primary_key]
        columns = [
            sa.Column(
                column.name,
                column.type.as_generic(),
                *([sa.Identity(always=False)] if keys == [column.name] else []),
                nullable=column.nullable,
                primary_key=column.name in keys,
            )
            for column in table.columns
        ]
        foreign_keys = [
            sa.ForeignKeyConstraint(
                [element.parent.name for element in key.elements], [element.target_fullname for element in key.elements]
            )
            for key in table.foreign_key_constraints
        ]
        sa.Table(table.name, tables, *columns, *foreign_keys)
    return tables


def _copy(source: sa.Engine, target: sa.Engine) -> None:
    tables = _tables(source)
    tables.create_all(target)
    with source.connect() as reading, target.begin() as writing:
        for table in tables.sorted_tables:
            rows = [dict(row) for row in reading.execute(sa.select(table)).mappings()]
            writing.execute(table.insert(), rows)
            if len(table.primary_key) == 1:
                (key,) = table.primary_key
                sequence = sa.func.pg_get_serial_sequence(f'"{table.name}"', key.name)
                writing.execute(sa.select(sa.func.setval(sequence, sa.select(sa.func.max(key)).scalar_subquery())))


@pytest.fixture(scope="module")
def template(postgresql_server: sa.URL) -> Iterator[tuple[sa.Engine, str]]:
    """Chinook in PostgreSQL, to make databases after."""
    name = f"chinook_{os.getpid()}"
    url = postgresql_server.set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'"
        )
    target = sa.create_engine(url.set(database=name), poolclass=NullPool)
    _copy(sa.create_engine(f"sqlite:///file:{FILE}?mode=ro&immutable=1&uri=true", poolclass=NullPool), target)
    yield admin, name
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Chinook, in each kind of database."""
    if request.param == "sqlite":
        path = tmp_path / "chinook.sqlite"
        shutil.copyfile(str(FILE), path)
        path.chmod(0o600)
        yield Backend("sqlite", f"sqlite:///{path}")
        return
    admin, template = request.getfixturevalue("template")
    name = f"{template}_copy"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield Backend(
        "postgresql", admin.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def chinook(backend: Backend, start: Serve) -> Api:
    return start(backend)


def test_the_whole_of_it_is_served(chinook: Api):
    query = """{ resources { name collection key } albums(first: 1) { totalCount } playlistTracks(first: 1) { totalCount } }"""

    found = chinook.query(query)

    assert {each["collection"]: each["key"] for each in found["resources"]} == {
        "albums": ["albumId"],
        "artists": ["artistId"],
        "customers": ["customerId"],
        "employees": ["employeeId"],
        "genres": ["genreId"],
        "invoices": ["invoiceId"],
        "invoiceLines": ["invoiceLineId"],
        "mediaTypes": ["mediaTypeId"],
        "playlists": ["playlistId"],
        "playlistTracks": ["playlistId", "trackId"],
        "tracks": ["trackId"],
    }
    assert found["albums"] == {"totalCount": 347}
    assert found["playlistTracks"] == {"totalCount": 8715}


def test_an_artist_an_album_below_and_tracks_below_that_are_made_in_one_batch(chinook: Api, backend: Backend):
    def track(name: str) -> dict[str, object]:
        return {"name": name, "mediaTypeId": 1, "milliseconds": 1000, "unitPrice": "0.99"}

    result = chinook.batch(
        part("artist", "CREATE", "/artists", {"name": "Sigur Rós"}),
        part("album", "CREATE", "/artists/$artist/albums", {"title": "Ágætis byrjun"}),
        part("one", "CREATE", "/albums/$album/tracks", track("Svefn-g-englar")),
        part("two", "CREATE", "/artists/$artist/albums/$album/tracks", track("Starálfur")),
        part("tracks", "GET", "/albums/$album/tracks?orderBy=-name"),
    )

    assert result["status"] == "COMMITTED"
    assert [each["status"] for each in result["parts"]] == [201, 201, 201, 201, 200]
    made = ["/artists/276", "/albums/348", "/tracks/3504", "/tracks/3505"]
    assert [each["path"] for each in result["parts"][:4]] == made
    rest = {"albumId": 348, "mediaTypeId": 1, "genreId": None, "composer": None, "milliseconds": 1000, "bytes": None}
    one = {"trackId": 3504, "name": "Svefn-g-englar", "unitPrice": "0.99", **rest}
    two = {"trackId": 3505, "name": "Starálfur", "unitPrice": "0.99", **rest}
    assert result["parts"][4]["payload"] == {"items": [one, two], "hasMore": False}
    read = chinook.query(
        '{ node(path: "/artists/276") { ... on Artist { name albums { nodes { title tracks { nodes { name } } } } } } }'
    )
    tracks = {"nodes": [{"name": "Svefn-g-englar"}, {"name": "Starálfur"}]}
    assert read["node"] == {"name": "Sigur Rós", "albums": {"nodes": [{"title": "Ágætis byrjun", "tracks": tracks}]}}
    stored = backend.rows('SELECT "AlbumId", "Title", "ArtistId" FROM "Album" WHERE "AlbumId" > 347')
    assert stored == [(348, "Ágætis byrjun", 276)]


def test_of_twelve_parts_the_seven_in_error_are_listed_and_no_table_changes(chinook: Api, backend: Backend):
    before = backend.dump()

    result = chinook.batch(
        part("good artist", "CREATE", "/artists", {"name": "Neu"}),
        part("unknown", "GET", "/musicians/1"),
        part("good title", "UPDATE", "/albums/1", {"title": "Neu"}),
        part("type", "UPDATE", "/tracks/1", {"milliseconds": "long"}),
        part("stale", "UPDATE", "/albums/4", {"title": "Neu"}, ifMatch=["stale"]),
        part("unique", "CREATE", "/playlistTracks", {"playlistId": 1, "trackId": 1}),
        part("good link", "CREATE", "/playlists/18/playlistTracks", {"trackId": 1}),
        part("target", "CREATE", "/albums", {"title": "T", "artistId": 9999}),
        part("referenced", "DELETE", "/artists/1"),
        part("null", "UPDATE", "/customers/1", {"email": None}),
        part("good delete", "DELETE", "/artists/25"),
        part("good read", "GET", "/employees/1"),
    )

    assert result["status"] == "REJECTED"
    assert faults(result) == {
        "unknown": [("UNKNOWN_RESOURCE", "/path")],
        "type": [("INVALID_VALUE", "/payload/milliseconds")],
        "stale": [("PRECONDITION_FAILED", "/ifMatch")],
        "unique": [("CONFLICT", "/payload/playlistId")],
        "target": [("MISSING_TARGET", "/payload/artistId")],
        "referenced": [("STILL_REFERENCED", "/path")],
        "null": [("REQUIRED", "/payload/email")],
    }
    assert [each["index"] for each in result["parts"]] == [1, 3, 4, 5, 7, 8, 9]
    assert [each["status"] for each in result["parts"]] == [404, 422, 412, 409, 409, 409, 422]
    conflict = next(each for each in result["parts"] if each["id"] == "unique")
    assert conflict["errors"][0]["attributes"] == ["playlistId", "trackId"]
    assert backend.dump() == before


def test_a_fresh_etag_lets_an_update_through_and_a_stale_one_answers_what_is_there(chinook: Api):
    first = chinook.one("GET", "/albums/1")["etag"]

    fresh = chinook.one("UPDATE", "/albums/1", {"title": "Erste"}, ifMatch=[first])
    stale = chinook.one("UPDATE", "/albums/1", {"title": "Zweite"}, ifMatch=[first])

    assert (fresh["status"], fresh["preconditionSucceeded"]) == (200, True)
    assert fresh["etag"] != first
    assert (stale["status"], stale["preconditionSucceeded"]) == (412, False)
    assert stale["etag"] == fresh["etag"]
    assert stale["payload"] == {"albumId": 1, "title": "Erste", "artistId": 1}
    assert stale["item"] == {"__typename": "Album", "path": "/albums/1", "etag": fresh["etag"]}


def test_an_etag_is_the_same_for_every_read_and_back_again_with_the_content(chinook: Api):
    first = chinook.one("GET", "/tracks/1")["etag"]

    changed = chinook.one("UPDATE", "/tracks/1", {"unitPrice": "1.99"})["etag"]
    back = chinook.one("UPDATE", "/tracks/1", {"unitPrice": "0.99"}, ifMatch=[changed])["etag"]

    assert chinook.query('{ node(path: "/tracks/1") { etag } }')["node"]["etag"] == first == back != changed


OPERA = {"genreId": 25, "name": "Oper"}
FADO = {"genreId": 77, "name": "Fado"}


@pytest.mark.parametrize(
    ("path", "payload", "expected"),
    [
        ("/genres/25", {"name": "Oper"}, (200, "/genres/25", OPERA)),
        ("/genres/77", {"name": "Fado"}, (201, "/genres/77", FADO)),
        ("/genres", OPERA, (200, "/genres/25", OPERA)),
        ("/genres", FADO, (201, "/genres/77", FADO)),
    ],
    ids=["item there", "item absent", "key there", "key absent"],
)
def test_an_upsert_updates_what_is_there_and_creates_what_is_not(
    chinook: Api, backend: Backend, path: str, payload: object, expected: tuple[int, str, dict[str, object]]
):
    result = chinook.one("UPSERT", path, payload)

    assert (result["status"], result["path"], result["payload"]) == expected
    assert tuple(expected[2].values()) in backend.rows('SELECT "GenreId", "Name" FROM "Genre"')


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/artists/1", 409),  # by albums
        ("/albums/1", 409),  # by tracks
        ("/tracks/1", 409),  # by invoice lines and playlists
        ("/employees/2", 409),  # by employees
        ("/artists/25", 204),
        ("/playlistTracks/18,597", 204),
    ],
)
def test_only_what_nothing_points_at_can_be_deleted(chinook: Api, backend: Backend, path: str, status: int):
    before = backend.dump()

    result = chinook.one("DELETE", path)

    assert result["status"] == status
    assert {error["code"] for error in result["errors"]} == ({"STILL_REFERENCED"} if status == 409 else set())
    assert (backend.dump() == before) == (status == 409)


def test_each_collection_that_still_points_at_an_item_is_an_entry_of_its_own(chinook: Api):
    result = chinook.one("DELETE", "/tracks/1")

    assert [(error["code"], error["pointer"]) for error in result["errors"]] == [("STILL_REFERENCED", "/path")] * 2


def test_what_points_at_an_item_can_be_deleted_before_it_in_the_same_batch(chinook: Api, backend: Backend):
    result = chinook.batch(
        part("link", "DELETE", "/playlistTracks/18,597"),
        part("playlist", "DELETE", "/playlists/18"),
        part("gone", "CREATE", "/playlists/18", {"name": "On-The-Go 2"}),
        part("again", "CREATE", "/playlists/18/playlistTracks/18,1"),
    )

    assert [each["status"] for each in result["parts"]] == [204, 204, 201, 201]
    assert backend.rows('SELECT "TrackId" FROM "PlaylistTrack" WHERE "PlaylistId" = 18') == [(1,)]


def test_an_item_with_a_composite_key_is_found_made_and_refused(chinook: Api):
    result = chinook.batch(
        part("get", "GET", "/playlistTracks/1,1"),
        part("below a playlist", "GET", "/playlists/1/playlistTracks/1,1"),
        part("below a track", "GET", "/tracks/1/playlistTracks/1,1"),
        part("create", "CREATE", "/playlistTracks/18,2"),
        part("upsert", "UPSERT", "/playlistTracks", {"playlistId": 18, "trackId": 2}),
    )

    assert [each["status"] for each in result["parts"]] == [200, 200, 200, 201, 200]
    assert {each["path"] for each in result["parts"][:3]} == {"/playlistTracks/1,1"}
    assert result["parts"][0]["payload"] == {"playlistId": 1, "trackId": 1}
    refused = chinook.batch(
        part("half", "GET", "/playlistTracks/1"),
        part("other parent", "GET", "/playlists/2/playlistTracks/1,1"),
        part("other key", "UPDATE", "/playlistTracks/1,2", {"trackId": 3}),
        part("there", "CREATE", "/playlistTracks/1,1"),
        part("no track", "CREATE", "/playlistTracks/1,9999"),
    )
    assert faults(refused) == {
        "half": [("INVALID_PATH", "/path")],
        "other parent": [("NOT_FOUND", "/path")],
        "other key": [("READ_ONLY", "/payload/trackId")],
        "there": [("CONFLICT", "/path")],
        "no track": [("MISSING_TARGET", "/path")],
    }


def test_employees_report_to_employees(chinook: Api, backend: Backend):
    result = chinook.batch(
        part("boss", "CREATE", "/employees", {"lastName": "Neumann", "firstName": "Ida", "reportsTo": 1}),
        part("own boss", "UPDATE", "/employees/$boss", {}, references=[{"attribute": "reportsTo", "part": "boss"}]),
        part("below", "CREATE", "/employees/$boss/employeesByReportsTo", {"lastName": "Otto", "firstName": "Ole"}),
        part("moved", "UPDATE", "/employees/3", {}, references=[{"attribute": "employeeByReportsTo", "part": "below"}]),
    )

    assert [each["status"] for each in result["parts"]] == [201, 200, 201, 200]
    assert [each["payload"]["reportsTo"] for each in result["parts"]] == [1, 9, 9, 10]
    reporting = backend.rows(
        'SELECT "EmployeeId", "ReportsTo" FROM "Employee" WHERE "EmployeeId" IN (3, 9, 10) ORDER BY 1'
    )
    assert reporting == [(3, 10), (9, 9), (10, 9)]
    query = '{ node(path: "/employees/10") { ... on Employee { employeeByReportsTo { lastName } employeesByReportsTo { nodes { lastName } } } } }'
    assert chinook.query(query)["node"] == {
        "employeeByReportsTo": {"lastName": "Neumann"},
        "employeesByReportsTo": {"nodes": [{"lastName": "Peacock"}]},
    }


def test_values_come_back_as_the_contract_writes_them(chinook: Api):
    employee = chinook.one("GET", "/employees/1")["payload"]
    invoice = chinook.one("GET", "/invoices/1")["payload"]

    assert (employee["hireDate"], employee["reportsTo"]) == ("2002-08-14T00:00:00", None)
    assert (invoice["total"], invoice["invoiceDate"]) == ("1.98", "2021-01-01T00:00:00")
    assert invoice["billingAddress"] == "Theodor-Heuss-Straße 34"


# --- reading, beside plain SQL

# What is asked, where the answers stand, and the same in SQL.
QUESTIONS: Sequence[tuple[str, str, str]] = (
    (
        '{ tracks(first: 20, filter: { album: { artist: { name: { eq: "AC/DC" } } } }, orderBy: [{ milliseconds: DESC }]) { nodes { trackId } } }',
        "trackId",
        """SELECT t."TrackId" FROM "Track" t JOIN "Album" a USING ("AlbumId") JOIN "Artist" r USING ("ArtistId")
           WHERE r."Name" = 'AC/DC' ORDER BY t."Milliseconds" DESC, t."TrackId" LIMIT 20""",
    ),
    (
        '{ artists(first: 1000, filter: { albums: { some: { tracks: { some: { genre: { name: { eq: "Jazz" } } } } } } }) { nodes { artistId } } }',
        "artistId",
        """SELECT DISTINCT a."ArtistId" FROM "Album" a JOIN "Track" t USING ("AlbumId") JOIN "Genre" g USING ("GenreId")
           WHERE g."Name" = 'Jazz' ORDER BY a."ArtistId\"""",
    ),
    (
        "{ albums(first: 1000, filter: { tracks: { every: { milliseconds: { lt: 240000 } } } }) { nodes { albumId } } }",
        "albumId",
        """SELECT "AlbumId" FROM "Album" EXCEPT SELECT "AlbumId" FROM "Track" WHERE "Milliseconds" >= 240000 ORDER BY "AlbumId\"""",
    ),
    (
        "{ artists(first: 1000, filter: { albums: { none: {} } }, orderBy: [{ name: DESC }]) { nodes { artistId } } }",
        "artistId",
        """SELECT "ArtistId" FROM "Artist" WHERE "ArtistId" NOT IN (SELECT "ArtistId" FROM "Album") ORDER BY "Name" DESC""",
    ),
    (
        """{ tracks(first: 1000, filter: { and: [{ or: [{ composer: { isNull: true } }, { name: { startsWith: "The " } }] },
            { not: { unitPrice: { eq: "0.99" } } }] }, orderBy: [{ album: { title: ASC } }, { name: DESC }]) { nodes { trackId } } }""",
        "trackId",
        """SELECT t."TrackId" FROM "Track" t JOIN "Album" a USING ("AlbumId") WHERE (t."Composer" IS NULL OR substr(t."Name", 1, 4) = 'The ')
           AND t."UnitPrice" <> 0.99 ORDER BY a."Title", t."Name" DESC, t."TrackId\"""",
    ),
    (
        '{ customers(first: 1000, filter: { country: { in: ["Brazil", "Canada"] }, company: { isNull: false } }, orderBy: [{ state: DESC_NULLS_FIRST }]) { nodes { customerId } } }',
        "customerId",
        """SELECT "CustomerId" FROM "Customer" WHERE "Country" IN ('Brazil', 'Canada') AND "Company" IS NOT NULL
           ORDER BY "State" DESC NULLS FIRST, "CustomerId\"""",
    ),
    (
        '{ invoices(first: 1000, filter: { invoiceDate: { gte: "2023-03-01T00:00:00", lt: "2023-04-01T00:00:00" }, total: { gt: "5" } }) { nodes { invoiceId } } }',
        "invoiceId",
        """SELECT "InvoiceId" FROM "Invoice" WHERE "InvoiceDate" >= '2023-03-01' AND "InvoiceDate" < '2023-04-01' AND "Total" > 5 ORDER BY "InvoiceId\"""",
    ),
)


def test_questions_are_answered_as_plain_sql_answers_them(chinook: Api, backend: Backend):
    for query, attribute, sql in QUESTIONS:
        ((_, connection),) = chinook.query(query).items()
        found = [node[attribute] for node in connection["nodes"]]

        assert found, query
        assert found == [value for (value,) in backend.rows(sql)], query


def test_sums_and_groups_are_those_of_plain_sql(chinook: Api, backend: Backend):
    found = chinook.query("""{ invoices(filter: { billingCountry: { ne: "USA" } }) {
        aggregate { count sum { total } max { invoiceDate } }
        groupBy(by: [billingCountry], first: 1000) { keys { billingCountry } aggregate { count sum { total } } } } }""")
    where = """FROM "Invoice" WHERE "BillingCountry" <> 'USA'"""

    ((count, total),) = backend.rows(f'SELECT count(*), CAST(round(sum("Total") * 100) AS INTEGER) {where}')
    groups = backend.rows(
        f'SELECT "BillingCountry", count(*), CAST(round(sum("Total") * 100) AS INTEGER) {where} GROUP BY 1 ORDER BY 1'
    )

    whole = found["invoices"]["aggregate"]
    assert (whole["count"], _cents(whole)) == (count, total)
    assert [
        (each["keys"]["billingCountry"], each["aggregate"]["count"], _cents(each["aggregate"]))
        for each in found["invoices"]["groupBy"]
    ] == groups


def _cents(aggregate: Json) -> int:
    return int(Decimal(aggregate["sum"]["total"]) * 100)


def test_five_levels_take_five_statements_and_answer_what_is_there(
    chinook: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
):
    query = """{ artists(first: 50) { nodes { name albums(first: 20) { nodes { title
        tracks(first: 50) { nodes { name invoiceLines(first: 5) { nodes { unitPrice invoice { customer { lastName } } } } } } } } } } }"""
    sent = count_statements(monkeypatch)
    artists = chinook.query(query)["artists"]["nodes"]

    assert sum(sql.startswith("SELECT") for sql in sent) == 6, "artists, albums, tracks, lines, invoices, customers"
    names = [
        (artist["name"], album["title"], track["name"], line["unitPrice"], line["invoice"]["customer"]["lastName"])
        for artist in artists
        for album in artist["albums"]["nodes"]
        for track in album["tracks"]["nodes"]
        for line in track["invoiceLines"]["nodes"]
    ]
    assert [(*each[:3], Decimal(each[3]), each[4]) for each in names] == [
        (*row[:3], round(Decimal(row[3]), 2), row[4])
        for row in backend.rows("""SELECT r."Name", a."Title", t."Name", l."UnitPrice", c."LastName" FROM "Artist" r
            JOIN "Album" a USING ("ArtistId") JOIN "Track" t USING ("AlbumId") JOIN "InvoiceLine" l USING ("TrackId")
            JOIN "Invoice" i USING ("InvoiceId") JOIN "Customer" c USING ("CustomerId") WHERE r."ArtistId" <= 50
            ORDER BY r."ArtistId", a."AlbumId", t."TrackId", l."InvoiceLineId\"""")
    ]


def test_a_walk_by_cursors_meets_every_track_in_the_order_of_plain_sql(chinook: Api, backend: Backend):
    query = """query($after: String) { tracks(first: 700, after: $after, orderBy: [{ composer: ASC }, { unitPrice: DESC }]) {
        nodes { trackId } pageInfo { hasNextPage endCursor } } }"""
    found: list[int] = []
    after = None
    for _ in range(6):
        page = chinook.query(query, after=after)["tracks"]
        found += [node["trackId"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]

    assert not page["pageInfo"]["hasNextPage"]
    ordered = 'SELECT "TrackId" FROM "Track" ORDER BY "Composer" ASC NULLS LAST, "UnitPrice" DESC, "TrackId"'
    assert found == [key for (key,) in backend.rows(ordered)]
