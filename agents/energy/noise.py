"""Noise that is a function of (seed, name, slot): the same instant gives the same number whatever else is asked.

Counters are hashed with SplitMix64 (Steele, Lea and Flood, 2014) instead of drawn from a stream, so that any window can
be computed alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from core.series import FloatArray, IntArray

MEMORY_SLOTS = 320
"""Terms kept of an AR(1) process's infinite sum: 0.97 ** 320 is 6e-5."""


def key_of(seed: int, *names: str) -> int:
    """A 64-bit key for one stream of noise."""
    digest = hashlib.blake2b("\x1f".join((str(seed), *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _mixed(key: int, index: IntArray) -> NDArray[np.uint64]:
    x = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def uniform(key: int, index: IntArray) -> FloatArray:
    """Uniform on (0, 1), independent by index."""
    return np.asarray(((_mixed(key, index) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def normal(key: int, index: IntArray) -> FloatArray:
    """Standard normal, independent by index (Box and Muller)."""
    radius = np.sqrt(-2 * np.log(uniform(key, index)))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(key ^ 0xA5A5A5A5A5A5A5A5, index)))


def smooth(key: int, index: IntArray, period_slots: int) -> FloatArray:
    """Noise of unit variance that changes over about ``period_slots``: hashed knots, interpolated smoothly."""
    knot, offset = np.divmod(index, period_slots)
    share = offset / period_slots
    weight = share * share * (3 - 2 * share)
    left, right = normal(key, knot), normal(key, knot + 1)
    spread = np.sqrt((1 - weight) ** 2 + weight**2)
    return np.asarray(((1 - weight) * left + weight * right) / spread)


def autoregressive(key: int, index: IntArray, phi: float) -> FloatArray:
    """A stationary AR(1) process of unit variance with coefficient ``phi`` a slot, over consecutive indexes."""
    start = int(index[0]) - MEMORY_SLOTS
    shocks = normal(key, np.arange(start, int(index[-1]) + 1, dtype=np.int64))
    kernel = np.sqrt(1 - phi**2) * phi ** np.arange(MEMORY_SLOTS + 1)
    return np.convolve(shocks, kernel, mode="valid")


def forecast_error(process: FloatArray, lead: IntArray, at_issue: FloatArray | float, phi: float) -> FloatArray:
    """The error of a forecast that knows an AR(1) process up to its issue and lets it decay from there.

    :param process: (n,) the process at the slots forecast.
    :param lead: (n,) slots from the issue slot to each slot; no error where it is zero or less.
    :param at_issue: the process at the issue slot.

    Neighbouring slots err alike, errors grow with lead to those of the process itself, and a later issue revises an
    earlier one smoothly, as forecasts do.
    """
    return np.where(lead > 0, process - phi ** np.maximum(lead, 0) * at_issue, 0.0)
