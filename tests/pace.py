"""Processor time in seconds of one fixed machine, so that a bound says the same on a slow machine as on a quick one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

STANDARD_S = 0.016
"""Processor time of :func:`_standard_work` on the machine on which the bounds of these tests were set."""


def paced_s(work: Callable[[], object], tries: int = 5) -> float:
    """Least processor time of ``work`` over some tries, as the fixed machine would have taken.

    Before each try a standard piece of work is timed on the same thread; the ratio of the two least times is what a
    test may rely on, because other work on the machine slows both. Both run without the tracer that measures coverage:
    it slows Python two or three times, and compiled code not at all.
    """
    standard, took = [], []
    for _ in range(tries):
        standard.append(_spent_s(_standard_work))
        took.append(_spent_s(work))
    return min(took) / min(standard) * STANDARD_S


def _spent_s(work: Callable[[], object]) -> float:
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        sys.settrace(tracer)


def _standard_work() -> None:
    """Half interpreter, half linear algebra."""
    sum(number * number for number in range(250_000))
    matrix = np.random.default_rng(1).normal(size=(300, 300))
    for _ in range(12):
        matrix = matrix @ matrix.T / 300
