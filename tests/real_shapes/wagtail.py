"""After Wagtail, as Django makes the tables on SQLite: checks of JSON, UUIDs as 32 digits, a search index with triggers."""

from tests.real_shapes.shape import Shape

WAGTAIL = Shape(
    kind="sqlite",
    script="""
CREATE TABLE django_content_type (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL);
CREATE UNIQUE INDEX content_type_uniq ON django_content_type (app_label, model);
CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date datetime NOT NULL);
CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL, last_login datetime NULL,
  is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, date_joined datetime NOT NULL);
CREATE TABLE wagtailcore_locale (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, language_code varchar(100) NOT NULL UNIQUE);
CREATE TABLE wagtailcore_page (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, path varchar(255) NOT NULL UNIQUE,
  depth integer unsigned NOT NULL CHECK ("depth" >= 0), numchild integer unsigned NOT NULL CHECK ("numchild" >= 0),
  title varchar(255) NOT NULL, slug varchar(255) NOT NULL, live bool NOT NULL, first_published_at datetime NULL,
  content_type_id integer NOT NULL REFERENCES django_content_type (id) DEFERRABLE INITIALLY DEFERRED,
  owner_id integer NULL REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED,
  locale_id bigint NOT NULL REFERENCES wagtailcore_locale (id) DEFERRABLE INITIALLY DEFERRED, translation_key char(32) NOT NULL);
CREATE UNIQUE INDEX page_translation_uniq ON wagtailcore_page (translation_key, locale_id);
CREATE TABLE wagtailcore_revision (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, created_at datetime NOT NULL,
  content text NOT NULL CHECK ((JSON_VALID("content") OR "content" IS NULL)), object_id varchar(255) NOT NULL, approved bool NULL);
CREATE TABLE wagtailimages_image (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, title varchar(255) NOT NULL, width integer NOT NULL,
  focal_point_x integer unsigned NULL CHECK ("focal_point_x" >= 0), file_hash varchar(40) NOT NULL, price decimal NOT NULL, weight real NULL,
  shot_on date NULL, shot_at time NULL, thumbnail BLOB NULL, length bigint NULL);
CREATE TABLE wagtailsearch_indexentry (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, object_id varchar(50) NOT NULL, title_norm real NOT NULL,
  autocomplete text NOT NULL, title text NOT NULL, body text NOT NULL,
  content_type_id integer NOT NULL REFERENCES django_content_type (id) DEFERRABLE INITIALLY DEFERRED);
CREATE UNIQUE INDEX indexentry_uniq ON wagtailsearch_indexentry (content_type_id, object_id);
CREATE VIRTUAL TABLE wagtailsearch_indexentry_fts USING fts5(autocomplete, body, title, content='wagtailsearch_indexentry', content_rowid='id', prefix='2 3');
CREATE TRIGGER insert_fts AFTER INSERT ON wagtailsearch_indexentry BEGIN
  INSERT INTO wagtailsearch_indexentry_fts (title, body, autocomplete, rowid) VALUES (NEW.title, NEW.body, NEW.autocomplete, NEW.id); END;
CREATE TRIGGER delete_fts AFTER DELETE ON wagtailsearch_indexentry BEGIN
  INSERT INTO wagtailsearch_indexentry_fts (wagtailsearch_indexentry_fts, title, body, autocomplete, rowid) VALUES ('delete', OLD.title, OLD.body, OLD.autocomplete, OLD.id); END;
CREATE TRIGGER update_fts AFTER UPDATE ON wagtailsearch_indexentry BEGIN
  INSERT INTO wagtailsearch_indexentry_fts (wagtailsearch_indexentry_fts, title, body, autocomplete, rowid) VALUES ('delete', OLD.title, OLD.body, OLD.autocomplete, OLD.id);
  INSERT INTO wagtailsearch_indexentry_fts (title, body, autocomplete, rowid) VALUES (NEW.title, NEW.body, NEW.autocomplete, NEW.id); END;
INSERT INTO django_content_type VALUES (1, 'wagtailcore', 'page'), (2, 'auth', 'user');
INSERT INTO django_session VALUES ('abc', 'e30:1x', '2024-05-20 07:08:09.123456'), ('def', '', '2024-05-20 07:08:09');
INSERT INTO auth_user VALUES (1, 'pbkdf2$1', NULL, 1, 'admin', '2024-05-06 07:08:09.000001'), (2, '!', '2024-05-06 00:00:00', 0, 'ädä', '2024-05-06 07:08:09');
INSERT INTO wagtailcore_locale VALUES (1, 'en'), (2, 'de');
INSERT INTO wagtailcore_page VALUES (1, '0001', 1, 1, 'Root', 'root', 1, NULL, 1, NULL, 1, '8f14e45fceea467a9b1c2d3e4f5a6b7c'),
  (2, '00010001', 2, 0, 'Über uns', 'ueber-uns', 0, '2024-05-06 07:08:09.100000', 1, 1, 2, '00000000000000000000000000000001');
INSERT INTO wagtailcore_revision VALUES (1, '2024-05-06 07:08:09.123456', '{"pk": 2, "title": "Über", "n": 1.0, "e": 1e2}', '2', NULL), (2, '2024-05-06 07:08:10', 'null', '2', 1);
INSERT INTO wagtailimages_image VALUES (1, 'A', 640, 0, '', 9.99, 0.1, '2024-05-06', '07:08:09', NULL, 9007199254740993),
  (2, 'B', 1, NULL, 'ff', 10, NULL, NULL, '07:08:09.123456', x'89504e47', -1), (3, 'C', 1, 5, '', 0.1, 1e300, '0001-01-01', NULL, x'', NULL);
INSERT INTO wagtailsearch_indexentry VALUES (1, '2', 0.5, 'ueb', 'Über uns', 'text', 1), (2, '3', 1.0, '', 'A', '', 1);
""",
    not_served=frozenset(f"wagtailsearch_indexentry_fts_{each}" for each in ("data", "idx", "docsize", "config")),
    read_only=frozenset({"wagtailsearch_indexentry_fts"}),
)

SHAPES = {"Wagtail": WAGTAIL}
