"""The reflected facts about a database's tables and views, as plain values."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine.interfaces import ReflectedColumn

TableName = tuple[str, str]
"""The name of a table's schema, and the name of the table."""

RECEIPTS = "partwise_receipt"  # the product's own table (storage/batch/idempotency/receipts.py), never a resource


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedConstraint:
    """A constraint, by the name that the database reports when it refuses a row."""

    name: str
    columns: tuple[str, ...]
    table: TableName | None = None  # PostgreSQL: the only partition or inheriting table that has it


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFacts:
    """A check of a table, or of the domain of one of its columns."""

    name: str | None  # None if it has none (SQLite)
    label: str  # its name in errors of the database; on SQLite, this may be its text
    text: str  # an expression over the columns of the table
    columns: tuple[str, ...]
    comment: str | None = None
    domain: str | None = None  # PostgreSQL: the domain that it belongs to
    table: TableName | None = None  # PostgreSQL: the only table, among those served together, to whose rows it applies


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTermFacts:
    """One of the expressions by which a unique index or an exclusion compares rows, as SQL."""

    expression: str
    operator: str = "="
    collation: str | None = None  # if it differs from that of the expression


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFacts:
    """A unique index or an exclusion that compares rows not only by the values of columns."""

    name: str | None  # None if it has none (SQLite)
    terms: tuple[IndexTermFacts, ...]
    predicate: str | None = None  # the condition for the rows that it covers; None: all
    columns: tuple[str, ...]  # columns that it reads, without INCLUDE columns
    key: tuple[str, ...] = ()  # its columns, if all terms are plain columns and it covers all rows
    nulls_distinct: bool = True
    deferred: bool = False
    is_exclusion: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """The facts about a column that are needed to build a row before it is written."""

    name: str
    type: str  # of its values, with length and precision; for a domain, the underlying type
    base: str  # the same without length and precision
    collation: str | None = None  # as SQL, if it is not the default of the type
    is_compared_plainly: bool = True  # True if its texts are equal only if their characters are
    default: str | None = None
    computed: str | None = None  # the expression of a generated column
    computed_from: tuple[str, ...] = ()
    is_made: bool = False  # a key or an identity: the database generates missing values


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKeyFacts:
    """A foreign key of a table."""

    name: str | None = None

    columns: tuple[str, ...]
    target_table: str
    target_columns: tuple[str, ...]
    target_schema: str | None = None  # if it differs from the table's own
    on_delete: str | None = None  # CASCADE, SET NULL, SET DEFAULT; None: refused
    on_update: str | None = None
    # PostgreSQL: schema and name of the target columns' collations, if the columns have others.
    collations: tuple[tuple[str, str] | None, ...] = ()
    # SQLite: the collations of the target columns, if the columns have indexes, but only with other collations.
    unserved: tuple[str, ...] = ()


@dataclass(slots=True)
class Family:
    """PostgreSQL: the parents and children of one table, by partitioning or inheritance."""

    above: list[str] = field(default_factory=list)  # tables of the same schema that also have its rows
    below: list[str] = field(default_factory=list)  # tables of the same schema directly below it
    is_inherited: bool = False  # some of those below are not partitions: they do not share its keys
    has_triggers: bool = False  # some of those below have row triggers
    fills: bool = False  # some partitions below have triggers that may fill a new row
    refills: bool = False  # some of those below have triggers that may fill a changed row
    has_own_unique: bool = False  # some of those below have unique keys or exclusions that this table does not have
    constraints: list[NamedConstraint] = field(default_factory=list)  # constraints that only tables below have
    checks: list[CheckFacts] = field(default_factory=list)  # the same
    copies: dict[tuple[TableName, str], str] = field(
        default_factory=dict
    )  # copies of its constraints in tables below -> their names in this table
    partitioned_by: dict[TableName, tuple[str, ...]] = field(default_factory=dict)  # columns that determine a partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """The privileges of our role on a table (PostgreSQL)."""

    role: str = ""
    can_read: bool = True  # at least some columns; likewise for the next two
    can_insert: bool = True
    can_update: bool = True
    can_delete: bool = True
    not_read: frozenset[str] = frozenset()  # columns that it may not read
    not_inserted: frozenset[str] = frozenset()
    not_updated: frozenset[str] = frozenset()
    unread_table: str | None = None  # for a security_invoker view: a table that it reads and our role may not
    defaults: Mapping[str, str] = field(default_factory=dict)  # column -> missing privilege for its default
    sequences: Mapping[str, str] = field(
        default_factory=dict
    )  # column -> its identity's sequence, which our role may not use


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """One table or view of a database."""

    name: str
    schema: str | None = None
    is_view: bool = False
    rights: Rights = Rights()
    family: Family = field(default_factory=Family)
    is_virtual: bool = False  # SQLite: a virtual table, whose data may be stored anywhere
    left_out: str | None = None  # why it cannot be served, regardless of the settings
    part_of: str | None = None  # SQLite: the virtual table of an unknown module that it may belong to, by its name
    unreadable: Mapping[str, str] = field(default_factory=dict)  # SQLite: column -> why no statement can read it
    lost_collations: Mapping[str, str] = field(default_factory=dict)  # SQLite: column -> its unavailable collation
    refused: Mapping[str, str] = field(default_factory=dict)  # SQLite: kind of write -> why no such statement can run
    columns: tuple[ReflectedColumn, ...]
    sql_types: Mapping[str, str]  # column -> its type, without length or precision
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKeyFacts, ...] = ()
    constraints: tuple[NamedConstraint, ...] = ()  # checks, exclusions, foreign keys, partial and expression indexes
    deferred_unique: frozenset[tuple[str, ...]] = frozenset()  # columns of keys that are checked only at COMMIT
    deferred_foreign: frozenset[tuple[str, ...]] = frozenset()
    checks: tuple[CheckFacts, ...] = ()
    unique_indexes: tuple[IndexFacts, ...] = ()
    stored: tuple[ColumnFacts, ...] = ()
    unique_names: Mapping[tuple[str, ...], str] = field(default_factory=dict)  # columns of the keys -> constraint
    counts_characters: bool = True  # True if the length of a text is the number of its characters
    has_triggers: bool = False
    fills: bool = False  # PostgreSQL: a trigger may fill columns of a new row before it is checked
    refills: bool = False  # the same for a changed row
    has_before_triggers: bool = False  # some of them run before a row is inserted or updated, and may change it
    has_policies: bool = False  # PostgreSQL: row security restricts the rows that our role sees and may change
    is_collated: bool = False  # some key does not compare text character by character
    odd_unique: bool = (
        False  # something unique that is not a unique key: of some rows only, over expressions, an exclusion
    )
    rowid: str | None = None  # SQLite: the name by which statements refer to the rowid, if rows have one
    rowid_key: bool = False  # SQLite: the key is the rowid, which the database generates if it is missing
    autoincrement: bool = False  # SQLite: a key is never reused
    sequences: Mapping[str, str] = field(
        default_factory=dict
    )  # PostgreSQL: column -> the sequence that generates its values
    comment: str | None = None


@dataclass(slots=True)
class Gathered:
    """Facts of one database that SQLAlchemy's reflection does not provide."""

    sql_types: dict[str, dict[str, str]] = field(default_factory=dict)
    constraints: dict[str, list[NamedConstraint]] = field(default_factory=dict)
    deferred_unique: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    deferred_foreign: dict[str, set[tuple[str, ...]] | None] = field(default_factory=dict)  # None: all of the table
    rowids: dict[str, str] = field(default_factory=dict)
    rowid_keys: set[str] = field(default_factory=set)
    rowid_columns: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, dict[str, str]] = field(default_factory=dict)  # SQLite: table -> column -> default
    autoincrement: set[str] = field(default_factory=set)
    sequences: dict[str, dict[str, str]] = field(default_factory=dict)
    collated: set[str] = field(default_factory=set)
    odd_unique: set[str] = field(default_factory=set)
    checks: dict[str, list[CheckFacts]] = field(default_factory=lambda: defaultdict(list))
    unique_indexes: dict[str, list[IndexFacts]] = field(default_factory=lambda: defaultdict(list))
    stored: dict[str, list[ColumnFacts]] = field(default_factory=lambda: defaultdict(list))
    unique_names: dict[str, dict[tuple[str, ...], str]] = field(default_factory=lambda: defaultdict(dict))
    counts_characters: bool = True
    triggered: set[str] = field(default_factory=set)
    fills: set[str] = field(default_factory=set)
    refills: set[str] = field(default_factory=set)
    rights: dict[str, Rights] = field(default_factory=dict)
    families: Mapping[str, Family] = field(default_factory=dict)
    copied_foreign: set[tuple[str, str]] = field(default_factory=set)  # table and name, of keys that are copies
    triggered_before: set[str] = field(default_factory=set)
    guarded: set[str] = field(default_factory=set)
    unique: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    foreign_keys: dict[str, list[ForeignKeyFacts]] = field(default_factory=dict)
    # SQLite: by table, the columns of each index over all rows with their collations, in order.
    indexes: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    # Foreign keys by table, target table and columns -> collations as in `ForeignKeyFacts`.
    collations: dict[tuple[str, str, tuple[str, ...]], tuple[tuple[str, str] | None, ...]] = field(default_factory=dict)


def mentioned(text: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that an SQL expression mentions. String literals are ignored."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", text)
    return tuple(
        column for column in columns if re.search(rf"(?<![\w$]){re.escape(column)}(?![\w$(])", bare, re.IGNORECASE)
    )


def action(text: str | None) -> str | None:
    """Return the action on rows that refer to a changed or deleted one, or None if that is refused."""
    return None if text is None or text.upper() in {"NO ACTION", "RESTRICT"} else text.upper()
