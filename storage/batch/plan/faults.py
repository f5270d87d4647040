"""Faults of parts that both a decision and the database may detect."""

from collections.abc import Iterable, Sequence

from storage.batch.plan.operations import Operation
from storage.catalog.naming import words
from storage.errors import Conflict, Fault


def conflict(operation: Operation, attributes: Sequence[str], constraint: str | None = None) -> Fault:
    """Return the error that another item has the same values of a unique rule."""
    item = " ".join(words(operation.resource.name)).lower()
    what = f"with this {join_names(attributes)}" if attributes else "with such values"
    return Conflict(
        message=f"Another {item} {what} already exists.",
        pointer=first_pointer(operation, attributes),
        attributes=tuple(attributes),
        constraint=constraint,
    )


def first_pointer(operation: Operation, attributes: Iterable[str]) -> str:
    """Return the pointer to the first of these attributes in a part: in its payload rather than in its path."""
    given = [operation.pointers[name] for name in attributes if name in operation.pointers]
    in_payload = (pointer for pointer in given if pointer != "/path")
    return next(in_payload, given[0] if given else operation.payload_pointer)


def join_names(names: Sequence[str]) -> str:
    """Return names joined as a list in English."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "A value"
