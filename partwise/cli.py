"""The command line: serve, schema, check."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from graphql import build_schema

from partwise import example
from partwise.address import check_address
from partwise.app import make_app
from partwise.describe import describe_catalog, describe_values
from partwise.schema_changes import compare
from partwise.sdl import read_sdl, sdl_of
from partwise.service import Service, open_engine, open_service
from partwise.settings import Settings, SettingsError, load_settings
from storage.batch.run import Engine
from storage.errors import RequestError

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


@contextmanager
def _sentences() -> Iterator[None]:
    """Stop with a sentence, not with a traceback, when a setting is wrong."""
    try:
        yield
    except SettingsError as error:
        typer.echo(f"partwise: {error}", err=True)
        raise typer.Exit(2) from None


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


@app.command()
def serve(
    database_url: Url = None,
    *,
    models: Models = None,
    create_tables: Annotated[bool, typer.Option("--create-tables", help="Make the models' missing tables.")] = False,
    host: Annotated[str | None, typer.Option(help="The address to listen at (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen at (8000).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; PostgreSQL only (1).")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (info).")] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Let other machines in, though there are no access rules.")
    ] = False,
) -> None:
    """Serve a database. Without one: the example shop."""
    with _sentences():
        settings = _settings(
            database_url=database_url,
            models=models,
            create_tables=create_tables or None,
            host=host,
            port=port,
            workers=workers,
            log_level=log_level,
            open=open_ or None,
        )
        is_example = settings.models == example.MODULE and database_url is None and models is None
        if not settings.is_loopback and not settings.open:
            raise SettingsError(
                f"There are no access rules, so whoever reaches {settings.host} could read and write everything. "
                "Listen on this machine only (--host 127.0.0.1), or say --open if that is what you want."
            )
        check_address(settings.host, settings.port)
        service = open_service(settings)
        served = make_app(service, settings)
    if is_example:
        example.fill_if_empty(service.engine.database)
    _announce(service, settings, is_example=is_example)
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "access_log": settings.log_level == "debug",
        "server_header": False,
    }
    if settings.workers == 1:
        uvicorn.run(served, **options)
        return
    service.engine.database.close()
    os.environ.update(_as_environment(settings))
    uvicorn.run("partwise.app:create", factory=True, workers=settings.workers, **options)


@app.command()
def schema(
    database_url: Url = None,
    *,
    models: Models = None,
    diff: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with the schema in this file: status 1 if clients would break."),
    ] = None,
) -> None:
    """Print the schema (SDL), or what has changed in it."""
    with _sentences():
        old = None if diff is None else read_sdl(diff)
        service = open_service(_settings(database_url=database_url, models=models))
    if old is None:
        typer.echo(sdl_of(service.schema))
        return
    lines, breaks = compare(old, build_schema(sdl_of(service.schema)))
    typer.echo("\n".join(lines))
    raise typer.Exit(1 if breaks else 0)


@app.command()
def check(
    database_url: Url = None,
    *,
    models: Models = None,
    values: Annotated[
        bool, typer.Option("--values", help="Read every row instead: status 1 if there are values that cannot be read.")
    ] = False,
) -> None:
    """Say what is seen: resources, keys, attributes, and what is read-only or left out, and why."""
    with _sentences():
        engine = open_engine(_settings(database_url=database_url, models=models))
    if not values:
        typer.echo(describe_catalog(engine.catalog))
        return
    with _sentences():
        said, is_bad = _read_values(engine)
    typer.echo(said)
    raise typer.Exit(1 if is_bad else 0)


def _read_values(engine: Engine) -> tuple[str, bool]:
    try:
        return describe_values(engine)
    except RequestError as error:
        raise SettingsError(str(error)) from error


def _settings(**flags: Any) -> Settings:
    settings = load_settings(**flags)
    if settings.database_url is None and settings.models is None:
        return load_settings(**{**flags, "database_url": example.URL, "models": example.MODULE, "create_tables": True})
    return settings


def _as_environment(settings: Settings) -> dict[str, str]:
    """Hand the flags on to worker processes; what is in the file they read themselves."""
    values = settings.model_dump(exclude={"resources", "etag_secret", "create_tables"}, exclude_none=True)
    values["cors_origins"] = ",".join(settings.cors_origins)
    return {f"PARTWISE_{name.upper()}": str(value) for name, value in values.items()}


def _announce(service: Service, settings: Settings, *, is_example: bool) -> None:
    catalog, database = service.engine.catalog, service.engine.database
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    server = f"http://{host}:{settings.port}"
    for notice in catalog.notices:
        typer.echo(f"note: {notice}", err=True)
    count = len(catalog.resources)
    typer.echo(f"Partwise serves {count} resource{'' if count == 1 else 's'} of {database.url.render_as_string()}")
    if settings.only_persisted:
        typer.echo(f"  {server}/graphql  GraphQL")
    else:
        typer.echo(f"  {server}/graphql  GraphQL, and GraphiQL in a browser")
        typer.echo(f"  {server}/console  composes batches, in a browser")
    typer.echo(f"  {server}/batch    takes batches as JSON, without GraphQL")
    who = "Whoever uses this machine" if settings.is_loopback else "Whoever reaches this address, from any machine,"
    others = " Other machines are not let in." if settings.is_loopback else ""
    typer.echo(f"There are no access rules. {who} may read and write everything.{others}")
    shown = (
        example.invitation(f"{server}/graphql")
        if is_example
        else example.first_batch(server, catalog, settings.max_page)
    )
    typer.echo(shown)
    sys.stdout.flush()
