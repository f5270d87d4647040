"""Answers large requests in threads of their own, so that the event loop serves others meanwhile.

Everything of such a request happens there: it is decoded, checked, planned, and its answer is written. Only the database
is asked from the event loop, as for any other request.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from partwise.workers.threads import Call, Slots, run_in
from resolvers.execution.context import RequestContext
from storage.deadline import Deadline

LARGE = 256 << 10  # bytes of a body: up to here, all that is done with it before the database is asked takes some 10 ms
_AT_A_TIME = 2  # that compute; others wait. Each thread that computes may keep the event loop waiting for 5 ms
_A_DAY = 86_400.0  # seconds: what was written is answered, however late
_MOST_THREADS = 1_000  # those that wait for the database hold one, too: how many there are is bounded elsewhere

T = TypeVar("T")


class LargeRequests:
    """The large requests of a server process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="partwise-large")
        self._turns = Slots(_AT_A_TIME)

    async def __call__(self, context: RequestContext, answer: Callable[[RequestContext], Awaitable[T]]) -> T:
        """Answer a request whose body has more than `LARGE` bytes, in a thread. Raises what `answer` raises.

        Raises `TimedOut` if its turn does not come by its deadline. `answer` should raise nothing that is usual: an exception holds all that was at hand when it was raised.
        """
        loop = asyncio.get_running_loop()

        def park() -> None:
            loop.call_soon_threadsafe(context.park)

        there = replace(
            context,
            read=self._from_thread(context.read, loop),
            write=self._from_thread(context.write, loop),
            park=park,
        )

        async def run() -> T:
            return await answer(there)

        def run_there() -> T:
            answered = asyncio.run(run())
            if there.kept is None:
                # It was rejected, or went the ordinary way: what has become of it may be hundreds of megabytes, held by cycles
                # (of exceptions with their frames, of Strawberry's context). Few others are as young.
                gc.collect(1)
            return answered

        await self._turns.take(Call(context.deadline or Deadline.after(_A_DAY)))
        try:
            return await run_in(self._threads, run_there)
        finally:
            self._turns.give_back()

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    def _from_thread(self, ask: Callable[..., Awaitable[Any]], loop: asyncio.AbstractEventLoop) -> Any:
        """Ask the database from the event loop of a thread: by way of that of the server."""

        async def ask_there(*arguments: Any) -> Any:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._ask(ask, arguments), loop))

        return ask_there

    async def _ask(self, ask: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        """Let others compute while the database works."""
        self._turns.give_back()
        try:
            return await ask(*arguments)
        finally:
            await self._turns.take(Call(Deadline.after(_A_DAY)), first=True)
