"""After Firefox: history and bookmarks in one file, cookies in another. Times are microseconds, kept as integers."""

from tests.real_shapes.shape import BIG, Shape

PLACES = Shape(
    kind="sqlite",
    script="""
CREATE TABLE moz_origins (id INTEGER PRIMARY KEY, prefix TEXT NOT NULL, host TEXT NOT NULL, frecency INTEGER NOT NULL,
  UNIQUE (prefix, host));
CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, rev_host LONGVARCHAR,
  visit_count INTEGER DEFAULT 0, hidden INTEGER DEFAULT 0 NOT NULL, frecency INTEGER DEFAULT -1 NOT NULL,
  last_visit_date INTEGER, guid TEXT, url_hash INTEGER DEFAULT 0 NOT NULL, origin_id INTEGER REFERENCES moz_origins (id));
CREATE INDEX moz_places_by_hash ON moz_places (url_hash);
CREATE UNIQUE INDEX moz_places_by_guid ON moz_places (guid);
CREATE TABLE moz_historyvisits (id INTEGER PRIMARY KEY, from_visit INTEGER, place_id INTEGER, visit_date INTEGER,
  visit_type INTEGER, session INTEGER, source INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE moz_inputhistory (place_id INTEGER NOT NULL, input LONGVARCHAR NOT NULL, use_count INTEGER,
  PRIMARY KEY (place_id, input));
CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY, type INTEGER, fk INTEGER DEFAULT NULL, parent INTEGER, position INTEGER,
  title LONGVARCHAR, dateAdded INTEGER, lastModified INTEGER, guid TEXT);
CREATE TABLE moz_keywords (id INTEGER PRIMARY KEY AUTOINCREMENT, keyword TEXT UNIQUE, place_id INTEGER, post_data TEXT);
CREATE TABLE moz_meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
INSERT INTO moz_origins VALUES (1, 'https://', 'example.org', 2000), (2, 'moz-extension://', '', -1);
INSERT INTO moz_places VALUES
  (1, 'https://example.org/?q=1&r=%C3%A9#top', 'Ein Bäcker, 東京', 'gro.elpmaxe.', 3, 0, 2000, 1714979289123456, 'aB-_01234567', 47356370932282, 1),
  (2, 'about:blank', NULL, NULL, 0, 1, -1, NULL, 'cccccccccccc', 0, NULL);
INSERT INTO moz_historyvisits VALUES (1, 0, 1, 1714979289123456, 1, 0, 0), (2, 1, 1, 1714979289999999, 5, NULL, 3);
INSERT INTO moz_inputhistory VALUES (1, 'exa', 2), (1, '', NULL), (2, 'a,b/c%', 1);
INSERT INTO moz_bookmarks VALUES (1, 2, NULL, 0, 0, '', 1714979289000000, 1714979289000000, 'root________'),
  (2, 1, 1, 1, 0, 'Line one
line two', 1714979289000001, 1714979289000002, 'bookmark____');
INSERT INTO moz_keywords VALUES (7, 'ex', 1, NULL);
INSERT INTO moz_meta VALUES ('origin_frecency_count', 2), ('origin_frecency_sum', 1999.5), ('sync/bookmarks/syncId', 'x9'), ('blob', x'00ff');
""",
    columns={
        "moz_places": {"last_visit_date": BIG, "url_hash": BIG},
        "moz_historyvisits": {"visit_date": BIG},
        "moz_bookmarks": {"dateAdded": BIG, "lastModified": BIG},
    },
)

COOKIES = Shape(
    kind="sqlite",
    script="""
CREATE TABLE moz_cookies (id INTEGER PRIMARY KEY, originAttributes TEXT NOT NULL DEFAULT '', name TEXT, value TEXT, host TEXT,
  path TEXT, expiry INTEGER, lastAccessed INTEGER, creationTime INTEGER, isSecure INTEGER, isHttpOnly INTEGER,
  inBrowserElement INTEGER DEFAULT 0, sameSite INTEGER DEFAULT 0,
  CONSTRAINT moz_uniqueid UNIQUE (name, host, path, originAttributes));
INSERT INTO moz_cookies VALUES
  (1, '', 'sid', 'a=b; "c"', '.example.org', '/', 2147483647, 1714979289123456, 1714979289000000, 1, 1, 0, 1),
  (2, '^userContextId=1', 'sid', '', '.example.org', '/', 4102444800, 1714979289123456, 1714979289000001, 0, 0, 0, 256),
  (3, '', NULL, NULL, 'x', '/ä', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
""",
    columns={"moz_cookies": {"expiry": BIG, "lastAccessed": BIG, "creationTime": BIG}},
)

SHAPES = {"Firefox places": PLACES, "Firefox cookies": COOKIES}
