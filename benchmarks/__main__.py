"""The command line: measure, compare, or profile."""

import signal
import sys
import tempfile
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import sqlalchemy as sa
import typer

from benchmarks.against import compare, write_comparison
from benchmarks.cases import CASES, GROWING, SIZES
from benchmarks.databases import Kind, open_database, postgresql_server, postgresql_version
from benchmarks.measure import Plan, measure
from benchmarks.profiling import profile
from benchmarks.report import write_report
from benchmarks.servers import NotStarted
from benchmarks.targets import WrongAnswer

_WORKLOADS = sorted({case.workload for case in CASES} | {GROWING})
_QUICK_SIZES = SIZES[:-1]

app = typer.Typer(help="How fast Partwise is, beside the floor.", add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def measure_all(
    context: typer.Context,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Three rounds, under a minute.")] = False,
    database: Annotated[Kind | None, typer.Option(help="One kind of database only.")] = None,
    workloads: Annotated[str | None, typer.Option(help="Some of the workloads only, like W1,W2.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often everything is measured (11, quick 3).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report to this file too.")] = None,
) -> None:
    """Measure, and write a report."""
    if context.invoked_subcommand is not None:
        return
    names = _choose(workloads or ",".join(_WORKLOADS), _WORKLOADS)
    if "W5" in names and "W1" not in names:
        raise typer.BadParameter("W5 is compared with the floor of W1: name W1 too")
    plan = Plan(
        workloads=names,
        rounds=rounds or (3 if quick else 11),
        sizes=_QUICK_SIZES if quick else SIZES,
        load_seconds=1.0 if quick else 5.0,
        load_rounds=1 if quick else 3,
    )
    kinds = [database] if database else list(Kind)
    with tempfile.TemporaryDirectory(prefix="partwise-benchmarks-") as folder, _server(kinds) as server:
        try:
            found = [measure(kind, plan, Path(folder), server, _say) for kind in kinds]
        except (WrongAnswer, NotStarted, ConnectionError) as wrong:
            typer.echo(f"The measurement is worth nothing: {wrong}", err=True)
            raise typer.Exit(1) from None
        postgresql = postgresql_version(server) if server is not None else None
    given = {"--database": database, "--workloads": workloads, "--rounds": rounds}
    options = ["--quick"] * quick + [f"{option} {value}" for option, value in given.items() if value]
    report = write_report(" ".join(["python -m benchmarks", *options]), found, postgresql, plan.rounds)
    typer.echo(report)
    if out is not None:
        out.write_text(report)


@app.command("against")
def measure_against(
    other: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Another checkout of Partwise.")],
    *,
    database: Annotated[Kind | None, typer.Option(help="One kind of database only.")] = None,
    workloads: Annotated[str, typer.Option(help="Some of the workloads only.")] = "W1,W2,W3,W4,W5,W6,W6n",
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is measured.")] = 15,
) -> None:
    """Compare with another checkout by turns, and with this one to show the spread."""
    names = _choose(workloads, [each for each in _WORKLOADS if each != GROWING])
    plan = Plan(workloads=names, rounds=rounds, sizes=(), load_seconds=1.5, load_rounds=max(5, rounds // 2))
    kinds = [database] if database else list(Kind)
    with tempfile.TemporaryDirectory(prefix="partwise-benchmarks-") as folder, _server(kinds) as server:
        try:
            found = [compare(kind, plan, other, folder=Path(folder), server=server, say=_say) for kind in kinds]
        except (WrongAnswer, NotStarted, ConnectionError) as wrong:
            typer.echo(f"The measurement is worth nothing: {wrong}", err=True)
            raise typer.Exit(1) from None
    typer.echo(write_comparison(f"python -m benchmarks against OTHER --rounds {rounds}", found))


@app.command("profile")
def profile_one(
    *,
    workload: Annotated[str, typer.Option(help="The workload.")] = "W1",
    database: Annotated[Kind, typer.Option(help="The kind of database.")] = Kind.SQLITE,
    repeats: Annotated[int, typer.Option(min=1, help="How often it is run.")] = 30,
) -> None:
    """Show in which functions of Partwise the time of a workload goes."""
    _choose(workload, {case.workload for case in CASES})
    with (
        tempfile.TemporaryDirectory(prefix="partwise-benchmarks-") as folder,
        _server([database]) as server,
        open_database(database, "profile", Path(folder), server) as served,
    ):
        typer.echo("\n".join(profile(served, workload, repeats)))


def _server(kinds: Sequence[Kind]) -> AbstractContextManager[sa.URL | None]:
    return postgresql_server() if Kind.POSTGRESQL in kinds else nullcontext()


def _choose(text: str, known: Collection[str]) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(known):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))} here, only {', '.join(sorted(known))}")
    return names


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _end(_signal: int, _frame: object) -> NoReturn:
    """Exit through all blocks, so that the servers are stopped."""
    sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    app()
