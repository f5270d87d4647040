"""A small music shop, after the shape of the Chinook sample database, with rows of its own. Nobody designed it for us."""

SCRIPT = """
CREATE TABLE "Artist" ("ArtistId" {key}, "Name" VARCHAR(120));
CREATE TABLE "Album" (
  "AlbumId" {key}, "Title" VARCHAR(160) NOT NULL,
  "ArtistId" INTEGER NOT NULL REFERENCES "Artist" ("ArtistId")
);
CREATE TABLE "MediaType" ("MediaTypeId" {key}, "Name" VARCHAR(120));
CREATE TABLE "Track" (
  "TrackId" {key}, "Name" VARCHAR(200) NOT NULL,
  "AlbumId" INTEGER REFERENCES "Album" ("AlbumId"),
  "MediaTypeId" INTEGER NOT NULL REFERENCES "MediaType" ("MediaTypeId"),
  "Composer" VARCHAR(220), "Milliseconds" INTEGER NOT NULL, "Bytes" INTEGER,
  "UnitPrice" NUMERIC(10,2) NOT NULL,
  CONSTRAINT "TrackIsLong" CHECK ("Milliseconds" > 0)
);
CREATE TABLE "Playlist" ("PlaylistId" {key}, "Name" VARCHAR(120) UNIQUE);
CREATE TABLE "PlaylistTrack" (
  "PlaylistId" INTEGER NOT NULL REFERENCES "Playlist" ("PlaylistId"),
  "TrackId" INTEGER NOT NULL REFERENCES "Track" ("TrackId"),
  PRIMARY KEY ("PlaylistId", "TrackId")
);
CREATE TABLE "Employee" (
  "EmployeeId" {key}, "LastName" VARCHAR(20) NOT NULL, "Email" VARCHAR(60) UNIQUE,
  "ReportsTo" INTEGER REFERENCES "Employee" ("EmployeeId"), "BirthDate" {naive}
);
CREATE TABLE "Customer" (
  "CustomerId" {key}, "FirstName" VARCHAR(40) NOT NULL, "Email" VARCHAR(60) NOT NULL UNIQUE,
  "SupportRepId" INTEGER REFERENCES "Employee" ("EmployeeId")
);
CREATE TABLE "Invoice" (
  "InvoiceId" {key}, "CustomerId" INTEGER NOT NULL REFERENCES "Customer" ("CustomerId"),
  "InvoiceDate" {naive} NOT NULL, "Total" NUMERIC(10,2) NOT NULL
);
INSERT INTO "Artist" ("ArtistId", "Name") VALUES (1, 'Nordlicht'), (2, 'Os Gêmeos'), (3, NULL);
INSERT INTO "Album" ("AlbumId", "Title", "ArtistId") VALUES (1, 'Erste', 1), (2, 'Segunda', 2), (3, 'Dritte', 1);
INSERT INTO "MediaType" ("MediaTypeId", "Name") VALUES (1, 'Audio'), (2, 'Video');
INSERT INTO "Track" ("TrackId", "Name", "AlbumId", "MediaTypeId", "Composer", "Milliseconds", "Bytes", "UnitPrice") VALUES
  (1, 'Anfang', 1, 1, 'A. Berg', 210000, 1000, 0.99), (2, 'Ende', 1, 1, NULL, 180000, NULL, 0.99),
  (3, 'Meio', 2, 2, 'B. Silva', 300000, 3000, 1.99), (4, 'Allein', NULL, 1, NULL, 90000, 500, 0.5);
INSERT INTO "Playlist" ("PlaylistId", "Name") VALUES (1, 'Morning'), (2, 'Evening');
INSERT INTO "PlaylistTrack" ("PlaylistId", "TrackId") VALUES (1, 1), (1, 2), (2, 3);
INSERT INTO "Employee" ("EmployeeId", "LastName", "Email", "ReportsTo", "BirthDate") VALUES
  (1, 'Adams', 'adams@example.org', NULL, '1962-02-18 00:00:00'),
  (2, 'Brown', 'brown@example.org', 1, '1970-05-04 00:00:00'),
  (3, 'Clark', NULL, 2, NULL);
INSERT INTO "Customer" ("CustomerId", "FirstName", "Email", "SupportRepId") VALUES
  (1, 'Luís', 'luis@example.org', 3), (2, 'Zoë', 'zoe@example.org', NULL);
INSERT INTO "Invoice" ("InvoiceId", "CustomerId", "InvoiceDate", "Total") VALUES (1, 1, '2026-01-31 10:30:00', 3.96);
"""

KEYS = {
    "Artist": "ArtistId",
    "Album": "AlbumId",
    "MediaType": "MediaTypeId",
    "Track": "TrackId",
    "Playlist": "PlaylistId",
    "Employee": "EmployeeId",
    "Customer": "CustomerId",
    "Invoice": "InvoiceId",
}

# PostgreSQL's identities do not see keys that are given.
AFTER_POSTGRESQL = "".join(
    f"""SELECT setval(pg_get_serial_sequence('"{table}"', '{key}'), (SELECT max("{key}") FROM "{table}"));\n"""
    for table, key in KEYS.items()
)
