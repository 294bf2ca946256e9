"""Made-up histories of which the tests know everything."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from core.halfhours import indexes, slot_index, wall_index
from core.series import FloatArray
from forecasting.history import History
from forecasting.wall_clock import weekday

START = datetime(2022, 1, 3, tzinfo=UTC)
"""A Monday."""


def shape_of_people(start: datetime, days: int, timezone: str = "Europe/London") -> FloatArray:
    """An evening peak by the local clock, lower at weekends, without any noise."""
    wall = wall_index(indexes(start, days * 48), timezone)
    hour = wall % 48 / 2
    return 20 + 10 * np.exp(-((hour - 18) ** 2) / 8) - 5 * (weekday(wall) >= 5)


def noisy(days: int, seed: int = 1, spread: float = 2.0, start: datetime = START) -> FloatArray:
    """The same with noise of which neighbouring slots share a part."""
    rng = np.random.default_rng(seed)
    daily = np.repeat(rng.normal(0, spread, days), 48)
    return shape_of_people(start, days) + daily + rng.normal(0, spread / 2, days * 48)


def history(
    values: FloatArray, start: datetime = START, floor: float | None = None, **covariates: FloatArray
) -> History:
    """A history in London from ``start`` on."""
    return History(slot_index(start), values, covariates, "Europe/London", floor)
