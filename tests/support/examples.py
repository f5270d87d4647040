"""How many examples a property is tried with: the gate's, or as many as PARTWISE_EXAMPLES says in a long run."""

import os

from hypothesis import HealthCheck, settings

_LONG = os.environ.get("PARTWISE_EXAMPLES")


def tried_with(examples: int, *, also_long: bool = True, draws_much: bool = False) -> settings:
    """Say how a property is tried. One served database may serve all examples of a test, so fixtures of a function are let be."""
    long = _LONG if also_long else None
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(
        max_examples=int(long or examples),
        derandomize=long is None,  # the gate runs the same examples every time
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=[*checks, HealthCheck.data_too_large] if draws_much else checks,
    )
