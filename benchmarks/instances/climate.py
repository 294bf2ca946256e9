"""Synthetic figures of grids: drawn by seed, of the right size and shape, and saying nothing about any real grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from core.series import FloatArray
from core.slots import SLOTS_PER_DAY


class Climate(NamedTuple):
    """How a kind of grid behaves: means over the day, and how far wind and sun move them."""

    region: str
    hours_ahead_of_utc: float
    price_gbp_per_kwh: float
    carbon_g_per_kwh: float
    swing: float
    pue: float


CLIMATES = (
    Climate("IS", 0, 0.05, 28, 0.05, 1.06),
    Climate("NO-NO2", 1, 0.09, 30, 0.25, 1.07),
    Climate("CA-ON", -5, 0.07, 60, 0.30, 1.12),
    Climate("IE", 0, 0.14, 320, 0.45, 1.12),
    Climate("DE-LU", 1, 0.11, 380, 0.50, 1.15),
    Climate("CL-SIC", -4, 0.08, 250, 0.60, 1.20),
    Climate("JP-TK", 9, 0.13, 460, 0.25, 1.25),
    Climate("AU-NSW", 10, 0.08, 560, 0.60, 1.25),
    Climate("US-TEX-ERCO", -6, 0.05, 390, 0.55, 1.30),
    Climate("SG", 8, 0.16, 470, 0.10, 1.40),
    Climate("GB-C", 0, 0.17, 190, 0.45, 1.14),
    Climate("GB-G", 0, 0.15, 130, 0.50, 1.13),
    Climate("GB-P", 0, 0.14, 70, 0.55, 1.11),
)


def drawn_figures(rng: Generator, climates: Sequence[Climate], slots: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Price, carbon and PUE, each (S, T): evening peaks, midday sun, common weather; some prices below zero."""
    column = np.array([c[1:] for c in climates], dtype=np.float64).T[:, :, None]
    _, mean_price, mean_carbon, swing, _ = column
    hour = local_hours(climates, slots)
    evening = np.exp(-((hour - 18.5) ** 2) / 8)
    midday = np.exp(-((hour - 12.5) ** 2) / 10)
    wind = _noise(rng, len(climates), slots)
    price = mean_price * (1 + 0.9 * evening - swing * midday - 0.7 * swing * wind)
    carbon = mean_carbon * np.maximum(0.05, 1 + 0.3 * evening - swing * midday - 0.6 * swing * wind)
    return price, carbon, modelled_pue(climates, slots)


def local_hours(climates: Sequence[Climate], slots: int) -> FloatArray:
    """(S, T) hour of the local day, where slot 0 is midnight UTC."""
    ahead = np.array([climate.hours_ahead_of_utc for climate in climates])[:, None]
    return np.asarray((np.arange(slots) / SLOTS_PER_DAY * 24 + ahead) % 24)


def modelled_pue(climates: Sequence[Climate], slots: int) -> FloatArray:
    """(S, T) PUE: highest in the local afternoon."""
    mean_pue = np.array([climate.pue for climate in climates])[:, None]
    return np.maximum(1.02, mean_pue + 0.04 * np.sin((local_hours(climates, slots) - 9) / 24 * 2 * np.pi))


def _noise(rng: Generator, sites: int, slots: int, persistence: float = 0.95) -> FloatArray:
    """(S, T) autocorrelated standard-normal noise, half of it common to all sites: weather is shared."""
    shocks = (rng.standard_normal((sites, slots)) + rng.standard_normal((1, slots))) / np.sqrt(2)
    shocks *= np.sqrt(1 - persistence**2)
    weights = persistence ** np.arange(slots)
    return np.stack([np.convolve(row, weights)[:slots] for row in shocks])
