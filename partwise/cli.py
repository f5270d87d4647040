"""The command line: serve, schema, check.

The module of the commands is imported when one of them runs, because the import takes a second. Therefore `--help` and
`--version` respond faster.
"""

import gc
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

app = typer.Typer(
    help="Serve a GraphQL API for a database. Its batch mutation commits all parts or none.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

Url = Annotated[
    str | None,
    typer.Argument(metavar="[DATABASE_URL]", help="sqlite:///shop.db, postgresql://host/db, or an SQLite file."),
]
Models = Annotated[str | None, typer.Option(help="Module with SQLModel classes, such as shop.models.")]
Wait = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Wait for a database that is not available yet, at most this long (default: 0)."
    ),
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
    """Serve a GraphQL API for a database. Its batch mutation commits all parts or none."""


def _commands() -> ModuleType:
    gc.disable()  # saves an eighth of the import time: the import creates no garbage
    from partwise import commands  # noqa: PLC0415  # see above

    gc.enable()
    return commands


@app.command()
def serve(
    database_url: Url = None,
    *,
    models: Models = None,
    create_tables: Annotated[
        bool, typer.Option("--create-tables", help="Create missing tables of the models.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8000).")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes, PostgreSQL only (default: 1).")] = None,
    wait: Wait = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (default: info).")] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Accept connections from other machines. There are no access rules.")
    ] = False,
) -> None:
    """Serve a database, or the example shop if none is given."""
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
        typer.Option(
            metavar="FILE",
            help="Compare with the schema in this file. The exit status is 1 if a change breaks clients.",
        ),
    ] = None,
    wait: Wait = None,
) -> None:
    """Print the schema (SDL), or its changes."""
    _commands().schema(diff, database_url=database_url, models=models, wait=wait)


@app.command()
def check(
    database_url: Url = None,
    *,
    models: Models = None,
    values: Annotated[
        bool,
        typer.Option(
            "--values",
            help="Read every row and list values that cannot be read. The exit status is 1 if there are any.",
        ),
    ] = False,
    wait: Wait = None,
) -> None:
    """List the resources, keys and attributes found, and explain what is read-only or skipped."""
    _commands().check(values=values, database_url=database_url, models=models, wait=wait)
