"""Which requests are taken, wait and are refused, by simulation: a clock that the test moves, and requests that take given times."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest

from partwise.workers.admission import Admission, Lane, Ticket

TARGET, TIMEOUT = 0.5, 30.0  # seconds
SMALL, LARGE = 1_300, 13_000  # bytes of a body


@dataclass
class Found:
    """What became of the requests of one lane."""

    taken: int = 0
    done: int = 0
    waits: list[float] = field(default_factory=list)  # seconds until they began
    refused: list[float] = field(default_factory=list)  # when
    retries: list[int] = field(default_factory=list)  # what Retry-After would be


class Simulation:
    """A server whose requests take a given time each, as many at a time as `cores`; the others share them."""

    def __init__(self, *, connections: int = 8, shared: bool = True, cores: int = 8) -> None:
        self.now = 0.0
        self.admission = Admission(
            connections=connections, shared=shared, target=TARGET, timeout=TIMEOUT, most=1_000, clock=lambda: self.now
        )
        self.cores = cores
        self.found = {lane.name: Found() for lane in (self.admission.queries, self.admission.batches)}
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        self._free_at = [0.0] * cores  # when each core has done what it was given

    def at(self, moment: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), act))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, act = heapq.heappop(self._events)
            act()
        self.now = until

    def send(self, lane: Lane, size: int, seconds: float) -> Ticket | None:
        """Send a request that takes so many seconds of a core."""
        found = self.found[lane.name]
        retry = self.admission.refuses(lane, size)
        if retry is not None:
            found.refused.append(self.now)
            found.retries.append(retry)
            return None
        found.taken += 1

        def begin() -> bool:
            found.waits.append(self.now - ticket.arrived)
            core = self._free_at.index(min(self._free_at))
            self._free_at[core] = max(self.now, self._free_at[core]) + seconds
            self.at(self._free_at[core], end)
            return True

        def end() -> None:
            found.done += 1
            self.admission.leave(ticket)

        ticket = self.admission.arrive(lane, size, begin)
        if ticket.begun is not None:
            begin()
        return ticket

    def flood(
        self, lane: Lane, rate: float, seconds: float, *, size: int = SMALL, each: float, start: float = 0.0
    ) -> None:
        """Send at a fixed rate, whatever is answered."""
        for number in range(round(rate * seconds)):
            self.at(start + number / rate, lambda: self.send(lane, size, each))


@pytest.mark.parametrize("each", [0.01, 0.4])  # seconds of a core
@pytest.mark.parametrize(("connections", "cores", "shared"), [(8, 7, True), (8, 1, True), (1, 1, True), (8, 1, False)])
def test_at_four_times_its_capacity_a_server_works_all_the_time_and_nobody_waits_long(
    each: float, connections: int, cores: int, shared: bool
):
    server = Simulation(connections=connections, cores=cores, shared=shared)
    capacity = min(connections, cores) / each
    batches = server.admission.batches
    server.flood(batches, 4 * capacity, 15.0, each=each)
    server.run(15.0)
    found = server.found["batches"]
    assert found.done >= 0.95 * capacity * 15.0 - 1
    steady = found.waits[len(found.waits) // 2 :]
    assert max(steady) <= max(2.5 * TARGET, 1.5 * 32 * each * (1 if cores == 1 else 1 / cores))
    assert max(found.waits) <= TIMEOUT / 2
    assert {*found.retries} <= set(range(1, 61))


@pytest.mark.parametrize("load", [0.5, 0.9])
def test_below_its_capacity_nothing_is_refused(load: float):
    server = Simulation(cores=1)
    server.flood(server.admission.batches, load / 0.01, 30.0, each=0.01)
    server.run(31.0)
    assert not server.found["batches"].refused


def test_a_burst_is_taken_and_the_same_queue_is_not_if_it_stands():
    server = Simulation(cores=1)
    batches, found = server.admission.batches, server.found["batches"]
    server.flood(batches, 100.0, 10.0, each=0.01)  # all that the server can do
    server.run(10.0)
    server.flood(batches, 10_000.0, 0.01, each=0.01, start=10.0)  # a second's work at once
    server.run(12.0)
    assert not found.refused
    assert max(found.waits) > TARGET  # which has to be waited for

    standing = Simulation(cores=1)
    standing.flood(standing.admission.batches, 100.0, 20.0, each=0.01)
    standing.flood(standing.admission.batches, 30.0, 20.0, each=0.01)
    standing.run(20.0)
    assert standing.found["batches"].refused
    assert max(standing.found["batches"].waits[-100:]) < 1.5 * TARGET


def test_after_an_overload_everything_is_taken_again_at_once():
    server = Simulation(cores=1)
    batches, found = server.admission.batches, server.found["batches"]
    server.flood(batches, 400.0, 5.0, each=0.01)
    server.run(5.0 + 3 * TARGET)
    found.refused.clear()
    server.flood(batches, 50.0, 5.0, each=0.01, start=server.now)
    server.run(server.now + 6.0)
    assert not found.refused


@pytest.mark.parametrize(("flooding", "other"), [("batches", "queries"), ("queries", "batches")])
@pytest.mark.parametrize("cores", [1, 8])
def test_neither_lane_starves_the_other(flooding: str, other: str, cores: int):
    server = Simulation(cores=cores)
    lanes = {"batches": server.admission.batches, "queries": server.admission.queries}
    rate = cores / 0.02
    server.flood(lanes[flooding], 4 * rate, 20.0, each=0.02)
    server.flood(lanes[other], 0.3 * rate, 18.0, each=0.02, start=2.0)  # less than its half
    server.run(21.0)
    found = server.found[other]
    assert not found.refused
    assert max(found.waits) < 0.5 * TARGET
    assert server.found[flooding].refused
    assert server.found[flooding].done >= 0.6 * rate * 20.0


def test_two_floods_share_the_server():
    server = Simulation(cores=1)
    server.flood(server.admission.batches, 400.0, 20.0, each=0.01)
    server.flood(server.admission.queries, 2_000.0, 20.0, each=0.002, size=0)
    server.run(20.0)
    seconds = {"batches": 0.01 * server.found["batches"].done, "queries": 0.002 * server.found["queries"].done}
    assert sum(seconds.values()) > 19.0
    done = [found.done for found in server.found.values()]
    assert max(done) < 1.2 * min(
        done
    )  # each has the slots for half of the time, and on one core that is the same for each request


def test_a_server_that_does_not_move_takes_a_bounded_number_and_goes_on_afterwards():
    server = Simulation()
    batches, found = server.admission.batches, server.found["batches"]
    stuck = [server.admission.arrive(batches, SMALL, lambda: True) for _ in range(7)]  # all slots that a lane has
    assert all(each.begun is not None for each in stuck)
    for number in range(5_000):
        server.at(number / 250, lambda: server.send(batches, SMALL, 0.001))
    server.run(20.0)
    assert found.taken <= 1_000
    late = [moment for moment in found.refused if moment > 3.0]
    assert len(late) >= 4_249  # of 4,250
    assert max(found.retries) > 1  # the wait is told
    for each in stuck:
        server.admission.leave(each)
    server.run(25.0)
    assert found.done == found.taken
    assert server.admission.held == batches.running == batches.bytes == batches.slots.running == 0
    assert server.send(batches, SMALL, 0.001)


def test_who_waits_for_a_lock_is_in_nobodys_way():
    server = Simulation()
    batches = server.admission.batches
    parked = [server.admission.arrive(batches, SMALL, lambda: True) for _ in range(40)]
    for each in parked:
        if each.begun is not None:
            server.admission.park(each)
    assert all(each.begun is not None for each in parked)
    waiting = [each for each in parked if each.begun is None]
    assert waiting == []  # each that was parked let the next begin
    server.flood(batches, 100.0, 5.0, each=0.01)
    server.run(6.0)
    assert max(server.found["batches"].waits) == 0.0
    for each in parked:
        server.admission.leave(each)
    assert batches.running == batches.slots.running == batches.parked_bytes == batches.parked == 0


@pytest.mark.parametrize("size", [16 << 20, SMALL])
def test_what_waits_is_bounded_by_its_size_too(size: int):
    server = Simulation(shared=False)
    batches = server.admission.batches
    held = [server.admission.arrive(batches, SMALL, lambda: True) for _ in range(64)]
    sent = [server.send(batches, size, 0.001) for _ in range(2_000)]
    taken = [each for each in sent if each is not None]
    assert len(taken) == (3 if size > SMALL else 1_000)
    assert all(each.begun is not None for each in held)


def test_one_request_is_taken_however_large_its_body_is():
    server = Simulation()
    huge = 100 << 20  # as `max_body` may allow it
    large = server.admission.large
    assert server.admission.refuses(large, huge) is None
    running = [server.admission.arrive(large, huge, lambda: True) for _ in range(5)]
    assert [each.begun is not None for each in running] == [True] * 4 + [False]
    assert server.admission.refuses(large, huge), "one of them waits already"


def test_nobody_begins_for_a_client_that_has_gone():
    server = Simulation()
    batches = server.admission.batches
    running = [server.admission.arrive(batches, SMALL, lambda: True) for _ in range(7)]
    begun: list[int] = []

    def begin(number: int) -> bool:
        begun.append(number)
        return number == 3

    waiting = [server.admission.arrive(batches, SMALL, lambda number=number: begin(number)) for number in range(5)]  # type: ignore[misc]
    server.admission.leave(waiting[1])
    server.admission.leave(running[0])
    assert begun == [0, 2, 3]
    assert waiting[3].begun is not None
    assert batches.waiting == 1
    assert batches.running == 7


def test_large_requests_keep_no_other_waiting():
    admission = Admission(connections=8, shared=True, target=TARGET, timeout=TIMEOUT, most=1_000)
    large = [admission.arrive(admission.large, 4 << 20, lambda: True) for _ in range(10)]
    assert [each.begun is not None for each in large] == [True] * 4 + [False] * 6
    assert admission.arrive(admission.batches, SMALL, lambda: True).begun is not None
    assert admission.arrive(admission.queries, SMALL, lambda: True).begun is not None
