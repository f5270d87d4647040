"""What a database has: its tables and views with all that the catalog asks about, as plain values."""

import logging
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedForeignKeyConstraint
from sqlalchemy.engine.reflection import ObjectKind

from storage.catalog.checks import checks_of, choices_of

# Type names that people write in SQLite and that SQLAlchemy does not know; the last is our own (see tables.py).
SQLITE_TYPE_NAMES: Mapping[str, type[sa.types.TypeEngine[Any]]] = {
    "BOOL": sa.BOOLEAN,
    "JSONB": sa.JSON,
    "UUID": sa.UUID,
    "BYTEA": sa.LargeBinary,
    "INT2": sa.SmallInteger,
    "INT8": sa.BigInteger,
    "TINYINT": sa.SmallInteger,
    "NCHAR": sa.NCHAR,
    "DECIMAL_TEXT": sa.Numeric,
}
logger = logging.getLogger("partwise")

_SQLITE_AWARE = re.compile(r"TIMESTAMPTZ|(TIMESTAMP|DATETIME) WITH TIME ZONE", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedConstraint:
    """A constraint as the database names it when it refuses a row."""

    name: str
    columns: tuple[str, ...]
    choices: tuple[str, ...] = ()  # of a check that lists the texts that its column may have


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKeyFacts:
    """A foreign key of a table."""

    columns: tuple[str, ...]
    target_table: str
    target_columns: tuple[str, ...]
    target_schema: str | None = None  # where it is another than the table's own
    on_delete: str | None = None  # CASCADE, SET NULL, SET DEFAULT; None: refused
    on_update: str | None = None
    # PostgreSQL: schema and name of the target columns' collations, where the columns have others.
    collations: tuple[tuple[str, str] | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """One table or view of a database."""

    name: str
    schema: str | None = None
    is_view: bool = False
    is_closed: bool = False  # PostgreSQL: our role may not write it
    columns: tuple[ReflectedColumn, ...]
    sql_types: Mapping[str, str]  # column -> its type, without length or precision
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKeyFacts, ...] = ()
    constraints: tuple[NamedConstraint, ...] = ()  # checks, exclusions, foreign keys, partial and expression indexes
    deferred_unique: frozenset[tuple[str, ...]] = frozenset()  # columns of keys that are checked at COMMIT only
    deferred_foreign: frozenset[tuple[str, ...]] = frozenset()
    has_triggers: bool = False
    has_policies: bool = False  # PostgreSQL: row security decides which rows our role sees and may change
    is_collated: bool = False  # some key compares text otherwise than character by character
    odd_unique: bool = (
        False  # something unique that is no unique key: of some rows only, over expressions, an exclusion
    )
    rowid_key: bool = False  # SQLite: the key is the rowid, made by the database where it is not given
    autoincrement: bool = False  # SQLite: no such key is given a second time
    sequences: Mapping[str, str] = field(
        default_factory=dict
    )  # PostgreSQL: column -> the sequence that it is taken from
    comment: str | None = None


@dataclass(slots=True)
class _Gathered:
    """What one database says beyond SQLAlchemy's reflection."""

    sql_types: dict[str, dict[str, str]] = field(default_factory=dict)
    constraints: dict[str, list[NamedConstraint]] = field(default_factory=dict)
    deferred_unique: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    deferred_foreign: dict[str, set[tuple[str, ...]] | None] = field(default_factory=dict)  # None: all of the table
    rowid_keys: set[str] = field(default_factory=set)
    autoincrement: set[str] = field(default_factory=set)
    sequences: dict[str, dict[str, str]] = field(default_factory=dict)
    collated: set[str] = field(default_factory=set)
    odd_unique: set[str] = field(default_factory=set)
    checks: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))  # name and text
    triggered: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    guarded: set[str] = field(default_factory=set)
    unique: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    foreign_keys: dict[str, list[ForeignKeyFacts]] = field(default_factory=dict)
    # Of what foreign keys point at: table, target table and columns -> as in `ForeignKeyFacts`.
    collations: dict[tuple[str, str, tuple[str, ...]], tuple[tuple[str, str] | None, ...]] = field(default_factory=dict)


def reflect(connection: sa.Connection) -> tuple[TableFacts, ...]:
    """Read the tables and views of the connection's own schema, in the order of their names; views that work."""
    inspector = sa.inspect(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    readable = _readable(connection, inspector) if is_sqlite else None
    views = {*inspector.get_view_names(), *([] if is_sqlite else inspector.get_materialized_view_names())}
    with warnings.catch_warnings():
        # Expression indexes and unknown types are dealt with here, and said in the catalog's own words.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        columns = inspector.get_multi_columns(kind=ObjectKind.ANY, filter_names=readable)
        keys = inspector.get_multi_pk_constraint(kind=ObjectKind.TABLE)
        foreign_keys = inspector.get_multi_foreign_keys(kind=ObjectKind.TABLE)
        checks = {} if is_sqlite else inspector.get_multi_check_constraints(kind=ObjectKind.TABLE)
        comments = (
            inspector.get_multi_table_comment(kind=ObjectKind.ANY) if connection.dialect.supports_comments else {}
        )
    gather = _gather_sqlite if is_sqlite else _gather_postgresql
    gathered = gather(connection, {name: [column["name"] for column in found] for (_, name), found in columns.items()})
    for (_, table_name), found_checks in checks.items():
        gathered.checks[table_name] += ((check["name"] or "", check["sqltext"]) for check in found_checks)
    tables = []
    for table in sorted(columns, key=lambda key: key[1]):
        name = table[1]
        names = [column["name"] for column in columns[table]]
        unique = gathered.unique.get(name, [])
        found = gathered.foreign_keys.get(name) or [_foreign_key(key) for key in foreign_keys.get(table, ())]
        by_place = sorted(found, key=lambda key: [names.index(column) for column in key.columns])
        own_keys = tuple(
            replace(
                _complete(key, keys, table),
                collations=gathered.collations.get((name, key.target_table, key.columns), ()),
            )
            for key in by_place
        )
        waiting = gathered.deferred_foreign.get(name, set())
        tables.append(
            TableFacts(
                name=name,
                is_view=name in views,
                is_closed=name in gathered.closed,
                columns=tuple(columns[table]),
                sql_types=gathered.sql_types[name],
                primary_key=tuple(keys[table]["constrained_columns"]) if table in keys else (),
                unique=tuple(dict.fromkeys(unique)),
                foreign_keys=own_keys,
                constraints=(
                    *gathered.constraints.get(name, ()),
                    *(_check(own, text, mentioned(text, names)) for own, text in gathered.checks[name]),
                ),
                deferred_unique=frozenset(gathered.deferred_unique.get(name, set())),
                deferred_foreign=frozenset({key.columns for key in own_keys} if waiting is None else waiting),
                has_triggers=name in gathered.triggered,
                has_policies=name in gathered.guarded,
                is_collated=name in gathered.collated,
                odd_unique=name in gathered.odd_unique,
                rowid_key=name in gathered.rowid_keys,
                autoincrement=name in gathered.autoincrement,
                sequences=gathered.sequences.get(name, {}),
                comment=comments.get(table, {"text": None})["text"],
            )
        )
    return tuple(tables)


def _readable(connection: sa.Connection, inspector: sa.Inspector) -> list[str]:
    """Find the tables, and the views that can be read: in SQLite one may be over a table that is gone."""
    found = inspector.get_table_names()
    for view in inspector.get_view_names():
        try:
            connection.exec_driver_sql(f"SELECT 1 FROM {connection.dialect.identifier_preparer.quote(view)} LIMIT 0")
        except sa.exc.OperationalError:
            logger.warning("The view %r is left out: it cannot be read.", view)
        else:
            found.append(view)
    return found


def mentioned(text: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Say which columns an SQL expression mentions; string literals do not count."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", text)
    return tuple(
        column for column in columns if re.search(rf"(?<![\w$]){re.escape(column)}(?![\w$(])", bare, re.IGNORECASE)
    )


def _check(name: str, text: str, columns: tuple[str, ...]) -> NamedConstraint:
    choices = choices_of(text, columns[0]) if len(columns) == 1 else ()
    return NamedConstraint(name=name, columns=columns, choices=choices)


def _foreign_key(key: ReflectedForeignKeyConstraint) -> ForeignKeyFacts:
    options = key.get("options", {})
    return ForeignKeyFacts(
        columns=tuple(key["constrained_columns"]),
        target_table=key["referred_table"],
        target_columns=tuple(key["referred_columns"]),
        target_schema=key["referred_schema"],
        on_delete=_action(options.get("ondelete")),
        on_update=_action(options.get("onupdate")),
    )


def _action(text: str | None) -> str | None:
    return None if text is None or text.upper() in {"NO ACTION", "RESTRICT"} else text.upper()


def _complete(key: ForeignKeyFacts, keys: Mapping[Any, Any], table: Any) -> ForeignKeyFacts:
    """Name the target columns of a foreign key that leaves them out: they are the target's primary key."""
    if key.target_columns:
        return key
    target = keys.get((table[0], key.target_table))
    return replace(key, target_columns=tuple(target["constrained_columns"]) if target else ())


def _gather_sqlite(connection: sa.Connection, columns: Mapping[str, Sequence[str]]) -> _Gathered:
    gathered = _Gathered()
    without_rowid = {row[1] for row in connection.exec_driver_sql("PRAGMA table_list") if row[4]}
    for name in columns:
        quoted = name.replace('"', '""')
        rows = connection.exec_driver_sql(f'PRAGMA table_xinfo("{quoted}")').all()
        gathered.sql_types[name] = {row[1]: row[2] for row in rows}
        key = [row for row in rows if row[5]]
        _gather_sqlite_indexes(connection, name, gathered)
        gathered.foreign_keys[name] = _sqlite_foreign_keys(connection, name, columns)
        if len(key) == 1 and key[0][2].upper() == "INTEGER" and name not in without_rowid:
            gathered.rowid_keys.add(name)
    for kind, name, table, sql in connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        if kind == "trigger":
            gathered.triggered.add(_as_declared(table, columns))
        if kind == "table" and sql and re.search(r"INITIALLY\s+DEFERRED", sql, re.IGNORECASE):
            gathered.deferred_foreign[table] = None  # which of them SQLite does not tell
        if kind == "table" and sql and re.search(r"COLLATE\s+(?!BINARY\b)", sql, re.IGNORECASE):
            gathered.collated.add(table)
        if kind == "table" and sql:
            gathered.checks[table] += checks_of(sql)
        if kind == "table" and sql and re.search(r"\bAUTOINCREMENT\b", sql, re.IGNORECASE):
            gathered.autoincrement.add(table)
        if kind == "index" and sql and table in columns and re.match(r"CREATE\s+UNIQUE", sql, re.IGNORECASE):
            text = sql[sql.index("(") :]
            constraint = NamedConstraint(name=name, columns=mentioned(text, columns[table]))
            gathered.constraints.setdefault(table, []).append(constraint)
    return gathered


def _gather_sqlite_indexes(connection: sa.Connection, table: str, gathered: _Gathered) -> None:
    """Find the unique keys: SQLAlchemy reads them out of the table's text, and not from every spelling of it."""
    quoted = table.replace('"', '""')
    found = []
    for _, name, unique, origin, partial in connection.exec_driver_sql(f'PRAGMA index_list("{quoted}")').all():
        escaped = name.replace('"', '""')
        rows = connection.exec_driver_sql(f'PRAGMA index_xinfo("{escaped}")').all()
        columns = [row[2] for row in rows if row[5]]  # the others are carried along
        if unique and any(row[4].upper() != "BINARY" for row in rows if row[5]):
            gathered.collated.add(table)
        if unique and (partial or None in columns):  # None: an expression, or the rowid
            gathered.odd_unique.add(table)
        elif unique and origin != "pk":
            found.append(tuple(columns))
    gathered.unique[table] = found[::-1]  # SQLite lists the latest first


def _as_declared(name: str, names: Iterable[str]) -> str:
    """SQLite takes names in any case: find the one that is meant."""
    return next((each for each in names if each.lower() == name.lower()), name)


def _sqlite_foreign_keys(
    connection: sa.Connection, table: str, columns: Mapping[str, Sequence[str]]
) -> list[ForeignKeyFacts]:
    """Find the foreign keys with their actions, which SQLAlchemy reads out of the table's text, and not all."""
    quoted = table.replace('"', '""')
    rows = connection.exec_driver_sql(f'PRAGMA foreign_key_list("{quoted}")').all()
    found = []
    for _, group in groupby(sorted(rows, key=lambda row: (row[0], row[1])), key=lambda row: row[0]):
        steps = list(group)
        _, _, written, _, _, on_update, on_delete, _ = steps[0]
        target = _as_declared(written, columns)
        found.append(
            ForeignKeyFacts(
                columns=tuple(step[3] for step in steps),
                target_table=target,
                target_columns=tuple(_as_declared(step[4], columns.get(target, ())) for step in steps if step[4]),
                on_delete=_action(on_delete),
                on_update=_action(on_update),
            )
        )
    return found


_POSTGRESQL_TYPES = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""
_POSTGRESQL_CONSTRAINTS = """
SELECT c.relname, k.conname, k.contype::text, k.condeferred, CASE k.contype WHEN 'x' THEN pg_get_constraintdef(k.oid) END,
       array(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.number ORDER BY n.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('c', 'f', 'p', 'u', 'x')
"""
_POSTGRESQL_TRIGGERS = """
SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
UNION
SELECT c.relname FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
"""
# Columns of keys, unique and foreign ones, too, whose equality is not that of their characters.
_POSTGRESQL_COLLATED = """
SELECT DISTINCT c.relname
FROM (SELECT indrelid, indkey::int2[] FROM pg_index WHERE indisunique
      UNION ALL SELECT conrelid, conkey FROM pg_constraint WHERE contype = 'f') AS k (relation, numbers)
JOIN pg_class c ON c.oid = k.relation
JOIN pg_attribute a ON a.attrelid = k.relation AND a.attnum = ANY (k.numbers)
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relnamespace = current_schema()::regnamespace
  AND (t.typname = 'citext' OR b.typname = 'citext' OR NOT coalesce(l.collisdeterministic, true))
"""
# Foreign keys with columns of other collations than those that they point at, by which PostgreSQL compares them.
_POSTGRESQL_COMPARED = """
SELECT c.relname, t.relname, array_agg(a.attname::text ORDER BY n.place),
       array_agg(a.attcollation <> b.attcollation AND b.attcollation <> 0 ORDER BY n.place),
       array_agg(s.nspname::text ORDER BY n.place), array_agg(l.collname::text ORDER BY n.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS n (own, target, place)
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.own
JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = n.target
LEFT JOIN pg_collation l ON l.oid = b.attcollation LEFT JOIN pg_namespace s ON s.oid = l.collnamespace
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype = 'f'
GROUP BY k.oid, c.relname, t.relname HAVING bool_or(a.attcollation <> b.attcollation AND b.attcollation <> 0)
"""
_POSTGRESQL_SEQUENCES = """
SELECT c.relname, a.attname, s.name
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
CROSS JOIN LATERAL (SELECT pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS name) s
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
  AND NOT a.attisdropped AND s.name IS NOT NULL AND has_sequence_privilege(s.name, 'USAGE')
"""
_POSTGRESQL_GUARDED = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND row_security_active(c.oid)
"""
_POSTGRESQL_AT_COMMIT = "SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgdeferrable)"
_POSTGRESQL_CLOSED = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'f')
  AND NOT has_table_privilege(c.oid, 'UPDATE')
"""
_POSTGRESQL_INDEXES = """
SELECT t.relname, i.relname, pg_get_indexdef(i.oid),
       CASE WHEN x.indpred IS NULL AND x.indexprs IS NULL AND x.indisvalid THEN
         array(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS n (number, place)
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = n.number
               WHERE n.place <= x.indnkeyatts ORDER BY n.place) END,
       x.indisprimary, coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relnamespace = current_schema()::regnamespace AND x.indisunique
ORDER BY x.indexrelid
"""


def _gather_postgresql(connection: sa.Connection, columns: Mapping[str, Sequence[str]]) -> _Gathered:
    gathered = _Gathered()
    for table, column, sql_type in connection.exec_driver_sql(_POSTGRESQL_TYPES):
        gathered.sql_types.setdefault(table, {})[column] = sql_type
    named = set()
    for table, name, kind, deferred, exclusion, key in connection.exec_driver_sql(_POSTGRESQL_CONSTRAINTS):
        named.add((table, name))
        if kind == "x":
            gathered.odd_unique.add(table)
        own = mentioned(exclusion, columns.get(table, ())) if exclusion else tuple(key)
        if kind == "c":  # in the order of the table, as SQLite's are
            own = tuple(column for column in columns.get(table, ()) if column in own)
        gathered.constraints.setdefault(table, []).append(NamedConstraint(name=name, columns=own))
        if deferred:
            if kind == "f":
                found = gathered.deferred_foreign.get(table) or set()
                gathered.deferred_foreign[table] = {*found, tuple(key)}
            else:
                gathered.deferred_unique.setdefault(table, set()).add(tuple(key))
    gathered.closed = {row[0] for row in connection.exec_driver_sql(_POSTGRESQL_CLOSED)}
    gathered.triggered = {row[0] for row in connection.exec_driver_sql(_POSTGRESQL_TRIGGERS)}
    gathered.guarded = {row[0] for row in connection.exec_driver_sql(_POSTGRESQL_GUARDED)}
    gathered.collated = {row[0] for row in connection.exec_driver_sql(_POSTGRESQL_COLLATED)}
    for table, target, key, differ, schemas, names in connection.exec_driver_sql(_POSTGRESQL_COMPARED):
        gathered.collations[table, target, tuple(key)] = tuple(
            (schema, name) if differs else None for differs, schema, name in zip(differ, schemas, names, strict=True)
        )
    for table, column, sequence in connection.exec_driver_sql(_POSTGRESQL_SEQUENCES):
        gathered.sequences.setdefault(table, {})[column] = sequence
    for table, name, definition, whole, is_primary, with_nulls in connection.exec_driver_sql(_POSTGRESQL_INDEXES):
        if not whole or with_nulls:
            gathered.odd_unique.add(table)
        if whole and not is_primary:
            gathered.unique.setdefault(table, []).append(tuple(whole))
        if (table, name) not in named:
            text = definition[definition.index("(") :]
            constraint = NamedConstraint(name=name, columns=mentioned(text, columns.get(table, ())))
            gathered.constraints.setdefault(table, []).append(constraint)
    return gathered


def has_late_checks(connection: sa.Connection) -> bool:
    """Whether a check may wait until COMMIT and belong to no table that is served; SQLite's never can be asked before."""
    return connection.dialect.name != "sqlite" and bool(connection.exec_driver_sql(_POSTGRESQL_AT_COMMIT).scalar())


def is_aware(sql_type: str) -> bool:
    """Whether a type that SQLite's users wrote names instants."""
    return _SQLITE_AWARE.fullmatch(sql_type) is not None


def is_known(sql_type: str) -> bool:
    """Whether a type that SQLite's users wrote says more than SQLite's rule of last resort, NUMERIC affinity.

    https://sqlite.org/datatype3.html, section 3.1: a column of type POLYGON has that affinity, and holds anything.
    """
    base = sql_type.partition("(")[0].strip().upper()
    words = ("INT", "CHAR", "CLOB", "TEXT", "BLOB", "REAL", "FLOA", "DOUB", "NUM", "DEC", "DATE", "TIME", "BOOL")
    return any(word in base for word in words) or base in {
        *SQLITE_TYPE_NAMES,
        "JSON",
        "MONEY",
        "CURRENCY",
        "BINARY",
        "VARBINARY",
    }
