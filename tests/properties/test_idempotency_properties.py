"""Random batches with idempotency keys: a replay is the same answer, whichever way the batch ran; PARTWISE_EXAMPLES tries longer."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import event, given

from tests.conftest import Serve
from tests.support.batches import batches
from tests.support.crowd_world import crowd_family
from tests.support.crowds import ETAG_LEFT_BY, GUESS, crowds
from tests.support.examples import tried_with
from tests.support.harness import Backend, Json
from tests.support.keyed import KEYED, is_replay, without_replayed
from tests.support.worlds import Part, World, alike, make_world

pytestmark = pytest.mark.costly

tried = tried_with(70)
BARE = KEYED[: KEYED.index("{\n    status")] + "{ status replayed }}"
_numbers = count()


@pytest.fixture
def world(backend: Backend, start: Serve) -> Iterator[World]:
    made = make_world(backend, start)
    yield made
    made.close()


@pytest.fixture
def crowd(backend: Backend, start: Serve) -> Iterator[World]:
    made = make_world(backend, start, crowd_family(backend.kind))
    yield made
    made.close()


def send(world: World, key: str, parts: list[Part], query: str = KEYED) -> Json:
    return world.send(
        parts, query=query.replace("idempotencyKey: $key", f'idempotencyKey: "{key}"').replace(", $key: String", "")
    )


def check_replays(world: World, parts: list[Part]) -> Json | None:
    """Run a batch and send it again, when everything has changed since; give back its answer where it is committed."""
    key = f"key {next(_numbers)}"
    world.reset()
    first = send(world, key, parts)
    event(first["status"])
    if first["status"] != "COMMITTED":
        assert not first["replayed"]
        return None
    world.reset()
    before = world.tables()
    assert is_replay(send(world, key, parts), first)
    assert world.tables() == before
    return first


@tried
@given(parts=batches())
def test_a_replay_is_the_same_answer_and_writes_nothing(world: World, parts: list[Part]):
    first = check_replays(world, parts)
    if first is None:
        return
    key = f"bare {next(_numbers)}"
    world.reset()
    assert send(world, key, parts, BARE) == {"status": "COMMITTED", "replayed": False}
    world.reset()

    again = send(world, key, parts)

    assert again["replayed"]
    assert alike(without_replayed(again)) == alike(without_replayed(first))


@tried
@given(parts=crowds())
def test_a_replay_of_a_crowd_is_the_same_answer(crowd: World, parts: list[Any]):
    known = [part for part in parts if GUESS not in part["path"] and ETAG_LEFT_BY not in str(part.get("ifMatch"))]
    if known:
        check_replays(crowd, known)
