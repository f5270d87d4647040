"""Random spellings of dates and times in an SQLite file: what is shown is what was meant, is found by it, and is left as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Serve
from tests.support.examples import tried_with
from tests.support.harness import LEAN_BATCH, Api, Backend, part

pytestmark = pytest.mark.costly

tried = tried_with(40)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = ("day", "clock", "planned", "seen")
_COLUMNS = (*_TEXTS, "number")


@dataclass(frozen=True)
class Spelled:
    """What a column holds, and what it means: an instant, a day or a time of day."""

    stored: str | float
    meant: datetime | date | time


def fractions(microsecond: int, seconds: int) -> st.SearchStrategy[str]:
    """Seconds with their fraction, in as few or as many digits as say the same."""
    digits = f"{microsecond:06}".rstrip("0")
    longer = st.integers(max(1, len(digits)), 9).map(lambda count: f":{seconds:02}.{digits:0<{count}}")
    if digits:
        return longer
    without = st.just(f":{seconds:02}")
    return st.one_of(longer, without) if seconds else st.one_of(longer, without, st.just(""))


@st.composite
def instants(draw: st.DrawFn) -> Spelled:
    """An instant, with or without a zone; without one, it is UTC."""
    meant = draw(
        st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001  # has one
    ).replace(microsecond=draw(st.sampled_from([0, 0, 1, 250_000, 999_999])))
    if draw(st.booleans()):
        meant = meant.replace(second=0, microsecond=0)
    offset = draw(st.sampled_from([None, 0, 0, 60, -90, 840, -720]))
    local = meant + timedelta(minutes=offset or 0)
    if offset is None and local.time() == time() and draw(st.booleans()):
        return Spelled(local.date().isoformat(), meant)
    clock = f"{local:%H:%M}" + draw(fractions(local.microsecond, local.second))
    zone = "" if offset is None else draw(zones(offset))
    return Spelled(f"{local.date().isoformat()}{draw(st.sampled_from(' Tt'))}{clock}{zone}", meant)


def zones(minutes: int) -> st.SearchStrategy[str]:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    forms = [f"{sign}{hours:02}:{rest:02}", f"{sign}{hours:02}{rest:02}", f" {sign}{hours:02}{rest:02}"]
    return st.sampled_from([*forms, *([] if rest else [f"{sign}{hours:02}"]), *([] if minutes else ["Z", "z", " Z"])])


@st.composite
def days(draw: st.DrawFn) -> Spelled:
    meant = draw(st.dates(date(1, 1, 3), date(9999, 12, 29)))
    return Spelled(
        meant.isoformat() + draw(st.sampled_from(["", " 00:00:00", "T00:00", " 00:00:00.000", "T00:00:00Z"])), meant
    )


@st.composite
def clocks(draw: st.DrawFn) -> Spelled:
    meant = draw(st.times()).replace(microsecond=draw(st.sampled_from([0, 1, 500_000])))
    if draw(st.booleans()):
        meant = meant.replace(second=0, microsecond=0)
    return Spelled(
        f"{meant:%H:%M}" + draw(fractions(meant.microsecond, meant.second)) + draw(st.sampled_from(["", "Z"])), meant
    )


@st.composite
def numbers(draw: st.DrawFn, unit: int, fewest: int = 0) -> Spelled:
    """Seconds or milliseconds, as a whole number or with a fraction that a double holds."""
    seconds = draw(st.one_of(st.integers(fewest, 4 * 10**9), st.integers(-(10**9), -fewest)))
    fraction = draw(st.sampled_from([0, 0, 500_000, 250_000, 125_000]))
    meant = _EPOCH + timedelta(seconds=seconds, microseconds=fraction)
    stored = (seconds * 1_000_000 + fraction) / 1_000_000 * unit
    return Spelled(int(stored) if not fraction and draw(st.booleans()) else stored, meant)


def shown(meant: datetime | date | time, *, aware: bool = False) -> str:
    """Write a value as the API does."""
    if not isinstance(meant, datetime):
        return meant.isoformat()
    text = meant.replace(tzinfo=None).isoformat()
    return f"{text}Z" if aware else text


@dataclass(frozen=True)
class Served:
    api: Api
    backend: Backend
    form: str


@pytest.fixture(params=["iso", "mixed", "unix", "unix_ms"])
def served(request: pytest.FixtureRequest, sqlite: Backend, start: Serve) -> Served:
    form = str(request.param)
    sqlite.run("""
        CREATE TABLE slot (id INTEGER PRIMARY KEY, day DATE, clock TIME, planned DATETIME, seen TIMESTAMP WITH TIME ZONE, number DATETIME);
        CREATE INDEX slot_planned ON slot (planned)""")
    text = {} if form != "mixed" else {name: {"format": form} for name in _TEXTS}
    number = {} if form == "iso" else {"number": {"format": form}}
    return Served(start(sqlite, resources={"slot": {"attributes": {**text, **number}}}), sqlite, form)


def rows(form: str) -> st.SearchStrategy[Sequence[Sequence[Spelled]]]:
    number = {
        "iso": instants(),
        "mixed": st.one_of(numbers(1, 10**8 + 1), instants()),
        "unix": numbers(1),
        "unix_ms": numbers(1_000),
    }[form]
    return st.lists(st.tuples(days(), clocks(), instants(), instants(), number), min_size=1, max_size=12)


@tried
@given(data=st.data())
def test_what_is_shown_is_found_and_written_back_without_a_change(served: Served, data: st.DataObject):
    table = data.draw(rows(served.form))
    put(served.backend, table)
    before = served.backend.rows("SELECT *, typeof(number) FROM slot ORDER BY id")

    query = f"{{ slots(orderBy: [{{ id: ASC }}]) {{ nodes {{ id etag {' '.join(_COLUMNS)} }} }} }}"
    nodes = served.api.query(query)["slots"]["nodes"]
    expected = [[shown(each.meant, aware=place == 3) for place, each in enumerate(row)] for row in table]
    assert [[node[name] for name in _COLUMNS] for node in nodes] == expected

    compared = [name for name in _COLUMNS if served.form == "mixed" or (name == "number" and served.form != "iso")]
    for name in compared:
        check_comparisons(served.api, name, table, expected)

    parts = [
        part(
            f"p{node['id']}",
            data.draw(st.sampled_from(["UPDATE", "REPLACE", "UPSERT"])),
            f"/slots/{node['id']}",
            {n: node[n] for n in _COLUMNS},
        )
        for node in nodes
    ]
    done = served.api.post(LEAN_BATCH, {"parts": parts})["data"]["batch"]
    assert done["status"] == "COMMITTED", done
    assert served.backend.rows("SELECT *, typeof(number) FROM slot ORDER BY id") == before
    assert served.api.query(query)["slots"]["nodes"] == nodes


def put(backend: Backend, table: Sequence[Sequence[Spelled]]) -> None:
    def literal(value: str | float) -> str:
        return f"'{value}'" if isinstance(value, str) else repr(value)

    values = ", ".join(f"({n}, {', '.join(literal(each.stored) for each in row)})" for n, row in enumerate(table, 1))
    backend.run(f"DELETE FROM slot;\nINSERT INTO slot VALUES {values}")


def check_comparisons(
    api: Api, name: str, table: Sequence[Sequence[Spelled]], expected: Sequence[Sequence[str]]
) -> None:
    place = _COLUMNS.index(name)
    meant: list[Any] = [row[place].meant for row in table]
    bound, text = meant[0], expected[0][place]
    found = api.query(f"""{{
      eq: slots(filter: {{ {name}: {{ eq: "{text}" }} }}) {{ nodes {{ id }} }}
      in: slots(filter: {{ {name}: {{ in: ["{text}", "{expected[-1][place]}"] }} }}) {{ nodes {{ id }} }}
      ne: slots(filter: {{ {name}: {{ ne: "{text}" }} }}) {{ nodes {{ id }} }}
      lt: slots(filter: {{ {name}: {{ lt: "{text}" }} }}) {{ nodes {{ id }} }}
      gte: slots(filter: {{ {name}: {{ gte: "{text}" }} }}) {{ nodes {{ id }} }}
      all: slots(orderBy: [{{ {name}: ASC }}, {{ id: ASC }}]) {{ nodes {{ id }} aggregate {{ min {{ {name} }} max {{ {name} }} }} groupBy(by: [{name}]) {{ keys {{ {name} }} aggregate {{ count }} }} }}
    }}""")
    every = list(enumerate(meant, 1))
    assert ids(found["eq"]) == {n for n, each in every if each == bound}
    assert ids(found["in"]) == {n for n, each in every if each in {bound, meant[-1]}}
    assert ids(found["ne"]) == {n for n, each in every if each != bound}
    assert ids(found["lt"]) == {n for n, each in every if each < bound}
    assert ids(found["gte"]) == {n for n, each in every if each >= bound}
    assert [each["id"] for each in found["all"]["nodes"]] == [n for n, _ in sorted(every, key=lambda each: each[::-1])]
    aware = name == "seen"
    assert found["all"]["aggregate"] == {
        "min": {name: shown(min(meant), aware=aware)},
        "max": {name: shown(max(meant), aware=aware)},
    }
    groups = {each["keys"][name]: each["aggregate"]["count"] for each in found["all"]["groupBy"]}
    assert groups == {shown(each, aware=aware): meant.count(each) for each in meant}


def ids(page: Any) -> set[int]:
    return {each["id"] for each in page["nodes"]}
