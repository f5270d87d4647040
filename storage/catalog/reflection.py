"""Reflection of a database: its tables and views with all facts that the catalog needs, as plain values."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint
from sqlalchemy.engine.reflection import ObjectKind

from storage.catalog.postgresql_facts import gather_postgresql
from storage.catalog.postgresql_rules import gather_rules
from storage.catalog.reflected import (
    RECEIPTS,
    Family,
    ForeignKeyFacts,
    NamedConstraint,
    Rights,
    TableFacts,
    action,
)
from storage.catalog.sqlite_facts import Survey, gather_sqlite, survey_sqlite, unserved

_AT_COMMIT = "SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgdeferrable)"


def reflect(connection: sa.Connection) -> tuple[TableFacts, ...]:
    """Read the tables and views of the connection's own schema, in the order of their names.

    Those that cannot be served come last.
    """
    inspector = sa.inspect(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    views = {*inspector.get_view_names(), *([] if is_sqlite else inspector.get_materialized_view_names())}
    survey = survey_sqlite(connection, inspector.get_table_names(), sorted(views)) if is_sqlite else Survey()
    readable = survey.served if is_sqlite else None
    left_out = [
        # Foreign keys are enforced even if the table is not served.
        TableFacts(name=name, columns=(), sql_types={}, left_out=why, foreign_keys=survey.foreign_keys.get(name, ()))
        for name, why in survey.left_out.items()
    ]
    if is_sqlite and not readable:
        return tuple(left_out)
    with warnings.catch_warnings():
        # The catalog handles expression indexes and unknown types, and reports them in its own words.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        columns = inspector.get_multi_columns(kind=ObjectKind.ANY, filter_names=readable)
        keys = inspector.get_multi_pk_constraint(kind=ObjectKind.TABLE, filter_names=readable)
        foreign_keys = inspector.get_multi_foreign_keys(kind=ObjectKind.TABLE, filter_names=readable)
        comments = (
            inspector.get_multi_table_comment(kind=ObjectKind.ANY) if connection.dialect.supports_comments else {}
        )
    gather = gather_sqlite if is_sqlite else gather_postgresql
    gathered = gather(connection, {name: [column["name"] for column in found] for (_, name), found in columns.items()})
    if not is_sqlite:
        gather_rules(
            connection, {name: [column["name"] for column in found] for (_, name), found in columns.items()}, gathered
        )
    tables = []
    for table in sorted(columns, key=lambda key: key[1]):
        name = table[1]
        # Our own table, or a table of another schema of the search path.
        if name.lower() == RECEIPTS or name not in gathered.sql_types:
            continue
        names = [column["name"] for column in columns[table]]
        unique = gathered.unique.get(name, [])
        found = gathered.foreign_keys.get(name) or [
            _foreign_key(key)
            for key in foreign_keys.get(table, ())
            if (name, key["name"]) not in gathered.copied_foreign
        ]
        by_place = sorted(found, key=lambda key: [names.index(column) for column in key.columns])
        own_keys = tuple(
            replace(
                key,
                collations=gathered.collations.get((name, key.target_table, key.columns), ()),
                unserved=unserved(key, gathered.indexes[name], gathered.indexes[key.target_table]),
            )
            for key in (_complete(each, keys, table) for each in by_place)
        )
        family = gathered.families.get(name, Family())
        waiting = gathered.deferred_foreign.get(name, set())
        tables.append(
            TableFacts(
                name=name,
                schema=None if is_sqlite else inspector.default_schema_name,
                is_view=name in views,
                rights=gathered.rights.get(name, Rights()),
                family=family,
                is_virtual=name in survey.virtual,
                part_of=survey.part_of.get(name),
                unreadable=survey.unreadable.get(name, {}),
                lost_collations=survey.lost_collations.get(name, {}),
                refused=survey.refused.get(name, {}),
                columns=tuple(columns[table]),
                sql_types=gathered.sql_types[name],
                primary_key=tuple(keys[table]["constrained_columns"]) if table in keys else (),
                unique=tuple(dict.fromkeys(unique)),
                foreign_keys=own_keys,
                constraints=(
                    *gathered.constraints.get(name, ()),
                    *(NamedConstraint(name=check.label, columns=check.columns) for check in gathered.checks[name]),
                    *family.constraints,
                ),
                checks=(*gathered.checks[name], *family.checks),
                unique_indexes=tuple(gathered.unique_indexes[name]),
                stored=tuple(gathered.stored[name]),
                unique_names=gathered.unique_names[name],
                counts_characters=gathered.counts_characters,
                deferred_unique=frozenset(gathered.deferred_unique.get(name, set())),
                deferred_foreign=frozenset({key.columns for key in own_keys} if waiting is None else waiting),
                has_triggers=name in gathered.triggered or family.has_triggers,
                fills=name in gathered.fills or family.fills,
                refills=name in gathered.refills or family.refills,
                has_before_triggers=name in gathered.triggered_before,
                has_policies=name in gathered.guarded,
                is_collated=name in gathered.collated,
                odd_unique=name in gathered.odd_unique,
                rowid=gathered.rowids.get(name),
                rowid_key=name in gathered.rowid_keys,
                autoincrement=name in gathered.autoincrement,
                sequences=gathered.sequences.get(name, {}),
                comment=comments.get(table, {"text": None})["text"],
            )
        )
    return (*tables, *left_out)


def _foreign_key(key: ReflectedForeignKeyConstraint) -> ForeignKeyFacts:
    options = key.get("options", {})
    return ForeignKeyFacts(
        name=key["name"],
        columns=tuple(key["constrained_columns"]),
        target_table=key["referred_table"],
        target_columns=tuple(key["referred_columns"]),
        target_schema=key["referred_schema"],
        on_delete=action(options.get("ondelete")),
        on_update=action(options.get("onupdate")),
    )


def _complete(key: ForeignKeyFacts, keys: Mapping[Any, Any], table: Any) -> ForeignKeyFacts:
    """Add the target columns to a foreign key that omits them: they are the target's primary key."""
    if key.target_columns:
        return key
    target = keys.get((table[0], key.target_table))
    return replace(key, target_columns=tuple(target["constrained_columns"]) if target else ())


def has_late_checks(connection: sa.Connection) -> bool:
    """Return True if a constraint may be checked only at COMMIT, even one of a table that is not served.

    Return False on SQLite, whose late checks cannot be run before COMMIT.
    """
    return connection.dialect.name != "sqlite" and bool(connection.exec_driver_sql(_AT_COMMIT).scalar())
