"""Compares this checkout with another one, by turns, beside the spread of this checkout against itself."""

import statistics
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


def compare(
    kind: Kind, plan: Plan, other: Path, *, folder: Path, server: sa.URL | None, say: Callable[[str], None]
) -> Measured:
    """Measure this checkout twice, and the one in the folder `other` between them, in each round.

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
    """Return Partwise as the checkout in `root` has it: its folder comes before what is installed."""
    return replace(PARTWISE, name=name, environment=lambda url: {**PARTWISE.environment(url), "PYTHONPATH": str(root)})


def write_comparison(command: str, found: Sequence[Measured]) -> str:
    """Write what was found as Markdown: ratios are medians of the ratios of single rounds."""
    return "\n".join([f"`{command}`", *(line for measured in found for line in _table(measured))]) + "\n"


def _table(measured: Measured) -> Iterator[str]:
    yield ""
    yield f"| {measured.kind} | before, ms | now, ms | now / before | range | again / now | range |"
    yield "|---|---|---|---|---|---|---|"
    for case in measured.cases:
        times = {name: measured.times[case, name] for name in (NOW, BEFORE, AGAIN)}
        yield f"| {case.workload}, {case.title} {_columns(times, '.2f')}"
    if measured.throughput:
        yield f"| W4, {CLIENTS} clients: batches a second {_columns(measured.throughput, ',.0f')}"


def _columns(found: dict[str, list[float]], form: str) -> str:
    before, now = (statistics.median(found[name]) for name in (BEFORE, NOW))
    changed, spread = _ratio(found[NOW], found[BEFORE]), _ratio(found[AGAIN], found[NOW])
    return f"| {before:{form}} | {now:{form}} | {changed} | {spread} |"


def _ratio(ones: Sequence[float], others: Sequence[float]) -> str:
    ratios = [one / other for one, other in zip(ones, others, strict=True)]
    return f"{statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f}"
