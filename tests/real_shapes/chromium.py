"""After Chromium: history, cookies and logins. Times are microseconds since 1601; what is encrypted are bytes."""

from tests.real_shapes.shape import BIG, Shape

HISTORY = Shape(
    kind="sqlite",
    script="""
CREATE TABLE meta (key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR);
CREATE TABLE urls (id INTEGER PRIMARY KEY AUTOINCREMENT, url LONGVARCHAR, title LONGVARCHAR, visit_count INTEGER DEFAULT 0 NOT NULL,
  typed_count INTEGER DEFAULT 0 NOT NULL, last_visit_time INTEGER NOT NULL, hidden INTEGER DEFAULT 0 NOT NULL);
CREATE INDEX urls_by_url ON urls (url);
CREATE TABLE visits (id INTEGER PRIMARY KEY AUTOINCREMENT, url INTEGER NOT NULL, visit_time INTEGER NOT NULL, from_visit INTEGER,
  transition INTEGER DEFAULT 0 NOT NULL, visit_duration INTEGER DEFAULT 0 NOT NULL,
  incremented_score BOOLEAN DEFAULT FALSE NOT NULL, app_id TEXT);
CREATE TABLE visit_source (id INTEGER PRIMARY KEY, source INTEGER NOT NULL);
CREATE TABLE keyword_search_terms (keyword_id INTEGER NOT NULL, url_id INTEGER NOT NULL, term LONGVARCHAR NOT NULL,
  normalized_term LONGVARCHAR NOT NULL);
CREATE TABLE downloads (id INTEGER PRIMARY KEY, guid VARCHAR NOT NULL, current_path LONGVARCHAR NOT NULL, total_bytes INTEGER NOT NULL,
  hash BLOB NOT NULL, mime_type VARCHAR(255) NOT NULL);
CREATE TABLE downloads_url_chains (id INTEGER NOT NULL, chain_index INTEGER NOT NULL, url LONGVARCHAR NOT NULL, PRIMARY KEY (id, chain_index));
INSERT INTO meta VALUES ('version', 66), ('early_expiration_threshold', 13300000000000000), ('mmap_status', '-1'), ('empty', NULL);
INSERT INTO urls VALUES (1, 'https://example.org/', 'Example', 2, 1, 13359452889123456, 0), (2, '', NULL, 0, 0, 0, 1);
INSERT INTO visits VALUES (1, 1, 13359452889123456, 0, 805306369, 0, FALSE, NULL), (2, 1, 13359452889123457, 1, -1610612735, 5000000000, TRUE, '');
INSERT INTO visit_source VALUES (2, 3);
INSERT INTO keyword_search_terms VALUES (2, 1, 'Grüße', 'grüße');
INSERT INTO downloads VALUES (1, 'c0ffee', '/tmp/a b.pdf', 6442450944, x'', 'application/pdf'), (2, '', '', 0, x'00ff10', '');
INSERT INTO downloads_url_chains VALUES (1, 0, 'https://example.org/a.pdf'), (1, 1, 'https://cdn.example.org/a.pdf');
""",
    columns={
        "urls": {"last_visit_time": BIG},
        "visits": {"visit_time": BIG, "visit_duration": BIG},
        "downloads": {"total_bytes": BIG},
    },
    read_only=frozenset({"keyword_search_terms"}),
)

COOKIES = Shape(
    kind="sqlite",
    script="""
CREATE TABLE meta (key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR);
CREATE TABLE cookies (creation_utc INTEGER NOT NULL, host_key TEXT NOT NULL, top_frame_site_key TEXT NOT NULL, name TEXT NOT NULL,
  value TEXT NOT NULL, encrypted_value BLOB NOT NULL, path TEXT NOT NULL, expires_utc INTEGER NOT NULL, is_secure INTEGER NOT NULL,
  samesite INTEGER NOT NULL, source_port INTEGER NOT NULL);
CREATE UNIQUE INDEX cookies_unique_index ON cookies (host_key, top_frame_site_key, name, path, source_port);
INSERT INTO meta VALUES ('version', 21);
INSERT INTO cookies VALUES
  (13359452889123456, '.example.org', '', 'sid', '', x'763130ff00', '/', 13390988889123456, 1, -1, 443),
  (13359452889123457, '.example.org', 'https://example.org', 'sid', 'plain', x'', '/', 0, 0, 1, -1);
""",
    columns={"cookies": {"creation_utc": BIG, "expires_utc": BIG}},
    read_only=frozenset({"cookies"}),
)

LOGINS = Shape(
    kind="sqlite",
    script="""
CREATE TABLE logins (origin_url VARCHAR NOT NULL, action_url VARCHAR, username_element VARCHAR, username_value VARCHAR,
  password_element VARCHAR, password_value BLOB, signon_realm VARCHAR NOT NULL, date_created INTEGER NOT NULL,
  blacklisted_by_user INTEGER NOT NULL, times_used INTEGER, form_data BLOB, id INTEGER PRIMARY KEY AUTOINCREMENT,
  date_last_used INTEGER NOT NULL DEFAULT 0,
  UNIQUE (origin_url, username_element, username_value, password_element, signon_realm));
CREATE INDEX logins_signon ON logins (signon_realm);
CREATE TABLE stats (origin_domain VARCHAR NOT NULL, username_value VARCHAR, dismissal_count INTEGER, update_time INTEGER NOT NULL,
  UNIQUE (origin_domain, username_value));
CREATE TABLE sync_entities_metadata (storage_key INTEGER PRIMARY KEY AUTOINCREMENT, metadata VARCHAR NOT NULL);
CREATE TABLE password_notes (id INTEGER PRIMARY KEY AUTOINCREMENT, parent_id INTEGER NOT NULL REFERENCES logins ON UPDATE CASCADE ON DELETE CASCADE
  DEFERRABLE INITIALLY DEFERRED, key VARCHAR NOT NULL, value BLOB, date_created INTEGER NOT NULL, confidential INTEGER, UNIQUE (parent_id, key));
INSERT INTO logins VALUES
  ('https://example.org/', '', 'user', 'ada@example.org', 'pass', x'763130deadbeef', 'https://example.org/', 13359452889123456, 0, 3, x'', 1, 0),
  ('android://hash@org.example/', NULL, NULL, NULL, NULL, NULL, 'android://hash@org.example/', 13359452889123457, 1, NULL, NULL, 2, 13359452889123458);
INSERT INTO stats VALUES ('https://example.org/', 'ada', 1, 13359452889123456);
INSERT INTO sync_entities_metadata VALUES (1, x'0a0012ff'), (2, x'');
INSERT INTO password_notes VALUES (1, 1, '', x'00', 13359452889123456, 1), (2, 1, 'k', NULL, 13359452889123457, NULL);
""",
    columns={
        "logins": {"date_created": BIG, "date_last_used": BIG},
        "stats": {"update_time": BIG},
        "sync_entities_metadata": {"metadata": {"type": "Base64"}},
        "password_notes": {"date_created": BIG},
    },
    read_only=frozenset({"stats"}),
)

SHAPES = {"Chromium history": HISTORY, "Chromium cookies": COOKIES, "Chromium logins": LOGINS}
