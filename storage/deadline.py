"""The deadline of a request, and the claim that decides whether its batch is run or withdrawn."""

import threading
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on the clock of `time.perf_counter`.

    Each wait of a request may last for the time that is left until then.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline that is this many seconds from now."""
        return cls(perf_counter() + seconds)

    def left(self) -> float:
        """Return the seconds that are left, or 0 if the deadline has passed."""
        return max(0.0, self.at - perf_counter())

    @property
    def has_passed(self) -> bool:
        """True if no time is left."""
        return perf_counter() >= self.at


_deciding = threading.Lock()  # one lock for all claims: each decision takes well below a microsecond


class Claim:
    """The decision, made once, whether a batch is run or withdrawn.

    The thread that runs the batch and the event loop that responds to its client compete for it.

    A withdrawn batch is never written, so the client can be told that nothing was written. A batch that has begun runs
    to its end.
    """

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = 0  # 1: begun, -1: withdrawn

    def begin(self) -> bool:
        """Claim the batch for running until `release`. Return False if it was withdrawn."""
        with _deciding:
            if self._state >= 0:
                self._state = 1
            return self._state > 0

    def withdraw(self) -> bool:
        """Withdraw the batch permanently. Return False if it has begun."""
        with _deciding:
            if self._state <= 0:
                self._state = -1
            return self._state < 0

    def release(self) -> None:
        """Allow withdrawal again, because the run was rolled back."""
        with _deciding:
            self._state = min(self._state, 0)

    @property
    def is_withdrawn(self) -> bool:
        """True if the batch was withdrawn."""
        return self._state < 0
