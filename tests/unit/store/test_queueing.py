"""Writers come in one after the other, the urgent ones first."""

from __future__ import annotations

import threading
from functools import partial

from store.queueing import Queue
from tests.waiting import eventually


def test_urgent_writers_go_first_and_the_others_in_the_order_in_which_they_came() -> None:
    queue, came, threads = Queue(), list[str](), list[threading.Thread]()

    def write(name: str, urgent: bool) -> None:
        with queue.turn(urgent=urgent):
            came.append(name)

    def waits(count: int) -> bool:
        return sum(map(len, queue._waiting)) == count

    with queue.turn():
        for number, (name, urgent) in enumerate([("a", False), ("b", False), ("c", True), ("d", True)]):
            threads.append(threading.Thread(target=write, args=(name, urgent)))
            threads[-1].start()
            eventually(partial(waits, number + 1))
        assert came == []
    for thread in threads:
        thread.join()
    assert came == ["c", "d", "a", "b"]


def test_one_is_in_at_a_time_and_a_failure_lets_the_next_in() -> None:
    queue, inside, most = Queue(), [0], [0]

    def write() -> None:
        for _ in range(200):
            try:
                with queue.turn():
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1
                    raise ValueError
            except ValueError:
                pass

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert most == [1]
