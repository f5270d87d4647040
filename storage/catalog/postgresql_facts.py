"""Facts from PostgreSQL's catalog that SQLAlchemy's reflection does not provide, and the privileges of our role.

https://www.postgresql.org/docs/current/catalogs.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from storage.catalog.overrides import CatalogError
from storage.catalog.postgresql_families import gather_families
from storage.catalog.reflected import Gathered, NamedConstraint, Rights, mentioned

_TYPES = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname, k.contype::text, k.condeferred, CASE k.contype WHEN 'x' THEN pg_get_constraintdef(k.oid) END,
       array(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.number ORDER BY n.place),
       o.confrelid <> k.confrelid
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_constraint o ON o.oid = k.conparentid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('c', 'f', 'p', 'u', 'x')
"""
_TRIGGERS = """
SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
UNION
SELECT c.relname FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
"""
# Triggers that may change a row before its columns are checked: BEFORE, FOR EACH ROW, not disabled. The bits of tgtype
# are in https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_trigger.h
_FILLING = """
SELECT c.relname, bool_or(t.tgtype & 4 = 4), bool_or(t.tgtype & 16 = 16)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal AND t.tgtype & 3 = 3 AND t.tgenabled IN ('O', 'A')
GROUP BY c.relname
"""
# Columns of unique keys and foreign keys whose equality is not that of their characters.
_COLLATED = """
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
# Foreign keys with columns of other collations than their targets, by which PostgreSQL compares them.
_COMPARED = """
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
_SEQUENCES = """
SELECT c.relname, a.attname, s.name
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
CROSS JOIN LATERAL (SELECT pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS name) s
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
  AND NOT a.attisdropped AND s.name IS NOT NULL AND has_sequence_privilege(s.name, 'USAGE, UPDATE')
"""
_GUARDED = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND row_security_active(c.oid)
"""
# For relations with any missing privilege: what our role may do with at least one column, or with all.
_RIGHTS = """
SELECT c.relname, current_user::text, has_any_column_privilege(c.oid, 'SELECT'), has_any_column_privilege(c.oid, 'INSERT'),
       has_any_column_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE')
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
"""
_COLUMN_RIGHTS = """
SELECT c.relname, a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT'),
       has_column_privilege(c.oid, a.attnum, 'INSERT'), has_column_privilege(c.oid, a.attnum, 'UPDATE')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND a.attnum > 0 AND NOT a.attisdropped
  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
           AND has_table_privilege(c.oid, 'UPDATE'))
"""
# Views that read with the privileges of the caller, and a relation that our role may not read. The relations of such a
# view that it reads through another view of this kind are included. Other views read with the privileges of their
# owners.
_UNREAD = """
WITH RECURSIVE asks (view, relation, number) AS (
  SELECT r.ev_class, d.refobjid, d.refobjsubid
  FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
  JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
  WHERE EXISTS (SELECT 1 FROM pg_options_to_table(v.reloptions)
                WHERE option_name = 'security_invoker' AND option_value IN ('true', 'on', 'yes', '1'))
), reads (view, relation, number) AS (
  SELECT view, relation, number FROM asks
  UNION SELECT r.view, a.relation, a.number FROM reads r JOIN asks a ON a.view = r.relation
)
SELECT DISTINCT ON (v.relname) v.relname, current_user::text, t.relname
FROM reads d JOIN pg_class v ON v.oid = d.view JOIN pg_class t ON t.oid = d.relation
WHERE v.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND NOT CASE WHEN d.number > 0 THEN has_column_privilege(t.oid, d.number::smallint, 'SELECT')
               ELSE has_any_column_privilege(t.oid, 'SELECT') END
ORDER BY v.relname, t.relname
"""
# Defaults of columns that our role cannot compute, with the privilege that it lacks.
_DEFAULTS = """
SELECT c.relname, current_user::text, a.attname,
       CASE WHEN s.oid IS NULL THEN 'EXECUTE privilege on function ' || f.proname ELSE 'USAGE privilege on sequence ' || s.relname END
FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated = ''
JOIN pg_depend n ON n.classid = 'pg_attrdef'::regclass AND n.objid = d.oid
LEFT JOIN pg_proc f ON n.refclassid = 'pg_proc'::regclass AND f.oid = n.refobjid
LEFT JOIN pg_class s ON n.refclassid = 'pg_class'::regclass AND s.oid = n.refobjid AND s.relkind = 'S'
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND (NOT has_function_privilege(f.oid, 'EXECUTE')
       OR CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END)
"""
_IDENTITIES = """
SELECT c.relname, current_user::text, a.attname, s.relname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
  AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
WHERE c.relnamespace = current_schema()::regnamespace AND a.attidentity <> ''
  AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END
"""
_INDEXES = """
SELECT t.relname, i.relname,
       (SELECT string_agg(pg_get_indexdef(i.oid, n, true), ', ') FROM generate_series(1, x.indnkeyatts) AS n)
         || coalesce(' WHERE ' || pg_get_expr(x.indpred, x.indrelid), ''),
       CASE WHEN x.indpred IS NULL AND x.indexprs IS NULL AND x.indisvalid THEN
         array(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS n (number, place)
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = n.number
               WHERE n.place <= x.indnkeyatts ORDER BY n.place) END,
       x.indisprimary, coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relnamespace = current_schema()::regnamespace AND x.indisunique
ORDER BY x.indexrelid
"""


def gather_postgresql(connection: sa.Connection, columns: Mapping[str, Sequence[str]]) -> Gathered:
    """Read the facts about the tables of the current schema, given the columns of each. Raises `CatalogError`."""
    gathered = Gathered()
    role, schema = connection.exec_driver_sql("SELECT current_user::text, current_schema()::text").one()
    if schema is None:
        raise CatalogError(
            f'No table can be served: role "{role}" has no USAGE privilege on any schema of its search path.'
        )
    for table, column, sql_type in connection.exec_driver_sql(_TYPES):
        gathered.sql_types.setdefault(table, {})[column] = sql_type
    named = set()
    for table, name, kind, deferred, exclusion, key, is_copy in connection.exec_driver_sql(_CONSTRAINTS):
        named.add((table, name))
        if kind == "x":
            gathered.odd_unique.add(table)
        if is_copy:
            gathered.copied_foreign.add((table, name))
        own = mentioned(exclusion, columns.get(table, ())) if exclusion else tuple(key)
        if kind == "c":  # in the order of the table, as for SQLite
            own = tuple(column for column in columns.get(table, ()) if column in own)
        gathered.constraints.setdefault(table, []).append(NamedConstraint(name=name, columns=own))
        if deferred:
            if kind == "f":
                found = gathered.deferred_foreign.get(table) or set()
                gathered.deferred_foreign[table] = {*found, tuple(key)}
            else:
                gathered.deferred_unique.setdefault(table, set()).add(tuple(key))
    gathered.rights = _gather_rights(connection)
    gathered.families = gather_families(connection, columns)
    gathered.triggered = {row[0] for row in connection.exec_driver_sql(_TRIGGERS)}
    for table, at_insert, at_update in connection.exec_driver_sql(_FILLING):
        gathered.fills |= {table} if at_insert else set()
        gathered.refills |= {table} if at_update else set()
    gathered.guarded = {row[0] for row in connection.exec_driver_sql(_GUARDED)}
    gathered.collated = {row[0] for row in connection.exec_driver_sql(_COLLATED)}
    for table, target, key, differ, schemas, names in connection.exec_driver_sql(_COMPARED):
        gathered.collations[table, target, tuple(key)] = tuple(
            (schema, name) if differs else None for differs, schema, name in zip(differ, schemas, names, strict=True)
        )
    for table, column, sequence in connection.exec_driver_sql(_SEQUENCES):
        gathered.sequences.setdefault(table, {})[column] = sequence
    for table, name, definition, whole, is_primary, with_nulls in connection.exec_driver_sql(_INDEXES):
        if not whole or with_nulls:
            gathered.odd_unique.add(table)
        if whole and not is_primary:
            gathered.unique.setdefault(table, []).append(tuple(whole))
        if (table, name) not in named:
            constraint = NamedConstraint(name=name, columns=mentioned(definition, columns.get(table, ())))
            gathered.constraints.setdefault(table, []).append(constraint)
    return gathered


def _gather_rights(connection: sa.Connection) -> dict[str, Rights]:
    """Read the missing privileges of our role, by table."""
    found = {
        name: Rights(role=role, can_read=reads, can_insert=inserts, can_update=updates, can_delete=deletes)
        for name, role, reads, inserts, updates, deletes in connection.exec_driver_sql(_RIGHTS)
    }
    lacking: dict[str, list[set[str]]] = {}
    for name, column, *may in connection.exec_driver_sql(_COLUMN_RIGHTS) if found else ():
        for columns, allowed in zip(lacking.setdefault(name, [set(), set(), set()]), may, strict=True):
            if not allowed:
                columns.add(column)
    for name, each in lacking.items():
        not_read, not_inserted, not_updated = map(frozenset, each)
        found[name] = replace(found[name], not_read=not_read, not_inserted=not_inserted, not_updated=not_updated)
    for name, role, table in connection.exec_driver_sql(_UNREAD):
        rights = found.get(name, Rights(role=role))
        found[name] = replace(rights, can_read=False, unread_table=table) if rights.can_read else rights
    for name, role, column, what in connection.exec_driver_sql(_DEFAULTS):
        rights = found.get(name, Rights(role=role))
        found[name] = replace(rights, defaults={**rights.defaults, column: what})
    for name, role, column, sequence in connection.exec_driver_sql(_IDENTITIES):
        rights = found.get(name, Rights(role=role))
        found[name] = replace(rights, sequences={**rights.sequences, column: sequence})
    return found
