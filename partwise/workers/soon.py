"""Calls a function once per iteration of the event loop, however often the call is requested."""

import asyncio
from collections.abc import Callable


class Soon:
    """A function that is called once, after the pending callbacks and tasks have run. For use in the event loop."""

    __slots__ = ("_act", "_is_due")

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._is_due = False

    def __call__(self) -> None:
        """Schedule the call, unless it is scheduled already."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._is_due = False
        self._act()
