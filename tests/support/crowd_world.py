"""A second family of tables, for crowds of alike parts (tests/support/crowds.py): those that run in groups, and some that do not.

It has what groups find hard: self references, a unique pair that may be null, foreign keys onto unique keys (one with its
columns in another order), a composite and a text key, keys that come again, a version column, defaults that only the
database knows, columns of many types. And what runs alone in the midst of it: a trigger that writes another table, a unique
index over some rows only, ON DELETE and ON UPDATE actions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.worlds import Family

Row = Mapping[str, Any]

SCRIPT = """
CREATE TABLE team (
  id {generated}, code VARCHAR(12) NOT NULL UNIQUE, rank INTEGER, above_id INTEGER REFERENCES team (id),
  league VARCHAR(4), seat INTEGER, UNIQUE (league, seat)
);
CREATE TABLE player (
  id {generated}, team_id INTEGER NOT NULL REFERENCES team (id), shirt INTEGER NOT NULL, name VARCHAR(10),
  goals INTEGER NOT NULL DEFAULT 0 CHECK (goals >= 0), fan_of VARCHAR(12) REFERENCES team (code),
  version INTEGER NOT NULL DEFAULT 1, UNIQUE (team_id, shirt)
);
CREATE TABLE assist (
  giver_id INTEGER NOT NULL REFERENCES player (id), taker_id INTEGER NOT NULL REFERENCES player (id), minute SMALLINT,
  PRIMARY KEY (giver_id, taker_id)
);
CREATE TABLE locker (
  label VARCHAR(8) PRIMARY KEY, number INTEGER UNIQUE, shirt INTEGER, team_id INTEGER, note TEXT,
  FOREIGN KEY (shirt, team_id) REFERENCES player (shirt, team_id)
);
CREATE TABLE ticket (
  id {counted}, team_id INTEGER REFERENCES team (id), token VARCHAR(40) NOT NULL DEFAULT {random},
  sold_at {naive} NOT NULL DEFAULT CURRENT_TIMESTAMP, price NUMERIC(8,2), rate NUMERIC, document {json}, day DATE,
  clock TIME, starts {aware}, flag BOOLEAN, ratio {double}, photo {bytes}, big BIGINT, guid UUID, size INTEGER DEFAULT 3
);
CREATE TABLE bag (
  id {generated}, locker_label VARCHAR(8) REFERENCES locker (label) ON DELETE SET NULL, weight INTEGER,
  locker_number INTEGER REFERENCES locker (number) ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE TABLE trophy (id {generated}, title VARCHAR(10), team_id INTEGER REFERENCES team (id));
CREATE UNIQUE INDEX one_of_a_title ON trophy (title) WHERE team_id IS NOT NULL;
CREATE TABLE coach (id {generated}, nick {nick} UNIQUE, team_id INTEGER DEFAULT 9 REFERENCES team (id))
"""
# A trophy raises its team: a write that nobody has asked for, to a table whose parts run in groups.
TRIGGER = {
    "sqlite": """
CREATE TRIGGER raise_team AFTER INSERT ON trophy
BEGIN UPDATE team SET rank = coalesce(rank, 0) + 1 WHERE id = NEW.team_id; END""",
    "postgresql": """
CREATE FUNCTION raise_team() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN UPDATE team SET rank = coalesce(rank, 0) + 1 WHERE id = NEW.team_id; RETURN NEW; END $$;
CREATE TRIGGER raise_team AFTER INSERT ON trophy FOR EACH ROW EXECUTE FUNCTION raise_team()""",
}
WORDS = {
    "sqlite": {
        "random": "(lower(hex(randomblob(16))))",
        "counted": "{key}",  # the largest and one, so that the key of a deleted row comes again
        "nick": "VARCHAR(10) COLLATE NOCASE",
    },
    "postgresql": {"random": "md5(random()::text)", "counted": "{key}", "nick": "word"},
}
BEFORE = {"sqlite": "", "postgresql": "CREATE DOMAIN word AS VARCHAR(10);\n"}

START: Mapping[str, Sequence[Row]] = {
    "team": [
        {
            "id": n,
            "code": f"t{n}",
            "rank": n if n % 2 else None,
            "above_id": {2: 1, 3: 1, 4: 4}.get(n),
            "league": "L" if n < 8 else None,
            "seat": n if n < 10 else None,
        }
        for n in range(1, 15)
    ],
    "player": [
        {
            "id": n,
            "team_id": (n - 1) % 5 + 1 if n < 15 else n - 3,
            "shirt": n,
            "name": f"p{n}",
            "goals": n % 4,
            "fan_of": f"t{6 + n % 2}" if n % 5 == 0 else None,
            "version": 1 + n % 2,
        }
        for n in range(1, 17)
    ],
    "assist": [{"giver_id": n, "taker_id": n % 6 + 1, "minute": n} for n in range(1, 7)],
    "locker": [
        {
            "label": f"a{n}",
            "number": n if n < 7 else None,
            "shirt": n if n < 3 else None,
            "team_id": n if n < 3 else None,
            "note": f"note {n}",
        }
        for n in range(1, 9)
    ],
    "ticket": [
        {
            "id": n,
            "team_id": n if n < 4 else None,
            "token": f"t-{n}",
            "sold_at": "2001-02-03 04:05:06",
            "price": n,
            "document": '{"a": 1}' if n % 2 else None,
            "size": n,
        }
        for n in range(1, 7)
    ],
    "bag": [
        {"id": n, "locker_label": f"a{n}" if n < 3 else None, "weight": n, "locker_number": n if 1 < n < 4 else None}
        for n in range(1, 5)
    ],
    "trophy": [{"id": 1, "title": "cup", "team_id": 1}, {"id": 2, "title": "cup", "team_id": None}],
    "coach": [{"id": 1, "nick": "Ada", "team_id": 1}, {"id": 2, "nick": None, "team_id": None}],
}
COLLECTIONS = {
    "team": "teams",
    "player": "players",
    "assist": "assists",
    "locker": "lockers",
    "ticket": "tickets",
    "bag": "bags",
    "trophy": "trophies",
    "coach": "coaches",
}
KEYS = {"assist": ("giver_id", "taker_id"), "locker": ("label",)}


def key_of(table: str, row: Row) -> str:
    """Write the key of a row as it stands in a path."""
    return ",".join(str(row[column]) for column in KEYS.get(table, ("id",)))


def _insert(table: str, rows: Sequence[Row]) -> str:
    values = ", ".join(f"({', '.join(map(_literal, row.values()))})" for row in rows)
    return f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES {values}"


def _literal(value: Any) -> str:
    return "NULL" if value is None else repr(value)


def crowd_family(kind: str) -> Family:
    """Give the family as a kind of database has it."""
    script = SCRIPT
    for word, text in WORDS[kind].items():
        script = script.replace("{" + word + "}", text)
    return Family(
        script=f"{BEFORE[kind]}{script};\n{TRIGGER[kind]}",
        tables=tuple(START)[::-1],
        counted=tuple(table for table in START if table not in KEYS),
        start=tuple(_insert(table, rows) for table, rows in START.items()),
        items=tuple(f"/{COLLECTIONS[table]}/{key_of(table, row)}" for table, rows in START.items() for row in rows),
        settings={"resources": {"player": {"version": "version"}}},
    )
