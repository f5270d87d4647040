"""Formats the measurements as Markdown."""

import importlib.util
import os
import platform
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version

from benchmarks.cases import CLIENTS, THROUGHPUT_GOAL, Case
from benchmarks.databases import Kind
from benchmarks.measure import ALONE, Measured
from benchmarks.targets import FLOOR, PARTWISE

_NAMES = {Kind.SQLITE: "SQLite", Kind.POSTGRESQL: "PostgreSQL"}
_MEBIBYTE = 1 << 20  # bytes
_KIBIBYTE = 1 << 10  # bytes


def write_report(command: str, found: Sequence[Measured], postgresql: str | None, rounds: int) -> str:
    """Return the report of a command's measurements."""
    lines = [
        "# How fast Partwise is",
        "",
        f"`{command}`",
        "",
        *_conditions(postgresql, rounds),
    ]
    for measured in found:
        lines += ["", f"## {_NAMES[measured.kind]}", "", *_times(measured)]
        if any(case.size for case in measured.cases):
            lines += ["", f"## {_NAMES[measured.kind]}: W7, batches that grow", "", *_growth(measured)]
    reads = [case for case in found[0].cases if case.reads]
    if reads:
        lines += ["", "## Memory of reading, peak over idle", "", *_memory(found, reads)]
    if any(measured.round_trips for measured in found):
        lines += ["", "## Round trips to the database, of one request", "", *_round_trips(found)]
    return "\n".join(lines) + "\n"


def _conditions(postgresql: str | None, rounds: int) -> Iterator[str]:
    loop, http = (
        name if importlib.util.find_spec(name) else own for name, own in (("uvloop", "asyncio"), ("httptools", "h11"))
    )
    yield f"* {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, {os.cpu_count()} CPUs, {platform.machine()} {platform.system()}"
    yield f"* Partwise {version('partwise')}, Python {platform.python_version()}, uvicorn {version('uvicorn')} with {loop} and {http}, for both"
    yield f"* SQLite {sqlite3.sqlite_version}, the floor's driver sqlite3"
    if postgresql:
        yield (
            f"* PostgreSQL {postgresql}, the floor's driver asyncpg {version('asyncpg')}, Partwise's psycopg {version('psycopg')}"
        )
    yield (
        f"* medians of {rounds} rounds in which the targets take turns; the ratio is that of the medians, the range that of the "
        "rounds; the floor is the thinnest Starlette program that does the same work; take the ratios, not the times"
    )


def _times(measured: Measured) -> Iterator[str]:
    yield "| | floor, ms | Partwise, ms | ratio | range | goal | |"
    yield "|---|---|---|---|---|---|---|"
    for case in measured.cases:
        if case.size is None:
            yield _row(measured, case)
        if case.workload == "W4":
            yield _throughput(measured)
    for case in measured.cases:
        if alone := measured.times.get((case, ALONE)):
            yield f"| {case.workload}, {case.title}: the driver alone, without HTTP | {statistics.median(alone):.2f} | | | | | |"


def _row(measured: Measured, case: Case) -> str:
    base = next(each for each in measured.cases if each.workload == "W1") if case.is_refused else case
    floors = measured.times[base, FLOOR.name]
    ours = measured.times[case, PARTWISE.name]
    ratio = statistics.median(ours) / statistics.median(floors)
    ratios = [our / floor for our, floor in zip(ours, floors, strict=True)]
    title = f"{case.workload}, {case.title}" + (" (the floor of W1)" if base is not case else "")
    return (
        f"| {title} | {statistics.median(floors):.2f} | {statistics.median(ours):.2f} | {ratio:.2f} "
        f"| {min(ratios):.2f} to {max(ratios):.2f} {_goal(case.goal, ratio)}"
    )


def _goal(goal: float | None, ratio: float) -> str:
    return "| | |" if goal is None else f"| {goal:g} | {'met' if ratio <= goal else '**not met**'} |"


def _throughput(measured: Measured) -> str:
    floors, ours = (measured.throughput[target.name] for target in (FLOOR, PARTWISE))
    ratio, goal = statistics.median(ours) / statistics.median(floors), THROUGHPUT_GOAL[measured.kind]
    ratios = [our / floor for our, floor in zip(ours, floors, strict=True)]
    return (
        f"| W4, {CLIENTS} clients: batches a second | {statistics.median(floors):,.0f} | {statistics.median(ours):,.0f} | {ratio:.2f} "
        f"| {min(ratios):.2f} to {max(ratios):.2f} | at least {goal:g} | {'met' if ratio >= goal else '**not met**'} |"
    )


def _growth(measured: Measured) -> Iterator[str]:
    yield "| | floor, ms | Partwise, ms | ratio | floor, µs a part | Partwise, µs a part | floor, peak over idle | Partwise, peak over idle | Partwise, a part |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for case in measured.cases:
        if case.size is None:
            continue
        floor, ours = (statistics.median(measured.times[case, target.name]) for target in (FLOOR, PARTWISE))
        floor_peak, our_peak = (measured.memory[case, target.name] for target in (FLOOR, PARTWISE))
        yield (
            f"| W7, {case.title} | {floor:.2f} | {ours:.2f} | {ours / floor:.2f} "
            f"| {floor / case.size * 1_000:.1f} | {ours / case.size * 1_000:.1f} "
            f"| {floor_peak / _MEBIBYTE:.1f} MB | {our_peak / _MEBIBYTE:.1f} MB | {our_peak / case.size / _KIBIBYTE:.1f} KB |"
        )


def _memory(found: Sequence[Measured], cases: Sequence[Case]) -> Iterator[str]:
    yield from _head(found)
    for case in cases:
        peaks = [each.memory[case, target.name] / _MEBIBYTE for each in found for target in (FLOOR, PARTWISE)]
        yield f"| {case.workload}, {case.title} | {' | '.join(f'{peak:.1f} MB' for peak in peaks)} |"


def _head(found: Sequence[Measured]) -> Iterator[str]:
    yield (
        "| | "
        + " | ".join(f"{_NAMES[each.kind]}, {target.name}" for each in found for target in (FLOOR, PARTWISE))
        + " |"
    )
    yield "|---" * (1 + 2 * len(found)) + "|"


def _round_trips(found: Sequence[Measured]) -> Iterator[str]:
    yield from _head(found)
    for case in found[0].cases:
        if case.size is None:
            counts = [
                str(each.round_trips.get((case, target.name), "in process"))
                for each in found
                for target in (FLOOR, PARTWISE)
            ]
            yield f"| {case.workload}, {case.title} | {' | '.join(counts)} |"
