"""Finds the parts that cause a deferred constraint trigger to fail. The rows of the trigger are not known.

This code runs only after the whole batch was refused. The parts run one by one, and after each the deferred checks are
run. A part is at fault if the check fails after it and keeps failing until the end. A failure that a later part
corrects is not an error.
"""

from collections.abc import Sequence
from dataclasses import replace

from storage.batch.diagnosis.constraint_errors import refused_late
from storage.batch.execution.sequential import Sequential
from storage.batch.plan.operations import Failed, InvalidPart, Operation, Part, Verb
from storage.catalog.model import Catalog
from storage.connections.driver_errors import StatementRefused
from storage.errors import Fault
from storage.rows.writer import Rows

_SAVEPOINT = "late"
_MOST_RUNS = 5_000  # of parts: finding each part at fault takes one run of the whole batch


def late_failures(rows: Rows, catalog: Catalog, parts: Sequence[Part], savepoint: str) -> list[Failed]:
    """Return the failed parts, found one after the other up to a limit; roll everything back to the savepoint."""
    blamed: dict[int, Fault] = {}
    for _ in range(max(1, _MOST_RUNS // len(parts))):
        found = _first_to_blame(rows, catalog, _without(parts, blamed))
        rows.transaction.rollback_to(savepoint)
        if found is None:
            break
        operation, refused = found
        blamed[operation.index] = refused_late(operation, refused)
    if not blamed:
        return []
    outcomes = Sequential(rows, catalog).run(_without(parts, blamed))
    rows.transaction.rollback_to(savepoint)
    return [outcome for outcome in outcomes if isinstance(outcome, Failed)]


def _without(parts: Sequence[Part], blamed: dict[int, Fault]) -> list[Part]:
    return [
        InvalidPart(index=part.index, faults=(blamed[part.index],), operation=part)
        if part.index in blamed and isinstance(part, Operation)
        else part
        for part in parts
    ]


def _first_to_blame(rows: Rows, catalog: Catalog, parts: Sequence[Part]) -> tuple[Operation, StatementRefused] | None:
    """Return the part after which the check fails and keeps failing until the end, with its refusal; or None."""
    sequential = Sequential(rows, catalog)
    found: tuple[Operation, StatementRefused] | None = None
    for part in parts:
        sequential.run_part(part)
        if isinstance(part, Operation) and part.verb is not Verb.GET:
            refused = _is_refused(rows)
            found = None if refused is None else found or (part, refused)
    return found


def _is_refused(rows: Rows) -> StatementRefused | None:
    """Run the deferred checks and roll them back, so that they remain deferred; return the refusal, if any."""
    refused = rows.transaction.attempt(_SAVEPOINT, rows.transaction.check_constraints, keep=False)
    return None if refused is None else replace(refused, statement=None)
