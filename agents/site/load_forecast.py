"""The own load that is coming: forecast from what the meters have read, and from nothing else.

Readings end with the slot under way. Later slots come from a model of each site, fitted to its last weeks and brought
up to date with every slot that ends. Models are fitted anew at fixed instants, ``retrain_hours`` apart since 1970, so
that a forecast depends on the readings and the present slot alone, and not on when the process began.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np

from agents.site.own_load import Meters
from core.clock import Clock
from core.halfhours import instant_of, slot_index
from core.score import Score
from core.series import FloatArray, Kind, KindArray, Series, Unit
from core.site import Site
from core.slots import SLOT_HOURS, SLOTS_PER_DAY
from core.threads import one_thread
from forecasting import forecaster
from forecasting.forecaster import Fitted
from forecasting.history import History

HISTORY_SLOTS = 98 * SLOTS_PER_DAY
"""Readings that a model is fitted to: fourteen weeks. From fewer its intervals come out wider than they need be."""
ORIGINS_PER_DAY = 2
"""Readings end at any hour of the day, so a model learns to forecast from more than one."""
AHEAD_SLOTS = 8 * SLOTS_PER_DAY
"""Slots forecast at once: the longest window of a job and the day before it begins."""
Fit = Callable[[History], Fitted]


def fit_load(history: History) -> Fitted:
    """A model of own load; the same readings are learnt from once, whoever asks."""
    return _learnt(history.first, history.values.tobytes(), history.timezone, history.floor)


@lru_cache(maxsize=64)
def _learnt(first: int, values: bytes, timezone: str, floor: float | None) -> Fitted:
    return forecaster.fit(History(first, np.frombuffer(values), {}, timezone, floor), ORIGINS_PER_DAY)


@dataclass(frozen=True, slots=True)
class OwnLoad:
    """Own load of S sites over T slots, in kW at the meter; all arrays have shape (S, T).

    :param low_kw: lower end of the interval of probability ``LEVEL``; the load itself where it has been read.
    :param high_kw: upper end, likewise.
    :param kind: codes of :class:`Kind`: what the meters' readings are, and FORECAST for coming slots, unless the
        readings are weaker: a forecast is not firmer than what it was made from.
    """

    mean_kw: FloatArray
    low_kw: FloatArray
    high_kw: FloatArray
    kind: KindArray


@dataclass(frozen=True, slots=True)
class _Model:
    """A fit to the summed readings of ``sites`` before the slot ``fitted_at``; None where they were all the same."""

    sites: tuple[Site, ...]
    fitted_at: int
    fitted: Fitted | None


@dataclass(frozen=True, slots=True)
class _Course:
    """The forecast for ``sites`` together from slot ``first`` on, made when ``first`` was the slot under way.

    ``figures`` has shape (3, n): mean, lower and upper end.
    """

    sites: tuple[Site, ...]
    first: int
    figures: FloatArray

    def answers(self, sites: tuple[Site, ...], present: int, end: int) -> bool:
        """Whether this is the newest forecast for these very sites, and reaches up to slot ``end``."""
        return self.first == present and end <= self.first + self.figures.shape[1] and self.sites == sites


class LoadForecaster:
    """Own load of sites in the past and to come. Safe to ask from many threads.

    :param meters: where readings come from; they are asked only for slots that have begun.
    :param retrain_hours: time after which a model is fitted anew.
    :param fit: makes a model out of a history.
    """

    def __init__(self, clock: Clock, meters: Meters, retrain_hours: float = 24.0, fit: Fit = fit_load) -> None:
        self._clock = clock
        self._meters = meters
        self._retrain_slots = max(1, round(retrain_hours / SLOT_HOURS))
        self._fit = fit
        self._making = threading.RLock()
        self._models: dict[tuple[str, ...], _Model] = {}
        self._courses: dict[tuple[str, ...], _Course] = {}

    def quote(self, sites: Sequence[Site], start: datetime, slots: int) -> OwnLoad:
        """Own load of each site in ``slots`` slots from slot start ``start``: read up to now, forecast beyond."""
        return self._load([(site,) for site in sites], slot_index(start), slots)

    def inference_demand(self, sites: Sequence[Site], start: datetime, slots: int) -> Mapping[str, Series]:
        """Demand for inference in kW at the meter by IANA time zone, with its interval.

        It is the own load of the sites with inference hardware, summed over each time zone: users there come and go
        together, and their requests are not Slackwater's to move. A sum has a model of its own, so that its interval
        holds for the sum.
        """
        groups = defaultdict[str, list[Site]](list)
        for site in sites:
            if site.hardware.asic_inference > 0:
                groups[site.timezone].append(site)
        now = self._clock.now()
        load = self._load([tuple(group) for group in groups.values()], slot_index(start), slots)
        source = f"own load of inference sites, {self._meters.kind.label} readings and a forecast from them"
        return {
            timezone: Series(
                start, load.mean_kw[i], load.kind[i], Unit.KW, source, now, low=load.low_kw[i], high=load.high_kw[i]
            )
            for i, timezone in enumerate(groups)
        }

    def scores(self, sites: Sequence[Site]) -> tuple[Score, ...]:
        """How well each site's present model did, by day ahead, on days before its fit that it had not seen.

        ``zone`` of a score is the site's id. A site whose load never changes has none.
        """
        present = slot_index(self._clock.now())
        return tuple(score for site in sites for score in self._scores_of(site, present))

    def _load(self, groups: Sequence[tuple[Site, ...]], first: int, slots: int) -> OwnLoad:
        """Own load of each group of sites as a whole; rows in the order of ``groups``."""
        present = slot_index(self._clock.now())
        seen = min(max(present + 1 - first, 0), slots)
        figures = np.empty((3, len(groups), slots))
        if seen:
            figures[:, :, :seen] = self._readings(groups, first, seen)
        if seen < slots:
            for row, group in enumerate(groups):
                course = self._course(group, present, first + slots)
                figures[:, row, seen:] = course.figures[:, first + seen - course.first : first + slots - course.first]
        kind = np.full((len(groups), slots), max(self._meters.kind, Kind.FORECAST), dtype=np.int8)
        kind[:, :seen] = self._meters.kind
        return OwnLoad(mean_kw=figures[0], low_kw=figures[1], high_kw=figures[2], kind=kind)

    def _readings(self, groups: Sequence[tuple[Site, ...]], first: int, slots: int) -> FloatArray:
        """Summed readings of each group, (groups, slots)."""
        if not groups:
            return np.empty((0, slots))
        read = self._meters.read([site for group in groups for site in group], instant_of(first), slots)
        return np.add.reduceat(read, np.cumsum([0, *(len(group) for group in groups[:-1])]), axis=0)

    def _history(self, group: tuple[Site, ...], end: int) -> History:
        """The readings of the ``HISTORY_SLOTS`` slots before slot ``end``."""
        first = end - HISTORY_SLOTS
        values = self._readings([group], first, HISTORY_SLOTS)[0]
        return History(first, values, timezone=group[0].timezone, floor=0.0)

    def _course(self, group: tuple[Site, ...], present: int, end: int) -> _Course:
        """The newest forecast for ``group``, up to slot ``end`` at least: made once in each slot."""
        name = _name(group)
        found = self._courses.get(name)
        if found is not None and found.answers(group, present, end):
            return found
        with self._making:
            found = self._courses.get(name)
            if found is None or not found.answers(group, present, end):
                with one_thread():
                    found = self._courses[name] = self._predict(group, present, max(AHEAD_SLOTS, end - present))
            return found

    def _predict(self, group: tuple[Site, ...], present: int, slots: int) -> _Course:
        history = self._history(group, present)
        model = self._model(group, present)
        if model is None:
            ends = np.array([history.values[-1], history.values.min(), history.values.max()])
            return _Course(group, present, np.repeat(ends[:, np.newaxis], slots, axis=1))
        found = model.predict(history, slots)
        figures = np.stack([found.mean, found.low, found.high])
        return _Course(group, present, np.clip(figures, 0.0, sum(site.capacity_kw for site in group)))

    def _model(self, group: tuple[Site, ...], present: int) -> Fitted | None:
        """The model in use in slot ``present``; None where the readings before its fit were all the same."""
        name, fitted_at = _name(group), present - present % self._retrain_slots
        model = self._models.get(name)
        if model is None or model.fitted_at != fitted_at or model.sites != group:
            history = self._history(group, fitted_at)
            fitted = None if np.ptp(history.values) == 0.0 else self._fit(history)
            model = self._models[name] = _Model(group, fitted_at, fitted)
        return model.fitted

    def _scores_of(self, site: Site, present: int) -> tuple[Score, ...]:
        with self._making:
            fitted = self._model((site,), present)
        scored_at = instant_of(present - present % self._retrain_slots)
        return () if fitted is None else fitted.scored(site.site_id, "own_load", scored_at)


def _name(group: tuple[Site, ...]) -> tuple[str, ...]:
    return tuple(site.site_id for site in group)
