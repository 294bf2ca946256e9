"""Who works on the shards: this thread, or any ``concurrent.futures.Executor`` (threads, processes, a Dask cluster).

Work is handed out as plain functions of plain arrays, and answers are taken in the order of the shards, so that the
same plan comes out whoever did it. The compiled code lets go of the interpreter's lock: threads are the quickest way to
use the cores of one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np

from agents.job.orders import Board, Courses, Orders
from core.market import NOWHERE
from core.series import FloatArray, IntArray

Result = TypeVar("Result")
Turn = tuple[Orders, IntArray, FloatArray, Board, Courses]
"""A shard's jobs, the order of their turns, what each may cost (J,), its board, and what they do now."""


class Crew:
    """Works on shards, in this thread where there is no executor."""

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor

    def answers(self, shards: Sequence[Orders], board: Board, keep: bool) -> list[tuple[FloatArray, Courses]]:
        """Every shard's least charges, and its courses where they are to be kept."""
        return self._all(best_of, [(orders, board, keep) for orders in shards])

    def turns(self, shards: Sequence[Turn]) -> list[Courses]:
        """Every shard's courses after a turn of each of its jobs."""
        return self._all(turns_of, shards)

    def ordered(self, shards: Sequence[Orders], board: Board) -> list[Orders]:
        """Every shard's orders, places in order of what a job is charged there at least; the board has no prices."""
        return self._all(ordered_of, [(orders, board) for orders in shards])

    def _all(self, work: Callable[..., Result], parcels: Sequence[tuple[object, ...]]) -> list[Result]:
        if self._executor is None or len(parcels) == 1:
            return [work(*parcel) for parcel in parcels]
        return [future.result() for future in [self._executor.submit(work, *parcel) for parcel in parcels]]


def ordered_of(orders: Orders, board: Board) -> Orders:
    """Changes and returns ``orders``."""
    from agents.job.kernels.turns import know_places  # brings the compiler, which only negotiations need

    know_places(orders, board, _nothing(board, 0))
    return orders


def _nothing(board: Board, jobs: int) -> Courses:
    """Room for courses of so many jobs, with sums of nought."""
    slots = board.pue.shape[1]
    none = (np.zeros(board.pue.shape), np.zeros(board.hardware_room.shape), np.zeros(board.carbon_room.shape))
    return Courses(np.full(jobs, NOWHERE, dtype=np.int64), np.zeros((jobs, slots), np.int8), np.zeros(jobs), *none)


def best_of(orders: Orders, board: Board, keep: bool) -> tuple[FloatArray, Courses]:
    """The best answer of every job at the board's prices: proven least charges (J,), courses where kept."""
    from agents.job.kernels.turns import best_answers  # brings the compiler, which only negotiations need

    jobs = len(orders.row)
    floor, asked = np.full(jobs, np.inf), np.full(jobs, keep)
    courses = _nothing(board, jobs if keep else 0)
    best_answers(orders, board, courses, asked, courses, floor)
    return floor, courses


def turns_of(orders: Orders, jobs: IntArray, most_gbp: FloatArray, board: Board, courses: Courses) -> Courses:
    """A turn for each of ``jobs`` in order; changes and returns ``courses``."""
    from agents.job.kernels.turns import take_turns  # brings the compiler, which only negotiations need

    take_turns(orders, jobs, most_gbp, board, courses)
    return courses
