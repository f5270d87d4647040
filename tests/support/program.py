"""Starts the program as a person would, in a process of its own, and ends it."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from partwise.cli import app

START_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True)
class Program:
    """A server that listens."""

    process: "subprocess.Popen[str]"
    url: str
    said: str  # what it said on standard output until it listened

    def post(self, query: str, variables: Any = None) -> Any:
        """Send a GraphQL request; give back the decoded answer."""
        return self.send({"query": query, "variables": variables or {}})

    def send(self, body: Any) -> Any:
        """Send the members of a request; give back the decoded answer."""
        request = urllib.request.Request(  # noqa: S310  # the address is our own server's
            f"{self.url}/graphql", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return json.load(answer)

    def get(self, path: str) -> str:
        """Fetch a page."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310  # as above
            return str(answer.read().decode())

    def stop(self) -> int:
        """End it as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


@contextmanager
def serving(
    arguments: Sequence[str], folder: Path, *, command: Sequence[str] = (sys.executable, "-m", "partwise"), port: int
) -> Iterator[Program]:
    """Run `partwise serve` in a folder until the block ends."""
    log = folder / "server.log"
    with log.open("w+") as output:
        process = subprocess.Popen(
            [*command, "serve", "--port", str(port), *arguments],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            start_new_session=True,  # so that worker processes end with it
        )
        try:
            yield Program(process, f"http://127.0.0.1:{port}", _wait(process, log))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run(*arguments: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `partwise` in a folder until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "partwise", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**environment(), **variables},
    )


def run_here(*arguments: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends by itself in this process: to start another one takes two seconds."""
    settings = {name: None for name in os.environ if name.startswith("PARTWISE_")}
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, arguments, env={**settings, **variables})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """Our environment, without settings of ours."""
    return {name: value for name, value in os.environ.items() if not re.match("PARTWISE_|PYTHONPATH$", name)}


def _wait(process: "subprocess.Popen[str]", log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        said = log.read_text()
        if "Uvicorn running on" in said and said.count("Application startup complete") >= 1:
            return said
        if process.poll() is not None:
            break
        time.sleep(0.05)  # the only way to learn that it listens
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
