"""Deterministic draws for the simulators: the same seed, names and instants always give the same figures."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from core.series import FloatArray
from core.slots import SLOT, require_aware

_WAVES = 7


def _digest(*names: object) -> bytes:
    return hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()


def generator(*names: object) -> np.random.Generator:
    """A generator that depends on ``names`` alone."""
    return np.random.default_rng(int.from_bytes(_digest(*names)[:16], "big"))


def standard_normal(*names: object) -> float:
    """One draw of N(0, 1) that depends on ``names`` alone; never beyond 8.3 standard deviations."""
    uniform = (int.from_bytes(_digest(*names)[:8], "big") + 0.5) / 2.0**64
    return NormalDist().inv_cdf(min(max(uniform, 1e-16), 1 - 1e-16))


def slot_seconds(start: datetime, slots: int) -> FloatArray:
    """Unix seconds of the middle of each of ``slots`` slots from ``start``, shape (T,)."""
    middle = require_aware(start) + SLOT / 2
    return middle.timestamp() + SLOT.total_seconds() * np.arange(slots, dtype=np.float64)


@lru_cache(maxsize=4096)
def _waves(shortest_s: float, longest_s: float, names: tuple[object, ...]) -> tuple[FloatArray, FloatArray]:
    """Angular speeds (rad/s) and phases of the waves that belong to ``names``."""
    rng = generator(*names)
    periods = np.exp(rng.uniform(np.log(shortest_s), np.log(longest_s), _WAVES))
    return 2 * np.pi / periods, rng.uniform(0, 2 * np.pi, _WAVES)


def wandering(seconds: FloatArray, shortest_s: float, longest_s: float, *names: object) -> FloatArray:
    """A smooth irregular signal of mean 0 and standard deviation 1 at Unix ``seconds``, shape (T,).

    A sum of seven sine waves with periods between ``shortest_s`` and ``longest_s``: a function of the instant, so
    that overlapping windows agree.
    """
    speeds, phases = _waves(shortest_s, longest_s, names)
    angles = np.multiply.outer(speeds, seconds) + phases[:, np.newaxis]
    return np.asarray(np.sin(angles).sum(axis=0) * np.sqrt(2 / _WAVES), dtype=np.float64)
