"""Results of a group of batches reach the event loop a few at a time (partwise/workers/deliveries.py)."""

import asyncio
import threading
from functools import partial

from partwise.workers.deliveries import AT_ONCE, Deliveries

MANY = 2 * AT_ONCE + AT_ONCE // 2


def test_a_few_results_are_handled_in_each_iteration_and_all_in_their_order():
    async def iterations() -> list[list[int]]:
        found: list[list[int]] = [[]]
        deliveries, loop = Deliveries(), asyncio.get_running_loop()

        def note(number: int) -> None:
            found[-1].append(number)

        def add_all() -> None:
            for number in range(MANY):
                deliveries.add(partial(note, number), loop)

        handle = threading.Thread(target=add_all)
        handle.start()
        handle.join()
        while sum(map(len, found)) < MANY:
            await asyncio.sleep(0)
            found.append([])
        return [each for each in found if each]

    assert asyncio.run(iterations()) == [[*range(AT_ONCE)], [*range(AT_ONCE, 2 * AT_ONCE)], [*range(2 * AT_ONCE, MANY)]]


def test_results_that_come_later_are_handled_too():
    async def run() -> list[int]:
        found: list[int] = []
        deliveries, loop = Deliveries(), asyncio.get_running_loop()
        for n in range(3):
            await asyncio.to_thread(deliveries.add, partial(found.append, n), loop)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    assert asyncio.run(run()) == [0, 1, 2]


def test_results_for_an_event_loop_that_is_closed_are_dropped():
    loop = asyncio.new_event_loop()
    loop.close()

    Deliveries().add(lambda: None, loop)
