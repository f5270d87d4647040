"""The cases that are measured, and their goals: multiples of the floor's time, or fractions of its throughput."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.databases import Kind
from benchmarks.targets import Selection
from benchmarks.work import (
    ALBUM_ROWS,
    ARTIST_ROWS,
    TRACK_ROWS,
    Work,
    creates,
    discography,
    failing,
    mixed,
    small,
    staff,
    updates,
)

GROWING = "W7"
SIZES = (10, 100, 1_000, 10_000)  # parts of a batch, in W7
LATENCY_BATCHES = 20  # batches of one client per figure of W4
READS = 5  # reads per figure of W6
CLIENTS = 16
THROUGHPUT_GOAL = {Kind.SQLITE: 1.0, Kind.POSTGRESQL: 0.5}  # minimum, as a multiple of the floor's throughput

_GROWING_PARTS = 200  # parts per figure of W7, if the batches are smaller
_LEAN_GOAL, _RICH_GOAL = 1.5, 2.5
_STAFF, _DISCOGRAPHY = staff(), discography()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Requests of one kind, sent one at a time."""

    workload: str
    title: str
    work: Callable[[int], Work]  # the work of a turn; no two turns share an email
    selection: Selection = Selection.LEAN  # fields of the parts of a batch
    goal: float | None = None  # maximum, as a multiple of the floor; for W5, the floor of W1
    batches: int = 1  # batches or reads per figure
    size: int | None = None  # parts of a batch, in W7
    reads: bool = False  # True if the work is a `Reading`

    @property
    def is_refused(self) -> bool:
        """Return True if the batch must be rejected, with nothing written."""
        return self.selection is Selection.ERRORS


CASES = (
    Case(workload="W1", title="1,000 creates", work=partial(creates, 1_000), goal=_LEAN_GOAL),
    Case(
        workload="W1",
        title="1,000 creates, rich",
        work=partial(creates, 1_000),
        goal=_RICH_GOAL,
        selection=Selection.RICH,
    ),
    Case(workload="W2", title="1,000 updates", work=updates, goal=_LEAN_GOAL),
    Case(workload="W2", title="1,000 updates, rich", work=updates, goal=_RICH_GOAL, selection=Selection.RICH),
    Case(workload="W3", title="400 creates, 400 updates, 200 deletes", work=mixed, goal=_LEAN_GOAL),
    Case(
        workload="W3",
        title="400 creates, 400 updates, 200 deletes, rich",
        work=mixed,
        goal=_RICH_GOAL,
        selection=Selection.RICH,
    ),
    Case(
        workload="W4",
        title="5 creates, 5 updates; one client",
        work=lambda turn: small(turn, turn),
        goal=2.0,
        batches=LATENCY_BATCHES,
    ),
    Case(
        workload="W5",
        title="1,000 creates, one of them refused",
        work=failing,
        goal=15.0,
        selection=Selection.ERRORS,
    ),
    Case(
        workload="W6",
        title="1,000 employees with their departments",
        work=lambda _turn: _STAFF,
        goal=1.5,
        batches=READS,
        reads=True,
    ),
    Case(
        workload="W6n",
        title=f"{len(ARTIST_ROWS)} artists, their {len(ALBUM_ROWS)} albums, their {len(TRACK_ROWS):,} tracks",
        work=lambda _turn: _DISCOGRAPHY,
        goal=2.0,
        batches=READS,
        reads=True,
    ),
)


def cases_of(workloads: Sequence[str], sizes: Sequence[int]) -> list[Case]:
    """Return the cases of these workloads; W7 has one for each size."""
    growing = [
        Case(
            workload=GROWING,
            title=f"{size:,} creates",
            work=partial(creates, size),
            batches=max(1, _GROWING_PARTS // size),
            size=size,
        )
        for size in sizes
    ]
    return [case for case in (*CASES, *growing) if case.workload in workloads]
