"""The command line: serve, schema, check.

The commands' own module is imported when one of them runs: `--help` and `--version` answer without the second that it takes.
"""

import gc
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

app = typer.Typer(
    help="A GraphQL API in front of a database, whose one batch mutation is all or none.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

Url = Annotated[
    str | None,
    typer.Argument(metavar="[DATABASE_URL]", help="sqlite:///shop.db, postgresql://host/db, or an SQLite file."),
]
Models = Annotated[str | None, typer.Option(help="A module with SQLModel classes, like shop.models.")]
Wait = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Wait up to so many seconds for a database that is not available yet (0)."),
]


def _version(value: bool) -> None:  # noqa: FBT001  # typer's callbacks take the value alone
    if value:
        typer.echo(f"partwise {version('partwise')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A GraphQL API in front of a database, whose one batch mutation is all or none."""


def _commands() -> ModuleType:
    gc.disable()  # an eighth of the import's time: nothing that it makes is garbage
    from partwise import commands  # noqa: PLC0415  # see above

    gc.enable()
    return commands


@app.command()
def serve(
    database_url: Url = None,
    *,
    models: Models = None,
    create_tables: Annotated[bool, typer.Option("--create-tables", help="Make the models' missing tables.")] = False,
    host: Annotated[str | None, typer.Option(help="The address to listen at (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen at (8000).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; PostgreSQL only (1).")] = None,
    wait: Wait = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (info).")] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Let other machines in, though there are no access rules.")
    ] = False,
) -> None:
    """Serve a database. Without one: the example shop."""
    _commands().serve(
        database_url=database_url,
        models=models,
        create_tables=create_tables or None,
        host=host,
        port=port,
        workers=workers,
        wait=wait,
        log_level=log_level,
        open=open_ or None,
    )


@app.command()
def schema(
    database_url: Url = None,
    *,
    models: Models = None,
    diff: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with the schema in this file: status 1 if clients would break."),
    ] = None,
    wait: Wait = None,
) -> None:
    """Print the schema (SDL), or what has changed in it."""
    _commands().schema(diff, database_url=database_url, models=models, wait=wait)


@app.command()
def check(
    database_url: Url = None,
    *,
    models: Models = None,
    values: Annotated[
        bool, typer.Option("--values", help="Read every row instead: status 1 if there are values that cannot be read.")
    ] = False,
    wait: Wait = None,
) -> None:
    """Say what is seen: resources, keys, attributes, and what is read-only or left out, and why."""
    _commands().check(values=values, database_url=database_url, models=models, wait=wait)
