"""After Anki: keys are milliseconds, and names are compared by a collation that only the program has."""

import sqlite3

from tests.real_shapes.shape import BIG, Shape


def as_anki(connection: sqlite3.Connection) -> None:
    """Give the connection the program's collation, which ignores case in all scripts."""
    connection.create_collation("unicase", lambda a, b: (a.casefold() > b.casefold()) - (a.casefold() < b.casefold()))


ANKI = Shape(
    kind="sqlite",
    prepare=as_anki,
    script="""
CREATE TABLE col (id integer PRIMARY KEY, crt integer NOT NULL, mod integer NOT NULL, ver integer NOT NULL, conf text NOT NULL);
CREATE TABLE notes (id integer PRIMARY KEY, guid text NOT NULL, mid integer NOT NULL, mod integer NOT NULL, usn integer NOT NULL,
  tags text NOT NULL, flds text NOT NULL, sfld integer NOT NULL, csum integer NOT NULL, flags integer NOT NULL, data text NOT NULL);
CREATE TABLE cards (id integer PRIMARY KEY, nid integer NOT NULL, did integer NOT NULL, ord integer NOT NULL, mod integer NOT NULL,
  due integer NOT NULL, ivl integer NOT NULL, factor integer NOT NULL, data text NOT NULL);
CREATE INDEX cards_by_note ON cards (nid);
CREATE TABLE revlog (id integer PRIMARY KEY, cid integer NOT NULL, usn integer NOT NULL, ease integer NOT NULL, time integer NOT NULL);
CREATE TABLE decks (id integer PRIMARY KEY NOT NULL, name text NOT NULL COLLATE unicase, mtime_secs integer NOT NULL, usn integer NOT NULL,
  common blob NOT NULL, kind blob NOT NULL);
CREATE UNIQUE INDEX decks_by_name ON decks (name);
CREATE TABLE fields (ntid integer NOT NULL, ord integer NOT NULL, name text NOT NULL COLLATE unicase, config blob NOT NULL,
  PRIMARY KEY (ntid, ord)) WITHOUT ROWID;
CREATE UNIQUE INDEX fields_by_name ON fields (name, ntid);
CREATE TABLE tags (tag text NOT NULL PRIMARY KEY COLLATE unicase, usn integer NOT NULL, collapsed boolean NOT NULL, config blob NULL) WITHOUT ROWID;
CREATE TABLE config (KEY text NOT NULL PRIMARY KEY, usn integer NOT NULL, mtime_secs integer NOT NULL, val blob NOT NULL) WITHOUT ROWID;
CREATE TABLE graves (oid integer NOT NULL, type integer NOT NULL, usn integer NOT NULL, PRIMARY KEY (oid, type)) WITHOUT ROWID;
INSERT INTO col VALUES (1, 1714946400, 1714979289123, 18, '');
INSERT INTO notes VALUES
  (1714979289123, 'q}H#1', 1607392319, 1714979289, -1, ' a b ', 'Frage' || char(31) || 'Antwort', 'Frage', 3734534534, 0, ''),
  (1714979289124, 'q}H#2', 1607392319, 1714979289, 5, '', '42' || char(31) || '', '42', 4294967295, 0, '{}');
INSERT INTO cards VALUES (1714979289200, 1714979289123, 1, 0, 1714979289, 1, 0, 2500, '{"s":0.5,"d":1e-7}'),
  (1714979289201, 1714979289124, 1714979280000, 0, 1714979289, 1715043600, 30, 0, '');
INSERT INTO revlog VALUES (1714979290000, 1714979289200, -1, 3, 4213);
INSERT INTO decks VALUES (1, 'Default', 0, 0, x'0801', x'0a00'), (1714979280000, 'Sprachen' || char(31) || 'ÄÖ', 1714979280, -1, x'', x'ff00');
INSERT INTO fields VALUES (1607392319, 0, 'Front', x'2a'), (1607392319, 1, 'Back', x'');
INSERT INTO tags VALUES ('a', -1, 0, NULL), ('Ä', 0, 1, x'01');
INSERT INTO config VALUES ('activeDecks', 0, 0, x'5b315d'), ('sortType', -1, 1714979289, x'226e6f746522');
INSERT INTO graves VALUES (1714979280001, 1, -1);
""",
    columns={
        "col": {"mod": BIG},
        "notes": {"id": BIG, "mid": BIG, "csum": BIG, "sfld": {"type": "Any"}},
        "cards": {"id": BIG, "nid": BIG, "did": BIG},
        "revlog": {"id": BIG, "cid": BIG},
        "decks": {"id": BIG},
        "fields": {"ntid": BIG},
        "graves": {"oid": BIG},
    },
    not_served=frozenset({"tags"}),  # its key has the program's collation, and SQLite has no other way to its rows
    refuses={"decks": frozenset({"name"}), "fields": frozenset({"name"})},
)

SHAPES = {"Anki": ANKI}
