"""What the regression sees of a history at one origin, for the half-hours of one day of lead.

All figures are in the units of :meth:`forecasting.blocks.Target.normal` at the origin, so that a quiet year and a
crisis teach the same coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.series import FloatArray, IntArray
from core.slots import SLOTS_PER_DAY
from forecasting.blocks import Blocks, Target

WEEK = 7
LONGEST_LAG_DAYS = 28
CORE_COLUMNS = 14
"""How many of the columns, the first, are the core."""
RECENT_SLOTS = 6
"""Slots whose mean says where the series has just been."""
RECENT_DECAY_SLOTS = 12.0
"""Lead over which the last few slots lose two thirds of their say."""
NEXT_HOUR_SLOTS = 2
SATURDAY, SUNDAY, MONDAY, FRIDAY = 5, 6, 0, 4

LEADS: tuple[tuple[int, ...], ...] = ((1,), (2,), (3, 4), (5, 6, 7))
"""Days of lead that share their coefficients."""
Ahead = Mapping[str, int]
"""By name of covariate, for how many blocks after the last known block of the target it is known."""


Columns = list[FloatArray]
"""Regressors, each (origins, 48)."""


def _spread(daily: FloatArray) -> FloatArray:
    """One figure a day for all its half-hours."""
    return np.repeat(daily[:, None], SLOTS_PER_DAY, axis=1)


def _past(target: Target, origins: IntArray, lead: int) -> tuple[FloatArray, Columns, Columns]:
    """Mean of the last seven days, then the columns of the core and the others; (origins, 48) each."""
    days = np.stack([target.normal(origins - lag, origins) for lag in range(WEEK)])
    weeks = np.stack([target.normal(origins + lead - WEEK * k, origins) for k in range(1, 5)])
    month = target.normal_of(target.mean_over(LONGEST_LAG_DAYS)[origins], origins)
    week_mean, today = days.mean(axis=0), days[0]
    core = [
        today - week_mean,
        weeks[0] - week_mean,
        weeks.mean(axis=0) - week_mean,
        month - week_mean,
        week_mean,
        _spread(week_mean.mean(axis=1)),
        _spread(today.mean(axis=1)),
        _spread(weeks[0].mean(axis=1)),
    ]
    recent = today[:, -RECENT_SLOTS:].mean(axis=1) - week_mean[:, -RECENT_SLOTS:].mean(axis=1)
    decay = np.exp(-(np.arange(SLOTS_PER_DAY) + SLOTS_PER_DAY * (lead - 1)) / RECENT_DECAY_SLOTS)
    others = [
        days[1] - week_mean,
        days[2] - week_mean,
        weeks[1] - week_mean,
        _spread(today.min(axis=1)),
        _spread(today.max(axis=1)),
        _spread(recent),
        recent[:, None] * decay,
    ]
    return week_mean, core, others


def _calendar(blocks: Blocks, rows: IntArray) -> Columns:
    day, holiday = blocks.weekday[rows], blocks.holiday[rows]
    sunday = (day == SUNDAY) | holiday
    marks = (day == SATURDAY, sunday, (day == MONDAY) & ~holiday, (day == FRIDAY) & ~holiday, holiday)
    return [mark.astype(np.float64) for mark in marks]


def group_of(lead: int) -> int:
    """Which of ``LEADS`` a day of lead belongs to."""
    return next(number for number, leads in enumerate(LEADS) if lead in leads)


def _covariate(other: Target, origins: IntArray, lead: int, ahead: int) -> Columns:
    """A covariate on the day itself where that is known for all leads of its group, else on its last known day."""
    today = other.normal(origins, origins)
    last = other.normal(origins + min(lead, ahead), origins)
    if LEADS[group_of(lead)][-1] > ahead:
        week_ago = other.normal(origins + lead - WEEK, origins)
        return [last, _spread(last.mean(axis=1)), week_ago]
    hour_on = np.minimum(np.arange(SLOTS_PER_DAY) + NEXT_HOUR_SLOTS, SLOTS_PER_DAY - 1)
    return [last, last[:, hour_on], today, _spread(last.mean(axis=1))]


def past_columns(blocks: Blocks, origins: IntArray, lead: int) -> tuple[FloatArray, Columns]:
    """Base and regressors at ``origins`` (ascending block numbers) for the block ``lead`` days later.

    The base, (origins, 48), is what is forecast where all coefficients are zero: the mean of the last seven days. First
    come the ``CORE_COLUMNS`` (a constant, levels, profiles, calendar), then finer lags. All are known at the origin.
    """
    base, core, others = _past(blocks.target, origins, lead)
    return base, [np.ones_like(base), *core, *_calendar(blocks, origins + lead), *others]


def covariate_columns(blocks: Blocks, origins: IntArray, lead: int, ahead: Ahead) -> Columns:
    """Regressors from the covariates, used no further beyond the origin than ``ahead`` says that they are known."""
    found = (_covariate(blocks.covariates[name], origins, lead, days) for name, days in ahead.items())
    return [column for columns in found for column in columns]


def outturn(blocks: Blocks, origins: IntArray, lead: int) -> tuple[FloatArray, FloatArray]:
    """What came ``lead`` days after ``origins`` in their units, and 1 where it is known, else 0; (origins, 48) each."""
    rows = origins + lead
    return blocks.target.normal(rows, origins), blocks.target.known[rows].astype(np.float64)
