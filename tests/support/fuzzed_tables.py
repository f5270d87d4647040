"""Tables for tests/support/fuzzing.py, as odd as tables are: without rows, with one, with a key and nothing else, with every rule.

`{key}` and its like are those of `Backend.translate`. Nothing here is nondeterministic: two runs of a batch are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.crowd_world import crowd_family
from tests.support.every_type import TABLE
from tests.support.library import LIBRARY
from tests.support.worlds import PARENTS, Family


@dataclass(frozen=True)
class Tables:
    """Some tables with their rows, and how they are served."""

    script: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    first: Sequence[Mapping[str, Any]] = ()  # parts that make the rows at the start, where no SQL does
    comparable: bool = True  # whether a batch that runs again does the same: no value is made anew each time


ODD = """
CREATE TABLE lone (id {key});
CREATE TABLE word (code VARCHAR(8) PRIMARY KEY NOT NULL);
CREATE TABLE pair (a INTEGER NOT NULL, b VARCHAR(5) NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE void (id {key}, n INTEGER, t VARCHAR(5) NOT NULL DEFAULT 'x');
CREATE TABLE one (id {key}, n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE leaf (
  a INTEGER NOT NULL, b VARCHAR(5) NOT NULL, up_a INTEGER, up_b VARCHAR(5), label VARCHAR(9) NOT NULL,
  PRIMARY KEY (a, b), UNIQUE (b, a), UNIQUE (up_a, label), FOREIGN KEY (up_a, up_b) REFERENCES leaf (a, b)
);
CREATE TABLE master (id {key}, code VARCHAR(8) UNIQUE, rank INTEGER UNIQUE);
CREATE TABLE detail (master_id INTEGER PRIMARY KEY NOT NULL REFERENCES master (id), note VARCHAR(9));
CREATE TABLE further (
  detail_id INTEGER PRIMARY KEY NOT NULL REFERENCES detail (master_id) ON DELETE CASCADE,
  code VARCHAR(8) REFERENCES master (code) ON UPDATE CASCADE ON DELETE SET NULL,
  rank INTEGER DEFAULT 1 REFERENCES master (rank) ON DELETE SET DEFAULT
);
CREATE TABLE seat (
  id {key}, hall VARCHAR(4), number INTEGER, row_ INTEGER, lowest INTEGER DEFAULT 1, highest INTEGER DEFAULT 9,
  kind VARCHAR(6) NOT NULL DEFAULT 'plain' CHECK (kind IN ('plain', 'box', 'stall')), CHECK (number > 0),
  UNIQUE (hall, number), UNIQUE (row_), CONSTRAINT ordered CHECK (lowest <= highest)
);
CREATE TABLE calc (
  id {key}, n INTEGER, m INTEGER NOT NULL DEFAULT 1, twice INTEGER GENERATED ALWAYS AS (n * 2) STORED,
  word VARCHAR(9) GENERATED ALWAYS AS (CASE WHEN m > 5 THEN 'many' ELSE 'few' END) STORED, UNIQUE (twice)
);
CREATE TABLE versioned (id {key}, name VARCHAR(9) UNIQUE, size INTEGER, version INTEGER NOT NULL DEFAULT 1);
CREATE TABLE counted (
  a INTEGER NOT NULL, b INTEGER NOT NULL REFERENCES versioned (id), name VARCHAR(9), version BIGINT NOT NULL,
  PRIMARY KEY (a, b)
);
CREATE TABLE sole (id {key}, version INTEGER);
CREATE TABLE hen (id {key}, egg_id INTEGER NOT NULL UNIQUE REFERENCES egg (id) {deferred}, name VARCHAR(5));
CREATE TABLE rotation (id {key}, place INTEGER NOT NULL, UNIQUE (place));
CREATE TABLE frozen (id {key}, a INTEGER, b VARCHAR(5));
CREATE TABLE archive (id {key}, a INTEGER);
CREATE TABLE loose (a INTEGER, b VARCHAR(5));
CREATE TABLE "select" (
  "from" {key}, "path" VARCHAR(9), "etag" INTEGER, "and" INTEGER UNIQUE, "a b" VARCHAR(5), "größe" INTEGER,
  "1st" INTEGER, "where%" INTEGER DEFAULT 3, "or" INTEGER REFERENCES "select" ("from")
);
CREATE TABLE watched (id {key}, n INTEGER, t VARCHAR(9));
CREATE TABLE journal (id {key}, said VARCHAR(40));
CREATE TABLE by_day (day DATE PRIMARY KEY NOT NULL, n INTEGER);
CREATE TABLE by_flag (flag BOOLEAN PRIMARY KEY NOT NULL, n INTEGER);
CREATE TABLE by_token (token UUID PRIMARY KEY NOT NULL, n INTEGER);
CREATE TABLE by_price (price NUMERIC(8,2) PRIMARY KEY NOT NULL, n INTEGER);
CREATE TABLE by_instant (at {aware} PRIMARY KEY NOT NULL, n INTEGER);
CREATE TABLE by_bytes (bytes {bytes} PRIMARY KEY NOT NULL, n INTEGER);
CREATE TABLE by_double (x {double} PRIMARY KEY NOT NULL, clock TIME UNIQUE, n INTEGER);
CREATE TABLE by_big (big BIGINT PRIMARY KEY NOT NULL, small SMALLINT UNIQUE, n BIGINT REFERENCES by_big (big));
CREATE VIEW pairs_seen AS SELECT a, count(*) AS n, max(b) AS most FROM pair GROUP BY a;
CREATE VIEW masters_seen AS SELECT id, code, rank FROM master;
INSERT INTO lone (id) VALUES (1), (2), (5);
INSERT INTO word (code) VALUES ('a'), ('b'), ('A'), ('');
INSERT INTO pair (a, b) VALUES (1, 'a'), (1, 'b'), (2, 'a'), (2, '');
INSERT INTO one (id) VALUES (1);
INSERT INTO leaf (a, b, up_a, up_b, label) VALUES
  (1, 'a', NULL, NULL, 'root'), (1, 'b', 1, 'a', 'x'), (2, 'a', 1, 'a', 'y'), (3, 'c', NULL, 'a', 'half'), (4, 'd', 4, 'd', 'own');
INSERT INTO master (id, code, rank) VALUES (1, 'a', 1), (2, 'b', NULL), (3, NULL, 3), (4, 'd', 4);
INSERT INTO detail (master_id, note) VALUES (1, 'x'), (2, NULL), (3, '');
INSERT INTO further (detail_id, code, rank) VALUES (1, 'a', 1), (2, 'd', 4), (3, NULL, NULL);
INSERT INTO seat (id, hall, number, row_, lowest, highest) VALUES
  (1, 'A', 1, 1, 1, 2), (2, 'A', NULL, NULL, NULL, 2), (3, NULL, 3, 3, 3, NULL), (4, NULL, NULL, NULL, 4, 4), (5, 'A', 5, 5, 1, 9);
INSERT INTO calc (id, n, m) VALUES (1, 1, 1), (2, NULL, 9), (3, 3, 3);
INSERT INTO versioned (id, name, size, version) VALUES (1, 'a', 1, 1), (2, NULL, NULL, 7), (3, 'c', 3, 2147483647);
INSERT INTO counted (a, b, name, version) VALUES (1, 1, 'x', 1), (2, 1, NULL, 2), (1, 2, 'y', 9223372036854775807);
INSERT INTO sole (id, version) VALUES (1, 1), (2, NULL), (3, 3);
INSERT INTO egg (id, hen_id) VALUES (1, NULL), (2, NULL), (3, NULL);
INSERT INTO hen (id, egg_id, name) VALUES (1, 1, 'a'), (2, 2, NULL);
UPDATE egg SET hen_id = id WHERE id < 3;
INSERT INTO rotation (id, place) VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5);
INSERT INTO frozen (id, a, b) VALUES (1, 1, 'x'), (2, NULL, NULL);
INSERT INTO archive (id, a) VALUES (1, 1), (2, NULL);
INSERT INTO loose (a, b) VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
INSERT INTO "select" ("from", "path", "etag", "and", "or") VALUES (1, 'p', 1, 1, NULL), (2, NULL, 2, NULL, 1), (3, '', NULL, 3, 3);
INSERT INTO watched (id, n, t) VALUES (1, 1, 'x'), (2, 2, NULL), (3, 30, 'z');
INSERT INTO by_day (day, n) VALUES ('0001-01-01', 1), ('2024-02-29', NULL), ('9999-12-31', 3);
INSERT INTO by_flag (flag, n) VALUES (TRUE, 1);
INSERT INTO by_token (token, n) VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 1);
INSERT INTO by_price (price, n) VALUES (0, 0), (1.5, 1), (-999999.99, NULL);
INSERT INTO by_instant (at, n) VALUES ('2026-01-01 00:00:00+00:00', 1), ('1970-01-01 00:00:00.000001+00:00', NULL);
INSERT INTO by_double (x, clock, n) VALUES (0.5, '12:30:00', 1), (-1e300, '23:59:59.999999', 2), (3, NULL, NULL);
INSERT INTO by_big (big, small, n) VALUES (-9223372036854775808, -32768, NULL), (9007199254740993, 5, 9007199254740993);
""" + TABLE.strip()  # fmt: skip

_SQLITE_FIRST = """
CREATE TABLE egg (id {key}, hen_id INTEGER REFERENCES hen (id) ON DELETE SET NULL);
"""
_SQLITE_ODD = """;
CREATE TABLE counting (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER UNIQUE);
CREATE TABLE bare (id INTEGER NOT NULL, n INTEGER, t TEXT, PRIMARY KEY (id, n)) WITHOUT ROWID;
CREATE TABLE strict_one (id INTEGER PRIMARY KEY, n INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
CREATE TABLE untyped (k PRIMARY KEY, v, w UNIQUE);
CREATE TABLE ranked (id INT PRIMARY KEY, n INTEGER);
CREATE TABLE folded (code TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, nick TEXT COLLATE RTRIM UNIQUE, n INTEGER);
CREATE TABLE folding (id {key}, code TEXT REFERENCES folded (code), n INTEGER);
CREATE TABLE virtual_one (id {key}, n INTEGER, next INTEGER AS (n + 1), half INTEGER AS (n / 2) UNIQUE);
CREATE TABLE spoilt (id {key}, price NUMERIC(8,2), day DATE, n INTEGER, at DATETIME, doc JSON, token UUID UNIQUE, flag BOOLEAN);
CREATE TABLE partly (id {key}, a INTEGER, b INTEGER);
CREATE UNIQUE INDEX partly_a ON partly (a) WHERE b IS NOT NULL;
CREATE UNIQUE INDEX partly_b ON partly (b + 1);
CREATE TABLE ignored (id {key}, n INTEGER UNIQUE ON CONFLICT IGNORE);
CREATE TABLE replaced (id {key}, n INTEGER UNIQUE ON CONFLICT REPLACE);
CREATE TRIGGER watch_insert AFTER INSERT ON watched BEGIN INSERT INTO journal (said) VALUES ('made ' || NEW.id); END;
CREATE TRIGGER watch_update BEFORE UPDATE ON watched WHEN NEW.n = 3
BEGIN SELECT RAISE(ABORT, 'three is no number'); END;
CREATE TRIGGER watch_change AFTER UPDATE OF t ON watched WHEN NEW.t = 'x'
BEGIN UPDATE watched SET t = 'y' WHERE id = NEW.id; END;
CREATE TRIGGER watch_delete BEFORE DELETE ON watched WHEN OLD.n = 1 BEGIN SELECT RAISE(IGNORE); END;
INSERT INTO by_bytes VALUES (x'', 1), (x'00ff', 2);
INSERT INTO every_type (id, price, flag, long, local, token, bytes, document) VALUES
  (1, 1.5, TRUE, 'x', '2024-02-29 12:30:00', '0f8fad5b-d9cb-469f-a165-70867728950e', x'00', '{"a": 1}'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO counting (id, n) VALUES (1, 1), (2, NULL);
INSERT INTO bare VALUES (1, 1, 'a'), (1, 2, NULL);
INSERT INTO strict_one VALUES (1, 1, 1.5, 'a', x'00', 'any'), (2, NULL, NULL, NULL, NULL, 5);
INSERT INTO untyped VALUES (1, 'one', 1), ('1', 1, 1.5), (NULL, NULL, NULL), (NULL, 2, 'w'), (x'00', x'01', x'02');
INSERT INTO ranked VALUES (1, 1), (NULL, 2), (NULL, 3);
INSERT INTO folded VALUES ('Ada', 'a', 1), ('bob', 'b ', 2);
INSERT INTO folding VALUES (1, 'ADA', 1), (2, 'bob', 2), (3, NULL, 3);
INSERT INTO virtual_one (id, n) VALUES (1, 1), (2, NULL), (3, 8);
INSERT INTO spoilt VALUES (1, 'much', '31.12.2020', 'x', 'noon', '{', 'none', 7), (2, 1.5, '2020-12-31', 1099511627776,
  '2020-12-31T12:00', '[1]', '0F8FAD5B-D9CB-469F-A165-70867728950E', 1), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 1, '2020-12-31', 4, '2020-12-31 12:00:00', 'null', '0f8fad5b-d9cb-469f-a165-70867728950f', 0);
INSERT INTO partly VALUES (1, 1, 1), (2, 1, NULL), (3, 3, 3);
INSERT INTO ignored VALUES (1, 1), (2, 2);
INSERT INTO replaced VALUES (1, 1), (2, 2);
"""

_POSTGRESQL_FIRST = """
CREATE TABLE egg (id {key}, hen_id INTEGER);
"""
_POSTGRESQL_ODD = """;
ALTER TABLE egg ADD FOREIGN KEY (hen_id) REFERENCES hen (id) ON DELETE SET NULL;
CREATE TYPE mood AS ENUM ('glad', 'sad', 'in between');
CREATE TYPE size_of AS ENUM ('SMALL', 'LARGE');
CREATE DOMAIN shirt AS INTEGER CHECK (VALUE BETWEEN 1 AND 99);
CREATE DOMAIN label AS VARCHAR(5) NOT NULL DEFAULT 'w';
CREATE TABLE moody (
  id {key}, mood mood NOT NULL DEFAULT 'glad', size size_of, moods mood[], sizes size_of[] NOT NULL DEFAULT '{}',
  numbers INTEGER[], words VARCHAR(5)[], bigs BIGINT[], prices NUMERIC(6,2)[], days DATE[], tokens UUID[], flags BOOLEAN[]
);
CREATE TABLE by_mood (mood mood PRIMARY KEY, size size_of UNIQUE, n INTEGER);
CREATE TABLE documents (id {key}, j JSON, b JSONB, bs JSONB[]);
CREATE TABLE opaque (
  id {key}, address INET, net CIDR, mac MACADDR, span INTERVAL, range INT4RANGE, spans TSTZRANGE, place POINT,
  search TSVECTOR, bits BIT(3), money MONEY, oid_ OID, name_ NAME, single "char", addresses INET[]
);
CREATE TABLE by_address (address INET PRIMARY KEY, span INTERVAL UNIQUE, n INTEGER);
CREATE TABLE domains (id {key}, shirt shirt UNIQUE, label label);
CREATE TABLE always (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n INTEGER UNIQUE);
CREATE TABLE serial_one (id SERIAL PRIMARY KEY, n INTEGER);
CREATE TABLE late (
  id {key}, n INTEGER UNIQUE DEFERRABLE INITIALLY DEFERRED, m INTEGER UNIQUE DEFERRABLE INITIALLY IMMEDIATE,
  above_id INTEGER REFERENCES late (id) DEFERRABLE INITIALLY IMMEDIATE
);
CREATE TABLE no_nulls (id {key}, n INTEGER, UNIQUE NULLS NOT DISTINCT (n));
CREATE TABLE booked (id {key}, during INT4RANGE, room INTEGER, EXCLUDE USING gist (during WITH &&));
CREATE TABLE partly (id {key}, a INTEGER, b INTEGER);
CREATE UNIQUE INDEX partly_a ON partly (a) WHERE b IS NOT NULL;
CREATE UNIQUE INDEX partly_b ON partly ((b + 1));
CREATE TABLE parted (id INTEGER NOT NULL, n INTEGER NOT NULL, t VARCHAR(5), PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE fine (
  id {key}, clock TIME(0), at TIMESTAMP(3), instant TIMESTAMPTZ(0), free NUMERIC, whole NUMERIC(5), many NUMERIC(60,20),
  padded CHAR(3) UNIQUE, one CHAR, single REAL UNIQUE, zoned TIMETZ, sized VARCHAR
);
CREATE VIEW lone_seen AS SELECT * FROM lone;
CREATE MATERIALIZED VIEW kept AS SELECT id, n FROM one;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'INSERT' THEN INSERT INTO journal (said) VALUES ('made ' || NEW.id); RETURN NEW; END IF; IF TG_OP = 'DELETE'
  THEN IF OLD.n = 1 THEN RETURN NULL; END IF; RETURN OLD; END IF; IF NEW.n = 3 THEN RAISE EXCEPTION 'three is no number'
  ; END IF; IF NEW.t = 'x' THEN NEW.t = 'y'; END IF; RETURN NEW; END $$;
CREATE TRIGGER watch BEFORE INSERT OR UPDATE OR DELETE ON watched FOR EACH ROW EXECUTE FUNCTION watch();
INSERT INTO by_bytes VALUES ('', 1), ('\\x00ff', 2);
INSERT INTO every_type (id, price, flag, long, local, token, bytes, document) VALUES
  (1, 1.5, TRUE, 'x', '2024-02-29 12:30:00', '0f8fad5b-d9cb-469f-a165-70867728950e', '\\x00', '{"a": 1}'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO moody (id, mood, size, moods, sizes, numbers) VALUES
  (1, 'glad', 'SMALL', '{glad,NULL}', '{SMALL}', '{1,2,NULL}'), (2, 'in between', NULL, NULL, '{}', '{}');
INSERT INTO by_mood VALUES ('glad', 'SMALL', 1), ('in between', NULL, 2);
INSERT INTO documents VALUES (1, '{"a": 1, "a": 2}', '{"a": [1, null]}', '{1,null}'), (2, 'null', 'null', NULL), (3, NULL, NULL, NULL);
INSERT INTO opaque (id, address, span, range, spans, bits, search, money) VALUES
  (1, '10.0.0.1/8', 'P1Y2M', '[1,5)', '[2020-01-01,)', '101', 'a b', 1.5), (2, NULL, '-1 day', 'empty', NULL, NULL, NULL, NULL);
INSERT INTO by_address VALUES ('10.0.0.1', 'P1D', 1), ('::1', 'P1Y', 2);
INSERT INTO domains VALUES (1, 7, 'w'), (2, NULL, 'v');
INSERT INTO always (n) VALUES (1), (2), (NULL);
INSERT INTO serial_one (n) VALUES (1), (2);
INSERT INTO late VALUES (1, 1, 1, NULL), (2, 2, 2, 1), (3, NULL, NULL, 3);
INSERT INTO no_nulls VALUES (1, 1), (2, NULL);
INSERT INTO booked VALUES (1, '[1,5)', 1), (2, NULL, NULL);
INSERT INTO partly VALUES (1, 1, 1), (2, 1, NULL), (3, 3, 3);
INSERT INTO parted VALUES (1, 1, 'a'), (1, 2, NULL);
INSERT INTO fine VALUES (1, '12:00', '2020-01-01 00:00:00.123', '2020-01-01Z', 'NaN', 99999, 1e-20, 'a', 'x', 0.1, '12:00+02', ''),
  (2, '24:00', 'infinity', '-infinity', 'Infinity', NULL, NULL, NULL, NULL, 'NaN', NULL, NULL), (3, NULL, '0044-03-15 BC', '20000-01-01Z', 1e300, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""
# What the database holds against its own types, in keys, too; and what points at it.
_SPOILT = """
CREATE TABLE day (id DATE PRIMARY KEY NOT NULL, number INTEGER UNIQUE, held DATE UNIQUE, name VARCHAR(9));
CREATE TABLE note (id {key}, day_id DATE REFERENCES day (id), held DATE REFERENCES day (held) ON DELETE SET NULL, n INTEGER REFERENCES day (number));
CREATE TABLE talk (day_id DATE NOT NULL REFERENCES day (id) ON DELETE CASCADE, place INTEGER NOT NULL, name VARCHAR(9), PRIMARY KEY (day_id, place));
CREATE TABLE loose_end (text VARCHAR(9), day_id DATE REFERENCES day (id), n INTEGER REFERENCES day (number));
"""
_SQLITE_SPOILT = """
CREATE TABLE word (id TEXT PRIMARY KEY, number INTEGER UNIQUE, doc TEXT, title TEXT AS (doc -> '$.title'));
CREATE TABLE used (id {key}, word_id TEXT REFERENCES word (id), n INTEGER REFERENCES word (number));
INSERT INTO word VALUES (NULL, 1, '{"title": "a"}'), (x'ff', 2, '"no"'), ('a', 3, '{"title": null}'), (CAST(x'ff' AS TEXT), 4, NULL);
INSERT INTO used VALUES (1, 'a', 1), (2, NULL, 2), (3, x'ff', 3);
INSERT INTO day VALUES ('31.12.2020', 1, 'nope', 'a'), ('2020-01-01', 2, '2020-13-01', 'b'), ('2020-01-02', 3, '2020-01-01', 'c'), ('', 4, NULL, 'd');
INSERT INTO note VALUES (1, '31.12.2020', 'nope', 1), (2, '2020-01-01', '2020-13-01', 2), (3, NULL, NULL, 4), (4, '2020-01-02', NULL, 3);
INSERT INTO talk VALUES ('31.12.2020', 1, 'a'), ('2020-01-01', 1, 'b'), ('', 2, 'c');
INSERT INTO loose_end VALUES ('a', '31.12.2020', 3), ('b', '2020-01-01', NULL);
"""
_POSTGRESQL_SPOILT = """
INSERT INTO day VALUES ('infinity', 1, '-infinity', 'a'), ('2020-01-01', 2, 'infinity', 'b'), ('2020-01-02', 3, '2020-01-01', 'c'), ('12000-01-01', 4, NULL, 'd');
INSERT INTO note VALUES (1, 'infinity', '-infinity', 1), (2, '2020-01-01', 'infinity', 2), (3, NULL, NULL, 4), (4, '2020-01-02', NULL, 3);
INSERT INTO talk VALUES ('infinity', 1, 'a'), ('2020-01-01', 1, 'b'), ('12000-01-01', 2, 'c');
INSERT INTO loose_end VALUES ('a', 'infinity', 3), ('b', '2020-01-01', NULL);
"""
# Keys, unique values and foreign keys without a declared type, which PostgreSQL does not have.
_UNTYPED = """
CREATE TABLE thing (k {any} PRIMARY KEY NOT NULL, u {any} UNIQUE, v {any}, name VARCHAR(5));
CREATE TABLE below (a {any} NOT NULL REFERENCES thing (k), b {any} NOT NULL, v {any} DEFAULT 1, w {any} REFERENCES thing (u), PRIMARY KEY (a, b));
CREATE TABLE typed (id {key}, thing_k VARCHAR(9) REFERENCES thing (k), v {any} NOT NULL DEFAULT '1');
CREATE TABLE valued (id {key}, typed_id {int} REFERENCES typed (id) ON DELETE CASCADE, v {any}, version INTEGER NOT NULL DEFAULT 1);
CREATE VIEW things_seen AS SELECT k, count(*) AS n, max(v) AS most FROM thing GROUP BY k;
INSERT INTO thing VALUES (1, 1, 1, 'a'), (2, '2', '1', 'b'), (3, NULL, NULL, NULL), ('x', 'x', 'x', 'x');
INSERT INTO below VALUES (1, 1, 1, 1), (1, '2', NULL, NULL), ('x', '', '', 'x');
INSERT INTO typed (id, thing_k, v) VALUES (1, 'x', 1), (2, NULL, '1');
INSERT INTO valued (id, typed_id, v, version) VALUES (1, 1, 1, 1), (2, 2, '1', 7), (3, NULL, NULL, 1)
"""
_SQLITE_UNTYPED = """;
INSERT INTO thing VALUES ('1', 2.5, 1.0, 'c'), (x'00', x'01', x'02', 'd'), (7.0, -0.0, 1e300, 'e'), (9e999, 1152921504606846976.0, 9007199254740993, 'f');
INSERT INTO below VALUES ('1', 1, '1', 2.5), (x'00', 2.5, x'', NULL), (7, 1.0, 1.0, 0)
"""
_SETTINGS: Mapping[str, Any] = {
    "resources": {
        "versioned": {"version": "version"},
        "counted": {"version": "version"},
        "sole": {"version": "version"},
        "frozen": {"attributes": {"a": {"read_only": True}, "b": {"read_only": True}}},
        "archive": {"read_only": True},
    },
    "max_page": 200,
}


def _odd(kind: str) -> Tables:
    if kind == "sqlite":
        return Tables(_SQLITE_FIRST + ODD + _SQLITE_ODD.rstrip("; \n"), _SETTINGS)
    return Tables(_POSTGRESQL_FIRST + ODD + _POSTGRESQL_ODD.rstrip("; \n"), _SETTINGS)


def _family(family: Family, kind: str, *, comparable: bool = True) -> Tables:
    key = "{key} AUTOINCREMENT" if kind == "sqlite" else "{key}"
    script = family.script.replace("{generated}", key).strip().rstrip(";")
    return Tables(";\n".join((script, *family.start)), family.settings, comparable=comparable)


_WARE = {
    "atLeast": 1,
    "above": 1,
    "between": 1,
    "half": "1.5",
    "loose": 1,
    "several": 7,
    "small": 1,
    "big": 1,
    "price": 1,
    "paid": 1,
    "rough": 1,
    "open": "0.5",
    "digits": 1,
    "places": 1,
    "both": 1,
    "share": 1,
    "ratio": 0.5,
    "name": "x",
    "code": "xy",
    "note": "",
    "seal": "AAE=",
    "tags": ["a"],
    "day": "2024-02-29",
}
_MODELS = Tables(
    "",
    {"models": "tests.support.models_limited", "create_tables": True},
    [
        *({"id": f"w{n}", "operation": "CREATE", "path": "/wares", "payload": {**_WARE, "id": n}} for n in (1, 2, 3)),
        *(
            {"id": f"p{n}", "operation": "CREATE", "path": "/parcels", "payload": {"id": n, "needed": n}}
            for n in (1, 2, 3)
        ),
    ],
    comparable=False,
)


def tables_of(name: str, kind: str) -> Tables:
    """Give tables by their name, as a kind of database has them."""
    match name:
        case "odd":
            return _odd(kind)
        case "parents":
            return _family(PARENTS, kind)
        case "library":
            return _family(LIBRARY, kind)
        case "crowd":
            return _family(crowd_family(kind), kind, comparable=False)
        case "models":
            return _MODELS
        case "spoilt":
            own = _SQLITE_SPOILT if kind == "sqlite" else _POSTGRESQL_SPOILT
            return Tables((_SPOILT + own).strip().rstrip(";"), {"max_page": 200})
        case "untyped":
            is_sqlite = kind == "sqlite"
            script = (_UNTYPED + (_SQLITE_UNTYPED if is_sqlite else "")).strip()
            words = {"{any}": "", "{int}": ""} if is_sqlite else {"{any}": "VARCHAR(9)", "{int}": "INTEGER"}
            for word, text in words.items():
                script = script.replace(word, text)
            return Tables(script, {"resources": {"valued": {"version": "version"}}, "max_page": 200})
    raise ValueError(name)


NAMES = ("models", "odd", "parents", "crowd", "library", "spoilt", "untyped")
