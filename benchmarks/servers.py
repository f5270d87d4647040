"""Starts the targets, each in its own process, and stops them."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PATIENCE = 60.0  # seconds until a server listens
_GRACE = 5.0  # seconds for it to end
_LISTENS = re.compile(r"Uvicorn running on http://127\.0\.0\.1:(\d+)")


class NotStarted(Exception):
    """A server that ended or does not listen. The message contains its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that listens on this machine."""

    process: int
    port: int

    def forget_peak(self) -> None:
        """Reset the peak of the server's memory (Linux)."""
        Path(f"/proc/{self.process}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Return the peak of the server's memory in bytes (Linux)."""
        status = Path(f"/proc/{self.process}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 if found else 0


@contextmanager
def running(command: Sequence[str], variables: Mapping[str, str]) -> Iterator[Server]:
    """Run a server until the block ends, in an empty folder and without the caller's settings. Raises `NotStarted`."""
    with tempfile.TemporaryDirectory(prefix="partwise-benchmarks-") as folder:
        log = Path(folder) / "server.log"
        with log.open("w") as output:
            process = subprocess.Popen(  # noqa: S603  # the commands are ours
                command,
                cwd=folder,
                env={**_environment(), **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt is sent to us, and we stop the server
            )
        try:
            yield Server(process=process.pid, port=_wait(process, log))
        finally:
            _end(process)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARTWISE_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> int:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if found := _LISTENS.search(log.read_text()):
            return int(found[1])
        time.sleep(0.02)  # polling is the only method to detect that it listens
    raise NotStarted(f"A server did not start:\n{log.read_text()}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
