"""What the code generators make of the example shop's schema, in a folder with the clients that use it."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.node import CLIENTS, node
from tests.support.program import environment

PARTS_OF = {  # where each generator puts the type of a part
    "graphql-codegen": "./generated/graphql.ts",
    "gql.tada": "./tada.ts",
    "relay-compiler": "./relay/generated/orderSaveMutation.graphql.ts",
}
DOCUMENTED_SERVER = "http://127.0.0.1:8000/graphql"
PRINTED, DOCUMENTS = "schema.graphql", "shop.graphql"
TADA = "node_modules/.bin/gql.tada"


def once(temporary: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Make a folder one time for all processes of a test run, whichever comes first."""
    shared = temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary
    folder = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = shared / f"{name}-being-made"
            shutil.rmtree(making, ignore_errors=True)
            make(making)
            making.rename(folder)
    return folder


def make_workshop(folder: Path) -> None:
    """Copy the clients, and generate what they need from the printed schema."""
    copy_clients(folder)
    (folder / PRINTED).write_text(printed_schema(folder))
    generate(folder, PRINTED)
    replaced = (folder / "graphql-request.ts").read_text().replace(PARTS_OF["graphql-codegen"], PARTS_OF["gql.tada"])
    (folder / "graphql-request-tada.ts").write_text(replaced)


def copy_clients(folder: Path) -> Path:
    """Copy what tests/clients has, but for what npm has installed, which is linked."""
    shutil.copytree(CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules", ".*"))
    (folder / "node_modules").symlink_to(CLIENTS / "node_modules")
    (folder / "relay" / "generated").mkdir()
    return folder


def printed_schema(folder: Path) -> str:
    """Ask `partwise schema` for the shop's."""
    command = [sys.executable, "-m", "partwise", "schema"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout


def generate(folder: Path, source: str) -> None:
    """Run the generators on a schema file or a server's introspection; relay-compiler reads files only."""
    configuration = folder / "codegen.yml"
    configured = (CLIENTS / "codegen.yml").read_text()
    assert configured.count(DOCUMENTED_SERVER) == 1
    configuration.write_text(configured.replace(DOCUMENTED_SERVER, source))
    if source != PRINTED:
        _run((TADA, "generate-schema", source, "--output", PRINTED), folder)
    commands: list[tuple[Sequence[str], Path]] = [
        (("../node_modules/relay-compiler/cli.js", "relay.config.json"), folder / "relay"),
        (("node_modules/.bin/graphql-codegen", "--config", configuration.name), folder),
        ((TADA, "generate-output"), folder),
    ]
    with ThreadPoolExecutor(len(commands)) as together:
        list(together.map(lambda command: _run(*command), commands))


def _run(command: Sequence[str], folder: Path) -> None:
    done = node(*command, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warn" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
