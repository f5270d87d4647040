"""Servers of Debian's packages: PostgreSQL with citext and ICU, and PgBouncer in front of it, each until a block ends."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.support.program import free_port

_TIMEOUT = 60.0  # seconds until a server has to answer
_USER = "postgres"  # who runs them if we are root: neither of them runs as root


def _find(command: str | None, package: str) -> str:
    """Take the path of a program; without it a test is skipped, but not in the gate, which installs the package."""
    if command is None and not os.environ.get("CI"):
        pytest.skip(f"Debian's package {package} is not installed")
    assert command is not None, f"Debian's package {package} is not installed, and CI is set"
    return command


def find_postgresql() -> Path:
    """Find the programs of the newest PostgreSQL that Debian has installed."""
    every = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return Path(_find(str(every[-1]) if every else None, "postgresql")).parent


def find_pgbouncer() -> str:
    """Find PgBouncer."""
    return _find(shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin"), "pgbouncer")


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    # Not below pytest's own folder, which is private: the servers may run as another user.
    with tempfile.TemporaryDirectory(prefix=f"partwise-{name}-") as found:
        if os.geteuid() == 0:
            shutil.chown(found, _USER, _USER)
        yield Path(found)


def _user() -> str | None:
    return _USER if os.geteuid() == 0 else None


@contextmanager
def _running(command: Sequence[str], folder: Path, url: sa.URL) -> Iterator[None]:
    """Run a server until the block ends; the block begins when it takes connections."""
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, user=_user(), group=_user())
        try:
            end = time.monotonic() + _TIMEOUT
            while not _answers(url):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.02)
            yield
        finally:
            process.terminate() if command[0].endswith("pgbouncer") else process.send_signal(2)
            process.wait(timeout=_TIMEOUT)


def _answers(url: sa.URL) -> bool:
    try:
        psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def running_postgresql() -> Iterator[sa.URL]:
    """Run Debian's PostgreSQL on a cluster of its own; everybody on this machine may log in."""
    programs = find_postgresql()
    with _folder("debian") as folder:
        data = folder / "data"
        made = [f"{programs}/initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]
        done = subprocess.run(
            made, cwd=folder, capture_output=True, text=True, check=False, user=_user(), group=_user()
        )
        assert done.returncode == 0, done.stdout + done.stderr
        port = free_port()
        url = sa.URL.create("postgresql", username="postgres", host="127.0.0.1", port=port, database="postgres")
        options = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "off",  # a test's data need not outlive the machine
        }
        command = [f"{programs}/postgres", "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with _running(command, folder, url):
            yield url


@contextmanager
def running_pgbouncer(server: sa.URL, mode: str, *, pool: int = 3, **options: str) -> Iterator[sa.URL]:
    """Run PgBouncer in front of a database, with so many sessions of it; `options` are PgBouncer's own."""
    program = find_pgbouncer()
    with _folder("pgbouncer") as folder:
        url = server.set(port=free_port())
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": url.port,
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": pool,
            "max_client_conn": 200,
            "unix_socket_dir": "",
            **options,
        }
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"{server.database} = host=127.0.0.1 port={server.port} user={server.username} dbname={server.database}\n"
            "[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
        )
        with _running([program, str(folder / "pgbouncer.ini")], folder, url):
            yield url
