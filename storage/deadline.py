"""How long a request is waited for, and who may still call off what waits for it."""

import threading
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment, as `time.perf_counter` counts: each wait for a request gets what is left until then."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the moment in so many seconds."""
        return cls(perf_counter() + seconds)

    def left(self) -> float:
        """Return the seconds that are left; 0 if it has passed."""
        return max(0.0, self.at - perf_counter())

    @property
    def has_passed(self) -> bool:
        """Return True if nothing is left."""
        return perf_counter() >= self.at


_deciding = threading.Lock()  # one for all claims: each decision takes well below a microsecond


class Claim:
    """Decides once whether a batch is run or withdrawn, between the thread that runs it and the loop that answers its client.

    A batch that was withdrawn is never written, so its client may be told so. A batch that was begun runs to its end.
    """

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = 0  # 1: begun, -1: withdrawn

    def begin(self) -> bool:
        """Take it for running, until `release`; False if it was withdrawn."""
        with _deciding:
            if self._state >= 0:
                self._state = 1
            return self._state > 0

    def withdraw(self) -> bool:
        """Call it off for good; False if it has begun."""
        with _deciding:
            if self._state <= 0:
                self._state = -1
            return self._state < 0

    def release(self) -> None:
        """Let it be withdrawn again: what has been begun was rolled back."""
        with _deciding:
            self._state = min(self._state, 0)

    @property
    def is_withdrawn(self) -> bool:
        """Return True if it was called off."""
        return self._state < 0
