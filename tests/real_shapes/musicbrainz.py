"""After MusicBrainz: parts of dates, checks, UUIDs, points, integer arrays, JSON, expression indexes, inheritance, rules."""

from tests.real_shapes.shape import Shape

MUSICBRAINZ = Shape(
    kind="postgresql",
    script="""
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN entity_name AS varchar CHECK (VALUE <> '');
CREATE TYPE cover_art_presence AS ENUM ('absent', 'present', 'darkened');
CREATE TYPE taggable AS ENUM ('artist', 'release_group', 'Event!');
CREATE FUNCTION upd_last_updated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW IS DISTINCT FROM OLD THEN NEW.last_updated = now(); END IF; RETURN NEW; END $$;
CREATE TABLE area (id SERIAL PRIMARY KEY, gid UUID NOT NULL, name entity_name NOT NULL, iso_code CHAR(2) CHECK (iso_code ~ '^[A-Z]{2}$'));
CREATE UNIQUE INDEX area_by_gid ON area (gid);
CREATE TABLE artist (id SERIAL PRIMARY KEY, gid UUID NOT NULL UNIQUE, name VARCHAR NOT NULL, sort_name VARCHAR NOT NULL, begin_date_year SMALLINT, begin_date_month SMALLINT,
  area INTEGER REFERENCES area, comment VARCHAR(255) NOT NULL DEFAULT '', edits_pending INTEGER NOT NULL DEFAULT 0 CHECK (edits_pending >= 0),
  last_updated TIMESTAMPTZ DEFAULT now(), ended BOOLEAN NOT NULL DEFAULT FALSE,
  CONSTRAINT month_needs_year CHECK (begin_date_month IS NULL OR begin_date_year IS NOT NULL));
CREATE UNIQUE INDEX artist_by_lower_name ON artist (lower(name), comment);
CREATE TRIGGER b_upd_artist BEFORE UPDATE ON artist FOR EACH ROW EXECUTE FUNCTION upd_last_updated();
CREATE TABLE place (id SERIAL PRIMARY KEY, gid UUID NOT NULL, name VARCHAR NOT NULL, coordinates POINT, opened DATE);
CREATE TABLE cdtoc (id SERIAL PRIMARY KEY, discid CHAR(28) NOT NULL UNIQUE, track_count positive NOT NULL, leadout_offset INTEGER NOT NULL, track_offset INTEGER[] NOT NULL,
  created TIMESTAMP);
CREATE TABLE recording (id BIGSERIAL PRIMARY KEY, gid UUID NOT NULL, name VARCHAR NOT NULL, length INTEGER CHECK (length IS NULL OR length > 0), video BOOLEAN NOT NULL DEFAULT FALSE,
  rating DOUBLE PRECISION, weight REAL, plays NUMERIC);
CREATE TABLE isrc (recording BIGINT NOT NULL REFERENCES recording, isrc CHAR(12) NOT NULL CHECK (isrc ~ '^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$'), source SMALLINT, PRIMARY KEY (isrc, recording));
CREATE TABLE edit (id SERIAL PRIMARY KEY, editor INTEGER NOT NULL, status SMALLINT NOT NULL, open_time TIMESTAMPTZ NOT NULL, quality SMALLINT NOT NULL DEFAULT 1);
CREATE TABLE edit_data (edit INTEGER PRIMARY KEY REFERENCES edit, data JSONB NOT NULL, raw JSON);
CREATE TABLE editor_watch (editor INTEGER PRIMARY KEY, notify BOOLEAN NOT NULL DEFAULT TRUE, frame INTERVAL NOT NULL DEFAULT '1 week', address INET);
CREATE TABLE release_meta (id INTEGER PRIMARY KEY, art cover_art_presence NOT NULL DEFAULT 'absent', what taggable, seen_at TIME, zoned TIME WITH TIME ZONE, bits BIT(3), amount MONEY);
CREATE TABLE l_artist_artist (id SERIAL PRIMARY KEY, entity0 INTEGER NOT NULL REFERENCES artist, entity1 INTEGER NOT NULL REFERENCES artist, link_order INTEGER NOT NULL DEFAULT 0 CHECK (link_order >= 0));
CREATE UNIQUE INDEX l_artist_artist_uniq ON l_artist_artist (entity0, entity1, COALESCE(link_order, 0));
CREATE TABLE vote (id SERIAL PRIMARY KEY, vote SMALLINT NOT NULL, superseded BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE vote_archived (archived_on DATE) INHERITS (vote);
CREATE TABLE vote_log (id INTEGER, was SMALLINT);
CREATE RULE votes_are_logged AS ON UPDATE TO vote WHERE OLD.vote <> NEW.vote DO ALSO INSERT INTO vote_log VALUES (OLD.id, OLD.vote);
INSERT INTO area (gid, name, iso_code) VALUES ('8a754a16-0027-3a29-b6d7-2b40ea0481ed', 'United Kingdom', 'GB'), ('00000000-0000-0000-0000-000000000001', 'Ä', NULL);
INSERT INTO artist (gid, name, sort_name, begin_date_year, begin_date_month, area, comment, last_updated) VALUES
  ('b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d', 'The Beatles', 'Beatles, The', 1957, 3, 1, '', '2024-05-06 07:08:09.123456+00'),
  ('f27ec8db-af05-4f36-916e-3d57f91ecf5e', '宇多田ヒカル', 'Utada, Hikaru', -44, NULL, NULL, 'not "that" one', NULL);
INSERT INTO place (gid, name, coordinates, opened) VALUES ('4352063b-a833-421b-a420-e7fb295dece0', 'Hall', '(51.5,-0.1)', '1871-03-29'), ('4352063b-a833-421b-a420-e7fb295dece1', '', NULL, '0001-01-01');
INSERT INTO cdtoc (discid, track_count, leadout_offset, track_offset, created) VALUES ('NdVbAFMwAZBTPlKwMcfDrSpSpXs-', 2, 200000, '{150,18051}', '2000-11-12 13:14:15.5'), ('short', 1, 0, '{}', NULL);
INSERT INTO recording (gid, name, length, rating, weight, plays) VALUES ('5465ca86-3881-4349-81b2-6efbd3a59451', 'Song', 240000, 0.1, 0.1, 12345678901234567890.0001),
  ('5465ca86-3881-4349-81b2-6efbd3a59452', 'Song', NULL, 1e-300, 16777216, 0.10), ('5465ca86-3881-4349-81b2-6efbd3a59453', ' x ', 1, -0.0, NULL, NULL);
INSERT INTO isrc VALUES (1, 'GBAYE0601498', NULL), (2, 'GBAYE0601498', 1);
INSERT INTO edit (editor, status, open_time) VALUES (1, 2, '2024-05-06 07:08:09+02'), (2, 1, '1999-12-31 23:59:59.999999+00');
INSERT INTO edit_data VALUES (1, '{"new": {"name": "x", "n": 1.50, "big": 12345678901234567890}, "a": [1, null, "é"]}', '{"b":1,  "a":2.0, "b":3}'), (2, '[]', NULL);
INSERT INTO editor_watch VALUES (1, TRUE, '1 week', '192.168.0.1/24'), (2, FALSE, '1 year 2 mons -3 days 04:05:06.7', '::1');
INSERT INTO release_meta VALUES (1, 'present', 'Event!', '07:08:09.5', '07:08:09+02', B'101', 12.5), (2, 'darkened', 'release_group', NULL, NULL, NULL, NULL);
INSERT INTO l_artist_artist (entity0, entity1) VALUES (1, 2), (2, 1);
INSERT INTO vote (vote) VALUES (1), (-1);
INSERT INTO vote_archived (vote, archived_on) VALUES (0, '2024-05-06');
CREATE MATERIALIZED VIEW area_containment AS SELECT id AS descendant, 1::smallint AS depth FROM area;
CREATE VIEW artist_series AS SELECT a.id AS artist, count(*) AS links, json_agg(l.id ORDER BY l.id) AS ids FROM artist AS a JOIN l_artist_artist AS l ON l.entity0 = a.id GROUP BY a.id
""",
    no_equality=frozenset({"place.coordinates"}),
    read_only=frozenset({"area_containment", "artist_series", "vote_log"}),
)

SHAPES = {"MusicBrainz": MUSICBRAINZ}
