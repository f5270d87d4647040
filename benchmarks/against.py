"""Compares this checkout with another one in alternation, and with itself to measure the spread."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from benchmarks.cases import CLIENTS, cases_of
from benchmarks.databases import Kind
from benchmarks.measure import Measured, Plan, measure_throughput, measure_times, started
from benchmarks.servers import ROOT
from benchmarks.targets import PARTWISE, Target

NOW, BEFORE, AGAIN = "now", "before", "again"
_DRAWS = 2_000


def compare(
    kind: Kind, plan: Plan, other: Path, *, folder: Path, server: sa.URL | None, say: Callable[[str], None]
) -> Measured:
    """Measure this checkout twice in each round, and the checkout in the folder `other` between them.

    Raises `WrongAnswer` or `NotStarted`.
    """
    measured = Measured(kind=kind, cases=cases_of(plan.workloads, ()))
    targets = [_target(NOW, ROOT), _target(BEFORE, other.resolve()), _target(AGAIN, ROOT)]
    turns = count(1)
    with ExitStack() as stack:
        subjects = [stack.enter_context(started(target, kind, folder, server, turns)) for target in targets]
        for number in range(plan.rounds + 1):
            say(f"{kind}: round {number} of {plan.rounds}" if number else f"{kind}: warming up")
            measure_times(measured, subjects, None, number)
        if "W4" in plan.workloads:
            say(f"{kind}: throughput")
            measure_throughput(measured, subjects, plan)
    return measured


def _target(name: str, root: Path) -> Target:
    """Return the target for the checkout in `root`, whose folder precedes the installed packages."""
    return replace(PARTWISE, name=name, environment=lambda url: {**PARTWISE.environment(url), "PYTHONPATH": str(root)})


def write_comparison(command: str, found: Sequence[Measured]) -> str:
    """Format the results as Markdown: each ratio with its 95 % confidence interval.

    Ratios are those of the lower quartiles over the rounds, because disturbances of a machine only ever add time.
    """
    return "\n".join([f"`{command}`", *(line for measured in found for line in _table(measured))]) + "\n"


def _table(measured: Measured) -> Iterator[str]:
    yield ""
    yield f"| {measured.kind} | before | now | now / before | 95 % | now / now | 95 % |"
    yield "|---|---|---|---|---|---|---|"
    for case in measured.cases:
        times = {name: measured.times[case, name] for name in (NOW, BEFORE, AGAIN)}
        yield f"| {case.workload}, {case.title}: ms {_columns(times, '.2f')}"
    if measured.throughput:
        each = {name: [1_000 / rate for rate in rates] for name, rates in measured.throughput.items()}
        yield f"| W4, {CLIENTS} clients: ms for each batch {_columns(each, '.3f')}"


def _columns(found: dict[str, list[float]], form: str) -> str:
    before, now, again = found[BEFORE], found[NOW], found[AGAIN]
    changed = _ratio([*zip(now, again, strict=True)], [(time,) for time in before])
    spread = _ratio([(time,) for time in again], [(time,) for time in now])
    figures = f"{_quartile([(time,) for time in before]):{form}} | {_quartile([*zip(now, again, strict=True)]):{form}}"
    return f"| {figures} | {changed} | {spread} |"


def _ratio(ones: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> str:
    """Format the ratio of two series of times by round, with its interval, by resampling the rounds (bootstrap)."""
    chance = random.Random(0)  # noqa: S311  nothing secret
    drawn = sorted(
        _quartile([ones[number] for number in numbers]) / _quartile([others[number] for number in numbers])
        for numbers in (chance.choices(range(len(ones)), k=len(ones)) for _ in range(_DRAWS))
    )
    low, high = drawn[round(_DRAWS * 0.025)], drawn[round(_DRAWS * 0.975) - 1]
    return f"{_quartile(ones) / _quartile(others):.2f} | {low:.2f} to {high:.2f}"


def _quartile(rounds: Sequence[Sequence[float]]) -> float:
    times = sorted(time for each in rounds for time in each)
    return times[(len(times) - 1) // 4]
