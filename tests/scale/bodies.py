"""Sends bodies that are made to hurt, and reports how long refusals take and how late the event loop becomes.

    python -m tests.scale.bodies --number 1000

The server runs in a process of its own and measures its event loop every 5 ms. A body whose lag or time is over its limit
is sent four more times; the medians count. Prints a Markdown table of all, and the worst.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.bodies import SCRIPT, Body, bodies
from tests.support.harness import sqlite_backend
from tests.support.program import environment, free_port

MOST_LAG = 100.0  # ms over the idle machine
MOST_TIME = 250.0  # ms for a refusal, from the last byte received to the answer
_RUNS = 5
_ACCEPTED = (b'"status":"COMMITTED"', b'"data":{"books":{')


@dataclass(frozen=True, kw_only=True)
class Found:
    """What became of a body."""

    status: int
    is_refused: bool
    time: float  # ms
    lag: float  # ms
    memory: float  # MB
    answer: int  # bytes


@contextmanager
def watched(folder: Path) -> Iterator[int]:
    """Serve a small database until the block ends; give back the port."""
    backend = sqlite_backend(folder)
    backend.run(SCRIPT)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.scale.watched:create", "--factory", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--log-level", "error"],
        env={**environment(), "PARTWISE_DATABASE_URL": backend.url, "PYTHONPATH": str(Path.cwd())},
    )
    try:
        for _ in range(600):
            with suppress(OSError):
                ask(port, "GET", "/livez")
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    """Send one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def lag(port: int) -> tuple[float, float]:
    """Ask for the longest lag since the last call, in ms, and the memory, in MB."""
    _, content = ask(port, "GET", "/lag")
    found = json.loads(content)
    return found["lag"], found["memory"]


def send(port: int, body: Body) -> Found:
    """Send a body, and look at what it did to the server."""
    lag(port)
    answer, content = ask(port, "POST", body.route, body.content)
    late, memory = lag(port)
    durations = {}
    for each in (answer.headers.get("Server-Timing") or "").split(","):
        name, _, duration = each.strip().partition(";dur=")
        durations[name] = float(duration or 0)
    assert answer.status < 500, (body.name, content[:300])
    assert b"INTERNAL" not in content, (body.name, content[:300])
    return Found(
        status=answer.status,
        is_refused=not any(each in content[:200] for each in _ACCEPTED),
        time=durations.get("total", 0) - durations.get("receive", 0),
        lag=late,
        memory=memory,
        answer=len(content),
    )


def median(found: list[Found]) -> Found:
    """The run in the middle, by lag and by time."""
    return Found(
        **{
            **vars(found[0]),
            "time": statistics.median(f.time for f in found),
            "lag": statistics.median(f.lag for f in found),
        }
    )


def main() -> None:
    """Run it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=15)
    arguments.add_argument("--number", type=int, default=1_000)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--most", type=int, default=16 << 20, help="bytes")
    arguments.add_argument("--seconds", type=float, default=1e9, help="stop after")
    given = arguments.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder)) as port:
        idle = []
        for _ in range(20):
            time.sleep(0.25)
            idle.append(lag(port)[0])
        base = statistics.median(idle)
        results: list[tuple[Body, Found]] = []
        for number, body in enumerate(bodies(given.seed, given.number, given.most, given.first), given.first):
            if time.monotonic() - start > given.seconds:
                print(f"stopped before {number}")
                break
            runs = [send(port, body)]
            if runs[0].lag > MOST_LAG + base or (runs[0].is_refused and runs[0].time > MOST_TIME):
                runs += [send(port, body) for _ in range(_RUNS - 1)]
            results.append((Body(name=body.name, route=body.route, content=b""), median(runs)))
    report(results, base)


def report(results: list[tuple[Body, Found]], base: float) -> None:
    """Print what was found."""
    refused = [found for _, found in results if found.is_refused]
    times, lags = sorted(f.time for f in refused), sorted(f.lag - base for _, f in results)
    print(f"{len(results)} bodies, {len(refused)} refused; idle lag {base:.1f} ms")
    for name, values, most in (("time of refusals", times, MOST_TIME), ("lag over idle", lags, MOST_LAG)):
        at = [values[int(len(values) * q)] for q in (0.5, 0.9, 0.99)] + [values[-1]]
        over = sum(value > most for value in values)
        print(
            f"{name}: median {at[0]:.1f}, 90 % {at[1]:.1f}, 99 % {at[2]:.1f}, most {at[3]:.1f} ms; {over} over {most:.0f}"
        )
    print(
        f"memory: most {max(f.memory for _, f in results):.0f} MB; answers: most {max(f.answer for _, f in results):,} bytes"
    )
    worst = sorted(results, key=lambda r: -max((r[1].lag - base) / MOST_LAG, r[1].is_refused * r[1].time / MOST_TIME))
    for body, found in worst[:25]:
        print(
            f"  {body.route} {body.name}: {found.status} {found.time:.0f} ms, lag {found.lag:.0f} ms, {found.memory:.0f} MB, answer {found.answer:,}"
        )


if __name__ == "__main__":
    main()
