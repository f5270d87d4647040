"""Admission control: which requests begin, which wait, and which are rejected because the server is busy.

The module has no side effects, and its only input from outside is the clock that it is passed.

Requests wait in three lanes until a slot is free: queries, batches, and requests with large bodies, which take so long
that others should not wait for them. Lanes that share slots alternate by the slot time that their requests consume, so
that neither starves the other. A new request is rejected if its estimated wait is too long:

* longer than the target, if there has been a queue without interruption for some time. Such a queue only adds to the
  time of each request (a standing queue in the terms of CoDel, RFC 8289). A new queue is a burst, and may be longer.
* or longer than half of the request timeout.

The wait is estimated from the body bytes that wait already, and from the recent slot time per byte.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_INTERVAL = 1.0  # seconds without interruption after which a queue is a standing queue
_BURST = 4  # maximum wait in a new queue, as a multiple of the target
_SHARE = 0.5  # maximum wait in any queue, as a fraction of the timeout
# Requests of a lane that may wait longer than the target. If requests are slow, even a short queue is a long wait.
_FEW = 32
_MOST_BYTES = 64 << 20  # bytes of the bodies that wait in a lane
_OVERHEAD = 1_200  # cost of a request besides its body, in bytes of a batch's body
_KEPT = 0.95  # decay factor, per request, of the measured time per byte
_LONGEST_RETRY = 60  # seconds
_SOME = 2  # minimum number of slots for large requests; half the number of connections if that is more
_TOGETHER = 64  # batches at the writer of SQLite: the group that runs, and the next one


@dataclass(slots=True, eq=False)
class Slots:
    """The number of requests that run at a time, over all lanes that share the slots."""

    most: int
    running: int = 0


@dataclass(slots=True, eq=False)
class Lane:
    """The queue and the statistics of one kind of request."""

    name: str
    slots: Slots
    most: int  # maximum number of its requests that run at a time
    other: "Lane | None" = None  # the lane that shares the slots
    queue: "deque[Ticket]" = field(default_factory=deque)  # may include tickets that have left
    waiting: int = 0  # tickets in the queue that have not left
    parked: int = 0  # requests that wait for something other than a slot
    parked_bytes: int = 0
    coming: int = 0  # requests that were admitted, but have not arrived yet
    coming_bytes: int = 0
    bytes: int = 0  # estimated cost of the waiting requests, in bytes
    running: int = 0
    busy_since: float = 0.0  # start of the current period in which requests wait without interruption
    turns: float = 0.0  # seconds of slot time granted so far, by which lanes alternate
    per_byte: float = 0.0  # seconds of slot time per byte; 0 if not measured yet
    seconds: float = 0.0  # run time of past requests, exponentially decayed
    done: float = 0.0  # their bytes, exponentially decayed

    @property
    def has_slot(self) -> bool:
        """Return True if another request of this lane may run."""
        return self.running < self.most and self.slots.running < self.slots.most


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that was admitted."""

    lane: Lane
    bytes: int
    arrived: float
    begin: Callable[[], bool]  # called when the request's turn comes; returns False if it is not awaited anymore
    begun: float | None = None
    is_parked: bool = False
    is_measured: bool = True  # False if its run time does not reflect the server's load
    has_left: bool = False


class Admission:
    """Admits requests, starts them in order, or rejects them. Not thread-safe."""

    def __init__(
        self,
        *,
        connections: int,
        shared: bool,
        target: float,
        timeout: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create it. At most `most` requests of a lane may wait for a slot or a lock.

        `target` and `timeout` are in seconds. If `shared` is True, queries and batches use the same connections.
        Otherwise batches have a writer of their own, as on SQLite.
        """
        slots = Slots(connections)
        self.queries = Lane("queries", slots, connections)
        self.batches = Lane("batches", Slots(_TOGETHER), _TOGETHER)
        if shared:
            self.queries.most = max(1, connections - 1)  # the last one is reserved for the other lane
            self.batches = Lane("batches", slots, self.queries.most, other=self.queries)
            self.queries.other = self.batches
        some = max(_SOME, connections // 2)
        self.large = Lane("large_requests", Slots(some), some)
        self.held = 0
        """The number of requests that wait for a slot or for something else. If it is 0, no request is rejected."""
        self._longest = _SHARE * timeout
        self._target = min(target, self._longest)
        self._burst = min(_BURST * target, self._longest)
        self._most = most
        self._clock = clock

    def refuses(self, lane: Lane, size: int) -> int | None:
        """Return the seconds after which a rejected request should be sent again; None if it is admitted.

        `size` is the number of bytes of its body.
        """
        if not (lane.waiting or lane.parked):
            return None
        waiting = lane.waiting + lane.coming
        held = lane.bytes + lane.coming_bytes + lane.parked_bytes
        is_full = waiting + lane.parked >= self._most or held + size > _MOST_BYTES
        if not (lane.waiting or is_full):
            return None
        now = self._clock()
        wait = self._wait(lane, now)
        if wait <= self._longest and not is_full:
            limit = self._target if now - lane.busy_since > _INTERVAL else self._burst
            if wait <= limit or waiting < _FEW:
                return None
        return min(max(1, math.ceil(wait - self._target)), _LONGEST_RETRY)

    def expect(self, lane: Lane, size: int) -> None:
        """Count an admitted request that arrives only after it has been parsed."""
        lane.coming += 1
        lane.coming_bytes += _OVERHEAD + size

    def expect_nobody(self) -> None:
        """Reset the counts of expected requests, because these requests arrive now."""
        for lane in (self.queries, self.batches, self.large):
            lane.coming = lane.coming_bytes = 0

    def arrive(self, lane: Lane, size: int, begin: Callable[[], bool]) -> Ticket:
        """Start or queue a request. If `begun` of its ticket is None, it waits until `begin` is called."""
        now = self._clock()
        ticket = Ticket(lane, _OVERHEAD + size, now, begin)
        if lane.waiting:
            pass
        elif lane.has_slot:
            self._start(ticket, now)
            return ticket
        else:
            lane.busy_since = now
            if lane.other is not None and lane.other.waiting:  # slot time that it did not use before is not credited
                lane.turns = max(lane.turns, lane.other.turns)
        lane.queue.append(ticket)
        self.held += 1
        lane.waiting += 1
        lane.bytes += ticket.bytes
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """End a request, whether it has begun or not. Waiting requests begin in its place."""
        if ticket.has_left:
            return
        ticket.has_left = True
        if ticket.begun is None:
            ticket.begin = _nobody
            self._take_out(ticket)
            return
        lane = ticket.lane
        if ticket.is_measured:
            lane.seconds = _KEPT * lane.seconds + self._clock() - ticket.begun
            lane.done = _KEPT * lane.done + ticket.bytes
            lane.per_byte = lane.seconds / lane.done
        if ticket.is_parked:
            self._count_parked(ticket, -1)
        else:
            self._free(ticket)

    def park(self, ticket: Ticket) -> None:
        """Free the slot of a request that waits for something other than the server, such as a lock.

        After that wait it continues without a slot. The number of connections limits how many such requests run.
        """
        if not ticket.is_parked and not ticket.has_left:
            ticket.is_parked, ticket.is_measured = True, False
            self._count_parked(ticket, 1)
            self._free(ticket)

    def _count_parked(self, ticket: Ticket, change: int) -> None:
        self.held += change
        ticket.lane.parked += change
        ticket.lane.parked_bytes += change * ticket.bytes

    def _wait(self, lane: Lane, now: float) -> float:
        """Estimate the seconds that another request would wait, at least as long as the first one has waited so far."""
        queue = lane.queue
        if not lane.waiting:
            return 0.0
        while queue[0].has_left:
            queue.popleft()
        slots = float(lane.slots.most)
        if lane.other is not None and lane.other.waiting:
            slots /= 2
        return max((lane.bytes + lane.coming_bytes) * lane.per_byte / min(slots, lane.most), now - queue[0].arrived)

    def _start(self, ticket: Ticket, now: float) -> None:
        lane = ticket.lane
        ticket.begun = now
        # The waiting task refers to the ticket. A cycle would keep the whole request alive until garbage collection.
        ticket.begin = _nobody
        self._take_slot(ticket)
        lane.turns += ticket.bytes * lane.per_byte

    def _take_slot(self, ticket: Ticket) -> None:
        ticket.lane.running += 1
        ticket.lane.slots.running += 1

    def _give_slot(self, ticket: Ticket) -> None:
        ticket.lane.running -= 1
        ticket.lane.slots.running -= 1

    def _free(self, ticket: Ticket) -> None:
        self._give_slot(ticket)
        lane = ticket.lane
        while (following := _next(lane)) is not None:
            self._begin(following)

    def _begin(self, lane: Lane) -> None:
        """Start the next request of a lane, unless it has left."""
        ticket = lane.queue.popleft()
        if ticket.has_left:
            return
        begin = ticket.begin
        self._take_out(ticket)
        self._start(ticket, self._clock())
        if not begin():
            ticket.has_left = True
            self._give_slot(ticket)

    def _take_out(self, ticket: Ticket) -> None:
        lane = ticket.lane
        self.held -= 1
        lane.waiting -= 1
        lane.bytes -= ticket.bytes
        if not lane.waiting:
            lane.queue.clear()


def _nobody() -> bool:
    """Return False: a `begin` that starts nothing."""
    return False


def _next(lane: Lane) -> Lane | None:
    """Return the lane whose turn it is, among those that share the lane's slots; None if none can start a request."""
    other = lane.other
    own = lane if lane.waiting and lane.has_slot else None
    if other is None or not (other.waiting and other.has_slot):
        return own
    return other if own is None or other.turns < own.turns else own
