"""Facts from SQLite that SQLAlchemy's reflection does not provide, and the type names that its users write."""

import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from storage.catalog.reflected import (
    CheckFacts,
    ColumnFacts,
    ForeignKeyFacts,
    Gathered,
    IndexFacts,
    IndexTermFacts,
    NamedConstraint,
    action,
    mentioned,
)
from storage.catalog.sqlite_definitions import TableDefinition, read_index, read_table, runs_before_a_write
from storage.catalog.types import is_utf_8

# Type names that SQLite users write and SQLAlchemy does not know. The last one is our own (see tables.py).
TYPE_NAMES: Mapping[str, type[sa.types.TypeEngine[Any]]] = {
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
_ANY, _BLOB = (
    "ANY",
    "BLOB",
)  # ANY in a STRICT table means no type in others: https://sqlite.org/stricttables.html
# The suffixes of the shadow tables of SQLite's own modules. SQLite lists those of a virtual table that has been opened,
# but not always the others: https://sqlite.org/vtab.html, "The xShadowName Method".
_SHADOWS: Mapping[str, tuple[str, ...]] = {
    "fts3": ("content", "segments", "segdir", "docsize", "stat"),
    "fts4": ("content", "segments", "segdir", "docsize", "stat"),
    "fts5": ("data", "idx", "content", "docsize", "config"),
    "rtree": ("node", "parent", "rowid"),
    "rtree_i32": ("node", "parent", "rowid"),
    "geopoly": ("node", "parent", "rowid"),
}
_MODULE = re.compile(r"""CREATE\s+VIRTUAL\s+TABLE\b.*?\bUSING\s+["'`\[]?(\w+)""", re.IGNORECASE | re.DOTALL)
_LOST_COLLATION = re.compile(r"no such collation sequence: (.*)")
_ROWID = ("rowid", "_rowid_", "oid")  # unless a column has the name: https://sqlite.org/lang_createtable.html, "ROWIDs"
_PLAIN, _HIDDEN = 0, 1  # of columns in PRAGMA table_xinfo: https://sqlite.org/pragma.html#pragma_table_xinfo
_AWARE = re.compile(r"TIMESTAMPTZ|(TIMESTAMP|DATETIME) WITH TIME ZONE", re.IGNORECASE)


@dataclass(slots=True)
class Survey:
    """The readable and writable parts of an SQLite file.

    This SQLite may lack features that its tables use.
    """

    served: list[str] = field(default_factory=list)  # tables and views
    left_out: dict[str, str] = field(default_factory=dict)  # table -> why it is not served
    virtual: set[str] = field(default_factory=set)
    part_of: dict[str, str] = field(default_factory=dict)  # see `TableFacts`, also for the rest
    unreadable: dict[str, dict[str, str]] = field(default_factory=dict)
    lost_collations: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: dict[str, dict[str, str]] = field(default_factory=dict)
    foreign_keys: dict[str, tuple[ForeignKeyFacts, ...]] = field(default_factory=dict)  # of tables that are not served


def survey_sqlite(connection: sa.Connection, tables: Sequence[str], views: Sequence[str]) -> Survey:
    """Return the readable and writable parts of each table and view.

    Modules, tokenizers, functions and collations may be missing.
    """
    found = Survey()
    unnamed = [name for name in (*tables, *views) if not is_utf_8(name)]  # no statement can refer to them
    found.left_out |= dict.fromkeys(unnamed, "its name is not UTF-8")
    tables, views = ([name for name in names if is_utf_8(name)] for names in (tables, views))
    modules = {
        name: module for name, sql in _texts(connection) if is_utf_8(name) and (module := _module(sql)) is not None
    }
    found.virtual |= modules.keys()
    strange = []
    for name in modules:
        error = _error_of(connection, f"SELECT * FROM {_quoted(name)} LIMIT 1")  # this also marks its shadow tables
        if error is not None and not _is_corrupt(error):  # other rows of a corrupt table may be readable
            found.left_out[name] = str(error)
            if str(error).startswith("no such module"):
                strange.append(name)
    shadows = _shadows(connection, modules)
    for name in tables:
        if (owner := shadows.get(name)) is not None:
            found.left_out[name] = f"part of the virtual table {owner!r}"
        elif name not in modules and (part_of := _owner(name, strange)) is not None:
            found.part_of[name] = part_of
    for name in (*tables, *views):
        if name not in found.left_out:
            _try(connection, name, found, is_view=name in views)
    for name in found.left_out:
        if name in tables and name not in modules:
            found.foreign_keys[name] = tuple(foreign_keys_of(connection, name, dict.fromkeys(tables, ())))
    found.served = [name for name in (*tables, *views) if name not in found.left_out]
    return found


def _texts(connection: sa.Connection) -> Sequence[tuple[str, str]]:
    return [
        (name, sql)
        for name, sql in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        if sql
    ]


def _module(sql: str) -> str | None:
    """Return the module of a virtual table, or None for any other table."""
    found = _MODULE.match(sql)
    return found[1].lower() if found else None


def _shadows(connection: sa.Connection, modules: Mapping[str, str]) -> dict[str, str]:
    """Return the shadow tables, each with the virtual table that it belongs to."""
    by_rule = {
        f"{name}_{ending}".lower(): name for name, module in modules.items() for ending in _SHADOWS.get(module, ())
    }
    found: dict[str, str] = {}
    for schema, name, kind, *_ in connection.exec_driver_sql("PRAGMA table_list").all():
        if schema == "main" and (kind == "shadow" or (kind == "table" and name.lower() in by_rule)):
            found[name] = by_rule.get(name.lower()) or _owner(name, modules) or name
    return found


def _owner(name: str, modules: Iterable[str]) -> str | None:
    """Return the virtual table whose name is a prefix of a table's name, the longest if there are several, or None."""
    owners = [each for each in modules if name.lower().startswith(f"{each}_".lower())]
    return max(owners, key=len, default=None)


def _try(connection: sa.Connection, name: str, found: Survey, *, is_view: bool) -> None:
    """Prepare the statements that a table or a view needs, and record those that fail."""
    quoted = _quoted(name)
    error = _error_of(connection, f"PRAGMA table_xinfo({quoted})")
    if error is not None:
        found.left_out[name] = str(error)
        return
    rows = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted})").all()
    kinds = {row[1]: row[6] for row in rows if row[6] != _HIDDEN and is_utf_8(row[1])}
    errors = _errors_by_column(connection, name, kinds, "")
    if errors and (is_view or len(errors) == len(kinds)):
        # For a table WITHOUT ROWID whose key has an unknown collation, SQLite only reports "no query solution".
        found.left_out[name] = str(
            _error_of(connection, f"SELECT count(*) FROM {quoted}") or next(iter(errors.values()))
        )
        return
    readable = [each for each in kinds if each not in errors]
    found.unreadable[name] = {column: str(error) for column, error in errors.items()}
    found.lost_collations[name] = {
        column: lost[1]
        for column, each in _errors_by_column(connection, name, readable, " < ''").items()
        if (lost := _LOST_COLLATION.fullmatch(str(each))) is not None
    }
    if is_view or name in found.virtual:
        return
    written = [_quoted(each) for each in readable if kinds[each] == _PLAIN]
    writes = {
        "INSERT": f"INSERT INTO {quoted} ({', '.join(written)}) VALUES ({', '.join(['NULL'] * len(written))})",
        "UPDATE": f"UPDATE {quoted} SET {', '.join(f'{each} = NULL' for each in written)}",
        "DELETE": f"DELETE FROM {quoted}",
    }
    tried = {kind: _error_of(connection, f"EXPLAIN {sql}") for kind, sql in writes.items()}
    found.refused[name] = {kind: str(error) for kind, error in tried.items() if error is not None}


def _errors_by_column(
    connection: sa.Connection, table: str, columns: Collection[str], rest: str
) -> dict[str, BaseException]:
    """Return the columns that no statement can read, or compare (`rest`), with SQLite's error for each."""
    source = f"FROM {_quoted(table)} LIMIT 0"
    every = ", ".join(_quoted(column) + rest for column in columns)
    if _error_of(connection, f"SELECT {every} {source}") is None:
        return {}
    tried = {column: _error_of(connection, f"SELECT {_quoted(column)}{rest} {source}") for column in columns}
    return {column: error for column, error in tried.items() if error is not None}


def _error_of(connection: sa.Connection, sql: str) -> BaseException | None:
    """Return the error of a statement, or None if it can be run."""
    try:
        connection.exec_driver_sql(sql).close()
    except sa.exc.DBAPIError as error:
        return error.orig
    return None


def _is_corrupt(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def gather_sqlite(connection: sa.Connection, columns: Mapping[str, Sequence[str]]) -> Gathered:
    """Read the facts about the tables of the file, given the columns of each."""
    gathered = Gathered()
    listed = connection.exec_driver_sql("PRAGMA table_list").all()
    strict = {name for _, name, _, _, _, is_strict in listed if is_strict}
    views = {name for _, name, kind, *_ in listed if kind == "view"}
    with_rowid = {name for _, name, kind, _, without_rowid, *_ in listed if kind == "table" and not without_rowid}
    for name in columns:
        quoted = name.replace('"', '""')
        rows = connection.exec_driver_sql(f'PRAGMA table_xinfo("{quoted}")').all()
        gathered.sql_types[name] = {row[1]: row[2] for row in rows}
        if name in strict | views:
            untyped = _untyped_of_view(connection, quoted, gathered.sql_types[name]) if name in views else ()
            gathered.sql_types[name] |= dict.fromkeys(untyped, "")
            gathered.sql_types[name] |= {row[1]: "" for row in rows if row[2].upper() == _ANY}
        gathered.defaults[name] = {row[1]: row[4] for row in rows if row[4] is not None}
        key = [row for row in rows if row[5]]
        _gather_indexes(connection, name, gathered)
        gathered.foreign_keys[name] = foreign_keys_of(connection, name, columns)
        taken = {column.lower() for column in gathered.sql_types[name]}
        if name in with_rowid and not taken.issuperset(_ROWID):
            gathered.rowids[name] = next(each for each in _ROWID if each not in taken)
        if name in with_rowid and len(key) == 1 and key[0][2].upper() == "INTEGER":
            gathered.rowid_keys.add(name)
            gathered.rowid_columns[name] = key[0][1]
    for kind, name, table, sql in connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        if kind == "trigger":
            gathered.triggered.add(_as_declared(table, columns))
            if runs_before_a_write(sql):
                gathered.triggered_before.add(_as_declared(table, columns))
        if kind == "table" and sql and re.search(r"INITIALLY\s+DEFERRED", sql, re.IGNORECASE):
            gathered.deferred_foreign[table] = None  # SQLite does not report which of them
        if kind == "table" and sql and re.search(r"COLLATE\s+(?!BINARY\b)", sql, re.IGNORECASE):
            gathered.collated.add(table)
        if kind == "table" and sql and table in columns and re.match(r"CREATE\s+TABLE", sql, re.IGNORECASE):
            _gather_definition(table, read_table(sql), columns.get(table, ()), gathered)
        if kind == "table" and sql and re.search(r"\bAUTOINCREMENT\b", sql, re.IGNORECASE):
            gathered.autoincrement.add(table)
        if kind == "index" and sql and table in columns and re.match(r"CREATE\s+UNIQUE", sql, re.IGNORECASE):
            text = sql[sql.index("(") :]
            constraint = NamedConstraint(name=name, columns=mentioned(text, columns[table]))
            gathered.constraints.setdefault(table, []).append(constraint)
    for name in gathered.stored:
        _gather_unique_rules(connection, name, columns[name], gathered)
    return gathered


def _untyped_of_view(connection: sa.Connection, view: str, sql_types: Mapping[str, str]) -> Sequence[str]:
    """Return the columns of a view without a declared type that SQLite, from 3.41 on, reports as BLOB.

    A connection reveals the declared type of a column only by its conversions
    (https://sqlite.org/c3ref/column_decltype.html).
    """
    found = [column for column, sql_type in sql_types.items() if sql_type.upper() == _BLOB]
    if not found:
        return ()
    path = next(file for _, schema, file in connection.exec_driver_sql("PRAGMA database_list") if schema == "main")
    names = ", ".join("`" + column.replace("`", "``") + "`" for column in found)
    marks = ", ".join("x'00'" for _ in found)
    sqlite3.register_converter(_BLOB, lambda _: _BLOB)  # only for connections that detect types, which is this one
    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, detect_types=sqlite3.PARSE_DECLTYPES)) as own:
        (row,) = own.execute(
            f'SELECT {names} FROM "{view}" WHERE 0 UNION ALL SELECT {marks}'
        ).fetchall()  # names from the file itself
    return [column for column, declared in zip(found, row, strict=True) if declared != _BLOB]


def _gather_definition(table: str, definition: TableDefinition, columns: Sequence[str], gathered: Gathered) -> None:
    """Add the facts from the text of a table that no pragma reports."""
    gathered.checks[table] += [
        CheckFacts(name=each.name, label=each.name or each.text, text=each.text, columns=mentioned(each.text, columns))
        for each in definition.checks
    ]
    declared = {_as_declared(column, columns): how for column, how in definition.collations.items()}
    computed = {_as_declared(column, columns): text for column, text in definition.computed.items()}
    for names, name in definition.unique_names.items():
        gathered.unique_names[table][tuple(_as_declared(each, columns) for each in names)] = name
    gathered.foreign_keys[table] = [
        replace(key, name=definition.foreign_names.get(key.columns)) for key in gathered.foreign_keys.get(table, ())
    ]
    gathered.stored[table] = [
        ColumnFacts(
            name=column,
            type=sql_type,
            base=sql_type,
            collation=declared.get(column),
            is_compared_plainly=declared.get(column, "BINARY").upper() == "BINARY",
            default=gathered.defaults[table].get(column),
            computed=computed.get(column),
            computed_from=mentioned(computed[column], columns) if column in computed else (),
            is_made=table in gathered.rowid_keys and gathered.rowid_columns.get(table) == column,
        )
        for column, sql_type in gathered.sql_types[table].items()
    ]


def _gather_unique_rules(connection: sa.Connection, table: str, columns: Sequence[str], gathered: Gathered) -> None:
    """Add the unique indexes that do not compare rows only by plain columns, and the names of the others."""
    quoted = table.replace('"', '""')
    written = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,)
    )
    texts: dict[str, str | None] = {row[0]: row[1] for row in written}
    computed = {column.name for column in gathered.stored[table] if column.computed is not None}
    for _, name, unique, _, partial in connection.exec_driver_sql(f'PRAGMA index_list("{quoted}")').all()[::-1]:
        if not unique:
            continue
        escaped = name.replace('"', '""')
        rows = [row for row in connection.exec_driver_sql(f'PRAGMA index_xinfo("{escaped}")').all() if row[5]]
        names, text = tuple(row[2] for row in rows), texts.get(name)
        is_whole = not partial and None not in names
        if is_whole and text:
            gathered.unique_names[table].setdefault(names, name)
        is_plain = is_whole and computed.isdisjoint(names) and all(row[4].upper() == "BINARY" for row in rows)
        if is_plain:
            continue
        definition = read_index(text) if text else None
        terms = [_as_term(each or "rowid") for each in names] if definition is None else definition.terms
        if len(terms) != len(rows):
            continue
        predicate = None if definition is None else definition.predicate
        gathered.unique_indexes[table].append(
            IndexFacts(
                name=gathered.unique_names[table].get(names) if is_whole else name,
                terms=tuple(
                    IndexTermFacts(expression=each, collation=row[4]) for each, row in zip(terms, rows, strict=True)
                ),
                predicate=predicate,
                columns=mentioned(" , ".join([*terms, predicate or ""]), columns),
                key=names if is_whole else (),
            )
        )


def _as_term(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _gather_indexes(connection: sa.Connection, table: str, gathered: Gathered) -> None:
    """Add the indexes and unique keys. SQLAlchemy parses them from the table's text, but not in every spelling."""
    quoted = table.replace('"', '""')
    found = []
    for _, name, unique, origin, partial in connection.exec_driver_sql(f'PRAGMA index_list("{quoted}")').all():
        if not is_utf_8(name):  # no statement can refer to it
            gathered.odd_unique.update({table} if unique else ())
            continue
        escaped = name.replace('"', '""')
        rows = connection.exec_driver_sql(f'PRAGMA index_xinfo("{escaped}")').all()
        columns = [row[2] for row in rows if row[5]]  # the others are auxiliary columns
        if not partial and None not in columns:
            gathered.indexes[table].append({row[2]: row[4].upper() for row in rows if row[5]})
        if unique and any(row[4].upper() != "BINARY" for row in rows if row[5]):
            gathered.collated.add(table)
        if unique and (partial or None in columns):  # None: an expression, or the rowid
            gathered.odd_unique.add(table)
        elif unique and origin != "pk":
            found.append(tuple(columns))
    gathered.unique[table] = found[::-1]  # SQLite lists the latest first


def _as_declared(name: str, names: Iterable[str]) -> str:
    """Return the declared spelling of a name, because SQLite ignores the case of names."""
    return next((each for each in names if each.lower() == name.lower()), name)


def foreign_keys_of(
    connection: sa.Connection, table: str, columns: Mapping[str, Sequence[str]]
) -> list[ForeignKeyFacts]:
    """Return the foreign keys with their actions.

    SQLAlchemy parses these from the table's text, but not all of them.
    """
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
                on_delete=action(on_delete),
                on_update=action(on_update),
            )
        )
    return found


def unserved(
    key: ForeignKeyFacts, own: Sequence[Mapping[str, str]], targets: Sequence[Mapping[str, str]]
) -> tuple[str, ...]:
    """Return the collations that an index of a foreign key needs, if it has indexes and none of them has these."""
    # The first index was created with the table, and has the collations of its columns. SQLite lists the latest first.
    wanted = next((index for index in reversed(targets) if set(index) == set(key.target_columns)), None)
    found = [dict(islice(index.items(), len(key.columns))) for index in own]
    there = [index for index in found if set(index) == set(key.columns)]
    if wanted is None or not there:
        return ()
    collations = tuple(wanted[column] for column in key.target_columns)
    return () if dict(zip(key.columns, collations, strict=True)) in there else collations


def is_aware(sql_type: str) -> bool:
    """Return True if a type name from an SQLite schema denotes instants."""
    return _AWARE.fullmatch(sql_type) is not None


def is_known(sql_type: str) -> bool:
    """Return True if a type name from an SQLite schema means more than SQLite's fallback, NUMERIC affinity.

    https://sqlite.org/datatype3.html, section 3.1: a column of type POLYGON has that affinity, and can store anything.
    """
    base = sql_type.partition("(")[0].strip().upper()
    words = ("INT", "CHAR", "CLOB", "TEXT", "BLOB", "REAL", "FLOA", "DOUB", "NUM", "DEC", "DATE", "TIME", "BOOL")
    return any(word in base for word in words) or base in {
        *TYPE_NAMES,
        "JSON",
        "MONEY",
        "CURRENCY",
        "BINARY",
        "VARBINARY",
    }
