"""Random requests to odd tables (tests/support/fuzzing.py): nothing ends as INTERNAL, and a batch is all or none, grouped or not.

The gate tries the same requests every time; PARTWISE_EXAMPLES=20000 tries so many of each family of tables on each database.
A finding names its tables, database and number: `find` of `Fuzzed` tries that one again.
"""

import os

import pytest

from tests.support.fuzzed_tables import NAMES
from tests.support.fuzzing import fuzzed, run
from tests.support.harness import Backend

pytestmark = pytest.mark.costly

_EXAMPLES = os.environ.get("PARTWISE_EXAMPLES")
_GATE = {"odd": 120, "models": 30, "parents": 30, "crowd": 40, "library": 30, "spoilt": 60, "untyped": 60}  # requests
_FIRST = int(os.environ.get("PARTWISE_FIRST_EXAMPLE", "0"))  # so that another long run tries others
ENOUGH = 1_000  # requests, from which on the shares below must hold


@pytest.mark.parametrize("name", NAMES)
def test_random_requests_are_answered_as_they_have_to_be(backend: Backend, name: str):
    with fuzzed(backend, name) as world:
        findings = run(world, range(_FIRST, _FIRST + int(_EXAMPLES or _GATE[name])))

        assert not findings, "\n".join(map(str, findings))
        counted = world.counted
        batches = counted["COMMITTED"] + counted["REJECTED"] + counted["VALID"]
        if counted["requests"] >= ENOUGH:  # it must not come to try only what is refused
            assert batches > counted["requests"] / 3, counted
            assert counted["COMMITTED"] > batches / 10, counted
            assert counted["plain queries"] > counted["requests"] / 15, counted
            assert counted["replayed"] > counted["requests"] / 200, counted
