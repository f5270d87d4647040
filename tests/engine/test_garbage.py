"""Answered requests leave nothing to the collector of garbage: in overload, it took a tenth of the time, and up to 150 ms at once."""

import gc
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Serve
from tests.support.direct import Direct
from tests.support.harness import BATCH, Backend, Json, part
from tests.support.waiting import locked

pytestmark = pytest.mark.costly

SCRIPT = "CREATE TABLE thing (id {key}, name VARCHAR(20) NOT NULL UNIQUE);\nINSERT INTO thing (name) VALUES ('old')"
REQUESTS = 5
ROUNDS = 3  # the fewest of them count: what other tests have left in this process is found in any one of them
FEW = 5  # objects for each request

Variables = Callable[[int], Json]


def create(*names: str) -> Json:
    return {"parts": [part(f"p{number}", "CREATE", "/things", {"name": name}) for number, name in enumerate(names)]}


# What is sent: a document, and its variables by the number of the request. (What graphql-core finds invalid is left out: its own
# validation leaves cycles.)
SENT: dict[str, tuple[str, Variables]] = {
    "a committed batch": (BATCH, lambda number: create(f"new {number}")),
    "a large batch": (BATCH, lambda number: create(*(f"{number}-{n}" for n in range(30)))),
    "a batch that is rejected by the database": (BATCH, lambda _: create("old")),
    "a large batch that is rejected by the database": (
        BATCH,
        lambda number: create(*(f"{number}-{n}" for n in range(8)), "old"),
    ),
    "a faulty batch": (BATCH, lambda _: {"parts": [part("p", "CREATE", "/things", {"nam": "new"})]}),
    "a batch that reads": (BATCH, lambda _: {"parts": [part("p", "GET", "/things/1")]}),
    "a query": ("{ things { nodes { id name } totalCount } }", lambda _: {}),
    "wrong variables": (BATCH, lambda _: {"parts": [{"id": 1}]}),
}


@contextmanager
def collected() -> Iterator[list[int]]:
    """Collect garbage at the end of the block alone; give back how many objects there were."""
    found: list[int] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        time.sleep(0.2)  # threads let go of what they have answered
        found.append(gc.collect())
    finally:
        gc.enable()


@pytest.mark.parametrize("case", SENT)
def test_an_answered_request_leaves_no_cycles(backend: Backend, start: Serve, case: str):
    backend.run(SCRIPT)
    client = Direct(start(backend))
    document, variables = SENT[case]

    def send(number: int) -> None:
        client.exchange(json.dumps({"query": document, "variables": variables(number)}).encode())

    numbers = itertools.count()
    for number in itertools.islice(numbers, 4):
        send(number)
    left = []
    for _ in range(ROUNDS):
        with collected() as found:
            for number in itertools.islice(numbers, REQUESTS):
                send(number)
        left += found
    assert min(left) <= FEW * REQUESTS


@pytest.mark.parametrize(("name", "status"), [(None, "COMMITTED"), ("old", "REJECTED")])
def test_a_batch_that_takes_so_long_that_its_client_is_watched_leaves_no_cycles(
    sqlite: Backend, start: Serve, name: str | None, status: str
):
    sqlite.run(SCRIPT)
    client = Direct(start(sqlite))
    for first in ("first", "second"):  # compiled from now on
        client.post(BATCH, create(first))

    def left_by(name: str) -> int:
        with locked(sqlite) as holder, collected() as found:
            release = threading.Timer(0.4, holder.exec_driver_sql, ["ROLLBACK"])
            release.start()
            answer = client.post(BATCH, create(name))
            release.join()
        assert answer["data"]["batch"]["status"] == status
        return found[0]

    assert min(left_by(name or f"new {number}") for number in range(ROUNDS)) <= FEW
