"""Runs large requests in threads of their own, so that the event loop can serve others meanwhile.

Such a request is decoded, validated and planned in its thread, and its response is encoded there. Only the database is
accessed from the event loop, as for any other request.
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

LARGE = 256 << 10  # bytes of a body; up to this size, the work before the database is accessed takes about 10 ms
_AT_A_TIME = 2  # requests that compute; others wait. Each computing thread may delay the event loop by 5 ms
_A_DAY = 86_400.0  # seconds: a committed request gets its response, however late
_MOST_THREADS = 1_000  # requests that wait for the database occupy one, too; their number is limited elsewhere

T = TypeVar("T")


class LargeRequests:
    """The large requests of a server process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="partwise-large")
        self._turns = Slots(_AT_A_TIME)

    async def __call__(self, context: RequestContext, answer: Callable[[RequestContext], Awaitable[T]]) -> T:
        """Run a request whose body has more than `LARGE` bytes in a thread. Raises what `answer` raises.

        Raises `TimedOut` if its turn does not come by its deadline. `answer` should not raise for common errors,
        because an exception keeps all local variables of its frames alive.
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
                # It was rejected, or fell back to graphql-core. Its objects may take hundreds of megabytes and are kept
                # alive by cycles (of exceptions with their frames, of Strawberry's context). Few others are as young.
                gc.collect(1)
            return answered

        await self._turns.acquire(Call(context.deadline or Deadline.after(_A_DAY)))
        try:
            return await run_in(self._threads, run_there)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Shut down the threads, without waiting for them."""
        self._threads.shutdown(wait=False)

    def _from_thread(self, ask: Callable[..., Awaitable[Any]], loop: asyncio.AbstractEventLoop) -> Any:
        """Return a function that runs `ask` in the server's event loop and can be awaited in that of a thread."""

        async def ask_there(*arguments: Any) -> Any:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._ask(ask, arguments), loop))

        return ask_there

    async def _ask(self, ask: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        """Await a database access; meanwhile, other large requests may compute."""
        self._turns.release()
        try:
            return await ask(*arguments)
        finally:
            await self._turns.acquire(Call(Deadline.after(_A_DAY)), first=True)
