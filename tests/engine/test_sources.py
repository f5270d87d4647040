"""The rule of each table is part of each statement (storage/sql/sources.py)."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from storage.catalog.model import Attribute, Resource
from storage.catalog.types import Integer
from storage.sql import AllRows, Purpose, Sql, statements_of
from storage.sql.sources import Writing
from tests.support.sentinel import Sentinel, check

STORAGE = Path(__file__).parent.parent.parent / "storage"
NUMBER = Attribute(name="id", column="id", type=Integer(bits=64), sql_type="INTEGER")
ORDERS = Resource(
    name="Order",
    collection="orders",
    field="order",
    table="orders",
    key=("id",),
    attributes={"id": NUMBER},
    relations={},
)


def writing() -> Writing:
    return statements_of("sqlite", Sentinel("?")).writing()


def test_a_rule_becomes_part_of_the_condition():
    own = writing()
    table = own.source(ORDERS, Purpose.READ, "t0")
    found = own.done(f"SELECT 1 FROM {table} WHERE ", own.with_rule(Sql("t0.id = ?", (7,)), "t0"))

    assert found.sql == "SELECT 1 FROM `orders` AS t0 WHERE (t0.id = ?) AND (? <> '')"
    assert found.params == (7, "rule of t0, READ")


def test_a_statement_without_the_rule_of_a_table_cannot_be_finished():
    own = writing()
    table = own.source(ORDERS, Purpose.DELETE)

    with pytest.raises(AssertionError, match="lacks the rules of `orders`"):
        own.done(f"DELETE FROM {table}")
    with pytest.raises(AssertionError, match="lacks the rules of `orders`"):
        own.bulk(f"DELETE FROM {table}")
    with pytest.raises(AssertionError, match="lacks the rules of `orders`"):
        own.bulk_of(f"DELETE FROM {table}", [1])


def test_a_rule_is_paid_once_and_by_its_own_table():
    own = writing()
    own.source(ORDERS, Purpose.READ, "t0")
    own.with_rule(Sql("1 = 1"), "t0")

    with pytest.raises(AssertionError, match="already has its rule"):
        own.with_rule(Sql("1 = 1"), "t0")
    with pytest.raises(AssertionError, match="does not read t1"):
        own.with_rule(Sql("1 = 1"), "t1")


def test_two_tables_have_two_names():
    own = writing()
    own.source(ORDERS, Purpose.READ, "t0")

    with pytest.raises(AssertionError, match="Two tables are called t0"):
        own.source(ORDERS, Purpose.READ, "t0")


def test_a_table_can_be_named_again_but_only_if_the_statement_has_its_rule():
    own = writing()
    with pytest.raises(AssertionError, match="does not read t0"):
        own.again(ORDERS, "t0")
    own.source(ORDERS, Purpose.READ, "t0")
    assert own.again(ORDERS, "t0") == "`orders` AS t0"


def test_a_statement_that_sees_all_rows_needs_no_rule():
    own = writing()
    table = own.source(ORDERS, AllRows.NEXT_KEY)

    assert own.done(f"SELECT max(id) FROM {table}").params == ()


def test_each_row_of_a_bulk_statement_has_the_parameters_of_the_rule():
    own = writing()
    table = own.source(ORDERS, Purpose.DELETE)
    found = own.bulk_of_each(f"DELETE FROM {table} WHERE ", Sql("id = ?"), table, iter([(1,), (2,)]))

    assert found.sql == "DELETE FROM `orders` WHERE (id = ?) AND (? <> '')"
    assert found.params == [(1, "rule of `orders`, DELETE"), (2, "rule of `orders`, DELETE")]


def test_the_check_of_statements_finds_a_table_without_a_rule():
    own = writing()
    table = own.source(ORDERS, Purpose.READ, "t0")
    whole = own.done(f"SELECT 1 FROM {table} WHERE ", own.with_rule(Sql("1 = 1"), "t0"))
    check(whole.sql, whole.params, whole)

    with pytest.raises(AssertionError, match="lacks the rule"):
        check(whole.sql, (), whole)
    with pytest.raises(AssertionError, match=r"names .*invoices"):
        check(whole.sql + " AND EXISTS (SELECT 1 FROM `invoices`)", whole.params, whole)


# A statement that sees all rows is a decision. A new one is a new line here.
USES_OF_ALL_ROWS = {
    ("rows/reader.py", "OPERATOR"): 1,
    ("rows/writer.py", "CONFLICT_HOLDER"): 1,
    ("rows/writer.py", "OWN_WRITE"): 2,
    ("batch/diagnosis/constraint_errors.py", "CONFLICT_HOLDER"): 1,
    ("batch/diagnosis/constraint_errors.py", "STILL_REFERENCED"): 1,
    ("batch/diagnosis/deferred_constraints.py", "CONFLICT_HOLDER"): 1,
    ("batch/diagnosis/deferred_constraints.py", "OWN_WRITE"): 2,
    ("batch/diagnosis/deferred_constraints.py", "STILL_REFERENCED"): 1,
    ("batch/execution/staged.py", "OWN_WRITE"): 1,
    ("sql/as_stored.py", "CONFLICT_HOLDER"): 1,
    ("sql/as_stored.py", "OWN_WRITE"): 2,
    ("sql/common.py", "INSERT_TARGET"): 1,
    ("sql/postgresql.py", "INSERT_TARGET"): 1,
    ("sql/sqlite.py", "INSERT_TARGET"): 1,
    ("sql/sqlite.py", "NEXT_KEY"): 1,
}


def test_each_use_of_all_rows_is_listed():
    uses = Counter(
        (str(path.relative_to(STORAGE)), node.attr)
        for path in STORAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "AllRows"
    )

    assert uses == USES_OF_ALL_ROWS
    assert {reason for _, reason in uses} == {reason.name for reason in AllRows}


def test_only_one_module_writes_the_name_of_a_table():
    """`quote(resource.table)` elsewhere names a row type or a draft, not the table itself."""
    writers = {
        str(path.relative_to(STORAGE)): path.read_text().count("quote(resource.table)")
        + path.read_text().count("quote(row.resource.table)")
        for path in STORAGE.rglob("*.py")
    }

    assert {name: count for name, count in writers.items() if count} == {
        "sql/sources.py": 2,
        "sql/as_stored.py": 2,
        "sql/postgresql.py": 1,
    }
