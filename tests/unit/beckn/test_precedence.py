"""While messages come in, few go on with the work; otherwise all."""

from __future__ import annotations

import threading
import time

import pytest

from beckn import precedence
from beckn.precedence import Arrivals, Deference
from tests.waiting import eventually


class Pool:
    """Threads that each do one piece of work, which lasts until they are let go."""

    def __init__(self, deference: Deference, count: int) -> None:
        self.working = 0
        self._go = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(deference,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self, deference: Deference) -> None:
        with deference.turn():
            with self._lock:
                self.working += 1
            self._go.wait()
        with self._lock:
            self.working -= 1

    def end(self) -> None:
        self._go.set()
        for thread in self._threads:
            thread.join()


def test_all_work_when_nothing_comes_in() -> None:
    pool = Pool(Deference(Arrivals()), 4)
    eventually(lambda: pool.working == 4)
    pool.end()


@pytest.mark.parametrize("most", [1, 2])
def test_few_work_while_messages_come_in_and_all_when_no_more_do(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(precedence, "PATIENCE_S", 30.0)
    monkeypatch.setattr(precedence, "BUSY_S", 30.0)
    arrivals = Arrivals()
    arrivals.came()
    pool = Pool(Deference(arrivals, most), 4)
    eventually(lambda: pool.working == most)
    time.sleep(0.05)
    assert pool.working == most
    pool.end()


def test_each_goes_on_when_the_one_before_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "PATIENCE_S", 30.0)
    monkeypatch.setattr(precedence, "BUSY_S", 30.0)
    arrivals, done = Arrivals(), list[int]()
    arrivals.came()
    deference = Deference(arrivals)

    def work(number: int) -> None:
        with deference.turn():
            done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)
    assert sorted(done) == list(range(8))


def test_nobody_waits_longer_than_patience_for_work_that_waits_for_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precedence, "PATIENCE_S", 0.05)
    monkeypatch.setattr(precedence, "BUSY_S", 30.0)
    arrivals = Arrivals()
    arrivals.came()
    pool = Pool(Deference(arrivals), 3)
    eventually(lambda: pool.working == 3)
    pool.end()
