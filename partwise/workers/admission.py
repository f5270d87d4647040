"""Decides which requests begin, which wait, and which are refused because the server is busy. Pure, but for the clock it is given.

Requests wait in three lanes until a slot is free: queries, batches, and requests with large bodies, which take so long that others
should not wait for them. Lanes that share their slots take turns by the time that their requests take a slot, so that neither
starves the other. A new request is refused if it would wait too long:

* longer than the target, if there has been a queue without a break for some time: such a queue only adds to the time of each
  request (a standing queue in the words of CoDel, RFC 8289). A queue that is new is a burst, and may be longer.
* or longer than half of the time that a request may take at all.

The wait is estimated from what waits already, in bytes of bodies, and from how long a slot was taken for each byte lately.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_INTERVAL = 1.0  # seconds without a break, after which a queue is a standing one
_BURST = 4  # times the target: what a request may wait in a queue that is new
_SHARE = 0.5  # of the time-out: what a request may wait at all
_FEW = 32  # requests of a lane that may wait longer than the target: of slow ones, even a short queue is a long wait
_MOST_BYTES = 64 << 20  # of bodies that wait in a lane
_OVERHEAD = 1_200  # bytes: what a request takes besides its body, measured in bytes of a batch's body
_KEPT = 0.95  # of what is known about the time for each byte, after one more request
_LONGEST_RETRY = 60  # seconds
_SOME = 2  # large requests that run at a time, or half as many as there are connections
_TOGETHER = 64  # batches at the writer of SQLite: those that run together, and those that are next


@dataclass(slots=True, eq=False)
class Slots:
    """So many requests run at a time, of all lanes that share them."""

    most: int
    running: int = 0


@dataclass(slots=True, eq=False)
class Lane:
    """The requests of one kind."""

    name: str
    slots: Slots
    most: int  # of its requests run at a time
    other: "Lane | None" = None  # that shares the slots
    queue: "deque[Ticket]" = field(default_factory=deque)  # some of them may have left
    waiting: int = 0  # of the queue, those that have not left
    parked: int = 0  # that wait for something else than a slot
    parked_bytes: int = 0
    coming: int = 0  # that were let in, and have not arrived yet
    coming_bytes: int = 0
    bytes: int = 0  # that those who wait are estimated at
    running: int = 0
    busy_since: float = 0.0  # since when somebody has been waiting without a break
    turns: float = 0.0  # seconds of slots that it was given, to take turns by
    per_byte: float = 0.0  # seconds that a slot is taken; 0 while nothing is known
    seconds: float = 0.0  # that the last requests have run, the older the less
    done: float = 0.0  # their bytes, likewise

    @property
    def has_slot(self) -> bool:
        """Return True if one more of its requests may run."""
        return self.running < self.most and self.slots.running < self.slots.most


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that was taken."""

    lane: Lane
    bytes: int
    arrived: float
    begin: Callable[[], bool]  # called when it is its turn; False if nobody waits for it any more
    begun: float | None = None
    is_parked: bool = False
    is_measured: bool = True  # whether the time that it runs says anything about the server
    has_left: bool = False


class Admission:
    """Takes requests, has them begin in order, and refuses them. Not thread-safe."""

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
        """Begin without requests. `target` and `timeout` are in seconds; `most` requests of a lane may wait, for a slot or a lock.

        `shared`: queries and batches use the same connections. Otherwise batches have a writer of their own, as on SQLite.
        """
        slots = Slots(connections)
        self.queries = Lane("queries", slots, connections)
        self.batches = Lane("batches", Slots(_TOGETHER), _TOGETHER)
        if shared:
            self.queries.most = max(1, connections - 1)  # the last is for the other
            self.batches = Lane("batches", slots, self.queries.most, other=self.queries)
            self.queries.other = self.batches
        some = max(_SOME, connections // 2)
        self.large = Lane("large_requests", Slots(some), some)
        self.held = 0
        """Requests that wait, for a slot or for something else. Nothing is refused while there are none."""
        self._longest = _SHARE * timeout
        self._target = min(target, self._longest)
        self._burst = min(_BURST * target, self._longest)
        self._most = most
        self._clock = clock

    def refuses(self, lane: Lane, size: int) -> int | None:
        """Return in how many seconds a request with so many bytes of body should be sent again; None if it is taken now."""
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
        """Count a request that is not refused, and arrives only when it has been parsed."""
        lane.coming += 1
        lane.coming_bytes += _OVERHEAD + size

    def expect_nobody(self) -> None:
        """Begin to count anew: those that were expected arrive now."""
        for lane in (self.queries, self.batches, self.large):
            lane.coming = lane.coming_bytes = 0

    def arrive(self, lane: Lane, size: int, begin: Callable[[], bool]) -> Ticket:
        """Take a request. If its `begun` is None, it waits until `begin` is called."""
        now = self._clock()
        ticket = Ticket(lane, _OVERHEAD + size, now, begin)
        if lane.waiting:
            pass
        elif lane.has_slot:
            self._start(ticket, now)
            return ticket
        else:
            lane.busy_since = now
            if lane.other is not None and lane.other.waiting:  # what it did not use before is no credit
                lane.turns = max(lane.turns, lane.other.turns)
        lane.queue.append(ticket)
        self.held += 1
        lane.waiting += 1
        lane.bytes += ticket.bytes
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """End a request, whether it has begun or not. Others begin in its place."""
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
        """Free the slot of a request that waits for something else than the server, such as a lock.

        When that is over it goes on without a slot: there are too few connections for many of them.
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
        """Estimate how long one more request would wait: not less than the first in the queue has waited already."""
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
        # Whoever waits has the ticket: a cycle would keep the whole request until garbage is collected.
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
        """Let the next of a lane begin, if it is still there."""
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
    """Begin for nobody."""
    return False


def _next(lane: Lane) -> Lane | None:
    """Choose whose turn it is, of the lanes that share a lane's slots."""
    other = lane.other
    own = lane if lane.waiting and lane.has_slot else None
    if other is None or not (other.waiting and other.has_slot):
        return own
    return other if own is None or other.turns < own.turns else own
