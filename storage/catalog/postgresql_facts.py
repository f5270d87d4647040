"""What PostgreSQL's catalog says of its tables beyond SQLAlchemy's reflection.

https://www.postgresql.org/docs/current/catalogs.html
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from storage.catalog.facts import Gathered, NamedConstraint, mentioned

_TYPES = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname, k.contype::text, k.condeferred, CASE k.contype WHEN 'x' THEN pg_get_constraintdef(k.oid) END,
       array(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.number ORDER BY n.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('c', 'f', 'p', 'u', 'x')
"""
_TRIGGERS = """
SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
UNION
SELECT c.relname FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
"""
# Columns of keys, unique and foreign ones, too, whose equality is not that of their characters.
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
# Foreign keys with columns of other collations than those that they point at, by which PostgreSQL compares them.
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
  AND NOT a.attisdropped AND s.name IS NOT NULL AND has_sequence_privilege(s.name, 'USAGE')
"""
_GUARDED = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND row_security_active(c.oid)
"""
_CLOSED = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'f')
  AND NOT has_table_privilege(c.oid, 'UPDATE')
"""
_INDEXES = """
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


def gather_postgresql(connection: sa.Connection, columns: Mapping[str, Sequence[str]]) -> Gathered:
    """Ask the database about the tables of its current schema, given the columns of each."""
    gathered = Gathered()
    for table, column, sql_type in connection.exec_driver_sql(_TYPES):
        gathered.sql_types.setdefault(table, {})[column] = sql_type
    named = set()
    for table, name, kind, deferred, exclusion, key in connection.exec_driver_sql(_CONSTRAINTS):
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
    gathered.closed = {row[0] for row in connection.exec_driver_sql(_CLOSED)}
    gathered.triggered = {row[0] for row in connection.exec_driver_sql(_TRIGGERS)}
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
            text = definition[definition.index("(") :]
            constraint = NamedConstraint(name=name, columns=mentioned(text, columns.get(table, ())))
            gathered.constraints.setdefault(table, []).append(constraint)
    return gathered
