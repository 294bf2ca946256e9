"""The forecasts that ``benchmarks.signals`` compares: plain baselines, a plain ridge, and Slackwater's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from benchmarks.signals_data import DAYS_AHEAD, Case, Issue
from core.halfhours import wall_index
from core.series import FloatArray, IntArray
from core.slots import SLOTS_PER_DAY
from forecasting.baselines import day_naive, seasonal_naive, slot_mean
from forecasting.blocks import Blocks, blocks_of
from forecasting.forecaster import Fitted, fit
from forecasting.history import History

YEAR_DAYS, TWO_YEARS_DAYS = 365 + 28, 2 * 365 + 28
REFIT_EVERY_ISSUES = 7
PLAIN_RIDGE = 30.0

Forecast = tuple[FloatArray, FloatArray | None, FloatArray | None]
"""Figures from the first unknown slot on, and both ends of their interval where the model gives one."""
Informed = Callable[[History, Issue], History]
"""Adds what else was known at the issue."""


class Model(Protocol):
    """Forecasts the slots of one issue after another, in order of time."""

    name: str

    def forecast(self, case: Case, number: int, slots: int) -> Forecast:
        """The ``slots`` from the first that issue ``number`` of ``case`` does not know."""
        ...


def _on_slots(daily: list[FloatArray], history: History, slots: int) -> FloatArray:
    """Days of 48 local half-hours laid out on UTC slots."""
    wall = wall_index(np.arange(history.end, history.end + slots, dtype=np.int64), history.timezone)
    figures = np.concatenate(daily)
    return np.asarray(figures[np.clip(wall - wall[0], 0, figures.size - 1)])


@dataclass
class Baseline:
    """A figure of the past, or a mean of some."""

    name: str
    day: Callable[[Blocks, int], FloatArray]

    def forecast(self, case: Case, number: int, slots: int) -> Forecast:
        history = case.history(case.issues[number], 56)
        blocks = blocks_of(history)
        daily = [self.day(blocks, lead) for lead in range(1, DAYS_AHEAD + 1)]
        return _on_slots(daily, history, slots), None, None


def _last(blocks: Blocks) -> IntArray:
    return np.array([blocks.count - 1])


def baselines() -> tuple[Baseline, ...]:
    """Same half-hour a week and a day before, and its mean over seven days."""
    return (
        Baseline("seasonal naive, a week before", lambda blocks, lead: seasonal_naive(blocks, _last(blocks), lead)[0]),
        Baseline("naive, a day before", lambda blocks, _: day_naive(blocks, _last(blocks))[0]),
        Baseline("7-day slot mean", lambda blocks, _: slot_mean(blocks, _last(blocks))[0]),
    )


def _plain_columns(blocks: Blocks, origins: IntArray, lead: int) -> FloatArray:
    """Lags of a day, two days and a week, and the kind of day; (origins, 48, p)."""
    target, day, holiday = blocks.target, blocks.weekday[origins + lead], blocks.holiday[origins + lead]
    lags = [target.normal(rows, origins) for rows in (origins, origins - 1, origins + lead - 7)]
    marks = [day == 5, (day == 6) | holiday, day == 0, day == 4, holiday, day >= 0]
    return np.stack([*lags, *(mark.astype(np.float64) for mark in marks)], axis=-1)


@dataclass
class PlainRidge:
    """Ridge by half-hour on asinh-transformed lags and calendar, by least squares: the bar to clear."""

    name: str
    window_days: int
    coefficients: dict[int, FloatArray] = field(default_factory=dict)

    def forecast(self, case: Case, number: int, slots: int) -> Forecast:
        history = case.history(case.issues[number], self.window_days)
        if number % REFIT_EVERY_ISSUES == 0:
            self._fit(blocks_of(history))
        blocks = blocks_of(history.last(56))
        daily = [self._day(blocks, lead) for lead in range(1, DAYS_AHEAD + 1)]
        figures = _on_slots(daily, history, slots)
        return figures if case.floor is None else np.maximum(figures, case.floor), None, None

    def _fit(self, blocks: Blocks) -> None:
        order = np.argsort(blocks.half_hour)
        for lead in range(1, DAYS_AHEAD + 1):
            origins = np.arange(6, blocks.count - lead)
            columns = np.swapaxes(_plain_columns(blocks, origins, lead), 0, 1)[order]
            values = blocks.target.normal(origins + lead, origins).T[order]
            weighted = np.swapaxes(columns, 1, 2) * blocks.target.known[origins + lead].T[order][:, None, :]
            gram = weighted @ columns + PLAIN_RIDGE * np.diag([1.0] * (columns.shape[2] - 1) + [0.0])
            self.coefficients[lead] = np.asarray(np.linalg.solve(gram, weighted @ values[:, :, None])[:, :, 0])

    def _day(self, blocks: Blocks, lead: int) -> FloatArray:
        origin = _last(blocks)
        by_column = self.coefficients[lead][blocks.half_hour]
        normal = np.einsum("hp,hp->h", _plain_columns(blocks, origin, lead)[0], by_column)
        return np.asarray(blocks.target.original(normal[None], origin)[0])


@dataclass
class Own:
    """Slackwater's forecaster, learnt anew every seventh issue.

    What ``informed`` adds to the history itself is passed on as it stands, without an interval.

    :ivar fit_s: CPU seconds of each fit, of all threads together.
    """

    name: str
    window_days: int
    informed: Informed
    fit_s: list[float] = field(default_factory=list)
    fitted: Fitted | None = None

    def forecast(self, case: Case, number: int, slots: int) -> Forecast:
        issue = case.issues[number]
        history = self.informed(case.history(issue, self.window_days), issue)
        if self.fitted is None or number % REFIT_EVERY_ISSUES == 0:
            started = time.process_time()
            self.fitted = fit(history, case.origins_per_day)
            self.fit_s.append(time.process_time() - started)
        found = self.fitted.predict(history, slots)
        told = history.values[history.values.size - (history.end - issue.known_until) :]
        nothing = np.full(told.size, np.nan)
        parts = ((told, found.mean), (nothing, found.low), (nothing, found.high))
        mean, low, high = (np.concatenate(part)[:slots] for part in parts)
        return mean, low, high


@dataclass
class Published:
    """A published forecast as far as it goes, as it stands."""

    name: str
    figures: Callable[[Issue], FloatArray]

    def forecast(self, case: Case, number: int, slots: int) -> Forecast:
        issue = case.issues[number]
        found = np.full(slots, np.nan)
        published = self.figures(issue)[:slots]
        found[: published.size] = published
        whole = published.size // SLOTS_PER_DAY * SLOTS_PER_DAY
        found[whole:] = np.nan
        return found, None, None
