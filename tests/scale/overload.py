# ruff: noqa: RUF001, RUF003  # a command, which prints; the names of the issue
"""Overload: sends batches at a multiple of what the server can do, whatever it answers, and reports what becomes of them.

    python -m tests.scale.overload --seconds 120 --runs 3

The server and its database run on one core, this program on another one. For each database and size of batch: the capacity
(closed loop, the best of several numbers of clients), the cost of a refusal (a program holds a lock, so that nearly every
request is refused), then open loop at `--factor` times the capacity, then the capacity again: the speed of a machine changes
within minutes, so goodput is compared with the mean of both. Prints one Markdown table. Needs Linux and two cores.
"""

import argparse
import asyncio
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import cast

import psycopg
import sqlalchemy as sa
import uvloop

from benchmarks.client import HOST, to_request
from benchmarks.databases import Database, Kind, open_database, postgresql_server
from benchmarks.floor_sqlite import open_connection
from benchmarks.servers import Server, running
from benchmarks.targets import PARTWISE, Selection
from benchmarks.work import EMPLOYEES, Part, Update, create

CLIENTS = (8, 16, 48, 128)  # of the closed loop, by turns
MOST_CONNECTIONS = 900  # the server takes 1,000
_TICK = 0.001  # seconds between two looks at how many requests are due
_PROBE_EVERY = 0.1  # seconds
_PROBE_LIMIT = 0.1  # seconds: what /readyz may take
_TAG = b"#########"  # in a prepared request, where its number goes
_BODIES = 40  # prepared requests that differ in the employees they update
_LONGEST_IDLE = 2.0  # seconds
_KEPT = 1_000  # bytes of an answer that are looked at
_CLOCK = os.sysconf("SC_CLK_TCK")
_TIMEOUT = 30.0  # seconds: the server's setting


@dataclass(slots=True)
class Sent:
    """What became of requests."""

    sent: int = 0
    not_sent: int = 0  # because every connection was waiting
    statuses: Counter[str] = field(default_factory=Counter)
    accepted: list[float] = field(default_factory=list)  # seconds from sending to the last byte
    refused: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    retry_after: Counter[int] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)  # the beginnings of other answers
    committed_in_time: int = 0  # before the sending ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run."""

    database: str
    parts: int
    run: int
    seconds: float
    sent_peak: float  # requests a second, as measured before: they were sent at a multiple of it
    peak: float  # requests a second: the mean of before and after
    refusal_cost: float  # ρ: a refusal's time beside a request's
    sent: Sent
    lag: float  # seconds that the generator was late at most
    probes: Sequence[float]  # seconds; infinite where there was no 200
    memory: Sequence[int]  # bytes, each second
    cpu: float  # seconds that the server's core worked


class Connection(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self, generator: "Generator") -> None:
        self._generator = generator
        self._since = 0.0
        self._left = -1  # bytes of the answer that are still to come; -1: its head, too
        self._start = b""
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self.idle_since = asyncio.get_running_loop().time()

    def send(self, request: bytes, now: float) -> None:
        """Send a request."""
        self._since = now
        self._left, self._start = -1, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count what comes; hand over the answer when it is whole."""
        if self._left < 0:
            self._start += data
            end = self._start.find(b"\r\n\r\n")
            if end < 0:
                return
            length = self._start.find(b"content-length: ", 0, end)
            size = int(self._start[length + 16 : self._start.find(b"\r", length)])
            self._left = end + 4 + size - len(self._start)
        else:
            self._left -= len(data)
            if len(self._start) < _KEPT:
                self._start += data
        if self._left == 0:
            since, self._since = self._since, 0.0
            self._generator.answered(self, self._start, since)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  # the signature is asyncio's
        """Tell if an answer was due."""
        self._generator.lost(self, waited=self._since > 0)

    def close(self) -> None:
        """Close it."""
        self._transport.close()


class Generator:
    """Sends requests over many connections."""

    def __init__(self, port: int, parts: int, numbers: Iterator[int]) -> None:
        self._port = port
        self._numbers = numbers
        self._bodies = [_body(port, parts, place).split(_TAG) for place in range(_BODIES)]
        self._free: deque[Connection] = deque()
        self._open = 0
        self._opening = 0
        self._loop = asyncio.get_running_loop()
        self._then: Callable[[Connection], None] = self._free.append
        self._end = 0.0
        self.waiting = 0
        self.lag = 0.0
        self.found = Sent()

    def next_request(self) -> bytes:
        """Write a request that no other equals."""
        number = next(self._numbers)
        return (b"%09d" % number).join(self._bodies[number % _BODIES])

    async def connect(self, number: int) -> None:
        """Open so many connections."""
        while self._open < number:
            await self._connect()

    async def _connect(self) -> None:
        self._opening += 1
        try:
            _, connection = await self._loop.create_connection(partial(Connection, self), HOST, self._port)
        except OSError as error:
            self.found.statuses[type(error).__name__] += 1
            return
        finally:
            self._opening -= 1
        self._open += 1
        self._free.append(connection)

    def answered(self, connection: Connection, answer: bytes, since: float) -> None:
        """Count an answer."""
        now = connection.idle_since = self._loop.time()
        found = self.found
        self.waiting -= 1
        status = answer[9:12].decode()
        if status == "200" and b'"committed":true' in answer:
            found.statuses["committed"] += 1
            found.accepted.append(now - since)
            found.committed_in_time += now < self._end
        elif status == "503":
            found.statuses["503"] += 1
            found.refused.append(now - since)
            head = answer[: answer.find(b"\r\n\r\n")].lower()
            after = re.search(rb"\r\nretry-after: ([0-9]+)", head)
            if after is None or int(after[1]) < 1 or b'"UNAVAILABLE"' not in answer or b"json" not in head:
                found.without_retry_after += 1
            else:
                found.retry_after[int(after[1])] += 1
        else:
            found.statuses[status] += 1
            found.others[answer[answer.find(b"\r\n\r\n") + 4 :][:300].decode(errors="replace")] += 1
        self._then(connection)

    def lost(self, connection: Connection, *, waited: bool) -> None:
        """Count a connection that the server closed."""
        self._open -= 1
        if waited:
            self.waiting -= 1
            self.found.statuses["connection closed"] += 1
        elif connection in self._free:
            self._free.remove(connection)

    def _next_free(self, now: float) -> Connection | None:
        """Take the connection that has been free longest, but none that the server may be about to close."""
        while self._free:
            connection = self._free.popleft()
            if now - connection.idle_since < _LONGEST_IDLE:
                return connection
            connection.close()
        return None

    def _send(self, connection: Connection) -> None:
        self.found.sent += 1
        self.waiting += 1
        connection.send(self.next_request(), self._loop.time())

    async def closed(self, clients: int, seconds: float) -> float:
        """Let clients ask, each again when it is answered; return how many answers a second there were."""
        self.found = Sent()
        await self.connect(clients)
        start = self._loop.time()
        self._end = start + seconds

        def again(connection: Connection) -> None:
            if self._loop.time() < self._end:
                self._send(connection)
            else:
                self._free.append(connection)

        self._then = again
        for connection in [self._free.popleft() for _ in range(clients)]:
            self._send(connection)
        while self.waiting:  # noqa: ASYNC110  # of thousands
            await asyncio.sleep(0.01)
        self._then = self._free.append
        return self.found.committed_in_time / seconds

    async def open(self, rate: float, seconds: float, each_second: Callable[[], None] = lambda: None) -> None:
        """Send at a fixed rate, whatever comes back."""
        self.found, self.lag = Sent(), 0.0
        start = last = self._loop.time()
        self._end = start + seconds
        noted, due_before = start, 0
        while (now := self._loop.time()) < self._end:
            self.lag = max(self.lag, now - last)
            last = now
            if now - noted >= 1:
                noted += 1
                each_second()
            due = int((now - start) * rate)
            for _ in range(due - due_before):
                if connection := self._next_free(now):
                    self._send(connection)
                elif self._open + self._opening < MOST_CONNECTIONS:
                    self._loop.create_task(self._connect_and_send())  # counted in `_opening`
                else:
                    self.found.not_sent += 1
            due_before = due
            await asyncio.sleep(_TICK)

    async def _connect_and_send(self) -> None:
        await self._connect()
        if self._free:
            self._send(self._free.popleft())
        else:
            self.found.not_sent += 1

    async def finish(self, seconds: float) -> None:
        """Wait for the answers that are due; count those that do not come."""
        end = self._loop.time() + seconds
        while self.waiting and self._loop.time() < end:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)
        if self.waiting:
            self.found.statuses["no answer"] += self.waiting


def _body(port: int, parts: int, place: int) -> bytes:
    """Write a request of as many creates as updates; two places have no employee in common until they come round."""
    work: list[Part] = []
    for pair in range(parts // 2):
        key = (place * (parts // 2) + pair) % EMPLOYEES + 1
        work += [
            create(2 * pair, _TAG.decode()),
            Update(id=f"p{2 * pair + 1}", key=key, salary=9_000 + pair),
        ]
    return to_request(port, "/graphql", PARTWISE.to_body(work, Selection.LEAN))


# Looking at the server


def busy_of(core: int) -> float:
    """Say how many seconds a core has worked, for whomever: packets are nobody's."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, _nice, system, _idle, _iowait, irq, softirq, *_ = map(int, line.split()[1:])
    return (user + system + irq + softirq) / _CLOCK


def memory_of(process: int) -> int:
    """Say how much memory a process has, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0


async def probe(port: int, seconds: float) -> None:
    """Ask /readyz again and again, each time over a new connection; print the seconds that each took."""
    found: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        status = b""
        try:
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(f"GET /readyz HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n".encode())
                status = (await reader.readline())[9:12]
                writer.close()
        except (OSError, TimeoutError):
            pass
        took = time.monotonic() - start
        found.append(took if status == b"200" else float("inf"))
        await asyncio.sleep(max(0.0, _PROBE_EVERY - took))
    print(json.dumps(found))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run this process, and those that it starts, on one core until the block ends."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def locked(database: Database, kind: Kind) -> Iterator[None]:
    """Keep everybody from writing until the block ends."""
    if kind is Kind.SQLITE:
        connection = open_connection(database.place)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
        connection.close()
        return
    with psycopg.connect(database.url, autocommit=False) as holder:
        holder.execute("LOCK TABLE employee IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


# The measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    seconds: float
    runs: int
    factor: float
    capacity_seconds: float
    peak: float | None  # requests a second, where it is known
    core: int  # of the server and its database


async def measure(  # noqa: PLR0917  # all that there is
    server: Server, database: Database, kind: Kind, parts: int, plan: Plan, run: int, numbers: Iterator[int]
) -> Result:
    """Measure one set-up once."""
    generator = Generator(server.port, parts, numbers)
    await generator.closed(4, min(2.0, plan.capacity_seconds))  # warming up
    loads: dict[float, tuple[int, float]] = {}  # answers a second -> clients, and seconds of the core for each answer
    for clients in CLIENTS:
        before = busy_of(plan.core)
        rate = await generator.closed(clients, plan.capacity_seconds)
        loads[rate] = clients, (busy_of(plan.core) - before) / (rate * plan.capacity_seconds)
    told = ", ".join(
        f"{clients} clients {rate:.0f}/s of {1e6 * cost:.0f} µs" for rate, (clients, cost) in loads.items()
    )
    _say(f"{kind}, {parts} parts, closed loop: {told}")
    peak = plan.peak or max(loads)
    cost = await _refusal_cost(generator, database, kind, peak, plan) / loads[max(loads)][1]
    memory: list[int] = []
    prober = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.scale.overload", "--probe", str(server.port), "--seconds", str(plan.seconds)),
        stdout=subprocess.PIPE,
    )
    before = busy_of(plan.core)
    await generator.open(plan.factor * peak, plan.seconds, lambda: memory.append(memory_of(server.process)))
    cpu = busy_of(plan.core) - before
    await generator.finish(_TIMEOUT + 10)
    (output, _) = await prober.communicate()
    await asyncio.sleep(2)
    memory.append(memory_of(server.process))
    found = generator.found
    await generator.closed(4, min(2.0, plan.capacity_seconds))  # the queue is empty again
    after = await generator.closed(loads[max(loads)][0], 2 * plan.capacity_seconds)
    _say(f"{kind}, {parts} parts, closed loop afterwards: {after:.0f}/s")
    return Result(
        database=str(kind),
        parts=parts,
        run=run,
        seconds=plan.seconds,
        sent_peak=peak,
        peak=plan.peak or (peak + after) / 2,
        refusal_cost=cost,
        sent=found,
        lag=generator.lag,
        probes=json.loads(output),
        memory=memory,
        cpu=cpu,
    )


async def _refusal_cost(generator: Generator, database: Database, kind: Kind, peak: float, plan: Plan) -> float:
    """Measure the seconds of CPU that a refusal takes, while nothing can be written."""
    with locked(database, kind):
        await generator.open(plan.factor * peak, 2.0)  # until the queue is full
        refuses = generator.found.statuses["503"] > 0
        before = busy_of(plan.core)  # as for a request, with the packets that the kernel handles
        await generator.open(plan.factor * peak, 3.0 if refuses else 0.0)
        refused = generator.found.statuses["503"]
        cpu = busy_of(plan.core) - before
    await generator.finish(_TIMEOUT + 10)
    _say(f"refused {refused}, each with {1e6 * cpu / refused:.0f} µs" if refuses else "nothing is refused")
    return cpu / refused if refuses else float("nan")


def write_table(results: Sequence[Result]) -> str:
    """Write what was found as Markdown."""
    columns = (
        *(
            "database",
            "parts",
            "run",
            "peak /s, before",
            "mean",
            "sent /s",
            "committed /s",
            "goodput",
            "ρ",
            "bound",
            "needed",
        ),
        *("refused /s", "not as due", "others", "accepted ms p50, p99, most", "refused ms p50, p99, most"),
        *("`/readyz` ms p50, p99, most", "RSS MB", ""),
    )
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *map(_row, results)])


def _row(result: Result) -> str:
    sent, seconds = result.sent, result.seconds
    goodput = sent.committed_in_time / seconds / result.peak
    factor = (sent.sent + sent.not_sent) / seconds / result.peak
    rho = result.refusal_cost
    bound = (1 - factor * rho) / (1 - rho) if rho == rho else float("nan")  # noqa: PLR0124  # not a number
    needed = min(0.8, 0.9 * bound) if bound == bound else 0.8  # noqa: PLR0124  # not a number
    others = {name: number for name, number in sent.statuses.items() if name not in {"committed", "503"}}
    if sent.not_sent:
        others["not sent"] = sent.not_sent
    quarter = len(result.memory) // 4
    is_good = (
        goodput >= needed
        and not others
        and not sent.without_retry_after
        and max(result.probes) <= _PROBE_LIMIT
        and max(sent.accepted, default=0.0) <= _TIMEOUT
    )
    return (
        f"| {result.database} | {result.parts} | {result.run} | {result.sent_peak:.0f} | {result.peak:.0f} | {sent.sent / seconds:.0f} "
        f"| {sent.committed_in_time / seconds:.0f} | {goodput:.0%} | {rho:.3f} | {bound:.0%} | {needed:.0%} "
        f"| {len(sent.refused) / seconds:.0f} | {sent.without_retry_after} | {others or 'none'} "
        f"| {_quantiles(sent.accepted)} | {_quantiles(sent.refused)} | {_quantiles(result.probes)} "
        f"| {result.memory[quarter] / 1e6:.0f} → {result.memory[-1] / 1e6:.0f}, most {max(result.memory) / 1e6:.0f} "
        f"| {'holds' if is_good else 'falls short'} |"
    )


def _quantiles(times: Sequence[float]) -> str:
    if not times:
        return "none"
    ordered = sorted(times)
    return ", ".join(f"{1e3 * ordered[round((len(ordered) - 1) * share)]:.0f}" for share in (0.5, 0.99, 1))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=[*Kind], nargs="*", default=[*Kind])
    parser.add_argument("--parts", type=int, nargs="*", default=[100, 10])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--factor", type=float, default=4.0)
    parser.add_argument("--capacity-seconds", type=float, default=5.0)
    parser.add_argument("--peak", type=float, help="take this for the capacity, in requests a second")
    parser.add_argument("--checkout", type=Path, help="serve what another checkout has")
    parser.add_argument("--probe", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.probe:
        uvloop.run(probe(asked.probe, asked.seconds))
        return
    plan = Plan(
        seconds=asked.seconds,
        runs=asked.runs,
        factor=asked.factor,
        capacity_seconds=asked.capacity_seconds,
        peak=asked.peak,
        core=min(os.sched_getaffinity(0)),
    )
    gc.disable()
    results = [
        result
        for kind in asked.database
        for parts in asked.parts
        for run in range(1, plan.runs + 1)
        for result in [_measure_one(Kind(kind), parts, plan, run, asked.checkout)]
    ]
    print(f"`python -m tests.scale.overload {' '.join(sys.argv[1:])}`, {time.strftime('%Y-%m-%d')}\n")
    print(write_table(results))


def _measure_one(kind: Kind, parts: int, plan: Plan, run: int, checkout: Path | None) -> Result:
    own_core = max(os.sched_getaffinity(0))
    variables = {} if checkout is None else {"PYTHONPATH": str(checkout.resolve())}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partwise-overload-")))
        with pinned(plan.core):
            url: sa.URL | None = stack.enter_context(postgresql_server()) if kind is Kind.POSTGRESQL else None
            database = stack.enter_context(open_database(kind, "overload", folder, url))
            server = stack.enter_context(
                running(PARTWISE.command(kind), {**PARTWISE.environment(database.url), **variables})
            )
        with pinned(own_core):
            result = uvloop.run(measure(server, database, kind, parts, plan, run, count(1)))
    _say(_row(result))
    for other, number in result.sent.others.most_common(3):
        _say(f"  {number} × {other}")
    _say(
        f"  generator late by at most {1e3 * result.lag:.0f} ms; the server's core worked {result.cpu:.1f} s of {result.seconds:.0f}; "
        f"Retry-After {dict(sorted(result.sent.retry_after.items()))}"
    )
    return result


if __name__ == "__main__":
    main()
