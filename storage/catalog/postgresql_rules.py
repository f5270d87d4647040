"""Rules for rows in PostgreSQL's catalog: checks of tables and domains, unique indexes, exclusions, columns.

https://www.postgresql.org/docs/current/catalogs.html
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from storage.catalog.checks import tokenize
from storage.catalog.reflected import CheckFacts, ColumnFacts, Gathered, IndexFacts, IndexTermFacts, mentioned

# A check that is NOT VALID is enforced for rows that are written. A check that is NOT ENFORCED (PostgreSQL 18) is not,
# and neither is a check of a foreign table.
_CHECKS = """
SELECT c.relname, k.conname, pg_get_expr(k.conbin, k.conrelid), obj_description(k.oid, 'pg_constraint'),
       array(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) ORDER BY a.attnum),
       CASE WHEN k.connoinherit AND c.relhassubclass THEN current_schema()::text END
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype = 'c' AND c.relkind IN ('r', 'p')
  AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
ORDER BY c.relname, k.conname
"""
_CHAIN = """
WITH RECURSIVE chain (domain, step, modifier) AS (
  SELECT oid, oid, -1 FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT chain.domain, t.typbasetype, t.typtypmod FROM chain JOIN pg_type t ON t.oid = chain.step AND t.typtype = 'd'
)
"""
_DOMAIN_CHECKS = f"""{_CHAIN}
SELECT c.relname, a.attname, k.conname, pg_get_expr(k.conbin, 0), obj_description(k.oid, 'pg_constraint'), d.typname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN chain ON chain.domain = a.atttypid
JOIN pg_constraint k ON k.contypid = chain.step AND k.contype = 'c' JOIN pg_type d ON d.oid = a.atttypid
WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum, k.conname
"""
_COLUMNS = f"""{_CHAIN}
SELECT c.relname, a.attname, format_type(b.oid, coalesce(chain.modifier, a.atttypmod)), format_type(b.oid, NULL),
       CASE WHEN a.attcollation NOT IN (0, b.typcollation) THEN format('%%I.%%I', s.nspname, l.collname) END,
       b.typname <> 'citext' AND coalesce(l.collisdeterministic, true),
       pg_get_expr(d.adbin, d.adrelid), a.attgenerated <> '', a.attidentity <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN (chain JOIN pg_type t ON t.oid = chain.step AND t.typtype <> 'd') ON chain.domain = a.atttypid
JOIN pg_type b ON b.oid = coalesce(chain.step, a.atttypid)
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace s ON s.oid = l.collnamespace
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
# The operators of unique indexes (equality in a B-tree: strategy 3) and of exclusions, one row for each key column.
_INDEXES = """
SELECT t.relname, i.relname, a.attname, pg_get_indexdef(x.indexrelid, n.place::int, true),
       format('OPERATOR(%%I.%%s)', os.nspname, o.oprname),
       CASE WHEN n.coll NOT IN (0, coalesce(a.attcollation, y.typcollation, 0)) THEN format('%%I.%%I', ls.nspname, l.collname) END,
       coalesce(NOT l.collisdeterministic, false) OR y.typname = 'citext' OR e.typname = 'citext',
       coalesce(a.attgenerated, '') <> '', pg_get_expr(x.indpred, x.indrelid),
       coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false), x.indisexclusion, coalesce(k.condeferred, false)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u', 'x')
CROSS JOIN LATERAL unnest(x.indkey::int2[], x.indclass::oid[], x.indcollation::oid[])
  WITH ORDINALITY AS n (number, class, coll, place)
JOIN pg_opclass c ON c.oid = n.class JOIN pg_type y ON y.oid = c.opcintype
LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = n.number AND n.number > 0
LEFT JOIN pg_type e ON e.oid = a.atttypid
LEFT JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
  AND m.amopstrategy = 3 AND NOT x.indisexclusion
JOIN pg_operator o ON o.oid = coalesce(CASE WHEN x.indisexclusion THEN k.conexclop[n.place] END, m.amopopr)
JOIN pg_namespace os ON os.oid = o.oprnamespace
LEFT JOIN pg_collation l ON l.oid = n.coll LEFT JOIN pg_namespace ls ON ls.oid = l.collnamespace
WHERE t.relnamespace = current_schema()::regnamespace AND (x.indisunique OR x.indisexclusion)
  AND x.indisvalid AND n.place <= x.indnkeyatts
ORDER BY t.relname, x.indexrelid, n.place
"""
# Triggers that run before each row, of a table or of a table below it; and rules, which may replace the statement.
_BEFORE = """
WITH RECURSIVE below (root, relation) AS (
  SELECT oid, oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
  UNION
  SELECT below.root, h.inhrelid FROM below JOIN pg_inherits h ON h.inhparent = below.relation
)
SELECT c.relname FROM below JOIN pg_class c ON c.oid = below.root JOIN pg_trigger t ON t.tgrelid = below.relation
WHERE NOT t.tgisinternal AND t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0
UNION
SELECT c.relname FROM below JOIN pg_class c ON c.oid = below.root JOIN pg_rewrite r ON r.ev_class = below.root
"""
_BY_CHARACTERS = "SELECT current_setting('server_encoding') NOT IN ('SQL_ASCII', 'MULE_INTERNAL')"


def gather_rules(connection: sa.Connection, columns: Mapping[str, Sequence[str]], gathered: Gathered) -> None:
    """Read the rules of the tables of the current schema into `gathered`, given the columns of each."""
    gathered.counts_characters = bool(connection.exec_driver_sql(_BY_CHARACTERS).scalar())
    gathered.triggered_before = {row[0] for row in connection.exec_driver_sql(_BEFORE)}
    for table, *column in connection.exec_driver_sql(_COLUMNS):
        gathered.stored[table].append(_column(column, columns.get(table, ())))
    for table, name, text, comment, own, schema in connection.exec_driver_sql(_CHECKS):
        only = None if schema is None else (schema, table)
        gathered.checks[table].append(
            CheckFacts(name=name, label=name, text=text, columns=tuple(own), comment=comment, table=only)
        )
    for table, column, name, text, comment, domain in connection.exec_driver_sql(_DOMAIN_CHECKS):
        gathered.checks[table].append(
            CheckFacts(
                name=name, label=name, text=_of_column(text, column), columns=(column,), comment=comment, domain=domain
            )
        )
    rows = connection.exec_driver_sql(_INDEXES).all()
    for (table, name), terms in groupby(rows, key=lambda row: (row[0], row[1])):
        _add_index(gathered, table, name, list(terms), columns.get(table, ()))


def _column(found: Sequence[Any], names: Sequence[str]) -> ColumnFacts:
    name, type_, base, collation, is_plain, expression, is_computed, is_identity = found
    computed = expression if is_computed else None
    return ColumnFacts(
        name=name,
        type=type_,
        base=base,
        collation=collation,
        is_compared_plainly=is_plain,
        default=None if is_computed else expression,
        computed=computed,
        computed_from=() if computed is None else mentioned(computed, names),
        is_made=is_identity or (not is_computed and "nextval(" in (expression or "")),
    )


def _of_column(text: str, column: str) -> str:
    """Return the check of a domain, rewritten for a column of that domain."""
    quoted = '"' + column.replace('"', '""') + '"'
    written = text
    for token in reversed(tokenize(text, "postgresql")):
        if token.text == "VALUE":
            written = written[: token.start] + quoted + written[token.end :]
    return written


def _add_index(gathered: Gathered, table: str, name: str, rows: Sequence[Any], columns: Sequence[str]) -> None:
    names = tuple(row[2] for row in rows)
    predicate, with_nulls, is_exclusion, deferred = rows[0][8:12]
    is_whole = None not in names and predicate is None and not is_exclusion
    if is_whole:
        gathered.unique_names[table].setdefault(names, name)
    is_odd = any(
        collation is not None or odd or computed for *_, collation, odd, computed in (row[2:8] for row in rows)
    )
    if is_whole and not with_nulls and not is_odd:
        return
    terms = tuple(IndexTermFacts(expression=row[3], operator=row[4], collation=row[5]) for row in rows)
    gathered.unique_indexes[table].append(
        IndexFacts(
            name=name,
            terms=terms,
            predicate=predicate,
            columns=_read_by([*(term.expression for term in terms), predicate or ""], columns),
            key=names if is_whole else (),
            nulls_distinct=not with_nulls,
            deferred=deferred,
            is_exclusion=is_exclusion,
        )
    )


def _read_by(expressions: Iterable[str], columns: Sequence[str]) -> tuple[str, ...]:
    return mentioned(" , ".join(expressions), columns)
