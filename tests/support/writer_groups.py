"""Batches that are sent at the same moment, and the groups in which SQLite's writer runs them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx2
import pytest

from partwise.server.app import make_app
from partwise.workers import writer
from storage.batch.execution.run import Engine, Job, Settle, run_together
from tests.support.harness import BATCH, Api, Backend, Json, part

SCRIPT = """
CREATE TABLE thing (id {key}, name VARCHAR(20) NOT NULL UNIQUE);
CREATE TABLE note (id {key}, thing_id INTEGER REFERENCES thing (id) {deferred});
INSERT INTO thing (id, name) VALUES (1, 'old');
CREATE TRIGGER fatal BEFORE INSERT ON note WHEN NEW.id = 13 BEGIN SELECT RAISE(ROLLBACK, 'no'); END
"""


@dataclass
class Groups:
    """The groups in which batches are run."""

    sizes: list[int] = field(default_factory=list)
    awaited: int = 0  # batches that are held back until all of them wait
    held: list[writer._Waiting] = field(default_factory=list)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> Groups:
    found = Groups()
    take = writer._WritingThread.take

    def counted(engine: Engine, jobs: Sequence[Job[object]], settle: Settle) -> None:
        found.sizes.append(len(jobs))
        run_together(engine, jobs, settle)

    def take_at_once(thread: writer._WritingThread, waiting: writer._Waiting) -> None:
        found.held.append(waiting)
        if len(found.held) >= found.awaited:
            for each in found.held[:-1]:
                thread._queue.put(each)
            found.held.clear()
            take(thread, waiting)

    monkeypatch.setattr(writer, "run_together", counted)
    monkeypatch.setattr(writer._WritingThread, "take", take_at_once)
    return found


@pytest.fixture
def things(sqlite: Backend, start: Callable[[Backend], Api]) -> Api:
    sqlite.run(SCRIPT)
    return start(sqlite)


def send_at_once(
    api: Api, *batches: list[Json], dry: frozenset[int] = frozenset(), keys: Sequence[str] = ()
) -> list[Json]:
    """Send batches at the same moment, each in a request of its own; with idempotency keys, where there are any."""

    async def send_all() -> list[Json]:
        transport = httpx2.ASGITransport(app=make_app(api.service, api.settings))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            bodies = [
                {"query": BATCH, "variables": {"parts": parts, "dryRun": number in dry}}
                for number, parts in enumerate(batches)
            ]
            headers = [{"Idempotency-Key": key} for key in keys] or [{}] * len(bodies)
            requests = zip(bodies, headers, strict=True)
            answers = await asyncio.gather(*(client.post("/graphql", json=body, headers=own) for body, own in requests))
        return [answer.json() for answer in answers]

    return asyncio.run(send_all())


def statuses(answers: list[Json]) -> list[str]:
    return [
        answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["data"]["batch"]["status"]
        for answer in answers
    ]


def make(name: str) -> list[Json]:
    return [part("p", "CREATE", "/things", {"name": name})]
