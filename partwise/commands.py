"""The implementation of the commands: serve, schema, check."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from graphql import build_schema

from partwise import example
from partwise.describe import describe_catalog, describe_values
from partwise.processes import serve_with_workers
from partwise.schema_diff import compare
from partwise.sdl import read_sdl, sdl_of
from partwise.server.address import check_address
from partwise.server.app import make_app
from partwise.server.uvicorn_server import leave_threads, make_server
from partwise.service import Service, open_engine, open_service
from partwise.settings import Settings, SettingsError, load_settings
from storage.batch.execution.run import Engine
from storage.errors import RequestError


@contextmanager
def _sentences() -> Iterator[None]:
    """Print a `SettingsError` without a traceback, and exit with status 2."""
    try:
        yield
    except SettingsError as error:
        typer.echo(f"partwise: {error}", err=True)
        raise typer.Exit(2) from None


def serve(**flags: Any) -> None:
    """Serve a database until it is told to end; flags that are None were not given."""
    with _sentences():
        settings = _settings(**flags)
        is_example = (
            settings.models == example.MODULE and flags.get("database_url") is None and flags.get("models") is None
        )
        if not settings.is_loopback and not settings.open:
            raise SettingsError(
                f"There are no access rules, so anyone who can reach {settings.host} could read and write everything. "
                "Use --host 127.0.0.1 to listen on this machine only, "
                "or --open to accept connections from other machines."
            )
        check_address(settings.host, settings.port)
        service = open_service(settings)
        served = make_app(service, settings)
    if is_example:
        example.fill_if_empty(service.engine.database)
    _announce(service, settings, is_example=is_example)
    if settings.workers == 1:
        make_server(served, settings).run()
        leave_threads()
        return
    service.engine.database.close()
    raise typer.Exit(serve_with_workers(settings))


def schema(diff: Path | None, **flags: Any) -> None:
    """Print the schema (SDL), or what has changed since the one in a file: status 1 if clients would break."""
    with _sentences():
        old = None if diff is None else read_sdl(diff)
        service = open_service(_settings(**flags))
    if old is None:
        typer.echo(sdl_of(service.schema))
        return
    lines, breaks = compare(old, build_schema(sdl_of(service.schema)))
    typer.echo("\n".join(lines))
    raise typer.Exit(1 if breaks else 0)


def check(*, values: bool, **flags: Any) -> None:
    """Print the catalog, or the values that cannot be read: status 1 if there are any."""
    with _sentences():
        engine = open_engine(_settings(**flags))
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
    typer.echo(f"  {server}/batch    accepts batches as JSON, without GraphQL")
    who = "Anyone on this machine" if settings.is_loopback else "Anyone who can reach this address, from any machine,"
    others = " Connections from other machines are refused." if settings.is_loopback else ""
    typer.echo(f"There are no access rules. {who} can read and write everything.{others}")
    shown = (
        example.invitation(f"{server}/graphql")
        if is_example
        else example.first_batch(server, catalog, settings.max_page)
    )
    typer.echo(shown)
    sys.stdout.flush()
