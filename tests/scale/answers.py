"""How much memory the largest answers take: 60 kB of GETs at both endpoints, and the same rows by a query.

    .venv/bin/python -m tests.scale.answers [postgresql URL]

Starts the program on an SQLite file (and on the PostgreSQL database, if one is named), and prints for each request its status, its
seconds, and the peak of the server's memory over that of the idle server (VmHWM, /proc/PID/status). Linux only.
"""

import json
import sqlite3
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from tests.support.program import Program, free_port, serving

ROWS = 1_000
MOST = 300  # MB over the idle server
BODY = 60_000  # bytes
TABLE = "CREATE TABLE employee (id INTEGER PRIMARY KEY, name TEXT NOT NULL, salary INTEGER NOT NULL, email TEXT NOT NULL, hired DATE NOT NULL)"
DROP = "DROP TABLE IF EXISTS employee"
INSERT = "INSERT INTO employee VALUES ({0}, {0}, {0}, {0}, {0})"


def rows(wide: int) -> list[tuple[Any, ...]]:
    return [(n, f"Employee {n}" + "x" * wide, 1_000 + n, f"e{n}@example.org", "2020-01-01") for n in range(1, ROWS + 1)]


def make(url: str, wide: int = 0) -> None:
    """Make the table, with names that have so many characters more."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as server:
            server.execute(DROP)
            server.execute(TABLE)
            server.cursor().executemany(INSERT.format("%s"), rows(wide))
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
        file.execute(DROP)
        file.execute(TABLE)
        file.executemany(INSERT.format("?"), rows(wide))


def parts(path: str, operation: str) -> list[dict[str, str]]:
    """Write as many GETs as a body of 60 kB has."""
    length = len(json.dumps({"id": "p1000", "path": path, "operation": operation}, separators=(",", ":")))
    return [{"id": f"p{n}", "path": path, "operation": operation} for n in range(BODY // (length + 1))]


def requests() -> Iterator[tuple[str, str, Any]]:
    """Give each request: its name, its route, its body."""
    fields = "id name salary email hired"
    for path in ("/employees", "/employees?limit=1000"):
        for shown in (
            "payload",
            "etag payload",
            f"items {{ ... on Employee {{ {fields} }} }}",
            "query { __typename } payload",
        ):
            query = f"mutation ($parts: [PartInput!]!) {{ batch(parts: $parts) {{ status parts {{ id {shown} }} }} }}"
            if shown.startswith("query"):
                query = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { query { __typename } parts { id payload } } }"
            yield f"{path} {shown[:20]}", "/graphql", {"query": query, "variables": {"parts": parts(path, "GET")}}
        yield path, "/batch", {"parts": parts(path, "get")}
    aliases = " ".join(f"a{n}: employees(first: 1000) {{ nodes {{ {fields} }} }}" for n in range(100))
    yield "100 pages", "/graphql", {"query": f"{{ {aliases} }}"}
    nodes = " ".join(f"n{n}: nodes {{ {fields} }}" for n in range(20))
    many = " ".join(f"a{n}: employees(first: 1000) {{ {nodes} }}" for n in range(50))
    yield "50 pages, 20 times", "/graphql", {"query": f"{{ {many} }}"}
    yield (
        "the same, by graphql-core",
        "/graphql",
        {"query": f"query ($no: Boolean = false) {{ t: __typename @skip(if: $no) {aliases} }}"},
    )


def send(program: Program, route: str, body: Any) -> tuple[str, int]:
    """Send one request; give back its status or its code, and the length of its answer."""
    request = urllib.request.Request(  # noqa: S310  # the address is our own server's
        f"{program.url}{route}", json.dumps(body, separators=(",", ":")).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310  # as above
            start, length = answer.read(300), 0
            while some := answer.read(1 << 20):
                length += len(some)
    except urllib.error.HTTPError as refused:
        start, length = refused.read(), 0
    return ("QUERY_TOO_COMPLEX" if b"QUERY_TOO_COMPLEX" in start else "answered"), length + len(start)


def memory(program: Program, name: str) -> float:
    """Read the memory of the server in MB."""
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024


def measure(url: str) -> Iterator[tuple[str, str, str, int, float, float]]:
    """Send each request to a server of its own, so that none has memory that another has left."""
    for name, route, body in requests():
        with tempfile.TemporaryDirectory() as folder, serving([url], Path(folder), port=free_port()) as program:
            send(program, "/graphql", {"query": "{ employees(first: 1) { nodes { id } } }"})
            idle = memory(program, "VmRSS")
            start = time.perf_counter()
            code, length = send(program, route, body)
            yield name, route, code, length, time.perf_counter() - start, memory(program, "VmHWM") - idle


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print a line for each request; end with 1 if one takes more than 300 MB."""
    with tempfile.TemporaryDirectory() as folder:
        worst = 0.0
        for url in (f"sqlite:///{folder}/answers.sqlite", *sys.argv[1:2]):
            make(url)
            for name, route, code, length, seconds, more in measure(url):
                worst = max(worst, more)
                say(
                    f"{url.partition(':')[0]:10} {route:8} {name:42} {code:18} {length / 1e6:6.1f} MB {seconds:5.1f} s {more:6.0f} MB"
                )
    say(f"at most {worst:.0f} MB over the idle server")
    sys.exit(worst > MOST)


if __name__ == "__main__":
    main()
