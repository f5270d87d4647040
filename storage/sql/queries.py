"""The statements of queries: filtered, ordered, paginated, for one collection or for each of many parents."""

from collections.abc import Sequence

from storage.catalog.aggregation import Aggregation
from storage.catalog.types import Value
from storage.sql.conditions import (
    Condition,
    Grouping,
    Sort,
    Window,
)
from storage.sql.fragments import Sql
from storage.sql.select import BASE, Select
from storage.sql.sources import Statement


class Query(Select):
    """A SELECT over a resource."""

    def page(
        self,
        attributes: Sequence[str],
        condition: Condition,
        window: Window,
        *,
        parents: Sequence[Sequence[Value]] = (),
        positions: bool = False,
    ) -> Statement:
        """Read a page, of all rows or of the children of these parents.

        The rows have the attributes, and with `positions` the values by which they are ordered.
        """
        read = self._read(attributes, window, positions=positions)
        order = self._order(window.direction)
        where = self._where(condition, parents, window)
        cut = "LIMIT " + self._number(window.limit) + " OFFSET " + self._number(window.offset)
        rest = self._from_where(where) + f"{order} " + cut
        return self._ordered(attributes, window.sorts, read, rest)

    def items(self, attributes: Sequence[str], by: Sequence[str], keys: Sequence[Sequence[Value]]) -> Statement:
        """Read the rows with these values, in any order."""
        read = list(self._columns(attributes))
        return self._select(read, self._from_where(self._among(by, keys)), attributes)

    def matches(self, attributes: Sequence[str], by: Sequence[str], keys: Sequence[Sequence[Value]]) -> Statement:
        """Read the rows with these values, as the database compares them.

        Each row starts with the index of its key, from 0.
        """
        listed = self._statements.listed([self._resource.attributes[name] for name in by], keys)
        read = ["listed.place", *self._columns(attributes)]
        operands = [self._statements.operand(self._resource.attributes[name], f"{BASE}.") for name in by]
        on = " AND ".join(f"{operand} = listed.v{n}" for n, operand in enumerate(operands))
        joined = "FROM " + self._from() + " JOIN " + listed + " ON " + self._writing.with_rule(Sql(on), BASE)
        return self._select(read, joined, attributes)

    def all_children(
        self,
        attributes: Sequence[str],
        parents: Sequence[Sequence[Value]],
        condition: Condition,
        window: Window,
        *,
        positions: bool,
        most: int,
    ) -> Statement:
        """Read the children of all parents, grouped by parent, without regard to pages; at most `most` rows.

        If the values of the parents identify them, each row ends with these values.
        """
        read = [*self._read(attributes, window, positions=positions), *self._parents_read()]
        order = self._order(window.direction).removeprefix(" ORDER BY ")
        owners = self._owners()
        where = self._where(condition, parents, window)
        by_owner = f" ORDER BY {', '.join([*owners, *([order] if order else [])])} LIMIT " + self._number(most)
        return self._ordered(attributes, window.sorts, read, self._from_where(where) + by_owner)

    def children(
        self,
        attributes: Sequence[str],
        parents: Sequence[Sequence[Value]],
        condition: Condition,
        window: Window,
        *,
        positions: bool,
    ) -> Statement:
        """Read a page for each parent. Each row starts with its position among its siblings, from 1, and their number.

        If the values of the parents identify them, each row ends with these values.
        """
        read = [*self._read(attributes, window, positions=positions), *self._parents_read()]
        named = [f"{expression} AS c{n}" for n, expression in enumerate(read)]
        group = ", ".join(self._owners())
        number = f"row_number() OVER (PARTITION BY {group}{self._order(window.direction)}) AS place"
        count = f"count(*) OVER (PARTITION BY {group}) AS siblings"
        owned = ", ".join(f"{owner} AS p{n}" for n, owner in enumerate(self._owners()))
        where = self._where(condition, parents, window)
        inner = f"SELECT {', '.join([number, count, owned, *named])} " + self._from_where(where)
        columns = ", ".join(["place", "siblings", *(f"c{n}" for n in range(len(read)))])
        first, last = self._number(window.offset), self._number(window.offset + window.limit)
        owners = ", ".join(f"p{n}" for n in range(len(self._owners())))
        return self._writing.done(
            f"SELECT {columns} FROM (" + inner + ") AS numbered WHERE place > " + first + " AND place <= " + last,
            f" ORDER BY {owners}, place",
        )

    def count(self, condition: Condition) -> Statement:
        """Count rows."""
        return self._writing.done("SELECT count(*) ", self._from_where(self._where(condition)))

    def counts(self, parents: Sequence[Sequence[Value]], condition: Condition) -> Statement:
        """Count the rows of each parent. Each row starts with the values that identify the parent."""
        where = self._where(condition, parents)
        group, read = ", ".join(self._owners()), ", ".join(self._owners_read())
        return self._writing.done(f"SELECT {read}, count(*) ", self._from_where(where), f" GROUP BY {group}")

    def aggregates(
        self,
        aggregations: Sequence[Aggregation],
        condition: Condition,
        parents: Sequence[Sequence[Value]] = (),
    ) -> Statement:
        """Read the aggregations of all rows, or of each parent's children.

        A row then starts with the values that identify the parent.
        """
        read = ", ".join([*self._owners_read(), *self._aggregated(aggregations)])
        where = self._where(condition, parents)
        group = f" GROUP BY {', '.join(self._owners())}" if self._owned else ""
        return self._writing.done(f"SELECT {read} ", self._from_where(where), group)

    def groups(
        self,
        grouping: Grouping,
        condition: Condition,
        parents: Sequence[Sequence[Value]] = (),
    ) -> Statement:
        """Read groups of all rows, or of each parent's children.

        The rows have the values that identify the parent, the keys, and the aggregations.
        """
        keys = [Sort(name) for name in grouping.by]
        owners = self._owners()
        read = [*self._owners_read(), *self._columns(grouping.by), *self._aggregated(grouping.aggregations)]
        where = self._where(condition, parents)
        group = ", ".join([*owners, *map(self._sort, keys)])
        source = " " + self._from_where(where) + f" GROUP BY {group}"
        limit = self._number(grouping.limit)
        if not owners:
            return self._writing.done(f"SELECT {', '.join(read)}", source, f"{self._order(keys)} LIMIT ", limit)
        named = ", ".join(f"{expression} AS c{n}" for n, expression in enumerate(read))
        place = f"row_number() OVER (PARTITION BY {', '.join(owners)}{self._order(keys)}) AS place"
        columns = ", ".join(f"c{n}" for n in range(len(read)))
        leading = ", ".join(f"c{n}" for n in range(len(owners)))
        numbered = f"(SELECT {place}, {named}" + source + ") AS numbered"
        return self._writing.done(
            f"SELECT {columns} FROM ", numbered, " WHERE place <= ", limit, f" ORDER BY {leading}, place"
        )

    def _ordered(self, attributes: Sequence[str], sorts: Sequence[Sort], read: Sequence[str], rest: Sql) -> Statement:
        """Return the query of rows in an order.

        SQLite copies each value that such a subselect passes on, which takes as long as reading it. So it passes on
        only the rowid. That is not done if an index may contain all values that are read, or if the order is not total:
        then the order would be that of the table or of an index, depending on the values that are read.
        """
        own = self._resource.rowid
        known = {*self._resource.key, *(sort.attribute for sort in sorts), *(self._owned.names if self._owned else ())}
        if (
            not self._as_json_columns
            or own is None
            or self._reads_elsewhere
            or not self._resource.key
            or known.issuperset(attributes)
        ):
            return self._select(read, rest, attributes)
        arrays = ", ".join(map(self._statements.array_of, read))
        again, place = self._writing.again(self._resource, BASE), f"{BASE}.{own}"
        cut = f"(SELECT {place} AS place " + rest + ") AS cut"
        return self._writing.done(f"SELECT {arrays} FROM ", cut, f" CROSS JOIN {again} ON {place} = cut.place")

    def _select(self, read: Sequence[str], rest: Sql, attributes: Sequence[str]) -> Statement:
        """Return a query of rows, or of one JSON array for each expression.

        The arrays have the order of the rows. A last column may verify that the types are unchanged.
        """
        if not self._as_json_columns:
            return self._writing.done(f"SELECT {', '.join(read) or '1'} ", rest)
        named = ", ".join(f"{expression} AS c{n}" for n, expression in enumerate(read))
        arrays = [self._statements.array_of(f"c{n}") for n in range(len(read))]
        own = self._owned if self._owned is not None and self._owned.is_asked else None
        checked = (
            [(self._resource, attributes)] if own is None else [(self._resource, attributes), (own.resource, own.names)]
        )
        holds = [condition for each in checked if (condition := self._statements.as_at_start(*each))]
        outer = ", ".join([*arrays, *([" AND ".join(holds)] if holds else [])])
        return self._writing.done(f"SELECT {outer} FROM (SELECT {named} ", rest, ") AS packed")
