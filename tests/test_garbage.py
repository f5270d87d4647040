"""Answered requests leave nothing to the collector of garbage: in overload, it took a tenth of the time, and up to 150 ms at once."""

import gc
import json
import time
from collections.abc import Callable

import pytest

from tests.conftest import Serve
from tests.direct import Direct
from tests.harness import BATCH, Backend, Json, part

SCRIPT = "CREATE TABLE thing (id {key}, name VARCHAR(20) NOT NULL UNIQUE);\nINSERT INTO thing (name) VALUES ('old')"
REQUESTS = 5
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


@pytest.mark.parametrize("case", SENT)
def test_an_answered_request_leaves_no_cycles(backend: Backend, start: Serve, case: str):
    backend.run(SCRIPT)
    client = Direct(start(backend))
    document, variables = SENT[case]

    def send(number: int) -> None:
        client.exchange(json.dumps({"query": document, "variables": variables(number)}).encode())

    for number in range(4):
        send(number)
    gc.collect()
    gc.disable()
    try:
        for number in range(4, 4 + REQUESTS):
            send(number)
        time.sleep(0.2)  # threads let go of what they have answered
        left = gc.collect()
    finally:
        gc.enable()
    assert left <= FEW * REQUESTS
