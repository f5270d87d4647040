"""The catalog: all resources with their attributes, keys, constraints and relations.

Built once at startup, immutable.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from storage.catalog.bounds import Bounds, narrowest
from storage.catalog.limits import NO_LIMITS, Limits
from storage.catalog.reflected import TableName
from storage.catalog.types import Anything, TimeFormat, Value, ValueType
from storage.errors import Fault

Values = Mapping[str, Value]  # attribute name -> value


class Generation(Enum):
    """The cases in which the database generates an attribute's value."""

    NEVER = "never"
    WHEN_ABSENT = "when absent"  # serial, identity by default, SQLite's rowid
    ALWAYS = "always"  # generated columns, identity always


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One column, as clients see it."""

    name: str
    column: str
    type: ValueType
    # The database's declared type, without length or precision. A foreign key of SQLite without a declared type has its
    # target's.
    sql_type: str
    format: TimeFormat = TimeFormat.ISO  # SQLite: the storage of dates and times
    by_code_points: bool = False  # SQLite: compared by code points, because the column's own collation is not available
    nullable: bool = True
    generation: Generation = Generation.NEVER
    read_only: bool = False
    insertable: bool = True  # True if our role may set it in a new row
    updatable: bool = True  # True if our role may change it
    fillable: bool = False  # True if a trigger may set it in a new row if it is missing or null
    refillable: bool = False  # the same for a changed row
    default_denied: bool = False  # our role may not compute its default
    sequence: str | None = None  # PostgreSQL: the sequence of a generated key, if our role may use it
    counts_on: bool = False  # SQLite's AUTOINCREMENT: a generated key is never reused
    default_sql: str | None = None  # the database's default, as the database writes it
    default: Callable[[], Value] | None = None  # the model's default
    default_is_constant: bool = False  # True if the model's default is the same each time
    on_update: Callable[[], Value] | None = None  # the model's value for each update that does not set one
    limits: Limits = NO_LIMITS  # the model's, in addition to those of `type`
    description: str | None = None
    former_names: tuple[str, ...] = ()

    @property
    def has_default(self) -> bool:
        """True if a CREATE without this attribute still sets it to a value other than null."""
        return self.is_generated_if_absent or self.default is not None

    @property
    def is_generated_if_absent(self) -> bool:
        """True if the database generates the value of a new row that does not set it."""
        return self.default_sql is not None or self.generation is not Generation.NEVER

    @property
    def settable(self) -> bool:
        """True if a client may set the attribute of a new item."""
        return self.insertable and not self.read_only

    @property
    def changeable(self) -> bool:
        """True if a client may change the attribute of an item."""
        return self.updatable and not self.read_only

    @property
    def required(self) -> bool:
        """True if a CREATE must set the attribute."""
        may_be_null = self.nullable and not self.default_denied
        return not (may_be_null or self.has_default or self.fillable or self.read_only)

    @property
    def required_to_replace(self) -> bool:
        """True if a REPLACE must set the attribute."""
        return self.changeable and not (self.nullable or self.has_default or self.refillable)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueKey:
    """Attributes whose combined values, none of them null, belong to at most one item."""

    attributes: tuple[str, ...]
    deferred: bool = False
    name: str | None = None  # of its constraint or index


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """Attributes that contain the key values of an item of the target resource."""

    name: str | None = None
    attributes: tuple[str, ...]
    target: str  # the type name of the referenced resource
    target_attributes: tuple[str, ...]
    deferred: bool = False
    collated: bool = (
        False  # True if only the database can compare the values, because of a collation, or a type like citext
    )
    # PostgreSQL: schema and name of the target attributes' collations, if the attributes have others.
    collations: tuple[tuple[str, str] | None, ...] = ()
    on_delete: str | None = None  # CASCADE, SET NULL, SET DEFAULT; None: the delete is refused
    on_update: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """The name that the database may report when it refuses a row: a constraint's name or text, with its attributes."""

    name: str
    attributes: tuple[str, ...]
    table: TableName | None = None  # PostgreSQL: the only partition or inheriting table that has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the table, served or not, with the facts that are needed to build a row before it is written."""

    name: str
    attribute: str | None
    type: str  # as SQL
    collation: str | None  # as SQL, if it is not the default of the type
    default_sql: str | None
    computed: str | None  # the expression of a generated column
    computed_from: tuple[str, ...]  # the columns that it reads
    is_made: bool  # True if the database generates an unpredictable value
    can_read: bool = True  # True if our role may read it


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check of the table, or of the domain of one of its columns: rows for which it is false are rejected."""

    name: str | None
    label: str  # its name in errors of the database
    expression: str  # as SQL, over the columns of the table
    columns: frozenset[str]  # columns that it reads
    attributes: tuple[str, ...]
    decided_by: tuple[str, ...]  # the same, and those that they are computed from
    bounds: tuple[Bounds, ...] = ()  # its known limits, by attribute
    complete: bool = False  # True if `bounds` are the whole check
    message: str | None = None  # set by its author
    table: TableName | None = (
        None  # PostgreSQL: the one table, such as a partition, to whose rows it applies; None: all rows
    )

    def is_for(self, table: TableName | None) -> bool:
        """Return True if the check applies to the rows of a table; None means that the table is not known."""
        return self.table is None or self.table == table


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTerm:
    """One of the expressions by which rows are compared, as SQL."""

    expression: str
    operator: str
    collation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueIndex:
    """A unique index or exclusion by which only the database can compare rows: over expressions, of some rows only ….

    If it is also a key, of attributes with their own equality, `key` contains these attributes.
    """

    name: str | None
    terms: tuple[IndexTerm, ...]
    predicate: str | None  # which rows it covers, as SQL; None: all
    columns: frozenset[str]  # columns that it reads
    attributes: tuple[str, ...]  # attributes that its terms read
    decided_by: tuple[
        str, ...
    ]  # the same, those that decide whether it covers a row, and those that they are computed from
    key: tuple[str, ...] = ()
    nulls_distinct: bool = True
    deferred: bool = False
    is_exclusion: bool = False  # it may reject rows that are not equal, such as overlapping ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A link from an item to others: to one (its own foreign key) or to many (another resource's foreign key)."""

    name: str
    many: bool
    target: str  # type name
    foreign_key: ForeignKey
    former_names: tuple[str, ...] = ()

    @property
    def here(self) -> tuple[str, ...]:
        """The attributes of the item from which the relation starts."""
        return self.foreign_key.target_attributes if self.many else self.foreign_key.attributes

    @property
    def there(self) -> tuple[str, ...]:
        """The attributes of the items to which the relation leads, in the order of `here`."""
        return self.foreign_key.attributes if self.many else self.foreign_key.target_attributes


Validator = Callable[[Values, bool], Values | tuple[Fault, ...]]
"""(all known values of a row, whether it is new) -> the values to write, or the errors in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A table or a view that the API serves."""

    name: str  # the GraphQL type
    collection: str  # the path segment and root field of all its items
    field: str  # the root field of one item
    table: str
    schema: str | None = None
    attributes: Mapping[str, Attribute]
    key: tuple[str, ...]  # empty: without a key, there are no items, only a collection to read
    unique_keys: tuple[UniqueKey, ...] = ()  # other than the key
    foreign_keys: tuple[ForeignKey, ...] = ()
    relations: Mapping[str, Relation]
    constraints: tuple[Constraint, ...] = ()  # checks, and unique constraints that are not unique keys
    columns: tuple[Column, ...] = ()  # all of the table
    checks: tuple[Check, ...] = ()
    indexes: tuple[UniqueIndex, ...] = ()
    key_constraint: str | None = None  # the name of the primary key
    read_only: bool = False
    can_create: bool = True  # True if our role has the privilege; likewise for the next three
    can_update: bool = True
    can_delete: bool = True
    can_lock: bool = True
    version: str | None = None  # the attribute that counts versions
    next_version: Callable[[Value], Value] | None = None
    counts_versions: bool = False  # each version is the previous one plus one, and the first is 1
    validate: Validator | None = None
    description: str | None = None
    former_collections: tuple[str, ...] = ()
    is_view: bool = False
    rowid: str | None = None  # SQLite: the name by which statements refer to the rowid, if rows have one
    has_triggers: bool = False  # they may change the values that are written
    is_inherited: bool = False  # PostgreSQL: other tables inherit from it, and their rows have their own keys
    copies: Mapping[tuple[TableName, str], str] = dataclasses.field(
        default_factory=dict
    )  # constraints of partitions and inheriting tables that are copies of ours
    partitioned_by: Mapping[TableName, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )  # the attributes that determine a row's partition
    unserved_columns: frozenset[str] = frozenset()
    has_before_triggers: bool = False  # they may change a row before the table's checks are evaluated
    has_policies: bool = False  # there may be rows that are visible but cannot be locked
    deferred_keys: bool = False  # True if some unique key or foreign key is checked only at COMMIT
    unbatchable_reasons: tuple[str, ...] = ()  # why parts on it run one by one; empty: similar parts run together
    delete_cascades: bool = False  # deleting an item deletes or changes others (ON DELETE)
    cascading_attributes: frozenset[str] = frozenset()  # attributes whose change changes others (ON UPDATE)
    keys: tuple[tuple[str, ...], ...] = dataclasses.field(
        init=False, repr=False, compare=False
    )  # the key, and the unique keys
    required: tuple[str, ...] = dataclasses.field(
        init=False, repr=False, compare=False
    )  # the attributes that a CREATE must set
    required_to_replace: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)
    untyped: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)  # the attributes of type Any
    has_python_rules: bool = dataclasses.field(
        init=False, repr=False, compare=False
    )  # a model's code runs for each item
    former_attributes: Mapping[str, Attribute] = dataclasses.field(init=False, repr=False, compare=False)  # by name
    judged: Mapping[str, tuple[Bounds, ...]] = dataclasses.field(
        init=False, repr=False, compare=False
    )  # the limits of checks that can be evaluated without the database

    def __post_init__(self) -> None:
        unique = tuple(unique.attributes for unique in self.unique_keys)
        object.__setattr__(self, "keys", (self.key, *unique) if self.key else unique)
        object.__setattr__(self, "required", tuple(name for name, each in self.attributes.items() if each.required))
        to_replace = tuple(name for name, each in self.attributes.items() if each.required_to_replace)
        object.__setattr__(self, "required_to_replace", to_replace)
        untyped = tuple(name for name, each in self.attributes.items() if isinstance(each.type, Anything))
        object.__setattr__(self, "untyped", untyped)
        has_code = self.validate is not None or (self.version is not None and not self.counts_versions)
        has_code = has_code or any(each.default or each.on_update for each in self.attributes.values())
        object.__setattr__(self, "has_python_rules", has_code)
        former = {name: each for each in self.attributes.values() for name in each.former_names}
        object.__setattr__(self, "former_attributes", former)
        checks = [] if self.has_before_triggers else [check for check in self.checks if check.table is None]
        known = [each for check in checks for each in check.bounds if each.judged]
        judged = {name: tuple(each for each in known if each.attribute == name) for name in self.attributes}
        object.__setattr__(self, "judged", {name: bounds for name, bounds in judged.items() if bounds})

    def __repr__(self) -> str:
        return f"Resource({self.name})"

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute by its name or a former name, or None."""
        return self.attributes.get(name) or self.former_attributes.get(name)

    def generated_without(self, given: Collection[str]) -> set[str]:
        """Return the attributes of a new row that the database generates if only these are given."""
        return {n for n, each in self.attributes.items() if each.is_generated_if_absent and n not in given}

    def relation(self, name: str) -> Relation | None:
        """Return a relation by its name or a former name, or None."""
        found = self.relations.get(name)
        if found is None:
            found = next((each for each in self.relations.values() if name in each.former_names), None)
        return found

    def bounds(self, name: str) -> Bounds | None:
        """Return the combined requirements of all checks on an attribute, or None if none are known."""
        checks = [check for check in self.checks if check.table is None]
        return narrowest(each for check in checks for each in check.bounds if each.attribute == name)

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the texts that checks allow for an attribute; empty if no check lists any."""
        bounds = self.bounds(name)
        return tuple(each for each in bounds.choices if isinstance(each, str)) if bounds is not None else ()

    def accepts(self, values: Values) -> bool:
        """Return True if values pass the checks that can be evaluated without the database."""
        return all(
            bounds.takes(values[name]) for name, every in self.judged.items() if name in values for bounds in every
        )

    def constraint_of(self, key: tuple[str, ...]) -> str | None:
        """Return the name of the constraint of the key, or of a unique key."""
        if key == self.key:
            return self.key_constraint
        return next((unique.name for unique in self.unique_keys if unique.attributes == key), None)

    def unique_key_of(self, attributes: frozenset[str]) -> tuple[str, ...] | None:
        """Return the key, or the unique key, that has exactly these attributes, or None."""
        return next((key for key in self.keys if frozenset(key) == attributes), None)

    @property
    def deferred_unique(self) -> frozenset[tuple[str, ...]]:
        """The unique keys that are checked only at COMMIT."""
        return frozenset(key.attributes for key in self.unique_keys if key.deferred)

    @property
    def writable(self) -> bool:
        """True if parts can create, change or delete items."""
        return not self.read_only and bool(self.key)

    @property
    def lockable(self) -> bool:
        """True if rows are locked before they are changed.

        On PostgreSQL, locking requires the privilege to change them.
        """
        return self.writable and self.can_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All resources by type name, in the order in which batches lock them."""

    resources: Mapping[str, Resource]
    notices: tuple[str, ...] = ()  # what is omitted, or served differently from the database, and why
    checks_at_commit: bool = True  # True if the database may check anything only at COMMIT
    has_triggers: bool = field(init=False, repr=False, compare=False)  # True if any resource has triggers
    collections: Mapping[str, Resource] = field(init=False, repr=False, compare=False)
    referenced_by: Mapping[str, tuple[tuple[Resource, ForeignKey], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_collection = {resource.collection: resource for resource in self.resources.values()}
        for resource in self.resources.values():
            for former in resource.former_collections:
                by_collection.setdefault(former, resource)
        referenced_by: dict[str, list[tuple[Resource, ForeignKey]]] = {name: [] for name in self.resources}
        for resource in self.resources.values():
            for foreign_key in resource.foreign_keys:
                referenced_by[foreign_key.target].append((resource, foreign_key))
        object.__setattr__(self, "has_triggers", any(each.has_triggers for each in self.resources.values()))
        object.__setattr__(self, "collections", by_collection)
        object.__setattr__(self, "referenced_by", {name: tuple(keys) for name, keys in referenced_by.items()})

    def target_of(self, relation: Relation | ForeignKey) -> Resource:
        """Return the resource that a relation or a foreign key leads to."""
        return self.resources[relation.target]
