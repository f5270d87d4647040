"""The parts of SELECT statements: columns, tables, conditions and orders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from storage.catalog.aggregation import Aggregation, Function
from storage.catalog.model import Attribute, Relation, Resource
from storage.catalog.types import Anything, JsonDocument, TimeFormat, Value
from storage.sql.common import Statements
from storage.sql.conditions import (
    All,
    AnyOf,
    Compare,
    Condition,
    HasRelated,
    IsTrue,
    Not,
    Operator,
    Sort,
    Window,
)
from storage.sql.fragments import Sql, join
from storage.sql.sources import Purpose, Sees

_TRUE, _FALSE = Sql("1 = 1"), Sql("1 = 0")
_COMPARED = {
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.GT: ">",
    Operator.GTE: ">=",
}
_CONSTANT = {Operator.IN: _FALSE, Operator.NOT_IN: _TRUE}  # for an empty list of values
BASE = "t0"
_PARENT = "p0"
_MOST_IN_CHAIN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The attributes that identify the parent of a row."""

    relation: Relation  # to many
    parents: Resource
    children: Resource

    @property
    def is_asked(self) -> bool:
        """True if the database must identify the parent, by its values, because Python compares them differently."""
        return self.relation.foreign_key.collated

    @property
    def resource(self) -> Resource:
        """The resource whose attributes identify the parent."""
        return self.parents if self.is_asked else self.children

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that identify the parent."""
        return self.relation.here if self.is_asked else self.relation.there

    def chunks(self, statements: Statements, parents: Sequence[Sequence[Value]]) -> Iterator[Sequence[Sequence[Value]]]:
        """Split a list of parents, each as its identifying values, into chunks that fit into one statement."""
        return statements.chunks(self.resource, self.names, parents)


class Select:
    """A SELECT over a resource, under construction."""

    def __init__(
        self,
        statements: Statements,
        resource: Resource,
        *,
        owned: Ownership | None = None,
        as_json_columns: bool = False,
        sees: Sees = Purpose.READ,
    ) -> None:
        self._statements = statements
        self._writing = statements.writing()
        self._sees = sees  # of the resource; of others, only what may be read
        self._owned = owned  # identifies the parents of the rows
        self._as_json_columns = as_json_columns  # True if rows are returned as JSON arrays, one for each expression
        self._resource = resource
        self._aliases = 0
        self._joins: dict[tuple[str, ...], tuple[str, Sql]] = {}  # names of relations -> alias and join
        self._negations = 0  # around the condition under construction
        self._reads_elsewhere = False  # True if a value of another table is read

    # --- columns and tables

    def _column(self, name: str, alias: str = BASE, resource: Resource | None = None) -> str:
        return f"{alias}.{self._statements.column(resource or self._resource, name)}"

    def _columns(self, attributes: Sequence[str]) -> Iterator[str]:
        for name in attributes:
            yield self._statements.read_expression(self._resource.attributes[name], f"{BASE}.")

    def _from(self) -> Sql:
        joins = [each for _, each in self._joins.values()]
        if self._owned and self._owned.is_asked:
            table = self._writing.source(self._owned.parents, Purpose.READ, _PARENT)
            on = self._related(self._owned.relation, (_PARENT, self._owned.parents), (BASE, self._resource))
            joins.insert(0, f" JOIN {table} ON " + self._writing.with_rule(Sql(on), _PARENT))
        return join("", [self._writing.source(self._resource, self._sees, BASE), *joins])

    def _from_where(self, condition: Sql) -> Sql:
        """Return FROM and WHERE. The joins that other expressions need are already known."""
        return "FROM " + self._from() + " WHERE " + self._writing.with_rule(condition, BASE)

    def _owners(self) -> list[str]:
        """Return the expressions that identify the parents of the rows."""
        if self._owned is None:
            return []
        own = [self._owned.resource.attributes[name] for name in self._owned.names]
        return [
            self._statements.sort_expression(attribute, f"{self._owner_alias()}.")
            if attribute.format is TimeFormat.MIXED  # its values are equal in any spelling
            else self._statements.operand(attribute, f"{self._owner_alias()}.")
            for attribute in own
        ]

    def _owners_read(self) -> list[str]:
        """Return the expressions that read the identifying values."""
        if self._owned is None:
            return []
        own, prefix = self._owned.resource.attributes, f"{self._owner_alias()}."
        return [self._statements.read_expression(own[name], prefix) for name in self._owned.names]

    def _parents_read(self) -> list[str]:
        if self._owned is None or not self._owned.is_asked:
            return []
        self._reads_elsewhere = True
        return self._owners_read()

    def _owner_alias(self) -> str:
        return _PARENT if self._owned and self._owned.is_asked else BASE

    def _next_alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def _number(self, number: int) -> Sql:
        return Sql(self._statements.mark, (number,))

    def _aggregated(self, aggregations: Sequence[Aggregation]) -> Iterator[str]:
        """Return one expression for each aggregation; for an average two: the sum, and the number of values."""
        for each in aggregations:
            if each.function is Function.COUNT:
                yield "count(*)"
                continue
            attribute = self._resource.attributes[each.attribute]
            match each.function:
                case Function.SUM:
                    yield self._statements.sum_expression(attribute, f"{BASE}.")
                case Function.AVG:
                    yield self._statements.sum_expression(attribute, f"{BASE}.")
                    yield f"count({self._column(each.attribute)})"
                case Function.MIN | Function.MAX:
                    yield self._statements.extreme_expression(each.function, attribute, f"{BASE}.")
                case _:
                    assert_never(each.function)

    # --- order

    def _sort(self, sort: Sort) -> str:
        alias, resource = self._joined(sort.path)
        return self._statements.sort_expression(resource.attributes[sort.attribute], f"{alias}.")

    def _joined(self, path: Sequence[tuple[Relation, Resource]]) -> tuple[str, Resource]:
        """Join the tables that to-one relations lead to, each once. Return the alias and resource of the last."""
        alias, resource = BASE, self._resource
        for length, (relation, target) in enumerate(path, 1):
            names = tuple(each.name for each, _ in path[:length])
            if names not in self._joins:
                own = self._next_alias()
                table = self._writing.source(target, Purpose.READ, own)
                on = Sql(self._related(relation, (alias, resource), (own, target)))
                self._joins[names] = own, f" LEFT JOIN {table} ON " + self._writing.with_rule(on, own)
            alias, resource = self._joins[names][0], target
        return alias, resource

    def _related(self, relation: Relation, start: tuple[str, Resource], end: tuple[str, Resource]) -> str:
        key, pointing = (start, end) if relation.many else (end, start)
        return self._statements.related(relation.foreign_key, key, pointing)

    def _order(self, sorts: Sequence[Sort]) -> str:
        terms = [f"{self._sort(sort)} {'DESC' if sort.descending else 'ASC'}{self._nulls(sort)}" for sort in sorts]
        return f" ORDER BY {', '.join(terms)}" if terms else ""

    def _nulls(self, sort: Sort) -> str:
        """Return NULLS FIRST or LAST if there may be nulls. Otherwise it would prevent SQLite from using an index."""
        if not self._may_be_null(sort):
            return ""
        return f" NULLS {'FIRST' if sort.nulls_first else 'LAST'}"

    def _may_be_null(self, sort: Sort) -> bool:
        resource = sort.path[-1][1] if sort.path else self._resource
        return bool(sort.path) or resource.attributes[sort.attribute].nullable

    # --- conditions

    def _where(
        self,
        condition: Condition,
        parents: Sequence[Sequence[Value]] = (),
        window: Window | None = None,
    ) -> Sql:
        """Return the conditions on rows: their parents, the condition itself, and the position that they follow."""
        terms = [self._among(self._owned.names, parents)] if self._owned else []
        terms.append("(" + self._condition(condition, self._resource, BASE) + ")")
        if window is not None and window.after is not None:
            terms.append(self._after(window.direction, window.after))
        return join(" AND ", terms)

    def _after(self, sorts: Sequence[Sort], values: Sequence[Any]) -> Sql:
        """Return the condition that a row follows a position: in the first term that differs."""
        first, value = sorts[0], values[0]
        behind = self._behind(first, value)
        if len(sorts) == 1:
            return behind
        expression = self._sort(first)
        same = Sql(f"{expression} IS NULL") if value is None else f"{expression} = " + self._raw(first, value)
        return "(" + behind + " OR (" + same + " AND " + self._after(sorts[1:], values[1:]) + "))"

    def _behind(self, sort: Sort, value: Any) -> Sql:
        expression = self._sort(sort)
        if value is None:
            # A key of SQLite may be null nevertheless. Without NULLS LAST, nulls are the smallest.
            are_first = sort.nulls_first if self._may_be_null(sort) else not sort.descending
            return Sql(f"{expression} IS NOT NULL") if are_first else _FALSE
        behind = f"{expression} {'<' if sort.descending else '>'} " + self._raw(sort, value)
        is_all = sort.nulls_first or not self._may_be_null(sort)
        return behind if is_all else "(" + behind + f" OR {expression} IS NULL)"

    def _raw(self, sort: Sort, value: Any) -> Sql:
        resource = sort.path[-1][1] if sort.path else self._resource
        return self._statements.position(resource.attributes[sort.attribute], value)

    def _read(self, attributes: Sequence[str], window: Window, *, positions: bool) -> list[str]:
        """Return the expressions to read: attributes, and then the values of the position."""
        read = list(self._columns(attributes))
        for sort in window.sorts if positions else ():
            alias, resource = self._joined(sort.path)
            self._reads_elsewhere |= alias != BASE
            read.append(self._statements.position_expression(resource.attributes[sort.attribute], f"{alias}."))
        return read

    def _among(self, by: Sequence[str], tuples: Sequence[Sequence[Value]]) -> Sql:
        resource = self._owned.resource if self._owned else self._resource
        return self._statements.among(resource, by, tuples, f"{self._unconverted()}{self._owner_alias()}.")

    def _unconverted(self) -> str:
        """Return the operator that prevents SQLite from converting the values of a parent's key without a type."""
        if self._owned is None or self._owned.is_asked:
            return ""
        here, there = self._owned.relation.here, self._owned.relation.there
        own, parents = self._resource.attributes, self._owned.parents.attributes
        is_converted = any(
            isinstance(parents[one].type, Anything) and not isinstance(own[other].type, Anything)
            for one, other in zip(here, there, strict=True)
        )
        return "+" if is_converted else ""

    def _condition(self, condition: Condition, resource: Resource, alias: str) -> Sql:
        match condition:
            case Compare():
                return self._compare(condition, resource.attributes[condition.attribute], f"{alias}.")
            case All(conditions=every):
                return _joined([self._condition(each, resource, alias) for each in every], " AND ") or _TRUE
            case AnyOf(conditions=some):
                return _joined([self._condition(each, resource, alias) for each in some], " OR ") or _FALSE
            case Not(condition=inner):
                self._negations += 1
                negated = "NOT (" + self._condition(inner, resource, alias) + ")"
                self._negations -= 1
                return negated
            case IsTrue(condition=inner):
                return "(" + self._condition(inner, resource, alias) + ") IS TRUE"
            case HasRelated(relation=relation, target=target, condition=inner):
                own = self._next_alias()
                table = self._writing.source(target, Purpose.READ, own)
                on = self._related(relation, (alias, resource), (own, target))
                within = f"{on} AND (" + self._condition(inner, target, own) + ")"
                return f"EXISTS (SELECT 1 FROM {table} WHERE " + self._writing.with_rule(within, own) + ")"
            case _:
                assert_never(condition)

    def _compare(self, condition: Compare, attribute: Attribute, prefix: str) -> Sql:
        operator, value = condition.operator, condition.value
        if operator is Operator.IS_NULL:
            column = self._statements.quote(attribute.column)
            return Sql(f"{prefix}{column} IS {'' if value else 'NOT '}NULL")
        values = value if operator in _CONSTANT else [value]
        assert isinstance(values, Sequence)  # noqa: S101  # binding ensures it
        own = (
            self._statements.compared(attribute, prefix, operator, values, narrowed=not self._negations)
            if values
            else None
        )
        if own is not None:
            return own
        expression = self._statements.sort_expression(attribute, prefix)
        match operator:
            case _ if isinstance(attribute.type, JsonDocument):
                return self._statements.holds(attribute, prefix, operator, value)
            case Operator.EQ | Operator.NE:
                return self._one_of(expression, attribute, [value], negated=operator is Operator.NE)
            case Operator.IN | Operator.NOT_IN:
                if not values:
                    return _CONSTANT[operator]
                return self._one_of(expression, attribute, values, negated=operator is Operator.NOT_IN)
            case Operator.LT | Operator.LTE | Operator.GT | Operator.GTE:
                encoded = self._statements.encode(attribute, value)
                return Sql(f"{expression} {_COMPARED[operator]} {self._statements.placeholder(attribute)}", (encoded,))
            case _:
                return self._statements.holds(attribute, prefix, operator, value)

    def _one_of(self, expression: str, attribute: Attribute, values: Sequence[Value], *, negated: bool) -> Sql:
        spellings = tuple(spelling for value in values for spelling in self._statements.spellings(attribute, value))
        place = self._statements.placeholder(attribute)
        if len(spellings) == 1:
            return Sql(f"{expression} {'<>' if negated else '='} {place}", spellings)
        return Sql(f"{expression} {'NOT ' if negated else ''}IN ({', '.join([place] * len(spellings))})", spellings)


def _joined(terms: Sequence[Sql], word: str) -> Sql:
    """Join many terms in groups.

    SQLite does not accept a chain of more than a thousand (https://sqlite.org/limits.html).
    """
    if len(terms) <= _MOST_IN_CHAIN:
        return join(word, ["(" + term + ")" for term in terms])
    groups = [terms[start : start + _MOST_IN_CHAIN] for start in range(0, len(terms), _MOST_IN_CHAIN)]
    return join(word, ["(" + _joined(group, word) + ")" for group in groups])
