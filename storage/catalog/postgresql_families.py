"""Partitions and inheriting tables of PostgreSQL: the tables that serve their rows, and their copied constraints.

https://www.postgresql.org/docs/current/ddl-inherit.html, https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from storage.catalog.reflected import CheckFacts, Family, NamedConstraint, TableName, mentioned

# Each table with those below it, at any depth and in any schema, and with itself.
_TREE = """
WITH RECURSIVE tree (top, relation, direct) AS (
  SELECT c.oid, c.oid, false FROM pg_class c WHERE c.relkind = 'p' OR c.relhassubclass AND c.relkind IN ('r', 'f')
  UNION SELECT t.top, i.inhrelid, t.top = t.relation FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation
)
"""
_MEMBERS = """
SELECT tn.nspname, tc.relname, n.nspname, c.relname, current_schema()::text, t.direct, c.relispartition,
       coalesce(g.any_row, false), coalesce(g.fills, false), coalesce(g.refills, false)
FROM tree t JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class tc ON tc.oid = t.top JOIN pg_namespace tn ON tn.oid = tc.relnamespace
LEFT JOIN (
  SELECT tgrelid, bool_or(tgtype & 1 = 1) AS any_row, bool_or(tgtype & 7 = 7 AND tgenabled IN ('O', 'A')) AS fills,
         bool_or(tgtype & 19 = 19 AND tgenabled IN ('O', 'A')) AS refills
  FROM pg_trigger WHERE NOT tgisinternal GROUP BY tgrelid
) AS g ON g.tgrelid = c.oid
WHERE tn.nspname = current_schema() OR n.nspname = current_schema() ORDER BY tc.relname, n.nspname, c.relname
"""
# An inherited check has the name of its parent's. Copies of foreign keys and indexes refer to their parent by OID. It
# is negative for indexes here, because OIDs are unique only within one catalog.
_CONSTRAINTS = """
SELECT n.nspname, c.relname, k.conname::text, k.oid::bigint, k.conparentid::bigint, k.contype = 'c' AND k.coninhcount > 0,
       k.contype = 'x', CASE k.contype WHEN 'x' THEN pg_get_constraintdef(k.oid) END,
       CASE WHEN k.contype = 'c' AND c.relkind <> 'f' AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
            THEN pg_get_expr(k.conbin, k.conrelid) END,
       obj_description(k.oid, 'pg_constraint'),
       array(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.number ORDER BY n.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype IN ('c', 'f', 'x') AND k.conrelid = ANY (ARRAY(SELECT relation FROM tree))
UNION ALL
SELECT n.nspname, c.relname, i.relname, -i.oid::bigint, -coalesce(h.inhparent, 0)::bigint, false, true,
       CASE WHEN x.indexprs IS NOT NULL THEN pg_get_indexdef(i.oid) END, NULL, NULL,
       array(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS n (number, place)
             JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = n.number
             WHERE n.place <= x.indnkeyatts ORDER BY n.place)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_inherits h ON h.inhrelid = i.oid
JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE x.indisunique AND x.indrelid = ANY (ARRAY(SELECT relation FROM tree))
"""
_PARTITIONED = """
SELECT n.nspname, c.relname, pg_get_expr(p.partexprs, p.partrelid),
       array(SELECT a.attname::text FROM unnest(p.partattrs::int2[]) WITH ORDINALITY AS n (number, place)
             JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = n.number ORDER BY n.place)
FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """A constraint or unique index of a table in one of the trees."""

    name: str
    parent: int  # the constraint or index that it is a copy of; 0: none
    is_inherited: bool
    is_unique: bool
    text: str | None  # set if columns alone do not define it
    columns: tuple[str, ...]
    check: str | None  # its expression, if it is a check
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trees:
    """The tables of the current schema that have others above or below them, in any schema."""

    schema: str
    columns: Mapping[str, Sequence[str]]  # of each table of the schema
    above: Mapping[str, Collection[TableName]]
    below: Mapping[str, Collection[TableName]]


def gather_families(connection: sa.Connection, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Family]:
    """Return the tables of the current schema that are parents or children of others.

    Runs a single query if there are none.
    """
    families: dict[str, Family] = {}
    above: dict[str, dict[TableName, None]] = {}
    below: dict[str, dict[TableName, None]] = {}
    schema = ""
    for *names, schema, is_direct, is_partition, has_triggers, fills, refills in connection.exec_driver_sql(
        _TREE + _MEMBERS
    ):
        top, member = (names[0], names[1]), (names[2], names[3])
        if top[0] == schema:
            family = families.setdefault(top[1], Family())
            own = below.setdefault(top[1], {})
            if member != top:
                own[member] = None
                family.is_inherited |= not is_partition
                family.has_triggers |= has_triggers
                family.fills |= fills and is_partition
                family.refills |= refills
                if is_direct and member[0] == schema:
                    family.below.append(member[1])
        if member[0] == schema and member != top:
            families.setdefault(member[1], Family())
            above.setdefault(member[1], {})[top] = None
    if families:
        trees = _Trees(schema=schema, columns=columns, above=above, below=below)
        _add_constraints(connection, families, trees)
        _add_partition_keys(connection, families, trees)
    for name, tables in above.items():
        families[name].above = [table for own_schema, table in tables if own_schema == schema]
    return families


def _add_constraints(connection: sa.Connection, families: Mapping[str, Family], trees: _Trees) -> None:
    by_table: dict[TableName, dict[int, _Found]] = {}
    every: dict[int, _Found] = {}
    for (
        schema,
        table,
        name,
        oid,
        parent,
        is_inherited,
        is_unique,
        text,
        check,
        comment,
        own,
    ) in connection.exec_driver_sql(_TREE + _CONSTRAINTS):
        found = _Found(name, parent, is_inherited, is_unique, text, tuple(own), check, comment)
        every[oid] = by_table.setdefault((schema, table), {})[oid] = found
    for top, tables in trees.below.items():
        family, own_of_top = families[top], by_table.get((trees.schema, top), {})
        names = {each.name for each in own_of_top.values()}
        for place in tables:
            for each in by_table.get(place, {}).values():
                origin = each.name if each.is_inherited and each.name in names else _origin(each, every, own_of_top)
                if origin is not None:
                    family.copies[place, each.name] = origin
                    continue
                about = each.columns if each.text is None else _mentioned(each.text, trees.columns.get(top, ()))
                family.constraints.append(NamedConstraint(name=each.name, columns=about, table=place))
                family.has_own_unique |= each.is_unique
                if each.check is not None:
                    family.checks.append(_check(each, each.check, place))


def _check(found: _Found, text: str, table: TableName) -> CheckFacts:
    name = found.name
    return CheckFacts(name=name, label=name, text=text, columns=found.columns, comment=found.comment, table=table)


def _mentioned(definition: str, columns: Sequence[str]) -> tuple[str, ...]:
    return mentioned(definition[definition.index("(") :], columns)


def _origin(each: _Found, every: Mapping[int, _Found], own: Mapping[int, _Found]) -> str | None:
    """Return the name of the table's own constraint that this one is a copy of, or None if it is not a copy."""
    parent = each.parent
    while parent and parent not in own:
        parent = every[parent].parent if parent in every else 0
    return own[parent].name if parent else None


def _add_partition_keys(connection: sa.Connection, families: Mapping[str, Family], trees: _Trees) -> None:
    """Add the columns that determine a row's partition.

    They are needed because PostgreSQL reports only the table if there is no partition for a row.
    """
    keys: dict[TableName, tuple[Sequence[str], str]] = {
        (schema, table): (own, text or "") for schema, table, text, own in connection.exec_driver_sql(_PARTITIONED)
    }
    for name, family in families.items():
        columns = trees.columns.get(name, ())
        deciding = {table: [table] for table in trees.below.get(name, ())}
        deciding[trees.schema, name] = [(trees.schema, name), *trees.above.get(name, ())]
        for table, those in deciding.items():
            found = [keys[each] for each in those if each in keys]
            wanted = {column for own, text in found for column in (*own, *mentioned(text, columns))}
            if wanted:
                family.partitioned_by[table] = tuple(each for each in columns if each in wanted)
