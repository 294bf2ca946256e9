"""Work of several threads that is done together."""

from __future__ import annotations

import threading

import pytest

from audit.group_commit import GroupCommit
from tests.waiting import eventually

PATIENCE_S = 10


class Desk:
    """Calls wait until they are let go; ``done`` are the calls made, ``back`` the work whose threads returned."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.group = GroupCommit(self.lock, self.commit)
        self.done: list[list[str]] = []
        self.back: list[str] = []
        self.errors: list[str] = []
        self.allowed = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def commit(self, works: list[str]) -> None:
        self.done.append(works)
        assert self.allowed.acquire(timeout=PATIENCE_S)
        if "bad" in works:
            raise ValueError("bad work")

    def bring(self, work: str) -> None:
        """A thread brings ``work``; back once it stands in the queue or is being done."""

        def run() -> None:
            try:
                self.group.do(work)
            except ValueError:
                self.errors.append(work)
            self.back.append(work)

        before = len(self.group) + sum(map(len, self.done))
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()
        eventually(lambda: len(self.group) + sum(map(len, self.done)) > before, within_s=PATIENCE_S)

    def finish(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_comes_during_a_call_is_done_by_the_next_in_order_of_arrival(desk: Desk) -> None:
    for work in ("a", "b", "c", "d"):
        desk.bring(work)
    desk.allowed.release(2)
    desk.finish()
    assert desk.done == [["a"], ["b", "c", "d"]]
    assert sorted(desk.back) == ["a", "b", "c", "d"]


def test_a_thread_whose_work_was_done_is_back_while_the_next_call_is_under_way(desk: Desk) -> None:
    for work in ("a", "b", "c"):
        desk.bring(work)
    desk.allowed.release()
    eventually(lambda: len(desk.done) == 2, within_s=PATIENCE_S)
    desk.bring("d")
    desk.allowed.release()
    eventually(lambda: len(desk.done) == 3, within_s=PATIENCE_S)
    eventually(lambda: sorted(desk.back) == ["a", "b", "c"], within_s=PATIENCE_S)
    desk.allowed.release()
    desk.finish()


def test_an_error_is_raised_in_one_thread_of_the_call_and_later_work_is_done(desk: Desk) -> None:
    for work in ("a", "bad", "c"):
        desk.bring(work)
    desk.allowed.release()
    eventually(lambda: len(desk.done) == 2, within_s=PATIENCE_S)
    desk.bring("d")
    desk.allowed.release(2)
    desk.finish()
    assert desk.done == [["a"], ["bad", "c"], ["d"]]
    assert desk.errors == ["bad"]


def test_no_call_is_made_while_the_lock_is_held_and_what_came_meanwhile_belongs_to_it(desk: Desk) -> None:
    with desk.lock:
        for work in ("a", "b"):
            desk.bring(work)
        assert desk.done == []
    desk.allowed.release()
    desk.finish()
    assert desk.done == [["a", "b"]]
