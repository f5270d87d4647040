"""Which ways batches took through the engine: so that tests of the fast ways cannot come to test the slow one only."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from storage.batch.execution.bulk import Bulk
from storage.batch.execution.sequential import Sequential
from storage.batch.execution.staged import Grouped, GroupRefused
from storage.rows.writer import Rows

ENOUGH = 400  # examples, from which on the shares below must hold
LARGE = 6  # members of a stage, or parts of a block

WHOLLY, PARTLY, REFUSED = "wholly grouped", "partly grouped", "a group refused"
BLOCKS, BLOCKS_REFUSED, SEQUENTIAL = "blocks", "blocks refused", "sequential"
# The least share of the runs that took each way, of random parts and of crowds; about half of what they are.
SHARES: Mapping[str, tuple[float, float]] = {
    WHOLLY: (0.05, 0.2),
    PARTLY: (0.4, 0.2),
    REFUSED: (0.3, 0.15),
    BLOCKS: (0.0, 0.05),
    BLOCKS_REFUSED: (0.0, 0.005),
    SEQUENTIAL: (0.0, 0.01),
}


@dataclass
class Ways:
    """Counts the batches that take each way, while they are watched."""

    examples: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    latest: set[str] = field(default_factory=set)  # of the latest example
    large_stages: int = 0
    _watched: bool = False
    _local: threading.local = field(default_factory=threading.local, repr=False)

    @contextmanager
    def of(self, status: str) -> Iterator[None]:
        """Watch a batch that has this status. If it is good, the database refuses nothing of it but a try as blocks."""
        self.examples += 1
        self.statuses[status] += 1
        self.latest = set()
        self._watched = True
        try:
            yield
        finally:
            self._watched = False
        if status == "COMMITTED":
            detours = self.latest & {REFUSED, SEQUENTIAL}
            assert not detours, "the parts of a good batch got in each other's way"

    def check(self, *, of_crowds: bool) -> None:
        """Make sure that the examples, if they were many, were what they are meant to be."""
        if self.examples < ENOUGH:  # one has failed, or somebody tries a few
            return
        committed = self.statuses["COMMITTED"] / self.examples
        assert (0.4 if of_crowds else 0.2) < committed < 0.9, self
        for way, shares in SHARES.items():
            assert self.taken[way] / (2 * self.examples) >= shares[of_crowds], (way, self)
        assert not of_crowds or self.large_stages > self.examples, self

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Count what the engine does, from now on."""
        run, run_blocks, run_part, run_all = Grouped.run, Bulk.run, Sequential.run_part, Sequential.run

        def run_grouped(grouped: Grouped, *args: Any) -> Any:
            self._local.alone = 0
            try:
                outcomes = run(grouped, *args)
            except GroupRefused:
                self._note(REFUSED)
                raise
            finally:
                alone, self._local.alone = self._local.alone, None
            self._note(PARTLY if alone else WHOLLY)
            return outcomes

        def run_bulk(bulk: Bulk) -> Any:
            outcomes = run_blocks(bulk)
            self._note(BLOCKS_REFUSED if outcomes is None else BLOCKS)
            return outcomes

        def run_alone(sequential: Sequential, *args: Any) -> Any:
            if getattr(self._local, "alone", None) is not None:
                self._local.alone += 1
            return run_part(sequential, *args)

        def run_sequential(sequential: Sequential, *args: Any) -> Any:
            self._note(SEQUENTIAL)
            return run_all(sequential, *args)

        monkeypatch.setattr(Grouped, "run", run_grouped)
        monkeypatch.setattr(Bulk, "run", run_bulk)
        monkeypatch.setattr(Sequential, "run_part", run_alone)
        monkeypatch.setattr(Sequential, "run", run_sequential)
        for name, place in (("insert_many", 2), ("update_many", 3), ("delete_many", 2)):
            monkeypatch.setattr(Rows, name, self._counting(getattr(Rows, name), place))

    def _note(self, way: str) -> None:
        if self._watched:
            self.taken[way] += 1
            self.latest.add(way)

    def _counting(self, write: Callable[..., None], place: int) -> Callable[..., None]:
        def counted(*args: Any, **others: Any) -> None:
            members = args[place]
            size = len(next(iter(members.values()))) if isinstance(members, Mapping) else len(members)
            self.large_stages += self._watched and size >= LARGE
            write(*args, **others)

        return counted
