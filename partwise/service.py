"""Creates the service from the settings: the database, its catalog, its schema."""

import importlib
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import sqlalchemy as sa
import strawberry

import resolvers.schema_builder
from partwise.settings import Settings, SettingsError
from partwise.spellings import spelling_notices
from storage.batch.execution.run import Engine
from storage.catalog.build import build_catalog
from storage.catalog.models import Model
from storage.catalog.overrides import CatalogError
from storage.catalog.reflection import has_late_checks, reflect
from storage.catalog.tables import create_tables
from storage.connections.database import Database, DatabaseError, check_file, parse_url
from storage.connections.database_away import is_away
from storage.errors import RequestError
from storage.log import note

DEFAULT_FILE = "sqlite:///partwise.db"  # for --models without a database
_PAUSE = 0.5  # seconds between two attempts to open a database that is not available yet
_OUR_NAMES = ("schema", "resolvers", "storage", "partwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The engine and the GraphQL schema."""

    engine: Engine
    schema: strawberry.Schema


def open_service(settings: Settings) -> Service:
    """Open the database, and build the catalog and the schema. Raises `SettingsError`."""
    engine = open_engine(settings)
    return Service(engine=engine, schema=schema_of(engine))


def schema_of(engine: Engine) -> strawberry.Schema:
    """Build the GraphQL schema of an engine's catalog."""
    looks_into_json = engine.database.dialect == "postgresql"
    return resolvers.schema_builder.build_schema(engine.catalog, containment=looks_into_json)


def open_engine(settings: Settings) -> Engine:
    """Open the database and build the catalog. Raises `SettingsError`."""
    if settings.database_url is None and settings.models is None:
        raise SettingsError("Specify a database (partwise serve URL) or models (--models MODULE).")
    if settings.create_tables and settings.models is None:
        raise SettingsError("--create-tables creates the tables of models. Specify the models with --models MODULE.")
    try:
        models = _models(settings.models) if settings.models else ()
        url = parse_url(settings.database_url or DEFAULT_FILE)
        if url.get_backend_name() == "sqlite" and settings.workers > 1:
            raise SettingsError("An SQLite database is served by one process: leave --workers at 1.")
        database = _wait_for_database(url, settings)
        with database.connection() as connection:
            if settings.create_tables:
                create_tables(connection, [each.class_ for each in models])
            tables = reflect(connection)
            late = has_late_checks(connection)
        overrides = {table: resource.override() for table, resource in settings.resources.items()}
        catalog = build_catalog(tables, database.dialect, models=models, overrides=overrides, checks_at_commit=late)
        engine = Engine(
            database=database,
            catalog=catalog,
            secret=settings.etag_secret.get_secret_value().encode(),
            keeps_keys=settings.idempotency_keys,
        )
        notices = spelling_notices(engine)
    except (DatabaseError, CatalogError, RequestError) as error:
        raise SettingsError(str(error)) from error
    return replace(engine, catalog=replace(catalog, notices=(*catalog.notices, *notices)))


def _wait_for_database(url: sa.URL, settings: Settings) -> Database:
    """Open the database; if it is unavailable, retry until `wait` seconds have passed. Raises `DatabaseError`."""
    end = time.monotonic() + settings.wait
    has_told = False
    while True:
        try:
            return _open_database(url, settings)
        except DatabaseError as error:
            left = end - time.monotonic()
            if left <= 0 or not is_away(url):
                raise
            if not has_told:
                sentence = f"The database is not available yet. Waiting up to {settings.wait:g} seconds."
                note("database_away", sentence, reason=str(error))
                has_told = True
            time.sleep(min(_PAUSE, left))


def _open_database(url: sa.URL, settings: Settings) -> Database:
    check_file(url, may_create=settings.create_tables, has_models=settings.models is not None)
    database = Database(
        url,
        connections=settings.connections,
        timeout=settings.timeout,
        commit_timeout=settings.commit_timeout,
        prepared_statements=settings.prepared_statements,
        quotes=settings.database_messages,
        max_answer=settings.max_answer,
    )
    try:
        database.check()
    except DatabaseError:
        database.close()
        raise
    return database


def _models(name: str) -> tuple[Model, ...]:
    """Read the SQLModel classes of a user's module. Raises `SettingsError`."""
    module = _import_models(name)
    from storage.catalog.sqlmodel_classes import models_of, read_models  # noqa: PLC0415  # only models need SQLModel

    classes = models_of(module)
    if not classes:
        raise SettingsError(f"The module {name} has no SQLModel class with table=True.")
    return read_models(classes)


def _import_models(name: str) -> ModuleType:
    """Import a user's module, which may be in the current folder. Raises `SettingsError`."""
    here = str(Path.cwd())
    top = name.partition(".")[0]
    if top in _OUR_NAMES and not name.startswith("partwise.examples."):
        raise SettingsError(
            f"A models module cannot be named {top!r}: that is a package of Partwise itself. Rename it, or put it in a package."
        )
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            raise SettingsError(
                f"The module {name} was not found. Run the program in the folder that contains it, or install it."
            ) from None
        raise SettingsError(f"The module {name} imports {error.name}, which is not installed.") from error
    except Exception as error:
        raise SettingsError(f"The module {name} cannot be imported: {type(error).__name__}: {error}") from error
