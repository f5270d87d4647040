"""What is judged of simple checks without the database is what the database judges, for random checks and values."""

import os
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.catalog import Check, Resource
from storage.connections.driver_errors import StatementRefused
from storage.rows.writer import Rows
from storage.sql import Unstorable
from tests.conftest import Serve
from tests.support.harness import Backend

EXAMPLES = int(os.environ.get("PARTWISE_EXAMPLES", "6"))
CHECKS = 40  # of a table

# type -> constants, as SQL, and values near them
NUMBERS = ["0", "-1", "1", "2.5", "-2.5", "10", "100", "1e2", "0.1", "9.99", "-0.01"]
DATES = ["2020-01-01", "2020-02-29", "1999-12-31"]
TIMES = ["08:00:00", "12:30:00", "23:59:59"]
TEXTS = ["", "a", "b", "A", "it''s", "ab", "%", "5", "ä"]


def _decimals(places: int) -> st.SearchStrategy[Any]:
    near = st.sampled_from([Decimal(each) for each in NUMBERS])
    wide = st.decimals(-200, 200, places=places, allow_nan=False, allow_infinity=False)
    return st.one_of(near, wide).map(lambda number: number.quantize(Decimal(1).scaleb(-places)))


_DAYS = st.builds(
    lambda text, days: date.fromisoformat(text) + timedelta(days=days), st.sampled_from(DATES), st.integers(-1, 1)
)
_CLOCKS = st.one_of(st.sampled_from([time.fromisoformat(each) for each in TIMES]), st.times())
_MOMENTS = st.builds(datetime.combine, _DAYS, _CLOCKS)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "SMALLINT": st.integers(-12, 120),
    "INTEGER": st.integers(-12, 120),
    "BIGINT": st.one_of(st.integers(-12, 120), st.integers(-(2**63), 2**63 - 1)),
    "NUMERIC(6, 2)": _decimals(2),
    "NUMERIC(4, 0)": _decimals(0),
    "{double}": st.one_of(st.sampled_from([float(each) for each in NUMBERS]), st.floats(-200, 200)).map(lambda n: n + 0.0),
    "VARCHAR(9)": st.one_of(st.sampled_from([each.replace("''", "'") for each in TEXTS]), st.text("abÄ ", max_size=6)),
    "TEXT": st.one_of(st.sampled_from([each.replace("''", "'") for each in TEXTS]), st.text("abÄ ", max_size=6)),
    "DATE": _DAYS,
    "TIME": _CLOCKS,
    "{naive}": _MOMENTS,
    "{aware}": _MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
}  # fmt: skip


def _constants(type_: str) -> st.SearchStrategy[str]:
    match type_:
        case "VARCHAR(9)" | "TEXT":
            return st.sampled_from([f"'{each}'" for each in TEXTS])
        case "DATE":
            return st.sampled_from([f"'{each}'" for each in DATES])
        case "TIME":
            return st.sampled_from([f"'{each}'" for each in TIMES])
        case "{naive}":
            return st.sampled_from([f"'{day} {clock}'" for day in DATES for clock in TIMES])
        case "{aware}":
            return st.sampled_from([f"'{day} {clock}{{zone}}'" for day in DATES for clock in TIMES])
        case _:
            return st.sampled_from(NUMBERS)


@st.composite
def leaves(draw: st.DrawFn, column: str, type_: str) -> str:
    """Draw one comparison."""
    is_text = type_ in {"VARCHAR(9)", "TEXT"}
    if is_text and draw(st.booleans()):
        left, constants = f"length({column})", st.sampled_from(["0", "1", "2", "2.5", "3", "5"])
    else:
        left, constants = column, _constants(type_)
    low, high = draw(constants), draw(constants)
    operators = ["=", "<>"] if is_text and left == column else ["<", "<=", ">", ">=", "=", "<>"]
    operator = draw(st.sampled_from(operators))
    forms = [f"{left} {operator} {low}", f"{low} {operator} {left}", f"{left} IN ({low}, {high})"]
    if not (is_text and left == column):
        forms.append(f"{left} BETWEEN {low} AND {high}")
    return draw(st.sampled_from(forms))


@st.composite
def checks(draw: st.DrawFn, column: str, type_: str) -> str:
    """Draw a check: comparisons joined by AND, or not."""
    one, other = draw(leaves(column, type_)), draw(leaves(column, type_))
    forms = [
        *([one] * 3), f"{one} AND {other}", f"({one}) AND (({other}))", f"{column} IS NULL OR {one}", f"{one} OR {other}",
        f"NOT {one}", f"({column} IS NULL) OR ({one} AND {other})", f"{one} AND NOT ({other})",
    ]  # fmt: skip
    return draw(st.sampled_from(forms))


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[str, str, list[Any]]]:
    """Draw columns: the type, the check, and values to try."""
    found = []
    for number in range(CHECKS):
        type_ = draw(st.sampled_from([*VALUES]))
        check = draw(checks(f"c{number}", type_))
        found.append((type_, check, draw(st.lists(VALUES[type_], min_size=3, max_size=6))))
    return found


def _takes(rows: Rows, resource: Resource, name: str, value: Any) -> bool | None:
    """Return whether the database takes a value; None where the column cannot keep it."""
    rows.transaction.savepoint("trial")
    try:
        rows.insert(resource, {name: value})
    except StatementRefused:
        return False
    except Unstorable:
        return None
    finally:
        rows.transaction.rollback_to("trial")
        rows.transaction.release("trial")
    return True


def _check_of(resource: Resource, name: str) -> Check:
    (found,) = (check for check in resource.checks if check.attributes == (name,))
    return found


@pytest.fixture
def numbered() -> dict[str, int]:
    """Counts the tables that a test has made, and the verdicts that were compared."""
    return {"tables": 0, "verdicts": 0, "refused": 0}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(columns=tables())
def _compare(
    backend: Backend, start: Serve, numbered: dict[str, int], columns: list[tuple[str, str, list[Any]]]
) -> None:
    numbered["tables"] += 1
    zone = {"sqlite": "", "postgresql": "+00"}[backend.kind]
    declared = ", ".join(
        f"c{number} {backend.translate(type_)} CHECK ({check.replace('{zone}', zone)})"
        for number, (type_, check, _) in enumerate(columns)
    )
    backend.run(f"DROP TABLE IF EXISTS item;\nCREATE TABLE item (id {{key}}, {declared})")
    api = start(backend)
    (resource,) = api.service.engine.catalog.resources.values()
    with api.service.engine.database.write() as transaction:
        rows = Rows(api.service.engine.session(transaction))
        for number, (type_, text, values) in enumerate(columns):
            name = f"c{number}"
            check = _check_of(resource, name)
            for value in values:
                is_taken = _takes(rows, resource, name, value)
                if is_taken is None or not check.bounds:
                    continue
                known = all(bounds.takes(value) for bounds in check.bounds)
                numbered["verdicts"] += 1
                numbered["refused"] += not known
                assert known or not is_taken, (type_, text, value)
                if check.complete:
                    assert known == is_taken, (type_, text, value)
                together = all(bounds.takes_all([value, None, value]) for bounds in check.bounds)
                assert together == known, (type_, text, value)
    api.close()


def test_what_is_judged_beforehand_is_what_the_database_judges(
    backend: Backend, start: Serve, numbered: dict[str, int]
):
    _compare(backend, start, numbered)

    assert numbered["verdicts"] > numbered["tables"] * CHECKS
    assert numbered["refused"] > 0
