"""Grouped equals sequential: the same outcomes, the same tables, for random batches full of hard cases.

The gate tries 1,000 batches on each database; `python -m tests.grouped_long` tries as many as one likes (docs/trust.md).
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings

from tests.batches import batches
from tests.conftest import Serve
from tests.harness import Backend
from tests.worlds import Part, World, alike, has_made_keys, make_world

_EXAMPLES = os.environ.get("PARTWISE_EXAMPLES")

settings.register_profile(
    "grouped",
    max_examples=int(_EXAMPLES or 1_000),
    derandomize=_EXAMPLES is None,
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def both(backend: Backend, start: Serve) -> Iterator[tuple[World, World]]:
    """One database, served by both ways."""
    grouped = make_world(backend, start)
    one_by_one = World(backend, start(backend, groups=False), grouped.connection)
    one_by_one.etags = grouped.etags
    yield grouped, one_by_one
    grouped.close()


def run(world: World, parts: list[Part], *, with_rows: bool) -> dict[str, Any]:
    world.reset()
    return {"result": world.send(parts, with_rows=with_rows), "tables": world.tables()}


@settings(settings.get_profile("grouped"))
@given(parts=batches())
def test_groups_mean_what_the_parts_mean_one_by_one(both: tuple[World, World], parts: list[Part]):
    grouped, one_by_one = both

    for with_rows in (True, False):
        expected, found = (run(world, parts, with_rows=with_rows) for world in (one_by_one, grouped))
        event(f"{expected['result']['status']}")
        if not has_made_keys(expected):  # etags of items whose keys are made anew differ with the keys
            assert found == expected
        else:
            assert alike(found) == alike(expected)
